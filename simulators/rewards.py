"""What a verifier's 0/1 becomes before the advantage: DAPO's signs and its soft overlong punishment."""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array
from simulators.update import Update


def shaped_rewards(correct: Array, lengths: Array, update: Update) -> Array:
    r"""0/1, or -1/+1 with ``signed_rewards``, plus the overlong penalty of each response.

    The penalty is 0 up to L - c tokens, :math:`((L - c) - |o|)/c` beyond, -1 from L on.

    Source: arXiv 2503.14476, Eq. 13.
    """
    rewards = 2 * correct - 1 if update.signed_rewards else correct
    if update.overlong is None:
        return rewards
    limit, cache = update.overlong.max_length, update.overlong.cache
    return rewards + np.clip((limit - cache - lengths) / cache, -1.0, 0.0)
