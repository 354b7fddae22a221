"""Looks for openings: pixels whose nearest surface is the back of a closed part.

python -m forge_rt.export.forgehead.holes forgehead.forge --count 200

Needs the compiled forge_rt (prior, skinning, rasterizer). Random heads of the prior, random cameras. Hair and glasses
are sheets and stay out. Reports per part how many pixels show a back face and which samples are worst; exit 1 above
`--allowed`. Also measures how many eye pixels a full blink leaves (the label of the lid edge counts as eye).
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

YAW_DEG, PITCH_DEG, FOV_DEG = 60.0, 30.0, 14.0
OPEN_PARTS = ("hair", "glasses")
NEAR_M = 0.02


@dataclass
class Report:
    """Pixels by part name, and by sample; `places` are mean positions (head frame, metres) of the worst ones."""

    covered: int = 0
    by_part: Counter[str] = field(default_factory=Counter)
    by_sample: Counter[int] = field(default_factory=Counter)
    places: dict[int, tuple[str, list[float]]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_part.values())


def back_faces(vertices: np.ndarray, faces: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """[F] bool: triangles whose outer side looks away from the camera at `eye`."""
    a, b, c = (vertices[faces[:, k]].astype(float) for k in range(3))
    return (np.cross(b - a, c - a) * (eye - a)).sum(1) < 0


def on_silhouette(nearest: np.ndarray, back: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[H, W] bool: back-face pixels that round a silhouette: a front face beside them shares a vertex."""
    result = np.zeros(nearest.shape, bool)
    rows, columns = np.nonzero((nearest >= 0) & back[nearest])
    padded = np.pad(nearest, 1, constant_values=-1)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        around = padded[row : row + 3, column : column + 3].ravel()
        front = around[(around >= 0) & ~back[around]]
        result[row, column] = bool(np.isin(faces[front], faces[nearest[row, column]]).any())
    return result


def find_holes(bundle: Path, count: int, seed: int, size: int) -> Report:
    fr: Any = importlib.import_module("forge_rt")
    core = fr._core
    head = fr.ForgeHead(bundle)
    parts = json.loads((bundle / "bundle.json").read_text())["parts"]
    face_part = core.read_safetensors(str(bundle / "head.safetensors"))["face_part"].numpy()
    closed = np.array([not p["name"].startswith(OPEN_PARTS) for p in parts])[face_part]
    faces, part_of = np.ascontiguousarray(head.triangles[closed]), face_part[closed]
    rng = np.random.default_rng(seed)
    report = Report()
    for i in range(count):
        camera = fr.camera.orbit(
            yaw_deg=float(rng.uniform(-YAW_DEG, YAW_DEG)), pitch_deg=float(rng.uniform(-PITCH_DEG, PITCH_DEG)),
            fov_deg=FOV_DEG, size=size,
        )  # fmt: skip
        mesh = head.mesh(head.sample(seed, i)).vertices.numpy()
        clip = core._to_clip(mesh, [camera], NEAR_M)
        drawn = core.rasterize(clip, faces, size, cull="none", near=NEAR_M, barycentrics=False)
        nearest = drawn.face.numpy()[0]
        hit = nearest >= 0
        back = back_faces(mesh[0], faces, np.array(camera.position_m))
        wrong = nearest[hit & back[nearest] & ~on_silhouette(nearest, back, faces)]
        report.covered += int(hit.sum())
        for part, pixels in Counter(part_of[wrong].tolist()).items():
            report.by_part[parts[part]["name"]] += pixels
        if len(wrong):
            report.by_sample[i] = len(wrong)
            main = Counter(wrong.tolist()).most_common(1)[0][0]
            place = mesh[0][faces[main]].mean(0)
            report.places[i] = (parts[part_of[main]]["name"], [round(float(v), 3) for v in place])
    return report


def lid_report(bundle: Path, count: int, seed: int, size: int) -> dict[str, Any]:
    """Eye pixels left at the full blink (1 + gain . sliders) of random identities: heads with any, and the worst one."""
    fr: Any = importlib.import_module("forge_rt")
    head = fr.ForgeHead(bundle)
    ids = [label.id for label in head.labels if label.name in ("l_eye", "r_eye")]
    closed = []
    gain = json.loads((bundle / "bundle.json").read_text())["blink_gain"]["gain"]
    for i in range(count):
        face = head.sample(seed, i)
        face.expression = [0.0] * len(face.expression)
        face.left_eye = face.right_eye = (0.0, 0.0, 0.0)
        weight = 1.0 + float(np.dot(gain, face.sliders))
        blink = {"blink_left": weight, "blink_right": weight}
        face = head.face(face, expression=blink, options={"hair": "none", "glasses": "none"})
        camera = fr.camera.orbit(yaw_deg=(i % 5 - 2) * 15.0, pitch_deg=(i % 3 - 1) * 12.0, fov_deg=10.0, size=size)
        closed.append(int(np.isin(np.asarray(head.render(face, camera).segmentation), ids).sum()))
    pixels = np.array(closed)
    return {"open": int((pixels > 0).sum()), "worst_pixels": int(pixels.max()), "worst": int(pixels.argmax())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--allowed", type=int, default=0, help="back-face pixels that are tolerated")
    options = parser.parse_args()
    report = find_holes(options.bundle, options.count, options.seed, options.size)
    print(f"{options.count} heads, {report.covered} pixels, back faces {report.total}: {dict(report.by_part)}")
    for sample, pixels in report.by_sample.most_common(12):
        print(f"  sample {sample}: {pixels} pixels, {report.places[sample][0]} near {report.places[sample][1]}")
    lids = lid_report(options.bundle, options.count // 2, options.seed, options.size)
    print(f"full blink of {options.count // 2} heads: {lids}")
    raise SystemExit(0 if report.total <= options.allowed else 1)


if __name__ == "__main__":
    main()
