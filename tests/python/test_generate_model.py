"""`generate --model`: data sets of a generator keep every promise that those of ForgeHead keep."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import forge_rt as fr
import numpy as np
import pyarrow.parquet as pq
import pytest
from data_sets import cli, forge_plan, generate_alone, members, one_error, read_json, records, stopped, tree
from forge_rt.production.samples import SampleMaker
from forge_rt.production.sources import open_source

PLAN = fr.Plan(count=6, seed=3, model="next3d-mini", shard_size=4)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "shards"
    assert PLAN.size == 256
    fr.generate(PLAN, folder, batch=4)
    return folder


def _decode(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_records_say_what_was_made(shards: Path) -> None:
    manifest = read_json(shards / "manifest.json")
    assert manifest["model"]["name"] == "next3d-mini" and manifest["plan"]["generator"]["annotation"] == "exact"
    files = members(shards)
    for i, note in enumerate(records(shards)):
        assert len(note["generator"]["z"]) == 64 and note["index"] == i
        assert note["model"] == {"name": "next3d-mini", "sha256": manifest["model"]["sha256"]}
        assert 0 <= note["agreement"] <= 1 and note["generator"]["fit"]["score"] == pytest.approx(
            note["agreement"], abs=1e-5
        )
        depth, mask = _decode(files[f"{i:08d}.depth.png"]), _decode(files[f"{i:08d}.seg.png"])
        assert ((depth > 0) == (mask > 0)).mean() > 0.99
        metres = depth[depth > 0] * note["depth"]["scale_m"]
        assert metres.min() > 0.85 and metres.max() < 1.35  # the camera stands at 1.08 m
        # the record's camera projects the record's points to the record's pixels
        camera = fr.Camera.from_label25(note["camera"]["label25"], 256, **note["camera"]["generator_world"])
        points, _ = fr.camera.project(np.array(note["landmarks_head_m"]), camera)
        assert np.abs(points - np.array(note["landmarks_px"])[:, :2]).max() < 1e-2
        assert note["attributes"]["hair"] in fr.ForgeHead().options["hair"]
    table = pq.read_table(shards / "index.parquet")
    assert table.num_rows == PLAN.count and set(table["attribute/hair"].to_pylist()) <= set(
        fr.ForgeHead().options["hair"]
    )


def test_batch_threads_and_restarts_change_nothing(shards: Path, tmp_path: Path) -> None:
    generate_alone(PLAN, tmp_path / "set")
    assert tree(tmp_path / "set") == tree(shards)


def test_a_stopped_run_goes_on(shards: Path, tmp_path: Path) -> None:
    stopped(PLAN, tmp_path / "set")
    fr.generate(out=tmp_path / "set", resume=True)
    assert tree(tmp_path / "set") == tree(shards)


def test_another_onnx_runtime_does_not_go_on(shards: Path, tmp_path: Path) -> None:
    """Its kernels decide bytes."""
    version = fr.backend.runtime_info().version
    assert read_json(shards / "manifest.json")["made_with"]["onnxruntime"] == version
    shutil.copytree(shards, tmp_path / "set")
    forge_plan(tmp_path / "set", onnxruntime="1.0")
    with pytest.raises(fr.UnsupportedError, match=r"install onnxruntime==1\.0"):
        fr.generate(out=tmp_path / "set", resume=True)


def test_replay_is_identical(shards: Path, tmp_path: Path) -> None:
    (replayed,) = fr.replay(shards, [5], tmp_path / "again")
    assert replayed.identical, replayed.note
    (more,) = fr.replay(shards, [5], tmp_path / "more", extras=["volume_depth", "normals"])
    assert more.identical, more.note


def test_a_model_may_move(shards: Path, tmp_path: Path) -> None:
    """Records name a model by what it holds; folders of the machine are not in a data set's manifest."""
    first, second = tmp_path / "a/next3d-mini.forge", tmp_path / "b/next3d-mini.forge"
    for path in (first, second):
        shutil.copytree(fr.asset_path("next3d-mini.forge"), path)
    plan = replace(PLAN, count=2, shard_size=1, model=str(first))
    fr.generate(plan, tmp_path / "set")
    shutil.rmtree(first)
    assert not fr.inspect(tmp_path / "set").problems
    assert str(tmp_path) not in (tmp_path / "set/manifest.json").read_text()
    with pytest.raises(fr.NotFoundError, match="no bundle"):
        fr.replay(tmp_path / "set", [1], tmp_path / "again")
    (replayed,) = fr.replay(tmp_path / "set", [1], tmp_path / "again", model=str(second))
    assert replayed.identical, replayed.note
    assert fr.generate(out=tmp_path / "set", resume=True, model=str(second)).made == 0


def test_views_show_one_person(tmp_path: Path) -> None:
    fr.generate(replace(PLAN, count=4, views=2, layout="folders"), tmp_path / "set")
    notes = [read_json(tmp_path / f"set/annotations/{i:08d}.json") for i in range(4)]
    assert notes[0]["generator"]["z"] == notes[1]["generator"]["z"] != notes[2]["generator"]["z"]
    assert notes[0]["landmarks_head_m"] == notes[1]["landmarks_head_m"]
    assert notes[0]["camera"]["label25"] != notes[1]["camera"]["label25"]
    fr.generate(replace(PLAN, count=4, views=2, layout="folders"), tmp_path / "straddled", batch=3)
    assert tree(tmp_path / "set") == tree(tmp_path / "straddled")


def test_a_cameras_condition_changes_the_person_only_where_the_network_reads_it(tmp_path: Path) -> None:
    frontal = _first(replace(PLAN, count=1))
    seen = _first(replace(PLAN, count=1, generator={"conditioning": "view"}))
    # next3d-mini was taught without camera labels
    assert (np.asarray(frontal.rgb) == np.asarray(seen.rgb)).all()


def _first(plan: fr.Plan) -> Any:
    return next(iter(fr.batches(plan, batch=1)))


def test_batches_are_the_samples(shards: Path) -> None:
    batch = next(iter(fr.batches(PLAN, batch=6)))
    files = members(shards)
    for i in range(6):
        assert (np.asarray(batch.segmentation)[i] == _decode(files[f"{i:08d}.seg.png"])).all()


@pytest.mark.parametrize("annotation", ["exact", "compat"])
def test_layout_synthforge(tmp_path: Path, annotation: str) -> None:
    plan = replace(PLAN, count=2, layout="synthforge", generator={"annotation": annotation})
    fr.generate(plan, tmp_path / "set")
    note = read_json(tmp_path / "set/annotations/00001.json")
    assert len(note["z"]) == 64 and len(note["camera_params"]) == 25 and len(note["2d_kps"]) == 68
    depth = cv2.imread(str(tmp_path / "set/depth/00001.png"), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(str(tmp_path / "set/seg/00001.png"))
    assert depth.shape == (128, 128) and mask.shape == (256, 256, 3)


def test_extras(tmp_path: Path) -> None:
    fr.generate(replace(PLAN, count=1, layout="folders", extras=("normals", "volume_depth")), tmp_path / "set")
    volume = cv2.imread(str(tmp_path / "set/volume_depth/00000000.png"), cv2.IMREAD_UNCHANGED)
    mesh = cv2.imread(str(tmp_path / "set/depth/00000000.png"), cv2.IMREAD_UNCHANGED)
    assert volume.shape == (128, 128) and volume.dtype == np.uint16
    both = (volume > 0) & (mesh[1::2, 1::2] > 0)
    assert np.median(np.abs(volume.astype(int) - mesh[1::2, 1::2])[both]) < 150  # 15 mm; hair lies in front of the mesh
    assert (tmp_path / "set/normals/00000000.png").exists()


def test_rejects_are_recorded_and_the_sample_is_drawn_again(tmp_path: Path) -> None:
    fr.generate(replace(PLAN, count=2, generator={"min_agreement": 0.999}), tmp_path / "set")
    (line,) = [json.loads(text) for text in (tmp_path / "set/journal.jsonl").read_text().splitlines()]
    assert len(line["rejected"]) == 2 * 15 and "agreement" in line["rejected"][0]["reason"]
    notes = records(tmp_path / "set")
    assert not notes[0]["accepted"] and "0.999 is needed" in notes[0]["reason"]


def test_cameras_that_cut_the_face_open_are_drawn_again(tmp_path: Path) -> None:
    """Rays of a generator begin at a distance of their own, and some cameras of other presets stand nearer."""
    fr.generate(replace(PLAN, count=2, seed=0, camera="portrait"), tmp_path / "set")
    near = open_source(PLAN).near_m
    assert near == pytest.approx(2.35 / 2.5)
    (line,) = [json.loads(text) for text in (tmp_path / "set/journal.jsonl").read_text().splitlines()]
    assert any("the generator draws from 0.940 m on" in entry["reason"] for entry in line["rejected"])
    files = members(tmp_path / "set")
    for i, note in enumerate(records(tmp_path / "set")):
        depth = _decode(files[f"{i:08d}.depth.png"])
        assert note["accepted"] and depth[depth > 0].min() * note["depth"]["scale_m"] >= near - 1e-4


def test_a_run_of_rejects_names_the_cure(tmp_path: Path) -> None:
    options = ("--model", "next3d-mini", "--min-agreement", 1, "--layout", "folders", "--quiet")
    done = cli("generate", "--out", tmp_path / "set", "--count", 1, *options)
    assert done.returncode == 0, done.stderr
    assert "15 draws were rejected and replaced, 1 kept unaccepted" in done.stdout and "forge-rt align" in done.stdout


def test_errors_name_what_is_wrong(tmp_path: Path) -> None:
    def error(*options: object) -> str:
        return one_error(cli("generate", "--out", tmp_path / "set", "--count", 1, *options))

    mini = ("--model", "next3d-mini")
    assert "size must be 256" in error(*mini, "--size", 512)
    assert "next3d" in error("--model", "faces-mini")
    assert "no bundle 'nobody'" in error("--model", "nobody")
    assert "style has no meaning" in error(*mini, "--style", "wild")
    assert "'layers' does not exist" in error(*mini, "--with", "layers")
    assert "conditioning must be frontal or view" in error(*mini, "--conditioning", "side")
    assert "leave --head out" in error(*mini, "--head", "x.pkl")
    assert "preset must be one of" in error(*mini, "--preset", "mine")
    assert "psi belongs to generator models" in error("--psi", 0.5)
    assert "belongs to generator models" in error("--with", "volume_depth")
    assert "head_labels belongs to FLAME heads" in error(*mini, "--head-labels", "x.png")
    assert "supersample has no meaning" in error(*mini, "--supersample", 4)
    assert "cutoff must be at most 24" in error(*mini, "--cutoff", 99)
    (tmp_path / "c.yaml").write_text("generator: 5\n")
    assert "must hold options by name" in error(*mini, "--psi", 1, "--config", tmp_path / "c.yaml")
    assert not (tmp_path / "set").exists()


def test_the_command_line_takes_the_models_size(tmp_path: Path) -> None:
    done = cli("generate", "--out", tmp_path / "set", "--count", 1, "--model", "next3d-mini", "--layout", "folders")
    assert done.returncode == 0, done.stderr
    assert "1 images of next3d-mini (fp32, ONNX Runtime " in done.stderr and "forge-rt align" not in done.stdout
    assert cv2.imread(str(tmp_path / "set/images/00000000.jpg")).shape == (256, 256, 3)


def test_draws_do_not_depend_on_what_was_drawn_before() -> None:
    maker = SampleMaker(open_source(PLAN), PLAN)
    later, first = maker.make([4, 2]), maker.make([2])
    assert (later[1].rgb == first[0].rgb).all()


# ---- FLAME heads ----


@pytest.fixture(scope="module")
def flame(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A narrow random Next3D whose mesh is the synthetic FLAME of the golden vectors (80 vertices), and what drives it."""
    torch = pytest.importorskip("torch", reason="making a bundle needs PyTorch")
    from forge_rt.export.generators import write_generator_bundle
    from forge_rt.export.generators.bundle import HeadReference
    from forge_rt.export.models.next3d.views import UvMesh
    from test_next3d_definitions import narrow

    golden = Path(__file__).parent.parent / "golden/next3d"
    options = {
        "head": str(golden / "flame_synthetic_chumpy.pkl"),
        "head_landmarks": f"{golden / 'flame_synthetic_static.pkl'},{golden / 'flame_synthetic_dynamic.npy'}",
    }
    faces = fr.Head.load(options["head"]).faces
    rng = np.random.default_rng(0)
    uv = rng.uniform(-1, 1, (80, 2)).astype(np.float32)
    torch.manual_seed(0)
    model = fr_next3d().Next3D(narrow()).eval()
    folder = tmp_path_factory.mktemp("flame")
    head = HeadReference.of("flame", faces, 80)
    write_generator_bundle(
        model, folder / "flame.forge", mesh=UvMesh(faces, faces, uv, np.ones((8, 8), np.float32)), head=head
    )
    picture = np.array([[0x68, 0x35, 0x16], [0xF6, 0xDC, 0xCB]], np.uint8)[(np.indices((64, 64)).sum(0) // 16) % 2]
    cv2.imwrite(str(folder / "labels.png"), picture[..., ::-1])
    return {**options, "model": str(folder / "flame.forge"), "head_labels": str(folder / "labels.png")}


def fr_next3d() -> Any:
    from forge_rt.export.models import next3d

    return next3d


def _flame_plan(flame: dict[str, str], **generator: Any) -> dict[str, Any]:
    own = {name: flame[name] for name in ("head", "head_landmarks", "head_labels")}
    return {"model": flame["model"], "count": 2, "seed": 1, "generator": {**own, "min_agreement": 0, **generator}}


def test_flame_drives_a_generator(flame: dict[str, str], tmp_path: Path) -> None:
    fr.generate(
        out=tmp_path / "set", **_flame_plan(flame, preset="synthforge-code", conditioning="view"), min_visible=0
    )
    notes = records(tmp_path / "set")
    assert len(notes[0]["head"]["shape"]) == 100 and len(notes[0]["head"]["expression"]) == 50
    assert all(-2 <= v <= 2 for v in notes[0]["head"]["shape"]) and notes[0]["generator"]["conditioning"] == "view"
    labels = {label["name"] for label in read_json(tmp_path / "set/manifest.json")["labels"]}
    assert {"scalp", "skin"} <= labels or {"scalp", "face"} <= labels


def test_flame_options_are_asked_for(flame: dict[str, str], tmp_path: Path) -> None:
    plan = _flame_plan(flame)
    for missing, words in (
        ("head", "give yours with --head"),
        ("head_labels", "--head-labels"),
        ("head_landmarks", "68 landmarks"),
    ):
        left = {k: v for k, v in plan["generator"].items() if k != missing}
        with pytest.raises(fr.InvalidArgumentError, match=words):
            fr.generate(out=tmp_path / "set", **{**plan, "generator": left})
    assert not (tmp_path / "set").exists()


def test_the_guides_code_runs() -> None:
    text = (Path(__file__).parents[2] / "docs/guides/generators.md").read_text()
    code = text[text.index("```python\n") + 10 :]
    names: dict[str, Any] = {}
    exec(code[: code.index("```")], names)
    assert names["view"].rgb8().shape == (3, 256, 256, 3)
