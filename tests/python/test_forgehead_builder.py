"""The builder of the bundled head, on its coarse setting: its own gates pass and the engine takes what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("builder") / "coarse.forge"
    command = [sys.executable, "-m", "forge_rt.export.forgehead.build", "--out", str(folder), "--coarse", "--report"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder, run.stdout


def test_gates_pass(built: tuple[Path, str]) -> None:
    lines = built[1].splitlines()
    assert sum(line.startswith("ok") for line in lines) >= 7
    assert not any(line.startswith("FAIL") for line in lines)


def test_the_engine_draws_it(built: tuple[Path, str]) -> None:
    head = fr.ForgeHead(built[0])
    batch = head.generate(seed=1, index=range(3), size=96)
    assert len(np.unique(np.asarray(batch.segmentation))) > 8


def test_the_shipped_bundle_has_the_same_controls(built: tuple[Path, str]) -> None:
    made = json.loads((built[0] / "bundle.json").read_text())
    shipped = json.loads((Path(fr.__file__).parent / "assets" / "forgehead.forge" / "bundle.json").read_text())
    for key in ("sliders", "expressions", "sets", "labels", "parts"):
        assert made[key] == shipped[key], f"rebuild the bundle: its {key} are not those of export/forgehead"
