"""Fitting the map from a head to a generator's world: known maps are found again, and the command writes what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import alignment, alignment_run
from forge_rt.alignment import DepthViews
from forge_rt.annotation import PRESETS, MeshAnnotator
from forge_rt.annotation.labels import MeshLabels
from forge_rt.annotation.world import NEXT3D_MINI_WORLD, apply, compose
from forge_rt.cli.main import main
from forge_rt.driving_heads import driving_head
from forge_rt.topology import topology_sha256

WORLD = NEXT3D_MINI_WORLD
SIZE = 128


@pytest.fixture(scope="module")
def head():
    return fr.ForgeHead()


@pytest.fixture(scope="module")
def labels(head):
    return MeshLabels.plain("forgehead", 3935, head.triangles)


@pytest.fixture(scope="module")
def heads(head):
    """(vertices, landmarks, cameras) of ten people as the preset draws them."""
    sampler = PRESETS["next3d-mini"].sampler(z_dim=64, world=WORLD, head=head)
    draws = [sampler.draw(5, i) for i in range(10)]
    mesh = head.mesh([d.face for d in draws])
    return np.asarray(mesh.vertices), np.asarray(mesh.landmarks), np.stack([d.label25 for d in draws])


def affine(seed: int) -> np.ndarray:
    """A turn of 3°, stretches within 5 %, a little shear and a move of 16 mm, after the world's own map."""
    random = np.random.default_rng(seed)
    axis = random.normal(size=3)
    x, y, z = axis * np.radians(3) / np.linalg.norm(axis)
    turn = np.eye(3) + np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    shear = random.uniform(-0.015, 0.015, (3, 3))
    stretch = np.diag(1 + random.uniform(-0.05, 0.05, 3)) + np.triu(shear, 1) + np.triu(shear, 1).T
    move = random.normal(size=3)
    return compose(np.concatenate([turn @ stretch, 0.04 * move[:, None] / np.linalg.norm(move)], 1), WORLD.matrix)


def rendered(
    labels, heads, truth, *, size: int = SIZE, noise_m: float = 0.0, outliers: float = 0.0, hair: bool = False
) -> DepthViews:
    """Depths of the meshes under `truth`. `hair`: a wavy layer of 2 cm over scalp and ears, wider than the head, and no neck."""
    import cv2

    vertices, landmarks, cameras = heads
    annotator = MeshAnnotator(labels, truth, world=WORLD)
    depth = annotator.depth_m(vertices, cameras, size)
    opacity = (depth > 0).astype(np.float32)
    if hair:
        hit, _ = annotator.surface(vertices, cameras, size)
        place = np.asarray(fr.interpolate(hit.face, hit.barycentrics, labels.triangles, vertices))
        scalp = (depth > 0) & ((place[..., 1] > 0.06) | ((place[..., 2] < 0) & (place[..., 1] > -0.02)))
        depth = np.where(scalp, depth - 0.018 * (1 + 0.4 * np.sin(40 * place[..., 0])), depth)
        for n in range(len(depth)):
            wider = (cv2.dilate(scalp[n].astype(np.uint8), np.ones((9, 9), np.uint8)) > 0) & (opacity[n] == 0)
            depth[n][wider], opacity[n][wider] = 1.07, 1
        neck = place[..., 1] < -0.09
        depth, opacity = np.where(neck, 0, depth), np.where(neck, 0, opacity)
    random = np.random.default_rng(1)
    depth = depth + noise_m * random.normal(size=depth.shape) * (depth > 0)
    hit_by = (random.random(depth.shape) < outliers) & (depth > 0)
    depth = np.where(hit_by, depth + random.uniform(-0.05, 0.05, depth.shape), depth)
    return DepthViews(vertices, landmarks, cameras, depth.astype(np.float32), opacity)


def error_mm(a: np.ndarray, b: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    return np.linalg.norm(apply(a, vertices) - apply(b, vertices), axis=-1) / WORLD.scale * 1000


@pytest.mark.parametrize(
    "disturbed, mean_mm, worst_mm",
    [
        (dict(), 0.03, 0.1),
        (dict(noise_m=0.001), 0.2, 0.8),
        (dict(noise_m=0.001, outliers=0.1), 0.2, 0.8),
        (dict(hair=True), 0.1, 0.3),
        (dict(noise_m=0.001, outliers=0.1, hair=True), 0.25, 0.8),
    ],
    ids=["clean", "noise", "outliers", "hair", "all"],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_known_map_is_found(labels, heads, seed, disturbed, mean_mm, worst_mm):
    truth = affine(seed)
    start = error_mm(WORLD.matrix, truth, heads[0])
    assert start.mean() > 12
    found = alignment.fit(labels, rendered(labels, heads, truth, **disturbed), world=WORLD)
    off = error_mm(found.alignment, truth, heads[0])
    assert found.converged and off.mean() < mean_mm and off.max() < worst_mm, (off.mean(), off.max(), found.iterations)
    before, after = found.before.summary(), found.after.summary()
    assert after["median_depth_mm"] < 1.2 < 5 < before["median_depth_mm"]
    assert after["silhouette_iou"] > before["silhouette_iou"] and after["missing"] < before["missing"]


def test_real_hair():
    """What next3d-mini learns from: strands over forehead, ears and neck, five styles. The map is known to be exact."""
    from forge_rt.annotation import Acceptance
    from forge_rt.annotation.world import Cameras
    from forge_rt.export.recipes.next3d_teacher import CUT_Y_M, Teacher, TeacherConfig, ray_distance

    teacher = Teacher(TeacherConfig(size=SIZE, depth_size=SIZE, plane_size=64))
    made = teacher.batch(11, 0, 16)
    length = np.linalg.norm(Cameras.of(made["camera"]).rays(SIZE), axis=-1)
    ray = ray_distance(made)
    views = DepthViews(
        made["vertices"], made["landmarks"], made["camera"].astype(float), (ray / length / WORLD.scale).astype(np.float32),
        (ray > 0).astype(np.float32),
    )  # fmt: skip
    low = np.array([-0.35, WORLD.scale * CUT_Y_M + WORLD.shift[1], -0.35])
    annotator = MeshAnnotator.for_forge_head(teacher.head, bounds=[low, np.full(3, 0.35)])
    score = annotator.agreement(views.vertices, views.landmarks, views.cameras, views.depth_m, views.opacity)
    assert (score.depth_m < 1e-3).all() and (score.missing < 0.01).all() and (score.landmark_m < 3e-3).all()
    assert Acceptance().reasons(score) == [None] * 16 and (score.score > 0.98).all()

    start = compose([[1, 0.03, 0, 0.03], [-0.03, 1, 0, -0.03], [0, 0, 1, 0.02]], WORLD.matrix)
    moved = MeshAnnotator(annotator.labels, start, world=WORLD, bounds=annotator.bounds)
    reasons = Acceptance().reasons(
        moved.agreement(views.vertices, views.landmarks, views.cameras, views.depth_m, views.opacity)
    )
    assert sum(r is not None for r in reasons) >= 12
    found = alignment.fit(annotator.labels, views, world=WORLD, start=start, bounds=annotator.bounds)
    off = error_mm(found.alignment, WORLD.matrix, views.vertices)
    assert found.converged and off.mean() < 0.2 and off.max() < 0.8


def test_little_data_stays_near_the_similarity(labels, heads):
    """One small frontal picture of a true similarity: what depths do not tell is not made up."""
    one = tuple(part[:1] for part in heads)
    views = rendered(labels, one, WORLD.matrix, size=40, noise_m=0.002)
    found = alignment.fit(labels, views, world=WORLD)
    assert error_mm(found.alignment, WORLD.matrix, one[0]).max() < 8
    loose = alignment.FitOptions(rotation_rad=3, scale=3, shear=3, translation_m=3)
    free = alignment.fit(labels, views, world=WORLD, options=loose)
    assert (
        error_mm(free.alignment, WORLD.matrix, one[0]).mean() > error_mm(found.alignment, WORLD.matrix, one[0]).mean()
    )


def test_the_result_is_a_function_of_the_samples(labels, heads, set_threads):
    views = rendered(labels, heads, affine(0), size=64, noise_m=0.001)
    a = alignment.fit(labels, views, world=WORLD)
    set_threads(1)
    b = alignment.fit(labels, views, world=WORLD)
    assert np.array_equal(a.alignment, b.alignment) and a.report() == b.report()
    again = alignment.fit(labels, views, world=WORLD, start=a.alignment)
    assert error_mm(again.alignment, a.alignment, heads[0]).max() < 0.3


def test_what_cannot_be_fitted_is_said(labels, heads):
    views = rendered(labels, heads, WORLD.matrix, size=64)
    with pytest.raises(fr.InvalidArgumentError, match=r"no pixel of the 10 samples has opacity 0\.9"):
        alignment.fit(labels, replace(views, opacity=views.opacity * 0.5), world=WORLD)
    far = WORLD.matrix + np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0.5]])  # 20 cm
    with pytest.raises(fr.InvalidArgumentError, match="the start is too far off"):
        alignment.fit(labels, views, world=WORLD, start=far)
    with pytest.raises(fr.InvalidArgumentError, match="needs samples"):
        alignment.fit(
            labels, DepthViews(*(part[:0] for part in heads), views.depth_m[:0], views.opacity[:0]), world=WORLD
        )
    with pytest.raises(fr.InvalidArgumentError, match=r"cameras of the samples must be \[10, 25\]"):
        replace(views, cameras=views.cameras[:3])


def test_the_sheet_shows_what_changed(labels, heads):
    views = rendered(labels, heads, affine(0))
    found = alignment.fit(labels, views, world=WORLD)
    picture = alignment.sheet(labels, views, found, count=2, tile=96)
    assert picture.shape == (2 * 96, 5 * 96, 3) and picture.dtype == np.uint8
    before, after = picture[:, 3 * 96 : 4 * 96].astype(int), picture[:, 4 * 96 :].astype(int)
    grey = [(np.abs(p - 128).max(-1) < 24).mean() for p in (before, after)]
    assert grey[1] > 0.2 > 2 * grey[0]


# ---- the command ----------------------------------------------------------------------------------------------------


class FakeGenerator:
    """What `forge_rt.Generator` offers, drawing the given meshes under a map of its own."""

    truth = affine(2)
    changes: dict = {}  # noqa: RUF012

    def __init__(self, bundle: object, *, device: str = "cpu") -> None:
        values = dict(
            family="next3d", conditioning="view", head_family="forgehead", z_dim=64, vertices=3935, world_scale=WORLD.scale,
            world_shift=WORLD.shift, alignment=None, config={"rendering": {"box_warp": 1.0}}, head_sha256="",
        )  # fmt: skip
        self.info = SimpleNamespace(**{**values, **self.changes})
        self.hash, self.device = "0" * 64, device

    def identity(self, z, conditioning=None):
        assert z.shape[1] == 64 and conditioning.shape == (len(z), 25)
        return len(z)

    def expression(self, identity, vertices, landmarks, *, mouth_box):
        assert mouth_box == "clamp"
        assert len(vertices) == identity == len(landmarks)
        return vertices, landmarks

    def view(self, head, cameras, *, depth_resolution, depth_only):
        labels = MeshLabels.plain("forgehead", 3935, fr.ForgeHead().triangles)
        depth = MeshAnnotator(labels, self.truth, world=WORLD).depth_m(head[0], cameras, depth_resolution)[:, None]
        rgb = None if depth_only else (lambda: np.repeat((depth[:, 0, ..., None] > 0).astype(np.uint8) * 200, 3, -1))
        return SimpleNamespace(depth_m=depth, weight=(depth > 0).astype(np.float32), rgb8=rgb)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    monkeypatch.setattr(alignment_run, "Generator", FakeGenerator)
    monkeypatch.setattr(alignment_run.bundles, "find", lambda name: Path(name))
    monkeypatch.setattr(FakeGenerator, "changes", {})
    return monkeypatch


def test_the_command(fake, tmp_path, capsys, heads):
    out = tmp_path / "alignment.json"
    with pytest.raises(SystemExit) as ended:
        main(["align", str(tmp_path / "fake.forge"), "--out", str(out), "--samples", "5", "--resolution", "96"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0 and "silhouettes, IoU" in printed and "NOT CONVERGED" not in printed
    document = json.loads(out.read_text())
    assert document["model"] == {"name": "fake", "sha256": "0" * 64} and document["preset"] == "next3d-mini"
    assert len(document["report"]["per_sample"]) == 5
    assert document["report"]["after"]["median_depth_mm"] < 0.1 < 3 < document["report"]["before"]["median_depth_mm"]
    from forge_rt.export.readers.alignment import read_alignment

    assert error_mm(read_alignment(out), FakeGenerator.truth, heads[0]).mean() < 0.1
    import cv2

    assert cv2.imread(str(out.with_suffix(".png"))).shape == (5 * 224, 5 * 224, 3)
    # from there nothing is left to do
    result = alignment_run.run(
        tmp_path / "fake.forge", alignment_run.RunOptions(samples=4, resolution=64, start=out, seed=9)
    )
    assert result.document["report"]["change"]["origin_moved_mm"] < 0.5


@pytest.mark.parametrize(
    "changes, options, reason",
    [
        (dict(vertices=0, family="eg3d"), [], r"is given no mesh \(family eg3d\)"),
        (dict(vertices=5023), [], r"ForgeHead has 3935 vertices, this model was made for a head of family 'forgehead' with 5023"),
        (dict(head_family="flame"), [], "made for FLAME, which cannot be shipped: give yours with --head"),
        (dict(head_sha256="1" * 64), [], "ForgeHead has other triangles than the head of family 'forgehead'"),
        ({}, ["--preset", "x"], "preset must be one of paper"),
        ({}, ["--head", "x.pkl"], "leave --head out"),
        ({}, ["--start", "nowhere.json"], r"no file nowhere\.json"),
        (dict(z_dim=512), [], "not made for ForgeHead"),
    ],
)  # fmt: skip
def test_errors_of_the_command(fake, tmp_path, capsys, changes, options, reason):
    import re

    fake.setattr(FakeGenerator, "changes", changes)
    out = tmp_path / "a.json"
    with pytest.raises(SystemExit) as ended:
        main(["align", "fake.forge", "--out", str(out), "--samples", "2", "--resolution", "32", *options])
    assert ended.value.code == 2 and re.search(reason, " ".join(capsys.readouterr().err.split())) and not out.exists()


def test_a_missing_folder_is_told_before_the_work(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["align", "x.forge", "--out", str(tmp_path / "no" / "a.json")])
    assert ended.value.code == 2 and "there is no folder" in capsys.readouterr().err


def test_the_result_is_json(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["align", "x.forge", "--out", str(tmp_path / "a.npy")])
    assert ended.value.code == 2 and "must end in .json, got a.npy" in " ".join(capsys.readouterr().err.split())


def test_cameras_stand_where_the_model_has_them():
    info = SimpleNamespace(config={"rendering": {"avg_camera_radius": 1.7, "avg_camera_pivot": [0, 0, -0.06]}})
    made = alignment_run.preset_of("synthforge-alignment", info)
    assert (made.radius, made.pivot) == (1.7, (0, 0, -0.06)) and made.camera == PRESETS["synthforge-alignment"].camera
    assert alignment_run.preset_of("paper", SimpleNamespace(config={})) == PRESETS["paper"]


def test_flame_heads(tmp_path):
    """FLAME's own files, of the golden vectors: shapes and expressions of the preset reach the mesh."""
    golden = Path(__file__).parents[1] / "golden" / "next3d"
    given = {
        "head": golden / "flame_synthetic_chumpy.pkl",
        "landmarks": f"{golden / 'flame_synthetic_static.pkl'}, {golden / 'flame_synthetic_dynamic.npy'}",
    }
    head = driving_head(tmp_path / "x.forge", "flame", 80, **given)
    draws = [PRESETS["synthforge-alignment"].sampler().draw(1, i) for i in range(2)]
    vertices, landmarks = head.mesh(draws)
    assert head.forge_head is None and vertices.shape == (2, 80, 3) and landmarks.shape == (2, 68, 3)
    assert not np.array_equal(vertices[0], vertices[1])
    with pytest.raises(
        fr.InvalidArgumentError, match=r"chumpy\.pkl has 80 vertices, this model was made for .* with 5023"
    ):
        driving_head(tmp_path / "x.forge", "flame", 5023, **given)
    turned = np.roll(head.triangles, 1, 1)[::-1]
    driving_head(tmp_path / "x.forge", "flame", 80, sha256=topology_sha256(turned), **given)
    with pytest.raises(fr.InvalidArgumentError, match=r"chumpy\.pkl has other triangles"):
        driving_head(tmp_path / "x.forge", "flame", 80, sha256=topology_sha256(turned[:, ::-1]), **given)
    with pytest.raises(fr.InvalidArgumentError, match=r"joined by a comma; got 'x\.txt'"):
        driving_head(tmp_path / "x.forge", "flame", 80, head=given["head"], landmarks="x.txt")
