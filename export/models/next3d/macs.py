"""Multiply-accumulates of convolutions and linear layers, FIR filters and resizing excluded: the unit of spec/next3d §14."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as nnf
from torch.overrides import TorchFunctionMode


class MacCounter(TorchFunctionMode):
    """`with MacCounter() as counter: …`, then `counter.total`. Works on the meta device: no memory, no time."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        if function is nnf.linear or (function is torch.conv2d and kwargs.get("groups", 1) == 1):
            self.total += out.numel() * args[1][0].numel()
        elif function is torch.conv_transpose2d:  # every input pixel meets every weight once
            self.total += args[0].numel() * args[1][0].numel()
        return out


def count(function: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    with MacCounter() as counter, torch.no_grad():
        function(*args, **kwargs)
    return counter.total
