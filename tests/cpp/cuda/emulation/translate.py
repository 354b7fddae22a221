"""Turns each .cu file into C++ for the emulation: only the launch syntax needs rewriting.

translate.py OUTPUT_FOLDER FILE.cu ...   (writes OUTPUT_FOLDER/NAME.cpp)
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LAUNCH = re.compile(
    r"(\b[\w:]+(?:<[\w:, ]+>)?)<<<(.*?), (\w+), 0, (?:stream|cuda::to_cuda\(stream\))>>>\((\w+)\);", re.S
)


def translate(source: Path) -> str:
    text = source.read_text(encoding="utf-8")
    barriers = "true" if "__syncthreads" in text else "false"
    text = LAUNCH.sub(rf"emulate_launch({barriers}, \1, \2, \3, \4);", text)
    if "<<<" in text:
        raise SystemExit(f"{source}: a launch is not written as kernel<<<grid, threads, 0, stream>>>(args);")
    text = re.sub(
        r'#include "(?!ops/|core/|models/|forge_rt/)([^"]+)"', lambda m: f'#include "{source.parent / m[1]}"', text
    )
    return f'#line 1 "{source}"\n{text}'


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:]:
        target, text = folder / f"{Path(name).stem}.cu.cpp", translate(Path(name))
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
