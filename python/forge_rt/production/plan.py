"""What a run makes. The plan alone decides every byte of the data set; threads, batch and machine do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from forge_rt._core import InvalidArgumentError
from forge_rt.camera import CameraSampler
from forge_rt.forge_head import cameras_by_style, wild_share

LAYOUTS = ("folders",)
RGB_FORMATS = ("jpeg", "png")


@dataclass(frozen=True)
class Plan:
    """A data set of `count` images of ForgeHead; image i is a pure function of (seed, i)."""

    count: int
    seed: int = 0
    size: int = 512  #: pixels, square
    style: str | float = "studio"  #: studio, wild, mixed, or the share of wild images
    #: preset, file, or configuration (docs/guides/cameras.md); None: portrait for studio images, the wild preset for wild ones
    camera: str | Mapping[str, Any] | None = None
    layout: str = "folders"
    rgb: str = "jpeg"  #: jpeg: quality 95, 4:4:4
    supersample: int = 2  #: coverage samples per axis
    model: str = field(default="forgehead")

    def validate(self) -> Plan:
        """Raises InvalidArgumentError naming the field, what it takes and what came."""

        def need(good: bool, name: str, what: str) -> None:
            if not good:
                raise InvalidArgumentError(f"{name} must be {what}, got {getattr(self, name)!r}")

        def whole(value: Any) -> bool:
            return isinstance(value, int) and not isinstance(value, bool)

        need(whole(self.count) and 1 <= self.count < 2**31, "count", "a whole number from 1 to 2^31 - 1")
        need(whole(self.seed) and 0 <= self.seed < 2**64, "seed", "a whole number from 0 to 2^64 - 1")
        need(whole(self.size) and 16 <= self.size <= 2048, "size", "a whole number of pixels from 16 to 2048")
        need(self.layout in LAYOUTS, "layout", " or ".join(map(repr, LAYOUTS)))
        need(self.rgb in RGB_FORMATS, "rgb", " or ".join(map(repr, RGB_FORMATS)))
        need(whole(self.supersample) and 1 <= self.supersample <= 4, "supersample", "1, 2, 3 or 4")
        need(self.model == "forgehead", "model", "'forgehead'")
        wild_share(self.style)
        self.cameras()
        return self

    def cameras(self) -> dict[str, CameraSampler]:
        """The sampler of each style."""
        return cameras_by_style(self.camera)

    def to_json(self) -> dict[str, Any]:
        """What the manifest records: the camera is written out in full, so that a preset can never change under a data set."""
        configs = {style: sampler.config for style, sampler in self.cameras().items()}
        same = configs["studio"] == configs["wild"]
        return {**asdict(self), "camera": configs["studio"] if same else configs}

    @classmethod
    def from_json(cls, text: str | Mapping[str, Any]) -> Plan:
        """Inverse of to_json(); unknown keys are an error."""
        raw = json.loads(text) if isinstance(text, str) else dict(text)
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(raw) - known):
            raise InvalidArgumentError(f"unknown plan field {unknown[0]!r}; the fields are {', '.join(sorted(known))}")
        return cls(**raw).validate()
