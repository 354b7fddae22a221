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
    "ops.npz": ["resize_sr.out", "upsample2d.out", "bias_act_lrelu.out"],
}
#: compared with the PyTorch definitions
BY_DEFINITION = {
    "ops.npz": ["conv_up2.out", "modconv_demod.out", "fc_lrelu_lr001.out", "synthlayer_up2_nonoise_clamp.out", "torgb.out", "block_noup.out1",
                "encblock_down.out1", "conv2dlayer_down_lrelu.out", "mapping.out_psi07_cut3", "styleunet_mouth.out"],
    "render.npz": ["ray_origins", "ray_dirs_skewed", "box_tmax", "projected", "coarse_depths", "fine_depths", "mm_rgb", "mm_rgb_white"],
}  # fmt: skip


@pytest.mark.parametrize("name, array", [(name, array) for name, arrays in PERTURBED.items() for array in arrays])
def test_a_perturbed_array_fails(check, copy, name, array):
    folder = copy(name)
    change(folder / name, **{array: nudge(dict(np.load(NEXT3D / name))[array])})
    status, passed, failed, output = check(folder, "--isa", "baseline")
    assert status == 1 and failed >= 1 and passed >= 1
    check_name = {"fill.out": "raster/fill"}.get(array, array.removesuffix(".out"))
    assert any(check_name in line for line in lines(output, "FAIL")), output


@pytest.mark.parametrize("name, array", [(name, array) for name, arrays in BY_DEFINITION.items() for array in arrays])
def test_a_perturbed_layer_fails(check, copy, name, array):
    pytest.importorskip("torch")
    folder = copy(name)
    change(folder / name, **{array: nudge(dict(np.load(NEXT3D / name))[array])})
    status, passed, failed, output = check(folder, "--isa", "baseline")
    assert status == 1 and failed == 1 and passed > 1
    assert array.replace(".", " ") in lines(output, "FAIL")[0], output


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


# ---- a whole network ------------------------------------------------------------------------------------------------


def other_network(path: Path) -> None:
    """A file like e2e_small.npz with other widths, batch, poses and numbers of samples, computed by the PyTorch definition."""
    torch = pytest.importorskip("torch")
    from forge_rt.export.models import next3d
    from forge_rt.export.models.next3d import config as configs
    from forge_rt.export.models.next3d import views

    known = dict(np.load(NEXT3D / "e2e_small.npz", allow_pickle=False))
    g = torch.Generator().manual_seed(7)
    config = configs.Next3DConfig(
        z_dim=20, w_dim=40, channel_base=1024, channel_max=8, texture_resolution=64, texture_channels=6, plane_channels=8, decoder_hidden=24,
        feature_channels=12, superresolution="2X", sr_channels=(12, 8), topology=configs.Topology(9952, 5094, 0),
        neural_rendering_resolution=24,
        rendering=configs.RenderingConfig(c_scale=1.0, depth_resolution=7, depth_resolution_importance=5),
    )  # fmt: skip
    model = next3d.Next3D(config).eval()
    state = model.state_dict()
    for name, tensor in state.items():
        if name in ("faces", "uvfaces", "uvcoords"):
            tensor.copy_(torch.from_numpy(known[f"sd.{name}"].astype(np.float32)))
        elif name.endswith(("bias", "noise_strength", "w_avg")) and "affine" not in name:
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=g))
    with torch.no_grad():
        v = np.concatenate([known["v"], known["v"] * np.float32([0.9, 1, 1]) + np.float32([0, 0.01, 0])])
        mesh = views.UvMesh.from_buffers(model.faces, model.uvfaces, model.uvcoords, known["uv_mask"] / 255)
        seen = views.rasterize_views(v[:, :-68], v[:, -68:], mesh, 256)
        z, c = torch.randn(2, 20, generator=g), torch.from_numpy(known["c_render"]).repeat(2, 1)
        coarse = torch.randint(0, 256, (2, 24 * 24, 7, 1), generator=g)
        fine = torch.randint(0, 256, (2 * 24 * 24, 5), generator=g)
        numbers = next3d.Uniforms((coarse + 0.5) / 256, (fine + 0.5) / 256)
        out = model(z, c, c, seen, psi=0.6, cutoff=9, uniforms=numbers)
        arrays = dict(
            z=z, c_cond=c, c_render=c, v=v, u_strat=coarse.to(torch.uint8), u_imp=fine.to(torch.uint8), uv_mask=known["uv_mask"],
            truncation_psi=0.6, truncation_cutoff=9, neural_rendering_resolution=24, image_raw=out.image_raw, depth=out.depth,
            wsum=out.weight.flatten(2).transpose(1, 2), mouth_box=seen.mouth_box, ws=model.mapping(z, c, psi=0.6, cutoff=9),
        )  # fmt: skip
        arrays |= {
            "image.shape": np.array(out.image.shape), "image.probe_idx": np.arange(0, out.image.numel(), 17),
            "image.probe_val": out.image.flatten()[::17], "image.chan_mean": out.image.mean((-2, -1)),
        }  # fmt: skip
        arrays |= {f"sd.{k}": t for k, t in state.items() if "superresolution" not in k or "noise" not in k}
    np.savez(path, **{k: np.asarray(x) for k, x in arrays.items()})


def test_another_network_passes_and_a_wrong_weight_fails(check, tmp_path):
    other_network(tmp_path / "e2e_small.npz")
    (tmp_path / "case.json").write_text('{"blend_planes": "front"}')
    status, passed, _, output = check(tmp_path, "--isa", "avx2")
    assert status == 0 and passed == 13, output
    held = dict(np.load(tmp_path / "e2e_small.npz"))["sd.decoder.net.2.bias"]
    change(tmp_path / "e2e_small.npz", **{"sd.decoder.net.2.bias": held + 0.01})
    status, _, failed, output = check(tmp_path, "--isa", "avx2")
    assert status == 1 and failed >= 2 and "FAIL e2e_small/image_raw" in output


def test_the_network_is_skipped_where_pytorch_is_missing(copy, tmp_path_factory, run_script):
    script = tmp_path_factory.mktemp("script") / "without_torch.py"
    script.write_text(
        "import importlib.util, runpy, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n"
        f"runpy.run_path({str(GOLDEN / 'check.py')!r}, run_name='__main__')\n"
    )
    result = run_script(script, copy("e2e_small.npz"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "skip e2e_small" in result.stdout and "exporting needs torch" in result.stdout
