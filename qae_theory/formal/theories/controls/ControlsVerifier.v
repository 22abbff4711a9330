(** Statements one token away from those about a verifier with correlated errors, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables.
From QAE Require Import NeutralityGains Neutrality Verifier ControlsNeutrality.

Set Implicit Arguments.
Unset Strict Implicit.

Section Flipped.
Let start := 4 / 5.
Lemma start_range : 0 < start < 1. Proof. by rewrite /start; lra. Qed.

Lemma flipped_weight (w : R) :
  \sum_(flip : bool) bernoulli (1 / 4) flip *
    expected_update (example_path start 0) (fun y => if flip then 1 - bit y else bit y) (@qae 2 Population 0 (2 / 5))
      (fun y => Derive (fun v => ln (example_path start v y)) 0) =
  w * Derive (fun v => mean (example_path start v) bit) 0 -> w = - (1 / 10).
Proof.
have V : mean (example_path start 0) bit = 4 / 5 by rewrite (example_mean start_range).
have [e _] := correlated_verifier_turn (@example_policy start) (@example_smooth start) bit_id_binary V.
rewrite {}e (example_derive start_range) /start => h.
by apply: (Rmult_eq_reg_r (4 / 5 * (1 - 4 / 5))); lra.
Qed.
End Flipped.

(** "The expected update is w(E p_u) grad E p_u": the gain at the mean success probability for the mean of the gains. *)
Theorem control_correlated_verifier_mean_first :
  ~ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (q : R) (A : estimator 2) (i : 'I_2),
       (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r ->
       0 < mean (P t) r < 1 -> 0 < q < 1 -> equivariant A ->
       let score (flip : bool) y := if flip then 1 - r y else r y in
       let pbar v := \sum_(flip : bool) bernoulli q flip * mean (P v) (score flip) in
       \sum_(flip : bool) bernoulli q flip * expected_update (P t) (score flip) A
         (fun y => Derive (fun v => ln (P v y)) t) = gain (pbar t) A i * Derive pbar t).
Proof.
move=> h; have hV : 0 < mean (example_path (4 / 5) 0) bit < 1 by rewrite example_mean; lra.
have hq : 0 < 1 / 4 < 1 by lra.
have V : mean (example_path (4 / 5) 0) bit = 4 / 5 by rewrite example_mean; lra.
have e := h _ _ 0 bit (1 / 4) (@qae 2 Population 0 (2 / 5)) ord0 (@example_policy (4 / 5)) (@example_smooth (4 / 5))
  bit_id_binary hV hq (@qae_equivariant 2 Population 0 (2 / 5)).
have [_ [_ d]] := correlated_verifier_turn (@example_policy (4 / 5)) (@example_smooth (4 / 5)) bit_id_binary V.
have pbar : \sum_(flip : bool) bernoulli (1 / 4) flip *
    mean (example_path (4 / 5) 0) (fun y => if flip then 1 - bit y else bit y) = 13 / 20.
  rewrite sum_bool /bernoulli.
  have -> : mean (example_path (4 / 5) 0) (fun y => if true then 1 - bit y else bit y) =
      1 - mean (example_path (4 / 5) 0) bit by exact: (flip_mean bit (@example_policy (4 / 5)) 0).
  have -> : mean (example_path (4 / 5) 0) (fun y => if false then 1 - bit y else bit y) = 4 / 5 by exact: V.
  by rewrite ?V; field.
have hK : 0 < 2 / 5 < 1 / 2 by lra.
move: e; cbv zeta; rewrite d pbar gain_two_qae //; last by lra.
by rewrite -Rmult_assoc => /flipped_weight; lra.
Qed.

(** "QAE's weight under a shared flip is (1 - 2 q) w too" (QAE for GRPO). *)
Theorem control_correlated_verifier_qae_flip :
  ~ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat) (K q : R) (i : 'I_G),
       (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> 0 < mean (P t) r < 1 ->
       0 < K < 1 ->
       \sum_(flip : bool) bernoulli q flip * expected_update (P t) (fun y => if flip then 1 - r y else r y)
         (@qae G Population 0 K) (fun y => Derive (fun v => ln (P v y)) t) =
       (1 - 2 * q) * gain (mean (P t) r) (@qae G Population 0 K) i * Derive (fun v => mean (P v) r) t).
Proof.
move=> h; have hV : 0 < mean (example_path (4 / 5) 0) bit < 1 by rewrite example_mean; lra.
have hK : 0 < 2 / 5 < 1 by lra.
have := h _ _ 0 bit 2%N (2 / 5) (1 / 4) ord0 (@example_policy (4 / 5)) (@example_smooth (4 / 5)) bit_id_binary hV hK.
have hK' : 0 < 2 / 5 < 1 / 2 by lra.
move=> /flipped_weight; rewrite gain_two_qae // example_mean; lra.
Qed.

(** "Errors that do not depend on the response given u": without the factor J_u the weight is wrong. *)
Theorem control_correlated_verifier_if_without_j :
  ~ (forall (T U : finType) (P : R -> T -> R) (t : R) (r : T -> R) (rho right wrong : U -> R) (G : nat)
       (A : estimator G) (i : 'I_G),
       (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> law rho ->
       (forall u, 0 <= right u <= 1) -> (forall u, 0 <= wrong u <= 1) -> equivariant A ->
       let p := mean (P t) r in
       let c u y := if Reqb (r y) 1 then right u else wrong u in
       \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
         (fun a => Derive (fun v => ln (P v a.1)) t) =
       (\sum_u rho u * gain (wrong u + (right u - wrong u) * p) A i) * Derive (fun v => mean (P v) r) t).
Proof.
move=> h; have hp : 0 < / 2 < 1 by lra.
have hrho : law (fun _ : bool => / 2) by split=> [u|]; [lra | rewrite sum_bool; lra].
have hr u : 0 <= (fun _ : bool => 3 / 4) u <= 1 by lra.
have hw u : 0 <= (fun _ : bool => 1 / 4) u <= 1 by lra.
have e := h _ _ _ 0 bit _ _ _ 2%N (@psr 2) ord0 (@example_policy (/ 2)) (@example_smooth (/ 2)) bit_id_binary hrho hr hw
  (fun s x i inj => erefl).
have e' := correlated_verifier_if (A := @psr 2) ord0 (@example_policy (/ 2)) (@example_smooth (/ 2)) bit_id_binary hrho
  hr hw (fun s x i inj => erefl).
move: e e'; cbv zeta => ->; rewrite !sum_bool example_derive // example_mean // gain_psr; last by lra.
lra.
Qed.
