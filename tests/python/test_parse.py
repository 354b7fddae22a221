"""forge-rt parse: files in, masks, overlays and JSON out; bad files are told and lose nothing."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import forge_rt as fr
import numpy as np
import pytest
from forge_rt import labels
from forge_rt.images import read_image, to_rgb8
from forge_rt.parsing import Job, ends_early, frame_time, run

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
    assert outcome.images > 5 and outcome.failed
    for path in files:
        target = tmp_path / f"out/{path.stem}_mask.png"
        assert target.exists() != (str(path) in outcome.failed)
        if target.exists():
            assert mask_of(target).shape == read_image(path).shape[:2]


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


def test_results_are_no_inputs(tmp_path, portrait):
    photos = tmp_path / "photos"
    photos.mkdir()
    write(photos / "a.png", portrait)
    write(photos / "b.jpg", portrait)
    write(photos / "b.png", portrait)  # two of one stem: results are called b.jpg_mask.png, b.png_mask.png
    write(photos / "wolf_mask.png", portrait)  # a picture of its own
    names = {p.name for p in photos.iterdir()}
    for _ in range(2):
        outcome, told = parse([photos], photos, overlay=True, detector="haar")
        assert outcome.images == 4 and not told
    ends = ("_mask.png", "_overlay.png")
    bases = ("a", "b.jpg", "b.png", "wolf_mask")
    assert {p.name for p in photos.iterdir()} == names | {base + end for base in bases for end in ends}
    with pytest.raises(fr.InvalidArgumentError, match=r"a_mask\.png.*replace an input"):
        parse([photos / "a.png", photos / "a_mask.png"], photos)


# ---- videos ----


def film(path: Path, frames: list[np.ndarray], rate: float = 20) -> Path:
    codec = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), codec, rate, frames[0].shape[1::-1])
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {path.suffix}")
    for frame in frames:
        writer.write(frame[..., ::-1].copy())
    writer.release()
    return path


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def noise() -> list[np.ndarray]:
    """40 small frames without a face."""
    rng = np.random.default_rng(0)
    return [cv2.resize(rng.integers(0, 256, (8, 12, 3), np.uint8), (96, 64)) for _ in range(40)]


def test_video(tmp_path, portrait):
    path = film(tmp_path / "clip.avi", [np.roll(portrait, 3 * shift, 1) for shift in range(6)])
    outcome, told = parse([path], tmp_path / "out", json=True, overlay=True)
    assert outcome.frames == 6 and outcome.faces == 6 and not told
    lines = lines_of(tmp_path / "out/clip.jsonl")
    assert [line["frame"] for line in lines] == list(range(6)) and lines[3]["time_s"] == pytest.approx(0.15)
    assert {face["track"] for line in lines for face in line["faces"]} == {lines[0]["faces"][0]["track"]}
    assert mask_of(tmp_path / "out/clip_masks/000005.png").any()


def test_a_shorter_video_replaces_the_results_of_a_longer_one(tmp_path, noise):
    out = tmp_path / "out"
    for count in (6, 3):
        path = film(tmp_path / "clip.avi", noise[:count])
        outcome, told = parse([path], out, json=True, overlay=True)
        assert (outcome.frames, outcome.empty, told) == (count, count, [])
        assert names_in(out) == ["clip.jsonl", "clip_masks", "clip_overlay.mp4"]
        assert names_in(out / "clip_masks") == [f"{k:06d}.png" for k in range(count)]
        assert mask_of(out / "clip_masks/000002.png").shape == (64, 96)
        assert len(lines_of(out / "clip.jsonl")) == count
        assert cv2.VideoCapture(str(out / "clip_overlay.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == count


def test_a_folder_that_holds_something_else_is_kept(tmp_path, noise):
    path = film(tmp_path / "clip.avi", noise[:3])
    other = tmp_path / "out/clip_masks"
    other.mkdir(parents=True)
    (other / "notes.txt").write_text("mine")
    outcome, told = parse([path], tmp_path / "out", json=True)
    assert outcome.failed and "clip_masks" in told[0] and outcome.frames == 0
    assert names_in(tmp_path / "out") == ["clip_masks"] and names_in(other) == ["notes.txt"]


def test_a_broken_video_leaves_nothing(tmp_path, noise, monkeypatch):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(bytes(1000))
    outcome, told = parse([broken], tmp_path / "out", json=True, overlay=True)
    assert outcome.failed == [str(broken)] and "broken.mp4" in told[0] and names_in(tmp_path / "out") == []
    good = film(tmp_path / "good.avi", noise[:9])
    parse([good], tmp_path / "out")
    before = names_in(tmp_path / "out/good_masks")
    overlay = fr.Faces.overlay
    calls = []

    def fails_late(faces, *args, **options):
        calls.append(1)
        if len(calls) == 5:
            raise cv2.error("no luck")
        return overlay(faces, *args, **options)

    monkeypatch.setattr(fr.Faces, "overlay", fails_late)
    outcome, told = parse([good], tmp_path / "out", json=True, overlay=True)
    assert "good.avi" in told[0] and (outcome.frames, outcome.faces, outcome.empty) == (0, 0, 0)
    assert names_in(tmp_path / "out") == ["good_masks"] and names_in(tmp_path / "out/good_masks") == before


def test_a_video_that_ends_early_is_told(tmp_path, noise):
    path = film(tmp_path / "clip.avi", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    outcome, told = parse([path], tmp_path / "out", json=True)
    assert 10 < outcome.frames < 30 and outcome.failed == [str(path)]
    assert f"{outcome.frames} of its 40 frames" in told[0] and "\n" not in told[0]
    assert len(names_in(tmp_path / "out/clip_masks")) == len(lines_of(tmp_path / "out/clip.jsonl")) == outcome.frames
    assert ends_early(97, 101) and not ends_early(98, 100) and not ends_early(5, 0) and not ends_early(110, 100)


def test_time_of_frames_is_the_file_s(tmp_path, noise):
    path = film(tmp_path / "clip.mkv", noise)
    whole = bytearray(path.read_bytes())
    third = len(whole) // 3
    whole[third : 2 * third] = bytes(third)  # frames are gone, the others keep their times
    path.write_bytes(whole)
    parse([path], tmp_path / "out", json=True)
    times = [line["time_s"] for line in lines_of(tmp_path / "out/clip.jsonl")]
    assert len(times) < 35 and times[-1] == pytest.approx(1.95) and (np.diff(times) > 0).all()


def test_frame_time():
    def times(stamps_ms: list[float], rate: float) -> list[float]:
        out: list[float] = []
        for count, stamp in enumerate(stamps_ms):
            out.append(frame_time(count, out[-1] if out else 0.0, stamp, rate))
        return out

    assert times([0, 40, 100, 110], 25) == pytest.approx([0, 0.04, 0.1, 0.11])  # variable rate
    assert times([0, 0, 0, 0], 25) == pytest.approx([0, 0.04, 0.08, 0.12])  # a reader without stamps
    assert times([float("nan"), -1, 100, 90], 25) == pytest.approx([0, 0.04, 0.1, 0.14])


def test_progress_of_a_video(tmp_path, noise):
    path = film(tmp_path / "clip.avi", noise[:4])
    seen: list[tuple[str, int, int]] = []
    run(
        [path],
        Job(out=tmp_path / "out"),
        progress=lambda path, count, expected: seen.append((path.name, count, expected)),
    )
    assert seen == [("clip.avi", k, 4) for k in range(1, 5)]


def test_progress_is_for_terminals(monkeypatch, capsys):
    from forge_rt.cli import parse as cli

    times = iter((0.0, 0.1, 2.0, 2.1, 3.0, 4.0))
    monkeypatch.setattr(cli, "time", SimpleNamespace(monotonic=lambda: next(times)))
    monkeypatch.setattr(cli.sys.stderr, "isatty", lambda: True, raising=False)
    status = cli.StatusLine()
    for count in range(1, 5):
        status.frame(Path("a/clip.mp4"), count, 9)
    status.clear()
    first, second = "clip.mp4: 2 of 9 frames", "clip.mp4: 4 of 9 frames"
    assert capsys.readouterr().err == f"\r{first}\r{second}\r{' ' * len(second)}\r"
    monkeypatch.setattr(cli.sys.stderr, "isatty", lambda: False, raising=False)
    quiet = cli.StatusLine()
    quiet.frame(Path("clip.mp4"), 1, 9)
    quiet.clear()
    assert capsys.readouterr().err == ""


# ---- other errors, other detectors ----


@pytest.mark.parametrize(
    "error",
    [cv2.error("resize:\n no luck"), MemoryError(), OSError(5, "Input/output error")],
    ids=lambda e: type(e).__name__,
)
def test_no_error_of_one_input_stops_the_others(tmp_path, portrait, monkeypatch, error):
    files = [write(tmp_path / f"{name}.png", portrait) for name in "ab"]

    def read(path):
        if path.name == "a.png":
            raise error
        return read_image(path)

    monkeypatch.setattr("forge_rt.parsing.read_image", read)
    outcome, told = parse(files, tmp_path / "out", detector="haar")
    assert outcome.images == 1 and outcome.failed == [str(files[0])]
    assert len(told) == 1 and "a.png" in told[0] and "\n" not in told[0]


def test_no_model_makes_no_folder(tmp_path, portrait):
    with pytest.raises(fr.NotFoundError, match="no-such"):
        parse([write(tmp_path / "face.png", portrait)], tmp_path / "out", model="no-such")
    assert not (tmp_path / "out").exists()


def test_haar_instead_of_the_bundle_s_detector(tmp_path, portrait):
    one = write(tmp_path / "one.png", portrait)
    two = write(tmp_path / "two.png", np.concatenate([portrait, portrait], 1))
    outcome, _ = parse([one, two], tmp_path / "out", detector="haar", json=True)
    assert outcome.images == 2
    truth = np.asarray(fr.ForgeHead().generate(seed=11, index=2, size=320, camera="frontal").landmarks)[0]
    low, high = truth.min(0), truth.max(0)

    def shared(face: dict, shift: int = 0) -> float:
        box = np.array(face["box"]).reshape(2, 2) - [shift, 0]
        both = np.prod(np.clip(np.minimum(box[1], high) - np.maximum(box[0], low), 0, None))
        return float(both / (np.prod(box[1] - box[0]) + np.prod(high - low) - both))

    (face,) = json.loads((tmp_path / "out/one.json").read_text())["faces"]
    assert shared(face) >= 0.5 and mask_of(tmp_path / "out/one_mask.png").any()
    faces = json.loads((tmp_path / "out/two.json").read_text())["faces"]
    assert max(map(shared, faces)) >= 0.5 and max(shared(face, 320) for face in faces) >= 0.5
    parse([two], tmp_path / "out", detector="haar", json=True, max_faces=1)
    assert len(json.loads((tmp_path / "out/two.json").read_text())["faces"]) == 1
    with pytest.raises(fr.InvalidArgumentError, match="no score"):
        parse([one], tmp_path / "out3", detector="haar", threshold=0.5)


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


def test_cli_with_haar(tmp_path, portrait, capfd):
    from forge_rt.cli.main import main

    command = [
        "parse",
        str(write(tmp_path / "face.png", portrait)),
        "--out",
        str(tmp_path / "out"),
        "--detector",
        "haar",
    ]
    with pytest.raises(SystemExit) as done:
        main(command)
    said = capfd.readouterr()
    assert done.value.code in (0, None) and "1 images, 1 faces" in said.out and "\r" not in said.err
    with pytest.raises(SystemExit) as done:
        main([*command, "--threshold", "0.3"])
    assert done.value.code == 2 and "no score" in capfd.readouterr().err


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


# ---- pictures of all kinds ----


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, depth: int, colour: int, rows: list[bytes], *, height: int = 0, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height or len(rows), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_png_of_unusual_kinds(tmp_path):
    def read(data: bytes) -> list:
        (tmp_path / "x.png").write_bytes(data)
        return read_image(tmp_path / "x.png").tolist()

    palette = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 10, 20, 30])) + chunk(b"tRNS", bytes([0, 128, 255]))
    assert read(png(3, 8, 3, [bytes([0, 1, 2])], more=palette)) == [[[255, 0, 0], [0, 255, 0], [10, 20, 30]]]
    assert read(png(2, 1, 0, [b"\x80", b"\x40"])) == [[[255] * 3, [0] * 3], [[0] * 3, [255] * 3]]
    grey_alpha = struct.pack(">4H", 65535, 1000, 32896, 65535)
    assert read(png(2, 16, 4, [grey_alpha])) == [[[255] * 3, [128] * 3]]


def test_exif_turns_the_picture(tmp_path):
    left_red = np.zeros((32, 48, 3), np.uint8)
    left_red[:, :24, 2] = 255
    jpeg = cv2.imencode(".jpg", left_red)[1].tobytes()
    red_at = {1: (16, 4), 2: (16, 43), 3: (16, 43), 6: (4, 16), 8: (43, 16)}  #: row, column of the upright picture
    for orientation, at in red_at.items():
        exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
        path = tmp_path / "x.jpg"
        path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
        image = read_image(path)
        assert image.shape == ((32, 48, 3) if orientation < 5 else (48, 32, 3))
        rows, columns = image.shape[:2]
        assert image[at][0] > 200 and image[rows - 1 - at[0], columns - 1 - at[1]].max() < 50


def test_cmyk_and_animations(tmp_path):
    pillow = pytest.importorskip("PIL.Image", reason="writes CMYK and animations")
    pillow.fromarray(np.full((16, 16, 4), (0, 255, 255, 0), np.uint8), "CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "cmyk.jpg").astype(int) - [255, 0, 0]).max() <= 4
    red, green = (pillow.fromarray(np.full((16, 16, 3), c, np.uint8)) for c in ((255, 0, 0), (0, 255, 0)))
    for name, options in (("a.png", {}), ("a.webp", {"lossless": True}), ("a.gif", {})):
        red.save(tmp_path / name, save_all=True, append_images=[green], **options)
        try:
            assert (read_image(tmp_path / name) == [255, 0, 0]).all()
        except fr.CorruptFileError as error:  # OpenCV reads GIF from 4.11 on
            assert name == "a.gif" and "no picture that OpenCV reads" in str(error)


def test_a_picture_beyond_all_limits(tmp_path):
    (tmp_path / "huge.png").write_bytes(png(1 << 17, 1, 0, [bytes(1 << 14)], height=1 << 17))
    with pytest.raises(fr.InvalidArgumentError, match=r"huge\.png has more pixels than OpenCV reads"):
        read_image(tmp_path / "huge.png")
