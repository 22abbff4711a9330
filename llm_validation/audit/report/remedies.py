"""Name what the field's threads settled on for each diagnosis, and what the ledger says of it; no oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llm_validation.audit.report.verdicts import NOT_RUN, verdicts


class Remedy(NamedTuple):
    """Name something to try, where it comes from, and the claim that speaks of it, if one does."""

    what: str
    source: str
    claim: str | None = None

    @property
    def ledger(self) -> str | None:
        """Return the verdict of the claim; None where no claim speaks of the remedy."""
        return verdicts().get(self.claim, NOT_RUN) if self.claim else None

    @property
    def shown(self) -> str:
        """Return the remedy as a sentence: what to do, where that comes from, and what the ledger says of it."""
        ledger = f"{self.claim} {self.ledger}" if self.claim else "no claim"
        return f"{self.what} [{self.source}; ledger: {ledger}]"

    def record(self) -> dict[str, str | None]:
        """Return it in JSON's types, with the claim's verdict."""
        return {**self._asdict(), "ledger": self.ledger}


def remedies(finding: str) -> Sequence[Remedy]:
    """Return what to try against a finding; empty where there is nothing to try."""
    return _REMEDIES.get(finding, ())


_REMEDIES: dict[str, Sequence[Remedy]] = {
    "uniform-groups": (
        Remedy("filter or resample uniform groups (dynamic sampling)", "arXiv 2503.14476; verl 953", "neutrality"),
        Remedy("a larger group: fewer are uniform at the same success rate", "DAPO 22", "neutrality"),
    ),
    "data-too-hard": (
        Remedy("leave out questions that a first pass never solves", "verl 953; DAPO 22"),
        Remedy("see whether the verifier scores 0 silently", "verl 5635; verl 5839"),
    ),
    "data-too-easy": (Remedy("leave out questions that a first pass always solves", "DAPO 22"),),
    "phantom-gradient": (
        Remedy("filter groups by acc instead of score", "verl-recipe PR 125"),
        Remedy("apply the overlong penalty to mixed groups only", "verl-recipe PR 125"),
    ),
    "phantom-advantage": (
        Remedy("set the advantage of a group with max == min to 0", "NeMo-RL 4158"),
        Remedy("divide by the group's own standard deviation, not the batch's", "trl 3857; ms-swift 4570"),
    ),
    "gate-leak": (
        Remedy("use the order statistic (estimator qae)", "arXiv 2509.22611, Eq. 3", "eq4-released-code-if"),
    ),
    "groups-of-one": (Remedy("give the responses to one prompt one id", "rllm PR 776"),),
    "advantage-equals-reward": (Remedy("see that the group's id reaches the estimator", "rllm PR 776"),),
    "estimator-mismatch": (
        Remedy(
            "assert that the estimator is registered when the job starts",
            "verl 0.9.1, whose plug-in loader passes over errors",
        ),
        Remedy("look at scale_rewards: batch is not group", "trl 3857; ms-swift 4570"),
    ),
    "clip-inert": (
        Remedy("more updates a batch: 16 make epsilon matter", "verl 791; DAPO 23; trl 3120", "clip-sides"),
    ),
    "entropy-bonus-on": (Remedy("set entropy_coeff to 0", "verl PR 781"),),
    "truncation-mass": (
        Remedy("a longer response limit, or mask cut-off responses", "verl 2738"),
        Remedy("a soft overlong penalty", "arXiv 2503.14476"),
    ),
    "logp-mismatch": (
        Remedy("the same temperature and top-p for sampling and for log-probabilities", "trl 4159; trl 6789"),
        Remedy("a truncated importance correction", "trl 4159"),
    ),
    "entropy-metric": (Remedy("recompute the entropy over all tokens that count", "JustRL 5; verl 3986"),),
    "onset-collapse": (
        Remedy("clip-higher", "arXiv 2503.14476", "clip-sides"),
        Remedy("a larger K on hard data", "arXiv 2509.22611, Fig. 9", "shape-entropy-rises-with-k"),
    ),
    "onset-explosion": (
        Remedy("a lower clip range or fewer updates a batch", "verl 1066; verl 2738", "clip-sides"),
        Remedy("a smaller K on easy data", "arXiv 2509.22611, Fig. 9", "shape-entropy-rises-with-k"),
    ),
    "single-sign-mass": (Remedy("a K with 1 - K near the success rate of the data", "arXiv 2509.22611", "k-shares"),),
    "reward-component-dead": (Remedy("see what the function returns on a few responses", "verl 5635"),),
}
