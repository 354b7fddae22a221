"""Runs the tests of CUDA twins on an emulated build: python -S run_tests.py BUILD_FOLDER [pytest options].

`-S` keeps an installed forge_rt out of the way; the package is put together from the sources and the built module.
"""

from __future__ import annotations

import sys
import sysconfig
import tempfile
from pathlib import Path


def main() -> int:
    root, build = Path(__file__).resolve().parents[4], Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "forge_rt"
        package.mkdir()
        modules = list((build / "python" / "bindings").glob("_core*.so"))
        for source in [*(root / "python" / "forge_rt").iterdir(), *modules]:
            (package / source.name).symlink_to(source)
        # With -S no .pth file can put an installed forge_rt first; it also hides the virtual environment.
        prefix = Path(sys.executable).absolute().parent.parent
        variables = {"base": str(prefix)} if (prefix / "pyvenv.cfg").exists() else {}
        sys.path[:0] = [folder, sysconfig.get_path("purelib", vars=variables)]
        import pytest

        options = ["-p", "no:cacheprovider", "-c", str(root / "pyproject.toml"), "--rootdir", str(root)]
        tests = [
            str(root / "tests" / "python" / name)
            for name in ("test_cuda_twins.py", "test_face_ops.py", "test_image_ops.py", "test_volume_render.py")
        ]
        return pytest.main([*options, *tests, *sys.argv[2:]])


if __name__ == "__main__":
    sys.exit(main())
