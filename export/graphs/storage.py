"""Weights stored as half floats. A runtime folds the casts when it loads the graph, so what runs is float32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import ExportError

SMALLEST = 1024  #: elements; below it a cast node costs as much as it saves


def store_as_fp16(model: onnx.ModelProto) -> int:
    """Changes `model` in place; returns how many weights were stored so. Only weights of more than one axis: biases keep their bits."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2 or np.prod(tensor.dims) < SMALLEST:
            continue
        half = to_half(numpy_helper.to_array(tensor), tensor.name)
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return len(casts)


def to_half(values: np.ndarray, name: str) -> np.ndarray:
    """Raises ExportError for values beyond the range of half floats."""
    largest = float(np.abs(values).max(initial=0.0))
    if not largest <= 65504.0:
        raise ExportError(f"{name} holds {largest:g}, half floats end at 65504")
    return values.astype(np.float16)
