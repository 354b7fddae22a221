"""Random access to a data set of ours (layout shards) for training: the index leads to the bytes, nothing is unpacked."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import NotFoundError
from forge_rt.production import decode
from forge_rt.production.folder import RunFolder
from forge_rt.production.layouts import Layout


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

        self._where: list[tuple[Layout, dict[str, Any]]] = []  #: how and what to read
        self.plans: list[str] = []  #: SHA-256 of each run's plan
        landmarks, visible, self.style = [], [], []
        for folder in map(Path, folders):
            if not (folder / "index.parquet").is_file() or not (folder / "shards").is_dir():
                raise NotFoundError(
                    f"{folder} is no finished data set in layout shards; make one with: forge-rt generate --out {folder} --count 16000 "
                    "--size 384 --style mixed"
                )
            self.plans.append(json.loads((folder / "plan.json").read_text(encoding="utf-8"))["sha256"])
            layout = RunFolder.open(folder).layout
            place = ["key", "shard", "offset", "bytes"]
            table = pq.read_table(folder / "index.parquet", columns=[*place, "landmarks_px", "visibility", "style"])
            self._where += [(layout, row) for row in table.select(place).to_pylist()]
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
        layout, row = self._where[i]
        members, name = dict(layout.read(row)), row["key"]
        image, classes = decode.rgb(members, name), decode.classes(members, name)
        if not depth:
            return Sample(
                image, classes, np.zeros((0, 0), np.float32), self.landmarks[i], self.visible[i], float("nan")
            )
        record = json.loads(members["json"])
        metres, centre = decode.depth_m(members, record, name), decode.centre_z_m(record)
        return Sample(image, classes, metres, self.landmarks[i], self.visible[i], centre)
