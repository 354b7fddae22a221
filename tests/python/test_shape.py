"""Density of a generator and the surface that is made of it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forge_rt as fr
import generator_bundle as gb
import numpy as np
import pytest
from data_sets import cli, one_error
from forge_rt import bundles, shape
from forge_rt.mesh_files import write_mesh
from forge_rt.shape import isosurface

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra cpu)")
pytest.importorskip("skimage", reason="scikit-image is not installed (extra shape)")

#: other summation orders in float32; densities reach 10 here
DENSITY = 2e-4


@pytest.fixture(scope="module")
def generator() -> fr.Generator:
    return fr.Generator(gb.TINY)


@pytest.fixture(scope="module")
def heads(generator: fr.Generator) -> Any:
    return generator.expression(generator.identity(gb.numbers(gb.SAMPLES, generator.info.z_dim)), *gb.egg(gb.SAMPLES))


def _points(sets: int, count: int, reach: float = 0.6) -> np.ndarray:
    return np.random.default_rng(5).uniform(-reach, reach, (sets, count, 3)).astype(np.float32)


# ---- density --------------------------------------------------------------------------------------------------------


def _decoder() -> Any:
    arrays = bundles.Bundle.open(gb.TINY).tensors("generator.safetensors")
    names = [f"decoder.net.{layer}.{what}" for layer in (0, 2) for what in ("weight", "bias")]
    return fr.TriPlaneDecoder(*(np.asarray(arrays[name]) for name in names))


def test_density_is_the_ops_on_the_planes(generator: fr.Generator, heads: Any) -> None:
    points = _points(gb.SAMPLES, 333)
    density, colour = generator.density(heads, points, colour=True)
    want, shades = fr.sample_density(heads.planes, _decoder(), points, colour=True)
    np.testing.assert_array_equal(np.asarray(density), np.asarray(want))
    np.testing.assert_array_equal(np.asarray(colour), np.asarray(shades))
    assert np.asarray(colour).shape == (gb.SAMPLES, 333, generator.info.features)
    np.testing.assert_array_equal(np.asarray(generator.density(heads, points)), np.asarray(density))


def test_density_is_the_definitions(generator: fr.Generator, heads: Any) -> None:
    torch = pytest.importorskip("torch", reason="the definition is PyTorch's")
    model = gb.tiny()
    points = _points(gb.SAMPLES, 200)
    planes = torch.from_numpy(np.array(heads.planes)).permute(0, 1, 4, 2, 3).contiguous()
    with torch.no_grad():
        colour, density = model.query(planes, torch.from_numpy(points))
    got, shades = generator.density(heads, points, colour=True)
    np.testing.assert_allclose(np.asarray(got), density[..., 0], atol=DENSITY)
    np.testing.assert_allclose(np.asarray(shades), colour, atol=DENSITY)


def test_sets_of_points_look_at_rows(generator: fr.Generator, heads: Any) -> None:
    points = _points(3, 40)
    all_heads = np.asarray(generator.density(heads, points))
    for rows in ([2, 0, 2], [1, 1, 1], [1, 2, 0]):
        got = np.asarray(generator.density(heads, points, rows=rows))
        for m, row in enumerate(rows):
            alone = generator.density(heads, points[m : m + 1], rows=[row])
            np.testing.assert_array_equal(got[m], np.asarray(alone)[0])
    np.testing.assert_array_equal(np.asarray(generator.density(heads, points, rows=[0, 1, 2])), all_heads)
    assert np.asarray(generator.density(heads, points[:, :0])).shape == (3, 0)
    _, colour = generator.density(heads, points, rows=[1, 1, 1], colour=True)
    assert np.asarray(colour).shape == (3, 40, generator.info.features)


def test_densitys_errors(generator: fr.Generator, heads: Any) -> None:
    points = _points(3, 4)
    for bad, words in (
        (points[0], r"points must be \[M, P, 3\]"),
        (points[..., :2], r"points must be \[M, P, 3\]"),
        (points[:2], "2 sets of points of 3 heads need `rows`"),
        (np.where(np.arange(3)[:, None, None] == 1, np.nan, points), r"points\[1\] holds nan"),
    ):
        with pytest.raises(fr.InvalidArgumentError, match=words):
            generator.density(heads, bad)
    with pytest.raises(fr.InvalidArgumentError, match="there are 3 heads"):
        generator.density(heads, points, rows=[0, 1, 3])
    with pytest.raises(fr.InvalidArgumentError, match="another"):
        fr.Generator("next3d-mini").density(heads, points)


# ---- surfaces -------------------------------------------------------------------------------------------------------

CENTRE, RADIUS = np.array([0.05, -0.02, 0.06]), 0.3


def _ball(points: np.ndarray) -> np.ndarray:
    return 100 * (RADIUS - np.linalg.norm(points - CENTRE, axis=1)) + 10


def _axes(*counts: int) -> list[np.ndarray]:
    return [np.linspace(-0.5, 0.5, n) for n in counts]


def _volume(vertices: np.ndarray, triangles: np.ndarray) -> float:
    a, b, c = np.moveaxis(vertices[triangles], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _closed(triangles: np.ndarray) -> bool:
    """Every edge is walked once in each direction."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    there, back = ({tuple(e) for e in rows.tolist()} for rows in (edges, edges[:, ::-1]))
    return len(there) == len(edges) and there == back


def test_a_balls_surface() -> None:
    vertices, triangles = isosurface(_ball, _axes(64, 48, 80), 10)
    off = np.linalg.norm(vertices - CENTRE, axis=1) - RADIUS
    assert np.abs(off).max() < 1e-3  # grid of 1/47: linear between points that are 0.02 apart
    assert _closed(triangles) and triangles.dtype == np.int32
    assert _volume(vertices, triangles) == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=5e-3)  # > 0: outwards
    smaller, _ = isosurface(_ball, _axes(64, 48, 80), 20)
    assert np.linalg.norm(smaller - CENTRE, axis=1).mean() == pytest.approx(RADIUS - 0.1, abs=1e-3)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = isosurface(_ball, _axes(40, 40, 40), 10)
    seen: list[int] = []

    def counted(points: np.ndarray) -> np.ndarray:
        seen.append(len(points))
        return _ball(points)

    monkeypatch.setattr(shape, "_CHUNK", 5000)
    told: list[tuple[int, int]] = []
    parts = isosurface(counted, _axes(40, 40, 40), 10, tell=lambda *at: told.append(at))
    assert max(seen) <= 5000 and sum(seen) == 40**3 and told[-1] == (40**3, 40**3)
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_a_head_cut_by_the_grid_is_closed() -> None:
    axes = [np.linspace(-0.5, 0.5, 50), np.linspace(0.0, 0.5, 26), np.linspace(-0.5, 0.5, 50)]
    vertices, triangles = isosurface(_ball, axes, 10)
    assert _closed(triangles) and vertices[:, 1].min() > -0.021
    _, open_ = isosurface(_ball, axes, 10, closed=False)
    assert not _closed(open_)


def test_surfaces_errors() -> None:
    axes = _axes(8, 8, 8)
    with pytest.raises(fr.InvalidArgumentError, match="no surface at level 1000"):
        isosurface(_ball, axes, 1000)
    with pytest.raises(fr.InvalidArgumentError, match="not finite"):
        isosurface(lambda points: np.full(len(points), np.nan), axes, 10)
    with pytest.raises(fr.InvalidArgumentError, match="level must be finite"):
        isosurface(_ball, axes, float("inf"))
    with pytest.raises(fr.InvalidArgumentError, match="two points"):
        isosurface(_ball, _axes(8, 1, 8), 10)


class _BallGenerator:
    """A generator whose field is the ball and a speck."""

    def __init__(self, bounds: Any = None) -> None:
        self.info = SimpleNamespace(
            config={"rendering": {"box_warp": 1.0}},
            bounds=bounds,
            world_scale=2.5,
            world_shift=(0.0, 0.1, 0.0),
            surface_level=10.0,
        )
        self.lowest = np.full(3, np.inf)

    def density(self, head: Any, points: np.ndarray, *, rows: Any, colour: bool = False) -> Any:
        assert rows == [0] and points.dtype == np.float32
        flat = points[0].astype(np.float64)
        self.lowest = np.minimum(self.lowest, flat.min(0))
        speck = 100 * (0.05 - np.linalg.norm(flat - [-0.3, -0.3, -0.3], axis=1)) + 10
        density = np.maximum(_ball(flat), speck)[None].astype(np.float32)
        shades = np.stack([np.full(len(flat), v) for v in (-0.001, 0.5, 1.001, 0.3)], -1)[None]
        return (density, shades) if colour else density


def test_a_surface_in_metres_with_colours() -> None:
    made: Any = _BallGenerator()
    surface = shape.extract(made, [None], resolution=64)  # type: ignore[arg-type]
    assert np.abs(np.linalg.norm(surface.vertices - CENTRE, axis=1) - RADIUS).max() < 2e-3
    np.testing.assert_allclose(surface.vertices_m, (surface.vertices - [0, 0.1, 0]) / 2.5, atol=1e-6)
    assert surface.colors is not None and (surface.colors == [0, 128, 255]).all()
    # the published border: int(30 / 256 · 64) = 7 points of 1/63
    assert np.allclose(made.lowest, -0.5 + 7 / 63, atol=1e-6)
    both = shape.extract(made, [None], resolution=np.int64(64), largest=False, colors=False)  # type: ignore[arg-type]
    assert both.colors is None and len(both.triangles) > len(surface.triangles)
    bounded: Any = _BallGenerator(np.array([[-0.45, -0.4, -0.45], [0.45, 0.45, 0.45]]))
    shape.extract(bounded, [None], resolution=64)  # type: ignore[arg-type]
    assert -0.45 <= bounded.lowest[0] < -0.43 and -0.4 <= bounded.lowest[1] < -0.38


def test_extracts_errors(generator: fr.Generator, heads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, words in (
        ({"row": 3}, "row must be 0..2"),
        ({"resolution": 8}, "resolution must be a whole number from 16"),
        ({"resolution": 64.0}, "resolution must be"),
        ({"border": 0.5}, "border must be"),
        ({"level": 1e6}, "no surface at level"),
    ):
        with pytest.raises(fr.InvalidArgumentError, match=words):
            shape.extract(generator, heads, **{"resolution": 16, **options})
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(fr.UnsupportedError, match=r'pip install "forge-rt\[shape\]"'):
        shape.extract(generator, heads, resolution=16)


def _read_ply(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    header, body = path.read_bytes().split(b"end_header\n", 1)
    lines = header.decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    counts = [int(line.split()[2]) for line in lines if line.startswith("element")]
    vertex = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    rows = np.frombuffer(body, vertex, counts[0])
    faces = np.frombuffer(body, np.dtype([("n", "u1"), ("v", "<i4", 3)]), counts[1], vertex.itemsize * counts[0])
    assert len(body) == vertex.itemsize * counts[0] + faces.nbytes and (faces["n"] == 3).all()
    return rows["xyz"], rows["rgb"], faces["v"]


def test_mesh_files(tmp_path: Path) -> None:
    points, triangles = np.eye(3, dtype=np.float32) / 3, np.array([[0, 1, 2], [2, 1, 0]])
    colors = np.array([[0, 128, 255]] * 3, np.uint8)
    write_mesh(tmp_path / "a.ply", points, triangles, colors)
    xyz, rgb, faces = _read_ply(tmp_path / "a.ply")
    assert (xyz == points).all() and (rgb == colors).all() and (faces == triangles).all()
    write_mesh(tmp_path / "a.obj", points, triangles, colors)
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert lines[0] == "v 0.3333333 0 0 0 0.502 1" and lines[3:] == ["f 1 2 3", "f 3 2 1"]
    write_mesh(tmp_path / "b.OBJ", points, triangles)
    assert (tmp_path / "b.OBJ").read_text().startswith("v 0.3333333 0 0\n")
    for arguments, words in (
        ((tmp_path / "a.stl", points, triangles), ".ply or .obj, got a.stl"),
        ((tmp_path / "a.ply", points, triangles + 1), "vertices 0..2"),
        ((tmp_path / "a.ply", points[:, :2], triangles), "vertices"),
        ((tmp_path / "a.ply", points, triangles, colors / 255), "colors must be uint8"),
    ):
        with pytest.raises(fr.InvalidArgumentError, match=words):
            write_mesh(*arguments)  # type: ignore[arg-type]


# ---- next3d-mini ----------------------------------------------------------------------------------------------------


def test_the_command_writes_the_person_of_a_sample(tmp_path: Path) -> None:
    """The surface lies where the mesh of that sample's record lies."""
    plan = fr.Plan(count=4, seed=11, model="next3d-mini")
    out = tmp_path / "head.ply"
    done = cli("shape", "next3d-mini", "--seed", 11, "--index", 3, "--out", out, "--resolution", 128, "--level", 200)
    assert done.returncode == 0 and "triangles" in done.stdout, done.stderr
    points, colors, triangles = _read_ply(out)
    assert _closed(triangles) and _volume(points.astype(np.float64), triangles) > 1e-3  # a litre
    assert colors.std() > 10
    from forge_rt.production.samples import SampleMaker
    from forge_rt.production.sources import open_source

    sample = SampleMaker(open_source(plan), plan).make([3])[0]
    head = fr.ForgeHead()
    assert sample.face is not None and sample.attempt == 0
    landmarks = np.asarray(head.mesh([sample.face]).landmarks)[0]
    nearest = [np.linalg.norm(points - p, axis=1).min() for p in landmarks[27:36]]  # the nose
    assert np.median(nearest) < 0.003
    again = tmp_path / "again.ply"
    cli("shape", "next3d-mini", "--seed", 11, "--index", 3, "--out", again, "--resolution", 128, "--level", 200)
    assert again.read_bytes() == out.read_bytes()
    other = tmp_path / "other.ply"
    cli("shape", "next3d-mini", "--seed", 11, "--index", 3, "--attempt", 1, "--out", other, "--resolution", 32)
    assert other.exists() and other.read_bytes() != out.read_bytes()


def _to_triangles(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distance of points [P, 3] from the closest of the triangles whose middles are nearest."""
    from scipy.spatial import cKDTree

    _, near = cKDTree(vertices[triangles].mean(1)).query(points, k=12)
    a, b, c = np.moveaxis(vertices[triangles[near]], 2, 0)
    p = points[:, None]
    normal = np.cross(b - a, c - a)
    area = (normal**2).sum(-1) + 1e-30
    v = (np.cross(p - a, c - a) * normal).sum(-1) / area
    w = (np.cross(b - a, p - a) * normal).sum(-1) / area

    def to_edge(start: np.ndarray, end: np.ndarray) -> np.ndarray:
        along, from_start = end - start, p - start
        t = np.clip((from_start * along).sum(-1) / ((along**2).sum(-1) + 1e-30), 0, 1)
        return np.linalg.norm(from_start - t[..., None] * along, axis=-1)

    edges = np.minimum(np.minimum(to_edge(a, b), to_edge(b, c)), to_edge(c, a))
    above = np.abs(((p - a) * normal).sum(-1)) / np.sqrt(area)
    return np.where((v >= 0) & (w >= 0) & (v + w <= 1), above, edges).min(1)


def _face_of(vertices: np.ndarray, triangles: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Vertices within the landmarks' outline that look forward."""
    import cv2

    normals = np.asarray(fr.vertex_normals(vertices[None], fr.Topology(triangles, len(vertices))))[0]
    outline = cv2.convexHull(landmarks[:, :2].astype(np.float32))
    inside = [cv2.pointPolygonTest(outline, (float(x), float(y)), False) > 0 for x, y in vertices[:, :2]]
    return vertices[np.array(inside) & (normals[:, 2] > 0.3) & (vertices[:, 2] > 0.03)].astype(np.float64)


@pytest.mark.parametrize(("level", "bar_mm"), [(10, 2.5), (200, 1.2)])
def test_the_face_lies_on_the_surface(level: float, bar_mm: float) -> None:
    """`pytest -s` prints the numbers of docs/guides/shapes.md."""
    from forge_rt.production.sources import open_source

    plan = fr.Plan(count=4, seed=11, model="next3d-mini")
    source, head = open_source(plan), fr.ForgeHead()
    generator, sampler = fr.Generator("next3d-mini"), source.sampler(plan)  # type: ignore[attr-defined]
    assert generator.info.surface_level == 200  # what the bundle says, and the better of the two
    off = []
    for index in range(plan.count):
        drawn = sampler.draw(plan.seed, index)
        mesh = head.mesh([drawn.face])
        vertices, landmarks = np.asarray(mesh.vertices), np.asarray(mesh.landmarks)
        posed = generator.expression(generator.identity(drawn.z[None]), vertices, landmarks)
        surface = shape.extract(generator, posed, level=level, colors=False)
        face = _face_of(vertices[0], head.triangles, landmarks[0])
        off.append(1000 * _to_triangles(face, surface.vertices_m.astype(np.float64), surface.triangles))
    medians = [float(np.median(o)) for o in off]
    everything = np.concatenate(off)
    print(f"level {level}: median {np.median(everything):.2f} mm, of each {np.round(medians, 2)}, "
          f"90 % below {np.quantile(everything, 0.9):.1f}")  # fmt: skip
    assert max(medians) < bar_mm


def test_the_guides_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs/guides/shapes.md").read_text()
    code = text[text.index("```python\n") + 10 :]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code[: code.index("```")], names)
    assert (tmp_path / "smile.ply").stat().st_size > 100_000 and np.asarray(names["density"]).shape == (1, 5)


def test_eg3d_has_a_shape(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the bundle is exported from PyTorch")
    from forge_rt.export.models import next3d
    from forge_rt.export.models.next3d import config
    from forge_rt.shape_run import ShapeOptions, run

    torch.manual_seed(2)
    model = gb.random_weights(
        next3d.EG3D(
            config.EG3DConfig(
                z_dim=8, w_dim=16, channel_base=128, channel_max=8, plane_resolution=32, plane_channels=8, decoder_hidden=16,
                feature_channels=8, superresolution="2X", sr_channels=(8, 8), neural_rendering_resolution=16,
                rendering=config.RenderingConfig(depth_resolution=8, depth_resolution_importance=6),
            )
        ),
        2,
    )  # fmt: skip
    bundle = gb.write(model, tmp_path / "eg3d.forge", proof=False)
    surface = run(bundle, ShapeOptions(resolution=32, level=1.0))
    assert len(surface.triangles) > 100 and _closed(surface.triangles)
    with pytest.raises(fr.InvalidArgumentError, match="leave --head out"):
        run(bundle, ShapeOptions(head=Path("x.pkl")))


def test_the_commands_errors(tmp_path: Path) -> None:
    def error(*options: object) -> str:
        return one_error(cli("shape", "next3d-mini", *options))

    assert ".ply or .obj" in error("--out", tmp_path / "a.stl")
    assert "there is no folder" in error("--out", tmp_path / "nowhere/a.ply")
    assert "no bundle 'nobody'" in one_error(cli("shape", "nobody", "--out", tmp_path / "a.ply"))
    assert "resolution must be" in error("--out", tmp_path / "a.ply", "--resolution", 5)
    assert "no surface at level" in error("--out", tmp_path / "a.ply", "--resolution", 16, "--level", 1e5)
    assert "preset must be one of" in error("--out", tmp_path / "a.ply", "--preset", "mine")
    assert "from 0 on" in error("--out", tmp_path / "a.ply", "--index", -1)
    assert not list(tmp_path.iterdir())
