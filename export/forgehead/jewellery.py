"""Earrings hang on the lobes, necklaces lie on the body."""

from __future__ import annotations

import numpy as np

from .head import Head
from .mesh_tools import Bound, Patch, bind_rigid, join, lathe, tube
from .parameters import Array
from .shoulders import Body, bind_clothes


def ball(radius: float, rings: int = 5, columns: int = 8) -> Patch:
    a = np.linspace(0.02, np.pi - 0.02, rings)
    return lathe(np.stack([radius * np.sin(a), radius * np.cos(a)], 1), columns)


def ring(radius: float, thick: float, count: int = 20) -> Patch:
    """A hoop that hangs from the origin, seen from the side."""
    a = np.arange(count) * 2 * np.pi / count
    path = np.stack([0 * a, -radius + radius * np.cos(a), radius * np.sin(a)], -1)
    return tube(path, thick, 5, True, up=(1, 0, 0))


def lobe(head: Head) -> tuple[Array, int]:
    """The middle of the left lobe's outer face and the id of the vertex there."""
    ids = head.blocks["l_ear"].ids
    ear = head.rest[ids]
    low = ear[:, 1].min()
    near = np.flatnonzero(ear[:, 1] < low + 0.09)
    pick = near[np.argmax(ear[near, 0] + 0.3 * ear[near, 2])]
    return ear[pick], int(ids[pick])


def chain(body: Body, front: float, offset: float, thick: float, links: int = 0, count: int = 64) -> Patch:
    a = np.linspace(0, 2 * np.pi, count, endpoint=False)
    a = a + 0.35 * np.sin(2 * a) * (np.sin(a) > 0)
    theta = body.neckline(front, -1.56, -1.42, a, 2.2)
    path = body.surface(theta, a, offset)
    size = np.full(count, thick) * (1.0 + (0.35 * np.cos(np.arange(count) * np.pi) if links else 0.0))
    return tube(path, size, 4, True, up=(0.02, 1, 0.05))


def jewellery(head: Head, body: Body) -> dict[str, tuple[Patch, Bound]]:
    at, vertex = lobe(head)
    shapes: dict[str, tuple[Patch, Bound]] = {}
    drop = join(ball(0.022), tube(np.array([[0, 0, 0.0], [0, -0.16, 0]]), 0.007, 4, up=(0, 0, 1)),
                lathe([(0.002, -0.15), (0.02, -0.20), (0.035, -0.27), (0.028, -0.32), (0.004, -0.345)], 8))  # fmt: skip
    for name, patch in (
        ("studs", ball(0.032)),
        ("hoops", ring(0.17, 0.012)),
        ("small_hoops", ring(0.085, 0.013, 14)),
        ("drops", drop),
    ):
        left = patch.moved(at + np.array([0.012, 0.01, 0.004]))
        right = left.mirrored()
        ids_l, w = bind_rigid(left.vertices, [vertex])
        ids_r, _ = bind_rigid(right.vertices, [int(head.mirror[vertex])])
        shapes[name] = (join(left, right), (np.concatenate([ids_l, ids_r]), np.concatenate([w, w])))
    for name, front, thick, count in (
        ("chain", -2.12, 0.016, 48),
        ("choker", -1.72, 0.030, 40),
        ("long_chain", -2.75, 0.012, 48),
    ):
        patch = chain(body, front, 0.02, thick, links=1, count=count)
        shapes[name] = (patch, bind_clothes(head, patch.vertices))
    hang = body.front(np.array([0.0]), np.array([-2.80]), 0.04)[0]
    pendant = lathe([(0.002, 0.0), (0.05, -0.02), (0.085, -0.09), (0.06, -0.16), (0.003, -0.20)], 10, 0.4).moved(hang)
    shapes["pendant"] = (pendant, bind_clothes(head, pendant.vertices))
    pearls = []
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    theta = body.neckline(-2.05, -1.55, -1.42, turn, 1.8)
    for place in body.surface(theta, turn, 0.04):
        pearls.append(ball(0.052, 3, 5).moved(place))
    beads = join(*pearls)
    shapes["pearls"] = (beads, bind_clothes(head, beads.vertices))
    return shapes
