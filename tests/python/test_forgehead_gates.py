"""Gates of the shipped ForgeHead: a detector finds it, it has no holes, every control does something, eyes close, left is not right."""

from __future__ import annotations

import json
from collections.abc import Sequence

import cv2
import forge_rt as fr
import numpy as np
import pytest
from forge_rt.bench import forgehead as bench

#: A control at its end moves a vertex by this much, or changes the picture by so many grey levels in some pixels.
MOVED_M, CHANGED_LEVELS, CHANGED_PIXELS = 2e-4, 8, 12
#: Upper lid landmarks above the lower ones of a closed eye, at most (below zero they overlap), and the eye pixels it may still
#: show, as a share of those of the open eye: specks at the corners.
CLOSED_M, EYE_LEFT = 6e-4, 0.004
#: Pixels whose class is the same in a mirrored picture of a mirrored head.
MIRRORED = 0.995
#: Sliders that push both sides one way: they change sign in a mirror.
ONE_SIDED = ("uneven", "sideways", "skew", "bend", "asymmetry", "tilt_head")
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))


@pytest.fixture(scope="module")
def head() -> fr.ForgeHead:
    return fr.ForgeHead()


def bare(head: fr.ForgeHead, face: fr.FaceParameters) -> fr.FaceParameters:
    """Nothing worn, no hair, no lashes."""
    return head.face(
        face, options={name: "none" if "none" in choices else choices[0] for name, choices in head.options.items()}
    )


def portrait(size: int = 160, yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> fr.camera.Camera:
    return fr.camera.orbit(yaw_deg=yaw_deg, pitch_deg=pitch_deg, size=size, fov_deg=16, origin_m=(0, 0, -0.035))


def test_haar_finds_frontal_faces(head: fr.ForgeHead) -> None:
    found = [
        f
        for start in range(0, 60, 10)
        for f in bench.haar_found(
            head.generate(seed=77, index=range(start, start + 10), camera="frontal", size=384, **bench.studio(head))
        )
    ]
    assert np.mean(found) >= bench.HAAR_RATE, f"faces not found: {np.flatnonzero(~np.array(found)).tolist()}"


@pytest.mark.parametrize("yaw_deg", [-60, -30, 0, 30, 60])
@pytest.mark.parametrize("pitch_deg", [-30, 0, 30])
def test_no_background_inside_the_silhouette(head: fr.ForgeHead, yaw_deg: float, pitch_deg: float) -> None:
    faces = [bare(head, head.sample(31, i)) for i in range(4)]
    batch = head.render(faces, portrait(192, yaw_deg, pitch_deg))
    for face, labels in enumerate(np.asarray(batch.segmentation)):
        background = (labels == 0).astype(np.uint8)
        count, regions = cv2.connectedComponents(background, connectivity=4)
        edge = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
        enclosed = sorted(set(range(1, count)) - set(edge.tolist()))
        sizes = {tuple(np.argwhere(regions == r)[0].tolist()): int((regions == r).sum()) for r in enclosed}
        assert not sizes, f"head {face}: holes at (row, column) of so many pixels: {sizes}"


def test_every_slider_does_something_at_both_ends(head: fr.ForgeHead) -> None:
    # options on, so that sliders of what is worn show; the mesh is compared first, since that is cheap
    base = head.neutral()
    neutral = np.asarray(head.mesh(base).vertices)[0]
    camera = portrait(128, 30)
    idle = []
    for slider in head.sliders:
        for end in (slider.minimum, slider.maximum):
            if end == slider.default:
                continue
            face = head.face(base, sliders={slider.name: end})
            if np.abs(np.asarray(head.mesh(face).vertices)[0] - neutral).max() >= MOVED_M:
                continue
            pair = np.asarray(head.render([base, face], camera).rgb).astype(int)
            if (np.abs(pair[1] - pair[0]).max(-1) >= CHANGED_LEVELS).sum() < CHANGED_PIXELS:
                idle.append((slider.name, end))
    assert not idle


def test_eyes_close(head: fr.ForgeHead) -> None:
    still = dict.fromkeys(head.expressions, 0.0)
    bald = [bare(head, head.sample(5, i)) for i in range(24)]
    opened = [head.face(f, expression=still) for f in bald]
    closed = [
        head.face(f, expression={**still, **dict.fromkeys(("blink_left", "blink_right"), head.blink_weight(f))})
        for f in bald
    ]
    pixels = [np.isin(head.render(f, portrait(256)).segmentation, (4, 5)).sum((1, 2)) for f in (opened, closed)]
    points = np.asarray(head.mesh(closed).landmarks)
    gap = np.stack([points[:, upper, 1] - points[:, lower, 1] for upper, lower in LIDS], -1).max(-1)
    assert gap.max() < CLOSED_M, f"lids {1000 * gap} mm apart"
    left = pixels[1] / np.maximum(pixels[0], 1)
    assert left.max() <= EYE_LEFT, f"{pixels[1]} of {pixels[0]} eye pixels"


def test_no_triangle_is_degenerate_and_hardly_any_inverted() -> None:
    """The builder's own gate on the shipped head, on fewer random heads than its report uses."""
    pytest.importorskip("scipy")
    numpy_io = pytest.importorskip("safetensors.numpy")
    from forge_rt.export.forgehead import checks

    folder = fr.asset_path("forgehead.forge")
    arrays, bundle = numpy_io.load_file(folder / "head.safetensors"), json.loads((folder / "bundle.json").read_text())
    _, passed, measured = checks.random_heads(arrays, bundle, 40)
    assert passed, measured


# ---- left and right ----


def other_side(name: str) -> str:
    """blink_left → blink_right, l_brow → r_brow."""
    swap = {"left": "right", "right": "left", "l": "r", "r": "l"}
    return "_".join(swap.get(word, word) for word in name.split("_"))


def turned(axis_angle: Sequence[float]) -> list[float]:
    """A rotation seen in the mirror plane x = 0."""
    x, y, z = axis_angle
    return [x, -y, -z]


def mirrored(head: fr.ForgeHead, face: fr.FaceParameters) -> fr.FaceParameters:
    out = fr.FaceParameters(face)
    signs = [-1.0 if any(word in s.name for word in ONE_SIDED) else 1.0 for s in head.sliders]
    out.sliders = [sign * value for sign, value in zip(signs, face.sliders, strict=True)]
    place = {name: i for i, name in enumerate(head.expressions)}
    out.expression = [face.expression[place.get(other_side(name), i)] for name, i in place.items()]
    out.neck, out.jaw = turned(face.neck), turned(face.jaw)
    out.left_eye, out.right_eye = turned(face.right_eye), turned(face.left_eye)
    return out


@pytest.mark.parametrize("yaw_deg", [0, 35])
def test_a_mirrored_head_has_mirrored_labels(head: fr.ForgeHead, yaw_deg: float) -> None:
    swap = np.array([label.mirror for label in head.labels], np.uint8)
    faces = [bare(head, head.sample(13, i)) for i in range(8)]
    here = head.render(faces, portrait(384, yaw_deg))  # large: only borders differ
    there = head.render([mirrored(head, f) for f in faces], portrait(384, -yaw_deg))
    flipped = swap[np.asarray(there.segmentation)[:, :, ::-1]]
    same = (np.asarray(here.segmentation) == flipped).mean((1, 2))
    assert same.min() >= MIRRORED, same
    tips = np.asarray(here.landmarks)[:, bench.NOSE_TIP], np.asarray(there.landmarks)[:, bench.NOSE_TIP]
    assert np.abs(tips[0] - [384, 0] - tips[1] * [-1, 1]).max() < 0.5
