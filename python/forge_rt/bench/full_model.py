"""What the benchmarks of whole generators share: Next3D at the size of FFHQ-512 with weights from a seed, as definition and as bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import forge_rt as fr

SEED = 4711
#: Of the largest value of a stage, or of 1 (spec/next3d: 5e-4 on planes of 200).
STAGE_ERROR = 1e-5
RENDER_ERROR = 2e-5
IMAGE_ERROR = 2e-4  #: of images of about 1


@dataclass(frozen=True)
class Case:
    """A sample's inputs, and who computes it."""

    model: Any  #: forge_rt.export.models.next3d.Next3D
    mesh: Any
    bundle: Path
    proof: dict[str, Any]  #: of the export
    z: np.ndarray  #: [1, 512]
    cameras: np.ndarray  #: [8, 25]
    vertices: np.ndarray  #: [1, V, 3]
    landmarks: np.ndarray  #: [1, 68, 3]

    def views(self) -> Any:
        """The definition's rasterized head."""
        from forge_rt.export.models.next3d import views

        config = self.model.config
        return views.rasterize_views(
            self.vertices,
            self.landmarks,
            self.mesh,
            config.plane_resolution,
            scale=config.orth_scale,
            shift=config.orth_shift,
        )


def missing() -> str | None:
    """Why this machine cannot run them."""
    try:
        import onnx  # noqa: F401
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        return f'it needs {error.name}: pip install "forge-rt[cpu,export]"'
    if fr.backend.runtime_info() is None:
        return "ONNX Runtime is missing"
    return None


@contextmanager
def full_case(threads: int) -> Iterator[Case]:
    """Makes the model and its bundle, which takes some minutes, 4 GB of memory and 600 MB of disk until the block ends."""
    import torch

    from forge_rt.export.generators import HeadReference, write_generator_bundle
    from forge_rt.export.models.next3d import procedural

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        mesh = procedural.forge_head_mesh()
        model = procedural.procedural_model(SEED, mesh=mesh)
        model.requires_grad_(False)
        with tempfile.TemporaryDirectory(prefix="forge-rt-bench-") as folder:
            path = Path(folder) / "full.forge"
            head = HeadReference.of("forgehead", mesh.faces)
            proof = write_generator_bundle(model, path, mesh=mesh, head=head, threads=threads)
            z = np.random.default_rng(SEED).standard_normal((1, model.config.z_dim)).astype(np.float32)
            cameras = procedural.orbit_labels([-40, -28, -17, -6, 6, 17, 28, 40], model.config)
            vertices, landmarks = procedural.posed_heads(1, SEED)
            yield Case(model, mesh, path, proof, z, cameras, vertices, landmarks)
    finally:
        torch.set_num_threads(before)


def share_of_largest(got: Any, want: Any) -> float:
    """Largest error, in units of the largest value, which counts as 1 at least."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    return float(np.abs(got - want).max() / max(1.0, np.abs(want).max()))
