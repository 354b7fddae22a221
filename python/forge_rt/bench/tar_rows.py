"""The archives of `forge-rt bench encode`: 300 samples of a shard from memory into a file, against Python's tarfile.

Every archive is a new file in one temporary folder and is removed before the next turn, so that nobody pays for the
pages of another one. The bar compares writers that return when the system has the bytes. Writers that return when the
disk has them are timed beside it: that is what shards use, and it measures the disk as much as the writer.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt import _core
from forge_rt.bench.harness import Contestant, Run

SAMPLES = 300
#: A 512 x 512 sample: image, labels, depth, annotation.
MEMBER_BYTES = {"jpg": 85_000, "seg.png": 9_000, "depth.png": 120_000, "json": 14_000}
VS_TARFILE = 3.0

Sample = list[tuple[str, bytes]]


def make_samples() -> list[Sample]:
    """Random bytes: nothing here looks at them."""
    random = np.random.default_rng(0)
    return [[(f"{i:08d}.{name}", random.bytes(size)) for name, size in MEMBER_BYTES.items()] for i in range(SAMPLES)]


def write_forge_rt(path: Path, samples: list[Sample], *, hash: bool, sync: bool) -> None:
    writer = _core.TarWriter(path, hash=hash, sync=sync)
    for sample in samples:
        writer.add_many(sample)
    writer.finish()


class _Hashing:
    """A file that knows the SHA-256 of what was written to it."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self._file, self._sha256 = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()


def _add_all(tar: tarfile.TarFile, samples: list[Sample]) -> None:
    for sample in samples:
        for name, data in sample:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def write_tarfile(path: Path, samples: list[Sample]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        _add_all(tar, samples)


def write_tarfile_durable(path: Path, samples: list[Sample]) -> None:
    """What a shard needs, with the standard library: hash, fsync, rename, fsync of the folder."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        target: Any = _Hashing(file)
        with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            _add_all(tar, samples)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def write_webdataset(path: Path, samples: list[Sample]) -> None:
    import webdataset

    with webdataset.TarWriter(str(path), encoder=False, mtime=0) as writer:
        for sample in samples:
            key = sample[0][0].split(".", 1)[0]
            writer.write({"__key__": key, **{name.split(".", 1)[1]: data for name, data in sample}})


def _content(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]


def tar_rows(run: Run) -> None:
    samples = make_samples()
    members = {name: data for sample in samples for name, data in sample}
    payload = sum(map(len, members.values()))
    writers: dict[str, tuple[str, Callable[[Path], None]]] = {
        "tar_forge_rt": ("TarWriter", lambda path: write_forge_rt(path, samples, hash=False, sync=False)),
        "tar_tarfile": ("Python's tarfile, ustar", lambda path: write_tarfile(path, samples)),
        "tar_forge_rt_durable": (
            "TarWriter as shards use it: SHA-256, on the disk",
            lambda path: write_forge_rt(path, samples, hash=True, sync=True),
        ),
        "tar_tarfile_durable": (
            "tarfile with hashlib's SHA-256, on the disk", lambda path: write_tarfile_durable(path, samples),
        ),
    }  # fmt: skip
    try:
        import webdataset
    except ImportError:
        run.notes.append("webdataset is not installed: no row for its TarWriter")
    else:
        what = f"webdataset {webdataset.__version__} TarWriter"
        writers["tar_webdataset"] = (what, lambda path: write_webdataset(path, samples))

    with tempfile.TemporaryDirectory(prefix="forge_rt_bench_") as name:
        folder = Path(name)
        run.problem["tar"] = {
            "samples": SAMPLES, "member_bytes": MEMBER_BYTES, "payload_bytes": payload, "folder": str(folder.parent),
        }  # fmt: skip

        # parity first
        archives = {}
        for key, (_, write) in writers.items():
            write(folder / key)
            archives[key] = (folder / key).read_bytes()
        wrong = sum(_content(folder / key) != members for key in writers)
        run.parity("tar_members_differ", wrong, 0, "archives of the contestants that tarfile reads back otherwise")
        ours = ("tar_forge_rt", "tar_forge_rt_durable")
        differ = sum(archives[key] != archives["tar_tarfile"] for key in ours)
        run.parity("tar_bytes_vs_tarfile", differ, 0, "our archives whose bytes are not those of tarfile")
        run.require_parity()
        archives.clear()

        def clean() -> None:
            for path in folder.iterdir():
                path.unlink()

        def contestant(key: str, what: str, write: Callable[[Path], None]) -> Contestant:
            return Contestant(
                key, what, lambda: write(folder / key), items=SAMPLES, unit="sample", before=clean, calls_per_turn=1
            )

        timings = run.compare(*(contestant(key, *value) for key, value in writers.items()), rounds=15, warm_up=0)
    ratio = timings.ratio("tar_tarfile", "tar_forge_rt")
    run.check("tar_vs_tarfile", ratio, ">=", VS_TARFILE, "the same bytes, handed to the system")
    durable = timings.ratio("tar_tarfile_durable", "tar_forge_rt_durable")
    rate = payload / float(np.median(np.concatenate(timings.rounds["tar_forge_rt_durable"]))) / 1e9
    run.notes.append(
        f"with SHA-256 and fsync on both sides the ratio to tarfile is {durable:.1f}, ours writes {rate:.1f} GB/s"
    )
