"""The kit passes right estimators and finds each fault at its smallest case."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from qae_theory import advantages, estimator_names
from qae_theory.arrays import Array
from qae_theory.cli import build_app
from qae_theory.testing import EstimatorError, assert_estimator, check_estimator
from tests.qae_theory.testing import estimators as e

Function = Callable[[Array, Array], Array]


@pytest.mark.parametrize("name", estimator_names())
def test_the_shipped_estimators_pass(name: str) -> None:
    assert_estimator(e.ours(name), name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("qae", {"k": "0.55", "std": "bessel", "eps": 0}),
        ("qae", {"k": "2/3", "std": "none"}),
        ("grpo", {"std": "bessel", "eps": 1e-4}),
        ("qae_linear", {"k": "0.2"}),
        ("dr_grpo", {"std": "population", "eps": 1e-4}),
        ("rloo", {"std": "bessel", "eps": 0}),
        ("psr", {"std": "population"}),
        ("nsr", {"std": "bessel"}),
    ],
)
def test_options_are_those_of_the_rule(name: str, options: dict[str, Any]) -> None:
    assert_estimator(e.ours(name, **options), name, **options)
    others = {"qae": {"k": "0.3"}, "grpo": {"std": "population"}, "qae_linear": {"k": "0.6"}}.get(name, {})
    assert check_estimator(e.ours(name, **options), name, **others)


@pytest.mark.parametrize(
    ("clause", "function", "name", "options"),
    [
        ("every m", e.by_group(e.off_by_one_for_many), "qae", {}),
        ("every m", e.by_group(partial(e.quantile, method="linear")), "qae", {}),
        ("every m", e.by_group(partial(e.quantile, method="higher")), "qae", {}),
        ("gate edges", e.by_group(e.float_gate), "qae", {"k": "0.55"}),
        ("groups of one", e.by_group(e.a_group_of_one_keeps_its_reward), "qae", {}),
        ("ragged groups", e.blocks, "qae", {}),
        ("shuffled ids", e.blocks, "qae", {}),
        ("float32", e.by_group(e.single_mean), "grpo", {"std": "bessel"}),
        ("equal rewards", e.by_group(e.small_std_is_divided_by), "grpo", {}),
        ("penalties", e.by_group(e.right_or_wrong), "qae", {}),
    ],
)
def test_a_fault_is_found_in_its_clause(clause: str, function: Function, name: str, options: dict[str, Any]) -> None:
    failures = {failure.clause.name: failure for failure in check_estimator(function, name, **options)}
    assert clause in failures
    assert failures[clause].clause.why in str(failures[clause])


def test_the_failure_that_is_shown_is_the_smallest() -> None:
    (failure, *_) = check_estimator(e.by_group(e.off_by_one_for_many), "qae")
    rewards = [float(reward) for reward in failure.case.rewards]
    assert rewards == [1.0] * 7 + [0.0] * 3  # the first size beyond eight, and the one m at which the rank decides
    assert "exact     [0, 0, 0, 0, 0, 0, 0, -2.18217, -2.18217, -2.18217]" in str(failure)
    assert str(failure).count("\n") == 4


def test_nan_shape_and_errors_are_failures() -> None:
    for broken, says in (
        (lambda rewards, ids: rewards * np.nan, "nan"),
        (lambda rewards, ids: rewards[:1], "shape (1,)"),
        (lambda rewards, ids: 1 / 0, "raised ZeroDivisionError"),
    ):
        with pytest.raises(EstimatorError) as caught:
            assert_estimator(broken, "dr_grpo")
        assert says in str(caught.value)


def test_the_batch_divides_where_it_is_asked_for() -> None:
    def batch_scaled(rewards: Array, ids: Array) -> Array:
        spread = rewards.std(ddof=1) if len(rewards) > 1 else 0.0
        return np.asarray(e.ours("grpo", std="none")(rewards, ids)) / (spread + 1e-6)

    assert_estimator(batch_scaled, "grpo", std="batch")
    assert check_estimator(batch_scaled, "grpo", std="population")
    assert check_estimator(e.ours("grpo", std="bessel"), "grpo", std="batch")


def test_the_kits_batch_is_that_of_the_shipped_estimators() -> None:
    def shipped(rewards: Array, ids: Array) -> Array:
        """Return the advantages of groups of one size by ``advantages``; of others, where it has none, NaN."""
        sizes = {int((ids == one).sum()) for one in ids}
        order = np.argsort(ids, kind="stable")
        if len(sizes) > 1 or sizes == {1}:
            return np.full(len(rewards), np.nan)
        table = rewards[order].astype(np.float64).reshape(-1, sizes.pop())
        result = np.empty(len(rewards))
        result[order] = np.asarray(advantages(table, "qae", std="batch")).ravel()
        return result

    failed = {failure.clause.name for failure in check_estimator(shipped, "qae", std="batch")}
    assert failed == {"ragged groups", "groups of one"}


@pytest.mark.parametrize(("name", "baseline"), [("psr", 0), ("nsr", 1)])
def test_over_the_batch_equal_rewards_have_no_advantage_under_any_rule(name: str, baseline: int) -> None:
    def batch_scaled(rewards: Array, ids: Array, *, drops_equal: bool) -> Array:
        spread = rewards.std(ddof=1) if len(rewards) > 1 else 0.0
        made = (rewards - baseline) / (spread + 0.5)
        for one in set(ids.tolist()):
            group = ids == one
            if group.sum() == 1 or (drops_equal and np.ptp(rewards[group]) == 0):
                made[group] = 0
        return np.asarray(made)

    assert_estimator(partial(batch_scaled, drops_equal=True), name, std="batch", eps=0.5)
    assert check_estimator(partial(batch_scaled, drops_equal=False), name, std="batch", eps=0.5)


def test_what_is_no_function_or_no_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="f must be a function"):
        check_estimator(3, "qae")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="estimator must be one of"):
        check_estimator(e.ours("qae"), "qea")
    with pytest.raises(ValueError, match="k must be left out"):
        check_estimator(e.ours("rloo"), "rloo", k="0.4")


def test_the_fixture_is_there_for_other_projects(assert_estimator: Callable[..., None]) -> None:
    assert_estimator(e.ours("qae"), "qae")
    with pytest.raises(EstimatorError):
        assert_estimator(e.blocks, "qae")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), ["check-estimator", *arguments])


def test_the_command() -> None:
    done = run("tests.qae_theory.testing.estimators:blocks", "--estimator", "qae")
    assert done.exit_code == 1
    assert "passes  every m" in done.stdout
    assert "FAILS   shuffled ids" in done.stdout
    assert "group ids [0, 1, 0, 1, 0, 1]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tests.qae_theory.testing.estimators", "--estimator", "qae"], "must name a module and a function in it"),
        (["no_such_module:f", "--estimator", "qae"], "cannot be loaded: ModuleNotFoundError"),
        (["tests.qae_theory.testing.estimators:none", "--estimator", "qae"], "cannot be loaded: AttributeError"),
        (["tests.qae_theory.testing.estimators:blocks", "--estimator", "qea"], "estimator must be one of"),
        (["tests.qae_theory.testing.estimators:blocks", "--estimator", "qae", "--k", "2"], "k must be"),
        (["tests.qae_theory.testing.estimators:blocks", "--estimator", "qae", "--adapter", "x"], "--adapter must be"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
