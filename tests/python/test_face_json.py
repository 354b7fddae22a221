"""Faces as JSON: exact round trips, a schema that knows every name."""

from __future__ import annotations

import json

import forge_rt as fr
import pytest
from forge_rt import face_json


@pytest.fixture(scope="module")
def head() -> fr.ForgeHead:
    return fr.ForgeHead()


def test_round_trip_is_exact(head: fr.ForgeHead) -> None:
    for i in range(60):
        face = head.sample(17, i, "mixed")
        text = json.dumps(face_json.face_to_dict(head, face))
        assert face_json.face_from_dict(head, json.loads(text)) == face


def test_schema_covers_what_is_written(head: fr.ForgeHead) -> None:
    schema = face_json.schema(head)["properties"]
    for i in range(20):
        written = face_json.face_to_dict(head, head.sample(3, i, "wild"))
        assert set(written) == set(schema)
        for group in ("sliders", "expression", "options", *face_json.GROUPS):
            assert set(written[group]) <= set(schema[group]["properties"]), group
        for name, value in written["sliders"].items():
            limits = schema["sliders"]["properties"][name]
            assert limits["minimum"] <= value <= limits["maximum"]
        for name, choice in written["options"].items():
            assert choice in schema["options"]["properties"][name]["enum"]


def test_every_field_of_the_structs_is_written(head: fr.ForgeHead) -> None:
    written = face_json.face_to_dict(head, head.neutral())
    assert {"melanin", "hair_color", "texture_seed", "background"} <= set(written["appearance"])
    assert len(written["light"]["environment"]) == 27
    assert len(written["appearance"]) >= 35


def test_bad_input_says_what_to_do(head: fr.ForgeHead) -> None:
    with pytest.raises(fr.InvalidArgumentError, match="a face has no field 'slider'"):
        face_json.face_from_dict(head, {"slider": {}})
    with pytest.raises(fr.InvalidArgumentError, match="light has no field 'key'"):
        face_json.face_from_dict(head, {"light": {"key": 1}})
    with pytest.raises(fr.InvalidArgumentError, match=r"light\.key_strength cannot be 'bright'"):
        face_json.face_from_dict(head, {"light": {"key_strength": "bright"}})
    with pytest.raises(fr.InvalidArgumentError, match="did you mean"):
        face_json.face_from_dict(head, {"sliders": {"nose/widht": 0.1}})
