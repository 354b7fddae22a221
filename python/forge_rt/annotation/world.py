"""Frames of an annotated generator: head frame → generator world → camera → pixels, batched, in double."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forge_rt import camera
from forge_rt._core import InvalidArgumentError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """world = scale · head + shift (docs/conventions/frames.md): what a metre is, and where records have their origin."""

    scale: float = 2.5
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def of(cls, value: World | Mapping[str, Any]) -> World:
        if isinstance(value, World):
            return value
        return cls(float(value["scale"]), tuple(float(v) for v in value["shift"]))  # type: ignore[arg-type]

    @property
    def matrix(self) -> Floats:
        """[3, 4]"""
        return np.concatenate([np.eye(3) * self.scale, np.reshape(self.shift, (3, 1))], 1)

    def to_head(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] of this world, in the head frame, metres."""
        return (points - np.asarray(self.shift)) / self.scale


#: The published map of FLAME meshes before the trained alignment: 2.5 · (p + (0, -0.01, -0.01)) + (0, 0, √2 / 10).
SYNTHFORGE_WORLD = World.of(camera.SYNTHFORGE_WORLD)
#: Where next3d-mini's ForgeHeads stand: the middle of a head with hair is the origin (docs/design/next3d_mini.md).
NEXT3D_MINI_WORLD = World(2.5, (0.0, -0.0625, 0.1))
#: SynthForge's trained alignment, collapsed and rounded as the specification prints it, after that map. A checkpoint's own weights:
#: `forge_rt.export.readers.alignment.read_alignment`.
_TRAINED = np.array(
    [[1.0196, 0.0057, -0.0197, 0.0011], [-0.0199, 0.9694, -0.0098, 0.0487], [0.0072, 0.0797, 0.9880, -0.0142]]
)


def compose(outer: ArrayLike, inner: ArrayLike) -> Floats:
    """outer(inner(p)) of affine maps [rows, columns + 1], the offset last."""
    a, b = np.asarray(outer, np.float64), np.asarray(inner, np.float64)
    return np.concatenate([a[:, :-1] @ b[:, :-1], a[:, :-1] @ b[:, -1:] + a[:, -1:]], 1)


SYNTHFORGE_ALIGNMENT: Floats = compose(_TRAINED, SYNTHFORGE_WORLD.matrix)
SYNTHFORGE_ALIGNMENT.flags.writeable = False


def checked_alignment(alignment: ArrayLike) -> Floats:
    out = np.array(alignment, np.float64)
    if out.shape != (3, 4) or not np.isfinite(out).all():
        raise InvalidArgumentError(
            f"an alignment must be a finite [3, 4] map from head metres to the generator's world, got {list(out.shape)}"
        )
    if np.linalg.det(out[:, :3]) <= 0:
        raise InvalidArgumentError(
            "an alignment must be invertible and must not mirror: its determinant is not positive"
        )
    return out


def apply(matrix: Floats, points: np.ndarray) -> Floats:
    """matrix [3, 4] or [B, 3, 4], points [B, N, 3] → [B, N, 3]."""
    return np.asarray(points, np.float64) @ np.swapaxes(matrix[..., :3], -1, -2) + matrix[..., None, :, 3]


@dataclass(frozen=True)
class Cameras:
    """B labels of 25 numbers, taken apart: world [3, 4] → camera (OpenCV axes), and intrinsics divided by the image size."""

    world_to_camera: Floats  #: [B, 3, 4]
    intrinsics: Floats  #: [B, 3, 3]

    @classmethod
    def of(cls, labels: ArrayLike, batch: int | None = None) -> Cameras:
        c = np.atleast_2d(np.asarray(labels, np.float64))
        if c.ndim != 2 or c.shape[1] != 25 or not np.isfinite(c).all():
            raise InvalidArgumentError(f"cameras must be finite labels [B, 25], got {list(c.shape)}")
        if batch is not None and len(c) not in (1, batch):
            raise InvalidArgumentError(
                f"cameras must be [{batch}, 25], one for each mesh, or one for all; got {list(c.shape)}"
            )
        if batch is not None and len(c) != batch:
            c = np.repeat(c, batch, 0)
        pose = c[:, :16].reshape(-1, 4, 4)
        bad = np.abs(np.linalg.det(pose[:, :3, :3]) - 1) > 1e-2
        if bad.any():
            raise InvalidArgumentError(
                f"camera {int(np.argmax(bad))} is no rigid pose: its first 16 numbers are camera-to-world"
            )
        return cls(np.linalg.inv(pose)[:, :3].astype(np.float64), c[:, 16:].reshape(-1, 3, 3))

    def __len__(self) -> int:
        return len(self.intrinsics)

    @property
    def focal(self) -> Floats:
        """[B] in image widths."""
        return self.intrinsics[:, 0, 0]

    @property
    def fov_published_deg(self) -> Floats:
        """[B] the published angle that gives this focal length: the inverse of 1 / (tan(fov · 3.14159 / 360) · 1.414)."""
        return np.arctan(1 / (1.414 * self.focal)) * 360 / 3.14159

    def to_camera(self, world: np.ndarray) -> Floats:
        return apply(self.world_to_camera, world)

    def project(self, points: np.ndarray, size: int) -> Floats:
        """Camera frame [B, N, 3] → pixels [B, N, 2]; NaN at or behind the camera."""
        p = points @ np.swapaxes(self.intrinsics, -1, -2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(p[..., 2:] > 0, p[..., :2] / p[..., 2:] * size, np.nan)

    def clip(self, points: np.ndarray) -> NDArray[np.float32]:
        """Camera frame [B, N, 3] → positions [B, N, 4] of rasterize; w is the camera z in the unit of the points."""
        p = points @ np.swapaxes(self.intrinsics, -1, -2)
        z = p[..., 2]
        return np.stack([2 * p[..., 0] - z, z - 2 * p[..., 1], z, z], -1).astype(np.float32)

    def rays(self, size: int) -> Floats:
        """[B, size, size, 3] of unit camera z, through the pixels' centres."""
        at = (np.arange(size) + 0.5) / size
        pixels = np.stack([*np.meshgrid(at, at), np.ones((size, size))], -1).reshape(1, -1, 3)
        return (pixels @ np.swapaxes(np.linalg.inv(self.intrinsics), -1, -2)).reshape(len(self), size, size, 3)
