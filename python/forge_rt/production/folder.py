"""The folder of a run: what it holds, whose it is, what is finished.

plan.json        what is made and with what; written first
journal.jsonl    one line a finished shard
log.jsonl        times, hosts, speeds: the only file that differs between two runs of one plan
parts/ leases/   gone when the run is finished
manifest.json    written last: a folder with it is a finished data set
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from forge_rt import __version__, _core
from forge_rt._core import CorruptFileError, InvalidArgumentError, NotFoundError, UnsupportedError
from forge_rt.production import index, journal
from forge_rt.production.encode import dump_json
from forge_rt.production.files import (
    PART,
    create_exclusively,
    failure,
    make_folder,
    remove_parts,
    sha256_of,
    write_atomically,
)
from forge_rt.production.layouts import Layout, layout_of
from forge_rt.production.plan import Plan
from forge_rt.production.sources import Source, open_source

PLAN, MANIFEST, LOG = "plan.json", "manifest.json", "log.jsonl"
INDEX, STATISTICS, CARD, SHEET = "index.parquet", "statistics.json", "README.md", "contact_sheet.png"


def made_with(source: Source, device: str) -> dict[str, str]:
    """What decides bytes besides the plan."""
    import cv2

    detector = {} if source.detector_hash is None else {"detector_sha256": source.detector_hash}
    return {
        "engine": f"forge_rt {__version__}",
        "model_sha256": source.hash,
        **detector,
        "isa": _core.isa(),
        "device": device.split(":")[0],
        "opencv": cv2.__version__,
        **source.made_with(),
    }


def _fingerprint(what: dict[str, Any]) -> str:
    """Of what a run makes: an edited plan.json would mix two data sets."""
    return _core.sha256(dump_json(what))


class RunFolder:
    """An opened run."""

    def __init__(self, root: Path, plan: Plan, made: dict[str, str], source: Source | None = None) -> None:
        self.root, self.plan, self.made, self._source = root, plan, made, source
        self.layout: Layout = layout_of(plan.layout)(root, plan, lambda: self.source)

    @property
    def source(self) -> Source:
        """What makes the images. Opened when first needed: a data set can be looked at without its model."""
        if self._source is None:
            self._source = open_source(self.plan)
        return self._source

    # ---- opening ----

    @classmethod
    def start(cls, root: Path, plan: Plan, source: Source, device: str, *, join: bool) -> RunFolder:
        """Makes a run in a new or empty folder. With `join` it may also hold this very run, finished or not."""
        plan.validate()
        source.check(plan)
        made = made_with(source, device)
        if root.exists() and not root.is_dir():
            raise InvalidArgumentError(f"--out {root} is a file; name a folder")
        if not (root / PLAN).exists():
            if root.is_dir() and any(not p.name.endswith(PART) for p in root.iterdir()):
                if not (root / PLAN).exists():  # another worker may have been faster
                    raise InvalidArgumentError(
                        f"{root} is not empty and holds no run of forge-rt; choose another folder or empty it first"
                    )
            else:
                make_folder(root)
                what = {"plan": plan.to_json(), "made_with": made}
                document = dump_json({"format": "forge_rt run", **what, "sha256": _fingerprint(what)}, indent=1)
                if create_exclusively(root / PLAN, document, sync=True):
                    return cls(root, plan, made, source)._prepare()
        if not join:
            raise InvalidArgumentError(
                f"{root} already holds a run; go on with it, or join it, with --resume, or choose another folder"
            )
        run = cls.open(root, source)
        run.require(plan, made)
        return run._prepare()

    @classmethod
    def open(cls, root: Path, source: Source | None = None) -> RunFolder:
        """The run in a folder, for reading or going on."""
        path = root / PLAN
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != "forge_rt run":
                raise ValueError("it is of another format")
            if document["sha256"] != _fingerprint({"plan": document["plan"], "made_with": document["made_with"]}):
                raise ValueError("it was changed since the run began")
            plan, made = Plan.from_json(document["plan"]), document["made_with"]
        except FileNotFoundError:
            what = "is not a folder" if not root.is_dir() else f"holds no run of forge-rt: {PLAN} is missing"
            raise NotFoundError(f"{root} {what}; `forge-rt generate --out DIR` makes one") from None
        except OSError as error:
            raise failure("read", path, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptFileError(f"{path} is damaged ({error}); put back a copy of it") from error
        return cls(root, plan, made, source)

    def _prepare(self) -> RunFolder:
        for name in ("parts", "leases", *self.layout.folders):
            if not (self.root / MANIFEST).exists():
                make_folder(self.root / name)
        return self

    def require(self, plan: Plan, made: dict[str, str]) -> None:
        """Raises when going on would make other bytes than those that are there."""
        mine, asked = (
            self.plan.without_places(),
            plan.without_places(),
        )  # files may have moved; what they hold is compared below
        for name, value in asked.items():
            if mine[name] != value:
                shown = " (compared in full)" if name == "camera" else f": {mine[name]!r} there, {value!r} asked"
                raise InvalidArgumentError(
                    f"{self.root} holds a run with another {name}{shown}; "
                    f"leave {name} out to go on with that run, or choose another folder"
                )
        self.require_machine(made)

    def require_machine(self, made: dict[str, str]) -> None:
        hints = {
            "engine": "install that version",
            "model_sha256": "the model is another one",
            "detector_sha256": "the detector is another one",
            "isa": f"set FORGE_RT_ISA={self.made.get('isa')}",
            "device": f"use --device {self.made.get('device')}",
            "opencv": f"install opencv-python-headless=={self.made.get('opencv')}",
            "onnxruntime": f"install onnxruntime=={self.made.get('onnxruntime')}",
        }
        for name, value in made.items():
            if self.made.get(name) != value:
                raise UnsupportedError(
                    f"{self.root} was begun with {name} {self.made.get(name)!r}, here it is {value!r}: bytes would differ; "
                    f"{hints[name]}, or choose another folder"
                )

    # ---- what is there ----

    @property
    def finished(self) -> bool:
        return (self.root / MANIFEST).exists()

    def manifest(self) -> dict[str, Any]:
        path = self.root / MANIFEST
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NotFoundError(
                f"{self.root} has no {MANIFEST}: the run is not finished; add --resume to finish it"
            ) from None
        except (OSError, ValueError) as error:
            raise CorruptFileError(f"{path} is damaged ({error}); delete it and run --resume") from error

    def journal(self) -> dict[int, dict[str, Any]]:
        lines = journal.read(self.root)
        return {shard: line for shard, line in lines.items() if 0 <= shard < self.plan.shards}

    def part(self, shard: int) -> Path:
        """Index rows of one shard, until the run is finished."""
        return self.root / "parts" / f"index-{shard:06d}.parquet"

    def tile(self, sample: int) -> Path:
        return self.root / "parts" / f"tile-{sample:08d}.png"

    def rows(self, shard: int) -> list[dict[str, Any]]:
        """Index rows of a finished shard: from its part, or from the index of a finished run."""
        part = self.part(shard)
        if part.exists():
            return index.read(part).to_pylist()
        return index.read_shard(self.root / INDEX, shard)

    def damage(self, line: dict[str, Any], *, hashes: bool = True) -> str | None:
        """What is wrong with a finished shard; None: nothing. With `hashes` it reads all of it."""
        part = self.part(line["shard"])
        if not self.finished:
            if not part.exists():
                return f"{part.relative_to(self.root)} is missing"
            if hashes and sha256_of(part) != line["index_sha256"]:
                return f"{part.relative_to(self.root)} was changed since it was written"
        rows = self.rows(line["shard"]) if self.plan.layout != "shards" else []
        return self.layout.damage(line, rows, hashes=hashes)

    def set_aside(self, line: dict[str, Any]) -> None:
        """Renames what is left of a damaged shard to *.damaged."""
        try:
            rows = self.rows(line["shard"]) if self.plan.layout != "shards" else []
        except CorruptFileError:
            rows = []
        try:
            if self.layout.damage(line, rows) is not None:  # not when only its index rows are
                self.layout.set_aside(line, rows)
        except OSError as error:
            raise failure("rename files of", self.root, error) from error
        self.part(line["shard"]).unlink(missing_ok=True)

    def restore_parts(self, lines: dict[int, dict[str, Any]]) -> None:
        """Index rows of finished shards become parts again, where the index still has the rows that the journal names."""
        make_folder(self.root / "parts")
        for shard, rows in index.by_shard(self.root / INDEX, self.plan.shard_size):
            data = index.encode(rows, self.source)
            line = lines.get(shard)
            if line is not None and _core.sha256(data) == line["index_sha256"] and not self.part(shard).exists():
                self.layout.reopen(shard, rows)
                write_atomically(self.part(shard), data, sync=True)

    def reopen(self, lines: dict[int, dict[str, Any]]) -> None:
        """Makes a finished run an unfinished one that has the shards of `lines`."""
        self.restore_parts(lines)
        (self.root / MANIFEST).unlink(missing_ok=True)
        self._prepare()

    def log(self, event: str, **values: Any) -> None:
        """A line with time and host. Never stops a run."""
        stamp = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": stamp, "host": platform.node(), "pid": os.getpid(), "event": event, **values}
        try:
            with (self.root / LOG).open("ab") as file:
                file.write(dump_json(line))
        except OSError:
            pass

    def sweep(self) -> None:
        """Removes leftovers of killed workers. Only for a run that nobody works at."""
        for name in (".", "parts", "leases", "annotations", *self.layout.folders):
            remove_parts(self.root / name)

    def remove_scaffold(self) -> None:
        for name in ("parts", "leases"):
            shutil.rmtree(self.root / name, ignore_errors=True)


def missing(run: RunFolder, lines: Iterable[int]) -> list[int]:
    have = set(lines)
    return [shard for shard in range(run.plan.shards) if shard not in have]
