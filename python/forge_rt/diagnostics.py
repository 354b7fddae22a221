"""What this installation can do here, and why not more: the facts behind `forge-rt doctor`.

Pure functions that return dataclasses; the command line only prints them. Nothing heavy is imported: versions come
from package metadata, and ONNX Runtime's library is asked directly.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import platform
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import forge_rt
from forge_rt import _core
from forge_rt.backend import find_onnx_runtime
from forge_rt.bench.machine import cpu_model, package_version, usable_cores

#: Version of the JSON document.
FORMAT = 1
DISTRIBUTION = "forge-rt"


@dataclass(frozen=True)
class Isa:
    path: str  #: "baseline", "avx2" or "avx512"
    best: str
    reason: str


@dataclass(frozen=True)
class Cuda:
    built: bool
    devices: list[str]
    driver_version: str  #: "13.0", "" without a driver
    runtime_version: str
    reason: str  #: why there is no device; empty when there is one


@dataclass(frozen=True)
class OnnxRuntime:
    library: str  #: path, empty when none was found
    found_by: str  #: "FORGE_RT_ORT_LIBRARY" or "package"
    version: str
    providers: list[str]  #: compiled in
    packages: dict[str, str]  #: installed distributions that own the module `onnxruntime`
    reason: str  #: why it cannot be used; empty when it can
    note: str


@dataclass(frozen=True)
class Extra:
    name: str
    present: bool
    missing: list[str]  #: requirements that are not met
    get: str  #: command that installs it
    note: str = ""


@dataclass(frozen=True)
class SelfTest:
    layer: str
    name: str
    ok: bool
    detail: str  #: what was found, or why it failed


@dataclass(frozen=True)
class Fallback:
    what: str
    used: str
    reason: str


@dataclass(frozen=True)
class Report:
    versions: dict[str, str]
    cpu: str
    cores: int
    threads: int
    isa: Isa
    cuda: Cuda
    onnx_runtime: OnnxRuntime
    extras: list[Extra]
    op_paths: dict[str, dict[str, str]]  #: {device: {op: path}}
    fallbacks: list[Fallback]
    self_tests: list[SelfTest] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(test.ok for test in self.self_tests)

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, "ok": self.ok, **asdict(self)}


def report() -> Report:
    """Collects everything and runs the self-tests (which switch the process's CPU path for a moment)."""
    isa, cuda, ort = isa_status(), cuda_status(), onnx_runtime_status()
    paths = op_paths(cuda)
    return Report(
        versions=versions(), cpu=cpu_model(), cores=usable_cores(), threads=_core.num_threads(), isa=isa, cuda=cuda,
        onnx_runtime=ort, extras=extras(), op_paths=paths, fallbacks=fallbacks(isa, cuda, ort, paths),
        self_tests=run_self_tests(),
    )  # fmt: skip


# ---- facts ----


def versions() -> dict[str, str]:
    """Versions of what the core package uses, without importing any of it."""
    names = {"numpy": "numpy", "opencv": "opencv-python-headless", "typer": "typer", "rich": "rich", "pyyaml": "pyyaml"}
    found = {
        "forge_rt": forge_rt.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    for key, name in names.items():
        found[key] = package_version(name) or "missing"
    if found["opencv"] == "missing" and (other := package_version("opencv-python")):
        found["opencv"] = f"{other} (opencv-python)"
    return found


def isa_status() -> Isa:
    return Isa(_core.isa(), _core.best_isa(), _core.isa_reason())


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}" if number else ""


def cuda_status() -> Cuda:
    s = _core.cuda_status()
    return Cuda(
        s["built"],
        list(s["devices"]),
        _cuda_version(s["driver_version"]),
        _cuda_version(s["runtime_version"]),
        s["reason"],
    )


def op_paths(cuda: Cuda) -> dict[str, dict[str, str]]:
    """The implementation each op takes, for the CPU and for each usable GPU."""
    return {
        device: dict(_core.op_paths(device)) for device in ("cpu", *(f"cuda:{i}" for i in range(len(cuda.devices))))
    }


# ---- ONNX Runtime ----

COMPILED_IN = "listed providers are compiled in; whether one works here shows when a model opens with it"


def onnx_runtime_status() -> OnnxRuntime:
    packages = {name: version for name in ("onnxruntime", "onnxruntime-gpu") if (version := package_version(name))}
    note = COMPILED_IN
    if len(packages) > 1:
        note = (
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files: uninstall both, "
            f'then install one (pip install "forge-rt[cpu]" or "forge-rt[gpu]"); {note}'
        )
    library, found_by, reason = find_onnx_runtime()
    if library is None:
        return OnnxRuntime("", found_by, "", [], packages, reason, note)
    try:
        info = _core._inspect_runtime_library(str(library))
    except _core.UnsupportedError as error:
        return OnnxRuntime(str(library), found_by, "", [], packages, str(error), note)
    return OnnxRuntime(str(library), found_by, info["version"], info["providers"], packages, "", note)


# ---- extras ----

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;\s*(.*))?$")
_EXTRA_NOTES = {
    "cpu": "exclusive with gpu",
    "gpu": "exclusive with cpu: uninstall onnxruntime before",
}
_EXTRA_MARKER = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def _release(version: str) -> tuple[int, ...]:
    """(2, 13, 0) of "2.13.0+cpu"; trailing zeros do not count."""
    numbers = [int(n) for n in re.findall(r"\d+", re.split(r"[^\d.]", version.strip(), maxsplit=1)[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def satisfies(version: str, specifiers: str) -> bool:
    """Whether "2.13.0+cpu" meets "==2.13.0" or ">=4.10,<5". Knows the operators that our pyproject.toml uses."""
    have = _release(version)
    compare: dict[str, Callable[[tuple[int, ...]], bool]] = {
        ">=": lambda want: have >= want, "<=": lambda want: have <= want, "==": lambda want: have == want,
        "!=": lambda want: have != want, "<": lambda want: have < want, ">": lambda want: have > want,
    }  # fmt: skip
    for part in filter(None, (p.strip() for p in specifiers.split(","))):
        match = re.match(r"(>=|<=|==|!=|<|>)(.*)", part)
        if match and not compare[match[1]](_release(match[2])):
            return False
    return True


def extras() -> list[Extra]:
    """Every extra of the distribution's metadata, with the requirements that this environment does not meet."""
    try:
        metadata = importlib.metadata.metadata(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return []
    needs: dict[str, list[str]] = {name: [] for name in metadata.get_all("Provides-Extra") or []}
    for requirement in metadata.get_all("Requires-Dist") or []:
        match = _REQUIREMENT.match(requirement)
        extra = _EXTRA_MARKER.search(match[3] or "") if match else None
        if not match or not extra:
            continue
        name, specifiers = match[1], match[2].strip()
        version = package_version(name)
        if version is None:
            needs[extra[1]].append(f"{name}{specifiers}")
        elif not satisfies(version, specifiers):
            needs[extra[1]].append(f"{name}{specifiers} (found {version})")
        else:
            needs.setdefault(extra[1], [])
    return [
        Extra(name, not missing, missing, f'pip install "{DISTRIBUTION}[{name}]"', _EXTRA_NOTES.get(name, ""))
        for name, missing in needs.items()
    ]


# ---- fallbacks ----


def fallbacks(isa: Isa, cuda: Cuda, ort: OnnxRuntime, paths: dict[str, dict[str, str]]) -> list[Fallback]:
    """Everything that runs slower or elsewhere than it could, each with its reason."""
    found = []
    if isa.best == "baseline":
        found.append(Fallback("SIMD kernels", "scalar kernels", "this processor or build has neither AVX2 nor AVX-512"))
    elif isa.best == "avx2":
        found.append(Fallback("AVX-512 kernels", "AVX2 kernels", "this processor or build has no AVX-512"))
    if isa.path != isa.best:
        found.append(Fallback(f"CPU path {isa.best}", isa.path, isa.reason))
    elif "best path used instead" in isa.reason:  # FORGE_RT_ISA could not be followed (cpp/core/isa.cpp)
        found.append(Fallback("FORGE_RT_ISA", isa.path, isa.reason))
    if isa.path != "baseline" and (scalar := [op for op, path in paths["cpu"].items() if path == "scalar"]):
        found.append(
            Fallback(", ".join(scalar), "scalar loops on the CPU", "these ops have no SIMD version in this build")
        )
    if not cuda.devices:
        found.append(Fallback("CUDA", "cpu", cuda.reason))
    for device, ops in paths.items():
        if missing := [op for op, path in ops.items() if path == "missing"]:
            found.append(
                Fallback(
                    f"{', '.join(missing)} on {device}",
                    "error when called there",
                    "these ops have no CUDA kernel in this build",
                )
            )
    if ort.reason:
        found.append(Fallback("ONNX Runtime", "nothing: models that are networks cannot run", ort.reason))
    if _core.num_threads() < usable_cores():
        reason = (
            "FORGE_RT_THREADS or set_num_threads()"
            if usable_cores() <= 8 or os.environ.get("FORGE_RT_THREADS")
            else "default is at most 8"
        )
        found.append(
            Fallback(
                f"{usable_cores()} cores",
                f"{_core.num_threads()} threads",
                f"{reason}; set FORGE_RT_THREADS to change it",
            )
        )
    return found


# ---- self-tests ----


def _philox() -> str:
    # last of the known answers of the authors' Random123 (kat_vectors, philox4x32-10)
    counter, key = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    got, want = _core._philox4x32(counter, key), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)
    _expect(got == want, f"expected {[f'{x:08x}' for x in want]}, got {[f'{x:08x}' for x in got]}")
    return "known answer"


def _dlpack() -> str:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    back = np.from_dlpack(_core.from_dlpack(array))
    _expect(
        np.shares_memory(array, back) and bool((array == back).all()),
        "the round trip through DLPack copied or changed the array",
    )
    return "NumPy to Tensor and back, no copy"


def _small_scene() -> tuple[np.ndarray, np.ndarray]:
    """A fan of 24 triangles in clip space, some behind others."""
    rng = np.random.default_rng(5)
    xyw = rng.uniform((-1.2, -1.2, 0.5), (1.2, 1.2, 2.0), size=(26, 3))
    positions = np.stack([xyw[:, 0] * xyw[:, 2], xyw[:, 1] * xyw[:, 2], xyw[:, 2], xyw[:, 2]], axis=-1)[None]
    index = np.arange(24)
    return positions.astype(np.float32), np.stack([index, index + 1, index + 2], axis=-1).astype(np.int32)


def _on_path(isa: str, call: Callable[[], Any]) -> Any:
    from forge_rt.bench.harness import engine_settings

    with engine_settings(isa=isa):
        return call()


def _rasterize() -> str:
    positions, triangles = _small_scene()

    def draw() -> list[np.ndarray]:
        out = _core.rasterize(positions, triangles, (61, 67), cull="none")
        return [np.array(a) for a in (out.face, out.depth, out.barycentrics)]

    path = _core.isa()
    oracle, fast = _on_path("baseline", draw), draw()
    covered = float((oracle[0] >= 0).mean())
    _expect(0.2 < covered < 1.0, f"the test scene covers {covered:.0%} of the image")
    _expect(
        all(np.array_equal(a, b) for a, b in zip(oracle, fast, strict=True)),
        f"path '{path}' and the scalar path differ",
    )
    return f"{path} equals scalar, bit for bit"


def _head_lbs() -> str:
    rng = np.random.default_rng(6)
    v, k = 37, 5
    template, shapedirs = rng.normal(size=(v, 3)), rng.normal(size=(v, 3, k))
    regressor, weights = rng.random((2, v)), rng.random((v, 2))
    regressor, weights = regressor / regressor.sum(1, keepdims=True), weights / weights.sum(1, keepdims=True)
    arrays = [a.astype(np.float32) for a in (template, shapedirs, regressor, weights)]
    basis = _core.HeadBasis(arrays[0], arrays[1], arrays[2], arrays[3], [-1, 0])
    betas, angle = rng.normal(size=(3, k)), 0.4
    pose = np.zeros((3, 2, 3))
    pose[:, 1, 1] = angle  # the second joint turns about y
    got = _core.head_lbs(basis, betas.astype(np.float32), pose.astype(np.float32)).vertices.numpy()
    shaped = template + np.einsum("bk,vck->bvc", betas, shapedirs)
    joint = np.einsum("v,bvc->bc", regressor[1], shaped)[:, None]
    c, s = np.cos(angle), np.sin(angle)
    turned = (shaped - joint) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T + joint
    want = weights[:, :1] * shaped + weights[:, 1:] * turned
    error = float(np.abs(got - want).max())
    _expect(error < 1e-4, f"vertices are wrong by up to {error:.2g} at coordinates of about 5")
    return f"{_core.isa()} agrees with NumPy"


def _assets() -> str:
    folder = Path(forge_rt.__file__).parent / "assets"
    bundles = sorted(folder.glob("*.forge"))
    _expect(
        any(b.name == "forgehead.forge" for b in bundles),
        "forgehead.forge is not in the package's folder assets: reinstall forge-rt",
    )
    return ", ".join(f"{b.name} {_core.Bundle.open(str(b)).hash[:12]}" for b in bundles)


def _temporary_folder() -> str:
    with tempfile.TemporaryDirectory(prefix="forge_rt_") as folder:
        part, final = Path(folder, "shard.part"), Path(folder, "shard")
        with part.open("wb") as file:  # as a shard is written: fsync, then rename
            file.write(b"forge_rt" * 512)
            file.flush()
            os.fsync(file.fileno())
        part.rename(final)
        _expect(final.stat().st_size == 4096, "a file came out shorter than it was written")
    return "temporary folder takes files, fsync and rename"


def _jpeg() -> str:
    import cv2

    picture = np.full((16, 16, 3), (40, 120, 200), np.uint8)
    ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    _expect(bool(ok), "OpenCV could not encode a JPEG")
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    _expect(
        back is not None and int(np.abs(back.astype(int) - picture).max()) <= 4,
        "a JPEG did not survive encoding and decoding",
    )
    return "OpenCV encodes and decodes"


def _python_surface() -> str:
    missing = [name for name in forge_rt.__all__ if not hasattr(forge_rt, name)]
    _expect(not missing, f"forge_rt lacks {', '.join(missing)}")
    return f"{len(forge_rt.__all__)} public names of forge_rt load"


def _exchange() -> str:
    tensor = _core.random_uniform([2, 3], seed=1, index=2, purpose="doctor")
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(tensor))
    _expect(
        np.array_equal(np.load(io.BytesIO(buffer.getvalue())), tensor.numpy()), "np.asarray of a Tensor lost values"
    )
    return "Tensor is taken as an array"


#: (layer, name, function): the function returns what it found or raises.
SELF_TESTS: list[tuple[str, str, Callable[[], str]]] = [
    ("core", "philox", _philox),
    ("core", "dlpack", _dlpack),
    ("ops", "rasterize", _rasterize),
    ("ops", "head_lbs", _head_lbs),
    ("models", "bundled assets", _assets),
    ("production", "temporary folder", _temporary_folder),
    ("production", "jpeg", _jpeg),
    ("surfaces", "python names", _python_surface),
    ("surfaces", "array exchange", _exchange),
]


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def run_self_tests() -> list[SelfTest]:
    """Runs all of them; whatever one raises is its reason, never an error of ours."""
    results = []
    for layer, name, function in SELF_TESTS:
        try:
            results.append(SelfTest(layer, name, True, function()))
        except Exception as error:
            reason = (
                str(error)
                if isinstance(error, (AssertionError, _core.ForgeError))
                else f"{type(error).__name__}: {error}"
            )
            results.append(SelfTest(layer, name, False, reason))
    return results
