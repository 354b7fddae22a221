"""Data sets on disk: what to make (`plan`), what a sample says (`records`), how it is laid out (`folders`), who makes it (`run`)."""

from __future__ import annotations

from forge_rt.production.plan import Plan
from forge_rt.production.run import generate

__all__ = ["Plan", "generate"]
