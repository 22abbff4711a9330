"""``qae cluster check``: everything that can be known about a run before it costs anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_validation.common.failing import fail

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

    config = composed(experiment, overrides or ())
    found = checks(experiment, config, job_dir=job_dir, strict=strict, wait=wait)
    if json_file is None or str(json_file) != "-":
        _show(experiment, found)
    try:
        _write(experiment, overrides or (), config, found, strict=strict, json_file=json_file, resolved=resolved)
    except OSError as error:
        fail("cluster check", f"{error.filename} cannot be written: {error.strerror}", 1)
    raise typer.Exit(0 if all(one.passed for one in found) else 1)


def composed(experiment: str, overrides: Sequence[str], command: str = "check") -> Any:
    """The configuration; ends the command where there is none."""
    from llm_validation.cluster.recipes.compose import MissingVerl, compose

    try:
        return compose(experiment, overrides)
    except (ValueError, MissingVerl) as error:
        fail(f"cluster {command}", " ".join(str(error).split()), 2)


def _show(experiment: str, found: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    if console.is_terminal:
        table = Table(box=None, show_header=False, pad_edge=False)
        for one in found:
            table.add_row(Text(one.state, style=_STYLES[one.state]), Text(one.name), Text(one.says))
        console.print(table, soft_wrap=False)
    else:
        for one in found:
            console.print(f"{one.state:8}{one.name}: {one.says}", markup=False)
    counts = {state: sum(one.state == state for one in found) for state in _STYLES}
    says = f"{counts['ok']} passed, {counts['warning']} with a warning, {counts['failed']} failed"
    console.print(f"check: {experiment}: {says}", markup=False)


def _write(
    experiment: str,
    overrides: Sequence[str],
    config: Any,
    found: Sequence[Check],
    *,
    strict: bool,
    json_file: Path | None,
    resolved: Path | None,
) -> None:
    from llm_validation.cluster.checks.machine import versions
    from qae_theory.runs.files import to_json, write_atomically

    report = to_json(
        {
            "experiment": experiment,
            "overrides": list(overrides),
            "strict": strict,
            "passed": all(one.passed for one in found),
            "versions": versions(),
            "checks": [one.to_json() for one in found],
        }
    )
    if json_file is not None and str(json_file) == "-":
        print(report, end="")
    elif json_file is not None:
        write_atomically(json_file, report)
    if resolved is not None:
        from omegaconf import OmegaConf

        write_atomically(resolved, OmegaConf.to_yaml(config, resolve=True))
