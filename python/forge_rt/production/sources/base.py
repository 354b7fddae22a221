"""What a source of images must be able to do."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from forge_rt._core import FaceParameters
from forge_rt.camera import Camera
from forge_rt.forge_head import FaceBatch
from forge_rt.production.agreement import agreement

if TYPE_CHECKING:
    from forge_rt.production.plan import Plan
    from forge_rt.production.samples import Sample


class Label(Protocol):
    """One class of the segmentation, as `ForgeHead.labels` has them."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def color(self) -> Sequence[int]: ...
    @property
    def mirror(self) -> int: ...


@dataclass(frozen=True)
class SampleDraw:
    """What one sample shows, before it is rendered."""

    camera: Camera
    face: FaceParameters | None  #: None: the head is no ForgeHead
    style: str
    latent: Any = None  #: a generator's own: code, head parameters


class Renderer(abc.ABC):
    """Draws and renders samples of one plan. Draws are pure functions of (plan, index, attempt); one thread at a time."""

    @abc.abstractmethod
    def draw(self, index: int, attempt: int) -> SampleDraw:
        """With several views an identity is never drawn again, only the camera is."""

    @abc.abstractmethod
    def batch(self, drawn: Sequence[SampleDraw]) -> FaceBatch: ...

    @abc.abstractmethod
    def refusal(self, batch: FaceBatch, k: int) -> str | None:
        """Why member k is not good enough, or None."""


class Source(abc.ABC):
    name: str  #: as in records and manifests
    hash: str  #: SHA-256 that names the model
    licence: str
    parts: Mapping[str, str]  #: further models that samples are made from: name → licence
    detector_hash: str | None = None  #: SHA-256 of the detector that samples must please
    labels: Sequence[Label]
    expressions: list[str]  #: names of the index's column `expression`
    about: str  #: a sentence for the card
    truth = "They come from the geometry that the images are rendered from."  #: where labels come from
    agreement_is = "the chance that a pixel on a border of labels has a stronger image edge than one elsewhere: 1 is perfect, 0.5 is unrelated"

    @abc.abstractmethod
    def check(self, plan: Plan) -> None:
        """Raises InvalidArgumentError for what this source cannot do."""

    @abc.abstractmethod
    def renderer(self, plan: Plan, device: str) -> Renderer: ...

    @abc.abstractmethod
    def parameters(self, sample: Sample) -> dict[str, Any]:
        """Record entry `head`: every parameter of the head."""

    @abc.abstractmethod
    def attributes(self, sample: Sample, parameters: dict[str, Any]) -> dict[str, Any]:
        """The properties people select by; `style` and those of `attribute_kinds`."""

    @abc.abstractmethod
    def attribute_kinds(self) -> dict[str, type]:
        """Name → float or str, in the index's order."""

    @abc.abstractmethod
    def expression(self, sample: Sample) -> list[float]: ...

    @abc.abstractmethod
    def published_pictures(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Mask in the published colours [H, W, 3] and depth [D, D], uint8, as layout `synthforge` has them."""

    @abc.abstractmethod
    def published_parameters(self, sample: Sample) -> dict[str, Any]:
        """What layout `synthforge` calls z, flame_shape, flame_exp, flame_pose, as far as there is such a thing."""

    def agreement(self, sample: Sample) -> float:
        """0..1: how well labels and image fit together."""
        return agreement(sample.rgb, sample.segmentation)

    def made_with(self) -> dict[str, str]:
        """What decides bytes besides the engine and the model's hash: name → version."""
        return {}

    def generator_world(self) -> tuple[float, Sequence[float]]:
        """scale and shift of the world of label25: world = scale · head + shift."""
        return 2.5, (0.0, 0.0, 0.0)

    def record(self, sample: Sample) -> dict[str, Any]:
        """Further entries of the record."""
        return {}
