"""Writes an ONNX graph node by node: the generators' graphs are written in the form that runs fastest, which is not the form that trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from ..graphs.write import OPSET, check

BATCH = "n"
#: of the file format; the oldest that allows the opset
_IR_VERSION = 9


class Graph:
    """`node` returns the name of what a node makes. Names are numbered, so the bytes are a function of the calls."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._small: dict[tuple[Any, ...], str] = {}
        self._count = 0

    def input(self, name: str, shape: Sequence[int]) -> str:
        """A float32 input; the batch comes before `shape`."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape]))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self.nodes(operator, 1, *inputs, **attributes)[0]

    def nodes(self, operator: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """A node of several outputs."""
        self._count += 1
        name = f"{operator.lower()}_{self._count}"
        made = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), made, name=name, **attributes))
        return made

    def weight(self, name: str, values: torch.Tensor | np.ndarray) -> str:
        """A named array of the model; twice the same name is the same array."""
        if name not in self._weights:
            array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
            self._weights[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """A few numbers, stored once."""
        array = np.asarray(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._small:
            self._small[key] = self.weight(f"constant_{len(self._small)}", array)
        return self._small[key]

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def model(self, outputs: Mapping[str, tuple[str, Sequence[int]]]) -> onnx.ModelProto:
        """The checked graph. outputs: its name → (value, shape without the batch)."""
        for name, (value, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        made = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape])
            for name, (_, shape) in outputs.items()
        ]
        graph = helper.make_graph(self._nodes, self.name, self._inputs, made, list(self._weights.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
        model.producer_name = "forge_rt"
        check(model, list(outputs), {})
        return model
