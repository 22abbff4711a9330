"""Show a plan as text: tables on a terminal, the same lines without colour elsewhere. It computes no figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from llm_validation.cluster.estimate.assumptions import CASES
from llm_validation.cluster.estimate.cost import PHASES, Cost
from llm_validation.cluster.estimate.hardware import GIB
from llm_validation.cluster.estimate.memory import Phase
from llm_validation.cluster.estimate.plan import Plan

if TYPE_CHECKING:
    from rich.console import Console


def render(plan: Plan, console: Console) -> None:
    """Print a plan; where there is no terminal, without the blanks that fill up a table's lines.

    Args:
        plan: the plan.
        console: where it is printed.
    """
    if console.is_terminal:
        _print(plan, console)
        return
    with console.capture() as captured:
        _print(plan, console)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=console.file)


def _print(plan: Plan, console: Console) -> None:
    """Print the sections of a plan, each below its title."""
    for title, contents in _sections(plan):
        console.print(title, style="bold", markup=False)
        for content in contents:
            if isinstance(content, str):
                # Without markup: a setting such as [a, b] is text and no style.
                console.print(f"  {content}", markup=False)
            else:
                console.print(content)
        console.print()


def _sections(plan: Plan) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the title of each section with its lines of text and tables."""
    budget = plan.budget
    yield f"{plan.experiment}: {plan.description}", _run_lines(plan)
    if plan.differing:
        settings = [(key, _text(value)) for key, value in sorted(plan.differing.items())]
        yield "Settings that are not verl's own", [_table(("", ""), settings)]
    if plan.open_choices:
        yield "What the paper leaves open", list(plan.open_choices)
    yield "Memory of a GPU, by phase (GiB)", [_memory_table(budget.phases)]
    yield "Memory: what it says", _memory_lines(plan)
    yield "Host and storage (GiB)", [_memory_table((budget.host, budget.disk))]
    if plan.costs:
        yield "GPU hours, by mean response length", [_hours_table(plan.costs), _total(plan)]
        yield "A step of the central case (seconds)", [_seconds_table(plan.costs)]
    yield "Formulas", [_table(("", ""), list(PHASES.items()))]
    yield "Assumptions", [_assumptions_table(plan)]


def _run_lines(plan: Plan) -> list[str]:
    """Return what the run is: its GPUs, its model and its steps."""
    run, shape, gpu = plan.settings, plan.shape, plan.gpu
    nodes, gpus = _several(run.nodes, "node"), _several(run.gpus, "GPU")
    return [
        f"{nodes} x {run.gpus_per_node} {gpu.name} of {gpu.memory_gib:g} GiB = {gpus}",
        f"{shape.name}: {count(shape.parameters)} parameters, {count(shape.active_parameters)} active for a token",
        f"{run.steps} steps of {run.prompts} prompts x {run.responses_per_prompt} responses, each "
        f"{_several(run.updates_per_step, 'update')}; at most {run.max_prompt} + {run.max_response} tokens",
    ]


def _assumptions_table(plan: Plan) -> Any:
    """Return a table of the assumptions in the three cases, with their reasons."""
    rows = []
    for name, reason in plan.assumed.items():
        values = [f"{getattr(reason, case):g}" for case in CASES]
        rows.append((name, *values, reason.why))
    return _table(("", *CASES, "why"), rows)


def _memory_lines(plan: Plan) -> list[str]:
    """Return what the memory comes to: the tightest phases, vLLM's cache, and whether the run fits."""
    budget, cache, memory = plan.budget, plan.budget.cache, plan.gpu.memory_gib
    return [
        f"saturates first: {_tight(budget.tightest, memory)}",
        f"while the actor works: {_tight(budget.tightest_of_actor, memory)}",
        f"vLLM's cache: {cache.bytes_per_token / 1024:g} KiB a token on a GPU, {cache.tokens:,.0f} tokens, in each of "
        f"{plan.settings.replicas} replicas {cache.full_sequences} sequences of full length at once",
        *(f"does not fit: {problem}" for problem in budget.problems),
        *(["fits"] if budget.fits else []),
    ]


def _tight(phase: Phase, memory: float) -> str:
    """Return a phase with its memory and its largest part."""
    return f"{phase.name}, {gib(phase.bytes)} of {memory:g} GiB, most of it {phase.largest.name}"


def _total(plan: Plan) -> str:
    """Return the interval of GPU hours as a sentence."""
    cheap, central, dear = plan.gpu_hours or (0.0, 0.0, 0.0)
    caution = "at each end every assumption is at its own end at once"
    return f"{central:,.0f} GPU hours, between {cheap:,.0f} and {dear:,.0f}: {caution}"


def _memory_table(phases: Sequence[Phase]) -> Any:
    """Return a table of phases, each followed by its parts."""
    rows = []
    for phase in phases:
        rows.append((phase.name, gib(phase.bytes), ""))
        rows += [(f"  {part.name}", gib(part.bytes), part.formula) for part in phase.parts]
    return _table(("", "GiB", "formula"), rows)


def _hours_table(costs: Sequence[Cost]) -> Any:
    """Return a table of GPU hours by mean response length."""
    header = ("response tokens", *CASES, "central: hours by the clock", "groups for one kept", "at once in a replica")
    rows = []
    for cost in costs:
        central = cost.central
        hours = [f"{hours:,.0f}" for hours in cost.gpu_hours]
        figures = (f"{central.hours:,.1f}", f"{central.groups_per_kept:.2f}", f"{central.at_once:,.0f}")
        rows.append((f"{cost.response_tokens:,.0f}", *hours, *figures))
    return _table(header, rows)


def _seconds_table(costs: Sequence[Cost]) -> Any:
    """Return a table of the central case's seconds by phase and mean response length."""
    header = ("", *(f"{cost.response_tokens:,.0f} tokens" for cost in costs))
    rows = []
    for name in PHASES:
        seconds = [f"{cost.central.phases[name]:,.1f}" for cost in costs]
        rows.append((name, *seconds))
    return _table(header, [*rows, ("step", *(f"{cost.central.step:,.1f}" for cost in costs))])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """Return a table without lines; a header of empty texts is not shown."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=any(header), pad_edge=False, header_style="", padding=(0, 2, 0, 0))
    for index, name in enumerate(header):
        table.add_column(Text(name), justify="left", overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def gib(size: float) -> str:
    """Return a number of bytes in GiB, with one digit behind the point."""
    return f"{size / GIB:,.1f}"


def count(number: float) -> str:
    """Return a count of parameters in billions, or in millions where it is less than one billion."""
    return f"{number / 1e9:.2f}e9" if number >= 1e9 else f"{number / 1e6:.2f}e6"


def _several(number: int, of: str) -> str:
    """Return a number with its noun, in the plural where it is not one."""
    return f"{number} {of}{'' if number == 1 else 's'}"


def _text(value: Any) -> str:
    """Return a setting as YAML writes it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
