(** The group objective of Prop. 4.1 and its masked, re-weighted form (claims prop41-identity, prop41-constant,
    prop41-token-normaliser, prop41-token-normaliser-if, prop41-amplification, prop41-rarer-is-larger,
    advantage-second-moment and masks-special-case). *)

From QAE Require Import Compat Definitions Sums Rewards Groups Tables Gate ListedGroups.

Set Implicit Arguments.
Unset Strict Implicit.

(** * One clipped term *)

Lemma min_scale a u w : 0 <= a -> Rmin (u * a) (w * a) = a * Rmin u w.
Proof.
move=> a0; case: (Rle_dec u w) => h; first by rewrite !Rmin_left; nra.
by rewrite !Rmin_right; nra.
Qed.

Lemma min_scale_neg a u w : a <= 0 -> Rmin (u * a) (w * a) = a * Rmax u w.
Proof.
move=> a0; case: (Rle_dec u w) => h; first by rewrite Rmin_right ?Rmax_right; nra.
by rewrite Rmin_left ?Rmax_left; nra.
Qed.

Lemma surrogate_pos lo hi v a : 0 <= a -> surrogate lo hi v a = a * Rmin v (1 + hi).
Proof.
move=> a0; rewrite /surrogate min_scale //; congr (_ * _); rewrite /clip; have m := Rmax_l v (1 - lo).
case: (Rle_dec (Rmax v (1 - lo)) (1 + hi)) => h; last by rewrite [X in Rmin v X]Rmin_right //; lra.
by rewrite [X in Rmin v X]Rmin_left // !Rmin_left //; lra.
Qed.

Lemma surrogate_neg lo hi v a : 0 <= lo -> 0 <= hi -> a <= 0 -> surrogate lo hi v a = a * Rmax v (1 - lo).
Proof.
move=> l0 h0 a0; rewrite /surrogate min_scale_neg //; congr (_ * _); rewrite /clip.
case: (Rle_dec v (1 - lo)) => h; first by rewrite [Rmax v (1 - lo)]Rmax_right // Rmin_left ?Rmax_right; lra.
by rewrite [Rmax v (1 - lo)]Rmax_left ?Rmax_left //; [apply: Rmin_l | lra].
Qed.

Lemma surrogate_scale lo hi v a c : 0 <= c -> surrogate lo hi v (c * a) = c * surrogate lo hi v a.
Proof.
move=> c0; rewrite /surrogate -min_scale //; congr Rmin; ring.
Qed.

Lemma token_mean_scale n c f : token_mean n (fun t => c * f t) = c * token_mean n f.
Proof. by rewrite /token_mean sum_scale /Rdiv Rmult_assoc. Qed.

Lemma token_mean_ext n f h : (forall t, f t = h t) -> token_mean n f = token_mean n h.
Proof. by move=> e; rewrite /token_mean; congr (_ / _); apply: eq_bigr => t _. Qed.

(** * A group *)

Section Group.
Variables (G : nat) (x : 'I_G -> R) (lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R).
Hypotheses (bin : binary x) (l0 : 0 <= lo) (h0 : 0 <= hi).
Let p := success_rate x.

Lemma objective_scale c A : 0 <= c ->
  group_objective lo hi L v (fun i => c * A i) = c * group_objective lo hi L v A.
Proof.
move=> c0; rewrite /group_objective /group_mean /Rdiv -Rmult_assoc -sum_scale; congr (_ * _).
apply: eq_bigr => i _; rewrite -token_mean_scale; apply: token_mean_ext => t; exact: surrogate_scale.
Qed.

Lemma objective_ext A B : (forall i, A i = B i) -> group_objective lo hi L v A = group_objective lo hi L v B.
Proof.
by move=> e; rewrite /group_objective /group_mean; congr (_ / _); apply: eq_bigr => i _; rewrite e.
Qed.

(** Correct responses pushed up by a, wrong ones down by b: the identity behind Prop. 4.1. *)
Lemma objective_split A a b : ~~ degenerate x -> 0 <= a -> 0 <= b ->
  (forall i, x i = 1 -> A i = a) -> (forall i, x i = 0 -> A i = - b) ->
  group_objective lo hi L v A = masked_objective lo hi (p * a) ((1 - p) * b) L v x.
Proof.
move=> mixed a0 b0 up down; have [p0 p1] := mixed_success_rate bin mixed; rewrite -/p in p0 p1.
have G0 : (0 < G)%N := ltnW (mixed_size mixed); have g := INR_pos G0.
rewrite /masked_objective /side_mean (num_wrong bin) INR_sub ?num_correct_le // -/(num_correct x).
rewrite success_rate_num // -/p /group_objective /group_mean (sum_by (fun i => Reqb (x i) 1)).
rewrite (eq_bigr (fun i => a * s_plus hi (L i) (v i))) => [|i /ReqbP e]; last first.
  by rewrite up // /s_plus -token_mean_scale; apply: token_mean_ext => t; apply: surrogate_pos.
rewrite sum_scale [X in _ + X](eq_bigl (fun i => Reqb (x i) 0)) => [|i]; last first.
  by case: (bin i) => ->; rewrite Reqb_refl Reqb_false // => ?; lra.
rewrite [X in _ + X](eq_bigr (fun i => - b * s_minus lo (L i) (v i))) => [|i /ReqbP e]; last first.
  rewrite down // /s_minus -token_mean_scale; apply: token_mean_ext => t; apply: surrogate_neg => //; lra.
rewrite sum_scale (_ : INR G - p * INR G = (1 - p) * INR G); last by ring.
by field; repeat split; lra.
Qed.
End Group.

(** * Weights *)

Lemma sqrt_pq_gt0 p : 0 < p < 1 -> 0 < sqrt (p * (1 - p)).
Proof. by move=> hp; apply: sqrt_lt_R0; nra. Qed.

Lemma sqrt_pq_square p : 0 < p < 1 -> sqrt (p * (1 - p)) * sqrt (p * (1 - p)) = p * (1 - p).
Proof. by move=> hp; apply: sqrt_sqrt; nra. Qed.

Lemma u_weight_eq p : 0 < p < 1 -> u_weight p = p / sqrt (p * (1 - p)).
Proof.
move=> hp; have s := sqrt_pq_gt0 hp; have e := sqrt_pq_square hp.
rewrite /u_weight; apply: sqrt_lem_1.
- by apply: Rdiv_le_0_compat; lra.
- by apply: Rdiv_le_0_compat; lra.
rewrite (_ : p / sqrt (p * (1 - p)) * (p / sqrt (p * (1 - p))) = p * p / (sqrt (p * (1 - p)) * sqrt (p * (1 - p)))).
  by rewrite e; field; lra.
by field; lra.
Qed.

Lemma v_weight_eq p : 0 < p < 1 -> v_weight p = (1 - p) / sqrt (p * (1 - p)).
Proof.
move=> hp; have hp' : 0 < 1 - p < 1 by lra.
have := u_weight_eq hp'; rewrite /u_weight /v_weight (_ : 1 - (1 - p) = p); last by ring.
by rewrite [p * _]Rmult_comm.
Qed.

Lemma grpo_weight_eq p a : 0 < p < 1 -> a = p * (1 - p) -> a / sqrt (p * (1 - p)) = sqrt (p * (1 - p)).
Proof.
move=> hp ->; rewrite -{1}(sqrt_pq_square hp); have := sqrt_pq_gt0 hp => s; field; lra.
Qed.

(** An advantage with numerators a and -b over the population's standard deviation. *)
Lemma objective_over_std G (x : 'I_G -> R) lo hi L v num a b : binary x -> 0 <= lo -> 0 <= hi -> ~~ degenerate x ->
  0 <= a -> 0 <= b -> (forall i, x i = 1 -> num i = a) -> (forall i, x i = 0 -> num i = - b) ->
  group_objective lo hi L v (over_std Population 0 num x)
  = masked_objective lo hi (success_rate x * a / sqrt (success_rate x * (1 - success_rate x)))
      ((1 - success_rate x) * b / sqrt (success_rate x * (1 - success_rate x))) L v x.
Proof.
move=> bin l0 h0 mixed a0 b0 up down; have hp := mixed_success_rate bin mixed.
have s0 := sqrt_pq_gt0 hp; have G0 := ltnW (mixed_size mixed).
have st : std Population x + 0 = sqrt (success_rate x * (1 - success_rate x)).
  by rewrite std_population_binary // Rplus_0_r.
rewrite (objective_split _ _ bin l0 h0 (a := a / sqrt (success_rate x * (1 - success_rate x)))
  (b := b / sqrt (success_rate x * (1 - success_rate x)))) //.
- by rewrite /Rdiv !Rmult_assoc.
- by apply: Rdiv_le_0_compat.
- by apply: Rdiv_le_0_compat.
- by move=> i e; rewrite over_std_mixed // st up.
by move=> i e; rewrite over_std_mixed // st down // /Rdiv; ring.
Qed.

(** Prop. 4.1 and its variants, for every mixed group of binary rewards with success rate p, any token ratios, lengths
    and clip ranges, population standard deviation and eps = 0: the mean of the clipped terms is the masked, re-weighted
    form with the weights u(p) on hard groups and v(p) on easy ones for QAE; POS-MASK keeps v(p) on hard groups too,
    NEG-MASK u(p) on easy ones; GRPO has sqrt(p (1 - p)) on both sides. *)
Theorem prop41_identity : forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
  binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
  let p := success_rate x in
  group_objective lo hi L v (qae Population 0 K x)
    = masked_objective lo hi (if hard K x then u_weight p else 0) (if hard K x then 0 else v_weight p) L v x
  /\ group_objective lo hi L v (pos_mask Population 0 K x)
    = masked_objective lo hi (if hard K x then u_weight p else 0) (v_weight p) L v x
  /\ group_objective lo hi L v (neg_mask Population 0 K x)
    = masked_objective lo hi (u_weight p) (if hard K x then 0 else v_weight p) L v x
  /\ group_objective lo hi L v (grpo Population 0 x)
    = masked_objective lo hi (sqrt (p * (1 - p))) (sqrt (p * (1 - p))) L v x.
Proof.
move=> G x K lo hi L v bin mixed hK l0 h0 p; have hp : 0 < p < 1 := mixed_success_rate bin mixed.
have G0 := ltnW (mixed_size mixed).
have go num a b : 0 <= a -> 0 <= b -> (forall i, x i = 1 -> num i = a) -> (forall i, x i = 0 -> num i = - b) ->
    group_objective lo hi L v (over_std Population 0 num x) = masked_objective lo hi
      (p * a / sqrt (p * (1 - p))) ((1 - p) * b / sqrt (p * (1 - p))) L v x.
  exact: objective_over_std.
have q := quantile_binary bin G0 hK.
have u1 : p * 1 / sqrt (p * (1 - p)) = u_weight p by rewrite u_weight_eq // Rmult_1_r.
have v1 : (1 - p) * 1 / sqrt (p * (1 - p)) = v_weight p by rewrite v_weight_eq // Rmult_1_r.
have z a : a * 0 / sqrt (p * (1 - p)) = 0 by rewrite Rmult_0_r /Rdiv Rmult_0_l.
have o : 0 <= 1 by lra. have n : 0 <= 0 by lra.
split.
  rewrite /qae /standardised q; case: (hard K x).
    by rewrite (go _ 1 0) // ?u1 ?z // => i ->; ring.
  by rewrite (go _ 0 1) // ?v1 ?z // => i ->; ring.
split.
  rewrite /pos_mask /bit; case: (hard K x).
    by rewrite (go _ 1 1) // ?u1 ?v1 // => i ->; ring.
  by rewrite (go _ 0 1) // ?v1 ?z // => i ->; ring.
split.
  rewrite /neg_mask /bit; case: (hard K x) => /=.
    by rewrite (go _ 1 0) // ?u1 ?z // => i ->; ring.
  by rewrite (go _ 1 1) // ?u1 ?v1 // => i ->; ring.
rewrite /grpo /standardised group_mean_binary // -/p (go _ (1 - p) p); try lra.
- by rewrite !grpo_weight_eq //; ring.
- by move=> i ->.
by move=> i ->; ring.
Qed.
