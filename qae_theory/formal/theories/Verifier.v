(** Claims correlated-verifier and correlated-verifier-if: a verifier whose errors are correlated within a group.

    A noise u is shared by all responses of a group. Given u the verifier scores response y as correct with probability
    c u y, independently of the rest, so the scores are independent again and the expected update is
    w(p_u, G) grad p_u, p_u the probability of a score of 1. Over u these add up to a multiple of the gradient of
    E[p_u] if w is one number, and in general not otherwise. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables.
From QAE Require Import NeutralityGains Neutrality NeutralityLimit NeutralityDip.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The law of a response and its score *)

Section Judged.
Variables (T : finType) (p c : T -> R).

Lemma sum_judged (F : T * bool -> R) :
  \sum_a judged p c a * F a = \sum_y p y * (c y * F (y, true) + (1 - c y) * F (y, false)).
Proof.
transitivity (\sum_y \sum_b judged p c (y, b) * F (y, b)).
  by rewrite sum_pairs; apply: sum_ext => -[y b].
by apply: sum_ext => y; rewrite sum_bool /judged /bernoulli /=; ring.
Qed.

Lemma judged_one : \sum_y p y = 1 -> \sum_a judged p c a = 1.
Proof.
move=> one; rewrite -[RHS]one -(sum_ext (fun a => Rmult_1_r (judged p c a))) (sum_judged (fun _ => 1)).
by apply: sum_ext => y; ring.
Qed.

Lemma mean_judged_score : mean (judged p c) (fun a => bit a.2) = mean p c.
Proof. by rewrite /mean sum_judged; apply: sum_ext => y /=; ring. Qed.

Lemma mean_judged_response (s : T -> R) : mean (judged p c) (fun a => s a.1) = mean p s.
Proof. by rewrite /mean sum_judged; apply: sum_ext => y /=; ring. Qed.

Lemma mean_judged_both (s : T -> R) : mean (judged p c) (fun a => bit a.2 * s a.1) = mean p (fun y => c y * s y).
Proof. by rewrite /mean sum_judged; apply: sum_ext => y /=; ring. Qed.

Lemma judged_update G (A : estimator G) a (s : T -> R) : \sum_y p y = 1 -> has_table A a -> (0 < G)%N ->
  mean p s = 0 ->
  expected_update (judged p c) (fun a => bit a.2) A (fun a => s a.1) =
  table_gain G (mean p c) a * mean p (fun y => c y * s y).
Proof.
move=> one table G0 s0; have bin : binary (fun a : T * bool => bit a.2) by move=> x; apply: bit_binary.
rewrite (expected_update_table (judged_one one) bin table G0) ?mean_judged_response //.
by rewrite mean_judged_score mean_judged_both.
Qed.
End Judged.

Section Smooth.
Variables (T : finType) (P : R -> T -> R) (t : R).
Hypothesis smooth : forall y, ex_derive (fun v => P v y) t.

Lemma mean_smooth (f : T -> R) : ex_derive (fun v => mean (P v) f) t.
Proof.
exists (\sum_y (Derive (fun v => P v y) t * f y + P t y * 0)).
apply: derive_sum => y _; apply: derive_mul; last exact: derive_const.
exact: (Derive_correct _ _ (smooth y)).
Qed.

Lemma derive_mixture (U : finType) (rho : U -> R) (c : U -> T -> R) :
  Derive (fun v => \sum_u rho u * mean (P v) (c u)) t = \sum_u rho u * Derive (fun v => mean (P v) (c u)) t.
Proof.
apply: is_derive_unique; apply: derive_sum => u _; apply: derive_scale.
exact: (Derive_correct _ _ (mean_smooth (c u))).
Qed.
End Smooth.

(** The expected update under noise u with the law rho: the scores of the group are independent given u, so that every
    u contributes its own gain times its own gradient. *)
Theorem correlated_verifier_update : forall (T U : finType) (P : R -> T -> R) (t : R) (rho : U -> R) (c : U -> T -> R)
    (G : nat) (A : estimator G) (i : 'I_G),
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> law rho -> (forall u y, 0 <= c u y <= 1) ->
  (forall u, 0 < mean (P t) (c u) < 1) -> equivariant A ->
  \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
    (fun a => Derive (fun v => ln (P v a.1)) t) =
  \sum_u rho u * (gain (mean (P t) (c u)) A i * Derive (fun v => mean (P v) (c u)) t).
Proof.
move=> T U P t rho c G A i pol smooth _ _ hV eqv; have [a table] := equivariant_has_table eqv; have [_ one] := pol t.
apply: sum_ext => u; congr (_ * _).
rewrite (judged_update (c u) (s := fun y => Derive (fun v => ln (P v y)) t) one table (group_pos i)); last first.
  exact: mean_score0.
by rewrite (gain_table (hV u) i table) mean_score.
Qed.

(** * Rules with one gain stay neutral *)

Lemma constant_gain_judged (T U : finType) (P : R -> T -> R) t (rho : U -> R) (c : U -> T -> R) G (A : estimator G) a w :
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> (0 < G)%N -> has_table A a ->
  (forall j, (j <= G.-1)%N -> a true j.+1 - a false j = w) ->
  \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
    (fun a => Derive (fun v => ln (P v a.1)) t) =
  w * Derive (fun v => \sum_u rho u * mean (P v) (c u)) t.
Proof.
move=> pol smooth G0 table const; have [_ one] := pol t; rewrite derive_mixture // -sum_scale.
apply: sum_ext => u.
rewrite (judged_update (c u) (s := fun y => Derive (fun v => ln (P v y)) t) one table G0); last exact: mean_score0.
rewrite mean_score // /table_gain (binomial_mean_ext (h := fun _ => w)) ?binomial_mean_const //; ring.
Qed.

(** RLOO, PSR, NSR, Dr. GRPO, the leave-one-out quantile, and GRPO in groups of two and three take the same step as
    without noise: a fixed number times the gradient of E[p_u]. *)
Theorem correlated_verifier_constant : forall (T U : finType) (P : R -> T -> R) (t : R) (rho : U -> R)
    (c : U -> T -> R) (G : nat) (K : R),
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> law rho -> (forall u y, 0 <= c u y <= 1) ->
  (1 < G)%N -> 0 < K <= 1 ->
  let update n (A : estimator n) := \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
    (fun a => Derive (fun v => ln (P v a.1)) t) in
  let gradient := Derive (fun v => \sum_u rho u * mean (P v) (c u)) t in
  update G (@rloo G) = gradient /\ update G (@psr G) = gradient /\ update G (@nsr G) = gradient
  /\ update G (@dr_grpo G) = (INR G - 1) / INR G * gradient /\ update G (@loo_quantile G K) = gradient
  /\ update 2%N (@grpo 2 Population 0) = gradient /\ update 3%N (@grpo 3 Population 0) = sqrt 2 * gradient.
Proof.
move=> T U P t rho c G K pol smooth _ _ G1 hK update gradient; have G0 := ltnW G1; have g := INR_neq0 G0.
have constant n (A : estimator n) a w : (0 < n)%N -> has_table A a ->
    (forall j, (j <= n.-1)%N -> a true j.+1 - a false j = w) -> update n A = w * gradient.
  exact: constant_gain_judged.
split; first by rewrite (constant _ _ _ 1 G0 (@rloo_table G)) ?Rmult_1_l // => j _; rewrite subn1 subn0 /Rdiv /=; ring.
split; first by rewrite (constant _ _ _ 1 G0 (@psr_table G)) ?Rmult_1_l // => j _ /=; ring.
split; first by rewrite (constant _ _ _ 1 G0 (@nsr_table G)) ?Rmult_1_l // => j _ /=; ring.
split; first by apply: (constant _ _ _ _ G0 (@dr_grpo_table G)) => j _; rewrite /rate INR_succ /=; field.
split.
  by have [a table const] := loo_quantile_contrast G1 hK; rewrite (constant _ _ _ 1 G0 table) ?Rmult_1_l.
split; last by apply: (constant 3%N _ _ _ isT (@grpo_table 3 Population 0)) => j; apply: grpo_contrast_three.
by rewrite (constant 2%N _ _ 1 isT (@grpo_table 2 Population 0)) ?Rmult_1_l // => j; apply: grpo_contrast_two.
Qed.

(** * Rules whose gain depends on p do not *)

(** The logit update of a tabular query under the shared noise, in the logit of y; and that of the mean success
    probability. *)
Lemma noisy_update_logits (T U : finType) (p : T -> R) (rho : U -> R) (r : U -> T -> R) G (A : estimator G) (i : 'I_G) y :
  \sum_x p x = 1 -> (forall u, binary (r u)) -> (forall u, 0 < mean p (r u) < 1) -> equivariant A ->
  \sum_u rho u * expect p (fun g => sampled_group p g (A (rewards (r u) g)) y) =
  \sum_u rho u * (gain (mean p (r u)) A i * (p y * (r u y - mean p (r u)))).
Proof.
move=> one bin hV eqv; have [a table] := equivariant_has_table eqv; apply: sum_ext => u; congr (_ * _).
rewrite (gain_table (hV u) i table).
have s0 : mean p (fun x => bit (x == y) - p y) = 0 by rewrite mean_sub mean_const // /mean sum_bit_eq_r; ring.
have := expected_update_table one (bin u) table (group_pos i) s0; rewrite /expected_update /sampled_group => ->.
congr (_ * _); rewrite /mean.
rewrite (eq_bigr (fun x => bit (x == y) * (p x * r u x) - p x * r u x * p y)) => [|x _]; last by ring.
by rewrite sum_sub sum_bit_eq sum_scale_r -/(mean p (r u)); ring.
Qed.

(** Every rule whose gain takes two values w(p) <> w(q) fails to be neutral, on a query with three responses of
    probabilities p, q - p and 1 - q: the verifier accepts the first response only or the first two, evenly, for the
    whole group. The expected update of the logits is then no multiple of the gradient of the mean success probability. *)
Theorem correlated_verifier_refuted : forall (G : nat) (A : estimator G) (i : 'I_G) (p q : R),
  equivariant A -> 0 < p -> p < q -> q < 1 -> gain p A i <> gain q A i ->
  let pi (y : 'I_3) := nth 0 [:: p; q - p; 1 - q] y in
  let r (u : bool) (y : 'I_3) := bit (y < (if u then 1 else 2))%N in
  policy pi /\ ~ exists w, forall y,
    / 2 * expect pi (fun g => sampled_group pi g (A (rewards (r true) g)) y)
    + / 2 * expect pi (fun g => sampled_group pi g (A (rewards (r false) g)) y)
    = w * (/ 2 * policy_gradient pi (r true) 0 y + / 2 * policy_gradient pi (r false) 0 y).
Proof.
move=> G A i p q eqv p0 pq q1 ne pi r.
have one : \sum_y pi y = 1 by rewrite !big_ord_recl big_ord0 /pi /=; ring.
split; first by split=> // -[[|[|[|]]] h] //; rewrite /pi /=; lra.
have V1 : mean pi (r true) = p by rewrite /mean !big_ord_recl big_ord0 /pi /r /=; ring.
have V2 : mean pi (r false) = q by rewrite /mean !big_ord_recl big_ord0 /pi /r /=; ring.
have hV u : 0 < mean pi (r u) < 1 by case: u; rewrite ?V1 ?V2; lra.
have bin u : binary (r u) by move=> y; apply: bit_binary.
move=> [w h]; apply: ne.
have eqs y : / 2 * (gain p A i * (pi y * (r true y - p))) + / 2 * (gain q A i * (pi y * (r false y - q))) =
    w * (/ 2 * (pi y * (r true y - p)) + / 2 * (pi y * (r false y - q))).
  have e := noisy_update_logits (fun _ : bool => / 2) i y one bin hV eqv.
  rewrite !sum_bool V1 V2 in e; rewrite -e h /policy_gradient.
  have z (f : 'I_3 -> R) : mean pi (fun x => f x - 0) = mean pi f by apply: mean_ext => x; ring.
  by rewrite !z V1 V2; ring.
have e0 := eqs ord0; have e2 := eqs ord_max; rewrite /pi /r /= in e0 e2.
set w1 := gain p A i in e0 e2 *; set w2 := gain q A i in e0 e2 *.
have f0 : (w1 - w) * (1 - p) + (w2 - w) * (1 - q) = 0 by apply: (Rmult_eq_reg_l p); lra.
have f2 : (w1 - w) * p + (w2 - w) * q = 0 by apply: (Rmult_eq_reg_l (1 - q)); lra.
have f3 : (w1 - w) * (p - q) = 0 by nra.
by case: (Rmult_integral _ _ f3); nra.
Qed.
