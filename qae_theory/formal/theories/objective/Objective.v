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

(** * The factor of eps and of the standard deviation *)

(** One token per response, with ratio c1 on correct and c0 on wrong responses. *)
Lemma masked_constant G (x : 'I_G -> R) lo hi wp wm c1 c0 : binary x -> ~~ degenerate x ->
  masked_objective lo hi wp wm (fun _ => 1%N) (fun i _ => if Reqb (x i) 1 then c1 else c0) x
  = wp * Rmin c1 (1 + hi) - wm * Rmax c0 (1 - lo).
Proof.
move=> bin mixed; have := mixed; rewrite mixed_binary // => /andP[m0 mG].
have one n f : n = 1%N -> token_mean n f = f 0%N by move=> ->; rewrite /token_mean big_ord_recl big_ord0 /=; field.
have side b s c : (0 < #|[pred i | Reqb (x i) b]|)%N -> (forall i, x i = b -> s i = c) -> side_mean x b s = c.
  move=> pos e; rewrite /side_mean (eq_bigr (fun _ => c)) => [|i /ReqbP]; last exact: e.
  have -> : \sum_(i | Reqb (x i) b) c = INR #|[pred i | Reqb (x i) b]| * c by apply: sum_const.
  by field; apply: INR_neq0.
rewrite /masked_objective (side 1 _ (Rmin c1 (1 + hi))) // => [|i e]; last by rewrite /s_plus one // e Reqb_refl.
rewrite (side 0 _ (Rmax c0 (1 - lo))) // => [|i e]; first by rewrite (num_wrong bin) subn_gt0.
by rewrite /s_minus one // e Reqb_false // => h; lra.
Qed.

Lemma objective_factor G (x : 'I_G -> R) k eps lo hi L v num : ~~ degenerate x -> 0 <= eps ->
  group_objective lo hi L v (over_std k eps num x)
  = std Population x / (std k x + eps) * group_objective lo hi L v (over_std Population 0 num x).
Proof.
move=> mixed e0; have s := scale_gt0 k e0 mixed; have s1 := std_gt0 Population mixed.
rewrite -objective_scale; last by apply: Rdiv_le_0_compat; lra.
by apply: objective_ext => i; rewrite !over_std_mixed //; field; lra.
Qed.

Lemma mixed_std_bounds G (x : 'I_G -> R) : binary x -> ~~ degenerate x ->
  sqrt (INR G - 1) / INR G <= std Population x <= 1 / 2
  /\ (success_rate x = 1 / 2 -> std Population x = 1 / 2)
  /\ (num_correct x = 1%N \/ num_correct x = G.-1 -> std Population x = sqrt (INR G - 1) / INR G).
Proof.
move=> bin mixed; have G1 := mixed_size mixed; have G0 := ltnW G1; have g := INR_pos G0.
have hp := mixed_success_rate bin mixed; have := mixed; rewrite mixed_binary // => /andP[m0 mG].
rewrite std_population_binary //; have g1 : 1 < INR G by have := INR_ltn G1.
have := success_rate_num x G0; set p := success_rate x in hp *; move=> pe.
have root : sqrt (INR G - 1) / INR G = sqrt ((INR G - 1) / (INR G * INR G)).
  by rewrite sqrt_div ?sqrt_square; try lra; nra.
have low : (INR G - 1) / (INR G * INR G) <= p * (1 - p).
  apply: (Rmult_le_reg_r (INR G * INR G)); first by nra.
  rewrite (_ : (INR G - 1) / (INR G * INR G) * (INR G * INR G) = INR G - 1); last by field; lra.
  rewrite (_ : p * (1 - p) * (INR G * INR G) = INR (num_correct x) * (INR G - INR (num_correct x))).
  by have a := INR_leq m0; have b := INR_leq mG; rewrite S_INR in b; rewrite /= in a; nra.
  by rewrite pe; ring.
split.
  rewrite root; split; first by apply: sqrt_le_1_alt.
  by rewrite -[X in _ <= X](sqrt_square (1 / 2)); [apply: sqrt_le_1_alt; have := pow2_ge_0 (p - 1 / 2); lra | lra].
split=> [->|m].
  by rewrite (_ : 1 / 2 * (1 - 1 / 2) = 1 / 2 * (1 / 2)) ?sqrt_square //; lra.
rewrite root; congr sqrt; have -> : p = INR (num_correct x) / INR G by rewrite pe; field; lra.
by case: m => ->; rewrite -?subn1 ?INR_sub //=; field; lra.
Qed.

(** With eps > 0 the identity does not hold up to a constant factor that depends on eps alone: no constant serves all
    mixed groups. The factor is std/(std + eps) of the group; its distance from 1 is between 2 eps/(1 + 2 eps), at
    success rate 1/2, and eps/(s + eps) with s = sqrt(G - 1)/G, at one correct or one wrong response. At G = 16 and
    eps <= 10^-4 that is from 1.999 eps to 4.133 eps (4.129 eps at least with one correct response). Bessel's standard
    deviation at eps = 0 gives the constant sqrt((G - 1)/G) for groups of one size. *)
Theorem prop41_constant :
  (forall eps : R, 0 < eps -> ~ exists c : R,
     forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
     binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
     group_objective lo hi L v (qae Population eps K x)
     = c * masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                  (if hard K x then 0 else v_weight (success_rate x)) L v x)
  /\ (forall (G : nat) (x : 'I_G -> R) (eps K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
     binary x -> ~~ degenerate x -> 0 <= eps -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
     group_objective lo hi L v (qae Population eps K x)
     = std Population x / (std Population x + eps)
       * masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                (if hard K x then 0 else v_weight (success_rate x)) L v x)
  /\ (forall (G : nat) (x numerator : 'I_G -> R) (k : divisor) (eps lo hi : R) (L : 'I_G -> nat)
        (v : 'I_G -> nat -> R), ~~ degenerate x -> 0 <= eps ->
     group_objective lo hi L v (over_std k eps numerator x)
     = std Population x / (std k x + eps) * group_objective lo hi L v (over_std Population 0 numerator x))
  /\ (forall (G : nat) (x : 'I_G -> R) (eps : R), binary x -> ~~ degenerate x -> 0 < eps ->
     let distance := 1 - std Population x / (std Population x + eps) in
     2 * eps / (1 + 2 * eps) <= distance <= eps / (sqrt (INR G - 1) / INR G + eps)
     /\ (success_rate x = 1 / 2 -> distance = 2 * eps / (1 + 2 * eps))
     /\ (num_correct x = 1%N \/ num_correct x = G.-1 -> distance = eps / (sqrt (INR G - 1) / INR G + eps)))
  /\ (forall (x : 'I_16 -> R) (eps : R), binary x -> ~~ degenerate x -> 0 < eps <= / 10 ^ 4 ->
     let distance := 1 - std Population x / (std Population x + eps) in
     1.999 * eps <= distance <= 4.133 * eps /\ (num_correct x = 1%N -> 4.129 * eps <= distance)
     /\ (num_correct x = 8%N -> distance <= 2 * eps))
  /\ (forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
     binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
     group_objective lo hi L v (qae Bessel 0 K x)
     = sqrt ((INR G - 1) / INR G)
       * masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                (if hard K x then 0 else v_weight (success_rate x)) L v x).
Proof.
have factor (G : nat) (x : 'I_G -> R) (k : divisor) (eps K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R) :
     binary x -> ~~ degenerate x -> 0 <= eps -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
     group_objective lo hi L v (qae k eps K x)
     = std Population x / (std k x + eps)
       * masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                (if hard K x then 0 else v_weight (success_rate x)) L v x.
  move=> bin mixed e0 hK l0 h0; have [<- _] := prop41_identity L v bin mixed hK l0 h0.
  exact: (objective_factor k lo hi L v (fun i => x i - quantile K x) mixed e0).
have distance (G : nat) (x : 'I_G -> R) (eps : R) : binary x -> ~~ degenerate x -> 0 < eps ->
     let distance := 1 - std Population x / (std Population x + eps) in
     2 * eps / (1 + 2 * eps) <= distance <= eps / (sqrt (INR G - 1) / INR G + eps)
     /\ (success_rate x = 1 / 2 -> distance = 2 * eps / (1 + 2 * eps))
     /\ (num_correct x = 1%N \/ num_correct x = G.-1 -> distance = eps / (sqrt (INR G - 1) / INR G + eps)).
  move=> bin mixed e0 d; have [[lo hi] [at_half at_one]] := mixed_std_bounds bin mixed.
  have G1 := mixed_size mixed; have g1 : 1 < INR G by have := INR_ltn G1.
  have s1 : 0 < sqrt (INR G - 1) / INR G by apply: Rdiv_lt_0_compat; [apply: sqrt_lt_R0 |]; lra.
  have dE : d = eps * / (std Population x + eps) by rewrite /d; field; lra.
  have hE : 2 * eps / (1 + 2 * eps) = eps * / (1 / 2 + eps) by field; lra.
  rewrite hE dE; split; last by split=> [/at_half ->|/at_one ->].
  by split; apply: Rmult_le_compat_l; try lra; apply: Rinv_le_contravar; lra.
split.
  move=> eps e0 [c all].
  pose ratio G (x : 'I_G -> R) (i : 'I_G) (t : nat) := if Reqb (x i) 1 then 1 else 1.
  have hK : 0 < 2 / 5 <= 1 by lra. have n : 0 <= 0 by lra. have e0' : 0 <= eps by lra.
  have cE m : (0 < m <= 2)%N ->
      std Population (fun i : 'I_4 => bit (i < m)%N) / (std Population (fun i : 'I_4 => bit (i < m)%N) + eps) = c.
    move=> /andP[m0 m2]; have m4 : (m < 4)%N := leq_ltn_trans m2 (isT : (2 < 4)%N).
    have mixed : ~~ degenerate (fun i : 'I_4 => bit (i < m)%N) by apply: mixed_first; rewrite m0.
    have bin := @binary_first 4 m; have hp := mixed_success_rate bin mixed.
    have := all 4%N _ (2 / 5) 0 0 (fun _ => 1%N) (ratio 4%N (fun i => bit (i < m)%N)) bin mixed hK n n.
    rewrite factor // masked_constant //.
    have -> : hard (2 / 5) (fun i : 'I_4 => bit (i < m)%N).
      by apply/RlebP; rewrite success_rate_first ?(ltnW m4) //; have := INR_leq m2; rewrite /=; lra.
    rewrite Rmin_left; last by lra.
    have u : 0 < u_weight (success_rate (fun i : 'I_4 => bit (i < m)%N)).
      by rewrite u_weight_eq //; apply: Rdiv_lt_0_compat; [lra | apply: sqrt_pq_gt0].
    by rewrite Rmult_0_l Rminus_0_r Rmult_1_r => /(Rmult_eq_reg_r _ _ _); apply; lra.
  have [c1 c2] := (cE 1%N isT, cE 2%N isT); move: c1; rewrite -c2 !std_population_binary //; try exact: binary_first.
  rewrite !success_rate_first // (_ : INR 2 / INR 4 * (1 - INR 2 / INR 4) = 1 / 2 * (1 / 2)); last by rewrite /=; field.
  rewrite sqrt_square; last by lra.
  have p1 : 0 < INR 1 / INR 4 < 1 by rewrite /=; lra.
  have s := sqrt_pq_gt0 p1; have sq := sqrt_pq_square p1; set w := sqrt _ in s sq *.
  move=> e; have : w = 1 / 2; last by move=> h; move: sq; rewrite h /=; lra.
  have : w * (1 / 2 + eps) = 1 / 2 * (w + eps); last by nra.
  have -> : w * (1 / 2 + eps) = w / (w + eps) * ((w + eps) * (1 / 2 + eps)) by field; lra.
  by rewrite e; field; lra.
split; first by move=> G x; apply: factor.
split; first by move=> G x num k eps lo hi L v; apply: objective_factor.
split; first exact: distance.
split; last first.
  move=> G x K lo hi L v bin mixed hK l0 h0; have n : 0 <= 0 by lra.
  rewrite factor //; congr (_ * _); have G1 := mixed_size mixed; have g1 : 1 < INR G by have := INR_ltn G1.
  have hp := mixed_success_rate bin mixed; have s := sqrt_pq_gt0 hp.
  rewrite std_population_binary ?(ltnW G1) // std_bessel_binary // Rplus_0_r.
  have r : 0 < (INR G - 1) / INR G by apply: Rdiv_lt_0_compat; lra.
  rewrite (sqrt_mult (_ * _) (_ / _)); [|nra|by apply: Rdiv_le_0_compat; lra].
  have -> : INR G / (INR G - 1) = / ((INR G - 1) / INR G) by field; lra.
  have r0 := sqrt_lt_R0 _ r; rewrite sqrt_inv; field; lra.
move=> x eps bin mixed [e0 e4] d; have [[lo hi] [at_half at_one]] := distance _ _ _ bin mixed e0.
rewrite -/d in lo hi at_half at_one.
have r : 3.8729 <= sqrt (INR 16 - 1) <= 3.873.
  rewrite !INR_IZR_INZ /=; split.
    by rewrite -[X in X <= _](sqrt_square 3.8729); [apply: sqrt_le_1_alt | ]; lra.
  by rewrite -[X in _ <= X](sqrt_square 3.873); [apply: sqrt_le_1_alt | ]; lra.
have sixteen : INR 16 = 16 by rewrite INR_IZR_INZ.
have up : eps / (sqrt (INR 16 - 1) / INR 16 + eps) <= 4.133 * eps.
  rewrite [X in _ <= X]Rmult_comm; apply: Rmult_le_compat_l; first by lra.
  rewrite -(Rinv_inv 4.133).
  by apply: Rinv_le_contravar; rewrite sixteen in r *; lra.
have down : 1.999 * eps <= 2 * eps / (1 + 2 * eps).
  apply: (Rmult_le_reg_r (1 + 2 * eps)); first by lra.
  by rewrite (_ : 2 * eps / (1 + 2 * eps) * (1 + 2 * eps) = 2 * eps); [nra | field; lra].
split; first by lra.
split=> m.
  rewrite at_one; last by left.
  rewrite [X in X <= _]Rmult_comm; apply: Rmult_le_compat_l; first by lra.
  rewrite -(Rinv_inv 4.129).
  by apply: Rinv_le_contravar; rewrite sixteen in r *; lra.
rewrite at_half; last by rewrite /success_rate m !INR_IZR_INZ /=; lra.
apply: (Rmult_le_reg_r (1 + 2 * eps)); first by lra.
by rewrite (_ : 2 * eps / (1 + 2 * eps) * (1 + 2 * eps) = 2 * eps); [nra | field; lra].
Qed.

(** * Amplification *)

(** On every mixed hard group, for either standard deviation and every eps >= 0, QAE's advantage of a success is
    1/(1 - p) times GRPO's, p the success rate. This factor is at least G/(G - 1), with equality iff one response is
    correct, and at most 1/K, with equality iff p = 1 - K. *)
Theorem prop41_amplification : forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  binary x -> ~~ degenerate x -> 0 <= eps -> 0 < K <= 1 -> hard K x ->
  let p := success_rate x in
  (forall i, x i = 1 -> 0 < grpo k eps x i /\ qae k eps K x i = 1 / (1 - p) * grpo k eps x i)
  /\ INR G / (INR G - 1) <= 1 / (1 - p) <= 1 / K
  /\ (1 / (1 - p) = INR G / (INR G - 1) <-> num_correct x = 1%N)
  /\ (1 / (1 - p) = 1 / K <-> p = 1 - K).
Proof.
move=> G x k eps K bin mixed e0 hK hd p; have hp : 0 < p < 1 := mixed_success_rate bin mixed.
have G1 := mixed_size mixed; have G0 := ltnW G1; have g1 : 1 < INR G by have := INR_ltn G1.
have s := scale_gt0 k e0 mixed; have s' := Rinv_0_lt_compat _ s.
have pK : p <= 1 - K by apply/RlebP.
have pG : 1 <= p * INR G.
  rewrite /p -success_rate_num //; have := mixed; rewrite mixed_binary // => /andP[m0 _].
  exact: INR_leq m0.
have eq_inv a b : 0 < a -> 0 < b -> 1 / a = 1 / b <-> a = b.
  by move=> a0 b0; split=> [e|-> //]; rewrite -(Rinv_inv a) -(Rinv_inv b); congr Rinv; lra.
have gE : INR G / (INR G - 1) = 1 / ((INR G - 1) / INR G) by field; lra.
have q0 : 0 < (INR G - 1) / INR G by apply: Rdiv_lt_0_compat; lra.
have qE : (INR G - 1) / INR G = 1 - 1 / INR G by field; lra.
have inv : 1 / INR G <= p.
  apply: (Rmult_le_reg_r (INR G)); first by lra.
  by rewrite (_ : 1 / INR G * INR G = 1) //; field; lra.
split=> [i e|].
  rewrite /grpo /qae /standardised !over_std_mixed // e group_mean_binary // -/p.
  rewrite (quantile_binary bin G0 hK) hd; split; first by apply: Rdiv_lt_0_compat; lra.
  by field; lra.
split.
  rewrite gE qE; rewrite qE in q0; split; rewrite /Rdiv !Rmult_1_l; apply: Rinv_le_contravar; lra.
split; last by rewrite eq_inv; lra.
rewrite gE eq_inv //; last by lra.
rewrite qE; split=> [e|e].
  apply: INR_eq; rewrite success_rate_num // -/p (_ : p = 1 / INR G); last by lra.
  by rewrite /=; field; lra.
by rewrite /p /success_rate e.
Qed.

Lemma u_weight_lt p p' : 0 < p < p' -> p' < 1 -> u_weight p < u_weight p'.
Proof.
move=> [p0 pp] p1; apply: sqrt_lt_1_alt; split; first by apply: Rdiv_le_0_compat; lra.
rewrite (_ : p / (1 - p) = / (1 - p) - 1); last by field; lra.
rewrite (_ : p' / (1 - p') = / (1 - p') - 1); last by field; lra.
by have := Rinv_lt_contravar (1 - p') (1 - p); nra.
Qed.

(** "The rarer the success, the larger the amplification" fails for every pair of mixed hard groups: the factor
    1/(1 - p) and the weight u(p) increase with p. For groups of four at K = 2/5 a single success is amplified 4/3 times
    with weight 1/sqrt 3 and each of two successes twice with weight 1. As p tends to 0 the factor tends to 1 and the
    weight to 0; both are largest at the threshold p = 1 - K. *)
Theorem prop41_rarer_is_larger :
  ~ (forall (G : nat) (x x' : 'I_G -> R) (k : divisor) (eps K : R) (i i' : 'I_G),
       0 <= eps -> 0 < K < 1 -> binary x -> binary x' -> ~~ degenerate x -> ~~ degenerate x' ->
       hard K x -> hard K x' -> x i = 1 -> x' i' = 1 -> (num_correct x < num_correct x')%N ->
       qae k eps K x' i' / grpo k eps x' i' <= qae k eps K x i / grpo k eps x i
       /\ u_weight (success_rate x') <= u_weight (success_rate x))
  /\ (forall (G : nat) (x x' : 'I_G -> R) (k : divisor) (eps K : R) (i i' : 'I_G),
       0 <= eps -> 0 < K < 1 -> binary x -> binary x' -> ~~ degenerate x -> ~~ degenerate x' ->
       hard K x -> hard K x' -> x i = 1 -> x' i' = 1 -> (num_correct x < num_correct x')%N ->
       qae k eps K x i / grpo k eps x i < qae k eps K x' i' / grpo k eps x' i'
       /\ u_weight (success_rate x) < u_weight (success_rate x'))
  /\ (forall (x : 'I_4 -> R) (k : divisor) (eps : R) (i : 'I_4), 0 <= eps -> binary x -> x i = 1 ->
       (num_correct x = 1%N -> hard (2 / 5) x /\ qae k eps (2 / 5) x i / grpo k eps x i = 4 / 3
                               /\ u_weight (success_rate x) = 1 / sqrt 3)
       /\ (num_correct x = 2%N -> hard (2 / 5) x /\ qae k eps (2 / 5) x i / grpo k eps x i = 2
                                  /\ u_weight (success_rate x) = 1))
  /\ filterlim (fun p => 1 / (1 - p)) (at_right 0) (locally 1)
  /\ filterlim u_weight (at_right 0) (locally 0)
  /\ (forall p K : R, 0 < p -> 0 < K < 1 -> p < 1 - K ->
       1 / (1 - p) < 1 / (1 - (1 - K)) /\ u_weight p < u_weight (1 - K)).
Proof.
have factor (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) (i : 'I_G) : 0 <= eps -> 0 < K < 1 -> binary x ->
    ~~ degenerate x -> hard K x -> x i = 1 -> qae k eps K x i / grpo k eps x i = 1 / (1 - success_rate x).
  move=> e0 hK bin mixed hd e; have hK' : 0 < K <= 1 by lra. have hp := mixed_success_rate bin mixed.
  have [h _] := prop41_amplification k bin mixed e0 hK' hd; have [pos ->] := h i e.
  by field; lra.
have opposite (G : nat) (x x' : 'I_G -> R) (k : divisor) (eps K : R) (i i' : 'I_G) :
       0 <= eps -> 0 < K < 1 -> binary x -> binary x' -> ~~ degenerate x -> ~~ degenerate x' ->
       hard K x -> hard K x' -> x i = 1 -> x' i' = 1 -> (num_correct x < num_correct x')%N ->
       qae k eps K x i / grpo k eps x i < qae k eps K x' i' / grpo k eps x' i'
       /\ u_weight (success_rate x) < u_weight (success_rate x').
  move=> e0 hK bin bin' mixed mixed' hd hd' e e' lt; rewrite !factor //.
  have hp := mixed_success_rate bin mixed; have hp' := mixed_success_rate bin' mixed'.
  have pp : success_rate x < success_rate x'.
    apply: Rmult_lt_compat_r; last exact: INR_ltn.
    by apply: Rinv_0_lt_compat; apply: INR_pos; apply: ltnW (mixed_size mixed).
  split; last by apply: u_weight_lt; lra.
  by have := Rinv_lt_contravar (1 - success_rate x') (1 - success_rate x); nra.
split.
  move=> claim; pose x m (i : 'I_4) := bit (i < m)%N.
  have [e0 hK] : 0 <= 0 /\ 0 < 2 / 5 < 1 by lra.
  have hd m : (m <= 2)%N -> hard (2 / 5) (x m).
    move=> m2; apply/RlebP; rewrite success_rate_first; last exact: leq_trans m2 _.
    by have := INR_leq m2; rewrite /=; lra.
  have lt : (num_correct (x 1%N) < num_correct (x 2%N))%N by rewrite !num_correct_first.
  have m1 : ~~ degenerate (x 1%N) by apply: mixed_first.
  have m2 : ~~ degenerate (x 2%N) by apply: mixed_first.
  have [b1 b2] := (@binary_first 4 1, @binary_first 4 2).
  have [_ a] := claim 4%N (x 1%N) (x 2%N) Population 0 (2 / 5) ord0 ord0 e0 hK b1 b2 m1 m2 (hd 1%N isT) (hd 2%N isT)
    erefl erefl lt.
  have [_ b] := opposite 4%N (x 1%N) (x 2%N) Population 0 (2 / 5) ord0 ord0 e0 hK b1 b2 m1 m2 (hd 1%N isT) (hd 2%N isT)
    erefl erefl lt.
  by lra.
split=> //; split.
  move=> x k eps i e0 bin e; have hK : 0 < 2 / 5 < 1 by lra.
  have go m : (0 < m < 4)%N -> num_correct x = m -> INR m / INR 4 <= 1 - 2 / 5 ->
      hard (2 / 5) x /\ qae k eps (2 / 5) x i / grpo k eps x i = 1 / (1 - INR m / INR 4).
    move=> hm em le; have hd : hard (2 / 5) x by apply/RlebP; rewrite /success_rate em.
    split=> //; rewrite factor // ?/success_rate ?em //.
    by rewrite mixed_binary // em.
  split=> em; have := go _ _ em; rewrite /success_rate em /= => /(_ isT).
    case; first by lra.
    move=> hd ->; split=> //; split; first by field.
    rewrite /u_weight (_ : 1 / (1 + 1 + 1 + 1) / _ = / 3); last by field.
    by rewrite sqrt_inv; lra.
  case; first by lra.
  move=> hd ->; split=> //; split; first by field.
  by rewrite /u_weight (_ : (1 + 1) / (1 + 1 + 1 + 1) / _ = 1) ?sqrt_1 //; field.
have right (f : R -> R) l : filterlim f (locally 0) (locally l) -> filterlim f (at_right 0) (locally l).
  exact: (filterlim_filter_le_1 f (filter_le_within _)).
split.
  apply: right; have cont : continuous (fun p => 1 / (1 - p)) 0.
    by apply: ex_derive_continuous; auto_derive; lra.
  by move: cont; rewrite /continuous (_ : 1 / (1 - 0) = 1); last field.
split.
  apply: right; have cont : continuous u_weight 0.
    apply: (continuous_comp (fun p => p / (1 - p)) sqrt); last exact: continuous_sqrt.
    by apply: ex_derive_continuous; auto_derive; lra.
  by move: cont; rewrite /continuous (_ : u_weight 0 = 0) // /u_weight /Rdiv Rmult_0_l sqrt_0.
move=> p K p0 hK lt; split; last by apply: u_weight_lt; lra.
by have := Rinv_lt_contravar (1 - (1 - K)) (1 - p); nra.
Qed.
