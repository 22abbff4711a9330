"""Which run counts: one choice, asked by ledger, figures, report and cluster tables alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from paper_figures.cluster import runs_of_row
from paper_figures.runs import Results
from qae_theory.runs import store
from qae_theory.runs.code import code_version
from qae_theory.runs.files import file_hashes
from simulators import evidence

MODULES = ("qae_theory.baselines",)


@pytest.fixture
def _toy_ships_full_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiment `toy` ships the configurations {"size": "full"} and {"size": "quick"}."""

    def size_of(config: Mapping[str, Any]) -> str | None:
        return str(config["size"]) if set(config) == {"size"} and config["size"] in ("full", "quick") else None

    toy = store.Shipping(experiment="toy", size_of=size_of, modules=lambda: MODULES)
    monkeypatch.setattr(store, "shippings", lambda: {"toy": toy})


def write(root: Path, name: str, config: Mapping[str, Any], finished: str, code: str = "old") -> Path:
    folder = root / "toy" / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "provenance.json").write_text(json.dumps({"finished": finished, "code_version": code}))
    return folder


@pytest.mark.usefixtures("_toy_ships_full_and_quick")
def test_a_shipped_run_counts_first_then_the_larger_the_newer_the_greater_id(tmp_path: Path) -> None:
    assert store.newest(tmp_path, "toy") is store.shipped(tmp_path, "toy") is None
    write(tmp_path, "variant", {"size": "full", "k": "0.6"}, "2031")
    found = store.newest(tmp_path, "toy")
    assert found is not None
    assert (found.folder.name, found.shipped) == ("variant", False)
    assert store.shipped(tmp_path, "toy") is None  # the ledger takes no variant
    for name, size, finished in (("q1", "quick", "2026-03"), ("q2", "quick", "2026-09"), ("f1", "full", "2026-01")):
        folder = write(tmp_path, name, {"size": size}, finished)
        found = store.newest(tmp_path, "toy")
        assert found is not None
        assert (found.folder, found.size, found.shipped) == (folder, size, True)  # each counts when it comes
    write(tmp_path, "f0", {"size": "full"}, "2026-01")
    assert store.newest(tmp_path, "toy") == store.shipped(tmp_path, "toy") == found


@pytest.mark.usefixtures("_toy_ships_full_and_quick")
def test_whether_the_code_has_changed_is_told(tmp_path: Path) -> None:
    write(tmp_path, "same", {"size": "full"}, "2026", code_version(MODULES))
    write(tmp_path, "other", {"size": "quick"}, "2026")
    quick, full = store.stored(tmp_path, "toy")
    assert str(quick) == "run other, quick size, code changed since"
    assert str(full) == "run same, full size"


@pytest.mark.usefixtures("_toy_ships_full_and_quick")
def test_a_damaged_run_is_named_with_what_to_do(tmp_path: Path) -> None:
    (write(tmp_path, "a", {"size": "full"}, "2026") / "provenance.json").write_text("{")
    (tmp_path / "toy" / ".half-written").mkdir()
    (tmp_path / "toy" / "empty").mkdir()
    with pytest.raises(ValueError, match=r"provenance.json cannot be read: .*; remove the run and make it again"):
        store.newest(tmp_path, "toy")


def test_after_a_changed_setting_figures_and_ledger_take_the_same_run(tmp_path: Path) -> None:
    """A newer run of other settings, from `--set`, must not displace the shipped one in one place and not the other."""
    from simulators.experiments import get_experiment
    from simulators.settings import identity, shipped_config

    experiment = get_experiment("k-sweep")
    shipped = shipped_config(experiment, quick=True)
    for name, config, finished in (
        ("shipped", shipped, "2026-01-01T00:00:00Z"),
        ("variant", shipped.model_copy(update={"seed": 1}), "2026-06-01T00:00:00Z"),
    ):
        folder = tmp_path / "k-sweep" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(identity(experiment, config, quick=True)))
        (folder / "provenance.json").write_text(json.dumps({"finished": finished, "code_version": "old"}))
    drawn = Results(tmp_path).run("k-sweep", command="qae simulate k-sweep")
    judged = evidence.store.shipped(tmp_path, "k-sweep")
    assert judged is not None
    assert drawn.folder.name == judged.folder.name == "shipped"


def test_of_two_collections_of_one_run_figures_and_tables_take_the_same(tmp_path: Path) -> None:
    """Both came to step 3; the one with more steps counts everywhere, whatever the order of their ids."""
    for name, steps, finished in (("aaaa", (1, 2, 3), "2026-01"), ("bbbb", (1, 3), "2026-06")):
        folder = tmp_path / "cluster" / name
        folder.mkdir(parents=True)
        config = {"name": "a-row", "run": "one run", "named_by": "job.json", "row": "a-row", "settings": {}}
        lines = [json.dumps({"step": step, "attempt": 1, "abandoned": False}) for step in steps]
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
        (folder / "evaluations.json").write_text(json.dumps({"evaluations": []}))
        facts = {"finished": finished, "code_version": "old", "files": file_hashes(folder)}
        (folder / "provenance.json").write_text(json.dumps(facts))
    (stored,) = store.collected(tmp_path)
    assert stored.folder.name == "aaaa"
    assert [run.folder.name for run in runs_of_row(Results(tmp_path), "a-row")] == ["aaaa"]


def test_what_is_shipped_is_known_for_every_experiment() -> None:
    from simulators.experiments import experiment_names

    assert {*experiment_names(), "validate", "cluster"} <= set(store.shippings())
