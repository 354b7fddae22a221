"""ForgeHead's own renderer as a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt._core import InvalidArgumentError
from forge_rt.face_json import face_to_dict
from forge_rt.forge_head import FaceBatch, ForgeHead
from forge_rt.production.plan import FORGEHEAD, Plan
from forge_rt.production.sources.base import Renderer, SampleDraw, Source

if TYPE_CHECKING:
    from forge_rt.production.samples import Sample


class ForgeHeadSource(Source):
    name = FORGEHEAD
    licence = "Apache-2.0"
    parts: Mapping[str, str] = MappingProxyType({})
    about = "ForgeHead is built by a script from a signed-distance sculpture: no photographs, no scans, no data of real persons are in it."

    def __init__(self, head: ForgeHead | None = None) -> None:
        self.head = head or ForgeHead()
        self.hash, self.labels, self.expressions = self.head.hash, self.head.labels, list(self.head.expressions)

    def check(self, plan: Plan) -> None:
        if plan.generator is not None:
            names = ", ".join(name for name, value in plan.options().to_json().items() if value not in (None, "exact"))
            raise InvalidArgumentError(
                f"{names or 'generator'} belongs to generator models: add model, e.g. next3d-mini"
            )
        if "volume_depth" in plan.extras:
            raise InvalidArgumentError(
                "extra 'volume_depth' belongs to generator models; ForgeHead's depth has everything in it"
            )

    def renderer(self, plan: Plan, device: str) -> Renderer:
        return _Renderer(self.head, plan, device)

    def parameters(self, sample: Sample) -> dict[str, Any]:
        assert sample.face is not None
        return face_to_dict(self.head, sample.face)

    def attributes(self, sample: Sample, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"style": sample.style, **self.named(parameters)}

    @staticmethod
    def named(parameters: dict[str, Any]) -> dict[str, Any]:
        """What parameters of a ForgeHead say by name."""
        macro = {
            name.split("/")[1]: value for name, value in parameters["sliders"].items() if name.startswith("macro/")
        }
        return {"melanin": parameters["appearance"]["melanin"], **macro, **parameters["options"]}

    def attribute_kinds(self) -> dict[str, type]:
        sliders = [s.name.split("/")[1] for s in self.head.sliders if s.name.startswith("macro/")]
        return {"melanin": float, **dict.fromkeys(sliders, float), **dict.fromkeys(self.head.options, str)}

    def expression(self, sample: Sample) -> list[float]:
        assert sample.face is not None
        return list(sample.face.expression)

    def published_pictures(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        from forge_rt.production.layouts.regions import regions
        from forge_rt.production.layouts.synthforge import PALETTE, depth8

        return PALETTE[regions(self.head, sample)], depth8(sample.depth_m)

    def published_parameters(self, sample: Sample) -> dict[str, Any]:
        assert sample.face is not None
        return {"flame_pose": [0.0, 0.0, 0.0, *(round(float(v), 7) for v in sample.face.jaw)]}


class _Renderer(Renderer):
    def __init__(self, head: ForgeHead, plan: Plan, device: str) -> None:
        self._head, self._plan, self._device = head, plan, device
        self._cameras = plan.cameras()
        need = set(plan.extras)
        self._options: dict[str, Any] = {
            "supersample": plan.supersample,
            "normals": "normals" in need,
            "soft_labels": "soft" in need,
            "layers": "layers" in need or plan.layout == "synthforge",
            "uv": "uv" in need,
            "device": device,
        }

    def draw(self, index: int, attempt: int) -> SampleDraw:
        plan = self._plan
        face_attempt = attempt if plan.views == 1 else 0
        face = self._head.sample(plan.seed, index // plan.views, plan.style, attempt=face_attempt)
        camera = self._cameras[face.style].sample(plan.seed, index, plan.size, attempt=attempt)
        return SampleDraw(camera, face, face.style)

    def batch(self, drawn: Sequence[SampleDraw]) -> FaceBatch:
        return self._head.render([d.face for d in drawn if d.face], [d.camera for d in drawn], **self._options)

    def refusal(self, batch: FaceBatch, k: int) -> str | None:
        visibility = np.asarray(batch.visibility)[k]
        visible = int((visibility == 2).sum())
        need = self._plan.min_visible * visibility.size
        return (
            None if visible >= need else f"{visible} of {visibility.size} landmarks are visible, {need:.0f} are needed"
        )
