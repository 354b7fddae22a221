"""Crops, decoding and the way back into the frame against a few lines of NumPy and OpenCV."""

from __future__ import annotations

import math

import cv2
import forge_rt
import numpy as np
import pytest
from forge_rt import _core

# Positions are float32 here and float64 in the references: at most 1e-3 pixels apart in a frame of 2000, times a step of 255.
CROP_TOLERANCE = 0.25
# OpenCV converts NV12 in fixed point and rounds to bytes.
NV12_TOLERANCE = 2.0
# Softmax of float32 logits at float32 positions, rounded to a byte.
CONFIDENCE_TOLERANCE = 2

rng = np.random.default_rng(5)


@pytest.fixture
def restored():
    isa, threads = forge_rt.isa(), forge_rt.num_threads()
    yield
    forge_rt.set_isa(isa)
    forge_rt.set_num_threads(threads)


def instruction_sets() -> list[str]:
    before, found = forge_rt.isa(), []
    for name in ("baseline", "avx2", "avx512"):
        try:
            forge_rt.set_isa(name)
            found.append(name)
        except forge_rt.Error:
            pass
    forge_rt.set_isa(before)
    return found


def turn(degrees: float, scale: float, x: float, y: float) -> list[float]:
    """Crop pixels to frame pixels: the crop's origin at (x, y) of the frame."""
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return [c, -s, x, s, c, y]


def photo(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Smooth with noise on top, so that both geometry and blending show."""
    y, x = np.mgrid[:height, :width]
    base = 110 + 80 * np.sin(x / 17.0 + y / 31.0) + rng.normal(0, 12, (height, width))
    image = np.stack([np.roll(base, 5 * c, axis=1) for c in range(channels)], axis=-1)
    return np.clip(image, 0, 255).astype(np.uint8)


def reference_crop(frame, matrix, size, border="constant", fill=0):
    """[3, h, w] in float64; `frame` is RGB."""
    a, b, c, d, e, f = (float(np.float32(v)) for v in matrix)
    span = max(math.hypot(a, d), math.hypot(b, e))
    n = min(16, math.ceil(span / 2 - 1e-3)) if span > 2 else 1
    height, width = frame.shape[:2]
    padded = frame.astype(np.float64)
    steps = (np.arange(n) + 0.5) / n
    out = np.zeros((*size, 3))
    for sy in steps:
        for sx in steps:
            y, x = np.mgrid[: size[0], : size[1]]
            u, v = a * (x + sx) + b * (y + sy) + c - 0.5, d * (x + sx) + e * (y + sy) + f - 0.5
            x0, y0 = np.floor(u).astype(int), np.floor(v).astype(int)
            tx, ty = (u - x0)[..., None], (v - y0)[..., None]

            def tap(ix, iy):
                inside = (ix >= 0) & (ix < width) & (iy >= 0) & (iy < height)
                value = padded[np.clip(iy, 0, height - 1), np.clip(ix, 0, width - 1)]
                return value if border == "replicate" else np.where(inside[..., None], value, float(fill))

            top = tap(x0, y0) * (1 - tx) + tap(x0 + 1, y0) * tx
            bottom = tap(x0, y0 + 1) * (1 - tx) + tap(x0 + 1, y0 + 1) * tx
            out += top * (1 - ty) + bottom * ty
    return (out / (n * n)).transpose(2, 0, 1)


def crop(frame, matrices, size, **options):
    return np.asarray(_core._crop_image(frame, np.float32(matrices).reshape(-1, 6), size, **options))


MATRICES = {
    "identity": [1, 0, 0, 0, 1, 0],
    "rotated": turn(33, 0.8, 40, -20),
    "partly outside": turn(-15, 1.4, -30, 25),
    "wholly outside": turn(0, 1, 4000, -900),
    "half size": turn(20, 2.0, 5, 3),
    "averaged 2x2": turn(0, 4, -3, 0),
    "averaged 5x5": turn(100, 9.3, 200, -10),
    "capped at 16x16": [80, 0, -200, 0, 75, -150],
    "mirrored and stretched": [-1.5, 0.2, 140, 0, 0.7, 4],
    "flat": [0, 0, 20, 0, 0, 30],
}


@pytest.mark.parametrize("border", ["constant", "replicate"])
@pytest.mark.parametrize("name", MATRICES)
def test_crop_is_the_reference(name, border, restored):
    frame = photo(97, 131)
    want = reference_crop(frame, MATRICES[name], (45, 37), border, 77)
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        got = crop(frame, MATRICES[name], (45, 37), border=border, fill=77)[0]
        assert np.abs(got - want).max() <= CROP_TOLERANCE, isa


def test_crop_equals_opencv():
    frame = photo(120, 160)
    m = turn(12, 0.9, 20, 10)
    shifted = np.float64(
        [[m[0], m[1], m[2] + 0.5 * (m[0] + m[1]) - 0.5], [m[3], m[4], m[5] + 0.5 * (m[3] + m[4]) - 0.5]]
    )
    want = cv2.warpAffine(
        frame.astype(np.float32),
        shifted,
        (64, 64),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    # OpenCV places samples on a grid of 1/32 pixel.
    assert np.abs(crop(frame, m, (64, 64))[0] - want.transpose(2, 0, 1)).max() <= 255 / 32


@pytest.mark.parametrize("name", ["identity", "rotated", "partly outside", "averaged 5x5", "wholly outside"])
def test_all_formats_agree(name, restored):
    rgb = photo(61, 83)
    frames = {
        "rgb": rgb,
        "bgr": rgb[..., ::-1].copy(),
        "rgba": np.dstack([rgb, np.full(rgb.shape[:2], 9, np.uint8)]),
        "bgra": np.dstack([rgb[..., ::-1], np.full(rgb.shape[:2], 200, np.uint8)]),
    }
    want = crop(rgb, MATRICES[name], (33, 50), fill=3)
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        for format, frame in frames.items():
            assert np.array_equal(crop(frame, MATRICES[name], (33, 50), fill=3, format=format), want), (isa, format)
        gray = rgb[..., 0].copy()
        assert np.array_equal(
            crop(gray, MATRICES[name], (33, 50), fill=3, format="gray"),
            crop(np.dstack([gray] * 3), MATRICES[name], (33, 50), fill=3),
        )
        assert np.array_equal(crop(rgb, MATRICES[name], (33, 50), fill=3, bgr=True), want[:, ::-1])


def test_rows_apart():
    large = photo(70, 90)
    part = large[10:60, 20:70]
    assert np.array_equal(crop(part, MATRICES["rotated"], (40, 40)), crop(part.copy(), MATRICES["rotated"], (40, 40)))


def test_normalisation():
    frame = photo(40, 40)
    plain = crop(frame, turn(5, 1, 3, 3), (16, 16))
    mean, scale = np.float32([10, 120, 200]), np.float32([1 / 50, 1 / 60, 2])
    got = crop(frame, turn(5, 1, 3, 3), (16, 16), mean=mean.tolist(), scale=scale.tolist())
    assert np.array_equal(got, (plain - mean[:, None, None]) * scale[:, None, None])
    # mean and scale belong to the channel in its place: of a blue-first output, mean[0] is blue's.
    got = crop(frame, turn(5, 1, 3, 3), (16, 16), mean=mean.tolist(), scale=scale.tolist(), bgr=True)
    assert np.array_equal(got, (plain[:, ::-1] - mean[:, None, None]) * scale[:, None, None])


def test_nv12_is_opencv(restored):
    height, width = 48, 64
    # OpenCV's encoder is I420: its planes interleaved.
    i420 = cv2.cvtColor(photo(height, width), cv2.COLOR_RGB2YUV_I420)
    u, v = i420[height:].reshape(2, -1)
    nv12 = np.vstack([i420[:height], np.stack([u, v], axis=-1).reshape(height // 2, width)])
    want = cv2.cvtColor(nv12, cv2.COLOR_YUV2RGB_NV12)
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        got = crop(nv12, MATRICES["identity"], (height, width), format="nv12")[0]
        assert np.abs(got - want.transpose(2, 0, 1)).max() <= NV12_TOLERANCE
        turned = crop(nv12, turn(25, 1.3, 10, -4), (40, 40), format="nv12")[0]
        assert np.abs(turned - crop(want, turn(25, 1.3, 10, -4), (40, 40))[0]).max() <= NV12_TOLERANCE
    assert not np.array_equal(
        crop(nv12, MATRICES["identity"], (height, width), format="nv12", bt709=True),
        crop(nv12, MATRICES["identity"], (height, width), format="nv12"),
    )
    black_grey_white = np.full((6, 6), 128, np.uint8)
    black_grey_white[:4] = [[16, 16, 126, 126, 235, 235]]
    levels = crop(black_grey_white, MATRICES["identity"], (4, 6), format="nv12", bt709=True)[0][:, 0]
    assert np.allclose(levels, [[0, 0, 128, 128, 255, 255]] * 3, atol=0.2)


@pytest.mark.parametrize(
    "format,shape", [("rgb", (1, 1, 3)), ("gray", (1, 1)), ("gray", (3, 2)), ("nv12", (3, 2)), ("bgra", (1, 5, 4))]
)
def test_tiny_frames(format, shape, restored):
    frame = rng.integers(16, 235, shape, dtype=np.uint8)
    results = []
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        for border in ("constant", "replicate"):
            results.append(crop(frame, turn(10, 0.3, -1, -1), (19, 21), format=format, border=border))
    assert all(np.isfinite(r).all() for r in results)
    for r in results[2:]:
        assert any(np.array_equal(r, first) for first in results[:2])


def test_crop_bytes_do_not_depend_on_batch_threads_or_path(restored):
    matrices = np.float32([MATRICES[name] for name in MATRICES])
    for format, frame in {
        "rgb": photo(97, 131),
        "rgba": photo(97, 131, 4),
        "gray": photo(97, 131, 1)[..., 0],
        "nv12": photo(96, 130, 1)[..., 0],
    }.items():
        forge_rt.set_isa("baseline")
        forge_rt.set_num_threads(1)
        want = crop(frame, matrices, (45, 37), format=format)
        for isa in instruction_sets():
            forge_rt.set_isa(isa)
            for threads in (1, 3):
                forge_rt.set_num_threads(threads)
                assert np.array_equal(crop(frame, matrices, (45, 37), format=format), want), (format, isa, threads)
            alone = np.concatenate([crop(frame, m, (45, 37), format=format) for m in matrices])
            assert np.array_equal(alone, want), (format, isa)


def test_crop_rejects(restored):
    frame = photo(20, 20)
    for bad in (math.nan, math.inf, 1e30):
        for at in range(6):
            matrix = [1.0, 0, 0, 0, 1, 0]
            matrix[at] = bad
            with pytest.raises(forge_rt.InvalidArgumentError, match="to_frame"):
                crop(frame, matrix, (4, 4))
    with pytest.raises(forge_rt.InvalidArgumentError, match="even"):
        crop(np.zeros((9, 7), np.uint8), MATRICES["identity"], (4, 4), format="nv12")
    with pytest.raises(forge_rt.InvalidArgumentError, match="rgba"):
        crop(frame, MATRICES["identity"], (4, 4), format="rgba")
    with pytest.raises(forge_rt.InvalidArgumentError, match="finite"):
        crop(frame, MATRICES["identity"], (4, 4), mean=(math.nan, 0, 0))
    assert crop(frame, np.zeros((0, 6)), (4, 4)).shape == (0, 3, 4, 4)
    # The largest that is allowed goes nowhere near the frame, quietly.
    assert (crop(frame, [1e9, -1e9, 1e9, 1e9, 1e9, -1e9], (8, 8), fill=5) == 5).all()


# ---- the way back ----


def regions(classes: int, height: int, width: int, noise: float = 0.2) -> np.ndarray:
    """Logits of smooth regions, as a trained network gives them."""
    coarse = rng.normal(0, 4, (classes, 6, 6)).astype(np.float32)
    smooth = np.stack([cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in coarse])
    return (smooth + rng.normal(0, noise, smooth.shape)).astype(np.float32)


def positions(to_crop, crop_size, frame_size):
    """Crop coordinates of all frame pixels, and which of them lie in the crop."""
    a, b, c, d, e, f = (float(np.float32(v)) for v in to_crop)
    y, x = np.mgrid[: frame_size[0], : frame_size[1]] + 0.5
    u, v = a * x + b * y + c, d * x + e * y + f
    return u, v, (u >= 0) & (u < crop_size[1]) & (v >= 0) & (v < crop_size[0])


def bilinear(maps, u, v, crop_size):
    """[C, h, w] sampled at crop coordinates -> [C, H, W] in float64."""
    height, width = maps.shape[1:]
    x = np.clip(u * width / crop_size[1] - 0.5, 0, width - 1)
    y = np.clip(v * height / crop_size[0] - 0.5, 0, height - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    tx, ty = x - x0, y - y0
    maps = maps.astype(np.float64)
    top = maps[:, y0, x0] * (1 - tx) + maps[:, y0, x1] * tx
    bottom = maps[:, y1, x0] * (1 - tx) + maps[:, y1, x1] * tx
    return top * (1 - ty) + bottom * ty


TO_CROP = {
    "inside": (turn(17, 0.8, -10, -20), (64, 64), (120, 150)),
    "enlarged": (turn(-40, 0.3, 12, 30), (64, 64), (150, 180)),
    "beyond the frame": (turn(5, 1.1, 30, 25), (96, 80), (60, 70)),
    "reduced": (turn(0, 3.7, -30, -9), (128, 100), (50, 60)),
}


@pytest.mark.parametrize("classes", [1, 2, 11, 19, 64, 200])
@pytest.mark.parametrize("name", TO_CROP)
def test_labels_are_argmax_of_bilinear_logits(name, classes, restored):
    to_crop, crop_size, frame_size = TO_CROP[name]
    logits = regions(classes, 32, 40)
    u, v, inside = positions(to_crop, crop_size, frame_size)
    blended = bilinear(logits, u, v, crop_size)
    want = np.where(inside, blended.argmax(axis=0), 255)
    ordered = np.sort(blended, axis=0)
    # Positions in float32: where two classes are this close, or a pixel centre is this close to the crop's border, either answer is right.
    clear = np.ones(inside.shape, bool) if classes == 1 else ordered[-1] - ordered[-2] > 1e-3
    edge = np.minimum.reduce([np.abs(u), np.abs(v), np.abs(u - crop_size[1]), np.abs(v - crop_size[0])]) < 1e-3
    certain = clear & ~edge
    assert certain.mean() > 0.98
    z = blended - blended.max(axis=0)
    share = np.where(inside, 255 / np.exp(z).sum(axis=0), 0)
    below = np.full(frame_size, 255, np.uint8)
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        labels, confidence = _core._unwarp_labels(
            logits, to_crop, crop_size, frame_size, background=255, confidence=True, below=below
        )
        assert np.array_equal(np.asarray(labels)[certain], want[certain]), isa
        assert np.abs(np.asarray(confidence)[certain].astype(int) - share[certain]).max() <= CONFIDENCE_TOLERANCE, isa


def test_background_and_outside_are_left_alone():
    to_crop, crop_size, frame_size = TO_CROP["inside"]
    logits = regions(5, 32, 32)
    below = rng.integers(100, 200, frame_size, dtype=np.uint8)
    labels = np.asarray(_core._unwarp_labels(logits, to_crop, crop_size, frame_size, background=2, below=below)[0])
    all_of_them = np.asarray(
        _core._unwarp_labels(
            logits, to_crop, crop_size, frame_size, background=9, below=np.full(frame_size, 77, np.uint8)
        )[0]
    )
    untouched = (all_of_them == 77) | (all_of_them == 2)
    assert np.array_equal(labels[untouched], below[untouched])
    assert np.array_equal(labels[~untouched], all_of_them[~untouched])
    assert _core._unwarp_labels(logits, to_crop, crop_size, frame_size, labels=False)[0] is None


def test_only_the_rect_is_written():
    to_crop, crop_size, frame_size = TO_CROP["enlarged"]
    logits = regions(7, 32, 32)
    whole, sure = (np.asarray(o) for o in _core._unwarp_labels(logits, to_crop, crop_size, frame_size, confidence=True))
    for left, top, right, bottom in ((31, 17, 99, 80), (40, 40, 41, 41), (50, 60, 50, 90)):
        part, part_sure = (
            np.asarray(o)
            for o in _core._unwarp_labels(
                logits, to_crop, crop_size, frame_size, confidence=True, rect=(left, top, right, bottom)
            )
        )
        want, want_sure = np.zeros_like(whole), np.zeros_like(whole)
        want[top:bottom, left:right] = whole[top:bottom, left:right]
        want_sure[top:bottom, left:right] = sure[top:bottom, left:right]
        assert np.array_equal(part, want) and np.array_equal(part_sure, want_sure)


def test_ties_take_the_lowest_class(restored):
    logits = np.zeros((20, 16, 16), np.float32)
    logits[[4, 9, 18]] = 1.25
    logits[[3, 12], :, 8:] = 1.25
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        labels = np.asarray(_core._unwarp_labels(logits, turn(0, 1, 0, 0), (16, 16), (16, 16))[0])
        assert (labels[:, :8] == 4).all() and (labels[:, 8:] == 3).all()
        # Halfway between the columns class 3 is behind, unless it has no weight at all.
        fine = np.asarray(_core._unwarp_labels(logits, turn(0, 0.25, 0, 0), (16, 16), (64, 64))[0])
        assert set(np.unique(fine)) == {3, 4}


def test_masked_classes_are_never_chosen(restored):
    logits = regions(12, 24, 24)
    logits[7] += 20
    alone = np.delete(logits, 7, axis=0)
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        masked = _core._unwarp_labels(
            logits, turn(8, 0.4, 2, 2), (24, 24), (60, 60), masked=[7], background=255, confidence=True
        )
        without = _core._unwarp_labels(alone, turn(8, 0.4, 2, 2), (24, 24), (60, 60), background=255, confidence=True)
        ids = np.asarray(without[0]) + (np.asarray(without[0]) >= 7)
        assert np.array_equal(np.asarray(masked[0]), ids)
        assert np.abs(np.asarray(masked[1]).astype(int) - np.asarray(without[1])).max() <= 1  # sums in another order
    with pytest.raises(forge_rt.InvalidArgumentError, match="masked"):
        _core._unwarp_labels(logits[:2].copy(), turn(0, 1, 0, 0), (24, 24), (60, 60), masked=[0, 1])


def test_nearest():
    to_crop, crop_size, frame_size = TO_CROP["enlarged"]
    logits = regions(11, 20, 30)
    u, v, inside = positions(to_crop, crop_size, frame_size)
    x = np.clip(np.floor(u * 30 / crop_size[1]), 0, 29).astype(int)
    y = np.clip(np.floor(v * 20 / crop_size[0]), 0, 19).astype(int)
    want = np.where(inside, logits.argmax(axis=0)[y, x], 0)
    got = np.asarray(_core._unwarp_labels(logits, to_crop, crop_size, frame_size, nearest=True)[0])
    assert (got != want).mean() < 1e-3  # pixels on the border of two cells


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_broken_logits(bad, restored):
    logits = regions(9, 16, 16)
    logits[rng.random(logits.shape) < 0.2] = bad
    logits[:, 3:6, 3:6] = bad
    results = []
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        results.append(_core._unwarp_labels(logits, turn(30, 0.35, 3, 1), (16, 16), (50, 50), confidence=True))
    for other in results[1:]:
        assert np.array_equal(np.asarray(results[0][0]), np.asarray(other[0])) and np.array_equal(
            np.asarray(results[0][1]), np.asarray(other[1])
        )
    assert np.asarray(results[0][0]).max() < 9
    # At the grid's own points NaN never beats a number, and everything broken is the lowest class.
    exact = np.asarray(_core._unwarp_labels(logits, turn(0, 1, 0, 0), (16, 16), (16, 16), background=255)[0])
    want = np.where(np.isnan(logits), -np.inf, logits).argmax(axis=0)
    assert np.array_equal(exact, want)


def test_unwarp_bytes_do_not_depend_on_threads_or_path(restored):
    for classes, noise in ((2, 0.2), (11, 3), (19, 0.3), (19, 30), (33, 1), (256, 1)):
        logits = regions(classes, 41, 37, noise)
        for nearest in (False, True):
            for to_crop, crop_size, frame_size in TO_CROP.values():
                results = []
                for isa in instruction_sets():
                    forge_rt.set_isa(isa)
                    for threads in (1, 3):
                        forge_rt.set_num_threads(threads)
                        options = {"nearest": nearest, "confidence": True, "masked": [1]}
                        both = _core._unwarp_labels(logits, to_crop, crop_size, frame_size, **options)
                        alone = _core._unwarp_labels(
                            logits, to_crop, crop_size, frame_size, nearest=nearest, masked=[1]
                        )[0]
                        results.append((np.asarray(both[0]), np.asarray(both[1]), np.asarray(alone)))
                for labels, confidence, alone in results:
                    assert np.array_equal(labels, results[0][0]) and np.array_equal(confidence, results[0][1])
                    assert np.array_equal(labels, alone)


def test_map(restored):
    to_crop, crop_size, frame_size = TO_CROP["inside"]
    depth = regions(1, 33, 47)[0]
    u, v, inside = positions(to_crop, crop_size, frame_size)
    below = rng.normal(0, 1, frame_size).astype(np.float32)
    mask = (rng.random(frame_size) < 0.5).astype(np.uint8)
    want = np.where(inside & (mask != 0), bilinear(depth[None], u, v, crop_size)[0], below)
    results = []
    for isa in instruction_sets():
        forge_rt.set_isa(isa)
        for threads in (1, 3):
            forge_rt.set_num_threads(threads)
            results.append(np.asarray(_core._unwarp_map(depth, to_crop, crop_size, frame_size, mask=mask, below=below)))
            assert np.abs(results[-1] - want).max() <= 1e-3
            assert np.array_equal(results[-1], results[0])


def test_one_pixel_maps():
    one = np.float32([[[1.0]], [[2.0]]])
    labels, confidence = _core._unwarp_labels(one, turn(0, 0.5, 0, 0), (4, 4), (8, 8), confidence=True)
    assert (np.asarray(labels) == 1).all()
    assert (np.abs(np.asarray(confidence) - 255 / (1 + math.exp(-1))) <= 1).all()
    assert (np.asarray(_core._unwarp_map(one[1], turn(0, 0.5, 0, 0), (4, 4), (8, 8))) == 2).all()


def test_unwarp_rejects():
    logits = regions(3, 8, 8)
    for bad in (math.nan, math.inf, 1e20):
        with pytest.raises(forge_rt.InvalidArgumentError, match="to_crop"):
            _core._unwarp_labels(logits, [1, 0, bad, 0, 1, 0], (8, 8), (8, 8), rect=(0, 0, 8, 8))
    with pytest.raises(forge_rt.InvalidArgumentError, match="classes"):
        _core._unwarp_labels(np.zeros((257, 2, 2), np.float32), turn(0, 1, 0, 0), (8, 8), (8, 8))
    with pytest.raises(forge_rt.InvalidArgumentError, match="invertible"):
        _core._invert_affine([1, 2, 0, 2, 4, 0])


def test_footprint_holds_every_pixel_of_the_crop():
    for degrees, scale, x, y in (
        (0, 1, 0, 0),
        (30, 1.7, 40, -10),
        (200, 0.4, 90, 60),
        (77, 5, -300, 20),
        (0, 1, 900, 0),
    ):
        to_frame = turn(degrees, scale, x, y)
        left, top, right, bottom = _core._crop_footprint(to_frame, (50, 40), (100, 120))
        inside = positions(_core._invert_affine(to_frame), (50, 40), (100, 120))[2]
        rows, columns = np.nonzero(inside)
        if len(rows) == 0:
            continue
        assert left <= columns.min() and columns.max() < right and top <= rows.min() and rows.max() < bottom
        # and not many more
        assert columns.min() - left <= 3 + scale and right - columns.max() <= 4 + scale


def test_crop_and_back():
    """A label image, cropped under a rotation and painted back, is itself except along borders."""
    y, x = np.mgrid[:200, :240]
    ids = np.zeros((200, 240), np.uint8)
    for k, (cx, cy, r) in enumerate(((120, 100, 70), (95, 80, 14), (145, 82, 14), (120, 135, 18)), 1):
        ids[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = k
    to_frame = turn(28, 0.85, 70, -42)
    one_hot = [
        crop(np.where(ids == k, 255, 0).astype(np.uint8), to_frame, (256, 256), format="gray")[0, 0] for k in range(5)
    ]
    back = np.asarray(
        _core._unwarp_labels(np.stack(one_hot), _core._invert_affine(to_frame), (256, 256), (200, 240))[0]
    )
    inside = positions(_core._invert_affine(to_frame), (256, 256), (200, 240))[2]
    smooth = (cv2.erode(ids, np.ones((3, 3))) == ids) & (cv2.dilate(ids, np.ones((3, 3))) == ids)
    assert inside.mean() > 0.5
    assert np.array_equal(back[inside & smooth], ids[inside & smooth])
    assert (back[inside] != ids[inside]).mean() < 0.005
    assert (back[~inside] == 0).all()


# ---- detections ----


def iou(a, b):
    both = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def reference_decode(score, box, points, stride, threshold, limit, most):
    faces = []
    for image in range(len(score)):
        _, height, width = score[image].shape
        entries = []
        for i in range(height):
            for j in range(width):
                probability = 1 / (1 + np.exp(-float(score[image, 0, i, j])))
                if not probability >= threshold:
                    continue
                x, y = (j + 0.5) * stride, (i + 0.5) * stride
                left, top, right, bottom = stride * np.exp(box[image, :, i, j].astype(float))
                unit = stride * np.exp(box[image, :, i, j].astype(float).mean())
                at = [
                    (x + unit * points[image, 2 * k, i, j], y + unit * points[image, 2 * k + 1, i, j]) for k in range(5)
                ]
                entries.append((probability, (x - left, y - top, x + right, y + bottom), at))
        kept = []
        for entry in sorted(entries, key=lambda e: -e[0]):
            if len(kept) < most and all(iou(entry[1], other[1]) <= limit for other in kept):
                kept.append(entry)
        faces += [(image, *entry) for entry in kept]
    return faces


def detector_maps(batch=2, height=12, width=20):
    score = rng.normal(-1, 2, (batch, 1, height, width)).astype(np.float32)
    box = rng.normal(1, 0.4, (batch, 4, height, width)).astype(np.float32)
    points = rng.normal(0, 0.5, (batch, 10, height, width)).astype(np.float32)
    return score, box, points


def test_decode_is_the_reference():
    maps = detector_maps()
    for options in ((0.5, 0.4, 64), (0.2, 0.1, 5), (0.0, 1.0, 500), (0.9, 0.0, 64)):
        want = reference_decode(*maps, 8, *options)
        got = _core._decode_faces(*maps, score_threshold=options[0], iou_threshold=options[1], max_faces=options[2])
        assert [f["image"] for f in got] == [w[0] for w in want]
        for face, (_, score, box, points) in zip(got, want, strict=True):
            assert abs(face["score"] - score) < 1e-6
            assert np.allclose(face["box"], box, rtol=1e-5, atol=1e-3) and np.allclose(
                face["points"], points, rtol=1e-5, atol=1e-3
            )


def test_decode_a_batch_is_each_alone():
    maps = detector_maps(4)
    together = _core._decode_faces(*maps)
    alone = []
    for image in range(4):
        alone += [
            {**face, "image": image} for face in _core._decode_faces(*(m[image : image + 1].copy() for m in maps))
        ]
    assert together == alone


def test_decode_survives_anything():
    score, box, points = detector_maps(1, 100, 100)
    score[:] = 90  # all certain: ties by cell
    box[:, :, 0, 0] = 200  # exp overflows
    box[:, 1, 0, 1] = math.nan
    points[:, 3, 0, 2] = math.inf
    score[0, 0, 0, 3] = math.nan
    box[0, :, 0, 4] = -500  # a box without area
    faces = _core._decode_faces(score, box, points, iou_threshold=1.0, max_faces=10**6)
    assert len(faces) == 4096 - 3  # the best 4096, of which three are not finite
    first_row = [0.5 * (f["box"][0] + f["box"][2]) for f in faces[:1]]
    assert first_row[0] == pytest.approx(36, abs=1e-3)
    assert all(np.isfinite(f["box"]).all() and np.isfinite(f["points"]).all() for f in faces)
    score[:] = math.nan
    assert _core._decode_faces(score, box, points) == []
    score[:] = math.inf
    assert len(_core._decode_faces(score, box, points, max_faces=7)) <= 7
    assert _core._decode_faces(score, box, points, max_faces=0) == []
    assert _core._decode_faces(*(m[:, :, :0] for m in (score, box, points))) == []


def test_decode_rejects():
    score, box, points = detector_maps()
    with pytest.raises(forge_rt.InvalidArgumentError, match="box must be"):
        _core._decode_faces(score, box[:, :3].copy(), points)
    for options in ({"stride": 0}, {"score_threshold": math.nan}, {"iou_threshold": 2}, {"max_faces": -1}):
        with pytest.raises(forge_rt.InvalidArgumentError, match=next(iter(options))):
            _core._decode_faces(score, box, points, **options)


def test_iou():
    assert _core._box_iou([0, 0, 2, 2], [1, 1, 3, 3]) == pytest.approx(1 / 7)
    assert _core._box_iou([0, 0, 2, 2], [0, 0, 2, 2]) == 1
    assert _core._box_iou([0, 0, 0, 0], [0, 0, 0, 0]) == 0
    assert _core._box_iou([5, 5, 1, 1], [0, 0, 9, 9]) == 0
    assert _core._box_iou([math.nan, 0, 1, 1], [0, 0, 1, 1]) <= 1
    assert _core._box_iou([-3e38, -3e38, 3e38, 3e38], [-3e38, -3e38, 3e38, 3e38]) == pytest.approx(1)


# ---- CUDA ----

STATUS = forge_rt.cuda_status()
needs_gpu = pytest.mark.skipif(STATUS["device_count"] == 0, reason=f"no CUDA device: {STATUS['reason']}")


def gpu(array):
    return forge_rt.from_dlpack(np.ascontiguousarray(array)).to("cuda:0")


def host(tensor):
    return np.asarray(tensor.to("cpu"))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("border", ["constant", "replicate"])
@pytest.mark.parametrize("format", ["rgb", "bgr", "rgba", "bgra", "gray", "nv12"])
def test_cuda_crops_are_the_cpus(format, border):
    frame = photo(96, 130, {"rgba": 4, "bgra": 4}.get(format, 3))
    frame = frame[..., 0].copy() if format in ("gray", "nv12") else frame
    matrices = np.float32([MATRICES[name] for name in MATRICES] * 7)  # more than travel with one launch
    options = {"format": format, "border": border, "fill": 77, "mean": (100, 110, 120), "scale": (0.02, 0.03, 0.01)}
    on_gpu = host(_core._crop_image(gpu(frame), matrices, (45, 37), **options))
    assert np.array_equal(on_gpu, crop(frame, matrices, (45, 37), **options))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("name", TO_CROP)
def test_cuda_unwarps_are_the_cpus(name):
    for classes, noise in ((1, 1), (19, 0.3), (200, 9)):
        logits = regions(classes, 41, 37, noise)
        logits[rng.random(logits.shape) < 0.01] = math.nan
        masked = [1] if classes > 1 else []
        for nearest in (False, True):
            options = {"nearest": nearest, "confidence": True, "masked": masked}
            want = _core._unwarp_labels(logits, *TO_CROP[name], **options)
            got = _core._unwarp_labels(gpu(logits), *TO_CROP[name], **options)
            assert np.array_equal(host(got[0]), np.asarray(want[0])) and np.array_equal(
                host(got[1]), np.asarray(want[1])
            )
        depth = regions(1, 33, 47)[0]
        want = np.asarray(_core._unwarp_map(depth, *TO_CROP[name]))
        assert np.array_equal(host(_core._unwarp_map(gpu(depth), *TO_CROP[name])), want)
