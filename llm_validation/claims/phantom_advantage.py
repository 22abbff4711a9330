"""Show what the training engines' own code gives a group of equal rewards (claim `phantom-advantage`).

verl's estimator is called in verl's environment, TRL's arithmetic through one batch of the stock ``GRPOTrainer``. Both
work in single precision, where the mean of rewards that are no binary fractions is not the reward.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Kind, Role, Step

Advantage = Callable[[float, int], float]

# Equal rewards and the group's size, and the same for rewards that are binary fractions, where nothing is rounded.
CASES = ((1.2, 6), (0.7, 8))
EXACT = ((1.0, 6), (-1.0, 8))


def register(ledger: Ledger) -> None:
    """Add what each engine shows; each is skipped where the engine is not installed."""
    for engine, advantage in (("verl", verl_advantage), ("trl", trl_advantage)):
        step = Step(
            says=f"The code of {engine} gives each response of a group of equal rewards an advantage that is not 0.",
            check=partial(_phantom, advantage, cases=CASES),
            planted="equal rewards that are binary fractions, of which nothing is rounded",
            control=partial(_phantom, advantage, cases=EXACT),
        )
        ledger.add(
            Evidence(
                claim="phantom-advantage",
                name=engine,
                kind=Kind.WITNESS,
                role=Role.AGAINST,
                steps=(step,),
                requires=(engine,),
            )
        )


def verl_advantage(reward: float, size: int) -> float:
    """Return the advantage that verl's ``grpo`` gives each of ``size`` responses with this reward."""
    import numpy as np
    import torch
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

    advantages, _ = compute_grpo_outcome_advantage(
        token_level_rewards=torch.full((size, 1), reward),
        response_mask=torch.ones(size, 1),
        index=np.array(["group"] * size, dtype=object),
    )
    return float(advantages[0, 0])


def trl_advantage(reward: float, size: int) -> float:
    """Return the advantage that the stock ``GRPOTrainer`` gives each of ``size`` responses with this reward.

    It is the number that its loss gets: sampling, scoring and advantages are the trainer's own, in one batch; only the
    update, in which no advantage is made, is left out.
    """
    from datasets import Dataset
    from trl import GRPOTrainer

    from llm_validation.models.presets import build_model, preset_tokenizer
    from llm_validation.train.arguments import grpo_arguments
    from llm_validation.train.process_state import quiet, random_states_restored
    from llm_validation.train.settings import TrainConfig

    preset = "arithmetic"
    config = TrainConfig(
        model=preset, task="digits", group_size=size, prompts_per_step=1, inner_updates=1, steps=1, max_new_tokens=1
    )
    question = {"prompt": "1+1="}
    with tempfile.TemporaryDirectory() as folder, quiet(), random_states_restored():
        trainer = GRPOTrainer(
            model=build_model(preset, seed=0),
            processing_class=preset_tokenizer(preset),
            reward_funcs=lambda completions, **_: [reward] * len(completions),
            args=grpo_arguments(config, Path(folder)),
            train_dataset=Dataset.from_list([question]),
        )
        output = trainer._generate_and_score_completions([question] * size)
        return float(output["advantages"][0])


def _phantom(advantage: Advantage, *, cases: tuple[tuple[float, int], ...]) -> Finding:
    found = [(reward, size, advantage(reward, size)) for reward, size in cases]
    detail = "; ".join(f"{size} rewards of {reward:g}: {value:+.4g} each" for reward, size, value in found)
    witness = {f"{size} rewards of {reward:g}": f"{value:.6g}" for reward, size, value in found}
    return Finding(all(value != 0 for *_, value in found), "advantage other than 0", detail, witness)
