"""The landmark detector that `Acceptance` asks: networks of a bundle (faces-mini) on generated pictures.

>>> detector = LandmarkDetector("faces-mini")
>>> Acceptance().reasons(score, landmarks=truth.landmarks, images=view.rgb8(), detector=detector)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forge_rt import _core, bundles
from forge_rt._core import InvalidArgumentError, UnsupportedError

_POINTS = 68


@dataclass(frozen=True)
class DetectorFiles:
    """Which bundles a detector is made of; nothing is loaded yet."""

    name: str  #: as in records
    hash: str  #: SHA-256 of what decides its points
    faces: Path
    detect: Path | None  #: None: `faces` has a detector of its own
    licences: dict[str, str]

    @classmethod
    def find(cls, names: str) -> DetectorFiles:
        """`names`: a bundle of family faces, or that and one of family detector to find the faces with, joined by a comma: names or paths.

        Raises NotFoundError, CorruptFileError, or UnsupportedError for a bundle that cannot be asked for 68 landmarks.
        """
        first, *others = [name.strip() for name in names.split(",")]
        if not first or len(others) > 1 or "" in others:
            raise InvalidArgumentError(
                f"a detector must be one bundle, or two joined by a comma (landmarks, faces), got {names!r}"
            )
        faces = bundles.info(bundles.find(first))
        if faces.family != "faces" or "landmarks" not in faces.manifest.get("outputs", {}):
            raise UnsupportedError(
                f"{first} of family {faces.family!r} has no landmarks; a detector is a bundle of family faces, e.g. faces-mini"
            )
        if not others:
            if not isinstance(faces.manifest.get("detector"), dict):
                raise UnsupportedError(
                    f"{first} has no detector of its own; name one after a comma, e.g. {first},detect-mini"
                )
            return cls(faces.name, faces.hash, faces.path, None, {f"detector {faces.name}": faces.licence})
        detect = bundles.info(bundles.find(others[0]))
        if not isinstance(detect.manifest.get("detector"), dict):
            raise UnsupportedError(f"{others[0]} of family {detect.family!r} finds no faces; e.g. detect-mini does")
        return cls(
            f"{faces.name},{detect.name}", _core.sha256(f"{faces.hash} {detect.hash}".encode()), faces.path, detect.path,
            {f"detector {about.name}": about.licence for about in (faces, detect)},
        )  # fmt: skip


class LandmarkDetector:
    """The 68 points of the surest face of a picture. Pictures go through the networks one by one, so that points never depend on a batch."""

    def __init__(self, names: str | DetectorFiles = "faces-mini", device: str = "cpu") -> None:
        """`names` as in `DetectorFiles.find`. Raises like it, and UnsupportedError for a network of other than 68 landmarks."""
        from forge_rt.face_analyzer import FaceAnalyzer

        self.files = DetectorFiles.find(names) if isinstance(names, str) else names
        # parsing says whether what was found is a face
        self._analyzer = FaceAnalyzer(self.files.faces, device, detector=self.files.detect, depth=False, batch=1)
        if self._analyzer.landmark_count != _POINTS:
            raise UnsupportedError(
                f"{self.files.name} has {self._analyzer.landmark_count} landmarks; a detector needs the {_POINTS} of iBUG"
            )

    def __call__(self, image: np.ndarray) -> np.ndarray | None:
        """[S, S, 3] uint8 RGB → [68, 2] float32 pixels, None where there is no face."""
        return self.many([image])[0]

    def many(self, images: Iterable[np.ndarray]) -> list[np.ndarray | None]:
        found = self._analyzer.analyze(images, mask=False, max_faces=1)
        return [picture.faces[0].landmarks if picture.faces else None for picture in found]
