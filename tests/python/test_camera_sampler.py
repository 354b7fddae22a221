"""Camera samplers: determinism, distributions, strata, grids, presets, and the config language with its errors."""

from __future__ import annotations

import json
import math
import pickle
from itertools import product

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import camera
from hypothesis import given, settings
from hypothesis import strategies as st

# A head of 0.23 m height where FLAME has it: chin at y = -0.10, crown at 0.13, z from -0.15 to 0.08.
HEAD_CENTRE_M = (0, 0.015, -0.035)
HEAD_HALF_AXES_M = (0.078, 0.115, 0.115)


def head_points(n: int) -> np.ndarray:
    direction = np.random.default_rng(0).normal(size=(n, 3))
    return HEAD_CENTRE_M + direction / np.linalg.norm(direction, axis=1, keepdims=True) * HEAD_HALF_AXES_M


# ---- samplers -------------------------------------------------------------------------------------------------------

FULL_CONFIG = {
    "yaw_deg": {"uniform": [-60, 60]},
    "pitch_deg": {"area_uniform": [-30, 40]},
    "roll_deg": {"normal": {"mean": 2, "std": 8, "clip": [-20, 25]}},
    "fov_published_deg": {"choice": [18, 20, 24], "weights": [1, 0, 3]},
    "radius_m": {"uniform": [0.9, 1.3]},
    "lookat_m": [0, {"uniform": [-0.01, 0.01]}, 0.08],
    "center_offset": [{"normal": {"mean": 0, "std": 0.05}}, 0],
    "origin_m": [0, 0, {"uniform": [-0.02, 0.02]}],
    "stratify": {"yaw_deg": 4, "pitch_deg": 3},
}


@pytest.mark.parametrize("config", [*camera.presets(), FULL_CONFIG], ids=[*camera.presets(), "full"])
def test_order_of_indices_changes_nothing(config):
    indices = [0, 1, 5, 12, 81442, 2**40]
    forward = [pickle.dumps(view) for view in camera.CameraSampler(config).sample_many(9, indices)]
    backward = [pickle.dumps(view) for view in camera.CameraSampler(config).sample_many(9, indices[::-1])]
    assert forward == backward[::-1]


def test_changing_one_field_leaves_the_others_alone():
    first = camera.CameraSampler("wild").sample_many(3, range(20))
    second = camera.CameraSampler("wild", yaw_deg={"uniform": [-5, 5]}, roll_deg=0).sample_many(3, range(20))
    for a, b in zip(first, second, strict=True):
        assert a.yaw_deg != b.yaw_deg
        assert (a.pitch_deg, a.fov_deg, a.radius_m) == (b.pitch_deg, b.fov_deg, b.radius_m)


def test_known_draws():
    """The stream's layout is part of the format: field k owns uniform number k (yaw, pitch, roll, fov, radius, ...)."""
    rng = fr.Random(7, 11, "camera", 2)
    u = [rng.uniform() for _ in range(5)]
    view = camera.CameraSampler({"yaw_deg": {"uniform": [-60, 60]}, "radius_m": {"uniform": [0.5, 1.5]}}).sample(
        7, 11, attempt=2
    )
    assert view.yaw_deg == -60 + 120 * u[0]
    assert view.radius_m == 0.5 + u[4]


def test_distributions_have_the_stated_shape():
    views = camera.CameraSampler({key: FULL_CONFIG[key] for key in FULL_CONFIG if key != "stratify"}).sample_many(
        1, range(20000)
    )
    yaw, pitch, roll, fov = (
        np.array([getattr(v, n) for v in views]) for n in ("yaw_deg", "pitch_deg", "roll_deg", "fov_deg")
    )
    assert kolmogorov((yaw + 60) / 120) < 0.012
    low, high = np.sin(np.radians([-30, 40]))
    assert kolmogorov((np.sin(np.radians(pitch)) - low) / (high - low)) < 0.012
    stats = pytest.importorskip("scipy.stats")
    truncated = stats.truncnorm(-22 / 8, 23 / 8, loc=2, scale=8)
    assert kolmogorov(truncated.cdf(roll)) < 0.012
    values, counts = np.unique(np.round([camera.published_fov(f) for f in fov], 6), return_counts=True)
    assert values.tolist() == [18, 24] and counts[0] / 20000 == pytest.approx(0.25, abs=0.015)


def kolmogorov(u):
    """Largest distance between the empirical and the uniform distribution; 1.63 / sqrt(n) is the 1 % level."""
    u = np.sort(u)
    return max(np.abs(u - np.arange(len(u)) / len(u)).max(), np.abs(u - (np.arange(len(u)) + 1) / len(u)).max())


@pytest.mark.parametrize("clip", [[-1e-3, 1e-3], [12, 14], [-40, -12], None])
def test_truncated_normal_tails(clip):
    stats = pytest.importorskip("scipy.stats")
    body = {"mean": 0, "std": 4} | ({"clip": clip} if clip else {})
    views = camera.CameraSampler({"roll_deg": {"normal": body}}).sample_many(5, range(200))
    low, high = clip or [-180, 180]
    for index, view in enumerate(views):
        rng = fr.Random(5, index, "camera")
        u = [rng.uniform() for _ in range(3)][2]
        assert low <= view.roll_deg <= high
        assert view.roll_deg == pytest.approx(stats.truncnorm.ppf(u, low / 4, high / 4, scale=4), rel=1e-6, abs=1e-9)


def test_strata_are_each_visited_once_per_block():
    sampler = camera.CameraSampler(FULL_CONFIG)
    low, high = np.sin(np.radians([-30, 40]))
    orders = []
    for block in range(3):
        views = sampler.sample_many(4, range(12 * block, 12 * block + 12))
        yaw_cell = [int((v.yaw_deg + 60) / 30) for v in views]
        pitch_cell = [int((math.sin(math.radians(v.pitch_deg)) - low) / (high - low) * 3) for v in views]
        cells = list(zip(yaw_cell, pitch_cell, strict=True))
        assert sorted(cells) == list(product(range(4), range(3)))
        orders.append(tuple(cells))
    assert len(set(orders)) == 3  # each block has its own order
    assert len({tuple(v.yaw_deg for v in sampler.sample_many(seed, range(12))) for seed in range(5)}) == 5


def test_attempts_stay_in_their_stratum():
    sampler = camera.CameraSampler("frontal", yaw_deg={"uniform": [-50, 50]}, stratify={"yaw_deg": 10})
    for index in range(10):
        cells = {int((sampler.sample(1, index, attempt=a).yaw_deg + 50) // 10) for a in range(6)}
        assert len(cells) == 1


def test_strata_of_a_bell_have_equal_mass():
    sampler = camera.CameraSampler("frontal", yaw_deg={"normal": {"mean": 0, "std": 10}}, stratify={"yaw_deg": 4})
    cuts = [-6.744897501960817, 0, 6.744897501960817]
    for block in range(5):
        yaw = [v.yaw_deg for v in sampler.sample_many(1, range(4 * block, 4 * block + 4))]
        assert sorted(np.searchsorted(cuts, yaw)) == [0, 1, 2, 3]


def test_grids_multiply_in_the_documented_order():
    sampler = camera.CameraSampler(
        {
            "yaw_deg": {"grid": [-40, 40, 5]},
            "pitch_deg": {"grid": [-10, 10, 3]},
            "lookat_m": [0, 0, {"grid": [0, 0.08, 2]}],
        }
    )
    views = sampler.sample_many(0, range(31))
    expected = [(yaw, pitch, z) for z in (0, 0.08) for pitch in (-10, 0, 10) for yaw in (-40, -20, 0, 20, 40)]
    assert [(v.yaw_deg, v.pitch_deg, v.lookat_m[2]) for v in views[:30]] == expected
    assert views[30] == views[0]


def test_strata_advance_after_all_grid_points():
    sampler = camera.CameraSampler(
        {"yaw_deg": {"uniform": [0, 40]}, "fov_deg": {"grid": [10, 20, 2]}, "stratify": {"yaw_deg": 4}}
    )
    views = sampler.sample_many(3, range(8))
    cells = [int(v.yaw_deg // 10) for v in views]
    assert cells[0::2] == cells[1::2] and sorted(cells[0::2]) == [0, 1, 2, 3]
    assert [v.fov_deg for v in views] == [10, 20] * 4


def test_frame_fits_the_shorter_side():
    for size in (512, (300, 600), (600, 300)):
        view = camera.CameraSampler("frontal", fov_deg=40, radius_m={"frame_m": 0.5}).sample(0, 0, size)
        edge = 0.25 * np.array([1, 0, 0] if view.size[1] <= view.size[0] else [0, 1, 0])
        pixel = camera.project(edge, view)[0]
        assert pixel[0] == pytest.approx(view.size[1]) or pixel[1] == pytest.approx(0, abs=1e-9)


def test_random_takes_half_ranges():
    assert camera.random(yaw_deg=45, pitch_deg=25).config["yaw_deg"] == {"uniform": [-45, 45]}
    assert camera.random(yaw_deg=0, roll_deg=5).config["yaw_deg"] == 0
    assert camera.random(roll_deg=np.float32(5)).config["roll_deg"] == {"uniform": [-5, 5]}
    assert camera.random(fov_published_deg=20).config["fov_published_deg"] == 20
    assert camera.random(pitch_deg={"area_uniform": [-5, 9]}).config["pitch_deg"] == {"area_uniform": [-5, 9]}


# ---- presets --------------------------------------------------------------------------------------------------------


def test_presets_are_listed():
    assert camera.presets() == ["frontal", "portrait", "paper", "synthforge-code", "wild"]
    assert camera.CameraSampler("frontal").sample(0, 0) == camera.orbit()


def test_synthforge_code_goes_through_the_look_at_sampler():
    views = camera.CameraSampler("synthforge-code").sample_many(6, range(2000))
    labels = camera.labels25(views, **camera.SYNTHFORGE_WORLD)
    h = math.pi / 2 + np.radians([v.yaw_deg for v in views])
    v = math.pi / 2 * (1 - np.sin(np.radians([v.pitch_deg for v in views])))
    np.testing.assert_allclose(labels[:, :16].reshape(-1, 4, 4), camera.look_at(h, v, (0, 0, 0.2), 2.7), atol=1e-12)
    for value in (h, v):  # uniform within ±0.8 rad about pi/2
        assert kolmogorov((value - math.pi / 2 + 0.8) / 1.6) < 0.037
    fov = np.array([camera.published_fov(view.fov_deg) for view in views])
    assert kolmogorov((fov - 18) / 6) < 0.037


def test_paper_ranges():
    views = camera.CameraSampler("paper").sample_many(6, range(2000))
    yaw, pitch = (np.array([getattr(v, n) for v in views]) for n in ("yaw_deg", "pitch_deg"))
    fov = np.array([camera.published_fov(view.fov_deg) for view in views])
    for value, (low, high) in ((yaw, (-45, 45)), (pitch, (-45, 45)), (fov, (12, 27))):
        assert kolmogorov((value - low) / (high - low)) < 0.037
    assert {v.radius_m for v in views} == {1.08}


@pytest.mark.parametrize(
    ("preset", "height", "inside"),  # the figures of docs/guides/cameras.md
    [
        ("frontal", 0.88, 1.0),
        ("portrait", 0.68, 1.0),
        ("paper", 0.93, 0.88),
        ("synthforge-code", 0.83, 0.98),
        ("wild", 0.49, 1.0),
    ],
)
def test_presets_frame_a_head(preset, height, inside):
    pixels, _ = camera.project(head_points(2000), camera.CameraSampler(preset).sample_many(1, range(500)))
    assert np.ptp(pixels[..., 1], axis=1).mean() / 512 == pytest.approx(height, abs=0.015)
    assert ((pixels >= 0) & (pixels <= 512)).all(axis=-1).mean() == pytest.approx(inside, abs=0.015)


# ---- configs --------------------------------------------------------------------------------------------------------


def numbers(low: float, high: float):
    return st.integers(math.ceil(low * 1000), math.floor(high * 1000)).map(lambda n: n / 1000)


@st.composite
def distributions(draw, low: float, high: float):
    kind = draw(st.sampled_from(["constant", "uniform", "normal", "choice", "grid"]))
    if kind == "constant":
        return draw(numbers(low, high))
    a, b = sorted(draw(st.lists(numbers(low, high), min_size=2, max_size=2, unique=True)))
    if kind == "normal":
        return {"normal": {"mean": (a + b) / 2, "std": (b - a) / 2, "clip": [a, b]}}
    if kind == "grid":
        return {"grid": [a, b, draw(st.integers(2, 5))]}
    if kind == "choice":
        return {"choice": [a, b], "weights": [1.0, draw(numbers(0, 3))]}
    return {"uniform": [a, b]}


@settings(max_examples=60)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "yaw_deg": distributions(-180, 180),
            "pitch_deg": distributions(-90, 90),
            "roll_deg": distributions(-180, 180),
            "fov_published_deg": distributions(1, 100),
            "radius_m": distributions(0.5, 2),
            "center_offset": st.tuples(distributions(-1, 1), distributions(-1, 1)),
        },
    )
)
def test_any_valid_config_round_trips_and_samples(config):
    sampler = camera.CameraSampler(config)
    again = camera.CameraSampler(sampler.config)
    assert again == sampler and again.config == sampler.config
    assert pickle.loads(pickle.dumps(sampler)) == sampler
    for index in (0, 7):
        view = sampler.sample(1, index)
        assert view == again.sample(1, index)
        assert np.isfinite(view.world_to_camera).all()


def test_files(tmp_path):
    config = {"preset": "wild", "fov_deg": {"uniform": [20, 40]}, "stratify": {"yaw_deg": 3}}
    (tmp_path / "a.json").write_text(json.dumps(config))
    (tmp_path / "a.yaml").write_text("preset: wild\nfov_deg: {uniform: [20, 40]}\nstratify:\n  yaw_deg: 3\n")
    (tmp_path / "b.yml").write_text("wild\n")
    from_dict = camera.CameraSampler(config)
    assert camera.CameraSampler(tmp_path / "a.json") == from_dict
    assert camera.CameraSampler(str(tmp_path / "a.yaml")) == from_dict
    assert camera.CameraSampler(tmp_path / "b.yml") == camera.CameraSampler("wild")
    assert camera.CameraSampler(tmp_path / "a.yaml", focal=3.0).config["focal"] == 3  # replaces fov_deg


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.json", "{", r"bad\.json is not valid JSON: .*line 1"),
        ("bad.yaml", "a: [1", r"bad\.yaml is not valid YAML"),
        ("bad.yaml", "radius_m: 1e-1\n", r'bad\.yaml: camera\.radius_m must be a number, got "1e-1"; .*write 1\.0e-3'),
        (
            "bad.json",
            '{"yaw_degrees": 3}',
            r'bad\.json: camera\.yaw_degrees is not a known key; did you mean "yaw_deg"\?',
        ),
    ],
)
def test_bad_files_are_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(fr.InvalidArgumentError, match=message):
        camera.CameraSampler(tmp_path / name)


def test_missing_file():
    with pytest.raises(fr.NotFoundError, match=r"camera config nothing\.yaml does not exist"):
        camera.CameraSampler("nothing.yaml")


BAD_CONFIGS = [
    ({"yaw": 3}, 'camera.yaw is not a known key; did you mean "yaw_deg"?'),
    ({"fov_degrees": 3}, 'camera.fov_degrees is not a known key; did you mean "fov_deg"?'),
    ({"qqqqqqqq": 3}, "camera.qqqqqqqq is not a known key; valid names: preset, yaw_deg, pitch_deg,"),
    ([1, 2], "camera must be an object, got [1,2]; keys: preset, yaw_deg"),
    ("wlid", 'camera.preset: there is no preset "wlid"; did you mean "wild"?'),
    (
        {"preset": "sunset"},
        'camera.preset: there is no preset "sunset"; valid names: frontal, portrait, paper, synthforge-code, wild',
    ),
    ({"preset": 3}, "camera.preset must be a name, got 3; one of: frontal"),
    ({"yaw_deg": "20"}, 'camera.yaw_deg must be a number, got "20"; remove the quotes'),
    ({"yaw_deg": True}, 'camera.yaw_deg must be a number or an object such as {"uniform": [low, high]}, got true'),
    ({"yaw_deg": [-5, 5]}, '{"uniform": [low, high]}, got [-5,5]; write {"uniform": [-5,5]}'),
    ({"yaw_deg": None}, "camera.yaw_deg must be a number or an object"),
    (
        {"yaw_deg": {}},
        "camera.yaw_deg must be a distribution, got {}; one of: uniform, area_uniform, normal, choice, grid",
    ),
    (
        {"yaw_deg": {"uniformly": [1, 2]}},
        'camera.yaw_deg.uniformly is not a known distribution; did you mean "uniform"?',
    ),
    (
        {"yaw_deg": {"uniform": [1, 2], "grid": [1, 2, 3]}},
        'camera.yaw_deg must be one distribution, got "uniform" and "grid"; remove',
    ),
    ({"yaw_deg": {"uniform": [1, 2], "weights": [1]}}, "camera.yaw_deg.weights is not a known distribution"),
    ({"yaw_deg": {"uniform": [1]}}, "camera.yaw_deg.uniform must be [low, high], got [1]"),
    ({"yaw_deg": {"uniform": [1, "2"]}}, 'camera.yaw_deg.uniform[1] must be a number, got "2"'),
    (
        {"yaw_deg": {"uniform": [30, -30]}},
        "camera.yaw_deg.uniform must be [low, high] with low < high, got [30, -30]; swap the two",
    ),
    ({"yaw_deg": {"uniform": [3, 3]}}, "got [3, 3]; write the number alone for a constant"),
    ({"yaw_deg": {"uniform": [-200, 3]}}, "camera.yaw_deg.uniform[0] must be in [-180, 180], got -200"),
    (
        {"yaw_deg": {"area_uniform": [0, 3]}},
        "camera.yaw_deg.area_uniform is not possible: area_uniform describes pitch_deg only",
    ),
    ({"pitch_deg": 95}, "camera.pitch_deg must be in [-90, 90], got 95"),
    ({"pitch_deg": {"area_uniform": [0, 95]}}, "camera.pitch_deg.area_uniform[1] must be in [-90, 90], got 95"),
    (
        {"roll_deg": {"normal": {"mean": 0}}},
        'camera.roll_deg.normal must be {"mean", "std", "clip": [low, high] (optional)}',
    ),
    (
        {"roll_deg": {"normal": {"mean": 0, "sd": 1}}},
        'camera.roll_deg.normal.sd is not a known key; did you mean "std"?',
    ),
    ({"roll_deg": {"normal": {"mean": 0, "std": 0}}}, "camera.roll_deg.normal.std must be > 0, got 0"),
    (
        {"roll_deg": {"normal": {"mean": 0, "std": 1, "clip": [2, 1]}}},
        "camera.roll_deg.normal.clip must be [low, high] with low < high",
    ),
    (
        {"roll_deg": {"normal": {"mean": 0, "std": 1, "clip": [9, 10]}}},
        "camera.roll_deg.normal must be a bell with at least a millionth",
    ),
    (
        {"fov_deg": {"normal": {"mean": -50, "std": 1}}},
        "inside its clip and [0.5, 170], got mean -50, std 1; move the mean",
    ),
    ({"fov_deg": 200}, "camera.fov_deg must be in [0.5, 170], got 200"),
    (
        {"fov_deg": 20, "focal": 4},
        'camera must be given one of fov_deg, fov_published_deg, focal, got "fov_deg" and "focal"; remove',
    ),
    ({"focal": 0}, "camera.focal must be in [0.05, 100], got 0"),
    ({"radius_m": 0}, "camera.radius_m must be in [0.01, 100], got 0"),
    ({"radius_m": {"frame_m": 0}}, "camera.radius_m.frame_m must be in [0.01, 100], got 0"),
    (
        {"radius_m": {"frame_m": 1, "uniform": [1, 2]}},
        "camera.radius_m.uniform is not a known key; valid names: frame_m",
    ),
    ({"lookat_m": 0.1}, "camera.lookat_m must be [x, y, z], got 0.1"),
    (
        {"lookat_m": [0, 0, {"uniform": [1, 0]}]},
        "camera.lookat_m[2].uniform must be [low, high] with low < high, got [1, 0]",
    ),
    ({"center_offset": [0, 0, 0]}, "camera.center_offset must be [x, y], got [0,0,0]"),
    ({"center_offset": [0, 5]}, "camera.center_offset[1] must be in [-2, 2], got 5"),
    ({"fov_deg": {"choice": []}}, "camera.fov_deg.choice must be a list of at least one number, got []"),
    (
        {"fov_deg": {"choice": [20, 30], "weights": [1]}},
        "camera.fov_deg.weights must be 2 numbers, one per choice, got [1]",
    ),
    ({"fov_deg": {"choice": [20, 30], "weights": [1, -1]}}, "camera.fov_deg.weights[1] must be >= 0, got -1"),
    (
        {"fov_deg": {"choice": [20, 30], "weights": [0, 0]}},
        "camera.fov_deg.weights must be numbers with a positive sum",
    ),
    ({"fov_deg": {"choice": [20, 300]}}, "camera.fov_deg.choice[1] must be in [0.5, 170], got 300"),
    ({"fov_deg": {"grid": [20, 30]}}, "camera.fov_deg.grid must be [low, high, n], got [20,30]"),
    ({"fov_deg": {"grid": [20, 30, 2.5]}}, "camera.fov_deg.grid[2] must be an integer in [1, 1000000], got 2.5"),
    ({"fov_deg": {"grid": [20, 30, 0]}}, "camera.fov_deg.grid[2] must be an integer in [1, 1000000], got 0"),
    ({"fov_deg": {"grid": [20, 30, 1]}}, "camera.fov_deg.grid must be [low, high, n] with n >= 2, got [20, 30, 1]"),
    (
        {"yaw_deg": {"grid": [0, 1, 10**6]}, "pitch_deg": {"grid": [0, 1, 10**6]}, "roll_deg": {"grid": [0, 1, 10**6]}},
        "camera grids have 1e+18 points together",
    ),
    (
        {"stratify": {"yaw_deg": 3}},
        "camera.stratify.yaw_deg needs camera.yaw_deg to be uniform, area_uniform or normal, it is constant",
    ),
    ({"stratify": {"roll_deg": 3}}, "camera.stratify.roll_deg is not a known key; "),
    ({"stratify": 3}, "camera.stratify must be an object, got 3; keys: yaw_deg, pitch_deg"),
    ({"preset": "paper", "stratify": {"yaw_deg": 0}}, "camera.stratify.yaw_deg must be an integer in [1, 4096], got 0"),
    (
        {"preset": "paper", "stratify": {"yaw_deg": 100, "pitch_deg": 100}},
        "camera.stratify must be at most 4096 cells together, got 10000",
    ),
    ({"radius_m": math.inf}, "camera config is not valid JSON"),
    ({"radius_m": object()}, "camera config must hold numbers, strings, lists and mappings, got object"),
]


@pytest.mark.parametrize(("config", "message"), BAD_CONFIGS, ids=[str(i) for i in range(len(BAD_CONFIGS))])
def test_bad_configs(config, message):
    with pytest.raises(fr.InvalidArgumentError) as caught:
        camera.CameraSampler(config)
    assert message in str(caught.value)


def test_camera_on_its_target_is_reported_when_drawn():
    sampler = camera.CameraSampler({"radius_m": 0.08, "lookat_m": [0, 0, 0.08]})
    with pytest.raises(fr.InvalidArgumentError, match="stands on the point it looks at"):
        sampler.sample(0, 0)


@pytest.mark.parametrize(("seed", "index", "attempt"), [(0, 2**48, 0), (0, 0, 65536)])
def test_index_limits(seed, index, attempt):
    with pytest.raises(fr.InvalidArgumentError, match=r"must be <"):
        camera.CameraSampler("wild").sample(seed, index, attempt=attempt)


def test_numpy_values_in_configs():
    sampler = camera.CameraSampler({"yaw_deg": {"uniform": np.array([-3, 3])}, "fov_deg": np.float64(20)})
    assert sampler.config["yaw_deg"] == {"uniform": [-3, 3]}
