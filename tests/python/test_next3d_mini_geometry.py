"""What a report says of two views, landmarks and labels: on scenes whose answer is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'export' (torch)")
pytest.importorskip("scipy", reason="training needs the extra 'export' (scipy)")
pytest.importorskip("lightning", reason="recipes need the extra 'export' (lightning)")

from forge_rt.annotation.world import Cameras  # noqa: E402
from forge_rt.export.models.next3d.rays import camera_rays  # noqa: E402
from forge_rt.export.recipes import next3d_mini_geometry as geometry  # noqa: E402
from forge_rt.export.recipes.next3d_teacher import SCALE, SHIFT, Teacher, TeacherConfig, picture, ray_distance  # noqa: E402

SIZE = 64


@pytest.fixture(scope="module")
def teacher():
    return Teacher(TeacherConfig(128, 64, 64))


def wall(teacher, yaw: float, depth: float = 0.0) -> geometry.View:
    """A wall of slow waves at z = depth, seen from the side."""
    camera = torch.from_numpy(teacher.orbit(yaw, 0.0).label25(SCALE, SHIFT)).float()

    def points(size):
        origin, directions = camera_rays(camera[None], size)
        distance = (depth - origin[..., 2]) / directions[..., 2]
        return (origin + distance[..., None] * directions)[0], distance[0]

    at, _ = points(SIZE)
    colours = torch.stack(
        [0.5 + 0.4 * torch.sin(9 * at[:, 0]), 0.5 + 0.4 * torch.cos(9 * at[:, 1]), 0.5 + 0 * at[:, 0]]
    )
    return geometry.View(colours.reshape(3, SIZE, SIZE), points(32)[1].reshape(32, 32), camera)


def test_a_view_is_found_in_the_other(teacher):
    found, known = geometry.warp(wall(teacher, -12), wall(teacher, 12))
    assert known.float().mean() > 0.7
    assert (found - wall(teacher, -12).picture).abs().mean(0)[known].max() < 0.01
    scores = geometry.two_views(*[(wall(teacher, -12), wall(teacher, 12))] * 2)
    assert scores["views psnr"] > 45 and scores["views psnr"] == scores["views psnr teacher"]
    assert scores["views psnr unwarped"] < 35


def test_wrong_distances_move_colours(teacher):
    # A wall that is believed to lie 0.01 further back: seen from ± 12°, colours move by 2 · 0.01 · tan 12°.
    views = [wall(teacher, yaw) for yaw in (-12, 12)]
    wrong = [v._replace(distance=wall(teacher, yaw, -0.01).distance) for v, yaw in zip(views, (-12, 12), strict=True)]
    found, known = geometry.warp(*wrong)
    off = (found - views[0].picture)[0][known].abs().max().item()
    assert off == pytest.approx(0.4 * 9 * 0.02 * math.tan(math.radians(12)), rel=0.1)


def test_what_is_hidden_is_not_compared(teacher):
    target, source = wall(teacher, -12), wall(teacher, 12)
    in_front = source._replace(distance=source.distance - 0.1)
    assert not geometry.warp(target, in_front)[1].any()
    assert not geometry.warp(target._replace(distance=torch.zeros(32, 32)), source)[1].any()
    assert geometry.two_views((target, in_front), (target, source)) == {}


def test_edges_belong_to_nobody():
    distance = torch.full((8, 8), 2.5)
    distance[:, 4:] = 2.8
    fine = geometry.surface(distance, 16)
    assert (fine[:, :6] == 2.5).all() and (fine[:, 6:10] == 0).all() and (fine[:, 10:] == 2.8).all()
    distance[0, 0] = 0
    assert (geometry.surface(distance, 16)[:4, :4] == 0).all()


def test_views_of_the_teacher_are_one_head(teacher):
    drawn = teacher.draw(3, 0)
    cameras = teacher.orbit(-10, 0), teacher.orbit(10, 0)
    records = np.stack([teacher.render(dataclasses.replace(drawn, camera=camera)) for camera in cameras])
    pictures = torch.from_numpy(picture(records)).permute(0, 3, 1, 2)
    parts = zip(
        pictures, torch.from_numpy(ray_distance(records)), torch.from_numpy(records["camera"].copy()), strict=True
    )
    views = tuple(geometry.View(*p) for p in parts)
    scores = geometry.two_views(views, views)
    assert scores["views psnr"] > scores["views psnr unwarped"] + 6 and scores["views share"] > 0.2
    annotator = geometry.annotator(teacher.head)
    marks = annotator.annotate(records["vertices"], records["landmarks"], records["camera"], 64)
    found = geometry.landmarks_agree(views, marks, records["landmarks"][0])
    assert found["landmarks between views mm"] < 1.5 and found["landmarks mm"] < 1.5
    # a head that is 1 % farther away than it should be: 27 mm / 2.5, and its two views disagree
    far = tuple(v._replace(distance=v.distance * 1.01) for v in views)
    off = geometry.landmarks_agree(far, marks, records["landmarks"][0])
    assert off["landmarks mm"] == pytest.approx(10.4, abs=1.0)
    assert off["landmarks between views mm"] == pytest.approx(10.4 * 2 * math.sin(math.radians(10)), abs=1.0)
    nowhere = tuple(v._replace(distance=torch.zeros(64, 64)) for v in views)
    assert math.isnan(geometry.landmarks_agree(nowhere, marks, records["landmarks"][0])["landmarks mm"])


def test_points_project_where_rays_come_from(teacher):
    camera = torch.from_numpy(teacher.orbit(20, -8).label25(SCALE, SHIFT)).float()
    origin, directions = camera_rays(camera[None], 8)
    at, away = geometry.seen_from((origin + 2.7 * directions)[0], camera)
    centre = (torch.arange(8) + 0.5) / 4 - 1
    assert (at.reshape(8, 8, 2)[..., 0] - centre).abs().max() < 1e-5
    assert (at.reshape(8, 8, 2)[..., 1] - centre[:, None]).abs().max() < 1e-5
    assert (away - 2.7).abs().max() < 1e-5
    assert len(Cameras.of(camera.numpy())) == 1


def test_scores_of_labels():
    truth = np.array([[1, 1, 17, 10]])
    mesh = np.array([[1, 10, 1, 10]])
    score = geometry.LabelScore()
    score.add(mesh, truth)
    found = score.f1({1: "skin", 10: "nose"})
    # skin: 1 both, 1 of the mesh alone (hair there), 1 of the teacher alone
    assert found == {
        "skin": {"f1": 0.5, "f1 beside hair": round(2 / 3, 4)},
        "nose": {"f1": round(2 / 3, 4), "f1 beside hair": round(2 / 3, 4)},
    }
    score.add(truth * (truth != 17), truth * (truth != 17))
    assert score.f1({})["1"]["f1"] == pytest.approx(2 * 3 / (2 * 3 + 2), abs=1e-4)


def test_labels_of_the_bare_mesh_are_the_teacher_s_where_there_is_no_hair(teacher):
    annotator, score = geometry.annotator(teacher.head), geometry.LabelScore()
    records = teacher.batch(5, 0, 3)
    seen = annotator.annotate(records["vertices"], records["landmarks"], records["camera"], 128)
    for mesh, truth in zip(seen.segmentation, records["classes"], strict=True):
        score.add(mesh, truth)
    found = score.f1(dict(annotator.labels.names))
    assert "hair" not in found and len(found) >= 12
    for name in ("background", "skin", "nose", "neck"):
        assert found[name]["f1 beside hair"] > 0.95, name
    for name in ("left_eye", "right_eye", "upper_lip", "lower_lip", "left_brow", "right_brow"):
        assert found[name]["f1 beside hair"] > 0.85, name
