#!/usr/bin/env bash
# What a cross-compiled Windows file exports and needs.
#   tests/install/check_dll.sh [--needs] FILE OBJDUMP      --needs: only what it needs
set -euo pipefail
needs_only=; if [ "${1:-}" = --needs ]; then needs_only=1; shift; fi
file=${1:?usage: check_dll.sh [--needs] FILE OBJDUMP} objdump=${2:?usage: check_dll.sh [--needs] FILE OBJDUMP}
root=$(cd "$(dirname "$0")/../.." && pwd)
table=$("$objdump" -p "$file")

needed=$(sed -n 's/.*DLL Name: //p' <<<"$table" | sort -f)
foreign=$(grep -vixE 'kernel32\.dll|msvcrt\.dll|ucrtbase\.dll|api-ms-win-crt-.*\.dll|forge_rt\.dll' <<<"$needed" || true)
[ -z "$foreign" ] || { echo "$(basename "$file") needs more than Windows:" $foreign; exit 1; }
echo "$(basename "$file") needs" $needed
[ -z "$needs_only" ] || exit 0

exported=$(grep -oE '\bfrt_[a-z0-9_]+$' <<<"$table" | sort -u)
declared=$(grep -E '^FORGE_RT_API' "$root/cpp/include/forge_rt/forge_rt.h" | grep -oE '\bfrt_[a-z0-9_]+\(' | tr -d '(' | sort -u)
missing=$(comm -13 <(echo "$exported") <(echo "$declared"))
[ -z "$missing" ] || { echo "the DLL does not export:" $missing; exit 1; }
echo "all $(wc -l <<<"$declared") functions of the C header are exported"
# Vectors on a stack that Windows aligns to 16 bytes: no aligned moves of 32 or 64 bytes (docs/design/build.md).
aligned=$("$objdump" -d --no-show-raw-insn "$file" | grep -cE 'vmov(aps|apd|dqa|dqa32|dqa64) .*(\(.*%[yz]mm|%[yz]mm.*\()' || true)
[ "$aligned" = 0 ] || { echo "$aligned aligned moves of wide vectors: built without -muse-unaligned-vector-move"; exit 1; }
echo "no aligned moves of wide vectors"
