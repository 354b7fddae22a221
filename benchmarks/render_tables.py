"""Renders benchmarks/results/*.json to docs/reference/benchmarks.md.

With --check: exit status 1 when the page is not up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"

HEADER = """# Benchmarks

Rendered from `benchmarks/results/*.json` by `benchmarks/render_tables.py`; do not edit. How they are run:
`benchmarks/README.md`. What each contestant does: the head of its file in `python/forge_rt/bench/`.
"""


def number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def pairs(values: dict[str, Any]) -> str:
    return " · ".join(f"{key.replace('_', ' ')} {number(value)}" for key, value in values.items())


def machine(environment: dict[str, Any]) -> str:
    e = environment
    commit = f", commit {e['commit'][:10]}{' with local changes' if e['modified'] else ''}" if "commit" in e else ""
    devices = ", ".join(e["devices"]) or "no GPU"
    return (
        f"{e['cpu']}, {e['cores']} cores, {e['threads']} threads, {e['isa']}; {devices}. "
        f"forge_rt {e['forge_rt']}{commit}, Python {e['python']}, NumPy {e['numpy']}, OpenCV {e['opencv']}. "
        f"{e['date_utc'][:10]}, load {e['load_before']} before and {e['load_after']} after."
    )


def forced_isa(environment: dict[str, Any]) -> str | None:
    """The path that a run was held to, e.g. avx2 on a processor that knows more."""
    reason = environment.get("isa_reason", "")
    return environment["isa"] if "FORGE_RT_ISA=" in reason else None


def section(result: dict[str, Any]) -> str:
    isa = forced_isa(result["environment"])
    lines = [
        f"## {result['benchmark']}{f', held to {isa}' if isa else ''}",
        "",
        result["summary"][:1].upper() + result["summary"][1:] + ".",
        "",
    ]
    lines += [f"* Problem: {pairs(result['problem'])}", f"* Machine: {machine(result['environment'])}"]
    if result["ceilings"]:
        ceilings = [f"{name.replace('_', ' ')} {value / 1e9:.1f} G" for name, value in result["ceilings"].items()]
        lines.append(f"* Ceilings measured in the run: {' · '.join(ceilings)}")
    lines += [f"* {note[:1].upper()}{note[1:]}." for note in result["notes"]]
    if result["rows"]:
        lines += [
            "",
            "| | threads | items per call | n | p50 ms | p90 ms | p99 ms | items/s |",
            "| --- | --: | --: | --: | --: | --: | --: | --: |",
        ]
        lines += [
            f"| {r['name']}: {r['what']} | {r['threads']} | {r['items']} | {r['n']} "
            f"| {r['p50_ms']:.3f} | {r['p90_ms']:.3f} | {r['p99_ms']:.3f} | {r['items_per_s']:,.0f} |"
            for r in result["rows"]
        ]
    lines += ["", "| check | value | bar | result |", "| --- | --: | --: | --- |"]
    words = {True: "passed", False: "**failed**", None: "not evaluated"}
    for c in result["checks"]:
        value = "" if c["value"] is None else number(c["value"])
        note = f" ({c['note']})" if c["note"] else ""
        lines.append(f"| {c['name']}{note} | {value} | {c['op']} {number(c['bar'])} | {words[c['pass']]} |")
    held = f"FORGE_RT_ISA={isa} ATEN_CPU_CAPABILITY={isa} " if isa else ""
    lines += ["", f"`{held}forge-rt bench {result['benchmark']}` repeats it.", ""]
    return "\n".join(lines)


def render(results: list[dict[str, Any]]) -> str:
    return "\n".join([HEADER, *(section(result) for result in results)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    page = render([json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))])
    if check:
        current = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
        if current != page:
            print(
                "docs/reference/benchmarks.md is not up to date: run python benchmarks/render_tables.py",
                file=sys.stderr,
            )
            return 1
        return 0
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
