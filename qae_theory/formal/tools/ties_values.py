"""Tie by value: floats of the shipped functions lie within 1e-13 of the definitions, by interval arithmetic in Coq.

Each float is the exact rational number that it is. The same float times 1 + 1e-9 must lie farther away than 1e-13,
which Coq proves too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from qae_theory import (
    entropy,
    entropy_change,
    expected_entropy_change,
    expected_gain,
    first_order_entropy_change,
    second_order_entropy_change,
    self_covariance,
    update_direction,
)
from qae_theory.advantages import get_estimator
from qae_theory.entropy_change import curvature_brackets
from qae_theory.formal.tools import to_coq

F = Fraction

# Float64 gives each of these values to some 1e-16; the planted factor moves them by 1e-11 or more.
TOLERANCE = F(1, 10**13)
PLANTED = F(1) + F(1, 10**9)

# Numbers that float64 holds exactly, so that Coq and Python start from the same ones.
_LOGITS = (F(1, 2), F(-3, 4), F(2))
_DIRECTION = (F(1), F(-1, 2), F(1, 4))
_ARM_REWARDS = (F(1), F(0), F(0))
_STEP = F(3, 10)
_BASELINE = F(1, 4)
_SUCCESS, _SIZE, _LEVEL = F(3, 10), 4, F(2, 5)
_RULES = {
    "grpo": ("grpo Population 0", "@grpo_table 4 Population 0"),
    "dr_grpo": ("@dr_grpo 4", "@dr_grpo_table 4"),
    "rloo": ("@rloo 4", "@rloo_table 4"),
    "qae": ("qae Population 0 (2 / 5)", "@qae_table 4 Population 0 _ level"),
    "qae_linear": ("qae_linear Bessel 0 (2 / 5)", "@qae_linear_table 4 Bessel 0 _ level'"),
    "psr": ("@psr 4", "@psr_table 4"),
    "nsr": ("@nsr 4", "@nsr_table 4"),
    "pos_mask": ("pos_mask Population 0 (2 / 5)", "@pos_mask_table 4 Population 0 (2 / 5)"),
    "neg_mask": ("neg_mask Population 0 (2 / 5)", "@neg_mask_table 4 Population 0 (2 / 5)"),
}

_HEADER = """From QAE Require Import Compat Definitions Sums Calculus JointLemma Rewards Groups Tables SampledGroup.
From Interval Require Import Tactic.
Set Implicit Arguments.
Unset Strict Implicit.

Definition logits : 'I_3 -> R := fun y => nth 0 [:: {logits}] y.
Definition direction : 'I_3 -> R := fun y => nth 0 [:: {direction}] y.
Definition reward : 'I_3 -> R := fun y => nth 0 [:: {rewards}] y.
Lemma level : 0 < 2 / 5 <= 1. Proof. by lra. Qed.
Lemma level' : 0 < 2 / 5 < 1. Proof. by lra. Qed.
Lemma success : 0 < 3 / 10 < 1. Proof. by lra. Qed.
Lemma three_tenths : floor (INR 4.-1 * (2 / 5)) = 1%N.
Proof. by apply: floor_unique; rewrite /=; lra. Qed.

(* Interval arithmetic by software floats of 60 bits: the processor's floats would be further axioms. *)
Ltac by_interval := interval with (i_prec 60).
Ltac decide_gates := rewrite ?/gate; repeat match goal with
  | |- context [Rleb ?x ?y] => (rewrite (@Rleb_true x y); [|lra]) || (rewrite (@Rleb_false x y); [|lra])
  end.
Ltac of_policy :=
  rewrite ?curvature_closed /entropy_change /path_entropy /first_order /self_cov /var /cov /entropy /uncentred
    /policy_gradient /mean /logp /softmax /step ?(big_ord_recl, big_ord0) /logits /direction /reward /=; by_interval.
Ltac of_gain table :=
  rewrite (gain_table success ord0 table) /table_gain /binomial_mean !big_ord_recl big_ord0 /binomial_law
    /table_over /table_mixed /table_std /table_linear /gate /rate ?three_tenths /bit /= /bump /= ?add1n ?subn1 /=;
  decide_gates; rewrite /=; by_interval.
Ltac of_pairs := rewrite /standardised_change /gap_entropy; by_interval.

(* The maximum of f(u) = (1 - u^2)(a + t u)/4 from a number s near where it is: f lies below its tangent at s. *)
Lemma joint_max_near a t s c e : 0 <= s <= 1 -> 0 <= t -> 0 <= a + 2 * t * s ->
  Rabs ((1 - s ^ 2) * (a + t * s) / 4 - c) + Rabs ((t - 2 * a * s - 3 * t * s ^ 2) / 4) <= e ->
  Rabs (joint_max a t - c) <= e.
Proof.
move=> hs ht ha h; have low := joint_max_ge a t hs.
have up : joint_max a t <= (1 - s ^ 2) * (a + t * s) / 4 + Rabs ((t - 2 * a * s - 3 * t * s ^ 2) / 4).
  apply: joint_max_le => u hu.
  set w := (t - 2 * a * s - 3 * t * s ^ 2) / 4; set v := (1 - s ^ 2) * (a + t * s) / 4.
  rewrite (_ : (1 - u ^ 2) * (a + t * u) / 4 = v + w * (u - s) - (u - s) ^ 2 * (a + 2 * t * s + t * u) / 4);
    last by rewrite /v /w; field.
  have : w * (u - s) <= Rabs w.
    have := Rabs_pos w; have := Rle_abs w; have := Rle_abs (- w); rewrite Rabs_Ropp => *.
    by case: (Rle_dec s u) => *; nra.
  have h1 := pow2_ge_0 (u - s); have h2 : 0 <= a + 2 * t * s + t * u by nra.
  by have := Rmult_le_pos _ _ h1 h2; lra.
by move: h up; split_Rabs; lra.
Qed.
(* The same a known distance away from another number, for the planted change. *)
Lemma joint_max_far a t s c e x : 0 <= s <= 1 -> 0 <= t -> 0 <= a + 2 * t * s ->
  Rabs ((1 - s ^ 2) * (a + t * s) / 4 - c) + Rabs ((t - 2 * a * s - 3 * t * s ^ 2) / 4) <= e ->
  e + e < Rabs (c - x) -> e < Rabs (joint_max a t - x).
Proof. by move=> h1 h2 h3 h4; have := joint_max_near h1 h2 h3 h4; split_Rabs; lra. Qed.
Lemma whole n : INR (Z.to_nat (Zpos n)) = IZR (Zpos n).
Proof. by rewrite INR_IZR_INZ Z2Nat.id. Qed.
Lemma shift m k v : m + k - v = m - (v - k).
Proof. by ring. Qed.
Ltac of_maximum s c :=
  rewrite ?/lower_bracket ?/upper_bracket whole ?shift /joint_constant;
  (apply: (@joint_max_near _ _ s) || apply: (@joint_max_far _ _ s c)); (lra || by_interval).
"""


@dataclass(frozen=True)
class Case:
    """Hold a float of a shipped function, and the definition whose value it should be.

    Attributes:
        name: the stem of the lemmas' names.
        definition: the term of Coq.
        value: the float.
        tactics: prove that the two are near, and that a planted float is not.
    """

    name: str
    definition: str
    value: float
    tactics: str


def text() -> tuple[str, int]:
    """Return the file of Coq, and how many floats it compares with their definitions."""
    compared = cases()
    logits, direction, rewards = ("; ".join(map(to_coq.real, vector)) for vector in (_LOGITS, _DIRECTION, _ARM_REWARDS))
    header = _HEADER.format(logits=logits, direction=direction, rewards=rewards)
    return "\n".join([header, *map(_lemmas, compared)]) + "\n", len(compared)


def cases() -> list[Case]:
    """Return every float that is compared, as the shipped functions return it now."""
    return [*_policy_cases(), *_bracket_cases(), *_gain_cases(), *_group_cases()]


def _lemmas(case: Case) -> str:
    """Return the lemma that a float is near its definition, and the one that the planted float is not."""
    # A float is a rational number, and Coq is given that very one.
    exact = F(case.value)
    near = f"Rabs ({case.definition} - {to_coq.real(exact)}) <= {to_coq.real(TOLERANCE)}"
    far = f"{to_coq.real(TOLERANCE)} < Rabs ({case.definition} - {to_coq.real(exact * PLANTED)})"
    return (
        f"Lemma {case.name}_near : {near}.\nProof. by {case.tactics}. Qed.\n"
        f"Lemma {case.name}_planted : {far}.\nProof. by {case.tactics}. Qed.\n"
    )


def _policy_cases() -> Iterator[Case]:
    """Yield entropy, its slopes, its curvature and its change along a step, for three responses."""
    z, d, r = (_floats(vector) for vector in (_LOGITS, _DIRECTION, _ARM_REWARDS))
    baseline, step = float(_BASELINE), float(_STEP)
    uncentred = update_direction(z, r, "uncentred", baseline=baseline)
    gradient = update_direction(z, r, "policy_gradient", baseline=baseline)
    p, b = "(softmax logits)", to_coq.real(_BASELINE)
    for name, definition, value in (
        ("entropy", f"entropy {p}", entropy(z)),
        ("self_covariance", f"self_cov {p}", self_covariance(z)),
        ("first_order", f"first_order {p} direction", first_order_entropy_change(z, d)),
        ("second_order", "curvature logits direction", second_order_entropy_change(z, d)),
        ("change", f"entropy_change logits direction {to_coq.real(_STEP)}", entropy_change(z, d, step)),
        ("slope_1", f"first_order {p} (uncentred {p} reward {b})", first_order_entropy_change(z, uncentred)),
        ("slope_2", f"first_order {p} (policy_gradient {p} reward {b})", first_order_entropy_change(z, gradient)),
    ):
        yield Case(name, definition, float(value), "of_policy")


def _bracket_cases() -> Iterator[Case]:
    """Yield the brackets of the curvature for few responses and for a vocabulary."""
    constant = 1 / (6 * math.sqrt(3))
    for arms in (2, 3, 151936):
        lower, upper = curvature_brackets(arms)
        sides = (
            ("lower", lower, 1 + math.exp(-1), math.log(arms), ""),
            ("upper", upper, -1.0, math.log(arms / constant) - 1, " - / (6 * sqrt 3)"),
        )
        for side, value, a, t, without in sides:
            number = to_coq.real(F(value))
            tactics = f"of_maximum {_maximiser(a, t)} ({number}{without})"
            yield Case(f"{side}_bracket_{arms}", f"{side}_bracket (Z.to_nat {arms})", value, tactics)


def _maximiser(a: float, t: float) -> str:
    """Return where (1 - s^2)(a + t s)/4 is largest on [0, 1], up to rounding, as a real number of Coq."""
    return to_coq.real(F((math.sqrt(a * a + 3 * t * t) - a) / (3 * t)))


def _gain_cases() -> Iterator[Case]:
    """Yield the gain of every named rule in groups of four."""
    for rule, (estimator, table) in _RULES.items():
        options: dict[str, Any] = {"k": _LEVEL, "eps": 0}
        # A rule is given the options that it has.
        known = {name: value for name, value in options.items() if name in get_estimator(rule).defaults}
        value = float(expected_gain(float(_SUCCESS), _SIZE, rule, **known))
        definition = f"gain {to_coq.real(_SUCCESS)} ({estimator} : estimator {_SIZE}) ord0"
        yield Case(f"gain_{rule}", definition, value, f"of_gain ({table})")


def _group_cases() -> Iterator[Case]:
    """Yield the expected entropy change over groups of two for a finite step: the query of witness W1."""
    # The policy of witness W1, a rare success.
    z = np.log(np.array([0.1, 0.9]))
    step = "(1 / 10)"
    probability, level = "(ltac:(lra) : 0 < 1 / 10 < 1)", "(ltac:(lra) : 0 < 2 / 5 <= 1)"
    for rule, estimator, rewriting in (
        ("grpo", "@grpo 2 Population 0", f"rewrite (@grpo_pairs _ {step} {probability})"),
        ("qae", "@qae 2 Population 0 (2 / 5)", f"rewrite (@qae_pairs _ _ {step} {probability} {level}); decide_gates"),
    ):
        options: dict[str, Any] = {"eps": 0} if rule == "grpo" else {"eps": 0, "k": _LEVEL}
        value = float(expected_entropy_change(z, [1, 0], 2, rule, 0.1, **options))
        definition = f"expected_change (logp (bernoulli (1 / 10))) bit ({estimator}) {step}"
        yield Case(f"expected_change_{rule}", definition, value, f"({rewriting}; of_pairs)")


def _floats(vector: Sequence[Fraction]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return Fractions as a float64 array."""
    return np.array([float(x) for x in vector])
