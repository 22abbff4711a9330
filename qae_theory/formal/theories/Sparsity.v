(** How many advantages QAE sets to zero, per group and averaged over groups (claims k-shares, sparsity-any-reward,
    sparsity-formula, sparsity-80, sparsity-monotone and sparsity-some-k).

    The share of zero advantages is written [share (Reqb 0)], that of positive ones [share (Rltb 0)]. *)

From QAE Require Import Compat Definitions Sums Rewards Gate ListedGroups.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Signs of the advantages of any group *)

Section Signs.
Variables (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R).
Hypotheses (G0 : (0 < G)%N) (hK : 0 < K <= 1) (e0 : 0 <= eps).

(** The quantile is one of the rewards, so that all rewards of a degenerate group equal it. *)
Lemma degenerate_quantile i : degenerate x -> x i = quantile K x.
Proof. by move=> /degenerateP eq; have [_ [_ [j ->]]] := eq4_left_inverse_attained x G0 hK; apply: eq. Qed.

Lemma qae_scaled i : exists2 s, 0 < s & qae k eps K x i = (x i - quantile K x) * s.
Proof.
case D: (degenerate x).
  exists 1; first by lra.
  by rewrite /qae /standardised over_std_degenerate // degenerate_quantile //; ring.
have s := scale_gt0 k e0 (negbT D); exists (/ (std k x + eps)); first exact: Rinv_0_lt_compat.
by rewrite /qae /standardised over_std_mixed ?D.
Qed.

Lemma qae_eq0 i : Reqb 0 (qae k eps K x i) = Reqb (x i) (quantile K x).
Proof.
have [s s0 ->] := qae_scaled i; apply/ReqbP/ReqbP => [e|->]; last by ring.
by have [|] := Rmult_integral _ _ (esym e); lra.
Qed.

Lemma qae_gt0 i : Rltb 0 (qae k eps K x i) = Rltb (quantile K x) (x i).
Proof. by have [s s0 ->] := qae_scaled i; apply/RltbP/RltbP => h; nra. Qed.

Lemma qae_lt0 i : Rltb (qae k eps K x i) 0 = Rltb (x i) (quantile K x).
Proof. by have [s s0 ->] := qae_scaled i; apply/RltbP/RltbP => h; nra. Qed.
End Signs.

Lemma share_le G (P Q : pred R) (a b : 'I_G -> R) : (forall i, P (a i) -> Q (b i)) -> share P a <= share Q b.
Proof.
move=> h; rewrite /share /Rdiv; apply: Rmult_le_compat_r.
  by case: (posnP G) => [->|g]; [rewrite Rinv_0; lra | apply: Rlt_le; apply: Rinv_0_lt_compat; apply: INR_pos].
by apply: INR_leq; apply: subset_leq_card; apply/subsetP => i; rewrite !inE; apply: h.
Qed.

Lemma quantile_mono G (x : 'I_G -> R) K K' : (0 < G)%N -> 0 < K <= K' -> K' <= 1 -> quantile K x <= quantile K' x.
Proof.
move=> G0 [K0 KK] K1; have g := INR_pos G0.
have hK : 0 < K <= 1 by lra. have hK' : 0 < K' <= 1 by lra.
rewrite (quantile_order_stat x G0 hK).2 (quantile_order_stat x G0 hK').2.
have /andP[c0 _] := rank_bounds G0 hK; have /andP[_ c1] := rank_bounds G0 hK'.
apply: order_stat_mono => //; rewrite c0 /=; apply/ceil_le_iff; first by nra.
apply: (Rle_trans _ (K' * INR G)); first by nra.
by apply: le_ceil; nra.
Qed.

(** In every group, whatever its rewards, the share of positive advantages is non-increasing in K and the share of
    negative ones non-decreasing. *)
Theorem k_shares : forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K K' : R),
  (0 < G)%N -> 0 <= eps -> 0 < K <= K' -> K' <= 1 ->
  share (Rltb 0) (qae k eps K' x) <= share (Rltb 0) (qae k eps K x)
  /\ share (fun a => Rltb a 0) (qae k eps K x) <= share (fun a => Rltb a 0) (qae k eps K' x).
Proof.
move=> G x k eps K K' G0 e0 KK K1; have le := quantile_mono x G0 KK K1.
have hK : 0 < K <= 1 by lra. have hK' : 0 < K' <= 1 by lra.
split; apply: share_le => i; rewrite ?qae_gt0 ?qae_lt0 // => /RltbP h; apply/RltbP; lra.
Qed.

(** For any rewards at most ceil(K G) - 1 advantages are negative and at most G - ceil(K G) are positive; if the rewards
    are distinct there are exactly so many, and exactly one advantage is zero. *)
Theorem sparsity_any_reward : forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  (0 < G)%N -> 0 < K <= 1 -> 0 <= eps ->
  let zero := #|[pred i | Reqb (qae k eps K x i) 0]| in
  let negative := #|[pred i | Rltb (qae k eps K x i) 0]| in
  let positive := #|[pred i | Rltb 0 (qae k eps K x i)]| in
  (negative <= (ceil (K * INR G)).-1)%N /\ (positive <= G - ceil (K * INR G))%N
  /\ (injective x ->
      zero = 1%N /\ negative = (ceil (K * INR G)).-1 /\ positive = (G - ceil (K * INR G))%N).
Proof.
move=> G x k eps K G0 hK e0 zero negative positive; have hj := rank_bounds G0 hK; have [j0 jG] := andP hj.
have q := (quantile_order_stat x G0 hK).2.
have zE : zero = #|[pred i | Reqb (x i) (quantile K x)]|.
  by apply: eq_card => i; rewrite !inE -(qae_eq0 x k G0 hK e0); apply/ReqbP/ReqbP.
have nE : negative = #|[pred i | Rltb (x i) (quantile K x)]|.
  by apply: eq_card => i; rewrite !inE qae_lt0.
have pE : positive = #|[pred i | Rltb (quantile K x) (x i)]|.
  by apply: eq_card => i; rewrite !inE qae_gt0.
have neg : (negative <= (ceil (K * INR G)).-1)%N.
  by rewrite nE q -ltnS prednK //; apply: count_below_order_stat.
have pos : (positive <= G - ceil (K * INR G))%N by rewrite pE q; apply: count_above_order_stat.
split=> //; split=> // inj.
have one : zero = 1%N.
  rewrite zE; have [_ [_ [i e]]] := eq4_left_inverse_attained x G0 hK.
  rewrite (eq_card (B := pred1 i)) ?card1 // => l; rewrite !inE e.
  by apply/ReqbP/eqP => [/inj|->].
have all : (negative + (zero + positive) = G)%N.
  apply: INR_eq; rewrite !INR_add nE zE pE -!sum_bit_count -!sum_add -[RHS]Rmult_1_r -sum_const_ord.
  apply: eq_bigr => i _; rewrite /bit; case: RltbP => h1; case: ReqbP => h2; case: RltbP => h3; lra.
have tot : ((ceil (K * INR G)).-1 + (1 + (G - ceil (K * INR G))) = G)%N.
  by rewrite addnA addn1 prednK // subnKC.
split=> //; move: all; rewrite one -[in RHS]tot => all; split; apply/eqP; rewrite eqn_leq ?neg ?pos /=.
  rewrite -(leq_add2r (1 + (G - ceil (K * INR G)))) -all leq_add2l leq_add2l; exact: pos.
rewrite -(leq_add2l 1) -(leq_add2l (ceil (K * INR G)).-1) -all leq_add2r; exact: neg.
Qed.
