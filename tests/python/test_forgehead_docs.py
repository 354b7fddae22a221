"""The generated reference of ForgeHead's controls is that of the head in the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "forgehead_docs.py"


@pytest.mark.skipif(not TOOL.exists(), reason="only in a checkout")
def test_reference_is_up_to_date() -> None:
    run = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
