"""curve.csv of a training → a picture: one small plot for each part of the loss, on a common axis of steps."""

from __future__ import annotations

import csv
from html import escape
from pathlib import Path

_WIDTH, _HEIGHT, _LEFT, _GAP = 250, 130, 44, 34


def draw(path: Path) -> str:
    """SVG text. The learning rate comes last, to show where the plateau ends."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [n for n in rows[0] if n not in ("step", "samples_per_s", "lr")] + ["lr"]
    steps = [int(row["step"]) for row in rows]
    columns = 3
    width = columns * (_WIDTH + _LEFT) + 10
    height = -(-len(names) // columns) * (_HEIGHT + _GAP) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="11"><rect width="100%" height="100%" fill="white"/>'
    ]
    for k, name in enumerate(names):
        x, y = k % columns * (_WIDTH + _LEFT) + _LEFT, k // columns * (_HEIGHT + _GAP) + 18
        parts.append(_plot(name, steps, [float(row[name]) for row in rows], x, y))
    return "".join([*parts, "</svg>\n"])


def _plot(name: str, steps: list[int], values: list[float], x: int, y: int) -> str:
    top = sorted(values)[int(0.97 * (len(values) - 1))] * 1.1 or 1.0  # the first steps are off the scale
    line = " ".join(
        f"{x + _WIDTH * step / steps[-1]:.1f},{y + _HEIGHT * (1 - min(value / top, 1)):.1f}"
        for step, value in zip(steps, values, strict=True)
    )
    return (
        f'<path d="M{x} {y}V{y + _HEIGHT}H{x + _WIDTH}" fill="none" stroke="#999"/>'
        f'<polyline points="{line}" fill="none" stroke="#1668b8" stroke-width="1.5"/>'
        f'<text x="{x + 6}" y="{y - 5}" font-weight="bold">{escape(name)}</text>'
        f'<text x="{x - 4}" y="{y + 9}" text-anchor="end">{top:.3g}</text><text x="{x - 4}" y="{y + _HEIGHT}" text-anchor="end">0</text>'
        f'<text x="{x + _WIDTH}" y="{y + _HEIGHT + 12}" text-anchor="end">{steps[-1]} steps, ends at {values[-1]:.3g}</text>'
    )
