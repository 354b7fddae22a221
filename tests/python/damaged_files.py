"""Files damaged in thousands of ways, each handed to a reader: it may refuse them with its own errors, and do nothing else.

Tests call `read_damaged`. The reading is this file run as a script: a process of its own, which may crash, with limited memory.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import forge_rt as fr

#: (what to do with a file, the errors it may raise, the share of changes that aim at text, gigabytes of address space)
Reader = tuple[Callable[[Path], Any], tuple[type[Exception], ...], float, int]


def _checkpoint(path: Path) -> None:
    from forge_rt.export.models import next3d
    from forge_rt.export.readers.stylegan_pickle import read_checkpoint

    read = read_checkpoint(path)
    for tensor in read.tensors.values():
        tensor.float().sum()
    next3d.read_config(read)


def _static_landmarks(path: Path) -> None:
    from forge_rt.export.readers import flame

    flame.read_static_landmarks(path)


def _dynamic_landmarks(path: Path) -> None:
    from forge_rt.export.readers import flame

    flame.read_dynamic_landmarks(path)


READERS: dict[str, Reader] = {
    "checkpoint": (_checkpoint, (fr.CorruptFileError, fr.UnsupportedError, fr.InvalidArgumentError), 0, 8),
    "head": (lambda path: fr.Head.load(path).evaluate(), (fr.ForgeError,), 0.7, 6),
    "static landmarks": (_static_landmarks, (fr.ForgeError,), 0.7, 6),
    "dynamic landmarks": (_dynamic_landmarks, (fr.ForgeError,), 0.7, 6),
}


def damages(data: bytes, rounds: int, aimed: float) -> Iterator[tuple[str, bytes]]:
    """rounds // 4 files that end too early, then `rounds` with one to five changed bytes: (what was done, the file)."""
    rng = random.Random(5)
    for length in sorted({rng.randrange(len(data)) for _ in range(rounds // 4)} | {0, 1, 2, len(data) - 1}):
        yield f"length {length}", data[:length]
    text = [i for i in range(len(data)) if chr(data[i]).isprintable()]  # headers and opcodes rather than numbers
    for _ in range(rounds):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            position = rng.choice(text) if aimed and rng.random() < aimed else rng.randrange(len(data))
            damaged[position] = rng.choice([rng.randrange(256), damaged[position] ^ 1 << rng.randrange(8)])
        yield f"position {position} = {damaged[position]}", bytes(damaged)


def read_damaged(run_script: Callable[..., Any], reader: str, path: Path, rounds: int) -> None:
    """Fails unless `reader` refuses damage of the file `path` with its own errors. `run_script` is the fixture."""
    result = run_script(Path(__file__), reader, path, rounds)
    assert result.returncode == 0, f"exit {result.returncode}\n{result.stdout[-3000:]}{result.stderr[-1000:]}"
    assert "refused" in result.stdout


def main(reader: str, original: Path, rounds: int) -> int:
    """Prints one line for each error that is none of the reader's."""
    read, refusals, aimed, gigabytes = READERS[reader]
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (gigabytes << 30, gigabytes << 30))
    except ImportError:  # Windows
        pass
    warnings.simplefilter("ignore")
    path = original.with_name("damaged" + original.suffix)
    outcomes: Counter[str] = Counter()
    for what, damaged in damages(original.read_bytes(), rounds, aimed):
        path.write_bytes(damaged)
        try:
            read(path)
            outcomes["read"] += 1
        except refusals:
            outcomes["refused"] += 1
        except BaseException as error:
            outcomes["other"] += 1
            print(f"{type(error).__name__} at {what}: {str(error)[:200]}", flush=True)
    print(dict(outcomes))
    return int(outcomes["other"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
