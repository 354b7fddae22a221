"""Every field of a generator's manifest, replaced by what does not belong there: one error that names file and field, nothing else."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forge_rt as fr
import generator_bundle as gb
import pytest
from forge_rt.production.sources import open_source

pytestmark = pytest.mark.skipif(fr.backend.find_onnx_runtime()[0] is None, reason="networks need ONNX Runtime")

#: What the engine does not read, for it is in the graphs or was for PyTorch only.
UNREAD = {
    "blending", "channel_base", "channel_max", "conv_clamp", "decoder_hidden", "embed_features", "final_size", "layer_features", "mapping_layers", "plane_axes",
    "sizes", "sr_channels", "sr_conv_clamp", "topology", "c_scale", "c_gen_conditioning_zero", "decoder_lr_mul", "depth_clamp",
    "superresolution_noise_mode", "weights",
}  # fmt: skip
#: As text, for some are no JSON that Python writes.
WRONG = [
    "null", "true", "-1", "1e308", "-1e308", "2147483648", "9223372036854775808", "18446744073709551616", '""', '"x"', '"../x"', '"\\u0000"',
    "[]", "[1]", "{}", '{"file": 5}', "[[[[]]]]",
]  # fmt: skip
NO_JSON = ["1e400", "-1e400", "NaN", "Infinity", '"\\ud800"', "[" * 100_000 + "]" * 100_000, "[", '{"a": 1,}']
#: Right where they stand, besides -1 as a coordinate: null is the same as nothing.
ALLOWED = {
    ("generator.alignment", "null"), ("generator.bounds", "null"), ("generator.head", "null"), ("generator.head.sha256", "null"),
    ("generator.head.sha256", '"x"'), ("generator.head.sha256", '"../x"'), ("generator.head.sha256", '"\\u0000"'),
    ("generator.head.family", '"x"'), ("generator.head.family", '"../x"'), ("generator.head.family", '"\\u0000"'),
    ("generator.cutoff", "null"), ("generator.psi", "-1"),
    ("generator.config.rendering.white_back", "true"), ("generator.config.rendering.sr_antialias", "true"),
}  # fmt: skip
MARK = "the field"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(gb.TINY, tmp_path / "tiny.forge"))


def fields(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key not in UNREAD:
            yield from fields(value, (*path, key))


def replaced(manifest: dict[str, Any], path: tuple[Any, ...], text: str) -> str:
    changed = json.loads(json.dumps(manifest))
    node = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = MARK
    return json.dumps(changed).replace(json.dumps(MARK), text)


def manifest_and_fields(bundle: Path) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["generator"]["bounds"] = [[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]]
    manifest["generator"]["alignment"] = [[2.5, 0, 0, 0], [0, 2.5, 0, 0], [0, 0, 2.5, 0]]
    return manifest, [p for top in ("generator", "variants", "arrays") for p in fields(manifest[top], (top,))]


def test_wrong_values_are_one_error(bundle: Path) -> None:
    manifest, paths = manifest_and_fields(bundle)
    assert len(paths) > 60
    faults = []
    for path in paths:
        name = ".".join(str(key) for key in path)
        last = next(key for key in reversed(path) if isinstance(key, str))
        for wrong in WRONG:
            if (name, wrong) in ALLOWED or (wrong == "-1" and isinstance(path[-1], int)):
                continue
            (bundle / "bundle.json").write_text(replaced(manifest, path, wrong))
            try:
                fr.Generator(bundle)
            except fr.CorruptFileError as error:
                text = str(error)
                # sizes that no array or graph has are told with the file that does not fit
                named = last in text or ".onnx" in text or ".safetensors" in text
                if not (named and str(bundle) in text and len(text) < 600):
                    faults.append(f"{name} = {wrong}: {text}")
            else:
                faults.append(f"{name} = {wrong} was accepted")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("text", NO_JSON, ids=range(len(NO_JSON)))
def test_what_is_no_json(bundle: Path, text: str) -> None:
    """Also numbers beyond float64, and brackets so deep that whoever follows them runs out of stack."""
    manifest, _ = manifest_and_fields(bundle)
    for path in (("generator", "psi"), ("generator", "config", "rendering", "box_warp"), ("unknown",)):
        (bundle / "bundle.json").write_text(replaced(manifest, path, text))
        with pytest.raises(
            fr.CorruptFileError, match=r"bundle\.json (is not valid JSON|nests deeper than 64 levels)"
        ) as error:
            fr.Generator(bundle)
        assert len(str(error.value)) < 600


def test_manifests_that_begin_with_a_mark(bundle: Path) -> None:
    path = bundle / "bundle.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.raises(fr.CorruptFileError, match="byte-order mark"):
        fr.Generator(bundle)


def test_data_sets_of_wrong_manifests_are_one_error(tmp_path: Path) -> None:
    """What `generate` itself reads of a bundle is checked as well."""
    bundle = Path(shutil.copytree(fr.asset_path("next3d-mini.forge"), tmp_path / "mini.forge"))
    manifest = json.loads((bundle / "bundle.json").read_text())
    for path in (
        (), ("sizes",), ("sizes", "image"), ("sizes", "num_ws"), ("world",), ("world", "scale"), ("world", "shift"), ("config",), ("config", "z_dim"),
        ("config", "rendering"), ("config", "rendering", "box_warp"), ("config", "rendering", "avg_camera_radius"),
        ("config", "rendering", "avg_camera_pivot"), ("head",), ("bounds",), ("alignment",),
    ):  # fmt: skip
        for wrong in ("5.5", '"x"', "[]", "[1]", "{}", "true"):
            (bundle / "bundle.json").write_text(replaced(manifest, ("generator", *path), wrong))
            plan = fr.Plan(count=1, model=str(bundle), size=256)
            with contextlib.suppress(fr.ForgeError):  # some of it is right enough to be drawn with
                source = open_source(plan)
                source.check(plan)
                source.renderer(plan, "cpu")
    (bundle / "bundle.json").write_text(replaced(manifest, ("generator", "sizes"), "[]"))
    with pytest.raises(fr.CorruptFileError, match=r"bundle\.json: generator is not what"):
        open_source(fr.Plan(count=1, model=str(bundle), size=256))
