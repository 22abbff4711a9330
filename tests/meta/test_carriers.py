"""Tests that no false identity of ``tests.meta.carriers`` deceives a symbolic carrier, and that the true ones pass."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
import sympy

from qae_theory.proofs.carriers.formulas import Formula, expression_of, scalar
from qae_theory.proofs.carriers.generic_arm import Arms
from tests import ROOT
from tests.meta import carriers

ATTACKS = {f"{attack.carrier}: {attack.name}": attack for attack in carriers.attacks()}

# The kinds of false identity that an earlier carrier is known to have accepted, each by an attack of that kind.
KINDS = {
    "v * 0 if v == 1 else v": "reals: 0 at v == 1",
    "v if v else v + 1": "reals: v + 1 where v is false",
    "v * 2 if float(v) > 5 else v": "reals: 2 v where float(v) > 5",
    "g * 2 if g == 1000 else g": "integers: 2 g at g == 1000",
    "x - pi x for x - E x": "any policy: x - pi x for x - E x",
    "E x / n for E x": "any policy: E x / n for E x",
    "max(pi x) for E x": "any policy: max of pi x",
    "the first entry for E x": "any policy: the first entry of pi x",
    "a shifted operand": "any policy: a shift",
    "an ignored operand": "any policy: an operand that is ignored",
}

# The number of attacks beside the known kinds that the suite promises.
SMALLEST_NUMBER_OF_OTHERS = 30


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_false_identity_is_rejected_and_its_sound_twin_accepted(attack: carriers.Attack) -> None:
    assert carriers.what_happened(attack.false) != carriers.ACCEPTED
    assert carriers.what_happened(attack.true) == carriers.ACCEPTED


@pytest.mark.parametrize("kind", KINDS)
def test_every_known_kind_of_deception_is_tried(kind: str) -> None:
    assert KINDS[kind] in ATTACKS


def test_attacks_have_names_of_their_own_and_are_many() -> None:
    assert len(ATTACKS) == sum(1 for _ in carriers.attacks())
    assert len(ATTACKS) - len(KINDS) >= SMALLEST_NUMBER_OF_OTHERS


def test_the_table_says_what_happened_and_its_status_counts_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ATTACKS["reals: 0 at v == 1"]
    monkeypatch.setattr(carriers, "attacks", lambda: iter([known]))
    assert carriers.main() == 0
    assert "1 attacks, 0 of them not as they must be" in capsys.readouterr().out
    monkeypatch.setattr(carriers, "attacks", lambda: iter([known, known._replace(false=known.true)]))
    assert carriers.main() == 1
    assert "2 attacks, 1 of them not as they must be" in capsys.readouterr().out


@pytest.mark.parametrize("made", [Formula, expression_of, scalar, Arms(3).entries], ids=lambda made: made.__name__)
def test_a_text_is_refused_and_not_evaluated(made: Callable[[Any], Any]) -> None:
    with pytest.raises(sympy.SympifyError):
        made("1")
    made(sympy.Integer(1))


# The modules whose functions run on carriers; the rest of the package prepares arguments or is never given symbols.
ON_CARRIERS = ("advantages", "baselines", "entropy_change", "group_expectation", "objective", "softmax", "updates")
CATCHES_REFUSALS = {"Exception", "BaseException", "TypeError", "ArithmeticError", "ZeroDivisionError", "AttributeError"}


def caught(source: str) -> set[str]:
    """Names of what the handlers of a source catch; ``BaseException`` for one that names nothing."""
    names: set[str] = set()
    for handler in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler)):
        named = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else set()
        names |= named or {"BaseException"}
    return names


@pytest.mark.parametrize("module", ON_CARRIERS)
def test_no_shipped_function_that_runs_on_carriers_catches_their_refusals(module: str) -> None:
    source = (ROOT / "qae_theory" / f"{module}.py").read_text(encoding="utf-8")
    assert caught(source) & CATCHES_REFUSALS == set()


def test_every_kind_of_handler_is_seen() -> None:
    assert caught("try:\n    f()\nexcept TypeError:\n    g()") == {"TypeError"}
    assert caught("try:\n    f()\nexcept (ValueError, TypeError) as e:\n    g()") == {"ValueError", "TypeError"}
    assert caught("try:\n    f()\nexcept:\n    g()") == {"BaseException"}
