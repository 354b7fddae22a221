"""`forge-rt bench e2e`: whole samples of a Next3D of the published size, and eight views of one head.

Contestants in turns: `forge_rt.Generator`, and `forge_rt.export.models.next3d` in eager mode with the same head, cameras and random
numbers. Both keep what eight views share: styles, texture and planes are made once. What a run of eight views should gain follows from the
times of the three levels in the same run; the bar says how much of that must arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import forge_rt as fr
from forge_rt.bench import full_model
from forge_rt.bench.full_model import Case, share_of_largest
from forge_rt.bench.harness import Contestant, Run, Timings, engine_settings
from forge_rt.bench.machine import usable_cores
from forge_rt.generator import Generator

VS_EAGER = 1.6
SHARE_OF_PREDICTION = 0.9
MINI, MINI_RATE, MINI_COUNT = "next3d-mini", 4.0, 48  #: samples a second through `generate`
VIEWS = 8


def run(run: Run) -> None:
    threads = min(usable_cores(), 8)
    _mini(run)
    if reason := full_model.missing():
        run.skip("e2e_vs_torch", ">=", VS_EAGER, reason)
        run.skip("e2e_8_views_share_of_prediction", ">=", SHARE_OF_PREDICTION, reason)
        return
    import torch

    run.problem |= {
        "model": "Next3D, FFHQ-512", "rays": "64 x 64", "samples": "48 + 48", "weights": f"seed {full_model.SEED}", "views": VIEWS,
        "torch": torch.__version__,
    }  # fmt: skip
    with full_model.full_case(threads) as case, engine_settings(threads=threads), torch.inference_mode():
        ours, theirs = Engine(case, threads), Definition(case)
        got, want = ours.sample(), theirs.sample()
        run.parity(
            "e2e_image_error", share_of_largest(got.image, want.image), full_model.IMAGE_ERROR, "of the largest value"
        )
        run.parity("e2e_features_error", share_of_largest(got.features, want.features), full_model.IMAGE_ERROR, "")
        solid = want.weight.numpy() > 1e-3
        depth = np.abs(np.asarray(got.depth) - want.depth.numpy())[solid]
        run.parity(
            "e2e_depth_error", float(depth.max(initial=0)), 5e-4, "generator units, where the weight is above 1e-3"
        )
        run.require_parity()
        run.problem["mean opacity"] = round(float(want.weight.mean()), 3)

        def pair(
            name: str,
            what: str,
            images: int,
            mine: Callable[[], Any],
            other: Callable[[], Any],
            rounds: int,
            calls: int = 1,
        ) -> Timings:
            return run.compare(
                Contestant(f"forge_rt_{name}", what, mine, images, "image", threads, calls_per_turn=calls),
                Contestant(f"torch_{name}", f"{what}, eager", other, images, "image", threads, calls_per_turn=calls),
                rounds=rounds, warm_up=1 if images == 1 else 0,
            )  # fmt: skip

        # Views follow each other where the prediction is about, and the fifth is faster than the first (PyTorch keeps its memory).
        levels = {
            name: pair(name, what, 1, getattr(ours, name), getattr(theirs, name), 3, calls)
            for name, what, calls in (
                ("identity", "styles, texture, static planes", 1),
                ("expression", "views of the mesh, mouth, blending", 1),
                ("view", "volume rendering, super-resolution", 5),
            )
        }
        whole = pair("sample", "a whole image", 1, ours.sample, theirs.sample, 3)
        run.check("e2e_vs_torch", whole.ratio("torch_sample", "forge_rt_sample"), ">=", VS_EAGER)
        views = pair("8_views", "eight views of one head", VIEWS, ours.views, theirs.views, 2)
        measured = views.ratio("torch_8_views", "forge_rt_8_views")
        predicted = _predicted(levels)
        run.problem["predicted ratio of 8 views"] = round(predicted, 3)
        run.check(
            "e2e_8_views_share_of_prediction", measured / predicted, ">=", SHARE_OF_PREDICTION,
            f"{measured:.2f} measured, {predicted:.2f} from the levels of this run",
        )  # fmt: skip


def _predicted(levels: dict[str, Timings]) -> float:
    """Ratio of eight views, from medians of the levels."""
    total = {"torch": 0.0, "forge_rt": 0.0}
    for name, timings in levels.items():
        for who in total:
            total[who] += (VIEWS if name == "view" else 1) * float(
                np.median(np.concatenate(timings.rounds[f"{who}_{name}"]))
            )
    return total["torch"] / total["forge_rt"]


class Engine:
    """The levels of the engine; identity and expression are kept for the calls that need them."""

    def __init__(self, case: Case, threads: int) -> None:
        self.case, self.generator = case, Generator(case.bundle, threads=threads)
        self.kept = self.identity()
        self.head = self.expression()

    def identity(self) -> Any:
        return self.generator.identity(self.case.z, self.case.cameras[:1])

    def expression(self) -> Any:
        return self.generator.expression(self.kept, self.case.vertices, self.case.landmarks)

    def view(self, head: Any = None) -> Any:
        return self.generator.view(head or self.head, self.case.cameras[:1], features=True)

    def sample(self) -> Any:
        identity = self.identity()
        return self.view(self.generator.expression(identity, self.case.vertices, self.case.landmarks))

    def views(self) -> Any:
        identity = self.identity()
        head = self.generator.expression(identity, self.case.vertices, self.case.landmarks)
        return self.generator.view(head, self.case.cameras)


class Definition:
    """The same with PyTorch, image by image: a batch of eight needs 1.6 GB more and is not faster on a CPU."""

    def __init__(self, case: Case) -> None:
        import torch

        self.case, self.model = case, case.model
        self.z, self.cameras = torch.from_numpy(case.z), torch.from_numpy(case.cameras)
        self.kept = self.identity()
        self.planes = self.expression()

    def identity(self) -> Any:
        return self.model.identity(self.z, self.cameras[:1], psi=0.7, cutoff=self.model.num_static_ws)

    def expression(self, identity: Any = None) -> Any:
        return self.model.expression(identity or self.kept, self.case.views())

    def view(self, i: int = 0, planes: Any = None, ws: Any = None) -> Any:
        planes, ws = self.planes if planes is None else planes, self.kept.ws if ws is None else ws
        return self.model.view(planes, ws, self.cameras[i : i + 1])

    def sample(self) -> Any:
        identity = self.identity()
        return self.view(0, self.expression(identity), identity.ws)

    def views(self) -> Any:
        identity = self.identity()
        planes = self.expression(identity)
        return [self.view(i, planes, identity.ws) for i in range(VIEWS)]


def _mini(run: Run) -> None:
    """next3d-mini through `generate`, pictures and records on the disk."""
    try:
        fr.bundles.find(MINI)
    except fr.NotFoundError:
        run.skip("next3d_mini_samples_per_s", ">=", MINI_RATE, f"the package has no {MINI}")
        return
    with TemporaryDirectory(prefix="forge-rt-bench-") as folder:
        plan = fr.Plan(count=MINI_COUNT, seed=full_model.SEED, model=MINI, size=256)
        made = iter(range(1 << 20))
        ours = Contestant(
            "forge_rt_mini", "next3d-mini, 256 x 256, through generate",
            lambda: fr.generate(plan, Path(folder) / str(next(made))), MINI_COUNT, "image", fr.num_threads(), calls_per_turn=1,
        )  # fmt: skip
        run.compare(ours, rounds=3, warm_up=1)
    run.check(
        "next3d_mini_samples_per_s",
        run.rows[-1].items_per_s,
        ">=",
        MINI_RATE,
        "pictures, records and hashes on the disk",
    )
