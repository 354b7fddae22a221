"""FaceAnalyzer and FaceTracker on networks that are known exactly (face_bundles.py)."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import threading
from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import bundles
from forge_rt.landmarks68 import face_box

pytest.importorskip("onnxruntime")

from face_bundles import CROP, DETECTOR, FACE, detector_network, faces_network, fields, picture, template, write_faces
from hypothesis import given, settings
from hypothesis import strategies as st

IDENTITY = [[1, 0, 0], [0, 1, 0]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("bundle") / "known.forge")


@pytest.fixture(scope="module")
def analyzer(bundle: Path) -> fr.FaceAnalyzer:
    return fr.FaceAnalyzer(bundle)


def classes_of(image: np.ndarray) -> np.ndarray:
    value = image.astype(int) - 127.5
    return np.argmax(np.stack([0 * value[..., 0], value[..., 0], value[..., 1]]), axis=0)


# ---- what it says ----


def test_contract(analyzer: fr.FaceAnalyzer, bundle: Path) -> None:
    assert [(c.id, c.name) for c in analyzer.labels] == [(0, "background"), (1, "skin"), (2, "hair")]
    assert (analyzer.side, analyzer.landmark_count, analyzer.crop_size, analyzer.has_detector) == (
        "subject",
        68,
        (CROP, CROP),
        True,
    )
    assert analyzer.depth_unit == "m, relative to the sea"
    assert (analyzer.precision, analyzer.provider) == ("fp32", "cpu")
    assert analyzer.hash == bundles.info(bundle).hash
    assert "device is cpu" in analyzer.provider_reason


def test_identity_crop_is_the_network(analyzer: fr.FaceAnalyzer) -> None:
    image = np.random.default_rng(1).integers(0, 256, (CROP, CROP, 3), np.uint8)
    faces = analyzer(image, crops=[IDENTITY], confidence=True, depth_map=True)
    want = classes_of(image)
    np.testing.assert_array_equal(faces.mask, want)
    np.testing.assert_allclose(faces.depth, np.where(want > 0, 2 * (image[..., 2] / 127.5 - 1), 0), atol=1e-5)
    logits = np.stack(
        [0 * image[..., 0].astype(float), 8 * (image[..., 0] / 127.5 - 1), 8 * (image[..., 1] / 127.5 - 1)]
    )
    probability = np.exp(logits).max(0) / np.exp(logits).sum(0)
    np.testing.assert_allclose(faces.confidence, 255 * probability, atol=1)
    face = faces.faces[0]
    assert face.area == {c.name: int((want == c.id).sum()) if c.id else 0 for c in analyzer.labels}
    assert face.confidence == pytest.approx(probability[want > 0].mean(), abs=0.01)
    assert face.rect == (0, 0, CROP, CROP) and face.box == (0, 0, CROP, CROP)
    np.testing.assert_allclose(face.visibility, 1 / (1 + np.exp(-2)), rtol=1e-5)


def test_finds_and_places_a_face(analyzer: fr.FaceAnalyzer) -> None:
    image = picture(320, 256, (120, 80))
    faces = analyzer(image, depth_map=True)
    assert len(faces) == 1 and faces.mask.shape == (256, 320)
    face = faces.faces[0]
    assert face.box == pytest.approx((120, 80, 160, 120), abs=0.01) and face.score > 0.99
    np.testing.assert_allclose(face.landmarks, template() * FACE + [140, 100], atol=1.0)
    assert (faces.mask != classes_of(image)).sum() < 8 * FACE  # borders
    assert face.area["skin"] == (faces.mask == 1).sum()
    assert set(faces.ms) >= {"detect_network", "network", "unwarp", "total"} and faces.ms["total"] > 0
    np.testing.assert_allclose(analyzer.crop_of(face.points), face.to_crop, atol=1e-4)
    assert json.loads(faces.to_json())["faces"][0]["landmarks"][0] == pytest.approx(
        face.landmarks[0].tolist(), abs=1e-3
    )
    shown = faces.overlay(image)
    assert (
        shown.shape == image.shape
        and (shown[82:118, 122:158] == [255, 0, 0]).all(2).mean() > 0.5
        and (image[0] == shown[0]).all()
    )
    only = analyzer.detect(image)
    assert len(only) == 1 and only[0].box == face.box and only[0].landmarks is None


def test_results_compare_and_convert(analyzer: fr.FaceAnalyzer) -> None:
    image = picture(320, 256, (120, 80))
    faces, again = analyzer(image), analyzer(image)
    assert faces == faces and faces != again and faces.faces[0] != again.faces[0] and len({faces, again}) == 2
    face, row = faces.faces[0], json.loads(faces.to_json())["faces"][0]
    assert set(row) == {field.name for field in dataclasses.fields(face)}
    assert tuple(row["rect"]) == face.rect
    np.testing.assert_allclose(row["to_crop"], face.to_crop, atol=1e-8)
    for name, channels in (("rgb", 4), ("bgr", 4), ("rgba", 3), ("gray", 3), ("nv12", 3)):
        with pytest.raises(fr.InvalidArgumentError, match="format"):
            faces.overlay(np.zeros((256, 320, channels), np.uint8), format=name)
    rgba = np.dstack([image, np.zeros((256, 320), np.uint8)])
    np.testing.assert_array_equal(faces.overlay(rgba, format="rgba"), faces.overlay(image))


def test_crop_rules(analyzer: fr.FaceAnalyzer, tmp_path: Path) -> None:
    points = np.array([[100, 90], [140, 110], [115, 120], [95, 130], [125, 148]], np.float32)
    e, m = points[:2].mean(0), points[3:].mean(0)
    d, across = m - e, points[1] - points[0]
    x = across + np.array([d[1], -d[0]])
    x /= np.hypot(*x)
    side = max(5 * np.hypot(*across), 4 * np.hypot(*d))
    centre = e + 0.1 * d
    matrix = analyzer.crop_of(points)

    def place(p: np.ndarray) -> np.ndarray:
        return matrix[:, :2] @ p + matrix[:, 2]

    y = np.array([-x[1], x[0]])
    np.testing.assert_allclose(place(centre), [CROP / 2, CROP / 2], atol=1e-3)
    np.testing.assert_allclose(place(centre + side / 2 * x), [CROP, CROP / 2], atol=1e-3)
    np.testing.assert_allclose(place(centre + side / 2 * y), [CROP / 2, CROP], atol=1e-3)
    k = CROP / (2 * 60)
    np.testing.assert_allclose(
        analyzer.crop_of([10, 20, 50, 80]), [[k, 0, 32 - 30 * k], [0, k, 32 - 50 * k]], atol=1e-4
    )

    square = fr.FaceAnalyzer(
        write_faces(tmp_path / "a.forge", fields(crop={"rule": "box", "margin": 0.25, "square": True}))
    )
    k = CROP / (1.5 * 60)
    np.testing.assert_allclose(square.crop_of([10, 20, 50, 80]), [[k, 0, 32 - 30 * k], [0, k, 32 - 50 * k]], atol=1e-4)
    with pytest.raises(fr.UnsupportedError, match="by their boxes"):
        square.crop_of(points)
    assert len(square(picture(320, 256, (120, 80)))) == 1
    stretched = fr.FaceAnalyzer(
        write_faces(tmp_path / "b.forge", fields(crop={"rule": "box", "margin": 0, "square": False}))
    )
    np.testing.assert_allclose(stretched.crop_of([0, 0, 32, 128]), [[2, 0, 0], [0, 0.5, 0]], atol=1e-5)


def test_rotated_crop_comes_back(analyzer: fr.FaceAnalyzer) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    yy, xx = np.mgrid[:200, :200] + 0.5
    image[(xx - 100) ** 2 + (yy - 90) ** 2 < 30**2, 1] = 255
    a = np.deg2rad(33)
    c, s = 0.5 * np.cos(a), 0.5 * np.sin(a)
    matrix = [[c, s, 32 - c * 100 - s * 90], [-s, c, 32 + s * 100 - c * 90]]
    mask = analyzer(image, crops=[matrix]).mask
    assert (mask != 2 * (image[..., 1] > 0)).mean() < 0.004


# ---- many faces, many frames ----


def test_batches_are_single_calls(analyzer: fr.FaceAnalyzer) -> None:
    rng = np.random.default_rng(5)
    frames = [
        picture(320, 256, *((40 + 88 * i, 40 + 8 * int(rng.integers(0, 16))) for i in range(n)))
        for n in (1, 3, 0, 2, 3, 1, 2, 3)
    ]
    together = analyzer.analyze(frames)
    assert [len(f) for f in together] == [1, 3, 0, 2, 3, 1, 2, 3]
    for frame, many in zip(frames, together, strict=True):
        alone = analyzer(frame)
        np.testing.assert_array_equal(many.mask, alone.mask)
        for a, b in zip(many, alone, strict=True):
            np.testing.assert_allclose(a.landmarks, b.landmarks, atol=1e-3)
            assert a.box == b.box and a.area == b.area
    assert not together[2].mask.any()


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_batch_sizes(bundle: Path, batch: int) -> None:
    frame = picture(320, 320, *((20 + 60 * i, 16 + 96 * j) for i in range(5) for j in range(3)))
    boxes = [[20 + 60 * i, 16 + 96 * j, 60 + 60 * i, 56 + 96 * j] for i in range(5) for j in range(3)]
    want = fr.FaceAnalyzer(bundle)(frame, boxes=boxes)
    got = fr.FaceAnalyzer(bundle, batch=batch)(frame, boxes=boxes)
    np.testing.assert_array_equal(got.mask, want.mask)
    assert [f.box for f in got] == [tuple(b) for b in boxes]


def test_graph_with_a_batch_of_its_own(tmp_path: Path) -> None:
    path = write_faces(tmp_path / "four.forge", faces=faces_network(batch=4))
    frame = picture(320, 320, *((20 + 60 * i, 16) for i in range(5)))
    assert [
        f.area["skin"] > 1200
        for f in fr.FaceAnalyzer(path)(frame, boxes=[[20 + 60 * i, 16, 60 + 60 * i, 56] for i in range(5)])
    ] == [True] * 5


def test_larger_faces_lie_over_smaller_ones(analyzer: fr.FaceAnalyzer) -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    image[:, :64, 0] = 255
    boxes = [[0, 0, 60, 60], [20, 20, 40, 40]]
    for order in ([0, 1], [1, 0]):
        faces = analyzer(image, boxes=[boxes[i] for i in order])
        assert [f.box for f in faces] == [tuple(boxes[i]) for i in order]
        assert faces.faces[order.index(0)].area["skin"] > faces.faces[order.index(1)].area["skin"] > 0


def test_tiny_huge_and_outlying(analyzer: fr.FaceAnalyzer) -> None:
    image = picture(320, 256, (120, 80, 3))
    assert analyzer(image, boxes=[[120, 80, 123, 83]]).faces[0].area["skin"] in range(4, 20)
    assert analyzer(picture(1, 1), boxes=[[0, 0, 1, 1]]).mask.shape == (1, 1)
    wide = analyzer(np.zeros((3, 4000, 3), np.uint8))
    assert len(wide) == 0 and wide.mask.shape == (3, 4000)
    assert len(analyzer(image, boxes=[[-100, -100, 1, 1]])) == 1
    assert len(analyzer(image, boxes=np.zeros((0, 4)))) == 0
    small = picture(160, 160, (40, 40, 20))  # half as large: scaled up for the detector
    assert analyzer(small).faces[0].box == pytest.approx((40, 40, 60, 60), abs=0.01)
    assert len(analyzer(small, min_face=25)) == 0 and len(analyzer(small, min_face=15)) == 1


@pytest.mark.parametrize(
    ("box", "what"),
    [([400, 0, 410, 10], "wholly outside"), ([0, 0, float("nan"), 10], "finite"), ([10, 10, 10, 20], "left before"), ([9, 9, 1, 20], "left before")],
)  # fmt: skip
def test_bad_boxes(analyzer: fr.FaceAnalyzer, box: list[float], what: str) -> None:
    with pytest.raises(fr.InvalidArgumentError, match=f"box 1.*{what}"):
        analyzer(picture(320, 256), boxes=[[0, 0, 9, 9], box])


# ---- pictures ----


def test_formats(analyzer: fr.FaceAnalyzer) -> None:
    image = np.random.default_rng(3).integers(0, 256, (CROP, CROP + 6, 3), np.uint8)
    want = analyzer(image, crops=[IDENTITY]).mask
    alpha = np.dstack([image, image[..., :1]])
    same: list[tuple[Any, str | None]] = [
        (alpha, None), (image[..., ::-1].copy(), "bgr"), (alpha[..., [2, 1, 0, 3]], "bgra"), (image[..., ::-1], "bgr"),
        (np.asfortranarray(image), None), (fr.from_dlpack(image), None), (np.pad(image, ((3, 3), (5, 2), (0, 0)))[3:-3, 5:-2], None),
        (np.repeat(image, 2, axis=1)[:, ::2], None), (image[::-1].copy()[::-1], None), (image.tolist(), None),
    ]  # fmt: skip
    for array, name in same[:-1]:
        np.testing.assert_array_equal(analyzer(array, crops=[IDENTITY], format=name).mask, want)
    grey = image[..., 0]
    np.testing.assert_array_equal(
        analyzer(grey, crops=[IDENTITY]).mask, analyzer(np.dstack([grey] * 3), crops=[IDENTITY]).mask
    )
    read_only = image.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(analyzer(read_only, crops=[IDENTITY]).mask, want)
    y, uv = np.full((64, 64), 200, np.uint8), np.full((32, 32, 2), 128, np.uint8)
    np.testing.assert_array_equal(analyzer((y, uv), crops=[IDENTITY], format="nv12").mask, 1)
    np.testing.assert_array_equal(analyzer((y, uv.reshape(32, 64)), crops=[IDENTITY], format="nv12").mask, 1)


@pytest.mark.parametrize(
    ("image", "options", "what"),
    [
        (np.zeros((8, 8, 3), np.uint16), {}, "257"),
        (np.zeros((8, 8, 3), np.float32), {}, "255 "),
        (np.full((8, 8), np.nan), {}, "NaN"),
        (np.zeros((8, 8, 3), np.int64), {}, "uint8"),
        (np.zeros((8, 8, 2), np.uint8), {}, "H, W, 3"),
        (np.zeros((0, 8, 3), np.uint8), {}, "H, W, 3"),
        (np.zeros((2, 8, 8, 3), np.uint8), {}, "H, W, 3"),
        (np.zeros((8, 8, 4), np.uint8), {"format": "rgb"}, "3 channels"),
        (np.zeros((8, 8, 3), np.uint8), {"format": "hsv"}, "format must be"),
        (np.zeros((8, 8), np.uint8), {"format": "nv12"}, "tuple"),
        ((np.zeros((8, 8), np.uint8), np.zeros((3, 4, 2), np.uint8)), {"format": "nv12"}, "half its height"),
        (np.zeros((8, 8, 3), np.uint8), {"max_face": 3}, "unknown option"),
        (np.zeros((8, 8, 3), np.uint8), {"detect_size": 100}, "multiple of 32"),
        (np.zeros((8, 8, 3), np.uint8), {"detect_threshold": float("nan")}, "detect_threshold"),
        (np.zeros((8, 8, 3), np.uint8), {"boxes": [[1, 2, 3]]}, "boxes must be"),
        (np.zeros((8, 8, 3), np.uint8), {"crops": [[[1, 0, 0], [1, 0, 0]]]}, "invertible"),
        (np.zeros((8, 8, 3), np.uint8), {"crops": [[[1, 0, 999], [0, 1, 0]]]}, "crop 0 lies wholly outside"),
    ],
)  # fmt: skip
def test_refused(analyzer: fr.FaceAnalyzer, image: Any, options: dict[str, Any], what: str) -> None:
    with pytest.raises(fr.InvalidArgumentError, match=what):
        analyzer(image, **options)


def test_many_threads(analyzer: fr.FaceAnalyzer) -> None:
    frames = [picture(320, 256, (40 + 8 * i, 64), (200, 24 * (i % 4))) for i in range(8)]
    want = [analyzer(f).mask for f in frames]
    wrong = []

    def work(k: int) -> None:
        for i in range(16):
            j = (i + k) % 8
            if not np.array_equal(analyzer(frames[j]).mask, want[j]):
                wrong.append(j)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- bundles ----


def test_only_what_is_wanted(bundle: Path) -> None:
    image = picture(320, 256, (120, 80))
    points = fr.FaceAnalyzer(bundle, parsing=False, depth=False)(image, depth_map=True, confidence=True)
    assert points.mask is None and points.depth is None and points.confidence is None
    assert points.faces[0].landmarks.shape == (68, 2) and points.faces[0].confidence == 0 and points.faces[0].area == {}
    parser = fr.FaceAnalyzer(bundle, landmarks=False, depth=False)
    assert parser(image).faces[0].landmarks is None and parser(image).mask.any() and parser.landmark_count == 0
    depth = fr.FaceAnalyzer(bundle, parsing=False, landmarks=False)
    assert depth.labels == [] and (depth(image, depth_map=True).depth < 0).any()
    with pytest.raises(fr.InvalidArgumentError, match="at least one"):
        fr.FaceAnalyzer(bundle, parsing=False, landmarks=False, depth=False)


def test_stages(tmp_path: Path) -> None:
    """A second stage reads what the first makes; it is not run where nobody wants it."""
    from onnx_writer import model, node, value_info

    head = model(
        [node("Neg", ["logits"], ["flipped"])], [value_info("logits", "float32", ["n", 3, CROP, CROP])],
        [value_info("flipped", "float32", ["n", 3, CROP, CROP])],
    )  # fmt: skip
    manifest = fields(variants={"fp32": {"stages": [{"file": "faces.onnx"}, {"file": "head.onnx"}]}})
    manifest["outputs"]["parsing"]["tensor"] = "flipped"
    path = write_faces(tmp_path / "two.forge", manifest, head=head)
    image = np.random.default_rng(1).integers(0, 256, (CROP, CROP, 3), np.uint8)
    value = np.insert(127.5 - image[..., :2].astype(float), 0, 0, axis=2)
    np.testing.assert_array_equal(fr.FaceAnalyzer(path)(image, crops=[IDENTITY]).mask, value.argmax(2))
    assert fr.FaceAnalyzer(path, parsing=False)(image, crops=[IDENTITY]).faces[0].landmarks is not None
    manifest["variants"] = {"fp32": {"stages": [{"file": "head.onnx"}, {"file": "faces.onnx"}]}}
    with pytest.raises(fr.CorruptFileError, match="logits"):
        fr.FaceAnalyzer(write_faces(tmp_path / "turned.forge", manifest, head=head))


def test_ignored_classes_and_probabilities(tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 256, (CROP, CROP, 3), np.uint8)
    manifest = fields()
    manifest["outputs"]["parsing"]["ignore"] = [2]
    mask = fr.FaceAnalyzer(write_faces(tmp_path / "a.forge", manifest))(image, crops=[IDENTITY]).mask
    np.testing.assert_array_equal(mask, image[..., 0] > 127)
    with pytest.raises(fr.CorruptFileError, match="ignore must name class 3"):
        fr.FaceAnalyzer(write_faces(tmp_path / "b.forge", faces=faces_network(classes=4)))
    manifest["outputs"]["parsing"] = {"tensor": "logits", "kind": "probabilities", "ignore": [3]}
    path = write_faces(tmp_path / "c.forge", manifest, faces=faces_network(classes=4))
    assert fr.FaceAnalyzer(path)(image, crops=[IDENTITY]).mask.max() == 2


def test_finds_that_the_parser_doubts_are_none(tmp_path: Path, analyzer: fr.FaceAnalyzer) -> None:
    image = picture(320, 256, (120, 80))
    sure = analyzer(image).faces[0].confidence
    strict, lax = (
        fr.FaceAnalyzer(write_faces(tmp_path / f"{k}.forge", changed(["detector", "confidence"], floor)))
        for k, floor in enumerate((1.0, sure - 1e-3))
    )
    assert not strict(image).faces and not strict(image).mask.any()
    assert len(lax(image).faces) == 1 and (lax(image).mask == analyzer(image).mask).all()
    box = analyzer(image).faces[0].box
    assert len(strict(image, boxes=[box]).faces) == 1  # the caller's boxes are not judged
    assert not fr.FaceTracker(strict).update(image, 0.0).faces
    assert len(fr.FaceTracker(lax).update(image, 0.0).faces) == 1


def test_other_detectors(bundle: Path, tmp_path: Path) -> None:
    blind = write_faces(tmp_path / "blind.forge", fields(detector=None))
    image = picture(320, 256, (120, 80))
    alone = fr.FaceAnalyzer(blind)
    assert not alone.has_detector
    with pytest.raises(fr.UnsupportedError, match="no detector"):
        alone(image)
    with pytest.raises(fr.UnsupportedError, match="detector"):
        fr.FaceTracker(alone)
    bundles.write(tmp_path / "find.forge", "detector", {"detect.onnx": detector_network()}, {"detector": DETECTOR})
    for other in (bundle, tmp_path / "find.forge"):
        np.testing.assert_array_equal(
            fr.FaceAnalyzer(blind, detector=other)(image).mask, fr.FaceAnalyzer(bundle)(image).mask
        )
    with pytest.raises(fr.UnsupportedError, match="family 'head'"):
        fr.FaceAnalyzer(blind, detector="forgehead")
    with pytest.raises(fr.UnsupportedError, match="family 'head'"):
        fr.FaceAnalyzer("forgehead")
    with pytest.raises(fr.NotFoundError, match="no-such"):
        fr.FaceAnalyzer("no-such")
    with pytest.raises(fr.UnsupportedError, match="no variant 'int8'; it has: fp32"):
        fr.FaceAnalyzer(bundle, precision="int8")


def changed(path: list[str | int], value: Any) -> dict[str, Any]:
    out = fields()
    place: Any = out
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return out


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (["input", "size"], [64], "input.size"),
        (["input", "size"], [64, 1e9], "input.size"),
        (["input", "order"], "rgb", "input.order"),
        (["input", "mean"], [1, 2], "input.mean"),
        (["input", "scale"], [1, 2, "3"], "input.scale"),
        (["input", "tensor"], "picture", "picture|image"),
        (["crop", "rule"], "six_points", "crop.rule"),
        (["crop", "rotate"], 1, "crop.rotate"),
        (["crop", "box"], None, "crop.box"),
        (["variants"], {}, "variants"),
        (["variants", "fp32", "stages"], [], "stages"),
        (["variants", "fp32", "stages", 0, "file"], "x.onnx", "file"),
        (["outputs", "parsing", "kind"], "odds", "kind"),
        (["outputs", "parsing", "tensor"], "masks", "masks"),
        (["outputs", "parsing", "ignore"], [0, 1, 2], "ignore"),
        (["outputs", "landmarks", "columns"], ["y", "x"], "columns"),
        (["outputs", "landmarks", "columns"], ["x", "y"], "outputs.landmarks"),
        (["outputs", "depth", "tensor"], "logits", "outputs.depth"),
        (["labels", 1, "id"], 0, "labels.1..id"),
        (["labels", 1, "color"], [1, 2, 256], "color"),
        (["side"], "left", "side"),
        (["detector", "stride"], 0, "detector.stride"),
        (["detector", "multiple"], 20, "multiple"),
        (["detector", "stride"], 16, "score|box|points"),
        (["input", "size"], [32, 32], "contract"),
    ],
)  # fmt: skip
def test_wrong_manifests(tmp_path: Path, path: list[str | int], value: Any, named: str) -> None:
    with pytest.raises((fr.CorruptFileError, fr.UnsupportedError), match=named):
        fr.FaceAnalyzer(write_faces(tmp_path / "x.forge", changed(path, value)))


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(p for key, v in inner for p in places(v, (*at, key)))]


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 70000), st.sampled_from([2**63, -(2**63), 1e308, -1e-320]), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4), st.just([]), st.just({}), st.lists(st.integers(-1, 300), max_size=4),
)  # fmt: skip


@settings(max_examples=150)
@given(st.data())
def test_damaged_manifests(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    manifest = fields()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([p for p in places(manifest) if p]))
        place: Any = manifest
        for step in path[:-1]:
            place = place[step]
        if data.draw(st.booleans()):
            place[path[-1]] = copy.deepcopy(data.draw(JUNK))
        else:
            del place[path[-1]]
    folder = write_faces(tmp_path_factory.mktemp("damaged") / "x.forge", manifest)
    try:
        analyzer = fr.FaceAnalyzer(folder, threads=1)
        analyzer(picture(64, 48, (4, 4)), max_faces=2)
        analyzer(picture(64, 48), boxes=[[4, 4, 44, 44]])
    except fr.ForgeError as error:
        assert not isinstance(error, fr.InternalError)


def test_installed_by_name(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_RT_MODELS", str(bundle.parent))
    assert fr.FaceAnalyzer("known").hash == bundles.info(bundle).hash


def test_cuda_is_never_replaced_in_silence(bundle: Path) -> None:
    if fr.cuda_status()["device_count"]:
        pytest.skip("CUDA may work here")
    with pytest.raises(fr.DeviceUnavailableError):
        fr.FaceAnalyzer(bundle, device="cuda")
    with pytest.raises(fr.DeviceUnavailableError, match="CUDA"):
        fr.FaceAnalyzer(bundle, provider="cuda")


# ---- videos ----


def test_tracker_follows_and_rests(analyzer: fr.FaceAnalyzer) -> None:
    tracker = fr.FaceTracker(analyzer, detect_every=10, smooth_landmarks=False)
    detections = 0
    for i in range(30):
        x, y = 60 + 4 * i, 60 + 20 * np.sin(i / 5)
        faces = tracker.update(picture(320, 256, (x, y)), i / 30)
        detections += faces.ms["detect_network"] > 0
        assert [f.track for f in faces] == [0]
        np.testing.assert_allclose(
            faces.faces[0].landmarks.mean(0), template().mean(0) * FACE + [x + 20, y + 20], atol=1.0
        )
    assert detections == 3


def test_filter_reduces_jitter_and_bounds_lag(analyzer: fr.FaceAnalyzer) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (60, 2))
    plain, smooth = fr.FaceTracker(analyzer, smooth_landmarks=False), fr.FaceTracker(analyzer)
    shake = {"plain": [], "smooth": []}
    for i in range(60):
        image = picture(320, 256, (140 + noise[i, 0], 100 + noise[i, 1]))
        for name, tracker in (("plain", plain), ("smooth", smooth)):
            shake[name].append(tracker.update(image, i / 30).faces[0].landmarks[30])
    still = {name: np.std(np.diff(np.array(track)[20:], axis=0)) for name, track in shake.items()}
    assert still["smooth"] < 0.5 * still["plain"]
    smooth.reset()
    for i in range(30):
        x = 40 + 6 * i  # 180 pixels, 4.5 faces per second
        faces = smooth.update(picture(320, 256, (x, 100)), 10 + i / 30)
    lag = x + 20 + template()[30, 0] * FACE - faces.faces[0].landmarks[30, 0]
    assert abs(lag) < 0.15 * FACE


def test_numbers_stay_when_faces_cross(analyzer: fr.FaceAnalyzer) -> None:
    tracker = fr.FaceTracker(analyzer, detect_every=3, min_face=0)
    rows: dict[int, list[tuple[float, float]]] = {}
    for i in range(41):
        a, b = (20 + 6 * i, 60), (260 - 6 * i, 130)
        for face in tracker.update(picture(320, 256, a, b), i / 30):
            rows.setdefault(face.track, []).append(
                (0.5 * (face.box[0] + face.box[2]), 0.5 * (face.box[1] + face.box[3]))
            )
    assert sorted(rows) == [0, 1]
    for track in rows.values():
        xs, ys = np.array(track).T
        assert len(track) > 30 and np.ptp(ys) < 30 and abs(xs[-1] - xs[0]) > 200


def test_a_lost_face_is_found_again(analyzer: fr.FaceAnalyzer) -> None:
    tracker = fr.FaceTracker(analyzer, detect_every=30)
    shown = []
    for i in range(40):
        hidden = 10 <= i < 18
        jumped = i >= 25  # away from its crop
        image = picture(320, 256) if hidden else picture(320, 256, (240, 160) if jumped else (60, 40))
        faces = tracker.update(image, i / 30)
        shown.append(len(faces))
        assert not hidden or (len(faces) == 0 and not faces.mask.any())
        if 18 <= i < 25:
            assert [f.track for f in faces] == [0]
    assert shown == [1] * 10 + [0] * 8 + [1] * 22
    assert faces.faces[0].track == 1 and faces.faces[0].box[0] == pytest.approx(240, abs=2)
    assert len(tracker.update(picture(320, 240, (240, 160)), 9).faces) == 1  # another size starts anew


def test_mask_smoothing(analyzer: fr.FaceAnalyzer) -> None:
    rng = np.random.default_rng(2)
    flicker = {}
    for weight in (0.0, 0.8):
        tracker = fr.FaceTracker(analyzer, smooth_mask=weight, smooth_landmarks=False)
        masks = []
        for i in range(20):
            image = picture(320, 256, (120, 80))
            face = image[80:120, 120:160]
            face[..., 0], face[..., 1] = 220, np.clip(220 + rng.normal(0, 10, (40, 40)), 0, 255)  # hair or skin: a toss
            masks.append(tracker.update(image, i / 30).mask[84:116, 124:156].copy())
        flicker[weight] = np.mean([(a != b).mean() for a, b in itertools.pairwise(masks[5:])])
    assert flicker[0.8] < 0.6 * flicker[0.0]
    moving = fr.FaceTracker(analyzer, smooth_mask=0.8, smooth_landmarks=False)
    for i in range(15):
        image = picture(320, 256, (60 + 4 * i, 80))
        mask = moving.update(image, i / 30).mask
    assert (mask != classes_of(image)).sum() < 8 * FACE  # carried along, not smeared


def test_tracker_without_landmarks(bundle: Path) -> None:
    tracker = fr.FaceTracker(fr.FaceAnalyzer(bundle, landmarks=False), detect_every=9)
    for i in range(12):
        faces = tracker.update(picture(320, 256, (60 + 4 * i, 80)), i / 30)
        assert [f.track for f in faces] == [0] and faces.ms["detect_network"] > 0


def test_tracker_errors(analyzer: fr.FaceAnalyzer) -> None:
    tracker = fr.FaceTracker(analyzer)
    tracker.update(picture(64, 64), 1.0)
    for time_s in (1.0, 0.5, float("nan")):
        with pytest.raises(fr.InvalidArgumentError, match="time_s"):
            tracker.update(picture(64, 64), time_s)
    tracker.reset()
    tracker.update(picture(64, 64), 0.0)
    for options in (
        {"detect_every": 0},
        {"lost_below": 2},
        {"smooth_mask": 1},
        {"min_cutoff_hz": 0},
        {"max_faces": -1},
    ):
        with pytest.raises(fr.InvalidArgumentError, match=next(iter(options))):
            fr.FaceTracker(analyzer, **options)


# ---- OpenCV's detector ----


def iou(a: np.ndarray, b: np.ndarray) -> float:
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


@pytest.fixture(scope="module")
def portraits() -> tuple[np.ndarray, np.ndarray]:
    """[6, 256, 256, 3] pictures and [6, 4] face boxes."""
    batch = fr.ForgeHead().generate(seed=3, index=range(6), camera="frontal", size=256)
    return np.asarray(batch.rgb), np.stack([face_box(points) for points in np.asarray(batch.landmarks)])


def test_haar_boxes_are_those_of_a_detector(portraits: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("cv2")
    better = []
    for image, truth in zip(*portraits, strict=True):
        boxes = fr.haar_boxes(image)
        assert boxes.shape == (1, 4) and boxes.dtype == np.float32
        assert iou(boxes[0], truth) >= 0.6
        square = fr.haar_boxes(image, raw=True)[0]
        assert square[2] - square[0] == square[3] - square[1]
        better.append(iou(boxes[0], truth) - iou(square, truth))
        np.testing.assert_array_equal(fr.haar_boxes(image[..., ::-1], format="bgr"), boxes)
    assert np.mean(better) > 0.1


def test_haar_finds_both_profiles() -> None:
    pytest.importorskip("cv2")
    side_view = fr.camera.random(yaw_deg={"uniform": [60, 65]}, pitch_deg=0)
    batch = fr.ForgeHead().generate(seed=77, index=range(8), camera=side_view, size=256)
    found = 0
    for image, points in zip(np.asarray(batch.rgb), np.asarray(batch.landmarks), strict=True):
        # away from the middle, where left and right are told apart
        wide = np.pad(image, ((0, 0), (192, 0), (0, 0)), mode="edge")
        truth = face_box(points) + np.array([192, 0, 192, 0])
        mirrored = np.array([448 - truth[2], truth[1], 448 - truth[0], truth[3]])
        boxes = [fr.haar_boxes(wide), fr.haar_boxes(wide[:, ::-1])]
        found += all(len(b) == 1 and iou(b[0], t) >= 0.4 for b, t in zip(boxes, (truth, mirrored), strict=True))
    assert found >= 5


def test_haar_all_faces(portraits: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("cv2")
    images, truth = portraits
    both = np.concatenate([images[0], images[1]], axis=1)
    boxes = fr.haar_boxes(both, all_faces=True)
    assert len(fr.haar_boxes(both)) == 1 and len(boxes) >= 2
    for want in (truth[0], truth[1] + np.array([256, 0, 256, 0])):
        assert max(iou(box, want) for box in boxes) >= 0.6
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    assert (np.diff(area) <= 0).all()


def test_haar_inputs() -> None:
    pytest.importorskip("cv2")
    assert fr.haar_boxes(np.zeros((80, 60), np.uint8)).shape == (0, 4)
    with pytest.raises(fr.InvalidArgumentError, match="uint8"):
        fr.haar_boxes(np.zeros((8, 8, 3)))
    with pytest.raises(fr.InvalidArgumentError, match="rgb or bgr"):
        fr.haar_boxes(np.zeros((8, 8, 3), np.uint8), format="gray")
