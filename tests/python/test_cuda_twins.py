"""Each CUDA kernel against its CPU twin. Bit-equal where the contract promises it, else a named tolerance.

Without a device these tests skip with the reason; the first one runs everywhere.
"""

from __future__ import annotations

from pathlib import Path

import forge_rt
import numpy as np
import pyarrow.parquet as pq
import pytest

STATUS = forge_rt.cuda_status()
needs_gpu = pytest.mark.skipif(STATUS["device_count"] == 0, reason=f"no CUDA device: {STATUS['reason']}")

# head_lbs on CUDA fuses multiply-adds as the AVX paths do; the scalar oracle does not. Heads are about 0.2 m wide, so
# the difference of two rounding orders over 136 terms stays well below one micrometre.
HEAD_VERTEX_TOLERANCE_M = 1e-6


@pytest.fixture
def scalar_cpu():
    """The CPU side of a comparison is the scalar oracle."""
    before = forge_rt.isa()
    forge_rt.set_isa("baseline")
    yield
    forge_rt.set_isa(before)


def gpu(array):
    """A copy on the GPU; None stays None."""
    if array is None:
        return None
    return forge_rt.from_dlpack(np.ascontiguousarray(array)).to("cuda:0")


def assert_same_bits(actual, expected, what: str = "value") -> None:
    """Equal to the bit, the sign of zero included; a NaN equals any NaN (its payload is the processor's choice)."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    same = actual.view(f"u{actual.itemsize}") == expected.view(f"u{expected.itemsize}")
    if actual.dtype.kind == "f":
        same |= np.isnan(actual) & np.isnan(expected)
    if not same.all():
        first = tuple(np.argwhere(~same)[0])
        raise AssertionError(
            f"{what}: {np.count_nonzero(~same)} of {same.size} differ, first at {first}: "
            f"CUDA {actual[first]!r}, CPU {expected[first]!r}"
        )


def test_status_explains_itself():
    assert {"built", "device_count", "driver_version", "runtime_version", "reason", "devices"} <= set(STATUS)
    if STATUS["device_count"] == 0:
        assert STATUS["reason"]
        with pytest.raises(forge_rt.DeviceUnavailableError, match="cuda:0"):
            forge_rt.random_uniform([3], seed=1, index=0, purpose="test", device="cuda:0")
    else:
        assert STATUS["reason"] == "" and "sm_" in STATUS["devices"][0]


@pytest.mark.gpu
@needs_gpu
def test_every_op_has_a_kernel():
    assert set(forge_rt.op_paths("cuda:0").values()) == {"cuda"}


# ---- memory ----


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0, 5), (7, 11), (1000, 1001)])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "uint64"])
def test_copies_round_trip(shape, dtype):
    values = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    there = gpu(values)
    assert there.device == "cuda:0"
    assert_same_bits(there.clone().to("cpu"), values)


@pytest.mark.gpu
@needs_gpu
def test_memory_is_given_back():
    def used() -> int:
        return sum(row["current_bytes"] for row in forge_rt.memory_report() if row["device"] == "cuda:0")

    before = used()
    block = gpu(np.zeros(1 << 20, np.uint8))
    assert used() == before + (1 << 20)
    del block
    assert used() == before


# ---- random_uniform ----


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 31, 1023, 1024, 1025, 100_003])
def test_random_uniform(count):
    key = dict(seed=(1 << 63) + 5, index=(1 << 47) + 3, purpose="twins", attempt=77)
    assert_same_bits(
        forge_rt.random_uniform([count], device="cuda:0", **key), forge_rt.random_uniform([count], device="cpu", **key)
    )


# ---- rasterize ----


def look_at(points: np.ndarray, focal: float = 2.0, distance: float = 2.0) -> np.ndarray:
    """World points [..., 3] to clip space: w is camera z."""
    w = distance - points[..., 2]
    return np.stack([focal * points[..., 0], focal * points[..., 1], w * 0.5, w], -1).astype(np.float32)


def sheet(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A wavy n x n sheet: shared edges, small triangles. Positions [1, n * n, 4]."""
    x, y = np.meshgrid(np.linspace(-0.9, 0.9, n), np.linspace(-0.9, 0.9, n))
    points = np.stack([x, y, 0.3 * np.sin(5 * x + seed) * np.cos(4 * y)], -1).reshape(1, -1, 3)
    i = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    triangles = np.concatenate([np.stack([i, i + 1, i + n + 1], 1), np.stack([i, i + n + 1, i + n], 1)])
    return look_at(points), triangles.astype(np.int32)


def soup(faces: int, batch: int, size: float, seed: int, depth: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Unconnected random triangles."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform([-1, -1, -depth], [1, 1, depth], (batch, faces, 1, 3))
    points = (centre + rng.normal(0, size, (batch, faces, 3, 3))).reshape(batch, -1, 3)
    return look_at(points), np.arange(3 * faces, dtype=np.int32).reshape(-1, 3)


def one_triangle(corners) -> tuple[np.ndarray, np.ndarray]:
    return np.array([corners], np.float32), np.array([[0, 1, 2]], np.int32)


def scene_behind_camera():
    positions, triangles = soup(60, 2, 0.6, 5, depth=2.4)  # the camera stands inside the cloud
    assert (positions[..., 3] < 0).any() and (positions[..., 3] > 0).any()
    return positions, triangles


def scene_broken():
    positions, triangles = soup(50, 3, 0.3, 6)
    positions[0, 3, 0] = np.nan
    positions[0, 10, 3] = np.nan
    positions[1, 20, 1] = np.inf
    positions[1, 25, 2] = -np.inf
    positions[2, 30:33] = positions[2, 30]  # no area
    positions[2, 33] = 0.0  # w = 0
    positions[2, 40, :2] = 1e30  # far outside the guard band
    return positions, triangles


def scene_ties():
    positions, triangles = sheet(6)
    flat = positions.copy()
    flat[..., 2:] = [1.0, 2.0]
    again = np.concatenate([triangles[::-1], triangles, triangles[:, [1, 2, 0]]])
    return flat, np.ascontiguousarray(again)


def scene_signed_depths():
    """Orthographic depths of both signs, both zeros, and so large that sums overflow."""
    positions, triangles = soup(80, 2, 0.4, 8)
    z = np.random.default_rng(8).choice(
        np.array([-3e38, -1.0, -1e-40, -0.0, 0.0, 1e-40, 2.0, 3e38], np.float32), triangles.shape[0]
    )
    positions[..., 2] = np.repeat(z, 3)
    return positions, triangles


SCENES = {
    "one small triangle": lambda: one_triangle([[0, 0, 1, 2], [0.1, 0, 1, 2], [0, 0.1, 1, 2]]),
    "covers the image": lambda: one_triangle([[-9, -9, 1, 2], [9, -9, 1, 2.5], [0, 12, 1, 3]]),
    "huge, beyond the guard band": lambda: one_triangle([[-900, -900, 1, 2], [900, -900, 1, 2.5], [0, 1200, 1, 3]]),
    "thin": lambda: one_triangle([[-2, -1.9, 1, 2], [2, 2, 1, 2], [1.99, 2, 1, 2]]),
    "sheet": lambda: sheet(40),
    "two sheets": lambda: (np.concatenate([sheet(15)[0], sheet(15, 3)[0]]), sheet(15)[1]),
    "soup of mixed sizes": lambda: soup(333, 3, 0.15, 4),
    "large triangles": lambda: soup(41, 2, 1.0, 3),
    "behind the camera": scene_behind_camera,
    "broken vertices": scene_broken,
    "ties": scene_ties,
    "signed depths": scene_signed_depths,
    "no faces": lambda: (sheet(3)[0], np.zeros((0, 3), np.int32)),
    "no images": lambda: (np.zeros((0, 3, 4), np.float32), np.array([[0, 1, 2]], np.int32)),
}


def compare_rasters(positions, triangles, size, *, face_labels=None, face_part=None, visible_parts=None, **options):
    arrays = dict(face_labels=face_labels, face_part=face_part, visible_parts=visible_parts)
    cpu = forge_rt.rasterize(positions, triangles, size, **arrays, **options)
    there = {name: gpu(array) for name, array in arrays.items()}
    out = forge_rt.rasterize(gpu(positions), gpu(triangles), size, **there, **options)
    for name in ("face", "depth", "barycentrics", "label"):
        a, b = getattr(out, name), getattr(cpu, name)
        assert (a is None) == (b is None)
        if a is not None:
            assert_same_bits(a.to("cpu"), b, name)
    return cpu


@pytest.mark.gpu
@needs_gpu
@pytest.mark.usefixtures("scalar_cpu")
@pytest.mark.parametrize("cull", ["none", "back"])
@pytest.mark.parametrize("perspective", [True, False], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("coverage", ["watertight", "strict_float"])
@pytest.mark.parametrize("scene", SCENES)
def test_rasterize(scene, coverage, perspective, cull):
    positions, triangles = SCENES[scene]()
    compare_rasters(positions, triangles, (95, 131), coverage=coverage, perspective=perspective, cull=cull)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.usefixtures("scalar_cpu")
@pytest.mark.parametrize("coverage", ["watertight", "strict_float"])
@pytest.mark.parametrize("size", [(1, 1), (1, 37), (64, 64), (65, 33), (257, 129), (512, 512)])
def test_rasterize_image_sizes(size, coverage):
    positions, triangles = soup(100, 2, 0.3, 12)
    cpu = compare_rasters(positions, triangles, size, coverage=coverage, cull="none")
    assert size == (1, 1) or (np.asarray(cpu.face) >= 0).any()


@pytest.mark.gpu
@needs_gpu
@pytest.mark.usefixtures("scalar_cpu")
@pytest.mark.parametrize("coverage", ["watertight", "strict_float"])
def test_rasterize_labels_and_visible_parts(coverage):
    rng = np.random.default_rng(2)
    positions, triangles = soup(200, 4, 0.3, 2)
    part = rng.integers(0, 64, 200).astype(np.uint8)
    masks = np.array([0, 2**64 - 1, 1 << 63, 0x0F0F0F0F0F0F0F0F], np.uint64)
    labels = rng.integers(0, 19, 200).astype(np.uint8)
    cpu = compare_rasters(
        positions,
        triangles,
        100,
        coverage=coverage,
        cull="none",
        face_labels=labels,
        face_part=part,
        visible_parts=masks,
    )
    assert (np.asarray(cpu.face)[0] < 0).all() and (np.asarray(cpu.face)[1] >= 0).any()


@pytest.mark.gpu
@needs_gpu
def test_rasterize_only_faces_and_reused_output():
    positions, triangles = soup(50, 2, 0.3, 20)
    compare_rasters(positions, triangles, 64, depth=False, barycentrics=False)
    p, t = gpu(positions), gpu(triangles)
    out = forge_rt.rasterize(p, t, 64)
    first = {name: np.asarray(getattr(out, name)).copy() for name in ("face", "depth", "barycentrics")}
    again = forge_rt.rasterize(p, t, 64, out=out)
    for name, value in first.items():
        assert_same_bits(getattr(again, name), value, f"second run, {name}")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("coverage", ["watertight", "strict_float"])
def test_rasterize_batch_does_not_matter(coverage):
    positions, triangles = soup(150, 8, 0.4, 30)
    together = np.asarray(forge_rt.rasterize(gpu(positions), gpu(triangles), 80, coverage=coverage).barycentrics)
    for b in range(8):
        alone = forge_rt.rasterize(gpu(positions[b : b + 1]), gpu(triangles), 80, coverage=coverage).barycentrics
        assert_same_bits(alone, together[b : b + 1])


@pytest.mark.gpu
@needs_gpu
@pytest.mark.slow
def test_rasterize_in_several_passes():
    """More cells than one pass holds (64 MiB): 33 images of 512 x 512 take two."""
    positions, triangles = soup(20, 33, 0.5, 31)
    compare_rasters(positions, triangles, 512, barycentrics=False, cull="none")


@pytest.mark.gpu
@needs_gpu
def test_rasterize_survives_wrong_indices():
    """On the GPU nobody reads the indices back; a triangle that names a missing vertex is not drawn."""
    positions, triangles = soup(4, 1, 0.3, 32)
    wrong = triangles.copy()
    wrong[1, 2], wrong[2, 0] = 12, -1
    out = forge_rt.rasterize(gpu(positions), gpu(wrong), 64, cull="none")
    assert not np.isin(np.asarray(out.face), [1, 2]).any()


# ---- head_lbs ----


def head(vertices: int, components: int, joints: int, seed: int = 0) -> forge_rt.HeadBasis:
    rng = np.random.default_rng(seed)
    f32 = np.float32
    return forge_rt.HeadBasis(
        v_template=rng.uniform(-0.1, 0.1, (vertices, 3)).astype(f32),
        shapedirs=rng.normal(0, 1e-3, (vertices, 3, components)).astype(f32),
        posedirs=rng.normal(0, 1e-3, (vertices, 3, 9 * (joints - 1))).astype(f32) if joints > 1 else None,
        joint_regressor=rng.dirichlet(np.ones(vertices), joints).astype(f32),
        weights=rng.dirichlet(np.ones(joints), vertices).astype(f32),
        parents=[-1, *range(joints - 1)],
    )


def head_inputs(basis, batch: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    betas = rng.normal(0, 1, (batch, basis.components)).astype(np.float32)
    pose = rng.normal(0, 0.3, (batch, basis.joints, 3)).astype(np.float32)
    return betas, pose, rng.normal(0, 0.05, (batch, 3)).astype(np.float32)


HEAD_SHAPES = [(1, 1, 1), (15, 3, 2), (16, 63, 5), (17, 64, 5), (65, 65, 5), (1003, 100, 5)]


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("batch", [0, 1, 7, 8, 9, 33])
@pytest.mark.parametrize("shape", HEAD_SHAPES, ids=str)
def test_head_lbs_equals_the_scalar_path_within_rounding(shape, batch, scalar_cpu):
    basis = head(*shape)
    inputs = head_inputs(basis, batch)
    expected = np.asarray(forge_rt.head_lbs(basis, *inputs).vertices)
    actual = np.asarray(forge_rt.head_lbs(basis.to("cuda:0"), *inputs).vertices)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=HEAD_VERTEX_TOLERANCE_M)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.skipif(forge_rt.best_isa() == "baseline", reason="this processor has no AVX2, whose rounding CUDA shares")
@pytest.mark.parametrize("shape", HEAD_SHAPES, ids=str)
def test_head_lbs_equals_the_avx_paths_to_the_bit(shape):
    basis = head(*shape)
    inputs = head_inputs(basis, 9)
    assert_same_bits(
        forge_rt.head_lbs(basis.to("cuda:0"), *inputs).vertices, forge_rt.head_lbs(basis, *inputs).vertices
    )


@pytest.mark.gpu
@needs_gpu
def test_head_lbs_batch_does_not_matter():
    basis = head(100, 20, 5).to("cuda:0")
    betas, pose, translation = head_inputs(basis, 10)
    together = np.asarray(forge_rt.head_lbs(basis, betas, pose, translation).vertices)
    for b in range(10):
        alone = forge_rt.head_lbs(basis, betas[b : b + 1], pose[b : b + 1], translation[b : b + 1]).vertices
        assert_same_bits(alone, together[b : b + 1])


# ---- what reads a raster ----


def raster(size: int = 61):
    positions, triangles = sheet(14)
    positions = np.concatenate([positions, sheet(14, 2)[0]])
    out = forge_rt.rasterize(positions, triangles, size, cull="none")
    return np.asarray(out.face), np.asarray(out.barycentrics), positions, triangles


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 32, 33])
@pytest.mark.parametrize("shared", [True, False])
def test_interpolate(channels, shared):
    face, barycentrics, positions, triangles = raster()
    rng = np.random.default_rng(channels)
    attributes = rng.normal(0, 1, (1 if shared else 2, positions.shape[1], channels)).astype(np.float32)
    inputs = (face, barycentrics, triangles, attributes)
    assert_same_bits(forge_rt.interpolate(*map(gpu, inputs)), forge_rt.interpolate(*inputs))


@pytest.mark.gpu
@needs_gpu
def test_vertex_normals():
    positions, triangles = sheet(17)
    triangles = triangles[:-3]  # leaves vertices without a triangle
    points = np.ascontiguousarray(np.concatenate([positions, positions * 0, sheet(17, 4)[0]])[..., :3])
    topology = forge_rt.Topology(triangles, points.shape[1])
    expected = forge_rt.vertex_normals(points, topology)
    assert_same_bits(forge_rt.vertex_normals(gpu(points), topology.to("cuda:0")), expected)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("border", ["zero", "clamp"])
@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 7, 5, 3), (2, 33, 17, 32)], ids=str)
def test_sample_texture(shape, filter, border, align_corners):
    rng = np.random.default_rng(5)
    texture = rng.normal(0, 1, shape).astype(np.float32)
    grid = rng.uniform(-1.6, 1.6, (2, 19, 23, 2)).astype(np.float32)
    grid[0, 0, :8, 0] = [np.nan, np.inf, -np.inf, 1e30, -1.0, 1.0, 0.0, -0.0]
    options = dict(filter=filter, border=border, align_corners=align_corners)
    expected = forge_rt.sample_texture(texture, grid, **options)
    assert_same_bits(forge_rt.sample_texture(gpu(texture), gpu(grid), **options), expected)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("mapped", [True, False])
def test_project_labels(mapped):
    face, barycentrics, positions, triangles = raster()
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 19, triangles.shape[0]).astype(np.uint8)
    uv_triangles = uv = semantic = None
    if mapped:
        labels[rng.random(labels.shape) < 0.7] = 255
        uv_triangles, uv = triangles, rng.uniform(0, 1, (positions.shape[1], 2)).astype(np.float32)
        semantic = rng.integers(0, 19, (37, 53)).astype(np.uint8)
    inputs = (face, barycentrics, labels, uv_triangles, uv, semantic)
    expected = forge_rt.project_labels(*inputs, background=200)
    assert_same_bits(forge_rt.project_labels(*map(gpu, inputs), background=200), expected)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("factor", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 9, 21)], ids=str)
def test_label_coverage_and_majority(shape, factor):
    batch, height, width = shape
    labels = np.random.default_rng(7).integers(0, 5, (batch, factor * height, factor * width)).astype(np.uint8)
    assert_same_bits(forge_rt.label_coverage(gpu(labels), factor, 6), forge_rt.label_coverage(labels, factor, 6))
    assert_same_bits(forge_rt.label_majority(gpu(labels), factor), forge_rt.label_majority(labels, factor))


@pytest.mark.gpu
@needs_gpu
def test_point_visibility():
    rng = np.random.default_rng(9)
    depth_map = np.where(rng.random((3, 20, 30)) < 0.6, rng.uniform(1, 2, (3, 20, 30)), 0).astype(np.float32)
    pixels = rng.uniform(-3, 33, (3, 68, 2)).astype(np.float32)
    pixels[0, :3] = [[np.nan, 4], [0, 0], [30, 20]]
    depth = rng.uniform(-0.5, 2.5, (3, 68)).astype(np.float32)
    inputs = (pixels, depth, depth_map)
    assert_same_bits(forge_rt.point_visibility(*map(gpu, inputs), 0.05), forge_rt.point_visibility(*inputs, 0.05))


# ---- ForgeHead's renderer -----------------------------------------------------------------------------------------


@needs_gpu
@pytest.mark.parametrize("index", range(4))
def test_forgehead_render(index: int) -> None:
    head = forge_rt.ForgeHead()
    face = head.sample(3, index, "mixed")
    camera = forge_rt.camera.CameraSampler("portrait").sample(3, index, (96, 128))
    options = {"normals": True, "soft_labels": True, "layers": True, "uv": True}
    cpu = head.render(face, camera, **options)
    gpu = head.render(face, camera, **options, device="cuda:0")
    # Coverage and classes are integers and agree; colour goes through exp and pow, which differ by an ulp or two.
    assert (np.asarray(cpu.segmentation) != np.asarray(gpu.segmentation)).mean() < 1e-4
    assert (np.asarray(cpu.layers) != np.asarray(gpu.layers)).mean() < 1e-4
    np.testing.assert_allclose(np.asarray(gpu.depth_m), np.asarray(cpu.depth_m), atol=1e-5)
    np.testing.assert_allclose(np.asarray(gpu.uv), np.asarray(cpu.uv), atol=1e-4)
    difference = np.abs(np.asarray(cpu.rgb).astype(int) - np.asarray(gpu.rgb).astype(int))
    assert (difference > 2).mean() < 1e-3


@needs_gpu
def test_data_sets_from_a_gpu(tmp_path: Path) -> None:
    """A run on a GPU is a data set like any other, says so, and cannot be gone on with on a CPU: bytes would differ."""
    plan = forge_rt.Plan(count=6, seed=4, size=48, style="mixed", shard_size=4)
    forge_rt.generate(plan, tmp_path / "gpu", device="cuda:0")
    forge_rt.generate(plan, tmp_path / "again", device="cuda:0", batch=1)
    forge_rt.generate(plan, tmp_path / "cpu")
    assert forge_rt.inspect(tmp_path / "gpu").good
    shards = [f / "shards/000000.tar" for f in (tmp_path / "gpu", tmp_path / "again")]
    assert shards[0].read_bytes() == shards[1].read_bytes()
    counts = [
        np.stack(pq.read_table(tmp_path / d / "index.parquet")["class_pixels"].to_numpy()) for d in ("gpu", "cpu")
    ]
    assert np.abs(counts[0] - counts[1]).sum() < 0.001 * counts[1].sum()
    with pytest.raises(forge_rt.UnsupportedError, match="begun with device 'cuda'"):
        forge_rt.generate(plan, tmp_path / "gpu", resume=True)
    (one,) = forge_rt.replay(tmp_path / "gpu", [5], tmp_path / "one")
    assert one.identical
