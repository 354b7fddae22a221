"""Small plots as inline SVG. Colours are CSS variables of the page, so that one plot serves light and dark.

A histogram is the dict that `statistics.Histogram.to_dict` makes: `counts` of equal bins from `low` to `high`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 10, 40
_FAINT = 0.2  #: opacity of a cell with one image


class Bar(NamedTuple):
    label: str
    value: float  #: length
    text: str  #: at the end of the bar
    color: str = "var(--accent)"
    tip: str = ""


class Dot(NamedTuple):
    x: float
    y: float
    share: float | None  #: 0..1, from --hidden to --visible; None: unknown
    tip: str


def number(value: float | None, digits: int = 3) -> str:
    """For people: 1,234,567 · 12.3 · −0.05; nothing known: –."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.0f}"
    if abs(value) < 10 ** (digits - 1):
        text = f"{float(f'{value:.{digits}g}'):.{digits + 3}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text.replace("-", "−")


def rounded(value: float | None, spread: float) -> str:
    """`value` to about three digits of `spread`, so that a mean of nearly nothing reads 0."""
    if value is None or not spread > 0:
        return number(value)
    digits = max(2 - math.floor(math.log10(spread)), 0)
    return number(round(value, digits), 9) if digits else number(round(value))


def percent(share: float | None) -> str:
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    if 0 < share < 0.001:
        return "<0.1 %"
    # 99.98 % must not read 100 %: it would say that none is missing
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{100 * share:.1f} %"


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers (steps of 1, 2 or 5) in [low, high]."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * 0.8)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def histogram(values: Mapping[str, Any], label: str, *, width: int = 400, height: int = 200) -> str:
    """Bars over the range that has values; the vertical axis is the share of all values."""
    shown = _window(values)
    if shown is None:
        return _svg(width, height, _label(width / 2, height / 2, "no values", "middle"), f"{label}: no values")
    edges, counts = shown
    low, high = edges[0], edges[-1]
    total = values["n"]
    peak = max(counts) / total
    marks = ticks(0, 100 * peak, 4)
    top = max(100 * peak * 1.04, marks[-1])
    plot_w, plot_h = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def x(v: float) -> float:
        return _LEFT + (v - low) / (high - low) * plot_w

    def y(p: float) -> float:
        return _TOP + plot_h * (1 - p / top)

    parts = [
        _grid(_LEFT, y(p), width - _RIGHT, y(p)) + _label(_LEFT - 6, y(p) + 4, number(p) + " %", "end") for p in marks
    ]
    for k, count in enumerate(counts):
        if count:
            share = count / total
            tip = f"{number(edges[k], 4)} to {number(edges[k + 1], 4)}: {count:,} ({percent(share)})"
            left, right = x(edges[k]), x(edges[k + 1])
            bar_height = max(plot_h * 100 * share / top, 1.0)
            parts.append(
                _rect(
                    left + 0.5, _TOP + plot_h - bar_height, max(right - left - 1, 1), bar_height, "var(--accent)", tip
                )
            )
    parts.append(_axis(_LEFT, _TOP + plot_h, width - _RIGHT, _TOP + plot_h))
    parts += _bottom_labels(ticks(low, high, 6 if width > 300 else 4), x, _TOP + plot_h, label, width)
    return _svg(width, height, "".join(parts), f"histogram of {label}")


def spark(values: Mapping[str, Any], first: float, last: float, *, width: int = 90, height: int = 18) -> str:
    """A histogram without axes over [first, last], of one height whatever its counts."""
    counts, low = values["counts"], values["low"]
    step = (values["high"] - low) / len(counts)
    chosen = [(low + k * step, n) for k, n in enumerate(counts) if first - 1e-9 <= low + k * step < last - 1e-9]
    peak = max((n for _, n in chosen), default=0)
    parts = [_axis(0, height - 0.5, width, height - 0.5)]
    for edge, n in chosen:
        if n:
            tall = max((height - 2) * n / peak, 1.0)
            bar = (
                (edge - first) / (last - first) * width,
                height - 1 - tall,
                max(step / (last - first) * width - 0.7, 0.7),
            )
            parts.append(_rect(*bar, tall, "var(--accent)", f"{number(edge)} to {number(edge + step)}: {n:,}"))
    return _svg(width, height, "".join(parts), "distribution", fixed=True)


def bars(
    rows: Sequence[Bar], *, width: int = 400, label_width: int = 132, text_width: int = 62, longest: float | None = None
) -> str:
    """Horizontal bars, one a row; `longest`: the value of a full bar."""
    row_height = 20
    height = max(row_height * len(rows), row_height) + 4
    if not rows:
        return _svg(width, height, _label(width / 2, 15, "no values", "middle"), "no values")
    full = longest or max(row.value for row in rows) or 1.0
    room = width - label_width - text_width
    parts = []
    for k, row in enumerate(rows):
        y = 2 + k * row_height
        length = max(room * min(row.value / full, 1.0), 1.5 if row.value > 0 else 0.0)
        tip = row.tip or f"{row.label}: {row.text}"
        parts.append(
            _label(label_width - 8, y + 14, _short(row.label, int((label_width - 8) / 6.3)), "end", "name", row.label)
        )
        parts.append(_rect(label_width, y + 3, room, 14, "var(--track)"))
        if length:
            parts.append(_rect(label_width, y + 3, length, 14, row.color, tip, "outlined"))
        parts.append(_label(label_width + room + 6, y + 14, row.text, "start"))
    return _svg(width, height, "".join(parts), "bar chart")


def heat_map(
    counts: Sequence[Sequence[int]],
    x_low: float,
    y_low: float,
    step: float,
    x_label: str,
    y_label: str,
    *,
    width: int = 820,
) -> str:
    """Cells of `step` × `step`, cropped to what is occupied. Row 0 is lowest; darker is more."""
    rows = [k for k, row in enumerate(counts) if any(row)]
    columns = [k for k in range(len(counts[0])) if any(row[k] for row in counts)]
    if not rows:
        return _svg(width, 120, _label(width / 2, 60, "no values", "middle"), f"{x_label} and {y_label}: no values")
    first_row, last_row = _widen(rows[0], rows[-1], 6, len(counts))
    first_column, last_column = _widen(columns[0], columns[-1], 12, len(counts[0]))
    n_columns, n_rows = last_column - first_column + 1, last_row - first_row + 1
    room = width - _LEFT - 8 - 86
    cell_w, cell_h = room / n_columns, 0.5 * width / n_rows
    bottom = _TOP + cell_h * n_rows
    peak = max(map(max, counts))
    parts = [_rect(_LEFT + 8, _TOP, room, cell_h * n_rows, "var(--track)")]
    for r in range(first_row, last_row + 1):
        for c in range(first_column, last_column + 1):
            if n := counts[r][c]:
                yaw, pitch = x_low + c * step, y_low + r * step
                tip = f"{x_label} {number(yaw)} to {number(yaw + step)}, {y_label} {number(pitch)} to {number(pitch + step)}: {n:,} images"
                at = _LEFT + 8 + (c - first_column) * cell_w, _TOP + (last_row - r) * cell_h
                parts.append(
                    _rect(
                        *at, cell_w - 0.6, cell_h - 0.6, "var(--accent)", tip, opacity=_FAINT + (1 - _FAINT) * n / peak
                    )
                )
    left, low = x_low + first_column * step, y_low + first_row * step

    def x(v: float) -> float:
        return _LEFT + 8 + (v - left) / step * cell_w

    for v in ticks(low, low + n_rows * step, max(2, min(6, int(cell_h * n_rows / 30)))):
        parts.append(_label(_LEFT + 2, bottom - (v - low) / step * cell_h + 4, number(v), "end"))
    middle = (_TOP + bottom) / 2
    parts.append(
        f'<text x="12" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 12 {middle:.1f})" class="axis">{escape(y_label)}</text>'
    )
    parts += _bottom_labels(ticks(left, left + n_columns * step, 10), x, bottom, x_label, width - 80)
    parts += _legend(width - 66, _TOP, peak)
    return _svg(width, bottom + _BOTTOM, "".join(parts), f"{y_label} against {x_label}")


def points(dots: Sequence[Dot], *, radius: float = 5.5, margin: float = 12) -> str:
    """Dots where they are, coloured by their share."""
    width = max((d.x for d in dots), default=0) + 2 * margin
    height = max((d.y for d in dots), default=0) + 2 * margin
    parts = []
    for dot in dots:
        fill = (
            "var(--track)"
            if dot.share is None
            else f"color-mix(in oklab, var(--visible) {100 * dot.share:.1f}%, var(--hidden))"
        )
        parts.append(
            f'<circle cx="{dot.x + margin:g}" cy="{dot.y + margin:g}" r="{radius:g}" class="outlined" style="fill:{fill}">'
            f"<title>{escape(dot.tip)}</title></circle>"
        )
    return _svg(width, height, "".join(parts), "68 landmarks by the share of images in which they are visible")


# ---- parts of plots ----


def _window(values: Mapping[str, Any]) -> tuple[list[float], list[int]] | None:
    """Edges and counts of the bins to draw: the occupied ones, joined so that about forty are left."""
    counts: list[int] = values["counts"]
    occupied = [k for k, n in enumerate(counts) if n]
    if not occupied:
        return None
    span = occupied[-1] - occupied[0] + 1
    join = next(f for f in (1, 2, 5, 10, 20) if span <= 42 * f)
    groups = [sum(counts[k : k + join]) for k in range(0, len(counts), join)]
    first, last = _widen(occupied[0] // join, occupied[-1] // join, 12, len(groups))
    width = (values["high"] - values["low"]) / len(counts) * join
    edges = [round(values["low"] + k * width, 9) for k in range(first, last + 2)]
    return edges, groups[first : last + 1]


def _widen(first: int, last: int, least: int, size: int) -> tuple[int, int]:
    """A range of at least `least` of `size` places around first..last, so that a single value is not as wide as the plot."""
    lacking = max(least - (last - first + 1), 0)
    first = max(first - lacking // 2, 0)
    last = min(max(last, first + least - 1), size - 1)
    return max(min(first, last - least + 1), 0), last


def _legend(x: float, y: float, peak: int) -> list[str]:
    steps, height = 5, 90
    parts = [_rect(x, y, 14, height, "var(--track)")]
    for k in range(steps):
        parts.append(
            _rect(
                x,
                y + height * (steps - 1 - k) / steps,
                14,
                height / steps,
                "var(--accent)",
                opacity=_FAINT + (1 - _FAINT) * k / (steps - 1),
            )
        )
    return [
        *parts,
        _label(x + 19, y + 9, f"{peak:,}", "start"),
        _label(x + 19, y + height, "1" if peak > 1 else "", "start"),
        _label(x, y + height + 18, "images", "start"),
    ]


def _bottom_labels(marks: Sequence[float], x: Any, y: float, label: str, width: float) -> list[str]:
    parts = [_axis(x(v), y, x(v), y + 4) + _label(x(v), y + 17, number(v, 4), "middle") for v in marks]
    parts.append(
        f'<text x="{(_LEFT + width - _RIGHT) / 2:.1f}" y="{y + 34:.1f}" text-anchor="middle" class="axis">{escape(label)}</text>'
    )
    return parts


def _svg(width: float, height: float, body: str, about: str, fixed: bool = False) -> str:
    size = f' width="{width:g}" height="{height:g}"' if fixed else ""
    return f'<svg viewBox="0 0 {width:g} {height:g}"{size} role="img" aria-label="{escape(about)}">{body}</svg>'


def _rect(
    x: float,
    y: float,
    width: float,
    height: float,
    color: str,
    tip: str = "",
    kind: str = "",
    opacity: float | None = None,
) -> str:
    more = f' class="{kind}"' if kind else ""
    more += f' fill-opacity="{opacity:.3f}"' if opacity is not None else ""
    inside = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" style="fill:{escape(color)}"{more}>{inside}</rect>'


def _label(x: float, y: float, text: str, anchor: str, kind: str = "", tip: str = "") -> str:
    more = f' class="{kind}"' if kind else ""
    inside = f"<title>{escape(tip)}</title>" if tip and tip != text else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}{inside}</text>'


def _axis(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="line"/>'


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="grid"/>'


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
