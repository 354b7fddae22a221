"""Generators as bundles: graphs against their definitions, what the bundle says, `forge-rt export`, and what must leave nothing behind."""

from __future__ import annotations

import json
import subprocess

import forge_rt as fr
import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="exporting needs the extra 'export' (torch)")
pytest.importorskip("onnxruntime", reason="graphs are compared through ONNX Runtime")

import generator_bundle as gb  # noqa: E402
import official_pickle as official  # noqa: E402
from data_sets import command as cli_command  # noqa: E402
from data_sets import tmpfs  # noqa: E402
from forge_rt import bundles  # noqa: E402
from forge_rt.cli.main import app  # noqa: E402
from forge_rt.export.errors import ExportError  # noqa: E402
from forge_rt.export.generators import World, bundle, proof, stages, topology, write_generator_bundle  # noqa: E402
from forge_rt.export.models import next3d  # noqa: E402
from forge_rt.export.models.next3d import config as configs  # noqa: E402
from forge_rt.export.models.next3d.views import UvMesh  # noqa: E402
from forge_rt.topology import topology_sha256  # noqa: E402

STAGES = ["mapping", "texture", "static", "mouth", "blend", "super_resolution"]


def randomized(model):
    """Weights that leave no term out: noise, biases, averages."""
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if "resample_filter" in name or not tensor.is_floating_point() or "plane_axes" in name:
                continue
            if name.endswith("affine.bias"):
                tensor.fill_(1)
            elif name.endswith(("bias", "noise_strength")):
                tensor.copy_(0.2 * torch.randn(tensor.shape, generator=g))
            else:
                scale = 100 if ".mapping.fc" in name else 1
                tensor.copy_(scale * torch.randn(tensor.shape, generator=g))
    return model.eval()


def narrow(**changes):
    values = dict(
        z_dim=24, w_dim=32, channel_base=1024, channel_max=16, plane_resolution=64, plane_channels=8, texture_resolution=32,
        texture_channels=8, mouth=configs.StyleUNetConfig(64, 32, 8), blending=configs.StyleUNetConfig(64, 64, 16), decoder_hidden=16,
        feature_channels=8, superresolution="2X", sr_channels=(8, 8), neural_rendering_resolution=16, topology=configs.Topology(4, 5, 0),
        rendering=configs.RenderingConfig(depth_resolution=6, depth_resolution_importance=6, c_scale=1.0),
    )  # fmt: skip
    return configs.Next3DConfig(**{**values, **changes})


def mesh():
    return UvMesh(
        np.array([[0, 1, 2], [2, 1, 3], [0, 3, 4], [1, 0, 4]], np.int32), np.zeros((4, 3), np.int32),
        np.zeros((5, 2), np.float32), np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4),
    )  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return randomized(next3d.Next3D(narrow()))


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundles") / "narrow.forge"
    proof_ = write_generator_bundle(
        model, path, mesh=mesh(), head=topology.HeadReference.of("flame", mesh().faces), world=World(2.0, (0, 0.1, 0.2)),
        bounds=[[-0.3, -0.2, -0.3], [0.3, 0.4, 0.3]], psi=0.5,
    )  # fmt: skip
    return path, proof_


def test_a_bundle_holds_what_the_engine_reads(model, written):
    path, proof_ = written
    held = bundles.info(path)
    assert held.family == "next3d" and held.name == "narrow"
    generator = held.manifest["generator"]
    assert configs.Next3DConfig.from_json(generator["config"]) == model.config
    assert generator["sizes"] == {"num_ws": 18, "static_ws": 10, "super_resolution_input": 64, "image": 128}
    assert (generator["psi"], generator["cutoff"], generator["conditioning"]) == (0.5, 10, "frontal")
    assert generator["world"] == {"scale": 2.0, "shift": [0, 0.1, 0.2]} and generator["alignment"] is None
    assert generator["head"] == {"family": "flame", "vertices": 5, "sha256": topology_sha256(mesh().faces)}
    assert np.shape(generator["bounds"]) == (2, 3)
    assert held.manifest["variants"] == {
        "fp32": {"weights": "float32", "stages": {name: {"file": f"{name}.onnx"} for name in STAGES}}
    }
    assert held.manifest["export"]["graphs"].keys() == {f"{name}.onnx" for name in STAGES}
    assert proof_["end_to_end"]["image"]["max_abs"] <= proof_["end_to_end"]["image"]["max_abs_bar"]
    arrays = {k: v.numpy() for k, v in bundles.Bundle.open(path).tensors(held.manifest["arrays"]["file"]).items()}
    assert np.array_equal(arrays["decoder.net.2.weight"], model.decoder.net[2].weight.detach())
    assert np.array_equal(arrays["w_avg"], model.backbone.mapping.w_avg)
    assert np.array_equal(arrays["plane_axes"], configs.NEXT3D_AXES)
    for name, value in (("faces", mesh().faces), ("uvfaces", mesh().uvfaces), ("uv_face_mask", mesh().uv_mask)):
        assert np.array_equal(arrays[name], value), name


def test_a_bundle_can_be_verified_anywhere(written, tmp_path):
    result = bundles.verify(written[0])
    assert result.passed and {name for name, _, _ in result.errors} >= {
        "fp32/mapping/ws",
        "fp32/super_resolution/image",
    }
    assert len(result.errors) == len(STAGES)


def test_graphs_are_opset_20_in_one_file_with_a_free_batch(written):
    import onnx

    for name in STAGES:
        graph = onnx.load(written[0] / f"{name}.onnx")
        assert [(o.domain, o.version) for o in graph.opset_import] == [("", 20)]
        assert not any(t.data_location for t in graph.graph.initializer)
        for port in (*graph.graph.input, *graph.graph.output):
            assert port.type.tensor_type.shape.dim[0].dim_param == "n"
    ports = {p.name: list(p.shape) for p in fr.Session(written[0] / "mouth.onnx").inputs}
    assert ports == {"crop": [-1, 8, 32, 32], "ws": [-1, 10, 32]}


def test_a_batch_is_its_members(written, model):
    session = fr.Session(written[0] / "blend.onnx", threads=1)
    given = proof.normal_inputs(session, 3)
    together = session.run(given)["front"].numpy()
    for i in range(3):
        alone = session.run({k: np.ascontiguousarray(v[i : i + 1]) for k, v in given.items()})["front"].numpy()
        np.testing.assert_allclose(alone[0], together[i], rtol=0, atol=1e-5 * np.abs(together).max())


def test_decoder_multipliers_are_in_the_weights(model, tmp_path):
    settings = configs.RenderingConfig(depth_resolution=6, depth_resolution_importance=6, decoder_lr_mul=0.5)
    other = randomized(next3d.Next3D(narrow(rendering=settings)))
    arrays = bundle._arrays(other, mesh())
    layer = other.decoder.net[0]
    assert np.array_equal(arrays["decoder.net.0.weight"], (layer.weight * 0.5).detach())
    assert np.array_equal(arrays["decoder.net.0.bias"], (layer.bias * 0.5).detach())


@pytest.mark.parametrize(
    "changes",
    [
        dict(blend_planes="all"),
        dict(superresolution="4X", neural_rendering_resolution=128),
        dict(superresolution="4X", neural_rendering_resolution=136),
        dict(superresolution="8X"),
        dict(superresolution="8XDC", sr_conv_clamp=0.5, conv_clamp=0.4),
        dict(rendering=configs.RenderingConfig(
            depth_resolution=4, depth_resolution_importance=0, superresolution_noise_mode="const", c_gen_conditioning_zero=True,
        )),
    ],
)  # fmt: skip
def test_every_choice_of_a_configuration_is_exported(changes, tmp_path):
    """The proof is made by the writer; what it compares is checked by `test_a_graph_that_deviates`."""
    model = randomized(next3d.Next3D(narrow(**changes)))
    write_generator_bundle(model, tmp_path / "other.forge", mesh=mesh())


def test_half_floats_are_stored_and_float32_is_computed(model, written, tmp_path):
    path = tmp_path / "half.forge"
    rows = write_generator_bundle(model, path, mesh=mesh(), precision="fp16")
    assert bundles.info(path).manifest["variants"]["fp32"]["weights"] == "float16"
    assert bundles.info(path).bytes < 0.7 * bundles.info(written[0]).bytes
    assert rows["graphs"]["static.onnx"]["outputs"]["planes"]["max_abs"] < 1e-4


def test_texture_coordinates_are_not_rounded():
    """They are in no graph, and half floats would move them by a tenth of a texel."""
    model = next3d.Next3D(narrow(topology=configs.Topology(4, 2000, 0)))
    model.uvcoords.copy_(torch.linspace(-1, 1, 6000).reshape(1, 2000, 3))
    made = bundle.rounded(model)
    assert torch.equal(made.uvcoords, model.uvcoords)
    weight = "neural_blending.synthesis.b64.conv1.weight"
    assert torch.equal(made.get_parameter(weight), model.get_parameter(weight).half().float())


def test_the_same_model_gives_the_same_bytes(model, written, tmp_path):
    path = tmp_path / "narrow.forge"
    write_generator_bundle(model, path, mesh=mesh())
    for name in STAGES:
        assert (path / f"{name}.onnx").read_bytes() == (written[0] / f"{name}.onnx").read_bytes(), name


def test_eg3d_has_three_stages(tmp_path):
    config = configs.EG3DConfig(
        z_dim=8, w_dim=16, channel_base=256, channel_max=8, plane_resolution=32, plane_channels=8, superresolution="2X", sr_channels=(4, 4),
        feature_channels=4, decoder_hidden=8, neural_rendering_resolution=8, rendering=configs.RenderingConfig(depth_resolution=4),
    )  # fmt: skip
    write_generator_bundle(randomized(next3d.EG3D(config)), tmp_path / "eg3d.forge")
    held = bundles.info(tmp_path / "eg3d.forge")
    assert held.family == "eg3d" and held.manifest["generator"]["head"] is None
    assert list(held.manifest["variants"]["fp32"]["stages"]) == ["mapping", "static", "super_resolution"]


@pytest.mark.parametrize(
    "changes, message",
    [(dict(plane_channels=12, texture_channels=12), "plane_channels must be 8, 16, …, 64"),
     (dict(decoder_hidden=136), "decoder_hidden must be 8, 16, …, 128"), (dict(feature_channels=72), "at most 64 feature_channels")],
)  # fmt: skip
def test_sizes_that_no_engine_would_load(changes, message, tmp_path):
    with pytest.raises(fr.UnsupportedError, match=message):
        write_generator_bundle(next3d.Next3D(narrow(**changes)), tmp_path / "x.forge", mesh=mesh())
    assert not list(tmp_path.iterdir())


def test_random_noise_cannot_be_exported(tmp_path):
    settings = configs.RenderingConfig(superresolution_noise_mode="random")
    with pytest.raises(fr.UnsupportedError, match="must be none or const in an exported model, got 'random'"):
        write_generator_bundle(next3d.Next3D(narrow(rendering=settings)), tmp_path / "x.forge", mesh=mesh())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("inside, outside, size", [(128, 144, 32), (130, 128, 36)])
def test_short_convolutions_are_convolutions(inside, outside, size, tmp_path):
    from forge_rt.export.generators import short
    from forge_rt.export.generators.graph import Graph

    assert (
        short.pays(inside, outside, size) and not short.pays(inside, 64, size) and not short.pays(inside, outside, 16)
    )
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, inside, size, size)).astype(np.float32)
    weight = rng.standard_normal((outside, inside, 3, 3)).astype(np.float32) / np.float32(3 * inside**0.5)
    g = Graph("short")
    y = short.convolution(g, g.input("x", x.shape[1:]), g.weight("weight", weight), inside, outside, size)
    path = tmp_path / "short.onnx"
    path.write_bytes(g.model({"y": (y, [outside, size, size])}).SerializeToString())
    got = fr.Session(path, threads=1).run({"x": x})["y"].numpy()
    exact, plain = (
        torch.nn.functional.conv2d(*(torch.from_numpy(v).to(kind) for v in (x, weight)), padding=1).numpy()
        for kind in (torch.float64, torch.float32)
    )
    assert np.abs(got - exact).max() < 4 * np.abs(plain - exact).max()  # measured: 1.7


def test_wide_networks_take_the_short_form(tmp_path):
    config = configs.EG3DConfig(
        z_dim=8, w_dim=16, channel_base=8192, channel_max=128, plane_resolution=64, plane_channels=8, superresolution="2X",
        sr_channels=(128, 128), feature_channels=4, decoder_hidden=8, neural_rendering_resolution=8,
        rendering=configs.RenderingConfig(depth_resolution=4),
    )  # fmt: skip
    model = randomized(next3d.EG3D(config))
    kinds = {node.op_type for node in stages.stages(model)[1].build().graph.node}
    assert "Split" in kinds
    write_generator_bundle(model, tmp_path / "wide.forge")


# ---- nothing half-written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["blend", "super_resolution"])
def test_a_graph_that_deviates_is_not_written(model, tmp_path, monkeypatch, stage):
    made = stages.stages

    def changed(model):
        found = made(model)
        at = STAGES.index(stage)
        other = next3d.Next3D(narrow())
        other.load_state_dict(model.state_dict())
        with torch.no_grad():
            other.get_parameter(
                {"blend": "neural_blending.synthesis.b64.conv1.bias"}.get(stage, "superresolution.block1.torgb.bias")
            )[0] += 1e-2
        found[at] = stages.Stage(stage, found[at].module, made(other)[at].build)
        return found

    monkeypatch.setattr(bundle, "stages", changed)
    with pytest.raises(ExportError, match=f"{stage}.onnx is not what it was exported from: "):
        write_generator_bundle(model, tmp_path / "x.forge", mesh=mesh())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("seed", [2, 4])
def test_steep_densities_are_exported(tmp_path, seed, precision):
    """Where a head is opaque within a texel, the last bit of a plane moves single rays by 1e-3: that is no other graph."""
    wide = dict(
        w_dim=64, z_dim=64, channel_base=2048, channel_max=64, plane_resolution=64, plane_channels=16, texture_resolution=64,
        texture_channels=16, mouth=configs.StyleUNetConfig(32, 16, 4), blending=configs.StyleUNetConfig(64, 64, 8), sr_channels=(32, 16),
        decoder_hidden=32, feature_channels=16, neural_rendering_resolution=32, topology=None,
        rendering=configs.RenderingConfig(depth_resolution=24, depth_resolution_importance=24, c_scale=1.0),
    )  # fmt: skip
    model = gb.tiny(seed, **wide)
    with torch.no_grad():
        model.decoder.net[2].weight[0] *= 2000
    rows = write_generator_bundle(model, tmp_path / "steep.forge", mesh=mesh(), precision=precision)["end_to_end"]
    assert 20 * rows["features"]["mean_abs"] < 2e-4  # the largest is 1e-3 where kernels round so
    for name in ("planes", "image"):
        assert rows[name]["max_abs"] < 0.2 * rows[name]["max_abs_bar"]


@pytest.mark.parametrize("stage", STAGES)
def test_another_graph_is_found_end_to_end(model, tmp_path, stage):
    """One input of one layer weighs more; the comparison of single stages is left out here."""
    other = next3d.Next3D(narrow())
    other.load_state_dict(model.state_dict())
    net = {"mapping": "backbone.mapping.fc0", "super_resolution": "superresolution.block0.conv0", "mouth": "mouth_backbone.synthesis.b16.conv0",
           "blend": "neural_blending.synthesis.b32.conv0", "static": "backbone.synthesis.b8.conv0",
           "texture": "texture_backbone.synthesis.b8.conv0"}[stage]  # fmt: skip
    with torch.no_grad():
        other.get_parameter(f"{net}.weight")[:, 0] *= 1.5
    paths = {}
    for own, changed in zip(stages.stages(model), stages.stages(other), strict=True):
        paths[own.name] = tmp_path / own.file
        paths[own.name].write_bytes((changed if own.name == stage else own).build().SerializeToString())
    with pytest.raises(
        ExportError, match=r"the exported model is not what it was exported from: (planes|image) differs by "
    ):
        proof.prove_model(model, paths)


def test_an_interrupted_export_leaves_what_was_there(model, written, tmp_path, monkeypatch):
    path = tmp_path / "x.forge"
    write_generator_bundle(model, path, mesh=mesh())
    before = bundles.info(path).hash

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bundle.bundles, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_generator_bundle(model, path, mesh=mesh(), psi=0.9)
    assert [p.name for p in tmp_path.iterdir()] == ["x.forge"] and bundles.info(path).hash == before


def test_a_bundle_is_replaced_only_by_a_whole_one(tmp_path):
    path, ready = tmp_path / "x.forge", tmp_path / "work" / "bundle"
    for folder, text in ((path, "old"), (ready, "new")):
        folder.mkdir(parents=True)
        (folder / bundles.MANIFEST).write_text(text)
    with pytest.raises(OSError):
        bundle.replace(path, tmp_path / "work" / "missing", aside=tmp_path / "work" / "replaced")
    assert (path / bundles.MANIFEST).read_text() == "old"
    bundle.replace(path, ready, aside=tmp_path / "work" / "replaced")
    assert (path / bundles.MANIFEST).read_text() == "new"


def test_worlds_follow_the_configuration():
    published = fr.camera.SYNTHFORGE_WORLD
    for config in (configs.Next3DConfig(), configs.EG3DConfig()):
        made = World.of_config(config)
        assert made.scale == published["scale"] and made.shift == pytest.approx(published["shift"], abs=1e-12)
    made = World.of_config(narrow(orth_scale=8.0, orth_shift=(0.1, 0.0, -0.05)), [[1, 0, 0, 0]] * 3)
    assert made.scale == 4 and made.shift == pytest.approx([0.4, 0, -0.2 + 2**0.5 / 10])
    assert made.alignment == [[1, 0, 0, 0]] * 3
    # next3d-mini's box: 0.7 units
    small = configs.RenderingConfig(box_warp=0.7)
    assert World.of_config(narrow(orth_scale=5 / 0.7, rendering=small)).scale == pytest.approx(2.5)


def test_targets_that_are_refused(model, tmp_path):
    (tmp_path / "x.forge").mkdir()
    for path, options, message in (
        (tmp_path / "x.forge", {}, "exists and is no bundle"),
        (tmp_path / "x", {}, r"name ends in \.forge"),
        (tmp_path / "y.forge", dict(precision="int8"), "precision must be one of fp32, fp16"),
        (tmp_path / "y.forge", dict(conditioning="side"), "conditioning must be one of"),
        (tmp_path / "y.forge", dict(psi=float("nan")), r"psi must be -100\.\.100, got nan"),
        (tmp_path / "y.forge", dict(psi=101), r"psi must be -100\.\.100, got 101"),
        (tmp_path / "y.forge", dict(cutoff=-1), r"cutoff must be 0\.\.65536, got -1"),
        (tmp_path / "y.forge", dict(cutoff=19), "cutoff must be at most the model's 18 styles, got 19"),
    ):
        with pytest.raises(fr.InvalidArgumentError, match=message):
            write_generator_bundle(model, path, mesh=mesh(), **options)
    with pytest.raises(fr.InvalidArgumentError, match="give them as mesh"):
        write_generator_bundle(next3d.Next3D(narrow(topology=None)), tmp_path / "y.forge")
    assert [p.name for p in tmp_path.iterdir()] == ["x.forge"]


# ---- heads ----------------------------------------------------------------------------------------------------------


def test_topologies_are_told_apart_in_any_order():
    faces = mesh().faces
    turned = np.roll(faces, 1, axis=1)[::-1]
    assert topology_sha256(turned) == topology_sha256(faces)
    assert topology_sha256(faces[:, ::-1]) != topology_sha256(faces)
    assert topology.HeadReference.of("flame", faces, 9).vertices == 9


# ---- the command ----------------------------------------------------------------------------------------------------

ATTRIBUTES = dict(
    rendering_kwargs=official.EasyDict(
        depth_resolution=6, depth_resolution_importance=6, c_scale=1, avg_camera_pivot=[0, 0, 0.2],
        superresolution_module="training.superresolution.SuperresolutionHybrid8XDC",
    ),
    neural_rendering_resolution=32,
    _init_kwargs=official.EasyDict(sr_num_fp16_res=4),
    uv_face_mask=torch.linspace(0, 1, 64).reshape(1, 1, 8, 8),
    orth_scale=torch.tensor([[5.0]]),
    orth_shift=torch.tensor([[0, -0.01, -0.01]]),
)  # fmt: skip
BUFFERS = ("noise_const", "resample_filter", "w_avg", "uvcoords")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A narrow official file, and what it holds."""
    config = configs.Next3DConfig(
        z_dim=16, w_dim=24, channel_base=512, channel_max=8, plane_channels=8, texture_channels=4, texture_resolution=32, decoder_hidden=8,
        feature_channels=4, sr_channels=(6, 4), topology=configs.Topology(4, 5, 7), rendering=configs.RenderingConfig(c_scale=1.0),
    )  # fmt: skip
    model = randomized(next3d.Next3D(config, dead_weights=True))
    with torch.no_grad():
        model.faces.copy_(torch.from_numpy(mesh().faces)[None])
    folder = tmp_path_factory.mktemp("checkpoints")
    tree = official.network(dict(model.state_dict()), buffers=BUFFERS, **ATTRIBUTES)
    return official.save(folder / "narrow.pkl", tree), model


def command(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


@pytest.mark.parametrize("name", ["export", "train"])
def test_help_names_the_extra(name):
    """Brackets would be markup to what prints it."""
    result = CliRunner().invoke(app, [name, "--help"])
    assert "forge-rt[cpu,export]" in result.output.replace("\n", "").replace(" ", "")


def test_an_official_file_is_exported(checkpoint, tmp_path):
    path, _ = checkpoint
    out = tmp_path / "own.forge"
    result = command("next3d", path, "--out", out, "--conditioning", "view", "--psi", 0.6)
    assert result.exit_code == 0, result.output
    assert result.output.count("max  error") == len(STAGES) + 2 and result.output.count("mean error") == 1
    assert "own.forge: use it" in result.output
    assert "narrow.pkl: next3d, 45,379 parameters, pictures of 512²; weights stored as fp32" in result.output
    manifest = bundles.info(out).manifest
    generator = manifest["generator"]
    assert (generator["conditioning"], generator["psi"], generator["cutoff"]) == ("view", 0.6, 14)
    assert generator["config"]["rendering"]["depth_resolution"] == 6 and generator["config"]["blend_planes"] == "front"
    assert generator["world"]["shift"] == pytest.approx([0, -0.025, -0.025 + 0.1414213])
    assert generator["head"] == {"family": "flame", "vertices": 5, "sha256": topology_sha256(mesh().faces)}
    assert len(manifest["provenance"]["checkpoint_sha256"]) == 64 and str(tmp_path) not in json.dumps(manifest)
    arrays = bundles.Bundle.open(out).tensors("generator.safetensors")
    np.testing.assert_array_equal(arrays["uv_face_mask"].numpy(), ATTRIBUTES["uv_face_mask"][0, 0])


@pytest.mark.parametrize("known", [True, False])
def test_a_configuration_of_few_words(checkpoint, tmp_path, known):
    """Sizes are those of the weights, other options those of the file, or the published ones."""
    from forge_rt.export.generators import convert
    from forge_rt.export.readers.stylegan_pickle import read_checkpoint

    path, model = checkpoint
    if not known:
        path = tmp_path / "own.pt"
        torch.save(model.state_dict(), path)
    (tmp_path / "own.json").write_text('{"neural_rendering_resolution": 32, "rendering": {"white_back": true}}')
    options = convert.Options(config=tmp_path / "own.json", blend_planes="front")
    made = convert._config("next3d", read_checkpoint(path), options, path)
    assert made.rendering.white_back and made.neural_rendering_resolution == 32
    assert made.rendering.depth_resolution == (6 if known else 48)
    assert (made.z_dim, made.channel_max, made.topology.faces) == (model.config.z_dim, model.config.channel_max, 4)
    next3d.make_model(read_checkpoint(path), made)


def test_masks_of_other_sizes_keep_their_pixels(tmp_path):
    import cv2
    from forge_rt.export.generators import convert

    picture = np.random.default_rng(0).integers(0, 256, (100, 77), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "mask.png"), picture)
    want = torch.nn.functional.interpolate(torch.from_numpy(picture).float()[None, None], [64, 64])[0, 0] / 255
    np.testing.assert_array_equal(convert._read_mask(tmp_path / "mask.png", 64), want)


def flame_file(path, faces=None):
    """A FLAME-format model of five vertices."""
    rng = np.random.default_rng(0)
    np.savez(
        path, v_template=rng.random((5, 3)), faces=mesh().faces if faces is None else faces, shapedirs=rng.random((5, 3, 4)), n_shape=3,
        posedirs=np.zeros((5, 3, 36)), J_regressor=np.full((5, 5), 0.2), weights=np.full((5, 5), 0.2), parents=[-1, 0, 1, 1, 1],
    )  # fmt: skip
    return path


def test_a_state_dict_with_configuration_mask_and_flame(checkpoint, tmp_path):
    import cv2

    _, model = checkpoint
    torch.save(model.state_dict(), tmp_path / "own.pt")
    raw = model.config.to_json()
    raw["rendering"].update(depth_resolution=5, depth_resolution_importance=4)
    (tmp_path / "own.json").write_text(json.dumps(raw))
    cv2.imwrite(str(tmp_path / "mask.png"), np.arange(16, dtype=np.uint8).reshape(4, 4))
    embedding = {
        "static_lmk_faces_idx": np.zeros(51, np.int64), "static_lmk_bary_coords": np.full((51, 3), 1 / 3),
        "dynamic_lmk_faces_idx": np.zeros((79, 17), np.int64), "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3),
    }  # fmt: skip
    np.save(tmp_path / "landmarks.npy", embedding, allow_pickle=True)
    result = command(
        "next3d", tmp_path / "own.pt", "--out", tmp_path / "own.forge", "--config", tmp_path / "own.json", "--uv-mask", tmp_path / "mask.png",
        "--flame", flame_file(tmp_path / "flame.npz", np.roll(mesh().faces, 1, 1)), "--landmarks", tmp_path / "landmarks.npy",
        "--precision", "fp16",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    generator = bundles.info(tmp_path / "own.forge").manifest["generator"]
    assert generator["config"]["rendering"]["depth_resolution"] == 5
    mask = bundles.Bundle.open(tmp_path / "own.forge").tensors("generator.safetensors")["uv_face_mask"].numpy()
    np.testing.assert_allclose(mask, np.arange(16).reshape(4, 4).repeat(8, 0).repeat(8, 1) / 255, atol=1e-7)
    head = fr.Head.load(tmp_path / "own-head.forge")
    assert (head.n_vertices, head.n_shape, head.n_expression) == (5, 3, 1)
    assert head.evaluate().landmarks.shape == (1, 68, 3)
    assert topology_sha256(head.faces) == generator["head"]["sha256"]


def test_a_full_disk_leaves_neither_bundle_nor_head(checkpoint, tmp_path):
    path, _ = checkpoint
    flame = flame_file(tmp_path / "flame.npz")
    for size in ("300k", "1500k"):
        with tmpfs(tmp_path / "small", size) as folder:
            result = command("next3d", path, "--out", folder / "own.forge", "--flame", flame)
            assert isinstance(result.exception, fr.ForgeError), result.exception
            assert "No space left" in str(result.exception)
            assert not list(folder.iterdir())


def test_a_killed_export_leaves_nothing(checkpoint, tmp_path):
    """Polite kills, as those of batch systems."""
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = (
        "export",
        "next3d",
        checkpoint[0],
        "--out",
        folder / "own.forge",
        "--flame",
        flame_file(tmp_path / "f.npz"),
    )
    with subprocess.Popen(cli_command(*arguments), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("mapping.onnx"):
            assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 143
    assert not list(folder.iterdir())


def test_a_folder_that_is_no_head_is_left_alone(checkpoint, tmp_path):
    (tmp_path / "own-head.forge").mkdir()
    (tmp_path / "own-head.forge/mine.txt").write_text("mine")
    result = command(
        "next3d", checkpoint[0], "--out", tmp_path / "own.forge", "--flame", flame_file(tmp_path / "f.npz")
    )
    assert "exists and is no bundle; move it away" in str(result.exception)
    assert (tmp_path / "own-head.forge/mine.txt").read_text() == "mine" and not (tmp_path / "own.forge").exists()


def test_files_that_do_not_fit(checkpoint, tmp_path):
    path, model = checkpoint
    out = tmp_path / "out"
    out.mkdir()
    damaged = tmp_path / "damaged.pkl"
    damaged.write_bytes(path.read_bytes()[:5000])
    torch.save({k: v for k, v in model.state_dict().items() if "mouth" not in k}, tmp_path / "part.pt")
    torch.save(model.state_dict(), tmp_path / "whole.pt")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "text.png").write_text("no picture")
    other = flame_file(tmp_path / "other.npz", mesh().faces[:, ::-1])
    for arguments, kind, message in (
        (["next3d", damaged], fr.CorruptFileError, "damaged.pkl"),
        (["next3d", tmp_path / "none.pkl"], fr.NotFoundError, "no file"),
        (["next3d", tmp_path / "part.pt"], fr.ForgeError, "mouth_backbone"),
        (["next3d", tmp_path / "whole.pt"], fr.InvalidArgumentError, "give its picture with --uv-mask"),
        (["eg3d", path], fr.InvalidArgumentError, "use forge-rt export next3d"),
        (["stylegan", path], fr.InvalidArgumentError, "the kind must be one of next3d, eg3d"),
        (["next3d", path, "--config", tmp_path / "bad.json"], fr.CorruptFileError, "bad.json is no JSON"),
        (["next3d", path, "--uv-mask", tmp_path / "text.png"], fr.CorruptFileError, "no picture that can be read"),
        (["next3d", path, "--flame", other], fr.InvalidArgumentError, "was made for a head of 5 vertices and 4 triangles"),
        (["next3d", path, "--landmarks", path], fr.InvalidArgumentError, "--landmarks goes with --flame"),
        (["eg3d", path, "--flame", other], fr.InvalidArgumentError, "EG3D has no head: leave out --flame"),
        (["next3d", path, "--network", "G"], fr.UnsupportedError, "has no network G"),
        (["next3d", tmp_path / "none.pkl", "--blend-planes", "side"], fr.InvalidArgumentError, "blend_planes must be front or all"),
    ):  # fmt: skip
        result = command(*arguments, "--out", out / "x.forge")
        assert isinstance(result.exception, kind), (arguments, result.exception, result.output)
        assert message in str(result.exception), result.exception
        assert not list(out.iterdir())
