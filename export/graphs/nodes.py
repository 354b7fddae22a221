"""Questions about the nodes of a graph."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from ..errors import ExportError

_LEARNED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def layers_of(model: onnx.ModelProto, what: Iterable[str], *, last: int = 1) -> set[str]:
    """Node names to leave out of a conversion. Each of `what` is an operator ("Softmax"), a node's name, or an output of the graph: then
    everything between it and the `last` learned layers (convolutions, products) before it, these included.

    Names of nodes come from the exporter and change with it: outputs and operators are the words to use.
    """
    graph = model.graph
    maker = {output: node for node in graph.node for output in node.output}
    names, operators = {node.name for node in graph.node}, {node.op_type for node in graph.node}
    outputs = {output.name for output in graph.output}
    weights = {tensor.name for tensor in graph.initializer}
    found: set[str] = set()
    for item in what:
        if item in outputs:
            todo, reached = [(item, last)], {}
            while todo:
                value, left = todo.pop()
                node = maker.get(value)
                if node is None or left <= reached.get(node.name, -1):
                    continue
                reached[node.name] = left
                if node.op_type in _LEARNED and any(i in weights or _constant(i, maker, weights) for i in node.input):
                    left -= 1
                if left > 0:
                    todo += [(value, left) for value in node.input]
            found |= reached.keys()
        elif item in names:
            found.add(item)
        elif item in operators:
            found |= {node.name for node in graph.node if node.op_type == item}
        else:
            raise ExportError(
                f"'{item}' is no output, node or operator of the graph; its outputs are {', '.join(sorted(outputs))}"
            )
    return found


def _constant(value: str, maker: dict[str, onnx.NodeProto], weights: set[str]) -> bool:
    """A weight behind a cast or a dequantizer."""
    node = maker.get(value)
    return node is not None and node.op_type in ("Cast", "DequantizeLinear") and node.input[0] in weights
