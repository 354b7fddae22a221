"""Who makes which shard. Workers may come and go; nothing breaks when two make the same one, it is only wasted work.

A lease is a file that exactly one process can create. Its holder rewrites it every few seconds with a higher count. A lease is dead
when its process is (same machine), or when its count stood still for a minute of the reader's own monotonic clock: no two clocks are ever
compared, so wrong or jumping clocks do no harm.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from forge_rt.production.files import PART, create_exclusively, make_folder, remove_quietly

BEAT_S = 5.0
DEAD_AFTER_S = 60.0


def _machine() -> str:
    """Processes that share this can see each other's ids."""
    parts = [platform.node()]
    for path in ("/proc/sys/kernel/random/boot_id",):
        try:
            parts.append(Path(path).read_text(encoding="ascii").strip())
        except OSError:
            parts.append("")
    try:
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        parts.append("")
    return "/".join(parts)


def _started(pid: int) -> str | None:
    """When a process began, in ticks of its machine: tells it from a later one with the same id. None: no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[19]
    except OSError:
        return None
    except IndexError:
        return ""


class Leases:
    """The leases of one worker in `folder`. Use as a context manager: leaving it gives everything back."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder
        self._held: dict[str, Path] = {}
        self._seen: dict[str, tuple[str, float]] = {}  # name → contents, when they were first seen
        self._me: dict[str, Any] = {
            "machine": _machine(), "pid": os.getpid(), "started": _started(os.getpid()), "token": secrets.token_hex(8),
        }  # fmt: skip
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="forge-rt-leases", daemon=True)
        self._count = 0
        self._judged = ""  # contents of the lease that was looked at last

    def __enter__(self) -> Leases:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for name in list(self._held):
            self.release(name)

    def acquire(self, name: str) -> bool:
        """False when a living worker has it."""
        path = self._folder / name
        if create_exclusively(path, self._contents().encode()):
            with self._lock:
                self._held[name] = path
            return True
        if self._is_dead(name, path):
            # Only one process can move the dead file away; then all may try to create a new one.
            grave = path.with_name(f"{name}.{secrets.token_hex(8)}{PART}")
            try:
                path.replace(grave)
            except OSError:
                return False
            if grave.read_text(encoding="utf-8") != self._judged:  # somebody else was faster, and this is his
                with contextlib.suppress(OSError):
                    os.link(grave, path)
                remove_quietly(grave)
                return False
            remove_quietly(grave)
            self._seen.pop(name, None)
            return self.acquire(name)
        return False

    def release(self, name: str) -> None:
        with self._lock:
            path = self._held.pop(name, None)
        if path is not None and self._is_mine(path):
            remove_quietly(path)

    def _contents(self) -> str:
        return json.dumps({**self._me, "beat": self._count})

    def _is_mine(self, path: Path) -> bool:
        try:
            return json.loads(path.read_text(encoding="utf-8")).get("token") == self._me["token"]
        except (OSError, ValueError):
            return False

    def _is_dead(self, name: str, path: Path) -> bool:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            return False  # gone: the next round sees
        self._judged = text
        now = time.monotonic()
        try:
            holder = json.loads(text)
            if (
                holder["machine"] == self._me["machine"]
                and holder["started"]
                and _started(holder["pid"]) != holder["started"]
            ):
                return True
        except (ValueError, KeyError, TypeError):
            pass  # torn: its age decides
        before, since = self._seen.get(name, ("", 0.0))
        if before != text:
            self._seen[name] = (text, now)
            return False
        return now - since > DEAD_AFTER_S

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            self._count += 1
            with self._lock:
                held = list(self._held.values())
            for path in held:
                if not self._is_mine(path):
                    continue  # taken over while this process slept: both make the same bytes
                part = path.with_name(f"{path.name}.{self._me['token']}b{PART}")
                try:
                    part.write_text(self._contents(), encoding="utf-8")
                    part.replace(path)
                except OSError:
                    remove_quietly(part)
