(** The gains of the named estimators: each estimator ignores the order of a group, and each has a gain above 0 for
    every success probability and every group of at least two responses.

    The gain of an estimator that has a table is the binomial mean of a true (j + 1) - a false j over the number j of
    correct responses among the others. Where this difference is a constant, so is the gain. The standardised rules give
    correct responses at least 0 and wrong ones at most 0, and differ in mixed groups, so that the summand of j = 0 or
    of j = 1 is positive. *)

From QAE Require Import Compat Definitions Sums Rewards Groups Tables.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Reordering a group *)

Section Reorder.
Variables (G : nat) (s : 'I_G -> 'I_G) (x : 'I_G -> R).
Hypothesis inj : injective s.
Let y : 'I_G -> R := fun j => x (s j).

Lemma sum_reorder (F : 'I_G -> R) : \sum_i F (s i) = \sum_i F i.
Proof. by rewrite [RHS](reindex_inj inj). Qed.

Lemma count_reorder (P : pred 'I_G) : #|[pred i | P (s i)]| = #|[pred i | P i]|.
Proof. by rewrite -!sum1_card [RHS](reindex_inj inj); apply: eq_bigl => i; rewrite !inE. Qed.

Lemma group_mean_reorder : group_mean y = group_mean x.
Proof. by rewrite /group_mean (sum_reorder x). Qed.

Lemma std_reorder k : std k y = std k x.
Proof.
by rewrite /std group_mean_reorder; congr (sqrt (_ / _)); exact: (sum_reorder (fun i => (x i - group_mean x) ^ 2)).
Qed.

Lemma degenerate_reorder : degenerate y = degenerate x.
Proof.
have [t st ts] := injF_bij inj.
apply/degenerateP/degenerateP => h i j; last exact: h.
by rewrite -(ts i) -(ts j); apply: h.
Qed.

Lemma success_rate_reorder : success_rate y = success_rate x.
Proof. by rewrite /success_rate /num_correct (count_reorder (fun i => Reqb (x i) 1)). Qed.

Lemma hard_reorder K : hard K y = hard K x.
Proof. by rewrite /hard success_rate_reorder. Qed.

Lemma quantile_reorder K : quantile K y = quantile K x.
Proof.
rewrite /quantile; congr (real (Glb_Rbar _)); apply: fun_ext => v.
by rewrite /cdf /share (count_reorder (fun i => Rleb (x i) v)).
Qed.

Lemma order_stat_reorder j : order_stat j y = order_stat j x.
Proof.
rewrite /order_stat; congr (nth 0 _ _); apply/perm_sortP.
- exact: Rleb_total.
- exact: Rleb_trans.
- by move=> a b /andP[/RlebP h /RlebP h']; apply: Rle_antisym.
rewrite (map_comp x s); apply: perm_map; apply: uniq_perm => [||i].
- by rewrite map_inj_uniq ?enum_uniq.
- exact: enum_uniq.
have [t st ts] := injF_bij inj.
by rewrite mem_enum -(ts i) map_f // mem_enum.
Qed.

Lemma linear_quantile_reorder K : linear_quantile K y = linear_quantile K x.
Proof. by rewrite /linear_quantile !order_stat_reorder. Qed.

Lemma over_std_reorder k eps a b i : a i = b (s i) -> over_std k eps a y i = over_std k eps b x (s i).
Proof. by rewrite /over_std degenerate_reorder std_reorder => ->. Qed.

Lemma others_sum_reorder (F : R -> R) i :
  \sum_l F (others y i l) = \sum_l F (others x (s i) l).
Proof.
have := sum_reorder (fun j => F (x j)).
by rewrite (sum_split_at i (fun j => F (x (s j)))) (sum_split_at (s i)) => /Rplus_eq_reg_l.
Qed.

Lemma others_mean_reorder i : group_mean (others y i) = group_mean (others x (s i)).
Proof. by rewrite /group_mean (others_sum_reorder id). Qed.

Lemma others_quantile_reorder K i : quantile K (others y i) = quantile K (others x (s i)).
Proof.
rewrite /quantile; congr (real (Glb_Rbar _)); apply: fun_ext => v.
rewrite /cdf /share -!sum_bit_count; congr (_ <= _ / _).
exact: (others_sum_reorder (fun w => bit (Rleb w v))).
Qed.
End Reorder.

Section Named.
Variable G : nat.
Implicit Types (k : divisor) (eps K : R).

Lemma dr_grpo_equivariant : equivariant (@dr_grpo G).
Proof. by move=> s x i inj; rewrite /dr_grpo /constant group_mean_reorder. Qed.
Lemma grpo_equivariant k eps : equivariant (@grpo G k eps).
Proof. by move=> s x i h; rewrite /grpo /standardised; apply: (over_std_reorder x h); rewrite group_mean_reorder. Qed.
Lemma rloo_equivariant : equivariant (@rloo G).
Proof. by move=> s x i inj; rewrite /rloo (others_mean_reorder _ inj). Qed.
Lemma qae_equivariant k eps K : equivariant (@qae G k eps K).
Proof. by move=> s x i inj; rewrite /qae /standardised; apply: (over_std_reorder x inj); rewrite quantile_reorder. Qed.
Lemma qae_linear_equivariant k eps K : equivariant (@qae_linear G k eps K).
Proof.
move=> s x i inj; rewrite /qae_linear /standardised; apply: (over_std_reorder x inj).
by rewrite linear_quantile_reorder.
Qed.
Lemma pos_mask_equivariant k eps K : equivariant (@pos_mask G k eps K).
Proof. by move=> s x i inj; rewrite /pos_mask; apply: (over_std_reorder x inj); rewrite hard_reorder. Qed.
Lemma neg_mask_equivariant k eps K : equivariant (@neg_mask G k eps K).
Proof. by move=> s x i inj; rewrite /neg_mask; apply: (over_std_reorder x inj); rewrite hard_reorder. Qed.
Lemma loo_quantile_equivariant K : equivariant (@loo_quantile G K).
Proof. by move=> s x i inj; rewrite /loo_quantile (others_quantile_reorder _ inj). Qed.
Lemma ebpo_equivariant S mu : equivariant (@ebpo G S mu).
Proof. by move=> s x i inj; rewrite /ebpo /constant group_mean_reorder. Qed.
Lemma on_mixed_equivariant (A : estimator G) : equivariant A -> equivariant (on_mixed A).
Proof. by move=> h s x i inj; rewrite /on_mixed degenerate_reorder // h. Qed.
End Named.

(** All nine named estimators depend on the rewards alone, as functions do, and not on their order. *)
Theorem neutrality_equivariant : forall (G : nat) (k : divisor) (eps K : R),
  equivariant (@grpo G k eps) /\ equivariant (@dr_grpo G) /\ equivariant (@rloo G) /\ equivariant (@qae G k eps K)
  /\ equivariant (@qae_linear G k eps K) /\ equivariant (@psr G) /\ equivariant (@nsr G)
  /\ equivariant (@pos_mask G k eps K) /\ equivariant (@neg_mask G k eps K).
Proof.
move=> G k eps K; split; first exact: grpo_equivariant.
split; first exact: dr_grpo_equivariant.
split; first exact: rloo_equivariant.
split; first exact: qae_equivariant.
split; first exact: qae_linear_equivariant.
split; first by [].
split; first by [].
by split; [apply: pos_mask_equivariant | apply: neg_mask_equivariant].
Qed.

(** * Gains that are constants *)

Section Constants.
Variables (G : nat) (p : R) (i : 'I_G).
Hypothesis hp : 0 < p < 1.

Lemma gain_constant (A : estimator G) a w : has_table A a ->
  (forall j, (j <= G.-1)%N -> a true j.+1 - a false j = w) -> gain p A i = w.
Proof.
by move=> t h; rewrite (gain_table hp i t) /table_gain (binomial_mean_ext (h := fun _ => w)) ?binomial_mean_const.
Qed.

Lemma gain_fixed_baseline b : gain p (@constant G b) i = 1.
Proof. by apply: (gain_constant (constant_table b)) => j _ /=; ring. Qed.

Lemma gain_psr : gain p (@psr G) i = 1.
Proof. exact: gain_fixed_baseline. Qed.

Lemma gain_nsr : gain p (@nsr G) i = 1.
Proof. exact: gain_fixed_baseline. Qed.

Lemma gain_rloo : gain p (@rloo G) i = 1.
Proof. by apply: (gain_constant (@rloo_table G)) => j _; rewrite subn1 subn0 /= /Rdiv; ring. Qed.

Lemma gain_dr_grpo : gain p (@dr_grpo G) i = (INR G - 1) / INR G.
Proof.
have g := INR_neq0 (group_pos i).
by apply: (gain_constant (@dr_grpo_table G)) => j _; rewrite /rate INR_succ /=; field.
Qed.

Lemma gain_ebpo S mu : gain p (@ebpo G S mu) i = 1 - (1 - S) / INR G.
Proof.
have g := INR_neq0 (group_pos i).
by apply: (gain_constant (@ebpo_table G S mu)) => j _; rewrite /rate INR_succ /=; field.
Qed.

Lemma gain_loo_quantile K : (1 < G)%N -> 0 < K <= 1 -> gain p (@loo_quantile G K) i = 1.
Proof.
by move=> G1 hK; apply: (gain_constant (@loo_quantile_table G K G1 hK)) => j _; rewrite subn1 subn0 /=; ring.
Qed.

Lemma gain_minus_reward : gain p (fun (x : 'I_G -> R) j => - x j) i = -1.
Proof.
apply: (@gain_constant _ (fun b _ => - bit b)) => [|j _ /=]; last by ring.
by move=> c j.
Qed.
End Constants.

Lemma loo_quantile_contrast G K : (1 < G)%N -> 0 < K <= 1 ->
  exists2 a, has_table (@loo_quantile G K) a & forall j, (j <= G.-1)%N -> a true j.+1 - a false j = 1.
Proof.
move=> G1 hK; exists (fun a m => bit a - gate K (INR (m - a)%N / INR G.-1)); first exact: loo_quantile_table.
by move=> j _; rewrite subn1 subn0 /=; ring.
Qed.

Lemma ebpo_contrast G S mu : (0 < G)%N ->
  exists2 a, has_table (@ebpo G S mu) a & forall j, (j <= G.-1)%N -> a true j.+1 - a false j = 1 - (1 - S) / INR G.
Proof.
move=> /INR_neq0 g; exists (fun a m => bit a - ((1 - S) * rate G m + S * mu)); first exact: ebpo_table.
by move=> j _; rewrite /rate INR_succ /=; field.
Qed.

(** * Gains above 0 *)

Lemma table_std_gt0 G k m : (0 < m < G)%N -> 0 < table_std G k m.
Proof.
move=> /andP[m0 mG]; have a := INR_pos m0; have b := INR_ltn mG.
have G1 : (1 < G)%N by apply: leq_trans mG.
have g1 := INR_ltn G1; rewrite /= in g1.
have r0 : 0 < rate G m by apply: Rdiv_lt_0_compat; lra.
have r1 : rate G m < 1 by apply: (Rmult_lt_reg_r (INR G)); [lra | rewrite /rate /Rdiv Rmult_assoc Rinv_l; lra].
apply: sqrt_lt_R0; apply: Rmult_lt_0_compat; first by apply: Rmult_lt_0_compat; lra.
by case: k; [lra | apply: Rdiv_lt_0_compat; lra].
Qed.

(** If the numerator is at least 0 for correct and at most 0 for wrong responses, and not 0 for both, in mixed groups,
    then dividing by std + eps gives a gain above 0. *)
Lemma table_over_gain_gt0 G k eps (f : bool -> nat -> R) p : (1 < G)%N -> 0 <= eps -> 0 < p < 1 ->
  (forall m, (0 < m < G)%N -> 0 <= f true m /\ f false m <= 0 /\ f false m < f true m) ->
  0 < table_gain G p (table_over G k eps f).
Proof.
move=> G1 e0 hp h; set a := table_over G k eps f.
have scale m : (0 < m < G)%N -> 0 < / (table_std G k m + eps).
  by move=> hm; apply: Rinv_0_lt_compat; have := table_std_gt0 k hm; lra.
have mixed b m : (0 < m < G)%N -> a b m = f b m * / (table_std G k m + eps).
  move=> /andP[m0 mG]; rewrite /a /table_over /table_mixed.
  by move: m0; rewrite lt0n => /negbTE ->; move: mG; rewrite ltn_neqAle => /andP[/negbTE -> _].
have zero b m : (0 < m < G)%N = false -> (m <= G)%N -> a b m = 0.
  move=> + mG; rewrite lt0n ltn_neqAle mG /a /table_over /table_mixed.
  by case: (m == 0%N) => //; case: (m == G).
have signs m : (m <= G)%N -> 0 <= a true m /\ a false m <= 0.
  move=> mG; case E: (0 < m < G)%N; last by rewrite !zero //; lra.
  by have [f1 [f0 _]] := h m E; have := scale m E; rewrite !mixed //; split; nra.
have G0 : (0 < G)%N := ltnW G1.
have terms j : (j <= G.-1)%N -> 0 <= a true j.+1 - a false j.
  move=> jG; have jG1 : (j.+1 <= G)%N by rewrite -[X in (_ <= X)%N](prednK G0).
  by have [t _] := signs _ jG1; have [_ f'] := signs _ (ltnW jG1); lra.
have one : (0 < 1 < G)%N by rewrite G1.
have [f1 [f0 lt]] := h 1%N one; have sc := scale 1%N one.
case: (Rle_lt_or_eq_dec _ _ f1) => [f1'|e1].
  apply: (@binomial_mean_gt0 _ _ _ 0) => //.
  by have [_] := signs 0%N isT; rewrite (mixed true) // => w0; have := Rmult_lt_0_compat _ _ f1' sc; lra.
apply: (@binomial_mean_gt0 _ _ _ 1) => //; first by rewrite -ltnS (prednK G0).
have [c2 _] := signs 2%N G1; rewrite (mixed false) //.
have neg : 0 < - f false 1%N by lra.
by have := Rmult_lt_0_compat _ _ neg sc; lra.
Qed.

Section Positive.
Variables (G : nat) (p : R) (i : 'I_G) (k : divisor) (eps K : R).
Hypotheses (hp : 0 < p < 1) (G1 : (1 < G)%N) (e0 : 0 <= eps).

Lemma rate_bounds m : (0 < m < G)%N -> 0 < rate G m < 1.
Proof.
move=> /andP[m0 mG]; have a := INR_pos m0; have b := INR_ltn mG.
rewrite /rate; split; first by apply: Rdiv_lt_0_compat; lra.
by apply: (Rmult_lt_reg_r (INR G)); [lra | rewrite /Rdiv Rmult_assoc Rinv_l; lra].
Qed.

Lemma gain_grpo_gt0 : 0 < gain p (@grpo G k eps) i.
Proof.
rewrite (gain_table hp i (@grpo_table G k eps)); apply: table_over_gain_gt0 => // m hm.
by have := rate_bounds hm; rewrite /bit; lra.
Qed.

Lemma gain_qae_gt0 : 0 < K <= 1 -> 0 < gain p (@qae G k eps K) i.
Proof.
move=> hK; rewrite (gain_table hp i (@qae_table G k eps K hK)); apply: table_over_gain_gt0 => // m hm.
by rewrite /gate /bit; case: Rleb; lra.
Qed.

Lemma table_linear_bounds m : 0 < K < 1 -> 0 <= table_linear G K m <= 1.
Proof.
move=> hK; rewrite /table_linear; set v := INR G.-1 * K.
have v0 : 0 <= v by apply: Rmult_le_pos; [apply: pos_INR | lra].
have := floor_le v0; have := lt_floor v0; set j := floor v => hi lo.
by case: leqP => h1; case: leqP => h2; lra.
Qed.

Lemma gain_qae_linear_gt0 : 0 < K < 1 -> 0 < gain p (@qae_linear G k eps K) i.
Proof.
move=> hK; rewrite (gain_table hp i (@qae_linear_table G k eps K hK)); apply: table_over_gain_gt0 => // m hm.
by have := table_linear_bounds m hK; rewrite /bit; lra.
Qed.

Lemma gain_pos_mask_gt0 : 0 < gain p (@pos_mask G k eps K) i.
Proof.
rewrite (gain_table hp i (@pos_mask_table G k eps K)); apply: table_over_gain_gt0 => // m hm.
by rewrite /bit; case: Rleb; lra.
Qed.

Lemma gain_neg_mask_gt0 : 0 < gain p (@neg_mask G k eps K) i.
Proof.
rewrite (gain_table hp i (@neg_mask_table G k eps K)); apply: table_over_gain_gt0 => // m hm.
by rewrite /bit; case: Rleb => /=; lra.
Qed.
End Positive.

(** * Groups of two and three at eps = 0, with the population's standard deviation *)

Lemma gain_two_grpo p (i : 'I_2) : 0 < p < 1 -> gain p (@grpo 2 Population 0) i = 1.
Proof.
move=> hp; rewrite (gain_table hp i (@grpo_table 2 Population 0)) /table_gain /binomial_mean.
rewrite !big_ord_recl big_ord0 /binomial_law /=.
rewrite /table_over /table_mixed /table_std /rate /=.
rewrite (_ : 1 / (1 + 1) * (1 - 1 / (1 + 1)) * 1 = (/ 2) * (/ 2)); last by field.
by rewrite sqrt_square; [field | lra].
Qed.

Lemma gain_two_qae p K (i : 'I_2) : 0 < p < 1 -> 0 < K < 1 / 2 -> gain p (@qae 2 Population 0 K) i = 2 * (1 - p).
Proof.
move=> hp hK; have hK' : 0 < K <= 1 by lra.
rewrite (gain_table hp i (@qae_table 2 Population 0 K hK')) /table_gain /binomial_mean.
rewrite !big_ord_recl big_ord0 /binomial_law /=.
rewrite /table_over /table_mixed /table_std /rate /gate /=.
rewrite (_ : 1 / (1 + 1) * (1 - 1 / (1 + 1)) * 1 = (/ 2) * (/ 2)); last by field.
by rewrite sqrt_square ?Rleb_true; [field | lra | lra].
Qed.

Lemma gain_two_qae_above p K (i : 'I_2) : 0 < p < 1 -> 1 / 2 < K <= 1 -> gain p (@qae 2 Population 0 K) i = 2 * p.
Proof.
move=> hp hK; have hK' : 0 < K <= 1 by lra.
rewrite (gain_table hp i (@qae_table 2 Population 0 K hK')) /table_gain /binomial_mean.
rewrite !big_ord_recl big_ord0 /binomial_law /=.
rewrite /table_over /table_mixed /table_std /rate /gate /=.
rewrite (_ : 1 / (1 + 1) * (1 - 1 / (1 + 1)) * 1 = (/ 2) * (/ 2)); last by field.
by rewrite sqrt_square ?Rleb_false; [field | lra | lra].
Qed.

(** GRPO's table has a constant difference at G = 2 and at G = 3. *)
Lemma grpo_contrast_two j : (j <= 1)%N ->
  let a := table_over 2 Population 0 (fun b m => bit b - rate 2 m) in a true j.+1 - a false j = 1.
Proof.
move=> h a; rewrite /a /table_over /table_mixed /table_std /rate.
have s : sqrt (INR 1 / INR 2 * (1 - INR 1 / INR 2) * 1) = / 2.
  by rewrite (_ : _ * 1 = (/ 2) * (/ 2)); [rewrite sqrt_square; lra | rewrite /=; field].
by case: j h => [|[|]] //= _; rewrite s; field.
Qed.

Lemma grpo_contrast_three j : (j <= 2)%N ->
  let a := table_over 3 Population 0 (fun b m => bit b - rate 3 m) in a true j.+1 - a false j = sqrt 2.
Proof.
move=> h a; rewrite /a /table_over /table_mixed /table_std /rate.
have r0 : 0 < sqrt 2 by apply: sqrt_lt_R0; lra.
have rr : sqrt 2 * sqrt 2 = 2 by apply: sqrt_sqrt; lra.
have s x : x = 2 / 9 -> sqrt x = sqrt 2 / 3.
  by move=> ->; rewrite (_ : 2 / 9 = 2 / (3 * 3)); [rewrite sqrt_div ?sqrt_square; lra | field].
have s1 : sqrt (INR 1 / INR 3 * (1 - INR 1 / INR 3) * 1) = sqrt 2 / 3 by apply: s; rewrite /=; field.
have s2 : sqrt (INR 2 / INR 3 * (1 - INR 2 / INR 3) * 1) = sqrt 2 / 3 by apply: s; rewrite /=; field.
have e : 2 / sqrt 2 = sqrt 2 by rewrite -{1}rr; field; lra.
by case: j h => [|[|[|]]] //= _; rewrite ?s1 ?s2 -[RHS]e; field; lra.
Qed.

(** The gains of the nine named estimators, for every group size G >= 2, either standard deviation, eps >= 0 and
    0 < K < 1: 1 for RLOO, PSR and NSR, (G - 1)/G for Dr. GRPO, and above 0 for all nine. *)
Theorem neutrality_gains : forall (G : nat) (p : R) (i : 'I_G) (k : divisor) (eps K : R),
  (1 < G)%N -> 0 < p < 1 -> 0 <= eps -> 0 < K < 1 ->
  gain p (@rloo G) i = 1 /\ gain p (@psr G) i = 1 /\ gain p (@nsr G) i = 1
  /\ gain p (@dr_grpo G) i = (INR G - 1) / INR G /\ 0 < gain p (@dr_grpo G) i
  /\ 0 < gain p (@grpo G k eps) i /\ 0 < gain p (@qae G k eps K) i /\ 0 < gain p (@qae_linear G k eps K) i
  /\ 0 < gain p (@pos_mask G k eps K) i /\ 0 < gain p (@neg_mask G k eps K) i.
Proof.
move=> G p i k eps K G1 hp e0 hK; have := INR_ltn G1; rewrite /= => g1.
split; first exact: gain_rloo.
split; first exact: gain_psr.
split; first exact: gain_nsr.
split; first exact: gain_dr_grpo.
split; first by rewrite gain_dr_grpo //; apply: Rdiv_lt_0_compat; lra.
split; first exact: gain_grpo_gt0.
split; first by apply: gain_qae_gt0 => //; lra.
split; first exact: gain_qae_linear_gt0.
by split; [apply: gain_pos_mask_gt0 | apply: gain_neg_mask_gt0].
Qed.

(** A gain above 0 is a property of these rules: the estimator -R ignores the order of the group too and has the gain
    -1. *)
Theorem neutrality_minus_reward : forall (G : nat) (p : R) (i : 'I_G), 0 < p < 1 ->
  equivariant (fun (x : 'I_G -> R) j => - x j) /\ gain p (fun (x : 'I_G -> R) j => - x j) i = -1.
Proof. by move=> G p i hp; split=> //; apply: gain_minus_reward. Qed.
