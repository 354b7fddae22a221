"""Writes alignments in the layout of `fixMapMLP01.pth`: a whole module, of a class of the script that saved it, in a zip of torch.save."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch


class Map(torch.nn.Module):
    """Never called: what a file holds is its tensors."""

    def __init__(self, **members: torch.nn.Module) -> None:
        super().__init__()
        for name, module in members.items():
            self.add_module(name, module)

    def forward(self, _: Any) -> Any:
        raise SystemExit("a module inside of a file was run")


def module(weights: Mapping[str, np.ndarray], **more: torch.nn.Module) -> torch.nn.Module:
    """fc1, fc2 and bn1 with weights of those names (fc1.weight [4, 3], …)."""
    made = Map(fc1=torch.nn.Linear(3, 4), fc2=torch.nn.Linear(4, 3), bn1=torch.nn.BatchNorm1d(4), **more)
    made.load_state_dict({name: torch.from_numpy(np.array(w)) for name, w in weights.items()}, strict=False)
    return made


def save(path: Path, made: Any, *, class_name: str = "MLP", class_module: str = "__main__") -> Path:
    """Saves `made` as if its class were `class_module.class_name`."""
    Map.__module__, Map.__qualname__, Map.__name__ = class_module, class_name, class_name
    home = sys.modules.setdefault(class_module, type(sys)(class_module))
    before = getattr(home, class_name, None)
    setattr(home, class_name, Map)
    try:
        torch.save(made, path)
    finally:
        if before is None:
            delattr(home, class_name)
        else:
            setattr(home, class_name, before)
    return path
