"""Is what is on the disk what was written? Reads every byte of every finished shard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from forge_rt._core import CorruptFileError
from forge_rt.production import index
from forge_rt.production.files import sha256_of
from forge_rt.production.folder import INDEX, RunFolder


def verify(run: RunFolder, *, hashes: bool = True) -> Iterator[tuple[int, str]]:
    """(shard, what is wrong) of each damaged finished shard, in order. Without `hashes` only presence and sizes are looked at."""
    lines = run.journal()
    rows: Iterator[list[dict[str, Any]]] | None = None
    if run.finished and run.plan.layout != "shards":
        try:
            table = {name: sha for name, sha in run.manifest()["files"].items() if name == INDEX}
            if sha256_of(run.root / INDEX) != table[INDEX]:
                raise CorruptFileError(f"{INDEX} was changed since it was written")
            rows = rows_by_shard(run)
        except CorruptFileError:
            raise CorruptFileError(f"{run.root}/{INDEX} was changed or is unreadable; put back a copy of it") from None
    for shard in sorted(lines):
        line = lines[shard]
        if run.finished:
            of_shard = next(rows) if rows is not None else []
            problem = run.layout.damage(line, of_shard, hashes=hashes)
        else:
            problem = run.damage(line, hashes=hashes)
        if problem is not None:
            yield shard, problem


def rows_by_shard(run: RunFolder) -> Iterator[list[dict[str, Any]]]:
    """Rows of the index of a finished run, shard after shard."""
    held: list[dict[str, Any]] = []
    for batch in index.batches(run.root / INDEX):
        for row in batch.to_pylist():
            if held and row["index"] // run.plan.shard_size != held[0]["index"] // run.plan.shard_size:
                yield held
                held = []
            held.append(row)
    if held:
        yield held
