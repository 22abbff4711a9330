"""The report as one self-contained HTML page: pictures are in it, and it loads nothing from anywhere.

Style sheet and layout of claims are the ledger's own. The table is filtered by the style sheet alone.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from paper_figures.report.commands import Made, of_claim
from paper_figures.report.content import SET_UP, TITLE, WHAT_IT_IS, Content
from paper_figures.report.entries import Line
from paper_figures.report.limits import Limit
from paper_figures.report.pictures import Picture
from qae_theory.claims import report
from qae_theory.claims.model import Outcome, Status, StepOutcome, Verdict
from qae_theory.claims.readme import strongest_evidence
from qae_theory.claims.text import HtmlText

OURS, LEDGERS = "paper_figures.report", "qae_theory.claims"
REJECTED = "Each step held, and its planted falsehood was rejected by the step's own test."


def render(content: Content) -> tuple[str, list[str]]:
    """The page, and the formulas that could not be turned into MathML."""
    text = HtmlText()
    sections = report.by_section(content.entries)
    lines = {line.entry.claim.id: line for line in content.lines}
    pictured = {picture.name for picture in content.pictures}
    page = _template(OURS, "page.html").substitute(
        title=escape(TITLE),
        style=_read(LEDGERS, "style.css") + _read(OURS, "report.css") + _filter_rules(content.lines),
        what="".join(f"<p>{escape(sentence)}</p>" for sentence in WHAT_IT_IS),
        tally="".join(_tally(content)),
        run=escape(f"{len(lines)} claims, {len(content.pictures)} figures and tables. Ledger: {content.ledger}."),
        contents=_contents(sections),
        introduction=escape(report.INTRODUCTION),
        verdicts="".join(_meaning(_badge(verdict), words) for verdict, words in report.VERDICT_MEANING.items()),
        kinds="".join(_meaning(escape(kind.value), words) for kind, words in report.KIND_MEANING.items()),
        filters=_filters(content.lines),
        summary="".join(_summary_row(line, text) for line in content.lines),
        figure_list="".join(f'<li><a href="#{_id(one)}">{escape(one.title)}</a></li>' for one in content.pictures),
        figures="".join(_picture(one, content.commands_for(one), text) for one in content.pictures),
        limits="".join(_limit(one, text) for one in content.limits),
        reproduce=_reproduce(content.made, text),
        sections="".join(
            _section(name, [lines[entry.claim.id] for entry in entries], pictured, text)
            for name, entries in sections.items()
        ),
    )
    return page, text.fallbacks


def _read(package: str, name: str) -> str:
    return (files(package) / "templates" / name).read_text(encoding="utf-8")


def _template(package: str, name: str) -> Template:
    return Template(_read(package, name))


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _id(picture: Picture) -> str:
    return f"picture-{_slug(picture.name)}"


def _badge(verdict: Verdict) -> str:
    return f'<span class="badge {_slug(verdict.name)}">{verdict.value}</span>'


def _meaning(word: str, words: str) -> str:
    return f"<dt>{word}</dt><dd>{escape(words)}</dd>"


def _tally(content: Content) -> Iterable[str]:
    for verdict, number in report.counts(content.entries).items():
        yield f"<li><b>{number}</b> {_badge(verdict)}</li>"


def _contents(sections: Mapping[str, object]) -> str:
    own = {
        "ledger": "The ledger",
        "figures": "Figures and tables",
        "limits": "Limits",
        "reproduce": "How to make every line again",
    }
    evidence = {f"section-{_slug(name)}": f"Evidence: {name}" for name in sections}
    return "".join(f'<li><a href="#{anchor}">{escape(name)}</a></li>' for anchor, name in {**own, **evidence}.items())


# The ledger's table and its filter


def _groups(lines: Sequence[Line]) -> dict[str, dict[str, str]]:
    """By filter: class of a row, and what it is called, for every value that occurs."""
    verdicts = report.counts([line.entry for line in lines])
    updates = dict.fromkeys(line.entry.claim.update for line in lines)
    return {
        "verdict": {_verdict_class(verdict): verdict.value for verdict in verdicts},
        "update": {_update_class(update): update.replace("_", " ") for update in updates},
    }


def _verdict_class(verdict: Verdict) -> str:
    return f"is-{_slug(verdict.name)}"


def _update_class(update: str) -> str:
    return f"of-{_slug(update)}"


def _filters(lines: Sequence[Line]) -> str:
    return "".join(
        f"<fieldset><legend>Show by {name}</legend>"
        + _choice(name, f"all-{name}s", "all", checked=True)
        + "".join(_choice(name, value, called) for value, called in values.items())
        + "</fieldset>"
        for name, values in _groups(lines).items()
    )


def _choice(name: str, value: str, called: str, *, checked: bool = False) -> str:
    mark = " checked" if checked else ""
    return f'<label><input type="radio" name="{name}" id="show-{value}"{mark}> {escape(called)}</label>'


def _filter_rules(lines: Sequence[Line]) -> str:
    """Rows of another class than the chosen one are hidden; a line says so where nothing is left."""
    groups = _groups(lines)
    hide = [
        f"body:has(#show-{value}:checked) .summary tbody tr:not(.{value})" for one in groups.values() for value in one
    ]
    there = {(_verdict_class(line.entry.verdict), _update_class(line.entry.claim.update)) for line in lines}
    nothing = [
        f"body:has(#show-{verdict}:checked):has(#show-{update}:checked) .nothing"
        for verdict in groups["verdict"]
        for update in groups["update"]
        if (verdict, update) not in there
    ]
    rules = f"@media screen {{ {', '.join(hide)} {{ display: none; }} }}\n"
    return rules + (f"{', '.join(nothing)} {{ display: block; }}\n" if nothing else "")


def _summary_row(line: Line, text: HtmlText) -> str:
    claim, verdict = line.entry.claim, line.entry.verdict
    assumed = f'<span class="assumption">if {text.inline(claim.assumption)}</span>' if claim.assumption else ""
    return (
        f'<tr class="{_verdict_class(verdict)} {_update_class(claim.update)}">'
        f'<th scope="row"><a href="#claim-{escape(claim.id)}">{escape(claim.id)}</a></th>'
        f"<td>{text.inline(claim.title)}{assumed}</td><td>{escape(claim.update)}</td><td>{_badge(verdict)}</td>"
        f"<td>{escape(strongest_evidence(line.record))}</td></tr>"
    )


# Figures


def _picture(picture: Picture, commands: Sequence[str], text: HtmlText) -> str:
    width, height = picture.size
    name = f"{_id(picture)}-name"
    image = (
        f'<img src="data:image/png;base64,{b64encode(picture.png).decode()}" width="{width}" height="{height}"'
        f' style="--width: {width}" alt="{escape(picture.alt)}" decoding="async">'
    )
    return (
        f'<div class="picture" id="{_id(picture)}"><h3 id="{name}">{escape(picture.title)}</h3><figure>'
        f'<div class="scroll plot" tabindex="0" role="region" aria-labelledby="{name}">{image}</div>'
        f"<figcaption>{_values(picture, name)}<dl>{''.join(_panel(panel, text) for panel in picture.panels)}</dl>"
        f"{_commands(commands)}</figcaption></figure></div>"
    )


def _panel(panel: Mapping[str, str | None], text: HtmlText) -> str:
    missing = f'<span class="missing">{text.plain(str(panel["source"]))}</span>'
    source = missing if panel["missing"] else text.plain(str(panel["source"]))
    return (
        f"<dt>{text.plain(str(panel['title']))}</dt><dd>{text.plain(str(panel['says']))}</dd>"
        f'<dd class="source">Source: {source}</dd>'
    )


def _values(picture: Picture, name: str) -> str:
    """A table's figures as text."""
    if not picture.table:
        return ""
    head, *rows = picture.table
    cells = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    table = f"<table><thead><tr>{columns}</tr></thead><tbody>{cells}</tbody></table>"
    return (
        '<details class="values"><summary>The values as text</summary>'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}">{table}</div></details>'
    )


def _commands(commands: Iterable[str]) -> str:
    return f'<ul class="commands">{"".join(f"<li><code>{escape(one)}</code></li>" for one in commands)}</ul>'


# Limits and commands


def _limit(limit: Limit, text: HtmlText) -> str:
    items = "".join(f"<li>{text.plain(item)}</li>" for item in limit.items)
    listed = f"<ul>{items}</ul>" if items else ""
    return f'<div class="limit"><h3>{escape(limit.title)}</h3><p>{text.plain(limit.says)}</p>{listed}</div>'


def _reproduce(made: Sequence[Made], text: HtmlText) -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(command)}</code></th><td>{text.plain(words)}</td></tr>'
        for command, words in SET_UP
    )
    head = '<thead><tr><th scope="col">Command</th><th scope="col">What it makes</th></tr></thead>'
    everything = f'<h3 id="everything">Everything</h3>{_box("setup", "everything", head + f"<tbody>{rows}</tbody>")}'
    return everything + (_runs(made) if made else "")


def _runs(made: Sequence[Made]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(one.command)}</code></th><td>{escape(_sizes(one))}</td>'
        f"<td>{escape(one.commit)}</td><td>{escape(', '.join(run.id for run in one.runs))}</td></tr>"
        for one in made
    )
    columns = "".join(f'<th scope="col">{name}</th>' for name in ("Command", "Size", "Commit", "Runs"))
    table = _box("runs", "runs", f"<thead><tr>{columns}</tr></thead><tbody>{rows}</tbody>")
    return f'<h3 id="runs">The runs behind the figures</h3>{table}'


def _sizes(made: Made) -> str:
    return ", ".join(sorted({run.size for run in made.runs}))


def _box(kind: str, name: str, rows: str) -> str:
    return f'<div class="scroll {kind}" tabindex="0" role="region" aria-labelledby="{name}"><table>{rows}</table></div>'


# Claims


def _section(name: str, lines: Sequence[Line], pictured: Iterable[str], text: HtmlText) -> str:
    slug = f"section-{_slug(name)}"
    claims = "".join(_claim(line, pictured, text) for line in lines)
    return f'<section aria-labelledby="{slug}"><h2 id="{slug}">Evidence: {escape(name)}</h2>{claims}</section>'


def _claim(line: Line, pictured: Iterable[str], text: HtmlText) -> str:
    entry, claim = line.entry, line.entry.claim
    again = f"<h4>Make it again</h4>{_commands(of_claim(entry))}"
    return _template(LEDGERS, "claim.html").substitute(
        id=escape(claim.id),
        title=text.inline(claim.title),
        badge=_badge(entry.verdict),
        statement=text.block(claim.statement),
        update=escape(claim.update),
        source=text.inline(claim.source) + _seen(claim.id, pictured),
        assumption=_labelled("Assumption", claim.assumption, text),
        reason=text.plain(line.reason),
        note="".join(f'<p class="doubt">{text.plain(doubt)}.</p>' for doubt in line.doubts)
        + _labelled("Note", claim.note, text),
        witness=_witness(line.record["witness"], text),
        evidence="".join(_evidence(outcome, text) for outcome in entry.outcomes) + again,
    )


def _seen(claim: str, pictured: Iterable[str]) -> str:
    """A link to the picture that a claim about a figure or table is named after."""
    name = claim.replace("-", "_")
    return f' · <a href="#picture-{escape(claim)}">see it drawn</a>' if name in pictured else ""


def _labelled(label: str, words: str | None, text: HtmlText) -> str:
    return "" if words is None else f"<h4>{label}</h4>{text.block(words)}"


def _witness(witness: Mapping[str, str] | None, text: HtmlText) -> str:
    if not witness:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{text.plain(key)}</th><td>{text.plain(value)}</td></tr>' for key, value in witness.items()
    )
    head = '<thead><tr><th scope="col">Quantity</th><th scope="col">Value</th></tr></thead>'
    return (
        f'<h4>Worked example</h4><div class="scroll"><table class="witness">{head}<tbody>{rows}</tbody></table></div>'
    )


def _evidence(outcome: Outcome, text: HtmlText) -> str:
    number = len(outcome.steps)
    counted = f"{number} step{'' if number == 1 else 's'}, " if number else ""
    steps = "".join(_step(step, text) for step in outcome.steps)
    controls = f'<p class="note">{REJECTED}</p><ol class="steps">{steps}</ol>' if steps else ""
    return _template(LEDGERS, "evidence.html").substitute(
        status=outcome.status.value,
        word=report.STATUS_WORDS[outcome.status],
        open=" open" if outcome.status is Status.BROKEN else "",
        kind=escape(outcome.kind.value),
        role=escape(outcome.role.value),
        name=escape(outcome.name),
        number=counted.removesuffix(", ") or "steps not kept",
        seconds=f"{outcome.seconds:.2f}&nbsp;s",
        where=escape(outcome.where),
        body=f'<p class="text">{text.plain(outcome.detail)}</p>{controls}',
    )


def _step(step: StepOutcome, text: HtmlText) -> str:
    rows = [("Planted falsehood", text.plain(step.planted)), ("Where", f"<code>{escape(step.where)}</code>")]
    if step.citation:
        rows.insert(0, ("Cited lemma", text.inline(step.citation)))
    facts = "".join(f"<div><dt>{label}</dt><dd>{content}</dd></div>" for label, content in rows)
    return f'<li class="held">{text.block(step.says)}<dl class="facts">{facts}</dl></li>'
