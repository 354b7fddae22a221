"""Runs a generator's bundle in a process of its own: what it gives to an npz file, its peak memory to the standard output.

python run_generator.py BUNDLE INPUTS.npz OUTPUTS.npz THREADS
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import forge_rt as fr
import numpy as np


def peak_mb() -> float:
    """Of this program alone; ru_maxrss would begin with the peak of the process that started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmHWM in /proc/self/status")


def main(bundle: str, inputs: str, outputs: str, threads: str) -> None:
    fr.set_num_threads(int(threads))
    given = dict(np.load(inputs))
    start = peak_mb()
    began = time.perf_counter()
    generator = fr.Generator(bundle, threads=int(threads))
    loaded, load_s = peak_mb(), time.perf_counter() - began
    began = time.perf_counter()
    identity = generator.identity(given["z"], given["cameras"])
    head = generator.expression(identity, given["vertices"], given["landmarks"], keep_stages=True)
    view = generator.view(head, given["cameras"], features=True)
    sample_s = time.perf_counter() - began
    made = {
        "ws": identity.ws,
        "texture": identity.texture,
        "static_planes": identity.static_planes,
        **head.stages,
        "planes": head.planes,
        "features": view.features,
        "depth": view.depth,
        "weight": view.weight,
        "image": view.image,
    }
    np.savez(outputs, **{name: np.asarray(value) for name, value in made.items()})
    print(
        json.dumps(
            {
                "peak_rss_mb": {"start": start, "loaded": loaded, "sample": peak_mb()},
                "load_s": load_s,
                "first_sample_s": sample_s,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
