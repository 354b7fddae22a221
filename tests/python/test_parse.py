"""forge-rt parse: files in, masks, overlays and JSON out; bad files are told and lose nothing."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import forge_rt as fr
import numpy as np
import pytest
from forge_rt import labels
from forge_rt.images import read_image, to_rgb8
from forge_rt.parsing import Job, run

pytest.importorskip("onnxruntime", reason="networks need the extra 'cpu' (onnxruntime)")


#: spec face_analysis §4, the column of the BiSeNet forks
BISENET = "background skin l_brow r_brow l_eye r_eye eye_g l_ear r_ear ear_r nose mouth u_lip l_lip neck neck_l cloth hair hat"


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.asarray(fr.ForgeHead().generate(seed=11, index=2, size=320, camera="frontal").rgb)[0]


def write(path: Path, rgb: np.ndarray) -> Path:
    bgr = rgb if rgb.ndim == 2 else rgb[..., [2, 1, 0, *range(3, rgb.shape[2])]]
    assert cv2.imwrite(str(path), bgr)
    return path


def parse(inputs: list[Path], out: Path, **options):
    told: list[str] = []
    outcome = run(inputs, Job(out=out, **options), fail=told.append)
    return outcome, told


def mask_of(path: Path) -> np.ndarray:
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert mask is not None and mask.dtype == np.uint8 and mask.ndim == 2, "an 8-bit greyscale picture"
    return mask


def test_a_portrait_gives_mask_overlay_and_json(tmp_path, portrait):
    outcome, told = parse([write(tmp_path / "face.png", portrait)], tmp_path / "out", overlay=True, json=True)
    assert (outcome.images, outcome.faces, told) == (1, 1, [])
    mask = mask_of(tmp_path / "out/face_mask.png")
    assert mask.shape == portrait.shape[:2] and {1, 10, 17} <= set(np.unique(mask).tolist())
    truth = np.asarray(fr.ForgeHead().generate(seed=11, index=2, size=320, camera="frontal").segmentation)[0]
    assert np.count_nonzero((mask == 1) & (truth == 1)) > 0.8 * np.count_nonzero(truth == 1)
    picture = cv2.imread(str(tmp_path / "out/face_overlay.png"))
    assert picture.shape == portrait.shape and np.abs(picture[..., ::-1].astype(int) - portrait).mean() > 10
    about = json.loads((tmp_path / "out/face.json").read_text())
    assert list(about["labels"].items()) == [(str(i), name) for i, name in enumerate(BISENET.split())]
    (face,) = about["faces"]
    assert len(face["landmarks"]) == 68 and len(face["visibility"]) == 68 and 0 < face["confidence"] <= 1
    assert about["width"] == 320 and about["ms"]["total"] > 0 and about["image"] == "face.png"
    left, top, right, bottom = face["box"]
    assert 0 <= left < right <= 320 and 0 <= top < bottom <= 320


def test_no_face_is_a_mask_of_zeros(tmp_path):
    ramp = np.repeat(np.linspace(0, 255, 200, dtype=np.uint8)[None, :, None], 120, 0).repeat(3, 2)
    outcome, _ = parse([write(tmp_path / "sky.jpg", ramp)], tmp_path / "out", json=True)
    assert outcome.empty == 1 and not mask_of(tmp_path / "out/sky_mask.png").any()
    assert json.loads((tmp_path / "out/sky.json").read_text())["faces"] == []
    assert mask_of(tmp_path / "out/sky_mask.png").shape == (120, 200)


def test_grey_alpha_and_16_bits_give_the_face_too(tmp_path, portrait):
    grey = cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)
    files = [
        write(tmp_path / "grey.png", grey),
        write(tmp_path / "alpha.png", np.dstack([portrait, np.full(portrait.shape[:2], 7, np.uint8)])),
        write(tmp_path / "deep.png", portrait.astype(np.uint16) * 257),
        write(tmp_path / "deep_grey.tif", grey.astype(np.uint16) * 257),
        write(tmp_path / "plain.png", portrait),
    ]
    outcome, told = parse(files, tmp_path / "out")
    assert outcome.faces == 5 and not told
    plain = mask_of(tmp_path / "out/plain_mask.png")
    assert (mask_of(tmp_path / "out/alpha_mask.png") == plain).all()
    assert (mask_of(tmp_path / "out/deep_mask.png") == plain).all()
    assert (mask_of(tmp_path / "out/grey_mask.png") == mask_of(tmp_path / "out/deep_grey_mask.png")).all()


def test_tiny_and_odd_sizes(tmp_path, portrait):
    files = [
        write(tmp_path / f"s{w}x{h}.png", cv2.resize(portrait, (w, h)))
        for w, h in ((1, 1), (2, 700), (33, 31), (321, 1), (57, 64))
    ]
    outcome, told = parse(files, tmp_path / "out")
    assert outcome.images == 5 and not told
    for file in files:
        assert mask_of(tmp_path / f"out/{file.stem}_mask.png").shape == read_image(file).shape[:2]


def test_bad_files_are_told_and_the_others_done(tmp_path, portrait):
    good = write(tmp_path / "good.png", portrait)
    whole = good.read_bytes()
    bad = {
        "cut.png": whole[: len(whole) // 20], "empty.jpg": b"", "text.jpg": b"not a picture", "zeros.png": bytes(5000),
        "float.tiff": cv2.imencode(".tiff", np.full((8, 8, 3), np.nan, np.float32))[1].tobytes(),
    }  # fmt: skip
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    outcome, told = parse([tmp_path / name for name in bad] + [good], tmp_path / "out")
    assert outcome.images == 1 and len(outcome.failed) == len(bad) == len(told)
    for name, line in zip(bad, told, strict=True):
        assert name in line and "\n" not in line
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good_mask.png"]


def test_random_bytes_never_crash(tmp_path, portrait):
    rng = np.random.default_rng(0)
    jpeg = cv2.imencode(".jpg", portrait)[1].tobytes()
    png = cv2.imencode(".png", portrait)[1].tobytes()
    files = []
    for k in range(40):
        data = bytearray(jpeg if k % 2 else png)
        for at in rng.integers(0, len(data), rng.integers(1, 60)):
            data[at] = rng.integers(256)
        path = tmp_path / f"{k}.{'jpg' if k % 2 else 'png'}"
        path.write_bytes(bytes(data[: rng.integers(len(data) // 2, len(data) + 1)]))
        files.append(path)
    outcome, told = parse(files, tmp_path / "out")
    assert outcome.images + len(outcome.failed) == 40 and len(told) == len(outcome.failed)


def test_names_that_clash_are_told_apart(tmp_path, portrait):
    files = [write(tmp_path / "a.png", portrait), write(tmp_path / "a.jpg", portrait)]
    parse(files, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.jpg_mask.png", "a.png_mask.png"]
    (tmp_path / "b").mkdir()
    other = write(tmp_path / "b/a.png", portrait)
    with pytest.raises(fr.InvalidArgumentError, match=r"a\.png"):
        parse([files[0], other], tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_folder_and_missing_input(tmp_path, portrait):
    (tmp_path / "in").mkdir()
    with pytest.raises(fr.NotFoundError, match="holds no images"):
        parse([tmp_path / "in"], tmp_path / "out")
    write(tmp_path / "in/one.png", portrait)
    (tmp_path / "in/notes.txt").write_text("x")
    assert parse([tmp_path / "in"], tmp_path / "out")[0].images == 1
    with pytest.raises(fr.NotFoundError, match=r"gone\.jpg"):
        parse([tmp_path / "gone.jpg"], tmp_path / "out")


def test_video(tmp_path, portrait):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (320, 320))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no AVI with MJPG")
    for shift in range(6):
        writer.write(np.roll(portrait, 3 * shift, 1)[..., ::-1].copy())
    writer.release()
    outcome, told = parse([path], tmp_path / "out", json=True, overlay=True)
    assert outcome.frames == 6 and outcome.faces == 6 and not told
    lines = [json.loads(line) for line in (tmp_path / "out/clip.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(6)) and lines[3]["time_s"] == pytest.approx(0.15)
    assert {face["track"] for line in lines for face in line["faces"]} == {lines[0]["faces"][0]["track"]}
    assert len(list((tmp_path / "out/clip_masks").iterdir())) == 6
    film = cv2.VideoCapture(str(tmp_path / "out/clip_overlay.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(bytes(1000))
    outcome, told = parse([broken], tmp_path / "out3", json=True)
    assert outcome.failed and "broken.mp4" in told[0] and not (tmp_path / "out3/broken.jsonl").exists()


def test_haar_instead_of_the_bundle_s_detector(tmp_path, portrait):
    outcome, _ = parse([write(tmp_path / "face.png", portrait)], tmp_path / "out", detector="haar")
    assert outcome.faces == 1 and mask_of(tmp_path / "out/face_mask.png").any()


def test_cli(tmp_path, portrait, capfd):
    from forge_rt.cli.main import main

    file = write(tmp_path / "face.png", portrait)
    (tmp_path / "bad.png").write_bytes(b"x")
    with pytest.raises(SystemExit) as done:
        main(["parse", str(file), "--out", str(tmp_path / "out"), "--overlay", "--json"])
    assert done.value.code in (0, None)
    assert "1 images, 1 faces" in capfd.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(["parse", str(file), str(tmp_path / "bad.png"), "--out", str(tmp_path / "out")])
    assert done.value.code == 2 and "bad.png" in capfd.readouterr().err
    with pytest.raises(SystemExit) as done:
        main(["parse", str(file), "--out", str(tmp_path / "out"), "--model", "no-such"])
    assert done.value.code == 2 and "no-such" in capfd.readouterr().err


def test_pictures_in_memory():
    assert (to_rgb8(np.zeros((2, 3), np.uint8)) == 0).all()
    assert to_rgb8(np.full((1, 1, 3), 65535, np.uint16)).max() == 255
    for wrong in (
        np.zeros((2, 2, 3), np.float32),
        np.zeros((2, 2, 5), np.uint8),
        np.zeros(7, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ):
        with pytest.raises(fr.InvalidArgumentError):
            to_rgb8(wrong)
    assert labels.names("celebamask-hq")[17] == "hair"
