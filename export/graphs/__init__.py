"""Graphs: PyTorch modules as ONNX files, and their smaller and faster variants (docs/guides/export.md)."""

from .half import to_fp16
from .int8 import quantize_int8
from .nodes import layers_of
from .storage import store_as_fp16
from .write import OPSET, export_onnx, fold_batch_norms, round_weights

__all__ = [
    "OPSET",
    "export_onnx",
    "fold_batch_norms",
    "layers_of",
    "quantize_int8",
    "round_weights",
    "store_as_fp16",
    "to_fp16",
]
