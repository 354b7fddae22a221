"""What next3d-mini is asked for. Opacity and depth count as much as the picture: a picture alone is learned as fog."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional as nnf

from .next3d_mini_data import Batch
from .next3d_mini_render import Rendered


class Weights(NamedTuple):
    raw: float = 4.0
    coverage: float = 1.0
    depth: float = 5.0
    #: Of light that passes a covered ray, against the distance term's. Without it the cheapest answer is an empty volume.
    through: float = 0.35
    levels: int = 3  #: of the pyramid


def total(
    image: torch.Tensor, rendered: Rendered, batch: Batch, weights: Weights
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """image [N, 3, S, S] against the teacher's → the loss, and its parts for the curve."""
    target, size = batch.picture, rendered.features.shape[-1]
    coverage = shrink(batch.coverage, size)
    raw_target = 2 * shrink(batch.foreground, size) - 1  # the marcher has no background: empty rays are black
    parts = {
        "image": weighted_l1(image, target, batch.weight),
        "pyramid": pyramid(image, target, batch.weight, weights.levels),
        "raw": weighted_l1(rendered.features[:, :3], raw_target, shrink(batch.weight, size)),
        "coverage": opacity(rendered.weights.sum(-1), coverage.flatten(1)),
        "depth": depth(rendered.weights, rendered.depths, batch.distance.flatten(1), weights.through),
    }
    factor = {"raw": weights.raw, "coverage": weights.coverage, "depth": weights.depth}
    return torch.stack([factor.get(k, 1.0) * v for k, v in parts.items()]).sum(), parts


def shrink(x: torch.Tensor, size: int) -> torch.Tensor:
    """Means of whole blocks of pixels."""
    return x if x.shape[-1] == size else nnf.avg_pool2d(x, x.shape[-1] // size)


def weighted_l1(found: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return ((found - truth).abs() * weight).mean()


def pyramid(found: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor, levels: int) -> torch.Tensor:
    """Differences of neighbours, and half as much the values, on ever smaller pictures."""
    out = found.new_zeros(())
    error = found - truth
    for _ in range(levels):
        right = ((error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]).mean()
        down = ((error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]).mean()
        out = out + right + down + 0.5 * (error.abs() * weight).mean()
        error, weight = nnf.avg_pool2d(error, 2), nnf.avg_pool2d(weight, 2)
    return out


def opacity(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy above that of the truth itself, so that soft edges cost nothing when they are right."""
    # No clamp: an opaque ray where nothing is must keep its gradient.
    found, truth = (1e-4 + (1 - 2e-4) * x.clamp(0, 1) for x in (found.float(), truth))
    return nnf.binary_cross_entropy(found, truth) - nnf.binary_cross_entropy(truth, truth)


def depth(weights: torch.Tensor, depths: torch.Tensor, truth: torch.Tensor, through: float) -> torch.Tensor:
    """Mean over covered rays of Σ w·|t − D| + through·(1 − Σ w): pulls what is opaque to the surface, and thins it."""
    covered = (truth > 0).float()
    off = (weights * (depths - truth[..., None]).abs()).sum(-1) + through * (1 - weights.sum(-1))
    return (off * covered).sum() / covered.sum().clamp(min=1)
