"""float32 graph → half floats inside, float32 at inputs and outputs.

Types are explicit in the result (casts where they change), so a strongly typed builder (TensorRT 11) takes it as it is. ONNX Runtime's CPU
provider has few half kernels and casts around the rest: use this variant on GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import ExportError
from .nodes import layers_of
from .storage import to_half

#: inputs that the standard wants in float32, whatever the data is
_FLOAT_INPUTS = {"Resize": {1, 2}, "Upsample": {1}, "QuantizeLinear": {1}, "DequantizeLinear": {1}}
#: operators without half floats in the standard, or whose sums need more than eleven bits
_KEPT = (
    "Range",
    "CumSum",
    "ReduceSum",
    "ReduceMean",
    "InstanceNormalization",
    "Softmax",
    "Exp",
    "Log",
    "Pow",
    "NonMaxSuppression",
    "RandomNormal",
)


def to_fp16(path: str | os.PathLike[str], out: str | os.PathLike[str], *, keep: Iterable[str] = ()) -> onnx.ModelProto:
    """Converts the float32 graph `path` and writes `out`.

    keep  what stays float32 (`layers_of`): outputs with all behind their last convolution, operators, nodes; besides those of _KEPT.
          Coordinates belong here: half floats are 0.1 pixels apart at 256.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True, data_prop=True)
    graph = model.graph
    if any(attribute.type == onnx.AttributeProto.GRAPH for node in graph.node for attribute in node.attribute):
        raise ExportError(f"{path} has control flow; to_fp16 converts plain graphs only")
    kept = layers_of(model, keep) | {node.name for node in graph.node if node.op_type in _KEPT}
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*graph.value_info, *graph.input, *graph.output)}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    kinds.update({name: tensor.data_type for name, tensor in weights.items()})
    unknown = [o for node in graph.node for o in node.output if o and not kinds.get(o)]
    if unknown:
        raise ExportError(
            f"{path}: the type of {unknown[0]} is not known; to_fp16 needs a graph whose types can be inferred"
        )

    now = {port.name: TensorProto.FLOAT for port in graph.input}  # type that a float value has in the new graph
    made: dict[tuple[str, int], str] = {}
    nodes: list[onnx.NodeProto] = []
    stored: dict[str, onnx.TensorProto] = {}

    def as_type(name: str, kind: int) -> str:
        """`name` in float32 or half, cast once where it is in the other."""
        if name in weights:
            if kind == TensorProto.FLOAT:
                stored[name] = weights[name]
                return name
            half = f"{name}.fp16"
            if half not in stored:
                stored[half] = numpy_helper.from_array(to_half(numpy_helper.to_array(weights[name]), name), half)
            return half
        if now[name] == kind:
            return name
        if (name, kind) not in made:
            made[name, kind] = f"{name}.{'fp32' if kind == TensorProto.FLOAT else 'fp16'}"
            nodes.append(helper.make_node("Cast", [name], [made[name, kind]], name=f"{made[name, kind]}.cast", to=kind))
        return made[name, kind]

    results = {output.name for output in graph.output}
    for node in graph.node:
        wide = node.name in kept
        kind = TensorProto.FLOAT if wide else TensorProto.FLOAT16
        exact = _FLOAT_INPUTS.get(node.op_type, set())
        for i, name in enumerate(node.input):
            if name and kinds.get(name) == TensorProto.FLOAT:
                node.input[i] = as_type(name, TensorProto.FLOAT if i in exact else kind)
            elif name in weights:
                stored[name] = weights[name]
        if not wide:
            _retype(node)
        nodes.append(node)
        for i, name in enumerate(node.output):
            if kinds.get(name) != TensorProto.FLOAT:
                continue
            now[name] = kind
            if name in results and not wide:  # its consumers keep reading the half value
                node.output[i] = f"{name}.fp16"
                made[name, TensorProto.FLOAT16] = f"{name}.fp16"
                now[name] = TensorProto.FLOAT
                nodes.append(
                    helper.make_node("Cast", [f"{name}.fp16"], [name], name=f"{name}.cast", to=TensorProto.FLOAT)
                )
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.initializer[:]
    graph.initializer.extend(stored.values())
    del graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    Path(out).write_bytes(model.SerializeToString(deterministic=True))
    return model


def _retype(node: onnx.NodeProto) -> None:
    """Types that a node carries itself."""
    for attribute in node.attribute:
        if (
            node.op_type in ("Cast", "EyeLike")
            and attribute.name in ("to", "dtype")
            and attribute.i == TensorProto.FLOAT
        ):
            attribute.i = TensorProto.FLOAT16
        elif (
            node.op_type in ("Constant", "ConstantOfShape")
            and attribute.name == "value"
            and attribute.t.data_type == TensorProto.FLOAT
        ):
            attribute.t.CopyFrom(
                numpy_helper.from_array(to_half(numpy_helper.to_array(attribute.t), node.name), attribute.t.name)
            )
        elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            raise ExportError(f"constant {node.name} holds a bare number; fold the graph's constants first")
