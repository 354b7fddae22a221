"""Checkpoints of Next3D and EG3D → bundles: what `forge-rt export` does."""

from __future__ import annotations

import dataclasses
import functools
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from forge_rt import CorruptFileError, ForgeError, InvalidArgumentError, NotFoundError, bundles
from forge_rt.production.files import failure, sha256_of

from ..models.next3d import EG3D, EG3DConfig, Next3D, Next3DConfig, make_model, read_config
from ..models.next3d.config import Topology
from ..models.next3d.views import UvMesh
from ..readers import flame
from ..readers.stylegan_pickle import Checkpoint, read_checkpoint
from .bundle import About, World, check_target, replace, write_generator_bundle
from .topology import HeadReference, check_same, read_embedding, write_head_bundle

KINDS = ("next3d", "eg3d")
LICENCE = "that of the checkpoint it was made from"


@dataclass(frozen=True)
class Options:
    config: Path | None = None  #: JSON of the configuration, for files that carry none
    network: str = "G_ema"
    flame: Path | None = None
    landmarks: Path | None = None
    alignment: Path | None = None
    uv_mask: Path | None = None
    precision: str = "fp32"
    blend_planes: str = "front"
    conditioning: str = "frontal"
    psi: float = 0.7
    cutoff: int | None = None
    licence: str = LICENCE
    threads: int = 1


@dataclass(frozen=True)
class Exported:
    bundle: Path
    head: Path | None  #: bundle of the FLAME model that was given
    proof: dict[str, Any]


def export_checkpoint(
    kind: str,
    path: Path,
    out: Path,
    options: Options | None = None,
    *,
    began: Callable[[EG3D], None] | None = None,
    tell: Callable[[str, dict[str, Any]], None] | None = None,
) -> Exported:
    """Reads the checkpoint, and writes the bundle `out` and, with `flame`, `NAME-head.forge` beside it.

    began  is called with the model once it is read
    tell   as in `write_generator_bundle`

    Raises NotFoundError, CorruptFileError, UnsupportedError and InvalidArgumentError for inputs that do not fit, ExportError when a graph
    deviates from its definition. Then nothing is written.
    """
    options = options or Options()
    if kind not in KINDS:
        raise InvalidArgumentError(f"the kind must be one of {', '.join(KINDS)}, got {kind!r}")
    check_target(out, options.precision, options.conditioning, options.psi, options.cutoff, options.blend_planes)
    if kind == "eg3d":
        for name in ("flame", "landmarks", "uv_mask"):
            if getattr(options, name) is not None:
                raise InvalidArgumentError(f"EG3D has no head: leave out --{name.replace('_', '-')}")
    beside = out.with_name(f"{bundles.name_of(out)}-head{bundles.SUFFIX}")
    if options.flame is not None and beside.exists() and not (beside / bundles.MANIFEST).is_file():
        raise InvalidArgumentError(f"{beside}, where the head is written to, exists and is no bundle; move it away")
    if options.landmarks is not None and options.flame is None:
        raise InvalidArgumentError("--landmarks goes with --flame: landmarks are places on its triangles")
    alignment = _alignment(options.alignment)
    checkpoint = read_checkpoint(path, network=options.network)
    model = make_model(checkpoint, _config(kind, checkpoint, options, path))
    if isinstance(model, Next3D) != (kind == "next3d"):
        other = "next3d" if kind == "eg3d" else "eg3d"
        raise InvalidArgumentError(f"{path} is a generator of the other kind; use forge-rt export {other}")
    head, mesh, arrays = None, None, None
    if isinstance(model, Next3D):
        mesh = _mesh(model, checkpoint, options.uv_mask, path)
        vertices = None
        if options.flame is not None:
            arrays = flame.read_model(options.flame)
            check_same(mesh.faces, arrays, options.flame)
            vertices = len(arrays.v_template)
        head = HeadReference.of("flame", mesh.faces, vertices)
    embedding = read_embedding(options.landmarks) if options.landmarks is not None else None
    if began is not None:
        began(model)
    about = About(options.licence, provenance={"made_by": "forge-rt export", "checkpoint_sha256": sha256_of(path),
                                               "class": checkpoint.class_name})  # fmt: skip
    made = functools.partial(
        write_generator_bundle, model, out, head=head, world=World.of_config(model.config, alignment), mesh=mesh,
        precision=options.precision, conditioning=options.conditioning, psi=options.psi, cutoff=options.cutoff, about=about, threads=options.threads, tell=tell,
    )  # fmt: skip
    try:
        return _write(out, made, beside, arrays, embedding)
    except OSError as error:
        raise failure("write", out, error) from error


def _write(
    out: Path,
    made: Callable[[], dict[str, Any]],
    beside: Path,
    arrays: flame.FlameArrays | None,
    embedding: dict[str, np.ndarray] | None,
) -> Exported:
    if arrays is None:
        return Exported(out, None, made())
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{beside.name}.", dir=out.parent) as folder:
        ready = Path(folder) / beside.name
        write_head_bundle(arrays, ready, embedding)  # first: a full disk then leaves neither
        proof = made()
        replace(beside, ready, aside=Path(folder) / "replaced")
    return Exported(out, beside, proof)


def _config(kind: str, checkpoint: Checkpoint, options: Options, path: Path) -> EG3DConfig:
    if options.config is None:
        return read_config(checkpoint, blend_planes=options.blend_planes)
    raw = _json(options.config)
    made = (Next3DConfig if kind == "next3d" else EG3DConfig).from_json({**_said(kind, checkpoint, raw), **raw})
    if isinstance(made, Next3DConfig):
        if "blend_planes" not in raw:
            made = dataclasses.replace(made, blend_planes=options.blend_planes)
        if made.topology is not None and "topology" not in raw:  # sizes of the mesh are those of the file
            sizes = read_topology(checkpoint.tensors, path)
            made = dataclasses.replace(made, topology=sizes)
    return made


def _said(kind: str, checkpoint: Checkpoint, raw: dict[str, Any]) -> dict[str, Any]:
    """What the file itself says of its configuration; `raw` goes before it, name by name in `rendering`."""
    try:
        said = read_config(checkpoint, superresolution=raw.get("superresolution"))
    except ForgeError:  # sizes that only the configuration can tell
        return {}
    if isinstance(said, Next3DConfig) != (kind == "next3d"):
        return {}
    made = said.to_json()
    made.pop("blend_planes", None)
    if isinstance(raw.get("rendering"), dict):
        raw["rendering"] = {**made["rendering"], **raw["rendering"]}
    return made


def read_topology(tensors: Mapping[str, torch.Tensor], path: Path) -> Topology:
    for name in ("faces", "uvfaces", "uvcoords"):
        if name not in tensors:
            raise InvalidArgumentError(
                f"{path} has no {name}: triangles and texture coordinates of its head are missing"
            )
    return Topology(tensors["faces"].shape[1], tensors["uvcoords"].shape[1], 0)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise NotFoundError(f"no file {path}")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptFileError(f"{path} is no JSON: {error}") from error
    if not isinstance(raw, dict):
        raise CorruptFileError(f"{path} holds a {type(raw).__name__}, expected a configuration: names and values")
    return raw


def _alignment(path: Path | None) -> Any:
    if path is None:
        return None
    from ..readers.alignment import read_alignment

    return np.asarray(read_alignment(path), np.float64).tolist()


def _mesh(model: Next3D, checkpoint: Checkpoint, uv_mask: Path | None, path: Path) -> UvMesh:
    if model.config.topology is None:
        raise InvalidArgumentError(f"{path} has no faces, uvfaces and uvcoords: the head that it draws is not known")
    if uv_mask is not None:
        mask = _read_mask(uv_mask, model.config.texture_resolution)
    else:
        held = checkpoint.attributes.get("uv_face_mask")
        if not isinstance(held, torch.Tensor) or held.ndim < 2:
            raise InvalidArgumentError(f"{path} holds no uv_face_mask; give its picture with --uv-mask")
        mask = held.float().numpy()
    return UvMesh.from_buffers(model.faces, model.uvfaces, model.uvcoords, mask)


def _read_mask(path: Path, size: int) -> np.ndarray:
    """[size, size] float32 in 0..1 of an 8-bit picture; of other sizes the nearest pixels, as the published code reads it."""
    import cv2

    if not path.is_file():
        raise NotFoundError(f"no file {path}")
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise CorruptFileError(f"{path} is no picture that can be read; expected the 8-bit UV mask of face and eyes")
    rows, columns = (np.arange(size) * inside // size for inside in image.shape)
    return image[rows[:, None], columns].astype(np.float32) / 255
