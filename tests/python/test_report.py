"""Report and card of a data set: complete, escaped, readable by the programs they are for; the card's code runs as it stands."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from forge_rt.production import card, card_code, report, svg
from forge_rt.production.statistics import Statistics
from test_statistics import MANIFEST, columns, table

VOID = {"meta", "img", "br", "link", "input"}


def numbers(n: int) -> dict[str, Any]:
    """As they come back from statistics.json."""
    return json.loads(json.dumps(Statistics(MANIFEST).add(table(columns(max(n, 1))).slice(0, n)).to_dict()))


class Page(HTMLParser):
    """Every element is closed in order; collects references and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href", "data")]
        for _, value in attributes:
            assert "nan" not in (value or "").split(), attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("n", [0, 1, 300])
def test_page_is_whole_and_alone(n: int) -> None:
    html = report.html(MANIFEST, numbers(n), [], b"\x89PNG not looked at")
    page = Page(html)
    assert page.text.count("Every hash and every count was checked") == 1
    assert page.references == [r for r in page.references if r.startswith("data:image/png;base64,")] and page.references
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    assert "script" not in page.tags and "link" not in page.tags
    for title in (
        "Yaw × pitch",
        "Roll",
        "Landmarks",
        "Classes",
        "Expressions",
        "Attributes",
        "Agreement",
        MANIFEST["replay"],
    ):
        assert title in page.text
    assert page.tags.count("circle") == 68
    assert report.html(MANIFEST, numbers(n), [], b"\x89PNG not looked at") == html


def test_names_and_problems_are_escaped() -> None:
    manifest = json.loads(json.dumps(MANIFEST))
    manifest["engine"] = manifest["replay"] = manifest["model"]["name"] = "<script>x</script>"
    values = columns(20)
    values["attribute/<i>"] = ["<u>\"'&"] * 20
    values["style"] = ["<s>"] * 20
    found = Statistics(manifest).add(table(values)).to_dict()
    html = report.html(manifest, found, ["bad <em>file</em> & more"], None)
    page = Page(html)
    assert not {"b2", "i2", "script", "em", "u", "s"} & set(page.tags)
    assert "bad <em>file</em> & more" in page.text and "a&b" in page.text and "<script>x</script>" in page.text
    assert html.count("<b>") == html.count("</b>")
    assert "&lt;b&gt;" in html and "<b></text>" not in html
    text = card.write(manifest, found)
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    assert not re.search(r"<(script|b|i|u|s)>", prose)


def test_problems_are_listed() -> None:
    page = Page(report.html(MANIFEST, numbers(5), [f"problem {k}" for k in range(60)], None))
    assert "60 problems." in page.text and "problem 49" in page.text and "10 more" in page.text
    assert "was checked and is right" not in page.text


def test_terminal_summary() -> None:
    good = report.text(MANIFEST, numbers(300), [])
    assert 15 <= len(good.splitlines()) <= 30 and "300 images of 64 x 64, 150 identities" in good
    assert "Whole: every hash and count was checked and is right." in good
    bad = report.text(MANIFEST, numbers(300), ["shards/000001.tar is missing"])
    assert "1 problem:\n  shards/000001.tar is missing\n" in bad and "Whole" not in bad
    assert "There are no samples." in report.text(MANIFEST, numbers(0), [])
    assert report.text(MANIFEST, numbers(1), [])


def test_numbers_for_people() -> None:
    assert [svg.number(v) for v in (None, math.nan, 0, -0.0001234, 12.34, 1234567, -5)] == [
        "–", "–", "0", "−0.000123", "12.3", "1,234,567", "−5",
    ]  # fmt: skip
    assert [svg.percent(v) for v in (None, 0.0, 1.0, 0.0004, 0.99999, 0.5)] == [
        "–",
        "0 %",
        "100 %",
        "<0.1 %",
        ">99.9 %",
        "50.0 %",
    ]
    assert svg.ticks(-33, 35) == [-30, -20, -10, 0, 10, 20, 30]
    assert svg.ticks(1, 1) == [1]
    assert report.data_size(999) == "999 bytes" and report.data_size(48_100_000) == "48.1 MB"


# ---- the card ----


def plan(**changes: Any) -> dict[str, Any]:
    return {**MANIFEST, "plan": {**MANIFEST["plan"], **changes}}


@pytest.mark.parametrize("layout", ["shards", "folders", "synthforge", "coco"])
@pytest.mark.parametrize("n", [0, 1, 300])
def test_card_is_complete(layout: str, n: int) -> None:
    extras = [] if layout == "synthforge" else ["normals", "uv", "layers", "soft"]
    text = card.write(plan(layout=layout, extras=extras), numbers(n))
    _, front, body = text.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields["license"] == "apache-2.0" and fields["size_categories"] == ["n<1K"]
    assert set(fields["task_categories"]) == {"image-segmentation", "keypoint-detection", "depth-estimation"}
    assert ("configs" in fields) == (layout == "shards")
    if layout == "shards":
        assert fields["configs"] == [{"config_name": "default", "data_files": "shards/*.tar"}]
    for needed in (
        "contact_sheet.png",
        "## Licence",
        "## Known limits",
        MANIFEST["replay"],
        "left eye",
        "#28d707",
        "index.parquet",
    ):
        assert needed in body
    assert "@" not in "".join(code for _, code in card_code.snippets(plan(layout=layout)["plan"]))
    for line in body.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_card_sizes_and_licence() -> None:
    found = numbers(3)
    for count, name in ((999, "n<1K"), (1000, "1K<n<10K"), (1_000_000, "1M<n<10M")):
        front = yaml.safe_load(card.write(MANIFEST, {**found, "count": count}).split("---\n")[1])
        assert front["size_categories"] == [name]
    other = {**MANIFEST, "model": {"name": "next3d", "sha256": "00", "licence": "CC-BY-NC-4.0"}}
    text = card.write(other, found)
    assert "free to use" not in text and "real persons" not in text and "license: cc-by-nc-4.0" in text


# ---- its code runs ----

RECORD = {
    "index": 0,
    "reason": None,
    "camera": {"yaw_deg": 3.5},
    "landmarks_px": [[1.5, 2.5, 2]] * 68,
    "2d_kps": [[1.5, 2.5]] * 68,
}


def _members(document: dict[str, Any], index: int) -> list[tuple[str, bytes]]:
    def picture(suffix: str, image: np.ndarray) -> bytes:
        return cv2.imencode("." + suffix, image)[1].tobytes()

    record = json.dumps({**RECORD, "index": index}).encode()
    depth = io.BytesIO()
    np.save(depth, np.full((8, 8), 0.7, np.float32))
    content = {
        "jpg": picture("jpg", np.full((8, 8, 3), 90, np.uint8)), "png": picture("png", np.full((8, 8, 3), 90, np.uint8)),
        "seg.png": picture("png", np.full((8, 8), 3, np.uint8)), "depth.png": picture("png", np.full((8, 8), 7000, np.uint16)),
        "depth.npy": depth.getvalue(), "json": record,
    }  # fmt: skip
    if document["layout"] == "synthforge":
        content["seg.png"] = picture("png", np.full((8, 8, 3), 3, np.uint8))
    return [(name, content[name]) for name, _, _ in card.members(document)]


def _write(folder: Path, document: dict[str, Any], count: int = 3) -> None:
    offsets = []
    if document["layout"] == "shards":
        (folder / "shards").mkdir()
        with tarfile.open(folder / "shards/000000.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for k in range(count):
                offsets.append(tar.offset)
                for name, data in _members(document, k):
                    entry = tarfile.TarInfo(f"{k:08d}.{name}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
        rows = columns(count)
        rows["offset"] = np.array(offsets)
        pq.write_table(table(rows), folder / "index.parquet")
        return
    for k in range(count):
        for name, data in _members(document, k):
            path = folder / card.path(document, name, f"{k:08d}")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    if document["layout"] == "coco":
        (folder / "annotations").mkdir()
        (folder / "annotations/instances.json").write_text("{}")


CASES = [
    ("shards", "png16", "webdataset", "0 (8, 8, 3) 3 3.5"),
    ("shards", "npy", "webdataset", "0 (8, 8, 3) 3 3.5"),
    ("shards", "png16", "torch", "[(3, 8, 8), (8, 8), (68, 3)]"),
    ("shards", "png16", "datasets", "(8, 8) L 3.5"),
    ("folders", "png16", "torch", "[(3, 8, 8), (8, 8), (68, 3)]"),
    ("coco", "png16", "torch", "[(3, 8, 8), (8, 8), (68, 3)]"),
    ("synthforge", "png16", "torch", "[(3, 8, 8), (8, 8, 3), (68, 2)]"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "depth", "needs", "prints"), CASES)
def test_code_of_the_card_runs(layout: str, depth: str, needs: str, prints: str, tmp_path: Path) -> None:
    pytest.importorskip(needs, reason=f"needs {needs}", exc_type=ImportError)
    document = plan(layout=layout, depth=depth, count=3)["plan"]
    _write(tmp_path, document)
    (code,) = (code for _, code in card_code.snippets(document) if re.search(rf"(import|from) .*\b{needs}\b", code))
    (tmp_path / "read_it.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "read_it.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == prints
