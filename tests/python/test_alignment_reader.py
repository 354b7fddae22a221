"""Alignments of a mesh with a generator's world: what is read, what is refused, and that nothing in a file is ever run."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import zipfile

import forge_rt as fr
import numpy as np
import pytest
from forge_rt.annotation.world import SYNTHFORGE_WORLD

torch = pytest.importorskip("torch")

import alignment_file as files  # noqa: E402
from forge_rt.export.readers.alignment import read_alignment  # noqa: E402


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "fc1.weight": np.concatenate([np.eye(3), np.zeros((1, 3))]) + 0.05 * rng.normal(size=(4, 3)),
        "fc1.bias": 0.05 * rng.normal(size=4),
        "fc2.weight": np.concatenate([np.eye(3), np.zeros((3, 1))], 1) + 0.05 * rng.normal(size=(3, 4)),
        "fc2.bias": 0.05 * rng.normal(size=3),
    }  # fmt: skip


def published(points: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    """The published steps, one after the other."""
    p = (points + np.array([0, -0.01, -0.01])) * 2.5
    p[..., 2] += np.sqrt(2) / 10
    w = {name: np.float32(value).astype(float) for name, value in w.items()}
    return (p @ w["fc1.weight"].T + w["fc1.bias"]) @ w["fc2.weight"].T + w["fc2.bias"]


@pytest.fixture
def saved(tmp_path):
    return files.save(tmp_path / "map.pth", files.module(weights()))


def test_a_module(saved):
    points = np.random.default_rng(1).normal(size=(50, 3)) * 0.1
    read = read_alignment(saved)
    assert read.shape == (3, 4) and read.dtype == np.float64
    np.testing.assert_allclose(points @ read[:, :3].T + read[:, 3], published(points, weights()), atol=1e-12)


def test_batch_normalisation_is_not_applied(tmp_path, saved):
    made = files.module(weights())
    made.bn1.running_mean.fill_(7)
    made.bn1.weight.data.fill_(3)
    assert np.array_equal(read_alignment(files.save(tmp_path / "other.pth", made)), read_alignment(saved))


def test_a_state_dict_and_double_and_transposed_weights(tmp_path, saved):
    torch.save(files.module(weights()).state_dict(), tmp_path / "state.pth")
    assert np.array_equal(read_alignment(tmp_path / "state.pth"), read_alignment(saved))
    made = files.module(weights()).double()
    made.fc1.weight.data = made.fc1.weight.data.T.contiguous().T
    np.testing.assert_allclose(
        read_alignment(files.save(tmp_path / "double.pth", made)), read_alignment(saved), atol=1e-7
    )


def test_numbers(tmp_path):
    want = SYNTHFORGE_WORLD.matrix
    np.save(tmp_path / "a.npy", want)
    (tmp_path / "a.json").write_text(json.dumps(want.tolist()))
    (tmp_path / "b.json").write_text(json.dumps({"alignment": want.tolist(), "model": "x"}))
    for name in ("a.npy", "a.json", "b.json"):
        assert np.array_equal(read_alignment(tmp_path / name), want)


@pytest.mark.parametrize(
    "made, reason",
    [
        (lambda: files.module(weights(), relu=torch.nn.ReLU()), r"member 'relu' is no linear layer"),
        (lambda: files.module(weights(), fc3=torch.nn.Linear(3, 3)), r"also holds fc3\.bias, fc3\.weight"),
        (lambda: files.Map(fc1=torch.nn.Linear(3, 8), fc2=torch.nn.Linear(8, 3)), r"fc1: weight \[8, 3\]"),
        (lambda: files.Map(fc1=torch.nn.Linear(3, 4)), "fc2: no such layer"),
        (lambda: torch.nn.Linear(3, 4), "is no module with layers|fc1: no such layer"),
        (lambda: torch.ones(3, 4), "holds a Tensor, expected a module"),
        (lambda: [1, 2], "holds a list"),
        (lambda: {"fc1.weight": 3}, "'fc1.weight' is no tensor"),
    ],
)  # fmt: skip
def test_other_modules_are_refused_with_the_reason(tmp_path, made, reason):
    with pytest.raises(fr.UnsupportedError, match=reason):
        read_alignment(files.save(tmp_path / "map.pth", made()))


def test_classes_of_other_modules_are_refused(tmp_path):
    path = files.save(tmp_path / "map.pth", files.module(weights()), class_module="somewhere_else")
    with pytest.raises(fr.CorruptFileError, match=r"asks for somewhere_else\.MLP, which this reader does not allow"):
        read_alignment(path)


class _Run:
    def __reduce__(self):
        return subprocess.check_call, (["touch", "ran"],)


def test_code_is_never_run(tmp_path, monkeypatch, saved):
    monkeypatch.chdir(tmp_path)
    for payload in (
        pickle.dumps({"fc1.weight": _Run()}, 2),
        pickle.dumps(_Run(), 4),
        b"cos\nsystem\n(S'touch ran'\ntR.",
    ):
        with zipfile.ZipFile(tmp_path / "evil.pth", "w") as archive:
            archive.writestr("evil/data.pkl", payload)
        with pytest.raises(fr.CorruptFileError, match="does not allow"):
            read_alignment(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_torch_is_not_needed(saved, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from forge_rt.export.readers.alignment import read_alignment\n"
        f"print(read_alignment({str(saved)!r})[0, 0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == read_alignment(saved)[0, 0]


@pytest.mark.parametrize(
    "content, error, reason",
    [
        (b"", fr.UnsupportedError, "is no alignment"),
        (b"PK\x03\x04 nothing", fr.CorruptFileError, "not a readable alignment"),
        (b"\x80\x02}q\x00.", fr.UnsupportedError, "zip format"),
        (b"{}", fr.UnsupportedError, "has no 'alignment'"),
        (b"[[1, 2], [3]]", fr.CorruptFileError, "not 3 × 4 numbers"),
        (b"[[1, 2, 3, 4]]", fr.InvalidArgumentError, r"got \[1, 4\]"),
        (b"[[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]", fr.InvalidArgumentError, "invertible"),
        (b"[[1, 0, 0, 0], [0, 1, 0, NaN], [0, 0, 1, 0]]", fr.InvalidArgumentError, "finite"),
        (b"{" * 100_000, fr.CorruptFileError, "not a readable alignment"),
    ],
)
def test_other_files(tmp_path, content, error, reason):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(error, match=reason):
        read_alignment(tmp_path / "a.pth")


def test_missing_and_large_files(tmp_path):
    with pytest.raises(fr.NotFoundError, match="no file"):
        read_alignment(tmp_path / "nothing.pth")
    (tmp_path / "large.pth").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(fr.UnsupportedError, match="a kilobyte of numbers"):
        read_alignment(tmp_path / "large.pth")


def _rezipped(data: bytes, change) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, change(info.filename, source.read(info)))
    return out.getvalue()


def test_fuzz(tmp_path, saved):
    """Bytes of the archive, and bytes inside of its members (whose checksums are then right again), are changed, cut and doubled."""
    rng = np.random.default_rng(3)
    original = saved.read_bytes()
    refused = 0

    def spoil(raw: bytes) -> bytes:
        data = bytearray(raw)
        for _ in range(rng.integers(1, 4)):
            if data:
                data[rng.integers(len(data))] = rng.integers(256)
        kind = rng.integers(8)
        return (
            bytes(data[: rng.integers(len(data) + 1)]) if kind == 0 else bytes(data) * 2 if kind == 1 else bytes(data)
        )

    for k in range(600):
        inside = _rezipped(
            original, lambda name, raw: spoil(raw) if name.endswith("data.pkl") or "/data/" in name else raw
        )
        data = inside if k % 3 else spoil(original)
        (tmp_path / "fuzz.pth").write_bytes(data)
        try:
            assert read_alignment(tmp_path / "fuzz.pth").shape == (3, 4)
        except fr.ForgeError:
            refused += 1
    assert refused > 200
