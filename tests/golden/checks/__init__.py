"""Sections of the golden runner, by file name. Later capabilities add theirs here."""

from . import cameras, flame_lbs, metrics, raster, render

SECTIONS = {
    "raster.npz": raster,
    "render.npz": render,
    "flame_lbs.npz": flame_lbs,
    "cameras.npz": cameras,
    "metrics.npz": metrics,
}
