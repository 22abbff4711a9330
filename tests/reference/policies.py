"""Softmax policies in ball arithmetic: probabilities, entropy, self-covariance, gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import flint

from .numbers import ball, precise, tallied, total


class Atom(NamedTuple):
    """Hold a kind of response: its probability, its log, what else it has, and how many responses are of that kind."""

    prob: flint.arb
    log_prob: flint.arb
    rest: tuple[Any, ...]
    count: int


@precise
def atoms(logits: Sequence[Any], *columns: Sequence[Any]) -> list[Atom]:
    """Return the kinds of responses of a policy; ``columns`` tell responses apart beside their logits."""
    rows = tallied(logits, *columns)
    top = ball(max(logits))
    gaps = [ball(row[0]) - top for row, _ in rows]
    log_mass = total(gap.exp() * count for gap, (_, count) in zip(gaps, rows, strict=True)).log()
    log_probs = [gap - log_mass for gap in gaps]
    return [Atom(x.exp(), x, row[1:], count) for x, (row, count) in zip(log_probs, rows, strict=True)]


def mean(policy: Sequence[Atom], values: Sequence[Any]) -> flint.arb:
    """Return E x, of one value a kind."""
    return total(atom.prob * atom.count * x for atom, x in zip(policy, values, strict=True))


def surprises(policy: Sequence[Atom]) -> list[flint.arb]:
    """Return log pi + H of each kind."""
    logs = [atom.log_prob for atom in policy]
    centre = mean(policy, logs)
    return [x - centre for x in logs]


@precise
def probabilities(logits: Sequence[Any]) -> list[flint.arb]:
    """Return pi = softmax(z), one ball for each response."""
    by_logit = dict(zip(dict.fromkeys(logits), atoms(logits), strict=True))
    return [by_logit[z].prob for z in logits]


@precise
def entropy(logits: Sequence[Any]) -> flint.arb:
    """Return the entropy -sum pi log pi, in nats."""
    policy = atoms(logits)
    return -mean(policy, [atom.log_prob for atom in policy])


@precise
def self_covariance(logits: Sequence[Any]) -> flint.arb:
    """Return Cov(log pi, pi)."""
    policy = atoms(logits)
    return mean(policy, [s * atom.prob for s, atom in zip(surprises(policy), policy, strict=True)])


@precise
def entropy_gradient(logits: Sequence[Any]) -> list[flint.arb]:
    """Return -pi_i (log pi_i + H)."""
    policy = atoms(logits)
    slopes = [-atom.prob * s for atom, s in zip(policy, surprises(policy), strict=True)]
    by_logit = dict(zip(dict.fromkeys(logits), slopes, strict=True))
    return [by_logit[z] for z in logits]


@precise
def mean_surprise(logits: Sequence[Any]) -> flint.arb:
    """Return E |log pi + H|, the size of the terms of what is linear in it."""
    policy = atoms(logits)
    return mean(policy, [abs(s) for s in surprises(policy)])
