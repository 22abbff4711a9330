"""A run's folder is whole or not there, and is found again by its configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qae_theory.runs import files, folders
from qae_theory.runs.code import code_version

CONFIG = {"group_size": 16, "k": "2/5"}
MODULES = ("qae_theory.baselines",)


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*"))


def write_half(out: Path, error: type[BaseException]) -> None:
    with folders.write_run(out, "toy", CONFIG, seed=7, modules=MODULES) as run:
        run.append_metrics([{"step": 1}])
        run.write("value", "half")
        raise error


def test_whole_run_is_written_and_found(tmp_path: Path) -> None:
    assert folders.find_run(tmp_path, "toy", CONFIG, modules=MODULES) is None
    with folders.write_run(tmp_path, "toy", CONFIG, seed=7, modules=MODULES) as run:
        run.append_metrics([{"step": 1}, {"step": 2}])
        run.append_metrics([{"step": 3}])
        run.write("notes.md", "# Notes\n")
        assert not run.folder.exists()
    assert folders.find_run(tmp_path, "toy", CONFIG, modules=MODULES) == run.folder
    assert folders.find_run(tmp_path, "toy", {**CONFIG, "k": "3/5"}, modules=MODULES) is None
    assert json.loads((run.folder / "config.json").read_text(encoding="utf-8")) == CONFIG
    lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]
    assert hidden(tmp_path) == []


def test_provenance_says_where_results_come_from(tmp_path: Path) -> None:
    with folders.write_run(tmp_path, "toy", CONFIG, seed=7, modules=MODULES) as run:
        pass
    facts = json.loads((run.folder / "provenance.json").read_text(encoding="utf-8"))
    assert facts["run_id"] == run.id == run.folder.name
    assert facts["seed"] == 7
    assert facts["seconds"] >= 0
    assert facts["packages"]["numpy"]
    assert facts["machine"]["cores"] >= 1
    assert facts["code_version"] == code_version(MODULES)


def test_files_changed_since_they_were_written_are_named(tmp_path: Path) -> None:
    with folders.write_run(tmp_path, "toy", CONFIG, seed=7, modules=MODULES) as run:
        run.append_metrics([{"step": 1}, {"step": 2}])
        run.write("notes.md", "# Notes\n")
    assert files.changed_files(run.folder) == []
    (run.folder / "figure.svg").touch()  # what others add is theirs
    assert files.changed_files(run.folder) == []
    files.check_unchanged(run.folder, again="do it again")
    metrics = run.folder / "metrics.jsonl"
    metrics.write_text(metrics.read_text().splitlines(keepends=True)[0])
    (run.folder / "notes.md").unlink()
    assert files.changed_files(run.folder) == ["metrics.jsonl", "notes.md"]
    with pytest.raises(ValueError, match=r"not as the run wrote it: metrics.jsonl, notes.md; remove the run and do it"):
        files.check_unchanged(run.folder, again="do it again")


def test_where_stored_results_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QAE_RESULTS", raising=False)
    assert folders.results_folder() == Path("results")
    monkeypatch.setenv("QAE_RESULTS", "elsewhere")
    assert folders.results_folder() == Path("elsewhere")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_interrupted_run_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_half(tmp_path, error)
    assert list((tmp_path / "toy").iterdir()) == []


def test_older_run_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    with folders.write_run(tmp_path, "toy", CONFIG, seed=7, modules=MODULES) as first:
        first.write("value", "old")
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path, KeyboardInterrupt)
    assert (first.folder / "value").read_text(encoding="utf-8") == "old"
    with folders.write_run(tmp_path, "toy", CONFIG, seed=7, modules=MODULES) as third:
        third.write("value", "new")
    assert (first.folder / "value").read_text(encoding="utf-8") == "new"
    assert [path.name for path in (tmp_path / "toy").iterdir()] == [first.id]


def test_run_id_depends_on_configuration_and_code() -> None:
    assert folders.run_id({"a": 1, "b": 2}, "code") == folders.run_id({"b": 2, "a": 1}, "code")
    assert folders.run_id({"a": 1}, "code") != folders.run_id({"a": 2}, "code")
    assert folders.run_id({"a": 1}, "code") != folders.run_id({"a": 1}, "edoc")
    with pytest.raises(ValueError, match="Out of range"):
        folders.run_id({"a": float("nan")}, "code")


def test_atomic_write_makes_the_parent_and_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    files.write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_atomically(path, "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert [item.name for item in path.parent.iterdir()] == ["file.json"]


def test_json_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        files.to_json({"a": float("inf")})
