"""forge_rt: the engine for synthetic faces.

`import forge_rt` needs NumPy only; everything heavier loads when it is first used.
"""

from __future__ import annotations

from forge_rt._core import *  # noqa: F403
from forge_rt._core import __version__

__all__ = ["__version__"]
