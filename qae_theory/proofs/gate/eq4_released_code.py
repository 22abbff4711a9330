"""Refute claim ``eq4-released-code``, that interpolation at (G - 1) K is Eq. 3, and prove where it holds (``-if``).

The two agree on all groups of G exactly if (G - 1) K is an integer. Otherwise the baseline is a fraction at exactly one
m, and both outcomes get an advantage: a leak. The shipped integer code runs on symbolic G, m and K, in exact
arithmetic. How ``torch.quantile`` rounds is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import z3

from qae_theory import advantages, quantile_baseline
from qae_theory.baselines import _position, quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.integers import GroupSymbols, SymbolicRatio, group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import all_equal, for_all, valid, valid_on_every_path, with_witness
from qae_theory.proofs.tools.estimator_ties import exact_array, levels, quantiles_match


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    condition = "eq4-released-code-if"
    ledger.add(Evidence("eq4-released-code", "leaks", Kind.WITNESS, Role.AGAINST, _witness_steps()))
    ledger.add(Evidence(condition, "integer-proof", Kind.PROOF, Role.UNDER, _proof_steps()))
    ledger.add(Evidence(condition, "smallest-leak", Kind.WITNESS, Role.WITHOUT, _witness_steps()[:1]))


class _Interpolation(NamedTuple):
    """Hold the shipped interpolation on all groups at once.

    Attributes:
        group: G, m and K = p/q.
        below: the rank of the order statistic below the position (G - 1) K, from 1.
        above: the rank of the one above.
        share: how far the position lies from the lower towards the upper one.
        rank: Eq. 3's rank, ceil(K G).
    """

    group: GroupSymbols
    below: Any
    above: Any
    share: SymbolicRatio
    rank: Any

    @property
    def value(self) -> Any:
        """Return the interpolated quantile of G - m zeros and m ones, times the share's denominator."""
        # The order statistic of a rank is 0 as long as the zeros last.
        low = z3.If(self.below <= self.group.zeros, 0, 1)
        high = z3.If(self.above <= self.group.zeros, 0, 1)
        return low * self.share.bottom + self.share.top * (high - low)

    @property
    def gate(self) -> Any:
        """Return Eq. 3, times the share's denominator."""
        return z3.If(self.rank <= self.group.zeros, 0, self.share.bottom)


def _valid(goal: Callable[[_Interpolation], Any], *assumptions: Callable[[_Interpolation], Any]) -> Finding:
    """Find whether a formula about the shipped interpolation holds for all groups and levels that are assumed."""
    s = group_symbols()

    def on_path(path: Path) -> Any:
        it = _interpolation(s, path)
        return z3.Implies(z3.And([assumption(it) for assumption in assumptions]), goal(it))

    return valid_on_every_path(on_path, *s.domain)


def _interpolation(s: GroupSymbols, path: Path) -> _Interpolation:
    """Return what the shipped code computes on this path."""
    below: Any
    share: Any
    # The private function is what the shipped quantile calls; run here, it is proved as it is.
    below, share = _position(s.size_on(path), s.level_on(path))
    rank: Any = quantile_rank(s.size_on(path), s.level_on(path))
    # The shipped code takes the last order statistic twice where the position is the last.
    above = z3.If(below.term + 1 <= s.group_size, below.term + 1, s.group_size)
    return _Interpolation(s, below.term, above, share, rank.term)


def _is_integer(it: _Interpolation) -> Any:
    """Return the formula that (G - 1) K is an integer: the share is 0."""
    return it.share.top == 0


def _is_fractional(it: _Interpolation) -> Any:
    """Return the formula that (G - 1) K is not an integer."""
    return it.share.top != 0


def _proof_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Write $K = p/q$, $j = \lfloor (G-1)K\rfloor$ and $f = (G-1)K - j$. The shipped `_position`, "
            r"run on symbolic integers, interpolates between the order statistics of ranks $j+1$ and "
            r"$\min(j+2, G)$ with share $f$, $0 \le f < 1$, and $1 \le j+1 \le G$.",
            check=partial(_position_is, step=1),
            planted="position G K",
            control=partial(_position_is, step=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"If $f = 0$, that is if $(G-1)K$ is an integer, then $KG = j + K$ with $0 < K < 1$, so $\lceil "
            r"KG\rceil = j+1$: both quantiles are the order statistic of rank $j+1$ (the one above has "
            r"share 0), whatever the rewards. So the assumption gives equality for every $m$.",
            check=partial(_same_rank, above=0),
            planted="rank j + 2",
            control=partial(_same_rank, above=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Conversely let $f \ne 0$. Then $j \le G-2$, and $\lceil KG\rceil$ is $j+1$ if $f + K \le 1$ "
            r"and $j+2$ otherwise.",
            check=partial(_rank_when_fractional, limit=1),
            planted="f + K <= 2",
            control=partial(_rank_when_fractional, limit=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With $f \ne 0$ the two agree at every $m \ne G-1-j$: with $G-m \ge j+2$ zeros both are 0, "
            r"with $G-m \le j$ both are 1.",
            check=partial(_agree_elsewhere, exception=1),
            planted="the exception is m = G - j",
            control=partial(_agree_elsewhere, exception=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With $f \ne 0$ and $m = G-1-j$ the group is mixed ($1 \le m \le G-1$) and the interpolated "
            r"quantile is $f$, strictly between 0 and 1, which Eq. 3 never is. So the two are equal for "
            r"every $m$ if and only if $(G-1)K$ is an integer, and otherwise the baseline is fractional at "
            r"exactly one $m$.",
            check=partial(_fractional_value, complement=False),
            planted="value 1 - f",
            control=partial(_fractional_value, complement=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Effect on the gate. With a baseline $0 < b < 1$ and $\mathrm{std} + \varepsilon > 0$ a "
            r"correct response has $A = (1-b)/(\mathrm{std}+\varepsilon) > 0$ and a wrong one $A = "
            r"-b/(\mathrm{std}+\varepsilon) < 0$: neither regime.",
            check=partial(_leak, strict=True),
            planted="0 <= b < 1",
            control=partial(_leak, strict=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Tie: the shipped `quantile_baseline(..., method='linear')`, exact and in float64, is the "
            r"height of the broken line through the order statistics, on binary and graded groups with "
            r"ties, for every class of $K$.",
            check=partial(quantiles_match, level_of=lambda k: k, method="linear"),
            planted="1 - K for K",
            control=partial(quantiles_match, level_of=lambda k: 1 - k, method="linear"),
            tie=True,
        ),
        Step(
            says=r"Tie: on every binary group up to a size and every class of $K$, the shipped `advantages(..., "
            r"'qae_linear')` is non-zero on both outcomes exactly where the proof says, $f \ne 0$ and $m = "
            r"G-1-j$, and has QAE's zeros elsewhere.",
            check=partial(_shipped_leaks, shift=1),
            planted="m = G - j",
            control=partial(_shipped_leaks, shift=0),
            tie=True,
        ),
        Step(
            says=r"$G=16$ with $K \in \{.2, .4, .6, .8\}$ satisfies the condition: the shipped quantiles agree "
            r"on all 17 groups.",
            check=partial(_shipped_agree, group_size=16),
            planted="G = 8",
            control=partial(_shipped_agree, group_size=8),
            generality=Generality.GENERAL,
        ),
    )


def _position_is(*, step: int) -> Finding:
    """Find whether the shipped position is (G - 1) K, split into a rank in 1..G and a share in [0, 1)."""

    def goal(it: _Interpolation) -> Any:
        s, share = it.group, it.share
        # All of it times the two denominators q and that of the share.
        position = (s.group_size - step) * s.numerator * share.bottom
        exact = position == (it.below - 1) * s.denominator * share.bottom + share.top * s.denominator
        in_unit = z3.And(share.top >= 0, share.top < share.bottom)
        return z3.And(exact, in_unit, it.below >= 1, it.below <= s.group_size)

    return _valid(goal)


def _same_rank(*, above: int) -> Finding:
    """Find whether an integer position gives Eq. 3's rank and value."""
    return _valid(lambda it: z3.And(it.rank == it.below + above, it.value == it.gate), _is_integer)


def _rank_when_fractional(*, limit: int) -> Finding:
    """Find whether Eq. 3's rank is the lower one if f + K <= 1, else the upper one."""

    def goal(it: _Interpolation) -> Any:
        s, share = it.group, it.share
        # f + K <= 1, times both denominators.
        low = share.top * s.denominator + s.numerator * share.bottom <= limit * share.bottom * s.denominator
        return z3.And(it.below + 1 <= s.group_size, it.rank == z3.If(low, it.below, it.below + 1))

    return _valid(goal, _is_fractional)


def _agree_elsewhere(*, exception: int) -> Finding:
    """Find whether interpolation is Eq. 3 at every m but one."""

    def elsewhere(it: _Interpolation) -> Any:
        return it.group.num_correct != it.group.group_size - exception - (it.below - 1)

    return _valid(lambda it: it.value == it.gate, _is_fractional, elsewhere)


def _fractional_value(*, complement: bool) -> Finding:
    """Find whether at the one exceptional m the group is mixed and the value is the share, strictly between 0 and 1."""

    def goal(it: _Interpolation) -> Any:
        s, share = it.group, it.share
        value = share.bottom - share.top if complement else share.top
        mixed = z3.And(s.num_correct >= 1, s.num_correct <= s.group_size - 1)
        return z3.And(mixed, it.value == value, it.value > 0, it.value < share.bottom, it.value != it.gate)

    def there(it: _Interpolation) -> Any:
        return it.group.num_correct == it.group.group_size - 1 - (it.below - 1)

    return _valid(goal, _is_fractional, there)


def _leak(*, strict: bool) -> Finding:
    """Find whether a baseline strictly between 0 and 1 gives both outcomes an advantage, of opposite signs."""
    b, scale, correct, wrong = z3.Reals("b scale A_correct A_wrong")
    # The scale std + eps is positive in a mixed group.
    domain = (b > 0 if strict else b >= 0, b < 1, scale > 0, correct * scale == 1 - b, wrong * scale == -b)
    return valid(z3.And(correct > 0, wrong < 0), *domain)


def _shipped_leaks(effort: Effort, *, shift: int) -> Finding:
    """Find whether the shipped advantages leak at exactly the m that the proof names, with QAE's signs elsewhere."""
    largest = effort.pick(14, 8)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(2, largest + 1):
            batch = np.tri(size + 1, size, -1)  # row m has m ones
            for k in levels(size):
                # The proof's j and its exceptional m = G - 1 - j, where f is not 0.
                j = int((size - 1) * k)
                leak = size - shift - j if (size - 1) * k != j else None
                linear, gate = (
                    advantages(batch, "qae_linear", k=k, eps=0),
                    advantages(batch, "qae", k=k, eps=0),
                )
                # Both f and 1 - f are at least 1/(2 size) here and the std is below 1: far above rounding.
                zeros = np.abs(linear) < 1e-9
                both = [m for m in range(1, size) if not zeros[m].any()]
                yield f"G={size}, K={k}: leaks", both, [] if leak is None else [leak]
                rest = [m for m in range(size + 1) if m not in both]
                yield f"G={size}, K={k}: zeros", zeros[rest].tolist(), (gate[rest] == 0).tolist()
                yield f"G={size}, K={k}: signs", np.sign(gate[rest]).tolist(), np.sign(linear[rest]).tolist()

    return all_equal(cases(), f"G <= {largest}, every m and class of K")


def _shipped_agree(*, group_size: int) -> Finding:
    """Find whether both shipped quantiles agree on every group of a size at the paper's four levels."""
    batch = exact_array([[Fraction(int(i < m)) for i in range(group_size)] for m in range(group_size + 1)])
    cases = []
    for k in ("0.2", "0.4", "0.6", "0.8"):
        agree = quantile_baseline(batch, k, method="linear") == quantile_baseline(batch, k)
        cases.append((f"G={group_size}, K={k}", bool(agree.all())))
    return for_all(cases, "four K, every m")


def _witness_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$G=2$, $m=1$, $K=2/5$: the interpolated baseline is $2/5$, Eq. 3 gives 0 (hard). The wrong "
            r"response, which the gate leaves alone, is pushed down. No group is smaller ($G=1$ has nothing "
            r"to interpolate), and at $G=2$ it happens at every $K$.",
            check=partial(_differs, group_size=2, num_correct=1, k="2/5", value=Fraction(2, 5)),
            planted="m = 2",
            control=partial(_differs, group_size=2, num_correct=2, k="2/5", value=Fraction(2, 5)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$G=8$, $K=.4$, $m=5$: .8, not 1.",
            check=partial(_differs, group_size=8, num_correct=5, k="0.4", value=Fraction(4, 5)),
            planted="m = 4",
            control=partial(_differs, group_size=8, num_correct=4, k="0.4", value=Fraction(4, 5)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$G=32$, $K=.4$, $m=19$: .4, not 0.",
            check=partial(_differs, group_size=32, num_correct=19, k="0.4", value=Fraction(2, 5)),
            planted="K = .6",
            control=partial(_differs, group_size=32, num_correct=19, k="0.6", value=Fraction(2, 5)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Each of these gives both outcomes a non-zero advantage under `qae_linear`, and one outcome "
            r"exactly 0 under `qae`; with Bessel's std and $\varepsilon = 0$, exactly.",
            check=partial(_both_outcomes, rule="qae_linear"),
            planted="the exact quantile",
            control=partial(_both_outcomes, rule="qae"),
            generality=Generality.GENERAL,
        ),
    )


def _differs(*, group_size: int, num_correct: int, k: str, value: Fraction) -> Finding:
    """Find whether one group's interpolated quantile has this value and Eq. 3 another; show the advantages of both."""
    group = exact_array([[Fraction(1)] * num_correct + [Fraction(0)] * (group_size - num_correct)])
    linear, exact = quantile_baseline(group, k, method="linear")[0], quantile_baseline(group, k)[0]
    # Three things at once: the quoted value, that Eq. 3 differs, and that the shipped Eq. 3 is its definition.
    holds = linear == value and linear != exact and oracle.quantile(tuple(group[0]), Fraction(k)) == exact
    finding = for_all([(f"G={group_size}, m={num_correct}, K={k}: {linear} against {exact}", bool(holds))], "one group")
    by_rule: dict[str, Callable[[], Any]] = {
        "qae_linear": lambda: advantages(group, "qae_linear", k=k, eps=0),
        "qae, Bessel": lambda: advantages(group, "qae", k=k, eps=0, std="bessel"),
    }
    shown = {f"A of a correct and a wrong response, {name}": _pair(row()[0]) for name, row in by_rule.items()}
    worked = {
        "G": str(group_size),
        "m": str(num_correct),
        "K": k,
        "interpolated": str(linear),
        "Eq. 3": str(exact),
    }
    return with_witness(finding, {**worked, **shown})


def _pair(row: Any) -> str:
    """Return the advantages of the first and the last response, a correct and a wrong one, as text."""
    return f"({row[0]}, {row[-1]})"


def _both_outcomes(*, rule: str) -> Finding:
    """Find whether a rule gives both outcomes an advantage in each of the three groups."""
    cases = []
    # The three groups of the steps before, each at K = .4.
    for size, m in ((2, 1), (8, 5), (32, 19)):
        group = exact_array([[Fraction(1)] * m + [Fraction(0)] * (size - m)])
        row = advantages(group, rule, k="0.4", eps=0, std="bessel")[0]
        cases.append((f"G={size}, m={m}: {_pair(row)}", bool(row[0] > 0) and bool(row[-1] < 0)))
    return for_all(cases, "the three groups")
