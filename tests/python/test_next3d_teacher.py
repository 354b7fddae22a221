"""The teacher of next3d-mini: a pure function of (seed, index), whose pictures, distances and front views fit one 3D head."""

from __future__ import annotations

import math

import forge_rt as fr
import numpy as np
import pytest
from forge_rt.export.recipes import next3d_teacher as teacher_module
from forge_rt.export.recipes import next3d_teacher_cache as cache
from forge_rt.export.recipes import next3d_teacher_people as people
from forge_rt.export.recipes.next3d_teacher import Teacher, TeacherConfig, TeacherDraw, front_uv, picture, ray_distance
from forge_rt.export.recipes.next3d_teacher_views import BOX_WARP, ORTH_SCALE, ORTH_SHIFT, to_world

SMALL = TeacherConfig(size=64, depth_size=32, plane_size=32)
#: Classes of bare skin: depth there is the mesh's own.
SKIN = (1, 10)


@pytest.fixture(scope="module")
def head():
    return fr.ForgeHead()


@pytest.fixture(scope="module")
def teacher(head):
    return Teacher(head=head)


@pytest.fixture(scope="module")
def small(head):
    return Teacher(SMALL, head)


def neutral(teacher, index, yaw, pitch):
    z = teacher.z(3, index)
    person = people.person(teacher.head, z)
    return teacher.render(TeacherDraw(z, person, person.face, teacher.orbit(yaw, pitch)))


def rays(label, size):
    """spec/next3d §9.1: origin [3] and unit directions [S, S, 3] in the generator's world."""
    pose, k = label[:16].reshape(4, 4).astype(float), label[16:].reshape(3, 3).astype(float)
    x, y = np.meshgrid((np.arange(size) + 0.5) / size, (np.arange(size) + 0.5) / size)
    to = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1) @ pose[:3, :3].T
    return pose[:3, 3], to / np.linalg.norm(to, axis=-1, keepdims=True)


def surface(sample):
    """World points [D, D, 3] that the distances say, and where there are any."""
    distance = ray_distance(sample).astype(float)
    origin, to = rays(sample["camera"], len(distance))
    return origin + distance[..., None] * to, distance > 0


def project(points, label, size):
    """World points [N, 3] → pixels [N, 2] and distances [N]."""
    pose, k = label[:16].reshape(4, 4).astype(float), label[16:].reshape(3, 3).astype(float)
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    pixel = (local[:, :2] / local[:, 2:] * [k[0, 0], k[1, 1]] + k[:2, 2]) * size
    return pixel, np.linalg.norm(local, axis=-1)


# ---- who and where --------------------------------------------------------------------------------------------------


def test_a_sample_is_a_function_of_seed_and_index(small, head):
    batch = small.batch(5, 2, 3)
    assert batch[1].tobytes() == Teacher(SMALL, head).sample(5, 3).tobytes()
    assert batch[0]["z"].tobytes() != batch[1]["z"].tobytes() != small.sample(6, 3)["z"].tobytes()
    larger = Teacher(TeacherConfig(size=128, depth_size=64, plane_size=32), head).sample(5, 3)
    for name in ("z", "camera", "landmarks", "uv", "alpha", "vertices", "background"):
        assert larger[name].tobytes() == batch[1][name].tobytes(), name


def test_views_share_all_but_the_camera(head):
    twins = Teacher(TeacherConfig(size=32, depth_size=16, plane_size=16, views=2), head).batch(1, 4, 3)
    for name in ("z", "vertices", "uv", "background"):
        assert twins[0][name].tobytes() == twins[1][name].tobytes() != twins[2][name].tobytes()
    assert (twins[0]["camera"] != twins[1]["camera"]).any()


def test_numbers_are_independent_standard_normals():
    assert people.PROJECTION.shape == (len(people.NUMBERS), people.Z_DIM)
    np.testing.assert_allclose(people.PROJECTION @ people.PROJECTION.T, np.eye(len(people.NUMBERS)), atol=1e-12)
    z = np.random.default_rng(0).standard_normal((20_000, people.Z_DIM))
    s = people.numbers(z)
    np.testing.assert_allclose(people.numbers(3.7 * z), s, atol=1e-12)  # the length of z does not matter
    np.testing.assert_allclose(np.cov(s.T), np.eye(s.shape[1]), atol=0.05)
    # The projection is part of the definition: a checkpoint's z means these people.
    np.testing.assert_allclose(people.PROJECTION[0, :3], GOLDEN_ROW, atol=1e-12)


GOLDEN_ROW = [-0.0008927896101575961, -0.03027601663173939, -0.07253777314586803]


def test_people_change_smoothly_with_z(head):
    rng = np.random.default_rng(1)
    for z in rng.standard_normal((8, people.Z_DIM)):
        here, there = (people.person(head, z + step * rng.standard_normal(people.Z_DIM)) for step in (0.0, 1e-4))
        np.testing.assert_allclose(here.face.sliders, there.face.sliders, atol=2e-3)
        np.testing.assert_allclose(here.background, there.background, atol=2e-3)
        np.testing.assert_allclose(here.face.light.environment, there.face.light.environment, atol=2e-3)
        assert here.face.appearance.melanin == pytest.approx(there.face.appearance.melanin, abs=2e-3)
    styles = [people.person(head, z).hair_style for z in rng.standard_normal((300, people.Z_DIM))]
    assert min(styles.count(style) for style in people.HAIR_STYLES) > 30


def test_the_lamp_is_a_clamped_cosine(head):
    face = people.person(head, np.random.default_rng(2).standard_normal(people.Z_DIM)).face
    value = dict.fromkeys(people.LOOK, 0.0)
    normals = np.random.default_rng(3).standard_normal((500, 3))
    x, y, z = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).T
    basis = np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], -1)
    seen = []
    for strength in (0.0, 1.0):
        people._light(face, {**value, "light yaw": 35.0, "light pitch": 25.0, "light strength": strength})
        seen.append(basis @ np.reshape(face.light.environment, (9, 3))[:, 1])
    yaw, pitch = math.radians(35), math.radians(25)
    facing = x * math.sin(yaw) * math.cos(pitch) + y * math.sin(pitch) + z * math.cos(yaw) * math.cos(pitch)
    assert np.abs(seen[1] - seen[0] - np.maximum(facing, 0)).max() < 0.1  # of second order


def test_expressions_and_cameras_cover_what_they_should(small):
    lids, jaws, yaws, pitches = [], [], [], []
    face = small.head.neutral()
    shut = small.head.blink_weight(face)
    for index in range(600):
        weights = small.expression(1, index, face)
        assert all(0 <= w <= 1.5 for w in weights.values())
        lids.append(max(weights["blink_left"], weights["blink_right"]) >= 0.85 * shut)
        jaws.append(weights["jaw_open"] >= 0.55)
        view = small.view(1, index)
        yaws.append(math.radians(view.yaw_deg))
        pitches.append(math.radians(view.pitch_deg))
    assert 0.27 < np.mean(np.logical_or(lids, jaws)) < 0.40 and np.mean(lids) > 0.12 and np.mean(jaws) > 0.12
    assert 0.7 < np.max(np.abs(yaws)) <= 0.8 + 1e-9 and 0.35 < np.max(np.abs(pitches)) <= 0.4 + 1e-9
    assert 0.3 < np.std(yaws) < 0.45


# ---- what it looks like ---------------------------------------------------------------------------------------------


def test_pictures_are_foreground_over_a_plain_background(small):
    sample = small.sample(1, 5)
    image, coverage = picture(sample), sample["coverage"]
    assert image.shape == (64, 64, 3) and image.min() >= 0 and image.max() <= 1
    assert (image[coverage == 0] == sample["background"] / np.float32(255)).all()
    assert (sample["foreground"][coverage == 0] == 0).all() and (sample["classes"][coverage == 0] == 0).all()
    assert (sample["classes"][coverage == 255] > 0).all()
    assert set(np.unique(coverage)) <= {0, 64, 128, 191, 255}
    assert {1, 10, 17} <= set(np.unique(sample["classes"]))


@pytest.mark.parametrize("index", [0, 1])
def test_distances_lead_to_the_mesh(teacher, index):
    sample = teacher.sample(4, index)
    points, hit = surface(sample)
    classes = sample["classes"].reshape(128, 2, 128, 2)
    plain = np.isin(classes, SKIN).all((1, 3)) & hit & (sample["coverage"].reshape(128, 2, 128, 2) == 255).all((1, 3))
    chosen = points[plain][:: max(plain.sum() // 400, 1)]
    off_mm = distance_to_mesh(chosen, to_world(sample["vertices"]), teacher.topology.triangles) / 2.5 * 1e3
    assert len(chosen) > 150 and np.quantile(off_mm, 0.98) < 1.0 and np.median(off_mm) < 0.02  # the rest: strands


def distance_to_mesh(points, vertices, triangles):
    """Of each point to the nearest of the 60 triangles around it."""
    out = []
    corners = vertices[triangles].astype(float)
    middle = corners.mean(1)
    for p in points:
        near = np.argsort(((middle - p) ** 2).sum(1))[:60]
        a, b, c = np.moveaxis(corners[near], 1, 0)
        normal = np.cross(b - a, c - a)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        foot = p - ((p - a) * normal).sum(1, keepdims=True) * normal
        inside = np.ones(len(near), bool)
        best = np.full(len(near), np.inf)
        for s, e in ((a, b), (b, c), (c, a)):
            inside &= (np.cross(e - s, foot - s) * normal).sum(1) >= 0
            t = np.clip(((p - s) * (e - s)).sum(1) / np.maximum(((e - s) ** 2).sum(1), 1e-18), 0, 1)
            best = np.minimum(best, np.linalg.norm(p - s - t[:, None] * (e - s), axis=1))
        out.append(np.where(inside, np.linalg.norm(p - foot, axis=1), best).min())
    return np.array(out)


def test_a_point_has_one_colour_from_everywhere(teacher):
    errors = {"skin": [], "eyes": []}
    for index in range(3):
        here = neutral(teacher, index, 0, 0)
        points, hit = surface(here)
        classes = here["classes"].reshape(128, 2, 128, 2)[:, 0, :, 0]
        color = here["foreground"].reshape(128, 2, 128, 2, 3).mean((1, 3))
        for yaw, pitch in ((26, 8), (-40, -15)):
            there = neutral(teacher, index, yaw, pitch)
            pixel, distance = project(points[hit], there["camera"], 256)
            column, row = np.clip(np.floor(pixel).astype(int), 0, 255).T
            # Mean colours of blocks around the point that are skin throughout and lie at its distance.
            close = np.abs(ray_distance(there)[row // 2, column // 2] - distance) < 0.004
            for name, wanted in (("skin", SKIN), ("eyes", (4, 5))):
                ok = close & np.isin(classes[hit], wanted) & np.isin(there["classes"][row, column], wanted)
                x, y = pixel[ok].T - 0.5
                errors[name].append(np.abs(bilinear(there["foreground"], x, y) - color[hit][ok]).mean(-1))
    skin, eyes = (np.concatenate(errors[name]) for name in ("skin", "eyes"))
    assert len(skin) > 10_000 and np.median(skin) < 1.0 and skin.mean() < 3.5  # the rest is hair and edges beside it
    if teacher.matte:
        assert np.median(eyes) < 6.0


def bilinear(image, x, y):
    size = len(image)
    x, y = np.clip(x, 0, size - 1.001), np.clip(y, 0, size - 1.001)
    c, r = x.astype(int), y.astype(int)
    fx, fy = (x - c)[:, None], (y - r)[:, None]
    top = image[r, c] * (1 - fx) + image[r, c + 1] * fx
    return top * (1 - fy) + (image[r + 1, c] * (1 - fx) + image[r + 1, c + 1] * fx) * fy


def test_everything_lies_in_the_box_and_heads_are_whole(small):
    for index in range(12):
        sample = small.sample(9, index)
        points, hit = surface(sample)
        assert hit.mean() > 0.15
        assert np.abs(points[hit]).max() <= BOX_WARP / 2 + 0.01  # distances at edges are means of four samples
        assert ray_distance(sample)[hit].min() > 2.35 and ray_distance(sample)[hit].max() < 3.05
        front = to_world(sample["vertices"])
        front = front[front[:, 2] > 0.1]  # all of the face, chin and open jaw included
        assert front[:, 1].min() > to_world(np.array([0, teacher_module.CUT_Y_M, 0]))[1]
    for yaw in (-45.8, 0, 45.8):  # no head reaches the border of the sheet's views, but for a tuft
        border = neutral(small, 2, yaw, 0)["coverage"]
        assert max(border[0].max(), border[:, 0].max(), border[:, -1].max(), border[-1].max()) == 0


def test_low_cameras_see_a_closed_neck(small):
    low, level = neutral(small, 1, 0, -22.9), neutral(small, 1, 0, 0)
    cut = (np.abs(low["foreground"].astype(int) - teacher_module.CUT_COLOR).max(-1) < 2) & (low["coverage"] == 255)
    assert cut.sum() > 20 and (low["classes"][cut] == teacher_module.NECK).all()
    points, hit = surface(low)
    at = points[hit & cut.reshape(32, 2, 32, 2).all((1, 3))][:, 1]
    np.testing.assert_allclose(at, to_world(np.array([0, teacher_module.CUT_Y_M, 0]))[1], atol=0.004)
    assert not (np.abs(level["foreground"].astype(int) - teacher_module.CUT_COLOR).max(-1) < 2)[
        level["coverage"] == 255
    ].any()


# ---- what the generator is shown ------------------------------------------------------------------------------------


def test_front_view_against_brute_force(small):
    """spec/next3d §6 with the world of the teacher, in plain NumPy."""
    topology, size = small.topology, 32
    sample = small.sample(2, 1)
    vertices = sample["vertices"].astype(np.float32)
    x = ORTH_SCALE * (vertices[:, 0] + ORTH_SHIFT[0])
    y = ORTH_SCALE * (vertices[:, 1] - ORTH_SHIFT[1])
    z = 10 - ORTH_SCALE * (vertices[:, 2] + ORTH_SHIFT[2])
    # The planes are sampled with world coordinates over half the box.
    world = to_world(vertices) * (2 / BOX_WARP)
    np.testing.assert_allclose(np.stack([x, y], -1), world[:, :2], atol=1e-5)

    centre = (2 * np.arange(size) + 1) / size - 1
    px, py = np.meshgrid(-centre, -centre)  # published axes: X left, Y up
    best, uv = np.full((size, size), np.inf), np.zeros((size, size, 2))
    for corner in topology.triangles[:, [0, 2, 1]]:
        (ax, bx, cx), (ay, by, cy) = -x[corner], -y[corner]

        def edge(qx, qy, rx, ry, sx, sy):
            return (qx - rx) * (sy - ry) - (qy - ry) * (sx - rx)

        area = edge(cx, cy, ax, ay, bx, by)
        if area <= 1e-8:
            continue
        w = [edge(px, py, bx, by, cx, cy), edge(px, py, cx, cy, ax, ay), edge(px, py, ax, ay, bx, by)]
        w = np.stack(w, -1) / (area + 1e-8)
        depth = w @ z[corner]
        won = (w > 0).all(-1) & (depth < best)
        best[won] = depth[won]
        uv[won] = w[won] @ topology.grid[corner]
    visible = np.isfinite(best)

    stored = front_uv(sample)
    same = np.abs(stored - uv).max(-1) < 2e-3
    assert (~same).sum() <= 4  # centres within a rounding of an edge
    alpha = np.round(python_fill(texture(topology.face_mask, uv) * visible) * 255)
    assert (np.abs(alpha - sample["alpha"]) > 2).sum() <= 4
    assert 0.1 < (sample["alpha"] == 255).mean() < 0.5 and sample["alpha"][0, 0] == 0

    lips = sample["landmarks"][48:60].astype(float)
    lx, ly = (
        (ORTH_SCALE * (lips[:, 0] + ORTH_SHIFT[0]) + 1) * size / 2,
        (ORTH_SCALE * (lips[:, 1] - ORTH_SHIFT[1]) + 1) * size / 2,
    )
    half = int(1.2 * max(np.ptp(lx), np.ptp(ly))) // 2
    mx, my = (lx[0] + lx[6]) / 2, (ly[0] + ly[6]) / 2
    assert sample["mouth_box"].tolist() == [int(my - half), int(my + half), int(mx - half), int(mx + half)]


def texture(mask, grid):
    """Bilinear, zero padding, align_corners=False."""
    size = len(mask)
    padded = np.pad(mask, 2)
    x, y = (np.clip(((grid[..., k] + 1) * size - 1) / 2, -1.5, size + 0.5) + 2 for k in (0, 1))
    c, r = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - c, y - r
    return (padded[r, c] * (1 - fx) + padded[r, c + 1] * fx) * (1 - fy) + (
        padded[r + 1, c] * (1 - fx) + padded[r + 1, c + 1] * fx
    ) * fy


def python_fill(alpha):
    """§6.4: what a flood from (0, 0) does not reach becomes 1."""
    accepted, reached, stack = 255 * alpha <= 254, np.zeros(alpha.shape, bool), [(0, 0)]
    while stack:
        at = stack.pop()
        if reached[at] or not accepted[at]:
            continue
        reached[at] = True
        for step in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            to = (at[0] + step[0], at[1] + step[1])
            if 0 <= to[0] < len(alpha) and 0 <= to[1] < len(alpha):
                stack.append(to)
    return np.where(reached, alpha, 1.0)


# ---- on the disk ----------------------------------------------------------------------------------------------------

TINY = TeacherConfig(size=16, depth_size=8, plane_size=16, vertices=False)


def test_cache_resumes_to_the_same_bytes_and_may_be_shared(head, tmp_path):
    teacher = Teacher(TINY, head)
    assert cache.write(teacher, tmp_path / "a", seed=3, count=7, shard=3) == 9
    assert cache.write(teacher, tmp_path / "a", seed=3, count=7, shard=3) == 0
    first = (tmp_path / "a" / "shard-000001.npy").read_bytes()
    (tmp_path / "a" / "shard-000001.npy").unlink()
    assert cache.write(teacher, tmp_path / "a", seed=3, count=7, shard=3) == 3
    assert (tmp_path / "a" / "shard-000001.npy").read_bytes() == first
    for part in (1, 0):
        cache.write(teacher, tmp_path / "b", seed=3, count=7, shard=3, part=part, parts=2)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    with pytest.raises(fr.InvalidArgumentError, match=r"made otherwise \(seed\)"):
        cache.write(teacher, tmp_path / "a", seed=4, count=7, shard=3)


def test_cache_is_read_while_it_grows(head, tmp_path):
    teacher = Teacher(TINY, head)
    with pytest.raises(fr.NotFoundError, match="holds no teacher's samples"):
        cache.TeacherCache(tmp_path)
    cache.write(teacher, tmp_path, seed=3, count=2, shard=2)
    reader = cache.TeacherCache(tmp_path)
    (tmp_path / ".shard-000001.npy.0123abcd").write_bytes(b"half a fi")  # being written
    assert reader.refresh() == 2
    cache.write(teacher, tmp_path, seed=3, count=6, shard=2, part=2, parts=3)  # shard 2, before shard 1
    assert reader.refresh() == 4
    assert reader[3].tobytes() == teacher.sample(3, 5).tobytes()
    rows = reader.gather([3, 0], ["z", "foreground"])
    assert rows["z"].shape == (2, 64) and rows["foreground"].shape == (2, 16, 16, 3)
    assert rows["z"][1].tobytes() == teacher.z(3, 0).tobytes()
    with pytest.raises(IndexError):
        reader[4]


def test_sheet(head, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="pictures need the extra 'export' (opencv-python-headless)")
    from forge_rt.export.recipes import next3d_teacher_sheet

    next3d_teacher_sheet.write(Teacher(SMALL, head), tmp_path / "sheet.png", identities=1)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (64, 64 * 14, 3)


def test_wrong_sizes_are_refused():
    with pytest.raises(fr.InvalidArgumentError, match="depth_size must divide size"):
        Teacher(TeacherConfig(size=100, depth_size=64))
    with pytest.raises(fr.InvalidArgumentError, match="views must be >= 1"):
        Teacher(TeacherConfig(views=0))
