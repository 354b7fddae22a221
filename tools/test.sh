#!/usr/bin/env bash
# All tests that need no GPU and no downloads of models: C++ and C (ctest), Python (pytest) against the package installed in ./.venv.
#   tools/test.sh [PYTEST ARGUMENTS]
# FORGE_CUDA=ON|OFF as in tools/setup.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tools/setup.sh cpu,test
.venv/bin/python -m pip install -q --disable-pip-version-check "cmake>=3.26" ninja
export PATH=$root/.venv/bin:$PATH
cmake -S . -B build/test -G Ninja -DFORGE_CUDA="${FORGE_CUDA:-OFF}" -DFORGE_BUILD_TESTS=ON >/dev/null
cmake --build build/test
ctest --test-dir build/test --output-on-failure
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"  # the installed package, not the source tree
python -m pytest -q -p no:cacheprovider "$root/tests/python" "$@"
