"""The study's report: every figure in it is computed from the tables, none is typed.

``write_report`` puts beside it ``ladder.json``, ``ordering.json``, ``contrasts.json`` and ``shapes.json``, with all
that the report's tables are cut from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.common.resampling import shown
from llm_validation.common.tables import Table
from llm_validation.study.analysis.adam_contrast import MEASURES, k_contrasts
from llm_validation.study.analysis.curves import statements as shape_statements
from llm_validation.study.analysis.ladder import RUNGS, STATISTICS, ladder
from llm_validation.study.analysis.ordering import ordering
from llm_validation.study.analysis.pairs import FAVOURABLE
from llm_validation.study.analysis.verdicts import ladder_statements, ordering_statements, resampling
from llm_validation.study.figures import draw_all
from qae_theory.claims.statements import Statement
from qae_theory.runs.files import to_json

REPORT = "report.md"
CAPTIONS = {
    "ladder": "Measured against predicted change, plain arms, in the setting that favours the identity most.",
    "ordering": "How often Prop. 4.2's order holds in that setting, by K, with intervals over probes.",
    "entropy": "Entropy over training: the mean over seeds, with the range of the seeds.",
}


def write_report(
    folder: Path, tables: Mapping[str, Table], config: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    """Compute all statistics and write the report, its JSON files and its figures.

    Args:
        folder: where the files go; it exists.
        tables: ``probes`` and ``runs``.
        config: the study's identity: its ``preset`` and ``settings``.
        facts: ``run_id``, and ``parts``: the run ids of each part by its name.

    Raises:
        ValueError: a column is missing.
    """
    probes, runs = tables["probes"], tables["runs"]
    found: dict[str, Any] = {
        "ladder": ladder(probes, resampling()),
        "ordering": ordering(probes, resampling()),
        "contrasts": k_contrasts(probes, resampling()),
    }
    claims = {
        "ladder-qwen3": ladder_statements(probes),
        "ordering-qwen3": ordering_statements(probes),
        **shape_statements(runs),
    }
    for name, content in (*found.items(), ("shapes", {key: [asdict(one) for one in claims[key]] for key in claims})):
        (folder / f"{name}.json").write_text(to_json(_eight_digits(content)), encoding="utf-8")
    note = f"{config['preset']} size, run {facts['run_id']}"
    drawn = draw_all(folder, probes, runs, found["ordering"], run_id=facts["run_id"], note=note)
    text = "\n".join(_lines(tables, found, claims, drawn, config, facts))
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of a Markdown table.

    >>> markdown_table(["a"], [[1]])
    ['| a |', '| --- |', '| 1 |']
    """
    cells = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in cells]


def _eight_digits(content: Any) -> Any:
    """Floats with eight significant digits, far more than any interval has."""
    return json.loads(json.dumps(content), parse_float=lambda text: float(f"{float(text):.8g}"))


def _lines(
    tables: Mapping[str, Table],
    found: Mapping[str, Any],
    claims: Mapping[str, Sequence[Statement]],
    drawn: Sequence[str],
    config: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Iterator[str]:
    yield from _what_was_run(tables, config, facts)
    yield from _claims(claims)
    yield from _short_ladder(found["ladder"])
    for name in drawn:
        yield from (f"![{CAPTIONS[name]}]({name}.png)", "", f"*{CAPTIONS[name]}* [PDF]({name}.pdf)", "")
    yield from _guaranteed(found["ladder"]["guaranteed"])
    yield from _k_contrasts(found["contrasts"])
    yield from _ordering(found["ordering"])
    yield from _ladder(found["ladder"])
    yield from _details(claims)
    yield from _provenance(config, facts)


def _what_was_run(tables: Mapping[str, Table], config: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    probes, runs = tables["probes"], tables["runs"]
    yield from ("# Qwen3's entropy against the predictions", "")
    yield f"`qae validate`, {config['preset']} size, run `{facts['run_id']}`."
    yield ""
    rows = []
    for task in np.unique(probes["task"]):
        here, trained = probes["task"] == task, runs["task"] == task
        enumerable = "all responses enumerated" if probes["enumerable"][here].all() else "along sampled responses"
        first = trained & (runs["step"] == runs["step"][trained].min()) if trained.any() else trained
        rows.append(
            [
                task,
                enumerable,
                len(np.unique(probes["probe"][here])),
                int(here.sum()),
                len({*zip(runs["run"][trained].tolist(), runs["seed"][trained].tolist(), strict=True)}),
                int(runs["step"][trained].max()) if trained.any() else 0,
                f"{runs['success'][first].mean():.2f}" if first.any() else "-",
            ]
        )
    header = ["task", "entropy", "probes", "rows", "training runs", "steps", "success at the first step"]
    yield from markdown_table(header, rows)
    yield ""


def _claims(claims: Mapping[str, Sequence[Statement]]) -> Iterator[str]:
    yield from ("## What was found", "")
    yield (
        "Criteria were fixed before looking. Each statement has a control: the same computation on data from which the"
        " effect was taken, or in which it was turned round."
    )
    yield ""
    rows = [
        [f"`{claim}`", one.says, f"**{_found(one.found)}**", _found(one.control_found)]
        for claim, statements in claims.items()
        for one in statements
    ]
    yield from markdown_table(["claim", "statement", "here", "in the control"], rows)
    yield from ("", "The figures behind each are at the end.", "")


def _details(claims: Mapping[str, Sequence[Statement]]) -> Iterator[str]:
    yield from ("## What each statement rests on", "")
    for claim, statements in claims.items():
        if not statements:
            yield f"* `{claim}`: no runs for it in this size."
        for one in statements:
            yield f"* `{claim}`, {one.says}: {one.detail}."
            yield f"  Control, {one.planted}: {one.control_detail}."
    yield ""


def _found(found: bool) -> str:
    return "found" if found else "not found"


def _short_ladder(found: Mapping[str, Any]) -> Iterator[str]:
    """The setting that favours the identity most, and what the proposition is about: r - b."""
    yield from (f"## The prediction ladder in short: {FAVOURABLE}, r - b", "")
    rows = [
        [task, rung, *(shown(settings[FAVOURABLE][rung][name]) for name in _SHORT)]
        for task, settings in found["plain"].items()
        if FAVOURABLE in settings
        for rung in RUNGS
    ]
    yield from markdown_table(["task", "rung", "slope", "R²", "signs", "coverage"], rows)
    yield ""


_SHORT = ("slope", "r2", "sign_agreement", "coverage")


def _ladder(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## The prediction ladder in every setting", "")
    yield (
        f"Predicted less measured change in nats per response (bias); measured regressed on predicted (slope, R²); the"
        f" share of variance that the prediction explains as it stands; equal signs where both changes exceed"
        f" {found['floor']:g} nats; coverage of the predicted bounds. Brackets: intervals over probes"
        f" ({100 * found['level']:g} %, {found['resamples']} resamples)."
    )
    yield ""
    for task, settings in found["tasks"].items():
        yield from (f"### {task}: all arms", "")
        rows = [_rung_row([setting], rung, rungs[rung]) for setting, rungs in settings.items() for rung in RUNGS]
        yield from markdown_table(["setting", "rung", *_STATISTIC_NAMES, "rows", "probes"], rows)
        yield ""
        yield from (f"### {task}: differences between arms on one prompt", "")
        rows = [
            _rung_row([setting, name], rung, contrasts[name][rung])
            for setting, contrasts in found["contrasts"].get(task, {}).items()
            for name in ("quantile - others", "qae - grpo")
            if name in contrasts
            for rung in RUNGS
        ]
        yield from markdown_table(["setting", "difference", "rung", *_STATISTIC_NAMES, "rows", "probes"], rows)
        yield ""


_STATISTIC_NAMES = ("bias", "slope", "R²", "explained", "signs", "coverage")


def _rung_row(first: Sequence[str], rung: str, record: Mapping[str, Any]) -> list[Any]:
    return [*first, rung, *(shown(record[name]) for name in STATISTICS), record["rows"], record["probes"]]


def _guaranteed(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Guaranteed bounds", "")
    rows = [
        [task, setting, counts["checked"], counts["violations"]]
        for task, settings in found.items()
        for setting, counts in settings.items()
    ]
    yield from markdown_table(["task", "setting", "checked", "violated"], rows)
    yield ""


def _ordering(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## How often Prop. 4.2's order holds", "")
    yield (
        "Plain arms: the K-quantile against the constants 0 and 1 and the mean; standardised: QAE against GRPO. Groups"
        " with both rewards. Left out of the rate, and counted: ties, and prompts whose two baselines are one number."
        " An interval of one point: all comparisons agree, and resamples of them too."
    )
    yield ""
    rows = [
        [
            *(one["task"], one["setting"], "qae - grpo" if one["scaled"] else "r - b", one["k"]),
            *(one["regime"], one["by"], shown(one["rate"]), one["holds"] + one["fails"]),
            *(one["ties"], one["same_baseline"], one["probes"], _against(one)),
        ]
        for one in records
        if one["groups"] == "mixed" and one["other"] in ("any", "grpo")
    ]
    header = ["task", "setting", "arms", "K", "prompts", "by", "rate", "of", "ties", "same b", "probes", "interval is"]
    yield from markdown_table(header, rows)
    yield ""
    for kind in (False, True):
        some = [one for one in records if one["groups"] == "degenerate" and one["scaled"] == kind]
        decided = sum(one["holds"] + one["fails"] for one in some if one["other"] != "any" and one["by"] == "group")
        holds = sum(one["holds"] for one in some if one["other"] != "any" and one["by"] == "group")
        name = "standardised" if kind else "plain"
        yield f"Groups with one reward only, {name} arms: the order holds in {holds} of {decided} comparisons."
    yield ""


def _against(record: Mapping[str, Any]) -> str:
    if record["above_half"] is None:
        return "-"
    half = "above 50 %" if record["above_half"] else "below 50 %" if record["below_half"] else "50 % inside"
    whole = "always" if record["always"] else "100 % inside" if record["rate"]["high"] >= 1 else "below 100 %"
    return f"{half}, {whole}"


def _k_contrasts(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## What Adam's eps does to the K-contrast", "")
    yield (
        "Mean difference of the changes of entropy under QAE at the largest and the smallest K, on the same rollouts:"
        " measured, and as two rungs predict it; and over the mean size of the two changes. `adam-unsampled` carries"
        " over if it stands out under Adam with a small eps and fades as eps grows."
    )
    yield ""
    rows = [
        [
            *(one["task"], one["setting"], one["pair"]),
            *(shown(one["contrast"][name]) for name in MEASURES),
            *(shown(one["share"]), one["rows"], one["probes"]),
        ]
        for one in records
    ]
    header = ["task", "setting", "arms", "measured", "sampled", "first order", "share", "rows", "probes"]
    yield from markdown_table(header, rows)
    yield ""


def _provenance(config: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Runs and configuration", "")
    rows = [
        [name, ", ".join(f"`{run}`" for run in (parts["train"], *parts["probe"]) if run)]
        for name, parts in facts.get("parts", {}).items()
    ]
    yield from markdown_table(["part", "run ids"], rows)
    yield from ("", "```json", json.dumps(config, indent=2, ensure_ascii=False), "```")
