"""Writes checkpoints in the layout of the published code: what a test hands to the reader instead of an official file.

`save(path, tree)` makes a network of persistent classes, each record with module source that raises when it is executed.
"""

from __future__ import annotations

import io
import pickle
import types
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

#: What an official file holds as source, and what nobody may execute.
SOURCE = 'raise SystemExit("the source inside of a checkpoint was executed")\n'


class EasyDict(dict):
    """`dnnlib.util.EasyDict`"""


class Persistent:
    """An object of a persistent class: pickles as the call that executes its source."""

    def __init__(self, class_name: str, state: dict[str, Any], *, source: str = SOURCE, version: int = 6) -> None:
        self.meta = dict(type="class", version=version, module_src=source, class_name=class_name, state=state)

    def __reduce__(self) -> tuple[Any, ...]:
        return _module("torch_utils.persistence")._reconstruct_persistent_obj, (EasyDict(self.meta),)


class Plain:
    """An object of a class without persistence, of any module and name: made empty, then given its state."""

    def __new__(cls, module: str, name: str, state: dict[str, Any]) -> Any:
        made = object.__new__(_class(module, name))
        made.__dict__.update(state)
        return made


def _module(name: str) -> types.ModuleType:
    return _MODULES[name]


def _class(module: str, name: str) -> type:
    made = _MODULES.setdefault(module, types.ModuleType(module))
    if not hasattr(made, name):
        setattr(made, name, type(name, (), {"__module__": module, "__qualname__": name}))
    return getattr(made, name)


def _function(module: str, name: str) -> Any:
    def never(*_: Any) -> Any:
        raise SystemExit(f"{module}.{name} was called")

    never.__module__, never.__qualname__, never.__name__ = module, name, name
    made = _MODULES.setdefault(module, types.ModuleType(module))
    setattr(made, name, never)
    return never


_MODULES: dict[str, types.ModuleType] = {}
_function("torch_utils.persistence", "_reconstruct_persistent_obj")
EasyDict.__module__, EasyDict.__qualname__ = "dnnlib.util", "EasyDict"
_MODULES["dnnlib.util"] = types.ModuleType("dnnlib.util")
_MODULES["dnnlib.util"].EasyDict = EasyDict  # type: ignore[attr-defined]


def module_state(
    parameters: Mapping[str, torch.Tensor] | None = None,
    buffers: Mapping[str, torch.Tensor] | None = None,
    members: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    """`__dict__` of an nn.Module."""
    return dict(
        training=False,
        _parameters=OrderedDict((k, torch.nn.Parameter(v)) for k, v in (parameters or {}).items()),
        _buffers=OrderedDict(buffers or {}),
        _modules=OrderedDict(members or {}),
        _backward_hooks=OrderedDict(),
        _non_persistent_buffers_set=set(),
        **attributes,
    )


#: Members of which class, by the end of their path; the rest are persistent.
_PLAIN = {
    "decoder": ("training.triplane_v13_neural_blending", "OSGDecoder"),
    "renderer": ("training.volumetric_rendering.renderer", "ImportanceRenderer"),
    "decoder.net": ("torch.nn.modules.container", "Sequential"),
    "encoder": ("torch.nn.modules.container", "ModuleList"),
    "fusion": ("torch.nn.modules.container", "ModuleList"),
}


def network(
    tensors: Mapping[str, torch.Tensor],
    *,
    class_name: str = "TriPlaneGenerator",
    buffers: tuple[str, ...] = (),
    **attributes: Any,
) -> Persistent:
    """A network of nested modules with these tensors. Names that end like one of `buffers` are buffers."""
    tree: dict[str, Any] = {}
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = tensor

    def make(node: dict[str, Any], path: str, **more: Any) -> Any:
        leaves = {k: v for k, v in node.items() if isinstance(v, torch.Tensor)}
        is_buffer = {k: k.endswith(buffers) if buffers else False for k in leaves}
        members = {k: make(v, f"{path}.{k}".strip(".")) for k, v in node.items() if not isinstance(v, torch.Tensor)}
        if path == "decoder.net":
            members["1"] = Plain("torch.nn.modules.activation", "Softplus", module_state(beta=1, threshold=20))
        state = module_state(
            {k: v for k, v in leaves.items() if not is_buffer[k] and v.is_floating_point()},
            {k: v for k, v in leaves.items() if is_buffer[k] or not v.is_floating_point()},
            members,
            **more,
        )
        kind = _PLAIN.get(path) or _PLAIN.get(path.rpartition(".")[2])
        own = class_name if not path else path.rpartition(".")[2].capitalize()
        return Plain(*kind, state) if kind else Persistent(own, state)

    return make(tree, "", **attributes)


def dumps(value: Any, protocol: int = 4) -> bytes:
    out = io.BytesIO()
    _Pickler(out, protocol).dump(value)
    return out.getvalue()


class _Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Writes stand-ins under their published names, which no module here has."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = getattr(obj, "__module__", None)
        if module in _MODULES and getattr(_MODULES[module], obj.__qualname__, None) is obj:
            if self.proto >= 4:
                self.save(module)
                self.save(obj.__qualname__)
                self.write(pickle.STACK_GLOBAL)
            else:
                self.write(pickle.GLOBAL + f"{module}\n{obj.__qualname__}\n".encode())
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    def save_type(self, obj: Any) -> None:
        self.save_global(obj)

    dispatch: ClassVar[dict[Any, Any]] = {**pickle._Pickler.dispatch, type: save_type, types.FunctionType: save_global}  # type: ignore[attr-defined]


def save(path: Path, ema: Any, *, protocol: int = 4, **others: Any) -> Path:
    """A whole file: the five keys of official ones."""
    content = dict(
        training_set_kwargs=EasyDict(path="data.zip", use_labels=True), G=None, D=None, G_ema=ema, augment_pipe=None
    )
    path.write_bytes(dumps({**content, **others}, protocol))
    return path
