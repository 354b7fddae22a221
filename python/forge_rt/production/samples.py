"""Samples of a plan: which face and camera sample i is, drawn again until it is good enough. A pure function of (plan, i)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forge_rt._core import FaceParameters
from forge_rt.camera import Camera
from forge_rt.forge_head import FaceBatch, ForgeHead
from forge_rt.production.plan import Plan
from forge_rt.production.sources import ForgeHeadSource, SampleDraw, Source, open_source

#: a sample that fails so often is kept and marked: a run must end
MAX_ATTEMPTS = 16


@dataclass(frozen=True)
class Rejected:
    """A draw that was not good enough."""

    index: int
    attempt: int
    reason: str


@dataclass(frozen=True)
class Sample:
    """One image and everything known about it; the arrays are views of its batch (shapes: `FaceBatch`, without B)."""

    index: int
    identity: int
    view: int
    attempt: int  #: the draw that was taken; those before it are in `rejected`
    rejected: tuple[Rejected, ...]
    reason: str | None  #: why it is not accepted: every draw failed, this is the last one
    seed: int
    face: FaceParameters | None
    style: str
    latent: Any
    camera: Camera
    rgb: np.ndarray
    segmentation: np.ndarray
    depth_m: np.ndarray
    normals: np.ndarray | None
    soft_labels: np.ndarray | None
    layers: np.ndarray | None
    uv: np.ndarray | None
    volume_depth_m: np.ndarray | None  #: from here six of a generator, see `GeneratedBatch`
    fit: np.ndarray | None
    mask_colors: np.ndarray | None
    depth8: np.ndarray | None
    detected: np.ndarray | None
    detected_px: float | None
    landmarks: np.ndarray
    visibility: np.ndarray
    landmarks_camera_m: np.ndarray
    landmarks_head_m: np.ndarray

    @property
    def accepted(self) -> bool:
        return self.reason is None

    @property
    def key(self) -> str:
        return f"{self.index:08d}"


class SampleMaker:
    """Renders samples of one plan. `attempts` fixes the draw of an index, as a replay does."""

    def __init__(self, source: Source, plan: Plan, device: str = "cpu") -> None:
        self._plan, self._renderer = plan, source.renderer(plan, device)

    def draw(self, index: int, attempt: int) -> SampleDraw:
        return self._renderer.draw(index, attempt)

    def batch(self, drawn: list[SampleDraw]) -> FaceBatch:
        return self._renderer.batch(drawn)

    def refusals(self, batch: FaceBatch) -> list[str | None]:
        return [self._renderer.refusal(batch, k) for k in range(len(batch))]

    def make(self, indices: Iterable[int], attempts: Mapping[int, int] | None = None) -> list[Sample]:
        """The samples of `indices`, rendered together. Those that are not good enough are drawn again, together."""
        order = list(indices)
        rejected: dict[int, tuple[Rejected, ...]] = {i: () for i in order}
        done: dict[int, Sample] = {}
        fixed = attempts or {}
        pending = [(i, fixed.get(i, 0)) for i in order]
        while pending:
            drawn = [self.draw(i, attempt) for i, attempt in pending]
            batch = self.batch(drawn)
            images, refusals = arrays(batch), self.refusals(batch)
            again = []
            for k, (i, attempt) in enumerate(pending):
                reason = refusals[k]
                if reason is not None and i not in fixed and attempt + 1 < MAX_ATTEMPTS:
                    rejected[i] += (Rejected(i, attempt, reason),)
                    again.append((i, attempt + 1))
                    continue
                member: dict[str, Any] = {
                    name: None if values is None else values[k] for name, values in images.items()
                }
                views, d = self._plan.views, drawn[k]
                done[i] = Sample(
                    i, i // views, i % views, attempt, rejected[i], reason, self._plan.seed,
                    d.face, d.style, d.latent, d.camera, **member,
                )  # fmt: skip
            pending = again
        return [done[i] for i in order]


_ARRAYS = (
    "rgb", "segmentation", "depth_m", "normals", "soft_labels", "layers", "uv", "volume_depth_m", "fit",
    "mask_colors", "depth8", "detected", "detected_px", "landmarks", "visibility", "landmarks_camera_m", "landmarks_head_m",
)  # fmt: skip


def arrays(batch: FaceBatch) -> dict[str, Any]:
    """The arrays of a batch as NumPy, by the names of Sample."""
    values = {name: getattr(batch, name, None) for name in _ARRAYS}
    return {name: None if value is None else np.asarray(value) for name, value in values.items()}


def batches(
    plan: Plan, *, batch: int = 8, start: int = 0, device: str = "cpu", head: ForgeHead | None = None
) -> Iterator[FaceBatch]:
    """The samples of `plan`, rendered as they are asked for: nothing touches a disk.

    Yields `FaceBatch`es of `batch` images (the last may be smaller) from sample `start` on; sample i is the one that
    `generate` would write. Arrays speak DLPack (`torch.from_dlpack(b.rgb)`). To train for ever: a plan with a large count.
    """
    from forge_rt._core import InvalidArgumentError

    plan.validate()
    if not 1 <= batch <= 1024:
        raise InvalidArgumentError(f"batch must be 1..1024, got {batch}")
    if not 0 <= start <= plan.count:
        raise InvalidArgumentError(f"start must be a sample of the plan, 0..{plan.count}, got {start}")
    source = ForgeHeadSource(head) if head is not None else open_source(plan)
    source.check(plan)
    return _batches(SampleMaker(source, plan, device), plan, batch, start)


def _batches(maker: SampleMaker, plan: Plan, batch: int, start: int) -> Iterator[FaceBatch]:
    for first in range(start, plan.count, batch):
        indices = tuple(range(first, min(first + batch, plan.count)))
        drawn = [maker.draw(i, 0) for i in indices]
        images = maker.batch(drawn)
        refused = [k for k, reason in enumerate(maker.refusals(images)) if reason is not None]
        if refused:
            samples = maker.make(indices[k] for k in refused)
            for k, sample in zip(refused, samples, strict=True):
                drawn[k] = maker.draw(sample.index, sample.attempt)
            images = maker.batch(drawn)
        yield replace(images, seed=plan.seed, index=indices)
