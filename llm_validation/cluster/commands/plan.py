"""``qae cluster plan``: tell settings, nodes, memory and GPU hours of an experiment before it costs anything.

The formulas are in ``llm_validation.cluster.estimate``; this module reads arguments and prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qae_theory.commands.ending import fail

if TYPE_CHECKING:
    from rich.console import Console

    from llm_validation.cluster.estimate.plan import Plan

# Wide enough for the tables where there is no terminal to say how wide it is.
PLAIN_WIDTH = 160


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command(
        "plan",
        epilog="Examples: qae cluster plan | qae cluster plan qwen3-8b-clip-higher-qae --nodes 8 | "
        "qae cluster plan qwen3-14b-clip-higher actor_rollout_ref.rollout.n=8 --gpu H200 --json plan.json",
    )(plan)


def plan(
    experiment: Annotated[str | None, typer.Argument(help="A row of the paper; without it, the list of them.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Hydra overrides, as the job gets them.")
    ] = None,
    nodes: Annotated[int | None, typer.Option("--nodes", metavar="N", help="trainer.nnodes.")] = None,
    gpus_per_node: Annotated[
        int | None, typer.Option("--gpus-per-node", metavar="N", help="trainer.n_gpus_per_node.")
    ] = None,
    gpu_memory: Annotated[
        float | None, typer.Option("--gpu-memory", metavar="GIB", help="Memory of a GPU; the kind's own if not given.")
    ] = None,
    gpu: Annotated[str, typer.Option("--gpu", metavar="NAME", help="H100, H800, H200, H20, A100 or A800.")] = "H100",
    response_tokens: Annotated[
        float | None,
        typer.Option("--response-tokens", metavar="N", help="Mean response length; three lengths if not given."),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option("--assume", metavar="NAME=VALUE", help="An assumption that is known better; repeatable."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the plan as JSON; - for the output.")
    ] = None,
    resolved: Annotated[
        Path | None,
        typer.Option("--resolved", metavar="FILE", help="Write the whole configuration as YAML; - prints it."),
    ] = None,
) -> None:
    """Print what a run needs: settings, nodes, memory with its formulas, and GPU hours as an interval.

    Exit status: 0; 1 when the run does not fit on its GPUs or a file could not be written; 2 for wrong usage, or
    where verl is not installed.
    """
    if experiment is None:
        _list()
        return
    sizes = {"trainer.nnodes": nodes, "trainer.n_gpus_per_node": gpus_per_node}
    given = [f"{key}={value}" for key, value in sizes.items() if value is not None]
    try:
        assumed = dict(_assumption(text) for text in assume or ())
        _positive(nodes=nodes, gpus_per_node=gpus_per_node, response_tokens=response_tokens)
        config, run_plan = _planned(
            experiment,
            # The options come after the overrides, since the last one wins in Hydra.
            [*(overrides or ()), *given],
            gpu=gpu,
            gpu_memory=gpu_memory,
            response_tokens=response_tokens,
            assumed=assumed,
        )
    except (ValueError, RuntimeError) as error:
        fail("cluster plan", " ".join(str(error).split()), 2)
    if str(json_file) != "-" and str(resolved) != "-":
        _show(run_plan)
    try:
        _write(config, run_plan, json_file, resolved)
    except OSError as error:
        fail("cluster plan", f"{error.filename} cannot be written: {error.strerror}", 1)
    if not run_plan.budget.fits:
        fail("cluster plan", f"{experiment} does not fit: {'; '.join(run_plan.budget.problems)}", 1)


def _planned(
    experiment: str,
    overrides: Sequence[str],
    *,
    gpu: str,
    gpu_memory: float | None,
    response_tokens: float | None,
    assumed: Mapping[str, float],
) -> tuple[Any, Plan]:
    """Return the composed configuration of an experiment and its plan."""
    from llm_validation.cluster.estimate.hardware import gpu_named
    from llm_validation.cluster.estimate.plan import plan as planned
    from llm_validation.cluster.recipes.compose import compose
    from llm_validation.cluster.recipes.sources import composed_numbers

    card = gpu_named(gpu, gpu_memory)
    config = compose(experiment, overrides)
    return config, planned(
        experiment,
        config,
        gpu=card,
        response_tokens=response_tokens,
        assumed=assumed,
        differing=_resolved_values(config, composed_numbers(config)),
    )


def _resolved_values(config: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the job gets for these keys, interpolations resolved."""
    from llm_validation.cluster.recipes.sources import leaves
    from llm_validation.verl_engine.configuration.record import nested

    values = leaves(nested(config))
    return {key: values[key] for key in keys}


def _assumption(text: str) -> tuple[str, float]:
    """Return name and value of an option ``NAME=VALUE``."""
    from qae_theory.checks import refuse

    name, equals_sign, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")  # fails the comparison below, as every NaN does
    if not equals_sign or not 0 <= number < float("inf"):
        refuse("assume", text, "NAME=VALUE with a finite number >= 0")
    return name.strip(), number


def _positive(**numbers: float | None) -> None:
    """Refuse a number that is not finite and positive; None is a number that was not given."""
    from qae_theory.checks import refuse

    for name, value in numbers.items():
        if value is not None and not 0 < value < float("inf"):
            refuse(name, value, "a finite number > 0")


def _list() -> None:
    """Print the experiments, one per line, with what they are for."""
    from llm_validation.cluster.recipes.compose import describe, experiments

    names = experiments()
    width = max(map(len, names), default=0)
    for name in names:
        print(f"{name:{width}}  {describe(name)}")


def _show(run_plan: Plan) -> None:
    """Print the plan as text."""
    from llm_validation.cluster.estimate.plan_view import render

    render(run_plan, _console())


def _console() -> Console:
    """Return a console that is wide enough for the tables where there is no terminal."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=PLAIN_WIDTH)


def _write(config: Any, run_plan: Plan, json_file: Path | None, resolved: Path | None) -> None:
    """Write the plan as JSON and the configuration as YAML, where they were asked for."""
    if json_file is not None:
        _put(json_file, run_plan.to_json())
    if resolved is not None:
        from omegaconf import OmegaConf

        _put(resolved, OmegaConf.to_yaml(config, resolve=True))


def _put(file: Path, text: str) -> None:
    """Write a text to a file; ``-`` prints it."""
    from qae_theory.runs.files import write_atomically

    if str(file) == "-":
        print(text, end="")
    else:
        write_atomically(file, text)
