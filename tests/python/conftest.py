"""Fixtures and settings shared by all tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import forge_rt as fr
import pytest
from hypothesis import settings

# Same examples everywhere, and no verdict that depends on how busy the machine is.
settings.register_profile("forge_rt", deadline=None, derandomize=True)
settings.load_profile("forge_rt")

# A child process gets the forge_rt of this one, also where an editable install would answer first and rebuild.
_CHILD = """
import runpy, sys
from importlib.machinery import PathFinder
sys.meta_path.insert(0, PathFinder)
sys.path.insert(0, sys.argv[1])
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(params=["baseline", "avx2", "avx512"])
def isa(request):
    """Runs a test on every CPU path of this machine."""
    before = fr.isa()
    try:
        fr.set_isa(request.param)
    except fr.UnsupportedError as error:
        pytest.skip(str(error))
    yield request.param
    fr.set_isa(before)


@pytest.fixture
def set_threads():
    """`set_num_threads`, undone after the test."""
    before = fr.num_threads()
    yield fr.set_num_threads
    fr.set_num_threads(before)


@pytest.fixture(scope="session")
def run_script():
    """run_script(path, *arguments) → CompletedProcess: a Python script in a process of its own, which may crash."""

    def run(path: Path, *arguments: object, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        package = Path(fr.__file__).parents[1]
        command = [sys.executable, "-c", _CHILD, str(package), str(path), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)

    return run
