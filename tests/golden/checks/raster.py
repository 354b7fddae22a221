"""raster.npz: visibility rule, neural-texture views, mouth filling and box (spec/next3d §6-7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np

from . import tolerances as tol
from .report import Report, groups

companions: tuple[str, ...] = ()

#: pitch, yaw, roll in degrees, by the names of the vectors
VIEWS = {"front": (0, 0, 0), "yaw90": (0, 90, 0), "yawm90": (0, -90, 0), "pitch90": (90, 0, 0)}


def run(path: Path, case: dict[str, Any], report: Report) -> None:
    data = dict(np.load(path, allow_pickle=False))
    for part, array in (("small", "small.verts"), ("head", "verts"), ("fill", "fill.in")):
        if array not in data:
            report.fail(f"raster/{part}", f"the file lacks {array}")
    for name in report.paths():
        _small(data, name, report)
        _head(data, name, report)


def _clip(points: np.ndarray) -> np.ndarray:
    """X right, Y up, depth → clip space of an orthographic rasterize."""
    return np.concatenate([points, np.ones((*points.shape[:-1], 1), points.dtype)], axis=-1).astype(np.float32)


def _rasterize(clip: np.ndarray, faces: np.ndarray, size: tuple[int, int], cull: str) -> Any:
    return fr.rasterize(clip, faces.astype(np.int32), size, coverage="strict_float", cull=cull, perspective=False)


def _small(data: dict[str, np.ndarray], path: str, report: Report) -> None:
    if "small.verts" not in data:
        return
    clip = _clip(data["small.verts"] * np.float32([-1, 1, 1]))[None]  # the vectors have X left
    for found in groups(data, r"(small_\w+)\.face$"):
        name = found.group(1)
        want = data[f"{name}.face"]
        cull = "none" if name.endswith("nocull") else "back"
        out = _rasterize(clip, data["small.faces"], want.shape, cull)
        face = np.asarray(out.face)[0]
        clear = np.abs(data[f"{name}.dist"]) >= tol.BORDERLINE if f"{name}.dist" in data else np.ones(want.shape, bool)
        covered = (want >= 0) | (face >= 0)
        report.share(f"raster/{name}.face", path, (face != want) & clear, covered, tol.FACE_SHARE)
        same = (want >= 0) & (face == want)
        report.close(f"raster/{name}.zbuf", path, np.asarray(out.depth)[0], data[f"{name}.zbuf"], tol.DEPTH, same)
        report.close(
            f"raster/{name}.bary",
            path,
            np.asarray(out.barycentrics)[0],
            data[f"{name}.bary"],
            tol.BARYCENTRICS,
            same[..., None],
        )


def _head(data: dict[str, np.ndarray], path: str, report: Report) -> None:
    if "fill.in" in data:
        report.close("raster/fill", path, fr.fill_enclosed(data["fill.in"]), data["fill.out"], tol.EXACT)
    if "verts" not in data:
        return
    scale, shift = float(data["orth_scale"].ravel()[0]), tuple(float(s) for s in data["orth_shift"].ravel())
    faces = data["template_faces"].astype(np.int32)[:, [0, 2, 1]]  # the published vertex order
    uv_faces = data["template_uvfaces"].astype(np.int32)[:, [0, 2, 1]]
    grid_of_uv = np.stack([2 * data["template_uv"][:, 0] - 1, -(2 * data["template_uv"][:, 1] - 1)], -1).astype(
        np.float32
    )[None]
    mask = (data["uv_mask"].astype(np.float32) / 255)[None, :, :, None]
    small = data["tex_small"].astype(np.float32)
    repeat = data["uv_mask"].shape[0] // small.shape[-1]
    texture = small.repeat(repeat, 2).repeat(repeat, 3).transpose(0, 2, 3, 1)

    sampled, alpha = {}, {}
    for view, angles in VIEWS.items():
        if f"{view}.face" not in data:
            continue
        size = data[f"{view}.face"].shape[1:]
        points = np.asarray(fr.orthographic_view(data["verts"], angles, scale, shift))
        step = -(-points.shape[1] // data[f"{view}.verts_ndc"].shape[1])
        report.close(
            f"raster/{view}.verts_ndc",
            path,
            (points * np.float32([-1, -1, 1]))[:, ::step],
            data[f"{view}.verts_ndc"],
            tol.VERTICES * 10,
        )
        landmarks = np.asarray(fr.orthographic_view(data["lms"], angles, scale, shift))[..., :2]
        report.close(f"raster/{view}.lm2d", path, landmarks, data[f"{view}.lm2d"], tol.VERTICES * 10)

        out = _rasterize(_clip(points * np.float32([1, -1, 1])), faces, size, "back")  # rows grow with y'
        face, want = np.asarray(out.face), data[f"{view}.face"]
        report.share(f"raster/{view}.face", path, face != want, want >= 0, tol.FACE_SHARE)
        same = (want >= 0) & (face == want)
        if f"{view}.zbuf" in data:
            report.close(f"raster/{view}.zbuf", path, out.depth, data[f"{view}.zbuf"], tol.DEPTH, same)
        if f"{view}.zbuf_f16" in data:
            report.close(f"raster/{view}.zbuf", path, out.depth, data[f"{view}.zbuf_f16"], tol.FLOAT16 * 16, same)
        if f"{view}.bary" in data:
            stored = data[f"{view}.bary"]
            got = np.asarray(out.barycentrics)[..., : stored.shape[-1]]
            report.close(f"raster/{view}.bary", path, got, stored, tol.BARYCENTRICS, same[..., None])
        grid = np.asarray(fr.interpolate(out.face, out.barycentrics, uv_faces, grid_of_uv))
        sampled[view] = np.asarray(fr.sample_texture(texture, grid)).transpose(0, 3, 1, 2)
        visible = (face >= 0)[:, None].astype(np.float32)
        masked = np.asarray(fr.sample_texture(mask, grid)).transpose(0, 3, 1, 2) * visible
        alpha[view] = fr.fill_enclosed(masked)
        uv_tolerance = tol.UV if data[f"{view}.uv"].dtype == np.float32 else tol.FLOAT16
        agree = (face == want)[:, None]
        report.close(
            f"raster/{view}.uv", path, grid.transpose(0, 3, 1, 2) * masked, data[f"{view}.uv"], uv_tolerance, agree
        )
        if view == "front" and "mouth_box" in data:
            pixels = landmarks * np.float32(size[0] / 2) + np.float32(size[0] / 2)
            report.close("raster/mouth_box", path, fr.mouth_box(pixels, size[0]), data["mouth_box"], tol.EXACT)

    final = {"front": alpha.get("front"), "pitch90": alpha.get("pitch90")}
    if "yaw90" in alpha:
        final["side_binarised"] = (np.asarray(alpha["yaw90"]) != 0).astype(
            np.float32
        )  # quirk: yaw-90's alpha is ignored
    for view, got in final.items():
        if got is not None and f"{view}.alpha_final" in data:
            report.close(f"raster/{view}.alpha_final", path, got, data[f"{view}.alpha_final"], tol.ALPHA)
    textures = {"front": sampled.get("front"), "pitch90": sampled.get("pitch90")}
    if {"yaw90", "yawm90"} <= sampled.keys():
        textures["side_sum"] = sampled["yaw90"] + sampled["yawm90"]  # quirk: added unflipped
    for view, got in textures.items():
        if got is not None and f"{view}.tex_probe" in data:
            report.close(
                f"raster/{view}.tex_probe", path, got.ravel()[data["probe_idx"]], data[f"{view}.tex_probe"], tol.TEXTURE
            )
