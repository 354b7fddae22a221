"""Next3D's rasterized views (spec/next3d §6.1, §6.4, §7.2): transform, mouth filling, mouth box."""

from __future__ import annotations

import forge_rt as fr
import numpy as np
import pytest
import tolerances as tol
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

# ---- orthographic_view ----------------------------------------------------------------------------------------------

HEADS = np.random.default_rng(0).uniform(-0.2, 0.2, (3, 50, 3)).astype(np.float32)

#: angles (pitch, yaw, roll) → x', y', z' of the table in §6.1
VIEWS = {
    "front": ((0, 0, 0), lambda x, y, z: (5 * x, 5 * (y + 0.01), 10 - 5 * (z - 0.01))),
    "yaw90": ((0, 90, 0), lambda x, y, z: (-5 * z, 5 * (y + 0.01), 10 - 5 * (x - 0.01))),
    "yaw-90": ((0, -90, 0), lambda x, y, z: (5 * z, 5 * (y + 0.01), 10 + 5 * (x + 0.01))),
    "pitch90": ((90, 0, 0), lambda x, y, z: (5 * x, -5 * (z - 0.01), 10 - 5 * (y - 0.01))),
}


@pytest.mark.parametrize("name", VIEWS)
def test_view_is_the_published_table(name):
    angles, table = VIEWS[name]
    x, y, z = HEADS.astype(float).transpose(2, 0, 1)
    expected = np.stack(table(x, y, z), -1)
    np.testing.assert_allclose(np.asarray(fr.orthographic_view(HEADS, angles)), expected, atol=tol.FEW_ULPS * 10)


@given(angles=st.tuples(*[st.floats(-180, 180)] * 3), scale=st.floats(0.1, 9), shift=st.tuples(*[st.floats(-1, 1)] * 3))
def test_view_of_any_angles(angles, scale, shift):
    pitch, yaw, roll = np.radians(angles)
    (sx, cx), (sy, cy), (sz, cz) = ((np.sin(a), np.cos(a)) for a in (pitch, yaw, roll))
    rotation = (
        np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    )  # fmt: skip
    turned = ((HEADS * [1, -1, 1]) @ rotation + shift) * scale * [1, -1, -1] + [0, 0, 10]
    np.testing.assert_allclose(
        np.asarray(fr.orthographic_view(HEADS, angles, scale, shift)), turned, atol=tol.FEW_ULPS * 40
    )


def test_views_of_a_batch_are_views_of_its_members():
    together = np.asarray(fr.orthographic_view(HEADS, (10, 20, 30)))
    for image in range(3):
        alone = np.asarray(fr.orthographic_view(HEADS[image : image + 1], (10, 20, 30)))
        assert alone.tobytes() == together[image : image + 1].tobytes()
    assert fr.orthographic_view(HEADS[:0], (0, 0, 0)).shape == (0, 50, 3)
    assert fr.orthographic_view(HEADS[:, :0], (0, 0, 0)).shape == (3, 0, 3)
    bad = HEADS.copy()
    bad[1, 4, 0] = np.nan
    out = np.asarray(fr.orthographic_view(bad, (0, 0, 0)))
    assert np.isfinite(np.delete(out.reshape(-1, 3), 54, 0)).all()


def test_view_errors():
    with pytest.raises(fr.InvalidArgumentError, match=r"points must be \[B, N, 3\] float32, got \[50, 3\]"):
        fr.orthographic_view(HEADS[0], (0, 0, 0))


# ---- fill_enclosed --------------------------------------------------------------------------------------------------


def python_fill(alpha):
    """§6.4 for one image: flood from (0, 0), a stack of pixels."""
    value = np.float32(255) * alpha
    seed = value[0, 0]
    accepted = (value >= seed) & (value <= seed + np.float32(254))
    reached, stack = {(0, 0)}, [(0, 0)]
    while stack:
        row, column = stack.pop()
        for at in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= at[0] < alpha.shape[0] and 0 <= at[1] < alpha.shape[1] and at not in reached and accepted[at]:
                reached.add(at)
                stack.append(at)
    out = np.ones_like(alpha)
    for at in reached:
        out[at] = alpha[at]
    return out


#: soft and hard values, both sides of the wall at 254/255, NaN
ALPHAS = st.sampled_from(
    [0.0, 0.0, 0.0, 0.3, 1.0, 1.0, 254 / 255, np.nextafter(np.float32(254 / 255), 1), 0.5, -0.1, np.nan]
)


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9), elements=ALPHAS.map(np.float32)
    )
)
def test_fill_against_a_plain_flood(alpha):
    out = np.asarray(fr.fill_enclosed(alpha))
    expected = np.stack([python_fill(image) for image in alpha])
    np.testing.assert_array_equal(out, expected)
    with_channel = np.asarray(fr.fill_enclosed(alpha[:, None]))
    assert with_channel.shape == (len(alpha), 1, *alpha.shape[1:]) and with_channel.tobytes() == out.tobytes()


def test_fill_closes_a_ring_and_not_an_arc():
    row, column = np.mgrid[:41, :41] - 20
    radius = np.hypot(row, column)
    ring = ((radius > 8) & (radius < 12)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(fr.fill_enclosed(ring[None]))[0], radius < 12)
    arc = ring.copy()
    arc[19:22, 20:] = 0  # a slit
    np.testing.assert_array_equal(np.asarray(fr.fill_enclosed(arc[None]))[0], arc)
    diagonal = np.eye(5, dtype=np.float32)[:, ::-1]  # 4-connected: a diagonal is a wall
    beyond = np.add.outer(np.arange(5), np.arange(5)) >= 4
    np.testing.assert_array_equal(np.asarray(fr.fill_enclosed(diagonal[None]))[0], beyond)


def test_fill_quirk_of_a_seed_on_the_object():
    """Pixel (0, 0) is taken for background: with 1 there, only pixels of 1 and more are reached; others become 1."""
    alpha = np.float32([[[1, 0.2], [0, 1]]])
    np.testing.assert_array_equal(np.asarray(fr.fill_enclosed(alpha)), np.ones((1, 2, 2)))


def test_fill_leaves_its_input_alone_and_takes_odd_shapes():
    alpha = np.zeros((2, 5, 5), np.float32)
    alpha[:, 1:4, 1:4] = 1
    alpha[:, 2, 2] = 0
    alpha.setflags(write=False)
    out = np.asarray(fr.fill_enclosed(alpha))
    assert alpha[0, 2, 2] == 0 and out[0, 2, 2] == 1
    for shape in ((0, 4, 4), (2, 0, 3), (2, 1, 0, 3), (1, 1, 1), (1, 300, 1)):
        assert fr.fill_enclosed(np.zeros(shape, np.float32)).shape == shape


@pytest.mark.parametrize("shape", [(4, 4), (1, 2, 4, 4), (1, 1, 1, 4, 4)])
def test_fill_errors(shape):
    with pytest.raises(fr.InvalidArgumentError, match=r"alpha must be \[B, 1, H, W\] or \[B, H, W\] float32, got"):
        fr.fill_enclosed(np.zeros(shape))


# ---- mouth_box ------------------------------------------------------------------------------------------------------


def mouth(centre=(128.0, 90.0), width=40.0, height=12.0):
    """68 landmarks, all but the lips somewhere else."""
    landmarks = np.random.default_rng(1).uniform(0, 256, (68, 2))
    angle = np.arange(12) * np.pi / 6
    landmarks[48:60] = np.stack([-np.cos(angle) * width / 2, np.sin(angle) * height / 2], -1) + centre
    return landmarks.astype(np.float32)


def python_box(landmarks):
    lips = landmarks[48:60]
    extent = np.float32(1.2) * (lips.max(0) - lips.min(0)).max()
    half = int(extent) // 2
    x, y = ((landmarks[48] + landmarks[54]) / np.float32(2)).tolist()
    return [int(y - half), int(y + half), int(x - half), int(x + half)]


@given(
    centre=st.tuples(st.floats(80, 170), st.floats(80, 170)), width=st.floats(0, 60), height=st.floats(0, 60),
)  # fmt: skip
def test_mouth_box_against_python(centre, width, height):
    landmarks = mouth(centre, width, height)
    box = np.asarray(fr.mouth_box(landmarks[None], 256))
    assert box.dtype == np.int64 and box.tolist() == [python_box(landmarks)]


def test_mouth_boxes_of_a_batch():
    batch = np.stack([mouth((100, 90)), mouth((128, 110), 30), mouth((90, 130), 10, 50)])
    assert np.asarray(fr.mouth_box(batch, 256)).tolist() == [python_box(landmarks) for landmarks in batch]
    assert fr.mouth_box(batch[:0], 256).shape == (0, 4)
    # inner lips, jaw and eyes do not matter
    other = batch.copy()
    other[:, :48] = other[:, 60:] = np.nan
    assert np.asarray(fr.mouth_box(other, 256)).tolist() == np.asarray(fr.mouth_box(batch, 256)).tolist()


def test_sides_of_a_mouth_box_are_double():
    """In float32 the lower side would round up to 148."""
    below = np.nextafter(np.float32(128), np.float32(0))
    landmarks = mouth((100, 100), 34, 10)
    landmarks[[48, 54], 1] = below
    extent = int(np.float32(1.2) * np.ptp(landmarks[48:60], axis=0).max())
    assert extent // 2 == 20 and np.float32(below + np.float32(20)) == 148
    assert np.asarray(fr.mouth_box(landmarks[None], 256))[0, :2].tolist() == [107, 147]


@pytest.mark.parametrize(
    "centre, axis",
    [((128, 10), "rows"), ((128, 250), "rows"), ((10, 90), "columns"), ((250, 90), "columns"), ((1e6, 90), "columns")],
)
def test_a_mouth_outside_the_view_is_an_error(centre, axis):
    with pytest.raises(
        fr.InvalidArgumentError, match=f"the mouth of image 1 lies outside the view: {axis} .* of 0..256"
    ):
        fr.mouth_box(np.stack([mouth(), mouth(centre)]), 256)


def test_mouth_box_may_touch_the_border():
    landmarks = mouth((24, 24), 40, 12)
    assert python_box(landmarks) == [0, 48, 0, 48]
    assert np.asarray(fr.mouth_box(landmarks[None], 48)).tolist() == [[0, 48, 0, 48]]
    with pytest.raises(fr.InvalidArgumentError, match="outside the view"):
        fr.mouth_box(landmarks[None], 47)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_mouth_corners_must_be_numbers(bad):
    for corner in (48, 54):
        landmarks = mouth()
        landmarks[corner, 0] = bad
        with pytest.raises(fr.InvalidArgumentError):
            fr.mouth_box(landmarks[None], 256)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e30])
def test_lips_must_be_finite(bad):
    landmarks = mouth()
    landmarks[51, 0] = bad
    with pytest.raises(fr.InvalidArgumentError):
        fr.mouth_box(landmarks[None], 256)


def test_lips_must_not_be_nan():
    landmarks = mouth()
    landmarks[51, 0] = np.nan
    with pytest.raises(fr.InvalidArgumentError):
        fr.mouth_box(landmarks[None], 256)


@pytest.mark.parametrize("shape", [(68, 2), (1, 67, 2), (1, 68, 3)])
def test_mouth_box_errors(shape):
    with pytest.raises(fr.InvalidArgumentError, match=r"landmarks must be \[B, 68, 2\] float32, got"):
        fr.mouth_box(np.zeros(shape), 256)
