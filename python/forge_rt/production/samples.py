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
    face: FaceParameters
    camera: Camera
    rgb: np.ndarray
    segmentation: np.ndarray
    depth_m: np.ndarray
    normals: np.ndarray | None
    soft_labels: np.ndarray | None
    layers: np.ndarray | None
    uv: np.ndarray | None
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

    def __init__(self, head: ForgeHead, plan: Plan, device: str = "cpu") -> None:
        self._head, self._plan, self._device = head, plan, device
        self._cameras = plan.cameras()
        need = set(plan.extras)
        self._render: dict[str, Any] = {
            "supersample": plan.supersample,
            "normals": "normals" in need,
            "soft_labels": "soft" in need,
            "layers": "layers" in need or plan.layout == "synthforge",
            "uv": "uv" in need,
            "device": device,
        }

    def draw(self, index: int, attempt: int) -> tuple[FaceParameters, Camera]:
        """With several views an identity is never drawn again, only the camera is."""
        plan = self._plan
        face_attempt = attempt if plan.views == 1 else 0
        face = self._head.sample(plan.seed, index // plan.views, plan.style, attempt=face_attempt)
        return face, self._cameras[face.style].sample(plan.seed, index, plan.size, attempt=attempt)

    def batch(self, drawn: list[tuple[FaceParameters, Camera]]) -> FaceBatch:
        return self._head.render([face for face, _ in drawn], [camera for _, camera in drawn], **self._render)

    def make(self, indices: Iterable[int], attempts: Mapping[int, int] | None = None) -> list[Sample]:
        """The samples of `indices`, rendered together. Those that are not good enough are drawn again, together."""
        order = list(indices)
        rejected: dict[int, tuple[Rejected, ...]] = {i: () for i in order}
        done: dict[int, Sample] = {}
        fixed = attempts or {}
        pending = [(i, fixed.get(i, 0)) for i in order]
        while pending:
            drawn = [self.draw(i, attempt) for i, attempt in pending]
            images = arrays(self.batch(drawn))
            again = []
            for k, (i, attempt) in enumerate(pending):
                reason = self.refusal(images["visibility"][k])
                if reason is not None and i not in fixed and attempt + 1 < MAX_ATTEMPTS:
                    rejected[i] += (Rejected(i, attempt, reason),)
                    again.append((i, attempt + 1))
                    continue
                face, camera = drawn[k]
                member: dict[str, Any] = {
                    name: None if values is None else values[k] for name, values in images.items()
                }
                views = self._plan.views
                done[i] = Sample(
                    i, i // views, i % views, attempt, rejected[i], reason, self._plan.seed, face, camera, **member
                )  # fmt: skip
            pending = again
        return [done[i] for i in order]

    def refusal(self, visibility: np.ndarray) -> str | None:
        """Why this image is not good enough, or None."""
        visible = int((visibility == 2).sum())
        need = self._plan.min_visible * visibility.size
        return (
            None if visible >= need else f"{visible} of {visibility.size} landmarks are visible, {need:.0f} are needed"
        )


def arrays(batch: FaceBatch) -> dict[str, Any]:
    """The arrays of a batch as NumPy, by the names of Sample."""
    names = "rgb segmentation depth_m normals soft_labels layers uv landmarks visibility landmarks_camera_m landmarks_head_m"
    return {name: None if getattr(batch, name) is None else np.asarray(getattr(batch, name)) for name in names.split()}


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
    return _batches(SampleMaker(head or ForgeHead(), plan, device), plan, batch, start)


def _batches(maker: SampleMaker, plan: Plan, batch: int, start: int) -> Iterator[FaceBatch]:
    for first in range(start, plan.count, batch):
        indices = tuple(range(first, min(first + batch, plan.count)))
        drawn = [maker.draw(i, 0) for i in indices]
        images = maker.batch(drawn)
        refused = [k for k in range(len(indices)) if maker.refusal(np.asarray(images.visibility)[k]) is not None]
        if refused:
            samples = maker.make(indices[k] for k in refused)
            for k, sample in zip(refused, samples, strict=True):
                drawn[k] = (sample.face, sample.camera)
            images = maker.batch(drawn)
        yield replace(images, seed=plan.seed, index=indices)
