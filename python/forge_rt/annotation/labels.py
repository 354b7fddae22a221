"""What the surface of a head mesh is called: class ids by triangle and by texel of a UV map."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forge_rt import _core, labels
from forge_rt._core import InvalidArgumentError, NotFoundError

#: In face_labels: read the UV map.
FROM_UV = 255
#: RGB of the published UV label map → class of label set `synthforge` (spec/next3d §18.4). What the published masks count as background
#: is the rim of the bust; None is what no chart covers.
TEXTURE_CLASSES: dict[tuple[int, int, int], str | None] = {
    (104, 53, 22): "scalp", (246, 220, 203): "skin", (81, 68, 62): "neck_back", (0, 255, 241): "background",
    (209, 130, 61): None, (229, 241, 143): "neck", (68, 15, 133): "forehead", (230, 165, 231): "left_eye_region",
    (246, 1, 255): "left_eye", (118, 122, 229): "right_eye_region", (198, 2, 172): "nose", (0, 0, 254): "right_eye",
    (252, 255, 0): "right_ear", (0, 255, 61): "left_ear", (157, 171, 58): "eye_region", (100, 107, 56): "brow_band",
    (0, 135, 128): "lower_lip", (217, 23, 23): "upper_lip", (144, 169, 210): "left_brow", (211, 143, 144): "right_brow",
    (0, 47, 153): "mouth",
}  # fmt: skip
#: Texels farther than this from every colour are mixtures of compression and smoothing.
_MIXED = 8


@dataclass(frozen=True)
class MeshLabels:
    """A topology and its classes. Arrays are contiguous; `triangles` index the mesh, `uv_triangles` rows of `uv`."""

    name: str  #: of the head, for errors
    vertices: int
    triangles: NDArray[np.int32]  #: [F, 3], counter-clockwise seen from outside
    face_labels: NDArray[np.uint8]  #: [F] class ids, FROM_UV where the map decides
    uv: NDArray[np.float32]  #: [T, 2] in 0..1, v up
    uv_triangles: NDArray[np.int32]  #: [F, 3]
    semantic_uv: NDArray[np.uint8]  #: [Hm, Wm] class ids, row 0 is v = 1
    names: Mapping[int, str]  #: class id → name in the common vocabulary
    background: int
    colors: NDArray[np.uint8]  #: [C, 3] RGB of the classes
    texture: NDArray[np.uint8] | None = None  #: [Ht, Wt, 3] RGB: the map as published, for mode "compat"

    def __post_init__(self) -> None:
        faces = len(self.triangles)
        for name, index, rows in (
            ("triangles", self.triangles, self.vertices),
            ("uv_triangles", self.uv_triangles, len(self.uv)),
        ):
            if index.shape != (faces, 3) or (faces and not 0 <= index.min() <= index.max() < rows):
                raise InvalidArgumentError(
                    f"{name} of {self.name} must be [{faces}, 3] with ids below {rows}, got {list(index.shape)}"
                    + (f" with ids up to {index.max()}" if index.size else "")
                )
        if self.face_labels.shape != (faces,):
            raise InvalidArgumentError(
                f"face_labels of {self.name} must be [{faces}], got {list(self.face_labels.shape)}"
            )

    @classmethod
    def plain(cls, name: str, vertices: int, triangles: ArrayLike) -> MeshLabels:
        """A topology of one class, "face": enough for depths and alignment."""
        faces = np.ascontiguousarray(triangles, np.int32)
        return cls(
            name, vertices, faces, np.ones(len(faces), np.uint8), np.zeros((1, 2), np.float32), np.zeros_like(faces),
            np.zeros((1, 1), np.uint8), {0: "background", 1: "face"}, 0, np.array([[255, 255, 255], [230, 150, 60]], np.uint8),
        )  # fmt: skip

    @property
    def ids(self) -> dict[str, int]:
        return {name: i for i, name in self.names.items()}


# ---- ForgeHead ------------------------------------------------------------------------------------------------------


def forge_head_labels(
    bundle: str | os.PathLike[str] | None = None, *, brows: str = "natural", size: int = 1280
) -> MeshLabels:
    """The bare head of a ForgeHead bundle: label set `forgehead`, without what is worn or grown.

    `brows` is the head's choice of brow shape: like the renderer, the map has brows where that shape says, at `size`² texels.
    """
    folder = Path(bundle) if bundle is not None else Path(__file__).parents[1] / "assets" / "forgehead.forge"
    if not (folder / "head.safetensors").is_file():
        raise NotFoundError(f"{folder} is no ForgeHead bundle: it has no head.safetensors")
    about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    arrays = {name: np.asarray(t) for name, t in _core.read_safetensors(str(folder / "head.safetensors")).items()}
    part_labels = np.array([part["label"] for part in about["parts"]], np.uint8)
    skin = np.array([part["name"] == "skin" for part in about["parts"]])
    part = arrays["face_part"]
    face_labels = np.where(skin[part], FROM_UV, part_labels[part]).astype(np.uint8)
    names = labels.names("forgehead")
    ids = {name: i for i, name in names.items()}
    choices = {c["name"]: c for s in about["sets"] if s["name"] == "brows" for c in s["choices"]}
    if brows not in choices:
        raise InvalidArgumentError(f"brows must be one of {', '.join(choices)}, got {brows!r}")
    semantic = _with_brows(arrays, choices[brows]["brow"], ids, size)
    return MeshLabels(
        about["name"], len(arrays["v_template"]), np.ascontiguousarray(arrays["faces"]), face_labels,
        np.ascontiguousarray(arrays["uv"]), np.ascontiguousarray(arrays["uv_faces"]), semantic, names, ids["background"],
        np.array([label["color"] for label in sorted(about["labels"], key=lambda label: label["id"])], np.uint8),
    )  # fmt: skip


def _with_brows(
    arrays: Mapping[str, np.ndarray], shape: Sequence[Sequence[float]], ids: Mapping[str, int], size: int
) -> NDArray[np.uint8]:
    """The bundle's map at `size`², its brows replaced by those of a brow shape on the template: centre lines (x, y) and half widths."""
    coarse, uv, uv_faces = arrays["semantic_uv"], arrays["uv"], arrays["uv_faces"]
    take = [np.minimum((np.arange(size) + 0.5) * n / size, n - 1).astype(int) for n in coarse.shape]
    out = coarse[take[0][:, None], take[1]]
    clip = np.ones((1, len(uv), 4), np.float32)
    clip[0, :, :2] = 2 * uv - 1
    hit = _core.rasterize(clip, uv_faces, size, cull="none", perspective=False)
    rest = np.asarray(_core.interpolate(hit.face, hit.barycentrics, arrays["faces"], arrays["v_template"][None]))[0]
    x, y, z = np.moveaxis(rest, -1, 0)
    along, height, half = (np.asarray(row) for row in shape)
    side = np.abs(x)
    out = np.where((out == ids["left_brow"]) | (out == ids["right_brow"]), ids["skin"], out)
    brow = (side >= along[0]) & (side < along[-1]) & (z > 0) & (np.asarray(hit.face)[0] >= 0) & (out == ids["skin"])
    brow &= np.abs(y - np.interp(side, along, height)) < np.interp(side, along, half)
    return np.where(brow, np.where(x > 0, ids["left_brow"], ids["right_brow"]), out).astype(np.uint8)


# ---- a UV label map -------------------------------------------------------------------------------------------------


def texture_labels(
    texture: str | os.PathLike[str] | np.ndarray,
    *,
    name: str,
    vertices: int,
    triangles: ArrayLike,
    uv: ArrayLike,
    uv_triangles: ArrayLike,
    classes: Mapping[tuple[int, int, int], str | None] = TEXTURE_CLASSES,
    label_set: str = "synthforge",
) -> MeshLabels:
    """A mesh whose classes are colours of a UV picture (`texture`: a PNG's path, or [H, W, 3] uint8 RGB), row 0 at v = 1.

    Every texel gets the class of the nearest colour of `classes`; a mixture, and what lies outside of the charts (None), that of the
    nearest texel with a class. So no class appears between two others, and none is missing along a seam.
    """
    picture = texture if isinstance(texture, np.ndarray) else read_picture(texture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or min(picture.shape[:2]) < 2:
        raise InvalidArgumentError(
            f"a UV label map must be [H, W, 3] uint8 RGB, got {list(picture.shape)} {picture.dtype}"
        )
    names = labels.names(label_set)
    ids = {n: i for i, n in names.items()}
    unknown = [n for n in classes.values() if n is not None and n not in ids]
    if unknown:
        raise InvalidArgumentError(f"label set {label_set!r} has no class {unknown[0]!r}")
    colors = np.array(list(classes), np.uint8)
    shown = np.full((len(names), 3), 255, np.uint8)  # what the map has no colour for is white, as published masks are
    for color, n in classes.items():
        if n is not None and n != "background":
            shown[ids[n]] = color
    of_color = np.array([FROM_UV if n is None else ids[n] for n in classes.values()], np.uint8)
    faces = np.ascontiguousarray(triangles, np.int32)
    return MeshLabels(
        name, vertices, faces, np.full(len(faces), FROM_UV, np.uint8), np.ascontiguousarray(uv, np.float32),
        np.ascontiguousarray(uv_triangles, np.int32), class_map(picture, colors, of_color), names, ids["background"],
        shown, np.ascontiguousarray(picture),
    )  # fmt: skip


def class_map(picture: np.ndarray, colors: np.ndarray, of_color: np.ndarray) -> NDArray[np.uint8]:
    """picture [H, W, 3], colors [C, 3], of_color [C] (255: none) → class ids [H, W]."""
    padded = np.zeros((*picture.shape[:2], 4), np.uint8)
    padded[..., :3] = picture
    packed = padded.view("<u4")[..., 0]
    present = np.zeros(1 << 24, bool)
    present[packed] = True
    found = np.flatnonzero(present)
    rgb = np.stack([found & 255, found >> 8 & 255, found >> 16], -1).astype(np.int32)
    nearest, off = np.zeros(len(found), np.int64), np.full(len(found), np.iinfo(np.int32).max, np.int32)
    for k, color in enumerate(colors.astype(np.int32)):
        distance = ((rgb - color) ** 2).sum(-1)
        nearer = distance < off
        nearest[nearer], off[nearer] = k, distance[nearer]
    known = (off <= _MIXED**2) & (of_color[nearest] != FROM_UV)
    if not known.any():
        raise InvalidArgumentError(
            "the UV label map has none of the palette's colours; is it the right picture, in RGB?"
        )
    lookup = np.full(1 << 24, FROM_UV, np.uint8)
    lookup[found[known]] = of_color[nearest[known]]
    return _filled(np.take(lookup, packed))


def _filled(out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Texels without a class (FROM_UV) take that of the nearest one with a class."""
    import cv2

    without = out == FROM_UV
    if without.any():
        _, nearest = cv2.distanceTransformWithLabels(
            without.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        value = np.zeros(int(nearest.max()) + 1, np.uint8)
        value[nearest[~without]] = out[~without]
        out[without] = value[nearest[without]]
    return out


def read_picture(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """[H, W, 3] RGB of a PNG or JPEG file."""
    import cv2

    if not Path(path).is_file():
        raise NotFoundError(f"no file {path}")
    image = cv2.imdecode(np.frombuffer(Path(path).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise _core.CorruptFileError(f"{path} is not a readable picture; expected a UV label map in PNG")
    return np.ascontiguousarray(image[..., ::-1])


def read_obj_uv(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Topology of a template in OBJ (`v`, `vt`, `f v/vt …` triangles): {"vertices", "triangles", "uv", "uv_triangles"}."""
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"no file {path}")
    count, uv, corners = 0, [], []
    try:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            kind, *words = line.split() or [""]
            if kind == "v":
                count += 1
            elif kind == "vt":
                uv.append([float(w) for w in words[:2]])
            elif kind == "f":
                if len(words) != 3:
                    raise ValueError(f"a face of {len(words)} corners; only triangles are read")
                corners.append([[int(n) - 1 for n in word.split("/")[:2]] for word in words])
        table = np.array(corners, np.int32).reshape(-1, 3, 2)
        coordinates = np.array(uv, np.float32).reshape(-1, 2)
    except (ValueError, IndexError) as error:
        raise _core.CorruptFileError(f"{path} is not a template in OBJ with texture coordinates: {error}") from error
    if not len(table) or not len(coordinates):
        raise _core.CorruptFileError(f"{path} has no triangles with texture coordinates (lines 'vt' and 'f v/vt')")
    return {
        "vertices": count, "triangles": np.ascontiguousarray(table[..., 0]), "uv": coordinates,
        "uv_triangles": np.ascontiguousarray(table[..., 1]),
    }  # fmt: skip


def uv_of_bundle(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The same of the arrays that a generator's bundle has: faces, uvfaces and uvcoords = (2u - 1, 1 - 2v)."""
    missing = [name for name in ("faces", "uvfaces", "uvcoords") if name not in arrays]
    if missing:
        raise InvalidArgumentError(
            f"the arrays of a template need faces, uvfaces and uvcoords; {missing[0]} is missing"
        )
    faces, uv_faces = (
        np.ascontiguousarray(np.reshape(arrays[name], (-1, 3)), np.int32) for name in ("faces", "uvfaces")
    )
    at = np.asarray(arrays["uvcoords"], np.float32)
    at = at.reshape(-1, at.shape[-1])
    uv = np.ascontiguousarray((at[:, :2] * np.array([1, -1], np.float32) + 1) / 2)
    return {"vertices": None, "triangles": faces, "uv": uv, "uv_triangles": uv_faces}
