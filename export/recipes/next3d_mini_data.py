"""Batches of next3d-mini: the teacher's cache, written by processes of its own while the trainer reads it.

Which samples a step sees follows from the step alone. The first pass over a cache takes it in order, so that training starts with the
first shard; later passes are shuffled.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from forge_rt import NotFoundError, _core
from torch.nn import functional as nnf

from ..models.next3d import Views
from . import next3d_teacher_cache as cache
from .next3d_teacher import TeacherConfig, front_uv, ray_distance

#: ForgeHead's classes that a picture is judged by, and that are small.
BROWS, EYES, LIPS = (2, 3), (4, 5, 6), (11, 12, 13)


@dataclass
class Batch:
    """I heads, N = I · V pictures; the views of a head are neighbours."""

    z: torch.Tensor  #: [I, 64]
    views: Views  #: of I heads
    camera: torch.Tensor  #: [N, 25]
    foreground: torch.Tensor  #: [N, 3, S, S] 0..1, over black
    coverage: torch.Tensor  #: [N, 1, S, S] 0..1
    background: torch.Tensor  #: [N, 3, 1, 1] 0..1
    distance: torch.Tensor  #: [N, r, r] along the ray in world units, 0 = nothing
    weight: torch.Tensor  #: [N, 1, S, S], what a pixel counts
    classes: torch.Tensor  #: [N, S, S] uint8

    @property
    def picture(self) -> torch.Tensor:
        """[N, 3, S, S] in -1..1"""
        return 2 * (self.foreground + (1 - self.coverage) * self.background) - 1

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        views = Views(*(getattr(self.views, n).to(device) for n in ("front_uv", "front_alpha", "mouth_box")))
        rest = {k: v.to(device) for k, v in vars(self).items() if k != "views"}
        return Batch(views=views, **rest)


def collate(records: np.ndarray, views: int, detail_weight: float = 1.0) -> Batch:
    """records [N] of the teacher's, `views` in a row of one head."""
    heads = records[::views]

    def image(name: str) -> torch.Tensor:
        x = torch.from_numpy(records[name].copy()).float() / 255
        return x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()

    classes = records["classes"].copy()
    detail = torch.from_numpy(np.isin(classes, BROWS + EYES + LIPS)[:, None].astype(np.float32))
    return Batch(
        z=torch.from_numpy(heads["z"].copy()),
        views=Views(
            torch.from_numpy(front_uv(heads)),
            torch.from_numpy(heads["alpha"][:, None] / np.float32(255)),
            torch.from_numpy(heads["mouth_box"].copy()),
        ),
        camera=torch.from_numpy(records["camera"].copy()),
        foreground=image("foreground"),
        coverage=image("coverage"),
        background=torch.from_numpy(records["background"] / np.float32(255))[:, :, None, None],
        distance=torch.from_numpy(ray_distance(records)),
        # A pixel beside an eye counts as the eye does: lids are edges.
        weight=1 + (detail_weight - 1) * nnf.max_pool2d(detail, 5, 1, 2),
        classes=torch.from_numpy(classes),
    )


# ---- which samples ----


def rows_of(position: int, count: int, pool: int, views: int, seed: int) -> np.ndarray:
    """Indices of `count` samples from `position` of an endless sequence of passes over 0 … pool - 1; heads stay together.

    pool, position and count are multiples of `views`.
    """
    heads = pool // views
    at = position // views + np.arange(count // views)
    order = {p: _order(p, heads, seed) for p in np.unique(at // heads).tolist()}
    head = np.array([order[p][i] for p, i in zip((at // heads).tolist(), (at % heads).tolist(), strict=True)])
    return (head[:, None] * views + np.arange(views)).ravel()


def _order(number: int, heads: int, seed: int) -> np.ndarray:
    if number == 0:
        return np.arange(heads)
    return np.random.default_rng([seed, number]).permutation(heads)


class Source:
    """A cache that is being written: waits for what is not there yet."""

    def __init__(self, folder: Path, shard: int) -> None:
        self.folder, self.shard = folder, shard
        self.writers: list[multiprocessing.process.BaseProcess] = []
        self._maps: dict[int, np.ndarray] = {}

    def start(self, config: TeacherConfig, seed: int, pool: int, writers: int) -> None:
        """Starts processes that make the samples that are missing."""
        context = multiprocessing.get_context("spawn")
        for part in range(writers):
            arguments = (str(self.folder), config, seed, pool, self.shard, part, writers, os.getpid())
            process = context.Process(target=write, args=arguments, daemon=True)
            process.start()
            self.writers.append(process)

    def stop(self) -> None:
        for process in self.writers:
            process.terminate()
            process.join()
        self.writers.clear()

    def read(self, rows: np.ndarray) -> np.ndarray:
        """[len(rows)] records."""
        return np.stack([self._map(int(row) // self.shard)[int(row) % self.shard] for row in rows])

    def _map(self, number: int) -> np.ndarray:
        if number not in self._maps:
            path = self.folder / f"shard-{number:06d}.npy"
            while not path.is_file():
                if self.writers and not any(p.is_alive() for p in self.writers) and not path.is_file():
                    raise NotFoundError(f"the teacher stopped before it made {path}; its message is above")
                time.sleep(0.1)
            self._maps[number] = np.load(path, mmap_mode="r", allow_pickle=False)
        return self._maps[number]


def write(
    folder: str, config: TeacherConfig, seed: int, pool: int, shard: int, part: int, parts: int, parent: int
) -> None:
    """A writer: every parts-th shard, as long as its trainer lives."""
    from .next3d_teacher import Teacher

    os.nice(2)  # the trainer goes first; when it has to wait, this runs
    _core.set_num_threads(1)
    teacher = Teacher(config)
    for number in range(part, -(-pool // shard), parts):
        if os.getppid() != parent:
            return
        cache.write(teacher, folder, seed=seed, count=(number + 1) * shard, shard=shard, part=number, parts=number + 1)
