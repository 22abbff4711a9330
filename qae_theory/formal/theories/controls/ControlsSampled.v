(** Planted falsehoods near the theorems about sampled groups, each refuted. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables SecondOrder SampledSign SampledGroup.

Set Implicit Arguments.
Unset Strict Implicit.

(** In W1 the step size must be bounded: a step that carries the gap far past 0 lowers entropy again. *)
Theorem control_prop42_sampled_group_every_step :
  ~ (forall eta : R, 0 < eta -> expected_change (logp (bernoulli (1 / 10))) bit (@grpo 2 Population 0) eta
                                < expected_change (logp (bernoulli (1 / 10))) bit (@qae 2 Population 0 (2 / 5)) eta).
Proof.
move=> order; have hq : 0 < 1 / 10 < 1 by lra. have hK : 0 < 2 / 5 <= 1 by lra.
pose L := ln (1 - 1 / 10) - ln (1 / 10); have L0 : 0 < L by have := ln_increasing (1 / 10) (1 - 1 / 10); rewrite /L; lra.
have := order L L0; rewrite (grpo_pairs L hq) (qae_pairs L hq hK) /gate Rleb_true; last by lra.
rewrite /standardised_change (_ : ln (1 / 10) - ln (1 - 1 / 10) = - L); last by rewrite /L; ring.
have := @gap_entropy_decreasing 0 (- L + L * (2 * (1 - 0) * (1 - 1 / 10) + 2 * 0 * (1 / 10))) (Rle_refl 0) ltac:(lra).
have -> : - L + L * (2 * (1 - 1 / 2) * (1 - 1 / 10) + 2 * (1 / 2) * (1 / 10)) = 0 by field.
by lra.
Qed.

(** The slope in b of the easy part is - delta h, not + delta h. *)
Theorem control_sampled_sign_law_easy_slope :
  ~ (forall (G : nat) (T : finType) (z r : T -> R) (K b : R),
       let p := softmax z in
       let V := mean p r in
       let h := first_order p (fun y => p y * (r y - V)) in
       let t := floor (INR G * (1 - K)) in
       let fewer := binomial_mean G.-1 V (fun m => bit (m < t)%N) in
       (0 < G)%N -> 0 < K <= 1 -> binary r -> 0 < V < 1 ->
       is_derive (fun eta => expect p (fun g : {ffun 'I_G -> T} => bit (~~ hard K (rewards r g))
         * entropy_change z (sampled_group p g (constant b (rewards r g))) eta)) 0
         ((1 - fewer + b * binomial_law G.-1 V t) * h)).
Proof.
move=> law; have hq : 0 < 1 / 3 < 1 by lra. have hK : 0 < 2 / 5 <= 1 by lra.
have bin : binary bit := @bit_binary _ id; have sm := softmax_bernoulli hq.
have mixed : 0 < mean (softmax (logp (bernoulli (1 / 3)))) bit < 1 by rewrite sm mean_bernoulli /=; lra.
have false_slope := law 2%N _ (logp (bernoulli (1 / 3))) bit (2 / 5) 1 isT hK bin mixed.
have true_slope := @easy_slope 2 _ (logp (bernoulli (1 / 3))) bit (2 / 5) isT bin mixed hK 1.
have := is_derive_unique _ _ _ false_slope; rewrite (is_derive_unique _ _ _ true_slope).
have d0 := @delta_gt0 2 _ (logp (bernoulli (1 / 3))) bit (2 / 5) isT mixed hK.
set delta := binomial_law _ _ _ in d0 *; set h := first_order _ _.
suff h0 : 0 < h by nra.
have l : ln (1 / 3) < ln (1 - 1 / 3) by apply: ln_increasing; lra.
by rewrite /h sm /first_order /cov !mean_bernoulli /logp /bernoulli /bit; nra.
Qed.

(** From b = 0 to b = 1 the curvatures have the weight 1 - 2 r, not 1 - r. *)
Theorem control_sampled_sign_law_weight :
  ~ (forall (G : nat) (T : finType) (z r : T -> R),
       let p := softmax z in
       let Q := fun u => curvature z (fun y => bit (u == y) - p y) in
       (0 < G)%N -> binary r -> 0 < mean p r < 1 -> exists C eta0, 0 < eta0 /\ forall eta, 0 < eta <= eta0 ->
       Rabs (expected_change z r (@constant G 1) eta - expected_change z r (@constant G 0) eta
             - eta ^ 2 / (2 * INR G) * mean p (fun u => (1 - r u) * Q u)) <= C * Rabs eta ^ 3).
Proof.
move=> law; have hq : 0 < 1 / 2 < 1 by lra.
have bin : binary bit := @bit_binary _ id; have sm := softmax_bernoulli hq.
have mixed : 0 < mean (softmax (logp (bernoulli (1 / 2)))) bit < 1 by rewrite sm mean_bernoulli /=; lra.
have [C [eta0 [pos bad]]] := law 2%N _ (logp (bernoulli (1 / 2))) bit isT bin mixed.
have [_ [good _]] := @sampled_sign_law 2 _ (logp (bernoulli (1 / 2))) bit (1 / 2) isT ltac:(lra) bin mixed.
have Q u : curvature (logp (bernoulli (1 / 2))) (fun y => bit (u == y) - bernoulli (1 / 2) y) = - (1 / 4).
  rewrite curvature_closed sm /var /cov !mean_bernoulli /logp /bernoulli /bit (_ : 1 - 1 / 2 = 1 / 2); last by field.
  by case: u => /=; field.
move: bad good; cbv zeta; rewrite sm => bad good.
set C' := 16 / 3 * _ in good.
(* The two laws differ by eta^2/32, which is not of order eta^3. *)
have gap eta : 0 < eta <= eta0 -> 1 <= 32 * (Rabs C + Rabs C') * eta.
  move=> h; have /Rabs_le_between h1 := bad eta h; have /Rabs_le_between h2 := good eta.
  move: h1 h2; rewrite !mean_bernoulli !Q /bit (Rabs_right eta); last by lra.
  move=> h1 h2; have e2 : 0 < eta ^ 2 by nra.
  have c1 : C * eta ^ 3 <= Rabs C * eta ^ 3 by apply: Rmult_le_compat_r; [nra | exact: Rle_abs].
  have c2 : C' * eta ^ 3 <= Rabs C' * eta ^ 3 by apply: Rmult_le_compat_r; [nra | exact: Rle_abs].
  have h3 : eta ^ 2 * 1 <= eta ^ 2 * (32 * (Rabs C + Rabs C') * eta) by rewrite /= in h1 h2 c1 c2 *; lra.
  by apply: Rmult_le_reg_l h3.
pose c := 32 * (Rabs C + Rabs C'); have c0 : 0 <= c by have := Rabs_pos C; have := Rabs_pos C'; rewrite /c; lra.
have small : 0 < Rmin eta0 (/ (2 * (c + 1))).
  by apply: Rmin_glb_lt => //; apply: Rinv_0_lt_compat; lra.
have := gap _ (conj small (Rmin_l _ _)); rewrite -/c.
have le := Rmult_le_compat_l _ _ _ c0 (Rmin_r eta0 (/ (2 * (c + 1)))).
have : c * / (2 * (c + 1)) < 1.
  by apply: (Rmult_lt_reg_r (2 * (c + 1))); [lra | rewrite Rmult_assoc Rinv_l; lra].
by lra.
Qed.

(** The mean of the products of two different responses has the weight (G - 1)/G, not 1. *)
Theorem control_second_order_pairs :
  ~ (forall (G : nat) (T : finType) (z r : T -> R) (A : estimator G) (a : bool -> nat -> R) (x y : T),
       let p := softmax z in
       let V := mean p r in
       let g := fun y => p y * (r y - V) in
       let score := fun u y => bit (u == y) - p y in
       let d := fun h => sampled_group p h (A (rewards r h)) in
       let alpha := fun b : bool => binomial_mean G.-1 V (fun m => a b (b + m)%N ^ 2) in
       let beta := binomial_mean G.-2 V
         (fun m => a true m.+2 ^ 2 - 2 * (a true m.+1 * a false m.+1) + a false m ^ 2) in
       let M := fun b x y => \sum_(u | Reqb (r u) (bit b)) p u * (score u x * score u y) in
       (1 < G)%N -> binary r -> 0 < V < 1 -> has_table A a ->
       expect p (fun h => d h x * d h y) =
         (alpha true * M true x y + alpha false * M false x y) / INR G + INR G / INR G * beta * (g x * g y)).
Proof.
move=> law; have hq : 0 < 1 / 2 < 1 by lra.
have bin : binary bit := @bit_binary _ id; have sm := softmax_bernoulli hq.
have := law 2%N _ (logp (bernoulli (1 / 2))) bit (@psr 2) (fun b _ => bit b) true true isT bin.
cbv zeta; rewrite sm mean_bernoulli => /(_ ltac:(rewrite /bit; lra) (@psr_table 2)).
rewrite expect_two !sum_bool !sampled_pair /psr /constant /rewards !ffunE /=.
rewrite /binomial_mean !big_ord_recl !big_ord0 /binomial_law /=.
rewrite !(big_mkcond (fun u => Reqb _ _)) /= !sum_bool /= !Reqb_refl !Reqb_false; lra.
Qed.
