"""Export: graphs that compute what the module computes, and errors with numbers where they do not."""

from __future__ import annotations

import json

import forge_rt as fr
import forge_rt.bundles
import forge_rt.golden
import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from forge_rt.export.errors import ExportError  # noqa: E402
from forge_rt.export.graphs import export_onnx, layers_of, quantize_int8, to_fp16  # noqa: E402
from forge_rt.export.graphs.write import fold_batch_norms, round_weights  # noqa: E402
from forge_rt.export.verify import compare, record, tensorrt_11  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as nnf  # noqa: E402

OUTPUTS = ["logits", "landmarks", "depth"]
COLUMNS = {"landmarks": ["x", "y", "visible"]}


class Block(nn.Module):
    def __init__(self, a: int, b: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
        self.conv2, self.bn2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
        self.skip = (
            nn.Identity()
            if a == b and stride == 1
            else nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))
        )

    def forward(self, x):
        y = nnf.relu(self.bn1(self.conv1(x)))
        return nnf.relu(self.bn2(self.conv2(y)) + self.skip(x))


class ToyFaces(nn.Module):
    """A face network in small: residual blocks, nearest upsampling, concatenated skips, three heads, coordinates by soft-argmax."""

    def __init__(self, width: int = 8, points: int = 5, classes: int = 4) -> None:
        super().__init__()
        w = width
        self.stem = nn.Sequential(nn.Conv2d(3, w, 3, 2, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU())
        self.down1, self.down2, self.down3 = Block(w, 2 * w, 2), Block(2 * w, 4 * w, 2), Block(4 * w, 4 * w, 2)
        self.up2, self.up1 = Block(8 * w, 4 * w), Block(6 * w, 2 * w)
        self.logits, self.depth = nn.Conv2d(2 * w, classes, 1), nn.Conv2d(2 * w, 1, 1)
        self.heat, self.visible = nn.Conv2d(2 * w, points, 1), nn.Linear(4 * w, points)

    def forward(self, image):
        a = self.down1(self.stem(image))
        b = self.down2(a)
        c = self.down3(b)
        y = self.up2(torch.cat([nnf.interpolate(c, scale_factor=2.0, mode="nearest"), b], 1))
        y = self.up1(torch.cat([nnf.interpolate(y, scale_factor=2.0, mode="nearest"), a], 1))
        heat = self.heat(y)
        n, k, h, w = heat.shape
        p = torch.softmax(heat.reshape(n, k, h * w), -1).reshape(n, k, h, w)
        x = (p.sum(2) * ((torch.arange(w) + 0.5) / w)).sum(-1)
        z = (p.sum(3) * ((torch.arange(h) + 0.5) / h)).sum(-1)
        return self.logits(y), torch.stack([x, z, self.visible(c.mean((2, 3)))], -1), self.depth(y)


def toy(seed: int = 0, **options) -> nn.Module:
    """Random weights, and batch norms that have seen something."""
    torch.manual_seed(seed)
    module = ToyFaces(**options)
    module.train()
    with torch.no_grad():
        for _ in range(3):
            module(torch.rand(4, 3, 64, 64) * 2 - 1)
    return module.eval()


@pytest.fixture(scope="module")
def module():
    return toy()


@pytest.fixture(scope="module")
def exported(module, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "faces.onnx"
    return path, export_onnx(module, [torch.zeros(1, 3, 64, 64)], path, ["image"], OUTPUTS)


def batches(n: int, size: int = 64) -> list[dict[str, np.ndarray]]:
    return [{"image": 2 * fr.random_uniform([2, 3, size, size], 3, i, "calibration").numpy() - 1} for i in range(n)]


def test_the_graph_is_plain_and_batched(exported):
    path, model = exported
    assert [(e.domain, e.version) for e in model.opset_import] == [("", 20)]
    assert not any(node.domain for node in model.graph.node)
    operators = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in operators and "Shape" not in operators
    session = fr.Session(path)
    assert [p.name for p in session.inputs] == ["image"] and [p.name for p in session.outputs] == OUTPUTS
    assert list(session.inputs[0].shape)[1:] == [3, 64, 64] and session.inputs[0].shape[0] < 1
    assert b"/torch/" not in path.read_bytes() and b".py" not in path.read_bytes()


def test_bytes_are_a_function_of_the_module(exported, module, tmp_path):
    export_onnx(module, [torch.zeros(2, 3, 64, 64)], tmp_path / "again.onnx", ["image"], OUTPUTS)
    assert (tmp_path / "again.onnx").read_bytes() == exported[0].read_bytes()


def test_folding_batch_norms_leaves_the_module_alone(module):
    import copy

    folded = fold_batch_norms(copy.deepcopy(module))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in module.modules())
    x = torch.rand(2, 3, 64, 64)
    for a, b in zip(folded(x), module(x), strict=True):
        assert (a - b).abs().max() < 1e-5


def test_the_graph_equals_the_module(exported, module):
    row = compare(module, exported[0])
    assert set(row["outputs"]) == set(OUTPUTS) and row["opset"] == 20 and row["batches"] == [1, 3]
    assert all(r["max_abs"] <= 1e-4 and r["share_above_0.001"] == 0 for r in row["outputs"].values())
    assert row["tensorrt_11"]["typed"], row["tensorrt_11"]["why"]
    document = record([row])
    assert json.loads(json.dumps(document)) == document and document["graphs"]["faces.onnx"]["sha256"] == row["sha256"]
    assert document["versions"]["torch"].startswith("2.")


def test_another_module_is_an_error_with_numbers(exported):
    with pytest.raises(
        ExportError, match=r"faces\.onnx is not what it was exported from: max_abs of logits \S+ > 0\.0001"
    ):
        compare(toy(seed=1), exported[0])
    with pytest.raises(fr.ForgeError):
        compare(toy(seed=1), exported[0])


def test_half_storage_halves_the_file_and_computes_in_float(exported, module, tmp_path):
    import copy

    rounded = round_weights(copy.deepcopy(module))
    export_onnx(rounded, [torch.zeros(2, 3, 64, 64)], tmp_path / "half.onnx", ["image"], OUTPUTS, store="fp16")
    assert (tmp_path / "half.onnx").stat().st_size < 0.62 * exported[0].stat().st_size
    row = compare(rounded, tmp_path / "half.onnx")
    assert row["tensorrt_11"]["typed"]
    loose = compare(module, tmp_path / "half.onnx", max_abs=0.05)
    assert loose["outputs"]["logits"]["max_abs"] > 5 * row["outputs"]["logits"]["max_abs"]


def test_half_graph(exported, tmp_path):
    model = to_fp16(exported[0], tmp_path / "faces.fp16.onnx", keep=["landmarks"])
    kinds = {t.data_type for t in model.graph.initializer if len(t.dims) == 4}
    assert onnx.TensorProto.FLOAT16 in kinds
    session = fr.Session(tmp_path / "faces.fp16.onnx")
    assert {p.dtype for p in (*session.inputs, *session.outputs)} == {fr.Session(exported[0]).inputs[0].dtype}
    row = compare(exported[0], tmp_path / "faces.fp16.onnx", max_abs={"logits": 0.05, "landmarks": 0.01, "depth": 0.05})
    assert row["against"] == "faces.onnx" and row["outputs"]["logits"]["max_abs"] > 0
    assert row["tensorrt_11"]["typed"], row["tensorrt_11"]["why"]


def test_weights_beyond_half_floats_are_an_error(tmp_path):
    layer = nn.Conv2d(3, 4, 1)
    with torch.no_grad():
        layer.weight.fill_(1e6)
    export_onnx(layer, [torch.zeros(2, 3, 8, 8)], tmp_path / "big.onnx", ["image"], ["y"])
    with pytest.raises(ExportError, match="half floats end at 65504"):
        to_fp16(tmp_path / "big.onnx", tmp_path / "out.onnx")


def test_int8_for_the_cpu(exported, module, tmp_path):
    path = tmp_path / "faces.int8.onnx"
    model = quantize_int8(exported[0], path, batches(4), exclude=["landmarks"])
    weights = [
        onnx.numpy_helper.to_array(t)
        for t in model.graph.initializer
        if t.data_type == onnx.TensorProto.INT8 and len(t.dims) == 4
    ]
    assert weights and max(np.abs(w.astype(int)).max() for w in weights) <= 64, "7 bits, or AVX2 saturates"
    bars = {"logits": 0.1, "landmarks/xy": 0.01, "landmarks/visible": 0.1, "depth": 0.1}
    row = compare(exported[0], path, max_abs=None, mean_abs=bars, columns=COLUMNS)
    assert not row["tensorrt_11"]["typed"] and "uint8" in row["tensorrt_11"]["why"]
    assert row["outputs"]["landmarks/xy"]["mean_abs_bar"] == 0.01 and "landmarks" not in row["outputs"]
    again = quantize_int8(exported[0], tmp_path / "again.onnx", batches(4), exclude=["landmarks"])
    assert again == model


def test_a_shift_of_the_places_does_not_hide_behind_logits(exported, module):
    """A sixteenth of the crop is less than the visibility logits may differ by."""

    class Shifted(nn.Module):
        def forward(self, image):
            logits, landmarks, depth = module(image)
            return logits, landmarks + torch.tensor([1 / 16, 0.0, 0.0]), depth

    bars = {"landmarks": 0.1, "landmarks/xy": 0.01}
    compare(Shifted(), exported[0], max_abs=None, mean_abs=bars)
    with pytest.raises(ExportError, match=r"landmarks/xy 0\.03"):
        compare(Shifted(), exported[0], max_abs=None, mean_abs=bars, columns=COLUMNS)
    with pytest.raises(ExportError, match="no output 'points'"):
        compare(module, exported[0], columns={"points": ["x", "y"]})


def test_int8_for_tensorrt(exported, tmp_path):
    path = tmp_path / "faces.int8.onnx"
    quantize_int8(exported[0], path, batches(2), exclude=["landmarks", "depth"], target="tensorrt", method="percentile")
    row = compare(exported[0], path, max_abs=None, mean_abs=0.2)
    assert row["tensorrt_11"]["typed"], row["tensorrt_11"]["why"]
    assert "int8 pairs" in row["tensorrt_11"]["why"]


def test_layers_of_outputs_operators_and_nodes(exported):
    _, model = exported
    kept = layers_of(model, ["logits"])
    assert len(kept) == 1 and next(n for n in model.graph.node if n.name in kept).op_type == "Conv"
    deep = layers_of(model, ["landmarks"])
    operators = [n.op_type for n in model.graph.node if n.name in deep]
    assert "Softmax" in operators and operators.count("Conv") == 1
    assert len(layers_of(model, ["Softmax"])) == 1
    with pytest.raises(ExportError, match="'nose' is no output"):
        layers_of(model, ["nose"])


def test_free_heights_and_widths(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 3, 2, 1)).eval()
    free = {"image": {2: ("h", 32), 3: ("w", 32)}}
    export_onnx(net, [torch.zeros(2, 3, 64, 96)], tmp_path / "d.onnx", ["image"], ["score"], free_axes=free)
    compare(net, tmp_path / "d.onnx", [{"image": np.random.default_rng(0).random((1, 3, 128, 32), np.float32)}])


@pytest.mark.parametrize("what", ["fixed batch", "opset", "names"])
def test_what_cannot_be_exported_is_an_error(tmp_path, what):
    class Fixed(nn.Module):
        def forward(self, x):
            return x.reshape(2, -1) if what == "fixed batch" else nnf.gelu(x)

    if what == "opset":
        with pytest.raises(ExportError, match="opset"):
            export_onnx(Fixed(), [torch.zeros(2, 4)], tmp_path / "x.onnx", ["x"], ["y"], opset=12)
    elif what == "names":
        with pytest.raises(ExportError, match="names"):
            export_onnx(Fixed(), [torch.zeros(2, 4)], tmp_path / "x.onnx", ["x", "y"], ["y"])
    else:
        with pytest.raises(ExportError):
            export_onnx(Fixed(), [torch.zeros(2, 4)], tmp_path / "x.onnx", ["x"], ["y"])
    assert not list(tmp_path.iterdir())


def test_tensorrt_names_what_is_in_the_way():
    h = onnx.helper
    port = h.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 4])
    out = h.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4])
    graph = h.make_graph([h.make_node("Frobnicate", ["x"], ["y"], domain="acme")], "g", [port], [out])
    typed, why = tensorrt_11(h.make_model(graph, opset_imports=[h.make_opsetid("", 20), h.make_opsetid("acme", 1)]))
    assert not typed and "acme::Frobnicate" in why


@pytest.fixture(scope="module")
def bundle(exported, module, tmp_path_factory):
    """A bundle as a trainer makes it: faces in three variants, a detector inside, proof and golden sample."""
    folder = tmp_path_factory.mktemp("bundle")
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 8, 1), nn.ReLU(), nn.Conv2d(8, 1, 1)).eval()
    free = {"image": {2: ("h", 32), 3: ("w", 32)}}
    export_onnx(net, [torch.zeros(2, 3, 64, 96)], folder / "detect.onnx", ["image"], ["score"], free_axes=free)
    to_fp16(exported[0], folder / "faces.fp16.onnx", keep=["landmarks"])
    quantize_int8(exported[0], folder / "faces.int8.onnx", batches(2), exclude=["landmarks"])
    rows = [compare(module, exported[0]), compare(net, folder / "detect.onnx")]
    rows += [compare(exported[0], folder / f"faces.{v}.onnx", max_abs=None, mean_abs=0.2) for v in ("fp16", "int8")]
    files = {path.name: path.read_bytes() for path in (exported[0], *folder.glob("*.onnx"))}
    fields = {
        "licence": "Apache-2.0",
        "input": {"tensor": "image", "size": [64, 64]},
        "outputs": {"landmarks": {"tensor": "landmarks", "columns": COLUMNS["landmarks"]}},
        "variants": {
            v: {"stages": [{"file": f}]}
            for v, f in {"fp32": "faces.onnx", "fp16": "faces.fp16.onnx", "int8": "faces.int8.onnx"}.items()
        },
        "detector": {"input": {"tensor": "image"}, "variants": {"fp32": {"file": "detect.onnx"}}, "multiple": 32},
        "export": record(rows),
    }
    path = folder / "toy.forge"
    fr.bundles.write(path, "faces", files, fields)
    fr.golden.add(str(path))
    return path


PARTS = ["logits", "landmarks/xy", "landmarks/visible", "depth"]


def test_golden_sample_of_networks(bundle):
    result = fr.bundles.verify(bundle)
    assert result.passed, result.errors
    names = {name for name, _, _ in result.errors}
    assert names == {"detector/fp32/score", *(f"faces/{v}/{o}" for v in ("fp32", "fp16", "int8") for o in PARTS)}
    golden = result.info.manifest["golden"]
    assert golden["tolerance"]["faces/fp32/logits"] == {"measure": "max", "at_most": 1e-3}
    assert golden["tolerance"]["faces/int8/logits"]["measure"] == "mean"
    assert golden["tolerance"]["faces/int8/landmarks/xy"]["at_most"] <= fr.golden.PLACES
    assert (bundle / golden["file"]).stat().st_size < 200_000
    assert result.info.manifest["export"]["graphs"]["faces.onnx"]["tensorrt_11"]["typed"]


def test_another_network_fails_the_golden_sample(bundle, tmp_path):
    import shutil

    other = tmp_path / "other.forge"
    shutil.copytree(bundle, other)
    export_onnx(toy(seed=5), [torch.zeros(2, 3, 64, 64)], other / "faces.onnx", ["image"], OUTPUTS)
    manifest = json.loads((other / "bundle.json").read_text())
    data = (other / "faces.onnx").read_bytes()
    manifest["files"]["faces.onnx"] = fr.bundles.file_row(data)
    (other / "bundle.json").write_text(json.dumps(manifest))
    result = fr.bundles.verify(other)
    assert not result.passed
    bad = {name for name, error, bar in result.errors if error > bar}
    assert bad == {f"faces/fp32/{o}" for o in PARTS}


def test_shifted_landmarks_fail_the_golden_sample_of_every_variant(bundle):
    from dataclasses import replace

    about = fr.bundles.info(bundle)
    family = fr.golden._FAMILIES["faces"]

    def shifted(*arguments):
        outputs = family.run(*arguments)
        return {n: v + (0.04 if n.endswith("/xy") else 0) for n, v in outputs.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fr.golden._FAMILIES, "faces", replace(family, run=shifted))
        bad = {name for name, error, bar in fr.golden.compare(about) if error > bar}
    assert bad == {f"faces/{v}/landmarks/xy" for v in ("fp32", "fp16", "int8")}


@pytest.mark.parametrize("size", [(30, 45), (77, 61)])
def test_golden_sample_of_sizes_that_are_no_multiple_of_eight(tmp_path, size):
    class Plain(nn.Module):
        def forward(self, image):
            return image.mean(1, keepdim=True)

    export_onnx(Plain(), [torch.zeros(2, 3, *size)], tmp_path / "faces.onnx", ["image"], ["depth"])
    fields = {
        "input": {"tensor": "image", "size": list(size), "order": "BGR", "mean": [0] * 3, "scale": [1] * 3},
        "variants": {"fp32": {"stages": [{"file": "faces.onnx"}]}},
    }
    path = tmp_path / "odd.forge"
    fr.bundles.write(path, "faces", {"faces.onnx": (tmp_path / "faces.onnx").read_bytes()}, fields)
    fr.golden.add(path)
    again = json.loads((path / "bundle.json").read_text())
    fr.golden.add(path)
    assert json.loads((path / "bundle.json").read_text()) == again and fr.bundles.verify(path).passed
    assert not list(path.glob("*.part"))
    seen = fr.Bundle.open(path).tensors("golden.safetensors")["faces/fp32/depth"].numpy()
    assert 100 < seen.max() < 256 and seen.std() > 20, "a picture of a face"


def test_golden_samples_go_into_folders(bundle, tmp_path):
    fr.bundles.pack(bundle, tmp_path / "packed.forge")
    assert fr.bundles.verify(tmp_path / "packed.forge").passed
    with pytest.raises(fr.InvalidArgumentError, match="then pack it"):
        fr.golden.add(tmp_path / "packed.forge")
