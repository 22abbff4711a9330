"""``qae validate``: read the arguments, show the progress, and run the study of a small Qwen3.

What the study does is in ``run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm_validation.common.extras import missing_line
from llm_validation.common.quiet import quiet_bars
from qae_theory.commands.ending import INTERRUPTED, fail
from qae_theory.commands.places import require_folder
from qae_theory.commands.wrapping import say

if TYPE_CHECKING:
    from rich.console import Console

    from llm_validation.study.run import How
    from llm_validation.study.settings import Preset, StudyConfig

STAGES = ("train", "follow", "probe")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("validate", epilog="Examples: qae validate --quick | qae validate | qae validate --preset gpu")(
        validate
    )


def validate(
    quick: Annotated[bool, typer.Option("--quick", help="The small size, of minutes.")] = False,
    preset: Annotated[str | None, typer.Option("--preset", help="full, quick, long, pretrained, league, gpu.")] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="TOML: tables common, quick, full; or plain keys.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One field, with a TOML value; repeatable.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed; the configuration's if not given.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Results folder.")] = Path("results"),
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes; one a core if not given.")] = None,
    only: Annotated[str | None, typer.Option("--only", help="Stop after this stage: train, follow or probe.")] = None,
    any_code: Annotated[
        bool, typer.Option("--any-code", help="Count finished parts that other code made; the record names it.")
    ] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Write the study from what is finished.")] = False,
) -> None:
    """Warm up, train with GRPO and QAE, probe along the way, and write the report. Interrupted, it goes on.

    Exit status: 0; 1 when a part failed or results could not be written; 2 for wrong usage.
    """
    size = "quick" if quick and preset is None else preset or "full"
    if quick and size != "quick":
        fail("validate", f"--quick is --preset quick; got --preset {preset}", 2)
    if only is not None and only not in STAGES:
        fail("validate", f"--only must be one of {', '.join(STAGES)}; got {only!r}", 2)
    require_folder("validate", out)
    try:
        config = _configured(size, config_file, settings or (), seed)
    except ValueError as error:
        fail("validate", " ".join(str(error).split()), 2)
    # After the arguments are checked, so that a wrong one is reported without the heavy packages too.
    if lacking := missing_line():
        fail("validate", lacking, 2)
    quiet_bars()
    from llm_validation.common.reuse import Reuse
    from llm_validation.study.run import How

    how = How(only, Reuse(any_code, only=partial))  # type: ignore[arg-type]  # checked above
    folder = _study(config, size, out, workers, how)  # type: ignore[arg-type]  # checked by _configured
    done = f"stage {only} is done" if folder is None else f"wrote {folder}"
    say(_console(), f"validate: {done}")


def _configured(preset: str, file: Path | None, settings: Sequence[str], seed: int | None) -> StudyConfig:
    """Return the preset's configuration with the changes of a file, of single settings and of the seed."""
    from llm_validation.study.settings import changed_config
    from qae_theory.runs.settings import read_setting, read_table

    changes = [] if file is None else [read_table(file, quick=preset == "quick")]
    changes += [read_setting(text) for text in settings]
    return changed_config(preset, [*changes, *([] if seed is None else [{"seed": seed}])])  # type: ignore[arg-type]


def _study(config: StudyConfig, preset: Preset, out: Path, workers: int | None, how: How) -> Path | None:
    """Run the study, or find it finished, and return its folder; None where a single stage was asked for."""
    from llm_validation.models.pretrained import PackageError
    from llm_validation.models.warmup import WarmupError
    from llm_validation.study.run import StudyError, finished_study, study
    from qae_theory.runs.provenance import usable_cores

    finished = None if how.reuse.only else finished_study(config, preset, out=out)
    if finished is not None:
        return finished
    processes = workers or (1 if preset == "gpu" else usable_cores())  # two processes would share one GPU's memory
    console = _console()
    warmed = sum(not task.own_start for task in config.tasks)
    try:
        with _shown(console) as show, _phases(console, show, warmed) as told:
            return study(config, preset, out=out, workers=processes, told=told, how=how)
    except PackageError as error:
        fail("validate", str(error), 2)
    except (StudyError, WarmupError, OSError) as error:
        fail("validate", str(error), 1)
    except KeyboardInterrupt:
        fail("validate", "interrupted; finished parts are kept, start again to go on", INTERRUPTED)


@contextmanager
def _phases(
    console: Console, show: Callable[[str, int, int], None], warmed: int
) -> Iterator[Callable[[str, int, int], None]]:
    """Yield what passes each part on to ``show`` and says when a phase begins, and how long it took.

    Args:
        console: where to.
        show: what shows the parts.
        warmed: models that are warmed up before the first part.
    """
    from qae_theory.commands.phases import Phases

    phases, ready = Phases("validate", console), 0
    phases.begin("preparing models" if warmed else "training and probing")

    def told(part: str, done: int, total: int) -> None:
        nonlocal ready
        show(part, done, total)
        ready += done == 0
        if done == 0 and ready == warmed:
            phases.begin("training and probing")
        elif done == total:
            phases.begin("writing the report")

    yield told
    phases.end()


@contextmanager
def _shown(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that shows a bar with the time left on a terminal, and a plain line per part elsewhere."""
    from rich import progress as rich

    if not console.is_terminal:
        yield lambda part, done, total: console.print(f"validate: {done} of {total}: {part}", markup=False)
        return
    columns = (rich.TextColumn("{task.description}", markup=False), rich.BarColumn(), rich.MofNCompleteColumn())
    times = (rich.TimeElapsedColumn(), rich.TimeRemainingColumn())
    with rich.Progress(*columns, *times, console=console) as bar:
        task = bar.add_task("validate", total=None)
        yield lambda part, done, total: bar.update(task, completed=done, total=total, description=part)


def _console() -> Console:
    """Return a console that neither colours nor wraps what it prints."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)
