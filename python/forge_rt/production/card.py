"""The dataset card (README.md of a data set): what a person needs who finds the folder and nothing else. Front matter as Hugging Face reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import yaml

from forge_rt.production import card_code
from forge_rt.production.report import data_size, remarks
from forge_rt.production.sources import Source
from forge_rt.production.svg import number, percent, rounded

Json = Mapping[str, Any]

_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")
_RGB = {"jpeg": ("jpg", "JPEG, quality 95, 4:4:4"), "png": ("png", "PNG"), "webp": ("webp", "WebP, quality 95")}
_DEPTH = {
    "png16": ("depth.png", "[H, W] uint16", "depth along the optical axis in steps of 0.1 mm; 0 = nothing there"),
    "npy": ("depth.npy", "[H, W] float32", "depth along the optical axis in metres; 0 = nothing there"),
}
_EXTRAS = {
    "normals": [
        ("normals.png", "[H, W, 3] uint16", "surface normal in the camera frame (x right, y down, z forward): (value − 1) / 32767 − 1; 0, 0, 0 = no surface"),
    ],
    "uv": [("uv.png", "[H, W, 3] uint16", "u · 65535, v · 65535, 65535 on the head; 0, 0, 0 elsewhere")],
    "layers": [
        ("seg_no_objects.png", "[H, W] uint8", "class ids as if no loose object were in front of the face"),
        ("seg_bare_head.png", "[H, W] uint8", "class ids of the bare head: no hair, glasses, hat, clothes"),
    ],
    "volume_depth": [("volume_depth.png", "[D, D] uint16", "depth of the generator's volume, hair included; steps of 0.1 mm, 0 = nothing there")],
    "soft": [("soft.png", "[C·H, W] uint8", "coverage of each class, one below the other in the order of ids; 255 = the whole pixel")],
}  # fmt: skip
#: class names of CelebAMask-HQ that do not say what they are
_MEANING = {
    "l_brow": "left brow", "r_brow": "right brow", "l_eye": "left eye", "r_eye": "right eye", "eye_g": "glasses", "l_ear": "left ear",
    "r_ear": "right ear", "ear_r": "earring", "mouth": "inside of the mouth", "u_lip": "upper lip", "l_lip": "lower lip", "neck_l": "necklace",
    "cloth": "clothes",
}  # fmt: skip
#: member → folder, where samples are single files
_FOLDERS = {"seg.png": "seg", "depth.png": "depth", "depth.npy": "depth", "json": "annotations"}


def write(manifest: Json, statistics: Json) -> str:
    """Markdown. The same manifest and statistics give the same text."""
    parts = [
        "---\n" + yaml.safe_dump(_front_matter(manifest, statistics), sort_keys=False, allow_unicode=True) + "---\n",
        _what(manifest, statistics),
        _numbers(manifest, statistics),
        _files(manifest["plan"]),
        _classes(manifest, statistics["classes"]),
        _read(manifest["plan"]),
        _made(manifest),
        _licence(manifest),
        _limits(manifest, statistics),
    ]
    return "\n".join(parts)


def _front_matter(manifest: Json, statistics: Json) -> dict[str, Any]:
    count = statistics["count"]
    front: dict[str, Any] = {
        "pretty_name": f"forge_rt synthetic faces, {count:,} images",
        **_front_licence(manifest),
        "annotations_creators": ["machine-generated"],
        "tags": ["synthetic", "face", "face-parsing", "facial-landmarks", "depth", "forge-rt"],
        "task_categories": ["image-segmentation", "keypoint-detection", "depth-estimation"],
        "size_categories": [_SIZES[min(max(len(str(count)) - 3, 0), len(_SIZES) - 1)]],
    }
    if manifest["plan"]["layout"] == "shards":
        front["tags"].append("webdataset")
        front["configs"] = [{"config_name": "default", "data_files": "shards/*.tar"}]
    return front


def _front_licence(manifest: Json) -> dict[str, str]:
    """Hub pages know licences by id; others are "other" with a name."""
    said = {manifest["model"]["licence"], *manifest["model"].get("parts", {}).values()}
    if len(said) == 1 and " " not in next(iter(said)):
        return {"license": next(iter(said)).lower()}
    return {"license": "other", "license_name": "; ".join(sorted(said - {"Apache-2.0"}))}


def _what(manifest: Json, statistics: Json) -> str:
    plan = manifest["plan"]
    size, count, people = plan["size"], statistics["count"], statistics["identities"]
    styles = " and ".join(f"{n:,} in style {name}" for name, n in statistics["styles"].items())
    rest = " and camera" if plan["layout"] == "synthforge" else ", camera and all parameters of the head"
    return f"""# Synthetic faces, {count:,} images

{count:,} images of {size} × {size} pixels of {people:,} faces that do not exist{f" ({_plain(styles)})" if styles else ""}, each with class labels,
depth, 68 landmarks{rest}. The labels are not drawn by people or networks. {_plain(manifest.get("truth", Source.truth))}

![the first samples: image, labels with landmarks, depth](contact_sheet.png)
"""


def _numbers(manifest: Json, statistics: Json) -> str:
    pose = statistics["pose"]
    names = {
        "yaw_deg": "yaw, degrees",
        "pitch_deg": "pitch, degrees",
        "fov_deg": "horizontal field of view, degrees",
        "radius_m": "distance, metres",
    }
    rows = [(label, pose[key]) for key, label in names.items()]
    rows += [
        ("size of the face, pixels", statistics["face_px"]),
        ("agreement", statistics["agreement"]),
    ]
    lines = []
    for label, values in rows:
        spread = (values["max"] or 0) - (values["min"] or 0)
        lines.append([label, *(rounded(values[key], spread) for key in ("p05", "mean", "p95"))])
    marks, sizes = statistics["landmarks"], statistics["bytes"]
    return f"""## In numbers

{_table(["", "5 % are below", "mean", "95 % are below"], lines)}

Landmarks: {percent(marks["visible"])} visible, {percent(marks["hidden"])} hidden, {percent(marks["outside"])} outside the frame.
Data: {data_size(sizes["total"])}, {data_size(sizes["mean"])} an image.

Agreement is {_plain(manifest.get("agreement", Source.agreement_is))}.
`statistics.json` has all histograms; `forge-rt inspect DIR --html report.html` draws them.
"""


# ---- files ----


def members(plan: Json) -> list[tuple[str, str, str]]:
    """(name, shape and type, meaning) of the members of a sample."""
    if plan["layout"] == "synthforge":
        return [
            ("png", "[H, W, 3] uint8", "image, sRGB, PNG"),
            ("seg.png", "[H, W, 3] uint8", "classes of the bare head in palette colours on white"),
            ("depth.png", "[D, D] uint8", "depth scaled to each image's own range; 255 = far"),
            ("json", "JSON", "camera_params (25 numbers), 2d_kps (68 × 2 pixels), keys of the published SynthForge set; what the model does not have is empty"),
        ]  # fmt: skip
    suffix, how = _RGB[plan["rgb"]]
    extras = [member for extra in _EXTRAS if extra in plan["extras"] for member in _EXTRAS[extra]]
    if plan["depth"] == "npy":
        extras = [
            ("volume_depth.npy", "[D, D] float32", meaning.replace("steps of 0.1 mm", "metres"))
            if name == "volume_depth.png"
            else (name, kind, meaning)
            for name, kind, meaning in extras
        ]
    return [
        (suffix, "[H, W, 3] uint8", f"image, sRGB, {how}"),
        ("seg.png", "[H, W] uint8", "class ids, table below"),
        _DEPTH[plan["depth"]],
        *extras,
        ("json", "JSON", "camera (pixels, degrees, metres; world to camera 4 × 4), landmarks in pixels and in metres, parameters of the head, attributes"),
    ]  # fmt: skip


def path(plan: Json, member: str, key: str = "00000000") -> str:
    """Where a member of a sample lies."""
    layout = plan["layout"]
    if layout == "shards":
        return f"shards/000000.tar: {key}.{member}"
    folder = _FOLDERS.get(member, member.removesuffix(".png") if "." in member else "images")
    if layout == "coco" and member == "json":
        folder = "records"
    stem = f"{int(key):05d}" if layout == "synthforge" else key
    return f"{folder}/{stem}.{member.rsplit('.', 1)[-1]}"


def _files(plan: Json) -> str:
    layout = plan["layout"]
    files = [
        ("index.parquet", "one row a sample: key, shard, offset, SHA-256, camera, landmarks, class areas, expression, attributes"),
        ("manifest.json", "plan, class table, expression names, model, SHA-256 of every file: what the run is"),
        ("plan.json", "the plan and what it was made with, for `forge-rt generate --config`"),
        ("statistics.json", "counts and histograms of everything above"),
        ("contact_sheet.png", "the first samples"),
        ("journal.jsonl, log.jsonl", "one line a finished shard; times and machines of the run"),
    ]  # fmt: skip
    if layout == "coco":
        files.insert(
            0,
            (
                "annotations/instances.json, annotations/keypoints.json",
                "COCO: classes as instances, faces with 68 keypoints",
            ),
        )
    kind = "WebDataset tars" if layout == "shards" else f"layout `{layout}`"
    rows = [[f"`{path(plan, name)}`", shape, meaning] for name, shape, meaning in members(plan)]
    return f"""## Files

A sample ({kind}; `00000000` is its index):

{_table(["file", "shape, type", "meaning"], rows)}

Beside the samples:

{_table(["file", "content"], [[f"`{name}`", meaning] for name, meaning in files])}

Pixels: x right, y down, the centre of the top-left pixel is (0.5, 0.5). Camera frame: x right, y down, z forward. Head frame: metres, x towards the
subject's left, y up, z out of the face. Yaw is positive where the camera sees the subject's left side, pitch where it looks down. Landmarks: 68 points
in iBUG order{"" if layout == "synthforge" else "; their third number is 0 outside the frame, 1 hidden, 2 visible"}.
"""


def _classes(manifest: Json, found: Sequence[Json]) -> str:
    by_id = {entry["id"]: entry for entry in found}
    rows = []
    for label in manifest["labels"]:
        entry = by_id.get(label["id"], {})
        name, mean = label["name"], number(entry.get("mean_pixels_when_present"))
        color = "#" + "".join(f"{int(c):02x}" for c in label["color"])
        meaning = _MEANING.get(name, name)
        rows.append(
            [str(label["id"]), name, meaning, color, str(label["mirror"]), percent(entry.get("share_of_images")), mean]
        )
    note = ""
    if manifest["plan"]["layout"] == "synthforge":
        note = (
            "\nThese are the classes that the index counts. The files in `seg/` hold the 20 classes of the published SynthForge set,\n"
            "of the bare head, as colours.\n"
        )
    return f"""## Classes

Left and right are the subject's. *After a flip*: the id that a mirrored image needs.
{note}
{_table(["id", "name", "meaning", "colour", "after a flip", "images that have it", "mean pixels there"], rows)}
"""


# ---- use ----


def _read(plan: Json) -> str:
    blocks = [f"{title}\n\n```python\n{code.strip()}\n```\n" for title, code in card_code.snippets(plan)]
    return "## Read it\n\nRun in the folder of this file.\n\n" + "\n".join(blocks)


def _made(manifest: Json) -> str:
    model = manifest["model"]
    return f"""## How it was made

Rendered by {_plain(manifest["engine"])} from the model {_plain(model["name"])} (SHA-256 `{_plain(model["sha256"])}`). Every sample is a function
of the seed and its index. The same build of the engine, on processors with the same instruction set, makes the same bytes again, however many
threads and machines work on it:

```sh
{manifest["replay"]}
```

`forge-rt inspect DIR` checks every hash and count; `forge-rt replay DIR --index K` makes one sample again.
"""


def _licence(manifest: Json) -> str:
    model = manifest["model"]
    licences = list(dict.fromkeys([model["licence"], *model.get("parts", {}).values()]))
    said = _plain(" and ".join(licences))
    if licences == ["Apache-2.0"]:
        use = "The images and labels are under Apache-2.0 too: free to use, change and pass on, also commercially."
    else:
        use = f"The images and labels are made from it; what {said} says about outputs holds for them."
    person = " " + _plain(model["about"]) if model.get("about") else ""
    return f"""## Licence

{_table(["part", "licence"], [["engine forge_rt", "Apache-2.0"], ["model " + model["name"], model["licence"]], *model.get("parts", {}).items()])}

{use}{person}
"""


def _limits(manifest: Json, statistics: Json) -> str:
    lines = [
        "The faces are synthetic and look it. A network trained on them alone meets a gap on photographs: measure it on real data before use.",
        "How often each age, skin tone, hair style, expression or pose occurs was chosen by hand. It describes no population.",
        "Attributes such as age and masculine are sliders of a sculpture, not measurements of people.",
    ]
    if manifest["plan"]["layout"] != "synthforge" and manifest["model"]["name"] == "forgehead":
        lines.append("Hands, cups and other objects in front of a face have depth and class 0.")
    if "wild" in statistics["styles"]:
        lines.append(
            "Images in style wild have other label habits on purpose (beards as hair, frames without lenses, thicker brows), as annotators do."
        )
    lines += remarks(statistics)
    return "## Known limits\n\n" + "\n".join(f"- {_plain(line)}" for line in lines) + "\n"


# ---- Markdown ----


def _plain(text: object) -> str:
    """Text that is no markup and stays in its line and cell."""
    return escape(" ".join(str(text).split()), quote=False).replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
