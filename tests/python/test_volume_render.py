"""volume_render and sample_density: golden vectors, a float64 NumPy twin, paths against the oracle, what must not matter, wrong input."""

from __future__ import annotations

from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
import tolerances as tol

GOLDEN = Path(__file__).parents[1] / "golden/next3d/render.npz"


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN, allow_pickle=False))


def decoder_arrays(rng, channels=32, hidden=64, colours=32):
    """Raw arrays whose densities straddle the marcher's threshold."""
    w0, w1 = rng.standard_normal((hidden, channels)), rng.standard_normal((1 + colours, hidden))
    return [
        a.astype(np.float32) for a in (w0, 0.3 * rng.standard_normal(hidden), 2 * w1, rng.standard_normal(1 + colours))
    ]


def look_from(yaw, distance=2.7, focal=4.2647):
    """[25]: a camera at `distance` from the origin, turned by `yaw` around y."""
    s, c = np.sin(yaw), np.cos(yaw)
    m = np.eye(4)
    m[:3, :3] = np.array([[c, 0, -s], [0, -1, 0], [-s, 0, -c]])
    m[:3, 3] = distance * s, 0, distance * c
    k = np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
    return np.concatenate([m.ravel(), k.ravel()]).astype(np.float32)


def scene(seed=0, batch=1, size=(16, 16), **sizes):
    """planes [B, 3, H, W, C], decoder, cameras [B, 25]."""
    rng = np.random.default_rng(seed)
    planes = rng.standard_normal((batch, 3, *size, sizes.get("channels", 32))).astype(np.float32)
    cameras = np.stack([look_from(0.3 * b - 0.2) for b in range(batch)])
    return planes, fr.TriPlaneDecoder(*decoder_arrays(rng, **sizes)), cameras


def outputs(out):
    return [np.asarray(a) for a in (out.features, out.depth, out.weight_sum) if a is not None]


def render(*arguments, **options):
    return outputs(fr.volume_render(*arguments, **options))


def same_bytes(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.view(np.uint32), b.view(np.uint32))


def close(got, want, atol=tol.RENDER):
    """Features, depth where there is something, weight sums."""
    np.testing.assert_allclose(got[0], want[0], atol=atol)
    np.testing.assert_allclose(got[2], want[2], atol=atol)
    solid = want[2] > tol.RENDER_SOLID
    np.testing.assert_allclose(got[1][solid], want[1][solid], atol=tol.RENDER_DEPTH * atol / tol.RENDER)


# ---- the formulas ----


def test_points_of_the_published_code(golden, isa):
    arrays = [golden[f"decoder.net.{k}.{p}"] for k in (0, 2) for p in ("weight", "bias")]
    planes = np.ascontiguousarray(golden["planes"].transpose(0, 1, 3, 4, 2))
    for values in (planes.astype(np.float32), planes):
        density, colour = fr.sample_density(values, fr.TriPlaneDecoder(*arrays), golden["points"], colour=True)
        np.testing.assert_allclose(density, golden["points_sigma"][..., 0], atol=tol.RENDER)
        np.testing.assert_allclose(colour, golden["points_rgb"], atol=tol.RENDER)


def test_pictures_of_the_published_code(golden, isa):
    arrays = [golden[f"decoder.net.{k}.{p}"] for k in (0, 2) for p in ("weight", "bias")]
    planes = np.ascontiguousarray(golden["planes"].astype(np.float32).transpose(0, 1, 3, 4, 2))
    views, side = len(golden["c"]), int(golden["ray_res"])
    draws = {
        k: ((golden[k].astype(np.float32) + 0.5) / 256).reshape(views, side**2, -1)
        for k in ("u_strat", "u_imp", "auto_u_strat")
    }
    common = dict(resolution=side, coarse=12, batch_coupled=True)
    got = render(
        planes,
        fr.TriPlaneDecoder(*arrays),
        golden["c"],
        fine=12,
        u_coarse=draws["u_strat"],
        u_fine=draws["u_imp"],
        **common,
    )
    want = [
        golden[k].transpose(0, 2, 1).reshape(views, -1, side, side)
        for k in ("render_rgb", "render_depth", "render_wsum")
    ]
    close(got, want)
    got = render(
        planes,
        fr.TriPlaneDecoder(*arrays),
        golden["c"],
        fine=0,
        u_coarse=draws["auto_u_strat"],
        ray_range="auto",
        white_back=True,
        **common,
    )
    want = [
        golden[k].transpose(0, 2, 1).reshape(views, -1, side, side)
        for k in ("auto_rgb_white", "auto_depth", "auto_wsum")
    ]
    close(got, want)


def numpy_decode(planes, arrays, points):
    """float64: planes [3, H, W, C], points [N, 3] → density [N], colours [N, K]; axes of Next3D, box of side 1."""
    w0, b0, w1, b1 = (a.astype(float) for a in arrays)
    w0, w1 = w0 / np.sqrt(w0.shape[1]), w1 / np.sqrt(w1.shape[1])
    features = np.zeros((len(points), planes.shape[-1]))
    for plane, (u, v) in zip(planes, ((0, 1), (0, 2), (2, 1)), strict=True):
        height, width = plane.shape[:2]
        x, y = ((2 * points[:, u] + 1) * width - 1) / 2, ((2 * points[:, v] + 1) * height - 1) / 2
        for dy in (0, 1):
            for dx in (0, 1):
                column, row = np.floor(x) + dx, np.floor(y) + dy
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
                weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row)) * inside
                features += (
                    weight[:, None] * plane[row.clip(0, height - 1).astype(int), column.clip(0, width - 1).astype(int)]
                )
    hidden = np.logaddexp(0, features / 3 @ w0.T + b0)
    out = hidden @ w1.T + b1
    return out[:, 0], 1.002 / (1 + np.exp(-out[:, 1:])) - 0.001


@pytest.mark.parametrize(
    ("channels", "hidden", "colours"), [(8, 8, 1), (24, 40, 5), (32, 64, 32), (64, 128, 64), (16, 32, 33)]
)
def test_density_of_any_width(isa, channels, hidden, colours):
    rng = np.random.default_rng(5)
    planes = rng.standard_normal((2, 3, 3, 5, channels)).astype(np.float32)
    arrays = decoder_arrays(rng, channels, hidden, colours)
    points = rng.uniform(-0.7, 0.7, (2, 101, 3)).astype(np.float32)
    decoder = fr.TriPlaneDecoder(*arrays)
    density, colour = fr.sample_density(planes, decoder, points, colour=True)
    for b in range(2):
        want = numpy_decode(planes[b], arrays, points[b].astype(float))
        np.testing.assert_allclose(np.asarray(density)[b], want[0], atol=tol.RENDER)
        np.testing.assert_allclose(np.asarray(colour)[b], want[1], atol=tol.RENDER)
    np.testing.assert_array_equal(fr.sample_density(planes, decoder, points), density)


def test_decoder_gains():
    rng = np.random.default_rng(1)
    arrays = decoder_arrays(rng)
    folded = [a * 0.5 / np.sqrt(a.shape[1]) if a.ndim == 2 else a * 0.5 for a in arrays]
    planes = rng.standard_normal((1, 3, 8, 8, 32)).astype(np.float32)
    points = rng.uniform(-0.5, 0.5, (1, 20, 3)).astype(np.float32)
    raw = fr.sample_density(planes, fr.TriPlaneDecoder(*arrays, lr_multiplier=0.5), points)
    ready = fr.sample_density(planes, fr.TriPlaneDecoder(*folded, gains_folded=True), points)
    np.testing.assert_allclose(raw, ready, atol=tol.RENDER)


def test_axes_are_data():
    planes, decoder, _ = scene()
    points = np.random.default_rng(2).uniform(-0.5, 0.5, (1, 50, 3)).astype(np.float32)
    named = fr.sample_density(planes, decoder, points, axes="eg3d")
    # EG3D's third plane is (z, x): Next3D's second one with its axes exchanged; the mean does not ask which plane a value lies on
    turned = planes.copy()
    turned[:, 1] += planes[:, 2].transpose(0, 2, 1, 3)
    turned[:, 2] = 0
    np.testing.assert_allclose(named, fr.sample_density(turned, decoder, points), atol=tol.RENDER)


def test_layouts():
    powers = 10.0 ** np.arange(-8, 6, 2)
    nchw = (np.random.default_rng(3).standard_normal((2, 24, 5, 7)) * powers).astype(np.float32)
    want = nchw.reshape(2, 3, 8, 5, 7).transpose(0, 1, 3, 4, 2)
    np.testing.assert_array_equal(fr.planes_from_nchw(nchw), want)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(fr.planes_from_nchw(nchw, "float16"), want.astype(np.float16))


# ---- paths against the oracle ----


@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(seed=7, index=[3]),
        dict(coarse=4, fine=1),
        dict(coarse=5, fine=256, resolution=3),
        dict(coarse=256, fine=7, resolution=3),
        dict(coarse=2, fine=0),
        dict(resolution=1),
        dict(ray_range="auto", white_back=True),
        dict(ray_range=(0.5, 1.0)),
        dict(skip_weight=1e-3),
    ],
    ids=str,
)
def test_paths_agree(isa, options):
    planes, decoder, cameras = scene()
    options = dict(resolution=9, coarse=17, fine=13) | options
    got = render(planes, decoder, cameras, **options)
    fr.set_isa("baseline")
    want = render(planes, decoder, cameras, **options)
    # a sample at the threshold may be left out on one side only
    close(got, want, atol=tol.RENDER + 2.002 * options.get("skip_weight", 0))


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (33, 2)])
@pytest.mark.parametrize("half", [False, True])
def test_small_planes(isa, size, half):
    planes, decoder, cameras = scene(size=size, channels=24, hidden=40, colours=3)
    if half:
        planes = planes.astype(np.float16)
    got = render(planes, decoder, cameras, resolution=5)
    fr.set_isa("baseline")
    close(got, render(planes, decoder, cameras, resolution=5))
    close(got, render(planes.astype(np.float32), decoder, cameras, resolution=5))


# ---- what must not matter ----


def test_batch_threads_and_views(isa, set_threads):
    planes, decoder, cameras = scene(batch=3)
    cameras = np.concatenate([cameras, cameras[::-1]])
    options = dict(resolution=11, coarse=12, fine=12, seed=5)
    rows, index = np.array([0, 1, 2, 0, 1, 2], np.int32), np.arange(10, 16, dtype=np.uint64)
    set_threads(1)
    together = render(planes, decoder, cameras, rows=rows, index=index, **options)
    set_threads(3)
    same_bytes(render(planes, decoder, cameras, rows=rows, index=index, **options), together)
    for v in range(6):
        alone = render(planes[rows[v]][None], decoder, cameras[v][None], index=index[v : v + 1], **options)
        same_bytes(alone, [a[v : v + 1] for a in together])


def test_seeded_is_given(isa):
    planes, decoder, cameras = scene()
    draws = {
        f"u_{kind}": np.asarray(fr.random_uniform([1, 49, 10], seed=9, index=4, purpose=f"volume_render.{kind}"))
        for kind in ("coarse", "fine")
    }
    options = dict(resolution=7, coarse=10, fine=10)
    same_bytes(
        render(planes, decoder, cameras, **draws, **options),
        render(planes, decoder, cameras, seed=9, index=[4], **options),
    )


def test_midpoints_are_given(isa):
    planes, decoder, cameras = scene()
    halves = np.full((1, 25, 6), 0.5, np.float32)
    steps = np.broadcast_to((np.arange(8, dtype=np.float32) + np.float32(0.5)) / np.float32(8), (1, 25, 8))
    options = dict(resolution=5, coarse=6, fine=8)
    same_bytes(
        render(planes, decoder, cameras, u_coarse=halves, u_fine=steps, **options),
        render(planes, decoder, cameras, **options),
    )


def test_order_of_fine_draws_does_not_matter(isa):
    planes, decoder, cameras = scene()
    rng = np.random.default_rng(0)
    coarse, fine = rng.random((1, 25, 8), np.float32), rng.random((1, 25, 40), np.float32)
    fine[:, :, 20:] = fine[:, :, :20]  # equal depths
    options = dict(resolution=5, coarse=8, fine=40, u_coarse=coarse)
    close(
        render(planes, decoder, cameras, u_fine=fine, **options),
        render(planes, decoder, cameras, u_fine=fine[:, :, ::-1], **options),
    )


def test_depth_only_and_memory(isa):
    planes, decoder, cameras = scene()
    full = fr.volume_render(planes, decoder, cameras, resolution=6)
    depth = fr.volume_render(planes, decoder, cameras, resolution=6, depth_only=True)
    assert depth.features is None
    same_bytes(outputs(depth), outputs(full)[1:])
    address = np.asarray(full.features).ctypes.data
    again = fr.volume_render(planes, decoder, cameras, resolution=6, out=full)
    assert np.asarray(again.features).ctypes.data == address


# ---- bounds and edges ----


@pytest.mark.parametrize("threshold", [1e-6, 1e-4, 1e-2, 0.5])
def test_skipped_colours_stay_in_the_bound(isa, threshold):
    planes, decoder, cameras = scene()
    full = render(planes, decoder, cameras, resolution=8)
    less = render(planes, decoder, cameras, resolution=8, skip_weight=threshold)
    assert np.abs(full[0] - less[0]).max() <= min(2.002 * 96 * threshold, 2.01) + tol.RENDER
    same_bytes(less[1:], full[1:])


def test_rays_that_miss(isa):
    planes, decoder, cameras = scene(batch=2)
    away = look_from(0.1)
    away[[2, 6, 10]] *= -1  # looks the other way
    out = render(planes[:1], decoder, np.stack([cameras[0], away]), resolution=4, ray_range="auto")
    alone = render(planes[:1], decoder, away[None], resolution=4, ray_range="auto")
    same_bytes(alone, [a[1:] for a in out])
    assert all(np.isfinite(a).all() for a in out)
    coupled = render(
        planes[:1], decoder, np.stack([cameras[0], away]), resolution=4, ray_range="auto", batch_coupled=True
    )
    same_bytes([a[:1] for a in coupled], [a[:1] for a in out])


def test_no_weight_at_all(isa):
    planes, _, cameras = scene()
    arrays = decoder_arrays(np.random.default_rng(0))
    arrays[3][0] = -1e4
    out = render(planes, fr.TriPlaneDecoder(*arrays), cameras, resolution=4)
    np.testing.assert_array_equal(out[0], -1)
    np.testing.assert_array_equal(out[2], 0)
    assert (out[1] > 3.2).all()  # 0 / 0 settles at the farthest depth, as published


def test_nan_in_planes(isa):
    planes, decoder, cameras = scene()
    planes[0, 0, :, 8:] = np.nan
    out = render(planes, decoder, cameras, resolution=8, coarse=8, fine=8)
    clean = render(np.nan_to_num(planes), decoder, cameras, resolution=8, coarse=8, fine=8)
    assert np.isnan(out[0]).any()
    untouched = ~np.isnan(out[0])
    np.testing.assert_array_equal(out[0][untouched], clean[0][untouched])
    assert untouched.any()
    assert np.isfinite(out[1]).all()
    bad = np.full_like(planes, np.nan)
    assert np.isnan(render(bad, decoder, cameras, resolution=3)[0]).all()


def test_nothing_to_render():
    planes, decoder, _ = scene()
    out = fr.volume_render(planes, decoder, np.zeros((0, 25), np.float32), resolution=4)
    assert np.asarray(out.features).shape == (0, 32, 4, 4)
    assert np.asarray(fr.sample_density(planes, decoder, np.zeros((1, 0, 3), np.float32))).shape == (1, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(coarse=1, fine=0), "coarse must be 2..256 samples with fine = 0, got 1"),
        (dict(coarse=3), "coarse must be 4..256 samples with fine = 48, got 3"),
        (dict(coarse=257), "got 257"),
        (dict(fine=-1), "fine must be 0..256"),
        (dict(resolution=0), "resolution must be 1..4096, got 0"),
        (dict(ray_range=(3.0, 2.0)), "ray_start must be less than ray_end, got 3 and 2"),
        (dict(ray_range="far"), "got 'far'"),
        (dict(skip_weight=-1.0), "skip_weight must be 0..1"),
        (dict(box_warp=0.0), "box_warp must be finite and > 0"),
        (dict(axes=np.zeros((3, 3, 3))), "axes of plane 0 must be an invertible matrix"),
        (dict(axes="other"), "axes must be 'next3d', 'eg3d' or"),
        (dict(rows=[1]), r"rows\[0\] is 1, but planes have 1 rows"),
        (dict(seed=1), "seed and index belong together"),
        (dict(seed=1, index=[1 << 48]), "sample index must be < 2\\^48"),
        (dict(u_coarse=np.zeros((1, 4096, 48))), "needs u_coarse .* and u_fine"),
        (dict(u_coarse=np.zeros((1, 5, 48)), u_fine=np.zeros((1, 4096, 48))), "u_coarse must be"),
        (dict(cameras=np.full((1, 25), np.nan)), r"cameras\[0\] holds nan at position 0"),
        (dict(cameras=np.zeros((1, 25))), "focal length 0"),
        (dict(cameras=np.zeros((1, 16))), r"cameras must be \[V, 25\]"),
        (dict(planes=np.zeros((1, 96, 16, 16))), r"planes must be \[B, 3, H, W, C\]"),
        (dict(planes=np.zeros((1, 3, 16, 16, 40))), "planes have 40 channels, the decoder takes 32"),
        (dict(planes=np.zeros((3, 3, 16, 16, 32)), cameras=np.stack([look_from(0)] * 2)), "need `rows`"),
    ],
)  # fmt: skip
def test_wrong_input(change, message):
    planes, decoder, cameras = scene()
    arguments = dict(planes=planes, decoder=decoder, cameras=cameras) | change
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.volume_render(**arguments)


def test_wrong_decoder():
    arrays = decoder_arrays(np.random.default_rng(0), channels=12)
    with pytest.raises(fr.InvalidArgumentError, match="channels, weight0 has 12 columns"):
        fr.TriPlaneDecoder(*arrays)
    arrays = decoder_arrays(np.random.default_rng(0))
    with pytest.raises(fr.InvalidArgumentError, match="bias1 must be"):
        fr.TriPlaneDecoder(*arrays[:3], arrays[3][:-1])
    with pytest.raises(fr.InvalidArgumentError, match="3 C channels on axis 1, got 32"):
        fr.planes_from_nchw(np.zeros((1, 32, 4, 4), np.float32))


# ---- CUDA against the CPU ----


@pytest.mark.gpu
@pytest.mark.skipif(fr.cuda_status()["device_count"] == 0, reason=f"no GPU: {fr.cuda_status()['reason']}")
@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        (dict(), dict(coarse=12, fine=12)),
        (dict(), dict(coarse=70, fine=80, skip_weight=1e-3)),
        (dict(channels=8, hidden=8, colours=3, size=(3, 5)), dict(coarse=8, fine=5)),
        (dict(batch=2), dict(coarse=9, fine=0, ray_range="auto", white_back=True, batch_coupled=True)),
    ],
    ids=str,
)
def test_cuda_twin(sizes, options):
    def gpu(array):
        return fr.from_dlpack(np.ascontiguousarray(array)).to("cuda:0")

    planes, decoder, cameras = scene(**sizes)
    for values in (planes, planes.astype(np.float16)):
        there = fr.volume_render(gpu(values), decoder.to("cuda:0"), gpu(cameras), resolution=2, **options)
        got = [np.asarray(a.to("cpu")) for a in (there.features, there.depth, there.weight_sum)]
        want = render(values, decoder, cameras, resolution=2, **options)
        close(got, want, atol=tol.RENDER + 2.002 * options.get("skip_weight", 0))
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (len(planes), 33, 3)).astype(np.float32)
    density = fr.sample_density(gpu(planes), decoder.to("cuda:0"), gpu(points)).to("cpu")
    np.testing.assert_allclose(density, fr.sample_density(planes, decoder, points), atol=tol.RENDER)
    nchw = points.reshape(1, 3, 1, -1) * 1e3
    for dtype in ("float32", "float16"):
        np.testing.assert_array_equal(fr.planes_from_nchw(gpu(nchw), dtype).to("cpu"), fr.planes_from_nchw(nchw, dtype))
