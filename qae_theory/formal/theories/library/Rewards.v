(** Facts about the rewards of one group: order statistics, the quantile, binary rewards, standard deviations.

    The main results are [order_stat_le_iff] (the j-th smallest reward is at most w iff at least j rewards are),
    [cdf_ge_iff], [order_stat_binary], [std_population_binary], [std_gt0] and [degenerate_binary]. *)

From QAE Require Import Compat Definitions Sums.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Rounding *)

Lemma ceil_le_iff v n : 0 <= v -> (ceil v <= n)%N <-> v <= INR n.
Proof.
move=> v0; have z0 : (0 <= Raux.Zceil v)%Z.
  by apply: le_IZR; apply: Rle_trans v0 (Raux.Zceil_ub v).
split=> h.
  apply: Rle_trans (Raux.Zceil_ub v) _; rewrite INR_IZR_INZ; apply: IZR_le.
  by move/leP: h; rewrite /ceil; lia.
have : (Raux.Zceil v <= Z.of_nat n)%Z by apply: Raux.Zceil_glb; rewrite -INR_IZR_INZ.
by move=> h'; apply/leP; rewrite /ceil; lia.
Qed.

Lemma le_floor_iff v n : 0 <= v -> (n <= floor v)%N <-> INR n <= v.
Proof.
move=> v0; have z0 : (0 <= Raux.Zfloor v)%Z by apply: Raux.Zfloor_lub.
split=> h.
  apply: Rle_trans (Raux.Zfloor_lb v); rewrite INR_IZR_INZ; apply: IZR_le.
  by move/leP: h; rewrite /floor; lia.
have : (Z.of_nat n <= Raux.Zfloor v)%Z by apply: Raux.Zfloor_lub; rewrite -INR_IZR_INZ.
by move=> h'; apply/leP; rewrite /floor; lia.
Qed.

Lemma le_ceil v : 0 <= v -> v <= INR (ceil v).
Proof. by move=> v0; apply/(ceil_le_iff _ v0). Qed.

Lemma floor_le v : 0 <= v -> INR (floor v) <= v.
Proof. by move=> v0; apply/(le_floor_iff _ v0). Qed.

Lemma ceil_lt v : 0 < v -> INR (ceil v) < v + 1.
Proof.
move=> v0; case E: (ceil v) => [|n]; first by rewrite /=; lra.
rewrite S_INR; suff : ~ v <= INR n by lra.
by move/(ceil_le_iff n (Rlt_le _ _ v0)); rewrite E ltnn.
Qed.

Lemma lt_floor v : 0 <= v -> v < INR (floor v) + 1.
Proof.
move=> v0; rewrite -S_INR; suff : ~ INR (floor v).+1 <= v by lra.
by move/(le_floor_iff _ v0); rewrite ltnn.
Qed.

Lemma ceil_unique v n : INR n - 1 < v <= INR n -> 0 <= v -> ceil v = n.
Proof.
move=> [lo hi] v0; apply/eqP; rewrite eqn_leq (proj2 (ceil_le_iff n v0) hi) /=.
by apply: INR_leq_inv; have := le_ceil v0 => h; apply: Rnot_lt_le => /INR_ltn_inv;
   move/INR_leq; rewrite S_INR; lra.
Qed.

Lemma floor_unique v n : INR n <= v < INR n + 1 -> floor v = n.
Proof.
move=> [lo hi]; have v0 : 0 <= v by have := pos_INR n; lra.
apply/eqP; rewrite eqn_leq (proj2 (le_floor_iff n v0) lo) andbT.
by have := floor_le v0; rewrite leqNgt => h; apply/negP => /INR_leq; rewrite S_INR; lra.
Qed.

(** The rank ceil(K G) of the K-quantile lies between 1 and G. *)
Lemma rank_bounds G K : (0 < G)%N -> 0 < K <= 1 -> (0 < ceil (K * INR G) <= G)%N.
Proof.
move=> G0 [K0 K1]; have g := INR_pos G0; have v0 : 0 < K * INR G by nra.
apply/andP; split; last by apply/ceil_le_iff; nra.
by rewrite ltnNge; apply/negP => /(ceil_le_iff 0 (Rlt_le _ _ v0)) /=; lra.
Qed.

(** * Order statistics and the quantile *)

Lemma count_enum (I : finType) (P : pred I) : count P (enum I) = #|[pred i | P i]|.
Proof. by rewrite enumT cardE /enum_mem size_filter; apply: eq_count. Qed.

Section OrderStatistics.
Variables (G : nat) (x : 'I_G -> R).
Let s := sort Rleb [seq x i | i <- enum 'I_G].

Lemma size_sorted : size s = G.
Proof. by rewrite size_sort size_map size_enum_ord. Qed.

Lemma count_sorted (P : pred R) : count P s = #|[pred i | P (x i)]|.
Proof. by rewrite (permP (permEl (perm_sort _ _))) count_map count_enum. Qed.

Lemma nth_sorted i j : (i <= j < G)%N -> nth 0 s i <= nth 0 s j.
Proof.
move=> /andP[ij jG]; apply/RlebP.
apply: (@sorted_leq_nth R Rleb Rleb_trans (fun a => introT (RlebP a a) (Rle_refl a)) 0 s) => //.
- by apply: sort_sorted; apply: Rleb_total.
- by rewrite inE size_sorted; apply: leq_ltn_trans jG.
by rewrite inE size_sorted.
Qed.

(** The order statistic of rank j is one of the rewards. *)
Lemma order_stat_in j : (0 < j <= G)%N -> exists i, order_stat j x = x i.
Proof.
case: j => // j /= jG.
have : nth 0 s j \in s by apply: mem_nth; rewrite size_sorted.
by rewrite mem_sort => /mapP[i _ e]; exists i.
Qed.

Lemma order_stat_le_iff j w : (0 < j <= G)%N -> order_stat j x <= w <-> (j <= #|[pred i | Rleb (x i) w]|)%N.
Proof.
case: j => // j /= jG; rewrite -(count_sorted (fun u => Rleb u w)); split=> h.
  rewrite -(cat_take_drop j.+1 s) count_cat; apply: leq_trans (leq_addr _ _).
  have st : size (take j.+1 s) = j.+1 by rewrite size_takel // size_sorted.
  suff /eqP -> : count (fun u => Rleb u w) (take j.+1 s) == size (take j.+1 s) by rewrite st.
  rewrite -all_count.
  apply/(all_nthP 0) => i; rewrite st => ij; rewrite nth_take //; apply/RlebP.
  by apply: Rle_trans h; apply: nth_sorted; rewrite -ltnS ij.
apply: Rnot_lt_le => lt; move: h; rewrite leqNgt => /negP[]; rewrite ltnS.
rewrite -(cat_take_drop j s) count_cat.
have -> : count (fun u => Rleb u w) (drop j s) = 0%N.
  apply/eqP; rewrite -leqn0 leqNgt -has_count; apply/(has_nthP 0) => -[i].
  rewrite size_drop size_sorted nth_drop => il /RlebP le.
  have : nth 0 s j <= nth 0 s (j + i) by apply: nth_sorted; rewrite leq_addr /= -ltn_subRL.
  by move: lt; rewrite /order_stat /= -/s; lra.
by rewrite addn0; apply: leq_trans (count_size _ _) _; rewrite size_takel // size_sorted ltnW.
Qed.

Lemma order_stat_mono i j : (0 < i <= j)%N -> (j <= G)%N -> order_stat i x <= order_stat j x.
Proof.
move=> /andP[i0 ij] jG; apply: nth_sorted; case: i i0 ij => // i _ ij; case: j ij jG => // j.
by rewrite /= ltnS => -> ->.
Qed.

(** Fewer than j rewards are below the j-th smallest, and at most G - j are above it. *)
Lemma count_below_order_stat j : (0 < j <= G)%N -> (#|[pred i | Rltb (x i) (order_stat j x)]| < j)%N.
Proof.
move=> hj; have [j0 jG] := andP hj.
case: (pickP [pred i | Rltb (x i) (order_stat j x)]) => [i0 hi0|none]; last by rewrite (eq_card0 none).
(* The largest reward below the order statistic has fewer than j rewards up to it. *)
have [i hi top] : exists2 i, x i < order_stat j x & forall k, x k < order_stat j x -> x k <= x i.
  have [i e] : exists i, \big[Rmax/x i0]_(k | Rltb (x k) (order_stat j x)) x k = x i /\ x i < order_stat j x.
    apply: (big_ind (fun v => exists i, v = x i /\ x i < order_stat j x)).
    - by exists i0; split=> //; apply/RltbP.
    - by move=> a b [u [-> hu]] [v [-> hv]]; rewrite /Rmax; case: Rle_dec => _; [exists v | exists u].
    by move=> k /RltbP hk; exists k.
  exists i; case: e => e // _ k /RltbP hk; rewrite -e.
  elim: (index_enum _) (mem_index_enum k) => // a l IH; rewrite inE big_cons => /orP[/eqP<-|/IH le].
    by rewrite hk; apply: Rmax_l.
  by case: ifP => // _; apply: Rle_trans le (Rmax_r _ _).
rewrite ltnNge; apply/negP => le.
have : order_stat j x <= x i.
  apply/(order_stat_le_iff _ hj); apply: leq_trans le _; apply: subset_leq_card.
  by apply/subsetP => k; rewrite !inE => /RltbP hk; apply/RlebP; apply: top.
by lra.
Qed.

Lemma count_above_order_stat j : (0 < j <= G)%N -> (#|[pred i | Rltb (order_stat j x) (x i)]| <= G - j)%N.
Proof.
move=> hj; have := (order_stat_le_iff (order_stat j x) hj).1 (Rle_refl _) => le.
rewrite -(leq_add2l #|[pred i | Rleb (x i) (order_stat j x)]|).
have -> : (#|[pred i | Rleb (x i) (order_stat j x)]| + #|[pred i | Rltb (order_stat j x) (x i)]|)%N = G.
  rewrite -[RHS]card_ord -(cardC [pred i | Rleb (x i) (order_stat j x)]); congr addn.
  apply: eq_card => i; rewrite !inE.
  by apply/RltbP/idP => [h|/RlebP h]; [apply/RlebP; lra | lra].
by have [_ jG] := andP hj; rewrite -[X in (X <= _)%N](subnKC jG) leq_add2r.
Qed.

(** F(w) >= K iff the reward of rank ceil(K G) is at most w. *)
Lemma cdf_ge_iff K w : (0 < G)%N -> 0 < K <= 1 -> K <= cdf x w <-> order_stat (ceil (K * INR G)) x <= w.
Proof.
move=> G0 hK; rewrite (order_stat_le_iff _ (rank_bounds G0 hK)); have g := INR_pos G0.
rewrite ceil_le_iff; last by nra.
rewrite /cdf /share; set c := INR _; split=> h.
  by have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ g) h; rewrite (_ : c / INR G * INR G = c) //; field; lra.
by apply: (Rmult_le_reg_r (INR G)) => //; rewrite (_ : c / INR G * INR G = c) //; field; lra.
Qed.

Lemma quantile_order_stat K : (0 < G)%N -> 0 < K <= 1 ->
  is_glb_Rbar (fun v => K <= cdf x v) (order_stat (ceil (K * INR G)) x) /\
  quantile K x = order_stat (ceil (K * INR G)) x.
Proof.
move=> G0 hK; set q := order_stat _ _.
have glb : is_glb_Rbar (fun v => K <= cdf x v) q.
  split=> [v /(cdf_ge_iff v G0 hK) //|b h]; apply: (h q); exact/(cdf_ge_iff q G0 hK)/Rle_refl.
by split=> //; rewrite /quantile (is_glb_Rbar_unique _ _ glb).
Qed.
End OrderStatistics.

(** * Binary rewards *)

Lemma binary_bit (I : Type) (x : I -> R) : binary x -> x = fun i => bit (Reqb (x i) 1).
Proof.
move=> b; apply: fun_ext => i; case: (b i) => ->; rewrite /bit; case: ReqbP => //; lra.
Qed.

Lemma bit_binary (I : Type) (c : I -> bool) : binary (fun i => bit (c i)).
Proof. by move=> i; rewrite /bit; case: (c i); [right | left]. Qed.

Lemma rewards_bit_binary G (c : {ffun 'I_G -> bool}) : binary (rewards bit c).
Proof. exact: bit_binary. Qed.

(** A binary reward vector is the vector of bits of a group of booleans. *)
Lemma binary_rewards G (x : 'I_G -> R) : binary x -> x = rewards bit [ffun i => Reqb (x i) 1].
Proof. by move=> b; rewrite {1}(binary_bit b); apply: fun_ext => i; rewrite /rewards ffunE. Qed.

Lemma Reqb_bit b : Reqb (bit b) 1 = b.
Proof. by rewrite /bit; case: b; case: ReqbP => //; lra. Qed.

Lemma num_correct_bits G (c : {ffun 'I_G -> bool}) : num_correct (rewards bit c) = #|[pred i | c i]|.
Proof. by apply: eq_card => i; rewrite !inE /rewards Reqb_bit. Qed.

Section Binary.
Variables (G : nat) (x : 'I_G -> R).
Hypothesis bin : binary x.
Let m := num_correct x.

Lemma num_correct_le : (m <= G)%N.
Proof. by rewrite -[X in (_ <= X)%N]card_ord; apply: max_card. Qed.

Lemma sum_binary : \sum_i x i = INR m.
Proof. by rewrite /m /num_correct -sum_bit_count [in LHS](binary_bit bin). Qed.

Lemma group_mean_binary : group_mean x = success_rate x.
Proof. by rewrite /group_mean sum_binary. Qed.

Lemma num_wrong : #|[pred i | Reqb (x i) 0]| = (G - m)%N.
Proof.
rewrite -[X in (X - _)%N](card_ord G) -(cardC [pred i | Reqb (x i) 1]) /m /num_correct addKn.
by apply: eq_card => i; rewrite !inE; case: (bin i) => ->; do 2 case: ReqbP => //; lra.
Qed.

Lemma num_at_most w : #|[pred i | Rleb (x i) w]| = if Rltb w 0 then 0%N else if Rltb w 1 then (G - m)%N else G.
Proof.
case: RltbP => h0.
  by apply: eq_card0 => i; rewrite !inE; apply/RlebP; case: (bin i) => ->; lra.
case: RltbP => h1.
  rewrite -num_wrong; apply: eq_card => i; rewrite !inE; case: (bin i) => ->.
    by rewrite Reqb_refl; apply/RlebP; lra.
  by apply/RlebP/ReqbP; lra.
rewrite -[RHS]card_ord; apply: eq_card => i; rewrite !inE.
by apply/RlebP; case: (bin i) => ->; lra.
Qed.

Lemma order_stat_binary j : (0 < j <= G)%N -> order_stat j x = if (j <= G - m)%N then 0 else 1.
Proof.
move=> hj; have := order_stat_le_iff x 0 hj.
rewrite num_at_most; case: RltbP => [|_]; first by lra.
case: RltbP => [_|]; last by lra.
case: (order_stat_in x hj) => i; case: (bin i) => -> ->; case: (j <= G - m)%N => //; last first.
  by move=> [_ h]; have := h isT; lra.
by move=> [h _]; have := h (Rle_refl 0).
Qed.

(** The hard regime in integers: at least ceil(K G) of the responses are wrong. *)
Lemma hard_integers K : (0 < G)%N -> 0 < K <= 1 -> hard K x = (ceil (K * INR G) <= G - m)%N.
Proof.
move=> G0 [K0 K1]; have g := INR_pos G0; have v0 : 0 <= K * INR G by nra.
apply/RlebP/idP => [h|/(ceil_le_iff _ v0)]; last rewrite INR_sub ?num_correct_le // => h.
  apply/(ceil_le_iff _ v0); rewrite INR_sub ?num_correct_le //.
  have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ g) h; rewrite /success_rate -/m.
  by rewrite (_ : INR m / INR G * INR G = INR m); [lra | field; lra].
rewrite /success_rate -/m; apply: (Rmult_le_reg_r (INR G)) => //.
by rewrite (_ : INR m / INR G * INR G = INR m); [lra | field; lra].
Qed.

Lemma quantile_binary K : (0 < G)%N -> 0 < K <= 1 -> quantile K x = if hard K x then 0 else 1.
Proof.
by move=> G0 hK; rewrite (quantile_order_stat x G0 hK).2 order_stat_binary ?rank_bounds // hard_integers.
Qed.

Lemma success_rate_bounds : (0 < G)%N -> 0 <= success_rate x <= 1.
Proof.
move=> /INR_pos g; have le := INR_leq num_correct_le; have m0 := pos_INR m.
rewrite /success_rate -/m; split; first by apply: Rdiv_le_0_compat.
by apply: (Rmult_le_reg_r (INR G)) => //; rewrite (_ : INR m / INR G * INR G = INR m); [lra | field; lra].
Qed.

Lemma num_correct_gt0 i : x i = 1 -> (0 < m)%N.
Proof. by move=> e; apply/card_gt0P; exists i; rewrite inE e Reqb_refl. Qed.

Lemma num_correct_lt i : x i = 0 -> (m < G)%N.
Proof.
move=> e; rewrite -subn_gt0 -num_wrong; apply/card_gt0P; exists i.
by rewrite inE e Reqb_refl.
Qed.

Lemma correct_exists : (0 < m)%N -> exists i, x i = 1.
Proof. by move/card_gt0P => [i]; rewrite inE => /ReqbP; exists i. Qed.

Lemma wrong_exists : (m < G)%N -> exists i, x i = 0.
Proof. by rewrite -subn_gt0 -num_wrong => /card_gt0P[i]; rewrite inE => /ReqbP; exists i. Qed.

(** A binary group is degenerate iff it has no correct response or no wrong one. *)
Lemma degenerate_binary : degenerate x = (m == 0%N) || (m == G).
Proof.
apply/idP/idP => [/forallP h|].
  apply: contraT; rewrite negb_or => /andP[]; rewrite -lt0n => m0.
  rewrite neq_ltn [(G < _)%N]ltnNge num_correct_le orbF => mG.
  case: (correct_exists m0) => i hi; case: (wrong_exists mG) => j hj.
  by have /forallP/(_ j)/ReqbP := h i; lra.
move=> h; apply/forallP => i; apply/forallP => j; apply/ReqbP.
case/orP: h => /eqP e; case: (bin i) => ei; case: (bin j) => ej; rewrite ei ej //.
- by have := num_correct_gt0 ej; rewrite e.
- by have := num_correct_gt0 ei; rewrite e.
- by have := num_correct_lt ei; rewrite e ltnn.
by have := num_correct_lt ej; rewrite e ltnn.
Qed.

Lemma mixed_binary : ~~ degenerate x = (0 < m < G)%N.
Proof. by rewrite degenerate_binary negb_or lt0n ltn_neqAle num_correct_le andbT. Qed.

Lemma mixed_success_rate : ~~ degenerate x -> 0 < success_rate x < 1.
Proof.
rewrite mixed_binary => /andP[m0 mG]; have g : 0 < INR G by apply: INR_pos; apply: leq_trans mG.
have a := INR_pos m0; have b := INR_ltn mG; rewrite /success_rate -/m; split; first exact: Rdiv_lt_0_compat.
by apply: (Rmult_lt_reg_r (INR G)) => //; rewrite (_ : INR m / INR G * INR G = INR m); [lra | field; lra].
Qed.

Lemma square_sum_binary : (0 < G)%N ->
  \sum_i (x i - group_mean x) ^ 2 = INR G * (success_rate x * (1 - success_rate x)).
Proof.
move=> /INR_pos g; rewrite group_mean_binary; set p := success_rate x.
rewrite (eq_bigr (fun i => (1 - 2 * p) * x i + p ^ 2)); last first.
  by move=> i _; case: (bin i) => ->; ring.
rewrite sum_add sum_scale sum_binary sum_const_ord.
have -> : INR m = INR G * p by rewrite /p /success_rate -/m; field; lra.
by ring.
Qed.

Lemma std_population_binary : (0 < G)%N -> std Population x = sqrt (success_rate x * (1 - success_rate x)).
Proof.
move=> G0; rewrite /std square_sum_binary //; congr sqrt; have g := INR_pos G0.
by field; lra.
Qed.

Lemma std_bessel_binary : (1 < G)%N ->
  std Bessel x = sqrt (success_rate x * (1 - success_rate x) * (INR G / (INR G - 1))).
Proof.
move=> G1; have G0 : (0 < G)%N by apply: ltnW.
rewrite /std square_sum_binary // -subn1 INR_sub //; have := INR_ltn G1; rewrite /= => g.
by congr sqrt; field; lra.
Qed.
End Binary.

(** * Degenerate groups and the standard deviation, for any rewards *)

Section Deviation.
Variables (G : nat) (x : 'I_G -> R).

Lemma degenerateP : reflect (forall i j, x i = x j) (degenerate x).
Proof.
by apply: (iffP forallP) => h i => [j|]; [apply/ReqbP; move/forallP: (h i); apply | apply/forallP => j; apply/ReqbP].
Qed.

Lemma mixed_exists : ~~ degenerate x -> exists i j, x i <> x j.
Proof.
move/negP => h; case: (pickP [pred a : 'I_G * 'I_G | ~~ Reqb (x a.1) (x a.2)]) => [[i j] /= /ReqbP ne|none].
  by exists i, j.
case: h; apply/degenerateP => i j; apply/ReqbP.
by have := none (i, j) => /= /negbFE.
Qed.

Lemma mixed_size : ~~ degenerate x -> (1 < G)%N.
Proof.
move=> /mixed_exists[i [j ne]]; rewrite ltnNge; apply/negP => G1; case: ne; congr x; apply: val_inj.
have zero (k : 'I_G) : val k = 0%N.
  by apply/eqP; rewrite -leqn0 -ltnS; apply: leq_trans (ltn_ord k) G1.
by rewrite !zero.
Qed.

Lemma std_ge0 k : 0 <= std k x.
Proof. exact: sqrt_pos. Qed.

Lemma std_degenerate k : degenerate x -> std k x = 0.
Proof.
move=> /degenerateP eq; rewrite /std sum_zero; first by rewrite /Rdiv Rmult_0_l sqrt_0.
move=> i _; suff -> : group_mean x = x i by ring.
have g : 0 < INR G by apply: INR_pos; apply: leq_ltn_trans (ltn_ord i).
rewrite /group_mean (eq_bigr (fun _ => x i)); last by move=> j _; apply: eq.
by rewrite sum_const_ord; field; lra.
Qed.

Lemma std_gt0 k : ~~ degenerate x -> 0 < std k x.
Proof.
move=> mixed; have G1 := mixed_size mixed; have [i [j ne]] := mixed_exists mixed.
apply: sqrt_lt_R0; apply: Rdiv_lt_0_compat; last first.
  by apply: INR_pos; case: k; [apply: ltnW | rewrite -subn1 subn_gt0].
have sq a : 0 <= (x a - group_mean x) ^ 2 := pow2_ge_0 _.
case: (Req_dec (x i) (group_mean x)) => [e|e].
  apply: (@sum_gt0 _ predT _ j) => //.
  by apply: pow2_gt_0 => h; apply: ne; lra.
apply: (@sum_gt0 _ predT _ i) => //.
by apply: pow2_gt_0 => h; apply: e; lra.
Qed.

Lemma over_std_degenerate k eps a i : degenerate x -> over_std k eps a x i = 0.
Proof. by rewrite /over_std => ->. Qed.

Lemma over_std_mixed k eps a i : ~~ degenerate x -> over_std k eps a x i = a i / (std k x + eps).
Proof. by rewrite /over_std => /negbTE ->. Qed.
End Deviation.
