(** The entropy change to second order with a bound on the rest that depends on the policy and the direction (claim
    third-order).

    Along a step 0 <= t <= tau the moved policy is at most p exp(tau max(D, 0)), D = d - E_p d, because E_p exp(t D) is
    at least 1. So its moments are at most the tilted moments of p, and its mean of d moves by at most m. *)

From QAE Require Import Compat Definitions Sums Calculus Remainder EntropyTaylor.

Set Implicit Arguments.
Unset Strict Implicit.

Section Tilted.
Variables (T : finType) (z d : T -> R) (tau : R).
Hypothesis n0 : (0 < #|T|)%N.
Let p := softmax z.
Let P t := softmax (step z d t).
Let D y := d y - mean p d.
Let S y := logp p y - mean p (logp p).
Let a k := tilted_moment p d tau (fun _ => 1) k.
Let s k := tilted_moment p d tau S k.
Let m := Rmin (tau * a 2%N) (a 1%N).

Let hp : policy p := softmax_policy z n0.
Let hP t : policy (P t) := softmax_policy (step z d t) n0.

Lemma tilted_ge0 f k : 0 <= tilted_moment p d tau f k.
Proof.
apply: mean_ge0 => y; first by apply: Rlt_le; case: hp.
by apply: Rmult_le_pos; [apply: Rlt_le; apply: exp_pos | apply: Rmult_le_pos; [|apply: pow_le]; apply: Rabs_pos].
Qed.

Lemma moved_le t y : 0 <= t <= tau -> P t y <= p y * exp (tau * Rmax (D y) 0).
Proof.
move=> ht; have [ppos one] := hp.
have zt := partition_gt0 (step z d t) y; have z0 := partition_gt0 z y.
have mass x : p x * (\sum_x exp (z x)) = exp (z x) by rewrite /p /softmax; field; lra.
(* The normalising constant, relative to p, is at least exp(t E_p d). *)
have jensen : exp (t * mean p d) * (\sum_x exp (z x)) <= \sum_x exp (step z d t x).
  have -> : \sum_x exp (step z d t x) = exp (t * mean p d) * (\sum_x exp (z x)) * mean p (fun x => exp (t * D x)).
    set c := exp _ * _; rewrite /mean -sum_scale /c; apply: sum_ext => x.
    rewrite (_ : step z d t x = t * mean p d + z x + t * D x); last by rewrite /step /D; ring.
    rewrite !exp_plus -(mass x); ring.
  rewrite -[X in X <= _]Rmult_1_r; apply: Rmult_le_compat_l.
    by apply: Rmult_le_pos; [apply: Rlt_le; apply: exp_pos | lra].
  have -> : 1 = mean p (fun x => 1 + t * D x).
    by rewrite mean_add mean_const // mean_scale /D mean_sub mean_const //; ring.
  by apply: mean_le => [x|x]; [apply: Rlt_le | apply: exp_ineq1_le].
have tilt : exp (t * D y) <= exp (tau * Rmax (D y) 0).
  apply: Raux.exp_le; have := Rmax_l (D y) 0; have := Rmax_r (D y) 0 => h1 h2; nra.
have py := ppos y; apply: (Rle_trans _ (p y * exp (t * D y))); last by apply: Rmult_le_compat_l; lra.
apply: (Rmult_le_reg_r (\sum_x exp (step z d t x))) => //.
have -> : P t y * (\sum_x exp (step z d t x)) = p y * exp (t * D y) * (exp (t * mean p d) * (\sum_x exp (z x))).
  have -> : P t y * (\sum_x exp (step z d t x)) = exp (step z d t y) by rewrite /P /softmax; field; lra.
  rewrite (_ : step z d t y = z y + t * D y + t * mean p d); last by rewrite /step /D; ring.
  by rewrite !exp_plus -(mass y); ring.
apply: Rmult_le_compat_l => //.
by apply: Rmult_le_pos; [lra | apply: Rlt_le; apply: exp_pos].
Qed.

(** Moments of the moved policy. *)
Lemma moved_moment f k t : 0 <= t <= tau ->
  mean (P t) (fun y => Rabs (f y) * Rabs (D y) ^ k) <= tilted_moment p d tau f k.
Proof.
move=> ht; apply: sum_le => y _; rewrite -/(D y).
apply: (Rle_trans _ (p y * exp (tau * Rmax (D y) 0) * (Rabs (f y) * Rabs (D y) ^ k))); last by right; ring.
apply: Rmult_le_compat_r; last exact: moved_le.
by apply: Rmult_le_pos; [|apply: pow_le]; apply: Rabs_pos.
Qed.

Lemma moved_moment1 k t : 0 <= t <= tau -> mean (P t) (fun y => Rabs (D y) ^ k) <= a k.
Proof.
move=> ht; apply: Rle_trans (moved_moment (fun _ => 1) k ht); right; apply: mean_ext => y.
by rewrite Rabs_R1 Rmult_1_l.
Qed.

Lemma moved_var t : 0 <= t <= tau -> 0 <= var (P t) d <= a 2%N.
Proof.
move=> ht; have [_ one] := hP t; split; first by apply: var_ge0; apply: policy_law.
apply: Rle_trans (moved_moment1 2 ht).
have -> : mean (P t) (fun y => Rabs (D y) ^ 2) = var (P t) d + mean (P t) D ^ 2.
  rewrite (mean_ext (P t) (h := fun y => D y * D y)) => [|y]; last by rewrite pow2_abs; ring.
  have -> : var (P t) d = var (P t) D by rewrite /var /D cov_shift_l // cov_shift_r.
  by rewrite /var /cov; ring.
by have := pow2_ge_0 (mean (P t) D); lra.
Qed.

(** The mean of d moves by at most m. *)
Lemma moved_mean t : 0 <= t <= tau -> Rabs (mean (P t) d - mean p d) <= m.
Proof.
move=> ht; have [pos one] := hP t; have a2 := tilted_ge0 (fun _ => 1) 2; rewrite -/(a 2%N) in a2.
apply: Rmin_glb.
  case: (@mean_value (fun u => mean (P u) d) (fun u => var (P u) d) 0 t) => [u _|u]; first exact: derive_mean_fixed.
  rewrite Rmin_left ?Rmax_right; try lra.
  move=> [hu e]; have hu' : 0 <= u <= tau by lra.
  have := moved_var hu' => v; rewrite /P step0 -/p -/(P t) -/(P u) in e; rewrite e Rminus_0_r Rabs_right.
    by rewrite [X in _ <= X]Rmult_comm; apply: Rmult_le_compat; lra.
  by apply: Rle_ge; apply: Rmult_le_pos; lra.
have -> : mean (P t) d - mean p d = mean (P t) D by rewrite /D mean_sub mean_const.
apply: Rle_trans (mean_abs _ (fun y => Rlt_le _ _ (pos y))) _.
apply: Rle_trans (moved_moment1 1 ht); right; apply: mean_ext => y; by rewrite pow_1.
Qed.

Lemma shift_ge0 : 0 <= tau -> 0 <= m.
Proof.
by move=> t0; apply: Rmin_glb; [apply: Rmult_le_pos => // |]; apply: tilted_ge0.
Qed.

Section Point.
Variable t : R.
Hypothesis ht : 0 <= t <= tau.
Let q := P t.
Let nn y : 0 <= q y := Rlt_le _ _ (proj1 (hP t) y).
Let delta y := d y - mean q d.
Let e f k := mean q (fun y => Rabs (f y) * Rabs (D y) ^ k).

Let m0 : 0 <= m.
Proof. by apply: shift_ge0; lra. Qed.

Lemma delta_le y : Rabs (delta y) <= Rabs (D y) + m.
Proof.
have := moved_mean ht; rewrite -/q => h.
rewrite /delta (_ : d y - mean q d = D y - (mean q d - mean p d)); last by rewrite /D; ring.
by apply: Rle_trans (Rabs_triang _ _) _; rewrite Rabs_Ropp; lra.
Qed.

Lemma delta_pow f k : mean q (fun y => Rabs (f y) * Rabs (delta y) ^ k)
  <= mean q (fun y => Rabs (f y) * (Rabs (D y) + m) ^ k).
Proof.
apply: mean_le => // y; apply: Rmult_le_compat_l; first exact: Rabs_pos.
by apply: pow_incr; split; [apply: Rabs_pos | apply: delta_le].
Qed.

Lemma linear_le f : mean q (fun y => Rabs (f y) * Rabs (delta y)) <= e f 1 + m * e f 0.
Proof.
apply: Rle_trans (Rle_trans _ _ _ _ (delta_pow f 1)) _; first by right; apply: mean_ext => y; rewrite pow_1.
by right; rewrite /e -mean_scale -mean_add; apply: mean_ext => y; ring.
Qed.

Lemma cube_le f : mean q (fun y => Rabs (f y) * Rabs (delta y) ^ 3)
  <= e f 3 + 3 * m * e f 2 + 3 * m ^ 2 * e f 1 + m ^ 3 * e f 0.
Proof.
apply: Rle_trans (delta_pow f 3) _; right; rewrite /e.
rewrite -(mean_scale q (3 * m)) -(mean_scale q (3 * m ^ 2)) -(mean_scale q (m ^ 3)) -!mean_add.
by apply: mean_ext => y; ring.
Qed.

Lemma quartic_le f : mean q (fun y => Rabs (f y) * Rabs (delta y) ^ 4)
  <= e f 4 + 4 * m * e f 3 + 6 * m ^ 2 * e f 2 + 4 * m ^ 3 * e f 1 + m ^ 4 * e f 0.
Proof.
apply: Rle_trans (delta_pow f 4) _; right; rewrite /e.
rewrite -(mean_scale q (4 * m)) -(mean_scale q (6 * m ^ 2)) -(mean_scale q (4 * m ^ 3)) -(mean_scale q (m ^ 4)).
rewrite -!mean_add.
by apply: mean_ext => y; ring.
Qed.

Let T3 := a 3%N + 3 * m * a 2%N + 3 * m ^ 2 * a 1%N + m ^ 3.
Let Q4 := a 4%N + 4 * m * a 3%N + 6 * m ^ 2 * a 2%N + 4 * m ^ 3 * a 1%N + m ^ 4.

Lemma e_one k : e (fun _ => 1) k <= a k.
Proof. exact: moved_moment. Qed.

Lemma e_one0 : e (fun _ => 1) 0 = 1.
Proof.
by rewrite -{2}(mean_const 1 (proj2 (hP t))); apply: mean_ext => y; rewrite Rabs_R1 Rmult_1_l.
Qed.

Lemma cube_one : mean q (fun y => Rabs (delta y) ^ 3) <= T3.
Proof.
have := cube_le (fun _ => 1); rewrite e_one0 (mean_ext q (h := fun y => Rabs (delta y) ^ 3)) => [|y]; last first.
  by rewrite Rabs_R1 Rmult_1_l.
have h1 := e_one 1; have h2 := e_one 2; have h3 := e_one 3.
have w1 : 0 <= 3 * m by lra.
have w2 : 0 <= 3 * m ^ 2 by have := pow2_ge_0 m; lra.
have := Rmult_le_compat_l _ _ _ w1 h2; have := Rmult_le_compat_l _ _ _ w2 h1; rewrite /T3; lra.
Qed.

Lemma quartic_one : mean q (fun y => Rabs (delta y) ^ 4) <= Q4.
Proof.
have := quartic_le (fun _ => 1); rewrite e_one0 (mean_ext q (h := fun y => Rabs (delta y) ^ 4)) => [|y]; last first.
  by rewrite Rabs_R1 Rmult_1_l.
have h1 := e_one 1; have h2 := e_one 2; have h3 := e_one 3; have h4 := e_one 4.
have w1 : 0 <= 4 * m by lra.
have w2 : 0 <= 6 * m ^ 2 by have := pow2_ge_0 m; lra.
have w3 : 0 <= 4 * m ^ 3 by have := pow_le _ 3 m0; lra.
have := Rmult_le_compat_l _ _ _ w1 h3; have := Rmult_le_compat_l _ _ _ w2 h2; have := Rmult_le_compat_l _ _ _ w3 h1.
by rewrite /Q4; lra.
Qed.

Lemma cube_surprise : mean q (fun y => Rabs (S y) * Rabs (delta y) ^ 3)
  <= s 3%N + 3 * m * s 2%N + 3 * m ^ 2 * s 1%N + m ^ 3 * s 0%N.
Proof.
apply: Rle_trans (cube_le S) _.
have h k : e S k <= s k by apply: moved_moment.
have w1 : 0 <= 3 * m by lra.
have w2 : 0 <= 3 * m ^ 2 by have := pow2_ge_0 m; lra.
have w3 : 0 <= m ^ 3 by apply: pow_le.
have := Rmult_le_compat_l _ _ _ w1 (h 2%N); have := Rmult_le_compat_l _ _ _ w2 (h 1%N).
have := Rmult_le_compat_l _ _ _ w3 (h 0%N); have := h 3%N; lra.
Qed.

Lemma linear_surprise : mean q (fun y => Rabs (S y) * Rabs (delta y)) <= s 1%N + m * s 0%N.
Proof.
apply: Rle_trans (linear_le S) _.
have h k : e S k <= s k by apply: moved_moment.
have := Rmult_le_compat_l _ _ _ m0 (h 0%N); have := h 1%N; lra.
Qed.

Lemma mean_surprise : Rabs (mean q S) <= s 0%N.
Proof.
apply: Rle_trans (mean_abs _ nn) _; apply: Rle_trans (moved_moment S 0 ht); right.
by apply: mean_ext => y; rewrite pow_O Rmult_1_r.
Qed.

(** The deviation of log q is that of log p, recentred, plus t delta. *)
Lemma moved_surprise y : logp q y - mean q (logp q) = S y - mean q S + t * delta y.
Proof.
have [_ one] := hP t.
have [c lq] : exists c, forall x, logp q x = logp p x + t * d x + c.
  exists (ln (\sum_x exp (z x)) - ln (\sum_x exp (step z d t x))) => x.
  by rewrite /logp /q /P /p !ln_softmax /step; ring.
have eS : mean q S = mean q (logp p) - mean p (logp p) by rewrite /S mean_sub mean_const.
have el : mean q (logp q) = mean q (logp p) + t * mean q d + c.
  by rewrite (mean_ext q lq) !mean_add mean_scale mean_const.
by rewrite el eS lq /delta /S; ring.
Qed.

Lemma third_derivative_tilted : Rabs (third_derivative z d t) <=
  2 * T3 + (s 3%N + 3 * m * s 2%N + 3 * m ^ 2 * s 1%N + m ^ 3 * s 0%N) + s 0%N * T3 + tau * Q4
  + 3 * a 2%N * (s 1%N + m * s 0%N + tau * a 2%N).
Proof.
have [_ one] := hP t.
have v := moved_var ht; rewrite -/q in v.
have c3 := cube_one; have c4 := quartic_one.
have k3 : Rabs (mean q (fun y => delta y ^ 3)) <= T3.
  by apply: Rle_trans (mean_abs _ nn) _; apply: Rle_trans c3; right; apply: mean_ext => y; rewrite RPow_abs.
have s0 := tilted_ge0 S 0; rewrite -/(s 0%N) in s0.
have p4 : 0 <= mean q (fun y => Rabs (delta y) ^ 4) by apply: mean_ge0 => // y; apply: pow_le; apply: Rabs_pos.
have e3 : mean q (fun y => (logp q y - mean q (logp q)) * delta y ^ 3) =
    mean q (fun y => S y * delta y ^ 3) - mean q S * mean q (fun y => delta y ^ 3)
    + t * mean q (fun y => Rabs (delta y) ^ 4).
  rewrite -(mean_scale q (mean q S)) -(mean_scale q t) -mean_sub -mean_add; apply: mean_ext => y.
  rewrite moved_surprise (_ : Rabs (delta y) ^ 4 = delta y ^ 4); first by ring.
  rewrite RPow_abs Rabs_right //; apply: Rle_ge.
  by rewrite (_ : delta y ^ 4 = (delta y ^ 2) ^ 2); [apply: pow2_ge_0 | ring].
have ec : cov q (logp q) d = mean q (fun y => S y * delta y) + t * var q d.
  have d0 : mean q delta = 0 by rewrite /delta mean_sub mean_const //; ring.
  rewrite cov_centred2 // var_centred // -(mean_scale q t).
  transitivity (mean q (fun y => S y * delta y) - mean q S * mean q delta + mean q (fun y => t * delta y ^ 2)).
    rewrite -(mean_scale q (mean q S)) -mean_sub -mean_add; apply: mean_ext => y.
    by rewrite moved_surprise -/(delta y); ring.
  by rewrite d0 Rmult_0_r Rminus_0_r.
have b1 : Rabs (mean q (fun y => S y * delta y ^ 3)) <= s 3%N + 3 * m * s 2%N + 3 * m ^ 2 * s 1%N + m ^ 3 * s 0%N.
  apply: Rle_trans (mean_abs _ nn) _; apply: Rle_trans cube_surprise; right; apply: mean_ext => y.
  by rewrite Rabs_mult RPow_abs.
have b2 : Rabs (mean q S * mean q (fun y => delta y ^ 3)) <= s 0%N * T3.
  by rewrite Rabs_mult; apply: Rmult_le_compat; try exact: Rabs_pos; [exact: mean_surprise | exact: k3].
have b3 : 0 <= t * mean q (fun y => Rabs (delta y) ^ 4) <= tau * Q4.
  by split; [apply: Rmult_le_pos; lra | apply: Rmult_le_compat; lra].
have b4 : Rabs (mean q (fun y => S y * delta y)) <= s 1%N + m * s 0%N.
  apply: Rle_trans (mean_abs _ nn) _; apply: Rle_trans linear_surprise; right; apply: mean_ext => y.
  by rewrite Rabs_mult.
have b5 : Rabs (cov q (logp q) d) <= s 1%N + m * s 0%N + tau * a 2%N.
  rewrite ec; apply: Rle_trans (Rabs_triang _ _) _; rewrite (Rabs_right (t * var q d)); last first.
    by apply: Rle_ge; apply: Rmult_le_pos; lra.
  by have : t * var q d <= tau * a 2%N by [apply: Rmult_le_compat; lra]; lra.
have b6 : Rabs (cov q (logp q) d * var q d) <= (s 1%N + m * s 0%N + tau * a 2%N) * a 2%N.
  have [v0 v1] := v; rewrite Rabs_mult (Rabs_right (var q d)); last exact: Rle_ge.
  by apply: Rmult_le_compat => //; apply: Rabs_pos.
have -> : third_derivative z d t = - 2 * mean q (fun y => delta y ^ 3)
    - mean q (fun y => (logp q y - mean q (logp q)) * delta y ^ 3) + 3 * (cov q (logp q) d * var q d).
  by rewrite /third_derivative Rmult_assoc.
rewrite e3; move/Rabs_le_between: k3 => k3; move/Rabs_le_between: b1 => b1; move/Rabs_le_between: b2 => b2.
move/Rabs_le_between: b6 => b6; apply: Rabs_le; lra.
Qed.
End Point.
End Tilted.

(** The bound B_3 holds along the whole step. *)
Lemma third_bound_along (T : finType) (z d : T -> R) tau t : (0 < #|T|)%N -> 0 <= t <= tau ->
  Rabs (third_derivative z d t) <= third_bound (softmax z) d tau.
Proof. by move=> n0 ht; apply: third_derivative_tilted. Qed.

Lemma third_order_forward (T : finType) (z d : T -> R) tau : (0 < #|T|)%N -> 0 <= tau ->
  Rabs (entropy_change z d tau - tau * first_order (softmax z) d - tau ^ 2 / 2 * curvature z d)
  <= third_bound (softmax z) d tau * tau ^ 3 / 6.
Proof.
move=> n0 tau0; rewrite entropy_change_path /curvature curvature_at.
have := @taylor_third _ _ _ _ (third_bound (softmax z) d tau) tau (derive_path_entropy z d) (derive_first_order z d)
  (derive_second_derivative z d n0).
rewrite step0 Rmin_left // Rmax_right // (Rabs_right tau); last by lra.
by apply=> t ht; apply: third_bound_along.
Qed.

(** * The claim *)

(** The third derivative of the entropy along z + t d, from the second one; a bound on it along a step of length |eta|
    in the direction sign(eta) d; and the change of the step eta to second order, up to |eta|^3 B_3/6. *)
Theorem third_order : forall (T : finType) (z d : T -> R) (eta : R), (0 < #|T|)%N ->
  let p := softmax z in let tau := Rabs eta in let e := fun y => sign eta * d y in
  (forall t, let q u := softmax (step z d u) in let S u y := logp (q u) y - mean (q u) (logp (q u)) in
     let D u y := d y - mean (q u) d in
     is_derive (fun u => - var (q u) d - mean (q u) (fun y => S u y * D u y ^ 2)) t
       (- 2 * mean (q t) (fun y => D t y ^ 3) - mean (q t) (fun y => S t y * D t y ^ 3)
        + 3 * cov (q t) (logp (q t)) d * var (q t) d))
  /\ (forall t, 0 <= t <= tau -> Rabs (Derive_n (path_entropy z e) 3 t) <= third_bound p e tau)
  /\ Rabs (entropy_change z d eta - eta * first_order p d - eta ^ 2 / 2 * curvature z d)
     <= tau ^ 3 * third_bound p e tau / 6.
Proof.
move=> T z d eta n0 p tau e; split; first by move=> t; apply: derive_second_derivative.
split=> [t ht|].
  have -> : Derive_n (path_entropy z e) 3 t = third_derivative z e t.
    rewrite -[Derive_n _ _ _]/(Derive (Derive_n (path_entropy z e) 2) t).
    by apply: is_derive_unique; apply: derive_ext (derive_second_derivative z e n0 t) => u; rewrite curvature_at.
  exact: third_bound_along.
have one : \sum_y p y = 1 := proj2 (softmax_policy z n0).
have tau0 : 0 <= tau := Rabs_pos eta.
have s2 : sign eta ^ 2 * eta ^ 2 = eta ^ 2 /\ sign eta * tau = eta.
  rewrite /tau /sign /Rabs; case: Rcase_abs => h; case: total_order_T => [[lt|eq]|gt]; try lra; split; nra.
have [sq st] := s2.
have move : entropy_change z d eta = entropy_change z e tau.
  rewrite /entropy_change /path_entropy; congr (entropy (softmax _) - _).
  by apply: fun_ext => y; rewrite /step /e -{1}st; ring.
have h1 : first_order p e = sign eta * first_order p d by rewrite /first_order /e cov_scale_r; ring.
have h2 : curvature z e = sign eta ^ 2 * curvature z d.
  have cl f : curvature z f = curvature_of p f by rewrite curvature_closed.
  by rewrite !cl; apply: (@curvature_of_scaled _ _ _ _ _ 0) => // y; rewrite /e; ring.
have := third_order_forward z e n0 tau0; rewrite -/p -move h1 h2.
have -> : tau * (sign eta * first_order p d) = eta * first_order p d by rewrite -{2}st; ring.
have -> : tau ^ 2 / 2 * (sign eta ^ 2 * curvature z d) = eta ^ 2 / 2 * curvature z d.
  by rewrite -sq /tau pow2_abs; field.
by rewrite (Rmult_comm (tau ^ 3)).
Qed.
