"""Named geometry numbers of the sculpture, and sliders as sparse linear changes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TABLES = Path(__file__).parent / "tables"
AXES = ("x", "y", "z")


@cache
def load_table(name: str) -> Any:
    """Reads `tables/<name>.json`."""
    return json.loads((TABLES / f"{name}.json").read_text())


@dataclass(frozen=True)
class Parameters:
    """All geometry numbers of one head, addressed by name ("ala.centre.x", "mouth.w")."""

    values: Array

    def __getitem__(self, name: str) -> float:
        return float(self.values[parameter_index()[name]])

    def vector(self, prefix: str) -> Array:
        """[3] the numbers `prefix.x`, `prefix.y`, `prefix.z`."""
        return np.array([self[f"{prefix}.{axis}"] for axis in AXES])


@dataclass(frozen=True)
class Slider:
    """One named control. A change of value 1 adds `change` to the geometry numbers, `field` to the vertices."""

    name: str
    about: str
    change: dict[str, float]
    minimum: float = -1.0
    maximum: float = 1.0
    field: tuple[dict[str, Any], ...] = ()

    @property
    def region(self) -> str:
        return self.name.split("/")[0]


def _flatten() -> dict[str, float]:
    table = load_table("sculpture")
    flat: dict[str, float] = {}
    for primitive in table["primitives"]:
        name = primitive["name"]
        flat[f"{name}.blend"] = primitive["blend"]
        if primitive["kind"] == "capsule":
            for end in ("a", "b"):
                flat |= {f"{name}.{end}.{axis}": v for axis, v in zip(AXES, primitive[end], strict=True)}
            flat[f"{name}.radius.a"], flat[f"{name}.radius.b"] = primitive["radius"]
        else:
            for key in ("centre", "radius", "turn"):
                flat |= {f"{name}.{key}.{axis}": v for axis, v in zip(AXES, primitive[key], strict=True)}
    for stroke in table["strokes"]:
        name = stroke["name"]
        for end in ("a", "b"):
            flat |= {f"{name}.{end}.{axis}": v for axis, v in zip(AXES, stroke[end], strict=True)}
        flat[f"{name}.width"], flat[f"{name}.depth"] = stroke["width"], stroke["depth"]
    return flat | table["measures"]


@cache
def parameter_index() -> dict[str, int]:
    """Name -> position in `Parameters.values`."""
    return {name: i for i, name in enumerate(_flatten())}


@cache
def base_parameters() -> Parameters:
    """The neutral head: every slider at 0."""
    return Parameters(np.array(list(_flatten().values()), float))


@cache
def sliders() -> tuple[Slider, ...]:
    """All sliders in table order, which is the order of the shape columns."""
    return tuple(
        Slider(
            row["name"],
            row["about"],
            row.get("change", {}),
            minimum=row.get("min", -1.0),
            field=tuple(row.get("field", ())),
        )
        for row in load_table("sliders")["sliders"]
    )


def move_slider(slider: Slider, value: float, start: Parameters | None = None) -> Parameters:
    """Geometry numbers with one slider at `value` (vertex fields are not part of them)."""
    values = (start or base_parameters()).values.copy()
    index = parameter_index()
    for name, amount in slider.change.items():
        values[index[name]] += value * amount
    return Parameters(values)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """0 below `low`, 1 above `high` (or the other way round when low > high), C1 in between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def bump(x: Array, centre: float, width: float) -> Array:
    """Gaussian of height 1."""
    return np.exp(-(((x - centre) / width) ** 2))
