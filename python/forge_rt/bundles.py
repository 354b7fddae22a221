"""Bundles: models on disk, complete, checked, without code (docs/design/bundles.md).

>>> [b.name for b in forge_rt.bundles.installed()]
['forgehead']
>>> forge_rt.bundles.verify(forge_rt.asset_path("forgehead.forge")).passed
True
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge_rt import _core
from forge_rt._core import Bundle, CorruptFileError, ForgeError, InvalidArgumentError
from forge_rt.paths import asset_path

__all__ = ["Bundle", "BundleInfo", "Verification", "find", "info", "installed", "pack", "verify", "write"]

MANIFEST, SUFFIX = "bundle.json", ".forge"
FORMAT_VERSION = 1
#: folders with bundles of the user's own, joined by the system's path separator
ENVIRONMENT = "FORGE_RT_MODELS"


@dataclass(frozen=True)
class BundleInfo:
    """What a bundle says about itself; its hashes were checked."""

    name: str
    family: str
    path: Path
    hash: str
    licence: str
    bytes: int
    has_golden: bool
    manifest: dict[str, Any]


def info(path: str | os.PathLike[str]) -> BundleInfo:
    """Opens a bundle, a folder or a zip archive, and checks it. Raises NotFoundError, CorruptFileError or UnsupportedError."""
    bundle = Bundle.open(path)
    manifest = bundle.manifest
    return BundleInfo(
        manifest.get("name", name_of(path)), bundle.family, Path(path), bundle.hash, manifest.get("licence", "not stated"),
        len(bundle.manifest_text.encode()) + sum(file.nbytes for file in bundle.files.values()), "golden" in manifest, manifest,
    )  # fmt: skip


def name_of(path: str | os.PathLike[str]) -> str:
    """What a bundle is called by its path: the last part without .forge."""
    return Path(path).name.removesuffix(SUFFIX)


def folders() -> list[Path]:
    """Where bundles are looked for: the package's, then those of FORGE_RT_MODELS."""
    more = [Path(part) for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
    return [asset_path(), *more]


def installed() -> list[BundleInfo | tuple[Path, ForgeError]]:
    """Every bundle of `folders()`, in order; one that cannot be opened as its path and the error."""
    found: list[BundleInfo | tuple[Path, ForgeError]] = []
    for folder in folders():
        for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
            try:
                found.append(info(path))
            except ForgeError as error:
                found.append((path, error))
    return found


def find(name: str | os.PathLike[str]) -> Path:
    """A path as it is, or the bundle called `name` in `folders()`. Raises NotFoundError, with the names there are."""
    if Path(name).exists():
        return Path(name)
    names = {
        name_of(path): path for folder in reversed(folders()) if folder.is_dir() for path in folder.glob(f"*{SUFFIX}")
    }
    key = str(name).removesuffix(SUFFIX)
    if key not in names:
        raise _core.NotFoundError(
            f"no bundle '{name}'; it is no path, and the installed ones are: {', '.join(sorted(names)) or 'none'}. "
            f"Give a path, or name its folder in {ENVIRONMENT}; `forge-rt models` lists what is found"
        )
    return names[key]


def file_row(data: bytes) -> dict[str, Any]:
    """What bundle.json says about a file."""
    return {"sha256": _core.sha256(data), "bytes": len(data)}


def write(
    path: str | os.PathLike[str], family: str, files: Mapping[str, bytes], fields: Mapping[str, Any], *, name: str | None = None
) -> str:  # fmt: skip
    """Writes the folder `path` with `files` and a bundle.json of `fields`; returns the bundle's hash. Bytes are a function of the arguments.

    `fields` should say licence, provenance and what the family needs. bundle.json is written last and atomically: a folder without it is no bundle.
    """
    from forge_rt.production.files import make_folder, write_atomically

    root = Path(path)
    for file in files:
        if file in (MANIFEST, "", ".", "..") or "/" in file or "\\" in file:
            raise InvalidArgumentError(f"a bundle's file needs a plain name, got {file!r}")
    if clash := {"format_version", "family", "files"} & set(fields):
        raise InvalidArgumentError(f"fields must leave {sorted(clash)[0]!r} to the writer")
    manifest = {
        "format_version": FORMAT_VERSION,
        "family": family,
        "name": name or name_of(root),
        **fields,
        "files": {file: file_row(data) for file, data in sorted(files.items())},
    }
    make_folder(root)
    for file, data in files.items():
        write_atomically(root / file, data)
    text = (json.dumps(manifest, indent=1, allow_nan=False) + "\n").encode()
    write_atomically(root / MANIFEST, text)
    return _core.sha256(text)


def pack(folder: str | os.PathLike[str], archive: str | os.PathLike[str]) -> None:
    """Writes a bundle folder as one file: a zip archive without compression and times, so equal bundles give equal bytes."""
    from forge_rt.production.files import write_atomically

    bundle = Bundle.open(folder)
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as out:
        out.writestr(zipfile.ZipInfo(MANIFEST), bundle.manifest_text)
        for name, data in sorted(bundle.files.items()):
            out.writestr(zipfile.ZipInfo(name), data.numpy().tobytes())
    write_atomically(Path(archive), buffer.getvalue())


@dataclass(frozen=True)
class Verification:
    """One line for each quantity of the golden sample: (name, error, tolerance)."""

    info: BundleInfo
    errors: list[tuple[str, float, float]]
    note: str = ""

    @property
    def passed(self) -> bool:
        """Every hash is right, and every error is within its tolerance. A bundle without a golden sample has only its hashes to show."""
        return all(error <= tolerance for _, error, tolerance in self.errors)


def verify(path: str | os.PathLike[str]) -> Verification:
    """Checks a bundle's hashes and replays its golden sample. Raises like `info`; UnsupportedError for a family this version does not know."""
    from forge_rt import golden

    about = info(path)
    if not about.has_golden:
        return Verification(about, [], "it has no golden sample: only its hashes were checked")
    rows = about.manifest["golden"]
    if not isinstance(rows, dict) or not {"file", "tolerance"} <= rows.keys():
        raise CorruptFileError(f"{path}: golden of {MANIFEST} must name file and tolerance")
    return Verification(about, golden.compare(about))
