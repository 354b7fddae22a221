"""What goes wrong when a network is exported."""

from __future__ import annotations

from forge_rt._core import ForgeError


class ExportError(ForgeError):
    """A graph could not be written, or does not compute what it should. The message has the numbers."""

    code = "unsupported"
