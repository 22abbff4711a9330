"""Prop. 4.1: the group objective is the masked, re-weighted form, for all groups, ratios and clip ranges."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.arrays import Array, sqrt
from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.objective import clipped_surrogate, group_objective, masked_objective, query_weights
from qae_theory.proofs.tools.checking import all_zero, both, for_all, valid, with_witness
from qae_theory.proofs.tools.groups import LEVELS, binary_group, close, exact, floats, mixed_groups, same
from qae_theory.proofs.tools.reals import Path, paths, real_term, valid_on_every_path

RULES = ("grpo", "qae", "pos_mask", "neg_mask")
CLIPS: tuple[dict[str, Any], ...] = (
    {"clip_low": Fraction(1, 5), "clip_high": Fraction(28, 100)},
    {"clip_low": 0, "clip_high": 0},
    {"clip_low": Fraction(9, 10), "clip_high": float("inf")},
)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*_proof(), *_ties(), *_scope())
    ledger.add(Evidence("prop41-identity", "term-by-term-proof", Kind.PROOF, Role.FOR, steps))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says="One term. The shipped `clipped_surrogate`, run on a symbolic ratio $x > 0$, advantage $A$ and "
            r"clip ranges, is $f(x, A) = A\,\min(x, 1+\varepsilon_{high})$ for $A \ge 0$ and $A\,\max(x, "
            r"1-\varepsilon_{low})$ for $A \le 0$: the other bound drops out. So $f$ is $A s^+$ on a "
            r"correct response and $A s^-$ on a wrong one whenever $A_+ \ge 0 \ge A_-$.",
            check=partial(_surrogate_splits, wrong_side=upper),
            planted="min for max on the wrong side",
            control=partial(_surrogate_splits, wrong_side=lower),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The sum over a group, by induction over its responses. If $\sum f = A_+ \sum s^+ + A_- \sum "
            "s^-$ and one response is added, correct or wrong, with any ratio, the same holds of the "
            "longer sums; the empty group starts it with $0 = 0$. The same induction over the tokens of a "
            r"response covers token means. It needs $A_+ \ge 0 \ge A_-$.",
            check=partial(_sum_grows, sign=1),
            planted="A- >= 0",
            control=partial(_sum_grows, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says="The variance of $m$ ones and $n = G-m$ zeros around their mean $p = m/G$, divided by $G$, is "
            "$p(1-p)$; for a mixed group it is positive.",
            check=partial(_variance, lost=0),
            planted="Bessel: divided by G - 1",
            control=partial(_variance, lost=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The advantages that the shipped `advantages` gives, at eps = 0 and times $\sqrt{p(1-p)}$: "
            "GRPO $(1-p, -p)$ to correct and wrong; QAE $(1, 0)$ on hard and $(0, -1)$ on easy groups; "
            r"POS-MASK $(1, -1)$ and $(0, -1)$; NEG-MASK $(1, 0)$ and $(1, -1)$. In every case $A_+ \ge 0 "
            r"\ge A_-$. (The gate for all $G$, $m$, $K$ is `eq4-threshold`.)",
            check=partial(_shipped_advantages, std="population"),
            planted="Bessel for population",
            control=partial(_shipped_advantages, std="bessel"),
            tie=True,
        ),
        Step(
            says=r"So $\frac1G\sum_i f = \frac1G(A_+\, m\, E_+[s^+] + A_-\, n\, E_-[s^-])$, and with those "
            r"advantages this is $w_+E_+[s^+] - w_-E_-[s^-]$ with the weights $u = \sqrt{p/(1-p)}$, $v = "
            r"\sqrt{(1-p)/p}$, $\sqrt{p(1-p)}$ of the proposition: four rules, two regimes, symbolic $m$, "
            "$n$, $E_+$, $E_-$.",
            check=partial(_weights_follow, swap=False),
            planted="u and v exchanged",
            control=partial(_weights_follow, swap=True),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says="The shipped `query_weights` are those weights, exactly, thresholds included.",
            check=partial(_shipped_weights, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_shipped_weights, level_of=lambda k: 1 - k),
            tie=True,
        ),
        Step(
            says="The shipped `group_objective` and `masked_objective`, both run on symbolic ratios and clip "
            "ranges, are equal on every path through their minima and maxima, so for all real ratios and "
            "clip ranges at once (small groups, all four rules, exact square roots).",
            check=partial(_shipped_on_symbols, std="population"),
            planted="Bessel for population",
            control=partial(_shipped_on_symbols, std="bessel"),
            tie=True,
        ),
        Step(
            says="They are equal as exact numbers on larger groups: batches, both orders of the rewards, four "
            "levels, clip ranges down to 0 and up to infinity.",
            check=partial(_shipped_exactly, std="population"),
            planted="Bessel for population",
            control=partial(_shipped_exactly, std="bessel"),
            tie=True,
        ),
        Step(
            says="In float64, with the default clip ranges 0.2 and 0.28 and the default K = 0.4, they agree with "
            "the exact values.",
            check=partial(_shipped_floats, clip_high=0.28),
            planted="clip_high = 0.2",
            control=partial(_shipped_floats, clip_high=0.2),
            tie=True,
        ),
    )


def _scope() -> tuple[Step, ...]:
    return (
        Step(
            says="Token-level ratios: with the mean over a response's tokens first, $s^+$ and $s^-$ are token "
            "means and the identity holds for responses of unequal lengths.",
            check=partial(_token_means, lengths=(1, 3, 2), per_response=True),
            planted="DAPO's normaliser: one mean over all tokens",
            control=partial(_token_means, lengths=(1, 3, 2), per_response=False),
            tie=True,
        ),
        Step(
            says="One mean over all tokens, DAPO's normaliser, breaks the identity as soon as lengths differ: "
            "lengths 1 and 2 suffice.",
            check=partial(_token_normaliser_breaks, lengths=(1, 2)),
            planted="equal lengths",
            control=partial(_token_normaliser_breaks, lengths=(2, 2)),
            generality=Generality.GENERAL,
        ),
        Step(
            says="A degenerate group, also one of a single response, weighs nothing on either side, for every rule.",
            check=partial(_degenerate, groups=((1,), (0,), (1, 1, 1), (0, 0))),
            planted="a mixed group",
            control=partial(_degenerate, groups=((1, 1, 0),)),
            tie=True,
        ),
    )


def numerators(rule: str, hard: bool, p: Any) -> tuple[Any, Any]:
    """A rule's advantage of a correct and of a wrong response, times the standard deviation (eps = 0)."""
    return {
        "grpo": (1 - p, -p),
        "qae": (1, 0) if hard else (0, -1),
        "pos_mask": (1 if hard else 0, -1),
        "neg_mask": (1, 0 if hard else -1),
    }[rule]


def options(rule: str, k: Any) -> dict[str, Any]:
    """The quantile level, for the rules that have one."""
    return {} if rule == "grpo" else {"k": k}


def clip_term(x: Any, a: Any, low: Any, high: Any, path: Path) -> Any:
    """The shipped ``clipped_surrogate`` at one symbolic ratio and advantage."""
    values = clipped_surrogate(path.reals(x), path.reals(a), clip_low=path.real(low), clip_high=path.real(high))
    return real_term(values)


def clip_symbols() -> tuple[Any, Any, Any, Any]:
    """A ratio x, an advantage A and the two clip ranges."""
    x, a, low, high = z3.Reals("x A e_low e_high")
    return x, a, low, high


def clip_domain(*ratios: Any) -> tuple[Any, ...]:
    """Positive ratios, 0 <= e_low < 1, e_high >= 0."""
    _, _, low, high = clip_symbols()
    return (*(x > 0 for x in ratios), low >= 0, low < 1, high >= 0)


def lower(a: Any, b: Any) -> Any:
    """The minimum of two z3 terms."""
    return z3.If(a <= b, a, b)


def upper(a: Any, b: Any) -> Any:
    """The maximum of two z3 terms."""
    return z3.If(a >= b, a, b)


def _surrogate_splits(*, wrong_side: Any) -> Finding:
    x, a, low, high = clip_symbols()

    def goal(path: Path) -> Any:
        term = clip_term(x, a, low, high, path)
        positive = z3.Implies(a >= 0, term == a * lower(x, 1 + high))
        return z3.And(positive, z3.Implies(a <= 0, term == a * wrong_side(x, 1 - low)))

    return valid_on_every_path(goal, *clip_domain(x))


def _sum_grows(*, sign: int) -> Finding:
    """One more response keeps: sum of terms = A+ (sum of s+) + A- (sum of s-)."""
    x, _, low, high = clip_symbols()
    total, right, wrong, a_right, a_wrong = z3.Reals("S P N A_right A_wrong")
    known = (total == a_right * right + a_wrong * wrong, a_right >= 0, sign * a_wrong <= 0)

    def add_correct(path: Path) -> Any:
        grown = total + clip_term(x, a_right, low, high, path)
        return grown == a_right * (right + lower(x, 1 + high)) + a_wrong * wrong

    def add_wrong(path: Path) -> Any:
        grown = total + clip_term(x, a_wrong, low, high, path)
        return grown == a_right * right + a_wrong * (wrong + upper(x, 1 - low))

    return both(*(valid_on_every_path(goal, *clip_domain(x), *known) for goal in (add_correct, add_wrong)))


def _variance(*, lost: int) -> Finding:
    m, n = sympy.symbols("m n", positive=True)
    size = m + n
    p = m / size
    return all_zero([(m * (1 - p) ** 2 + n * p**2) / (size - lost) - p * (1 - p)])


def _weights_follow(*, swap: bool) -> Finding:
    """(1/G)(A+ m E+ + A- n E-) = w+ E+ - w- E- for every rule and regime, m and n = G - m symbolic."""
    m, n = sympy.symbols("m n", positive=True)
    mean_right, mean_wrong = sympy.symbols("E_right E_wrong")
    size = m + n
    p = m / size
    residuals = []
    for rule in RULES:
        for hard in (True, False):
            top_right, top_wrong = numerators(rule, hard, p)
            left = (top_right * m * mean_right + top_wrong * n * mean_wrong) / size / sympy.sqrt(m * n) * size
            weight_right, weight_wrong = _weights(rule, hard, 1 - p if swap else p)
            residuals.append(left - (weight_right * mean_right - weight_wrong * mean_wrong))
    return all_zero(residuals, sympy.simplify)


def _weights(rule: str, hard: bool, p: Any) -> tuple[Any, Any]:
    """The proposition's weights: u and v, masked as the rule says, and sqrt(p (1 - p)) for GRPO."""
    root = sympy.sqrt if isinstance(p, sympy.Basic) else lambda value: sqrt(exact([value])).item()
    u, v, both_sides = root(p / (1 - p)), root((1 - p) / p), root(p * (1 - p))
    return {
        "grpo": (both_sides, both_sides),
        "qae": (u, 0) if hard else (0, v),
        "pos_mask": (u if hard else 0, v),
        "neg_mask": (u, 0 if hard else v),
    }[rule]


def _shipped_advantages(effort: Effort, *, std: str) -> Finding:
    largest = effort.pick(20, 10)
    cases = (
        (
            f"{rule}, K={k}, m={m}, G={size}",
            advantages(binary_group(m, size), rule, std=std, eps=0, **options(rule, k)),
            exact([wrong] * (size - m) + [right] * m) / sqrt(exact([Fraction(m * (size - m), size**2)])),
        )
        for m, size in mixed_groups(largest)
        for k in LEVELS
        for rule in RULES
        for right, wrong in [numerators(rule, is_hard_group(m, size, k), Fraction(m, size))]
    )
    return same(cases, f"all mixed groups of at most {largest}, four levels, four rules")


def _shipped_weights(effort: Effort, *, level_of: Any) -> Finding:
    largest = effort.pick(20, 10)
    cases = (
        (
            f"{rule}, K={k}, m={m}, G={size}",
            np.array(query_weights(binary_group(m, size), rule, k=k)),
            exact(_weights(rule, is_hard_group(m, size, level_of(k)), Fraction(m, size))),
        )
        for m, size in mixed_groups(largest)
        for k in LEVELS
        for rule in RULES
    )
    return same(cases, f"all mixed groups of at most {largest}, four levels, four rules")


def _shipped_on_symbols(effort: Effort, *, std: str) -> Finding:
    """Both sides, run on symbolic ratios and clip ranges: equal on every path through minimum and maximum."""
    _, _, low, high = clip_symbols()
    count = 0
    for m, size in effort.pick(((1, 2), (1, 3), (2, 3)), ((1, 2),)):
        for rule in RULES:
            ratios, rewards = z3.Reals([f"x_{i}" for i in range(size)]), binary_group(m, size)
            weights = advantages(rewards, rule, eps=0, std=std)

            def goal(
                path: Path, rule: str = rule, ratios: Any = ratios, rewards: Any = rewards, a: Any = weights
            ) -> Any:
                x, clip = path.reals(*ratios), {"clip_low": path.real(low), "clip_high": path.real(high)}
                return real_term(group_objective(x, a, **clip)) == real_term(masked_objective(x, rewards, rule, **clip))

            for path, formula in paths(goal, *clip_domain(*ratios)):
                finding = valid(formula, *path.conditions)
                if not finding.passed:
                    return finding
                count += 1
    return Finding(True, "z3 countermodel", f"z3: no countermodel on {count} paths")


def _some_ratios(size: int, turn: int) -> Array:
    """Ratios below, inside and above the usual clip range, in an order that ``turn`` shifts."""
    pool = [Fraction(n, 20) for n in (3, 16, 19, 20, 24, 27, 60)]
    return exact([pool[(2 * i + turn) % len(pool)] for i in range(size)])


def _shipped_exactly(effort: Effort, *, std: str) -> Finding:
    """Both sides as Fractions and square roots, three groups a call, in two orders of the rewards."""
    largest = effort.pick(7, 5)
    cases = []
    for size in range(2, largest + 1):
        ratios = np.stack([_some_ratios(size, turn) for turn in range(3)])
        for m in range(1, size):
            rewards = np.stack([binary_group(m, size), binary_group(m, size)[::-1], binary_group(size - m, size)])
            for k in LEVELS[:: effort.pick(1, 2)]:
                for clip in CLIPS:
                    for rule in RULES:
                        a = advantages(rewards, rule, eps=0, std=std, **options(rule, k))
                        left = group_objective(ratios, a, **clip)
                        right = masked_objective(ratios, rewards, rule, k=k, **clip)
                        cases.append((f"{rule}, K={k}, m={m}, G={size}, {clip}", left, right))
    return same(cases, f"groups of at most {largest} in batches, three clip ranges")


def _shipped_floats(*, clip_high: float) -> Finding:
    """Float64 with default options against exact values with the defaults written out."""
    cases = []
    for size in (2, 5, 8):
        rewards = np.stack([binary_group(m, size) for m in range(size + 1)])
        ratios = np.stack([_some_ratios(size, turn) for turn in range(size + 1)])
        for rule in RULES:
            a = advantages(rewards, rule, eps=0, **options(rule, "0.4"))
            clip: dict[str, Any] = {"clip_low": Fraction(1, 5), "clip_high": Fraction(str(clip_high))}
            expected = floats(masked_objective(ratios, rewards, rule, k="0.4", **clip))
            label = f"{rule}, G={size}, m=0..{size}"
            cases += [
                (label, group_objective(floats(ratios), floats(a)), expected),
                (label, masked_objective(floats(ratios), floats(rewards), rule), expected),
                (
                    label,
                    np.array(query_weights(floats(rewards), rule)),
                    floats(np.array(query_weights(rewards, rule))),
                ),
                (
                    label,
                    clipped_surrogate(floats(ratios), floats(a)),
                    floats(clipped_surrogate(ratios, a, **clip)),
                ),
            ]
    return close(cases, "float64, degenerate groups included")


def _token_means(
    *,
    lengths: tuple[int, ...],
    per_response: bool,
    ratios: tuple[Fraction, ...] | None = None,
) -> Finding:
    """Token-level ratios: the mean over responses of token means, or one over all tokens, is the masked form."""
    cases = []
    size = len(lengths)
    for rule in RULES:
        for m in range(1, size):
            rewards = binary_group(m, size)
            a = advantages(rewards, rule, eps=0)
            tokens = [
                exact(list(ratios[:length])) if ratios else _some_ratios(length, i) for i, length in enumerate(lengths)
            ]
            terms = [clipped_surrogate(x, a[i], **CLIPS[0]) for i, x in enumerate(tokens)]
            weights = [Fraction(1, size * n) if per_response else Fraction(1, sum(lengths)) for n in lengths]
            left = sum(w * term.sum() for w, term in zip(weights, terms, strict=True))
            # s+ <= 1 + e_high and s- >= 1 - e_low already, so the second clipping inside changes nothing.
            means = exact([_clipped_mean(x, reward) for x, reward in zip(tokens, rewards, strict=True)])
            right = masked_objective(means, rewards, rule, **CLIPS[0])
            cases.append((f"{rule}, m={m}, lengths {lengths}", left, right))
    return same(cases, f"token-level ratios of responses of lengths {lengths}")


def _clipped_mean(ratios: Array, reward: Any) -> Any:
    """s+ of a correct response, s- of a wrong one."""
    low, high = CLIPS[0]["clip_low"], CLIPS[0]["clip_high"]
    clipped = np.minimum(ratios, 1 + high) if reward == 1 else np.maximum(ratios, 1 - low)
    return clipped.sum() / Fraction(len(ratios))


def _token_normaliser_breaks(*, lengths: tuple[int, int]) -> Finding:
    rewards = exact([1, 0])
    a = advantages(rewards, "qae", k="0.4", eps=0)
    terms = clipped_surrogate(exact([1, 1]), a, **CLIPS[0])
    value = (terms * exact(list(lengths))).sum() / sum(lengths)
    masked = masked_objective(exact([1, 1]), rewards, "qae", k="0.4", **CLIPS[0])
    finding = for_all([(f"lengths {lengths}: {value} and {masked}", value != masked)], "one group")
    return with_witness(
        finding,
        {
            "K": "2/5",
            "R": "(1, 0)",
            "token lengths": str(lengths),
            "ratios": "all 1",
            "mean over all tokens": str(value),
            "masked form": str(masked),
        },
    )


def _degenerate(*, groups: tuple[tuple[int, ...], ...]) -> Finding:
    cases = []
    for rewards in groups:
        ratios, group = _some_ratios(len(rewards), 0), exact(list(rewards))
        for rule in RULES:
            for x, r in ((ratios, group), (floats(ratios), floats(group))):
                sides = (group_objective(x, advantages(r, rule, eps=0)), masked_objective(x, r, rule))
                values = exact([*sides, *query_weights(r, rule)])
                cases.append((f"{rule}, rewards {rewards}", values, exact([0] * 4)))
    return same(cases, "degenerate groups, exact and float64")
