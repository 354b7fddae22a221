"""Contact sheets of a bundle for the eye: views, labels with landmarks, sliders, expressions.

python -m forge_rt.export.forgehead.preview forgehead.forge --out sheets/
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors.numpy import load_file

from .landmarks import landmark_positions
from .raster import rasterize, vertex_normals

SUPERSAMPLE = 2
SKIN, LIP, BROW, LID = (0.80, 0.66, 0.56), (0.68, 0.40, 0.38), (0.22, 0.16, 0.12), (0.28, 0.18, 0.15)
PART_COLOURS = {
    "mouth_bag": (0.35, 0.12, 0.12), "l_ear": SKIN, "r_ear": SKIN, "teeth_up": (0.85, 0.82, 0.75),
    "teeth_low": (0.80, 0.77, 0.70), "tongue": (0.65, 0.30, 0.28), "cloth": (0.22, 0.30, 0.45),
    "glasses_round": (0.08, 0.08, 0.09),
}  # fmt: skip
HAIR = (0.26, 0.17, 0.10)


@dataclass
class Bundle:
    arrays: dict[str, np.ndarray]
    info: dict[str, Any]

    @staticmethod
    def load(folder: Path) -> Bundle:
        return Bundle(load_file(folder / "head.safetensors"), json.loads((folder / "bundle.json").read_text()))

    def faces_shown(self, groups: tuple[str, ...]) -> np.ndarray:
        shown = [i for i, p in enumerate(self.info["parts"]) if p["group"] == "always" or p["group"] in groups]
        return np.flatnonzero(np.isin(self.arrays["face_part"], shown))

    def column(self, name: str) -> int:
        names = [s["name"] for s in self.info["sliders"]] + [e["name"] for e in self.info["expressions"]]
        return names.index(name)

    def shaped(self, values: dict[str, float]) -> np.ndarray:
        vertices = self.arrays["v_template"].astype(float)
        for name, value in values.items():
            vertices = vertices + value * self.arrays["shapedirs"][..., self.column(name)].astype(float)
        return vertices

    def posed(self, vertices: np.ndarray, joint: int, angle: float) -> np.ndarray:
        """One joint turned about x with everything that hangs on it, and its pose corrective."""
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        centre = self.arrays["J_regressor"][joint].astype(float) @ vertices
        feature = (turn - np.eye(3)).ravel()
        start = 9 * (joint - 1)
        posed = vertices + self.arrays["posedirs"][..., start : start + 9].astype(float) @ feature
        moved = [joint, *np.flatnonzero(self.arrays["parents"] == joint)]
        weight = self.arrays["weights"][:, moved].sum(1, keepdims=True)
        return (1 - weight) * posed + weight * ((posed - centre) @ turn.T + centre)


@dataclass(frozen=True)
class View:
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fov_deg: float = 16.0
    distance: float = 1.08
    size: int = 320

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Screen positions (supersampled pixels, depth) and the world-to-camera rotation."""
        yaw, pitch = np.radians([self.yaw_deg, self.pitch_deg])
        back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        rotation = np.stack([right, np.cross(back, right), back])
        local = (points - np.array(self.centre) - self.distance * back) @ rotation.T
        pixels = SUPERSAMPLE * self.size
        focal = pixels / 2 / np.tan(np.radians(self.fov_deg) / 2)
        depth = -local[:, 2]
        screen = [pixels / 2 + focal * local[:, 0] / depth, pixels / 2 - focal * local[:, 1] / depth, depth]
        return np.stack(screen, 1), rotation


def _albedo(bundle: Bundle, face: np.ndarray, uv: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[N, 3] quick colours by part, semantic texel and eye chart."""
    parts = bundle.info["parts"]
    colours = np.array([HAIR if p["name"].startswith("hair") else PART_COLOURS.get(p["name"], SKIN) for p in parts])
    part = bundle.arrays["face_part"][face]
    result = colours[part]
    on_skin = part == 0
    for ids, colour in (((2, 3), BROW), ((12, 13), LIP), ((4, 5), (0.75, 0.45, 0.42))):
        result[on_skin & np.isin(labels, ids)] = colour
    chart = bundle.info["charts"]["eye"]
    for index, p in enumerate(parts):
        if p["name"] not in ("l_eye", "r_eye"):
            continue
        own = part == index
        radius = np.linalg.norm((uv[own] - p["chart"][:2]) / p["chart"][2:], axis=1) * chart["last_angle"]
        iris, pupil = radius < chart["iris_angle"], radius < 0.42 * chart["iris_angle"]
        result[own] = np.where(pupil[:, None], 0.02, np.where(iris[:, None], [0.16, 0.26, 0.34], [0.72, 0.70, 0.68]))
    return result


def render(bundle: Bundle, vertices: np.ndarray, view: View, groups: tuple[str, ...] = (), mode: str = "shaded",
           landmarks: np.ndarray | None = None) -> np.ndarray:  # fmt: skip
    """[S, S, 3] uint8 RGB. mode: shaded, clay, labels, occlusion."""
    ids = bundle.faces_shown(groups)
    faces = bundle.arrays["faces"][ids]
    screen, rotation = view.project(vertices)
    pixels = SUPERSAMPLE * view.size
    fragments = rasterize(screen, faces, pixels, pixels)
    hit = fragments.hit
    triangle = ids[fragments.triangle[hit]]
    uv = np.einsum("nkc,nk->nc", bundle.arrays["uv"][bundle.arrays["uv_faces"][triangle]], fragments.barycentric[hit])
    semantic = bundle.arrays["semantic_uv"]
    texel = np.clip((uv * [1, -1] + [0, 1]) * len(semantic), 0, len(semantic) - 1).astype(int)
    labels = semantic[texel[:, 1], texel[:, 0]]
    image = np.full((pixels, pixels, 3), 0.36)
    if mode == "labels":
        palette = np.array([row["color"] for row in bundle.info["labels"]]) / 255.0
        image[:] = 0.0
        image[hit] = palette[labels]
    else:
        normal = fragments.interpolate(vertex_normals(vertices, bundle.arrays["faces"]), faces)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        light = rotation.T @ np.array([0.45, 0.55, 0.70])
        occlusion = fragments.interpolate(bundle.arrays["ambient_occlusion"].astype(float)[:, None], faces)[:, 0]
        shade = (0.78 * np.clip(normal @ light, 0, 1) + 0.10 * normal[:, 1]) * (0.5 + 0.5 * occlusion) + 0.2 * occlusion
        colour = _albedo(bundle, triangle, uv, labels) if mode == "shaded" else np.array([0.80, 0.74, 0.68])
        image[hit] = occlusion[:, None] if mode == "occlusion" else colour * shade[:, None]
        image = np.clip(image, 0, 1) ** (1 / 2.0)
    image = cv2.resize((image * 255).astype(np.uint8), (view.size, view.size), interpolation=cv2.INTER_AREA)
    if landmarks is not None:
        spots, _ = view.project(landmarks)
        for k, (x, y, _depth) in enumerate(spots / [SUPERSAMPLE, SUPERSAMPLE, 1]):
            dot = (40, 255, 60) if k < 17 else (255, 255, 255)
            cv2.circle(image, (int(8 * x), int(8 * y)), 13, dot, -1, cv2.LINE_AA, 3)
    return image


def all_landmarks(bundle: Bundle, vertices: np.ndarray, head_yaw_deg: float) -> np.ndarray:
    """[68, 3] with the contour row of a head yaw."""
    a = bundle.arrays
    yaw = int(np.clip(np.round(head_yaw_deg), -39, 39))
    row = yaw if yaw >= 0 else 39 - yaw
    contour = landmark_positions(vertices, a["faces"], a["landmark_dynamic_face"][row], a["landmark_dynamic_bary"][row])
    static = landmark_positions(vertices, a["faces"], a["landmark_static_face"], a["landmark_static_bary"])
    return np.concatenate([contour, static])


def _save(path: Path, images: list[np.ndarray], columns: int, names: list[str] | None = None) -> None:
    blank = np.zeros_like(images[0])
    for image, name in zip(images, names or [""] * len(images), strict=True):
        cv2.putText(image, name, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    images = images + [blank] * (-len(images) % columns)
    rows = [np.concatenate(images[k : k + columns], 1) for k in range(0, len(images), columns)]
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def sheets(bundle: Bundle, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rest = bundle.shaped({})
    hair = [p["group"] for p in bundle.info["parts"] if p["group"].startswith("hair/")]
    yaws = (0, -35, 35, -60, 60)
    images = [render(bundle, rest, View(y), (hair[k % len(hair)],)) for k, y in enumerate(yaws)]
    images += [render(bundle, rest, View(y, p)) for y, p in ((0, 0), (-35, 0), (60, 0), (0, 30), (-60, -30))]
    images += [render(bundle, rest, View(y), mode="labels", landmarks=all_landmarks(bundle, rest, -y))
               for y in (0, -20, -39, 39)]  # fmt: skip
    images += [render(bundle, rest, View(0), mode="occlusion")]
    _save(out / "views.png", images, 5)
    images = [render(bundle, rest, View(y, 5), (g, "glasses/round")) for g in hair for y in (0, -50, 150)]
    _save(out / "hair.png", images, 6)

    close = View(-20, centre=(0, 0.0, 0.02), fov_deg=11.5, size=200)
    names, images = [], []
    for expression in bundle.info["expressions"]:
        names.append(expression["name"])
        images.append(render(bundle, bundle.shaped({expression["name"]: 1.0}), close))
    for name, joint, angle in (("jaw joint 0.3", 2, 0.3), ("eyes down 0.4", 3, 0.4), ("neck 0.3", 1, 0.3)):
        vertices = bundle.posed(rest, joint, angle)
        names.append(name)
        images.append(render(bundle, bundle.posed(vertices, 4, angle) if joint == 3 else vertices, close))
    _save(out / "expressions.png", images, 7, names)

    side = View(-40, centre=(0, 0.0, 0.0), fov_deg=14.0, size=150)
    front = View(0, centre=(0, 0.0, 0.0), fov_deg=14.0, size=150)
    names, images = [], []
    for slider in bundle.info["sliders"]:
        for value in (-1.0, 1.0):
            view = side if slider["region"] in ("chin", "nose", "forehead") else front
            names.append(f"{slider['name']} {value:+.0f}")
            images.append(render(bundle, bundle.shaped({slider["name"]: max(value, slider["min"])}), view, mode="clay"))
    _save(out / "sliders.png", images, 12, names)

    images = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        values = {s["name"]: float(np.clip(rng.normal(0, 0.33), s["min"], s["max"])) for s in bundle.info["sliders"]}
        values |= {name: 0.0 for name in ("macro/child", "macro/age")}
        values["macro/masculine"] = float(rng.choice([-0.7, 0.7]))
        group = hair[seed % len(hair)]
        images.append(render(bundle, bundle.shaped(values), View(float(rng.uniform(-35, 35)), size=220), (group,)))
    _save(out / "identities.png", images, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    sheets(Bundle.load(options.bundle), options.out)


if __name__ == "__main__":
    main()
