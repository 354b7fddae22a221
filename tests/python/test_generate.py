"""Data sets: every file is there and says the same thing, and bytes depend on the plan alone."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import forge_rt as fr
import numpy as np
import pyarrow.parquet as pq
import pytest
from data_sets import LOG, cli, members, one_error, read_json, tree
from forge_rt import face_json
from forge_rt.production.agreement import agreement

PLAN = fr.Plan(count=10, seed=9, size=64, camera="portrait", shard_size=4)


@pytest.fixture(scope="module")
def head() -> fr.ForgeHead:
    return fr.ForgeHead()


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "shards"
    fr.generate(PLAN, folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "folders"
    fr.generate(replace(PLAN, layout="folders"), folder)
    return folder


def _decode(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_finished_run_holds_these_files_and_no_others(shards: Path) -> None:
    named = [
        "README.md",
        "contact_sheet.png",
        "index.parquet",
        "journal.jsonl",
        "manifest.json",
        "plan.json",
        "statistics.json",
    ]
    assert sorted(tree(shards)) == sorted([*named, *(f"shards/{k:06d}.tar" for k in range(3))])
    assert (shards / LOG).exists()
    assert sorted(p.name for p in shards.iterdir() if p.is_dir()) == ["shards"]
    manifest = read_json(shards / "manifest.json")
    assert manifest["count"] == 10 and len(manifest["labels"]) == 19
    assert fr.Plan.from_json(manifest["plan"]).to_json() == manifest["plan"] == PLAN.to_json()
    assert "time" not in json.dumps(manifest) and "host" not in json.dumps(manifest)


def test_members_are_the_batch(shards: Path, head: fr.ForgeHead) -> None:
    batch = head.generate(seed=9, index=range(10), size=64, camera="portrait")
    files = members(shards)
    assert len(files) == 40
    for i in range(10):
        note = json.loads(files[f"{i:08d}.json"])
        mask, depth = _decode(files[f"{i:08d}.seg.png"]), _decode(files[f"{i:08d}.depth.png"])
        rgb = _decode(files[f"{i:08d}.jpg"])[..., ::-1]
        assert mask.dtype == np.uint8 and (mask == np.asarray(batch.segmentation)[i]).all()
        assert depth.dtype == np.uint16
        metres = depth * note["depth"]["scale_m"]
        assert np.abs(metres - np.asarray(batch.depth_m)[i]).max() <= note["depth"]["scale_m"] / 2 + 1e-7
        assert np.abs(rgb.astype(int) - np.asarray(batch.rgb)[i]).mean() < 3  # JPEG
        points = np.array(note["landmarks_px"])
        assert points.shape == (68, 3)
        assert np.abs(points[:, :2] - np.asarray(batch.landmarks)[i]).max() < 1e-3
        assert (points[:, 2] == np.asarray(batch.visibility)[i]).all()
        camera = fr.camera.Camera.from_label25(note["camera"]["label25"], size=64)
        assert np.allclose(camera.world_to_camera, note["camera"]["world_to_camera"], atol=1e-6)
        assert note["model"]["sha256"] == head.hash
        assert (note["index"], note["identity"], note["view"], note["attempt"], note["accepted"]) == (i, i, 0, 0, True)


def test_every_parameter_is_recorded(tmp_path: Path, head: fr.ForgeHead) -> None:
    fr.generate(fr.Plan(count=6, seed=4, size=48, style="mixed"), tmp_path / "set")
    records = [json.loads(data) for name, data in members(tmp_path / "set").items() if name.endswith(".json")]
    assert {r["attributes"]["style"] for r in records} == {"studio", "wild"}
    for record in records:
        assert face_json.face_from_dict(head, record["head"]) == head.sample(
            4, record["index"], "mixed", attempt=record["attempt"]
        )


def test_layouts_hold_the_same_members(shards: Path, folders: Path, tmp_path: Path) -> None:
    packed = members(shards)
    places = {
        "jpg": "images/{}.jpg",
        "seg.png": "seg/{}.png",
        "depth.png": "depth/{}.png",
        "json": "annotations/{}.json",
    }
    assert {places[n.split(".", 1)[1]].format(n.split(".", 1)[0]): d for n, d in packed.items()} == {
        n: d for n, d in tree(folders).items() if "/" in n
    }
    assert pq.read_table(shards / "index.parquet").column("sha256") == pq.read_table(folders / "index.parquet").column(
        "sha256"
    )


@pytest.mark.parametrize(("threads", "batch", "workers"), [(1, 1, 1), (2, 3, 1), (3, 16, 2)])
@pytest.mark.parametrize("layout", ["shards", "coco"])
def test_how_the_work_is_done_does_not_change_a_byte(
    shards: Path, tmp_path: Path, layout: str, threads: int, batch: int, workers: int
) -> None:
    plan = replace(PLAN, layout=layout)
    expected = shards
    if layout != "shards":
        expected = tmp_path / "expected"
        fr.generate(plan, expected)
    fr.generate(plan, tmp_path / "again", threads=threads, batch=batch, workers=workers)
    assert tree(tmp_path / "again") == tree(expected)


def test_shard_size_moves_samples_but_does_not_change_them(shards: Path, tmp_path: Path) -> None:
    fr.generate(replace(PLAN, shard_size=3), tmp_path / "three")
    fr.generate(replace(PLAN, shard_size=100), tmp_path / "all")
    assert members(tmp_path / "three") == members(shards) == members(tmp_path / "all")
    rows = [
        pq.read_table(f / "index.parquet").drop_columns(["shard", "offset"]).to_pylist()
        for f in (shards, tmp_path / "three")
    ]
    assert rows[0] == rows[1]
    statistics = [(f / "statistics.json").read_bytes() for f in (shards, tmp_path / "three", tmp_path / "all")]
    assert len(set(statistics)) == 1


def test_a_longer_run_starts_with_the_same_samples(shards: Path, tmp_path: Path) -> None:
    fr.generate(replace(PLAN, count=13), tmp_path / "longer")
    longer = members(tmp_path / "longer")
    assert {name: longer[name] for name in members(shards)} == members(shards)


def test_index_leads_to_the_bytes(shards: Path) -> None:
    table = pq.read_table(shards / "index.parquet")
    packed = members(shards)
    for row in table.to_pylist():
        own = {n: d for n, d in packed.items() if n.startswith(row["key"])}
        with (shards / row["shard"]).open("rb") as file:
            file.seek(row["offset"])
            header = file.read(512)
            assert header.startswith(f"{row['key']}.jpg".encode())
            assert file.read(100) == own[f"{row['key']}.jpg"][:100]
        assert row["bytes"] == sum(map(len, own.values()))
        note = json.loads(own[f"{row['key']}.json"])
        assert np.allclose(np.reshape(row["landmarks_px"], (68, 2)), np.array(note["landmarks_px"])[:, :2], atol=1e-3)
        mask = _decode(own[f"{row['key']}.seg.png"])
        assert row["class_pixels"] == np.bincount(mask.ravel(), minlength=19).tolist()
        assert row["attribute/hair"] == note["attributes"]["hair"]
        assert row["agreement"] == pytest.approx(note["agreement"], abs=1e-5)


def test_views_share_a_face(tmp_path: Path, head: fr.ForgeHead) -> None:
    fr.generate(fr.Plan(count=7, seed=2, size=48, views=3), tmp_path / "set")
    records = [json.loads(d) for n, d in members(tmp_path / "set").items() if n.endswith("json")]
    assert [(r["identity"], r["view"]) for r in records] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]
    assert records[0]["head"] == records[1]["head"] == records[2]["head"] != records[3]["head"]
    assert len({json.dumps(r["camera"]) for r in records}) == 7


def test_rejected_draws_are_replaced_and_recorded(tmp_path: Path, head: fr.ForgeHead) -> None:
    plan = fr.Plan(count=24, seed=5, size=48, style="wild", min_visible=0.75, shard_size=10)
    result = fr.generate(plan, tmp_path / "set")
    lines = [json.loads(line) for line in (tmp_path / "set/journal.jsonl").read_text().splitlines()]
    rejected = [r for line in lines for r in line["rejected"]]
    assert result.rejected == len(rejected) > 0
    assert all("landmarks are visible, 51 are needed" in r["reason"] for r in rejected)
    for name, data in members(tmp_path / "set").items():
        if name.endswith(".json"):
            note = json.loads(data)
            tries = [r["attempt"] for r in rejected if r["index"] == note["index"]]
            assert tries == list(range(note["attempt"]))  # the first accepted attempt
            visible = sum(p[2] == 2 for p in note["landmarks_px"])
            assert note["accepted"] == (visible >= 51)
    again = fr.generate(replace(plan, shard_size=7), tmp_path / "again", batch=1)
    assert again.rejected == result.rejected and members(tmp_path / "again") == members(tmp_path / "set")


def test_a_sample_that_always_fails_is_kept_and_marked(tmp_path: Path) -> None:
    result = fr.generate(fr.Plan(count=2, size=32, min_visible=1.0), tmp_path / "set")
    assert result.not_accepted == 2 and result.rejected == 2 * 15
    notes = [json.loads(d) for n, d in members(tmp_path / "set").items() if n.endswith("json")]
    assert all(not n["accepted"] and "68 are needed" in n["reason"] for n in notes)


def test_formats_and_extras(tmp_path: Path, head: fr.ForgeHead) -> None:
    plan = fr.Plan(
        count=2, seed=9, size=64, rgb="png", depth="npy", extras=("normals", "uv", "layers", "soft"), camera="frontal"
    )
    fr.generate(plan, tmp_path / "set")
    files = members(tmp_path / "set")
    batch = head.generate(
        seed=9, index=range(2), size=64, camera="frontal", normals=True, uv=True, layers=True, soft_labels=True
    )
    for i in range(2):
        part = {n.split(".", 1)[1]: d for n, d in files.items() if n.startswith(f"{i:08d}")}
        assert (_decode(part["png"])[..., ::-1] == np.asarray(batch.rgb)[i]).all()
        assert (np.load(io.BytesIO(part["depth.npy"])) == np.asarray(batch.depth_m)[i]).all()
        steps = _decode(part["normals.png"])[..., ::-1].astype(np.float64)
        normals = np.asarray(batch.normals)[i]
        covered = (normals != 0).any(-1)
        assert ((steps > 0).all(-1) == covered).all()
        assert np.abs((steps[covered] - 1) / 32767 - 1 - normals[covered]).max() < 4e-5
        uv = _decode(part["uv.png"])[..., ::-1] / 65535.0
        on_head = np.asarray(batch.uv)[i, ..., 0] >= 0
        assert ((uv[..., 2] == 1) == on_head).all()
        assert np.abs(uv[on_head][:, :2] - np.asarray(batch.uv)[i][on_head]).max() < 1e-5
        assert (_decode(part["seg_no_objects.png"]) == np.asarray(batch.layers)[i, 0]).all()
        assert (_decode(part["seg_bare_head.png"]) == np.asarray(batch.layers)[i, 1]).all()
        soft = _decode(part["soft.png"]).reshape(19, 64, 64) / 255.0
        assert np.abs(soft - np.asarray(batch.soft_labels)[i]).max() < 0.5 / 255 + 1e-6
    fr.generate(replace(plan, rgb="webp", depth="png16", extras=()), tmp_path / "webp")
    picture = _decode(members(tmp_path / "webp")["00000000.webp"])[..., ::-1]
    assert np.abs(picture.astype(int) - np.asarray(batch.rgb)[0]).mean() < 4


def test_batches_are_what_generate_writes(shards: Path) -> None:
    seen = []
    for batch in fr.batches(PLAN, batch=4):
        assert batch.rgb.shape == (len(batch), 64, 64, 3)
        seen += list(zip(batch.index or (), np.asarray(batch.segmentation), strict=True))
        assert np.from_dlpack(batch.rgb).dtype == np.uint8
    assert [i for i, _ in seen] == list(range(10))
    files = members(shards)
    assert all((_decode(files[f"{i:08d}.seg.png"]) == mask).all() for i, mask in seen)
    (last,) = fr.batches(PLAN, batch=16, start=8)
    assert last.index == (8, 9) and (np.asarray(last.segmentation)[1] == seen[9][1]).all()


def test_batches_draw_rejected_samples_again() -> None:
    plan = fr.Plan(count=12, seed=5, size=48, style="wild", min_visible=0.75)
    (together,) = fr.batches(plan, batch=12)
    alone = [np.asarray(b.rgb)[0] for b in fr.batches(plan, batch=1)]
    assert (np.asarray(together.rgb) == np.stack(alone)).all()
    assert ((np.asarray(together.visibility) == 2).sum(1) >= 51).mean() > 0.8


def test_agreement_tells_good_labels_from_shifted_ones(head: fr.ForgeHead) -> None:
    batch = head.generate(seed=3, index=range(12), style="mixed", size=256)
    rgb, masks = np.asarray(batch.rgb), np.asarray(batch.segmentation)
    good = [agreement(i, m) for i, m in zip(rgb, masks, strict=True)]
    shifted = [agreement(i, np.roll(m, (14, 14), (0, 1))) for i, m in zip(rgb, masks, strict=True)]
    other = [agreement(i, m) for i, m in zip(rgb, np.roll(masks, 1, 0), strict=True)]
    assert np.mean(good) > 0.8
    assert all(g > s + 0.03 for g, s in zip(good, shifted, strict=True))
    assert np.mean(other) < np.mean(good) - 0.1
    assert agreement(rgb[0], np.zeros_like(masks[0])) == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count must be a whole number"),
        ({"count": True}, "count must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"size": 8}, "size must be a whole number of pixels"),
        ({"rgb": "bmp"}, "rgb must be 'jpeg' or 'png' or 'webp', got 'bmp'"),
        ({"depth": "exr"}, "depth must be"),
        ({"layout": "zip"}, "layout must be"),
        ({"views": 0}, "views must be"),
        ({"shard_size": 0}, "shard_size must be"),
        ({"count": 2**31 - 1, "shard_size": 1}, "shard_size must be at least 2148"),
        ({"extras": ("normal",)}, "extras are any of normals, uv, layers, volume_depth, soft, got 'normal'"),
        ({"min_visible": 2}, "min_visible must be"),
        ({"camera": "frnotal"}, 'did you mean "frontal"'),
        ({"camera": {"yaw_deg": "left"}}, "camera.yaw_deg"),
        ({"layout": "synthforge", "size": 66}, "size must be a multiple of 4"),
        ({"style": "noir"}, "studio, mixed, wild"),
        ({"style": 1.5}, r"0\.\.1"),
    ],
)
def test_a_bad_plan_names_the_field(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.generate(fr.Plan(**{**PLAN.__dict__, **change}), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_depth_beyond_its_range_is_an_error(tmp_path: Path) -> None:
    plan = fr.Plan(count=2, size=32, camera={"preset": "portrait", "radius_m": 8}, min_visible=0)
    with pytest.raises(fr.InvalidArgumentError, match=r"16-bit depth ends at 6\.55 m; use --depth npy"):
        fr.generate(plan, tmp_path / "set")
    fr.generate(replace(plan, depth="npy"), tmp_path / "npy")


def test_fields_by_name_and_bad_calls(tmp_path: Path) -> None:
    fr.generate(out=tmp_path / "set", count=1, size=32)
    assert fr.inspect(tmp_path / "set").good
    for arguments, message in (
        ({"plan": PLAN, "count": 3}, "not both"),
        ({"count": 3, "colour": 1}, "unknown plan field 'colour'"),
        ({}, "needs count"),
        ({"count": 1, "batch": 0}, "batch must be"),
        ({"count": 1, "workers": 0}, "workers must be"),
        ({"count": 1, "threads": 0}, "threads must be"),
        ({"count": 1, "batch": 2.5}, "batch must be a whole number"),
        ({"count": 1, "device": []}, "device must be"),
        ({"count": 1, "style": None}, "style must be"),
        ({"count": 1, "repair": True}, "add --resume"),
        ({"resume": True}, "holds no run to go on with"),
    ):
        with pytest.raises(fr.InvalidArgumentError, match=message):
            fr.generate(out=tmp_path / "other", **arguments)
    with pytest.raises(fr.DeviceUnavailableError, match="cuda:99"):
        fr.generate(out=tmp_path / "other", count=1, device="cuda:99")
    assert not (tmp_path / "other").exists()


def test_command_line_and_config_file(shards: Path, tmp_path: Path) -> None:
    options = ["--count", 10, "--seed", 9, "--size", 64, "--camera", "portrait", "--shard-size", 4]
    done = cli("generate", "--out", tmp_path / "set", *options, "--threads", 2, "--batch", 2)
    assert done.returncode == 0, done.stderr
    assert "10 samples in" in done.stdout and "contact sheet:" in done.stdout
    assert tree(tmp_path / "set") == tree(shards)

    (tmp_path / "run.yaml").write_text(
        f"out: {tmp_path / 'yaml'}\ncount: 10\nseed: 1\nsize: 64\ncamera: portrait\nshard-size: 4\nbatch: 3\nwith: [normals]\n"
    )
    done = cli("generate", "--config", tmp_path / "run.yaml", "--seed", 9, "--with", "", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["start", "finished"]
    assert {"done", "count", "samples_per_s", "eta_s", "rejected", "queues"} <= events[-2].keys()
    again = cli("generate", "--config", shards / "plan.json", "--out", tmp_path / "from_plan")
    assert again.returncode == 0 and tree(tmp_path / "from_plan") == tree(shards)

    (tmp_path / "bad.yaml").write_text("out: x\ncuont: 3\n")
    assert "unknown option 'cuont'; did you mean 'count'?" in one_error(
        cli("generate", "--config", tmp_path / "bad.yaml")
    )
    assert "--out" in one_error(cli("generate", "--count", 1))
    assert "--count" in one_error(cli("generate", "--out", tmp_path / "nothing"))
