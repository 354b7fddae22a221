"""Files that appear complete or not at all, and errors that say what to do."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from forge_rt._core import InputOutputError

PART = ".part"


def failure(action: str, path: Path, error: OSError) -> InputOutputError:
    """One sentence for an error of the operating system."""
    why = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        why += "; free some space and run it again, a data set with --resume: its finished shards are safe"
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        why += "; choose a folder you may write to"
    return InputOutputError(f"cannot {action} {path}: {why}")


def unique_part(path: Path) -> Path:
    """A name beside `path` that no other worker uses."""
    return path.with_name(f"{path.name}.{os.getpid():x}{secrets.token_hex(3)}{PART}")


@contextlib.contextmanager
def appearing(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """A file to write; it becomes `path` when the block ends well and is gone when it does not. With `sync` its data is on the disk then."""
    part = unique_part(path)
    try:
        yield part
        if sync:
            sync_file(part)
        part.replace(path)
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        remove_quietly(part)
        raise failure("write", path, error) from error
    except BaseException:
        remove_quietly(part)
        raise


def write_atomically(path: Path, data: bytes, *, sync: bool = False) -> None:
    """All of `data` or nothing: several workers may write one file."""
    with appearing(path, sync=sync) as part:
        part.write_bytes(data)


def create_exclusively(path: Path, data: bytes, *, sync: bool = False) -> bool:
    """False when the file exists: of many processes one makes it. It appears with all of `data`."""
    part = unique_part(path)
    try:
        part.write_bytes(data)
        if sync:
            sync_file(part)
        try:
            os.link(part, path)  # fails when it exists, unlike a rename
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            with path.open("xb") as file:
                file.write(data)
    except FileExistsError:
        return False
    except OSError as error:
        raise failure("write", path, error) from error
    finally:
        remove_quietly(part)
    return True


def sync_file(path: Path) -> None:
    """The file's bytes are on the disk when this returns."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there; NTFS journals renames
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_quietly(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Leftovers of processes that were killed."""
    if folder.is_dir():
        for path in folder.glob(f"*{PART}"):
            remove_quietly(path)


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputOutputError(f"{path} is a file, a folder is needed there") from error
    except OSError as error:
        raise failure("create", path, error) from error


def sha256_of(path: Path) -> str:
    """Reads 4 MiB at a time."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 22):
                total.update(chunk)
    except OSError as error:
        raise failure("read", path, error) from error
    return total.hexdigest()
