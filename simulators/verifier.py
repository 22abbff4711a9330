"""Flip verdicts as a noisy verifier does: errors of either kind, independent or shared by the responses of a group."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from qae_theory.arrays import Array
from qae_theory.runs.settings import Strict
from simulators.tabular.groups import Generators

Rate = Annotated[float, Field(ge=0, le=1)]


class VerifierNoise(Strict):
    r"""Hold the error rates of a verifier: :math:`\rho_0` accepts what is wrong, :math:`\rho_1` rejects what is right.

    With probability ``shared`` one draw decides for all responses of a group, as a misread reference answer does;
    otherwise each response has its own. The expected verdict of a query with success probability p is
    :math:`\rho_0 + J p` with :math:`J = 1 - \rho_0 - \rho_1`, whatever ``shared`` is.

    Source: arXiv 2510.00915; shared errors, arXiv 2609.06386.
    """

    false_positive: Rate = 0.0
    false_negative: Rate = 0.0
    shared: Rate = 0.0


def observed(correct: Array, noise: VerifierNoise | None, rngs: Generators) -> Array:
    """Return what the verifier says of responses, 0 or 1.

    Args:
        correct: the truth, ``[S, ..., Q, G]``.
        noise: the error rates; without any, nothing is drawn.
        rngs: S generators, one for each entry of axis 0.

    Returns:
        Verdicts of the same shape.
    """
    if noise is None:
        return correct
    rate = np.where(correct == 1, noise.false_negative, noise.false_positive)
    verdicts = np.empty_like(correct)
    for seed, rng in enumerate(rngs):
        own = rng.random(correct.shape[1:])
        # Both are drawn for every group, so that the draws of two settings stay aligned.
        of_group, is_shared = rng.random((2, *correct.shape[1:-1], 1))
        uniforms = np.where(is_shared < noise.shared, of_group, own)
        verdicts[seed] = np.where(uniforms < rate[seed], 1 - correct[seed], correct[seed])
    return verdicts
