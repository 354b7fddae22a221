"""What every layout does."""

from __future__ import annotations

import abc
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forge_rt.production import encode, index
from forge_rt.production.encode import Member
from forge_rt.production.plan import Plan
from forge_rt.production.records import annotation
from forge_rt.production.samples import Rejected, Sample
from forge_rt.production.sources import Source


@dataclass(frozen=True)
class Encoded:
    """A sample as bytes: what the writer needs, without its arrays."""

    index: int
    key: str
    members: list[Member]
    row: dict[str, Any]  #: of the index, without shard and offset
    rejected: tuple[Rejected, ...]
    accepted: bool
    note: bytes = b""  #: what a layout collects for its own files (coco)
    tile: bytes = b""  #: of the contact sheet


@dataclass(frozen=True)
class UnitSummary:
    """What the journal says about a finished shard."""

    file: str  #: the tar, or "" where samples are single files
    bytes: int
    sha256: str


@dataclass
class Unit(abc.ABC):
    """Writes one shard. Until finish() returns nothing of it counts."""

    shard: int
    digests: list[str] = field(default_factory=list)

    @abc.abstractmethod
    def add(self, sample: Encoded) -> int:
        """Appends the next sample; returns its offset in the file, 0 where it has files of its own."""

    @abc.abstractmethod
    def finish(self) -> UnitSummary:
        """Everything is on the disk, under its final name."""

    @abc.abstractmethod
    def abort(self) -> None:
        """Lets go of the unfinished shard. Never raises."""


class Layout(abc.ABC):
    """Names and contents of the files of a data set."""

    #: folders below the data set's
    folders: tuple[str, ...] = ()

    def __init__(self, root: Path, plan: Plan, source: Callable[[], Source]) -> None:
        self.root, self.plan, self._open_source = root, plan, source

    @property
    def source(self) -> Source:
        return self._open_source()

    # ---- a sample to bytes (worker threads) ----

    def encode(self, sample: Sample, tile: bytes = b"") -> Encoded:
        score = self.source.agreement(sample)
        record = annotation(self.source, sample, score)
        members = self.members(sample, record)
        row = index.row(self.source, sample, record["attributes"], score)
        row["bytes"] = sum(len(data) for _, data in members)
        row["sha256"] = encode.digest(members)
        return Encoded(
            sample.index, sample.key, members, row, sample.rejected, sample.accepted, self.note(sample), tile
        )  # fmt: skip

    def members(self, sample: Sample, record: dict[str, Any]) -> list[Member]:
        plan = self.plan
        members = [
            (encode.RGB_SUFFIX[plan.rgb], encode.rgb(sample.rgb, plan.rgb)),
            ("seg.png", encode.png(sample.segmentation)),
            (f"depth.{encode.DEPTH_SUFFIX[plan.depth]}", encode.depth(sample.depth_m, plan.depth)),
        ]
        if "normals" in plan.extras and sample.normals is not None:
            members.append(("normals.png", encode.normals(sample.normals)))
        if "uv" in plan.extras and sample.uv is not None:
            members.append(("uv.png", encode.uv(sample.uv)))
        if "layers" in plan.extras and sample.layers is not None:
            members.append(("seg_no_objects.png", encode.png(sample.layers[0])))
            members.append(("seg_bare_head.png", encode.png(sample.layers[1])))
        if "volume_depth" in plan.extras and sample.volume_depth_m is not None:
            members.append(
                (f"volume_depth.{encode.DEPTH_SUFFIX[plan.depth]}", encode.depth(sample.volume_depth_m, plan.depth))
            )
        if "soft" in plan.extras and sample.soft_labels is not None:
            members.append(("soft.png", encode.soft(sample.soft_labels)))
        members.append(("json", encode.dump_json(record)))
        return members

    def note(self, sample: Sample) -> bytes:
        return b""

    # ---- bytes to disk (one writer a shard) ----

    @abc.abstractmethod
    def open(self, shard: int) -> Unit: ...

    @abc.abstractmethod
    def shard_name(self, shard: int) -> str:
        """The column `shard` of the index."""

    # ---- what is on disk ----

    @abc.abstractmethod
    def damage(self, line: dict[str, Any], rows: Sequence[dict[str, Any]], *, hashes: bool = True) -> str | None:
        """What is wrong with a finished shard, given its journal line and index rows (key, offset, bytes, sha256); None: nothing.

        Without `hashes` only presence and, where it is known, size are looked at.
        """

    @abc.abstractmethod
    def set_aside(self, line: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
        """Renames the files of a damaged shard to *.damaged, so that it can be made again."""

    @abc.abstractmethod
    def read(self, row: dict[str, Any]) -> list[Member]:
        """The members of one sample, in the order they were written."""

    @abc.abstractmethod
    def expected(self, folder: str) -> Container[str]:
        """Names that may be in one of `folders` of a finished run."""

    def reopen(self, shard: int, rows: Sequence[dict[str, Any]]) -> None:
        """Brings back what close() used up, for a shard that is on the disk."""
        return

    def close(self, shards: Iterable[int]) -> list[str]:
        """After the last shard: makes files that span shards; returns their names."""
        return []
