"""What counts as found for each of the paper's claims that need a cluster, fixed before any run.

Common to all: a run counts from step ``LEAST`` on, the only length that the paper states; accuracy is that of the last
evaluation; each claim's intervals hold together at ``LEVEL``. A statement's control is the same computation on figures
moved to where the claim does not hold, with their scatter left as it is.

What a word of the paper is taken to mean:

* "comparable" pass@16: not lower by more than ``COMPARABLE``;
* "spikes", "surges": half as much again as before, at least (``SURGE``), on average over the window; "steady": less
  than that up or down; "bounded": less than twice (``BOUND``);
* "about 80%": the band of ``qae_theory.curves.sparsity``;
* "most of its effect": more than half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
LEAST = 300
COMPARABLE = 0.05
SURGE, BOUND = log(1.5), log(2.0)
BEFORE, SPIKE = range(1, 10), range(10, 81)  # steps of Fig. 1
EARLY, LATE = range(1, LEAST // 3 + 1), range(LEAST // 3 + 1, LEAST + 1)
MIDDLE, LAST = range(LEAST // 3 + 1, 2 * LEAST // 3 + 1), range(2 * LEAST // 3 + 1, LEAST + 1)
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
    """Runs are there, but not what a statement needs of them; says what."""


@dataclass(frozen=True)
class ClusterClaim:
    """The rows that a claim is about, and its statements from their runs."""

    rows: tuple[str, ...]
    statements: Callable[[Rows], list[Statement]]


def table_1(rows: Rows) -> list[Statement]:
    """The mean of .26 and .28 is above each lower setting."""
    at = {level: _accuracy(rows, name, "AIME24") for level, name in TABLE_1.items()}
    lower = ("0.20", "0.22", "0.24")
    level = bonferroni(LEVEL, len(lower))
    found = {low: difference([(0.5, at["0.26"]), (0.5, at["0.28"]), (-1.0, at[low])], level) for low in lower}
    return [_above(f"AIME24 pass@1 is higher between 0.26 and 0.28 than at {low}", one) for low, one in found.items()]


def table_2(rows: Rows) -> list[Statement]:
    """At least seven of eight differences are positive in 95% of the draws; pass@16 is comparable on average."""
    once: dict[str, Difference] = {}
    many: list[Difference] = []
    for stream, benchmark in enumerate(("AIME24", "AIME25")):
        for own, (method, pair) in enumerate(PAIRS.items()):
            key = {"stream": stream, "own": 8 * stream + own}
            once[f"{method} on {benchmark}"] = _gap(rows, pair, benchmark, 1, LEVEL, **key)
            many.append(_gap(rows, pair, benchmark, 16, LEVEL, **key))
    return [_seven_of_eight(once), _comparable("pass@16, on average over the eight comparisons", _mean_of(many))]


def figure_1(rows: Rows) -> list[Statement]:
    """DAPO's entropy spikes at steps 10 to 80, QAE's does not, and its accuracy rises after step 80."""
    level = bonferroni(LEVEL, 3)
    dapo, qae = (_ratio(rows, name, ENTROPY, SPIKE, BEFORE, level) for name in (DAPO, QAE))
    return [
        _at_least("DAPO's entropy at steps 10 to 80 is half as much again as before", dapo),
        _below("QAE's entropy at steps 10 to 80 is not half as much again as before", qae, SURGE),
        _above("QAE's AIME24 pass@1 rises from step 80 to the end", _gain(rows, QAE, SPIKE.stop - 1, level)),
    ]


def figure_2(rows: Rows) -> list[Statement]:
    """With clip-higher the words surge, more than without, while accuracy levels off."""
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
    """Accuracy against DAPO, negative samples' entropy, and zeros among the advantages, on the 8B model."""
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
            lambda one: BAND[0] <= one.low and one.high <= BAND[1],
            0.5,
        ),
    ]


def figure_6(rows: Rows) -> list[Statement]:
    """The 14B model, and which mask recovers more than half of QAE's gain under which clipping."""
    level = bonferroni(LEVEL, 5)
    large = _mean_gap(rows, (LARGE, LARGE_QAE), level)
    found = [_above("QAE's pass@1 on the 14B model is above DAPO's, mean of AIME24 and AIME25", large)]
    weak = (DAPO, QAE, "qwen3-8b-neg-mask", "NEG-MASK", "0.28")
    strong = (STRONG, STRONG_QAE, "qwen3-8b-eps020-pos-mask", "POS-MASK", "0.20")
    for base, whole, mask, name, clip in (weak, strong):
        at = [_accuracy(rows, one, "AIME24") for one in (base, whole, mask)]
        gain = difference([(-1.0, at[0]), (1.0, at[1])], level)
        beyond_half = difference([(-0.5, at[0]), (-0.5, at[1]), (1.0, at[2])], level)
        found.append(_above(f"at epsilon_high = {clip} QAE's AIME24 pass@1 is above the mean baseline's", gain))
        found.append(_above(f"at epsilon_high = {clip} {name} has more than half of QAE's gain", beyond_half))
    return found


def figure_7(rows: Rows) -> list[Statement]:
    """Under QAE the words do not surge while accuracy rises."""
    level = bonferroni(LEVEL, 2)
    words = _ratio(rows, QAE, WORDS, range(10, LEAST + 1), BEFORE, level)
    return [
        _below("anthropomorphic words do not become half as many again as at first", words, SURGE),
        _above("AIME24 pass@1 rises after the first third", _gain(rows, QAE, EARLY.stop - 1, level)),
    ]


def figure_9(rows: Rows) -> list[Statement]:
    """From each K to the next, entropy over 300 steps rises."""
    neighbours = list(zip(SWEEP, list(SWEEP)[1:], strict=False))
    level = bonferroni(LEVEL, len(neighbours))
    found = {
        pair: log_gap(rows[SWEEP[pair[1]]], rows[SWEEP[pair[0]]], ENTROPY, range(1, LEAST + 1), level)
        for pair in neighbours
    }
    return [
        _above(f"entropy at K = {high} is above that at K = {low}", _there(one, "entropy"))
        for (low, high), one in found.items()
    ]


def figure_10(rows: Rows) -> list[Statement]:
    """8B: entropy steady under QAE, accuracy above DAPO's."""
    return _dynamics(rows, DAPO, QAE)


def figure_11(rows: Rows) -> list[Statement]:
    """14B: the same."""
    return _dynamics(rows, LARGE, LARGE_QAE)


CLAIMS: Mapping[str, ClusterClaim] = {
    "table-1": ClusterClaim(tuple(TABLE_1.values()), table_1),
    "table-2": ClusterClaim(tuple(name for pair in PAIRS.values() for name in pair), table_2),
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
# What no log or dump of this suite holds, and so no run of it can decide.
_NO_TOKENS = (
    "which tokens have high entropy is in no log or dump: of a response there is the sum over its tokens, so "
    "`qae cluster collect` cannot decide it"
)
UNDECIDABLE: Mapping[str, str] = {"figure-3": _NO_TOKENS, "figure-8": _NO_TOKENS}


def _dynamics(rows: Rows, base: str, qae: str) -> list[Statement]:
    level = bonferroni(LEVEL, 3)
    later = {"middle": MIDDLE, "last": LAST}
    steady = {name: _ratio(rows, qae, ENTROPY, window, EARLY, level) for name, window in later.items()}
    return [
        *(
            _statement(
                f"QAE's entropy in the {name} third is within half as much again of that in the first",
                one,
                lambda found: max(-found.low, found.high) <= SURGE,
                BOUND,
            )
            for name, one in steady.items()
        ),
        _above("QAE's AIME24 pass@1 is above DAPO's", _gap(rows, (base, qae), "AIME24", 1, level)),
    ]


def _seven_of_eight(once: Mapping[str, Difference]) -> Statement:
    positive = sum(one.estimate > 0 for one in once.values())
    share, planted = (
        _share_of_seven(list(set_)) for set_ in (once.values(), [one.moved(0.0) for one in once.values()])
    )
    said = "; ".join(f"{name} {one}" for name, one in once.items())
    return Statement(
        says=f"pass@1 rises in at least seven of eight comparisons, in {LEVEL:.0%} of the draws",
        found=share >= LEVEL,
        detail=f"{positive} of {len(once)} are positive, at least seven in {share:.0%} of the draws: {said}",
        planted=f"{MOVED} a difference of 0",
        control_found=planted >= LEVEL,
        control_detail=f"at least seven in {planted:.0%} of the draws",
    )


def _share_of_seven(differences: Sequence[Difference]) -> float:
    positive = np.stack([one.draws[: min(len(d.draws) for d in differences)] > 0 for one in differences])
    return float((positive.sum(axis=0) >= 7).mean())


def _mean_of(differences: Sequence[Difference]) -> Difference:
    shortest = min(len(one.draws) for one in differences)
    draws = np.mean([one.draws[:shortest] for one in differences], axis=0)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    estimate = float(np.mean([one.estimate for one in differences]))
    return Difference(estimate, float(low), float(high), draws, differences[0].over)


def _gap(
    rows: Rows, pair: tuple[str, str], benchmark: str, k: int, level: float, *, stream: int = 0, own: int = 0
) -> Difference:
    base, qae = (_accuracy(rows, name, benchmark, k) for name in pair)
    return difference([(1.0, qae), (-1.0, base)], level, stream=stream, own=own)


def _mean_gap(rows: Rows, pair: tuple[str, str], level: float) -> Difference:
    """Over AIME24 and AIME25; their questions are drawn apart."""
    gaps = [
        _gap(rows, pair, benchmark, 1, level, stream=stream, own=stream)
        for stream, benchmark in enumerate(("AIME24", "AIME25"))
    ]
    estimate = sum(one.estimate for one in gaps) / 2
    below, above = (sum((getattr(one, end) - one.estimate) ** 2 for one in gaps) ** 0.5 / 2 for end in ("low", "high"))
    draws = (gaps[0].draws + gaps[1].draws[: len(gaps[0].draws)]) / 2
    return Difference(estimate, estimate - below, estimate + above, draws, gaps[0].over)


def _gain(rows: Rows, name: str, after: int, level: float) -> Difference:
    """AIME24 pass@1 at the end less that at the last evaluation up to a step."""
    runs = rows[name]
    before = [
        [one for one in run.evaluated("AIME24") if one["step"] is not None and one["step"] <= after] for run in runs
    ]
    first = accuracy([listed[-1] for listed in before if listed], 1) if all(before) else None
    if first is None:
        raise LackingError(f"{name} has no evaluation on AIME24 up to step {after}")
    return difference([(1.0, _accuracy(rows, name, "AIME24")), (-1.0, first)], level)


def _accuracy(rows: Rows, name: str, benchmark: str, k: int = 1) -> Accuracy:
    last = [last_evaluation(run, benchmark, k) for run in rows[name]]
    found = accuracy([one for one in last if one is not None and (one["step"] or 0) >= LEAST], k)
    if found is None:
        raise LackingError(f"{name} has no evaluation of pass@{k} on {benchmark} at step {LEAST} or later")
    return found


def _ratio(rows: Rows, name: str, curve: Sequence[str], window: range, reference: range, level: float) -> Difference:
    return _there(log_ratio(rows[name], curve, window, reference, level), f"{curve[0]} of {name}")


def _there(found: Difference | None, what: str) -> Difference:
    if found is None:
        raise LackingError(f"{what} is not in the logs, or in too few steps")
    return found


def _above(says: str, one: Difference) -> Statement:
    return _statement(says, one, lambda found: found.low > 0, 0.0)


def _at_least(says: str, one: Difference) -> Statement:
    return _statement(says, one, lambda found: found.low >= SURGE, 0.0)


def _below(says: str, one: Difference, bound: float) -> Statement:
    return _statement(says, one, lambda found: found.high < bound, 2 * bound)


def _comparable(says: str, one: Difference) -> Statement:
    said = f"{says}: not lower by more than {100 * COMPARABLE:g} points"
    return _statement(said, one, lambda found: found.low > -COMPARABLE, -2 * COMPARABLE)


def _statement(says: str, one: Difference, holds: Callable[[Difference], bool], elsewhere: float) -> Statement:
    planted = one.moved(elsewhere)
    return Statement(
        says=says,
        found=holds(one),
        detail=str(one),
        planted=f"{MOVED} {elsewhere:.3g}",
        control_found=holds(planted),
        control_detail=str(planted),
    )
