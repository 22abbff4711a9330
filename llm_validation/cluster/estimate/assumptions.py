"""State what no formula gives: efficiency of GPUs and networks, length of responses, difficulty of questions.

Each assumption has three values, for a cheap, a central and a dear run. They were chosen before the estimates were
held against published figures (``published``) and stay as they are: a published figure outside the interval is
reported, not tuned away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qae_theory.checks import refuse

CASES = ("cheap", "central", "dear")
# Assumptions that are shares and so at most 1, and those that may be 0; all others must be positive.
SHARES = frozenset({"arithmetic", "decode_bandwidth", "decode_arithmetic", "length_share", "cut_share"})
MAY_BE_ZERO = frozenset({"decode_overhead", "all_reduce", "step_overhead", "cut_share", "prompt_tokens", "questions"})


@dataclass(frozen=True)
class Efficiency:
    """Hold one value for each assumption."""

    arithmetic: float
    """Share of the GPU's BF16 FLOPs that training reaches, recomputation counted."""
    experts_slowdown: float
    """The factor by which training is slower with experts in place of one MLP."""
    decode_bandwidth: float
    """Share of the memory's bandwidth that decoding reaches."""
    decode_arithmetic: float
    """Share of the FLOPs that decoding a large batch reaches."""
    decode_overhead: float
    """Seconds that a decoding step takes beside reading memory and arithmetic: scheduling, sampling, launches."""
    all_reduce: float
    """Seconds of one all-reduce of tensor parallelism, of which a layer has two."""
    network_inside: float
    """Bytes per second that a GPU gets from the others of its node."""
    network_between: float
    """Bytes per second that a GPU gets from those of other nodes."""
    step_overhead: float
    """Seconds of a training step that no formula counts: weight sync, rewards, moving the batch."""
    storage: float
    """Bytes per second that all GPUs together write to or read from shared storage."""
    length_share: float
    """Mean response length as a share of the longest allowed."""
    cut_share: float
    """Share of responses that run to the limit."""
    prompt_tokens: float
    """Mean prompt length."""
    success_shape: float
    """The s of Beta(s, s), the law of success probabilities over questions; it decides what dynamic sampling drops."""
    questions: float
    """Number of questions of a validation."""


@dataclass(frozen=True)
class Reason:
    """Hold the three values of an assumption and the reason for them."""

    cheap: float
    central: float
    dear: float
    why: str


REASONS: Mapping[str, Reason] = {
    "arithmetic": Reason(
        0.50, 0.33, 0.15, "pre-training on H100 reaches 0.38 to 0.43 (Llama 3, arXiv 2407.21783); RL batches are ragged"
    ),
    "experts_slowdown": Reason(1.5, 2.5, 5.0, "small matrices, uneven experts; no source for FSDP"),
    "decode_bandwidth": Reason(
        0.80, 0.60, 0.35, "0.77 with one request (johnmusgrave.com, vLLM on A100); attention reads worse"
    ),
    "decode_arithmetic": Reason(0.60, 0.40, 0.25, "thin matrices; no source"),
    "decode_overhead": Reason(0.002, 0.005, 0.012, "captured graphs or not; no source"),
    "all_reduce": Reason(5e-6, 15e-6, 40e-6, "latency of NVLink or PCIe; no source"),
    "network_inside": Reason(300e9, 150e9, 50e9, "NVLink of H100: 450e9 each way at most"),
    "network_between": Reason(45e9, 30e9, 10e9, "one 400 Gb/s card a GPU is 50e9; many clusters have less"),
    "step_overhead": Reason(10.0, 40.0, 120.0, "no source"),
    "storage": Reason(10e9, 2e9, 0.5e9, "no source"),
    "length_share": Reason(0.10, 0.20, 0.40, "Figures 9 to 11 plot it; no number is published"),
    "cut_share": Reason(0.0, 0.005, 0.03, "added when verl's runs on H20 showed a longer tail than the law without it"),
    "prompt_tokens": Reason(170.0, 170.0, 170.0, "logged on DAPO-Math: verl issue 816, prompt_length/mean 170.4"),
    "success_shape": Reason(1.0, 0.50, 0.25, "uniform; then more questions always or never solved; no source"),
    "questions": Reason(100.0, 100.0, 100.0, "AIME25 30, AIME24 30, AMC23 40"),
}


def efficiency(case: str, **given: float) -> Efficiency:
    """Return the assumptions of a case, with some of them given instead.

    Args:
        case: ``cheap``, ``central`` or ``dear``.
        given: values by name of the assumption.

    Raises:
        ValueError: no case or assumption has this name, or a value is out of its range.
    """
    if case not in CASES:
        refuse("case", case, f"one of {', '.join(CASES)}")
    unknown = [name for name in given if name not in REASONS]
    if unknown:
        refuse("assumption", unknown[0], f"one of {', '.join(REASONS)}")
    for name, value in given.items():
        most = 1.0 if name in SHARES else float("inf")
        # 1e-300 stands for "positive": the formulas divide by these values.
        if not (0 if name in MAY_BE_ZERO else 1e-300) <= value <= most or value == float("inf"):
            refuse(
                name, value, f"a number {'>= 0' if name in MAY_BE_ZERO else '> 0'}{' and <= 1' if most == 1 else ''}"
            )
    values = {name: getattr(reason, case) for name, reason in REASONS.items()}
    return Efficiency(**(values | given))
