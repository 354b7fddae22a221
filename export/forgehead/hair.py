"""Hair: a pool of pieces (shells on the scalp, curtains, fringe, tail, bun) that styles combine.

Styles share vertices and repeat faces: a vertex costs a row of every basis, a triangle 25 bytes.
Shells are polar sheets from the crown, rows follow the scalp to an irregular hairline and dip under the skin there.
Curtains and the fringe start on a row of the cap, so that no seam shows. Everything is mirror-symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from .grids import Index, outward, ring_mirror, sheet
from .parameters import Array, Parameters, load_table, smoothstep
from .sculpture import Sculpture
from .template import FLIP

EAR_ROOT, EAR_ROOM = 0.60, np.array([0.26, 0.40, 0.32])  # dome over an ear that hanging hair keeps outside of
HAIR_CENTRE = np.array([0.0, 0.22, -0.12])
HAIRLINE_DEPTH = (-0.95, -0.62, -0.40, -0.22, -0.10, 0.04, 0.14, 0.20, 0.30, 0.44, 0.58, 0.70, 0.82)
HAIRLINE_HEIGHT = (-0.62, -0.66, -0.45, -0.22, 0.10, 0.10, -0.10, -0.22, 0.12, 0.38, 0.60, 0.63, 0.64)
SEED = 5
RIM_DEPTH = -0.10  # the rim of a shell dips under the skin by this share of its thickness


@dataclass(frozen=True)
class Hair:
    """All pieces in one vertex pool; `styles` name -> faces [F, 3]. uv in -1..1 of the chart."""

    vertices: Array
    mirror: Index
    uv: Array
    styles: dict[str, Index]


class _Pool:
    def __init__(self) -> None:
        self.rows: list[Array] = []
        self.uv: list[Array] = []
        self.piece: list[Array] = []
        self.count = 0

    def add(self, vertices: Array, uv: Array) -> Index:
        """Appends [..., 3] vertices; returns their ids in the same shape."""
        shape = vertices.shape[:-1]
        size = int(np.prod(shape))
        self.rows.append(vertices.reshape(-1, 3))
        self.uv.append(uv.reshape(-1, 2))
        self.piece.append(np.full(size, len(self.piece), float))
        self.count += size
        return np.arange(self.count - size, self.count).reshape(shape)

    def mirrored(self) -> tuple[Array, Index]:
        """Exactly symmetric vertices and their mirror map."""
        vertices, piece = np.concatenate(self.rows), np.concatenate(self.piece)
        key = np.column_stack([vertices, 10.0 * piece])
        mirror = cKDTree(key).query(key * [-1, 1, 1, 1])[1]
        if not (mirror[mirror] == np.arange(len(mirror))).all():
            raise ValueError("a hair piece is not mirror-symmetric")
        return 0.5 * (vertices + vertices[mirror] * FLIP), mirror


@dataclass(frozen=True)
class _Shell:
    """A polar sheet: vertex ids [rows, columns], the scalp below, its azimuths, and its faces."""

    ids: Index
    grid: Array
    scalp: Array
    normal: Array
    azimuth: Array
    faces: Index


def hairline(z: Array) -> Array:
    """Lowest scalp height that carries hair, as a function of depth."""
    return np.interp(z, HAIRLINE_DEPTH, HAIRLINE_HEIGHT)


def build_hair(sculpture: Sculpture, p: Parameters, scale: float) -> Hair:
    """All styles of `tables/hair.json`. scale: of the vertex counts."""
    table = load_table("hair")
    rng = np.random.default_rng(SEED)
    pool = _Pool()
    shells = {row["name"]: _shell(row, pool, sculpture, scale, rng) for row in table["shells"]}
    cap = shells["cap"]
    faces = {name: shell.faces for name, shell in shells.items()}
    faces |= _curtains(table["curtain"], cap, pool, sculpture, p, rng)
    faces["fringe"] = _fringe(table["fringe"], cap, pool, sculpture, rng)
    for row in table["tubes"]:
        faces[row["name"]] = _tube(row, pool, scale)
    vertices, mirror = pool.mirrored()
    styles = {s["name"]: np.concatenate([faces[piece] for piece in s["pieces"]]) for s in table["styles"]}
    used = np.unique(np.concatenate(list(styles.values())))
    if len(used) != len(vertices):
        raise ValueError(f"{len(vertices) - len(used)} hair vertices belong to no style")
    return Hair(vertices, mirror, np.concatenate(pool.uv), styles)


def _fold(points: Array) -> Array:
    return np.abs(points) * [1, 0, 0] + points * [0, 1, 1]


def _normals(sculpture: Sculpture, points: Array) -> Array:
    normal = sculpture.normal(_fold(points.reshape(-1, 3))).reshape(points.shape)
    normal[..., 0] *= np.where(points[..., 0] < 0, -1.0, 1.0)
    return normal


def _jitter(rng: np.random.Generator, columns: int) -> Array:
    """[columns] random -1 .. 1, the same on both sides."""
    noise = rng.uniform(-1.0, 1.0, columns)
    return np.where(np.arange(columns) <= ring_mirror(columns), noise, noise[ring_mirror(columns)])


def _disc_uv(radius: Array, azimuth: Array) -> Array:
    """[rows, columns, 2]: radius along the strand, forward = down in the chart."""
    return np.stack([radius[:, None] * np.cos(azimuth), -radius[:, None] * np.sin(azimuth)], -1)


# ---------------------------------------------------------------- shells
def _shell(style: dict[str, Any], pool: _Pool, sculpture: Sculpture, scale: float, rng: np.random.Generator) -> _Shell:
    """pole [y, z], thick, round (how late it thins towards the rim), lump, ragged, lock, columns, rows."""
    columns, rows = 4 * round(style["columns"] * scale / 4), style["rows"]
    azimuth = np.arange(columns) * 2 * np.pi / columns  # 0 = subject's left, pi / 2 = forward
    scalp = _scalp_rows(style, sculpture, azimuth, rows, style["ragged"] * _jitter(rng, columns))
    along = np.linspace(0.0, 1.0, rows)[:, None]
    normal = _normals(sculpture, scalp)
    lock = 1.0 + style["lock"] * _jitter(rng, columns) * smoothstep(0.25, 0.8, along)
    crown = 1.0 + style["volume"] * smoothstep(0.45, 1.0, scalp[..., 1]) * smoothstep(-0.5, 0.3, scalp[..., 2])
    profile = np.sqrt(np.maximum(1.0 - along ** style["round"], 0.0)) * (0.8 + 0.2 * smoothstep(0.0, 0.3, along))
    height = style["thick"] * profile * lock * crown
    height[-1] = RIM_DEPTH * min(style["thick"], 0.1)
    grid = scalp + normal * height[..., None]
    if style["lump"]:
        away = (grid - HAIR_CENTRE) / np.linalg.norm(grid - HAIR_CENTRE, axis=-1, keepdims=True)
        side = np.abs(grid[..., 0])
        wobble = np.cos(11 * grid[..., 1] + 1) * np.cos(12 * side) + np.cos(13 * grid[..., 2] + 5 * side)
        fade = smoothstep(1.0, 0.8, along)
        grid += away * (style["lump"] * wobble * fade)[..., None]
    pole = grid[0].mean(0) + np.array([0.0, 0.1 * style["thick"], 0.0])
    radius = np.linspace(0.05, style["chart_radius"], rows)
    ids = pool.add(np.concatenate([grid.reshape(-1, 3), pole[None]]),
                   np.concatenate([_disc_uv(radius, azimuth).reshape(-1, 2), [[0.0, 0.0]]]))  # fmt: skip
    top, ids = ids[-1], ids[:-1].reshape(rows, columns)
    fan = np.stack([np.full(columns, top), ids[0], np.roll(ids[0], -1)], 1)
    faces = np.concatenate([fan, ids.ravel()[sheet(rows, columns, closed=True)]])
    vertices = np.zeros((pool.count, 3))
    vertices[ids], vertices[top] = grid, pole
    return _Shell(ids, grid, scalp, normal, azimuth, outward(vertices, faces, HAIR_CENTRE))


def _scalp_rows(style: dict[str, Any], sculpture: Sculpture, azimuth: Array, rows: int, ragged: Array) -> Array:
    """[rows, columns, 3] scalp points from the crown to the hairline."""
    pole = np.array([0.0, *style["pole"]])
    pole /= np.linalg.norm(pole)
    side = np.array([1.0, 0.0, 0.0])
    ahead = np.cross(side, pole)
    spoke = np.cos(azimuth)[:, None] * side + np.sin(azimuth)[:, None] * ahead
    theta = np.linspace(0.05, 2.75, 120)
    direction = np.cos(theta)[:, None, None] * pole + np.sin(theta)[:, None, None] * spoke
    origin = HAIR_CENTRE + 2.6 * direction.reshape(-1, 3)
    travelled = sculpture.march(origin, -direction.reshape(-1, 3), 2.6)
    points = (origin - travelled[:, None] * direction.reshape(-1, 3)).reshape(direction.shape)
    covered = points[..., 1] > hairline(points[..., 2]) - style.get("low", 0.0)
    end = np.where(covered.all(0), len(theta) - 1, np.argmin(covered, 0))
    end = theta[np.maximum(end - 1, 3)]
    end = sum(w * np.roll(end, k) for k, w in ((-2, 0.1), (-1, 0.2), (0, 0.4), (1, 0.2), (2, 0.1))) + ragged
    share = 1.0 - (1.0 - np.linspace(0.0, 1.0, rows)) ** 1.3
    wanted = 0.06 + share[:, None] * (end - 0.06)
    place = np.clip((wanted - theta[0]) / (theta[1] - theta[0]), 0, len(theta) - 1.001)
    base = place.astype(int)
    weight = (place - base)[..., None]
    column = np.arange(len(azimuth))
    return points[base, column] * (1 - weight) + points[base + 1, column] * weight


# ---------------------------------------------------------------- hanging pieces
def _curtains(row: dict[str, Any], cap: _Shell, pool: _Pool, sculpture: Sculpture, p: Parameters,
              rng: np.random.Generator) -> dict[str, Index]:  # fmt: skip
    """`curtain_bob` and `curtain_long`: the second continues the first below its tips."""
    start, columns = row["start_row"], cap.ids.shape[1]
    end = cap.scalp[-1]
    hangs = np.maximum(smoothstep(0.36, 0.48, np.abs(end[:, 0])), smoothstep(0.30, 0.12, end[:, 2])) > 0.5
    front = columns // 4
    order = (front + np.arange(columns)) % columns
    chosen = order[hangs[order]]  # from the left temple around the back to the right one
    edge = np.minimum(np.arange(len(chosen)), np.arange(len(chosen))[::-1])  # steps from the free edges
    lock = _jitter(rng, columns)[chosen]

    base, normal = cap.scalp[:, chosen], cap.normal[:, chosen]
    thick = row["thick"] * (1.0 + 0.16 * lock)
    thin_edge = (0.35 + 0.65 * np.minimum(edge / 2.0, 1.0))[:, None]
    over = [base[k] + normal[k] * (thick[:, None] * thin_edge) for k in row["scalp_rows"]]
    heel = over[-1]
    tips = np.array(row["heights"])
    away = (heel - [0.0, 0.0, -0.15]) * [1, 0, 1]
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    hang = []
    for k, tip in enumerate(tips):
        fall = np.maximum(heel[:, 1] - tip - row["ragged"] * lock * (k >= 1), 0.08 + 0.03 * k)
        swing = row["swing"] * np.sqrt(np.minimum(fall / 1.2, 1.0)) * (1.0 - 0.6 * (k == len(tips) - 1))
        wave = row["wave"] * np.sin(4.0 * fall + 2.5 * lock)
        point = heel + away * (swing + wave)[:, None]
        point[:, 1] -= fall
        hang.append(point)
    grid = _outside(np.stack([*over, *hang]), sculpture, p, row["gap"])
    grid = _hang_straight(cap.grid[start, chosen], grid, row["narrowing"])
    tuck = 0.075
    under_bob, under_long = grid[len(over) + row["bob_rows"] - 1] - tuck * away, grid[-1] - tuck * away
    under_bob[:, 1] += 0.05
    under_long[:, 1] += 0.05

    rows = len(grid)
    radius = np.linspace(0.55, 0.97, rows)
    uv = _disc_uv(radius, cap.azimuth[chosen])
    ids = pool.add(grid, uv)
    bob_rim = pool.add(under_bob, _disc_uv(np.array([0.99]), cap.azimuth[chosen])[0])
    long_rim = pool.add(under_long, _disc_uv(np.array([0.99]), cap.azimuth[chosen])[0])
    first = cap.ids[start, chosen]
    bob_rows = len(over) + row["bob_rows"]
    pieces = {
        "curtain_bob": np.concatenate([first[None], ids[:bob_rows], bob_rim[None]]),
        "curtain_long": np.concatenate([first[None], ids, long_rim[None]]),
    }
    vertices = np.concatenate(pool.rows)
    return {name: outward(vertices, _open_sheet(grid_ids), HAIR_CENTRE) for name, grid_ids in pieces.items()}


def _hang_straight(first: Array, grid: Array, narrowing: float) -> Array:
    """Hair falls from the widest place of the head: rows come closer to the axis only by `narrowing` each."""
    axis = np.array([0.0, 0.0, -0.15])
    reach = np.linalg.norm((first - axis)[:, [0, 2]], axis=1)
    result = grid.copy()
    for point in result:
        offset = (point - axis) * [1, 0, 1]
        own = np.linalg.norm(offset, axis=1)
        reach = np.maximum(own, reach - narrowing)
        point += offset * (reach / own - 1.0)[:, None]
    return result


def _fringe(row: dict[str, Any], cap: _Shell, pool: _Pool, sculpture: Sculpture, rng: np.random.Generator) -> Index:
    """From a row of the cap over the hairline down the forehead, with ragged tips."""
    columns = cap.ids.shape[1]
    front = columns // 4
    half = int(np.count_nonzero(np.abs(cap.scalp[-1, :, 0][(cap.scalp[-1, :, 2] > 0.3)]) < row["half_width"])) // 2
    chosen = (front + np.arange(-half, half + 1)) % columns
    lock = _jitter(rng, columns)[chosen]
    edge = np.abs(np.arange(-half, half + 1)) / half
    base = cap.scalp[-2, chosen] + cap.normal[-2, chosen] * row["thick"]
    rim = cap.scalp[-1, chosen]
    rows = [base]
    for k, share in enumerate(row["shares"]):
        length = row["length"] * (1.0 - 0.25 * edge**2) + row["ragged"] * lock * (k == len(row["shares"]) - 1)
        point = rim + np.array([0.0, 0.0, 0.03 + row["thick"] * (1.0 - 0.5 * share)])
        point[:, 1] -= share * length
        point[:, 0] += row["sweep"] * np.sign(point[:, 0]) * share * np.minimum(np.abs(point[:, 0]) / 0.2, 1.0)
        rows.append(point)
    grid = _outside(np.stack(rows), sculpture, None, 0.035)
    grid[-1] -= 0.022 * cap.normal[-1, chosen]  # tips lie close to the skin
    ids = pool.add(grid, _disc_uv(np.linspace(0.55, 0.8, len(grid)), cap.azimuth[chosen]))
    ids = np.concatenate([cap.ids[row["start_row"], chosen][None], ids])
    return outward(np.concatenate(pool.rows), _open_sheet(ids), HAIR_CENTRE)


def _outside(points: Array, sculpture: Sculpture, p: Parameters | None, gap: float) -> Array:
    """Points [..., 3] at least `gap` outside of the head, and of a dome over each ear if `p` is given."""
    flat = points.reshape(-1, 3)
    for _ in range(3):
        value, slope = sculpture.evaluate(_fold(flat))
        slope[:, 0] *= np.where(flat[:, 0] < 0, -1.0, 1.0)
        slope /= np.linalg.norm(slope, axis=1, keepdims=True) + 1e-9
        flat = flat + slope * np.clip(gap - value, 0.0, 0.5)[:, None]
    if p is not None:
        across = (flat[:, 1:] - [p["ear.y"], p["ear.z"] - 0.08]) / EAR_ROOM[1:]
        dome = EAR_ROOM[0] * np.sqrt(np.maximum(1.0 - (across**2).sum(-1), 0.0))
        width = np.abs(flat[:, 0])
        wider = np.where((dome > 0.0) & (width > 0.3), np.maximum(width, EAR_ROOT + dome), width)
        flat = np.column_stack([np.where(flat[:, 0] < 0, -wider, wider), flat[:, 1:]])
    return flat.reshape(points.shape)


def _open_sheet(ids: Index) -> Index:
    rows, columns = ids.shape
    return ids.ravel()[sheet(rows, columns, closed=False)]


# ---------------------------------------------------------------- tail, bun
def _tube(row: dict[str, Any], pool: _Pool, scale: float) -> Index:
    """A closed tube in the plane x = 0: path [[y, z, radius x, radius across], ...] from the head to the tip."""
    path = np.array(row["path"], float)
    columns = 4 * max(2, round(row["columns"] * scale / 4))
    turn = np.arange(columns) * 2 * np.pi / columns
    tangent = np.gradient(path[:, :2], axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    bump = 1.0 + row["bump"] * np.cos(3.0 * turn + 0.5 * np.pi) * np.ones((len(path), 1))
    x = path[:, 2:3] * np.cos(turn) * bump
    rest = path[:, None, :2] + across[:, None] * (path[:, 3:4] * np.sin(turn) * bump)[..., None]
    grid = np.concatenate([x[..., None], rest], -1)
    tip = np.array([[0.0, path[-1, 0] + 0.04 * tangent[-1, 0], path[-1, 1] + 0.04 * tangent[-1, 1]]])
    radius = np.linspace(0.5, 0.95, len(path))
    behind = 1.5 * np.pi + 0.35 * np.cos(turn)  # the chart's strip behind the crown
    ids = pool.add(np.concatenate([grid.reshape(-1, 3), tip]),
                   np.concatenate([_disc_uv(radius, behind).reshape(-1, 2), [[0.0, 0.99]]]))  # fmt: skip
    end, ids = ids[-1], ids[:-1].reshape(len(path), columns)
    close = np.stack([ids[-1], np.full(columns, end), np.roll(ids[-1], -1)], 1)
    faces = np.concatenate([ids.ravel()[sheet(len(path), columns, closed=True)], close])
    axis = np.column_stack([np.zeros(len(path)), path[:, :2]])
    reference = axis[np.repeat(np.minimum(np.arange(len(path)), len(path) - 2), 2 * columns)[: len(faces)]]
    return outward(np.concatenate(pool.rows), faces, reference[: len(faces)])
