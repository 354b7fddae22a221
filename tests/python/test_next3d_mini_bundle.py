"""A run's averaged weights as a bundle: the engine draws what the definitions draw, from the teacher's meshes."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'export' (torch)")
pytest.importorskip("scipy", reason="training needs the extra 'export' (scipy)")
pytest.importorskip("lightning", reason="recipes need the extra 'export' (lightning)")
pytest.importorskip("onnx", reason="bundles need the extra 'export' (onnx)")
pytest.importorskip("onnxruntime", reason="graphs run in ONNX Runtime")

import forge_rt as fr  # noqa: E402
from forge_rt.export.generators.bundle import rounded  # noqa: E402
from forge_rt.export.recipes import next3d_mini_bundle as bundle  # noqa: E402
from forge_rt.export.recipes import next3d_mini_net as mini  # noqa: E402
from forge_rt.export.recipes import next3d_mini_report as report  # noqa: E402
from forge_rt.export.recipes.next3d_mini import AVERAGE, Plan  # noqa: E402
from forge_rt.export.recipes.next3d_mini_data import collate  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run that has not learned anything but codes, as a bundle."""
    folder = tmp_path_factory.mktemp("run")
    net = mini.fresh(mini.config(128), 3)
    mini.teach_mapping(net, 50, 0)
    torch.save({"size": 128, "net": net.state_dict()}, folder / AVERAGE)
    (folder / "run.json").write_text(json.dumps(Plan().identity()), encoding="utf-8")
    out = folder / "next3d-mini.forge"
    bundle.main(["--run", str(folder), "--out", str(out)])
    return folder, out


def test_a_bundle_says_what_it_is(made):
    _, out = made
    about = fr.bundles.info(out)
    assert about.family == "next3d" and about.bytes < 8e6
    generator = about.manifest["generator"]
    assert generator["world"] == {"scale": 2.5, "shift": [0.0, -0.0625, 0.1]} and generator["psi"] == 1.0
    assert generator["head"]["family"] == "forgehead" and generator["head"]["vertices"] == 3935
    assert "no photograph" in about.manifest["about"] and "Not meant" in about.manifest["use"]


def test_the_engine_draws_what_the_definition_draws(made):
    folder, out = made
    net = report.load(folder / AVERAGE)
    bundle.set_mean_style(net)
    net = rounded(net)
    records = report.teacher_of(net).batch(seed=5, first=0, count=2)
    with torch.no_grad():
        wanted, _ = report.student(net, collate(records, 1))
    generator = fr.Generator(out, threads=1)
    identity = generator.identity(records["z"].copy())
    head = generator.expression(identity, records["vertices"].copy(), records["landmarks"].copy())
    found = np.asarray(generator.view(head, records["camera"].copy()).image)
    # records keep texture coordinates in 16 bit and alpha in 8
    assert np.abs(found - wanted.numpy()).mean() < 2e-3 * wanted.std().item()
    assert found.shape == (2, 3, 128, 128)
