"""Record what one update did to the entropy, and compute the probe's metrics from the records.

There is one record for each output. A rollout of several turns has several outputs; the metrics count rollouts, see
:func:`by_rollout`. The trainer makes the records from token arrays and logs the metrics; ``collect`` computes the same
metrics again from the dumped records. NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from llm_validation.verl_engine.rollout_keys import names_output, rollouts_of
from qae_theory.advantages import advantages
from qae_theory.arrays import Array
from qae_theory.checks import quantile_level, refuse

Record = Mapping[str, Any]

REQUIRED = (
    "uid",
    "reward",
    "advantage",
    "tokens",
    "entropy_before",
    "entropy_after",
    "entropy_change_predicted",
    "clipped_high",
    "clipped_low",
)
UNCENTRED = "entropy_change_predicted_uncentred"
COUNTERFACTUAL = "entropy_after_by_arm"
# Fields of a record that are sums over its tokens, so that a rollout's is the sum over its outputs.
_COUNTS = frozenset({"tokens", "clipped_high", "clipped_low", "clipped_dual"})
_SUMS = (
    *sorted(_COUNTS),
    "entropy_before",
    "entropy_after",
    "entropy_change_predicted",
    UNCENTRED,
    "log_prob_before",
    "log_prob_after",
)


class Response(NamedTuple):
    """One output of a rollout, in most runs the whole response, before and after the update; arrays are ``[T]``."""

    uid: str
    """The group of its prompt."""
    key: str
    """The name of the output."""
    reward: float
    """The sum of its token rewards, which the estimator saw."""
    mask: Array
    """1 where a token counts in the loss, 0 elsewhere."""
    advantages: Array
    """Its advantage, the same number at every token that counts."""
    log_probs_before: Array
    """log pi of the taken token under the weights from which the update started."""
    log_probs_after: Array
    """log pi of the same token after the update."""
    entropies_before: Array
    """Entropy in nats at the token's context before the update."""
    entropies_after: Array
    """Entropy in nats at the token's context after the update."""
    entropies_after_by_arm: Mapping[str, Array] = {}
    """Entropy after another estimator's update from the same weights, by the estimator's name."""


def records_from_tokens(
    responses: Iterable[Response],
    *,
    step: int,
    clip_low: float,
    clip_high: float,
    clip_dual: float | None = None,
    sequence_ratio: bool = False,
) -> list[dict[str, Any]]:
    r"""Return one JSON-ready record per output; all sums are over the tokens that count.

    ``entropy_change_predicted`` is :math:`\sum_t -A(\log p_t + H_t)`. What it is: at each context c, for the direction
    ``natural_gradient`` of theory.md (logits move by A per unit step, each context's on their own, as in a table),
    :math:`dH_c/d\eta = -\mathrm{Cov}_\pi(\log\pi, A) = -E_\pi[A(\log\pi + H)]`, and the sampled token's term is an
    unbiased estimate of that expectation, whether A is centred or not. It is the covariance identity of arXiv
    2505.22617, and of 2509.22611 Sec. 4.3, with tokens as independent decisions.

    What it is not: the network's own first-order change. Parameters are shared, tokens are not independent, the
    optimiser rescales, and the step size is not known. The figure is per unit step, so that only its sign, its order
    among responses and its correlation with the measured change mean something. ``..._uncentred`` is the rung
    ``identity`` of :mod:`llm_validation.probe.predictions`, direction pi A, from the same statistics: :math:`\sum_t
    -A\,p_t(\log p_t + H_t)`. The rungs ``centred`` and ``sampled`` need sums over the vocabulary that no trainer
    keeps, ``first_order`` and ``second_order`` need derivatives of the network.

    ``clipped_high`` and ``clipped_low`` count tokens whose ratio after the whole update lies beyond the clip range on
    the side where the loss is flat: above 1 + ``clip_high`` with A > 0, below 1 - ``clip_low`` with A < 0. An update
    of one optimiser step is clipped nowhere; the counts then say what a further step would have met.

    Args:
        responses: the outputs of one batch, without padding rows.
        step: the trainer's global step.
        clip_low: epsilon_low, in [0, 1).
        clip_high: epsilon_high, >= 0.
        clip_dual: the ratio, above 1, beyond which dual clipping makes the loss of a negative advantage flat (arXiv
            1912.09729, verl's ``clip_ratio_c``): ``clipped_dual`` counts tokens above it with A < 0. None for a loss
            without it.
        sequence_ratio: whether the loss clips GSPO's ratio, the geometric mean over a response's tokens; then all its
            tokens count or none.

    Raises:
        ValueError: the message names the response: its arrays have different lengths, a number is not finite, or the
            advantage differs from token to token.
    """
    if not 0 <= clip_low < 1:
        refuse("clip_low", clip_low, "a number in [0, 1)")
    if not clip_high >= 0:
        refuse("clip_high", clip_high, "a number >= 0")
    if clip_dual is not None and not clip_dual > 1:
        refuse("clip_dual", clip_dual, "a number > 1, or None for a loss without dual clipping")
    clip = _Clip(1 - clip_low, 1 + clip_high, clip_dual, sequence_ratio)
    return [_record(response, step, clip) for response in responses]


def metrics_of(records: Sequence[Record], *, quantile_k: Any, correct_above: float = 0.0) -> dict[str, float]:
    """Return the probe's metrics of one step's records; a metric that is not defined for them is left out.

    A response is correct when its reward is above ``correct_above``. A group is hard when its success rate p is at
    most 1 - K, compared as rationals, else easy; a group without a success is hard, one without a failure easy.

    The records of one rollout's outputs are added up first, by :func:`by_rollout`.

    * ``probe/entropy/{before,after,change}/{all,positive,negative,zero}``: nats per token, over the responses whose
      advantage has that sign; ``probe/entropy/change/{hard,easy}``: over the groups of that regime.
    * ``probe/advantage/{zero,positive,negative}_share``: shares of responses.
    * ``probe/clip/{high,low,dual}_share``: shares of tokens; the last where the records count it.
    * ``probe/gate/mixed_share``: the share of groups with a success and a failure.
    * ``probe/gate/leak_share_linear``: the share of groups in which the released code's interpolated quantile gives a
      non-zero advantage to a response to which the exact one gives 0, or the reverse. It follows from the rewards
      alone, whatever the run's estimator.
    * ``probe/predicted/{change,change_uncentred}``: per unit step and token; see :func:`records_from_tokens`.
    * ``probe/counterfactual/<arm>/entropy_change``: nats per token.

    Args:
        records: the records of one step, as :func:`records_from_tokens` makes them.
        quantile_k: K, as in :func:`qae_theory.advantages`.
        correct_above: 0 for rewards 0/1 and +1/-1; -0.5 for DAPO's +1/-1 with an overlong penalty in [-1, 0].

    Raises:
        ValueError: there are no records, a record lacks a field, or K is no quantile level.
    """
    level = quantile_level(quantile_k)
    if not records:
        refuse("records", records, "at least one response")
    for record in records:
        if missing := [name for name in REQUIRED if name not in record]:
            refuse("records", missing, f"with the fields {', '.join(REQUIRED)}; these are missing")
    # After the check, because fields of a rollout's records are added up.
    records = by_rollout(records)
    groups = _groups(records)
    metrics = _entropy_metrics(records) | _regime_metrics(groups, level, correct_above)
    signs = np.sign(_column(records, "advantage"))
    for name, sign in (("zero", 0), ("positive", 1), ("negative", -1)):
        metrics[f"probe/advantage/{name}_share"] = float((signs == sign).mean())
    tokens = _column(records, "tokens").sum()
    if tokens:
        for side in clip_sides(records):
            metrics[f"probe/clip/{side}_share"] = float(_column(records, f"clipped_{side}").sum() / tokens)
    metrics["probe/gate/leak_share_linear"] = _leak_share(groups, level)
    return metrics | _predicted(records) | _counterfactual(records)


def clip_sides(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the sides of the clip range of which all records count the tokens beyond."""
    # A share over those records alone that count a side would be the share of another batch.
    return ("high", "low", "dual") if all("clipped_dual" in record for record in records) else ("high", "low")


def by_rollout(records: Sequence[Record]) -> list[Record]:
    """Return one record per rollout: sums over the tokens of all its outputs, reward and advantage of the last.

    verl copies a rollout's final score, and gives its one advantage, to each output. An output without a token that
    counts has no advantage of its own to show, so the last one that has tokens speaks for the rollout.

    Args:
        records: as :func:`records_from_tokens` makes them; those without a ``key``, or with one that does not name an
            output, are rollouts of their own.
    """
    # Records without a name that tells their rollout get one each; under a common one they would be a single rollout.
    names = [str(record.get("key", "")) for record in records]
    rollouts = rollouts_of(name if names_output(name) else f"record {row}" for row, name in enumerate(names))
    if len(rollouts.final) == len(records):
        return list(records)
    outputs: list[list[Record]] = [[] for _ in rollouts.final]
    for record, number in zip(records, rollouts.of_row, strict=True):
        outputs[number].append(record)
    united = []
    for final, of_one in zip(rollouts.final, outputs, strict=True):
        united.append(_united(records[final], of_one))
    return united


def _united(final: Record, outputs: Sequence[Record]) -> Record:
    """Return the record of a rollout, given its last output's and all of them."""
    if len(outputs) == 1:
        return final
    with_tokens = [record for record in outputs if record["tokens"]]
    speaker = final if final["tokens"] or not with_tokens else with_tokens[-1]
    united = {**final, "advantage": speaker["advantage"]}
    for name in _SUMS:
        if all(name in record for record in outputs):
            total = math.fsum(record[name] for record in outputs)
            # fsum returns a float, and a rollout's count has to read as an output's does, an integer.
            united[name] = int(total) if name in _COUNTS else total
    if COUNTERFACTUAL in final:
        arms: dict[str, float] = {}
        for arm in final[COUNTERFACTUAL]:
            arms[arm] = math.fsum(record[COUNTERFACTUAL][arm] for record in outputs)
        united[COUNTERFACTUAL] = arms
    return united


def gate_leaks(rewards: Any, quantile_k: Any) -> Array:
    """Return whether interpolated and exact quantile give a group's advantages different zeros, ``[..., G] -> [...]``.

    >>> gate_leaks([[0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]], "0.4").tolist()
    [True, False]
    """
    exact, linear = (advantages(rewards, name, k=quantile_k) for name in ("qae", "qae_linear"))
    return np.asarray(((exact == 0) != (linear == 0)).any(axis=-1))


def success_rate(rewards: Iterable[float], correct_above: float = 0.0) -> Fraction:
    """Return the share of rewards above the threshold, exactly.

    Args:
        rewards: at least one.
        correct_above: the reward above which a response is right.

    >>> success_rate([1.0, -1.0, -1.5, 0.2])
    Fraction(1, 2)
    """
    correct = [reward > correct_above for reward in rewards]
    return Fraction(sum(correct), len(correct))


class _Clip(NamedTuple):
    """Hold the clip range of the ratio, the bound of dual clipping, and whether the ratio is a whole response's."""

    low: float
    high: float
    dual: float | None
    by_response: bool

    def counts(self, before: Array, after: Array, advantage: float) -> dict[str, int]:
        """Return how many tokens lie above the range with A > 0, below it with A < 0, and above the dual bound."""
        change = after - before
        ratio = np.exp(np.full_like(change, change.mean()) if self.by_response and change.size else change)
        # On the other side of the range the loss takes the unclipped term, whose gradient goes on.
        counts = {
            "clipped_high": int((ratio > self.high).sum()) * (advantage > 0),
            "clipped_low": int((ratio < self.low).sum()) * (advantage < 0),
        }
        if self.dual is not None:
            counts["clipped_dual"] = int((ratio > self.dual).sum()) * (advantage < 0)
        return counts


def _record(response: Response, step: int, clip: _Clip) -> dict[str, Any]:
    """Return the record of one output."""
    counted = np.asarray(response.mask).astype(bool)
    before, after, entropy = (
        _counted(response, name, counted) for name in ("log_probs_before", "log_probs_after", "entropies_before")
    )
    advantage = _one_advantage(response, counted)
    push = -advantage * (before + entropy)
    record: dict[str, Any] = {
        "step": step,
        "uid": response.uid,
        "key": response.key,
        "reward": _finite(response, "reward", float(response.reward)),
        "advantage": advantage,
        "tokens": int(counted.sum()),
        "entropy_before": float(entropy.sum()),
        "entropy_after": float(_counted(response, "entropies_after", counted).sum()),
        "entropy_change_predicted": float(push.sum()),
        UNCENTRED: float((np.exp(before) * push).sum()),
        **clip.counts(before, after, advantage),
        "log_prob_before": float(before.sum()),
        "log_prob_after": float(after.sum()),
    }
    arms = response.entropies_after_by_arm
    if arms:
        record[COUNTERFACTUAL] = {arm: float(_select(response, arm, arms[arm], counted).sum()) for arm in arms}
    return record


def _counted(response: Response, name: str, counted: Array) -> Array:
    """Return the entries of a response's array at the tokens that count, in float64."""
    return _select(response, name, getattr(response, name), counted)


def _select(response: Response, name: str, values: Any, counted: Array) -> Array:
    """Return the entries of an array at the tokens that count, in float64, all of them finite."""
    array = np.asarray(values)
    if array.shape != counted.shape or array.ndim != 1:
        refuse(f"{name} of {response.key}", array.shape, f"of the shape of its mask, {counted.shape}, and of rank 1")
    # The change of one update is small beside sums over thousands of tokens, in which float32 would lose it.
    chosen = array[counted].astype(np.float64)
    if not np.isfinite(chosen).all():
        refuse(f"{name} of {response.key}", float(chosen[~np.isfinite(chosen)][0]), "finite")
    return chosen


def _finite(response: Response, name: str, value: float) -> float:
    """Return a finite number; refuse another one."""
    if not math.isfinite(value):
        refuse(f"{name} of {response.key}", value, "finite")
    return value


def _one_advantage(response: Response, counted: Array) -> float:
    """Return the advantage that all tokens of an output share; 0 where no token counts."""
    values = _counted(response, "advantages", counted)
    if not values.size:
        return 0.0
    if values.min() != values.max():
        refuse(f"advantages of {response.key}", [values.min(), values.max()], "the same at each of its tokens")
    return float(values[0]) + 0.0  # not -0.0


def _groups(records: Sequence[Record]) -> list[list[Record]]:
    """Return the records of each group, in the order in which the groups appear."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["uid"], []).append(record)
    return list(groups.values())


def _column(records: Sequence[Record], name: str) -> Array:
    """Return a field of all records, in float64."""
    return np.array([record[name] for record in records], dtype=np.float64)


def _per_token(records: Sequence[Record], name: str) -> float | None:
    """Return the sum of a field over the number of tokens; None without tokens."""
    tokens = sum(record["tokens"] for record in records)
    return math.fsum(record[name] for record in records) / tokens if tokens else None


def _entropy(prefix: str, records: Sequence[Record], suffix: str) -> Iterator[tuple[str, float]]:
    """Yield the metrics of entropy before and after and of its change, over some records."""
    before, after = (_per_token(records, f"entropy_{when}") for when in ("before", "after"))
    if before is not None and after is not None:
        yield f"{prefix}/before/{suffix}", before
        yield f"{prefix}/after/{suffix}", after
        yield f"{prefix}/change/{suffix}", after - before


_SIGNS: Mapping[str, Callable[[float], bool]] = {
    "all": lambda advantage: True,
    "positive": lambda advantage: advantage > 0,
    "negative": lambda advantage: advantage < 0,
    "zero": lambda advantage: advantage == 0,
}


def _entropy_metrics(records: Sequence[Record]) -> dict[str, float]:
    """Return the metrics of entropy by the sign of the advantage."""
    metrics: dict[str, float] = {}
    for name, holds in _SIGNS.items():
        chosen = [record for record in records if holds(record["advantage"])]
        metrics.update(_entropy("probe/entropy", chosen, name))
    return metrics


def _regime_metrics(groups: Sequence[Sequence[Record]], level: Fraction, correct_above: float) -> dict[str, float]:
    """Return the share of mixed groups, and the change of entropy per token in hard and in easy groups."""
    rates = [success_rate((record["reward"] for record in group), correct_above) for group in groups]
    metrics = {"probe/gate/mixed_share": sum(0 < rate < 1 for rate in rates) / len(rates)}
    by_regime: dict[str, list[Record]] = {"hard": [], "easy": []}
    for group, rate in zip(groups, rates, strict=True):
        # Both are fractions, so that rounding takes no group on the edge across it.
        by_regime["hard" if rate <= 1 - level else "easy"] += group
    for name, chosen in by_regime.items():
        before, after = (_per_token(chosen, f"entropy_{when}") for when in ("before", "after"))
        if before is not None and after is not None:
            metrics[f"probe/entropy/change/{name}"] = after - before
    return metrics


def _leak_share(groups: Sequence[Sequence[Record]], level: Fraction) -> float:
    """Return the share of groups in which the interpolated quantile leaks."""
    return sum(bool(gate_leaks(_column(group, "reward"), level)) for group in groups) / len(groups)


def _predicted(records: Sequence[Record]) -> dict[str, float]:
    """Return the predicted changes per token, where every record has them."""
    metrics = {}
    for metric, name in (("change", "entropy_change_predicted"), ("change_uncentred", UNCENTRED)):
        value = _per_token(records, name) if all(name in record for record in records) else None
        if value is not None:
            metrics[f"probe/predicted/{metric}"] = value
    return metrics


def _counterfactual(records: Sequence[Record]) -> dict[str, float]:
    """Return the change of entropy per token after each arm's update."""
    tokens = sum(record["tokens"] for record in records)
    arms: Mapping[str, float] = records[0].get(COUNTERFACTUAL, {})
    if not tokens:
        return {}
    metrics = {}
    for arm in arms:
        # fsum, because the sums of a batch are large beside their differences.
        change = math.fsum(record[COUNTERFACTUAL][arm] - record["entropy_before"] for record in records)
        metrics[f"probe/counterfactual/{arm}/entropy_change"] = change / tokens
    return metrics
