"""Looks a data set over: every hash and count, then what is in it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge_rt._core import CorruptFileError, ForgeError, NotFoundError, UnsupportedError
from forge_rt.production import encode, index, report
from forge_rt.production.files import PART, sha256_of
from forge_rt.production.finish import manifest_of
from forge_rt.production.folder import INDEX, SHEET, RunFolder, missing
from forge_rt.production.statistics import Statistics


@dataclass(frozen=True)
class Inspection:
    """`problems` is empty when every hash and count is right and the run is finished."""

    folder: Path
    finished: bool
    samples: int
    shards: int
    problems: list[str]
    manifest: dict[str, Any]
    statistics: dict[str, Any]

    @property
    def good(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder), "good": self.good, "finished": self.finished, "samples": self.samples, "shards": self.shards,
            "problems": self.problems, "manifest": self.manifest, "statistics": self.statistics,
        }  # fmt: skip

    def text(self) -> str:
        return report.text(self.manifest, self.statistics, self.problems)

    def html(self) -> str:
        sheet = self.folder / SHEET
        return report.html(
            self.manifest, self.statistics, self.problems, sheet.read_bytes() if sheet.exists() else None
        )


def inspect(folder: str | os.PathLike[str]) -> Inspection:
    """Checks a data set, finished or not: hashes of all files, counts, each sample's bytes against the index, files that do not belong.

    Problems are listed, never raised; only a folder without a readable plan raises (NotFoundError, CorruptFileError).
    """
    run = RunFolder.open(Path(folder))
    problems: list[str] = []
    lines = run.journal()
    about = described(run)
    statistics = Statistics(about)
    samples = 0
    for shard, rows in _shards(run, lines, statistics, problems):
        samples += len(rows)
        wanted = run.plan.indices(shard)
        if [row["index"] for row in rows] != list(wanted):
            problems.append(f"the index has other samples for shard {shard} than {wanted.start}..{wanted.stop - 1}")
        problem = run.layout.damage(lines[shard], rows) if shard in lines else None
        if problem is not None:
            problems.append(problem)
        else:
            problems += _check_members(run, rows)
    if run.finished:
        problems += check_manifest(run)
    else:
        todo = missing(run, lines)
        problems.append(
            f"the run is not finished: {len(todo)} of {run.plan.shards} shards are missing; go on with --resume"
        )
    if run.finished and samples != run.plan.count:
        problems.append(f"{samples} samples are there, the plan has {run.plan.count}")
    problems += _strangers(run)
    return Inspection(run.root, run.finished, samples, len(lines), problems, about, statistics.to_dict())


def described(run: RunFolder) -> dict[str, Any]:
    """What the manifest must say. Of a finished run whose model is not here: what it says."""
    try:
        return manifest_of(run)
    except (NotFoundError, UnsupportedError):
        if not run.finished:
            raise
        return {name: value for name, value in run.manifest().items() if name not in ("files", "shards")}


def _shards(
    run: RunFolder, lines: dict[int, Any], statistics: Statistics, problems: list[str]
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(shard, its index rows) in order; `statistics` gets all rows."""
    if run.finished:
        try:
            for batch in index.batches(run.root / INDEX):
                statistics.add(batch)
            yield from index.by_shard(run.root / INDEX, run.plan.shard_size)
        except CorruptFileError as error:
            problems.append(str(error))
        return
    for shard in sorted(lines):
        try:
            table = index.read(run.part(shard))
        except CorruptFileError as error:
            problems.append(str(error))
            continue
        if sha256_of(run.part(shard)) != lines[shard]["index_sha256"]:
            problems.append(f"{run.part(shard).relative_to(run.root)} was changed since it was written")
        statistics.add(table)
        yield shard, table.to_pylist()


def _check_members(run: RunFolder, rows: list[dict[str, Any]]) -> list[str]:
    """Do offsets lead to the bytes that the index names?"""
    if run.plan.layout != "shards":
        return []  # damage() has read them one by one
    found = []
    for row in rows:
        try:
            if encode.digest(run.layout.read(row)) != row["sha256"]:
                found.append(f"sample {row['key']} in {row['shard']} is not what the index says")
        except (ForgeError, ValueError) as error:
            found.append(str(error))
    return found


def check_manifest(run: RunFolder) -> list[str]:
    found = []
    try:
        manifest = run.manifest()
        for name, sha256 in manifest["files"].items():
            path = run.root / name
            if not path.is_file():
                found.append(f"{name} is missing")
            elif sha256_of(path) != sha256:
                found.append(f"{name} was changed since it was written")
        expected = {
            **described(run),
            "plan": run.plan.without_places(),
            "files": manifest["files"],
            "shards": manifest["shards"],
        }
        if manifest != expected:
            found.append("manifest.json does not fit plan.json")
        lines = run.journal()
        for shard, entry in enumerate(manifest["shards"]):
            line = lines.get(shard)
            if line is None or any(line[key] != value for key, value in entry.items()):
                found.append(f"manifest.json and journal.jsonl differ about shard {shard}")
    except (CorruptFileError, KeyError, TypeError) as error:
        found.append(f"manifest.json: {error}")
    return found


def _strangers(run: RunFolder) -> list[str]:
    """Files in the data set's folders that are not samples of it: a stray tar would be read by training code."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for folder in run.layout.folders:
        known = run.layout.expected(folder)
        for path in (run.root / folder).glob("*") if (run.root / folder).is_dir() else ():
            if path.name not in known and not path.name.endswith((PART, ".damaged")):
                counts[folder] += 1
                examples.setdefault(folder, path.name)
    return [
        f"{folder}/ holds {n} file{'s' * (n > 1)} that {'are' if n > 1 else 'is'} not of this run, e.g. {examples[folder]}"
        for folder, n in counts.items()
    ]
