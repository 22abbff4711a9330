(** The decimals of claim self-covariance-max, by interval arithmetic. *)

From QAE Require Import Compat Definitions Sums Calculus SelfCovarianceMax.
From Interval Require Import Tactic.

Set Implicit Arguments.
Unset Strict Implicit.

(** An enclosure of the maximum: a value at one point, a bound up to the point e, and the general bound beyond it. *)
Lemma max_enclosure n x0 e lo hi : (1 < n)%N -> / INR n < x0 < 1 -> lo <= heavy_value n x0 -> e < 1 ->
  (forall x, / INR n < x <= e -> heavy_value n x <= hi) -> sqrt (1 - e) * (ln (INR n - 1) + 2) <= hi ->
  lo <= max_self_cov n <= hi.
Proof.
move=> n1 h0 hlo he body tail; have [x [hx ex mx]] := max_self_cov_heavy n1; split.
  by apply: Rle_trans hlo _; apply: mx.
rewrite ex; case: (Rle_or_lt x e) => le; first by apply: body; lra.
apply: Rle_trans (heavy_value_tail n1 hx) _; apply: Rle_trans tail; apply: Rmult_le_compat_r.
  have h := INR_leq n1; rewrite /= in h.
  by have : 0 <= ln (INR n - 1) by [rewrite -ln_1; apply: ln_le; lra]; lra.
by apply: sqrt_le_1_alt; lra.
Qed.

Lemma large_natural (z : Z) : (0 <= z)%Z -> INR (Z.to_nat z) = IZR z.
Proof. by move=> h; rewrite INR_IZR_INZ Z2Nat.id. Qed.

(** The largest self-covariance of 2, of 5 and of 151936 responses, to the last digit given. *)
Theorem self_covariance_max_decimals :
  Rabs (max_self_cov 2 - 0.1599) <= 0.00005 /\ Rabs (max_self_cov 5 - 0.3329) <= 0.00005
  /\ Rabs (max_self_cov (Z.to_nat 151936) - 1.8791) <= 0.00005.
Proof.
have e2 : INR 2 = 2 by rewrite /=; ring.
have e5 : INR 5 = 5 by rewrite /=; ring.
have eb : INR (Z.to_nat 151936) = 151936 by apply: large_natural.
have nb : (1 < Z.to_nat 151936)%N by apply: INR_ltn_inv; rewrite eb /=; lra.
have close lo hi v c : lo <= v <= hi -> lo = c - 0.00005 -> hi = c + 0.00005 -> Rabs (v - c) <= 0.00005.
  by move=> h el eh; apply: Rabs_le; lra.
split; [|split].
- apply: close (@max_enclosure 2 0.8828 0.996 (0.1599 - 0.00005) (0.1599 + 0.00005) isT _ _ _ _ _) _ _ => //.
  + by rewrite e2; lra.
  + by rewrite /heavy_value e2; interval with (i_prec 40).
  + lra.
  + by rewrite e2 /heavy_value e2 => x hx; interval with (i_prec 40, i_bisect x, i_taylor x, i_depth 20).
  + by rewrite e2; interval with (i_prec 40).
- apply: close (@max_enclosure 5 0.8064 0.992 (0.3329 - 0.00005) (0.3329 + 0.00005) isT _ _ _ _ _) _ _ => //.
  + by rewrite e5; lra.
  + by rewrite /heavy_value e5; interval with (i_prec 40).
  + lra.
  + by rewrite e5 /heavy_value e5 => x hx; interval with (i_prec 40, i_bisect x, i_taylor x, i_depth 20).
  + by rewrite e5; interval with (i_prec 40).
apply: close (@max_enclosure _ 0.6928 0.99 (1.8791 - 0.00005) (1.8791 + 0.00005) nb _ _ _ _ _) _ _ => //.
- by rewrite eb; lra.
- by rewrite /heavy_value eb; interval with (i_prec 40).
- lra.
- by rewrite eb /heavy_value eb => x hx; interval with (i_prec 40, i_bisect x, i_taylor x, i_depth 20).
- by rewrite eb; interval with (i_prec 40).
Qed.

Lemma log_odds_term x : 0 < x < 1 -> x ^ 2 * (1 - x) * ln (x / (1 - x)) <= 0.1881.
Proof.
move=> hx; case: (Rle_or_lt x (1 / 2)) => half.
  have : ln (x / (1 - x)) <= 0.
    rewrite -ln_1; apply: ln_le; first by apply: Rdiv_lt_0_compat; lra.
    by apply: (Rmult_le_reg_r (1 - x)); [lra | rewrite /Rdiv Rmult_assoc Rinv_l; lra].
  have : 0 <= x ^ 2 * (1 - x) by apply: Rmult_le_pos; [apply: pow2_ge_0 | lra].
  nra.
case: (Rle_or_lt x 0.992) => big.
  have h : 1 / 2 <= x <= 0.992 by lra.
  by interval with (i_prec 40, i_bisect x, i_taylor x, i_depth 20).
set u := 1 - x; have hu : 0 < u < 0.008 by rewrite /u; lra.
have q0 : 0 < sqrt u by apply: sqrt_lt_R0; lra.
have qq : sqrt u * sqrt u = u by apply: sqrt_sqrt; lra.
have q1 : sqrt u <= 0.09.
  by rewrite -[X in _ <= X]sqrt_square; [apply: sqrt_le_1_alt; lra | lra].
have le1 : ln (x / u) <= - ln u.
  by rewrite ln_div; [|lra|lra]; have : ln x <= ln 1 by [apply: ln_le; lra]; rewrite ln_1; lra.
have le2 : - ln u <= 2 * (/ sqrt u - 1).
  rewrite -qq ln_mult //; have := ln_le_sub1 (Rinv_0_lt_compat _ q0); rewrite ln_Rinv // qq; lra.
have c : 0 <= x ^ 2 * u <= u.
  have : x ^ 2 <= 1 by nra.
  by have := pow2_ge_0 x; split; nra.
have le3 : x ^ 2 * u * ln (x / u) <= u * (2 * (/ sqrt u - 1)).
  have : 0 <= 2 * (/ sqrt u - 1).
    have : 1 <= / sqrt u by rewrite -{1}Rinv_1; apply: Rinv_le_contravar; lra.
    lra.
  set b := 2 * _ in le2 *; move=> b0; have le : ln (x / u) <= b by lra.
  have := Rmult_le_compat_l _ _ _ (proj1 c) le; have := Rmult_le_compat_r _ _ _ b0 (proj2 c); lra.
have e r : 0 < r -> r * r * (2 * (/ r - 1)) = 2 * (r - r * r) by move=> r0; field; lra.
by move: le3; have := e _ q0; rewrite qq => ->; lra.
Qed.

(** The constant beside the leading term of the upper bound. *)
Theorem self_covariance_max_upper : forall n, (1 < n)%N ->
  4 / 27 * (1 - / (2 * (INR n - 1))) * ln (2 * (INR n - 1)) <= max_self_cov n <= 4 / 27 * ln (INR n - 1) + 0.1881.
Proof.
move=> n n1; have [lo _] := max_self_cov_bounds n1; split=> //.
have [x [hx -> mx]] := max_self_cov_heavy n1.
have n2 := INR_leq n1; rewrite /= in n2.
have i0 : 0 < / INR n by apply: Rinv_0_lt_compat; lra.
have h : 0 < x < 1 by lra.
apply: Rle_trans (heavy_value_upper n1 hx) _; rewrite Rmult_plus_distr_l; apply: Rplus_le_compat.
  apply: Rmult_le_compat_r; last by apply: cubic_max; lra.
  by rewrite -ln_1; apply: ln_le; lra.
exact: log_odds_term.
Qed.
