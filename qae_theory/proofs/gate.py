"""Quantile and gate: Eq. 3, Eq. 4, and where floating point or the released interpolation leave them."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import z3

from qae_theory.baselines import is_hard_group, quantile_baseline, quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.proofs.checking import all_equal, for_all, valid, with_witness
from qae_theory.proofs.integers import SymbolicInt, group_symbols


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(
        Evidence(
            "eq4-threshold",
            "integer-proof",
            Kind.PROOF,
            Role.FOR,
            (
                Step(
                    r"The shipped gate `is_hard_group`, run on symbolic integers, is $m/G \le 1-K$, that is $(G-m)\,q \ge p\,G$ for "
                    r"$K = p/q$.",
                    partial(_gate_is_threshold, strict=False),
                    "strict inequality: p^ < 1 - K",
                    partial(_gate_is_threshold, strict=True),
                ),
                Step(
                    r"The order statistic of rank $\lceil KG\rceil$ among $G-m$ zeros and $m$ ones is 0 exactly when the rank is at most "
                    r"$G-m$; the rank lies in $1..G$.",
                    partial(_rank_selects_zero, shift=0),
                    "rank + 1",
                    partial(_rank_selects_zero, shift=1),
                ),
                Step(
                    "The shipped `quantile_baseline` on real groups returns that order statistic's value.",
                    partial(_baseline_is_gate, level_of=lambda k: k),
                    "1 - K for K",
                    partial(_baseline_is_gate, level_of=lambda k: 1 - k),
                ),
            ),
        )
    )
    ledger.add(
        Evidence(
            "eq4-float",
            "minimal-witnesses",
            Kind.WITNESS,
            Role.AGAINST,
            (
                Step(
                    r"At $K=0.9$, $G=10$, $m=1$ the group is hard, and `m / G <= 1 - K` in binary floating point says easy.",
                    partial(_float_gate_fails, k="0.9", group_size=10, num_correct=1),
                    "m = 0, where floats agree",
                    partial(_float_gate_fails, k="0.9", group_size=10, num_correct=0),
                ),
            ),
        )
    )


def _gate_is_threshold(effort: Effort, *, strict: bool) -> Finding:
    del effort
    s = group_symbols()
    gate = is_hard_group(SymbolicInt(s.num_correct), SymbolicInt(s.group_size), s.level)  # type: ignore[arg-type]
    left, right = (s.group_size - s.num_correct) * s.denominator, s.numerator * s.group_size
    return valid(gate == (left > right if strict else left >= right), *s.domain)


def _rank_selects_zero(effort: Effort, *, shift: int) -> Finding:
    del effort
    s = group_symbols()
    rank = quantile_rank(SymbolicInt(s.group_size), s.level).term + shift  # type: ignore[arg-type, attr-defined]
    zero_chosen = rank <= s.group_size - s.num_correct
    hard = (s.group_size - s.num_correct) * s.denominator >= s.numerator * s.group_size
    return valid(z3.And(rank >= 1, rank <= s.group_size, zero_chosen == hard), *s.domain)


def _baseline_is_gate(effort: Effort, *, level_of: Any) -> Finding:
    largest = effort.pick(24, 12)
    cases = (
        (f"K={k}, G={size}, m={m}", quantile_baseline([1] * m + [0] * (size - m), k), 0 if hard else 1)
        for size in range(1, largest + 1)
        for m in range(size + 1)
        for k in (Fraction(2, 5), Fraction(11, 20), Fraction(9, 10))
        for hard in [Fraction(m, size) <= 1 - level_of(k)]
    )
    return all_equal(cases, f"G <= {largest}, every m, K in 2/5, 11/20, 9/10")


def _float_gate_fails(effort: Effort, *, k: str, group_size: int, num_correct: int) -> Finding:
    del effort
    exact = bool(is_hard_group(num_correct, group_size, Fraction(k)))
    floating = bool(np.float64(num_correct) / group_size <= 1 - np.float64(k))
    finding = for_all([(f"K={k}, G={group_size}, m={num_correct}", exact != floating)], "one group")
    return with_witness(
        finding,
        {"K": k, "G": str(group_size), "m": str(num_correct), "exact gate": str(exact), "float gate": str(floating)},
    )
