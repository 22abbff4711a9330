"""The league's page: what it says follows from the stored figures, every card is of a rule, and faults are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qae_theory.runs import store
from simulators.league_page.cards import cards
from simulators.league_page.command import main
from simulators.league_page.condensed import condensed, costs_of, differences
from simulators.league_page.page import filled
from simulators.league_page.steered import boundary_table, hold_table, routing_table
from simulators.league_page.tables import (
    best_first,
    every_condition,
    found_text,
    interval_text,
    method_card,
    short_text,
    situation_table,
)
from simulators.methods import method_names
from tests import ROOT
from tests.paper_figures.stored import store as write_run
from tests.simulators.league_page.figures import COSTS, analysis, measure, settings, steered, steered_settings

PAGE = (ROOT / "docs" / "league.md").read_text(encoding="utf-8")
STORED = json.loads((ROOT / "docs" / "league.json").read_text(encoding="utf-8"))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with one run of the league."""
    write_run(tmp_path, "league", files={"analysis.json": analysis()}, config={"settings": settings()})
    write_run(tmp_path, "steered-k", files={"analysis.json": steered()}, config={"settings": steered_settings()})
    return tmp_path


@pytest.fixture
def data(results: Path) -> Any:
    run = store.newest(results, "league")
    assert run is not None
    kept = json.loads(json.dumps(condensed(run, store.newest(results, "steered-k"), {"qae": [1.3, 1.1]})))
    # The figures of further runs, which the page keeps when the league's own are renewed.
    return kept | {name: STORED[name] for name in ("ace", "small_model")}


def test_every_place_of_the_page_is_made(data: Any) -> None:
    made = filled(PAGE, {**data, "situations": [{**data["situations"][0], "name": name} for name in NAMES]})
    assert "| `qae` | held | +0.500 [+0.400, +0.600] |" in made
    assert filled(made, data | {"situations": [{**data["situations"][0], "name": name} for name in NAMES]}) == made


NAMES = ("entropy collapses", "entropy explodes", "the verifier is noisy", "questions are hard")


def test_differences_are_bold_where_they_are_told_from_nothing(data: Any) -> None:
    assert short_text([0.5, 0.4, 0.6]) == "**+0.50**"
    assert short_text([0.5, -0.4, 0.6]) == "+0.50"
    rows = every_condition(data, "success_mean").splitlines()
    assert rows[2:] == ["| `grpo` | **+0.60** |", "| `qae` | **+0.50** |", "| `psr` | **-0.20** |"]


def test_a_rule_without_a_difference_has_no_figure() -> None:
    """A rule may gain more success than the reference ever does: it has a mean then, and nothing to compare it with."""
    figures = {**measure(), "qae": {**measure()["qae"], "difference": None}}
    assert differences(figures, "grpo") == {"grpo": [0.6, 0.5, 0.7], "qae": None, "psr": [-0.2, -0.3, -0.1]}
    figures["grpo"]["mean"] = None
    assert differences(figures, "grpo")["grpo"] is None


def test_the_steered_k_has_its_tables(data: Any) -> None:
    assert "| Adam | steered | +0.900 [+0.800, +1.000] | - |" in hold_table(data["steered"])
    assert "| 4 | 0.0002 | 1745 | 0.00 | 0.80 | 0.71 |" in boundary_table(data["steered"])
    rows = routing_table(data["steered"]).splitlines()
    assert rows[2:] == ["| 0.3 | 0 | shared | 2/5 | 0.180 | 0.260 |"]
    none = {**data, "steered": None}
    with pytest.raises(ValueError, match="got 'hold'"):
        filled("<!-- league: hold -->\n<!-- end -->", none)


def test_a_delay_without_an_answer_has_dashes(data: Any) -> None:
    silent = {"response": -0.1, "predicted_gain": None, "swinging": {}, "edge": None}
    rows = boundary_table({"boundary": {"2": silent, **data["steered"]["boundary"]}}).splitlines()
    assert rows[2:] == ["| 2 | -0.1 | - | - | - | - |", "| 4 | 0.0002 | 1745 | 0.00 | 0.80 | 0.71 |"]


def test_an_unknown_place_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"place must be one of run, .*; got 'nosuch'"):
        filled("<!-- league: nosuch -->\n<!-- end -->", data)


def test_the_table_of_two_minutes_sorts_rules_by_verdict(data: Any) -> None:
    row = situation_table(data).splitlines()[2].split(" | ")
    assert row[0] == "| **entropy collapses**"
    assert row[1:5] == ["`qae`", "none", "none", "`psr`"]


def test_the_best_rule_stands_first_whichever_way_is_better(data: Any) -> None:
    (situation,) = data["situations"]
    assert [rule for rule, _ in best_first(situation)] == ["qae", "psr"]
    assert [rule for rule, _ in best_first({**situation, "better": "lower"})] == ["psr", "qae"]


def test_a_card_says_what_was_found_and_what_it_costs(data: Any) -> None:
    text = method_card("qae", data, cards()["qae"])
    assert text.startswith("### QAE { #qae }")
    assert "entropy collapses: held (+0.500 to +0.500); tuned on bandits: place 1 [1, 2] of 3." in text
    assert "1.30 times an update of GRPO on bandits, 1.10 times on token trees" in text
    assert "Not measured" in method_card("psr", data, None)
    assert found_text("grpo", data) == "It is what the others are compared with."


def test_reconstructed_rules_say_so(data: Any) -> None:
    card = cards()["qae"]
    assert "Reconstructed" not in method_card("qae", data, card)
    assert "*Reconstructed:" in method_card("qae", data, type(card)(**{**vars(card), "reconstructed": True}))


def test_intervals_without_data_are_a_dash() -> None:
    assert interval_text(None) == "-"
    assert interval_text([0.1, -0.2, 0.4]) == "+0.100 [-0.200, +0.400]"


def test_cards_are_of_registered_rules_and_the_stored_page_has_one_for_each() -> None:
    known = cards()
    assert set(known) <= set(method_names())
    assert all(card.definition.endswith(".") and card.claim.endswith(".") for card in known.values())
    stored = json.loads((ROOT / "docs" / "league.json").read_text(encoding="utf-8"))
    assert set(stored["rules"]) <= set(known)
    assert filled(PAGE, stored) == PAGE  # the page is what the generator makes of the stored figures


def test_a_card_with_a_field_too_few_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cards.toml"
    path.write_text('[qae]\ntitle = "QAE"\n', encoding="utf-8")
    with pytest.raises(ValueError, match="card 'qae' must have title, definition and claim"):
        cards(path)


def test_costs_are_read_from_the_benchmarks() -> None:
    assert costs_of(COSTS) == {"grpo": [1.0, 1.0], "qae": [1.3, 1.1]}


def test_the_command_renews_figures_and_page(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "league.md").write_text("<!-- league: situations -->\n<!-- end -->\n", encoding="utf-8")
    (tmp_path / "costs.json").write_text(json.dumps(COSTS), encoding="utf-8")
    arguments = ["--results", str(results), "--costs", str(tmp_path / "costs.json"), "--docs", str(docs)]
    assert main(arguments) == 0
    assert json.loads((docs / "league.json").read_text())["costs"] == {"grpo": [1.0, 1.0], "qae": [1.3, 1.1]}
    assert "**entropy collapses**" in (docs / "league.md").read_text()
    assert main(["--results", str(docs), "--docs", str(docs)]) == 2
    assert "--results must have a run of `qae simulate league`" in capsys.readouterr().err
