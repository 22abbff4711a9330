"""``qae probe``: read the arguments, take one step of each rule from a checkpoint, print what it did to entropy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm_validation.common.extras import missing_line
from llm_validation.common.quiet import quiet_bars
from llm_validation.models.names import require_model
from qae_theory.commands.ending import INTERRUPTED, fail
from qae_theory.commands.places import require_folder
from qae_theory.commands.wrapping import say

if TYPE_CHECKING:
    from rich.console import Console

    from llm_validation.probe.batch import ProbeConfig


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "probe",
        epilog="Examples: qae probe results/train/RUN/checkpoints/checkpoint-50 --task digits | "
        "qae probe Qwen/Qwen3-0.6B --task gym:chain_sum --arms grpo,qae-0.4",
    )(probe)


def probe(
    source: Annotated[str, typer.Argument(metavar="MODEL", help="A checkpoint's folder, a preset or a hub name.")],
    task: Annotated[str | None, typer.Option("--task", help="A task's name, gym:NAME, a .jsonl file.")] = None,
    arms: Annotated[
        str | None, typer.Option("--arms", metavar="A,B", help="mean, quantile-0.4, grpo, qae-0.4 ...")
    ] = None,
    config_file: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="TOML, plain keys.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One field, with a TOML value; repeatable.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of questions and rollouts.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Results folder.")] = Path("results"),
) -> None:
    """Measure the one-step entropy change of several baselines on the same rollouts, and what predicts it.

    Exit status: 0; 1 when results could not be written; 2 for wrong usage.
    """
    require_folder("probe", out)
    try:
        config = _configured(config_file, settings or (), task, arms, seed)
        require_model(source)
    except ValueError as error:
        fail("probe", " ".join(str(error).split()), 2)
    # After the arguments are checked, so that a wrong one is reported without the heavy packages too.
    if lacking := missing_line():
        fail("probe", lacking, 2)
    quiet_bars()
    try:
        folder = _run(source, config, out)
    except ValueError as error:
        fail("probe", " ".join(str(error).split()), 2)
    except OSError as error:
        fail("probe", f"results cannot be written: {error}", 1)
    except KeyboardInterrupt:
        fail("probe", "interrupted; nothing was written", INTERRUPTED)
    _print(folder)


def _configured(
    file: Path | None, settings: Sequence[str], task: str | None, arms: str | None, seed: int | None
) -> ProbeConfig:
    """Return the configuration from a file, single settings and the command's own options, the last of which wins."""
    from llm_validation.probe.batch import ProbeConfig
    from qae_theory.runs.settings import checked, read_setting, read_table

    named = {"task": task, "seed": seed, "arms": arms and [arm.strip() for arm in arms.split(",")]}
    given = {key: value for key, value in named.items() if value is not None}
    tables = [] if file is None else [read_table(file, quick=False)]
    return checked(ProbeConfig, [*tables, *map(read_setting, settings), given])


def _run(source: str, config: ProbeConfig, out: Path) -> Path:
    """Probe the checkpoint, with a bar where there is a terminal, and return the run's folder."""
    from rich.progress import Progress

    from llm_validation.probe.run import probe_checkpoint

    console = _console()
    if not console.is_terminal:
        return probe_checkpoint(source, config, out=out)
    with Progress(console=console) as bar:
        task = bar.add_task("probe", total=len(config.arms) * len(config.settings))
        return probe_checkpoint(source, config, out=out, told=lambda done, total: bar.update(task, completed=done))


def _print(folder: Path) -> None:
    """Print one line for each setting and arm: means over prompts, in nats per response."""
    from llm_validation.common.tables import PROBES_FILE, read_table
    from qae_theory.curves.rungs import RUNGS

    console = _console()
    if not (folder / PROBES_FILE).is_file():
        say(console, f"probe: no rule takes a step of a size, since no group has two rewards; wrote {folder}")
        return
    table = read_table(folder / PROBES_FILE)
    rows_by_key: dict[tuple[str, ...], list[int]] = {}
    # As text, because NaN (no adam_eps under SGD) is not equal to itself and would be a key of its own in every row.
    for number, key in enumerate(zip(*(map(str, table[name]) for name in _KEYS), strict=True)):
        rows_by_key.setdefault(key, []).append(number)
    for key, numbers in rows_by_key.items():
        means = ", ".join(f"{name} {table[name][numbers].mean():+.3g}" for name in ("change", *RUNGS))
        shown = " ".join(f"{name}={value}" for name, value in zip(_KEYS, key, strict=True))
        say(console, f"probe: {shown}: {means}")
    say(console, f"probe: wrote {folder}")


_KEYS = ("optimiser", "adam_eps", "updates", "clipped", "arm")


def _console() -> Console:
    """Return a console that neither colours nor wraps what it prints."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)
