"""Heads of any number of joints and components against a float64 evaluation in NumPy (spec/next3d §17.2, §17.3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import forge_rt as fr
import numpy as np
import pytest
import tolerances as tol
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FLAME_PARENTS = [-1, 0, 1, 1, 1]


def random_model(seed=0, joints=5, vertices=50, components=7, posedirs=True, parents=None, faces=20):
    """A head of about 0.2 m. Arrays under FLAME's names."""
    rng = np.random.default_rng(seed)
    weights, regressor = rng.random((vertices, joints)) ** 4, rng.random((joints, vertices)) ** 4
    return dict(
        v_template=rng.uniform(-0.1, 0.1, (vertices, 3)),
        faces=rng.integers(0, vertices, (faces, 3)),
        shapedirs=rng.normal(0, 0.003, (vertices, 3, components)),
        posedirs=rng.normal(0, 0.002, (vertices, 3, 9 * (joints - 1))) if posedirs else None,
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        weights=weights / weights.sum(1, keepdims=True),
        parents=parents or [-1, *(int(rng.integers(0, j)) for j in range(1, joints))],
    )


def random_pose(seed, batch, joints, scale=0.5):
    return np.random.default_rng(seed).normal(0, scale, (batch, joints, 3))


def as_float32(model):
    """What the engine sees, so that storage is no part of an error."""
    return {
        k: np.float32(v).astype(float) if isinstance(v, np.ndarray) and v.dtype == float else v
        for k, v in model.items()
    }


def numpy_rodrigues(r):
    angle = np.linalg.norm(r + 1e-8, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(r, -1, 0) / angle[..., 0, 0]
    zero = np.zeros_like(x)
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*r.shape[:-1], 3, 3)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def numpy_head(model, betas, pose, translation):
    """§17.2 in float64: vertices, posed joints, local rotations."""
    batch, joints = pose.shape[:2]
    v = model["v_template"] + np.einsum("vck,bk->bvc", model["shapedirs"][..., : betas.shape[1]], betas)
    rest = np.einsum("jv,bvc->bjc", model["J_regressor"], v)
    rotations = numpy_rodrigues(pose)
    if model["posedirs"] is not None:
        v = v + np.einsum("vck,bk->bvc", model["posedirs"], (rotations[:, 1:] - np.eye(3)).reshape(batch, -1))
    world = np.zeros((batch, joints, 4, 4))
    for j, parent in enumerate(model["parents"]):
        local = np.zeros((batch, 4, 4))
        local[:, :3, :3] = rotations[:, j]
        local[:, :3, 3] = rest[:, j] - (rest[:, parent] if parent >= 0 else 0)
        local[:, 3, 3] = 1
        world[:, j] = world[:, parent] @ local if parent >= 0 else local
    posed = world[:, :, :3, 3].copy()
    world[:, :, :3, 3] -= np.einsum("bjxy,bjy->bjx", world[:, :, :3, :3], rest)
    blended = np.einsum("vj,bjxy->bvxy", model["weights"], world)
    v = np.einsum("bvxy,bvy->bvx", blended[..., :3, :3], v) + blended[..., :3, 3]
    return v + translation[:, None], posed + translation[:, None], rotations


def make(model, n_shape=None, **more):
    return fr.Head(**model, n_shape=model["shapedirs"].shape[2] if n_shape is None else n_shape, **more)


def same_bytes(a, b) -> bool:
    return np.asarray(a).shape == np.asarray(b).shape and np.asarray(a).tobytes() == np.asarray(b).tobytes()


# ---- evaluation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("posedirs", [True, False])
@pytest.mark.parametrize("joints", [1, 2, 5, 9])
@pytest.mark.parametrize("batch", [1, 2, 7, 19])
def test_evaluation_against_numpy(isa, joints, posedirs, batch):
    model = as_float32(random_model(joints, joints, 53, 11, posedirs))
    rng = np.random.default_rng(batch)
    betas = np.float32(rng.normal(size=(batch, 11))).astype(float)
    pose = np.float32(random_pose(batch, batch, joints)).astype(float)
    translation = np.float32(rng.normal(0, 0.1, (batch, 3))).astype(float)
    mesh = make(model, 6).evaluate(shape=betas[:, :6], expression=betas[:, 6:], pose=pose, translation=translation)
    vertices, posed, rotations = numpy_head(model, betas, pose, translation)
    np.testing.assert_allclose(np.asarray(mesh.vertices), vertices, atol=tol.LBS_M)
    np.testing.assert_allclose(np.asarray(mesh.joints), posed, atol=tol.LBS_M)
    np.testing.assert_allclose(np.asarray(mesh.rotations), rotations, atol=tol.ROTATION)
    assert mesh.landmarks is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    joints=st.integers(1, 9), vertices=st.integers(1, 70), components=st.integers(0, 20), batch=st.integers(1, 18),
    posedirs=st.booleans(), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_heads_of_any_size(isa, joints, vertices, components, batch, posedirs, seed):
    model = as_float32(random_model(seed, joints, vertices, components, posedirs))
    betas = np.float32(np.random.default_rng(seed).normal(size=(batch, components))).astype(float)
    pose = np.float32(random_pose(seed, batch, joints)).astype(float)
    mesh = make(model).evaluate(shape=betas, pose=pose)
    expected = numpy_head(model, betas, pose, np.zeros((batch, 3)))
    np.testing.assert_allclose(np.asarray(mesh.vertices), expected[0], atol=tol.LBS_M)
    np.testing.assert_allclose(np.asarray(mesh.joints), expected[1], atol=tol.LBS_M)


def test_full_basis_against_torch():
    """FLAME's sizes in components, from the formula with matrix products."""
    torch = pytest.importorskip("torch")
    model = as_float32(random_model(3, 5, 203, 400, parents=FLAME_PARENTS))
    rng = np.random.default_rng(4)
    shape, expression = rng.uniform(-2, 2, (3, 100)), rng.uniform(-2, 2, (3, 50))
    mesh = make(model, 300).evaluate(shape=shape, expression=expression)
    betas = torch.zeros(3, 400, dtype=torch.float64)
    betas[:, :100], betas[:, 300:350] = torch.from_numpy(np.float32(shape)), torch.from_numpy(np.float32(expression))
    expected = torch.from_numpy(model["v_template"]) + torch.from_numpy(model["shapedirs"]).matmul(betas.T).permute(
        2, 0, 1
    )
    np.testing.assert_allclose(
        np.asarray(mesh.vertices), expected.numpy(), atol=tol.LBS_M * 4
    )  # displacements of 0.5 m


def test_what_is_left_out_is_zero(isa):
    model = as_float32(random_model(5))
    head = make(model, 4)
    nothing = head.evaluate()
    assert nothing.vertices.shape == (1, 50, 3)
    np.testing.assert_allclose(np.asarray(nothing.vertices)[0], model["v_template"], atol=tol.LBS_M)
    np.testing.assert_allclose(np.asarray(nothing.rotations)[0], np.tile(np.eye(3), (5, 1, 1)), atol=tol.ROTATION)
    shape = np.array([[1.0, -2.0]])
    short = head.evaluate(shape=shape)
    zeros = dict(expression=np.zeros((1, 3)), pose=np.zeros((1, 5, 3)), translation=np.zeros((1, 3)))
    assert same_bytes(short.vertices, head.evaluate(shape=np.pad(shape, ((0, 0), (0, 2))), **zeros).vertices)
    moved = head.evaluate(shape=shape, translation=[[1, 2, 3]])
    np.testing.assert_allclose(
        np.asarray(moved.vertices), np.asarray(short.vertices) + np.array([1, 2, 3]), atol=tol.LBS_M
    )
    np.testing.assert_allclose(np.asarray(moved.joints), np.asarray(short.joints) + np.array([1, 2, 3]), atol=tol.LBS_M)


def test_rotations_small_and_large(isa):
    """No rotation, tiny ones (the published 1e-8), whole turns."""
    model = as_float32(random_model(6, 2))
    axis = np.array([0.6, -0.48, 0.64])
    angles = np.array([0, 1e-9, 1e-8, 1e-7, 1e-4, 1.0, np.pi / 2, np.pi, 2 * np.pi, 6 * np.pi])
    pose = np.zeros((len(angles), 2, 3))
    pose[:, 1] = np.float32(angles[:, None] * axis)
    mesh = make(model).evaluate(pose=pose)
    vertices, _, rotations = numpy_head(model, np.zeros((len(angles), 0)), pose, np.zeros((len(angles), 3)))
    large = tol.ROTATION * np.maximum(1, angles)[:, None, None, None]  # sin and cos of float32 angles
    assert (np.abs(np.asarray(mesh.rotations) - rotations) <= large).all()
    np.testing.assert_allclose(np.asarray(mesh.vertices), vertices, atol=tol.LBS_M * 4)
    assert np.isfinite(np.asarray(mesh.vertices)).all()


def test_named_joints_are_the_pose():
    head = make(random_model(7, parents=FLAME_PARENTS), 4)
    pose = random_pose(1, 3, 5)
    named = dict(global_rotation=pose[:, 0], neck=pose[:, 1], jaw=pose[:, 2], eyes=pose[:, 3:].reshape(3, 6))
    assert same_bytes(head.evaluate(**named).vertices, head.evaluate(pose=pose).vertices)
    for name, first, count in (("global_rotation", 0, 1), ("neck", 1, 1), ("jaw", 2, 1), ("eyes", 3, 2)):
        only = np.zeros_like(pose)
        only[:, first : first + count] = pose[:, first : first + count]
        assert same_bytes(head.evaluate(**{name: named[name]}).vertices, head.evaluate(pose=only).vertices), name


def test_a_single_head_may_leave_out_the_batch_axis():
    head = make(random_model(8, parents=FLAME_PARENTS), 4)
    rng = np.random.default_rng(2)
    flat = dict(shape=rng.normal(size=4), expression=rng.normal(size=3), translation=rng.normal(size=3))
    pose = rng.normal(size=(5, 3))
    batched = head.evaluate(**{k: v[None] for k, v in flat.items()}, pose=pose[None])
    assert same_bytes(head.evaluate(**flat, pose=pose).vertices, batched.vertices)
    named = head.evaluate(**flat, global_rotation=pose[0], neck=pose[1], jaw=pose[2], eyes=pose[3:].ravel())
    assert same_bytes(named.vertices, batched.vertices)


# ---- what must not matter -------------------------------------------------------------------------------------------


def some_head_and_parameters(batch):
    model = random_model(9, parents=FLAME_PARENTS, vertices=211, components=40)
    rng = np.random.default_rng(3)
    landmarks = dict(
        static_landmarks=(rng.integers(0, 20, 51), rng.dirichlet([1, 1, 1], 51)),
        dynamic_landmarks=(rng.integers(0, 20, (79, 17)), rng.dirichlet([1, 1, 1], (79, 17))),
    )
    parameters = dict(
        shape=rng.normal(size=(batch, 30)), expression=rng.normal(size=(batch, 10)), pose=random_pose(3, batch, 5),
        translation=rng.normal(size=(batch, 3)),
    )  # fmt: skip
    parameters["shape"][::2, 5:] = 0  # components that some members do not use
    return make(model, 30, **landmarks), parameters


def everything(mesh):
    return [np.asarray(a).copy() for a in (mesh.vertices, mesh.landmarks, mesh.joints, mesh.rotations)]


def test_batch_of_eight_is_eight_of_one_and_order_does_not_matter(isa):
    head, parameters = some_head_and_parameters(8)
    together = everything(head.evaluate(**parameters))
    for b in range(8):
        alone = everything(head.evaluate(**{k: v[b : b + 1] for k, v in parameters.items()}))
        assert all(same_bytes(x, y[b : b + 1]) for x, y in zip(alone, together, strict=True))
    back = everything(head.evaluate(**{k: v[::-1] for k, v in parameters.items()}))
    assert all(same_bytes(x[::-1], y) for x, y in zip(back, together, strict=True))


def test_thread_count_does_not_matter(isa, set_threads):
    head, parameters = some_head_and_parameters(5)
    set_threads(1)
    expected = everything(head.evaluate(**parameters))
    for threads in (2, 3):
        set_threads(threads)
        assert all(same_bytes(x, y) for x, y in zip(everything(head.evaluate(**parameters)), expected, strict=True))


def test_python_threads_may_share_a_head():
    head, parameters = some_head_and_parameters(3)
    expected = everything(head.evaluate(**parameters))
    with ThreadPoolExecutor(4) as pool:
        for mesh in pool.map(lambda _: head.evaluate(**parameters), range(40)):
            assert all(same_bytes(x, y) for x, y in zip(everything(mesh), expected, strict=True))


def test_paths_agree_with_the_scalar_twin(isa):
    head, parameters = some_head_and_parameters(6)
    fast = everything(head.evaluate(**parameters))
    fr.set_isa("baseline")
    oracle = everything(head.evaluate(**parameters))
    np.testing.assert_allclose(fast[0], oracle[0], atol=tol.LBS_M)
    np.testing.assert_allclose(fast[1], oracle[1], atol=tol.LBS_M)
    assert same_bytes(fast[2], oracle[2]) and same_bytes(fast[3], oracle[3])  # joints have one path


def test_empty_batch():
    head, parameters = some_head_and_parameters(2)
    mesh = head.evaluate(**{k: v[:0] for k, v in parameters.items()})
    assert mesh.vertices.shape == (0, 211, 3) and mesh.landmarks.shape == (0, 68, 3) and mesh.joints.shape == (0, 5, 3)


def test_arrays_of_many_kinds():
    model = random_model(10)
    expected = np.asarray(make(model).evaluate(shape=np.ones((2, 7))).vertices)
    frozen = {k: np.float32(v) if isinstance(v, np.ndarray) and v.dtype == float else v for k, v in model.items()}
    for value in frozen.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    strided = {k: np.asfortranarray(v) if isinstance(v, np.ndarray) else v for k, v in model.items()}
    for variant in (frozen, strided):
        assert same_bytes(make(variant).evaluate(shape=np.ones((2, 7))).vertices, expected)
    assert same_bytes(make(model).evaluate(shape=[[1] * 7] * 2).vertices, expected)
    assert same_bytes(make(model).evaluate(shape=np.ones((7, 2), np.float16).T).vertices, expected)


def test_a_head_keeps_its_own_basis():
    model = {
        k: np.float32(v) if isinstance(v, np.ndarray) and v.dtype == float else v for k, v in random_model(11).items()
    }
    head = make(model)
    before = np.array(head.evaluate(shape=[[1, 2]]).vertices)
    for name in ("v_template", "shapedirs", "posedirs", "weights", "J_regressor"):
        model[name][:] = np.nan
    assert same_bytes(head.evaluate(shape=[[1, 2]]).vertices, before)


@pytest.mark.parametrize("name", ["faces", "face", "weights"])
def test_a_head_keeps_its_own_topology(name):
    rng = np.random.default_rng(0)
    model = random_model(12)
    arrays = dict(
        faces=model["faces"].astype(np.int32),
        face=np.arange(10, dtype=np.int32),
        weights=np.float32(rng.dirichlet([1] * 3, 10)),
    )
    head = make({**model, "faces": arrays["faces"]}, static_landmarks=(arrays["face"], arrays["weights"]))
    before = np.array(head.evaluate().landmarks)
    arrays[name][:] = 0
    assert same_bytes(head.evaluate().landmarks, before)


# ---- landmarks ------------------------------------------------------------------------------------------------------


def turn(yaw_deg):
    """Rotations about y: their published yaw is -angle for FLAME_PyTorch's sign -1."""
    angle = np.radians(np.asarray(yaw_deg, float))
    c, s, o, i = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([c, o, s, o, i, o, -s, o, c], -1).reshape(*angle.shape, 3, 3)


def numpy_row(yaw_deg):
    """§17.3 for the clamped and rounded angle."""
    a = int(np.rint(min(yaw_deg, 39)))
    return a if a >= 0 else 39 - a if a >= -39 else 78


@pytest.mark.parametrize("sign", [1, -1])
def test_contour_rows_of_whole_turns(sign):
    degrees = np.array([*range(-89, 90), 38.6, 39.2, -38.6, -39.2, -39.4, -39.6, 0.3, -0.3, 89.9, -89.9])
    rows = fr.contour_rows(turn(degrees)[:, None], [0], sign)
    assert rows == [numpy_row(sign * d) for d in degrees]
    assert set(rows) == set(range(79))


def test_contour_rows_at_the_clamps():
    yaw = {
        39.0: 39,
        39.49: 39,
        60.0: 39,
        89.0: 39,
        38.4: 38,
        0.0: 0,
        -0.4: 0,
        -1.0: 40,
        -38.6: 78,
        -39.0: 78,
        -39.4: 78,
        -60.0: 78,
    }
    assert fr.contour_rows(turn(list(yaw))[:, None], [0], 1) == list(yaw.values())
    assert fr.contour_rows(turn([-v for v in yaw])[:, None], [0], -1) == list(yaw.values())


def test_contour_rows_round_half_to_even():
    """float32 inputs whose angle, in the published float32 arithmetic, is exactly k + 1/2."""
    f32 = np.float32
    found = {}
    for half in (0.5, 1.5, 2.5, 3.5, 10.5, 37.5, 38.5):
        candidates = f32(np.tan(np.radians(half)))
        for _ in range(8):
            candidates = np.unique([candidates, np.nextafter(candidates, f32(0)), np.nextafter(candidates, f32(9))])
        degrees = np.arctan2(candidates, f32(1)) * f32(180) / f32(np.pi)
        for m20 in candidates[degrees == f32(half)][:1]:
            found[half] = m20
    assert len(found) >= 3
    for half, m20 in found.items():
        even = int(np.rint(half))
        for side, row in ((1, even), (-1, 39 + even if even else 0)):
            rotation = np.zeros((1, 1, 3, 3), f32)
            rotation[0, 0, 0, 0], rotation[0, 0, 2, 0] = 1, -side * m20
            assert fr.contour_rows(rotation, [0], 1) == [row], (half, side)


def test_contour_chain_multiplies_from_the_neck_to_the_root():
    rotations = numpy_rodrigues(random_pose(4, 40, 3, 0.3)).astype(np.float32)
    for chain in ([1, 0], [2, 1, 0], [0], []):
        product = np.tile(np.eye(3), (40, 1, 1))
        for joint in chain:
            product = rotations[:, joint].astype(float) @ product
        yaw = np.degrees(np.arctan2(-product[:, 2, 0], np.hypot(product[:, 0, 0], product[:, 1, 0])))
        assert np.abs(yaw - np.floor(yaw) - 0.5).min() > 1e-4  # no borderline case in this draw
        assert fr.contour_rows(rotations, chain, 1) == [numpy_row(d) for d in yaw]


def test_contour_rows_of_odd_input():
    assert fr.contour_rows(np.zeros((0, 2, 3, 3)), [1, 0], -1) == []
    assert fr.contour_rows(np.full((1, 1, 3, 3), np.nan), [0], 1)[0] in range(79)
    with pytest.raises(
        fr.InvalidArgumentError, match=r"contour sign must be \+1 \(DECA\) or -1 \(FLAME_PyTorch\), got 0"
    ):
        fr.contour_rows(np.zeros((1, 1, 3, 3)), [0], 0)
    with pytest.raises(fr.InvalidArgumentError, match="contour chain names joint 3"):
        fr.contour_rows(np.zeros((1, 2, 3, 3)), [3], 1)
    with pytest.raises(fr.InvalidArgumentError, match=r"rotations must be \[B, J, 3, 3\] float32, got \[1, 9\]"):
        fr.contour_rows(np.zeros((1, 9)), [0], 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_landmarks_are_the_contour_of_the_yaw_then_the_static_points(isa, sign):
    rng = np.random.default_rng(5)
    model = random_model(13, parents=FLAME_PARENTS)
    static = rng.integers(0, 20, 51), np.float32(rng.dirichlet([1, 1, 1], 51))
    dynamic = rng.integers(0, 20, (79, 17)), np.float32(rng.dirichlet([1, 1, 1], (79, 17)))
    head = make(model, static_landmarks=static, dynamic_landmarks=dynamic, contour_sign=sign)
    pose = random_pose(5, 12, 5, 0.05)
    pose[:, 1, 1] += np.radians(np.linspace(-70, 70, 12))
    mesh = head.evaluate(pose=pose)
    rows = fr.contour_rows(mesh.rotations, [1, 0], sign)
    assert len(set(rows)) > 6 and {39, 78} <= set(rows)
    vertices = np.asarray(mesh.vertices, float)
    for b, row in enumerate(rows):
        face = np.concatenate([dynamic[0][row], static[0]])
        weight = np.concatenate([dynamic[1][row], static[1]])
        expected = np.einsum("lk,lkc->lc", weight, vertices[b][model["faces"][face]])
        np.testing.assert_allclose(np.asarray(mesh.landmarks)[b], expected, atol=tol.LBS_M)


@pytest.mark.parametrize("points", [0, 1, 51, 68])
def test_static_landmarks_alone(points):
    rng = np.random.default_rng(6)
    model = random_model(14, 1)
    static = rng.integers(0, 20, points), np.float32(rng.dirichlet([1, 1, 1], points))
    mesh = make(model, static_landmarks=static).evaluate(shape=rng.normal(size=(2, 7)))
    expected = np.einsum("lk,blkc->blc", static[1], np.asarray(mesh.vertices, float)[:, model["faces"][static[0]]])
    np.testing.assert_allclose(np.asarray(mesh.landmarks), expected, atol=tol.LBS_M)


def test_points_on_mesh():
    rng = np.random.default_rng(7)
    vertices, triangles = rng.normal(size=(3, 9, 3)), rng.integers(0, 9, (6, 3))
    face, weights = rng.integers(0, 6, (3, 5)), rng.dirichlet([1, 1, 1], (3, 5))
    out = np.asarray(fr.points_on_mesh(vertices, triangles, face, weights))
    expected = np.einsum("blk,blkc->blc", weights, vertices[np.arange(3)[:, None, None], triangles[face]])
    np.testing.assert_allclose(out, expected, atol=tol.FEW_ULPS * 4)
    shared = np.asarray(fr.points_on_mesh(vertices, triangles, face[:1], weights[:1]))
    assert same_bytes(shared, fr.points_on_mesh(vertices, triangles, face[:1].repeat(3, 0), weights[:1].repeat(3, 0)))
    assert fr.points_on_mesh(vertices, triangles, face[:1, :0], weights[:1, :0]).shape == (3, 0, 3)
    for bad, message in [
        (dict(face=face + 1), "names triangle 6, the mesh has 6"),
        (dict(face=face - 6), "names triangle -[1-6], the mesh has 6"),
        (dict(triangles=triangles + 9), "names vertex [0-9]+, the mesh has 9"),
        (dict(face=face[:2]), "face must have 3 rows or 1, got 2"),
        (dict(barycentrics=weights[:1]), r"barycentrics must be \[B or 1, L, 3\] float32, got \[1, 5, 3\]"),
        (dict(vertices=vertices[0]), r"vertices must be \[B, V, 3\] float32, got \[9, 3\]"),
    ]:
        arguments = dict(vertices=vertices, triangles=triangles, face=face, barycentrics=weights)
        with pytest.raises(fr.InvalidArgumentError, match=message):
            fr.points_on_mesh(**{**arguments, **bad})


# ---- errors ---------------------------------------------------------------------------------------------------------


def with_nan(array):
    out = np.array(array)
    out.flat[3] = np.nan
    return out


MODEL = random_model(15, 2, 6, 3)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(v_template=MODEL["v_template"][:, :2]), r"v_template must be \[V, 3\] float32, got \[6, 2\]"),
        (dict(shapedirs=MODEL["shapedirs"][..., 0]), r"shapedirs must be \[V, 3, K\], got \[6, 3\]"),
        (dict(shapedirs=MODEL["shapedirs"][:5]), r"shapedirs must be \[V, 3, K\] float32, got \[5, 3, 3\]"),
        (dict(posedirs=np.zeros((6, 3, 8))), r"posedirs must be \[V, 3, 9 \(J - 1\)\] float32, got \[6, 3, 8\]"),
        (dict(J_regressor=np.zeros((2, 5))), r"joint_regressor must be \[J, V\] float32, got \[2, 5\]"),
        (dict(weights=np.zeros((6, 3))), r"weights must be \[V, J\] float32, got \[6, 3\]"),
        (dict(parents=[-1]), r"parents must name 2 joints, got 1"),
        (dict(parents=[0, 0]), r"parents\[0\] is 0; the root comes first"),
        (dict(parents=[-1, 1]), r"parents\[1\] is 1; the root comes first"),
        (dict(parents=[-1, -1]), r"parents\[1\] is -1; the root comes first"),
        (dict(faces=[[0, 1, 6]]), r"triangles\[0\] names vertex 6, the mesh has 6"),
        (dict(faces=[[0, 1]]), r"triangles must be \[F, 3\] int32, got \[1, 2\]"),
        (dict(n_shape=4), r"n_shape 4 \+ n_expression -1 must be the 3 components of shapedirs"),
        (dict(n_shape=-1), r"n_shape -1 \+ n_expression 4 must be the 3 components"),
        *[
            (dict([(k, with_nan(MODEL[k]))]), rf"{n} holds .*nan at flat index 3")
            for k, n in dict(
                v_template="v_template",
                shapedirs="shapedirs",
                posedirs="posedirs",
                weights="weights",
                J_regressor="joint_regressor",
            ).items()
        ],
        (dict(static_landmarks=([20], [[1, 0, 0]])), r"static landmarks names triangle 20, the mesh has 20"),
        (
            dict(static_landmarks=([0], [[1, 0]])),
            r"static landmark barycentrics must be \[L, 3\] float32, got \[1, 2\]",
        ),
        (dict(dynamic_landmarks=(np.zeros((79, 17)), np.zeros((79, 17, 3)))), r"dynamic landmarks need static ones"),
        (
            dict(static_landmarks=([0], [[1, 0, 0]]), dynamic_landmarks=(np.zeros((78, 17)), np.zeros((78, 17, 3)))),
            r"dynamic landmark faces must be \[79, C\] int32, got \[78, 17\]",
        ),
        (
            dict(static_landmarks=([0], [[1, 0, 0]]), dynamic_landmarks=(np.full((79, 2), -1), np.zeros((79, 2, 3)))),
            r"dynamic landmarks names triangle -1, the mesh has 20",
        ),
    ],
)
def test_models_that_do_not_fit_are_refused(change, message):
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.Head(**{**MODEL, "n_shape": 3, **change})


def test_too_many_joints_are_refused():
    with pytest.raises(fr.InvalidArgumentError, match=r"a head needs vertices and 1\.\.64 joints, got 3 and 65"):
        make(random_model(16, 65, 3, 1))


def test_contour_sign_is_checked_when_a_head_is_made():
    with pytest.raises(fr.InvalidArgumentError, match=r"contour.sign must be"):
        make(MODEL, contour_sign=0)


@pytest.mark.parametrize(
    "parameters, message",
    [
        (dict(shape=np.zeros((1, 5))), r"shape has 5 components, this head has 4"),
        (dict(expression=np.zeros((1, 4))), r"expression has 4 components, this head has 3"),
        (dict(shape=np.zeros((2, 1)), expression=np.zeros((3, 1))), r"different batch sizes: 2 and 3"),
        (dict(shape=np.zeros((2, 1)), translation=[0, 0, 0]), r"different batch sizes: 2 and 1"),
        (dict(pose=np.zeros((1, 4, 3))), r"pose must be \[B, J, 3\] float32, got \[1, 4, 3\]"),
        (dict(pose=np.zeros(15)), r"pose must be \[B, J, 3\] float32, got \[15\]"),
        (dict(translation=[0, 0]), r"translation must be \[B, 3\] float32, got \[1, 2\]"),
        (dict(pose=np.zeros((1, 5, 3)), jaw=[0, 0, 0]), r"give either pose or jaw, not both"),
        (dict(eyes=[0, 0, 0]), r"eyes must be \[1, 6\], got \[1, 3\]"),
        (dict(shape=np.zeros((2, 1)), jaw=[0, 0, 0]), r"jaw must be \[2, 3\], got \[1, 3\]"),
        (dict(shape=np.zeros((1, 1, 1))), r"shape must be \[B, n\] float32, got \[1, 1, 1\]"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters, message):
    head = make(random_model(17, parents=FLAME_PARENTS), 4)
    with pytest.raises(fr.InvalidArgumentError, match=message):
        head.evaluate(**parameters)


def test_named_joints_need_a_flame_head():
    with pytest.raises(fr.InvalidArgumentError, match=r"jaw name joints of a FLAME head; this head has 2: use pose"):
        make(MODEL).evaluate(jaw=[0, 0, 0])


def test_head_lbs_of_torch_arrays():
    torch = pytest.importorskip("torch")
    basis = fr.HeadBasis(
        MODEL["v_template"],
        MODEL["shapedirs"],
        MODEL["J_regressor"],
        MODEL["weights"],
        MODEL["parents"],
        MODEL["posedirs"],
    )
    betas, pose = torch.ones(4, 3), torch.zeros(4, 2, 3)
    out = fr.head_lbs(basis, betas, pose)
    assert same_bytes(out.vertices, fr.head_lbs(basis, betas.numpy()).vertices)
    with pytest.raises(fr.InvalidArgumentError, match=r"betas must be \[B, k\] float32, got \[4, 3\] float64"):
        fr.head_lbs(basis, betas.double())
    with pytest.raises(fr.InvalidArgumentError, match="betas has 4 components, this head has 3"):
        fr.head_lbs(basis, torch.ones(4, 4))


def test_skinning_transforms_are_the_posed_joints():
    basis = fr.HeadBasis(
        MODEL["v_template"],
        MODEL["shapedirs"],
        MODEL["J_regressor"],
        MODEL["weights"],
        MODEL["parents"],
        MODEL["posedirs"],
    )
    pose = random_pose(8, 3, 2)
    out = fr.head_lbs(basis, np.zeros((3, 0)), pose, np.ones((3, 3)))
    rest = MODEL["J_regressor"] @ MODEL["v_template"]
    transforms = np.asarray(out.transforms)
    moved = np.einsum("bjxy,jy->bjx", transforms[..., :3], rest) + transforms[..., 3]
    np.testing.assert_allclose(moved + 1, np.asarray(out.joints), atol=tol.LBS_M)
    np.testing.assert_allclose(transforms[:, 0, :, :3], np.asarray(out.rotations)[:, 0], atol=tol.ROTATION)
