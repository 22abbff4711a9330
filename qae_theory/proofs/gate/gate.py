"""What the two-regime gate does to the signs and zeros of QAE's advantages; binary rewards and DAPO's.

The quantile itself is in ``quantile``; the other estimators are in ``estimators``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import sympy
import z3
from hypothesis import strategies as st

from qae_theory import advantages
from qae_theory.baselines import group_variance, quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.gate.eq4 import rank_selects_zero_step
from qae_theory.proofs.tools import estimator_ties as ties
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import all_equal, all_zero, for_all, survives, valid, with_witness
from qae_theory.proofs.tools.estimator_ties import exact_array, levels, same
from qae_theory.proofs.tools.integers import SymbolicInt, group_symbols


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    for regime in ("hard", "easy"):
        steps = _regime_steps(hard=regime == "hard")
        ledger.add(Evidence(f"gate-{regime}", "algebraic-proof", Kind.PROOF, Role.FOR, steps))
    ledger.add(Evidence("gate-nonbinary", "smallest-groups", Kind.WITNESS, Role.AGAINST, _dapo_steps()))
    ledger.add(Evidence("k-shares", "monotonicity-proof", Kind.PROOF, Role.FOR, _share_steps()))


def _regime_steps(*, hard: bool) -> tuple[Step, ...]:
    baseline, name = (0, "hard") if hard else (1, "easy")
    signs = "$A > 0$ for $R = 1$ and $A = 0$ for $R = 0$" if hard else "$A = 0$ for $R = 1$ and $A < 0$ for $R = 0$"
    all_same = "all wrong ($m = 0$)" if hard else "all correct ($m = G$)"
    return (
        rank_selects_zero_step(),
        Step(
            says=rf"So QAE's baseline in {'a hard' if hard else 'an easy'} group is $b = {baseline}$. The "
            rf"variance of $m$ ones and $G-m$ "
            r"zeros with mean $\hat p = m/G$ is $\hat p(1-\hat p)$, and $\frac{G}{G-1}\hat p(1-\hat p)$ "
            r"with Bessel's divisor.",
            check=partial(_variance_is, bessel_factor=lambda size: size / (size - 1)),
            planted="the Bessel factor is (G + 1)/G",
            control=partial(_variance_is, bessel_factor=lambda size: (size + 1) / size),
        ),
        Step(
            says=rf"In a mixed group $0 < m < G$, so $\mathrm{{std}} > 0$, and for every $\varepsilon \ge 0$, "
            rf"$A = (R - {baseline})/(\mathrm{{std}} + \varepsilon)$ is {signs}.",
            check=partial(_signs_are, hard=hard, baseline=baseline),
            planted=f"baseline {1 - baseline}",
            control=partial(_signs_are, hard=hard, baseline=1 - baseline),
            generality=Generality.GENERAL,
        ),
        Step(
            says=rf"A degenerate group ($m = 0$ or $m = G$) that is {name} is {all_same}, for every $K$.",
            check=partial(_degenerate_is, hard=hard, all_correct=not hard),
            planted="all correct" if hard else "all wrong",
            control=partial(_degenerate_is, hard=hard, all_correct=hard),
            generality=Generality.GENERAL,
        ),
        Step(
            says=rf"Tie: the shipped `advantages(..., 'qae')` gives exactly these values on every {name} binary "
            rf"group up to a size, mixed "
            r"and degenerate, for every class of $K$, both standard deviations and $\varepsilon \in \{0, "
            r"10^{-6}, 1/10\}$, in exact arithmetic, and to rounding in float64.",
            check=partial(_shipped_regime, hard=hard, std_of=lambda std: std),
            planted="Bessel for population",
            control=partial(
                _shipped_regime,
                hard=hard,
                std_of={"population": "bessel", "bessel": "population"}.__getitem__,
            ),
            tie=True,
        ),
    )


def _variance_is(effort: Effort, *, bessel_factor: Any) -> Finding:
    m, size = sympy.symbols("m G", positive=True)
    p = m / size
    squares = m * (1 - p) ** 2 + (size - m) * p**2
    typed = [squares / size - p * (1 - p), squares / (size - 1) - bessel_factor(size) * p * (1 - p)]
    shipped = []
    for number in range(2, effort.pick(20, 9) + 1):
        for count in range(number + 1):
            group = exact_array([[1] * count + [0] * (number - count)])
            p_hat = Fraction(count, number)
            for std, factor in (("population", Fraction(1)), ("bessel", bessel_factor(Fraction(number)))):
                shipped.append(group_variance(group, None, std)[0] - factor * p_hat * (1 - p_hat))
    return all_zero([*typed, *shipped])


def _signs_are(*, hard: bool, baseline: int) -> Finding:
    size, m, reward = z3.Reals("G m R")
    std, eps, a = z3.Reals("std eps A")
    p = m / size
    mixed = (size >= 2, m >= 1, m <= size - 1)
    variance = z3.Or(std * std == p * (1 - p), std * std * (size - 1) == p * (1 - p) * size)
    domain = (
        *mixed,
        variance,
        std >= 0,
        eps >= 0,
        z3.Or(reward == 0, reward == 1),
        a * (std + eps) == reward - baseline,
    )
    correct, wrong = (a > 0, a == 0) if hard else (a == 0, a < 0)
    return valid(z3.And(std > 0, z3.If(reward == 1, correct, wrong)), *domain)


def _degenerate_is(*, hard: bool, all_correct: bool) -> Finding:
    size, m, k = z3.Reals("G m K")
    in_regime = m <= size * (1 - k) if hard else m > size * (1 - k)
    return valid(m == (size if all_correct else 0), size >= 1, z3.Or(m == 0, m == size), k > 0, k < 1, in_regime)


def _shipped_regime(effort: Effort, *, hard: bool, std_of: Any) -> Finding:
    largest = effort.pick(8, 4)

    def cases() -> Iterator[tuple[str, bool]]:
        for size in range(2, largest + 1):
            for k in levels(size):
                counts = [m for m in range(size + 1) if (Fraction(m, size) <= 1 - k) == hard]
                rows = [[1] * m + [0] * (size - m) for m in counts]
                for std in ("population", "bessel"):
                    for eps in (Fraction(0), Fraction(1, 1_000_000), Fraction(1, 10)):
                        expected = [_regime_row(m, size, std_of(std), eps, hard) for m in counts]
                        options = {"k": k, "std": std, "eps": eps}
                        exact = advantages(exact_array(rows), "qae", **options)
                        label = f"G={size}, K={k}, {std}, eps={eps}"
                        pairs = zip(exact.flat, (a for row in expected for a in row), strict=True)
                        yield label, all(same(a, b) for a, b in pairs)
                        yield f"{label}, floats", ties.near(advantages(rows, "qae", **options), expected)

    return for_all(cases(), f"(G, K, std, eps), all groups of the regime, G <= {largest}")


def _regime_row(m: int, size: int, std: str, eps: Fraction, hard: bool) -> list[Any]:
    """The advantages that the statement names: 1/(std + eps) on one side of a mixed group, 0 elsewhere."""
    if m in (0, size):
        return [Fraction(0)] * size
    divisor = size * (size - 1) if std == "bessel" else size * size
    unit = 1 / (oracle.root(Fraction(m * (size - m), divisor), exact=True) + eps)
    return [unit] * m + [Fraction(0)] * (size - m) if hard else [Fraction(0)] * m + [-unit] * (size - m)


def _share_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The rank $\lceil KG\rceil$, the shipped `quantile_rank` on symbolic integers, is "
            r"non-decreasing in $K$.",
            check=partial(_rank_monotone, strict=False),
            planted="strictly increasing",
            control=partial(_rank_monotone, strict=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Order statistics are non-decreasing in their rank, so $K \le K'$ gives $b_K \le b_{K'}$ "
            r"(claim `eq4-left-inverse`). The std does not depend on $K$, so $A_i$ has the sign of $R_i - "
            r"b_K$ (or all $A_i = 0$, at every $K$, in a degenerate group). For every response $R > b_{K'}$ "
            r"implies $R > b_K$, and $R < b_K$ implies $R < b_{K'}$: the set of positive advantages can "
            r"only shrink and the set of negative ones only grow. Counting them gives the statement.",
            check=partial(_sets_nested, reverse=False),
            planted="b_K >= b_K'",
            control=partial(_sets_nested, reverse=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Tie: on random groups of rationals with ties the shipped `advantages(..., 'qae')` have nested "
            r"sets at random $K \le K'$, and so have those of `qae_linear`.",
            check=partial(_shipped_sets_nested, reverse=False),
            planted="K >= K'",
            control=partial(_shipped_sets_nested, reverse=True),
            tie=True,
        ),
        Step(
            says=r"Tie: on every group of the ties' list and along all classes of $K$, the shares of the shipped "
            r"advantages are those of the signs of $R_i - b_K$, with $b_K$ from its definition.",
            check=partial(_shipped_shares, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_shipped_shares, level_of=lambda k: 1 - k),
            tie=True,
        ),
    )


def _rank_monotone(*, strict: bool) -> Finding:
    s, (p, q) = group_symbols(), z3.Ints("p2 q2")
    size = SymbolicInt(s.group_size)
    low = quantile_rank(size, s.level).term  # type: ignore[arg-type, attr-defined]
    high = quantile_rank(size, type(s.level)(SymbolicInt(p), SymbolicInt(q))).term  # type: ignore[arg-type, attr-defined]
    return valid(low < high if strict else low <= high, *s.domain, p > 0, p < q, s.numerator * q <= p * s.denominator)


def _sets_nested(*, reverse: bool) -> Finding:
    low, high, reward, scale = z3.Reals("b_K b_K2 R scale")
    before, after = z3.Reals("A_K A_K2")
    domain = (
        scale > 0,
        low >= high if reverse else low <= high,
        before * scale == reward - low,
        after * scale == reward - high,
    )
    return valid(z3.And(z3.Implies(after > 0, before > 0), z3.Implies(before < 0, after < 0)), *domain)


def _shipped_sets_nested(effort: Effort, *, reverse: bool) -> Finding:
    reward = st.builds(Fraction, st.integers(-4, 4), st.sampled_from([1, 2, 4]))
    level = st.integers(2, 40).flatmap(lambda q: st.integers(1, q - 1).map(lambda p: Fraction(p, q)))

    def holds(case: tuple[list[Fraction], Fraction, Fraction]) -> bool:
        group, first, second = case
        low, high = sorted((first, second), reverse=reverse)
        values = np.array(group, dtype=np.float64)
        pairs = [(advantages(values, rule, k=low), advantages(values, rule, k=high)) for rule in ("qae", "qae_linear")]
        return all(bool(np.all(((b <= 0) | (a > 0)) & ((a >= 0) | (b < 0)))) for a, b in pairs)

    draw = st.tuples(st.lists(reward, min_size=2, max_size=10), level, level)
    return survives(draw, holds, examples=effort.pick(1500, 60), says="groups of up to 10 rationals, two levels")


def _shipped_shares(effort: Effort, *, level_of: Any) -> Finding:
    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(2, effort.pick(9, 6) + 1):
            groups = ties.binary_groups(size) + ties.graded_groups(size)
            batch = np.array(groups, dtype=np.float64)
            for k in levels(size):
                shipped = np.sign(advantages(batch, "qae", k=k)).tolist()
                expected = [_signs(group, oracle.quantile(group, level_of(k))) for group in groups]
                yield f"G={size}, K={k}", shipped, expected

    return all_equal(cases(), "(G, K), signs on batches of binary and graded groups")


def _signs(group: Sequence[Fraction], baseline: Fraction) -> list[int]:
    degenerate = len(set(group)) == 1
    return [0 if degenerate else (r > baseline) - (r < baseline) for r in group]


# DAPO's rewards: +-1 and a penalty between 0 and -1; the grid has no penalty, half of it, and all of it.
CORRECT = (Fraction(1), Fraction(1, 2), Fraction(0))
WRONG = (Fraction(-1), Fraction(-3, 2), Fraction(-2))


def _dapo_steps() -> tuple[Step, ...]:
    long_group = ["1"] * 4 + ["-1"] * 10 + ["-3/2", "-2"]
    return (
        Step(
            says=r"Two wrong responses, one of them overlong, at $K=.4$: the group is hard, and the shorter "
            r"failure is pushed up.",
            check=partial(_zero_is_lost, rewards=("-1", "-2")),
            planted="without the penalty",
            control=partial(_zero_is_lost, rewards=("-1", "-1")),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The smallest mixed hard group, at $K=.4$: rewards $1, -1, -2$. The overlong failure is pushed "
            r"down.",
            check=partial(_zero_is_lost, rewards=("1", "-1", "-2")),
            planted="without the penalty",
            control=partial(_zero_is_lost, rewards=("1", "-1", "-1")),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The easy mirror at $K=.4$: rewards $1, 1/2, -1$ (one success is overlong). The other success "
            r"is pushed up.",
            check=partial(_zero_is_lost, rewards=("1", "1/2", "-1")),
            planted="without the penalty",
            control=partial(_zero_is_lost, rewards=("1", "1", "-1")),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"A group of 16 at $K=.4$, $\hat p = 1/4$: four at $1$, ten at $-1$, one at $-3/2$, one at "
            r"$-2$. Two failures of a hard group are pushed down.",
            check=partial(_zero_is_lost, rewards=tuple(long_group)),
            planted="without the penalties",
            control=partial(_zero_is_lost, rewards=(*["1"] * 4, *["-1"] * 12)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Minimality: with rewards of the grid $1, 1/2, 0$ and $-1, -3/2, -2$ no mixed group of two "
            r"loses a zero, at any class of $K$.",
            check=partial(_mixed_groups_keep_zeros, size=2),
            planted="no mixed group of three",
            control=partial(_mixed_groups_keep_zeros, size=3),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"What survives: every correct reward ($\ge 0$) exceeds every wrong one ($\le -1$), so among "
            r"$G-m$ wrong and $m$ correct responses the order statistic of rank $\lceil KG\rceil$ is a "
            r"wrong one's if the group is hard and a correct one's if it is easy. Hence in a hard group "
            r"every correct response still has $A > 0$, and in an easy group every wrong one $A < 0$.",
            check=partial(_order_survives, gap=-1),
            planted="wrong rewards up to 0",
            control=partial(_order_survives, gap=0),
            generality=Generality.GENERAL,
        ),
    )


def _zero_is_lost(*, rewards: tuple[str, ...]) -> Finding:
    """Some wrong response of a hard group, or correct one of an easy group, has A != 0; K = .4, eps = 0."""
    group, k = tuple(Fraction(r) for r in rewards), Fraction(2, 5)
    shipped = advantages(exact_array([group]), "qae", k=k, eps=0)[0]
    hard = _is_hard(group, k)
    finding = for_all([(f"rewards {', '.join(rewards)}", _loses_zero(group, shipped, hard))], "one group")
    short = dict(zip(map(str, group), map(str, shipped), strict=True))
    return with_witness(
        finding,
        {
            "rewards": ", ".join(f"{rewards.count(r)} x {r}" for r in dict.fromkeys(rewards)),
            "K": str(k),
            "regime": "hard" if hard else "easy",
            "baseline": str(oracle.quantile(group, k)),
            "A by reward": ", ".join(f"{r}: {a}" for r, a in short.items()),
        },
    )


def _is_hard(group: Sequence[Fraction], k: Fraction) -> bool:
    return Fraction(sum(r in CORRECT for r in group), len(group)) <= 1 - k


def _loses_zero(group: Sequence[Fraction], shipped: Any, hard: bool) -> bool:
    gated = WRONG if hard else CORRECT
    return any(r in gated and bool(a != 0) for r, a in zip(group, shipped, strict=True))


def _mixed_groups_keep_zeros(*, size: int) -> Finding:

    def cases() -> Iterator[tuple[str, bool]]:
        for group in combinations_with_replacement(CORRECT + WRONG, size):
            if 0 < sum(r in CORRECT for r in group) < size:
                for k in levels(size):
                    shipped = advantages(np.array(group, dtype=np.float64), "qae", k=k)
                    yield (
                        f"{', '.join(map(str, group))}, K={k}",
                        not _loses_zero(group, shipped, _is_hard(group, k)),
                    )

    return for_all(cases(), f"mixed groups of {size} on the grid, every class of K")


def _order_survives(*, gap: int) -> Finding:
    """The ranked response is wrong iff its rank is at most the number of wrong ones."""
    s = group_symbols()
    rank = quantile_rank(SymbolicInt(s.group_size), s.level).term  # type: ignore[arg-type, attr-defined]
    baseline, correct, wrong = z3.Reals("b r_correct r_wrong")
    zeros = s.group_size - s.num_correct
    hard = zeros * s.denominator >= s.numerator * s.group_size
    ranked = z3.If(rank <= zeros, baseline <= gap, baseline >= 0)
    survives_gate = z3.If(hard, correct - baseline > 0, wrong - baseline < 0)
    return valid(survives_gate, *s.domain, ranked, correct >= 0, wrong <= gap)
