(** The largest self-covariance (claim self-covariance-max).

    Write P for the sum of the squares of a policy p. Its self-covariance is the sum of f(p_i) with
    f(x) = (x^2 - P x) log x. Let q be the policy with one heavy arm x and the other arms equal to y < x that has the
    same sum of squares. The quadratic polynomial that touches f at y and meets it at x is at least f on (0, x], because
    the third derivative of f is positive; all entries of p lie there; and the polynomial has the same sum over p and
    over q. So C(p) <= C(q), with equality only if p has the shape of q. What is left is a maximum in one variable. *)

From QAE Require Import Compat Definitions Sums Calculus Identity.

Set Implicit Arguments.
Unset Strict Implicit.

(** * A function below its touching parabola *)

Lemma mean_value_open f f' a b : a < b -> (forall t, a <= t <= b -> is_derive f t (f' t)) ->
  exists c, a < c < b /\ f b - f a = f' c * (b - a).
Proof.
move=> lt d; case: (MVT_cor2 f f' a b lt) => [t h|c [e h]]; first by apply/is_derive_Reals; apply: d.
by exists c.
Qed.

Section Touching.
Variables (k k' k'' : R -> R) (x y : R).
Hypotheses (y0 : 0 < y) (yx : y < x).
Hypothesis d1 : forall t, 0 < t -> is_derive k t (k' t).
Hypothesis d2 : forall t, 0 < t -> is_derive k' t (k'' t).
Hypothesis inc : forall t u, 0 < t < u -> k'' t < k'' u.
Hypotheses (ky : k y = 0) (kx : k x = 0) (ky' : k' y = 0).

Lemma below_parabola t : 0 < t < x -> t <> y -> k t < 0.
Proof.
move=> ht ty.
have [xi [hxi e1]] := mean_value_open yx (fun u h => d1 (ltac:(lra) : 0 < u)).
have kxi : k' xi = 0.
  by move: e1; rewrite ky kx => e1; apply: (Rmult_eq_reg_r (x - y)); lra.
have [ze [hze e2]] := mean_value_open (proj1 hxi) (fun u h => d2 (ltac:(lra) : 0 < u)).
have kze : k'' ze = 0.
  by move: e2; rewrite ky' kxi => e2; apply: (Rmult_eq_reg_r (xi - y)); lra.
have low u : 0 < u < ze -> k'' u < 0 by move=> h; rewrite -kze; apply: inc.
have high u : ze < u -> 0 < k'' u by move=> h; rewrite -kze; apply: inc; lra.
(* The signs of k'. *)
have s1 u : 0 < u < y -> 0 < k' u.
  move=> h; have [c [hc e]] := mean_value_open (proj2 h) (fun v hv => d2 (ltac:(lra) : 0 < v)).
  have : k'' c < 0 by apply: low; lra.
  by move: e; rewrite ky'; nra.
have s2 u : y < u < xi -> k' u < 0.
  move=> h; case: (Rle_or_lt u ze) => uz.
    have [c [hc e]] := mean_value_open (proj1 h) (fun v hv => d2 (ltac:(lra) : 0 < v)).
    have : k'' c < 0 by apply: low; lra.
    by move: e; rewrite ky'; nra.
  have [c [hc e]] := mean_value_open (proj2 h) (fun v hv => d2 (ltac:(lra) : 0 < v)).
  have : 0 < k'' c by apply: high; lra.
  by move: e; rewrite kxi; nra.
have s3 u : xi < u -> 0 < k' u.
  move=> h; have [c [hc e]] := mean_value_open h (fun v hv => d2 (ltac:(lra) : 0 < v)).
  have : 0 < k'' c by apply: high; lra.
  by move: e; rewrite kxi; nra.
case: (Rtotal_order t y) => [lt|[//|gt]].
  have [c [hc e]] := mean_value_open lt (fun v hv => d1 (ltac:(lra) : 0 < v)).
  have : 0 < k' c by apply: s1; lra.
  by move: e; rewrite ky; nra.
case: (Rle_or_lt t xi) => txi.
  have [c [hc e]] := mean_value_open gt (fun v hv => d1 (ltac:(lra) : 0 < v)).
  have : k' c < 0 by apply: s2; lra.
  by move: e; rewrite ky; nra.
have [c [hc e]] := mean_value_open (proj2 ht) (fun v hv => d1 (ltac:(lra) : 0 < v)).
have : 0 < k' c by apply: s3; lra.
by move: e; rewrite kx; nra.
Qed.
End Touching.

(** The function f and the parabola that touches it at y and meets it at x. *)
Section Curve.
Variables (P x y : R).
Hypotheses (P0 : 0 < P) (y0 : 0 < y) (yx : y < x).

Definition curve (t : R) : R := (t ^ 2 - P * t) * ln t.
Definition curve' (t : R) : R := 2 * t * ln t + t - P * ln t - P.
Definition parabola (t : R) : R :=
  curve y + curve' y * (t - y) + (curve x - curve y - curve' y * (x - y)) / (x - y) ^ 2 * (t - y) ^ 2.

Lemma parabola_y : parabola y = curve y.
Proof. by rewrite /parabola; field; lra. Qed.

Lemma parabola_x : parabola x = curve x.
Proof. by rewrite /parabola; field; lra. Qed.

Lemma curve_below t : 0 < t < x -> t <> y -> curve t < parabola t.
Proof.
move=> ht ty; pose A := (curve x - curve y - curve' y * (x - y)) / (x - y) ^ 2.
suff : curve t - parabola t < 0 by lra.
apply: (@below_parabola (fun t => curve t - parabola t) (fun t => curve' t - curve' y - 2 * A * (t - y))
          (fun t => 2 * ln t + 3 - P / t - 2 * A) x y) => //.
- by move=> u u0; rewrite /curve /parabola -/A; auto_derive => //; rewrite /curve'; field; lra.
- by move=> u u0; rewrite /curve'; auto_derive => //; field; lra.
- move=> u v [u0 uv]; have l := ln_increasing _ _ u0 uv.
  have : P / v < P / u by apply: Rmult_lt_compat_l => //; apply: Rinv_lt_contravar => //; apply: Rmult_lt_0_compat; lra.
  lra.
- by rewrite parabola_y; ring.
- by rewrite parabola_x; ring.
- by ring.
Qed.
End Curve.

(** * One heavy arm has the largest self-covariance for its sum of squares *)

(** The self-covariance of the policy with one arm x and n - 1 arms (1 - x)/(n - 1). *)
Definition heavy_value (n : nat) (x : R) : R :=
  let y := (1 - x) / (INR n - 1) in x * (1 - x) * (x - y) * ln (x / y).

Lemma heavy_value_curves (n : nat) x : (1 < n)%N -> 0 < x < 1 ->
  let y := (1 - x) / (INR n - 1) in let P := x ^ 2 + (INR n - 1) * y ^ 2 in
  heavy_value n x = (INR n - 1) * curve P y + curve P x.
Proof.
move=> n1 hx y P; have n2 : 2 <= INR n := INR_leq n1.
have y0 : 0 < y by apply: Rdiv_lt_0_compat; lra.
rewrite /heavy_value -/y ln_div //; last by lra.
have key N v w a b : 1 - v = N * w ->
    v * (1 - v) * (v - w) * (a - b) =
    N * ((w ^ 2 - (v ^ 2 + N * w ^ 2) * w) * b) + (v ^ 2 - (v ^ 2 + N * w ^ 2) * v) * a.
  by move=> e; rewrite (_ : v = 1 - N * w); [ring | lra].
by rewrite /curve /P; apply: key; rewrite /y; field; lra.
Qed.

Section OneHeavyArm.
Variables (T : finType) (p : T -> R).
Hypotheses (hp : policy p) (n1 : (1 < #|T|)%N).
Let n := INR #|T|.
Let P := \sum_i p i ^ 2.

Let n2 : 2 <= n.
Proof. exact: (INR_leq n1). Qed.

Lemma self_cov_curve : self_cov p = \sum_i curve P (p i).
Proof.
have -> : \sum_i curve P (p i) = \sum_i (p i * (logp p i * p i) - P * (p i * logp p i)).
  by apply: sum_ext => i; rewrite /curve /logp; ring.
rewrite sum_sub sum_scale /self_cov /cov -/(mean p (logp p)) -/(mean p (fun i => logp p i * p i)).
by rewrite (_ : mean p p = P); [ring | apply: sum_ext => i; ring].
Qed.

Let one : \sum_i p i = 1 := proj2 hp.

(** The sum over p of the squared distances from v. *)
Lemma sum_squares v : \sum_i (p i - v) ^ 2 = P - 2 * v + n * v ^ 2.
Proof.
rewrite (sum_ext (E := fun i => p i ^ 2 - 2 * v * p i + v ^ 2)) => [|i]; last by ring.
by rewrite sum_add sum_sub sum_scale one sum_const_all -/P -/n; ring.
Qed.

Lemma squares_ge : 1 <= n * P.
Proof.
have : 0 <= P - 2 * / n + n * (/ n) ^ 2 by rewrite -sum_squares; apply: sum_ge0 => i _; apply: pow2_ge_0.
rewrite (_ : P - 2 * / n + n * (/ n) ^ 2 = (n * P - 1) / n); last by field; lra.
move=> h; have := Rmult_le_compat_r n _ _ (ltac:(lra)) h; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
Qed.

Lemma squares_lt1 : P < 1.
Proof.
have /card_gt0P[i _] : (0 < #|T|)%N by apply: leq_trans n1.
have le j : p j ^ 2 <= p j by have := law_le1 j (policy_law hp); have := proj1 hp j; nra.
have [y yx] : exists y : T, y != i.
  apply/existsP; apply: contraTT n1 => /existsPn h; rewrite -leqNgt.
  apply: (leq_trans (n := #|pred1 i|)); last by rewrite card1.
  by apply/subset_leq_card/subsetP => u _; rewrite inE; have := h u; rewrite negbK.
rewrite /P -one; apply: (@sum_lt _ predT _ _ i) => //.
have : p i < 1.
  rewrite -one (bigD1 i) //= (bigD1 y) //=.
  have : 0 <= \sum_(k | (k != i) && (k != y)) p k by apply: sum_ge0 => k _; apply: Rlt_le; case: hp.
  by have := proj1 hp y; lra.
by have := proj1 hp i; nra.
Qed.

(** The heavy arm with the same sum of squares. *)
Definition heavy_arm : R := (1 + sqrt ((n - 1) * (n * P - 1))) / n.
Let x := heavy_arm.
Let y := (1 - x) / (n - 1).

Lemma heavy_arm_range : / n <= x < 1.
Proof.
have h1 := squares_ge; have h2 := squares_lt1; have q0 := sqrt_pos ((n - 1) * (n * P - 1)).
have top : sqrt ((n - 1) * (n * P - 1)) < n - 1.
  rewrite -[X in _ < X]sqrt_Rsqr; last by lra.
  apply: sqrt_lt_1; first by apply: Rmult_le_pos; lra.
    exact: Rle_0_sqr.
  by rewrite /Rsqr; apply: Rmult_lt_compat_l; nra.
rewrite /x /heavy_arm; split.
  rewrite -[X in X <= _]Rmult_1_l; apply: Rmult_le_compat_r; last by lra.
  by apply: Rlt_le; apply: Rinv_0_lt_compat; lra.
by apply: (Rmult_lt_reg_r n); [lra | rewrite /Rdiv Rmult_assoc Rinv_l; lra].
Qed.

Lemma heavy_squares : x ^ 2 + (n - 1) * y ^ 2 = P.
Proof.
have h1 := squares_ge; have e : (n * x - 1) ^ 2 = (n - 1) * (n * P - 1).
  rewrite /x /heavy_arm (_ : n * _ - 1 = sqrt ((n - 1) * (n * P - 1))); last by field; lra.
  by rewrite /= Rmult_1_r sqrt_sqrt //; apply: Rmult_le_pos; lra.
rewrite /y; apply: (Rmult_eq_reg_r (n * (n - 1))); last by apply: Rmult_integral_contrapositive; split; lra.
rewrite (_ : (x ^ 2 + (n - 1) * ((1 - x) / (n - 1)) ^ 2) * (n * (n - 1)) = (n * x - 1) ^ 2 + (n - 1)).
  2: by field; lra.
by rewrite e; ring.
Qed.

Lemma light_arm : 0 < y <= x.
Proof.
have [l u] := heavy_arm_range; split; first by apply: Rdiv_lt_0_compat; lra.
apply: (Rmult_le_reg_r (n - 1)); first by lra.
rewrite /y /Rdiv Rmult_assoc Rinv_l; last by lra.
have := Rmult_le_compat_r n _ _ (ltac:(lra)) l; rewrite Rinv_l; lra.
Qed.

(** No arm of p is larger. *)
Lemma arm_le i : p i <= x.
Proof.
have [l u] := heavy_arm_range; apply: Rnot_lt_le => lt.
have sq : p i ^ 2 + (1 - p i) ^ 2 / (n - 1) <= P.
  pose v := (1 - p i) / (n - 1).
  have : (p i - v) ^ 2 <= \sum_j (p j - v) ^ 2.
    by apply: (@sum_term_le T predT (fun j => (p j - v) ^ 2)) => // j _; apply: pow2_ge_0.
  rewrite sum_squares (_ : (p i - v) ^ 2 = p i ^ 2 + (1 - p i) ^ 2 / (n - 1) - 2 * v + n * v ^ 2); first by lra.
  by rewrite /v; field; lra.
have e := heavy_squares; rewrite /y in e.
have grow : 0 < (p i - x) * (p i + x - 2 / n).
  apply: Rmult_lt_0_compat; first by lra.
  by rewrite /Rdiv; lra.
have : (p i ^ 2 + (1 - p i) ^ 2 / (n - 1)) - (x ^ 2 + (n - 1) * ((1 - x) / (n - 1)) ^ 2) =
    n / (n - 1) * ((p i - x) * (p i + x - 2 / n)) by field; lra.
have : 0 < n / (n - 1) * ((p i - x) * (p i + x - 2 / n)).
  by apply: Rmult_lt_0_compat => //; apply: Rdiv_lt_0_compat; lra.
lra.
Qed.

Lemma heavy_value_curve : heavy_value #|T| x = (n - 1) * curve P y + curve P x.
Proof.
have [l u] := heavy_arm_range; have i0 : 0 < / n by apply: Rinv_0_lt_compat; lra.
by rewrite heavy_value_curves // -/n -/y ?heavy_squares //; lra.
Qed.

(** The sum over p of the parabola is its sum over the policy with one heavy arm. *)
Lemma parabola_sum : y < x -> \sum_i parabola P x y (p i) = heavy_value #|T| x.
Proof.
move=> yx; have [y0 _] := light_arm; have e1 : (n - 1) * y + x = 1 by rewrite /y; field; lra.
rewrite heavy_value_curve /parabola.
set c := curve P y; set c' := curve' P y; set A := (curve P x - c - c' * (x - y)) / (x - y) ^ 2.
rewrite sum_add sum_add sum_const_all !sum_scale sum_squares -/n sum_sub one sum_const_all -/n.
have eA : A * (x - y) ^ 2 = curve P x - c - c' * (x - y) by rewrite /A; field; lra.
have eP : P = x ^ 2 + (n - 1) * y ^ 2 by rewrite heavy_squares.
have q : P - 2 * y + n * y ^ 2 = (x - y) ^ 2.
  rewrite eP (_ : 2 * y = 2 * y * ((n - 1) * y + x)); [ring | by rewrite e1; ring].
rewrite q eA; have -> : 1 - n * y = x - y by lra.
by ring.
Qed.

Lemma self_cov_heavy : self_cov p <= heavy_value #|T| x.
Proof.
have [y0 [yx|exy]] := light_arm; last first.
  have z : uniform p.
    have all i : p i = x.
      have h i' := arm_le i'; have e : \sum_i (x - p i) = 0.
        have ex : n * x = 1 by have : (n - 1) * y + x = 1 by [rewrite /y; field; lra]; rewrite exy; lra.
        by rewrite sum_sub one sum_const_all -/n ex; ring.
      have := sum_eq0 (fun j _ => ltac:(have := h j; lra) : 0 <= x - p j) e (i := i) isT; lra.
    by move=> i j; rewrite !all.
  rewrite (proj2 (self_covariance_zero_iff_uniform hp) z) /heavy_value -/n -/y exy Rminus_eq_0; lra.
rewrite self_cov_curve -parabola_sum //; apply: sum_le => i _; have pi := proj1 hp i.
have P0 : 0 < P by have := squares_ge; nra.
case: (arm_le i) => [lt|->]; last by rewrite parabola_x; [apply: Rle_refl | lra].
case: (Req_dec (p i) y) => [->|ne]; first by rewrite parabola_y; [apply: Rle_refl | lra].
by apply: Rlt_le; apply: curve_below.
Qed.

(** The bound is attained by p only if p has one arm x and the other arms are y. *)
Lemma self_cov_heavy_eq : self_cov p = heavy_value #|T| x -> y < x ->
  exists i, forall j, p j = if j == i then x else y.
Proof.
move=> eq yx; have [y0 _] := light_arm; have P0 : 0 < P by have := squares_ge; nra.
have px : parabola P x y x = curve P x by apply: parabola_x; lra.
have py : parabola P x y y = curve P y by apply: parabola_y.
have below i : curve P (p i) <= parabola P x y (p i).
  have pi := proj1 hp i; case: (arm_le i) => [lt|->]; last by rewrite px; apply: Rle_refl.
  case: (Req_dec (p i) y) => [->|ne]; first by rewrite py; apply: Rle_refl.
  by apply: Rlt_le; apply: curve_below.
have two i : p i = x \/ p i = y.
  case: (Req_dec (p i) x) => [->|nx]; first by left.
  case: (Req_dec (p i) y) => [->|ny]; first by right.
  have lt : curve P (p i) < parabola P x y (p i).
    by apply: curve_below => //; have := proj1 hp i; have := arm_le i; lra.
  have := @sum_lt _ predT _ _ i isT lt (fun j _ => below j); rewrite -self_cov_curve parabola_sum // eq; lra.
have e1 : (n - 1) * y + x = 1 by rewrite /y; field; lra.
(* Exactly one arm is x, because the arms sum to 1. *)
have [i hi] : exists i, p i = x.
  case: (pickP (fun i => Reqb (p i) x)) => [i /ReqbP h|none]; first by exists i.
  have all i : p i = y by case: (two i) => // h; have /ReqbP := none i.
  have : \sum_i p i = n * y by rewrite (sum_ext all) sum_const_all.
  by rewrite one; lra.
exists i => j; case: eqP => [->|/eqP ji] //; case: (two j) => // hj; exfalso.
have : \sum_k (p k - y) = x - y by rewrite sum_sub one sum_const_all -/n; lra.
rewrite (bigD1 i) //= (bigD1 j) //= hi hj.
have : 0 <= \sum_(k | (k != i) && (k != j)) (p k - y).
  by apply: sum_ge0 => k _; case: (two k) => ->; lra.
lra.
Qed.
End OneHeavyArm.

(** The policy with the heavy arm i. *)
Lemma heavy_policy (T : finType) (p : T -> R) (i : T) x : (1 < #|T|)%N -> 0 < x < 1 ->
  (forall j, p j = if j == i then x else (1 - x) / (INR #|T| - 1)) -> policy p /\ self_cov p = heavy_value #|T| x.
Proof.
move=> n1 hx h; have n2 : 2 <= INR #|T| := INR_leq n1.
have sum F : \sum_j F (p j) = F x + (INR #|T| - 1) * F ((1 - x) / (INR #|T| - 1)).
  rewrite (bigD1 i) //= h eqxx; congr (_ + _).
  rewrite (eq_bigr (fun _ => F ((1 - x) / (INR #|T| - 1)))) => [|j /negbTE e]; last by rewrite h e.
  rewrite sum_const (_ : INR #|_| = INR #|T| - 1) //; rewrite (cardC1 i).
  have n0 : (0 < #|T|)%N by apply: leq_trans n1.
  by rewrite -[in RHS](prednK n0) INR_succ; ring.
have y0 : 0 < (1 - x) / (INR #|T| - 1) by apply: Rdiv_lt_0_compat; lra.
have hp : policy p.
  split=> [j|]; first by rewrite h; case: ifP => _ //; lra.
  by have := sum (fun v => v); cbv beta => ->; field; lra.
split=> //; rewrite self_cov_curve // (sum (fun v => v ^ 2)) (sum (curve _)) heavy_value_curves //; lra.
Qed.

(** * The maximum in one variable *)

Section OneVariable.
Variable n : nat.
Hypothesis n1 : (1 < n)%N.
Let N := INR n - 1.

Let N1 : 1 <= N.
Proof. by have := INR_leq n1; rewrite /N /=; lra. Qed.

Let inv_n : 0 < / INR n <= / 2.
Proof.
have h : INR n = N + 1 by rewrite /N; ring.
by rewrite h; split; [apply: Rinv_0_lt_compat | apply: Rinv_le_contravar]; lra.
Qed.

Lemma light_lt x : / INR n < x < 1 -> 0 < (1 - x) / N < x.
Proof.
move=> [lx x1]; split; first by apply: Rdiv_lt_0_compat; lra.
apply: (Rmult_lt_reg_r N); first by lra.
rewrite /Rdiv Rmult_assoc Rinv_l; last by lra.
have : / INR n * INR n < x * INR n by apply: Rmult_lt_compat_r => //; apply: INR_pos; apply: leq_trans n1.
by rewrite Rinv_l /N; [lra | apply: INR_neq0; apply: leq_trans n1].
Qed.

Lemma ratio_log x : / INR n < x < 1 -> 0 < ln (x / ((1 - x) / N)).
Proof.
move=> hx; have [y0 yx] := light_lt hx; rewrite -ln_1; apply: ln_increasing; first by lra.
by apply: (Rmult_lt_reg_r ((1 - x) / N)) => //; rewrite {1}/Rdiv Rmult_assoc Rinv_l; lra.
Qed.

Lemma heavy_value_pos x : / INR n < x < 1 -> 0 < heavy_value n x.
Proof.
move=> hx; have [y0 yx] := light_lt hx; have l := ratio_log hx.
rewrite /heavy_value -/N; apply: Rmult_lt_0_compat => //; apply: Rmult_lt_0_compat; last by lra.
by apply: Rmult_lt_0_compat; lra.
Qed.

(** Near 1 the value is small. *)
Lemma heavy_value_tail x : / INR n < x < 1 -> heavy_value n x <= sqrt (1 - x) * (ln N + 2).
Proof.
move=> hx; have [y0 yx] := light_lt hx; have l := ratio_log hx; have lN : 0 <= ln N by rewrite -ln_1; apply: ln_le; lra.
set u := 1 - x; have hu : 0 < u < 1 by rewrite /u; lra.
have q0 : 0 < sqrt u by apply: sqrt_lt_R0; lra.
have qq : sqrt u * sqrt u = u by apply: sqrt_sqrt; lra.
have q1 : sqrt u <= 1 by nra.
have le1 : heavy_value n x <= u * ln (x / ((1 - x) / N)).
  rewrite /heavy_value -/N -/u; set L := ln _ in l *.
  have : 0 <= x * (x - u / N) <= 1 by rewrite -/u in y0 yx; split; nra.
  have uL : 0 < u * L by apply: Rmult_lt_0_compat; lra.
  by move=> [_ h]; have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ uL) h; lra.
have le2 : ln (x / ((1 - x) / N)) <= ln N - ln u.
  rewrite -ln_div; [|lra|lra]; apply: ln_le; first by apply: Rdiv_lt_0_compat; lra.
  rewrite -/u (_ : x / (u / N) = x * (N / u)); last by field; lra.
  rewrite -[X in _ <= X]Rmult_1_l; apply: Rmult_le_compat_r; last by lra.
  by apply: Rlt_le; apply: Rdiv_lt_0_compat; lra.
have le3 : - ln u <= 2 * (/ sqrt u - 1).
  rewrite -qq ln_mult //; have := ln_le_sub1 (Rinv_0_lt_compat _ q0); rewrite ln_Rinv // qq; lra.
have le4 : u * - ln u <= 2 * (sqrt u - u).
  have := Rmult_le_compat_l u _ _ (ltac:(lra)) le3.
  have e r : 0 < r -> r * r * (2 * (/ r - 1)) = 2 * (r - r * r) by move=> r0; field; lra.
  by have := e _ q0; rewrite qq => ->.
have le5 : u * ln N <= sqrt u * ln N by apply: Rmult_le_compat_r => //; nra.
apply: Rle_trans le1 _; have := Rmult_le_compat_l u _ _ (ltac:(lra)) le2; lra.
Qed.

Lemma heavy_value_continuous x : 0 < x < 1 -> continuity_pt (heavy_value n) x.
Proof.
move=> hx; apply/continuity_pt_filterlim; apply: ex_derive_continuous.
have y0 : 0 < (1 - x) / N by apply: Rdiv_lt_0_compat; lra.
rewrite /heavy_value -/N; auto_derive; rewrite -/(Rdiv (1 - x) N); split; first by lra.
by split=> //; apply: Rdiv_lt_0_compat; lra.
Qed.

(** The value has a maximum over the open interval, and it is positive. *)
Lemma heavy_value_max : exists x, / INR n < x < 1 /\ forall t, / INR n < t < 1 -> heavy_value n t <= heavy_value n x.
Proof.
pose b := heavy_value n (2 / 3); have h23 : / INR n < 2 / 3 < 1 by have := inv_n; lra.
have b0 : 0 < b := heavy_value_pos h23.
have lN : 0 <= ln N by rewrite -ln_1; apply: ln_le; lra.
(* Beyond 1 - r^2 the value is at most b/2. *)
pose r := Rmin (b / 2 / (ln N + 2)) (1 / 4).
have r0 : 0 < r by apply: Rmin_glb_lt; [apply: Rdiv_lt_0_compat; lra | lra].
have r4 : r <= 1 / 4 := Rmin_r _ _.
have rb : r * (ln N + 2) <= b / 2.
  have := Rmult_le_compat_r (ln N + 2) _ _ (ltac:(lra)) (Rmin_l (b / 2 / (ln N + 2)) (1 / 4)).
  by rewrite -/r /Rdiv [X in _ <= X]Rmult_assoc Rinv_l; lra.
have r2 : r * r <= 1 / 16 by nra.
have tail t : / INR n < t < 1 -> 1 - r * r <= t -> heavy_value n t < b.
  move=> ht le; have := heavy_value_tail ht.
  have : sqrt (1 - t) <= r.
    rewrite -(sqrt_square r); last by lra.
    by apply: sqrt_le_1_alt; lra.
  move=> q h; have := Rmult_le_compat_r (ln N + 2) _ _ (ltac:(lra)) q; lra.
have [|t ht|x [mx hx]] := @continuity_ab_maj (heavy_value n) (/ INR n) (1 - r * r); first by have := inv_n; lra.
  by apply: heavy_value_continuous; have := inv_n; nra.
have bx : b <= heavy_value n x.
  apply: mx; split; first by lra.
  by nra.
have x1 : x < 1 by nra.
have lx : / INR n < x.
  case: hx => -[//|e] _; exfalso; move: bx; rewrite -e /heavy_value -/N.
  have h : INR n = N + 1 by rewrite /N; ring.
  rewrite (_ : / INR n - (1 - / INR n) / N = 0); last by rewrite h; field; lra.
  lra.
exists x; split=> // t ht; case: (Rle_or_lt t (1 - r * r)) => le; first by apply: mx; lra.
by have := tail t ht (Rlt_le _ _ le); lra.
Qed.

(** The growth with log n. *)
Lemma heavy_value_upper x : / INR n < x < 1 -> heavy_value n x <= x ^ 2 * (1 - x) * (ln N + ln (x / (1 - x))).
Proof.
move=> hx; have [y0 yx] := light_lt hx; have l := ratio_log hx; rewrite /heavy_value -/N.
have -> : ln N + ln (x / (1 - x)) = ln (x / ((1 - x) / N)).
  rewrite -ln_mult; [congr ln; field; lra | lra | apply: Rdiv_lt_0_compat; lra].
apply: Rmult_le_compat_r; first by lra.
have : 0 <= x * (1 - x) by apply: Rmult_le_pos; lra.
by move=> h; have := Rmult_le_compat_l _ _ _ h (ltac:(lra) : x - (1 - x) / N <= x); lra.
Qed.

Lemma cubic_max x : 0 <= x -> x ^ 2 * (1 - x) <= 4 / 27.
Proof.
move=> x0; have : 0 <= (x - 2 / 3) ^ 2 * (x + 1 / 3) by apply: Rmult_le_pos; [apply: pow2_ge_0 | lra].
lra.
Qed.

Lemma heavy_value_le_log x : / INR n < x < 1 -> heavy_value n x <= 4 / 27 * ln N + 1.
Proof.
move=> hx; have x0 : 0 < x by have := inv_n; lra.
apply: Rle_trans (heavy_value_upper hx) _; rewrite Rmult_plus_distr_l.
have lN : 0 <= ln N by rewrite -ln_1; apply: ln_le; lra.
apply: Rplus_le_compat; first by apply: Rmult_le_compat_r => //; apply: cubic_max; lra.
have q : 0 < x / (1 - x) by apply: Rdiv_lt_0_compat; lra.
have := ln_le_sub1 q => le; have c0 : 0 <= x ^ 2 * (1 - x) by apply: Rmult_le_pos; [apply: pow2_ge_0 | lra].
have := Rmult_le_compat_l _ _ _ c0 (ltac:(lra) : ln (x / (1 - x)) <= x / (1 - x)).
by rewrite (_ : x ^ 2 * (1 - x) * (x / (1 - x)) = x ^ 3); [nra | field; lra].
Qed.

Lemma heavy_value_two_thirds : heavy_value n (2 / 3) = 4 / 27 * (1 - / (2 * N)) * ln (2 * N).
Proof.
rewrite /heavy_value -/N; have -> : 2 / 3 / ((1 - 2 / 3) / N) = 2 * N by field; lra.
by field; lra.
Qed.

(** * The largest self-covariance *)

Lemma self_cov_le_max (T : finType) (p : T -> R) x : #|T| = n -> policy p ->
  / INR n < x < 1 -> (forall t, / INR n < t < 1 -> heavy_value n t <= heavy_value n x) ->
  self_cov p <= heavy_value n x.
Proof.
move=> cT hp hx mx; have c1 : (1 < #|T|)%N by rewrite cT.
apply: Rle_trans (self_cov_heavy hp c1) _.
have := heavy_arm_range hp c1; rewrite cT => -[[lt|e] u]; first by apply: mx.
have e' : (1 - / INR n) / (INR n - 1) = / INR n.
  have h : INR n = N + 1 by rewrite /N; ring.
  by rewrite h; field; lra.
rewrite -e /heavy_value e' Rminus_eq_0; have := heavy_value_pos hx; rewrite /heavy_value; lra.
Qed.

Lemma max_self_cov_value x : / INR n < x < 1 -> (forall t, / INR n < t < 1 -> heavy_value n t <= heavy_value n x) ->
  max_self_cov n = heavy_value n x.
Proof.
move=> hx mx; rewrite /max_self_cov.
suff -> : Lub_Rbar (fun v => exists p : 'I_n -> R, policy p /\ v = self_cov p) = heavy_value n x by [].
apply: is_lub_Rbar_unique; split=> [v [p [hp ->]]|b ub].
  by apply: self_cov_le_max => //; rewrite card_ord.
have n0 : (0 < n)%N by apply: leq_trans n1.
have c1 : (1 < #|'I_n|)%N by rewrite card_ord.
have [hp e] := @heavy_policy _ (fun j => if j == Ordinal n0 then x else (1 - x) / (INR n - 1)) (Ordinal n0) x c1
  (ltac:(have := inv_n; lra)) (ltac:(by move=> j; rewrite card_ord)).
by rewrite card_ord in e; rewrite -e; apply: ub; exists (fun j => if j == Ordinal n0 then x else (1 - x) / (INR n - 1)).
Qed.
End OneVariable.

Lemma max_self_cov_heavy n : (1 < n)%N -> exists x, [/\ / INR n < x < 1, max_self_cov n = heavy_value n x &
  forall t, / INR n < t < 1 -> heavy_value n t <= max_self_cov n].
Proof.
move=> n1; have [x [hx mx]] := heavy_value_max n1; have e := max_self_cov_value n1 hx mx.
by exists x; split=> // t ht; rewrite e; apply: mx.
Qed.

Lemma max_self_cov_bounds n : (1 < n)%N ->
  4 / 27 * (1 - / (2 * (INR n - 1))) * ln (2 * (INR n - 1)) <= max_self_cov n <= 4 / 27 * ln (INR n - 1) + 1.
Proof.
move=> n1; have [x [hx e mx]] := max_self_cov_heavy n1; split.
  rewrite -heavy_value_two_thirds //; apply: mx; have := INR_leq n1 => /= h.
  by split; [apply: (Rle_lt_trans _ (/ 2)); [apply: Rinv_le_contravar|] | ]; lra.
by rewrite e; apply: heavy_value_le_log.
Qed.

Lemma max_self_cov_growth : is_lim_seq (fun n => max_self_cov n / ln (INR n)) (4 / 27).
Proof.
have toN : is_lim_seq (fun n => / INR n) 0.
  by apply: (is_lim_seq_inv _ p_infty) => //; apply: is_lim_seq_INR.
have toL : is_lim_seq (fun n => / ln (INR n)) 0.
  apply: (is_lim_seq_inv _ p_infty) => //.
  by apply: (is_lim_comp_seq ln INR p_infty p_infty); [exact: is_lim_ln_p | exists 0%N => k _ | exact: is_lim_seq_INR].
apply: (is_lim_seq_le_le_loc (fun n => 4 / 27 - 4 / 27 * / INR n) _ (fun n => 4 / 27 + / ln (INR n))).
- exists 2%N => k /leP hk; have n1 : (1 < k)%N by [].
  have h := INR_leq n1; rewrite /= in h.
  have lk : 0 < ln (INR k) by rewrite -ln_1; apply: ln_increasing; lra.
  have [lo up] := max_self_cov_bounds n1.
  have l1 : ln (INR k - 1) <= ln (INR k).
    by apply: ln_le; lra.
  have l2 : ln (INR k) <= ln (2 * (INR k - 1)) by apply: ln_le; lra.
  have i1 : / (2 * (INR k - 1)) <= / INR k by apply: Rinv_le_contravar; lra.
  have i0 : / INR k <= / 2 by apply: Rinv_le_contravar; lra.
  split; apply: (Rmult_le_reg_r (ln (INR k))) => //.
    rewrite (_ : max_self_cov k / ln (INR k) * ln (INR k) = max_self_cov k); last by field; lra.
    by apply: Rle_trans lo; apply: Rmult_le_compat; lra.
  rewrite (_ : max_self_cov k / ln (INR k) * ln (INR k) = max_self_cov k); last by field; lra.
  by rewrite Rmult_plus_distr_r Rinv_l; lra.
- apply: (is_lim_seq_ext (fun n => 4 / 27 + - (4 / 27) * / INR n)) => [k|]; first by ring.
  rewrite (_ : Finite (4 / 27) = Rbar_plus (4 / 27) (Rbar_mult (- (4 / 27)) 0)); last first.
    by rewrite /= Rmult_0_r Rplus_0_r.
  by apply: is_lim_seq_plus'; [apply: is_lim_seq_const | apply: (is_lim_seq_scal_l _ _ 0)].
- rewrite (_ : Finite (4 / 27) = Rbar_plus (4 / 27) 0); last by rewrite /= Rplus_0_r.
  by apply: is_lim_seq_plus'; [apply: is_lim_seq_const | ].
Qed.

(** For every n >= 2 the largest self-covariance over the policies with n responses is attained, and only by policies
    with one heavy arm x in (1/n, 1) and the others equal to (1 - x)/(n - 1). It is the maximum of
    x (1 - x)(x - y) log(x/y), y = (1 - x)/(n - 1), over that interval, and grows as (4/27) log n. *)
Theorem self_covariance_max :
  (forall n, (1 < n)%N ->
     let y x := (1 - x) / (INR n - 1) in let value x := x * (1 - x) * (x - y x) * ln (x / y x) in
     (forall (T : finType) (p : T -> R), #|T| = n -> policy p -> self_cov p <= max_self_cov n)
     /\ (exists p : 'I_n -> R, policy p /\ self_cov p = max_self_cov n)
     /\ (forall (T : finType) (p : T -> R), #|T| = n -> policy p -> self_cov p = max_self_cov n ->
          exists i x, / INR n < x < 1 /\ forall j, p j = if j == i then x else y x)
     /\ (exists x, / INR n < x < 1 /\ max_self_cov n = value x)
     /\ (forall x, / INR n < x < 1 -> value x <= max_self_cov n)
     /\ 4 / 27 * (1 - / (2 * (INR n - 1))) * ln (2 * (INR n - 1)) <= max_self_cov n <= 4 / 27 * ln (INR n - 1) + 1)
  /\ is_lim_seq (fun n => max_self_cov n / ln (INR n)) (4 / 27).
Proof.
split; last exact: max_self_cov_growth.
move=> n n1 y value; have [x [hx e mx]] := max_self_cov_heavy n1.
have le (T : finType) (p : T -> R) : #|T| = n -> policy p -> self_cov p <= max_self_cov n.
  by move=> cT hp; rewrite e; apply: self_cov_le_max => // t ht; rewrite -e; apply: mx.
have M0 : 0 < max_self_cov n by rewrite e; apply: heavy_value_pos.
have n0 : (0 < n)%N by apply: leq_trans n1.
have i0 : 0 < / INR n by apply: Rinv_0_lt_compat; apply: INR_pos.
split=> //; split.
  have c1 : (1 < #|'I_n|)%N by rewrite card_ord.
  pose p := fun j : 'I_n => if j == Ordinal n0 then x else (1 - x) / (INR n - 1).
  have [hp ep] := @heavy_policy _ p (Ordinal n0) x c1 (ltac:(lra)) (ltac:(by move=> j; rewrite card_ord)).
  by exists p; split=> //; rewrite e ep card_ord.
split=> [T p cT hp eq|].
  have c1 : (1 < #|T|)%N by rewrite cT.
  have [l u] := heavy_arm_range hp c1; have bound := self_cov_heavy hp c1; rewrite cT in l bound.
  case: l => [lt|e0].
    have hx' : / INR n < heavy_arm p < 1 by [].
    have eq' : self_cov p = heavy_value #|T| (heavy_arm p).
      by rewrite cT; have := mx _ hx'; lra.
    have lt' := light_lt n1 hx'.
    have [i hi] := self_cov_heavy_eq hp c1 eq' (ltac:(rewrite cT; lra)).
    by exists i, (heavy_arm p); split=> // j; rewrite hi cT.
  (* Otherwise the policy is uniform. *)
  exfalso; have : heavy_value n (heavy_arm p) = 0.
    have h : 2 <= INR n := INR_leq n1.
    have e1 : (1 - / INR n) / (INR n - 1) = / INR n by field; lra.
    by rewrite -e0 /heavy_value e1 Rminus_eq_0; ring.
  lra.
split; first by exists x.
by split=> //; apply: max_self_cov_bounds.
Qed.
