"""Ground truth for images of a generator, from the mesh that the generator was given (docs/design/synthforge.md).

annotator = MeshAnnotator.for_forge_head(fr.ForgeHead(), alignment, world=world)
truth = annotator.annotate(mesh.vertices, mesh.landmarks, cameras, size=512)
truth.segmentation, truth.depth_m, truth.landmarks
"""

from __future__ import annotations

from forge_rt.annotation.agreement import Acceptance, MeshAgreement
from forge_rt.annotation.annotator import Annotation, MeshAnnotator
from forge_rt.annotation.labels import MeshLabels
from forge_rt.annotation.presets import PRESETS, GeneratorDraw, Preset
from forge_rt.annotation.world import SYNTHFORGE_ALIGNMENT, World

__all__ = [
    "PRESETS",
    "SYNTHFORGE_ALIGNMENT",
    "Acceptance",
    "Annotation",
    "GeneratorDraw",
    "MeshAgreement",
    "MeshAnnotator",
    "MeshLabels",
    "Preset",
    "World",
]
