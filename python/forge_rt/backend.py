"""Networks: one exported graph (ONNX) on named arrays, run by ONNX Runtime.

>>> session = fr.Session("faces.onnx")
>>> session.inputs
[<image: float32 [?, 3, 256, 256]>]
>>> session.run({"image": image})["labels"].numpy()

The library comes from the package `onnxruntime`, which is not imported: forge_rt loads its shared library itself.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge_rt import _core
from forge_rt._core import Binding, GraphPort, Tensor, engine_cache_key

__all__ = [
    "Binding",
    "GraphPort",
    "RuntimeInfo",
    "Session",
    "engine_cache_key",
    "find_onnx_runtime",
    "locate_runtime",
    "runtime_info",
]

_LIBRARY_NAMES = ("libonnxruntime.so*", "libonnxruntime*.dylib", "onnxruntime.dll")


class Session:
    """A loaded graph. Immutable; may be run from many threads at once."""

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes,
        device: str = "cpu",
        provider: str = "auto",
        threads: int | None = None,
        *,
        name: str = "",
    ) -> None:
        """
        model       path of an .onnx file (external weights lie in its folder), or its bytes
        device      where the network is meant to run: "cpu", "cuda", "cuda:1"
        provider    "auto" takes that of the device, and the CPU where ONNX Runtime cannot use the GPU (`provider_reason`
                    says why); "cpu" and "cuda" are demands: DeviceUnavailableError when they cannot be met
        threads     of one run; None: as many as the engine (`num_threads()`)
        name        of the model, for errors; default: the path
        """
        locate_runtime()
        self._session = _core.Session(model, device, provider, threads or 0, name)

    @property
    def inputs(self) -> list[GraphPort]:
        return self._session.inputs

    @property
    def outputs(self) -> list[GraphPort]:
        return self._session.outputs

    @property
    def name(self) -> str:
        return self._session.name

    @property
    def model_sha256(self) -> str:
        return self._session.model_sha256

    @property
    def provider(self) -> str:
        """The provider really in use: "cpu" or "cuda"."""
        return self._session.provider

    @property
    def provider_reason(self) -> str:
        """One sentence: what was asked for, what is there, what was taken or why not."""
        return self._session.provider_reason

    def run(self, inputs: Mapping[str, Any], outputs: Sequence[str] = ()) -> dict[str, Tensor]:
        """All outputs, or those named, as new CPU tensors.

        Contiguous arrays are read in place. Dtypes must be those of `inputs`; lists and numbers are converted.
        """
        return self._session.run(dict(inputs), list(outputs))

    def binding(self) -> Binding:
        """Inputs and outputs fixed ahead, for loops with the same shapes: a run allocates no tensor."""
        return Binding(self._session)

    def __repr__(self) -> str:
        return f"<forge_rt.Session {self.name} on {self.provider}: {self.inputs} -> {self.outputs}>"


@dataclass(frozen=True)
class RuntimeInfo:
    path: str  #: of the loaded library
    found_by: str  #: "FORGE_RT_ORT_LIBRARY", "package" or "loader"
    version: str
    build: str
    providers: list[str]  #: compiled in; whether one works here shows when a model loads


def runtime_info() -> RuntimeInfo:
    """Loads ONNX Runtime if nothing has yet, and says what it is. UnsupportedError with all that was tried without one."""
    locate_runtime()
    return RuntimeInfo(**_core._runtime_info())


def locate_runtime() -> None:
    """Tells the engine where the installed package has its library. Every way into a network calls it first."""
    library, found_by, _ = find_onnx_runtime()
    if library is not None and found_by == "package":
        _core._set_runtime_library(str(library))


def find_onnx_runtime() -> tuple[Path | None, str, str]:
    """(library, found by, reason): FORGE_RT_ORT_LIBRARY when set, else the installed package, without importing it."""
    if told := os.environ.get("FORGE_RT_ORT_LIBRARY"):
        path = Path(told)
        return (
            (path, "FORGE_RT_ORT_LIBRARY", "")
            if path.is_file()
            else (None, "FORGE_RT_ORT_LIBRARY", f"FORGE_RT_ORT_LIBRARY names no file: {told}")
        )
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None:
        return None, "", 'ONNX Runtime is not installed; get it with: pip install "forge-rt[cpu]"'
    for folder in spec.submodule_search_locations or []:
        for pattern in _LIBRARY_NAMES:
            if found := sorted(Path(folder, "capi").glob(pattern)):
                return found[0], "package", ""
    return None, "package", "the package onnxruntime is installed but holds no library; reinstall it"
