"""The layers of ops.npz and the parts of the renderer in render.npz: with the PyTorch definitions that exported graphs are compared with.

Sizes come from the arrays; what is special about a case is in its name.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from . import tolerances as tol
from .report import Report, groups

PATH = "definition"
Arrays = dict[str, np.ndarray]


def missing(report: Report, section: str) -> bool:
    """True, and said so, where PyTorch is not there."""
    if importlib.util.find_spec("torch") is not None:
        return False
    report.skip(f"{section}/definitions", 'PyTorch is not installed: pip install "forge-rt[export]"')
    return True


def check_layers(data: Arrays, report: Report) -> None:
    import torch

    with torch.no_grad():
        for pattern, run in LAYERS.items():
            for found in groups(data, rf"({pattern})\."):
                name = found.group(1)
                items = {
                    key[len(name) + 1 :]: torch.from_numpy(
                        value.astype(np.float32) if value.dtype == np.float16 else value
                    )
                    for key, value in data.items()
                    if key.startswith(f"{name}.")
                }
                state = {key[3:]: value for key, value in items.items() if key.startswith("sd.")}
                outputs = run(name, items, state)
                for key, got in outputs.items():
                    want = items[key].numpy()
                    # sums of some hundred terms, and of some thousand in the networks
                    atol = (10 if name.startswith("styleunet") else 1) * tol.OPS * max(1.0, float(np.abs(want).max()))
                    report.close(f"ops/{name} {key}", PATH, got, want, atol)


def _filled(module: Any, state: dict[str, Any]) -> Any:
    module.load_state_dict(state)
    return module


def _filter(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d import filters

    return {"out": filters.setup_filter()}


def _resampled(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d import layers

    factor = {"conv_up2": dict(up=2), "conv_down2": dict(down=2)}[name]
    return {"out": layers.conv2d_resample(items["x"], items["w"], items["f"], **factor)}


def _modulated(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d import filters, layers

    return {
        "out": layers.modulated_conv2d(
            items["x"], items["weight"], items["styles"], filters.setup_filter(), noise=items.get("noise"),
            up=items["out"].shape[-1] // items["x"].shape[-1], demodulate="nodemod" not in name,
        )
    }  # fmt: skip


def _fully_connected(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d import layers

    state = state or {key: items[key] for key in ("weight", "bias")}
    multiplier = re.search(r"_lr(\d)(\d+)$", name)  # lr001: 0.01
    options = {"activation": "lrelu" if "lrelu" in name else "linear"}
    outside, inside = state["weight"].shape
    made = layers.FullyConnected(
        inside, outside, multiplier=float(f"{multiplier[1]}.{multiplier[2]}") if multiplier else 1.0, **options
    )
    return {"out": _filled(made, state)(items["x"])}


def _synthesis_layer(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d import layers

    outside, inside = state["weight"].shape[:2]
    size, clamped = items["out"].shape[-1], "clamp" in name
    made = layers.SynthesisLayer(
        inside, outside, items["w"].shape[1], size, up=size // items["x"].shape[-1], conv_clamp=1.0 if clamped else None
    )
    noise = "none" if "nonoise" in name else "const"
    return {"out": _filled(made, state)(items["x"], items["w"], noise, gain=0.5 if clamped else 1.0)}


def _to_rgb(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d import layers

    outside, inside = state["weight"].shape[:2]
    return {"out": _filled(layers.ToRGB(inside, outside, items["w"].shape[1]), state)(items["x"], items["w"])}


def _block(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d import layers

    no_up = "noup" in name
    channels, size = items["out0"].shape[1], items["out0"].shape[-1]
    inside = items["x"].shape[1] if "x" in items else 0
    made = layers.SynthesisBlock(
        inside, channels, items["ws"].shape[2], size, items["out1"].shape[1], no_up=no_up
    )  # fmt: skip
    # blocks of super-resolution have no noise
    out = _filled(made, state)(items.get("x"), items.get("img"), items["ws"], "none" if no_up else "const")
    return {"out0": out[0], "out1": out[1]}


def _encoder_block(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d.style_unet import EncoderBlock

    inside, condition = state["fromrgb.weight"].shape[:2]
    made = EncoderBlock(condition, inside, state["conv2.weight"].shape[0], first="skip" not in items)
    out = _filled(made, state)(items["x"], items.get("skip"))
    return {"out0": out[0], "out1": out[1]}


def _conv2d(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d import layers

    outside, inside, kernel, _ = state["weight"].shape
    made = layers.Conv2d(
        inside, outside, kernel, bias="bias" in state, activation="lrelu" if "lrelu" in name else "linear",
        down=items["x"].shape[-1] // items["out"].shape[-1],
    )  # fmt: skip
    return {"out": _filled(made, state)(items["x"])}


def _mapping(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d.mapping import MappingNetwork

    outputs = {key: found for key in items if (found := re.fullmatch(r"out_psi(\d)(\d*)(?:_cut(\d+))?", key))}
    made = MappingNetwork(
        items["z"].shape[1], items["c"].shape[1], state["w_avg"].shape[0], items[next(iter(outputs))].shape[1],
        num_layers=sum(re.fullmatch(r"fc\d+\.weight", key) is not None for key in state),
        embed_features=state["embed.weight"].shape[0], layer_features=state["fc0.weight"].shape[0],
    )  # fmt: skip
    _filled(made, state)
    return {
        key: made(items["z"], items["c"], float(f"{found[1]}.{found[2] or 0}"), int(found[3]) if found[3] else None)
        for key, found in outputs.items()
    }


def _style_unet(name: str, items: Any, state: Any) -> Any:
    from forge_rt.export.models.next3d.style_unet import StyleUNet

    resolution, in_size, final_size, condition, base, widest = items["cfg"].tolist()
    made = StyleUNet(
        items["ws"].shape[2], resolution, items["out"].shape[1], in_size=in_size, final_size=final_size,
        condition_channels=items["x"].shape[1], condition_resolution=condition, channel_base=base, channel_max=widest, dead_weights=True,
    )  # fmt: skip
    return {"out": _filled(made, state)(items["x"], items["ws"])}


LAYERS: dict[str, Callable[[str, Any, Any], Any]] = {
    r"setup_filter_1331": _filter,
    r"conv_(?:up|down)2": _resampled,
    r"modconv_\w+": _modulated,
    r"fc_\w+": _fully_connected,
    r"synthlayer_\w+": _synthesis_layer,
    r"torgb": _to_rgb,
    r"block_\w+": _block,
    r"encblock_\w+": _encoder_block,
    r"conv2dlayer_\w+": _conv2d,
    r"mapping": _mapping,
    r"styleunet_\w+": _style_unet,
}


def check_renderer(data: Arrays, report: Report) -> None:
    import torch
    from forge_rt.export.models.next3d import rays, renderer, tri_plane

    given = {k: torch.from_numpy(v.astype(np.float32) if v.dtype == np.float16 else v) for k, v in data.items()}

    def close(name: str, got: Any, atol: float, where: Any = None) -> None:
        if name in data:
            report.close(f"render/{name}", PATH, got, data[name], atol, where)

    with torch.no_grad():
        size = int(data["ray_res"])
        origins, directions = rays.camera_rays(given["c"], size)
        close("ray_origins", origins, tol.RAYS)
        close("ray_dirs", directions, tol.RAYS)
        if "intrinsics_skewed" in data:
            poses = given["c"][:, :16].reshape(-1, 4, 4)
            close("ray_dirs_skewed", rays.rays(poses, given["intrinsics_skewed"], size)[1], tol.RAYS)
        start, end = rays.box_range(origins, directions, 1.0)
        close("box_tmin", start, tol.RENDER)
        close("box_tmax", end, tol.RENDER)
        if {"plane_axes", "points"} <= data.keys():
            axes = given["plane_axes"]
            projected = tri_plane.project(given["points"] * 2, axes).flatten(0, 1)
            close("projected", projected, tol.RAYS)
            features = tri_plane.sample_planes(given["planes"], given["points"], axes, 1.0)
            close("plane_features_mean", features, tol.RENDER)
        if {"u_strat", "u_imp", "coarse_weights"} <= data.keys():
            draws = [(given[name].float() + 0.5) / 256 for name in ("u_strat", "u_imp")]
            coarse = rays.coarse_depths(2.25, 3.3, draws[0].shape[2], draws[0])
            close("coarse_depths", coarse, tol.RAYS)
            close("fine_depths", rays.fine_depths(coarse, given["coarse_weights"], draws[1]), tol.RENDER_DEPTH)
        if "mm_colors" in data:
            samples = [given[f"mm_{name}"] for name in ("colors", "densities", "depths")]
            marched = renderer.march(*samples)
            close("mm_rgb", marched.colour, tol.RENDER)
            close("mm_weights", marched.weights, tol.RENDER)
            close("mm_depth", marched.depth, tol.RENDER_DEPTH, marched.weights.sum(2).numpy() > tol.RENDER_SOLID)
            close("mm_rgb_white", renderer.march(*samples, white_back=True).colour, tol.RENDER)
