"""Quality gates of a built bundle. Each returns (name, passed, what was measured)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .landmarks import landmark_positions

Result = tuple[str, bool, str]
FLIP = np.array([-1.0, 1.0, 1.0], np.float32)
MIN_AREA_MM2 = 1e-3
MIN_MOVE_MM = 0.5
MAX_FOLDS = 12
MAX_LID_OVERLAP_MM = 4.0
MIN_CLEARANCE_MM = -0.05
HEADS, SLIDER_SPREAD, MACRO_SPREAD = 1000, 0.29, 0.38
MAX_INVERTED_PER_MESH, MIN_AREA_M2 = 0.1, 1e-10  # the aim is 0; the bound keeps what is reached (canthi, lip corners)


def _faces_of(arrays: dict[str, np.ndarray], bundle: dict[str, Any], *names: str) -> np.ndarray:
    wanted = [i for i, part in enumerate(bundle["parts"]) if part["name"] in names]
    return arrays["faces"][np.isin(arrays["face_part"], wanted)]


def mirror_symmetry(arrays: dict[str, np.ndarray], bundle: dict[str, Any]) -> Result:
    vertices, mirror = arrays["v_template"], arrays["mirror"]
    error = np.abs(vertices[mirror] * FLIP - vertices).max()
    involution = bool((mirror[mirror] == np.arange(len(mirror))).all())
    faces = {tuple(sorted(f)) for f in arrays["faces"].tolist()}
    images = {tuple(sorted(f)) for f in mirror[arrays["faces"]].tolist()}
    unmatched = len(images - faces)
    measured = f"largest error {error:g} m, {unmatched} triangles split differently"
    return "mirror symmetry", bool(error == 0.0) and involution, measured


def triangles(arrays: dict[str, np.ndarray], bundle: dict[str, Any]) -> Result:
    corner = arrays["v_template"].astype(float)[arrays["faces"]]
    area = 0.5e6 * np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    return "no degenerate triangle", bool(area.min() > MIN_AREA_MM2), f"smallest area {area.min():.4f} mm2"


def columns_move(arrays: dict[str, np.ndarray], bundle: dict[str, Any]) -> Result:
    move = 1000.0 * np.linalg.norm(arrays["shapedirs"].astype(np.float32), axis=1).max(0)
    names = [s["name"] for s in bundle["sliders"]] + [e["name"] for e in bundle["expressions"]]
    weakest = int(np.argmin(move))
    return "every column moves", bool(move.min() > MIN_MOVE_MM), f"weakest {names[weakest]} {move[weakest]:.2f} mm"


def orientation(arrays: dict[str, np.ndarray], bundle: dict[str, Any]) -> Result:
    """Skin triangles against their vertex normals, and every closed part's mean direction."""
    vertices = arrays["v_template"].astype(float)
    faces = _faces_of(arrays, bundle, "skin")
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    vertex_normal = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(vertex_normal, faces[:, k], normal)
    folds = int(((normal * vertex_normal[faces].sum(1)).sum(1) < 0).sum())
    inward = []
    for part in bundle["parts"]:
        own = _faces_of(arrays, bundle, part["name"])
        if not len(own) or part["name"] in ("mouth_bag", "teeth_up", "teeth_low"):
            continue
        corner = vertices[own]
        direction = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        if (direction * (corner.mean(1) - vertices[own].reshape(-1, 3).mean(0))).sum() < 0:
            inward.append(part["name"])
    measured = f"{folds} folded skin triangles, inward parts {inward}"
    return "orientation outward", folds <= MAX_FOLDS and not inward, measured


def eyes_close(arrays: dict[str, np.ndarray], bundle: dict[str, Any]) -> Result:
    """At blink 1 the upper lid covers the lower margin and every lid vertex is outside the eyeball, also half way."""
    names = [e["name"] for e in bundle["expressions"]]
    n_shape = bundle["n_shape"]
    column = n_shape + names.index("blink_left")
    vertices = arrays["v_template"].astype(float)
    closing = arrays["shapedirs"][..., column].astype(float)
    eye = np.unique(_faces_of(arrays, bundle, "l_eye"))
    joint = arrays["J_regressor"][3].astype(float) @ vertices
    radius = np.linalg.norm(vertices[eye] - joint, axis=1).min()
    points = landmark_positions(vertices + closing, arrays["faces"], arrays["landmark_static_face"],
                                arrays["landmark_static_bary"])  # fmt: skip
    left = points[25:31]  # 42 .. 47
    gap = 1000.0 * max(left[1, 1] - left[5, 1], left[2, 1] - left[4, 1])  # negative: the upper lid covers the lower one
    outside = np.linalg.norm(vertices - joint, axis=1) > radius  # the last lid ring ends inside on purpose
    moved = (np.linalg.norm(closing, axis=1) > 5e-4) & outside
    lids = (vertices[moved] + t * closing[moved] for t in (0.0, 0.25, 0.5, 0.75, 1.0))
    clearance = 1000.0 * (min(np.linalg.norm(lid - joint, axis=1).min() for lid in lids) - radius)
    passed = -MAX_LID_OVERLAP_MM < gap < 0.0 and clearance > MIN_CLEARANCE_MM
    return "eyes close", passed, f"lid gap {gap:.2f} mm (negative: overlap), smallest clearance {clearance:.2f} mm"


def landmark_order(arrays: dict[str, np.ndarray], bundle: dict[str, Any]) -> Result:
    vertices = arrays["v_template"].astype(float)
    static = landmark_positions(vertices, arrays["faces"], arrays["landmark_static_face"],
                                arrays["landmark_static_bary"])  # fmt: skip
    jaw = landmark_positions(vertices, arrays["faces"], arrays["landmark_dynamic_face"][0],
                             arrays["landmark_dynamic_bary"][0])  # fmt: skip
    points = np.concatenate([jaw, static])
    rising = lambda ids: bool((np.diff(points[ids, 0]) > 0).all())  # noqa: E731
    falling = lambda ids: bool((np.diff(points[ids, 1]) < 0).all())  # noqa: E731
    tests = {
        "jaw left to right": rising(range(0, 17)),
        "brows left to right": rising(range(17, 27)),
        "nose bridge downwards": falling(range(27, 31)),
        "nostrils left to right": rising(range(31, 36)),
        "right eye on image left": points[36:42, 0].max() < 0 < points[42:48, 0].min(),
        "eye corners": points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0],
        "upper lid above lower": bool((points[[37, 38, 43, 44], 1] > points[[41, 40, 47, 46], 1]).all()),
        "upper lip left to right": rising(range(48, 55)),
        "inner upper lip left to right": rising(range(60, 65)),
        "lower lip below upper": bool((points[55:60, 1] < points[[53, 52, 51, 50, 49], 1]).all()),
        "brows above eyes above nose above mouth": points[17:27, 1].min() > points[36:48, 1].max() > points[30, 1]
        > points[48:68, 1].max(),
    }  # fmt: skip
    wrong = [name for name, good in tests.items() if not good]
    return "landmarks", not wrong, f"wrong: {wrong}" if wrong else "order and places right"


def rows_sum_to_one(arrays: dict[str, np.ndarray], bundle: dict[str, Any]) -> Result:
    error = max(np.abs(arrays["weights"].sum(1) - 1).max(), np.abs(arrays["J_regressor"].sum(1) - 1).max())
    filled = int((arrays["J_regressor"] != 0).sum())
    measured = f"largest error {error:.1e}, {filled} regressor entries"
    return "weights and regressor sum to 1", bool(error < 1e-5), measured


def uv_valid(arrays: dict[str, np.ndarray], bundle: dict[str, Any]) -> Result:
    uv = arrays["uv"]
    faces = arrays["uv_faces"][arrays["face_part"] == 0]
    a, b, c = (uv[faces[:, k]].astype(float) for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    flipped = int((area <= 0).sum())
    inside = bool(uv.min() >= 0 and uv.max() <= 1)
    measured = f"range {uv.min():.3f}..{uv.max():.3f}, {flipped} flipped skin triangles"
    return "uv", inside and flipped <= MAX_FOLDS, measured


def inverted(normal: np.ndarray, home: np.ndarray, beside: np.ndarray, own: np.ndarray) -> np.ndarray:
    """[n] bool of the triangles `own`: turned by more than 120 degrees from `home`, or folded against every neighbour.

    `beside` [n, 3] are their neighbours, -1 at a border.
    """
    away = (normal[own] * home[own]).sum(1) < -0.5
    folded = ((normal[own][:, None, :] * normal[np.maximum(beside, 0)]).sum(-1) < 0.0) | (beside < 0)
    return away | (folded.all(1) & (beside >= 0).any(1))


def normals(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals [F, 3] and areas [F]."""
    corner = vertices[faces]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    length = np.linalg.norm(cross, axis=1)
    return cross / np.maximum(length, 1e-20)[:, None], 0.5 * length


def _labelled(arrays: dict[str, np.ndarray], faces: np.ndarray, bundle: dict[str, Any], *names: str) -> np.ndarray:
    """[F] bool: triangles whose centre has one of the labels in the semantic map."""
    ids = [row["id"] for row in bundle["labels"] if row["name"] in names]
    image = arrays["semantic_uv"]
    u, v = arrays["uv"][faces].mean(1).T
    size = len(image)
    return np.isin(image[((1.0 - v) * size).astype(int), (u * size).astype(int)], ids)


def neighbours(faces: np.ndarray) -> np.ndarray:
    """[F, 3] the triangle across each edge, -1 at a border."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    owner = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort(edges.T)
    same = (edges[order[1:]] == edges[order[:-1]]).all(1)
    first, second = order[:-1][same], order[1:][same]
    result = np.full(3 * len(faces), -1)
    result[first], result[second] = owner[second], owner[first]
    return result.reshape(3, -1).T


def random_values(names: list[str], limits: list[tuple[float, float]], count: int, seed: int) -> np.ndarray:
    """[count, n_shape] independent normal sliders of the prior's spread; macros wider, no children."""
    rng = np.random.default_rng(seed)
    values = SLIDER_SPREAD * rng.normal(size=(count, len(names)))
    for k, name in enumerate(names):
        if name == "macro/masculine":
            values[:, k] = rng.uniform(-0.8, 0.8, count)
        elif name == "macro/age":
            values[:, k] = rng.uniform(0.0, 1.0, count)
        elif name == "macro/child":
            values[:, k] = 0.0
        elif name.startswith("macro/"):
            values[:, k] = MACRO_SPREAD * rng.normal(size=count)
    low, high = np.array(limits).T
    return np.clip(values, low, high)


def random_heads(arrays: dict[str, np.ndarray], bundle: dict[str, Any], count: int = HEADS) -> Result:
    """Random identities times every expression at weight 1 (and none): no tiny and hardly any inverted triangle.

    Inverted: see `inverted`. Left out: shoulders, hair, glasses, and the lid strip behind the margin, which folds shut.
    """
    skipped = [i for i, part in enumerate(bundle["parts"]) if part["name"].startswith(("hair", "glasses", "cloth"))]
    faces = arrays["faces"][~np.isin(arrays["face_part"], skipped)].astype(np.int64)
    eyes = [arrays["J_regressor"][joint] @ arrays["v_template"] for joint in (3, 4)]
    radius = np.linalg.norm(arrays["v_template"][np.unique(_faces_of(arrays, bundle, "l_eye"))] - eyes[0], axis=1).min()
    hidden = [np.linalg.norm(arrays["v_template"] - eye, axis=1) < 0.995 * radius for eye in eyes]
    faces = faces[~(hidden[0] | hidden[1])[faces].any(1)]  # the innermost lid strip lies inside the eyeball
    lid_edge = _labelled(arrays, faces, bundle, "l_eye", "r_eye")  # the strip between margin and eyeball folds shut
    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    rest = arrays["v_template"][used]
    columns = arrays["shapedirs"][used].astype(np.float32)
    n_shape, beside = bundle["n_shape"], neighbours(faces)
    home = normals(rest, faces)[0]
    gain = np.array(bundle["blink_gain"]["gain"], np.float32)
    names = ["none"] + [e["name"] for e in bundle["expressions"]]
    moved = [np.zeros(0, int)]
    for k in range(len(names) - 1):
        touched = np.abs(columns[..., n_shape + k]).max(1) > 0.0
        moved.append(np.flatnonzero(touched[faces].any(1)))
    smallest, bad, where = np.inf, np.zeros(len(names), int), np.zeros(len(faces), int)
    limits = [(s["min"], s["max"]) for s in bundle["sliders"]]
    for sliders in random_values([s["name"] for s in bundle["sliders"]], limits, count, 7).astype(np.float32):
        vertices = rest + columns[..., :n_shape] @ sliders
        normal, area = normals(vertices, faces)
        for k, own in enumerate(moved):
            if k == 0:
                size, wrong = area, inverted(normal, home, beside, np.arange(len(faces)))
            else:
                weight = 1.0 + gain @ sliders if names[k].startswith("blink") else 1.0
                shifted = vertices + weight * columns[..., n_shape + k - 1]
                now = normal.copy()
                now[own], size = normals(shifted, faces[own])
                wrong = np.zeros(len(faces), bool)
                wrong[own] = inverted(now, home, beside[own], own)
            smallest = min(smallest, float(size.min()))
            wrong &= ~lid_edge
            bad[k] += int(wrong.sum())
            where += wrong
    total = int(bad.sum())
    worst = ", ".join(f"{names[k]} {bad[k]}" for k in np.argsort(-bad)[:4] if bad[k])
    measured = (
        f"{count} heads x {len(names)} expressions: smallest area {1e6 * smallest:.5f} mm2, "
        f"{total} inverted triangles ({worst or 'none'}), {int((where > 0).sum())} different ones"
    )
    meshes = count * len(names)
    return "random heads", total <= MAX_INVERTED_PER_MESH * meshes and smallest > MIN_AREA_M2, measured


GATES = (
    mirror_symmetry,
    triangles,
    columns_move,
    orientation,
    eyes_close,
    landmark_order,
    rows_sum_to_one,
    uv_valid,
    random_heads,
)


def run_gates(arrays: dict[str, np.ndarray], bundle: dict[str, Any], coarse: bool = False) -> list[Result]:
    """All gates; those about fine detail are left out on the coarse setting, whose rings are too wide for them."""
    fine = (columns_move, random_heads)
    return [gate(arrays, bundle) for gate in GATES if not (coarse and gate in fine)]
