"""Write the study's report: every figure in it is computed from the tables, none is typed.

``write_report`` puts beside it the JSON files that the report's tables are cut from: ``summary``, ``lines``,
``ladder``, ``bounds``, ``terms``, ``contrasts``, ``ordering``, ``places`` and ``sensitivity``. How each section reads
is in ``sections``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llm_validation.common.tables import Table, select
from llm_validation.study import sections
from llm_validation.study.analysis.adam_contrast import k_contrasts
from llm_validation.study.analysis.bounds import bounds
from llm_validation.study.analysis.curve_lines import TUNED, Lines
from llm_validation.study.analysis.ladder import groups, ladder, rung_rows
from llm_validation.study.analysis.lines import study_lines
from llm_validation.study.analysis.ordering import ordering
from llm_validation.study.analysis.places import COLLAPSED, DESTROYED, EXPLODED, boundaries, map_contrasts, map_places
from llm_validation.study.analysis.robust import fresh, how, robust
from llm_validation.study.analysis.sensitivity import sensitivity
from llm_validation.study.analysis.summary import summary
from llm_validation.study.analysis.terms import chain_records
from llm_validation.study.figures import CAPTIONS, draw_all
from qae_theory.curves.rungs import RUNGS
from qae_theory.runs.files import to_json
from qae_theory.runs.plain import eight_digits

REPORT = "report.md"
Record = dict[str, Any]


class Found(NamedTuple):
    """Hold all statistics of a study; a JSON file has each field's name."""

    lines: Lines
    summary: Record
    ladder: Record
    bounds: list[Record]
    terms: list[Record]
    contrasts: list[Record]
    ordering: list[Record]
    places: Record
    sensitivity: list[Record]


def write_report(
    folder: Path, tables: Mapping[str, Table], config: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    """Compute all statistics and write the report, its JSON files and its figures.

    Args:
        folder: where the files are written; it exists.
        tables: ``probes``, ``runs`` and ``follow``.
        config: the study's identity: its ``preset`` and ``settings``.
        facts: ``run_id``; ``missing``, the parts that are not finished; ``models``, for each substrate; ``speed``
            records.

    Raises:
        ValueError: a column is missing.
    """
    found = computed(tables, facts["models"])
    for name, content in found._asdict().items():
        kept = {"lines": [line.record() for line in content.lines], "out": content.out} if name == "lines" else content
        (folder / f"{name}.json").write_text(to_json(eight_digits(kept)), encoding="utf-8")
    note = f"{config['preset']} size, run {facts['run_id']}"
    drawn = draw_all(folder, tables, found.bounds, found.places["places"], run_id=facts["run_id"], note=note)
    text = "\n".join(_lines(tables, found, drawn, config, facts))
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")


def computed(tables: Mapping[str, Table], models: Mapping[str, Mapping[str, Any]]) -> Found:
    """Return all statistics of a study's tables.

    Args:
        tables: ``probes``, ``runs`` and ``follow``.
        models: the facts of each substrate's model.
    """
    probes, runs, follow = (tables[name] for name in ("probes", "runs", "follow"))
    lines = study_lines(tables)
    places = map_places(runs, follow)
    edges: list[Record] = []
    for name in (COLLAPSED, EXPLODED, DESTROYED):
        edges += boundaries(places, name)
    shown_orders = []
    for record in ordering(probes, how()):
        # The report shows pooled pairs, and mixed groups alone: the others are in no rate.
        if record["other"] in ("any", "grpo") and record["groups"] == "mixed":
            shown_orders.append(record)
    return Found(
        lines=lines,
        summary=summary(tables, models, lines.lines),
        ladder=ladder_records(probes),
        bounds=bounds(probes, how()),
        terms=chain_records(probes, how()),
        contrasts=k_contrasts(probes, how()),
        ordering=shown_orders,
        places={
            "places": places,
            "contrasts": map_contrasts(runs, follow, one=TUNED, other="grpo"),
            "boundaries": edges,
        },
        sensitivity=sensitivity(tables, lines.lines),
    )


def ladder_records(probes: Table) -> Record:
    """Return every rung's statistics by substrate and setting, sums and robust ones together.

    ``plain`` are the arms with r - b, ``standardised`` those that divide by the standard deviation as well.
    """
    sums = ladder(probes, how())
    by_arms: Record = {"level": sums["level"], "floor": sums["floor"], "plain": {}, "standardised": {}}
    for substrate, setting, group in groups(probes):
        for arms, scaled in (("plain", False), ("standardised", True)):
            rows = select(group, scaled=scaled)
            if not len(rows["change"]):
                continue
            by_rung = by_arms[arms].setdefault(substrate, {}).setdefault(setting, {})
            for rung in RUNGS:
                by_rung[rung] = {**sums[arms][substrate][setting][rung], **robust(rung_rows(rows, rung), fresh())}
    return by_arms


def _lines(
    tables: Mapping[str, Table],
    found: Found,
    drawn: list[str],
    config: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Iterator[str]:
    """Yield the lines of the report, section by section."""
    yield from sections.what_was_run(tables, found.summary, config, facts)
    yield from sections.outcomes(found.lines)
    for name in drawn:
        yield from (f"![{CAPTIONS[name]}]({name}.png)", "", f"*{CAPTIONS[name]}* [PDF]({name}.pdf)", "")
    yield from sections.lines(found.lines)
    yield from sections.ladder(found.ladder)
    yield from sections.bounds(found.bounds)
    yield from sections.terms(found.terms)
    yield from sections.contrasts(found.contrasts)
    yield from sections.ordering(found.ordering)
    yield from sections.places(found.places)
    yield from sections.sensitivity(found.sensitivity)
    yield from sections.speed(facts.get("speed", []))
    yield from ("## Configuration", "", "```json", json.dumps(config, indent=1, ensure_ascii=False), "```")
