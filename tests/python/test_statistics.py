"""Statistics of a data set: right against NumPy, blind to how rows are split and ordered, at ease with gaps."""

from __future__ import annotations

import json
from typing import Any

import forge_rt as fr
import numpy as np
import pyarrow as pa
import pytest
from forge_rt.production.statistics import BINS, WEIGHT_BINS, Histogram, Statistics

CLASSES, EXPRESSIONS, SIZE = 5, 4, 64
MANIFEST: dict[str, Any] = {
    "engine": "forge_rt 0.0.0",
    "model": {"name": "forgehead", "sha256": "ab" * 32, "licence": "Apache-2.0"},
    "labels": [
        {"id": k, "name": name, "color": [40 * k, 255 - 40 * k, 7], "mirror": k}
        for k, name in enumerate(("background", "skin", "l_eye", "<b>", "never"))
    ],
    "expressions": ["smile", "jaw_open", "a&b", "unused"],
    "plan": {
        "count": 1000, "seed": 3, "style": "mixed", "views": 2, "size": SIZE, "layout": "shards", "shard_size": 400, "rgb": "jpeg",
        "depth": "png16", "extras": [], "camera": {"name": "portrait"},
    },
    "replay": "forge-rt generate --out DIR --count 1000 --seed 3",
}  # fmt: skip


def columns(n: int, seed: int = 5) -> dict[str, Any]:
    """Plausible values, as NumPy or lists."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 90, (n, CLASSES))
    pixels[:, 4] = 0
    pixels[:, 3] *= rng.random(n) < 0.3
    pixels[:, 0] = SIZE * SIZE - pixels[:, 1:].sum(1)
    weights = (rng.random((n, EXPRESSIONS)) * (rng.random((n, EXPRESSIONS)) < 0.4)).astype(np.float32)
    weights[:, 3] = 0
    accepted = rng.random(n) < 0.97
    return {
        "key": [f"{k:08d}" for k in range(n)],
        "index": np.arange(n),
        "identity": np.arange(n) // 2,
        "view": (np.arange(n) % 2).astype(np.int32),
        "shard": ["shards/000000.tar"] * n,
        "offset": np.arange(n) * 1024,
        "bytes": rng.integers(20_000, 60_000, n),
        "sha256": ["00"] * n,
        "accepted": accepted,
        "attempts": rng.geometric(0.8, n).astype(np.int32),
        "reason": [None if good else "too few <landmarks> are visible" for good in accepted],
        "agreement": np.clip(rng.normal(0.9, 0.03, n), 0, 1).astype(np.float32),
        "style": rng.choice(["studio", "wild"], n).tolist(),
        "yaw_deg": rng.normal(0, 30, n).astype(np.float32),
        "pitch_deg": rng.normal(5, 12, n).astype(np.float32),
        "roll_deg": np.zeros(n, np.float32),
        "fov_deg": rng.uniform(12, 60, n).astype(np.float32),
        "radius_m": rng.uniform(0.3, 2, n).astype(np.float32),
        "face_px": rng.uniform(20, 60, n).astype(np.float32),
        "landmarks_px": rng.uniform(0, SIZE, (n, 136)).astype(np.float32),
        "visibility": rng.choice(3, (n, 68), p=[0.05, 0.15, 0.8]).astype(np.uint8),
        "class_pixels": pixels.astype(np.int32),
        "expression": weights,
        "attribute/age": rng.random(n).astype(np.float32),
        "attribute/hair": rng.choice(["crop", "long", "none"], n).tolist(),
    }


def table(values: dict[str, Any]) -> pa.Table:
    kinds = {
        "landmarks_px": pa.float32(),
        "visibility": pa.uint8(),
        "class_pixels": pa.int32(),
        "expression": pa.float32(),
    }
    widths = {"landmarks_px": 136, "visibility": 68, "class_pixels": CLASSES, "expression": EXPRESSIONS}
    arrays = {}
    for name, column in values.items():
        if name in kinds:
            arrays[name] = pa.array(list(column), pa.list_(kinds[name], widths[name]))
        else:
            arrays[name] = pa.array(column, pa.string() if isinstance(column, list) else None)
    return pa.table(arrays)


def encoded(*parts: pa.Table | pa.RecordBatch) -> bytes:
    statistics = Statistics(MANIFEST)
    for part in parts:
        statistics.add(part)
    return json.dumps(statistics.to_dict(), allow_nan=False).encode()


def test_numbers_are_those_of_numpy() -> None:
    n = 1000
    values = columns(n)
    found = Statistics(MANIFEST).add(table(values)).to_dict()
    assert (found["count"], found["identities"], found["accepted"]) == (n, n // 2, values["accepted"].sum())
    assert found["redrawn"] == (values["attempts"] - 1).sum()
    assert found["attempts"]["1"] == (values["attempts"] == 1).sum()
    assert found["reasons"] == {"too few <landmarks> are visible": n - found["accepted"]}
    assert found["styles"]["wild"] == values["style"].count("wild")
    assert found["bytes"]["total"] == values["bytes"].sum()
    assert (found["bytes"]["min"], found["bytes"]["max"]) == (values["bytes"].min(), values["bytes"].max())
    for name, (low, high, bins) in BINS.items():
        entry = found["agreement"] if name == "agreement" else found["pose"][name]
        counts, edges = np.histogram(values[name].astype(np.float64), bins, (low, high))
        np.testing.assert_array_equal(entry["counts"], counts)
        assert entry["n"] == n and entry["missing"] == entry["below"] == entry["above"] == 0
        assert entry["mean"] == pytest.approx(values[name].astype(np.float64).mean(), abs=2.0**-20)
        assert entry["min"] == pytest.approx(values[name].min()) and entry["max"] == pytest.approx(values[name].max())
        for percent in (5, 50, 95):
            exact = np.percentile(values[name], percent)
            assert entry[f"p{percent:02}"] == pytest.approx(exact, abs=1.01 * (edges[1] - edges[0]))
    cells, _, _ = np.histogram2d(values["pitch_deg"], values["yaw_deg"], (36, 72), ((-90, 90), (-180, 180)))
    np.testing.assert_array_equal(found["yaw_pitch"]["counts"], cells)
    points = found["landmarks"]["points"]
    np.testing.assert_allclose(points["visible"], (values["visibility"] == 2).mean(0), rtol=1e-8)
    np.testing.assert_allclose(points["outside"], (values["visibility"] == 0).mean(0), rtol=1e-8)
    assert found["landmarks"]["hidden"] == pytest.approx((values["visibility"] == 1).mean(), rel=1e-8)
    pixels = values["class_pixels"]
    for k, entry in enumerate(found["classes"]):
        has = pixels[:, k] > 0
        assert entry["images"] == has.sum()
        assert entry["share_of_pixels"] == pytest.approx(pixels[:, k].sum() / pixels.sum(), rel=1e-8)
        if has.any():
            assert entry["mean_pixels_when_present"] == pytest.approx(pixels[has, k].mean(), rel=1e-8)
    assert found["classes"][4]["mean_pixels_when_present"] is None
    for k, (name, entry) in enumerate(found["expressions"].items()):
        weights = values["expression"][:, k]
        assert name == MANIFEST["expressions"][k]
        assert entry["present"] == pytest.approx((np.abs(weights) > np.float32(0.1)).mean(), rel=1e-8)
        np.testing.assert_array_equal(
            entry["counts"], np.histogram(weights.astype(np.float64), Histogram(*WEIGHT_BINS).edges)[0]
        )
    assert found["attributes"]["hair"]["counts"]["long"] == values["attribute/hair"].count("long")
    assert found["attributes"]["age"]["mean"] == pytest.approx(
        values["attribute/age"].mean(dtype=np.float64), abs=2.0**-20
    )


def test_order_and_split_do_not_matter() -> None:
    rows = table(columns(700))
    whole = encoded(rows)
    assert encoded(*rows.to_batches(max_chunksize=1)) == whole
    assert encoded(*(rows.slice(k, 97) for k in range(0, 700, 97))) == whole
    assert encoded(*reversed(rows.to_batches(max_chunksize=31))) == whole
    shuffled = rows.take(np.random.default_rng(1).permutation(700))
    assert encoded(shuffled) == whole
    assert encoded(pa.concat_tables([shuffled.slice(300), shuffled.slice(0, 300)])) == whole


@pytest.mark.parametrize("n", [0, 1])
def test_few_rows(n: int) -> None:
    found = json.loads(encoded(table(columns(2)).slice(0, n)))
    assert found["count"] == found["identities"] == found["pose"]["yaw_deg"]["n"] == n
    yaw = found["pose"]["yaw_deg"]
    if n:
        assert (
            yaw["mean"] == pytest.approx(yaw["p50"], abs=1e-5) and yaw["min"] == yaw["p05"] == yaw["p95"] == yaw["max"]
        )
    else:
        assert yaw["mean"] is yaw["p50"] is found["bytes"]["mean"] is found["landmarks"]["visible"] is None


def test_gaps_are_counted_and_left_out() -> None:
    values = columns(6)
    values["yaw_deg"] = pa.array([None, np.nan, np.inf, 180.0, -180.0, 500.0], pa.float32())
    values["landmarks_px"][2, 7] = np.nan
    values["visibility"] = [None, *values["visibility"][1:]]
    values["expression"] = [None, *values["expression"][1:]]
    values["attribute/hair"] = pa.array(["crop", None, None, "crop", "long", "crop"])
    values["attribute/empty"] = pa.nulls(6)
    found = Statistics(MANIFEST).add(table(values)).to_dict()
    yaw = found["pose"]["yaw_deg"]
    assert (yaw["missing"], yaw["below"], yaw["above"], yaw["n"]) == (3, 0, 1, 3)
    assert yaw["counts"][0] == yaw["counts"][-1] == 1 and (yaw["min"], yaw["max"]) == (-180, 500)
    assert np.sum(found["yaw_pitch"]["counts"]) == 2
    assert found["landmarks"]["not_a_number"] == 1
    assert found["landmarks"]["points"]["visible"][0] in [k / 5 for k in range(6)]
    assert found["expressions"]["smile"]["n"] == 5
    assert found["attributes"]["hair"]["counts"] == {"crop": 3, "(not given)": 2, "long": 1}
    assert found["attributes"]["empty"]["counts"] == {"(not given)": 6}


def test_a_value_on_an_edge_belongs_to_the_bin_on_its_right() -> None:
    histogram = Histogram(0, 1, 100)
    histogram.add(np.array([0.0, 0.29, 0.57, 1.0]))
    counts = histogram.to_dict()["counts"]
    assert [k for k, n in enumerate(counts) if n] == [0, 29, 57, 99]


def test_wrong_index_is_told() -> None:
    rows = table(columns(3))
    with pytest.raises(fr.InvalidArgumentError, match="column 'attempts'"):
        Statistics(MANIFEST).add(rows.drop_columns(["attempts"]))
    other = {**MANIFEST, "labels": MANIFEST["labels"][:3]}
    with pytest.raises(fr.InvalidArgumentError, match=r"class_pixels must have 3 numbers.*got 5"):
        Statistics(other).add(rows)


def test_distinct_identities_with_gaps() -> None:
    values = columns(4)
    values["identity"] = np.array([7, 2**40, 7, 3])
    assert Statistics(MANIFEST).add(table(values)).to_dict()["identities"] == 3
