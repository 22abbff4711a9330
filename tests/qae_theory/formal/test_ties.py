"""The ties between the definitions and the shipped functions: what is compared, and that a changed value is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy

from qae_theory.formal import reader
from qae_theory.formal.tools import coq, layout, sources, ties, ties_symbols, ties_table, ties_values, to_coq

RETURNED = ties.Returned("table", "symbols", {"entropy": 0.5, "slope": -2.0})


def test_the_same_values_do_not_differ_and_rounding_is_no_difference() -> None:
    assert RETURNED.differs_from(RETURNED) is None
    rounded = replace(RETURNED, values={"entropy": np.nextafter(0.5, 1), "slope": -2.0})
    assert rounded.differs_from(RETURNED) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (replace(RETURNED, table="other"), "exact values"),
        (replace(RETURNED, values={"entropy": 0.5}), "other floats are compared"),
        (replace(RETURNED, values={"entropy": 0.5 * (1 + 1e-9), "slope": -2.0}), "entropy is 0.5"),
        (replace(RETURNED, values={"entropy": 0.5, "slope": 2.0}), "slope is 2.0"),
        (replace(RETURNED, values={"entropy": float("nan"), "slope": -2.0}), "entropy is nan"),
    ],
)
def test_another_value_is_named(changed: ties.Returned, said: str) -> None:
    assert said in str(changed.differs_from(RETURNED))


def test_what_is_noted_is_read_again_to_the_last_digit() -> None:
    now = ties.returned()
    assert ties.noted(json.loads(json.dumps(ties.to_note(now)))) == now


def test_a_wrong_exact_value_changes_what_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ties.returned()
    right = ties_table.is_hard_group

    def wrong(num_correct: int, group_size: int, k: object) -> object:
        return not right(num_correct, group_size, k) if group_size == 100 else right(num_correct, group_size, k)

    monkeypatch.setattr(ties_table, "is_hard_group", wrong)
    assert "exact values" in str(ties.returned().differs_from(before))


def test_a_wrong_float_changes_what_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ties.returned()
    right = ties_values.self_covariance
    monkeypatch.setattr(ties_values, "self_covariance", lambda logits: right(logits) * (1 + 1e-9))
    assert "self_covariance is" in str(ties.returned().differs_from(before))


def test_a_wrong_formula_changes_what_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ties.returned()
    right = ties_symbols.entropy
    monkeypatch.setattr(ties_symbols, "entropy", lambda logits: -right(logits))
    assert ties.returned().symbols != before.symbols


def test_each_tied_definition_is_named_in_a_file_that_coq_compares() -> None:
    compared = "\n".join(text for text, _ in (ties_table.text(), ties_symbols.text(), ties_values.text()))
    computable = (layout.THEORIES / "library" / "Computable.v").read_text(encoding="utf-8")
    for name in reader.TIED:
        assert name in sources.defined()
        assert f"{name} " in compared or f"{name} " in computable, name


def test_expressions_are_printed_as_coq_reads_them() -> None:
    x, y = sympy.symbols("x y")
    assert to_coq.real(Fraction(-3, 4)) == "(-3 / 4)"
    assert to_coq.expression(2 * x**-2 + y, {x: "a", y: "(b 1)"}) == "((b 1) + (2 * (/ a ^ 2)))"
    with pytest.raises(ValueError, match="no term of Coq for sin"):
        to_coq.expression(sympy.sin(x), {x: "a"})


@pytest.mark.parametrize(
    "made", [lambda text: to_coq.expression(text, {}), ties_symbols._exact, ties_table._signed_square]
)
def test_a_text_is_refused_and_not_evaluated(made: Callable[[str], object]) -> None:
    with pytest.raises(sympy.SympifyError):
        made("1 + 1")


@pytest.mark.slow
def test_coq_accepts_the_shipped_float_and_refuses_one_that_is_off(
    proofs_checked: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "GENERATED", tmp_path)
    (case,) = [one for one in ties_values.cases() if one.name == "entropy"]
    monkeypatch.setattr(ties_values, "cases", lambda: [case])
    assert ties._compile("Right", ties_values.text()) == 1
    monkeypatch.setattr(ties_values, "cases", lambda: [replace(case, value=case.value * (1 + 1e-9))])
    with pytest.raises(coq.CheckError, match="the shipped Python and the definitions differ"):
        ties._compile("Wrong", ties_values.text())


@pytest.mark.slow
def test_coq_refuses_a_gate_that_is_wrong_at_one_group(
    proofs_checked: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "GENERATED", tmp_path)
    table = ties_table._gate_table()
    header = ties_table._HEADER
    assert ties._compile("Right", ("\n".join([header, ties_table._lemmas(table)]) + "\n", table.entries))
    wrong = replace(table, rows=table.changed)
    with pytest.raises(coq.CheckError, match="the shipped Python and the definitions differ"):
        ties._compile("Wrong", ("\n".join([header, ties_table._lemmas(wrong)]) + "\n", table.entries))
