"""Tie by table: gate, quantile and exact advantages of the shipped functions are those of the definitions, on a grid.

``Computable.v`` proves functions that can be evaluated equal to the definitions over the real numbers. Coq evaluates
them on the grid and compares with what the shipped functions returned; of each table one entry is changed, and the
comparison must find it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from qae_theory import advantages, quantile_baseline
from qae_theory.advantages import get_estimator
from qae_theory.baselines import is_hard_group
from qae_theory.formal.tools import to_coq

F = Fraction

_LEVELS = tuple(sorted({F(a, q) for q in range(2, 8) for a in range(1, q)}))
_LARGEST_GATE = 12
# Where floating point decides the gate wrongly: the exact gate must not.
_AWKWARD = ((F(9, 10), 10, 1), (F(11, 20), 100, 45), (F(2, 5), 16, 9), (F(999, 1000), 50, 1))
_QUANTILE_LEVELS = (F(1, 5), F(2, 5), F(1, 2), F(3, 4), F(9, 10))
_REWARDS = (-1, 0, 2)
_LARGEST_QUANTILE = 4
_ADVANTAGE_LEVELS = (F(1, 3), F(2, 5), F(1, 2), F(3, 4))
_ADVANTAGE_SIZES = range(2, 7)
_RULES = {
    "grpo": "Grpo",
    "qae": "Qae",
    "qae_linear": "QaeLinear",
    "pos_mask": "PosMask",
    "neg_mask": "NegMask",
    "dr_grpo": "DrGrpo",
    "rloo": "Rloo",
    "psr": "Psr",
    "nsr": "Nsr",
}
_DIVISORS = {"population": "Population", "bessel": "Bessel"}

_HEADER = """From Coq Require Import QArith.
From QAE Require Import Compat Definitions Computable.
Set Implicit Arguments.
Unset Strict Implicit.
Open Scope nat_scope.

Definition gates (a q G : nat) : seq bool := [seq hard_n a q G m | m <- seq.iota 0 G.+1].
Definition gates_agree (t : nat * nat * nat * seq bool) : bool := let: (a, q, G, e) := t in gates a q G == e.
Definition quantiles_agree (a q : nat) (t : seq Z * Z * Z) : bool := let: (s, e, l) := t in
  Z.eqb (quantile_z a q s) e && Z.eqb (linear_quantile_z a q s) l.
(* The advantage of a correct response where there is one, and of a wrong one where there is one. *)
Definition advantages_of (n : rule) (k : divisor) (a q G : nat) : seq Q :=
  [seq signed_square_q n k a q G true m | m <- seq.iota 1 G]
  ++ [seq signed_square_q n k a q G false m | m <- seq.iota 0 G].
Definition same (x y : seq Q) : bool := (size x == size y) && all (fun p => Qeq_bool p.1 p.2) (zip x y).
Definition advantages_agree (t : rule * divisor * nat * nat * nat * seq Q) : bool :=
  let: (n, k, a, q, G, e) := t in same (advantages_of n k a q G) e.
"""


@dataclass(frozen=True)
class Table:
    """Hold a table of expected values.

    Attributes:
        name: the stem of the lemmas' names.
        test: decides a row in Coq.
        rows: the rows, as terms.
        changed: the same rows with one entry changed, which the test must refuse.
        entries: how many values the table holds.
    """

    name: str
    test: str
    rows: list[str]
    changed: list[str]
    entries: int


def text() -> tuple[str, int]:
    """Return the file of Coq, and how many values it compares."""
    tables = [_gate_table(), *map(_quantile_table, _QUANTILE_LEVELS), _advantage_table()]
    return "\n".join([_HEADER, *map(_lemmas, tables)]) + "\n", sum(table.entries for table in tables)


def _lemmas(table: Table) -> str:
    """Return the lemma that a table agrees, and the one that the changed table does not."""
    rows, changed = ("[::\n  " + ";\n  ".join(rows) + "]" for rows in (table.rows, table.changed))
    return (
        f"Lemma {table.name}_agree : all {table.test}\n  {rows} = true.\nProof. by vm_compute. Qed.\n"
        f"Lemma {table.name}_changed : all {table.test}\n  {changed} = false.\nProof. by vm_compute. Qed.\n"
    )


def _gate_table() -> Table:
    """Return the shipped gate of every group on the grid, and of the groups where floating point fails."""
    grid = [(k, size) for k in _LEVELS for size in range(1, _LARGEST_GATE + 1)]
    # The groups at which floating point decides the gate wrongly.
    grid += [(k, size) for k, size, _ in _AWKWARD]
    rows = []
    for k, size in grid:
        rows.append((k, size, [bool(is_hard_group(m, size, k)) for m in range(size + 1)]))
    k, size, hard = rows[len(rows) // 2]
    changed = [*rows]
    # One entry in the middle: a comparison that looks at the ends only would miss it.
    changed[len(rows) // 2] = (k, size, [*hard[:-1], not hard[-1]])
    entries = sum(len(hard) for *_, hard in rows)
    lists = [_gate_row(*row) for row in rows], [_gate_row(*row) for row in changed]
    return Table("gate", "gates_agree", *lists, entries=entries)


def _gate_row(k: Fraction, size: int, hard: list[bool]) -> str:
    """Return one level and size with the gate for m = 0..G, as a term."""
    return f"({k.numerator}, {k.denominator}, {size}, [:: {'; '.join(str(x).lower() for x in hard)}])"


def _quantile_table(k: Fraction) -> Table:
    """Return both shipped quantiles of every group of small integers, at one level."""
    rows = []
    for size in range(1, _LARGEST_QUANTILE + 1):
        for rewards in itertools.product(_REWARDS, repeat=size):
            exact = np.array([F(x) for x in rewards], dtype=object)
            order_statistic = F(quantile_baseline(exact, k).item())
            interpolated = F(quantile_baseline(exact, k, method="linear").item())
            # Times the level's denominator the interpolated quantile is an integer, which Coq compares fast.
            rows.append((rewards, order_statistic, interpolated * k.denominator))
    changed = [*rows]
    rewards, order_statistic, interpolated = rows[-2]
    changed[-2] = (rewards, order_statistic, interpolated + 1)
    name = f"quantile_{k.numerator}_{k.denominator}"
    test = f"(quantiles_agree {k.numerator} {k.denominator})"
    lists = [_quantile_row(*row) for row in rows], [_quantile_row(*row) for row in changed]
    return Table(name, test, *lists, entries=2 * len(rows))


def _quantile_row(rewards: tuple[int, ...], order_statistic: Fraction, interpolated: Fraction) -> str:
    """Return one group with both quantiles, as a term."""
    listed = "; ".join(map(str, rewards))
    return f"([:: {listed}]%Z, ({order_statistic.numerator})%Z, ({_integer(interpolated)})%Z)"


def _advantage_table() -> Table:
    """Return the signed squares of the shipped advantages of every rule, divisor, level and size."""
    rows = []
    for rule, divisor, k, size in itertools.product(_RULES, _DIVISORS, _ADVANTAGE_LEVELS, _ADVANTAGE_SIZES):
        rows.append((rule, divisor, k, size, list(_shipped_squares(rule, divisor, k, size))))
    changed = [*rows]
    rule, divisor, k, size, squares = rows[len(rows) // 3]
    changed[len(rows) // 3] = (rule, divisor, k, size, [squares[0], -squares[1] or F(1), *squares[2:]])
    entries = sum(len(row[-1]) for row in rows)
    lists = [_advantage_row(*row) for row in rows], [_advantage_row(*row) for row in changed]
    return Table("advantage", "advantages_agree", *lists, entries=entries)


def _advantage_row(rule: str, divisor: str, k: Fraction, size: int, squares: list[Fraction]) -> str:
    """Return one rule, divisor, level and size with its signed squares, as a term."""
    listed = "; ".join(to_coq.rational(x) for x in squares)
    return f"({_RULES[rule]}, {_DIVISORS[divisor]}, {k.numerator}, {k.denominator}, {size}, [:: {listed}]%Q)"


def _shipped_squares(rule: str, divisor: str, k: Fraction, size: int) -> Iterator[Fraction]:
    """Yield A |A| of a correct response for m = 1, ..., G, then of a wrong one for m = 0, ..., G - 1."""
    defaults = get_estimator(rule).defaults
    # The definitions of the rules that divide by nothing of their own have no divisor.
    options = {"k": k, "std": "none" if defaults["std"] == "none" else divisor, "eps": 0}
    # A rule is given the options that it has.
    known = {name: value for name, value in options.items() if name in defaults}
    for first_is_correct in (True, False):
        for right in range(size + 1):
            rewards = [F(1)] * right + [F(0)] * (size - right)
            index = 0 if first_is_correct else size - 1
            # There is no correct response among none, and no wrong one among all.
            if rewards[index] != int(first_is_correct):
                continue
            yield _signed_square(advantages(np.array(rewards, dtype=object), rule, **known)[index])


def _signed_square(advantage: Any) -> Fraction:
    """Return A |A| of an exact advantage, which is a rational number although A may be a square root."""
    exact = sympy.sympify(advantage, strict=True)  # a text would be evaluated
    # A squared standard deviation is rational, and Coq compares rationals by evaluation.
    square = sympy.simplify(exact**2)
    if not square.is_Rational:
        raise ValueError(f"the square of {advantage} is not rational")
    return F(int(square.p), int(square.q)) * int(sympy.sign(exact))


def _integer(x: Fraction) -> int:
    """Return a whole Fraction as an int."""
    if x.denominator != 1:
        raise ValueError(f"{x} is not an integer")
    return x.numerator
