"""Layout `shards`: WebDataset tars `shards/000000.tar`, members `00000000.jpg`, `00000000.seg.png`, …"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from forge_rt import _core
from forge_rt._core import CorruptFileError
from forge_rt.production.encode import Member
from forge_rt.production.files import PART, failure, remove_quietly, sha256_of
from forge_rt.production.layouts.base import Encoded, Layout, Unit, UnitSummary

_BLOCK = 512


class TarUnit(Unit):
    def __init__(self, shard: int, path: Path, name: str) -> None:
        super().__init__(shard)
        self._name = name
        self._tar = _core.TarWriter(str(path))

    def add(self, sample: Encoded) -> int:
        offsets = self._tar.add_many([(f"{sample.key}.{name}", data) for name, data in sample.members])
        return offsets[0]

    def finish(self) -> UnitSummary:
        size, _, sha256 = self._tar.finish()
        return UnitSummary(self._name, size, sha256)

    def abort(self) -> None:
        self._tar.abort()


class ShardsLayout(Layout):
    folders = ("shards",)

    def open(self, shard: int) -> Unit:
        name = self.shard_name(shard)
        for leftover in (self.root / "shards").glob(f"{shard:06d}.tar.*{PART}"):  # of a worker that was killed
            remove_quietly(leftover)
        return TarUnit(shard, self.root / name, name)

    def shard_name(self, shard: int) -> str:
        return f"shards/{shard:06d}.tar"

    def damage(self, line: dict[str, Any], rows: Sequence[dict[str, Any]], *, hashes: bool = True) -> str | None:
        path = self.root / line["file"]
        if not path.is_file():
            return f"{line['file']} is missing"
        size = path.stat().st_size
        if size != line["bytes"]:
            return f"{line['file']} has {size} bytes, {line['bytes']} were written"
        if hashes and sha256_of(path) != line["sha256"]:
            return f"{line['file']} was changed since it was written: its SHA-256 is not the journal's"
        return None

    def set_aside(self, line: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
        path = self.root / line["file"]
        if path.exists():
            path.replace(path.with_name(path.name + ".damaged"))

    def expected(self, folder: str) -> set[str]:
        return {Path(self.shard_name(shard)).name for shard in range(self.plan.shards)}

    def read(self, row: dict[str, Any]) -> list[Member]:
        path = self.root / row["shard"]
        members: list[Member] = []
        try:
            with path.open("rb") as file:
                file.seek(row["offset"])
                while sum(len(data) for _, data in members) < row["bytes"]:
                    header = file.read(_BLOCK)
                    name = header[:100].rstrip(b"\0").decode("ascii", "replace")
                    if header[257:262] != b"ustar" or not name.startswith(row["key"] + "."):
                        raise CorruptFileError(f"{path} does not hold sample {row['key']} at byte {row['offset']}")
                    try:
                        size = int(header[124:135], 8)
                    except ValueError:
                        raise CorruptFileError(f"{path} has a damaged header in sample {row['key']}") from None
                    members.append((name[len(row["key"]) + 1 :], file.read(size)))
                    file.seek(-size % _BLOCK, 1)
        except OSError as error:
            raise failure("read", path, error) from error
        return members
