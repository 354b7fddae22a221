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
FORGE_RT_ORT_LIBRARY=$("$python" -c 'from forge_rt import backend; print(backend.runtime_info().path)') \
  ./example_cpp/turn_head "$(dirname "$head")/next3d-mini.forge" "$head" turned.ppm
test "$(stat -c %s turned.ppm)" -gt 900000
for image in c.ppm c_labels.pgm cpp.ppm; do test "$(stat -c %s "$image")" -gt 65536; done
"$python" "$root/examples/python/first_face.py" out
for image in face labels smile; do test -s "out/$image.png"; done

echo "== faces: C, C++, Python"
{ read -r runtime; read -r bundle; } < <("$python" - "$root/tests/capi/fake.forge" <<'PY'
import sys

import cv2
import forge_rt as fr
import numpy as np

try:
    bundle = fr.bundles.find("faces-mini")
except fr.NotFoundError:
    bundle = sys.argv[1]  # the networks of the tests: bright blobs are faces
head = fr.ForgeHead()
pictures = np.asarray(head.generate(seed=7, index=range(2), camera="frontal", size=320).rgb)
if str(bundle) == sys.argv[1]:
    pictures = cv2.convertScaleAbs(pictures.reshape(-1, 320, 3), alpha=1.8).reshape(pictures.shape)
picture = np.concatenate(list(pictures), 1)
faces = fr.FaceAnalyzer(bundle)(picture)
assert faces.faces and (faces.mask != 0).any(), "no face in the picture of the check"
cv2.imwrite("picture.ppm", picture[..., ::-1])
cv2.imwrite("grey.pgm", cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
with open("python.pgm", "wb") as file:
    file.write(b"P5\n%d %d\n255\n" % (faces.width, faces.height) + faces.mask.tobytes())
with open("video.raw", "wb") as file:
    for _ in range(4):
        file.write(picture.tobytes())
film = cv2.VideoWriter("video.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10, (640, 320))
for _ in range(4):
    film.write(picture[..., ::-1])
film.release()
print(fr.backend.runtime_info().path, bundle, sep="\n")
PY
)
test -n "$bundle"
./example_c/parse_image "$bundle" picture.ppm c.pgm "$runtime"
cmp c.pgm python.pgm
./example_c/parse_image "$bundle" grey.pgm grey_mask.pgm "$runtime" >/dev/null
if ./example_c/parse_image no_such.forge picture.ppm c.pgm "$runtime" 2>error.txt; then exit 1; fi
grep -q no_such.forge error.txt
FORGE_RT_ORT_LIBRARY=$runtime ./example_cpp/video_overlay "$bundle" --size 640x320 --fps 10 <video.raw >painted.raw
test "$(stat -c %s painted.raw)" = "$(stat -c %s video.raw)"
if cmp -s painted.raw video.raw; then echo "video_overlay painted nothing" >&2; exit 1; fi
"$python" "$root/examples/python/webcam.py" --model "$bundle" --video video.avi --out painted.mp4
test -s painted.mp4

echo "== C#"
"${CC:-cc}" -std=c99 -I "$include_dir" "$root/tests/capi/print_layout.c" -o print_layout
./print_layout | "$python" "$root/tests/capi/check_csharp.py" "$root/examples/unity/ForgeRt.cs"
if command -v mcs >/dev/null && command -v mono >/dev/null; then
  mcs -unsafe -out:consumer.exe "$root/examples/unity/ForgeRt.cs" "$here/csharp_consumer.cs"
  LD_LIBRARY_PATH=$(dirname "$library") mono consumer.exe "$root/tests/capi/fake.forge" "$runtime"
else
  echo "no C# compiler (mono-mcs) here: only the structs were compared"
fi
echo "install check: all passed"
