"""Converters between the label sets of public data sets."""

from __future__ import annotations

import itertools

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import labels

ELEVENS = ("lapa", "helen", "ibugmask")


@pytest.mark.parametrize(("source", "target"), list(itertools.product(labels.SETS, labels.SETS)))
def test_shared_classes_keep_their_name(source: str, target: str) -> None:
    table, names = labels.table(source, target), labels.names(target)
    for i, name in labels.names(source).items():
        if name in labels.SETS[target].ids:
            assert names.get(table[i], "ignore") in (name, "ignore", "background", "skin")
            if name not in labels.unmapped(source, target) and name not in ("neck", "glasses", "earring", "necklace"):
                assert names.get(table[i]) == name
    assert set(table.values()) <= set(names) | {labels.SETS[target].ignore}


@pytest.mark.parametrize("name", labels.SETS)
def test_a_set_converts_to_itself_and_mirrors_twice(name: str) -> None:
    one = labels.SETS[name]
    assert labels.table(name, name) == {i: i for i in one.classes}
    assert all(one.mirror[one.mirror[i]] == i for i in one.classes)
    assert one.classes[one.mirror[one.ids["left_eye"]]] == "right_eye"


def test_orders_of_celebamask_are_permutations() -> None:
    table = labels.table("celebamask-hq", "celebamask-hq-publisher")
    assert sorted(table.values()) == list(range(19))
    assert [table[i] for i in (10, 6, 17, 14, 16)] == [2, 3, 13, 17, 18]


def test_forgehead_is_what_the_head_says() -> None:
    short = {"l_brow": "left_brow", "r_brow": "right_brow", "l_eye": "left_eye", "r_eye": "right_eye", "eye_g": "glasses",
             "l_ear": "left_ear", "r_ear": "right_ear", "ear_r": "earring", "u_lip": "upper_lip", "l_lip": "lower_lip",
             "neck_l": "necklace"}  # fmt: skip
    head = fr.ForgeHead()
    assert {label.id: short.get(label.name, label.name) for label in head.labels} == labels.names("forgehead")
    assert {label.id: label.mirror for label in head.labels} == labels.SETS["forgehead"].mirror


@pytest.mark.parametrize("target", ELEVENS)
def test_published_facesynthetics_to_eleven(target: str) -> None:
    expected = [0, 1, 6, 5, 4, 3, 2, 1, 1, 8, 7, 9, 1, 10, 11, 11, 11, 11, 11]
    mask = np.array([*range(19), 255], np.uint8)
    assert labels.convert(mask, "facesynthetics", target).tolist() == [*expected, 11]


@pytest.mark.parametrize("target", ELEVENS)
def test_celebamask_to_eleven(target: str) -> None:
    expected = [0, 1, 2, 3, 4, 5, 0, 1, 1, 0, 6, 8, 7, 9, 0, 0, 0, 10, 0]
    assert labels.convert(np.arange(19), "celebamask-hq", target).tolist() == expected


def test_sides_swap() -> None:
    mask = np.array([[2, 3], [4, 5]])
    assert labels.convert(mask, "lapa", "celebamask-hq", source_side="viewer").tolist() == [[3, 2], [5, 4]]
    assert labels.convert(mask, "lapa", "celebamask-hq").dtype == np.uint8


def test_bad_input_says_what_to_do() -> None:
    with pytest.raises(fr.InvalidArgumentError, match="did you mean 'lapa'"):
        labels.convert(np.zeros(3, np.uint8), "lappa", "helen")
    with pytest.raises(fr.InvalidArgumentError, match=r"ids \[19\] that 'celebamask-hq' does not have"):
        labels.convert(np.array([1, 19]), "celebamask-hq", "helen")
    with pytest.raises(fr.InvalidArgumentError, match="must hold integers"):
        labels.convert(np.zeros(3), "lapa", "helen")
    with pytest.raises(fr.InvalidArgumentError, match=r"0\.\.255"):
        labels.convert(np.array([-1]), "lapa", "helen")
    with pytest.raises(fr.InvalidArgumentError, match="'subject' or 'viewer'"):
        labels.convert(np.zeros(1, int), "lapa", "helen", source_side="left")
    assert labels.convert(np.zeros((0, 4), np.uint8), "lapa", "helen").shape == (0, 4)


@pytest.mark.parametrize("target", ELEVENS)
def test_published_synthforge_to_eleven(target: str) -> None:
    expected = [1, 1, 1, 0, 1, 1, 5, 4, 2, 3, 1, 1, 1, 9, 7, 8, 6, 1, 0, 0]
    assert labels.convert(np.arange(20), "synthforge", target).tolist() == expected
    flips = {4: 5, 6: 7, 8: 9, 11: 12}  # the published pairs
    assert {i: j for i, j in labels.SETS["synthforge"].mirror.items() if i < j} == flips
