"""Fix, before any run, what counts as found for each of the paper's claims that need a cluster.

Common to all: a run counts from step ``LEAST`` on, the only length that the paper states; accuracy is that of the last
evaluation; the intervals of a claim hold together at ``LEVEL`` (Bonferroni). A statement's control is the same
computation on figures moved to where the claim does not hold, with their scatter left as it is. How intervals are
computed is in ``contrasts``.

What a word of the paper is taken to mean:

* "comparable" pass@16: not lower by more than ``COMPARABLE``;
* "spikes", "surges": at least half as much again as before (``SURGE``), on average over the window; "steady": less
than that up or down; "bounded": less than twice (``BOUND``);
* "about 80%": the band of ``qae_theory.curves.sparsity``;
* "most of its effect": more than half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import log

import numpy as np

from llm_validation.cluster.claims.contrasts import (
    Accuracy,
    Difference,
    accuracy,
    difference,
    level_of,
    log_gap,
    log_ratio,
)
from llm_validation.cluster.collect.paper_rows import TABLE_1
from llm_validation.cluster.collect.paper_tables import last_evaluation
from qae_theory.claims.statements import Statement
from qae_theory.curves.sparsity import BAND
from qae_theory.curves.statistics import bonferroni
from qae_theory.runs.collected import ENTROPY, Collected

LEVEL = 0.95
LEAST = 300  # steps
COMPARABLE = 0.05  # of accuracy: one and a half of the 30 questions of AIME
SURGE, BOUND = log(1.5), log(2.0)  # logarithms, because curves are compared by ratios
BEFORE, SPIKE = range(1, 10), range(10, 81)  # steps of Fig. 1
# Thirds of a run stand for the paper's "early" and "later"; they were chosen before any run.
EARLY, LATE = range(1, LEAST // 3 + 1), range(LEAST // 3 + 1, LEAST + 1)
MIDDLE, LAST = range(LEAST // 3 + 1, 2 * LEAST // 3 + 1), range(2 * LEAST // 3 + 1, LEAST + 1)
# Names of the curves, the first that a run has: figures recomputed from dumps come before those that verl logged.
NEGATIVE_ENTROPY = ("recomputed/probe/entropy/before/negative", "probe/entropy/before/negative")
ZERO_SHARE = ("recomputed/rollouts/zero_share", "probe/advantage/zero_share", "recomputed/probe/advantage/zero_share")
WORDS = ("recomputed/rollouts/anthropomorphic_words",)
DAPO, QAE = "qwen3-8b-clip-higher", "qwen3-8b-clip-higher-qae"
LARGE, LARGE_QAE = "qwen3-14b-clip-higher", "qwen3-14b-clip-higher-qae"
PAIRS = {
    method: (stem, f"{stem}-qae")
    for method, stem in (
        ("Clip-Higher", DAPO),
        ("Clip-Cov", "qwen3-8b-clip-cov"),
        ("KL-Cov", "qwen3-8b-kl-cov"),
        ("GSPO", "qwen3-30b-a3b-gspo"),
    )
}
SWEEP = {"0.2": f"{QAE}-k02", "0.4": QAE, "0.6": f"{QAE}-k06", "0.8": f"{QAE}-k08"}
STRONG, STRONG_QAE = "qwen3-8b-eps020", "qwen3-8b-eps020-qae"
MOVED = "the same figures moved to"

Rows = Mapping[str, Sequence[Collected]]


class LackingError(ValueError):
    """Raised where there are runs, but not what a statement needs of them; the message says what."""


@dataclass(frozen=True)
class ClusterClaim:
    """Describe how a claim is judged.

    Attributes:
        rows: names of the paper's rows that the claim is about.
        statements: a function that returns the claim's statements, given the runs of each row.
    """

    rows: tuple[str, ...]
    statements: Callable[[Rows], list[Statement]]


def table_1(rows: Rows) -> list[Statement]:
    """State that the mean of clip ratios .26 and .28 is above each lower setting."""
    at = {level: _accuracy(rows, name, "AIME24") for level, name in TABLE_1.items()}
    lower = ("0.20", "0.22", "0.24")
    level = bonferroni(LEVEL, len(lower))
    statements = []
    for low in lower:
        gap = difference([(0.5, at["0.26"]), (0.5, at["0.28"]), (-1.0, at[low])], level)
        statements.append(_above(f"AIME24 pass@1 is higher between 0.26 and 0.28 than at {low}", gap))
    return statements


def table_2(rows: Rows) -> list[Statement]:
    """State that seven of eight differences are positive in 95% of the draws and pass@16 is comparable."""
    once: dict[str, Difference] = {}
    many: list[Difference] = []
    for stream, benchmark in enumerate(("AIME24", "AIME25")):
        for own, (method, pair) in enumerate(PAIRS.items()):
            # Methods on one benchmark share its questions; the eight seeds of the other draws are all different.
            key = {"stream": stream, "own": 8 * stream + own}
            once[f"{method} on {benchmark}"] = _gap(rows, pair, benchmark, 1, LEVEL, **key)
            many.append(_gap(rows, pair, benchmark, 16, LEVEL, **key))
    return [_seven_of_eight(once), _comparable("pass@16, on average over the eight comparisons", _mean_of(many))]


def figure_1(rows: Rows) -> list[Statement]:
    """State that DAPO's entropy spikes at steps 10 to 80, QAE's does not, and QAE's accuracy rises later."""
    level = bonferroni(LEVEL, 3)
    dapo, qae = (_ratio(rows, name, ENTROPY, SPIKE, BEFORE, level) for name in (DAPO, QAE))
    return [
        _at_least("DAPO's entropy at steps 10 to 80 is half as much again as before", dapo),
        _below("QAE's entropy at steps 10 to 80 is not half as much again as before", qae, SURGE),
        _above("QAE's AIME24 pass@1 rises from step 80 to the end", _gain(rows, QAE, SPIKE.stop - 1, level)),
    ]


def figure_2(rows: Rows) -> list[Statement]:
    """State that with clip-higher anthropomorphic words surge, more than without, while accuracy levels off."""
    level = bonferroni(LEVEL, 3)
    surge = _ratio(rows, DAPO, WORDS, range(10, EARLY.stop), BEFORE, level)
    gap = log_gap(rows[DAPO], rows[STRONG], WORDS, EARLY, level)
    gain = _gain(rows, DAPO, EARLY.stop - 1, level)
    return [
        _at_least("anthropomorphic words in the first third are half as many again as at first", surge),
        _above("in the first third there are more of them than without clip-higher", _there(gap, "words")),
        _below("AIME24 pass@1 gains less than five points after the first third", gain, COMPARABLE),
    ]


def figure_5(rows: Rows) -> list[Statement]:
    """State how QAE compares with DAPO on the 8B model: accuracy, negative samples' entropy, zero advantages."""
    level = bonferroni(LEVEL, 4)
    negative = _ratio(rows, QAE, NEGATIVE_ENTROPY, LATE, EARLY, level)
    zeros = _there(level_of(rows[QAE], ZERO_SHARE, range(1, LEAST + 1), level), "share of zero advantages")
    return [
        _above("QAE's AIME24 pass@1 is above DAPO's", _gap(rows, (DAPO, QAE), "AIME24", 1, level)),
        _comparable("QAE's AIME24 pass@16 against DAPO's", _gap(rows, (DAPO, QAE), "AIME24", 16, level)),
        _below("the entropy of QAE's negative samples after the first third is not twice what it was", negative, BOUND),
        _statement(
            f"between {BAND[0]:.0%} and {BAND[1]:.0%} of QAE's advantages are zero",
            zeros,
            holds=lambda share: BAND[0] <= share.low and share.high <= BAND[1],
            elsewhere=0.5,  # a share of one half lies outside the band
        ),
    ]


def figure_6(rows: Rows) -> list[Statement]:
    """State that QAE gains on the 14B model, and which mask has more than half of its gain under which clipping."""
    level = bonferroni(LEVEL, 5)
    large = _mean_gap(rows, (LARGE, LARGE_QAE), level)
    statements = [_above("QAE's pass@1 on the 14B model is above DAPO's, mean of AIME24 and AIME25", large)]
    weak = (DAPO, QAE, "qwen3-8b-neg-mask", "NEG-MASK", "0.28")
    strong = (STRONG, STRONG_QAE, "qwen3-8b-eps020-pos-mask", "POS-MASK", "0.20")
    for base, whole, mask, name, clip in (weak, strong):
        mean_baseline, qae, masked = (_accuracy(rows, row, "AIME24") for row in (base, whole, mask))
        gain = difference([(-1.0, mean_baseline), (1.0, qae)], level)
        # mask > (base + qae) / 2 is written as a difference: a ratio of gains has no interval if QAE's may be zero.
        beyond_half = difference([(-0.5, mean_baseline), (-0.5, qae), (1.0, masked)], level)
        statements.append(_above(f"at epsilon_high = {clip} QAE's AIME24 pass@1 is above the mean baseline's", gain))
        statements.append(_above(f"at epsilon_high = {clip} {name} has more than half of QAE's gain", beyond_half))
    return statements


def figure_7(rows: Rows) -> list[Statement]:
    """State that under QAE anthropomorphic words do not surge while accuracy rises."""
    level = bonferroni(LEVEL, 2)
    words = _ratio(rows, QAE, WORDS, range(10, LEAST + 1), BEFORE, level)
    return [
        _below("anthropomorphic words do not become half as many again as at first", words, SURGE),
        _above("AIME24 pass@1 rises after the first third", _gain(rows, QAE, EARLY.stop - 1, level)),
    ]


def figure_9(rows: Rows) -> list[Statement]:
    """State that entropy over 300 steps rises from each K to the next."""
    neighbours = list(zip(SWEEP, list(SWEEP)[1:], strict=False))
    level = bonferroni(LEVEL, len(neighbours))
    statements = []
    for low, high in neighbours:
        gap = log_gap(rows[SWEEP[high]], rows[SWEEP[low]], ENTROPY, range(1, LEAST + 1), level)
        statements.append(_above(f"entropy at K = {high} is above that at K = {low}", _there(gap, "entropy")))
    return statements


def figure_10(rows: Rows) -> list[Statement]:
    """State that on the 8B model QAE's entropy is steady and its accuracy is above DAPO's."""
    return _dynamics(rows, DAPO, QAE)


def figure_11(rows: Rows) -> list[Statement]:
    """State that on the 14B model QAE's entropy is steady and its accuracy is above DAPO's."""
    return _dynamics(rows, LARGE, LARGE_QAE)


CLAIMS: Mapping[str, ClusterClaim] = {
    "table-1": ClusterClaim(tuple(TABLE_1.values()), table_1),
    "table-2": ClusterClaim(tuple(chain.from_iterable(PAIRS.values())), table_2),
    "figure-1": ClusterClaim((DAPO, QAE), figure_1),
    "figure-2": ClusterClaim((DAPO, STRONG), figure_2),
    "figure-5": ClusterClaim((DAPO, QAE), figure_5),
    "figure-6": ClusterClaim(
        (LARGE, LARGE_QAE, DAPO, QAE, "qwen3-8b-neg-mask", STRONG, STRONG_QAE, "qwen3-8b-eps020-pos-mask"), figure_6
    ),
    "figure-7": ClusterClaim((QAE,), figure_7),
    "figure-9": ClusterClaim(tuple(SWEEP.values()), figure_9),
    "figure-10": ClusterClaim((DAPO, QAE), figure_10),
    "figure-11": ClusterClaim((LARGE, LARGE_QAE), figure_11),
}
# Figures 3 and 8 show single tokens. No log or dump of this suite holds them, so that no run of it decides the claims.
_NO_TOKENS = (
    "which tokens have high entropy is in no log or dump: of a response there is the sum over its tokens, so "
    "`qae cluster collect` cannot decide it"
)
UNDECIDABLE: Mapping[str, str] = {"figure-3": _NO_TOKENS, "figure-8": _NO_TOKENS}


def _dynamics(rows: Rows, base: str, qae: str) -> list[Statement]:
    """State that entropy is steady in two later windows and that accuracy is above DAPO's."""
    level = bonferroni(LEVEL, 3)
    statements = []
    for name, window in {"middle": MIDDLE, "last": LAST}.items():
        steady = _statement(
            f"QAE's entropy in the {name} third is within half as much again of that in the first",
            _ratio(rows, qae, ENTROPY, window, EARLY, level),
            holds=lambda ratio: max(-ratio.low, ratio.high) <= SURGE,
            elsewhere=BOUND,
        )
        statements.append(steady)
    gap = _gap(rows, (base, qae), "AIME24", 1, level)
    return [*statements, _above("QAE's AIME24 pass@1 is above DAPO's", gap)]


def _seven_of_eight(once: Mapping[str, Difference]) -> Statement:
    """State that at least seven of the eight comparisons are positive in a share ``LEVEL`` of the draws."""
    positive = sum(gap.estimate > 0 for gap in once.values())
    share = _share_of_seven(list(once.values()))
    planted = _share_of_seven([gap.moved(0.0) for gap in once.values()])
    listed = "; ".join(f"{name} {gap}" for name, gap in once.items())
    return Statement(
        says=f"pass@1 rises in at least seven of eight comparisons, in {LEVEL:.0%} of the draws",
        found=share >= LEVEL,
        detail=f"{positive} of {len(once)} are positive, at least seven in {share:.0%} of the draws: {listed}",
        planted=f"{MOVED} a difference of 0",
        control_found=planted >= LEVEL,
        control_detail=f"at least seven in {planted:.0%} of the draws",
    )


def _share_of_seven(gaps: Sequence[Difference]) -> float:
    """Return the share of joint draws in which at least seven of the differences are positive."""
    shortest = min(len(gap.draws) for gap in gaps)
    positive = np.stack([gap.draws[:shortest] > 0 for gap in gaps])
    return float((positive.sum(axis=0) >= 7).mean())


def _mean_of(gaps: Sequence[Difference]) -> Difference:
    """Return the mean of several differences, with the interval of their joint draws."""
    shortest = min(len(gap.draws) for gap in gaps)
    draws = np.mean([gap.draws[:shortest] for gap in gaps], axis=0)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    estimate = float(np.mean([gap.estimate for gap in gaps]))
    return Difference(estimate=estimate, low=float(low), high=float(high), draws=draws, over=gaps[0].over)


def _gap(
    rows: Rows, pair: tuple[str, str], benchmark: str, k: int, level: float, *, stream: int = 0, own: int = 0
) -> Difference:
    """Return the accuracy of the second row of a pair less that of the first."""
    base, qae = (_accuracy(rows, name, benchmark, k) for name in pair)
    return difference([(1.0, qae), (-1.0, base)], level, stream=stream, own=own)


def _mean_gap(rows: Rows, pair: tuple[str, str], level: float) -> Difference:
    """Return the mean gap of a pair over AIME24 and AIME25, whose questions are drawn apart."""
    gaps = []
    for stream, benchmark in enumerate(("AIME24", "AIME25")):
        gaps.append(_gap(rows, pair, benchmark, 1, level, stream=stream, own=stream))
    estimate = sum(gap.estimate for gap in gaps) / 2
    # Half-widths of independent estimates add in quadrature.
    below = sum((gap.low - gap.estimate) ** 2 for gap in gaps) ** 0.5 / 2
    above = sum((gap.high - gap.estimate) ** 2 for gap in gaps) ** 0.5 / 2
    draws = (gaps[0].draws + gaps[1].draws[: len(gaps[0].draws)]) / 2
    return Difference(estimate=estimate, low=estimate - below, high=estimate + above, draws=draws, over=gaps[0].over)


def _gain(rows: Rows, name: str, after: int, level: float) -> Difference:
    """Return AIME24 pass@1 at the end less that at the last evaluation up to step ``after``.

    Raises:
        LackingError: a run has no evaluation up to that step.
    """
    before = []
    for run in rows[name]:
        steps = [evaluation for evaluation in run.evaluated("AIME24") if evaluation["step"] is not None]
        before.append([evaluation for evaluation in steps if evaluation["step"] <= after])
    first = accuracy([evaluations[-1] for evaluations in before], 1) if all(before) else None
    if first is None:
        raise LackingError(f"{name} has no evaluation on AIME24 up to step {after}")
    return difference([(1.0, _accuracy(rows, name, "AIME24")), (-1.0, first)], level)


def _accuracy(rows: Rows, name: str, benchmark: str, k: int = 1) -> Accuracy:
    """Return pass@k of a row at the last evaluation of its runs.

    Raises:
        LackingError: no run has such an evaluation at step ``LEAST`` or later.
    """
    last = [last_evaluation(run, benchmark, k) for run in rows[name]]
    # An evaluation that names no step counts as the earliest, and so never as the end of a run.
    late = [evaluation for evaluation in last if evaluation is not None and (evaluation["step"] or 0) >= LEAST]
    row = accuracy(late, k)
    if row is None:
        raise LackingError(f"{name} has no evaluation of pass@{k} on {benchmark} at step {LEAST} or later")
    return row


def _ratio(rows: Rows, name: str, curve: Sequence[str], window: range, reference: range, level: float) -> Difference:
    """Return the logarithm of the ratio of a row's curve in one window to that in another.

    Raises:
        LackingError: the runs have too few steps of the curve.
    """
    return _there(log_ratio(rows[name], curve, window, reference, level), f"{curve[0]} of {name}")


def _there(gap: Difference | None, what: str) -> Difference:
    """Return the difference; raise :class:`LackingError` where there is none."""
    if gap is None:
        raise LackingError(f"{what} is not in the logs, or in too few steps")
    return gap


def _above(sentence: str, gap: Difference) -> Statement:
    """State that a difference is positive; the control is a difference of zero."""
    return _statement(sentence, gap, holds=lambda moved: moved.low > 0, elsewhere=0.0)


def _at_least(sentence: str, gap: Difference) -> Statement:
    """State that a logarithm of a ratio is at least ``SURGE``; the control is a ratio of one."""
    return _statement(sentence, gap, holds=lambda moved: moved.low >= SURGE, elsewhere=0.0)


def _below(sentence: str, gap: Difference, bound: float) -> Statement:
    """State that a difference is below a bound; the control is twice the bound."""
    return _statement(sentence, gap, holds=lambda moved: moved.high < bound, elsewhere=2 * bound)


def _comparable(sentence: str, gap: Difference) -> Statement:
    """State that an accuracy is not lower by more than ``COMPARABLE``; the control is lower by twice that."""
    whole = f"{sentence}: not lower by more than {100 * COMPARABLE:g} points"
    return _statement(whole, gap, holds=lambda moved: moved.low > -COMPARABLE, elsewhere=-2 * COMPARABLE)


def _statement(sentence: str, gap: Difference, *, holds: Callable[[Difference], bool], elsewhere: float) -> Statement:
    """Return a statement with its control: the same criterion on the difference moved to ``elsewhere``."""
    planted = gap.moved(elsewhere)
    return Statement(
        says=sentence,
        found=holds(gap),
        detail=str(gap),
        planted=f"{MOVED} {elsewhere:.3g}",
        control_found=holds(planted),
        control_detail=str(planted),
    )
