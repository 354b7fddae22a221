"""Data sets: what to make (`plan`), what a sample is (`samples`), its bytes (`records`, `encode`, `index`), where they lie (`layouts`, `folder`,
`journal`), who makes them (`run`, `worker`, `pipeline`, `leases`), what came out (`finish`, `statistics`, `inspection`, `replaying`)."""

from __future__ import annotations

from forge_rt.production.inspection import Inspection, inspect
from forge_rt.production.plan import Plan
from forge_rt.production.progress import Progress
from forge_rt.production.replaying import Replayed, replay
from forge_rt.production.run import RunResult, generate
from forge_rt.production.samples import batches

__all__ = ["Inspection", "Plan", "Progress", "Replayed", "RunResult", "batches", "generate", "inspect", "replay"]
