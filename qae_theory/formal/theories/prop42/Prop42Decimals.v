(** The decimals of claim prop42-finite-step, by interval arithmetic. *)

From QAE Require Import Compat Definitions Sums Calculus Prop42.
From Interval Require Import Tactic.

Set Implicit Arguments.
Unset Strict Implicit.

(** For the policy (2/5, 3/5) and the step 1 the change is .02013 with baseline 0 and .01543 with baseline 1, to the
    last digit given. *)
Theorem prop42_finite_step_decimals : let z := logp (bernoulli (2 / 5)) in
  let dH b := entropy_change z (uncentred (softmax z) bit b) 1 in
  Rabs (dH 0 - 0.02013) <= 0.000005 /\ Rabs (dH 1 - 0.01543) <= 0.000005.
Proof.
move=> z dH; rewrite /dH /z !change_two softmax_bernoulli; last by lra.
by rewrite /bernoulli /gap_entropy; split; interval with (i_prec 40).
Qed.
