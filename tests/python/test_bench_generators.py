"""The benchmarks of whole generators on a narrow model: parity is made, every row is there. No times are asserted."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="the definition is PyTorch's")
pytest.importorskip("onnxruntime")

from forge_rt import bench  # noqa: E402
from forge_rt.bench import e2e, full_model, stages  # noqa: E402
from forge_rt.bench.harness import Options, Run  # noqa: E402
from forge_rt.export.models.next3d import config as configs  # noqa: E402
from forge_rt.export.models.next3d import procedural  # noqa: E402


@pytest.fixture
def narrow(monkeypatch):
    full = procedural.full_config
    few = configs.RenderingConfig(c_scale=1.0, depth_resolution=5, depth_resolution_importance=5)
    widths = dict(channel_base=512, channel_max=8, sr_channels=(8, 8), neural_rendering_resolution=16, rendering=few)
    monkeypatch.setattr(procedural, "full_config", lambda mesh: dataclasses.replace(full(mesh), **widths))


class Quick(Run):
    """Every contestant once."""

    def compare(self, *contestants, **_):
        return super().compare(*contestants, rounds=1, turn_s=0, warm_up=0)


def parities(run):
    return {check.name: check.passed for check in run.checks if check.kind == "parity"}


def test_stages(narrow):
    run = Quick(Options())
    stages.run(run)
    names = ["mapping", "texture", "static", "mouth", "blend", "super_resolution", "render"]
    assert parities(run) == {f"stage_{name}_error": True for name in names}
    assert [row.name for row in run.rows] == [f"{who}_{name}" for name in names for who in ("forge_rt", "torch")]
    assert {check.name for check in run.checks if check.kind == "speed"} == {f"stage_{name}_vs_torch" for name in names}


def test_end_to_end(narrow, monkeypatch):
    monkeypatch.setattr(e2e, "MINI", "a-bundle-that-is-not-there")
    run = Quick(Options())
    e2e.run(run)
    assert all(parities(run).values()) and len(parities(run)) == 3
    checks = {check.name: check for check in run.checks}
    assert checks["next3d_mini_samples_per_s"].passed is None
    assert checks["e2e_8_views_share_of_prediction"].value > 0
    assert {f"forge_rt_{name}" for name in ("identity", "expression", "view", "sample", "8_views")} <= {
        row.name for row in run.rows
    }


def test_without_pytorch_they_say_so(monkeypatch):
    monkeypatch.setattr(full_model, "missing", lambda: "it needs torch")
    for module in (stages, e2e):
        run = Run(Options())
        module.run(run)
        assert run.checks and all(
            check.passed is None and "needs torch" in check.note for check in run.checks if "vs_torch" in check.name
        )


def test_they_are_listed():
    assert {"stages", "e2e"} <= bench.BENCHMARKS.keys()
