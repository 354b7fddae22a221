"""Writes python/forge_rt/_core.pyi from the compiled module.

With --check: exit status 1 and a diff when it is not up to date.
Needs pybind11-stubgen (extra `test`) and an installed forge_rt.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

STUB = Path(__file__).resolve().parent.parent / "python" / "forge_rt" / "_core.pyi"


def errors() -> str:
    """Classes of the errors: they call themselves forge_rt.X, so the tool imports them from the package: a circle."""
    from forge_rt import _core

    classes = [c for c in vars(_core).values() if isinstance(c, type) and issubclass(c, _core.ForgeError)]
    classes.sort(key=lambda c: (c is not _core.ForgeError, c.__name__))
    lines = []
    for c in classes:
        bases = ", ".join(base.__name__ for base in c.__bases__)
        lines.append(f"class {c.__name__}({bases}):\n    code: typing.ClassVar[str]\n")
    return "".join(lines)


def generate() -> str:
    """Text of the stub. Raises CalledProcessError when a signature cannot be written as Python."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pybind11_stubgen", "forge_rt._core", "-o", folder, "--exit-code"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        text = Path(folder, "forge_rt", "_core.pyi").read_text(encoding="utf-8")
    lines = [line for line in text.rstrip().splitlines() if not line.startswith("from forge_rt import ")]
    # pybind11's __eq__, `__hash__ = None` and `= None` defaults are not what mypy wants to see
    lines.insert(0, '# mypy: disable-error-code="assignment, override"')
    first_class = next(i for i, line in enumerate(lines) if line.startswith("class "))
    return "\n".join([*lines[:first_class], errors() + lines[first_class], *lines[first_class + 1 :]]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    try:
        text = generate()
    except subprocess.CalledProcessError as error:
        print(error.stdout + error.stderr, file=sys.stderr)
        return 2
    if not check:
        STUB.write_text(text, encoding="utf-8")
        return 0
    current = STUB.read_text(encoding="utf-8") if STUB.is_file() else ""
    diff = list(difflib.unified_diff(current.splitlines(), text.splitlines(), "committed", "generated", lineterm=""))
    if diff:
        print("\n".join(diff), "\n_core.pyi is not up to date: run python tools/make_stubs.py", sep="")
    return 1 if diff else 0


if __name__ == "__main__":
    sys.exit(main())
