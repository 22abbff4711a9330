(** Statements one token away from those of RatioBox.v and CrossEntropy.v, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus Prop42 RatioBox CrossEntropy.

Set Implicit Arguments.
Unset Strict Implicit.

Lemma two_policies : policy (bernoulli (1 / 2)) /\ policy (bernoulli (1 / 4)) /\
  entropy (bernoulli (1 / 4)) < entropy (bernoulli (1 / 2)).
Proof.
split; first by apply: bernoulli_policy; lra.
split; first by apply: bernoulli_policy; lra.
rewrite -(@softmax_bernoulli (1 / 2)) -1?(@softmax_bernoulli (1 / 4)) ?entropy_gap; try lra.
apply/gap_entropy_lt; rewrite /logp /bernoulli (_ : 1 - 1 / 2 = 1 / 2); last by field.
have : ln (1 / 4) < ln (1 - 1 / 4) by apply: ln_increasing; lra.
by move=> h; have : 0 < (ln (1 / 4) - ln (1 - 1 / 4)) ^ 2 by [apply: pow2_gt_0; lra]; rewrite Rminus_eq_0; lra.
Qed.

(** log q for log p in the cross-entropy bound. *)
Theorem control_cross_entropy_upper :
  ~ (forall (T : finType) (p q : T -> R), policy p -> policy q ->
       entropy q - entropy p <= - (\sum_y (q y - p y) * ln (q y))).
Proof.
move=> h; have [h2 [h4 _]] := two_policies; have [bound _] := cross_entropy_upper.
have le := h _ _ _ h4 h2; have [up eq] := bound _ _ _ h2 h4.
have e : entropy (bernoulli (1 / 4)) - entropy (bernoulli (1 / 2)) =
    - (\sum_y (bernoulli (1 / 4) y - bernoulli (1 / 2) y) * ln (bernoulli (1 / 2) y)).
  by move: le up; rewrite !sum_bool; lra.
by have := (proj1 eq e) true; rewrite /bernoulli; lra.
Qed.

(** The total variation bound without the entropy of the coin. *)
Theorem control_cross_entropy_variation :
  ~ (forall (T : finType) (p q : T -> R), policy p -> policy q -> let v := (\sum_y Rabs (q y - p y)) / 2 in
       Rabs (entropy q - entropy p) <= v * ln (INR #|T| - 1)).
Proof.
move=> h; have [h2 [h4 lt]] := two_policies; have := h _ _ _ h4 h2; cbv zeta.
rewrite card_bool (_ : INR 2 - 1 = 1) ?ln_1 ?Rmult_0_r; last by rewrite /=; ring.
by have := Rabs_pos_lt (entropy (bernoulli (1 / 2)) - entropy (bernoulli (1 / 4))); lra.
Qed.

(** The least ratio as an upper bound of the entropy ratio. *)
Theorem control_ratio_box :
  ~ (forall (T : finType) (p q : T -> R) (a b : R), policy p -> policy q -> (forall y, a <= q y / p y <= b) ->
       entropy q <= a * entropy p).
Proof.
move=> h; have [h2 [h4 lt]] := two_policies; have h0 := entropy_ge0 h4.
have := h _ _ (bernoulli (1 / 4)) (1 / 2) (3 / 2) h2 h4 (ltac:(by case; rewrite /bernoulli; lra)) => le.
have l3 : ln (1 / 4) < 0 by rewrite -ln_1; apply: ln_increasing; lra.
(* H(1/4, 3/4) > (log 4)/4 = (log 2)/2. *)
have e2 : entropy (bernoulli (1 / 2)) = - ln (1 / 2).
  by rewrite /entropy /mean sum_bool /logp /bernoulli (_ : 1 - 1 / 2 = 1 / 2); field.
have e4 : ln (1 / 4) = 2 * ln (1 / 2).
  by rewrite (_ : 1 / 4 = 1 / 2 * (1 / 2)) ?ln_mult; lra.
have l4 : ln (1 - 1 / 4) < 0 by rewrite -ln_1; apply: ln_increasing; lra.
by move: le; rewrite e2 /entropy /mean sum_bool /logp /bernoulli e4; lra.
Qed.
