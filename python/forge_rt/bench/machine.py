"""Names the machine and the versions a benchmark ran on. No host names, users or paths."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def usable_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """Model name of the processor, or what the platform calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def processor() -> dict[str, Any]:
    return {"cpu": cpu_model(), "cores": usable_cores(), "os": f"{platform.system()} {platform.machine()}"}


def load() -> float | None:
    """One-minute load average, None where the system has none."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def package_version(name: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    return {
        "python": platform.python_version(),
        "numpy": package_version("numpy"),
        "opencv": package_version("opencv-python-headless") or package_version("opencv-python"),
    }


def commit() -> dict[str, Any]:
    """Commit of the source tree this package runs from: {} for an installed wheel."""
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        root = Path(git("rev-parse", "--show-toplevel"))
        # a wheel may lie inside somebody else's repository
        if not (root / "cpp" / "include" / "forge_rt" / "version.h").is_file():
            return {}
        return {
            "commit": git("rev-parse", "HEAD"),
            "modified": git("status", "--porcelain", "--untracked-files=no") != "",
        }
    except (OSError, subprocess.SubprocessError):
        return {}
