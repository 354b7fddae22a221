"""Writes docs/reference/forgehead_controls.md and forgehead.schema.json from the installed head.

python tools/forgehead_docs.py [--check]     # --check: exit 1 when a file is not up to date
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import forge_rt as fr
from forge_rt import face_json

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
HEADER = ROOT / "cpp" / "include" / "forge_rt" / "models" / "forge_head.h"
ABOUT = {
    "appearance": "How one head looks. Strengths are 0..1, colours linear-light RGB.", "hair": "How the chosen hair style is grown.",
    "occluder": "Where a free object stands.", "light": "Directions in the head frame, towards the light.",
    "capture": "What the camera and the file format do. Defaults leave the picture alone.",
    "habit": "How the annotator draws class borders.",
}  # fmt: skip


def comments() -> dict[str, str]:
    """Field name → its `///<` comment in the C++ header."""
    found: dict[str, str] = {}
    for line in HEADER.read_text().splitlines():
        code, _, comment = line.partition("///<")
        if comment:
            for name in re.findall(r"(\w+)\s*(?:=[^,;]*|\{[^}]*\})?\s*[,;]", code):
                found.setdefault(name, comment.strip())
    return found


def number(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(number(v) for v in value[:6]) + (", …" if len(value) > 6 else "")
    return f"{value:g}"


def controls(head: fr.ForgeHead) -> str:
    meaning, neutral = comments(), head.neutral()
    regions: dict[str, list[fr.SliderInfo]] = {}
    for slider in head.sliders:
        regions.setdefault(slider.region, []).append(slider)
    expressions = json.loads((fr.asset_path("forgehead.forge") / "bundle.json").read_text())["expressions"]
    sets = json.loads((fr.asset_path("forgehead.forge") / "bundle.json").read_text())["sets"]
    lines = [
        "# Controls of ForgeHead",
        "",
        "Made by `python tools/forgehead_docs.py` from the bundle in the package. How to use them: [the guide](../guides/forgehead.md); as JSON: "
        "[forgehead.schema.json](forgehead.schema.json).",
        "",
        f"{len(head.sliders)} sliders, {len(head.expressions)} expressions, {len(sets)} sets with {sum(len(s['choices']) for s in sets)} choices.",
        "",
        "## Sliders",
        "Default 0. A slider at ±1 is a strong but human value; `sample` mostly stays within ±0.85.",
        "",
        "| slider | range | what +1 does |",
        "|---|---|---|",
    ]
    for rows in regions.values():
        lines += [f"| `{s.name}` | {number(s.minimum)} .. {number(s.maximum)} | {s.about} |" for s in rows]
    lines += ["", "## Expressions", "Weights 0..1 (up to 1.5 for lids; `ForgeHead.blink_weight` closes them exactly).", "",
              "| expression | what it does |", "|---|---|"]  # fmt: skip
    lines += [f"| `{e['name']}` | {e['about']} |" for e in expressions]
    lines += ["", "## Options", ""]
    for one in sets:
        lines += [
            f"### {one['name']}",
            f"{one.get('about', '')}. The first is the neutral one.",
            "",
            "| choice | |",
            "|---|---|",
        ]
        lines += [f"| `{c['name']}` | {c.get('about', '')} |" for c in one["choices"]]
        lines.append("")
    for group, kind in face_json.GROUPS.items():
        lines += [f"## {group}", ABOUT[group], "", "| field | default | meaning |", "|---|---|---|"]
        struct = getattr(neutral, group)
        lines += [
            f"| `{name}` | {number(getattr(struct, name))} | {meaning.get(name, '')} |"
            for name in face_json.members(kind)
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    head = fr.ForgeHead()
    files = {
        FOLDER / "forgehead_controls.md": controls(head),
        FOLDER / "forgehead.schema.json": json.dumps(face_json.schema(head), indent=1) + "\n",
    }
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.name} is not up to date: run python tools/forgehead_docs.py")
        return 1 if stale else 0
    for path in stale:
        path.write_text(files[path])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
