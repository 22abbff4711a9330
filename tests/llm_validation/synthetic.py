"""Tables of probes and runs with a known truth, for the tests of the statistics. No test is here."""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.ladder import RUNGS
from llm_validation.tables import from_rows
from qae_theory._exact import Array

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
