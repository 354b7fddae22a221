"""Reads layout `coco` with pycocotools: class masks and the face's 68 keypoints.

forge-rt generate --out faces --count 100 --size 256 --layout coco
pip install pycocotools
python read_coco.py faces
"""

import sys
from pathlib import Path

from pycocotools.coco import COCO


def show(folder: str) -> None:
    instances = COCO(Path(folder, "annotations", "instances.json"))
    keypoints = COCO(Path(folder, "annotations", "keypoints.json"))
    for image in instances.loadImgs(instances.getImgIds()[:3]):
        found = instances.loadAnns(instances.getAnnIds(imgIds=image["id"]))
        names = {instances.cats[a["category_id"]]["name"]: int(instances.annToMask(a).sum()) for a in found}
        (face,) = keypoints.loadAnns(keypoints.getAnnIds(imgIds=image["id"]))
        print(image["file_name"], names, f"{face['num_keypoints']} keypoints, box {face['bbox']}")


if __name__ == "__main__":
    show(sys.argv[1])
