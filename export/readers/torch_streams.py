"""Tensors inside of plain pickles: PyTorch writes each storage there as a stream of its own, in torch.save's format before zip archives.

Nothing here needs PyTorch. `TENSOR_NAMES` gives NumPy arrays to readers that do without it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from forge_rt import CorruptFileError, UnsupportedError
from forge_rt.export.readers import safe_pickle
from forge_rt.export.readers.safe_pickle import Machine, Name

MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


@dataclass
class _Claim:
    """What a stream's persistent id says of its storage."""

    kind: Any
    key: str
    count: int


def _claim(id: Any) -> _Claim:
    if not isinstance(id, tuple) or len(id) not in (5, 6) or id[0] != "storage":
        raise CorruptFileError("a stream refers to something that is no storage")
    kind, key, _, count = id[1:5]
    if not isinstance(kind, Name) or not isinstance(key, str) or not is_count(count):
        raise CorruptFileError("a storage without type, key or size")
    if len(id) == 6 and id[5] is not None:
        raise UnsupportedError("a storage is a view of another one; load the file with PyTorch and save it again")
    return _Claim(kind.maker, key, count)


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**40


def read_stream(stream: bytes, find: Callable[[str, str], Any]) -> tuple[Any, memoryview]:
    """Pickles of magic, protocol, system, claim and keys, then the numbers: (type, their bytes).

    `find(module, name)` gives the type of a storage's class, which has an `itemsize`, or None.
    """
    position = 0

    def value(find: Callable[[str, str], Any] = lambda *_: None, persistent: Callable[[Any], Any] | None = None) -> Any:
        nonlocal position
        machine = Machine(stream, find, encoding="utf-8", persistent=persistent, position=position)
        out = machine.run()
        position = machine.position
        return out

    if value() != MAGIC or value() != _PROTOCOL:
        raise CorruptFileError("a tensor's stream does not start as torch.save wrote it")
    system = value()
    if not isinstance(system, dict) or system.get("little_endian") is not True or sys.byteorder != "little":
        raise UnsupportedError("tensors were written in another byte order than this machine's")
    claim = value(find, _claim)
    if not isinstance(claim, _Claim) or value() != [claim.key]:
        raise CorruptFileError("a stream holds something else than one storage")
    count = int.from_bytes(stream[position : position + 8], "little")
    if count != claim.count or len(stream) - position - 8 != count * claim.kind.itemsize:
        raise CorruptFileError(
            f"a storage of {claim.count} × {claim.kind} with {max(len(stream) - position - 8, 0)} bytes of numbers"
        )
    return claim.kind, memoryview(stream)[position + 8 :]


def check_view(offset: Any, size: Any, stride: Any, length: int) -> None:
    """Does a tensor stay within its storage? Repeated numbers (stride 0) would let a small file hold a tensor of any size."""
    counts = (offset, *size, *stride) if isinstance(size, tuple) and isinstance(stride, tuple) else (None,)
    if not all(map(is_count, counts)) or len(size) != len(stride) or len(size) > 16:
        raise CorruptFileError("a tensor without a valid offset, size and stride")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if math.prod(size) else 0
    if last >= max(length, 1) or math.prod(size) > length:
        raise CorruptFileError(
            f"a tensor {list(size)} with strides {list(stride)} from {offset} in a storage of {length}"
        )


# ---- as NumPy arrays ------------------------------------------------------------------------------------------------

_NUMBERS = {
    "FloatStorage": np.dtype(np.float32),
    "DoubleStorage": np.dtype(np.float64),
    "HalfStorage": np.dtype(np.float16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
}


class _Storage(safe_pickle._Buffer):
    """`torch.storage._load_from_bytes(stream)`; read once, however many tensors share it."""

    def decode(self) -> np.ndarray:
        if not isinstance(self.state, np.ndarray):
            if len(self.args) != 1 or not isinstance(self.args[0], bytes):
                raise CorruptFileError("a tensor's storage is no stream of bytes")
            dtype, numbers = read_stream(
                self.args[0], lambda module, name: _NUMBERS.get(name) if module == "torch" else None
            )
            self.state = np.frombuffer(numbers, dtype)
        return self.state


class _Tensor(safe_pickle._Buffer):
    """`torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)`: a view of the file's bytes."""

    def decode(self) -> np.ndarray:
        if not 4 <= len(self.args) <= 7 or not isinstance(self.args[0], _Storage):
            raise CorruptFileError("a tensor without storage, offset, size and stride")
        storage, offset, size, stride = self.args[:4]
        values = storage.decode()
        check_view(offset, size, stride, len(values))
        steps = [s * values.itemsize for s in stride]
        return (
            np.ndarray(size, values.dtype, values, offset * values.itemsize, steps)
            if math.prod(size)
            else np.zeros(size, values.dtype)
        )


#: Beside those of NumPy and plain objects.
TENSOR_NAMES: dict[tuple[str, str], Any] = {
    ("torch.storage", "_load_from_bytes"): _Storage,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
}
