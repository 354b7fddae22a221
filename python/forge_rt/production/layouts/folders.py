"""Layout `folders`: images/ seg/ depth/ annotations/, one file of each per sample, and a folder for each extra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from forge_rt import _core
from forge_rt._core import CorruptFileError
from forge_rt.production import encode
from forge_rt.production.encode import Member
from forge_rt.production.files import failure, make_folder, sync_file, sync_folder, write_atomically
from forge_rt.production.layouts.base import Encoded, Layout, Unit, UnitSummary
from forge_rt.production.plan import Plan
from forge_rt.production.sources import Source


def _digest_of(digests: Iterable[str]) -> str:
    """A shard's digest, from those of its samples."""
    return _core.sha256("".join(digests).encode())


class FilesUnit(Unit):
    """Files appear one by one; the shard counts once the journal has its line."""

    def __init__(self, shard: int, layout: FoldersLayout) -> None:
        super().__init__(shard)
        self._layout = layout
        self._bytes = 0
        self._files: list[Path] = []
        self._notes: list[bytes] = []

    def add(self, sample: Encoded) -> int:
        for name, data in sample.members:
            path = self._layout.path(sample.key, name)
            write_atomically(path, data)
            self._files.append(path)
            self._bytes += len(data)
        self.digests.append(sample.row["sha256"])
        self._notes.append(sample.note)
        return 0

    def finish(self) -> UnitSummary:
        for path in self._files:
            try:
                sync_file(path)
            except OSError as error:
                raise failure("write", path, error) from error
        for folder in {path.parent for path in self._files}:
            sync_folder(folder)
        self._layout.keep_notes(self.shard, self._notes)
        return UnitSummary("", self._bytes, _digest_of(self.digests))

    def abort(self) -> None:
        """Files stay: each is complete, and another worker may have made the same ones by now."""


class FoldersLayout(Layout):
    #: member name → folder and suffix
    places: Mapping[str, tuple[str, str]] = {
        "seg.png": ("seg", ".png"),
        "depth.png": ("depth", ".png"),
        "depth.npy": ("depth", ".npy"),
        "normals.png": ("normals", ".png"),
        "uv.png": ("uv", ".png"),
        "seg_no_objects.png": ("seg_no_objects", ".png"),
        "seg_bare_head.png": ("seg_bare_head", ".png"),
        "volume_depth.png": ("volume_depth", ".png"),
        "volume_depth.npy": ("volume_depth", ".npy"),
        "soft.png": ("soft", ".png"),
        "json": ("annotations", ".json"),
    }

    def __init__(self, root: Path, plan: Plan, source: Callable[[], Source]) -> None:
        super().__init__(root, plan, source)
        suffix = encode.RGB_SUFFIX[plan.rgb]
        self.places = {suffix: ("images", "." + suffix), **type(self).places}
        self.folders = tuple(dict.fromkeys(self.places[name][0] for name in self.names()))

    def names(self) -> list[str]:
        """Members of every sample, in order."""
        extras = {
            "normals": ["normals.png"],
            "uv": ["uv.png"],
            "layers": ["seg_no_objects.png", "seg_bare_head.png"],
            "volume_depth": [f"volume_depth.{encode.DEPTH_SUFFIX[self.plan.depth]}"],
            "soft": ["soft.png"],
        }
        first = [encode.RGB_SUFFIX[self.plan.rgb], "seg.png", f"depth.{encode.DEPTH_SUFFIX[self.plan.depth]}"]
        return [*first, *(n for e in extras if e in self.plan.extras for n in extras[e]), "json"]

    def path(self, key: str, name: str) -> Path:
        folder, suffix = self.places[name]
        return self.root / folder / (self.stem(key) + suffix)

    def stem(self, key: str) -> str:
        return key

    def open(self, shard: int) -> Unit:
        for folder in self.folders:
            make_folder(self.root / folder)
        return FilesUnit(shard, self)

    def keep_notes(self, shard: int, notes: Sequence[bytes]) -> None:
        """Of a shard whose files are written."""

    def shard_name(self, shard: int) -> str:
        return ""

    def damage(self, line: dict[str, Any], rows: Sequence[dict[str, Any]], *, hashes: bool = True) -> str | None:
        for row in rows:
            size = 0
            for name in self.names():
                path = self.path(row["key"], name)
                if not path.is_file():
                    return f"{path.relative_to(self.root)} is missing"
                size += path.stat().st_size
            if size != row["bytes"]:
                return (
                    f"the files of sample {row['key']} have {size} bytes, {row['bytes']} were written: one was changed"
                )
            if hashes and encode.digest(self.read(row)) != row["sha256"]:
                return f"a file of sample {row['key']} was changed since it was written: the SHA-256 is not the index's"
        total = _digest_of(row["sha256"] for row in rows)
        return None if total == line["sha256"] else "the index does not fit the journal"

    def set_aside(self, line: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
        for row in rows:
            paths = [self.path(row["key"], name) for name in self.names()]
            whole = all(path.is_file() for path in paths)
            if whole and encode.digest(self.read(row)) == row["sha256"]:
                continue
            for path in paths:
                if path.is_file():
                    path.replace(path.with_name(path.name + ".damaged"))

    def expected(self, folder: str) -> set[str]:
        names = [name for name in self.names() if self.places[name][0] == folder]
        return {self.path(f"{i:08d}", name).name for i in range(self.plan.count) for name in names}

    def read(self, row: dict[str, Any]) -> list[Member]:
        members = []
        for name in self.names():
            path = self.path(row["key"], name)
            try:
                members.append((name, path.read_bytes()))
            except FileNotFoundError as error:
                raise CorruptFileError(f"{path} is missing") from error
            except OSError as error:
                raise failure("read", path, error) from error
        return members
