"""Lines that are kept with the code: the same as their study's, pooled with those of other seeds, and none by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.study.analysis.step_lines import SMALLEST
from llm_validation.study.kept_lines import FOLDER, keep, kept_lines
from llm_validation.study.stored_summary import stored_summary
from qae_theory.curves.families import FAMILIES
from qae_theory.curves.outcomes import Line, line
from qae_theory.runs.files import to_json

DOCS = Path(__file__).parents[3] / "docs/validation"
# The stored folder behind each kept file, and what else `keep` was given.
STUDIES: dict[str, tuple[Any, ...]] = {
    "long": (DOCS,),
    "pretrained": (DOCS / "pretrained",),
    "second-a": (DOCS / "second-a", "second-a", 2),
    "second-b": (DOCS / "second-b", "second-b", 2),
}


def made(sample: list[float], *, level: float = 0.95) -> Line:
    return line(sample, 0.1, claim="claim", condition="place/way", says="it is so", unit="nats", level=level)


def studied(folder: Path, lines: list[Line], *, run: str = "one", out: tuple[str, ...] = ()) -> Path:
    """What a finished study's folder has for the lines."""
    folder.mkdir()
    content: dict[str, Any] = {
        "config": {"preset": "long"},
        "lines": {
            "lines": [one.record() for one in lines],
            "out": [{"claim": "claim", "condition": condition} for condition in out],
        },
        "provenance": {"run_id": run, "finished": "2026-01-01T00:00:00+00:00"},
    }
    for name, value in content.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def test_a_kept_line_is_the_studys_own(tmp_path: Path) -> None:
    lines = [made([0.2, 0.3, 0.25, 0.1]), made([0.2])]
    for number, one in enumerate(lines):
        folder = tmp_path / f"kept{number}"
        assert keep(studied(tmp_path / f"study{number}", [one]), folder) == folder / "long.json"
        ((name, found),) = kept_lines(folder).items()
        assert name == "claim@place/way"
        assert found.source == "run one, long size; kept"
        for key, value in one.record().items():
            assert found.line.record()[key] == (pytest.approx(value) if isinstance(value, float) else value), key


def test_lines_of_other_seeds_are_pooled_at_the_level_of_both_looks(tmp_path: Path) -> None:
    first, second = [0.11, 0.2, 0.14], [0.16, 0.13, 0.18, 0.15, 0.17]
    keep(studied(tmp_path / "first", [made(first)]), tmp_path / "kept")
    alone = kept_lines(tmp_path / "kept")["claim@place/way"].line
    again = studied(tmp_path / "second", [made(second, level=0.975)], run="two")
    assert keep(again, tmp_path / "kept", "second", 2) == tmp_path / "kept/second.json"
    both = kept_lines(tmp_path / "kept")["claim@place/way"]
    whole = made([*first, *second], level=0.975)
    assert (alone.n, both.line.n, both.line.level) == (3, 8, 0.975)
    assert both.source == "run one, long size; run two, second; kept"
    np.testing.assert_allclose([both.line.low, both.line.high], [whole.low, whole.high])
    assert (str(alone.outcome), str(both.line.outcome), str(whole.outcome)) == ("undecided", "found", "found")


def test_of_a_further_study_only_what_is_looked_at_again_is_kept(tmp_path: Path) -> None:
    again = studied(tmp_path / "second", [made([0.2, 0.3]), made([0.1, 0.2, 0.3], level=0.975)])
    keep(again, tmp_path / "kept", "second", 2)
    (found,) = kept_lines(tmp_path / "kept").values()
    assert (found.line.n, found.line.level) == (3, 0.975)


def test_a_condition_that_is_out_in_one_study_is_out(tmp_path: Path) -> None:
    keep(studied(tmp_path / "first", [made([0.2, 0.3])]), tmp_path / "kept")
    assert kept_lines(tmp_path / "kept")
    keep(studied(tmp_path / "second", [], out=("place/way",)), tmp_path / "kept", "second", 2)
    assert kept_lines(tmp_path / "kept") == {}


def test_nothing_kept_is_no_line(tmp_path: Path) -> None:
    assert kept_lines(tmp_path) == {}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_kept_is_what_the_stored_study_found(path: Path, tmp_path: Path) -> None:
    """The file is the one that is made from the study's stored folder, byte for byte."""
    folder, *given = STUDIES[path.stem]
    again = keep(folder, tmp_path, *given)
    assert again.name == path.name
    assert again.read_text() == path.read_text()


def test_the_stored_summary_is_that_of_all_stored_studies() -> None:
    found = stored_summary(DOCS)
    assert to_json(found) == (DOCS / "summary.json").read_text(encoding="utf-8")
    runs = [
        (name, run["rule"], run["condition"], run["seed"])
        for name, facts in found["substrates"].items()
        for run in facts["runs"]
    ]
    assert len(runs) == len(set(runs)) >= 192
    assert {f"{one['claim']}@{one['condition']}" for one in found["lines"]} >= set(kept_lines(FOLDER))


def test_a_further_studys_runs_have_seeds_of_their_own(tmp_path: Path) -> None:
    runs = [{"rule": "grpo", "condition": "adam", "seed": seed, "success_last": 0.5} for seed in (0, 1)]
    for folder, preset, seed in ((tmp_path, "long", 1000), (tmp_path / "b", "long", 1008), (tmp_path / "c", "own", 7)):
        folder.mkdir(exist_ok=True)
        name = "digits" if preset == "long" else "sums"
        content = {"substrates": {name: {"model": "tiny", "runs": runs, "ladder": []}}, "lines": []}
        (folder / "summary.json").write_text(json.dumps(content))
        (folder / "provenance.json").write_text(json.dumps({"seed": seed}))
        (folder / "config.json").write_text(json.dumps({"preset": preset}))
    found = stored_summary(tmp_path, tmp_path / "none kept")
    seeds = {name: [run["seed"] for run in facts["runs"]] for name, facts in found["substrates"].items()}
    assert seeds == {"digits": [0, 1, 8, 9], "sums": [0, 1]}
    assert json.loads((tmp_path / "summary.json").read_text())["substrates"]["digits"]["runs"] == runs


def test_smallest_effects_are_those_of_the_families() -> None:
    sizes = {(family.claim, family.says): family.smallest_effect for family in FAMILIES.values()}
    lines = [found.line for found in kept_lines(FOLDER).values()]
    assert len(lines) >= 156
    for one in lines:
        expected = SMALLEST[one.claim] if one.claim in SMALLEST else sizes[one.claim, one.says]
        assert one.smallest_effect == expected, one.id
