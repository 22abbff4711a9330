"""The long run and the figures of docs/numerics.md, at small sizes: what they find, print and refuse to pass."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qae_theory import advantages, entropy, entropy_change, probabilities
from qae_theory.numerics import bounds, row_moments
from tests.qae_theory.enclosure import __main__ as command
from tests.qae_theory.enclosure import cases, controls, errors, page, run, safe_steps, steps, widths

SMALL = ["adversarial", "ordinary", "safe-steps", "--adversarial", "500", "--ordinary", "250", "--safe-steps", "100"]


generator = partial(cases.generator, 400)


@pytest.fixture
def small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of two kinds of instances, a fraction of a second each, and hardly any for the planted faults."""
    monkeypatch.setattr(sys, "argv", ["enclosure", *SMALL])
    monkeypatch.setattr(command, "CONTROL_INSTANCES", 50)


@pytest.mark.usefixtures("small_run")
def test_the_run_passes_and_writes_its_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["enclosure", *SMALL, "--json", str(tmp_path / "figures.json")])
    monkeypatch.setattr(command, "CONTROL_INSTANCES", 3000)
    assert command.main() == 0
    out = capsys.readouterr().out
    assert "adversarial: 500 instances; violations: best 0, brackets 0," in out
    assert "entropy_change: at most " in out
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert figures["kinds"]["ordinary"]["violations"] == dict.fromkeys(run.shipped(), 0)
    assert figures["kinds"]["ordinary"]["values"] == dict.fromkeys(errors.FUNCTIONS, 250)
    assert figures["safe-steps"] == {"instances": 100, "above the certificate": 0}
    assert set(figures["planted faults"]) == set(controls.FAULTS)
    assert min(figures["planted faults"].values()) > 0


@pytest.mark.usefixtures("small_run")
@pytest.mark.parametrize(
    ("fault", "instances"), [("no rescaling of the direction", "4000"), ("no room for rounding", "500")]
)
def test_the_run_fails_on_faulty_bounds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str, instances: str
) -> None:
    """The other planted faults show in more instances than are drawn here."""
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--adversarial", instances])
    with controls.FAULTS[fault]():
        assert command.main() == 1
    assert "without [" in capsys.readouterr().out


def test_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["enclosure", "odd"])
    with pytest.raises(SystemExit) as end:
        command.main()
    assert end.value.code == 2
    assert "KIND must be one of adversarial, ordinary, vocabulary, safe-steps; got 'odd'" in capsys.readouterr().err


@pytest.mark.usefixtures("small_run")
def test_the_run_fails_on_an_error_beyond_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = errors.FUNCTIONS["self_covariance"][1]
    monkeypatch.setitem(errors.FUNCTIONS, "self_covariance", (lambda z, d, eta: 1.0, exact))
    assert command.main() == 1


@pytest.mark.usefixtures("small_run")
def test_the_run_fails_on_a_safe_step_above_its_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    hold = safe_steps.hold
    monkeypatch.setattr(safe_steps, "hold", lambda queries: hold(queries, lambda *query: np.inf))
    assert command.main() == 1


@pytest.mark.usefixtures("small_run")
def test_the_run_fails_where_a_planted_fault_is_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "FAULTS", {"none": lambda: controls.replaced("PLAIN_SIZE", row_moments.PLAIN_SIZE)})
    assert command.main() == 1


def test_a_fault_is_taken_back() -> None:
    before = row_moments.UNIT
    with controls.replaced("UNIT", 0.0):
        assert [vars(place)["UNIT"] for place in (row_moments, bounds)] == [0.0, 0.0]
    assert [vars(place)["UNIT"] for place in (row_moments, bounds)] == [before, before]
    with pytest.raises(AssertionError), controls.replaced("NO_SUCH_NAME", 0):
        pass


def test_widths_in_units_leave_out_what_the_docstring_leaves_out() -> None:
    z, d = np.array([[0.0, 1.0]] * 4), np.array([[1.0, 0.0]] * 4)
    assert len(run.units_wide([cases.Batch(z, d, np.array([0.1, 301.0, 0.0, 1e-300]))])) == 1


# Steps as training takes them


@pytest.mark.parametrize("name", steps.POLICIES)
def test_policies_are_what_they_say(name: str) -> None:
    policies = [probabilities(steps.POLICIES[name](generator(0), arms)) for arms in (2, 50, 1000)]
    for policy in policies:
        share = float(entropy(np.log(policy))) / np.log(len(policy))
        assert share > 0.98 if name == "flat" else share < 0.99
        assert (policy.max() >= 0.9) == (name == "peaked") or len(policy) == 2


def test_a_sampled_group_moves_the_responses_and_keeps_the_sum() -> None:
    z = steps.zipf(generator(1), 40)
    d = steps.sampled_group(generator(2), z)
    assert d.sum() == pytest.approx(0, abs=1e-15)
    moved = np.abs(d) > 1e-12
    assert 2 <= moved.sum() <= steps.GROUP_SIZE  # GRPO's advantages add up to 0: arms that were not drawn stay
    assert np.abs(d).max() <= np.abs(advantages([1.0] + [0.0] * 15, "grpo")).max()
    with pytest.raises(ValueError, match="too peaked"):
        steps.sampled_group(generator(3), np.array([0.0, 800.0]))


def test_the_step_that_moves_entropy() -> None:
    z, d = np.array([0.0, 2.0]), np.array([1.0, 0.0])
    for change in (0.01, 0.1):
        eta = steps.step_that_moves(z, d, change)
        assert eta is not None
        assert abs(float(entropy_change(z, d, eta))) == pytest.approx(change, rel=1e-9)
    assert steps.step_that_moves(z, d, 5.0) is None


# How narrow the bounds are


def test_the_bounds_are_as_narrow_as_is_claimed() -> None:
    """Medians of a sample lie above bounds, four standard errors below those of the page."""
    least = {2: 1e9, 5: 60, 300: 300}
    sizes = {2: 20, 5: 50, 300: 20}
    figures = widths.table(sizes, seed=7)
    assert min(cell["0.1"] for cell in figures) > 1 - 1e-9  # never wider than the brackets
    for cell in figures:
        if cell["policy"] == "":
            assert cell["rows"] == 6 * sizes[cell["arms"]]
            assert cell["0.5"] >= (least[cell["arms"]] if cell["step_size"] == "log-uniform" else 2)


def test_figures_of_a_model() -> None:
    logits = [np.array([0.0, 800.0]), *(steps.zipf(generator(4), 500) for _ in range(20))]
    figures = widths.of_model(logits, seed=8)
    assert [row["change"] for row in figures] == [0.01, 0.03, 0.1]
    assert all(row["positions"] == 21 and 15 <= row["rows"] <= 20 for row in figures)
    assert figures[0]["0.5"] > figures[1]["0.5"] > figures[2]["0.5"] > 1


# The page


def test_the_page_has_the_stored_figures() -> None:
    figures, text = json.loads(page.FIGURES.read_text("utf-8")), page.PAGE.read_text("utf-8")
    assert page.filled(text, figures) == text
    for name in page.TABLES:
        assert f"<!-- figures: {name} -->" in text
    for kind, least in (("adversarial", 100_000), ("ordinary", 100_000), ("vocabulary", 300)):
        assert figures["kinds"][kind]["instances"] >= least
    for found in figures["kinds"].values():
        assert set(found["violations"].values()) == {0}
        assert max(found["ulp"].values()) <= errors.PROMISED / 2
    for cell in figures["widths"]:
        if (cell["policy"], cell["step_size"]) == ("", "log-uniform"):
            assert cell["0.5"] >= 100  # what is aimed at for up to 300 arms
    assert figures["safe-steps"]["above the certificate"] == 0


def test_a_table_on_the_page_is_made_again() -> None:
    figures = {"planted faults": {"none": 0}}
    old = "a\n<!-- figures: faults -->\n| 1 |\n<!-- end of figures -->\nb\n"
    new = page.filled(old, figures)
    lines = ["a", "<!-- figures: faults -->", "", "| planted fault | violations |", "| --- | --- |", "| none | 0 |", ""]
    assert new == "\n".join([*lines, "<!-- end of figures -->", "b", ""])
    assert page.filled(new, figures) == new


def test_runs_of_one_kind_are_added_up() -> None:
    part = {
        "instances": 50,
        "violations": {"best": 1},
        "ulp": {"change": 2.0},
        "values": {"change": 5},
        "refused": {"change": 0},
        "enclosure in ulp": {"1": 2.0},
    }
    more = {**part, "ulp": {"change": 3.0}}
    figures = page.merged(
        {"kinds": {"ordinary": part, "vocabulary": part}}, [{"kinds": {"vocabulary": x}} for x in (part, more)]
    )
    assert figures["kinds"]["ordinary"] == part
    assert figures["kinds"]["vocabulary"] == {
        **part,
        "instances": 100,
        "violations": {"best": 2},
        "ulp": {"change": 3.0},
        "values": {"change": 10},
    }


def test_widths_stay_for_the_numbers_of_arms_that_no_file_has() -> None:
    def cell(arms: int, median: float) -> dict[str, Any]:
        return {"arms": arms, "step_size": "uniform", "policy": "", "direction": "", "0.5": median}

    old = {"widths": [cell(2, 80.0), cell(5, 140.0)], "model": []}
    assert page.merged(old, [{"widths": [cell(2, 1e14)]}])["widths"] == [cell(2, 1e14), cell(5, 140.0)]
    assert page.merged(old, [{"widths": [cell(50, 3.0)]}])["widths"] == [*old["widths"], cell(50, 3.0)]
    assert page.merged(old, [{"model": [1]}])["widths"] == old["widths"]


def test_numbers_are_short() -> None:
    assert [page.number(x) for x in (1.0, 2.34, 99.6, 1234.5, 9.96e6)] == ["1.0", "2.3", "100", "1,200", "10,000,000"]
    assert [page.number(x) for x in (3.71e14, 3.71e9)] == ["3.7e14", "3.7e9"]
