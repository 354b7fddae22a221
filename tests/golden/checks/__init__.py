"""Sections of the golden runner, by file name. Later capabilities add theirs here."""

<<<<<<< HEAD
from . import cameras, e2e_small, flame_lbs, metrics, ops, raster, render, synthforge
=======
<<<<<<< HEAD
from . import cameras, e2e_small, flame_lbs, metrics, ops, raster, render
=======
from . import cameras, flame_lbs, metrics, ops, raster, render, synthforge
>>>>>>> prod7
>>>>>>> mini7

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
