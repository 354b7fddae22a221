"""e2e_small.npz: a whole Next3D, exported from the file's own weights and run by the engine (spec/next3d §1).

Sizes come from the tensors, the run's settings from the arrays. What neither can say is the published default, unless case.json has
"rendering_kwargs" (names as in a checkpoint) or "blend_planes".
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import tempfile
from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np

from . import tolerances as tol
from .report import Report

companions: tuple[str, ...] = ()
LANDMARKS = 68
#: array of the file → stage of the engine
STAGES = {
    "render_front": "front",
    "mouth_in": "mouth_in",
    "mouth_out": "mouth_out",
    "stitch_in": "stitched",
    "blend_out": "blended",
    "render_side": "side",
    "render_pitch90": "top",
}
#: … where the side and the top are drawn
ALPHAS = {"alpha_side": "side_alpha", "alpha_pitch90": "top_alpha"}


def run(path: Path, case: dict[str, Any], report: Report) -> None:
    missing = [
        name for name in ("torch", "onnx", "onnxruntime", "safetensors") if importlib.util.find_spec(name) is None
    ]
    if missing:
        report.skip("e2e_small", f'exporting needs {", ".join(missing)}: pip install "forge-rt[cpu,export]"')
        return
    data = dict(np.load(path, allow_pickle=False))
    needed = ("z", "c_cond", "c_render", "v", "u_strat", "u_imp", "uv_mask")
    if lacking := [name for name in needed if name not in data]:
        report.fail("e2e_small", f"the file lacks {', '.join(lacking)}")
        return
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "golden.forge"
        proof = _export(data, case, bundle)
        for file, graph in proof["graphs"].items():
            for name, row in graph["outputs"].items():
                report.limit(f"e2e_small/{file} {name}", "against PyTorch", row["max_abs"], row["max_abs_bar"])
        blend = case.get("blend_planes", "all")
        front = _with_blend_planes(bundle, Path(folder) / "front.forge", "front")
        chosen = _with_blend_planes(bundle, Path(folder) / "chosen.forge", blend)
        for name in report.paths():
            _check(fr.Generator(chosen), data, name, report)
            if "synthforge_variant.image_raw" in data:
                _check_front(fr.Generator(front), data, name, report)


def _export(data: dict[str, np.ndarray], case: dict[str, Any], path: Path) -> dict[str, Any]:
    import torch
    from forge_rt.export.generators import write_generator_bundle
    from forge_rt.export.models.next3d import make_model, read_config
    from forge_rt.export.models.next3d.views import UvMesh
    from forge_rt.export.readers.stylegan_pickle import Checkpoint

    tensors = {k[3:]: torch.from_numpy(_exact(v)) for k, v in data.items() if k.startswith("sd.")}
    options = {
        "c_scale": 1,
        "depth_resolution": data["u_strat"].shape[2],
        "depth_resolution_importance": data["u_imp"].shape[-1],
    }
    if "image.shape" in data:  # the noise that tells these apart is in no such file
        size = int(data["image.shape"][-1])
        wide = (
            tensors["superresolution.block0.torgb.weight"].shape[1]
            > tensors["superresolution.block1.torgb.weight"].shape[1]
            == 128
        )
        kind = {128: "2X", 256: "4X"}.get(size, "8XDC" if wide else "8X")
        options["superresolution_module"] = f"SuperresolutionHybrid{kind}"
    side = int(data["neural_rendering_resolution"]) if "neural_rendering_resolution" in data else 64
    checkpoint = Checkpoint(
        tensors, rendering_kwargs={**options, **case.get("rendering_kwargs", {})}, neural_rendering_resolution=side
    )
    config = read_config(checkpoint, blend_planes="front")
    model = make_model(checkpoint, config)
    mask = data["uv_mask"].astype(np.float32) / (255 if data["uv_mask"].dtype == np.uint8 else 1)
    mesh = UvMesh.from_buffers(model.faces, model.uvfaces, model.uvcoords, mask)
    return write_generator_bundle(model, path, mesh=mesh)


def _exact(values: np.ndarray) -> np.ndarray:
    """Half floats and small integers as the types of a state dict; both were stored without loss."""
    return values.astype(np.float32 if values.dtype.kind == "f" else np.int64)


def _with_blend_planes(bundle: Path, path: Path, blend: str) -> Path:
    path.mkdir()
    for file in bundle.iterdir():
        (path / file.name).hardlink_to(file)
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["generator"]["config"]["blend_planes"] = blend
    (path / "bundle.json").unlink()
    (path / "bundle.json").write_text(json.dumps(manifest))
    return path


@dataclasses.dataclass
class _Run:
    generator: fr.Generator
    data: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        data = self.data
        psi = float(data.get("truncation_psi", 1.0))
        # without a cutoff all styles are truncated, whatever is usual for the bundle
        cutoff = int(data["truncation_cutoff"]) if "truncation_cutoff" in data else self.generator.info.num_ws
        self.identity = self.generator.identity(data["z"], data["c_cond"], psi=psi, cutoff=cutoff)
        v = np.ascontiguousarray(data["v"], np.float32)
        vertices, landmarks = (np.ascontiguousarray(p) for p in np.split(v, [v.shape[1] - LANDMARKS], axis=1))
        self.head = self.generator.expression(self.identity, vertices, landmarks, keep_stages=True)
        coarse, fine = ((data[k].astype(np.float32) + 0.5) / 256 for k in ("u_strat", "u_imp"))
        side = int(data.get("neural_rendering_resolution", 64))
        self.view = self.generator.view(
            self.head, np.ascontiguousarray(data["c_render"], np.float32), resolution=side, coarse=coarse.shape[2], fine=fine.shape[-1],
            randomness="given", u_coarse=coarse, u_fine=fine, features=True,
        )  # fmt: skip


def _check(generator: fr.Generator, data: dict[str, np.ndarray], path: str, report: Report) -> None:
    made = _Run(generator, data)
    ws = np.asarray(made.identity.ws)
    index = data["ws_index"] if "ws_index" in data else np.arange(ws.shape[1])
    if "ws" in data:
        report.close("e2e_small/ws", path, ws[:, index], data["ws"], tol.E2E_WS)
    if "ws_psi1" in data:
        whole = generator.identity(data["z"], data["c_cond"], psi=1.0)
        report.close("e2e_small/ws_psi1", path, np.asarray(whole.ws)[:, index], data["ws_psi1"], tol.E2E_WS)
    if "mouth_box" in data:
        report.close("e2e_small/mouth_box", path, made.head.mouth_box, data["mouth_box"], tol.EXACT)
    if "alpha_front" in data:
        report.close("e2e_small/alpha_front", path, made.head.alpha, data["alpha_front"], tol.ALPHA)
    _probe(data, "textures", np.asarray(made.identity.texture).transpose(0, 3, 1, 2), tol.E2E_PLANES, path, report)
    _probe(data, "static_planes", np.asarray(made.identity.static_planes), tol.E2E_PLANES, path, report)
    for name, stage in STAGES.items():
        if stage in made.head.stages:
            _probe(data, name, np.asarray(made.head.stages[stage]), tol.E2E_PLANES, path, report)
    for name, stage in ALPHAS.items():
        if name in data and stage in made.head.stages:
            atol = tol.FLOAT16 if data[name].dtype == np.float16 else tol.ALPHA
            report.close(f"e2e_small/{name}", path, made.head.stages[stage], data[name], atol)
    _probe(data, "blended", np.asarray(made.head.planes).transpose(0, 1, 4, 2, 3), tol.E2E_PLANES, path, report)
    view = made.view
    _probe(data, "feature_image", np.asarray(view.features), tol.E2E_IMAGE, path, report)
    if "feature_image_f16" in data:
        want = data["feature_image_f16"].astype(np.float32)
        report.close("e2e_small/feature_image_f16", path, view.features, want, tol.FLOAT16 * float(np.abs(want).max()))
    if "image_raw" in data:
        report.close("e2e_small/image_raw", path, view.image_raw, data["image_raw"], tol.E2E_IMAGE)
    if "wsum" in data:
        report.close("e2e_small/wsum", path, _rays(view.weight), data["wsum"], tol.E2E_IMAGE)
    if {"depth", "wsum"} <= data.keys():
        solid = (data["wsum"] > tol.RENDER_SOLID).reshape(np.asarray(view.depth).shape)
        report.close("e2e_small/depth", path, view.depth, data["depth"], tol.E2E_DEPTH, solid)
    _probe(data, "image", np.asarray(view.image), tol.E2E_IMAGE, path, report)
    if "image_u8" in data:  # may be of the first samples alone
        bytes_ = np.asarray(view.rgb8()).transpose(0, 3, 1, 2)[: len(data["image_u8"])]
        report.close("e2e_small/image_u8", path, bytes_, data["image_u8"], tol.E2E_BYTES)


def _check_front(generator: fr.Generator, data: dict[str, np.ndarray], path: str, report: Report) -> None:
    view = _Run(generator, data).view
    name = "synthforge_variant"
    report.close(f"e2e_small/{name}.image_raw", path, view.image_raw, data[f"{name}.image_raw"], tol.E2E_IMAGE)
    if f"{name}.depth" in data:
        solid = np.asarray(view.weight) > tol.RENDER_SOLID
        report.close(f"e2e_small/{name}.depth", path, view.depth, data[f"{name}.depth"], tol.E2E_DEPTH, solid)


def _rays(weight: Any) -> np.ndarray:
    """[N, 1, r, r] → [N, R, 1]"""
    values = np.asarray(weight)
    return values.reshape(len(values), -1, 1)


def _probe(data: dict[str, np.ndarray], name: str, got: np.ndarray, atol: float, path: str, report: Report) -> None:
    """Some values of a large tensor, and mean and root mean square of its channels."""
    if f"{name}.probe_val" not in data:
        return
    wanted = tuple(data[f"{name}.shape"].tolist()) if f"{name}.shape" in data else got.shape
    if got.size != np.prod(wanted):
        report.fail(f"e2e_small/{name}", f"shape {got.shape}, expected {wanted}")
        return
    got = got.reshape(wanted)
    if atol == tol.E2E_PLANES:
        atol *= max(1.0, float(np.abs(data[f"{name}.probe_val"]).max()) / tol.E2E_PLANES_OF)
    values = got.reshape(-1)[data[f"{name}.probe_idx"]]
    report.close(f"e2e_small/{name}", path, values, data[f"{name}.probe_val"], atol)
    double = got.astype(np.float64)
    for part, value in (("chan_mean", double.mean((-2, -1))), ("chan_rms", np.sqrt(np.square(double).mean((-2, -1))))):
        if f"{name}.{part}" in data:
            report.close(f"e2e_small/{name} {part}", path, value, data[f"{name}.{part}"], atol)
