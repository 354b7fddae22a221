"""A pickle reader that builds arrays and inert records, and nothing else.

`pickle` lets a file name any importable callable and call it. Here a file may only name what a reader allows; every other
name ends the load with an error that says which name was refused.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt import CorruptFileError, NotFoundError


class Record:
    """Stands for an object of a foreign class: keeps its state, has no behaviour."""

    def __init__(self, *args: Any) -> None:
        self.args = args
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        # (dict, slots) pairs come from objects with __slots__.
        self.state = dict(state[0] or {}, **(state[1] or {})) if isinstance(state, tuple) else dict(state)


def _new_record(*_args: Any) -> Record:
    """Replaces `copy_reg._reconstructor(cls, base, state)`, which would call `cls`."""
    return Record()


def _new_array(_subtype: Any, shape: Any, dtype: Any) -> np.ndarray:
    """Replaces `numpy.core.multiarray._reconstruct`; the real contents follow as state."""
    return np.ndarray.__new__(np.ndarray, (0,), dtype="b")


def _scalar(dtype: np.dtype, data: Any = None) -> Any:
    """Replaces `numpy.core.multiarray.scalar`, for plain number types only."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("NumPy scalar of an object type")
    raw = data.encode("latin-1") if isinstance(data, str) else data
    return np.frombuffer(raw, dtype=dtype)[0]


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Replaces `_codecs.encode`, by which protocol 2 writes bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes written with codec {encoding}")
    return text.encode("latin-1")


#: What NumPy arrays need, under Python 2 and 3, old and new NumPy.
NUMPY_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    NUMPY_NAMES[_module, "_reconstruct"] = _new_array
    NUMPY_NAMES[_module, "scalar"] = _scalar

#: Python 2's old-style object reconstruction.
OBJECT_NAMES: dict[tuple[str, str], Any] = {
    ("copy_reg", "_reconstructor"): _new_record,
    ("copyreg", "_reconstructor"): _new_record,
    ("__builtin__", "object"): Record,
    ("builtins", "object"): Record,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("collections", "OrderedDict"): dict,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BufferedIOBase, allowed: Mapping[tuple[str, str], Any], encoding: str) -> None:
        super().__init__(file, encoding=encoding, fix_imports=False)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which this reader does not allow") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("the file refers to data outside of it")


def load(
    source: str | Path | bytes, allowed: Mapping[tuple[str, str], Any], *, encoding: str = "latin-1", what: str = "pickle"
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
        return _Unpickler(io.BytesIO(data), allowed, encoding).load()
    except Exception as error:  # a damaged pickle can fail in any way
        raise CorruptFileError(f"{name} is not a readable {what}: {error}") from error


