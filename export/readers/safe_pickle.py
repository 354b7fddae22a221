"""A pickle reader that builds arrays and inert records, and nothing else.

`pickle` lets a file name any importable callable and call it. Here a file may only name what a reader allows; every other
name ends the load with an error that says which name was refused.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import CorruptFileError, NotFoundError


class Record:
    """Stands for an object of a foreign class: keeps its state, has no behaviour."""

    def __init__(self, *args: Any) -> None:
        self.args = args
        self.state: Any = {}

    def __setstate__(self, state: Any) -> None:
        # (dict, slots) pairs come from objects with __slots__.
        if (
            isinstance(state, tuple)
            and len(state) == 2
            and all(part is None or isinstance(part, dict) for part in state)
        ):
            state = {**(state[0] or {}), **(state[1] or {})}
        self.state = state


class _DType(Record):
    """`numpy.dtype(spec, align, copy)`, then state (version, byte order, …)."""

    def decode(self) -> np.dtype | None:
        """The number type it names; None for Python objects. NumPy's own unpickling is not used: it trusts the file."""
        spec = self.args[0] if self.args else None
        spec = spec.decode("latin-1") if isinstance(spec, bytes) else spec
        if not isinstance(spec, str) or not re.fullmatch(r"[|<>=]?([fiu][1248]|b1|O[48]?)", spec):
            raise pickle.UnpicklingError(f"an array of type {spec!r}; only numbers are read")
        if spec.lstrip("|<>=").startswith("O"):
            return None
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        order = order.decode("latin-1") if isinstance(order, bytes) else order
        dtype = np.dtype(spec)
        return dtype.newbyteorder(order) if order in ("<", ">") else dtype


class _Array(Record):
    """`numpy._reconstruct(...)`, then state (version, shape, dtype, Fortran order, data)."""

    def decode(self) -> Any:
        if not isinstance(self.state, tuple) or len(self.state) not in (4, 5):
            raise pickle.UnpicklingError("an array without contents")
        shape, dtype, fortran, data = self.state[-4:]
        if (
            not isinstance(dtype, _DType)
            or not isinstance(shape, tuple)
            or not all(isinstance(n, int) and 0 <= n < 2**40 for n in shape)
        ):
            raise pickle.UnpicklingError("an array without a valid shape and type")
        number = dtype.decode()
        count = math.prod(shape)
        if number is None:
            if not isinstance(data, list) or len(data) != count:
                raise pickle.UnpicklingError("an array of objects with the wrong number of elements")
            return data[0] if shape == () else list(data)
        raw = data.encode("latin-1") if isinstance(data, str) else data
        if not isinstance(raw, bytes) or len(raw) != count * number.itemsize:
            raise pickle.UnpicklingError(f"an array of shape {shape} with the wrong number of bytes")
        array = np.frombuffer(raw, number).reshape(shape, order="F" if fortran else "C")
        return array.astype(number.newbyteorder("="))


class _Scalar(Record):
    """`numpy.core.multiarray.scalar(dtype, data)`."""

    def decode(self) -> Any:
        if len(self.args) != 2 or not isinstance(self.args[0], _DType):
            raise pickle.UnpicklingError("a NumPy scalar without type or value")
        number = self.args[0].decode()
        raw = self.args[1].encode("latin-1") if isinstance(self.args[1], str) else self.args[1]
        if number is None or not isinstance(raw, bytes) or len(raw) != number.itemsize:
            raise pickle.UnpicklingError("a NumPy scalar of the wrong size")
        return np.frombuffer(raw, number)[0]


class _Buffer(Record):
    """`numpy._core.numeric._frombuffer(data, dtype, shape, order)`: how protocol 5 writes an array."""

    def decode(self) -> Any:
        if len(self.args) != 4:
            raise pickle.UnpicklingError("an array without contents")
        data, dtype, shape, order = self.args
        array = _Array()
        array.state = (1, shape, dtype, order == "F", bytes(data) if isinstance(data, bytearray) else data)
        return array.decode()


def _decoded(value: Any, depth: int = 0) -> Any:
    """`value` with arrays and scalars in place of their records, in containers and in the states of records."""
    if depth > 100:
        raise pickle.UnpicklingError("nested too deeply, or refers to itself")
    if isinstance(value, (_Array, _Buffer, _Scalar)):
        inner = value.decode()
        return _decoded(inner, depth + 1) if isinstance(inner, (list, dict, Record)) else inner
    if isinstance(value, Record):
        value.state = _decoded(value.state, depth + 1)
        return value
    if isinstance(value, dict):
        return {k: _decoded(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_decoded(v, depth + 1) for v in value)
    return value


def _new_record(*_args: Any) -> Record:
    """Replaces `copy_reg._reconstructor(cls, base, state)`, which would call `cls`."""
    return Record()


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Replaces `_codecs.encode`, by which protocol 2 writes bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes written with codec {encoding}")
    return text.encode("latin-1")


def _no_bytes(*args: Any) -> bytes:
    """Replaces `bytes()`, by which protocol 2 writes empty bytes."""
    if args:
        raise pickle.UnpicklingError("bytes made from other objects")
    return b""


#: What NumPy arrays need, under Python 2 and 3, old and new NumPy.
NUMPY_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): Record,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
}
for _module in ("numpy.core", "numpy._core"):
    NUMPY_NAMES[f"{_module}.multiarray", "_reconstruct"] = _Array
    NUMPY_NAMES[f"{_module}.multiarray", "scalar"] = _Scalar
    NUMPY_NAMES[f"{_module}.numeric", "_frombuffer"] = _Buffer

#: Python 2's old-style object reconstruction, and plain containers.
OBJECT_NAMES: dict[tuple[str, str], Any] = {
    ("copy_reg", "_reconstructor"): _new_record,
    ("copyreg", "_reconstructor"): _new_record,
    ("__builtin__", "object"): Record,
    ("builtins", "object"): Record,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("collections", "OrderedDict"): dict,
}


def _disposable(thing: Any) -> Any:
    """A stand-in that a file may deface (BUILD sets attributes of whatever a file names) without lasting effect."""
    if isinstance(thing, type) and issubclass(thing, Record):
        return type(thing.__name__, (thing,), {})
    return thing if isinstance(thing, type) else (lambda *args: thing(*args))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BufferedIOBase, allowed: Mapping[tuple[str, str], Any], encoding: str) -> None:
        super().__init__(file, encoding=encoding, fix_imports=False)
        self._allowed = allowed
        self._named: dict[tuple[str, str], Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        key = (module, name)
        if key not in self._allowed:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which this reader does not allow")
        if key not in self._named:
            self._named[key] = _disposable(self._allowed[key])
        return self._named[key]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("the file refers to data outside of it")


def load(
    source: str | Path | bytes,
    allowed: Mapping[tuple[str, str], Any],
    *,
    encoding: str = "latin-1",
    what: str = "pickle",
) -> Any:
    """Decodes one pickle from a path or from bytes.

    `allowed` maps (module, name) to the class or function that stands for it. `what` names the expected kind of file in
    errors. Raises NotFoundError, or CorruptFileError for anything that is not such a file.
    """
    name = "data" if isinstance(source, bytes) else str(source)
    if isinstance(source, bytes):
        data = source
    else:
        path = Path(source)
        if not path.is_file():
            raise NotFoundError(f"no file {path}")
        data = path.read_bytes()
    try:
        return _decoded(_Unpickler(io.BytesIO(data), allowed, encoding).load())
    except Exception as error:  # a damaged pickle can fail in any way
        raise CorruptFileError(f"{name} is not a readable {what}: {error}") from error
