"""The report: all of it from the results, and the same figures as its JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.common.resampling import Resampling, shown
from llm_validation.study.analysis.adam_contrast import k_contrasts
from llm_validation.study.analysis.ladder import RUNGS, STATISTICS
from llm_validation.study.analysis.pairs import FAVOURABLE
from llm_validation.study.report import markdown_table, write_report
from qae_theory.arrays import Array
from tests.llm_validation.study.analysis.synthetic import ADAM, SGD, probes, runs

CONFIG = {"experiment": "validate", "preset": "quick", "settings": {"seeds": 4}}
FACTS = {"run_id": "0123456789ab", "parts": {"digits, grpo, seed 0": {"train": "aaaa", "probe": ["bbbb"]}}}
JSONS = ("ladder", "ordering", "contrasts", "shapes")
FIGURES = ("ladder", "ordering", "entropy")


def tables(seed: int = 0, **options: Any) -> dict[str, dict[str, Array]]:
    rng = np.random.default_rng(seed)
    both = {"tasks": ("digits", "sums")}
    return {
        "probes": probes(rng, **{"count": 4, "prompts": 4, "settings": (SGD, ADAM), **both, **options}),
        "runs": runs(rng, steps=6, **both),  # type: ignore[arg-type]
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("study")
    write_report(made, tables(), CONFIG, FACTS)
    return made


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def rows_under(text: str, title: str) -> list[list[str]]:
    """The cells of the first table after a heading."""
    lines = text.partition(f"{title}\n")[2].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start + 2 : end]]


def test_what_is_written(folder: Path) -> None:
    expected = {f"{name}.json" for name in JSONS} | {"report.md"}
    expected |= {f"{name}.{kind}" for name in FIGURES for kind in ("png", "pdf")}
    assert {path.name for path in folder.iterdir()} == expected
    text = (folder / "report.md").read_text()
    for name in FIGURES:
        assert f"({name}.png)" in text
        assert f"({name}.pdf)" in text


def test_the_ladder_has_every_statistic_of_every_rung(folder: Path) -> None:
    found = read(folder, "ladder")
    for task in ("digits", "sums"):
        assert set(found["tasks"][task]) == {FAVOURABLE, "adam eps 1e-08, 16 updates, clipped"}
        for rungs in found["tasks"][task].values():
            assert set(rungs) == set(RUNGS)
            for record in rungs.values():
                for name in STATISTICS:
                    assert set(record[name]) == {"estimate", "low", "high"}


def test_the_tables_are_those_of_the_json(folder: Path) -> None:
    text, found = (folder / "report.md").read_text(), read(folder, "ladder")
    rows = rows_under(text, "### sums: all arms")
    assert len(rows) == 2 * len(RUNGS)
    for setting, rung, *cells in rows:
        record = found["tasks"]["sums"][setting][rung]
        assert cells == [*(shown(record[name]) for name in STATISTICS), str(record["rows"]), str(record["probes"])]
    for setting, difference, rung, *cells in rows_under(text, "### digits: differences between arms on one prompt"):
        record = found["contrasts"]["digits"][setting][difference][rung]
        assert cells[: len(STATISTICS)] == [shown(record[name]) for name in STATISTICS]
    for task, setting, checked, violated in rows_under(text, "## Guaranteed bounds"):
        counts = found["guaranteed"][task][setting]
        assert [checked, violated] == [str(counts["checked"]), str(counts["violations"])]
    ordered = [one for one in read(folder, "ordering") if one["groups"] == "mixed" and one["other"] in ("any", "grpo")]
    shown_rates = [cells[6] for cells in rows_under(text, "## How often Prop. 4.2's order holds")]
    assert shown_rates == [shown(one["rate"]) for one in ordered]


def test_every_claim_and_its_control_stand_in_it(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    for claim, statements in read(folder, "shapes").items():
        assert f"`{claim}`" in text
        for one in statements:
            assert f"`{claim}`, {one['says']}: {one['detail']}." in text
            assert f"Control, {one['planted']}: {one['control_detail']}." in text
            verdicts = ["found" if one[key] else "not found" for key in ("found", "control_found")]
            assert f"| {one['says']} | **{verdicts[0]}** | {verdicts[1]} |" in text


def test_run_ids_and_configuration_stand_in_it(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    for name in ("0123456789ab", "`aaaa`", "`bbbb`", '"seeds": 4'):
        assert name in text


def test_figures_carry_the_run_id(folder: Path) -> None:
    for name in FIGURES:
        for kind in ("png", "pdf"):
            assert b"0123456789ab" in (folder / f"{name}.{kind}").read_bytes()


def test_no_figure_is_typed(tmp_path: Path, folder: Path) -> None:
    """Other data, other numbers: what stays in every line are words, the floor, the level and the resamples."""
    write_report(tmp_path, tables(1, noise=2.0, count=3), CONFIG, FACTS)
    one, other = ((path / "report.md").read_text() for path in (folder, tmp_path))
    for title in ("### sums: all arms", "### digits: differences between arms on one prompt"):
        for a, b in zip(rows_under(one, title), rows_under(other, title), strict=True):
            assert a[:2] == b[:2]
            assert a != b
    assert [cells[0] for cells in rows_under(one, "# Qwen3's entropy against the predictions")] == ["digits", "sums"]
    assert [cells[2] for cells in rows_under(one, "# Qwen3's entropy against the predictions")] == ["4", "4"]
    assert [cells[2] for cells in rows_under(other, "# Qwen3's entropy against the predictions")] == ["3", "3"]


def test_the_same_data_give_the_same_files(tmp_path: Path, folder: Path) -> None:
    write_report(tmp_path, tables(), CONFIG, FACTS)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_cells_do_not_break_the_table() -> None:
    assert markdown_table(["a|b"], [["c"]]) == ["| a\\|b |", "| --- |", "| c |"]


def test_without_some_data_the_rest_is_written(tmp_path: Path) -> None:
    """No favourable setting, no pairs of arms, one probe: no figure of them, dashes for intervals."""
    data = tables(2, settings=(ADAM,), arms=("mean", "grpo"), count=1)
    write_report(tmp_path, data, CONFIG, FACTS)
    text = (tmp_path / "report.md").read_text()
    assert {path.stem for path in tmp_path.glob("*.png")} == {"entropy"}
    assert "`ladder-qwen3`: no runs for it" in text
    assert re.search(r"\[-, -\]", text)
    assert read(tmp_path, "ordering") == []


# The K-contrast


def test_the_contrast_by_hand() -> None:
    table = probes(np.random.default_rng(3), count=5, prompts=3)
    table["change"] += np.where(table["arm"] == "qae-0.8", 2.0, 0.0)
    (record,) = k_contrasts(table, Resampling(np.random.default_rng(0), resamples=400))
    t = {name: table[name].tolist() for name in ("probe", "prompt", "arm", "change", "sampled")}
    at = {key: i for i, key in enumerate(zip(t["probe"], t["prompt"], t["arm"], strict=True))}
    couples = [(i, at[probe, prompt, "qae-0.4"]) for (probe, prompt, arm), i in at.items() if arm == "qae-0.8"]
    differences = [t["change"][i] - t["change"][j] for i, j in couples]
    sizes = [(abs(t["change"][i]) + abs(t["change"][j])) / 2 for i, j in couples]
    assert record["pair"] == "qae-0.8 - qae-0.4"
    assert record["rows"] == len(couples) == 15
    # Sums of fifteen numbers of size one.
    assert record["contrast"]["change"]["estimate"] == pytest.approx(sum(differences) / 15, abs=1e-12)
    assert record["share"]["estimate"] == pytest.approx(sum(differences) / sum(sizes), abs=1e-12)
    sampled = sum(t["sampled"][i] - t["sampled"][j] for i, j in couples) / 15
    assert record["contrast"]["sampled"]["estimate"] == pytest.approx(sampled, abs=1e-12)


def test_a_contrast_that_is_there_is_seen_and_one_that_is_not_is_not() -> None:
    for shift in (0.0, 2.0):
        table = probes(np.random.default_rng(4), count=30, settings=(SGD, ADAM))
        table["change"] += np.where((table["arm"] == "qae-0.8") & (table["optimiser"] == "adam"), shift, 0.0)
        records = k_contrasts(table, Resampling(np.random.default_rng(0), resamples=400))
        by_rule = {one["optimiser"]: one["contrast"]["change"] for one in records}
        assert by_rule["sgd"]["low"] < 0 < by_rule["sgd"]["high"]
        assert (by_rule["adam"]["low"] > 0) == (shift > 0)
        assert {one["adam_eps"] for one in records} == {None, 1e-8}


def test_one_k_has_no_contrast() -> None:
    table = probes(np.random.default_rng(5), count=1, arms=("qae-0.4", "grpo"))
    assert k_contrasts(table, Resampling(np.random.default_rng(0))) == []
