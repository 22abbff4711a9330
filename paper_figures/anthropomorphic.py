"""Anthropomorphic words over steps, of Figures 2 and 7, from the rollouts that a cluster run has dumped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paper_figures import cluster
from paper_figures.curves import Curve, Shown, curve, curves_panel
from paper_figures.over_steps import BENCHMARK
from paper_figures.panels import Builder
from paper_figures.runs import NOT_RUN, Results
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import MissingError

YLABEL = "words per response"
MOST = 4  # other runs that are shown where the paper's are not there

Rows = Callable[[], Mapping[str, str]]


def words_panel(title: str, rows: Rows) -> Builder:
    """The count in rows of the paper; without them in other runs of verl that wrote such words."""

    def of_rows(results: Results) -> Shown:
        found = cluster.metric_curves(results, rows(), cluster.WORDS, YLABEL)
        return found._replace(note=_list_said(found))

    return curves_panel(title, of_rows, _of_other_runs)


def accuracy_panel(title: str, rows: Rows) -> Builder:
    """Accuracy of the rows beside it."""
    return curves_panel(title, lambda results: cluster.accuracy_curves(results, rows(), BENCHMARK))


def _of_other_runs(results: Results) -> Shown:
    curves: dict[str, Curve] = {}
    runs: list[Collected] = []
    for run in results.collected():
        if run.config["engine"] != "verl" or len(runs) == MOST:
            continue
        try:
            one = curve(cluster.metric_table([run], cluster.WORDS), "value")
        except MissingError:
            continue
        if one.mean.any():
            curves[f"{run.name} ({run.folder.name})"] = one
            runs.append(run)
    if not runs:
        raise MissingError(f"{NOT_RUN}qae cluster collect JOB, of a job that dumps its rollouts")
    found = Shown(curves, YLABEL, tuple(runs), cluster.models_of([runs]), "other runs than the paper's")
    return found._replace(note=_list_said(found))


def _list_said(found: Shown) -> str:
    """Which words are counted, as the first run says; the paper's list is not known."""
    notes = found.sources[0].json("dropped.json")["notes"]
    said = [note for note in notes if note.startswith("anthropomorphic words")]
    return f"Counted: {said[0]}." if said else ""
