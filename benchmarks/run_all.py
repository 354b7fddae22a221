"""Runs every benchmark and writes benchmarks/results/NAME.json. Exit status 1 when one did not pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from forge_rt.bench import BENCHMARKS

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    status = 0
    for name in sys.argv[1:] or BENCHMARKS:
        command = [sys.executable, "-m", "forge_rt.cli.main", "bench", name, "--json", str(RESULTS / f"{name}.json")]
        status = max(status, subprocess.run(command, check=False).returncode)
    return status


if __name__ == "__main__":
    sys.exit(main())
