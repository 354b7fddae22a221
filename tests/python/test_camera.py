"""Cameras: golden vectors of the published samplers, geometry and projection against a few lines of NumPy."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import camera
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[1] / "golden" / "next3d" / "cameras.npz"
GOLDEN_TOLERANCE = 2e-6  # the reference computes in float32
POLE_TOLERANCE = 1e-4  # its element 0 has v clamped to 1e-5: ill-conditioned in float32


def some_points(n: int = 500) -> np.ndarray:
    """Points on a sphere of 0.1 m about the head frame's origin."""
    direction = np.random.default_rng(0).normal(size=(n, 3))
    return 0.1 * direction / np.linalg.norm(direction, axis=1, keepdims=True)


def numpy_look_at(position, target):
    """The published rule, written independently: rows of the rotation are right, down, forward."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = -np.cross([0, 1, 0], forward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


# ---- golden vectors -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN))


def assert_poses(actual, expected):
    np.testing.assert_allclose(actual[0], expected[0], rtol=0, atol=POLE_TOLERANCE)
    np.testing.assert_allclose(actual[1:], expected[1:], rtol=0, atol=GOLDEN_TOLERANCE)


def test_golden_look_at(golden):
    poses = camera.look_at(golden["h"], golden["v"], golden["lookat"], golden["radius"])
    assert_poses(poses, golden["cam2world_lookat"])


def test_golden_gaussian_mean(golden):
    assert_poses(camera.look_at(golden["h"], golden["v"], radius=golden["radius"]), golden["cam2world_gaussian_mean"])


def test_golden_gaussian_with_its_normals(golden):
    h_mean, v_mean, h_std, v_std, radius = golden["gauss_params"]
    normal_h, normal_v = golden["gauss_normals_hv"][..., 0].astype(float)
    poses = camera.look_at(h_mean + normal_h * h_std, v_mean + normal_v * v_std, radius=radius)
    np.testing.assert_allclose(poses, golden["cam2world_gaussian"], rtol=0, atol=GOLDEN_TOLERANCE)


def test_golden_intrinsics(golden):
    actual = camera.intrinsics_from_published_fov(golden["fov_deg"])
    np.testing.assert_allclose(actual, golden["intrinsics"], rtol=0, atol=GOLDEN_TOLERANCE)


def test_published_samplers_draw_h_then_v():
    rng, same = fr.Random(3, 5, "test"), fr.Random(3, 5, "test")
    h, v = 1.5 + 0.3 * same.normal(), 1.6 + 0.1 * same.normal()
    pose = camera.sample_gaussian(rng, h_mean=1.5, v_mean=1.6, h_std=0.3, v_std=0.1)
    np.testing.assert_array_equal(pose, camera.look_at(h, v))
    h = math.pi / 2 + 0.8 * (2 * same.uniform() - 1)
    v = math.pi / 2 + 0.8 * (2 * same.uniform() - 1)
    pose = camera.sample_uniform(rng, h_std=0.8, v_std=0.8, lookat=(0, 0, 0.2))
    np.testing.assert_array_equal(pose, camera.look_at(h, v, (0, 0, 0.2)))


def test_gaussian_without_spread_is_look_at():
    pose = camera.sample_gaussian(fr.Random(0, 0, "test"), h_mean=1.2, v_mean=1.7, radius=2.0)
    np.testing.assert_array_equal(pose, camera.look_at(1.2, 1.7, radius=2.0))


# ---- geometry -------------------------------------------------------------------------------------------------------

orbits = st.fixed_dictionaries(
    {
        "yaw_deg": st.floats(-179, 179),
        "pitch_deg": st.floats(-70, 70),
        "roll_deg": st.floats(-179, 179),
        "fov_deg": st.floats(5, 120),
        "radius_m": st.floats(0.3, 5),
        "center_offset": st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
        "origin_m": st.tuples(*[st.floats(-0.1, 0.1)] * 3),
        "lookat_m": st.tuples(*[st.floats(-0.05, 0.05)] * 3),
        "size": st.tuples(st.integers(1, 800), st.integers(1, 800)),
    }
)


@given(orbits)
def test_orbit_against_numpy(parameters):
    view = camera.orbit(**parameters)
    yaw, pitch, roll = (math.radians(parameters[key]) for key in ("yaw_deg", "pitch_deg", "roll_deg"))
    origin, lookat = np.array(parameters["origin_m"]), np.array(parameters["lookat_m"])
    direction = [math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)]
    position = origin + parameters["radius_m"] * np.array(direction)
    # Clockwise about the forward axis: the new right axis leans towards down.
    roll_matrix = [[math.cos(roll), math.sin(roll), 0], [-math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
    rotation = roll_matrix @ numpy_look_at(position, origin + lookat)
    np.testing.assert_allclose(view.world_to_camera[:, :3], rotation, atol=1e-9)
    np.testing.assert_allclose(view.position_m, position, atol=1e-9)
    np.testing.assert_allclose(
        view.camera_to_world @ np.vstack([view.world_to_camera, [0, 0, 0, 1]]), np.eye(4), atol=1e-9
    )
    height, width = parameters["size"]
    assert view.fx == view.fy == pytest.approx(width / 2 / math.tan(math.radians(parameters["fov_deg"]) / 2))
    pixels, depth_m = camera.project(origin + lookat, view)  # the look-at point falls on the principal point
    np.testing.assert_allclose(pixels, [view.cx, view.cy], atol=1e-6)
    assert depth_m == pytest.approx(np.linalg.norm(origin + lookat - position))
    np.testing.assert_allclose(
        [view.cx / width, view.cy / height], 0.5 + np.array(parameters["center_offset"]), atol=1e-12
    )


def test_handedness_in_words():
    nose, left_ear, crown = [0, 0, 0.1], [0.08, 0, 0], [0, 0.12, 0]
    frontal = camera.orbit()
    assert camera.project(left_ear, frontal)[0][0] > 256  # the subject's left is on the right of the frontal image
    assert camera.project(crown, frontal)[0][1] < 256  # up is a smaller row
    assert camera.project(nose, frontal)[1] < 1.08  # the nose is nearer than the origin
    from_left = camera.orbit(yaw_deg=60)
    right_ear = [-0.08, 0, 0]
    assert camera.project(left_ear, from_left)[1] < camera.project(right_ear, from_left)[1]
    assert camera.project(crown, camera.orbit(roll_deg=20))[0][0] < 256  # clockwise camera, counter-clockwise picture


@given(orbits)
def test_provenance_follows_from_the_matrix(parameters):
    view = camera.orbit(**parameters)
    derived = camera.Camera(view.size, view.fx, view.fy, view.cx, view.cy, view.world_to_camera, view.origin_m)
    for name in ("yaw_deg", "pitch_deg", "fov_deg", "radius_m"):
        assert getattr(derived, name) == pytest.approx(getattr(view, name), abs=1e-6), name
    assert math.cos(math.radians(derived.roll_deg - view.roll_deg)) == pytest.approx(1, abs=1e-9)
    again = camera.orbit(
        **{name: getattr(derived, name) for name in ("yaw_deg", "pitch_deg", "roll_deg", "fov_deg", "radius_m")},
        origin_m=derived.origin_m, lookat_m=derived.lookat_m, center_offset=derived.center_offset, size=derived.size,
    )  # fmt: skip
    np.testing.assert_allclose(again.world_to_camera, view.world_to_camera, atol=1e-6)


@given(orbits, st.floats(1, 4), st.tuples(*[st.floats(-0.3, 0.3)] * 3))
def test_label_round_trip(parameters, scale, shift):
    view = camera.orbit(**parameters)
    label = view.label25(scale, shift)
    np.testing.assert_allclose(label[[3, 7, 11]], scale * view.position_m + shift, atol=1e-12)
    back = camera.Camera.from_label25(label, view.size, scale, shift)
    np.testing.assert_allclose(back.world_to_camera, view.world_to_camera, atol=1e-9)
    np.testing.assert_allclose(back.intrinsics, view.intrinsics, rtol=1e-12, atol=1e-9)
    float32 = camera.Camera.from_label25(label.astype(np.float32), view.size, scale, shift)
    np.testing.assert_allclose(float32.world_to_camera, view.world_to_camera, atol=1e-5)


def test_published_label_of_the_frontal_view():
    label = camera.orbit().label25()
    expected = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 2.7, 0, 0, 0, 1, 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]
    np.testing.assert_allclose(label, expected, atol=1e-12)
    assert camera.labels25([camera.orbit(), camera.orbit(yaw_deg=3)]).shape == (2, 25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda label: label[:24], "must hold 25 numbers, got 24"),
        (lambda label: np.where(np.arange(25) == 5, 1, label), "must be a rotation"),
        (lambda label: np.where(np.arange(25) == 15, 2, label), r"must be \(0, 0, 0, 1\)"),
        (lambda label: np.where(np.arange(25) == 17, 0.1, label), "skew is not supported"),
        (lambda label: np.where(np.arange(25) == 3, np.nan, label), "must be finite"),
        (lambda label: np.where(np.arange(25) == 16, 0, label), "focal lengths must be > 0"),
    ],
)
def test_bad_labels(change, message):
    with pytest.raises(fr.InvalidArgumentError, match=message):
        camera.Camera.from_label25(change(camera.orbit().label25()))


def test_records_and_pickles_are_lossless():
    view = camera.CameraSampler("wild").sample(1, 2, (300, 200))
    assert camera.Camera.from_dict(json.loads(json.dumps(view.to_dict()))) == view
    assert pickle.loads(pickle.dumps(view)) == view
    assert view != camera.orbit()


# ---- fields of view -------------------------------------------------------------------------------------------------


def test_published_fields_of_view():
    assert camera.intrinsics_from_published_fov(18.837)[0, 0] == pytest.approx(4.2634, abs=5e-5)
    assert camera.fov_from_published(18.837) == pytest.approx(13.38, abs=5e-3)
    assert camera.fov_from_focal(4.2647) == pytest.approx(camera.orbit().fov_deg, abs=1e-12)


@given(st.floats(1, 120))
def test_published_fov_round_trip(fov):
    assert camera.published_fov(camera.fov_from_published(fov)) == pytest.approx(fov, rel=1e-12)


@pytest.mark.parametrize(("fov", "percent", "pixels"), [(18, 0.39, 1.0), (24, 0.71, 1.8)])
def test_compat_mode_enlarges_the_label_mesh(fov, percent, pixels):
    exact = camera.orbit(fov_deg=camera.fov_from_published(fov))
    compat = exact.with_fov_mode("compat")
    assert compat.fov_deg == pytest.approx(fov / 1.414)
    assert (compat.fx / exact.fx - 1) * 100 == pytest.approx(percent, abs=0.01)
    assert 256 * (compat.fx / exact.fx - 1) == pytest.approx(pixels, abs=0.05)
    np.testing.assert_array_equal(exact.world_to_camera, compat.world_to_camera)
    assert exact.with_fov_mode("exact") == exact
    with pytest.raises(fr.InvalidArgumentError, match="'exact' or 'compat', got 'same'"):
        exact.with_fov_mode("same")


# ---- projection -----------------------------------------------------------------------------------------------------


@given(orbits)
def test_clip_space_is_pinhole_projection(parameters):
    view = camera.orbit(**{**parameters, "radius_m": 0.5 + parameters["radius_m"]})
    points = some_points(50)
    pixels, depth_m = camera.project(points, view)
    clip = (view.clip_matrix(near_m=0.02) @ np.c_[points, np.ones(50)].T).T
    height, width = view.size
    np.testing.assert_allclose(clip[:, 3], depth_m, atol=1e-12)
    np.testing.assert_allclose(clip[:, 2], depth_m - 0.02, atol=1e-12)
    np.testing.assert_allclose((clip[:, 0] / clip[:, 3] + 1) / 2 * width, pixels[:, 0], atol=1e-6)
    np.testing.assert_allclose((1 - clip[:, 1] / clip[:, 3]) / 2 * height, pixels[:, 1], atol=1e-6)
    np.testing.assert_array_equal(camera.to_clip(points, view, 0.02)[0], clip_in_c_order(view, points))
    np.testing.assert_allclose(camera.unproject(pixels, depth_m, view), points, atol=1e-9)


def clip_in_c_order(view, points):
    m = view.clip_matrix(near_m=0.02)
    return (points[:, :1] * m[:, 0] + points[:, 1:2] * m[:, 1] + points[:, 2:] * m[:, 2] + m[:, 3]).astype(np.float32)


@pytest.mark.parametrize("size", [(96, 96), (80, 130), (131, 77)])
def test_rasterizer_draws_what_projection_says(size):
    """The surface point that the rasterizer reports for a pixel projects onto that pixel's centre."""
    view = camera.orbit(yaw_deg=-35, pitch_deg=20, roll_deg=15, fov_deg=14, center_offset=(0.08, -0.05), size=size)
    vertices = np.array([[-0.2, -0.2, 0.1], [0.25, -0.15, -0.1], [0.0, 0.3, 0.0], [-0.1, 0.08, 0.2]])
    triangles = np.array([[0, 1, 2], [1, 3, 2], [0, 1, 3], [0, 3, 2]])
    drawn = fr.rasterize(camera.to_clip(vertices, view), triangles, size, cull="none")
    face, depth_m, weights = (np.asarray(a)[0] for a in (drawn.face, drawn.depth, drawn.barycentrics))
    rows, columns = np.nonzero(face >= 0)
    assert len(rows) > 0.2 * face.size and len(np.unique(face[rows, columns])) > 1
    points = np.einsum("nk,nkc->nc", weights[rows, columns], vertices[triangles[face[rows, columns]]])
    pixels, depth = camera.project(points, view)
    # Vertices are snapped to 1/256 pixel; along a steep face that is more in depth.
    np.testing.assert_allclose(pixels, np.c_[columns + 0.5, rows + 0.5], rtol=0, atol=0.02)
    np.testing.assert_allclose(depth, depth_m[rows, columns], rtol=0, atol=1e-5)


def test_shapes_and_batches():
    views = [camera.orbit(yaw_deg=yaw) for yaw in (-20, 0, 20)]
    points = some_points(7)
    assert camera.to_clip(points, views).shape == (3, 7, 4)
    assert camera.to_clip(np.stack([points] * 3), views[0]).shape == (3, 7, 4)
    pixels, depth_m = camera.project(points, views)
    assert pixels.shape == (3, 7, 2) and depth_m.shape == (3, 7)
    for i, view in enumerate(views):
        np.testing.assert_array_equal(pixels[i], camera.project(points, view)[0])
    single, depth = camera.project(np.float32([0, 0, 0]), views[0])
    assert single.shape == (2,) and single.dtype == np.float32 and depth.shape == ()
    assert camera.project(np.zeros((0, 3)), views[0])[0].shape == (0, 2)
    with pytest.raises(fr.InvalidArgumentError, match="same batch, or one of them 1, got 2 and 3"):
        camera.to_clip(np.zeros((2, 7, 3)), views)


def test_points_behind_the_camera_are_nan():
    pixels, depth_m = camera.project([[0, 0, 2], [0, 0, 1.08], [0, 0, 1]], camera.orbit())
    assert np.isnan(pixels[:2]).all() and np.isfinite(pixels[2]).all()
    np.testing.assert_allclose(depth_m, [-0.92, 0, 0.08], atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pitch_deg": 91}, r"pitch_deg must be in \[-90, 90\], got 91"),
        ({"fov_deg": 0}, r"fov_deg must be in \(0, 180\) degrees, got 0"),
        ({"radius_m": -1}, "radius_m must be > 0, got -1"),
        ({"yaw_deg": math.nan}, "yaw_deg must be finite"),
        ({"radius_m": 0.08, "lookat_m": (0, 0, 0.08)}, "stands on the point it looks at; make radius_m larger"),
        ({"size": 0}, "image size must be 1..32768"),
        ({"lookat_m": (0, 0)}, "lookat_m must hold 3 numbers, got 2"),
    ],
)
def test_bad_orbits(arguments, message):
    with pytest.raises(fr.InvalidArgumentError, match=message):
        camera.orbit(**arguments)
