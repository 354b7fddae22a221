"""sample_texture against torch.nn.functional.grid_sample and a few lines of NumPy."""

from __future__ import annotations

import forge_rt as fr
import numpy as np
import pytest
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st

options = st.fixed_dictionaries(
    dict(
        filter=st.sampled_from(["nearest", "bilinear"]),
        border=st.sampled_from(["zero", "clamp"]),
        align_corners=st.booleans(),
    )
)
extent = st.integers(1, 9)


def texel_coordinates(grid, size, align_corners):
    """grid [..., 2] → (column, row) in texels, float64; centres are whole numbers."""
    span = np.array([size[1], size[0]], float)
    grid = grid.astype(float)
    return (grid + 1) / 2 * (span - 1) if align_corners else ((grid + 1) * span - 1) / 2


def numpy_sample(texture, grid, *, filter, border, align_corners):
    height, width = texture.shape[1:3]
    xy = texel_coordinates(grid, (height, width), align_corners)
    if border == "clamp":
        xy = np.clip(xy, 0, [width - 1, height - 1])
    nan = np.isnan(xy).any(-1, keepdims=True)
    xy = np.clip(np.where(nan, 0, xy), -9, 99)
    out = np.zeros((*grid.shape[:3], texture.shape[3]))
    image = np.arange(len(grid))[:, None, None] % max(len(texture), 1)
    low = np.rint(xy) if filter == "nearest" else np.floor(xy)
    for dx, dy in [(0, 0)] if filter == "nearest" else [(0, 0), (1, 0), (0, 1), (1, 1)]:
        column, row = low[..., 0] + dx, low[..., 1] + dy
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        weight = np.prod(1 - np.abs(xy - (low + np.array([dx, dy]))), -1) if filter == "bilinear" else 1.0
        texel = texture[image, row.clip(0, height - 1).astype(int), column.clip(0, width - 1).astype(int)]
        out += np.where(inside, weight, 0)[..., None] * texel
    return np.where(nan, 0, out)


def near_a_border(grid, size, align_corners):
    """A nearest lookup that either of two texels may answer."""
    xy = texel_coordinates(grid, size, align_corners)
    return (np.abs(xy - np.floor(xy) - 0.5) < tol.TEXEL_BORDER).any(-1)


def random_case(seed, batch, texture_batch, texture_size, grid_size, channels):
    rng = np.random.default_rng(seed)
    texture = rng.random((texture_batch, *texture_size, channels)).astype(np.float32)
    return texture, rng.uniform(-1.6, 1.6, (batch, *grid_size, 2)).astype(np.float32)


@given(
    option=options, texture_size=st.tuples(extent, extent), grid_size=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    batch=st.integers(0, 3), channels=st.integers(0, 5), shared=st.booleans(), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_against_numpy(option, texture_size, grid_size, batch, channels, shared, seed):
    texture, grid = random_case(seed, batch, 1 if shared else batch, texture_size, grid_size, channels)
    out = np.asarray(fr.sample_texture(texture, grid, **option))
    assert out.shape == (batch, *grid_size, channels) and out.dtype == np.float32
    expected = numpy_sample(texture, grid, **option)
    if option["filter"] == "nearest":
        keep = ~near_a_border(grid, texture_size, option["align_corners"])
        out, expected = out[keep], expected[keep]
    np.testing.assert_allclose(out, expected, rtol=0, atol=tol.TEXTURE_BILINEAR)


@given(
    option=options,
    texture_size=st.tuples(extent, extent),
    grid_size=st.tuples(extent, extent),
    batch=st.integers(1, 3),
    channels=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)
def test_against_torch(option, texture_size, grid_size, batch, channels, seed):
    torch = pytest.importorskip("torch")
    texture, grid = random_case(seed, batch, batch, texture_size, grid_size, channels)
    out = np.asarray(fr.sample_texture(texture, grid, **option))
    expected = torch.nn.functional.grid_sample(
        torch.from_numpy(texture).permute(0, 3, 1, 2), torch.from_numpy(grid), mode=option["filter"],
        padding_mode="zeros" if option["border"] == "zero" else "border", align_corners=option["align_corners"],
    ).permute(0, 2, 3, 1).numpy()  # fmt: skip
    if option["filter"] == "nearest":
        keep = ~near_a_border(grid, texture_size, option["align_corners"])
        out, expected = out[keep], expected[keep]
    np.testing.assert_allclose(out, expected, rtol=0, atol=tol.TEXTURE_BILINEAR)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
def test_texel_centres_read_their_texel(filter, align_corners):
    texture = np.random.default_rng(0).random((1, 8, 16, 3)).astype(np.float32)
    row, column = np.mgrid[:8, :16]
    if align_corners:
        x, y = column / 15 * 2 - 1, row / 7 * 2 - 1
    else:
        x, y = (2 * column + 1) / 16 - 1, (2 * row + 1) / 8 - 1
    out = fr.sample_texture(texture, np.stack([x, y], -1)[None], filter=filter, align_corners=align_corners)
    np.testing.assert_allclose(np.asarray(out), texture, rtol=0, atol=tol.TEXTURE_BILINEAR)


def test_uv_of_an_obj_file():
    """(2u - 1, 1 - 2v): v = 1 is the top row."""
    texture = np.array([[[1], [2]], [[3], [4]]], np.float32)[None]
    uv = np.array([[0.25, 0.75], [0.75, 0.75], [0.25, 0.25], [0.75, 0.25]])
    grid = np.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], -1)[None, None]
    assert np.asarray(fr.sample_texture(texture, grid)).ravel().tolist() == [1, 2, 3, 4]


def test_half_way_between_texels_rounds_to_even():
    texture = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)
    grid = np.array([[[(2 * x + 1) / 4 - 1, 0] for x in (0.5, 1.5, 2.5)]])[None]  # exact in float32
    assert np.asarray(fr.sample_texture(texture, grid, filter="nearest")).ravel().tolist() == [0, 2, 2]


@pytest.mark.parametrize("border", ["zero", "clamp"])
@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_nan_coordinates_read_zero(filter, border, align_corners):
    texture = np.ones((1, 5, 6, 4), np.float32)
    grid = np.zeros((1, 2, 3, 2), np.float32)
    grid[0, 0, 0, 0] = grid[0, 1, 1, 1] = np.nan
    out = np.asarray(fr.sample_texture(texture, grid, filter=filter, border=border, align_corners=align_corners))
    expected = np.ones((1, 2, 3, 4))
    expected[0, 0, 0] = expected[0, 1, 1] = 0
    np.testing.assert_allclose(out, expected, atol=tol.TEXTURE_BILINEAR)


@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
def test_far_outside_with_zero_border(filter):
    far = np.array([[[[1e9, 0], [0, -1e9], [np.inf, 0], [0, -np.inf], [3e38, 3e38]]]], np.float32)
    assert (np.asarray(fr.sample_texture(np.ones((1, 4, 4, 2), np.float32), far, filter=filter)) == 0).all()


@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
def test_far_outside_with_clamped_border(filter):
    texture = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)
    grid = np.array([[[[1e9, 0], [-1e9, 0], [1.01, -1e30]]]], np.float32)
    assert np.asarray(fr.sample_texture(texture, grid, filter=filter, border="clamp")).ravel().tolist() == [3, 0, 3]


@pytest.mark.parametrize("far", [np.inf, 3e38])
def test_infinitely_far_outside_with_clamped_border(far):
    texture = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)
    grid = np.array([[[[far, 0], [-far, 0]]]], np.float32)
    assert np.asarray(fr.sample_texture(texture, grid, border="clamp")).ravel().tolist() == [3, 0]


def test_nan_texels_stay_local():
    texture = np.ones((1, 6, 6, 1), np.float32)
    texture[0, 2, 2] = np.nan
    row, column = np.mgrid[:6, :6]
    grid = np.stack([(2 * column + 1) / 6 - 1, (2 * row + 1) / 6 - 1], -1)[None]
    out = np.asarray(fr.sample_texture(texture, grid, filter="nearest"))[0, ..., 0]
    assert np.isnan(out[2, 2]) and np.isfinite(np.delete(out.ravel(), 14)).all()


def test_every_path_thread_count_and_batch(isa, set_threads):
    texture, grid = random_case(1, 8, 8, (17, 9), (50, 41), 6)
    set_threads(1)
    fr.set_isa("baseline")
    expected = np.asarray(fr.sample_texture(texture, grid))
    fr.set_isa(isa)
    for threads in (1, 2, 3):
        set_threads(threads)
        assert np.asarray(fr.sample_texture(texture, grid)).tobytes() == expected.tobytes()
    for image in range(8):
        alone = np.asarray(fr.sample_texture(texture[image : image + 1], grid[image : image + 1]))
        assert alone.tobytes() == expected[image : image + 1].tobytes()
    shared = np.asarray(fr.sample_texture(texture[:1], grid))
    copies = np.asarray(fr.sample_texture(texture[:1].repeat(8, 0), grid))
    assert shared.tobytes() == copies.tobytes()


def test_arrays_of_many_kinds():
    texture, grid = random_case(2, 2, 2, (5, 4), (3, 7), 3)
    expected = np.asarray(fr.sample_texture(texture, grid)).tobytes()
    planes = np.ascontiguousarray(texture.transpose(0, 3, 1, 2))
    frozen = texture.copy()
    frozen.setflags(write=False)
    for t, g in [
        (planes.transpose(0, 2, 3, 1), grid), (frozen, grid.astype(np.float64)), (texture.tolist(), grid.tolist()),
        (fr.from_dlpack(texture), fr.from_dlpack(grid)),
    ]:  # fmt: skip
        assert np.asarray(fr.sample_texture(t, g)).tobytes() == expected


TEXTURE, GRID = np.zeros((2, 4, 5, 3), np.float32), np.zeros((2, 6, 7, 2), np.float32)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(texture=TEXTURE[0]), r"texture must be \[B or 1, Ht, Wt, C\] float32, got \[4, 5, 3\]"),
        (dict(grid=GRID[0]), r"grid must be \[B, H, W, 2\] float32, got \[6, 7, 2\]"),
        (dict(grid=np.zeros((2, 6, 7, 3))), r"grid must be \[B, H, W, 2\] float32, got \[2, 6, 7, 3\]"),
        (dict(texture=np.zeros((3, 4, 5, 3))), r"texture must have 2 or 1 rows on axis 0, got 3"),
        (dict(texture=TEXTURE[:, :0]), r"texture size must be 1\.\.2\^20, got \[2, 0, 5, 3\]"),
        (dict(filter="cubic"), r"filter must be 'nearest' or 'bilinear', got 'cubic'"),
        (dict(border="zeros"), r"border must be 'zero' or 'clamp', got 'zeros'"),
    ],
)
def test_errors_say_what_was_expected(change, message):
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.sample_texture(**{**dict(texture=TEXTURE, grid=GRID), **change})


def test_torch_errors():
    torch = pytest.importorskip("torch")
    with pytest.raises(fr.InvalidArgumentError, match=r"texture must be .* float32, got \[2, 4, 5, 3\] float16"):
        fr.sample_texture(torch.zeros(2, 4, 5, 3, dtype=torch.float16), GRID)
    with pytest.raises(fr.InvalidArgumentError, match="texture must be contiguous"):
        fr.sample_texture(torch.zeros(2, 3, 4, 5).permute(0, 2, 3, 1), GRID)
