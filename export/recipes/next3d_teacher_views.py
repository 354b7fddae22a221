"""What Next3D is shown of a mesh: the front view's texture coordinates and alpha, and the mouth box (spec/next3d §6, §7)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import forge_rt as fr
import numpy as np
from forge_rt import ForgeHead, _core

#: The teacher's world: 2.5 · head + shift, its origin in the middle of heads with hair, and a box of ± 0.35 (± 0.14 m).
CENTRE_M = (0.0, 0.025, -0.040)
SCALE = 2.5
SHIFT = tuple(-SCALE * c for c in CENTRE_M)
BOX_WARP = 0.7
#: The same world for rasterized views. Their transform negates y before it shifts.
ORTH_SCALE = 2 * SCALE / BOX_WARP
ORTH_SHIFT = (-CENTRE_M[0], CENTRE_M[1], -CENTRE_M[2])


def to_world(points_m: np.ndarray) -> np.ndarray:
    return points_m * SCALE + np.asarray(SHIFT, points_m.dtype)


@dataclass(frozen=True)
class FrontViews:
    """The front view at the planes' resolution R. Row 0 is the bottom of the head, as planes are sampled."""

    uv: np.ndarray  #: [B, R, R, 2] float32 grid in [-1, 1]; 0 where empty (a quirk of the published networks)
    alpha: np.ndarray  #: [B, R, R] float32, filled
    mouth_box: np.ndarray  #: [B, 4] int32: row0, row1, col0, col1


class Topology:
    """What a checkpoint stores of the head: triangles, texture coordinates and the face's mask in the texture."""

    def __init__(self, head: ForgeHead, bundle: Path | None = None, mask_size: int = 256) -> None:
        folder = bundle or Path(fr.__file__).parent / "assets" / "forgehead.forge"
        arrays = _core.read_safetensors(str(folder / "head.safetensors"))
        self.triangles = np.ascontiguousarray(head.triangles)
        self.uv = np.asarray(arrays["uv"])  # [V, 2] in 0..1, v up
        self.uv_triangles = np.asarray(arrays["uv_faces"])
        self.part = np.asarray(arrays["face_part"])
        self._rest = np.asarray(arrays["v_template"])
        self._swapped = np.ascontiguousarray(self.triangles[:, [0, 2, 1]])
        self._uv_swapped = np.ascontiguousarray(self.uv_triangles[:, [0, 2, 1]])
        self.grid = np.stack([2 * self.uv[:, 0] - 1, 1 - 2 * self.uv[:, 1]], -1).astype(np.float32)  # of sample_texture
        self.face_mask = self._mask(mask_size)

    def front(self, vertices_m: np.ndarray, landmarks_m: np.ndarray, resolution: int = 128) -> FrontViews:
        """vertices_m [B, V, 3], landmarks_m [B, 68, 3] in the head frame."""
        view = np.asarray(fr.orthographic_view(vertices_m, [0, 0, 0], ORTH_SCALE, ORTH_SHIFT))
        clip = np.ones((*view.shape[:2], 4), np.float32)
        clip[..., 0], clip[..., 1], clip[..., 2] = view[..., 0], -view[..., 1], view[..., 2]  # rows grow with y'
        out = fr.rasterize(clip, self._swapped, resolution, coverage="strict_float", perspective=False)
        uv = np.asarray(fr.interpolate(out.face, out.barycentrics, self._uv_swapped, self.grid[None]))
        visible = np.asarray(out.face) >= 0
        alpha = np.asarray(fr.sample_texture(self.face_mask[None, :, :, None], uv))[..., 0] * visible
        marks = np.asarray(fr.orthographic_view(landmarks_m, [0, 0, 0], ORTH_SCALE, ORTH_SHIFT))[..., :2]
        half = np.float32(resolution / 2)
        box = np.asarray(fr.mouth_box(marks * half + half, resolution)).astype(np.int32)
        return FrontViews(uv, np.asarray(fr.fill_enclosed(alpha)), box)

    def _mask(self, size: int) -> np.ndarray:
        """[S, S] float32, row 0 is v = 1: which texels the mesh drives. The face with a soft border, eyes and all of the mouth."""
        clip = np.zeros((1, len(self.uv), 4), np.float32)
        clip[0, :, :2], clip[0, :, 3] = 2 * self.uv - 1, 1
        # charts lie side by side, so depth decides nothing
        out = fr.rasterize(clip + np.float32([0, 0, 1, 0]), self.uv_triangles, size, cull="none", perspective=False)
        face = np.asarray(out.face)[0]
        rest = np.asarray(fr.interpolate(out.face, out.barycentrics, self.triangles, self._rest[None]))[0]
        x, y, z = np.moveaxis(rest, -1, 0)
        # An egg from the hair line to below the chin; ears, neck and scalp stay with the static planes.
        reach = np.hypot(x / 0.070, np.where(y > 0, y / 0.088, y / 0.098))
        soft = np.clip((1 - reach) / 0.15, 0, 1) * np.clip((z + 0.03) / 0.03, 0, 1)
        part = np.where(face >= 0, self.part[face], 255)
        mask = np.where(part == 0, soft * soft * (3 - 2 * soft), 1.0)
        mask[np.isin(part, EARS)] = 0
        mask[face < 0] = 0
        return (np.round(mask * 255) / 255).astype(np.float32)


#: Parts of the head that the static planes draw.
EARS = (4, 5)
