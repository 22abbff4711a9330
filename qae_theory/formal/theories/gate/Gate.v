(** The quantile of a group and the two-regime gate (claims eq4-threshold, eq4-left-inverse, gate-hard, gate-easy). *)

From QAE Require Import Compat Definitions Sums Rewards.

Set Implicit Arguments.
Unset Strict Implicit.

(** For all real rewards, ties allowed, and every real K in (0, 1], the infimum of {v : F(v) >= K} is the reward of
    ascending rank ceil(K G). *)
Theorem eq4_left_inverse : forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K <= 1 ->
  is_glb_Rbar (fun v => K <= cdf x v) (order_stat (ceil (K * INR G)) x)
  /\ quantile K x = order_stat (ceil (K * INR G)) x.
Proof. by move=> G x K; apply: quantile_order_stat. Qed.

(** The infimum is attained, and the rank lies between 1 and G. *)
Theorem eq4_left_inverse_attained : forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K <= 1 ->
  K <= cdf x (quantile K x) /\ (0 < ceil (K * INR G) <= G)%N /\ exists i, quantile K x = x i.
Proof.
move=> G x K G0 hK; have [_ e] := eq4_left_inverse x G0 hK; have hr := rank_bounds G0 hK.
split; first by apply/(cdf_ge_iff x _ G0 hK); rewrite e; apply: Rle_refl.
by split=> //; rewrite e; apply: order_stat_in.
Qed.

(** Eq. 4: for binary rewards the K-quantile is 0 if the success rate m/G is at most 1 - K, and 1 otherwise. *)
Theorem eq4_threshold : forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K <= 1 -> binary x ->
  is_glb_Rbar (fun v => K <= cdf x v) (gate K (success_rate x)) /\ quantile K x = gate K (success_rate x).
Proof.
move=> G x K G0 hK bin; have [glb e] := eq4_left_inverse x G0 hK.
by rewrite -(quantile_binary bin G0 hK : _ = gate K (success_rate x)) {1}e; split.
Qed.

(** The gate decided with integers: the group is hard iff at least ceil(K G) responses are wrong. *)
Theorem eq4_threshold_integers : forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K <= 1 -> binary x ->
  quantile K x = if (ceil (K * INR G) <= G - num_correct x)%N then 0 else 1.
Proof. by move=> G x K G0 hK bin; rewrite (quantile_binary bin G0 hK) hard_integers. Qed.

Lemma scale_gt0 G (x : 'I_G -> R) k eps : 0 <= eps -> ~~ degenerate x -> 0 < std k x + eps.
Proof. by move=> e /(std_gt0 k); lra. Qed.

Section Regimes.
Variables (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R).
Hypotheses (G0 : (0 < G)%N) (hK : 0 < K <= 1) (bin : binary x).

Lemma hard_correct_mixed i : hard K x -> x i = 1 -> ~~ degenerate x.
Proof.
move=> h e; rewrite mixed_binary // (num_correct_gt0 e) ltn_neqAle num_correct_le andbT /=.
apply/negP => /eqP all; move: h; rewrite hard_integers // all subnn leqn0 => /eqP z.
by have := rank_bounds G0 hK; rewrite z.
Qed.

Lemma easy_wrong_mixed i : ~~ hard K x -> x i = 0 -> ~~ degenerate x.
Proof.
move=> h e; rewrite mixed_binary // (num_correct_lt bin e) andbT lt0n.
apply/negP => /eqP none; move: h; rewrite hard_integers // none subn0.
by have /andP[_ ->] := rank_bounds G0 hK.
Qed.
End Regimes.

(** In a hard group QAE gives every correct response 1/(std + eps) > 0 and every wrong one 0; if the group is degenerate
    then all its responses are wrong and have advantage 0. *)
Theorem gate_hard : forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x -> hard K x ->
  (forall i, x i = 1 -> qae k eps K x i = 1 / (std k x + eps) /\ 0 < qae k eps K x i)
  /\ (forall i, x i = 0 -> qae k eps K x i = 0)
  /\ (degenerate x -> forall i, x i = 0 /\ qae k eps K x i = 0).
Proof.
move=> G x k eps K G0 hK e0 bin hd.
have q0 : quantile K x = 0 by rewrite (quantile_binary bin G0 hK) hd.
have wrong i : x i = 0 -> qae k eps K x i = 0.
  by rewrite /qae /standardised /over_std q0 => ->; case: degenerate => //; rewrite /Rdiv; ring.
split=> [i e|].
  have mixed := hard_correct_mixed G0 hK bin hd e; have s := scale_gt0 k e0 mixed.
  rewrite /qae /standardised over_std_mixed // q0 e Rminus_0_r; split=> //.
  by apply: Rdiv_lt_0_compat; lra.
split=> // deg i; case: (bin i) => e; first by split=> //; apply: wrong.
by have := hard_correct_mixed G0 hK bin hd e; rewrite deg.
Qed.

(** In an easy group QAE gives every wrong response -1/(std + eps) < 0 and every correct one 0; if the group is
    degenerate then all its responses are correct and have advantage 0. *)
Theorem gate_easy : forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x -> ~~ hard K x ->
  (forall i, x i = 0 -> qae k eps K x i = - 1 / (std k x + eps) /\ qae k eps K x i < 0)
  /\ (forall i, x i = 1 -> qae k eps K x i = 0)
  /\ (degenerate x -> forall i, x i = 1 /\ qae k eps K x i = 0).
Proof.
move=> G x k eps K G0 hK e0 bin hd.
have q1 : quantile K x = 1 by rewrite (quantile_binary bin G0 hK) (negbTE hd).
have correct i : x i = 1 -> qae k eps K x i = 0.
  by rewrite /qae /standardised /over_std q1 => ->; case: degenerate => //; rewrite /Rdiv; ring.
split=> [i e|].
  have mixed := easy_wrong_mixed G0 hK bin hd e; have s := scale_gt0 k e0 mixed.
  have q : qae k eps K x i = - 1 / (std k x + eps).
    by rewrite /qae /standardised over_std_mixed // q1 e; congr (_ / _); ring.
  split=> //; rewrite q; have := Rinv_0_lt_compat _ s; rewrite /Rdiv; lra.
split=> // deg i; case: (bin i) => e; last by split=> //; apply: correct.
by have := easy_wrong_mixed G0 hK bin hd e; rewrite deg.
Qed.
