"""PyTorch module → ONNX file: opset 20, standard operators, shapes known but for the batch, one file."""

from __future__ import annotations

import copy
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import onnx
import torch
from torch import nn

from ..errors import ExportError
from .storage import store_as_fp16

OPSET = 20  #: GridSample-20, Gelu-20; ONNX Runtime from 1.17, TensorRT 10 and 11
#: axis → (name, multiple): sizes of that axis are multiples of it
FreeAxes = Mapping[str, Mapping[int, tuple[str, int]]]


def export_onnx(
    module: nn.Module,
    example_inputs: Sequence[torch.Tensor],
    path: str | os.PathLike[str],
    input_names: Sequence[str],
    output_names: Sequence[str],
    *,
    store: str = "fp32",
    free_axes: FreeAxes | None = None,
    opset: int = OPSET,
) -> onnx.ModelProto:
    """Writes `module` to `path` and returns the graph. Axis 0 of every input is the batch, called "n".

    store      "fp16" halves the file: large weights are stored as half floats and cast when the graph loads; it computes in float32.
               Weights are rounded by it: round them before (`round_weights`) when the file shall equal the module.
    free_axes  inputs with more free axes: {"image": {2: ("h", 32), 3: ("w", 32)}} for heights and widths that are multiples of 32

    Batch norms are folded into the convolutions before them, in a copy: the module stays as it is. Raises ExportError when the exporter
    fails, when it wrote another opset, operators outside the standard, or axes it could not fix.
    """
    if store not in ("fp32", "fp16"):
        raise ExportError(f"store must be fp32 or fp16, got {store!r}")
    if len(example_inputs) != len(input_names):
        raise ExportError(f"{len(example_inputs)} example inputs need as many names, got {list(input_names)}")
    module = fold_batch_norms(copy.deepcopy(module).eval())
    # an example batch of 1 can fix the axis where code broadcasts
    examples = tuple(torch.cat([x, x]) if x.shape[0] == 1 else x for x in example_inputs)
    model = _convert(module, examples, input_names, output_names, free_axes or {}, opset)
    check(model, output_names, free_axes or {}, opset)
    if store == "fp16":
        store_as_fp16(model)
    onnx.checker.check_model(model, full_check=True)
    Path(path).write_bytes(model.SerializeToString(deterministic=True))
    return model


def _convert(
    module: nn.Module,
    examples: tuple[torch.Tensor, ...],
    input_names: Sequence[str],
    output_names: Sequence[str],
    free_axes: FreeAxes,
    opset: int,
) -> onnx.ModelProto:
    batch = torch.export.Dim("n", min=1, max=4096)
    made: dict[str, torch.export.Dim] = {}

    def axis(name: str, multiple: int) -> object:
        if multiple == 1:
            return made.setdefault(name, torch.export.Dim(name, min=1, max=1 << 14))
        return multiple * made.setdefault(name, torch.export.Dim(f"{name}{multiple}", min=1, max=(1 << 14) // multiple))

    shapes = tuple(
        {0: batch, **{a: axis(*spec) for a, spec in free_axes.get(name, {}).items()}} for name in input_names
    )
    noise = logging.getLogger("torch.onnx")
    level = noise.level
    noise.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, examples, dynamo=True, opset_version=opset, input_names=list(input_names), output_names=list(output_names),
                dynamic_shapes=shapes, optimize=True, verbose=False,
            )  # fmt: skip
    except Exception as error:
        raise ExportError(
            f"PyTorch could not export {type(module).__name__}: {' '.join(str(error).split())[:600]}"
        ) from error
    finally:
        noise.setLevel(level)
    model = program.model_proto
    strip(model)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def strip(model: onnx.ModelProto) -> None:
    """Removes what the exporter notes about the source: stack traces with paths of this machine, half of a small file."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for item in (
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
        *model.graph.initializer,
    ):
        del item.metadata_props[:]
        item.doc_string = ""
    del model.functions[:]
    model.producer_name, model.producer_version, model.doc_string = "forge_rt", "", ""


def check(model: onnx.ModelProto, output_names: Sequence[str], free_axes: FreeAxes, opset: int = OPSET) -> None:
    """Raises ExportError unless the graph is what the engine expects: one opset, standard operators, only the named axes free."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if versions.get("") != opset:
        raise ExportError(
            f"asked for opset {opset}, the exporter wrote {versions.get('')}: a layer needs another version"
        )
    foreign = sorted({f"{n.domain}::{n.op_type}" for n in model.graph.node if n.domain not in ("", "ai.onnx")})
    if foreign:
        raise ExportError(f"the graph has operators outside the ONNX standard: {', '.join(foreign)}")
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", opset))
    got = [output.name for output in model.graph.output]
    if got != list(output_names):
        raise ExportError(f"the graph's outputs are {got}, asked for {list(output_names)}")
    for port in (*model.graph.input, *model.graph.output):
        allowed = {0, *free_axes.get(port.name, {})}
        dims = port.type.tensor_type.shape.dim
        free = [i for i, dim in enumerate(dims) if not dim.HasField("dim_value")]
        if port in model.graph.output and free_axes:
            continue  # their free axes follow from the inputs'
        if strange := [i for i in free if i not in allowed]:
            raise ExportError(f"axes {strange} of {port.name} are not fixed; only the batch (axis 0) may be free")
        if 0 not in free:
            raise ExportError(f"the batch of {port.name} became {dims[0].dim_value}: a layer has fixed it")


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Multiplies batch norms into the convolutions that they follow directly, in place. Exact up to rounding; `module` must be in eval mode.

    Found in every nn.Sequential and, elsewhere, for neighbours named conv and bn (conv1 and bn1, …).
    """
    for parent in list(module.modules()):
        children = list(parent.named_children())
        pairs = []
        if isinstance(parent, nn.Sequential):
            pairs = [(a, b) for (a, _), (b, _) in pairwise(children)]
        else:
            names = dict(children)
            pairs = [(n, n.replace("conv", "bn")) for n in names if "conv" in n and n.replace("conv", "bn") in names]
        for conv_name, norm_name in pairs:
            conv, norm = getattr(parent, conv_name), getattr(parent, norm_name)
            if (
                isinstance(conv, nn.Conv2d)
                and isinstance(norm, nn.BatchNorm2d)
                and norm.num_features == conv.out_channels
            ):
                setattr(parent, conv_name, nn.utils.fusion.fuse_conv_bn_eval(conv, norm))
                setattr(parent, norm_name, nn.Identity())
    return module


def round_weights(module: nn.Module) -> nn.Module:
    """Folds batch norms and rounds weights of more than one axis to half floats, in place: `store="fp16"` then loses nothing more."""
    fold_batch_norms(module.eval())
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half().float())
    return module
