"""Random access to a data set of ours (layout shards) for training: the index leads to the bytes, nothing is unpacked."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np


@dataclass(frozen=True)
class Sample:
    rgb: np.ndarray  #: [H, W, 3] uint8
    mask: np.ndarray  #: [H, W] uint8 class ids
    depth_m: np.ndarray  #: [H, W] float32 camera z, 0 = nothing there
    landmarks: np.ndarray  #: [68, 2] float32 pixels, the centre of the top-left pixel is (0.5, 0.5)
    visible: np.ndarray  #: [68] bool
    centre_z_m: float  #: mean camera z of the landmarks


class Samples:
    """Samples of one finished run, or several after one another."""

    def __init__(self, *folders: str | os.PathLike[str]) -> None:
        import pyarrow.parquet as pq

        self._where: list[tuple[Path, int]] = []
        landmarks, visible, self.style = [], [], []
        for folder in map(Path, folders):
            if not (folder / "index.parquet").is_file() or not (folder / "shards").is_dir():
                raise FileNotFoundError(
                    f"{folder} is no finished data set in layout shards; make one with: forge-rt generate --out {folder} --count 16000 "
                    "--size 384 --style mixed"
                )
            table = pq.read_table(
                folder / "index.parquet", columns=["shard", "offset", "landmarks_px", "visibility", "style"]
            )
            self._where += [
                (folder / s, o) for s, o in zip(table["shard"].to_pylist(), table["offset"].to_pylist(), strict=True)
            ]
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
        path, offset = self._where[i]
        with path.open("rb") as file:
            file.seek(offset)
            jpeg, mask, far, text = (_member(file) for _ in range(4))
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
        classes = cv2.imdecode(np.frombuffer(mask, np.uint8), cv2.IMREAD_UNCHANGED)
        if not depth:
            return Sample(
                image, classes, np.zeros((0, 0), np.float32), self.landmarks[i], self.visible[i], float("nan")
            )
        about = json.loads(text)
        points = np.asarray(about["landmarks_camera_m"], np.float64)
        metres = cv2.imdecode(np.frombuffer(far, np.uint8), cv2.IMREAD_UNCHANGED) * np.float32(
            about["depth"]["scale_m"]
        )
        return Sample(image, classes, metres, self.landmarks[i], self.visible[i], float(points[:, 2].mean()))


def _member(file) -> bytes:  # type: ignore[no-untyped-def]
    """The next member of a tar: a header of 512 bytes with the size in octal, the data, zeros to the next multiple of 512."""
    size = int(file.read(512)[124:135], 8)
    data: bytes = file.read(size)
    file.seek(-size % 512, 1)
    return data
