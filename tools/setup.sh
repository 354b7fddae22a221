#!/usr/bin/env bash
# Builds forge_rt and installs it into ./.venv. Run it from anywhere.
#   tools/setup.sh [EXTRAS]     default: cpu
# PYTHON      interpreter for a new ./.venv (default python3, 3.10 or later)
# FORGE_CUDA_ARCHITECTURES   default native
# FORGE_CUDA  ON or OFF; default: ON for the GPU of this machine when there is one and nvcc is installed, else OFF
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-cpu}
if ! command -v "${CXX:-c++}" >/dev/null; then
  echo "no C++ compiler found; install one first, e.g.: apt-get install -y g++ python3-venv" >&2
  exit 1
fi
if [ ! -x .venv/bin/python ]; then
  "${PYTHON:-python3}" -m venv .venv || { echo "cannot create ./.venv; install venv for Python 3.10 or later, e.g.: apt-get install -y python3-venv" >&2; exit 1; }
  echo '*' >.venv/.gitignore
fi
if [ -z "${FORGE_CUDA:-}" ]; then
  FORGE_CUDA=OFF
  if command -v nvcc >/dev/null && nvidia-smi -L >/dev/null 2>&1; then FORGE_CUDA=ON; fi
fi
settings=("-Ccmake.define.FORGE_CUDA=$FORGE_CUDA")
if [ "$FORGE_CUDA" = ON ]; then settings+=("-Ccmake.define.CMAKE_CUDA_ARCHITECTURES=${FORGE_CUDA_ARCHITECTURES:-native}"); fi
echo "installing forge_rt[$extras] into ./.venv (CUDA kernels: $FORGE_CUDA)"
.venv/bin/python -m pip install -q --disable-pip-version-check "${settings[@]}" ".[$extras]"
(cd /tmp && "$OLDPWD/.venv/bin/python" -c "import forge_rt; print('forge_rt', forge_rt.__version__, 'is installed')")
