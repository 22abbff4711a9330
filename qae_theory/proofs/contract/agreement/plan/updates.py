"""Make the cells of ``update_direction``: the three updates of a population, and the sampled group's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import Answer, Cell, Refused, around, read_only, refusal
from qae_theory.proofs.contract.agreement.plan import forms, policies
from qae_theory.proofs.contract.agreement.plan.kept import kept, remembered
from qae_theory.proofs.contract.agreement.references import reference

RULES = ("uncentred", "policy_gradient", "natural_gradient")
BASELINES = (None, 0.0, 0.5, 1.0, 0.4, -0.25, 3.0)
REWARDS = ("binary", "real", "signed", "equal")
TOLERANCE = 1e-12
UNDERFLOW = 1e-300
SEED = 9


@kept
def cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``update_direction``."""
    return (*_sizes(quick), *_drawn(80 if quick else 700), *_drawn_groups(80 if quick else 700), *_others())


def arm_rewards(kind: str, z: Array, rng: np.random.Generator) -> Array:
    """Return rewards of responses ``[..., n]`` of a kind, the same for equal logits."""

    def draw(count: int) -> Array:
        return {
            "binary": (rng.random(count) < 0.5).astype(np.float64),
            "real": rng.standard_normal(count),
            "signed": rng.choice([-1.0, 1.0, -1.5], count),
            "equal": np.full(count, 0.7),
        }[kind]

    return policies.by_logit(z, draw)


def _sizes(quick: bool) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    for number, arms in enumerate(forms.arms_of(quick)):
        few = 1 if quick and arms > 300 else 2 if quick else 6
        for i in range(few):
            kind = policies.KINDS[(number * 3 + i) % len(policies.KINDS)]
            z = policies.logits(kind, (arms,), rng)
            r = arm_rewards(REWARDS[number % 3], z, rng)
            rule = (*RULES, "sampled_group")[(number + i * 2) % 4]
            label = f"{kind} logits, n = {arms}"
            if rule == "sampled_group":
                size = forms.GROUP_SIZES[(number * 7 + i) % len(forms.GROUP_SIZES)]
                yield _group_cell(label, read_only(z), r, *_group((), size, arms, rng))
            else:
                b = BASELINES[(number + i) % len(BASELINES)]
                yield _population_cell(label, rule, read_only(z), read_only(r), b)


def _drawn(count: int) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    for point in forms.draws(8, count, SEED):
        kind, layout, z = policies.drawn_logits(point, [n for n in forms.ARMS if n <= 1050], rng)
        batch = z.shape[:-1]
        rewards_kind = forms.pick(REWARDS, point[4])
        r = arm_rewards(rewards_kind, z, rng)
        r = r[0] if batch and batch[0] and point[5] < 0.3 else r
        types = ("float64", "int64", "bool", "float32") if rewards_kind == "binary" else ("float64",)
        b: Any = forms.pick(BASELINES, point[6])
        if batch and point[5] > 0.6:
            b = rng.random(batch)
        rule = forms.pick(RULES, point[7])
        label = f"{kind} logits [{', '.join(map(str, z.shape))}], {layout}"
        yield _population_cell(
            label, rule, forms.laid_out(z, layout), read_only(r.astype(forms.pick(types, point[5]))), b
        )


def _drawn_groups(count: int) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    for point in forms.draws(6, count, SEED + 1):
        kind, layout, z = policies.drawn_logits(point, [n for n in forms.ARMS if n <= 1050], rng)
        own = () if point[4] < 0.3 else z.shape[:-1]
        responses, advantages = _group(own, forms.pick(forms.GROUP_SIZES[:40], point[5]), z.shape[-1], rng)
        label = f"{kind} logits [{', '.join(map(str, z.shape))}], {layout}"
        responses = responses.astype(forms.pick(("int64", "int32", "uint32"), point[4]))
        yield _group_cell(label, forms.laid_out(z, layout), arm_rewards("binary", z, rng), responses, advantages)


def _group(batch: tuple[int, ...], size: int, arms: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return responses, few different ones of them, and their advantages, ``[..., G]`` each."""
    few = rng.integers(0, arms, 12)
    return few[rng.integers(0, 12, (*batch, size))], np.round(rng.standard_normal((*batch, size)) * 64) / 64


def _population_cell(label: str, rule: str, z: Any, r: Any, b: Any) -> Cell:
    held = (forms.entries(z, np.shape(z)), forms.entries(r, np.shape(r)), np.asarray(0.0 if b is None else b))
    options = {} if b is None else {"baseline": b}
    shown = f"{rule}, {label}, b = {b if np.ndim(b) == 0 else 'of each query'}"
    return Cell(shown, (z, r, rule), partial(_expected_population, rule, *held), options)


def _expected_population(rule: str, z: Array, r: Array, b: Array) -> Answer:
    batch, rows = forms.in_rows((z, r), (b,))
    found = [_population(tuple(x.tolist()), tuple(y.tolist()), rule, float(c)) for x, y, c in rows]
    shape = (*batch, z.shape[-1])
    middle = np.array([x for x, _ in found], dtype=np.float64).reshape(shape)
    size = np.array([x for _, x in found], dtype=np.float64).reshape(shape)
    return around(middle, TOLERANCE * size + UNDERFLOW * (size > 0))


@remembered
def _population(z: tuple[float, ...], r: tuple[float, ...], rule: str, b: float) -> tuple[Array, Array]:
    """Return the direction and the sizes that its errors are relative to: pi times the range of r and b."""
    values = policies.nearest_floats(reference("updates").population_direction(z, r, rule, b), z, r)
    room = max(map(abs, r)) + abs(b)
    probs = np.ones(len(z)) if rule == "natural_gradient" else _probabilities(z)
    return values, np.asarray(room * probs)


def _group_cell(label: str, z: Any, r: Array, responses: Array, advantages: Array) -> Cell:
    options = {"responses": read_only(responses), "advantages": read_only(advantages)}
    held = forms.entries(z, np.shape(z))
    shown = f"sampled_group, {label}, responses [{', '.join(map(str, responses.shape))}]"
    expect = partial(_expected_groups, held, responses, advantages)
    return Cell(shown, (z, read_only(r), "sampled_group"), expect, options)


def _expected_groups(z: Array, responses: Array, advantages: Array) -> Answer:
    batch, rows = forms.in_rows((z, responses, advantages))
    arms, size = z.shape[-1], responses.shape[-1]
    middle, room = [], []
    for x, y, a in rows:
        logits = tuple(x.tolist())
        pushed = reference("updates").group_direction(logits, y.tolist(), a.tolist())
        values = np.array([reference("numbers").nearest(entry) for entry in pushed])
        middle.append(values)
        drawn = np.zeros(arms)
        np.add.at(drawn, y, np.abs(a))
        room.append((drawn + np.abs(a).sum() * _probabilities(logits)) / size)
    found = np.array(middle, dtype=np.float64).reshape(*batch, arms)
    sizes = np.array(room, dtype=np.float64).reshape(*batch, arms)
    return around(found, TOLERANCE * sizes + UNDERFLOW * (sizes > 0))


@remembered
def _probabilities(z: tuple[float, ...]) -> Array:
    return policies.nearest_floats(reference("policies").probabilities(z), z)


def _others() -> Iterator[Cell]:
    """Yield many policies at once, and refusals."""
    rng = np.random.default_rng(SEED)
    many = policies.logits("gentle", (5, 20), rng)
    r, place = arm_rewards("binary", many, rng), rng.integers(0, 5, 2500)
    responses, advantages = _group((5,), 64, 20, rng)
    for rule in RULES:
        yield _population_cell("[2500, 20]", rule, read_only(many[place]), read_only(r[place]), 0.5)
    yield _group_cell("[600, 20]", many[place[:600]], r[place[:600]], responses[place[:600]], advantages[place[:600]])
    yield _group_cell("one policy, a group's responses drawn again", many[0], r[0], responses, advantages[0])
    yield _group_cell("one policy, other advantages", many[0], r[0], responses[0], advantages)
    zeros, group = [0.0, 1.0], {"responses": [0, 1], "advantages": [1.0, -1.0]}
    yield refusal("rule", zeros, [1, 0], "gradient")
    yield refusal("baseline", zeros, [1, 0], "sampled_group", baseline=0.5, **group)
    yield refusal("responses", zeros, [1, 0], "uncentred", responses=[0, 1])
    none_given = refusal("advantages", zeros, [1, 0], "sampled_group", responses=[0, 1])
    yield replace(none_given, expect=partial(Refused, "advantages", left_out=True))
    yield refusal("responses", zeros, [1, 0], "sampled_group", responses=[0, 2], advantages=[1.0, -1.0])
    yield refusal("arm_rewards", zeros, [1, 0, 0], "uncentred")
