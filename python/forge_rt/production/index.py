"""The index: one row a sample, what people select and count by. Parquet; rows do not depend on the shard size but for shard and offset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt._core import CorruptFileError
from forge_rt.production.agreement import histogram

if TYPE_CHECKING:
    import pyarrow as pa

    from forge_rt.production.samples import Sample
    from forge_rt.production.sources import Source


def schema(source: Source) -> pa.Schema:
    import pyarrow as pa

    kinds = {float: pa.float32(), str: pa.string()}
    attributes = [pa.field(f"attribute/{name}", kinds[kind]) for name, kind in source.attribute_kinds().items()]
    return pa.schema([
        pa.field("key", pa.string(), nullable=False),
        pa.field("index", pa.int64()),
        pa.field("identity", pa.int64()),
        pa.field("view", pa.int32()),
        pa.field("shard", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("sha256", pa.string()),
        pa.field("accepted", pa.bool_()),
        pa.field("attempts", pa.int32()),
        pa.field("reason", pa.string()),
        pa.field("agreement", pa.float32()),
        pa.field("style", pa.string()),
        *(pa.field(name, pa.float32()) for name in ("yaw_deg", "pitch_deg", "roll_deg", "fov_deg", "radius_m", "face_px")),
        pa.field("landmarks_px", pa.list_(pa.float32(), 136)),
        pa.field("visibility", pa.list_(pa.uint8(), 68)),
        pa.field("class_pixels", pa.list_(pa.int32(), len(source.labels))),
        pa.field("expression", pa.list_(pa.float32(), len(source.expressions))),
        *attributes,
    ])  # fmt: skip


def row(source: Source, sample: Sample, attributes: dict[str, Any], agreement: float) -> dict[str, Any]:
    """All but shard, offset, bytes and sha256, which the writer knows."""
    camera = sample.camera
    box = np.ptp(sample.landmarks, axis=0)
    return {
        "key": sample.key, "index": sample.index, "identity": sample.identity, "view": sample.view,
        "accepted": sample.accepted, "attempts": sample.attempt + 1, "reason": sample.reason,
        "agreement": np.float32(agreement), "style": sample.style,
        "yaw_deg": camera.yaw_deg, "pitch_deg": camera.pitch_deg, "roll_deg": camera.roll_deg,
        "fov_deg": camera.fov_deg, "radius_m": camera.radius_m, "face_px": float(box.max()),
        "landmarks_px": sample.landmarks.ravel().tolist(), "visibility": sample.visibility.tolist(),
        "class_pixels": histogram(sample.segmentation)[: len(source.labels)].tolist(),
        "expression": source.expression(sample),
        **{f"attribute/{name}": value for name, value in attributes.items() if name != "style"},
    }  # fmt: skip


def encode(rows: Sequence[dict[str, Any]], source: Source) -> bytes:
    """Rows in index order as one Parquet file in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(list(rows), schema=schema(source))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **_WRITE)
    return sink.getvalue().to_pybytes()


_WRITE: dict[str, Any] = {"compression": "zstd", "use_dictionary": True, "write_statistics": True, "store_schema": True}


def read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, memory_map=False)
    except (OSError, pa.ArrowException) as error:
        raise CorruptFileError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error


def merge(parts: Iterable[Path], out: Path, source: Source) -> None:
    """One row group a part: memory stays that of one shard."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(out, schema(source), **_WRITE) as writer:
        for part in parts:
            writer.write_table(read(part))


def read_shard(path: Path, shard: int) -> list[dict[str, Any]]:
    """Rows of one shard of a merged index: its row group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return file.read_row_group(shard).to_pylist() if shard < file.num_row_groups else []
    except (OSError, pa.ArrowException) as error:
        raise CorruptFileError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error


def by_shard(path: Path, shard_size: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(shard, its rows) of a merged index, in order, one shard in memory."""
    held: list[dict[str, Any]] = []
    for batch in batches(path):
        for row in batch.to_pylist():
            if held and row["index"] // shard_size != held[0]["index"] // shard_size:
                yield held[0]["index"] // shard_size, held
                held = []
            held.append(row)
    if held:
        yield held[0]["index"] // shard_size, held


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Rows of an index file, a few thousand at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(4096)
    except (OSError, pa.ArrowException) as error:
        raise CorruptFileError(f"{path} is not a readable Parquet file: {str(error).splitlines()[0]}") from error
