"""Judges next3d-mini on codes it has never seen: numbers, a control with shuffled codes, and a contact sheet.

    python -m forge_rt.export.recipes.next3d_mini_report --run run --out report      # report.json and sheet.png

A picture's PSNR does not see fog; opacity, spread and distances do.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from forge_rt import Camera
from forge_rt.annotation import MeshAnnotator
from forge_rt.annotation.world import Cameras
from torch.nn import functional as nnf

from ..models.next3d import Next3D
from . import next3d_mini_geometry as geometry
from . import next3d_mini_net as mini
from . import next3d_teacher_people as people
from .next3d_mini import AVERAGE, HELD_OUT, Plan
from .next3d_mini_data import EYES, Batch, collate
from .next3d_mini_losses import shrink
from .next3d_mini_render import Rendered
from .next3d_teacher import Teacher, TeacherDraw
from .next3d_teacher_views import SCALE

#: One world unit is 2.5 m⁻¹ of head.
MM = 1000 / 2.5
Uniforms = mini.Uniforms


def load(path: Path, width: str = "M") -> Next3D:
    """The averaged weights of a run, set up as they ship."""
    held = torch.load(path, map_location="cpu", weights_only=True)
    net = Next3D(mini.shipped(mini.config(held["size"], width)))
    net.load_state_dict(held["net"])
    return net.eval()


def teacher_of(net: Next3D) -> Teacher:
    size = net.config.neural_rendering_resolution * 4
    return Teacher(replace(Plan(views=1).teacher(size), vertices=True))


@torch.no_grad()
def evaluate(net: Next3D, teacher: Teacher, *, count: int = 64, seed: int = HELD_OUT, chunk: int = 8) -> dict[str, Any]:
    """Means over `count` samples, and the F1 of the mesh's labels. "shuffled …": with the next sample's code, everything else as it was."""
    rows: list[dict[str, float]] = []
    labels, annotator = geometry.LabelScore(), geometry.annotator(teacher.head)
    for first in range(0, count, chunk):
        records = teacher.batch(seed, first, min(chunk, count - first))
        batch = collate(records, 1)
        image, rendered = student(net, batch)
        other, _ = student(net, replace(batch, z=batch.z.roll(1, 0)))
        fit = of_mesh(annotator, records, rendered, batch, labels)
        rows += [measure(i, image, rendered, batch) | shuffled(i, other, batch) | fit[i] for i in range(len(image))]
        drawn = teacher.draw(seed, first)
        rows[-len(image)] |= pair(net, teacher, annotator, drawn) | moves(net, teacher, drawn)
    names = list(dict.fromkeys(name for row in rows for name in row))
    means: dict[str, Any] = {
        name: round(float(np.nanmean([row[name] for row in rows if name in row])), 4) for name in names
    }
    return means | {"labels": labels.f1(dict(annotator.labels.names))}


def of_mesh(
    annotator: MeshAnnotator, records: np.ndarray, rendered: Rendered, batch: Batch, labels: geometry.LabelScore
) -> list[dict[str, float]]:
    """How the volume agrees with the mesh that drove it; and the mesh's labels against the teacher's, which no student changes."""
    given = records["vertices"], records["landmarks"], records["camera"]
    for mesh, truth in zip(
        annotator.annotate(*given, records["classes"].shape[-1]).segmentation, records["classes"], strict=True
    ):
        labels.add(mesh, truth)
    distance, opacity = seen(rendered)
    cosine = 1 / np.linalg.norm(Cameras.of(records["camera"]).rays(distance.shape[-1]), axis=-1)
    found = annotator.agreement(*given, distance.numpy() * cosine / SCALE, opacity.numpy())
    return [
        {
            "mesh depth mm": 1000 * found.depth_m[i],
            "mesh landmarks mm": 1000 * found.landmark_m[i],
            "mesh missing": found.missing[i],
            "mesh score": found.score[i],
        }
        for i in range(len(records))
    ]


def seen(rendered: Rendered) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances [N, r, r], 0 where the volume is not solid, and opacities."""
    size = rendered.features.shape[-1]
    opacity = rendered.weights.sum(-1)
    mean = (rendered.weights * rendered.depths).sum(-1) / opacity.clamp(min=1e-6)
    return tuple(x.unflatten(1, (size, size)) for x in (torch.where(opacity > 0.5, mean, 0.0), opacity))  # type: ignore[return-value]


MOVES: dict[str, dict[str, float]] = {
    "moves jaw": {"jaw_open": 1.0},
    "moves lids": {"blink_left": 1.0, "blink_right": 1.0},
    "moves smile": {"smile": 1.0},
}
#: Degrees between the two cameras that views are compared from.
APART = 25.0


def pair(net: Next3D, teacher: Teacher, annotator: MeshAnnotator, drawn: TeacherDraw) -> dict[str, float]:
    """One head from two sides: what views and landmarks say of each other (next3d_mini_geometry)."""
    cameras = [teacher.orbit(yaw, 0.0) for yaw in (-APART / 2, APART / 2)]
    records = np.stack([teacher.render(replace(drawn, camera=camera)) for camera in cameras])
    batch = collate(records, 1)
    image, rendered = student(net, batch)
    ours, theirs = image.clamp(-1, 1) / 2 + 0.5, batch.picture / 2 + 0.5
    distances = seen(rendered)[0]
    found = tuple(geometry.View(ours[i], distances[i], batch.camera[i]) for i in (0, 1))
    truth = tuple(geometry.View(theirs[i], batch.distance[i], batch.camera[i]) for i in (0, 1))
    marks = annotator.annotate(records["vertices"], records["landmarks"], records["camera"], batch.distance.shape[-1])
    out = geometry.two_views(found, truth) | geometry.landmarks_agree(found, marks, records["landmarks"][0])
    best = geometry.landmarks_agree(truth, marks, records["landmarks"][0])
    return out | {f"{name} teacher": value for name, value in best.items()}


def moves(net: Next3D, teacher: Teacher, drawn: TeacherDraw) -> dict[str, float]:
    """How much of what an expression changes in the teacher's picture the student's changes too: 1 all of it, 0 as much as a still face."""
    person = people.person(teacher.head, drawn.z)
    records = [of_expression(teacher, drawn.z, person, {}, teacher.orbit(0.0, 0.0))]
    records += [of_expression(teacher, drawn.z, person, wanted, teacher.orbit(0.0, 0.0)) for wanted in MOVES.values()]
    batch = collate(np.stack(records), 1)
    image = student(net, batch)[0].clamp(-1, 1)
    ours, theirs = (x[1:] - x[:1] for x in (image, batch.picture))
    return {name: explained(ours[i], theirs[i]) for i, name in enumerate(MOVES)}


def explained(found: torch.Tensor, truth: torch.Tensor) -> float:
    return 1 - ((found - truth).square().sum() / truth.square().sum().clamp(min=1e-9)).item()


def of_expression(
    teacher: Teacher, z: np.ndarray, person: people.Person, wanted: Mapping[str, float], camera: Camera
) -> np.ndarray:
    """A record of this person; blinks of weight 1 close the lids."""
    shut = teacher.head.blink_weight(person.face)
    weights = {name: w * shut if name.startswith("blink") else w for name, w in wanted.items()}
    face = teacher.head.face(person.face, expression=weights)
    return teacher.render(TeacherDraw(z, person, face, camera))


def student(net: Next3D, batch: Batch) -> tuple[torch.Tensor, Rendered]:
    """As the engine will run it: importance sampling, no help from the teacher."""
    rays = net.config.neural_rendering_resolution**2
    uniforms = Uniforms.deterministic(len(batch.camera), rays, net.config.rendering)
    return mini.forward(net, batch, uniforms, guided=False)


def measure(i: int, image: torch.Tensor, rendered: Rendered, batch: Batch) -> dict[str, float]:
    size = rendered.features.shape[-1]
    found, truth = image[i].clamp(-1, 1) / 2 + 0.5, batch.picture[i] / 2 + 0.5
    covered = batch.coverage[i, 0]
    weights = rendered.weights[i]
    opacity = weights.sum(-1)
    shown = shrink(batch.coverage[i : i + 1], size).flatten()
    distance = batch.distance[i].flatten()
    mean = (weights * rendered.depths[i]).sum(-1) / opacity.clamp(min=1e-6)
    spread = ((weights * (rendered.depths[i] - mean[:, None]).square()).sum(-1) / opacity.clamp(min=1e-6)).sqrt()
    inside = (shown > 0.95) & (distance > 0)
    raw = rendered.features[i, :3].clamp(-1, 1) / 2 + 0.5
    eyes = torch.from_numpy(np.isin(batch.classes[i].numpy(), EYES).astype(np.float32))
    eyes = nnf.max_pool2d(eyes[None], 5, 1, 2)[0] > 0
    solid, there = opacity > 0.5, shown > 0.5
    return {
        "psnr": psnr(found, truth),
        "psnr head": psnr(found, truth, covered > 0.5),
        "psnr beside hair": psnr(found, truth, (covered > 0.5) & (batch.classes[i] != geometry.HAIR)),
        "psnr raw": psnr(raw, shrink(batch.foreground[i : i + 1], size)[0]),
        "psnr eyes": psnr(found, truth, eyes) if eyes.sum() > 20 else float("nan"),
        "ssim": ssim(found, truth),
        "opacity outside": opacity[shown < 0.05].mean().item(),
        "opacity inside": opacity[shown > 0.95].mean().item(),
        "spread mm": spread[inside].mean().item() * MM,
        "depth mm": (mean - distance)[inside].abs().mean().item() * MM,
        "iou": ((solid & there).sum() / (solid | there).sum().clamp(min=1)).item(),
    }


def shuffled(i: int, other: torch.Tensor, batch: Batch) -> dict[str, float]:
    found, truth = other[i].clamp(-1, 1) / 2 + 0.5, batch.picture[i] / 2 + 0.5
    head = batch.coverage[i, 0] > 0.5
    return {"shuffled psnr": psnr(found, truth), "shuffled psnr head": psnr(found, truth, head)}


def psnr(found: torch.Tensor, truth: torch.Tensor, where: torch.Tensor | None = None) -> float:
    error = (found - truth).square().mean(0)
    return -10 * torch.log10((error if where is None else error[where]).mean().clamp(min=1e-10)).item()


def ssim(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Structural similarity with the usual window (11², σ 1.5) and constants, mean over channels."""
    line = torch.exp(-((torch.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = torch.outer(line, line)[None, None] / line.sum() ** 2

    def blur(x: torch.Tensor) -> torch.Tensor:
        return nnf.conv2d(x[:, None], window)[:, 0]

    a, b = blur(found), blur(truth)
    va, vb, ab = blur(found * found) - a * a, blur(truth * truth) - b * b, blur(found * truth) - a * b
    return (((2 * a * b + 1e-4) * (2 * ab + 9e-4)) / ((a * a + b * b + 1e-4) * (va + vb + 9e-4))).mean().item()


# ---- a sheet ----

#: (yaw, pitch) in degrees, expression
SHOTS: tuple[tuple[float, float, dict[str, float]], ...] = (
    (0, 0, {}),
    (-45, 0, {}),
    (-22, 0, {}),
    (22, 0, {}),
    (45, 0, {}),
    (0, 20, {}),
    (0, -20, {}),
    (0, 0, {"jaw_open": 1.0}),
    (0, 0, {"smile": 1.0}),
    (0, 0, {"blink_left": 1.0, "blink_right": 1.0}),
)


@torch.no_grad()
def sheet(net: Next3D, teacher: Teacher, path: Path, identities: int = 4, seed: int = HELD_OUT) -> None:
    """Identities × views and expressions: the teacher above the student, which is also shown as distances (last column, turned 45°)."""
    lines = []
    for identity in range(identities):
        z = teacher.z(seed, identity)
        person = people.person(teacher.head, z)
        records = [of_expression(teacher, z, person, wanted, teacher.orbit(yaw, pitch)) for yaw, pitch, wanted in SHOTS]
        batch = collate(np.stack(records), 1)
        image, rendered = student(net, batch)
        size, turned = rendered.features.shape[-1], 4
        mean = (rendered.weights * rendered.depths).sum(-1) / rendered.weights.sum(-1).clamp(min=1e-6)
        seen = torch.where(rendered.weights.sum(-1) > 0.5, mean, 0.0).unflatten(1, (size, size))
        for pictures, distance in ((batch.picture, batch.distance[turned]), (image, seen[turned])):
            cells = [_bytes(p) for p in pictures]
            lines.append(np.concatenate([*cells, _grey(distance, cells[0].shape[0])], 1))
    cv2.imwrite(str(path), np.concatenate(lines)[..., ::-1])


def _bytes(picture: torch.Tensor) -> np.ndarray:
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def _grey(distance: torch.Tensor, size: int) -> np.ndarray:
    near = torch.where(distance > 0, ((3.0 - distance) / 0.6).clamp(0, 1), 0.0).numpy()
    grey = cv2.resize((near * 255).astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    return grey[..., None].repeat(3, -1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--out", type=Path, help="default: the run's folder")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--identities", type=int, default=4)
    args = parser.parse_args(arguments)
    out = args.out or args.run
    out.mkdir(parents=True, exist_ok=True)
    about = json.loads((args.run / "run.json").read_text(encoding="utf-8"))
    net = load(args.run / AVERAGE, about["width"])
    teacher = teacher_of(net)
    numbers = evaluate(net, teacher, count=args.count)
    (out / "report.json").write_text(json.dumps({"samples": args.count, **numbers}, indent=1) + "\n", encoding="utf-8")
    for name, value in numbers.items():
        print(f"{name:20} {value}")
    sheet(net, teacher, out / "sheet.png", args.identities)


if __name__ == "__main__":
    main()
