"""Labels from a rasterized mesh: UV maps, per-triangle classes, coverage, majority, visibility of points."""

from __future__ import annotations

import forge_rt as fr
import numpy as np
import pytest
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st

UV = 255  # in face_labels: ask the map


def plane(size: int = 32):
    """A square that fills the image, u right and v up, as two triangles with their own UV corners."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    positions = np.concatenate([corners, np.ones((4, 2), np.float32)], -1)[None]
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [1, 1]], np.float32)  # the seam has its corners twice
    uv_triangles = np.array([[0, 1, 2], [4, 5, 3]], np.int32)
    out = fr.rasterize(positions, triangles, size, perspective=False)
    assert (np.asarray(out.face) >= 0).all()
    return out, uv_triangles, uv


def numpy_labels(face, barycentrics, face_labels, uv_triangles, uv, semantic_uv, background=0):
    """The contract in float64, and where two texels may claim the pixel."""
    face, barycentrics = np.asarray(face), np.asarray(barycentrics, float)
    height, width = semantic_uv.shape
    u, v = np.einsum("...k,...kc->...c", barycentrics, uv[uv_triangles[face.clip(0)]]).transpose(3, 0, 1, 2)
    column, row = u * width, (1 - v) * height
    texel = semantic_uv[np.floor(row).clip(0, height - 1).astype(int), np.floor(column).clip(0, width - 1).astype(int)]
    border = [np.abs(t - np.rint(t)) < tol.TEXEL_BORDER * max(size, 1) for t, size in ((column, width), (row, height))]
    label = face_labels[face.clip(0)]
    out = np.where(face < 0, background, np.where(label == UV, texel, label))
    return out, (face >= 0) & (label == UV) & (border[0] | border[1])


# ---- project_labels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (3, 4), (64, 32), (257, 129)])
def test_maps_of_any_size(isa, shape):
    rng = np.random.default_rng(0)
    semantic_uv = rng.integers(0, 255, shape, np.uint8)
    out, uv_triangles, uv = plane(37)
    labels = np.asarray(fr.project_labels(out.face, out.barycentrics, [UV, UV], uv_triangles, uv, semantic_uv))
    expected, ambiguous = numpy_labels(out.face, out.barycentrics, np.array([UV, UV]), uv_triangles, uv, semantic_uv)
    assert labels.dtype == np.uint8 and ambiguous.mean() < 0.1
    np.testing.assert_array_equal(labels[~ambiguous], expected[~ambiguous])
    assert np.isin(labels, semantic_uv).all()  # nothing is blended


def test_one_texel_per_pixel_is_a_copy():
    """Row 0 of the map is v = 1: the top."""
    semantic_uv = np.arange(256, dtype=np.uint8).reshape(16, 16)
    out, uv_triangles, uv = plane(16)
    labels = np.asarray(fr.project_labels(out.face, out.barycentrics, [UV, UV], uv_triangles, uv, semantic_uv))
    np.testing.assert_array_equal(labels[0], semantic_uv)


def test_an_edited_map_changes_exactly_what_was_painted(isa):
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 5, (8, 8), np.uint8)
    out, uv_triangles, uv = plane(96)

    def project(semantic_uv):
        return np.asarray(fr.project_labels(out.face, out.barycentrics, [UV, UV], uv_triangles, uv, semantic_uv))[0]

    before = project(coarse)
    np.testing.assert_array_equal(project(coarse.repeat(7, 0).repeat(7, 1)), before)  # finer, same content
    painted = coarse.repeat(12, 0).repeat(12, 1)
    painted[20:30, 50:60] = 200  # a user's brush, in a map of one texel per pixel
    after = project(painted)
    changed = np.zeros_like(before, bool)
    changed[20:30, 50:60] = True
    assert (after[changed] == 200).all()
    np.testing.assert_array_equal(after[~changed], before[~changed])


def test_edited_maps_take_effect_in_place():
    """A map is read at the call: nothing of it is remembered."""
    out, uv_triangles, uv = plane(4)
    semantic_uv = np.full((4, 4), 3, np.uint8)
    call = (out.face, out.barycentrics, [UV, UV], uv_triangles, uv, semantic_uv)
    assert (np.asarray(fr.project_labels(*call)) == 3).all()
    semantic_uv[0] = 9
    labels = np.asarray(fr.project_labels(*call))[0]
    assert (labels[0] == 9).all() and (labels[1:] == 3).all()


@pytest.mark.parametrize("background", [0, 7, 254, 255])
def test_triangle_labels_and_background(isa, background):
    rng = np.random.default_rng(2)
    positions = np.concatenate([rng.uniform(-1, 1, (2, 40, 2)), rng.uniform(1, 2, (2, 40, 1)), np.ones((2, 40, 1))], -1)
    triangles = rng.integers(0, 40, (20, 3)).astype(np.int32)
    face_labels = rng.integers(0, 30, 20).astype(np.uint8)
    face_labels[::3] = UV
    uv, uv_triangles = rng.random((50, 2)).astype(np.float32), rng.integers(0, 50, (20, 3)).astype(np.int32)
    semantic_uv = rng.integers(100, 120, (31, 17), np.uint8)
    out = fr.rasterize(positions.astype(np.float32), triangles, (50, 44), cull="none", perspective=False)
    args = (out.face, out.barycentrics, face_labels, uv_triangles, uv, semantic_uv)
    labels = np.asarray(fr.project_labels(*args, background=background))
    expected, ambiguous = numpy_labels(*args, background)
    assert (np.asarray(out.face) < 0).any()
    np.testing.assert_array_equal(labels[~ambiguous], expected[~ambiguous])
    # without a single triangle that asks for it, there need be no map
    plain = np.where(face_labels == UV, 1, face_labels)
    labels = np.asarray(fr.project_labels(out.face, out.barycentrics, plain, background=background))
    np.testing.assert_array_equal(labels, np.where(np.asarray(out.face) < 0, background, plain[np.asarray(out.face)]))


def test_coordinates_outside_the_map_take_its_edge():
    face = np.zeros((1, 1, 4), np.int32)
    barycentrics = np.float32([[[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]]]])
    uv = np.float32([[-3, 0.5], [4, 0.5], [1, 1]])
    semantic_uv = np.arange(20, dtype=np.uint8).reshape(2, 10)
    labels = np.asarray(fr.project_labels(face, barycentrics, [UV], [[0, 1, 2]], uv, semantic_uv))
    assert labels.ravel().tolist() == [10, 19, 9, 15]


@pytest.mark.parametrize("shape", [(0, 4, 5), (2, 0, 5), (2, 4, 0), (1, 1, 1)])
def test_project_labels_of_nothing(shape):
    face, barycentrics = np.full(shape, -1, np.int32), np.zeros((*shape, 3), np.float32)
    labels = np.asarray(fr.project_labels(face, barycentrics, np.zeros(0, np.uint8), background=4))
    assert labels.shape == shape and (labels == 4).all()


def test_project_labels_thread_count_and_batch(isa, set_threads):
    rng = np.random.default_rng(3)
    weights = rng.random((8, 70, 90, 3))
    face = rng.integers(-1, 12, (8, 70, 90)).astype(np.int32)
    barycentrics = (weights / weights.sum(-1, keepdims=True)).astype(np.float32)
    rest = (
        np.full(12, UV, np.uint8),
        rng.integers(0, 30, (12, 3)).astype(np.int32),
        rng.random((30, 2)).astype(np.float32),
        rng.integers(0, 19, (64, 64), np.uint8),
    )
    set_threads(1)
    expected = np.asarray(fr.project_labels(face, barycentrics, *rest))
    for threads in (2, 3):
        set_threads(threads)
        np.testing.assert_array_equal(np.asarray(fr.project_labels(face, barycentrics, *rest)), expected)
    for image in range(8):
        part = slice(image, image + 1)
        np.testing.assert_array_equal(
            np.asarray(fr.project_labels(face[part], barycentrics[part], *rest)), expected[part]
        )


FACE, BARY = np.zeros((1, 2, 2), np.int32), np.zeros((1, 2, 2, 3), np.float32)
MAP = dict(uv_triangles=[[0, 1, 2]], uv=np.zeros((3, 2)), semantic_uv=np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(face=FACE[0]), r"face must be \[B, H, W\] int32, got \[2, 2\]"),
        (dict(barycentrics=BARY[..., 0]), r"barycentrics must be \[B, H, W, 3\] float32, got \[1, 2, 2\]"),
        (dict(face=FACE + 1), r"face names triangle 1, face_labels has 1"),
        (dict(face_labels=[UV]), r"triangle 0 asks for the UV map \(label 255\), but there is none"),
        (dict(face_labels=[[0]]), r"face_labels must be \[F\] uint8, got \[1, 1\]"),
        ({**MAP, "uv_triangles": None}, r"uv_triangles must be \[F, 3\] int32, got nothing"),
        ({**MAP, "uv": None}, r"uv must be \[T, 2\] float32, got nothing"),
        ({**MAP, "uv_triangles": [[0, 1, 3]]}, r"uv_triangles\[0\] names row 3, uv has 3"),
        ({**MAP, "uv_triangles": [[0, -1, 2]]}, r"uv_triangles\[0\] names row -1, uv has 3"),
        ({**MAP, "uv_triangles": np.zeros((2, 3))}, r"uv_triangles must be \[F, 3\] int32, got \[2, 3\]"),
        ({**MAP, "semantic_uv": np.zeros((0, 4))}, "semantic_uv is empty"),
        ({**MAP, "semantic_uv": np.zeros((2, 2, 3))}, r"semantic_uv must be \[Hm, Wm\] uint8, got \[2, 2, 3\]"),
    ],
)
def test_project_labels_errors(change, message):
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.project_labels(**{**dict(face=FACE, barycentrics=BARY, face_labels=[0]), **change})


def test_project_labels_of_torch_arrays():
    torch = pytest.importorskip("torch")
    out, uv_triangles, uv = plane(8)
    semantic_uv = torch.arange(64, dtype=torch.uint8).reshape(8, 8)
    face_labels = torch.full((2,), UV, dtype=torch.uint8)
    args = (
        torch.from_dlpack(out.face),
        torch.from_dlpack(out.barycentrics),
        face_labels,
        torch.from_numpy(uv_triangles),
        uv,
    )
    np.testing.assert_array_equal(np.asarray(fr.project_labels(*args, semantic_uv))[0], semantic_uv)
    with pytest.raises(fr.InvalidArgumentError, match=r"semantic_uv must be \[Hm, Wm\] uint8, got \[8, 8\] int64"):
        fr.project_labels(*args, semantic_uv.long())


# ---- label_coverage, label_majority ---------------------------------------------------------------------------------


def blocks(labels, factor):
    """[B, f H, f W] → [B, H, W, f²], samples of a pixel in row order."""
    batch, height, width = labels.shape
    split = labels.reshape(batch, height // factor, factor, width // factor, factor)
    return split.transpose(0, 1, 3, 2, 4).reshape(batch, height // factor, width // factor, factor * factor)


def numpy_majority(labels, factor):
    samples = blocks(labels, factor)
    count = (samples[..., :, None] == samples[..., None, :]).sum(-1)
    first = count.argmax(-1)  # the first of the most frequent
    return np.take_along_axis(samples, first[..., None], -1)[..., 0]


@given(
    batch=st.integers(0, 3), height=st.integers(0, 6), width=st.integers(0, 6), factor=st.integers(1, 8),
    classes=st.sampled_from([1, 2, 3, 19, 256]), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_coverage_and_majority_against_numpy(batch, height, width, factor, classes, seed):
    labels = np.random.default_rng(seed).integers(0, classes, (batch, height * factor, width * factor)).astype(np.uint8)
    coverage = np.asarray(fr.label_coverage(labels, factor, classes))
    assert coverage.shape == (batch, classes, height, width) and coverage.dtype == np.float32
    expected = (blocks(labels, factor)[:, None] == np.arange(classes)[None, :, None, None, None]).mean(-1)
    np.testing.assert_allclose(coverage, expected, rtol=0, atol=factor**2 * 2.0**-24)
    np.testing.assert_allclose(coverage.sum(1), 1, rtol=0, atol=factor**2 * 2.0**-24)
    majority = np.asarray(fr.label_majority(labels, factor))
    assert majority.dtype == np.uint8
    np.testing.assert_array_equal(majority, numpy_majority(labels, factor))


def test_majority_ties_go_to_the_class_met_first():
    assert np.asarray(fr.label_majority([[[9, 2], [2, 9]]], 2)).item() == 9
    assert np.asarray(fr.label_majority([[[1, 2], [3, 2]]], 2)).item() == 2
    assert np.asarray(fr.label_majority([[[4, 3], [2, 1]]], 2)).item() == 4


def test_coverage_thread_count_and_batch(isa, set_threads):
    labels = np.random.default_rng(4).integers(0, 19, (8, 96, 60)).astype(np.uint8)
    set_threads(1)
    coverage, majority = np.asarray(fr.label_coverage(labels, 3, 19)), np.asarray(fr.label_majority(labels, 3))
    for threads in (2, 3):
        set_threads(threads)
        assert np.asarray(fr.label_coverage(labels, 3, 19)).tobytes() == coverage.tobytes()
        assert np.asarray(fr.label_majority(labels, 3)).tobytes() == majority.tobytes()
    for image in range(8):
        part = slice(image, image + 1)
        assert np.asarray(fr.label_coverage(labels[part], 3, 19)).tobytes() == coverage[part].tobytes()
        assert np.asarray(fr.label_majority(labels[part], 3)).tobytes() == majority[part].tobytes()


@pytest.mark.parametrize(
    "labels, factor, classes, message",
    [
        (np.zeros((4, 4)), 2, 3, r"labels must be \[B, f H, f W\] uint8, got \[4, 4\]"),
        (np.zeros((1, 4, 4)), 0, 3, r"factor must be 1\.\.8, got 0"),
        (np.zeros((1, 9, 9)), 9, 3, r"factor must be 1\.\.8, got 9"),
        (np.zeros((1, 4, 6)), 4, 3, r"labels \[1, 4, 6\] do not divide by factor 4"),
        (np.zeros((1, 4, 4)), 2, 0, r"classes must be 1\.\.256, got 0"),
        (np.zeros((1, 4, 4)), 2, 257, r"classes must be 1\.\.256, got 257"),
        (np.full((1, 4, 4), 3), 2, 3, r"labels hold class 3, but there are 3"),
    ],
)
def test_coverage_errors(labels, factor, classes, message):
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.label_coverage(labels, factor, classes)
    if "class" not in message:
        with pytest.raises(fr.InvalidArgumentError, match=message):
            fr.label_majority(labels, factor)


# ---- point_visibility -----------------------------------------------------------------------------------------------


def visibility(x, y, z, depth_map, slack=0.01):
    return np.asarray(fr.point_visibility([[[x, y]]], [[z]], np.asarray(depth_map, np.float32)[None], slack)).item()


def test_visibility_cases():
    wall = np.ones((6, 8))  # height 6, width 8, one metre away
    assert visibility(4, 3, 1.0, wall) == 2
    assert visibility(4, 3, 0.5, wall) == 2  # before the wall
    assert visibility(4, 3, 1.009, wall) == 2  # within the slack
    assert visibility(4, 3, 1.02, wall) == 1
    assert visibility(4, 3, 1.02, wall, slack=np.inf) == 2
    # frame: [0, width) x [0, height)
    for x, y, inside in [
        (0, 0, 2),
        (7.999, 5.999, 2),
        (8, 3, 0),
        (4, 6, 0),
        (-0.001, 3, 0),
        (4, -0.001, 0),
        (1e9, 3, 0),
    ]:
        assert visibility(x, y, 1.0, wall) == inside, (x, y)
    # behind the camera, or not a point at all
    for bad in (0.0, -1.0, np.nan):
        assert visibility(4, 3, bad, wall) == 0
    assert visibility(np.nan, 3, 1.0, wall) == visibility(4, np.nan, 1.0, wall) == visibility(np.inf, 3, 1.0, wall) == 0


def test_visibility_looks_at_the_neighbourhood():
    depth_map = np.zeros((5, 5))
    assert visibility(2.5, 2.5, 9.0, depth_map) == 2  # nothing there: background all around
    depth_map[1, 1] = 1.0
    assert visibility(2.5, 2.5, 9.0, depth_map) == 1  # a surface next to it hides what is far behind
    assert visibility(2.5, 2.5, 1.005, depth_map) == 2  # on the silhouette of that surface
    assert visibility(4.5, 2.5, 9.0, depth_map) == 2  # out of its reach
    depth_map[3, 3] = 5.0
    assert visibility(2.5, 2.5, 5.005, depth_map) == 2  # the farthest of the nine counts
    assert visibility(2.5, 2.5, 5.02, depth_map) == 1
    # at the border the neighbourhood is what there is of it
    edge = np.full((5, 5), 1.0)
    assert visibility(0.1, 0.1, 1.02, edge) == visibility(4.9, 4.9, 1.02, edge) == 1


def numpy_visibility(pixels, depth, depth_map, slack):
    height, width = depth_map.shape[1:]
    around = np.pad(depth_map, ((0, 0), (1, 1), (1, 1)))
    farthest = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (1, 2)).max((-1, -2))
    inside = (pixels >= 0).all(-1) & (pixels[..., 0] < width) & (pixels[..., 1] < height) & (depth > 0)
    column, row = (np.where(inside, np.nan_to_num(pixels[..., k]), 0).astype(int) for k in range(2))
    surface = farthest[np.arange(len(pixels))[:, None], row, column]
    seen = (surface == 0) | (depth <= surface + np.float32(slack))
    return np.where(inside, np.where(seen, 2, 1), 0)


def test_visibility_against_numpy(isa):
    rng = np.random.default_rng(5)
    depth_map = np.where(rng.random((3, 20, 30)) < 0.2, rng.uniform(1, 2, (3, 20, 30)), 0).astype(np.float32)
    pixels = rng.uniform(-3, 33, (3, 500, 2)).astype(np.float32)
    depth = rng.uniform(-0.2, 3, (3, 500)).astype(np.float32)
    pixels[:, ::50] = np.nan
    out = np.asarray(fr.point_visibility(pixels, depth, depth_map, 0.05))
    assert out.dtype == np.uint8 and set(np.unique(out)) == {0, 1, 2}
    np.testing.assert_array_equal(out, numpy_visibility(pixels, depth, depth_map, 0.05))
    for image in range(3):
        part = slice(image, image + 1)
        alone = np.asarray(fr.point_visibility(pixels[part], depth[part], depth_map[part], 0.05))
        np.testing.assert_array_equal(alone, out[part])


@pytest.mark.parametrize("batch, points, height, width", [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 0), (1, 1, 1, 1)])
def test_visibility_of_little(batch, points, height, width):
    pixels, depth = np.zeros((batch, points, 2)), np.ones((batch, points))
    out = np.asarray(fr.point_visibility(pixels, depth, np.zeros((batch, height, width)), 0))
    assert out.shape == (batch, points) and (out == (2 if height else 0)).all()


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(pixels=np.zeros((3, 2))), r"pixels must be \[B, L, 2\] float32, got \[3, 2\]"),
        (dict(depth=np.zeros((1, 4))), r"depth must be \[B, L\] float32, got \[1, 4\]"),
        (dict(depth_map=np.zeros((2, 4, 4))), r"depth_map must be \[B, H, W\] float32, got \[2, 4, 4\]"),
        (dict(slack=-1), r"slack must be >= 0, got -1"),
        (dict(slack=float("nan")), r"slack must be >= 0"),
    ],
)
def test_visibility_errors(change, message):
    good = dict(pixels=np.zeros((1, 3, 2)), depth=np.zeros((1, 3)), depth_map=np.zeros((1, 4, 4)), slack=0.1)
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.point_visibility(**{**good, **change})
