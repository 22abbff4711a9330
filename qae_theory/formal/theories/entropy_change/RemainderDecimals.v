(** The decimals of claim remainder, by interval arithmetic: the brackets of 2 and of 151936 responses. *)

From QAE Require Import Compat Definitions Sums JointLemma Remainder.
From Interval Require Import Tactic.

Set Implicit Arguments.
Unset Strict Implicit.

Local Ltac enclose := interval with (i_prec 40).
Local Ltac enclose_on u := interval with (i_prec 40, i_bisect u, i_taylor u).

Lemma joint_max_close a t s c e : 0 <= s <= 1 -> c - e <= (1 - s ^ 2) * (a + t * s) / 4 ->
  (forall u, 0 <= u <= 1 -> (1 - u ^ 2) * (a + t * u) / 4 <= c + e) -> Rabs (joint_max a t - c) <= e.
Proof.
move=> hs low up; have := joint_max_ge a t hs; have := joint_max_le up => h1 h2.
by apply: Rabs_le; lra.
Qed.

(** The sharper pair of brackets to the last digit given, and the stated pair beside it for 2 responses. *)
Theorem remainder_decimals :
  Rabs (lower_bracket 2 - 0.3617) <= 0.00005 /\ Rabs (upper_bracket 2 - 0.1539) <= 0.00005
  /\ Rabs (lower_bracket (Z.to_nat 151936) - 1.3833) <= 0.00005
  /\ Rabs (upper_bracket (Z.to_nat 151936) - 1.2104) <= 0.00005
  /\ Rabs (/ (6 * sqrt 3) * ln 2 + (1 + exp (-1)) / 4 - 0.4087) <= 0.00005
  /\ Rabs (/ (6 * sqrt 3) * ln (6 * sqrt 3 * 2) - 0.2920) <= 0.00005.
Proof.
have e2 : INR 2 = 2 by rewrite /=; ring.
have eb : INR (Z.to_nat 151936) = 151936 by rewrite INR_IZR_INZ Z2Nat.id.
rewrite /lower_bracket /upper_bracket e2 eb.
have shift v c e : Rabs (v - (c - joint_constant)) <= e -> Rabs (v + joint_constant - c) <= e.
  by rewrite (_ : v - (c - joint_constant) = v + joint_constant - c); last by ring.
split; last split; last split; last split; last by split; enclose.
- by apply: (@joint_max_close _ _ 0.2174); [lra | enclose | move=> u hu; enclose_on u].
- apply: shift; rewrite /joint_constant.
  by apply: (@joint_max_close _ _ 0.7640); [lra | enclose | move=> u hu; enclose_on u].
- by apply: (@joint_max_close _ _ 0.5404); [lra | enclose | move=> u hu; enclose_on u].
apply: shift; rewrite /joint_constant.
by apply: (@joint_max_close _ _ 0.6030); [lra | enclose | move=> u hu; enclose_on u].
Qed.
