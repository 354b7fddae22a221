# mypy: disable-error-code="assignment, override"
"""
Compiled part of forge_rt. Use the names of the package `forge_rt` instead.
"""
from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import os
import typing
import typing_extensions
__all__: list[str] = ['Binding', 'Bundle', 'Camera', 'CancelledError', 'CorruptFileError', 'DeviceUnavailableError', 'FaceAnalyzer', 'FaceAppearance', 'FaceCapture', 'FaceImages', 'FaceLight', 'FaceParameters', 'FaceTracker', 'ForgeError', 'ForgeHead', 'Generator', 'GeneratorHead', 'GeneratorIdentity', 'GraphPort', 'HairShape', 'Head', 'HeadBasis', 'HeadMesh', 'HeadPosed', 'InputOutputError', 'InternalError', 'InvalidArgumentError', 'LabelHabit', 'LabelInfo', 'NeuralMesh', 'NotFoundError', 'OccluderPose', 'OutOfMemoryError', 'Random', 'RasterOutput', 'Session', 'SliderInfo', 'TarWriter', 'Tensor', 'Topology', 'TriPlaneDecoder', 'UnsupportedError', 'VolumeRenderOutput', 'assemble_planes', 'best_isa', 'bias_act', 'check_device', 'contour_rows', 'crop_resize', 'cuda_status', 'downsample2d', 'encode_png', 'engine_cache_key', 'fill_enclosed', 'from_dlpack', 'head_lbs', 'interpolate', 'isa', 'isa_reason', 'label_coverage', 'label_majority', 'memory_report', 'mouth_box', 'neural_texture', 'neural_view', 'num_threads', 'op_paths', 'orthographic_positions', 'orthographic_view', 'planes_from_nchw', 'point_visibility', 'points_on_mesh', 'project_labels', 'random_uniform', 'rasterize', 'read_safetensors', 'resize_antialias', 'resize_paste', 'sample_density', 'sample_texture', 'set_isa', 'set_num_threads', 'sha256', 'to_rgb8', 'upfirdn2d', 'upsample2d', 'vertex_normals', 'volume_render']
class ForgeError(Exception):
    code: typing.ClassVar[str]
class CancelledError(ForgeError, RuntimeError):
    code: typing.ClassVar[str]
class CorruptFileError(ForgeError, ValueError):
    code: typing.ClassVar[str]
class DeviceUnavailableError(ForgeError, RuntimeError):
    code: typing.ClassVar[str]
class InputOutputError(ForgeError, OSError):
    code: typing.ClassVar[str]
class InternalError(ForgeError, RuntimeError):
    code: typing.ClassVar[str]
class InvalidArgumentError(ForgeError, ValueError):
    code: typing.ClassVar[str]
class NotFoundError(ForgeError, FileNotFoundError):
    code: typing.ClassVar[str]
class OutOfMemoryError(ForgeError, MemoryError):
    code: typing.ClassVar[str]
class UnsupportedError(ForgeError, NotImplementedError):
    code: typing.ClassVar[str]
class Tensor:
    """
    A typed, shaped view of CPU or CUDA memory. Speaks DLPack both ways: `np.from_dlpack(t)`, `torch.from_dlpack(t)`.
    """
    def __array__(self, dtype: typing.Any = None, copy: typing.Any = None) -> typing.Any:
        ...
    def __dlpack__(self, *, stream: typing.Any = None, max_version: typing.Any = None, dl_device: typing.Any = None, copy: typing.Any = None) -> typing_extensions.CapsuleType:
        ...
    def __dlpack_device__(self) -> tuple[int, int]:
        ...
    def __len__(self) -> int:
        ...
    def __repr__(self) -> str:
        ...
    def clone(self) -> Tensor:
        ...
    def numpy(self) -> typing.Any:
        """
        As a NumPy array: a view on the CPU, a copy from a GPU.
        """
    def reshape(self, shape: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]) -> Tensor:
        ...
    def to(self, device: str) -> Tensor:
        """
        A copy on `device`.
        """
    @property
    def device(self) -> str:
        ...
    @property
    def dtype(self) -> str:
        """
        NumPy's name of the element type.
        """
    @property
    def nbytes(self) -> int:
        ...
    @property
    def read_only(self) -> bool:
        ...
    @property
    def shape(self) -> tuple:
        ...
    @property
    def strides(self) -> tuple:
        """
        In elements.
        """
class Random:
    """
    Counter-based random numbers (Philox4x32-10): draws are a pure function of (seed, index, purpose, attempt).
    """
    def __init__(self, seed: typing.SupportsInt | typing.SupportsIndex, index: typing.SupportsInt | typing.SupportsIndex, purpose: str, attempt: typing.SupportsInt | typing.SupportsIndex = 0) -> None:
        ...
    def below(self, n: typing.SupportsInt | typing.SupportsIndex) -> int:
        """
        Unbiased integer in [0, n).
        """
    def next_u32(self) -> int:
        ...
    def normal(self) -> float:
        """
        N(0, 1), in double.
        """
    def uniform(self, low: typing.SupportsFloat | typing.SupportsIndex = 0.0, high: typing.SupportsFloat | typing.SupportsIndex = 1.0) -> float:
        """
        [low, high), 53 bits.
        """
    def uniform_f32(self) -> float:
        """
        [0, 1), 24 bits.
        """
class GraphPort:
    """
    An input or output of a graph.
    """
    def __repr__(self) -> str:
        ...
    @property
    def dtype(self) -> str:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def shape(self) -> tuple:
        """
        -1 is an axis that each run chooses.
        """
class Session:
    """
    A loaded graph; see forge_rt.Session.
    """
    def __init__(self, model: typing.Any, device: str, provider: str, threads: typing.SupportsInt | typing.SupportsIndex, name: str) -> None:
        ...
    def run(self, inputs: dict, outputs: collections.abc.Sequence[str]) -> dict:
        ...
    @property
    def inputs(self) -> list[GraphPort]:
        ...
    @property
    def model_sha256(self) -> str:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def outputs(self) -> list[GraphPort]:
        ...
    @property
    def provider(self) -> str:
        ...
    @property
    def provider_reason(self) -> str:
        ...
class Binding:
    """
    Inputs and outputs fixed ahead; made by forge_rt.Session.binding().
    """
    def __init__(self, session: Session) -> None:
        ...
    def bind_input(self, name: str, array: typing.Any) -> None:
        """
        Read at each run: write new values into the array, or bind another.
        """
    def bind_output(self, name: str, array: typing.Any) -> None:
        """
        Written by each run.
        """
    def bind_output_device(self, name: str, device: str = 'cpu') -> None:
        """
        Each run makes a new tensor there.
        """
    def output(self, name: str) -> Tensor:
        """
        What was bound, or what the last run made.
        """
    def run(self) -> None:
        ...
class Bundle:
    """
    An opened model: a folder name.forge or an uncompressed zip archive of one; every hash was checked.
    """
    @staticmethod
    def open(path: os.PathLike | str | bytes) -> Bundle:
        """
        Raises NotFoundError, CorruptFileError or UnsupportedError.
        """
    def tensors(self, file: str) -> dict[str, Tensor]:
        """
        {name: Tensor} of a safetensors file.
        """
    @property
    def family(self) -> str:
        ...
    @property
    def files(self) -> dict[str, Tensor]:
        """
        {name: bytes as a uint8 Tensor} of every file that bundle.json names.
        """
    @property
    def hash(self) -> str:
        """
        SHA-256 of bundle.json, which names the hashes of all files.
        """
    @property
    def manifest(self) -> typing.Any:
        """
        bundle.json
        """
    @property
    def manifest_text(self) -> str:
        ...
    @property
    def path(self) -> str:
        ...
class Camera:
    """
    A pinhole camera in the head frame (metres), OpenCV axes, pixels with the top-left pixel's centre at (0.5, 0.5). Immutable.
    yaw_deg > 0: it stands towards +x, the subject's left; pitch_deg > 0: above; roll_deg > 0: turned clockwise.
    """
    __hash__: typing.ClassVar[None] = None
    @staticmethod
    def from_dict(values: dict) -> Camera:
        ...
    @staticmethod
    def from_label25(label: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], size: typing.Any = 512, scale: typing.SupportsFloat | typing.SupportsIndex = 2.5, shift: typing.Annotated[numpy.typing.ArrayLike, numpy.float64] = [0.0, 0.0, 0.0]) -> Camera:
        """
        The camera of a 25-number label. Yaw, pitch and radius are derived about the generator world's origin.
        """
    def __eq__(self, arg0: Camera) -> bool:
        ...
    def __getstate__(self) -> dict:
        ...
    def __init__(self, size: typing.Any, fx: typing.SupportsFloat | typing.SupportsIndex, fy: typing.SupportsFloat | typing.SupportsIndex, cx: typing.SupportsFloat | typing.SupportsIndex, cy: typing.SupportsFloat | typing.SupportsIndex, world_to_camera: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], origin_m: typing.Annotated[numpy.typing.ArrayLike, numpy.float64] = [0.0, 0.0, 0.0]) -> None:
        """
        From intrinsics in pixels and a [3, 4] or [4, 4] world-to-camera matrix in metres; yaw, pitch and radius are derived about `origin_m`.
        """
    def __repr__(self) -> str:
        ...
    def __setstate__(self, arg0: dict) -> None:
        ...
    def clip_matrix(self, near_m: typing.SupportsFloat | typing.SupportsIndex = 0.01) -> numpy.typing.NDArray[numpy.float64]:
        """
        [4, 4] float64 from the head frame to the clip space of rasterize().
        """
    def label25(self, scale: typing.SupportsFloat | typing.SupportsIndex = 2.5, shift: typing.Annotated[numpy.typing.ArrayLike, numpy.float64] = [0.0, 0.0, 0.0]) -> numpy.typing.NDArray[numpy.float64]:
        """
        [25] float64: row-major cam2world in generator units (world = scale * head + shift), then intrinsics divided by the image size.
        """
    def to_dict(self) -> dict:
        """
        Plain numbers and lists, as data-set records carry them.
        """
    def with_fov(self, fov_deg: typing.SupportsFloat | typing.SupportsIndex) -> Camera:
        """
        The same pose with another true horizontal field of view.
        """
    def with_fov_mode(self, mode: str) -> Camera:
        """
        'exact': this camera. 'compat': the camera SynthForge drew label meshes with (true fov = published / 1.414).
        """
    @property
    def camera_to_world(self) -> numpy.typing.NDArray[numpy.float64]:
        """
        [4, 4] float64, metres
        """
    @property
    def center_offset(self) -> numpy.typing.NDArray[numpy.float64]:
        """
        principal point minus image centre, fractions of (width, height)
        """
    @property
    def cx(self) -> float:
        """
        pixels; the image centre is width / 2
        """
    @property
    def cy(self) -> float:
        """
        pixels; the image centre is height / 2
        """
    @property
    def fov_deg(self) -> float:
        """
        true horizontal field of view
        """
    @property
    def fx(self) -> float:
        """
        pixels
        """
    @property
    def fy(self) -> float:
        """
        pixels
        """
    @property
    def intrinsics(self) -> numpy.typing.NDArray[numpy.float64]:
        """
        [3, 3] float64, pixels
        """
    @property
    def lookat_m(self) -> numpy.typing.NDArray[numpy.float64]:
        """
        the point on the optical axis, relative to origin_m
        """
    @property
    def origin_m(self) -> numpy.typing.NDArray[numpy.float64]:
        """
        the point that yaw, pitch and radius are about
        """
    @property
    def pitch_deg(self) -> float:
        ...
    @property
    def position_m(self) -> numpy.typing.NDArray[numpy.float64]:
        """
        [3] float64, head frame
        """
    @property
    def radius_m(self) -> float:
        """
        distance from origin_m
        """
    @property
    def roll_deg(self) -> float:
        ...
    @property
    def size(self) -> tuple[int, int]:
        """
        (height, width) in pixels
        """
    @property
    def world_to_camera(self) -> numpy.typing.NDArray[numpy.float64]:
        """
        [3, 4] float64, metres: head frame to OpenCV camera axes
        """
    @property
    def yaw_deg(self) -> float:
        ...
class _CameraSampler:
    def __init__(self, json: str) -> None:
        ...
    def sample(self, seed: typing.SupportsInt | typing.SupportsIndex, index: typing.SupportsInt | typing.SupportsIndex, size: typing.Any = 512, attempt: typing.SupportsInt | typing.SupportsIndex = 0) -> Camera:
        ...
    def to_json(self) -> str:
        ...
class HeadPosed:
    """
    Result of head_lbs; see forge_rt/ops/head_lbs.h.
    """
    @property
    def joints(self) -> Tensor:
        """
        [B, J, 3] float32, posed joint positions
        """
    @property
    def rotations(self) -> Tensor:
        """
        [B, J, 3, 3] float32, local joint rotations
        """
    @property
    def transforms(self) -> Tensor:
        """
        [B, J, 3, 4] float32, rest pose to posed
        """
    @property
    def vertices(self) -> Tensor:
        """
        [B, V, 3] float32, metres
        """
class HeadBasis:
    """
    A head model laid out for evaluation. Immutable.
    """
    def __init__(self, v_template: typing.Any, shapedirs: typing.Any, joint_regressor: typing.Any, weights: typing.Any, parents: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], posedirs: typing.Any = None) -> None:
        ...
    def to(self, device: str) -> HeadBasis:
        ...
    @property
    def components(self) -> int:
        ...
    @property
    def device(self) -> str:
        ...
    @property
    def joints(self) -> int:
        ...
    @property
    def parents(self) -> list[int]:
        ...
    @property
    def vertices(self) -> int:
        ...
class HeadMesh:
    """
    A batch of posed heads.
    """
    @property
    def joints(self) -> Tensor:
        """
        [B, J, 3] float32
        """
    @property
    def landmarks(self) -> typing.Any:
        """
        [B, 68, 3] float32, or None without an embedding
        """
    @property
    def rotations(self) -> Tensor:
        """
        [B, J, 3, 3] float32, local joint rotations
        """
    @property
    def vertices(self) -> Tensor:
        """
        [B, V, 3] float32, metres, head frame
        """
class Head:
    """
    Compiled head model; use forge_rt.Head.
    """
    def __init__(self, *, v_template: typing.Any, triangles: typing.Any, shapedirs: typing.Any, posedirs: typing.Any, joint_regressor: typing.Any, weights: typing.Any, parents: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], n_shape: typing.SupportsInt | typing.SupportsIndex, n_expression: typing.SupportsInt | typing.SupportsIndex, static_face: typing.Any, static_barycentrics: typing.Any, dynamic_face: typing.Any, dynamic_barycentrics: typing.Any, contour_chain: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], contour_sign: typing.SupportsInt | typing.SupportsIndex, device: str) -> None:
        ...
    def evaluate(self, *, shape: typing.Any = None, expression: typing.Any = None, pose: typing.Any = None, translation: typing.Any = None) -> HeadMesh:
        ...
    @property
    def joints(self) -> int:
        ...
    @property
    def n_expression(self) -> int:
        ...
    @property
    def n_shape(self) -> int:
        ...
    @property
    def triangles(self) -> Tensor:
        ...
    @property
    def vertices(self) -> int:
        ...
class FaceAppearance:
    """
    How one head looks; colours are linear RGB reflectances in 0..1.
    """
    __hash__: typing.ClassVar[None] = None
    def __eq__(self, arg0: FaceAppearance) -> bool:
        ...
    @typing.overload
    def __init__(self) -> None:
        ...
    @typing.overload
    def __init__(self, other: FaceAppearance) -> None:
        """
        A copy.
        """
    @property
    def background(self) -> int:
        ...
    @background.setter
    def background(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def background_blur(self) -> float:
        ...
    @background_blur.setter
    def background_blur(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def background_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @background_color.setter
    def background_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def background_color_2(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @background_color_2.setter
    def background_color_2(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def blemishes(self) -> float:
        ...
    @blemishes.setter
    def blemishes(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def bloodshot(self) -> float:
        ...
    @bloodshot.setter
    def bloodshot(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def blush(self) -> float:
        ...
    @blush.setter
    def blush(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def brow_darkness(self) -> float:
        ...
    @brow_darkness.setter
    def brow_darkness(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def cloth_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @cloth_color.setter
    def cloth_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def cloth_color_2(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @cloth_color_2.setter
    def cloth_color_2(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def cloth_pattern(self) -> int:
        ...
    @cloth_pattern.setter
    def cloth_pattern(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def dark_circles(self) -> float:
        ...
    @dark_circles.setter
    def dark_circles(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def eyeliner(self) -> float:
        ...
    @eyeliner.setter
    def eyeliner(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def eyeshadow(self) -> float:
        ...
    @eyeshadow.setter
    def eyeshadow(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def eyeshadow_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @eyeshadow_color.setter
    def eyeshadow_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def freckles(self) -> float:
        ...
    @freckles.setter
    def freckles(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def glasses_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @glasses_color.setter
    def glasses_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def gloss(self) -> float:
        ...
    @gloss.setter
    def gloss(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def grey_hair(self) -> float:
        ...
    @grey_hair.setter
    def grey_hair(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def hair_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @hair_color.setter
    def hair_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def hair_gloss(self) -> float:
        ...
    @hair_gloss.setter
    def hair_gloss(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def hair_tip_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @hair_tip_color.setter
    def hair_tip_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def hat_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @hat_color.setter
    def hat_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def iris_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @iris_color.setter
    def iris_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def lens_tint(self) -> float:
        ...
    @lens_tint.setter
    def lens_tint(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def lip_gloss(self) -> float:
        ...
    @lip_gloss.setter
    def lip_gloss(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def lip_tint(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @lip_tint.setter
    def lip_tint(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def lip_tint_strength(self) -> float:
        ...
    @lip_tint_strength.setter
    def lip_tint_strength(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def melanin(self) -> float:
        ...
    @melanin.setter
    def melanin(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def moles(self) -> float:
        ...
    @moles.setter
    def moles(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def occluder_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @occluder_color.setter
    def occluder_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def pores(self) -> float:
        ...
    @pores.setter
    def pores(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def pupil(self) -> float:
        ...
    @pupil.setter
    def pupil(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def redness(self) -> float:
        ...
    @redness.setter
    def redness(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def stubble(self) -> float:
        ...
    @stubble.setter
    def stubble(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def teeth_shade(self) -> float:
        ...
    @teeth_shade.setter
    def teeth_shade(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def texture_seed(self) -> int:
        ...
    @texture_seed.setter
    def texture_seed(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def undertone(self) -> float:
        ...
    @undertone.setter
    def undertone(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def wrinkles(self) -> float:
        ...
    @wrinkles.setter
    def wrinkles(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
class HairShape:
    """
    How the chosen hair style is grown.
    """
    __hash__: typing.ClassVar[None] = None
    def __eq__(self, arg0: HairShape) -> bool:
        ...
    @typing.overload
    def __init__(self) -> None:
        ...
    @typing.overload
    def __init__(self, other: HairShape) -> None:
        """
        A copy.
        """
    @property
    def clump(self) -> float:
        ...
    @clump.setter
    def clump(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def curl(self) -> float:
        ...
    @curl.setter
    def curl(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def frizz(self) -> float:
        ...
    @frizz.setter
    def frizz(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def length(self) -> float:
        ...
    @length.setter
    def length(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def seed(self) -> int:
        ...
    @seed.setter
    def seed(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def volume(self) -> float:
        ...
    @volume.setter
    def volume(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
class FaceLight:
    """
    Key, rim and environment light; directions in the head frame, towards the light.
    """
    __hash__: typing.ClassVar[None] = None
    def __eq__(self, arg0: FaceLight) -> bool:
        ...
    @typing.overload
    def __init__(self) -> None:
        ...
    @typing.overload
    def __init__(self, other: FaceLight) -> None:
        """
        A copy.
        """
    @property
    def ambient_strength(self) -> float:
        ...
    @ambient_strength.setter
    def ambient_strength(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def environment(self) -> typing.Annotated[list[float], "FixedSize(27)"]:
        ...
    @environment.setter
    def environment(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(27)"]) -> None:
        ...
    @property
    def key_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @key_color.setter
    def key_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def key_pitch_deg(self) -> float:
        ...
    @key_pitch_deg.setter
    def key_pitch_deg(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def key_softness(self) -> float:
        ...
    @key_softness.setter
    def key_softness(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def key_strength(self) -> float:
        ...
    @key_strength.setter
    def key_strength(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def key_yaw_deg(self) -> float:
        ...
    @key_yaw_deg.setter
    def key_yaw_deg(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def rim_color(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @rim_color.setter
    def rim_color(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def rim_pitch_deg(self) -> float:
        ...
    @rim_pitch_deg.setter
    def rim_pitch_deg(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def rim_strength(self) -> float:
        ...
    @rim_strength.setter
    def rim_strength(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def rim_yaw_deg(self) -> float:
        ...
    @rim_yaw_deg.setter
    def rim_yaw_deg(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
class FaceCapture:
    """
    What camera and file format do to the picture.
    """
    __hash__: typing.ClassVar[None] = None
    def __eq__(self, arg0: FaceCapture) -> bool:
        ...
    @typing.overload
    def __init__(self) -> None:
        ...
    @typing.overload
    def __init__(self, other: FaceCapture) -> None:
        """
        A copy.
        """
    @property
    def blur_px(self) -> float:
        ...
    @blur_px.setter
    def blur_px(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def contrast(self) -> float:
        ...
    @contrast.setter
    def contrast(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def downscale(self) -> float:
        ...
    @downscale.setter
    def downscale(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def exposure(self) -> float:
        ...
    @exposure.setter
    def exposure(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def greyscale(self) -> int:
        ...
    @greyscale.setter
    def greyscale(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def jpeg_quality(self) -> int:
        ...
    @jpeg_quality.setter
    def jpeg_quality(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def motion_deg(self) -> float:
        ...
    @motion_deg.setter
    def motion_deg(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def motion_px(self) -> float:
        ...
    @motion_px.setter
    def motion_px(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def noise_read(self) -> float:
        ...
    @noise_read.setter
    def noise_read(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def noise_shot(self) -> float:
        ...
    @noise_shot.setter
    def noise_shot(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def saturation(self) -> float:
        ...
    @saturation.setter
    def saturation(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def sharpen(self) -> float:
        ...
    @sharpen.setter
    def sharpen(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def vignette(self) -> float:
        ...
    @vignette.setter
    def vignette(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def white_balance(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @white_balance.setter
    def white_balance(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
class LabelHabit:
    """
    How the annotator draws class borders.
    """
    __hash__: typing.ClassVar[None] = None
    def __eq__(self, arg0: LabelHabit) -> bool:
        ...
    @typing.overload
    def __init__(self) -> None:
        ...
    @typing.overload
    def __init__(self, other: LabelHabit) -> None:
        """
        A copy.
        """
    @property
    def beard_as_hair(self) -> float:
        ...
    @beard_as_hair.setter
    def beard_as_hair(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def brow_margin_m(self) -> float:
        ...
    @brow_margin_m.setter
    def brow_margin_m(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def lens_as_glasses(self) -> float:
        ...
    @lens_as_glasses.setter
    def lens_as_glasses(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def wisps(self) -> float:
        ...
    @wisps.setter
    def wisps(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
class OccluderPose:
    """
    Where a free object stands.
    """
    __hash__: typing.ClassVar[None] = None
    def __eq__(self, arg0: OccluderPose) -> bool:
        ...
    @typing.overload
    def __init__(self) -> None:
        ...
    @typing.overload
    def __init__(self, other: OccluderPose) -> None:
        """
        A copy.
        """
    @property
    def position_m(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @position_m.setter
    def position_m(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def rotation(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @rotation.setter
    def rotation(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def scale(self) -> float:
        ...
    @scale.setter
    def scale(self, arg0: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
class FaceParameters:
    """
    Everything that makes one image of one head, but the camera.
    """
    __hash__: typing.ClassVar[None] = None
    appearance: FaceAppearance
    capture: FaceCapture
    habit: LabelHabit
    hair: HairShape
    light: FaceLight
    occluder: OccluderPose
    style: str
    def __eq__(self, arg0: FaceParameters) -> bool:
        ...
    @typing.overload
    def __init__(self) -> None:
        ...
    @typing.overload
    def __init__(self, other: FaceParameters) -> None:
        """
        A copy.
        """
    @property
    def expression(self) -> list[float]:
        ...
    @expression.setter
    def expression(self, arg0: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> None:
        ...
    @property
    def jaw(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @jaw.setter
    def jaw(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def left_eye(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @left_eye.setter
    def left_eye(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def neck(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        """
        axis-angle, radians
        """
    @neck.setter
    def neck(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def options(self) -> dict[str, str]:
        """
        discrete sets, e.g. {'hair': 'short'}; assign a whole dict
        """
    @options.setter
    def options(self, arg0: collections.abc.Mapping[str, str]) -> None:
        ...
    @property
    def right_eye(self) -> typing.Annotated[list[float], "FixedSize(3)"]:
        ...
    @right_eye.setter
    def right_eye(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]) -> None:
        ...
    @property
    def sliders(self) -> list[float]:
        ...
    @sliders.setter
    def sliders(self, arg0: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> None:
        ...
class FaceImages:
    """
    A rendered batch with its exact ground truth; see forge_rt/models/forge_head.h.
    """
    @property
    def depth_m(self) -> Tensor:
        """
        [B, H, W] float32 camera z, metres, 0 = background
        """
    @property
    def landmarks_camera_m(self) -> Tensor:
        """
        [B, 68, 3] float32, camera frame
        """
    @property
    def landmarks_head_m(self) -> Tensor:
        """
        [B, 68, 3] float32, head frame
        """
    @property
    def landmarks_px(self) -> Tensor:
        """
        [B, 68, 2] float32; centre of the top-left pixel is (0.5, 0.5)
        """
    @property
    def layers(self) -> typing.Any:
        """
        [B, 2, H, W] uint8 without free objects; the bare head; or None
        """
    @property
    def normals(self) -> typing.Any:
        """
        [B, H, W, 3] float32 camera frame, or None
        """
    @property
    def rgb(self) -> Tensor:
        """
        [B, H, W, 3] uint8, sRGB
        """
    @property
    def segmentation(self) -> Tensor:
        """
        [B, H, W] uint8 class ids
        """
    @property
    def soft_labels(self) -> typing.Any:
        """
        [B, classes, H, W] float32, or None
        """
    @property
    def uv(self) -> typing.Any:
        """
        [B, H, W, 2] float32, -1 off the head, or None
        """
    @property
    def visibility(self) -> Tensor:
        """
        [B, 68] uint8: 0 outside the frame, 1 hidden, 2 visible
        """
class SliderInfo:
    """
    One continuous control.
    """
    @property
    def about(self) -> str:
        ...
    @property
    def default(self) -> float:
        ...
    @property
    def maximum(self) -> float:
        ...
    @property
    def minimum(self) -> float:
        ...
    @property
    def name(self) -> str:
        ...
    @property
    def region(self) -> str:
        ...
class LabelInfo:
    """
    One class of the segmentation.
    """
    @property
    def color(self) -> typing.Annotated[list[int], "FixedSize(3)"]:
        ...
    @property
    def id(self) -> int:
        ...
    @property
    def mirror(self) -> int:
        """
        id after a left-right flip
        """
    @property
    def name(self) -> str:
        ...
class ForgeHead:
    """
    Compiled ForgeHead; use forge_rt.ForgeHead.
    """
    @staticmethod
    def load(folder: str) -> ForgeHead:
        ...
    def blink_weight(self, face: FaceParameters) -> float:
        ...
    def mesh(self, faces: collections.abc.Sequence[FaceParameters]) -> HeadMesh:
        ...
    def neutral(self) -> FaceParameters:
        ...
    def render(self, faces: collections.abc.Sequence[FaceParameters], cameras: collections.abc.Sequence[Camera], *, size: typing.Any, supersample: typing.SupportsInt | typing.SupportsIndex = 2, normals: bool = False, soft_labels: bool = False, layers: bool = False, uv: bool = False, matte: bool = False, device: str = 'cpu') -> FaceImages:
        ...
    def sample(self, seed: typing.SupportsInt | typing.SupportsIndex, index: typing.SupportsInt | typing.SupportsIndex, wild: typing.SupportsFloat | typing.SupportsIndex = 0.0, attempt: typing.SupportsInt | typing.SupportsIndex = 0) -> FaceParameters:
        ...
    def set_expression(self, face: FaceParameters, name: str, weight: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def set_option(self, face: FaceParameters, set: str, choice: str) -> None:
        ...
    def set_slider(self, face: FaceParameters, name: str, value: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def expressions(self) -> list[str]:
        ...
    @property
    def hash(self) -> str:
        ...
    @property
    def labels(self) -> list[LabelInfo]:
        ...
    @property
    def options(self) -> dict[str, list[str]]:
        ...
    @property
    def sliders(self) -> list[SliderInfo]:
        ...
    @property
    def triangles(self) -> Tensor:
        ...
class _FaceResult:
    """
    What was found; see forge_rt.Faces.
    """
    @property
    def confidence(self) -> typing.Any:
        ...
    @property
    def depth(self) -> typing.Any:
        ...
    @property
    def faces(self) -> list:
        ...
    @property
    def height(self) -> int:
        ...
    @property
    def mask(self) -> typing.Any:
        ...
    @property
    def ms(self) -> dict:
        ...
    @property
    def width(self) -> int:
        ...
class FaceAnalyzer:
    """
    Compiled FaceAnalyzer; use forge_rt.FaceAnalyzer.
    """
    @staticmethod
    def load(bundle: os.PathLike | str | bytes, *, device: str, provider: str, precision: str, threads: typing.SupportsInt | typing.SupportsIndex, detector: os.PathLike | str | bytes | None, parsing: bool, landmarks: bool, depth: bool, batch: typing.SupportsInt | typing.SupportsIndex) -> FaceAnalyzer:
        ...
    def analyze(self, images: list, format: str, bt709: bool, options: dict) -> list[_FaceResult]:
        ...
    def analyze_boxes(self, image: typing.Any, boxes: collections.abc.Sequence[typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(4)"]], format: str, bt709: bool, options: dict) -> _FaceResult:
        ...
    def analyze_crops(self, image: typing.Any, to_crop: collections.abc.Sequence[typing.Annotated[collections.abc.Sequence[typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"]], "FixedSize(2)"]], format: str, bt709: bool, options: dict) -> _FaceResult:
        ...
    def crop_of_box(self, arg0: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(4)"]) -> tuple:
        ...
    def crop_of_points(self, arg0: typing.Annotated[collections.abc.Sequence[typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(2)"]], "FixedSize(5)"]) -> tuple:
        ...
    def detect(self, image: typing.Any, format: str, bt709: bool, options: dict) -> list:
        ...
    @property
    def crop_size(self) -> tuple[int, int]:
        ...
    @property
    def depth_unit(self) -> str:
        ...
    @property
    def has_detector(self) -> bool:
        ...
    @property
    def hash(self) -> str:
        ...
    @property
    def labels(self) -> list[LabelInfo]:
        ...
    @property
    def landmark_count(self) -> int:
        ...
    @property
    def precision(self) -> str:
        ...
    @property
    def provider(self) -> str:
        ...
    @property
    def provider_reason(self) -> str:
        ...
    @property
    def side(self) -> str:
        ...
class FaceTracker:
    """
    Compiled FaceTracker; use forge_rt.FaceTracker.
    """
    def __init__(self, analyzer: FaceAnalyzer, *, detect_every: typing.SupportsInt | typing.SupportsIndex, lost_below: typing.SupportsFloat | typing.SupportsIndex, smooth_landmarks: bool, min_cutoff_hz: typing.SupportsFloat | typing.SupportsIndex, beta: typing.SupportsFloat | typing.SupportsIndex, derivative_cutoff_hz: typing.SupportsFloat | typing.SupportsIndex, smooth_mask: typing.SupportsFloat | typing.SupportsIndex, analyze: dict) -> None:
        ...
    def reset(self) -> None:
        ...
    def update(self, image: typing.Any, time_s: typing.SupportsFloat | typing.SupportsIndex, format: str, bt709: bool) -> _FaceResult:
        ...
class GeneratorIdentity:
    """
    What depends on z and the conditioning camera alone. Read-only; made by Generator.identity.
    """
    def __len__(self) -> int:
        ...
    @property
    def model(self) -> str:
        """
        hash of the bundle that made it
        """
    @property
    def static_planes(self) -> typing.Any:
        """
        [N, 3 C, H, W] float32
        """
    @property
    def texture(self) -> typing.Any:
        """
        [N, h, w, T] float32 (CUDA: [N, T, h, w]); None for EG3D
        """
    @property
    def ws(self) -> typing.Any:
        """
        [N, num_ws, w_dim] float32, truncated
        """
class GeneratorHead:
    """
    What depends on identity and mesh. Read-only; made by Generator.expression.
    """
    def __len__(self) -> int:
        ...
    @property
    def alpha(self) -> typing.Any:
        """
        [N, 1, H, W] float32, how much of the front plane is the mesh's; None for EG3D
        """
    @property
    def model(self) -> str:
        """
        hash of the bundle that made it
        """
    @property
    def mouth_box(self) -> typing.Any:
        """
        [N, 4] int64: row0, row1, column0, column1 in the front view; None for EG3D
        """
    @property
    def planes(self) -> typing.Any:
        """
        [N, 3, H, W, C] float32 or float16
        """
    @property
    def stages(self) -> dict[str, Tensor]:
        """
        name -> [N, ...] float32 of the stages between, with keep_stages
        """
    @property
    def style(self) -> typing.Any:
        """
        [N, w_dim] float32, of the super-resolution
        """
class _GeneratorView:
    @property
    def depth(self) -> typing.Any:
        ...
    @property
    def depth_m(self) -> typing.Any:
        ...
    @property
    def features(self) -> typing.Any:
        ...
    @property
    def image(self) -> typing.Any:
        ...
    @property
    def image_raw(self) -> typing.Any:
        ...
    @property
    def weight(self) -> typing.Any:
        ...
class Generator:
    """
    Compiled Generator; use forge_rt.Generator.
    """
    @staticmethod
    def load(bundle: os.PathLike | str | bytes, *, device: str, provider: str, precision: str, threads: typing.SupportsInt | typing.SupportsIndex) -> Generator:
        ...
    def density(self, head: GeneratorHead, points: typing.Any, *, rows: typing.Any, colour: bool) -> typing.Any:
        ...
    def expression(self, identity: GeneratorIdentity, vertices: typing.Any, landmarks: typing.Any, *, rows: typing.Any, mouth_box: str, planes: str, keep_stages: bool) -> GeneratorHead:
        ...
    def identity(self, z: typing.Any, conditioning: typing.Any, psi: typing.SupportsFloat | typing.SupportsIndex | None, cutoff: typing.SupportsInt | typing.SupportsIndex | None) -> GeneratorIdentity:
        ...
    def view(self, head: GeneratorHead, cameras: typing.Any, *, rows: typing.Any, resolution: typing.SupportsInt | typing.SupportsIndex, coarse: typing.SupportsInt | typing.SupportsIndex, fine: typing.SupportsInt | typing.SupportsIndex, randomness: str, u_coarse: typing.Any, u_fine: typing.Any, seed: typing.SupportsInt | typing.SupportsIndex, index: typing.Any, depth_resolution: typing.SupportsInt | typing.SupportsIndex, depth_only: bool, skip_weight: typing.SupportsFloat | typing.SupportsIndex, features: bool) -> _GeneratorView:
        ...
    @property
    def device(self) -> str:
        ...
    @property
    def hash(self) -> str:
        ...
    @property
    def info(self) -> dict:
        ...
    @property
    def precision(self) -> str:
        ...
    @property
    def provider(self) -> str:
        ...
    @property
    def provider_reason(self) -> str:
        ...
class NeuralMesh:
    """
    Topology and texture coordinates that carry a neural texture; prepared once.
    """
    def __init__(self, faces: typing.Any, uv_faces: typing.Any, uv: typing.Any, vertices: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def to(self, device: str) -> NeuralMesh:
        ...
    @property
    def grid(self) -> typing.Any:
        ...
    @property
    def triangles(self) -> typing.Any:
        ...
    @property
    def uv_triangles(self) -> typing.Any:
        ...
    @property
    def vertices(self) -> int:
        ...
class TarWriter:
    """
    Writes a tar archive (ustar) that appears under its name complete or not at all. The bytes depend on names and data alone. As a context manager: aborts unless finished.
    """
    def __enter__(self) -> typing.Any:
        ...
    def __exit__(self, arg0: typing.Any, arg1: typing.Any, arg2: typing.Any) -> None:
        ...
    def __init__(self, path: os.PathLike | str | bytes, hash: bool = True, sync: bool = True) -> None:
        """
        `sync`: finish() waits until the archive is on the disk.
        """
    def abort(self) -> None:
        """
        Leaves nothing. Harmless after finish().
        """
    def add(self, name: str, data: typing_extensions.Buffer) -> int:
        """
        Appends a member; returns the offset of its header. The data is 512 bytes after it.
        """
    def add_many(self, members: collections.abc.Sequence[tuple[str, typing_extensions.Buffer]]) -> list[int]:
        """
        `add` for each (name, data), in order. After an error the members before the wrong one are in the archive.
        """
    def finish(self) -> tuple[int, int, str]:
        """
        Puts the archive in place, durably: (bytes, members, sha256); sha256 is '' without `hash`.
        """
class RasterOutput:
    """
    Result of rasterize; see forge_rt/ops/rasterize.h. Pass it back as `out=` to reuse its memory.
    """
    @property
    def barycentrics(self) -> typing.Any:
        """
        [B, H, W, 3] float32
        """
    @property
    def depth(self) -> typing.Any:
        """
        [B, H, W] float32, 0 where empty
        """
    @property
    def face(self) -> typing.Any:
        """
        [B, H, W] int32, -1 where empty
        """
    @property
    def label(self) -> typing.Any:
        """
        [B, H, W] uint8, only with face_labels
        """
class Topology:
    """
    Which triangles touch a vertex; prepared once per mesh.
    """
    def __init__(self, triangles: typing.Any, vertices: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    def to(self, device: str) -> Topology:
        ...
class TriPlaneDecoder:
    """
    The published decoder of tri-plane features, gains folded in. Immutable.
    """
    def __init__(self, weight0: typing.Any, bias0: typing.Any, weight1: typing.Any, bias1: typing.Any, *, lr_multiplier: typing.SupportsFloat | typing.SupportsIndex = 1.0, gains_folded: bool = False) -> None:
        """
        Arrays of a checkpoint: [hidden, C], [hidden], [1 + colours, hidden], [1 + colours]; output 0 is the density.
        """
    def to(self, device: str) -> TriPlaneDecoder:
        ...
    @property
    def channels(self) -> int:
        ...
    @property
    def colours(self) -> int:
        ...
    @property
    def device(self) -> str:
        ...
    @property
    def hidden(self) -> int:
        ...
class VolumeRenderOutput:
    """
    Result of volume_render; see forge_rt/ops/volume_render.h. Pass it back as `out=` to reuse its memory.
    """
    @property
    def depth(self) -> typing.Any:
        """
        [V, 1, res, res] float32, distance along the ray
        """
    @property
    def features(self) -> typing.Any:
        """
        [V, colours, res, res] float32; None for depth_only
        """
    @property
    def weight_sum(self) -> typing.Any:
        """
        [V, 1, res, res] float32, opacity
        """
def _box_iou(a: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(4)"], b: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(4)"]) -> float:
    """
    Intersection over union of two boxes (left, top, right, bottom).
    """
def _camera_presets() -> list[str]:
    ...
def _crop_footprint(to_frame: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(6)"], crop: typing.Any, frame: typing.Any) -> tuple[int, int, int, int]:
    """
    (left, top, right, bottom) of the frame pixels that may lie in a crop.
    """
def _crop_image(frame: typing.Any, matrices: typing.Any, size: typing.Any, *, mean: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"] = [0.0, 0.0, 0.0], scale: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"] = [1.0, 1.0, 1.0], bgr: bool = False, border: str = 'constant', fill: typing.SupportsInt | typing.SupportsIndex = 0, format: str = 'rgb', bt709: bool = False, out: typing.Any = None) -> Tensor:
    """
    Affine crops [B, 3, h, w] float32 of a uint8 frame; matrices [B, 6] map crop pixels to frame pixels. See forge_rt/ops/crop_image.h.
    """
def _decode_faces(score: typing.Any, box: typing.Any, points: typing.Any, *, stride: typing.SupportsInt | typing.SupportsIndex = 8, score_threshold: typing.SupportsFloat | typing.SupportsIndex = 0.5, iou_threshold: typing.SupportsFloat | typing.SupportsIndex = 0.4000000059604645, max_faces: typing.SupportsInt | typing.SupportsIndex = 64) -> list:
    """
    Faces of a detector's maps as dictionaries: image, score, box (left, top, right, bottom), points (5 x 2).
    """
def _focal_from_fov(arg0: typing.SupportsFloat | typing.SupportsIndex) -> float:
    ...
def _focal_from_published_fov(arg0: typing.SupportsFloat | typing.SupportsIndex) -> float:
    ...
def _fov_from_focal(arg0: typing.SupportsFloat | typing.SupportsIndex) -> float:
    ...
def _fov_from_published(arg0: typing.SupportsFloat | typing.SupportsIndex, arg1: str) -> float:
    ...
def _inspect_runtime_library(path: str) -> dict:
    ...
def _invert_affine(matrix: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(6)"]) -> typing.Annotated[list[float], "FixedSize(6)"]:
    """
    The inverse of x' = a x + b y + c, y' = d x + e y + f.
    """
def _look_at_h_v(arg0: typing.SupportsFloat | typing.SupportsIndex, arg1: typing.SupportsFloat | typing.SupportsIndex, arg2: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg3: typing.SupportsFloat | typing.SupportsIndex) -> numpy.typing.NDArray[numpy.float64]:
    ...
def _orbit(arg0: typing.SupportsFloat | typing.SupportsIndex, arg1: typing.SupportsFloat | typing.SupportsIndex, arg2: typing.SupportsFloat | typing.SupportsIndex, arg3: typing.SupportsFloat | typing.SupportsIndex, arg4: typing.SupportsFloat | typing.SupportsIndex, arg5: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg6: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg7: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg8: typing.Any) -> Camera:
    ...
def _philox4x32(counter: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(4)"], key: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(2)"]) -> tuple[int, int, int, int]:
    ...
def _project(arg0: typing.Any, arg1: collections.abc.Sequence[Camera]) -> tuple[Tensor, Tensor]:
    ...
def _published_fov_from_focal(arg0: typing.SupportsFloat | typing.SupportsIndex) -> float:
    ...
def _runtime_info() -> dict:
    ...
def _sample_published(arg0: bool, arg1: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg2: typing.SupportsFloat | typing.SupportsIndex, arg3: typing.Annotated[numpy.typing.ArrayLike, numpy.float64], arg4: Random) -> numpy.typing.NDArray[numpy.float64]:
    ...
def _set_runtime_library(path: str) -> None:
    ...
def _to_clip(arg0: typing.Any, arg1: collections.abc.Sequence[Camera], arg2: typing.SupportsFloat | typing.SupportsIndex) -> Tensor:
    ...
def _unproject(arg0: typing.Any, arg1: typing.Any, arg2: collections.abc.Sequence[Camera]) -> Tensor:
    ...
def _unwarp_labels(logits: typing.Any, to_crop: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(6)"], crop: typing.Any, frame: typing.Any, *, nearest: bool = False, masked: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] = [], background: typing.SupportsInt | typing.SupportsIndex = 0, labels: bool = True, confidence: bool = False, rect: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(4)"] | None = None, below: typing.Any = None) -> tuple[typing.Any, typing.Any]:
    """
    Class ids and confidences [H, W] uint8 of a frame from logits [C, h, w] of a crop. See forge_rt/ops/unwarp_labels.h.
    """
def _unwarp_map(map: typing.Any, to_crop: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(6)"], crop: typing.Any, frame: typing.Any, *, mask: typing.Any = None, rect: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(4)"] | None = None, below: typing.Any = None) -> Tensor:
    """
    A map [h, w] of a crop at the pixels of its frame: [H, W] float32.
    """
def assemble_planes(statics: typing.Any, front: typing.Any, front_alpha: typing.Any, *, side: typing.Any = None, side_alpha: typing.Any = None, top: typing.Any = None, top_alpha: typing.Any = None, blend: str = 'front', dtype: str = 'float32', out: typing.Any = None, front_only: bool = False) -> Tensor:
    """
    D * A + P * (1 - A) -> tri-planes [B, 3, H, W, C], channels last. statics [B or 1, 3, C, H, W] or [B or 1, 3 C, H, W]; front [B, C, H, W], front_alpha [B, 1, H, W]; side and top likewise for blend='all'. `out` is reused; with front_only, its planes 1 and 2 are left alone.
    """
def best_isa() -> str:
    ...
def bias_act(x: typing.Any, bias: typing.Any = None, *, activation: str = 'linear', slope: typing.SupportsFloat | typing.SupportsIndex = 0.20000000298023224, gain: typing.SupportsFloat | typing.SupportsIndex | None = None, clamp: typing.SupportsFloat | typing.SupportsIndex | None = None, out: typing.Any = None) -> Tensor:
    """
    clamp(activation(x + bias) * gain): x [B, C, ...], bias [C]. activation 'linear' (gain 1) or 'lrelu' (gain sqrt 2). `out` may be x itself.
    """
def check_device(name: str) -> str:
    """
    The full name of a device, e.g. 'cuda' -> 'cuda:0'. Raises DeviceUnavailableError, with the reason, when it cannot be used.
    """
def contour_rows(rotations: typing.Any, chain: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], sign: typing.SupportsInt | typing.SupportsIndex) -> list[int]:
    """
    Rows 0..78 of the dynamic contour table (spec/next3d §17.3).
    """
def crop_resize(x: typing.Any, boxes: typing.Any, size: typing.Any, *, outside: str = 'error') -> Tensor:
    """
    One box per image, resized: boxes [B, 4] (row0, row1, column0, column1) -> [B, C, *size]. Boxes that reach outside: 'error', or 'clamp' cuts them.
    """
def cuda_status() -> dict:
    """
    What the CUDA side of this build looks like from here; `reason` says why device_count is 0.
    """
def downsample2d(x: typing.Any, filter: typing.Any) -> Tensor:
    """
    Half the size, filtered: upfirdn2d with down 2.
    """
def encode_png(image: typing.Any) -> bytes:
    """
    A PNG file of image [H, W] or [H, W, C], uint8 or uint16; C = 1 (grey), 3 (RGB) or 4 (RGBA). The bytes depend on the image alone.
    Releases the GIL; may be called from many threads at once.
    """
def engine_cache_key(model_sha256: str, *, provider: str, gpu_name: str = '', compute_capability: str = '', driver_version: str = '', libraries: collections.abc.Mapping[str, str] = {}, shapes: collections.abc.Mapping[str, tuple[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]]] = {}, flags: collections.abc.Mapping[str, str] = {}) -> str:
    """
    SHA-256 over everything that makes a compiled engine fit one machine only. shapes: {input: (min, best, max)}.
    """
def fill_enclosed(alpha: typing.Any, *, binarise: bool = False) -> Tensor:
    """
    Mouth filling of spec/next3d §6.4; with `binarise`, what is not 0 becomes 1 (§6.5).
    """
def from_dlpack(array: typing.Any) -> Tensor:
    """
    Takes any array with __dlpack__ (NumPy, torch, CuPy, JAX) as a Tensor. Zero copy.
    """
def head_lbs(basis: HeadBasis, betas: typing.Any, pose: typing.Any = None, translation: typing.Any = None) -> HeadPosed:
    """
    Linear blend skinning of B heads (spec/next3d §17.2). betas [B, k], pose [B, J, 3] axis-angle radians, translation [B, 3] metres.
    """
def interpolate(face: typing.Any, barycentrics: typing.Any, index: typing.Any, attributes: typing.Any) -> Tensor:
    """
    Attributes [B or 1, N, C] at the pixels of a rasterized mesh -> [B, H, W, C] float32, 0 where empty. `index` [F, 3] names the rows of each triangle's corners.
    """
def isa() -> str:
    """
    CPU path in use: 'baseline', 'avx2' or 'avx512'.
    """
def isa_reason() -> str:
    ...
def label_coverage(labels: typing.Any, factor: typing.SupportsInt | typing.SupportsIndex, classes: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    """
    Soft labels: [B, f H, f W] uint8 -> [B, classes, H, W] float32 shares.
    """
def label_majority(labels: typing.Any, factor: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    """
    [B, f H, f W] uint8 -> [B, H, W] uint8, the most frequent class of each pixel.
    """
def memory_report() -> list:
    """
    Bytes in use and at most, by purpose.
    """
def mouth_box(landmarks: typing.Any, size: typing.SupportsInt | typing.SupportsIndex) -> Tensor:
    """
    Mouth box of spec/next3d §7.2: [B, 68, 2] pixels -> [B, 4] (row0, row1, col0, col1).
    """
def neural_texture(face: typing.Any, barycentrics: typing.Any, mesh: NeuralMesh, texture: typing.Any, uv_mask: typing.Any = None, *, texture_channels: str = 'first', feature_channels: str = 'first', add_to: typing.Any = None) -> tuple[typing.Any, typing.Any]:
    """
    A texture seen through a rasterized mesh -> (features [B, C, H, W], alpha [B, 1, H, W]); the background holds the texture's centre. Channels 'first' or 'last'. `add_to`: features that are added to in place; alpha is then None.
    """
def neural_view(vertices: typing.Any, mesh: NeuralMesh, texture: typing.Any, uv_mask: typing.Any = None, *, view: str = 'front', size: typing.SupportsInt | typing.SupportsIndex = 256, scale: typing.SupportsFloat | typing.SupportsIndex = 5.0, shift: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"] = [0.0, -0.009999999776482582, -0.009999999776482582], texture_channels: str = 'first', feature_channels: str = 'first') -> tuple[typing.Any, typing.Any]:
    """
    Next3D's rasterized texture straight from vertices [B, V, 3] -> (features, filled alpha). view 'front', 'side' (yaw 90 plus yaw -90, alpha 0 or 1) or 'top'.
    """
def num_threads() -> int:
    ...
def op_paths(device: str = 'cpu') -> dict:
    """
    Which implementation each op takes now: 'scalar', 'avx2', 'avx512' or 'cuda'.
    """
def orthographic_positions(points: typing.Any, pitch_yaw_roll_deg: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"], scale: typing.SupportsFloat | typing.SupportsIndex = 5.0, shift: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"] = [0.0, -0.009999999776482582, -0.009999999776482582]) -> Tensor:
    """
    orthographic_view as positions for rasterize [B, N, 4]: (x', -y', z', 1).
    """
def orthographic_view(points: typing.Any, pitch_yaw_roll_deg: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"], scale: typing.SupportsFloat | typing.SupportsIndex = 5.0, shift: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(3)"] = [0.0, -0.009999999776482582, -0.009999999776482582]) -> Tensor:
    """
    Next3D's view transform (spec/next3d §6.1): [B, N, 3] head frame -> (x', y', z').
    """
def planes_from_nchw(planes: typing.Any, dtype: str = 'float32') -> Tensor:
    """
    [B, 3 C, H, W] float32 -> [B, 3, H, W, C] float32 or float16, as volume_render reads them.
    """
def point_visibility(pixels: typing.Any, depth: typing.Any, depth_map: typing.Any, slack: typing.SupportsFloat | typing.SupportsIndex) -> Tensor:
    """
    COCO's numbers: 0 outside the frame, 1 hidden, 2 visible. [B, L] uint8.
    """
def points_on_mesh(vertices: typing.Any, triangles: typing.Any, face: typing.Any, barycentrics: typing.Any) -> Tensor:
    """
    Points fixed to triangles: [B, V, 3], [F, 3], [B or 1, L], [B or 1, L, 3] -> [B, L, 3].
    """
def project_labels(face: typing.Any, barycentrics: typing.Any, face_labels: typing.Any, uv_triangles: typing.Any = None, uv: typing.Any = None, semantic_uv: typing.Any = None, background: typing.SupportsInt | typing.SupportsIndex = 0) -> Tensor:
    """
    Exact class ids [B, H, W] uint8, per triangle or (face label 255) through a semantic UV map [Hm, Wm] uint8, row 0 = v 1.
    """
def random_uniform(shape: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], seed: typing.SupportsInt | typing.SupportsIndex, index: typing.SupportsInt | typing.SupportsIndex, purpose: str, attempt: typing.SupportsInt | typing.SupportsIndex = 0, device: str = 'cpu') -> Tensor:
    """
    float32 uniforms in [0, 1), bit-equal on every device.
    """
def rasterize(positions: typing.Any, triangles: typing.Any, size: typing.Any, *, coverage: str = 'watertight', cull: str = 'back', perspective: bool = True, near: typing.SupportsFloat | typing.SupportsIndex = 0.009999999776482582, depth: bool = True, barycentrics: bool = True, face_labels: typing.Any = None, face_part: typing.Any = None, visible_parts: typing.Any = None, out: RasterOutput = None) -> RasterOutput:
    """
    Rasterizes positions [B, V, 4] float32 (clip space: x right, y up) with triangles [F, 3] int32. `size` is (height, width) or one number.
    coverage 'watertight': exact, neighbours neither overlap nor leave holes; 'strict_float': the published rule of spec/next3d §6.2
    (short image side spans [-1, 1]). The nearest surface wins, equal depth goes to the lower triangle index.
    """
def read_safetensors(path: str) -> dict[str, Tensor]:
    """
    All tensors of a safetensors file, by name.
    """
def resize_antialias(x: typing.Any, size: typing.Any) -> Tensor:
    """
    Bilinear resize with antialiasing, [B, C, H, W] float32 -> [B, C, *size], as torch's interpolate(antialias=True).
    """
def resize_paste(patch: typing.Any, boxes: typing.Any, image: typing.Any, *, outside: str = 'error', out: typing.Any = None) -> Tensor:
    """
    crop_resize's way back: patch [B, C, h, w], resized to each image's box, overwrites it in a copy of `image` [B, C, H, W]; out=image pastes in place.
    """
def sample_density(planes: typing.Any, decoder: TriPlaneDecoder, points: typing.Any, *, box_warp: typing.SupportsFloat | typing.SupportsIndex = 1.0, axes: typing.Any = 'next3d', colour: bool = False) -> typing.Any:
    """
    Raw density [B, N] at points [B, N, 3]; with colour=True also the colours [B, N, colours].
    """
def sample_texture(texture: typing.Any, grid: typing.Any, *, filter: str = 'bilinear', border: str = 'zero', align_corners: bool = False) -> Tensor:
    """
    texture [B or 1, Ht, Wt, C] at grid [B, H, W, 2] in [-1, 1] (x right, y down), as torch's grid_sample. From OBJ UVs: (2u - 1, 1 - 2v).
    """
def set_isa(name: str) -> None:
    """
    Changes the CPU path of the whole process.
    """
def set_num_threads(n: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    Threads of one call, the caller included. Results never depend on it.
    """
def sha256(data: typing_extensions.Buffer) -> str:
    """
    64 lower-case digits.
    """
def to_rgb8(image: typing.Any) -> Tensor:
    """
    [M, 3, H, W] float32, nominally -1..1 -> [M, H, W, 3] uint8 on the CPU: clamp(127.5 x + 128, 0, 255), truncated as published.
    """
def upfirdn2d(x: typing.Any, filter: typing.Any, *, up: typing.Any = 1, down: typing.Any = 1, padding: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(4)"] = [0, 0, 0, 0], flip_filter: bool = False, gain: typing.SupportsFloat | typing.SupportsIndex = 1.0) -> Tensor:
    """
    StyleGAN's upfirdn2d: x [B, C, H, W] float32, zeros inserted, padded by (left, right, top, bottom) or cropped, convolved with `filter` [T] or [Th, Tw], every down-th value kept. `up` and `down`: one number or (x, y).
    """
def upsample2d(x: typing.Any, filter: typing.Any) -> Tensor:
    """
    Twice the size, filtered: upfirdn2d with up 2 and gain 4.
    """
def vertex_normals(positions: typing.Any, topology: Topology) -> Tensor:
    """
    Area-weighted unit normals [B, V, 3].
    """
def volume_render(planes: typing.Any, decoder: TriPlaneDecoder, cameras: typing.Any, *, rows: typing.Any = None, resolution: typing.SupportsInt | typing.SupportsIndex = 64, coarse: typing.SupportsInt | typing.SupportsIndex = 48, fine: typing.SupportsInt | typing.SupportsIndex = 48, ray_range: typing.Any = (2.25, 3.299999952316284), box_warp: typing.SupportsFloat | typing.SupportsIndex = 1.0, axes: typing.Any = 'next3d', u_coarse: typing.Any = None, u_fine: typing.Any = None, seed: typing.Any = None, index: typing.Any = None, batch_coupled: bool = False, white_back: bool = False, depth_only: bool = False, skip_weight: typing.SupportsFloat | typing.SupportsIndex = 0.0, out: VolumeRenderOutput = None) -> VolumeRenderOutput:
    """
    Renders planes [B, 3, H, W, C] (float32 or float16, channels last) from cameras [V, 25]; `rows` [V] says which planes a view looks at.
    Sample positions: u_coarse [V, R, coarse] and u_fine [V, R, fine] in [0, 1); or seed and index [V]; or neither: midpoints, no noise.
    skip_weight leaves out colours that would weigh less: a feature differs by at most 2.002 (coarse + fine) skip_weight.
    batch_coupled: depth clamp and missed rays look at the whole batch, as published.
    """
_FRONTAL_FOV_DEG: float = 13.373836931985192
_SYNTHFORGE_WORLD: dict = {'scale': 2.5, 'shift': (0.0, -0.025, 0.11642135623730951)}
__version__: str = '0.1.0'
