"""Where the images of a run come from: ForgeHead's renderer, or a generator driven by a head. A source knows its controls, labels and records;
plans, shards, journals and layouts are the same for all."""

from __future__ import annotations

from forge_rt._core import ForgeError
from forge_rt.production.plan import DEFAULT_SIZE, FORGEHEAD, Plan
from forge_rt.production.sources.base import Renderer, SampleDraw, Source
from forge_rt.production.sources.forgehead import ForgeHeadSource


def open_source(plan: Plan) -> Source:
    """The source of a plan's `model`. Raises NotFoundError, CorruptFileError, UnsupportedError for a bundle that is none."""
    if plan.model == FORGEHEAD:
        return ForgeHeadSource()
    from forge_rt.production.sources.generator import GeneratorSource

    return GeneratorSource(plan)


def native_size(model: str) -> int:
    """Pixels of a plan's pictures unless it says otherwise: of a generator its own."""
    if model == FORGEHEAD:
        return DEFAULT_SIZE
    from forge_rt import bundles

    try:
        entry = bundles.info(bundles.find(model)).manifest.get("generator", {})
    except ForgeError:  # whoever opens the source says what is wrong
        return DEFAULT_SIZE
    return int(entry.get("sizes", {}).get("image", DEFAULT_SIZE))


__all__ = ["ForgeHeadSource", "Renderer", "SampleDraw", "Source", "native_size", "open_source"]
