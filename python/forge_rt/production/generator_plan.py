"""What a plan says about a generator model besides what all plans say: styles, conditioning, how the mesh is turned into labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from forge_rt._core import InvalidArgumentError

#: options that name files
PLACES = ("head", "head_landmarks", "head_labels")
CONDITIONING = ("frontal", "view")
ANNOTATION = ("exact", "compat")


@dataclass(frozen=True)
class GeneratorPlan:
    """None is always the model's own value, which its bundle holds."""

    preset: str | None = None  #: whom to draw: paper, synthforge-code (FLAME heads); None: the model's own people
    psi: float | None = None  #: truncation of styles
    cutoff: int | None = None  #: styles that are truncated
    conditioning: str | None = (
        None  #: frontal: one camera for all; view: the camera rendered (SynthForge), identities then change with it
    )
    annotation: str = "exact"  #: compat: the published quirks of field of view and mask colours
    head: str | None = None  #: FLAME head: a generic_model.pkl or a bundle
    head_landmarks: str | None = None  #: its landmark embedding, where `head` is a .pkl
    head_labels: str | None = None  #: picture of its texture's regions in the published colours
    min_agreement: float | None = (
        None  #: samples that agree less are drawn again, in place of the limits of `annotation.Acceptance`
    )

    def validate(self) -> GeneratorPlan:
        def need(good: bool, name: str, what: str) -> None:
            if not good:
                raise InvalidArgumentError(f"generator: {name} must be {what}, got {getattr(self, name)!r}")

        def number(value: Any) -> bool:
            return isinstance(value, (int, float)) and not isinstance(value, bool)

        need(self.psi is None or (number(self.psi) and -4 <= self.psi <= 4), "psi", "a number from -4 to 4")
        whole = isinstance(self.cutoff, int) and not isinstance(self.cutoff, bool)
        need(self.cutoff is None or (whole and 0 <= self.cutoff <= 65536), "cutoff", "a number of styles, 0 to 65536")
        need(self.conditioning is None or self.conditioning in CONDITIONING, "conditioning", " or ".join(CONDITIONING))
        need(self.annotation in ANNOTATION, "annotation", " or ".join(ANNOTATION))
        for name in ("preset", "head", "head_landmarks", "head_labels"):
            need(getattr(self, name) is None or isinstance(getattr(self, name), str), name, "text")
        agreed = self.min_agreement
        need(agreed is None or (number(agreed) and 0 <= agreed <= 1), "min_agreement", "a share from 0 to 1")
        return self

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GeneratorPlan:
        if not isinstance(values, Mapping):
            raise InvalidArgumentError(f"generator must hold options by name, got {type(values).__name__}")
        known = [f.name for f in fields(cls)]
        if strange := sorted(set(values) - set(known)):
            raise InvalidArgumentError(f"generator has no option {strange[0]!r}; the options are {', '.join(known)}")
        return cls(**values).validate()
