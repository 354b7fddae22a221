"""flame_lbs.npz: FLAME evaluation and landmarks from arrays and from the on-disk formats (spec/next3d §17)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import forge_rt as fr
import numpy as np

from . import tolerances as tol
from .report import Report

_MODEL, _STATIC, _DYNAMIC = "flame_synthetic_chumpy.pkl", "flame_synthetic_static.pkl", "flame_synthetic_dynamic.npy"
companions = (_MODEL, _STATIC, _DYNAMIC)

#: joints from the neck up to the root turn the contour
_CHAIN = [1, 0]


def _n_shape(data: dict[str, np.ndarray], case: dict[str, Any]) -> int:
    """Where shapedirs splits: as stated, as given, or FLAME's three quarters (300 of 400)."""
    components = data["shapedirs"].shape[2]
    if "n_shape" in case:
        return int(case["n_shape"])
    if data["shape"].shape[1] + data["expression"].shape[1] == components:
        return data["shape"].shape[1]
    return 300 if components == 400 else components * 3 // 4


def run(path: Path, case: dict[str, Any], report: Report) -> None:
    data = dict(np.load(path, allow_pickle=False))
    n_shape = _n_shape(data, case)
    heads = {"arrays": fr.Head(
        v_template=data["v_template"], faces=data["faces"], shapedirs=data["shapedirs"], posedirs=data["posedirs"],
        J_regressor=data["J_regressor"], weights=data["weights"], parents=data["parents"].tolist(), n_shape=n_shape,
        static_landmarks=(data["static_idx"], data["static_bary"]), dynamic_landmarks=(data["dynamic_idx"], data["dynamic_bary"]),
    )}  # fmt: skip
    folder = path.parent
    if (folder / _MODEL).is_file():
        heads["files"] = fr.Head.load(
            folder / _MODEL, n_shape=n_shape,
            static_landmarks=folder / _STATIC if (folder / _STATIC).is_file() else None,
            dynamic_landmarks=folder / _DYNAMIC if (folder / _DYNAMIC).is_file() else None,
        )  # fmt: skip

    batch, joints = data["full_pose"].shape[0], len(data["parents"])
    pose = data["full_pose"].reshape(batch, joints, 3)
    translation = data["transl"][:, None]
    for name in report.paths():
        for source, head in heads.items():
            mesh = head.evaluate(
                shape=data["shape"], expression=data["expression"], pose=pose, translation=data["transl"]
            )
            still = head.evaluate(shape=data["shape"], expression=data["expression"], pose=pose)
            here = f"flame_lbs/{source}"
            report.close(f"{here}.verts", name, mesh.vertices, data["verts"], tol.LBS)
            report.close(f"{here}.verts_notransl", name, still.vertices, data["verts_notransl"], tol.LBS)
            report.close(f"{here}.rodrigues", name, mesh.rotations, data["rodrigues"], tol.LBS)
            report.close(f"{here}.joints_posed", name, still.joints, data["joints_posed"], tol.LBS)
            report.close(
                f"{here}.joints_posed + transl", name, mesh.joints, data["joints_posed"] + translation, tol.LBS
            )
            if mesh.landmarks is not None and np.asarray(mesh.landmarks).shape == data["landmarks"].shape:
                report.close(f"{here}.landmarks", name, mesh.landmarks, data["landmarks"], tol.LBS)
            else:
                report.fail(f"{here}.landmarks", "the landmark embeddings are missing")
            rows = fr.contour_rows(mesh.rotations, _CHAIN, -1)
            report.close(f"{here}.dyn_face_idx", name, data["dynamic_idx"][rows], data["dyn_face_idx"], tol.EXACT)
            report.close(f"{here}.dyn_bary", name, data["dynamic_bary"][rows], data["dyn_bary"], tol.EXACT)
        if {"pose", "neck", "eye"} <= data.keys() and joints == 5:
            named = heads["arrays"].evaluate(
                shape=data["shape"], expression=data["expression"], global_rotation=data["pose"][:, :3], jaw=data["pose"][:, 3:],
                neck=data["neck"], eyes=data["eye"], translation=data["transl"],
            )  # fmt: skip
            report.close("flame_lbs/named joints.verts", name, named.vertices, data["verts"], tol.LBS)
