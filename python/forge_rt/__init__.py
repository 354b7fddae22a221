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
from forge_rt.backend import Session  # type: ignore[assignment]  # replaces the compiled class of the same name
from forge_rt.face_analyzer import (  # type: ignore[assignment]  # likewise
    Face,
    FaceAnalyzer,
    Faces,
    FaceTracker,
)
from forge_rt.forge_head import (  # type: ignore[assignment]  # likewise
    FaceBatch,
    ForgeHead,
)
from forge_rt.generator import (  # type: ignore[assignment]  # likewise
    Generator,
    GeneratorInfo,
    GeneratorView,
)
from forge_rt.haar import haar_boxes
from forge_rt.head import Head  # type: ignore[assignment]  # likewise
from forge_rt.paths import asset_path, cmake_dir, include_dir, library_path

if TYPE_CHECKING:
    from forge_rt import annotation as annotation
    from forge_rt import next3d_people as next3d_people
    from forge_rt import shape as shape
    from forge_rt.production import Inspection as Inspection
    from forge_rt.production import Plan as Plan
    from forge_rt.production import Progress as Progress
    from forge_rt.production import Replayed as Replayed
    from forge_rt.production import RunResult as RunResult
    from forge_rt.production import batches as batches
    from forge_rt.production import generate as generate
    from forge_rt.production import inspect as inspect
    from forge_rt.production import replay as replay

#: data sets: loaded when first used
_PRODUCTION = ("Inspection", "Plan", "Progress", "Replayed", "RunResult", "batches", "generate", "inspect", "replay")


_MODULES = ("annotation", "next3d_people", "shape")


def __getattr__(name: str) -> Any:
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"forge_rt.{name}")
    if name in _PRODUCTION:
        return getattr(importlib.import_module("forge_rt.production"), name)
    raise AttributeError(f"module 'forge_rt' has no attribute {name!r}")


__all__ = [
    "Face",
    "FaceAnalyzer",
    "FaceBatch",
    "FaceTracker",
    "Faces",
    "ForgeHead",
    "Generator",
    "GeneratorInfo",
    "GeneratorView",
    "Head",
    "Inspection",
    "Plan",
    "Progress",
    "Replayed",
    "RunResult",
    "Session",
    "batches",
    "generate",
    "haar_boxes",
    "inspect",
    "replay",
    "__version__",
    "asset_path",
    "camera",
    "cmake_dir",
    "include_dir",
    "library_path",
    *(name for name in dir(_core) if not name.startswith("_")),
]
