"""Finds the affine map that puts a head's meshes where a generator draws them, from rendered depths.

Iterated closest planes: at every pixel where mesh and volume are solid, the volume's point should lie in the plane of the mesh there. The
distance is linear in the twelve numbers of the map, so each step is one small least-squares problem; robust weights leave out hair,
glasses and what the mesh does not have, and a weak prior keeps the map near the similarity it started from where depths say
nothing. Design: docs/design/synthforge.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forge_rt import _core
from forge_rt._core import InvalidArgumentError
from forge_rt.annotation.agreement import compare, face_region, images
from forge_rt.annotation.annotator import Annotation, MeshAnnotator
from forge_rt.annotation.labels import MeshLabels
from forge_rt.annotation.world import Cameras, Floats, World, apply, checked_alignment

if TYPE_CHECKING:
    from forge_rt.annotation.presets import GeneratorDraw

#: (done, of, what is being done)
Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class DepthViews:
    """N generated samples: what the generator was given, and the depth of what it drew."""

    vertices: NDArray[np.float32]  #: [N, V, 3] head frame, metres
    landmarks: NDArray[np.float32]  #: [N, 68, 3]
    cameras: NDArray[np.float64]  #: [N, 25] labels in the generator's world
    depth_m: NDArray[np.float32]  #: [N, D, D] camera z
    opacity: NDArray[np.float32]  #: [N, D, D] summed weights

    def __post_init__(self) -> None:
        count = len(self.vertices)
        object.__setattr__(self, "depth_m", images(self.depth_m))
        object.__setattr__(self, "opacity", images(self.opacity))
        shapes = {
            "landmarks": (np.shape(self.landmarks), (count, 68, 3)),
            "cameras": (np.shape(self.cameras), (count, 25)),
            "opacity": (self.opacity.shape, self.depth_m.shape),
            "depth_m": (self.depth_m.shape[:1], (count,)),
        }
        for name, (got, want) in shapes.items():
            if got != want:
                raise InvalidArgumentError(f"{name} of the samples must be {list(want)}, got {list(got)}")

    def __len__(self) -> int:
        return len(self.vertices)


@dataclass(frozen=True)
class FitOptions:
    """How `fit` weighs what it sees (docs/design/synthforge.md)."""

    iterations: int = 40  #: at most
    solid: float = 0.9  #: opacity from which on a pixel of the volume has a surface
    facing: float = 0.3  #: least cosine between surface and ray
    edge_pixels: float = (
        2.7  #: neighbours farther apart in depth than so many widths of a pixel are an edge, and are left out
    )
    outside_face: float = 0.25  #: weight of pixels outside of the landmarks' outline …
    hair: float = 0.55  #: … where distances count up to this share of the width if the volume lies in front: hair must not stretch a head
    widest_m: float = 0.03  #: distances that count at the start …
    narrowest_m: float = 0.003  #: … and at the end, unless noise needs more
    patch_m: float = 0.06  #: errors are independent from one patch of the head to the next, not from pixel to pixel nor from head to head
    # The prior's standard deviations.
    rotation_rad: float = 0.1
    scale: float = 0.05
    shear: float = 0.02
    translation_m: float = 0.03


@dataclass(frozen=True)
class Quality:
    """How one alignment fits the samples; arrays [N]."""

    mean_m: NDArray[np.float64]  #: mean |Δdepth| inside of the face, where both cover
    median_m: NDArray[np.float64]
    iou: NDArray[np.float64]  #: of the silhouettes
    missing: NDArray[np.float64]  #: share of the mesh beside the volume
    landmark_m: NDArray[np.float64]  #: median |Δdepth| at visible landmarks

    def summary(self) -> dict[str, float | None]:
        """Means over the samples, in millimetres and shares."""
        return {
            "mean_depth_mm": _mean(self.mean_m, 1000), "median_depth_mm": _mean(self.median_m, 1000), "silhouette_iou": _mean(self.iou),
            "missing": _mean(self.missing), "landmark_depth_mm": _mean(self.landmark_m, 1000),
        }  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """A fitted map, and how meshes and volumes agreed before and after."""

    alignment: Floats  #: [3, 4] head frame in metres → generator world
    start: Floats  #: [3, 4]
    before: Quality
    after: Quality
    iterations: int
    converged: bool
    used: float  #: share of the compared pixels that the final robust weights keep (weight above a half)
    world: World
    bounds: NDArray[np.float64] | None  #: [2, 3] what the generator can show

    def report(self) -> dict[str, Any]:
        """Plain numbers: what `forge-rt align` writes beside the map."""
        linear = self.alignment[:, :3] @ np.linalg.inv(self.start[:, :3])
        rotation = np.degrees(_rotation_angle(linear))
        moved = np.linalg.norm(self.alignment @ [0, 0, 0, 1] - self.start @ [0, 0, 0, 1]) / self.world.scale
        rows = [
            {
                "sample": n,
                **{
                    f"{name}_{when}": _plain(getattr(quality, name)[n])
                    for when, quality in (("before", self.before), ("after", self.after))
                    for name in asdict(quality)
                },
            }
            for n in range(len(self.after.iou))
        ]
        return {
            "samples": len(rows), "iterations": self.iterations, "converged": self.converged, "pixels_used": round(self.used, 4),
            "before": self.before.summary(), "after": self.after.summary(),
            "change": {
                "rotation_deg": round(float(rotation), 4), "origin_moved_mm": round(1000 * float(moved), 3),
                "singular_values": [round(float(s), 5) for s in np.linalg.svd(linear, compute_uv=False)],
            },
            "per_sample": rows,
        }  # fmt: skip


def fit(
    labels: MeshLabels,
    views: DepthViews,
    *,
    world: World,
    start: ArrayLike | None = None,
    bounds: ArrayLike | None = None,
    options: FitOptions | None = None,
    tell: Tell | None = None,
) -> Fit:
    """The map that agrees best with the samples' depths. `start` (default: `world` itself) must be within about three centimetres of it.

    `bounds` [2, 3], world units: what the generator can show; scores leave out what a mesh has beyond it.
    """
    o = options or FitOptions()
    box = None if bounds is None else np.array(bounds, np.float64)
    if not len(views):
        raise InvalidArgumentError("an alignment needs samples, got none")
    first = world.matrix if start is None else checked_alignment(start)
    surface = _VolumeSurface.of(views, world, o)
    if not surface.solid.any():
        raise InvalidArgumentError(
            f"no pixel of the {len(views)} samples has opacity {o.solid}: the generator draws no surface there, or the cameras miss it"
        )
    current, width, narrow, information = first, o.widest_m, np.inf, 0.0
    converged, step, settled, kept = False, 0, 0, 0.0
    for step in range(1, o.iterations + 1):
        if tell is not None:
            tell(step, o.iterations, "fitting")
        rows = _compare(labels, views, surface, current, world, o)
        if rows.residual.size < 200 * len(views) ** 0.5:
            raise InvalidArgumentError(
                f"mesh and volume meet at {rows.residual.size} pixels of {len(views)} samples: the start is too far off, or the head is another one"
            )
        reach = np.where(~rows.inside & (rows.residual > 0), o.hair * width, width)
        weight = rows.weight * np.clip(1 - (rows.residual / reach) ** 2, 0, None) ** 2  # Tukey's
        kept = float((weight > 0.5 * rows.weight).mean())
        if settled < _SETTLE:  # after that both stay: a fixed problem has an end
            before_m, narrow = narrow, max(o.narrowest_m, 4.5 * _noise(rows, weight, width))
            settled = settled if narrow > 0.95 * before_m else 0  # still finding out how much is noise
            patches, error = _patches(rows, weight, o.patch_m)
            information = patches / max(error, _LEAST_ERROR_M) ** 2
        moved = _step(rows, weight, current, first, information, o, world)
        current = current + moved
        # the widest displacement of a head's points
        shift_m = float(np.linalg.norm(np.array([0.1, 0.1, 0.1, 1]) @ np.abs(moved).T)) / world.scale
        settled += int(width <= 1.1 * narrow)
        converged = shift_m < 2e-5 and settled > 0
        if converged:
            break
        if settled < _SETTLE:
            width = max(0.75 * width, narrow)
    before, after = (quality(labels, views, a, world, bounds=box) for a in (first, current))
    return Fit(current, first, before, after, step, converged, kept, world, box)


def quality(
    labels: MeshLabels, views: DepthViews, alignment: ArrayLike, world: World, *, bounds: ArrayLike | None = None
) -> Quality:
    """How well meshes under `alignment` fit the samples."""
    annotator = MeshAnnotator(labels, alignment, world=world, bounds=bounds)
    seen = annotator.placement(views.vertices, views.landmarks, views.cameras, views.depth_m.shape[-1])
    agreed = compare(seen, views.depth_m, views.opacity)
    face = face_region(seen.landmarks, views.depth_m.shape[-1])
    both = face & (seen.depth_m > 0) & (views.depth_m > 0) & (views.opacity >= 0.5)
    total = np.where(both, np.abs(seen.depth_m - views.depth_m), 0).sum((1, 2))
    count = both.sum((1, 2))
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return Quality(mean, agreed.depth_m, agreed.iou, agreed.missing, agreed.landmark_m)


# ---- one step -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _VolumeSurface:
    points: NDArray[np.float64]  #: [N, D, D, 3] world
    rays: NDArray[np.float64]  #: [N, D, D, 3] world, unit length
    solid: NDArray[np.bool_]  #: [N, D, D] opaque and no edge

    @classmethod
    def of(cls, views: DepthViews, world: World, o: FitOptions) -> _VolumeSurface:
        at = Cameras.of(views.cameras, len(views))
        rays = at.rays(views.depth_m.shape[-1])
        back = np.swapaxes(at.world_to_camera[:, :, :3], 1, 2)
        origin = -(back @ at.world_to_camera[:, :, 3:])[..., 0]
        turned = np.einsum("nij,nhwj->nhwi", back, rays)
        points = origin[:, None, None] + turned * (views.depth_m[..., None] * world.scale)
        solid = (views.opacity >= o.solid) & (views.depth_m > 0) & np.isfinite(views.depth_m)
        solid &= ~_edges(views.depth_m, solid, at.focal, o.edge_pixels)
        return cls(points, turned / np.linalg.norm(turned, axis=-1, keepdims=True), solid)


@dataclass(frozen=True)
class _Rows:
    normal: NDArray[np.float64]  #: [P, 3] world
    point: NDArray[np.float64]  #: [P, 4] mesh, head frame in metres, and 1
    residual: NDArray[np.float64]  #: [P] metres, positive where the volume lies in front of the mesh
    inside: NDArray[np.bool_]  #: [P] of the face
    weight: NDArray[np.float64]  #: [P]


def _compare(
    labels: MeshLabels, views: DepthViews, surface: _VolumeSurface, alignment: Floats, world: World, o: FitOptions
) -> _Rows:
    annotator = MeshAnnotator(labels, alignment, world=world)
    size = views.depth_m.shape[-1]
    hit, at = annotator.surface(views.vertices, views.cameras, size)
    aligned = apply(alignment, views.vertices)
    normals = np.asarray(
        _core.vertex_normals(aligned.astype(np.float32), _core.Topology(labels.triangles, labels.vertices))
    )
    both = np.concatenate([np.asarray(views.vertices, np.float32), normals], -1)
    read = np.asarray(_core.interpolate(hit.face, hit.barycentrics, labels.triangles, both))
    face = np.asarray(hit.face)
    mesh_depth = np.asarray(hit.depth) / world.scale
    use = (face >= 0) & surface.solid
    use &= ~_edges(mesh_depth, face >= 0, at.focal, o.edge_pixels)
    use &= np.abs(mesh_depth - views.depth_m) < 2 * o.widest_m
    normal = read[use][:, 3:].astype(np.float64)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    facing = -np.einsum("pk,pk->p", normal, surface.rays[use]) > o.facing
    normal = normal[facing]
    point = np.concatenate([read[use][facing, :3], np.ones((len(normal), 1))], 1).astype(np.float64)
    residual = np.einsum("pk,pk->p", normal, surface.points[use][facing] - point @ alignment.T) / world.scale
    pixels = at.project(at.to_camera(apply(alignment, views.landmarks)), size)
    inside = face_region(pixels, size)[use][facing]
    return _Rows(normal, point, residual, inside, np.where(inside, 1.0, o.outside_face))


def _edges(depth: np.ndarray, covered: np.ndarray, focal: np.ndarray, pixels: float) -> NDArray[np.bool_]:
    """[N, D, D]: a neighbour is much nearer or farther, or is not there. `focal` [N] in image widths."""
    out = ~covered
    size = depth.shape[-1]
    distance = depth.sum((1, 2)) / np.maximum(covered.sum((1, 2)), 1)
    step = (pixels * distance / (focal * size))[:, None, None]
    for axis in (1, 2):
        jump = np.abs(np.diff(depth, axis=axis)) > step
        jump |= np.diff(covered.astype(np.int8), axis=axis) != 0
        ahead, behind = [slice(None)] * 3, [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        out[tuple(ahead)] |= jump
        out[tuple(behind)] |= jump
    return out


#: Steps with the narrowest weights after which these are left as they are.
_SETTLE = 4


def _noise(rows: _Rows, weight: np.ndarray, width: float) -> float:
    """Standard deviation of the distances that count, inside of the face."""
    counted = np.abs(rows.residual[(weight > 0.25 * rows.weight) & rows.inside])
    return 1.4826 * float(np.median(counted)) if counted.size else width


#: Patches are never trusted more than this.
_LEAST_ERROR_M = 1e-4


def _patches(rows: _Rows, weight: np.ndarray, side_m: float) -> tuple[int, float]:
    """How many patches of the head count, and how far their mean distances are typically off: what is left when noise has averaged out."""
    cells = np.floor(rows.point[:, :3] / side_m).astype(np.int64)
    cells -= cells.min(0)
    size = cells.max(0) + 1
    index = (cells[:, 0] * size[1] + cells[:, 1]) * size[2] + cells[:, 2]
    total = np.bincount(index, weight)
    good = total > 0.1 * total.sum() / max(np.count_nonzero(total), 1)
    mean = np.bincount(index, weight * rows.residual)[good] / total[good]
    return int(good.sum()), 1.4826 * float(np.median(np.abs(mean)))


def _step(
    rows: _Rows,
    weight: np.ndarray,
    current: Floats,
    first: Floats,
    information: float,
    o: FitOptions,
    world: World,
) -> Floats:
    """[3, 4] change of the map that takes the weighted distances to their least. `information`: of all data, 1 / m²."""
    jacobian = (rows.normal[:, :, None] * rows.point[:, None, :]).reshape(-1, 12) / world.scale  # of n · (A p), metres
    share = information / max(float(weight.sum()), 1e-9)
    weighted = jacobian * (weight * share)[:, None]
    prior = _prior(first, rows.point[:, :3].mean(0), o, world)
    normal = jacobian.T @ weighted + prior.T @ prior
    right = weighted.T @ rows.residual - prior.T @ (prior @ (current - first).ravel())
    return np.asarray(np.linalg.solve(normal, right).reshape(3, 4), np.float64)


def _prior(first: Floats, centre: np.ndarray, o: FitOptions, world: World) -> Floats:
    """[12, 12]: rows are what a change of the map does, in standard deviations. It sees E = (A − A₀) A₀⁻¹: scale, shear, rotation,
    and the move of the head's centre.
    """
    inverse = np.linalg.inv(first[:, :3])
    change = np.zeros((3, 3, 3, 4))  # E[i, j] per entry of the map
    for i in range(3):
        change[i, :, i, :3] = inverse.T
    diagonal = np.stack([change[i, i] for i in range(3)])
    mean = diagonal.mean(0)
    rows = [mean / o.scale, *((d - mean) / o.shear for d in diagonal)]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        rows.append((change[i, j] + change[j, i]) / 2 / o.shear)
        rows.append((change[i, j] - change[j, i]) / 2 / o.rotation_rad)
    for i in range(3):
        move = np.zeros((3, 4))
        move[i] = [*centre, 1]
        rows.append(move / (o.translation_m * world.scale))
    return np.stack(rows).reshape(len(rows), 12).astype(np.float64)


def _rotation_angle(linear: np.ndarray) -> float:
    u, _, v = np.linalg.svd(linear)
    return float(np.arccos(np.clip((np.trace(u @ v) - 1) / 2, -1, 1)))


def _mean(values: np.ndarray, unit: float = 1.0) -> float | None:
    good = values[np.isfinite(values)]
    return round(float(good.mean()) * unit, 4) if good.size else None


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


# ---- samples of a generator -----------------------------------------------------------------------------------------


def collect(
    generator: Any,
    draws: Sequence[GeneratorDraw],
    meshes: Callable[[Sequence[GeneratorDraw]], tuple[np.ndarray, np.ndarray]],
    *,
    resolution: int = 128,
    batch: int = 4,
    pictures: int = 0,
    tell: Tell | None = None,
) -> tuple[DepthViews, NDArray[np.uint8] | None]:
    """Depths of what a `forge_rt.Generator` draws, and the images of the first `pictures` samples.

    meshes   draws → (vertices [B, V, 3], landmarks [B, 68, 3]), head frame, metres
    """
    parts: list[tuple[np.ndarray, ...]] = []
    shown: list[np.ndarray] = []
    for first in range(0, len(draws), batch):
        if tell is not None:
            tell(first, len(draws), "generating")
        some = draws[first : first + batch]
        vertices, landmarks = meshes(some)
        cameras = np.stack([d.label25 for d in some])
        z = np.stack([d.z for d in some])
        identity = generator.identity(z, cameras.astype(np.float32) if generator.info.conditioning == "view" else None)
        head = generator.expression(identity, vertices, landmarks, mouth_box="clamp")
        want = first < pictures
        view = generator.view(head, cameras.astype(np.float32), depth_resolution=resolution, depth_only=not want)
        parts.append((vertices, landmarks, cameras, images(view.depth_m), images(view.weight)))
        if want:
            shown.append(np.asarray(view.rgb8()))
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    return DepthViews(*joined), np.concatenate(shown)[:pictures] if shown else None


# ---- the picture to judge it by -------------------------------------------------------------------------------------


def sheet(
    labels: MeshLabels,
    views: DepthViews,
    made: Fit,
    pictures: np.ndarray | None = None,
    *,
    count: int = 6,
    tile: int = 224,
) -> NDArray[np.uint8]:
    """[H, W, 3] RGB. A row a sample: image (or the volume's shading), mesh over it before and after, difference in depth before and after.

    In the differences grey is none; orange: the volume lies in front of the mesh, blue: behind; full colour is 1 cm.
    """
    count = min(count, len(views))
    some = DepthViews(*(getattr(views, f)[:count] for f in ("vertices", "landmarks", "cameras", "depth_m", "opacity")))
    rows = []
    seen = {}
    for when, alignment in (("before", made.start), ("after", made.alignment)):
        annotator = MeshAnnotator(labels, alignment, world=made.world, bounds=made.bounds)
        large = annotator.annotate(some.vertices, some.landmarks, some.cameras, tile, normals=True)
        seen[when] = large, annotator.depth_m(some.vertices, some.cameras, some.depth_m.shape[-1])
    for n in range(count):
        base = pictures[n] if pictures is not None and n < len(pictures) else _shaded(some.depth_m[n], some.opacity[n])
        row = [_fit(base, tile)]
        row += [_over(row[0], seen[when][0], n) for when in ("before", "after")]
        row += [_difference(seen[when][1][n], some.depth_m[n], some.opacity[n], tile) for when in ("before", "after")]
        rows.append(np.concatenate(row, 1))
    return np.concatenate(rows, 0)


def _fit(image: np.ndarray, tile: int) -> np.ndarray:
    import cv2

    return cv2.resize(image, (tile, tile), interpolation=cv2.INTER_AREA if image.shape[0] > tile else cv2.INTER_NEAREST)


def _shaded(depth: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """[D, D, 3] uint8: a depth map as if lit from the camera."""
    dy, dx = np.gradient(depth)
    slope = np.hypot(dx, dy) * 900 / max(depth.shape) * 128
    grey = np.where(opacity >= 0.5, 40 + 190 / np.sqrt(1 + slope**2), 24)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, -1)


def _over(base: np.ndarray, seen: Annotation, n: int) -> np.ndarray:
    """The mesh as translucent clay, its landmarks on top."""
    import cv2

    assert seen.normals is not None
    facing = np.clip(-seen.normals[n, ..., 2], 0, 1)[..., None]
    clay = np.array([90, 190, 255]) * (0.25 + 0.75 * facing)
    mixed = np.where(seen.depth_m[n, ..., None] > 0, 0.5 * base + 0.5 * clay, base)
    out = np.ascontiguousarray(mixed.astype(np.uint8))
    for (x, y), visible in zip(seen.landmarks[n], seen.visibility[n], strict=True):
        if visible == 2:
            cv2.circle(
                out, (round((float(x) - 0.5) * 16), round((float(y) - 0.5) * 16)), 20, (255, 255, 0), -1, cv2.LINE_AA, 4
            )
    return out


def _difference(mesh: np.ndarray, volume: np.ndarray, opacity: np.ndarray, tile: int) -> np.ndarray:
    both = (mesh > 0) & (opacity >= 0.5) & (volume > 0)
    share = np.clip((mesh - volume) / 0.01, -1, 1)[..., None]
    front, back, none = np.array([255, 140, 0]), np.array([30, 110, 255]), np.array([128, 128, 128])
    color = none + np.where(share > 0, share * (front - none), -share * (back - none))
    only = np.where((mesh > 0)[..., None], [70, 0, 70], [24, 24, 24])  # mesh beside the volume
    return _fit(np.where(both[..., None], color, only).astype(np.uint8), tile)


__all__ = ["DepthViews", "Fit", "FitOptions", "Quality", "collect", "fit", "quality", "sheet"]
