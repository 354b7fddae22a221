"""The golden runner: passes on the vectors of the tree, and fails on anything that is not as it should be."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
NEXT3D = GOLDEN / "next3d"


@pytest.fixture
def check(run_script):
    """check(folder, *options) → (exit status, passed, failed, output)"""

    def run(folder: Path, *options: str):
        result = run_script(GOLDEN / "check.py", folder, *options)
        assert "Traceback" not in result.stderr, result.stderr[-2000:]
        last = result.stdout.strip().splitlines()[-1]
        found = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
        assert found, f"last line: {last}"
        return result.returncode, int(found[1]), int(found[2]), result.stdout

    return run


@pytest.fixture
def copy(tmp_path):
    """copy(*names) → a folder with those golden files."""

    def run(*names: str) -> Path:
        for name in names:
            shutil.copy(NEXT3D / name, tmp_path)
        return tmp_path

    return run


def change(path: Path, **arrays) -> None:
    """Rewrites arrays of an npz; None leaves one out."""
    data = dict(np.load(path, allow_pickle=False))
    assert arrays.keys() <= data.keys()
    np.savez(path, **{k: v for k, v in {**data, **arrays}.items() if v is not None})


def lines(output: str, word: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith(word)]


def test_golden_vectors_pass(check):
    status, passed, failed, output = check(NEXT3D)
    assert status == 0 and failed == 0, "\n".join(lines(output, "FAIL"))
    assert passed == len(lines(output, "ok"))
    sections = {line.split()[1].split("/")[0] for line in lines(output, "ok")}
    assert {"raster", "flame_lbs", "cameras"} <= sections
    assert "[scalar]" in output


def test_one_path_can_be_chosen(check, copy):
    folder = copy("flame_lbs.npz")
    status, passed, _, output = check(folder, "--isa", "baseline")
    assert status == 0 and "[scalar]" in output and "[simd" not in output
    assert check(folder, "--isa", "baseline", "--isa", "baseline")[1] > passed


def test_an_unknown_file_fails(check, copy):
    folder = copy("cameras.npz")
    assert check(folder)[0] == 0
    (folder / "README.md").write_text("text is fine")
    assert check(folder)[0] == 0
    (folder / "mystery.npz").write_bytes(b"")
    status, _, failed, output = check(folder)
    assert status == 1 and failed == 1
    assert "mystery.npz" in lines(output, "FAIL")[0] and "unknown file" in output


def test_an_empty_folder_fails(check, tmp_path):
    status, passed, failed, output = check(tmp_path)
    assert (status, passed, failed) == (1, 0, 1) and "no golden file" in output


def test_no_folder_fails(check, tmp_path):
    status, passed, failed, output = check(tmp_path / "nowhere")
    assert (status, passed, failed) == (1, 0, 1) and "no folder" in output


def nudge(array: np.ndarray) -> np.ndarray:
    """The largest element, a hundredth (or one) larger."""
    out = array.copy()
    at = np.abs(np.where(np.isfinite(array), array, 0)).argmax()
    out.flat[at] += 1 if array.dtype.kind in "iu" else 0.01 * max(1.0, abs(float(array.flat[at])))
    return out


PERTURBED = {
    "cameras.npz": ["cam2world_lookat", "cam2world_gaussian_mean", "cam2world_gaussian", "intrinsics"],
    "flame_lbs.npz": ["verts", "verts_notransl", "joints_posed", "rodrigues", "landmarks", "dyn_face_idx", "dyn_bary"],
    "raster.npz": [
        "fill.out",
        "mouth_box",
        "front.uv",
        "front.lm2d",
        "front.verts_ndc",
        "front.alpha_final",
        "front.tex_probe",
        "small_sq_cull.zbuf",
    ],
    "synthforge.npz": [
        "verts_scaled",
        "verts_aligned",
        "kps2d_512",
        "verts_cam",
        "seg_zbuf",
        "seg_render",
        "depth_u8",
        "image_u8",
    ],
}


@pytest.mark.parametrize("name, array", [(name, array) for name, arrays in PERTURBED.items() for array in arrays])
def test_a_perturbed_array_fails(check, copy, name, array):
    folder = copy(name)
    change(folder / name, **{array: nudge(dict(np.load(NEXT3D / name))[array])})
    status, passed, failed, output = check(folder, "--isa", "baseline")
    assert status == 1 and failed >= 1 and passed >= 1
    check_name = {"fill.out": "raster/fill"}.get(array, array)
    assert any(check_name in line for line in lines(output, "FAIL")), output


def test_other_face_ids_fail(check, copy):
    """Few pixels may differ by rounding; a shifted picture is not few."""
    folder = copy("raster.npz")
    face = dict(np.load(NEXT3D / "raster.npz"))["front.face"]
    change(folder / "raster.npz", **{"front.face": np.roll(face, 1, -1)})
    status, _, _, output = check(folder, "--isa", "baseline")
    assert status == 1 and any("front.face" in line for line in lines(output, "FAIL"))


@pytest.mark.parametrize("damage", ["truncated", "not a file of arrays", "nan", "other shape", "input missing"])
def test_a_damaged_file_fails(check, copy, damage):
    folder = copy("cameras.npz")
    path = folder / "cameras.npz"
    intrinsics = dict(np.load(path))["intrinsics"]
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "not a file of arrays":
        path.write_bytes(b"text")
    elif damage == "nan":
        change(path, intrinsics=np.full_like(intrinsics, np.nan))
    elif damage == "other shape":
        change(path, intrinsics=intrinsics[1:])
    else:
        change(path, radius=None)
    status, _, failed, output = check(folder)
    assert status == 1 and failed >= 1 and lines(output, "FAIL")


@pytest.mark.parametrize("name", ["flame_lbs.npz", "raster.npz"])
def test_a_file_without_known_arrays_fails(check, tmp_path, copy, name):
    folder = copy("cameras.npz")
    np.savez(folder / name, something=np.zeros(3))
    status, _, failed, output = check(folder, "--isa", "baseline")
    assert status == 1 and failed >= 1, output


def test_published_segmentation(check):
    """spec/next3d §18.4: silhouettes and depth of the published renderer."""
    folders = {path.parent for path in GOLDEN.rglob("synthforge.npz")}
    if not folders:
        pytest.skip("tests/golden has no synthforge.npz")
    for folder in folders:
        assert check(folder)[0] == 0
