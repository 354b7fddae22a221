"""Trains a throw-away face parser on ForgeHead alone and shows it real faces: what do our images teach?

    python -m forge_rt.export.recipes.probe_parser --out probe/ [--steps 1000] [--images my_photos/]

Writes report.json, curve.png, train.jpg (what the network saw), one overlay per face and contact.jpg. `report.json` has the F1 of each
class on held-out ForgeHead images and on two hand-labelled portraits, and how often eyes, nose and mouth of 100 tiny faces are found
where they are (and, as a control, in 100 non-faces). Two runs compare only when both reached their --steps (a quiet
machine with two cores makes 1000 in four minutes); with another --seed the real mean moves too, so that small differences mean nothing.
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import forge_rt as fr
import numpy as np
import torch
from torch import nn
from torch.nn import functional as nnf

from ..models.blocks import Block, Merge, conv_bn
from . import probe_faces as faces
from .augment import augment

SOURCE = 256  # side of the rendered images
CROP = 192  # side the network sees
BATCH = 16
HELD_OUT = 160
#: Variations of a crop (scale, shift) over which real scores are averaged.
VIEWS = ((1.0, (0.0, 0.0)), (0.85, (0.0, 0.02)), (1.18, (0.0, 0.0)), (1.0, (0.05, 0.03)), (1.0, (-0.05, -0.03)))


# ---- data ----


@dataclass(frozen=True)
class Images:
    rgb: np.ndarray  #: [N, S, S, 3] uint8
    mask: np.ndarray  #: [N, S, S] uint8


def rendered(head: fr.ForgeHead, seed: int, start: int, count: int, style: str) -> Images:
    """ForgeHead images `start`… of `seed`; two of three from the `portrait` cameras, one from `wild`."""
    takes_style = "style" in inspect.signature(head.generate).parameters
    rgb = np.empty((count, SOURCE, SOURCE, 3), np.uint8)
    mask = np.empty((count, SOURCE, SOURCE), np.uint8)
    styles = ("studio", "wild") if style == "both" else (style,)
    for first in range(0, count, 24):
        chunk = range(start + first, start + min(first + 24, count))
        turn = first // 24
        options: dict[str, Any] = {"style": styles[turn % len(styles)]} if takes_style else {}
        camera = "wild" if turn % 3 == 2 else "portrait"
        batch = head.generate(seed=seed, index=chunk, camera=camera, size=SOURCE, **options)
        part = slice(first, first + len(chunk))
        rgb[part], mask[part] = np.asarray(batch.rgb), np.asarray(batch.segmentation)
    return Images(rgb, mask)


def crops(
    images: Images, mirror: list[int], seed: int, clutter: float, stop: threading.Event
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Augmented batches, [B, 3, S, S] uint8 and [B, S, S] int64, made by a thread while the network learns."""
    ready: queue.Queue[tuple[torch.Tensor, torch.Tensor]] = queue.Queue(4)
    rng = np.random.default_rng(seed)

    def produce() -> None:
        while not stop.is_set():
            picked = rng.integers(0, len(images.rgb), BATCH)
            made = [augment(rng, images.rgb[i], images.mask[i], mirror, CROP, clutter) for i in picked]
            rgb, mask = (np.stack(a) for a in zip(*made, strict=True))
            ready.put((torch.from_numpy(rgb).permute(0, 3, 1, 2), torch.from_numpy(mask.astype(np.int64))))

    threading.Thread(target=produce, daemon=True).start()
    while True:
        yield ready.get(timeout=60)


# ---- network ----


class Parser(nn.Module):
    """Small U-Net; predicts at half the input's resolution."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (24, 32, 64, 96, 144)) -> None:
        super().__init__()
        self.stem = conv_bn(3, widths[0], 3, 2)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Sequential(Block(a, b, 2), Block(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(Merge(b, a, a) for a, b in pairs[::-1])
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, 3, S, S] in 0…255 → logits [B, classes, S / 2, S / 2]."""
        x = self.stem((x.float() - 127.5) / 64)
        skips = [x]
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        for stage, skip in zip(self.up, skips[-2::-1], strict=True):
            x = stage(x, skip)
        return self.head(x)


def class_weights(mask: np.ndarray, classes: int) -> torch.Tensor:
    """Rare classes count more, at most eight times."""
    share = np.bincount(mask.ravel(), minlength=classes) / mask.size
    weight = np.where(share > 0, (np.maximum(share, 1e-6) / share.max()) ** -0.4, 1.0)
    return torch.from_numpy(np.minimum(weight, 8.0)).float()


def loss_of(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus dice of the classes present."""
    ce = nnf.cross_entropy(logits, target, weight, label_smoothing=0.02)
    hot = nnf.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2)
    probability = logits.softmax(1)
    both = (probability * hot).sum((0, 2, 3))
    size = probability.sum((0, 2, 3)) + hot.sum((0, 2, 3))
    present = hot.sum((0, 2, 3)) > 0
    return ce + (1 - (2 * both + 1) / (size + 1))[present].mean()


# ---- training ----


def train(
    images: Images, mirror: list[int], steps: int, minutes: float, seed: int, clutter: float
) -> tuple[Parser, list[float]]:
    """One cycle over the steps, or over the clock where that is ahead: also a busy machine ends its cycle."""
    torch.manual_seed(seed)
    net = Parser(len(mirror)).to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98), use_buffers=True
    )
    weight = class_weights(images.mask[::10], len(mirror))
    highest = 4e-3
    bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    optimizer = torch.optim.AdamW(net.parameters(), highest / 10, weight_decay=0.02)
    stop = threading.Event()
    losses: list[float] = []
    net.train()
    started = time.monotonic()
    for rgb, target in crops(images, mirror, seed, clutter, stop):
        progress = max(len(losses) / steps, (time.monotonic() - started) / (60 * minutes))
        if progress >= 1:
            break
        rise = min(progress / 0.2, 1.0)
        fall = max(progress - 0.2, 0.0) / 0.8
        rate = highest * (0.1 + 0.9 * rise) * (0.5 + 0.5 * np.cos(np.pi * fall)) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = net(rgb.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), target[:, ::2, ::2], weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        average.update_parameters(net)
        losses.append(float(loss.detach()))
        if len(losses) % 100 == 0:
            print(f"step {len(losses)}, {100 * progress:.0f} %, loss {np.mean(losses[-100:]):.3f}", flush=True)
    stop.set()
    return average.module.eval(), losses


@torch.no_grad()
def predict(net: Parser, images: np.ndarray, mirror: list[int]) -> np.ndarray:
    """[B, S, S, 3] uint8 → probabilities [B, C, S, S], averaged with those of the mirrored image."""
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    plain = net(x).softmax(1)
    flipped = net(x.flip(-1)).softmax(1).flip(-1)[:, mirror]
    both = nnf.interpolate((plain + flipped) / 2, images.shape[1:3], mode="bilinear", align_corners=False)
    return both.numpy()


# ---- scores ----


def mean_f1(scores: dict[int, float]) -> float:
    return float(np.mean([v for c, v in scores.items() if c]))


def held_out_f1(net: Parser, images: Images, mirror: list[int]) -> dict[int, float]:
    size = (CROP, CROP)
    truth = np.stack([cv2.resize(m, size, interpolation=cv2.INTER_NEAREST) for m in images.mask])
    guess = []
    for k in range(0, len(images.rgb), BATCH):
        small = np.stack([cv2.resize(i, size, interpolation=cv2.INTER_AREA) for i in images.rgb[k : k + BATCH]])
        guess.append(predict(net, small, mirror).argmax(1))
    return faces.f1_scores(np.concatenate(guess), truth, np.unique(truth).tolist())


def real_f1(net: Parser, photo: faces.Photo, mirror: list[int]) -> tuple[dict[int, float], float]:
    """Mean over the views of each class's F1, and the spread of their means."""
    assert photo.truth is not None
    per_view = []
    for scale, shift in VIEWS:
        probability = predict(net, photo.cut(CROP, scale, shift)[None], mirror)[0]
        inside = photo.back(np.ones((1, CROP, CROP), np.float32), scale, shift)[0] > 0
        guess = photo.back(probability, scale, shift).argmax(0)
        per_view.append(faces.f1_scores(guess[inside], photo.truth[inside], photo.drawn))
    means = {c: float(np.mean([s[c] for s in per_view])) for c in photo.drawn}
    return means, float(np.std([mean_f1(s) for s in per_view]))


def layout(
    net: Parser, tiny: np.ndarray, mirror: list[int], ids: dict[str, tuple[int, ...]]
) -> tuple[dict[str, float], np.ndarray]:
    """Share of tiny faces whose parts are found in place, and the class maps."""
    large = np.stack([cv2.resize(t, (CROP, CROP), interpolation=cv2.INTER_CUBIC) for t in tiny])
    maps = [predict(net, large[k : k + BATCH], mirror).argmax(1) for k in range(0, len(large), BATCH)]
    winners = np.concatenate(maps).astype(np.uint8)
    hits = [faces.layout_hits(w, ids) for w in winners]
    rates = {part: float(np.mean([h[part] for h in hits])) for part in faces.LAYOUT}
    rates["all"] = float(np.mean([all(h.values()) for h in hits]))
    return rates, winners


# ---- the run ----


def run(
    out: Path, steps: int, minutes: float, seed: int, count: int, style: str, clutter: float, photos: list[Path]
) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    head = fr.ForgeHead()
    names = [label.name for label in head.labels]
    mirror = [label.mirror for label in head.labels]
    colors = np.array([label.color for label in head.labels], np.uint8)
    started = time.monotonic()
    images = rendered(head, seed, 0, count, style)
    held_out = rendered(head, seed, 1_000_000, HELD_OUT, style)
    rendered_s = time.monotonic() - started
    print(f"{count} images in {rendered_s:.0f} s", flush=True)
    _training_sheet(out / "train.jpg", images, mirror, colors, seed, clutter)

    net, losses = train(images, mirror, steps, minutes, seed, clutter)
    torch.save(net.state_dict(), out / "probe.pt")
    smooth = np.convolve(losses, np.ones(25) / 25, "valid") if len(losses) >= 25 else np.asarray(losses)
    faces.write(out / "curve.png", faces.curve(smooth.tolist(), f"training loss, {len(losses)} steps"))

    own = held_out_f1(net, held_out, mirror)
    report: dict[str, Any] = {
        "forgehead": head.hash, "seed": seed, "steps_asked": steps, "minutes": minutes, "images": count, "style": style, "clutter": clutter,
        "render_s": round(rendered_s, 1), "steps": len(losses), "parameters": sum(p.numel() for p in net.parameters()),
        "complete": len(losses) >= steps, "loss": round(float(np.mean(losses[-50:])), 4),
        "held_out": {"mean_f1": round(mean_f1(own), 4), "f1": {names[c]: round(v, 3) for c, v in own.items()}},
        "real": {}, "shares": {},
    }  # fmt: skip
    tiles = []
    for photo in [*faces.packaged(names), *faces.given(photos)]:
        probability = predict(net, photo.cut(CROP)[None], mirror)[0]
        mask = photo.back(probability, 1.0, (0.0, 0.0)).argmax(0)
        shares = np.bincount(mask.ravel(), minlength=len(names)) / mask.size
        report["shares"][photo.name] = {names[c]: round(float(v), 4) for c, v in enumerate(shares) if v > 0}
        image = photo.cut(faces.SIDE)
        tile = [image, faces.coloured(image, mask, colors)]
        title = photo.name
        if photo.truth is not None:
            scores, spread = real_f1(net, photo, mirror)
            report["real"][photo.name] = {
                "mean_f1": round(mean_f1(scores), 4), "spread": round(spread, 4),
                "f1": {names[c]: round(v, 3) for c, v in scores.items()},
            }  # fmt: skip
            title += f": mean F1 {mean_f1(scores):.3f}"
            tile.append(faces.coloured(image, photo.truth, colors))
        faces.text(tile[1], title, 8, 20, 0.5)
        strip = np.concatenate([*tile, faces.legend(names, colors, shares, faces.SIDE)], 1)
        faces.write(out / f"{photo.name}.png", strip)
        tiles.append(np.concatenate([cv2.resize(t, (256, 256), interpolation=cv2.INTER_AREA) for t in tile[:2]], 1))
    if report["real"]:
        report["real"]["mean_f1"] = round(float(np.mean([r["mean_f1"] for r in report["real"].values()])), 4)
    if tiles:
        faces.write(out / "contact.jpg", faces.sheet(tiles, 3))

    tiny = faces.tiny_faces()
    if tiny is not None:
        ids = {"eye": (4, 5), "nose": (10,), "mouth": (11, 12, 13)}
        report["tiny"], masks = layout(net, tiny[0], mirror, ids)
        report["tiny_control"], _ = layout(net, tiny[1], mirror, ids)
        shown = []
        for face, mask in zip(tiny[0][:60], masks, strict=False):
            image = cv2.resize(face, (CROP, CROP), interpolation=cv2.INTER_CUBIC)
            shown.append(cv2.resize(np.concatenate([image, faces.coloured(image, mask, colors)], 1), (192, 96)))
        faces.write(out / "tiny.jpg", faces.sheet(shown, 6, 2))
    report["seconds"] = round(time.monotonic() - started, 1)
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _training_sheet(
    path: Path, images: Images, mirror: list[int], colors: np.ndarray, seed: int, clutter: float
) -> None:
    rng = np.random.default_rng(seed + 1)
    tiles = []
    for i in rng.integers(0, len(images.rgb), 32):
        rgb, mask = augment(rng, images.rgb[i], images.mask[i], mirror, CROP, clutter)
        tiles.append(np.concatenate([rgb, faces.coloured(rgb, mask, colors)], 1))
    faces.write(path, faces.sheet(tiles, 4), 85)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small parser on ForgeHead, show it real faces.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000, help="of training")
    parser.add_argument("--minutes", type=float, default=6, help="at most, of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=3000, help="rendered images")
    parser.add_argument("--style", choices=("studio", "wild", "both"), default="both")
    parser.add_argument("--clutter", type=float, default=0.5, help="share of crops with a made-up background")
    parser.add_argument("--images", type=Path, nargs="*", default=[], help="more photographs, or folders of them")
    a = parser.parse_args()
    report = run(a.out, a.steps, a.minutes, a.seed, a.count, a.style, a.clutter, a.images)
    print(
        json.dumps(
            {
                k: report[k]
                for k in ("steps", "complete", "loss", "held_out", "real", "tiny", "tiny_control")
                if k in report
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
