#!/usr/bin/env bash
# From a fresh checkout to eight annotated faces: sets up ./.venv, builds, generates, says where the contact sheet is.
#   tools/demo.sh [OUT] [COUNT]     default: out/demo 8
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-out/demo}
tools/setup.sh cpu
if [ "$out" = out/demo ]; then  # ours to replace: generate writes into new or empty folders only
  mkdir -p out && echo '*' >out/.gitignore
  rm -rf out/demo
fi
.venv/bin/forge-rt generate --out "$out" --count "${2:-8}"
