(** Claim unsampled-logits: the push of a sampled group's step on the logits of responses that were not sampled. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables Gate NeutralityGains Neutrality.

Set Implicit Arguments.
Unset Strict Implicit.

(** The logit of a response that was not sampled moves by -(1/G)(sum_i A_i) p_y per unit of step size, for any
    advantages. *)
Theorem unsampled_logits_push : forall (T : finType) (p : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (a : 'I_G -> R)
    (y : T),
  (forall i, g i != y) -> sampled_group p g a y = - (\sum_i a i) / INR G * p y.
Proof.
move=> T p G g a y out; rewrite /sampled_group /group_step.
rewrite (eq_bigr (fun i => a i * - p y)) => [|i _]; last by rewrite (negbTE (out i)) /bit; ring.
by rewrite sum_scale_r /Rdiv; ring.
Qed.

(** On-policy every ratio is 1, and near 1 the clipped term is the unclipped one. *)
Lemma surrogate_near_1 lo hi v a : 1 - lo <= v <= 1 + hi -> surrogate lo hi v a = v * a.
Proof. by move=> h; rewrite /surrogate /clip Rmax_left ?Rmin_left; try lra; apply: Rle_refl. Qed.

(** The step is the gradient of the clipped objective at the policy itself: its coordinate y is the derivative in the
    logit of y of the mean over the group of PPO's clipped term. *)
Theorem unsampled_logits_gradient : forall (T : finType) (z : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (a : 'I_G -> R)
    (lo hi : R) (y : T), 0 < lo -> 0 < hi ->
  is_derive (fun t => group_mean (fun i =>
      surrogate lo hi (softmax (step z (fun x => bit (x == y)) t) (g i) / softmax z (g i)) (a i))) 0
    (sampled_group (softmax z) g a y).
Proof.
move=> T z G g a lo hi y lo0 hi0; set d := fun x => bit (x == y).
have dratio i : is_derive (fun t => softmax (step z d t) (g i) / softmax z (g i)) 0 (bit (g i == y) - softmax z y).
  have pos := softmax_gt0 z (g i); apply: derive_eq.
    by apply: (derive_mul (derive_softmax z d (g i) 0)); apply: derive_const.
  cbv beta; rewrite step0; have -> : mean (softmax z) d = softmax z y by rewrite /mean /d sum_bit_eq_r.
  by rewrite /d; field; lra.
have near i : locally 0 (fun t => 1 - lo <= softmax (step z d t) (g i) / softmax z (g i) <= 1 + hi).
  have c := ex_derive_continuous _ _ (ex_intro _ _ (dratio i)).
  have m0 : 0 < Rmin lo hi by apply: Rmin_glb_lt.
  have h : locally 0 (fun t => ball (softmax (step z d 0) (g i) / softmax z (g i)) (mkposreal _ m0)
      (softmax (step z d t) (g i) / softmax z (g i))) := c _ (locally_ball _ (mkposreal _ m0)).
  apply: filter_imp h => t; rewrite /ball /= /AbsRing_ball /= /abs /minus /plus /opp /= step0 /Rdiv Rinv_r; last first.
    by apply: Rgt_not_eq; apply: softmax_gt0.
  by move/Rabs_def2; have := Rmin_l lo hi; have := Rmin_r lo hi; lra.
rewrite /group_mean /Rdiv /sampled_group /group_step /Rdiv.
rewrite [X in is_derive _ _ X]Rmult_comm; apply: (derive_ext (f := fun t => / INR G *
  \sum_i surrogate lo hi (softmax (step z d t) (g i) / softmax z (g i)) (a i))) => [t|]; first by rewrite Rmult_comm.
apply: derive_scale; apply: derive_sum => i _.
apply: (is_derive_ext_loc (fun t => softmax (step z d t) (g i) / softmax z (g i) * a i)).
  by apply: filter_imp (near i) => t h; rewrite surrogate_near_1.
apply: derive_eq; first by apply: derive_mul (dratio i) (derive_const _ _).
by cbv beta; ring.
Qed.

(** * The sum of the advantages *)

Section Totals.
Variables (G : nat) (x : 'I_G -> R).

Lemma sum_deviations : \sum_i (x i - group_mean x) = 0.
Proof.
case: (posnP G) => [E|G0]; first by apply: big1 => -[i hi]; exfalso; move: hi; rewrite E.
by rewrite sum_sub sum_const_ord /group_mean; field; apply: INR_neq0.
Qed.

Lemma total_over_std k eps a : ~~ degenerate x ->
  \sum_i over_std k eps a x i = (\sum_i a i) / (std k x + eps).
Proof. by move=> mixed; rewrite -sum_div; apply: sum_ext => i; rewrite over_std_mixed. Qed.

Lemma total_dr_grpo : \sum_i dr_grpo x i = 0.
Proof. exact: sum_deviations. Qed.

Lemma total_grpo k eps : \sum_i grpo k eps x i = 0.
Proof.
case D: (degenerate x); first by apply: big1 => i _; rewrite /grpo /standardised over_std_degenerate.
by rewrite /grpo /standardised total_over_std ?D // sum_deviations /Rdiv Rmult_0_l.
Qed.

Lemma total_rloo : (1 < G)%N -> \sum_i rloo x i = 0.
Proof.
move=> G1; have g : INR G.-1 <> 0 by apply: INR_neq0; rewrite -subn1 subn_gt0.
have e : INR G.-1 + 1 = INR G by rewrite -INR_succ prednK //; apply: ltnW.
rewrite /rloo /group_mean (eq_bigr (fun i => x i - (\sum_j x j - x i) / INR G.-1)) => [|i _].
  by rewrite sum_sub sum_div sum_sub sum_const_ord -e; field.
suff -> : \sum_j x j - x i = \sum_l others x i l by [].
by rewrite (sum_split_at i x) /others /Rminus Rplus_comm -Rplus_assoc Rplus_opp_l Rplus_0_l.
Qed.

Lemma total_qae k eps K : (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x -> ~~ degenerate x ->
  \sum_i qae k eps K x i =
  (if hard K x then INR (num_correct x) else - (INR G - INR (num_correct x))) / (std k x + eps).
Proof.
move=> G0 hK e0 bin mixed; rewrite /qae /standardised total_over_std // sum_sub sum_binary // sum_const_ord.
by rewrite quantile_binary //; case: hard; congr (_ / _); ring.
Qed.
End Totals.

(** For binary rewards and a mixed group, one step of size eta > 0 moves an unsampled logit down under QAE if the group
    is hard and up if it is easy, and not at all under GRPO, Dr. GRPO and RLOO. *)
Theorem unsampled_logits_signs : forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (y : T)
    (k : divisor) (eps K eta : R),
  policy p -> binary r -> (forall i, g i != y) -> ~~ degenerate (rewards r g) ->
  0 <= eps -> 0 < K <= 1 -> 0 < eta ->
  let move (A : estimator G) := eta * sampled_group p g (A (rewards r g)) y in
  (hard K (rewards r g) -> move (@qae G k eps K) < 0)
  /\ (~~ hard K (rewards r g) -> 0 < move (@qae G k eps K))
  /\ move (@grpo G k eps) = 0 /\ move (@dr_grpo G) = 0 /\ move (@rloo G) = 0.
Proof.
move=> T p r G g y k eps K eta [pos _] bin out mixed e0 hK eta0 move.
have G1 := mixed_size mixed; have G0 := ltnW G1; have gp := INR_pos G0; have py := pos y.
have binx : binary (rewards r g) by move=> i; apply: bin.
have := mixed; rewrite mixed_binary // => /andP[/INR_pos m0 /INR_ltn mG].
have s0 := scale_gt0 k e0 mixed.
have c0 : 0 < eta * (/ INR G * p y).
  by apply: Rmult_lt_0_compat => //; apply: Rmult_lt_0_compat => //; apply: Rinv_0_lt_compat.
have moves A : move A = - (\sum_i A (rewards r g) i) * (eta * (/ INR G * p y)).
  by rewrite /move unsampled_logits_push // /Rdiv; ring.
split=> [h|]; first by rewrite moves total_qae // h; have := Rdiv_lt_0_compat _ _ m0 s0; nra.
split=> [/negbTE h|]; last by rewrite !moves total_grpo total_dr_grpo total_rloo // Ropp_0 !Rmult_0_l.
rewrite moves total_qae // h; have n0 : 0 < INR G - INR (num_correct (rewards r g)) by lra.
rewrite (_ : - (INR G - INR (num_correct (rewards r g))) / (std k (rewards r g) + eps) =
  - ((INR G - INR (num_correct (rewards r g))) / (std k (rewards r g) + eps))); last by rewrite /Rdiv; ring.
by rewrite Ropp_involutive; apply: Rmult_lt_0_compat => //; apply: Rdiv_lt_0_compat.
Qed.

(** The whole claim: the push, for any advantages; that the step is the gradient of the clipped objective when both clip
    ranges are above 0; and the signs. *)
Theorem unsampled_logits :
  (forall (T : finType) (p : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (a : 'I_G -> R)
        (y : T),
      (forall i, g i != y) -> sampled_group p g a y = - (\sum_i a i) / INR G * p y)
  /\ (forall (T : finType) (z : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (a : 'I_G -> R)
        (lo hi : R) (y : T), 0 < lo -> 0 < hi ->
      is_derive (fun t => group_mean (fun i =>
          surrogate lo hi (softmax (step z (fun x => bit (x == y)) t) (g i) / softmax z (g i)) (a i))) 0
        (sampled_group (softmax z) g a y))
  /\ (forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (y : T)
        (k : divisor) (eps K eta : R),
      policy p -> binary r -> (forall i, g i != y) -> ~~ degenerate (rewards r g) ->
      0 <= eps -> 0 < K <= 1 -> 0 < eta ->
      let move (A : estimator G) := eta * sampled_group p g (A (rewards r g)) y in
      (hard K (rewards r g) -> move (@qae G k eps K) < 0)
      /\ (~~ hard K (rewards r g) -> 0 < move (@qae G k eps K))
      /\ move (@grpo G k eps) = 0 /\ move (@dr_grpo G) = 0 /\ move (@rloo G) = 0).
Proof.
split; first exact: unsampled_logits_push.
by split; [apply: unsampled_logits_gradient | apply: unsampled_logits_signs].
Qed.
