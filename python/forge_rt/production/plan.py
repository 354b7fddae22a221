"""What a run makes. The plan alone decides every byte of the data set; threads, batch, workers and machine do not."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from forge_rt._core import InvalidArgumentError
from forge_rt.camera import CameraSampler
from forge_rt.forge_head import cameras_by_style, wild_share
from forge_rt.production.generator_plan import PLACES, GeneratorPlan

FORGEHEAD = "forgehead"
DEFAULT_SIZE = 512
LAYOUTS = ("shards", "folders", "synthforge", "coco")
RGB_FORMATS = ("jpeg", "png", "webp")
DEPTH_FORMATS = ("png16", "npy")
MAX_SHARDS = 1_000_000
EXTRAS = ("normals", "uv", "layers", "volume_depth", "soft")


def _without_places(plan: dict[str, Any]) -> dict[str, Any]:
    def name(text: Any) -> Any:
        return ",".join(Path(part.strip()).name for part in text.split(",")) if isinstance(text, str) else text

    own = plan.get("generator")
    if own is not None:
        plan = {**plan, "generator": {k: name(v) if k in PLACES else v for k, v in own.items()}}
    return {**plan, "model": name(plan["model"])} if "model" in plan else plan


@dataclass(frozen=True)
class Plan:
    """A data set of `count` images. Image i is view i mod `views` of identity i div `views`: a pure function of (seed, i)."""

    count: int
    seed: int = 0
    model: str = FORGEHEAD  #: or a generator: the name of an embedded bundle (next3d-mini), or the path of one
    style: str | float = "studio"  #: studio, wild, mixed, or the share of wild images
    views: int = 1  #: images of one identity, expression and scene, from different cameras
    size: int = 0  #: pixels, square; 0: 512, or the size of the generator's pictures
    #: preset, file, or configuration (docs/guides/cameras.md); None: portrait for studio images, the wild preset for wild ones
    camera: str | Mapping[str, Any] | None = None
    layout: str = "shards"  #: docs/reference/dataset_record.md
    shard_size: int = 500  #: samples that are finished together; the tar's length in layout shards
    rgb: str = "jpeg"  #: jpeg: quality 95, 4:4:4; png; webp: quality 95
    depth: str = "png16"  #: png16: steps of 0.1 mm; npy: float32 metres
    extras: tuple[str, ...] = ()  #: of normals, uv, layers, soft; of a generator: normals, volume_depth
    supersample: int = 2  #: coverage samples per axis
    min_visible: float = 0.35  #: a sample whose visible share of the 68 landmarks is less is drawn again
    #: of a generator model (docs/guides/generators.md): preset, psi, cutoff, conditioning, annotation, head, …; None for forgehead
    generator: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.size == 0 and not isinstance(self.size, bool):
            from forge_rt.production.sources import native_size

            object.__setattr__(self, "size", native_size(self.model))

    def validate(self) -> Plan:
        """Raises InvalidArgumentError naming the field, what it takes and what came."""

        def need(good: bool, name: str, what: str) -> None:
            if not good:
                raise InvalidArgumentError(f"{name} must be {what}, got {getattr(self, name)!r}")

        def whole(value: Any) -> bool:
            return isinstance(value, int) and not isinstance(value, bool)

        def one_of(name: str, choices: tuple[str, ...]) -> None:
            need(getattr(self, name) in choices, name, " or ".join(map(repr, choices)))

        need(whole(self.count) and 1 <= self.count < 2**31, "count", "a whole number from 1 to 2^31 - 1")
        need(whole(self.seed) and 0 <= self.seed < 2**64, "seed", "a whole number from 0 to 2^64 - 1")
        need(whole(self.size) and 16 <= self.size <= 2048, "size", "a whole number of pixels from 16 to 2048")
        need(whole(self.views) and 1 <= self.views <= 10_000, "views", "a whole number from 1 to 10000")
        need(
            whole(self.shard_size) and 1 <= self.shard_size <= 1_000_000, "shard_size", "a whole number from 1 to 10^6"
        )
        if self.shards > MAX_SHARDS:
            raise InvalidArgumentError(
                f"shard_size must be at least {-(-self.count // MAX_SHARDS)} for {self.count} samples "
                f"(at most {MAX_SHARDS} shards), got {self.shard_size}"
            )
        one_of("layout", LAYOUTS)
        one_of("rgb", RGB_FORMATS)
        one_of("depth", DEPTH_FORMATS)
        need(whole(self.supersample) and 1 <= self.supersample <= 4, "supersample", "1, 2, 3 or 4")
        need(isinstance(self.model, str) and self.model != "", "model", "'forgehead' or a generator's name or path")
        need(isinstance(self.extras, tuple), "extras", f"a tuple of {', '.join(EXTRAS)}")
        for extra in self.extras:
            if extra not in EXTRAS:
                raise InvalidArgumentError(f"extras are any of {', '.join(EXTRAS)}, got {extra!r}")
        need(len(set(self.extras)) == len(self.extras), "extras", "different names")
        need(
            isinstance(self.min_visible, (int, float))
            and not isinstance(self.min_visible, bool)
            and 0 <= self.min_visible <= 1,
            "min_visible",
            "a share from 0 to 1",
        )
        if self.layout == "synthforge":
            need(self.size % 4 == 0, "size", "a multiple of 4: layout synthforge has depth at a quarter of the size")
            need(not self.extras, "extras", "empty for layout synthforge, which has no place for them")
            need(self.rgb in ("jpeg", "png"), "rgb", "left out for layout synthforge: its images are PNG")
            need(self.depth == "png16", "depth", "left out for layout synthforge: its depth is 8-bit PNG")
        need(
            isinstance(self.style, (str, int, float)) and not isinstance(self.style, bool),
            "style",
            "a style or a share",
        )
        wild_share(self.style)
        if self.generator is not None:
            GeneratorPlan.from_json(self.generator)
        self.cameras()
        return self

    @property
    def shards(self) -> int:
        return -(-self.count // self.shard_size)

    def indices(self, shard: int) -> range:
        """The samples of one shard."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.count))

    def cameras(self) -> dict[str, CameraSampler]:
        """The sampler of each style."""
        return cameras_by_style(self.camera)

    def to_json(self) -> dict[str, Any]:
        """What a run records: the camera is written out in full, so that a preset can never change under a data set."""
        if self.model != FORGEHEAD and self.camera is None:
            return {**asdict(self), "extras": list(self.extras), **self._generator_json()}  # cameras are the preset's
        configs = {style: sampler.config for style, sampler in self.cameras().items()}
        same = configs["studio"] == configs["wild"]
        return {
            **asdict(self),
            "extras": list(self.extras),
            **self._generator_json(),
            "camera": configs["studio"] if same else configs,
        }

    def options(self) -> GeneratorPlan:
        """Of a generator model, with defaults filled in."""
        return GeneratorPlan.from_json(self.generator or {})

    def without_places(self) -> dict[str, Any]:
        """to_json() with files by their names alone: what a published data set says."""
        return _without_places(self.to_json())

    def _generator_json(self) -> dict[str, Any]:
        return {"generator": None if self.model == FORGEHEAD else self.options().to_json()}

    @classmethod
    def from_json(cls, text: str | Mapping[str, Any]) -> Plan:
        """Inverse of to_json(); unknown keys are an error."""
        raw = json.loads(text) if isinstance(text, str) else dict(text)
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(raw) - known):
            raise InvalidArgumentError(
                f"unknown plan field {unknown[0]!r}; the fields are {', '.join(f.name for f in fields(cls))}"
            )
        if "count" not in raw:
            raise InvalidArgumentError("a plan needs count, the number of images")
        extras = raw.get("extras")
        if isinstance(extras, (list, tuple)):  # their order means nothing
            raw["extras"] = tuple(sorted(extras, key=lambda e: EXTRAS.index(e) if e in EXTRAS else len(EXTRAS)))
        for name in ("count", "seed", "views", "size", "shard_size", "supersample"):
            if hasattr(raw.get(name), "__index__") and not isinstance(raw[name], bool):  # NumPy's integers
                raw[name] = operator.index(raw[name])
        return cls(**raw).validate()
