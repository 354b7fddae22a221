"""Trains a small face parser on a data set of forge-rt and shows what it sees (docs/guides/train_a_parser.md).

forge-rt generate --out faces --count 1000 --size 256 --style mixed --seed 1
python train_parser.py faces parsed.png --minutes 8 [--photo portrait.jpg]

Faces are cut out by their landmarks, 128 x 128. A U-Net of 0.9 million parameters; cross entropy in which rare classes weigh more; AdamW with
one cosine; the last tenth of the samples is held out. Needs torch.
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from read_pytorch import Faces
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Subset

SIZE = 128


class Crops(Dataset):
    """The samples of `faces` around their landmarks, with room for hair and neck: (image [3, 128, 128], labels [128, 128])."""

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        sample = self.faces[i]
        points = sample["landmarks"].numpy()
        low, high = points.min(0), points.max(0)
        scale = SIZE / (2.0 * (high - low).max())
        shift = SIZE / 2 - scale * ((low + high) / 2 + [0, -0.15 * (high - low).max()])
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
        image = np.ascontiguousarray(sample["image"].permute(1, 2, 0).numpy())
        labels = sample["labels"].numpy().astype(np.uint8)
        image = cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        labels = cv2.warpAffine(labels, matrix, (SIZE, SIZE), flags=cv2.INTER_NEAREST)
        return torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(labels).long()


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
    )  # fmt: skip


class Parser(nn.Module):
    """[B, 3, H, W] in 0..1 → [B, classes, H, W] scores; H and W are multiples of 16."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        sizes = [width, 2 * width, 4 * width, 6 * width, 8 * width]
        self.down = nn.ModuleList(block(a, b) for a, b in zip([3, *sizes], sizes, strict=False))
        self.up = nn.ModuleList(block(a + b, b) for a, b in zip(sizes[:0:-1], sizes[-2::-1], strict=True))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, kept = x - 0.5, []
        for k, down in enumerate(self.down):
            x = down(functional.max_pool2d(x, 2) if k else x)
            kept.append(x)
        for up, skip in zip(self.up, kept[-2::-1], strict=True):
            x = up(torch.cat([functional.interpolate(x, scale_factor=2.0), skip], 1))
        return self.head(x)


def augment(images: torch.Tensor, labels: torch.Tensor, mirror: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Random mirror (left and right classes change places) and a random gain of each colour."""
    flip = torch.rand(len(images)) < 0.5
    images[flip], labels[flip] = images[flip].flip(-1), mirror[labels[flip].flip(-1)]
    return (images * (0.8 + 0.4 * torch.rand(len(images), 3, 1, 1))).clamp(0, 1), labels


def weights(folder: str, classes: int) -> torch.Tensor:
    """One over the root of a class's share of all pixels: the index has the counts, no picture is opened."""
    counts = np.stack(pq.read_table(Path(folder, "index.parquet"), columns=["class_pixels"])["class_pixels"].to_numpy())
    share = counts.sum(0) / counts.sum()
    values = 1 / np.sqrt(np.maximum(share, 1e-4))
    return torch.tensor(values / (values * share).sum(), dtype=torch.float32)[:classes]


def train(faces: Crops, weight: torch.Tensor, mirror: torch.Tensor, minutes: float) -> Parser:
    """Goes round the samples until the time is up; the learning rate follows the clock."""
    net = Parser(len(weight))
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-4)
    loader = DataLoader(Subset(faces, range(len(faces) * 9 // 10)), batch_size=16, shuffle=True, drop_last=True)
    start, seen, average = time.monotonic(), 0, None
    while True:
        for batch in loader:
            spent = (time.monotonic() - start) / (60 * minutes)
            if spent >= 1:
                return net.eval()
            for group in optimizer.param_groups:
                group["lr"] = 3e-3 * 0.5 * (1 + np.cos(np.pi * spent))
            images, labels = augment(*batch, mirror)
            loss = functional.cross_entropy(net(images), labels, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(images)
            average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
            if seen % 800 < 16:
                print(f"{spent:4.0%}  {seen} images, loss {average:.3f}", flush=True)


@torch.no_grad()
def score(net: Parser, faces: Crops, classes: int) -> np.ndarray:
    """F1 of each class over all pixels of the held-out samples; nan where neither has the class."""
    hits, truth, found = (np.zeros(classes) for _ in range(3))
    for images, truths in DataLoader(Subset(faces, range(len(faces) * 9 // 10, len(faces))), batch_size=16):
        guess, labels = net(images).argmax(1).numpy().ravel(), truths.numpy().ravel()
        hits += np.bincount(labels[guess == labels], minlength=classes)
        truth += np.bincount(labels, minlength=classes)
        found += np.bincount(guess, minlength=classes)
    with np.errstate(invalid="ignore"):
        return 2 * hits / (truth + found)


@torch.no_grad()
def show(net: Parser, faces: Crops, colors: np.ndarray, photo: str | None) -> np.ndarray:
    """Held-out images in rows: picture, truth, answer; a photograph has no truth."""
    rows = []
    for i in range(len(faces) - (8 if photo is None else 7), len(faces)):
        image, labels = faces[i]
        picture = (image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        answer = net(image[None]).argmax(1)[0].numpy()
        rows.append(np.hstack([picture, colors[labels.numpy()], colors[answer]]))
    if photo is not None:
        picture = cv2.resize(cv2.imread(photo), (SIZE, SIZE), interpolation=cv2.INTER_AREA)[..., ::-1]
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
        answer = colors[net(pixels).argmax(1)[0].numpy()]
        rows.append(np.hstack([picture, np.zeros_like(picture), answer]))
    half = (len(rows) + 1) // 2
    rows += [np.zeros_like(rows[0])] * (2 * half - len(rows))
    return np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder")
    options.add_argument("picture")
    options.add_argument("--minutes", type=float, default=8.0)
    options.add_argument("--photo", help="a square portrait to try the parser on")
    given = options.parse_args()
    torch.manual_seed(1)
    table = json.loads(Path(given.folder, "manifest.json").read_text())["labels"]
    faces = Crops(Faces(given.folder))
    net = train(faces, weights(given.folder, len(table)), torch.tensor([c["mirror"] for c in table]), given.minutes)
    result = score(net, faces, len(table))
    for label, f1 in zip(table, result, strict=True):
        print(f"{label['name']:12s} {f1:.3f}")
    print(f"mean F1 {np.nanmean(result[1:]):.3f} without background")
    cv2.imwrite(
        given.picture, show(net, faces, np.array([c["color"] for c in table], np.uint8), given.photo)[..., ::-1]
    )
