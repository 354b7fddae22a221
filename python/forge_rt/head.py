"""FLAME-format heads: load a model, evaluate a batch, get the mesh and 68 landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from forge_rt import _core
from forge_rt._core import HeadMesh, InvalidArgumentError

__all__ = ["Head", "HeadMesh"]

#: Joints of a FLAME head in file order.
FLAME_JOINTS = ("root", "neck", "jaw", "left_eye", "right_eye")


class Head:
    """A head model: shape, expression and pose in; vertices, landmarks and joints out (metres, head frame).

    Load one with `Head.load(path)`: FLAME's `generic_model.pkl`, the same arrays as `.npz` or `.safetensors`, or a
    `.forge` bundle of family "head". Nothing in a file is ever executed.
    """

    def __init__(
        self,
        *,
        v_template: Any,
        faces: Any,
        shapedirs: Any,
        J_regressor: Any,
        weights: Any,
        parents: Sequence[int],
        n_shape: int,
        posedirs: Any = None,
        static_landmarks: tuple[Any, Any] | None = None,
        dynamic_landmarks: tuple[Any, Any] | None = None,
        contour_sign: int = -1,
        device: str = "cpu",
    ) -> None:
        """Arrays under FLAME's names (shapes: `forge_rt.export.readers.flame.FlameArrays`).

        static_landmarks    (face [51], barycentrics [51, 3])
        dynamic_landmarks   (face [79, 17], barycentrics [79, 17, 3]); with it landmarks are the 68 of iBUG
        contour_sign        -1 as FLAME_PyTorch, +1 as DECA and Next3D's preprocessing (spec/next3d §17.3)
        """
        shapedirs = np.asarray(shapedirs)
        if shapedirs.ndim != 3:
            raise InvalidArgumentError(f"shapedirs must be [V, 3, K], got {list(shapedirs.shape)}")
        static_face, static_weights = static_landmarks or (None, None)
        dynamic_face, dynamic_weights = dynamic_landmarks or (None, None)
        # contour chain: from the neck up to the root
        chain = [1, 0] if len(parents) > 1 else [0]
        self._head = _core.Head(
            v_template=v_template, triangles=faces, shapedirs=shapedirs, posedirs=posedirs, joint_regressor=J_regressor,
            weights=weights, parents=list(parents), n_shape=n_shape, n_expression=shapedirs.shape[2] - n_shape,
            static_face=static_face, static_barycentrics=static_weights, dynamic_face=dynamic_face,
            dynamic_barycentrics=dynamic_weights, contour_chain=chain, contour_sign=contour_sign, device=device,
        )  # fmt: skip

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        static_landmarks: str | Path | None = None,
        dynamic_landmarks: str | Path | None = None,
        n_shape: int | None = None,
        contour_sign: int = -1,
        device: str = "cpu",
    ) -> Head:
        """Reads a model file and, for FLAME's own files, its landmark embeddings (`.pkl` static, `.npy` contour; or DECA's one file, given twice).

        `n_shape`: how many components of shapedirs are shape (default: what the file says, or FLAME's 300 of 400).
        Raises NotFoundError, CorruptFileError or InvalidArgumentError.
        """
        from forge_rt.export.readers import flame

        path = Path(path)
        if path.is_dir():
            tensors = _core.Bundle.open(str(path)).tensors("head.safetensors")
            arrays = flame.from_arrays({k: np.asarray(v) for k, v in tensors.items()}, where=str(path), n_shape=n_shape)
        else:
            arrays = flame.read_model(path, n_shape=n_shape)
        extra = arrays.extra
        static = flame.read_static_landmarks(static_landmarks) if static_landmarks else None
        dynamic = flame.read_dynamic_landmarks(dynamic_landmarks) if dynamic_landmarks else None
        if static is None and "landmark_static_face" in extra:
            static = extra["landmark_static_face"], extra["landmark_static_bary"]
        if dynamic is None and "landmark_dynamic_face" in extra:
            dynamic = extra["landmark_dynamic_face"], extra["landmark_dynamic_bary"]
        return cls(
            v_template=arrays.v_template, faces=arrays.faces, shapedirs=arrays.shapedirs, posedirs=arrays.posedirs,
            J_regressor=arrays.J_regressor, weights=arrays.weights, parents=arrays.parents, n_shape=arrays.n_shape,
            static_landmarks=static, dynamic_landmarks=dynamic, contour_sign=contour_sign, device=device,
        )  # fmt: skip

    @property
    def n_vertices(self) -> int:
        return self._head.vertices

    @property
    def n_joints(self) -> int:
        return self._head.joints

    @property
    def n_shape(self) -> int:
        return self._head.n_shape

    @property
    def n_expression(self) -> int:
        return self._head.n_expression

    @property
    def faces(self) -> np.ndarray:
        """[F, 3] int32, counter-clockwise seen from outside."""
        return self._head.triangles.numpy()

    def evaluate(
        self,
        *,
        shape: Any = None,
        expression: Any = None,
        pose: Any = None,
        global_rotation: Any = None,
        neck: Any = None,
        jaw: Any = None,
        eyes: Any = None,
        translation: Any = None,
    ) -> HeadMesh:
        """Evaluates a batch of B heads; whatever is left out is zero.

        shape [B, <= n_shape] · expression [B, <= n_expression] · translation [B, 3] metres
        pose [B, J, 3], axis-angle radians, joints in file order; or the joints of a FLAME head by name:
        global_rotation [B, 3], neck [B, 3], jaw [B, 3], eyes [B, 6] (left, right). A single head may leave out the axis B.

        Returns a HeadMesh: vertices [B, V, 3], landmarks [B, 68, 3], joints [B, J, 3], rotations [B, J, 3, 3].
        """
        named = {"global_rotation": global_rotation, "neck": neck, "jaw": jaw, "eyes": eyes}
        given = {k: np.atleast_2d(np.asarray(v, np.float32)) for k, v in named.items() if v is not None}
        arrays = {
            k: np.atleast_2d(np.asarray(v, np.float32))
            for k, v in (("shape", shape), ("expression", expression), ("translation", translation))
            if v is not None
        }
        if given:
            if pose is not None:
                raise InvalidArgumentError(f"give either pose or {', '.join(given)}, not both")
            if self.n_joints != len(FLAME_JOINTS):
                raise InvalidArgumentError(
                    f"{', '.join(given)} name joints of a FLAME head; this head has {self.n_joints}: use pose"
                )
            batch = max(a.shape[0] for a in (*given.values(), *arrays.values()))
            full = np.zeros((batch, 5, 3), np.float32)
            for name, first, count in (("global_rotation", 0, 1), ("neck", 1, 1), ("jaw", 2, 1), ("eyes", 3, 2)):
                if name in given:
                    if given[name].shape != (batch, 3 * count):
                        raise InvalidArgumentError(
                            f"{name} must be [{batch}, {3 * count}], got {list(given[name].shape)}"
                        )
                    full[:, first : first + count] = given[name].reshape(batch, count, 3)
            pose = full
        elif pose is not None:
            pose = np.asarray(pose, np.float32)
            pose = pose[None] if pose.ndim == 2 else pose
        return self._head.evaluate(
            shape=arrays.get("shape"),
            expression=arrays.get("expression"),
            pose=pose,
            translation=arrays.get("translation"),
        )
