(** Claims loo-quantile and ebpo: two other baselines whose gain is one number for every success probability. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables NeutralityGains Neutrality.

Set Implicit Arguments.
Unset Strict Implicit.

(** The expected update of an estimator whose table has a true (j + 1) - a false j = w for all j is w times the
    derivative of the success probability, whatever the success probability is. *)
Lemma constant_gain_update (T : finType) (P : R -> T -> R) t (r : T -> R) G (A : estimator G) a w :
  (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) -> binary r -> (0 < G)%N ->
  has_table A a -> (forall j, (j <= G.-1)%N -> a true j.+1 - a false j = w) ->
  expected_update (P t) r A (fun y => Derive (fun u => ln (P u y)) t) = w * Derive (fun u => mean (P u) r) t.
Proof.
move=> pol smooth bin G0 table const; have [_ one] := pol t.
rewrite (expected_update_table one bin table G0 (mean_score0 pol smooth)) -mean_score //; congr (_ * _).
by rewrite /table_gain (binomial_mean_ext (h := fun _ => w)) ?binomial_mean_const.
Qed.

(** The leave-one-out quantile without a standard deviation has the gain 1 exactly, for every K and every G >= 2, and
    its expected update is the gradient of the success probability. *)
Theorem loo_quantile : forall (G : nat) (K : R), (1 < G)%N -> 0 < K <= 1 ->
  equivariant (@loo_quantile G K)
  /\ (forall (p : R) (i : 'I_G), 0 < p < 1 -> gain p (@loo_quantile G K) i = 1)
  /\ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R),
       (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) -> binary r ->
       expected_update (P t) r (@loo_quantile G K) (fun y => Derive (fun u => ln (P u y)) t) =
       Derive (fun u => mean (P u) r) t).
Proof.
move=> G K G1 hK; split; first exact: loo_quantile_equivariant.
split=> [p i hp|T P t r pol smooth bin]; first exact: gain_loo_quantile.
have [a table const] := loo_quantile_contrast G1 hK.
by rewrite (constant_gain_update pol smooth bin (ltnW G1) table const) Rmult_1_l.
Qed.

(** EBPO's gain is 1 - (1 - S)/G, more than the (G - 1)/G of the group's mean alone, for every shrinkage S > 0 and
    every value mu of the other groups' mean. *)
Theorem ebpo_gain : forall (G : nat) (p S mu : R) (i : 'I_G), 0 < p < 1 -> 0 < S ->
  gain p (@ebpo G S mu) i = 1 - (1 - S) / INR G
  /\ gain p (@dr_grpo G) i = (INR G - 1) / INR G
  /\ gain p (@dr_grpo G) i < gain p (@ebpo G S mu) i.
Proof.
move=> G p S mu i hp S0; rewrite gain_ebpo // gain_dr_grpo //; split=> //; split=> //.
have g := INR_pos (group_pos i); have := Rinv_0_lt_compat _ g => gi.
rewrite (_ : (INR G - 1) / INR G = 1 - 1 / INR G); last by field; lra.
by rewrite /Rdiv; nra.
Qed.

(** The mean mu of the other groups is random and independent of the group: a function of an outcome u of any finite
    law q. The expected update is then the same multiple of the gradient of the success probability. *)
Theorem ebpo_update : forall (T U : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat) (S : R) (q mu : U -> R),
  (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) -> binary r -> (0 < G)%N -> law q ->
  mean q (fun u => expected_update (P t) r (@ebpo G S (mu u)) (fun y => Derive (fun v => ln (P v y)) t)) =
  (1 - (1 - S) / INR G) * Derive (fun v => mean (P v) r) t.
Proof.
move=> T U P t r G S q mu pol smooth bin G0 [_ one].
rewrite -[RHS](mean_const _ one); apply: mean_ext => u.
by have [a table const] := ebpo_contrast S (mu u) G0; apply: (constant_gain_update pol smooth bin G0 table const).
Qed.

(** On a tabular softmax the entropy moves at first order 1 - (1 - S)/G times as fast as along the gradient of the
    success probability, so faster than with the group's mean: where entropy decays, it decays faster. *)
Theorem ebpo_entropy : forall (T U : finType) (z r : T -> R) (G : nat) (S : R) (q mu : U -> R),
  binary r -> 0 < mean (softmax z) r < 1 -> (0 < G)%N -> 0 < S -> law q ->
  let h := first_order (softmax z) (policy_gradient (softmax z) r 0) in
  is_derive (fun eta => mean q (fun u => expected_change z r (@ebpo G S (mu u)) eta)) 0 ((1 - (1 - S) / INR G) * h)
  /\ is_derive (expected_change z r (@dr_grpo G)) 0 ((INR G - 1) / INR G * h)
  /\ (h < 0 -> (1 - (1 - S) / INR G) * h < (INR G - 1) / INR G * h).
Proof.
move=> T U z r G S q mu bin hV G0 S0 [_ one] h; pose i := Ordinal G0.
split.
  apply: derive_eq.
    apply: derive_sum => u _; apply: derive_scale.
    by apply: (neutrality_entropy i bin hV); apply: ebpo_equivariant.
  by rewrite -[RHS](mean_const _ one); apply: mean_ext => u; rewrite gain_ebpo.
split; first by rewrite -(gain_dr_grpo i hV); apply: (neutrality_entropy i bin hV); apply: dr_grpo_equivariant.
move=> h0; have [-> [-> lt]] := ebpo_gain 0 i hV S0; nra.
Qed.

(** The claim that EBPO's entropy decays strictly more slowly than with the group's mean, at first order, is refuted:
    its gain is larger, and wherever the expected entropy decays at first order it decays faster; for example on the
    query with the responses (9/10, 1/10), of which the first is correct. *)
Theorem ebpo :
  (forall (G : nat) (p S mu : R) (i : 'I_G), 0 < p < 1 -> 0 < S ->
    gain p (@ebpo G S mu) i = 1 - (1 - S) / INR G
    /\ gain p (@dr_grpo G) i = (INR G - 1) / INR G
    /\ gain p (@dr_grpo G) i < gain p (@ebpo G S mu) i)
  /\ (forall (T U : finType) (z r : T -> R) (G : nat) (S : R) (q mu : U -> R),
    binary r -> 0 < mean (softmax z) r < 1 -> (1 < G)%N -> 0 < S -> law q ->
    Derive (expected_change z r (@dr_grpo G)) 0 < 0 ->
    Derive (fun eta => mean q (fun u => expected_change z r (@ebpo G S (mu u)) eta)) 0
      < Derive (expected_change z r (@dr_grpo G)) 0)
  /\ (forall (G : nat), (1 < G)%N -> Derive (expected_change (logp (bernoulli (9 / 10))) bit (@dr_grpo G)) 0 < 0).
Proof.
split; first exact: ebpo_gain.
split=> [T U z r G S q mu bin hV G1 S0 hq|G G1].
  have [d [d' faster]] := ebpo_entropy mu bin hV (ltnW G1) S0 hq.
  rewrite (is_derive_unique _ _ _ d) (is_derive_unique _ _ _ d') => lt; apply: faster.
  have := INR_ltn G1; rewrite /= => g; have : 0 < (INR G - 1) / INR G by apply: Rdiv_lt_0_compat; lra.
  nra.
have hp : 0 < 9 / 10 < 1 by lra.
rewrite (is_derive_unique _ _ _ (two_arm_change (Ordinal (ltnW G1)) hp (@dr_grpo_equivariant G))) gain_dr_grpo //.
have := INR_ltn G1; rewrite /= => g; have w : 0 < (INR G - 1) / INR G by apply: Rdiv_lt_0_compat; lra.
have l : ln (1 - 9 / 10) < ln (9 / 10) by apply: ln_increasing; lra.
by have := Rmult_lt_0_compat _ _ w (_ : 0 < ln (9 / 10) - ln (1 - 9 / 10)); nra.
Qed.
