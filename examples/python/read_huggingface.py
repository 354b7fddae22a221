"""Reads a data set with Hugging Face `datasets`. The card in the folder tells it where the tars are.

forge-rt generate --out faces --count 1000 --size 256
pip install datasets
python read_huggingface.py faces
"""

import sys

import numpy as np
from datasets import load_dataset


def faces(folder: str, streaming: bool = False):
    return load_dataset(folder, split="train", streaming=streaming)


def index(folder: str):
    """Poses, attributes, landmarks and class counts of all samples, without the pictures."""
    return load_dataset("parquet", data_files=f"{folder}/index.parquet", split="train")


if __name__ == "__main__":
    data = faces(sys.argv[1])
    first = data[0]
    depth_m = np.asarray(first["depth.png"]) * first["json"]["depth"]["scale_m"]
    print(data)
    print(first["jpg"], np.unique(np.asarray(first["seg.png"])), f"farthest point {depth_m.max():.3f} m")
    table = index(sys.argv[1])
    print(f"{len(table.filter(lambda row: row['attribute/glasses'] != 'none'))} of {len(table)} wear glasses")
