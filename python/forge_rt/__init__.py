"""forge_rt: the engine for synthetic faces.

`import forge_rt` needs NumPy only; everything heavier loads when it is first used.

>>> import forge_rt as fr
>>> batch = fr.ForgeHead().generate(seed=7, index=range(4), camera="paper", size=256)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forge_rt import _core, camera
from forge_rt._core import *  # noqa: F403
from forge_rt._core import __version__
from forge_rt.forge_head import (  # type: ignore[assignment]  # replaces the compiled class of the same name
    FaceBatch,
    ForgeHead,
)
from forge_rt.head import Head  # type: ignore[assignment]  # likewise
from forge_rt.paths import asset_path, cmake_dir, include_dir, library_path

if TYPE_CHECKING:
    from forge_rt.production import Plan as Plan
    from forge_rt.production import generate as generate

_LAZY = {"Plan": "forge_rt.production", "generate": "forge_rt.production"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'forge_rt' has no attribute {name!r}")


__all__ = [
    "FaceBatch",
    "ForgeHead",
    "Head",
    "Plan",
    "__version__",
    "asset_path",
    "camera",
    "cmake_dir",
    "generate",
    "include_dir",
    "library_path",
    *(name for name in dir(_core) if not name.startswith("_")),
]
