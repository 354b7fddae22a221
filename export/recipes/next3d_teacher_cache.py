"""A folder of the teacher's samples: one .npy of records per shard, mapped by readers while other processes write.

manifest.json            what made it: configuration, seed, bundle, version of the teacher
shard-000012.npy         samples 12·n … 12·n + n - 1, written beside and renamed, so that a file that is there is whole
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from forge_rt import InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from .next3d_teacher import Teacher

#: Changes whenever (seed, index) would give another sample.
VERSION = 1


def describe(teacher: Teacher, seed: int, shard: int) -> dict:
    return {
        "version": VERSION, "seed": seed, "shard": shard, "head": teacher.head.hash, "matte": teacher.matte,
        "config": asdict(teacher.config),
    }  # fmt: skip


def write(
    teacher: Teacher,
    folder: str | os.PathLike[str],
    *,
    seed: int,
    count: int,
    shard: int = 250,
    part: int = 0,
    parts: int = 1,
) -> int:
    """Makes the shards of samples 0 … count - 1 that are missing; `part` of `parts` makes every parts-th. Returns how many samples it made.

    Shards are whole: `count` is rounded up. A folder made otherwise is refused.
    """
    if not 0 <= part < parts:
        raise InvalidArgumentError(f"part must be in 0..{parts - 1}, got {part}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = describe(teacher, seed, shard)
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        _replace(manifest, (json.dumps(wanted, indent=1) + "\n").encode())
    found = json.loads(manifest.read_text(encoding="utf-8"))
    if found != wanted:
        different = ", ".join(sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k)))
        raise InvalidArgumentError(f"{folder} holds samples made otherwise ({different}); choose another folder")
    made = 0
    for number in range(part, -(-count // shard), parts):
        path = folder / f"shard-{number:06d}.npy"
        if path.is_file():
            continue
        began = time.perf_counter()
        records = teacher.batch(seed, number * shard, shard)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with temporary.open("wb") as file:
            np.save(file, records, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        made += shard
        print(f"{path.name}: {shard} samples, {(time.perf_counter() - began) / shard * 1e3:.0f} ms each", flush=True)
    return made


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.write_bytes(data)
    temporary.replace(path)


class TeacherCache:
    """Reads a folder that may still grow; `refresh` finds new shards."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        manifest = self.folder / "manifest.json"
        if not manifest.is_file():
            raise NotFoundError(
                f"{self.folder} holds no teacher's samples; make some: next3d_teacher --out {self.folder}"
            )
        self.about = json.loads(manifest.read_text(encoding="utf-8"))
        self.shard: int = self.about["shard"]
        self._maps: dict[int, np.ndarray] = {}
        self._numbers: list[int] = []
        self.refresh()

    def refresh(self) -> int:
        """Returns how many samples there are now."""
        found = (re.fullmatch(r"shard-(\d{6,})\.npy", path.name) for path in self.folder.iterdir())
        self._numbers = sorted(int(match[1]) for match in found if match)
        return len(self)

    def __len__(self) -> int:
        return len(self._numbers) * self.shard

    def __getitem__(self, i: int) -> np.ndarray:
        """Record i of those that are there, [] of the teacher's dtype (a view of the file)."""
        if not 0 <= i < len(self):
            raise IndexError(i)
        number = self._numbers[i // self.shard]
        if number not in self._maps:
            path = self.folder / f"shard-{number:06d}.npy"
            self._maps[number] = np.load(path, mmap_mode="r", allow_pickle=False)
        return self._maps[number][i % self.shard]

    def gather(self, rows: Sequence[int], fields: Sequence[str]) -> dict[str, np.ndarray]:
        """{field: [len(rows), ...]}, copied; only these fields are read from the disk."""
        records = [self[int(i)] for i in rows]
        return {name: np.stack([record[name] for record in records]) for name in fields}
