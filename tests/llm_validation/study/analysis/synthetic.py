"""Tables of probes and runs with a known truth, for the tests of the statistics. No test is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from llm_validation.common.tables import from_rows
from llm_validation.study.analysis.ladder import RUNGS
from qae_theory.arrays import Array

SGD = {"optimiser": "sgd", "adam_eps": float("nan"), "updates": 1, "clipped": False}
ADAM = {"optimiser": "adam", "adam_eps": 1e-8, "updates": 16, "clipped": True}
ARMS = ("constant-0", "mean", "constant-1", "quantile-0.4", "quantile-0.8", "grpo", "qae-0.4", "qae-0.8")


def probes(
    rng: np.random.Generator,
    *,
    count: int = 12,
    prompts: int = 6,
    tasks: tuple[str, ...] = ("digits",),
    settings: tuple[dict[str, Any], ...] = (SGD,),
    arms: tuple[str, ...] = ARMS,
    group_size: int = 10,
    slope: float = 1.0,
    bias: float = 0.0,
    probe_noise: float = 0.0,
    noise: float = 0.1,
) -> dict[str, Array]:
    """Measured = slope x + a probe's own shift + noise, with every rung's x the same but for ``bias`` added to it.

    The rung ``identity`` is x + bias; ``centred`` is 0; ``sampled`` is noise of its own; the last two are measured.
    """
    rows = []
    for task in tasks:
        for number in range(count):
            shift = probe_noise * rng.normal()
            known = {prompt: (rng.random(), int(rng.integers(0, group_size + 1))) for prompt in range(prompts)}
            for setting in settings:
                for arm in arms:
                    for prompt, (success, correct) in known.items():
                        x = rng.normal()
                        change = slope * x + shift + noise * rng.normal()
                        said = {
                            "identity": x + bias,
                            "centred": 0.0,
                            "sampled": rng.normal(),
                            "first_order": change,
                            "second_order": change,
                        }
                        bounds = {
                            f"{rung}_{end}": said[rung] + side * 2 * noise
                            for rung in RUNGS
                            for end, side in (("low", -1), ("high", 1))
                        }
                        rows.append(
                            {
                                "probe": f"{task}-{number}",
                                "task": task,
                                "enumerable": task == "digits",
                                "run": "warm",
                                "seed": 0,
                                "step": number,
                                **setting,
                                "arm": arm,
                                "scaled": arm == "grpo" or arm.startswith("qae-"),
                                "prompt": prompt,
                                "success_prob": success if task == "digits" else float("nan"),
                                "num_correct": correct,
                                "group_size": group_size,
                                "entropy": 2.0,
                                "change": change,
                                **said,
                                **bounds,
                                "guaranteed_low": change - 1.0,
                                "guaranteed_high": change + 1.0,
                            }
                        )
    return from_rows(rows)


RULES = (
    *(("grpo", "grpo", float("nan"), 0.28),),
    *((f"qae-{k}", "qae", k, 0.28) for k in (0.2, 0.4, 0.8)),
    *((rule, rule, 0.4, 0.28) for rule in ("pos_mask", "neg_mask")),
    *((f"{rule}, strong clipping", rule, 0.4, 0.2) for rule in ("qae", "pos_mask", "neg_mask")),
)


def facts(task: str, name: str, rule: str, k: float, clip: float, seed: int, **changes: Any) -> dict[str, Any]:
    """What a training run was, in the columns of the study's tables."""
    return {
        "task": task,
        "substrate": task,
        "part": "rules",
        "run": name,
        "estimator": rule,
        "k": k,
        "clip_low": 0.2,
        "clip_high": clip,
        "optimiser": "adamw",
        "adam_eps": 1e-8,
        "learning_rate": 3e-4,
        "updates": 4,
        "loss": "dapo",
        "rounding": "none",
        "looks": 1,
        "seed": seed,
        **changes,
    }


class Truth(NamedTuple):
    """What training does, in the tables that :func:`studied` makes.

    Entropy starts at 1 nat and ends ``falls`` lower under GRPO, ``rises`` per unit of K higher than that under QAE.
    Success goes from .3 to .8. POS-MASK's curves lie ``nearer`` away from QAE's under weak clipping, NEG-MASK's on
    them; under strong clipping POS-MASK ends with ``leads`` more success. Negative samples have ``negative`` more
    entropy, with a growing gap, and that much more of the growth. The share of zeros is ``zeros`` under QAE. In the
    middle of training entropy per token is ``peak`` times that at the start.
    """

    falls: float = 0.6
    rises: float = 0.0
    nearer: float = 0.0
    leads: float = 0.0
    negative: float = 0.0
    zeros: float = 0.6
    peak: float = 1.0
    gain: float = 0.5
    noise: float = 0.003


def studied(
    rng: np.random.Generator,
    truth: Truth = Truth(),  # noqa: B008  it is frozen
    *,
    seeds: int = 5,
    steps: int = 20,
    tasks: tuple[str, ...] = ("digits",),
    rules: Sequence[tuple[str, str, float, float]] = RULES,
    **changes: Any,
) -> dict[str, dict[str, Array]]:
    """Tables ``runs`` and ``follow`` with that truth; ``changes`` are further columns of every run."""
    runs: list[dict[str, Any]] = []
    follow: list[dict[str, Any]] = []
    for task in tasks:
        for name, rule, k, clip in rules:
            for seed in range(seeds):
                known = facts(task, name, rule, k, clip, seed, **changes)
                for step in range(steps + 1):
                    done = step / steps
                    point = _point(truth, rule, k, clip, done, rng)
                    if step:
                        runs.append({**known, "step": step, **_step(truth, rule, done, step, steps, point, rng)})
                    if step % (steps // 4) == 0:
                        follow.append({**known, "step": step, **_checkpoint(point)})
    return {"runs": from_rows(runs), "follow": from_rows(follow)}


def _point(
    truth: Truth, rule: str, k: float, clip: float, done: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Entropy and success at a share of the training."""
    away = truth.nearer * done if rule == "pos_mask" and clip == 0.28 else 0.0
    ahead = truth.leads * done if rule == "pos_mask" and clip == 0.2 else 0.0
    raised = truth.rises * k * done if rule != "grpo" else 0.0
    entropy = 1.0 - truth.falls * done + raised + away + truth.noise * rng.normal()
    return entropy, 0.3 + truth.gain * done + away + ahead + truth.noise * rng.normal()


def _step(
    truth: Truth,
    rule: str,
    done: float,
    step: int,
    steps: int,
    point: tuple[float, float],
    rng: np.random.Generator,
) -> dict[str, float]:
    nan, probed = float("nan"), step in (steps // 2, steps)
    share = (0.0 if rule == "grpo" else truth.zeros) + truth.noise * rng.normal()
    peaked = truth.peak if 0.4 <= done <= 0.6 else 1.0
    noise = truth.noise * rng.normal(size=4)
    return {
        "entropy": peaked * point[0],
        "success": point[1],
        "length": 3.0,
        "gradient_norm": 1.0,
        "clipped_low": 0.0,
        "clipped_high": 0.0,
        "zero_share": share,
        "mixed_zero_share": share,
        "entropy_positive": 1.0 + noise[0] if probed else nan,
        "entropy_negative": 1.0 + truth.negative * (1 + done) + noise[1] if probed else nan,
        "entropy_zero": nan,
        "growth_positive": 0.1 + noise[2] if probed else nan,
        "growth_negative": 0.1 + truth.negative + noise[3] if probed else nan,
    }


def _checkpoint(point: tuple[float, float]) -> dict[str, Any]:
    entropy, success = point
    figures = {
        "pass1": success,
        "pass16": min(1.0, 2 * success),
        "sequence_entropy": entropy,
        "entropy_low": entropy,
        "entropy_high": entropy,
        "token_entropy": entropy,
        "length": 3.0,
        "open_mass": 0.0,
    }
    return {**figures, **{f"held_out_{name}": value for name, value in figures.items()}, "exact": True}
