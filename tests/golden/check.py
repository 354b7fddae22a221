#!/usr/bin/env python3
"""Compares the installed forge_rt with a folder of golden vectors.

    python tests/golden/check.py tests/golden/next3d

Reads every file it knows in DIR; sizes, batch, widths and class counts come from array shapes and, where arrays cannot say it, from
DIR/case.json. One line per check: name, path used, largest error, tolerance. A file it does not know, a missing section and
zero checks are failures. Last line `N passed, N failed`; exit status 1 unless all passed.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # this folder is a script, not a package of forge_rt

from checks import SECTIONS
from checks.report import Report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument(
        "--isa",
        choices=["baseline", "avx2", "avx512"],
        action="append",
        help="CPU paths to check (default: all that run here)",
    )
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    report = Report(arguments.isa)

    if not folder.is_dir():
        print(f"no folder {folder}")
        print("0 passed, 1 failed")
        return 1
    case = json.loads((folder / "case.json").read_text()) if (folder / "case.json").is_file() else {}
    companions = {name for section in SECTIONS.values() for name in section.companions} | {"case.json", "README.md"}
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        if path.name in SECTIONS:
            before = report.passed + report.failed + report.skipped
            try:
                SECTIONS[path.name].run(path, case, report)
                if report.passed + report.failed + report.skipped == before:
                    report.fail(path.stem, "it has none of the arrays that this section knows")
            except Exception:
                report.fail(path.stem, traceback.format_exc().strip().replace("\n", " | "))
        elif path.name not in companions:
            report.fail(path.name, "unknown file: no section of this runner reads it")
    if report.passed + report.failed + report.skipped == 0:
        report.fail("sections", f"no golden file of {', '.join(SECTIONS)} in {folder}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 0 if report.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
