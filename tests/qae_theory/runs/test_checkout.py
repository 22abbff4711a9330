"""Hints that apply where the package lies: in a checkout, or in an environment that a wheel was installed into."""

from __future__ import annotations

import pytest

from qae_theory.commands.ending import complain
from qae_theory.runs import checkout

HINT = "torch not installed; pip install -c constraints-verl.txt 'qae-verification[verl]', or `make test-verl`"


def test_a_checkout_has_the_files_that_hints_name() -> None:
    assert checkout.in_checkout()
    assert checkout.applicable(HINT) == HINT


def test_a_wheel_has_none_of_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(checkout, "in_checkout", lambda: False)
    complain("train", HINT)
    said = "qae train: torch not installed; pip install 'qae-verification[verl]', or `make test-verl` in a clone\n"
    assert capsys.readouterr().err == said
    assert checkout.applicable("name one: --ledger docs/ledger.json") == "name one: --ledger FILE"
    assert checkout.applicable("`make formal` in a clone") == "`make formal` in a clone"
