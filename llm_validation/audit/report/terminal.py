"""Print the report on a terminal: at most 40 lines, the gravest findings first, and what was not checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any, NamedTuple

from llm_validation.audit.checks.advantages.estimator_mismatch import shown
from llm_validation.audit.estimator.identify import identify
from llm_validation.audit.findings.finding import percent
from llm_validation.audit.report.remedies import remedies
from llm_validation.audit.report.report import Report, group_facts, step_facts, zero_share

MOST_LINES = 40
_MOST_FINDINGS = 12
_MOST_UNCHECKED = 6
_MOST_REFUSED = 4
_MARKS = {"critical": "!!", "warning": " !", "info": "  "}
_INDENT = "     "
_MORE = "... (--json has everything)"


class _Layout(NamedTuple):
    """Say how much room each paragraph gets, and whether remedies are shown."""

    most_lines: int | None
    remedies: bool


# From the most generous on: the first that fits into ``MOST_LINES`` is taken.
_LAYOUTS = (_Layout(None, True), _Layout(None, False), _Layout(3, False), _Layout(2, False), _Layout(1, False))


def lines(report: Report, comparison: Mapping[str, Any] | None = None, width: int = 100) -> list[str]:
    """Return the lines of the report, broken at the width; what does not fit into 40 lines is cut and said to be."""
    found: list[str] = []
    for layout in _LAYOUTS:
        found = [
            line
            for paragraph in _paragraphs(report, comparison, layout)
            for line in _broken(paragraph, width, layout.most_lines)
        ]
        if len(found) <= MOST_LINES:
            return found
    return [*found[: MOST_LINES - 1], _MORE[:width]]


def _paragraphs(report: Report, comparison: Mapping[str, Any] | None, layout: _Layout) -> Iterator[str]:
    yield from _facts(report)
    yield from _refused(report)
    yield from _findings(report, layout)
    yield from _compared(comparison)
    yield from _unchecked(report)


def _broken(paragraph: str, width: int, most: int | None) -> list[str]:
    """Return the lines of a paragraph; dots stand at the end of one that has more than it is given."""
    if len(paragraph) <= width:
        return [paragraph]
    parts = wrap(paragraph, max(width, 20), subsequent_indent=_INDENT, drop_whitespace=True)
    if most is None or len(parts) <= most:
        return parts
    last = parts[most - 1][: max(width, 20) - 3]
    return [*parts[: most - 1], f"{last}..."]


def _facts(report: Report) -> Iterator[str]:
    log = report.log
    used = Counter(source.format for source in log.sources if source.used)
    others = sum(not source.used for source in log.sources)
    read = ", ".join(f"{count} {name}" for name, count in used.items()) or "nothing"
    yield f"read: {read}" + (f" ({others} other files not used)" if others else "")
    steps = step_facts(log)
    if steps["count"]:
        yield f"steps: {steps['first']} to {steps['last']}, {steps['count']} of them; level: {log.level}"
    elif log.level is not None:
        yield f"level: {log.level}"
    groups = group_facts(log)
    if groups is not None and groups["count"]:
        yield _groups(groups)
    zero = zero_share(log)
    if zero is not None:
        yield f"responses without an advantage: {percent(zero[0])} ({zero[1]})"
    found = identify(log)
    if found is not None and found.fits:
        others = len(found.members) - 1
        told = f", or {others} others that these numbers cannot tell from it" if others else ""
        yield f"advantages: {shown(found.members[0])}{told} (largest deviation {found.deviation:.1g})"
    yield from (f"note: {note}" for note in log.notes[:3])


def _groups(groups: dict[str, object]) -> str:
    size = "different sizes" if groups["size"] is None else f"{groups['size']} responses each"
    known = groups["mixed"] is not None
    split = (
        f": {groups['all_wrong']} all wrong, {groups['mixed']} mixed, {groups['all_right']} all right"
        if known
        else "; which responses are right is not known"
    )
    return f"groups: {groups['count']}, {size} (by {groups['identity']}){split}"


def _refused(report: Report) -> Iterator[str]:
    refusals = report.log.refusals
    for refusal in refusals[:_MOST_REFUSED]:
        sizes = ", ".join(f"{count} of {size}" for size, count in list(refusal.sizes.items())[:6])
        said = refusal.reason.splitlines()[0]
        yield f"REFUSED {refusal.path}: {said}" + (f" [sizes found: {sizes}]" if sizes else "")
    if len(refusals) > _MOST_REFUSED:
        yield f"and {len(refusals) - _MOST_REFUSED} more refused"


def _findings(report: Report, layout: _Layout) -> Iterator[str]:
    if not report.findings and report.checked and report.log.level is not None:
        yield f"no finding in the {report.checked} checks that could run"
    for finding in report.findings[:_MOST_FINDINGS]:
        yield f"{_MARKS[finding.severity]} {finding.severity}: {finding.id}: {finding.says}"
        tries = [_try(finding.id)] if layout.remedies else []
        yield from (one for one in tries if one)
    if len(report.findings) > _MOST_FINDINGS:
        yield f"and {len(report.findings) - _MOST_FINDINGS} findings more"


def _try(finding: str) -> str:
    """Return what the threads settled on, with what the ledger says of it; empty where there is nothing to try."""
    told = "; ".join(remedy.shown for remedy in remedies(finding))
    return f"{_INDENT}try: {told}" if told else ""


def _compared(comparison: Mapping[str, Any] | None) -> Iterator[str]:
    """Say what entropy the two runs have left at the highest success that both reach."""
    if comparison is None:
        return
    if not comparison["at_success"]:
        yield "compared: no level of success that both runs reach with entropy logged"
        return
    last = comparison["at_success"][-1]
    one, other = last["entropy"]
    yield (
        f"compared at success {last['success']:.3g}: entropy {one:.3g} at step {last['steps'][0]}, in the other run "
        f"{other:.3g} at step {last['steps'][1]}"
    )


def _unchecked(report: Report) -> Iterator[str]:
    """Say what could not be checked; where the logs hold nothing at all, no more than that."""
    if report.log.level is None:
        yield "nothing could be checked: no format of logs that is known here was read"
        return
    if not report.checked:
        yield "nothing could be checked"
    by_need: dict[str, list[str]] = {}
    for one in report.unchecked:
        by_need.setdefault(one.needs, []).append(one.check)
    for needs, names in list(by_need.items())[:_MOST_UNCHECKED]:
        yield f"not checked, needs {needs}: {', '.join(names)}"
    if len(by_need) > _MOST_UNCHECKED:
        yield f"and {len(by_need) - _MOST_UNCHECKED} reasons more"
