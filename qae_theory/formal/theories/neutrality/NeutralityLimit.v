(** Claim neutrality-limit: the gains of QAE and GRPO tend to 1/sqrt(p (1 - p)), with explicit constants.

    Everything is at eps = 0 and with the population's standard deviation. A gain is a mean over the number m of correct
    responses of the whole group: w_GRPO = E[T(m/G)] with T(x) = sqrt(x (1 - x))/(p (1 - p)), and w_QAE = E[F(m/G)] with
    F(x) = sqrt(x/(1 - x))/p up to 1 - K and sqrt((1 - x)/x)/(1 - p) beyond. Both T and F are 1/s at p, for
    s = sqrt(p (1 - p)), and stray from it by at most a constant times |x - p|, whose mean is at most s/sqrt G. At
    p = 1 - K the function F falls away from p on both sides, and the mean of |m/G - p| is at least s/(2 sqrt G). *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables NeutralityGains Neutrality.

Set Implicit Arguments.
Unset Strict Implicit.

(** * From responses to groups *)

Lemma gain_group (G : nat) (p : R) (A : estimator G) a (i : 'I_G) : 0 < p < 1 -> has_table A a ->
  gain p A i = binomial_mean G p (fun m => rate G m * a true m / p - (1 - rate G m) * a false m / (1 - p)).
Proof.
move=> hp table; have G0 := group_pos i; have g := INR_pos G0.
have each l : gain p A l = gain p A i by rewrite !(gain_table hp _ table).
apply: (Rmult_eq_reg_l (INR G)); last by lra.
rewrite -sum_const_ord -(eq_bigr _ (fun l _ => each l)).
rewrite (eq_bigr (fun l => expect (bernoulli p) (fun c : {ffun 'I_G -> bool} =>
    let m := num_correct (rewards bit c) in
    bit (c l) * (a true m / p) - bit (~~ c l) * (a false m / (1 - p))))) => [|l _]; last first.
  rewrite gain_expect // -!expect_div -expect_sub; apply: expect_ext => c; rewrite table.
  by case: (c l); rewrite /bit /Rdiv /=; ring.
rewrite -expect_sum -binomial_mean_scale -expect_binomial; apply: expect_ext => c /=.
set m := num_correct _; have bin := rewards_bit_binary c.
have right : \sum_l bit (c l) = INR m by rewrite /m -(sum_binary bin).
have wrong : \sum_l bit (~~ c l) = INR G - INR m.
  rewrite -right -[X in X - _](Rmult_1_r (INR G)) -sum_const_ord -sum_sub; apply: sum_ext => l.
  by case: (c l) => /=; ring.
by rewrite sum_sub !sum_scale_r right wrong /rate; field; lra.
Qed.

Section GroupForm.
Variables (G : nat) (p : R) (i : 'I_G).
Hypothesis hp : 0 < p < 1.

(** The integrands T and F. *)
Definition grpo_integrand (p x : R) : R := sqrt (x * (1 - x)) / (p * (1 - p)).
Definition qae_integrand (K p x : R) : R :=
  if Rleb x (1 - K) then u_weight x / p else v_weight x / (1 - p).

Lemma rate_range m : (m <= G)%N -> 0 <= rate G m <= 1.
Proof.
move=> mG; have g := INR_pos (group_pos i); have m0 := pos_INR m; have le := INR_leq mG.
rewrite /rate; split; first by apply: Rdiv_le_0_compat.
by apply: (Rmult_le_reg_r (INR G)) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
Qed.

Lemma rate_0 : rate G 0 = 0.
Proof. by rewrite /rate /Rdiv Rmult_0_l. Qed.

Lemma rate_G : rate G G = 1.
Proof. by rewrite /rate /Rdiv Rinv_r //; apply: INR_neq0; apply: group_pos i. Qed.

Lemma table_over_population f b m : (0 < m < G)%N ->
  table_over G Population 0 f b m = f b m / sqrt (rate G m * (1 - rate G m)).
Proof.
move=> /andP[m0 mG]; rewrite /table_over /table_mixed /table_std Rmult_1_r Rplus_0_r.
by move: m0; rewrite lt0n => /negbTE ->; move: mG; rewrite ltn_neqAle => /andP[/negbTE -> _].
Qed.

Lemma table_over_degenerate k eps f b m : (m == 0%N) || (m == G) -> table_over G k eps f b m = 0.
Proof. by rewrite /table_over /table_mixed => ->. Qed.

Lemma mixed_or_degenerate m : (m <= G)%N -> (0 < m < G)%N \/ (m == 0%N) || (m == G).
Proof. by case: m => [|m] mG; [right | move: mG; rewrite leq_eqVlt => /orP[->|->]; [right; rewrite orbT | left]]. Qed.

Lemma square_pos x : 0 < x < 1 -> exists2 s, 0 < s & sqrt (x * (1 - x)) = s /\ s * s = x * (1 - x).
Proof.
move=> hx; have pos : 0 < x * (1 - x) by nra.
by exists (sqrt (x * (1 - x))); [apply: sqrt_lt_R0 | split=> //; apply: sqrt_sqrt; lra].
Qed.

Lemma u_weight_root x s : 0 < x < 1 -> 0 < s -> s * s = x * (1 - x) -> u_weight x = x / s.
Proof.
move=> hx s0 e; rewrite /u_weight -(sqrt_square (x / s)); last by apply: Rlt_le; apply: Rdiv_lt_0_compat; lra.
congr sqrt; apply: (Rmult_eq_reg_r (s * s)); last by nra.
rewrite [in LHS]e; field; lra.
Qed.

Lemma v_weight_root x s : 0 < x < 1 -> 0 < s -> s * s = x * (1 - x) -> v_weight x = (1 - x) / s.
Proof.
move=> hx s0 e; rewrite /v_weight -(sqrt_square ((1 - x) / s)); last first.
  by apply: Rlt_le; apply: Rdiv_lt_0_compat; lra.
congr sqrt; apply: (Rmult_eq_reg_r (s * s)); last by nra.
rewrite [in LHS]e; field; lra.
Qed.

Lemma gain_grpo_group : gain p (@grpo G Population 0) i =
  binomial_mean G p (fun m => grpo_integrand p (rate G m)).
Proof.
rewrite (gain_group i hp (@grpo_table G Population 0)); apply: binomial_mean_ext => m mG.
case: (mixed_or_degenerate mG) => [hm|d].
  rewrite !table_over_population // /grpo_integrand /bit.
  have [s s0 [-> e]] := square_pos (@rate_bounds G m hm).
  rewrite -[X in _ = X / _](_ : s * s / s = s); last by field; lra.
  by rewrite e; field; lra.
rewrite !table_over_degenerate // /grpo_integrand.
case/orP: d => /eqP ->; rewrite ?rate_0 ?rate_G ?Rminus_eq_0 ?Rmult_0_r ?Rmult_0_l sqrt_0 /Rdiv; ring.
Qed.

Lemma gain_qae_group K : 0 < K < 1 -> gain p (@qae G Population 0 K) i =
  binomial_mean G p (fun m => qae_integrand K p (rate G m)).
Proof.
move=> hK; have hK' : 0 < K <= 1 by lra.
rewrite (gain_group i hp (@qae_table G Population 0 K hK')); apply: binomial_mean_ext => m mG.
case: (mixed_or_degenerate mG) => [hm|d].
  rewrite !table_over_population // /qae_integrand /gate /bit.
  have hr := @rate_bounds G m hm; have [s s0 [-> e]] := square_pos hr.
  rewrite (u_weight_root hr s0 e) (v_weight_root hr s0 e).
  by case: Rleb; field; lra.
rewrite !table_over_degenerate // /qae_integrand.
case/orP: d => /eqP ->; rewrite ?rate_0 ?rate_G.
  rewrite Rleb_true; last by lra.
  by rewrite /u_weight /Rdiv !Rmult_0_l sqrt_0; ring.
rewrite Rleb_false; last by lra.
by rewrite /v_weight Rminus_eq_0 /Rdiv !Rmult_0_l sqrt_0; ring.
Qed.
End GroupForm.

(** * Moments of the number of correct responses *)

Definition central_moment (k N : nat) (p : R) : R := binomial_mean N p (fun j => (INR j - INR N * p) ^ k).

Lemma central_moment_1 N p : central_moment 1 N p = 0.
Proof.
rewrite /central_moment (binomial_mean_ext (h := fun j => INR j - INR N * p)) => [|j _]; last by ring.
by rewrite binomial_mean_sub binomial_mean_id binomial_mean_const; ring.
Qed.

Lemma central_moment_2 N p : central_moment 2 N p = INR N * (p * (1 - p)).
Proof.
elim: N => [|N IH]; first by rewrite /central_moment /binomial_mean big_ord_recl big_ord0 /binomial_law /=; ring.
have first := central_moment_1 N p; move: IH first; rewrite /central_moment binomial_mean_succ => IH first.
rewrite (binomial_mean_ext (h := fun j => (INR j - INR N * p) ^ 2 + (2 * (1 - p) * (INR j - INR N * p) ^ 1
  + (1 - p) ^ 2))) => [|j _]; last by rewrite !INR_succ; ring.
rewrite [X in _ + _ * X](binomial_mean_ext (h := fun j => (INR j - INR N * p) ^ 2 + (- 2 * p * (INR j - INR N * p) ^ 1
  + p ^ 2))) => [|j _]; last by rewrite !INR_succ; ring.
by rewrite !binomial_mean_add !binomial_mean_scale !binomial_mean_const IH first INR_succ; ring.
Qed.

Lemma central_moment_4 N p : let q := p * (1 - p) in
  central_moment 4 N p = INR N * (q * (1 - 3 * q)) + 3 * INR N * (INR N - 1) * q ^ 2.
Proof.
move=> q.
elim: N => [|N IH]; first by rewrite /central_moment /binomial_mean big_ord_recl big_ord0 /binomial_law /=; ring.
have first := central_moment_1 N p; have second := central_moment_2 N p.
move: IH first second; rewrite /central_moment binomial_mean_succ => IH first second.
pose x j := INR j - INR N * p.
rewrite (binomial_mean_ext (h := fun j => x j ^ 4 + (4 * (1 - p) * x j ^ 3 + (6 * (1 - p) ^ 2 * x j ^ 2
  + (4 * (1 - p) ^ 3 * x j ^ 1 + (1 - p) ^ 4))))) => [|j _]; last by rewrite /x !INR_succ; ring.
rewrite [X in _ + _ * X](binomial_mean_ext (h := fun j => x j ^ 4 + (- 4 * p * x j ^ 3 + (6 * p ^ 2 * x j ^ 2
  + (- 4 * p ^ 3 * x j ^ 1 + p ^ 4))))) => [|j _]; last by rewrite /x !INR_succ; ring.
by rewrite !binomial_mean_add !binomial_mean_scale !binomial_mean_const IH first second INR_succ /q; ring.
Qed.

(** * The mean deviation of the success rate *)

Section Deviation.
Variables (G : nat) (p : R).
Hypotheses (hp : 0 < p < 1) (G0 : (0 < G)%N).
Let q := p * (1 - p).
Let s := sqrt q.
Let w := s / sqrt (INR G).

Definition mean_deviation (G : nat) (p : R) : R := binomial_mean G p (fun m => Rabs (rate G m - p)).

Lemma variance_pos : 0 < q.
Proof. by apply: Rmult_lt_0_compat; lra. Qed.

Lemma deviation_pos : 0 < s.
Proof. exact: sqrt_lt_R0 variance_pos. Qed.

Lemma deviation_square : s * s = q.
Proof. by apply: sqrt_sqrt; have := variance_pos; lra. Qed.

Lemma root_size_pos : 0 < sqrt (INR G).
Proof. exact/sqrt_lt_R0/INR_pos. Qed.

Lemma root_size_square : sqrt (INR G) * sqrt (INR G) = INR G.
Proof. by apply: sqrt_sqrt; apply: pos_INR. Qed.

Lemma rate_moment k : binomial_mean G p (fun m => (rate G m - p) ^ k) = central_moment k G p / INR G ^ k.
Proof.
have g := INR_pos G0; rewrite /central_moment /Rdiv Rmult_comm -binomial_mean_scale; apply: binomial_mean_ext => m _.
rewrite -pow_inv -Rpow_mult_distr; congr (_ ^ k); rewrite /rate; field; lra.
Qed.

Lemma rate_moment_1 : binomial_mean G p (fun m => rate G m - p) = 0.
Proof.
rewrite -(_ : central_moment 1 G p / INR G ^ 1 = 0); last by rewrite central_moment_1 /Rdiv Rmult_0_l.
by rewrite -rate_moment; apply: binomial_mean_ext => m _; ring.
Qed.

Lemma rate_moment_2 : binomial_mean G p (fun m => (rate G m - p) ^ 2) = w * w.
Proof.
have rg := root_size_pos; have g := INR_pos G0.
rewrite (_ : w * w = (s * s) / (sqrt (INR G) * sqrt (INR G))); last by rewrite /w; field; lra.
by rewrite root_size_square deviation_square rate_moment central_moment_2 -/q; field; lra.
Qed.

Lemma dispersion_pos : 0 < w.
Proof. exact: Rdiv_lt_0_compat deviation_pos root_size_pos. Qed.

Lemma mean_deviation_le : mean_deviation G p <= w.
Proof.
have w0 := dispersion_pos.
have -> : w = binomial_mean G p (fun m => / 2 * / w * (rate G m - p) ^ 2 + / 2 * w).
  by rewrite binomial_mean_add binomial_mean_scale binomial_mean_const rate_moment_2; field; lra.
apply: binomial_mean_le => [|m _]; first by lra.
set x := rate G m - p; rewrite -(pow2_abs x); have := Rabs_pos x; move: (Rabs x) => y y0.
apply: (Rmult_le_reg_l (2 * w)); first by lra.
have -> : 2 * w * (/ 2 * / w * y ^ 2 + / 2 * w) = y ^ 2 + w ^ 2 by field; lra.
by have := pow2_ge_0 (y - w); nra.
Qed.

(** From below: |y| is at least (3/4) y^2/w - y^4/(16 w^3), as 16 - 12 t + t^3 = (t - 2)^2 (t + 4). *)
Lemma mean_deviation_ge : 1 <= INR G * q -> w / 2 <= mean_deviation G p.
Proof.
move=> large; have w0 := dispersion_pos; have g := INR_pos G0; have q0 := variance_pos.
have w2 : w * w = q / INR G.
  rewrite -rate_moment_2 rate_moment central_moment_2 -/q; field; lra.
have fourth : binomial_mean G p (fun m => (rate G m - p) ^ 4) <= 4 * (w * w) * (w * w).
  rewrite rate_moment central_moment_4 -/q w2.
  have -> : 4 * (q / INR G) * (q / INR G) = (4 * INR G ^ 2 * q ^ 2) / INR G ^ 4 by field; lra.
  apply: Rmult_le_compat_r; first by apply: Rlt_le; apply: Rinv_0_lt_compat; apply: pow_lt.
  have q1 : q <= 1 by rewrite /q; nra.
  have a := Rmult_le_compat_l _ _ _ (Rlt_le _ _ (Rmult_lt_0_compat _ _ g q0)) large.
  nra.
apply: (Rle_trans _ (binomial_mean G p (fun m =>
    3 / 4 * / w * (rate G m - p) ^ 2 + - / (16 * w ^ 3) * (rate G m - p) ^ 4))).
  rewrite binomial_mean_add !binomial_mean_scale rate_moment_2.
  have i0 : 0 <= / (16 * w ^ 3).
    by apply: Rlt_le; apply: Rinv_0_lt_compat; apply: Rmult_lt_0_compat; [lra | apply: pow_lt].
  have h := Rmult_le_compat_l _ _ _ i0 fourth.
  have e : / (16 * w ^ 3) * (4 * (w * w) * (w * w)) = w / 4 by field; lra.
  have e' : 3 / 4 * / w * (w * w) = 3 / 4 * w by field; lra.
  by rewrite e'; rewrite e in h; lra.
apply: binomial_mean_le => [|m _]; first by lra.
set x := rate G m - p.
have -> : x ^ 4 = (x ^ 2) ^ 2 by ring.
rewrite -(pow2_abs x); have := Rabs_pos x; move: (Rabs x) => y y0.
apply: (Rmult_le_reg_l (16 * w ^ 3)); first by apply: Rmult_lt_0_compat; [lra | apply: pow_lt].
have -> : 16 * w ^ 3 * (3 / 4 * / w * y ^ 2 + - / (16 * w ^ 3) * (y ^ 2) ^ 2) = 12 * w ^ 2 * y ^ 2 - (y ^ 2) ^ 2.
  by field; lra.
have : 0 <= y * ((y - 2 * w) ^ 2 * (y + 4 * w)).
  by apply: Rmult_le_pos => //; apply: Rmult_le_pos; [apply: pow2_ge_0 | lra].
by nra.
Qed.
End Deviation.

(** * How far the integrands stray from 1/s *)

Section Pointwise.
Variables (p s : R).
Hypotheses (hp : 0 < p < 1) (s0 : 0 < s) (ss : s * s = p * (1 - p)).

Lemma u_weight_square x : 0 <= x < 1 -> 0 <= u_weight x /\ u_weight x * u_weight x * (1 - x) = x.
Proof.
move=> hx; split; first exact: sqrt_pos.
rewrite /u_weight sqrt_sqrt; first by field; lra.
by apply: Rdiv_le_0_compat; lra.
Qed.

Lemma v_weight_flip x : v_weight x = u_weight (1 - x).
Proof. by rewrite /v_weight /u_weight; congr (sqrt (_ / _)); ring. Qed.

(** (u(x) - p/s)(u(x) + p/s)(1 - x)(1 - p) = x - p. *)
Lemma u_weight_product x : 0 <= x < 1 ->
  (u_weight x - p / s) * ((u_weight x + p / s) * ((1 - x) * (1 - p))) = x - p.
Proof.
move=> hx; have [u0 e] := u_weight_square hx.
have es : (p / s) * (p / s) * (1 - p) = p.
  by rewrite (_ : p / s * (p / s) * (1 - p) = p * (p * (1 - p)) / (s * s)); [rewrite -ss; field | field]; lra.
have -> : (u_weight x - p / s) * ((u_weight x + p / s) * ((1 - x) * (1 - p))) =
  u_weight x * u_weight x * (1 - x) * (1 - p) - p / s * (p / s) * (1 - p) * (1 - x) by ring.
by rewrite e es; ring.
Qed.

Lemma root_weight : p / s * (1 - p) = s.
Proof. by rewrite (_ : p / s * (1 - p) = p * (1 - p) / s); [rewrite -ss|]; field; lra. Qed.

Lemma u_weight_near x : 0 <= x < 1 -> Rabs (u_weight x - p / s) * ((1 - x) * s) <= Rabs (x - p).
Proof.
move=> hx; have [u0 _] := u_weight_square hx; rewrite -(u_weight_product hx) [in X in _ <= X]Rabs_mult.
apply: Rmult_le_compat_l; first exact: Rabs_pos.
have P0 : 0 < p / s by apply: Rdiv_lt_0_compat; lra.
rewrite Rabs_pos_eq; last by apply: Rmult_le_pos; [lra | apply: Rmult_le_pos; lra].
rewrite -{1}root_weight.
have : 0 <= u_weight x * ((1 - x) * (1 - p)) by apply: Rmult_le_pos => //; apply: Rmult_le_pos; lra.
lra.
Qed.

Lemma u_weight_falls x : 0 <= x <= p -> (p - x) / (2 * s) <= p / s - u_weight x.
Proof.
move=> hx; have hx1 : 0 <= x < 1 by lra.
have [u0 _] := u_weight_square hx1; have prod := u_weight_product hx1.
have P0 : 0 < p / s by apply: Rdiv_lt_0_compat; lra.
have le : u_weight x <= p / s.
  apply: Rnot_lt_le => lt; have : 0 < (u_weight x + p / s) * ((1 - x) * (1 - p)).
    by apply: Rmult_lt_0_compat; [lra | apply: Rmult_lt_0_compat; lra].
  by move=> h; have := Rmult_lt_0_compat _ _ (Rlt_Rminus _ _ lt) h; lra.
apply: (Rmult_le_reg_r (2 * s)); first by lra.
have -> : (p - x) / (2 * s) * (2 * s) = p - x by field; lra.
have -> : p - x = (p / s - u_weight x) * ((u_weight x + p / s) * ((1 - x) * (1 - p))) by lra.
apply: Rmult_le_compat_l; first by lra.
rewrite -{2}root_weight.
apply: (Rle_trans _ ((p / s + p / s) * (1 * (1 - p)))); last by lra.
apply: Rmult_le_compat; [lra | apply: Rmult_le_pos; lra | lra | apply: Rmult_le_compat_r; lra].
Qed.

Lemma grpo_near x : 0 <= x <= 1 -> Rabs (grpo_integrand p x - / s) * (s * s * s) <= Rabs (x - p).
Proof.
move=> hx; rewrite /grpo_integrand -ss; set t := sqrt _.
have t0 : 0 <= t by apply: sqrt_pos.
have tt : t * t = x * (1 - x) by apply: sqrt_sqrt; nra.
have -> : t / (s * s) - / s = (t - s) * / (s * s) by field; lra.
have i0 : 0 < / (s * s) by apply: Rinv_0_lt_compat; nra.
rewrite Rabs_mult (Rabs_pos_eq (/ (s * s))); last by lra.
have -> : Rabs (t - s) * / (s * s) * (s * s * s) = Rabs (t - s) * s by field; lra.
apply: (Rle_trans _ (Rabs (t - s) * (t + s))).
  by apply: Rmult_le_compat_l; [apply: Rabs_pos | lra].
rewrite -[X in _ * X <= _](Rabs_pos_eq (t + s)); last by lra.
rewrite -Rabs_mult (_ : (t - s) * (t + s) = (x - p) * (1 - x - p)); last first.
  by rewrite (_ : (t - s) * (t + s) = t * t - s * s); [rewrite tt ss; ring | ring].
rewrite Rabs_mult -[X in _ <= X]Rmult_1_r; apply: Rmult_le_compat_l; first exact: Rabs_pos.
by apply: Rabs_le; lra.
Qed.
End Pointwise.

(** * The claim *)

(** For all G, p and K, QAE's gain is within max(1/(K p), 1/((1 - K)(1 - p)))/sqrt G of 1/sqrt(p (1 - p)). *)
Theorem neutrality_limit_qae : forall (G : nat) (p K : R) (i : 'I_G), 0 < p < 1 -> 0 < K < 1 ->
  Rabs (gain p (@qae G Population 0 K) i - / sqrt (p * (1 - p)))
    <= Rmax (/ (K * p)) (/ ((1 - K) * (1 - p))) / sqrt (INR G).
Proof.
move=> G p K i hp hK; have G0 := group_pos i.
set c := Rmax _ _; set s := sqrt _; have s0 : 0 < s := deviation_pos hp.
have ss : s * s = p * (1 - p) := deviation_square hp.
have c1 : / (K * p) <= c := Rmax_l _ _; have c2 : / ((1 - K) * (1 - p)) <= c := Rmax_r _ _.
have near m : (m <= G)%N -> Rabs (qae_integrand K p (rate G m) - / s) <= c / s * Rabs (rate G m - p).
  move=> mG; have hr := rate_range i mG; set x := rate G m; rewrite -/x in hr.
  rewrite /qae_integrand; case: RlebP => gate.
    have hx : 0 <= x < 1 by lra.
    have near := u_weight_near hp s0 ss hx.
    have -> : u_weight x / p - / s = (u_weight x - p / s) * / p by field; lra.
    have ip : 0 < / p by apply: Rinv_0_lt_compat; lra.
    rewrite Rabs_mult (Rabs_pos_eq (/ p)); last by lra.
    apply: (Rle_trans _ (/ (K * p) / s * Rabs (x - p))); last first.
      apply: Rmult_le_compat_r; first exact: Rabs_pos.
      by apply: Rmult_le_compat_r => //; apply: Rlt_le; apply: Rinv_0_lt_compat.
    have -> : / (K * p) / s * Rabs (x - p) = (Rabs (x - p) * / (K * s)) * / p by field; lra.
    apply: Rmult_le_compat_r; first by lra.
    apply: (Rmult_le_reg_r (K * s)); first by nra.
    have -> : Rabs (x - p) * / (K * s) * (K * s) = Rabs (x - p) by field; lra.
    apply: Rle_trans near; apply: Rmult_le_compat_l; first exact: Rabs_pos.
    by apply: Rmult_le_compat_r; lra.
  have hx : 0 <= 1 - x < 1 by lra.
  have hp' : 0 < 1 - p < 1 by lra.
  have ss' : s * s = (1 - p) * (1 - (1 - p)) by rewrite ss; ring.
  have near := u_weight_near hp' s0 ss' hx; rewrite v_weight_flip.
  have ex : 1 - x - (1 - p) = - (x - p) by ring.
  rewrite ex Rabs_Ropp in near.
  have -> : u_weight (1 - x) / (1 - p) - / s = (u_weight (1 - x) - (1 - p) / s) * / (1 - p) by field; lra.
  have ip : 0 < / (1 - p) by apply: Rinv_0_lt_compat; lra.
  rewrite Rabs_mult (Rabs_pos_eq (/ (1 - p))); last by lra.
  apply: (Rle_trans _ (/ ((1 - K) * (1 - p)) / s * Rabs (x - p))); last first.
    apply: Rmult_le_compat_r; first exact: Rabs_pos.
    by apply: Rmult_le_compat_r => //; apply: Rlt_le; apply: Rinv_0_lt_compat.
  have -> : / ((1 - K) * (1 - p)) / s * Rabs (x - p) = (Rabs (x - p) * / ((1 - K) * s)) * / (1 - p) by field; lra.
  apply: Rmult_le_compat_r; first by lra.
  apply: (Rmult_le_reg_r ((1 - K) * s)); first by nra.
  have -> : Rabs (x - p) * / ((1 - K) * s) * ((1 - K) * s) = Rabs (x - p) by field; lra.
  apply: Rle_trans near; apply: Rmult_le_compat_l; first exact: Rabs_pos.
  by apply: Rmult_le_compat_r; lra.
rewrite gain_qae_group // -(binomial_mean_const G p (/ s)) -binomial_mean_sub.
apply: (Rle_trans _ (c / s * mean_deviation G p)).
  rewrite /mean_deviation -binomial_mean_scale; apply: Rle_trans (sum_abs _ _) _; apply: sum_le => m _.
  have law0 : 0 <= binomial_law G p m by apply: binomial_law_ge0; lra.
  rewrite Rabs_mult (Rabs_pos_eq (binomial_law G p m)) //; apply: Rmult_le_compat_l => //.
  by apply: near; rewrite -ltnS.
have c0 : 0 <= c / s.
  apply: Rdiv_le_0_compat => //; apply: Rle_trans c1; apply: Rlt_le; apply: Rinv_0_lt_compat; nra.
apply: Rle_trans (Rmult_le_compat_l _ _ _ c0 (mean_deviation_le hp G0)) _.
rewrite -/s; right; have := root_size_pos G0 => rg; field; lra.
Qed.

Theorem neutrality_limit_grpo : forall (G : nat) (p : R) (i : 'I_G), 0 < p < 1 ->
  Rabs (gain p (@grpo G Population 0) i - / sqrt (p * (1 - p))) <= / (p * (1 - p)) / sqrt (INR G).
Proof.
move=> G p i hp; have G0 := group_pos i.
set s := sqrt _; have s0 : 0 < s := deviation_pos hp; have ss : s * s = p * (1 - p) := deviation_square hp.
have s3 : 0 < s * s * s by apply: Rmult_lt_0_compat => //; apply: Rmult_lt_0_compat.
have near m : (m <= G)%N -> Rabs (grpo_integrand p (rate G m) - / s) <= / (s * s * s) * Rabs (rate G m - p).
  move=> mG; have := grpo_near hp s0 ss (rate_range i mG); move: (Rabs (grpo_integrand _ _ - _)) => a h.
  apply: (Rmult_le_reg_r (s * s * s)) => //; apply: Rle_trans h _; right; field; lra.
rewrite gain_grpo_group // -(binomial_mean_const G p (/ s)) -binomial_mean_sub.
apply: (Rle_trans _ (/ (s * s * s) * mean_deviation G p)).
  rewrite /mean_deviation -binomial_mean_scale; apply: Rle_trans (sum_abs _ _) _; apply: sum_le => m _.
  have law0 : 0 <= binomial_law G p m by apply: binomial_law_ge0; lra.
  rewrite Rabs_mult (Rabs_pos_eq (binomial_law G p m)) //; apply: Rmult_le_compat_l => //.
  by apply: near; rewrite -ltnS.
have c0 := Rlt_le _ _ (Rinv_0_lt_compat _ s3).
apply: Rle_trans (Rmult_le_compat_l _ _ _ c0 (mean_deviation_le hp G0)) _.
by rewrite -/s -ss; right; have := root_size_pos G0 => rg; field; lra.
Qed.

(** At p = 1 - K, QAE's gain is below 1/s by an amount of the order G^(-1/2), at least where G s^2 >= 1. *)
Theorem neutrality_limit_rate : forall (G : nat) (p K : R) (i : 'I_G), 0 < p < 1 -> p = 1 - K ->
  1 <= INR G * (p * (1 - p)) ->
  / (8 * (p * (1 - p)) * sqrt (INR G)) <= / sqrt (p * (1 - p)) - gain p (@qae G Population 0 K) i
  /\ / sqrt (p * (1 - p)) - gain p (@qae G Population 0 K) i <= / ((p * (1 - p)) * sqrt (INR G)).
Proof.
move=> G p K i hp eK large; have G0 := group_pos i; have hK : 0 < K < 1 by lra.
have rg := root_size_pos G0; split; last first.
  have := neutrality_limit_qae i hp hK.
  have -> : / (K * p) = / (p * (1 - p)) by congr (/ _); rewrite eK; ring.
  have -> : / ((1 - K) * (1 - p)) = / (p * (1 - p)) by rewrite -eK.
  rewrite Rmax_left; last exact: Rle_refl.
  have -> : / (p * (1 - p)) / sqrt (INR G) = / (p * (1 - p) * sqrt (INR G)) by field; lra.
  by move/Rabs_le_between; lra.
have := mean_deviation_ge hp G0 large.
set s := sqrt _; have s0 : 0 < s := deviation_pos hp; have ss : s * s = p * (1 - p) := deviation_square hp.
move=> dev; pose c := / (4 * (s * s * s)); pose b := / (4 * s) * (/ (1 - p) - / p).
have c0 : 0 < c by apply: Rinv_0_lt_compat; have := Rmult_lt_0_compat _ _ (Rmult_lt_0_compat _ _ s0 s0) s0; lra.
have ec : c = / (4 * s) * (/ (1 - p) + / p) by rewrite /c ss; field; lra.
suff up : gain p (@qae G Population 0 K) i <= / s - c * mean_deviation G p.
  have h : c * (s / sqrt (INR G) / 2) <= c * mean_deviation G p by apply: Rmult_le_compat_l; lra.
  have e : c * (s / sqrt (INR G) / 2) = / (8 * (s * s) * sqrt (INR G)) by rewrite /c; field; lra.
  by rewrite -ss; rewrite e in h; lra.
rewrite gain_qae_group //.
have -> : / s - c * mean_deviation G p =
    binomial_mean G p (fun m => / s - c * Rabs (rate G m - p) + - b * (rate G m - p)).
  rewrite binomial_mean_add binomial_mean_sub binomial_mean_const !binomial_mean_scale rate_moment_1 //.
  by rewrite /mean_deviation; ring.
apply: binomial_mean_le => [|m mG]; first by lra.
have hr := rate_range i mG; set x := rate G m; rewrite -/x in hr.
rewrite /qae_integrand -eK; case: RlebP => gate.
  have hx : 0 <= x <= p by lra.
  have falls := u_weight_falls hp s0 ss hx.
  rewrite Rabs_left1; last by lra.
  have -> : / s - c * - (x - p) + - b * (x - p) = (p / s - (p - x) / (2 * s)) / p by rewrite ec /b; field; lra.
  by apply: Rmult_le_compat_r; [apply: Rlt_le; apply: Rinv_0_lt_compat; lra | lra].
have hx : 0 <= 1 - x <= 1 - p by lra.
have hp' : 0 < 1 - p < 1 by lra.
have ss' : s * s = (1 - p) * (1 - (1 - p)) by rewrite ss; ring.
have falls := u_weight_falls hp' s0 ss' hx; rewrite v_weight_flip.
rewrite Rabs_pos_eq; last by lra.
have -> : / s - c * (x - p) + - b * (x - p) = ((1 - p) / s - (1 - p - (1 - x)) / (2 * s)) / (1 - p).
  by rewrite ec /b; field; lra.
by apply: Rmult_le_compat_r; [apply: Rlt_le; apply: Rinv_0_lt_compat; lra | lra].
Qed.

Lemma limit_of_rate (a : nat -> R) l c : 0 <= c -> (forall n, Rabs (a n - l) <= c / sqrt (INR n.+1)) -> is_lim_seq a l.
Proof.
move=> c0 h; apply/is_lim_seq_spec => eps; have e0 := cond_pos eps.
have hN := le_ceil (pow2_ge_0 (c / eps)); exists (ceil ((c / eps) ^ 2)) => n /le_INR le.
apply: Rle_lt_trans (h n) _; have big : (c / eps) ^ 2 < INR n.+1 by rewrite INR_succ; lra.
have r0 : 0 < sqrt (INR n.+1) by apply: sqrt_lt_R0; apply: INR_pos.
have lt : c / eps < sqrt (INR n.+1).
  apply: Rle_lt_trans (sqrt_lt_1_alt _ _ (conj (pow2_ge_0 _) big)).
  by rewrite sqrt_pow2; [apply: Rle_refl | apply: Rdiv_le_0_compat].
apply: (Rmult_lt_reg_r (sqrt (INR n.+1))) => //.
have -> : c / sqrt (INR n.+1) * sqrt (INR n.+1) = c / eps * eps by field; lra.
by have := Rmult_lt_compat_r eps _ _ e0 lt; lra.
Qed.

(** Both gains tend to 1/sqrt(p (1 - p)) as G grows, for every p and K. *)
Theorem neutrality_limit_pointwise : forall (p K : R), 0 < p < 1 -> 0 < K < 1 ->
  is_lim_seq (fun n => gain p (@qae n.+1 Population 0 K) ord0) (/ sqrt (p * (1 - p)))
  /\ is_lim_seq (fun n => gain p (@grpo n.+1 Population 0) ord0) (/ sqrt (p * (1 - p))).
Proof.
move=> p K hp hK; split.
  apply: (@limit_of_rate _ _ (Rmax (/ (K * p)) (/ ((1 - K) * (1 - p))))) => [|n].
    by apply: Rle_trans (Rmax_l _ _); apply: Rlt_le; apply: Rinv_0_lt_compat; nra.
  exact: neutrality_limit_qae.
apply: (@limit_of_rate _ _ (/ (p * (1 - p)))) => [|n]; last exact: neutrality_limit_grpo.
by apply: Rlt_le; apply: Rinv_0_lt_compat; nra.
Qed.

(** The whole claim: the limits, the explicit bounds for every G, and the rate at p = 1 - K. *)
Theorem neutrality_limit :
  (forall (p K : R), 0 < p < 1 -> 0 < K < 1 ->
      is_lim_seq (fun n => gain p (@qae n.+1 Population 0 K) ord0) (/ sqrt (p * (1 - p)))
      /\ is_lim_seq (fun n => gain p (@grpo n.+1 Population 0) ord0) (/ sqrt (p * (1 - p))))
  /\ (forall (G : nat) (p K : R) (i : 'I_G), 0 < p < 1 -> 0 < K < 1 ->
      Rabs (gain p (@qae G Population 0 K) i - / sqrt (p * (1 - p)))
        <= Rmax (/ (K * p)) (/ ((1 - K) * (1 - p))) / sqrt (INR G))
  /\ (forall (G : nat) (p : R) (i : 'I_G), 0 < p < 1 ->
      Rabs (gain p (@grpo G Population 0) i - / sqrt (p * (1 - p))) <= / (p * (1 - p)) / sqrt (INR G))
  /\ (forall (G : nat) (p K : R) (i : 'I_G), 0 < p < 1 -> p = 1 - K ->
      1 <= INR G * (p * (1 - p)) ->
      / (8 * (p * (1 - p)) * sqrt (INR G)) <= / sqrt (p * (1 - p)) - gain p (@qae G Population 0 K) i
      /\ / sqrt (p * (1 - p)) - gain p (@qae G Population 0 K) i <= / ((p * (1 - p)) * sqrt (INR G))).
Proof.
split; first exact: neutrality_limit_pointwise.
split; first exact: neutrality_limit_qae.
by split; [apply: neutrality_limit_grpo | apply: neutrality_limit_rate].
Qed.
