(** Up to which step the update p (r - b) keeps Proposition 4.2's order of two baselines (claims safe-step and
    prop42-finite-step-if).

    Two routes lead there: the first-order gap against the bounds of claim remainder, and the derivative of the entropy
    in the baseline, which is at least 0 while the moved policy ranks the responses as the policy does. *)

From QAE Require Import Compat Definitions Sums Calculus Identity JointLemma Remainder Prop42.

Set Implicit Arguments.
Unset Strict Implicit.

(** * First route *)

Lemma order_by_remainder (T : finType) (z r : T -> R) b1 b2 eta : (0 < #|T|)%N -> 0 <= eta ->
  let p := softmax z in let d b := uncentred p r b in
  eta * (spread (d b2) ^ 2 * lower_bracket #|T| + spread (d b1) ^ 2 * upper_bracket #|T|)
    <= 2 * (b2 - b1) * self_cov p ->
  entropy_change z (d b1) eta <= entropy_change z (d b2) eta.
Proof.
move=> n0 eta0 p d small.
have [_ [_ [_ [_ /(_ eta)[[_ up] _]]]]] := remainder z (d b1) n0.
have [_ [_ [_ [_ /(_ eta)[[low _] _]]]]] := remainder z (d b2) n0.
move: up low; rewrite -/p (prop42_uncentred_line p r b1 : first_order p (d b1) = _).
rewrite (prop42_uncentred_line p r b2 : first_order p (d b2) = _) => up low.
have := Rmult_le_compat_l _ _ _ eta0 small; lra.
Qed.

(** * Second route *)

(** log t >= 2 (t - 1)/(t + 1) for t >= 1. *)
Lemma ln_ge_fraction t : 1 <= t -> 2 * (t - 1) / (t + 1) <= ln t.
Proof.
move=> t1; suff : ln 1 - 2 * (1 - 1) / (1 + 1) <= ln t - 2 * (t - 1) / (t + 1) by rewrite ln_1; lra.
apply: (@monotone_of_derive (fun u => ln u - 2 * (u - 1) / (u + 1)) (fun u => / u - 4 / (u + 1) ^ 2)) => // u h.
  by auto_derive; [lra | field; lra].
have -> : / u - 4 / (u + 1) ^ 2 = (u - 1) ^ 2 / (u * (u + 1) ^ 2) by field; lra.
by apply: Rdiv_le_0_compat; [apply: pow2_ge_0 | apply: Rmult_lt_0_compat; [lra | apply: pow_lt; lra]].
Qed.

Lemma ln_ratio_ge x y : 0 < y -> y <= x -> x + y <= 1 -> 2 * (x - y) <= ln (x / y).
Proof.
move=> y0 le sum1; have t1 : 1 <= x / y.
  by apply: (Rmult_le_reg_r y) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
apply: Rle_trans (ln_ge_fraction t1); have -> : 2 * (x / y - 1) / (x / y + 1) = 2 * (x - y) / (x + y) by field; lra.
apply: (Rmult_le_reg_r (x + y)); first by lra.
by rewrite (_ : 2 * (x - y) / (x + y) * (x + y) = 2 * (x - y)); [nra | field; lra].
Qed.

Section Order.
Variables (T : finType) (z r : T -> R) (b2 eta : R).
Hypotheses (n0 : (0 < #|T|)%N) (bin : binary r) (hb2 : 0 < b2 <= 1) (eta0 : 0 <= eta).
Let p := softmax z.
Let d b := uncentred p r b.
Hypothesis small : eta <= 2 / b2.
Hypothesis pairs : forall i j, r i = 0 -> r j = 1 -> p j < p i -> eta <= ln (p i / p j) / (b2 * p i + (1 - b2) * p j).

Let hp : policy p := softmax_policy z n0.

(** The moved policy keeps the order of p. *)
Lemma order_kept b i j : 0 <= b <= b2 -> p j < p i ->
  softmax (step z (d b) eta) j <= softmax (step z (d b) eta) i.
Proof.
move=> hb lt; have [pos one] := hp; have pj := pos j; have pi := pos i.
have pair_sum : p i + p j <= 1.
  rewrite -one (bigD1 i) //= (bigD1 j) /=; last by apply/eqP => e; move: lt; rewrite e; lra.
  have : 0 <= \sum_(k | (k != i) && (k != j)) p k by apply: sum_ge0 => k _; apply: Rlt_le.
  lra.
have eta_b2 : eta * b2 <= 2.
  by have := Rmult_le_compat_r b2 _ _ (ltac:(lra)) small; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
have gap : z i - z j = ln (p i / p j) by rewrite ln_div // !ln_softmax; ring.
have lg : 0 <= ln (p i / p j).
  rewrite -ln_1; apply: ln_le; first lra.
  by apply: (Rmult_le_reg_r (p j)) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
suff le : step z (d b) eta j <= step z (d b) eta i.
  rewrite /softmax; apply: Rmult_le_compat_r; last by case: le => [/exp_increasing/Rlt_le|->] //; apply: Rle_refl.
  by apply: Rlt_le; apply: Rinv_0_lt_compat; apply: partition_gt0 i.
suff : 0 <= ln (p i / p j) + eta * (p i * (r i - b) - p j * (r j - b)) by rewrite /step /d /uncentred; lra.
case: (bin i) => ri; case: (bin j) => rj; rewrite ri rj.
- (* Both wrong. *)
  have := ln_ratio_ge pj (Rlt_le _ _ lt) pair_sum.
  have : eta * b <= 2 by apply: Rle_trans eta_b2; apply: Rmult_le_compat_l; lra.
  by have : 0 <= eta * b by [apply: Rmult_le_pos; lra]; nra.
- (* The likelier one wrong, the other right. *)
  have := pairs ri rj lt => le.
  have w0 : 0 < b2 * p i + (1 - b2) * p j by nra.
  have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ w0) le; rewrite {2}/Rdiv Rmult_assoc Rinv_l ?Rmult_1_r; last by lra.
  have : eta * (b * p i + (1 - b) * p j) <= eta * (b2 * p i + (1 - b2) * p j).
    by apply: Rmult_le_compat_l => //; nra.
  lra.
- by have : 0 <= eta * (p i * (1 - b) - p j * (0 - b)) by [apply: Rmult_le_pos => //; nra]; lra.
- by have : 0 <= eta * (p i * (1 - b) - p j * (1 - b)) by [apply: Rmult_le_pos => //; nra]; lra.
Qed.

(** The derivative of the entropy in the baseline, eta Cov_q(log q, p) for the moved policy q, is at least 0. *)
Lemma order_derivative b : 0 <= b <= b2 -> let q := softmax (step z (d b) eta) in 0 <= eta * cov q (logp q) p.
Proof.
move=> hb q; have [qpos qone] : policy q := softmax_policy _ n0.
apply: Rmult_le_pos => //; rewrite cov_pairwise //; apply: Rmult_le_pos; first by lra.
apply: sum_ge0 => i _; apply: sum_ge0 => j _.
apply: Rmult_le_pos; first by apply: Rmult_le_pos; apply: Rlt_le.
rewrite /logp; case: (Rtotal_order (p i) (p j)) => [lt|[->|lt]]; first last.
- by have := ln_le _ _ (qpos j) (order_kept hb lt); rewrite -/q; nra.
- by rewrite Rminus_eq_0 Rmult_0_r; apply: Rle_refl.
- by have := ln_le _ _ (qpos i) (order_kept hb lt); rewrite -/q; nra.
Qed.

Lemma order_by_ranks b1 : 0 <= b1 <= b2 -> entropy_change z (d b1) eta <= entropy_change z (d b2) eta.
Proof.
move=> hb; rewrite /entropy_change /path_entropy; apply: Rplus_le_compat_r.
(* Moving the baseline from 0 to b moves the logits along -eta p. *)
pose w := step z (d 0) eta; pose e y := - eta * p y.
have move b : step z (d b) eta = step w e b by apply: fun_ext => y; rewrite /w /e /step /d /uncentred; ring.
rewrite !move -/(path_entropy w e b1) -/(path_entropy w e b2).
apply: (@monotone_of_derive _ (fun b => first_order (softmax (step w e b)) e)) => [|b _|b h].
- by case: hb.
- exact: derive_path_entropy.
have hb' : 0 <= b <= b2 by lra.
by have := order_derivative hb'; rewrite move /first_order cov_scale_r; lra.
Qed.
End Order.

(** * The claims *)

(** For rewards 0 and 1 and baselines 0 <= b1 < b2 <= 1, the change with b1 is at most the change with b2 for every step
    eta up to 2 (b2 - b1) C / (rho_2^2 L_- + rho_1^2 L_+) (written without division, because the divisor is 0 if both
    directions are constant), and for every eta up to the minimum of 2/b2 and of
    log(p_i/p_j)/(b2 p_i + (1 - b2) p_j) over wrong i and right j with p_i > p_j. *)
Theorem safe_step : forall (T : finType) (z r : T -> R) (b1 b2 eta : R), (0 < #|T|)%N -> binary r ->
  0 <= b1 < b2 -> b2 <= 1 -> 0 <= eta ->
  let p := softmax z in let d b := uncentred p r b in
  eta * (spread (d b2) ^ 2 * lower_bracket #|T| + spread (d b1) ^ 2 * upper_bracket #|T|)
    <= 2 * (b2 - b1) * self_cov p
  \/ eta <= 2 / b2
     /\ (forall i j, r i = 0 -> r j = 1 -> p j < p i -> eta <= ln (p i / p j) / (b2 * p i + (1 - b2) * p j)) ->
  entropy_change z (d b1) eta <= entropy_change z (d b2) eta.
Proof.
move=> T z r b1 b2 eta n0 bin hb hb2 eta0 p d [small|[small pairs]]; first exact: order_by_remainder.
by apply: order_by_ranks => //; lra.
Qed.

(** Below such a step the order of Proposition 4.2 holds: with b1 = b_K = 0 and b2 = b on a hard query, with b1 = b and
    b2 = b_K = 1 on an easy one. *)
Theorem prop42_finite_step_if : forall (T : finType) (z r : T -> R) (K b eta : R), (0 < #|T|)%N -> binary r ->
  0 <= b <= 1 -> 0 <= eta ->
  let p := softmax z in let bK := gate K (mean p r) in let d c := uncentred p r c in
  let below b1 b2 :=
    eta * (spread (d b2) ^ 2 * lower_bracket #|T| + spread (d b1) ^ 2 * upper_bracket #|T|)
      <= 2 * (b2 - b1) * self_cov p
    \/ eta <= 2 / b2
       /\ (forall i j, r i = 0 -> r j = 1 -> p j < p i -> eta <= ln (p i / p j) / (b2 * p i + (1 - b2) * p j)) in
  (mean p r <= 1 - K -> below bK b -> entropy_change z (d bK) eta <= entropy_change z (d b) eta)
  /\ (1 - K < mean p r -> below b bK -> entropy_change z (d b) eta <= entropy_change z (d bK) eta).
Proof.
move=> T z r K b eta n0 bin hb eta0 p bK d below.
split=> regime h.
  have e : bK = 0 by rewrite /bK /gate Rleb_true.
  case: (Req_dec b 0) => b0; first by rewrite e b0; apply: Rle_refl.
  by apply: safe_step h => //; rewrite ?e; lra.
have e : bK = 1 by rewrite /bK /gate Rleb_false.
case: (Req_dec b 1) => b1; first by rewrite e b1; apply: Rle_refl.
by apply: safe_step h => //; rewrite ?e; lra.
Qed.
