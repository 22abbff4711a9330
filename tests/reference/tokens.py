"""Statistics of a token from the logits of its context, in ball arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import flint

from .numbers import precise
from .policies import atoms, mean, surprises


@precise
def statistics(logits: Sequence[float], token: int, temperature: float) -> tuple[flint.arb, ...]:
    """Return log pi_y, H, Cov(log pi, pi), sum pi^2 and pi_y (log pi_y + H) - Cov(log pi, pi) at logits / T."""
    divisor = Fraction(temperature)
    over = {z: Fraction(z) / divisor for z in dict.fromkeys(logits)}
    policy = atoms([over[z] for z in logits])
    s = surprises(policy)
    entropy = -mean(policy, [atom.log_prob for atom in policy])
    covariance = mean(policy, [x * atom.prob for x, atom in zip(s, policy, strict=True)])
    taken = policy[list(over).index(logits[token])]
    collision = mean(policy, [atom.prob for atom in policy])
    push = taken.prob * (taken.log_prob + entropy) - covariance
    return taken.log_prob, entropy, covariance, collision, push
