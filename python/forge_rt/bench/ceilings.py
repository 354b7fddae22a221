"""Ceilings of the machine, measured beside the benchmark: copy bandwidth and float32 multiply-add rate.

Measured in a child process, because the number of BLAS threads is fixed when NumPy loads. Units: bytes/s moved (read
plus written) and float32 operations/s (a multiply-add counts as two). The second is what NumPy's matrix product
reaches here, not what the processor could do at best: a kernel of ours may pass it.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable

import numpy as np

COPY_BYTES = 256 << 20  # beyond the last-level cache that one process gets
COPY_PART_BYTES = 32 << 20  # copied per timing: short, so that some timings are undisturbed on a shared machine
GEMM_SIZES = (512, 1024)
SECONDS = 0.5  # per ceiling
_THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def _best(calls: Iterable[Callable[[], object]], seconds: float) -> float:
    """Seconds of the fastest call: a ceiling is what the machine can do, not what it does on average."""
    best, end = float("inf"), time.perf_counter() + seconds
    for count, call in enumerate(calls):
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        if count > 0:  # the first one warms up
            best = min(best, now - start)
            if now >= end:
                break
    return best


def copy_bytes_per_s(
    threads: int, seconds: float = SECONDS, size: int = COPY_BYTES, part: int = COPY_PART_BYTES
) -> float:
    """Bytes read plus bytes written per second while `threads` threads copy disjoint parts of one array."""
    source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)  # ones: pages exist before the timing
    bounds = np.linspace(0, part, threads + 1).astype(int)

    def copy(first: int) -> None:
        workers = [  # np.copyto releases the GIL
            threading.Thread(
                target=np.copyto, args=(target[first + begin : first + end], source[first + begin : first + end])
            )
            for begin, end in itertools.pairwise(bounds[1:])
        ]
        for worker in workers:
            worker.start()
        np.copyto(target[first : first + bounds[1]], source[first : first + bounds[1]])
        for worker in workers:
            worker.join()

    firsts = itertools.cycle(range(0, size, part))
    return 2 * part / _best((functools.partial(copy, first) for first in firsts), seconds)


def gemm_flop_per_s(seconds: float = SECONDS, sizes: tuple[int, ...] = GEMM_SIZES) -> float:
    """float32 operations per second of square matrix products, with as many threads as BLAS was told."""
    rates = []
    for size in sizes:
        a, b = np.ones((size, size), np.float32), np.ones((size, size), np.float32)
        product = functools.partial(np.matmul, a, b, np.empty_like(a))
        rates.append(2.0 * size**3 / _best(itertools.repeat(product), seconds / len(sizes)))
    return max(rates)


def measure_ceilings(threads: int) -> dict[str, float]:
    """{"copy_bytes_per_s_<n>t", "fp32_flop_per_s_<n>t"} for n = 1 and n = `threads`."""
    ceilings: dict[str, float] = {}
    for count in sorted({1, threads}):
        environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(count))}
        command = [sys.executable, "-m", "forge_rt.bench.ceilings", str(count)]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        ceilings.update({f"{name}_{count}t": value for name, value in json.loads(answer).items()})
    return ceilings


if __name__ == "__main__":
    print(json.dumps({"copy_bytes_per_s": copy_bytes_per_s(int(sys.argv[1])), "fp32_flop_per_s": gemm_flop_per_s()}))
