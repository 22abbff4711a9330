"""``qae evaluate``: read the arguments, show the progress, and print pass@k of a model on a task.

What is sampled, scored and written is in ``evaluation``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_validation.common.quiet import quiet_bars
from qae_theory.commands.ending import INTERRUPTED, fail
from qae_theory.commands.places import require_folder
from qae_theory.commands.wrapping import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "evaluate",
        epilog="Examples: qae evaluate tiny --task digits --questions 50 | qae evaluate Qwen/Qwen3-0.6B --task AIME25 "
        "--engine vllm --max-new-tokens 8192",
    )(evaluate)


def evaluate(
    model: Annotated[str, typer.Argument(help="A preset's name, a checkpoint's folder, or a model hub's name.")],
    task: Annotated[str, typer.Option("--task", help="A task's name, gym:NAME, a .jsonl file, or a dataset's name.")],
    engine: Annotated[str, typer.Option("--engine", help="transformers, or vllm.")] = "transformers",
    split: Annotated[str, typer.Option("--split", help="eval, or train.")] = "eval",
    questions: Annotated[
        int | None, typer.Option("--questions", help="How many; all of a file, 1,024 of a generator if not given.")
    ] = None,
    samples: Annotated[int, typer.Option("--samples", help="Responses to each question.")] = 32,
    k: Annotated[str, typer.Option("--k", metavar="A,B", help="The k of pass@k.")] = "1,16",
    temperature: Annotated[float, typer.Option("--temperature", help="0 takes the likeliest token.")] = 0.7,
    top_p: Annotated[float, typer.Option("--top-p", help="Probability of the tokens to choose from.")] = 1.0,
    max_new_tokens: Annotated[
        int | None, typer.Option("--max-new-tokens", help="Longest response; the task's if not given.")
    ] = None,
    extraction: Annotated[
        str,
        typer.Option(
            "--extraction", help="Where answers are: auto, box, tags, hash, first-line, last-line, a pattern."
        ),
    ] = "auto",
    stop: Annotated[
        list[str] | None, typer.Option("--stop", help=r"Text that ends a response; \n is a new line; repeatable.")
    ] = None,
    chat_template: Annotated[
        str | None, typer.Option("--chat-template", metavar="FILE", help="own, the model's; or a file of Jinja.")
    ] = None,
    system_prompt: Annotated[
        str | None, typer.Option("--system-prompt", help="What stands before the question in the template.")
    ] = None,
    dtype: Annotated[
        str, typer.Option("--dtype", help="float32, bfloat16; auto: float32 on a CPU, bfloat16 on a GPU.")
    ] = "auto",
    batch: Annotated[
        int, typer.Option("--batch", min=1, help="Responses sampled at once by transformers; changes no result.")
    ] = 256,
    seed: Annotated[int, typer.Option("--seed", help="Of the questions and the samples.")] = 0,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Results folder.")] = Path("results"),
) -> None:
    """Estimate pass@k without bias, with bootstrap intervals over the questions.

    Exit status: 0; 1 when results could not be had or written; 2 for wrong usage.
    """
    require_folder("evaluate", out)
    settings: dict[str, Any] = {
        "model": model,
        "task": task,
        "engine": engine,
        "split": split,
        "questions": questions,
        "samples": samples,
        "k": _numbers(k),
        "temperature": temperature,
        "top_p": top_p,
        "max_new_tokens": max_new_tokens,
        "extraction": extraction,
        "chat_template": chat_template,
        "system_prompt": system_prompt,
        "dtype": dtype,
        "seed": seed,
    }
    quiet_bars()
    from rich.console import Console

    from llm_validation.engines.stops import unescaped

    console = Console(highlight=False, soft_wrap=True)
    settings["stop"] = [unescaped(text) for text in stop or ()]
    folder = _evaluated(settings, out, batch, console)
    # Read back from the folder, so that what is printed is what was stored.
    for line in report(json.loads((folder / "summary.json").read_text(encoding="utf-8"))):
        say(console, line)
    say(console, f"results in {folder}")


def _evaluated(settings: Mapping[str, Any], out: Path, batch: int, console: Console) -> Path:
    """Return the folder of the evaluation with these settings; end the command where it cannot be made."""
    from llm_validation.evaluate import evaluation
    from qae_theory.runs.settings import checked

    try:
        config = checked(evaluation.EvaluationConfig, [settings])
        with _progress(console) as show:
            return evaluation.evaluate(config, out=out, batch=batch, told=show)
    except ValueError as error:
        fail("evaluate", " ".join(str(error).split()), 2)
    except (RuntimeError, OSError, MemoryError) as error:  # a verifier's or a device's; a full disk
        fail("evaluate", " ".join(str(error).split()) or type(error).__name__, 1)
    except KeyboardInterrupt:
        fail("evaluate", "interrupted; nothing was written", INTERRUPTED)


def report(summary: Mapping[str, Any]) -> list[str]:
    """Return one line for each k, then what a reader must know beside it.

    Args:
        summary: the contents of ``summary.json``.
    """
    sentences = []
    for k, figure in summary["pass_at_k"].items():
        interval = ""
        if figure["low"] is not None:
            interval = f" [{figure['low']:.4f}, {figure['high']:.4f}] ({100 * figure['level']:g} %)"
        sentences.append(f"pass@{k} {figure['estimate']:.4f}{interval}")
    scored = summary["questions"] - summary["unscorable"]
    sentences.append(
        f"{scored} questions, {summary['samples']} samples each at temperature {summary['temperature']:g}; "
        f"{summary['mean_tokens']:.1f} tokens on average, {100 * summary['finished']:.1f} % ended by themselves; "
        f"{_outcomes(summary['scoring'])}"
    )
    if summary["unscorable"]:
        sentences.append(f"{summary['unscorable']} questions left out: their answers cannot be read")
    return sentences


def _outcomes(responses: Mapping[str, int]) -> str:
    """Return how many responses came to each outcome, without the outcomes that none came to."""
    kinds = ("right", "wrong", "unreadable", "undecided", "timed_out")
    return ", ".join(f"{responses[kind]} {kind.replace('_', ' ')}" for kind in kinds if responses[kind])


def _numbers(text: str) -> list[int]:
    """Return the whole numbers of an option; end the command where they are none."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        fail("evaluate", f"--k must be whole numbers with commas between them; got {text!r}", 2)


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows a bar on a terminal, and otherwise a plain line at every tenth of the questions."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        row = bar.add_task("questions", total=None)
        yield lambda done, total: bar.update(row, completed=done, total=total)


class _Lines:
    """Print a plain line whenever another tenth of the questions is done."""

    def __init__(self, console: Console) -> None:
        self._console, self._tenths = console, 0

    def __call__(self, done: int, total: int) -> None:
        before, self._tenths = self._tenths, done * 10 // total
        if self._tenths > before:
            self._console.print(f"{done} of {total} questions", markup=False)
