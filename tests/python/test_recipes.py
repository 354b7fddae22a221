"""Training of our own networks: geometry of crops and scenes, their truth, losses, and a resumed run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import landmarks68

torch = pytest.importorskip("torch", reason="training needs the extra 'export' (torch)")
pytest.importorskip("lightning", reason="training needs the extra 'export' (lightning)")

from forge_rt.export.models.blocks import macs  # noqa: E402
from forge_rt.export.models.detect_mini import STRIDE, DetectMini  # noqa: E402
from forge_rt.export.models.faces_mini import SIZE, FacesMini  # noqa: E402
from forge_rt.export.recipes import crops, detect_mini, faces_mini, scenes  # noqa: E402
from forge_rt.export.recipes.fit import Recipe, fit, learning_rate  # noqa: E402
from forge_rt.export.recipes.samples import Samples  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recipes") / "faces"
    fr.generate(fr.Plan(count=12, seed=5, size=192, style="mixed", shard_size=6), folder)
    return folder


@pytest.fixture(scope="module")
def samples(data) -> Samples:
    return Samples(data)


MIRROR = [label.mirror for label in fr.ForgeHead().labels]


def test_sizes_are_those_promised():
    faces, detector = FacesMini().eval(), DetectMini().eval()
    assert sum(p.numel() for p in faces.parameters()) <= 5e6
    assert macs(faces, torch.zeros(1, 3, SIZE, SIZE)) <= 1.5e9
    assert sum(p.numel() for p in detector.parameters()) <= 0.3e6


def test_samples_are_the_generator_s(samples):
    made = fr.ForgeHead().generate(seed=5, index=[3], size=192, style="mixed")
    sample = samples[3]
    assert (sample.mask == np.asarray(made.segmentation)[0]).all()
    assert np.abs(sample.depth_m - np.asarray(made.depth_m)[0]).max() <= 5.1e-5
    assert np.abs(sample.landmarks - np.asarray(made.landmarks)[0]).max() < 1e-3
    assert sample.centre_z_m == pytest.approx(float(np.asarray(made.landmarks_camera_m)[0, :, 2].mean()), abs=1e-5)


def test_plain_crop_puts_points_where_the_mask_is(samples):
    for i in range(len(samples)):
        crop = crops.plain(samples[i], SIZE)
        points = landmarks68.five_points(crop.landmarks)
        eye, mouth = points[:2].mean(0), points[3:].mean(0)
        assert np.allclose(eye + 0.1 * (mouth - eye), 0.5, atol=1e-5)
        for point, classes in ((points[0], (5,)), (points[1], (4,))):
            x, y = (point * SIZE).astype(int)
            near = crop.mask[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5]
            if np.isin(crop.mask, classes).sum() > 80:  # open and in sight
                assert np.isin(near, classes).any()


def test_crops_of_training_are_the_engine_s(samples):
    """The rule stands twice: in `crops.aligned`, and in the engine, which reads crops.RULE from the bundle."""
    analyzer = fr.FaceAnalyzer("faces-mini")
    for i in range(len(samples)):
        points = landmarks68.five_points(samples[i].landmarks)
        assert np.allclose(analyzer.crop_of(points), crops.aligned(points, SIZE), rtol=1e-4, atol=2e-3)
        box, rule = landmarks68.face_box(samples[i].landmarks), crops.RULE["box"]
        assert np.allclose(
            analyzer.crop_of(box),
            crops.boxed(samples[i].landmarks, SIZE, rule["scale"], rule["shift"][1]),
            rtol=1e-4,
            atol=2e-3,
        )


def test_flip_of_points_is_its_own_inverse_and_swaps_sides(samples):
    assert (landmarks68.MIRROR[landmarks68.MIRROR] == np.arange(68)).all()
    p = samples[0].landmarks
    flipped = np.stack([192 - p[landmarks68.MIRROR, 0], p[landmarks68.MIRROR, 1]], 1)
    assert flipped[36:42, 0].mean() < flipped[42:48, 0].mean()


@pytest.mark.parametrize("seed", range(6))
def test_disturbed_crop_keeps_truth_together(samples, seed):
    rng = np.random.default_rng(seed)
    crop = crops.disturbed(rng, samples[seed], MIRROR, SIZE)
    again = crops.disturbed(np.random.default_rng(seed), samples[seed], MIRROR, SIZE)
    assert (crop.image == again.image).all() and (crop.mask == again.mask).all()
    assert crop.image.shape == (SIZE, SIZE, 3) and crop.mask.max() <= 18
    assert np.isnan(crop.depth_m[crop.mask == 0]).all()
    known = crop.depth_m[~np.isnan(crop.depth_m)]
    assert np.abs(known).max() < 0.6
    nose = crop.landmarks[30] * SIZE
    if crop.visible[30] and (crop.mask == 10).sum() > 60:
        ys, xs = np.nonzero(crop.mask == 10)
        assert np.hypot(xs - nose[0], ys - nose[1]).min() < 6
    inside = ((crop.landmarks > 0) & (crop.landmarks < 1)).all(1)
    assert not (crop.visible & ~inside).any()


def test_scene_truth_decodes_to_its_boxes(samples):
    rng = np.random.default_rng(1)
    checked = 0
    for _ in range(12):
        scene = scenes.compose(rng, lambda r: samples.read(int(r.integers(len(samples))), depth=False), 320)
        dense = detect_mini.targets(scene, 320)
        score = np.where(dense["score"] > 0, 8.0, -8.0).astype(np.float32)[None]
        found = fr._core._decode_faces(score, dense["box"][None], dense["points"][None], stride=STRIDE)
        wanted = [
            k for k, b in enumerate(scene.boxes)
            if max(b[2] - b[0], b[3] - b[1]) >= scenes.SMALLEST and scene.visible[k] >= 0.12
        ]  # fmt: skip
        for k in wanted:
            box, points = scene.boxes[k], scene.points[k]
            if not (box[:2].min() > 20 and box[2:].max() < 300):
                continue
            best = min(found, key=lambda f: np.abs(np.asarray(f["box"]) - box).max())
            assert np.abs(np.asarray(best["box"]) - box).max() < 0.05
            assert np.abs(np.asarray(best["points"]) - points).max() < 0.05
            checked += 1
    assert checked >= 5


def test_losses_fall_to_nothing_for_the_truth(samples):
    crop = crops.plain(samples[1], SIZE)
    batch = faces_mini.collate(np.random.default_rng(0), [crop, crop])
    logits = torch.nn.functional.one_hot(batch["mask"], 19).permute(0, 3, 1, 2).float() * 40
    assert faces_mini.parsing_loss(logits, batch["mask"], torch.ones(19)).item() < 0.01
    found = torch.cat([batch["landmarks"], (batch["visible"] * 2 - 1)[..., None] * 20], -1)
    points, seen = faces_mini.landmark_loss(found, batch["landmarks"], batch["visible"])
    assert points.item() < 0.0015 and seen.item() < 1e-3
    assert faces_mini.depth_loss(batch["depth"].nan_to_num(), batch["depth"]).item() == 0
    assert faces_mini.parsing_loss(logits.roll(1, 1), batch["mask"], torch.ones(19)).item() > 1


def test_learning_rate_plateaus_and_cools():
    rates = [learning_rate(s, 1000, 1.0) for s in range(1000)]
    assert rates[0] < 0.01 and max(rates) == 1.0 and rates[-1] < 0.01
    assert learning_rate(600, 1000, 1.0) == learning_rate(600, 2000, 1.0) == 1.0  # prolonging changes nothing before


class Line(Recipe):
    """y = 3 x, with a batch norm: small enough to train in a test."""

    def __init__(self, steps: int, stop_at: int = -1) -> None:
        super().__init__(torch.nn.Sequential(torch.nn.BatchNorm1d(1), torch.nn.Linear(1, 1)), steps, 0.3)
        self.stop_at = stop_at

    def loss(self, batch):
        if self.global_step == self.stop_at:
            raise RuntimeError("the power went out")
        return (self.net(batch["x"]) - 3 * batch["x"]).square().mean(), {}


SEEN: list[tuple[int, float]] = []


class Watched(Line):
    """Writes down which batch each step sees."""

    def loss(self, batch):
        SEEN.append((self.global_step, float(batch["x"][0])))
        return super().loss(batch)


def line_batch(rng):
    return {"x": torch.from_numpy(rng.normal(size=(4, 1)).astype(np.float32))}


def go(out: Path, steps: int = 260, stop_at: int = -1, seed: int = 3, batch: int = 4) -> None:
    torch.manual_seed(1 if stop_at < 0 else 99)
    fit(Watched(steps, stop_at), line_batch, out, identity={"seed": seed, "batch": batch, "data": ["x"]}, workers=0)


@pytest.mark.parametrize(("steps", "stop"), [(260, 230), (620, 215)], ids=["late", "early"])
def test_resumed_training_is_uninterrupted_training(tmp_path, steps, stop):
    SEEN.clear()
    torch.manual_seed(1)
    fit(Watched(steps), line_batch, tmp_path / "whole", identity={"seed": 3, "batch": 4, "data": ["x"]}, workers=0)
    wanted = dict(SEEN)
    SEEN.clear()
    torch.manual_seed(1)
    with pytest.raises(RuntimeError, match="power"):
        fit(
            Watched(steps, stop),
            line_batch,
            tmp_path / "parts",
            identity={"seed": 3, "batch": 4, "data": ["x"]},
            workers=0,
        )
    go(tmp_path / "parts", steps)
    assert dict(SEEN) == wanted and len(wanted) == steps
    whole, parts = (torch.load(tmp_path / name / "average.pt") for name in ("whole", "parts"))
    for name in whole:
        assert torch.equal(whole[name], parts[name]), name
    assert 2 < float(whole["0.weight"] * whole["1.weight"]) < 3.2 and int(whole["0.num_batches_tracked"]) == steps
    for name in ("whole", "parts"):
        lines = (tmp_path / name / "curve.csv").read_text().splitlines()
        assert lines[0].startswith("step,lr,samples_per_s,loss")
        assert [int(line.split(",")[0]) for line in lines[1:]] == [
            *range(50, steps + 1, 50),
            *([steps] if steps % 50 else []),
        ]
        assert (tmp_path / name / "curve.svg").read_text().startswith("<svg")


def test_a_run_begins_with_the_weights_of_another(tmp_path):
    go(tmp_path / "first", 20)
    weights = tmp_path / "first/average.pt"
    recipe = Line(5)
    digest = recipe.begin_with(weights)
    assert digest == hashlib.sha256(weights.read_bytes()).hexdigest()
    for name, value in torch.load(weights).items():
        assert torch.equal(recipe.net.state_dict()[name], value) and torch.equal(
            recipe.average.module.state_dict()[name], value
        )
    other = detect_mini.DetectRecipe(5)
    before = {k: v.clone() for k, v in other.net.state_dict().items()}
    (tmp_path / "text.pt").write_text("no weights")
    for wrong in (weights, tmp_path / "text.pt", tmp_path / "missing.pt"):
        with pytest.raises(fr.InvalidArgumentError, match="does not hold weights of this network"):
            other.begin_with(wrong)
    assert all(torch.equal(v, before[k]) for k, v in other.net.state_dict().items())


def test_a_resumed_run_must_be_the_same_run(tmp_path):
    go(tmp_path, 20)
    assert len((tmp_path / "curve.csv").read_text().splitlines()) == 2
    with pytest.raises(fr.InvalidArgumentError, match="seed 3, now it is 4"):
        go(tmp_path, 40, seed=4)
    with pytest.raises(fr.InvalidArgumentError, match="step 20 already"):
        go(tmp_path, 10)
    (tmp_path / "run.json").unlink()
    with pytest.raises(fr.InvalidArgumentError, match=r"run\.json"):
        go(tmp_path, 40)


def test_samples_of_other_formats(tmp_path):
    plan = fr.Plan(count=2, seed=5, size=64, rgb="png", depth="npy", extras=("normals", "layers"))
    fr.generate(plan, tmp_path / "set")
    sample = Samples(tmp_path / "set")[1]
    made = fr.ForgeHead().generate(seed=5, index=[1], size=64)
    assert (sample.rgb == np.asarray(made.rgb)[0]).all() and (sample.depth_m == np.asarray(made.depth_m)[0]).all()


def test_training_without_data_says_what_to_do(tmp_path):
    with pytest.raises(fr.NotFoundError, match="forge-rt generate"):
        Samples(tmp_path)
