"""Heads that a generator is driven by: found, checked against the generator's bundle, posed for drawn people."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forge_rt import _core, bundles
from forge_rt._core import InvalidArgumentError, UnsupportedError
from forge_rt.annotation.presets import GeneratorDraw
from forge_rt.forge_head import ForgeHead
from forge_rt.head import Head
from forge_rt.production.files import sha256_of
from forge_rt.topology import topology_sha256

Floats = NDArray[np.float32]


class DrivingHead(abc.ABC):
    family: str
    hash: str  #: of everything that decides its meshes
    triangles: NDArray[np.int32]
    vertices: int
    forge_head: ForgeHead | None = None

    @abc.abstractmethod
    def mesh(self, people: Sequence[GeneratorDraw]) -> tuple[Floats, Floats]:
        """Vertices [B, V, 3] and landmarks [B, 68, 3], head frame, metres."""


class DrivingForgeHead(DrivingHead):
    """The package's ForgeHead."""

    family = "forgehead"

    def __init__(self) -> None:
        self.forge_head = head = ForgeHead()
        self.hash, self.triangles = head.hash, head.triangles
        self.vertices = int(head.mesh(head.neutral()).vertices.shape[1])

    def mesh(self, people: Sequence[GeneratorDraw]) -> tuple[Floats, Floats]:
        assert self.forge_head is not None
        made = self.forge_head.mesh([p.face for p in people if p.face is not None])
        return np.asarray(made.vertices), np.asarray(made.landmarks)


class DrivingFlame(DrivingHead):
    """A FLAME model of the user's own: a bundle, or generic_model.pkl with its two landmark embeddings."""

    family = "flame"

    def __init__(self, path: Path, landmarks: str | None) -> None:
        files = [part.strip() for part in (landmarks or "").split(",") if part.strip()]
        static = next((f for f in files if f.endswith(".pkl")), None)
        dynamic = next((f for f in files if f.endswith(".npy")), None)
        if strange := [f for f in files if f not in (static, dynamic)]:
            raise InvalidArgumentError(
                f"--head-landmarks takes FLAME's static embedding (.pkl) and its contour (.npy), joined by a comma; got {strange[0]!r}"
            )
        self.head = Head.load(path, static_landmarks=static, dynamic_landmarks=dynamic, contour_sign=1)
        self.vertices, self.triangles = self.head.n_vertices, self.head.faces
        mesh = self.head.evaluate()
        if mesh.landmarks is None or mesh.landmarks.shape[1] != 68:
            raise InvalidArgumentError(
                f"{path.name} has no 68 landmarks: name FLAME's embeddings with --head-landmarks static.pkl,dynamic.npy"
            )
        self.hash = _core.sha256(" ".join(_hash_of(Path(f)) for f in (path, static, dynamic) if f).encode())

    def mesh(self, people: Sequence[GeneratorDraw]) -> tuple[Floats, Floats]:
        shape, expression = (
            np.stack([getattr(p, part)[:most] for p in people])
            for part, most in (("shape", self.head.n_shape), ("expression", self.head.n_expression))
        )
        made = self.head.evaluate(shape=shape, expression=expression)
        return np.asarray(made.vertices), np.asarray(made.landmarks)


def driving_head(
    bundle: Path,
    family: str,
    vertices: int | None,
    *,
    sha256: str | None = None,
    head: str | Path | None = None,
    landmarks: str | None = None,
) -> DrivingHead:
    """The head that a generator's `bundle` asks for by `family` and number of `vertices`.

    sha256     of its topology, where the bundle says it
    head       FLAME: generic_model.pkl or a bundle; None: NAME-head.forge beside the generator, which `forge-rt export --flame` writes
    landmarks  FLAME's static.pkl,dynamic.npy, where the file has none
    """
    made: DrivingHead
    if family == "forgehead":
        if head is not None:
            raise InvalidArgumentError("this model was made for ForgeHead, which is part of forge_rt; leave --head out")
        made, name = DrivingForgeHead(), "ForgeHead"
    elif family == "flame":
        beside = bundle.with_name(f"{bundles.name_of(bundle)}-head{bundles.SUFFIX}")
        path = Path(head) if head is not None else beside
        if head is None and not beside.exists():
            raise InvalidArgumentError(
                f"this model was made for FLAME, which cannot be shipped: give yours with --head generic_model.pkl --head-landmarks "
                f"static.pkl,dynamic.npy, or as {beside.name} beside the model (https://flame.is.tue.mpg.de has it)"
            )
        made, name = DrivingFlame(path, landmarks), path.name
    else:
        raise UnsupportedError(f"the model's head is of family {family!r}; this version drives flame and forgehead")
    if vertices is not None and made.vertices != vertices:
        raise InvalidArgumentError(
            f"{name} has {made.vertices} vertices, this model was made for a head of family {family!r} with {vertices}"
        )
    if sha256 and topology_sha256(made.triangles) != sha256:
        raise InvalidArgumentError(
            f"{name} has other triangles than the head of family {family!r} that this model was made for; give that head"
        )
    return made


def _hash_of(path: Path) -> str:
    return bundles.Bundle.open(path).hash if path.is_dir() or path.suffix == bundles.SUFFIX else sha256_of(path)
