"""The shipped next3d-mini against its teacher, on people that it has never seen: heads, not fog, and each code its own person."""

from __future__ import annotations

from typing import NamedTuple

import forge_rt as fr
import numpy as np
import pytest
from forge_rt.export.recipes.next3d_teacher import Teacher, TeacherConfig, picture, ray_distance

COUNT = 16
SEED = 77_001  #: training draws from other seeds
#: decibels, of the head's pixels. The shipped weights reach 24.5, and 15.4 when codes are exchanged.
LEAST, GAP = 23.5, 8.0


class Case(NamedTuple):
    truth: np.ndarray  #: records of the teacher
    generator: fr.Generator


@pytest.fixture(scope="module")
def case() -> Case:
    return Case(Teacher(TeacherConfig(256, 64, 64)).batch(SEED, 0, COUNT), fr.Generator("next3d-mini"))


def _drawn(case: Case, order: np.ndarray) -> fr.GeneratorView:
    """The student's pictures with code order[i] for head i; meshes and cameras stay."""
    truth = case.truth
    identity = case.generator.identity(truth["z"][order])
    return case.generator.view(
        case.generator.expression(identity, truth["vertices"], truth["landmarks"]), truth["camera"]
    )


def _psnr(view: fr.GeneratorView, truth: np.ndarray) -> np.ndarray:
    """[N] decibels over the pixels of the head."""
    found = np.asarray(view.image).transpose(0, 2, 3, 1).clip(-1, 1) / 2 + 0.5
    head = truth["coverage"] > 127
    error = (found - picture(truth)) ** 2
    return np.array([-10 * np.log10(e[h].mean()) for e, h in zip(error, head, strict=True)])


def is_taught(own: np.ndarray, exchanged: np.ndarray) -> bool:
    """Own codes look like the teacher's people, and better than anybody else's do."""
    return bool(own.mean() >= LEAST and own.mean() - exchanged.mean() >= GAP and (own > exchanged).mean() >= 0.9)


def test_codes_are_people(case: Case) -> None:
    own = _psnr(_drawn(case, np.arange(COUNT)), case.truth)
    exchanged = _psnr(_drawn(case, np.roll(np.arange(COUNT), 1)), case.truth)
    assert is_taught(own, exchanged), (own.round(1), exchanged.round(1))
    assert not is_taught(exchanged, own) and not is_taught(exchanged, exchanged)  # the test can fail


def test_heads_are_solid_and_in_their_place(case: Case) -> None:
    """Opacity is that of the teacher's silhouette, and distances are the mesh's: a fog of the right colours has neither."""
    view = _drawn(case, np.arange(COUNT))
    weight, depth = np.asarray(view.weight)[:, 0], np.asarray(view.depth)[:, 0]
    covered = case.truth["coverage"].reshape(COUNT, 64, 4, 64, 4).mean((2, 4)) / 255
    assert weight[covered == 0].mean() < 0.02 and weight[covered == 1].mean() > 0.99
    assert ((weight > 0.5) & (covered > 0.5)).sum() / ((weight > 0.5) | (covered > 0.5)).sum() > 0.95
    truth = ray_distance(case.truth)
    solid = (covered == 1) & (truth > 0)
    assert np.abs(depth - truth)[solid].mean() / 2.5 < 0.005  # metres


def test_the_mesh_drives_the_expression(case: Case) -> None:
    """An open jaw darkens the mouth of the student as it does the teacher's; the rest of the face stays."""
    head = fr.ForgeHead()
    face = fr.next3d_people.person(head, case.truth["z"][0]).face
    camera = fr.camera.orbit(yaw_deg=0, fov_deg=16.2, radius_m=1.08, origin_m=(0, 0.025, -0.04), size=256)
    label = np.asarray(camera.label25(2.5, (0, -0.0625, 0.1)), np.float32)[None]
    identity = case.generator.identity(case.truth["z"][:1])
    pictures, places = [], []
    for jaw in (0.0, 1.0):
        mesh = head.mesh(head.face(face, expression={"jaw_open": jaw}))
        view = case.generator.view(case.generator.expression(identity, mesh.vertices, mesh.landmarks), label)
        pictures.append(np.asarray(view.image)[0].mean(0))
        places.append(fr.camera.project(np.asarray(mesh.landmarks), [camera])[0][0])
    top, bottom = places[1][62], places[1][66]  # inner lips
    x, y = ((top + bottom) / 2).astype(int)
    brow_y = int(places[1][24][1]) - 30
    change = pictures[1] - pictures[0]
    assert change[y - 3 : y + 4, x - 8 : x + 9].mean() < -0.2
    assert np.abs(change[brow_y - 5 : brow_y + 5, x - 10 : x + 10]).mean() < 0.05
