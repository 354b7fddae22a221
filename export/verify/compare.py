"""The exported graph against the module it came from, on random inputs, through the engine's own session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np
import onnx
from forge_rt.golden import split

from ..errors import ExportError
from .tensorrt import tensorrt_11

#: largest difference between eager PyTorch and ONNX Runtime on float32 graphs: other summation orders, nothing else
FP32_BAR = 1e-4
SHARE_ABOVE = 1e-3
Arrays = dict[str, np.ndarray]


def compare(
    reference: Any,
    path: str | os.PathLike[str],
    inputs: Sequence[Mapping[str, np.ndarray]] | None = None,
    *,
    max_abs: float | Mapping[str, float] | None = FP32_BAR,
    mean_abs: float | Mapping[str, float] | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    batches: Sequence[int] = (1, 3),
    free: int = 64,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, Any]:
    """What the graph `path` gives beside what `reference` gives: a torch module (outputs in the graph's order, or a dict of them) or the path
    of another graph (a variant against its float32 original).

    inputs    batches by name; default: uniform in −1..1, at each of `batches`; free axes other than the batch are `free`
    max_abs, mean_abs
              bars, one for all outputs or by name; None: none. Above one ExportError is raised, with the numbers
    columns   names of the last axis of outputs that mix units, as the bundle has them: {"landmarks": ["x", "y", "visible"]} gives rows
              "landmarks/xy" and "landmarks/visible". A bar called "landmarks" holds for both, unless they have their own

    Returns a row for the bundle's `export` (see `record`), JSON-able: file, hash, opset, per output max_abs, mean_abs, share_above_1e-3 and the
    reference's range, and whether TensorRT 11 takes the graph as it is.
    """
    path = Path(path)
    session = fr.Session(path, threads=threads)
    run = _runner(reference, [output.name for output in session.outputs], threads)
    given = list(inputs) if inputs is not None else [random_inputs(session, n, free, seed) for n in batches]
    differences: dict[str, list[np.ndarray]] = {}
    ranges: dict[str, list[float]] = {}
    for batch in given:
        ours = {name: tensor.numpy() for name, tensor in session.run(batch).items()}
        theirs = run(dict(batch))
        for name, values in ours.items():
            if theirs[name].shape != values.shape:
                raise ExportError(f"{path.name}: {name} is {values.shape}, the reference gives {theirs[name].shape}")
            wanted = split(name, theirs[name], columns or {})
            for part, got in split(name, values, columns or {}).items():
                difference = np.abs(got.astype(np.float64) - wanted[part])
                differences.setdefault(part, []).append(np.where(np.isnan(difference), np.inf, difference).ravel())
                low, high = ranges.setdefault(part, [np.inf, -np.inf])
                ranges[part] = [min(low, float(wanted[part].min())), max(high, float(wanted[part].max()))]
    if unknown := set(columns or {}) - {output.name for output in session.outputs}:
        raise ExportError(f"{path.name} has no output {sorted(unknown)[0]!r} whose columns could be told apart")
    outputs = {}
    for name, parts in differences.items():
        all_of = np.concatenate(parts)
        outputs[name] = {
            "max_abs": float(all_of.max()),
            "mean_abs": float(all_of.mean()),
            f"share_above_{SHARE_ABOVE:g}": float((all_of > SHARE_ABOVE).mean()),
            "range": ranges[name],
        }
    _hold(path, outputs, "max_abs", max_abs)
    _hold(path, outputs, "mean_abs", mean_abs)
    model = onnx.load(path)
    typed, why = tensorrt_11(model)
    return {
        "file": path.name,
        "sha256": session.model_sha256,
        "opset": next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        "against": Path(reference).name if isinstance(reference, str | os.PathLike) else "PyTorch eager",
        "batches": [int(next(iter(batch.values())).shape[0]) for batch in given],
        "outputs": outputs,
        "tensorrt_11": {"typed": typed, "why": why},
    }


def record(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The bundle's field `export`: the versions that made and checked the graphs, and a row of `compare` for each."""
    import torch

    made = {
        "torch": torch.__version__.split("+")[0],
        "onnx": onnx.__version__,
        "onnxruntime": fr.backend.runtime_info().version,
    }
    try:
        import onnxscript

        made["onnxscript"] = onnxscript.__version__
    except ImportError:
        pass
    graphs = {}
    for row in rows:
        row = dict(row)
        graphs[row.pop("file")] = row
    return {"versions": made, "graphs": graphs}


def random_inputs(session: fr.Session, batch: int, free: int, seed: int) -> Arrays:
    """Uniform in −1..1 from the engine's counter-based generator: the same numbers everywhere."""
    made = {}
    for port in session.inputs:
        shape = [batch if i == 0 else size if size > 0 else free for i, size in enumerate(port.shape)]
        values = fr.random_uniform(shape, seed, batch, f"export.{port.name}").numpy()
        made[port.name] = np.asarray(2 * values - 1, np.float32)
    return made


def _runner(reference: Any, names: list[str], threads: int) -> Callable[[Arrays], Arrays]:
    if isinstance(reference, str | os.PathLike):
        session = fr.Session(reference, threads=threads)
        return lambda batch: {name: tensor.numpy() for name, tensor in session.run(batch).items()}
    import torch

    module = reference.eval()

    def run(batch: Arrays) -> Arrays:
        with torch.no_grad():
            given = module(*(torch.from_numpy(np.ascontiguousarray(values)) for values in batch.values()))
        if isinstance(given, Mapping):
            return {name: value.numpy() for name, value in given.items()}
        values = given if isinstance(given, tuple | list) else (given,)
        if len(values) != len(names):
            raise ExportError(f"the module gives {len(values)} outputs, the graph {len(names)}: {', '.join(names)}")
        return {name: value.numpy() for name, value in zip(names, values, strict=True)}

    return run


def _hold(
    path: Path, outputs: dict[str, dict[str, Any]], measure: str, bar: float | Mapping[str, float] | None
) -> None:
    missed = []
    for name, row in outputs.items():
        limit = bar.get(name, bar.get(name.split("/")[0])) if isinstance(bar, Mapping) else bar
        if limit is not None:
            row[f"{measure}_bar"] = limit
            if not row[measure] <= limit:
                missed.append(
                    f"{name} {row[measure]:.3g} > {limit:g} (range {row['range'][0]:.3g}..{row['range'][1]:.3g})"
                )
    if missed:
        raise ExportError(f"{path.name} is not what it was exported from: {measure} of {'; '.join(missed)}")
