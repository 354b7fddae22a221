"""Class tables of the public face data sets and converters between them.

    mask = forge_rt.labels.convert(mask, "celebamask-hq", "lapa")

Every class of every set has one name in a common vocabulary; left and right there are the subject's. A set that writes them from the
viewer's side says so, and conversion swaps them. Sources of the tables: docs/conventions/labels.md.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache

import numpy as np

from forge_rt._core import InvalidArgumentError

__all__ = ["SETS", "LabelSet", "convert", "names", "table", "unmapped"]

IGNORE = 255


@dataclass(frozen=True)
class LabelSet:
    """`classes` maps ids to names of the common vocabulary; `side`: whose left "left" is in the data set's own names."""

    name: str
    classes: dict[int, str]
    side: str = "subject"
    ignore: int | None = None  #: id of pixels that do not count

    @property
    def ids(self) -> dict[str, int]:
        return {name: i for i, name in self.classes.items()}

    @property
    def mirror(self) -> dict[int, int]:
        """id → id after a left-right flip of the image."""
        return {i: self.ids.get(_other_side(name), i) for i, name in self.classes.items()}


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name[5:]
    return "left_" + name[6:] if name.startswith("right_") else name


def _set(name: str, listing: str, **options: object) -> LabelSet:
    return LabelSet(name, dict(enumerate(listing.split())), **options)  # type: ignore[arg-type]


_ELEVEN = "background skin left_brow right_brow left_eye right_eye nose upper_lip mouth lower_lip hair"
_CELEBA = (
    "background skin left_brow right_brow left_eye right_eye glasses left_ear right_ear earring nose mouth upper_lip lower_lip "
    "neck necklace cloth hair hat"
)

SETS: dict[str, LabelSet] = {
    s.name: s
    for s in (
        _set("forgehead", _CELEBA),
        _set("celebamask-hq", _CELEBA),
        _set(
            "celebamask-hq-publisher",
            "background skin nose glasses left_eye right_eye left_brow right_brow left_ear right_ear mouth upper_lip lower_lip hair hat "
            "earring necklace neck cloth",
        ),
        _set("lapa", _ELEVEN, ignore=11),
        _set("helen", _ELEVEN, ignore=11),
        _set("ibugmask", _ELEVEN, ignore=11),
        _set("ibugmask-14", _ELEVEN + " left_ear right_ear glasses"),
        LabelSet(
            "facesynthetics",
            {
                **dict(
                    enumerate(
                        [
                            "background",
                            "skin",
                            "nose",
                            "right_eye",
                            "left_eye",
                            "right_brow",
                            "left_brow",
                            "right_ear",
                            "left_ear",
                            "mouth",
                            "upper_lip",
                            "lower_lip",
                            "neck",
                            "hair",
                            "beard",
                            "cloth",
                            "glasses",
                            "hat",
                            "facewear",
                        ]
                    )
                ),
                IGNORE: "ignore",
            },
            ignore=IGNORE,
        ),
        _set(
            "synthforge",
            "skin forehead eye_region neck right_eye_region left_eye_region right_eye left_eye left_brow right_brow brow_band left_ear "
            "right_ear lower_lip upper_lip mouth nose scalp neck_back background",
        ),
        _set(
            "thesis",
            "background cloth earring glasses hair hat left_eye left_ear left_brow lower_lip mouth neck nose right_ear right_eye right_brow "
            "skin upper_lip",
        ),
    )
}

_ELEVENS = ("lapa", "helen", "ibugmask")
# What published conversions do differently (spec of the sources: docs/conventions/labels.md).
_PUBLISHED = {
    **{
        ("facesynthetics", target): {
            "neck": "skin",
            **dict.fromkeys(("beard", "cloth", "glasses", "hat", "facewear"), "ignore"),
        }
        for target in _ELEVENS
    },
    **{
        (source, target): dict.fromkeys(("glasses", "earring", "necklace"), "background")
        for source in ("forgehead", "celebamask-hq", "celebamask-hq-publisher", "thesis")
        for target in _ELEVENS
    },
}

# What a class becomes where the target has no class of that name: the first of these that it has.
_FALLBACK = {
    "left_ear": ("skin",), "right_ear": ("skin",), "earring": ("skin", "background"), "beard": ("skin",),
    "glasses": ("skin",), "hat": ("background",), "neck": ("background",), "necklace": ("neck", "background"),
    "hair": ("scalp", "background"), "scalp": ("skin",), "forehead": ("skin",), "eye_region": ("skin",), "left_eye_region": ("skin",),
    "right_eye_region": ("skin",), "brow_band": ("skin",), "neck_back": ("neck", "background"),
    "cloth": ("background",), "facewear": ("background",), "ignore": ("background",),
}  # fmt: skip


def _get(name: str) -> LabelSet:
    if name not in SETS:
        near = difflib.get_close_matches(name, SETS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"the sets are {', '.join(SETS)}"
        raise InvalidArgumentError(f"no label set named {name!r}; {hint}")
    return SETS[name]


def names(label_set: str) -> dict[int, str]:
    """id → name in the common vocabulary."""
    return dict(_get(label_set).classes)


@cache
def _lookup(source: str, target: str, swap: bool) -> np.ndarray:
    """[256] uint16; 65535 marks ids that the source does not have."""
    a, b = _get(source), _get(target)
    published = _PUBLISHED.get((source, target), {})
    out = np.full(256, 65535, np.uint16)
    classes = dict(a.classes) if a.ignore is None else {**a.classes, a.ignore: "ignore"}
    for i, name in classes.items():
        wanted = published.get(name, _other_side(name) if swap else name)
        if wanted == "ignore" and b.ignore is not None:
            out[i] = b.ignore
            continue
        found = next((n for n in (wanted, *_FALLBACK.get(wanted, ())) if n in b.ids), "background")
        out[i] = b.ids[found]
    out.flags.writeable = False
    return out


def _swap(source: str, target: str, source_side: str | None, target_side: str | None) -> bool:
    sides = (source_side or _get(source).side, target_side or _get(target).side)
    for side in sides:
        if side not in ("subject", "viewer"):
            raise InvalidArgumentError(f"a side is 'subject' or 'viewer', got {side!r}")
    return sides[0] != sides[1]


def table(source: str, target: str) -> dict[int, int]:
    """id of `source` → id of `target`."""
    lookup = _lookup(source, target, _swap(source, target, None, None))
    return {i: int(lookup[i]) for i in _get(source).classes}


def unmapped(source: str, target: str) -> list[str]:
    """Classes of `source` that lose their meaning: the target has no class of that name."""
    have = set(_get(target).ids)
    return [name for name in _get(source).classes.values() if name not in have]


def convert(
    mask: np.ndarray, source: str, target: str, *, source_side: str | None = None, target_side: str | None = None
) -> np.ndarray:
    """Class ids of one data set's convention in another's. Any shape, integers in 0..255 → uint8 of the same shape.

    `source_side`, `target_side`: "subject" or "viewer" where your copy of a data set differs from the table (publications contradict
    each other: compare the mean x of the left eye's pixels with a landmark).
    Classes that the target lacks fall back (ears → skin, neck → background, …; `unmapped` lists them).
    """
    values = np.asarray(mask)
    if values.dtype.kind not in "iub":
        raise InvalidArgumentError(f"a label mask must hold integers, got {values.dtype}; colour masks need ids first")
    if values.size and (values.min() < 0 or values.max() > 255):
        raise InvalidArgumentError(f"label ids must be 0..255, got {values.min()}..{values.max()}")
    mapped = _lookup(source, target, _swap(source, target, source_side, target_side))[values.astype(np.uint8)]
    if values.size and mapped.max() == 65535:
        known = _get(source)
        strange = sorted(set(np.unique(values).tolist()) - set(known.classes) - {known.ignore})
        raise InvalidArgumentError(
            f"the mask holds ids {strange[:8]} that {source!r} does not have; is it of another set?"
        )
    return mapped.astype(np.uint8)
