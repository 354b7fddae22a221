"""python/forge_rt/_core.pyi says what the compiled module has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_stub_is_up_to_date() -> None:
    pytest.importorskip("pybind11_stubgen", reason="pybind11-stubgen is not installed (extra test)")
    tool = ROOT / "tools" / "make_stubs.py"
    result = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"run: python tools/make_stubs.py\n{result.stdout}{result.stderr}"
