"""What a plan says about a generator model besides what all plans say: styles, conditioning, how the mesh is turned into labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from forge_rt._core import InvalidArgumentError

#: options that name files
PLACES = ("head", "head_landmarks", "head_labels", "detector")
CONDITIONING = ("frontal", "view")
ANNOTATION = ("exact", "compat")
#: published limit of the detector's gate
DETECTOR_PX = 11.0


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
    #: a bundle of family faces, e.g. faces-mini, or that and one of family detector, joined by a comma; None: no detector is asked
    detector: str | None = None
    detector_px: float | None = (
        None  #: mean distance from its 68 points, pixels of 512: samples farther off are drawn again; 11 with a detector
    )

    def __post_init__(self) -> None:
        if self.detector is not None and self.detector_px is None:
            object.__setattr__(self, "detector_px", DETECTOR_PX)  # written out: it must not change under a data set
        if isinstance(self.detector_px, int) and not isinstance(self.detector_px, bool):
            object.__setattr__(self, "detector_px", float(self.detector_px))  # one limit, one plan

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
        for name in ("preset", *PLACES):
            need(getattr(self, name) is None or isinstance(getattr(self, name), str), name, "text")
        agreed = self.min_agreement
        need(agreed is None or (number(agreed) and 0 <= agreed <= 1), "min_agreement", "a share from 0 to 1")
        need(self.detector != "", "detector", "a bundle, e.g. faces-mini")
        limit = self.detector_px
        need(
            limit is None or (number(limit) and 0 < limit <= 512), "detector_px", "pixels of 512, above 0 and up to 512"
        )
        if self.detector is None and limit is not None:
            raise InvalidArgumentError(
                "generator: detector_px is a limit for a detector: name one, e.g. detector faces-mini"
            )
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
