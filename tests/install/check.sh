#!/usr/bin/env bash
# Outside users of an installed forge_rt: CMake, pkg-config, strict C99, ctypes, and the examples.
#   tests/install/check.sh PREFIX_PYTHON      the Python interpreter that forge_rt is installed for
set -euo pipefail
python=${1:?usage: tests/install/check.sh PREFIX_PYTHON}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=$(command -v "$python")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"  # nothing may come from the source tree

paths=$("$python" -c 'from forge_rt import paths; print(paths.cmake_dir(), paths.include_dir(), paths.library_path(), paths.asset_path("forgehead.forge"), sep="\n")')
{ read -r cmake_dir; read -r include_dir; read -r library; read -r head; } <<<"$paths"
case "$cmake_dir" in "$root"/*) echo "forge_rt is imported from the source tree, install it first" >&2; exit 1 ;; esac
generator=(); command -v ninja >/dev/null && generator=(-G Ninja)

build() {  # build NAME SOURCE
  cmake -S "$2" -B "$1" "${generator[@]}" -DCMAKE_PREFIX_PATH="$cmake_dir" >"$1.log" 2>&1 && cmake --build "$1" >>"$1.log" 2>&1 || { cat "$1.log"; return 1; }
}

echo "== find_package"
build consumer "$here/cpp_consumer"
./consumer/consumer "$head"

echo "== strict C99"
"${CC:-cc}" -std=c99 -Wall -Wextra -pedantic -Werror -I "$include_dir" "$here/header_c99.c" "$library" -Wl,-rpath,"$(dirname "$library")" -o header_c99
./header_c99

echo "== pkg-config"
pc=$(dirname "$library")/pkgconfig
if command -v pkg-config >/dev/null; then
  flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs forge_rt)
  # shellcheck disable=SC2086  # the flags are words
  "${CXX:-c++}" -std=c++20 "$here/cpp_consumer/main.cpp" $flags -o consumer_pc
  ./consumer_pc "$head"
else
  test -f "$pc/forge_rt.pc"
  echo "pkg-config is not installed: only looked at the file"
fi

echo "== ctypes"
"$python" - <<'PY'
import ctypes
from forge_rt import __version__, paths

library = ctypes.CDLL(str(paths.library_path()))
library.frt_version.restype = library.frt_last_error.restype = ctypes.c_char_p
assert library.frt_version().decode() == __version__
assert library.frt_set_threads(0) == 1 and b"1..256" in library.frt_last_error()
PY

echo "== examples"
build example_c "$root/examples/c"
./example_c/draw_face "$head" 7 0 c
build example_cpp "$root/examples/cpp"
./example_cpp/draw_face "$head" cpp.ppm
for image in c.ppm c_labels.pgm cpp.ppm; do test "$(stat -c %s "$image")" -gt 65536; done
"$python" "$root/examples/python/first_face.py" out
for image in face labels smile; do test -s "out/$image.png"; done
echo "install check: all passed"
