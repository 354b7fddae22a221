"""SynthForge's 20 regions on a ForgeHead: its classes where they are the same, and rules on the neutral head for the parts of skin and neck.

The published masks colour a FLAME mesh by regions of its texture: forehead, eye regions, the band of the brows, scalp, back of the neck are
parts of bare skin. Here each pixel of skin looks up its place on the neutral head (metres, head frame), whatever identity and expression it has now.
"""

from __future__ import annotations

import functools

import numpy as np

import forge_rt as fr
from forge_rt import labels
from forge_rt.forge_head import ForgeHead
from forge_rt.production.samples import Sample

FACE, FOREHEAD, EYE_REGION, NECK, RIGHT_EYE_REGION, LEFT_EYE_REGION = range(6)
BROW_BAND, SCALP, NECK_BACK, BACKGROUND = 10, 17, 18, 19

# Height of the hair line over depth: from the nape by the ears to the middle of the forehead.
_HAIRLINE = np.array(
    [
        (-0.15, -0.06),
        (-0.09, -0.055),
        (-0.055, 0.0),
        (-0.035, 0.03),
        (-0.015, 0.062),
        (0.02, 0.09),
        (0.05, 0.1),
        (0.08, 0.1),
    ]
)
_BROWS = (0.0435, 0.058)  # lower and upper edge of the band
_EYE = (0.0303, 0.0288, 0.0205, 0.0135)  # centre x, y; half axes
_BRIDGE = (0.0105, 0.018)  # half width; lower edge
_NAPE = -0.062  # the neck's sides


def regions(head: ForgeHead, sample: Sample) -> np.ndarray:
    """[H, W] uint8 ids of label set `synthforge`. The sample must have layers."""
    assert sample.layers is not None
    bare = sample.layers[1]
    out = labels.convert(bare, "forgehead", "synthforge")
    place = _neutral_places(head, sample)
    skin, neck = bare == 1, bare == 14
    out[skin] = _of_skin(place[skin])
    out[neck] = np.where(place[neck][:, 2] < _NAPE, NECK_BACK, NECK)
    return out


def _of_skin(place: np.ndarray) -> np.ndarray:
    x, y, z = place.T
    out = np.full(len(place), FACE, np.uint8)
    front = z > -0.005
    out[front & (y > _BROWS[1])] = FOREHEAD
    out[front & (y > _BROWS[0]) & (y <= _BROWS[1]) & (np.abs(x) < 0.058)] = BROW_BAND
    cx, cy, rx, ry = _EYE
    for side, region in ((1, LEFT_EYE_REGION), (-1, RIGHT_EYE_REGION)):
        out[front & (((x - side * cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1)] = region
    out[front & (np.abs(x) < _BRIDGE[0]) & (y > _BRIDGE[1]) & (y <= _BROWS[1])] = EYE_REGION
    out[y > np.interp(z, *_HAIRLINE.T)] = SCALP
    out[(x == 0) & (y == 0) & (z == 0)] = FACE  # the edge of the mesh: no place
    return out


def _neutral_places(head: ForgeHead, sample: Sample) -> np.ndarray:
    """[H, W, 3]: where on the neutral head each pixel of the bare mesh lies; 0 elsewhere."""
    assert sample.face is not None
    vertices = head.mesh(sample.face).vertices
    triangles, neutral = _neutral(head)
    hit = fr.rasterize(fr.camera.to_clip(np.asarray(vertices), [sample.camera]), triangles, sample.segmentation.shape)
    return np.asarray(fr.interpolate(hit.face, hit.barycentrics, triangles, neutral))[0]


@functools.lru_cache(maxsize=4)
def _neutral(head: ForgeHead) -> tuple[np.ndarray, np.ndarray]:
    return head.triangles, np.asarray(head.mesh(head.neutral()).vertices)
