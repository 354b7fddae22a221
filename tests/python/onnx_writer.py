"""Writes small ONNX files without the package onnx: the few messages of its schema that tests need (onnx/onnx.proto)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

#: TensorProto.DataType
ELEMENT_TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "str": 8, "bool": 9, "float16": 10,
    "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def value_info(name: str, dtype: str, shape: Sequence[int | str]) -> bytes:
    """An input or output; a text is the name of a free axis."""
    axes = b"".join(_bytes(1, _bytes(2, n) if isinstance(n, str) else _number(1, n)) for n in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, ELEMENT_TYPES[dtype]) + _bytes(2, axes)))


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | Sequence[int]) -> bytes:
    out = b"".join(_bytes(1, name) for name in inputs) + b"".join(_bytes(2, name) for name in outputs) + _bytes(4, op)
    for name, value in attributes.items():
        if isinstance(value, int):
            out += _bytes(5, _bytes(1, name) + _number(3, value) + _number(20, 2))
        else:
            out += _bytes(5, _bytes(1, name) + b"".join(_number(8, n) for n in value) + _number(20, 7))
    return out


def constant(name: str, array: np.ndarray) -> bytes:
    dims = b"".join(_number(1, n) for n in array.shape)
    return dims + _number(2, ELEMENT_TYPES[array.dtype.name]) + _bytes(8, name) + _bytes(9, array.tobytes())


def model(
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    constants: Mapping[str, np.ndarray] | None = None,
    opset: int = 17,
) -> bytes:
    graph = b"".join(_bytes(1, n) for n in nodes) + _bytes(2, "test")
    graph += b"".join(_bytes(5, constant(name, array)) for name, array in (constants or {}).items())
    graph += b"".join(_bytes(11, i) for i in inputs) + b"".join(_bytes(12, o) for o in outputs)
    return _number(1, 8) + _bytes(8, _number(2, opset)) + _bytes(7, graph)
