"""Define ``qae simulate``, which runs named experiments and goes on with interrupted ones."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer

from qae_theory.commands.ending import INTERRUPTED, WRONG_USAGE, complain, fail
from qae_theory.commands.places import require_folder
from qae_theory.commands.wrapping import fitted, say

if TYPE_CHECKING:
    from rich.console import Console

    from qae_theory.commands.phases import Phases
    from simulators.experiments.base import Config, Experiment
    from simulators.sweep import Plan


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "simulate",
        epilog="Examples: qae simulate k-sweep --quick | qae simulate channels --rules rloo,psr | qae simulate --all",
    )(simulate)


def simulate(
    names: Annotated[list[str] | None, typer.Argument(metavar="EXPERIMENT", help="Names; --list shows them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every experiment.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Show the experiments and exit.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="The small size.")] = False,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="TOML: tables common, quick, full; or plain keys.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One field, with a TOML value; repeatable.")
    ] = None,
    rules: Annotated[str | None, typer.Option("--rules", metavar="A,B", help="The rules to compare.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed; the configuration's if not given.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Results folder.")] = Path("results"),
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; one a core if not given.")] = None,
    backend: Annotated[str, typer.Option("--backend", help="loky, or ray for a Ray cluster.")] = "loky",
) -> None:
    """Run experiments of the softmax-bandit laboratory. Interrupted ones go on where they were.

    Exit status: 0; 1 when a cell failed or results could not be written; 2 for wrong usage.
    """
    from simulators.experiments import experiment_names

    if listing:
        _print_experiments()
        raise typer.Exit
    chosen = experiment_names() if everything else tuple(dict.fromkeys(names or ()))
    if not chosen:
        _usage("name an experiment, or --all; --list shows them")
    if backend not in ("loky", "ray"):
        _usage(f"--backend must be loky or ray; got {backend!r}")
    require_folder("simulate", out)
    try:
        work = [
            _configured(name, quick=quick, file=config_file, settings=settings or (), rules=rules, seed=seed)
            for name in chosen
        ]
    except ValueError as error:
        _usage(str(error))
    try:
        _check_backend(backend)
        ends = [
            _simulate(experiment, config, quick=quick, out=out, workers=workers, backend=backend)
            for experiment, config in work
        ]
    except KeyboardInterrupt:
        fail("simulate", "interrupted; finished cells are kept, start again to go on", INTERRUPTED)
    for failure in [failure for end in ends for failure in end.failures]:
        complain("simulate", failure)
    if len(ends) > 1:
        for line in closing(ends):
            typer.echo(line)
    raise typer.Exit(int(any(end.failures for end in ends)))


def _print_experiments() -> None:
    """Print each experiment's name and summary."""
    from simulators.experiments import experiment_names, get_experiment

    for name in experiment_names():
        typer.echo(fitted(f"{name:<14} ", get_experiment(name).summary, sys.stdout))


def _configured(
    name: str, *, quick: bool, file: Path | None, settings: Sequence[str], rules: str | None, seed: int | None
) -> tuple[Experiment, Config]:
    """Return the experiment and its configuration: the shipped one, changed by the file, then by the command line.

    Raises:
        ValueError: a name, field or value is wrong; one line says which.
    """
    from pydantic import ValidationError

    from qae_theory.runs.settings import read_setting, read_table
    from qae_theory.runs.wording import refused
    from simulators.experiments import get_experiment
    from simulators.settings import changed_config

    experiment = get_experiment(name)
    changes: list[dict[str, Any]] = [] if file is None else [read_table(file, quick=quick)]
    changes += [read_setting(text) for text in settings]
    if rules is not None:
        if "rules" not in experiment.config.model_fields:
            raise ValueError(f"--rules is not for experiment {name!r}; got {rules!r}")
        changes.append({"rules": [rule.strip() for rule in rules.split(",")]})
    if seed is not None:
        changes.append({"seed": seed})
    config = changed_config(experiment, changes, quick=quick)
    # Some values are wrong only together, which the cells show. It is better to stop before the first experiment runs.
    try:
        experiment.cells(config)
    except ValidationError as error:
        raise ValueError(f"{name}: {refused(error)}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from None
    return experiment, config


def _check_backend(backend: str) -> None:
    """Stop with the command that installs Ray, where Ray is asked for and not installed."""
    from importlib.util import find_spec

    if backend == "ray" and find_spec("ray") is None:
        _usage("--backend ray needs the extra `ray`: pip install -c constraints.txt 'qae-verification[ray]'")


def _simulate(
    experiment: Experiment, config: Config, *, quick: bool, out: Path, workers: int | None, backend: Any
) -> End:
    """Run one experiment, or find it finished, and return how that ended."""
    from rich.console import Console

    from qae_theory.runs.provenance import usable_cores
    from simulators import sweep

    console = Console(highlight=False, soft_wrap=True)
    started = time.perf_counter()
    finished = sweep.finished_run(experiment, config, quick=quick, out=out)
    if finished is not None:
        say(console, f"{experiment.name}: already there, {finished}")
        return End(experiment.name, f"already there: {tally(_analysis(finished))}")
    try:
        planned = sweep.plan(experiment, config, quick=quick, out=out)
        # A cluster knows its own size; here one worker for each core is what the machine can use.
        default = sweep.ALL_OF_THE_CLUSTER if backend == "ray" else usable_cores()
        folder = _with_progress(console, planned, out=out, workers=workers or default, backend=backend)
    except sweep.CellsFailedError as error:
        failed = [f"{experiment.name}: cell {outcome.name!r} failed: {outcome.error}" for outcome in error.failed]
        return End(experiment.name, f"FAILED in {len(failed)} cells", tuple(failed))
    except (sweep.SweepError, OSError) as error:
        return End(experiment.name, "FAILED", (f"{experiment.name}: {error}",))
    analysis = _analysis(folder)
    for sentence in summary(analysis):
        say(console, f"{experiment.name}: {sentence}")
    say(console, f"{experiment.name}: wrote {folder}")
    return End(experiment.name, f"{tally(analysis)}; {time.perf_counter() - started:.1f} s")


class End(NamedTuple):
    """Hold how an experiment ended: its name, that in a few words, and a line for each thing that failed."""

    name: str
    says: str
    failures: tuple[str, ...] = ()


def closing(ends: Sequence[End]) -> list[str]:
    """Return the last lines of a command that ran several experiments: how many, and how each of them ended."""
    failed = sum(bool(end.failures) for end in ends)
    width = max(len(end.name) for end in ends)
    lines = [f"simulate: {len(ends)} experiments, {failed} failed"]
    return lines + [f"  {end.name:<{width}}  {end.says}" for end in ends]


def tally(analysis: Mapping[str, Any]) -> str:
    """Return how many statements and lines by condition of an analysis came to each outcome."""
    from simulators.experiments.condition_lines import read_lines

    statements = analysis.get("statements", ())
    found = sum(bool(statement["found"]) for statement in statements)
    outcomes = Counter(line.outcome.value for line in read_lines(analysis))
    parts = [f"{found} of {len(statements)} statements found"] if statements else []
    if outcomes:
        parts.append(f"lines by condition: {', '.join(f'{number} {name}' for name, number in outcomes.items())}")
    return "; ".join(parts) or "no statement"


def _analysis(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
    return content


def summary(analysis: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each statement and each line by condition of an analysis: what was found, and its figures.

    A condition in which success does not rise is named as out.
    """
    from qae_theory.curves.findings import said
    from simulators.experiments.condition_lines import read_lines

    summaries = []
    for statement in analysis.get("statements", ()):
        verdict = "found" if statement["found"] else "NOT FOUND"
        summaries.append(f"{verdict}: {statement['says']}: {statement['detail']}")
    summaries.extend(said(line) for line in read_lines(analysis))
    for left_out in analysis.get("out", ()):
        idle = ", ".join(f"{rule} {gained:.3g}" for rule, gained in left_out["does not learn"].items())
        summaries.append(f"{left_out['claim']}@{left_out['condition']}: out, success does not rise: {idle}")
    return summaries


def _with_progress(console: Console, planned: Plan, *, out: Path, workers: int, backend: Any) -> Path:
    """Run the cells that are left and return the run's folder, with a bar on a terminal and plain lines elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from qae_theory.commands.phases import Phases

    name, total, done = planned.experiment.name, len(planned.cells), len(planned.cells) - len(planned.left)
    phases = Phases(name, console, announce=False)
    phases.begin("cells")
    if done:
        say(console, f"{name}: {done} of {total} cells were finished already")
    # A bar that redraws itself would fill a log with control characters.
    if not console.is_terminal:
        printer = _TenthsPrinter(console, name, total=total, done=done)
        return _run(planned, phases, printer, out=out, workers=workers, backend=backend)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(name, total=total, completed=done)

        def advance_bar(outcome: Any) -> None:
            del outcome
            bar.advance(task)

        return _run(planned, phases, advance_bar, out=out, workers=workers, backend=backend)


def _run(planned: Plan, phases: Phases, show: Callable[[Any], None], *, out: Path, workers: int, backend: Any) -> Path:
    """Run the cells that are left, show each, and say how long cells and analysis took."""
    from simulators import sweep

    left = len(planned.left)

    def on_outcome(outcome: Any) -> None:
        nonlocal left
        show(outcome)
        left -= 1
        if not left:
            phases.begin("analysis")

    folder = sweep.run(planned, out=out, workers=workers, backend=backend, on_outcome=on_outcome)
    phases.end()
    return folder


class _TenthsPrinter:
    """Print a plain line whenever another tenth of the cells is done, so that a log stays short."""

    def __init__(self, console: Console, name: str, *, total: int, done: int) -> None:
        self._console, self._name, self._total, self._done = console, name, total, done

    def __call__(self, outcome: Any) -> None:
        before, self._done = self._done, self._done + 1
        # Ten lines at most, however many cells there are.
        if self._done * 10 // self._total > before * 10 // self._total:
            self._console.print(f"{self._name}: {self._done} of {self._total} cells", markup=False)


def _usage(message: str) -> NoReturn:
    """Print a message about wrong usage and end the command."""
    fail("simulate", message, WRONG_USAGE)
