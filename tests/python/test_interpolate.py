"""interpolate and vertex_normals against NumPy and PyTorch; constant and linear attributes; awkward shapes."""

from __future__ import annotations

import forge_rt as fr
import numpy as np
import pytest
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st


def random_pixels(rng, batch, height, width, faces, rows, channels, shared=False):
    """A rasterizer's output and attributes, made up: about a third of the pixels is empty."""
    weights = rng.random((batch, height, width, 3))
    return dict(
        face=rng.integers(-(faces // 2) - 1, faces, (batch, height, width)).clip(-1).astype(np.int32),
        barycentrics=(weights / weights.sum(-1, keepdims=True)).astype(np.float32),
        index=rng.integers(0, max(rows, 1), (faces, 3)).astype(np.int32),
        attributes=rng.normal(size=(1 if shared else batch, rows, channels)).astype(np.float32),
    )


def numpy_interpolate(face, barycentrics, index, attributes):
    out = np.zeros((*face.shape, attributes.shape[2]), np.float32)
    for image in range(len(face)):
        rows = attributes[image if len(attributes) > 1 else 0]
        covered = face[image] >= 0
        corners = rows[index[face[image][covered]]]
        out[image][covered] = np.einsum("pk,pkc->pc", barycentrics[image][covered].astype(float), corners)
    return out


# ---- interpolate ----------------------------------------------------------------------------------------------------


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)),
    faces=st.integers(1, 12),
    rows=st.integers(1, 20),
    channels=st.integers(0, 17),
    shared=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_interpolate_against_numpy(shape, faces, rows, channels, shared, seed):
    pixels = random_pixels(np.random.default_rng(seed), *shape, faces, rows, channels, shared)
    out = np.asarray(fr.interpolate(**pixels))
    assert out.shape == (*shape, channels) and out.dtype == np.float32
    np.testing.assert_allclose(out, numpy_interpolate(**pixels), rtol=0, atol=tol.FEW_ULPS * 4)


def test_interpolate_against_torch():
    torch = pytest.importorskip("torch")
    pixels = {k: torch.from_numpy(v) for k, v in random_pixels(np.random.default_rng(1), 2, 30, 41, 25, 40, 5).items()}
    face = pixels["face"].long()
    corners = pixels["index"].long()[face.clamp(min=0)]  # [B, H, W, 3]
    image = torch.arange(2)[:, None, None, None]
    expected = (pixels["attributes"][image, corners] * pixels["barycentrics"][..., None]).sum(-2) * (face >= 0)[
        ..., None
    ]
    out = torch.from_dlpack(fr.interpolate(**pixels))
    torch.testing.assert_close(out, expected, rtol=0, atol=tol.FEW_ULPS * 4)


def test_interpolate_every_path_and_thread_count_gives_the_same_bytes(isa, set_threads):
    pixels = random_pixels(np.random.default_rng(2), 4, 90, 80, 30, 50, 7)
    set_threads(1)
    fr.set_isa("baseline")
    expected = np.asarray(fr.interpolate(**pixels))
    fr.set_isa(isa)
    for threads in (1, 2, 3):
        set_threads(threads)
        assert np.asarray(fr.interpolate(**pixels)).tobytes() == expected.tobytes()


def test_interpolate_batch_of_eight_is_eight_of_one():
    pixels = random_pixels(np.random.default_rng(3), 8, 13, 11, 9, 12, 3)
    together = np.asarray(fr.interpolate(**pixels))
    for image in range(8):
        alone = {k: v if k == "index" else v[image : image + 1] for k, v in pixels.items()}
        assert np.asarray(fr.interpolate(**alone)).tobytes() == together[image : image + 1].tobytes()


def test_linear_attributes_of_a_rasterized_mesh_are_linear(isa):
    rng = np.random.default_rng(4)
    positions = np.concatenate([rng.uniform(-1, 1, (30, 2)), rng.uniform(1, 2, (30, 1)), np.ones((30, 1))], -1)
    positions = positions[None].astype(np.float32)
    triangles = rng.integers(0, 30, (25, 3)).astype(np.int32)
    out = fr.rasterize(positions, triangles, (40, 64), cull="none", coverage="strict_float", perspective=False)
    short = np.float32([64 / 40, 1])  # strict_float: the short side spans [-1, 1]
    attributes = np.concatenate([positions[..., :2], np.ones((1, 30, 1), np.float32)], -1)
    x, y, one = np.asarray(fr.interpolate(out.face, out.barycentrics, triangles, attributes))[0].transpose(2, 0, 1)
    row, column = np.mgrid[:40, :64]
    covered = np.asarray(out.face)[0] >= 0
    np.testing.assert_allclose(
        x[covered], (((column + 0.5) / 32 - 1) * short[0])[covered], atol=tol.BARYCENTRIC_STRICT * 10
    )
    np.testing.assert_allclose(y[covered], (1 - (row + 0.5) / 20)[covered], atol=tol.BARYCENTRIC_STRICT * 10)
    np.testing.assert_allclose(one[covered], 1, atol=tol.BARYCENTRIC_STRICT * 10)
    assert (one[~covered] == 0).all()


def test_interpolate_nan_stays_where_it_belongs():
    face = np.array([[[0, 1, -1, -7]]], np.int32)
    barycentrics = np.full((1, 1, 4, 3), 1 / 3, np.float32)
    barycentrics[0, 0, 2:] = np.nan  # empty pixels are not read
    attributes = np.ones((1, 6, 2), np.float32)
    attributes[0, 5, 0] = np.nan
    out = np.asarray(fr.interpolate(face, barycentrics, [[0, 1, 2], [3, 4, 5]], attributes))[0, 0]
    np.testing.assert_allclose(out, [[1, 1], [np.nan, 1], [0, 0], [0, 0]], atol=tol.FEW_ULPS)


def test_interpolate_takes_arrays_of_many_kinds():
    pixels = random_pixels(np.random.default_rng(5), 2, 6, 7, 5, 8, 3)
    expected = np.asarray(fr.interpolate(**pixels)).tobytes()
    frozen = {k: v.copy() for k, v in pixels.items()}
    for value in frozen.values():
        value.setflags(write=False)
    wide = {k: v.astype(np.int64 if v.dtype == np.int32 else np.float64) for k, v in pixels.items()}
    strided = {k: np.asfortranarray(v) for k, v in pixels.items()}
    for variant in (frozen, wide, strided, {k: v.tolist() for k, v in pixels.items()}):
        assert np.asarray(fr.interpolate(**variant)).tobytes() == expected


PIXELS = random_pixels(np.random.default_rng(6), 2, 4, 5, 3, 6, 2)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(face=PIXELS["face"][0]), r"face must be \[B, H, W\] int32, got \[4, 5\] int32"),
        (
            dict(barycentrics=PIXELS["barycentrics"][:1]),
            r"barycentrics must be \[B, H, W, 3\] float32, got \[1, 4, 5, 3\]",
        ),
        (dict(barycentrics=PIXELS["barycentrics"][..., :2]), r"barycentrics must be .* got \[2, 4, 5, 2\]"),
        (dict(index=np.zeros((3, 2))), r"index must be \[F, 3\] int32, got \[3, 2\] int32"),
        (dict(attributes=np.zeros((6, 2))), r"attributes must be \[B or 1, N, C\] float32, got \[6, 2\]"),
        (dict(attributes=np.zeros((3, 6, 2))), r"attributes must have 2 or 1 rows on axis 0, got 3"),
        (dict(index=[[0, 1, 2], [3, 4, 6], [0, 0, 0]]), r"index\[1\] names row 6, attributes has 6"),
        (dict(index=[[0, 1, -1]] * 3), r"index\[0\] names row -1, attributes has 6"),
        (dict(face=np.full((2, 4, 5), 3)), r"face names triangle 3, index has 3"),
    ],
)
def test_interpolate_errors(change, message):
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.interpolate(**{**PIXELS, **change})


def test_interpolate_refuses_other_torch_dtypes():
    torch = pytest.importorskip("torch")
    with pytest.raises(fr.InvalidArgumentError, match=r"attributes must be .* float32, got \[2, 6, 2\] float64"):
        fr.interpolate(**{**PIXELS, "attributes": torch.zeros(2, 6, 2, dtype=torch.float64)})
    with pytest.raises(fr.InvalidArgumentError, match=r"face must be .* int32, got \[2, 4, 5\] int64"):
        fr.interpolate(**{**PIXELS, "face": torch.zeros(2, 4, 5, dtype=torch.int64)})


# ---- vertex normals -------------------------------------------------------------------------------------------------


def numpy_normals(positions, triangles):
    """Area-weighted, float64; (0, 0, 0) where nothing adds up."""
    positions = np.asarray(positions, float)
    out = np.zeros_like(positions)
    a, b, c = (positions[:, triangles[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    for image, corner in np.ndindex(len(positions), 3):
        np.add.at(out[image], triangles[:, corner], normal[image])
    length = np.linalg.norm(out, axis=-1, keepdims=True)
    return np.divide(out, length, out=np.zeros_like(out), where=length > 0)


def sphere(n: int = 12):
    """A closed triangle mesh of a unit sphere, counter-clockwise from outside."""
    theta, phi = np.meshgrid(np.linspace(0.15, np.pi - 0.15, n), np.arange(2 * n) * np.pi / n, indexing="ij")
    points = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), -np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(2 * n), indexing="ij")
    a, b = i * 2 * n + j, i * 2 * n + (j + 1) % (2 * n)
    c, d = a + 2 * n, b + 2 * n
    triangles = np.stack([a, c, d, a, d, b], -1).reshape(-1, 3)
    return points.astype(np.float32), triangles.astype(np.int32)


@pytest.mark.parametrize("vertices, faces, batch", [(3, 1, 1), (50, 90, 3), (200, 30, 2), (1, 4, 1)])
def test_normals_against_numpy(vertices, faces, batch):
    """With few faces most vertices are isolated; random meshes are not manifold, which must not matter."""
    rng = np.random.default_rng(vertices)
    positions = rng.normal(size=(batch, vertices, 3)).astype(np.float32)
    triangles = rng.integers(0, vertices, (faces, 3)).astype(np.int32)
    normals = np.asarray(fr.vertex_normals(positions, fr.Topology(triangles, vertices)))
    np.testing.assert_allclose(normals, numpy_normals(positions, triangles), atol=tol.NORMAL * 20)
    isolated = np.setdiff1d(np.arange(vertices), triangles)
    assert (normals[:, isolated] == 0).all()


def test_normals_of_a_sphere_point_outwards():
    points, triangles = sphere()
    normals = np.asarray(fr.vertex_normals(points[None], fr.Topology(triangles, len(points))))[0]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=tol.NORMAL)
    inner = np.abs(points[:, 1]) < 0.9
    assert (np.sum(normals * points, -1)[inner] > 0.99).all()
    flipped = np.asarray(fr.vertex_normals(points[None], fr.Topology(triangles[:, ::-1], len(points))))[0]
    np.testing.assert_allclose(flipped, -normals, atol=tol.NORMAL)


def test_normals_are_weighted_by_area():
    positions = [
        [[0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 1], [0, 1, 0]]
    ]  # a large xy face, a small yz one at vertex 0
    normals = np.asarray(fr.vertex_normals(positions, fr.Topology([[0, 1, 2], [0, 4, 3]], 5)))[0]
    np.testing.assert_allclose(normals[0], np.array([1, 0, 100]) / np.hypot(1, 100), atol=tol.NORMAL)
    np.testing.assert_allclose(normals[[1, 3]], [[0, 0, 1], [1, 0, 0]], atol=tol.NORMAL)


def test_normals_of_degenerate_and_bad_triangles():
    positions = np.zeros((1, 9, 3), np.float32)
    positions[0, :, 0] = np.arange(9)
    positions[0, 5, 1] = 1
    triangles = [[0, 1, 2], [3, 3, 5], [4, 6, 5]]
    normals = np.asarray(fr.vertex_normals(positions, fr.Topology(triangles, 9)))[0]
    assert (normals[[0, 1, 2, 3, 7, 8]] == 0).all()
    np.testing.assert_allclose(normals[[4, 5, 6]], [[0, 0, 1]] * 3, atol=tol.NORMAL)
    positions[0, 1] = np.nan  # spreads to its triangle only, and stays finite elsewhere
    normals = np.asarray(fr.vertex_normals(positions, fr.Topology(triangles, 9)))[0]
    assert np.isfinite(normals[3:]).all()
    np.testing.assert_allclose(normals[[4, 5, 6]], [[0, 0, 1]] * 3, atol=tol.NORMAL)


def test_normals_every_path_thread_count_and_batch(isa, set_threads):
    rng = np.random.default_rng(7)
    points, triangles = sphere(20)
    positions = (points + 0.1 * rng.normal(size=(8, *points.shape))).astype(np.float32)
    topology = fr.Topology(triangles, len(points))
    set_threads(1)
    fr.set_isa("baseline")
    expected = np.asarray(fr.vertex_normals(positions, topology))
    fr.set_isa(isa)
    for threads in (1, 2, 3):
        set_threads(threads)
        assert np.asarray(fr.vertex_normals(positions, topology)).tobytes() == expected.tobytes()
    for image in range(8):
        alone = np.asarray(fr.vertex_normals(positions[image : image + 1], topology))
        assert alone.tobytes() == expected[image : image + 1].tobytes()


@pytest.mark.parametrize("batch, vertices, faces", [(0, 3, 1), (2, 0, 0), (1, 4, 0)])
def test_normals_of_nothing(batch, vertices, faces):
    topology = fr.Topology(np.zeros((faces, 3), np.int32), vertices)
    out = np.asarray(fr.vertex_normals(np.ones((batch, vertices, 3), np.float32), topology))
    assert out.shape == (batch, vertices, 3) and (out == 0).all()


def test_normals_errors():
    with pytest.raises(fr.InvalidArgumentError, match=r"triangles\[1\] names vertex 4, the mesh has 4"):
        fr.Topology([[0, 1, 2], [3, 4, 0]], 4)
    with pytest.raises(fr.InvalidArgumentError, match=r"triangles\[0\] names vertex -1, the mesh has 4"):
        fr.Topology([[0, 1, -1]], 4)
    with pytest.raises(fr.InvalidArgumentError, match=r"triangles must be \[F, 3\] int32, got \[1, 4\]"):
        fr.Topology([[0, 1, 2, 3]], 4)
    topology = fr.Topology([[0, 1, 2]], 4)
    for shape in ((1, 3, 3), (4, 3), (1, 4, 4)):
        with pytest.raises(fr.InvalidArgumentError, match=r"positions must be \[B, V, 3\] float32, got"):
            fr.vertex_normals(np.zeros(shape, np.float32), topology)


def test_topology_keeps_its_triangles():
    """The caller may reuse the array it passed."""
    triangles = np.array([[0, 1, 2]], np.int32)
    topology = fr.Topology(triangles, 3)
    positions = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], np.float32)
    before = np.array(fr.vertex_normals(positions, topology))
    triangles[:] = 0
    np.testing.assert_array_equal(np.asarray(fr.vertex_normals(positions, topology)), before)
