"""Annotations from the mesh: against ForgeHead's own renderer, against plain NumPy, and what must not matter."""

from __future__ import annotations

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import labels
from forge_rt.annotation import PRESETS, SYNTHFORGE_ALIGNMENT, Acceptance, MeshAnnotator, MeshLabels, World, compat
from forge_rt.annotation import labels as mesh_labels
from forge_rt.annotation.annotator import _in_polygon
from forge_rt.annotation.world import NEXT3D_MINI_WORLD, SYNTHFORGE_WORLD, Cameras, apply, compose

WORLD = NEXT3D_MINI_WORLD
PLAIN = {
    "clothes": "bare", "hair": "none", "brows": "natural", "beard": "none", "glasses": "none", "hat": "none", "occluder": "none",
    "lashes": "none", "necklace": "none", "earrings": "none", "nose": "average", "ears": "average",
}  # fmt: skip


@pytest.fixture(scope="module")
def head():
    return fr.ForgeHead()


@pytest.fixture(scope="module")
def annotator(head):
    return MeshAnnotator.for_forge_head(head)


@pytest.fixture(scope="module")
def faces(head):
    out = [head.face(head.sample(1, i), options=PLAIN) for i in range(4)]
    for face in out:
        face.habit.brow_margin_m = 0.0
    return out


@pytest.fixture(scope="module")
def mesh(head, faces):
    made = head.mesh(faces)
    return np.asarray(made.vertices), np.asarray(made.landmarks)


def cameras(size: int = 192) -> list[fr.Camera]:
    poses = ((0, 0, 14), (30, 10, 18), (-40, 20, 14), (10, -20, 9))
    return [
        fr.camera.orbit(yaw_deg=y, pitch_deg=p, fov_deg=f, origin_m=(0, 0.025, -0.04), size=size) for y, p, f in poses
    ]


def labels25(size: int = 192, world: World = WORLD) -> np.ndarray:
    return fr.camera.labels25(cameras(size), world.scale, world.shift)


# ---- ForgeHead ------------------------------------------------------------------------------------------------------


def test_agrees_with_the_renderer(head, annotator, faces, mesh):
    """Classes of the bare head but for single strands of brows, and the same depth, normals and landmarks."""
    seen = annotator.annotate(*mesh, labels25(), 192, normals=True)
    drawn = head.render(faces, cameras(), layers=True, normals=True, supersample=1)
    bare, depth = np.asarray(drawn.layers)[:, 1], np.asarray(drawn.depth_m)
    covered = seen.depth_m > 0
    for got, want, where in zip(seen.segmentation, bare, covered, strict=True):
        assert (got != want)[where].mean() < 0.004
        assert {*np.unique(got[where])} >= {1, 2, 3, 4, 5, 10, 12, 13, 14}
    assert (seen.segmentation[~covered] == 0).all()
    off = np.abs(seen.depth_m - depth)[covered & (depth > 0)]
    assert (
        np.median(off) < 2e-6 and (off > 1e-4).mean() < 0.03
    )  # strands of brows and the torso lie in front of the skin
    assert seen.normals is not None
    turned = 1 - np.einsum("bijk,bijk->bij", seen.normals, np.asarray(drawn.normals))[covered & (depth > 0)]
    assert np.median(turned) < 1e-5
    np.testing.assert_allclose(np.linalg.norm(seen.normals[covered], axis=-1), 1, atol=1e-5)
    assert (seen.normals[covered][:, 2] < 0.2).mean() > 0.99  # towards the camera
    np.testing.assert_allclose(seen.landmarks, np.asarray(drawn.landmarks), atol=1e-3)
    np.testing.assert_allclose(seen.landmarks_camera_m, np.asarray(drawn.landmarks_camera_m), atol=1e-6)
    np.testing.assert_allclose(seen.landmarks_head_m, np.asarray(drawn.landmarks_head_m), atol=1e-6)
    assert (seen.visibility != np.asarray(drawn.visibility)).sum() <= 3


def test_metres_do_not_depend_on_the_world(annotator, head, mesh):
    """Another scale and shift of the generator's units, with cameras that go along: the same annotations."""
    world = World(4.0, (0.3, -0.1, 0.2))
    other = MeshAnnotator.for_forge_head(head, world=world)
    a = annotator.annotate(*mesh, labels25(), 192)
    b = other.annotate(*mesh, labels25(192, world), 192)
    assert (a.segmentation != b.segmentation).mean() < 1e-3
    both = (a.depth_m > 0) & (b.depth_m > 0)
    assert np.median(np.abs(a.depth_m - b.depth_m)[both]) < 1e-6
    np.testing.assert_allclose(a.landmarks, b.landmarks, atol=1e-3)
    np.testing.assert_allclose(a.landmarks_head_m, b.landmarks_head_m, atol=1e-6)


def test_records_project_to_their_landmarks(head, mesh):
    """Under any alignment the head frame of the record is the one its camera is in."""
    turned = compose([[1.01, 0.03, 0, 0.02], [-0.03, 0.98, 0.05, 0.03], [0, -0.05, 1.0, -0.01]], WORLD.matrix)
    seen = MeshAnnotator.for_forge_head(head, turned).annotate(*mesh, labels25(), 192)
    for k, view in enumerate(cameras()):
        pixels, depth = fr.camera.project(seen.landmarks_head_m[k].astype(float), view)
        np.testing.assert_allclose(pixels, seen.landmarks[k], atol=2e-3)
        np.testing.assert_allclose(depth, seen.landmarks_camera_m[k, :, 2], atol=1e-6)


@pytest.mark.parametrize("mode", ["exact", "compat"])
def test_batch_and_threads_do_not_matter(head, mesh, mode, set_threads):
    annotator = MeshAnnotator.for_forge_head(head, mode=mode)
    whole = annotator.annotate(*mesh, labels25(), 97, normals=True)
    set_threads(1)
    for k in (3, 0):
        one = annotator.annotate(mesh[0][k], mesh[1][k], labels25()[k], 97, normals=True)
        for name in ("segmentation", "depth_m", "normals", "landmarks", "visibility", "landmarks_camera_m"):
            assert np.array_equal(getattr(whole, name)[k], getattr(one, name)[0]), name
    assert np.array_equal(annotator.depth_m(mesh[0], labels25(), 97), whole.depth_m)
    placed = annotator.placement(*mesh, labels25(), 97)
    for name in ("depth_m", "landmarks", "visibility", "landmarks_camera_m"):
        assert np.array_equal(getattr(placed, name), getattr(whole, name)), name


def test_one_camera_for_all_and_none(annotator, mesh):
    seen = annotator.annotate(*mesh, labels25()[:1], 64)
    assert len(seen) == 4 and np.array_equal(
        seen.segmentation[0], annotator.annotate(*mesh, labels25()[[0] * 4], 64).segmentation[0]
    )
    empty = annotator.annotate(mesh[0][:0], mesh[1][:0], labels25()[:0], 64)
    assert empty.segmentation.shape == (0, 64, 64) and empty.landmarks.shape == (0, 68, 2)


def test_bounds_cut_the_mesh(head, annotator, mesh):
    low, high = np.array([-0.35, -0.25, -0.35]), np.array([0.35, 0.35, 0.35])
    cut = MeshAnnotator.for_forge_head(head, bounds=[low, high]).annotate(*mesh, labels25(), 128)
    whole = annotator.annotate(*mesh, labels25(), 128)
    at = Cameras.of(labels25())
    back = np.swapaxes(at.world_to_camera[:, :, :3], 1, 2)
    inside = at.rays(128) * whole.depth_m[..., None] * WORLD.scale - at.world_to_camera[:, None, None, :, 3]
    world = np.einsum("bij,bhwj->bhwi", back, inside)
    want = ((world > low) & (world < high)).all(-1) & (whole.depth_m > 0)
    got = cut.depth_m > 0
    assert (got != want).mean() < 1e-3 and 0 < got.sum() < (whole.depth_m > 0).sum()
    assert (cut.segmentation[~got] == 0).all()


def test_behind_open_lips_is_the_mouth(head):
    """A head without anything inside of its mouth, as FLAME's is: what shows there is the inside of its back."""
    made = mesh_labels.forge_head_labels()
    keep = ~np.isin(made.face_labels, [11])  # bag, teeth, tongue
    hollow = MeshLabels(
        "hollow", made.vertices, np.ascontiguousarray(made.triangles[keep]), made.face_labels[keep], made.uv,
        np.ascontiguousarray(made.uv_triangles[keep]), made.semantic_uv, made.names, made.background, made.colors,
    )  # fmt: skip
    face = head.face(expression={"jaw_open": 1.0})
    mesh = head.mesh(face)
    counts = []
    for mode in ("compat", "exact"):
        seen = MeshAnnotator(hollow, WORLD.matrix, mode=mode, world=WORLD).annotate(
            mesh.vertices, mesh.landmarks, labels25()[:1], 192
        )
        inner = _in_polygon(
            np.stack(np.meshgrid(*[np.arange(192) + 0.5] * 2), -1).reshape(-1, 2), np.repeat(seen.landmarks[:, 60:], 192 * 192, 0)
        )  # fmt: skip
        counts.append((seen.segmentation.ravel()[inner] == 11).mean())
        assert (seen.segmentation.ravel()[~inner] == 11).mean() < 0.01
    assert counts[0] < 0.4 and counts[1] > 0.9


# ---- label maps -----------------------------------------------------------------------------------------------------


def palette_picture(size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Vertical stripes of all colours with one column of mixtures between them, and their classes."""
    ids = {name: i for i, name in labels.names("synthforge").items()}
    colors = list(mesh_labels.TEXTURE_CLASSES)
    stripe = np.minimum(np.arange(size) * len(colors) // size, len(colors) - 1)
    row = np.array(colors, np.uint8)[stripe]
    edge = np.flatnonzero(np.diff(stripe)) + 1
    row[edge] = ((row[edge].astype(int) + row[edge - 1]) // 2).astype(np.uint8)
    names = [mesh_labels.TEXTURE_CLASSES[c] for c in colors]
    classes = np.array([255 if names[k] is None else ids[names[k]] for k in stripe])
    return np.repeat(row[None], size, 0), classes


def flame_like():
    """The golden head-like mesh as a FLAME-format head without shapes."""
    from pathlib import Path

    data = dict(np.load(Path(__file__).parents[1] / "golden" / "next3d" / "synthforge.npz"))
    count = data["v"].shape[1] - 68
    head = fr.Head(
        v_template=data["v"][0, :count], faces=data["template_faces"].astype(np.int32), shapedirs=np.zeros((count, 3, 2), np.float32),
        J_regressor=np.full((1, count), 1 / count, np.float32), weights=np.ones((count, 1), np.float32), parents=[-1], n_shape=1,
    )  # fmt: skip
    return head, data


def bundle_arrays(data):
    """As checkpoints have them."""
    uv = data["template_uv"]
    return {
        "faces": data["template_faces"][None],
        "uvfaces": data["template_uvfaces"][None],
        "uvcoords": np.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1], np.ones(len(uv))], -1)[None],
    }


def flame_annotator(mode="exact", texture=None):
    head, data = flame_like()
    template = bundle_arrays(data)
    picture = palette_picture()[0] if texture is None else texture
    return MeshAnnotator.for_flame(head, picture, SYNTHFORGE_ALIGNMENT, template=template, mode=mode), data


def test_the_published_map_becomes_classes():
    picture, want = palette_picture()
    made = flame_annotator()[0].labels
    row = made.semantic_uv[100]
    stripes = np.split(np.arange(256), np.flatnonzero(np.diff(want)) + 1)
    for stripe in stripes:
        if want[stripe[0]] != 255:
            assert (row[stripe[2:-2]] == want[stripe[0]]).all()
    assert (made.semantic_uv == made.semantic_uv[:1]).all() and 255 not in made.semantic_uv
    for k in np.flatnonzero(
        (np.abs(picture[0, :, None].astype(int) - np.array(list(mesh_labels.TEXTURE_CLASSES))).sum(-1)).min(1) > 24
    ):
        assert row[k] in (row[k - 1], row[k + 1])  # no class between two others
    assert set(mesh_labels.TEXTURE_CLASSES.values()) - {None} == set(made.names.values())


def test_compat_colours_mix_and_exact_labels_do_not():
    annotator, data = flame_annotator("compat")
    vertices, landmarks = data["v"][:, :-68], data["v"][:, -68:]
    depth = np.linspace(2.3, 3.2, 128 * 128).reshape(1, 1, 128, 128)
    seen = annotator.annotate(vertices, landmarks, data["c"], 256, ray_depth=depth)
    palette = np.array([*mesh_labels.TEXTURE_CLASSES, (255, 255, 255)])
    off = np.abs(seen.colors.reshape(-1, 1, 3).astype(int) - palette).sum(-1).min(1)
    assert 0.001 < (off > 8).mean() < 0.5  # mixtures at borders of classes
    assert (seen.colors[seen.depth_m == 0] == 255).all()
    assert seen.depth8.shape == (1, 128, 128) and seen.depth8.min() == 0 and seen.depth8.max() == 255
    np.testing.assert_allclose(seen.depth8_range, [[2.3, 3.2]], atol=1e-6)
    assert (seen.segmentation[seen.depth_m == 0] == 19).all()
    exact = flame_annotator()[0].annotate(vertices, landmarks, data["c"], 256, ray_depth=depth)
    assert exact.colors is None and exact.depth8 is None
    np.testing.assert_array_equal(exact.landmarks, seen.landmarks)  # published landmarks use the image's camera


@pytest.mark.parametrize("fov, percent", [(18.0, 0.39), (24.0, 0.71)])
def test_compat_masks_are_as_much_larger_as_published(annotator, head, mesh, fov, percent):
    view = fr.camera.orbit(fov_deg=fr.camera.fov_from_published(fov), origin_m=(0, 0.025, -0.04), size=1024)
    label = view.label25(WORLD.scale, WORLD.shift)
    at = Cameras.of(label)
    np.testing.assert_allclose(at.fov_published_deg, fov, rtol=1e-6)
    points = at.to_camera(annotator.align(mesh[0][:1]))
    exact, wide = (clip[..., :2] / clip[..., 3:] for clip in (at.clip(points), compat.label_clip(at, points)))
    off_centre = np.abs(exact) > 0.05
    np.testing.assert_allclose(wide[off_centre] / exact[off_centre], 1 + percent / 100, atol=6e-5)
    np.testing.assert_allclose(
        1 / np.tan(np.radians(fr.camera.fov_from_published(fov, "compat")) / 2),
        wide[0, 0, 0] * points[0, 0, 2] / points[0, 0, 0],
    )


def test_published_bytes():
    flat, span = compat.depth_bytes(np.full((1, 1, 4, 4), 2.7))
    assert (flat == 0).all() and span.tolist() == [[np.float32(2.7)] * 2]


def test_alignment_as_specified():
    """The published steps in the published order, with the collapsed weights of the specification."""
    p = np.random.default_rng(0).normal(size=(1, 20, 3)) * 0.1
    q = (p + np.array([0, -0.01, -0.01])) * 2.5 + np.array([0, 0, np.sqrt(2) / 10])
    a = np.array([[1.0196, 0.0057, -0.0197], [-0.0199, 0.9694, -0.0098], [0.0072, 0.0797, 0.9880]])
    np.testing.assert_allclose(apply(SYNTHFORGE_ALIGNMENT, p), q @ a.T + [0.0011, 0.0487, -0.0142], atol=1e-12)
    np.testing.assert_allclose(apply(SYNTHFORGE_WORLD.matrix, p), q, atol=1e-12)
    assert np.allclose(np.linalg.svd(a, compute_uv=False), [1.027, 1.009, 0.944], atol=2e-3)


def test_templates(tmp_path):
    head, data = flame_like()
    faces, uv_faces = data["template_faces"] + 1, data["template_uvfaces"] + 1
    lines = [f"v {x} {y} {z}" for x, y, z in data["v"][0, :-68]] + [f"vt {u} {v}" for u, v in data["template_uv"]]
    lines += [
        "f " + " ".join(f"{a}/{b}" for a, b in zip(f, g, strict=True)) for f, g in zip(faces, uv_faces, strict=True)
    ]
    (tmp_path / "template.obj").write_text("\n".join(lines))
    made = MeshAnnotator.for_flame(head, palette_picture()[0], SYNTHFORGE_ALIGNMENT, template=tmp_path / "template.obj")
    np.testing.assert_array_equal(made.labels.uv_triangles, data["template_uvfaces"])
    same = MeshAnnotator.for_flame(head, palette_picture()[0], SYNTHFORGE_ALIGNMENT, template=bundle_arrays(data))
    np.testing.assert_allclose(same.labels.uv, made.labels.uv, atol=1e-6)
    (tmp_path / "other.obj").write_text("\n".join(lines[:-1]))
    with pytest.raises(
        fr.InvalidArgumentError, match=r"other\.obj has 5023 vertices and 9951 triangles, the head has 5023 and 9952"
    ):
        MeshAnnotator.for_flame(head, palette_picture()[0], SYNTHFORGE_ALIGNMENT, template=tmp_path / "other.obj")
    for text, reason in (
        ("f 1/1 2/2 x/3", "not a template"),
        ("v 0 0 0", "no triangles"),
        ("f 1/1 2/2 3/3 4/4", "4 corners"),
    ):
        (tmp_path / "bad.obj").write_text(text)
        with pytest.raises(fr.CorruptFileError, match=reason):
            mesh_labels.read_obj_uv(tmp_path / "bad.obj")


# ---- what is refused ------------------------------------------------------------------------------------------------


def test_another_topology_is_one_clear_error(annotator, mesh, head):
    _, data = flame_like()
    with pytest.raises(
        fr.InvalidArgumentError, match=r"\[B, 3935, 3\] of head 'forgehead', got \[1, 5023, 3\].*another head"
    ):
        annotator.annotate(data["v"][:, :-68], data["v"][:, -68:], data["c"])
    flame, data = flame_like()
    with pytest.raises(
        fr.InvalidArgumentError,
        match=r"bundle has other vertices and 7556 triangles, the head has 5023 and 9952.*different heads",
    ):
        other = {**bundle_arrays(data), "faces": annotator.labels.triangles}
        MeshAnnotator.for_flame(flame, palette_picture()[0], SYNTHFORGE_ALIGNMENT, template=other)
    with pytest.raises(fr.InvalidArgumentError, match="uvcoords is missing"):
        MeshAnnotator.for_flame(
            flame, palette_picture()[0], SYNTHFORGE_ALIGNMENT, template={"faces": flame.faces, "uvfaces": flame.faces}
        )


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(landmarks=np.zeros((4, 51, 3))), r"landmarks must be \[4, 68, 3\]"),
        (dict(cameras=np.zeros((3, 25))), r"cameras must be \[4, 25\]|no rigid pose"),
        (dict(cameras=np.zeros((4, 16))), r"\[B, 25\], got \[4, 16\]"),
        (dict(cameras=np.full((4, 25), np.nan)), "finite"),
        (dict(cameras=np.zeros((4, 25))), "camera 0 is no rigid pose"),
        (dict(size=0), "size must be 1..8192"),
    ],
)
def test_wrong_arguments(annotator, mesh, change, reason):
    arguments = {"vertices": mesh[0], "landmarks": mesh[1], "cameras": labels25(), "size": 32} | change
    with pytest.raises(fr.InvalidArgumentError, match=reason):
        annotator.annotate(**arguments)


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(mode="exakt"), "mode must be one of exact, compat"),
        (dict(alignment=np.eye(4)), r"\[3, 4\] map"),
        (dict(alignment=np.diag([1, 1, -1, 0])[:3]), "must not mirror"),
        (dict(bounds=[[0, 0, 0], [1, -1, 1]]), "lower corner"),
        (dict(brows="bushiest"), "brows must be one of"),
        (dict(bundle="/nowhere"), "no ForgeHead bundle"),
    ],
)
def test_wrong_options(head, change, reason):
    with pytest.raises(fr.ForgeError, match=reason):
        MeshAnnotator.for_forge_head(head, **change)


def test_wrong_pictures(tmp_path):
    head, data = flame_like()
    template = bundle_arrays(data)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    for picture, error, reason in (
        (np.full((16, 16, 3), 77, np.uint8), fr.InvalidArgumentError, "none of the palette's colours"),
        (np.zeros((16, 16), np.uint8), fr.InvalidArgumentError, "uint8 RGB"),
        (tmp_path / "bad.png", fr.CorruptFileError, "not a readable picture"),
        (tmp_path / "missing.png", fr.NotFoundError, "no file"),
    ):
        with pytest.raises(error, match=reason):
            MeshAnnotator.for_flame(head, picture, SYNTHFORGE_ALIGNMENT, template=template)


# ---- agreement and acceptance ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def volume(annotator, mesh):
    """A volume that lies on the mesh."""
    depth = annotator.depth_m(mesh[0], labels25(), 128)
    return depth, (depth > 0).astype(np.float32)


def test_a_perfect_volume(annotator, mesh, volume):
    score = annotator.agreement(*mesh, labels25(), volume[0][:, None], volume[1][:, None])
    assert (
        (score.depth_m == 0).all()
        and (score.missing == 0).all()
        and (score.iou == 1).all()
        and (score.score == 1).all()
    )
    assert (score.landmark_m < 0.004).all()
    assert Acceptance().reasons(score) == [None] * 4
    assert score.row(1)["iou"] == 1.0


def test_what_is_wrong_is_said(annotator, mesh, volume):
    depth, opacity = volume[0].copy(), volume[1].copy()
    depth[0] += 0.009
    opacity[1, :, :60] = 0
    opacity[2] = 0
    depth[3][depth[3] > 0] += 0.0185  # allowed below, but for the landmarks
    score = annotator.agreement(*mesh, labels25(), depth, opacity)
    reasons = Acceptance(landmark_m=0.006).reasons(score)
    assert reasons[0] == "9.0 mm between mesh and volume, 8 are allowed"
    assert (
        reasons[1].endswith("% of the mesh is beside the head, 5% of the mesh are allowed")
        or "beside the head" in reasons[1]
    )
    assert reasons[2] == "mesh and volume do not meet inside of the face"
    assert "between landmarks and volume" in Acceptance(depth_m=0.03).reasons(score)[3]
    assert Acceptance(None, None, None).reasons(score)[:2] == [None, None]
    assert score.score[2] == 0 and 0 < score.score[0] < 0.6
    assert score.row(2)["depth_m"] is None


def test_hair_in_front_does_not_reject(annotator, mesh, volume):
    """A volume that is thicker where hair is: above and beside the face."""
    depth = volume[0].copy()
    seen = annotator.annotate(*mesh, labels25(), 128)
    from forge_rt.annotation.agreement import face_region

    hair = ~face_region(seen.landmarks, 128) & (depth > 0)
    depth[hair] -= 0.02
    score = annotator.agreement(*mesh, labels25(), depth, volume[1])
    assert (score.depth_m < 1e-3).all() and (score.depth_all_m > 1e-3).any()
    assert Acceptance().reasons(score) == [None] * 4


def test_a_detector_rejects(annotator, mesh, volume):
    score = annotator.agreement(*mesh, labels25(), *volume)
    seen = annotator.annotate(*mesh, labels25(), 256)
    images = np.zeros((4, 256, 256, 3), np.uint8)
    images[:, 0, 0, 0] = range(4)
    asked = []

    def detector(image):
        k = int(image[0, 0, 0])
        asked.append(k)
        return None if k == 1 else seen.landmarks[k] + (3.0 if k == 2 else 4.0 if k == 3 else 0.0)

    reasons = Acceptance().reasons(score, landmarks=seen.landmarks, images=images, detector=detector)
    # 3 · √2 pixels of 256 are 8.5 of 512, 4 · √2 are 11.3
    assert reasons == [
        None,
        "the detector finds no face",
        None,
        "landmarks are 11.3 px from the detector's, 11 are allowed",
    ]
    assert asked == [0, 1, 2, 3]
    assert Acceptance(detector_px=None).reasons(score, detector=detector) == [None] * 4
    with pytest.raises(fr.InvalidArgumentError, match="a detector needs images"):
        Acceptance().reasons(score, detector=detector)
    with pytest.raises(fr.InvalidArgumentError, match=r"must return \[68, 2\]"):
        Acceptance().reasons(score, landmarks=seen.landmarks, images=images, detector=lambda _: np.zeros((5, 2)))


def test_volumes_of_another_shape_are_refused(annotator, mesh):
    with pytest.raises(fr.InvalidArgumentError, match="must be alike"):
        annotator.agreement(*mesh, labels25(), np.ones((4, 64, 64)), np.ones((4, 32, 32)))
    with pytest.raises(fr.InvalidArgumentError, match=r"\[B, 1, D, D\]"):
        annotator.agreement(*mesh, labels25(), np.ones((4, 64, 32)), np.ones((4, 64, 32)))


# ---- presets --------------------------------------------------------------------------------------------------------


def test_presets_are_pure_functions():
    sampler = PRESETS["synthforge-code"].sampler()
    a, b = sampler.draw(7, 81442), PRESETS["synthforge-code"].sampler().draw(7, 81442)
    for name in ("z", "label25", "shape", "expression", "pose"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert not np.array_equal(a.z, sampler.draw(8, 81442).z) and not np.array_equal(
        a.shape, sampler.draw(7, 81442, 1).shape
    )
    assert not np.array_equal(a.label25, sampler.draw(7, 81442, 1).label25)
    # for ever: data sets are made again from (seed, index)
    np.testing.assert_allclose(a.z[:3], PINNED["z"], atol=1e-6)
    np.testing.assert_allclose(a.shape[:3], PINNED["shape"], atol=1e-6)
    np.testing.assert_allclose(a.label25[[3, 7, 11, 16]], PINNED["camera"], atol=1e-6)


PINNED = {
    "z": [0.7202145, 1.698141, -1.933717],
    "shape": [-0.3989029, 1.4089, -1.983536],
    "camera": [1.36332, -1.255341, 1.963537, 4.278426],
}


@pytest.mark.parametrize("name", ["paper", "synthforge-code", "synthforge-alignment"])
def test_published_distributions(name):
    draws = [PRESETS[name].sampler().draw(3, i) for i in range(300)]
    z = np.concatenate([d.z for d in draws])
    assert z.size == 300 * 512 and abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01
    for part, count in (("shape", 100), ("expression", 50)):
        values = np.stack([getattr(d, part) for d in draws])
        assert values.shape == (300, count) and -2 <= values.min() < -1.99 and 1.99 < values.max() < 2
        assert abs(values.std() - 4 / np.sqrt(12)) < 0.02
    assert all((d.pose == 0).all() for d in draws)
    at = Cameras.of(np.stack([d.label25 for d in draws]))
    low, high = {"paper": (12, 27), "synthforge-code": (18, 24), "synthforge-alignment": (15, 23)}[name]
    fov = at.fov_published_deg
    assert low <= fov.min() < low + 0.2 and high - 0.2 < fov.max() <= high + 1e-6
    position = np.stack([d.label25.reshape(-1)[[3, 7, 11]] for d in draws])
    np.testing.assert_allclose(np.linalg.norm(position, axis=1), 2.7, atol=1e-9)
    pivot = np.concatenate([np.tile([0, 0, 0.2], (300, 1)), np.ones((300, 1))], 1)
    ahead = np.einsum("nij,nj->ni", at.world_to_camera, pivot)
    np.testing.assert_allclose(ahead[:, :2], 0, atol=1e-9)  # looked at
    assert (
        PRESETS[name].cameras().config["yaw_deg"]
        == fr.camera.CameraSampler("paper" if name == "paper" else "synthforge-code").config["yaw_deg"]
    )


def test_views_share_the_person(head):
    sampler = PRESETS["next3d-mini"].sampler(z_dim=64, world=WORLD, head=head, views=3)
    draws = [sampler.draw(1, i) for i in range(6)]
    assert all(np.array_equal(draws[0].z, d.z) and draws[0].face == d.face for d in draws[1:3])
    assert not np.array_equal(draws[0].z, draws[3].z)
    assert len({tuple(d.label25) for d in draws}) == 6
    again = sampler.draw(1, 0, attempt=1)
    assert np.array_equal(again.z, draws[0].z) and again.face == draws[0].face
    assert not np.array_equal(again.label25, draws[0].label25)


def test_forge_heads_of_a_preset(head):
    from forge_rt import next3d_people

    sampler = PRESETS["paper"].sampler(z_dim=64, world=WORLD, head=head)
    draw = sampler.draw(1, 5)
    want = next3d_people.person(head, draw.z).face
    assert list(draw.face.sliders) == list(want.sliders) and max(draw.face.expression) > 0 and draw.shape is None
    with pytest.raises(fr.InvalidArgumentError, match="not made for ForgeHead"):
        PRESETS["paper"].sampler(head=head)
    with pytest.raises(fr.InvalidArgumentError, match="views"):
        PRESETS["paper"].sampler(views=0)


def test_codes_that_are_nobody(head):
    from forge_rt import next3d_people

    z = np.random.default_rng(0).standard_normal(64)
    same = [next3d_people.person(head, factor * z).face for factor in (1, 2)]
    assert np.allclose(*(np.asarray(head.mesh(face).vertices) for face in same), atol=1e-6)
    for wrong, words in (
        (z[:8], r"shape \[8\]"),
        (z[None], r"shape \[1, 64\]"),
        (0 * z, "zeros"),
        (np.nan * z, "not finite"),
    ):
        with pytest.raises(fr.InvalidArgumentError, match=words):
            next3d_people.person(head, wrong)


def test_expressions_are_the_teachers(head):
    from forge_rt import next3d_people
    from forge_rt.export.recipes.next3d_teacher import Teacher

    teacher = Teacher(head=head)
    for i in range(30):
        face = next3d_people.person(head, teacher.z(3, i)).face
        random = fr.Random(3, i, "teacher.expression")
        assert next3d_people.expression(head, face, random) == teacher.expression(3, i, face)
