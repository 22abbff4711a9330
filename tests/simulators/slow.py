"""One update in plain Python, token by token, straight from the papers' objectives. Imports nothing of the package.

A policy is ``logits[q][n][a]``, a response a list of (node, action), a group a list of responses' indices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, inf, log, sqrt
from typing import Any

Policy = list[list[list[float]]]


@dataclass
class Switches:
    """What ``simulators.update.Update`` switches, with a rule's clip range and ratio filled in."""

    step_size: float = 0.1
    epochs: int = 1
    clip_low: float = 0.2
    clip_high: float = 0.28
    dual_clip: float | None = None
    aggregation: str = "token_mean"
    sequence_ratio: bool = False
    importance_ratio: bool = True
    optimiser: str = "sgd"
    adam_betas: tuple[float, float] = (0.9, 0.999)
    adam_eps: float = 1e-8
    max_grad_norm: float | None = None


@dataclass
class Batch:
    """One mini-batch: groups ``[Q][G]``, their advantages, queries that count, the responses' tokens and lengths."""

    groups: list[list[int]]
    advantages: list[list[float]]
    kept: list[bool]
    tokens: list[list[tuple[int, int]]]
    lengths: list[int]


@dataclass
class Adam:
    first: dict[Any, float] = field(default_factory=dict)
    second: dict[Any, float] = field(default_factory=dict)
    steps: int = 0


def probabilities(row: list[float]) -> list[float]:
    top = max(row)
    weights = [exp(z - top) for z in row]
    return [w / sum(weights) for w in weights]


def log_prob(policy: Policy, q: int, token: tuple[int, int]) -> float:
    row = policy[q][token[0]]
    top = max(row)
    return row[token[1]] - top - log(sum(exp(z - top) for z in row))


def surrogate(ratio: float, advantage: float, s: Switches) -> float:
    clipped = min(max(ratio, 1 - s.clip_low), 1 + s.clip_high)
    value = min(ratio * advantage, clipped * advantage)
    if s.dual_clip is not None and advantage < 0:
        value = max(value, s.dual_clip * advantage)
    return value


def ratios(policy: Policy, old: Policy, q: int, response: int, batch: Batch, s: Switches) -> list[float]:
    """Importance ratio of each token of a response."""
    logs = [log_prob(policy, q, x) - log_prob(old, q, x) for x in batch.tokens[response]]
    if s.sequence_ratio:
        logs = [sum(logs) / batch.lengths[response]] * len(logs)
    return [exp(x) for x in logs]


def weight(batch: Batch, s: Switches, response: int) -> float:
    """What a token's term is divided into: 1/G, 1/(G |o|), or kept queries over tokens that count."""
    size = len(batch.groups[0])
    if s.aggregation == "token_sum":
        return 1 / size
    if s.aggregation == "sequence_mean":
        return 1 / (size * batch.lengths[response])
    kept = [group for group, keep in zip(batch.groups, batch.kept, strict=True) if keep]
    return len(kept) / max(sum(batch.lengths[y] for group in kept for y in group), 1)


def objective(policy: Policy, old: Policy, batch: Batch, s: Switches) -> float:
    """The clipped surrogate of a mini-batch, to be maximised; its gradient in the logits is the update's."""
    total = 0.0
    for q, group in enumerate(batch.groups):
        if not batch.kept[q]:
            continue
        for i, response in enumerate(group):
            terms = [surrogate(x, batch.advantages[q][i], s) for x in ratios(policy, old, q, response, batch, s)]
            total += weight(batch, s, response) * sum(terms)
    return total


def slope(ratio: float, advantage: float, s: Switches) -> tuple[float, bool, bool]:
    """Derivative of the surrogate in log ratio, and whether the lower and the upper bound cut it."""
    high = advantage > 0 and ratio > 1 + s.clip_high
    low = advantage < 0 and ratio < 1 - s.clip_low
    dual = s.dual_clip is not None and advantage < 0 and ratio > s.dual_clip
    return (0.0 if high or low or dual else ratio * advantage), low, high


def one_pass(policy: Policy, old: Policy, batch: Batch, s: Switches) -> tuple[Policy, int, int]:
    """Gradient of one pass, and how many tokens each bound cut."""
    gradient = [[[0.0] * len(row) for row in query] for query in policy]
    cut_low = cut_high = 0
    for q, group in enumerate(batch.groups):
        if not batch.kept[q]:
            continue
        for i, response in enumerate(group):
            found = ratios(policy, old, q, response, batch, s) if s.importance_ratio else None
            for t, (node, action) in enumerate(batch.tokens[response]):
                c, low, high = slope(1.0 if found is None else found[t], batch.advantages[q][i], s)
                cut_low, cut_high = cut_low + low, cut_high + high
                probs = probabilities(policy[q][node])
                for a in range(len(probs)):
                    gradient[q][node][a] += c * weight(batch, s, response) * ((a == action) - probs[a])
    return gradient, cut_low, cut_high


def update(
    policy: Policy, old: Policy, batch: Batch, s: Switches, adam: Adam | None = None
) -> tuple[Policy, Policy, int, int]:
    """All passes: the new policy, the first pass's gradient, and tokens cut over all passes."""
    adam = adam or Adam()
    first = None
    lows = highs = 0
    for _ in range(s.epochs):
        gradient, low, high = one_pass(policy, old, batch, s)
        first = first or gradient
        lows, highs = lows + low, highs + high
        policy = apply(policy, gradient, s, adam)
    assert first is not None
    return policy, first, lows, highs


def apply(policy: Policy, gradient: Policy, s: Switches, adam: Adam) -> Policy:
    norm = sqrt(sum(x * x for query in gradient for row in query for x in row))
    scale = min(1.0, (s.max_grad_norm or inf) / norm) if norm > 0 else 1.0
    adam.steps += 1
    new = [[list(row) for row in query] for query in policy]
    for q, query in enumerate(gradient):
        for n, row in enumerate(query):
            for a, x in enumerate(row):
                new[q][n][a] += s.step_size * _change(x * scale, (q, n, a), s, adam)
    return new


def _change(x: float, key: Any, s: Switches, adam: Adam) -> float:
    if s.optimiser == "sgd":
        return x
    b1, b2 = s.adam_betas
    adam.first[key] = b1 * adam.first.get(key, 0.0) + (1 - b1) * x
    adam.second[key] = b2 * adam.second.get(key, 0.0) + (1 - b2) * x * x
    m, v = adam.first[key] / (1 - b1**adam.steps), adam.second[key] / (1 - b2**adam.steps)
    return 0.0 if v == 0 and s.adam_eps == 0 else m / (sqrt(v) + s.adam_eps)
