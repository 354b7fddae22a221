"""forge-rt export: a checkpoint of Next3D or EG3D as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def export(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="next3d or eg3d.")],
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="Official .pkl, .safetensors, or a state dict.")],
    out: Annotated[Path, typer.Option("--out", help="Bundle to write: NAME.forge.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="Configuration as JSON, for a state dict of a model of one's own.")
    ] = None,
    flame: Annotated[
        Path | None, typer.Option("--flame", help="FLAME's generic_model.pkl: checked, and written as NAME-head.forge.")
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="DECA's landmark_embedding.npy, for NAME-head.forge.")
    ] = None,
    alignment: Annotated[
        Path | None,
        typer.Option("--alignment", help="Weights like fixMapMLP01.pth; default: the published map before it."),
    ] = None,
    uv_mask: Annotated[
        Path | None, typer.Option("--uv-mask", help="Picture of the face in the texture, for files without one.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Of the stored weights: fp32 or fp16. Both compute in float32.")
    ] = "fp32",
    blend_planes: Annotated[
        str, typer.Option("--blend-planes", help="Planes that take the mesh: front (released weights) or all.")
    ] = "front",
    conditioning: Annotated[
        str, typer.Option(help="Camera that the latent is mapped with: frontal, or view (SynthForge).")
    ] = "frontal",
    psi: Annotated[float, typer.Option(help="Truncation unless a user says otherwise.")] = 0.7,
    cutoff: Annotated[int | None, typer.Option(help="Styles that it truncates (default: the planes').", min=0)] = None,
    network: Annotated[str, typer.Option(help="Network of an official file.")] = "G_ema",
    licence: Annotated[str | None, typer.Option(help="What the bundle says about its licence.")] = None,
    threads: Annotated[int, typer.Option(help="Of the comparison.", min=1)] = 2,
) -> None:
    r"""Export a generator as a bundle, every stage compared with its PyTorch definition.

    Nothing in a checkpoint is ever executed. The bundle is written only when every stage and the whole equal the definition on random
    inputs. Needs the extra: pip install "forge-rt\[cpu,export]".
    """
    from forge_rt import UnsupportedError, backend

    try:
        from forge_rt.export.generators import convert
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f'exporting needs the package {error.name}; install it with: pip install "forge-rt[cpu,export]"'
        ) from error
    backend.runtime_info()
    options = convert.Options(
        config=config, network=network, flame=flame, landmarks=landmarks, alignment=alignment, uv_mask=uv_mask, precision=precision,
        blend_planes=blend_planes, conditioning=conditioning, psi=psi, cutoff=cutoff, licence=licence or convert.LICENCE, threads=threads,
    )  # fmt: skip

    def began(model: Any) -> None:
        size, parameters = model.superresolution.resolution, sum(p.numel() for p in model.parameters())
        typer.echo(
            f"{checkpoint.name}: {kind}, {parameters:,} parameters, pictures of {size}²; weights stored as {precision}, "
            f"computing in fp32; compared with PyTorch on the CPU, {threads} {'thread' if threads == 1 else 'threads'}"
        )

    made = convert.export_checkpoint(kind, checkpoint, out, options, began=began, tell=_tell)
    if made.head is not None:
        typer.echo(f"{made.head}: the head, for your own use")
    typer.echo(f"{made.bundle}: use it by its path, or put its folder into FORGE_RT_MODELS")


def _tell(where: str, rows: dict[str, dict[str, Any]]) -> None:
    for name, row in rows.items():
        held = "max" if "max_abs_bar" in row else "mean"
        low, high = row["range"]
        typer.echo(
            f"{where:22} {name:9} {held:4} error {row[f'{held}_abs']:.2e} <= {row[f'{held}_abs_bar']:.2e}, values {low:.3g}..{high:.3g}"
        )
