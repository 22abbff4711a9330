"""Make the lines about training curves: each family of ``qae_theory.curves.families`` under each condition.

A line has one effect per seed. A family that is controlled counts only where RL learns in every run that it compares;
a condition where it does not is listed as out. Lines about one step are in ``step_lines``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from llm_validation.common.tables import Table, take
from llm_validation.study.analysis.records import (
    FOLLOWED,
    Condition,
    aligned,
    conditions,
    is_channel,
    looks_at,
    seeds_of,
    with_batch_success,
)
from qae_theory.arrays import Array
from qae_theory.curves import families
from qae_theory.curves.families import ENTROPY, READINGS, SUCCESS, Family, Reading
from qae_theory.curves.outcomes import LEVEL, Line, line
from qae_theory.curves.progress import LATE, LEVELS, gain, late_mean
from qae_theory.curves.statistics import bonferroni
from qae_theory.curves.trajectories import Trajectory

LEARNS = 0.1  # gain of success, late less at the start, in the mean over seeds, above which RL counts as learning
TENTHS = 10  # windows of a run: a step's figures are one batch's, a tenth's are means over many
TUNED = "qae-0.4"
COMPARED = ("grpo", TUNED)
WEAK, STRONG = 0.28, 0.2  # epsilon_high of weak and of strong clipping, as in the paper's Fig. 6
STEPWISE = {"zero_share": "zero_share", "mixed_zero_share": "mixed_zero_share", "step_entropy": "entropy"}
SIGNS = ("entropy_positive", "entropy_negative", "growth_positive", "growth_negative")


class Choices(NamedTuple):
    """State what may be chosen otherwise, all of it fixed beforehand; the sensitivity report changes one at a time.

    Attributes:
        late: share of the training that counts as late.
        scale: factor of the smallest effects of interest.
        level: confidence level of the intervals of a line that is looked at once.
        success: column from which success is read.
        levels: number of levels at which equal success is compared.
        seeds: ``all``, ``even`` or ``odd``.
    """

    late: float = LATE
    scale: float = 1.0
    level: float = LEVEL
    success: str = FOLLOWED[SUCCESS]
    levels: int = LEVELS
    seeds: str = "all"

    @property
    def reading(self) -> Reading:
        """Return how entropies are read off."""
        return Reading(self.late, self.levels)


USUAL = Choices()


@dataclass
class Lines:
    """Hold the lines that count, and the conditions that are out with what was seen there."""

    lines: list[Line] = field(default_factory=list)
    out: list[dict[str, Any]] = field(default_factory=list)


def shape_lines(tables: Mapping[str, Table], choices: Choices = USUAL) -> Lines:
    """Return the lines of all families under all conditions.

    Args:
        tables: ``runs``, one row per step, and ``follow``, one row per checkpoint.
        choices: how effects are read off.
    """
    found = Lines()
    runs, follow = (_chosen(tables[name], choices.seeds) for name in ("runs", "follow"))
    stepwise = {(condition.substrate, condition.name): condition for condition in conditions(runs)}
    followed = list(conditions(with_batch_success(follow, runs)))
    for condition in followed:
        _of_condition(condition, stepwise[condition.substrate, condition.name], choices, found)
    for substrate in dict.fromkeys(condition.substrate for condition in followed):
        _masks([condition for condition in followed if condition.substrate == substrate], choices, found)
    return found


def learns(run: Trajectory, choices: Choices) -> bool:
    """Return whether RL learns: the positive control of a run."""
    return bool(gain(run.curves[SUCCESS], choices.late, run.steps).mean() > LEARNS)


def _of_condition(condition: Condition, stepwise: Condition, choices: Choices, found: Lines) -> None:
    """Add the lines about one condition."""
    choices = _at_each_look(choices, condition)
    name = f"{condition.substrate}/{condition.name}"
    for label, levels in _level_groups(condition):
        _rises(f"{name}{label}", condition, levels, choices, found)
    if all(rule in condition.rules and seeds_of(condition.rules[rule]) > 1 for rule in COMPARED):
        grpo, qae = _trajectories(condition, COMPARED, choices)
        for reading in READINGS:
            effect = families.difference(qae, grpo, reading, choices.reading)
            _add(found, families.HOLDS, f"{name}-{reading}", effect, choices, {COMPARED[0]: grpo, TUNED: qae})
    if is_channel(condition):  # a channel is judged by what it does to K and to the gap between the rules alone
        return
    for rule in COMPARED:
        if rule in condition.rules and seeds_of(condition.rules[rule]) > 1:
            _of_rule(f"{name}-{rule}", rule, condition, stepwise, choices, found)


def _of_rule(name: str, rule: str, condition: Condition, stepwise: Condition, choices: Choices, found: Lines) -> None:
    """Add the lines about one rule by itself."""
    (run,) = _trajectories(condition, [rule], choices)
    (steps,) = aligned([stepwise.rules[rule]], STEPWISE)
    tenths = {curve: windows(steps.curves[curve]) for curve in STEPWISE}
    runs = {rule: run}
    _add(found, families.COLLAPSES, name, families.loss_of_entropy(run, choices.reading), choices, runs)
    rise = families.largest_rise(tenths["step_entropy"], run.curves["token_entropy"][:, 0])
    _add(found, families.EXPLODES, name, rise, choices, runs)
    if rule == TUNED:
        for curve, reading in (("zero_share", "all-groups"), ("mixed_zero_share", "mixed-groups")):
            effect = families.distance_from_band(tenths[curve])
            _add(found, families.SPARSITY, f"{name}-{reading}", effect, choices, runs)
    for family, suffix, effect in _signs(stepwise.rules[rule], run):
        _add(found, family, f"{name}{suffix}", effect, choices, runs)


def _at_each_look(choices: Choices, condition: Condition) -> Choices:
    """Return the choices with the level by which all looks at a condition together err as seldom as one would.

    A line that was undecided gets another chance when seeds are added, and so does one that was decided by chance.
    """
    return choices._replace(level=bonferroni(choices.level, looks_at(condition)))


def _rises(name: str, condition: Condition, levels: Sequence[str], choices: Choices, found: Lines) -> None:
    """Add the lines about entropy rising with K, at these levels."""
    runs = dict(zip(levels, _trajectories(condition, levels, choices), strict=True))
    by_k = {rule.partition("-")[2]: run for rule, run in runs.items()}
    for reading in READINGS:
        effect = families.rise_with_k(by_k, reading, choices.reading)
        _add(found, families.RISES, f"{name}-{reading}", effect, choices, runs)


def _level_groups(condition: Condition) -> Iterator[tuple[str, list[str]]]:
    """Yield the levels with the most seeds, and all levels where there are more of them, with a suffix of the name."""
    levels = sorted((rule for rule in condition.rules if rule.startswith("qae-")), key=lambda rule: float(rule[4:]))
    seeds = {rule: seeds_of(condition.rules[rule]) for rule in levels}
    most = [rule for rule in levels if seeds[rule] == max(seeds.values())]
    if len(most) > 1 and seeds[most[0]] > 1:
        yield "", most
    if len(levels) > max(len(most), 2) and min(seeds.values()) > 1:
        yield f"-{len(levels)}levels", levels


def _masks(of_substrate: Sequence[Condition], usual: Choices, found: Lines) -> None:
    """Add the lines that need both masks: nearness to QAE under weak clipping, the lead under strong clipping."""
    rules = (TUNED, "pos_mask-0.4", "neg_mask-0.4")
    for condition in of_substrate:
        if not all(rule in condition.rules and seeds_of(condition.rules[rule]) > 1 for rule in rules):
            continue
        choices = _at_each_look(usual, condition)
        qae, pos, neg = runs = _trajectories(condition, rules, choices)
        named = dict(zip(rules, runs, strict=True))
        name = f"{condition.substrate}/{condition.name}"
        high = float(condition.rules[TUNED]["clip_high"][0])
        if high == WEAK:
            success, entropy = (families.nearer(qae, pos, neg, curve) for curve in (SUCCESS, ENTROPY))
            _add(found, families.TRACKS, f"{name}-success", success, choices, named)
            _add(found, families.TRACKS_ENTROPY, f"{name}-entropy", entropy, choices, named)
        if high == STRONG:
            late = [late_mean(run.steps, run.curves[SUCCESS], choices.late) for run in (pos, neg)]
            _add(found, families.LEADS, f"{name}-success", late[0] - late[1], choices, named)


def _signs(rows: Table, run: Trajectory) -> Iterator[tuple[Family, str, Array]]:
    """Yield the effects that are read off checkpoints where entropy was measured by the sign of the advantage."""
    probed = take(rows, np.isfinite(rows["growth_positive"]))
    if not len(probed["step"]) or seeds_of(probed) < 2:
        return
    (signs,) = aligned([probed], {name: name for name in SIGNS})
    shares = families.sign_shares(signs.curves["growth_positive"], signs.curves["growth_negative"])
    yield families.LEADS_GROWTH, "", shares
    gap = signs.curves["entropy_negative"] - signs.curves["entropy_positive"]
    gap = gap / run.curves["token_entropy"][: len(gap), :1]  # the seeds that were probed are the first ones
    yield families.LEVEL_GAP, "-level", families.mean_where(gap, np.isfinite(gap))
    if gap.shape[1] > 1:  # at one checkpoint nothing has grown, which is no evidence that nothing grows
        yield families.GROWTH_GAP, "-growth", gap[:, -1] - gap[:, 0]


def windows(curve: Array) -> Array:
    """Return a curve as means over tenths of the training, ``[S, steps] -> [S, tenths]``.

    A step's figures are those of one batch, and its noise. NaN where a tenth has none: late in training a batch may be
    without a mixed group.
    """
    parts = np.array_split(np.arange(curve.shape[1]), min(TENTHS, curve.shape[1]))
    means = [families.mean_where(curve[:, part], np.isfinite(curve[:, part])) for part in parts]
    return np.stack(means, axis=1)


def _trajectories(condition: Condition, rules: Sequence[str], choices: Choices) -> list[Trajectory]:
    """Return the trajectories of these rules, with success read as the choices say."""
    return aligned([condition.rules[rule] for rule in rules], {**FOLLOWED, SUCCESS: choices.success})


def _add(
    found: Lines,
    family: Family,
    condition: str,
    effect: Array,
    choices: Choices,
    runs: Mapping[str, Trajectory],
) -> None:
    """Add a line, or list the condition as out where RL does not learn."""
    idle = [rule for rule, run in runs.items() if not learns(run, choices)] if family.controlled else []
    if idle:
        gains = {rule: float(gain(runs[rule].curves[SUCCESS], choices.late, runs[rule].steps).mean()) for rule in idle}
        found.out.append({"claim": family.claim, "condition": condition, "does not learn": gains})
        return
    found.lines.append(
        line(
            effect,
            family.smallest_effect * choices.scale,
            claim=family.claim,
            condition=condition,
            says=family.says,
            unit=family.unit,
            level=choices.level,
        )
    )


def _chosen(table: Table, seeds: str) -> dict[str, Array]:
    """Return the rows of all seeds, or of the even or the odd ones."""
    if seeds == "all":
        return dict(table)
    return take(table, table["seed"] % 2 == ("even", "odd").index(seeds))
