"""Entropy, accuracy and response length over steps, for Figures 1, 9, 10 and 11, each from the best source at hand.

A source must have every curve that the panel shows. A bandit has no response length; the length may come from a study
that lacks the paper's own K.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from paper_figures import bandit, cluster, study
from paper_figures.curves import CurveSet, Source, curves_panel
from paper_figures.panels import Builder
from paper_figures.paper import Mark, default_k, level, remark, spike, steps, table_2
from paper_figures.runs import Results
from qae_theory.runs import collected
from qae_theory.runs.stored import MissingError

BENCHMARK = "AIME24"
BASELINE = "Clip-Higher"
UNIT = "(nats per response)"


class Compared(NamedTuple):
    """DAPO against DAPO + QAE on a model of the paper.

    ``model`` is the model's name, ``row`` that of its row under DAPO, of which the row under QAE ends in ``-qae``, and
    ``small`` the model of the study that stands in for it.
    """

    model: str
    row: str
    small: study.Trained

    @property
    def row_names(self) -> dict[str, str]:
        """Return the names of the two rows of the paper by label."""
        return {"DAPO": self.row, f"DAPO + QAE, K = {default_k()}": f"{self.row}-qae"}

    @property
    def qae_row_name(self) -> dict[str, str]:
        """Return the name of the row under QAE by its label."""
        return {label: name for label, name in self.row_names.items() if name != self.row}

    @property
    def accuracy(self) -> dict[str, float]:
        """Return what Table 2 states for them, by label; a row that it lacks is left out."""
        table, stated = table_2(), {}
        for label, ending in zip(self.row_names, ("", " + QAE"), strict=True):
            row = table.get((self.model, BASELINE + ending))
            if row is not None:
                stated[label] = row[f"{BENCHMARK} pass@1"]
        return stated


LARGE = Compared("Qwen3-14B-Base", "qwen3-14b-clip-higher", study.LARGER)
MIDDLE = Compared("Qwen3-8B-Base", "qwen3-8b-clip-higher", study.SMALL)


def entropy(title: str, compared: Compared) -> Builder:
    """Return the panel with the entropy of both, and the paper's spike marked."""

    def marks(shown: CurveSet) -> Sequence[Mark]:
        """Return the paper's spike, for the model that has it."""
        # The spike is in Figure 1, which shows this model alone.
        if compared is not MIDDLE:
            return ()
        first, last = spike()
        if shown.stand_in is None:
            return (steps(first, last, f"DAPO's entropy spike, steps {first} to {last}"),)
        # The steps of a stand-in are not those of the paper, so that the spike has no place on its axis.
        return (remark(f"DAPO spikes at steps {first}-{last}"),)

    def on_cluster(results: Results) -> CurveSet:
        ylabel = "entropy (nats per token)"
        return cluster.metric_curves(results, compared.row_names, collected.ENTROPY, ylabel=ylabel)

    in_study = _in_study(compared, "entropy", study.ENTROPY)
    return curves_panel(title, on_cluster, in_study, *_bandits(compared, _bandit_entropy), marks=marks)


def accuracy(title: str, compared: Compared) -> Builder:
    """Return the panel with the accuracy of both, with Table 2's numbers beside runs of that model."""

    def marks(shown: CurveSet) -> Sequence[Mark]:
        """Return Table 2's accuracies, beside runs of the paper's own models only."""
        # The paper's accuracies mean nothing beside those of another model or task.
        if shown.stand_in is not None:
            return ()
        return tuple(level(value, f"{label}, {value:g} %") for label, value in compared.accuracy.items())

    def on_cluster(results: Results) -> CurveSet:
        return cluster.accuracy_curves(results, compared.row_names, BENCHMARK)

    in_study = _in_study(compared, "success", study.SUCCESS)
    return curves_panel(title, on_cluster, in_study, *_bandits(compared, _bandit_success), marks=marks)


def length(title: str, compared: Compared) -> Builder:
    """Return the panel with the response length of both."""

    def on_cluster(results: Results) -> CurveSet:
        return cluster.metric_curves(results, compared.row_names, cluster.LENGTH, ylabel=study.LENGTH)

    return curves_panel(
        title, on_cluster, _in_study(compared, "length", study.LENGTH), *_bandits(compared, all_lengths)
    )


def all_lengths(results: Results) -> CurveSet:
    """Return the response lengths of GRPO, and of QAE at the K that the study has.

    Raises:
        MissingError: the study has no QAE.
    """
    rules = study.rules_there(results)
    if len(rules) < 2:
        raise MissingError(f"the study has no QAE: {study.COMMAND}")
    shown = study.study_curves(results, rules, "length", ylabel=study.LENGTH)
    return shown._replace(stand_in=f"{shown.stand_in}, at the K that this study has")


def entropy_kept(title: str, compared: Compared) -> Builder:
    """Return the panel with the entropy of DAPO + QAE less that of DAPO, seed by seed.

    Where two bands lie over one another, the difference of runs that share a seed may still have one sign.
    """

    def on_cluster(results: Results) -> CurveSet:
        rows = compared.qae_row_name
        ylabel = "less DAPO's (nats per token)"
        return cluster.metric_curves(results, rows, collected.ENTROPY, ylabel=ylabel, less=compared.row)

    in_study = _less_grpo(compared, "sequence_entropy", "less GRPO's (nats per response)")
    return curves_panel(title, on_cluster, in_study, *_bandits(compared, _bandit_entropy_kept), zero=True)


def success_kept(title: str, compared: Compared) -> Builder:
    """Return the panel with the success of QAE less that of GRPO, seed by seed."""
    in_study = _less_grpo(compared, "pass1", "success, less GRPO's")
    return curves_panel(title, in_study, *_bandits(compared, _bandit_success_kept), zero=True)


def length_kept(title: str, compared: Compared) -> Builder:
    """Return the panel with the response length of QAE less that of GRPO, seed by seed."""

    def on_cluster(results: Results) -> CurveSet:
        rows = compared.qae_row_name
        return cluster.metric_curves(results, rows, cluster.LENGTH, ylabel="tokens, less DAPO's", less=compared.row)

    return curves_panel(title, on_cluster, _less_grpo(compared, "length", "tokens, less GRPO's"), zero=True)


def _bandits(compared: Compared, source: Source) -> tuple[Source, ...]:
    """Return what stands in where there is no study: nothing for the larger model, which only another model can be."""
    return (source,) if compared is MIDDLE else ()


def _rules() -> dict[str, study.Where]:
    """Return GRPO and QAE at the paper's K, with what selects their runs in the study."""
    return {"GRPO": study.grpo(), **_qae()}


def _qae() -> dict[str, study.Where]:
    return {f"QAE, K = {default_k()}": study.at_k(default_k())}


def _in_study(compared: Compared, column: str, ylabel: str) -> Source:
    return lambda results: study.study_curves(results, _rules(), column, ylabel=ylabel, trained=compared.small)


def _less_grpo(compared: Compared, column: str, ylabel: str) -> Source:
    return lambda results: study.study_curves(
        results, _qae(), column, ylabel=ylabel, trained=compared.small, less=study.grpo()
    )


def _bandit_entropy(results: Results) -> CurveSet:
    """Return entropy from `sign-split`, the experiment that trains both rules under the paper's optimiser."""
    rules = {"GRPO": {"rule": "grpo"}, f"QAE, K = {default_k()}": {"rule": "qae"}}
    return bandit.bandit_curves(results, "sign-split", rules, columns="sequence_entropy", ylabel=bandit.ENTROPY)


def _bandit_entropy_kept(results: Results) -> CurveSet:
    """Return the same, QAE's less GRPO's."""
    rules, less, ylabel = {f"QAE, K = {default_k()}": {"rule": "qae"}}, {"rule": "grpo"}, f"less GRPO's {UNIT}"
    return bandit.bandit_curves(results, "sign-split", rules, columns="sequence_entropy", ylabel=ylabel, less=less)


def _bandit_success(results: Results) -> CurveSet:
    """Return success from `sparsity`, which trains both rules on several distributions of difficulty."""
    rules = {"GRPO": {"k": "grpo"}, f"QAE, K = {default_k()}": {"k": default_k()}}
    return bandit.bandit_curves(results, "sparsity", rules, columns="success", ylabel=bandit.SUCCESS)


def _bandit_success_kept(results: Results) -> CurveSet:
    """Return the same, QAE's less GRPO's."""
    rules, less = {f"QAE, K = {default_k()}": {"k": default_k()}}, {"k": "grpo"}
    return bandit.bandit_curves(results, "sparsity", rules, columns="success", ylabel="success, less GRPO's", less=less)
