"""Maps from a head's metres to a generator's world: `fixMapMLP01.pth`-style modules, and 3 × 4 numbers in .json or .npy.

SynthForge's alignment is two linear layers without anything between them, saved as a whole module whose class was defined in a script
(spec/next3d §18.2). PyTorch could only load that by running code of that name; here classes are inert records and tensors are bytes.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import CorruptFileError, ForgeError, NotFoundError, UnsupportedError
from forge_rt.annotation.world import SYNTHFORGE_WORLD, checked_alignment, compose
from forge_rt.export.readers import safe_pickle
from forge_rt.export.readers.safe_pickle import Machine, Name, Record
from numpy.typing import NDArray

#: The whole file is a kilobyte of numbers.
_MAX_BYTES = 1 << 20
_EXPECTED = "two linear layers fc1 (3 → 4) and fc2 (4 → 3) and an unused bn1"


def read_alignment(path: str | Path) -> NDArray[np.float64]:
    """[3, 4]: head frame in metres → generator world.

    A module's two layers are collapsed and composed with the published fixed map 2.5 · (p + (0, -0.01, -0.01)) + (0, 0, √2 / 10); their
    batch normalisation is stored but was never applied. .json (3 × 4 numbers, alone or under "alignment", as `forge-rt align` writes) and
    .npy hold the whole map. Raises NotFoundError, CorruptFileError for damaged files and such that ask for code, UnsupportedError for
    intact files of another kind, InvalidArgumentError for maps that are none.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"no file {path}")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnsupportedError(f"it has {path.stat().st_size} bytes, expected an alignment: a kilobyte of numbers")
        data = path.read_bytes()
        if data.startswith(b"PK"):
            return compose(_collapsed(_module(data)), SYNTHFORGE_WORLD.matrix)
        if data.startswith(b"\x93NUMPY"):
            return checked_alignment(np.load(io.BytesIO(data), allow_pickle=False))
        if path.suffix == ".json" or data[:1] in (b"{", b"["):
            return _read_json(data)
        raise UnsupportedError("it is no alignment; expected a module of torch.save (zip format), .json or .npy")
    except ForgeError as error:
        raise type(error)(f"{path}: {error}") from error
    except Exception as error:  # a damaged file can fail in any way
        raise CorruptFileError(f"{path} is not a readable alignment: {error}") from error


def _read_json(data: bytes) -> NDArray[np.float64]:
    document = json.loads(data)
    if isinstance(document, dict):
        if "alignment" not in document:
            raise UnsupportedError("it has no 'alignment'")
        document = document["alignment"]
    try:
        numbers = np.array(document, np.float64)
    except (TypeError, ValueError):
        raise CorruptFileError("its alignment is not 3 × 4 numbers") from None
    return checked_alignment(numbers)


# ---- modules of torch.save ------------------------------------------------------------------------------------------

_STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
}


class _Storage(Record):
    """Numbers outside of the pickle."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.values = values


class _Tensor(Record):
    """`torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)`"""

    def decode(self) -> np.ndarray:
        if not 4 <= len(self.args) <= 7 or not isinstance(self.args[0], _Storage):
            raise CorruptFileError("a tensor without storage, offset, size and stride")
        storage, offset, size, stride = self.args[:4]
        if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride) or len(size) > 8:
            raise CorruptFileError("a tensor without a valid size and stride")
        if not all(type(n) is int and 0 <= n < 2**31 for n in (offset, *size, *stride)):
            raise CorruptFileError("a tensor without a valid offset, size and stride")
        count = math.prod(size)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if count else 0
        values = storage.values
        if count > len(values) or last >= max(len(values), 1):
            raise CorruptFileError(f"a tensor {list(size)} in a storage of {len(values)}")
        at = np.full(size, offset, np.int64)
        for axis, (n, s) in enumerate(zip(size, stride, strict=True)):
            at += (np.arange(n) * s).reshape([-1 if k == axis else 1 for k in range(len(size))])
        return values[at] if count else np.zeros(size, values.dtype)


class _Object(Record):
    """An object of a class of PyTorch or of the script that saved it."""


class _Ordered(dict[Any, Any], Record):
    """`collections.OrderedDict`, which state dicts hang metadata on."""

    def __init__(self, *args: Any) -> None:
        Record.__init__(self)
        if args:
            raise CorruptFileError("an ordered dictionary made from other objects")


def _parameter(*args: Any) -> Any:
    """`torch._utils._rebuild_parameter(data, requires_grad, hooks)`"""
    if not args:
        raise CorruptFileError("a parameter without data")
    return args[0]


_NAMES: dict[tuple[str, str], Any] = {
    **safe_pickle.OBJECT_NAMES,
    ("collections", "OrderedDict"): _Ordered,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


def _find(module: str, name: str) -> Any:
    if (module, name) in _NAMES:
        return _NAMES[module, name]
    if module == "torch":
        return _STORAGES.get(name)
    return _Object if name.isidentifier() and (module == "__main__" or module.startswith("torch.nn.modules.")) else None


def _module(data: bytes) -> Any:
    """The object in a zip of torch.save."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if len(members) != len(archive.infolist()) or any(
            info.compress_type != zipfile.ZIP_STORED or info.file_size > len(data) for info in members.values()
        ):
            raise CorruptFileError(
                "it is a zip archive, and not one of torch.save: its members are compressed or named twice"
            )
        pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise UnsupportedError(
                f"it is a zip archive with {len(pickles)} data.pkl, expected one that torch.save wrote"
            )
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
            raise UnsupportedError("its numbers are big-endian")

        def storage(id: Any) -> _Storage:
            if not isinstance(id, tuple) or len(id) < 5 or id[0] != "storage" or not isinstance(id[1], Name):
                raise CorruptFileError("it refers to something that is no storage")
            kind, key, count = id[1].maker, id[2], id[4]
            if kind not in _STORAGES.values() or not isinstance(key, str) or f"{root}data/{key}" not in members:
                raise CorruptFileError("a storage without type or data")
            dtype = np.dtype(kind).newbyteorder("<")  # type: ignore[call-overload]
            raw = archive.read(f"{root}data/{key}")
            if type(count) is not int or len(raw) != count * dtype.itemsize:
                raise CorruptFileError(f"a storage of {count!r} × {dtype.name} with {len(raw)} bytes")
            return _Storage(np.frombuffer(raw, dtype))

        return Machine(archive.read(pickles[0]), _find, encoding="utf-8", persistent=storage).run()


def _collapsed(top: Any) -> NDArray[np.float64]:
    """[3, 4] of the two layers: fc2 after fc1."""
    tensors = _tensors(top)
    layers = []
    for name, shape in (("fc1", (4, 3)), ("fc2", (3, 4))):
        weight, bias = tensors.pop(f"{name}.weight", None), tensors.pop(f"{name}.bias", None)
        if weight is None or bias is None or weight.shape != shape or bias.shape != shape[:1]:
            got = (
                "no such layer"
                if weight is None or bias is None
                else f"weight {list(weight.shape)} and bias {list(bias.shape)}"
            )
            raise UnsupportedError(f"{name}: {got}; expected {_EXPECTED}")
        layers.append(np.concatenate([weight, bias[:, None]], 1).astype(np.float64))
    strange = sorted(name for name in tensors if not name.startswith("bn1."))
    if strange:
        raise UnsupportedError(f"it also holds {', '.join(strange[:4])}; expected {_EXPECTED}")
    return checked_alignment(compose(layers[1], layers[0]))


def _tensors(top: Any) -> dict[str, np.ndarray]:
    """A module's tensors, or those of a state dict, by name."""
    if isinstance(top, dict):
        pairs = list(top.items())
    elif isinstance(top, _Object) and isinstance(top.state, dict):
        pairs = list(_members(top.state, ""))
        modules = top.state.get("_modules")
        if not isinstance(modules, dict) or len(modules) > 100:
            raise UnsupportedError(f"its object is no module with layers; expected {_EXPECTED}")
        for name, module in modules.items():
            if not isinstance(name, str) or not isinstance(module, _Object) or not isinstance(module.state, dict):
                raise CorruptFileError("a layer without name or state")
            found = list(_members(module.state, f"{name}."))
            if not found or module.state.get("_modules"):  # an activation has no tensors, but is not nothing
                raise UnsupportedError(f"its member {name!r} is no linear layer; expected {_EXPECTED}")
            pairs += found
    else:
        raise UnsupportedError(f"it holds a {type(top).__name__.strip('_')}, expected a module of {_EXPECTED}")
    out = {}
    for name, value in pairs:
        if not isinstance(value, _Tensor) or not isinstance(name, str):
            raise UnsupportedError(f"{name!r} is no tensor; expected {_EXPECTED}")
        out[name] = value.decode()
    return out


def _members(state: dict[str, Any], prefix: str) -> Any:
    for group in ("_parameters", "_buffers"):
        members = state.get(group) or {}
        if not isinstance(members, dict):
            raise CorruptFileError(f"{prefix}{group} is no dictionary")
        for name, value in members.items():
            if value is not None:
                yield f"{prefix}{name}", value
