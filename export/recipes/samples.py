"""Random access to a data set of ours (layout shards) for training: the index leads to the bytes, nothing is unpacked."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from forge_rt import NotFoundError


@dataclass(frozen=True)
class Sample:
    rgb: np.ndarray  #: [H, W, 3] uint8
    mask: np.ndarray  #: [H, W] uint8 class ids
    depth_m: np.ndarray  #: [H, W] float32 camera z, 0 = nothing there
    landmarks: np.ndarray  #: [68, 2] float32 pixels, the centre of the top-left pixel is (0.5, 0.5)
    visible: np.ndarray  #: [68] bool
    centre_z_m: float  #: mean camera z of the landmarks


class Samples:
    """Samples of one finished run, or several after one another. Any RGB and depth format, any further members."""

    def __init__(self, *folders: str | os.PathLike[str]) -> None:
        """Raises NotFoundError for a folder that is no finished data set of layout shards."""
        import pyarrow.parquet as pq

        self._where: list[tuple[Path, int, int]] = []
        self.plans: list[str] = []  #: SHA-256 of each run's plan
        landmarks, visible, self.style = [], [], []
        for folder in map(Path, folders):
            if not (folder / "index.parquet").is_file() or not (folder / "shards").is_dir():
                raise NotFoundError(
                    f"{folder} is no finished data set in layout shards; make one with: forge-rt generate --out {folder} --count 16000 "
                    "--size 384 --style mixed"
                )
            self.plans.append(json.loads((folder / "plan.json").read_text(encoding="utf-8"))["sha256"])
            table = pq.read_table(
                folder / "index.parquet", columns=["shard", "offset", "bytes", "landmarks_px", "visibility", "style"]
            )
            columns = (table[name].to_pylist() for name in ("shard", "offset", "bytes"))
            self._where += [(folder / shard, offset, size) for shard, offset, size in zip(*columns, strict=True)]
            landmarks.append(np.stack(table["landmarks_px"].to_numpy()).reshape(-1, 68, 2).astype(np.float32))
            visible.append(np.stack(table["visibility"].to_numpy()) == 2)
            self.style += table["style"].to_pylist()
        self.landmarks, self.visible = np.concatenate(landmarks), np.concatenate(visible)

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, i: int) -> Sample:
        return self.read(i)

    def read(self, i: int, *, depth: bool = True) -> Sample:
        """Without `depth` its array is empty and its mean NaN; that saves half of the time."""
        path, offset, size = self._where[i]
        with path.open("rb") as file:
            file.seek(offset)
            members = dict(_members(file.read(size + _HEADERS)))
        rgb = next(members[name] for name in ("jpg", "png", "webp") if name in members)
        image = cv2.imdecode(np.frombuffer(rgb, np.uint8), cv2.IMREAD_COLOR_RGB)
        classes = cv2.imdecode(np.frombuffer(members["seg.png"], np.uint8), cv2.IMREAD_UNCHANGED)
        if not depth:
            return Sample(
                image, classes, np.zeros((0, 0), np.float32), self.landmarks[i], self.visible[i], float("nan")
            )
        about = json.loads(members["json"])
        points = np.asarray(about["landmarks_camera_m"], np.float64)
        if "depth.npy" in members:
            metres = np.load(io.BytesIO(members["depth.npy"]), allow_pickle=False).astype(np.float32)
        else:
            far = cv2.imdecode(np.frombuffer(members["depth.png"], np.uint8), cv2.IMREAD_UNCHANGED)
            metres = far * np.float32(about["depth"]["scale_m"])
        return Sample(image, classes, metres, self.landmarks[i], self.visible[i], float(points[:, 2].mean()))


_HEADERS = 16 * 1024  #: at most 16 members, each with a header and padding


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name after the key, bytes) of the first sample's tar members: a header of 512 bytes with name and octal size, the data, zeros to a
    multiple of 512."""
    at, first = 0, data[:100].split(b".", 1)[0]
    while at + 512 <= len(data) and data[at : at + 100].split(b".", 1)[0] == first:
        name = data[at : at + 100].rstrip(b"\0").decode()
        size = int(data[at + 124 : at + 135], 8)
        yield name.split(".", 1)[1], data[at + 512 : at + 512 + size]
        at += 512 + -(-size // 512) * 512
