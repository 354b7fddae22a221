"""Heads that drive a generator: meshes of drawn people, and what records say about them."""

from __future__ import annotations

import abc
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt import _core
from forge_rt._core import InvalidArgumentError
from forge_rt.annotation import MeshAnnotator
from forge_rt.face_json import face_to_dict
from forge_rt.forge_head import ForgeHead
from forge_rt.head import Head
from forge_rt.production.files import sha256_of
from forge_rt.production.sources.forgehead import ForgeHeadSource

if TYPE_CHECKING:
    from forge_rt.annotation.presets import Draw as Person
    from forge_rt.production.generator_plan import GeneratorPlan


class Driver(abc.ABC):
    hash: str  #: of everything that decides meshes and labels
    preset: str  #: who is drawn unless the plan says otherwise
    expressions: list[str]
    forge_head: ForgeHead | None = None

    @abc.abstractmethod
    def annotator(self, alignment: np.ndarray, **options: Any) -> MeshAnnotator: ...

    @abc.abstractmethod
    def mesh(self, people: Sequence[Person]) -> tuple[np.ndarray, np.ndarray]:
        """Vertices [B, V, 3] and landmarks [B, 68, 3], head frame, metres."""

    @abc.abstractmethod
    def parameters(self, latent: Any) -> dict[str, Any]: ...

    @abc.abstractmethod
    def expression(self, latent: Any) -> list[float]: ...

    @abc.abstractmethod
    def published_parameters(self, latent: Any) -> dict[str, Any]: ...

    def attributes(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return {}

    def attribute_kinds(self) -> dict[str, type]:
        return {}


class ForgeHeadDriver(Driver):
    """The package's ForgeHead: people as next3d-mini was taught them (docs/design/next3d_mini.md)."""

    preset = "next3d-mini"

    def __init__(self, entry: dict[str, Any]) -> None:
        self._source = ForgeHeadSource()
        self.forge_head = head = self._source.head
        vertices = head.mesh(head.neutral()).vertices.shape[1]
        if entry.get("vertices") not in (None, vertices):
            raise InvalidArgumentError(
                f"the generator was made for a ForgeHead of {entry['vertices']} vertices, the package's has {vertices}: "
                "use the version of forge_rt that the bundle names"
            )
        self.hash, self.expressions = head.hash, self._source.expressions

    def annotator(self, alignment: np.ndarray, **options: Any) -> MeshAnnotator:
        assert self.forge_head is not None
        return MeshAnnotator.for_forge_head(self.forge_head, alignment, **options)

    def mesh(self, people: Sequence[Person]) -> tuple[np.ndarray, np.ndarray]:
        assert self.forge_head is not None
        made = self.forge_head.mesh([p.face for p in people if p.face is not None])
        return np.asarray(made.vertices), np.asarray(made.landmarks)

    def parameters(self, latent: Any) -> dict[str, Any]:
        assert self.forge_head is not None
        return face_to_dict(self.forge_head, latent.person.face)

    def attributes(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._source.named(parameters)

    def attribute_kinds(self) -> dict[str, type]:
        return self._source.attribute_kinds()

    def expression(self, latent: Any) -> list[float]:
        return list(latent.person.face.expression)

    def published_parameters(self, latent: Any) -> dict[str, Any]:
        return {"flame_pose": [0.0, 0.0, 0.0, *(round(float(v), 7) for v in latent.person.face.jaw)]}


class FlameDriver(Driver):
    """A FLAME model of the user's own."""

    preset = "synthforge-code"

    def __init__(self, bundle: Path, entry: dict[str, Any], options: GeneratorPlan) -> None:
        beside = bundle.with_name(
            f"{bundle.name.removesuffix('.forge')}-head.forge"
        )  # where `forge-rt export --flame` puts it
        model = options.head or (str(beside) if beside.exists() else None)
        if model is None:
            raise InvalidArgumentError(
                "this generator is driven by a FLAME head, which cannot be shipped: name yours with --head generic_model.pkl "
                "--head-landmarks static.pkl,dynamic.npy --head-labels uv_map.png (https://flame.is.tue.mpg.de has the model)"
            )
        if options.head_labels is None:
            raise InvalidArgumentError(
                "a FLAME head needs --head-labels, the picture of its texture's regions in the published colours"
            )
        marks = [part.strip() for part in (options.head_landmarks or "").split(",") if part.strip()]
        static = next((m for m in marks if m.endswith(".pkl")), None)
        dynamic = next((m for m in marks if m.endswith(".npy")), None)
        self._head = Head.load(model, static_landmarks=static, dynamic_landmarks=dynamic, contour_sign=1)
        self._labels = options.head_labels
        tensors = _core.Bundle.open(str(bundle)).tensors(_arrays_file(bundle))
        self._template = {name: np.asarray(tensors[name]) for name in ("faces", "uvfaces", "uvcoords")}
        mesh = self._head.evaluate()
        if mesh.landmarks is None or np.asarray(mesh.landmarks).shape[1] != 68:
            raise InvalidArgumentError(
                "the FLAME head has no 68 landmarks: name their embeddings with --head-landmarks static.pkl,dynamic.npy"
            )
        files = [p for p in (model, static, dynamic, options.head_labels) if p is not None]
        self.hash = _core.sha256(" ".join(_hash_of(Path(p)) for p in files).encode())
        self.expressions = [f"flame/{k}" for k in range(50)]

    def annotator(self, alignment: np.ndarray, **options: Any) -> MeshAnnotator:
        return MeshAnnotator.for_flame(self._head, self._labels, alignment, template=self._template, **options)

    def mesh(self, people: Sequence[Person]) -> tuple[np.ndarray, np.ndarray]:
        made = self._head.evaluate(
            shape=np.stack([p.shape for p in people if p.shape is not None]),
            expression=np.stack([p.expression for p in people if p.expression is not None]),
        )
        return np.asarray(made.vertices), np.asarray(made.landmarks)

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


def _hash_of(path: Path) -> str:
    return _core.Bundle.open(str(path)).hash if path.is_dir() else sha256_of(path)


def _arrays_file(bundle: Path) -> str:
    return json.loads(_core.Bundle.open(str(bundle)).manifest_text)["arrays"]["file"]
