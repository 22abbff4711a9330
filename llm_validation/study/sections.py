"""Write the sections of the study's report: a heading, a sentence on how to read it, and a table.

Nothing is computed here; the records come from ``analysis``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.common.resampling import shown
from llm_validation.common.tables import Table
from llm_validation.study.analysis.adam_contrast import MEASURES
from llm_validation.study.analysis.curve_lines import Lines
from llm_validation.study.analysis.places import AXES
from qae_theory.claims.model import Answer
from qae_theory.curves.outcomes import LEVEL, PLANTED, Line
from qae_theory.curves.rungs import RUNGS

Records = Sequence[Mapping[str, Any]]

FEW = 4  # settings of a substrate that are all told
SGD = "sgd, 1 update, no clipping"
AS_TRAINED = re.compile(r"adam eps 1e-08, \d+ updates?, clipped")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return the lines of a Markdown table.

    >>> markdown_table(["a"], [[1]])
    ['| a |', '| --- |', '| 1 |']
    """
    texts = []
    for row in [header, ["---"] * len(header), *rows]:
        cells = [str(cell).replace("|", r"\|") for cell in row]  # a bar would end the cell
        texts.append(f"| {' | '.join(cells)} |")
    return texts


def told(settings: Iterable[str]) -> list[str]:
    """Return the settings that the report tells of, in their order; the JSON has all of them.

    Of many they are the smallest step of SGD, which is the first of them, and clipped Adam as training takes it.

    >>> told([f"{SGD}, size 0.01", f"{SGD}, size 0.1", "adam eps 1e-08, 4 updates, clipped", "a", "b"])
    ['sgd, 1 update, no clipping, size 0.01', 'adam eps 1e-08, 4 updates, clipped']
    """
    listed = list(dict.fromkeys(settings))
    if len(listed) <= FEW:
        return listed
    smallest = min((setting for setting in listed if setting.startswith(SGD)), default=None)
    return [setting for setting in listed if setting == smallest or AS_TRAINED.fullmatch(setting)]


def what_was_run(
    tables: Mapping[str, Table], summary: Mapping[str, Any], config: Mapping[str, Any], facts: Mapping[str, Any]
) -> Iterator[str]:
    """Yield a table of the substrates with their probes and runs, and a sentence on what is missing."""
    yield from ("# Where training moves entropy", "")
    yield f"`qae validate --preset {config['preset']}`, run `{facts['run_id']}`. What was asked, and why so, is in"
    yield "[the design](design.md), which is older than the runs."
    yield ""
    if facts.get("missing"):
        yield f"**Not finished**: {len(facts['missing'])} parts are missing; lines have fewer seeds, or are not there."
        yield ""
    probes = tables["probes"]
    rows = []
    for name, facts_of in summary["substrates"].items():
        here = probes["substrate"] == name if "substrate" in probes else probes["task"] == name
        runs = facts_of["runs"]
        success = f"{_mean_of(runs, 'success_first')} to {_mean_of(runs, 'success_last')}"
        entropy = f"{_mean_of(runs, 'entropy_first')} to {_mean_of(runs, 'entropy_last')}"
        functional = sorted(set(probes["functional"][here].tolist())) if "functional" in probes else []
        rows.append(
            [
                *(name, facts_of["model"], _count(facts_of["parameters"]), facts_of["vocabulary"]),
                *(", ".join(functional), len(np.unique(probes["probe"][here])), len(runs)),
                *(success, entropy),
            ]
        )
    header = ["substrate", "model", "parameters", "tokens", "entropy of", "probes", "runs", "success", "nats per token"]
    yield from markdown_table(header, rows)
    yield from (
        "",
        "Success and entropy: means over runs of the first and the last tenth of the steps, maps aside.",
        "",
    )


def outcomes(found: Lines) -> Iterator[str]:
    """Yield a table of how many lines have which outcome, by substrate."""
    yield from ("## How many lines are found, absent, opposite, undecided", "")
    counts: dict[str, Counter[str]] = {}
    for line in found.lines:
        counts.setdefault(line.condition.partition("/")[0], Counter())[str(line.outcome)] += 1
    out = Counter(str(record["condition"]).partition("/")[0] for record in found.out)
    kinds = [str(answer) for answer in Answer]
    rows = []
    for name, count in sorted(counts.items()):
        of_kinds = [count[kind] for kind in kinds]
        rows.append([name, *of_kinds, sum(of_kinds), out[name]])
    yield from markdown_table(["substrate", *kinds, "lines", "conditions out"], rows)
    yield ""


def lines(found: Lines) -> Iterator[str]:
    """Yield every line with its figures, family by family."""
    yield from ("## Every line", "")
    yield (
        f"Effect with its {_levels(found.lines)} interval over seeds (over probes for one step); s is the smallest"
        f" effect of interest, fixed beforehand; the power is that to find {PLANTED:g} s. *found*: the interval lies"
        " beyond s; *absent*: inside plus or minus s; *opposite*: beyond minus s; *undecided*: too wide, with the seeds"
        " that would decide."
    )
    yield ""
    by_claim: dict[str, list[Line]] = {}
    for line in found.lines:
        by_claim.setdefault(line.claim, []).append(line)
    for claim, some in by_claim.items():
        sentences = dict.fromkeys(f"{line.says}; effect in {line.unit}." for line in some)
        yield from (f"### `{claim}`", "")
        yield from (f"* {sentence}" for sentence in sentences)
        yield ""
        rows = []
        for line in some:
            deciding = f" ({line.deciding} would decide)" if line.deciding else ""
            figures = (line.n, _interval(line), line.smallest_effect, f"{line.power:.2f}")
            # A planted effect must be found and its absence must not: the controls stand beside each outcome.
            rows.append([f"`{line.condition}`", *figures, f"**{line.outcome}**{deciding}", line.planted, line.control])
        header = ["condition", "n", "effect", "s", "power", "outcome", f"{PLANTED:g} s planted", "nothing planted"]
        yield from markdown_table(header, rows)
        yield ""
    if found.out:
        yield from ("### Out: conditions whose positive control does not hold", "")
        rows = [[f"`{record['claim']}`", f"`{record['condition']}`", _reason(record)] for record in found.out]
        yield from markdown_table(["claim", "condition", "why"], rows)
        yield ""


def ladder(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield every rung in the settings that are told, plain arms first."""
    yield from ("## The prediction ladder", "")
    yield (
        "Measured against predicted change of entropy, in nats per response. Rank: Spearman's correlation. Slope: of"
        " measured on predicted, a tenth of the rows aside at either end. Error: median of |predicted - measured| over"
        f" |measured|. Signs: where both exceed {found['floor']:g} nats. Coverage: of the rung's own bounds. Brackets:"
        f" {100 * found['level']:g} % intervals over probes. [All settings](ladder.json)."
    )
    yield ""
    names = ("rank", "sign_agreement", "r2", "trimmed_slope", "median_relative_error", "coverage")
    header = ["setting", "rung", "rank", "signs", "R²", "slope", "error", "coverage", "rows", "probes"]
    for arms, title in (("plain", "r - b"), ("standardised", "GRPO and QAE as trained")):
        for substrate, settings in found[arms].items():
            yield from (f"### {substrate}: {title}", "")
            rows = []
            for setting in told(settings):
                rungs = settings[setting]
                for rung in RUNGS:
                    figures = [shown(rungs[rung][name]) for name in names]
                    rows.append([setting, rung, *figures, rungs[rung]["rows"], rungs[rung]["probes"]])
            yield from markdown_table(header, rows)
            yield ""


def bounds(records: Records) -> Iterator[str]:
    """Yield the coverage of each kind of bound, and how far outside changes lie."""
    yield from ("## Bounds that can fail", "")
    yield (
        "`predicted`: the sharpest bounds of `qae_theory` at the displacement of log-probabilities predicted before"
        " the step. `paper`: between the identity's changes at b = 0 and b = 1. `arms`: between the changes measured at"
        " b = 0 and b = 1. `box`: what H may change by if clipping keeps every ratio in its range. `measured`: at the"
        " measured displacement, a consistency check that only rounding can fail. Excess: how far outside, in nats."
        " [All settings](bounds.json)."
    )
    yield ""
    chosen = told(record["setting"] for record in records)
    rows = []
    for record in records:
        if record["setting"] not in chosen and not record["setting"].startswith(SGD):  # a curve over the step's size
            continue
        named = [record[name] for name in ("substrate", "setting", "bound", "checked", "violations")]
        excess = [_number(record[name]) for name in ("median", "largest", "median_relative")]
        rows.append([*named, shown(record["coverage"]), *excess])
    header = ["substrate", "setting", "bound", "checked", "outside", "coverage", "median excess", "largest", "relative"]
    yield from markdown_table(header, rows)
    yield ""


def terms(records: Records) -> Iterator[str]:
    """Yield what each term of the chain rule carries, and the mass moved on tokens never sampled."""
    yield from ("## Both terms of the chain rule", "")
    yield (
        "Frozen: the distributions change at contexts that stay as likely. Visiting: the contexts' probabilities"
        " change. Share: mean size of the frozen term over that of both. Error: largest difference of their sum from"
        " the measured change, where both are exact. Unsampled: probability moved on tokens that no response of the"
        " group took there."
    )
    yield ""
    rows = [
        [
            *(one["substrate"], one["setting"], one["functional"], shown(one["frozen_share"]), shown(one["same_sign"])),
            *(_number(one["error"]), _number(one["open_mass"]), shown(one["unsampled_share"]), one["rows"]),
        ]
        for one in records
    ]
    header = [
        *("substrate", "setting", "entropy of", "frozen share", "frozen has the sign", "error", "open mass"),
        *("unsampled share", "rows"),
    ]
    yield from markdown_table(header, rows)
    yield ""


def contrasts(records: Records) -> Iterator[str]:
    """Yield what K does to entropy in one step, by channel."""
    yield from ("## What K does in one step, by channel", "")
    yield (
        "Mean difference of the changes of entropy under QAE at the largest and the smallest K, on the same rollouts:"
        " measured, and as two rungs predict it; and over the mean size of the two changes."
    )
    yield ""
    rows = []
    for record in records:
        figures = [shown(record["contrast"][name]) for name in MEASURES]
        named = (record["task"], record["setting"], record["pair"])
        rows.append([*named, *figures, shown(record["share"]), record["rows"], record["probes"]])
    header = ["substrate", "setting", "arms", "measured", "sampled", "first order", "share", "rows", "probes"]
    yield from markdown_table(header, rows)
    yield ""


def ordering(records: Records) -> Iterator[str]:
    """Yield how often Prop. 4.2's order holds."""
    yield from ("## How often Prop. 4.2's order holds", "")
    yield (
        "Plain arms: the K-quantile against the constants 0 and 1 and the mean; standardised: QAE against GRPO. Groups"
        " with both rewards, hard and easy by the prompt's success. Left out of the rate, and counted: ties, and"
        " prompts whose two baselines are one number. [All settings, and hard and easy by the group](ordering.json)."
    )
    yield ""
    chosen = told(one["setting"] for one in records)
    rows = [
        [
            *(
                one["task"],
                one["setting"],
                "qae - grpo" if one["scaled"] else "r - b",
                one["k"],
                one["regime"],
            ),
            *(shown(one["rate"]), one["holds"] + one["fails"], one["ties"], one["same_baseline"], one["probes"]),
        ]
        for one in records
        if one["by"] == "V" and one["setting"] in chosen
    ]
    header = ["substrate", "setting", "arms", "K", "prompts", "rate", "of", "ties", "same b", "probes"]
    yield from markdown_table(header, rows)
    yield ""


def places(found: Mapping[str, Records]) -> Iterator[str]:
    """Yield the map: what each rule does at each place, where it begins to, and the entropy at equal success."""
    if not found["places"]:
        return
    yield from ("## The map of collapse and explosion", "")
    rules = list(dict.fromkeys(one["rule"] for one in found["places"]))
    by_place: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for record in found["places"]:
        by_place.setdefault(_place(record), {})[record["rule"]] = record
    gaps = {_place(record): record for record in found["contrasts"]}
    rows = []
    for place, of_rules in sorted(by_place.items()):
        names = [_said(of_rules.get(rule)) for rule in rules]
        rows.append([*map(_axis, place), *names, _gap(gaps.get(place))])
    header = ["clip", "", "updates", "learning rate", *rules, "QAE(.4) - GRPO at equal success"]
    yield from markdown_table(header, rows)
    yield from (
        "",
        "Entropy late over the start's, its peak over the start's, and late success over the start's, by seed.",
        "",
    )
    exploded = sum(one["name"] == "explodes" for one in found["places"])
    if not exploded:
        peak = max(max(one["peak_ratio"]) for one in found["places"])
        yield f"No place of the mapped region explodes; the largest peak is {peak:.2f} times the entropy at the start."
        yield ""
    rows = []
    for record in found["boundaries"]:
        coordinates = [_axis(record[axis]) for axis in AXES[:-1]]
        reached = f"{record['reached']} of {record['seeds']}"
        rows.append([*coordinates, record["rule"], record["name"], reached, _range(record)])
    header = ["clip", "", "updates", "rule", "from this learning rate on", "seeds", "learning rate"]
    yield from markdown_table(header, rows)
    yield ""


def sensitivity(records: Records) -> Iterator[str]:
    """Yield what changes under the alternatives that were stated beforehand."""
    yield from ("## If it had been chosen otherwise", "")
    kinds = [str(answer) for answer in Answer]
    rows = []
    for record in records:
        of_kinds = [record["outcomes"].get(kind, 0) for kind in kinds]
        same = f"{record['same']} of {record['compared']}"
        rows.append([record["alternative"], same, len(record["turned"]), *of_kinds])
    yield from markdown_table(["alternative", "same outcome", "decided otherwise", *kinds], rows)
    yield ""
    for record in records:
        for line in record["turned"]:
            name = record["alternative"]
            yield f"* {name}: `{line['line']}` {line['stands']}, then {line['alternative']}."
    yield ""


def speed(records: Records) -> Iterator[str]:
    """Yield how long a training step takes, and what of it."""
    if not records:
        return
    yield from ("## Time of a training step", "")
    rows = [
        [
            one["substrate"],
            one["rule"],
            one["condition"],
            *(f"{one[name]:.3g}" for name in ("seconds", "update_seconds")),
            one["steps"],
        ]
        for one in records
    ]
    header = ["substrate", "rule", "condition", "seconds a step", "of them in updates", "steps"]
    yield from markdown_table(header, rows)
    yield ""


def _levels(some: Sequence[Line]) -> str:
    """Return the levels that intervals have: a higher one where seeds were added and all looks together err as one."""
    usual, *higher = sorted({line.level for line in some} | {LEVEL})
    looks = "".join(f", or, of lines that were looked at again with more seeds, {100 * level:g} %" for level in higher)
    return f"{100 * usual:g} %{looks}"


def _interval(line: Line) -> str:
    """Return an effect with the ends of its interval; a dash stands for one that is not finite."""
    effect, low, high = (_finite(value) for value in (line.effect, line.low, line.high))
    return f"{effect} [{low}, {high}]"


def _finite(value: float) -> str:
    """Return a number with three digits; a dash where it is not finite."""
    return f"{value:.3g}" if np.isfinite(value) else "-"


def _reason(one: Mapping[str, Any]) -> str:
    """Return why a condition is out."""
    if "does not learn" in one:
        gains = [f"{rule} gains {gain:.2f}" for rule, gain in one["does not learn"].items()]
        return f"RL does not learn: {', '.join(gains)}"
    return f"the second order has rank correlation {one['rank']:.3g}, median error {one['median_relative_error']:.3g}"


def _said(one: Mapping[str, Any] | None) -> str:
    """Return what a rule does at a place, with its figures seed by seed."""
    if one is None:
        return "-"
    ratios = zip(one["entropy_ratio"], one["peak_ratio"], one["success_first"], one["success_last"], strict=True)
    by_seed = "; ".join(f"{late:.2f}, {peak:.2f}, {last / max(first, 1e-9):.2f}" for late, peak, first, last in ratios)
    return f"**{one['name']}** ({by_seed})"


def _gap(one: Mapping[str, Any] | None) -> str:
    """Return the difference of entropy at equal success; a dash where there is none."""
    return "-" if one is None or one["estimate"] is None else shown(one)


def _range(one: Mapping[str, Any]) -> str:
    """Return the learning rates from which on a rule's runs have a name."""
    low, high = one["low"], one["high"]
    if low is None:
        return "never"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _place(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the coordinates of a place of the map."""
    return tuple(record[axis] for axis in AXES)


def _axis(value: float) -> str:
    """Return a coordinate of the map."""
    return f"{value:g}"


def _number(value: float | None) -> str:
    """Return a number with three digits; a dash where there is none."""
    return "-" if value is None else f"{value:.3g}"


def _mean_of(runs: Records, name: str) -> str:
    """Return the mean of a figure over runs with two digits; a dash where there are no runs."""
    return f"{np.mean([run[name] for run in runs]):.2f}" if len(runs) else "-"


def _count(value: int | None) -> str:
    """Return a count of parameters in millions; a dash where there is none."""
    return "-" if value is None else f"{value / 1e6:.3g} M"
