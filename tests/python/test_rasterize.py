"""rasterize: NumPy restatements of both coverage rules, analytic scenes, invariances, awkward input."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import forge_rt as fr
import numpy as np
import pytest
import tolerances as tol
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

COVERAGES = ["watertight", "strict_float"]
FRONT = np.array([[0, 1, 2]], np.int32)


def arrays(out) -> dict[str, np.ndarray]:
    parts = {name: getattr(out, name) for name in ("face", "depth", "barycentrics", "label")}
    return {name: np.array(value) for name, value in parts.items() if value is not None}


def assert_same_bytes(a, b) -> None:
    a, b = (x if isinstance(x, dict) else arrays(x) for x in (a, b))
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].shape == b[name].shape and a[name].tobytes() == b[name].tobytes(), name


def triangle(*corners) -> np.ndarray:
    """Corners (x, y, z, w) → positions [1, 3, 4]."""
    return np.array([corners], np.float32)


def wild_scene(seed: int, batch: int = 3, vertices: int = 60, faces: int = 90):
    """Vertices in view, far outside, behind the camera, at the near plane, not finite; repeated and empty triangles."""
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.2, 4, (batch, vertices, 1))
    positions = np.concatenate([rng.uniform(-1.3, 1.3, (batch, vertices, 2)) * w, rng.uniform(0.1, 5, w.shape), w], -1)
    kind = rng.integers(0, 20, (batch, vertices))
    positions[kind == 0, 3] = rng.uniform(-3, 0.02, np.sum(kind == 0))
    positions[kind == 1, 3] = 0.01
    positions[kind == 2, :2] *= 30
    positions[kind == 3, :2] *= 1e6
    positions[kind == 4, 0] = np.nan
    positions[kind == 5, 1] = np.inf
    triangles = rng.integers(0, vertices, (faces, 3))
    triangles[5::9] = triangles[4::9][: len(triangles[5::9])]
    triangles[7::11, 1] = triangles[7::11, 0]
    return dict(
        positions=positions.astype(np.float32),
        triangles=triangles.astype(np.int32),
        face_labels=rng.integers(0, 19, faces, np.uint8),
        face_part=rng.integers(0, 64, faces, np.uint8),
        visible_parts=rng.integers(0, 2**64, batch, np.uint64),
    )


def pixel_centres(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """x right and y up of every pixel centre, [-1, 1] over the image."""
    row, column = np.mgrid[:height, :width]
    return (column + 0.5) / (width / 2) - 1, 1 - (row + 0.5) / (height / 2)


# ---- against our scalar twin ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("cull", ["none", "back"])
@pytest.mark.parametrize("perspective", [True, False])
def test_every_path_equals_the_scalar_twin(isa, coverage, cull, perspective):
    for seed, size in enumerate([(1, 1), (3, 5), (33, 17), (1, 70), (64, 64), (70, 131)]):
        call = dict(**wild_scene(seed), size=size, coverage=coverage, cull=cull, perspective=perspective)
        fast = arrays(fr.rasterize(**call))
        fr.set_isa("baseline")
        oracle = fr.rasterize(**call)
        fr.set_isa(isa)
        assert_same_bytes(fast, oracle)


# ---- against NumPy --------------------------------------------------------------------------------------------------


def numpy_strict(positions, triangles, size, cull_back: bool, perspective: bool = False):
    """Spec §6.2 in float32, one image: X left, Y up, the short side spans [-1, 1]. With `perspective` also §18.4."""
    f32, eps = np.float32, np.float32(1e-8)
    height, width = size

    def centres(n: int, other: int) -> np.ndarray:
        span = f32(2) * (f32(n) / f32(other)) if n > other else f32(2)
        ascending = -(span / f32(2)) + (span * np.arange(n, dtype=f32) + span / f32(2)) / f32(n)
        return ascending[::-1]  # X grows to the left, Y upwards

    px, py = np.meshgrid(centres(width, height), centres(height, width))
    z = positions[:, 3] if perspective else positions[:, 2]
    divisor = positions[:, 3:] if perspective else f32(1)
    xy = positions[:, :2] / divisor * f32([-1, 1])

    def edge(p, a, b):
        return (p[0] - a[0]) * (b[1] - a[1]) - (p[1] - a[1]) * (b[0] - a[0])

    face = np.full(size, -1, np.int32)
    depth = np.full(size, np.inf, f32)
    barycentrics = np.zeros((*size, 3), f32)
    for index, ids in enumerate(triangles):
        v, z0, z1, z2 = xy[ids], *z[ids]
        area = edge(v[2], v[0], v[1])
        if abs(area) <= eps or (cull_back and area < 0):
            continue
        w = [edge((px, py), v[i], v[j]) / (area + eps) for i, j in ((1, 2), (2, 0), (0, 1))]
        inside = (w[0] > 0) & (w[1] > 0) & (w[2] > 0)
        if perspective:
            t = [w[0] * z1 * z2, z0 * w[1] * z2, z0 * z1 * w[2]]
            total = np.maximum(t[0] + t[1] + t[2], eps)
            w = [value / total for value in t]
        d = w[0] * z0 + w[1] * z1 + w[2] * z2
        wins = inside & (d >= 0) & (d < depth)
        face[wins], depth[wins] = index, d[wins]
        barycentrics[wins] = np.stack(w, -1)[wins]
    return face, np.where(face < 0, f32(0), depth), barycentrics


@pytest.mark.parametrize("size", [(40, 40), (23, 51), (64, 9), (1, 1)])
@pytest.mark.parametrize("cull", ["none", "back"])
def test_strict_float_is_the_published_rule(isa, size, cull):
    rng = np.random.default_rng(1)
    span = np.array([max(1, size[1] / size[0]), max(1, size[0] / size[1])])
    for scale in (1.2, 0.2):  # large and small triangles
        positions = np.concatenate(
            [rng.uniform(-1, 1, (50, 2)) * span, rng.uniform(1, 9, (50, 1)), np.ones((50, 1))], -1
        )
        positions[3:, :2] = positions[:3, :2].repeat(16, 0)[:47] + scale * rng.uniform(-1, 1, (47, 2))
        positions = positions.astype(np.float32)
        triangles = rng.integers(0, 50, (70, 3)).astype(np.int32)
        out = arrays(
            fr.rasterize(positions[None], triangles, size, coverage="strict_float", cull=cull, perspective=False)
        )
        face, depth, barycentrics = numpy_strict(positions, triangles, size, cull == "back")
        np.testing.assert_array_equal(out["face"][0], face)
        np.testing.assert_array_equal(out["depth"][0], depth)
        np.testing.assert_array_equal(out["barycentrics"][0], barycentrics)


def test_strict_float_with_perspective_is_the_published_rule(isa):
    rng = np.random.default_rng(2)
    w = rng.uniform(1, 4, (60, 1))
    positions = np.concatenate([rng.uniform(-1.2, 1.2, (60, 2)) * w, w, w], -1).astype(np.float32)
    triangles = rng.integers(0, 60, (60, 3)).astype(np.int32)
    out = arrays(fr.rasterize(positions[None], triangles, 48, coverage="strict_float", cull="none"))
    face, depth, barycentrics = numpy_strict(positions, triangles, (48, 48), False, perspective=True)
    np.testing.assert_array_equal(out["face"][0], face)
    np.testing.assert_array_equal(out["depth"][0], depth)
    np.testing.assert_array_equal(out["barycentrics"][0], barycentrics)


def numpy_watertight(positions, triangles, size, cull_back: bool):
    """24.8 fixed point and the top-left rule, one orthographic image. Face, and depth of the best two surfaces."""
    height, width = size
    half = np.float32([width / 2, height / 2])
    pixels = half + positions[:, :2] * half * np.float32([1, -1])  # y down
    snapped = np.floor(pixels * np.float32(256) + np.float32(0.5)).astype(np.int64)
    y, x = np.mgrid[:height, :width] * 256 + 128
    face = np.full(size, -1)
    nearest, second = np.full(size, np.inf), np.full(size, np.inf)
    for index, ids in enumerate(triangles):
        a, b, c = snapped[ids]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if area == 0 or (cull_back and area > 0):  # counter-clockwise in the world is negative with y down
            continue
        corner = (a, b, c) if area > 0 else (a, c, b)
        z = positions[ids if area > 0 else ids[[0, 2, 1]], 2].astype(float)
        inside, depth = np.ones(size, bool), np.zeros(size)
        for k in range(3):
            p, q = corner[(k + 1) % 3], corner[(k + 2) % 3]
            dx, dy = q - p
            value = dx * (y - p[1]) - dy * (x - p[0])
            owns_its_edge = dy < 0 or (dy == 0 and dx > 0)  # left or top
            inside &= value >= 0 if owns_its_edge else value > 0
            depth += value * z[k] / abs(area)
        wins = inside & (depth < nearest)
        second = np.where(inside, np.minimum(second, np.where(wins, nearest, depth)), second)
        face[wins], nearest[wins] = index, depth[wins]
    return face, nearest, second


def assert_watertight(positions, triangles, size, cull) -> None:
    out = arrays(fr.rasterize(positions[None], triangles, size, cull=cull, perspective=False))
    face, nearest, second = numpy_watertight(positions, triangles, size, cull == "back")
    np.testing.assert_array_equal(out["face"][0] >= 0, face >= 0)
    covered = face >= 0
    clear = covered & (second > np.where(covered, nearest * (1 + tol.DEPTH_TIE_RELATIVE), 0))
    np.testing.assert_array_equal(out["face"][0][clear], face[clear])
    np.testing.assert_allclose(out["depth"][0][covered], nearest[covered], rtol=tol.DEPTH_RELATIVE)


@pytest.mark.parametrize("size", [(40, 40), (23, 51), (1, 1), (1, 33), (65, 2)])
@pytest.mark.parametrize("cull", ["none", "back"])
def test_watertight_is_the_top_left_rule(isa, size, cull):
    rng = np.random.default_rng(3)
    positions = np.concatenate([rng.uniform(-1.5, 1.5, (40, 2)), rng.uniform(1, 5, (40, 1)), np.ones((40, 1))], -1)
    positions[::4, :2] = np.round(positions[::4, :2] * 8) / 8  # on pixel borders and centres
    positions = positions.astype(np.float32)
    assert_watertight(positions, rng.integers(0, 40, (60, 3)).astype(np.int32), size, cull)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    corners=st.lists(
        st.tuples(*[st.floats(-15, 15, width=32)] * 2, st.floats(0.5, 4, width=32)), min_size=3, max_size=3
    ),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_any_single_triangle(isa, corners, height, width):
    positions = np.array([(x, y, z, 1) for x, y, z in corners], np.float32)
    assert_watertight(positions, FRONT, (height, width), "none")


# ---- analytic scenes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coverage", COVERAGES)
def test_barycentrics_are_perspective_correct(isa, coverage):
    size = 90
    rng = np.random.default_rng(4)
    x, y = pixel_centres(size, size)
    for _ in range(20):
        w = rng.uniform(0.3, 5, 3)
        ndc = rng.uniform(-1.5, 1.5, (3, 2))
        corners = np.concatenate([ndc * w[:, None], w[:, None], w[:, None]], -1)
        out = arrays(fr.rasterize(corners[None], FRONT, size, cull="none", coverage=coverage))
        covered = out["face"][0] == 0
        # the point Σ b_k corner_k lies on the pixel's ray: [x_k - x w_k; y_k - y w_k; 1] b = (0, 0, 1)
        flat = [np.broadcast_to(corners[k, 3], x.shape)[covered] for k in range(3)]
        system = np.array([
            [corners[k, 0] - x[covered] * flat[k] for k in range(3)],
            [corners[k, 1] - y[covered] * flat[k] for k in range(3)],
            [np.ones(covered.sum())] * 3,
        ]).transpose(2, 0, 1)  # fmt: skip
        expected = np.linalg.inv(system)[..., 2]
        edges = ndc[[1, 2, 0]] - ndc
        cross = np.abs(edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0])
        height_px = cross / np.linalg.norm(edges, axis=1).max() * size / 2
        if height_px < 4:
            continue
        stretch = w.max() / w.min()  # a screen-space error grows by at most this much
        allowed = (tol.SNAP_PX / height_px if coverage == "watertight" else tol.BARYCENTRIC_STRICT) * stretch
        np.testing.assert_allclose(out["barycentrics"][0][covered], expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("perspective", [True, False])
def test_depth_is_the_blend_of_the_corners(isa, coverage, perspective):
    rng = np.random.default_rng(5)
    w = rng.uniform(0.3, 5, (30, 1))
    centre = rng.uniform(-0.7, 0.7, (10, 2)).repeat(3, 0)
    xy = (centre + rng.uniform(-0.4, 0.4, (30, 2))) * (w if perspective else 1)
    positions = np.concatenate([xy, w, w], -1).astype(np.float32)
    triangles = np.arange(30, dtype=np.int32).reshape(10, 3)
    out = arrays(
        fr.rasterize(positions[None], triangles, (50, 70), coverage=coverage, perspective=perspective, cull="none")
    )
    covered = out["face"] >= 0
    assert covered.any() and not covered.all()
    corner_depth = positions[triangles[out["face"][covered]], 2]  # z = w
    blend = np.sum(out["barycentrics"][covered].astype(float) * corner_depth, -1)
    np.testing.assert_allclose(out["depth"][covered], blend, rtol=tol.DEPTH_RELATIVE * 10)
    np.testing.assert_allclose(
        out["barycentrics"][covered].sum(-1), 1, atol=1e-4 if coverage == "strict_float" else 1e-6
    )
    assert out["barycentrics"][covered].min() >= 0
    assert (out["depth"][~covered] == 0).all() and (out["barycentrics"][~covered] == 0).all()


def ground(pitch: float, height_m: float, focal: float, extent_m: float, size: tuple[int, int], coverage: str):
    """A plane below a camera that looks down by `pitch`: two triangles that reach behind it."""
    world = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]]) * extent_m - [0, height_m, 0]
    c, s = np.cos(pitch), np.sin(pitch)
    rotation = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])  # x right, y up, z forward
    camera = world @ rotation.T
    aspect = size[1] / size[0]
    squeeze = aspect if coverage == "watertight" else 1.0
    positions = np.stack([focal / squeeze * camera[:, 0], focal * camera[:, 1], camera[:, 2], camera[:, 2]], -1)
    x, y = pixel_centres(*size)
    rays = np.stack([x * aspect / focal, y / focal, np.ones_like(x)], -1) @ rotation
    with np.errstate(divide="ignore"):
        distance = -height_m / rays[..., 1]  # camera z: rays have z = 1
    return positions[None].astype(np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32), world, rays, distance


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("pitch", [0.2, 0.9])
@pytest.mark.parametrize("near", [0.05, 0.5])
def test_ground_plane_through_the_near_plane(isa, coverage, pitch, near):
    extent, size = 500.0, (60, 80)
    positions, triangles, world, rays, distance = ground(pitch, 1.5, 1.5, extent, size, coverage)
    out = arrays(fr.rasterize(positions, triangles, size, cull="none", near=near, coverage=coverage))
    hit = rays * distance[..., None]
    # A pixel on the common diagonal may fall between two strict triangles.
    seen = (distance > near) & (np.abs(hit[..., 0]) < extent) & (np.abs(hit[..., 2]) < extent)
    missing = seen & (out["face"][0] < 0)
    assert missing.sum() <= (0 if coverage == "watertight" else size[0])
    assert not (~seen & (out["face"][0] >= 0)).any()
    covered = seen & ~missing
    inverse_error = np.abs(1 / out["depth"][0][covered].astype(float) - 1 / distance[covered])
    assert inverse_error.max() <= tol.CLIPPED_INVERSE_DEPTH_PER_M
    corners = world[triangles[out["face"][0][covered]]]
    point = np.einsum("nk,nkc->nc", out["barycentrics"][0][covered].astype(float), corners)
    error = np.linalg.norm(point - hit[covered], axis=-1) / distance[covered]
    assert error.max() <= tol.CLIPPED_POSITION_RELATIVE


@pytest.mark.parametrize("coverage", COVERAGES)
def test_near_plane_cuts_where_it_says(isa, coverage):
    # A wall along the view, x = 1, from behind the camera to z = 10: depth z shows at column 1 / z, for z >= near.
    wall = triangle((1, -50, 0, -5), (1, -50, 0, 10), (1, 200, 0, 10))
    for near in (0.1, 1.25, 4.0):
        out = arrays(fr.rasterize(wall, FRONT, 64, cull="none", near=near, coverage=coverage))
        depth = out["depth"][out["face"] == 0]
        assert depth.size and depth.min() >= near * (1 - 1e-5)
        x, _ = pixel_centres(64, 64)
        inside = (x > 0.1) & (x < 1 / near)  # pixel column ↔ depth 1 / x on this wall
        np.testing.assert_array_equal(out["face"][0][32] == 0, inside[32])


def test_behind_the_camera_is_not_drawn(isa):
    for coverage in COVERAGES:
        for w in (-1.0, 0.0, 0.009):
            corners = triangle((-3, -3, 1, w), (3, -3, 1, w), (0, 3, 1, w))
            assert (arrays(fr.rasterize(corners, FRONT, 16, cull="none", coverage=coverage))["face"] == -1).all()
        # orthographic views have no camera plane: w is not read
        corners = triangle((-3, -3, 1, -1), (3, -3, 1, np.nan), (0, 3, 1, np.inf))
        out = arrays(fr.rasterize(corners, FRONT, 16, cull="none", coverage=coverage, perspective=False))
        assert (out["face"] == 0).any() and np.isfinite(out["barycentrics"]).all()


def test_strict_float_drops_faces_behind_its_camera_plane(isa):
    corners = triangle((-3, -3, -0.5, 1), (3, -3, 2, 1), (0, 3, 2, 1))
    assert (
        arrays(fr.rasterize(corners, FRONT, 16, cull="none", coverage="strict_float", perspective=False))["face"] < 0
    ).all()


@pytest.mark.parametrize("big", [3.0, 40.0, 1e4, 1e7])
def test_triangles_much_larger_than_the_image(isa, big):
    corners = triangle((-big, -big, 2, 2), (big, -big, 2, 2), (0, big, 2, 2))
    out = arrays(fr.rasterize(corners, FRONT, (31, 57)))
    x, y = pixel_centres(31, 57)
    # in units of the triangle: b2 = (y + s) / 2 s with s = big / 2 in NDC, and b1 - b0 = x / s
    s = big / 2
    b2 = (y + s) / (2 * s)
    b1 = (1 - b2 + x / s) / 2
    inside = np.minimum(np.minimum(b2, b1), 1 - b1 - b2) > 0
    np.testing.assert_array_equal(out["face"][0] == 0, inside)
    expected = np.stack([1 - b1 - b2, b1, b2], -1)[inside]
    np.testing.assert_allclose(out["barycentrics"][0][inside], expected, atol=1e-4)
    np.testing.assert_allclose(out["depth"][0][inside], 2, rtol=tol.DEPTH_RELATIVE)


def test_finite_triangles_of_any_size():
    corners = triangle((-1e10, -1e10, 2, 2), (1e10, -1e10, 2, 2), (0, 1e10, 2, 2))
    assert (arrays(fr.rasterize(corners, FRONT, 8))["face"] == 0).all()


# ---- watertightness -------------------------------------------------------------------------------------------------


def coverage_count(positions, triangles, size, **options) -> np.ndarray:
    """How many triangles cover each pixel when each is drawn alone."""
    count = np.zeros(size, int)
    out = None
    for one in triangles:
        out = fr.rasterize(positions, one[None], size, depth=False, barycentrics=False, out=out, **options)
        count += np.asarray(out.face)[0] >= 0
    return count


@pytest.mark.parametrize("perspective", [True, False])
@pytest.mark.parametrize("grid", [None, 64, 128])
def test_triangulation_covers_each_pixel_of_its_hull_once(isa, perspective, grid):
    """Points anywhere, or on a grid of pixel borders (64) or borders and centres (128)."""
    spatial = pytest.importorskip("scipy.spatial")
    size = (64, 64)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        points = rng.uniform(-0.9, 0.9, (45, 2))
        if grid:
            points = np.unique(np.round(points * (grid / 2)) / (grid / 2), axis=0)
        mesh = spatial.Delaunay(points)
        w = rng.choice([0.5, 1, 2, 4], len(points)) if perspective else np.ones(len(points))  # exact in float32
        positions = np.concatenate([points * w[:, None], w[:, None], w[:, None]], -1)[None].astype(np.float32)
        triangles = mesh.simplices.astype(np.int32)
        count = coverage_count(positions, triangles, size, cull="none", perspective=perspective)
        hull = spatial.ConvexHull(points)
        x, y = pixel_centres(*size)
        distance = (np.stack([x, y], -1) @ hull.equations[:, :2].T + hull.equations[:, 2]).max(-1)
        snap = 2 * 2**0.5 / 512 * 2 / 64  # NDC
        assert (count[distance < -snap] == 1).all()
        assert (count[distance > snap] == 0).all()
        assert count.max() == 1
        # and drawn together: the same silhouette
        together = np.asarray(fr.rasterize(positions, triangles, size, cull="none", perspective=perspective).face)[0]
        np.testing.assert_array_equal(together >= 0, count == 1)


def test_floor_through_near_plane_has_neither_holes_nor_overlaps(isa):
    rng = np.random.default_rng(6)
    n, size = 8, (40, 48)
    z = np.linspace(-20, 60, n + 1)[:, None] + rng.uniform(-2, 2, (n + 1, n + 1))
    x = np.linspace(-300, 300, n + 1)[None].repeat(n + 1, 0)
    positions = np.stack([x, -np.ones_like(x), z, z], -1).reshape(1, -1, 4).astype(np.float32)
    first = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    quads = np.stack([first, first + 1, first + n + 2, first, first + n + 2, first + n + 1], -1)
    count = coverage_count(positions, quads.reshape(-1, 3).astype(np.int32), size, cull="none", near=0.05)
    assert (count[23:] == 1).all()  # the horizon is row 20; x / z leaves the floor near it
    assert (count[:20] == 0).all() and count.max() == 1


# ---- ties, culling, parts, labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("perspective", [True, False])
def test_equal_depth_goes_to_the_lower_index(isa, coverage, perspective):
    rng = np.random.default_rng(7)
    w = rng.uniform(0.5, 3, (12, 1))
    positions = np.concatenate([rng.uniform(-1.5, 1.5, (12, 2)) * w, w, w], -1)[None].astype(np.float32)
    single = rng.integers(0, 12, (25, 3)).astype(np.int32)
    call = dict(size=(33, 40), cull="none", coverage=coverage, perspective=perspective)
    once = arrays(fr.rasterize(positions, single, **call))
    twice = arrays(fr.rasterize(positions, single.repeat(2, 0), **call))
    np.testing.assert_array_equal(twice["face"], np.where(once["face"] < 0, -1, 2 * once["face"]))
    after = arrays(fr.rasterize(positions, np.concatenate([single, single]), **call))
    assert_same_bytes(after, once)


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("perspective", [True, False])
def test_culling_keeps_counter_clockwise(isa, coverage, perspective):
    front = triangle((-1, -1, 1, 1), (1, -1, 1, 1), (0, 1, 1, 1))
    mirrored = front * np.float32([-1, 1, 1, 1])
    call = dict(size=16, coverage=coverage, perspective=perspective)

    def count(positions, ids, cull):
        return int((np.asarray(fr.rasterize(positions, np.array([ids], np.int32), cull=cull, **call).face) >= 0).sum())

    for ids in itertools.permutations(range(3)):
        even = ids in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        drawn = count(front, ids, "none")
        assert drawn > 100
        assert count(front, ids, "back") == (drawn if even else 0)
        assert count(mirrored, ids, "back") == (0 if even else drawn)


def test_culling_of_a_face_cut_by_the_near_plane(isa):
    positions, triangles, *_ = ground(0.2, 1.5, 1.5, 50.0, (40, 40), "watertight")
    kept = {
        name: int((np.asarray(fr.rasterize(positions, ids, 40, cull="back").face) >= 0).sum())
        for name, ids in (("up", triangles), ("down", triangles[:, [0, 2, 1]]))
    }
    assert kept["up"] > 500 and kept["down"] == 0  # the upper side of the ground is counter-clockwise from above


def test_visible_parts_and_labels(isa):
    scene = wild_scene(9, batch=4)
    scene["visible_parts"][:3] = [0, 2**64 - 1, 1 << 63]
    out = arrays(fr.rasterize(**scene, size=(40, 30), cull="none"))
    for image in range(4):
        drawn = (scene["visible_parts"][image] >> scene["face_part"].astype(np.uint64)) & np.uint64(1) == 1
        ids = np.flatnonzero(drawn).astype(np.int32)
        alone = arrays(
            fr.rasterize(scene["positions"][image : image + 1], scene["triangles"][ids], (40, 30), cull="none")
        )
        covered = alone["face"][0] >= 0
        np.testing.assert_array_equal(out["face"][image][covered], ids[alone["face"][0][covered]])
        assert (out["face"][image][~covered] == -1).all()
        np.testing.assert_array_equal(out["depth"][image], alone["depth"][0])
    expected = np.where(out["face"] < 0, 0, scene["face_labels"][out["face"]])
    np.testing.assert_array_equal(out["label"], expected)


# ---- what must not matter -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coverage", COVERAGES)
def test_batch_of_eight_is_eight_batches_of_one(isa, coverage):
    scene = wild_scene(10, batch=8)
    together = arrays(fr.rasterize(**scene, size=(37, 41), coverage=coverage))
    for image in range(8):
        part = {
            **scene,
            "positions": scene["positions"][image : image + 1],
            "visible_parts": scene["visible_parts"][image : image + 1],
        }
        alone = fr.rasterize(**part, size=(37, 41), coverage=coverage)
        assert_same_bytes(alone, {name: value[image : image + 1] for name, value in together.items()})


@pytest.mark.parametrize("coverage", COVERAGES)
def test_thread_count_does_not_matter(isa, coverage, set_threads):
    scene = wild_scene(11, batch=5)
    set_threads(1)
    expected = arrays(fr.rasterize(**scene, size=(75, 50), coverage=coverage))
    for threads in (2, 3):
        set_threads(threads)
        assert_same_bytes(fr.rasterize(**scene, size=(75, 50), coverage=coverage), expected)


def test_python_threads_may_share_everything():
    scene = wild_scene(12)
    expected = arrays(fr.rasterize(**scene, size=64))
    with ThreadPoolExecutor(4) as pool:
        for out in pool.map(lambda _: fr.rasterize(**scene, size=64), range(24)):
            assert_same_bytes(out, expected)


def test_out_is_reused(isa):
    scene, other = wild_scene(13), wild_scene(14)
    expected, first = arrays(fr.rasterize(**scene, size=(20, 30))), fr.rasterize(**other, size=(20, 30))
    views = {name: np.asarray(getattr(first, name)) for name in expected}
    again = fr.rasterize(**scene, size=(20, 30), out=first)
    for name, view in views.items():  # same memory, new content
        assert np.shares_memory(view, np.asarray(getattr(again, name))), name
        assert np.shares_memory(view, np.asarray(getattr(first, name))), name
    assert_same_bytes(first, expected)
    # another size or batch: new memory, the old stays as it is
    larger = fr.rasterize(**scene, size=(21, 30), out=first)
    assert np.asarray(larger.face).shape == np.asarray(first.face).shape == (3, 21, 30)
    assert_same_bytes(views, expected)
    # what is not asked for goes away
    bare = fr.rasterize(scene["positions"], scene["triangles"], 8, depth=False, barycentrics=False, out=first)
    assert bare.depth is bare.barycentrics is bare.label is first.depth is None


def test_parts_of_the_output_are_optional(isa):
    scene = wild_scene(15)
    full = arrays(fr.rasterize(**scene, size=25))
    for depth, barycentrics in itertools.product([True, False], repeat=2):
        out = fr.rasterize(**scene, size=25, depth=depth, barycentrics=barycentrics)
        assert (out.depth is not None) == depth and (out.barycentrics is not None) == barycentrics
        assert_same_bytes({k: v for k, v in full.items() if k in arrays(out)}, out)


# ---- awkward input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("batch, vertices, faces", [(0, 3, 1), (0, 0, 0), (2, 3, 0), (2, 0, 0)])
def test_nothing_to_draw(isa, coverage, batch, vertices, faces):
    positions, triangles = np.zeros((batch, vertices, 4), np.float32), np.zeros((faces, 3), np.int32)
    labels = np.zeros(faces, np.uint8)
    out = arrays(fr.rasterize(positions, triangles, (5, 7), coverage=coverage, face_labels=labels))
    assert out["face"].shape == (batch, 5, 7) and out["barycentrics"].shape == (batch, 5, 7, 3)
    assert out["face"].dtype == np.int32 and out["depth"].dtype == np.float32 and out["label"].dtype == np.uint8
    assert (out["face"] == -1).all() and (out["depth"] == 0).all() and (out["label"] == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 8192), (8192, 1), (7, 3)])
def test_smallest_and_largest_images(isa, size):
    corners = triangle((-9, -9, 1, 1), (9, -9, 1, 1), (0, 9, 1, 1))
    out = arrays(fr.rasterize(corners, FRONT, size))
    assert out["face"].shape == (1, *size) and (out["face"] == 0).all()


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("perspective", [True, False])
def test_degenerate_triangles_draw_nothing(isa, coverage, perspective):
    corners = np.zeros((1, 6, 4), np.float32)
    corners[0, :, 0] = [-0.5, 0.5, 0, 0, 0.25, 0.25]
    corners[0, :, 1] = [0, 0, 0, 0.75, 0.5, 0.5]
    corners[..., 2:] = 1
    ids = np.array([[0, 1, 2], [0, 0, 0], [0, 0, 1], [3, 4, 5], [4, 5, 4], [1, 2, 0]], np.int32)
    for cull in ("none", "back"):
        assert (
            np.asarray(fr.rasterize(corners, ids, 33, cull=cull, coverage=coverage, perspective=perspective).face) < 0
        ).all()


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_triangles_with_bad_vertices_are_left_out(isa, coverage, bad):
    rng = np.random.default_rng(16)
    w = rng.uniform(1, 2, (30, 1))
    good = np.concatenate([rng.uniform(-1, 1, (30, 2)) * w, w, w], -1)[None].astype(np.float32)
    triangles = rng.integers(0, 30, (40, 3)).astype(np.int32)
    for component in range(4):
        positions = good.copy()
        positions[0, ::5, component] = bad
        keep = np.flatnonzero((triangles % 5 != 0).all(1)).astype(np.int32)
        out = arrays(fr.rasterize(positions, triangles, 32, cull="none", coverage=coverage))
        expected = arrays(fr.rasterize(good, triangles[keep], 32, cull="none", coverage=coverage))
        expected["face"] = np.where(expected["face"] < 0, -1, keep[expected["face"]])
        assert_same_bytes(out, expected)


def test_arrays_of_many_kinds(isa):
    scene = wild_scene(17)
    expected = arrays(fr.rasterize(**scene, size=(20, 24)))
    padded = np.zeros((3, 120, 6), np.float32)
    padded[:, ::2, 1:5] = scene["positions"]
    frozen = {name: value.copy() for name, value in scene.items()}
    for value in frozen.values():
        value.setflags(write=False)
    variants = {
        "strided": {**scene, "positions": padded[:, ::2, 1:5], "triangles": np.asfortranarray(scene["triangles"])},
        "float64 and int64": {
            **scene,
            "positions": scene["positions"].astype(np.float64),
            "triangles": scene["triangles"].astype(np.int64),
        },
        "big endian": {
            **scene,
            "positions": scene["positions"].astype(">f4"),
            "triangles": scene["triangles"].astype(">i2"),
        },
        "lists": {name: value.tolist() for name, value in scene.items()},
        "read-only": frozen,
        "forge_rt": {name: fr.from_dlpack(value) for name, value in scene.items()},
    }
    for name, variant in variants.items():
        assert arrays(fr.rasterize(**variant, size=(20, 24)))["face"].tobytes() == expected["face"].tobytes(), name
        assert_same_bytes(fr.rasterize(**variant, size=np.array([20, 24])), expected)


def test_torch_arrays():
    torch = pytest.importorskip("torch")
    scene = wild_scene(18)
    expected = arrays(fr.rasterize(**scene, size=24))
    tensors = {name: torch.from_numpy(value) for name, value in scene.items()}
    out = fr.rasterize(**tensors, size=24)
    assert_same_bytes(out, expected)
    face = torch.from_dlpack(out.face)  # and back, without a copy
    assert face.dtype == torch.int32 and np.shares_memory(face.numpy(), np.asarray(out.face))

    def refused(message: str, **change) -> None:
        with pytest.raises(fr.InvalidArgumentError, match=message):
            fr.rasterize(**{**tensors, **change}, size=24)

    refused(r"positions must be \[B, V, 4\] float32, got \[3, 60, 4\] float64", positions=tensors["positions"].double())
    refused(r"positions must be \[B, V, 4\] float32, got \[3, 60, 4\] float16", positions=tensors["positions"].half())
    refused(r"triangles must be \[F, 3\] int32, got \[90, 3\] int64", triangles=tensors["triangles"].long())
    refused(r"face_labels must be \[F\] uint8, got \[90\] int8", face_labels=tensors["face_labels"].to(torch.int8))
    refused("positions must be contiguous", positions=tensors["positions"].flip(0).mT.contiguous().mT)
    with pytest.raises(BufferError, match="detach"):
        fr.rasterize(tensors["positions"].clone().requires_grad_(), tensors["triangles"], 24)


P, T = np.zeros((2, 3, 4), np.float32), FRONT


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(positions=P[0]), r"positions must be \[B, V, 4\] float32, got \[3, 4\] float32"),
        (dict(positions=P[..., :3]), r"positions must be \[B, V, 4\] float32, got \[2, 3, 3\] float32"),
        (dict(triangles=T[0]), r"triangles must be \[F, 3\] int32, got \[3\] int32"),
        (dict(triangles=np.zeros((1, 4), np.int32)), r"triangles must be \[F, 3\] int32, got \[1, 4\] int32"),
        (dict(triangles=[[0, 1, 3]]), r"triangles\[0\] names vertex 3, but positions has 3 vertices"),
        (dict(triangles=[[0, 1, 2], [0, -1, 2]]), r"triangles\[1\] names vertex -1, but positions has 3 vertices"),
        (dict(positions=P[:, :0]), r"triangles\[0\] names vertex 0, but positions has 0 vertices"),
        (dict(size=(0, 4)), r"image size must be 1\.\.8192 on both axes, got 0 x 4"),
        (dict(size=(4, 8193)), r"image size must be 1\.\.8192 on both axes, got 4 x 8193"),
        (dict(size=-1), r"image size must be 1\.\.8192 on both axes, got -1 x -1"),
        (dict(near=0.0), r"near must be finite and > 0 for a perspective camera, got 0"),
        (dict(near=-1.0), r"near must be finite and > 0 .* got -1"),
        (dict(near=float("nan")), r"near must be finite and > 0"),
        (dict(near=float("inf")), r"near must be finite and > 0"),
        (dict(coverage="exact"), r"coverage must be 'watertight' or 'strict_float', got 'exact'"),
        (dict(cull="front"), r"cull must be 'none' or 'back', got 'front'"),
        (dict(face_labels=np.zeros(2, np.uint8)), r"face_labels must be \[F\] uint8, got \[2\] uint8"),
        (dict(visible_parts=np.zeros(2, np.uint64)), r"visible_parts needs face_part"),
        (
            dict(visible_parts=np.zeros(1, np.uint64), face_part=[0]),
            r"visible_parts must be \[B\] uint64, got \[1\] uint64",
        ),
        (
            dict(visible_parts=np.zeros(2, np.uint64), face_part=[0, 1]),
            r"face_part must be \[F\] uint8, got \[2\] uint8",
        ),
        (dict(visible_parts=np.zeros(2, np.uint64), face_part=[64]), r"face_part must be < 64, got 64"),
    ],
)
def test_errors_say_what_was_expected(change, message):
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.rasterize(**{**dict(positions=P, triangles=T, size=4), **change})


@pytest.mark.parametrize("near", [0.0, float("nan")])
def test_near_is_not_read_without_perspective(near):
    assert fr.rasterize(P, T, 4, near=near, perspective=False).face.shape == (2, 4, 4)


@pytest.mark.parametrize("size", ["ab", (4, 5, 6), None, (4.0, 5.0), 2**40])
def test_wrong_sizes_are_explained(size):
    with pytest.raises(fr.InvalidArgumentError, match="size must"):
        fr.rasterize(P, T, size)


def test_size_may_be_a_numpy_integer():
    assert fr.rasterize(P, T, np.int64(4)).face.shape == (2, 4, 4)


@pytest.mark.parametrize(
    "change",
    [
        dict(triangles=np.array([[0, 1, 2**32]])),
        dict(triangles=np.array([[0, 1.5, 2]])),
        dict(face_labels=np.array([300])),
    ],
)
def test_conversions_that_change_values_are_refused(change):
    with pytest.raises(fr.InvalidArgumentError, match=r"values that do not fit (int32|uint8)"):
        fr.rasterize(**{**dict(positions=P, triangles=T, size=4), **change})
