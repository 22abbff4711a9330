"""Lines about training curves: found where planted, opposite where turned round, absent elsewhere; and the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llm_validation.common.tables import take
from llm_validation.study.analysis.curve_lines import USUAL, shape_lines, windows
from llm_validation.study.analysis.places import boundaries, map_contrasts, map_places, name_of
from llm_validation.study.analysis.records import aligned, condition_name, conditions, with_batch_success
from llm_validation.study.analysis.sensitivity import ALTERNATIVES, sensitivity
from qae_theory.claims.model import Answer
from tests.llm_validation.study.analysis.synthetic import RULES, Truth, studied

PLACE = "digits/adam-4updates"


def outcomes(truth: Truth, **options: Any) -> dict[str, Answer]:
    tables = studied(np.random.default_rng(0), truth, **options)
    return {line.id: line.outcome for line in shape_lines(tables).lines}


CASES = [
    ("shape-entropy-rises-with-k", "-equal-steps", {"rises": 0.5}, {"rises": -0.5}, {"rises": 0.0}),
    ("shape-entropy-rises-with-k", "-equal-success", {"rises": 0.8}, {"rises": -0.8}, {"rises": 0.0}),
    ("shape-qae-holds-entropy", "-equal-steps", {"rises": 0.8}, {"rises": -0.8}, {"rises": 0.0}),
    ("shape-qae-holds-entropy", "-equal-success", {"rises": 0.8}, {"rises": -0.8}, {"rises": 0.0}),
    ("shape-entropy-collapses", "-grpo", {"falls": 0.9}, {"falls": -0.9}, {"falls": 0.1}),
    ("shape-negative-samples-lead-growth", "-grpo", {"negative": 0.3}, {"negative": -0.08}, {"negative": 0.0}),
    (
        "shape-negative-samples-hold-more-entropy",
        "-grpo-level",
        {"negative": 0.3},
        {"negative": -0.3},
        {"negative": 0.0},
    ),
    (
        "shape-negative-samples-hold-more-entropy",
        "-grpo-growth",
        {"negative": 0.6},
        {"negative": -0.6},
        {"negative": 0.0},
    ),
    ("shape-mask-ordering", "-success", {"nearer": 0.2}, None, {"nearer": 0.0}),
    ("shape-mask-ordering", "-entropy", {"nearer": 0.3}, None, {"nearer": 0.0}),
    ("shape-mask-ordering", "-clip0.2-0.2-success", {"leads": 0.1}, {"leads": -0.1}, {"leads": 0.0}),
    ("shape-sparsity-over-training", "-qae-0.4-all-groups", {"zeros": 0.8}, {"zeros": 0.5}, {"zeros": 0.7}),
    ("shape-entropy-explodes", "-grpo", {"peak": 2.5}, None, {"peak": 1.0}),
]


@pytest.mark.parametrize(("claim", "suffix", "planted", "turned", "nothing"), CASES)
def test_each_line_answers_to_what_is_planted(
    claim: str, suffix: str, planted: dict[str, float], turned: dict[str, float] | None, nothing: dict[str, float]
) -> None:
    name = f"{claim}@{PLACE}{suffix}"
    assert outcomes(Truth(**planted))[name] is Answer.FOUND
    assert outcomes(Truth(**nothing))[name] is Answer.ABSENT
    if turned is not None:
        assert outcomes(Truth(**turned))[name] is Answer.OPPOSITE


def test_every_line_finds_twice_its_smallest_effect_and_nothing_in_its_residuals() -> None:
    lines = shape_lines(studied(np.random.default_rng(1))).lines
    assert len(lines) > 15
    for line in lines:
        assert line.power > 0.99
        assert (line.planted, line.control) == (Answer.FOUND, Answer.ABSENT), line.id


def test_noise_beyond_the_smallest_effect_is_undecided_and_says_how_many_seeds_would_do() -> None:
    lines = {line.id: line for line in shape_lines(studied(np.random.default_rng(2), Truth(noise=0.3))).lines}
    line = lines[f"shape-entropy-rises-with-k@{PLACE}-equal-steps"]
    assert line.outcome is Answer.UNDECIDED
    assert line.power < 0.5
    assert line.deciding is not None
    assert line.deciding > line.n


def test_where_rl_does_not_learn_a_condition_is_out() -> None:
    found = shape_lines(studied(np.random.default_rng(3), Truth(gain=0.05, rises=0.5)))
    assert all("shape-entropy-rises" not in line.id for line in found.lines)
    (one,) = [
        one
        for one in found.out
        if one["claim"].startswith("shape-entropy-rises") and one["condition"].endswith("steps")
    ]
    assert set(one["does not learn"]) == {"qae-0.2", "qae-0.4", "qae-0.8"}


def test_levels_with_more_seeds_come_first_and_all_levels_beside_them() -> None:
    tables = studied(np.random.default_rng(4), Truth(rises=0.5), seeds=6)
    for name, table in tables.items():
        tables[name] = take(table, ~((table["k"] == 0.2) & (table["seed"] >= 3)))
    found = {line.id: line for line in shape_lines(tables).lines}
    assert found[f"shape-entropy-rises-with-k@{PLACE}-equal-steps"].n == 6
    assert found[f"shape-entropy-rises-with-k@{PLACE}-3levels-equal-steps"].n == 3


def test_one_checkpoint_shows_no_growth() -> None:
    """Its difference from itself is 0 in every seed, which would count as certain evidence of absence."""
    tables = studied(np.random.default_rng(8))
    growth = f"shape-negative-samples-hold-more-entropy@{PLACE}-grpo-growth"
    assert growth in {line.id for line in shape_lines(tables).lines}
    runs = dict(tables["runs"])
    early = runs["step"] < runs["step"].max()
    for name in ("entropy_positive", "entropy_negative", "growth_positive", "growth_negative"):
        runs[name] = np.where(early, runs[name], np.nan)
    found = {line.id for line in shape_lines({**tables, "runs": runs}).lines}
    assert growth not in found
    assert growth.replace("-growth", "-level") in found


@pytest.mark.filterwarnings("error")
def test_a_tenth_without_a_figure_has_none() -> None:
    curve = np.arange(40.0).reshape(2, 20)
    curve[0, :3] = np.nan
    found = windows(curve)
    np.testing.assert_array_equal(found[0], [np.nan, 3.0, *np.arange(4.5, 20, 2)])
    np.testing.assert_array_equal(found[1], np.arange(20.5, 40, 2))


def test_channels_are_conditions_of_their_own_with_two_families() -> None:
    tables = studied(np.random.default_rng(5), Truth(rises=0.5), adam_eps=1e-2)
    names = {line.id for line in shape_lines(tables).lines}
    assert {name.partition("@")[0] for name in names} == {
        "shape-entropy-rises-with-k",
        "shape-qae-holds-entropy",
        "shape-mask-ordering",
    }
    assert "shape-qae-holds-entropy@digits/adam-4updates-eps0.01-equal-steps" in names


def test_conditions_are_named_by_what_is_unusual() -> None:
    usual = {"optimiser": "sgd", "updates": 1, "clip_low": 0.2, "clip_high": 0.28, "adam_eps": 1e-8, "rounding": "none"}
    names = [
        condition_name(usual | {"loss": "dapo"}),
        condition_name(usual | {"loss": "dr_grpo", "rounding": "log_probs"}),
        condition_name(usual | {"loss": "dapo", "clip_low": 1.0}),
    ]
    assert names == ["sgd-1updates", "sgd-1updates-rounded-log-probs-loss-dr-grpo", "sgd-1updates-clip1-0.28"]


def test_maps_are_no_conditions() -> None:
    tables = studied(np.random.default_rng(6), part="map, no lower clip")
    assert list(conditions(tables["runs"])) == []
    assert shape_lines(tables).lines == []


def test_runs_are_aligned_on_what_they_share() -> None:
    tables = studied(np.random.default_rng(7), seeds=4)
    rules = next(conditions(tables["follow"])).rules
    some = take(rules["grpo"], rules["grpo"]["seed"] != 2)
    one, other = aligned([some, rules["qae-0.4"]], {"success": "pass1"})
    assert one.curves["success"].shape == other.curves["success"].shape == (3, 5)
    three = rules["qae-0.4"]
    expected = three["pass1"][(three["seed"] == 3) & (three["step"] == 20)]
    assert other.curves["success"][-1, -1] == expected[0]


def test_success_in_the_batches_is_a_mean_since_the_checkpoint_before() -> None:
    tables = studied(np.random.default_rng(8), seeds=1, rules=RULES[:1])
    column = with_batch_success(tables["follow"], tables["runs"])["batch_success"]
    success = tables["runs"]["success"]
    assert column.tolist() == pytest.approx([success[0], *(success[at : at + 5].mean() for at in (0, 5, 10, 15))])


# Sensitivity


def test_alternatives_that_change_nothing_keep_every_outcome_and_others_are_counted() -> None:
    tables = studied(np.random.default_rng(9), Truth(rises=0.3), seeds=6)
    lines = shape_lines(tables).lines
    records = {one["alternative"]: one for one in sensitivity(tables, lines)}
    assert set(records) == set(ALTERNATIVES)
    assert records["99 % intervals"]["turned"] == []
    doubled = records["smallest effects doubled"]
    assert doubled["compared"] == len(lines)
    assert doubled["same"] < len(lines)
    turned = {one["line"]: one for one in doubled["turned"]}
    assert turned[f"shape-entropy-rises-with-k@{PLACE}-equal-steps"]["alternative"] == "absent"


@pytest.mark.parametrize(("seeds", "left"), [("even", 3), ("odd", 2)])
def test_half_of_the_seeds(seeds: str, left: int) -> None:
    lines = shape_lines(studied(np.random.default_rng(10)), USUAL._replace(seeds=seeds)).lines
    assert {line.n for line in lines} == {left}


def test_a_line_that_is_looked_at_twice_has_the_level_of_both_looks_together() -> None:
    tables = studied(np.random.default_rng(14))
    once, twice = ({**tables, "runs": looked(tables["runs"], n), "follow": looked(tables["follow"], n)} for n in (1, 2))
    pairs = list(zip(shape_lines(once).lines, shape_lines(twice).lines, strict=True))
    assert {(one.level, two.level) for one, two in pairs} == {(0.95, 0.975)}
    assert all(two.high - two.low > one.high - one.low for one, two in pairs)
    assert {line.level for line in shape_lines(twice, USUAL._replace(level=0.99)).lines} == {0.995}


def looked(table: Any, looks: int) -> Any:
    """The table of runs whose lines are read so often."""
    return {**table, "looks": np.full(len(table["seed"]), looks)}


# The map


def mapped(truth: Truth, *, seed: int = 0, **changes: Any) -> Any:
    return studied(np.random.default_rng(seed), truth, seeds=3, rules=RULES[:3], part="map", **changes)


@pytest.mark.parametrize(
    ("truth", "name"),
    [
        (Truth(falls=0.8), "collapses"),
        (Truth(falls=0.1), "steady"),
        (Truth(falls=0.1, peak=2.0), "explodes"),
        (Truth(falls=0.8, gain=-0.25), "destroys success"),
    ],
)
def test_a_place_has_the_name_of_what_happens_there(truth: Truth, name: str) -> None:
    places = map_places(*mapped(truth).values())
    assert {(one["rule"], one["name"]) for one in places} == {("grpo", name), ("qae-0.2", name), ("qae-0.4", name)}
    assert all(one["names_by_seed"] == [name] * 3 for one in places)


def test_names_have_their_order() -> None:
    assert name_of(0.1, 3.0, 0.4, 0.1) == "destroys success"
    assert name_of(0.1, 3.0, 0.4, 0.4) == "explodes"
    assert name_of(0.49, 1.0, 0.4, 0.4) == "collapses"
    assert name_of(0.51, 1.49, 0.4, 0.2) == "steady"


def test_a_boundary_is_the_least_rate_at_which_a_seed_has_the_name() -> None:
    slow, fast = mapped(Truth(falls=0.1), learning_rate=1e-4), mapped(Truth(falls=0.8), learning_rate=1e-3)
    both = {name: {key: np.concatenate([slow[name][key], fast[name][key]]) for key in slow[name]} for name in slow}
    places = map_places(both["runs"], both["follow"])
    (one,) = [one for one in boundaries(places, "collapses") if one["rule"] == "grpo"]
    assert (one["reached"], one["seeds"], one["low"], one["high"]) == (3, 3, 1e-3, 1e-3)
    assert all(one["low"] is None and one["reached"] == 0 for one in boundaries(places, "explodes"))


def test_places_compare_entropy_at_equal_success() -> None:
    tables = mapped(Truth(rises=0.8))
    (one,) = map_contrasts(tables["runs"], tables["follow"], one="qae-0.4", other="grpo")
    assert 0.1 < one["low"] < one["estimate"] < one["high"]
    nowhere = mapped(Truth(gain=-0.2))
    (other,) = map_contrasts(nowhere["runs"], nowhere["follow"], one="qae-0.4", other="grpo")
    assert other["seeds"] < 3
