"""``qae cluster check``: tell everything that can be known about a run before it costs anything.

The checks themselves are in ``llm_validation.cluster.checks``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qae_theory.commands.ending import fail

if TYPE_CHECKING:
    from llm_validation.cluster.checks.check import Check

_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command(
        "check",
        epilog="Examples: qae cluster check smoke-qae | qae cluster check qwen3-8b-clip-higher-qae "
        "cluster.data=/shared/data algorithm.advantage_gate=correctness --job-dir /shared/jobs/1",
    )(check)


def check(
    experiment: Annotated[str, typer.Argument(help="A row of the paper; `qae cluster plan` lists them.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Hydra overrides, as the job gets them.")
    ] = None,
    job_dir: Annotated[
        Path | None,
        typer.Option("--job-dir", metavar="DIR", help="Look at this job folder: space, permission, resume."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="This is where the job runs: what is not here is a failure.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="SECONDS", help="Strict: what the cluster's GPUs may take to join."),
    ] = 0.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write what was found as JSON; - for the output.")
    ] = None,
    resolved: Annotated[
        Path | None, typer.Option("--resolved", metavar="FILE", help="Write the whole configuration as YAML.")
    ] = None,
) -> None:
    """Compose the configuration, and look at plug-in, verifier, rewards, sizes, data and machine.

    Exit status: 0, also with warnings; 1 when a check failed or a file could not be written; 2 for wrong usage, or
    where verl is not installed.
    """
    from llm_validation.cluster.checks.all import checks

    # With `--json -` the output is the JSON text alone, so that it can be piped.
    config = composed(experiment, overrides or ())
    results = checks(experiment, config, job_dir=job_dir, strict=strict, wait=wait)
    if json_file is None or str(json_file) != "-":
        _show(experiment, results)
    try:
        if json_file is not None:
            _write_report(_report(experiment, overrides or (), results, strict=strict), json_file)
        if resolved is not None:
            _write_resolved(config, resolved)
    except OSError as error:
        fail("cluster check", f"{error.filename} cannot be written: {error.strerror}", 1)
    raise typer.Exit(0 if all(check.passed for check in results) else 1)


def composed(experiment: str, overrides: Sequence[str], command: str = "check") -> Any:
    """Return the composed configuration; end the command with status 2 where there is none.

    Args:
        experiment: name of the experiment.
        overrides: Hydra overrides, in their order.
        command: name of the subcommand, for its one line on stderr.
    """
    from llm_validation.cluster.recipes.compose import MissingVerl, compose

    try:
        return compose(experiment, overrides)
    except (ValueError, MissingVerl) as error:
        fail(f"cluster {command}", " ".join(str(error).split()), 2)


def _show(experiment: str, results: Sequence[Check]) -> None:
    """Print a table on a terminal, and one plain line per check elsewhere."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    if console.is_terminal:
        table = Table(box=None, show_header=False, pad_edge=False)
        for check in results:
            table.add_row(Text(check.state, style=_STYLES[check.state]), Text(check.name), Text(check.sentence))
        # The console does not wrap lines, so that plain output has one per check; a table has to wrap its cells.
        console.print(table, soft_wrap=False)
    else:
        for check in results:
            console.print(f"{check.state:8}{check.name}: {check.sentence}", markup=False)
    counts = Counter(check.state for check in results)
    total = f"{counts['ok']} passed, {counts['warning']} with a warning, {counts['failed']} failed"
    console.print(f"check: {experiment}: {total}", markup=False)


def _report(experiment: str, overrides: Sequence[str], results: Sequence[Check], *, strict: bool) -> str:
    """Return the results of the checks as JSON text."""
    from llm_validation.cluster.checks.machine import versions
    from qae_theory.runs.files import to_json

    return to_json(
        {
            "experiment": experiment,
            "overrides": list(overrides),
            "strict": strict,
            "passed": all(check.passed for check in results),
            "versions": versions(),
            "checks": [check.to_json() for check in results],
        }
    )


def _write_report(report: str, file: Path) -> None:
    """Write the JSON text to a file; ``-`` prints it."""
    from qae_theory.runs.files import write_atomically

    if str(file) == "-":
        print(report, end="")
    else:
        write_atomically(file, report)


def _write_resolved(config: Any, file: Path) -> None:
    """Write the whole configuration as YAML, its interpolations resolved."""
    from omegaconf import OmegaConf

    from qae_theory.runs.files import write_atomically

    write_atomically(file, OmegaConf.to_yaml(config, resolve=True))
