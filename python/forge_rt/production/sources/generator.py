"""A generator (Next3D) driven by a head as a source: who is drawn, how the head is posed, and what its mesh says about the picture."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forge_rt import _core, bundles, labels
from forge_rt._core import CorruptFileError, ForgeError, InvalidArgumentError, UnsupportedError
from forge_rt.annotation import PRESETS, Acceptance, MeshAnnotator, World
from forge_rt.annotation.agreement import MeshAgreement
from forge_rt.annotation.detector import DetectorFiles, LandmarkDetector
from forge_rt.backend import runtime_info
from forge_rt.forge_head import FaceBatch
from forge_rt.generator import Generator
from forge_rt.production.plan import Plan
from forge_rt.production.sources.base import Renderer, SampleDraw, Source
from forge_rt.production.sources.generator_heads import Driver, open_driver

if TYPE_CHECKING:
    from forge_rt.annotation.presets import GeneratorDraw
    from forge_rt.production.samples import Sample

#: SynthForge renders the volume's depth at twice the features' resolution
_DEPTH_FACTOR = 2
#: colours that weigh less are left out: 1.9e-4 of a feature at most with 96 samples a ray (docs/design/volume_render.md)
_SKIP_WEIGHT = 1e-6
#: pixels of the pictures that distances from a detector are given for
_DETECTOR_SIZE = Acceptance.detector_size


@dataclass(frozen=True)
class GeneratedBatch(FaceBatch):
    """A FaceBatch of a generator. Labels, depth and normals are the mesh's: the bare head, without hair and shoulders."""

    volume_depth_m: np.ndarray | None = (
        None  #: [B, D, D] float32: camera z of what the volume shows, metres, 0 = nothing
    )
    fit: np.ndarray | None = None  #: [B, 6] float64, columns as `FIT`
    mask_colors: np.ndarray | None = None  #: [B, H, W, 3] uint8: mask in the published colours
    depth8: np.ndarray | None = None  #: [B, D, D] uint8: the published depth
    #: [B, 68, 2] float32 pixels: the detector's points, NaN where it found no face or was not asked
    detected: np.ndarray | None = None
    detected_px: np.ndarray | None = None  #: [B] float64: their mean distance from the landmarks, pixels of 512


#: columns of GeneratedBatch.fit (`forge_rt.annotation.MeshAgreement`)
FIT = ("depth_m", "depth_all_m", "missing", "iou", "landmark_m", "score")


@dataclass(frozen=True)
class Label:
    id: int
    name: str
    color: tuple[int, int, int]
    mirror: int


class GeneratorSource(Source):
    truth = (
        "They come from the mesh that the generator was given, seen by the image's camera: the bare head. What the generator adds to it, above all "
        "hair and shoulders, has no mesh: there labels show the scalp beneath, or background."
    )
    agreement_is = "how well the mesh lies on the generator's volume: its share with volume behind, times 10 mm / (10 mm + what is between them)"

    def __init__(self, plan: Plan) -> None:
        path = bundles.find(plan.model)
        about = bundles.info(path)
        if about.family != "next3d":
            raise UnsupportedError(
                f"--model {plan.model} is a bundle of family {about.family!r}; generate takes forgehead and bundles of family next3d"
                + (" (EG3D has no head: no labels could be made)" if about.family == "eg3d" else "")
            )
        self._path, self._options = path, plan.options()
        self.name, self.licence = about.name, about.licence
        self.about = str(about.manifest.get("about", ""))
        try:
            self._read(about.manifest["generator"])
        except ForgeError:  # of the head, of options
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptFileError(
                f"{path}/bundle.json: generator is not what a bundle of family next3d holds: {type(error).__name__} {error}"
            ) from error
        self.parts = self.driver.parts
        self.detector: DetectorFiles | None = None
        if self._options.detector is not None:
            self.detector = DetectorFiles.find(self._options.detector)
            self.detector_hash = self.detector.hash
            self.parts = {**self.parts, **self.detector.licences}
            self.truth = (
                f"{self.truth} Pictures in which {self.detector.name} finds no face, or one whose landmarks lie more than "
                f"{self._options.detector_px:g} pixels of 512 from the mesh's in the mean, were drawn again."
            )
        self.hash = _core.sha256(f"{about.hash} {self.driver.hash}".encode())
        self.labels = _labels(self.annotator)
        self.expressions = self.driver.expressions

    def _read(self, entry: dict[str, Any]) -> None:
        path = self._path
        self.world = World.of(entry["world"])
        alignment = self.world.matrix if entry.get("alignment") is None else np.array(entry["alignment"], np.float64)
        self.driver: Driver = open_driver(path, entry.get("head") or {"family": None}, self._options)
        half = 0.5 * float(entry["config"]["rendering"]["box_warp"])
        bounds = entry.get("bounds") or [[-half] * 3, [half] * 3]
        #: judges the fit, whatever quirks labels are asked for with; surface that the generator cannot show is cut away
        self.judge: MeshAnnotator = self.driver.annotator(alignment, world=self.world, bounds=bounds)
        published = self._options.annotation == "compat"  # published masks show all of the mesh
        self.annotator = self.driver.annotator(alignment, world=self.world, mode="compat") if published else self.judge
        rendering = entry["config"]["rendering"]
        x, y, z = (float(v) for v in rendering["avg_camera_pivot"])
        self.radius, self.pivot = float(rendering["avg_camera_radius"]), (x, y, z)
        start = rendering["ray_start"]
        #: camera z in metres where rays begin; nearer surface is cut open
        self.near_m = 0.0 if start == "auto" else float(start) / self.world.scale
        self.num_ws = int(entry["sizes"]["num_ws"])
        self.image_size = int(entry["sizes"]["image"])
        self.z_dim = int(entry["config"]["z_dim"])

    def check(self, plan: Plan) -> None:
        def no(name: str, what: str) -> None:
            raise InvalidArgumentError(f"{name} {what} with model {self.name}")

        if plan.size != self.image_size:
            raise InvalidArgumentError(f"size must be {self.image_size}, the picture of {self.name}, got {plan.size}")
        if plan.style != "studio":
            no("style", "has no meaning")
        if strange := sorted(set(plan.extras) - {"normals", "volume_depth"}):
            no(f"extra {strange[0]!r}", "does not exist")
        options = plan.options()
        if plan.supersample != Plan(count=1).supersample:
            no("supersample", "has no meaning")
        if options.cutoff is not None and options.cutoff > self.num_ws:
            raise InvalidArgumentError(
                f"cutoff must be at most {self.num_ws}, the styles of {self.name}, got {options.cutoff}"
            )
        self.driver.check(options)
        self.preset(plan)
        self.open_detector("cpu")  # another number of landmarks shows only now

    def preset(self, plan: Plan) -> Any:
        name = plan.options().preset or self.driver.preset
        names = [n for n in PRESETS if self.driver.head.forge_head is not None or n != "next3d-mini"]
        if name not in names:
            raise InvalidArgumentError(f"preset must be one of {', '.join(names)} with model {self.name}, got {name!r}")
        return dataclasses.replace(PRESETS[name], radius=self.radius, pivot=self.pivot)

    def sampler(self, plan: Plan) -> Any:
        """Draws of `forge_rt.annotation.presets`; cameras are the plan's where it names some."""
        own = None if plan.camera is None else plan.cameras()["studio"]
        return self.preset(plan).sampler(
            z_dim=self.z_dim,
            world=self.world,
            head=self.driver.head.forge_head,
            views=plan.views,
            size=plan.size,
            camera=own,
        )

    def generator(self, device: str) -> Generator:
        return Generator(self._path, device)

    def open_detector(self, device: str) -> LandmarkDetector | None:
        return None if self.detector is None else LandmarkDetector(self.detector, device)

    def renderer(self, plan: Plan, device: str) -> Renderer:
        return _Renderer(self, plan, device)

    # ---- records ----

    def parameters(self, sample: Sample) -> dict[str, Any]:
        return self.driver.parameters(sample.latent)

    def attributes(self, sample: Sample, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"style": sample.style, **self.driver.attributes(parameters)}

    def attribute_kinds(self) -> dict[str, type]:
        return self.driver.attribute_kinds()

    def expression(self, sample: Sample) -> list[float]:
        return self.driver.expression(sample.latent)

    def agreement(self, sample: Sample) -> float:
        assert sample.fit is not None
        return float(sample.fit[FIT.index("score")])

    def made_with(self) -> dict[str, str]:
        return {"onnxruntime": runtime_info().version}

    def generator_world(self) -> tuple[float, Sequence[float]]:
        return self.world.scale, self.world.shift

    def record(self, sample: Sample) -> dict[str, Any]:
        assert sample.fit is not None
        fit = {name: None if v != v else round(float(v), 6) for name, v in zip(FIT, sample.fit, strict=True)}
        options = self._options
        judge: dict[str, Any] = {}
        if self.detector is not None:
            judge = {"detector": {"name": self.detector.name, "sha256": self.detector.hash}}
            fit["detector_px"] = _distance(sample)
        return {
            "generator": {
                "z": [float(v) for v in sample.latent.z],
                "psi": options.psi, "cutoff": options.cutoff, "conditioning": options.conditioning,
                "annotation": options.annotation, "fit": fit, **judge,
            }
        }  # fmt: skip

    def published_pictures(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        assert sample.mask_colors is not None and sample.depth8 is not None
        return sample.mask_colors, sample.depth8

    def published_parameters(self, sample: Sample) -> dict[str, Any]:
        out = {"z": [float(v) for v in sample.latent.z], **self.driver.published_parameters(sample.latent)}
        distance = _distance(sample)
        if distance is not None:
            assert sample.detected is not None
            out["fan_kps"] = [[round(float(x), 4), round(float(y), 4)] for x, y in sample.detected]
            in_picture = distance * self.image_size / _DETECTOR_SIZE  # pixels as the points'
            out["mse"] = round(in_picture, 6)
        return out


def _distance(sample: Sample) -> float | None:
    """To the detector's points in pixels of 512; None where there are none."""
    off = sample.detected_px
    return None if off is None or off != off else round(float(off), 6)


def _labels(annotator: MeshAnnotator) -> list[Label]:
    own = annotator.labels
    ids = own.ids
    return [
        Label(i, name, tuple(int(c) for c in own.colors[i]), ids.get(labels._other_side(name), i))  # type: ignore[arg-type]
        for i, name in sorted(own.names.items())
    ]


class _Renderer(Renderer):
    def __init__(self, source: GeneratorSource, plan: Plan, device: str) -> None:
        self._source, self._plan = source, plan
        self._sampler = source.sampler(plan)
        self._generator = source.generator(device)
        options = plan.options()
        self._styles: dict[str, Any] = {"psi": options.psi, "cutoff": options.cutoff}
        self._conditioning = options.conditioning or self._generator.info.conditioning
        self._score = options.min_agreement
        self._rule = Acceptance(detector_px=options.detector_px)
        self._detector = source.open_detector(device)
        self._volume = "volume_depth" in plan.extras or plan.layout == "synthforge"
        self._heads: dict[tuple[int, int], Any] = {}  #: the person of the last batch, if it showed only one

    def draw(self, index: int, attempt: int) -> SampleDraw:
        person = self._sampler.draw(self._plan.seed, index, attempt)
        return SampleDraw(person.camera, person.face, "studio", _Latent(index, attempt, person))

    def batch(self, drawn: Sequence[SampleDraw]) -> GeneratedBatch:
        """Where people have several views each is made by itself: the last one may go on in the next batch, and is then kept."""
        if self._plan.views == 1 or self._conditioning == "view":
            made = self._together(drawn)
        else:
            made = _joined([self._together(list(members)) for _, members in itertools.groupby(drawn, self._key)])
        return made if self._detector is None else self._detected(made, self._detector)

    def _together(self, drawn: Sequence[SampleDraw]) -> GeneratedBatch:
        people: list[GeneratorDraw] = [d.latent.person for d in drawn]
        cameras = np.stack([p.label25 for p in people])
        rows, vertices, landmarks = self._meshes(drawn)
        head, head_rows = self._posed(drawn, cameras, rows, vertices, landmarks)
        view = self._generator.view(
            head, cameras.astype(np.float32), rows=head_rows, randomness="seeded", seed=self._plan.seed,
            index=np.array([d.latent.index for d in drawn], np.uint64), skip_weight=_SKIP_WEIGHT,
        )  # fmt: skip
        deep = self._deep(head, cameras, head_rows, drawn) if self._volume else view
        truth: Any = self._source.annotator.annotate(
            vertices[rows], landmarks[rows], cameras, self._plan.size, normals="normals" in self._plan.extras,
            ray_depth=np.asarray(deep.depth) if self._volume else None,
        )  # fmt: skip
        fit = self._source.judge.agreement(vertices[rows], landmarks[rows], cameras, view.depth_m, view.weight)
        colors, depth8 = self._published(truth, deep) if self._plan.layout == "synthforge" else (None, None)
        return GeneratedBatch(
            rgb=view.rgb8(), segmentation=truth.segmentation, depth_m=truth.depth_m, normals=truth.normals,
            soft_labels=None, layers=None, uv=None, landmarks=truth.landmarks, visibility=truth.visibility,
            landmarks_camera_m=truth.landmarks_camera_m, landmarks_head_m=truth.landmarks_head_m,
            faces=tuple(d.face for d in drawn if d.face is not None), camera=tuple(d.camera for d in drawn),
            volume_depth_m=_volume_depth(deep) if self._volume else None,
            fit=np.stack([getattr(fit, name) for name in FIT], 1), mask_colors=colors, depth8=depth8,
        )  # fmt: skip

    def refusal(self, batch: FaceBatch, k: int) -> str | None:
        assert isinstance(batch, GeneratedBatch)
        reason = self._mesh_refusal(batch, k)
        if reason is not None or batch.detected_px is None:
            return reason
        return self._rule.of_distance(float(batch.detected_px[k]))

    def _mesh_refusal(self, batch: GeneratedBatch, k: int) -> str | None:
        assert batch.fit is not None
        visibility = np.asarray(batch.visibility)[k]
        visible, need = int((visibility == 2).sum()), self._plan.min_visible * visibility.size
        if visible < need:
            return f"{visible} of {visibility.size} landmarks are visible, {need:.0f} are needed"
        depth = np.asarray(batch.depth_m)[k]
        nearest = float(depth.min(where=depth > 0, initial=np.inf))
        if nearest < self._source.near_m:
            return f"the mesh comes as near as {nearest:.3f} m, the generator draws from {self._source.near_m:.3f} m on"
        row = batch.fit[k]
        if self._score is not None:
            score = row[FIT.index("score")]
            return None if score >= self._score else f"agreement {score:.3f}, {self._score:g} is needed"
        (reason,) = self._rule.reasons(MeshAgreement(**{name: row[c : c + 1] for c, name in enumerate(FIT)}))
        return reason

    # ---- pieces ----

    def _detected(self, batch: GeneratedBatch, detector: LandmarkDetector) -> GeneratedBatch:
        """With the detector's points of the pictures that nothing else refuses."""
        asked = [k for k in range(len(batch)) if self._mesh_refusal(batch, k) is None]
        landmarks, pictures = np.asarray(batch.landmarks), np.asarray(batch.rgb)
        points, off = np.full(landmarks.shape, np.nan, np.float32), np.full(len(batch), np.nan)
        for k, found in zip(asked, detector.many([pictures[k] for k in asked]), strict=True):
            off[k] = self._rule.distance_px(found, landmarks[k], self._plan.size)
            points[k] = np.nan if found is None else found
        return dataclasses.replace(batch, detected=points, detected_px=off)

    def _key(self, d: SampleDraw) -> tuple[int, int]:
        """Whoever has the same key is the same person with the same expression."""
        views = self._plan.views
        return (d.latent.index // views, 0) if views > 1 else (d.latent.index, d.latent.attempt)

    def _meshes(self, drawn: Sequence[SampleDraw]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which person each sample is [B], and meshes and landmarks of the persons."""
        order: dict[tuple[int, int], int] = {}
        first: list[GeneratorDraw] = []
        rows = []
        for d in drawn:
            key = self._key(d)
            if key not in order:
                order[key] = len(first)
                first.append(d.latent.person)
            rows.append(order[key])
        vertices, landmarks = self._source.driver.head.mesh(first)
        return np.array(rows, np.int32), vertices, landmarks

    def _posed(
        self,
        drawn: Sequence[SampleDraw],
        cameras: np.ndarray,
        rows: np.ndarray,
        vertices: np.ndarray,
        landmarks: np.ndarray,
    ) -> tuple[Any, np.ndarray]:
        """Planes of the persons, each made once however many views follow; with the rendered camera as condition, of each sample."""
        z = np.stack([d.latent.person.z for d in drawn])
        if self._conditioning == "view":
            identity = self._generator.identity(z, cameras.astype(np.float32), **self._styles)
            head = self._generator.expression(identity, vertices[rows], landmarks[rows], mouth_box="clamp")
            return head, np.arange(len(drawn), dtype=np.int32)
        first = [rows.tolist().index(row) for row in range(len(vertices))]
        if len(vertices) > 1:
            return self._planes(z[first], vertices, landmarks), rows
        key = self._key(drawn[0])
        if key not in self._heads:
            self._heads = {key: self._planes(z[:1], vertices, landmarks)}  # the next batch may show the same person
        return self._heads[key], rows

    def _deep(self, head: Any, cameras: np.ndarray, rows: np.ndarray, drawn: Sequence[SampleDraw]) -> Any:
        """Depth at twice the features' resolution, a rendering of its own: what records say does not depend on who asks for it."""
        return self._generator.view(
            head, cameras.astype(np.float32), rows=rows, randomness="seeded", seed=self._plan.seed ^ 1 << 63,
            index=np.array([d.latent.index for d in drawn], np.uint64), resolution=_DEPTH_FACTOR * self._generator.info.resolution,
            depth_only=True,
        )  # fmt: skip

    def _planes(self, z: np.ndarray, vertices: np.ndarray, landmarks: np.ndarray) -> Any:
        info = self._generator.info
        frontal = (
            info.frontal if info.conditioning == "view" else None
        )  # a model of SynthForge's, asked for the other way
        return self._generator.expression(
            self._generator.identity(z, frontal, **self._styles), vertices, landmarks, mouth_box="clamp"
        )  # one strange mouth must not end a run

    def _published(self, truth: Any, view: Any) -> tuple[np.ndarray, np.ndarray]:
        from forge_rt.annotation.compat import depth_bytes

        colors = truth.colors if truth.colors is not None else self._source.annotator.labels.colors[truth.segmentation]
        depth = truth.depth8 if truth.depth8 is not None else depth_bytes(np.asarray(view.depth))[0]
        return colors, depth


@dataclass(frozen=True)
class _Latent:
    index: int
    attempt: int
    person: Any

    @property
    def z(self) -> np.ndarray:
        return self.person.z


def _joined(parts: list[GeneratedBatch]) -> GeneratedBatch:
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {}
    for field in dataclasses.fields(GeneratedBatch):
        values = [getattr(part, field.name) for part in parts]
        if isinstance(values[0], tuple):
            joined[field.name] = tuple(v for value in values for v in value)
        else:
            joined[field.name] = None if values[0] is None else np.concatenate([np.asarray(v) for v in values])
    return GeneratedBatch(**joined)


def _volume_depth(view: Any) -> np.ndarray:
    """[M, D, D] metres; 0 where the volume is mostly empty."""
    depth, weight = np.asarray(view.depth_m)[:, 0], np.asarray(view.weight)[:, 0]
    return np.where(weight >= 0.5, depth, np.float32(0))
