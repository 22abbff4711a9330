(** Statements one token away from those of Prop42.v, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus Identity Prop42.

Set Implicit Arguments.
Unset Strict Implicit.

(** "Strict for every baseline in [0, 1]": not without the condition that the policy is not uniform. *)
Theorem control_prop42_uncentred_uniform :
  ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> 0 <= b <= 1 ->
       let h c := first_order p (uncentred p r c) in let bK := gate K (mean p r) in
       mean p r <= 1 - K -> (h bK < h b <-> b <> bK)).
Proof.
move=> h; have hp : policy (bernoulli (1 / 2)) by apply: bernoulli_policy; lra.
have := h _ (bernoulli (1 / 2)) bit (1 / 2) 1 hp; cbv zeta; rewrite bernoulli_success /gate Rleb_true; last by lra.
move=> /(_ ltac:(lra) ltac:(lra))[_ h']; have {h'} := h' ltac:(lra).
rewrite (prop42_uncentred_line _ _ 1) (_ : self_cov _ = 0); first by lra.
by apply/(self_covariance_zero_iff_uniform hp)/bernoulli_uniform.
Qed.

(** "On an easy query the quantile baseline has the least change" (<= for >=). *)
Theorem control_prop42_uncentred_easy :
  ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> 0 <= b <= 1 ->
       let h c := first_order p (uncentred p r c) in let bK := gate K (mean p r) in
       1 - K < mean p r -> h bK <= h b).
Proof.
move=> h; have hp : policy (bernoulli (3 / 4)) by apply: bernoulli_policy; lra.
have [_ /(_ ltac:(rewrite bernoulli_success; lra))[_ [_ lt]]] :=
  @prop42_uncentred _ (bernoulli (3 / 4)) bit (1 / 2) 0 hp ltac:(lra).
have le := h _ (bernoulli (3 / 4)) bit (1 / 2) 0 hp ltac:(lra) ltac:(rewrite bernoulli_success; lra).
apply: (Rle_not_lt _ _ le); apply: lt; rewrite bernoulli_uniform bernoulli_success /gate Rleb_false; lra.
Qed.

(** "Up to eta = 3 log((1 - p)/p)" (3 for 2). *)
Theorem control_prop42_finite_step_limit :
  ~ (forall (z : bool -> R) (eta : R), 0 < eta -> let p := softmax z true in
       let dH b := entropy_change z (uncentred (softmax z) bit b) eta in
       p < 1 / 2 -> (dH 0 <= dH 1 <-> eta <= 3 * ln ((1 - p) / p))).
Proof.
move=> h; have sm : softmax (logp (bernoulli (1 / 4))) = bernoulli (1 / 4) by apply: softmax_bernoulli; lra.
have l3 : 0 < ln 3 by rewrite -ln_1; apply: ln_increasing; lra.
have e : (1 - bernoulli (1 / 4) true) / bernoulli (1 / 4) true = 3 by rewrite /bernoulli; lra.
have e3 : 0 < 3 * ln 3 by lra.
have [hp _] := prop42_finite_step_two_responses (logp (bernoulli (1 / 4))) e3.
have h3 := h (logp (bernoulli (1 / 4))) _ e3.
move: hp h3; cbv zeta; rewrite sm e => hp h3.
have lt : bernoulli (1 / 4) true < 1 / 2 by rewrite /bernoulli; lra.
by have := hp lt; rewrite (h3 lt); lra.
Qed.

(** "The first-order change of the policy gradient with baseline 0 is that of p r": centring is needed. *)
Theorem control_prop42_policy_gradient_uncentred :
  ~ (forall (T : finType) (p r : T -> R) (b c : R), policy p ->
       first_order p (uncentred p r b) = first_order p (uncentred p r c)).
Proof.
move=> h; have hp : policy (bernoulli (1 / 4)) by apply: bernoulli_policy; lra.
have := h _ _ bit 1 0 hp; rewrite (prop42_uncentred_line _ _ 1) => e.
have /(self_covariance_zero_iff_uniform hp)/bernoulli_uniform : self_cov (bernoulli (1 / 4)) = 0 by lra.
lra.
Qed.
