"""Checkpoints of EG3D and Next3D (spec/next3d §15): official `.pkl` files, `.safetensors`, and state dicts of torch.save.

An official file carries the source of its classes and asks its reader to execute it. Here it is dropped unread: classes become inert
records, tensors are views of the bytes that the file holds, and every other name ends the load.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from forge_rt import CorruptFileError, ForgeError, NotFoundError, UnsupportedError
from forge_rt.export.readers import safe_pickle, torch_streams
from forge_rt.export.readers.safe_pickle import Machine, NumpyScalar, Record

#: Entries of all modules of one network, numbers and words of its options, and how deep they may be nested. A small hostile file can
#: name one part many times; published networks stay far below.
_MAX_ENTRIES, _MAX_PLAIN, _MAX_DEPTH = 1_000_000, 20_000, 40


@dataclass
class Checkpoint:
    """What inference needs of a checkpoint. Tensors are as stored (type, strides); options are plain numbers, words, lists."""

    tensors: dict[str, torch.Tensor]  #: by their published names
    class_name: str | None = None
    init_kwargs: dict[str, Any] = field(default_factory=dict)  #: constructor arguments
    rendering_kwargs: dict[str, Any] = field(default_factory=dict)
    neural_rendering_resolution: int | None = None
    #: plain attributes of the network: switches, tensors that are no part of its state (`uv_face_mask`, `renderer.plane_axes`), and
    #: `conv_clamp` of every layer
    attributes: dict[str, Any] = field(default_factory=dict)


def read_checkpoint(path: str | Path, *, network: str = "G_ema") -> Checkpoint:
    """Reads a checkpoint of any of the three kinds; `network` chooses the one of an official file.

    State dicts may lie under "state_dict" or the network's name, with `init_kwargs`, `rendering_kwargs`,
    `neural_rendering_resolution` and `uv_face_mask` beside them.

    Raises NotFoundError, CorruptFileError for damaged files and such that ask for code, UnsupportedError for intact files of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"no file {path}")
    with path.open("rb") as file:
        start = file.read(9)
    try:
        if path.suffix == ".safetensors" or start[8:] == b"{":
            return Checkpoint(_read_safetensors(path))
        if start.startswith(b"PK"):
            return _read_zip(path, network)
        return _read_official(path.read_bytes(), network)
    except ForgeError as error:
        raise type(error)(f"{path}: {error}") from error
    except Exception as error:  # a damaged file can fail in any way
        raise CorruptFileError(
            f"{path} is not a readable checkpoint: {error}; expected an official EG3D or Next3D .pkl, .safetensors, or a state dict of "
            "torch.save"
        ) from error


# ---- state dicts ----------------------------------------------------------------------------------------------------


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from forge_rt import read_safetensors

    # a copy: the file's own bytes are read-only, which PyTorch does not know
    return {name: torch.from_dlpack(tensor).clone() for name, tensor in read_safetensors(str(path)).items()}


def _read_zip(path: Path, network: str) -> Checkpoint:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(m.compress_type != zipfile.ZIP_STORED for m in members) or len({m.filename for m in members}) != len(
            members
        ):
            raise CorruptFileError(
                "it is a zip archive, and not one of torch.save: its members are compressed or named twice"
            )
        size = path.stat().st_size
        if sum(m.file_size for m in members) > size:
            raise CorruptFileError(f"its members claim more than the file's {size} bytes")

    def tensor(name: str, value: Any) -> torch.Tensor:
        if not isinstance(value, torch.Tensor):
            raise UnsupportedError(f"{name} is a {type(value).__name__}, expected a state dict: tensors by name")
        if value.layout != torch.strided or value.untyped_storage().nbytes() > size:
            raise CorruptFileError(f"{name} claims more than the file's {size} bytes")
        return value

    return _state_dict(torch.load(path, map_location="cpu", weights_only=True), network, tensor)


#: Tensors of a network that are no part of its state.
_BESIDE = ("uv_face_mask", "orth_scale", "orth_shift")


def _state_dict(raw: Any, network: str, tensor: Callable[[str, Any], torch.Tensor]) -> Checkpoint:
    """Of tensors by name, alone or as one entry beside the constructor's arguments."""
    beside: dict[str, Any] = {}
    for key in ("state_dict", network):
        if isinstance(raw, Mapping) and isinstance(raw.get(key), Mapping):
            beside, raw = dict(raw), raw[key]
    if not isinstance(raw, Mapping) or not raw or not all(isinstance(k, str) for k in raw):
        raise UnsupportedError(f"it holds a {type(raw).__name__}, expected a state dict: tensors by name")
    tensors = {name: tensor(name, value) for name, value in raw.items()}
    for name in ("init_kwargs", "rendering_kwargs"):
        if beside.get(f"_{name}") is None:
            beside[f"_{name}"] = beside.get(name)
    made = _with_options(tensors, beside, rendering="_rendering_kwargs")
    made.attributes = {name: tensor(name, beside[name]) for name in _BESIDE if beside.get(name) is not None}
    return made


def _with_options(
    tensors: dict[str, torch.Tensor], state: dict[str, Any], *, rendering: str, class_name: str | None = None
) -> Checkpoint:
    init_kwargs = _options(state, "_init_kwargs")
    # the constructor takes them as an argument and keeps them
    rendering_kwargs = _options(state, rendering) or init_kwargs.get("rendering_kwargs") or {}
    if not isinstance(rendering_kwargs, dict):
        raise CorruptFileError(f"rendering_kwargs is a {type(rendering_kwargs).__name__}, expected a dictionary")
    resolution = _plain_number(state.get("neural_rendering_resolution"))
    return Checkpoint(
        tensors, class_name, init_kwargs, rendering_kwargs, resolution if isinstance(resolution, int) else None
    )


def _plain_number(value: Any) -> Any:
    """NumPy's scalars as Python's; anything else as it is."""
    return value.decode().item() if isinstance(value, NumpyScalar) else value


# ---- tensors of the legacy torch.save format ------------------------------------------------------------------------

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Storage(Record):
    """`torch.storage._load_from_bytes(stream)`; decoded when a tensor of the chosen network needs it."""

    def decode(self) -> torch.Tensor:
        if isinstance(self.state, torch.Tensor):
            return self.state
        if len(self.args) != 1 or not isinstance(self.args[0], bytes):
            raise CorruptFileError("a tensor's storage is no stream of bytes")
        self.state = _read_stream(self.args[0])
        self.args = ()
        return self.state


def _read_stream(stream: bytes) -> torch.Tensor:
    dtype, numbers = torch_streams.read_stream(
        stream, lambda module, name: _STORAGES.get(name) if module == "torch" else None
    )
    if not len(numbers):
        return torch.empty(0, dtype=dtype)
    if dtype == torch.bool and max(numbers) > 1:
        raise CorruptFileError("a storage of booleans with other numbers than 0 and 1")
    # a copy: PyTorch has no read-only tensors, and 8 bytes after a pickle of any length numbers are not aligned
    return torch.frombuffer(bytearray(numbers), dtype=dtype)


class _Tensor(Record):
    """`torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)`"""

    def decode(self) -> torch.Tensor:
        if not 4 <= len(self.args) <= 7 or not isinstance(self.args[0], _Storage):
            raise CorruptFileError("a tensor without storage, offset, size and stride")
        storage, offset, size, stride = self.args[:4]
        values = storage.decode()
        torch_streams.check_view(offset, size, stride, len(values))
        return torch.as_strided(values, size, stride, offset)


# ---- official files -------------------------------------------------------------------------------------------------


class _Module(Record):
    """An object of a class of PyTorch or of the published code that is no persistent class."""


class _Persistent(Record):
    """`torch_utils.persistence._reconstruct_persistent_obj(meta)`; meta's source is dropped."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        meta = args[0] if len(args) == 1 else None
        if (
            not isinstance(meta, dict)
            or not isinstance(meta.get("class_name"), str)
            or not isinstance(meta.get("state"), dict)
        ):
            raise CorruptFileError("a persistent object without class name or state")
        if meta.get("type") != "class" or meta.get("version") != 6:
            raise UnsupportedError(
                f"a persistent object of type {meta.get('type')!r} and version {meta.get('version')!r}, expected class and 6"
            )
        self.class_name, self.state = meta["class_name"], meta["state"]


def _parameter(*args: Any) -> Any:
    """`torch._utils._rebuild_parameter(data, requires_grad, hooks)`"""
    if not args:
        raise CorruptFileError("a parameter without data")
    return args[0]


class _Ordered(dict[Any, Any], Record):
    """`collections.OrderedDict` and `dnnlib.util.EasyDict`; state dicts have metadata as their state."""

    def __init__(self, pairs: Any = ()) -> None:
        Record.__init__(self)
        self.update(safe_pickle.OBJECT_NAMES["collections", "OrderedDict"](pairs))


#: Helper classes of the published code, whose modules have other names from release to release.
_HELPERS = {"OSGDecoder", "ImportanceRenderer", "MipRayMarcher2", "RaySampler"}
_NAMES: dict[tuple[str, str], Any] = {
    **safe_pickle.NUMPY_NAMES,
    **safe_pickle.OBJECT_NAMES,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Persistent,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.storage", "_load_from_bytes"): _Storage,
    ("collections", "OrderedDict"): _Ordered,
    ("dnnlib.util", "EasyDict"): _Ordered,
}


def _official_names(module: str, name: str) -> Any:
    if (module, name) in _NAMES:
        return _NAMES[module, name]
    known = module.startswith("torch.nn.modules.") or (name in _HELPERS and not module.startswith("torch"))
    return _Module if known and name.isidentifier() else None


def _read_official(data: bytes, network: str) -> Checkpoint:
    machine = Machine(data, _official_names, encoding="utf-8")
    raw = machine.run()
    del data, machine
    if raw == torch_streams.MAGIC:
        raise UnsupportedError(
            "it was written by torch.save of PyTorch before 1.6; load it there with PyTorch and save it again"
        )
    if isinstance(raw, _Persistent):  # a network alone
        return _checkpoint(raw)
    if not isinstance(raw, dict):
        raise UnsupportedError(
            f"it holds a {type(raw).__name__}, expected an official checkpoint: a dictionary with {network}"
        )
    nested = any(isinstance(raw.get(key), dict) for key in ("state_dict", network))
    if nested or any(isinstance(value, _Tensor) for value in raw.values()):
        return _state_dict(raw, network, _decoded_tensor)
    if not isinstance(raw.get(network), _Persistent):
        usable = [k for k in ("G_ema", "G", "D") if isinstance(raw.get(k), _Persistent)]
        raise UnsupportedError(f"it has no network {network}; it has {', '.join(usable) or 'none'}")
    top = raw[network]
    del raw
    return _checkpoint(top)


def _decoded_tensor(name: str, value: Any) -> torch.Tensor:
    if not isinstance(value, _Tensor):
        raise UnsupportedError(f"{name} is a {type(value).__name__}, expected a state dict: tensors by name")
    return value.decode()


def _checkpoint(top: _Persistent) -> Checkpoint:
    tensors: dict[str, torch.Tensor] = {}
    attributes: dict[str, Any] = {}
    for prefix, state in _modules(top):
        for group in ("_parameters", "_buffers"):
            members = state.get(group) or {}
            if not isinstance(members, dict):
                raise CorruptFileError(f"{prefix}{group} is no dictionary")
            for name, value in members.items():
                if value is None:  # a layer without a bias
                    continue
                if not isinstance(value, _Tensor) or not isinstance(name, str):
                    raise CorruptFileError(f"{prefix}{name} is no tensor")
                tensors[prefix + name] = value.decode()
        for name, value in state.items():
            if not isinstance(name, str):
                continue
            value = _plain_number(value)
            if isinstance(value, _Tensor):
                attributes[prefix + name] = value.decode()
            elif not prefix and isinstance(value, (bool, int, float, str)):
                attributes[name] = value
            elif name == "conv_clamp" and (value is None or isinstance(value, (int, float))):
                attributes[prefix + name] = value
    if not tensors:
        raise UnsupportedError(f"its {top.class_name} has no tensors")
    made = _with_options(tensors, top.state, rendering="rendering_kwargs", class_name=top.class_name)
    made.attributes = attributes
    return made


def _modules(top: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    """(dotted prefix, state) of a network and all of its members."""
    waiting: list[tuple[str, Any, int]] = [("", top, 0)]
    left = _MAX_ENTRIES
    while waiting:
        prefix, module, depth = waiting.pop()
        if not isinstance(module, (_Persistent, _Module)) or not isinstance(module.state, dict):
            raise CorruptFileError(f"{prefix[:-1] or 'the network'} is no module")
        state = module.state
        members = state.get("_modules") or {}
        if not isinstance(members, dict) or depth > _MAX_DEPTH:
            raise CorruptFileError(f"{prefix[:-1]} has no valid members, or is nested too deeply")
        left -= 1 + sum(len(part) for part in (state, *state.values()) if isinstance(part, dict))
        if left < 0:
            raise CorruptFileError(f"more than {_MAX_ENTRIES} modules, tensors and attributes")
        yield prefix, state
        for name, member in reversed(members.items()):
            if member is not None:
                if not isinstance(name, str) or len(name) > 200:
                    raise CorruptFileError(f"a member of {prefix[:-1]} without a valid name")
                waiting.append((f"{prefix}{name}.", member, depth + 1))


def _options(state: dict[str, Any], name: str) -> dict[str, Any]:
    raw = state.get(name)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise CorruptFileError(f"{name} is a {type(raw).__name__}, expected a dictionary")
    left = _MAX_PLAIN

    def plain(value: Any, depth: int = 0) -> Any:
        nonlocal left
        left -= 1
        if depth > _MAX_DEPTH or left < 0:
            raise CorruptFileError(f"{name} is nested too deeply or too large")
        value = _plain_number(value)
        if isinstance(value, _Tensor):
            tensor = value.decode()
            left -= tensor.numel()
            return plain(None, depth) if left < 0 else tensor.tolist()
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, dict):
            return {str(k): plain(v, depth + 1) for k, v in value.items() if _is_plain(v)}
        return [plain(v, depth + 1) for v in value if _is_plain(v)]

    return plain(raw)


def _is_plain(value: Any) -> bool:
    """False for objects of other classes, which are no option that inference reads."""
    return value is None or isinstance(value, (bool, int, float, str, dict, list, tuple, NumpyScalar, _Tensor))
