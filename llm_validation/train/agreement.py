"""Tell the ledger whether the trainer that `qae train` uses hands its loss the advantages of their exact definition.

Each case is one step of a tiny model on questions that chance answers; needs TRL.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.proofs.contract.agreement.comparison import CRITERION, around
from qae_theory.proofs.contract.agreement.references import missing, reference

# Advantages are rounded once, to float32.
TOLERANCE = 1.3e-7


class Case(NamedTuple):
    """Settings of a step; ``groups`` of ``size`` responses."""

    estimator: str
    options: dict[str, Any]
    size: int
    groups: int
    signed: bool = False


# Groups beyond 50 with a level that a binary float gets wrong; signed rewards; each kind of estimator.
CASES = (
    Case("qae", {"k": "0.8"}, 20, 3),
    Case("grpo", {"std": "bessel", "eps": 1e-4}, 9, 4, signed=True),
    Case("qae", {"k": "0.55"}, 60, 2),
    Case("qae_linear", {"k": "1/3"}, 7, 5),
    Case("rloo", {}, 16, 2, signed=True),
    Case("pos_mask", {"k": "0.6", "std": "none"}, 5, 6),
    Case("neg_mask", {"k": "0.9"}, 33, 2),
    Case("qae", {"k": "0.4", "std": "batch", "eps": 0}, 8, 4),
    Case("rloo", {"std": "batch", "eps": 1e-3}, 6, 4, signed=True),
    Case("psr", {"std": "population"}, 12, 3),
    Case("dr_grpo", {"std": "bessel", "eps": 0.1}, 5, 5),
)


def register(ledger: Ledger) -> None:
    """Add the agreement of the override."""
    step = Step(
        says="The advantages that the loss gets are those of the rewards that were scored, by the exact definition.",
        check=_agrees,
        planted="advantages that are 1e-6 too large, relatively",
        control=partial(_agrees, factor=1 + 1e-6),
        tie=True,
    )
    ledger.add(
        Evidence(
            "shipped-agrees-trl_override",
            "steps",
            Kind.CERTIFICATE,
            Role.FOR,
            (step,),
            requires=("torch", "trl", "datasets", "accelerate"),
            missing=missing,
        )
    )


def _agrees(effort: Effort, factor: float = 1.0) -> Finding:
    """Find whether each step's advantages, times a factor, are the exact ones of the rewards that it scored."""
    cases = CASES[:2] if effort.quick else CASES
    for number, case in enumerate(cases):
        rewards, advantages = one_step(number)
        expected = reference_advantages(rewards, case)
        room = TOLERANCE * np.abs(expected).max(axis=-1, keepdims=True)
        fault = around(expected, room).fault_of(factor * advantages)
        if fault:
            return Finding(False, CRITERION, f"{case}: {fault}")
    return Finding(True, CRITERION, f"{len(cases)} steps")


def reference_advantages(rewards: Array, case: Case) -> Array:
    """Return the exact advantages of groups of rewards ``[groups, G]``; NaN could not be scored."""
    written = reference("numbers").as_written
    options = {name: x if name == "std" else written(x) for name, x in case.options.items()}
    if options.get("std") == "batch":
        scored = rewards[~np.isnan(rewards)].tolist()
        whole = {Fraction(x): count for x, count in Counter(scored).items()}
        options["std"] = reference("groups").deviation(whole, "bessel")
    table: Array = np.zeros(rewards.shape)
    for out, group in zip(table, rewards, strict=True):
        kept = ~np.isnan(group)
        tally = {Fraction(x): count for x, count in Counter(group[kept].tolist()).items()}
        if tally:
            found = reference("groups").advantages(tally, case.estimator, **options)
            out[kept] = [float(found[Fraction(x)]) for x in group[kept].tolist()]
    return table


@cache
def one_step(number: int) -> tuple[Array, Array]:
    """Return the rewards that the step of a case scored and the advantages that its loss got, ``[groups, G]`` each.

    Args:
        number: the case's place in ``CASES``.
    """
    from llm_validation.models.presets import build_model, preset_tokenizer
    from llm_validation.tasks.base import Example
    from llm_validation.train.process_state import quiet, random_states_restored
    from llm_validation.train.settings import TrainConfig
    from llm_validation.train.trainer import make_trainer

    case = CASES[number]
    config = TrainConfig(
        model="tiny",
        warmup=None,
        estimator=case.estimator,
        options=case.options,
        group_size=case.size,
        prompts_per_step=case.groups,
        steps=1,
        max_new_tokens=3,
        signed_rewards=case.signed,
    )
    kept: list[Any] = []
    printed = io.StringIO()  # the trainer prints its metrics
    with (
        tempfile.TemporaryDirectory() as folder,
        quiet(),
        no_warnings(),
        random_states_restored(),
        redirect_stdout(printed),
    ):
        trainer = make_trainer(
            config,
            model=build_model("tiny", seed=0),
            tokenizer=preset_tokenizer("tiny"),
            examples=[Example(f"{i}+{i}=", str(i % 2)) for i in range(12)],
            verifier=by_chance,
            output_dir=Path(folder),
        )
        trainer._generate_and_score_completions = _watched(trainer._generate_and_score_completions, kept)
        trainer.train()
        rewards = trainer._scored[:, 0].double().cpu().numpy()
    advantages = np.asarray(kept[0].double().cpu().numpy())
    return rewards.reshape(-1, case.size), advantages.reshape(-1, case.size)


@contextmanager
def no_warnings() -> Iterator[None]:
    """Keep TRL from a warning for each response that cannot be scored, as some are meant to be."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _watched(generate: Callable[[Any], Any], kept: list[Any]) -> Callable[[Any], Any]:
    """Return the trainer's method, which keeps a copy of the advantages that it hands on."""

    def watched(inputs: Any) -> Any:
        output = generate(inputs)
        kept.append(output["advantages"].clone())
        return output

    return watched


def by_chance(completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
    """Score a response by whether its character codes add up to an odd or an even number; some not at all."""
    scores: list[float | None] = []
    for completion, answer in zip(completions, answers, strict=True):
        total = sum(map(ord, completion))
        scores.append(None if total % 11 == 0 else float(total % 2 == int(answer)))
    return scores
