"""Annotations of generated images from the mesh that drove the generator: one call for a batch, no loop over samples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forge_rt import _core
from forge_rt._core import InvalidArgumentError, RasterOutput
from forge_rt.annotation import compat
from forge_rt.annotation.labels import FROM_UV, MeshLabels, forge_head_labels, read_obj_uv, texture_labels, uv_of_bundle
from forge_rt.annotation.world import (
    NEXT3D_MINI_WORLD,
    SYNTHFORGE_WORLD,
    Cameras,
    Floats,
    World,
    apply,
    checked_alignment,
)
from forge_rt.topology import same_topology

if TYPE_CHECKING:
    from forge_rt.annotation.agreement import MeshAgreement
    from forge_rt.forge_head import ForgeHead
    from forge_rt.head import Head

MODES = ("exact", "compat")
#: A landmark may lie this far behind the depth map and still count as visible, metres (as in ForgeHead's own records).
LANDMARK_SLACK_M = 0.006
#: Outline of the lips among the 68 landmarks.
_LIPS = slice(48, 60)


@dataclass(frozen=True)
class Annotation:
    """B annotations; names and units are those of `forge_rt.FaceBatch`. They show the bare head of the mesh: no hair, no shoulders."""

    segmentation: NDArray[np.uint8]  #: [B, S, S] class ids of `MeshAnnotator.labels`
    depth_m: NDArray[np.float32]  #: [B, S, S] camera z in metres, 0 = no mesh
    normals: NDArray[np.float32] | None  #: [B, S, S, 3] camera frame, unit length, 0 = no mesh
    landmarks: NDArray[np.float32]  #: [B, 68, 2] pixels; the centre of the top-left pixel is (0.5, 0.5)
    visibility: NDArray[np.uint8]  #: [B, 68]: 0 outside the frame, 1 hidden, 2 visible
    landmarks_camera_m: NDArray[np.float32]  #: [B, 68, 3]
    landmarks_head_m: NDArray[
        np.float32
    ]  #: [B, 68, 3]: (world - shift) / scale, what a record's camera projects to `landmarks`
    colors: NDArray[np.uint8] | None = (
        None  #: [B, S, S, 3] RGB, mode "compat": the published mask, mixed colours included
    )
    depth8: NDArray[np.uint8] | None = None  #: [B, D, D], mode "compat" with `ray_depth`: the published depth
    depth8_range: NDArray[np.float32] | None = (
        None  #: [B, 2] ray distances in world units that 0 and 255 of depth8 stand for
    )

    def __len__(self) -> int:
        return len(self.segmentation)


@dataclass(frozen=True)
class Placement:
    """Where B meshes lie in their images: what of an `Annotation` needs no classes. The same names and numbers."""

    depth_m: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    landmarks_camera_m: NDArray[np.float32]


@dataclass(frozen=True)
class _Surface:
    """A covered batch: what each pixel of an image sees of the aligned mesh."""

    points: Floats  #: [B, V, 3] camera frame, world units
    clip: NDArray[np.float32]  #: [B, V, 4]
    hit: RasterOutput
    face: NDArray[np.int32]  #: [B, S, S], -1 where empty (also what `bounds` cut away)


class MeshAnnotator:
    """Labels, metric depth, normals and landmarks of meshes in a generator's world. Immutable; safe to share between threads.

    labels      topology and classes of the head
    alignment   [3, 4]: head frame in metres → generator world
    mode        "exact": the image's own camera, nearest labels, watertight coverage
                "compat": published masks and depths with their quirks (docs/design/synthforge.md)
    world       scale and shift of the head frame that records are in; metres are world units / scale
    bounds      [2, 3] lower and upper corner, world units: what the generator can show. Surface beyond it is not annotated.
    """

    def __init__(
        self,
        labels: MeshLabels,
        alignment: ArrayLike,
        *,
        mode: str = "exact",
        world: World | Mapping[str, Any] = SYNTHFORGE_WORLD,
        bounds: ArrayLike | None = None,
    ) -> None:
        if mode not in MODES:
            raise InvalidArgumentError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        self.labels, self.mode, self.world = labels, mode, World.of(world)
        self.alignment = checked_alignment(alignment)
        self.alignment.flags.writeable = False
        self.bounds = None if bounds is None else np.array(bounds, np.float64)
        if self.bounds is not None and (self.bounds.shape != (2, 3) or not (self.bounds[0] < self.bounds[1]).all()):
            raise InvalidArgumentError("bounds must be [2, 3]: the lower corner, then the upper one")
        self._topology = _core.Topology(labels.triangles, labels.vertices)
        self._grid = labels.uv[None]
        self._mouth = labels.ids.get("mouth")

    @classmethod
    def for_forge_head(
        cls,
        head: ForgeHead,
        alignment: ArrayLike | None = None,
        *,
        world: World | Mapping[str, Any] = NEXT3D_MINI_WORLD,
        brows: str = "natural",
        bundle: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> MeshAnnotator:
        """`alignment` None: the head stands in `world` exactly. `bundle`: where `head` was loaded from, unless it is the package's own."""
        labels = forge_head_labels(bundle, brows=brows)
        if not np.array_equal(labels.triangles, head.triangles):
            raise InvalidArgumentError(
                "this ForgeHead has another topology than the bundle of its labels: give its `bundle`"
            )
        world = World.of(world)
        return cls(labels, world.matrix if alignment is None else alignment, world=world, **options)

    @classmethod
    def for_flame(
        cls,
        head: Head,
        label_uv: str | os.PathLike[str] | np.ndarray,
        alignment: ArrayLike,
        *,
        template: str | os.PathLike[str] | Mapping[str, Any],
        **options: Any,
    ) -> MeshAnnotator:
        """`label_uv`: the published UV label map. `template`: the head's OBJ with texture coordinates, or the arrays of a generator's bundle
        (faces, uvfaces, uvcoords).
        """
        made = read_obj_uv(template) if not isinstance(template, Mapping) else uv_of_bundle(template)
        name = "the generator's bundle" if isinstance(template, Mapping) else Path(template).name
        if made["vertices"] not in (None, head.n_vertices) or not same_topology(made["triangles"], head.faces):
            raise InvalidArgumentError(
                f"{name} has {made['vertices'] or 'other'} vertices and {len(made['triangles'])} triangles, the head has {head.n_vertices} "
                f"and {len(head.faces)}, or they join other vertices: they belong to different heads"
            )
        labels = texture_labels(
            label_uv,
            name="flame",
            vertices=head.n_vertices,
            triangles=made["triangles"],
            uv=made["uv"],
            uv_triangles=made["uv_triangles"],
        )
        return cls(labels, alignment, **options)

    # ---- results ----

    def align(self, points: np.ndarray) -> Floats:
        """Head frame in metres [B, N, 3] → generator world."""
        return apply(self.alignment, points)

    def annotate(
        self,
        vertices: ArrayLike,
        landmarks: ArrayLike,
        cameras: ArrayLike,
        size: int = 512,
        *,
        normals: bool = False,
        ray_depth: ArrayLike | None = None,
    ) -> Annotation:
        """Annotates image b with mesh b.

        vertices   [B, V, 3] metres, head frame, as the generator was given them
        landmarks  [B, 68, 3]
        cameras    [B, 25] labels in the generator's world, or [1, 25] for all
        ray_depth  [B, 1, D, D] ray distances of the volume, world units; mode "compat" makes `depth8` of it (published: D = 128)
        """
        mesh, points = self._checked(vertices, landmarks)
        at = Cameras.of(cameras, len(mesh))
        seen = self._surface(mesh, at, size)
        aligned = self.align(points)
        marks = at.to_camera(aligned)
        pixels = at.project(marks, size)
        placed = self._placed(seen, at, marks, pixels, size)
        depth8, span = None, None
        if ray_depth is not None and self.mode == "compat":
            depth8, span = compat.depth_bytes(np.asarray(ray_depth))
        classes = self._classes(seen, pixels)
        return Annotation(
            segmentation=classes,
            depth_m=placed.depth_m,
            normals=self._normals(seen) if normals else None,
            landmarks=placed.landmarks,
            visibility=placed.visibility,
            landmarks_camera_m=placed.landmarks_camera_m,
            landmarks_head_m=self.world.to_head(aligned).astype(np.float32),
            colors=self._colors(seen, classes) if self.mode == "compat" else None,
            depth8=depth8,
            depth8_range=span,
        )

    def depth_m(self, vertices: ArrayLike, cameras: ArrayLike, size: int) -> NDArray[np.float32]:
        """[B, S, S] camera z in metres, 0 = no mesh."""
        mesh = self._mesh(vertices)
        return self._depth_m(self._surface(mesh, Cameras.of(cameras, len(mesh)), size))

    def placement(self, vertices: ArrayLike, landmarks: ArrayLike, cameras: ArrayLike, size: int) -> Placement:
        """The part of `annotate` that needs no classes."""
        mesh, points = self._checked(vertices, landmarks)
        at = Cameras.of(cameras, len(mesh))
        marks = at.to_camera(self.align(points))
        return self._placed(self._surface(mesh, at, size), at, marks, at.project(marks, size), size)

    def agreement(
        self,
        vertices: ArrayLike,
        landmarks: ArrayLike,
        cameras: ArrayLike,
        volume_depth_m: ArrayLike,
        opacity: ArrayLike,
    ) -> MeshAgreement:
        """How well the mesh fits what the generator shows: `forge_rt.annotation.agreement.compare` at the volume's resolution.

        volume_depth_m, opacity   [B, 1, D, D] or [B, D, D]: camera z in metres and summed weights of the rendered volume
        """
        from forge_rt.annotation.agreement import compare, images

        depth, weight = images(volume_depth_m), images(opacity)
        return compare(self.placement(vertices, landmarks, cameras, depth.shape[-1]), depth, weight)

    def surface(self, vertices: ArrayLike, cameras: ArrayLike, size: int) -> tuple[RasterOutput, Cameras]:
        """Triangle, depth (world units) and barycentrics of every pixel, and the cameras taken apart."""
        mesh = self._mesh(vertices)
        at = Cameras.of(cameras, len(mesh))
        return self._surface(mesh, at, size).hit, at

    # ---- pieces ----

    def _mesh(self, vertices: ArrayLike) -> np.ndarray:
        mesh = np.asarray(vertices)
        mesh = mesh[None] if mesh.ndim == 2 else mesh
        if mesh.ndim != 3 or mesh.shape[1:] != (self.labels.vertices, 3):
            raise InvalidArgumentError(
                f"vertices must be [B, {self.labels.vertices}, 3] of head {self.labels.name!r}, got {list(mesh.shape)}: "
                "this annotator was made for another head"
            )
        return mesh

    def _checked(self, vertices: ArrayLike, landmarks: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        mesh, points = self._mesh(vertices), np.asarray(landmarks)
        points = points[None] if points.ndim == 2 else points
        if points.shape != (len(mesh), 68, 3):
            raise InvalidArgumentError(f"landmarks must be [{len(mesh)}, 68, 3], got {list(points.shape)}")
        return mesh, points

    def _surface(self, mesh: np.ndarray, at: Cameras, size: int) -> _Surface:
        if not isinstance(size, (int, np.integer)) or not 1 <= size <= 8192:
            raise InvalidArgumentError(f"size must be 1..8192 pixels, got {size!r}")
        world = self.align(mesh)
        points = at.to_camera(world)
        if self.mode == "exact":
            clip, options = at.clip(points), {"coverage": "watertight", "near": 0.01}
        else:
            clip, options = compat.label_clip(at, points), {"coverage": "strict_float", "near": compat.NEAR}
        # no culling: the open ends of a head and its mouth are seen from inside
        hit = _core.rasterize(clip, self.labels.triangles, size, cull="none", **options)  # type: ignore[arg-type]
        face = np.asarray(hit.face)
        if self.bounds is not None:
            place = np.asarray(
                _core.interpolate(hit.face, hit.barycentrics, self.labels.triangles, world.astype(np.float32))
            )
            face = np.where(((place >= self.bounds[0]) & (place <= self.bounds[1])).all(-1), face, -1)
        return _Surface(points, clip, hit, face)

    def _depth_m(self, seen: _Surface) -> NDArray[np.float32]:
        return np.where(seen.face >= 0, np.asarray(seen.hit.depth), np.float32(0)) * np.float32(1 / self.world.scale)

    def _placed(self, seen: _Surface, at: Cameras, marks: Floats, pixels: Floats, size: int) -> Placement:
        """`marks`, `pixels`: the landmarks in the camera frame, world units, and where the image shows them."""
        scale, depth = self.world.scale, self._depth_m(seen)
        # hidden or not is asked where the drawn mesh is, which in mode compat is not where the image is
        drawn = pixels if self.mode == "exact" else _pixels(compat.label_clip(at, marks), size)
        visibility = _core.point_visibility(
            np.nan_to_num(drawn, nan=-1.0).astype(np.float32), (marks[..., 2] / scale).astype(np.float32), depth, LANDMARK_SLACK_M
        )  # fmt: skip
        return Placement(depth, pixels.astype(np.float32), np.asarray(visibility), (marks / scale).astype(np.float32))

    def _classes(self, seen: _Surface, landmarks: Floats) -> NDArray[np.uint8]:
        made = self.labels
        out = np.asarray(
            _core.project_labels(
                seen.face,
                seen.hit.barycentrics,
                made.face_labels,
                made.uv_triangles,
                made.uv,
                made.semantic_uv,
                made.background,
            )
        )
        if self.mode == "compat" or self._mouth is None:
            return out
        # A head that is hollow behind its lips shows the inside of its own back there: that is the mouth.
        back = np.nonzero((seen.face >= 0) & self._from_behind(seen))
        inside = _in_polygon(np.stack([back[2], back[1]], -1) + 0.5, landmarks[back[0], _LIPS])
        if inside.any():
            out = out.copy()
            out[tuple(axis[inside] for axis in back)] = self._mouth
        return out

    def _from_behind(self, seen: _Surface) -> NDArray[np.bool_]:
        """[B, S, S]: the triangle at a pixel turns its back (clockwise in the image, x right and y up)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            corners = (seen.clip[..., :2] / seen.clip[..., 3:])[:, self.labels.triangles]
        a, b = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
        back = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0] < 0
        first = np.arange(len(back), dtype=np.int32)[:, None, None] * np.int32(back.shape[1])
        return np.take(back.ravel(), np.maximum(seen.face, 0) + first)

    def _normals(self, seen: _Surface) -> NDArray[np.float32]:
        normals = _core.vertex_normals(seen.points.astype(np.float32), self._topology)
        out = np.array(_core.interpolate(seen.face, seen.hit.barycentrics, self.labels.triangles, normals))
        out /= np.maximum(np.sqrt(np.einsum("bijk,bijk->bij", out, out)), np.float32(1e-12))[..., None]
        return out

    def _colors(self, seen: _Surface, classes: np.ndarray) -> NDArray[np.uint8]:
        if self.labels.texture is None:  # a head whose classes were never a picture: nothing that could mix
            return self.labels.colors[classes]
        return compat.bytes_of(self.colors01(seen.face, seen.hit))

    def colors01(self, face: np.ndarray, hit: RasterOutput) -> NDArray[np.float32]:
        """[B, S, S, 3] colours 0..1 of the published mask."""
        if self.labels.texture is None:
            raise InvalidArgumentError(f"head {self.labels.name!r} has no label map in colours (for_flame has)")
        uv = np.asarray(_core.interpolate(face, hit.barycentrics, self.labels.uv_triangles, self._grid))
        return compat.texture_colors(self.labels.texture, uv, face >= 0)


def _pixels(clip: np.ndarray, size: int) -> Floats:
    """Positions of rasterize [B, N, 4] → pixels; NaN at or behind the camera."""
    with np.errstate(divide="ignore", invalid="ignore"):
        at = clip[..., :2] / clip[..., 3:] * [0.5, -0.5] + 0.5
    return np.where(clip[..., 3:] > 0, at * size, np.nan)


def _in_polygon(points: np.ndarray, polygon: np.ndarray) -> NDArray[np.bool_]:
    """points [P, 2], polygon [P, N, 2], one for each point: the even-odd rule."""
    x, y = points[:, :1], points[:, 1:]
    (x0, y0), (x1, y1) = np.moveaxis(polygon, -1, 0), np.moveaxis(np.roll(polygon, -1, 1), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        crosses = ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return crosses.sum(1) % 2 == 1


__all__ = ["FROM_UV", "LANDMARK_SLACK_M", "MODES", "Annotation", "MeshAnnotator", "Placement"]
