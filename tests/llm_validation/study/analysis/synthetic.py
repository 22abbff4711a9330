"""Tables of probes and runs with a known truth, for the tests of the statistics. No test is here."""

from __future__ import annotations

from typing import Any

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


def runs(
    rng: np.random.Generator,
    *,
    seeds: int = 4,
    steps: int = 20,
    tasks: tuple[str, ...] = ("digits",),
    rises: float = 0.0,
    nearer: float = 0.0,
    leads: float = 0.0,
    negative: float = 0.0,
    zeros: float = 0.6,
    noise: float = 0.01,
) -> dict[str, Array]:
    """Runs with a known truth: entropy rises by ``rises`` per unit of K, over the training.

    POS-MASK's curves lie ``nearer`` away from QAE's under weak clipping, NEG-MASK's on them; under strong clipping
    POS-MASK ends with ``leads`` more success. Negative samples have ``negative`` more entropy, with a rising gap, and
    that much more of the growth. The share of zeros is ``zeros`` under QAE and 0 under GRPO.
    """
    rows = []
    for task in tasks:
        for name, rule, k, clip in RULES:
            for seed in range(seeds):
                for step in range(1, steps + 1):
                    done = step / steps
                    away = nearer * done if rule == "pos_mask" and clip == 0.28 else 0.0
                    ahead = leads * done if rule == "pos_mask" and clip == 0.2 else 0.0
                    raised = rises * k * done if rule != "grpo" else 0.0
                    probed = step in (steps // 2, steps)
                    nan = float("nan")
                    rows.append(
                        {
                            "task": task,
                            "run": name,
                            "estimator": rule,
                            "k": k,
                            "clip_high": clip,
                            "optimiser": "adamw",
                            "seed": seed,
                            "step": step,
                            "entropy": 1.0 + raised + away + noise * rng.normal(),
                            "success": 0.3 + 0.3 * done + away + ahead + noise * rng.normal(),
                            "zero_share": (0.0 if rule == "grpo" else zeros) + noise * rng.normal(),
                            "mixed_zero_share": (0.0 if rule == "grpo" else zeros) + noise * rng.normal(),
                            "entropy_positive": 1.0 + noise * rng.normal() if probed else nan,
                            "entropy_negative": 1.0 + negative * (1 + done) + noise * rng.normal() if probed else nan,
                            "entropy_zero": nan,
                            "growth_positive": 0.1 + noise * rng.normal() if probed else nan,
                            "growth_negative": 0.1 + negative + noise * rng.normal() if probed else nan,
                        }
                    )
    return from_rows(rows)
