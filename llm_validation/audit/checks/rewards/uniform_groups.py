"""Count groups that are all right or all wrong: no group-centred rule learns from them.

Pooled over all steps: a median over steps of one group each is 0 or 100 %, and says nothing.
"""

from __future__ import annotations

from llm_validation.audit.findings.finding import ERROR_RATE, Check, Finding, correctness_lacking, percent
from llm_validation.audit.findings.intervals import exceeds, pooled
from llm_validation.audit.model.log import Log

MOST = 0.5  # of groups without a mixture before it is worth a finding
NEARLY_ALL = 0.8


def run(log: Log) -> list[Finding]:
    """Return a finding where more than half of the groups are uniform in correctness."""
    main = log.main
    if main is None:
        return []
    groups = main.groups
    total = int(groups.judged.sum())
    wrong, right = int(groups.all_wrong.sum()), int(groups.all_right.sum())
    if groups.usual_size == 1 or not exceeds(wrong + right, total, MOST, ERROR_RATE):
        return []
    pool = pooled(wrong + right, total)
    mixed = total - wrong - right
    batches = total / mixed if mixed else None
    says = (
        f"{percent(pool.value)} of {total} groups are uniform ({wrong} all wrong, {right} all right; 95 % interval "
        f"{percent(pool.low)} to {percent(pool.high)})"
        + (f"; a full batch of mixed groups takes {batches:.1f} batches" if batches else "; not one group is mixed")
    )
    return [
        Finding(
            "uniform-groups",
            "critical" if exceeds(wrong + right, total, NEARLY_ALL, ERROR_RATE) else "warning",
            says,
            "questions nearer to a success rate of 1/2, larger groups, or dynamic sampling",
            {
                **pool.record(),
                "all_wrong": wrong,
                "all_right": right,
                "mixed": mixed,
                "batches_per_full_batch": batches,
            },
            ("sparsity-formula", "neutrality"),
            ERROR_RATE,
        )
    ]


CHECK = Check("uniform-groups", ("uniform-groups",), correctness_lacking, run)
