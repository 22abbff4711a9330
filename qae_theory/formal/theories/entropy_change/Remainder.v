(** The curvature of the entropy along a step, its brackets and the bounds on a finite change (claim remainder).

    X = -log p is split at a level t into min(X, t), to which the joint lemma applies, and a rest of mean at most
    n exp(-t - 1). The level is log n for the bound from below and log(n/c) - 1 for the bound from above. *)

From QAE Require Import Compat Definitions Sums Calculus JointLemma.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The constants *)

Lemma sqrt3_pos : 0 < sqrt 3.
Proof. by apply: sqrt_lt_R0; lra. Qed.

Lemma sqrt3_square : sqrt 3 * sqrt 3 = 3.
Proof. by apply: sqrt_sqrt; lra. Qed.

Lemma sqrt3_bounds : 1.7307 < sqrt 3 < 1.7321.
Proof. by have := sqrt3_pos; have := sqrt3_square; split; nra. Qed.

Lemma joint_constant_pos : 0 < joint_constant.
Proof. by apply: Rinv_0_lt_compat; have := sqrt3_pos; lra. Qed.

Lemma joint_constant_value : joint_constant = sqrt 3 / 18.
Proof. by rewrite /joint_constant; have := sqrt3_pos; have := sqrt3_square => e p; field_simplify_eq; nra. Qed.

(** (1 - s^2) s / 4 is at most c. *)
Lemma cubic_le s : 0 <= s -> (1 - s ^ 2) * s / 4 <= joint_constant.
Proof.
move=> s0; rewrite joint_constant_value; have p3 := sqrt3_pos; have e3 := sqrt3_square.
have : 0 <= (s - sqrt 3 / 3) ^ 2 * (s + 2 * (sqrt 3 / 3)).
  by apply: Rmult_le_pos; [apply: pow2_ge_0 | lra].
have -> : (s - sqrt 3 / 3) ^ 2 * (s + 2 * (sqrt 3 / 3)) =
    s ^ 3 - s * (sqrt 3 * sqrt 3) / 3 + 2 / 27 * (sqrt 3 * sqrt 3 * sqrt 3) by field.
rewrite e3; nra.
Qed.

(** The exponential series from below. *)
Lemma exp_partial_sum (N : nat) : sum_f_R0 (fun i => / INR (fact i)) N <= exp 1.
Proof.
rewrite /exp; case: (exist_exp 1) => l h /=.
apply: sum_incr => [|i]; last by apply: Rlt_le; apply: Rinv_0_lt_compat; apply: lt_0_INR; apply: lt_O_fact.
move=> e he; have [M hM] := h e he; exists M => k hk; have := hM k hk; rewrite /exp_in /=.
rewrite (_ : sum_f_R0 (fun i => / INR (fact i) * 1 ^ i) k = sum_f_R0 (fun i => / INR (fact i)) k) //.
by elim: k {hk} => [|k IH] /=; [field | rewrite IH pow1; ring].
Qed.

Lemma exp1_lower : 2.718 < exp 1.
Proof. by apply: Rlt_le_trans (exp_partial_sum 6) => /=; lra. Qed.

Lemma exp_opp1_upper : exp (-1) < 0.3680.
Proof.
rewrite (_ : -1 = - (1)) // exp_Ropp; have e := exp1_lower.
by apply: (Rmult_lt_reg_r (exp 1)); [lra | rewrite Rinv_l; lra].
Qed.

Lemma ln_root_le : ln (6 * sqrt 3) <= 3.
Proof.
apply: (Rle_trans _ (ln (exp 3))); last by rewrite ln_exp; lra.
apply: ln_le; first by have := sqrt3_pos; lra.
have -> : exp 3 = exp 1 * exp 1 * exp 1 by rewrite -!exp_plus; congr exp; ring.
have := exp1_lower; have := sqrt3_bounds; set e := exp 1 => h1 h2.
by have : 7 < e * e by [nra]; nra.
Qed.

(** The two terms of the stated brackets, in numbers. *)
Lemma remainder_constants : (1 + exp (-1)) / 4 < 0.342 /\ joint_constant < 0.0963
  /\ joint_constant * ln (6 * sqrt 3) < 0.342.
Proof.
have h1 := exp_opp1_upper; have h2 := sqrt3_bounds; have h3 := ln_root_le; have h4 := joint_constant_pos.
have c : joint_constant < 0.0963 by rewrite joint_constant_value; lra.
split; first by lra.
by split=> //; nra.
Qed.

(** * The covariance with a squared deviation *)

Lemma joint_max_0_1 : joint_max 0 1 <= joint_constant.
Proof.
apply: joint_max_le => s [s0 _]; have := cubic_le s0.
by rewrite (_ : (1 - s ^ 2) * (0 + 1 * s) / 4 = (1 - s ^ 2) * s / 4) //; field.
Qed.

Lemma covariance_two p :
  cov (bernoulli p) bit (fun y => (bit y - mean (bernoulli p) bit) ^ 2) = p * (1 - p) * (1 - 2 * p).
Proof. by rewrite /cov /mean !sum_bool /bernoulli /bit; ring. Qed.

(** For x and d with values in [0, 1], |Cov(x, (d - E d)^2)| is at most c = 1/(6 sqrt 3), and one heavy arm of
    probability (3 + sqrt 3)/6 attains it. *)
Theorem remainder_covariance : let c := / (6 * sqrt 3) in
  (forall (T : finType) (p x d : T -> R), law p -> (forall y, 0 <= x y <= 1) -> (forall y, 0 <= d y <= 1) ->
     Rabs (cov p x (fun y => (d y - mean p d) ^ 2)) <= c)
  /\ (let p := bernoulli ((3 + sqrt 3) / 6) in
      policy p /\ Rabs (cov p bit (fun y => (bit y - mean p bit) ^ 2)) = c).
Proof.
move=> c; split=> [T p x d lw hx hd|p].
  have := joint_lemma 0 lw hx hd (ltac:(lra) : 0 <= 1); rewrite Rmult_0_l Rplus_0_l Rmult_1_l.
  by move=> le; apply: Rle_trans le joint_max_0_1.
have h3 := sqrt3_bounds; have e3 := sqrt3_square.
split; first by split=> [[]|]; rewrite ?sum_bool /p /bernoulli; lra.
rewrite /p covariance_two /c -/joint_constant joint_constant_value.
have -> : (3 + sqrt 3) / 6 * (1 - (3 + sqrt 3) / 6) * (1 - 2 * ((3 + sqrt 3) / 6)) =
    - ((9 - sqrt 3 * sqrt 3) * sqrt 3 / 108) by field.
by rewrite e3 Rabs_Ropp Rabs_right; lra.
Qed.

(** * The brackets for a direction with values in [0, 1] *)

Section Split.
Variables (T : finType) (p : T -> R) (t : R).
Hypotheses (hp : policy p) (t0 : 0 <= t).
Let X y := - logp p y.
Let Y y := Rmin (X y) t.
Let Z y := X y - Y y.

Lemma surprise_ge0 y : 0 <= X y.
Proof.
have [pos _] := hp; rewrite /X /logp.
have : ln (p y) <= ln 1 by apply: ln_le; [exact: pos | exact: law_le1 (policy_law hp)].
by rewrite ln_1; lra.
Qed.

Lemma rest_ge0 y : 0 <= Z y.
Proof. by rewrite /Z /Y; have := Rmin_l (X y) t; lra. Qed.

(** p (-log p - t) is at most exp(-t - 1). *)
Lemma rest_term y : p y * Z y <= exp (- t - 1).
Proof.
have [pos _] := hp; have p0 := pos y; have e0 := exp_pos (- t - 1).
rewrite /Z /Y /Rmin; case: Rle_dec => h; first by rewrite Rminus_eq_0; lra.
(* With q = p exp(t + 1), -log q <= 1/q - 1. *)
pose q := p y / exp (- t - 1); have q0 : 0 < q by apply: Rdiv_lt_0_compat.
have ep : p y = exp (- t - 1) * q by rewrite /q; field; lra.
have lq : ln (p y) = - t - 1 + ln q by rewrite ep ln_mult // ln_exp.
have lnq : - (q * ln q) <= 1 - q.
  have := ln_le_sub1 (Rinv_0_lt_compat _ q0); rewrite ln_Rinv // => le.
  have := Rmult_le_compat_l q _ _ (Rlt_le _ _ q0) le; rewrite (_ : q * (/ q - 1) = 1 - q); [lra | field; lra].
rewrite /X /logp lq ep; set e := exp _ in e0 *.
have -> : e * q * (- (- t - 1 + ln q) - t) = e * (q + - (q * ln q)) by ring.
have := Rmult_le_compat_l e (q + - (q * ln q)) 1 (Rlt_le _ _ e0); lra.
Qed.

Lemma rest_mean : 0 <= mean p Z <= INR #|T| * exp (- t - 1).
Proof.
have [nn one] := policy_law hp; split; first by apply: mean_ge0 => //; exact: rest_ge0.
by rewrite -sum_const_all; apply: sum_le => y _; apply: rest_term.
Qed.

(** The capped part is t times a vector with values in [0, 1]. *)
Lemma capped_part : exists x : T -> R, (forall y, 0 <= x y <= 1) /\ forall y, Y y = t * x y.
Proof.
case: t0 => [pos|zero]; last first.
  exists (fun _ => 0); split=> [y|y]; first by lra.
  by rewrite /Y -zero Rmult_0_l Rmin_right //; exact: surprise_ge0.
exists (fun y => Y y / t); split=> [y|y]; last by field; lra.
have x0 := surprise_ge0 y; have := Rmin_r (X y) t.
have : 0 <= Y y by rewrite /Y /Rmin; case: Rle_dec.
rewrite /Y => h0 h1; split; first by apply: Rdiv_le_0_compat.
by apply: (Rmult_le_reg_r t) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
Qed.

Variable d : T -> R.
Let V := var p d.
Let K := - V - mean p (fun y => (logp p y - mean p (logp p)) * (d y - mean p d) ^ 2).

Lemma split_bounds : (forall y, 0 <= d y <= 1) -> let e := INR #|T| * exp (- t - 1) in
  - joint_max (1 + e) t <= K <= joint_max (-1) t + e.
Proof.
move=> hd e; have lw := policy_law hp; have [nn one] := lw.
have hm : 0 <= mean p d <= 1 by apply: mean_bounds.
pose D y := (d y - mean p d) ^ 2.
have hD y : 0 <= D y <= 1 by have := hd y; rewrite /D; split; [apply: pow2_ge_0 | nra].
have eV : mean p D = V by rewrite /V var_centred.
have V0 : 0 <= V by apply: var_ge0.
have [x [hx eY]] := capped_part.
have eK : K = - V + t * cov p x D + mean p (fun y => Z y * D y) - mean p Z * V.
  rewrite /K (_ : mean p (fun y => (logp p y - mean p (logp p)) * (d y - mean p d) ^ 2) = cov p (logp p) D).
    rewrite (@cov_ext _ p _ (fun y => - (t * x y + Z y)) _ D) // => [|y]; last first.
      by rewrite -eY /Z /X; ring.
    rewrite cov_sym cov_opp_r cov_add_r cov_scale_r (cov_sym p D x) /cov -eV.
    rewrite (@mean_ext _ p (fun y => D y * Z y) (fun y => Z y * D y)) => [|y]; ring.
  rewrite cov_sym cov_centred //; apply: mean_ext => y; rewrite /D; ring.
have [z0 ze] : 0 <= mean p Z <= e := rest_mean.
have zd0 : 0 <= mean p (fun y => Z y * D y).
  by apply: mean_ge0 => // y; apply: Rmult_le_pos; [apply: rest_ge0 | case: (hD y)].
have zd1 : mean p (fun y => Z y * D y) <= mean p Z.
  by apply: mean_le => // y; have := rest_ge0 y; have := hD y; nra.
have zv : 0 <= mean p Z * V <= e * V by split; [apply: Rmult_le_pos | apply: Rmult_le_compat_r].
have below := joint_lemma (1 + e) lw hx hd t0; have above := joint_lemma (-1) lw hx hd t0.
rewrite -/D -/V in below above.
have absr := Rabs_pos (cov p x D); have := Rle_abs (cov p x D); have := Rle_abs (- cov p x D).
rewrite Rabs_Ropp => h1 h2.
have c1 := Rmult_le_compat_l _ _ _ t0 h1; have c2 := Rmult_le_compat_l _ _ _ t0 h2.
by rewrite eK; split; lra.
Qed.
End Split.

(** * The brackets *)

Lemma lower_level n : (0 < n)%N -> 0 <= ln (INR n) /\ INR n * exp (- ln (INR n) - 1) = exp (-1).
Proof.
move=> n0; have np := INR_pos n0; split.
  by rewrite -ln_1; apply: ln_le; [lra | apply: (INR_leq n0)].
rewrite /Rminus exp_plus exp_Ropp exp_ln //.
by rewrite (_ : - (1) = -1) //; field; lra.
Qed.

Lemma upper_level n : (0 < n)%N -> let t := ln (INR n / joint_constant) - 1 in
  0 <= t /\ INR n * exp (- t - 1) = joint_constant /\ ln (INR n / joint_constant) = ln (6 * sqrt 3 * INR n).
Proof.
move=> n0 t; have np := INR_pos n0; have cp := joint_constant_pos.
have q0 : 0 < INR n / joint_constant by apply: Rdiv_lt_0_compat.
have e : INR n / joint_constant = 6 * sqrt 3 * INR n.
  by rewrite /joint_constant; have := sqrt3_pos => s0; field; lra.
split; last split; last by rewrite e.
  suff : 1 <= ln (INR n / joint_constant) by rewrite /t; lra.
  rewrite e -{1}(ln_exp 1); apply: ln_le; first exact: exp_pos.
  have := exp_le_3; have := sqrt3_bounds; have := INR_leq n0 => h1 h2 h3.
  by rewrite /= in h1; nra.
rewrite (_ : - t - 1 = - ln (INR n / joint_constant)); last by rewrite /t; ring.
by rewrite exp_Ropp exp_ln //; field; lra.
Qed.

(** The curvature of a policy along d. *)
Definition curvature_of (T : finType) (p d : T -> R) : R :=
  - var p d - mean p (fun y => (logp p y - mean p (logp p)) * (d y - mean p d) ^ 2).

(** A shift of d drops out and a factor comes out squared. *)
Lemma curvature_of_scaled (T : finType) (p d d' : T -> R) a b : \sum_y p y = 1 -> (forall y, d y = a * d' y + b) ->
  curvature_of p d = a ^ 2 * curvature_of p d'.
Proof.
move=> one h; have em : mean p d = a * mean p d' + b.
  by rewrite (mean_ext p h) mean_add mean_scale mean_const.
have dev y : d y - mean p d = a * (d' y - mean p d') by rewrite h em; ring.
rewrite /curvature_of !var_centred // Rmult_minus_distr_l -Ropp_mult_distr_r -!mean_scale.
by congr (- _ - _); apply: mean_ext => y; rewrite dev; ring.
Qed.

Lemma curvature_brackets (T : finType) (p d : T -> R) : policy p ->
  - (spread d ^ 2 * lower_bracket #|T|) <= curvature_of p d <= spread d ^ 2 * upper_bracket #|T|.
Proof.
move=> hp; have [_ one] := hp; have [y0 _] := law_inhabited one; have n0 := law_card one.
have [a [b e]] := spread_attained d y0; have r0 := spread_ge0 d; set rho := spread d in e r0 *.
have hd y : 0 <= d y - d b <= rho.
  by have := spread_ge d y b; have := spread_ge d a y; rewrite -/rho; lra.
have [d' [hd' ed]] : exists d', (forall y, 0 <= d' y <= 1) /\ forall y, d y = rho * d' y + d b.
  case: r0 => [pos|zero]; last by exists (fun _ => 0); split=> y; have := hd y; lra.
  exists (fun y => (d y - d b) / rho); split=> y; last by field; lra.
  have := hd y => h; split; first by apply: Rdiv_le_0_compat; lra.
  by apply: (Rmult_le_reg_r rho) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
rewrite (curvature_of_scaled one ed); have q0 := pow2_ge_0 rho.
have [l0 el] := lower_level n0; have [u0 [eu _]] := upper_level n0.
have [low _] := split_bounds hp l0 hd'; have [_ up] := split_bounds hp u0 hd'.
rewrite el in low; rewrite eu in up.
rewrite Ropp_mult_distr_r; split; apply: Rmult_le_compat_l => //.
Qed.

(** * The stated brackets *)

Lemma joint_max_split a t : 0 <= t -> joint_max a t <= Rmax a 0 / 4 + joint_constant * t.
Proof.
move=> t0; apply: joint_max_le => s hs; have c := cubic_le (proj1 hs).
have s2 : 0 <= 1 - s ^ 2 <= 1 by have := pow2_ge_0 s; nra.
have := Rmax_l a 0; have := Rmax_r a 0 => m0 ma.
have h1 : (1 - s ^ 2) * a <= Rmax a 0 by nra.
have h2 := Rmult_le_compat_l t _ _ t0 c; lra.
Qed.

Lemma lower_bracket_stated n : (0 < n)%N -> lower_bracket n <= joint_constant * ln (INR n) + (1 + exp (-1)) / 4.
Proof.
move=> n0; have [l0 _] := lower_level n0; have e0 := exp_pos (-1).
by have := joint_max_split (1 + exp (-1)) l0; rewrite /lower_bracket Rmax_left; lra.
Qed.

Lemma upper_bracket_stated n : (0 < n)%N -> upper_bracket n <= joint_constant * ln (6 * sqrt 3 * INR n).
Proof.
move=> n0; have [u0 [_ e]] := upper_level n0; have := joint_max_split (-1) u0.
by rewrite /upper_bracket -e Rmax_right; lra.
Qed.

Lemma brackets_pos n : (0 < n)%N -> 0 < lower_bracket n /\ 0 < upper_bracket n.
Proof.
move=> n0; have [l0 _] := lower_level n0; have c0 := joint_constant_pos; have e0 := exp_pos (-1); split.
  apply: Rlt_le_trans (joint_max_ge (1 + exp (-1)) (ln (INR n)) (ltac:(lra) : 0 <= 0 <= 1)); lra.
have := joint_max_ge (-1) (ln (INR n / joint_constant) - 1) (ltac:(lra) : 0 <= 1 <= 1).
by rewrite /upper_bracket; lra.
Qed.

(** * The claim *)

(** For n responses, all logits z and every direction d, with rho = spread d and c = 1/(6 sqrt 3): the second derivative
    of the entropy along the path z + t d in closed form; its brackets at every t, the sharper pair L_-, L_+ and the
    stated one; what they say of the entropy change of every step eta, together with 0 <= H <= log n. *)
Theorem remainder : forall (T : finType) (z d : T -> R), (0 < #|T|)%N ->
  let n := INR #|T| in let c := / (6 * sqrt 3) in let rho := spread d in let p t := softmax (step z d t) in
  let phi2 t :=
    - var (p t) d - mean (p t) (fun y => (logp (p t) y - mean (p t) (logp (p t))) * (d y - mean (p t) d) ^ 2) in
  (forall t, is_derive (path_entropy z d) t (first_order (p t) d)
             /\ is_derive (fun u => first_order (p u) d) t (phi2 t))
  /\ (forall t, - (rho ^ 2 * lower_bracket #|T|) <= phi2 t <= rho ^ 2 * upper_bracket #|T|)
  /\ lower_bracket #|T| <= c * ln n + (1 + exp (-1)) / 4
  /\ upper_bracket #|T| <= c * ln (6 * sqrt 3 * n)
  /\ forall eta, let dH := entropy_change z d eta in let h1 := first_order (softmax z) d in
     (eta * h1 - eta ^ 2 / 2 * (rho ^ 2 * lower_bracket #|T|) <= dH
        <= eta * h1 + eta ^ 2 / 2 * (rho ^ 2 * upper_bracket #|T|))
     /\ - entropy (softmax z) <= dH <= ln n - entropy (softmax z)
     /\ Rabs (dH - eta * h1) <= eta ^ 2 / 2 * rho ^ 2 * (0.342 + 0.0963 * ln n).
Proof.
move=> T z d n0 n c rho p phi2.
have br t : - (rho ^ 2 * lower_bracket #|T|) <= phi2 t <= rho ^ 2 * upper_bracket #|T|.
  exact: (curvature_brackets d (softmax_policy (step z d t) n0)).
split; first by move=> t; split; [apply: derive_path_entropy | apply: derive_first_order].
split=> //; split; first exact: lower_bracket_stated.
split; first exact: upper_bracket_stated.
move=> eta dH h1.
have bound := @entropy_change_bounds T z d _ _ eta (fun t _ => br t).
rewrite -/dH -/h1 in bound.
have hp' := softmax_policy (step z d eta) n0; have := entropy_ge0 hp'; have := entropy_le_ln hp' => u l.
split; first by lra.
split; first by rewrite /dH /entropy_change /path_entropy; rewrite -/n in u; lra.
have [l0 _] := lower_level n0; rewrite -/n in l0; have [k1 [k2 k3]] := remainder_constants.
have np : 0 < n := INR_pos n0; have s3 := sqrt3_pos.
have lowb := lower_bracket_stated n0; have upb := upper_bracket_stated n0.
rewrite ln_mult // -/n in upb; last by lra.
rewrite -/n in lowb.
have cl : joint_constant * ln n <= 0.0963 * ln n by apply: Rmult_le_compat_r; lra.
have r0 : 0 <= eta ^ 2 / 2 * rho ^ 2 by have := pow2_ge_0 eta; have := pow2_ge_0 rho; nra.
have hl : lower_bracket #|T| <= 0.342 + 0.0963 * ln n by lra.
have hu : upper_bracket #|T| <= 0.342 + 0.0963 * ln n by lra.
have low' := Rmult_le_compat_l _ _ _ r0 hl; have up' := Rmult_le_compat_l _ _ _ r0 hu.
by apply: Rabs_le; lra.
Qed.
