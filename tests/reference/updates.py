"""Compute the four update directions of theory's section 3, term by term."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import flint

from .numbers import ball, precise, total
from .policies import atoms, mean, probabilities

RULES = ("uncentred", "policy_gradient", "natural_gradient", "sampled_group")


@precise
def population_direction(
    logits: Sequence[Any], arm_rewards: Sequence[Any], rule: str, baseline: Any
) -> list[flint.arb]:
    """Return pi (r - b), pi (r - V) or r - b."""
    policy = atoms(logits, arm_rewards)
    rewards = [ball(atom.rest[0]) for atom in policy]
    success, b = mean(policy, rewards), ball(baseline)
    pushes = {}
    for key, atom, r in zip(dict.fromkeys(zip(logits, arm_rewards, strict=True)), policy, rewards, strict=True):
        if rule == "natural_gradient":
            pushes[key] = r - b
        else:
            pushes[key] = atom.prob * (r - (b if rule == "uncentred" else success))
    return [pushes[key] for key in zip(logits, arm_rewards, strict=True)]


@precise
def group_direction(logits: Sequence[Any], responses: Sequence[int], advantages: Sequence[Any]) -> list[flint.arb]:
    """Return (1/G) sum_i A_i (e_{y_i} - pi)."""
    size = len(responses)
    at: dict[int, flint.arb] = defaultdict(lambda: flint.arb(0))
    for y, a in zip(responses, advantages, strict=True):
        at[y] += ball(a)
    everything = total(at.values())
    return [(at.get(y, 0) - everything * p) / size for y, p in enumerate(probabilities(logits))]
