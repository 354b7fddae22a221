"""`forge-rt bench lbs`: a batch of FLAME-sized heads against batched NumPy.

5,023 vertices, 400 shape and expression components, 5 joints with 36 pose correctives, batch 32, all parameters
non-zero; the model is random (times do not depend on its values). Both contestants start from betas [B, 400] and
axis-angle pose [B, 5, 3] and deliver vertices [B, V, 3] float32.

The peer that the bar names is batched NumPy as it is written: rotations and kinematic chain batched, joints from a basis
with the joint regressor folded in (as ours), one GEMM [B, 436] x [436, 3 V] with all BLAS threads, blended transforms
[B, V, 3, 4] by another, then broadcast skinning. A second peer, `numpy_tuned`, is the fastest form we found: the same
GEMMs, blended transforms stored entry by entry, multiply-adds over contiguous rows into preallocated memory. It is
reported without a bar: its large GEMM alone runs near the peak of the machine. All float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import forge_rt as fr
from forge_rt.bench.harness import Contestant, Run

VERTICES, COMPONENTS, JOINTS, BATCH = 5023, 400, 5, 32
PARENTS = (-1, 0, 1, 1, 1)

#: Bar: how many times faster than the peer.
VS_NUMPY = 3.0
#: Largest error of a coordinate, metres. One chain of 436 float32 multiply-adds onto a coordinate of 0.14 m errs by
#: about sqrt(436) · 2^-24 · 0.14 m = 1.7e-7 m; the largest of half a million coordinates by a few times that.
TOLERANCE_M = 2e-6


@dataclass(frozen=True)
class Model:
    v_template: np.ndarray  #: [V, 3]
    shapedirs: np.ndarray  #: [V, 3, K]
    posedirs: np.ndarray  #: [V, 3, 9 (J - 1)]
    joint_regressor: np.ndarray  #: [J, V]
    weights: np.ndarray  #: [V, J]


def random_model(seed: int = 0) -> Model:
    """A head-sized blob: 0.25 m, components of millimetres that fall off as FLAME's do."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(VERTICES, 3))
    template = direction / np.linalg.norm(direction, axis=1, keepdims=True) * [0.075, 0.125, 0.095]
    strength = 2e-3 / np.sqrt(1.0 + np.arange(COMPONENTS))
    shapedirs = rng.normal(size=(VERTICES, 3, COMPONENTS)) * strength
    posedirs = rng.normal(size=(VERTICES, 3, 9 * (JOINTS - 1))) * 1e-3
    regressor, weights = rng.random((JOINTS, VERTICES)) ** 8, rng.random((VERTICES, JOINTS)) ** 4
    regressor /= regressor.sum(axis=1, keepdims=True)
    weights /= weights.sum(axis=1, keepdims=True)
    return Model(*(a.astype(np.float32) for a in (template, shapedirs, posedirs, regressor, weights)))


class NumpyLbs:
    """The same evaluation in batched NumPy. `dtype` float64 makes it the reference."""

    def __init__(self, model: Model, batch: int, dtype: type[np.floating] = np.float32) -> None:
        basis = np.concatenate([model.shapedirs, model.posedirs], axis=2).astype(dtype)
        self.dtype = dtype
        self.basis = np.ascontiguousarray(basis.transpose(2, 0, 1).reshape(basis.shape[2], -1))  # [K + P, 3 V]
        self.template = model.v_template.astype(dtype).reshape(-1)
        regressor = model.joint_regressor.astype(np.float64)
        self.joint_template = (regressor @ model.v_template).astype(dtype)  # [J, 3]
        joint_basis = np.einsum("jv,vck->kjc", regressor, model.shapedirs.astype(np.float64))
        self.joint_basis = joint_basis.reshape(COMPONENTS, -1).astype(dtype)
        self.weights = model.weights.astype(dtype)
        self.coefficients = np.empty((batch, self.basis.shape[0]), dtype)
        self.shaped = np.empty((batch, self.basis.shape[1]), dtype)
        self.blended = np.empty((batch, 12, VERTICES), dtype)
        self.product = np.empty((batch, VERTICES), dtype)
        self.out = np.empty((batch, VERTICES, 3), dtype)

    def rotations(self, pose: np.ndarray) -> np.ndarray:
        """Rodrigues: [B, J, 3] -> [B, J, 3, 3]."""
        angle = np.sqrt(np.sum(pose * pose, axis=-1) + self.dtype(1e-30))
        x, y, z = np.moveaxis(pose / angle[..., None], -1, 0)
        zero = np.zeros_like(x)
        skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*pose.shape, 3)
        sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
        return np.eye(3, dtype=self.dtype) + sine * skew + (1 - cosine) * (skew @ skew)

    def _shape_and_pose(self, betas: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vertices before skinning [B, V, 3] (one GEMM) and joint transforms [B, J, 3, 4]."""
        batch = len(betas)
        rotation = self.rotations(pose)
        rest = self.joint_template + (betas @ self.joint_basis).reshape(batch, JOINTS, 3)
        world = np.zeros((batch, JOINTS, 3, 4), self.dtype)
        for j, parent in enumerate(PARENTS):
            if parent < 0:
                world[:, j, :, :3], world[:, j, :, 3] = rotation[:, j], rest[:, j]
            else:
                up = world[:, parent]
                world[:, j, :, :3] = up[:, :, :3] @ rotation[:, j]
                world[:, j, :, 3] = (up[:, :, :3] @ (rest[:, j] - rest[:, parent])[..., None])[..., 0] + up[:, :, 3]
        world[..., 3] -= (world[..., :3] @ rest[..., None])[..., 0]

        self.coefficients[:, :COMPONENTS] = betas
        self.coefficients[:, COMPONENTS:] = (rotation[:, 1:] - np.eye(3, dtype=self.dtype)).reshape(batch, -1)
        shaped = np.matmul(self.coefficients, self.basis, out=self.shaped)
        shaped += self.template
        return shaped.reshape(batch, VERTICES, 3), world

    def __call__(self, betas: np.ndarray, pose: np.ndarray) -> np.ndarray:
        v, world = self._shape_and_pose(betas, pose)
        blended = (self.weights @ world.reshape(len(betas), JOINTS, 12)).reshape(len(betas), VERTICES, 3, 4)
        return np.sum(blended[..., :3] * v[:, :, None, :], axis=-1) + blended[..., 3]

    def tuned(self, betas: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """The same; the result is overwritten by the next call."""
        batch = len(betas)
        v, world = self._shape_and_pose(betas, pose)
        # blended transform of each vertex, entries first, so that the sums below run over contiguous rows
        m = np.matmul(world.reshape(batch, JOINTS, 12).transpose(0, 2, 1), self.weights.T, out=self.blended)
        for i in range(3):
            row = m[:, 4 * i + 3]
            for axis in range(3):
                np.multiply(m[:, 4 * i + axis], v[:, :, axis], out=self.product)
                row += self.product
            self.out[:, :, i] = row
        return self.out


def run(run: Run) -> None:
    model = random_model()
    rng = np.random.default_rng(1)
    betas = rng.normal(size=(BATCH, COMPONENTS)).astype(np.float32)
    pose = rng.normal(size=(BATCH, JOINTS, 3)).astype(np.float32) * np.float32(0.3)
    basis = fr.HeadBasis(
        model.v_template, model.shapedirs, model.joint_regressor, model.weights, list(PARENTS), model.posedirs
    )
    peer = NumpyLbs(model, BATCH)
    threads = fr.num_threads()
    pose_features = 9 * (JOINTS - 1)
    run.problem = {
        "vertices": VERTICES, "components": COMPONENTS, "pose_features": pose_features, "joints": JOINTS,
        "batch": BATCH, "precision": "float32",
    }  # fmt: skip

    truth = NumpyLbs(model, BATCH, np.float64)(betas.astype(np.float64), pose.astype(np.float64))
    mine = fr.head_lbs(basis, betas, pose).vertices.numpy()
    note = f"metres, against float64; largest coordinate {np.abs(truth).max():.3f} m"
    run.parity("lbs_error_m", float(np.abs(mine - truth).max()), TOLERANCE_M, note)
    run.parity("lbs_numpy_error_m", float(np.abs(peer(betas, pose) - truth).max()), TOLERANCE_M, note)
    run.parity("lbs_numpy_tuned_error_m", float(np.abs(peer.tuned(betas, pose) - truth).max()), TOLERANCE_M, note)
    run.require_parity()

    run.measure_ceilings(threads)
    flop = BATCH * VERTICES * (2 * 3 * (COMPONENTS + pose_features) + 2 * 12 * JOINTS + 2 * 9)
    work = {f"fp32_flop_per_s_{threads}t": float(flop)}
    timings = run.compare(
        Contestant("forge_rt", "head_lbs", lambda: fr.head_lbs(basis, betas, pose), BATCH, "head", threads, work=work),
        Contestant(
            "numpy", "batched NumPy, all BLAS threads", lambda: peer(betas, pose), BATCH, "head", threads, work=work
        ),
        Contestant(
            "numpy_tuned", "the same, fastest form", lambda: peer.tuned(betas, pose), BATCH, "head", threads, work=work
        ),
        rounds=15,
        warm_up=5,
        pause_s=0.15,
    )
    run.check("lbs_vs_numpy", timings.ratio("numpy", "forge_rt"), ">=", VS_NUMPY)
    run.notes.append(f"against numpy_tuned the ratio is {timings.ratio('numpy_tuned', 'forge_rt'):.2f}")
