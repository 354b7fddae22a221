"""The body below the head: its shape, a skin for open collars, and sheets that drape over it.

Idea: the body is a smooth union with the head's own sculpture, so that the skin leaves the neck without a crease. Sheets are
rays from the middle of the chest: a neckline (polar angle per azimuth) and rows that run from it down to the waist.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .head import Head
from .mesh_tools import Bound, Patch, bind_to, capsule, cast_inwards, ellipsoid, gradient, grid, smooth_min, unit
from .parameters import Array, base_parameters, smoothstep
from .sculpture import Sculpture

CENTRE = np.array([0.0, -2.9, -0.45])
COLUMNS = 40
BOTTOM = np.radians(152.0)
NECK_BLEND = 0.42


class Body:
    """Field and drapes. `loose` in 0..1 fills the hollows, as cloth does."""

    def __init__(self) -> None:
        self.sculpture = Sculpture(base_parameters())
        even = np.linspace(0.0, 2 * np.pi, COLUMNS, endpoint=False)
        self.azimuth = even - 0.10 * np.sin(2 * even)

    def torso(self, points: Array, loose: float = 0.0) -> Array:
        """Field of the body alone; x >= 0."""
        p = points
        k = 0.45 + 0.5 * loose
        f = ellipsoid(p, [0, -3.75, -0.47], [1.42, 2.0, 0.92])
        f = smooth_min(f, ellipsoid(p, [0, -6.3, -0.44], [1.32, 2.6, 0.92]), 0.8)
        f = smooth_min(f, ellipsoid(p, [0.0, -3.2, 0.06], [1.1, 0.8, 0.42]), 0.6)
        f = smooth_min(f, capsule(p, [0.0, -2.42, -0.52], [1.34, -2.52, -0.55], [0.46, 0.38]), k)
        f = smooth_min(f, capsule(p, [0.10, -1.52, -0.78], [1.22, -2.30, -0.62], [0.22, 0.28]), 0.6)
        f = smooth_min(f, capsule(p, [1.48, -2.58, -0.52], [1.74, -4.6, -0.50], [0.42, 0.36]), 0.5 + 0.45 * loose)
        f = smooth_min(f, capsule(p, [1.74, -4.6, -0.50], [1.84, -8.5, -0.30], [0.36, 0.31]), 0.2)
        # collar bones
        f = smooth_min(f, capsule(p, [0.15, -2.02, 0.04], [0.66, -2.07, 0.0], [0.06, 0.05]), 0.16 + 0.5 * loose)
        return smooth_min(f, capsule(p, [0.66, -2.07, 0.0], [1.22, -2.10, -0.34], [0.05, 0.04]), 0.16 + 0.5 * loose)

    def neck(self, points: Array) -> Array:
        """Field of the sculpture's neck without jaw and shoulders; x >= 0."""
        s = self.sculpture
        rows = [s.names.index("neck"), s.names.index("nape")]
        distance = s.primitive_distances(points.reshape(-1, 3))[0][rows].reshape(2, *points.shape[:-1])
        return smooth_min(distance[0], distance[1], s.blend[rows[1]])

    def field(self, points: Array, loose: float = 0.0) -> Array:
        p = points.copy()
        p[..., 0] = np.abs(p[..., 0])
        return smooth_min(self.neck(p), self.torso(p, loose), NECK_BLEND)

    def around_neck(self, azimuth: Array, height: Array, offset: Array | float) -> Array:
        """[N, 3] points on the neck's own surface at these heights, `offset` away from it."""
        axis = np.stack([0 * height, height, np.full_like(height, -0.40)], -1)
        direction = np.stack([np.cos(azimuth), 0 * azimuth, np.sin(azimuth)], -1)
        t = np.full(len(height), 0.9)
        for _ in range(50):
            p = axis + t[:, None] * direction
            p[:, 0] = np.abs(p[:, 0])
            t = t - 0.7 * np.clip(self.neck(p), -0.2, 0.2)
        return axis + (t + offset)[:, None] * direction

    # ------------------------------------------------------------ rays
    def direction(self, theta: Array, azimuth: Array) -> Array:
        return np.stack([np.sin(theta) * np.cos(azimuth), np.cos(theta), np.sin(theta) * np.sin(azimuth)], -1)

    def surface(self, theta: Array, azimuth: Array, offset: Array | float = 0.0, loose: float = 0.0) -> Array:
        """[..., 3] points over the skin at polar angles from the middle of the chest."""
        direction = self.direction(theta, azimuth)
        flat = direction.reshape(-1, 3)
        field = lambda p: self.field(p, loose)  # noqa: E731
        points = cast_inwards(field, CENTRE, flat)
        normal = unit(gradient(field, points))
        offset_ = np.broadcast_to(offset, theta.shape).reshape(-1, 1)
        return (points + offset_ * normal).reshape(direction.shape)

    def theta_at(self, height: Array, azimuth: Array) -> Array:
        """Polar angle at which the skin has this height."""
        low, high = np.full_like(azimuth, 0.12), np.full_like(azimuth, 2.0)
        for _ in range(14):
            middle = 0.5 * (low + high)
            above = self.surface(middle, azimuth)[..., 1] > height
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return 0.5 * (low + high)

    def neckline(
        self, front: float, side: float, back: float, azimuth: Array | None = None, sharp: float = 1.5
    ) -> Array:
        """Polar angles of a collar of these heights."""
        azimuth = self.azimuth if azimuth is None else azimuth
        s = np.sin(azimuth)
        height = side + (front - side) * np.maximum(s, 0) ** sharp + (back - side) * np.maximum(-s, 0) ** 1.3
        return self.theta_at(height, azimuth)

    def front(self, x: Array, y: Array, offset: Array | float = 0.0, loose: float = 0.0) -> Array:
        """[..., 3] points over the chest straight behind (x, y)."""
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        start = np.stack([x, y, np.zeros_like(x) - 0.45], -1).reshape(-1, 3)
        field = lambda p: self.field(p, loose)  # noqa: E731
        points = start + 0.0
        t = np.full(len(points), 2.5)
        for _ in range(60):
            t = np.maximum(t - 0.75 * field(start + t[:, None] * [0, 0, 1]), 0.0)
        points = start + t[:, None] * [0, 0, 1]
        normal = unit(gradient(field, points))
        return (points + np.broadcast_to(offset, x.shape).reshape(-1, 1) * normal).reshape(*x.shape, 3)

    # ------------------------------------------------------------ sheets
    def drape(self, theta: Array, edge: Sequence[tuple[float, float]], rows: int, offset: float, hang: float = 0.1,
              loose: float = 0.6, folds: float = 0.0, end: float = BOTTOM, azimuth: Array | None = None,
              closed: bool = True) -> Patch:  # fmt: skip
        """Cloth from the neckline down. `edge`: (distance from the neckline, height over the skin) of the collar's own rows."""
        azimuth = self.azimuth if azimuth is None else azimuth
        skin = self.surface(theta, azimuth, 0.0, loose)
        reach = np.linalg.norm(skin - CENTRE, axis=-1)
        thetas = [theta + d / reach for d, _ in edge]
        heights = [np.full_like(theta, h) for _, h in edge]
        down = np.linspace(0.0, 1.0, rows + 1)[1:] ** 1.25
        fold_phase = 9.0 * azimuth + 1.3 * np.sin(2.0 * azimuth + 0.7) + 0.8 * np.sin(5.0 * azimuth)
        for s in down:
            thetas.append(thetas[len(edge) - 1] + (end - thetas[len(edge) - 1]) * s)
            lean = smoothstep(np.radians(62), np.radians(115), thetas[-1])
            fold = folds * lean * np.sin(fold_phase + 2.4 * s)
            heights.append(offset + hang * lean + fold)
        points = self.surface(
            np.array(thetas), np.broadcast_to(azimuth, (len(thetas), len(azimuth))), np.array(heights), loose
        )
        along = 0.1 * np.concatenate([[d for d, _ in edge], edge[-1][0] + down * 5.0])
        uv = np.stack(np.broadcast_arrays((0.1 * azimuth)[None], along[:, None]), -1)
        return grid(points, closed, uv, CENTRE)

    def skin(self) -> Patch:
        """Bare shoulders, chest and upper arms, from just under the neck's own skin."""
        theta = self.neckline(-1.68, -1.24, -1.06)
        edge = [(0.0, -0.012), *((d, 0.0) for d in (0.08, 0.17, 0.27, 0.40, 0.55))]
        return self.drape(theta, edge, 9, -0.02, 0.0, 0.0)


def bind_clothes(head: Head, points: Array) -> Bound:
    """Collars go with the neck; the weights fade towards the shoulders, which only the body scale moves."""
    q = head.rest[: head.skin.count]
    neck = np.flatnonzero((q[:, 1] + 0.25 * (q[:, 2] + 0.3) < -1.2) & (q[:, 2] < 0.2))
    return bind_to(head, points, neck, reach=1.0)
