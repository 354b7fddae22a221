"""forge-rt generate: writes an annotated data set, or goes on with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from forge_rt.production import Progress

app = typer.Typer(pretty_exceptions_enable=False)

#: options that belong to the plan; the others say how to work
_PLAN = (
    "count",
    "seed",
    "model",
    "style",
    "views",
    "size",
    "camera",
    "layout",
    "shard_size",
    "rgb",
    "depth",
    "extras",
    "supersample",
    "min_visible",
    "generator",
)
#: options of generator models, held together in the plan
_GENERATOR = (
    "preset", "psi", "cutoff", "conditioning", "annotation", "head", "head_landmarks", "head_labels", "min_agreement", "detector", "detector_px",
)  # fmt: skip
_WORK = ("out", "threads", "batch", "device", "workers", "resume", "repair", "check", "json", "quiet")


@app.command()
def generate(
    out: Annotated[Path | None, typer.Option("--out", help="New or empty folder for the data set.")] = None,
    count: Annotated[int | None, typer.Option("--count", help="Number of images.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Run seed (0); image i is a pure function of (seed, i).")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="forgehead (default), next3d-mini, or a generator bundle (.forge).")
    ] = None,
    style: Annotated[
        str | None,
        typer.Option("--style", help="studio (default), wild, mixed, or the share of wild images, e.g. 0.3."),
    ] = None,
    views: Annotated[
        int | None, typer.Option("--views", help="Images of each identity from different cameras (1).")
    ] = None,
    size: Annotated[int | None, typer.Option("--size", help="Pixels per side (512, or the generator's).")] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            "--camera",
            help="Preset (portrait, frontal, paper, synthforge-code, wild) or a .yaml/.json file. Default: portrait, for wild images the wild preset.",
        ),
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--layout", help="shards (WebDataset tars, default), folders, synthforge or coco.")
    ] = None,
    shard_size: Annotated[
        int | None, typer.Option("--shard-size", help="Samples that are finished together (500).")
    ] = None,
    rgb: Annotated[str | None, typer.Option("--rgb", help="jpeg (quality 95, 4:4:4, default), png or webp.")] = None,
    depth: Annotated[
        str | None, typer.Option("--depth", help="png16 (0.1 mm steps, default) or npy (float32 metres).")
    ] = None,
    extras: Annotated[
        str | None,
        typer.Option(
            "--with",
            help="More members: any of normals,uv,layers,soft (generators: normals,volume_depth), joined by commas.",
        ),
    ] = None,
    supersample: Annotated[
        int | None, typer.Option("--supersample", help="Coverage samples per axis, 1 to 4 (2).")
    ] = None,
    min_visible: Annotated[
        float | None,
        typer.Option("--min-visible", help="Samples with a smaller visible share of landmarks are drawn again (0.35)."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset", help="Generator: whom to draw: next3d-mini, paper, synthforge-code, synthforge-alignment."
        ),
    ] = None,
    psi: Annotated[float | None, typer.Option("--psi", help="Generator: truncation of styles (the model's).")] = None,
    cutoff: Annotated[int | None, typer.Option("--cutoff", help="Generator: styles that are truncated.")] = None,
    conditioning: Annotated[
        str | None, typer.Option("--conditioning", help="Generator: frontal, or view (the rendered camera).")
    ] = None,
    annotation: Annotated[
        str | None, typer.Option("--annotation", help="Generator: exact (default), or compat (published quirks).")
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="Generator: FLAME head, generic_model.pkl or a bundle.")
    ] = None,
    head_landmarks: Annotated[
        str | None, typer.Option("--head-landmarks", help="Generator: landmark embedding of a FLAME .pkl.")
    ] = None,
    head_labels: Annotated[
        str | None, typer.Option("--head-labels", help="Generator: picture of the head's regions over its texture.")
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            "--min-agreement",
            help="Generator: samples that agree less are drawn again, in place of limits in millimetres.",
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            help="Generator: bundle of landmarks (faces-mini); samples where it finds no face, or one elsewhere, are drawn again.",
        ),
    ] = None,
    detector_px: Annotated[
        float | None,
        typer.Option("--detector-px", help="Generator: mean distance allowed from its points, pixels of 512 (11)."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="YAML or JSON file with these options by name; the command line goes before it."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", help="Threads of all workers (default: FORGE_RT_THREADS, else usable cores, at most 8)."
        ),
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Images rendered together (8).")] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help="cpu (default), cuda:0, or several: cuda:0,cuda:1 starts a process each."),
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes on this machine (1).")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, or join others that work at it.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="With --resume: make damaged shards again; their files become *.damaged.")
    ] = False,
    check: Annotated[
        bool | None,
        typer.Option(
            "--check/--no-check",
            help="With --resume: read finished shards and compare hashes (default), or only sizes.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Progress and result as JSON lines on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Write COUNT annotated faces: RGB, segmentation, depth, landmarks, camera and parameters.

    The plan (count, seed, style, size, camera, layout, formats) decides every byte; threads, batch, workers and restarts never do.
    Stopped or killed runs go on with --resume. More machines: the same command under torchrun or Slurm, or by hand with --resume, on a shared folder.
    """
    import forge_rt as fr

    given = {
        name: value
        for name, value in locals().items()
        if name in (*_PLAN, *_GENERATOR, *_WORK) and value is not None and (value is not False or name == "check")
    }
    options = {**_read_config(config), **given} if config is not None else given
    plan = _plan_fields({name: options[name] for name in _PLAN if name in options})
    own = {name: options[name] for name in _GENERATOR if name in options}
    if own:
        held = plan.get("generator") or {}
        if not isinstance(held, dict):
            raise fr.InvalidArgumentError(f"--config {config}: generator must hold options by name, got {held!r}")
        plan["generator"] = {**held, **own}
    if "out" not in options:
        raise fr.InvalidArgumentError("--out, the folder to write to, is missing")
    if "count" not in plan and not options.get("resume"):
        raise fr.InvalidArgumentError("--count, the number of images, is missing")
    names = ("threads", "batch", "device", "workers", "resume", "repair", "check")
    work: dict[str, Any] = {name: options[name] for name in names if name in options}
    _run(Path(options["out"]), plan, work, bool(options.get("json")), bool(options.get("quiet")))


def _read_config(path: Path) -> dict[str, Any]:
    """Options by their names; `with` and hyphens as on the command line. A run's plan.json is one, too."""
    import yaml

    import forge_rt as fr

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise fr.NotFoundError(f"--config {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise fr.InputOutputError(f"cannot read --config {path}: {error}") from error
    except yaml.YAMLError as error:
        raise fr.InvalidArgumentError(f"--config {path} is neither YAML nor JSON: {error}") from None
    if not isinstance(document, dict):
        raise fr.InvalidArgumentError(
            f"--config {path} must hold options by name, e.g. `count: 1000`, got {type(document).__name__}"
        )
    if document.get("format") == "forge_rt run" and isinstance(document.get("plan"), dict):
        document = document["plan"]
    options = {("extras" if name == "with" else str(name).replace("-", "_")): value for name, value in document.items()}
    known = {*_PLAN, *_GENERATOR, *_WORK}
    if strange := sorted(set(options) - known):
        import difflib

        near = difflib.get_close_matches(strange[0], known, 1)
        hint = f"did you mean {near[0].replace('_', '-')!r}?" if near else f"options are {', '.join(sorted(known))}"
        raise fr.InvalidArgumentError(f"--config {path} has an unknown option {strange[0]!r}; {hint}")
    kinds: dict[str, Any] = {"out": str, "device": (str, list), "threads": int, "batch": int, "workers": int}
    kinds |= dict.fromkeys(("resume", "repair", "check", "json", "quiet"), bool)
    for name, kind in kinds.items():
        value = options.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            what = "true or false" if kind is bool else "a whole number" if kind is int else "text"
            raise fr.InvalidArgumentError(f"--config {path}: {name} must be {what}, got {value!r}")
    if not isinstance(options.get("extras", ""), (str, list)):
        raise fr.InvalidArgumentError(f"--config {path}: with must be names, got {options['extras']!r}")
    return {name: value for name, value in options.items() if value is not None}


def _plan_fields(plan: dict[str, Any]) -> dict[str, Any]:
    import contextlib

    if isinstance(plan.get("style"), str):
        with contextlib.suppress(ValueError):  # a name; the plan checks it
            plan["style"] = float(plan["style"])
    if isinstance(plan.get("extras"), str):
        plan["extras"] = [name.strip() for name in plan["extras"].split(",") if name.strip()]
    return plan


def _run(out: Path, plan: dict[str, Any], work: dict[str, Any], as_json: bool, quiet: bool) -> None:
    import json
    import shlex
    import signal
    import sys
    from dataclasses import asdict

    from rich.console import Console

    import forge_rt as fr

    console = Console(stderr=True)
    generator = plan.get("model", "forgehead") != "forgehead"

    def emit(event: str, **values: Any) -> None:
        typer.echo(json.dumps({"event": event, **values}, default=str))

    device = work.get("device", "cpu")
    device = device if isinstance(device, str) else ",".join(device)
    threads = work.get("threads") or fr.num_threads()
    if as_json:
        emit("start", out=str(out), device=device, isa=fr.isa(), threads=threads, engine=fr.__version__)
    elif not quiet:
        what = f"{plan['count']} images" if "count" in plan else "the run"
        of = _networks(plan["model"], device) if generator else ""
        console.print(
            f"forge_rt {fr.__version__}: {what}{of} to {out} on {device}, {fr.isa_reason()}, {threads} threads",
            highlight=False, soft_wrap=True, markup=False,
        )  # fmt: skip

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)  # Slurm and others ask politely first
    bar = _Bar(console, enabled=not (as_json or quiet or not sys.stderr.isatty()))
    try:
        with bar:
            result = fr.generate(
                out=out, **work, **plan, progress=lambda p: emit("progress", **p.to_json()) if as_json else bar.show(p)
            )
    except KeyboardInterrupt:
        if not (out / "plan.json").exists():
            typer.echo("forge-rt: stopped before anything was made; run the same command again", err=True)
            raise typer.Exit(130) from None
        command = shlex.join(["forge-rt", "generate", "--out", str(out), "--resume"])
        if as_json:
            emit("stopped", resume=command)
        typer.echo(
            f"forge-rt: stopped; finished shards are safe, the unfinished one was dropped. Go on with:\n  {command}",
            err=True,
        )
        raise typer.Exit(130) from None
    except fr.ForgeError as error:
        if as_json:
            emit("error", code=error.code, message=str(error))  # type: ignore[attr-defined]
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    for note in result.notes:
        console.print(note, highlight=False)
    if as_json:
        emit("finished", **{**asdict(result), "seconds": round(result.seconds, 3)})
        return
    rate = f" ({result.seconds:.1f} s, {result.made / result.seconds:.1f}/s)" if result.made else ""
    typer.echo(f"{result.count} samples in {result.folder}{rate}")
    if result.rejected:
        typer.echo(
            f"{result.rejected} draws were rejected and replaced, {result.not_accepted} kept unaccepted: journal.jsonl says which and why"
        )
    if generator and result.not_accepted > 0.1 * result.made:
        typer.echo(
            "so many: where they do not fit their mesh, the map between head and pictures may be another model's; forge-rt align fits one and shows it"
        )
    typer.echo(f"contact sheet: {result.contact_sheet}")


def _networks(model: str, device: str) -> str:
    """Name and precision of a generator, and what runs it; nothing for what is none."""
    from forge_rt import backend, bundles

    path = bundles.find(model)
    about = bundles.info(path)
    if about.family != "next3d":
        return ""
    variants = about.manifest.get("variants", {})
    precision = "fp16" if device.startswith("cuda") and "fp16" in variants else "fp32"
    return f" of {bundles.name_of(path)} ({precision}, ONNX Runtime {backend.runtime_info().version})"


class _Bar:
    """Progress on a terminal."""

    def __init__(self, console: Any, enabled: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("generate"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[status]}"))
        self._bar = Progress(*columns, console=console, disable=not enabled)
        self._task = self._bar.add_task("generate", total=None, status="")

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, p: Progress) -> None:
        left = "" if p.eta_s is None else f", {_clock(p.eta_s)} left"
        queues = "".join(f", {name} {n}" for name, n in p.queues.items())
        rejected = f", {p.rejected} rejected" if p.rejected else ""
        status = f"{p.samples_per_s:.1f}/s{left}, shard {p.shards_done} of {p.shards}{rejected}{queues}"
        self._bar.update(self._task, total=p.count, completed=p.done, status=status)


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02d}:{s:02d}" if hours else f"{m}:{s:02d}"
