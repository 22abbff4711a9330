"""``qae cluster collect``: turn the logs of a run, wherever they lie, into a results folder and the paper's tables.

The work is done in ``llm_validation.cluster.collect``; this module reads arguments and prints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from qae_theory.commands.ending import INTERRUPTED, fail
from qae_theory.commands.places import require_folder
from qae_theory.commands.wrapping import say

MOST = 10  # findings shown, so that they fit on a screen; the file has them all
LONGEST_LIST = 60  # characters of line numbers shown
# Sentences about the steps, by the names under which dropped.json lists them.
SHOWN = {
    "validation_only": "only validated at",
    "missing": "not in the log",
    "said_differently": "logged twice and differently, the later taken",
    "abandoned": "of a branch that a later attempt did not go on from (kept, and counted nowhere)",
    "out_of_order": "lines out of order",
}


def register(group: typer.Typer) -> None:
    """Add the command to ``qae cluster``."""
    group.command(
        "collect",
        epilog="Examples: qae cluster collect /shared/runs/qwen3-8b-clip-higher-0a1b2c3d4e5f | qae cluster collect "
        "export.csv --name qwen3-8b-clip-higher | qae cluster collect results/train/0a1b2c3d4e5f "
        "results/evaluate/5f4e3d2c1b0a",
    )(collect)


def collect(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...",
            help="Of one run: a job folder, verl's JSON lines (attempts in order), a TensorBoard folder, a W&B export "
            "(.csv, .json), a run of qae train, of qae evaluate.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Results folder.")] = Path("results"),
    name: Annotated[
        str | None, typer.Option("--name", help="Of the experiment, for logs that do not say it; a row's, or any.")
    ] = None,
    steps: Annotated[str | None, typer.Option("--steps", metavar="A-B", help="Keep these steps only.")] = None,
    responses: Annotated[
        int | None,
        typer.Option("--responses", min=1, help="Responses of a whole step, if the configuration does not say."),
    ] = None,
) -> None:
    """Read a run's logs and dumps, keep every complete step, say what was dropped, and fill the paper's tables.

    Exit status: 0; 1 when nothing complete was found or results could not be written; 2 for wrong usage.
    """
    require_folder("cluster collect", out)
    span = None if steps is None else _span(steps)  # refused before Rich and the readers are loaded
    from rich.console import Console

    from llm_validation.cluster.collect.collect import collect as collect_run
    from llm_validation.cluster.collect.collection import NothingFoundError
    from llm_validation.common.reading_bar import reading_bar

    console = Console(highlight=False, soft_wrap=True)
    try:
        with reading_bar(console) as announce:
            folder = collect_run(sources, out, name=name, steps=span, responses=responses, announce=announce)
    except ValueError as error:
        fail("cluster collect", " ".join(str(error).split()), 2)
    except (NothingFoundError, OSError) as error:
        fail("cluster collect", " ".join(str(error).split()), 1)
    except KeyboardInterrupt:
        fail("cluster collect", "interrupted; nothing was written", INTERRUPTED)
    for line in report(folder):
        say(console, f"collect: {line}")
    say(console, f"collect: results in {folder}, the tables of all runs in {folder.parent / 'tables.md'}")


def report(folder: Path) -> Iterator[str]:
    """Yield what a person wants to know of a collected run, one sentence at a time.

    Args:
        folder: the results folder of the run.
    """
    config, dropped, findings = (_json(folder, name) for name in ("config", "dropped", "findings"))
    steps = dropped["steps"]
    row = f"row {config['row']}" if config["row"] else f"not a row of the paper: {'; '.join(config['no_row_because'])}"
    yield f"{config['name']} ({row})"
    yield f"steps kept: {steps['kept'] or 'none'}"
    for name, phrase in SHOWN.items():
        if steps[name]:
            yield f"{phrase}: {steps[name]}"
    for what, why in steps["not_whole"].items():
        yield f"dropped, not whole: {what}: {why}"
    for account in dropped["files"]:
        yield from _of_file(account)
    yield from dropped["notes"]
    listed = findings["findings"]
    for finding in listed[:MOST]:
        yield f"finding: {finding['says']}"
    if len(listed) > MOST:
        yield f"and {len(listed) - MOST} findings more, in findings.json"


def _json(folder: Path, name: str) -> Any:
    """Return the contents of one of the folder's JSON files."""
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def _of_file(account: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was dropped of one file and why, and its notes."""
    for reason in account["reasons"]:
        which = reason["which"]
        if len(which) > LONGEST_LIST:
            which = f"{which[: LONGEST_LIST - 3]}..."
        yield f"{account['file']}: dropped {reason['count']} {account['unit']}, {reason['reason']}: {which}"
    for note in account["notes"]:
        yield f"{account['file']}: {note}"


def _span(text: str) -> tuple[int, int]:
    """Return the first and the last step of ``A-B`` or ``A``; end the command where there is none."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last:
        fail("cluster collect", f"--steps must be one step or the first and the last, such as 1-300; got {text!r}", 2)
    return first, last
