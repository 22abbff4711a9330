(** The lemma behind the bounds on the curvature: variance and third-moment covariance of a bounded direction, jointly.

    For x and d with values in [0, 1], D = d - E d, any real a and any T >= 0,
    a Var(d) + T |Cov(x, D^2)| is at most the maximum of (1 - s^2)(a + T s)/4 over s in [0, 1]. *)

From QAE Require Import Compat Definitions Sums.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The maximum of (1 - s^2)(a + t s)/4 *)

Lemma joint_max_ge a t s : 0 <= s <= 1 -> (1 - s ^ 2) * (a + t * s) / 4 <= joint_max a t.
Proof.
move=> hs; rewrite /joint_max; set E := fun v => _.
have [ub least] := Lub_Rbar_correct E.
have h0 : E ((1 - s ^ 2) * (a + t * s) / 4) by exists s.
have top : Rbar_le (Lub_Rbar E) (Rabs a + Rabs t).
  apply: least => v [u [hu ->]] /=.
  have := Rle_abs a; have := Rle_abs t; have := Rabs_pos a; have := Rabs_pos t => a0 t0 ta aa.
  have le : a + t * u <= Rabs a + Rabs t by nra.
  have u2 : 0 <= 1 - u ^ 2 <= 1 by have := pow2_ge_0 u; nra.
  have := Rmult_le_compat_l _ _ _ (proj1 u2) le.
  have := Rmult_le_pos (u ^ 2) (Rabs a + Rabs t) (pow2_ge_0 u); lra.
by have := ub _ h0; case: (Lub_Rbar E) top => [r|//|] /=.
Qed.

Lemma joint_max_le a t M : (forall s, 0 <= s <= 1 -> (1 - s ^ 2) * (a + t * s) / 4 <= M) -> joint_max a t <= M.
Proof.
move=> h; rewrite /joint_max; set E := fun v => _.
have [ub least] := Lub_Rbar_correct E.
have h0 : E ((1 - 0 ^ 2) * (a + t * 0) / 4) by exists 0; split=> //; lra.
have top : Rbar_le (Lub_Rbar E) M by apply: least => v [u [hu ->]]; apply: h.
by have := ub _ h0; case: (Lub_Rbar E) top => [r|//|] /=.
Qed.

(** * The inequality between real numbers

    u, A, B stand for E x, E[x d], E[(1 - x) d], and PE, UF for E[(1 - x) D^2], E[x D^2]. *)

Lemma two_value_top h u y : 0 <= u -> 0 <= y <= 1 -> u <= 1 - y ->
  exists s, 0 <= s <= 1 /\ h * (y * (1 - y)) + u * (y * (1 - 2 * y)) <= (1 - s ^ 2) * (h + s) / 4.
Proof.
move=> u0 hy uy; case: (Rle_or_lt y (1 / 2)) => half.
  exists (1 - 2 * y); split; first by lra.
  rewrite (_ : (1 - (1 - 2 * y) ^ 2) * (h + (1 - 2 * y)) / 4 =
    h * (y * (1 - y)) + (1 - y) * (y * (1 - 2 * y))); last by field.
  by apply: Rplus_le_compat_l; apply: Rmult_le_compat_r => //; apply: Rmult_le_pos; lra.
exists (2 * y - 1); split; first by lra.
rewrite (_ : (1 - (2 * y - 1) ^ 2) * (h + (2 * y - 1)) / 4 =
  h * (y * (1 - y)) + (y * (2 * y - 1)) * (1 - y)); last by field.
apply: Rplus_le_compat_l; have n0 : 0 <= y * (2 * y - 1) by apply: Rmult_le_pos; lra.
have := Rmult_le_pos _ _ n0 (ltac:(lra) : 0 <= 1 - y); have := Rmult_le_pos _ _ u0 n0; lra.
Qed.

Lemma joint_real h u A B PE UF : let m := A + B in 0 <= u <= 1 -> 0 <= A <= u -> 0 <= B <= 1 - u ->
  0 <= PE <= B - 2 * m * B + m ^ 2 * (1 - u) -> 0 <= UF <= A - 2 * m * A + m ^ 2 * u -> (A - u * m) ^ 2 <= u * UF ->
  exists s, 0 <= s <= 1 /\ (h + u) * PE + (h + u - 1) * UF <= (1 - s ^ 2) * (h + s) / 4.
Proof.
move=> m hu hA hB hP hU cs.
have at1 : (h + u) * PE + (h + u - 1) * UF <= 0 ->
    exists s, 0 <= s <= 1 /\ (h + u) * PE + (h + u - 1) * UF <= (1 - s ^ 2) * (h + s) / 4.
  by move=> le; exists 1; split; [lra | rewrite (_ : (1 - 1 ^ 2) * (h + 1) / 4 = 0) //; field].
case: (Rle_or_lt 0 (h + u - 1)) => [convex|concave].
  (* Both coefficients are at least 0: d may be taken to be 0 or 1. *)
  have bound : (h + u) * PE + (h + u - 1) * UF <= h * (m * (1 - m)) + (u * B - (1 - u) * A) * (1 - 2 * m).
    have e : h * (m * (1 - m)) + (u * B - (1 - u) * A) * (1 - 2 * m) =
        (h + u) * (B - 2 * m * B + m ^ 2 * (1 - u)) + (h + u - 1) * (A - 2 * m * A + m ^ 2 * u) by rewrite /m; ring.
    by rewrite e; apply: Rplus_le_compat; apply: Rmult_le_compat_l; lra.
  have hm : 0 <= m <= 1 by rewrite /m; lra.
  have k1 : u * B - (1 - u) * A <= m * (1 - m).
    have -> : m * (1 - m) = u * B - (1 - u) * A + (2 * (A * (1 - u - B)) + A * (u - A) + B * (1 - u - B)).
      by rewrite /m; ring.
    have := Rmult_le_pos A (1 - u - B); have := Rmult_le_pos A (u - A); have := Rmult_le_pos B (1 - u - B); lra.
  have k2 : - (u * B - (1 - u) * A) <= m * (1 - m).
    have -> : m * (1 - m) = - (u * B - (1 - u) * A) + (2 * (B * (u - A)) + A * (u - A) + B * (1 - u - B)).
      by rewrite /m; ring.
    have := Rmult_le_pos B (u - A); have := Rmult_le_pos A (u - A); have := Rmult_le_pos B (1 - u - B); lra.
  move: k1 k2 bound; set k := u * B - (1 - u) * A => k1 k2 bound.
  case: (Rle_or_lt 0 (1 - 2 * m)) => sg.
    exists (1 - 2 * m); split; first by lra.
    by apply: Rle_trans bound _; nra.
  exists (2 * m - 1); split; first by lra.
  by apply: Rle_trans bound _; nra.
case: (Rle_or_lt (h + u) 0) => [neg|pos].
  apply: at1; have := Rmult_le_pos (- (h + u)) PE; have := Rmult_le_pos (- (h + u - 1)) UF; lra.
case: (Req_dec u 0) => [u0|un0].
  have A0 : A = 0 by lra.
  exists 0; split; first by lra.
  have le : (h + u) * PE <= (h + u) * (B * (1 - B)).
    by apply: Rmult_le_compat_l; [lra | move: (proj2 hP); rewrite /m A0 u0; lra].
  have neg : (h + u - 1) * UF <= 0 by have := Rmult_le_pos (- (h + u - 1)) UF; lra.
  have quarter : B * (1 - B) <= 1 / 4 by have := pow2_ge_0 (B - 1 / 2); nra.
  by rewrite u0 in le neg pos *; nra.
case: (Req_dec u 1) => [u1|un1].
  have B0 : B = 0 by lra.
  apply: at1; have P0 : PE = 0 by move: hP; rewrite /m u1 B0; lra.
  by rewrite P0; have := Rmult_le_pos (- (h + u - 1)) UF; lra.
have u0 : 0 < u by lra.
pose q := 1 - u; have q0 : 0 < q by rewrite /q; lra.
pose a := A / u; pose b := B / q.
have ea : A = u * a by rewrite /a; field.
have eb : B = q * b by rewrite /b; field; lra.
have ha : 0 <= a <= 1.
  by split; [apply: (Rmult_le_reg_l u) | apply: (Rmult_le_reg_l u)] => //; lra.
have hb : 0 <= b <= 1.
  by split; [apply: (Rmult_le_reg_l q) | apply: (Rmult_le_reg_l q)] => //; rewrite /q in eb *; lra.
have bound : (h + u) * PE + (h + u - 1) * UF <=
    q * ((h + u) * (b * (1 - b)) + (b - a) ^ 2 * (u * (h + 2 * u - 1))).
  have fU : u * (q ^ 2 * (b - a) ^ 2) <= UF.
    apply: (Rmult_le_reg_l u) => //; apply: Rle_trans cs; right.
    by rewrite /m ea eb /q; ring.
  have e : q * ((h + u) * (b * (1 - b)) + (b - a) ^ 2 * (u * (h + 2 * u - 1))) =
      (h + u) * (B - 2 * m * B + m ^ 2 * (1 - u)) + (h + u - 1) * (u * (q ^ 2 * (b - a) ^ 2)).
    by rewrite /m ea eb /q; ring.
  rewrite e; apply: Rplus_le_compat; first by apply: Rmult_le_compat_l; lra.
  have := Rmult_le_compat_l (- (h + u - 1)) _ _ (ltac:(lra)) fU; lra.
case: (Rle_or_lt (h + 2 * u - 1) 0) => [low|high].
  exists ((1 - h) / 2); split; first by rewrite /q in q0; lra.
  apply: Rle_trans bound _.
  have sq := pow2_ge_0 (b - a).
  have t1 : (b - a) ^ 2 * (u * (h + 2 * u - 1)) <= 0.
    by have := Rmult_le_pos _ _ sq (Rmult_le_pos u (- (h + 2 * u - 1)) (ltac:(lra)) (ltac:(lra))); nra.
  have quarter : b * (1 - b) <= 1 / 4 by have := pow2_ge_0 (b - 1 / 2); nra.
  have t2 : (h + u) * (b * (1 - b)) <= (h + u) / 4 by nra.
  have t3 : q * ((h + u) * (b * (1 - b)) + (b - a) ^ 2 * (u * (h + 2 * u - 1))) <= q * ((h + u) / 4).
    by apply: Rmult_le_compat_l; lra.
  have t4 : q * (h + u) <= ((1 + h) / 2) ^ 2 by have := pow2_ge_0 (q - (h + u)); rewrite /q; nra.
  have t5 : ((1 + h) / 2) ^ 2 <= (1 - ((1 - h) / 2) ^ 2) * (h + (1 - h) / 2).
    have -> : (1 - ((1 - h) / 2) ^ 2) * (h + (1 - h) / 2) = ((1 + h) / 2) ^ 2 * ((3 - h) / 2) by field.
    have := pow2_ge_0 ((1 + h) / 2) => w; rewrite -[X in X <= _]Rmult_1_r; apply: Rmult_le_compat_l => //.
    by rewrite /q in q0; lra.
  lra.
have [be [hbe top]] : exists be, 0 <= be <= 1 /\ (b * (1 - b) = be * (1 - be)) /\ (b - a) ^ 2 <= be ^ 2.
  case: (Rle_or_lt a b) => ab; first by exists b; split=> //; split=> //; nra.
  by exists (1 - b); split; [lra | split; [ring | nra]].
case: top => e sq.
have [s [hs le]] := @two_value_top h u (q * be) (Rlt_le _ _ u0) (ltac:(rewrite /q in q0 *; nra))
  (ltac:(rewrite /q in q0 *; nra)).
exists s; split=> //; apply: Rle_trans bound _; apply: Rle_trans le; rewrite e.
have -> : h * (q * be * (1 - q * be)) + u * (q * be * (1 - 2 * (q * be))) =
    q * ((h + u) * (be * (1 - be)) + be ^ 2 * (u * (h + 2 * u - 1))) by rewrite /q; ring.
apply: Rmult_le_compat_l; first by lra.
apply: Rplus_le_compat_l; apply: Rmult_le_compat_r => //.
by apply: Rmult_le_pos; lra.
Qed.

(** * The lemma *)

Section Joint.
Variables (T : finType) (p x d : T -> R).
Hypotheses (lw : law p) (hx : forall y, 0 <= x y <= 1) (hd : forall y, 0 <= d y <= 1).
Let m := mean p d.
Let D y := (d y - m) ^ 2.

Lemma joint_one_side h : exists s, 0 <= s <= 1 /\ h * var p d - cov p x D <= (1 - s ^ 2) * (h + s) / 4.
Proof.
have [nn one] := lw.
pose u := mean p x; pose A := mean p (fun y => x y * d y); pose B := mean p (fun y => (1 - x y) * d y).
pose PE := mean p (fun y => (1 - x y) * D y); pose UF := mean p (fun y => x y * D y).
have em : m = A + B by rewrite /m /A /B -mean_add; apply: mean_ext => y; ring.
have eu : 1 - u = mean p (fun y => 1 - x y) by rewrite mean_sub mean_const.
have ev : var p d = PE + UF by rewrite var_centred // /PE /UF -mean_add; apply: mean_ext => y; rewrite /D /m; ring.
have -> : h * var p d - cov p x D = (h + u) * PE + (h + u - 1) * UF.
  rewrite /cov -/UF -/u (_ : mean p D = var p d); first by rewrite ev; ring.
  by rewrite var_centred //.
have bounds f : (forall y, 0 <= f y <= 1) -> 0 <= mean p (fun y => f y * d y) <= mean p f.
  move=> hf; split; first by apply: mean_ge0 => // y; apply: Rmult_le_pos; [case: (hf y) | case: (hd y)].
  by apply: mean_le => // y; have := hf y; have := hd y; nra.
have hx' y : 0 <= 1 - x y <= 1 by have := hx y; lra.
have square f : (forall y, 0 <= f y <= 1) -> 0 <= mean p (fun y => f y * D y) <=
    mean p (fun y => f y * d y) - 2 * m * mean p (fun y => f y * d y) + m ^ 2 * mean p f.
  move=> hf; split.
    by apply: mean_ge0 => // y; apply: Rmult_le_pos; [case: (hf y) | apply: pow2_ge_0].
  rewrite -(mean_scale p (2 * m)) -(mean_scale p (m ^ 2)) -mean_sub -mean_add.
  apply: mean_le => // y; have := hf y; have := hd y; rewrite /D => h1 h2.
  suff : 0 <= f y * (d y * (1 - d y)) by lra.
  by apply: Rmult_le_pos; [lra | apply: Rmult_le_pos; lra].
have [A0 Au] : 0 <= A <= u by apply: bounds.
apply: (@joint_real h u A B PE UF); rewrite -?em.
- by apply: mean_bounds.
- by apply: bounds.
- by rewrite eu; apply: bounds.
- by rewrite eu; apply: square.
- by apply: square.
have quad t : 0 <= UF - 2 * t * (A - u * m) + t ^ 2 * u.
  have -> : UF - 2 * t * (A - u * m) + t ^ 2 * u = mean p (fun y => x y * (d y - m - t) ^ 2).
    rewrite /UF /A /u -mean_scale_r -mean_sub -(mean_scale p (2 * t)) -(mean_scale p (t ^ 2)) -mean_sub -mean_add.
    by apply: mean_ext => y; rewrite /D; ring.
  by apply: mean_ge0 => // y; apply: Rmult_le_pos; [case: (hx y) | apply: pow2_ge_0].
case: (Req_dec u 0) => u0.
  have -> : A = 0 by lra.
  by rewrite u0; lra.
have := quad ((A - u * m) / u); have up : 0 < u by lra.
rewrite (_ : UF - _ + _ = UF - (A - u * m) ^ 2 / u); last by field.
move=> le; have := Rmult_le_pos _ _ (Rlt_le _ _ up) le.
by rewrite (_ : u * _ = u * UF - (A - u * m) ^ 2); [lra | field].
Qed.
End Joint.

(** The joint lemma, for both signs of the covariance. *)
Lemma joint_lemma (T : finType) (p x d : T -> R) a t : law p ->
  (forall y, 0 <= x y <= 1) -> (forall y, 0 <= d y <= 1) -> 0 <= t ->
  a * var p d + t * Rabs (cov p x (fun y => (d y - mean p d) ^ 2)) <= joint_max a t.
Proof.
move=> lw hx hd t0; set D := fun y => _.
have [nn one] := lw.
suff [s [hs le]] : exists s, 0 <= s <= 1 /\ a * var p d + t * Rabs (cov p x D) <= (1 - s ^ 2) * (a + t * s) / 4.
  by apply: Rle_trans le _; apply: joint_max_ge.
case: t0 => [pos|<-]; last first.
  have v0 := var_ge0 d lw; rewrite Rmult_0_l Rplus_0_r.
  case: (Rle_or_lt 0 a) => a0; last by exists 1; split; [lra | nra].
  exists 0; split; first by lra.
  have v4 : var p d <= 1 / 4.
    have sq : mean p (fun y => d y * d y) <= mean p d by apply: mean_le => // y; have := hd y; nra.
    by rewrite /var /cov; have := pow2_ge_0 (mean p d - 1 / 2); lra.
  nra.
have hx' y : 0 <= 1 - x y <= 1 by have := hx y; lra.
have flip : cov p (fun y => 1 - x y) D = - cov p x D.
  rewrite (cov_sym p x D) -cov_opp_r cov_sym.
  have := cov_add_r p D (fun _ => 1) (fun y => - x y); rewrite cov_const_r // Rplus_0_l => <-.
  by apply: cov_ext.
have [s [hs le]] : exists s, 0 <= s <= 1 /\ a / t * var p d + Rabs (cov p x D) <= (1 - s ^ 2) * (a / t + s) / 4.
  case: (Rle_or_lt 0 (cov p x D)) => sg.
    have [s [hs le]] := joint_one_side lw hx' hd (a / t).
    by exists s; split=> //; move: le; rewrite -/D flip Rabs_right; lra.
  have [s [hs le]] := joint_one_side lw hx hd (a / t).
  by exists s; split=> //; move: le; rewrite -/D Rabs_left; lra.
exists s; split=> //; have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ pos) le.
rewrite (_ : t * (a / t * var p d + Rabs (cov p x D)) = a * var p d + t * Rabs (cov p x D)); last by field; lra.
by rewrite (_ : t * ((1 - s ^ 2) * (a / t + s) / 4) = (1 - s ^ 2) * (a + t * s) / 4); last by field; lra.
Qed.
