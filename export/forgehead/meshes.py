"""Meshes that ride on the head (clothes, glasses, hats, earrings) and objects in front of it."""

from __future__ import annotations

import numpy as np

from .head import Head
from .write import Described


def build_meshes(head: Head) -> Described:
    """Arrays mesh_* of parts.safetensors (metres, head frame) and their rows (cpp/models/forge_head/model.h, MeshPart)."""
    del head
    arrays = {
        "mesh_position": np.zeros((0, 3), np.float32),
        "mesh_uv": np.zeros((0, 2), np.float32),
        "mesh_bind": np.zeros((0, 4), np.int32),
        "mesh_weight": np.zeros((0, 4), np.float32),
        "mesh_triangles": np.zeros((0, 3), np.int32),
    }
    return Described(arrays, [])
