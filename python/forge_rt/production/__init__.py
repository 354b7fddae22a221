"""Data sets on disk: what to make (`plan`), what a sample says (`records`), how it is laid out (`folders`), who makes it (`generate`)."""

from __future__ import annotations

from forge_rt.production.generate import generate
from forge_rt.production.plan import Plan

__all__ = ["Plan", "generate"]
