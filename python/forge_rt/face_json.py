"""FaceParameters as plain JSON values and back, exact to float32, and the JSON schema of that form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt import _core
from forge_rt._core import FaceParameters, InvalidArgumentError

if TYPE_CHECKING:
    from forge_rt.forge_head import ForgeHead

POSES = ("neck", "jaw", "left_eye", "right_eye")
GROUPS = {
    "appearance": _core.FaceAppearance, "hair": _core.HairShape, "occluder": _core.OccluderPose,
    "light": _core.FaceLight, "capture": _core.FaceCapture, "habit": _core.LabelHabit,
}  # fmt: skip


def members(kind: type) -> list[str]:
    """Fields of a compiled struct, in the order of its definition."""
    return [name for name, value in vars(kind).items() if isinstance(value, property)]


def _short(value: Any) -> Any:
    """The shortest decimal that reads back as the same float32; integers stay."""
    if isinstance(value, int):
        return value
    if isinstance(value, Sequence):
        return [_short(v) for v in value]
    return float(str(np.float32(value)))


def face_to_dict(head: ForgeHead, face: FaceParameters) -> dict[str, Any]:
    """Every parameter by name; expressions of weight 0 are left out."""
    return {
        "style": face.style,
        "sliders": {s.name: _short(v) for s, v in zip(head.sliders, face.sliders, strict=True)},
        "expression": {n: _short(v) for n, v in zip(head.expressions, face.expression, strict=True) if v},
        **{f"{name}_rad": _short(list(getattr(face, name))) for name in POSES},
        "options": dict(face.options),
        **{
            group: {name: _short(getattr(getattr(face, group), name)) for name in members(kind)}
            for group, kind in GROUPS.items()
        },
    }


def face_from_dict(head: ForgeHead, values: Mapping[str, Any]) -> FaceParameters:
    """Inverse of face_to_dict; what is missing stays neutral. Unknown names raise InvalidArgumentError."""
    known = {"style", "sliders", "expression", "options", *GROUPS, *(f"{name}_rad" for name in POSES)}
    _no_others(values, known, "a face")
    face = head.face(sliders=values.get("sliders"), expression=values.get("expression"), options=values.get("options"))
    face.style = values.get("style", face.style)
    for name in POSES:
        if f"{name}_rad" in values:
            setattr(face, name, list(values[f"{name}_rad"]))
    for group, kind in GROUPS.items():
        given = values.get(group, {})
        _no_others(given, set(members(kind)), group)
        for name, value in given.items():
            try:
                setattr(getattr(face, group), name, value)
            except TypeError as error:
                raise InvalidArgumentError(f"{group}.{name} cannot be {value!r}; see forgehead.schema.json") from error
    return face


def _no_others(values: Mapping[str, Any], known: set[str], where: str) -> None:
    if strange := sorted(set(values) - known):
        raise InvalidArgumentError(f"{where} has no field {strange[0]!r}; the fields are {', '.join(sorted(known))}")


def schema(head: ForgeHead) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of face_to_dict for this head."""
    neutral = head.neutral()

    def of(value: Any) -> dict[str, Any]:
        if isinstance(value, int):
            return {"type": "integer"}
        if isinstance(value, Sequence):
            return {"type": "array", "items": {"type": "number"}, "minItems": len(value), "maxItems": len(value)}
        return {"type": "number"}

    def group(name: str, kind: type) -> dict[str, Any]:
        struct = getattr(neutral, name)
        fields = {field: of(getattr(struct, field)) for field in members(kind)}
        return {"type": "object", "properties": fields, "additionalProperties": False}

    axis_angle = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Parameters of one ForgeHead image",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "style": {"type": "string"},
            "sliders": {
                "type": "object", "additionalProperties": False,
                "properties": {
                    s.name: {"type": "number", "minimum": _short(s.minimum), "maximum": _short(s.maximum),
                             "default": _short(s.default), "description": s.about}
                    for s in head.sliders
                },
            },
            "expression": {
                "type": "object", "additionalProperties": False,
                "properties": {n: {"type": "number", "minimum": 0, "maximum": 1.5} for n in head.expressions},
            },
            **{f"{name}_rad": axis_angle for name in POSES},
            "options": {
                "type": "object", "additionalProperties": False,
                "properties": {name: {"enum": choices} for name, choices in head.options.items()},
            },
            **{name: group(name, kind) for name, kind in GROUPS.items()},
        },
    }  # fmt: skip
