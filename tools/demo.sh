#!/usr/bin/env bash
# From a fresh checkout to eight annotated faces: sets up ./.venv, builds, generates, says where to look.
#   tools/demo.sh [OUT] [COUNT]     default: out/demo 8
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-out/demo}
count=${2:-8}
cd "$root"
tools/setup.sh cpu
if [ "$out" = out/demo ]; then mkdir -p out && echo '*' >out/.gitignore; fi
.venv/bin/forge-rt generate --out "$out" --count "$count"
sheet=$(find "$out" -maxdepth 2 -name 'contact*' -print -quit)
echo "contact sheet: ${sheet:-none, look into $out}"
