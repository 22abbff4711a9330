"""A command that cannot go on says why on one line of standard error and ends with the status it was given."""

from __future__ import annotations

import pytest
import typer

from qae_theory.commands.ending import FAILED, INTERRUPTED, WRONG_USAGE, complain, fail


@pytest.mark.parametrize("status", [FAILED, WRONG_USAGE, INTERRUPTED])
def test_a_failure_is_one_line_and_the_status(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        fail("cluster plan", "does not fit:\ntwo  problems", status)
    assert ended.value.exit_code == status
    assert capsys.readouterr() == ("", "qae cluster plan: does not fit: two  problems\n")


def test_a_complaint_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    complain("verify", "not read")
    assert capsys.readouterr() == ("", "qae verify: not read\n")
