"""The criteria at their edges, on runs with exactly known figures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_validation.cluster.claims import criteria as claims
from llm_validation.cluster.claims.criteria import CLAIMS, LackingError, Rows
from llm_validation.cluster.collect.evaluations.evaluation import DUMP, by_question
from qae_theory.runs.collected import Collected
from tests.qae_theory.runs.made_up import collected_run

SAMPLES = 100


def run(
    accuracy: float = 0.5,
    *,
    early: float | None = None,
    entropy: Callable[[int], float] = lambda step: 0.3,
    last: int = 300,
    both: float | None = None,
    **curves: Callable[[int], float],
) -> Collected:
    """Every question alike, at step 80 (``early``) and at the last; ``both`` is the accuracy on AIME25."""
    names = {"actor/entropy": entropy, **{name.replace("__", "/"): curve for name, curve in curves.items()}}
    lines = [{"step": s, "attempt": 1, **{name: curve(s) for name, curve in names.items()}} for s in range(1, 301)]
    evaluations = [
        by_question(step, benchmark, {str(q): (SAMPLES, round(SAMPLES * share)) for q in range(10)}, DUMP).record()
        for step, of_step in ((80, early), (last, accuracy))
        for benchmark, share in (("AIME24", of_step), ("AIME25", of_step if both is None else both))
        if share is not None
    ]
    config = {"name": "x", "row": "x", "named_by": "job.json"}
    return collected_run(config, lines, evaluations)


def found(claim: str, **runs: Collected) -> list[bool]:
    """Of each statement, with a row's run by the end of its name; the others are of accuracy .5."""
    rows: Rows = {
        name: [next((one for end, one in runs.items() if name.endswith(end.replace("_", "-"))), run(early=0.5))]
        for name in CLAIMS[claim].rows
    }
    return [statement.found for statement in CLAIMS[claim].statements(rows)]


@pytest.mark.parametrize(("mask", "recovers"), [(0.39, False), (0.41, True), (0.95, True)])
def test_more_than_half_of_the_gain(mask: float, recovers: bool) -> None:
    runs = {
        "qwen3_8b_clip_higher": run(0.2),
        "eps020": run(0.2),
        "8b_clip_higher_qae": run(0.6),
        "eps020_qae": run(0.6),
    }
    masks = {"neg_mask": run(mask), "pos_mask": run(mask)}
    assert found("figure-6", **masks, **runs) == [False, True, recovers, True, recovers]


@pytest.mark.parametrize(("pair", "higher"), [((0.5, 0.5), False), ((0.5, 0.4), False), ((0.5, 0.51), True)])
def test_accuracy_of_the_large_model_is_of_both_benchmarks(pair: tuple[float, float], higher: bool) -> None:
    base, qae = pair
    runs = {"14b_clip_higher": run(base), "14b_clip_higher_qae": run(qae)}
    assert found("figure-6", **runs)[0] is higher
    mixed = {"14b_clip_higher": run(0.5, both=0.5), "14b_clip_higher_qae": run(0.6, both=0.4)}
    assert found("figure-6", **mixed)[0] is False


@pytest.mark.parametrize(
    ("change", "middle", "last"), [(1.4, True, True), (1.6, True, False), (1 / 1.6, True, False), (0.75, True, True)]
)
def test_entropy_that_is_steady(change: float, middle: bool, last: bool) -> None:
    def entropy(step: int) -> float:
        return 0.3 if step <= 200 else 0.3 * change

    for claim, name in (("figure-10", "8b_clip_higher_qae"), ("figure-11", "14b_clip_higher_qae")):
        assert found(claim, **{name: run(0.6, entropy=entropy)}) == [middle, last, True]


@pytest.mark.parametrize(("ratio", "spikes"), [(1.45, False), (1.55, True)])
def test_what_a_spike_is(ratio: float, spikes: bool) -> None:
    def entropy(step: int) -> float:
        return 0.3 * ratio if 10 <= step <= 80 else 0.3

    both = {"higher": run(0.5, early=0.5, entropy=entropy), "higher_qae": run(0.5, early=0.4, entropy=entropy)}
    assert found("figure-1", **both) == [spikes, not spikes, True]
    assert found("figure-1", higher_qae=run(0.5, early=0.5))[2] is False


@pytest.mark.parametrize(("share", "about"), [(0.74, False), (0.76, True), (0.84, True), (0.86, False)])
def test_about_80_percent(share: float, about: bool) -> None:
    curves = {"recomputed__rollouts__zero_share": lambda step: share, "probe__entropy__before__negative": lambda s: 0.3}
    runs = {"higher": run(0.5), "higher_qae": run(0.6, **curves)}
    assert found("figure-5", **runs) == [True, True, True, about]


@pytest.mark.parametrize(("later", "bounded"), [(1.9, True), (2.1, False)])
def test_negative_samples_entropy_is_bounded(later: float, bounded: bool) -> None:
    curves = {
        "recomputed__rollouts__zero_share": lambda step: 0.8,
        "probe__entropy__before__negative": lambda step: 0.3 if step <= 100 else 0.3 * later,
    }
    assert found("figure-5", higher=run(0.5), higher_qae=run(0.6, **curves))[2] is bounded


@pytest.mark.parametrize(("ahead", "seven"), [(6, False), (7, True), (8, True)])
def test_seven_of_eight(ahead: int, seven: bool) -> None:
    wins = [i < ahead for i in range(8)]
    runs = {}
    for i, name in enumerate(("8b_clip_higher", "clip_cov", "kl_cov", "gspo")):
        at = [0.6 if wins[2 * i + j] else 0.4 for j in (0, 1)]
        runs[f"{name}_qae"] = run(at[0], both=at[1])
    assert found("table-2", **runs) == [seven, True]


@pytest.mark.parametrize(("lower", "comparable"), [(0.04, True), (0.06, False)])
def test_comparable_means_within_five_points(lower: float, comparable: bool) -> None:
    runs = {"higher": run(0.02), "higher_qae": run(0.02)}
    base = claims._accuracy({"x": [runs["higher"]]}, "x", "AIME24", 16)
    moved = base._replace(questions={name: value - lower for name, value in base.questions.items()})
    moved = moved._replace(runs=tuple(value - lower for value in base.runs))
    gap = claims.difference([(1.0, moved), (-1.0, base)], 0.95)
    assert claims._comparable("x", gap).found is comparable


def test_a_run_without_an_evaluation_at_the_end_lacks_it() -> None:
    with pytest.raises(LackingError, match=r"no evaluation of pass@1 on AIME24 at step 300 or later"):
        found("figure-10", qae=run(0.5, last=299))
