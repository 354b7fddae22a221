"""The journal: one JSON line for each finished shard. A shard counts once its line is complete; a torn line never counts."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from forge_rt.production.encode import dump_json
from forge_rt.production.files import failure, write_atomically

NAME = "journal.jsonl"


@contextlib.contextmanager
def _locked(file: BinaryIO) -> Iterator[None]:
    """Other processes wait. The system drops the lock when a process dies. Where there are no such locks, appends of one line are whole anyway."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        yield
        return
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def append(root: Path, line: dict[str, Any]) -> None:
    path = root / NAME
    try:
        with path.open("ab+") as file, _locked(file):
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                torn = file.read(1) != b"\n"
            else:
                torn = False
            # One write: a kill leaves all of the line or a torn one, which the next writer closes off.
            data = (b"\n" if torn else b"") + dump_json(line)
            if os.write(file.fileno(), data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
    except OSError as error:
        raise failure("write", path, error) from error


def read(root: Path) -> dict[int, dict[str, Any]]:
    """shard → its line. Torn lines are skipped: their shards are made again. Of equal shards the first line counts."""
    path = root / NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise failure("read", path, error) from error
    lines: dict[int, dict[str, Any]] = {}
    for raw in text.split(b"\n"):
        with contextlib.suppress(ValueError):
            line = json.loads(raw)
            if isinstance(line, dict) and line.keys() >= _COMPLETE:
                lines.setdefault(line["shard"], line)
    return lines


_COMPLETE = {"shard", "first", "count", "file", "bytes", "sha256", "index_sha256", "rejected"}


def write(root: Path, lines: Iterable[dict[str, Any]]) -> None:
    """The whole journal in shard order. A file that is right is left alone."""
    data = b"".join(dump_json(line) for line in sorted(lines, key=lambda x: x["shard"]))
    path = root / NAME
    if not path.exists() or path.read_bytes() != data:
        write_atomically(path, data, sync=True)
