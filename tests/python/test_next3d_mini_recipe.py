"""The distillation of next3d-mini: its renderer equals the definitions', a resumed run equals an uninterrupted one, phases hand over."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'export' (torch)")
pytest.importorskip("scipy", reason="training needs the extra 'export' (scipy)")
pytest.importorskip("lightning", reason="recipes need the extra 'export' (lightning)")

import forge_rt as fr  # noqa: E402
from forge_rt.export.models.next3d import Next3D, Uniforms  # noqa: E402
from forge_rt.export.models.next3d.macs import count  # noqa: E402
from forge_rt.export.recipes import next3d_mini as recipe  # noqa: E402
from forge_rt.export.recipes import next3d_mini_losses as losses  # noqa: E402
from forge_rt.export.recipes import next3d_mini_net as mini  # noqa: E402
from forge_rt.export.recipes import next3d_mini_report as report  # noqa: E402
from forge_rt.export.recipes import next3d_teacher_people as people  # noqa: E402
from forge_rt.export.recipes.next3d_mini import Phase, Plan, Trainer  # noqa: E402
from forge_rt.export.recipes.next3d_mini_data import Source, collate, rows_of  # noqa: E402
from forge_rt.export.recipes.next3d_mini_render import Rendered, Volume, gather, render  # noqa: E402
from forge_rt.export.recipes.next3d_teacher import Teacher  # noqa: E402

torch.set_num_threads(1)

TINY = Plan(
    samples=4, mapping_steps=20, passes=1, shard=4,
    phases=(Phase("128", 128, 8, 1e-2), Phase("256", 256, 4, 1e-2, detail=8.0), Phase("cool", 256, 4, 1e-2, lowest=0.1)),
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Caches of the teacher that every run of TINY reads; the first writes them."""
    return tmp_path_factory.mktemp("teacher")


@pytest.fixture(scope="module")
def records():
    return Teacher(TINY.teacher(128)).batch(seed=5, first=0, count=4)


@pytest.fixture(scope="module")
def batch(records):
    return collate(records, views=2, detail_weight=8.0)


def run(out, data, **options):
    return recipe.train(TINY, out, data, **options)


def same(a, b) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# ---- the network ----


def test_sizes_are_those_promised(batch):
    for width in mini.WIDTHS:
        net = Next3D(mini.shipped(mini.config(256, width)))
        one = Teacher(TINY.teacher(256)).batch(seed=5, first=0, count=1)
        head = collate(one, 1)
        assert sum(p.numel() for p in net.parameters()) <= 8e6
        assert count(net, head.z, torch.zeros(1, 25), head.camera, head.views) <= 10e9


def test_training_renders_what_the_definitions_render(batch):
    net = mini.fresh(mini.config(128, samples=6), 3)
    config = net.config.rendering
    planes = 2 * torch.randn(len(batch.z), 3, 16, 64, 64)
    both = planes.repeat_interleave(2, 0)
    uniforms = Uniforms.draw(4, 32 * 32, config)
    ours, theirs = planes.clone().requires_grad_(), both.clone().requires_grad_()
    found = render(Volume(ours, net.decoder, net.plane_axes, config), batch.camera, 32, uniforms)
    truth = net.render(theirs, batch.camera, resolution=32, uniforms=uniforms)
    assert (found.features - truth.features).abs().max() < 1e-5
    assert (found.weights.sum(-1) - truth.weight.flatten(1)).abs().max() < 1e-5
    direction = torch.randn_like(truth.features)
    slopes = []
    for features in (found.features, truth.features):
        net.zero_grad()
        (features * direction).sum().backward()
        slopes.append([p.grad.clone() for p in net.decoder.parameters()])
    wanted = theirs.grad.unflatten(0, (-1, 2)).sum(1)  # views of a head share its planes
    for a, b in zip([ours.grad, *slopes[0]], [wanted, *slopes[1]], strict=True):
        assert (a - b).abs().max() <= 1e-4 * b.abs().max()


def test_points_outside_of_the_box_gather_nothing():
    planes = torch.randn(1, 3, 4, 8, 8)
    axes = Next3D(mini.config(128)).plane_axes
    far = torch.tensor([[[9.0, 9.0, 9.0], [-9.0, 9.0, -9.0]]])
    assert (gather(planes, far, axes, 0.7) == 0).all()


def test_guided_samples_lie_at_the_surface(batch):
    net = mini.fresh(mini.config(128, samples=4), 0)
    config = net.config.rendering
    volume = Volume(torch.zeros(2, 3, 16, 64, 64), net.decoder, net.plane_axes, config)
    rendered = render(volume, batch.camera, 32, Uniforms.draw(4, 1024, config), batch.distance)
    hit = batch.distance.flatten(1) > 0
    near = (rendered.depths - batch.distance.flatten(1)[..., None]).abs().amin(-1)
    assert near[hit].max() < 0.03
    assert (rendered.depths[..., 1:] >= rendered.depths[..., :-1]).all()


def test_a_grown_network_makes_the_same_head(batch):
    small = mini.fresh(mini.config(128, samples=8), 1)
    large = mini.fresh(mini.config(256, samples=8), 2)
    new = mini.grow(small, large)
    # What is new is the last block and the first encoder of each, and nothing of what maps or decodes.
    assert not any("mapping" in n or "decoder" in n or "superresolution" in n for n in new)
    assert all(any(part in n for part in (".b128.", ".b32.", "encoder.0.", "fusion.")) for n in new)
    views = collate(Teacher(TINY.teacher(256)).batch(5, 0, 2), 2)
    ws = small.mapping(views.z, torch.zeros(1, 25))
    with torch.no_grad():
        before = small.texture(ws, "none")
        after = large.texture(large.mapping(views.z, torch.zeros(1, 25)), "none")
    coarse = torch.nn.functional.avg_pool2d(after, 2)
    assert (coarse - before).std() < 0.35 * before.std()


def test_traits_are_what_the_teacher_draws():
    z = torch.randn(200, 64, generator=torch.Generator().manual_seed(0))
    found, head = mini.traits(z), Teacher(TINY.teacher(128)).head
    for i in range(5):
        person = people.person(head, z[i].numpy())
        look = person.face.appearance
        assert np.abs(found["backdrop"][i] - person.background).max() < 1e-6
        assert people.HAIR_STYLES[int(found["style"][i].argmax())] == person.hair_style
        assert np.abs(found["hair"][i] - np.clip(look.hair_color, 0, 1) ** (1 / 2.2)).max() < 1e-6
        assert np.abs(found["iris"][i] - np.asarray(look.iris_color) ** (1 / 2.2)).max() < 1e-6
        assert abs(found["melanin"][i, 0] * 0.83 + 0.02 - look.melanin) < 1e-6
    assert (found["style"].sum(0) > 20).all()


def test_the_mapping_learns_traits():
    net = mini.fresh(mini.config(128), 0)
    assert mini.teach_mapping(net, 300, 0) > 0.8
    w = net.mapping(torch.randn(256, 64), torch.zeros(256, 25))
    assert 0.7 < w.square().mean() < 1.4


# ---- losses ----


def perfect(batch, samples: int = 9) -> Rendered:
    """A volume that is as opaque as the picture covers, all of it at the surface."""
    n, size = len(batch.camera), 32
    features = torch.zeros(n, 16, size, size)
    features[:, :3] = 2 * losses.shrink(batch.foreground, size) - 1
    weights = torch.zeros(n, size * size, samples)
    weights[..., 3] = losses.shrink(batch.coverage, size).flatten(1)
    return Rendered(features, weights, batch.distance.flatten(1)[..., None].expand_as(weights))


def test_losses_are_nothing_for_the_truth(batch):
    rendered = perfect(batch)
    _, parts = losses.total(batch.picture, rendered, batch, losses.Weights(through=0.0))
    assert set(parts) == {"image", "pyramid", "raw", "coverage", "depth"}
    assert all(abs(value.item()) < 1e-5 for value in parts.values())
    total, _ = losses.total(batch.picture.flip(3), rendered, batch, losses.Weights())
    assert total > 0.1


def test_an_empty_volume_is_no_cheap_answer(batch):
    rendered = perfect(batch)
    empty = rendered._replace(weights=torch.zeros_like(rendered.weights))
    full, nothing = (losses.total(batch.picture, r, batch, losses.Weights())[1] for r in (rendered, empty))
    assert nothing["depth"] > full["depth"] + 0.1
    assert nothing["coverage"] > 1


def test_opacity_always_has_a_slope():
    for found, truth in ((0.0, 1.0), (1.0, 0.0)):
        x = torch.tensor([found], requires_grad=True)
        losses.opacity(x, torch.tensor([truth])).backward()
        assert x.grad.abs() > 1


def test_eyes_and_lips_count_more(batch):
    assert batch.weight.max() == 8 and batch.weight.min() == 1
    assert 0.01 < (batch.weight > 1).float().mean() < 0.15


# ---- which samples ----


def test_rows_keep_heads_together_and_passes_whole():
    first = rows_of(0, 24, 24, 2, seed=1)
    assert (first == np.arange(24)).all()
    second = rows_of(24, 24, 24, 2, seed=1)
    assert sorted(second) == list(range(24)) and (second != first).any()
    assert (second[1::2] == second[::2] + 1).all()
    across = rows_of(20, 8, 24, 2, seed=1)
    assert (across == np.concatenate([first[20:], second[:4]])).all()


def test_batches_are_the_teacher_s(records, batch):
    whole = batch.picture.permute(0, 2, 3, 1).numpy() * 0.5 + 0.5
    from forge_rt.export.recipes.next3d_teacher import picture

    assert np.abs(whole - picture(records)).max() < 1e-6
    assert batch.z.shape == (2, 64) and batch.camera.shape == (4, 25)
    assert batch.views.front_uv.shape == (2, 64, 64, 2) and batch.views.front_alpha.shape == (2, 1, 64, 64)
    assert batch.distance.shape == (4, 32, 32)


# ---- runs ----


def test_resumed_run_is_the_uninterrupted_one(tmp_path, data, monkeypatch):
    monkeypatch.setattr(recipe, "ROW_EVERY", 1)
    whole = run(tmp_path / "whole", data)
    assert whole.total == 4 and whole.net.config.plane_resolution == 128
    for stop in (1, 2, 3):  # within a phase, where the network grows, where the rate begins to fall
        parted = run(tmp_path / "parted", data, steps=stop)
        assert parted.total == stop
    parted = run(tmp_path / "parted", data)
    assert same(parted.net, whole.net) and same(parted.average, whole.average)
    assert not same(whole.net, whole.average)
    curves = [(tmp_path / name / "curve.csv").read_text().split() for name in ("whole", "parted")]
    without_speed = [[row.split(",")[:1] + row.split(",")[2:] for row in rows] for rows in curves]
    assert len(without_speed[0]) == 5 and without_speed[0] == without_speed[1]


def test_a_finished_run_goes_on_from_its_average(tmp_path, data):
    run(tmp_path, data)
    more = (*TINY.phases, Phase("cool", 256, 4, 1e-2, lowest=0.1, again=True))
    held = torch.load(tmp_path / recipe.LAST, weights_only=True)
    trainer = Trainer(dataclasses.replace(TINY, phases=more), tmp_path, data, torch.device("cpu"))
    assert trainer.advance() and trainer.phase == 3 and trainer.step == 0
    assert all(torch.equal(v, held["average"][k]) for k, v in trainer.net.state_dict().items())
    longer = recipe.train(dataclasses.replace(TINY, phases=more), tmp_path, data)
    assert longer.total == 5 and longer.rate < 1e-2 / 10  # warms up
    assert recipe.lengths([5, 6, 7, 8])[3] == dataclasses.replace(recipe.PHASES[-1], images=8, again=True)
    with pytest.raises(ValueError):
        recipe.lengths([5, 6])


def test_a_step_is_a_function_of_seed_and_step(tmp_path, data):
    plan = dataclasses.replace(TINY, mapping_steps=1)
    device = torch.device("cpu")
    trainers = [Trainer(plan, tmp_path / name, data, device) for name in "ab"]
    source = Source(data / "128", TINY.shard)
    source.start(TINY.teacher(128), 1, 8, 1)
    try:
        got = [t.train_step(t.batch(source)) for t in trainers]
        again = trainers[0].train_step(trainers[0].batch(source))
    finally:
        source.stop()
    assert got[0] == got[1] != again


def test_other_plans_are_refused(tmp_path, data):
    run(tmp_path, data, steps=1)
    with pytest.raises(fr.InvalidArgumentError, match="started with"):
        recipe.train(dataclasses.replace(TINY, seed=4), tmp_path, data)
    with pytest.raises(fr.InvalidArgumentError, match="multiple"):
        Trainer(TINY, tmp_path / "x", data, torch.device("cpu"), ranks=3)


def test_rates_warm_up_and_cool():
    phase = Phase("x", 128, 100, 1.0, lowest=0.02)
    rates = [recipe.rate(phase, s, 1000, warm=True) for s in range(1000)]
    assert rates[0] < 0.03 and max(rates) > 0.97 and rates[-1] < 0.03
    assert recipe.rate(Phase("x", 128, 100, 1.0), 900, 1000, warm=False) == 1


# ---- the report ----


def test_report_tells_a_teacher_from_a_fog(batch):
    one = dataclasses.replace(batch)
    good = report.measure(0, batch.picture, perfect(batch), one)
    assert good["psnr"] > 60 and good["ssim"] > 0.99 and good["iou"] > 0.99
    assert good["depth mm"] < 0.01 and good["spread mm"] < 0.2 and good["opacity inside"] > 0.94
    rendered = perfect(batch)
    fog = rendered._replace(
        weights=torch.full_like(rendered.weights, 0.1), depths=torch.linspace(2.4, 3.0, 9).expand_as(rendered.weights)
    )
    bad = report.measure(0, batch.picture, fog, one)
    assert bad["spread mm"] > 50 and bad["opacity outside"] > 0.8 and bad["psnr"] > 60


def test_report_tells_a_moving_face_from_a_still_one():
    truth = torch.randn(3, 8, 8)
    assert report.explained(truth, truth) == pytest.approx(1.0)
    assert report.explained(torch.zeros(3, 8, 8), truth) == pytest.approx(0.0)
    assert report.explained(0.5 * truth, truth) == pytest.approx(0.75)
    assert report.explained(-truth, truth) == pytest.approx(-3.0)


def test_report_of_a_network_that_knows_nothing():
    net = mini.fresh(mini.shipped(mini.config(128)), 0)
    found = report.evaluate(net, report.teacher_of(net), count=2, chunk=2)
    assert found["psnr head"] < 16 and found["mesh score"] < 0.5
    assert abs(found["shuffled psnr head"] - found["psnr head"]) < 2
    assert found["labels"]["skin"]["f1 beside hair"] > 0.9  # no student's business
    assert abs(found["moves jaw"]) < 0.5
