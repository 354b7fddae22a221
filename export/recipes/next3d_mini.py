"""Trains next3d-mini: a Next3D of two million weights that learns ForgeHead from the teacher's pictures, distances and classes.

    python -m forge_rt.export.recipes.next3d_mini --out run               # goes on where it stopped when called again
    python -m forge_rt.export.recipes.next3d_mini_report --run run        # numbers and a contact sheet

Phases: the mapping network learns the teacher's numbers (five minutes, nothing is rendered); 128² pictures; 256² pictures; the same with a
falling rate. Every step is a function of (seed, step), the weights and the teacher. Design: docs/design/next3d_mini.md.
"""

from __future__ import annotations

import argparse
import copy
import csv
import io
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from forge_rt import InvalidArgumentError
from forge_rt.production.files import write_atomically
from torch import nn

from ..models.next3d import Next3D, Uniforms
from . import next3d_mini_losses as losses
from . import next3d_mini_net as mini
from .curve import draw
from .fit import check_identity
from .next3d_mini_data import Batch, Source, collate, rows_of
from .next3d_teacher import TeacherConfig

LAST, AVERAGE = "last.pt", "average.pt"
MAPPING_SHARE = 0.1  # of the learning rate: the mapping network knows its codes before anything is rendered, and shall not forget them
WARM_UP = 50  # steps of a phase that starts with new weights
KEEP_EVERY = 100  # steps between checkpoints
ROW_EVERY = 25  # … between rows of the curve; divides the former
HELD_OUT = 900_001  # the teacher's seed for reports; training uses others


@dataclass(frozen=True)
class Phase:
    name: str
    size: int  #: of pictures
    images: int
    highest: float  #: learning rate
    lowest: float = 1.0  #: share of it that a cosine ends at
    decay: float = 0.99  #: of the moving average
    detail: float = 1.0  #: what pixels of brows, eyes and lips count
    depth: float = 5.0
    guided: bool = True  #: fine samples near the teacher's surface instead of where the network is opaque
    again: bool = False  #: starts from the averaged weights, with a warm-up


PHASES = (
    Phase("128", 128, 14000, 2e-2, lowest=0.5),
    Phase("256", 256, 8000, 1.5e-2, decay=0.995, detail=6.0),
    Phase("cool", 256, 20000, 1.5e-2, lowest=0.02, decay=0.998, detail=6.0, depth=10.0),
)


def lengths(images: Sequence[int]) -> tuple[Phase, ...]:
    """PHASES of so many images. What goes beyond are further rounds of the last: a finished run goes on when there is time for more."""
    if len(images) < len(PHASES):
        raise ValueError(images)
    rounds = [replace(PHASES[-1], again=True)] * (len(images) - len(PHASES))
    return tuple(replace(p, images=n) for p, n in zip((*PHASES, *rounds), images, strict=True))


@dataclass(frozen=True)
class Plan:
    seed: int = 0
    width: str = "M"
    heads: int = 4  #: of one step, over all processes
    views: int = 1  #: of a head, which share its planes; more heads teach more than more views, at equal time
    samples: int = 16  #: coarse and as many fine ones of a ray
    half: bool = True  #: bfloat16 convolutions
    mapping_steps: int = 60000  #: of 256 codes
    passes: int = 3  #: how often a sample of the teacher is seen
    shard: int = 100
    phases: tuple[Phase, ...] = field(default=PHASES)

    @property
    def batch(self) -> int:
        return self.heads * self.views

    def identity(self) -> dict:
        """What a run is made of; the lengths of its phases may change until they begin."""
        return {
            "network": "next3d-mini", "seed": self.seed, "width": self.width, "heads": self.heads, "views": self.views,
            "samples": self.samples, "half": self.half, "mapping_steps": self.mapping_steps,
        }  # fmt: skip

    def teacher(self, size: int) -> TeacherConfig:
        return TeacherConfig(size, size // 4, size // 2, self.views, vertices=False)

    def pool(self, size: int) -> int:
        """Samples of the teacher of this size: whole shards."""
        images = sum(p.images for p in self.phases if p.size == size)
        return max(-(-images // (self.passes * self.shard)), 1) * self.shard

    def validate(self) -> None:
        if self.width not in mini.WIDTHS:
            raise InvalidArgumentError(f"width must be one of {', '.join(mini.WIDTHS)}, got {self.width!r}")
        if self.shard % self.views:
            raise InvalidArgumentError(f"shard must be a multiple of views, got {self.shard} and {self.views}")


def rate(phase: Phase, step: int, steps: int, warm: bool) -> float:
    rise = min((step + 1) / WARM_UP, 1.0) if warm else 1.0
    fall = phase.lowest + (1 - phase.lowest) * (0.5 + 0.5 * math.cos(math.pi * step / max(steps, 1)))
    return phase.highest * rise * fall


class Trainer:
    """The state of a run: weights, their average, Adam, and where it is. Rank `rank` of `ranks` takes its share of every step's heads."""

    def __init__(self, plan: Plan, out: Path, data: Path, device: torch.device, rank: int = 0, ranks: int = 1) -> None:
        plan.validate()
        if plan.heads % ranks:
            raise InvalidArgumentError(f"heads must be a multiple of processes, got {plan.heads} and {ranks}")
        self.plan, self.out, self.data, self.device, self.rank, self.ranks = plan, out, data, device, rank, ranks
        self.phase = self.step = self.total = 0
        self.seen: dict[str, int] = {}  #: picture size → samples taken from its cache
        self.net: Next3D
        self.average: Next3D
        self.adam: torch.optim.Adam
        held = out / LAST
        self.fresh = not held.exists()
        if not self.fresh:
            self._load(torch.load(held, map_location="cpu", weights_only=True))
        else:
            self._use(mini.fresh(self._config(0), plan.seed))

    # ---- state ----

    def _config(self, phase: int):
        return mini.config(self.plan.phases[phase].size, self.plan.width, self.plan.samples)

    def _use(self, net: Next3D) -> None:
        self.net = net.to(self.device)
        if self.plan.half:
            self.net.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        mapping = [p for name, p in self.net.named_parameters() if ".mapping." in name]
        others = [p for name, p in self.net.named_parameters() if ".mapping." not in name]
        groups = [{"params": others, "share": 1.0}, {"params": mapping, "share": MAPPING_SHARE}]
        self.adam = torch.optim.Adam(groups, 1e-3, betas=(0.9, 0.99), foreach=True)
        self.young = 0  #: steps of the average

    def _load(self, held: dict) -> None:
        self.phase, self.step, self.total, self.seen = held["phase"], held["step"], held["total"], held["seen"]
        self._use(mini.fresh(self._config(self.phase), 0))
        self.net.load_state_dict(held["net"])
        self.average.load_state_dict(held["average"])
        self.adam.load_state_dict(held["adam"])
        self.young = held["young"]

    def save(self) -> None:
        if self.rank:
            return
        held = {
            "phase": self.phase, "step": self.step, "total": self.total, "seen": self.seen, "young": self.young,
            "net": self.net.state_dict(), "average": self.average.state_dict(), "adam": self.adam.state_dict(),
        }  # fmt: skip
        for name, value in (
            (LAST, held),
            (AVERAGE, {"size": self.net.config.neural_rendering_resolution * 4, "net": held["average"]}),
        ):
            file = io.BytesIO()
            torch.save(value, file)
            write_atomically(self.out / name, file.getvalue())

    # ---- running ----

    def learn_mapping(self) -> None:
        began = time.perf_counter()
        r2 = mini.teach_mapping(self.net, self.plan.mapping_steps, self.plan.seed)
        self.average.load_state_dict(self.net.state_dict())
        if not self.rank:
            print(
                f"mapping: R² {r2:.3f} after {self.plan.mapping_steps * 256} codes, {time.perf_counter() - began:.0f} s",
                flush=True,
            )

    def advance(self) -> bool:
        """Moves on to the next phase when this one is over. False: there is none."""
        while self.step * self.plan.batch >= self.plan.phases[self.phase].images:
            if self.phase + 1 == len(self.plan.phases):
                return False
            before = self.plan.phases[self.phase]
            self.phase, self.step = self.phase + 1, 0
            if self.plan.phases[self.phase].size != before.size:
                small, averaged = self.net.cpu(), self.average.cpu()
                self._use(mini.fresh(self._config(self.phase), self.plan.seed))
                mini.grow(small, self.net)
                mini.grow(averaged, self.average)
            if self.plan.phases[self.phase].again:
                self.net.load_state_dict(self.average.state_dict())
                self.young = 0
        return True

    def batch(self, source: Source) -> Batch:
        phase, plan = self.plan.phases[self.phase], self.plan
        rows = rows_of(self.seen.get(str(phase.size), 0), plan.batch, plan.pool(phase.size), plan.views, plan.seed)
        rows = rows.reshape(self.ranks, -1)[self.rank]
        return collate(source.read(rows), plan.views, phase.detail).to(self.device)

    def uniforms(self, count: int) -> Uniforms:
        """A function of (seed, step, rank)."""
        state = np.random.SeedSequence([self.plan.seed, self.total, self.rank]).generate_state(1, np.uint64)[0]
        random = torch.Generator().manual_seed(int(state))
        rays = self.net.config.neural_rendering_resolution**2
        return Uniforms.draw(count, rays, self.net.config.rendering, random).to(self.device)

    def train_step(self, batch: Batch) -> dict[str, float]:
        phase = self.plan.phases[self.phase]
        image, rendered = mini.forward(
            self.net, batch, self.uniforms(len(batch.camera)), guided=phase.guided, half=self.plan.half
        )
        loss, parts = losses.total(image, rendered, batch, losses.Weights(depth=phase.depth))
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {self.total}; lower the learning rate")
        self.adam.zero_grad()
        loss.backward()
        self._average_gradients()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        steps = phase.images // self.plan.batch
        started_new = self.phase == 0 or phase.again or self.plan.phases[self.phase - 1].size != phase.size
        self.rate = rate(phase, self.step, steps, started_new)
        for group in self.adam.param_groups:
            group["lr"] = self.rate * group["share"]
        self.adam.step()
        self._average_weights(phase.decay)
        self.step, self.total = self.step + 1, self.total + 1
        self.seen[str(phase.size)] = self.seen.get(str(phase.size), 0) + self.plan.batch
        return {"loss": loss.item(), **{k: v.item() for k, v in parts.items()}}

    def _average_gradients(self) -> None:
        for parameter in self.net.parameters():
            if parameter.grad is None:  # noise strengths: noise is off
                parameter.grad = torch.zeros_like(parameter)
        if self.ranks == 1:
            return
        flat = torch.cat([p.grad.reshape(-1) for p in self.net.parameters()])  # type: ignore[union-attr]
        torch.distributed.all_reduce(flat)
        flat /= self.ranks
        at = 0
        for p in self.net.parameters():
            p.grad.copy_(flat[at : at + p.numel()].view_as(p))  # type: ignore[union-attr]
            at += p.numel()

    @torch.no_grad()
    def _average_weights(self, decay: float) -> None:
        """Young averages forget faster, so that they do not remember the start."""
        self.young += 1
        share = 1 - min(decay, (1 + self.young) / (10 + self.young))
        ours, theirs = list(self.average.parameters()), list(self.net.parameters())
        torch._foreach_lerp_(ours, theirs, share)


class Curve:
    """curve.csv: means since the row before. A resumed run goes on after its checkpoint."""

    def __init__(self, path: Path, batch: int, start: int) -> None:
        self.path, self.batch = path, batch
        if path.exists():
            rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [r for r in rows if not r[0].isdigit() or int(r.split(",")[0]) <= start]
            path.write_text("".join(kept), encoding="utf-8")
        self.sums: dict[str, float] = {}
        self.count, self.since = 0, time.monotonic()

    def add(self, step: int, phase: str, rate: float, parts: dict[str, float]) -> None:
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        if step % ROW_EVERY:
            return
        now = time.monotonic()
        row = {
            "step": step,
            "samples_per_s": round(self.count * self.batch / (now - self.since), 2),
            "lr": f"{rate:.3g}",
        }
        row |= {k: f"{v / self.count:.5g}" for k, v in self.sums.items()}
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(phase, "  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
        self.sums, self.count, self.since = {}, 0, now


def train(
    plan: Plan,
    out: Path,
    data: Path | None = None,
    *,
    writers: int = 1,
    minutes: float = math.inf,
    steps: int | None = None,
    device: str = "cpu",
    rank: int = 0,
    ranks: int = 1,
) -> Trainer:
    """Goes on for `minutes` or until `steps` steps are done in all; what is done stays in `out`. Caches of the teacher lie in `data`."""
    began = time.monotonic()
    data = data or out / "teacher"
    if not rank:
        out.mkdir(parents=True, exist_ok=True)
        check_identity(out, plan.identity())
    trainer = Trainer(plan, out, data, torch.device(device), rank, ranks)
    curve = Curve(out / "curve.csv", plan.batch, trainer.total) if not rank else None
    if trainer.fresh:
        trainer.learn_mapping()
        trainer.save()
    source: Source | None = None
    size = None
    try:
        while trainer.advance():
            phase = plan.phases[trainer.phase]
            if source is None or phase.size != size:
                if source is not None:
                    source.stop()
                size, source = phase.size, Source(data / str(phase.size), plan.shard)
                if not rank:
                    source.start(plan.teacher(size), plan.seed + 1, plan.pool(size), writers)
            parts = trainer.train_step(trainer.batch(source))
            if curve is not None:
                curve.add(trainer.total, phase.name, trainer.rate, parts)
            over = _over(time.monotonic() - began > 60 * minutes or trainer.total == steps, ranks)
            if over or trainer.total % KEEP_EVERY == 0:
                trainer.save()
            if over:
                break
        else:
            trainer.save()
    finally:
        if source is not None:
            source.stop()
    if curve is not None and curve.path.exists():
        (out / "curve.svg").write_text(draw(curve.path), encoding="utf-8")
    return trainer


def _over(mine: bool, ranks: int) -> bool:
    """All stop after the same step."""
    if ranks == 1:
        return mine
    flag = torch.tensor([float(mine)])
    torch.distributed.all_reduce(flag)
    return bool(flag.item())


def _process(rank: int, plan: Plan, options: dict, ranks: int, threads: int, store: str) -> None:
    torch.set_num_threads(threads)
    if ranks > 1:
        torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)
    train(plan, **options, rank=rank, ranks=ranks)


def run(plan: Plan, options: dict, processes: int, threads: int) -> None:
    """Processes with averaged gradients use two cores better than two threads of one."""
    if processes == 1:
        _process(0, plan, options, 1, threads, "")
        return
    options["out"].mkdir(parents=True, exist_ok=True)
    store = options["out"].resolve() / f".gloo-{os.getpid()}"
    try:
        torch.multiprocessing.spawn(_process, (plan, options, processes, threads, str(store)), processes)
    finally:
        store.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    plan = Plan()
    add("--out", type=Path, required=True, help="folder of the run; called again, it goes on")
    add("--data", type=Path, help="folder of the teacher's samples (default: OUT/teacher)")
    add(
        "--images",
        default=",".join(str(p.images) for p in PHASES),
        help="of each phase, which may change before it ends; further numbers are rounds of the last one from averaged weights",
    )
    add("--seed", type=int, default=plan.seed)
    add("--width", choices=mini.WIDTHS, default=plan.width)
    add("--heads", type=int, default=plan.heads, help="heads of a step")
    add("--views", type=int, default=plan.views, help="views of each")
    add("--samples", type=int, default=plan.samples)
    add("--passes", type=int, default=plan.passes, help="how often a sample is seen")
    add("--full", action="store_true", help="float32 convolutions")
    add("--minutes", type=float, default=math.inf, help="stop after that time")
    add("--steps", type=int, help="stop after so many steps in all")
    add("--processes", type=int, default=1, help="they share the heads of a step")
    add("--threads", type=int, default=1, help="of each")
    add("--writers", type=int, default=1, help="processes that run the teacher")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(arguments)
    try:
        phases = lengths([int(n) for n in args.images.split(",")])
    except ValueError:
        parser.error(f"--images takes {len(PHASES)} numbers or more, got {args.images}")
    plan = Plan(
        seed=args.seed, width=args.width, heads=args.heads, views=args.views, samples=args.samples, half=not args.full,
        passes=args.passes, phases=phases,
    )  # fmt: skip
    options = {"out": args.out, "data": args.data, "minutes": args.minutes, "steps": args.steps, "writers": args.writers, "device": args.device}  # fmt: skip
    run(plan, options, args.processes, args.threads)


if __name__ == "__main__":
    main()
