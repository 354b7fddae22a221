"""Which head drives a generator, and a bundle with the user's own FLAME for those that asked for one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import CorruptFileError, InvalidArgumentError, bundles
from forge_rt.topology import same_topology, topology_sha256

from ..readers import flame


@dataclass(frozen=True)
class HeadReference:
    """The head that a generator was trained with. Its data stays where it is; the sum tells another topology apart."""

    family: str  #: "flame" or "forgehead"
    vertices: int
    sha256: str  #: `topology_sha256`

    @staticmethod
    def of(family: str, triangles: np.ndarray, vertices: int | None = None) -> HeadReference:
        count = int(np.max(triangles)) + 1 if vertices is None else vertices
        return HeadReference(family, count, topology_sha256(triangles))


def read_embedding(path: str | Path) -> dict[str, np.ndarray]:
    """DECA's `landmark_embedding.npy` (static and dynamic in one file) → arrays as `Head.load` finds them in a bundle."""
    made = {}
    for part in ("static", "dynamic"):
        made[f"landmark_{part}_face"], made[f"landmark_{part}_bary"] = flame.read_embedding(path, part)
    if made["landmark_static_face"].shape != (51,) or made["landmark_dynamic_face"].shape[1:] != (17,):
        raise CorruptFileError(
            f"{path} has {made['landmark_static_face'].shape} static and {made['landmark_dynamic_face'].shape} contour landmarks, "
            "expected (51,) and (79, 17)"
        )
    return made


def write_head_bundle(arrays: flame.FlameArrays, path: Path, embedding: dict[str, np.ndarray] | None) -> str:
    """The user's FLAME as a bundle of family "head", which `Head.load` and `generate` take; returns its hash."""
    from safetensors.numpy import save

    held: dict[str, Any] = {
        name: getattr(arrays, name) for name in ("v_template", "faces", "shapedirs", "posedirs", "J_regressor", "weights")
    }  # fmt: skip
    held |= {"parents": np.asarray(arrays.parents, np.int32), "n_shape": np.asarray(arrays.n_shape, np.int32)}
    held |= embedding or {}
    data = save({name: np.asarray(value, order="C") for name, value in held.items() if value is not None})
    fields = {
        "licence": "that of the FLAME model it was made from; not to be passed on",
        "provenance": {"made_by": "forge-rt export", "family": "flame"},
        "n_shape": arrays.n_shape,
        "n_expression": arrays.shapedirs.shape[2] - arrays.n_shape,
        "unit": "metre",
    }
    return bundles.write(path, "head", {"head.safetensors": data}, fields)


def check_same(triangles: np.ndarray, arrays: flame.FlameArrays, where: str | Path) -> None:
    """Raises InvalidArgumentError when a head's triangles are not those of the checkpoint."""
    if not same_topology(triangles, arrays.faces):
        raise InvalidArgumentError(
            f"the checkpoint was made for a head of {int(np.max(triangles)) + 1} vertices and {len(triangles)} triangles, {where} has "
            f"{len(arrays.v_template)} and {len(arrays.faces)}, or the same in other places; give the FLAME model that it was trained with"
        )
