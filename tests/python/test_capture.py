"""What the camera does to ForgeHead's pictures: neutral settings change nothing, every fault does what it says."""

from __future__ import annotations

import forge_rt as fr
import numpy as np
import pytest

CAMERA = fr.camera.orbit(size=(120, 136), fov_deg=18)  # not a multiple of JPEG's blocks


@pytest.fixture(scope="module")
def head() -> fr.ForgeHead:
    return fr.ForgeHead()


def shot(head: fr.ForgeHead, **settings: float) -> np.ndarray:
    face = head.neutral()
    for name, value in settings.items():
        setattr(face.capture, name, value)
    return np.asarray(head.render(face, CAMERA).rgb)[0].astype(float)


def test_neutral_and_no_loss_agree(head: fr.ForgeHead) -> None:
    plain = shot(head)
    assert (shot(head, contrast=1.0, exposure=0.0) == plain).all()
    assert np.abs(shot(head, exposure=1e-6) - plain).max() <= 1  # the general path
    assert np.abs(shot(head, jpeg_quality=100) - plain).mean() < 0.8


def test_labels_do_not_depend_on_the_camera_s_faults(head: fr.ForgeHead) -> None:
    face = head.neutral()
    clean = head.render(face, CAMERA)
    face.capture.blur_px, face.capture.noise_read, face.capture.jpeg_quality = 5.0, 0.1, 10
    dirty = head.render(face, CAMERA)
    assert (np.asarray(clean.segmentation) == np.asarray(dirty.segmentation)).all()
    assert (np.asarray(clean.depth_m) == np.asarray(dirty.depth_m)).all()


def test_exposure_contrast_saturation(head: fr.ForgeHead) -> None:
    plain = shot(head)
    assert shot(head, exposure=1.0).mean() > plain.mean() + 20 > shot(head, exposure=-1.0).mean() + 40
    assert shot(head, contrast=1.4).std() > plain.std() > shot(head, contrast=0.6).std()
    grey = shot(head, greyscale=1)
    assert np.ptp(grey, axis=-1).max() <= 1
    assert np.ptp(shot(head, saturation=1.6), axis=-1).mean() > np.ptp(plain, axis=-1).mean()
    warm = shot(head, white_balance=[1.2, 1.0, 0.8])
    assert warm[..., 0].mean() > plain[..., 0].mean() and warm[..., 2].mean() < plain[..., 2].mean()
    vignette = shot(head, vignette=0.8)
    assert vignette[:10, :10].mean() < plain[:10, :10].mean() - 10


def sharpness(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image, axis=1)).mean())


def test_blur_and_resolution_take_detail_away(head: fr.ForgeHead) -> None:
    plain = sharpness(shot(head))
    blurs = [sharpness(shot(head, blur_px=b)) for b in (4, 10, 20)]
    assert plain > blurs[0] > blurs[1] > blurs[2]
    assert sharpness(shot(head, downscale=3.0)) < plain
    assert sharpness(shot(head, motion_px=30.0)) < plain
    assert sharpness(shot(head, sharpen=1.0)) > plain
    assert abs(shot(head, blur_px=10).mean() - shot(head).mean()) < 4  # blurred in linear light: edges grow lighter


def test_noise_has_its_strength_and_repeats(head: fr.ForgeHead) -> None:
    plain = shot(head)
    flat = (plain > 60) & (plain < 200)
    for sigma in (0.01, 0.04):
        noise = (shot(head, noise_read=sigma) - plain)[flat]
        assert abs(noise.std() / 255 - sigma) < 0.25 * sigma and abs(noise.mean()) < 1
    assert (shot(head, noise_read=0.02) == shot(head, noise_read=0.02)).all()


def test_jpeg_loses_more_at_low_quality(head: fr.ForgeHead) -> None:
    plain = shot(head)
    errors = [np.abs(shot(head, jpeg_quality=q) - plain).mean() for q in (95, 60, 20, 5)]
    assert errors == sorted(errors) and errors[-1] > 2.0


def test_like_libjpeg(head: fr.ForgeHead) -> None:
    """The loss is that of a real encoder: much closer to its picture than to the original."""
    cv2 = pytest.importorskip("cv2")
    plain = shot(head).astype(np.uint8)
    for quality in (15, 50, 85):
        options = [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        ]
        coded = cv2.imdecode(cv2.imencode(".jpg", plain[..., ::-1], options)[1], 1)[..., ::-1].astype(float)
        ours = shot(head, jpeg_quality=quality)
        assert np.abs(ours - coded).mean() < 0.6 * np.abs(plain - coded).mean(), quality


def test_wild_batches_equal_their_members(head: fr.ForgeHead) -> None:
    together = np.asarray(head.generate(seed=6, index=range(6), size=72, style="wild").rgb)
    for i in range(6):
        alone = np.asarray(head.generate(seed=6, index=i, size=72, style="wild").rgb)[0]
        assert (together[i] == alone).all(), i


def test_the_person_is_the_same_in_both_styles(head: fr.ForgeHead) -> None:
    for i in range(8):
        studio, wild = head.sample(2, i, "studio"), head.sample(2, i, "wild")
        assert studio.sliders == wild.sliders
        assert studio.appearance.melanin == wild.appearance.melanin
        assert studio.appearance.iris_color == wild.appearance.iris_color
        assert studio.light != wild.light
