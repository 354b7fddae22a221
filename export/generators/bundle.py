"""Generators → bundles: stage graphs, arrays, contract and proof (docs/design/next3d.md)."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from forge_rt import InvalidArgumentError, UnsupportedError, bundles, golden
from forge_rt.annotation import world as frames

from ..graphs.storage import SMALLEST, store_as_fp16
from ..models.next3d import EG3D, EG3DConfig, Next3D, Next3DConfig
from ..models.next3d.views import UvMesh
from ..verify import record
from .proof import prove_model, prove_stage
from .stages import stages, super_resolution_input
from .topology import HeadReference

ARRAYS = "generator.safetensors"
PRECISIONS = ("fp32", "fp16")
CONDITIONING = ("frontal", "view")
BLEND_PLANES = ("front", "all")
_MOST_PSI, _MOST_CUTOFF = 100, 1 << 16  # what the engine reads


@dataclass(frozen=True)
class World(frames.World):
    """Head frame (metres) → the generator's world: scale · p + shift, unless a map was fitted."""

    alignment: Sequence[Sequence[float]] | None = None  #: [3, 4], in place of the two

    @staticmethod
    def of_config(config: EG3DConfig, alignment: Sequence[Sequence[float]] | None = None) -> World:
        """A Next3D draws a head where its views of the mesh put it, and √2 / 10 in front (spec/next3d §18.2). Views fill the planes' box."""
        if not isinstance(config, Next3DConfig):
            return World(frames.SYNTHFORGE_WORLD.scale, frames.SYNTHFORGE_WORLD.shift, alignment)
        scale = config.orth_scale * config.rendering.box_warp / 2
        x, y, z = (scale * s for s in config.orth_shift)
        return World(scale, (x, y, z + 2**0.5 / 10), alignment)


@dataclass(frozen=True)
class About:
    licence: str = "not stated"
    about: str = ""  #: one sentence for cards of data sets
    use: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_generator_bundle(
    model: EG3D,
    path: str | Path,
    *,
    head: HeadReference | None = None,
    world: World | None = None,
    mesh: UvMesh | None = None,
    precision: str = "fp32",
    conditioning: str = "frontal",
    psi: float = 0.7,
    cutoff: int | None = None,
    bounds: Sequence[Sequence[float]] | None = None,
    surface_level: float | None = None,
    about: About | None = None,
    threads: int = 1,
    tell: Callable[[str, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Writes `model` as the bundle folder `path` and returns the proof that is stored in it. `path` appears complete or not at all.

    mesh       triangles, texture coordinates and mask of the head, for a Next3D whose buffers lack them
    precision  "fp16": weights are stored as half floats. Everything computes in float32; proof is against the definition with rounded weights
    bounds     [2, 3]: where the generator draws a head, in its world (None: its whole box)
    surface_level  raw density of what counts as the surface (None: 10, as published)
    psi, cutoff  truncation unless a user says otherwise; cutoff None: the styles of the static planes
    world      None: `World.of_config`
    tell       is called with the name of a graph, and at last with "end to end", and the rows of its outputs, as each has been compared

    Raises ExportError when a stage deviates from the definition, UnsupportedError for sizes that the engine does not take, and
    InvalidArgumentError.
    """
    path = Path(path)
    check_target(path, precision, conditioning, psi, cutoff)
    if cutoff is not None and cutoff > model._total_ws():
        raise InvalidArgumentError(f"cutoff must be at most the model's {model._total_ws()} styles, got {cutoff}")
    check_engine(model.config)
    if isinstance(model, Next3D) and model.config.topology is None and mesh is None:
        raise InvalidArgumentError("this Next3D has no triangles and texture coordinates; give them as mesh")
    model = rounded(model) if precision == "fp16" else model
    model = model.cpu().float().eval()
    is_next3d = isinstance(model, Next3D)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        work = Path(folder)
        files: dict[str, Path] = {}
        rows = []
        for stage in stages(model):
            graph = stage.build()
            if precision == "fp16":
                store_as_fp16(graph)
            files[stage.name] = work / stage.file
            files[stage.name].write_bytes(graph.SerializeToString(deterministic=True))
            del graph
            rows.append(prove_stage(stage, files[stage.name], threads=threads))
            if tell is not None:
                tell(stage.file, rows[-1]["outputs"])
        proof = {**record(rows), "end_to_end": prove_model(model, files, threads=threads)}
        if tell is not None:
            tell("end to end", proof["end_to_end"])
        from safetensors.numpy import save

        data = {file.name: file.read_bytes() for file in files.values()}
        data[ARRAYS] = save(_arrays(model, mesh))
        world = world or World.of_config(model.config)
        about = about or About()
        fields: dict[str, Any] = {
            "licence": about.licence,
            **{name: getattr(about, name) for name in ("about", "use") if getattr(about, name)},
            "provenance": dict(about.provenance),
            "generator": {
                "config": json.loads(json.dumps(model.config.to_json())),
                "sizes": {
                    "num_ws": model._total_ws(),
                    "static_ws": model.num_static_ws,
                    "super_resolution_input": super_resolution_input(model),
                    "image": model.superresolution.resolution,
                },
                "conditioning": conditioning,
                "psi": psi,
                "cutoff": model.num_static_ws if cutoff is None else cutoff,
                "world": {"scale": world.scale, "shift": list(world.shift)},
                "alignment": None if world.alignment is None else [list(map(float, row)) for row in world.alignment],
                **({} if bounds is None else {"bounds": [list(map(float, row)) for row in bounds]}),
                **({} if surface_level is None else {"surface_level": surface_level}),
                "head": None if head is None else vars(head),
            },
            "variants": {
                "fp32": {
                    "weights": {"fp32": "float32", "fp16": "float16"}[precision],
                    "stages": {name: {"file": file.name} for name, file in files.items()},
                }
            },
            "arrays": {"file": ARRAYS},
            "export": proof,
        }
        ready = work / "bundle"
        bundles.write(ready, "next3d" if is_next3d else "eg3d", data, fields, name=bundles.name_of(path))
        golden.add(ready)
        replace(path, ready, aside=work / "replaced")
    return proof


def replace(path: Path, ready: Path, *, aside: Path) -> None:
    """`ready` becomes `path`. What was there is moved `aside` first, and back when that fails: it goes only after the new one has come."""
    held = path.exists()
    if held:
        path.rename(aside)
    try:
        ready.rename(path)
    except BaseException:
        if held:
            aside.rename(path)
        raise


def rounded(model: EG3D) -> EG3D:
    """A copy whose weights are half floats' numbers: those that `store_as_fp16` stores."""
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, tensor in (*made.named_parameters(), *made.named_buffers()):
            if "uvcoords" in name:  # no weight, and not in a graph
                continue
            if tensor.is_floating_point() and tensor.ndim > 1 and tensor.numel() >= SMALLEST:
                tensor.copy_(tensor.half().float())
    return made


def check_engine(config: EG3DConfig) -> None:
    """Sizes that the renderer takes; a bundle of others could not be loaded."""
    for name, most in (("plane_channels", 64), ("decoder_hidden", 128)):
        value = getattr(config, name)
        if value % 8 or value > most:
            raise UnsupportedError(f"{name} must be 8, 16, …, {most} in an exported model, got {value}")
    if config.feature_channels > 64 or config.image_channels != 3:
        raise UnsupportedError(
            f"an exported model has 3 image channels and at most 64 feature_channels, got {config.image_channels} and "
            f"{config.feature_channels}"
        )


def check_target(
    path: Path, precision: str, conditioning: str, psi: float, cutoff: int | None = None, blend_planes: str = "front"
) -> None:
    """What can be said before the minutes of work."""
    if precision not in PRECISIONS:
        raise InvalidArgumentError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if conditioning not in CONDITIONING:
        raise InvalidArgumentError(f"conditioning must be one of {', '.join(CONDITIONING)}, got {conditioning!r}")
    if not abs(psi) <= _MOST_PSI:
        raise InvalidArgumentError(f"psi must be -{_MOST_PSI}..{_MOST_PSI}, got {psi}")
    if cutoff is not None and not 0 <= cutoff <= _MOST_CUTOFF:
        raise InvalidArgumentError(f"cutoff must be 0..{_MOST_CUTOFF}, got {cutoff}")
    if blend_planes not in BLEND_PLANES:
        raise InvalidArgumentError(f"blend_planes must be {' or '.join(BLEND_PLANES)}, got {blend_planes!r}")
    if path.suffix != bundles.SUFFIX:
        raise InvalidArgumentError(f"a bundle's name ends in {bundles.SUFFIX}, got {path.name}")
    if path.exists() and not (path / bundles.MANIFEST).is_file():
        raise InvalidArgumentError(f"{path} exists and is no bundle; give the name of a folder that shall be made")


def _arrays(model: EG3D, mesh: UvMesh | None) -> dict[str, np.ndarray]:
    """What the engine reads beside the graphs. A learning rate's multiplier of the decoder is in its weights."""
    arrays = {}
    for k in (0, 2):
        layer = model.decoder.net[k]
        arrays[f"decoder.net.{k}.weight"] = layer.weight * layer.multiplier
        arrays[f"decoder.net.{k}.bias"] = layer.bias * layer.multiplier
    assert model.backbone.mapping is not None
    arrays["w_avg"] = model.backbone.mapping.w_avg
    arrays["plane_axes"] = model.plane_axes
    made = {name: np.ascontiguousarray(tensor.detach().numpy(), np.float32) for name, tensor in arrays.items()}
    if isinstance(model, Next3D):
        if mesh is None:
            mesh = UvMesh.from_buffers(model.faces, model.uvfaces, model.uvcoords, np.ones((1, 1), np.float32))
        made["faces"] = np.ascontiguousarray(mesh.faces, np.int32)
        made["uvfaces"] = np.ascontiguousarray(mesh.uvfaces, np.int32)
        made["uvcoords"] = np.ascontiguousarray(mesh.uvcoords, np.float32)
        made["uv_face_mask"] = np.ascontiguousarray(mesh.uv_mask, np.float32)
    return made
