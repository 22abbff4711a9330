"""A run's folder is whole or not there, and is found again by its configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qae_theory.runs import folders as results

CONFIG = {"group_size": 16, "k": "2/5"}


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*"))


def write_half(out: Path, error: type[BaseException]) -> None:
    with results.write_run(out, "toy", CONFIG, seed=7) as run:
        run.append_metrics([{"step": 1}])
        run.write("value", "half")
        raise error


def test_whole_run_is_written_and_found(tmp_path: Path) -> None:
    assert results.find_run(tmp_path, "toy", CONFIG) is None
    with results.write_run(tmp_path, "toy", CONFIG, seed=7) as run:
        run.append_metrics([{"step": 1}, {"step": 2}])
        run.append_metrics([{"step": 3}])
        run.write("notes.md", "# Notes\n")
        assert not run.folder.exists()
    assert results.find_run(tmp_path, "toy", CONFIG) == run.folder
    assert results.find_run(tmp_path, "toy", {**CONFIG, "k": "3/5"}) is None
    assert json.loads((run.folder / "config.json").read_text(encoding="utf-8")) == CONFIG
    lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]
    assert hidden(tmp_path) == []


def test_provenance_says_where_results_come_from(tmp_path: Path) -> None:
    with results.write_run(tmp_path, "toy", CONFIG, seed=7) as run:
        pass
    facts = json.loads((run.folder / "provenance.json").read_text(encoding="utf-8"))
    assert facts["run_id"] == run.id == run.folder.name
    assert facts["seed"] == 7
    assert facts["seconds"] >= 0
    assert facts["packages"]["numpy"]
    assert facts["machine"]["cores"] >= 1
    assert facts["code_version"] == results.code_version(["qae_theory"])


def test_files_changed_since_they_were_written_are_named(tmp_path: Path) -> None:
    with results.write_run(tmp_path, "toy", CONFIG, seed=7) as run:
        run.append_metrics([{"step": 1}, {"step": 2}])
        run.write("notes.md", "# Notes\n")
    assert results.changed_files(run.folder) == []
    (run.folder / "figure.svg").touch()  # what others add is theirs
    assert results.changed_files(run.folder) == []
    results.check_unchanged(run.folder, again="do it again")
    metrics = run.folder / "metrics.jsonl"
    metrics.write_text(metrics.read_text().splitlines(keepends=True)[0])
    (run.folder / "notes.md").unlink()
    assert results.changed_files(run.folder) == ["metrics.jsonl", "notes.md"]
    with pytest.raises(ValueError, match=r"not as the run wrote it: metrics.jsonl, notes.md; remove the run and do it"):
        results.check_unchanged(run.folder, again="do it again")


def stored(out: Path) -> results.StoredRun | None:
    """Of runs that say their size, the one that counts; "other" is no shipped size."""
    sizes = ("full", "quick")
    return results.stored_run(
        out / "toy",
        lambda config: config["size"] if config["size"] in sizes else None,
        sizes=sizes,
        packages=["qae_theory"],
        again="do it again",
    )


def test_the_stored_run_that_counts(tmp_path: Path) -> None:
    assert stored(tmp_path) is None
    with pytest.raises(ValueError, match="half"), results.write_run(tmp_path, "toy", {"size": "full"}, seed=1):
        raise ValueError("half")
    expected = None
    for size, seed in (("other", 1), ("quick", 1), ("full", 1), ("quick", 2)):
        with results.write_run(tmp_path, "toy", {"size": size, "seed": seed}, seed=seed) as run:
            pass
        expected = results.StoredRun(run.folder, size, changed=False) if (size, seed) != ("quick", 2) else expected
        assert stored(tmp_path) == (None if size == "other" else expected)
    assert str(stored(tmp_path)).endswith(", full size")
    for folder in (tmp_path / "toy").iterdir():
        facts = folder / "provenance.json"
        facts.write_text(json.dumps({**json.loads(facts.read_text()), "code_version": "old"}))
    assert str(stored(tmp_path)).endswith(", full size, code changed since")
    facts.write_text("{")
    with pytest.raises(ValueError, match=r"provenance.json cannot be read: .*; remove the run and do it again"):
        stored(tmp_path)


def test_where_stored_results_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QAE_RESULTS", raising=False)
    assert results.results_folder() == Path("results")
    monkeypatch.setenv("QAE_RESULTS", "elsewhere")
    assert results.results_folder() == Path("elsewhere")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_interrupted_run_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_half(tmp_path, error)
    assert list((tmp_path / "toy").iterdir()) == []


def test_older_run_is_replaced_only_by_a_whole_one(tmp_path: Path) -> None:
    with results.write_run(tmp_path, "toy", CONFIG, seed=7) as first:
        first.write("value", "old")
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path, KeyboardInterrupt)
    assert (first.folder / "value").read_text(encoding="utf-8") == "old"
    with results.write_run(tmp_path, "toy", CONFIG, seed=7) as third:
        third.write("value", "new")
    assert (first.folder / "value").read_text(encoding="utf-8") == "new"
    assert [path.name for path in (tmp_path / "toy").iterdir()] == [first.id]


def test_run_id_depends_on_configuration_and_code() -> None:
    assert results.run_id({"a": 1, "b": 2}, "code") == results.run_id({"b": 2, "a": 1}, "code")
    assert results.run_id({"a": 1}, "code") != results.run_id({"a": 2}, "code")
    assert results.run_id({"a": 1}, "code") != results.run_id({"a": 1}, "edoc")
    with pytest.raises(ValueError, match="Out of range"):
        results.run_id({"a": float("nan")}, "code")


def test_code_version_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toy_package"
    package.mkdir()
    (package / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = results.code_version(["toy_package"])
    (package / "notes.txt").write_text("not code", encoding="utf-8")
    assert results.code_version(["toy_package"]) == before
    (package / "__init__.py").write_text("x = 2\n", encoding="utf-8")
    assert results.code_version(["toy_package"]) != before


def test_atomic_write_makes_the_parent_and_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    results.write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        results.write_atomically(path, "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert [item.name for item in path.parent.iterdir()] == ["file.json"]


def test_json_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        results.to_json({"a": float("inf")})
