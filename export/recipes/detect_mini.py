"""Trains detect-mini on scenes of ForgeHead heads.

forge-rt generate --out faces --count 16000 --size 384 --style mixed --seed 1001
forge-rt train detect-mini --data faces --out run
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as nnf

from ..models.detect_mini import STRIDE, DetectMini
from .fit import Batch, Recipe, fit
from .samples import Samples
from .scenes import SHOWN, SMALLEST, Scene, compose

STEPS, BATCH, HIGHEST, SIZE = 2200, 24, 3e-3, 320
HARSH = 0.65  #: share of scenes with colours, blur, noise and codec on top
_CENTRE = 0.22  #: half the side of the region of a box whose cells shall find it


class DetectRecipe(Recipe):
    def __init__(self, steps: int) -> None:
        super().__init__(DetectMini(), steps, HIGHEST)
        self.net.to(memory_format=torch.channels_last)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        image = ((batch["image"].float() - 127.5) / 127.5).contiguous(memory_format=torch.channels_last)
        score, box, points = (x.float() for x in self.net(image))
        wanted, known = batch["score"], batch["known"]
        found = score.sigmoid()
        wrong = torch.where(wanted > 0, 1 - found, found)
        count = wanted.sum().clamp(min=1)
        focal = nnf.binary_cross_entropy_with_logits(score, wanted, reduction="none") * wrong.square() * known
        heat = focal.sum() / count
        edges = (nnf.smooth_l1_loss(box, batch["box"], beta=0.1, reduction="none") * wanted).sum() / count / 4
        spots = (nnf.smooth_l1_loss(points, batch["points"], beta=0.05, reduction="none") * wanted).sum() / count / 10
        return heat + 2 * edges + 2 * spots, {"score": heat, "box": edges, "points": spots}


def targets(scene: Scene, size: int) -> dict[str, np.ndarray]:
    """Dense truth on the grid (cpp: ops/decode_faces.h): score [1, h, w], box [4, h, w], points [10, h, w], known [1, h, w] (0 = do not care)."""
    n = size // STRIDE
    centre = (np.arange(n) + 0.5) * STRIDE
    score, known = np.zeros((1, n, n), np.float32), np.ones((1, n, n), np.float32)
    box, points = np.zeros((4, n, n), np.float32), np.zeros((10, n, n), np.float32)
    order = np.argsort([-(b[2] - b[0]) * (b[3] - b[1]) for b in scene.boxes])  # a cell belongs to the smallest
    for k in order:
        left, top, right, bottom = scene.boxes[k]
        w, h = right - left, bottom - top
        x, y = (left + right) / 2, (top + bottom) / 2
        columns = np.flatnonzero((centre > left) & (centre < right))
        rows = np.flatnonzero((centre > top) & (centre < bottom))
        if not len(columns) or not len(rows):
            continue
        if max(w, h) < SMALLEST or scene.visible[k] < SHOWN:
            known[0, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 0
            continue
        near_x = columns[np.abs(centre[columns] - x) <= max(_CENTRE * w, STRIDE * 0.51)]
        near_y = rows[np.abs(centre[rows] - y) <= max(_CENTRE * h, STRIDE * 0.51)]
        for i in near_y:
            for j in near_x:
                sides = np.array([centre[j] - left, centre[i] - top, right - centre[j], bottom - centre[i]])
                if sides.min() <= 0.5:
                    continue
                score[0, i, j] = known[0, i, j] = 1
                log = np.log(sides / STRIDE)
                box[:, i, j] = log
                scale = STRIDE * np.exp(log.mean())
                points[:, i, j] = ((scene.points[k] - [centre[j], centre[i]]) / scale).ravel()
    return {"score": score, "known": known, "box": box, "points": points}


def train(
    data: list[Path],
    out: Path,
    *,
    steps: int = STEPS,
    seed: int = 0,
    batch: int = BATCH,
    workers: int = 1,
    start: Path | None = None,
) -> DetectRecipe:
    samples = Samples(*data)
    torch.manual_seed(seed)

    def make(rng: np.random.Generator) -> Batch:
        scenes = [
            compose(
                rng,
                lambda r: samples.read(int(r.integers(len(samples))), depth=False),
                SIZE,
                harsh=bool(rng.random() < HARSH),
            )
            for _ in range(batch)
        ]
        dense = [targets(scene, SIZE) for scene in scenes]
        image = torch.from_numpy(np.stack([s.image for s in scenes])).permute(0, 3, 1, 2)
        return {"image": image, **{k: torch.from_numpy(np.stack([d[k] for d in dense])) for k in dense[0]}}

    recipe = DetectRecipe(steps)
    identity = {"network": "detect-mini", "seed": seed, "batch": batch, "data": samples.plans}
    fit(recipe, make, out, identity=identity, workers=workers, start=start)
    return recipe
