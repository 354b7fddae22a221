"""How good is a face model on a data set? What `forge-rt evaluate` does.

The analyzer is used through the calls and properties of `Analyzer`: anything that has them can be evaluated.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from forge_rt import labels as label_sets
from forge_rt import metrics
from forge_rt._core import CorruptFileError, InvalidArgumentError, NotFoundError, UnsupportedError
from forge_rt.landmarks68 import GROUPS, face_box, five_points
from forge_rt.production import decode

__all__ = ["Analyzer", "Evaluation", "Item", "evaluate", "items", "text"]

#: classes that a face box frames, where a data set has no landmarks
_FACE = (
    "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses", "nose", "mouth", "upper_lip", "lower_lip", "beard", "forehead",
    "eye_region",
)  # fmt: skip
#: names in bundles (docs/conventions/labels.md, column BiSeNet forks) → the common vocabulary
_ALIASES = {
    "l_brow": "left_brow", "r_brow": "right_brow", "l_eye": "left_eye", "r_eye": "right_eye", "eye_g": "glasses", "l_ear": "left_ear",
    "r_ear": "right_ear", "ear_r": "earring", "u_lip": "upper_lip", "l_lip": "lower_lip", "neck_l": "necklace",
}  # fmt: skip
THRESHOLD = 0.08  #: of failure rate and area
OVERLAP = 0.5  #: intersection over union that makes a found face a true one


#: sets with the classes of CelebAMask-HQ, and what its published mean leaves out (spec face_analysis §7: 14 classes)
_CELEBA = ("forgehead", "celebamask-hq", "celebamask-hq-publisher")
_UNPUBLISHED = ("earring", "necklace", "hat", "cloth")
#: sets with the classes of Helen, and the parts that publications on it report: sides averaged, without hair
_HELEN = ("lapa", "helen", "ibugmask")
_HELEN_PARTS = {
    "skin": ("skin",), "nose": ("nose",), "upper_lip": ("upper_lip",), "mouth": ("mouth",), "lower_lip": ("lower_lip",),
    "eyes": ("left_eye", "right_eye"), "brows": ("left_brow", "right_brow"),
}  # fmt: skip
_MOUTH = ("upper_lip", "mouth", "lower_lip")
_SCENES = 1 << 42  # purpose of random numbers; training counts its steps from 0
SCENES = 500  #: scenes of mode "scenes", unless limited


class Analyzer(Protocol):
    """The part of forge_rt.FaceAnalyzer that is used."""

    @property
    def labels(self) -> Sequence[Any]: ...  # with id and name
    @property
    def side(self) -> str: ...
    @property
    def depth_unit(self) -> str: ...
    @property
    def crop_size(self) -> tuple[int, int]: ...
    def __call__(
        self, image: Any, *, boxes: Any = None, crops: Any = None, depth_map: bool = False
    ) -> Any: ...  # Faces
    def crop_of(self, face: Any, /) -> Any: ...  # of five points
    def detect(self, image: Any, /) -> Sequence[Any]: ...  # only mode "scenes": with box and score


@dataclass(frozen=True)
class Item:
    """An image and what is true of it; None: not known."""

    name: str
    rgb: np.ndarray  #: [H, W, 3] uint8
    mask: np.ndarray | None = None  #: [H, W] uint8 ids of `Evaluation.truth_labels`
    points: np.ndarray | None = None  #: [68, 2] pixels
    visibility: np.ndarray | None = None  #: [68] 0 outside, 1 hidden, 2 visible
    depth_m: np.ndarray | None = None  #: [H, W] camera z, 0 = nothing
    centre_z_m: float = 0.0  #: mean camera z of the points
    style: str = ""


# ---- data sets ----


def items(dataset: Path, labels: str | None, limit: int | None) -> tuple[str, Iterator[Item], int]:
    """(label set of the masks, the images, how many). A data set of ours, or images/ and masks/ (then `labels` must be named)."""
    if (dataset / "plan.json").exists():
        return _of_run(dataset, limit)
    if not (dataset / "images").is_dir() or not (dataset / "masks").is_dir():
        raise NotFoundError(
            f"{dataset} is neither a data set of forge-rt generate nor a folder with images/ and masks/"
        )
    if labels is None:
        raise InvalidArgumentError(f"name the classes of the masks with --labels: {', '.join(label_sets.SETS)}")
    label_sets.names(labels)
    return labels, *_of_folders(dataset, labels, limit)


def _of_run(dataset: Path, limit: int | None) -> tuple[str, Iterator[Item], int]:
    from forge_rt.production.folder import RunFolder

    run = RunFolder.open(dataset)
    if not run.finished:
        raise NotFoundError(f"the run in {dataset} is not finished; go on with --resume")
    count = min(limit or run.plan.count, run.plan.count)

    def read() -> Iterator[Item]:
        done = 0
        for shard in range(run.plan.shards):
            for row in run.rows(shard) if done < count else ():
                if done < count:
                    yield _of_row(row, dict(run.layout.read(row)))
                    done += 1

    return "forgehead", read(), count


def _of_row(row: dict[str, Any], members: dict[str, bytes]) -> Item:
    name, record = row["key"], json.loads(members["json"])
    common = {"name": name, "rgb": decode.rgb(members, name), "style": row["style"], "points": np.array(row["landmarks_px"], np.float64).reshape(-1, 2),
              "visibility": np.array(row["visibility"])}  # fmt: skip
    if "landmarks_camera_m" not in record:  # layout synthforge: its masks and 8-bit depths say something else
        return Item(**common)
    return Item(
        **common,
        mask=decode.classes(members, name),
        depth_m=decode.depth_m(members, record, name),
        centre_z_m=decode.centre_z_m(record),
    )


def _of_folders(dataset: Path, labels: str, limit: int | None) -> tuple[Iterator[Item], int]:
    from forge_rt.images import IMAGE_SUFFIXES, read_image

    images = sorted(p for p in (dataset / "images").iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)[:limit]
    if not images:
        raise NotFoundError(f"{dataset / 'images'} holds no images")

    def mask_of(image: Path) -> Path:
        for name in (f"{image.stem}.png", f"{image.stem}_mask.png"):
            if (dataset / "masks" / name).exists():
                return dataset / "masks" / name
        raise NotFoundError(f"{dataset / 'masks'} has no {image.stem}.png")

    masks = [mask_of(image) for image in images]  # all of them before the minutes of work
    known = set(label_sets.names(labels)) | {label_sets.SETS[labels].ignore}

    def read() -> Iterator[Item]:
        for image, path in zip(images, masks, strict=True):
            mask, rgb = decode.picture(path.read_bytes(), path.name), read_image(image)
            if mask.ndim != 2 or mask.dtype != np.uint8 or mask.shape != rgb.shape[:2]:
                raise CorruptFileError(
                    f"{path} must hold 8-bit class ids at the image's size {rgb.shape[:2]}, got {mask.dtype} {mask.shape}"
                )
            if strange := sorted(set(np.unique(mask).tolist()) - known):
                raise CorruptFileError(
                    f"{path} holds ids {strange[:8]} that {labels!r} does not have; is it of another set (--labels)?"
                )
            yield Item(image.stem, rgb, mask)

    return read(), len(images)


# ---- geometry ----


def box_of(item: Item, label_set: str) -> np.ndarray | None:
    """`face_box` of the landmarks. Without landmarks the bounds of the face's classes; None without a face."""
    if item.points is not None:
        return face_box(item.points)
    assert item.mask is not None
    ids = [i for i, name in label_sets.names(label_set).items() if name in _FACE]
    rows, columns = np.nonzero(np.isin(item.mask, ids))
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float) if rows.size else None


def footprint(to_crop: Any, crop_size: Any, shape: tuple[int, int]) -> np.ndarray:
    """[H, W] bool: pixels whose centres lie in the crop."""
    height, width = crop_size
    matrix = np.asarray(to_crop, np.float64).reshape(2, 3)
    x, y = np.arange(shape[1]) + 0.5, np.arange(shape[0])[:, None] + 0.5
    u, v = (row[0] * x + row[1] * y + row[2] for row in matrix)
    return (u >= 0) & (u < width) & (v >= 0) & (v < height)


# ---- classes ----


def label_set_of(labels: Any) -> str | None:
    """The known set with a model's class names; None: no such set."""
    named = {int(label.id): _ALIASES.get(label.name, label.name) for label in labels}
    return next((name for name in label_sets.SETS if label_sets.names(name) == named), None)


def _background(classes: dict[int, str]) -> int:
    """The id of the class of that name; 0 in a set without one."""
    return next((i for i, name in classes.items() if name == "background"), 0)


def _converter(labels: Any, side: str, truth: str, truth_side: str) -> Callable[[np.ndarray], np.ndarray]:
    """Ids of the model → ids of the truth."""
    own = label_set_of(labels)
    if own is None:
        raise UnsupportedError(
            "the model's classes are of no set that forge_rt knows, so they cannot be compared with the masks"
        )
    if own == truth and side == truth_side:
        return lambda mask: mask
    return lambda mask: label_sets.convert(mask, own, truth, source_side=side, target_side=truth_side)


# ---- scores ----


@dataclass
class _Scores:
    """Everything that is summed up over the images of one style."""

    truth_labels: str = ""
    classes: dict[int, str] = field(default_factory=dict)
    images: int = 0
    histogram: np.ndarray = field(init=False)
    per_image: list[np.ndarray] = field(default_factory=list)
    nme: list[float] = field(default_factory=list)
    groups: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in GROUPS})
    visible: list[tuple[int, int, int]] = field(default_factory=list)  #: right, points, visible ones
    depth: list[tuple[float, int]] = field(default_factory=list)
    truths: int = 0
    found: int = 0
    matched: int = 0
    spared: int = 0  #: faces of scenes that are too small or hidden to be wanted

    def __post_init__(self) -> None:
        self.histogram = np.zeros((len(self.classes), len(self.classes) + 1), np.int64)  # the last column: of no class

    def report(self, protocol: str, detected: bool) -> dict[str, Any]:
        out: dict[str, Any] = {"images": self.images}
        if self.histogram.sum():
            names = list(self.classes.values())
            background = _background(self.classes)
            scores, overlap = metrics.f1(self.histogram), metrics.iou(self.histogram)
            mean, n = metrics.mean_defined(scores, without=background)
            out["f1"] = {
                "mean": _number(mean), "classes": n, "mean_iou": _number(metrics.mean_defined(overlap, without=background)[0]),
                "pixels": int(self.histogram.sum()), "pixels_of_no_class": int(self.histogram[:, -1].sum()),
                "of_class": {name: {"f1": _number(f), "iou": _number(i), "pixels": int(p)}
                             for name, f, i, p in zip(names, scores, overlap, self.histogram.sum(1), strict=True)},
            }  # fmt: skip
            out["f1"] |= _published(self.truth_labels, names, scores)
            if protocol == "baker":
                out["baker"] = {"images": len(self.per_image)}
                for missing in ("floor", "drop"):
                    means = metrics.baker_means(self.per_image, missing)
                    mean, n = metrics.mean_defined(means, without=background)
                    of_class = {name: _number(value) for name, value in zip(names, means, strict=True)}
                    out["baker"][missing] = {"mean": _number(mean), "classes": n, "of_class": of_class}
        if self.nme:
            errors = np.array(self.nme)
            seen = errors[~np.isnan(errors)]
            out["nme"] = {
                "mean": _number(seen.mean() if seen.size else np.nan), "median": _number(np.median(seen) if seen.size else np.nan), "n": int(seen.size),
                "missed": int(errors.size - seen.size), f"failure_rate_{THRESHOLD}": _number(metrics.failure_rate(errors, THRESHOLD)),
                f"auc_{THRESHOLD}": _number(metrics.auc(errors, THRESHOLD)),
                "of_group": {name: _number(np.mean(v) if v else np.nan) for name, v in self.groups.items()},
            }  # fmt: skip
        if self.visible:
            right, n, seen_points = (sum(column) for column in zip(*self.visible, strict=True))
            out["visibility"] = {"accuracy": _number(right / n), "n": n, "share_visible": _number(seen_points / n)}
        if self.depth:
            n = sum(pixels for _, pixels in self.depth)
            out["depth"] = {
                "l1_m": _number(sum(e * p for e, p in self.depth) / n),
                "pixels": n,
                "faces": len(self.depth),
            }
        if detected:
            out["detection"] = {
                "recall": _number(self.matched / self.truths if self.truths else np.nan),
                "precision": _number(self.matched / self.found if self.found else np.nan),
                "faces": self.truths, "found": self.found, "spared": self.spared, "overlap": OVERLAP,
            }  # fmt: skip
        return out


def _published(truth_labels: str, names: list[str], scores: np.ndarray) -> dict[str, Any]:
    """The means that publications report for sets of these classes."""
    if truth_labels in _CELEBA:
        rare = [i for i, name in enumerate(names) if name == "background" or name in _UNPUBLISHED]
        mean, n = metrics.mean_defined(scores, without=rare)
        return {"mean_published": _number(mean), "classes_published": n}
    if truth_labels in _HELEN:
        of = dict(zip(names, scores, strict=True))
        parts = {part: metrics.mean_defined([of[name] for name in own])[0] for part, own in _HELEN_PARTS.items()}
        mean, n = metrics.mean_defined(list(parts.values()))
        every = {**parts, "mouth_all": metrics.mean_defined([of[name] for name in _MOUTH])[0]}
        return {"helen": {"mean": _number(mean), "parts": n, **{part: _number(value) for part, value in every.items()}}}
    return {}


def _number(value: Any) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(value) else round(float(value), 6)


@dataclass(frozen=True)
class Evaluation:
    dataset: Path
    faces: str  #: given, detected or scenes
    protocol: str
    truth_labels: str
    groups: dict[str, dict[str, Any]]  #: "all", and each style where there are several
    throughput: dict[str, float | None]
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": str(self.dataset), "faces": self.faces, "protocol": self.protocol, "labels": self.truth_labels,
            "groups": self.groups, "throughput": self.throughput, "notes": self.notes,
        }  # fmt: skip


def evaluate(
    analyzer: Analyzer,
    dataset: str | os.PathLike[str],
    *,
    faces: str = "given",
    protocol: str = "pooled",
    labels: str | None = None,
    side: str | None = None,
    limit: int | None = None,
    tell: Callable[[int, int], None] = lambda done, count: None,
) -> Evaluation:
    """Runs `analyzer` over `dataset`.

    faces     "given": crops by the true landmarks (where there are none: by the bounds of the face's classes). Measures the networks; pixels
              outside the crop do not count. "detected": the whole pipeline; every pixel counts, missed faces too. "scenes": only the detector,
              on scenes of 0 to 5 faces that are put together from the data set (forge_rt.export.recipes.scenes), `limit` of them
    protocol  "pooled": F1 of one histogram over all pixels. "baker": besides, the per-image protocol (metrics.baker_means)
    labels    of masks/ in a folder of images/ and masks/; the model's classes are converted to it
    side      whose left is left in those masks, where they differ from the table of `labels`: "subject" or "viewer"
    """
    if faces not in ("given", "detected", "scenes") or protocol not in ("pooled", "baker"):
        raise InvalidArgumentError(
            f"faces is given, detected or scenes, protocol pooled or baker; got {faces!r} and {protocol!r}"
        )
    if limit is not None and limit < 1:
        raise InvalidArgumentError(f"limit must be at least 1, got {limit}")
    if side not in (None, "subject", "viewer"):
        raise InvalidArgumentError(f"side is subject or viewer, got {side!r}")
    if faces == "scenes":
        return evaluate_scenes(analyzer, dataset, limit=limit, tell=tell)
    dataset = Path(dataset)
    truth_labels, images, count = items(dataset, labels, limit)
    if side is not None and (dataset / "plan.json").exists():
        raise InvalidArgumentError(f"side is for masks of folders; the masks of {dataset} have the subject's left")
    truth_side = side or label_sets.SETS[truth_labels].side
    classes = label_sets.names(truth_labels)
    classes = {i: name for i, name in classes.items() if i != label_sets.SETS[truth_labels].ignore}
    has_parsing = bool(list(analyzer.labels))
    convert = _converter(analyzer.labels, analyzer.side, truth_labels, truth_side) if has_parsing else None
    scores: dict[str, _Scores] = {}
    milliseconds = []
    for done, item in enumerate(images):
        found, took = _look(analyzer, item, truth_labels, faces)
        milliseconds.append(took)
        for name in {"all", item.style or "all"}:
            group = scores.setdefault(name, _Scores(truth_labels, classes))
            group.images += 1
            if convert is not None and item.mask is not None:
                _score_mask(group, analyzer, item, found, convert, faces, protocol)
            _score_faces(group, analyzer, item, found, truth_labels, faces)
        tell(done + 1, count)
    styles = sorted(set(scores) - {"all"})
    kept = ["all", *(styles if len(styles) > 1 else [])]
    report = {name: scores[name].report(protocol, faces == "detected") for name in kept}
    notes = _notes(analyzer, faces, truth_labels)
    if side is not None:
        notes.append(f"left in the masks is the {side}'s")
    if lost := sum(int(group.histogram[:, -1].sum()) for name, group in scores.items() if name == "all"):
        notes.append(f"{lost} pixels were given classes that {truth_labels} ignores; they count as wrong")
    return Evaluation(dataset, faces, protocol, truth_labels, report, _throughput(milliseconds), notes)


def scene_of(samples: Any, k: int) -> Any:
    """Scene k of mode "scenes": 320 x 320, of the pictures as they are."""
    from forge_rt.export.recipes import scenes

    rng = np.random.default_rng([_SCENES, k])
    return scenes.compose(rng, lambda r: samples.read(int(r.integers(len(samples))), depth=False), 320, harsh=False)


def evaluate_scenes(
    analyzer: Analyzer,
    dataset: str | os.PathLike[str],
    *,
    limit: int | None = None,
    tell: Callable[[int, int], None] = lambda done, count: None,
) -> Evaluation:
    """Recall and precision of the detector on scenes of 320 x 320 with 0 to 5 faces of `dataset`, a function of the data set alone.

    Faces count that are at least 12 pixels long and show enough of their box; others are spared: neither wanted nor wrong.
    """
    from forge_rt.export.recipes import scenes
    from forge_rt.export.recipes.samples import Samples

    smallest, shown = scenes.SMALLEST, scenes.SHOWN
    samples = Samples(dataset)
    count = limit or SCENES
    score = _Scores()
    bands = {(side, part): np.zeros(2, int) for side in (24, 32, 48) for part in (shown, 0.25)}
    milliseconds = []
    for k in range(count):
        scene = scene_of(samples, k)
        start = time.perf_counter()
        found = analyzer.detect(scene.image)
        milliseconds.append(1000 * (time.perf_counter() - start))
        longer = np.maximum(scene.boxes[:, 2] - scene.boxes[:, 0], scene.boxes[:, 3] - scene.boxes[:, 1])
        wanted = (longer >= smallest) & (scene.visible >= shown)
        _score_scene(score, scene.boxes[wanted], scene.boxes[~wanted], found)
        boxes, certain = [face.box for face in found], [face.score for face in found]
        for (side, part), tally in bands.items():
            chosen = scene.boxes[(longer >= side) & (scene.visible >= part)]
            tally += np.array([len(metrics.match_boxes(chosen, boxes, certain, OVERLAP)), len(chosen)])
        tell(k + 1, count)
    notes = [
        f"scenes of 320 x 320 pixels with 0 to 5 faces; counted are faces of {smallest:g} pixels and more that show {shown:.0%} of their box; "
        f"{score.spared} others were spared: neither wanted nor wrong",
        *(
            f"recall of faces that show {part:.0%} of their box: "
            + ", ".join(
                f"{100 * a / max(b, 1):.2f} % of {b} from {side} pixels on"
                for (side, of), (a, b) in bands.items()
                if of == part
            )
            for part in (shown, 0.25)
        ),
    ]
    report = {"all": score.report("pooled", True)}
    return Evaluation(Path(dataset), "scenes", "pooled", "forgehead", report, _throughput(milliseconds), notes)


def _score_scene(score: _Scores, wanted: np.ndarray, spared: np.ndarray, found: Sequence[Any]) -> None:
    pairs = metrics.match_boxes(wanted, [face.box for face in found], [face.score for face in found], OVERLAP)
    taken = {j for _, j in pairs}
    rest = [face for j, face in enumerate(found) if j not in taken]
    others = metrics.match_boxes(spared, [face.box for face in rest], [face.score for face in rest], OVERLAP)
    score.images += 1
    score.truths += len(wanted)
    score.matched += len(pairs)
    score.found += len(found) - len(others)
    score.spared += len(spared)


def _throughput(milliseconds: list[float]) -> dict[str, float | None]:
    spent = np.array(milliseconds)
    return {
        "images_per_s": _number(1000 * spent.size / spent.sum()), "ms_p50": _number(np.median(spent)), "ms_p99": _number(np.percentile(spent, 99)),
    }  # fmt: skip


def _look(analyzer: Analyzer, item: Item, truth_labels: str, mode: str) -> tuple[Any, float]:
    """(what was found, milliseconds)."""
    options: dict[str, Any] = {"depth_map": item.depth_m is not None and bool(analyzer.depth_unit)}
    if mode == "given":
        if item.points is not None:
            options["crops"] = [analyzer.crop_of(five_points(item.points))]
        else:
            box = box_of(item, truth_labels)
            options["boxes"] = np.zeros((0, 4)) if box is None else box[None]
    start = time.perf_counter()
    found = analyzer(item.rgb, **options)
    return found, 1000 * (time.perf_counter() - start)


def _score_mask(
    group: _Scores, analyzer: Analyzer, item: Item, found: Any, convert: Callable[[np.ndarray], np.ndarray], mode: str, protocol: str
) -> None:  # fmt: skip
    assert item.mask is not None
    looked = np.zeros(item.mask.shape, bool)
    for face in found.faces:
        looked |= footprint(face.to_crop, analyzer.crop_size, item.mask.shape)
    # where no face is, the mask is 0, whatever class that is in the model's set
    predicted = np.where(looked, convert(np.asarray(found.mask)), _background(group.classes))
    where = looked if mode == "given" else None
    histogram = metrics.confusion(item.mask, predicted, len(group.classes), where, strangers=True)
    group.histogram += histogram
    if protocol == "baker":
        group.per_image.append(np.nan_to_num(metrics.f1(histogram), nan=0.0))


def _score_faces(group: _Scores, analyzer: Analyzer, item: Item, found: Any, truth_labels: str, mode: str) -> None:
    truth = box_of(item, truth_labels)
    truths = np.zeros((0, 4)) if truth is None else truth[None]
    boxes = [face.box for face in found.faces]
    if mode == "given":  # the one face is the one that was asked for
        pairs = [(0, 0)] if boxes and len(truths) else []
    else:
        pairs = metrics.match_boxes(truths, boxes, [face.score for face in found.faces], OVERLAP)
    group.truths += len(truths)
    group.found += len(boxes)
    group.matched += len(pairs)
    face = found.faces[pairs[0][1]] if pairs else None
    if item.points is not None and (face is None or face.landmarks is not None):
        _score_points(group, item, face)
    known = item.depth_m is not None and item.mask is not None
    if known and face is not None and found.depth is not None and found.mask is not None:
        assert item.depth_m is not None and item.mask is not None
        depth = np.asarray(found.depth)
        relative = "relative" in analyzer.depth_unit
        own = _background({label.id: label.name for label in analyzer.labels})
        where = (
            (item.depth_m > 0)
            & (item.mask != _background(label_sets.names(truth_labels)))
            & (np.asarray(found.mask) != own)
        )
        where &= footprint(face.to_crop, analyzer.crop_size, item.mask.shape)
        error, pixels = metrics.masked_l1(item.depth_m - (item.centre_z_m if relative else 0.0), depth, where)
        if pixels:
            group.depth.append((error, pixels))


def _score_points(group: _Scores, item: Item, face: Any) -> None:
    assert item.points is not None
    if face is None:
        group.nme.append(float("nan"))
        return
    points = np.asarray(face.landmarks, np.float64)
    if points.shape != item.points.shape:
        raise UnsupportedError(
            f"the model gives {len(points)} landmarks, the data set has {len(item.points)}: they cannot be compared"
        )
    truth = item.points[None]
    group.nme.append(float(metrics.nme(truth, points[None])[0]))
    for name, which in GROUPS.items():
        value = float(metrics.nme(truth, points[None], which=list(which))[0])
        if not np.isnan(value):
            group.groups[name].append(value)
    if item.visibility is not None and face.visibility is not None:
        seen = item.visibility == 2
        right = (np.asarray(face.visibility) > 0.5) == seen
        group.visible.append((int(right.sum()), right.size, int(seen.sum())))


def _notes(analyzer: Analyzer, mode: str, truth_labels: str) -> list[str]:
    notes = [
        "F1 of pixels inside the crop of the true face only: it measures the network, not the detector"
        if mode == "given"
        else "F1 of all pixels of the frames: a missed face counts as background"
    ]
    own = label_set_of(analyzer.labels) if list(analyzer.labels) else None
    if own is not None and own != truth_labels:
        lost = ", ".join(label_sets.unmapped(own, truth_labels))
        notes.append(
            f"the model's classes were converted from {own} to {truth_labels}{'; without a class of their own there: ' + lost if lost else ''}"
        )
    notes.append("means of F1 leave out the background and classes that are neither there nor predicted")
    if analyzer.depth_unit:
        notes.append(
            f"depth is {analyzer.depth_unit}; errors in metres, over pixels that have a class in truth and prediction"
        )
    return notes


# ---- for people ----


def text(result: Evaluation) -> str:
    """A page for the terminal."""
    lines = [f"{result.dataset} · faces {result.faces} · labels {result.truth_labels}"]
    for name, group in result.groups.items():
        lines += ["", f"{name}: {group['images']} images"]
        if "f1" in group:
            f1 = group["f1"]
            lines.append(
                f"  mean F1 {_percent(f1['mean'])} of {f1['classes']} classes · mean IoU {_percent(f1['mean_iou'])}"
            )
            if "mean_published" in f1:
                lines.append(
                    f"    {_percent(f1['mean_published'])} of the {f1['classes_published']} without {', '.join(_UNPUBLISHED)}, as published"
                )
            if "helen" in f1:
                parts = " · ".join(f"{part} {_percent(f1['helen'][part])}" for part in ("eyes", "brows", "mouth_all"))
                lines.append(
                    f"    as published for Helen: mean {_percent(f1['helen']['mean'])} of {f1['helen']['parts']} parts (sides averaged, without hair, "
                    f"lips not merged) · {parts}"
                )
            rows = [f"{label} {_percent(row['f1'])}" for label, row in f1["of_class"].items() if row["f1"] is not None]
            lines += ["    " + " · ".join(rows[i : i + 6]) for i in range(0, len(rows), 6)]
        if "baker" in group:
            floor, drop = group["baker"]["floor"], group["baker"]["drop"]
            lines.append(
                f"  Baker's protocol: mean {_percent(floor['mean'])} (floor 0.1), {_percent(drop['mean'])} ({drop['classes']} classes, below 0.1 dropped)"
            )
        if "nme" in group:
            nme = group["nme"]
            lines.append(
                f"  NME {_percent(nme['mean'])} % of the inter-ocular distance (median {_percent(nme['median'])}) · n {nme['n']}, missed {nme['missed']} · "
                f"FR@8 % {_percent(nme[f'failure_rate_{THRESHOLD}'])} % · AUC@8 % {_percent(nme[f'auc_{THRESHOLD}'])} %"
            )
            lines.append("    " + " · ".join(f"{part} {_percent(value)}" for part, value in nme["of_group"].items()))
        if "visibility" in group:
            row = group["visibility"]
            lines.append(
                f"  visibility right {_percent(row['accuracy'])} % of {row['n']} points ({_percent(row['share_visible'])} % are visible)"
            )
        if "depth" in group:
            row = group["depth"]
            lines.append(f"  depth L1 {1000 * row['l1_m']:.1f} mm over {row['pixels']} pixels of {row['faces']} faces")
        if "detection" in group:
            row = group["detection"]
            spared = f" · {row['spared']} faces spared" if row["spared"] else ""
            lines.append(
                f"  detection at IoU {row['overlap']}: recall {_percent(row['recall'])} % of {row['faces']} faces · "
                f"precision {_percent(row['precision'])} % of {row['found']} found{spared}"
            )
    speed = result.throughput
    lines += [
        "",
        f"{speed['images_per_s']:.1f} images/s · p50 {speed['ms_p50']:.1f} ms · p99 {speed['ms_p99']:.1f} ms (the analyzer alone)",
    ]
    return "\n".join([*lines, *(f"note: {note}" for note in result.notes)])


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"
