"""``qae train``: one RLVR run on this machine, or go on with one that was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from llm_validation.common.extras import missing_line
from llm_validation.common.quiet import quiet_bars
from llm_validation.models.names import require_model
from qae_theory.commands.ending import INTERRUPTED, fail
from qae_theory.commands.places import require_folder
from qae_theory.commands.wrapping import say

if TYPE_CHECKING:
    from rich.console import Console

    from llm_validation.train.run import Progress, Told
    from llm_validation.train.settings import TrainConfig

QUICK: dict[str, Any] = {"steps": 10, "prompts_per_step": 8, "train_examples": 64}
_PREPARING = "preparing task and model"
_SHOWN = {"success_rate": "success", "entropy": "entropy", "grad_norm": "gradient"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "train",
        epilog="Examples: qae train --quick | qae train --task addition --estimator qae --k 0.4 | "
        "qae train --config run.toml --set group_size=16",
    )(train)


def train(
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="TOML: tables common, quick, full; or plain keys.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One field, with a TOML value; repeatable.")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="A task's name, gym:NAME, a .jsonl file or a dataset.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="A preset, a checkpoint's folder or a hub name.")] = None,
    estimator: Annotated[str | None, typer.Option("--estimator", help="A rule of qae_theory.advantages.")] = None,
    k: Annotated[str | None, typer.Option("--k", metavar="K", help="The quantile, for qae: 0.4 or 2/5.")] = None,
    extraction: Annotated[
        str | None,
        typer.Option(
            "--extraction", help="Where answers are: auto, box, tags, hash, first-line, last-line, a pattern."
        ),
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option("--stop", help=r"Text that ends a response; \n is a new line; repeatable.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Batches of rollouts.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed; the configuration's if not given.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The small size.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Results folder.")] = Path("results"),
    resume_from: Annotated[
        str, typer.Option("--resume-from", help="newest checkpoint; the previous good one; or the start, anew.")
    ] = "newest",
) -> None:
    """Train a model by reinforcement learning on verifiable rewards. An interrupted run goes on where it was saved.

    Exit status: 0; 1 when the run could not be completed; 2 for wrong usage; 130 after Ctrl-C.
    """
    shortcuts: dict[str, Any] = {"task": task, "model": model, "estimator": estimator, "steps": steps, "seed": seed}
    given = {key: value for key, value in shortcuts.items() if value is not None}
    if k is not None:
        given["options"] = {"k": k}
    if extraction is not None:
        given["extraction"] = extraction
    if stop:
        given["stop"] = _unescaped(stop)
    if resume_from not in ("newest", "previous", "start"):
        fail("train", f"--resume-from must be newest, previous or start; got {resume_from!r}", 2)
    require_folder("train", out)
    try:
        config = _configured(config_file, settings or (), given, quick=quick)
        require_model(config.model)
    except ValueError as error:
        fail("train", str(error), 2)
    if lacking := missing_line():
        fail("train", lacking, 2)
    quiet_bars()
    _train(config, out, resume_from)  # type: ignore[arg-type]  # one of the three


def _unescaped(stop: Sequence[str]) -> list[str]:
    from llm_validation.engines.stops import unescaped

    return [unescaped(text) for text in stop]


def _configured(file: Path | None, settings: Sequence[str], given: dict[str, Any], *, quick: bool) -> TrainConfig:
    """Return the file's settings, over them those of ``--set``, and over these the shortcuts.

    Raises:
        ValueError: one line that names what is wrong.
    """
    from llm_validation.train.settings import TrainConfig
    from qae_theory.runs.settings import checked, read_setting, read_table

    tables = [QUICK] if quick else []
    tables += [] if file is None else [read_table(file, quick=quick)]
    return checked(TrainConfig, [*tables, *map(read_setting, settings), given])


def _train(config: TrainConfig, out: Path, resume: Literal["newest", "previous", "start"]) -> None:
    from rich.console import Console

    from llm_validation.models.warmup import WarmupError
    from llm_validation.train import processes
    from llm_validation.train import run as training
    from llm_validation.train.checkpoints import CheckpointError
    from llm_validation.verifiers import VerifierError
    from qae_theory.commands.phases import Phases
    from qae_theory.runs.locks import BusyError

    console = Console(highlight=False, soft_wrap=True, quiet=not processes.is_main())
    phases = Phases("train", console)
    failures = (training.TrainingError, CheckpointError, BusyError, VerifierError, WarmupError, OSError)
    try:
        found = training.finished_run(config, out=out)
        if found is not None:
            say(console, f"train: already there, {found}")
            return
        _require_free(config, out)
        phases.begin(_PREPARING)
        prepared = training.prepare(config, out=out)
        phases.begin("training")
        folder = _with_progress(console, config.steps, lambda told: training.run(prepared, told=told, resume=resume))
        phases.end()
    except training.SettingsError as error:
        fail("train", " ".join(str(error).split()), 2)
    except failures as error:
        fail("train", " ".join(str(error).split()), 1)
    except KeyboardInterrupt as stopped:
        nothing = "stopped before training began; a model that is warmed up is kept"
        at_once = nothing if phases.name == _PREPARING else "stopped at once; a checkpoint that was written is kept"
        reason = str(stopped) or at_once
        fail("train", f"{reason}; start again to go on", INTERRUPTED)
    say(console, f"train: wrote {folder}")


def _require_free(config: TrainConfig, out: Path) -> None:
    """Refuse a run that another process is at, before a model is prepared for it.

    Raises:
        BusyError: naming its folder.
    """
    from llm_validation.train.folder import run_folder
    from qae_theory.runs.locks import alone

    unfinished = run_folder(config, out=out).partial
    if unfinished.is_dir():
        with alone(unfinished):
            return


def _with_progress(console: Console, steps: int, run: Callable[[Told], Path]) -> Path:
    from rich import progress as rich

    if not console.is_terminal:
        return run(_Lines(console))
    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn())
    with rich.Progress(*columns, rich.TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("train", total=steps)

        def told(progress: Progress) -> None:
            if progress.says:
                say(bar.console, f"train: {progress.says}")
            bar.update(task, completed=progress.step, description=shown(progress.metrics) or "train")

        return run(told)


class _Lines:
    """Print a plain line at every tenth of the steps, and every message."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, progress: Progress) -> None:
        step, steps = progress.step, progress.steps
        if progress.says:
            say(self._console, f"train: {progress.says}")
        elif step * 10 // steps > (step - 1) * 10 // steps:
            self._console.print(f"train: step {step} of {steps}: {shown(progress.metrics)}", markup=False)


def shown(metrics: Any) -> str:
    """Return the few figures that a line has room for."""
    found = ((label, metrics.get(name)) for name, label in _SHOWN.items())
    return ", ".join(f"{label} {value:.3g}" for label, value in found if isinstance(value, (int, float)))
