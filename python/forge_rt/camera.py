"""Cameras: pinhole views of the head frame, published samplers, and declarative random cameras.

    import forge_rt.camera as camera

    view = camera.orbit(yaw_deg=20, pitch_deg=10)              # one camera
    sampler = camera.CameraSampler("wild")                     # a distribution of cameras
    view = sampler.sample(seed=7, index=81442, size=512)       # always the same camera
    pixels, depth_m = camera.project(points, view)

Head frame: metres, y up, z out of a frontal face, x towards the subject's left. Camera axes: x right, y down, z
forward. Pixels: the centre of the top-left pixel is (0.5, 0.5). `fov_deg` is always the true horizontal field of view;
published values convert explicitly. Conventions: docs/conventions/frames.md, config language: docs/guides/cameras.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forge_rt import _core
from forge_rt._core import Camera

__all__ = [
    "SYNTHFORGE_WORLD",
    "Camera",
    "CameraSampler",
    "fov_from_focal",
    "fov_from_published",
    "intrinsics_from_published_fov",
    "labels25",
    "look_at",
    "orbit",
    "presets",
    "project",
    "published_fov",
    "random",
    "sample_gaussian",
    "sample_uniform",
    "to_clip",
    "unproject",
]

Array = NDArray[np.float64]
Size = int | tuple[int, int]

_ZERO = (0.0, 0.0, 0.0)

#: scale and shift of the world that SynthForge puts FLAME heads in: `view.label25(**SYNTHFORGE_WORLD)`.
SYNTHFORGE_WORLD: dict[str, Any] = _core._SYNTHFORGE_WORLD


def orbit(
    *,
    yaw_deg: float = 0.0,
    pitch_deg: float = 0.0,
    roll_deg: float = 0.0,
    fov_deg: float = _core._FRONTAL_FOV_DEG,
    radius_m: float = 1.08,
    lookat_m: ArrayLike = _ZERO,
    origin_m: ArrayLike = _ZERO,
    center_offset: ArrayLike = (0.0, 0.0),
    size: Size = 512,
) -> Camera:
    """A camera on a sphere around the head.

    It stands `radius_m` from `origin_m` (head frame) in the direction (sin yaw cos pitch, sin pitch, cos yaw cos pitch)
    and its optical axis goes through `origin_m + lookat_m`. yaw_deg > 0 sees the subject's left side, pitch_deg > 0
    looks down, roll_deg > 0 turns the camera clockwise. `center_offset` moves the content right and down, in fractions
    of (width, height). `size` is (height, width) or one number. The default is the frontal view of FFHQ generators.
    """
    return _core._orbit(yaw_deg, pitch_deg, roll_deg, fov_deg, radius_m, lookat_m, origin_m, center_offset, size)


# ---- published samplers: generator units ----------------------------------------------------------------------------


def look_at(h: ArrayLike, v: ArrayLike, lookat: ArrayLike = _ZERO, radius: ArrayLike = 2.7) -> Array:
    """The published look-at sampler without noise: [..., 4, 4] cam2world, OpenCV axes, generator units.

    `h` radians: pi/2 is frontal, larger stands towards +x. `v` is the uniform-area parameter: the polar angle from +y
    is arccos(1 - 2 v / pi). The radius is about the world's origin; `lookat` [..., 3] is the point looked at.
    Broadcasts.
    """
    lookat = np.asarray(lookat, np.float64)
    shape = np.broadcast_shapes(np.shape(h), np.shape(v), np.shape(radius), lookat.shape[:-1])
    flat = [np.broadcast_to(np.asarray(a, np.float64), shape).ravel() for a in (h, v, radius)]
    points = np.broadcast_to(lookat, (*shape, 3)).reshape(-1, 3)
    out = [_core._look_at_h_v(a, b, p, r) for a, b, r, p in zip(*flat, points, strict=True)]
    return np.array(out, np.float64).reshape(*shape, 4, 4)


def sample_gaussian(
    rng: _core.Random,
    *,
    h_mean: float = math.pi / 2,
    v_mean: float = math.pi / 2,
    h_std: float = 0.0,
    v_std: float = 0.0,
    radius: float = 2.7,
    lookat: ArrayLike = _ZERO,
) -> Array:
    """The published Gaussian sampler: one [4, 4] cam2world in generator units. Draws h, then v, from `rng`."""
    return _core._sample_published(True, [h_mean, v_mean, h_std, v_std], radius, lookat, rng)


def sample_uniform(
    rng: _core.Random,
    *,
    h_mean: float = math.pi / 2,
    v_mean: float = math.pi / 2,
    h_std: float = 0.0,
    v_std: float = 0.0,
    radius: float = 2.7,
    lookat: ArrayLike = _ZERO,
) -> Array:
    """The published uniform sampler: h in h_mean ± h_std, v alike. Draws h, then v, from `rng`."""
    return _core._sample_published(False, [h_mean, v_mean, h_std, v_std], radius, lookat, rng)


# ---- fields of view -------------------------------------------------------------------------------------------------


def intrinsics_from_published_fov(fov_deg: ArrayLike) -> Array:
    """[..., 3, 3] intrinsics divided by the image size, from published fov values.

    f = 1 / (tan(fov · 3.14159 / 360) · 1.414), both literals included.
    """
    fov = np.asarray(fov_deg, np.float64)
    out = np.zeros((*fov.shape, 3, 3))
    focal = [_core._focal_from_published_fov(value) for value in fov.ravel()]
    out[..., 0, 0] = out[..., 1, 1] = np.reshape(focal, fov.shape)
    out[..., 0, 2] = out[..., 1, 2] = 0.5
    out[..., 2, 2] = 1.0
    return out


def fov_from_published(published_fov_deg: float, mode: str = "exact") -> float:
    """True horizontal field of view (degrees) for a published value.

    'exact': of the image. 'compat': of SynthForge's label meshes, published / 1.414, up to 0.7 % larger in the image.
    """
    return _core._fov_from_published(published_fov_deg, mode)


def published_fov(fov_deg: float) -> float:
    """The published value for a true horizontal field of view (degrees): the inverse of fov_from_published."""
    return _core._published_fov_from_focal(_core._focal_from_fov(fov_deg))


def fov_from_focal(focal: float) -> float:
    """True horizontal field of view (degrees) for a focal length in image widths."""
    return _core._fov_from_focal(focal)


# ---- many cameras ---------------------------------------------------------------------------------------------------


def _as_list(cameras: Camera | Sequence[Camera]) -> list[Camera]:
    return [cameras] if isinstance(cameras, Camera) else list(cameras)


def labels25(cameras: Camera | Sequence[Camera], scale: float = 2.5, shift: ArrayLike = _ZERO) -> Array:
    """[N, 25] labels in generator units (world = scale · head + shift). `Camera.from_label25` goes back."""
    return np.array([camera.label25(scale, shift) for camera in _as_list(cameras)], np.float64).reshape(-1, 25)


def _floats(array: ArrayLike) -> NDArray[Any]:
    array = np.asarray(array)
    return np.ascontiguousarray(array, np.float32 if array.dtype == np.float32 else np.float64)


def project(points: ArrayLike, cameras: Camera | Sequence[Camera]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Head-frame points (metres) to pixels (x right, y down) and depth (camera z, metres).

    One camera: points [..., 3] give [..., 2] and [...]. A list of B cameras: [B, V, 3] (or [V, 3], seen by all) give
    [B, V, 2] and [B, V]. float32 stays float32, all else is float64. Pixels of points at or behind the camera are NaN.
    """
    points = _floats(points)
    if isinstance(cameras, Camera):
        pixels, depth = _core._project(points.reshape(1, -1, 3), [cameras])
        return pixels.numpy().reshape(*points.shape[:-1], 2), depth.numpy().reshape(points.shape[:-1])
    pixels, depth = _core._project(points if points.ndim == 3 else points[None], list(cameras))
    return pixels.numpy(), depth.numpy()


def unproject(pixels: ArrayLike, depth_m: ArrayLike, cameras: Camera | Sequence[Camera]) -> NDArray[Any]:
    """The inverse of project: pixels [..., 2] and camera z [...] to head-frame points [..., 3]."""
    pixels = _floats(pixels)
    depth = np.array(np.broadcast_to(depth_m, pixels.shape[:-1]), pixels.dtype, order="C")
    if isinstance(cameras, Camera):
        points = _core._unproject(pixels.reshape(1, -1, 2), depth.reshape(1, -1), [cameras])
        return points.numpy().reshape(*pixels.shape[:-1], 3)
    batched = pixels.ndim == 3
    return _core._unproject(
        pixels if batched else pixels[None], depth if batched else depth[None], list(cameras)
    ).numpy()


def to_clip(points: ArrayLike, cameras: Camera | Sequence[Camera], near_m: float = 0.01) -> NDArray[np.float32]:
    """Clip-space positions [B, V, 4] float32 for forge_rt.rasterize.

    `points` [B, V, 3] or [V, 3] in metres, head frame. One mesh with B cameras gives B entries; one camera serves a
    whole batch of meshes.
    """
    points = _floats(points)
    return _core._to_clip(points if points.ndim == 3 else points[None], _as_list(cameras), near_m).numpy()


# ---- declarative sampling -------------------------------------------------------------------------------------------


def presets() -> list[str]:
    """Names of the built-in configs."""
    return _core._camera_presets()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return value.tolist()
    raise _core.InvalidArgumentError(
        f"camera config must hold numbers, strings, lists and mappings, got {type(value).__name__} {value!r}"
    )


def _load(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _core.NotFoundError(f"camera config {path} does not exist") from None
    if path.suffix == ".json":
        return json.loads(text)
    import yaml  # only YAML users pay for it

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _core.InvalidArgumentError(f"{path} is not valid YAML: {error}") from None


class CameraSampler:
    """Random cameras described by data: `sample(seed, index)` is a pure function.

    `config` is a preset's name, a mapping in the config language, or the path of a .json, .yaml or .yml file that holds
    either. Keyword arguments override its keys: `CameraSampler("wild", fov_deg={"uniform": [20, 40]})`.
    """

    def __init__(self, config: str | Path | Mapping[str, Any] = "frontal", /, **overrides: Any) -> None:
        source = ""
        if isinstance(config, Path) or (isinstance(config, str) and config.endswith((".json", ".yaml", ".yml"))):
            source = f"{config}: "
            try:
                config = _load(Path(config))
            except json.JSONDecodeError as error:
                raise _core.InvalidArgumentError(f"{config} is not valid JSON: {error}") from None
        if overrides:
            config = _override({"preset": config} if isinstance(config, str) else config, overrides)
        if isinstance(config, Mapping):
            config = dict(config)
        try:
            self._sampler = _core._CameraSampler(json.dumps(config, default=_plain))
        except _core.InvalidArgumentError as error:
            raise _core.InvalidArgumentError(f"{source}{error}") from None

    @property
    def config(self) -> dict[str, Any]:
        """The complete config, presets resolved. `CameraSampler(sampler.config)` is the same sampler."""
        return json.loads(self._sampler.to_json())

    def sample(self, seed: int, index: int, size: Size = 512, *, attempt: int = 0) -> Camera:
        """Camera `index` of run `seed`. `attempt` redraws it inside the same grid point and stratum."""
        return self._sampler.sample(seed, index, size, attempt)

    def sample_many(self, seed: int, indices: Iterable[int], size: Size = 512) -> list[Camera]:
        """`[sample(seed, i, size) for i in indices]`."""
        return [self._sampler.sample(seed, index, size) for index in indices]

    def __eq__(self, other: object) -> bool:
        return self.config == other.config if isinstance(other, CameraSampler) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return CameraSampler, (self.config,)

    def __repr__(self) -> str:
        return f"CameraSampler({self._sampler.to_json()})"


_FOV_KEYS = ("fov_deg", "fov_published_deg", "focal")


def _override(config: Any, overrides: Mapping[str, Any]) -> Any:
    if not isinstance(config, Mapping):
        raise _core.InvalidArgumentError(
            f"camera config must be a mapping to override its keys, got {type(config).__name__}"
        )
    merged = dict(config)
    if any(key in overrides for key in _FOV_KEYS):  # the keys exclude one another
        merged = {key: value for key, value in merged.items() if key not in _FOV_KEYS}
    return merged | dict(overrides)


def random(*, yaw_deg: Any = 45.0, pitch_deg: Any = 25.0, **fields: Any) -> CameraSampler:
    """Uniform random views around the frontal one.

    A number r for yaw_deg, pitch_deg or roll_deg means uniform in [-r, r]; 0 keeps it frontal. Distributions and all
    other keys are those of the config language: `random(yaw_deg=45, fov_deg={"uniform": [13, 20]})`.
    """
    fields = {"yaw_deg": yaw_deg, "pitch_deg": pitch_deg, **fields}
    for key in ("yaw_deg", "pitch_deg", "roll_deg"):
        value = fields.get(key, 0)
        if isinstance(value, (int, float, np.number)) and value:
            fields[key] = {"uniform": [-abs(float(value)), abs(float(value))]}
    return CameraSampler("frontal", **fields)
