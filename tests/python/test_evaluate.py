"""forge-rt evaluate, with an analyzer that knows the truth and errs as it is told to."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import cv2
import forge_rt as fr
import numpy as np
import pytest
from forge_rt import evaluation, labels, landmarks68
from forge_rt.cli.main import main

COUNT = 6


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "mixed"
    fr.generate(fr.Plan(count=COUNT, seed=5, style="mixed", size=96, rgb="png"), folder)
    return folder


@dataclass
class FakeFace:
    box: tuple
    score: float
    to_crop: object
    landmarks: np.ndarray | None
    visibility: np.ndarray | None


@dataclass
class FakeFaces:
    faces: list
    mask: np.ndarray
    depth: np.ndarray | None


class FakeAnalyzer:
    """Finds an image in what `known` it was told, by its pixels."""

    side, depth_unit, crop_size = "subject", "m, relative to the mean of the landmarks", (64, 64)
    hash, precision, provider = "0" * 64, "fp32", "cpu"

    def __init__(self, known, *, shift=0.0, misses=False, spurious=0, label_names=None):
        self.known = {item.rgb.tobytes(): item for item in known}
        self.shift, self.misses, self.spurious = shift, misses, spurious
        self.calls = []
        head = fr.ForgeHead()
        self.labels = (
            head.labels
            if label_names is None
            else [types.SimpleNamespace(id=i, name=n) for i, n in label_names.items()]
        )

    def crop_of(self, points):
        points = np.asarray(points)
        assert points.shape == (5, 2)
        centre, side = points.mean(0), 4 * np.linalg.norm(points[0] - points[1])
        k = 64 / side
        return ((k, 0.0, 32 - k * centre[0]), (0.0, k, 32 - k * centre[1]))

    def __call__(self, image, *, crops=None, boxes=None, depth_map=False):
        item = self.known[image.tobytes()]
        self.calls.append((crops, boxes))
        mask, faces = np.zeros(image.shape[:2], np.uint8), []
        if not (self.misses and crops is None and boxes is None):
            mask = item.mask.copy()
            points = None if item.points is None else item.points + self.shift
            crop = (
                crops[0]
                if crops
                else self.crop_of(landmarks68.five_points(item.points))
                if points is not None
                else ((1, 0, 0), (0, 1, 0))
            )
            seen = None if points is None else (item.visibility == 2).astype(float)
            truth = evaluation.box_of(item, "forgehead")
            faces = [FakeFace(tuple(truth), 1.0 if crops else 0.9, crop, points, seen)] if truth is not None else []
        faces += [FakeFace((-9, -9, -1, -1), 0.6, ((1, 0, 0), (0, 1, 0)), points, None) for _ in range(self.spurious)]
        depth = item.depth_m - item.centre_z_m + self.shift if depth_map else None
        return FakeFaces(faces, mask, depth)


def known(dataset):
    return list(evaluation.items(Path(dataset), None, None)[1])


def test_items_are_the_samples(dataset):
    label_set, read, count = evaluation.items(dataset, None, 4)
    got = list(read)
    assert label_set == "forgehead" and count == len(got) == 4
    item = got[0]
    assert item.rgb.shape == (96, 96, 3) and item.mask.shape == (96, 96) and item.points.shape == (68, 2)
    assert 0.3 < item.centre_z_m < 3 and item.depth_m.max() > 0.3
    assert {i.style for i in known(dataset)} == {"studio", "wild"}


def test_a_perfect_analyzer(dataset):
    result = evaluation.evaluate(FakeAnalyzer(known(dataset)), dataset)
    group = result.groups["all"]
    assert group["images"] == COUNT and set(result.groups) == {"all", "studio", "wild"}
    assert sum(result.groups[s]["images"] for s in ("studio", "wild")) == COUNT
    assert group["f1"]["mean"] == 1 and 8 <= group["f1"]["classes"] <= 18
    assert group["f1"]["pixels"] < COUNT * 96 * 96, "only pixels of the crops count"
    assert group["nme"]["mean"] == 0 and group["nme"]["n"] == COUNT and group["nme"]["auc_0.08"] == 1
    assert group["visibility"] == {
        "accuracy": 1.0,
        "n": 68 * COUNT,
        "share_visible": group["visibility"]["share_visible"],
    }
    assert group["depth"]["l1_m"] < 1e-6 and group["depth"]["faces"] == COUNT
    assert "detection" not in group
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["faces"] == "given"
    assert "mean F1 100.00" in evaluation.text(result)


def test_errors_are_measured(dataset):
    found = known(dataset)
    result = evaluation.evaluate(FakeAnalyzer(found, shift=0.5), dataset)
    group = result.groups["all"]
    expected = np.mean([np.hypot(0.5, 0.5) / np.linalg.norm(i.points[36] - i.points[45]) for i in found])
    assert group["nme"]["mean"] == pytest.approx(expected, abs=1e-5)
    assert group["nme"]["of_group"]["eyes"] == pytest.approx(expected, abs=1e-5)
    assert group["depth"]["l1_m"] == pytest.approx(0.5, abs=1e-5)


def test_detection_counts_missed_and_spurious_faces(dataset):
    found = known(dataset)
    group = evaluation.evaluate(FakeAnalyzer(found, spurious=1), dataset, faces="detected").groups["all"]
    assert group["detection"]["recall"] == 1 and group["detection"]["precision"] == 0.5
    group = evaluation.evaluate(FakeAnalyzer(found, misses=True), dataset, faces="detected").groups["all"]
    assert group["detection"]["recall"] == 0 and group["detection"]["precision"] is None
    assert group["nme"]["missed"] == COUNT and group["nme"]["failure_rate_0.08"] == 1 and group["nme"]["mean"] is None
    assert group["f1"]["mean"] < 0.01 and group["f1"]["pixels"] == COUNT * 96 * 96


def test_bakers_protocol_is_reported_besides(dataset):
    group = evaluation.evaluate(FakeAnalyzer(known(dataset)), dataset, protocol="baker").groups["all"]
    assert group["baker"]["images"] == COUNT
    assert group["baker"]["drop"]["mean"] == 1 and group["baker"]["floor"]["mean"] < 1, (
        "classes that an image lacks score 0 there"
    )


@pytest.fixture
def folder(dataset, tmp_path):
    """images/ and masks/ with LaPa's ids."""
    found = known(dataset)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for i, item in enumerate(found):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), item.rgb[..., ::-1])
        cv2.imwrite(str(tmp_path / "masks" / f"{i}.png"), labels.convert(item.mask, "forgehead", "lapa"))
    return tmp_path, found


def test_a_folder_of_masks_in_another_convention(folder):
    path, found = folder
    analyzer = FakeAnalyzer([evaluation.Item(i.name, i.rgb, i.mask) for i in found])
    result = evaluation.evaluate(analyzer, path, labels="lapa")
    group = result.groups["all"]
    assert group["f1"]["mean"] == 1 and set(group["f1"]["of_class"]) == set(labels.names("lapa").values())
    assert analyzer.calls[0][1] is not None, "boxes by the masks"
    assert "nme" not in group and "depth" not in group
    assert any("converted from forgehead to lapa" in note for note in result.notes)


@pytest.mark.parametrize(
    "change, error, what",
    [
        (lambda p: None, fr.InvalidArgumentError, "--labels"),
        (lambda p: (p / "masks" / "0.png").unlink(), fr.NotFoundError, r"no 0\.png"),
        (
            lambda p: cv2.imwrite(str(p / "masks" / "0.png"), np.zeros((5, 5), np.uint8)),
            fr.CorruptFileError,
            "8-bit class ids",
        ),
        (
            lambda p: cv2.imwrite(str(p / "masks" / "0.png"), np.full((96, 96), 17, np.uint8)),
            fr.CorruptFileError,
            r"ids \[17\] that 'lapa' does not have",
        ),
    ],
)
def test_folders_that_cannot_be_read(folder, change, error, what):
    path, found = folder
    change(path)
    with pytest.raises(error, match=what):
        evaluation.evaluate(FakeAnalyzer(found), path, labels=None if "labels" in what else "lapa")


def test_wrong_arguments(dataset, tmp_path):
    analyzer = FakeAnalyzer(known(dataset), label_names={0: "cat", 1: "dog"})
    with pytest.raises(fr.UnsupportedError, match="of no set"):
        evaluation.evaluate(analyzer, dataset)
    bad = ({"faces": "guessed"}, {"protocol": "mine"}, {"limit": 0}, {"side": "left"}, {"side": "viewer"})
    for options in (*bad, {"faces": "scenes", "limit": 0}, {"faces": "scenes", "protocol": "mine"}):
        with pytest.raises(fr.InvalidArgumentError):
            evaluation.evaluate(FakeAnalyzer([]), dataset, **options)
    with pytest.raises(fr.NotFoundError, match="images/ and masks/"):
        evaluation.evaluate(FakeAnalyzer([]), tmp_path)


def test_known_label_sets():
    head = fr.ForgeHead()
    assert evaluation.label_set_of(head.labels) == "forgehead"


def put(folder, item, mask):
    for name, image in (("images", item.rgb[..., ::-1]), ("masks", mask)):
        (folder / name).mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name / "0.png"), image)
    return evaluation.Item("0", item.rgb, item.mask)


def test_the_background_goes_by_its_name(dataset, tmp_path):
    """synthforge has it at 19, and skin at 0."""
    item = known(dataset)[0]
    told = put(tmp_path, item, labels.convert(item.mask, "forgehead", "synthforge"))
    for faces in ("given", "detected"):
        f1 = evaluation.evaluate(FakeAnalyzer([told]), tmp_path, labels="synthforge", faces=faces).groups["all"]["f1"]
        scores = {n: row["f1"] for n, row in f1["of_class"].items() if row["f1"] is not None}
        assert {"background", "skin"} <= set(scores) and f1["classes"] == len(scores) - 1
        assert f1["mean"] == pytest.approx(np.mean([v for n, v in scores.items() if n != "background"]), abs=1e-5)
        assert "mean_published" not in f1 and "helen" not in f1
    # a face that is missed is background, not skin
    missed = evaluation.evaluate(FakeAnalyzer([told], misses=True), tmp_path, labels="synthforge", faces="detected")
    f1 = missed.groups["all"]["f1"]
    assert f1["of_class"]["skin"]["f1"] == 0 and f1["of_class"]["background"]["f1"] > 0


def test_classes_that_the_truth_ignores_are_wrong(dataset, tmp_path):
    """A model with beards, on masks that ignore them: skin called beard is missed skin."""
    item = known(dataset)[0]
    put(tmp_path, item, labels.convert(item.mask, "forgehead", "lapa"))
    ids = labels.SETS["facesynthetics"].ids
    mask = labels.convert(item.mask, "forgehead", "facesynthetics")
    scores = {}
    for called in ("skin", "beard"):
        told = np.where(mask == ids["skin"], ids[called], mask).astype(np.uint8)
        analyzer = FakeAnalyzer([evaluation.Item("0", item.rgb, told)], label_names=labels.names("facesynthetics"))
        result = evaluation.evaluate(analyzer, tmp_path, labels="lapa")
        scores[called] = result.groups["all"]["f1"]
    lost, skin = scores["beard"]["pixels_of_no_class"], scores["beard"]["of_class"]["skin"]
    assert scores["beard"]["pixels"] == scores["skin"]["pixels"] and 0.8 * skin["pixels"] < lost
    assert skin["f1"] < 0.3 < 0.8 < scores["skin"]["of_class"]["skin"]["f1"]
    assert any(f"{lost} pixels were given classes that lapa ignores" in note for note in result.notes)


def test_whose_left_is_left(folder):
    path, found = folder
    told = [evaluation.Item(i.name, i.rgb, i.mask) for i in found]
    scores = {}
    for side in (None, "subject", "viewer"):
        scores[side] = evaluation.evaluate(FakeAnalyzer(told), path, labels="lapa", side=side).groups["all"]["f1"]
    assert scores[None] == scores["subject"] and scores[None]["of_class"]["left_brow"]["f1"] == 1
    assert scores["viewer"]["of_class"]["left_brow"]["f1"] == 0 and scores["viewer"]["of_class"]["nose"]["f1"] == 1


def test_published_means(dataset, folder):
    path, found = folder
    ours = evaluation.evaluate(FakeAnalyzer(found), dataset)
    assert ours.groups["all"]["f1"]["classes_published"] <= 14 and "as published" in evaluation.text(ours)
    told = [evaluation.Item(i.name, i.rgb, i.mask) for i in found]
    result = evaluation.evaluate(FakeAnalyzer(told), path, labels="lapa")
    helen = result.groups["all"]["f1"]["helen"]
    assert helen["mean"] == 1 and helen["parts"] == 7 and "hair" not in helen and "for Helen" in evaluation.text(result)
    names = list(labels.names("lapa").values())[:11]
    of = dict(zip(names, np.linspace(0, 1, 11), strict=True))
    helen = evaluation._published("lapa", names, np.array([of[n] for n in names]))["helen"]
    assert helen["brows"] == pytest.approx((of["left_brow"] + of["right_brow"]) / 2)
    assert helen["mouth_all"] == pytest.approx((of["upper_lip"] + of["mouth"] + of["lower_lip"]) / 3)


class SceneAnalyzer:
    """Finds the faces it is told of."""

    def __init__(self, known):
        self.known = iter(known)

    def detect(self, image):
        assert image.shape == (320, 320, 3) and image.dtype == np.uint8
        return [FakeFace(tuple(box), 0.9, None, None, None) for box in next(self.known)]


def test_scenes(dataset):
    from forge_rt.export.recipes import samples

    store, count = samples.Samples(dataset), 12
    made = [evaluation.scene_of(store, k) for k in range(count)]
    faces = sum(len(scene.boxes) for scene in made)
    result = evaluation.evaluate(SceneAnalyzer([s.boxes for s in made]), dataset, faces="scenes", limit=count)
    row = result.groups["all"]["detection"]
    assert row["recall"] == row["precision"] == 1 and row["faces"] + row["spared"] == faces > 0
    assert result.faces == "scenes" and f"{row['spared']} others were spared" in result.notes[0]
    nothing = evaluation.evaluate(SceneAnalyzer([[]] * count), dataset, faces="scenes", limit=count)
    assert nothing.groups["all"]["detection"]["recall"] == 0
    spurious = [[*s.boxes, (-50, -50, -20, -20)] for s in made]
    row = evaluation.evaluate(SceneAnalyzer(spurious), dataset, faces="scenes", limit=count).groups["all"]["detection"]
    assert row["recall"] == 1 and row["precision"] == pytest.approx(1 - count / row["found"], abs=1e-5)


def test_a_box_spares_one_face_at_most():
    """The wanted face takes its box; the hidden one beside it excuses no other."""
    score = evaluation._Scores()
    wanted, hidden = np.array([[0, 0, 10, 10.0]]), np.array([[0, 0, 10, 9.0]])
    evaluation._score_scene(score, wanted, hidden, [FakeFace((0, 0, 10, 10), 0.9, None, None, None)])
    assert (score.matched, score.found, score.truths, score.spared) == (1, 1, 1, 1)
    twice = [FakeFace((0, 0, 10, 10), p, None, None, None) for p in (0.9, 0.8, 0.7)]
    score = evaluation._Scores()
    evaluation._score_scene(score, wanted, hidden, twice)
    assert (score.matched, score.found) == (1, 2), "the third is wrong"


@pytest.mark.parametrize("faces", ["given", "detected"])
def test_the_real_analyzer(tmp_path, faces):
    """Networks that are known exactly (face_bundles), in LaPa's classes: red is skin."""
    pytest.importorskip("onnxruntime")
    from face_bundles import FACE, faces_network, fields, picture, write_faces

    about = [{"id": i, "name": n, "color": [9 * i] * 3, "mirror": i} for i, n in labels.names("lapa").items() if i < 11]
    bundle = write_faces(tmp_path / "exact.forge", fields(labels=about), faces=faces_network(classes=11))
    data = tmp_path / "data"
    for name in ("images", "masks"):
        (data / name).mkdir(parents=True)
    for i, (left, top) in enumerate([(40, 48), (136, 40), (200, 160)]):
        image = picture(320, 256, (left, top))  # the detector knows one size of face
        cv2.imwrite(str(data / "images" / f"{i}.png"), image[..., ::-1])
        cv2.imwrite(str(data / "masks" / f"{i}.png"), (image[..., 0] > 127).astype(np.uint8))
    result = evaluation.evaluate(fr.FaceAnalyzer(bundle), data, labels="lapa", faces=faces)
    group = result.groups["all"]
    assert group["f1"]["of_class"]["skin"]["f1"] > 0.97 and group["f1"]["of_class"]["skin"]["pixels"] == 3 * FACE**2
    assert group["f1"]["mean"] == group["f1"]["of_class"]["skin"]["f1"], "the only class there is"
    if faces == "detected":
        assert group["detection"]["recall"] == group["detection"]["precision"] == 1
    assert result.throughput["images_per_s"] > 0


def test_command_line(dataset, tmp_path, monkeypatch, capsys):
    found = known(dataset)
    module = types.ModuleType("forge_rt.face_analyzer")
    module.FaceAnalyzer = lambda path, **options: FakeAnalyzer(found)
    monkeypatch.setitem(sys.modules, "forge_rt.face_analyzer", module)
    bundle = tmp_path / "fake.forge"
    bundle.mkdir()
    with pytest.raises(SystemExit) as end:
        main(["evaluate", str(bundle), str(dataset), "--limit", "3", "--json", str(tmp_path / "out.json")])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert "fake (fp32 on cpu)" in said and "all: 3 images" in said
    with pytest.raises(SystemExit) as end:
        main(["evaluate", str(bundle), str(dataset), "--json", str(tmp_path / "nowhere" / "out.json")])
    captured = capsys.readouterr()
    assert end.value.code != 0 and "images" not in captured.out and "nowhere for --json" in captured.err
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["model"]["precision"] == "fp32" and document["groups"]["all"]["images"] == 3
