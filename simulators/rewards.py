"""Turn a verifier's 0/1 into the reward that is trained on: DAPO's signs and its soft overlong punishment."""

from __future__ import annotations

from qae_theory.arrays import Array
from qae_theory.paper.overlong import overlong_penalty
from simulators.update import Update


def shaped_rewards(correct: Array, lengths: Array, update: Update) -> Array:
    """Return the reward of each response: 0/1, or -1/+1 with ``signed_rewards``, plus its overlong penalty.

    Args:
        correct: 1 for a correct response and 0 for a wrong one, of any shape.
        lengths: of the responses, in tokens, of the same shape.
        update: says which of the two shapings are on.

    Returns:
        Rewards of the same shape.

    Source: arXiv 2503.14476 (DAPO), Eq. 13 for the penalty.
    """
    rewards = 2 * correct - 1 if update.signed_rewards else correct
    if update.overlong is None:
        return rewards
    return rewards + overlong_penalty(lengths, update.overlong)
