"""What all recipes share: seeded batches that a resumed run continues exactly, a schedule that can be prolonged, curves, checkpoints."""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from forge_rt import InvalidArgumentError
from forge_rt.production.files import write_atomically
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from .curve import draw

RUN, LAST = "run.json", "last.ckpt"
WARM_UP = 200  # steps
COOL_DOWN = 0.35  # share of the steps
Batch = dict[str, torch.Tensor]


class Batches(Dataset[Batch]):
    """Batch `step` is a function of (seed, step) alone, so a resumed run sees what an uninterrupted one would."""

    def __init__(self, make: Callable[[np.random.Generator], Batch], seed: int, steps: int) -> None:
        self._make, self._seed, self._steps = make, seed, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        import cv2

        cv2.setNumThreads(1)
        return self._make(np.random.default_rng([self._seed, step]))


class Steps(Sampler[int]):
    """start … steps - 1. It counts as `steps` long: Lightning, which restores its place in the epoch, would end a shorter one too soon."""

    def __init__(self, start: int, steps: int) -> None:
        self._start, self._steps = start, steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._start, self._steps))


def learning_rate(step: int, steps: int, highest: float) -> float:
    """Warm-up, plateau, linear cool-down. A run that is prolonged before its cool-down loses nothing."""
    rise = min((step + 1) / WARM_UP, 1.0)
    fall = min((steps - step) / max(COOL_DOWN * steps, 1), 1.0)
    return highest * rise * max(fall, 0.0)


def moving_average(decay: float) -> Callable[..., None]:
    """Exponential; young averages forget faster, so that they do not remember the start."""

    def update(average: list[torch.Tensor], current: list[torch.Tensor], count: torch.Tensor) -> None:
        n = float(count)
        weight = 1 - min(decay, (1 + n) / (10 + n))
        for old, new in zip(average, current, strict=True):
            old.lerp_(new, weight) if old.is_floating_point() else old.copy_(new)  # counters of batch norms are whole

    return update


class Recipe(L.LightningModule):
    """A network, its moving average (what is shipped), one loss."""

    def __init__(
        self, net: nn.Module, steps: int, highest: float, decay: float = 0.998, weight_decay: float = 0.02
    ) -> None:
        super().__init__()
        self.net = net
        self.steps, self.highest, self.weight_decay = steps, highest, weight_decay
        self.average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=moving_average(decay), use_buffers=True)

    def begin_with(self, weights: Path) -> str:
        """Starts from `weights` (average.pt of another run of this network) instead of random ones; their SHA-256. Raises
        InvalidArgumentError when they are of another network."""
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            self.net.load_state_dict(state)
        except (OSError, RuntimeError, pickle.UnpicklingError, AttributeError, TypeError) as error:
            raise InvalidArgumentError(f"{weights} does not hold weights of this network: {error}") from error
        self.average.module.load_state_dict(state)
        return hashlib.sha256(weights.read_bytes()).hexdigest()

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss and its parts, for the curve."""
        raise NotImplementedError

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        total, parts = self.loss(batch)
        self.parts = {"loss": total.detach(), **{k: v.detach() for k, v in parts.items()}}
        if not torch.isfinite(total):
            raise FloatingPointError(f"the loss is {total.item()} at step {self.global_step}; lower the learning rate")
        return total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(self.global_step, self.steps, self.highest)

    def optimizer_step(self, *args: Any, **options: Any) -> None:
        """The average moves with the step, before a checkpoint can be written."""
        super().optimizer_step(*args, **options)
        self.average.update_parameters(self.net)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        plain = [p for p in self.net.parameters() if p.ndim < 2]
        decayed = [p for p in self.net.parameters() if p.ndim >= 2]
        return torch.optim.AdamW(
            [{"params": decayed, "weight_decay": self.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            self.highest,
        )


class Curve(Callback):
    """curve.csv: step, learning rate, samples/s and the loss's parts, means since the row before. A resumed run goes on after its checkpoint."""

    def __init__(self, path: Path, batch: int, start: int, every: int = 50) -> None:
        self._path, self._batch, self._every = path, batch, every
        self._sums: dict[str, float] = {}
        self._count = 0
        self._since = time.monotonic()
        if path.exists():  # rows of steps that were lost with a crash
            rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text(
                "".join(r for r in rows if not r[0].isdigit() or int(r.split(",")[0]) <= start), encoding="utf-8"
            )

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        for name, value in module.parts.items():  # type: ignore[attr-defined]
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._count += 1
        if trainer.global_step % self._every == 0:
            self._write(trainer)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if self._count:
            self._write(trainer)

    def _write(self, trainer: L.Trainer) -> None:
        now = time.monotonic()
        row = {
            "step": trainer.global_step,
            "lr": f"{trainer.optimizers[0].param_groups[0]['lr']:.3e}",
            "samples_per_s": f"{self._count * self._batch / (now - self._since):.1f}",
            **{k: f"{v / self._count:.4f}" for k, v in self._sums.items()},
        }
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
        self._sums, self._count, self._since = {}, 0, now


def check_identity(out: Path, identity: Mapping[str, Any]) -> None:
    """run.json says what a run is made of; a resumed run must be made of the same. `steps` may change."""
    path = out / RUN
    if not path.exists():
        if (out / LAST).exists():
            raise InvalidArgumentError(f"{out} holds a checkpoint without {RUN}; choose another --out")
        write_atomically(path, (json.dumps(identity, indent=1) + "\n").encode())
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    for name in sorted({*there, *identity}):
        if there.get(name) != identity.get(name):
            raise InvalidArgumentError(
                f"the run in {out} was started with {name} {there.get(name)}, now it is {identity.get(name)}; "
                "go on with the old value, or choose another --out"
            )


def fit(
    recipe: Recipe,
    make: Callable[[np.random.Generator], Batch],
    out: Path,
    *,
    identity: Mapping[str, Any],
    workers: int,
    start: Path | None = None,
) -> Recipe:
    """Trains, or goes on where the run in `out` stopped. Checkpoints every 200 steps; the average ends up in `out`/average.pt.

    identity  what decides every batch besides `make` itself: network, "seed", "batch", data. Kept in run.json; raises InvalidArgumentError
              when the run in `out` was started with another one, or is beyond the recipe's steps.
    start     weights to begin with (`Recipe.begin_with`); their hash becomes a part of the identity
    """
    if start is not None:
        identity = {**identity, "start": recipe.begin_with(start)}
    out.mkdir(parents=True, exist_ok=True)
    check_identity(out, identity)
    last = out / LAST
    resume = last if last.exists() else None
    held = (
        torch.load(last, map_location="cpu", weights_only=False) if resume else {}
    )  # a file of ours, not a stranger's
    start = int(held.get("global_step", 0))
    if start > recipe.steps:
        raise InvalidArgumentError(
            f"the run in {out} is at step {start} already; --steps {recipe.steps} cannot undo that"
        )
    if start < recipe.steps:
        loader = DataLoader(
            Batches(make, identity["seed"], recipe.steps), batch_size=None, sampler=Steps(start, recipe.steps),
            num_workers=workers, prefetch_factor=4 if workers else None, multiprocessing_context="fork" if workers else None,
        )  # fmt: skip
        gpu = torch.cuda.is_available()
        trainer = L.Trainer(
            accelerator="gpu" if gpu else "cpu", devices=1, precision="bf16-mixed", max_steps=recipe.steps, logger=False,
            enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
            callbacks=[
                Curve(out / "curve.csv", identity["batch"], start),
                ModelCheckpoint(out, filename="last", every_n_train_steps=200, save_top_k=1, enable_version_counter=False),
            ],
        )  # fmt: skip
        trainer.fit(recipe, loader, ckpt_path=resume, weights_only=False)
        trainer.save_checkpoint(last)
    else:
        recipe.load_state_dict(held["state_dict"])
    torch.save(recipe.average.module.state_dict(), out / "average.pt")
    (out / "curve.svg").write_text(draw(out / "curve.csv"), encoding="utf-8")
    return recipe
