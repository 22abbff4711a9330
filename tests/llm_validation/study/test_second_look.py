"""The page of lines that were looked at twice counts how their outcomes moved, and shows them over all seeds."""

from __future__ import annotations

from pathlib import Path

from llm_validation.study.kept_lines import FOLDER, keep, kept_lines
from llm_validation.study.second_look import page
from qae_theory.curves.outcomes import Line, line
from tests.llm_validation.study.test_kept_lines import studied

LARGE = [0.5, 0.52, 0.48, 0.51, 0.49]


def made(condition: str, sample: list[float], *, level: float = 0.975) -> Line:
    return line(sample, 0.1, claim="claim", condition=f"place/{condition}", says="it is so", unit="nats", level=level)


def rows_of(text: str) -> dict[str, list[str]]:
    """The cells of every row of the page's tables, by the first cell."""
    rows = (row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("|"))
    return {cells[0]: cells[1:] for cells in rows}


def test_outcomes_move_as_the_lines_do(tmp_path: Path) -> None:
    once = made("once", LARGE, level=0.95)
    first = [once, made("grows", [0.5, 0.2, 0.8], level=0.95), made("way", [0.0, 0.4], level=0.95)]
    second = [made("grows", LARGE), made("new", LARGE)]
    keep(studied(tmp_path / "first", first, run="one"), tmp_path / "kept")
    keep(studied(tmp_path / "second", second, run="two", out=("place/way",)), tmp_path / "kept", "second", 2)
    text = page(tmp_path / "kept")
    rows = rows_of(text)
    assert "Of 2 lines" in text
    assert "run one, long size; run two, second; kept" in text
    assert rows["undecided at first"] == ["1", "0", "0", "0", "1"]  # found, absent, opposite, undecided, out
    assert rows["found at first"] == ["0"] * 5
    assert rows["place"] == ["3", "0", "0", "0", "3", "1"]
    whole = made("grows", [0.5, 0.2, 0.8, *LARGE])
    assert rows["`place/grows`"][:2] == ["8", f"{whole.effect:.3g} [{whole.low:.3g}, {whole.high:.3g}]"]
    assert "`place/once`" not in rows
    assert "`claim@place/way`" in text


def test_the_stored_page_is_that_of_the_kept_lines() -> None:
    stored = Path(__file__).parents[3] / "docs/validation/second-look.md"
    looked_at = [found for found in kept_lines(FOLDER).values() if found.line.level != 0.95]
    assert stored.exists() == bool(looked_at)
    if looked_at:
        assert stored.read_text(encoding="utf-8") == page()
