"""Reads the tars of a data set with webdataset: shuffled, decoded, in batches.

forge-rt generate --out faces --count 1000 --size 256
pip install webdataset
python read_webdataset.py faces
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import webdataset as wds


def picture(data: bytes) -> np.ndarray:
    """JPEG → [H, W, 3] uint8 RGB; masks [H, W] uint8; depth [H, W] uint16."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return image[..., ::-1] if image.ndim == 3 else image


def sample(members: dict) -> dict:
    record = json.loads(members["json"])
    points = np.array(record["landmarks_px"], np.float32)
    return {
        "image": picture(members["jpg"]),
        "labels": picture(members["seg.png"]),
        "depth_m": picture(members["depth.png"]) * np.float32(record["depth"]["scale_m"]),
        "landmarks": points[:, :2],
        "visible": points[:, 2] == 2,
    }


def faces(folder: str, batch: int = 8, shuffle: int = 500):
    shards = sorted(str(path) for path in Path(folder, "shards").glob("*.tar"))
    data = wds.WebDataset(shards, shardshuffle=len(shards) if shuffle else False, seed=0)
    if shuffle:
        data = data.shuffle(shuffle, seed=0)
    return data.map(sample).batched(
        batch, collation_fn=lambda s: {name: np.stack([x[name] for x in s]) for name in s[0]}
    )


if __name__ == "__main__":
    for k, batch in enumerate(faces(sys.argv[1])):
        print(k, {name: (values.dtype.name, values.shape) for name, values in batch.items()})
