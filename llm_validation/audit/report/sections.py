"""Say what a written report holds, in order; HTML and Markdown say how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llm_validation.audit.checks.advantages.estimator_mismatch import shown
from llm_validation.audit.estimator.identify import identify
from llm_validation.audit.facts import by_k, components, entropy, mass
from llm_validation.audit.findings.finding import Finding, percent
from llm_validation.audit.report.remedies import remedies
from llm_validation.audit.report.report import Report, group_facts, step_facts, zero_share
from llm_validation.audit.report.verdicts import NOT_RUN, verdicts

MOST_SOURCES = 60


@dataclass(frozen=True)
class Section:
    """Hold a heading with paragraphs, a list, and a table."""

    title: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def sections(report: Report, comparison: dict[str, Any] | None = None) -> list[Section]:
    """Return the sections for which there is something to say."""
    found = [_summary(report), *_findings(report), *_by_k(report), *_mass(report)]
    found += [*_components(report), *_entropy(report)]
    found += [] if comparison is None else _comparison(comparison)
    return [*found, _unchecked(report), *_refused(report), _sources(report)]


def _summary(report: Report) -> Section:
    log, items = report.log, list[str]()
    steps, groups, zero = step_facts(log), group_facts(log), zero_share(log)
    items.append(f"level reached: {log.level or 'nothing was recognised'}")
    if steps["count"]:
        items.append(f"steps {steps['first']} to {steps['last']}, {steps['count']} of them")
    if groups is not None and groups["count"]:
        size = "of different sizes" if groups["size"] is None else f"of {groups['size']} responses"
        split = (
            "which responses are right is not known"
            if groups["mixed"] is None
            else f"{groups['all_wrong']} all wrong, {groups['mixed']} mixed, {groups['all_right']} all right"
        )
        items.append(f"{groups['count']} groups {size}, told apart by {groups['identity']}: {split}")
    if zero is not None:
        items.append(f"{percent(zero[0])} of the responses have no advantage ({zero[1]})")
    known = identify(log)
    if known is not None and known.fits:
        others = len(known.members) - 1
        told = f"; {others} other candidates cannot be told from it" if others else ""
        deviation = f"the largest deviation is {known.deviation:.2g}"
        items.append(f"the advantages are those of {shown(known.members[0])}{told}; {deviation}")
    settings = ", ".join(f"{name} = {value}" for name, value in log.settings.known().items())
    items += [f"settings of the run: {settings}"] if settings else []
    return Section("Summary", items=[*items, *log.notes])


def _findings(report: Report) -> Iterator[Section]:
    if not report.findings:
        said = f"None in the {report.checked} checks that could run." if report.checked else "Nothing could be checked."
        yield Section("Findings", [said])
    for finding in report.findings:
        yield Section(f"{finding.severity}: {finding.id}", _paragraphs(finding), list(_tries(finding)))


def _paragraphs(finding: Finding) -> list[str]:
    rate = "exact counts" if finding.error_rate is None else f"error rate {finding.error_rate:g}, fixed beforehand"
    known = verdicts()
    claims = ", ".join(f"{claim} ({known.get(claim, NOT_RUN)})" for claim in finding.claims)
    rests = f" It rests on {claims}." if claims else ""
    return [f"{finding.says[:1].upper()}{finding.says[1:]}.", f"Changes if: {finding.changes_if}. ({rate}.){rests}"]


def _tries(finding: Finding) -> Iterator[str]:
    for remedy in remedies(finding.id):
        yield f"what to try: {remedy.shown}"


def _by_k(report: Report) -> Iterator[Section]:
    rows = by_k.table(report.log)
    if not rows:
        return
    names = ("zero", "positive", "negative", "hard", "leaks")
    lines = []
    for row in rows:
        rule = row["estimator"] if row["k"] is None else f"qae, K = {row['k']}"
        lines.append([rule, *(_share(row[name]) for name in names), f"{row['gain']:.3f}"])
    text = (
        "Exact shares for the groups of this run; the gain w(p, G) with each group's success rate as "
        "(m + 1/2)/(G + 1). No oracle: another K changes which questions the run will see."
    )
    yield Section("What K would change", [text], head=["rule", *names, "gain"], rows=lines)


def _mass(report: Report) -> Iterator[Section]:
    found = mass.table(report.log)
    if found is None:
        return
    items = [f"positive {percent(found['positive'])}, negative {percent(found['negative'])} ({found['advantages']})"]
    if "truncated" in found:
        items.append(f"on cut-off responses {percent(found['truncated'])}")
    rows = []
    for row in found["by_length"]:
        rows.append([row["quarter"], f"{row['mean_tokens']:.0f}", _share(row["positive"]), _share(row["negative"])])
    yield Section("The advantages' mass", items=items, head=["responses", "tokens", "positive", "negative"], rows=rows)


def _components(report: Report) -> Iterator[Section]:
    found = components.table(report.log)
    if len(found) < 2:
        return
    rows = []
    for row in found:
        mean = "" if row["mean"] is None else f"{row['mean']:.3g}"
        share = "" if row["within_share"] is None else f"{row['within_share']:.0%}"
        rows.append([row["component"], mean, _share(row["tells"]), share])
    text = "What each reward function contributes within groups, where the advantages come from."
    head = ["function", "mean", "groups it tells apart", "share of the spread"]
    yield Section("Reward functions", [text], head=head, rows=rows)


def _entropy(report: Report) -> Iterator[Section]:
    found = entropy.table(report.log)
    if found is None:
        return
    rows = [[name, f"{value:.4g}" if isinstance(value, float) else str(value)] for name, value in found.items()]
    text = "Changes in nats a token, from sums over the tokens before and after the update."
    yield Section("What entropy did in the updates", [text], head=["", "value"], rows=rows)


def _comparison(found: dict[str, Any]) -> list[Section]:
    rows = [
        [f"{row['success']:.3f}", *map(str, row["steps"]), *(f"{value:.4g}" for value in row["entropy"])]
        for row in found["at_success"]
    ]
    differing = found["findings"]
    per = ["unknown" if value is None else f"{value:.4g}" for value in found["entropy_per_success"]]
    items = [f"entropy lost per success gained: {per[0]} and {per[1]}"]
    items += [f"findings of {name.replace('_', ' ')}: {', '.join(ids) or 'none'}" for name, ids in differing.items()]
    text = "Entropy where each run first reaches a level of success." if rows else "No level that both reach."
    head = ["success", "step, first", "step, second", "entropy, first", "entropy, second"]
    return [Section("Two runs at equal success", [text], items, head if rows else (), rows)]


def _unchecked(report: Report) -> Section:
    rows = [[one.check, one.needs] for one in report.unchecked]
    said = [] if rows else ["Every check could run."]
    return Section("What was not checked", said, head=["check", "needs"], rows=rows)


def _refused(report: Report) -> Iterator[Section]:
    rows = [[str(one.path), one.reason, _sizes(one.sizes)] for one in report.log.refusals]
    if rows:
        yield Section("What was refused", head=["path", "reason", "sizes found"], rows=rows)


def _sizes(sizes: Any) -> str:
    return ", ".join(f"{count} of {size}" for size, count in sizes.items())


def _sources(report: Report) -> Section:
    sources = report.log.sources
    rows = [[str(one.path), one.format, str(one.rows), str(one.used), one.note or ""] for one in sources[:MOST_SOURCES]]
    more = [f"and {len(sources) - MOST_SOURCES} files more"] if len(sources) > MOST_SOURCES else []
    return Section("Files", more, head=["path", "format", "rows", "used", "note"], rows=rows)


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)
