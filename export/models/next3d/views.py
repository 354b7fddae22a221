"""The rasterized views of a head, made with the engine's ops (spec/next3d §6, §7.1, §7.2)."""

from __future__ import annotations

from dataclasses import dataclass

import forge_rt as fr
import numpy as np
import torch

from .generator import Views

#: (pitch, yaw, roll) in degrees
ANGLES = {"front": (0, 0, 0), "yaw90": (0, 90, 0), "yawm90": (0, -90, 0), "top": (90, 0, 0)}
LANDMARKS = 68


@dataclass
class UvMesh:
    """Triangles and texture coordinates as published files store them."""

    faces: np.ndarray  #: [F, 3]
    uvfaces: np.ndarray  #: [F, 3]
    uvcoords: np.ndarray  #: [T, 2], (2u - 1, 1 - 2v)
    uv_mask: np.ndarray  #: [h, w] in 0..1: face and eyes

    @staticmethod
    def from_buffers(faces: torch.Tensor, uvfaces: torch.Tensor, uvcoords: torch.Tensor, uv_mask: np.ndarray) -> UvMesh:
        """From the buffers of a checkpoint, [1, F, 3], [1, F, 3] and [1, T, 3]."""
        triangles, uv_triangles = (t[0].cpu().numpy().astype(np.int32) for t in (faces, uvfaces))
        uv = np.ascontiguousarray(uvcoords[0, :, :2].cpu().numpy(), np.float32)
        return UvMesh(triangles, uv_triangles, uv, np.asarray(uv_mask, np.float32).reshape(np.shape(uv_mask)[-2:]))


def rasterize_views(
    vertices: np.ndarray,
    landmarks: np.ndarray,
    mesh: UvMesh,
    size: int,
    *,
    all_views: bool = False,
    scale: float = 5.0,
    shift: tuple[float, float, float] = (0.0, -0.01, -0.01),
) -> Views:
    """vertices [N, V, 3], landmarks [N, 68, 3], head frame in metres → `Views` of size × size.

    Raises InvalidArgumentError for other landmarks and where a mouth leaves the view.
    """
    if np.ndim(landmarks) != 3 or landmarks.shape[1:] != (LANDMARKS, 3):
        raise fr.InvalidArgumentError(
            f"landmarks must be [N, {LANDMARKS}, 3], got {list(np.shape(landmarks))}; the mouth branch cannot run without them"
        )
    vertices = np.ascontiguousarray(vertices, np.float32)
    front_uv, front_alpha = _view(vertices, mesh, ANGLES["front"], size, scale, shift)
    lips = np.asarray(fr.orthographic_view(np.ascontiguousarray(landmarks, np.float32), ANGLES["front"], scale, shift))
    half = np.float32(size / 2)
    box = np.asarray(fr.mouth_box(np.ascontiguousarray(lips[..., :2] * half + half), size))
    if (box[:, 1] <= box[:, 0]).any() or (box[:, 3] <= box[:, 2]).any():
        raise fr.InvalidArgumentError(f"a mouth covers no pixel of the {size}² view; check that the head is in metres")
    views = Views(torch.from_numpy(front_uv), torch.from_numpy(front_alpha), torch.from_numpy(box.copy()))
    if all_views:
        yaw90_uv, yaw90_alpha = _view(vertices, mesh, ANGLES["yaw90"], size, scale, shift)
        yawm90_uv, _ = _view(vertices, mesh, ANGLES["yawm90"], size, scale, shift)
        top_uv, top_alpha = _view(vertices, mesh, ANGLES["top"], size, scale, shift)
        views.yaw90_uv, views.yawm90_uv = torch.from_numpy(yaw90_uv), torch.from_numpy(yawm90_uv)
        # quirk: the other side's alpha is ignored
        views.side_alpha = torch.from_numpy((yaw90_alpha != 0).astype(np.float32))
        views.top_uv, views.top_alpha = torch.from_numpy(top_uv), torch.from_numpy(top_alpha)
    return views


def _view(
    vertices: np.ndarray,
    mesh: UvMesh,
    angles: tuple[float, float, float],
    size: int,
    scale: float,
    shift: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """uv [N, size, size, 2] and filled alpha [N, 1, size, size] of one view."""
    points = np.asarray(fr.orthographic_view(vertices, angles, scale, shift))
    points = points * np.float32([1, -1, 1])  # rows grow with y', clip space has y up
    clip = np.concatenate([points, np.ones_like(points[..., :1])], -1)
    faces, uvfaces = (np.ascontiguousarray(f[:, [0, 2, 1]]) for f in (mesh.faces, mesh.uvfaces))
    out = fr.rasterize(clip, faces, (size, size), coverage="strict_float", cull="back", perspective=False)
    uv = np.asarray(fr.interpolate(out.face, out.barycentrics, uvfaces, mesh.uvcoords[None]))
    visible = (np.asarray(out.face) >= 0)[..., None].astype(np.float32)
    mask = np.ascontiguousarray(mesh.uv_mask[None, :, :, None], np.float32)
    alpha = np.asarray(fr.sample_texture(mask, uv)) * visible
    filled = np.asarray(fr.fill_enclosed(np.ascontiguousarray(alpha[..., 0])))
    return uv.copy(), filled[:, None].copy()
