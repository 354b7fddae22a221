"""Builds the ForgeHead bundle.

python -m forge_rt.export.forgehead.build --out python/forge_rt/assets/forgehead.forge --report
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from .checks import run_gates
from .expressions import ExpressionBuilder, field_displacement
from .hairline import hairlines
from .head import Head
from .landmarks import SurfacePoints, contour_tables, landmark_positions, static_landmarks
from .meshes import build_meshes
from .occlusion import ambient_occlusion
from .parameters import load_table, move_slider, sliders
from .skinning import jaw_share, joint_regressor, pose_correctives, skinning_weights
from .strands import build_strands
from .template import COARSE, Detail
from .unfold import unfolded
from .uv import atlas, bake_semantics
from .write import METRES, to_head_frame, write_bundle

SLIDER_STEP = 0.6  # half step of the central difference


def shape_directions(head: Head, builder: ExpressionBuilder) -> np.ndarray:
    """[V, 3, n_shape] displacement at slider +1, working unit."""
    columns = []
    for slider in sliders():
        column = np.zeros_like(head.rest)
        if slider.change:
            ahead = head.vertices(move_slider(slider, SLIDER_STEP))
            behind = head.vertices(move_slider(slider, -SLIDER_STEP))
            column += (ahead - behind) / (2.0 * SLIDER_STEP)
        if slider.field:
            column += field_displacement(builder, slider.field)
        columns.append(column)
    return np.stack(columns, -1)


def lid_opening_gain(arrays: dict[str, np.ndarray], static_face: np.ndarray, static_bary: np.ndarray) -> list[float]:
    """[n_shape] relative change of the lid opening per slider; a blink of 1 + gain . sliders closes that identity."""
    upper, lower = np.array([26, 27]), np.array([30, 29])  # 43, 44 and 47, 46 counted from landmark 17

    def opening(values: np.ndarray) -> float:
        points = landmark_positions(values, arrays["faces"], static_face, static_bary)
        return float((points[upper] - points[lower])[:, 1].mean())

    neutral = opening(arrays["v_template"].astype(float))
    columns = arrays["shapedirs"][..., : len(sliders())].astype(float)
    return [round(opening(columns[..., k]) / neutral, 4) for k in range(columns.shape[-1])]


def build(folder: Path, detail: Detail, seed: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Writes the bundle; returns its arrays and its description."""
    head = Head(detail, seed)
    jaw = jaw_share(head)
    builder = ExpressionBuilder(head, jaw)
    expressions = builder.all()
    closing_lids = builder.lids((1.0, 1.0), (0.0, 0.0))
    shape = shape_directions(head, builder)
    expression = np.stack([e.displacement for e in expressions], -1)
    columns = unfolded(head, np.concatenate([shape, expression], -1), np.zeros(shape.shape[-1]), detail.unfold_rounds)
    uv, uv_faces = atlas(head)
    surface = SurfacePoints(head)
    static_face, static_bary = static_landmarks(head, surface)
    contour_face, contour_bary = contour_tables(head, surface)
    arrays: dict[str, np.ndarray] = {
        "v_template": to_head_frame(head.rest).astype(np.float32),
        "faces": head.faces,
        "shapedirs": (METRES * columns).astype(np.float16),
        "posedirs": (METRES * pose_correctives(head, closing_lids, jaw)).astype(np.float16),
        "J_regressor": joint_regressor(head).astype(np.float32),
        "weights": skinning_weights(head, jaw).astype(np.float32),
        "parents": np.array(load_table("parts")["parents"], np.int32),
        "uv": uv.astype(np.float32),
        "uv_faces": uv_faces.astype(np.int32),
        "face_part": head.face_part,
        "semantic_uv": bake_semantics(head, uv),
        "landmark_static_face": static_face,
        "landmark_static_bary": static_bary,
        "landmark_dynamic_face": contour_face,
        "landmark_dynamic_bary": contour_bary,
        "mirror": head.mirror,
        "ambient_occlusion": ambient_occlusion(head).astype(np.float16),
    }
    arrays["hairline"] = hairlines(head)
    # x of mirror-symmetric vertices must cancel exactly in float32, too
    arrays["v_template"][head.mirror == np.arange(head.count), 0] = 0.0
    provenance = {
        "made_by": "forge_rt.export.forgehead.build",
        "seed": seed,
        "method": "signed-distance sculpture, feature-curve rings, carried by primitives, Newton projection",
        "slider_half_step": SLIDER_STEP,
        "outside_data": "none",
    }
    blink_gain = lid_opening_gain(arrays, static_face, static_bary)
    described = [{"name": e.name, "about": e.about} for e in expressions]
    return arrays, write_bundle(
        folder, arrays, build_meshes(head), build_strands(head), described, provenance, blink_gain
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="bundle folder, e.g. forgehead.forge")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--coarse", action="store_true", help="low resolution for tests")
    parser.add_argument("--report", action="store_true", help="print sizes and quality gates; exit 1 if one fails")
    options = parser.parse_args()
    start = time.perf_counter()
    arrays, bundle = build(options.out, COARSE if options.coarse else Detail(), options.seed)
    if not options.coarse:
        from forge_rt import golden

        golden.add(options.out)
    seconds = time.perf_counter() - start
    if not options.report:
        return
    size = sum(file["bytes"] for file in bundle["files"].values())
    print(f"vertices {len(arrays['v_template'])}  triangles {len(arrays['faces'])}  "
          f"sliders {bundle['n_shape']}  expressions {bundle['n_expression']}  "
          f"{size / 1e6:.2f} MB  built in {seconds:.1f} s")  # fmt: skip
    results = run_gates(arrays, bundle, options.coarse)
    for name, passed, measured in results:
        print(f"{'ok  ' if passed else 'FAIL'}  {name}: {measured}")
    raise SystemExit(0 if all(passed for _, passed, _ in results) else 1)


if __name__ == "__main__":
    main()
