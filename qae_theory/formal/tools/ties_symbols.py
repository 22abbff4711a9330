"""Tie by symbols: on SymPy symbols the shipped functions give the definitions, for two and three responses.

What a function returns is printed as a term of Coq and proved equal to the definition by ``field``; the same term with
the sign of one of its summands flipped must be refused by ``field``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from qae_theory import (
    entropy,
    first_order_entropy_change,
    second_order_entropy_change,
    self_covariance,
    update_direction,
)
from qae_theory.formal.tools import to_coq
from qae_theory.group_expectation import OutcomeAdvantages, gain, moments

REFUSED = "not a valid field equation"

_HEADER = """From QAE Require Import Compat Definitions Sums Calculus Groups SampledGroup.
Set Implicit Arguments.
Unset Strict Implicit.

(* The logarithm of the sum of exponentials and the exponentials themselves become variables, the sums are written out,
   and the rest is a field equation. *)
Ltac by_field z :=
  let log_sum := fresh in set log_sum := ln (\\sum_x exp (z x));
  rewrite ?curvature_closed /first_order /self_cov /var /cov /entropy /mean /logp;
  rewrite ?sampled_pair /uncentred /policy_gradient /natural_gradient /mean ?(big_ord_recl, big_ord0) ?ln_softmax;
  rewrite -/log_sum; move: log_sum => ?; rewrite /softmax ?(big_ord_recl, big_ord0) /=;
  repeat match goal with |- context [exp ?x] => have := exp_pos x; move: (exp x) => ? ? end;
  field; lra.
Ltac by_binomial :=
  rewrite /table_gain /binomial_mean !big_ord_recl big_ord0 /binomial_law /= /bump /= ?add1n; field; lra.
"""


@dataclass(frozen=True)
class Case:
    """Hold a value of a shipped function on symbols, and the definition that it should be.

    Attributes:
        name: the lemma's name.
        binders: the variables of the statement.
        definition: the term of Coq.
        value: the SymPy expression that the function returned.
        names: what its symbols are called in Coq.
        tactic: proves the two equal.
    """

    name: str
    binders: str
    definition: str
    value: Any
    names: dict[Any, str]
    tactic: str

    @property
    def first(self) -> str:
        """Return the first variable of the statement: the logits, or the success probability."""
        return self.binders[1:].split()[0]


def text() -> tuple[str, int]:
    """Return the file of Coq, and how many values it compares with their definitions."""
    cases = [*_policy_cases(2), *_policy_cases(3), *_group_cases()]
    return "\n".join([_HEADER, *map(_lemma, cases)]) + "\n", len(cases)


def _lemma(case: Case) -> str:
    """Return the lemma of a case, and the goal with a flipped sign that the same tactic must refuse."""
    value, flipped = (to_coq.expression(x, case.names) for x in (case.value, _flip(case.value)))
    statement = f"forall {case.binders},\n  {case.definition} ="
    return (
        f"Lemma {case.name} : {statement}\n  {value}.\nProof. by move=> {case.first} *; {case.tactic}. Qed.\n"
        f"Goal {statement}\n  {flipped}.\nProof. move=> {case.first} *. Fail {case.tactic}. Abort.\n"
    )


def _flip(value: Any) -> Any:
    """Return the expression with the sign of its first summand, or of the whole if it is a product, flipped."""
    # One sign: the smallest change that makes an equation of the field false.
    first = value.as_ordered_terms()[0]
    return sympy.Add(-first, value - first, evaluate=True)


def _policy_cases(arms: int) -> Iterator[Case]:
    """Yield functions of the logits z, the rewards r, a direction d and a baseline b."""
    z, d, r = (_symbols(letter, arms) for letter in "zdr")
    b = sympy.Symbol("b", real=True)
    names = {b: "b"}
    for letter, symbols in (("z", z), ("d", d), ("r", r)):
        names |= {symbol: f"{letter} {_arm(i)}" for i, symbol in enumerate(symbols)}
    vectors = f"z d r : 'I_{arms} -> R"

    def case(name: str, definition: str, value: Any) -> Case:
        binders, named = f"({vectors}) (b : R)", _name_exponentials(value, z, names)
        return Case(f"{name}_{arms}", binders, definition, *named, tactic="by_field z")

    yield case("entropy", "entropy (softmax z)", entropy(z))
    yield case("self_covariance", "self_cov (softmax z)", self_covariance(z))
    yield case("first_order", "first_order (softmax z) d", first_order_entropy_change(z, d))
    yield case("second_order", "curvature z d", second_order_entropy_change(z, d))
    for rule, arguments in (
        ("uncentred", "(softmax z) r b"),
        ("policy_gradient", "(softmax z) r b"),
        ("natural_gradient", "r b"),
    ):
        direction = update_direction(z, r, rule, baseline=b)
        for i in range(arms):
            yield case(f"{rule}_{i}", f"{rule} {arguments} {_arm(i)}", direction[i])
    a = _symbols("d", 2)
    # Two different responses, the same one twice, and the reverse order.
    for drawn in ((0, 1), (1, 1), (arms - 1, 0)):
        direction = update_direction(z, r, "sampled_group", responses=list(drawn), advantages=a)
        group = f"(pair_group {_arm(drawn[0])} {_arm(drawn[1])})"
        advantages = f"(fun i : 'I_2 => if i == ord0 then d {_arm(0)} else d {_arm(1)})"
        for i in range(arms):
            definition = f"sampled_group (softmax z) {group} {advantages} {_arm(i)}"
            yield case(f"sampled_group_{drawn[0]}{drawn[1]}_{i}", definition, direction[i])


def _group_cases() -> Iterator[Case]:
    """Yield binomial sums of any table of advantages: gain and second moments, for groups of two, three and four."""
    p = sympy.Symbol("p", real=True)
    for size in (2, 3, 4):
        correct, wrong = _symbols("c", size + 1), _symbols("w", size + 1)
        names: dict[Any, str] = {p: "p"}
        names |= {symbol: f"a true {m}%N" for m, symbol in enumerate(correct)}
        names |= {symbol: f"a false {m}%N" for m, symbol in enumerate(wrong)}
        table = OutcomeAdvantages(correct, wrong)
        probability = np.array(p, dtype=object)
        alpha_1, alpha_0, beta = moments(probability, table)
        # The three terms of beta, as the definition has them.
        cross = "a true m.+2 ^ 2 - 2 * (a true m.+1 * a false m.+1) + a false m ^ 2"
        for name, definition, value in (
            ("gain", f"table_gain {size} p a", gain(probability, table)),
            ("alpha_1", f"binomial_mean {size - 1} p (fun m => a true m.+1 ^ 2)", alpha_1),
            ("alpha_0", f"binomial_mean {size - 1} p (fun m => a false m ^ 2)", alpha_0),
            ("beta", f"binomial_mean {size - 2} p (fun m => {cross})", beta),
        ):
            binders = "(p : R) (a : bool -> nat -> R)"
            yield Case(f"{name}_{size}", binders, definition, _exact(value), names, "by_binomial")


def _name_exponentials(value: Any, z: Any, names: dict[Any, str]) -> tuple[Any, dict[Any, str]]:
    """Return the value with exp(z_i) and the logarithm of their sum as symbols, and the names with theirs.

    The substitution only names parts of what the function returned; nothing is simplified.
    """
    value = _exact(value)
    log_sum = sympy.Symbol("L", real=True)
    # The sum first: once the exponentials are symbols, it could not be found any more.
    value = value.subs(sympy.log(sympy.Add(*map(sympy.exp, z))), log_sum)
    named = {**names, log_sum: "ln (\\sum_x exp (z x))"}
    for i, logit in enumerate(z):
        weight = sympy.Symbol(f"e{i}", positive=True)
        value = value.subs(sympy.exp(logit), weight)
        named[weight] = f"exp (z {_arm(i)})"
    return value, {symbol: f"({name})" for symbol, name in named.items()}


def _exact(value: Any) -> Any:
    """Return what a shipped function returned, a number or an array of rank 0, as a SymPy expression.

    A text is refused: SymPy would evaluate it.
    """
    return sympy.sympify(np.asarray(value).item(), strict=True)


def _symbols(letter: str, count: int) -> Any:
    """Return an exact array of real symbols."""
    return np.array(sympy.symbols(f"{letter}0:{count}", real=True), dtype=object)


def _arm(index: int) -> str:
    """Return the response of that index in Coq: ord0, lift ord0 ord0, ..."""
    name = "ord0"
    for _ in range(index):
        name = f"(lift ord0 {name})"
    return name
