"""The surface of a generated head as a mesh (spec/next3d §19).

>>> surface = forge_rt.shape.extract(generator, head)       # head: of Generator.expression
>>> surface.vertices_m, surface.triangles, surface.colors
>>> surface.write("head.ply")
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forge_rt._core import GeneratorHead, InvalidArgumentError, UnsupportedError
from forge_rt.generator import Generator
from forge_rt.mesh_files import write_mesh

__all__ = ["Surface", "extract", "isosurface"]

#: share of the grid that is left out on each side, as published: planes are not trained there
BORDER = 30 / 256
#: what lies around the grid, as published: it closes the mesh where the head is cut
_NOTHING = -1000.0
#: points that are evaluated together: 12 bytes each, and what the op needs
_CHUNK = 1 << 20

#: points [P, 3] float32 → [P] values
Field = Callable[[NDArray[np.float32]], ArrayLike]
Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)  # arrays have no one answer to ==
class Surface:
    """A triangle mesh. Corners of a triangle run against the clock, seen from outside."""

    vertices: NDArray[np.float32]  #: [V, 3] generator units
    vertices_m: NDArray[np.float32]  #: [V, 3] head frame, metres: (vertices - world_shift) / world_scale
    triangles: NDArray[np.int32]  #: [F, 3]
    colors: NDArray[np.uint8] | None  #: [V, 3] RGB: the decoder's first three channels

    def write(self, path: str | os.PathLike[str]) -> None:
        """`.ply` (binary, with colours) or `.obj`; head frame, metres."""
        write_mesh(path, self.vertices_m, self.triangles, self.colors)


def extract(
    generator: Generator,
    head: GeneratorHead,
    *,
    row: int = 0,
    resolution: int = 256,
    level: float | None = None,
    border: float | None = None,
    colors: bool = True,
    largest: bool = True,
    tell: Tell | None = None,
) -> Surface:
    """The surface of one posed head: marching cubes over its raw density.

    row         which head of `head`
    resolution  points of a side of the grid over the model's box (`info.config`: box_warp of rendering), 16..1024
    level       raw density of the surface; None: the model's own, which is 10 as published where its bundle says nothing
    border      share of the grid left out on each side; None: what lies outside of the bundle's `bounds`, or 30/256 as published
    largest     only the largest connected part: fields have specks
    tell        called with (points done, points)

    Memory is about 4 bytes a point of the grid, and the mesh. Raises InvalidArgumentError, also where the field has no such level;
    UnsupportedError where scikit-image is missing.
    """
    if not 0 <= row < len(head):
        raise InvalidArgumentError(f"row must be 0..{len(head) - 1}, a head of those given, got {row}")
    if isinstance(resolution, bool) or not isinstance(resolution, int | np.integer) or not 16 <= resolution <= 1024:
        raise InvalidArgumentError(f"resolution must be a whole number from 16 to 1024, got {resolution!r}")
    if border is not None and not 0 <= border < 0.5:
        raise InvalidArgumentError(f"border must be a share from 0 to below 0.5, got {border!r}")
    info = generator.info
    half = 0.5 * float(info.config["rendering"]["box_warp"])
    axis = np.linspace(-half, half, resolution)
    axes = [_inner(axis, border, None if info.bounds is None else info.bounds[:, a]) for a in range(3)]

    def field(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(_host(generator.density(head, points[None], rows=[row])))[0]

    level = float(info.surface_level) if level is None else level
    vertices, triangles = isosurface(field, axes, level, tell=tell)
    if largest:
        vertices, triangles = _largest(vertices, triangles)
    metres = (vertices - np.asarray(info.world_shift)) / info.world_scale
    rgb = None
    if colors:
        rgb = np.empty((len(vertices), 3), np.uint8)
        for first in range(0, len(vertices), _CHUNK):
            points = vertices[None, first : first + _CHUNK].astype(np.float32)
            _, shades = generator.density(head, points, rows=[row], colour=True)
            rgb[first : first + _CHUNK] = np.clip(np.asarray(_host(shades))[0, :, :3] * 255 + 0.5, 0, 255)
    return Surface(vertices.astype(np.float32), metres.astype(np.float32), triangles, rgb)


def isosurface(
    field: Field, axes: list[NDArray[np.float64]], level: float, *, closed: bool = True, tell: Tell | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Where `field` is `level`, by marching cubes over a grid, evaluated a few planes at a time: vertices [V, 3], triangles [F, 3].

    axes     the grid's x, y and z: evenly spaced, rising
    closed   the mesh is closed where the solid (field above the level) reaches the grid's sides
    """
    measure = require()
    if not np.isfinite(level):
        raise InvalidArgumentError(f"level must be finite, got {level}")
    if min(len(a) for a in axes) < 2:
        raise InvalidArgumentError(f"a grid needs two points on each axis, got {[len(a) for a in axes]}")
    pad = 1 if closed else 0
    shape = [len(a) for a in axes]
    values = np.full([n + 2 * pad for n in shape], min(_NOTHING, level - 1), np.float32)
    inner = values[tuple(slice(pad, pad + n) for n in shape)]
    plane = shape[1] * shape[2]
    yz = np.stack(np.meshgrid(axes[1], axes[2], indexing="ij"), -1).astype(np.float32).reshape(plane, 2)
    step = max(1, _CHUNK // plane)
    low, high = np.inf, -np.inf
    for first in range(0, shape[0], step):
        xs = axes[0][first : first + step].astype(np.float32)
        points = np.empty((len(xs), plane, 3), np.float32)
        points[..., 0], points[..., 1:] = xs[:, None], yz
        some = np.asarray(field(points.reshape(-1, 3)), np.float32).reshape(len(xs), shape[1], shape[2])
        inner[first : first + step] = some
        low, high = min(low, float(some.min())), max(high, float(some.max()))
        if tell is not None:
            tell((first + len(xs)) * plane, shape[0] * plane)
    if not np.isfinite(low + high):
        raise InvalidArgumentError("the field is not finite everywhere in the grid")
    if high <= level or (low >= level and not closed):
        raise InvalidArgumentError(f"there is no surface at level {level:g}: values are {low:.4g} to {high:.4g}")
    spacing = [(a[-1] - a[0]) / (len(a) - 1) for a in axes]
    # "ascent" is about left-handed axes: seen from outside, corners then run against the clock
    vertices, triangles, _, _ = measure.marching_cubes(values, level, spacing=spacing, gradient_direction="ascent")
    start = np.array([a[0] for a in axes]) - pad * np.array(spacing)
    # the library's coordinates are float32 from the grid's corner
    return start + vertices.astype(np.float64), np.ascontiguousarray(triangles, np.int32)


def _inner(axis: NDArray[np.float64], border: float | None, bounds: Any) -> NDArray[np.float64]:
    """The points of one axis that lie within."""
    if border is None and bounds is not None:
        rounding = 1e-6
        return axis[(axis >= bounds[0] - rounding) & (axis <= bounds[1] + rounding)]
    cut = int((BORDER if border is None else border) * len(axis))
    return axis[cut : len(axis) - cut]


def _largest(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """The connected part with most triangles."""
    from scipy.sparse import coo_array  # scikit-image needs SciPy
    from scipy.sparse.csgraph import connected_components

    count = len(vertices)
    one, other = triangles[:, [0, 1]].T
    third = triangles[:, 2]
    edges = (np.concatenate([one, other]), np.concatenate([other, third]))
    _, part = connected_components(coo_array((np.ones(len(edges[0]), bool), edges), (count, count)), directed=False)
    of_triangle = part[triangles[:, 0]]
    keep = of_triangle == np.bincount(of_triangle).argmax()
    used, renumbered = np.unique(triangles[keep], return_inverse=True)
    return vertices[used], renumbered.reshape(-1, 3).astype(np.int32)


def _host(tensor: Any) -> Any:
    return tensor.to("cpu") if hasattr(tensor, "to") else tensor


def require() -> Any:
    """scikit-image's `measure`. Raises UnsupportedError where it is missing."""
    try:
        from skimage import measure
    except ImportError:
        raise UnsupportedError('meshes need scikit-image: pip install "forge-rt[shape]"') from None
    return measure
