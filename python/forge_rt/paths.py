"""Where the installed parts of forge_rt are: CMake package, C and C++ headers, shared library, bundled models.

Compiled parts lie next to the extension module. In an editable install that is the build folder, not the source tree.
"""

from __future__ import annotations

import sys
from pathlib import Path

from forge_rt import _core
from forge_rt._core import NotFoundError

__all__ = ["asset_path", "cmake_dir", "include_dir", "library_path"]


def _compiled() -> Path:
    file = _core.__file__
    assert file is not None  # an extension module always has one
    return Path(file).resolve().parent


def _existing(path: Path, what: str) -> Path:
    if not path.exists():
        raise NotFoundError(
            f"{what} is not at {path}; reinstall forge-rt (pip install --force-reinstall --no-deps forge-rt)"
        )
    return path


def include_dir() -> Path:
    """Folder for the compiler's include path: `#include <forge_rt/forge_rt.h>`."""
    return _existing(_compiled() / "include", "the include folder")


def cmake_dir() -> Path:
    """Folder for `CMAKE_PREFIX_PATH`, so that `find_package(forge_rt CONFIG REQUIRED)` works."""
    return _existing(_compiled() / "lib" / "cmake" / "forge_rt", "the CMake package")


def library_path() -> Path:
    """The shared library with the C ABI, for `ctypes.CDLL` and linkers."""
    name = {"win32": "forge_rt.dll", "darwin": "libforge_rt.dylib"}.get(sys.platform, "libforge_rt.so")
    return _existing(_compiled() / "lib" / name, "the shared library")


def asset_path(name: str = "") -> Path:
    """A bundled model, e.g. `asset_path("forgehead.forge")`; without a name the folder of all of them.

    Raises NotFoundError, with the names there are.
    """
    folder = Path(__file__).resolve().parent / "assets"
    path = folder / name
    if not path.exists():
        names = ", ".join(sorted(p.name for p in folder.iterdir())) if folder.is_dir() else "none"
        raise NotFoundError(f"forge_rt has no asset '{name}'; it has: {names}")
    return path
