"""What is in a data set, in numbers: poses, landmarks, classes, expressions, attributes.

Built from the index a few thousand rows at a time; memory does not grow with the data set but for one bit an identity. Everything is counted in
integers: fixed bins, and sums of values rounded to 2^-20. So the result does not depend on how rows are split or ordered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt._core import InvalidArgumentError

if TYPE_CHECKING:
    import pyarrow as pa

#: name → first edge, last edge, number of bins. Values outside are counted as `below` and `above`; the last bin has its right edge.
BINS: dict[str, tuple[float, float, int]] = {
    "yaw_deg": (-180, 180, 180),
    "pitch_deg": (-90, 90, 90),
    "roll_deg": (-180, 180, 180),
    "fov_deg": (0, 180, 180),
    "radius_m": (0, 5, 100),
    "agreement": (0, 1, 100),
}
#: weights of expressions and sliders
WEIGHT_BINS = (-2.0, 2.0, 80)
#: steps of the yaw × pitch table, over the same ranges
COVERAGE_STEP_DEG = 5
#: an expression counts as present above
PRESENT_WEIGHT = np.float32(0.1)

_ROWS = 8192
_SUM_STEP = 2.0**-20
_LARGEST = 2.0**30  #: of a value that is summed: 8192 of them fit into 64 bits
_POSE = ("yaw_deg", "pitch_deg", "roll_deg", "fov_deg", "radius_m")
_NEEDED = (
    "identity", "bytes", "accepted", "attempts", "reason", "agreement", "style", "face_px", "landmarks_px", "visibility", "class_pixels",
    "expression", *_POSE,
)  # fmt: skip


class Histogram:
    """Counts of [N, columns] numbers in equal bins, and their exact sum, least and greatest."""

    def __init__(self, low: float, high: float, bins: int, columns: int = 1) -> None:
        self.low, self.high, self.columns = float(low), float(high), columns
        self.edges = low + (high - low) * np.arange(bins + 1) / bins
        #: first and last column of a row: below and above
        self.counts = np.zeros((columns, bins + 2), np.int64)
        self.missing = np.zeros(columns, np.int64)
        self._sum = [0] * columns
        self._least, self._greatest = np.full(columns, np.inf), np.full(columns, -np.inf)

    def add(self, values: np.ndarray) -> None:
        values = np.asarray(values, np.float64).reshape(-1, self.columns)
        good = np.abs(values) < _LARGEST  # false for NaN
        self.missing += len(values) - good.sum(0)
        bin_of = np.searchsorted(self.edges, values, side="right")
        bin_of[values == self.high] -= 1
        width = self.counts.shape[1]
        flat = (bin_of + width * np.arange(self.columns))[good]
        self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)
        steps = np.where(good, np.rint(np.where(good, values, 0) / _SUM_STEP), 0).astype(np.int64).sum(0)
        self._sum = [have + int(more) for have, more in zip(self._sum, steps, strict=True)]
        self._least = np.minimum(self._least, np.where(good, values, np.inf).min(0, initial=np.inf))
        self._greatest = np.maximum(self._greatest, np.where(good, values, -np.inf).max(0, initial=-np.inf))

    def to_dict(self, column: int = 0) -> dict[str, Any]:
        counts = self.counts[column]
        n = int(counts.sum())
        some = n > 0
        return {
            "low": self.low,
            "high": self.high,
            "n": n,
            "mean": _round(self._sum[column] * _SUM_STEP / n) if some else None,
            "min": _round(self._least[column]) if some else None,
            "max": _round(self._greatest[column]) if some else None,
            **{f"p{p:02}": self._percentile(column, p) if some else None for p in (5, 50, 95)},
            "below": int(counts[0]),
            "above": int(counts[-1]),
            "missing": int(self.missing[column]),
            "counts": counts[1:-1].tolist(),
        }

    def _percentile(self, column: int, percent: int) -> float:
        """Exact to a bin: straight between the edges of the bin that holds it."""
        counts = self.counts[column]
        least, greatest = self._least[column], self._greatest[column]
        target = int(counts.sum()) * percent / 100
        upto = np.cumsum(counts)
        k = int(np.searchsorted(upto, target, side="left"))
        left = least if k == 0 else self.edges[k - 1]
        right = greatest if k > len(self.edges) - 1 else self.edges[k]
        inside = (target - (upto[k] - counts[k])) / counts[k] if counts[k] else 0.0
        return _round(float(np.clip(left + (right - left) * inside, least, greatest)))


class Statistics:
    """`add` rows of the index in any order and split, then `to_dict()`: the same rows give the same numbers, to the byte."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._labels = [label["name"] for label in manifest["labels"]]
        self._expressions = list(manifest["expressions"])
        size = manifest["plan"]["size"]
        self._rows = self._accepted = 0
        self._identities = _Distinct()
        self._bytes: list[int] = [0, 0]  # number, sum
        self._bytes_range: list[int] = []
        self._attempts: Counter[int] = Counter()
        self._reasons: Counter[str | None] = Counter()
        self._styles: Counter[str | None] = Counter()
        self._numbers = {name: Histogram(*BINS[name]) for name in (*_POSE, "agreement")}
        self._numbers["face_px"] = Histogram(0, 2 * size, 100)
        self._coverage = np.zeros((180 // COVERAGE_STEP_DEG, 360 // COVERAGE_STEP_DEG), np.int64)
        self._visibility = np.zeros((68, 3), np.int64)
        self._unknown_points = 0
        self._classes = np.zeros((len(self._labels), 2), np.int64)  # images that have it, pixels
        self._pixels = 0
        self._masks = self._weighted = 0  # rows with class_pixels, with expression
        self._weights = Histogram(*WEIGHT_BINS, columns=len(self._expressions))
        self._present = np.zeros(len(self._expressions), np.int64)
        self._choices: dict[str, Counter[str | None]] = {}
        self._sliders: dict[str, Histogram] = {}

    def add(self, rows: pa.Table | pa.RecordBatch) -> Statistics:
        missing = [name for name in _NEEDED if name not in rows.schema.names]
        if missing:
            raise InvalidArgumentError(
                f"the index needs the column {missing[0]!r}; it has {', '.join(rows.schema.names[:8])}, …"
            )
        for batch in _split(rows):
            self._add(batch)
        return self

    def _add(self, batch: pa.RecordBatch) -> None:
        self._rows += batch.num_rows
        self._accepted += int(_integers(batch, "accepted").sum())
        self._identities.add(_integers(batch, "identity"))
        self._attempts.update(_integers(batch, "attempts").tolist())
        self._reasons.update(_texts(batch, "reason", keep_null=False))
        self._styles.update(_texts(batch, "style", keep_null=False))
        self._add_bytes(_integers(batch, "bytes"))
        for name, histogram in self._numbers.items():
            histogram.add(_floats(batch, name))
        self._add_coverage(_floats(batch, "yaw_deg"), _floats(batch, "pitch_deg"))
        self._add_landmarks(batch)
        self._add_classes(_lists(batch, "class_pixels", len(self._labels)))
        weights = _lists(batch, "expression", len(self._expressions))
        self._weights.add(weights)
        self._weighted += len(weights)
        self._present += (np.abs(weights) > PRESENT_WEIGHT).sum(0)
        self._add_attributes(batch)

    def _add_bytes(self, sizes: np.ndarray) -> None:
        if len(sizes):
            self._bytes = [self._bytes[0] + len(sizes), self._bytes[1] + int(sizes.sum())]
            ends = [*self._bytes_range, int(sizes.min()), int(sizes.max())]
            self._bytes_range = [min(ends), max(ends)]

    def _add_coverage(self, yaw: np.ndarray, pitch: np.ndarray) -> None:
        rows, columns = self._coverage.shape
        good = (np.abs(yaw) <= 180) & (np.abs(pitch) <= 90)
        x = np.minimum((yaw[good] + 180) // COVERAGE_STEP_DEG, columns - 1).astype(np.int64)
        y = np.minimum((pitch[good] + 90) // COVERAGE_STEP_DEG, rows - 1).astype(np.int64)
        self._coverage += np.bincount(y * columns + x, minlength=self._coverage.size).reshape(rows, columns)

    def _add_landmarks(self, batch: pa.RecordBatch) -> None:
        states = _lists(batch, "visibility", 68)
        for state in range(3):
            self._visibility[:, state] += (states == state).sum(0)
        points = _lists(batch, "landmarks_px", 136).reshape(-1, 68, 2)
        self._unknown_points += int((~np.isfinite(points)).any(-1).sum())

    def _add_classes(self, pixels: np.ndarray) -> None:
        pixels = np.nan_to_num(pixels).astype(np.int64)
        self._classes[:, 0] += (pixels > 0).sum(0)
        self._classes[:, 1] += pixels.sum(0)
        self._pixels += int(pixels.sum())
        self._masks += len(pixels)

    def _add_attributes(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        for field in batch.schema:
            if not field.name.startswith("attribute/"):
                continue
            name = field.name.removeprefix("attribute/")
            if pa.types.is_floating(field.type) or pa.types.is_integer(field.type):
                self._sliders.setdefault(name, Histogram(*WEIGHT_BINS)).add(_floats(batch, field.name))
            else:
                self._choices.setdefault(name, Counter()).update(_texts(batch, field.name))

    # ---- the result ----

    def to_dict(self) -> dict[str, Any]:
        """JSON values. Shares are of all samples; `counts` of a histogram are equal bins from `low` to `high`; null where there is no sample."""
        n = self._rows
        redrawn = sum((attempts - 1) * count for attempts, count in self._attempts.items())
        return {
            "count": n,
            "identities": self._identities.count(),
            "accepted": self._accepted,
            "attempts": {str(k): self._attempts[k] for k in sorted(self._attempts)},
            "redrawn": redrawn,
            "reasons": _most_first(self._reasons),
            "styles": _most_first(self._styles),
            "bytes": {
                "total": self._bytes[1],
                "mean": _ratio(self._bytes[1], self._bytes[0]),
                "min": self._bytes_range[0] if self._bytes_range else None,
                "max": self._bytes_range[1] if self._bytes_range else None,
            },
            "pose": {name: self._numbers[name].to_dict() for name in _POSE},
            "yaw_pitch": {
                "step_deg": COVERAGE_STEP_DEG,
                "yaw_low_deg": -180,
                "pitch_low_deg": -90,
                "counts": self._coverage.tolist(),
            },
            "face_px": self._numbers["face_px"].to_dict(),
            "agreement": self._numbers["agreement"].to_dict(),
            "landmarks": self._landmarks(),
            "classes": self._class_table(),
            "expressions": {
                name: {"present": _ratio(int(self._present[k]), self._weighted), **self._weights.to_dict(k)}
                for k, name in enumerate(self._expressions)
            },
            "attributes": {
                **{name: {"kind": "choice", "counts": _most_first(c)} for name, c in sorted(self._choices.items())},
                **{name: {"kind": "slider", **h.to_dict()} for name, h in sorted(self._sliders.items())},
            },
        }

    def _landmarks(self) -> dict[str, Any]:
        def shares(counts: np.ndarray) -> dict[str, float | None]:
            total = int(counts.sum())
            return {name: _ratio(int(counts[k]), total) for k, name in ((2, "visible"), (1, "hidden"), (0, "outside"))}

        points = [shares(counts) for counts in self._visibility]
        return {
            **shares(self._visibility.sum(0)),
            "not_a_number": self._unknown_points,
            "points": {key: [point[key] for point in points] for key in ("visible", "hidden", "outside")},
        }

    def _class_table(self) -> list[dict[str, Any]]:
        return [
            {
                "id": k,
                "name": name,
                "images": int(has),
                "share_of_images": _ratio(int(has), self._masks),
                "share_of_pixels": _ratio(int(pixels), self._pixels),
                "mean_pixels_when_present": _ratio(int(pixels), int(has)),
            }
            for k, (name, (has, pixels)) in enumerate(zip(self._labels, self._classes, strict=True))
        ]


class _Distinct:
    """How many different whole numbers came: one bit each, in pages, so that gaps cost nothing."""

    _PAGE = 1 << 19

    def __init__(self) -> None:
        self._pages: dict[int, np.ndarray] = {}

    def add(self, values: np.ndarray) -> None:
        values = np.unique(values)
        pages = values // self._PAGE
        for page in np.unique(pages).tolist():
            bits = self._pages.setdefault(page, np.zeros(self._PAGE // 8, np.uint8))
            at = values[pages == page] - page * self._PAGE
            np.bitwise_or.at(bits, at >> 3, (1 << (at & 7)).astype(np.uint8))

    def count(self) -> int:
        return sum(int(np.bitwise_count(bits).sum()) for bits in self._pages.values())


# ---- columns of Arrow as NumPy ----


def _split(rows: pa.Table | pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    yield from rows.to_batches(max_chunksize=_ROWS)


def _floats(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """float64; null is NaN."""
    return np.asarray(batch.column(name).to_numpy(zero_copy_only=False), np.float64)


def _integers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """int64, without nulls."""
    return np.asarray(batch.column(name).drop_null().to_numpy(zero_copy_only=False)).astype(np.int64)


def _texts(batch: pa.RecordBatch, name: str, keep_null: bool = True) -> dict[str | None, int]:
    counts = batch.column(name).value_counts()
    pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    return {None if value is None else str(value): count for value, count in pairs if keep_null or value is not None}


def _lists(batch: pa.RecordBatch, name: str, width: int) -> np.ndarray:
    """[rows that are not null, width]."""
    column = batch.column(name).drop_null()
    values = np.asarray(column.flatten().to_numpy(zero_copy_only=False))
    if len(values) != len(column) * width:
        raise InvalidArgumentError(
            f"{name} must have {width} numbers in each row of the index, got {len(values) / max(len(column), 1):g}"
        )
    return values.reshape(-1, width)


# ---- numbers for people ----


def _round(value: float) -> float:
    """Nine significant digits: more than float32 holds."""
    return float(f"{float(value):.9g}")


def _ratio(part: int, whole: int) -> float | None:
    return _round(part / whole) if whole else None


def _most_first(counts: Mapping[Any, int]) -> dict[str, int]:
    """Most frequent first, equal ones by name."""
    named: Counter[str] = Counter()
    for key, count in counts.items():
        named["(not given)" if key is None else key] += count
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))
