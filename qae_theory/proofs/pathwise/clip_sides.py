"""Prove claim ``clip-sides``: under QAE only clip-high can bind in a hard group, and only clip-low in an easy one.

All advantages of a group have one sign, and min(x A, clip(x) A) is flat on one side only. The shipped clipped term and
the shipped gate run on symbols (z3); ties compare signs and objectives. What takes the guarantee away (an interpolated
quantile, GRPO, dual clip) is shown too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import z3

from qae_theory.advantages import advantages
from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.objective import clipped_surrogate, group_objective
from qae_theory.proofs.carriers.integers import group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.objective.clipping import CLIPS, clip_domain, clip_symbols, clip_term, upper
from qae_theory.proofs.tools.checking import both, for_all, valid, valid_on_every_path, with_witness
from qae_theory.proofs.tools.groups import LEVELS, binary_group, exact, mixed_groups, number

# DAPO's range, .2 below and .28 above.
LOW, HIGH = CLIPS[0]["clip_low"], CLIPS[0]["clip_high"]


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    # Signs and slopes make the claim; the scope says where it stops.
    steps = (*_proof(), *_ties(), *_scope())
    ledger.add(Evidence("clip-sides", "signs-and-slopes", Kind.PROOF, Role.FOR, steps))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says="The exact gate's baseline is 0 on hard and 1 on easy groups (`eq4-threshold`; the shipped "
            r"`is_hard_group` on symbolic integers is $(G-m)q \ge pG$). So with $R \in \{0, 1\}$ and $t = "
            r"\sigma + \varepsilon > 0$ every advantage $(R - b_K)/t$ of a hard group is at least 0 and "
            "every one of an easy group at most 0. A degenerate group has A = 0.",
            check=partial(_signs, easy_baseline=1),
            planted="baseline 1/2 on easy groups",
            control=partial(_signs, easy_baseline=z3.Q(1, 2)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For $A > 0$ the shipped `clipped_surrogate`, run on symbols, is $xA$ for all $0 < x \le "
            r"1+\varepsilon_{high}$, also below $1-\varepsilon_{low}$, and the constant "
            r"$(1+\varepsilon_{high})A$ from there on: slope $A$, then 0. Only clip-high can bind.",
            check=partial(_positive_side, bound=lambda low, high: 1 + high),
            planted="clip-low's bound in its place",
            control=partial(_positive_side, bound=lambda low, high: 1 - low),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For $A < 0$ it is $xA$ for all $x \ge 1-\varepsilon_{low}$, also above "
            r"$1+\varepsilon_{high}$, and the constant $(1-\varepsilon_{low})A$ below: only clip-low can "
            "bind. For $A = 0$ it is 0 and has no gradient to lose.",
            check=partial(_negative_side, bound=lambda low, high: 1 - low),
            planted="clip-high's bound in its place",
            control=partial(_negative_side, bound=lambda low, high: 1 + high),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says="The shipped `advantages` of QAE have these signs, and at least one that is not 0, on every "
            "mixed group: four levels, thresholds included, both standard deviations.",
            check=partial(_shipped_signs, rule="qae"),
            planted="the interpolated quantile (released code)",
            control=partial(_shipped_signs, rule="qae_linear"),
            tie=True,
        ),
        Step(
            says="Both bounds do bind. The shipped `group_objective` of a hard group does not change when ratios "
            "above 1.28 move, and changes with every ratio of a correct response below it, down to 0.01; "
            "the mirror holds for an easy group and 0.8.",
            check=partial(_bounds_bind, hard=(1, 3), easy=(2, 3)),
            planted="the two groups exchanged",
            control=partial(_bounds_bind, hard=(2, 3), easy=(1, 3)),
            tie=True,
        ),
    )


def _scope() -> tuple[Step, ...]:
    return (
        Step(
            says="Scope: the gate must be exact. Linear interpolation at $G = 8$, $K = 2/5$, $m = 5$ gives $b = "
            "4/5$, so both signs and both bounds. It agrees with the exact gate where $(G-1)K$ is an "
            "integer (`eq4-released-code-if`).",
            check=partial(_both_signs, rule="qae_linear", k=Fraction(2, 5)),
            planted="K = 3/7, where (G - 1) K is an integer",
            control=partial(_both_signs, rule="qae_linear", k=Fraction(3, 7)),
            generality=Generality.GENERAL,
        ),
        Step(
            says="Under GRPO every mixed group has both signs and so can meet both bounds.",
            check=partial(_both_signs_always, rule="grpo"),
            planted="QAE",
            control=partial(_both_signs_always, rule="qae"),
            tie=True,
        ),
        Step(
            says=r"Scope: verl's dual clip, $\max(f, cA)$ for $A < 0$ with $c \ge 1$ (3 or 10), also caps easy "
            r"groups from above: it is the constant $cA$ for $x \ge c$.",
            check=partial(_dual_clip, negative=True),
            planted="A > 0",
            control=partial(_dual_clip, negative=False),
            generality=Generality.GENERAL,
        ),
    )


def _signs(*, easy_baseline: Any) -> Finding:
    """Find whether every advantage of a hard group is at least 0 and every one of an easy group at most 0."""
    s = group_symbols()

    def gate(path: Path) -> Any:
        return s.is_hard == bool(is_hard_group(s.correct_on(path), s.size_on(path), s.level_on(path)))

    r, t = z3.Reals("R t")
    # Binary rewards, and a positive scale std + eps.
    known = (z3.Or(r == 0, r == 1), t > 0)
    hard = valid(z3.And((r - 0) / t >= 0, ((r - 0) / t == 0) == (r == 0)), *known)
    easy = valid(z3.And((r - easy_baseline) / t <= 0, ((r - easy_baseline) / t == 0) == (r == 1)), *known)
    return both(easy, hard, valid_on_every_path(gate, *s.domain))


def _positive_side(*, bound: Callable[[Any, Any], Any]) -> Finding:
    """Find whether the shipped term for A > 0 is x A up to a corner, and constant from there on."""
    x, a, low, high = clip_symbols()

    def goal(path: Path) -> Any:
        term, corner = clip_term(x, a, low, high, path), bound(low, high)
        return z3.And(z3.Implies(x <= corner, term == x * a), z3.Implies(x >= corner, term == corner * a))

    return valid_on_every_path(goal, *clip_domain(x), a > 0)


def _negative_side(*, bound: Callable[[Any, Any], Any]) -> Finding:
    """Find whether the shipped term for A < 0 is x A down to a corner and constant below it, and 0 for A = 0."""
    x, a, low, high = clip_symbols()

    def negative(path: Path) -> Any:
        term, corner = clip_term(x, a, low, high, path), bound(low, high)
        return z3.And(z3.Implies(x >= corner, term == x * a), z3.Implies(x <= corner, term == corner * a))

    def zero(path: Path) -> Any:
        return clip_term(x, a, low, high, path) == 0

    return both(
        valid_on_every_path(negative, *clip_domain(x), a < 0),
        valid_on_every_path(zero, *clip_domain(x), a == 0),
    )


def _shipped_signs(effort: Effort, *, rule: str) -> Finding:
    """Find whether the shipped advantages of every mixed group have one sign, and are not all 0."""
    largest = effort.pick(14, 7)

    def cases() -> Iterator[tuple[str, bool]]:
        for (m, size), k, std in product(mixed_groups(largest), LEVELS, ("population", "bessel")):
            # The gate is exact here, also for the rule that interpolates: that rule is the control.
            sign = 1 if is_hard_group(m, size, k) else -1
            # With the sign of its regime every advantage is at least 0.
            signed = [sign * a for a in advantages(binary_group(m, size), rule, k=k, std=std, eps=0)]
            holds = all(bool(a >= 0) for a in signed) and any(bool(a > 0) for a in signed)
            yield f"{rule}, K={k}, m={m}, G={size}, {std}", holds

    return for_all(cases(), f"all mixed groups of at most {largest}, four levels")


def _bounds_bind(*, hard: tuple[int, int], easy: tuple[int, int]) -> Finding:
    """Find whether the shipped objective of a hard and of an easy group is frozen beyond one bound only."""
    # Two ratios in each zone: if the objective is the same at both, that zone is frozen.
    above, inside, below = (Fraction(2), Fraction(3)), (Fraction(9, 10), 1 + HIGH), (Fraction(1, 100), Fraction(1, 2))
    cases = []
    # Correct ones come last: a hard group's last response and an easy group's first have the advantage.
    # Each group with the zones that must be frozen for it, and those that must not.
    for (m, size), place, frozen, free in (
        (hard, -1, (above,), (inside, below)),
        (easy, 0, (below,), (inside, above)),
    ):
        a = advantages(binary_group(m, size), "qae", k="0.4", eps=0)
        for start, stop in (*frozen, *free):
            # Only the response with an advantage is moved.
            first, last = (_objective_at(ratio, place, a) for ratio in (start, stop))
            label = f"m={m}, ratio {start} to {stop}: objective {first} to {last}"
            cases.append((label, bool(first == last) == ((start, stop) in frozen)))
    finding = for_all(cases, "one hard and one easy group")
    clip = {"clip range": f"[{1 - LOW}, {1 + HIGH}]", "K": "2/5", "G": "3"}
    return with_witness(finding, {**clip, **{f"case {i + 1}": label for i, (label, _) in enumerate(cases)}})


def _objective_at(ratio: Fraction, place: int, a: Any) -> Any:
    """Return the shipped objective of a group whose ratios are 1, but for one."""
    ratios = exact([1] * len(a))
    ratios[place] = ratio
    return number(group_objective(ratios, a, **CLIPS[0]))


def _both_signs(*, rule: str, k: Fraction) -> Finding:
    """Find whether a rule gives one group of eight advantages of both signs; show the clipped terms."""
    a = [number(value) for value in advantages(binary_group(5, 8), rule, k=k, std="population", eps=0)]
    # Two ratios above the range: a success is clipped there, a failure is not.
    slopes = [clipped_surrogate(exact([2, 3]), value, **CLIPS[0]) for value in (a[-1], a[0])]
    mixed = bool(max(a) > 0) and bool(min(a) < 0)
    finding = for_all([(f"{rule}, K={k}: advantages {a[-1]} and {a[0]}", mixed)], "one group")
    shown = {"K": str(k), "G": "8", "m": "5", "A of a success": str(a[-1]), "A of a failure": str(a[0])}
    for name, values in zip(("success", "failure"), slopes, strict=True):
        shown[f"term of a {name} at ratios 2 and 3"] = f"{values[0]}, {values[1]}"
    return with_witness(finding, shown)


def _both_signs_always(effort: Effort, *, rule: str) -> Finding:
    """Find whether a rule gives every mixed group advantages of both signs."""
    largest = effort.pick(16, 8)
    cases = []
    for m, size in mixed_groups(largest):
        a = advantages(binary_group(m, size), rule, eps=0)
        cases.append((f"{rule}, m={m}, G={size}", bool(max(a) > 0) and bool(min(a) < 0)))
    return for_all(cases, f"all mixed groups of at most {largest}")


def _dual_clip(*, negative: bool) -> Finding:
    """Find whether the larger of the shipped term and c A is c A for ratios of at least c."""
    x, a, low, high = clip_symbols()
    c = z3.Real("c")

    def goal(path: Path) -> Any:
        # max(f, c A) is the constant c A exactly where f lies below it.
        return upper(clip_term(x, a, low, high, path), c * a) == c * a

    return valid_on_every_path(goal, *clip_domain(x), c >= 1, x >= c, a < 0 if negative else a > 0)
