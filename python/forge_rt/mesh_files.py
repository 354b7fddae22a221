"""Triangle meshes as files: PLY (binary) and Wavefront OBJ."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from forge_rt._core import InvalidArgumentError

__all__ = ["SUFFIXES", "write_mesh"]

SUFFIXES = (".ply", ".obj")


def write_mesh(
    path: str | os.PathLike[str], vertices: ArrayLike, triangles: ArrayLike, colors: ArrayLike | None = None
) -> None:
    """Writes a mesh, atomically, in the format of the path's suffix.

    vertices [V, 3]; triangles [F, 3], counted from 0; colors [V, 3] uint8 RGB (in OBJ as numbers behind the coordinates, which most programs
    read). Raises InvalidArgumentError for another suffix or shape, InputOutputError where the disk refuses.
    """
    from forge_rt.production.files import write_atomically

    path = Path(path)
    points, faces = np.asarray(vertices, np.float32), np.asarray(triangles, np.int32)
    shades = None if colors is None else np.asarray(colors)
    if points.ndim != 2 or points.shape[1:] != (3,) or faces.ndim != 2 or faces.shape[1:] != (3,):
        raise InvalidArgumentError(
            f"a mesh has vertices [V, 3] and triangles [F, 3], got {list(points.shape)} and {list(faces.shape)}"
        )
    if faces.size and (faces.min() < 0 or faces.max() >= len(points)):
        raise InvalidArgumentError(f"triangles must name vertices 0..{len(points) - 1}")
    if shades is not None and (shades.shape != points.shape or shades.dtype != np.uint8):
        raise InvalidArgumentError(
            f"colors must be uint8 {list(points.shape)}, got {shades.dtype} {list(shades.shape)}"
        )
    write = {".ply": _ply, ".obj": _obj}.get(path.suffix.lower())
    if write is None:
        raise InvalidArgumentError(f"a mesh is written as {' or '.join(SUFFIXES)}, got {path.name}")
    write_atomically(path, write(points, faces, shades))


def _ply(points: np.ndarray, faces: np.ndarray, colors: np.ndarray | None) -> bytes:
    fields = [(name, "<f4") for name in "xyz"]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property float {name}" for name in "xyz"]
    if colors is not None:
        names = ("red", "green", "blue")
        fields += [(name, "u1") for name in names]
        header += [f"property uchar {name}" for name in names]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    rows = np.empty(len(points), fields)
    for c, name in enumerate("xyz"):
        rows[name] = points[:, c]
    if colors is not None:
        for c, name in enumerate(names):
            rows[name] = colors[:, c]
    polygons = np.empty(len(faces), [("corners", "u1"), ("vertices", "<i4", 3)])
    polygons["corners"], polygons["vertices"] = 3, faces
    return "\n".join(header).encode() + rows.tobytes() + polygons.tobytes()


def _obj(points: np.ndarray, faces: np.ndarray, colors: np.ndarray | None) -> bytes:
    values, form = points.astype(np.float64), "v %.7g %.7g %.7g"
    if colors is not None:
        values, form = np.concatenate([values, colors / 255], 1), form + " %.4g %.4g %.4g"
    lines = [form % tuple(row) for row in values.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()
