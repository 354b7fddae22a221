"""What a generator is made from: sizes, camera range, and the choices that a checkpoint carries (spec/next3d §13)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forge_rt import InvalidArgumentError, UnsupportedError

from .super_resolution import KINDS

_RESOLUTIONS = (8, 16, 32, 64, 128, 256, 512, 1024)

Axes = tuple[tuple[tuple[float, ...], ...], ...]
#: rows of the three planes' matrices: a point projects to (x, y), (x, z) and (z, y)
NEXT3D_AXES: Axes = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
)
#: … of EG3D's own code: (x, y), (x, z) and (z, x)
EG3D_AXES: Axes = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
)


@dataclass(frozen=True)
class RenderingConfig:
    """Names as in the published `rendering_kwargs`; defaults: those of FFHQ at 512 pixels."""

    ray_start: float | str = 2.25  #: "auto": from the box
    ray_end: float | str = 3.3
    depth_resolution: int = 48
    depth_resolution_importance: int = 48
    box_warp: float = 1.0
    white_back: bool = False
    depth_clamp: str = "batch"  #: "batch" as published, "image" without its coupling of a batch's images
    c_gen_conditioning_zero: bool = False
    c_scale: float = 1.0  #: of the camera label in the mapping network
    superresolution_noise_mode: str = "none"
    sr_antialias: bool = True
    decoder_lr_mul: float = 1.0
    avg_camera_radius: float = 2.7
    avg_camera_pivot: tuple[float, float, float] = (0.0, 0.0, 0.2)

    def validate(self) -> None:
        for f in dataclasses.fields(self):
            value, wanted = getattr(self, f.name), type(f.default)
            auto = value == "auto" and f.name in ("ray_start", "ray_end")
            number = isinstance(value, (int, float)) and (wanted is float or not isinstance(value, float))
            fits = number if wanted in (int, float, bool) else isinstance(value, wanted)
            if not (fits or auto):
                raise InvalidArgumentError(f"{f.name} must be {wanted.__name__}, got {value!r}"[:300])
        if len(self.avg_camera_pivot) != 3 or not all(isinstance(x, (int, float)) for x in self.avg_camera_pivot):
            raise InvalidArgumentError(f"avg_camera_pivot must be three numbers, got {self.avg_camera_pivot}"[:300])
        if (self.ray_start == "auto") != (self.ray_end == "auto"):
            raise InvalidArgumentError(
                f"ray_start and ray_end are both auto or both numbers, got {self.ray_start} and {self.ray_end}"
            )
        if self.ray_start != "auto" and not 0 <= float(self.ray_start) < float(self.ray_end):
            raise InvalidArgumentError(f"expected 0 <= ray_start < ray_end, got {self.ray_start} and {self.ray_end}")
        fine = self.depth_resolution_importance
        if not (4 if fine else 2) <= self.depth_resolution <= 256 or not 0 <= fine <= 256:
            raise InvalidArgumentError(
                "depth_resolution must be 4..256, or 2..256 without importance samples, and depth_resolution_importance 0..256, got "
                f"{self.depth_resolution} and {fine}"
            )
        if not (math.isfinite(self.box_warp) and self.box_warp > 0):
            raise InvalidArgumentError(f"box_warp must be positive, got {self.box_warp}")
        if self.depth_clamp not in ("batch", "image"):
            raise InvalidArgumentError(f"depth_clamp must be batch or image, got {self.depth_clamp!r}")

    @staticmethod
    def from_published(kwargs: Mapping[str, Any]) -> RenderingConfig:
        """From a checkpoint's `rendering_kwargs`; what only training reads is left out. Quirk: options without c_scale ignore the camera
        label; no options at all are the published ones.
        """
        if not kwargs:
            return RenderingConfig()
        if kwargs.get("disparity_space_sampling"):
            raise UnsupportedError("disparity_space_sampling is not supported; no published head model uses it")
        if kwargs.get("clamp_mode", "softplus") != "softplus":
            raise UnsupportedError(f"clamp_mode must be softplus, got {kwargs['clamp_mode']!r}")
        known = {f.name for f in dataclasses.fields(RenderingConfig)} - {"depth_clamp"}
        chosen = {"c_scale": 0.0, **{k: _tuples(v) for k, v in kwargs.items() if k in known and v is not None}}
        config = RenderingConfig(**chosen)
        config.validate()
        return config


@dataclass(frozen=True)
class StyleUNetConfig:
    resolution: int  #: of its output
    in_size: int  #: of its condition image
    final_size: int  #: of the encoder's last features


@dataclass(frozen=True)
class EG3DConfig:
    """Defaults: the published 512-pixel configuration."""

    z_dim: int = 512
    c_dim: int = 25
    w_dim: int = 512
    image_channels: int = 3
    mapping_layers: int = 2
    embed_features: int | None = None  #: None: w_dim
    layer_features: int | None = None  #: None: w_dim
    channel_base: int = 32768
    channel_max: int = 512
    conv_clamp: float | None = None
    plane_resolution: int = 256
    plane_channels: int = 32
    plane_axes: Axes = EG3D_AXES
    decoder_hidden: int = 64
    feature_channels: int = 32  #: colours of the decoder; the first three are the raw image
    superresolution: str = "8XDC"
    sr_channels: tuple[int, int] | None = None  #: None: those of the published class
    sr_conv_clamp: float | None = 256.0  #: 256 where the published model has fp16 blocks, also in fp32
    neural_rendering_resolution: int = 64
    rendering: RenderingConfig = field(default_factory=RenderingConfig)

    def validate(self) -> None:
        self.rendering.validate()
        if self.superresolution not in KINDS:
            raise UnsupportedError(f"super-resolution must be one of {', '.join(KINDS)}, got {self.superresolution!r}")
        sizes = ("z_dim", "w_dim", "channel_base", "channel_max", "plane_channels", "decoder_hidden", "mapping_layers")
        for name in sizes:
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        _check_resolution("plane_resolution", self.plane_resolution)
        if self.feature_channels < self.image_channels:
            raise InvalidArgumentError(
                f"feature_channels must hold the {self.image_channels} image channels, got {self.feature_channels}"
            )
        if self.channel_base < self.plane_resolution:
            raise InvalidArgumentError(
                f"channel_base {self.channel_base} leaves no channel at {self.plane_resolution}²"
            )

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> EG3DConfig:
        values = {k: _tuples(v) for k, v in raw.items()}
        unknown = values.keys() - {f.name for f in dataclasses.fields(cls)}
        if unknown:
            raise InvalidArgumentError(f"{cls.__name__} has no {', '.join(sorted(unknown))}")
        if "rendering" in values:
            values["rendering"] = RenderingConfig(**{k: _tuples(v) for k, v in values["rendering"].items()})
        for name in ("mouth", "blending"):
            if isinstance(values.get(name), dict):
                values[name] = StyleUNetConfig(**values[name])
        config = cls(**values)
        config.validate()
        return config


def _check_resolution(name: str, value: int) -> None:
    if value not in _RESOLUTIONS:
        raise InvalidArgumentError(f"{name} must be one of {', '.join(map(str, _RESOLUTIONS))}, got {value}")


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class Topology:
    """Sizes of the mesh buffers. Only topology and texture coordinates: the network never sees a template's shape."""

    faces: int = 9976
    uvs: int = 5118
    dense_faces: int = 122990  #: stored by published files, used by nothing


@dataclass(frozen=True)
class Next3DConfig(EG3DConfig):
    plane_axes: Axes = NEXT3D_AXES
    texture_resolution: int = 256
    texture_channels: int = 32
    mouth: StyleUNetConfig = StyleUNetConfig(256, 64, 4)
    blending: StyleUNetConfig = StyleUNetConfig(256, 256, 32)
    #: planes that take the rasterized texture: "front" as the released weights, "all" as the published source
    blend_planes: str = "front"
    orth_scale: float = 5.0
    orth_shift: tuple[float, float, float] = (0.0, -0.01, -0.01)
    topology: Topology | None = field(default_factory=Topology)  #: None: the mesh lives elsewhere

    def validate(self) -> None:
        super().validate()
        for name, resolution in (
            ("texture_resolution", self.texture_resolution),
            ("the mouth's resolution", self.mouth.resolution),
        ):
            _check_resolution(name, resolution)
        if self.blend_planes not in ("front", "all"):
            raise InvalidArgumentError(f"blend_planes must be front or all, got {self.blend_planes!r}")
        if self.blend_planes == "all" and self.texture_channels != self.plane_channels:
            raise InvalidArgumentError(
                "blend_planes=all puts the texture into planes, which needs as many channels in both, got "
                f"{self.texture_channels} and {self.plane_channels}"
            )
        if (self.blending.resolution, self.blending.in_size) != (self.plane_resolution, self.plane_resolution):
            raise InvalidArgumentError(
                f"blending must work at the planes' {self.plane_resolution}, got {self.blending.in_size} to {self.blending.resolution}"
            )
        if self.mouth.resolution > self.plane_resolution:
            raise InvalidArgumentError(
                f"the mouth's styles are the planes': at most {self.plane_resolution}, got {self.mouth.resolution}"
            )

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Next3DConfig:
        values = dict(raw)
        if isinstance(values.get("topology"), dict):
            values["topology"] = Topology(**values["topology"])
        made = super().from_json(values)
        assert isinstance(made, Next3DConfig)
        return made
