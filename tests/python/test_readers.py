"""Others can read our data sets: webdataset, PyTorch, Hugging Face datasets, pycocotools, code written for SynthForge. With the examples
of the repository, which are also run as scripts."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import forge_rt as fr
import numpy as np
import pytest
from forge_rt import labels
from forge_rt.production.layouts.coco import rle
from forge_rt.production.layouts.regions import regions
from forge_rt.production.samples import SampleMaker
from forge_rt.production.sources import ForgeHeadSource

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "python"
SEED, COUNT, SIZE = 6, 10, 64


def _made(tmp_path_factory: pytest.TempPathFactory, layout: str) -> Path:
    folder = tmp_path_factory.mktemp("readers") / layout
    fr.generate(out=folder, count=COUNT, seed=SEED, size=SIZE, style="mixed", layout=layout, shard_size=4)
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made(tmp_path_factory, "shards")


@pytest.fixture(scope="module")
def truth() -> fr.FaceBatch:
    (batch,) = fr.batches(fr.Plan(count=COUNT, seed=SEED, size=SIZE, style="mixed"), batch=COUNT)
    return batch


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _script(name: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_webdataset(shards: Path, truth: fr.FaceBatch) -> None:
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed")
    batches = list(_example("read_webdataset").faces(str(shards), batch=COUNT, shuffle=0))
    masks = np.concatenate([b["labels"] for b in batches])
    assert (masks == np.asarray(truth.segmentation)).all()
    points = np.concatenate([b["landmarks"] for b in batches])
    assert np.allclose(points, np.asarray(truth.landmarks), atol=1e-3)
    depth = np.concatenate([b["depth_m"] for b in batches])
    assert np.abs(depth - np.asarray(truth.depth_m)).max() < 6e-5
    # its own decoder, too
    tars = sorted(str(p) for p in (shards / "shards").iterdir())
    own = list(wds.WebDataset(tars, shardshuffle=False).decode("rgb8"))
    assert [s["__key__"] for s in own] == [f"{i:08d}" for i in range(COUNT)]
    assert own[3]["jpg"].shape == (SIZE, SIZE, 3) and own[3]["json"]["index"] == 3
    assert (own[3]["seg.png"][..., 0] == np.asarray(truth.segmentation)[3]).all()
    assert _script("read_webdataset", shards).startswith("0 {'image': ('uint8', (8, 64, 64, 3))")


def test_pytorch(shards: Path, truth: fr.FaceBatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    module = _example("read_pytorch")
    faces = module.Faces(shards)
    assert len(faces) == COUNT
    for i in (7, 0, 9):
        sample = faces[i]
        assert (sample["labels"].numpy() == np.asarray(truth.segmentation)[i]).all()
        assert np.allclose(sample["landmarks"], np.asarray(truth.landmarks)[i], atol=1e-4)
        assert (sample["image"].permute(1, 2, 0).numpy() * 255 - np.asarray(truth.rgb)[i]).__abs__().mean() < 4
    batch = next(iter(torch.utils.data.DataLoader(faces, batch_size=5)))
    assert batch["image"].shape == (5, 3, SIZE, SIZE)
    wild = module.Faces(shards, where={"style": "wild"})
    assert len(wild) == sum(f.style == "wild" for f in truth.faces)
    assert f"{COUNT} faces" in _script("read_pytorch", shards)


def test_hugging_face_datasets(
    shards: Path, truth: fr.FaceBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    pytest.importorskip("datasets", reason="datasets is not installed")
    module = _example("read_huggingface")
    data = module.faces(str(shards))
    assert len(data) == COUNT
    assert (np.asarray(data[4]["seg.png"]) == np.asarray(truth.segmentation)[4]).all()
    depth = np.asarray(data[4]["depth.png"]).astype(np.float64) * data[4]["json"]["depth"]["scale_m"]
    assert np.abs(depth - np.asarray(truth.depth_m)[4]).max() < 6e-5
    streamed = list(module.faces(str(shards), streaming=True))
    assert [s["__key__"].split("/")[-1] for s in streamed] == [f"{i:08d}" for i in range(COUNT)]
    table = module.index(str(shards))
    assert table["style"] == [f.style for f in truth.faces] or list(table["style"]) == [f.style for f in truth.faces]
    assert "wear glasses" in _script("read_huggingface", shards)


def test_pycocotools(tmp_path_factory: pytest.TempPathFactory, truth: fr.FaceBatch) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    folder = _made(tmp_path_factory, "coco")
    instances = coco.COCO(folder / "annotations/instances.json")
    keypoints = coco.COCO(folder / "annotations/keypoints.json")
    assert len(instances.getImgIds()) == len(keypoints.getImgIds()) == COUNT
    for i in range(COUNT):
        image = instances.loadImgs([i + 1])[0]
        assert (folder / "images" / image["file_name"]).is_file() and (folder / image["depth_file"]).is_file()
        mask = np.zeros((SIZE, SIZE), np.uint8)
        for a in instances.loadAnns(instances.getAnnIds(imgIds=i + 1)):
            own = instances.annToMask(a)
            assert own.sum() == a["area"]
            x, y, w, h = a["bbox"]
            assert own[y : y + h, x : x + w].sum() == a["area"] and own[y].any() and own[:, x].any()
            mask[own == 1] = a["category_id"]
        assert (mask == np.asarray(truth.segmentation)[i]).all()
        (face,) = keypoints.loadAnns(keypoints.getAnnIds(imgIds=i + 1))
        points = np.reshape(face["keypoints"], (68, 3))
        seen = points[:, 2] > 0
        assert np.allclose(points[seen, :2], np.asarray(truth.landmarks)[i][seen], atol=0.006)
        assert (points[:, 2] == np.asarray(truth.visibility)[i]).all()
    # the published evaluation accepts our truth as a perfect result
    evaluate = pytest.importorskip("pycocotools.cocoeval").COCOeval
    found = [{**a, "score": 1.0} for a in instances.dataset["annotations"]]
    result = evaluate(instances, instances.loadRes(found), "segm")
    result.evaluate()
    result.accumulate()
    result.summarize()
    assert result.stats[0] == pytest.approx(1.0)
    assert "keypoints, box" in _script("read_coco", folder)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (33, 20), (512, 300)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_run_length_code(shape: tuple[int, int], share: float) -> None:
    mask_module = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    mask = np.random.default_rng(3).random(shape) < share
    ours, theirs = rle(mask), mask_module.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours == {"size": list(theirs["size"]), "counts": theirs["counts"].decode()}


def test_synthforge_conventions(tmp_path_factory: pytest.TempPathFactory, truth: fr.FaceBatch) -> None:
    folder = _made(tmp_path_factory, "synthforge")
    module = _example("read_synthforge")
    maker = SampleMaker(
        ForgeHeadSource(), fr.Plan(count=COUNT, seed=SEED, size=SIZE, style="mixed", layout="synthforge")
    )
    samples = maker.make(range(COUNT))
    seen: set[int] = set()
    for i in range(COUNT):
        sample = module.read(str(folder), i)
        assert sample["image"].shape == (SIZE, SIZE, 3) and (sample["image"] == np.asarray(truth.rgb)[i]).all()
        assert sample["depth"].shape == (SIZE // 4, SIZE // 4) and sample["depth"][0, 0] == 1.0  # far
        expected = regions(fr.ForgeHead(), samples[i])
        layers = samples[i].layers
        assert layers is not None  # regions are parts of the classes of the bare head
        coarse = labels.convert(expected, "synthforge", "lapa"), labels.convert(layers[1], "forgehead", "lapa")
        assert (coarse[0] == coarse[1]).all()
        seen |= set(np.unique(expected).tolist())
        inner = cv2.erode((expected == 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert (sample["labels"][inner] == 0).all()
        assert (sample["labels"] == expected).mean() > 0.8  # the published reader grows every class by a pixel
        assert np.allclose(sample["landmarks"], np.asarray(truth.landmarks)[i], atol=1e-3)
        assert sample["camera"].shape == (25,)
        note = json.loads((folder / f"annotations/{i:05d}.json").read_text())
        assert set(note) == {"z", "camera_params", "flame_shape", "flame_exp", "flame_pose", "2d_kps", "fan_kps", "mse"}
    assert seen == set(range(20))  # every published class
    assert "'depth': (16, 16)" in _script("read_synthforge", folder)
