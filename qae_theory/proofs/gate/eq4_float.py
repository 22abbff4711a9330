"""Refute claim ``eq4-float``, that the gate m/G <= 1 - K may safely be evaluated in binary floating point.

Three usual ways to write the gate are compared with the exact integer gate, and the smallest failures are searched for.
Floats are what is looked at here; no proof rests on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from math import ceil, sqrt

import numpy as np

from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.tools.checking import for_all, with_witness

# What a person types as a quantile level.
TWO_DECIMALS = tuple(Fraction(d, 100) for d in range(1, 100))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("eq4-float", "minimal-witnesses", Kind.WITNESS, Role.AGAINST, _float_steps()))
    ledger.add(Evidence("eq4-float", "numpy-quantile", Kind.WITNESS, Role.AGAINST, _numpy_steps()))


def _float_gate(k: Fraction, group_size: int, num_correct: int) -> bool:
    """Return the gate as one would type it: m / G <= 1 - K in float64."""
    return bool(num_correct / group_size <= 1 - float(k))


def _float_rank(k: Fraction, group_size: int, num_correct: int) -> bool:
    """Return the gate through the order statistic of rank ceil(K * G) in float64."""
    return group_size - num_correct >= ceil(float(k) * group_size)


def _numpy_gate(k: Fraction, group_size: int, num_correct: int) -> bool:
    """Return the gate through NumPy's own ``inverted_cdf``."""
    # The quantile of a binary group is 0 exactly in a hard one.
    group = np.repeat([1.0, 0.0], [num_correct, group_size - num_correct])
    return float(np.quantile(group, float(k), method="inverted_cdf")) == 0.0


def _float_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$K=0.8$, $G=5$, $m=1$: $\hat p = 1-K$, so the group is hard; `m / G <= 1 - K` in float64 is "
            r"`0.2 <= 0.19999999999999996` and says easy. The success loses its advantage and the failures "
            r"are pushed down instead.",
            check=partial(_gate_fails, gate=_float_gate, k="0.8", group_size=5, num_correct=1),
            planted="m = 2",
            control=partial(_gate_fails, gate=_float_gate, k="0.8", group_size=5, num_correct=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"It is minimal: for $K$ of at most two decimals no group of fewer than five responses goes "
            r"wrong.",
            check=partial(_none_smaller, gate=_float_gate, largest=4),
            planted="no group of at most five",
            control=partial(_none_smaller, gate=_float_gate, largest=5),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The same at $K=0.9$, $G=10$, $m=1$.",
            check=partial(_gate_fails, gate=_float_gate, k="0.9", group_size=10, num_correct=1),
            planted="m = 0, where floats agree",
            control=partial(_gate_fails, gate=_float_gate, k="0.9", group_size=10, num_correct=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The rank `ceil(K * G)` is no better: $K=0.28$, $G=25$, $m=18$, where $KG = 7$ and float64 has "
            r"7.000000000000001.",
            check=partial(_gate_fails, gate=_float_rank, k="0.28", group_size=25, num_correct=18),
            planted="m = 17",
            control=partial(_gate_fails, gate=_float_rank, k="0.28", group_size=25, num_correct=17),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At $K=0.55$, $G=100$, $m=45$ both forms are wrong.",
            check=partial(_both_fail, k="0.55", group_size=100, num_correct=45),
            planted="m = 44",
            control=partial(_both_fail, k="0.55", group_size=100, num_correct=44),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"A tie is not needed. $K=0.6666666666666667$, the decimal of the float that 2/3 becomes, at $G=3$, "
            r"$m=1$: $KG > 2$, so that the rank is 3 and the group easy; `ceil(K * G)` is 2 and says hard.",
            check=partial(_gate_fails, gate=_float_rank, k="0.6666666666666667", group_size=3, num_correct=1),
            planted="m = 2, where floats agree",
            control=partial(_gate_fails, gate=_float_rank, k="0.6666666666666667", group_size=3, num_correct=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"What is safe: away from exact ties $m = G(1-K)$ both forms agree with the integers (for every "
            r"$K$ of two decimals and every group up to a size). For $G$ a power of two and $K \ne 1/2$ of one "
            r"decimal there is no tie.",
            check=partial(_only_ties_fail, ties=False),
            planted="at ties too",
            control=partial(_only_ties_fail, ties=True),
        ),
    )


def _numpy_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"NumPy's `quantile(..., method='inverted_cdf')` forms $KG$ in float64 too: at $K=0.28$, "
            r"$G=25$, $m=18$ it returns 1, and Eq. 3 is 0.",
            check=partial(_gate_fails, gate=_numpy_gate, k="0.28", group_size=25, num_correct=18),
            planted="m = 17",
            control=partial(_gate_fails, gate=_numpy_gate, k="0.28", group_size=25, num_correct=17),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"That is the smallest group for $K$ of at most two decimals.",
            check=partial(_none_smaller, gate=_numpy_gate, largest=24),
            planted="no group of at most 25",
            control=partial(_none_smaller, gate=_numpy_gate, largest=25),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The same at $K=0.55$, $G=100$, $m=45$. NumPy is no exact oracle.",
            check=partial(_gate_fails, gate=_numpy_gate, k="0.55", group_size=100, num_correct=45),
            planted="m = 44",
            control=partial(_gate_fails, gate=_numpy_gate, k="0.55", group_size=100, num_correct=44),
            generality=Generality.GENERAL,
        ),
    )


FloatGate = Callable[[Fraction, int, int], bool]


def _gate_fails(*, gate: FloatGate, k: str, group_size: int, num_correct: int) -> Finding:
    """Find whether a float gate differs from the shipped one; show the advantages (eps = 0) that each regime gives."""
    exact = bool(is_hard_group(num_correct, group_size, Fraction(k)))
    floating = gate(Fraction(k), group_size, num_correct)
    finding = for_all([(f"K={k}, G={group_size}, m={num_correct}", exact != floating)], "one group")
    deviation = sqrt(num_correct * (group_size - num_correct)) / group_size
    # A degenerate group has no advantage to show.
    unit = 1 / deviation if deviation else 0.0
    worked = {
        True: f"hard: A = {unit:.4g} for a correct response, 0 for a wrong one",
        False: f"easy: A = 0 for a correct response, {-unit:.4g} for a wrong one",
    }
    return with_witness(
        finding,
        {
            "K": k,
            "G": str(group_size),
            "m": str(num_correct),
            "m/G in float64": repr(num_correct / group_size),
            "1 - K in float64": repr(1 - float(k)),
            "K * G in float64": repr(float(k) * group_size),
            "exact gate": worked[exact],
            "float gate": worked[floating],
        },
    )


def _both_fail(effort: Effort, *, k: str, group_size: int, num_correct: int) -> Finding:
    """Find whether the gate by share and the gate by rank are both wrong at one group."""
    by_share = _gate_fails(gate=_float_gate, k=k, group_size=group_size, num_correct=num_correct)
    by_rank = _gate_fails(gate=_float_rank, k=k, group_size=group_size, num_correct=num_correct)
    # The finding shown is one that failed, if there is any.
    return by_share if by_rank.passed else by_rank


def _disagreements(gate: FloatGate, sizes: range) -> Iterator[tuple[Fraction, int, int]]:
    """Yield every (K, G, m) at which a float gate differs from the exact one."""
    for size in sizes:
        for k in TWO_DECIMALS:
            for m in _tie_and_neighbours(k, size):
                if gate(k, size, m) != is_hard_group(m, size, k):
                    yield k, size, m


def _tie_and_neighbours(k: Fraction, size: int) -> Iterator[int]:
    """Return the counts m around G (1 - K): no others can differ, because every gate here is monotone in m."""
    threshold = size * (1 - k)
    return (m for m in range(int(threshold) - 1, int(threshold) + 3) if 0 <= m <= size)


def _none_smaller(*, gate: FloatGate, largest: int) -> Finding:
    """Find whether no group up to a size is judged wrong."""
    # One failure is enough to refute minimality.
    wrong = next(_disagreements(gate, range(1, largest + 1)), None)
    return for_all([(f"K, G, m = {wrong}", wrong is None)], f"K of two decimals, G <= {largest}")


def _only_ties_fail(effort: Effort, *, ties: bool) -> Finding:
    """Find whether both float gates are right away from exact ties m = G (1 - K)."""
    sizes = range(1, effort.pick(100, 30) + 1)

    def cases() -> Iterator[tuple[str, bool]]:
        for size, k in product(sizes, TWO_DECIMALS):
            for m in _tie_and_neighbours(k, size):
                # At exact ties a rounding of either side decides; everywhere else it is too small to.
                if ties or m != size * (1 - k):
                    for gate in (_float_gate, _float_rank):
                        yield f"K={k}, G={size}, m={m}", gate(k, size, m) == is_hard_group(m, size, k)

    return for_all(cases(), f"G <= {sizes[-1]}, K of two decimals, m next to the threshold")
