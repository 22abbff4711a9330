"""The report: all of it from the results, and the same figures as its JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.common.resampling import shown
from llm_validation.study import report, sections
from llm_validation.study.analysis.curve_lines import Lines
from llm_validation.study.analysis.summary import line_record, merged
from llm_validation.study.bandit import bandit_probes
from llm_validation.study.figures import CAPTIONS
from llm_validation.study.report import write_report
from llm_validation.study.sections import markdown_table
from paper_figures.prediction_ladder import CHECK
from qae_theory.arrays import Array
from qae_theory.curves import outcomes
from tests.llm_validation.study.analysis.synthetic import Truth, studied

pytestmark = pytest.mark.xdist_group("study-report")  # one worker writes the report that most of them read
CONFIG = {"experiment": "validate", "preset": "quick", "settings": {"seeds": 4}}
MODELS = {"digits": {"model": "arithmetic", "parameters": 92_000, "vocabulary": 17, "pretrained": False}}
SPEED = [
    {"substrate": "digits", "rule": "grpo", "condition": "rules", "seconds": 0.25, "update_seconds": 0.2, "steps": 4}
]
FACTS = {"run_id": "0123456789ab", "models": MODELS, "missing": [], "speed": SPEED}
ARMS = ("constant-0", "mean", "constant-1", "quantile-0.4", "grpo", "qae-0.4", "qae-0.8")
JSONS = ("lines", "summary", "ladder", "bounds", "terms", "contrasts", "ordering", "places", "sensitivity")


def tables(seed: int = 0, *, truth: Truth = Truth(rises=0.5), probed: int = 4) -> dict[str, dict[str, Array]]:  # noqa: B008
    rng = np.random.default_rng(seed)
    both = studied(rng, truth, seeds=3, tasks=("digits",))
    on_map = studied(rng, truth, seeds=3, tasks=("digits",), part="map", learning_rate=1e-3)
    found = {name: {key: np.concatenate([both[name][key], on_map[name][key]]) for key in both[name]} for name in both}
    return {**found, "probes": bandit_probes(ARMS, (0.01, 0.1), probes=probed, seed=seed)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("study")
    write_report(made, tables(), CONFIG, FACTS)
    return made


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of a report's time; these tests read its text and its JSON."""
    monkeypatch.setattr(report, "draw_all", lambda *args, **kwargs: [])


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
    expected |= {f"{name}.{kind}" for name in CAPTIONS for kind in ("png", "pdf")}
    assert {path.name for path in folder.iterdir()} == expected
    text = (folder / "report.md").read_text()
    for name in CAPTIONS:
        assert f"({name}.png)" in text
        assert f"({name}.pdf)" in text


def test_the_summary_has_the_form_that_others_read(folder: Path) -> None:
    found = read(folder, "summary")
    assert set(found) == {"substrates", "lines"}
    assert set(found["substrates"]) == {"digits", "bandit"}
    digits, bandit = (found["substrates"][name] for name in ("digits", "bandit"))
    assert set(digits) == {"model", "parameters", "vocabulary", "pretrained", "runs", "ladder"}
    runs = {"rule", "condition", "seed", "steps", "success_first", "success_last", "entropy_first", "entropy_last"}
    assert all(set(run) == runs for run in digits["runs"])
    assert {run["rule"] for run in digits["runs"]} >= {"grpo", "qae-0.4", "pos_mask-0.4"}
    rungs = {"rung", "n", "rank", "sign_agreement", "r2", "median_relative_error", "coverage"}
    assert [set(one) for one in bandit["ladder"]] == [rungs] * 5
    columns = {"claim", "condition", "n", "effect", "interval", "smallest_effect", "power", "outcome"}
    assert all(set(line) == columns for line in found["lines"])
    for line in found["lines"]:
        low, high = line["interval"]
        beyond = low > line["smallest_effect"] if line["outcome"] == "found" else True
        inside = (
            -line["smallest_effect"] < low <= high < line["smallest_effect"] if line["outcome"] == "absent" else True
        )
        assert beyond
        assert inside


def test_first_and_last_are_means_over_a_tenth_of_the_steps(folder: Path) -> None:
    runs = tables()["runs"]
    for run in read(folder, "summary")["substrates"]["digits"]["runs"]:
        if run["rule"] != "grpo":
            continue
        here = (runs["run"] == "grpo") & (runs["seed"] == run["seed"]) & (runs["part"] == "rules")
        order = np.argsort(runs["step"][here])
        for name, column in (("success", "success"), ("entropy", "entropy")):
            values = runs[column][here][order]
            assert run[f"{name}_first"] == pytest.approx(values[:2].mean(), rel=1e-6)
            assert run[f"{name}_last"] == pytest.approx(values[-2:].mean(), rel=1e-6)
        assert run["steps"] == 20


def test_of_two_studies_the_first_one_counts(folder: Path) -> None:
    one = read(folder, "summary")
    other = json.loads(json.dumps(one))
    (run, *_) = one["substrates"]["digits"]["runs"]
    again, further = {**run, "success_last": 9.0}, {**run, "seed": 77}
    other["substrates"] = {
        "digits": {"model": "another", "runs": [again, further]},
        "more": {"model": "more", "runs": []},
    }
    other["lines"] = [{**other["lines"][0], "effect": 9.0}, {"claim": "new", "condition": "more/x"}]
    both = merged([one, other])
    assert both["substrates"]["digits"]["model"] == "arithmetic"
    assert both["substrates"]["digits"]["runs"] == [*one["substrates"]["digits"]["runs"], further]
    assert both["substrates"]["more"] == {"model": "more", "runs": []}
    assert both["lines"] == [*one["lines"], {"claim": "new", "condition": "more/x"}]


def test_a_line_over_more_seeds_counts_before_those_of_the_studies(folder: Path) -> None:
    one = read(folder, "summary")
    first, second = ({name: record[name] for name in ("claim", "condition")} for record in one["lines"][:2])
    whole = outcomes.line([0.1] * 50, 0.1, **first, says="", unit="")
    part = outcomes.line([0.1], 0.1, **second, says="", unit="")
    both = merged([one], [whole, part])["lines"]
    assert both == [line_record(whole), *one["lines"][1:]]
    assert both[0]["n"] == 50


def test_the_tables_are_those_of_the_json(folder: Path) -> None:
    text, ladder = (folder / "report.md").read_text(), read(folder, "ladder")
    rows = rows_under(text, "### bandit: r - b")
    assert len(rows) == 2 * 5
    for setting, rung, *cells in rows:
        record = ladder["plain"]["bandit"][setting][rung]
        names = ("rank", "sign_agreement", "r2", "trimmed_slope", "median_relative_error", "coverage")
        assert cells[:6] == [shown(record[name]) for name in names]
    # What the figure of the ladder reads.
    assert {(one["substrate"], one["setting"]) for one in read(folder, "bounds") if one["bound"] == CHECK} == {
        (substrate, setting) for substrate, settings in ladder["plain"].items() for setting in settings
    }
    for one, cells in zip(read(folder, "bounds"), rows_under(text, "## Bounds that can fail"), strict=True):
        assert cells[2:6] == [one["bound"], str(one["checked"]), str(one["violations"]), shown(one["coverage"])]
    lines = read(folder, "lines")["lines"]
    counted = {row[0]: row for row in rows_under(text, "## How many lines are found, absent, opposite, undecided")}
    for substrate, row in counted.items():
        here = [line["outcome"] for line in lines if line["condition"].startswith(f"{substrate}/")]
        kinds = ("found", "absent", "opposite", "undecided")
        assert row[1:6] == [*(str(here.count(kind)) for kind in kinds), str(len(here))]


def test_of_many_settings_the_report_tells_the_smallest_step_and_training_s_own() -> None:
    sgd = [f"sgd, 1 update, no clipping, size {size}" for size in ("0.01", "0.1", "0.5")]
    adam = [f"adam eps 1e-08, {number} updates, clipped" for number in (4, 16)]
    others = [
        "adam eps 0.01, 4 updates, clipped",
        f"{adam[0]}, log-probs rounded",
        "adam eps 1e-08, 1 update, no clipping",
    ]
    record = {"task": "digits", "scaled": False, "k": "0.4", "regime": "hard", "holds": 3, "fails": 1, "ties": 0}
    record |= {"same_baseline": 0, "probes": 2, "rate": {"estimate": 0.75, "low": 0.5, "high": 1.0}}
    records = [{**record, "setting": name, "by": by} for name in (*others, *adam, *sgd) for by in ("V", "group")]
    rows = rows_under("\n".join(sections.ordering(records)), "## How often Prop. 4.2's order holds")
    assert [row[1] for row in rows] == [*adam, sgd[0]]
    bound = {"substrate": "digits", "bound": "paper", "checked": 4, "violations": 1, "coverage": record["rate"]}
    bound |= {"median": None, "largest": None, "median_relative": None}
    counted = [{**bound, "setting": name} for name in (*others, *adam, *sgd)]
    rows = rows_under("\n".join(sections.bounds(counted)), "## Bounds that can fail")
    assert [row[1] for row in rows] == [*adam, *sgd]  # a curve over the size of the step


def test_no_measured_change_lies_outside_its_guaranteed_bounds_not_even_by_rounding(folder: Path) -> None:
    probes = tables()["probes"]
    assert (probes["guaranteed_low"] <= probes["change"]).all()
    assert (probes["change"] <= probes["guaranteed_high"]).all()
    found = [one for one in read(folder, "bounds") if one["bound"] == CHECK]
    assert sum(one["checked"] for one in found) == len(probes["change"])
    assert {one["violations"] for one in found} == {0}


def test_every_line_stands_in_it(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    for line in read(folder, "lines")["lines"]:
        assert f"### `{line['claim']}`" in text
        assert f"| `{line['condition']}` |" in text
        assert line["says"] in text


@pytest.mark.usefixtures("without_pictures")
def test_what_is_missing_is_said(tmp_path: Path, folder: Path) -> None:
    assert "Not finished" not in (folder / "report.md").read_text()
    write_report(tmp_path, tables(), CONFIG, {**FACTS, "missing": ["digits, grpo, seed 7"]})
    assert "**Not finished**: 1 parts are missing" in (tmp_path / "report.md").read_text()


@pytest.mark.usefixtures("without_pictures")
def test_a_condition_without_learning_is_out(tmp_path: Path) -> None:
    write_report(tmp_path, tables(truth=Truth(gain=0.02)), CONFIG, FACTS)
    out = read(tmp_path, "lines")["out"]
    assert {"shape-qae-holds-entropy", "shape-entropy-collapses"} <= {one["claim"] for one in out}
    text = (tmp_path / "report.md").read_text()
    assert re.search(r"RL does not learn: grpo gains 0\.0\d", text)
    claims = {line["claim"] for line in read(tmp_path, "lines")["lines"]}
    assert "shape-entropy-rises-with-k" not in claims
    assert "shape-entropy-explodes" in claims  # whether entropy explodes does not hang on learning


def test_figures_carry_the_run_id(folder: Path) -> None:
    for name in CAPTIONS:
        for kind in ("png", "pdf"):
            assert b"0123456789ab" in (folder / f"{name}.{kind}").read_bytes()


@pytest.mark.usefixtures("without_pictures")
def test_no_figure_is_typed(tmp_path: Path, folder: Path) -> None:
    """Other data, other numbers."""
    write_report(tmp_path, tables(1, truth=Truth(falls=0.3), probed=5), CONFIG, FACTS)
    one, other = ((path / "report.md").read_text() for path in (folder, tmp_path))
    for title in ("### bandit: r - b", "### `shape-entropy-collapses`", "## Both terms of the chain rule"):
        for a, b in zip(rows_under(one, title), rows_under(other, title), strict=True):
            assert a[0] == b[0]
            assert a != b


@pytest.mark.slow
def test_the_same_data_give_the_same_files(tmp_path: Path, folder: Path) -> None:
    write_report(tmp_path, tables(), CONFIG, FACTS)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_cells_do_not_break_the_table() -> None:
    assert markdown_table(["a|b"], [["c"]]) == ["| a\\|b |", "| --- |", "| c |"]


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ((0.95,), "with its 95 % interval over seeds"),
        ((0.95, 0.975), "with its 95 %, or, of lines that were looked at again with more seeds, 97.5 % interval"),
    ],
)
def test_the_levels_of_the_intervals_are_those_of_the_lines(levels: tuple[float, ...], said: str) -> None:
    found = Lines(
        [
            outcomes.line([0.1, 0.2, 0.3], 0.1, claim="c", condition=f"x/{x}", says="s", unit="u", level=x)
            for x in levels
        ]
    )
    assert said in "\n".join(sections.lines(found))
