"""Make the tables of docs/scale.md from the formulas, so that the page cannot go stale.

``python -m llm_validation.cluster.estimate.scale [--check] [--page FILE]`` rewrites what is between the page's markers
and nothing else. The settings here are those of the experiments, written out so that verl is not needed; a test holds
the two against each other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from llm_validation.cluster.estimate.assumptions import CASES, REASONS
from llm_validation.cluster.estimate.cost import cost_of
from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.hardware import Gpu, gpu_named
from llm_validation.cluster.estimate.memory import Budget, Phase, budget_of
from llm_validation.cluster.estimate.model_sizes import SHAPES, shape_of
from llm_validation.cluster.estimate.plan_view import count, gib
from llm_validation.cluster.estimate.planned_run import PlannedRun
from llm_validation.cluster.estimate.published import comparisons, fitted
from llm_validation.verl_engine.configuration.record import read
from qae_theory.claims.report_markdown import table
from qae_theory.runs.files import write_atomically

PAGE = Path("docs/scale.md")
LENGTHS = (2048, 4096, 8192)
NODES = (1, 2, 4, 8, 16, 32)
LIMITS = (8192, 20480, 32768)
# By model: nodes, tensor parallelism of vLLM, prompts of a mini-batch, as in the experiments of EXPERIMENTS.
ROWS: Mapping[str, tuple[int, int, int]] = {
    "Qwen3-8B": (4, 1, 32),
    "Qwen3-14B": (8, 2, 32),
    "Qwen3-30B-A3B": (8, 4, 128),
}
EXPERIMENTS: Mapping[str, str] = {
    "Qwen3-8B": "qwen3-8b-clip-higher",
    "Qwen3-14B": "qwen3-14b-clip-higher",
    "Qwen3-30B-A3B": "qwen3-30b-a3b-gspo",
}


def row_settings(model: str, *, nodes: int | None = None, response: int = 20480, offload: bool = True) -> PlannedRun:
    """Return the settings of a row of the paper, with some of them changed.

    Args:
        model: one of :data:`ROWS`.
        nodes: number of nodes; by default the row's own.
        response: longest response in tokens.
        offload: whether weights and optimiser states wait in the host's memory.
    """
    own_nodes, tensor_parallel, mini_batch = ROWS[model]
    tokens = 2048 + response
    actor = {
        "strategy": "fsdp2",
        "fsdp_config": {"param_offload": offload, "optimizer_offload": offload},
        "ulysses_sequence_parallel_size": 4,
        "use_dynamic_bsz": True,
        "ppo_max_token_len_per_gpu": tokens,
        "ppo_mini_batch_size": mini_batch,
    }
    rollout = {
        "n": 16,
        "gpu_memory_utilization": 0.8,
        "max_num_batched_tokens": tokens,
        "tensor_model_parallel_size": tensor_parallel,
        "val_kwargs": {"n": 32},
    }
    trainer = {
        "nnodes": nodes or own_nodes,
        "n_gpus_per_node": 8,
        "total_training_steps": 300,
        "test_freq": 5,
        "save_freq": 25,
        "max_actor_ckpt_to_keep": 2,
        "rollout_data_dir": "rollouts",
        "validation_data_dir": "validation",
        "v1": {"trainer_mode": "qae_probe"},
        "probe": {"every": 5, "counterfactual_every": 0, "counterfactual_arms": []},
    }
    configuration = read(
        {
            "trainer": trainer,
            "data": {"max_prompt_length": 2048, "max_response_length": response, "train_batch_size": 512},
            "algorithm": {"filter_groups": {"enable": True, "max_inflight_gen_batches": 3}},
            "actor_rollout_ref": {"model": {"path": f"Qwen/{model}-Base"}, "actor": actor, "rollout": rollout},
        }
    )
    return planned_run(configuration)


def models() -> str:
    """Return a table of parameters, and of what a number of bytes each makes of them."""
    header = [
        "Model",
        "Parameters",
        "Active",
        "Weights, 16 bits",
        "Weights, gradients, Adam, 32 bits",
        "Cache of a token",
    ]
    rows = [
        [
            shape.name,
            count(shape.parameters),
            count(shape.active_parameters),
            f"{gib(2.0 * shape.parameters)} GiB",
            f"{gib(16.0 * shape.parameters)} GiB",
            f"{shape.kv_bytes_per_token() / 1024:g} KiB",
        ]
        for shape in SHAPES.values()
    ]
    return table(header, rows)


def memory() -> str:
    """Return a table of the GiB of a GPU in each phase, for the three rows."""
    gpu = gpu_named()
    budgets = {model: _budget(row_settings(model), gpu) for model in ROWS}
    header = ["Phase", *(f"{model}, {ROWS[model][0]} x 8" for model in ROWS)]
    rows = []
    for phase_of_models in zip(*(budget.phases for budget in budgets.values()), strict=True):
        rows.append([phase_of_models[0].name, *map(_with_largest, phase_of_models)])
    for name, text_of in _elsewhere().items():
        rows.append([name, *map(text_of, budgets.values())])
    return table(header, rows)


def _elsewhere() -> Mapping[str, Callable[[Budget], str]]:
    """Return what is shown below the phases: the text of each by its name."""
    return {
        "full sequences in a replica's cache": lambda budget: str(budget.cache.full_sequences),
        "host memory of a node": lambda budget: _with_largest(budget.host),
        "shared storage": lambda budget: _with_largest(budget.disk),
    }


def _with_largest(phase: Phase) -> str:
    """Return the GiB of a phase with those of its largest part."""
    return f"{gib(phase.bytes)} ({phase.largest.name.removesuffix(', moved there')} {gib(phase.largest.bytes)})"


def _budget(settings: PlannedRun, gpu: Gpu) -> Budget:
    """Return the memory of a run at a fifth of the longest response, the central assumption."""
    return budget_of(settings, shape_of(settings.model), gpu=gpu, response_tokens=0.2 * settings.max_response)


def fewest_nodes() -> str:
    """Return a table of the fewest nodes of eight GPUs on which a row fits, by GPU and by what is moved to the host."""
    columns = list(product(("A100", "H100", "H200"), (True, False)))
    header = ["Model", *(f"{name}, {'moved' if offload else 'kept'}" for name, offload in columns)]
    rows = []
    for model in ROWS:
        rows.append([model, *(_fewest(model, gpu_named(name), offload=offload) for name, offload in columns)])
    return table(header, rows)


def _fewest(model: str, gpu: Gpu, *, offload: bool) -> str:
    """Return the fewest of :data:`NODES` on which a row fits, as text."""
    for nodes in NODES:
        if _budget(row_settings(model, nodes=nodes, offload=offload), gpu).fits:
            return str(nodes)
    return f"more than {NODES[-1]}"


def hours_by_length() -> str:
    """Return a table of the GPU hours of 300 steps by mean response length."""
    return _hours_table(product(ROWS, (None,), LENGTHS))


def hours_by_nodes() -> str:
    """Return a table of the GPU hours of 300 steps by nodes, at 4,096 tokens."""
    return _hours_table(product(ROWS, NODES[1:], (4096,)))


def _hours_table(cases: Iterator[tuple[str, int | None, int]]) -> str:
    """Return a table of GPU hours for cases of model, nodes and mean response length."""
    case_heads = [f"GPU hours, {case}" for case in CASES]
    return table(["Model, nodes", "Mean response", *case_heads, "Hours", "Generation", "At once"], list(_hours(cases)))


def _hours(cases: Iterator[tuple[str, int | None, int]]) -> Iterator[list[str]]:
    """Yield the rows of a table of GPU hours."""
    for model, nodes, length in cases:
        settings = row_settings(model, nodes=nodes)
        cost = cost_of(settings, shape_of(settings.model), gpu=gpu_named(), response_tokens=length)
        central = cost.central
        yield [
            f"{model}, {settings.nodes}",
            f"{length:,}",
            *(f"{hours:,.0f}" for hours in cost.gpu_hours),
            f"{central.hours:,.0f}",
            f"{central.phases['generation'] / central.step:.0%}",
            f"{central.at_once:,.0f}",
        ]


def limits() -> str:
    """Return a table of what the longest allowed response changes, at a mean of 4,096 tokens."""
    header = [
        "Model",
        "Longest",
        "Full sequences in the cache",
        "At once",
        "Log-probabilities, GiB",
        "GPU hours, central",
    ]
    rows = []
    for model in ROWS:
        for limit in LIMITS:
            settings = row_settings(model, response=limit)
            budget = _budget(settings, gpu_named())
            cost = cost_of(settings, shape_of(settings.model), gpu=gpu_named(), response_tokens=4096)
            passes = next(phase for phase in budget.phases if phase.name == "log-probabilities")
            rows.append(
                [
                    model,
                    f"{limit:,}",
                    str(budget.cache.full_sequences),
                    f"{cost.central.at_once:,.0f}",
                    gib(passes.bytes),
                    f"{cost.central.gpu_hours:,.0f}",
                ]
            )
    return table(header, rows)


def published() -> str:
    """Return a table of published figures beside those of the formulas."""
    header = ["What", "Published", "Ours: cheap, central, dear", "Ours / theirs", "Inside", "Source"]
    rows = [
        [
            found.what,
            f"{_number(found.published)} {found.unit}".strip(),
            ", ".join(map(_number, dict.fromkeys((found.cheap, found.central, found.dear)))),
            f"{found.ratio:.2f}",
            "yes" if found.inside else "**no**",
            found.source,
        ]
        for found in comparisons()
    ]
    return table(header, rows)


def ran() -> str:
    """Return a table of runs that fitted, with the memory that the formulas give them."""
    header = ["What", "GPU, GiB", "Ours, GiB", "Phase", "Fits by the formula", "Source"]
    rows = [
        [
            run.what,
            f"{run.gpu_gib:g}",
            f"{run.gib:.1f}",
            run.tightest,
            "yes" if run.gib <= run.gpu_gib else "**no**",
            run.source,
        ]
        for run in fitted()
    ]
    return table(header, rows)


def assumptions() -> str:
    """Return a table of the assumptions with their reasons."""
    rows = []
    for name, reason in REASONS.items():
        values = [f"{getattr(reason, case):g}" for case in CASES]
        rows.append([f"`{name}`", *values, reason.why])
    return table(["Assumption", *CASES, "Why"], rows)


def _number(value: float) -> str:
    """Return a number with thousands separated, or with four digits where it is below a thousand."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


TABLES: Mapping[str, Callable[[], str]] = {
    "models": models,
    "memory": memory,
    "fewest-nodes": fewest_nodes,
    "hours-by-length": hours_by_length,
    "hours-by-nodes": hours_by_nodes,
    "limits": limits,
    "published": published,
    "ran": ran,
    "assumptions": assumptions,
}


def with_tables(text: str, made: Mapping[str, str]) -> str:
    """Return the page with each table between its own two markers.

    Args:
        text: the page.
        made: the tables in Markdown, by name.

    Raises:
        ValueError: a table's markers are not there exactly once and in order.
    """
    for name, body in made.items():
        begin, end = f"<!-- scale:{name}:begin -->", f"<!-- scale:{name}:end -->"
        before, _, rest = text.partition(begin)
        _, marker, after = rest.partition(end)
        if not marker or text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the page needs the lines {begin} and {end}, once each and in this order")
        text = f"{before}{begin}\n{body}\n{end}{after}"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables, or with ``--check`` say whether the page has them; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m llm_validation.cluster.estimate.scale",
        description="Write the tables of docs/scale.md from the formulas.",
    )
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a table differs")
    options = parser.parse_args(arguments)
    try:
        text = options.page.read_text(encoding="utf-8")
        wanted = with_tables(text, {name: make() for name, make in TABLES.items()})
    except (OSError, ValueError) as error:
        print(f"scale: {error}", file=sys.stderr)
        return 2
    if text == wanted:
        return 0
    if options.check:
        print(f"scale: {options.page} is not what the formulas give; write it with this command", file=sys.stderr)
        return 1
    write_atomically(options.page, wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
