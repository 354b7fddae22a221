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
cuda=$(cd /tmp && python -c 'import forge_rt; print("ON" if forge_rt.cuda_status()["built"] else "OFF")')  # as setup.sh chose
cmake -S . -B build/test -G Ninja -DFORGE_CUDA="$cuda" -DCMAKE_CUDA_ARCHITECTURES="${FORGE_CUDA_ARCHITECTURES:-native}" -DFORGE_BUILD_TESTS=ON >/dev/null
cmake --build build/test
# the wheel's ONNX Runtime, so that the tests with networks run
FORGE_RT_ORT_LIBRARY=$(cd /tmp && python -c 'from forge_rt import backend; print(backend.runtime_info().path)') ctest --test-dir build/test --output-on-failure
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"  # the installed package, not the source tree
python -m pytest -p no:cacheprovider "$root/tests/python" "$@"
