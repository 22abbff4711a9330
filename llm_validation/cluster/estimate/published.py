"""Hold published figures, each with its source, beside what the formulas give for the same run.

Nothing here enters the formulas. A run that does not state its mean response length cannot test a time; there, one
published time gives the length, and another is compared at that length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from llm_validation.cluster.estimate.assumptions import CASES, efficiency
from llm_validation.cluster.estimate.cost import seconds
from llm_validation.cluster.estimate.decoding import Replica, step_seconds
from llm_validation.cluster.estimate.from_configuration import planned_run
from llm_validation.cluster.estimate.hardware import GIB, Gpu, gpu_named
from llm_validation.cluster.estimate.memory import budget_of
from llm_validation.cluster.estimate.model_sizes import SHAPES, ModelShape
from llm_validation.cluster.estimate.planned_run import PlannedRun
from llm_validation.verl_engine.configuration.record import read
from qae_theory.checks import refuse

NEMO = "NVIDIA-NeMo/RL docs/about/performance-summary.md, v0.4"
VERL_ASYNC = "volcengine/verl docs/advance/fully_async.md, colocate sync"
VERL_SCRIPT = "volcengine/verl examples/tuning/14b/qwen2_14b_grpo_4_h800_fsdp_vllm.sh"
VERL_ISSUE = "github.com/verl-project/verl/issues/795"
A100_SWEEP = "github.com/tenstorrent/tt-inference-server/issues/340"
VLLM_LOG = "github.com/vllm-project/vllm/issues/10517"

# Sizes of models that only the published runs use; from their config.json.
LLAMA_8B = ModelShape("Llama-3.1-8B", 32, 4096, 32, 8, 128, 14336, 128256, qk_norm=False)
QWEN3_32B = ModelShape("Qwen3-32B", 64, 5120, 64, 8, 128, 25600, 151936)
QWEN25_7B = ModelShape("Qwen2.5-Math-7B", 28, 3584, 28, 4, 128, 18944, 152064, qk_norm=False, qkv_bias=True)
QWEN25_14B = ModelShape("Qwen2.5-Coder-14B", 48, 5120, 40, 8, 128, 13824, 152064, qk_norm=False, qkv_bias=True)
QWEN25_32B = ModelShape("Qwen2.5-32B", 64, 5120, 40, 8, 128, 27648, 152064, qk_norm=False, qkv_bias=True)


@dataclass(frozen=True)
class Comparison:
    """Hold a published figure and what the formulas give for the same run.

    Attributes:
        what: the figure in words.
        source: where it is published.
        unit: of all the figures.
        published: the published figure.
        cheap: the formulas' figure in the cheap case.
        central: the formulas' figure in the central case.
        dear: the formulas' figure in the dear case.
    """

    what: str
    source: str
    unit: str
    published: float
    cheap: float
    central: float
    dear: float

    @property
    def ratio(self) -> float:
        """Return the formulas' central figure over the published one."""
        return self.central / self.published

    @property
    def inside(self) -> bool:
        """Return whether the published figure lies in the formulas' interval.

        A formula without assumptions has no interval; there the figure must agree within one percent.
        """
        # Published sizes are rounded to three digits or so, hence one percent.
        if self.cheap == self.dear:
            return abs(self.ratio - 1) <= 0.01
        return self.cheap <= self.published <= self.dear


def run_settings(
    *,
    nodes: int,
    prompts: int,
    samples: int,
    mini_batch: int,
    prompt: int,
    response: int,
    tensor_parallel: int,
    gpus_per_node: int = 8,
    utilization: float = 0.6,
    **changes: Mapping[str, Any],
) -> PlannedRun:
    """Return the numbers of a published run: what it states, and verl's defaults with everything moved to the host.

    Args:
        nodes: number of nodes.
        prompts: prompts of a training batch.
        samples: responses per prompt.
        mini_batch: prompts of a mini-batch.
        prompt: longest prompt in tokens.
        response: longest response in tokens.
        tensor_parallel: GPUs of a vLLM replica.
        gpus_per_node: GPUs of a node.
        utilization: vLLM's share of a GPU's memory.
        changes: further settings of ``actor``, ``rollout`` and ``algorithm``, in verl's keys.
    """
    actor: dict[str, Any] = {
        "strategy": "fsdp2",
        "use_dynamic_bsz": True,
        "ppo_max_token_len_per_gpu": prompt + response,
        "ppo_mini_batch_size": mini_batch,
        "fsdp_config": {"param_offload": True, "optimizer_offload": True},
    }
    rollout = {"n": samples, "tensor_model_parallel_size": tensor_parallel, "gpu_memory_utilization": utilization}
    configuration = read(
        {
            "trainer": {
                "nnodes": nodes,
                "n_gpus_per_node": gpus_per_node,
                "total_training_steps": 100,
                "val_before_train": False,
            },
            "data": {"max_prompt_length": prompt, "max_response_length": response, "train_batch_size": prompts},
            "algorithm": changes.get("algorithm", {}),
            "actor_rollout_ref": {
                "model": {"path": "published"},
                "actor": actor | dict(changes.get("actor", {})),
                "rollout": rollout | dict(changes.get("rollout", {})),
            },
        }
    )
    return planned_run(configuration)


@cache
def comparisons() -> tuple[Comparison, ...]:
    """Return all published figures that test a formula directly."""
    return (*_sizes(), *_decoding_steps(), *_nemo_steps(), *_verl_phases(), *_dapo_share())


def _sizes() -> Iterator[Comparison]:
    """Yield comparisons of formulas that have no assumptions."""
    llama, moe = LLAMA_8B, SHAPES["Qwen3-30B-A3B"]
    yield _exact(
        "vLLM, Llama-3.1-8B: tokens in 3.81 GiB of cache",
        VLLM_LOG,
        "tokens",
        1952 * 16,
        3.81 * GIB / llama.kv_bytes_per_token(),
    )
    yield _exact("vLLM, Llama-3.1-8B: weights", VLLM_LOG, "GiB", 14.9888, 2 * llama.parameters / GIB)
    yield _exact(
        "Qwen3-30B-A3B: cache of a token",
        "github.com/aweussom/NoLlama/issues/21",
        "KiB",
        96,
        moe.kv_bytes_per_token() / 1024,
    )


def _exact(what: str, source: str, unit: str, published: float, ours: float) -> Comparison:
    """Return a comparison with a formula that has no assumptions."""
    return Comparison(what, source, unit, published, ours, ours, ours)


def _decoding_steps() -> Iterator[Comparison]:
    """Yield the milliseconds per token of a single request, 128 tokens in and 128 out."""
    for name, published in (("Qwen3-14B", 24.3), ("Qwen3-30B-A3B", 9.6)):
        times = [
            1e3 * float(step_seconds(_alone(SHAPES[name], gpu_named("A100"), case), np.asarray(1.0), np.asarray(192.0)))
            for case in CASES
        ]
        yield Comparison(f"vLLM on A100, {name}: a token, one request", A100_SWEEP, "ms", published, *times)


def _alone(shape: ModelShape, gpu: Gpu, case: str) -> Replica:
    """Return a replica on one GPU that serves a single request."""
    return Replica(shape, gpu, efficiency(case), 1, 1, 1e6)


def _nemo_steps() -> Iterator[Comparison]:
    """Yield whole steps of NeMo RL's GRPO on H100: 64 prompts x 32, with length, tokens and seconds stated.

    Their engine is Megatron: weights are cut, not gathered, so that the network term is left out (fsdp_size 1). Their
    step has a pass for the reference model too. The mean prompt is what their tokens per second leave over.
    """
    for shape, nodes, tensor_parallel, mean, rate, step in (
        (LLAMA_8B, 2, 1, 1060.0, 1562.0, 97.7),
        (SHAPES["Qwen3-30B-A3B"], 4, 4, 3154.0, 925.0, 225.0),
        (QWEN3_32B, 4, 4, 3206.0, 540.0, 393.0),
    ):
        settings = run_settings(
            nodes=nodes,
            prompts=64,
            samples=32,
            mini_batch=16,
            prompt=512,
            response=4096,
            tensor_parallel=tensor_parallel,
            actor={"use_kl_loss": True, "fsdp_config": {"fsdp_size": 1}},
        )
        prompt = rate * step * settings.gpus / 2048 - mean
        times = [seconds(settings, shape, gpu_named(), case, mean, prompt_tokens=prompt).step for case in CASES]
        what = f"NeMo RL, {shape.name} on {settings.gpus} H100: a step"
        yield Comparison(what, NEMO, "s", step, *times)


# By number of GPUs: seconds of generation, log-probabilities and update, the means of 400 steps (source: VERL_ASYNC).
VERL_H20: Mapping[int, Mapping[str, float]] = {
    32: {"generation": 357.41, "log-probabilities": 107.71, "update": 269.80},
    64: {"generation": 150.72, "log-probabilities": 70.26, "update": 133.41},
    128: {"generation": 177.85, "log-probabilities": 53.92, "update": 113.81},
}


def verl_h20(gpus: int) -> PlannedRun:
    """Return the settings of verl's published DAPO runs on H20 nodes of eight GPUs each."""
    return run_settings(
        nodes=gpus // 8, prompts=512, samples=16, mini_batch=32, prompt=2048, response=28672, tensor_parallel=1
    )


def _verl_phases() -> Iterator[Comparison]:
    """Yield two phases of verl's runs on H20, at the length that gives the update its time in the central case."""
    gpu = gpu_named("H20")
    for gpus, found in VERL_H20.items():
        settings = verl_h20(gpus)
        length = length_of(settings, QWEN25_7B, gpu, lambda phases: phases["update"], found["update"])
        cases = [seconds(settings, QWEN25_7B, gpu, case, length).phases for case in CASES]
        for phase in ("generation", "log-probabilities"):
            what = f"verl, Qwen2.5-Math-7B on {gpus} H20: {phase}, at {length:.0f} tokens by the update"
            yield Comparison(what, VERL_ASYNC, "s", found[phase], *(case[phase] for case in cases))


def _dapo_share() -> Iterator[Comparison]:
    """Yield generation's share of a DAPO step of Qwen2.5-32B on 128 A800; 230 steps in 5 days give the length."""
    gpu, settings = gpu_named("A800"), _dapo_32b()
    length = length_of(settings, QWEN25_32B, gpu, lambda phases: sum(phases.values()), 5 * 86400 / 230)
    cases = [seconds(settings, QWEN25_32B, gpu, case, length) for case in CASES]
    shares = sorted(case.phases["generation"] / case.step for case in cases)
    what = f"DAPO, Qwen2.5-32B on 128 A800: generation's share, at {length:.0f} tokens by the step"
    yield Comparison(what, f"{VERL_ISSUE}; volcengine/verl docs/advance/one_step_off.md", "", 0.70, *shares)


def _dapo_32b() -> PlannedRun:
    """Return the settings of DAPO's run of Qwen2.5-32B on 128 GPUs."""
    return run_settings(
        nodes=16,
        prompts=512,
        samples=16,
        mini_batch=32,
        prompt=2048,
        response=20480,
        tensor_parallel=4,
        utilization=0.8,
        algorithm={"filter_groups": {"enable": True, "max_inflight_gen_batches": 3}},
        actor={"ulysses_sequence_parallel_size": 8},
    )


def length_of(
    settings: PlannedRun, shape: ModelShape, gpu: Gpu, time: Callable[[Mapping[str, float]], float], wanted: float
) -> float:
    """Return the mean response length, to a token, at which the central case takes ``wanted`` seconds.

    Args:
        settings: the run's numbers.
        shape: the model's sizes.
        gpu: each of its GPUs.
        time: the seconds that are meant, given those of all phases.
        wanted: seconds.

    Raises:
        ValueError: no allowed length takes that long.
    """

    def at(length: float) -> float:
        return time(seconds(settings, shape, gpu, "central", length).phases)

    low, high = 1.0, float(settings.max_response)
    if not at(low) <= wanted <= at(high):
        refuse("wanted", wanted, f"between {at(low):.3g} and {at(high):.3g} seconds")
    while high - low > 1:  # bisection: time rises with length in every phase
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) < wanted else (low, middle)
    return high


@dataclass(frozen=True)
class Ran:
    """Hold a run that is known to have fitted on its GPUs, and the memory that the formulas give it.

    Attributes:
        what: the run in words.
        source: where it is published.
        gpu_gib: memory of a GPU in GiB.
        tightest: name of the phase that takes most.
        gib: GiB of that phase by the formulas.
    """

    what: str
    source: str
    gpu_gib: float
    tightest: str
    gib: float


def fitted() -> tuple[Ran, ...]:
    """Return verl's script with the fewest GPUs for a 14B model, at two mean lengths of its micro-batch of 16.

    The script has static micro-batches: at full length they would have 16 x 2048 tokens, on GSM8K far fewer.
    """
    runs = []
    for tokens in (2048, 512):
        settings = run_settings(
            nodes=1,
            gpus_per_node=4,
            prompts=1024,
            samples=5,
            mini_batch=256,
            prompt=tokens // 2,
            response=tokens // 2,
            tensor_parallel=4,
            utilization=0.5,
            actor={
                "strategy": "fsdp",
                "use_dynamic_bsz": False,
                "ppo_micro_batch_size_per_gpu": 16,
                "use_kl_loss": True,
            },
            rollout={"log_prob_micro_batch_size_per_gpu": 16},
        )
        gpu = gpu_named("H800")
        tight = budget_of(settings, QWEN25_14B, gpu=gpu).tightest
        what = f"verl, Qwen2.5-Coder-14B on 4 H800, sequences of {tokens}"
        ran = Ran(
            what=what,
            source=VERL_SCRIPT,
            gpu_gib=gpu.memory_gib,
            tightest=tight.name,
            gib=tight.bytes / GIB,
        )
        runs.append(ran)
    return tuple(runs)
