"""Makes single samples of a finished or unfinished run again, byte for byte, or with more members, or at another size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forge_rt._core import InvalidArgumentError, UnsupportedError
from forge_rt.production import encode, index
from forge_rt.production.files import make_folder, write_atomically
from forge_rt.production.folder import INDEX, PLAN, RunFolder, made_with
from forge_rt.production.layouts.folders import FoldersLayout
from forge_rt.production.plan import EXTRAS, Plan
from forge_rt.production.samples import SampleMaker
from forge_rt.production.sources import Source


@dataclass(frozen=True)
class Replayed:
    index: int
    files: list[Path]
    identical: bool | None  #: to the run's own members; None: not comparable (see note)
    note: str


def replay(
    folder: str | os.PathLike[str],
    indices: Sequence[int],
    out: str | os.PathLike[str],
    *,
    extras: Sequence[str] | None = None,
    size: int | None = None,
    device: str | None = None,
    model: str | None = None,
    detector: str | None = None,
) -> list[Replayed]:
    """Makes samples of the run in `folder` again and writes them to `out` as single files (layout folders, or the run's own synthforge).

    extras   besides the run's own: normals, uv, layers, soft
    size     another number of pixels: the same face, camera and light
    device   default: the kind the run was made with
    model    where the generator lies now, if not where the run found it
    detector likewise where its detector lies

    Each result says whether the members that the run has are byte-identical to it. Files that exist are replaced.
    Raises InvalidArgumentError for an index that is not of the run, UnsupportedError for a run of another model.
    """
    run = RunFolder.open(Path(folder))
    if model is not None:
        run = RunFolder(run.root, replace(run.plan, model=model), run.made)
    if detector is not None:
        if run.plan.options().detector is None:
            raise InvalidArgumentError(f"the run in {run.root} asked no detector; leave it out")
        run = RunFolder(
            run.root, replace(run.plan, generator={**(run.plan.generator or {}), "detector": detector}), run.made
        )
    device = device or run.made.get("device", "cpu")
    _require_model(run)
    for i in indices:
        if not 0 <= i < run.plan.count:
            raise InvalidArgumentError(f"index must be 0..{run.plan.count - 1} for the run in {run.root}, got {i}")
    if not indices:
        raise InvalidArgumentError("name at least one index")
    if (Path(out) / PLAN).exists():
        raise InvalidArgumentError(f"--out {out} holds a data set; choose another folder")
    plan = _plan(run.plan, extras, size)
    run.source.check(plan)
    known = _rows(run, set(indices))
    attempts = {i: row["attempts"] - 1 for i, row in known.items()}
    root = Path(out)
    layout = _layout(root, plan, run.source)
    for name in layout.folders:
        make_folder(root / name)
    results = []
    for i in indices:
        (sample,) = SampleMaker(run.source, plan, device).make([i], {i: attempts[i]} if i in attempts else None)
        encoded = layout.encode(sample)
        files = []
        for name, data in encoded.members:
            write_atomically(layout.path(sample.key, name), data)
            files.append(layout.path(sample.key, name))
        results.append(Replayed(i, files, *_compare(run, plan, known.get(i), encoded.members, device)))
    return results


def _plan(plan: Plan, extras: Sequence[str] | None, size: int | None) -> Plan:
    both = [e for e in EXTRAS if e in plan.extras or e in (extras or ())]
    for extra in extras or ():
        if extra not in EXTRAS:
            raise InvalidArgumentError(f"extras are any of {', '.join(EXTRAS)}, got {extra!r}")
    layout = plan.layout if plan.layout == "synthforge" and not both else "folders"
    return replace(plan, extras=tuple(both), size=plan.size if size is None else size, layout=layout).validate()


def _layout(root: Path, plan: Plan, source: Source) -> FoldersLayout:
    from forge_rt.production.layouts import layout_of

    layout = layout_of(plan.layout)(root, plan, lambda: source)
    assert isinstance(layout, FoldersLayout)
    return layout


def _require_model(run: RunFolder) -> None:
    if run.made.get("model_sha256") != run.source.hash:
        raise UnsupportedError(
            f"the run in {run.root} was made with another model (SHA-256 {run.made.get('model_sha256', '?')[:12]}…, here {run.source.hash[:12]}…); "
            f"install {run.made.get('engine', 'the version that made it')}"
        )
    theirs, here = run.made.get("detector_sha256"), run.source.detector_hash
    if theirs != here:
        raise UnsupportedError(
            f"the run in {run.root} asked another detector (SHA-256 {str(theirs)[:12]}…, here {str(here)[:12]}…); name it with --detector"
        )


def _rows(run: RunFolder, wanted: set[int]) -> dict[int, dict[str, Any]]:
    """Index rows of samples that are finished."""
    rows: dict[int, dict[str, Any]] = {}
    if run.finished:
        import pyarrow.compute as pc

        for batch in index.batches(run.root / INDEX):
            found = batch.filter(pc.is_in(batch.column("index"), value_set=_int64(sorted(wanted))))
            rows.update({row["index"]: row for row in found.to_pylist()})
        return rows
    for shard in {i // run.plan.shard_size for i in wanted} & run.journal().keys():
        rows.update({row["index"]: row for row in run.rows(shard) if row["index"] in wanted})
    return rows


def _int64(values: Sequence[int]) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.int64())


def _compare(
    run: RunFolder, plan: Plan, row: dict[str, Any] | None, members: Sequence[encode.Member], device: str
) -> tuple[bool | None, str]:
    if row is None:
        return None, "the run has not made it yet"
    if plan.size != run.plan.size:
        return None, f"of another size than the run's {run.plan.size}"
    if run.plan.layout == "synthforge" and plan.layout != "synthforge":
        return None, "the run's layout has other members"
    own = run.layout.read(row)
    names = {name for name, _ in own}
    if encode.digest(own) != row["sha256"]:
        return False, "the run's own files were changed since they were written"
    if encode.digest([m for m in members if m[0] in names]) == row["sha256"]:
        return True, f"identical to the run's, SHA-256 {row['sha256'][:16]}…"
    here = made_with(run.source, device)
    differ = [f"{k} {run.made.get(k)} there, {v} here" for k, v in here.items() if run.made.get(k) != v]
    return False, f"not byte-identical: {'; '.join(differ) or 'the reason is unknown'}"
