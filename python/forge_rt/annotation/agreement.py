"""Does the mesh lie where the generator drew the head? Scores of a sample, and the rule that accepts or rejects it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forge_rt._core import InvalidArgumentError

if TYPE_CHECKING:
    from forge_rt.annotation.annotator import Annotation, Placement

#: A pixel of a volume counts as covered from this summed weight on.
SOLID = 0.5
#: A difference of this much halves the depth's part of the score, metres.
_HALF_M = 0.01

#: image [S, S, 3] uint8 → 68 points in pixels, or None where it sees no face
Detector = Callable[[np.ndarray], "np.ndarray | None"]


@dataclass(frozen=True)
class MeshAgreement:
    """Arrays [B]; distances in metres. What has nothing to compare is NaN, and `iou` 0."""

    depth_m: NDArray[np.float64]  #: median |mesh - volume| where both cover, inside of the face
    depth_all_m: NDArray[np.float64]  #: the same over all pixels that both cover; hair in front of the head counts
    missing: NDArray[np.float64]  #: share of the mesh's pixels where the volume is empty
    iou: NDArray[np.float64]  #: of the silhouettes; hair and shoulders keep it below 1
    landmark_m: NDArray[np.float64]  #: median |landmark - volume| in depth over the visible landmarks
    score: NDArray[np.float64]  #: 0..1, what records call agreement: (1 - missing) · 0.01 / (0.01 + depth_m)

    def __len__(self) -> int:
        return len(self.score)

    def row(self, b: int) -> dict[str, float | None]:
        """Sample b as plain numbers, for a record."""
        return {name: _plain(values[b]) for name, values in asdict(self).items()}


@dataclass(frozen=True)
class Acceptance:
    """When a sample is good enough. A limit of None does not reject.

    The first three are ours: 8 mm of depth are 4 mm to the side from a camera 30° off, eight pixels of 512, near the detector's limit; a mesh
    with a twentieth of its pixels beside the head belongs to another head; landmarks may be hidden by hair, so theirs is wider. The detector's
    is published (11 pixels of 512).
    """

    depth_m: float | None = 0.008
    missing: float | None = 0.05
    landmark_m: float | None = 0.012
    detector_px: float | None = 11.0
    detector_size: int = field(default=512, repr=False)  #: of the images that detector_px is meant for

    def reasons(
        self,
        agreement: MeshAgreement,
        *,
        landmarks: ArrayLike | None = None,
        images: ArrayLike | None = None,
        detector: Detector | None = None,
    ) -> list[str | None]:
        """One reason a sample, None where it is accepted.

        `detector` is asked for the samples that are still accepted; it needs `images` [B, S, S, 3] uint8 and `landmarks` [B, 68, 2] pixels.
        """
        out = [self._of_mesh(agreement, b) for b in range(len(agreement))]
        if detector is not None and self.detector_px is not None:
            if landmarks is None or images is None:
                raise InvalidArgumentError("a detector needs images [B, S, S, 3] and landmarks [B, 68, 2]")
            points, pictures = np.asarray(landmarks, np.float64), np.asarray(images)
            for b, reason in enumerate(out):
                if reason is None:
                    off = self.distance_px(detector(pictures[b]), points[b], pictures.shape[1])
                    out[b] = self.of_distance(off)
        return out

    def distance_px(self, found: ArrayLike | None, points: ArrayLike, size: int) -> float:
        """Mean distance of a detector's points from `points` (pixels of a picture of `size`), as pixels of `detector_size`; NaN: no face was found."""
        if found is None:
            return float("nan")
        seen, own = np.asarray(found, np.float64), np.asarray(points, np.float64)
        if seen.shape != own.shape:
            raise InvalidArgumentError(
                f"a detector must return {list(own.shape)} points or None, got {list(seen.shape)}"
            )
        return float(np.linalg.norm(seen - own, axis=-1).mean()) * self.detector_size / size

    def of_distance(self, off: float) -> str | None:
        """The reason for a distance as `distance_px` gives it."""
        if not np.isfinite(off):
            return "the detector finds no face"
        if self.detector_px is None or off <= self.detector_px:
            return None
        return f"landmarks are {off:.1f} px from the detector's, {self.detector_px:g} are allowed"

    def _of_mesh(self, agreement: MeshAgreement, b: int) -> str | None:
        checks = (
            (agreement.missing[b], self.missing, 100, "% of the mesh is beside the head"),
            (agreement.depth_m[b], self.depth_m, 1000, "mm between mesh and volume"),
            (agreement.landmark_m[b], self.landmark_m, 1000, "mm between landmarks and volume"),
        )
        if not np.isfinite(agreement.depth_m[b]):
            return "mesh and volume do not meet inside of the face"
        for value, limit, unit, what in checks:
            if limit is not None and value > limit:  # NaN (no landmark is visible) passes: visibility has its own rule
                return f"{value * unit:.1f} {what}, {limit * unit:g} are allowed"
        return None


def compare(seen: Annotation | Placement, volume_depth_m: np.ndarray, opacity: np.ndarray) -> MeshAgreement:
    """`seen` is annotated at the volume's resolution; volume_depth_m, opacity [B, D, D]."""
    if seen.depth_m.shape != volume_depth_m.shape or opacity.shape != volume_depth_m.shape:
        raise InvalidArgumentError(
            f"mesh depth {list(seen.depth_m.shape)}, volume depth {list(volume_depth_m.shape)} and opacity {list(opacity.shape)} must be alike"
        )
    mesh = seen.depth_m > 0
    solid = (opacity >= SOLID) & np.isfinite(volume_depth_m) & (volume_depth_m > 0)
    both = mesh & solid
    off = np.where(both, np.abs(seen.depth_m - volume_depth_m), np.nan)
    face = face_region(seen.landmarks, mesh.shape[-1])
    meshes = mesh.sum((1, 2))
    either = (mesh | solid).sum((1, 2))
    depth = _median(np.where(face, off, np.nan))
    missing = np.divide((mesh & ~solid).sum((1, 2)), meshes, out=np.ones(len(mesh)), where=meshes > 0)
    return MeshAgreement(
        depth_m=depth,
        depth_all_m=_median(off),
        missing=missing,
        iou=np.divide(both.sum((1, 2)), either, out=np.zeros(len(mesh)), where=either > 0),
        landmark_m=_landmarks(seen, volume_depth_m, solid),
        score=np.nan_to_num((1 - missing) * _HALF_M / (_HALF_M + depth)),
    )


def face_region(landmarks: np.ndarray, size: int) -> NDArray[np.bool_]:
    """[B, S, S]: inside of the convex outline of the 68 landmarks (pixels of S): face without hair, ears and neck."""
    import cv2

    out = np.zeros((len(landmarks), size, size), np.uint8)
    for mask, points in zip(out, landmarks, strict=True):
        if np.isfinite(points).all():
            hull = cv2.convexHull(np.ascontiguousarray(points, np.float32))
            cv2.fillConvexPoly(mask, np.round((hull - 0.5) * 16).astype(np.int32), 1, cv2.LINE_8, 4)
    return out.astype(bool)


def images(values: ArrayLike) -> NDArray[np.float32]:
    """[B, 1, D, D] or [B, D, D] → [B, D, D]."""
    out = np.asarray(values, np.float32)
    if out.ndim == 4 and out.shape[1] == 1:
        out = out[:, 0]
    if out.ndim != 3 or out.shape[1] != out.shape[2]:
        raise InvalidArgumentError(f"a volume's images must be [B, 1, D, D] or [B, D, D], got {list(np.shape(values))}")
    return out


def _landmarks(seen: Annotation | Placement, depth: np.ndarray, solid: np.ndarray) -> NDArray[np.float64]:
    size = depth.shape[-1]
    at = np.floor(np.nan_to_num(seen.landmarks, nan=-1)).astype(int)
    inside = (seen.visibility == 2) & (at >= 0).all(-1) & (at < size).all(-1)
    column, row = np.moveaxis(np.clip(at, 0, size - 1), -1, 0)
    batch = np.arange(len(depth))[:, None]
    use = inside & solid[batch, row, column]
    return _median(np.where(use, np.abs(depth[batch, row, column] - seen.landmarks_camera_m[..., 2]), np.nan))


def _median(values: np.ndarray) -> NDArray[np.float64]:
    """Over all axes but the first; NaN is left out."""
    ordered = np.sort(values.reshape(len(values), -1), 1)  # NaN last
    count = np.isfinite(ordered).sum(1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    rows = np.arange(len(values))
    out = (ordered[rows, low].astype(np.float64) + ordered[rows, np.minimum(high, ordered.shape[1] - 1)]) / 2
    return np.where(count > 0, out, np.nan)


def _plain(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
