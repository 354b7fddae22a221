"""forge-rt train: the small networks that come with the engine, on data of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def train(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="faces-mini or detect-mini.")],
    data: Annotated[
        list[Path],
        typer.Option("--data", help="Finished data set of forge-rt generate (layout shards); may be repeated."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for checkpoints, curve.csv and the bundle.")],
    steps: Annotated[int | None, typer.Option(help="Of the optimizer (default: the recipe's).", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.", min=0)] = 0,
    batch: Annotated[int, typer.Option(help="Images of one step.", min=1)] = 24,
    workers: Annotated[int, typer.Option(help="Processes that make batches.", min=0)] = 1,
    start: Annotated[
        Path | None,
        typer.Option("--start", help="Begin with these weights (average.pt of another run) instead of random ones."),
    ] = None,
    detector: Annotated[
        str | None, typer.Option("--detector", help="faces-mini: bundle whose detector goes into the new one.")
    ] = None,
    no_bundle: Annotated[bool, typer.Option("--no-bundle", help="Only train.")] = False,
) -> None:
    r"""Train a network on ForgeHead data and write it as a bundle: OUT/NETWORK.forge.

    Called again with the same --out it goes on where it stopped, also after its end with a larger --steps (raise them before the last
    third of a run: there the learning rate falls). Every batch is a function of (seed, step), so a resumed run sees what an
    uninterrupted one would. Needs the extra: pip install "forge-rt\[cpu,export]".
    """
    from forge_rt import InvalidArgumentError, UnsupportedError, backend

    if network not in ("faces-mini", "detect-mini"):
        raise InvalidArgumentError(f"NETWORK must be faces-mini or detect-mini, got {network!r}")
    if network == "detect-mini" and detector is not None:
        raise InvalidArgumentError("--detector goes with faces-mini: it says which detector its bundle shall hold")
    try:
        from forge_rt.export.recipes import bundles, detect_mini, faces_mini
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f'training needs the package {error.name}; install it with: pip install "forge-rt[cpu,export]"'
        ) from error
    if not no_bundle:  # everything that the end needs, before the hours in between
        backend.runtime_info()
        if detector is not None:
            bundles.check_detector(detector)
    recipe = faces_mini if network == "faces-mini" else detect_mini
    trained = recipe.train(data, out, steps=steps or recipe.STEPS, seed=seed, batch=batch, workers=workers, start=start)
    if no_bundle:
        return
    path = out / f"{network}.forge"
    if network == "faces-mini":
        bundles.write_faces(trained.average.module, path, data, seed=seed, steps=trained.steps, detector=detector)
    else:
        bundles.write_detector(trained.average.module, path, data, seed=seed, steps=trained.steps)
    typer.echo(f"{path}: use it by its path, or put its folder into FORGE_RT_MODELS")
