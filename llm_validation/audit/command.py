"""Run ``qae audit``, which says what the logs of your own run show and what they cannot show."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qae_theory.commands.ending import INTERRUPTED, fail

if TYPE_CHECKING:
    from llm_validation.audit.model.settings import AuditSettings
    from llm_validation.audit.report.report import Report

USAGE = 2
_SEVERITIES = ("info", "warning", "critical")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "audit",
        epilog="Examples: qae audit outputs/my-run | qae audit rollouts/ --group-size 16 --json report.json | "
        "qae audit --demo --html demo.html",
    )(audit)


def audit(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="LOGS...",
            help="Files and folders of one run: rollout dumps, completions, metrics, TensorBoard, W&B exports.",
        ),
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="The whole report as JSON; - is standard output.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="A page with figures that needs nothing else.")
    ] = None,
    md_file: Annotated[Path | None, typer.Option("--md", metavar="FILE", help="Markdown, for a pull request.")] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option("--compare", metavar="RUN", help="A second run's logs, for a comparison at equal success."),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Audit the small run that comes with the package.")] = False,
    fail_on: Annotated[
        str, typer.Option("--fail-on", metavar="SEVERITY", help="Exit 1 from: info, warning, critical.")
    ] = "critical",
    estimator: Annotated[str | None, typer.Option("--estimator", help="The run's advantage estimator.")] = None,
    k: Annotated[str | None, typer.Option("--k", "-K", help="K of the run's quantile baseline.")] = None,
    group_size: Annotated[
        int | None, typer.Option("--group-size", "-G", min=1, help="Responses to a prompt, if the log does not say.")
    ] = None,
    correct_above: Annotated[
        float | None, typer.Option("--correct-above", help="A response is right if its reward is above this.")
    ] = None,
    correct_column: Annotated[
        str | None, typer.Option("--correct-column", metavar="NAME", help="The reward column that says what is right.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another setting of the run, a TOML value; repeatable."),
    ] = None,
) -> None:
    """Read the logs of a run and say what its advantages and its entropy show, and what could not be checked.

    Exit status: 0 nothing found; 1 findings of --fail-on or graver; 2 wrong usage, or logs that were refused; 3 nothing
    could be checked.
    """
    if fail_on not in _SEVERITIES:
        fail("audit", f"--fail-on must be one of {', '.join(_SEVERITIES)}; got {fail_on!r}", USAGE)
    if bool(logs) == demo:
        fail("audit", "LOGS must be at least one file or folder, or --demo instead", USAGE)
    flags = {
        "estimator": estimator,
        "k": k,
        "group_size": group_size,
        "correct_above": correct_above,
        "correct_column": correct_column,
    }
    wanted = {"json": json_file, "html": html_file, "md": md_file}
    try:
        _require_writable(wanted)
        report, comparison = _audited(logs or _demo(), compare or (), _flags(flags, settings or ()))
        _write(report, comparison, wanted)
    except (ValueError, OSError) as error:
        fail("audit", " ".join(str(error).split()), USAGE)
    except KeyboardInterrupt:
        fail("audit", "interrupted; nothing was written", INTERRUPTED)
    if json_file != "-":
        _print(report, comparison)
    raise typer.Exit(report.status(fail_on))


def _require_writable(wanted: Mapping[str, Path | str | None]) -> None:
    """Refuse a report's file that cannot be written, before anything is read."""
    for name, path in wanted.items():
        if path is None or (name == "json" and path == "-"):
            continue
        target = Path(str(path)).absolute()
        above = next(folder for folder in target.parents if folder.exists())
        if target.is_dir() or not above.is_dir() or not os.access(above, os.W_OK):
            raise ValueError(f"--{name} must be a file that can be written; got {str(path)!r}")


def _flags(named: dict[str, Any], settings: Sequence[str]) -> AuditSettings:
    from llm_validation.audit.model.settings import AuditSettings
    from qae_theory.runs.settings import checked, read_setting

    given = {name: value for name, value in named.items() if value is not None}
    return checked(AuditSettings, [*map(read_setting, settings), given])


def _demo() -> list[Path]:
    from llm_validation.audit.demo import folder

    return [folder()]


def _audited(
    logs: Sequence[Path], others: Sequence[Path], flags: AuditSettings
) -> tuple[Report, dict[str, Any] | None]:
    """Return the report of the run, and its comparison with another if there is one."""
    from rich.console import Console

    from llm_validation.audit.compare import compared
    from llm_validation.audit.gather import gather
    from llm_validation.audit.reading.walk import require_there
    from llm_validation.audit.report.report import audit_log
    from llm_validation.common.reading_bar import reading_bar

    require_there(logs, "LOGS")
    require_there(others, "--compare")
    with reading_bar(Console(stderr=True)) as told:
        report = audit_log(gather(logs, flags, told))
        if not others:
            return report, None
        return report, compared(report, audit_log(gather(others, flags, told)))


def _write(report: Report, comparison: dict[str, Any] | None, wanted: Mapping[str, Path | str | None]) -> None:
    """Write what was asked for, each file whole or not at all; nothing is written before all of it is made."""
    from llm_validation.audit.report import html, markdown
    from llm_validation.audit.report.contract import record
    from qae_theory.runs.files import to_json, write_atomically

    makers: dict[str, Callable[[], str]] = {
        "json": lambda: to_json(record(report, comparison)),
        "html": lambda: html.render(report, comparison),
        "md": lambda: markdown.render(report, comparison),
    }
    made = {name: makers[name]() for name, path in wanted.items() if path is not None}
    for name, text in made.items():
        if name == "json" and wanted[name] == "-":
            sys.stdout.write(text)
        else:
            write_atomically(Path(str(wanted[name])), text)


def _print(report: Report, comparison: dict[str, Any] | None) -> None:
    from rich.console import Console

    from llm_validation.audit.report.terminal import lines

    console = Console(highlight=False, soft_wrap=True)
    for line in lines(report, comparison, console.width if console.is_terminal else 400):
        console.print(line, markup=False)
