(** How many advantages QAE sets to zero, per group and averaged over groups (claims k-shares, sparsity-any-reward,
    sparsity-formula, sparsity-80, sparsity-monotone and sparsity-some-k).

    The share of zero advantages is written [share (Reqb 0)], that of positive ones [share (Rltb 0)]. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Gate ListedGroups.

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

(** * Binary groups *)

Lemma zero_share_binary G (x : 'I_G -> R) k eps K : (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x ->
  share (Reqb 0) (qae k eps K x) = if hard K x then 1 - success_rate x else success_rate x.
Proof.
move=> G0 hK e0 bin; have g := INR_pos G0.
have zeros b : quantile K x = b -> share (Reqb 0) (qae k eps K x) = INR #|[pred i | Reqb (x i) b]| / INR G.
  by move=> q; congr (INR _ / _); apply: eq_card => i; rewrite !inE qae_eq0 // q.
have := quantile_binary bin G0 hK; case: hard => /zeros -> //.
rewrite num_wrong // INR_sub ?num_correct_le // success_rate_num //; field; lra.
Qed.

Lemma share_not G (P : pred R) (a : 'I_G -> R) : (0 < G)%N -> share (fun u => ~~ P u) a = 1 - share P a.
Proof.
move=> /INR_pos g; rewrite /share.
have : INR #|[pred i | P (a i)]| + INR #|[pred i | ~~ P (a i)]| = INR G.
  by rewrite -INR_add; congr INR; rewrite -[RHS]card_ord -(cardC [pred i | P (a i)]).
set u := INR #|[pred i | P (a i)]|; set w := INR _ => e.
by rewrite (_ : w = INR G - u); [field; lra | lra].
Qed.

Lemma nonzero_share_binary G (x : 'I_G -> R) k eps K : (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x ->
  share (fun a => ~~ Reqb 0 a) (qae k eps K x) = if hard K x then success_rate x else 1 - success_rate x.
Proof. by move=> G0 hK e0 bin; rewrite share_not // zero_share_binary //; case: hard; ring. Qed.

(** The share of zero advantages is 1 - p in a hard group of success rate p and p in an easy one. (In particular in a
    mixed group; a degenerate group has zeros only, and there the formula gives 1.) *)
Theorem sparsity_formula : forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x ->
  (hard K x -> share (Reqb 0) (qae k eps K x) = 1 - success_rate x)
  /\ (~~ hard K x -> share (Reqb 0) (qae k eps K x) = success_rate x).
Proof. by move=> G x k eps K G0 hK e0 bin; rewrite zero_share_binary //; case: hard. Qed.

(** * Averages over groups *)

(** Under a uniform success probability every number of correct responses is equally likely: integration by parts moves
    from m to m + 1. *)
Lemma binomial_integral N m : (m <= N)%N -> is_RInt (fun p => binomial_law N p m) 0 1 (/ INR N.+1).
Proof.
move=> mN; rewrite -(subnKC mN); move: (N - m)%N => k {N mN}.
elim: k m => [|k IH] m.
  have c : 0 < INR m.+1 by apply: INR_pos.
  rewrite addn0; apply: (is_RInt_ext (fun p => p ^ m)) => [p _|].
    by rewrite /binomial_law binn subnn /=; ring.
  have -> : / INR m.+1 = 1 ^ m.+1 / INR m.+1 - 0 ^ m.+1 / INR m.+1 by rewrite pow1 pow_i; [field; lra | lia].
  apply: (is_RInt_derive (fun p => p ^ m.+1 / INR m.+1)) => p _.
    apply: derive_eq; first by apply: derive_mul; [apply: is_derive_pow; apply: derive_id | apply: derive_const].
    by rewrite /=; field; rewrite -/(INR m.+1); lra.
  by apply: ex_derive_continuous; auto_derive.
have c : 0 < INR m.+1 by apply: INR_pos.
have := IH m.+1; rewrite addSnnS; set N := (m + k.+1)%N => IH1.
have Nm : (N - m)%N = k.+1 by rewrite /N addKn.
have Nm1 : (N - m.+1)%N = k by rewrite subnS Nm.
have pascal : INR m.+1 * INR 'C(N, m.+1) = INR k.+1 * INR 'C(N, m) by rewrite -!INR_mul mul_bin_left Nm.
have diff : is_RInt (fun p => binomial_law N p m - binomial_law N p m.+1) 0 1 0.
  pose F p := INR 'C(N, m) / INR m.+1 * (p ^ m.+1 * (1 - p) ^ k.+1).
  rewrite [X in is_RInt _ _ _ X](_ : 0 = F 1 - F 0); last by rewrite /F /=; ring.
  apply: (is_RInt_derive F) => p _.
    rewrite /F; apply: derive_eq.
      apply: derive_scale; apply: derive_mul; apply: is_derive_pow; first exact: derive_id.
      by apply: derive_sub; [apply: derive_const | apply: derive_id].
    rewrite /binomial_law Nm Nm1 [Nat.pred m.+1]/= [Nat.pred k.+1]/=.
    have -> : INR 'C(N, m.+1) = INR k.+1 * INR 'C(N, m) / INR m.+1 by rewrite -pascal; field; lra.
    by move: c; move: (INR m.+1) (INR k.+1) => a b c; rewrite -!tech_pow_Rmult; field; lra.
  by apply: ex_derive_continuous; rewrite /binomial_law; auto_derive.
apply: (is_RInt_ext (fun p => plus (binomial_law N p m - binomial_law N p m.+1) (binomial_law N p m.+1))) => [p _|].
  by rewrite /plus /=; ring.
by rewrite -[/ INR N.+1]Rplus_0_l; apply: (is_RInt_plus _ _ _ _ _ _ diff IH1).
Qed.

(** A group with at least one correct and one wrong response, m + 1 of its G ones: the uniform distribution over mixed
    groups averages over m. *)
Section Uniform.
Variables (G : nat) (k : divisor) (eps K : R).
Hypotheses (G1 : (1 < G)%N) (hK : 0 < K < 1) (e0 : 0 <= eps).
Let c := (G - ceil (K * INR G))%N.
Let G0 : (0 < G)%N. Proof. exact: ltnW. Qed.
Let hK' : 0 < K <= 1. Proof. by lra. Qed.

Lemma hard_first m : (m <= G)%N -> hard K (fun i : 'I_G => bit (i < m)%N) = (m <= c)%N.
Proof.
move=> mG; rewrite hard_integers // num_correct_first // /c.
have /andP[_ cG] := rank_bounds G0 hK'.
by rewrite -(leq_add2r m) subnK // -(leq_add2l (ceil (K * INR G)) m) subnKC.
Qed.

Lemma zero_share_first m : (m <= G)%N ->
  share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m)%N))
  = if (m <= c)%N then 1 - INR m / INR G else INR m / INR G.
Proof.
by move=> mG; rewrite zero_share_binary // ?hard_first // ?success_rate_first //; apply: binary_first.
Qed.

Lemma sum_split_rank n : \sum_(m < n) (if (m < c)%N then 1 - INR m.+1 / INR G else INR m.+1 / INR G)
  = INR (minn n c) - INR (minn n c) * (INR (minn n c) + 1) / INR G + INR n * (INR n + 1) / (2 * INR G).
Proof.
have g := INR_pos G0; elim: n => [|n IH]; first by rewrite big_ord0 min0n /=; field; lra.
rewrite big_ord_recr /= IH -/(INR n.+1); case: (ltnP n c) => h.
  by rewrite (minn_idPl h) S_INR; field; lra.
by rewrite (minn_idPr (leqW h)) S_INR; field; lra.
Qed.

(** The number of hard ranks lies in (G (1 - K) - 1, G (1 - K)], and is at most G - 1. *)
Lemma hard_ranks : (c <= G.-1)%N /\ INR G * (1 - K) - 1 < INR c <= INR G * (1 - K).
Proof.
have g := INR_pos G0; have /andP[r0 rG] := rank_bounds G0 hK'; split.
  by rewrite /c -subn1; apply: leq_sub2l.
rewrite /c INR_sub //; have v0 : 0 < K * INR G by nra.
by have := le_ceil (Rlt_le _ _ v0); have := ceil_lt v0; lra.
Qed.

Lemma uniform_sum : \sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))
  = INR c - INR c * (INR c + 1) / INR G + (INR G - 1) / 2.
Proof.
have [cG _] := hard_ranks; have g := INR_pos G0.
rewrite (eq_bigr (fun m : 'I_G.-1 => if (m < c)%N then 1 - INR m.+1 / INR G else INR m.+1 / INR G)) => [|m _].
  have e : INR G.-1 = INR G - 1 by rewrite -subn1 INR_sub.
  by rewrite sum_split_rank (minn_idPr cG) e; field; lra.
by rewrite zero_share_first //; have := ltn_ord m => h; apply: leq_trans h (leq_pred _).
Qed.

Lemma uniform_mean : (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1
  = 1 / 2 + INR c * (INR G - 1 - INR c) / (INR G * (INR G - 1)).
Proof.
have g1 : 1 < INR G by have := INR_ltn G1.
rewrite uniform_sum (_ : INR G.-1 = INR G - 1); first by field; lra.
by rewrite -subn1 INR_sub.
Qed.

Lemma uniform_mean_lt : (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1
  < 3 / 4.
Proof.
have g1 : 1 < INR G by have := INR_ltn G1.
rewrite uniform_mean; suff : INR c * (INR G - 1 - INR c) / (INR G * (INR G - 1)) < 1 / 4 by lra.
apply: (Rmult_lt_reg_r (INR G * (INR G - 1))); first by nra.
rewrite (_ : INR c * _ / _ * _ = INR c * (INR G - 1 - INR c)); last by field; lra.
by have := pow2_ge_0 (INR G - 1 - 2 * INR c); nra.
Qed.

Lemma uniform_mean_near :
  Rabs ((\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1
        - (1 - ((1 - K) ^ 2 + K ^ 2) / 2)) <= 3 / (INR G - 1).
Proof.
have g1 : 1 < INR G by have := INR_ltn G1.
have [_ [lo hi]] := hard_ranks; rewrite uniform_mean; set g := INR G in g1 lo hi *.
set t := g * (1 - K) - INR c.
have -> : INR c = g * (1 - K) - t by rewrite /t; ring.
have t01 : 0 <= t < 1 by rewrite /t; lra.
have -> : 1 / 2 + (g * (1 - K) - t) * (g - 1 - (g * (1 - K) - t)) / (g * (g - 1)) - (1 - ((1 - K) ^ 2 + K ^ 2) / 2)
  = ((1 - K) * (t - 1 + K) - t * K + t * (1 - t) / g) / (g - 1) by field; lra.
rewrite /Rdiv Rabs_mult [Rabs (/ _)]Rabs_pos_eq; last by apply: Rlt_le; apply: Rinv_0_lt_compat; lra.
apply: Rmult_le_compat_r; first by apply: Rlt_le; apply: Rinv_0_lt_compat; lra.
have h : 0 <= t * (1 - t) * / g <= 1.
  have i0 : 0 < / g by apply: Rinv_0_lt_compat; lra.
  have i1 : / g <= 1 by rewrite -Rinv_1; apply: Rinv_le_contravar; lra.
  by split; [apply: Rmult_le_pos; nra | nra].
by apply: Rabs_le; split; nra.
Qed.
End Uniform.

(** The uniform average over mixed groups tends to the average over a uniform success probability. *)
Lemma uniform_limit k eps K : 0 < K < 1 -> 0 <= eps ->
  is_lim_seq (fun G => (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1)
    (1 - ((1 - K) ^ 2 + K ^ 2) / 2).
Proof.
move=> hK e0; apply/is_lim_seq_spec => tol; have t0 := cond_pos tol.
exists (ceil (3 / tol)).+3 => G le; have G1 : (1 < G)%N by apply/ltP; lia.
apply: Rle_lt_trans (uniform_mean_near k G1 hK e0) _.
have v0 : 0 <= 3 / tol by apply: Rdiv_le_0_compat; lra.
have g : INR (ceil (3 / tol)) + 3 <= INR G by have := le_INR _ _ le; rewrite !S_INR; lra.
have up := le_ceil v0; have pos : 0 < INR G - 1 by lra.
apply: (Rmult_lt_reg_r (INR G - 1)) => //; rewrite (_ : 3 / _ * _ = 3); last by field; lra.
have : 3 / tol * tol = 3 by field; lra.
by nra.
Qed.

Lemma sum_ends (F : nat -> R) n : (0 < n)%N -> \sum_(m < n.+1) F m = F 0%N + \sum_(m < n.-1) F m.+1 + F n.
Proof. by case: n => // n _; rewrite big_ord_recl big_ord_recr /= Rplus_assoc. Qed.

(** All groups of G, the two degenerate ones included. *)
Lemma uniform_all G k eps K : (1 < G)%N -> 0 < K < 1 -> 0 <= eps ->
  \sum_(m < G.+1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m)%N))
  = 2 + \sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N)).
Proof.
move=> G1 hK e0; have G0 := ltnW G1; have g := INR_pos G0.
have [cG _] := hard_ranks G1 hK.
rewrite (sum_ends (fun m => share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m)%N))) G0).
rewrite !zero_share_first // leq0n leqNgt (leq_ltn_trans cG) ?ltn_predL //=.
by rewrite (_ : INR G / INR G = 1); [rewrite /Rdiv Rmult_0_l; ring | field; lra].
Qed.

(** "About 80% zeros" is no property of K. In a mixed group of two the share of zeros is 1/2 at every K; at K = 2/5 and
    G = 16 it runs from 7/16 at nine correct responses to 15/16 at one. If the success probability is uniform on (0, 1)
    then every number of correct responses is equally likely; averaged over the mixed groups the share of zeros is
    below 3/4 at every K and G and tends to 1 - ((1 - K)^2 + K^2)/2, which is at most 3/4 and .74 at K = 2/5; counting
    degenerate groups as zeros it is 103/136 at G = 16 and 4/5 at G = 4, both at K = 2/5. A distribution reaches 80% at
    K iff the mean of p over its hard and of 1 - p over its easy groups is at most 1/5; if all groups are hard, iff at
    most one response in five is correct; if half of them have success rate d <= 1 - K and half 1 - d above 1 - K, iff
    d <= 1/5. *)
Theorem sparsity_80 :
  ~ (exists K : R, 0 < K < 1 /\
       forall (Q : finType) (q : Q -> R) (G : Q -> nat) (x : forall a, 'I_(G a) -> R) (k : divisor) (eps : R),
       law q -> 0 <= eps -> (forall a, binary (x a)) -> (forall a, ~~ degenerate (x a)) ->
       4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a))))
  /\ (forall (x : 'I_2 -> R) (k : divisor) (eps K : R), 0 < K < 1 -> 0 <= eps -> binary x -> ~~ degenerate x ->
       share (Reqb 0) (qae k eps K x) = 1 / 2)
  /\ (forall (x : 'I_16 -> R) (k : divisor) (eps : R), 0 <= eps -> binary x ->
       (num_correct x = 9%N -> share (Reqb 0) (qae k eps (2 / 5) x) = 7 / 16)
       /\ (num_correct x = 1%N -> share (Reqb 0) (qae k eps (2 / 5) x) = 15 / 16))
  /\ (forall G m : nat, (m <= G)%N -> is_RInt (fun p => binomial_law G p m) 0 1 (/ INR G.+1))
  /\ (forall (G : nat) (k : divisor) (eps K : R), (1 < G)%N -> 0 < K < 1 -> 0 <= eps ->
       (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1 < 3 / 4)
  /\ (forall (k : divisor) (eps K : R), 0 < K < 1 -> 0 <= eps ->
       is_lim_seq
         (fun G => (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1)
         (1 - ((1 - K) ^ 2 + K ^ 2) / 2)
       /\ 1 - ((1 - K) ^ 2 + K ^ 2) / 2 <= 3 / 4)
  /\ 1 - ((1 - 2 / 5) ^ 2 + (2 / 5) ^ 2) / 2 = 74 / 100
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       (\sum_(m < 17) share (Reqb 0) (qae k eps (2 / 5) (fun i : 'I_16 => bit (i < m)%N))) / 17 = 103 / 136
       /\ (\sum_(m < 5) share (Reqb 0) (qae k eps (2 / 5) (fun i : 'I_4 => bit (i < m)%N))) / 5 = 4 / 5)
  /\ (forall (Q : finType) (q : Q -> R) (G : Q -> nat) (x : forall a, 'I_(G a) -> R) (k : divisor) (eps K : R),
       law q -> 0 < K < 1 -> 0 <= eps -> (forall a, (0 < G a)%N) -> (forall a, binary (x a)) ->
       (4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
        <-> mean q (fun a => if hard K (x a) then success_rate (x a) else 1 - success_rate (x a)) <= 1 / 5)
       /\ ((forall a, hard K (x a)) ->
           (4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
            <-> mean q (fun a => success_rate (x a)) <= 1 / 5)))
  /\ (forall (G : nat) (x x' : 'I_G -> R) (k : divisor) (eps K d : R), (0 < G)%N -> 0 < K < 1 -> 0 <= eps ->
       binary x -> binary x' -> success_rate x = d -> success_rate x' = 1 - d -> d <= 1 - K < 1 - d ->
       (4 / 5 <= (share (Reqb 0) (qae k eps K x) + share (Reqb 0) (qae k eps K x')) / 2 <-> d <= 1 / 5)).
Proof.
have two (x : 'I_2 -> R) (k : divisor) (eps K : R) : 0 < K < 1 -> 0 <= eps -> binary x -> ~~ degenerate x ->
       share (Reqb 0) (qae k eps K x) = 1 / 2.
  move=> hK e0 bin; rewrite mixed_binary // => /andP[m0 m2]; rewrite zero_share_binary //; last by lra.
  have -> : success_rate x = 1 / 2.
    by rewrite /success_rate (_ : num_correct x = 1%N) //; apply/eqP; rewrite eqn_leq m0 -ltnS m2.
  by case: hard; field.
have sets (Q : finType) (q : Q -> R) (G : Q -> nat) (x : forall a, 'I_(G a) -> R) (k : divisor) (eps K : R) :
    law q -> 0 < K < 1 -> 0 <= eps -> (forall a, (0 < G a)%N) -> (forall a, binary (x a)) ->
    mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
    = 1 - mean q (fun a => if hard K (x a) then success_rate (x a) else 1 - success_rate (x a)).
  move=> [_ one] hK e0 G0 bin; rewrite -{1}(mean_const 1 one) -mean_sub; apply: mean_ext => a.
  by rewrite zero_share_binary //; [case: hard; ring | lra].
split.
  move=> [K [hK claim]]; have e0 : 0 <= 0 by lra.
  have mixed : ~~ degenerate (fun i : 'I_2 => bit (i < 1)%N) by apply: mixed_first.
  have one : law (fun _ : [finType of unit] => 1).
    by split=> [_|]; [lra | rewrite sum_const_all card_unit /=; ring].
  have := claim [finType of unit] _ (fun _ => 2%N) (fun _ i => bit (i < 1)%N) Population 0 one e0
    (fun _ => @binary_first 2 1) (fun _ => mixed).
  rewrite (mean_ext _ (h := fun _ => 1 / 2)) => [|_]; last by apply: two => //; apply: binary_first.
  by rewrite mean_const; [lra | case: one].
split=> //; split.
  move=> x k eps e0 bin; rewrite zero_share_binary //; last by lra.
  by split=> m; rewrite /hard /success_rate m Rleb_true !INR_IZR_INZ /=; field || lra.
split; first exact: binomial_integral.
split; first by move=> G k eps K; apply: uniform_mean_lt.
split.
  move=> k eps K hK e0; split; first exact: uniform_limit.
  by have := pow2_ge_0 (K - 1 / 2); lra.
split; first by field.
split.
  move=> k eps e0; have hK : 0 < 2 / 5 < 1 by lra.
  rewrite !uniform_all // !uniform_sum //.
  have -> : ceil (2 / 5 * INR 16) = 7%N by apply: ceil_unique; rewrite !INR_IZR_INZ /=; lra.
  have -> : ceil (2 / 5 * INR 4) = 2%N by apply: ceil_unique; rewrite !INR_IZR_INZ /=; lra.
  by rewrite !INR_IZR_INZ /=; split; field.
split.
  move=> Q q G x k eps K hq hK e0 G0 bin; rewrite (sets Q q G x) //; split; first by lra.
  by move=> hd; rewrite (mean_ext _ (h := fun a => success_rate (x a))) => [|a]; [lra | rewrite hd].
move=> G x x' k eps K d G0 hK e0 bin bin' d1 d2 hd; have hK' : 0 < K <= 1 by lra.
rewrite !zero_share_binary // /hard d1 d2 Rleb_true ?Rleb_false; lra.
Qed.

(** "Larger K, fewer non-zero advantages" fails: in one group of success rate p the share of non-zero advantages is p
    for K <= 1 - p and 1 - p beyond, so that for p = 3/10 it jumps from 3/10 to 7/10 as K passes 7/10. Over a
    distribution of groups that is symmetric about 1/2, and has no tie p = 1 - K, the share of zeros is the same at K
    and at 1 - K. With ties it is not: for G = 4, one to three correct responses with equal probabilities, it is 1/2 at
    K = 1/4 and 2/3 at K = 3/4, because a tie counts as hard on both sides. *)
Theorem sparsity_monotone :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K K' : R),
       (0 < G)%N -> 0 <= eps -> binary x -> ~~ degenerate x -> 0 < K <= K' -> K' < 1 ->
       share (fun a => ~~ Reqb 0 a) (qae k eps K' x) <= share (fun a => ~~ Reqb 0 a) (qae k eps K x))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
       (0 < G)%N -> 0 <= eps -> binary x -> 0 < K <= 1 ->
       (K <= 1 - success_rate x -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = success_rate x)
       /\ (1 - success_rate x < K -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 1 - success_rate x))
  /\ (forall (x : 'I_10 -> R) (k : divisor) (eps K : R), 0 <= eps -> binary x -> num_correct x = 3%N -> 0 < K <= 1 ->
       (K <= 7 / 10 -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 3 / 10)
       /\ (7 / 10 < K -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 7 / 10))
  /\ (forall (Q : finType) (q : Q -> R) (s : Q -> Q) (G : Q -> nat) (x : forall a, 'I_(G a) -> R)
        (k : divisor) (eps K : R),
       0 < K < 1 -> 0 <= eps -> (forall a, (0 < G a)%N) -> (forall a, binary (x a)) -> injective s ->
       (forall a, q (s a) = q a /\ success_rate (x (s a)) = 1 - success_rate (x a)) ->
       (forall a, success_rate (x a) <> 1 - K) ->
       mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
       = mean q (fun a => share (Reqb 0) (qae k eps (1 - K) (x a))))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       (\sum_(m < 3) share (Reqb 0) (qae k eps (1 / 4) (fun i : 'I_4 => bit (i < m.+1)%N))) / 3 = 1 / 2
       /\ (\sum_(m < 3) share (Reqb 0) (qae k eps (3 / 4) (fun i : 'I_4 => bit (i < m.+1)%N))) / 3 = 2 / 3).
Proof.
have jump (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) :
       (0 < G)%N -> 0 <= eps -> binary x -> 0 < K <= 1 ->
       (K <= 1 - success_rate x -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = success_rate x)
       /\ (1 - success_rate x < K -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 1 - success_rate x).
  move=> G0 e0 bin hK; rewrite nonzero_share_binary // /hard.
  by split=> h; [rewrite Rleb_true | rewrite Rleb_false]; lra.
have ten (x : 'I_10 -> R) (k : divisor) (eps K : R) : 0 <= eps -> binary x -> num_correct x = 3%N -> 0 < K <= 1 ->
       (K <= 7 / 10 -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 3 / 10)
       /\ (7 / 10 < K -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 7 / 10).
  move=> e0 bin m hK; have [lo hi] := jump 10%N x k eps K isT e0 bin hK.
  have p : success_rate x = 3 / 10 by rewrite /success_rate m !INR_IZR_INZ.
  by rewrite p in lo hi; split=> h; [apply: lo | rewrite hi]; lra.
split.
  move=> claim; have e0 : 0 <= 0 by lra.
  have m3 : num_correct (fun i : 'I_10 => bit (i < 3)%N) = 3%N by apply: num_correct_first.
  have a1 : 0 < 7 / 10 <= 1 by lra. have a2 : 0 < 8 / 10 <= 1 by lra.
  have [lo _] := ten _ Population 0 (7 / 10) e0 (@binary_first 10 3) m3 a1.
  have [_ hi] := ten _ Population 0 (8 / 10) e0 (@binary_first 10 3) m3 a2.
  have := claim 10%N (fun i => bit (i < 3)%N) Population 0 (7 / 10) (8 / 10) isT e0 (@binary_first 10 3).
  by rewrite lo ?hi; try lra; move=> /(_ (@mixed_first 10 3 isT)); lra.
split=> //; split=> //; split; last first.
  move=> k eps e0; have h1 : 0 < 1 / 4 < 1 by lra. have h3 : 0 < 3 / 4 < 1 by lra.
  have -> : \sum_(m < 3) share (Reqb 0) (qae k eps (1 / 4) (fun i : 'I_4 => bit (i < m.+1)%N)) = 3 / 2.
    rewrite (uniform_sum (G := 4) k isT h1 e0) (_ : ceil (1 / 4 * INR 4) = 1%N); first by rewrite /=; field.
    by apply: ceil_unique; rewrite /=; lra.
  have -> : \sum_(m < 3) share (Reqb 0) (qae k eps (3 / 4) (fun i : 'I_4 => bit (i < m.+1)%N)) = 2.
    rewrite (uniform_sum (G := 4) k isT h3 e0) (_ : ceil (3 / 4 * INR 4) = 3%N); first by rewrite /=; field.
    by apply: ceil_unique; rewrite /=; lra.
  by split; field.
move=> Q q s G x k eps K hK e0 G0 bin inj mirror no_tie.
have hK1 : 0 < K <= 1 by lra. have hK2 : 0 < 1 - K <= 1 by lra.
rewrite /mean (reindex_inj inj); apply: eq_bigr => a _; have [-> p] := mirror a; congr (_ * _).
rewrite !zero_share_binary // /hard p; have t := no_tie (s a); rewrite p in t.
by case: RlebP => h; case: RlebP => h'; lra.
Qed.

(** The average share of zeros over the groups reaches 80% at some K iff the mean of min(p, 1 - p) is at most 1/5. In
    every group the share of non-zero advantages is non-increasing in K up to 1/2 and non-decreasing from there, so
    that K = 1/2 is the sparsest level, with a share of min(p, 1 - p) that is not zero. The condition can fail: under a
    uniform distribution over mixed groups, at every G, no K reaches 80%. *)
Theorem sparsity_some_k :
  (forall (Q : finType) (q : Q -> R) (G : Q -> nat) (x : forall a, 'I_(G a) -> R) (k : divisor) (eps : R),
     law q -> 0 <= eps -> (forall a, (0 < G a)%N) -> (forall a, binary (x a)) ->
     ((exists K, 0 < K < 1 /\ 4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a))))
      <-> mean q (fun a => Rmin (success_rate (x a)) (1 - success_rate (x a))) <= 1 / 5)
     /\ (forall K, 0 < K < 1 ->
         mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
         <= mean q (fun a => share (Reqb 0) (qae k eps (1 / 2) (x a)))))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps : R), (0 < G)%N -> 0 <= eps -> binary x ->
     share (fun a => ~~ Reqb 0 a) (qae k eps (1 / 2) x) = Rmin (success_rate x) (1 - success_rate x)
     /\ (forall K K', 0 < K <= K' -> K' <= 1 / 2 ->
         share (fun a => ~~ Reqb 0 a) (qae k eps K' x) <= share (fun a => ~~ Reqb 0 a) (qae k eps K x))
     /\ (forall K K', 1 / 2 <= K <= K' -> K' < 1 ->
         share (fun a => ~~ Reqb 0 a) (qae k eps K x) <= share (fun a => ~~ Reqb 0 a) (qae k eps K' x)))
  /\ (forall G : nat, (1 < G)%N ->
     1 / 5 < (\sum_(m < G.-1) Rmin (success_rate (fun i : 'I_G => bit (i < m.+1)%N))
                                   (1 - success_rate (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1
     /\ forall (k : divisor) (eps K : R), 0 < K < 1 -> 0 <= eps ->
        (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1 < 4 / 5).
Proof.
have min_share (G : nat) (x : 'I_G -> R) (k : divisor) (eps : R) : (0 < G)%N -> 0 <= eps -> binary x ->
    share (fun a => ~~ Reqb 0 a) (qae k eps (1 / 2) x) = Rmin (success_rate x) (1 - success_rate x).
  move=> G0 e0 bin; rewrite nonzero_share_binary //; last by lra.
  by rewrite /hard /Rmin; case: RlebP => h; case: Rle_dec => h'; lra.
have sparsest (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) : (0 < G)%N -> 0 < K < 1 -> 0 <= eps -> binary x ->
    share (Reqb 0) (qae k eps K x) <= 1 - Rmin (success_rate x) (1 - success_rate x).
  move=> G0 hK e0 bin; rewrite zero_share_binary //; last by lra.
  have := Rmin_l (success_rate x) (1 - success_rate x); have := Rmin_r (success_rate x) (1 - success_rate x).
  by case: hard; lra.
have at_half (G : nat) (x : 'I_G -> R) (k : divisor) (eps : R) : (0 < G)%N -> 0 <= eps -> binary x ->
    share (Reqb 0) (qae k eps (1 / 2) x) = 1 - Rmin (success_rate x) (1 - success_rate x).
  by move=> G0 e0 bin; rewrite -(min_share _ _ k eps) // share_not //; ring.
split.
  move=> Q q G x k eps hq e0 G0 bin; have [pos one] := hq.
  have below K : 0 < K < 1 -> mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
      <= mean q (fun a => share (Reqb 0) (qae k eps (1 / 2) (x a))).
    by move=> hK; apply: mean_le => // a; rewrite at_half //; apply: sparsest.
  have half : mean q (fun a => share (Reqb 0) (qae k eps (1 / 2) (x a)))
      = 1 - mean q (fun a => Rmin (success_rate (x a)) (1 - success_rate (x a))).
    by rewrite -[X in X - _](mean_const 1 one) -mean_sub; apply: mean_ext => a; rewrite at_half.
  split=> //; split=> [[K [hK h]]|h]; first by have := below K hK; lra.
  by exists (1 / 2); split; lra.
split.
  move=> G x k eps G0 e0 bin; split; first exact: min_share.
  split=> K K' [h1 h2] h3; rewrite !nonzero_share_binary //; try lra.
    by rewrite /hard; case: RlebP => a; case: RlebP => b; lra.
  by rewrite /hard; case: RlebP => a; case: RlebP => b; lra.
move=> G G1; have G0 := ltnW G1; have half : 0 < 1 / 2 < 1 by lra. have e0 : 0 <= 0 by lra.
have g1 : 0 < INR G.-1 by apply: INR_pos; rewrite -subn1 subn_gt0.
split; last by move=> k eps K hK eps0; have := uniform_mean_lt k G1 hK eps0; lra.
have := uniform_mean_lt Population G1 half e0.
rewrite (eq_bigr (fun m : 'I_G.-1 => 1 - Rmin (success_rate (fun i : 'I_G => bit (i < m.+1)%N))
  (1 - success_rate (fun i : 'I_G => bit (i < m.+1)%N)))) => [|m _].
  rewrite sum_sub sum_const_ord; set s := \sum_(m < _) _.
  by rewrite (_ : (INR G.-1 * 1 - s) / INR G.-1 = 1 - s / INR G.-1); [lra | field; lra].
by apply: at_half => //; apply: binary_first.
Qed.
