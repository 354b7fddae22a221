"""float32 graph → 8-bit convolutions, as QuantizeLinear/DequantizeLinear pairs around float operators (static QDQ).

Two targets, because the two engines want different pairs (docs/design/export.md has the measurements):

  cpu       activations uint8 with any zero point, weights int8 per channel in −64..64. ReLU costs nothing: it is the zero point's clipping. The
            7-bit weights are for CPUs without VNNI (AVX2: Zen 2 and 3): their fast kernel adds two uint8·int8 products in 16 bits,
            2 · 255 · 127 does not fit, 2 · 255 · 64 does. So results are right on every x86, with the fast kernel.
  tensorrt  everything int8 with zero point 0, ReLU between convolution and pair; 8-bit weights. On the CPU such a graph runs its ReLUs in
            float32: slower than "cpu".
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..errors import ExportError
from .nodes import layers_of
from .write import strip

#: run on bytes by ONNX Runtime without leaving 8 bits; anything else makes a round trip through float32
_EIGHT_BIT = (
    "Conv",
    "Relu",
    "Clip",
    "Add",
    "Concat",
    "Resize",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Gemm",
    "MatMul",
)
_METHODS = ("minmax", "entropy", "percentile")


def quantize_int8(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    calibration_batches: Iterable[Mapping[str, np.ndarray]],
    exclude: Iterable[str] = (),
    *,
    target: str = "cpu",
    method: str = "minmax",
    percentile: float = 99.99,
    operators: Iterable[str] = _EIGHT_BIT,
) -> onnx.ModelProto:
    """Quantizes the float32 graph `path` (stored as float32, not as half) and writes `out`.

    calibration_batches  inputs by name, as the network gets them; a hundred typical images settle the ranges
    exclude              what stays float32 (`layers_of`): outputs with all behind their last convolution, operators, nodes
    method               how ranges follow from what was seen: "minmax"; "percentile" cuts `percentile` of the values off; "entropy"
                         (Kullback-Leibler) cuts more and suits classifiers

    Deterministic for one version of onnxruntime. Raises ExportError.
    """
    try:
        from onnxruntime import quantization as q
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise ExportError(
            f'quantization needs the package onnxruntime: pip install "forge-rt[cpu]" ({error})'
        ) from error
    if target not in ("cpu", "tensorrt") or method not in _METHODS:
        raise ExportError(
            f"target is cpu or tensorrt, method one of {', '.join(_METHODS)}; got {target!r} and {method!r}"
        )
    batches = [dict(batch) for batch in calibration_batches]
    if not batches:
        raise ExportError("quantization needs at least one calibration batch")

    class Reader(q.CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rest, None)

    calibrate = {
        "minmax": q.CalibrationMethod.MinMax,
        "entropy": q.CalibrationMethod.Entropy,
        "percentile": q.CalibrationMethod.Percentile,
    }
    exclude = tuple(exclude)
    layers_of(onnx.load(path), exclude)  # names are checked before the minutes of work
    options: dict[str, Any] = {
        "ActivationSymmetric": target == "tensorrt",
        "WeightSymmetric": True,
        "CalibPercentile": percentile,
    }
    with tempfile.TemporaryDirectory() as folder:
        prepared, raw = Path(folder, "prepared.onnx"), Path(folder, "raw.onnx")
        # ORT's own level "basic": folds casts of weights and batch norms that are left; symbolic shapes are not needed
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        kept = layers_of(model, exclude)
        with contextlib.redirect_stdout(io.StringIO()):  # the calibrators print
            q.quantize_static(
                str(prepared), str(raw), Reader(), quant_format=q.QuantFormat.QDQ, op_types_to_quantize=list(operators),
                per_channel=True, reduce_range=target == "cpu",
                activation_type=q.QuantType.QInt8 if target == "tensorrt" else q.QuantType.QUInt8, weight_type=q.QuantType.QInt8,
                nodes_to_exclude=sorted(kept), calibrate_method=calibrate[method], extra_options=options,
            )  # fmt: skip
        result = onnx.load(raw)
    if not any(node.op_type == "QuantizeLinear" for node in result.graph.node):
        raise ExportError(
            f"nothing of {path} was quantized: everything is excluded, or no operator is one of {', '.join(operators)}"
        )
    strip(result)
    result = onnx.shape_inference.infer_shapes(result, strict_mode=True, data_prop=True)
    onnx.checker.check_model(result, full_check=True)
    Path(out).write_bytes(result.SerializeToString(deterministic=True))
    return result
