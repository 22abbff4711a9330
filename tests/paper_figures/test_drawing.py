"""What changed is drawn again, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text

import paper_figures.drawing as drawing
from paper_figures.catalogue import NAMES, Figure, figure
from paper_figures.drawing import INDEX, LOCK, draw, entry_of, read_index
from paper_figures.panels import all_built
from paper_figures.render import SUFFIXES
from paper_figures.runs import Results
from qae_theory.runs.code import imported_modules
from qae_theory.runs.locks import alone
from tests.paper_figures.stored import drawn as figure_of
from tests.paper_figures.stored import store

MODULE = '''"""A figure of a test."""

from paper_figures.panels import Panel

TITLE = "{title}"
SHAPE = (1, 1)


def panel(results):
    run = results.run("{experiment}", command="qae simulate {experiment}")
    value = run.analysis["value"]
    return Panel("value", f"The value is {{value}}.", lambda axes: axes.plot([0, value], label="value"), sources=(run,))


PANELS = (("value", panel),)
'''


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two figure modules, each with a run of its own."""
    paths = {}
    for name, experiment in (("one", "ordering"), ("two", "sparsity")):
        paths[name] = tmp_path / f"figure_of_a_test_{name}.py"
        paths[name].write_text(MODULE.format(title=name, experiment=experiment))
        write(tmp_path, experiment, 1.5)
    monkeypatch.syspath_prepend(tmp_path)  # where the code behind a figure is looked for
    return paths


def write(root: Path, experiment: str, value: float) -> None:
    store(root / "results", experiment, files={"analysis.json": {"value": value}})


def figures(paths: dict[str, Path]) -> list[Figure]:
    return [loaded(name, path) for name, path in paths.items()]


def loaded(name: str, path: Path) -> Figure:
    spec = importlib.util.spec_from_file_location(f"figure_of_a_test_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Figure(name, module, module.TITLE, module.SHAPE, (2.0, 1.5), module.PANELS)


def drawn(paths: dict[str, Path], root: Path) -> list[str]:
    """Names of the figures that were drawn anew."""
    return [one.name for one, _, fresh in draw(figures(paths), Results(root / "results"), root / "out") if fresh]


def test_all_is_drawn_once(modules: dict[str, Path], tmp_path: Path) -> None:
    assert drawn(modules, tmp_path) == ["one", "two"]
    assert drawn(modules, tmp_path) == []
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {INDEX, *(f"{name}.{suffix}" for name in modules for suffix in SUFFIXES)}
    entry = read_index(tmp_path / "out")["one"]
    assert entry["caption"] == "one. The value is 1.5."
    assert entry["sources"] == ["ordering/0123456789ab"]
    assert [panel["missing"] for panel in entry["panels"]] == [None]


def test_two_processes_do_not_draw_into_one_folder(modules: dict[str, Path], tmp_path: Path) -> None:
    with alone(tmp_path / "out" / LOCK), pytest.raises(OSError, match="another process is drawing"):
        drawn(modules, tmp_path)
    assert not list((tmp_path / "out").glob("*.png"))
    assert drawn(modules, tmp_path)
    assert not (tmp_path / "out" / LOCK).exists()


def test_a_changed_result_draws_its_figure_and_its_caption_again(modules: dict[str, Path], tmp_path: Path) -> None:
    drawn(modules, tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    write(tmp_path, "sparsity", 2.5)
    assert drawn(modules, tmp_path) == ["two"]
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {name for name in after if after[name] != before[name]} == {INDEX, "two.pdf", "two.png"}
    assert read_index(tmp_path / "out")["two"]["caption"] == "two. The value is 2.5."


def test_a_file_of_the_run_that_no_caption_names_counts_too(modules: dict[str, Path], tmp_path: Path) -> None:
    drawn(modules, tmp_path)
    store(tmp_path / "results", "ordering", records=[{"x": 1}], files={"analysis.json": {"value": 1.5}})
    assert drawn(modules, tmp_path) == ["one"]


def test_a_changed_module_draws_that_figure_alone(modules: dict[str, Path], tmp_path: Path) -> None:
    drawn(modules, tmp_path)
    modules["one"].write_text(modules["one"].read_text().replace('label="value"', 'label="another"'))
    assert drawn(modules, tmp_path) == ["one"]


def test_shared_code_and_theory_draw_all_again(
    modules: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(modules, tmp_path)
    monkeypatch.setattr(drawing, "code_version", lambda modules: "another")
    assert drawn(modules, tmp_path) == ["one", "two"]
    assert drawn(modules, tmp_path) == []


def test_what_a_figure_depends_on_is_what_it_imports_at_any_remove() -> None:
    names = imported_modules(("paper_figures.gain_ratio", *drawing.SHARED))
    assert {f"paper_figures.{name}" for name in ("gain_ratio", "zero_map", "cells", "panels", "render")} <= set(names)
    assert "paper_figures.leaky_cells" not in names


def test_a_file_that_is_gone_is_drawn_again(modules: dict[str, Path], tmp_path: Path) -> None:
    drawn(modules, tmp_path)
    (tmp_path / "out" / "one.pdf").unlink()
    assert drawn(modules, tmp_path) == ["one"]


@pytest.mark.parametrize("content", ["{", *(pytest.param(one, marks=pytest.mark.slow) for one in ("[]", '{"one": 3}'))])
def test_a_broken_index_draws_all_again(modules: dict[str, Path], tmp_path: Path, content: str) -> None:
    drawn(modules, tmp_path)
    (tmp_path / "out" / INDEX).write_text(content)
    assert drawn(modules, tmp_path) == ["one", "two"]
    assert drawn(modules, tmp_path) == []


def test_a_run_that_appears_replaces_the_watermark(modules: dict[str, Path], tmp_path: Path) -> None:
    provenance = tmp_path / "results" / "ordering" / "0123456789ab" / "provenance.json"
    facts = provenance.read_text()
    provenance.unlink()  # not finished
    drawn(modules, tmp_path)
    (panel,) = read_index(tmp_path / "out")["one"]["panels"]
    assert panel["missing"] == "not run: qae simulate ordering"
    provenance.write_text(facts)
    assert drawn(modules, tmp_path) == ["one"]
    assert read_index(tmp_path / "out")["one"]["panels"][0]["missing"] is None


def test_every_name_is_a_module_with_what_a_figure_needs() -> None:
    for one in map(figure, NAMES):
        rows, columns = one.shape
        assert one.title
        assert 0 < len(one.panels) <= rows * columns
        assert len({title for title, _ in one.panels}) == len(one.panels)
    with pytest.raises(ValueError, match=r"ledger_matrix.*got 'figure_0'"):
        figure("figure_0")


@pytest.mark.parametrize("name", NAMES)
def test_without_results_every_panel_is_exact_or_names_a_command(name: str, tmp_path: Path) -> None:
    one = figure(name)
    for panel in entry_of(one, all_built(one.panels, Results(tmp_path)))["panels"]:
        said = panel["missing"]
        assert said is None or "qae " in said
        assert said or panel["source"].endswith("theory, exact")


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_too_small_to_read(name: str, tmp_path: Path) -> None:
    sizes = {text.get_text(): text.get_fontsize() for text in figure_of(name, tmp_path).figure.findobj(Text)}
    assert min(size for said, size in sizes.items() if said.strip()) >= 5.5
