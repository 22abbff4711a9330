"""Tests that no false identity of ``tests.meta.carriers`` deceives a symbolic carrier, and that the true ones pass."""

from __future__ import annotations

import pytest

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
