"""forge_rt: the engine for synthetic faces.

`import forge_rt` needs NumPy only; everything heavier loads when it is first used.
"""

from __future__ import annotations

from forge_rt import _core
from forge_rt._core import *  # noqa: F403
from forge_rt._core import __version__
from forge_rt.head import Head  # replaces the compiled class of the same name

__all__ = ["Head", "__version__", *(name for name in dir(_core) if not name.startswith("_"))]
