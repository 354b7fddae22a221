#!/usr/bin/env bash
# Everything that looks at the sources without running them; CI calls this.
#   tools/lint.sh [--fix] [--tidy BUILD_DIR]
# --fix          writes what the formatters and ruff can correct
# --tidy DIR     also clang-tidy over the library, with DIR/compile_commands.json (about two minutes)
# The tools: pip install -r tools/requirements-lint.txt
set -euo pipefail
cd "$(dirname "$0")/.."
fix=0 tidy=
while [ $# -gt 0 ]; do
  case "$1" in
    --fix) fix=1 ;;
    --tidy) tidy=${2:?--tidy needs a build folder}; shift ;;
    *) echo "usage: tools/lint.sh [--fix] [--tidy BUILD_DIR]" >&2; exit 2 ;;
  esac
  shift
done

failed=()
step() {  # step NAME COMMAND...
  local name=$1
  shift
  if "$@"; then echo "lint: $name ok"; else echo "lint: $name FAILED" >&2; failed+=("$name"); fi
}
sources() { git ls-files -co --exclude-standard -- "$@" | while read -r f; do [ ! -f "$f" ] || echo "$f"; done; }
for tool in clang-format codespell mypy ruff; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: pip install -r tools/requirements-lint.txt" >&2; exit 1; }
done

mapfile -t cpp < <(sources '*.h' '*.hpp' '*.cpp' '*.c' '*.cu' '*.cuh' | grep -v third_party/)
if [ $fix = 1 ]; then
  clang-format -i "${cpp[@]}"
  step "ruff" ruff check --quiet --fix .
  step "ruff format" ruff format --quiet .
else
  step "clang-format" clang-format --dry-run --Werror "${cpp[@]}"
  step "ruff" ruff check --quiet .
  step "ruff format" ruff format --quiet --check .
fi
step "mypy" mypy ${LINT_PYTHON:+--python-executable "$LINT_PYTHON"}  # LINT_PYTHON: an interpreter that has the dependencies
mapfile -t all < <(sources '*' | grep -v -E '^(cpp/third_party|tests/golden)/|\.(png|jpg|svg|npz|npy|pkl|safetensors)$')
step "codespell" codespell "${all[@]}"

if [ -n "$tidy" ]; then
  # The files that are compiled once; SIMD files are compiled per instruction set and share their contracts' headers.
  mapfile -t library < <(sources 'cpp/*.cpp' | grep -v -E 'third_party|_simd\.cpp|_windows\.cpp')
  run_tidy() { printf '%s\n' "${library[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy -p "$tidy" --quiet 2>/dev/null; }
  step "clang-tidy" run_tidy
fi
[ ${#failed[@]} -eq 0 ] || { echo "lint failed: ${failed[*]}" >&2; exit 1; }
echo "lint: all ok"
