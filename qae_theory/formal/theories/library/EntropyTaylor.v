(** The entropy change to second order, with an explicit bound on what is left, and its expectation over groups.

    Along a path z + t d the third derivative of the entropy is at most spread(d)^3 (2 + 8 log n) in size, whatever the
    logits are; [entropy_change_third] is Taylor's theorem with this bound and [expected_change_third] its mean over
    groups. The curvature is a quadratic form ([curvature_form]), so that its mean needs E[d d^T] only. *)

From QAE Require Import Compat Definitions Sums Calculus Groups.

Set Implicit Arguments.
Unset Strict Implicit.

Lemma mean_abs (T : finType) (p f : T -> R) : (forall y, 0 <= p y) -> Rabs (mean p f) <= mean p (fun y => Rabs (f y)).
Proof.
move=> hp; apply: Rle_trans (sum_abs _ _) _; apply: sum_le => y _.
by rewrite Rabs_mult (Rabs_right (p y)); [lra | apply: Rle_ge].
Qed.

Lemma deviation_le_spread (T : finType) (p d : T -> R) y : policy p -> Rabs (d y - mean p d) <= spread d.
Proof.
move=> [pos one]; have law : law p by split=> // x; apply: Rlt_le.
have := mean_bounds (f := d) (a := d y - spread d) (b := d y + spread d) law.
move=> h; apply: Rabs_le; suff : d y - spread d <= mean p d <= d y + spread d by lra.
by apply: h => x; have := spread_ge d x y; have := spread_ge d y x; lra.
Qed.

Section ThirdDerivative.
Variables (T : finType) (z d : T -> R).
Let P t := softmax (step z d t).

(** The deviations of log p and of d from their means under p_t. *)
Let S t y := logp (P t) y - mean (P t) (logp (P t)).
Let D t y := d y - mean (P t) d.

(** phi''' = -2 E[D^3] - E[S D^3] + 3 Cov(log p, d) Var(d). *)
Definition third_derivative t : R :=
  - 2 * mean (P t) (fun y => D t y ^ 3) - mean (P t) (fun y => S t y * D t y ^ 3)
  + 3 * cov (P t) (logp (P t)) d * var (P t) d.

Hypothesis inhabited : (0 < #|T|)%N.

Let pol t : policy (P t) := softmax_policy (step z d t) inhabited.

Lemma derive_D t y : is_derive (fun u => D u y) t (- var (P t) d).
Proof.
apply: derive_eq; first by apply: derive_sub (derive_const _ t) (derive_mean_fixed z d d t).
by rewrite /var -/(P t); ring.
Qed.

Lemma derive_S t y : is_derive (fun u => S u y) t (D t y - cov (P t) (logp (P t)) d).
Proof.
apply: derive_eq; first apply: derive_sub (derive_logp z d y t) _.
  by apply: (@derive_mean_path _ z d (fun u => logp (P u)) (fun y => D t y)) => x; apply: derive_logp.
by rewrite /D (mean_deviation z d) Rplus_0_l.
Qed.

Lemma derive_square (F : R -> R) t a : is_derive F t a -> is_derive (fun u => F u ^ 2) t (2 * a * F t).
Proof.
move=> h; apply: (derive_ext (f := fun u => F u * F u)) => [u|]; first by cbv beta; ring.
by apply: derive_eq (derive_mul h h) _; cbv beta; ring.
Qed.

Lemma mean_D t : mean (P t) (D t) = 0.
Proof. exact: (mean_deviation z d). Qed.

Lemma mean_SD t : mean (P t) (fun y => S t y * D t y) = cov (P t) (logp (P t)) d.
Proof. by rewrite cov_centred2 //; case: (pol t). Qed.

Lemma derive_second_derivative t : is_derive (second_derivative z d) t (third_derivative t).
Proof.
have one : \sum_y P t y = 1 by case: (pol t).
apply: derive_eq.
  apply: derive_sub.
    apply: derive_opp; apply: (derive_ext (f := fun u => mean (P u) (fun y => D u y ^ 2))) => [u|].
      by rewrite var_centred //; case: (pol u).
    by apply: (@derive_mean_path _ z d (fun u y => D u y ^ 2)) => y; apply: derive_square (derive_D t y).
  apply: (@derive_mean_path _ z d (fun u y => S u y * D u y ^ 2)) => y.
  by apply: derive_mul (derive_S t y) (derive_square (derive_D t y)).
rewrite -/(P t) /third_derivative; set v := var _ _; set c := cov (P t) (logp (P t)) d.
have e1 : mean (P t) (fun y => 2 * - v * D t y) = 0 by rewrite mean_scale mean_D; ring.
have e2 : cov (P t) (fun y => D t y ^ 2) d = mean (P t) (fun y => D t y ^ 3).
  by rewrite cov_centred //; apply: mean_ext => y; rewrite -/(D t y); ring.
have e3 : cov (P t) (fun y => S t y * D t y ^ 2) d = mean (P t) (fun y => S t y * D t y ^ 3).
  by rewrite cov_centred //; apply: mean_ext => y; rewrite -/(D t y); ring.
have e4 : mean (P t) (fun y => (D t y - c) * D t y ^ 2 + S t y * (2 * - v * D t y)) =
    mean (P t) (fun y => D t y ^ 3) - c * v - 2 * v * c.
  have hv : mean (P t) (fun y => D t y ^ 2) = v by rewrite /v var_centred.
  have hc : mean (P t) (fun y => S t y * D t y) = c := mean_SD t.
  rewrite (mean_ext _ (h := fun y => D t y ^ 3 - c * D t y ^ 2 - 2 * v * (S t y * D t y))) => [|y]; last by ring.
  by rewrite !mean_sub !mean_scale hv hc.
by rewrite e1 e2 e3 e4; ring.
Qed.

Lemma third_derivative_bound t : Rabs (third_derivative t) <= spread d ^ 3 * (2 + 8 * ln (INR #|T|)).
Proof.
have hp := pol t; have [pos one] := hp; have lw := policy_law hp; have nn y : 0 <= P t y by apply: Rlt_le.
have r0 := spread_ge0 d; set rho := spread d in r0 *; set l := ln _.
have dev y : Rabs (D t y) <= rho := deviation_le_spread d y hp.
have pw k y : Rabs (D t y ^ k) <= rho ^ k.
  by rewrite -RPow_abs; apply: pow_incr; split; [exact: Rabs_pos | exact: dev].
(* The mean of |S| is at most twice the entropy. *)
have sm : mean (P t) (fun y => Rabs (S t y)) <= 2 * l.
  have hl := entropy_le_ln hp; rewrite -/l in hl.
  apply: (Rle_trans _ (mean (P t) (fun y => - logp (P t) y + entropy (P t)))); last first.
    by rewrite mean_add mean_opp mean_const // -/(entropy (P t)); lra.
  apply: mean_le => // y; have h0 := entropy_ge0 hp.
  have : logp (P t) y <= 0 by rewrite /logp -ln_1; apply: ln_le; [exact: pos | exact: law_le1].
  rewrite /S (_ : mean (P t) (logp (P t)) = - entropy (P t)); last by rewrite /entropy; ring.
  by move=> h; apply: Rabs_le; lra.
have prod k : Rabs (mean (P t) (fun y => S t y * D t y ^ k)) <= 2 * l * rho ^ k.
  apply: Rle_trans (mean_abs _ nn) _; have rk := pow_le _ k r0.
  apply: (Rle_trans _ (mean (P t) (fun y => Rabs (S t y) * rho ^ k))).
    by apply: mean_le => // y; rewrite Rabs_mult; apply: Rmult_le_compat_l; [apply: Rabs_pos | apply: pw].
  by rewrite mean_scale_r; apply: Rmult_le_compat_r.
have cub : Rabs (mean (P t) (fun y => D t y ^ 3)) <= rho ^ 3.
  apply: Rle_trans (mean_abs _ nn) _; rewrite -[X in _ <= X](mean_const (rho ^ 3) one).
  by apply: mean_le => // y; apply: pw.
have vr : Rabs (var (P t) d) <= rho ^ 2.
  rewrite var_centred //; apply: Rle_trans (mean_abs _ nn) _; rewrite -[X in _ <= X](mean_const (rho ^ 2) one).
  by apply: mean_le => // y; apply: pw.
have cv : Rabs (cov (P t) (logp (P t)) d) <= 2 * l * rho.
  have := prod 1%N; rewrite -mean_SD pow_1.
  by rewrite (mean_ext (P t) (h := fun y => S t y * D t y)) // => y; rewrite pow_1.
have cvv : Rabs (cov (P t) (logp (P t)) d * var (P t) d) <= 2 * l * rho * rho ^ 2.
  by rewrite Rabs_mult; apply: Rmult_le_compat => //; apply: Rabs_pos.
have /Rabs_le_between h1 := cub; have /Rabs_le_between h2 := prod 3%N; have /Rabs_le_between h3 := cvv.
rewrite /third_derivative Rmult_assoc; apply: Rabs_le; lra.
Qed.
End ThirdDerivative.

(** Taylor's theorem for the entropy change, with an error of order eta^3 that depends on log n and spread(d) only. *)
Lemma entropy_change_third (T : finType) (z d : T -> R) eta : (0 < #|T|)%N ->
  Rabs (entropy_change z d eta - eta * first_order (softmax z) d - eta ^ 2 / 2 * curvature z d)
  <= (1 + 4 * ln (INR #|T|)) / 3 * (spread d ^ 3 * Rabs eta ^ 3).
Proof.
move=> inh; rewrite entropy_change_path /curvature curvature_at.
have := @taylor_third _ _ _ _ (spread d ^ 3 * (2 + 8 * ln (INR #|T|))) eta (derive_path_entropy z d)
  (derive_first_order z d) (derive_second_derivative z d inh) (fun t _ => third_derivative_bound z d inh t).
by rewrite step0; lra.
Qed.

(** * The curvature as a quadratic form *)

Section CurvatureForm.
Variables (T : finType) (z : T -> R).
Let p := softmax z.

(** The entry (x, y) of the Hessian of the entropy, for z in coordinates. *)
Definition hessian (x y : T) : R :=
  - mean p (fun u => (1 + (logp p u - mean p (logp p))) * ((bit (u == x) - p x) * (bit (u == y) - p y))).

Lemma deviation_sum (d : T -> R) u : d u - mean p d = \sum_x d x * (bit (u == x) - p x).
Proof.
have -> : \sum_x d x * (bit (u == x) - p x) = \sum_x (d x * bit (x == u) - p x * d x).
  by apply: eq_bigr => x _; rewrite eq_sym; ring.
by rewrite sum_sub sum_bit_eq_r.
Qed.

Lemma curvature_form (d : T -> R) : curvature z d = \sum_x \sum_y hessian x y * (d x * d y).
Proof.
case: (inhabited_or_none T) => [[y0 _]|none]; last first.
  rewrite (sum_none _ none) curvature_closed /var /cov /mean !(sum_none _ none); ring.
have one : \sum_y softmax z y = 1 := softmax_sum z y0.
rewrite curvature_closed var_centred // -/p.
transitivity (- mean p (fun u => (1 + (logp p u - mean p (logp p))) * (d u - mean p d) ^ 2)).
  by rewrite -[X in X - _]mean_opp -mean_sub -mean_opp; apply: mean_ext => u; ring.
have sq u : (d u - mean p d) ^ 2 = \sum_x \sum_y d x * (bit (u == x) - p x) * (d y * (bit (u == y) - p y)).
  rewrite -[LHS]/(_ * (_ * 1)) Rmult_1_r {1}deviation_sum deviation_sum sum_prod //.
have -> : mean p (fun u => (1 + (logp p u - mean p (logp p))) * (d u - mean p d) ^ 2) =
    \sum_x \sum_y (\sum_u p u * ((1 + (logp p u - mean p (logp p)))
      * ((bit (u == x) - p x) * (bit (u == y) - p y)))) * (d x * d y).
  rewrite /mean.
  transitivity (\sum_u \sum_x \sum_y p u * ((1 + (logp p u - mean p (logp p)))
      * ((bit (u == x) - p x) * (bit (u == y) - p y))) * (d x * d y)).
    apply: eq_bigr => u _; rewrite sq -!sum_scale; apply: eq_bigr => x _.
    by rewrite -!sum_scale; apply: eq_bigr => y _; rewrite /mean; ring.
  rewrite sum_swap; apply: eq_bigr => x _; rewrite sum_swap; apply: eq_bigr => y _.
  by rewrite sum_scale_r.
rewrite -sum_opp; apply: eq_bigr => x _; rewrite -sum_opp; apply: eq_bigr => y _.
by rewrite /hessian /mean; ring.
Qed.

(** The mean of the curvature over groups follows from the means of the products d_x d_y. *)
Lemma expect_curvature (G : nat) (q : T -> R) (d : {ffun 'I_G -> T} -> T -> R) :
  expect q (fun g => curvature z (d g)) = \sum_x \sum_y hessian x y * expect q (fun g => d g x * d g y).
Proof.
rewrite (expect_ext (E := fun g => \sum_x \sum_y hessian x y * (d g x * d g y))) => [|g]; last exact: curvature_form.
rewrite expect_sum; apply: eq_bigr => x _; rewrite expect_sum; apply: eq_bigr => y _.
exact: expect_scale.
Qed.

Lemma sum_form_add (F E : T -> T -> R) : \sum_x \sum_y hessian x y * (F x y + E x y) =
  \sum_x \sum_y hessian x y * F x y + \sum_x \sum_y hessian x y * E x y.
Proof.
rewrite -sum_add; apply: eq_bigr => x _; rewrite -sum_add; apply: eq_bigr => y _; ring.
Qed.

Lemma sum_form_scale c (F : T -> T -> R) : \sum_x \sum_y hessian x y * (c * F x y) =
  c * \sum_x \sum_y hessian x y * F x y.
Proof.
rewrite -sum_scale; apply: eq_bigr => x _; rewrite -sum_scale; apply: eq_bigr => y _; ring.
Qed.

Lemma sum_form_mean (q : T -> R) (s : T -> T -> R) :
  \sum_x \sum_y hessian x y * mean q (fun u => s u x * s u y) = mean q (fun u => curvature z (s u)).
Proof.
rewrite (mean_ext _ (h := fun u => \sum_x \sum_y hessian x y * (s u x * s u y))) => [|u]; last exact: curvature_form.
rewrite /mean; transitivity (\sum_u \sum_x \sum_y q u * (hessian x y * (s u x * s u y))); last first.
  by apply: eq_bigr => u _; rewrite -!sum_scale; apply: eq_bigr => x _; rewrite -sum_scale.
rewrite [RHS]sum_swap; apply: eq_bigr => x _; rewrite [RHS]sum_swap; apply: eq_bigr => y _.
by rewrite -sum_scale; apply: eq_bigr => u _; ring.
Qed.
End CurvatureForm.

(** * Means over groups *)

Section Groups.
Variables (G : nat) (T : finType).
Implicit Types (p z r d : T -> R) (A : estimator G).

Lemma first_order_sum p d : \sum_y p y = 1 ->
  first_order p d = \sum_y - (p y * (logp p y - mean p (logp p))) * d y.
Proof.
move=> one; rewrite /first_order cov_sym cov_centred // -mean_opp; apply: eq_bigr => y _; ring.
Qed.

(** The first-order change is linear in d: its mean over groups is that of the mean step. *)
Lemma expect_first_order p (q : T -> R) (d : {ffun 'I_G -> T} -> T -> R) : \sum_y p y = 1 ->
  expect q (fun g => first_order p (d g)) = first_order p (fun y => expect q (fun g => d g y)).
Proof.
move=> one; rewrite first_order_sum //.
rewrite (expect_ext (E := fun g => \sum_y - (p y * (logp p y - mean p (logp p))) * d g y)) => [|g]; last first.
  exact: first_order_sum.
by rewrite expect_sum; apply: eq_bigr => y _; rewrite expect_scale.
Qed.

Lemma first_order_scale p c d : first_order p (fun y => c * d y) = c * first_order p d.
Proof. by rewrite /first_order cov_scale_r; ring. Qed.

Lemma expect_abs_le p (F E : {ffun 'I_G -> T} -> R) : (forall y, 0 <= p y) ->
  (forall g, Rabs (F g) <= E g) -> Rabs (expect p F) <= expect p E.
Proof.
move=> hp h; apply: Rle_trans (sum_abs _ _) _; apply: sum_le => g _.
have pr : 0 <= \prod_i p (g i) by apply: prod_ge0.
by rewrite Rabs_mult Rabs_right; [apply: Rmult_le_compat_l | apply: Rle_ge].
Qed.

(** The expected entropy change to second order, with the mean of the single errors as its error. *)
Lemma expected_change_third z r A eta : (0 < #|T|)%N -> let p := softmax z in
  let d g := sampled_group p g (A (rewards r g)) in
  Rabs (expected_change z r A eta - eta * expect p (fun g => first_order p (d g))
        - eta ^ 2 / 2 * expect p (fun g => curvature z (d g)))
  <= (1 + 4 * ln (INR #|T|)) / 3 * (expect p (fun g => spread (d g) ^ 3) * Rabs eta ^ 3).
Proof.
move=> inh p d; have [pos one] := softmax_policy z inh; have nn y : 0 <= p y by apply: Rlt_le.
rewrite /expected_change -!expect_scale -!expect_sub -expect_scale_r -expect_scale.
by apply: expect_abs_le => // g; apply: entropy_change_third.
Qed.

(** A score e_y - p has spread at most 2, and a step on a group at most twice the mean size of its advantages. *)
Lemma sampled_group_spread p (g : {ffun 'I_G -> T}) (a : 'I_G -> R) c : policy p -> (0 < G)%N -> 0 <= c ->
  (forall i, Rabs (a i) <= c) -> spread (sampled_group p g a) <= 2 * c.
Proof.
move=> hp G0 c0 ha; have lw := policy_law hp; have gp := INR_pos G0.
apply: spread_le => [|x y]; first by lra.
rewrite /sampled_group /group_step -sum_div -sum_div -sum_sub.
have -> : 2 * c = \sum_(i < G) (2 * c / INR G) by rewrite sum_const_ord; field; lra.
apply: sum_le => i _; rewrite /Rdiv -Rmult_minus_distr_r; apply: Rmult_le_compat_r.
  by apply: Rlt_le; apply: Rinv_0_lt_compat.
rewrite -Rmult_minus_distr_l; apply: Rle_trans (Rle_abs _) _; rewrite Rabs_mult Rmult_comm.
apply: Rmult_le_compat; try exact: Rabs_pos; last exact: ha.
have [lx ly] : p x <= 1 /\ p y <= 1 by split; apply: law_le1.
have [px py] : 0 <= p x /\ 0 <= p y by case: lw.
by apply: Rabs_le; rewrite /bit; case: (g i == x); case: (g i == y); lra.
Qed.
End Groups.
