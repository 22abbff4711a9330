(** Bounds on the gains of QAE and GRPO for one success probability and one group size, by integers that Coq computes.

    With p = a/(a + b) and n = a + b, the gain is the sum over 0 < m < G of C(G, m) a^m b^(G - m) sqrt(m (G - m)) f(m),
    divided by n^G, where f(m) is the rational number n/(a (G - m)) or n/(b m) for QAE, by the gate, and n^2/(a b G) for
    GRPO. The square root of m (G - m) 10^20 lies between two neighbouring integers, and a quotient between its floor
    and the next integer. *)

From QAE Require Import Compat Definitions Sums Rewards Groups Tables NeutralityGains Neutrality NeutralityLimit.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Integers *)

Lemma sum_ends N (F : nat -> R) : (0 < N)%N -> \sum_(j < N.+1) F j = F 0%N + (\sum_(j < N.-1) F j.+1 + F N).
Proof. by case: N => // N _; rewrite big_ord_recl big_ord_recr. Qed.

Section Bounds.
(** p = a/(a + b) and K = k/e. *)
Variables (G : nat) (a b k e : Z).
Local Open Scope Z_scope.
Definition digits : Z := 10 ^ 10.
Definition integer_weight (m : nat) : Z :=
  Z.of_nat 'C(G, m) * a ^ Z.of_nat m * b ^ (Z.of_nat G - Z.of_nat m).
Definition integer_root (m : nat) : Z := Z.sqrt (Z.of_nat m * (Z.of_nat G - Z.of_nat m) * digits ^ 2).
Definition integer_gate (m : nat) : bool := (Z.of_nat m * e <=? Z.of_nat G * (e - k)).

(** The numerator and the denominator of f(m). *)
Definition qae_part (m : nat) : Z * Z :=
  if integer_gate m then (a + b, a * (Z.of_nat G - Z.of_nat m)) else (a + b, b * Z.of_nat m).
Definition grpo_part (m : nat) : Z * Z := ((a + b) ^ 2, a * b * Z.of_nat G).

(** The terms of the sum for a weight w, and the sum, in which each weight is computed from the one before. *)
Definition lower_term (part : nat -> Z * Z) (m : nat) (w : Z) : Z :=
  w * integer_root m * (part m).1 / (part m).2.
Definition upper_term (part : nat -> Z * Z) (m : nat) (w : Z) : Z :=
  w * (integer_root m + 1) * (part m).1 / (part m).2 + 1.
Definition next_weight (m : nat) (w : Z) : Z := w * ((Z.of_nat G - Z.of_nat m) * a) / (Z.of_nat m.+1 * b).
Fixpoint weighted_sum (f : nat -> Z -> Z) (m n : nat) (w : Z) : Z :=
  if n is n'.+1 then f m.+1 (next_weight m w) + weighted_sum f m.+1 n' (next_weight m w) else 0.
Definition lower_sum (part : nat -> Z * Z) : Z := weighted_sum (lower_term part) 0 G.-1 (b ^ Z.of_nat G).
Definition upper_sum (part : nat -> Z * Z) : Z := weighted_sum (upper_term part) 0 G.-1 (b ^ Z.of_nat G).
Definition denominator : Z := digits * (a + b) ^ Z.of_nat G.
End Bounds.

Lemma next_weightE G a b m : (0 < b)%Z -> (m < G)%N ->
  next_weight G a b m (integer_weight G a b m) = integer_weight G a b m.+1.
Proof.
move=> b0 mG; rewrite /next_weight -(@Z.div_mul (integer_weight G a b m.+1) (Z.of_nat m.+1 * b)); last by lia.
congr (_ / _)%Z; rewrite /integer_weight.
have -> : (Z.of_nat G - Z.of_nat m = Z.succ (Z.of_nat G - Z.of_nat m.+1))%Z by lia.
have le : (0 <= Z.of_nat G - Z.of_nat m.+1)%Z by have := ltP mG; lia.
rewrite (Z.pow_succ_r b) // [in RHS]Nat2Z.inj_succ Z.pow_succ_r; last by lia.
have e : (Z.of_nat m.+1 * Z.of_nat 'C(G, m.+1) = Z.succ (Z.of_nat G - Z.of_nat m.+1) * Z.of_nat 'C(G, m))%Z.
  have := mul_bin_left G m => /(congr1 Z.of_nat); rewrite -!multE !Nat2Z.inj_mul => ->.
  by rewrite -minusE Nat2Z.inj_sub; [congr (_ * _)%Z; lia | apply/leP; apply: ltnW].
have alg (k N c c' x y : Z) : (k * c' = N * c -> c * x * (b * y) * (N * a) = c' * (a * x) * y * (k * b))%Z.
  move=> h; transitivity (N * c * (a * x * (b * y)))%Z; first by ring.
  by rewrite -h; ring.
by rewrite !Nat2Z.inj_succ in e *; apply: alg.
Qed.

Lemma weighted_sumE G a b f m n : (0 < b)%Z -> (m + n <= G)%N ->
  IZR (weighted_sum G a b f m n (integer_weight G a b m)) =
  \sum_(j < n) IZR (f (m + j).+1 (integer_weight G a b (m + j).+1)).
Proof.
move=> b0; elim: n m => [|n IH] m mn; first by rewrite big_ord0.
rewrite big_ord_recl addn0 /= next_weightE //; last by apply: leq_trans mn; rewrite addnS ltnS leq_addr.
rewrite plus_IZR IH; last by rewrite addSn -addnS.
by congr (_ + _); apply: eq_bigr => j _; rewrite addSn -addnS.
Qed.

Lemma floor_bounds (x y : Z) : (0 < y)%Z -> IZR (x / y) <= IZR x / IZR y < IZR (x / y + 1).
Proof.
move=> y0; have y0' := IZR_lt _ _ y0; have [lo hi] := Z.mod_pos_bound x y y0; have e := Z.div_mod x y.
have e' : (x = y * (x / y) + x mod y)%Z by apply: e; lia.
have E : IZR x = IZR y * IZR (x / y) + IZR (x mod y) by rewrite -mult_IZR -plus_IZR -e'.
have lo' := IZR_le _ _ lo; have hi' := IZR_lt _ _ hi; rewrite plus_IZR.
split; first by apply: (Rmult_le_reg_r (IZR y)) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
by apply: (Rmult_lt_reg_r (IZR y)) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
Qed.

Lemma scaled_floor (w x n d : Z) (r : R) : 0 <= IZR w -> IZR x <= r -> r <= IZR (x + 1) -> (0 < n)%Z -> (0 < d)%Z ->
  IZR (w * x * n / d) <= IZR w * r * IZR n / IZR d /\ IZR w * r * IZR n / IZR d <= IZR (w * (x + 1) * n / d + 1).
Proof.
move=> w0 lo hi n0 d0; have n0' := IZR_lt _ _ n0; have d0' := Rinv_0_lt_compat _ (IZR_lt _ _ d0).
have [l _] := floor_bounds (w * x * n) d0; have [_ h] := floor_bounds (w * (x + 1) * n) d0.
split.
  apply: Rle_trans l _; rewrite !mult_IZR; apply: Rmult_le_compat_r; first by lra.
  by apply: Rmult_le_compat_r; [lra | apply: Rmult_le_compat_l].
apply: Rle_trans (Rlt_le _ _ h); rewrite !mult_IZR; apply: Rmult_le_compat_r; first by lra.
by apply: Rmult_le_compat_r; [lra | apply: Rmult_le_compat_l].
Qed.

Lemma root_bounds (x : Z) : (0 <= x)%Z ->
  IZR (Z.sqrt (x * digits ^ 2)) <= sqrt (IZR x) * IZR digits <= IZR (Z.sqrt (x * digits ^ 2) + 1).
Proof.
move=> x0; have d0 : 0 < IZR digits by apply: IZR_lt.
have v0 : (0 <= x * digits ^ 2)%Z by apply: Z.mul_nonneg_nonneg.
have [lo hi] := Z.sqrt_spec _ v0; have r0 := Z.sqrt_nonneg (x * digits ^ 2).
have e : sqrt (IZR x) * IZR digits = sqrt (IZR (x * digits ^ 2)).
  rewrite mult_IZR sqrt_mult; [|exact: IZR_le|exact: IZR_le].
  by congr (_ * _); rewrite Z.pow_2_r mult_IZR sqrt_square //; lra.
rewrite e; split.
  rewrite -[X in X <= _]sqrt_square; last exact: IZR_le.
  by apply: sqrt_le_1_alt; rewrite -mult_IZR; apply: IZR_le.
rewrite -[X in _ <= X]sqrt_square; last by apply: IZR_le; lia.
by apply: sqrt_le_1_alt; rewrite -mult_IZR; apply: IZR_le; lia.
Qed.

Section Correct.
Variables (G : nat) (a b k e : Z) (p K : R) (i : 'I_G).
Hypotheses (a0 : (0 < a)%Z) (b0 : (0 < b)%Z) (k0 : (0 < k < e)%Z).
Hypotheses (hp : p = IZR a / (IZR a + IZR b)) (hK : K = IZR k / IZR e).

Lemma probability_range : 0 < p < 1.
Proof.
have a0' := IZR_lt _ _ a0; have b0' := IZR_lt _ _ b0; rewrite hp; split; first by apply: Rdiv_lt_0_compat; lra.
by apply: (Rmult_lt_reg_r (IZR a + IZR b)); [lra | rewrite /Rdiv Rmult_assoc Rinv_l; lra].
Qed.

Lemma level_range : 0 < K < 1.
Proof.
have [k1 k2] := k0; have k1' := IZR_lt _ _ k1; have k2' := IZR_lt _ _ k2; rewrite hK; split.
  by apply: Rdiv_lt_0_compat; lra.
by apply: (Rmult_lt_reg_r (IZR e)); [lra | rewrite /Rdiv Rmult_assoc Rinv_l; lra].
Qed.

(** The integrand h of a gain is sqrt(m (G - m)) times the rational number of [part]. *)
Definition integrand_part (h : R -> R) (part : nat -> Z * Z) : Prop := h 0 = 0 /\ h 1 = 0 /\
  forall m, (0 < m < G)%N -> (0 < (part m).1)%Z /\ (0 < (part m).2)%Z /\
    h (rate G m) = sqrt (INR m * (INR G - INR m)) * (IZR (part m).1 / IZR (part m).2).

Lemma size_pos : 0 < INR G.
Proof. exact/INR_pos/(group_pos i). Qed.

Lemma mixed_range m : (0 < m < G)%N -> 0 < INR m /\ INR m < INR G.
Proof. by move=> /andP[/INR_pos m0 /INR_ltn mG]. Qed.

Lemma root_scaled m : (0 < m < G)%N ->
  sqrt (rate G m * (1 - rate G m)) = sqrt (INR m * (INR G - INR m)) / INR G.
Proof.
move=> hm; have g := size_pos; have [m0 mG] := mixed_range hm.
have -> : rate G m * (1 - rate G m) = INR m * (INR G - INR m) / (INR G * INR G) by rewrite /rate; field; lra.
rewrite sqrt_div; [|nra|nra]; by rewrite sqrt_square; lra.
Qed.

Lemma qae_part_correct : integrand_part (qae_integrand K p) (qae_part G a b k e).
Proof.
have [p0 p1] := probability_range; have [K0 K1] := level_range; have g := size_pos.
have a0' := IZR_lt _ _ a0; have b0' := IZR_lt _ _ b0; have [k1 k2] := k0; have e0 : 0 < IZR e by apply: IZR_lt; lia.
split; first by rewrite /qae_integrand Rleb_true; [rewrite /u_weight /Rdiv !Rmult_0_l sqrt_0; ring | lra].
split.
  by rewrite /qae_integrand Rleb_false; [rewrite /v_weight Rminus_eq_0 /Rdiv !Rmult_0_l sqrt_0; ring | lra].
move=> m hm; have [m0 mG] := mixed_range hm; have hr := @rate_bounds G m hm.
have [s s0 [es ss]] := square_pos hr; have es' := root_scaled hm; rewrite es in es'.
have r0 : 0 < sqrt (INR m * (INR G - INR m)) by apply: sqrt_lt_R0; nra.
have rr : sqrt (INR m * (INR G - INR m)) * sqrt (INR m * (INR G - INR m)) = INR m * (INR G - INR m).
  by apply: sqrt_sqrt; nra.
have mz : (Z.of_nat m < Z.of_nat G)%Z by apply: lt_IZR; rewrite -!INR_IZR_INZ.
have mz0 : (0 < Z.of_nat m)%Z by apply: lt_IZR; rewrite -INR_IZR_INZ.
have gate : integer_gate G k e m = Rleb (rate G m) (1 - K).
  apply/idP/RlebP => [/Z.leb_le h|h].
    have := IZR_le _ _ h; rewrite !mult_IZR minus_IZR -!INR_IZR_INZ => h'.
    apply: (Rmult_le_reg_r (INR G * IZR e)); first by nra.
    by rewrite (_ : rate G m * (INR G * IZR e) = INR m * IZR e) ?hK; [|rewrite /rate; field; lra];
       rewrite (_ : (1 - IZR k / IZR e) * (INR G * IZR e) = INR G * (IZR e - IZR k)) //; field; lra.
  apply/Z.leb_le; apply: le_IZR; rewrite !mult_IZR minus_IZR -!INR_IZR_INZ.
  have ge0 : 0 <= INR G * IZR e by nra.
  have := Rmult_le_compat_r (INR G * IZR e) _ _ ge0 h; rewrite hK.
  rewrite (_ : rate G m * (INR G * IZR e) = INR m * IZR e); last by rewrite /rate; field; lra.
  by rewrite (_ : (1 - IZR k / IZR e) * (INR G * IZR e) = INR G * (IZR e - IZR k)) //; field; lra.
rewrite /qae_integrand /qae_part gate; case: Rleb => /=.
  split; first by lia.
  split; first by apply: Z.mul_pos_pos; lia.
  rewrite (u_weight_root hr s0 ss) es' !(mult_IZR, plus_IZR, minus_IZR) -!INR_IZR_INZ hp /rate.
  set r := sqrt _ in r0 rr *; have -> : INR m / INR G / (r / INR G) = r * (INR m / (r * r)) by field; lra.
  by rewrite rr; field; lra.
split; first by lia.
split; first by apply: Z.mul_pos_pos; lia.
rewrite (v_weight_root hr s0 ss) es' !(mult_IZR, plus_IZR, minus_IZR) -!INR_IZR_INZ hp /rate.
set r := sqrt _ in r0 rr *.
have -> : (1 - INR m / INR G) / (r / INR G) = r * ((INR G - INR m) / (r * r)) by field; lra.
by rewrite rr; field; lra.
Qed.

Lemma grpo_part_correct : integrand_part (grpo_integrand p) (grpo_part G a b).
Proof.
have [p0 p1] := probability_range; have g := size_pos.
have a0' := IZR_lt _ _ a0; have b0' := IZR_lt _ _ b0.
split; first by rewrite /grpo_integrand Rmult_0_l sqrt_0 /Rdiv Rmult_0_l.
split; first by rewrite /grpo_integrand Rminus_eq_0 Rmult_0_r sqrt_0 /Rdiv Rmult_0_l.
move=> m hm; have [m0 mG] := mixed_range hm.
have gz : (0 < Z.of_nat G)%Z by apply: lt_IZR; rewrite -INR_IZR_INZ.
split; first by apply: Z.pow_pos_nonneg; lia.
split; first by rewrite /=; apply: Z.mul_pos_pos; lia.
have -> : IZR (grpo_part G a b m).1 = (IZR a + IZR b) * (IZR a + IZR b).
  by rewrite -plus_IZR -mult_IZR -Z.pow_2_r.
have -> : IZR (grpo_part G a b m).2 = IZR a * IZR b * INR G by rewrite !mult_IZR -INR_IZR_INZ.
by rewrite /grpo_integrand root_scaled // hp; field; lra.
Qed.

Lemma term_bounds h part m : integrand_part h part -> (0 < m < G)%N ->
  let v := binomial_law G p m * h (rate G m) * IZR (denominator G a b) in
  IZR (lower_term G part m (integer_weight G a b m)) <= v /\ v <= IZR (upper_term G part m (integer_weight G a b m)).
Proof.
move=> [_ [_ hpart]] hm; have [n0 [d0 e1]] := hpart m hm; have [m0 mG] := andP hm; have [m0' mG'] := mixed_range hm.
have a0' := IZR_lt _ _ a0; have b0' := IZR_lt _ _ b0; have n0' := IZR_lt _ _ n0; have d0' := IZR_lt _ _ d0.
have mz : (Z.of_nat m < Z.of_nat G)%Z by apply: lt_IZR; rewrite -!INR_IZR_INZ.
have w0 : 0 <= IZR (integer_weight G a b m).
  apply: IZR_le; rewrite /integer_weight.
  apply: Z.mul_nonneg_nonneg; last by apply: Z.pow_nonneg; lia.
  by apply: Z.mul_nonneg_nonneg; [lia | apply: Z.pow_nonneg; lia].
set r := sqrt (INR m * (INR G - INR m)) in e1.
have v : binomial_law G p m * h (rate G m) * IZR (denominator G a b) =
    IZR (integer_weight G a b m) * (r * IZR digits) * IZR (part m).1 / IZR (part m).2.
  rewrite e1 /denominator /integer_weight.
  rewrite !mult_IZR -Nat2Z.inj_sub; last by apply/leP; apply: ltnW.
  rewrite -!pow_IZR -INR_IZR_INZ plus_IZR /binomial_law minusE hp.
  have q : 1 - IZR a / (IZR a + IZR b) = IZR b * / (IZR a + IZR b) by field; lra.
  rewrite q /Rdiv !Rpow_mult_distr -(subnK (ltnW mG)) addnK pow_add !pow_inv.
  have n1 : (IZR a + IZR b) ^ m <> 0 by apply: pow_nonzero; lra.
  have n2 : (IZR a + IZR b) ^ (G - m) <> 0 by apply: pow_nonzero; lra.
  by field; lra.
have [rlo rhi] : IZR (integer_root G m) <= r * IZR digits <= IZR (integer_root G m + 1).
  have -> : r = sqrt (IZR (Z.of_nat m * (Z.of_nat G - Z.of_nat m))) by rewrite mult_IZR minus_IZR -!INR_IZR_INZ.
  by apply: root_bounds; apply: Z.mul_nonneg_nonneg; lia.
by move=> V; rewrite /V v; apply: scaled_floor.
Qed.

Lemma denominator_pos : 0 < IZR (denominator G a b).
Proof. by apply: IZR_lt; apply: Z.mul_pos_pos => //; apply: Z.pow_pos_nonneg; lia. Qed.

Lemma mean_bounds_integers h part : integrand_part h part ->
  let v := binomial_mean G p (fun m => h (rate G m)) * IZR (denominator G a b) in
  IZR (lower_sum G a b part) <= v /\ v <= IZR (upper_sum G a b part).
Proof.
move=> hpart; have G0 := group_pos i; have [h0 [h1 _]] := hpart.
have -> : binomial_mean G p (fun m => h (rate G m)) * IZR (denominator G a b) =
    \sum_(j < G.-1) binomial_law G p j.+1 * h (rate G j.+1) * IZR (denominator G a b).
  rewrite /binomial_mean (sum_ends (fun m => binomial_law G p m * h (rate G m)) G0) rate_0 (rate_G i) h0 h1 sum_scale_r.
  by rewrite !Rmult_0_r Rplus_0_l Rplus_0_r.
have term (j : 'I_G.-1) : (0 < j.+1 < G)%N by rewrite /= -ltn_predRL; case: G G0 j => // n _ j.
have w0 : (b ^ Z.of_nat G = integer_weight G a b 0)%Z.
  by rewrite /integer_weight bin0 Z.sub_0_r Z.pow_0_r !Z.mul_1_l.
have le : (0 + G.-1 <= G)%N by rewrite add0n leq_pred.
by split; rewrite /lower_sum /upper_sum w0 weighted_sumE //; apply: sum_le => j _;
   have [] := term_bounds hpart (term j).
Qed.

Lemma gain_qae_bounds :
  IZR (lower_sum G a b (qae_part G a b k e)) <= gain p (@qae G Population 0 K) i * IZR (denominator G a b) /\
  gain p (@qae G Population 0 K) i * IZR (denominator G a b) <= IZR (upper_sum G a b (qae_part G a b k e)).
Proof.
rewrite gain_qae_group; [|exact: probability_range|exact: level_range].
exact: mean_bounds_integers qae_part_correct.
Qed.

Lemma gain_grpo_bounds :
  IZR (lower_sum G a b (grpo_part G a b)) <= gain p (@grpo G Population 0) i * IZR (denominator G a b) /\
  gain p (@grpo G Population 0) i * IZR (denominator G a b) <= IZR (upper_sum G a b (grpo_part G a b)).
Proof. by rewrite gain_grpo_group; [apply: mean_bounds_integers grpo_part_correct | apply: probability_range]. Qed.

End Correct.
