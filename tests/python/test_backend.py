"""forge_rt.Session against ONNX Runtime's own Python API, on graphs written here."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import backend
from onnx_writer import model, node, value_info

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra cpu)")


def convolution(channels: int = 8) -> bytes:
    """Two convolutions, pooling and a projection: image [n, 3, h, w] → features [n, 5] and map [n, channels, h, w]."""
    rng = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    return model(
        [
            node("Conv", ["image", "w0", "b0"], ["c0"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("Relu", ["c0"], ["r0"]),
            node("Conv", ["r0", "w1"], ["map"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=2),
            node("GlobalAveragePool", ["map"], ["pooled"]),
            node("Flatten", ["pooled"], ["flat"]),
            node("MatMul", ["flat", "w2"], ["features"]),
        ],
        [value_info("image", "float32", ["n", 3, "h", "w"])],
        [value_info("features", "float32", ["n", 5]), value_info("map", "float32", ["n", channels, "h", "w"])],
        {
            "w0": weights(channels, 3, 3, 3), "b0": weights(channels, 1)[:, 0],
            "w1": weights(channels, channels // 2, 3, 3), "w2": weights(channels, 5),
        },
    )  # fmt: skip


def elementwise(op: str, dtype: str) -> bytes:
    return model(
        [node(op, ["a", "b"], ["y"])],
        [value_info("a", dtype, ["n", 4]), value_info("b", dtype, ["n", 4])],
        [value_info("y", dtype, ["n", 4])],
    )


def image(n: int, h: int = 24, w: int = 17) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, 3, h, w)).astype(np.float32)


def reference(data: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def net() -> fr.Session:
    return fr.Session(convolution(), name="net")


# ---- results ----


@pytest.mark.parametrize("threads", [1, 2])
def test_convolutions_equal_onnxruntime_bit_for_bit(threads: int) -> None:
    ours, theirs = fr.Session(convolution(), threads=threads), reference(convolution(), threads)
    for n, h, w in [(1, 24, 17), (5, 24, 17), (2, 64, 64), (3, 1, 1), (0, 24, 17)]:
        x = image(n, h, w)
        got, want = ours.run({"image": x}), theirs.run(["features", "map"], {"image": x})
        assert list(got) == ["features", "map"]
        for tensor, array in zip(got.values(), want, strict=True):
            assert tensor.dtype == "float32" and tensor.device == "cpu"
            np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "float64", "uint8", "int8", "int32", "int64", "uint32", "uint64"]
)
def test_dtypes_equal_onnxruntime(dtype: str) -> None:
    data = elementwise("Max" if dtype in ("uint8", "int8") else "Mul", dtype)
    rng = np.random.default_rng(1)
    a, b = ((rng.random((7, 4)) * 100).astype(dtype) for _ in range(2))
    session = fr.Session(data)
    assert [p.dtype for p in session.inputs] == [dtype, dtype]
    got = session.run({"a": a, "b": b})["y"]
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.numpy(), reference(data, 1).run(None, {"a": a, "b": b})[0])


def test_booleans() -> None:
    data = elementwise("And", "bool")
    a, b = np.array([[True, True, False, False]]), np.array([[True, False, True, False]])
    np.testing.assert_array_equal(fr.Session(data).run({"a": a, "b": b})["y"].numpy(), a & b)


def test_scalars_and_lists() -> None:
    data = model(
        [node("Mul", ["a", "b"], ["y"])],
        [value_info("a", "float32", [3]), value_info("b", "float32", [])],
        [value_info("y", "float32", [3])],
    )
    session = fr.Session(data)
    assert session.inputs[1].shape == ()
    assert session.run({"a": [1, 2, 3], "b": 2})["y"].numpy().tolist() == [2, 4, 6]
    assert session.run({"a": [1, 2, 3], "b": np.array(0.5, np.float32)})["y"].numpy().tolist() == [0.5, 1, 1.5]


def test_batch_of_n_equals_n_batches_of_one(net: fr.Session) -> None:
    x = image(6)
    whole = net.run({"image": x})["map"].numpy()
    for i in range(6):
        np.testing.assert_array_equal(net.run({"image": x[i : i + 1]})["map"].numpy()[0], whole[i])


def test_strided_read_only_and_foreign_arrays(net: fr.Session) -> None:
    x = image(4)
    want = net.run({"image": x})["features"].numpy()
    hwc = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(net.run({"image": hwc.transpose(0, 3, 1, 2)})["features"].numpy(), want)
    frozen = x.copy()
    frozen.setflags(write=False)
    np.testing.assert_array_equal(net.run({"image": frozen})["features"].numpy(), want)
    np.testing.assert_array_equal(net.run({"image": fr.from_dlpack(x)})["features"].numpy(), want)


def test_outputs_by_name(net: fr.Session) -> None:
    x = image(2)
    both = net.run({"image": x})
    some = net.run({"image": x}, ["map"])
    assert list(some) == ["map"]
    np.testing.assert_array_equal(some["map"].numpy(), both["map"].numpy())
    assert list(net.run({"image": x}, ("map", "features"))) == ["map", "features"]


def test_outputs_outlive_the_session() -> None:
    session = fr.Session(convolution())
    out = session.run({"image": image(2)})["map"].numpy()
    before = out.copy()
    del session
    gc.collect()
    np.testing.assert_array_equal(out, before)


def test_from_a_file(tmp_path: Path, net: fr.Session) -> None:
    path = tmp_path / "größe.onnx"
    path.write_bytes(convolution())
    for given in (path, str(path)):
        session = fr.Session(given)
        assert session.name == str(path)
        assert session.model_sha256 == net.model_sha256
        x = image(1)
        np.testing.assert_array_equal(session.run({"image": x})["map"].numpy(), net.run({"image": x})["map"].numpy())
    assert fr.Session(bytearray(convolution())).model_sha256 == net.model_sha256


# ---- what it says of itself ----


def test_ports_and_provider(net: fr.Session) -> None:
    assert [(p.name, p.dtype, p.shape) for p in net.inputs] == [("image", "float32", (-1, 3, -1, -1))]
    assert [p.name for p in net.outputs] == ["features", "map"]
    assert net.provider == "cpu"
    assert net.provider_reason.startswith(f"cpu: the device is cpu; ONNX Runtime {onnxruntime.__version__} offers ")
    assert "asked for" in fr.Session(convolution(), provider="cpu").provider_reason
    assert repr(net) == (
        "<forge_rt.Session net on cpu: [<image: float32 [?, 3, ?, ?]>] -> "
        "[<features: float32 [?, 5]>, <map: float32 [?, 8, ?, ?]>]>"
    )


def test_runtime_info() -> None:
    info = backend.runtime_info()
    assert info.version == onnxruntime.__version__
    assert set(info.providers) == set(onnxruntime.get_available_providers())
    assert Path(info.path).is_file()
    assert info.found_by in ("package", "FORGE_RT_ORT_LIBRARY")


def test_the_package_onnxruntime_is_not_imported() -> None:
    code = "import sys, forge_rt as fr\nfr.backend.runtime_info()\nassert 'onnxruntime' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("library", ["missing", "text", "other"])
def test_no_library(tmp_path: Path, library: str) -> None:
    path = tmp_path / "libonnxruntime.so"
    if library == "text":
        path.write_text("not a library", encoding="utf-8")
    told = fr._core.__file__ if library == "other" else str(path)
    code = (
        "import forge_rt as fr\n"
        "try:\n    fr.backend.runtime_info()\n"
        "except fr.UnsupportedError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "FORGE_RT_ORT_LIBRARY": told}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, timeout=60, capture_output=True, text=True
    )
    assert told in result.stdout
    assert 'pip install "forge-rt[cpu]"' in result.stdout
    assert ("not ONNX Runtime" in result.stdout) == (library == "other")


# ---- errors ----


def test_wrong_inputs(net: fr.Session) -> None:
    with pytest.raises(fr.InvalidArgumentError, match="net has no input 'picture'; it has: image"):
        net.run({"picture": image(1)})
    with pytest.raises(fr.InvalidArgumentError, match="net needs the input 'image'"):
        net.run({})
    with pytest.raises(fr.InvalidArgumentError, match=r"must be \[\?, 3, \?, \?\] float32, got \[1, 4, 5, 5\] float32"):
        net.run({"image": np.zeros((1, 4, 5, 5), np.float32)})
    with pytest.raises(fr.InvalidArgumentError, match=r"got \[3, 5, 5\] float32"):
        net.run({"image": np.zeros((3, 5, 5), np.float32)})
    with pytest.raises(fr.InvalidArgumentError, match=r"got \[1, 3, 5, 5\] float64"):
        net.run({"image": np.zeros((1, 3, 5, 5))})
    with pytest.raises(fr.InvalidArgumentError, match="net has no output 'depth'; it has: features, map"):
        net.run({"image": image(1)}, ["depth"])


def test_wrong_models(tmp_path: Path) -> None:
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    with pytest.raises(fr.CorruptFileError, match=r"empty\.onnx is empty"):
        fr.Session(empty)
    with pytest.raises(fr.CorruptFileError, match="is empty"):
        fr.Session(b"")
    with pytest.raises(fr.NotFoundError, match=r"none\.onnx"):
        fr.Session(tmp_path / "none.onnx")
    with pytest.raises(fr.NotFoundError):
        fr.Session(tmp_path)
    good = convolution()
    damaged = tmp_path / "damaged.onnx"
    for data in (good[: len(good) // 2], b"\x00" * 100, good[3:], b"PK\x03\x04" + good):
        damaged.write_bytes(data)
        with pytest.raises(fr.CorruptFileError, match=r"damaged\.onnx: ONNX Runtime"):
            fr.Session(damaged)
    words = model([node("Identity", ["a"], ["y"])], [value_info("a", "str", [2])], [value_info("y", "str", [2])])
    with pytest.raises(fr.UnsupportedError, match="input 'a' of words holds text"):
        fr.Session(words, name="words")


def test_more_memory_than_there_is() -> None:
    data = model(
        [node("Expand", ["x", "shape"], ["y"])],
        [value_info("x", "float32", [1]), value_info("shape", "int64", [1])],
        [value_info("y", "float32", ["n"])],
    )
    session = fr.Session(data)
    with pytest.raises(fr.OutOfMemoryError):
        session.run({"x": [1], "shape": [1 << 45]})
    assert session.run({"x": [1], "shape": [3]})["y"].numpy().tolist() == [1, 1, 1]


def test_wrong_options() -> None:
    with pytest.raises(fr.InvalidArgumentError, match="provider must be auto, cpu or cuda, got 'tpu'"):
        fr.Session(convolution(), provider="tpu")
    with pytest.raises(fr.InvalidArgumentError, match="intra_op_threads"):
        fr.Session(convolution(), threads=-2)
    with pytest.raises(fr.InvalidArgumentError):
        fr.Session(convolution(), device="rocm")


def test_cuda_is_never_replaced_in_silence() -> None:
    if fr.cuda_status()["device_count"] or "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA may work here")
    with pytest.raises(fr.DeviceUnavailableError, match="has no CUDA provider"):
        fr.Session(convolution(), provider="cuda")
    with pytest.raises(fr.DeviceUnavailableError):
        fr.Session(convolution(), device="cuda")


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu() -> None:
    if not fr.cuda_status()["device_count"]:
        pytest.skip("no CUDA device")
    try:
        session = fr.Session(convolution(), device="cuda", provider="cuda")
    except fr.DeviceUnavailableError as error:
        pytest.skip(str(error))
    x = image(4)
    want = fr.Session(convolution()).run({"image": x})["map"].numpy()
    assert session.provider == "cuda"
    np.testing.assert_allclose(session.run({"image": x})["map"].numpy(), want, atol=1e-2)  # TF32
    on_gpu = fr.from_dlpack(x).to("cuda")
    np.testing.assert_allclose(session.run({"image": on_gpu})["map"].numpy(), want, atol=1e-2)
    bound = session.binding()
    bound.bind_input("image", x)
    bound.bind_output_device("map", "cuda")
    for _ in range(3):
        bound.run()
        assert bound.output("map").device == "cuda:0"
        np.testing.assert_allclose(bound.output("map").numpy(), want, atol=1e-2)
    x *= 2  # an input on the CPU is read at each run
    bound.run()
    again = fr.Session(convolution()).run({"image": x})["map"].numpy()
    np.testing.assert_allclose(bound.output("map").numpy(), again, atol=2e-2)


# ---- bindings, threads, memory ----


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_binding_gives_the_same(net: fr.Session) -> None:
    x, features, maps = image(2), np.zeros((2, 5), np.float32), np.zeros((2, 8, 24, 17), np.float32)
    binding = net.binding()
    binding.bind_input("image", x)
    binding.bind_output("features", features)
    binding.bind_output("map", maps)
    for seed in range(5):
        x[:] = np.random.default_rng(seed).normal(size=x.shape)
        binding.run()
        want = net.run({"image": x})
        np.testing.assert_array_equal(features, want["features"].numpy())
        np.testing.assert_array_equal(maps, want["map"].numpy())
    assert np.shares_memory(binding.output("map").numpy(), maps)


def test_binding_for_shapes_not_known_ahead(net: fr.Session) -> None:
    binding = net.binding()
    binding.bind_output_device("map")
    with pytest.raises(fr.InvalidArgumentError, match="bind it and run first"):
        binding.output("map")
    with pytest.raises(fr.InvalidArgumentError, match="input 'image' of net is not bound"):
        binding.run()
    for n in (1, 3, 2):
        x = image(n)
        binding.bind_input("image", x)
        binding.run()
        np.testing.assert_array_equal(binding.output("map").numpy(), net.run({"image": x})["map"].numpy())


def test_binding_errors(net: fr.Session) -> None:
    binding = net.binding()
    with pytest.raises(fr.InvalidArgumentError, match="contiguous"):
        binding.bind_input("image", image(2)[:, :, ::2])
    with pytest.raises(fr.InvalidArgumentError, match="no output 'depth'"):
        binding.bind_output("depth", image(1))
    binding.bind_input("image", image(2))
    binding.bind_output("features", np.zeros((3, 5), np.float32))  # the batch is 2
    with pytest.raises(fr.InvalidArgumentError, match="net"):
        binding.run()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_memory_does_not_grow(net: fr.Session) -> None:
    x, maps = image(4, 64, 64), np.zeros((4, 8, 64, 64), np.float32)
    binding = net.binding()
    binding.bind_input("image", x)
    binding.bind_output("map", maps)

    def work(times: int) -> None:
        for _ in range(times):
            binding.run()
            net.run({"image": x})

    work(30)
    gc.collect()
    before = resident_bytes()
    work(200)  # one run leaves 528 kB of outputs: 100 MB if they stayed
    gc.collect()
    assert resident_bytes() - before < 8 << 20


def test_sessions_give_their_memory_back() -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("resident memory is read from /proc")
    data = convolution(128)  # 0.3 MB of weights
    for _ in range(20):
        fr.Session(data, threads=2)
    before = resident_bytes()
    for _ in range(60):
        fr.Session(data, threads=2)
    assert resident_bytes() - before < 8 << 20


def test_many_threads_at_once(net: fr.Session) -> None:
    images = [image(n) for n in range(1, 7)]
    want = [net.run({"image": x})["map"].numpy() for x in images]
    wrong: list[int] = []

    def work(k: int) -> None:
        for i in range(20):
            j = (i + k) % len(images)
            if not np.array_equal(net.run({"image": images[j]})["map"].numpy(), want[j]):
                wrong.append(j)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_other_threads_run_meanwhile() -> None:
    session = fr.Session(convolution(64), threads=1)
    x = image(8, 160, 160)
    ticks, stop = [0], threading.Event()

    def tick() -> None:
        while not stop.wait(0.0005):
            ticks[0] += 1

    ticker = threading.Thread(target=tick)
    ticker.start()
    session.run({"image": x})
    stop.set()
    ticker.join()
    assert ticks[0] >= 3


# ---- keys ----


def test_engine_cache_key() -> None:
    sha = "ab" * 32
    key = fr.engine_cache_key(
        sha, provider="tensorrt", shapes={"image": ([1, 3], [2, 3], [4, 3])}, libraries={"trt": "11"}
    )
    assert len(key) == 64
    assert key == backend.engine_cache_key(
        sha, provider="tensorrt", libraries={"trt": "11"}, shapes={"image": ([1, 3], [2, 3], [4, 3])}
    )
    assert key != fr.engine_cache_key(sha, provider="tensorrt", shapes={"image": ([1, 3], [2, 3], [5, 3])})
    with pytest.raises(fr.InvalidArgumentError, match="model_sha256"):
        fr.engine_cache_key("abc", provider="cuda")
