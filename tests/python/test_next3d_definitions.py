"""Next3D's PyTorch definitions against vectors of the published implementation: ops, layers, renderer, and end to end."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from forge_rt.export.models import next3d  # noqa: E402
from forge_rt.export.models.next3d import config as configs  # noqa: E402
from forge_rt.export.models.next3d import filters, layers, macs, rays, renderer, tri_plane, views  # noqa: E402
from forge_rt.export.models.next3d.mapping import MappingNetwork  # noqa: E402
from forge_rt.export.models.next3d.style_unet import EncoderBlock, StyleUNet  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden" / "next3d"

# Tolerances are those stated beside the vectors: other summation orders in float32.
OPS = dict(rtol=1e-5, atol=1e-5)
STYLE_UNET = dict(rtol=1e-5, atol=1e-4)
RAYS = 2e-6
COLOUR = 2e-5
RAY_DEPTH = 1e-4  #: where weight > 1e-3
HIT = 1e-3
WS = 1e-5
PLANES = 5e-4
IMAGE = 2e-4
DEPTH = 5e-4
#: Batches choose other convolution algorithms; images of order 1.
BATCH = 2e-5


@pytest.fixture(autouse=True, scope="module")
def no_gradients():
    with torch.no_grad():
        yield


def load(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / name, allow_pickle=False) as data:
        return {
            k: torch.from_numpy(data[k].astype(np.float32) if data[k].dtype == np.float16 else data[k]) for k in data
        }


@pytest.fixture(scope="module")
def ops():
    return load("ops.npz")


@pytest.fixture(scope="module")
def case(ops, request):
    """case(name) → its arrays and its state dict"""

    def find(name: str):
        items = {k[len(name) + 1 :]: v for k, v in ops.items() if k.startswith(name + ".")}
        assert items, f"no case {name}"
        state = {k[3:]: v for k, v in items.items() if k.startswith("sd.")}
        return items, state

    return find


def same(got, want, **tolerance):
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), **tolerance)


def filled(module, state):
    module.load_state_dict(state)
    return module


# ---- ops ------------------------------------------------------------------------------------------------------------


def test_filter(case):
    same(filters.setup_filter(), case("setup_filter_1331")[0]["out"], rtol=0, atol=0)


@pytest.mark.parametrize("index", range(5))
def test_upfirdn2d(case, index):
    items, _ = case(f"upfirdn2d_{index}")
    up, down = (items[k].tolist() for k in ("up", "down"))
    out = filters.upfirdn2d(
        items["x"],
        items["f"],
        up,
        down,
        items["pad"].tolist(),
        flip_filter=bool(items["flip"]),
        gain=float(items["gain"]),
    )
    same(out, items["out"], **OPS)


def test_fixed_resampling(case):
    for name, function in (("upsample2d", filters.upsample2d), ("downsample2d", filters.downsample2d)):
        items, _ = case(name)
        same(function(items["x"], items["f"]), items["out"], **OPS)
    items, _ = case("conv_up2")
    same(layers.conv2d_resample(items["x"], items["w"], items["f"], up=2), items["out"], **OPS)
    items, _ = case("conv_down2")
    same(layers.conv2d_resample(items["x"], items["w"], items["f"], down=2), items["out"], **OPS)


@pytest.mark.parametrize("name", ["lrelu", "lrelu_gain_clamp", "linear_clamp"])
def test_bias_act(case, name):
    items, _ = case(f"bias_act_{name}")
    options = {k: float(items[k]) for k in ("gain", "clamp") if k in items}
    same(layers.bias_act(items["x"], items["b"], name.split("_")[0], **options), items["out"], **OPS)


@pytest.mark.parametrize("name", ["demod", "demod_up2", "nodemod_1x1"])
def test_modulated_convolution(case, name):
    items, _ = case(f"modconv_{name}")
    out = layers.modulated_conv2d(
        items["x"], items["weight"], items["styles"], filters.setup_filter(), noise=items.get("noise"),
        up=2 if "up2" in name else 1, demodulate="nodemod" not in name,
    )  # fmt: skip
    same(out, items["out"], **OPS)


@pytest.mark.parametrize("index", [*range(6), "sr"])
def test_resize(case, index):
    items, _ = case("resize_sr" if index == "sr" else f"resize_aa_{index}")
    same(filters.resize(items["x"], tuple(items["out"].shape[-2:])), items["out"], **OPS)


@pytest.mark.parametrize("inside, outside", [(64, 20), (20, 64), (7, 7)])
def test_resize_without_antialias(inside, outside):
    x = torch.randn(1, 2, inside, inside, generator=torch.Generator().manual_seed(0))
    want = torch.nn.functional.interpolate(x, (outside, outside), mode="bilinear", align_corners=False)
    same(filters.resize(x, (outside, outside), antialias=False), want, **OPS)


@pytest.mark.parametrize("start, length", [(0, 64), (3, 1), (10, 37), (0, 13), (51, 13)])
@pytest.mark.parametrize("size", [5, 16, 64, 100])
def test_boxes_are_resized_like_images(start, length, size):
    """A crop of a box of any size to a fixed one, and back, equals cutting it out and resizing."""
    line = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(start))
    at, many = torch.tensor([start]), torch.tensor([length])
    cropped = filters.crop_matrix(at, many, 64, size)[0] @ line
    same(cropped, filters.resize(line[..., start : start + length, :], (size, 64)), **OPS)
    pasted = filters.paste_matrix(at, many, 64, 80)[0] @ line
    expected = torch.zeros(1, 1, 80, 64)
    expected[..., start : start + length, :] = filters.resize(line, (length, 64))
    same(pasted, expected, **OPS)


def test_empty_boxes_give_numbers():
    for matrix in (filters.crop_matrix, filters.paste_matrix):
        assert torch.equal(matrix(torch.tensor([5]), torch.tensor([0]), 16, 8), torch.zeros(1, 8, 16))


# ---- layers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, options",
    [("fc_linear", {}), ("fc_lrelu_lr001", dict(activation="lrelu", multiplier=0.01)), ("fc_linear_lr05", dict(multiplier=0.5))],
)  # fmt: skip
def test_fully_connected(case, name, options):
    items, state = case(name)
    state = state or {k: items[k] for k in ("weight", "bias")}
    same(filled(layers.FullyConnected(24, 10, **options), state)(items["x"]), items["out"], **OPS)


def test_synthesis_layers(case):
    items, state = case("synthlayer_up1")
    same(filled(layers.SynthesisLayer(12, 10, 40, 8), state)(items["x"], items["w"]), items["out"], **OPS)
    items, state = case("synthlayer_up2")
    layer = filled(layers.SynthesisLayer(12, 10, 40, 16, up=2), state)
    same(layer(items["x"], items["w"]), items["out"], **OPS)
    other = layer(items["x"], items["w"], "random") - layer(items["x"], items["w"], "none")
    assert other.std() > 0
    with pytest.raises(ValueError, match="noise_mode must be const, random or none, got 'some'"):
        layer(items["x"], items["w"], "some")
    items, state = case("synthlayer_up2_nonoise_clamp")
    layer = filled(layers.SynthesisLayer(12, 10, 40, 16, up=2, conv_clamp=1.0), state)
    same(layer(items["x"], items["w"], "none", gain=0.5), items["out"], **OPS)


def test_to_rgb(case):
    items, state = case("torgb")
    same(filled(layers.ToRGB(12, 7, 40), state)(items["x"], items["w"]), items["out"], **OPS)


@pytest.mark.parametrize(
    "name, arguments, no_up", [("first", (0, 12, 40, 4, 6), False), ("skip", (12, 10, 40, 16, 6), False), ("noup", (12, 10, 40, 8, 6), True)]
)  # fmt: skip
def test_synthesis_blocks(case, name, arguments, no_up):
    items, state = case(f"block_{name}")
    block = filled(layers.SynthesisBlock(*arguments, no_up=no_up), state)
    noise = "none" if no_up else "const"  # the vector is one of super-resolution, which has no noise
    out = block(items.get("x"), items.get("img"), items["ws"], noise)
    same(out[0], items["out0"], **OPS)
    same(out[1], items["out1"], **OPS)


def test_encoder_layers(case):
    for name, first in (("first", True), ("down", False)):
        items, state = case(f"encblock_{name}")
        out = filled(EncoderBlock(6, 12, 10, first=first), state)(items["x"], items.get("skip"))
        same(out[0], items["out0"], **OPS)
        same(out[1], items["out1"], **OPS)
    items, state = case("conv2dlayer_linear")
    same(filled(layers.Conv2d(12, 10, 3), state)(items["x"]), items["out"], **OPS)
    items, state = case("conv2dlayer_down_lrelu")
    layer = filled(layers.Conv2d(12, 10, 3, activation="lrelu", down=2), state)
    same(layer(items["x"]), items["out"], **OPS)


def test_mapping(case):
    items, state = case("mapping")
    network = filled(MappingNetwork(16, 25, 24, 6), state)
    for name, psi, cutoff in (("psi1", 1, None), ("psi07", 0.7, None), ("psi07_cut3", 0.7, 3)):
        same(network(items["z"], items["c"], psi, cutoff), items[f"out_{name}"], **OPS)
    same(network(items["z"].double(), items["c"]), items["out_psi1"], **OPS)


@pytest.mark.parametrize("name", ["mouth", "blend"])
@pytest.mark.parametrize("dead_weights", [True, False])
def test_style_unets(case, name, dead_weights):
    items, state = case(f"styleunet_{name}")
    resolution, in_size, final_size, condition, base, widest = items["cfg"].tolist()
    network = StyleUNet(
        40, resolution, 5, in_size=in_size, final_size=final_size, condition_resolution=condition, channel_base=base,
        channel_max=widest, dead_weights=dead_weights,
    )  # fmt: skip
    if dead_weights:
        assert network.state_dict().keys() == state.keys()
    network.load_state_dict(state, strict=dead_weights)
    same(network(items["x"], items["ws"]), items["out"], **STYLE_UNET)


# ---- renderer -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene():
    data = load("render.npz")
    decoder = tri_plane.Decoder()
    decoder.load_state_dict({k[8:]: v for k, v in data.items() if k.startswith("decoder.")})
    return data, decoder


def uniforms(bytes_):
    return (bytes_.float() + 0.5) / 256


def axes(values=configs.NEXT3D_AXES):
    return torch.tensor(values, dtype=torch.float32)


def test_rays(scene):
    data, _ = scene
    size = int(data["ray_res"])
    origins, directions = rays.camera_rays(data["c"], size)
    same(origins, data["ray_origins"], rtol=0, atol=RAYS)
    same(directions, data["ray_dirs"], rtol=0, atol=RAYS)
    skewed = rays.rays(data["c"][:, :16].reshape(-1, 4, 4), data["intrinsics_skewed"], size)[1]
    same(skewed, data["ray_dirs_skewed"], rtol=0, atol=RAYS)
    start, end = rays.box_range(origins, directions, 1.0)
    same(start, data["box_tmin"], rtol=1e-5, atol=1e-5)
    same(end, data["box_tmax"], rtol=1e-5, atol=1e-5)


def test_tri_plane(scene):
    data, decoder = scene
    same(axes(), data["plane_axes"], rtol=0, atol=0)
    projected = tri_plane.project(data["points"] * 2, axes())
    same(projected.flatten(0, 1), data["projected"], rtol=0, atol=RAYS)
    features = tri_plane.sample_planes(data["planes"], data["points"], axes(), 1.0)
    same(features, data["plane_features_mean"], rtol=0, atol=COLOUR)
    colours, densities = decoder(features)
    same(colours, data["points_rgb"], rtol=0, atol=COLOUR)
    same(densities, data["points_sigma"], rtol=1e-5, atol=COLOUR)


def test_axes_of_eg3d():
    """Its third plane is sampled with (z, x)."""
    points = torch.tensor([[[0.1, 0.2, 0.3]]])
    same(tri_plane.project(points, axes(configs.EG3D_AXES))[0, :, 0], [[0.1, 0.2], [0.1, 0.3], [0.3, 0.1]], atol=RAYS)
    same(tri_plane.project(points, axes())[0, :, 0], [[0.1, 0.2], [0.1, 0.3], [0.3, 0.2]], atol=RAYS)


def test_samples_of_rays(scene):
    data, decoder = scene
    coarse = rays.coarse_depths(2.25, 3.3, 12, uniforms(data["u_strat"]))
    same(coarse, data["coarse_depths"], rtol=0, atol=RAYS)
    points = data["ray_origins"][:, :, None] + data["coarse_depths"] * data["ray_dirs"][:, :, None]
    settings = configs.RenderingConfig()
    colours, densities = renderer.evaluate(data["planes"], points.flatten(1, 2), decoder, settings, axes())
    densities = densities.reshape(data["coarse_sigma"].shape)
    same(densities, data["coarse_sigma"], rtol=1e-5, atol=COLOUR)
    marched = renderer.march(colours.reshape(*densities.shape[:3], -1), densities, coarse)
    same(marched.weights, data["coarse_weights"], rtol=0, atol=COLOUR)
    hit = marched.weights.sum(2) > HIT
    same(marched.depth[hit], data["coarse_comp_depth"][hit], rtol=0, atol=RAY_DEPTH)
    fine = rays.fine_depths(coarse, data["coarse_weights"], uniforms(data["u_imp"]))
    same(fine, data["fine_depths"], rtol=0, atol=RAY_DEPTH)


def test_rendering(scene):
    data, decoder = scene
    settings = configs.RenderingConfig(depth_resolution=12, depth_resolution_importance=12)
    numbers = renderer.Uniforms(uniforms(data["u_strat"]), uniforms(data["u_imp"]))
    out = renderer.render_rays(
        data["planes"], decoder, data["ray_origins"], data["ray_dirs"], numbers, settings, axes()
    )  # fmt: skip
    same(out.colour, data["render_rgb"], rtol=0, atol=COLOUR)
    same(out.weight, data["render_wsum"], rtol=0, atol=COLOUR)
    hit = data["render_wsum"] > HIT
    same(out.depth[hit], data["render_depth"][hit], rtol=0, atol=RAY_DEPTH)


def test_rendering_with_the_range_of_the_box(scene):
    data, decoder = scene
    settings = configs.RenderingConfig(
        ray_start="auto", ray_end="auto", depth_resolution=12, depth_resolution_importance=0, white_back=True
    )
    numbers = renderer.Uniforms(uniforms(data["auto_u_strat"]), torch.empty(0))
    out = renderer.render_rays(
        data["planes"], decoder, data["ray_origins"], data["ray_dirs"], numbers, settings, axes()
    )  # fmt: skip
    same(out.colour, data["auto_rgb_white"], rtol=0, atol=COLOUR)
    same(out.weight, data["auto_wsum"], rtol=0, atol=COLOUR)
    hit = data["auto_wsum"] > HIT
    same(out.depth[hit], data["auto_depth"][hit], rtol=0, atol=RAY_DEPTH)


def test_marcher(scene):
    data, _ = scene
    lists = [data[f"mm_{k}"] for k in ("colors", "densities", "depths")]
    out = renderer.march(*lists)
    same(out.colour, data["mm_rgb"], rtol=0, atol=COLOUR)
    same(out.weights, data["mm_weights"], rtol=0, atol=COLOUR)
    hit = out.weights.sum(2) > HIT
    same(out.depth[hit], data["mm_depth"][hit], rtol=0, atol=RAY_DEPTH)
    same(renderer.march(*lists, white_back=True).colour, data["mm_rgb_white"], rtol=0, atol=COLOUR)


def test_depth_clamp_couples_a_batch_unless_told_otherwise():
    """Rays without density: their depth is that of the clamp."""
    depths = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])[..., None]
    empty = torch.full_like(depths, -200.0)
    assert renderer.march(empty, empty, depths).depth.flatten().tolist() == [4, 4]
    assert renderer.march(empty, empty, depths, depth_clamp="image").depth.flatten().tolist() == [2, 4]


def test_uniforms():
    settings = configs.RenderingConfig(depth_resolution=5, depth_resolution_importance=4)
    even = renderer.Uniforms.deterministic(2, 3, settings)
    assert even.coarse.shape == (2, 3, 5, 1) and even.fine.shape == (6, 4)
    assert even.coarse.unique().tolist() == [0.5] and even.fine[3].tolist() == [0.125, 0.375, 0.625, 0.875]
    draws = [renderer.Uniforms.draw(2, 3, settings, torch.Generator().manual_seed(4)) for _ in range(2)]
    assert torch.equal(draws[0].coarse, draws[1].coarse) and torch.equal(draws[0].fine, draws[1].fine)


# ---- end to end -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published():
    """The reduced network of the vectors, its inputs, and every stage of one run."""
    data = load("e2e_small.npz")
    state = {k[3:]: v for k, v in data.items() if k.startswith("sd.")}
    config = configs.Next3DConfig(
        z_dim=32, embed_features=32, layer_features=32, channel_base=2048, channel_max=16, blend_planes="all",
        topology=configs.Topology(9952, 5094), rendering=configs.RenderingConfig(c_scale=1.0),
    )  # fmt: skip
    model = next3d.Next3D(config).eval()
    next3d.load_weights(model, state)
    mesh = views.UvMesh.from_buffers(model.faces, model.uvfaces, model.uvcoords, data["uv_mask"].numpy() / 255)
    v = data["v"].numpy()
    seen = views.rasterize_views(v[:, :5023], v[:, 5023:], mesh, 256, all_views=True)
    numbers = renderer.Uniforms(uniforms(data["u_strat"]), uniforms(data["u_imp"]))
    return data, state, model, seen, numbers


@pytest.fixture(scope="module")
def identity(published):
    data, _, model, _, _ = published
    return model.identity(
        data["z"], data["c_cond"], psi=float(data["truncation_psi"]), cutoff=int(data["truncation_cutoff"])
    )


@pytest.fixture(scope="module")
def planes(published, identity):
    return published[2].expression(identity, published[3])


def probe(data, name, got, tolerance):
    assert list(got.shape) == data[f"{name}.shape"].tolist()
    same(got.flatten()[data[f"{name}.probe_idx"].long()], data[f"{name}.probe_val"], rtol=0, atol=tolerance)
    same(got.double().mean((-2, -1)), data[f"{name}.chan_mean"], rtol=0, atol=tolerance)
    same(got.double().square().mean((-2, -1)).sqrt(), data[f"{name}.chan_rms"], rtol=0, atol=tolerance)


def test_end_to_end_styles(published, identity):
    data, _, model, _, _ = published
    index = data["ws_index"]
    same(identity.ws[:, index], data["ws"], rtol=0, atol=WS)
    same(model.mapping(data["z"], data["c_cond"])[:, index], data["ws_psi1"], rtol=0, atol=WS)


def test_end_to_end_views(published):
    data, _, _, seen, _ = published
    assert torch.equal(seen.mouth_box, data["mouth_box"])
    for name, got in (("front", seen.front_alpha), ("side", seen.side_alpha), ("pitch90", seen.top_alpha)):
        same(got, data[f"alpha_{name}"], rtol=0, atol=1e-4 if name == "front" else 1e-3)  # others are stored as float16


def test_end_to_end_identity(published, identity):
    data = published[0]
    probe(data, "textures", identity.texture, PLANES)
    probe(data, "static_planes", identity.static_planes.flatten(1, 2), PLANES)


def test_end_to_end_expression(published, identity, planes):
    data, _, model, seen, _ = published
    texture, ws = identity.texture, identity.ws
    front = model.sample_texture(texture, seen.front_uv)
    probe(data, "render_front", front, PLANES)
    side = model.sample_texture(texture, seen.yaw90_uv) + model.sample_texture(texture, seen.yawm90_uv)
    probe(data, "render_side", side, PLANES)
    probe(data, "render_pitch90", model.sample_texture(texture, seen.top_uv), PLANES)
    crop = model.mouth_crop(front, seen.mouth_box)
    probe(data, "mouth_in", crop, PLANES)
    mouth = model.mouth(crop, ws)
    probe(data, "mouth_out", mouth, PLANES)
    stitched = model.stitch(front, mouth, seen.mouth_box)
    probe(data, "stitch_in", stitched, PLANES)
    probe(data, "blend_out", model.blend(stitched, ws), PLANES)
    probe(data, "blended", planes, PLANES)


def test_end_to_end_image(published, identity, planes):
    data, _, model, _, numbers = published
    out = model.view(planes, identity.ws, data["c_render"], resolution=64, uniforms=numbers)
    probe(data, "feature_image", out.features, IMAGE)
    same(out.image_raw, data["image_raw"], rtol=0, atol=IMAGE)
    same(out.weight.flatten(2).transpose(1, 2), data["wsum"], rtol=0, atol=IMAGE)
    hit = data["wsum"].transpose(1, 2).reshape(out.depth.shape) > HIT
    same(out.depth[hit], data["depth"][hit], rtol=0, atol=DEPTH)
    probe(data, "image", out.image, IMAGE)
    bytes_ = (out.image * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    same(bytes_.int(), data["image_u8"].int(), rtol=0, atol=1)


def test_end_to_end_front_planes_only(published, identity):
    data, state, model, seen, numbers = published
    front = next3d.Next3D(dataclasses.replace(model.config, blend_planes="front"))
    next3d.load_weights(front, state)
    front_only = next3d.Views(seen.front_uv, seen.front_alpha, seen.mouth_box)
    planes = front.expression(identity, front_only)
    assert torch.equal(planes[:, 1:], identity.static_planes[:, 1:])
    out = front.render(planes, data["c_render"], resolution=64, uniforms=numbers)
    same(out.image_raw, data["synthforge_variant.image_raw"], rtol=0, atol=IMAGE)
    hit = out.weight > HIT
    same(out.depth[hit], data["synthforge_variant.depth"][hit], rtol=0, atol=DEPTH)
    with pytest.raises(ValueError, match="needs the side and top views"):
        model.expression(identity, front_only)


def test_weights_that_never_run_may_be_absent(published):
    _, state, model, _, _ = published
    whole = next3d.Next3D(
        dataclasses.replace(model.config, topology=configs.Topology(9952, 5094, 10)), dead_weights=True
    )
    next3d.load_weights(whole, state)
    assert state.keys() - whole.state_dict().keys() == set()
    live = dict(model.state_dict())
    next3d.load_weights(whole, live)
    next3d.load_weights(next3d.Next3D(model.config), live)
    for name in model.state_dict():
        assert torch.equal(whole.state_dict()[name], live[name]), name


def test_weights_that_do_not_fit(published):
    _, state, model, _, _ = published
    name = "neural_blending.synthesis.b64.conv0.weight"
    with pytest.raises(fr.InvalidArgumentError, match=rf"1 missing \({re.escape(name)}\)"):
        next3d.load_weights(model, {k: v for k, v in state.items() if k != name})
    with pytest.raises(fr.InvalidArgumentError, match=r"1 unknown \(backbone\.extra\)"):
        next3d.load_weights(model, {**state, "backbone.extra": torch.zeros(1)})
    with pytest.raises(fr.InvalidArgumentError, match=r"conv0\.weight must be \[16, 16, 3, 3\].*got \[2, 2\]; widths"):
        next3d.load_weights(model, {**state, name: torch.zeros(2, 2)})
    with pytest.raises(fr.InvalidArgumentError, match=r"faces must be .*; Topology"):
        next3d.load_weights(model, {**state, "faces": torch.zeros(1, 4, 3)})


def test_views_need_landmarks_and_a_mouth(published):
    data, _, model, _, _ = published
    mesh = views.UvMesh.from_buffers(model.faces, model.uvfaces, model.uvcoords, data["uv_mask"].numpy() / 255)
    v = data["v"].numpy()
    with pytest.raises(fr.InvalidArgumentError, match=r"landmarks must be \[N, 68, 3\], got \[1, 0, 3\]"):
        views.rasterize_views(v[:, :5023], v[:, 5091:], mesh, 256)
    with pytest.raises(fr.InvalidArgumentError, match="a mouth covers no pixel"):
        views.rasterize_views(v[:, :5023], v[:, 5023:] * 0, mesh, 256)


# ---- the full configuration -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full():
    with torch.device("meta"):
        return next3d.Next3D(dead_weights=True), next3d.Next3D()


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_parameters_of_the_full_configuration(full):
    model, live = full
    published = dict(
        texture_backbone=28_819_437, mouth_backbone=68_999_661, backbone=29_008_301, neural_blending=44_334_573,
        superresolution=1_649_578, decoder=4_257,
    )  # fmt: skip
    assert {name: parameters(getattr(model, name)) for name in published} == published
    assert parameters(model) == 172_815_807
    state = model.state_dict()
    assert len(state) == 674 and sum(t.numel() for t in state.values()) == 172_815_807 + 1_902_520
    assert 142e6 < parameters(live) < 144e6
    assert state["superresolution.block1.conv0.weight"].shape == (128, 256, 3, 3)
    assert state["mouth_backbone.synthesis.fusion.4.weight"].shape == (512, 1024, 3, 3)


def test_macs_of_the_full_configuration(full):
    _, model = full
    config = model.config
    with torch.device("meta"):
        ws, front = torch.empty(1, 28, 512), torch.empty(1, 32, 256, 256)
        stages = {
            "mapping": (model.mapping, torch.empty(1, 512), torch.empty(1, 25)),
            "texture": (model.texture, ws),
            "static": (model.static_planes, ws),
            "mouth": (model.mouth, torch.empty(1, 32, 64, 64), ws),
            "blend": (model.blend, front, ws),
            "sr": (model.super_resolve, torch.empty(1, 32, 64, 64), ws),
            "decoder 64": (model.decoder, torch.empty(64 * 64 * 2 * config.rendering.depth_resolution, 32)),
        }
        measured = {name: macs.count(*call) / 1e9 for name, call in stages.items()}
    published = {
        "mapping": 0.0008, "texture": 45.56, "static": 46.55, "mouth": 68.04, "blend": 124.15, "sr": 98.00, "decoder 64": 1.64,
    }  # fmt: skip
    assert measured == pytest.approx(published, rel=1e-3, abs=6e-3)
    assert sum(measured.values()) == pytest.approx(384, abs=0.5)


# ---- narrow models --------------------------------------------------------------------------------------------------


def narrow(**changes):
    """The size of a small model: w 128, planes 16 × 128², texture 64²."""
    values = dict(
        z_dim=64, w_dim=128, channel_base=1024, channel_max=32, plane_resolution=128, plane_channels=16,
        texture_resolution=64, texture_channels=12, mouth=configs.StyleUNetConfig(64, 32, 8),
        blending=configs.StyleUNetConfig(128, 128, 16), decoder_hidden=32, feature_channels=16, superresolution="2X",
        sr_channels=(24, 16), neural_rendering_resolution=32, topology=None,
        rendering=configs.RenderingConfig(depth_resolution=8, depth_resolution_importance=8, c_scale=1.0, depth_clamp="image"),
    )  # fmt: skip
    return configs.Next3DConfig(**{**values, **changes})


def inputs(model, n):
    g = torch.Generator().manual_seed(5)
    size = model.config.plane_resolution
    seen = next3d.Views(
        torch.rand(n, size, size, 2, generator=g) * 2 - 1, torch.rand(n, 1, size, size, generator=g),
        torch.tensor([[30, 62, 40, 72], [35, 82, 41, 88], [64, 65, 9, 10]])[:n],
    )  # fmt: skip
    c = load("render.npz")["c"][:1].repeat(n, 1)
    c[:, 3] += torch.linspace(-0.1, 0.1, n)
    return torch.randn(n, model.config.z_dim, generator=g), c, seen


def members(seen, index):
    return next3d.Views(seen.front_uv[index], seen.front_alpha[index], seen.mouth_box[index])


@pytest.mark.parametrize("changes", [{}, dict(superresolution="4X"), dict(superresolution="8X", sr_channels=(8, 8))])
def test_batches_are_their_members(changes):
    torch.manual_seed(0)
    model = next3d.Next3D(narrow(**changes)).eval()
    z, c, seen = inputs(model, 3)
    settings = model.config.rendering
    numbers = renderer.Uniforms.draw(3, 32**2, settings, torch.Generator().manual_seed(1))
    together = model(z, c, c, seen, psi=0.7, cutoff=12, uniforms=numbers)
    assert together.image.shape == (3, 3, *[model.superresolution.resolution] * 2)
    for i in range(3):
        alone = slice(i, i + 1)
        own = renderer.Uniforms(numbers.coarse[alone], numbers.fine.reshape(3, 32**2, -1)[i])
        out = model(z[alone], c[alone], c[alone], members(seen, alone), psi=0.7, cutoff=12, uniforms=own)
        for name in ("image", "image_raw", "features", "weight"):
            same(getattr(out, name), getattr(together, name)[alone], rtol=1e-4, atol=BATCH)
        hit = out.weight > HIT
        same(out.depth[hit], together.depth[alone][hit], rtol=0, atol=RAY_DEPTH)


def test_levels_can_be_kept():
    """One identity, two expressions, two views each: what is kept gives the bytes of what is made anew."""
    torch.manual_seed(0)
    model = next3d.Next3D(narrow()).eval()
    z, c, seen = inputs(model, 3)
    identity = model.identity(z[:1], c[:1])
    for expression in (0, 1):
        planes = model.expression(identity, members(seen, slice(expression, expression + 1)))
        for camera in (0, 2):
            kept = model.view(planes, identity.ws, c[camera : camera + 1])
            anew = model(z[:1], c[:1], c[camera : camera + 1], members(seen, slice(expression, expression + 1)))
            assert all(torch.equal(a, b) for a, b in zip(kept, anew, strict=True))
    assert identity.repeat(2).texture.shape[0] == 2


def test_eg3d_of_any_size():
    torch.manual_seed(0)
    config = configs.EG3DConfig(
        z_dim=32, w_dim=64, channel_base=512, channel_max=16, plane_resolution=64, plane_channels=8, superresolution="2X",
        sr_channels=(8, 8), feature_channels=8, neural_rendering_resolution=16, rendering=configs.RenderingConfig(c_scale=1.0),
    )  # fmt: skip
    model = next3d.EG3D(config).eval()
    c = load("render.npz")["c"]
    out = model(torch.randn(2, 32), c, c)
    assert out.image.shape == (2, 3, 128, 128) and out.depth.shape == (2, 1, 16, 16)
    assert not torch.equal(*(model.mapping(torch.zeros(1, 32), x) for x in (c[:1], c[1:])))
    assert {name.split(".")[0] for name in model.state_dict()} == {"backbone", "decoder", "superresolution"}
    colours, densities = model.query(model.static_planes(model.mapping(torch.zeros(2, 32), c)), torch.zeros(2, 5, 3))
    assert colours.shape == (2, 5, 8) and densities.shape == (2, 5, 1)


def test_camera_labels_may_be_ignored():
    c = load("render.npz")["c"]
    for settings in (configs.RenderingConfig(c_scale=0.0), configs.RenderingConfig(c_gen_conditioning_zero=True)):
        model = next3d.Next3D(narrow(rendering=settings))
        assert torch.equal(*(model.mapping(torch.zeros(1, 64), x) for x in (c[:1], c[1:])))


# ---- configurations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [configs.EG3DConfig(), configs.Next3DConfig(), narrow()])
def test_configurations_survive_json(config):
    assert type(config).from_json(json.loads(json.dumps(config.to_json()))) == config


def test_published_rendering_options():
    settings = configs.RenderingConfig.from_published(
        dict(depth_resolution=36, ray_start=0.1, ray_end=2.6, white_back=True, density_reg=0.25, reg_type="l1", c_scale=1,
             avg_camera_pivot=[0, 0, 0.2], disparity_space_sampling=False, clamp_mode="softplus")
    )  # fmt: skip
    assert (settings.depth_resolution, settings.ray_end, settings.white_back, settings.c_scale) == (36, 2.6, True, 1)
    assert settings.avg_camera_pivot == (0, 0, 0.2) and settings.depth_resolution_importance == 48
    assert configs.RenderingConfig.from_published({"white_back": False}).c_scale == 0
    assert (
        configs.RenderingConfig.from_published({}) == configs.RenderingConfig()
        and configs.RenderingConfig().c_scale == 1
    )
    for bad in (dict(disparity_space_sampling=True), dict(clamp_mode="relu")):
        with pytest.raises(fr.UnsupportedError):
            configs.RenderingConfig.from_published(bad)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(superresolution="3X"), "super-resolution must be one of"),
        (dict(blend_planes="both"), "blend_planes must be front or all"),
        (dict(blend_planes="all"), "as many channels in both, got 12 and 16"),
        (dict(feature_channels=2), "must hold the 3 image channels"),
        (dict(blending=configs.StyleUNetConfig(256, 256, 32)), "blending must work at the planes' 128"),
        (dict(mouth=configs.StyleUNetConfig(256, 64, 4)), "at most 128, got 256"),
        (dict(w_dim=0), "w_dim must be at least 1"),
        (dict(channel_base=64), "leaves no channel at 128"),
        (dict(rendering=configs.RenderingConfig(ray_start="auto")), "both auto or both numbers"),
        (dict(rendering=configs.RenderingConfig(ray_start=4.0)), "expected 0 <= ray_start < ray_end"),
        (
            dict(rendering=configs.RenderingConfig(depth_resolution=3)),
            "depth_resolution must be 4..256, or 2..256 without",
        ),
        (
            dict(rendering=configs.RenderingConfig(depth_resolution=1, depth_resolution_importance=0)),
            "or 2..256 without",
        ),
        (
            dict(rendering=configs.RenderingConfig(depth_resolution_importance=300)),
            "depth_resolution_importance 0..256",
        ),
        (dict(rendering=configs.RenderingConfig(box_warp=0.0)), "box_warp must be positive"),
        (dict(rendering=configs.RenderingConfig(depth_resolution="many")), "depth_resolution must be int, got 'many'"),
        (dict(rendering=configs.RenderingConfig(avg_camera_pivot=(1, 2))), "avg_camera_pivot must be three numbers"),
        (dict(plane_resolution=100), "plane_resolution must be one of 8, 16"),
        (dict(texture_resolution=4096), "texture_resolution must be one of 8, 16"),
        (dict(rendering=configs.RenderingConfig(depth_clamp="none")), "depth_clamp must be batch or image"),
    ],
)
def test_configurations_that_make_no_model(changes, message):
    with pytest.raises(fr.ForgeError, match=message):
        next3d.Next3D(narrow(**changes))
