"""FLAME's files: what is read, what is refused, and that nothing in a file is ever run."""

from __future__ import annotations

import io
import pickle
import pickletools
import sys
import types
from collections import OrderedDict
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
from damaged_files import read_damaged
from forge_rt.export.readers import flame, safe_pickle

GOLDEN = Path(__file__).parents[1] / "golden" / "next3d"


def model(vertices=12, joints=5, components=6, posedirs=True, faces=8) -> dict:
    """Arrays under FLAME's names and in its dtypes."""
    rng = np.random.default_rng(0)
    parents = np.array([2**32 - 1, 0, 1, 1, 1], np.uint32)[:joints]
    out = dict(
        v_template=rng.uniform(-0.1, 0.1, (vertices, 3)),
        f=rng.integers(0, vertices, (faces, 3)).astype(np.uint32),
        shapedirs=rng.normal(0, 0.003, (vertices, 3, components)),
        J_regressor=rng.dirichlet(np.ones(vertices), joints),
        weights=rng.dirichlet(np.ones(joints), vertices),
        kintree_table=np.stack([parents, np.arange(joints, dtype=np.uint32)]),
        bs_type="lrotmin",
        bs_style="lbs",
    )
    if posedirs:
        out["posedirs"] = rng.normal(0, 0.002, (vertices, 3, 9 * (joints - 1)))
    return out


def save(folder: Path, raw, suffix=".pkl", protocol=2) -> Path:
    path = folder / f"model{suffix}"
    if suffix == ".npz":
        np.savez(path, **raw)
    elif suffix == ".safetensors":
        safetensors = pytest.importorskip("safetensors.numpy")
        plain = {
            k: v.astype(np.int64) if v.dtype == np.uint32 else v for k, v in raw.items() if isinstance(v, np.ndarray)
        }
        safetensors.save_file(plain, path)
    else:
        path.write_bytes(pickle.dumps(raw, protocol))
    return path


def assert_reads(path, raw, **options):
    read = flame.read_model(path, **options)
    for name, array in dict(
        v_template=read.v_template,
        shapedirs=read.shapedirs,
        J_regressor=read.J_regressor,
        weights=read.weights,
        posedirs=read.posedirs,
    ).items():
        if raw.get(name) is None or np.size(raw[name]) == 0:
            assert array is None
            continue
        assert array.dtype == np.float32 and array.flags.c_contiguous
        np.testing.assert_array_equal(array, np.float32(raw[name]))
    np.testing.assert_array_equal(read.faces, raw["f"])
    assert read.faces.dtype == np.int32
    assert read.parents == [-1, 0, 1, 1, 1][: len(raw["weights"][0])]
    return read


# ---- round trips ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pkl", ".npz", ".safetensors"])
@pytest.mark.parametrize("joints, posedirs", [(5, True), (5, False), (2, True), (1, False)])
def test_round_trip(tmp_path, suffix, joints, posedirs):
    raw = model(joints=joints, posedirs=posedirs)
    path = save(tmp_path, raw, suffix)
    assert_reads(path, raw)
    head = fr.Head.load(path)
    assert (head.n_vertices, head.n_joints, head.n_shape, head.n_expression) == (12, joints, 6, 0)
    other = fr.Head(
        v_template=raw["v_template"], faces=raw["f"], shapedirs=raw["shapedirs"], posedirs=raw.get("posedirs"),
        J_regressor=raw["J_regressor"], weights=raw["weights"], parents=[-1, 0, 1, 1, 1][:joints], n_shape=6,
    )  # fmt: skip
    parameters = dict(shape=np.ones((2, 6)), pose=np.full((2, joints, 3), 0.3))
    assert (
        np.asarray(head.evaluate(**parameters).vertices).tobytes()
        == np.asarray(other.evaluate(**parameters).vertices).tobytes()
    )


@pytest.mark.parametrize("protocol", range(5))
def test_pickle_protocols(tmp_path, protocol):
    raw = model()
    assert_reads(save(tmp_path, raw, protocol=protocol), raw)


def test_pickle_protocol_5(tmp_path):
    raw = model()
    assert_reads(save(tmp_path, raw, protocol=5), raw)


def test_empty_arrays_in_protocol_2(tmp_path):
    raw = model(joints=1, posedirs=False)
    raw["posedirs"] = np.zeros((12, 3, 0))
    assert_reads(save(tmp_path, raw), raw)


@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_array_layouts(tmp_path, suffix):
    raw = model()
    varied = {
        **raw, "v_template": np.asfortranarray(raw["v_template"]), "shapedirs": raw["shapedirs"].astype(">f8"),
        "f": raw["f"].astype(np.int64), "kintree_table": raw["kintree_table"].astype(np.int64),
    }  # fmt: skip
    varied["kintree_table"][0, 0] = -1
    assert_reads(save(tmp_path, varied, suffix), raw)


def test_plain_names_and_further_arrays(tmp_path):
    raw = model()
    plain = {
        **raw,
        "faces": raw["f"],
        "parents": np.array([-1, 0, 1, 1, 1]),
        "lbs_weights": raw["weights"],
        "uv": np.ones((4, 2)),
        "n_shape": np.array(4),
    }
    for name in ("f", "kintree_table", "weights", "bs_type", "bs_style"):
        del plain[name]
    for suffix in (".npz", ".safetensors", ".pkl"):
        path = save(tmp_path, plain, suffix)
        read = assert_reads(path, {**raw, **plain, "f": plain["faces"]})
        assert read.n_shape == 4
        np.testing.assert_array_equal(read.extra["uv"], plain["uv"])
        assert fr.Head.load(path).n_expression == 2


def test_where_shape_ends(tmp_path):
    flame_sized = save(tmp_path, model(components=400))
    assert flame.read_model(flame_sized).n_shape == 300
    assert flame.read_model(flame_sized, n_shape=10).n_shape == 10
    assert fr.Head.load(flame_sized).n_expression == 100
    for n_shape in (-1, 401):
        with pytest.raises(
            fr.InvalidArgumentError, match=rf"n_shape must be 0\.\.400 \(components of shapedirs\), got {n_shape}"
        ):
            flame.read_model(flame_sized, n_shape=n_shape)


def test_golden_files_are_read():
    """Written by other code: chumpy arrays, a sparse regressor, Python 2's reconstruction."""
    head = fr.Head.load(
        GOLDEN / "flame_synthetic_chumpy.pkl", static_landmarks=GOLDEN / "flame_synthetic_static.pkl",
        dynamic_landmarks=GOLDEN / "flame_synthetic_dynamic.npy",
    )  # fmt: skip
    assert (head.n_vertices, head.n_joints, head.n_shape, head.n_expression) == (80, 5, 300, 100)
    assert head.evaluate().landmarks.shape == (1, 68, 3)


# ---- objects of other packages --------------------------------------------------------------------------------------


def foreign(monkeypatch, module: str, name: str, **members) -> type:
    """A class that pickles under another package's name, and whose methods must never run."""

    def forbidden(*_):
        raise AssertionError(f"{module}.{name} was run")

    cls = type(
        name,
        (),
        {"__module__": module, "__init__": forbidden, "__setstate__": forbidden, "__call__": forbidden, **members},
    )
    *parents, _ = module.split(".")
    for depth in range(1, len(parents) + 1):
        if (full := ".".join(parents[:depth])) not in sys.modules:
            monkeypatch.setitem(sys.modules, full, types.ModuleType(full))
    monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    monkeypatch.setattr(sys.modules[module], name, cls, raising=False)
    return cls


def instance(cls, **state):
    made = object.__new__(cls)
    made.__dict__.update(state)
    return made


@pytest.mark.parametrize("module", ["chumpy.ch", "chumpy"])
@pytest.mark.parametrize("protocol", range(5))
def test_chumpy_records(tmp_path, monkeypatch, module, protocol):
    cls = foreign(monkeypatch, module, "Ch")
    raw = model()
    wrapped = {
        k: instance(cls, x=raw[k], _dirty=True, dtype=None)
        for k in ("v_template", "shapedirs", "weights", "J_regressor")
    }
    assert_reads(save(tmp_path, {**raw, **wrapped}, protocol=protocol), raw)


def test_chumpy_records_without_a_value(tmp_path, monkeypatch):
    cls = foreign(monkeypatch, "chumpy.ch", "Ch")
    for state in ({}, {"y": 1}):
        path = save(tmp_path, {**model(), "v_template": instance(cls, **state, other=1)})
        with pytest.raises(fr.CorruptFileError, match="v_template is a chumpy object without a value"):
            flame.read_model(path)


@pytest.mark.parametrize("module", ["scipy.sparse.csc", "scipy.sparse._csc"])
@pytest.mark.parametrize("shape_name", ["_shape", "shape"])
def test_sparse_regressors(tmp_path, monkeypatch, module, shape_name):
    cls = foreign(monkeypatch, module, "csc_matrix")
    raw = model()
    dense = raw["J_regressor"] * (np.arange(12) % 3 > 0)
    columns = [np.flatnonzero(dense[:, c]).astype(np.int32) for c in range(12)]
    state = dict(
        data=np.concatenate([dense[rows, c] for c, rows in enumerate(columns)]), indices=np.concatenate(columns),
        indptr=np.cumsum([0, *map(len, columns)]).astype(np.int32), maxprint=50, **{shape_name: dense.shape},
    )  # fmt: skip
    for protocol in (0, 2, 4):
        path = save(tmp_path, {**raw, "J_regressor": instance(cls, **state)}, protocol=protocol)
        assert_reads(path, {**raw, "J_regressor": dense})


def test_sparse_regressors_of_scipy_itself(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    raw = model()
    raw["J_regressor"][:, ::2] = 0
    path = save(tmp_path, {**raw, "J_regressor": sparse.csc_matrix(raw["J_regressor"])})
    assert_reads(path, raw)


SPARSE = dict(data=np.ones(2), indices=np.array([0, 1], np.int32), indptr=np.array([0, 1, 2], np.int32), _shape=(5, 2))


@pytest.mark.parametrize(
    "change",
    [
        dict(data=None),
        dict(indices=np.array([0, 5])),
        dict(indices=np.array([0.5, 1])),
        dict(indptr=np.array([0, 1])),
        dict(data=np.ones(3)),
        dict(indptr=np.array([2, 1, 0])),
        dict(_shape=(5,)),
        dict(_shape=(-5, 2)),
        dict(_shape="ab"),
        dict(_shape=None),
        dict(indices="x"),
        dict(_shape=(10**9, 10**10)),
        dict(_shape=(float("inf"), 2)),
        dict(indices=np.array([0, -1])),
    ],
)
def test_broken_sparse_regressors(tmp_path, monkeypatch, change):
    cls = foreign(monkeypatch, "scipy.sparse.csc", "csc_matrix")
    path = save(tmp_path, {**model(), "J_regressor": instance(cls, **{**SPARSE, **change})})
    with pytest.raises(fr.CorruptFileError, match="J_regressor is not a valid sparse matrix"):
        flame.read_model(path)


# ---- landmark embeddings --------------------------------------------------------------------------------------------


def embedding(rows, count):
    rng = np.random.default_rng(1)
    shape = (rows, count) if rows else (count,)
    return dict(lmk_face_idx=rng.integers(0, 8, shape), lmk_b_coords=rng.dirichlet([1, 1, 1], shape))


@pytest.mark.parametrize("as_list", [True, False])
def test_embeddings(tmp_path, as_list):
    static, dynamic = embedding(0, 51), embedding(79, 17)
    written = {k: list(v) for k, v in dynamic.items()} if as_list else dynamic
    (tmp_path / "static.pkl").write_bytes(pickle.dumps(static, 2))
    np.save(tmp_path / "dynamic.npy", written, allow_pickle=True)
    for read, raw in [
        (flame.read_static_landmarks(tmp_path / "static.pkl"), static),
        (flame.read_dynamic_landmarks(tmp_path / "dynamic.npy"), dynamic),
    ]:
        assert read[0].dtype == np.int32 and read[1].dtype == np.float32
        np.testing.assert_array_equal(read[0], raw["lmk_face_idx"])
        np.testing.assert_array_equal(read[1], np.float32(raw["lmk_b_coords"]))
    files = dict(static_landmarks=tmp_path / "static.pkl", dynamic_landmarks=tmp_path / "dynamic.npy")
    path = save(tmp_path, model())
    assert fr.Head.load(path, **files).evaluate().landmarks.shape == (1, 68, 3)
    assert fr.Head.load(path, static_landmarks=files["static_landmarks"]).evaluate().landmarks.shape == (1, 51, 3)
    with pytest.raises(fr.InvalidArgumentError, match="dynamic landmarks need static ones"):
        fr.Head.load(path, dynamic_landmarks=files["dynamic_landmarks"])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_versions(tmp_path, version):
    with (tmp_path / "dynamic.npy").open("wb") as file:
        np.lib.format.write_array(file, np.array(embedding(79, 17), object), version=version)
    assert flame.read_dynamic_landmarks(tmp_path / "dynamic.npy")[0].shape == (79, 17)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_embeddings_beside_the_model(tmp_path, suffix):
    static, dynamic = embedding(0, 51), embedding(79, 17)
    more = dict(
        landmark_static_face=static["lmk_face_idx"], landmark_static_bary=static["lmk_b_coords"],
        landmark_dynamic_face=dynamic["lmk_face_idx"], landmark_dynamic_bary=dynamic["lmk_b_coords"],
    )  # fmt: skip
    assert fr.Head.load(save(tmp_path, {**model(), **more}, suffix)).evaluate().landmarks.shape == (1, 68, 3)


def test_wrong_embeddings(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"lmk_face_idx": [1]}, 2))
    np.save(tmp_path / "a.npy", np.zeros(3))
    np.save(tmp_path / "b.npy", {"lmk_b_coords": [1]}, allow_pickle=True)
    np.save(tmp_path / "c.npy", np.array([{}, {}]), allow_pickle=True)
    (tmp_path / "d.npy").write_bytes(b"not an array")
    with pytest.raises(fr.CorruptFileError, match=r"a\.pkl lacks lmk_face_idx or lmk_b_coords"):
        flame.read_static_landmarks(tmp_path / "a.pkl")
    for name, message in [
        ("a", "holds float64, expected a dictionary"),
        ("b", "lacks lmk_face_idx"),
        ("c", "lacks lmk_face_idx"),
        ("d", "not a readable npy"),
    ]:
        with pytest.raises(fr.CorruptFileError, match=message):
            flame.read_dynamic_landmarks(tmp_path / f"{name}.npy")
    for read, name in ((flame.read_static_landmarks, "no.pkl"), (flame.read_dynamic_landmarks, "no.npy")):
        with pytest.raises(fr.NotFoundError, match=rf"no file .*{name}"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    "raw",
    [
        dict(lmk_face_idx=5, lmk_b_coords=5),
        dict(lmk_face_idx=None, lmk_b_coords=None),
        dict(lmk_face_idx=[[1, 2], [3]], lmk_b_coords=[[1], [2]]),
        dict(lmk_face_idx=["a"], lmk_b_coords=["b"]),
    ],
)
def test_embeddings_of_other_things(tmp_path, raw):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(raw, 2))
    with pytest.raises(fr.ForgeError):
        flame.read_static_landmarks(tmp_path / "a.pkl")


# ---- malicious files ------------------------------------------------------------------------------------------------


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker: Path):
    import importlib
    import os
    import subprocess

    return {
        "os.system": Call(os.system, f"touch {marker}"),
        "builtins.eval": Call(eval, f"open({str(marker)!r}, 'w')"),
        "builtins.exec": Call(exec, f"open({str(marker)!r}, 'w')"),
        "builtins.open": Call(open, str(marker), "w"),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", str(marker)]),
        "builtins.getattr": Call(getattr, "", "join"),
        "importlib.import_module": Call(importlib.import_module, "this"),
        "numpy.load": Call(np.load, str(marker), None, True),
        "numpy.fromfile": Call(np.fromfile, str(marker)),
        "pathlib.Path": Call(Path, str(marker)),
        "pickle.loads": Call(pickle.loads, b"N."),
        "forge_rt.Head": Call(fr.Head),
        "a Record's own module": Call(safe_pickle.load, str(marker), {}),
    }


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", attacks(Path("x")))
def test_malicious_pickles_are_refused(tmp_path, name, protocol):
    marker = tmp_path / "was_run"
    attack = attacks(marker)[name]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({**model(), "extra": attack, "f": attack}, protocol))
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(attack, protocol))
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, dict(descr="|O", fortran_order=False, shape=()))
        pickle.dump(np.array(attack, object), file, protocol)
    modules = set(sys.modules)
    for read, path in [
        (fr.Head.load, "a.pkl"),
        (fr.Head.load, "b.pkl"),
        (flame.read_static_landmarks, "b.pkl"),
        (flame.read_dynamic_landmarks, "a.npy"),
    ]:
        with pytest.raises(fr.CorruptFileError, match=r"the file asks for \S+, which this reader does not allow"):
            read(tmp_path / path)
    assert not marker.exists() and "this" not in set(sys.modules) - modules


def test_pickles_in_other_places_are_refused(tmp_path):
    marker = tmp_path / "was_run"
    np.savez(tmp_path / "a.npz", **{**model(), "f": np.array([attacks(marker)["os.system"]], object)})
    with pytest.raises(fr.CorruptFileError, match="not a readable npz file"):
        fr.Head.load(tmp_path / "a.npz")
    (tmp_path / "b.pkl").write_bytes(b"Pdata outside\n.")  # a persistent id
    with pytest.raises(fr.CorruptFileError, match="refers to data outside of it"):
        fr.Head.load(tmp_path / "b.pkl")
    (tmp_path / "c.pkl").write_bytes(b"\x80\x02\x82\x01.")  # an extension code
    with pytest.raises(fr.CorruptFileError):
        fr.Head.load(tmp_path / "c.pkl")
    assert not marker.exists()


def test_dotted_names_do_not_reach_through(tmp_path):
    for module, name in [
        ("numpy", "ndarray.tofile"),
        ("numpy", "dtype.__class__"),
        ("chumpy.ch", "Ch.__init__.__globals__"),
        ("numpy", "__builtins__"),
    ]:
        body = b"\x80\x04" + pickle.dumps(module, 4)[11:-1] + pickle.dumps(name, 4)[11:-1] + b"\x93."
        assert [op.name for op, *_ in pickletools.genops(body)][-2] == "STACK_GLOBAL"
        (tmp_path / "a.pkl").write_bytes(body)
        with pytest.raises(fr.CorruptFileError, match="the file asks for"):
            fr.Head.load(tmp_path / "a.pkl")


def opcodes(value) -> bytes:
    """A value as protocol 2 without frame: to build files by hand."""
    return pickle.dumps(value, 2)[2:-1]


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


@pytest.mark.parametrize(
    "allowed",
    [("chumpy.ch", "Ch"), ("builtins", "object"), ("numpy", "dtype"), ("numpy", "ndarray"), ("builtins", "set")],
)
@pytest.mark.parametrize("slots", [True, False])
def test_a_file_cannot_change_the_classes_it_names(tmp_path, allowed, slots):
    state = opcodes({"__setstate__": 1, "state": 2})
    state = b"(N" + state + b"t" if slots else state
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + name(*allowed) + state + b"b.")
    before = dict(vars(safe_pickle.Record)), dict(vars(flame._Chumpy))
    with pytest.raises(fr.CorruptFileError):
        fr.Head.load(tmp_path / "a.pkl")
    assert (dict(vars(safe_pickle.Record)), dict(vars(flame._Chumpy))) == before


def test_a_file_cannot_change_the_functions_it_names(tmp_path):
    function = safe_pickle._latin1
    defaults = function.__defaults__
    state = b"(N" + opcodes({"__defaults__": ("utf-8",)}) + b"t"
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + name("_codecs", "encode") + state + b"b.")
    try:
        with pytest.raises(fr.CorruptFileError):
            fr.Head.load(tmp_path / "a.pkl")
        assert function.__defaults__ == defaults
    finally:
        function.__defaults__ = defaults


def dtype(code: str, flags: int) -> bytes:
    return (
        name("numpy", "dtype")
        + opcodes((code, False, True))
        + b"R"
        + opcodes((3, "|", *[None] * 3, -1, -1, flags))
        + b"b"
    )


def array(shape: tuple, dtype: bytes, data: bytes) -> bytes:
    empty = (
        name("numpy.core.multiarray", "_reconstruct") + b"(" + name("numpy", "ndarray") + opcodes((0,)) + b"U\x01btR"
    )
    return empty + b"(K\x01" + opcodes(shape) + dtype + b"\x89" + data + b"tb"


#: Arrays that NumPy itself would build: flags 0 of an object type say "plain numbers", so its elements are pointers
#: that the file chooses; and NumPy does not count the list of an object array.
POINTER = b"U\x08AAAAAAAA"
FORGED = {
    "scalar": name("numpy.core.multiarray", "scalar") + b"(" + dtype("O8", 0) + POINTER + b"tR",
    "array": array((1,), dtype("O8", 0), POINTER),
    "short list": array((1 << 20,), dtype("O8", 63), opcodes([1])),
    "fields": array((1,), dtype("O8", 0).replace(b"O8", b"V8"), POINTER),
}

READ_EMBEDDING = """
import sys
import forge_rt as fr
from forge_rt.export.readers import flame
try:
    flame.read_dynamic_landmarks(sys.argv[1])
except fr.ForgeError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("kind", FORGED)
def test_forged_dtypes_are_refused(tmp_path, run_script, kind):
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, dict(descr="|O", fortran_order=False, shape=()))
        file.write(b"\x80\x02" + FORGED[kind] + b".")
    (tmp_path / "read.py").write_text(READ_EMBEDDING)
    result = run_script(tmp_path / "read.py", tmp_path / "a.npy")
    assert result.returncode == 0, f"exit {result.returncode}: {result.stderr[-300:]}"
    assert "refused:" in result.stdout


# ---- damaged files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pkl", ".npz", ".safetensors"])
@pytest.mark.parametrize("missing", ["v_template", "f", "shapedirs", "J_regressor", "weights", "kintree_table"])
def test_missing_arrays_are_named(tmp_path, suffix, missing):
    raw = model()
    del raw[missing]
    wanted = {"f": "faces", "kintree_table": "parents"}.get(missing, missing)
    with pytest.raises(fr.CorruptFileError, match=rf"model\{suffix} lacks '{wanted}'; it has \["):
        fr.Head.load(save(tmp_path, raw, suffix))


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(v_template=np.zeros((11, 3))), r"shapedirs must be \[V, 3, K\] float32, got \[12, 3, 6\]"),
        (dict(v_template=np.zeros(36)), r"expected v_template \[V, 3\], .* got \[36\]"),
        (dict(f=np.zeros((8, 4), int)), r"faces \[F, 3\] .* \[8, 4\]"),
        (dict(f=np.full((8, 3), 12)), r"triangles\[0\] names vertex 12, the mesh has 12"),
        (dict(shapedirs=np.zeros((12, 18))), r"shapedirs \[V, 3, K\], got .* \[12, 18\]"),
        (dict(weights=np.zeros((12, 4))), r"weights must be \[V, J\] float32, got \[12, 4\]"),
        (dict(J_regressor=np.zeros((12, 5))), r"joint_regressor must be \[J, V\] float32, got \[12, 5\]"),
        (dict(posedirs=np.zeros((12, 3, 35))), r"posedirs must be \[V, 3, 9 \(J - 1\)\] float32, got \[12, 3, 35\]"),
        (dict(kintree_table=np.zeros((2, 4), int)), r"parents must name 5 joints, got 4"),
        (dict(kintree_table=np.zeros((2, 5), int)), r"parents\[0\] is 0; the root comes first"),
        (dict(v_template=np.full((12, 3), np.nan)), r"v_template holds .*nan"),
        (dict(weights=np.full((12, 5), np.inf)), r"weights holds inf"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, change, message):
    for suffix in (".pkl", ".npz"):
        with pytest.raises(fr.InvalidArgumentError, match=message):
            fr.Head.load(save(tmp_path, {**model(), **change}, suffix))


def test_values_beyond_float32_are_refused(tmp_path):
    with np.errstate(over="ignore"), pytest.raises(fr.InvalidArgumentError, match="v_template holds inf"):
        fr.Head.load(save(tmp_path, {**model(), "v_template": np.full((12, 3), 1e300)}))


@pytest.mark.parametrize(
    "change",
    [
        dict(kintree_table=np.array(5)),
        dict(kintree_table=np.full((2, 5), np.nan)),
        dict(kintree_table=np.zeros((2, 2, 2))),
        dict(kintree_table=np.array([["a"] * 5])),
        dict(v_template=np.array([["a", "b", "c"]])),
        dict(v_template="text"),
        dict(v_template=[[1, 2], [3]]),
        dict(v_template=np.zeros((12, 3), "V8")),
        dict(n_shape=np.array([1, 2])),
        dict(n_shape=np.nan),
        dict(posedirs="text"),
        dict(kintree_table=np.full((2, 5), np.inf)),
    ],
)
def test_arrays_of_other_things(tmp_path, change):
    with pytest.raises(fr.ForgeError):
        fr.Head.load(save(tmp_path, {**model(), **change}))


@pytest.mark.parametrize(
    "change",
    [
        dict(v_template=np.full((12, 3), 1j)),
        dict(v_template=np.zeros((12, 3), "M8[s]")),
        dict(f=np.full((8, 3), 2**32)),
        dict(f=np.full((8, 3), 0.5)),
    ],
)
def test_conversions_that_change_values_are_refused(tmp_path, change):
    with pytest.raises(fr.ForgeError):
        fr.Head.load(save(tmp_path, {**model(), **change}))


@pytest.mark.parametrize("place", ["top", "array"])
def test_records_without_state(tmp_path, place):
    record = name("chumpy.ch", "Ch") + b")\x81"
    body = record if place == "top" else opcodes(model())[:-1] + opcodes("v_template") + record + b"u"
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + body + b".")
    with pytest.raises(fr.CorruptFileError):
        flame.read_model(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b".", b"N.", b"garbage", b"\x80\x02]q\x00.", b"PK\x03\x04", b"{}", bytes(1000)]
)
def test_files_that_are_something_else(tmp_path, content):
    for suffix in (".pkl", ".npz", ".safetensors", ".npy", ""):
        path = tmp_path / f"model{suffix}"
        path.write_bytes(content)
        with pytest.raises(fr.CorruptFileError):
            fr.Head.load(path)
    with pytest.raises(fr.CorruptFileError):
        flame.read_static_landmarks(tmp_path / "model.pkl")
    with pytest.raises(fr.CorruptFileError):
        flame.read_dynamic_landmarks(tmp_path / "model.npy")


def test_no_file(tmp_path):
    for suffix in (".pkl", ".npz", ".safetensors"):
        with pytest.raises(fr.NotFoundError, match=rf"no file .*nothing\{suffix}"):
            fr.Head.load(tmp_path / f"nothing{suffix}")
    with pytest.raises(fr.NotFoundError):
        fr.Head.load(tmp_path)  # a folder that is no bundle
    with pytest.raises(FileNotFoundError):  # also the built-in class
        fr.Head.load(tmp_path / "nothing.pkl")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pkl"])
def test_damaged_models(tmp_path, run_script, suffix):
    read_damaged(run_script, "head", save(tmp_path, model(5, 2, 2, faces=2), suffix), 1500)


def test_damaged_model_of_objects(tmp_path, monkeypatch, run_script):
    chumpy = foreign(monkeypatch, "chumpy.ch", "Ch")
    sparse = foreign(monkeypatch, "scipy.sparse.csc", "csc_matrix")
    raw = model(5, 2, 2, faces=2)
    state = {**SPARSE, "_shape": (2, 5), "indptr": np.array([0, 1, 1, 1, 1, 2], np.int32)}
    objects = dict(v_template=instance(chumpy, x=raw["v_template"]), J_regressor=instance(sparse, **state))
    read_damaged(run_script, "head", save(tmp_path, {**raw, **objects}), 1500)


def test_damaged_embeddings(tmp_path, run_script):
    (tmp_path / "static.pkl").write_bytes(pickle.dumps(embedding(0, 3), 2))
    np.save(tmp_path / "dynamic.npy", embedding(79, 1), allow_pickle=True)
    read_damaged(run_script, "static landmarks", tmp_path / "static.pkl", 1000)
    read_damaged(run_script, "dynamic landmarks", tmp_path / "dynamic.npy", 1000)


@pytest.mark.parametrize("tensors", [False, True])
def test_landmarks_in_one_file(tmp_path, tensors):
    """DECA's: static landmarks are arrays there, those of the contour tensors of PyTorch."""
    rng = np.random.default_rng(3)
    arrays = {
        "static_lmk_faces_idx": rng.integers(0, 9, 51), "static_lmk_bary_coords": rng.random((51, 3)),
        "dynamic_lmk_faces_idx": rng.integers(0, 9, (79, 17)), "dynamic_lmk_bary_coords": rng.random((79, 17, 3)).astype(np.float32),
        "full_lmk_faces_idx": np.zeros((1, 68), np.int64), "full_lmk_bary_coords": np.zeros((1, 68, 3)),
    }  # fmt: skip
    stored = dict(arrays)
    if tensors:
        torch = pytest.importorskip("torch")
        for name in ("dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords"):
            stored[name] = torch.from_numpy(arrays[name])
        stored["dynamic_lmk_bary_coords"] = (
            stored["dynamic_lmk_bary_coords"].flip(0).flip(0).transpose(0, 1).contiguous().transpose(0, 1)
        )
        assert not stored["dynamic_lmk_bary_coords"].is_contiguous()
    np.save(tmp_path / "landmark_embedding.npy", stored, allow_pickle=True)
    for part, read in (("static", flame.read_static_landmarks), ("dynamic", flame.read_dynamic_landmarks)):
        faces, weights = read(tmp_path / "landmark_embedding.npy")
        np.testing.assert_array_equal(faces, arrays[f"{part}_lmk_faces_idx"])
        np.testing.assert_array_equal(weights, arrays[f"{part}_lmk_bary_coords"].astype(np.float32))
        assert faces.dtype == np.int32 and weights.flags.c_contiguous


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_tensors_share_their_storage(tmp_path):
    """A short file may hold many tensors of one large storage: they must not become copies."""
    torch = pytest.importorskip("torch")
    resource = pytest.importorskip("resource")  # not on Windows
    count, stream = 1 << 20, io.BytesIO()
    torch.save(torch.arange(count).storage(), stream, _use_new_zipfile_serialization=False)

    class Storage:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (stream.getvalue(),)

    shared = Storage()

    class View:
        def __init__(self, start):
            self.start = start

        def __reduce__(self):
            arguments = shared, self.start, (count - self.start,), (1,), False, OrderedDict()
            return torch._utils._rebuild_tensor_v2, arguments

    np.save(tmp_path / "a.npy", {"lmk_face_idx": 0, "many": [View(k) for k in range(1000)]}, allow_pickle=True)
    assert (tmp_path / "a.npy").stat().st_size < 10 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(fr.CorruptFileError, match="lacks lmk_face_idx or lmk_b_coords"):
        flame.read_dynamic_landmarks(tmp_path / "a.npy")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB; copies would be 8 GB


def test_tensors_in_landmark_files_stay_within_their_storage(tmp_path):
    torch = pytest.importorskip("torch")
    np.save(tmp_path / "a.npy", {"lmk_face_idx": torch.ones(1).expand(79, 17), "lmk_b_coords": 0}, allow_pickle=True)
    with pytest.raises(
        fr.CorruptFileError, match=r"a tensor \[79, 17\] with strides \[0, 0\] from 0 in a storage of 1"
    ):
        flame.read_dynamic_landmarks(tmp_path / "a.npy")
