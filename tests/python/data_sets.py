"""What tests of data sets share: reading a folder whole, running the command line, a small file system."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forge_rt as fr
import pytest
from forge_rt.production.folder import _fingerprint

#: the one file that may differ between two runs of one plan: times and hosts
LOG = "log.jsonl"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file but the log: name → bytes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != LOG)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def members(folder: Path) -> dict[str, bytes]:
    """Members of all shards: name → bytes."""
    found: dict[str, bytes] = {}
    for path in sorted((folder / "shards").glob("*.tar")):
        with tarfile.open(path) as tar:
            for info in tar:
                assert info.name not in found
                file = tar.extractfile(info)
                assert file is not None
                found[info.name] = file.read()
    return found


def records(folder: Path) -> list[dict[str, Any]]:
    """Records of all shards, in order."""
    return [json.loads(data) for name, data in members(folder).items() if name.endswith(".json")]


def generate_alone(plan: fr.Plan, folder: Path) -> None:
    """On one thread, a sample at a time."""
    threads = fr.num_threads()
    try:
        fr.set_num_threads(1)
        fr.generate(plan, folder, batch=1, threads=1)
    finally:
        fr.set_num_threads(threads)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "forge_rt.cli.main", *map(str, arguments)]


def cli(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment, "COLUMNS": "200"}
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=env)


def one_error(done: subprocess.CompletedProcess[str]) -> str:
    """The only error line of a command that failed as it should."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("forge-rt: error:")]
    assert len(errors) == 1, done.stderr
    return errors[0]


def journal_lines(folder: Path) -> int:
    path = folder / "journal.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def forge_plan(folder: Path, **made_with: str) -> None:
    """Changes what a run says it was made with, as another installation would have written it."""
    document = read_json(folder / "plan.json")
    what = {"plan": document["plan"], "made_with": {**document["made_with"], **made_with}}
    document = {"format": document["format"], **what, "sha256": _fingerprint(what)}
    (folder / "plan.json").write_text(json.dumps(document))


@contextlib.contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory that is soon full. Skips the test where mounting is not allowed."""
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a tmpfs needs root: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class _Stop(Exception):
    pass


def stopped(plan: fr.Plan, folder: Path, after: int = 4) -> None:
    """A run that ends after some samples, with at least one shard finished."""

    def stop(progress: fr.Progress) -> None:
        if progress.done < after:
            return
        deadline = time.monotonic() + 60
        while journal_lines(folder) < 1 and time.monotonic() < deadline:  # writers may lag behind
            time.sleep(0.01)
        raise _Stop

    old = fr.production.run._Display.show

    def always(self: object, *args: object, **kwargs: object) -> None:
        self._last = -1.0  # type: ignore[attr-defined]
        old(self, *args, **kwargs)  # type: ignore[arg-type]

    patch = pytest.MonkeyPatch()
    patch.setattr(fr.production.run._Display, "show", always)
    try:
        with pytest.raises(_Stop):
            fr.generate(plan, folder, batch=1, progress=stop)
    finally:
        patch.undo()
