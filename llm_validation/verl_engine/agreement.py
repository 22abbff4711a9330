"""Tell the ledger whether the plug-in's group advantages are those of their exact definition.

Two claims: ``group_advantages`` itself, on torch tensors, and the estimators as verl calls them, where verl is
installed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.proofs.contract.agreement.comparison import Cell, Within, agreement, around, planted
from qae_theory.proofs.contract.agreement.plan import forms, groups
from qae_theory.proofs.contract.agreement.references import missing, reference

ESTIMATORS = ("grpo", "qae", "qae_linear", "pos_mask", "neg_mask")
KINDS = ("binary", "signed", "overlong", "real", "equal", "ties")
STDS = (None, "population", "bessel", "none")
EPS = (None, 0, 1e-8, 1e-4, 1.0, 10)
IDS = ("numbers", "texts", "array", "pairs")
# Of the largest advantage of the group: float64 sums, and one rounding to float32.
TOLERANCE = {"float64": 2e-12, "float32": 1.3e-7}
BEYOND = 1000
SEED = 14


def register(ledger: Ledger) -> None:
    """Add the agreement of the group advantages, and of the estimators as verl calls them."""
    for claim, function, requires in (
        ("shipped-agrees-group_advantages", as_arrays, ("torch",)),
        ("shipped-agrees-plugin", as_verl_calls, ("torch", "verl")),
    ):
        step = Step(
            says="Every response of every batch of the plan has the advantage of its exact definition.",
            check=partial(_agrees, function),
            planted=f"advantages that are 1e-6 too large, relatively, in batches of more than {BEYOND} responses",
            control=partial(_agrees, planted(function, beyond=BEYOND)),
            tie=True,
        )
        ledger.add(Evidence(claim, "plan", Kind.CERTIFICATE, Role.FOR, (step,), requires=requires, missing=missing))


def as_arrays(scores: Array, index: Any, **options: Any) -> Array:
    """Return ``group_advantages`` of an array, as an array in float64."""
    import torch

    from llm_validation.verl_engine.group_advantages import group_advantages

    found = group_advantages(torch.tensor(scores), index, **options)
    if found.dtype != torch.tensor(scores).dtype:
        raise TypeError(f"advantages came in {found.dtype} for scores in {scores.dtype}")
    return found.double().numpy()


def as_verl_calls(scores: Array, index: Any, *, estimator: str, **options: Any) -> Array:
    """Return each response's advantage as verl's estimator has it; it must stand at all of its tokens and no other."""
    import torch

    from llm_validation.verl_engine.plugin import estimate

    if estimator == "grpo" or "mask" in options or np.isnan(scores).any():
        return as_arrays(scores, index, estimator=estimator, **options)  # not the plug-in's, or not verl's to say
    rows = len(scores)
    lengths = np.arange(rows) % 3 + 1  # of three tokens; the score is at the last one of a response
    token_mask = torch.tensor(np.arange(3) < lengths[:, None]).to(torch.tensor(scores).dtype)
    rewards = torch.zeros(rows, 3, dtype=token_mask.dtype)
    rewards[torch.arange(rows), torch.tensor(lengths) - 1] = torch.tensor(scores)
    names = {"k": "quantile_k", "std": "advantage_std", "eps": "advantage_eps", "gate": "advantage_gate"}
    config = {names.get(name, name): str(x) if isinstance(x, Fraction) else x for name, x in options.items()}
    found, _ = estimate(estimator, rewards, token_mask, config=config, index=index)
    if not torch.equal(found, found[:, :1] * token_mask):
        raise ValueError("advantages differ between the tokens of a response, or stand outside it")
    return found[:, 0].double().numpy()


def _agrees(function: Callable[..., Array], effort: Effort) -> Finding:
    """Find whether a function agrees with the reference in every cell of the plan."""
    return agreement(function, _cells(effort.quick))


@cache
def _cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan."""
    return (*_large(), *_every_count(quick), *_drawn(150 if quick else 1500))


def _every_count(quick: bool) -> Iterator[Cell]:
    """Yield every number of correct responses of each size up to 64, all groups of a size in one batch."""
    for size in range(1, 65):
        rows = groups.every_binary_group(size)
        edges = forms.levels_at_edge(size) or [forms.LEVELS[0]]
        levels = [forms.LEVELS[(size * 5) % len(forms.LEVELS)], edges[size * 3 % len(edges)]]
        for place, level in enumerate(levels if quick else [*forms.LEVELS, *edges]):
            estimator = ESTIMATORS[1 + (size + place) % 4]
            index = np.repeat(np.arange(size + 1), size).tolist()
            yield _cell(rows.ravel(), index, estimator, level, None, None, {}, f"every m of G = {size}")


def _large() -> Iterator[Cell]:
    """Yield the groups of up to 4096 responses beside small ones, and many small groups."""
    rng = np.random.default_rng(SEED)
    for place, estimator in enumerate(ESTIMATORS):
        for sizes in ((4096, 3, 1000, 2), (5,) * 900, (400, 401, 51, 1)):
            scores, index = _batch(sizes, "binary" if place > 2 else KINDS[2 + place], rng)
            options = {"correct_above": 0.5} if place > 2 else {}
            level = forms.LEVELS[(place * 7 + len(sizes)) % len(forms.LEVELS)]
            yield _cell(scores, index, estimator, level, STDS[place % 4], EPS[place], options, f"sizes {sizes[:4]}")


def _drawn(count: int) -> Iterator[Cell]:
    """Yield batches whose every choice is drawn: estimator, rewards, sizes, options, mask, type and ids."""
    rng = np.random.default_rng(SEED)
    for point in forms.draws(9, count, SEED):
        estimator, kind = forms.pick(ESTIMATORS, point[0]), forms.pick(KINDS, point[1])
        most = forms.pick((2, 9, 33, 129, 600), point[2])
        sizes = tuple(rng.integers(1, most + 1, rng.integers(1, 7)).tolist())
        scores, index = _batch(sizes, kind, rng)
        options: dict[str, Any] = {}
        on_bits = "mask" in estimator or point[3] < 0.3
        if point[3] < 0.3:
            options["gate"] = "correctness"
        if on_bits and (kind not in ("binary", "signed") or point[3] < 0.15):
            options["correct_above"] = 0.25
        if point[4] < 0.3:
            options["mask"] = rng.random(len(scores)) < 0.8
            scores = np.where(options["mask"], scores, np.nan)
        elif point[4] < 0.4:
            scores = np.where(rng.random(len(scores)) < 0.1, np.nan, scores)
        scores = scores.astype(forms.pick(("float64", "float32"), point[5]))
        level, std = forms.pick(forms.LEVELS, point[6]), forms.pick(STDS, point[7])
        index = _ids(index, forms.pick(IDS, point[8]))
        eps = forms.pick(EPS, point[8])
        yield _cell(scores, index, estimator, level, std, eps, options, f"{kind} {scores.dtype}, sizes {sizes}")


def _batch(sizes: tuple[int, ...], kind: str, rng: np.random.Generator) -> tuple[Array, list[int]]:
    """Return the scores of groups of these sizes in a random order, and each response's group."""
    scores = np.concatenate([groups.rewards(kind, (size,), rng) for size in sizes])
    index = np.repeat(np.arange(len(sizes)), sizes)
    order = rng.permutation(len(scores))
    return scores[order], index[order].tolist()


def _ids(index: list[int], kind: str) -> Any:
    """Return the ids of the groups in one of the forms in which trainers have them."""
    if kind == "array":
        return np.array([f"id-{i}" for i in index], dtype=object)
    return {"numbers": index, "texts": [f"q{i}" for i in index], "pairs": [("q", i) for i in index]}[kind]


def _cell(
    scores: Array,
    index: Any,
    estimator: str,
    level: Any,
    std: str | None,
    eps: Any,
    options: dict[str, Any],
    label: str,
) -> Cell:
    """Return the call of a function with this batch, and what must come of it."""
    given = {"estimator": estimator, "k": level.given, **options}
    given.update({name: x for name, x in (("std", std), ("eps", eps)) if x is not None})
    shown = ", ".join(f"{name} = {x!r}" for name, x in given.items() if name != "mask")
    expect = partial(_expected, scores, list(index), estimator, level.means, std, eps, dict(options))
    return Cell(f"{label}, {shown}", (scores, index), expect, given)


def _expected(
    scores: Array, index: list[Any], estimator: str, k: Fraction, std: str | None, eps: Any, options: dict[str, Any]
) -> Within:
    """Return the reference's advantages: of the bits of being right where masks or gate work on them."""
    values, table, room = scores.astype(np.float64), np.zeros(len(scores)), np.zeros(len(scores))
    scorable = ~np.isnan(values) & options.get("mask", True)
    if "mask" in estimator or options.get("gate") == "correctness":
        above = options.get("correct_above", 0.0)  # of scores 0 and 1, or -1 and +1
        values = (values > above).astype(np.float64)
    added = Fraction(1, 10**6) if eps is None else Fraction(str(eps))
    rows: dict[Any, list[int]] = {}
    for row, group in enumerate(index):
        if scorable[row]:
            rows.setdefault(group, []).append(row)
    for members in rows.values():
        tally = tuple(sorted(Counter(values[members].tolist()).items()))
        found = _advantages(tally, estimator, k, std, added)
        table[members] = [found[x] for x in values[members].tolist()]
        room[members] = np.abs(table[members]).max()
    return around(table, TOLERANCE[str(scores.dtype)] * room)


@cache
def _advantages(
    tally: tuple[tuple[float, int], ...], estimator: str, k: Fraction, std: str | None, eps: Fraction
) -> dict[float, float]:
    """Return the reference's advantage of each reward, given how often each occurs in the group."""
    exact = {Fraction(x): count for x, count in tally}
    found = reference("groups").advantages(exact, estimator, k=k, std=std, eps=eps)
    return {float(x): float(a) for x, a in found.items()}
