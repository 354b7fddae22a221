"""The teacher of next3d-mini: (seed, index) → a code z, a posed head, and pictures of it that a tri-plane generator can match exactly.

    teacher = Teacher()
    sample = teacher.sample(seed=1, index=7)          # a record of `teacher.dtype`

Everything is a pure function of (seed, index). z sets the person (next3d_teacher_people.py), other streams the expression and the camera.
The head is cut off inside the generator's box; the light is fixed to the head and mirrors nothing, so that a surface point has one colour
from everywhere. Design: docs/design/next3d_mini.md.

    python -m forge_rt.export.recipes.next3d_teacher --out DIR --count 20000 --seed 1      # a cache for a trainer
    python -m forge_rt.export.recipes.next3d_teacher --sheet teacher.png                   # a contact sheet
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import forge_rt as fr
import numpy as np
from forge_rt import Camera, FaceParameters, ForgeHead, InvalidArgumentError, _core, camera

from . import next3d_teacher_people as people
from .next3d_teacher_views import BOX_WARP, CENTRE_M, SCALE, SHIFT, Topology

RADIUS = 2.7  # world units, from the middle of the box
#: Below this height (head frame, metres) there is no teacher: a plane through the neck, inside the box.
CUT_Y_M = -0.1125
#: sRGB of the cut itself, which low cameras see: as the underside of a bust.
CUT_COLOR = (44, 36, 34)
NECK = 14
#: Ray distances are stored as (value - DEPTH_START) / DEPTH_STEP, 0 = nothing there.
DEPTH_START, DEPTH_STEP = 2.2, 1.0 / 65535

# Shares and ranges of what is drawn beside z.
WIDE_SHARE = 1 / 3  # of the cameras


@dataclass(frozen=True)
class TeacherConfig:
    size: int = 256  #: of pictures
    depth_size: int = 128  #: of ray distances
    plane_size: int = 128  #: of the front view
    views: int = 1  #: samples in a row that share z and expression and differ in the camera
    vertices: bool = True  #: keep the mesh; it can also be had again from (seed, index)

    def validate(self) -> None:
        if self.size < 8 or (2 * self.size) % self.depth_size or (2 * self.size) // self.depth_size % 2:
            raise InvalidArgumentError(
                f"depth_size must divide size (got {self.depth_size} and {self.size}), both 8 or more"
            )
        if self.views < 1 or self.plane_size < 8:
            raise InvalidArgumentError(
                f"views must be >= 1 and plane_size >= 8, got {self.views} and {self.plane_size}"
            )


@dataclass(frozen=True)
class TeacherDraw:
    """What one sample shows."""

    z: np.ndarray
    person: people.Person
    face: FaceParameters  #: with expression
    camera: Camera  #: of `size` pixels


class Teacher:
    """Draws and renders samples. Not for several threads; processes are cheap (a bundle of 6 MB)."""

    def __init__(self, config: TeacherConfig | None = None, head: ForgeHead | None = None) -> None:
        self.config = config or TeacherConfig()
        self.config.validate()
        self.head = head or ForgeHead()
        self.topology = Topology(self.head)
        #: Whether the renderer can shade without mirrors (wet eyes, the rim of the skin). Manifests record it.
        self.matte = "matte" in (ForgeHead.render.__kwdefaults__ or {})

    # ---- what is drawn ----

    def z(self, seed: int, index: int) -> np.ndarray:
        """[64] float32 normals of sample `index`."""
        random = _core.Random(seed, index // self.config.views, "teacher.z")
        return np.array([random.normal() for _ in range(people.Z_DIM)], np.float32)

    def expression(self, seed: int, index: int, face: FaceParameters) -> dict[str, float]:
        """Weights of the head's expressions. A third has closed lids, open jaws or both."""
        random = _core.Random(seed, index // self.config.views, "teacher.expression")
        return people.expression(self.head, face, random)

    def view(self, seed: int, index: int) -> Camera:
        """Yaw mostly a bell of 0.35 rad, a third of the cameras the whole ± 0.8; pitch within ± 0.4."""
        random = _core.Random(seed, index, "teacher.camera")
        wide = random.uniform() < WIDE_SHARE
        bell = [random.normal(), random.normal()]
        flat = [random.uniform(-1.0, 1.0), random.uniform(-1.0, 1.0), random.uniform()]
        yaw = 0.8 * flat[0] if wide else float(np.clip(0.35 * bell[0], -0.8, 0.8))
        pitch = 0.4 * flat[1] if wide else float(np.clip(0.16 * bell[1], -0.4, 0.4))
        fov = 13.4 + 4.0 * flat[2] if wide else 15.6 + 1.2 * flat[2]
        return self.orbit(math.degrees(yaw), math.degrees(pitch), fov)

    def orbit(self, yaw_deg: float, pitch_deg: float, fov_deg: float = 16.2) -> Camera:
        return camera.orbit(
            yaw_deg=yaw_deg, pitch_deg=pitch_deg, fov_deg=fov_deg, radius_m=RADIUS / SCALE, origin_m=CENTRE_M,
            size=self.config.size,
        )  # fmt: skip

    def draw(self, seed: int, index: int) -> TeacherDraw:
        z = self.z(seed, index)
        person = people.person(self.head, z)
        face = self.head.face(person.face, expression=self.expression(seed, index, person.face))
        return TeacherDraw(z, person, face, self.view(seed, index))

    # ---- what it looks like ----

    @property
    def dtype(self) -> np.dtype:
        """One sample. `foreground` is over black; the full picture is foreground + (1 - coverage) · background (`picture`)."""
        c = self.config
        fields: list[tuple] = [
            ("seed", "<i8"),
            ("index", "<i8"),
            ("z", "<f4", people.Z_DIM),
            ("camera", "<f4", 25),  # label of the generator's world
            ("background", "u1", 3),  # sRGB
            ("foreground", "u1", (c.size, c.size, 3)),  # sRGB · coverage
            ("coverage", "u1", (c.size, c.size)),  # 0..255
            ("classes", "u1", (c.size, c.size)),  # ForgeHead's labels
            ("depth", "<u2", (c.depth_size, c.depth_size)),  # `ray_distance`
            ("uv", "<u2", (c.plane_size, c.plane_size, 2)),  # `front_uv`
            ("alpha", "u1", (c.plane_size, c.plane_size)),
            ("mouth_box", "<i4", 4),  # row0, row1, col0, col1 of the planes
            ("landmarks", "<f4", (68, 3)),  # head frame, metres
        ]
        if c.vertices:
            fields.append(("vertices", "<f4", (self.topology.uv.shape[0], 3)))
        return np.dtype(fields)

    def sample(self, seed: int, index: int) -> np.ndarray:
        """One record, [] of `dtype`."""
        return self.render(self.draw(seed, index), seed, index)

    def batch(self, seed: int, first: int, count: int) -> np.ndarray:
        """[count] of `dtype`."""
        out = np.zeros(count, self.dtype)
        for i in range(count):
            out[i] = self.sample(seed, first + i)
        return out

    def render(self, draw: TeacherDraw, seed: int = -1, index: int = -1) -> np.ndarray:
        c = self.config
        out = np.zeros((), self.dtype)
        out["seed"], out["index"], out["z"] = seed, index, draw.z
        out["camera"] = draw.camera.label25(SCALE, SHIFT)
        out["background"] = np.round(draw.person.background * 255)
        mesh = self.head.mesh(draw.face)
        vertices, landmarks = np.asarray(mesh.vertices), np.asarray(mesh.landmarks)
        out["landmarks"] = landmarks[0]
        if c.vertices:
            out["vertices"] = vertices[0]

        front = self.topology.front(vertices, landmarks, c.plane_size)
        out["uv"] = np.round((front.uv[0] * 0.5 + 0.5) * 65534)
        out["alpha"] = np.round(front.alpha[0] * 255)
        out["mouth_box"] = front.mouth_box[0]

        # Two by two samples a pixel, each of one surface: colours are then mixed as a volume renderer mixes them, after the film curve.
        fine = _resized(draw.camera, 2 * c.size)
        images = self.head.render(draw.face, fine, supersample=1, **({"matte": True} if self.matte else {}))
        color, label, z_m = (np.asarray(a)[0] for a in (images.rgb, images.segmentation, images.depth_m))
        rays = Rays.of(fine)
        in_box = np.abs(rays.along(z_m, 1) * SCALE + SHIFT[1]) <= BOX_WARP / 2
        for axis in (0, 2):
            in_box &= np.abs(rays.along(z_m, axis) * SCALE + SHIFT[axis]) <= BOX_WARP / 2
        hit = (z_m > 0) & in_box & (rays.along(z_m, 1) >= CUT_Y_M)
        label, color, shown = label * hit, color * hit[..., None], hit
        if rays.position[1] < CUT_Y_M:  # a low camera sees the cut
            cut_z = self._cut(fine, vertices[0])
            cut = (cut_z > 0) & ~hit
            color[cut], label[cut], shown = CUT_COLOR, NECK, hit | cut
            z_m = np.where(cut, cut_z, z_m)

        out["foreground"] = (sum(_four(color.astype(np.uint16))) + 2) // 4
        out["coverage"] = (sum(_four(shown.astype(np.uint16))) * 255 + 2) // 4
        out["classes"] = _majority(label)
        out["depth"] = _stored(_central(np.where(shown, z_m, np.inf), rays.length * SCALE, c.depth_size))
        return out

    def _cut(self, view: Camera, vertices: np.ndarray) -> np.ndarray:
        """Camera z of the plane that the neck ends in, where it is inside of the neck; 0 elsewhere."""
        ring = _slice(vertices, self.topology.triangles[self.topology.part == 0], CUT_Y_M)
        fan = np.concatenate([ring.mean(0, keepdims=True), ring]).astype(np.float32)
        n = len(ring)
        triangles = np.stack([np.zeros(n, int), 1 + np.arange(n), 1 + (np.arange(n) + 1) % n], -1).astype(np.int32)
        clip = camera.to_clip(fan, view)
        return np.asarray(fr.rasterize(clip, triangles, tuple(view.size), cull="none").depth)[0]


# ---- readers of a record ----


def picture(sample: np.ndarray | Mapping) -> np.ndarray:
    """[..., S, S, 3] float32 0..1: the whole picture."""
    clear = 1 - sample["coverage"][..., None] / np.float32(255)
    return (sample["foreground"] + clear * sample["background"][..., None, None, :]) / np.float32(255)


def ray_distance(sample: np.ndarray | Mapping) -> np.ndarray:
    """[..., D, D] float32: distance along the ray in world units, 0 where it meets nothing."""
    stored = sample["depth"]
    return np.where(stored > 0, DEPTH_START + stored * np.float32(DEPTH_STEP), 0).astype(np.float32)


def front_uv(sample: np.ndarray | Mapping) -> np.ndarray:
    """[..., R, R, 2] float32 grid in [-1, 1]."""
    return sample["uv"] * np.float32(2 / 65534) - np.float32(1)


# ---- pieces ----


def _resized(view: Camera, size: int) -> Camera:
    scale = size / view.size[0]
    return camera.Camera(
        (size, size), view.fx * scale, view.fy * scale, view.cx * scale, view.cy * scale, view.world_to_camera
    )


@dataclass(frozen=True)
class Rays:
    """Rays of unit camera z through the pixel centres of a view."""

    position: np.ndarray  #: [3] centre of projection, head frame
    x: np.ndarray  #: [W] float32, camera frame
    y: np.ndarray  #: [H]
    to_head: np.ndarray  #: [3, 3] float32: rows are the camera's axes in the head frame

    @staticmethod
    def of(view: Camera) -> Rays:
        height, width = view.size
        x, y = (np.arange(width) + 0.5 - view.cx) / view.fx, (np.arange(height) + 0.5 - view.cy) / view.fy
        axes = np.asarray(view.world_to_camera).reshape(3, 4)[:, :3]
        return Rays(*(np.asarray(a, np.float32) for a in (view.position_m, x, y, axes)))

    @property
    def length(self) -> np.ndarray:
        """[H, W]: distance over camera z."""
        return np.sqrt(1 + self.x**2 + self.y[:, None] ** 2)

    def along(self, z_m: np.ndarray, axis: int) -> np.ndarray:
        """Head-frame coordinate [H, W] of the points at camera z."""
        (right, down, forward) = self.to_head[:, axis]
        return self.position[axis] + z_m * ((self.x * right + forward) + (self.y * down)[:, None])


def _four(image: np.ndarray) -> list[np.ndarray]:
    """The samples of each pixel, in reading order."""
    return [image[i::2, j::2] for i in (0, 1) for j in (0, 1)]


def _majority(label: np.ndarray) -> np.ndarray:
    """The most frequent class of two by two samples; of a tie the first in reading order."""
    a, b, c, d = _four(label)
    first = (a == b) | (a == c) | (a == d)
    second, third = (b == c) | (b == d), c == d
    tie = ((a == b) & (c == d)) | ((a == c) & (b == d)) | ((a == d) & (b == c))
    return np.where(first & (~(second | third) | tie), a, np.where(second, b, np.where(third, c, a)))


def _central(z: np.ndarray, scale: np.ndarray, size: int) -> np.ndarray:
    """Distances z · scale at the centres of `size`² pixels: the mean of the four samples around that lie on one surface.

    The surface is that of the second nearest sample: in front of an edge, but not of a single strand of hair. 0 where fewer than two hit.
    """
    step = z.shape[0] // size
    at = step // 2 - 1
    four = np.stack([(z * scale)[at + i :: step, at + j :: step] for i in (0, 1) for j in (0, 1)])
    second = np.sort(four, 0)[1]
    hit = np.isfinite(second)
    use = (np.abs(four - np.where(hit, second, 0)) <= EDGE) & hit
    return np.where(use, four, 0).sum(0) / np.maximum(use.sum(0), 1)


#: World units between samples of one pixel that count as one surface.
EDGE = 0.02


def _stored(distance: np.ndarray) -> np.ndarray:
    return np.where(distance > 0, np.clip(np.round((distance - DEPTH_START) / DEPTH_STEP), 1, 65535), 0)


def _slice(vertices: np.ndarray, triangles: np.ndarray, y: float) -> np.ndarray:
    """[N, 3] points where a mesh crosses the height y, in order around their middle (a neck is convex enough)."""
    points = vertices[triangles]
    ends = points[:, [0, 1, 2]], points[:, [1, 2, 0]]
    low, high = ends[0][..., 1] - y, ends[1][..., 1] - y
    crossing = (low < 0) != (high < 0)
    t = (low[crossing] / (low[crossing] - high[crossing]))[:, None]
    ring = ends[0][crossing] * (1 - t) + ends[1][crossing] * t
    ring = ring[ring[:, 2] < NECK_FRONT_M]  # not the chin
    off = ring - ring.mean(0)
    return ring[np.argsort(np.arctan2(off[:, 0], off[:, 2]))]


#: Chins that hang below the cut lie in front of this.
NECK_FRONT_M = 0.0


def main() -> None:
    from . import next3d_teacher_cache, next3d_teacher_sheet

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", help="folder of a cache; an interrupted run goes on where it stopped")
    parser.add_argument("--sheet", help="PNG: identities × views × expressions, depth and front views")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard", type=int, default=250, help="samples a file")
    parser.add_argument(
        "--part", default="0/1", help="i/n: every n-th file from the i-th on; n processes may share a folder"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the renderer; processes (--part) scale better")
    for name, value in asdict(TeacherConfig()).items():
        if name != "vertices":
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    args = parser.parse_args()
    _core.set_num_threads(args.threads)
    teacher = Teacher(TeacherConfig(args.size, args.depth_size, args.plane_size, args.views))
    if args.sheet:
        next3d_teacher_sheet.write(teacher, args.sheet, args.seed)
    if args.out:
        part, parts = (int(n) for n in args.part.split("/"))
        next3d_teacher_cache.write(
            teacher, args.out, seed=args.seed, count=args.count, shard=args.shard, part=part, parts=parts
        )
    if not (args.sheet or args.out):
        parser.error("nothing to do: give --out DIR or --sheet PNG")


if __name__ == "__main__":
    main()
