"""The averaged weights of a run as the bundle that the engine reads.

python -m forge_rt.export.recipes.next3d_mini_bundle --run run --out next3d-mini.forge
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from forge_rt import ForgeHead

from ..generators import About, HeadReference, World, write_generator_bundle
from ..models.next3d import Next3D
from ..models.next3d.views import UvMesh
from . import next3d_mini_report as report
from .next3d_mini import AVERAGE
from .next3d_teacher import CUT_Y_M
from .next3d_teacher_views import BOX_WARP, SCALE, SHIFT, Topology

ABOUT = (
    "next3d-mini draws ForgeHeads: it was taught by our own procedural heads, and no photograph of a person was used."
)
USE = (
    "Meant to run and test the whole of a 3D-aware generator's pipeline, and to show what its data looks like, without anybody's checkpoint. "
    "Its pictures are soft and its people are 43 numbers: train on pictures of ForgeHead itself, or of a generator of your own. "
    "Not meant for identification or for judging people."
)
#: Where the surface is nearest to the mesh that drove it (docs/guides/shapes.md).
SURFACE_LEVEL = 200.0
#: Codes whose mean style truncation goes to.
CODES = 65536


def write(
    run: Path, out: Path, *, head: ForgeHead | None = None, precision: str = "fp16", threads: int = 1
) -> dict[str, Any]:
    """Returns the proof that the graphs are the network."""
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    net = report.load(run / AVERAGE, about["width"])
    head = head or ForgeHead()
    topology = Topology(head)
    set_mean_style(net)
    numbers = run / "report.json"
    provenance = {
        "made_by": "export/recipes/next3d_mini.py",
        "teacher": {"forgehead": head.hash},
        "run": about,
        **({"report": json.loads(numbers.read_text(encoding="utf-8"))} if numbers.is_file() else {}),
    }
    half = BOX_WARP / 2
    return write_generator_bundle(
        net,
        out,
        head=HeadReference.of("forgehead", topology.triangles, len(topology.uv)),
        world=World(SCALE, tuple(x + 0.0 for x in SHIFT)),  # no minus zero
        mesh=UvMesh(topology.triangles, topology.uv_triangles, topology.grid, topology.face_mask),
        precision=precision,
        psi=1.0,  # every code is somebody whom the teacher drew
        surface_level=SURFACE_LEVEL,
        bounds=[(-half, CUT_Y_M * SCALE + SHIFT[1], -half), (half, half, half)],
        about=About("Apache-2.0", ABOUT, USE, provenance),
        threads=threads,
    )


@torch.no_grad()
def set_mean_style(net: Next3D) -> None:
    mapping = net.backbone.mapping
    assert mapping is not None
    z = torch.randn(CODES, net.config.z_dim, generator=torch.Generator().manual_seed(0))
    mapping.w_avg.copy_(net.mapping(z, torch.zeros(CODES, 25))[:, 0].mean(0))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--out", type=Path, required=True, help="folder NAME.forge that is made")
    parser.add_argument("--precision", choices=("fp16", "fp32"), default="fp16", help="of the stored weights")
    args = parser.parse_args(arguments)
    write(args.run, args.out, precision=args.precision)
    size = sum(file.stat().st_size for file in args.out.rglob("*") if file.is_file())
    print(f"{args.out}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
