"""Who a latent code is: `forge_rt.next3d_people`, which production needs too and which therefore is part of the package."""

from __future__ import annotations

from forge_rt.next3d_people import (
    HAIR,
    HAIR_STYLES,
    IRIS,
    LOOK,
    NUMBERS,
    PROJECTION,
    SHAPE,
    Z_DIM,
    Person,
    expression,
    numbers,
    person,
)
from forge_rt.next3d_people import _light as _light  # the test of the light's formula

__all__ = [
    "HAIR",
    "HAIR_STYLES",
    "IRIS",
    "LOOK",
    "NUMBERS",
    "PROJECTION",
    "SHAPE",
    "Z_DIM",
    "Person",
    "expression",
    "numbers",
    "person",
]
