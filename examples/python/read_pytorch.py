"""Reads a data set as a PyTorch data set with random access: the index leads to the bytes, nothing is unpacked.

forge-rt generate --out faces --count 1000 --size 256
python read_pytorch.py faces
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from torch.utils.data import DataLoader, Dataset


class Faces(Dataset):
    """Sample i: image [3, H, W] float 0..1, labels [H, W] int64, landmarks [68, 2] in pixels, visible [68] bool. Any order, any worker."""

    def __init__(self, folder: str | Path, where=None) -> None:
        self.folder = Path(folder)
        columns = ["shard", "offset", "landmarks_px", "visibility", *(where or {})]
        table = pq.read_table(
            self.folder / "index.parquet",
            columns=columns,
            filters=[(n, "=", v) for n, v in (where or {}).items()] or None,
        )
        self.shards, self.offsets = table["shard"].to_pylist(), table["offset"].to_pylist()
        self.landmarks = (
            np.stack(table["landmarks_px"].to_numpy()).reshape(-1, 68, 2) if len(self.shards) else np.zeros((0, 68, 2))
        )
        self.visible = np.stack(table["visibility"].to_numpy()) == 2 if len(self.shards) else np.zeros((0, 68), bool)

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        with (self.folder / self.shards[i]).open("rb") as file:
            file.seek(self.offsets[i])
            members = [self._member(file) for _ in range(2)]  # the image, then its labels
        image, labels = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) for data in members)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1).float() / 255,
            "labels": torch.from_numpy(labels).long(),
            "landmarks": torch.from_numpy(self.landmarks[i].astype(np.float32)),
            "visible": torch.from_numpy(self.visible[i]),
        }

    @staticmethod
    def _member(file) -> bytes:
        """The next member of a tar: a header of 512 bytes with the size in octal, the data, zeros to the next multiple of 512."""
        size = int(file.read(512)[124:135], 8)
        data = file.read(size)
        file.seek(-size % 512, 1)
        return data


if __name__ == "__main__":
    faces = Faces(sys.argv[1])
    bare = Faces(sys.argv[1], where={"attribute/glasses": "none"})
    print(f"{len(faces)} faces, {len(bare)} without glasses")
    for batch in DataLoader(faces, batch_size=8, shuffle=True, num_workers=2):
        print({name: tuple(values.shape) for name, values in batch.items()})
