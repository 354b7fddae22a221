"""Shard archives: readable by everyone, the same bytes each time, complete or not there at all."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
from forge_rt import _core

MIB = 1 << 20
SIZES = (0, 1, 511, 512, 513, MIB - 1, MIB, MIB + 1)


def _data(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


MEMBERS = [(f"{size:08d}.bin", _data(size)) for size in SIZES]


def _write(path: Path, members: list[tuple[str, bytes]] = MEMBERS, **options: bool) -> tuple[int, int, str]:
    with _core.TarWriter(path, **options) as writer:
        writer.add_many(members)
        return writer.finish()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- the archive ----


def test_python_reads_it(tmp_path: Path) -> None:
    with _core.TarWriter(tmp_path / "a.tar") as writer:
        offsets = writer.add_many(MEMBERS[:3]) + [writer.add(name, data) for name, data in MEMBERS[3:]]
        size, members, sha256 = writer.finish()
    archive = (tmp_path / "a.tar").read_bytes()
    assert (size, members, sha256) == (len(archive), len(MEMBERS), hashlib.sha256(archive).hexdigest())
    with tarfile.open(tmp_path / "a.tar") as tar:
        infos = tar.getmembers()
        assert [(i.name, tar.extractfile(i).read()) for i in infos] == MEMBERS
        assert [i.offset for i in infos] == offsets and [i.offset_data for i in infos] == [o + 512 for o in offsets]
        assert all((i.mode, i.uid, i.gid, i.uname, i.mtime, i.isreg()) == (0o644, 0, 0, "", 0, True) for i in infos)


def test_bytes_are_those_of_tarfile(tmp_path: Path) -> None:
    names = ["short", "n" * 100, "p" * 155 + "/" + "n" * 100, "/".join(["part"] * 40)]
    members = [*MEMBERS, *((name, b"x") for name in names)]
    _write(tmp_path / "a.tar", members)
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs the program tar")
def test_tar_reads_it(tmp_path: Path) -> None:
    _write(tmp_path / "a.tar")
    listing = subprocess.run(["tar", "tvf", tmp_path / "a.tar"], capture_output=True, text=True, check=True)
    assert listing.stderr == "" and [line.split()[-1] for line in listing.stdout.splitlines()] == [
        n for n, _ in MEMBERS
    ]
    subprocess.run(["tar", "xf", tmp_path / "a.tar", "-C", tmp_path], check=True)
    assert all((tmp_path / name).read_bytes() == data for name, data in MEMBERS)


def test_same_bytes_again(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.tar")
    assert _write(tmp_path / "b.tar") == first
    assert _write(tmp_path / "c.tar", hash=False, sync=False) == (*first[:2], "")
    assert len({(tmp_path / name).read_bytes() for name in ("a.tar", "b.tar", "c.tar")}) == 1


def test_any_bytes_like(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.uint16)
    with _core.TarWriter(tmp_path / "a.tar") as writer:
        writer.add_many([("a", bytearray(b"a")), ("b", memoryview(b"b")), ("c", array)])
        with pytest.raises(TypeError):
            writer.add("d", "text")
        with pytest.raises((BufferError, ValueError)):
            writer.add("e", array[::2])
        writer.finish()
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert [tar.extractfile(i).read() for i in tar] == [b"a", b"b", array.tobytes()]


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\n", "a\0b", "é", "a" + "é" * 200, "x" * 101]
)
def test_names_that_are_refused(tmp_path: Path, name: str) -> None:
    with _core.TarWriter(tmp_path / "a.tar") as writer:
        with pytest.raises(fr.InvalidArgumentError, match="tar member name must"):
            writer.add(name, b"")
        writer.add("good", b"")
        assert writer.finish()[1] == 1


# ---- what is left behind ----


def test_unfinished_writers_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_text("before")
    writer = _core.TarWriter(tmp_path / "a.tar")
    writer.add("x", bytes(3 * MIB))
    assert len(_names(tmp_path)) == 2
    writer.abort()
    with pytest.raises(fr.InvalidArgumentError, match="aborted before"):
        writer.add("y", b"")

    with pytest.raises(KeyError), _core.TarWriter(tmp_path / "a.tar") as writer:
        raise KeyError
    writer = _core.TarWriter(tmp_path / "a.tar")
    del writer
    gc.collect()
    assert _names(tmp_path) == ["a.tar"] and (tmp_path / "a.tar").read_text() == "before"


def test_finished_archive_replaces(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_text("before")
    with (tmp_path / "a.tar").open() as reader:
        _write(tmp_path / "a.tar")
        assert reader.read() == "before"  # who reads the old file goes on reading it
    assert _names(tmp_path) == ["a.tar"] and tarfile.is_tarfile(tmp_path / "a.tar")


def test_threads_may_share_a_writer(tmp_path: Path) -> None:
    writer = _core.TarWriter(tmp_path / "a.tar", sync=False)
    data = bytes(100_000)

    def add(thread: int) -> None:
        for i in range(50):
            writer.add(f"{thread}.{i}", data)

    threads = [threading.Thread(target=add, args=(t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.finish()[1] == 200
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert len({i.name for i in tar}) == 200


_WRITER = """
import sys
from forge_rt import _core
path, samples = sys.argv[1], int(sys.argv[2])
writer = _core.TarWriter(path)
data = bytes(range(256)) * 1024
for i in range(samples):
    writer.add(f"{i:08d}.bin", data)
    if i == 20:
        print("started", flush=True)
print(*writer.finish())
"""


def _start(path: Path, samples: int) -> subprocess.Popen[str]:
    package = str(Path(fr.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, *sys.path])}
    command = [sys.executable, "-c", _WRITER, str(path), str(samples)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_two_processes_write_one_path(tmp_path: Path) -> None:
    writers = [_start(tmp_path / "a.tar", 40) for _ in range(2)]
    results = {writer.communicate(timeout=60)[0] for writer in writers}
    assert all(writer.returncode == 0 for writer in writers) and len(results) == 1
    assert _names(tmp_path) == ["a.tar"]
    assert hashlib.sha256((tmp_path / "a.tar").read_bytes()).hexdigest() in results.pop()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_kill_leaves_a_part_file_only(tmp_path: Path) -> None:
    writer = _start(tmp_path / "a.tar", 4000)
    assert writer.stdout is not None and writer.stdout.readline() == "started\n"
    time.sleep(0.02)
    writer.kill()
    writer.communicate(timeout=60)
    (left,) = _names(tmp_path)
    assert left.startswith("a.tar.") and left.endswith(".part")
    _write(tmp_path / "a.tar")  # the next run is not in its way
    assert tarfile.is_tarfile(tmp_path / "a.tar")


# ---- what the system refuses ----


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk_while_writing(small_disk: Path) -> None:
    (small_disk / "a.tar").write_text("before")
    writer = _core.TarWriter(small_disk / "a.tar")
    with pytest.raises(fr.InputOutputError) as caught:
        for i in range(4):
            writer.add(f"{i}.bin", bytes(MIB // 2))
    text = str(caught.value)
    assert str(small_disk / "a.tar") in text and "No space left on device" in text and "free some space" in text
    with pytest.raises(fr.InputOutputError, match=r"writing it failed before \(No space left"):
        writer.add("x", b"")
    with pytest.raises(fr.InputOutputError, match="writing it failed before"):
        writer.finish()
    writer.abort()
    assert _names(small_disk) == ["a.tar"] and (small_disk / "a.tar").read_text() == "before"


def test_full_disk_at_the_end(small_disk: Path) -> None:
    (small_disk / "a.tar").write_bytes(bytes(MIB - 8192))
    writer = _core.TarWriter(small_disk / "a.tar")
    writer.add("x", bytes(20_000))  # stays in memory until finish
    with pytest.raises(fr.InputOutputError, match="at least 30720 bytes are needed"):
        writer.finish()
    assert _names(small_disk) == ["a.tar"]
    (small_disk / "a.tar").write_bytes(b"")
    _write(small_disk / "a.tar", [("x", bytes(20_000))])  # there is room now


def test_limit_on_file_sizes(tmp_path: Path, run_script) -> None:
    pytest.importorskip("resource")
    script = tmp_path / "limited.py"
    script.write_text(
        "import resource, sys\n"
        "from forge_rt import _core\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 19, 3 << 19))\n"
        "writer = _core.TarWriter(sys.argv[1])\n"
        "try:\n"
        "    writer.add('x', bytes(2 << 20))\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    (tmp_path / "out").mkdir()
    result = run_script(script, tmp_path / "out" / "a.tar")
    assert result.returncode == 0, result.stderr
    assert "InputOutputError" in result.stdout and "File too large" in result.stdout and "ulimit -f" in result.stdout
    assert _names(tmp_path / "out") == []


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(fr.InputOutputError, match="No such file or directory; choose a folder that exists"):
        _core.TarWriter(tmp_path / "missing" / "a.tar")
    (tmp_path / "a.tar").mkdir()
    writer = _core.TarWriter(tmp_path / "a.tar")
    with pytest.raises(fr.InputOutputError, match="directory"):
        writer.finish()
    assert _names(tmp_path) == ["a.tar"]


def test_read_only_disk(small_disk: Path) -> None:
    writer = _core.TarWriter(small_disk / "a.tar")
    writer.add("x", b"x")
    writer.finish()
    if subprocess.run(["mount", "-o", "remount,ro", small_disk], capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot make the disk read-only")
    with pytest.raises(fr.InputOutputError, match="Read-only file system"):
        _core.TarWriter(small_disk / "a.tar")
    assert _names(small_disk) == ["a.tar"] and tarfile.is_tarfile(small_disk / "a.tar")


@pytest.mark.skipif(os.name == "nt", reason="folders have no write permission there")
def test_read_only_folder(tmp_path: Path, run_script) -> None:
    script = tmp_path / "stopped.py"
    script.write_text(
        "import os, sys\n"
        "from forge_rt import _core\n"
        "os.chdir(sys.argv[1])\n"
        "if os.geteuid() == 0:\n"
        "    os.seteuid(65534)  # permissions do not stop root\n"
        "try:\n"
        "    _core.TarWriter('a.tar')\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    folder = tmp_path / "folder"
    folder.mkdir(0o555)
    result = run_script(script, folder)
    assert result.returncode == 0, result.stderr
    assert "InputOutputError" in result.stdout and "Permission denied; choose a folder" in result.stdout
    assert _names(folder) == []


# ---- hashes ----


@pytest.mark.parametrize("size", [*range(0, 130), 1000, MIB + 3])
def test_sha256(size: int, isa: str) -> None:
    data = _data(size)
    assert _core.sha256(data) == _core.sha256(memoryview(data)) == hashlib.sha256(data).hexdigest()
