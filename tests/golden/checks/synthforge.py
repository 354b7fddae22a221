"""synthforge.npz: mesh to world, landmarks, label masks, 8-bit depth and images of the published annotation (spec/next3d §18)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import _core
from forge_rt.annotation import MeshAnnotator, MeshLabels, compat
from forge_rt.annotation.world import SYNTHFORGE_WORLD, Cameras, apply, compose

from . import tolerances as tol
from .report import Report

companions: tuple[str, ...] = ()
_HOST = "scalar"  # double precision on the host, one path


def run(path: Path, case: dict[str, Any], report: Report) -> None:
    data = dict(np.load(path, allow_pickle=False))
    if "depth" in data:
        depth, _ = compat.depth_bytes(data["depth"])
        report.close("synthforge/depth_u8", _HOST, depth[..., None], data["depth_u8"], tol.BYTE)
    if "image_f" in data:
        report.close("synthforge/image_u8", _HOST, _core.to_rgb8(data["image_f"]), data["image_u8"], tol.BYTE)
    if "v" not in data:
        report.fail("synthforge/mesh", "the file lacks v")
        return
    inner, outer = (np.concatenate([data[f"fc{k}_w"], data[f"fc{k}_b"][:, None]], 1) for k in (1, 2))
    trained = compose(outer, inner)
    scaled = apply(SYNTHFORGE_WORLD.matrix, data["v"])
    report.close("synthforge/verts_scaled", _HOST, scaled, data["verts_scaled"], tol.WORLD)
    annotator = _annotator(data, compose(trained, SYNTHFORGE_WORLD.matrix))
    aligned = annotator.align(data["v"])
    report.close("synthforge/verts_aligned", _HOST, aligned, data["verts_aligned"], tol.WORLD)

    at = Cameras.of(data["c"], len(data["v"]))
    report.close("synthforge/fov_deg", _HOST, at.fov_published_deg, np.ravel(data["fov_deg"]), tol.FOV_DEG)
    vertices = annotator.labels.vertices
    marks, points = (
        data["kps2d_512"].reshape(-1, 68, 2),
        data["verts_cam"].reshape(-1, vertices, 3),
    )  # of the first samples
    got = at.project(at.to_camera(aligned[:, vertices:]), 512)[: len(marks)]
    report.close("synthforge/kps2d_512", _HOST, got, marks, tol.LANDMARKS_PX)
    got = at.to_camera(aligned[:, :vertices])[: len(points)]
    report.close("synthforge/verts_cam", _HOST, got, points, tol.WORLD)
    for name in report.paths():
        _masks(data, annotator, name, report)


def _annotator(data: dict[str, np.ndarray], alignment: np.ndarray) -> MeshAnnotator:
    """The vectors' texture is 256 x 256 of arbitrary colours, so that there are no classes to look up."""
    triangles = np.ascontiguousarray(data["template_faces"], np.int32)
    small = data["seg_tex"]
    repeat = 256 // small.shape[0]
    texture = np.ascontiguousarray(small.repeat(repeat, 0).repeat(repeat, 1))
    labels = MeshLabels(
        "synthforge.npz", data["v"].shape[1] - 68, triangles, np.zeros(len(triangles), np.uint8),
        np.ascontiguousarray(data["template_uv"], np.float32), np.ascontiguousarray(data["template_uvfaces"], np.int32),
        np.zeros((1, 1), np.uint8), {0: "background"}, 0, np.zeros((1, 3), np.uint8), texture,
    )  # fmt: skip
    return MeshAnnotator(labels, alignment, mode="compat")


def _masks(data: dict[str, np.ndarray], annotator: MeshAnnotator, path: str, report: Report) -> None:
    want = data["seg_face"].astype(np.int64)
    want = want.reshape(-1, *want.shape[-2:])  # of the first samples
    mesh, cameras = data["v"][: len(want), : annotator.labels.vertices], data["c"][: len(want)]
    hit, at = annotator.surface(mesh, cameras, want.shape[-1])
    face = np.asarray(hit.face)
    report.share("synthforge/seg_face", path, face != want, (want >= 0) | (face >= 0), tol.FACE_SHARE)
    same = (want >= 0) & (face == want)
    # a triangle seen almost from its edge divides by an area near 0
    same &= _area_px(compat.label_clip(at, at.to_camera(annotator.align(mesh))), annotator, face) > tol.MASK_AREA_PX
    barycentrics = data["seg_bary"].reshape(*want.shape, 3)
    report.close("synthforge/seg_zbuf", path, hit.depth, data["seg_zbuf"].reshape(want.shape), tol.MASK_DEPTH, same)
    report.close("synthforge/seg_bary", path, hit.barycentrics, barycentrics, tol.MASK_BARYCENTRICS, same[..., None])
    got = annotator.colors01(face, hit)
    clear = (want < 0) & (face < 0) | (same & (barycentrics.min(-1) > tol.MASK_BORDER))
    report.close(
        "synthforge/seg_render", path, got, data["seg_render"].reshape(got.shape), tol.MASK_COLOR, clear[..., None]
    )
    coded = data["seg_render_u8"].reshape(got.shape)
    report.close("synthforge/seg_render_u8", path, compat.bytes_of(got), coded, tol.BYTE, clear[..., None])


def _area_px(clip: np.ndarray, annotator: MeshAnnotator, face: np.ndarray) -> np.ndarray:
    """[B, S, S]: area in the image of the triangle that a pixel sees, in pixels."""
    corners = (clip[..., :2] / clip[..., 3:])[:, annotator.labels.triangles].astype(np.float64) * face.shape[-1] / 2
    a, b = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    area = np.abs(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]) / 2
    return area[np.arange(len(face))[:, None, None], np.maximum(face, 0)]
