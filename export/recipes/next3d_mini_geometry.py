"""What single pictures do not tell of next3d-mini: do two views show one head, and do labels and landmarks of the mesh lie on it?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from forge_rt import ForgeHead
from forge_rt.annotation import Annotation, MeshAnnotator
from forge_rt.annotation.world import Cameras
from torch.nn import functional as nnf

from ..models.next3d.rays import camera_rays
from .next3d_teacher import CUT_Y_M
from .next3d_teacher_views import BOX_WARP, SCALE, SHIFT

#: Distances of neighbouring pixels that differ by more are two surfaces; world units, 24 mm.
EDGE = 0.06
#: A point is seen by the other camera when that sees something at its distance, within this: 8 mm.
NEAR = 0.02
HAIR = 17


class View(NamedTuple):
    picture: torch.Tensor  #: [3, S, S] 0..1
    distance: torch.Tensor  #: [D, D] along the ray in world units, 0 = nothing
    camera: torch.Tensor  #: [25]


# ---- two views of one head ----


def warp(target: View, source: View) -> tuple[torch.Tensor, torch.Tensor]:
    """What `source` shows where `target` looks: colours [3, S, S], and where that is known [S, S].

    Pixels of the target go to the surface that its own distances give, and from there into the other picture. Unknown is what has no
    surface, lies at an edge, is out of the frame or hidden from the other camera.
    """
    size = target.picture.shape[-1]
    distance = surface(target.distance, size)
    origin, directions = camera_rays(target.camera[None], size)
    points = (origin + distance.reshape(1, -1, 1) * directions)[0]
    grid, away = seen_from(points, source.camera)
    grid = grid.reshape(1, size, size, 2)
    there = nnf.grid_sample(surface(source.distance, size)[None, None], grid, mode="nearest", align_corners=False)[0, 0]
    colours = nnf.grid_sample(source.picture[None], grid, mode="bilinear", align_corners=False)[0]
    known = (distance > 0) & (there > 0) & ((there - away.reshape(size, size)).abs() < NEAR)
    return colours, known & (grid[0].abs() < 1 - 1 / size).all(
        -1
    )  # the outermost pixels have neighbours on one side only


def surface(distance: torch.Tensor, size: int) -> torch.Tensor:
    """[D, D] → [size, size], linear between pixels; 0 beside what is empty or another surface."""
    far, near = nnf.max_pool2d(distance[None], 3, 1, 1), -nnf.max_pool2d(-distance[None], 3, 1, 1)
    whole = (near > 0) & (far - near < EDGE)
    fine = nnf.interpolate(distance[None, None], (size, size), mode="bilinear", align_corners=False)[0, 0]
    return torch.where(nnf.interpolate(whole[None].float(), (size, size))[0, 0] > 0, fine, 0.0)


def seen_from(points: torch.Tensor, camera: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """World points [N, 3] → places in the picture [N, 2] in -1..1 and distances from the camera [N]."""
    at = Cameras.of(camera.numpy())
    there = at.to_camera(points.numpy()[None])
    place = at.project(there, 1)[0] * 2 - 1
    return torch.from_numpy(np.nan_to_num(place, nan=9.0)).float(), torch.from_numpy(
        np.linalg.norm(there[0], axis=-1)
    ).float()


def two_views(student: tuple[View, View], teacher: tuple[View, View]) -> dict[str, float]:
    """dB between a view and the other one warped into it; the teacher's own number says what this measure can reach at best."""
    (ours, known), (theirs, can_be) = warp(*student), warp(*teacher)
    where = known & can_be
    if where.sum() < 100:
        return {}

    def db(found: torch.Tensor, truth: torch.Tensor) -> float:
        return -10 * torch.log10((found - truth).square().mean(0)[where].mean().clamp(min=1e-10)).item()

    return {
        "views psnr": db(ours, student[0].picture),
        "views psnr teacher": db(theirs, teacher[0].picture),
        "views psnr unwarped": db(student[1].picture, student[0].picture),
        "views share": (where.sum() / (surface(teacher[0].distance, len(where)) > 0).sum().clamp(min=1)).item(),
    }


# ---- landmarks ----


def landmark_points(view: View, pixels: np.ndarray) -> np.ndarray:
    """pixels [N, 2] of the distances → world points [N, 3] that the view shows there; NaN where there is nothing, or an edge."""
    size = view.distance.shape[-1]
    grid = torch.from_numpy(pixels / size * 2 - 1).float()[None, None]
    distance = surface(view.distance, size)[None, None]
    found = nnf.grid_sample(distance, grid, align_corners=False)[0, 0, 0]
    sure = nnf.grid_sample((distance > 0).float(), grid, align_corners=False)[0, 0, 0] > 0.999
    pose, k = view.camera[:16].reshape(4, 4), view.camera[16:].reshape(3, 3)
    rays = torch.cat([(grid[0, 0] + 1) / 2, torch.ones(len(pixels), 1)], 1) @ torch.linalg.inv(k).T
    points = pose[:3, 3] + found[:, None] * nnf.normalize(rays, dim=1) @ pose[:3, :3].T
    return torch.where(sure[:, None], points, torch.nan).numpy()


def landmarks_agree(views: tuple[View, View], seen: Annotation, landmarks_m: np.ndarray) -> dict[str, float]:
    """Median distances in mm over landmarks that both cameras see: between the points that two views give, and from the truth.

    seen  the annotation of both views at the size of their distances
    """
    both = (seen.visibility == 2).all(0)
    points = [landmark_points(view, pixels)[both] for view, pixels in zip(views, seen.landmarks, strict=True)]
    truth = landmarks_m[both] * SCALE + SHIFT
    between = np.linalg.norm(points[0] - points[1], axis=-1)
    off = np.linalg.norm(points[0] - truth, axis=-1)
    return {
        name: _median(x) * 1000 / SCALE for name, x in (("landmarks between views mm", between), ("landmarks mm", off))
    }


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


# ---- labels ----


def annotator(head: ForgeHead) -> MeshAnnotator:
    """Of the world that the teacher stands in. The neck below its cut is nobody's."""
    half = BOX_WARP / 2
    low = (-half, CUT_Y_M * SCALE + SHIFT[1], -half)
    return MeshAnnotator.for_forge_head(head, bounds=[low, (half, half, half)])


@dataclass
class LabelScore:
    """Classes of the bare mesh against the teacher's. Hair has no mesh: what it hides is counted apart."""

    classes: int = 19
    counts: np.ndarray = field(
        init=False
    )  #: [2, classes, 3]: with and without hair's pixels; both, mesh alone, teacher alone

    def __post_init__(self) -> None:
        self.counts = np.zeros((2, self.classes, 3), np.int64)

    def add(self, mesh: np.ndarray, teacher: np.ndarray) -> None:
        for k, where in enumerate((np.ones(teacher.shape, bool), teacher != HAIR)):
            for c in range(self.classes):
                ours, theirs = (mesh == c) & where, (teacher == c) & where
                self.counts[k, c] += (ours & theirs).sum(), (ours & ~theirs).sum(), (theirs & ~ours).sum()

    def f1(self, names: dict[int, str]) -> dict[str, dict[str, float]]:
        """Class → F1 over all pixels, and over those that the teacher does not cover with hair; classes that the mesh shows."""
        out = {}
        for c in range(self.classes):
            if not self.counts[0, c, :2].any():
                continue
            scores = [2 * both / max(2 * both + a + b, 1) for both, a, b in self.counts[:, c].tolist()]
            out[names.get(c, str(c))] = {"f1": round(scores[0], 4), "f1 beside hair": round(scores[1], 4)}
        return out
