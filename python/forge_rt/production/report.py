"""A finished data set at a glance: one HTML page that needs nothing else, and a summary for the terminal."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from forge_rt.production import svg
from forge_rt.production.svg import Bar, Dot, number, percent

Json = Mapping[str, Any]

#: where the 68 points are in a frontal face of ForgeHead with its mouth open
_FACE = (
    (0, 59), (1, 89), (7, 120), (17, 156), (27, 198), (45, 237), (73, 269), (100, 294), (133, 300), (165, 294), (192, 269), (220, 237),
    (238, 198), (248, 156), (258, 120), (265, 89), (265, 59), (37, 7), (54, 1), (74, 0), (93, 4), (112, 9), (153, 9), (172, 4), (192, 0),
    (211, 1), (228, 7), (133, 42), (133, 70), (133, 100), (133, 126), (104, 144), (118, 144), (133, 144), (147, 144), (161, 144), (41, 50),
    (55, 42), (88, 43), (102, 53), (87, 61), (54, 61), (164, 53), (178, 43), (210, 42), (224, 50), (211, 61), (179, 61), (84, 208),
    (91, 181), (117, 171), (133, 176), (149, 171), (174, 181), (182, 208), (174, 236), (157, 248), (133, 253), (109, 248), (92, 236),
    (98, 204), (113, 191), (133, 194), (153, 191), (168, 204), (155, 229), (133, 233), (110, 229),
)  # fmt: skip
_GROUPS = {
    "jaw": (0, 17), "right brow": (17, 22), "left brow": (22, 27), "nose": (27, 36), "right eye": (36, 42), "left eye": (42, 48),
    "mouth": (48, 68),
}  # fmt: skip
_POSE = {
    "yaw_deg": ("Yaw", "degrees; positive sees the subject's left side"),
    "pitch_deg": ("Pitch", "degrees; positive looks down on the face"),
    "roll_deg": ("Roll", "degrees; positive turns the camera clockwise"),
    "fov_deg": ("Field of view", "degrees, horizontal"),
    "radius_m": ("Distance", "metres, camera to head"),
}
#: choices of an attribute that get a bar of their own
_CHOICES = 24


# ---- the page ----


def html(manifest: Json, statistics: Json, problems: Sequence[str], sheet_png: bytes | None) -> str:
    """One page without outside references. `problems`: what a check of every hash and count found; none is good."""
    count = statistics["count"]
    title = f"{count:,} image{'s' * (count != 1)} of synthetic faces"
    sections = [
        _headline(manifest, statistics),
        _remarks(remarks(statistics)),
        _sheet(sheet_png),
        _section("Camera", "", _camera(statistics)),
        _section(
            "Landmarks",
            "Visible: nothing is in front of the point. Left and right are the subject's.",
            _landmarks(statistics),
        ),
        _section("Classes", "Of the label mask.", _classes(manifest, statistics)),
        _section(
            "Expressions",
            "How many images have a weight beyond ±0.1, and how those weights are spread.",
            _expressions(statistics),
        ),
        _section("Attributes", "", _attributes(statistics)),
        _section("Quality", "", _quality(statistics)),
        _section("How it was made", "", _making(manifest)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head>\n<body><main>\n<h1>{escape(title)}</h1>\n"
        + _verdict(problems)
        + "\n".join(sections)
        + "\n</main></body></html>\n"
    )


def _verdict(problems: Sequence[str]) -> str:
    if not problems:
        return '<p class="verdict good"><b>Whole.</b> Every hash and every count was checked and is right.</p>\n'
    n = len(problems)
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems[:50])
    rest = f"<p>… and {n - 50:,} more.</p>" if n > 50 else ""
    return f'<div class="verdict bad"><b>{n:,} problem{"s" * (n > 1)}.</b><ul>{items}</ul>{rest}</div>\n'


def _headline(manifest: Json, statistics: Json) -> str:
    plan, sizes = manifest["plan"], statistics["bytes"]
    size, count, people = plan["size"], statistics["count"], statistics["identities"]
    facts = [
        (f"{count:,}", f"image{'s' * (count != 1)} of {size} × {size} px"),
        (f"{people:,}", "identity" if people == 1 else "identities"),
        (data_size(sizes["total"]), f"{data_size(sizes['mean'])} an image"),
        (_share_text(statistics["accepted"], statistics["count"]), "accepted"),
        (percent(statistics["landmarks"]["visible"]), "of landmarks visible"),
        (number(statistics["agreement"]["mean"]), "mean agreement of labels with the image"),
    ]
    return (
        '<div class="facts">'
        + "".join(f"<div><b>{escape(v)}</b><span>{escape(k)}</span></div>" for v, k in facts)
        + "</div>"
    )


def _remarks(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return (
        '<div class="remarks"><b>Worth knowing</b><ul>'
        + "".join(f"<li>{escape(line)}</li>" for line in lines)
        + "</ul></div>"
    )


def _sheet(sheet_png: bytes | None) -> str:
    if not sheet_png:
        return ""
    data = base64.b64encode(sheet_png).decode("ascii")
    about = "Each tile: image, labels with landmarks (green visible, red hidden), depth (near is bright)."
    return _section(
        "First samples", about, f'<img class="sheet" alt="contact sheet" src="data:image/png;base64,{data}">'
    )


def _camera(statistics: Json) -> str:
    pose, coverage = statistics["pose"], statistics["yaw_pitch"]
    heat = svg.heat_map(
        coverage["counts"],
        coverage["yaw_low_deg"],
        coverage["pitch_low_deg"],
        coverage["step_deg"],
        "yaw, degrees",
        "pitch, degrees",
    )
    plots = [_figure(f"Yaw × pitch, images in cells of {coverage['step_deg']}°", "", heat, "wide")]
    plots += [_histogram(title, label, pose[name]) for name, (title, label) in _POSE.items()]
    return _grid(plots)


def _landmarks(statistics: Json) -> str:
    shares = statistics["landmarks"]["points"]
    tips = [
        ", ".join([f"point {k}: visible {percent(v)}", f"hidden {percent(h)}", f"outside the frame {percent(o)}"])
        for k, (v, h, o) in enumerate(zip(shares["visible"], shares["hidden"], shares["outside"], strict=True))
    ]
    dots = [Dot(x, y, share, tip) for (x, y), share, tip in zip(_FACE, shares["visible"], tips, strict=True)]
    ramp = '<div class="ramp"><span>0 %</span><i></i><span>100 % visible</span></div>'
    rows = []
    for name, (first, last) in {**_GROUPS, "all 68": (0, 68)}.items():
        cells = {key: _mean(shares[key][first:last]) for key in ("visible", "hidden", "outside")}
        stack = "".join(f'<i class="{key}" style="width:{100 * (v or 0):.2f}%"></i>' for key, v in cells.items())
        numbers = "".join(f"<td>{percent(v)}</td>" for v in cells.values())
        rows.append(f'<tr><th>{name}</th><td class="stack">{stack}</td>{numbers}</tr>')
    names = "".join(f'<th><i class="key {key}"></i>{key}</th>' for key in ("visible", "hidden", "outside"))
    head = f"<tr><th></th><th></th>{names}</tr>"
    face = f'<div class="face">{svg.points(dots)}{ramp}</div>'
    table = f'<table class="groups">{head}{"".join(rows)}</table>'
    size = _histogram("Size of the face", "pixels, longer side of the box of the landmarks", statistics["face_px"])
    return _grid([
        _figure("Visible share of each point", "", face),
        _figure("By part of the face", "share of points", table),
        size,
    ])  # fmt: skip


def _classes(manifest: Json, statistics: Json) -> str:
    colors = {label["id"]: label["color"] for label in manifest["labels"]}
    has, pixels = [], []
    for entry in statistics["classes"]:
        label, color = f"{entry['id']}  {entry['name']}", _rgb(colors.get(entry["id"], (128, 128, 128)))
        mean = entry["mean_pixels_when_present"]
        share, area = (
            percent(entry["share_of_images"]),
            f"{number(mean)} px, {percent(entry['share_of_pixels'])}" if mean else "–",
        )
        has.append(
            Bar(label, entry["share_of_images"] or 0.0, share, color, f"{entry['name']}: {entry['images']:,} images")
        )
        pixels.append(Bar(label, (mean or 0.0) ** 0.5, area, color))
    note = "bar: side of a square of that area; numbers: mean pixels where present, share of all pixels"
    return _grid([
        _figure("Images that have the class", "share of images", svg.bars(has, width=600, longest=1.0), "half"),
        _figure("Area", note, svg.bars(pixels, width=600, text_width=130), "half"),
    ])  # fmt: skip


def _expressions(statistics: Json) -> str:
    entries = statistics["expressions"].items()
    negative = any(entry["min"] is not None and entry["min"] < -0.1 for _, entry in entries)
    greatest = max((entry["max"] for _, entry in entries if entry["max"] is not None), default=0.0)
    first, last = (-1.0 if negative else 0.0), next((end for end in (1.0, 1.25, 1.5) if greatest <= end), 2.0)
    rows = []
    for name, entry in entries:
        share = entry["present"]
        spread = svg.spark(_beyond(entry, 0.1), first, last)
        bar = f'<span class="meter"><i style="width:{100 * (share or 0):.2f}%"></i></span>'
        rows.append(f"<tr><th>{escape(name)}</th><td>{bar}</td><td>{percent(share)}</td><td>{spread}</td></tr>")
    third = max(-(-len(rows) // 3), 1)
    head = f"<tr><th></th><th>images</th><th></th><th>weights {number(first)} … {number(last)}</th></tr>"
    tables = [
        f'<table class="weights">{head}{"".join(rows[k : k + third])}</table>' for k in range(0, len(rows), third)
    ]
    return f'<div class="grid">{"".join(f"<figure>{table}</figure>" for table in tables)}</div>'


def _attributes(statistics: Json) -> str:
    count, entries = statistics["count"], statistics["attributes"].items()
    sliders = [_histogram(name, "value", entry) for name, entry in entries if entry["kind"] == "slider"]
    choices = {
        "style": statistics["styles"],
        **{name: entry["counts"] for name, entry in entries if entry["kind"] == "choice"},
    }
    boxes = "".join(_choice(name, counts, count) for name, counts in choices.items())
    return f'{_grid(sliders)}<div class="columns">{boxes}</div>'


def _choice(name: str, entry: Mapping[str, int], count: int) -> str:
    counts = list(entry.items())
    rows = [
        Bar(choice, n, percent(n / count if count else None), tip=f"{choice}: {n:,} images")
        for choice, n in counts[:_CHOICES]
    ]
    rest = sum(n for _, n in counts[_CHOICES:])
    if rest:
        rows.append(Bar(f"{len(counts) - _CHOICES} others", rest, percent(rest / count), "var(--muted)"))
    note = f"{len(counts)} choice{'s' * (len(counts) != 1)}, share of images"
    return _figure(name, note, svg.bars(rows))


def _quality(statistics: Json) -> str:
    count = statistics["count"]
    attempts = [Bar(f"{k}", n, f"{n:,}") for k, n in statistics["attempts"].items()]
    reasons = list(statistics["reasons"].items())
    refused = count - statistics["accepted"]
    plots = [
        _histogram(
            "Agreement",
            "1: borders of labels are edges; 0.5: unrelated",
            statistics["agreement"],
        ),
        _figure(
            "Draws until an image was taken",
            f"number of images; {statistics['redrawn']:,} draws were thrown away",
            svg.bars(attempts),
        ),
    ]
    if refused:
        note = f"{refused:,} kept and marked: no draw was good enough"
        rows = "".join(f"<tr><td>{escape(reason)}</td><td>{n:,}</td></tr>" for reason, n in reasons[:8])
        rest = sum(n for _, n in reasons[8:])
        rows += f"<tr><td>other reasons</td><td>{rest:,}</td></tr>" if rest else ""
        plots.append(_figure("Images not accepted", note, f'<table class="reasons">{rows}</table>'))
    return _grid(plots)


def _making(manifest: Json) -> str:
    model = manifest["model"]
    rows = {
        "engine": manifest["engine"],
        "model": f"{model['name']}, {model['licence']}, SHA-256 {model['sha256']}",
        "plan": json.dumps({k: v for k, v in manifest["plan"].items() if k != "camera"}),
        "camera": json.dumps(manifest["plan"].get("camera")),
    }
    lines = "".join(f"<tr><th>{key}</th><td><code>{escape(str(value))}</code></td></tr>" for key, value in rows.items())
    replay = f"<pre>{escape(manifest['replay'])}</pre>"
    return f'<figure class="all"><figcaption>Make it again</figcaption>{replay}<table class="made">{lines}</table></figure>'


# ---- parts of the page ----


def _section(title: str, about: str, body: str) -> str:
    note = f"<p>{escape(about)}</p>" if about else ""
    return f"<section><h2>{escape(title)}</h2>{note}{body}</section>"


def _grid(figures: Sequence[str]) -> str:
    return f'<div class="grid">{"".join(figures)}</div>'


def _figure(title: str, note: str, body: str, kind: str = "") -> str:
    small = f"<small>{escape(note)}</small>" if note else ""
    return f'<figure class="{kind}"><figcaption>{escape(title)}{small}</figcaption>{body}</figure>'


def _histogram(title: str, label: str, values: Json) -> str:
    return _figure(title, _summary(values), svg.histogram(values, label))


def _summary(values: Json) -> str:
    if not values["n"]:
        return f"{values['missing']:,} images without a value" if values["missing"] else ""
    spread = values["max"] - values["min"]
    mean, low, high = (svg.rounded(values[key], spread) for key in ("mean", "p05", "p95"))
    parts = [f"mean {mean}", f"90 % in {low} … {high}"]
    if values["min"] == values["max"]:
        parts = [f"always {number(values['min'])}"]
    if values["below"] or values["above"]:
        parts.append(
            f"{values['below'] + values['above']:,} outside {number(values['low'])} … {number(values['high'])}, not drawn"
        )
    if values["missing"]:
        parts.append(f"{values['missing']:,} without a value")
    return "; ".join(parts)


def _beyond(values: Json, least: float) -> dict[str, Any]:
    """A histogram without its middle."""
    counts, low = values["counts"], values["low"]
    step = (values["high"] - low) / len(counts)
    centres = (low + (k + 0.5) * step for k in range(len(counts)))
    return {**values, "counts": [n if abs(c) > least else 0 for n, c in zip(counts, centres, strict=True)]}


def _rgb(color: Sequence[int]) -> str:
    return "#" + "".join(f"{int(c):02x}" for c in color)


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None


def _share_text(part: int, whole: int) -> str:
    return percent(part / whole if whole else None)


def data_size(size: float | None) -> str:
    if size is None:
        return "–"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{number(size)} {unit}"


# ---- what a person should be told ----


def remarks(statistics: Json) -> list[str]:
    """What is unusual in the numbers, one sentence each; also for people who look at no plot."""
    lines = []
    count = statistics["count"]
    if not count:
        return ["There are no samples."]
    refused = count - statistics["accepted"]
    if refused:
        lines.append(
            f"{refused:,} of {count:,} images are not accepted: no draw was good enough. Column accepted of the index tells which."
        )
    absent = [entry["name"] for entry in statistics["classes"] if not entry["images"]]
    if absent:
        lines.append(f"No image has the class{'es' * (len(absent) > 1)} {', '.join(absent)}.")
    unused = [name for name, entry in statistics["expressions"].items() if not entry["present"]]
    if unused:
        lines.append(f"No image has the expression{'s' * (len(unused) > 1)} {_listed(unused)} beyond ±0.1.")
    agreement = statistics["agreement"]
    if agreement["p05"] is not None and agreement["p05"] < 0.6:
        lines.append(
            f"A twentieth of the images has an agreement below {number(agreement['p05'])}; the card says what it measures."
        )
    if statistics["landmarks"]["not_a_number"]:
        lines.append(f"{statistics['landmarks']['not_a_number']:,} landmarks are not a number.")
    return lines


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# ---- the terminal ----


def text(manifest: Json, statistics: Json, problems: Sequence[str]) -> str:
    """About 25 lines."""
    plan, sizes, marks = manifest["plan"], statistics["bytes"], statistics["landmarks"]
    count = statistics["count"]
    lines = [
        f"{count:,} image{'s' * (count != 1)} of {plan['size']} x {plan['size']}, {statistics['identities']:,} identities, layout {plan['layout']}, "
        f"style {', '.join(f'{name} {n:,}' for name, n in statistics['styles'].items()) or '–'}",
        f"{data_size(sizes['total'])}, {data_size(sizes['mean'])} an image ({data_size(sizes['min'])} to {data_size(sizes['max'])})",
        f"{statistics['accepted']:,} accepted, {count - statistics['accepted']:,} not, {statistics['redrawn']:,} draws thrown away",
        "",
        f"{'':<14}{'least':>9}{'5 %':>9}{'mean':>9}{'95 %':>9}{'most':>9}",
    ]
    columns = {**statistics["pose"], "face_px": statistics["face_px"], "agreement": statistics["agreement"]}
    for name, values in columns.items():
        spread = (values["max"] or 0.0) - (values["min"] or 0.0)
        numbers = "".join(f"{svg.rounded(values[key], spread):>9}" for key in ("min", "p05", "mean", "p95", "max"))
        lines.append(f"{name:<14}{numbers}  {_line(values)}".rstrip())
    common = sorted(statistics["classes"], key=lambda entry: entry["share_of_images"] or 0.0)
    rare = [f"{entry['name']} {percent(entry['share_of_images'])}" for entry in common if entry["images"]][:6]
    used = sorted(statistics["expressions"].items(), key=lambda item: (-(item[1]["present"] or 0.0), item[0]))
    favourites = [f"{name} {percent(entry['present'])}" for name, entry in used[:4]]
    lines += [
        "",
        f"landmarks      visible {percent(marks['visible'])}, hidden {percent(marks['hidden'])}, outside {percent(marks['outside'])}",
        f"classes        {len(common)}; rarest: {', '.join(rare) or '–'}",
        f"expressions    {len(used)}; most used: {', '.join(favourites) or '–'}",
        f"attributes     {len(statistics['attributes'])}: {_listed(list(statistics['attributes']), 12) or '–'}",
    ]
    lines += [f"note: {line}" for line in remarks(statistics)]
    lines.append("")
    if not problems:
        lines.append("Whole: every hash and count was checked and is right.")
    else:
        lines.append(f"{len(problems):,} problem{'s' * (len(problems) > 1)}:")
        lines += [f"  {problem}" for problem in problems[:8]]
        if len(problems) > 8:
            lines.append(f"  … and {len(problems) - 8:,} more (--json lists all)")
    return "\n".join(lines) + "\n"


def _line(values: Json, width: int = 24) -> str:
    """The histogram from its least to its greatest value in one line."""
    counts = values["counts"]
    occupied = [k for k, n in enumerate(counts) if n]
    if not occupied or occupied[0] == occupied[-1]:
        return ""
    used = counts[occupied[0] : occupied[-1] + 1]
    join = -(-len(used) // width)
    groups = [sum(used[k : k + join]) for k in range(0, len(used), join)]
    return "".join(" " if n == 0 else "▁▂▃▄▅▆▇█"[min(8 * n // max(groups), 7)] for n in groups)


_CSS = """
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--text:#1b1f26;--muted:#5d6673;--line:#b4bbc6;--grid:#e6e9ee;--track:#eef0f4;
--accent:#2f6db5;--good:#1f8a5b;--bad:#d0472f;--visible:#2f6db5;--hidden:#e39a3b;--outside:#a9b1bd;--good-page:#e4f4ec;--bad-page:#fce9e5}
@media (prefers-color-scheme:dark){:root{--page:#121519;--card:#1b2027;--text:#e6e9ee;--muted:#9aa4b2;--line:#4c5663;--grid:#2a313a;
--track:#262c35;--accent:#69a8ee;--good:#48c08a;--bad:#f07a62;--visible:#69a8ee;--hidden:#c9792b;--outside:#5b6674;--good-page:#16302a;--bad-page:#3a211d}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1320px;margin:0 auto;padding:28px 24px 64px}
h1{font-size:28px;margin:0 0 14px}h2{font-size:20px;margin:40px 0 4px}section>p{margin:0 0 4px;color:var(--muted)}
.verdict{padding:12px 16px;border-radius:8px;margin:0 0 16px;border-left:5px solid}
.verdict.good{background:var(--good-page);border-color:var(--good)}.verdict.bad{background:var(--bad-page);border-color:var(--bad)}
.verdict ul,.remarks ul{margin:6px 0 0;padding-left:20px}.verdict li{overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px}
.facts div,figure,.remarks{background:var(--card);border:1px solid var(--grid);border-radius:8px;padding:12px 14px}
.facts b{display:block;font-size:24px;line-height:1.2}.facts span{color:var(--muted);font-size:13px}
.remarks{margin-top:14px}
.grid{display:grid;grid-template-columns:repeat(6,1fr);gap:14px;margin-top:10px}
figure{margin:0;min-width:0;grid-column:span 2}figure.wide{grid-column:span 4;grid-row:span 2}figure.half{grid-column:span 3}
figcaption{font-weight:600;margin-bottom:8px}figcaption small{display:block;font-weight:400;font-size:12.5px;color:var(--muted)}
figure.all{margin-top:10px}.columns{columns:3;column-gap:14px;margin-top:14px}.columns figure{break-inside:avoid;margin-bottom:14px}
.sheet{width:100%;border-radius:8px;margin-top:10px;display:block}
svg{width:100%;height:auto;display:block;overflow:visible}svg[width]{width:auto}
text{font-size:11.5px;fill:var(--muted)}text.name{fill:var(--text)}text.axis{font-size:12px;fill:var(--text)}
.line{stroke:var(--line)}.grid line,.grid{stroke-width:1}line.grid{stroke:var(--grid)}.outlined{stroke:var(--line);stroke-width:.75}
table{border-collapse:collapse;width:100%;font-size:13px}th{font-weight:400;text-align:left;white-space:nowrap}
td{font-variant-numeric:tabular-nums}tr:first-child th{color:var(--muted);font-size:12px}
.groups td,.groups th{white-space:nowrap;padding:8px 0 8px 8px}.groups th:first-child{padding-left:0}.groups tr:first-child th,.groups td{text-align:right}
.groups .stack{width:40%;font-size:0;text-align:left}
.stack i{display:inline-block;height:16px;vertical-align:middle}
.visible{background:var(--visible)}.hidden{background:var(--hidden)}.outside{background:var(--outside)}
.key{display:inline-block;width:9px;height:9px;margin-right:5px;border-radius:2px}.groups tr:last-child{font-weight:600;border-top:1px solid var(--grid)}
.face{max-width:330px;margin:0 auto}.ramp{display:flex;gap:8px;align-items:center;font-size:12px;color:var(--muted);margin-top:8px}
.ramp i{flex:1;height:10px;border-radius:5px;background:linear-gradient(in oklab to right,var(--hidden),var(--visible))}
.weights td,.weights th{padding:2px 6px 2px 0}.weights td:nth-child(3){text-align:right;width:56px}.weights td:nth-child(4){width:92px}
.meter{display:block;height:10px;background:var(--track);min-width:70px}.meter i{display:block;height:100%;background:var(--accent)}
.reasons td{padding:3px 0;overflow-wrap:anywhere}.reasons td:last-child{text-align:right;padding-left:12px}
.made th{vertical-align:top;padding:4px 16px 4px 0;color:var(--muted);font-size:13px}.made td{padding:4px 0}code{overflow-wrap:anywhere;font-size:12px}
pre{background:var(--track);padding:10px 12px;border-radius:6px;overflow:auto;margin:0 0 10px}
@media (max-width:960px){figure,figure.wide,figure.half{grid-column:1/-1}.columns{columns:1}}
"""
