"""Benchmarks that prove the numbers we publish: `forge-rt bench --list`; results in docs/reference/benchmarks.md."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from forge_rt.bench.harness import Options, Result, Run, execute

__all__ = ["BENCHMARKS", "Benchmark", "Options", "Result", "Run", "run"]


@dataclass(frozen=True)
class Benchmark:
    """A name, one sentence, and the module whose `run(Run)` does the work (imported when it is asked for)."""

    name: str
    summary: str
    module: str


BENCHMARKS = {
    b.name: b
    for b in (
        Benchmark(
            "raster",
            "10,000-face head to 512 x 512 ids, depth and labels, against OpenCV's painter and a NumPy z-buffer",
            "forge_rt.bench.raster",
        ),
        Benchmark(
            "lbs",
            "32 heads of 5,023 vertices from 400 shape and 36 pose components, against batched NumPy",
            "forge_rt.bench.lbs",
        ),
        Benchmark(
            "forgehead",
            "ForgeHead images of 512 x 512 with labels, depth and landmarks; steady memory; faces that Haar finds",
            "forge_rt.bench.forgehead",
        ),
        Benchmark(
            "encode",
            "PNG of masks and 16-bit depth against cv2.imwrite, tars against Python's tarfile",
            "forge_rt.bench.encode",
        ),
        Benchmark(
            "faces",
            "faces-mini on crops and 720p frames, against onnxruntime + OpenCV from Python with the same network",
            "forge_rt.bench.faces",
        ),
        Benchmark(
            "render",
            "tri-plane volume rendering, 64 x 64 and 128 x 128 rays of 48 + 48 samples, against PyTorch",
            "forge_rt.bench.render",
        ),
        Benchmark(
            "stages",
            "networks of Next3D at the size of FFHQ-512, stage by stage, against their PyTorch definitions",
            "forge_rt.bench.stages",
        ),
        Benchmark(
            "e2e",
            "whole samples of Next3D at the size of FFHQ-512 and eight views of one head, against the PyTorch definition",
            "forge_rt.bench.e2e",
        ),
        Benchmark(
            "production",
            "a data set of 300 samples against the renderer alone; 20,000 small samples with flat memory",
            "forge_rt.bench.production",
        ),
    )
}


def run(name: str, options: Options | None = None) -> Result:
    """Runs one benchmark by name. Raises NotFoundError for a name that does not exist."""
    from forge_rt import NotFoundError

    if name not in BENCHMARKS:
        raise NotFoundError(f"no benchmark is called '{name}'; there are: {', '.join(BENCHMARKS)}")
    benchmark = BENCHMARKS[name]
    return execute(benchmark.name, benchmark.summary, importlib.import_module(benchmark.module).run, options)
