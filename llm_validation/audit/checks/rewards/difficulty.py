"""Find data that is too hard or too easy: most groups are all wrong, or all right.

The share of such groups is compared with one half, over all steps, by an exact one-sided binomial test.
"""

from __future__ import annotations

from collections.abc import Callable

from llm_validation.audit.findings.finding import ERROR_RATE, Check, Finding, correctness_lacking, percent
from llm_validation.audit.findings.intervals import exceeds, pooled
from llm_validation.audit.model.log import Log

MOST = 0.5
NEARLY_ALL = 0.8


def _finder(finding: str, kind: str, word: str, changes_if: str) -> Callable[[Log], list[Finding]]:
    def run(log: Log) -> list[Finding]:
        """Return a finding where more than half of the groups are of this kind."""
        main = log.main
        if main is None or main.groups.usual_size == 1:
            return []
        groups = main.groups
        count, total = int(getattr(groups, kind).sum()), int(groups.judged.sum())
        if not exceeds(count, total, MOST, ERROR_RATE):
            return []
        share = pooled(count, total)
        nearly_all = exceeds(count, total, NEARLY_ALL, ERROR_RATE)
        return [
            Finding(
                finding,
                "critical" if nearly_all else "warning",
                f"{percent(share.value)} of {total} groups are {word} (95 % interval {percent(share.low)} to "
                f"{percent(share.high)}): nothing is learned there",
                changes_if,
                share.record(),
                ("neutrality", "sparsity-formula"),
                ERROR_RATE,
            )
        ]

    return run


TOO_HARD = Check(
    "data-too-hard",
    ("data-too-hard",),
    correctness_lacking,
    _finder(
        "data-too-hard",
        "all_wrong",
        "all wrong",
        "easier questions, larger groups, or a verifier that accepts more",
    ),
)
TOO_EASY = Check(
    "data-too-easy",
    ("data-too-easy",),
    correctness_lacking,
    _finder("data-too-easy", "all_right", "all right", "harder questions, or those that are solved left out"),
)
