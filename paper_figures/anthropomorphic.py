"""Anthropomorphic words over steps, for Figures 2 and 7, from the rollouts that a cluster run has dumped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from paper_figures import cluster
from paper_figures.curves import Curve, CurveSet, curve, curves_panel
from paper_figures.over_steps import BENCHMARK
from paper_figures.panels import Builder
from paper_figures.runs import NOT_RUN, Results
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import MissingError

YLABEL = "words per response"
MOST = 4  # runs shown in place of the paper's; a reader could not distinguish more curves

RowNames = Callable[[], Mapping[str, str]]  # gives the names of rows of the paper by label


def word_count_panel(title: str, row_names: RowNames) -> Builder:
    """Return the panel with the count in rows of the paper, or in other runs of verl that wrote such words."""

    def of_paper(results: Results) -> CurveSet:
        shown = cluster.metric_curves(results, row_names(), cluster.WORDS, ylabel=YLABEL)
        return shown._replace(note=_counted_words(shown))

    return curves_panel(title, of_paper, _of_other_runs)


def accuracy_panel(title: str, row_names: RowNames) -> Builder:
    """Return the panel with the accuracy of the same rows."""
    return curves_panel(title, lambda results: cluster.accuracy_curves(results, row_names(), BENCHMARK))


def _of_other_runs(results: Results) -> CurveSet:
    """Return the counts of the first runs of verl that have any such word."""
    curves: dict[str, Curve] = {}
    runs: list[Collected] = []
    for run in results.collected():
        # Only verl dumps the rollouts in which such words are counted.
        if run.config["engine"] != "verl" or len(runs) == MOST:
            continue
        try:
            count = curve(cluster.metric_table([run], cluster.WORDS), "value")
        except MissingError:
            continue
        if count.mean.any():
            curves[f"{run.name} ({run.folder.name})"] = count
            runs.append(run)
    if not runs:
        raise MissingError(f"{NOT_RUN}qae cluster collect JOB, of a job that dumps its rollouts")
    shown = CurveSet(
        curves=curves,
        ylabel=YLABEL,
        sources=tuple(runs),
        subject=cluster.models_of([runs]),
        stand_in="other runs than the paper's",
    )
    return shown._replace(note=_counted_words(shown))


def _counted_words(shown: CurveSet) -> str:
    """Return a sentence with the words that are counted, as the first run lists them; the paper's list is unknown."""
    notes = shown.sources[0].json("dropped.json")["notes"]
    lists = [note for note in notes if note.startswith("anthropomorphic words")]
    return f"Counted: {lists[0]}." if lists else ""
