"""Who a latent code of next3d-mini is: a fixed map from z to a ForgeHead, its look and its light, and the expressions it learned.

s = A · z / rms(z) with fixed orthonormal rows A, so that each s is a standard normal of its own; u = Φ(s) is uniform and sets one
line of the tables below. Everything varies smoothly with z but the hair style: its two numbers are an angle, and styles are sectors of
the circle, ordered so that neighbours look alike and a student that errs near a border errs little. Nothing random is left:
strands and skin use one seed for everybody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from forge_rt import _core
from forge_rt._core import FaceParameters, InvalidArgumentError
from forge_rt.forge_head import ForgeHead

Z_DIM = 64

#: name of the number → sliders that it moves, each by its amplitude times 2 u − 1.
SHAPE: dict[str, dict[str, float]] = {
    "proportions": {"macro/proportions": 0.8},
    "masculine": {"macro/masculine": 0.9},
    "weight": {"macro/weight": 0.8, "cheeks/fullness": 0.5},
    "head width": {"head/width": 0.8},
    "head height": {"head/height": 0.4},
    "forehead": {"forehead/height": 0.3, "forehead/slope": -0.5},
    "jaw": {"jaw/width": 0.8, "jaw/taper": -0.5},
    "chin length": {"chin/length": 0.5},
    "chin width": {"chin/width": 0.8},
    "cheek bones": {"cheeks/bone_width": 0.7, "cheeks/bone_prominence": 0.6},
    "eye distance": {"eyes/distance": 0.8},
    "eye size": {"eyes/size": 0.8},
    "eye opening": {"eyes/opening": 0.5, "eyes/roundness": 0.4},
    "eye tilt": {"eyes/tilt": 0.8},
    "brow ridge": {"forehead/brow_ridge": 0.7, "eyes/depth": 0.4},
    "mouth width": {"mouth/width": 0.8},
    "lips": {"mouth/upper_lip": 0.8, "mouth/lower_lip": 0.8},
    "mouth height": {"mouth/height": 0.6},
    "nose length": {"nose/length": 0.8},
    "nose width": {"nose/width": 0.8, "nose/ala_size": 0.5},
    "nose bridge": {"nose/bridge_height": 0.8, "nose/hump": 0.4},
    "nose tip": {"nose/tip_up": 0.8},
    "ears": {"ears/stick_out": 0.7, "ears/size": 0.5},
}

#: name → (low, high) of the value at u = 0 and u = 1.
LOOK: dict[str, tuple[float, float]] = {
    "melanin": (0.02, 0.85),
    "undertone": (-0.6, 0.6),
    "redness": (0.15, 0.75),
    "stubble": (-0.8, 0.8),  # below 0: none
    "lip tint": (-0.5, 0.8),  # below 0: none
    "iris": (0.0, 1.0),  # along IRIS
    "hair colour": (0.0, 1.0),  # along HAIR
    "hair red": (-0.6, 0.6),  # below 0: none
    "brow darkness": (0.0, 0.6),
    "hair volume": (0.8, 1.1),
    "hair length": (0.75, 1.0),
    "hair angle x": (-1.0, 1.0),  # these two enter as normals: their angle picks the style
    "hair angle y": (-1.0, 1.0),
    "light yaw": (-60.0, 60.0),  # degrees
    "light pitch": (0.0, 45.0),
    "light strength": (0.35, 0.95),  # of a soft light from one side, beside the sky's 0.55
    "light warmth": (-0.08, 0.12),
    "backdrop lightness": (0.15, 0.85),  # sRGB
    "backdrop red": (-0.18, 0.18),
    "backdrop blue": (-0.18, 0.18),
}

NUMBERS: tuple[str, ...] = (*SHAPE, *LOOK)

#: Sectors of the circle, neighbours alike; none reaches out of the box, hides the eyes or hangs on the neck.
HAIR_STYLES = ("swept_back", "crop", "fringe_short", "side_part_left", "bob")

# Linear reflectances, dark to light.
HAIR = ((0.010, 0.008, 0.007), (0.045, 0.024, 0.014), (0.12, 0.060, 0.028), (0.30, 0.19, 0.095))
IRIS = ((0.045, 0.022, 0.010), (0.13, 0.070, 0.025), (0.12, 0.14, 0.060), (0.10, 0.17, 0.26))


def _projection() -> np.ndarray:
    """[NUMBERS, Z_DIM] orthonormal rows, the same everywhere and for ever: part of the teacher's definition."""
    random = _core.Random(0, 0, "teacher.projection")
    rows, upper = np.linalg.qr(np.array([[random.normal() for _ in range(Z_DIM)] for _ in range(Z_DIM)]))
    return np.ascontiguousarray((rows * np.sign(np.diag(upper))).T[: len(NUMBERS)])


PROJECTION = _projection()


def numbers(z: np.ndarray) -> np.ndarray:
    """z [..., Z_DIM] → s [..., NUMBERS], standard normals; what a mapping network may regress. The length of z does not matter."""
    z = np.asarray(z, np.float64)
    return (z / np.sqrt(np.mean(z * z, -1, keepdims=True))) @ PROJECTION.T


@dataclass(frozen=True)
class Person:
    """Somebody whom next3d-mini was taught."""

    face: FaceParameters  #: without expression
    hair_style: str
    background: np.ndarray  #: [3] float32, sRGB 0..1


def person(head: ForgeHead, z: np.ndarray) -> Person:
    """Who next3d-mini takes the code `z` [64] for; its length does not matter, only its direction.

    Raises InvalidArgumentError for another shape, values that are not finite, and a z of zeros, which is nobody.
    """
    z = np.asarray(z, np.float64)
    if z.shape != (Z_DIM,) or not np.isfinite(z).all() or not z.any():
        what = (
            f"shape {list(z.shape)}"
            if z.shape != (Z_DIM,)
            else "zeros"
            if np.isfinite(z).all()
            else "values that are not finite"
        )
        raise InvalidArgumentError(f"z must be [{Z_DIM}] finite numbers, not all of them 0, got {what}")
    s = dict(zip(NUMBERS, numbers(z).tolist(), strict=True))
    u = {name: 0.5 * (1.0 + math.erf(value / math.sqrt(2.0))) for name, value in s.items()}
    value = {name: low + (high - low) * u[name] for name, (low, high) in LOOK.items()}

    sector = (math.atan2(s["hair angle y"], s["hair angle x"]) / (2 * math.pi)) % 1.0
    style = HAIR_STYLES[min(int(sector * len(HAIR_STYLES)), len(HAIR_STYLES) - 1)]
    sliders: dict[str, float] = {}
    for name, moved in SHAPE.items():
        for slider, amplitude in moved.items():
            sliders[slider] = amplitude * (2.0 * u[name] - 1.0)
    face = head.face(
        sliders=sliders, options={"hair": style, "hairline": "rounded", "clothes": "bare", "lashes": "none"}
    )

    look = face.appearance
    look.melanin, look.undertone, look.redness = value["melanin"], value["undertone"], value["redness"]
    look.stubble, look.dark_circles, look.bloodshot, look.teeth_shade = max(value["stubble"], 0.0), 0.1, 0.1, 0.15
    look.lip_tint_strength, look.lip_gloss = max(value["lip tint"], 0.0), 0.0
    look.iris_color = _palette(IRIS, value["iris"])
    hair = np.array(_palette(HAIR, value["hair colour"])) * (
        1 + max(value["hair red"], 0.0) * np.array([0.8, -0.2, -0.5])
    )
    look.hair_color = look.hair_tip_color = hair.tolist()
    look.brow_darkness = value["brow darkness"]
    look.texture_seed = 1
    face.hair.volume, face.hair.length = value["hair volume"], value["hair length"]
    face.hair.curl, face.hair.frizz, face.hair.clump, face.hair.seed = 0.0, 0.0, 0.5, 1
    _matte(face)
    _light(face, value)
    face.capture.exposure = 0.9 * (look.melanin - 0.3)  # photographers expose for the face

    lightness, red, blue = value["backdrop lightness"], value["backdrop red"], value["backdrop blue"]
    backdrop = np.clip([lightness + red, lightness - 0.5 * (red + blue), lightness + blue], 0, 1).astype(np.float32)
    return Person(face, style, backdrop)


#: Share of the expressions with closed lids, open jaws or both.
STRONG_SHARE = 1 / 3


def expression(head: ForgeHead, face: FaceParameters, random: _core.Random) -> dict[str, float]:
    """Weights of the head's expressions, as the teacher drew them: the distribution that the generator knows."""
    strong, kind = random.uniform() < STRONG_SHARE, random.uniform()
    closed, opened = strong and kind < 0.6, strong and kind >= 0.4
    side = random.uniform()  # winks
    shut = head.blink_weight(face) * random.uniform(0.85, 1.0)
    half = random.uniform(0.0, 0.6) if random.uniform() < 0.4 else 0.0
    lids = shut if closed else half
    wide_jaw, some_jaw = random.uniform(0.55, 1.0), max(random.uniform(-0.5, 0.5), 0.0)
    out = {
        "blink_left": 0.0 if closed and side < 0.1 else lids,
        "blink_right": 0.0 if closed and side > 0.9 else lids,
        "jaw_open": wide_jaw if opened else some_jaw,
        "smile": max(random.uniform(-0.8, 1.0), 0.0),
        "brows_up": max(random.uniform(-1.0, 1.0), 0.0),
        "brows_down": max(random.uniform(-1.5, 1.0), 0.0),
        "pucker": max(random.uniform(-2.0, 0.8), 0.0),
        "smile_open": max(random.uniform(-2.0, 0.8), 0.0),
        "frown": max(random.uniform(-2.0, 0.8), 0.0),
    }
    out["brows_down"] *= 1.0 - out["brows_up"]
    out["pucker"] *= 1.0 - out["smile"]
    return out


def _palette(colors: tuple[tuple[float, float, float], ...], t: float) -> list[float]:
    steps = np.asarray(colors)
    return [float(np.interp(t * (len(steps) - 1), np.arange(len(steps)), steps[:, c])) for c in range(3)]


def _matte(face: FaceParameters) -> None:
    """Takes away what depends on the view, as far as parameters reach: highlights of the lamps (there are none), oil, the sheen of hair."""
    look = face.appearance
    look.gloss, look.pores = 0.0, 0.0
    look.hair_gloss = -0.4  # the strands' mirror is proportional to 0.4 + gloss
    face.light.key_strength = face.light.rim_strength = 0.0
    look.background, look.background_color = 0, [0.0, 0.0, 0.0]


def _light(face: FaceParameters, value: dict[str, float]) -> None:
    """A sky and a large soft lamp as one irradiance: fixed to the head, without highlights, and no shadow but what is open to the sky.

    The lamp is the clamped cosine max(0, n·d) in spherical harmonics of second order: 1/4 + c/2 + 5/32 (3 c² − 1), c = n·d.
    """
    yaw, pitch = math.radians(value["light yaw"]), math.radians(value["light pitch"])
    x, y, z = math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)
    lamp = np.zeros(9)  # of 1, y, z, x, xy, yz, 3zz - 1, xz, xx - yy
    lamp[0] = 0.25
    lamp[1:4] = 0.5 * y, 0.5 * z, 0.5 * x
    lamp[4:] = np.array([2 * x * y, 2 * y * z, (3 * z * z - 1) / 6, 2 * x * z, (x * x - y * y) / 2]) * (15 / 32)
    sky = np.zeros(9)
    sky[0], sky[1], sky[2] = 0.55, 0.12, 0.08
    warm = value["light warmth"]
    tint = np.array([1 + 0.5 * warm, 1.0, 1 - warm])
    light = sky[:, None] + value["light strength"] * lamp[:, None] * tint
    face.light.environment = light.ravel().tolist()
    face.light.ambient_strength = 1.0
