"""README.md can be read aloud, and what would stop a listener is noticed."""

from __future__ import annotations

import pytest

from qae_theory.claims.readme import BOTTOM_BEGIN, BOTTOM_END, bottom_line
from tests import ROOT
from tests.read_aloud import GLOSSARY, MOST_WORDS, glossary, main, sentences, too_long, undefined, words

README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN = 30  # lines of README.md; a terminal of 100x40 and a browser's window of 1440x900 both show as many
TERMS = {"group": "The rollouts that are sampled for one question and judged together.", "tie": "A step that ties."}


def test_readme_is_short_enough() -> None:
    assert list(too_long(README)) == []


def test_readme_says_each_term_before_it_uses_it() -> None:
    assert list(undefined(README, glossary(GLOSSARY.read_text(encoding="utf-8")))) == []


def test_the_bottom_line_is_on_the_first_screen() -> None:
    lines = README.splitlines()
    assert lines.index(BOTTOM_END) < FIRST_SCREEN
    between = README.partition(f"{BOTTOM_BEGIN}\n")[2].partition(f"\n{BOTTOM_END}")[0]
    assert between == bottom_line()


def test_readme_uses_terms_at_all() -> None:
    """A check of no term would find nothing."""
    terms = glossary(GLOSSARY.read_text(encoding="utf-8"))
    used = {term for term in terms if f"*{term}*" in README}
    assert {"group", "advantage", "baseline", "gate", "hard", "easy", "claim", "verdict"} <= used
    assert len(terms) > 30


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("A *group* is sampled for one question and judged together.", []),
        ("A *group* of answers, sampled and judged together. The group.", []),
        ("Each group. A *group* is sampled and judged together.", ["'group' is used before"]),
        ("# The group\n\nA *group* is sampled and judged together.", ["'group' is used before"]),
        ("A *group* has answers.", ["'group' is emphasised and not defined"]),
        ("Some **groups** are sampled and judged together.", ["'group' is used before"]),
        ("`group` is code, and so is\n\n```\na tie\n```\n\nIt is tied to subgroups.", []),
        ("| a tie |\n|---|\n", ["'tie' is used before"]),
    ],
)
def test_what_a_definition_is(page: str, found: list[str]) -> None:
    faults = list(undefined(page, TERMS))
    assert len(faults) == len(found)
    assert all(fault.startswith(start) for fault, start in zip(faults, found, strict=True))


def test_where_a_sentence_ends() -> None:
    page = (
        "# Title\n\nOne (two. Three) at K = .4, or so.\nFour `a.b. C` five.\n\n"
        "* **Six? Seven.** Eight\n  nine\n* Ten [el. even](x.md#y)\n\n| a | b. c |\n<!-- no. Not -->\n"
    )
    assert sentences(page) == [
        "Title",
        "One (two.",
        "Three) at K = .4, or so.",
        "Four CODE five.",
        "**Six?",
        "Seven.**",
        "Eight nine",
        "Ten el. even",
        "a",
        "b. c",
    ]


def test_long_sentences_and_pages_are_found() -> None:
    sentence = " ".join(["word"] * MOST_WORDS)
    assert len(words(f"{sentence} = -")) == MOST_WORDS
    assert list(too_long(f"{sentence}.\n")) == []
    assert len(list(too_long(f"{sentence} more.\n"))) == 1
    assert len(list(too_long("line\n" * 81))) == 2


def test_the_command_ends_with_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(ROOT / "README.md")]) == 0
    assert main([str(GLOSSARY)]) == 1
    assert "glossary.md" in capsys.readouterr().out
