"""Entropy, accuracy and response length over steps, of Figures 1, 9, 10 and 11, each from the best source at hand.

A source must have every curve that the panel shows. Response length, which a bandit has not, may come from a study
that lacks the paper's own K.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paper_figures import bandit, cluster, study
from paper_figures.curves import Shown, Source, curves_panel
from paper_figures.panels import Builder
from paper_figures.paper import Mark, default_k, level, spike, steps, table_2, words
from paper_figures.runs import Results
from qae_theory.runs import collected
from qae_theory.runs.stored import MissingError

BENCHMARK = "AIME24"
BASELINE = "Clip-Higher"


class Compared(NamedTuple):
    """DAPO against DAPO + QAE on a model of the paper's: its name, and that of its rows without the ending."""

    model: str
    row: str

    @property
    def rows(self) -> dict[str, str]:
        """Rows of the paper by label."""
        return {"DAPO": self.row, f"DAPO + QAE, K = {default_k()}": f"{self.row}-qae"}

    @property
    def accuracy(self) -> dict[str, float]:
        """What Table 2 has of them, by label."""
        table = table_2()
        found = [
            (label, table.get((self.model, BASELINE + end)))
            for label, end in zip(self.rows, ("", " + QAE"), strict=True)
        ]
        return {label: row[f"{BENCHMARK} pass@1"] for label, row in found if row is not None}


LARGE = Compared("Qwen3-14B-Base", "qwen3-14b-clip-higher")
MIDDLE = Compared("Qwen3-8B-Base", "qwen3-8b-clip-higher")


def entropy(title: str, compared: Compared) -> Builder:
    """Entropy of both, with the paper's spike marked."""

    def marks(shown: Shown) -> Sequence[Mark]:
        if compared is not MIDDLE:
            return ()
        first, last = spike()
        if shown.stand_in is None:
            return (steps(first, last, f"DAPO's entropy spike, steps {first} to {last}"),)
        return (words(f"DAPO spikes at steps {first}-{last}"),)

    def on_cluster(results: Results) -> Shown:
        return cluster.metric_curves(results, compared.rows, collected.ENTROPY, "entropy (nats per token)")

    return curves_panel(title, on_cluster, _small("entropy", study.ENTROPY), _bandit_entropy, marks=marks)


def accuracy(title: str, compared: Compared) -> Builder:
    """Accuracy of both; Table 2's numbers beside a run of that model."""

    def marks(shown: Shown) -> Sequence[Mark]:
        if shown.stand_in is not None:
            return ()
        return tuple(level(value, f"{label}, {value:g} %") for label, value in compared.accuracy.items())

    def on_cluster(results: Results) -> Shown:
        return cluster.accuracy_curves(results, compared.rows, BENCHMARK)

    return curves_panel(title, on_cluster, _small("success", study.SUCCESS), _bandit_success, marks=marks)


def length(title: str, compared: Compared) -> Builder:
    """Response length of both."""

    def on_cluster(results: Results) -> Shown:
        return cluster.metric_curves(results, compared.rows, cluster.LENGTH, study.LENGTH)

    return curves_panel(title, on_cluster, lengths(_rules()), all_lengths)


def lengths(rules: Mapping[str, study.Where]) -> Source:
    """Response lengths of the study's rules."""
    return lambda results: study.length_curves(results, rules)


def all_lengths(results: Results) -> Shown:
    """Response lengths of GRPO and of QAE at the K that the study has."""
    rules = study.rules_there(results)
    if len(rules) < 2:
        raise MissingError(f"the study has no QAE: {study.COMMAND}")
    found = study.length_curves(results, rules)
    return found._replace(stand_in=f"{found.stand_in}, at the K that this study has")


def _rules() -> dict[str, study.Where]:
    return {"GRPO": study.grpo(), f"QAE, K = {default_k()}": study.at_k(default_k())}


def _small(column: str, ylabel: str) -> Source:
    return lambda results: study.study_curves(results, _rules(), column, ylabel)


def _bandit_entropy(results: Results) -> Shown:
    rules = {"GRPO": {"rule": "grpo"}, f"QAE, K = {default_k()}": {"rule": "qae"}}
    return bandit.bandit_curves(results, "sign-split", rules, "sequence_entropy", bandit.ENTROPY)


def _bandit_success(results: Results) -> Shown:
    rules = {"GRPO": {"k": "grpo"}, f"QAE, K = {default_k()}": {"k": default_k()}}
    return bandit.bandit_curves(results, "sparsity", rules, "success", bandit.SUCCESS)
