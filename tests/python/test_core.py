"""The Python side of core: tensors and DLPack, random numbers, errors, memory, threads."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import _core

DTYPES = (
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
    "bool",
)


@pytest.fixture(autouse=True)
def _same_threads_afterwards() -> Iterator[None]:
    before = fr.num_threads()
    yield
    fr.set_num_threads(before)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


# ---- DLPack with NumPy ----


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_shares_memory(dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    tensor = fr.from_dlpack(array)
    assert (tensor.shape, tensor.dtype, tensor.device, tensor.nbytes) == ((2, 3, 4), dtype, "cpu", array.nbytes)
    back = np.from_dlpack(tensor)
    assert back.dtype == array.dtype
    assert address(back) == address(array)
    back[1, 2, 3] = 0
    assert array[1, 2, 3] == 0


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (3, 0, 2), (1, 1, 1, 1, 1)])
def test_odd_shapes(shape: tuple[int, ...]) -> None:
    array = np.ones(shape, np.float32)
    tensor = fr.from_dlpack(array)
    assert tensor.shape == shape
    assert np.array_equal(tensor.numpy(), array)


@pytest.mark.parametrize("view", [np.s_[::2, 1:], np.s_[:, ::-1], np.s_[::-2, ::3], np.s_[1:1], np.s_[2]])
def test_strides_are_kept(view: Any) -> None:
    array = np.arange(24, dtype=np.int32).reshape(4, 6)[view]
    tensor = fr.from_dlpack(array)
    assert tensor.shape == array.shape
    if array.size:
        assert tensor.strides == tuple(step // array.itemsize for step in array.strides)
        assert address(np.from_dlpack(tensor)) == address(array)
    assert np.array_equal(tensor.numpy(), array)
    assert np.array_equal(tensor.clone().numpy(), array)
    assert tensor.clone().numpy().flags.c_contiguous


def test_transposed_and_broadcast() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(fr.from_dlpack(array.T).numpy(), array.T)
    wide = np.broadcast_to(array[:1], (4, 3))  # stride 0, read-only
    tensor = fr.from_dlpack(wide)
    assert tensor.strides[0] == 0
    assert np.array_equal(tensor.clone().numpy(), wide)


def test_read_only_is_honoured() -> None:
    array = np.arange(4.0)
    array.flags.writeable = False
    tensor = fr.from_dlpack(array)
    assert tensor.read_only
    assert not np.from_dlpack(tensor).flags.writeable
    assert not np.asarray(tensor).flags.writeable
    with pytest.raises(BufferError, match="clone"):
        tensor.__dlpack__()  # DLPack before 1.0 cannot say "read-only"
    copy = tensor.clone()
    assert not copy.read_only
    copy.numpy()[:] = 7
    assert array.tolist() == [0, 1, 2, 3]


def test_older_dlpack_still_works() -> None:
    array = np.arange(3.0)
    capsule = fr.from_dlpack(array).__dlpack__()

    class Producer:
        """Knows neither max_version nor any other keyword."""

        def __dlpack_device__(self) -> tuple[int, int]:
            return 1, 0

        def __dlpack__(self) -> object:
            return capsule

    assert address(fr.from_dlpack(Producer()).numpy()) == address(array)
    with pytest.raises(fr.InvalidArgumentError, match="already used"):
        fr.from_dlpack(Producer())


def test_copy_and_device_requests() -> None:
    tensor = fr.from_dlpack(np.arange(3.0))
    copied = np.from_dlpack(tensor, copy=True)
    assert address(copied) != address(tensor.numpy())
    assert np.array_equal(copied, tensor.numpy())
    with pytest.raises(fr.InvalidArgumentError, match=r"\.to\(device\)"):
        tensor.__dlpack__(dl_device=(2, 0))


def test_asarray_and_reshape() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensor = fr.from_dlpack(array)
    assert np.shares_memory(np.asarray(tensor), array)
    assert not np.shares_memory(np.array(tensor), array)
    assert np.asarray(tensor, np.float64).dtype == np.float64
    assert np.shares_memory(tensor.reshape([2, 6]).numpy(), array)
    assert (len(tensor), repr(tensor)) == (3, "forge_rt.Tensor(float32 [3, 4] on cpu)")
    with pytest.raises(fr.InvalidArgumentError, match=r"cannot reshape \[3, 4\] to \[5, 5\]"):
        tensor.reshape([5, 5])
    with pytest.raises(TypeError, match="0-d"):
        len(fr.from_dlpack(np.array(1.0)))


def test_dtypes_that_are_not_taken() -> None:
    with pytest.raises(fr.UnsupportedError, match="dtype"):
        fr.from_dlpack(np.zeros(3, np.complex64))
    with pytest.raises(BufferError):  # NumPy's own refusal
        fr.from_dlpack(np.zeros(3, ">f4"))


def test_ops_say_what_they_expected() -> None:
    triangle = np.array([[0, 1, 2]], np.int32)
    with pytest.raises(
        fr.InvalidArgumentError, match=r"positions must be \[B, V, 4\] float32, got \[1, 3, 3\] float32"
    ):
        fr.rasterize(np.zeros((1, 3, 3), np.float32), triangle, 8)
    wrong = fr.from_dlpack(np.zeros((1, 3, 4)))  # a Tensor is never converted
    with pytest.raises(fr.InvalidArgumentError, match=r"got \[1, 3, 4\] float64"):
        fr.rasterize(wrong, triangle, 8)
    assert fr.rasterize(np.zeros((1, 3, 4)), triangle.tolist(), 8).face.shape == (1, 8, 8)  # arrays and lists are


# ---- lifetime ----


def test_tensor_keeps_the_array_and_the_view_keeps_the_tensor() -> None:
    view = np.from_dlpack(fr.from_dlpack(np.full(1000, 3.5)))
    gc.collect()
    np.full(1000, -1.0)  # would land in freed memory
    assert (view == 3.5).all()
    owned = fr.random_uniform([1000], seed=1, index=0, purpose="lifetime")
    before = owned.numpy().copy()
    view = owned.numpy()
    del owned
    gc.collect()
    assert np.array_equal(view, before)


def test_nothing_leaks() -> None:
    array = np.zeros(16, np.float32)
    count = sys.getrefcount(array)
    for _ in range(1000):
        tensor = fr.from_dlpack(array)
        view = np.from_dlpack(tensor)
        tensor.__dlpack__(max_version=(1, 0))  # a capsule that nobody takes
        tensor.__dlpack__()
        del tensor, view
    assert sys.getrefcount(array) == count

    def in_use() -> int:
        gc.collect()
        return sum(row["current_bytes"] for row in fr.memory_report() if row["purpose"] != "scratch arena")

    fr.random_uniform([64, 64], seed=0, index=0, purpose="leak").numpy()
    before = in_use()
    for _ in range(1000):
        np.from_dlpack(fr.random_uniform([64, 64], seed=0, index=0, purpose="leak"))
    assert in_use() == before


def test_last_reference_may_die_in_another_thread() -> None:
    arrays = [np.zeros(8) for _ in range(50)]
    counts = [sys.getrefcount(a) for a in arrays]
    tensors = [fr.from_dlpack(a) for a in arrays]
    thread = threading.Thread(target=tensors.clear)
    thread.start()
    thread.join()
    assert [sys.getrefcount(a) for a in arrays] == counts


# ---- DLPack with torch ----


def test_torch_both_ways() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for dtype in (
        torch.uint8,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.bool,
    ):
        source = torch.arange(12).reshape(3, 4).to(dtype)
        tensor = fr.from_dlpack(source)
        assert tensor.dtype == str(dtype).removeprefix("torch.")
        back = torch.from_dlpack(tensor)
        assert back.data_ptr() == source.data_ptr()
        assert torch.equal(back, source)
    strided = torch.arange(24.0).reshape(4, 6).T[1:, ::2]
    tensor = fr.from_dlpack(strided)
    assert (tensor.shape, tensor.strides) == (tuple(strided.shape), strided.stride())
    assert torch.equal(torch.from_dlpack(tensor.clone()), strided)
    made = fr.random_uniform([5], seed=3, index=1, purpose="torch")
    assert torch.from_dlpack(made).data_ptr() == address(made.numpy())
    with pytest.raises(BufferError, match="gradient"):
        fr.from_dlpack(torch.zeros(3, requires_grad=True))
    with pytest.raises(fr.UnsupportedError, match="dtype"):
        fr.from_dlpack(torch.zeros(3, dtype=torch.complex64))


# ---- random numbers ----


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [  # kat_vectors of the authors' Random123
        ([0] * 4, [0] * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_known_answers(counter: list[int], key: list[int], answer: tuple[int, ...]) -> None:
    assert _core._philox4x32(counter, key) == answer


def purpose_id(name: str) -> int:
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def test_stream_is_the_documented_function_of_its_key() -> None:
    seed, index, attempt = 0x0123456789ABCDEF, 0xFEDCBA987654, 0x1234
    stream = fr.Random(seed, index, "camera", attempt)
    drawn = [stream.next_u32() for _ in range(10)]
    blocks = [
        _core._philox4x32(
            [block, index & 0xFFFFFFFF, index >> 32 | attempt << 16, purpose_id("camera")],
            [seed & 0xFFFFFFFF, seed >> 32],
        )
        for block in range(3)
    ]
    assert drawn == [word for block in blocks for word in block][:10]


def first(seed: int = 1, index: int = 2, purpose: str = "shape", attempt: int = 0) -> tuple[int, ...]:
    stream = fr.Random(seed, index, purpose, attempt)
    return tuple(stream.next_u32() for _ in range(4))


def test_streams_are_independent() -> None:
    streams = {
        first(),
        first(seed=2),
        first(seed=1 << 32),
        first(index=3),
        first(index=1 << 40),
        first(purpose="pose"),
        first(attempt=1),
    }
    assert len(streams) == 7
    # what another stream draws in between changes nothing
    ours, other = fr.Random(1, 2, "shape"), fr.Random(1, 2, "pose")
    mixed = []
    for _ in range(4):
        other.normal()
        mixed.append(ours.next_u32())
    assert tuple(mixed) == first()


@pytest.mark.parametrize("shape", [[0], [1], [3], [5, 7], [2, 33, 65]])
def test_random_uniform_is_the_stream(shape: list[int]) -> None:
    tensor = fr.random_uniform(shape, seed=9, index=4, purpose="noise", attempt=2)
    stream = fr.Random(9, 4, "noise", 2)
    expected = np.array([stream.uniform_f32() for _ in range(int(np.prod(shape)))], np.float32).reshape(shape)
    assert tensor.dtype == "float32"
    assert np.array_equal(tensor.numpy(), expected)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_results_do_not_depend_on_the_thread_count(threads: int) -> None:
    fr.set_num_threads(threads)
    uniform = fr.random_uniform([101, 1013], seed=5, index=6, purpose="threads").numpy()
    digest = hashlib.sha256(uniform.tobytes()).hexdigest()
    assert (
        digest == "698b315a1d97ee3653da0711cb0678b781518de9fd6d5802191e7936424b4e9a"
    )  # any machine: uniforms are bit-equal everywhere
    assert face_digest() == FACE_DIGEST


def test_distributions() -> None:
    stream = fr.Random(11, 0, "statistics")
    n = 20000
    uniform = np.array([stream.uniform(-2.0, 3.0) for _ in range(n)])
    assert uniform.min() >= -2
    assert uniform.max() < 3
    assert abs(uniform.mean() - 0.5) < 5 * 5 / np.sqrt(12 * n)  # five standard errors
    normal = np.array([stream.normal() for _ in range(n)])
    assert abs(normal.mean()) < 5 / np.sqrt(n)
    assert abs(normal.std() - 1) < 5 / np.sqrt(2 * n)
    counts = np.bincount([stream.below(7) for _ in range(n)], minlength=7)
    assert counts.size == 7
    assert np.abs(counts - n / 7).max() < 5 * np.sqrt(n / 7)


def test_random_limits() -> None:
    with pytest.raises(fr.InvalidArgumentError, match=r"< 2\^48"):
        fr.Random(0, 1 << 48, "x")
    with pytest.raises(fr.InvalidArgumentError, match=r"< 2\^48"):
        fr.random_uniform([1], 0, 1 << 48, "x")
    with pytest.raises(fr.InvalidArgumentError, match="attempt"):
        fr.Random(0, 0, "x", 1 << 16)
    with pytest.raises(fr.InvalidArgumentError, match="n > 0"):
        fr.Random(0, 0, "x").below(0)
    with pytest.raises(fr.InvalidArgumentError, match="negative"):
        fr.random_uniform([-1], 0, 0, "x")


# ---- errors ----

ERRORS = {
    "InvalidArgumentError": (ValueError, "invalid_argument"),
    "NotFoundError": (FileNotFoundError, "not_found"),
    "CorruptFileError": (ValueError, "corrupt_file"),
    "UnsupportedError": (NotImplementedError, "unsupported"),
    "DeviceUnavailableError": (RuntimeError, "device_unavailable"),
    "OutOfMemoryError": (MemoryError, "out_of_memory"),
    "InputOutputError": (OSError, "io"),
    "CancelledError": (RuntimeError, "cancelled"),
    "InternalError": (RuntimeError, "internal"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_ours_and_built_in(name: str) -> None:
    error = getattr(fr, name)
    builtin, code = ERRORS[name]
    assert issubclass(error, fr.ForgeError)
    assert issubclass(error, builtin)
    assert error.code == code
    assert f"{error.__module__}.{error.__qualname__}" == f"forge_rt.{name}"


def test_every_error_class_is_listed() -> None:
    classes = {n for n in dir(fr) if isinstance(getattr(fr, n), type) and issubclass(getattr(fr, n), fr.ForgeError)}
    assert classes == {*ERRORS, "ForgeError"}


def test_errors_in_use(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError, match=r"nope\.safetensors") as caught:
        fr.read_safetensors(str(tmp_path / "nope.safetensors"))
    assert isinstance(caught.value, fr.NotFoundError)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\xff" * 20)
    with pytest.raises(fr.CorruptFileError, match="broken"):
        fr.read_safetensors(str(broken))
    with pytest.raises(MemoryError, match="'random'") as no_memory:
        fr.random_uniform([1 << 50], 0, 0, "x")
    assert isinstance(no_memory.value, fr.OutOfMemoryError)
    with pytest.raises(ValueError, match="device must be 'cpu'"):
        fr.random_uniform([1], 0, 0, "x", device="gpu")
    if not fr.cuda_status()["devices"]:
        with pytest.raises(fr.DeviceUnavailableError, match="cuda"):
            fr.random_uniform([1], 0, 0, "x", device="cuda")


# ---- memory ----


def test_memory_report() -> None:
    def random_row() -> dict[str, Any]:
        return next(row for row in fr.memory_report() if row["purpose"] == "random" and row["device"] == "cpu")

    tensor = fr.random_uniform([1000, 1000], seed=0, index=0, purpose="memory")
    row = random_row()
    assert set(row) == {"purpose", "device", "current_bytes", "peak_bytes", "allocations"}
    assert row["current_bytes"] >= tensor.nbytes == 4_000_000
    assert row["peak_bytes"] >= row["current_bytes"]
    assert row["allocations"] >= 1
    del tensor
    gc.collect()
    assert random_row()["current_bytes"] == row["current_bytes"] - 4_000_000
    assert random_row()["peak_bytes"] == row["peak_bytes"]


# ---- threads and processes ----

FACE_DIGEST = "e5ff46853b9ae9561567a294d1e1fbae26453c380647d35b7a3189d16bfd8c02"


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Two images of 60 triangles, from uniforms alone."""
    xyw = fr.random_uniform([2, 180, 3], seed=1, index=0, purpose="scene").numpy()
    w = 1 + xyw[..., 2]
    x, y = (2 * xyw[..., 0] - 1) * w, (2 * xyw[..., 1] - 1) * w
    return np.stack([x, y, w, w], axis=-1), np.arange(180, dtype=np.int32).reshape(60, 3)


def face_digest() -> str:
    positions, triangles = scene()
    return hashlib.sha256(fr.rasterize(positions, triangles, (97, 83), cull="none").face.numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("n", [0, -1, 257, 1 << 30])
def test_thread_count_is_checked(n: int) -> None:
    before = fr.num_threads()
    with pytest.raises(fr.InvalidArgumentError, match=rf"1\.\.256, got {n}"):
        fr.set_num_threads(n)
    with pytest.raises(TypeError):
        fr.set_num_threads("two")  # type: ignore[arg-type]
    assert fr.num_threads() == before


def test_thread_count_is_set() -> None:
    for n in (1, 256, 3):
        fr.set_num_threads(n)
        assert fr.num_threads() == n


def test_many_python_threads_at_once() -> None:
    fr.set_num_threads(4)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.extend(face_digest() for _ in range(20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [FACE_DIGEST] * 160


def _in_child(queue: Any) -> None:
    queue.put((face_digest(), fr.num_threads()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_forked_child_gets_its_own_threads() -> None:
    fr.set_num_threads(3)
    assert face_digest() == FACE_DIGEST  # the parent's pool runs
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    try:
        assert queue.get(timeout=60) == (FACE_DIGEST, 3)
        child.join(60)
        assert child.exitcode == 0
    finally:
        child.kill()
