"""``qae cluster data`` and ``qae cluster smoke-model``: write the files that a run of verl starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_validation.common.quiet import quiet_bars
from qae_theory.commands.ending import fail


def register(group: typer.Typer) -> None:
    """Add the commands to ``qae cluster``."""
    group.command(
        "data",
        epilog="Examples: qae cluster data DAPO-Math-17k --out data/dapo-math-17k.parquet | qae cluster data digits "
        "--split eval --count 64 --out data/digits-test.parquet",
    )(data)
    group.command("smoke-model", epilog="Example: qae cluster smoke-model --out models/tiny-qwen3")(smoke_model)


def data(
    source: Annotated[
        str,
        typer.Argument(
            help="A task (digits, addition, products, logic), gym:NAME, a .jsonl file, DAPO-Math-17k, AIME24, AIME25, "
            "AMC23, or owner/name of a Hugging Face dataset."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="New file: .parquet, or .jsonl.")],
    data_source: Annotated[
        str | None,
        typer.Option("--data-source", metavar="NAME", help="Chooses the scorer: math_dapo, aime2024, qae/digits."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="train or eval.")] = "train",
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="How many are drawn; repetitions are left out.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draw.")] = 0,
    instruct: Annotated[
        bool | None,
        typer.Option(
            "--instruct/--as-is",
            help="DAPO's instruction around each question, or not; by default unless the task is ours.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write questions as a data file of verl, each question once.

    Exit status: 0; 1 when the file could not be written; 2 for wrong usage.
    """
    from llm_validation.cluster.recipes.data import write_data

    quiet_bars()

    if out.exists() and not force:
        fail("cluster data", f"--out must be new, or --force given; {str(out)!r} is there", 2)
    try:
        written = write_data(
            source, out, data_source=data_source, split=split, count=count, seed=seed, instruct=instruct
        )
    except ValueError as error:
        fail("cluster data", str(error), 2)
    except OSError as error:
        fail("cluster data", f"{out} could not be written: {error.strerror or error}", 1)
    left_out = f", {written.repeats} repetitions left out" if written.repeats else ""
    other = f" ({written.contradictions} of them with another answer)" if written.contradictions else ""
    print(f"data: wrote {written.rows} questions to {out}{left_out}{other}")


def smoke_model(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder.")],
    preset: Annotated[str, typer.Option("--preset", help="arithmetic, tiny, small or gpu.")] = "tiny",
    task: Annotated[str, typer.Option("--task", help="What it is warmed up on.")] = "digits",
    success: Annotated[float, typer.Option("--success", help="Share of right answers to reach, in (0, 1).")] = 0.3,
    cache: Annotated[Path, typer.Option("--cache", metavar="DIR", help="Results folder, for warm-ups.")] = Path(
        "results"
    ),
) -> None:
    """Write a tiny Qwen3 that answers some questions right, for the smoke variant.

    Exit status: 0; 1 when it could not be made; 2 for wrong usage.
    """
    from llm_validation.cluster.recipes.smoke_model import write_smoke_model
    from llm_validation.models.warmup import WarmupError

    quiet_bars()

    if not 0 < success < 1:
        fail("cluster smoke-model", f"--success must be between 0 and 1; got {success}", 2)
    try:
        write_smoke_model(out, preset=preset, task=task, success=success, cache=cache)
    except ImportError as error:
        fail("cluster smoke-model", f"{error.name} is not installed; pip install 'qae-verification[verl]' brings it", 2)
    except ValueError as error:
        fail("cluster smoke-model", " ".join(str(error).split()), 2)
    except (WarmupError, OSError) as error:
        fail("cluster smoke-model", str(error), 1)
    print(f"smoke-model: wrote {out}")
