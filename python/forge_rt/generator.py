"""Next3D and EG3D: generators of heads, from a bundle.

>>> generator = forge_rt.Generator("next3d-ffhq-512.forge")
>>> identity = generator.identity(z)                              # [N, 512]: who
>>> head = generator.expression(identity, vertices, landmarks)    # [N, 5023, 3], [N, 68, 3]: pose and expression
>>> view = generator.view(head, cameras)                          # [N, 25]: from where
>>> view.rgb8(), view.depth_m                                     # [N, 512, 512, 3] uint8; [N, 1, 64, 64] metres

Each level is made once and shared by any number of the next: many expressions of an identity, many views of a head. Arrays are
`forge_rt.Tensor`: DLPack, `np.asarray`, no copy; those of a level are read-only. Published numerics: spec/next3d.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forge_rt import _core, bundles
from forge_rt._core import GeneratorHead, GeneratorIdentity, InvalidArgumentError, Tensor
from forge_rt.backend import locate_runtime

__all__ = ["Generator", "GeneratorHead", "GeneratorIdentity", "GeneratorInfo", "GeneratorView"]


@dataclass(frozen=True, eq=False)  # arrays have no one answer to ==
class GeneratorInfo:
    """What a bundle says of its model."""

    family: str  #: "next3d" or "eg3d"
    conditioning: (
        str  #: the mapping network is given: "frontal", a fixed camera, or "view", the camera that is rendered
    )
    head_family: str  #: of the mesh: "flame", "forgehead"; "" for EG3D
    head_sha256: str  #: of the mesh's topology; "" where the bundle does not say
    z_dim: int
    w_dim: int
    num_ws: int  #: style vectors; the first num_static_ws are those of the static planes
    num_static_ws: int
    vertices: int  #: of the mesh, landmarks left out; 0 for EG3D
    image_size: int  #: pixels of a side of the final image
    resolution: int  #: of the rendered features, unless told otherwise
    coarse: int  #: samples of a ray, unless told otherwise
    fine: int
    plane_resolution: int
    plane_channels: int
    features: int  #: channels of the rendered features
    psi: float  #: truncation, unless told otherwise
    cutoff: int  #: style vectors that are truncated, unless told otherwise
    surface_level: float  #: raw density of what counts as the surface (`forge_rt.shape`); 10 is published
    blend_planes: str  #: planes that take the mesh's texture: "front" or "all"
    world_scale: float  #: generator units = world_scale · metres + world_shift
    world_shift: tuple[float, float, float]
    #: [3, 4], head frame in metres → the head that the generator draws, generator units; None: world_scale and world_shift are all
    alignment: np.ndarray | None
    bounds: (
        np.ndarray | None
    )  #: [2, 3], corners of the box of generator units in which a head is drawn; None: all of it
    frontal: np.ndarray  #: [25] float32, camera that a "frontal" model is conditioned on
    config: dict[str, Any] = field(repr=False)  #: the model's own configuration, as exported


@dataclass(frozen=True, eq=False)  # likewise
class GeneratorView:
    """M pictures. Rows and columns start at the top left."""

    image: Tensor | None  #: [M, 3, R, R] float32, nominally -1..1, not clamped; None with depth_only
    image_raw: Tensor | None  #: [M, 3, r, r] float32, before super-resolution
    features: Tensor | None  #: [M, F, r, r] float32 when asked for; the first three are image_raw
    depth: Tensor  #: [M, 1, d, d] float32: distance along the ray, generator units; noise where weight is below 1e-3
    depth_m: Tensor  #: [M, 1, d, d] float32: camera z in metres
    weight: Tensor  #: [M, 1, d, d] float32: opacity

    def __len__(self) -> int:
        return self.depth.shape[0]

    def rgb8(self) -> Tensor:
        """[M, R, R, 3] uint8: clamp(127.5 x + 128, 0, 255), truncated as published (spec §11)."""
        if self.image is None:
            raise InvalidArgumentError("a view with depth_only has no image")
        return _core.to_rgb8(self.image)


class Generator:
    """A bundle of family "next3d" or "eg3d", loaded. Immutable; may be called from many threads at once; releases the GIL.

    A sample's bytes do not depend on its batch, nor on whether its identity or head was made again or kept.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str],
        device: str = "cpu",
        *,
        precision: str = "auto",
        provider: str = "auto",
        threads: int | None = None,
    ) -> None:
        """
        bundle      a path, or the name of an installed bundle
        device      "cpu", "cuda", "cuda:1"; provider as in forge_rt.Session
        precision   a variant of the bundle, "fp32" or "fp16"; "auto": fp16 on CUDA where there is one, else fp32
        threads     of one network run; None: as many as the engine (`num_threads()`)

        Raises NotFoundError, CorruptFileError (a stage, array or field that is missing or does not fit), UnsupportedError (another
        family or variant, no ONNX Runtime) or DeviceUnavailableError.
        """
        locate_runtime()
        path = bundles.find(bundle)
        self.name = bundles.name_of(path)
        self._generator = _core.Generator.load(
            path, device=device, provider=provider, precision=precision, threads=threads or 0
        )
        said = dict(self._generator.info)
        said["world_shift"] = tuple(said["world_shift"])
        said["frontal"] = np.array(said["frontal"], np.float32)
        for name, rows in (("alignment", 3), ("bounds", 2)):
            if said[name] is not None:
                said[name] = np.array(said[name], np.float64).reshape(rows, -1)
        config = _core.Bundle.open(path).manifest["generator"]["config"]
        self._info = GeneratorInfo(**said, config=config)

    def identity(
        self, z: Any, conditioning: Any = None, *, psi: float | None = None, cutoff: int | None = None
    ) -> GeneratorIdentity:
        """Who: styles, neural texture and static planes (spec §3, §4).

        z             [N, z_dim] numbers, N(0, 1); float64 is rounded to float32
        conditioning  [N, 25] or one [25] camera label for the mapping network; None: the bundle's frontal camera. A bundle with
                      `info.conditioning` "view" needs one: the cameras that will be rendered.
        psi, cutoff   truncation towards the mean style, -100..100, and how many style vectors it touches; None: the bundle's. psi=1: none.

        Raises InvalidArgumentError for other shapes and values that are not finite, naming the sample.
        """
        if conditioning is not None and np.ndim(conditioning) == 1:
            conditioning = np.asarray(conditioning, np.float32)[None]
        return self._generator.identity(_single(z), _single(conditioning), psi, cutoff)

    def expression(
        self,
        identity: GeneratorIdentity,
        vertices: Any = None,
        landmarks: Any = None,
        *,
        rows: Any = None,
        mouth_box: str = "inside",
        planes: str = "float32",
        keep_stages: bool = False,
    ) -> GeneratorHead:
        """A head's pose and expression: tri-planes that hold what the mesh says (spec §6, §7).

        vertices    [N, V, 3] of the bundle's mesh (`info.vertices`), head frame, metres; None for EG3D
        landmarks   [N, 68, 3] of the same mesh; None for EG3D
        rows        [N] which identity each head is; None: head n is identity n, or all are the only one
        mouth_box   "inside": a mouth that leaves the view is an error; "clamp": its box is cut to the view
        planes      "float32", or "float16": half the memory
        keep_stages fills `stages`, for comparisons: front, mouth_in, mouth_out, stitched, blended

        Raises InvalidArgumentError, naming the sample, for a mesh of another topology, values that are not finite, and mouths
        that leave the view or cover none of its pixels.
        """
        return self._generator.expression(
            identity,
            _single(vertices),
            _single(landmarks),
            rows=rows,
            mouth_box=mouth_box,
            planes=planes,
            keep_stages=keep_stages,
        )

    def view(
        self,
        head: GeneratorHead,
        cameras: Any,
        *,
        rows: Any = None,
        resolution: int = 0,
        coarse: int = 0,
        fine: int | None = None,
        randomness: str = "midpoints",
        u_coarse: Any = None,
        u_fine: Any = None,
        seed: int = 0,
        index: Any = None,
        depth_resolution: int = 0,
        depth_only: bool = False,
        skip_weight: float = 0.0,
        features: bool = False,
    ) -> GeneratorView:
        """Pictures of heads (spec §8-11).

        cameras           [M, 25] labels in generator units: cam2world [4, 4], then intrinsics [3, 3] in image sizes (`Camera.label25`)
        rows              [M] which head each view shows; None: view m shows head m, or all show the only one
        resolution        of the rendered features; 0: the bundle's. coarse, fine: samples of a ray; 0 and None: the bundle's
        randomness        "midpoints": none; "given": u_coarse [M, R, coarse] and u_fine [M, R, fine] in 0..1, R = resolution²
                          (the published shapes [M, R, coarse, 1] and [M R, fine] as well); "seeded": `seed`, 0 to 2^64 - 1, with
                          index [M], the sample number of each view, below 2^48
        depth_resolution  depth from a rendering of its own, with other random numbers, as SynthForge's at twice the features'; 0: the
                          features' own
        depth_only        no colours: image, image_raw and features are None
        skip_weight       samples that would weigh less are left out; 0: none is (forge_rt.volume_render)
        features          keeps the rendered features

        Raises InvalidArgumentError; UnsupportedError where the bundle's super-resolution does not take features of that resolution.
        """
        if index is not None and not _on_gpu(index):
            index = np.asarray(index)  # of any integers, a range too; the engine refuses what is no sample number
        cameras = _single(cameras)
        u_coarse, u_fine = (_draws(_single(u), cameras) for u in (u_coarse, u_fine))
        made = self._generator.view(
            head, cameras, rows=rows, resolution=resolution, coarse=coarse, fine=-1 if fine is None else fine,
            randomness=randomness, u_coarse=u_coarse, u_fine=u_fine, seed=seed, index=index, depth_resolution=depth_resolution,
            depth_only=depth_only, skip_weight=skip_weight, features=features,
        )  # fmt: skip
        return GeneratorView(made.image, made.image_raw, made.features, made.depth, made.depth_m, made.weight)

    def density(self, head: GeneratorHead, points: Any, *, rows: Any = None, colour: bool = False) -> Any:
        """The field that views are pictures of, at points (spec §8, §19). `forge_rt.shape` makes meshes of it.

        points    [M, P, 3], generator units (metres · info.world_scale + info.world_shift); float64 is rounded to float32
        rows      [M] which head each set of points lies in; None: set m lies in head m, or all in the only one
        colour    also what the decoder says of colours

        Returns the density [M, P] float32, raw: views see softplus(density - 1) per unit of length; with colour also [M, P, info.features]
        float32 in (-0.001, 1.001), of which the first three are red, green, blue. Outside of the model's box (`info.config`: box_warp of
        rendering, centred on the origin) planes are zero, and the decoder answers for zeros.

        Raises InvalidArgumentError for other shapes and points that are not finite, naming the set.
        """
        return self._generator.density(head, _single(points), rows=rows, colour=colour)

    @property
    def info(self) -> GeneratorInfo:
        return self._info

    @property
    def hash(self) -> str:
        """SHA-256 that names this bundle in records."""
        return self._generator.hash

    @property
    def precision(self) -> str:
        """The variant in use."""
        return self._generator.precision

    @property
    def device(self) -> str:
        """Where levels and images are: "cpu" or "cuda:N"."""
        return self._generator.device

    @property
    def provider(self) -> str:
        """The provider really in use: "cpu" or "cuda"."""
        return self._generator.provider

    @property
    def provider_reason(self) -> str:
        """One sentence: what was asked for, what is there, what was taken or why not."""
        return self._generator.provider_reason

    def __repr__(self) -> str:
        info = self.info
        return f"<forge_rt.Generator {self.name} ({info.family}, {info.image_size}²) {self.hash[:12]} {self.precision} on {self.provider}>"


def _single(values: Any) -> Any:
    """Tensors of doubles, as published code draws them, as float32; arrays of any type are converted further on."""
    if not str(getattr(values, "dtype", "")).endswith("float64") or isinstance(values, np.ndarray):
        return values
    if hasattr(values, "float"):  # PyTorch
        return values.float()
    return values.astype(np.float32) if hasattr(values, "astype") else np.asarray(values, np.float32)  # CuPy, JAX


def _on_gpu(values: Any) -> bool:
    cpu = 1  # of DLPack
    return hasattr(values, "__dlpack_device__") and values.__dlpack_device__()[0] != cpu


def _draws(values: Any, cameras: Any) -> Any:
    """[M, R, K] of numbers, for M cameras, that may come in the published shapes [M, R, K, 1] or [M · R, K]."""
    if values is None:
        return None
    shape_of_cameras = tuple(getattr(cameras, "shape", ())) or np.shape(cameras)
    count = shape_of_cameras[0] if shape_of_cameras else 0
    if not hasattr(values, "reshape"):
        values = np.asarray(values, np.float32)
    shape = tuple(values.shape)
    if len(shape) == 4 and shape[3] == 1:
        return values.reshape(shape[:3])
    if len(shape) == 2 and count > 0 and shape[0] % count == 0:
        return values.reshape(count, shape[0] // count, shape[1])
    return values
