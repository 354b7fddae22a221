"""Compares the structs of examples/unity/ForgeRt.cs with what the C compiler says: print_layout | check_csharp.py ForgeRt.cs"""

from __future__ import annotations

import re
import sys
from pathlib import Path

STRUCT = re.compile(
    r"StructLayout\(LayoutKind\.Explicit, Size = (\d+)\)\]\s+public (?:unsafe )?struct (\w+)\s*\{(.*?)\n    \}", re.S
)
FIELD = re.compile(r"\[FieldOffset\((\d+)\)\] public (fixed )?(\w+) (\w+)(?:\[(\d+)\])?;")
BYTES = {"uint": 4, "int": 4, "float": 4, "double": 8, "long": 8, "byte": 1, "IntPtr": 8}


def csharp_layout(source: str) -> dict[tuple[str, str], int]:
    layout: dict[tuple[str, str], int] = {}
    for size, name, body in STRUCT.findall(source):
        layout[name, "sizeof"] = int(size)
        end = 0
        for offset, _, kind, member, count in FIELD.findall(body):
            assert int(offset) >= end, f"{name}.{member} overlaps the member before"
            end = int(offset) + BYTES[kind] * int(count or 1)
            layout[name, member] = int(offset)
        assert end <= int(size), f"{name} is longer than its Size"
    return layout


def main() -> int:
    compiled = {(struct, member): int(n) for struct, member, n in (line.split() for line in sys.stdin)}
    written = csharp_layout(Path(sys.argv[1]).read_text())
    wrong = [f"{key[0]}.{key[1]}: C {compiled.get(key)}, C# {written.get(key)}" for key in sorted(compiled.keys() | written.keys())
             if compiled.get(key) != written.get(key)]  # fmt: skip
    print("\n".join(wrong) or f"{len(compiled)} offsets and sizes are equal in C and C#")
    return 1 if wrong or not compiled else 0


if __name__ == "__main__":
    sys.exit(main())
