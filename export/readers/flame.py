"""FLAME's files (spec/next3d §17.1): `generic_model.pkl`, landmark embeddings, and the same arrays as npz or safetensors.

FLAME itself comes with a licence of its own; nothing of it is shipped here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import CorruptFileError, ForgeError, InvalidArgumentError, NotFoundError
from forge_rt.export.readers import safe_pickle, torch_streams
from forge_rt.export.readers.safe_pickle import Record


class _Chumpy(Record):
    """`chumpy.ch.Ch`: an array with derivatives; its value is attribute `x`."""


class _Csc(Record):
    """`scipy.sparse.csc_matrix`: state holds data, indices, indptr and _shape."""


_ALLOWED = {
    **safe_pickle.NUMPY_NAMES,
    **safe_pickle.OBJECT_NAMES,
    **torch_streams.TENSOR_NAMES,  # DECA's landmark embedding holds tensors
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy", "Ch"): _Chumpy,
    ("scipy.sparse.csc", "csc_matrix"): _Csc,
    ("scipy.sparse._csc", "csc_matrix"): _Csc,
}
# Objects of the two classes above are made by copy_reg._reconstructor(cls, object, None), so that one must build `cls`.
_ALLOWED["copy_reg", "_reconstructor"] = _ALLOWED["copyreg", "_reconstructor"] = lambda cls, *_: (
    cls() if isinstance(cls, type) and issubclass(cls, Record) else Record()
)


@dataclass
class FlameArrays:
    """Arrays of a FLAME-format model, float32 and int32, under FLAME's names."""

    v_template: np.ndarray  #: [V, 3] metres
    faces: np.ndarray  #: [F, 3]
    shapedirs: np.ndarray  #: [V, 3, K]
    posedirs: np.ndarray | None  #: [V, 3, 9 (J - 1)]
    J_regressor: np.ndarray  #: [J, V]
    weights: np.ndarray  #: [V, J]
    parents: list[int]  #: [J], root -1
    n_shape: int  #: shape components; the rest of K is expression
    extra: dict[str, np.ndarray] = field(default_factory=dict)  #: further arrays of an npz or safetensors file


def _array(value: Any, where: str) -> np.ndarray:
    if isinstance(value, _Chumpy):
        if not isinstance(value.state, dict) or "x" not in value.state:
            raise CorruptFileError(f"{where} is a chumpy object without a value")
        value = value.state["x"]
    if isinstance(value, _Csc):
        return _dense(value.state, where)
    array = np.asarray(value)
    if array.dtype == object:
        raise CorruptFileError(f"{where} holds objects, expected numbers")
    return array


def _dense(state: dict[str, Any], where: str) -> np.ndarray:
    try:
        data, rows, starts = (np.asarray(state[k]) for k in ("data", "indices", "indptr"))
        shape = tuple(int(n) for n in (state["_shape"] if "_shape" in state else state["shape"]))
        if len(shape) != 2 or not all(0 <= n <= 10**7 for n in shape) or shape[0] * shape[1] > 10**9:
            raise ValueError(f"shape {shape}")
        if len(starts) != shape[1] + 1 or len(data) != len(rows) or int(starts[0]) != 0 or int(starts[-1]) != len(data):
            raise ValueError("data, indices and indptr do not fit each other")
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < shape[0]:
            raise ValueError(f"row indices outside 0..{shape[0] - 1}")
        columns = np.repeat(np.arange(shape[1]), np.diff(starts))
        out = np.zeros(shape, dtype=np.float64)
        np.add.at(out, (rows, columns), data)
        return out
    except (KeyError, IndexError, ValueError, TypeError, OverflowError, AttributeError, MemoryError) as error:
        raise CorruptFileError(f"{where} is not a valid sparse matrix: {error}") from error


def _parents(kintree: np.ndarray) -> list[int]:
    """Row 0 of kintree_table; the root is stored as 2^32 - 1 or -1."""
    row = np.asarray(kintree)
    row = row[0] if row.ndim == 2 and len(row) else row
    parents = [-1 if int(p) in (-1, 2**32 - 1, 2**64 - 1) else int(p) for p in row.tolist()] if row.ndim == 1 else []
    if not parents or not all(-1 <= p < 2**31 for p in parents):
        raise ValueError(
            f"kintree_table holds {row.tolist() if row.size < 20 else row.shape}, expected the parent of each joint"
        )
    return parents


def read_model(path: str | Path, *, n_shape: int | None = None) -> FlameArrays:
    """Reads a model from `.pkl`, `.npz` or `.safetensors`.

    `n_shape` splits the components of shapedirs into shape and expression. Default: what the file says (`n_shape`),
    else FLAME's 300 of 400, else all components count as shape.
    Raises NotFoundError, CorruptFileError, or InvalidArgumentError when arrays do not fit each other.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"no file {path}")
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as archive:
                raw: dict[str, Any] = {k: archive[k] for k in archive.files}
        except (ValueError, OSError, KeyError) as error:
            raise CorruptFileError(f"{path} is not a readable npz file: {error}") from error
        except Exception as error:  # zipfile's own errors
            raise CorruptFileError(f"{path} is not a readable npz file: {error}") from error
    elif path.suffix == ".safetensors":
        from forge_rt import read_safetensors

        raw = {k: np.asarray(v) for k, v in read_safetensors(str(path)).items()}
    else:
        raw = safe_pickle.load(path, _ALLOWED, what="FLAME model")
        if isinstance(raw, Record):
            raw = raw.state
    if not isinstance(raw, dict):
        raise CorruptFileError(f"{path} holds a {type(raw).__name__}, expected a dictionary of arrays")
    return from_arrays(raw, where=str(path), n_shape=n_shape)


def from_arrays(raw: dict[str, Any], *, where: str = "model", n_shape: int | None = None) -> FlameArrays:
    """The same from a dictionary; accepts FLAME's names (`f`, `kintree_table`) and plain ones (`faces`, `parents`)."""
    try:
        return _from_arrays(raw, where, n_shape)
    except ForgeError:
        raise
    except (ValueError, TypeError, OverflowError, IndexError) as error:  # arrays that are not what their names say
        raise CorruptFileError(f"{where} is not a FLAME-format model: {error}") from error


def _from_arrays(raw: dict[str, Any], where: str, n_shape: int | None) -> FlameArrays:

    def take(*names: str, required: bool = True) -> np.ndarray | None:
        for name in names:
            if name in raw:
                return _array(raw[name], f"{where}: {name}")
        if required:
            raise CorruptFileError(f"{where} lacks '{names[0]}'; it has {sorted(map(str, raw))[:12]}")
        return None

    def floats(array: np.ndarray | None) -> np.ndarray:
        assert array is not None
        return np.ascontiguousarray(array, dtype=np.float32)

    def whole(array: np.ndarray | None, name: str) -> np.ndarray:
        assert array is not None
        out = np.ascontiguousarray(array, dtype=np.int32)
        if not np.array_equal(out, array):
            raise ValueError(f"{name} holds values that are not 32-bit whole numbers")
        return out

    v_template = floats(take("v_template"))
    faces = whole(take("faces", "f"), "faces")
    shapedirs = floats(take("shapedirs"))
    posedirs = take("posedirs", required=False)
    weights = floats(take("weights", "lbs_weights"))
    regressor = floats(take("J_regressor"))
    kintree = take("parents", "kintree_table")
    assert kintree is not None
    if shapedirs.ndim != 3 or v_template.ndim != 2 or faces.ndim != 2 or faces.shape[1] != 3:
        raise InvalidArgumentError(
            f"{where}: expected v_template [V, 3], faces [F, 3] and shapedirs [V, 3, K], got "
            f"{list(v_template.shape)}, {list(faces.shape)} and {list(shapedirs.shape)}"
        )
    components = shapedirs.shape[2]
    if n_shape is None:
        stated = take("n_shape", required=False)
        n_shape = int(stated) if stated is not None else 300 if components == 400 else components
    if not 0 <= n_shape <= components:
        raise InvalidArgumentError(f"n_shape must be 0..{components} (components of shapedirs), got {n_shape}")
    known = {
        "v_template",
        "faces",
        "f",
        "shapedirs",
        "posedirs",
        "weights",
        "lbs_weights",
        "J_regressor",
        "parents",
        "kintree_table",
    }
    extra = {
        k: np.asarray(v) for k, v in raw.items() if k not in known and isinstance(v, np.ndarray) and v.dtype != object
    }
    return FlameArrays(
        v_template=v_template,
        faces=faces,
        shapedirs=shapedirs,
        posedirs=None if posedirs is None or posedirs.size == 0 else floats(posedirs),
        J_regressor=regressor,
        weights=weights,
        parents=_parents(kintree),
        n_shape=n_shape,
        extra=extra,
    )


def read_static_landmarks(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Static embedding (a pickle, or DECA's one file of both) → (face [51] int32, barycentrics [51, 3] float32)."""
    return read_embedding(path, "static")


def read_dynamic_landmarks(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Contour (`.npy`, its own or DECA's) → (face [79, 17] int32, barycentrics [79, 17, 3] float32)."""
    return read_embedding(path, "dynamic")


def read_embedding(path: str | Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """The "static" or "dynamic" landmarks of a pickle or an `.npy` (a 0-d object array of a dict)."""
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"no file {path}")
    data = path.read_bytes()
    # a contour is an .npy file; static landmarks are one in DECA's
    if part == "dynamic" or data.startswith(b"\x93NUMPY"):
        data = _pickle_of_npy(data, path)
    what = f"landmark embedding ({path.name})"
    raw = safe_pickle.load(data, _ALLOWED, what=what)
    raw = raw.state if isinstance(raw, Record) else raw
    deca = (f"{part}_lmk_faces_idx", f"{part}_lmk_bary_coords")
    if isinstance(raw, dict) and all(key in raw for key in deca):
        raw = {"lmk_face_idx": raw[deca[0]], "lmk_b_coords": raw[deca[1]]}
    return _embedding(raw, str(path))


def _pickle_of_npy(data: bytes, path: Path) -> bytes:
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read(file)
    except Exception as error:  # the header is parsed as Python literals, which can fail in many ways
        raise CorruptFileError(f"{path} is not a readable npy file: {error}") from error
    if not dtype.hasobject:
        raise CorruptFileError(f"{path} holds {dtype}, expected a dictionary with lmk_face_idx and lmk_b_coords")
    return file.read()


def _embedding(raw: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(raw, dict) or "lmk_face_idx" not in raw or "lmk_b_coords" not in raw:
        raise CorruptFileError(f"{where} lacks lmk_face_idx or lmk_b_coords")
    try:
        faces = np.asarray([np.asarray(_array(f, where)) for f in raw["lmk_face_idx"]]).astype(np.int32)
        weights = np.asarray([np.asarray(_array(w, where)) for w in raw["lmk_b_coords"]]).astype(np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise CorruptFileError(f"{where}: lmk_face_idx or lmk_b_coords is not an array of numbers: {error}") from error
    return np.ascontiguousarray(faces), np.ascontiguousarray(weights)
