"""`forge-rt bench faces`: faces-mini on crops and on 720p frames, against the pipeline people write today.

The peer runs the same two graphs with ONNX Runtime's Python package and does the rest with OpenCV and NumPy, carefully: one batch for all faces of a
frame, blobFromImages, the class of each pixel by a running maximum over resized planes, only where a face is. Its sessions have ONNX Runtime's default settings
(waiting threads spin); with sleeping threads, which few people know to ask for, they are timed beside and noted. Same threads on both sides. Parity first.
Frames are 1280 x 720 with 1, 4 and 16 ForgeHead faces. Absolute bars mean a quiet 2-core EPYC Milan.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import forge_rt as fr
from forge_rt import bundles
from forge_rt.backend import Session
from forge_rt.bench.harness import Contestant, Run
from forge_rt.face_analyzer import FaceAnalyzer, FaceTracker
from forge_rt.forge_head import ForgeHead

SIZE, WIDTH, HEIGHT, SEED = 256, 1280, 720, 4711
CROP_MS, CROP_INT8_MS, FRAME_MS, AROUND_MS = 25.0, 15.0, 33.0, 4.0
NETWORK_SHARE, END_TO_END = 0.95, 1.5
FACES = (1, 4, 16)
MODEL = "faces-mini"


def frame_with(count: int, shift: int = 0) -> np.ndarray:
    """[720, 1280, 3] uint8 BGR: a grid of `count` heads before a soft background; always the same. `shift` moves them to the right."""
    columns = {1: 1, 4: 4, 16: 8}[count]
    rows = count // columns
    side = min(HEIGHT // rows, WIDTH // columns, 560)
    ramp = np.linspace(70, 170, WIDTH, dtype=np.float32)
    frame = np.repeat(np.repeat(ramp[None, :, None], HEIGHT, 0), 3, 2).astype(np.uint8)
    images = ForgeHead().generate(seed=SEED, index=range(count), size=side, camera="portrait")
    rgb, mask = np.asarray(images.rgb), np.asarray(images.segmentation)
    for k in range(count):
        y = (k // columns) * (HEIGHT // rows) + (HEIGHT // rows - side) // 2
        x = (k % columns) * (WIDTH // columns) + (WIDTH // columns - side) // 2 + shift
        part = frame[y : y + side, x : x + side]
        part[mask[k] > 0] = rgb[k][..., ::-1][mask[k] > 0]
    return np.ascontiguousarray(frame)


def problem_bundle(folder: Path) -> Path:
    """faces-mini without its last word on the detector's finds, which the peer does not have either."""
    bundle = bundles.Bundle.open(bundles.find(MODEL))
    fields = {
        k: v for k, v in bundle.manifest.items() if k not in ("format_version", "family", "name", "files", "golden")
    }
    fields["detector"] = {**fields["detector"], "confidence": 0, "threshold": 0.4}
    files = {name: np.asarray(data).tobytes() for name, data in bundle.files.items()}
    bundles.write(folder / f"{MODEL}.forge", "faces", files, fields)
    return folder / f"{MODEL}.forge"


class Peer:
    """ONNX Runtime's Python package, OpenCV and NumPy. [H, W, 3] uint8 BGR → mask, landmarks."""

    def __init__(self, model: Path, threads: int, spin: bool) -> None:
        import onnxruntime

        bundle = bundles.Bundle.open(model)
        self.about: dict[str, Any] = bundle.manifest
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
        detector = self.about["detector"]["variants"]["fp32"]["file"]
        network = self.about["variants"]["fp32"]["stages"][0]["file"]
        self.detector, self.network = (
            onnxruntime.InferenceSession(
                bytes(np.asarray(bundle.files[file])), options, providers=["CPUExecutionProvider"]
            )
            for file in (detector, network)
        )
        self.rule, self.stride = self.about["crop"], self.about["detector"]["stride"]

    def __call__(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.look(frame, self.detect(frame))

    def look(self, frame: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All that follows the detector: `points` [N, 5, 2]."""
        mask = np.zeros(frame.shape[:2], np.uint8)
        if not len(points):
            return mask, np.zeros((0, 68, 2), np.float32)
        matrices = [self.align(p) for p in points]
        crops = [cv2.warpAffine(frame, m, (SIZE, SIZE), flags=cv2.INTER_LINEAR) for m in matrices]
        blob = cv2.dnn.blobFromImages(crops, 1 / 127.5, (SIZE, SIZE), (127.5, 127.5, 127.5), swapRB=True)
        logits, found, _ = self.network.run(["logits", "landmarks", "depth"], {"image": blob})
        landmarks = np.empty((len(points), 68, 2), np.float32)
        for k, matrix in enumerate(matrices):
            back = cv2.invertAffineTransform(matrix)
            landmarks[k] = (found[k, :, :2] * SIZE - 0.5) @ back[:, :2].T + back[:, 2] + 0.5
            self.paint(mask, logits[k], matrix, back)
        return mask, landmarks

    def paint(self, mask: np.ndarray, logits: np.ndarray, matrix: np.ndarray, back: np.ndarray) -> None:
        """Class ids at the crop's size, then back into the frame where the crop was."""
        labels = np.zeros((SIZE, SIZE), np.uint8)
        best = cv2.resize(logits[0], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        for c in range(1, len(logits)):
            plane = cv2.resize(logits[c], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
            cv2.copyTo(np.full_like(labels, c), cv2.compare(plane, best, cv2.CMP_GT), labels)
            cv2.max(plane, best, best)
        corners = np.array([[0, 0], [SIZE, 0], [0, SIZE], [SIZE, SIZE]]) @ back[:, :2].T + back[:, 2]
        left, top = np.maximum(np.floor(corners.min(0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, (mask.shape[1], mask.shape[0]))
        if left >= right or top >= bottom:
            return
        moved = back.copy()
        moved[:, 2] -= (left, top)
        part = cv2.warpAffine(labels, moved, (int(right - left), int(bottom - top)), flags=cv2.INTER_NEAREST)
        np.copyto(mask[top:bottom, left:right], part, where=part > 0)

    def detect(self, frame: np.ndarray) -> np.ndarray:
        """[N, 5, 2] in frame pixels."""
        k = self.about["detector"]["size"] / max(frame.shape[:2])
        small = cv2.resize(frame, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
        height, width = (-(-s // 32) * 32 for s in small.shape[:2])
        padded = cv2.copyMakeBorder(small, 0, height - small.shape[0], 0, width - small.shape[1], cv2.BORDER_CONSTANT)
        blob = cv2.dnn.blobFromImage(padded, 1 / 127.5, (width, height), (127.5, 127.5, 127.5), swapRB=True)
        score, box, points = self.detector.run(["score", "box", "points"], {"image": blob})
        probability = 1 / (1 + np.exp(-score[0, 0]))
        rows, columns = np.nonzero(probability >= self.about["detector"]["threshold"])
        if not len(rows):
            return np.zeros((0, 5, 2), np.float32)
        centre = np.stack([(columns + 0.5) * self.stride, (rows + 0.5) * self.stride], 1)
        sides = self.stride * np.exp(box[0][:, rows, columns].T)
        size = self.stride * np.exp(box[0][:, rows, columns].T.mean(1))
        where = centre[:, None] + points[0][:, rows, columns].T.reshape(-1, 5, 2) * size[:, None, None]
        lefts = np.concatenate([centre - sides[:, :2], sides[:, :2] + sides[:, 2:]], 1)
        keep = cv2.dnn.NMSBoxes(lefts.tolist(), probability[rows, columns].tolist(), 0.0, self.about["detector"]["iou"])
        return (where[np.asarray(keep, int).ravel()] / k).astype(np.float32)

    def align(self, p: np.ndarray) -> np.ndarray:
        """The bundle's rule for five points; OpenCV's pixel centres."""
        rule = self.rule
        eye = (p[0] + p[1]) / 2
        d = (p[3] + p[4]) / 2 - eye
        x = p[1] - p[0] + np.array([d[1], -d[0]])
        x = x / np.hypot(*x)
        k = SIZE / (rule["scale"] * max(rule["eyes"] * np.hypot(*(p[1] - p[0])), rule["mouth"] * np.hypot(*d)))
        turn = k * np.array([[x[0], x[1]], [-x[1], x[0]]])
        return np.column_stack([turn, SIZE / 2 - turn @ (eye + rule["shift"] * d - 0.5) - 0.5])


def run(run: Run) -> None:
    with tempfile.TemporaryDirectory(prefix="forge-rt-bench-") as folder:
        _run(run, problem_bundle(Path(folder)))


def _run(run: Run, model: Path) -> None:
    threads = fr.num_threads()
    cv2.setNumThreads(threads)
    run.problem = {"model": MODEL, "crop": SIZE, "frame": f"{WIDTH} x {HEIGHT}", "faces": list(FACES), "seed": SEED}
    run.measure_ceilings(threads)
    analyzer, quick = FaceAnalyzer(model, threads=threads), FaceAnalyzer(model, precision="int8", threads=threads)
    frames = {n: frame_with(n) for n in FACES}
    try:
        peers = {"spinning": Peer(model, threads, True), "sleeping": Peer(model, threads, False)}
    except ImportError:
        peers = {}
    if peers:
        _parity(run, analyzer, quick, peers["sleeping"], frames)
        run.require_parity()
    _crops(run, analyzer, quick, frames[1], threads)
    if not peers:
        for name, bar in (("network_vs_python", NETWORK_SHARE), *((f"frame_{n}_vs_python", END_TO_END) for n in FACES)):
            run.skip(name, ">=", bar, "the package onnxruntime is not installed")
    else:
        _network(run, peers, threads)
        _frames(run, analyzer, peers, frames, threads)
    _video(run, FaceAnalyzer(MODEL, threads=threads), threads)
    if not fr.cuda_status()["devices"]:
        run.notes.append("no GPU here: batch 1 and 32 with and without graph capture were not measured")


def _parity(run: Run, analyzer: FaceAnalyzer, quick: FaceAnalyzer, peer: Peer, frames: dict[int, np.ndarray]) -> None:
    for n, frame in frames.items():
        ours = analyzer(frame, format="bgr", max_faces=0)
        found = peer.detect(frame)
        run.parity(f"faces_differ_{n}", abs(len(ours.faces) - len(found)), 0, "between the contestants")
        run.parity(f"faces_missed_{n}", abs(len(ours.faces) - n), n // 16, f"{n} are there")
        if len(ours.faces) != len(found):
            continue
        assert ours.mask is not None
        apart = max(
            float(np.abs(found - face.points).mean((1, 2)).min()) / max(face.box[2] - face.box[0], 1.0)
            for face in ours.faces
        )
        run.parity(
            f"points_differ_{n}", apart, 0.02, "share of the face's width; the frames were made smaller by two filters"
        )
        mask, landmarks = peer.look(frame, np.stack([face.points for face in ours.faces]))  # the rest on the same crops
        differ = float(np.not_equal(ours.mask, mask).sum()) / max(float((mask > 0).sum()), 1.0)
        run.parity(
            f"mask_differs_{n}",
            differ,
            0.03,
            "share of face pixels; the peer blends on the crop's grid, we on the frame's",
        )
        worst = 0.0
        for face in ours.faces:
            worst = max(worst, float(np.abs(landmarks - face.landmarks).mean((1, 2)).min()))
        run.parity(f"landmarks_differ_px_{n}", worst, 0.5, "mean over a face's points, worst face")
    crops = [face.to_crop for face in analyzer(frames[4], format="bgr").faces]
    exact, fast = (a(frames[4], format="bgr", crops=crops) for a in (analyzer, quick))
    assert exact.mask is not None and fast.mask is not None
    differ = float(np.not_equal(exact.mask, fast.mask).sum()) / max(float((exact.mask > 0).sum()), 1.0)
    run.parity("int8_mask_differs", differ, 0.05, "share of face pixels, int8 against fp32")
    worst = 0.0
    for one, other in zip(exact.faces, fast.faces, strict=True):
        assert one.landmarks is not None and other.landmarks is not None
        worst = max(worst, float(np.abs(one.landmarks - other.landmarks).mean()))
    run.parity("int8_landmarks_differ_px", worst, 1.0, "the same")


def _crops(run: Run, analyzer: FaceAnalyzer, quick: FaceAnalyzer, frame: np.ndarray, threads: int) -> None:
    face = analyzer(frame, format="bgr").faces[0]
    options: dict[str, Any] = {"format": "bgr", "crops": [face.to_crop], "depth_map": True}
    run.compare(
        Contestant("crop fp32", "one face of a 720p frame to mask, landmarks and depth", lambda: analyzer(frame, **options), 1, "face", threads),
        Contestant("crop int8", "the same, int8", lambda: quick(frame, **options), 1, "face", threads),
    )  # fmt: skip
    fp32, int8 = (row.p50_ms for row in run.rows[-2:])
    run.check("crop_ms", fp32, "<=", CROP_MS, "p50, crop to all outputs in the frame, fp32")
    run.check("crop_int8_ms", int8, "<=", CROP_INT8_MS, "the same, int8")


def _network(run: Run, peers: dict[str, Peer], threads: int) -> None:
    """The same bytes of a graph, inputs and outputs bound on both sides."""
    bundle = bundles.Bundle.open(bundles.find(MODEL))
    file = peers["sleeping"].about["variants"]["fp32"]["stages"][0]["file"]
    session = Session(np.asarray(bundle.files[file]).tobytes(), threads=threads)
    x = np.random.default_rng(SEED).uniform(-1, 1, (1, 3, SIZE, SIZE)).astype(np.float32)
    binding = session.binding()
    binding.bind_input("image", x)
    for output in session.outputs:
        binding.bind_output_device(output.name, "cpu")
    contestants = [Contestant("network, forge_rt", "Session, bound", binding.run, 1, "face", threads)]
    for kind, peer in peers.items():
        bound = peer.network.io_binding()
        bound.bind_cpu_input("image", x)
        for output in session.outputs:
            bound.bind_output(output.name)

        def call(peer: Peer = peer, bound: Any = bound) -> None:
            peer.network.run_with_iobinding(bound)

        contestants.append(
            Contestant(f"network, onnxruntime {kind}", "InferenceSession, bound", call, 1, "face", threads)
        )
    timings = run.compare(*contestants, rounds=11, pause_s=0.01)
    ratio = min(timings.ratio(c.name, "network, forge_rt") for c in contestants[1:])
    run.check(
        "network_vs_python",
        ratio,
        ">=",
        NETWORK_SHARE,
        "time of Python's ONNX Runtime to ours, same graph, its faster setting",
    )


def _frames(
    run: Run, analyzer: FaceAnalyzer, peers: dict[str, Peer], frames: dict[int, np.ndarray], threads: int
) -> None:
    for n, frame in frames.items():

        def with_us(frame: np.ndarray = frame) -> object:
            return analyzer(frame, format="bgr", max_faces=0)

        contestants = [
            Contestant(f"{n} faces, forge_rt", "detect, crop, network, mask, landmarks", with_us, n, "face", threads)
        ]
        for kind, peer in peers.items():

            def with_python(frame: np.ndarray = frame, peer: Peer = peer) -> object:
                return peer(frame)

            contestants.append(
                Contestant(f"{n} faces, Python {kind}", "onnxruntime and OpenCV", with_python, n, "face", threads)
            )
        timings = run.compare(*contestants, rounds=9, turn_s=0.3, pause_s=0.01)
        usual, tuned = (timings.ratio(c.name, contestants[0].name) for c in contestants[1:])
        run.check(f"frame_{n}_vs_python", usual, ">=", END_TO_END, "end to end, 720p, against default settings")
        run.notes.append(f"{n} faces: {tuned:.2f} times as fast as the peer with sleeping threads")


def _video(run: Run, analyzer: FaceAnalyzer, threads: int) -> None:
    """One face that moves, followed from frame to frame."""
    moving = [frame_with(1, shift) for shift in (*range(0, 60, 4), *range(60, 0, -4))]
    tracker = FaceTracker(analyzer)
    clock = 0
    around: list[float] = []

    def update() -> None:
        nonlocal clock
        faces = tracker.update(moving[clock % len(moving)], clock / 30, format="bgr")
        clock += 1
        ms = faces.ms
        around.append(ms["total"] - ms["network"] - ms["detect_network"])

    run.compare(Contestant("720p, one tracked face", "FaceTracker.update", update, 1, "frame", threads), turn_s=0.5)
    run.check("frame_ms", run.rows[-1].p50_ms, "<=", FRAME_MS, "p50: 30 frames a second")
    run.check("frame_around_ms", float(np.median(around)), "<=", AROUND_MS, "of it, all but the networks")
