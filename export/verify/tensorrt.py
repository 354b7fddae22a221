"""Would TensorRT 11 take this graph as it is? A look at the graph; nothing is built.

TensorRT 11 is strongly typed: no precision flags, no calibrators. The types of the graph are the types of the engine, so they must all
follow from it; 8 bits exist only between QuantizeLinear and DequantizeLinear, int8 with zero point 0.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

OPSETS = range(9, 25)
#: operators of our networks that its parser has (onnx-tensorrt, docs/operators.md); one that is not here needs a look, not a plugin
_LIST = (
    "Abs Acos Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos "
    "CumSum DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gelu Gemm "
    "GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization "
    "LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pad Pow QuantizeLinear "
    "Range Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu Reshape Resize Round Selu Shape Sigmoid Sign Sin Size "
    "Slice Softmax Softplus SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh Tile TopK Transpose Trilu Unsqueeze Where Xor"
)
OPERATORS = frozenset(_LIST.split())
_T = TensorProto
_TYPES = {_T.FLOAT, _T.FLOAT16, _T.BFLOAT16, _T.INT32, _T.INT64, _T.INT8, _T.BOOL, _T.FLOAT8E4M3FN, _T.INT4}


def tensorrt_11(model: onnx.ModelProto) -> tuple[bool, str]:
    """(is it typed, why or why not)."""
    problems = list(_problems(model))
    if problems:
        return False, "; ".join(problems)
    pairs = sum(node.op_type == "QuantizeLinear" for node in model.graph.node)
    kinds = sorted({TensorProto.DataType.Name(t.data_type).lower() for t in model.graph.initializer})
    quantized = f", {pairs} int8 pairs with zero point 0" if pairs else ""
    return (
        True,
        f"every tensor's type follows from the graph (weights {', '.join(kinds)}){quantized}; all operators are of its parser's list",
    )


def _problems(model: onnx.ModelProto) -> list[str]:
    problems = []
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset not in OPSETS:
        problems.append(f"opset {opset} is not one of {OPSETS[0]}..{OPSETS[-1]}")
    graph = model.graph
    strange = Counter(
        f"{n.domain}::{n.op_type}" if n.domain else n.op_type
        for n in graph.node
        if n.domain or n.op_type not in OPERATORS
    )
    if strange:
        problems.append(
            "operators that are not of its parser's list: "
            + ", ".join(f"{name} ×{n}" for name, n in sorted(strange.items()))
        )
    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True).graph
    except onnx.shape_inference.InferenceError as error:
        return [*problems, f"types do not follow from the graph: {' '.join(str(error).split())[:200]}"]
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*inferred.value_info, *inferred.input, *inferred.output)}
    kinds |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    untyped = [o for node in graph.node for o in node.output if o and not kinds.get(o)]
    if untyped:
        problems.append(f"{len(untyped)} tensors have no type, e.g. {untyped[0]}")
    odd = sorted({TensorProto.DataType.Name(kind).lower() for kind in kinds.values() if kind and kind not in _TYPES})
    if odd:
        problems.append(f"tensors of type {', '.join(odd)}, which are no layer's types there")
    return problems + _quantization(graph, kinds)


def _quantization(graph: onnx.GraphProto, kinds: dict[str, int]) -> list[str]:
    weights = {tensor.name: tensor for tensor in graph.initializer}
    maker = {output: node for node in graph.node for output in node.output}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    shifted, alone, eight = 0, 0, 0
    results = {output.name for output in graph.output}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            if len(node.input) > 2 and node.input[2]:
                zero = weights.get(node.input[2])
                shifted += zero is None or bool(np.any(numpy_helper.to_array(zero)))
            if node.op_type == "QuantizeLinear":
                after = users.get(node.output[0], [])
                alone += node.output[0] in results or not after or any(u.op_type != "DequantizeLinear" for u in after)
            else:
                before = maker.get(node.input[0])
                alone += node.input[0] not in weights and (before is None or before.op_type != "QuantizeLinear")
        else:
            eight += any(kinds.get(name) == TensorProto.INT8 for name in (*node.input, *node.output))
    problems = []
    if shifted:
        problems.append(f"{shifted} quantizers with a zero point that is not 0")
    if alone:
        problems.append(f"{alone} quantizers without their other half")
    if eight:
        problems.append(f"{eight} operators on bare 8-bit values instead of between pairs")
    return problems
