"""`forge-rt bench stages`: what each stage of a Next3D of the published size costs, engine and PyTorch definition in turns.

The definition is `forge_rt.export.models.next3d` in eager mode; both get the same threads. Weights come from a seed: times of
convolutions do not depend on them. Parity first, on the inputs that are timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import forge_rt as fr
from forge_rt.backend import Session
from forge_rt.bench import full_model
from forge_rt.bench.full_model import Case, share_of_largest
from forge_rt.bench.harness import Contestant, Run, engine_settings
from forge_rt.bench.machine import usable_cores

#: no stage may be slower than the definition
VS_EAGER = 1.0
#: spec/next3d §14, for one image
GMAC = {"texture": 45.56, "static": 46.55, "mouth": 68.04, "blend": 124.15, "super_resolution": 98.0, "render": 1.64}


def run(run: Run) -> None:
    if reason := full_model.missing():
        run.skip("stages_vs_torch", ">=", VS_EAGER, reason)
        return
    import torch

    threads = min(usable_cores(), 8)
    run.problem = {
        "model": "Next3D, FFHQ-512",
        "batch": 1,
        "weights": f"seed {full_model.SEED}",
        "torch": torch.__version__,
    }
    with full_model.full_case(threads) as case, engine_settings(threads=threads), torch.inference_mode():
        run.problem["parameters"] = sum(p.numel() for p in case.model.parameters())
        pairs = _pairs(case, threads)
        for name, (ours, theirs, bar) in pairs.items():
            run.parity(f"stage_{name}_error", share_of_largest(ours(), theirs()), bar, "of the largest value")
        run.require_parity()
        for name, (ours, theirs, _) in pairs.items():
            work = f"{GMAC[name]:g} GMAC" if name in GMAC else ""
            a = Contestant(f"forge_rt_{name}", work, ours, unit="image", threads=threads, calls_per_turn=1)
            b = Contestant(f"torch_{name}", "eager", theirs, unit="image", threads=threads, calls_per_turn=1)
            timings = run.compare(a, b, rounds=5, warm_up=1)
            run.check(f"stage_{name}_vs_torch", timings.ratio(b.name, a.name), ">=", VS_EAGER)


Pair = tuple[Callable[[], Any], Callable[[], Any], float]


def _pairs(case: Case, threads: int) -> dict[str, Pair]:
    """Stage → engine's call, definition's call, bar of the error."""
    import torch

    from forge_rt.export.generators.proof import normal_inputs
    from forge_rt.export.generators.stages import stages

    pairs: dict[str, Pair] = {}
    for stage in stages(case.model):
        session = Session(case.bundle / stage.file, threads=threads)
        given = normal_inputs(session, 1)
        tensors = [torch.from_numpy(x) for x in given.values()]
        pairs[stage.name] = (
            partial(_graph, session, given),
            partial(_module, stage.module, tensors),
            full_model.STAGE_ERROR,
        )
    rng = np.random.default_rng(full_model.SEED)
    config = case.model.config
    coarse = torch.from_numpy(rng.standard_normal((3, config.plane_channels, 16, 16)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (256, 256), mode="bilinear", align_corners=False)
    planes = smooth[None].numpy()
    decoder = fr.TriPlaneDecoder(
        *(
            p.detach().numpy()
            for k in (0, 2)
            for p in (case.model.decoder.net[k].weight, case.model.decoder.net[k].bias)
        )
    )
    last = fr.planes_from_nchw(planes.reshape(1, -1, 256, 256))
    nchw, camera = torch.from_numpy(planes), case.cameras[:1]
    rendering = config.rendering
    memory = fr.volume_render(last, decoder, camera, resolution=64)
    uniforms = _middle(64 * 64, rendering.depth_resolution, rendering.depth_resolution_importance)

    def ours() -> np.ndarray:
        out = fr.volume_render(
            last, decoder, camera, resolution=64, coarse=rendering.depth_resolution,
            fine=rendering.depth_resolution_importance, u_coarse=uniforms[0], u_fine=uniforms[1],
            ray_range=(rendering.ray_start, rendering.ray_end), out=memory,
        )  # fmt: skip
        return np.asarray(out.features)

    pairs["render"] = (
        ours,
        lambda: case.model.render(nchw, torch.from_numpy(camera), resolution=64).features.numpy(),
        full_model.RENDER_ERROR,
    )
    return pairs


def _graph(session: Session, given: dict[str, np.ndarray]) -> np.ndarray:
    return next(iter(session.run(given).values())).numpy()


def _module(module: Any, tensors: list[Any]) -> np.ndarray:
    return module(*tensors).numpy()


def _middle(rays: int, coarse: int, fine: int) -> tuple[np.ndarray, np.ndarray]:
    """Random numbers of the deterministic rendering, in the op's shapes."""
    quantiles = (np.arange(fine, dtype=np.float32) + np.float32(0.5)) / np.float32(fine)
    return np.full((1, rays, coarse), 0.5, np.float32), np.ascontiguousarray(
        np.broadcast_to(quantiles, (1, rays, fine))
    )
