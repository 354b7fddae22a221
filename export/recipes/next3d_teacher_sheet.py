"""One picture to judge the teacher by: identities × views × expressions, depth, and what the generator is shown of the mesh."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from . import next3d_teacher_people as people

if TYPE_CHECKING:
    from .next3d_teacher import Teacher

VIEWS = ((0, 0), (-46, 0), (-23, 0), (23, 0), (46, 0), (0, 23), (0, -23))
EXPRESSIONS: tuple[dict[str, float], ...] = (
    {"jaw_open": 1.0},
    {"smile": 1.0},
    {"blink_left": 1.0, "blink_right": 1.0},
    {"brows_up": 1.0, "jaw_open": 0.4, "smile_open": 0.6},
)


def write(teacher: Teacher, path: str | Path, seed: int = 1, identities: int = 6) -> None:
    from .next3d_teacher import TeacherDraw, front_uv, picture, ray_distance

    def shot(face, person, z, yaw, pitch):
        return teacher.render(TeacherDraw(z, person, face, teacher.orbit(yaw, pitch)))

    rows = []
    for identity in range(identities):
        z = teacher.z(seed, identity * teacher.config.views)
        person = people.person(teacher.head, z)
        cells = []
        for yaw, pitch in VIEWS:
            sample = shot(person.face, person, z, yaw, pitch)
            cells.append(_bytes(picture(sample)))
            if (yaw, pitch) in ((0, 0), (46, 0)):
                cells.append(_grey(ray_distance(sample), sample["coverage"].shape[0]))
        for wanted in EXPRESSIONS:
            shut = teacher.head.blink_weight(person.face)
            weights = {name: w * shut if name.startswith("blink") else w for name, w in wanted.items()}
            sample = shot(teacher.head.face(person.face, expression=weights), person, z, 0, 0)
            cells.append(_bytes(picture(sample)))
        cells.append(_front(front_uv(sample), sample, sample["coverage"].shape[0]))
        rows.append(np.concatenate(cells, 1))
    cv2.imwrite(str(path), np.concatenate(rows, 0)[..., ::-1])


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _grey(distance: np.ndarray, size: int) -> np.ndarray:
    near = np.where(distance > 0, np.clip((3.1 - distance) / 0.75, 0, 1), 0)
    return cv2.resize(_bytes(near[..., None].repeat(3, -1)), (size, size), interpolation=cv2.INTER_NEAREST)


def _front(uv: np.ndarray, sample: np.ndarray, size: int) -> np.ndarray:
    """Texture coordinates as red and green, alpha as blue, the mouth's box; turned head up."""
    image = _bytes(np.concatenate([uv * 0.5 + 0.5, sample["alpha"][..., None] / 255], -1))
    row0, row1, col0, col1 = (int(v) for v in sample["mouth_box"])
    cv2.rectangle(image, (col0, row0), (col1 - 1, row1 - 1), (255, 255, 255), 1)
    return cv2.resize(np.ascontiguousarray(image[::-1]), (size, size), interpolation=cv2.INTER_NEAREST)
