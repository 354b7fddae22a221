"""What records say about the heads that drive a generator, and the annotators of their meshes."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt import _core, bundles
from forge_rt._core import InvalidArgumentError
from forge_rt.annotation import MeshAnnotator
from forge_rt.driving_heads import DrivingFlame, DrivingForgeHead, DrivingHead, driving_head
from forge_rt.face_json import face_to_dict
from forge_rt.production.files import sha256_of
from forge_rt.production.sources.forgehead import ForgeHeadSource

if TYPE_CHECKING:
    from forge_rt.production.generator_plan import GeneratorPlan


class Driver(abc.ABC):
    head: DrivingHead
    hash: str  #: of everything that decides meshes and labels
    preset: str  #: who is drawn unless the plan says otherwise
    expressions: list[str]
    parts: Mapping[str, str] = MappingProxyType({})  #: further models in samples: name → licence

    @abc.abstractmethod
    def annotator(self, alignment: np.ndarray, **options: Any) -> MeshAnnotator: ...

    @abc.abstractmethod
    def parameters(self, latent: Any) -> dict[str, Any]: ...

    @abc.abstractmethod
    def expression(self, latent: Any) -> list[float]: ...

    @abc.abstractmethod
    def published_parameters(self, latent: Any) -> dict[str, Any]: ...

    def check(self, options: GeneratorPlan) -> None:
        """Raises for options that mean nothing for this head."""
        return

    def attributes(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return {}

    def attribute_kinds(self) -> dict[str, type]:
        return {}


def open_driver(bundle: Path, entry: dict[str, Any], options: GeneratorPlan) -> Driver:
    """`entry`: what the generator's bundle says of its head."""
    head = driving_head(
        bundle,
        entry["family"],
        entry.get("vertices"),
        sha256=entry.get("sha256"),
        head=options.head,
        landmarks=options.head_landmarks,
    )
    if isinstance(head, DrivingForgeHead):
        return ForgeHeadDriver(head)
    assert isinstance(head, DrivingFlame)
    return FlameDriver(head, bundle, options)


class ForgeHeadDriver(Driver):
    """People as next3d-mini was taught them (docs/design/next3d_mini.md)."""

    preset = "next3d-mini"

    def __init__(self, head: DrivingForgeHead) -> None:
        self.head, self.hash = head, head.hash
        self._source = ForgeHeadSource(head.forge_head)
        self.expressions = self._source.expressions

    def check(self, options: GeneratorPlan) -> None:
        for name in ("head_landmarks", "head_labels"):
            if getattr(options, name) is not None:
                raise InvalidArgumentError(
                    f"{name} belongs to FLAME heads; this generator is driven by ForgeHead: leave it out"
                )

    def annotator(self, alignment: np.ndarray, **options: Any) -> MeshAnnotator:
        return MeshAnnotator.for_forge_head(self._source.head, alignment, **options)

    def parameters(self, latent: Any) -> dict[str, Any]:
        return face_to_dict(self._source.head, latent.person.face)

    def attributes(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._source.named(parameters)

    def attribute_kinds(self) -> dict[str, type]:
        return self._source.attribute_kinds()

    def expression(self, latent: Any) -> list[float]:
        return list(latent.person.face.expression)

    def published_parameters(self, latent: Any) -> dict[str, Any]:
        return {"flame_pose": [0.0, 0.0, 0.0, *(round(float(v), 7) for v in latent.person.face.jaw)]}


class FlameDriver(Driver):
    preset = "synthforge-code"
    parts = MappingProxyType({"head FLAME": "FLAME's own (https://flame.is.tue.mpg.de), of the file that was used"})

    def __init__(self, head: DrivingFlame, bundle: Path, options: GeneratorPlan) -> None:
        if options.head_labels is None:
            raise InvalidArgumentError(
                "a FLAME head needs --head-labels, the picture of its texture's regions in the published colours"
            )
        self.head, self._labels = head, Path(options.head_labels)
        held = bundles.Bundle.open(bundle)
        tensors = held.tensors(held.manifest["arrays"]["file"])
        self._template = {name: np.asarray(tensors[name]) for name in ("faces", "uvfaces", "uvcoords")}
        self.hash = _core.sha256(f"{head.hash} {sha256_of(self._labels)}".encode())
        self.expressions = [f"flame/{k}" for k in range(50)]

    def annotator(self, alignment: np.ndarray, **options: Any) -> MeshAnnotator:
        assert isinstance(self.head, DrivingFlame)
        return MeshAnnotator.for_flame(self.head.head, self._labels, alignment, template=self._template, **options)

    def parameters(self, latent: Any) -> dict[str, Any]:
        p = latent.person
        return {"family": "flame", "shape": _list(p.shape), "expression": _list(p.expression), "pose": _list(p.pose)}

    def expression(self, latent: Any) -> list[float]:
        return _list(latent.person.expression)

    def published_parameters(self, latent: Any) -> dict[str, Any]:
        p = latent.person
        return {"flame_shape": _list(p.shape), "flame_exp": _list(p.expression), "flame_pose": _list(p.pose)}


def _list(values: np.ndarray) -> list[float]:
    return [float(v) for v in values]
