"""Data sets: every file is there and says the same thing, bytes depend on the plan alone, nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import forge_rt as fr
import numpy as np
import pytest
from forge_rt import face_json

PLAN = fr.Plan(count=5, seed=9, size=64, camera="portrait")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "set"
    fr.generate(PLAN, folder)
    return folder


def test_everything_is_there(data_set: Path) -> None:
    stems = [f"{i:08d}" for i in range(5)]
    for name, suffix in (("images", ".jpg"), ("seg", ".png"), ("depth", ".png"), ("annotations", ".json")):
        assert [p.name for p in sorted((data_set / name).iterdir())] == [s + suffix for s in stems]
    assert (data_set / "contact_sheet.png").is_file()
    manifest = json.loads((data_set / "manifest.json").read_text())
    assert manifest["count"] == 5 and len(manifest["labels"]) == 19
    assert fr.Plan.from_json({**manifest["plan"]}).to_json() == manifest["plan"]


def test_files_are_the_batch(data_set: Path) -> None:
    head = fr.ForgeHead()
    batch = head.generate(seed=9, index=range(5), size=64, camera="portrait")
    for i in range(5):
        note = json.loads((data_set / f"annotations/{i:08d}.json").read_text())
        mask = cv2.imread(str(data_set / note["files"]["segmentation"]), cv2.IMREAD_UNCHANGED)
        depth = cv2.imread(str(data_set / note["files"]["depth"]), cv2.IMREAD_UNCHANGED)
        rgb = cv2.imread(str(data_set / note["files"]["rgb"]))[..., ::-1]
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
        assert set(note["head"]["sliders"]) == {s.name for s in head.sliders}


@pytest.mark.parametrize(("threads", "batch"), [(1, 1), (2, 3), (3, 16)])
def test_threads_and_batch_do_not_change_a_byte(data_set: Path, tmp_path: Path, threads: int, batch: int) -> None:
    fr.generate(PLAN, tmp_path / "again", threads=threads, batch=batch)
    assert _files(tmp_path / "again") == _files(data_set)


def test_a_longer_run_starts_with_the_same_samples(data_set: Path, tmp_path: Path) -> None:
    fr.generate(fr.Plan(**{**PLAN.__dict__, "count": 7}), tmp_path / "longer")
    shared = {k: v for k, v in _files(tmp_path / "longer").items() if k in _files(data_set) and "/" in k}
    assert shared == {k: v for k, v in _files(data_set).items() if "/" in k}


def test_png_is_lossless(tmp_path: Path) -> None:
    fr.generate(fr.Plan(count=1, seed=9, size=64, rgb="png", camera="frontal"), tmp_path / "png")
    rgb = cv2.imread(str(tmp_path / "png/images/00000000.png"))[..., ::-1]
    assert (rgb == np.asarray(fr.ForgeHead().generate(seed=9, index=0, size=64, camera="frontal").rgb)[0]).all()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(fr.InvalidArgumentError, match="is not empty"):
        fr.generate(PLAN, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(fr.InvalidArgumentError, match="is a file"):
        fr.generate(PLAN, tmp_path / "mine.txt")


def test_a_stopped_run_has_no_manifest_and_no_half_files(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int) -> None:
        if done >= 2:
            raise Stop

    with pytest.raises(Stop):
        fr.generate(fr.Plan(count=8, seed=1, size=32), tmp_path / "set", batch=1, progress=stop)
    files = _files(tmp_path / "set")
    assert "manifest.json" not in files
    assert not [name for name in files if name.endswith(".part")]
    for name in (n for n in files if n.startswith("annotations/")):  # a sample with an annotation is complete
        assert all(f in files for f in json.loads(files[name])["files"].values())


def test_a_write_that_fails_is_an_error_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.open

    def full(self: Path, *args: object, **kwargs: object) -> object:
        if self.name.endswith(".png.part"):
            raise OSError(28, "No space left on device")
        return original(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(fr.InputOutputError, match=r"cannot write .*\.png: No space left"):
        fr.generate(fr.Plan(count=2, size=32), tmp_path / "set")
    assert not (tmp_path / "set/manifest.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count must be a whole number"),
        ({"count": True}, "count must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"size": 8}, "size must be a whole number of pixels"),
        ({"rgb": "bmp"}, "rgb must be 'jpeg' or 'png', got 'bmp'"),
        ({"layout": "zip"}, "layout must be"),
        ({"camera": "frnotal"}, 'did you mean "frontal"'),
        ({"camera": {"yaw_deg": "left"}}, "camera.yaw_deg"),
    ],
)
def test_a_bad_plan_names_the_field(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(fr.InvalidArgumentError, match=message):
        fr.generate(fr.Plan(**{**PLAN.__dict__, **change}), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "forge_rt.cli.main", "generate", "--out", str(tmp_path / "set"), "--count", "3", "--seed", "9",
               "--size", "64", "--camera", "portrait", "--rgb", "png", "--threads", "2", "--batch", "2"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "3 samples in" in done.stdout and "contact sheet:" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert (
        again.stderr.count("forge-rt: error:") == 1
        and "is not empty" in again.stderr
        and "Traceback" not in again.stderr
    )


def test_styles_and_every_parameter_are_recorded(tmp_path: Path) -> None:
    plan = fr.Plan(count=6, seed=4, size=48, style="mixed")
    fr.generate(plan, tmp_path / "mixed")
    records = [json.loads(p.read_text()) for p in sorted((tmp_path / "mixed" / "annotations").glob("*.json"))]
    assert {r["attributes"]["style"] for r in records} == {"studio", "wild"}
    head = fr.ForgeHead()
    for record in records:
        face = face_json.face_from_dict(head, record["head"])
        assert face == head.sample(4, record["index"], "mixed")
    manifest = json.loads((tmp_path / "mixed" / "manifest.json").read_text())
    assert fr.Plan.from_json(manifest["plan"]).cameras()["wild"].config == plan.cameras()["wild"].config
    assert "--style mixed" in manifest["replay"]


def test_unknown_styles_are_refused() -> None:
    with pytest.raises(fr.InvalidArgumentError, match="studio, mixed, wild"):
        fr.Plan(count=1, style="noir").validate()
    with pytest.raises(fr.InvalidArgumentError, match=r"0\.\.1"):
        fr.Plan(count=1, style=1.5).validate()
