"""Which line of several attempts counts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.collect.logs.entries import Entry
from llm_validation.cluster.collect.logs.lines import Account
from llm_validation.cluster.collect.logs.merge import AGAIN, NO_METRICS, REDONE, SUPERSEDED, Merged, merge, summary

VAL = "val-core/AIME24/acc/mean@32"


def entries(*attempts: list[tuple[int, dict[str, float | None]]], unit: str = "lines") -> list[Entry]:
    found = []
    for attempt, of_attempt in enumerate(attempts, start=1):
        account = Account(f"attempt-{attempt}", unit)
        found += [Entry(step, metrics, attempt, account, account.add()) for step, metrics in of_attempt]
    return found


def reasons(of: list[Entry]) -> list[str | None]:
    return [entry.account.reason(entry.number) for entry in of]


def shown(merged: Merged) -> dict[int, Any]:
    return {record.step: record.metrics for record in merged.steps}


def test_equal_lines_are_dropped_quietly_and_of_others_the_later_counts() -> None:
    of = entries([(1, {"a": 1}), (1, {"a": 1}), (2, {"a": 2}), (2, {"a": 3})])
    merged = merge(of)
    assert shown(merged) == {1: {"a": 1}, 2: {"a": 3}}
    assert merged.conflicts == [2]
    assert reasons(of) == [None, AGAIN, SUPERSEDED, None]
    assert merged.steps[1].attempt == 1


def test_a_step_that_goes_back_inside_a_file_is_a_resume() -> None:
    """PaddleFormers 4744: steps 1 to 5, then 3 and 4 again; step 5 is of the branch that was left."""
    of = entries([(step, {"a": float(step)}) for step in (1, 2, 3, 4, 5)] + [(3, {"a": 30.0}), (4, {"a": 4.0})])
    merged = merge(of)
    assert shown(merged) == {1: {"a": 1}, 2: {"a": 2}, 3: {"a": 30}, 4: {"a": 4}, 5: {"a": 5}}
    assert [record.step for record in merged.steps if record.abandoned] == [5]
    assert [record.attempt for record in merged.steps] == [1, 1, 2, 2, 1]
    assert reasons(of)[2:4] == [REDONE, AGAIN]


def test_what_comes_late_is_no_resume() -> None:
    late = merge(entries([(1, {"a": 1}), (2, {"a": 2}), (1, {"b": 1}), (1, {VAL: 0.5}), (3, {"a": 3})]))
    assert not any(record.abandoned for record in late.steps)
    assert shown(late)[1] == {"a": 1, "b": 1, VAL: 0.5}


def test_attempts_of_later_files_are_counted_on_after_a_resume() -> None:
    twice = [(1, {"a": 1}), (2, {"a": 2}), (1, {"a": 10}), (2, {"a": 20})]
    merged = merge(entries(twice, [(3, {"a": 30})]), {2: 2})
    assert [(record.step, record.attempt, record.abandoned) for record in merged.steps] == [
        (1, 2, False),
        (2, 2, True),
        (3, 3, False),
    ]


def test_steps_said_differently_are_in_order() -> None:
    merged = merge(entries([(step, {"a": value}) for step in (8, 1, 2) for value in (0, 1)]))  # a set has 8 first
    assert merged.conflicts == [1, 2, 8]
    assert summary(merged)["said_differently"] == "1-2, 8"


def test_lines_out_of_order_are_put_in_order_and_counted() -> None:
    merged = merge(entries([(3, {"a": 3}), (1, {"a": 1}), (2, {"a": 2})]))
    assert list(shown(merged)) == [1, 2, 3]
    assert merged.out_of_order == 1


def test_missing_steps_are_those_up_to_the_last_trained_one() -> None:
    merged = merge(entries([(0, {VAL: 0.1}), (3, {"a": 3}), (6, {"a": 6})]))
    assert merged.missing == [1, 2, 4, 5]
    assert summary(merged) == {
        "kept": "3, 6",
        "validation_only": "0",
        "missing": "1-2, 4-5",
        "said_differently": "",
        "abandoned": "",
        "out_of_order": 0,
    }


def test_a_later_attempt_wins_and_its_first_validation_takes_no_training_metrics_away() -> None:
    """verl resumes from the checkpoint of step 2: it validates that step again, then trains step 3 again."""
    first = [(1, {"a": 1}), (2, {"a": 2, VAL: 0.2}), (3, {"a": 3, "b": 3})]
    of = entries(first, [(2, {VAL: 0.25}), (3, {"a": 30}), (4, {"a": 40})])
    merged = merge(of)
    assert shown(merged) == {1: {"a": 1}, 2: {"a": 2, VAL: 0.25}, 3: {"a": 30}, 4: {"a": 40}}
    assert [record.attempt for record in merged.steps] == [1, 1, 2, 2]
    assert not any(record.abandoned for record in merged.steps)
    assert merged.conflicts == [2, 3]
    assert reasons(of) == [None, None, REDONE, None, None, None]


def test_steps_of_a_branch_that_was_left_are_kept_and_marked() -> None:
    first = [(step, {"a": step}) for step in range(1, 8)]
    second = [(step, {"a": -step}) for step in (4, 5)]
    merged = merge(entries(first, second))
    assert [record.step for record in merged.steps if record.abandoned] == [6, 7]
    assert shown(merged)[5] == {"a": -5}
    assert shown(merged)[6] == {"a": 6}
    goes_on = merge(entries(first, [(8, {"a": 8})]))
    assert not any(record.abandoned for record in goes_on.steps)


def test_where_an_attempt_started_may_be_known_before_it_logs() -> None:
    first = [(step, {"a": step}) for step in range(1, 5)]
    merged = merge(entries(first, []), {2: 3})
    assert [record.step for record in merged.steps if record.abandoned] == [3, 4]
    validated = merge(entries(first, [(2, {VAL: 0.5})]))  # the next that it trains is step 3
    assert [record.step for record in validated.steps if record.abandoned] == [3, 4]


def test_an_event_file_has_an_event_for_each_metric() -> None:
    of = entries([(1, {"a": 1}), (1, {"b": 1}), (1, {"b": 2}), (1, {"a": 1})], unit="events")
    merged = merge(of)
    assert shown(merged) == {1: {"a": 1, "b": 2}}
    assert reasons(of) == [None, SUPERSEDED, None, AGAIN]


def test_a_line_with_nothing_in_it() -> None:
    of = entries([(1, {}), (2, {"a": None})])
    assert shown(merge(of)) == {2: {"a": None}}
    assert reasons(of) == [NO_METRICS, None]


def test_untraining_a_step_leaves_its_validation() -> None:
    of = entries([(1, {"a": 1, VAL: 0.5}), (2, {"a": 2})])
    with_validation, without = merge(of).steps
    with_validation.untrain("why")
    without.untrain("why")
    assert with_validation.metrics == {VAL: 0.5}
    assert not with_validation.trained
    assert without.metrics == {}
    assert reasons(of) == [None, "why"]
    with_validation.drop("all of it")
    assert reasons(of) == ["all of it", "why"]
    events = entries([(1, {"a": 1}), (1, {VAL: 0.5})], unit="events")
    merge(events).steps[0].untrain("why")
    assert reasons(events) == ["why", None]


LINE = st.tuples(
    st.integers(0, 4), st.dictionaries(st.sampled_from(["a", "b", VAL]), st.sampled_from([1.0, 2.0]), max_size=3)
)


@given(attempts=st.lists(st.lists(LINE, max_size=8), max_size=3), unit=st.sampled_from(["lines", "events"]))
def test_every_kept_line_says_something_of_the_result_and_every_metric_is_of_a_kept_line(
    attempts: list[list[tuple[int, dict[str, float | None]]]], unit: str
) -> None:
    of = entries(*attempts, unit=unit)
    result = shown(merge(of))
    kept = [entry for entry in of if entry.account.reason(entry.number) is None]
    for entry in kept:
        assert any(result[entry.step].get(name) == value for name, value in entry.metrics.items())
    for step, metrics in result.items():
        for name, value in metrics.items():
            assert any(entry.step == step and entry.metrics.get(name) == value for entry in kept)
    assert result.keys() == {entry.step for entry in of if entry.metrics}
