"""What the samples of a run are drawn from (spec/next3d §18.1), as data, and the draws: pure functions of (seed, index, attempt).

sampler = PRESETS["synthforge-code"].sampler(z_dim=512, world=SYNTHFORGE_WORLD)
draw = sampler.draw(seed=7, index=81442)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forge_rt import _core, next3d_people
from forge_rt._core import FaceParameters, InvalidArgumentError
from forge_rt.annotation.world import SYNTHFORGE_WORLD, World
from forge_rt.camera import Camera, CameraSampler
from forge_rt.forge_head import ForgeHead


@dataclass(frozen=True)
class Preset:
    """Distributions of one published recipe. FLAME's numbers are uniform in a range, its pose is neutral; z is normal.

    A ForgeHead has its identity from z (`forge_rt.next3d_people`) and the expressions that next3d-mini learned, whatever the preset.
    """

    name: str
    about: str
    shape: tuple[float, float]  #: of each FLAME shape component
    expression: tuple[float, float]
    camera: Mapping[str, Any]  #: config of a CameraSampler, without origin and look-at point
    radius: float = 2.7  #: generator units, about the world's origin
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.2)  #: generator units: what cameras look at
    n_shape: int = 100
    n_expression: int = 50

    def cameras(self, world: World | Mapping[str, Any] = SYNTHFORGE_WORLD, **overrides: Any) -> CameraSampler:
        """Cameras about the origin of `world`; `overrides` are keys of the config language."""
        world = World.of(world)
        about = {
            "radius_m": self.radius / world.scale,
            "origin_m": [-s / world.scale for s in world.shift],
            "lookat_m": [p / world.scale for p in self.pivot],
        }
        return CameraSampler({**self.camera, **about}, **overrides)

    def sampler(
        self,
        *,
        z_dim: int = 512,
        world: World | Mapping[str, Any] = SYNTHFORGE_WORLD,
        head: ForgeHead | None = None,
        views: int = 1,
        size: int | tuple[int, int] = 512,
        camera: CameraSampler | None = None,
    ) -> Sampler:
        """`head`: a ForgeHead; None draws FLAME's numbers. `camera` replaces the preset's. `views`: images in a row that share the person."""
        if head is not None and z_dim != next3d_people.Z_DIM:
            raise InvalidArgumentError(
                f"a ForgeHead comes from {next3d_people.Z_DIM} numbers z, this generator takes {z_dim}: it was not made for ForgeHead"
            )
        if views < 1:
            raise InvalidArgumentError(f"views must be 1 or more, got {views}")
        return Sampler(self, z_dim, World.of(world), head, views, size, camera or self.cameras(world))

    def draw(self, seed: int, index: int, *, attempt: int = 0, **options: Any) -> GeneratorDraw:
        """One sample; `options` are those of `sampler`, which is the thing to keep for many."""
        return self.sampler(**options).draw(seed, index, attempt)


@dataclass(frozen=True)
class GeneratorDraw:
    """What a generator is given for one sample."""

    z: NDArray[np.float32]  #: [z_dim]
    camera: Camera  #: head frame, metres
    label25: NDArray[np.float64]  #: [25] the same in the generator's world
    shape: NDArray[np.float32] | None = None  #: [n_shape] of FLAME
    expression: NDArray[np.float32] | None = None  #: [n_expression] of FLAME
    pose: NDArray[np.float32] | None = None  #: [6] global and jaw rotation of FLAME: neutral
    face: FaceParameters | None = None  #: of a ForgeHead, with expression


@dataclass(frozen=True)
class Sampler:
    """A preset for one model: draws that are pure functions of (seed, index, attempt)."""

    preset: Preset
    z_dim: int
    world: World
    head: ForgeHead | None
    views: int
    size: int | tuple[int, int]
    camera: CameraSampler

    def draw(self, seed: int, index: int, attempt: int = 0) -> GeneratorDraw:
        """Sample `index`. With several views the person is that of index // views, and another attempt draws another camera only."""
        person, again = index // self.views, attempt if self.views == 1 else 0
        random = _core.Random(seed, person, "synthforge.z", again)
        z = np.array([random.normal() for _ in range(self.z_dim)], np.float32)
        view = self.camera.sample(seed, index, self.size, attempt=attempt)
        label = np.asarray(view.label25(self.world.scale, self.world.shift), np.float64)
        if self.head is not None:
            face = next3d_people.person(self.head, z).face
            weights = next3d_people.expression(
                self.head, face, _core.Random(seed, person, "synthforge.expression", again)
            )
            return GeneratorDraw(z, view, label, face=self.head.face(face, expression=weights))
        return GeneratorDraw(
            z, view, label,
            self._uniform("synthforge.shape", self.preset.shape, self.preset.n_shape, seed, person, again),
            self._uniform("synthforge.expression", self.preset.expression, self.preset.n_expression, seed, person, again),
            np.zeros(6, np.float32),
        )  # fmt: skip

    @staticmethod
    def _uniform(
        purpose: str, limits: tuple[float, float], count: int, seed: int, person: int, attempt: int
    ) -> NDArray[np.float32]:
        low, high = limits
        return np.asarray(_core.random_uniform([count], seed, person, purpose, attempt)) * np.float32(
            high - low
        ) + np.float32(low)


def _camera(name: str) -> dict[str, Any]:
    """Angles and fields of view of a built-in camera preset."""
    config = CameraSampler(name).config
    return {key: config[key] for key in ("yaw_deg", "pitch_deg", "fov_published_deg")}


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("paper", "as the SynthForge paper states it", (-2.0, 2.0), (-2.0, 2.0), _camera("paper")),
        Preset("synthforge-code", "as the published code draws", (-2.0, 2.0), (-2.0, 2.0), _camera("synthforge-code")),
        Preset(
            "synthforge-alignment",
            "as the published alignment was trained: the code's, with fields of view 15..23",
            (-2.0, 2.0),
            (-2.0, 2.0),
            {**_camera("synthforge-code"), "fov_published_deg": {"uniform": [15.0, 23.0]}},
        ),
        Preset(
            "next3d-mini",
            "the views that next3d-mini was taught: its box is in the middle of the image",
            (-2.0, 2.0),
            (-2.0, 2.0),
            {
                "yaw_deg": {"uniform": [-45.8, 45.8]},
                "pitch_deg": {"uniform": [-22.9, 22.9]},
                "fov_deg": {"uniform": [13.4, 17.4]},
            },
            pivot=(0.0, 0.0, 0.0),
        ),
    )
}
