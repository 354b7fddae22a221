"""Bundles: folders and archives, damage of every kind, golden samples."""

from __future__ import annotations

import json
import shutil
import struct
import zipfile
from pathlib import Path

import forge_rt as fr
import numpy as np
import pytest
from data_sets import cli, one_error
from forge_rt import bundles

HEAD = fr.asset_path("forgehead.forge")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    folder = tmp_path / "small.forge"
    bundles.write(folder, "table", {"a.bin": b"one", "b.bin": bytes(range(256)) * 9}, {"licence": "MIT"})
    return folder


def test_write_and_open(small: Path, tmp_path: Path) -> None:
    opened = fr.Bundle.open(small)
    assert opened.family == "table" and {n: f.numpy().tobytes() for n, f in opened.files.items()} == {
        "a.bin": b"one", "b.bin": bytes(range(256)) * 9,
    }  # fmt: skip
    again = bundles.write(
        tmp_path / "again/small.forge", "table", {"b.bin": bytes(range(256)) * 9, "a.bin": b"one"}, {"licence": "MIT"}
    )
    assert again == opened.hash
    about = bundles.info(small)
    assert (about.name, about.licence, about.has_golden) == ("small", "MIT", False)
    assert bundles.verify(small).passed and "no golden sample" in bundles.verify(small).note


@pytest.mark.parametrize("name", ["../a", "a/b", "bundle.json", ""])
def test_bad_file_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(fr.InvalidArgumentError, match="plain name"):
        bundles.write(tmp_path / "x.forge", "table", {name: b""}, {})
    with pytest.raises(fr.InvalidArgumentError, match="'files'"):
        bundles.write(tmp_path / "x.forge", "table", {}, {"files": {}})
    assert not (tmp_path / "x.forge").exists()


def test_an_archive_is_the_same_bundle(tmp_path: Path) -> None:
    bundles.pack(HEAD, tmp_path / "head.forge")
    bundles.pack(HEAD, tmp_path / "again.forge")
    assert (tmp_path / "head.forge").read_bytes() == (tmp_path / "again.forge").read_bytes()
    packed, folder = fr.ForgeHead(tmp_path / "head.forge"), fr.ForgeHead(HEAD)
    assert packed.hash == folder.hash
    images = [np.asarray(h.generate(seed=1, size=32).rgb) for h in (packed, folder)]
    assert (images[0] == images[1]).all()
    # people zip the folder itself, too
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as out:
        for path in sorted(HEAD.iterdir()):
            out.write(path, f"forgehead.forge/{path.name}")
    assert fr.Bundle.open(tmp_path / "nested.zip").hash == folder.hash


def _archive(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


def test_archives_that_are_refused(small: Path, tmp_path: Path) -> None:
    files = {p.name: p.read_bytes() for p in small.iterdir()}
    with pytest.raises(fr.UnsupportedError, match="without compression"):
        fr.Bundle.open(_archive(tmp_path / "deflated.zip", files, zipfile.ZIP_DEFLATED))
    with pytest.raises(fr.CorruptFileError, match="outside of it"):
        fr.Bundle.open(_archive(tmp_path / "escape.zip", {**files, "../evil": b"x"}))
    with pytest.raises(fr.NotFoundError, match=r"no file bundle\.json"):
        fr.Bundle.open(_archive(tmp_path / "empty.zip", {"other/a": b""}))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "twice.zip", "w") as out:
        out.writestr("a", b"1")
        out.writestr("a", b"2")
    with pytest.raises(fr.CorruptFileError, match="holds a twice"):
        fr.Bundle.open(tmp_path / "twice.zip")
    (tmp_path / "text.forge").write_text("hello")
    with pytest.raises(fr.CorruptFileError, match="neither a bundle folder nor a zip archive"):
        fr.Bundle.open(tmp_path / "text.forge")


def test_every_damaged_byte_of_an_archive_is_an_error(small: Path, tmp_path: Path) -> None:
    """Flip, cut, overwrite: never a crash, never wrong contents."""
    bundles.pack(small, tmp_path / "good.forge")
    good = (tmp_path / "good.forge").read_bytes()
    reference = fr.Bundle.open(tmp_path / "good.forge")
    contents = {n: f.numpy().tobytes() for n, f in reference.files.items()}
    random = np.random.default_rng(4)
    path = tmp_path / "bad.forge"
    errors = 0
    for k in range(1500):
        data = bytearray(good)
        kind, at = k % 3, int(random.integers(len(good)))
        if kind == 0:
            data[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            data = data[:at]
        else:
            width = min(4, len(data) - at)
            data[at : at + width] = struct.pack("<I", int(random.integers(2**32)))[:width]
        path.write_bytes(data)
        try:
            opened = fr.Bundle.open(path)
        except fr.ForgeError:
            errors += 1
        else:  # fields that nobody reads: times, versions
            assert (
                opened.hash == reference.hash and {n: f.numpy().tobytes() for n, f in opened.files.items()} == contents
            )
    assert errors > 1200


def test_golden_sample_of_the_head(tmp_path: Path) -> None:
    result = bundles.verify(HEAD)
    assert result.passed and {name for name, _, _ in result.errors} == {
        "vertices",
        "landmarks",
        "segmentation",
        "depth_m",
        "rgb",
    }
    # another model must not pass with these outputs
    from forge_rt import golden
    from safetensors.numpy import load, save

    copy = tmp_path / "head.forge"
    shutil.copytree(HEAD, copy)
    arrays = load((copy / "head.safetensors").read_bytes())
    arrays["v_template"] = arrays["v_template"] + np.float32(1e-4)
    data = save(arrays)
    (copy / "head.safetensors").write_bytes(data)
    import hashlib

    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["files"]["head.safetensors"]["sha256"] = hashlib.sha256(data).hexdigest()
    (copy / "bundle.json").write_text(json.dumps(manifest))
    changed = bundles.verify(copy)
    assert not changed.passed and dict((n, e) for n, e, _ in changed.errors)["vertices"] == pytest.approx(
        1e-4, rel=0.05
    )
    golden.add(copy)
    assert bundles.verify(copy).passed


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_golden_sample_holds_on_every_path(isa: str) -> None:
    before = fr.isa()
    try:
        fr.set_isa(isa)
    except fr.UnsupportedError as error:
        pytest.skip(str(error))
    try:
        assert bundles.verify(HEAD).passed
    finally:
        fr.set_isa(before)


def test_command_line(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cli("models", FORGE_RT_MODELS=str(small.parent))
    assert done.returncode == 0 and "forgehead: head" in done.stdout and "small: table" in done.stdout
    names = [row["name"] for row in json.loads(cli("models", "--json").stdout)]
    assert names == ["detect-mini", "faces-mini", "forgehead", "next3d-mini"]
    done = cli("verify", "forgehead", small)
    assert done.returncode == 0 and "ok   vertices" in done.stdout and "only its hashes" in done.stdout
    (small / "a.bin").write_bytes(b"two")
    assert "does not match its hash" in one_error(cli("verify", small))
    done = cli("models", FORGE_RT_MODELS=str(small.parent))
    assert done.returncode == 1 and "DAMAGED" in done.stdout
    said = one_error(cli("verify", "nothing"))
    assert (
        "the installed ones are: detect-mini, faces-mini, forgehead, next3d-mini" in said
        and "FORGE_RT_MODELS" in said
        and "forge-rt models" in said
    )


def test_names_of_bundles(tmp_path: Path) -> None:
    assert [bundles.name_of(p) for p in (tmp_path / "faces-1.5.forge", "faces-1.5", "a/b.zip")] == [
        "faces-1.5",
        "faces-1.5",
        "b.zip",
    ]
    bundles.write(tmp_path / "faces-1.5.forge", "table", {}, {})
    assert bundles.info(tmp_path / "faces-1.5.forge").name == "faces-1.5"
