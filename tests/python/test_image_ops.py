"""Image ops of generators (spec/next3d §2.1, §2.2, §2.10, §6.3-6.5, §7) against NumPy, golden vectors, and themselves on other paths."""

from __future__ import annotations

from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[1] / "golden" / "next3d"
GPU = fr.cuda_status()["device_count"] > 0
needs_gpu = pytest.mark.skipif(not GPU, reason=f"no CUDA device: {fr.cuda_status()['reason']}")

FIR = (np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64).astype(np.float32)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def paths(call):
    """The result of `call` on every CPU path of this machine."""
    before, results = fr.isa(), {}
    for isa in ("baseline", "avx2", "avx512"):
        try:
            fr.set_isa(isa)
        except fr.UnsupportedError:
            continue
        results[isa] = call()
    fr.set_isa(before)
    return results


def same_bytes(*arrays):
    """Equal to the bit; a NaN equals any NaN."""
    first, *others = (np.asarray(a) for a in arrays)
    for other in others:
        assert first.shape == other.shape and first.dtype == other.dtype
        np.testing.assert_array_equal(first, other)
        if first.dtype.kind == "f":
            assert (np.signbit(first) == np.signbit(other))[~np.isnan(first)].all()


def on_every_path(call):
    """Calls on every CPU path and checks that they agree to the bit."""
    results = [np.asarray(result) for result in paths(call).values()]
    same_bytes(*results)
    return results[0]


# ---- upfirdn2d ------------------------------------------------------------------------------------------------------


def numpy_upfirdn(x, f, up=(1, 1), down=(1, 1), padding=(0, 0, 0, 0), flip_filter=False, gain=1.0):
    """§2.1 step by step, float64."""
    f = np.asarray(f, float)
    f = (np.outer(f, f) if f.ndim == 1 else f) * gain
    batch, channels, height, width = x.shape
    grown = np.zeros((batch, channels, height * up[1], width * up[0]))
    grown[:, :, :: up[1], :: up[0]] = x
    left, right, top, bottom = padding
    grown = np.pad(grown, ((0, 0), (0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))))
    rows = slice(max(-top, 0), grown.shape[2] - max(-bottom, 0))
    columns = slice(max(-left, 0), grown.shape[3] - max(-right, 0))
    grown = grown[:, :, rows, columns]
    kernel = f if flip_filter else f[::-1, ::-1]
    out = sum(
        kernel[i, j] * grown[:, :, i : grown.shape[2] - f.shape[0] + 1 + i, j : grown.shape[3] - f.shape[1] + 1 + j]
        for i in range(f.shape[0])
        for j in range(f.shape[1])
    )
    return out[:, :, :: down[1], :: down[0]]


#: up, down, padding of a layer that StyleGAN has, with 4 taps
STYLEGAN = {
    "up 2": ((2, 2), (1, 1), (2, 1, 2, 1)),
    "after a transposed convolution": ((1, 1), (1, 1), (1, 1, 1, 1)),
    "down 2": ((1, 1), (2, 2), (1, 1, 1, 1)),
    "before a strided convolution": ((1, 1), (1, 1), (2, 2, 2, 2)),
}


@pytest.mark.parametrize("case", STYLEGAN)
@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (2, 3, 9, 7), (1, 33, 16, 16), (2, 2, 65, 40), (1, 1, 3, 200)])
def test_stylegan_filters(case, shape):
    up, down, padding = STYLEGAN[case]
    x = values(*shape)
    got = on_every_path(lambda: fr.upfirdn2d(x, FIR, up=up, down=down, padding=padding, gain=4))
    expected = numpy_upfirdn(x, FIR, up, down, padding, gain=4)
    np.testing.assert_allclose(got, expected, atol=tol.IMAGE_OPS, rtol=0)
    taps = np.float32([1, 3, 3, 1]) / 8
    same_bytes(got, fr.upfirdn2d(x, taps, up=up, down=down, padding=padding, gain=4))  # found to be an outer product


@given(
    size=st.tuples(st.integers(1, 20), st.integers(1, 40)),
    up=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    down=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(*[st.integers(-3, 6)] * 4),
    taps=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    separable=st.booleans(),
    flip=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_filters_of_any_kind(size, up, down, padding, taps, separable, flip, seed):
    x = values(1, 2, *size, seed=seed)
    f = values(taps[0], seed=seed + 1) if separable else values(*taps, seed=seed + 1)
    options = dict(up=up, down=down, padding=padding, flip_filter=flip, gain=1.5)
    grown = [size[0] * up[1] + padding[2] + padding[3], size[1] * up[0] + padding[0] + padding[1]]
    if grown[0] < f.shape[0] or grown[1] < f.shape[-1]:
        with pytest.raises(fr.InvalidArgumentError, match="of the padded image must be"):
            fr.upfirdn2d(x, f, **options)
        return
    expected = numpy_upfirdn(x, f, up, down, padding, flip, 1.5)
    got = on_every_path(lambda: fr.upfirdn2d(x, f, **options))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=tol.IMAGE_OPS * 8, rtol=0)


def test_upsample_and_downsample_change_the_size_by_two():
    for taps in range(1, 9):
        f = values(taps, seed=taps)
        assert fr.upsample2d(values(1, 2, 5, 7), f).shape == (1, 2, 10, 14)
        assert fr.downsample2d(values(1, 2, 10, 14), f).shape == (1, 2, 5, 7)
    flat = np.ones((1, 1, 8, 8), np.float32)
    np.testing.assert_allclose(np.asarray(fr.upsample2d(flat, FIR))[:, :, 2:-2, 2:-2], 1, atol=1e-6)


def test_not_a_number_stays_where_the_filter_reaches():
    x = values(1, 1, 12, 40)
    x[0, 0, 5, 20] = np.nan
    got = on_every_path(lambda: fr.upfirdn2d(x, FIR, padding=(1, 2, 1, 2)))
    row, column = np.nonzero(np.isnan(got[0, 0]))
    assert np.ptp(row) == np.ptp(column) == 3 and len(row) == 16


def test_upfirdn_of_nothing_and_bad_input():
    assert fr.upfirdn2d(values(0, 3, 4, 4), FIR).shape == (0, 3, 1, 1)
    for bad, message in [
        (lambda: fr.upfirdn2d(values(4, 4), FIR), r"x must be \[B, C, H, W\] float32, got"),
        (lambda: fr.upfirdn2d(values(1, 1, 4, 4), values(1, 2, 3)), r"filter must be \[T\] or \[Th, Tw\]"),
        (lambda: fr.upfirdn2d(values(1, 1, 4, 4), values(17, 2)), "filter must have 1..16 taps"),
        (lambda: fr.upfirdn2d(values(1, 1, 4, 4), values(33)), "filter must have 1..32 taps"),
        (lambda: fr.upfirdn2d(values(1, 1, 4, 4), [1, np.nan]), "filter must be finite"),
        (lambda: fr.upfirdn2d(values(1, 1, 4, 4), FIR, up=0), "factors must be 1..64, got 0"),
        (lambda: fr.upfirdn2d(values(1, 1, 4, 4), FIR, up="two"), "up must be a whole number"),
        (lambda: fr.upfirdn2d(values(1, 1, 4, 4), FIR, gain=np.inf), "gain must be finite"),
        (lambda: fr.upfirdn2d(values(1, 1, 4, 4), FIR, padding=[0, 0, 1 << 20, 0]), "padding must be within"),
    ]:
        with pytest.raises(fr.InvalidArgumentError, match=message):
            bad()


# ---- bias_act -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 33), (2, 3, 5), (2, 3, 5, 7), (1, 33, 16, 16), (2, 1, 1, 1), (1, 2, 3, 4, 5)]
)
@pytest.mark.parametrize("activation", ["linear", "lrelu"])
@pytest.mark.parametrize("clamp", [None, 0.75])
def test_bias_act(shape, activation, clamp):
    x, bias = values(*shape), values(shape[1], seed=1)
    for b in (bias, None):
        v = x.astype(float) + (0 if b is None else b.reshape(-1, *[1] * (len(shape) - 2)))
        y = v if activation == "linear" else np.where(v > 0, v, 0.3 * v) * 2**0.5
        expected = y if clamp is None else np.clip(y, -clamp, clamp)
        got = on_every_path(lambda b=b: fr.bias_act(x, b, activation=activation, slope=0.3, clamp=clamp))
        np.testing.assert_allclose(got, expected, atol=tol.FEW_ULPS * 8, rtol=0)


def test_bias_act_in_place_and_gain():
    x, bias = values(2, 3, 4, 9), values(3)
    expected = np.asarray(fr.bias_act(x, bias, activation="lrelu", gain=0.5))
    fr.bias_act(x, bias, activation="lrelu", gain=0.5, out=x)
    same_bytes(x, expected)
    special = np.float32([[np.nan, np.inf, -np.inf, 0.0, -0.0]])
    got = on_every_path(lambda: fr.bias_act(special, activation="lrelu", clamp=2))
    np.testing.assert_array_equal(got, [[np.nan, 2, -2, 0, 0]])
    assert fr.bias_act(values(0, 4, 2)).shape == (0, 4, 2)


def test_bias_act_errors():
    x = values(2, 3, 4)
    for bad, message in [
        (lambda: fr.bias_act(values(3)), r"x must be contiguous \[B, C, ...\]"),
        (lambda: fr.bias_act(x, values(4)), r"bias must be \[C\] float32"),
        (lambda: fr.bias_act(x, clamp=-1), "clamp must be 0 or more"),
        (lambda: fr.bias_act(x, gain=np.nan), "gain must be finite"),
        (lambda: fr.bias_act(x, activation="relu"), "activation must be one of 'linear', 'lrelu', got 'relu'"),
        (lambda: fr.bias_act(x, out=values(2, 3, 5)), "out must be"),
    ]:
        with pytest.raises(fr.InvalidArgumentError, match=message):
            bad()


# ---- resizing -------------------------------------------------------------------------------------------------------


def axis_matrix(size_in, size_out):
    """§2.10: weights of one axis, [out, in] float64."""
    scale = size_in / size_out
    support = max(scale, 1.0)
    centre = scale * (np.arange(size_out)[:, None] + 0.5)
    weight = np.maximum(0, 1 - np.abs((np.arange(size_in) - centre + 0.5) / support))
    return weight / weight.sum(1, keepdims=True)


def numpy_resize(x, size):
    return np.einsum(
        "yi,bcij,xj->bcyx", axis_matrix(x.shape[2], size[0]), x.astype(float), axis_matrix(x.shape[3], size[1])
    )


@given(
    size_in=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    size_out=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 10**6),
)
def test_resize(size_in, size_out, channels, seed):
    x = values(2, channels, *size_in, seed=seed)
    got = on_every_path(lambda: fr.resize_antialias(x, size_out))
    np.testing.assert_allclose(got, numpy_resize(x, size_out), atol=tol.RESIZE, rtol=0)


@given(
    size_in=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    size_out=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_resize_against_torch(size_in, size_out):
    torch = pytest.importorskip("torch")
    x = values(1, 2, *size_in)
    expected = torch.nn.functional.interpolate(torch.from_numpy(x), size_out, mode="bilinear", antialias=True).numpy()
    np.testing.assert_allclose(np.asarray(fr.resize_antialias(x, size_out)), expected, atol=tol.RESIZE, rtol=0)


def test_resize_to_its_own_size_is_a_copy():
    x = values(1, 33, 17, 19)
    x[0, 0, 3, 3] = np.nan
    x[0, 0, 4, 4] = np.inf
    same_bytes(on_every_path(lambda: fr.resize_antialias(x, (17, 19))), x)


def mouth_boxes(batch, height, width, seed=0):
    rng = np.random.default_rng(seed)
    boxes = np.empty((batch, 4), np.int64)
    for axis, size in ((0, height), (2, width)):
        first = rng.integers(0, size, batch)
        boxes[:, axis], boxes[:, axis + 1] = first, first + 1 + rng.integers(0, size, batch) % (size - first)
    return boxes


@pytest.mark.parametrize("shape", [(5, 3, 64, 48), (1, 33, 20, 20), (4, 1, 1, 1), (70, 1, 9, 11)])
@pytest.mark.parametrize("size", [(16, 16), (7, 33), (1, 1)])
def test_crop_resize_and_paste_are_resizes_of_each_box(shape, size):
    x, patch = values(*shape), values(*shape[:2], *size, seed=1)
    boxes = mouth_boxes(shape[0], *shape[2:])
    crops = on_every_path(lambda: fr.crop_resize(x, boxes, size))
    pasted = on_every_path(lambda: fr.resize_paste(patch, boxes, x))
    expected = x.copy()
    for b, (row0, row1, column0, column1) in enumerate(boxes):
        crop = np.ascontiguousarray(x[b : b + 1, :, row0:row1, column0:column1])
        same_bytes(crops[b : b + 1], fr.resize_antialias(crop, size))
        expected[b, :, row0:row1, column0:column1] = fr.resize_antialias(
            patch[b : b + 1], (int(row1 - row0), int(column1 - column0))
        )
    same_bytes(pasted, expected)
    fr.resize_paste(patch, boxes, x, out=x)
    same_bytes(x, expected)


def test_boxes_outside_are_errors_or_clamped():
    x, patch = values(2, 3, 32, 40), values(2, 3, 8, 8, seed=1)
    inside = [0, 32, 0, 40]
    for box, cut in [
        ([-4, 10, 3, 9], [0, 10, 3, 9]),
        ([20, 40, 30, 99], [20, 32, 30, 40]),
        ([10, 10, 5, 5], [10, 11, 5, 6]),
        ([50, 60, -9, -3], [31, 32, 0, 1]),
        ([20, 10, 0, 40], [20, 21, 0, 40]),
        ([-(2**62), 2**62, 0, 40], [0, 32, 0, 40]),
    ]:
        boxes, inner = np.array([inside, box]), np.array([inside, cut])
        for call in (
            lambda b, **o: fr.crop_resize(x, b, 8, **o),
            lambda b, **o: fr.resize_paste(patch, b, x, **o),
        ):
            with pytest.raises(fr.InvalidArgumentError, match=r"box 1 must be a part of rows 0..32 and columns 0..40"):
                call(boxes)
            same_bytes(on_every_path(lambda c=call, b=boxes: c(b, outside="clamp")), call(inner))


def test_resize_errors():
    x, boxes = values(2, 3, 8, 8), mouth_boxes(2, 8, 8)
    for bad, message in [
        (lambda: fr.resize_antialias(x, (0, 4)), "size must be 1..|at least"),
        (lambda: fr.resize_antialias(values(3, 8, 8), 4), r"x must be \[B, C, H, W\]"),
        (lambda: fr.resize_antialias(values(1, 3, 0, 8), 4), "sides of x must be 1.."),
        (lambda: fr.crop_resize(x, boxes[:1], 4), r"boxes must be \[B, 4\]"),
        (lambda: fr.crop_resize(x, boxes, 4, outside="wrap"), "outside must be one of 'error', 'clamp', got 'wrap'"),
        (lambda: fr.resize_paste(values(2, 4, 8, 8), boxes, x), "patch must have the image's 2 samples and 3 channels"),
        (lambda: fr.resize_paste(x, boxes, x, out=x.copy()), "out must be None"),
    ]:
        with pytest.raises(fr.InvalidArgumentError, match=message):
            bad()
    assert fr.crop_resize(x[:0], boxes[:0], 4).shape == (0, 3, 4, 4)
    assert fr.resize_antialias(values(2, 0, 4, 4), 3).shape == (2, 0, 3, 3)


# ---- neural_texture -------------------------------------------------------------------------------------------------


def sheet(size=9, seed=0):
    """A bent sheet of triangles in the head frame with UVs, faces in the order that the front view shows."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:size, :size] / (size - 1)
    vertices = np.stack([0.3 * (column - 0.5), 0.3 * (0.5 - row), 0.1 * np.sin(3 * column + row)], -1).reshape(-1, 3)
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    quads = np.stack([corner, corner + size, corner + 1, corner + 1, corner + size, corner + size + 1], -1)
    uv = np.stack([column, 1 - row], -1).reshape(-1, 2) + rng.normal(0, 0.02, (size * size, 2))
    faces = np.concatenate([quads.reshape(-1, 3), quads.reshape(-1, 3)[:, ::-1]])  # visible from behind, too
    return np.float32(vertices), np.int32(faces), np.float32(uv)


VERTICES, FACES, UV = sheet()
MESH = fr.NeuralMesh(FACES, FACES, UV, len(VERTICES))
MASK = np.random.default_rng(3).random((11, 13)).astype(np.float32)


def raster(angles=(0, 0, 0), batch=2, size=(37, 37)):
    vertices = np.stack([VERTICES * (1 + 0.1 * b) for b in range(batch)]).reshape(batch, -1, 3)
    positions = fr.orthographic_positions(vertices, angles)
    return fr.rasterize(positions, MESH.triangles, size, coverage="strict_float", perspective=False)


def by_other_ops(seen, texture, mask):
    """interpolate and sample_texture, with the channels last."""
    grid = fr.interpolate(seen.face, seen.barycentrics, MESH.uv_triangles, np.asarray(MESH.grid)[None])
    features = np.asarray(fr.sample_texture(texture, grid))
    visible = np.asarray(seen.face) >= 0
    alpha = (
        np.asarray(fr.sample_texture(mask[None, :, :, None], grid))[..., 0] * visible if mask is not None else visible
    )
    return features, np.float32(alpha)[:, None]


@pytest.mark.parametrize("channels", [1, 3, 8, 32, 33])
@pytest.mark.parametrize("texture_batch", [1, 2])
@pytest.mark.parametrize("size", [(37, 37), (1, 1), (3, 50)])
def test_neural_texture_equals_interpolate_and_sample(channels, texture_batch, size):
    seen = raster(size=size)
    texture = values(texture_batch, 12, 10, channels)
    texture[0, 6, 5, 0] = np.nan  # taps outside are left out, not multiplied by 0
    features, alpha = by_other_ops(seen, texture, MASK)
    first = np.ascontiguousarray(texture.transpose(0, 3, 1, 2))
    for order, given_texture in (("last", texture), ("first", first)):
        for result in ("last", "first"):
            got = paths(
                lambda t=given_texture, o=order, r=result: fr.neural_texture(
                    seen.face, seen.barycentrics, MESH, t, MASK, texture_channels=o, feature_channels=r
                )
            )
            expected = features if result == "last" else features.transpose(0, 3, 1, 2)
            for one in got.values():
                same_bytes(one[0], expected)
                same_bytes(one[1], alpha)


def test_background_holds_the_centre_of_the_texture():
    seen = raster(size=(64, 64))
    empty = np.asarray(seen.face) < 0
    texture = values(1, 4, 8, 8)
    features, alpha = fr.neural_texture(seen.face, seen.barycentrics, MESH, texture)
    centre = texture[0, :, 3:5, 3:5].mean((1, 2))
    background = np.asarray(features).transpose(0, 2, 3, 1)[empty]
    np.testing.assert_allclose(background, np.broadcast_to(centre, background.shape), atol=tol.FEW_ULPS * 4)
    np.testing.assert_array_equal(np.asarray(alpha)[:, 0], ~empty)  # no mask: what is covered


@pytest.mark.parametrize("order", ["first", "last"])
def test_features_are_added_in_place(order):
    left, right = raster(), raster((0, 20, 0))
    shape = (1, 6, 5, 4)
    texture = values(*(shape if order == "first" else (1, 5, 4, 6)))
    options = dict(texture_channels=order, feature_channels=order)

    def both():
        one = np.array(fr.neural_texture(left.face, left.barycentrics, MESH, texture, **options)[0])
        features, alpha = fr.neural_texture(right.face, right.barycentrics, MESH, texture, add_to=one, **options)
        assert alpha is None
        same_bytes(features, one)
        return one

    two = np.asarray(fr.neural_texture(right.face, right.barycentrics, MESH, texture, **options)[0])
    one = np.asarray(fr.neural_texture(left.face, left.barycentrics, MESH, texture, **options)[0])
    same_bytes(on_every_path(both), one + two)


def test_views_straight_from_vertices():
    vertices = np.stack([VERTICES, VERTICES * 1.2])
    texture = values(2, 5, 16, 16)
    for view, angles in (("front", (0, 0, 0)), ("top", (90, 0, 0))):
        seen = raster(angles, 1, (50, 50))
        features, alpha = fr.neural_texture(seen.face, seen.barycentrics, MESH, texture[:1], MASK)
        got = fr.neural_view(vertices, MESH, texture, MASK, view=view, size=50)
        same_bytes(np.asarray(got[0])[:1], features)
        same_bytes(np.asarray(got[1])[:1], fr.fill_enclosed(alpha))
    left, right = raster((0, 90, 0), 1, (50, 50)), raster((0, -90, 0), 1, (50, 50))
    features, alpha = fr.neural_texture(left.face, left.barycentrics, MESH, texture[:1], MASK)
    other, _ = fr.neural_texture(right.face, right.barycentrics, MESH, texture[:1], MASK)
    got = fr.neural_view(vertices, MESH, texture, MASK, view="side", size=50)
    same_bytes(np.asarray(got[0])[:1], np.asarray(features) + np.asarray(other))
    same_bytes(np.asarray(got[1])[:1], np.float32(np.asarray(fr.fill_enclosed(alpha)) != 0))


def test_orthographic_positions_are_the_view():
    view = np.asarray(fr.orthographic_view(VERTICES[None], (10, 20, 30)))
    positions = np.asarray(fr.orthographic_positions(VERTICES[None], (10, 20, 30)))
    np.testing.assert_array_equal(
        positions, np.concatenate([view * np.float32([1, -1, 1]), np.ones((*view.shape[:2], 1))], -1)
    )


def test_neural_texture_errors():
    seen = raster()
    texture = values(1, 3, 4, 4)
    face, bary = np.asarray(seen.face), np.asarray(seen.barycentrics)
    for bad, message in [
        (lambda: fr.NeuralMesh(FACES, FACES, UV, 3), r"faces\[\d+\] names vertex \d+, there are 3"),
        (
            lambda: fr.NeuralMesh(FACES, FACES, UV[:9], len(VERTICES)),
            r"uv_faces\[\d+\] names row of uv \d+, there are 9",
        ),
        (lambda: fr.NeuralMesh(FACES, FACES[1:], UV, len(VERTICES)), r"uv_faces must be \[F, 3\]"),
        (lambda: fr.neural_texture(face, bary[..., :2], MESH, texture), r"barycentrics must be \[B, H, W, 3\]"),
        (lambda: fr.neural_texture(face + 1000, bary, MESH, texture), "face names triangle"),
        (lambda: fr.neural_texture(face, bary, MESH, values(5, 3, 4, 4)), "texture must have 2 or 1 samples, got 5"),
        (lambda: fr.neural_texture(face, bary, MESH, values(1, 0, 4, 4)), "texture must have a channel"),
        (lambda: fr.neural_texture(face, bary, MESH, values(1, 3, 0, 4)), "sides of texture"),
        (lambda: fr.neural_texture(face, bary, MESH, texture, MASK[None]), r"uv_mask must be \[Hm, Wm\]"),
        (lambda: fr.neural_texture(face, bary, MESH, texture, add_to=values(2, 3, 4, 4)), "features must be"),
        (
            lambda: fr.neural_texture(face, bary, MESH, texture, texture_channels="middle"),
            "texture_channels must be one of",
        ),
        (lambda: fr.neural_view(VERTICES[None, :5], MESH, texture), r"vertices must be \[B, V, 3\]"),
        (
            lambda: fr.neural_view(VERTICES[None], MESH, texture, view="back"),
            "view must be one of 'front', 'side', 'top'",
        ),
        (lambda: fr.neural_view(VERTICES[None], MESH, texture, size=0), "size must be 1..8192"),
    ]:
        with pytest.raises(fr.InvalidArgumentError, match=message):
            bad()


# ---- fill_enclosed: every path (what it computes is in test_neural_views.py) ----------------------------------------


def maze(height, width, kind):
    alpha = np.zeros((height, width), np.float32)
    if kind == "serpentine":
        for i, column in enumerate(range(1, width, 2)):
            alpha[:, column] = 1
            alpha[-1 if i % 2 == 0 else 0, column] = 0
    elif kind == "spiral":
        row, column = np.mgrid[:height, :width]
        ring = np.minimum(np.minimum(row, column), np.minimum(height - 1 - row, width - 1 - column))
        alpha[ring % 2 == 1] = 1
        for r in range(1, min(height, width) // 2, 2):
            alpha[r + 2 if r + 2 < height else r, r] = 0
    else:
        rng = np.random.default_rng(height * 1000 + width)
        alpha = (rng.random((height, width)) < float(kind)).astype(np.float32)
        alpha[0, 0] = 0
    return alpha


@pytest.mark.parametrize("kind", ["serpentine", "spiral", "0.2", "0.4", "0.45", "0.6"])
@pytest.mark.parametrize("size", [(1, 1), (1, 100), (100, 1), (31, 33), (32, 32), (64, 65), (130, 129)])
@pytest.mark.parametrize("binarise", [False, True])
def test_fill_on_every_path(kind, size, binarise):
    soft = np.random.default_rng(1).choice(np.float32([0, 0.3, 254 / 255, -0.0]), size)
    alpha = np.stack([maze(*size, kind), np.maximum(maze(*size, kind), soft), maze(*size, kind)[::-1, ::-1]])
    alpha[2].flat[7 % alpha[2].size] = np.nan
    got = on_every_path(lambda: fr.fill_enclosed(alpha, binarise=binarise))
    if binarise:
        same_bytes(got, np.float32(np.asarray(fr.fill_enclosed(alpha)) != 0))


# ---- assemble_planes ------------------------------------------------------------------------------------------------


def plane_inputs(batch=2, channels=32, height=12, width=17, static_batch=None):
    shape = (batch, channels, height, width)
    rng = np.random.default_rng(5)
    alphas = [rng.random((batch, 1, height, width)).astype(np.float32) for _ in range(3)]
    for alpha in alphas:
        alpha[rng.random(alpha.shape) < 0.5] = 0
    return values(static_batch or batch, 3, *shape[1:], seed=9), [values(*shape, seed=i) for i in range(3)], alphas


def numpy_planes(statics, dynamic, alphas, blend, dtype):
    planes = np.broadcast_to(statics, (len(dynamic[0]), *statics.shape[1:])).copy()
    for k in range(3 if blend == "all" else 1):
        planes[:, k] = dynamic[k] * alphas[k] + planes[:, k] * (1 - alphas[k])
    return planes.transpose(0, 1, 3, 4, 2).astype(dtype)


@pytest.mark.parametrize("channels", [1, 3, 8, 32, 33])
@pytest.mark.parametrize("size", [(1, 1), (12, 17), (16, 16)])
@pytest.mark.parametrize("blend", ["front", "all"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_planes(channels, size, blend, dtype):
    statics, d, a = plane_inputs(2, channels, *size)
    more = dict(side=d[1], side_alpha=a[1], top=d[2], top_alpha=a[2]) if blend == "all" else {}
    got = on_every_path(lambda: fr.assemble_planes(statics, d[0], a[0], blend=blend, dtype=dtype, **more))
    assert got.shape == (2, 3, *size, channels)
    same_bytes(got, numpy_planes(statics, d, a, blend, dtype))
    flat = statics.reshape(2, 3 * channels, *size)
    same_bytes(got, fr.assemble_planes(flat, d[0], a[0], blend=blend, dtype=dtype, **more))


def test_planes_round_to_half_as_numpy_does():
    bits = np.arange(1 << 16, dtype=np.uint32) << 16
    edges = np.concatenate(
        [bits, bits + 0x0FFF, bits + 0x1000, bits + 0x1001, bits + 0x2FFF, bits + 0x3000, bits + 0xFFFF]
    )
    x = edges.astype(np.uint32).view(np.float32)
    x = x[np.isfinite(x)]
    x = np.resize(x, (1, 3, 1, 1, -(-len(x) // 3)))
    zero = np.zeros((1, 1, 1, x.shape[-1]), np.float32)
    got = on_every_path(lambda: fr.assemble_planes(x, zero, np.ones_like(zero), dtype="float16"))
    with np.errstate(over="ignore"):
        same_bytes(got[:, 1:], x.transpose(0, 1, 3, 4, 2).astype(np.float16)[:, 1:])


def test_a_new_expression_writes_the_front_plane_only():
    statics, d, a = plane_inputs(3, 32, static_batch=1)
    planes = np.array(fr.assemble_planes(statics, d[0], a[0]))
    planes[:, 1:] += 1
    marked = planes.copy()
    fr.assemble_planes(statics, d[1], a[1], out=planes, front_only=True)
    same_bytes(planes[:, 1:], marked[:, 1:])
    same_bytes(planes[:, 0], np.asarray(fr.assemble_planes(statics, d[1], a[1]))[:, 0])
    half = np.zeros(planes.shape, np.float16)
    fr.assemble_planes(statics, d[1], a[1], out=half)  # the output's dtype counts
    same_bytes(half, fr.assemble_planes(statics, d[1], a[1], dtype="float16"))


def test_planes_errors():
    statics, d, a = plane_inputs()
    for bad, message in [
        (lambda: fr.assemble_planes(statics[:, :2], d[0], a[0]), "statics must be"),
        (lambda: fr.assemble_planes(statics, d[0], a[0][:, :, 1:]), r"front_alpha must be \[B, 1, H, W\]"),
        (lambda: fr.assemble_planes(statics, d[0], a[0], blend="all"), "side must be"),
        (lambda: fr.assemble_planes(statics, d[0], a[0], dtype="float64"), "dtype must be one of 'float32', 'float16'"),
        (lambda: fr.assemble_planes(statics, d[0], a[0], front_only=True), "front_only needs out="),
        (lambda: fr.assemble_planes(statics, d[0], a[0], out=values(2, 3, 4, 4, 4)), "planes must be"),
        (
            lambda: fr.assemble_planes(
                statics, d[0], a[0], side=d[1], side_alpha=a[1], top=d[2], top_alpha=a[2], blend="all", front_only=True,
                out=np.empty((2, 3, 12, 17, 32), np.float32),
            ),
            "front_only needs BlendPlanes::front",
        ),
    ]:  # fmt: skip
        with pytest.raises(fr.InvalidArgumentError, match=message):
            bad()


# ---- what must not matter -------------------------------------------------------------------------------------------

BATCH = 5
IMAGES, PATCHES = values(BATCH, 6, 40, 36), values(BATCH, 6, 8, 8, seed=1)
BOXES = mouth_boxes(BATCH, 40, 36)
STATICS, DYNAMIC, ALPHAS = plane_inputs(BATCH, 6, 20, 24)
SEEN = raster(batch=BATCH)
TEXTURES = values(BATCH, 6, 8, 8, seed=2)

#: op by name → result of samples [begin, end)
OPS = {
    "upfirdn2d": lambda s: fr.upsample2d(IMAGES[s], FIR),
    "bias_act": lambda s: fr.bias_act(IMAGES[s], IMAGES[0, :, 0, 0].copy(), activation="lrelu"),
    "resize_antialias": lambda s: fr.resize_antialias(IMAGES[s], (23, 51)),
    "crop_resize": lambda s: fr.crop_resize(IMAGES[s], BOXES[s], (9, 12)),
    "resize_paste": lambda s: fr.resize_paste(PATCHES[s], BOXES[s], IMAGES[s]),
    "neural_texture": lambda s: fr.neural_texture(
        np.asarray(SEEN.face)[s], np.asarray(SEEN.barycentrics)[s], MESH, TEXTURES[s], MASK
    )[0],
    "fill_enclosed": lambda s: fr.fill_enclosed(ALPHAS[0][s]),
    "assemble_planes": lambda s: fr.assemble_planes(STATICS[s], DYNAMIC[0][s], ALPHAS[0][s]),
}


@pytest.mark.parametrize("op", OPS)
def test_batch_and_threads_do_not_matter(op, isa, set_threads):
    set_threads(1)
    together = np.asarray(OPS[op](slice(0, BATCH)))
    alone = np.concatenate([np.asarray(OPS[op](slice(b, b + 1))) for b in range(BATCH)])
    same_bytes(together, alone)
    for threads in (2, 3, 8):
        set_threads(threads)
        same_bytes(OPS[op](slice(0, BATCH)), together)


# ---- golden vectors -------------------------------------------------------------------------------------------------


def test_neural_views_of_the_published_model(isa):
    data = np.load(GOLDEN / "raster.npz")
    mesh = fr.NeuralMesh(
        data["template_faces"].astype(np.int32), data["template_uvfaces"].astype(np.int32), data["template_uv"],
        data["verts"].shape[1],
    )  # fmt: skip
    texture = data["tex_small"].astype(np.float32).repeat(8, 2).repeat(8, 3)
    mask = data["uv_mask"].astype(np.float32) / 255
    for view, probe, alpha_name in (
        ("front", "front", "front"),
        ("side", "side_sum", "side_binarised"),
        ("top", "pitch90", "pitch90"),
    ):
        features, alpha = fr.neural_view(data["verts"], mesh, texture, mask, view=view)
        got = np.asarray(features).ravel()[data["probe_idx"]]
        np.testing.assert_allclose(got, data[f"{probe}.tex_probe"], atol=tol.GOLDEN_TEXTURE, rtol=0)
        np.testing.assert_allclose(
            np.asarray(alpha), data[f"{alpha_name}.alpha_final"], atol=tol.GOLDEN_TEXTURE, rtol=0
        )
    np.testing.assert_array_equal(np.asarray(fr.fill_enclosed(data["fill.in"])), data["fill.out"])


# ---- GPU ------------------------------------------------------------------------------------------------------------


def there(array):
    return fr.from_dlpack(np.ascontiguousarray(array)).to("cuda:0")


#: op by name → results on the GPU, and the same call on the CPU
KERNELS = {
    "upfirdn2d": lambda at: [
        fr.upsample2d(at(IMAGES), FIR),
        fr.downsample2d(at(IMAGES), FIR),
        fr.upfirdn2d(at(IMAGES), values(3, 5), up=(2, 3), down=(3, 2), padding=(-2, 5, 4, -1), gain=1.5),
    ],
    "bias_act": lambda at: [
        fr.bias_act(at(IMAGES), at(values(6)), activation="lrelu", clamp=0.5),
        fr.bias_act(at(values(3, 33))),
    ],
    "resize_antialias": lambda at: [fr.resize_antialias(at(IMAGES), size) for size in ((23, 51), (40, 36), (3, 100))],
    "crop_resize": lambda at: [
        fr.crop_resize(at(IMAGES), BOXES, (9, 12)),
        fr.crop_resize(at(IMAGES), at(BOXES), (30, 2), outside="clamp"),
        fr.crop_resize(at(values(70, 1, 9, 9)), mouth_boxes(70, 9, 9), 4),
    ],
    "resize_paste": lambda at: [
        fr.resize_paste(at(PATCHES), BOXES, at(IMAGES)),
        fr.resize_paste(at(values(BATCH, 6, 90, 3)), at(BOXES - 5), at(IMAGES), outside="clamp"),
    ],
    "neural_texture": lambda at: [
        part
        for order in ("first", "last")
        for other in ("first", "last")
        for part in fr.neural_texture(
            at(SEEN.face),
            at(SEEN.barycentrics),
            MESH if at is np.asarray else MESH.to("cuda:0"),
            at(TEXTURES if order == "first" else TEXTURES.transpose(0, 2, 3, 1)),
            at(MASK),
            texture_channels=order,
            feature_channels=other,
        )
    ],
    "neural_view": lambda at: [
        part
        for view in ("front", "side", "top")
        for part in fr.neural_view(
            at(VERTICES[None]), MESH if at is np.asarray else MESH.to("cuda:0"), at(TEXTURES[:1]), at(MASK), view=view, size=40
        )
    ],
    "fill_enclosed": lambda at: [
        fr.fill_enclosed(at(np.stack([maze(33, 65, kind), maze(33, 65, "0.4")])), binarise=binarise)
        for kind in ("serpentine", "spiral", "0.3")
        for binarise in (False, True)
    ],
    "assemble_planes": lambda at: [
        fr.assemble_planes(
            at(statics), at(d[0]), at(a[0]), side=at(d[1]), side_alpha=at(a[1]), top=at(d[2]), top_alpha=at(a[2]), blend=blend,
            dtype=dtype,
        )
        for statics, d, a in (plane_inputs(2, 33, 7, 9), plane_inputs(2, 32, 8, 8, static_batch=1))
        for blend in ("front", "all")
        for dtype in ("float32", "float16")
    ],
}  # fmt: skip


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("op", KERNELS)
def test_kernels_equal_the_cpu(op):
    for result, expected in zip(KERNELS[op](there), KERNELS[op](np.asarray), strict=True):
        assert result.device == "cuda:0"
        same_bytes(result.to("cpu"), expected)


@pytest.mark.gpu
@needs_gpu
def test_boxes_on_a_gpu_must_be_clamped():
    with pytest.raises(fr.InvalidArgumentError, match="not read back for checks: ask for BoxRule::clamp"):
        fr.crop_resize(there(IMAGES), there(BOXES), 8)
