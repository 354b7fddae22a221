"""The whole head: skin and parts in one vertex array, as a function of the geometry numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import parts
from .carry import Projector, mirrored
from .grids import Index, outward
from .parameters import Array, Parameters, base_parameters, load_table
from .sculpture import Sculpture
from .template import FLIP, Detail, build_skin


@dataclass(frozen=True)
class Block:
    """One part's vertices inside the array; `uv` in -1..1 of the part's chart."""

    start: int
    count: int
    uv: Array

    @property
    def ids(self) -> Index:
        return np.arange(self.start, self.start + self.count)


class Head:
    """Topology plus `vertices(parameters)`. Working unit; all arrays share one vertex order."""

    def __init__(self, detail: Detail | None = None, seed: int = 1) -> None:
        self.detail = detail or Detail()
        self.plan = parts.PartPlan.scaled(self.detail.part_scale)
        self.skin = build_skin(self.detail, seed)
        self.projector = Projector(self.skin)
        self.part_rows = load_table("parts")["parts"]
        self.part_names = [row["name"] for row in self.part_rows]

        self.blocks: dict[str, Block] = {}
        self._faces: list[Index] = [self.skin.faces, self.skin.bag_faces]
        self._face_part: list[Index] = [
            np.full(len(self.skin.faces), self.part_names.index("skin")),
            np.full(len(self.skin.bag_faces), self.part_names.index("mouth_bag")),
        ]
        self._mirror: list[Index] = [self.skin.mirror]
        self.count = self.skin.count
        self._add_parts()

        self.faces = np.concatenate(self._faces).astype(np.int32)
        self.face_part = np.concatenate(self._face_part).astype(np.uint8)
        self.mirror = np.concatenate(self._mirror).astype(np.int32)
        self._mirror_triangulation()

    # ------------------------------------------------------------ construction
    def _append(self, name: str, faces: Index, mirror: Index, count: int, uv: Array) -> None:
        self.blocks[name] = Block(self.count, count, uv)
        self._faces.append(faces + self.count)
        self._face_part.append(np.full(len(faces), self.part_names.index(name)))
        self._mirror.append(mirror)
        self.count += count

    def _add_pair(self, name: str, left: Array, faces: Index, uv: Array, reference: Array) -> None:
        """A part of the +x side and its mirror image."""
        size = len(left)
        faces = outward(left, faces, reference)
        start = self.count
        self._append(f"l_{name}", faces, np.arange(size) + start + size, size, uv)
        self._append(f"r_{name}", faces[:, ::-1], np.arange(size) + start, size, uv * [-1, 1])

    def _add_parts(self) -> None:
        base, plan = base_parameters(), self.plan
        sculpture = Sculpture(base)
        contact = self.skin.rest[self.skin.mouth_ring(0)]
        eye = parts.unit_eyeball(plan)
        self._add_pair("eye", eye, parts.eyeball_faces(plan), parts.eyeball_uv(plan), np.zeros(3))
        ear = parts.ear(base, sculpture, plan)
        self._add_pair("ear", ear, parts.ear_faces(plan), parts.ear_uv(plan), ear.mean(0) - [0.15, 0.0, 0.0])
        rows, columns = np.meshgrid(
            np.linspace(-1, 1, len(parts.TEETH_PROFILE)), np.linspace(-1, 1, plan.teeth_columns), indexing="ij"
        )
        for name, lower in (("teeth_up", False), ("teeth_low", True)):
            vertices = parts.teeth(base, plan, contact, lower)
            faces = outward(vertices, parts.teeth_faces(plan, lower), vertices.mean(0) - [0, 0, 0.3])
            uv = np.stack([columns.ravel(), rows.ravel()], 1)
            self._append(name, faces, parts.teeth_mirror(plan) + self.count, len(vertices), uv)
        vertices = parts.tongue(base, plan, contact)
        faces = outward(vertices, parts.tongue_faces(plan), vertices.mean(0))
        flat = (vertices[:, [0, 2]] - vertices[:, [0, 2]].mean(0)) / [0.18, 0.26]
        bent = flat * (1.0 - 0.35 * (vertices[:, 1:2] < vertices[:, 1].mean()))  # under side inside the upper one
        self._append("tongue", faces, parts.tongue_mirror(plan) + self.count, len(vertices), bent)

    def _mirror_triangulation(self) -> None:
        """Quads are split the same way on both sides: the -x half repeats the +x half."""
        x = self.rest[self.faces][..., 0]
        left, right = (x > -1e-9).all(1), (x < 1e-9).all(1)
        kept = ~right
        reflected = self.mirror[self.faces[left]][:, ::-1]
        self.faces = np.concatenate([self.faces[kept], reflected])
        self.face_part = np.concatenate([self.face_part[kept], self._mirror_part(self.face_part[left])])
        order = np.argsort(self.face_part, kind="stable")
        self.faces, self.face_part = np.ascontiguousarray(self.faces[order]), self.face_part[order]

    def _mirror_part(self, part: np.ndarray) -> np.ndarray:
        swap = {"l_": "r_", "r_": "l_"}
        names = [swap.get(name[:2], name[:2]) + name[2:] for name in self.part_names]
        return np.array([self.part_names.index(name) for name in names], np.uint8)[part]

    # ------------------------------------------------------------ geometry
    def vertices(self, p: Parameters) -> Array:
        """[V, 3] all vertices of one identity, working unit, exactly mirror-symmetric."""
        skin = self.projector.project(p)
        result = np.empty((self.count, 3))
        result[: self.skin.count] = skin
        contact = skin[self.skin.mouth_ring(0)]
        eye = parts.unit_eyeball(self.plan) * p["eye.r"] + p.vector("eye")
        ear = parts.ear(p, Sculpture(p), self.plan)
        for name, left in (("eye", eye), ("ear", ear)):
            result[self.blocks[f"l_{name}"].ids] = left
            result[self.blocks[f"r_{name}"].ids] = left * FLIP
        result[self.blocks["teeth_up"].ids] = parts.teeth(p, self.plan, contact, lower=False)
        result[self.blocks["teeth_low"].ids] = parts.teeth(p, self.plan, contact, lower=True)
        result[self.blocks["tongue"].ids] = parts.tongue(p, self.plan, contact)
        return mirrored(result, self.mirror) * p.vector("all")

    @cached_property
    def rest(self) -> Array:
        """[V, 3] the neutral head; also the coordinate of every mask."""
        return self.vertices(base_parameters())

    def part_faces(self, name: str) -> Index:
        return np.flatnonzero(self.face_part == self.part_names.index(name))
