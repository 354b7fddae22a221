"""encode_png: files that other people's readers decode to the same values, small and equal everywhere."""

from __future__ import annotations

import io
import struct
import threading
import zlib

import cv2
import forge_rt as fr
import numpy as np
import pytest
from forge_rt import _core
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DTYPES = (np.uint8, np.uint16)
#: Signature, IHDR, IEND, one IDAT, zlib's head and tail.
FILE_OVERHEAD = 8 + 25 + 12 + 12 + 6
#: Another IDAT and the head of a stored block.
BLOCK_OVERHEAD = 12 + 5
#: Filtered bytes of a block, at least: blocks hold whole rows.
BLOCK_BYTES = 64 << 10


def chunks(file: bytes) -> list[tuple[bytes, bytes]]:
    """(type, data) of each chunk; checks order, lengths and CRC-32."""
    assert file.startswith(SIGNATURE)
    found, at = [], len(SIGNATURE)
    while at < len(file):
        (size,) = struct.unpack_from(">I", file, at)
        kind, data = file[at + 4 : at + 8], file[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", file, at + 8 + size)[0] == zlib.crc32(kind + data)
        found.append((kind, data))
        at += 12 + size
    names = [kind for kind, _ in found]
    assert names == [b"IHDR", *[b"IDAT"] * (len(names) - 2), b"IEND"]
    return found


def unfiltered(data: bytes, height: int, row_bytes: int, pixel: int) -> np.ndarray:
    """The definitions of ISO 15948 §9, byte by byte."""
    out = np.zeros((height + 1, pixel + row_bytes), np.int64)  # a row above, a pixel to the left
    rows = np.frombuffer(data, np.uint8).reshape(height, 1 + row_bytes)
    for y in range(height):
        kind, values = int(rows[y, 0]), rows[y, 1:].astype(np.int64)
        here, above = out[y + 1], out[y]
        if kind == 0:
            here[pixel:] = values
        elif kind == 2:
            here[pixel:] = (values + above[pixel:]) & 255
        else:
            assert kind in (1, 4)
            for i in range(row_bytes):
                a, b, c = int(here[i]), int(above[i + pixel]), int(above[i])
                if kind == 1:
                    prediction = a
                else:
                    distances = [abs(a + b - c - v) for v in (a, b, c)]
                    prediction = (a, b, c)[distances.index(min(distances))]
                here[i + pixel] = (int(values[i]) + prediction) & 255
    return out[1:, pixel:].astype(np.uint8)


def decoded(file: bytes) -> np.ndarray:
    """A reader of our own over Python's zlib, which checks the Adler-32."""
    parts = chunks(file)
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", parts[0][1])
    assert rest == [0, 0, 0]
    channels, sample = {0: 1, 2: 3, 6: 4}[colour], depth // 8
    stream = zlib.decompressobj()
    raw = stream.decompress(b"".join(data for kind, data in parts if kind == b"IDAT"))
    assert stream.eof
    assert not stream.unused_data
    rows = unfiltered(raw, height, width * channels * sample, channels * sample)
    return rows.reshape(-1).view(">u2" if sample == 2 else np.uint8).reshape(height, width, channels)


def check(image: np.ndarray, *, own_reader: bool = True) -> bytes:
    """Encodes and compares with every reader that knows the format. Returns the file."""
    file = _core.encode_png(image)
    raw = image.size * image.itemsize + image.shape[0]
    assert len(file) <= raw + FILE_OVERHEAD + BLOCK_OVERHEAD * (raw // BLOCK_BYTES + 1)
    if own_reader:
        values = decoded(file)
        assert np.array_equal(values if image.ndim == 3 else values[..., 0], image)
    seen = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    expected = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if expected.ndim == 3:
        expected = expected[..., [2, 1, 0, 3][: expected.shape[2]]]  # OpenCV has blue first
    assert seen.dtype == image.dtype
    assert np.array_equal(seen, expected)
    if image.dtype == np.uint8 or image.ndim == 2:  # Pillow cuts 16-bit colours to 8 bits
        with Image.open(io.BytesIO(file)) as opened:
            seen = np.asarray(opened)
        assert np.array_equal(seen, image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    return file


def noise(shape: tuple[int, ...], dtype: type, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def labels(height: int, width: int) -> np.ndarray:
    """Discs of class ids on nothing, as in a label map."""
    y, x = np.mgrid[:height, :width]
    image = np.zeros((height, width), np.uint8)
    for k in range(1, 15):
        cy, cx, r = (k * 37) % height, (k * 53) % width, (10 + 5 * k) * min(height, width) / 300
        image[(y - cy) ** 2 + (x - cx) ** 2 < r * r] = k
    return image


def depth(height: int, width: int) -> np.ndarray:
    """A rough bump in 0.1 mm, with background 0."""
    y, x = np.mgrid[:height, :width] / max(height, width) - 0.5
    bump = 9000 + 5000 * (x * x + y * y) + np.random.default_rng(0).normal(0, 2, (height, width))
    return np.where(x * x + y * y < 0.16, bump, 0).astype(np.uint16)


SIZES = [
    (1, 1),
    (1, 2),
    (1, 300),
    (300, 1),
    (2, 2),
    (3, 5),
    (257, 3),
    (3, 257),
    (63, 64),
    (64, 65),
    (65535, 1),
    (1, 65535),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_awkward_sizes(size: tuple[int, int], channels: int, dtype: type) -> None:
    shape = (*size, channels) if channels else size
    small = size[0] * size[1] < 5000
    check(noise(shape, dtype), own_reader=small)
    check(noise(shape, dtype) // np.iinfo(dtype).max, own_reader=small)
    check(np.full(shape, 200, dtype), own_reader=small)
    check(np.zeros(shape, dtype), own_reader=small)


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_is_stored(dtype: type) -> None:
    image = noise((300, 301), dtype)
    file = check(image, own_reader=False)
    assert len(file) < image.nbytes * 1.01


def test_constant_images_are_tiny() -> None:
    for value in (0, 1, 255):
        assert len(check(np.full((512, 512), value, np.uint8), own_reader=False)) < 2500
    assert len(check(np.zeros((512, 512), np.uint16), own_reader=False)) < 1500


@pytest.mark.parametrize("run", [1, 2, 3, 4, 62, 63, 64, 65, 66, 257, 258, 259, 260, 261, 262, 516, 517, 519])
def test_runs_of_every_length(run: int) -> None:
    row = np.concatenate([np.full(run, v, np.uint8) for v in (5, 9, 5, 0, 5, 1)])
    check(row[None])
    check(np.stack([row, np.roll(row, 1), row, row * 0, row]))


@pytest.mark.parametrize("height", [127, 128, 129, 255, 256, 257, 600])
def test_block_borders(height: int) -> None:
    check(labels(height, 511), own_reader=False)
    check(depth(height, 515), own_reader=False)


def test_each_filter_is_used() -> None:
    y, x = np.mgrid[:64, :64]
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.integers(-9, 10, (64, 64)), axis=1)
    pictures = {
        0: noise((64, 64), np.uint8),
        1: walks.astype(np.uint8),
        2: walks.T.astype(np.uint8),
        4: (x * x // 40 + y * y // 40 + rng.integers(0, 2, (64, 64))).astype(np.uint8),
    }
    for kind, image in pictures.items():
        data = b"".join(d for name, d in chunks(check(image)) if name == b"IDAT")
        kinds = set(zlib.decompress(data)[::65])
        assert kind in kinds


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients(dtype: type) -> None:
    y, x = np.mgrid[:90, :70]
    for image in (x, y, x + y, 3 * x * y, 700 * x + 13 * y):
        check(image.astype(dtype))


def test_flat_colours() -> None:
    palette = noise((15, 3), np.uint8)
    check(palette[labels(100, 90)])
    check(np.repeat(np.repeat(noise((9, 8, 4), np.uint8), 11, 0), 13, 1))


def test_counts_that_need_longer_codes_than_allowed() -> None:
    counts = [1, 1]
    while len(counts) < 24:
        counts.append(counts[-1] + counts[-2])
    values = np.repeat(np.arange(24, dtype=np.uint8), counts)
    values = values[: len(values) // 300 * 300]
    np.random.default_rng(0).shuffle(values)
    check(np.ascontiguousarray(values.reshape(-1, 300)), own_reader=False)


def test_label_maps_and_depth_are_smaller_than_opencvs() -> None:
    for image in (labels(512, 512), depth(512, 512)):
        file = check(image, own_reader=False)
        assert len(file) < len(cv2.imencode(".png", image)[1])


def test_strided_views() -> None:
    image = noise((60, 50, 4), np.uint16) // 3
    for view in (image[::2], image[:, ::-1], image[5:40, 3:33, :3], image[..., 0], image.transpose(1, 0, 2)):
        assert _core.encode_png(view) == _core.encode_png(np.ascontiguousarray(view))
        check(view)


def test_takes_tensors_and_read_only_arrays() -> None:
    image = labels(40, 50)
    expected = _core.encode_png(image)
    image.flags.writeable = False
    assert _core.encode_png(image) == expected
    assert _core.encode_png(_core.from_dlpack(labels(40, 50))) == expected


def test_same_bytes_on_every_path(isa: str) -> None:
    images = (labels(200, 301), depth(200, 301), noise((50, 60, 3), np.uint8), noise((50, 60, 4), np.uint16) // 99)
    files = [_core.encode_png(image) for image in images]
    fr.set_isa("baseline")  # the fixture puts it back
    assert files == [_core.encode_png(image) for image in images]


def test_many_threads_give_the_same_bytes() -> None:
    images = [labels(200 + k, 300) for k in range(4)] + [depth(200, 300 + k) for k in range(4)]
    expected = [_core.encode_png(image) for image in images]
    wrong: list[int] = []

    def work(first: int) -> None:
        for turn in range(40):
            k = (first + turn) % len(images)
            if _core.encode_png(images[k]) != expected[k]:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (np.zeros((4, 4), np.float32), "float32"),
        (np.zeros((4, 4), np.int16), "int16"),
        (np.zeros((4, 4), bool), "bool"),
        (np.zeros((4, 4, 2), np.uint8), r"\[4, 4, 2\]"),
        (np.zeros((4, 4, 5), np.uint8), r"\[4, 4, 5\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"\[2, 4, 4, 3\]"),
        (np.zeros(4, np.uint8), r"\[4\]"),
        (np.zeros((0, 4), np.uint8), r"\[0, 4\]"),
        (np.zeros((4, 0), np.uint16), r"\[4, 0\]"),
    ],
    ids=str,
)
def test_what_is_not_a_picture(image: np.ndarray, got: str) -> None:
    with pytest.raises(fr.InvalidArgumentError, match=rf"image must be .*uint8 or uint16.*{got}"):
        _core.encode_png(image)


@st.composite
def structured_images(draw: st.DrawFn) -> np.ndarray:
    """Blocks of constant colour, ramps and noise over each other."""
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 90))
    channels = draw(st.sampled_from([0, 1, 3, 4]))
    dtype = draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (height, width, channels) if channels else (height, width)
    image = np.zeros(shape, np.int64)
    y, x = np.mgrid[:height, :width]
    for _ in range(draw(st.integers(0, 8))):
        y0, x0 = rng.integers(0, height), rng.integers(0, width)
        y1, x1 = rng.integers(y0, height) + 1, rng.integers(x0, width) + 1
        part = image[y0:y1, x0:x1]
        kind = draw(st.sampled_from(["flat", "ramp", "noise", "few"]))
        if kind == "flat":
            part[...] = rng.integers(0, 65536, shape[2:])
        elif kind == "ramp":
            slope = (rng.integers(-50, 50) * y + rng.integers(-50, 50) * x)[y0:y1, x0:x1]
            part[...] = slope[..., None] if channels else slope
        elif kind == "noise":
            part[...] = rng.integers(0, 65536, part.shape)
        else:
            part += rng.integers(0, 2, part.shape)
    return image.astype(dtype)


@given(structured_images())
def test_random_images(image: np.ndarray) -> None:
    check(image)
