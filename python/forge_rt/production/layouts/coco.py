"""Layout `coco`: images/ seg/ depth/ records/, and annotations/instances.json and keypoints.json as pycocotools reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from forge_rt.production.encode import dump_json
from forge_rt.production.files import appearing, make_folder, write_atomically
from forge_rt.production.layouts.folders import FoldersLayout
from forge_rt.production.samples import Sample

#: annotation ids of one image: up to so many
_IDS = 64
_CURVES = [(0, 16), (17, 21), (22, 26), (27, 30), (31, 35), (36, 41), (42, 47), (48, 59), (60, 67)]
_CLOSED = {36, 42, 48, 60}


def rle(mask: np.ndarray) -> dict[str, Any]:
    """COCO's compressed run-length code of a boolean mask [H, W]: columns first, runs of 0 and 1 in turn, starting with 0."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]]))
    if flat.size and flat[0]:
        counts = np.concatenate([[0], counts])
    return {"size": list(mask.shape), "counts": _pack(counts.tolist())}


def _pack(counts: Sequence[int]) -> str:
    """Differences to the run before last, five bits a character, low bits first."""
    out = []
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            low, value = value & 31, value >> 5
            more = value != (-1 if low & 16 else 0)
            out.append(chr(48 + (low | 32 if more else low)))
            if not more:
                break
    return "".join(out)


def _box(mask: np.ndarray) -> list[int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def skeleton() -> list[list[int]]:
    """Pairs of the 68 points, numbered from 1."""
    pairs = []
    for first, last in _CURVES:
        pairs += [[k + 1, k + 2] for k in range(first, last)]
        if first in _CLOSED:
            pairs.append([last + 1, first + 1])
    return pairs


class CocoLayout(FoldersLayout):
    places: Mapping[str, tuple[str, str]] = {**FoldersLayout.places, "json": ("records", ".json")}

    def note(self, sample: Sample) -> bytes:
        return self._note(sample.index, sample.key, sample.segmentation, sample.landmarks, sample.visibility)

    def _note(self, index: int, key: str, mask: np.ndarray, landmarks: np.ndarray, visibility: np.ndarray) -> bytes:
        """One line for the sample: its image entry, the instance of each class, the face with its keypoints."""
        image_id = index + 1
        height, width = mask.shape
        names = {name: self.path(key, name).relative_to(self.root).as_posix() for name in self.names()}
        rgb, seg, depth, *_ = self.names()
        image = {
            "id": image_id, "file_name": Path(names[rgb]).name, "height": height, "width": width, "license": 1,
            "seg_file": names[seg], "depth_file": names[depth], "record_file": names["json"],
        }  # fmt: skip
        instances = []
        for label in np.unique(mask).tolist():
            if label == 0:
                continue
            of_class = mask == label
            instances.append({
                "id": image_id * _IDS + label, "image_id": image_id, "category_id": label, "iscrowd": 0,
                "area": int(of_class.sum()), "bbox": _box(of_class), "segmentation": rle(of_class),
            })  # fmt: skip
        points = np.nan_to_num(landmarks.astype(np.float64)).round(2)
        seen = visibility.tolist()  # 0 outside, 1 hidden, 2 visible: COCO's own code
        flat = [v for (x, y), s in zip(points.tolist(), seen, strict=True) for v in ((x, y, s) if s else (0, 0, 0))]
        low, high = (np.clip(p, 0, (width, height)) for p in (points.min(0), points.max(0)))
        (x0, y0), (x1, y1) = low.tolist(), high.tolist()
        box = [round(float(v), 2) for v in (*low, *(high - low))]
        face = {
            "id": image_id * _IDS, "image_id": image_id, "category_id": 1, "iscrowd": 0, "bbox": box,
            "area": round(box[2] * box[3], 2), "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]],
            "num_keypoints": int(np.count_nonzero(visibility)), "keypoints": flat,
        }  # fmt: skip
        return dump_json({"image": image, "instances": instances, "face": face if any(seen) else None})

    def reopen(self, shard: int, rows: Sequence[dict[str, Any]]) -> None:
        import cv2

        notes = []
        for row in rows:
            mask = cv2.imread(str(self.path(row["key"], "seg.png")), cv2.IMREAD_UNCHANGED)
            assert mask is not None  # its bytes were just checked
            points = np.array(row["landmarks_px"], np.float32).reshape(68, 2)
            notes.append(self._note(row["index"], row["key"], mask, points, np.array(row["visibility"], np.uint8)))
        self.keep_notes(shard, notes)

    # ---- collected a shard at a time, joined at the end: memory stays that of one line ----

    def _notes(self, shard: int) -> Path:
        return self.root / "parts" / f"coco-{shard:06d}.jsonl"

    def keep_notes(self, shard: int, notes: Sequence[bytes]) -> None:
        write_atomically(self._notes(shard), b"".join(notes), sync=True)

    def _lines(self, shards: Iterable[int]) -> Iterator[dict[str, Any]]:
        for shard in shards:
            with self._notes(shard).open("rb") as file:
                for line in file:
                    yield json.loads(line)

    def close(self, shards: Iterable[int]) -> list[str]:
        shards = list(shards)
        folder = self.root / "annotations"
        make_folder(folder)
        info = {"description": "forge_rt synthetic faces", "version": "1.0"}
        name = self.source.licence
        licences = [
            {
                "id": 1,
                "name": name,
                "url": "https://www.apache.org/licenses/LICENSE-2.0" if name == "Apache-2.0" else "",
            }
        ]
        classes = [{"id": c.id, "name": c.name, "supercategory": "face"} for c in self.source.labels if c.id]
        face = {
            "id": 1, "name": "face", "supercategory": "face", "skeleton": skeleton(), "keypoints": [str(k) for k in range(68)],
        }  # fmt: skip
        done = []
        for name, categories in (("instances", classes), ("keypoints", [face])):
            head = {"info": info, "licenses": licences, "categories": categories}
            if name == "instances":
                found = (entry for line in self._lines(shards) for entry in line["instances"])
            else:
                found = (line["face"] for line in self._lines(shards) if line["face"] is not None)
            with appearing(folder / f"{name}.json", sync=True) as part, part.open("wb") as file:
                file.write(dump_json(head).rstrip()[:-1])
                self._array(file, "images", (line["image"] for line in self._lines(shards)))
                self._array(file, "annotations", found)
                file.write(b"}\n")
            done.append(f"annotations/{name}.json")
        return done

    @staticmethod
    def _array(file: BinaryIO, name: str, entries: Iterable[dict[str, Any]]) -> None:
        file.write(f',"{name}":['.encode())
        for k, entry in enumerate(entries):
            file.write(b",\n" if k else b"\n")
            file.write(dump_json(entry).rstrip())
        file.write(b"]")
