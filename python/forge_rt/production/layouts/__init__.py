"""How samples lie on disk. A layout turns a sample into members and writes the samples of one shard so that they appear together or can
be told to be incomplete."""

from __future__ import annotations

from forge_rt.production.layouts.base import Layout, Unit, UnitSummary
from forge_rt.production.layouts.coco import CocoLayout
from forge_rt.production.layouts.folders import FoldersLayout
from forge_rt.production.layouts.shards import ShardsLayout
from forge_rt.production.layouts.synthforge import SynthForgeLayout

_LAYOUTS: dict[str, type[Layout]] = {
    "shards": ShardsLayout,
    "folders": FoldersLayout,
    "synthforge": SynthForgeLayout,
    "coco": CocoLayout,
}


def layout_of(name: str) -> type[Layout]:
    return _LAYOUTS[name]


__all__ = ["Layout", "Unit", "UnitSummary", "layout_of"]
