(** The gate, the quantile and the advantages by integer and rational arithmetic, for a rational level K = a/q.

    These functions can be evaluated, and each is proved equal to its definition over the real numbers. The files that
    hold the shipped Python code against the definitions evaluate them. *)

From Coq Require Import QArith Qreals.
From QAE Require Import Compat Definitions Sums Rewards Groups Tables.

Set Implicit Arguments.
Unset Strict Implicit.
Open Scope R_scope.

(** * Rounding a rational number of the form a n / q *)

Definition floor_ratio (a q n : nat) : nat := ((a * n) %/ q)%N.
Definition ceil_ratio (a q n : nat) : nat := ((a * n + q.-1) %/ q)%N.

(** The level K = a/q. *)
Definition level (a q : nat) : R := INR a / INR q.

Section Rounding.
Variables (a q n : nat).
Hypothesis q0 : (0 < q)%N.

Lemma level_times : level a q * INR n = INR (a * n) / INR q.
Proof. by have qp := INR_pos q0; rewrite /level INR_mul; field; lra. Qed.

Lemma ratio_ge0 : 0 <= INR (a * n) / INR q.
Proof. by apply: Rdiv_le_0_compat; [apply: pos_INR | apply: INR_pos]. Qed.

Lemma ceil_computed : ceil (level a q * INR n) = ceil_ratio a q n.
Proof.
have qp := INR_pos q0; rewrite level_times.
have e : INR (a * n) / INR q * INR q = INR (a * n) by field; lra.
have bound m : (ceil (INR (a * n) / INR q) <= m)%N = (ceil_ratio a q n <= m)%N.
  have -> : (ceil_ratio a q n <= m)%N = (a * n <= m * q)%N.
    by rewrite /ceil_ratio -ltnS ltn_divLR // mulSn -[X in (_ < X + _)%N](prednK q0) addSn ltnS addnC leq_add2l.
  apply/idP/idP => [/(ceil_le_iff _ ratio_ge0) h|h].
    by apply: INR_leq_inv; rewrite -e [X in _ <= X]INR_mul; apply: Rmult_le_compat_r (Rlt_le _ _ qp) h.
  apply/(ceil_le_iff _ ratio_ge0); apply: (Rmult_le_reg_r (INR q)) => //.
  by rewrite e -INR_mul; apply: INR_leq.
by apply/eqP; rewrite eqn_leq bound leqnn -bound leqnn.
Qed.

Lemma floor_computed : floor (INR n * level a q) = floor_ratio a q n.
Proof.
have qp := INR_pos q0; rewrite Rmult_comm level_times; apply: floor_unique.
have e : INR (a * n) = INR (floor_ratio a q n) * INR q + INR ((a * n) %% q).
  by rewrite -INR_mul -INR_add /floor_ratio -divn_eq.
have lt : INR ((a * n) %% q) < INR q by apply: INR_ltn; rewrite ltn_mod.
have := pos_INR ((a * n) %% q) => r0.
have e' : INR (a * n) / INR q * INR q = INR (a * n) by field; lra.
split; first by apply: (Rmult_le_reg_r (INR q)) => //; rewrite e'; lra.
by apply: (Rmult_lt_reg_r (INR q)) => //; rewrite e'; lra.
Qed.
End Rounding.

(** * Order statistics and quantiles of integer rewards *)

(** The rewards of a group given as a list of integers. *)
Definition listed (s : seq Z) : 'I_(size s) -> R := fun i => IZR (nth 0%Z s i).
Arguments listed : clear implicits.

Definition order_stat_z (j : nat) (s : seq Z) : Z := nth 0%Z (sort Z.leb s) j.-1.
Definition quantile_z (a q : nat) (s : seq Z) : Z := order_stat_z (ceil_ratio a q (size s)) s.
(** The interpolated quantile times q. *)
Definition linear_quantile_z (a q : nat) (s : seq Z) : Z :=
  let n := (size s).-1 in let j := floor_ratio a q n in
  (Z.of_nat q * order_stat_z j.+1 s
   + Z.of_nat ((a * n) %% q) * (order_stat_z j.+2 s - order_stat_z j.+1 s))%Z.

Section Listed.
Variables (a q : nat) (s : seq Z).
Hypotheses (q0 : (0 < q)%N) (s0 : (0 < size s)%N).

Lemma order_stat_computed j : order_stat j (listed s) = IZR (order_stat_z j s).
Proof.
rewrite /order_stat /order_stat_z /listed.
have -> : map (fun i : 'I_(size s) => IZR (nth 0%Z s i)) (enum 'I_(size s)) = map IZR s.
  by rewrite -[in RHS](mkseq_nth 0%Z s) /mkseq -val_enum_ord -[RHS]map_comp -[RHS]map_comp.
have mono : {mono IZR : x y / Z.leb x y >-> Rleb x y}.
  by move=> x y; apply/RlebP/idP => [/le_IZR/Z.leb_le //|/Z.leb_le]; apply: IZR_le.
rewrite -(map_sort mono).
case: (ltnP j.-1 (size s)) => h; first by rewrite (nth_map 0%Z) // size_sort.
by rewrite !nth_default // ?size_map size_sort.
Qed.

Lemma quantile_computed : (0 < a <= q)%N -> quantile (level a q) (listed s) = IZR (quantile_z a q s).
Proof.
move=> /andP[a0 aq]; have qp := INR_pos q0; have ap := INR_pos a0; have le := INR_leq aq.
have hK : 0 < level a q <= 1.
  split; first exact: Rdiv_lt_0_compat.
  by apply: (Rmult_le_reg_r (INR q)) => //; rewrite /level (_ : INR a / INR q * INR q = INR a); [lra | field; lra].
by rewrite (quantile_order_stat (listed s) s0 hK).2 order_stat_computed ceil_computed.
Qed.

Lemma linear_quantile_computed : linear_quantile (level a q) (listed s) = IZR (linear_quantile_z a q s) / INR q.
Proof.
have qp := INR_pos q0; rewrite /linear_quantile /linear_quantile_z floor_computed // !order_stat_computed.
set n := (size s).-1; set j := floor_ratio a q n.
have e : INR (a * n) = INR j * INR q + INR ((a * n) %% q).
  by rewrite -INR_mul -INR_add /j /floor_ratio -divn_eq.
have -> : INR n * level a q - INR j = INR ((a * n) %% q) / INR q.
  by rewrite Rmult_comm level_times // e; field; lra.
by rewrite plus_IZR !mult_IZR minus_IZR -!INR_IZR_INZ; field; lra.
Qed.
End Listed.

(** * Advantages of binary groups *)

Inductive rule : Set := Grpo | Qae | QaeLinear | PosMask | NegMask | DrGrpo | Rloo | Psr | Nsr.

(** The estimator that a rule names, at eps = 0. *)
Definition estimator_of (G : nat) (k : divisor) (K : R) (n : rule) : estimator G :=
  match n with
  | Grpo => grpo k 0 | Qae => qae k 0 K | QaeLinear => qae_linear k 0 K
  | PosMask => pos_mask k 0 K | NegMask => neg_mask k 0 K
  | DrGrpo => @dr_grpo G | Rloo => @rloo G | Psr => @psr G | Nsr => @nsr G
  end.

Definition is_standardised (n : rule) : bool :=
  match n with Grpo | Qae | QaeLinear | PosMask | NegMask => true | DrGrpo | Rloo | Psr | Nsr => false end.

Definition ratio (n d : nat) : Q := Qmake (Z.of_nat n) (Pos.of_nat d).
Definition bit_q (b : bool) : Q := if b then 1%Q else 0%Q.
Definition hard_n (a q G m : nat) : bool := (ceil_ratio a q G <= G - m)%N.
Definition linear_q (a q G m : nat) : Q :=
  let j := floor_ratio a q G.-1 in let stat l := bit_q (~~ (l <= G - m)%N) in
  (stat j.+1 + ratio ((a * G.-1) %% q) q * (stat j.+2 - stat j.+1))%Q.

(** The advantage of a response before division by the standard deviation, and the variance of the group. *)
Definition numerator_q (n : rule) (a q G : nat) (c : bool) (m : nat) : Q :=
  match n with
  | Grpo | DrGrpo => bit_q c - ratio m G
  | Qae => bit_q c - bit_q (~~ hard_n a q G m)
  | QaeLinear => bit_q c - linear_q a q G m
  | PosMask => bit_q (hard_n a q G m) * bit_q c - (1 - bit_q c)
  | NegMask => bit_q c - bit_q (~~ hard_n a q G m) * (1 - bit_q c)
  | Rloo => bit_q c - ratio (m - c) G.-1
  | Psr => bit_q c
  | Nsr => bit_q c - 1
  end%Q.
Definition variance_q (k : divisor) (G m : nat) : Q := ratio (m * (G - m)) (G * if k is Bessel then G.-1 else G).

(** The advantage times its size, which says its sign and its square. *)
Definition signed_square (x : R) : R := x * Rabs x.
Definition signed_square_q (n : rule) (k : divisor) (a q G : nat) (c : bool) (m : nat) : Q :=
  let x := numerator_q n a q G c m in let xx := if Qle_bool 0 x then (x * x)%Q else (- (x * x))%Q in
  Qred (if is_standardised n then if (m == 0%N) || (m == G) then 0%Q else (xx / variance_q k G m)%Q else xx).

Lemma ratio_real n d : (0 < d)%N -> Q2R (ratio n d) = INR n / INR d.
Proof.
case: d => // d _; rewrite /ratio /Q2R /= -INR_IZR_INZ -positive_nat_Z -INR_IZR_INZ.
by rewrite -/(Pos.of_nat d.+1) Nat2Pos.id.
Qed.

Lemma bit_real b : Q2R (bit_q b) = bit b.
Proof. by case: b; rewrite /bit_q /bit /Q2R /=; field. Qed.

Lemma one_real : Q2R 1%Q = 1.
Proof. exact: bit_real true. Qed.

Section Advantages.
Variables (G : nat) (k : divisor) (a q : nat) (c : {ffun 'I_G -> bool}) (i : 'I_G).
Hypotheses (a0 : (0 < a)%N) (aq : (a < q)%N) (G1 : (1 < G)%N).
Let m := num_correct (rewards bit c).
Let bin := rewards_bit_binary c.

Let q0 : (0 < q)%N := leq_ltn_trans (leq0n a) aq.
Let G0 : (0 < G)%N := ltnW G1.
Let mG : (m <= G)%N := num_correct_le _.

Lemma level_bounds : 0 < level a q < 1.
Proof.
have qp := INR_pos q0; split; first by apply: Rdiv_lt_0_compat => //; apply: INR_pos.
apply: (Rmult_lt_reg_r (INR q)) => //; rewrite /level (_ : INR a / INR q * INR q = INR a); last by field; lra.
by have := INR_ltn aq; lra.
Qed.

Let hK : 0 < level a q <= 1.
Proof. by have := level_bounds; lra. Qed.

Lemma hard_computed : Rleb (rate G m) (1 - level a q) = hard_n a q G m.
Proof. by rewrite -[LHS]/(hard (level a q) (rewards bit c)) hard_integers // ceil_computed. Qed.

Lemma gate_computed : gate (level a q) (rate G m) = Q2R (bit_q (~~ hard_n a q G m)).
Proof. by rewrite /gate hard_computed bit_real /bit; case: hard_n. Qed.

Lemma table_linear_computed : table_linear G (level a q) m = Q2R (linear_q a q G m).
Proof.
have qp := INR_pos q0; rewrite /table_linear /linear_q floor_computed //.
rewrite Q2R_plus Q2R_mult Q2R_minus !bit_real ratio_real //.
have e : INR (a * G.-1) = INR (floor_ratio a q G.-1) * INR q + INR ((a * G.-1) %% q).
  by rewrite -INR_mul -INR_add /floor_ratio -divn_eq.
have -> : INR G.-1 * level a q - INR (floor_ratio a q G.-1) = INR ((a * G.-1) %% q) / INR q.
  by rewrite Rmult_comm level_times // e; field; lra.
by congr (_ + _ * (_ - _)); rewrite /bit; case: (_ <= _)%N.
Qed.

(** The table of a rule's numerator, and the advantage from it. *)
Lemma advantage_computed (n : rule) : estimator_of k (level a q) n (rewards bit c) i =
  if is_standardised n
  then if (m == 0%N) || (m == G) then 0 else Q2R (numerator_q n a q G (c i) m) / sqrt (Q2R (variance_q k G m))
  else Q2R (numerator_q n a q G (c i) m).
Proof.
have gp := INR_pos G0; have gp1 : 0 < INR G - 1 by have := INR_ltn G1 => /=; lra.
have std : table_std G k m = sqrt (Q2R (variance_q k G m)).
  have G1' : (0 < G.-1)%N by rewrite -subn1 subn_gt0.
  rewrite /table_std /variance_q ratio_real; last by case: k; rewrite muln_gt0 G0.
  rewrite /rate !INR_mul INR_sub //; congr sqrt; case: k; first by field; lra.
  by rewrite -subn1 INR_sub //=; field; lra.
have over A f : has_table A (table_over G k 0 f) -> f (c i) m = Q2R (numerator_q n a q G (c i) m) ->
    A (rewards bit c) i = if (m == 0%N) || (m == G) then 0
      else Q2R (numerator_q n a q G (c i) m) / sqrt (Q2R (variance_q k G m)).
  by move=> h e; rewrite h /table_over /table_mixed -/m e std Rplus_0_r.
case: n over => over /=.
- by apply: (over _ _ (@grpo_table G k 0)); rewrite /numerator_q Q2R_minus bit_real ratio_real.
- by apply: (over _ _ (@qae_table G k 0 _ hK)); rewrite /numerator_q Q2R_minus bit_real gate_computed.
- apply: (over _ _ (@qae_linear_table G k 0 _ level_bounds)).
  by rewrite /numerator_q Q2R_minus bit_real table_linear_computed.
- apply: (over _ _ (@pos_mask_table G k 0 (level a q))).
  by rewrite /numerator_q !Q2R_minus Q2R_mult !bit_real one_real hard_computed.
- apply: (over _ _ (@neg_mask_table G k 0 (level a q))).
  by rewrite /numerator_q !Q2R_minus Q2R_mult !bit_real Q2R_minus bit_real one_real hard_computed.
- by rewrite (@dr_grpo_table G c i) Q2R_minus bit_real ratio_real.
- by rewrite (@rloo_table G c i) Q2R_minus bit_real ratio_real // -subn1 subn_gt0.
- by rewrite (@psr_table G c i) bit_real.
by rewrite (@nsr_table G c i) Q2R_minus bit_real one_real.
Qed.

Lemma square_real x : Q2R (if Qle_bool 0 x then (x * x)%Q else (- (x * x))%Q) = signed_square (Q2R x).
Proof.
have z : Q2R 0 = 0 by exact: (bit_real false).
rewrite /signed_square; case E: (Qle_bool 0 x).
  have : 0 <= Q2R x by rewrite -z; apply: Qle_Rle; apply/Qle_bool_iff.
  by move=> h; rewrite Q2R_mult Rabs_right //; lra.
have : Q2R x <= 0.
  rewrite -z; apply: Qle_Rle; apply: Qlt_le_weak; apply/Qnot_le_lt => /Qle_bool_iff.
  by rewrite E.
by move=> h; rewrite Q2R_opp Q2R_mult Rabs_left1 //; ring.
Qed.

(** The main statement: the computed rational number is the advantage of the definition, times its size. *)
Theorem signed_square_computed (n : rule) :
  signed_square (estimator_of k (level a q) n (rewards bit c) i) = Q2R (signed_square_q n k a q G (c i) m).
Proof.
rewrite /signed_square_q (Qeq_eqR _ _ (Qred_correct _)) advantage_computed.
have z : signed_square 0 = 0 by rewrite /signed_square; ring.
have zq : Q2R 0 = 0 by exact: (bit_real false).
case: (is_standardised n); last by rewrite square_real.
case: ifP => [_|/negbT mixed]; first by rewrite z zq.
have v0 : 0 < Q2R (variance_q k G m).
  move: mixed; rewrite negb_or -lt0n => /andP[m0 /eqP mneG].
  have mltG : (m < G)%N by rewrite ltn_neqAle mG andbT; apply/eqP.
  have G1' : (0 < G.-1)%N by rewrite -subn1 subn_gt0.
  rewrite /variance_q ratio_real; last by case: k; rewrite muln_gt0 G0.
  apply: Rdiv_lt_0_compat; apply: INR_pos; first by rewrite muln_gt0 m0 subn_gt0.
  by case: k; rewrite muln_gt0 G0.
rewrite Q2R_div => [|/Qeq_eqR e]; last by rewrite e zq in v0; lra.
rewrite square_real /signed_square; set x := Q2R _; set v := Q2R _ in v0 *.
have s0 := sqrt_lt_R0 _ v0; have sq := sqrt_sqrt v (Rlt_le _ _ v0).
rewrite /Rdiv Rabs_mult (Rabs_right (/ sqrt v)); last by apply: Rle_ge; apply: Rlt_le; apply: Rinv_0_lt_compat.
by rewrite -{3}sq; field; lra.
Qed.
End Advantages.
