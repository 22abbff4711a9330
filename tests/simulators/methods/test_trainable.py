"""Rules of rewards alone are estimators by name: the same numbers, masks and repeated rewards, options and refusals."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

from qae_theory import advantages
from qae_theory import advantages as rule_of
from qae_theory.advantages import PROVIDERS, Estimator, estimator_names, get_estimator, provided_estimators
from qae_theory.group_expectation import outcome_advantages
from simulators.methods import get_method, method_names
from simulators.methods.trainable import TRAINABLE, estimators
from simulators.outcomes import outcome_table
from tests.assertions import refuses

# Other clip ranges and importance ratios are for a trainer to set; they are no estimators.
OUTSIDE = {"dapo", "clip_range", "gspo", "asymre"}
GROUP = np.array([1.0, 0.0, 0.0, 1.0, 0.0])


def test_they_are_the_rules_of_rewards_alone() -> None:
    alone = {name for name in method_names() if get_method(name).rewards_alone and get_method(name).start is None}
    assert set(TRAINABLE) == alone - set(estimator_names()) - OUTSIDE
    assert set(provided_estimators()) >= set(TRAINABLE)
    assert not set(TRAINABLE) & set(estimator_names())


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_group_has_the_numbers_of_the_method(name: str) -> None:
    rewards = np.array([GROUP, 1 - GROUP, np.ones(5), np.zeros(5)])
    np.testing.assert_array_equal(advantages(rewards, name), get_method(name).advantages(rewards))
    assert get_estimator(name).source == get_method(name).source


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_response_that_could_not_be_scored_is_as_if_it_were_not_there(name: str) -> None:
    with_holes = np.array([[1.0, np.nan, 0.0, 0.0, 1.0, np.nan, 0.0], [np.nan] * 6 + [1.0]])
    found = advantages(with_holes, name, mask=~np.isnan(with_holes))
    np.testing.assert_array_equal(found[0, [0, 2, 3, 4, 6]], get_method(name).advantages(np.array([1.0, 0, 0, 1, 0])))
    assert found[0, [1, 5]].tolist() == [0.0, 0.0]
    # A group of one scorable response has nothing to be compared with.
    assert found[1].tolist() == [0.0] * 7


@pytest.mark.parametrize("name", TRAINABLE)
def test_repeated_rewards_count_as_often_as_they_occur(name: str) -> None:
    found, wanted = outcome_advantages(6, name), outcome_table(get_method(name), 6)
    np.testing.assert_array_equal(found.correct, wanted.correct)
    np.testing.assert_array_equal(found.wrong, wanted.wrong)


def test_options_are_the_rule_s_own() -> None:
    found = advantages(GROUP, "forward_corrected", false_negative=0.25)
    assert found.tolist() == [0.25, -0.75, -0.75, 0.25, -0.75]
    refuses(lambda: advantages(GROUP, "forward_corrected", k="0.4"), "k", "0.4", says="['false_negative']")
    refuses(lambda: advantages(GROUP, "forward_corrected", false_negative=2.0), "false_negative", 2.0)
    refuses(lambda: advantages(GROUP * 2, "forward_corrected"), "rewards", GROUP * 2)


def test_an_unknown_name_is_refused_as_before() -> None:
    message = refuses(lambda: get_estimator("no-such-rule"), "estimator", "no-such-rule")
    assert all(name in message for name in estimator_names())


def test_the_first_provider_of_a_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def provider(scale: float) -> Any:
        def kernel(rewards: Any, counts: Any) -> Any:
            return scale * rewards

        rule = Estimator("scaled", kernel, {}, binary_only=False, least_group=1, source="a test")
        return lambda: {"scaled": rule}

    class Point:
        def __init__(self, name: str, scale: float) -> None:
            self.name, self.scale = name, scale

        def load(self) -> Any:
            return provider(self.scale)

    def points(group: str) -> list[Any]:
        assert group == PROVIDERS
        return [Point("b", 3.0), Point("a", 2.0)]

    monkeypatch.setattr("importlib.metadata.entry_points", points)
    provided_estimators.cache_clear()
    try:
        assert rule_of(np.array([1.0, 0.0]), "scaled").tolist() == [2.0, 0.0]
    finally:
        provided_estimators.cache_clear()


def test_the_entry_point_names_the_function() -> None:
    point = EntryPoint("simulators", "simulators.methods.trainable:estimators", PROVIDERS)
    assert dict(point.load()()).keys() == estimators().keys()
