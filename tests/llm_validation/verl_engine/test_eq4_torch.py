"""The real `torch.quantile` beside exact interpolation: leaks are found, and only where they are."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest

from llm_validation.verl_engine import eq4_torch
from llm_validation.verl_engine.eq4_torch import (
    BINARY_LEVELS,
    DTYPES,
    LEVELS,
    Leak,
    exact_quantile,
    leaks,
    torch_advantages,
)
from qae_theory.claims.ledger import Ledger, read_catalogue
from qae_theory.claims.model import Effort, Evidence, Kind, Role, Status
from qae_theory.claims.run import run_evidence


def interpolated(size: int, m: int, k: Fraction) -> Fraction:
    """From the sorted list, at the exact position."""
    ordered = [Fraction(0)] * (size - m) + [Fraction(1)] * m
    position = (size - 1) * k
    below = floor(position)
    above = min(below + 1, size - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def test_exact_interpolation() -> None:
    for size in range(1, 9):
        for m in range(size + 1):
            for k in LEVELS:
                assert exact_quantile(size, m, k) == interpolated(size, m, k)


def evidence() -> Evidence:
    ledger = Ledger(read_catalogue())
    eq4_torch.register(ledger)
    (one,) = ledger.evidence
    return one


def test_a_witness_that_asks_for_torch() -> None:
    one = evidence()
    assert (one.claim, one.kind, one.role, one.requires) == ("eq4-torch", Kind.WITNESS, Role.AGAINST, ("torch",))


@pytest.mark.torch
@pytest.mark.parametrize(("dtype", "cell"), [("float32", (26, 10, "0.6")), ("float64", (101, 45, "0.55"))])
def test_known_leaks(dtype: str, cell: tuple[int, int, str]) -> None:
    """The two that theory names, which the search does not know."""
    size, m, k = cell
    (leak,) = leaks(dtype, [size], [Fraction(k)])
    assert leak[:4] == (size, m, Fraction(k), 0)
    # A few units in the last place of the position, (G - 1) K.
    assert 0 < leak.torch <= 8 * size * {"float32": 2.0**-24, "float64": 2.0**-53}[dtype]
    right, wrong = torch_advantages(dtype, leak, leak.torch)
    assert right > 0 > wrong
    assert torch_advantages(dtype, leak, 0.0)[1] == 0


@pytest.mark.torch
@pytest.mark.parametrize("dtype", DTYPES)
def test_controls_no_leak_is_reported_where_there_is_none(dtype: str) -> None:
    assert list(leaks(dtype, range(2, 65), BINARY_LEVELS)) == []
    # Interpolated exactly to a fraction, and so by torch: no rounding, no leak of rounding.
    assert exact_quantile(8, 5, Fraction("0.4")) == Fraction(4, 5)
    assert list(leaks(dtype, [8], [Fraction("0.4")])) == []
    # Next to the leaks.
    assert list(leaks("float32", [25, 27], [Fraction("0.6")])) == []
    assert list(leaks("float64", [26], [Fraction("0.6")])) == []


@pytest.mark.torch
def test_every_fraction_that_torch_gives_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted leak at every m is reported at every m whose exact quantile is 0 or 1."""
    monkeypatch.setattr(eq4_torch, "torch_quantiles", lambda dtype, size, k: [1e-9] * (size + 1))
    found = [leak.num_correct for leak in leaks("float64", [8], [Fraction("0.4")])]
    assert found == [0, 1, 2, 3, 4, 6, 7, 8]  # at m = 5 it is 4/5


@pytest.mark.torch
def test_a_leak_must_open_the_gate() -> None:
    """Both outcomes have an advantage with torch's quantile, one of them none with the exact one."""
    mixed = Leak(26, 10, Fraction("0.6"), Fraction(0), 9.5e-7)
    assert eq4_torch._opens_the_gate("float32", mixed)
    assert not eq4_torch._opens_the_gate("float32", mixed._replace(torch=0.0))
    # Open already, by the exact quantile.
    assert not eq4_torch._opens_the_gate("float32", mixed._replace(exact=Fraction(1, 2)))


@pytest.mark.torch
def test_the_evidence_passes_with_its_worked_group() -> None:
    outcome = run_evidence(evidence(), Effort(quick=True))
    assert outcome.status is Status.PASSED, outcome.detail
    assert "G=26 K=3/5 m=10" in outcome.detail
    assert "G=101 K=11/20 m=45" in outcome.detail
    assert outcome.witness is not None
    assert outcome.witness["interpolated exactly"] in ("0", "1")
    assert outcome.witness["torch.quantile"] not in ("0.0", "1.0")


@pytest.mark.torch
def test_with_an_exact_torch_there_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: exact interpolation in torch's place; the witness must not replay."""
    monkeypatch.setattr(
        eq4_torch,
        "torch_quantiles",
        lambda dtype, size, k: [float(interpolated(size, m, k)) for m in range(size + 1)],
    )
    monkeypatch.setattr(eq4_torch, "LARGEST_GROUP", 40)
    outcome = run_evidence(evidence(), Effort(quick=True))
    assert outcome.status is Status.BROKEN
    assert "none at G <= 40" in outcome.detail
