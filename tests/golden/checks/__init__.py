"""Sections of the golden runner, by file name. Later capabilities add theirs here."""

from . import cameras, e2e_small, flame_lbs, metrics, ops, raster, render, synthforge

SECTIONS = {
    "ops.npz": ops,
    "raster.npz": raster,
    "render.npz": render,
    "e2e_small.npz": e2e_small,
    "flame_lbs.npz": flame_lbs,
    "cameras.npz": cameras,
    "metrics.npz": metrics,
    "synthforge.npz": synthforge,
}
