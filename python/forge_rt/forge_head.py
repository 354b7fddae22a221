"""ForgeHead: the parametric head that comes with forge_rt, with exact ground truth."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt import _core
from forge_rt._core import FaceParameters, HeadMesh, InvalidArgumentError, LabelInfo, SliderInfo, Tensor
from forge_rt.camera import Camera, CameraSampler

__all__ = ["FaceBatch", "FaceParameters", "ForgeHead"]


STYLES = {"studio": 0.0, "mixed": 0.5, "wild": 1.0}


def wild_share(style: str | float) -> float:
    """Share of images of style "wild"."""
    if isinstance(style, str):
        if style not in STYLES:
            raise InvalidArgumentError(f"style must be one of {', '.join(STYLES)} or a share 0..1, got {style!r}")
        return STYLES[style]
    if not 0.0 <= style <= 1.0:
        raise InvalidArgumentError(f"the share of wild images must be in 0..1, got {style}")
    return float(style)


def cameras_by_style(camera: Any) -> dict[str, CameraSampler]:
    """Samplers of "studio" and "wild" images: both of `camera`, or its own two, or (None) the presets portrait and wild."""
    if camera is None:
        return {"studio": CameraSampler("portrait"), "wild": CameraSampler("wild")}
    if isinstance(camera, Mapping) and set(camera) == {"studio", "wild"}:
        return {style: cameras_by_style(camera[style])[style] for style in ("studio", "wild")}
    sampler = camera if isinstance(camera, CameraSampler) else CameraSampler(camera)
    return {"studio": sampler, "wild": sampler}


@dataclass(frozen=True)
class FaceBatch:
    """B images and everything known about them. Arrays are `forge_rt.Tensor`: DLPack, `np.asarray`, no copy."""

    rgb: Tensor  #: [B, H, W, 3] uint8, sRGB
    segmentation: Tensor  #: [B, H, W] uint8 class ids (`ForgeHead.labels`)
    depth_m: Tensor  #: [B, H, W] float32, camera z in metres, 0 = background
    normals: Tensor | None  #: [B, H, W, 3] float32, camera frame
    soft_labels: Tensor | None  #: [B, classes, H, W] float32
    layers: Tensor | None  #: [B, 2, H, W] uint8: without free objects; the bare head (no hair, beard, glasses, hat)
    uv: Tensor | None  #: [B, H, W, 2] float32 in the head's atlas, -1 elsewhere
    landmarks: Tensor  #: [B, 68, 2] float32 pixels; the centre of the top-left pixel is (0.5, 0.5)
    visibility: Tensor  #: [B, 68] uint8: 0 outside the frame, 1 hidden, 2 visible
    landmarks_camera_m: Tensor  #: [B, 68, 3] float32, camera frame, metres
    landmarks_head_m: Tensor  #: [B, 68, 3] float32, head frame, metres
    faces: tuple[FaceParameters, ...]
    camera: tuple[Camera, ...]
    seed: int | None = None
    index: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.camera)


class ForgeHead:
    """Named controls in; image, labels, depth, normals and landmarks out.

    >>> head = ForgeHead()
    >>> batch = head.generate(seed=7, index=range(4), camera="frontal", size=256)
    >>> batch.rgb.shape
    (4, 256, 256, 3)
    """

    def __init__(self, bundle: str | os.PathLike[str] | None = None) -> None:
        """Opens a ForgeHead bundle (default: the one in the package) and checks its hashes."""
        folder = Path(bundle) if bundle is not None else Path(__file__).parent / "assets" / "forgehead.forge"
        self._head = _core.ForgeHead.load(str(folder))

    # ---- what can be controlled ----

    @property
    def sliders(self) -> list[SliderInfo]:
        return self._head.sliders

    @property
    def expressions(self) -> list[str]:
        return self._head.expressions

    @property
    def options(self) -> dict[str, list[str]]:
        """Discrete sets and their choices, e.g. {"hair": ["none", "short", …]}."""
        return self._head.options

    @property
    def labels(self) -> list[LabelInfo]:
        return self._head.labels

    @property
    def triangles(self) -> np.ndarray:
        """[F, 3] int32."""
        return self._head.triangles.numpy()

    @property
    def hash(self) -> str:
        """SHA-256 that names this model in records."""
        return self._head.hash

    # ---- parameters ----

    def neutral(self) -> FaceParameters:
        return self._head.neutral()

    def sample(self, seed: int, index: int = 0, style: str | float = "studio", *, attempt: int = 0) -> FaceParameters:
        """A random face: a pure function of (seed, index, style, attempt). `attempt` draws another of the same index and style.

        `style`: "studio" (smooth CG look), "wild" (harsh light, occluders, noise, compression, other label habits),
        "mixed" (half of each), or the share of wild images, 0..1.
        """
        return self._head.sample(seed, index, wild_share(style), attempt)

    def face(
        self,
        base: FaceParameters | None = None,
        *,
        sliders: Mapping[str, float] | None = None,
        expression: Mapping[str, float] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> FaceParameters:
        """A copy of `base` (default: neutral) with named controls changed.

        >>> head.face(sliders={"nose/width": 0.8}, expression={"smile": 1.0}, options={"hair": "bob"})
        """
        out = FaceParameters(base if base is not None else self.neutral())
        for name, value in (sliders or {}).items():
            self._head.set_slider(out, name, value)
        for name, weight in (expression or {}).items():
            self._head.set_expression(out, name, weight)
        for name, choice in (options or {}).items():
            self._head.set_option(out, name, choice)
        return out

    def blink_weight(self, face: FaceParameters) -> float:
        """The weight of blink_left and blink_right that just closes the lids of this face."""
        return self._head.blink_weight(face)

    # ---- results ----

    def mesh(self, faces: FaceParameters | Sequence[FaceParameters]) -> HeadMesh:
        """Vertices [B, V, 3] and landmarks [B, 68, 3] in metres, head frame."""
        return self._head.mesh([faces] if isinstance(faces, FaceParameters) else list(faces))

    def render(
        self,
        faces: FaceParameters | Sequence[FaceParameters],
        camera: Camera | Sequence[Camera],
        *,
        supersample: int = 2,
        normals: bool = False,
        soft_labels: bool = False,
        layers: bool = False,
        uv: bool = False,
        matte: bool = False,
        device: str = "cpu",
    ) -> FaceBatch:
        """Renders face i with camera i (one camera serves all). The image size is the cameras'.

        `matte`: every point is shaded as seen along its normal, so that its colour is the same from everywhere.
        """
        faces = [faces] if isinstance(faces, FaceParameters) else list(faces)
        cameras = [camera] * len(faces) if isinstance(camera, Camera) else list(camera)
        size = tuple(cameras[0].size) if cameras else (1, 1)
        images = self._head.render(
            faces, cameras, size=size, supersample=supersample, normals=normals, soft_labels=soft_labels,
            layers=layers, uv=uv, matte=matte, device=device,
        )  # fmt: skip
        return FaceBatch(
            images.rgb, images.segmentation, images.depth_m, images.normals, images.soft_labels, images.layers, images.uv,
            images.landmarks_px, images.visibility, images.landmarks_camera_m, images.landmarks_head_m, tuple(faces), tuple(cameras),
        )  # fmt: skip

    def generate(
        self,
        *,
        seed: int,
        index: int | Iterable[int] = 0,
        style: str | float = "studio",
        camera: str | os.PathLike[str] | Mapping[str, Any] | CameraSampler | Camera | None = None,
        size: int | tuple[int, int] = 512,
        supersample: int = 2,
        normals: bool = False,
        soft_labels: bool = False,
        layers: bool = False,
        uv: bool = False,
        device: str = "cpu",
    ) -> FaceBatch:
        """Samples and renders faces; image i is a pure function of (seed, i).

        `camera` is a preset name, a camera file, a configuration, a CameraSampler, one fixed Camera, or {"studio": …, "wild": …}
        of these; None is the preset portrait for studio images and wild for wild ones.
        """
        indices = (index,) if isinstance(index, int) else tuple(index)
        faces = [self.sample(seed, i, style) for i in indices]
        if isinstance(camera, Camera):
            cameras = [camera] * len(indices)
        else:
            samplers = cameras_by_style(camera)
            cameras = [samplers[face.style].sample(seed, i, size) for face, i in zip(faces, indices, strict=True)]
        batch = self.render(
            faces, cameras, supersample=supersample, normals=normals, soft_labels=soft_labels, layers=layers, uv=uv,
            device=device,
        )  # fmt: skip
        return FaceBatch(**{**batch.__dict__, "seed": seed, "index": indices})
