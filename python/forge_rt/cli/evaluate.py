"""forge-rt evaluate: how good is a face model on a data set?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Bundle of family faces: a path, or an installed name.")
    ],
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET", help="A data set of forge-rt generate, or a folder with images/ and masks/ (8-bit ids)."
        ),
    ],
    protocol: Annotated[str, typer.Option(help="pooled, or baker: per-image F1 besides.")] = "pooled",
    labels: Annotated[
        str | None, typer.Option(metavar="SET", help="Classes of masks/: lapa, celebamask-hq, ...")
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="Whose left is left in masks/: subject or viewer (default: as SET has it).")
    ] = None,
    faces: Annotated[
        str,
        typer.Option(
            help="given: crops by the true landmarks; detected: the whole pipeline; scenes: the detector, on made-up scenes."
        ),
    ] = "given",
    limit: Annotated[int | None, typer.Option(metavar="N", help="Only the first N images.")] = None,
    precision: Annotated[str, typer.Option(help="Variant of the bundle: auto, fp32, fp16, int8.")] = "auto",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="Of one network run (default: the engine's).", min=1)] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write everything to this file.")] = None,
) -> None:
    """Score a face model: F1 per class, landmark error, visibility, depth, detection, throughput; by style where a data set has several."""
    import json as json_module
    import sys

    from forge_rt import NotFoundError, bundles, evaluation
    from forge_rt.face_analyzer import FaceAnalyzer
    from forge_rt.production.files import write_atomically

    if json is not None and not json.absolute().parent.is_dir():  # before the minutes of work
        raise NotFoundError(f"there is no folder {json.absolute().parent} for --json; make it first")
    path = bundles.find(model)
    analyzer = FaceAnalyzer(path, device=device, precision=precision, threads=threads)

    def tell(done: int, count: int) -> None:
        if sys.stderr.isatty() and (done % 20 == 0 or done == count):
            typer.echo(f"\r{done} of {count} images", err=True, nl=done == count)

    result = evaluation.evaluate(
        analyzer, dataset, faces=faces, protocol=protocol, labels=labels, side=side, limit=limit, tell=tell
    )
    used = {
        "name": bundles.name_of(path),
        "sha256": analyzer.hash,
        "precision": analyzer.precision,
        "provider": analyzer.provider,
    }
    typer.echo(f"{used['name']} ({used['precision']} on {used['provider']}) on {evaluation.text(result)}")
    if json is not None:
        document = {"format": "forge_rt evaluation", "model": used, **result.to_json()}
        write_atomically(json, (json_module.dumps(document, indent=1, allow_nan=False) + "\n").encode())
