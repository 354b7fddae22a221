"""The last step of a run: index, statistics, card, contact sheet, and the manifest, which makes the folder a finished data set.

All of it is a function of the finished shards; a kill at any instant leaves either no manifest, and the step is done again, or all.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt._core import CorruptFileError
from forge_rt.production import card, encode, index, journal
from forge_rt.production.contact_sheet import SHEET_SAMPLES, contact_sheet, sample_tile
from forge_rt.production.files import appearing, sha256_of, write_atomically
from forge_rt.production.folder import CARD, INDEX, MANIFEST, SHEET, STATISTICS, RunFolder
from forge_rt.production.plan import Plan
from forge_rt.production.records import DEPTH_SCALE_M, RECORD_VERSION
from forge_rt.production.samples import SampleMaker
from forge_rt.production.statistics import Statistics


def finish(run: RunFolder, lines: dict[int, dict[str, Any]]) -> None:
    """`lines`: the journal, with every shard."""
    shards = range(run.plan.shards)
    for shard in shards:
        part = run.part(shard)
        if not part.exists() or sha256_of(part) != lines[shard]["index_sha256"]:
            name = part.relative_to(run.root)
            raise CorruptFileError(
                f"{run.root}/{name} is missing or was changed; add --repair to have its shard made again"
            )
    extra = run.layout.close(shards)
    _write_index(run, [run.part(shard) for shard in shards])

    manifest = manifest_of(run)
    statistics = Statistics(manifest)
    for batch in index.batches(run.root / INDEX):
        statistics.add(batch)
    numbers = statistics.to_dict()
    write_atomically(run.root / STATISTICS, encode.dump_json(numbers, indent=1))
    write_atomically(run.root / SHEET, sheet_png(run))
    write_atomically(run.root / CARD, card.write(manifest, numbers).encode())
    journal.write(run.root, lines.values())

    manifest["files"] = {name: sha256_of(run.root / name) for name in (INDEX, STATISTICS, SHEET, CARD, *extra)}
    keys = ("first", "count", "file", "bytes", "sha256")
    manifest["shards"] = [{key: lines[shard][key] for key in keys} for shard in shards]
    write_atomically(run.root / MANIFEST, encode.dump_json(manifest, indent=1), sync=True)


def tidy(run: RunFolder) -> None:
    """What a finished run does not need any more. Also finishes the tidying of one that was killed."""
    journal.write(run.root, run.journal().values())
    run.remove_scaffold()
    run.sweep()


def _write_index(run: RunFolder, parts: list[Path]) -> None:
    with appearing(run.root / INDEX, sync=True) as part:
        index.merge(parts, part, run.source)


def sheet_png(run: RunFolder) -> bytes:
    """The contact sheet: of a finished run its file, else drawn from the first samples."""
    import cv2

    if run.finished and (run.root / SHEET).exists():
        return (run.root / SHEET).read_bytes()

    colors = [label.color for label in run.source.labels]
    tiles = []
    for sample in range(min(run.plan.count, SHEET_SAMPLES)):
        path = run.tile(sample)
        picture = cv2.imread(str(path)) if path.exists() else None
        if picture is None:
            (again,) = SampleMaker(run.source, run.plan).make([sample])
            tiles.append(sample_tile(again, colors))
        else:
            tiles.append(np.ascontiguousarray(picture[..., ::-1]))
    return encode.png(contact_sheet(tiles))


def manifest_of(run: RunFolder) -> dict[str, Any]:
    """No times, hosts or paths: equal plans give equal manifests."""
    plan, source = run.plan, run.source
    return {
        "format": "forge_rt dataset",
        "record_version": RECORD_VERSION,
        "engine": run.made["engine"],
        "made_with": run.made,
        "model": {
            "name": source.name,
            "sha256": source.hash,
            "licence": source.licence,
            "about": source.about,
            "parts": dict(source.parts),
        },
        "truth": source.truth,
        "agreement": source.agreement_is,
        "plan": plan.without_places(),
        "count": plan.count,
        "labels": [
            {"id": label.id, "name": label.name, "color": list(label.color), "mirror": label.mirror}
            for label in source.labels
        ],
        "expressions": list(source.expressions),
        "depth": {
            "scale_m": DEPTH_SCALE_M if plan.depth == "png16" else 1.0,
            "nothing": 0,
            "kind": "camera z; objects in front of the face have depth and class 0",
        },
        "landmarks": "68 points in iBUG order, pixels with the centre of the top-left pixel at (0.5, 0.5); third value 0 outside, 1 hidden, 2 visible",
        "replay": replay_command(plan),
    }


def replay_command(plan: Plan) -> str:
    """The command that makes the run again. A camera that is no preset comes from plan.json."""
    default = Plan(count=1)
    words = ["forge-rt", "generate", "--out", "DIR", "--count", str(plan.count), "--seed", str(plan.seed)]
    for name in ("style", "views", "size", "layout", "shard_size", "rgb", "depth", "supersample", "min_visible"):
        if getattr(plan, name) != getattr(default, name):
            words += ["--" + name.replace("_", "-"), str(getattr(plan, name))]
    if plan.extras:
        words += ["--with", ",".join(plan.extras)]
    if plan.to_json()["camera"] != default.to_json()["camera"]:
        words = ["forge-rt", "generate", "--out", "DIR", "--config", "plan.json"]
    return shlex.join(words)
