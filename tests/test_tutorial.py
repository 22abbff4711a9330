"""The tutorial shows what its commands say: its blocks of output are held to what a run of them stored."""

from __future__ import annotations

import re

import pytest

from tests import tutorial

SHOWN = tuple(tutorial.shown_on(tutorial.PAGE.read_text(encoding="utf-8")))


def stored(shown: tutorial.Shown) -> str:
    return (tutorial.STORED / shown.name).read_text(encoding="utf-8")


def test_the_page_shows_commands_and_outputs() -> None:
    assert len(SHOWN) >= 8
    assert {tutorial.arguments(shown.command)[0] for shown in SHOWN} == {
        "verify",
        "simulate",
        "validate",
        "figures",
        "report",
    }


@pytest.mark.parametrize("shown", SHOWN, ids=[shown.name for shown in SHOWN])
def test_the_page_shows_what_the_command_says(shown: tutorial.Shown) -> None:
    assert tutorial.fits(shown.text, stored(shown)) is None


@pytest.mark.parametrize("shown", SHOWN, ids=[shown.name for shown in SHOWN])
def test_another_output_would_be_noticed(shown: tutorial.Shown) -> None:
    """The negative control: one line of the page changed, and one left out of the output."""
    first = next(line for line in shown.text.splitlines() if line != "...")
    assert tutorial.fits(shown.text.replace(first, f"{first}!", 1), stored(shown)) is not None
    without = [line for line in stored(shown).splitlines() if line != tutorial.plain(first)]
    assert tutorial.fits(shown.text, "\n".join(without)) is not None


@pytest.mark.parametrize(
    ("page", "output", "missing"),
    [
        ("a\nb\n", "a\nb\n", None),
        ("...\nb\n", "a\nb\n", None),
        ("a\n...\n", "a\nb\nc\n", None),
        ("a\n...\nc\n", "a\nb\nc\n", None),
        ("...\nb\n...\n", "a\nb\nc\n", None),
        ("took 1.5 s\n", "took 88.0 s\n", None),
        ("wrote x/0123456789ab\n", "wrote x/ba9876543210\n", None),
        ("a\n", "a\nb\n", "a"),
        ("b\n", "a\nb\n", "b"),
        ("c\n...\na\n", "a\nb\nc\n", "c"),
        ("...\nc\n...\na\n...\n", "a\nb\nc\n", "a"),
        ("a\n...\nd\n", "a\nb\nc\n", "d"),
        ("...\na\nc\n...\n", "a\nb\nc\n", "a\nc"),
        ("0.129\n", "0.128\n", "0.129"),
    ],
)
def test_a_page_fits_an_output_or_not(page: str, output: str, missing: str | None) -> None:
    assert tutorial.fits(page, output) == missing


def test_every_stored_output_belongs_to_the_page() -> None:
    kept = {path.name for path in tutorial.STORED.glob("*.txt")}
    assert kept <= {shown.name for shown in SHOWN}
    # Those of the commands that train are made where the extra `train` is installed.
    assert kept >= {shown.name for shown in SHOWN if "simulate" in shown.name or shown.name.startswith("verify-s")}


def test_targets_of_make_are_commands() -> None:
    assert tutorial.arguments("make verify ARGS=--quick") == ["verify", "--quick"]
    assert tutorial.arguments("qae simulate k-sweep --quick") == ["simulate", "k-sweep", "--quick"]
    assert not re.search(r"\d+\.\d s", tutorial.plain("12.3 s").replace("0.0 s", ""))
