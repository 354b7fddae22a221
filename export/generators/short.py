"""3 × 3 convolutions with half of the products: Winograd's F(4, 3) along columns.

Four rows of the output come from six products with 1 × 3 kernels instead of twelve: y = Aᵀ [(G w) ⊙ (Bᵀ x)], column by column. Bᵀ x and the
products are convolutions, so that a runtime keeps its blocked layout between them; Aᵀ is a product of matrices whose result lies as rows.

The matrices follow from the points 0, ±2/3, ±3/2, ∞. They were chosen for their rounding: the errors of 0, ±1, ±2, ∞ are twice as large
(docs/design/next3d.md has the numbers). G is multiplied with constants when a graph is loaded, so a file holds each weight once.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .graph import Graph

_TILE, _TAPS = 4, 3
_POINTS = tuple(map(Fraction, ("0", "2/3", "-2/3", "3/2", "-3/2")))
_PRODUCTS = _TILE + _TAPS - 1
#: Below these the transforms cost what the products save.
_CHANNELS, _SIZE = 128, 32


def matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Aᵀ [4, 6], G [6, 3], Bᵀ [6, 6] by Cook and Toom's construction; the last point is infinity."""
    a = [[p**i for p in _POINTS] + [Fraction(i == _TILE - 1)] for i in range(_TILE)]
    g, b = [], []
    for p in _POINTS:
        others = [q for q in _POINTS if q != p]
        weight = Fraction(1)
        for q in others:
            weight *= p - q
        g.append([p**k / weight for k in range(_TAPS)])
        b.append([*_polynomial(others), Fraction(0)])
    g.append([Fraction(k == _TAPS - 1) for k in range(_TAPS)])
    b.append(_polynomial(_POINTS))
    return tuple(np.array(m, np.float64) for m in (a, g, b))  # type: ignore[return-value]


def _polynomial(roots: tuple[Fraction, ...] | list[Fraction]) -> list[Fraction]:
    """Coefficients of ∏ (x - root), lowest power first."""
    made = [Fraction(1)]
    for root in roots:
        made = [low - root * high for low, high in zip([Fraction(0), *made], [*made, Fraction(0)], strict=True)]
    return made


def pays(inside: int, outside: int, size: int) -> bool:
    return min(inside, outside) >= _CHANNELS and size >= _SIZE and size % _TILE == 0


def convolution(g: Graph, x: str, weight: str, inside: int, outside: int, size: int) -> str:
    """x [n, I, S, S], weight [O, I, 3, 3] → [n, O, S, S], padded by one."""
    a, kernel_map, b = matrices()
    rows = size // _TILE
    mapped = g.node("MatMul", g.constant(kernel_map), weight)  # [O, I, 6, 3], of constants
    kernels = g.nodes("Split", _PRODUCTS, mapped, axis=2, num_outputs=_PRODUCTS)
    products = []
    for taps, kernel in zip(b, kernels, strict=True):
        filter_ = g.node("Expand", g.constant(taps[None, None, :, None]), g.integers(inside, 1, _PRODUCTS, 1))
        part = g.node(
            "Conv", x, filter_, kernel_shape=[_PRODUCTS, 1], strides=[_TILE, 1], pads=[1, 0, 1, 0], group=inside
        )
        part = g.node("Conv", part, kernel, kernel_shape=[1, 3], pads=[0, 1, 0, 1])
        products.append(g.node("Reshape", part, g.integers(0, outside, 1, rows * size)))
    tiles = g.node("MatMul", g.constant(a), g.node("Concat", *products, axis=2))  # [n, O, 4, S/4 · S]
    lines = g.node("Reshape", tiles, g.integers(0, outside, _TILE, rows, size))
    return g.node(
        "Reshape", g.node("Transpose", lines, perm=[0, 1, 3, 2, 4]), g.integers(0, outside, size, size)
    )  # fmt: skip
