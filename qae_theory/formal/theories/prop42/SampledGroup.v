(** Counterexamples to Proposition 4.2 for the step that a trainer takes on a sampled group (claim prop42-sampled-group).

    With two responses the policy after a step depends on the gap of the two logits only, and its entropy falls as the
    gap moves away from 0. In groups of two with one correct response a larger step towards the correct response
    therefore raises entropy more while that response is the rarer one, and lowers it more where it is the likelier one.
    The decimals of the witnesses are in SampledGroupDecimals.v. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables EntropyTaylor SecondOrder SampledSign.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The entropy of two responses as a function of the gap of their logits *)

Definition gap_entropy (u : R) : R := ln (1 + exp u) - u * (exp u / (1 + exp u)).

Lemma entropy_two (z : bool -> R) : entropy (softmax z) = gap_entropy (z true - z false).
Proof.
have e1 := exp_pos (z true); have e2 := exp_pos (z false).
rewrite /entropy /mean /logp sum_bool !ln_softmax /softmax !sum_bool /gap_entropy.
have -> : exp (z true - z false) = exp (z true) / exp (z false) by rewrite exp_plus exp_Ropp.
have -> : 1 + exp (z true) / exp (z false) = (exp (z true) + exp (z false)) / exp (z false) by field; lra.
rewrite ln_div ?ln_exp //; last by lra.
by field; lra.
Qed.

Lemma derive_gap_entropy u : is_derive gap_entropy u (- (u * (exp u / (1 + exp u) ^ 2))).
Proof.
have e := exp_pos u; have de : is_derive (fun v => 1 + exp v) u (exp u).
  apply: derive_eq; first by apply: derive_add (derive_const 1 u) (derive_exp (derive_id u)).
  by cbv beta; ring.
apply: derive_eq.
  apply: derive_sub; first by apply: derive_ln de; lra.
  apply: derive_mul (derive_id u) _; apply: (@is_derive_div exp (fun v => 1 + exp v)) de _; last by lra.
  exact: is_derive_exp.
by cbv beta; field; lra.
Qed.

Lemma gap_entropy_increasing u v : u < v -> v <= 0 -> gap_entropy u < gap_entropy v.
Proof.
move=> uv v0; apply: (strictly_monotone_of_derive uv (fun t _ => derive_gap_entropy t)) => t ht.
have h : 0 < exp t / (1 + exp t) ^ 2 by have e := exp_pos t; apply: Rdiv_lt_0_compat => //; apply: pow_lt; lra.
have t0 : t < 0 by lra.
by nra.
Qed.

Lemma gap_entropy_decreasing u v : 0 <= u -> u < v -> gap_entropy v < gap_entropy u.
Proof.
move=> u0 uv; apply: Ropp_lt_cancel.
apply: (strictly_monotone_of_derive uv (fun t _ => derive_opp (derive_gap_entropy t))) => t ht.
have h : 0 < exp t / (1 + exp t) ^ 2 by have e := exp_pos t; apply: Rdiv_lt_0_compat => //; apply: pow_lt; lra.
have t0 : 0 < t by lra.
by rewrite Ropp_involutive; nra.
Qed.

Lemma entropy_change_two (z d : bool -> R) eta : entropy_change z d eta =
  gap_entropy (z true - z false + eta * (d true - d false)) - gap_entropy (z true - z false).
Proof.
by rewrite /entropy_change /path_entropy !entropy_two; congr (gap_entropy _ - _); rewrite /step; ring.
Qed.

(** * Groups of two *)

Lemma sampled_pair (T : finType) (p : T -> R) (a b y : T) (adv : 'I_2 -> R) : sampled_group p (pair_group a b) adv y =
  (adv ord0 * (bit (a == y) - p y) + adv (lift ord0 ord0) * (bit (b == y) - p y)) / 2.
Proof. by rewrite /sampled_group /group_step !big_ord_recl big_ord0 Rplus_0_r !ffunE /=. Qed.

Section Pairs.
Variables (q : R) (A : estimator 2) (a : bool -> nat -> R).
Hypotheses (hq : 0 < q < 1) (table : has_table A a).
Let p := bernoulli q.

Lemma bernoulli_policy : policy p.
Proof. by split; [move=> b; apply: bernoulli_gt0 | apply: bernoulli_sum]. Qed.

Lemma softmax_bernoulli : softmax (logp p) = p.
Proof. exact: softmax_logp bernoulli_policy. Qed.

(** What a step on the pair (b, b') adds to the gap of the logits. *)
Lemma pair_gap b b' :
  sampled_group p (pair_group b b') (A (rewards bit (pair_group b b'))) true
  - sampled_group p (pair_group b b') (A (rewards bit (pair_group b b'))) false =
  a b (b + b')%N * (bit b - q) + a b' (b + b')%N * (bit b' - q).
Proof.
rewrite !sampled_pair !table num_correct_pair !ffunE /= /bit.
by case: b; case: b' => /=; field.
Qed.

(** The expected change of a rule that gives a degenerate pair 0: the mixed pairs have probability 2 q (1 - q). *)
Lemma expected_change_pairs eta : a true 2%N = 0 -> a false 0%N = 0 -> expected_change (logp p) bit A eta =
  2 * q * (1 - q) * (gap_entropy (ln q - ln (1 - q) + eta * ((1 - q) * a true 1%N - q * a false 1%N))
                     - gap_entropy (ln q - ln (1 - q))).
Proof.
move=> a2 a0; rewrite /expected_change softmax_bernoulli expect_two !sum_bool !entropy_change_two !pair_gap /=.
rewrite a2 a0 /p /logp /=; set u := ln q - ln (1 - q).
have -> : u + eta * (0 * (1 - q) + 0 * (1 - q)) = u by ring.
have -> : u + eta * (0 * (0 - q) + 0 * (0 - q)) = u by ring.
have -> : a true 1%N * (1 - q) + a false 1%N * (0 - q) = (1 - q) * a true 1%N - q * a false 1%N by ring.
have -> : a false 1%N * (0 - q) + a true 1%N * (1 - q) = (1 - q) * a true 1%N - q * a false 1%N by ring.
by ring.
Qed.
End Pairs.

(** Standardised with the constant b, in the only mixed pair: the step adds 2 (1 - b)(1 - q) + 2 b q to the gap. *)
Lemma half_rate : rate 2 1 = 1 / 2.
Proof. by rewrite /rate /=; field. Qed.

Lemma half_std : table_std 2 Population 1 = 1 / 2.
Proof.
rewrite /table_std half_rate (_ : 1 / 2 * (1 - 1 / 2) * 1 = 1 / 2 * (1 / 2)); last by field.
by rewrite sqrt_square; lra.
Qed.

Definition standardised_change (q b eta : R) : R :=
  2 * q * (1 - q) * (gap_entropy (ln q - ln (1 - q) + eta * (2 * (1 - b) * (1 - q) + 2 * b * q))
                     - gap_entropy (ln q - ln (1 - q))).

Lemma expected_change_table q (A : estimator 2) (f : bool -> nat -> R) b eta : 0 < q < 1 ->
  has_table A (table_over 2 Population 0 f) -> f true 1%N = 1 - b -> f false 1%N = - b ->
  expected_change (logp (bernoulli q)) bit A eta = standardised_change q b eta.
Proof.
move=> hq table f1 f0; rewrite (expected_change_pairs hq table) // /table_over /table_mixed /= half_std f1 f0.
by rewrite /standardised_change; congr (_ * (gap_entropy (_ + _ * _) - _)); field.
Qed.

Section Rules.
Variables (q K eta : R).
Hypothesis hq : 0 < q < 1.

Lemma constant_pairs b : expected_change (logp (bernoulli q)) bit (@standardised 2 Population 0 b) eta
  = standardised_change q b eta.
Proof.
apply: (@expected_change_table q _ (fun c _ => bit c - b)) => //; last by rewrite /bit; ring.
by apply: (has_table_over Population 0 (a := constant b)); apply: constant_table.
Qed.

Lemma grpo_pairs : expected_change (logp (bernoulli q)) bit (@grpo 2 Population 0) eta
  = standardised_change q (1 / 2) eta.
Proof.
apply: (expected_change_table _ hq (@grpo_table 2 Population 0)); rewrite half_rate /bit; field.
Qed.

Lemma qae_pairs : 0 < K <= 1 -> expected_change (logp (bernoulli q)) bit (@qae 2 Population 0 K) eta
  = standardised_change q (gate K (1 / 2)) eta.
Proof.
move=> hK; apply: (expected_change_table _ hq (@qae_table 2 Population 0 K hK)); rewrite half_rate /bit; field.
Qed.
End Rules.

(** * W1 and W2: two responses, standardised, at every step size *)

(** A hard query of two responses, the correct one of probability q < 1/2: QAE (b = 0 on the mixed pairs, which are
    hard) raises expected entropy more than GRPO, and GRPO more than b = 1, as long as the gap does not change sign. *)
Theorem prop42_sampled_group_hard : forall q K eta : R,
  0 < q < 1 / 2 -> 0 < K <= 1 / 2 -> 0 < eta <= ln ((1 - q) / q) / (2 * (1 - q)) ->
  let change := fun A : estimator 2 => expected_change (logp (bernoulli q)) bit A eta in
  0 < change (standardised Population 0 1)
  /\ change (standardised Population 0 1) < change (grpo Population 0)
  /\ change (grpo Population 0) < change (qae Population 0 K).
Proof.
move=> q K eta hq hK [eta0 etaL] change.
have q1 : 0 < q < 1 by lra. have K1 : 0 < K <= 1 by lra.
rewrite /change (constant_pairs eta q1) (grpo_pairs eta q1) (qae_pairs eta q1 K1) {1}/gate Rleb_true; last by lra.
set L := ln ((1 - q) / q) in etaL.
have gap : ln q - ln (1 - q) = - L by rewrite /L ln_div; lra.
have le : eta * (2 * (1 - q)) <= L.
  have h : 0 < 2 * (1 - q) by lra.
  by have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ h) etaL; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
rewrite /standardised_change gap.
have w : 0 < 2 * q * (1 - q) by nra.
have s1 : 0 < eta * (2 * (1 - 1) * (1 - q) + 2 * 1 * q) by nra.
have s2 : eta * (2 * (1 - 1) * (1 - q) + 2 * 1 * q) < eta * (2 * (1 - 1 / 2) * (1 - q) + 2 * (1 / 2) * q) by nra.
have s3 : eta * (2 * (1 - 1 / 2) * (1 - q) + 2 * (1 / 2) * q) < eta * (2 * (1 - 0) * (1 - q) + 2 * 0 * q) by nra.
have s4 : eta * (2 * (1 - 0) * (1 - q) + 2 * 0 * q) <= L by lra.
have up x y : x < y -> y <= L -> gap_entropy (- L + x) < gap_entropy (- L + y).
  by move=> xy yL; apply: gap_entropy_increasing; lra.
have start : gap_entropy (- L) = gap_entropy (- L + 0) by congr gap_entropy; ring.
split; last split.
- by apply: Rmult_lt_0_compat => //; have := up _ _ s1 ltac:(lra); lra.
- by apply: Rmult_lt_compat_l => //; have := up _ _ s2 ltac:(lra); lra.
by apply: Rmult_lt_compat_l => //; have := up _ _ s3 s4; lra.
Qed.

(** An easy query of two responses, the correct one of probability q > 1/2, with b = 1 on the mixed pairs: QAE lowers
    expected entropy more than GRPO, and GRPO more than b = 0, at every step size. *)
Theorem prop42_sampled_group_easy : forall q K eta : R,
  1 / 2 < q < 1 -> 1 / 2 < K <= 1 -> 0 < eta ->
  let change := fun A : estimator 2 => expected_change (logp (bernoulli q)) bit A eta in
  change (qae Population 0 K) < change (grpo Population 0)
  /\ change (grpo Population 0) < change (standardised Population 0 0)
  /\ change (standardised Population 0 0) < 0.
Proof.
move=> q K eta hq hK eta0 change.
have q1 : 0 < q < 1 by lra. have K1 : 0 < K <= 1 by lra.
rewrite /change (constant_pairs eta q1) (grpo_pairs eta q1) (qae_pairs eta q1 K1) {1}/gate Rleb_false; last by lra.
set u := ln q - ln (1 - q); have u0 : 0 < u by have := ln_increasing (1 - q) q; rewrite /u; lra.
rewrite /standardised_change -/u.
have w : 0 < 2 * q * (1 - q) by nra.
have s1 : 0 < eta * (2 * (1 - 0) * (1 - q) + 2 * 0 * q) by nra.
have s2 : eta * (2 * (1 - 0) * (1 - q) + 2 * 0 * q) < eta * (2 * (1 - 1 / 2) * (1 - q) + 2 * (1 / 2) * q) by nra.
have s3 : eta * (2 * (1 - 1 / 2) * (1 - q) + 2 * (1 / 2) * q) < eta * (2 * (1 - 1) * (1 - q) + 2 * 1 * q) by nra.
have down x y : 0 <= x -> x < y -> gap_entropy (u + y) < gap_entropy (u + x).
  by move=> x0 xy; apply: gap_entropy_decreasing; lra.
have start : gap_entropy u = gap_entropy (u + 0) by congr gap_entropy; ring.
split; last split.
- by apply: Rmult_lt_compat_l => //; have := down _ _ _ s3; lra.
- by apply: Rmult_lt_compat_l => //; have := down _ _ _ s2; lra.
by have := down _ _ (Rle_refl 0) s1; nra.
Qed.

(** The mixed pairs of 0/1 rewards are hard at K <= 1/2 and easy at K > 1/2. *)
Lemma mixed_pair (K : R) (g : {ffun 'I_2 -> bool}) : ~~ degenerate (rewards bit g) ->
  hard K (rewards bit g) = Rleb (1 / 2) (1 - K).
Proof.
rewrite mixed_binary; last exact: rewards_bit_binary.
rewrite /hard /success_rate; case: (num_correct _) => [|[|m]] //= _; congr Rleb; field.
Qed.

(** * W4: given a hard group, not standardised, at first order *)

Definition quarters : 'I_3 -> R := fun y => if y == ord0 then 1 / 2 else 1 / 4.
Definition first_correct : 'I_3 -> R := fun y => bit (y == ord0).

Lemma sum_three (f : 'I_3 -> R) : \sum_y f y = f ord0 + (f (lift ord0 ord0) + f (lift ord0 (lift ord0 ord0))).
Proof. by rewrite !big_ord_recl big_ord0 Rplus_0_r. Qed.

Lemma quarters_policy : policy quarters.
Proof.
split; last by rewrite sum_three /quarters /=; field.
by move=> y; rewrite /quarters; case: (y == ord0); lra.
Qed.

Theorem prop42_sampled_group_given_hard : forall b : R,
  is_derive (fun eta => expect_given quarters (fun g : {ffun 'I_2 -> 'I_3} => hard (2 / 5) (rewards first_correct g))
      (fun g => entropy_change (logp quarters) (sampled_group quarters g (constant b (rewards first_correct g))) eta)) 0
    (- (1 + b) / 16 * ln 2).
Proof.
move=> b; have hp := quarters_policy; have sm : softmax (logp quarters) = quarters := softmax_logp hp.
have bin : binary first_correct by move=> y; apply: bit_binary.
have V : mean quarters first_correct = 1 / 2 by rewrite /mean sum_three /quarters /first_correct /=; field.
have hK : 0 < 2 / 5 <= 1 by lra.
have mixed : 0 < mean (softmax (logp quarters)) first_correct < 1 by rewrite sm V; lra.
have t : floor (INR 2 * (1 - 2 / 5)) = 1%N by apply: floor_unique; rewrite /=; lra.
have prob : expect quarters (fun g : {ffun 'I_2 -> 'I_3} => bit (hard (2 / 5) (rewards first_correct g))) = 3 / 4.
  case: hp => pos one; rewrite (expect_rewards one bin (fun x => bit (hard (2 / 5) x))) V.
  rewrite (expect_ext (E := fun c => (fun m => bit (m <= 1)%N) (num_correct (rewards bit c)))) => [|c]; last first.
    by rewrite /hard -/(rate 2 _) (@hard_rate 2 (2 / 5)) // t.
  rewrite (expect_binomial 2 (1 / 2) (fun m => bit (m <= 1)%N)) /binomial_mean !big_ord_recl big_ord0 /binomial_law /=; field.
rewrite /expect_given prob.
have := @hard_slope 2 _ (logp quarters) first_correct (2 / 5) isT bin mixed hK b.
rewrite sm V t => d.
pose F eta := expect quarters (fun g : {ffun 'I_2 -> 'I_3} => bit (hard (2 / 5) (rewards first_correct g))
  * entropy_change (logp quarters) (sampled_group quarters g (constant b (rewards first_correct g))) eta).
apply: derive_eq.
  apply: (derive_ext (f := fun eta => 4 / 3 * F eta)) (derive_scale (4 / 3) d) => eta.
  by rewrite -[RHS]/(F eta / (3 / 4)); field.
have l4 : ln (1 / 4) = - 2 * ln 2.
  by rewrite (_ : 1 / 4 = / (2 * 2)); [rewrite ln_Rinv ?ln_mult; lra | field].
have l2 : ln (1 / 2) = - ln 2 by rewrite (_ : 1 / 2 = / 2); [rewrite ln_Rinv; lra | field].
rewrite /first_order /cov /mean !sum_three /logp /quarters /first_correct /= l4 l2.
rewrite /binomial_mean !big_ord_recl big_ord0 /binomial_law /=; field.
Qed.
