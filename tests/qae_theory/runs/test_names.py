"""Names that were meant, and names that are too far off."""

from __future__ import annotations

import pytest

from qae_theory.runs.names import close_names, did_you_mean, with_hint

ESTIMATORS = ["grpo", "dr_grpo", "rloo", "qae", "qae_linear", "psr", "nsr", "pos_mask", "neg_mask"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gpro", "grpo"),
        ("qea", "qae"),
        ("QAE", "qae"),
        ("qae-linear", "qae_linear"),
        ("qaelinear", "qae_linear"),
        ("pos mask", "pos_mask"),
        ("negmask", "neg_mask"),
        ("rlo", "rloo"),
    ],
)
def test_a_slip_finds_the_name(typed: str, meant: str) -> None:
    assert close_names(typed, ESTIMATORS)[0] == meant


@pytest.mark.parametrize("typed", ["", "ppo", "nope", "reinforce", "advantage", "-"])
def test_what_is_far_from_every_name_finds_none(typed: str) -> None:
    assert close_names(typed, ESTIMATORS) == []
    assert did_you_mean(typed, ESTIMATORS) == ""


def test_the_hint_stands_behind_a_refusal_that_lists_the_name() -> None:
    assert with_hint("x must be one of red, green; got 'gren'").endswith("; did you mean green?")
    assert with_hint("x must be a preset (tiny, small), or owner/name; got 'tinny'").endswith("; did you mean tiny?")
    assert with_hint("x must be 'train' or 'eval'; got 'evall'").endswith("; did you mean eval?")


@pytest.mark.parametrize(
    "message",
    [
        "x must be one of red, green; got 'blue'",
        "x must be one of red, green; got 3",
        "x must be a whole number of steps; got 'whole numbers'",
        "results cannot be written: disk full",
        "",
    ],
)
def test_other_messages_stay_as_they_are(message: str) -> None:
    assert with_hint(message) == message
