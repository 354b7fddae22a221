"""Training weights rare classes up, which moves borders outwards: after it, the classes' biases are set to where mean F1 is highest."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as nnf

from .crops import plain
from .samples import Samples

CROPS, EVERY = 300, 3  #: training crops that are looked at, and every which pixel of them
_STEPS, _LARGEST = (0.8, 0.4), 2.0
_SURE = 2 * _LARGEST  #: a lead of the best class over the second that no bias can turn; one pixel in five has less


def fitted_bias(net: nn.Module, samples: Samples, size: int, classes: int, seed: int) -> torch.Tensor:
    """[classes] float32 to be added to the logits: coordinate ascent of mean F1 on undisturbed crops of the training images.

    The logits are those that users see: interpolated to the crop's resolution. Held-out images have no part in it.
    """
    logits, truth = _pixels(net, samples, size, seed)
    two = logits.topk(2).values
    unsure = two[:, 0] - two[:, 1] < _SURE
    settled = _confusion(truth[~unsure], logits[~unsure].argmax(1), classes)
    logits, truth = logits[unsure], truth[unsure]

    def score(bias: torch.Tensor) -> float:
        return mean_f1(settled + _confusion(truth, (logits + bias).argmax(1), classes))

    bias = torch.zeros(classes)
    best = score(bias)
    for step in _STEPS:
        for of_class in range(classes):
            for move in (step, -step):
                while abs(bias[of_class] + move) <= _LARGEST:
                    moved = bias.clone()
                    moved[of_class] += move
                    reached = score(moved)
                    if reached <= best + 1e-5:
                        break
                    best, bias = reached, moved
    return bias


def mean_f1(confusion: torch.Tensor) -> float:
    """Of all classes but the first; absent ones do not count."""
    sizes = confusion.sum(0) + confusion.sum(1)
    f1 = 2 * confusion.diag() / sizes
    return float(f1[1:][sizes[1:] > 0].mean())


def _confusion(truth: torch.Tensor, found: torch.Tensor, classes: int) -> torch.Tensor:
    return torch.bincount(classes * truth + found, minlength=classes**2).reshape(classes, classes).double()


def _pixels(net: nn.Module, samples: Samples, size: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [N, classes] and classes [N] of pixels of some crops."""
    rng = np.random.default_rng([seed, CROPS])
    picked = rng.permutation(len(samples))[:CROPS]
    logits, truth = [], []
    for first in range(0, len(picked), 20):
        crops = [plain(samples[int(i)], size) for i in picked[first : first + 20]]
        image = torch.from_numpy(np.stack([crop.image for crop in crops])).permute(0, 3, 1, 2)
        with torch.no_grad():
            out = net((image.float() - 127.5) / 127.5)[0]
        full = nnf.interpolate(out, size=(size, size), mode="bilinear", align_corners=False)
        logits.append(full.permute(0, 2, 3, 1).flatten(0, 2)[::EVERY])
        truth.append(torch.from_numpy(np.stack([crop.mask for crop in crops])).long().flatten()[::EVERY])
    return torch.cat(logits), torch.cat(truth)
