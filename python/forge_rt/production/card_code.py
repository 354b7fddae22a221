"""Code of the dataset card: short programs that read a data set. They run as they stand in its folder (tests/python/test_report.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SUFFIX = {"jpeg": "jpg", "png": "png", "webp": "webp"}

_WEBDATASET = """
import json
import cv2, numpy as np
import webdataset as wds

def decode(sample):
    rgb = cv2.imdecode(np.frombuffer(sample["@RGB@"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    seg = cv2.imdecode(np.frombuffer(sample["seg.png"], np.uint8), cv2.IMREAD_UNCHANGED)
    depth_m = @DEPTH@
    return rgb, seg, depth_m, json.loads(sample["json"])

for rgb, seg, depth_m, record in wds.WebDataset("shards/@FIRST@", shardshuffle=False).map(decode):
    print(record["index"], rgb.shape, seg.max(), record["camera"]["yaw_deg"])
    break
"""

_TORCH_SHARDS = """
import json, tarfile
import cv2, numpy as np, torch
import pyarrow.parquet as pq

class Faces(torch.utils.data.Dataset):
    def __init__(self, folder="."):
        self.folder = folder
        self.rows = pq.read_table(f"{folder}/index.parquet", columns=["key", "shard", "offset"]).to_pylist()

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        row, members = self.rows[i], {}
        with open(f"{self.folder}/{row['shard']}", "rb") as file:
            file.seek(row["offset"])  # members of a sample lie side by side
            for entry in (tar := tarfile.open(fileobj=file, mode="r|")):
                key, name = entry.name.split(".", 1)
                if key != row["key"]:
                    break
                members[name] = tar.extractfile(entry).read()
        rgb = cv2.imdecode(np.frombuffer(members["@RGB@"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        seg = cv2.imdecode(np.frombuffer(members["seg.png"], np.uint8), cv2.IMREAD_UNCHANGED)
        landmarks = np.array(json.loads(members["json"])["landmarks_px"], np.float32)
        return torch.from_numpy(rgb.transpose(2, 0, 1).copy()), torch.from_numpy(seg), torch.from_numpy(landmarks)

print([tuple(x.shape) for x in Faces()[0]])
"""

_DATASETS = """
from datasets import load_dataset

faces = load_dataset("webdataset", data_files={"train": "shards/*.tar"}, split="train", streaming=True)
sample = next(iter(faces))
print(sample["@RGB@"].size, sample["seg.png"].mode, sample["json"]["camera"]["yaw_deg"])
"""

_TORCH_FOLDERS = """
import json
from pathlib import Path
import cv2, numpy as np, torch

class Faces(torch.utils.data.Dataset):
    def __init__(self, folder="."):
        self.folder = Path(folder)
        self.stems = sorted(path.stem for path in (self.folder / "@RECORDS@").glob("@KEY@.json"))

    def __len__(self):
        return len(self.stems)

    def __getitem__(self, i):
        stem = self.stems[i]
        rgb = cv2.imread(f"{self.folder}/images/{stem}.@RGB@")[..., ::-1]
        seg = cv2.imread(f"{self.folder}/seg/{stem}.png", cv2.IMREAD_UNCHANGED)@SEG@
        record = json.loads((self.folder / f"@RECORDS@/{stem}.json").read_text())
        landmarks = np.array(record["@MARKS@"], np.float32)
        return torch.from_numpy(rgb.transpose(2, 0, 1).copy()), torch.from_numpy(seg@COPY@), torch.from_numpy(landmarks)

print([tuple(x.shape) for x in Faces()[0]])
"""

_COCO = """
from pycocotools.coco import COCO

coco = COCO("annotations/instances.json")
image = coco.loadImgs(coco.getImgIds())[0]
for annotation in coco.loadAnns(coco.getAnnIds(image["id"])):
    print(coco.cats[annotation["category_id"]]["name"], coco.annToMask(annotation).sum())
"""


def snippets(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(title, code) for the layout of the plan."""
    layout = plan["layout"]
    synthforge = layout == "synthforge"
    shards = -(-plan["count"] // plan["shard_size"])
    depth = 'cv2.imdecode(np.frombuffer(sample["depth.png"], np.uint8), cv2.IMREAD_UNCHANGED) * np.float32(1e-4)'
    if plan["depth"] == "npy":
        depth = 'np.load(io.BytesIO(sample["depth.npy"]))'
    words = {
        "@RGB@": "png" if synthforge else _SUFFIX[plan["rgb"]],
        "@FIRST@": "000000.tar" if shards == 1 else f"{{000000..{shards - 1:06d}}}.tar",
        "@DEPTH@": depth,
        "@RECORDS@": "records" if layout == "coco" else "annotations",
        "@KEY@": "[0-9]*",
        "@SEG@": "[..., ::-1]" if synthforge else "",
        "@COPY@": ".copy()" if synthforge else "",
        "@MARKS@": "2d_kps" if synthforge else "landmarks_px",
    }
    chosen = {
        "shards": [
            ("webdataset:", _WEBDATASET),
            ("PyTorch, in any order:", _TORCH_SHARDS),
            ("Hugging Face datasets:", _DATASETS),
        ],
        "coco": [("pycocotools:", _COCO), ("PyTorch:", _TORCH_FOLDERS)],
    }.get(layout, [("PyTorch:", _TORCH_FOLDERS)])
    done = []
    for title, code in chosen:
        for word, value in words.items():
            code = code.replace(word, value)
        if "io.BytesIO" in code:
            code = code.replace("import json\n", "import io, json\n", 1)
        done.append((title, code))
    return done
