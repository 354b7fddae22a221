"""Trains faces-mini on ForgeHead alone.

forge-rt generate --out faces --count 16000 --size 384 --style mixed --seed 1001
forge-rt train faces-mini --data faces --out run        # goes on where it stopped when called again
"""

from __future__ import annotations

from pathlib import Path

import forge_rt as fr
import numpy as np
import torch
from torch.nn import functional as nnf

from ..models.faces_mini import DEPTH_UNIT_M, SIZE, FacesMini
from .crops import Crop, disturbed
from .fit import Batch, Recipe, fit
from .samples import Samples

STEPS, BATCH, HIGHEST = 4200, 24, 3e-3


class FacesRecipe(Recipe):
    def __init__(self, steps: int, weight: torch.Tensor) -> None:
        super().__init__(FacesMini(len(weight)), steps, HIGHEST)
        self.net.to(memory_format=torch.channels_last)
        self.register_buffer("weight", weight, persistent=False)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        image = ((batch["image"].float() - 127.5) / 127.5).contiguous(memory_format=torch.channels_last)
        logits, landmarks, depth = self.net(image)
        parsing = parsing_loss(logits.float(), batch["mask"], self.weight)
        points, seen = landmark_loss(landmarks.float(), batch["landmarks"], batch["visible"])
        far = depth_loss(depth.float(), batch["depth"])
        total = parsing + 8 * points + 0.1 * seen + 0.3 * far
        return total, {"parsing": parsing, "points": points, "seen": seen, "depth": far}


def parsing_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus dice of the classes present. `target` is the label map at the logits' resolution."""
    ce = nnf.cross_entropy(logits, target, weight)
    probability = logits.softmax(1)
    flat = target.unsqueeze(1)
    both = torch.zeros_like(weight).index_add_(0, target.flatten(), probability.gather(1, flat).flatten())
    size = probability.sum((0, 2, 3)) + torch.bincount(target.flatten(), minlength=len(weight))
    present = torch.bincount(target.flatten(), minlength=len(weight)) > 0
    return ce + (1 - (2 * both + 1) / (size + 1))[present].mean()


def landmark_loss(found: torch.Tensor, truth: torch.Tensor, visible: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean distance (crop = 1) of points inside the crop, hidden ones at half weight; cross-entropy of visibility."""
    inside = ((truth > 0) & (truth < 1)).all(-1).float()
    weight = inside * (0.5 + 0.5 * visible)
    distance = ((found[..., :2] - truth).square().sum(-1) + 1e-6).sqrt()
    points = (weight * distance).sum() / weight.sum().clamp(min=1)
    return points, nnf.binary_cross_entropy_with_logits(found[..., 2], visible)


def depth_loss(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Masked L1 in units of DEPTH_UNIT_M. NaN has no truth."""
    known = ~truth.isnan()
    return ((found - truth.nan_to_num()).abs() * known).sum() / known.sum().clamp(min=1) / DEPTH_UNIT_M


def class_weights(mirror: list[int], share: np.ndarray) -> torch.Tensor:
    """Rare classes count more, at most sixteen times (earrings and necklaces: a few pixels each)."""
    share = (share + share[mirror]) / 2
    weight = np.where(share > 0, (np.maximum(share, 1e-6) / share.max()) ** -0.35, 1.0)
    return torch.from_numpy(np.minimum(weight, 16.0)).float()


def collate(rng: np.random.Generator, crops: list[Crop]) -> Batch:
    """The network predicts at half the crop's resolution: of each 2×2 labels one, all of the same phase."""
    dy, dx = rng.integers(0, 2, 2)
    return {
        "image": torch.from_numpy(np.stack([c.image for c in crops])).permute(0, 3, 1, 2),
        "mask": torch.from_numpy(np.stack([c.mask[dy::2, dx::2] for c in crops]).astype(np.int64)),
        "depth": torch.from_numpy(np.stack([c.depth_m[dy::2, dx::2] for c in crops])[:, None]),
        "landmarks": torch.from_numpy(np.stack([c.landmarks for c in crops])),
        "visible": torch.from_numpy(np.stack([c.visible for c in crops]).astype(np.float32)),
    }


def train(
    data: list[Path],
    out: Path,
    *,
    steps: int = STEPS,
    seed: int = 0,
    batch: int = BATCH,
    workers: int = 1,
    start: Path | None = None,
) -> FacesRecipe:
    """Trains on finished data sets of layout shards; `out` gets checkpoints, curve.csv and the averaged weights."""
    samples = Samples(*data)
    head = fr.ForgeHead()
    mirror = [label.mirror for label in head.labels]
    first = range(0, len(samples), max(len(samples) // 400, 1))
    share = sum(np.bincount(samples[i].mask.ravel(), minlength=len(mirror)) for i in first)
    torch.manual_seed(seed)
    recipe = FacesRecipe(steps, class_weights(mirror, np.asarray(share) / np.sum(share)))

    def make(rng: np.random.Generator) -> Batch:
        picked = rng.integers(0, len(samples), batch)
        return collate(rng, [disturbed(rng, samples[int(i)], mirror, SIZE) for i in picked])

    identity = {"network": "faces-mini", "seed": seed, "batch": batch, "data": samples.plans}
    fit(recipe, make, out, identity=identity, workers=workers, start=start)
    return recipe
