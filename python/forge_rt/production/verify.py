"""Is what is on the disk what was written? Reads every byte of every finished shard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from forge_rt.production import index
from forge_rt.production.folder import INDEX, RunFolder


def verify(run: RunFolder, *, hashes: bool = True) -> Iterator[tuple[int, str]]:
    """(shard, what is wrong) of each damaged finished shard, in order. Without `hashes` only presence and sizes are looked at."""
    lines = run.journal()
    if not run.finished:
        for shard in sorted(lines):
            problem = run.damage(lines[shard], hashes=hashes)
            if problem is not None and run.finished:  # others finished the run meanwhile: its parts are gone
                yield from verify(run, hashes=hashes)
                return
            if problem is not None:
                yield shard, problem
        return
    alone = run.plan.layout == "shards"  # a tar needs no rows to be checked
    rows: Iterable[tuple[int, list[Any]]]
    rows = [(shard, []) for shard in sorted(lines)] if alone else index.by_shard(run.root / INDEX, run.plan.shard_size)
    for shard, of_shard in rows:
        problem = run.layout.damage(lines[shard], of_shard, hashes=hashes) if shard in lines else None
        if problem is not None:
            yield shard, problem
