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

(** A score that is never or always 1 has a gradient of 0; otherwise its probability is between 0 and 1. *)
Lemma score_range (T : finType) (P : R -> T -> R) t (c : T -> R) : (forall v, policy (P v)) ->
  (forall y, 0 <= c y <= 1) -> 0 < mean (P t) c < 1 \/ Derive (fun v => mean (P v) c) t = 0.
Proof.
move=> pol hc; have [pos one] := pol t; have [m0 m1] := mean_bounds (policy_law (pol t)) hc.
have fixed b : (forall y, c y = b) -> Derive (fun v => mean (P v) c) t = 0.
  move=> e; rewrite (Derive_ext _ (fun _ => b)) ?Derive_const // => v; have [_ onev] := pol v.
  by rewrite -[RHS](mean_const b onev); apply: mean_ext.
case: (Req_dec (mean (P t) c) 0) => [z|n0].
  right; apply: (fixed 0) => y; have nonneg x : predT x -> 0 <= P t x * c x.
    by move=> _; apply: Rmult_le_pos; [apply: Rlt_le | case: (hc x)].
  by case: (Rmult_integral _ _ (sum_eq0 nonneg z (i := y) isT)) => // h; have := pos y; lra.
case: (Req_dec (mean (P t) c) 1) => [z|n1]; last by left; lra.
right; apply: (fixed 1) => y; have nonneg x : predT x -> 0 <= P t x * (1 - c x).
  by move=> _; apply: Rmult_le_pos; [apply: Rlt_le | case: (hc x); lra].
have z' : \sum_x P t x * (1 - c x) = 0 by have := mean_sub (P t) (fun _ => 1) c; rewrite mean_const // z /mean; lra.
by case: (Rmult_integral _ _ (sum_eq0 nonneg z' (i := y) isT)) => h; [have := pos y; lra | lra].
Qed.

(** The expected update under noise u with the law rho: the scores of the group are independent given u, so that every
    u contributes its own gain times its own gradient. *)
Theorem correlated_verifier_update : forall (T U : finType) (P : R -> T -> R) (t : R) (rho : U -> R) (c : U -> T -> R)
    (G : nat) (A : estimator G) (i : 'I_G),
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> law rho ->
  (forall u y, 0 <= c u y <= 1) -> equivariant A ->
  \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
    (fun a => Derive (fun v => ln (P v a.1)) t) =
  \sum_u rho u * (gain (mean (P t) (c u)) A i * Derive (fun v => mean (P v) (c u)) t).
Proof.
move=> T U P t rho c G A i pol smooth _ hc eqv; have [a table] := equivariant_has_table eqv; have [_ one] := pol t.
apply: sum_ext => u; congr (_ * _).
rewrite (judged_update (c u) (s := fun y => Derive (fun v => ln (P v y)) t) one table (group_pos i)); last first.
  exact: mean_score0.
rewrite mean_score //; case: (score_range t pol (hc u)) => [hV|->]; first by rewrite (gain_table hV i table).
by rewrite !Rmult_0_r.
Qed.

(** * Rules with one gain stay neutral *)

Lemma constant_gain_judged (T U : finType) (P : R -> T -> R) t (rho : U -> R) (c : U -> T -> R) G (A : estimator G) a
    w :
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
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> law rho ->
  (forall u y, 0 <= c u y <= 1) -> (1 < G)%N -> 0 < K <= 1 ->
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
Lemma noisy_update_logits (T U : finType) (p : T -> R) (rho : U -> R) (r : U -> T -> R) G (A : estimator G) (i : 'I_G)
    y :
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
    whole group. The expected update of the logits is then no multiple of the gradient of the mean success
    probability. *)
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

(** Near an end of (0, 1) the gain is close to its value there. *)
Lemma gain_leaves_0 G (A : estimator G) a i q : has_table A a -> 0 < q < 1 -> table_gain G 0 a <> gain q A i ->
  exists p, 0 < p < q /\ gain p A i <> gain q A i.
Proof.
move=> table hq ne; have [d near] := @table_gain_continuous G a 0 _ (open_neq (gain q A i) _ ne).
have d0 := cond_pos d; exists (Rmin (d / 2) (q / 2)).
have hp : 0 < Rmin (d / 2) (q / 2) <= q / 2 by split; [apply: Rmin_glb_lt; lra | apply: Rmin_r].
have le := Rmin_l (d / 2) (q / 2); split; first by lra.
rewrite (gain_table (_ : 0 < Rmin (d / 2) (q / 2) < 1) i table); last by lra.
by apply: near; rewrite /ball /= /AbsRing_ball /= /abs /minus /plus /opp /=; apply: Rabs_def1; lra.
Qed.

Lemma gain_leaves_1 G (A : estimator G) a i q : has_table A a -> 0 < q < 1 -> table_gain G 1 a <> gain q A i ->
  exists p, q < p < 1 /\ gain p A i <> gain q A i.
Proof.
move=> table hq ne; have [d near] := @table_gain_continuous G a 1 _ (open_neq (gain q A i) _ ne).
have d0 := cond_pos d; pose m := Rmin (d / 2) ((1 - q) / 2); exists (1 - m).
have hm : 0 < m <= (1 - q) / 2 by split; [apply: Rmin_glb_lt; lra | apply: Rmin_r].
have le : m <= d / 2 by apply: Rmin_l.
split; first by lra.
rewrite (gain_table (_ : 0 < 1 - m < 1) i table); last by lra.
by apply: near; rewrite /ball /= /AbsRing_ball /= /abs /minus /plus /opp /=; apply: Rabs_def1; lra.
Qed.

(** QAE's gain is never constant: for every K and every G >= 2 it takes two values. *)
Theorem correlated_verifier_qae_varies : forall (G : nat) (K : R) (i : 'I_G), (1 < G)%N -> 0 < K < 1 ->
  exists p q, 0 < p < q /\ q < 1 /\ gain p (@qae G Population 0 K) i <> gain q (@qae G Population 0 K) i.
Proof.
move=> G K i G1 hK; have hK' : 0 < K <= 1 by lra.
have table := @qae_table G Population 0 K hK'; have G0 := ltnW G1; have [_ i1] := end_range G1.
have r0 := end_root G1; have [at0 _] := table_at_0 K G1; have [at1 _] := table_at_1 K G1.
have pos q : 0 < q < 1 -> 0 < gain q (@qae G Population 0 K) i by move=> hq; apply: gain_qae_gt0 => //; lra.
case: (Rlt_or_le (1 - / INR G) K) => high.
  have hq : 0 < / 2 < 1 by lra.
  have zero : table_gain G 0 (table_over G Population 0 (fun b m => bit b - gate K (rate G m))) <>
      gain (/ 2) (@qae G Population 0 K) i.
    rewrite at0 /gate Rleb_false; last by lra.
    by rewrite /Rdiv Rminus_eq_0 Rmult_0_l; have := pos _ hq; lra.
  by have [p [hp ne]] := gain_leaves_0 table hq zero; exists p, (/ 2); split=> //; split=> //; lra.
case: (Rlt_or_le (/ INR G) K) => low; last first.
  have hq : 0 < / 2 < 1 by lra.
  have zero : table_gain G 1 (table_over G Population 0 (fun b m => bit b - gate K (rate G m))) <>
      gain (/ 2) (@qae G Population 0 K) i.
    rewrite at1 /gate Rleb_true; last by lra.
    by rewrite /Rdiv Rmult_0_l; have := pos _ hq; lra.
  have [p [hp ne]] := gain_leaves_1 table hq zero; exists (/ 2), p; split; first by lra.
  by split; [lra | move=> e; apply: ne].
have hq : 0 < 1 - K < 1 by lra.
have below : gain (1 - K) (@qae G Population 0 K) i < / sqrt ((1 - K) * (1 - (1 - K))).
  set s := sqrt _; have s0 : 0 < s := deviation_pos hq; have ss := deviation_square hq; rewrite -/s in ss.
  rewrite gain_qae_group //.
  suff : 0 < binomial_mean G (1 - K) (fun m => / s - qae_integrand K (1 - K) (rate G m)).
    by rewrite binomial_mean_sub binomial_mean_const; lra.
  apply: (@binomial_mean_gt0 _ _ _ 0) => // [|m mG].
    rewrite rate_0 /qae_integrand Rleb_true; last by lra.
    by rewrite /u_weight /Rdiv !Rmult_0_l sqrt_0 Rmult_0_l Rminus_0_r; apply: Rinv_0_lt_compat.
  have hr := rate_range i mG; set x := rate G m; rewrite -/x in hr.
  rewrite /qae_integrand; case: RlebP => g.
    have falls := u_weight_falls hq s0 ss (_ : 0 <= x <= 1 - K).
    have le : 0 <= (1 - K) / s - u_weight x.
      by apply: Rle_trans (falls _); [apply: Rdiv_le_0_compat; lra | lra].
    have -> : / s - u_weight x / (1 - K) = ((1 - K) / s - u_weight x) / (1 - K) by field; lra.
    by apply: Rdiv_le_0_compat; lra.
  have ss' : s * s = K * (1 - K) by rewrite ss; ring.
  have falls := u_weight_falls hK s0 ss' (_ : 0 <= 1 - x <= K).
  have le : 0 <= K / s - u_weight (1 - x).
    by apply: Rle_trans (falls _); [apply: Rdiv_le_0_compat; lra | lra].
  rewrite v_weight_flip.
  have -> : / s - u_weight (1 - x) / (1 - (1 - K)) = (K / s - u_weight (1 - x)) / K by field; lra.
  by apply: Rdiv_le_0_compat; lra.
rewrite /gate Rleb_true ?Rminus_0_r in at0; last by lra.
have far : / sqrt ((1 - K) * (1 - (1 - K))) <= 1 / sqrt (/ INR G * (1 - / INR G)).
  rewrite /Rdiv Rmult_1_l; apply: Rinv_le_contravar => //; apply: sqrt_le_1_alt; nra.
have ne0 : table_gain G 0 (table_over G Population 0 (fun b m => bit b - gate K (rate G m))) <>
    gain (1 - K) (@qae G Population 0 K) i by rewrite at0; lra.
by have [p [hp ne]] := gain_leaves_0 table hq ne0; exists p, (1 - K); split=> //; split=> //; lra.
Qed.

(** GRPO's gain takes two values for every G >= 4: near p = 0 it is close to sqrt(G - 1), and at p = 1/2 it is
    smaller. *)
Theorem correlated_verifier_grpo_varies : forall (G : nat) (i : 'I_G), (3 < G)%N ->
  exists p q, 0 < p < q /\ q < 1 /\ gain p (@grpo G Population 0) i <> gain q (@grpo G Population 0) i.
Proof.
move=> G i G3; have table := @grpo_table G Population 0.
have G1 : (1 < G)%N by apply: leq_trans G3.
have G0 := ltnW G1; have [_ i1] := end_range G1; have r0 := end_root G1; have g := INR_ltn G3; rewrite /= in g.
have hone : (0 < 1 < G)%N by rewrite G1.
have at0 : table_gain G 0 (table_over G Population 0 (fun b m => bit b - rate G m)) = sqrt (INR G - 1).
  rewrite table_gain_0 // (table_over_population _ _ hone) table_over_degenerate // rate_one /bit Rminus_0_r.
  set s := sqrt (/ INR G * (1 - / INR G)) in r0 *.
  have ss : s * s = / INR G * (1 - / INR G) by apply: sqrt_sqrt; nra.
  have p0 : 0 <= (1 - / INR G) / s by apply: Rdiv_le_0_compat; lra.
  rewrite -(sqrt_square _ p0); congr sqrt; apply: (Rmult_eq_reg_r (s * s)); last by nra.
  have -> : (1 - / INR G) / s * ((1 - / INR G) / s) * (s * s) = (1 - / INR G) * (1 - / INR G) by field; lra.
  by rewrite ss; field; lra.
have hq : 0 < 1 / 2 < 1 by lra.
suff lt : gain (1 / 2) (@grpo G Population 0) i < sqrt (INR G - 1).
  have ne0 : table_gain G 0 (table_over G Population 0 (fun b m => bit b - rate G m)) <>
      gain (1 / 2) (@grpo G Population 0) i by rewrite at0; lra.
  by have [p [hp ne]] := gain_leaves_0 table hq ne0; exists p, (1 / 2); split=> //; split=> //; lra.
rewrite gain_grpo_group //; case: (ltnP 4 G) => G4; last first.
  have E : G = 4%N by apply/eqP; rewrite eqn_leq G4.
  rewrite {}E /binomial_mean !big_ord_recl big_ord0 /binomial_law /grpo_integrand /rate /=.
  have r3 : 0 < sqrt 3 by apply: sqrt_lt_R0; lra.
  have rr : sqrt 3 * sqrt 3 = 3 by apply: sqrt_sqrt; lra.
  have quarter x : x = 3 / (4 * 4) -> sqrt x = sqrt 3 / 4.
    by move=> ->; rewrite sqrt_div ?sqrt_square; lra.
  have half x : x = / 2 * / 2 -> sqrt x = / 2 by move=> ->; rewrite sqrt_square; lra.
  have zero x : x = 0 -> sqrt x = 0 by move=> ->; apply: sqrt_0.
  rewrite [sqrt (0 / _ * _)]zero; last by field.
  rewrite [sqrt (1 / _ * _)]quarter; last by field.
  rewrite [sqrt ((1 + 1) / _ * _)]half; last by field.
  rewrite [sqrt ((1 + 1 + 1) / _ * _)]quarter; last by field.
  rewrite [sqrt ((1 + 1 + 1 + 1) / _ * _)]zero; last by field.
  rewrite (_ : 1 + 1 + 1 + 1 - 1 = 3); last by ring.
  by rewrite /=; nra.
apply: (Rle_lt_trans _ (2 - / INR G)).
  have -> : 2 - / INR G = binomial_mean G (1 / 2) (fun m => 2 + -4 * (rate G m - 1 / 2) ^ 2).
    rewrite binomial_mean_add binomial_mean_const binomial_mean_scale rate_moment // central_moment_2; field; lra.
  apply: binomial_mean_le => [|m mG]; first by lra.
  have hr := rate_range i mG; set x := rate G m; rewrite -/x in hr; rewrite /grpo_integrand.
  have t0 : 0 <= x * (1 - x) by nra.
  have := sqrt_sqrt _ t0; have := sqrt_pos (x * (1 - x)); set s := sqrt _ => s0 ss.
  have -> : s / (1 / 2 * (1 - 1 / 2)) = 4 * s by field.
  by have := pow2_ge_0 (2 * s - 1); nra.
apply: (Rlt_le_trans _ 2); first by lra.
rewrite -(sqrt_square 2); last by lra.
by apply: sqrt_le_1_alt; have := INR_leq G4; rewrite /=; lra.
Qed.

(** The first witness: three responses of equal probability, of which the verifier accepts the first or the first two,
    evenly and for the whole group; QAE with G = 2 and K = 2/5. The expected update of the logits is (5, -1, -4)/27, the
    gradient of the mean success probability (1, 0, -1)/6, and the one is no multiple of the other. *)
Theorem correlated_verifier_line :
  let pi (y : 'I_3) := 1 / 3 in
  let r (u : bool) (y : 'I_3) := bit (y < (if u then 1 else 2))%N in
  let update (y : 'I_3) :=
    / 2 * expect pi (fun g => sampled_group pi g (@qae 2 Population 0 (2 / 5) (rewards (r true) g)) y)
    + / 2 * expect pi (fun g => sampled_group pi g (@qae 2 Population 0 (2 / 5) (rewards (r false) g)) y) in
  let gradient (y : 'I_3) := / 2 * policy_gradient pi (r true) 0 y + / 2 * policy_gradient pi (r false) 0 y in
  policy pi
  /\ (forall y : 'I_3, update y = nth 0 [:: 5 / 27; -1 / 27; -4 / 27] y)
  /\ (forall y : 'I_3, gradient y = nth 0 [:: 1 / 6; 0; -1 / 6] y)
  /\ ~ exists w, forall y, update y = w * gradient y.
Proof.
move=> pi r update gradient.
have one : \sum_y pi y = 1 by rewrite !big_ord_recl big_ord0 /pi /=; field.
have V1 : mean pi (r true) = 1 / 3 by rewrite /mean !big_ord_recl big_ord0 /pi /r /=; field.
have V2 : mean pi (r false) = 2 / 3 by rewrite /mean !big_ord_recl big_ord0 /pi /r /=; field.
have hV u : 0 < mean pi (r u) < 1 by case: u; rewrite ?V1 ?V2; lra.
have bin u : binary (r u) by move=> y; apply: bit_binary.
have hK : 0 < 2 / 5 < 1 / 2 by lra.
have up y : update y = nth 0 [:: 5 / 27; -1 / 27; -4 / 27] y.
  have e := noisy_update_logits (fun _ : bool => / 2) ord0 y one bin hV (@qae_equivariant 2 Population 0 (2 / 5)).
  rewrite !sum_bool !gain_two_qae // V1 V2 in e; rewrite /update {}e.
  by case: y => -[|[|[|y]]] hy //; rewrite /pi /r /=; field.
have down y : gradient y = nth 0 [:: 1 / 6; 0; -1 / 6] y.
  have z (f : 'I_3 -> R) : mean pi (fun x => f x - 0) = mean pi f by apply: mean_ext => x; ring.
  rewrite /gradient /policy_gradient !z V1 V2.
  by case: y => -[|[|[|y]]] hy //; rewrite /pi /r /=; field.
split; first by split=> // y; rewrite /pi; lra.
do 2 split=> //; move=> [w h]; have := h (@Ordinal 3 1 isT); rewrite up down /=; lra.
Qed.

(** * A flip of all scores of a group *)

Section Flip.
Variables (T : finType) (P : R -> T -> R) (t : R) (r : T -> R).
Hypotheses (pol : forall v, policy (P v)) (smooth : forall y, ex_derive (fun v => P v y) t) (bin : binary r).

Lemma flip_mean v : mean (P v) (fun y => 1 - r y) = 1 - mean (P v) r.
Proof. by have [_ one] := pol v; rewrite mean_sub mean_const. Qed.

Lemma flip_binary : binary (fun y => 1 - r y).
Proof. by move=> y; case: (bin y) => ->; [right | left]; ring. Qed.

Lemma flip_derive : Derive (fun v => mean (P v) (fun y => 1 - r y)) t = - Derive (fun v => mean (P v) r) t.
Proof.
rewrite (Derive_ext _ (fun v => 1 - mean (P v) r)) => [|v]; last exact: flip_mean.
apply: is_derive_unique; apply: derive_eq.
  by apply: derive_sub (derive_const 1 t) (Derive_correct _ _ (mean_smooth smooth r)).
exact: Rminus_0_l.
Qed.

(** A flip with probability q that is shared by the group: the update weighs the two cases by their gains. *)
Lemma flip_update G (A : estimator G) i q : 0 < mean (P t) r < 1 -> equivariant A ->
  \sum_(flip : bool) bernoulli q flip * expected_update (P t) (fun y => if flip then 1 - r y else r y) A
    (fun y => Derive (fun v => ln (P v y)) t) =
  ((1 - q) * gain (mean (P t) r) A i - q * gain (1 - mean (P t) r) A i) * Derive (fun v => mean (P v) r) t.
Proof.
move=> hV eqv; rewrite sum_bool /bernoulli (neutrality_update i pol smooth bin hV eqv).
have hV' : 0 < mean (P t) (fun y => 1 - r y) < 1 by rewrite flip_mean; lra.
by rewrite (neutrality_update i pol smooth flip_binary hV' eqv) flip_mean flip_derive; ring.
Qed.
End Flip.

(** The second witness: p = 4/5, and with probability 1/4 the verifier flips every score of the group. Then J, the
    score of a correct response less that of a wrong one, has the mean 1/2, and the gradient of the mean success
    probability is half that of p; but QAE with G = 2 and K = 2/5 moves against it, with the weight -1/10. *)
Theorem correlated_verifier_turn : forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R),
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> mean (P t) r = 4 / 5 ->
  let score (flip : bool) y := if flip then 1 - r y else r y in
  \sum_(flip : bool) bernoulli (1 / 4) flip * expected_update (P t) (score flip) (@qae 2 Population 0 (2 / 5))
    (fun y => Derive (fun v => ln (P v y)) t) = - (1 / 10) * Derive (fun v => mean (P v) r) t
  /\ \sum_(flip : bool) bernoulli (1 / 4) flip * (if flip then -1 else 1) = 1 / 2
  /\ Derive (fun v => \sum_(flip : bool) bernoulli (1 / 4) flip * mean (P v) (score flip)) t =
     1 / 2 * Derive (fun v => mean (P v) r) t.
Proof.
move=> T P t r pol smooth bin V score; have hV : 0 < mean (P t) r < 1 by lra.
have hK : 0 < 2 / 5 < 1 / 2 by lra.
split.
  rewrite (flip_update pol smooth bin ord0 (1 / 4) hV (@qae_equivariant 2 Population 0 (2 / 5))).
  rewrite !gain_two_qae //; try lra.
  by rewrite V; field.
split; first by rewrite sum_bool /bernoulli; field.
rewrite derive_mixture // sum_bool.
have -> : Derive (fun v => mean (P v) (score true)) t = - Derive (fun v => mean (P v) r) t by apply: flip_derive.
have -> : Derive (fun v => mean (P v) (score false)) t = Derive (fun v => mean (P v) r) t by [].
by rewrite /bernoulli; field.
Qed.

Lemma binomial_mean_flip N p (f : nat -> R) : binomial_mean N (1 - p) f = binomial_mean N p (fun j => f (N - j)%N).
Proof.
rewrite /binomial_mean (reindex_inj rev_ord_inj) /=; apply: eq_bigr => j _; rewrite /binomial_law subSS.
have jN : (j <= N)%N by rewrite -ltnS.
by rewrite subKn // bin_sub // (_ : 1 - (1 - p) = p); ring.
Qed.

(** GRPO's gain is the same at p and at 1 - p. *)
Lemma gain_grpo_flip G k eps p (i : 'I_G) : 0 < p < 1 -> gain (1 - p) (@grpo G k eps) i = gain p (@grpo G k eps) i.
Proof.
move=> hp; have hp' : 0 < 1 - p < 1 by lra.
have G0 := group_pos i; have g := INR_neq0 G0.
rewrite !(gain_table _ i (@grpo_table G k eps)) // /table_gain binomial_mean_flip; apply: binomial_mean_ext => j jG.
have jG' : (j < G)%N by rewrite -(prednK G0).
have sym m m' b : (m + m' = G)%N -> table_over G k eps (fun b m => bit b - rate G m) b m =
    - table_over G k eps (fun b m => bit b - rate G m) (~~ b) m'.
  move=> e; have E : INR m' = INR G - INR m by have := INR_add m m'; rewrite e; lra.
  have r : rate G m' = 1 - rate G m by rewrite /rate E; field.
  have d : (m == 0%N) || (m == G) = ((m' == 0%N) || (m' == G)).
    have -> : (m == G) = (m' == 0%N) by rewrite -e -[X in (X == _) = _]addn0 eqn_add2l eq_sym.
    have -> : (m == 0%N) = (m' == G) by rewrite -e -[X in _ = (X == _)]add0n eqn_add2r eq_sym.
    exact: orbC.
  rewrite /table_over /table_mixed /table_std d r; case: ifP => _; first by ring.
  rewrite (_ : 1 - (1 - rate G m) = rate G m); last by ring.
  rewrite [(1 - rate G m) * rate G m]Rmult_comm /Rdiv Ropp_mult_distr_l; congr (_ * _).
  by case: b; rewrite /bit /=; ring.
rewrite (sym (G.-1 - j).+1 j true); last by rewrite -subSn // prednK // subnK // ltnW.
rewrite (sym (G.-1 - j)%N j.+1 false); last by rewrite addnS -addSn -subSn // prednK // subnK // ltnW.
by rewrite /=; ring.
Qed.

(** Under the same flip, with any probability q, GRPO keeps the weight (1 - 2 q) w and turns only where q > 1/2. *)
Theorem correlated_verifier_grpo_flip : forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat)
    (k : divisor) (eps q : R) (i : 'I_G),
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> 0 < mean (P t) r < 1 ->
  \sum_(flip : bool) bernoulli q flip * expected_update (P t) (fun y => if flip then 1 - r y else r y)
    (@grpo G k eps) (fun y => Derive (fun v => ln (P v y)) t) =
  (1 - 2 * q) * gain (mean (P t) r) (@grpo G k eps) i * Derive (fun v => mean (P v) r) t.
Proof.
move=> T P t r G k eps q i pol smooth bin hV.
by rewrite (flip_update pol smooth bin i q hV (@grpo_equivariant G k eps)) gain_grpo_flip //; ring.
Qed.

(** * Errors that do not depend on the response *)

(** Given u a correct response is scored 1 with probability right u and a wrong one with probability wrong u, whatever
    the response. Then the expected update stays on the line of the gradient of p, with the weight E[J_u w(p_u, G)],
    J_u = right u - wrong u and p_u = wrong u + J_u p. *)
Theorem correlated_verifier_if : forall (T U : finType) (P : R -> T -> R) (t : R) (r : T -> R)
    (rho right wrong : U -> R) (G : nat) (A : estimator G) (i : 'I_G),
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> law rho ->
  (forall u, 0 <= right u <= 1) -> (forall u, 0 <= wrong u <= 1) -> equivariant A ->
  let p := mean (P t) r in
  let c u y := if Reqb (r y) 1 then right u else wrong u in
  \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
    (fun a => Derive (fun v => ln (P v a.1)) t) =
  (\sum_u rho u * ((right u - wrong u) * gain (wrong u + (right u - wrong u) * p) A i))
  * Derive (fun v => mean (P v) r) t.
Proof.
move=> T U P t r rho right wrong G A i pol smooth bin hrho hr hw eqv p c.
have closed u y : c u y = wrong u + (right u - wrong u) * r y.
  by rewrite /c; case: (bin y) => ->; [rewrite Reqb_false; [ring | lra] | rewrite Reqb_refl; ring].
have mc u v : mean (P v) (c u) = wrong u + (right u - wrong u) * mean (P v) r.
  have [_ one] := pol v; rewrite (mean_ext (P v) (closed u)) mean_add mean_scale mean_const //.
rewrite (correlated_verifier_update i pol smooth hrho _ eqv) => [|u y]; last first.
  by rewrite /c; case: Reqb; [apply: hr | apply: hw].
rewrite -sum_scale_r; apply: sum_ext => u; rewrite mc -/p.
rewrite (Derive_ext _ _ t (fun v => mc u v)).
have -> : Derive (fun v => wrong u + (right u - wrong u) * mean (P v) r) t =
    (right u - wrong u) * Derive (fun v => mean (P v) r) t; last by ring.
apply: is_derive_unique; apply: derive_eq.
  apply: derive_add (derive_const _ _) (derive_scale _ _).
  exact: (Derive_correct _ _ (mean_smooth smooth r)).
exact: Rplus_0_l.
Qed.

(** The whole claim. Under noise that a group shares, the expected update is E[w(p_u) grad p_u]. Rules with one gain
    stay neutral. No other rule does, among them QAE for all K and G >= 2 and GRPO for all G >= 4, whose gains take two
    values. The two witnesses for QAE; and GRPO, which a flip of all scores does not turn. *)
Theorem correlated_verifier :
  (forall (T U : finType) (P : R -> T -> R) (t : R) (rho : U -> R) (c : U -> T -> R)
        (G : nat) (A : estimator G) (i : 'I_G),
      (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> law rho ->
      (forall u y, 0 <= c u y <= 1) -> equivariant A ->
      \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
        (fun a => Derive (fun v => ln (P v a.1)) t) =
      \sum_u rho u * (gain (mean (P t) (c u)) A i * Derive (fun v => mean (P v) (c u)) t))
  /\ (forall (T U : finType) (P : R -> T -> R) (t : R) (rho : U -> R)
        (c : U -> T -> R) (G : nat) (K : R),
      (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> law rho ->
      (forall u y, 0 <= c u y <= 1) -> (1 < G)%N -> 0 < K <= 1 ->
      let update n (A : estimator n) := \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
        (fun a => Derive (fun v => ln (P v a.1)) t) in
      let gradient := Derive (fun v => \sum_u rho u * mean (P v) (c u)) t in
      update G (@rloo G) = gradient /\ update G (@psr G) = gradient /\ update G (@nsr G) = gradient
      /\ update G (@dr_grpo G) = (INR G - 1) / INR G * gradient /\ update G (@loo_quantile G K) = gradient
      /\ update 2%N (@grpo 2 Population 0) = gradient /\ update 3%N (@grpo 3 Population 0) = sqrt 2 * gradient)
  /\ (forall (G : nat) (A : estimator G) (i : 'I_G) (p q : R),
      equivariant A -> 0 < p -> p < q -> q < 1 -> gain p A i <> gain q A i ->
      let pi (y : 'I_3) := nth 0 [:: p; q - p; 1 - q] y in
      let r (u : bool) (y : 'I_3) := bit (y < (if u then 1 else 2))%N in
      policy pi /\ ~ exists w, forall y,
        / 2 * expect pi (fun g => sampled_group pi g (A (rewards (r true) g)) y)
        + / 2 * expect pi (fun g => sampled_group pi g (A (rewards (r false) g)) y)
        = w * (/ 2 * policy_gradient pi (r true) 0 y + / 2 * policy_gradient pi (r false) 0 y))
  /\ (forall (G : nat) (K : R) (i : 'I_G), (1 < G)%N -> 0 < K < 1 ->
      exists p q, 0 < p < q /\ q < 1 /\ gain p (@qae G Population 0 K) i <> gain q (@qae G Population 0 K) i)
  /\ (forall (G : nat) (i : 'I_G), (3 < G)%N ->
      exists p q, 0 < p < q /\ q < 1 /\ gain p (@grpo G Population 0) i <> gain q (@grpo G Population 0) i)
  /\ (let pi (y : 'I_3) := 1 / 3 in
      let r (u : bool) (y : 'I_3) := bit (y < (if u then 1 else 2))%N in
      let update (y : 'I_3) :=
        / 2 * expect pi (fun g => sampled_group pi g (@qae 2 Population 0 (2 / 5) (rewards (r true) g)) y)
        + / 2 * expect pi (fun g => sampled_group pi g (@qae 2 Population 0 (2 / 5) (rewards (r false) g)) y) in
      let gradient (y : 'I_3) := / 2 * policy_gradient pi (r true) 0 y + / 2 * policy_gradient pi (r false) 0 y in
      policy pi
      /\ (forall y : 'I_3, update y = nth 0 [:: 5 / 27; -1 / 27; -4 / 27] y)
      /\ (forall y : 'I_3, gradient y = nth 0 [:: 1 / 6; 0; -1 / 6] y)
      /\ ~ exists w, forall y, update y = w * gradient y)
  /\ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R),
      (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> mean (P t) r = 4 / 5 ->
      let score (flip : bool) y := if flip then 1 - r y else r y in
      \sum_(flip : bool) bernoulli (1 / 4) flip * expected_update (P t) (score flip) (@qae 2 Population 0 (2 / 5))
        (fun y => Derive (fun v => ln (P v y)) t) = - (1 / 10) * Derive (fun v => mean (P v) r) t
      /\ \sum_(flip : bool) bernoulli (1 / 4) flip * (if flip then -1 else 1) = 1 / 2
      /\ Derive (fun v => \sum_(flip : bool) bernoulli (1 / 4) flip * mean (P v) (score flip)) t =
         1 / 2 * Derive (fun v => mean (P v) r) t)
  /\ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat)
        (k : divisor) (eps q : R) (i : 'I_G),
      (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> 0 < mean (P t) r < 1 ->
      \sum_(flip : bool) bernoulli q flip * expected_update (P t) (fun y => if flip then 1 - r y else r y)
        (@grpo G k eps) (fun y => Derive (fun v => ln (P v y)) t) =
      (1 - 2 * q) * gain (mean (P t) r) (@grpo G k eps) i * Derive (fun v => mean (P v) r) t).
Proof.
split; first exact: correlated_verifier_update.
split; first exact: correlated_verifier_constant.
split; first exact: correlated_verifier_refuted.
split; first exact: correlated_verifier_qae_varies.
split; first exact: correlated_verifier_grpo_varies.
split; first exact: correlated_verifier_line.
by split; [apply: correlated_verifier_turn | apply: correlated_verifier_grpo_flip].
Qed.
