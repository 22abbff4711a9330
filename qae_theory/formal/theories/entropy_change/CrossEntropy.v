(** Upper bounds on an entropy change: by the cross entropy, and by the total variation (claim cross-entropy-upper). *)

From QAE Require Import Compat Definitions Sums Calculus RatioBox.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The bound in total variation

    A coupling w of q and p puts the mass min(p, q) on the diagonal. Fano's inequality for it: every term
    w(x, y) (log(p(y) k(x, y)) - log q(x)) is at most p(y) k(x, y) - w(x, y), where k(x, y) is 1 - v on the diagonal and
    v/(n - 1) off it, v being the total variation. *)

Section Fannes.
Variables (T : finType) (p q : T -> R).
Hypotheses (hp : policy p) (hq : policy q).
Let v := (\sum_y Rabs (q y - p y)) / 2.
Let m y := Rmin (p y) (q y).

Lemma overlap_sum : \sum_y m y = 1 - v.
Proof.
have [_ onep] := hp; have [_ oneq] := hq.
have e : \sum_y m y = \sum_y (p y / 2 + q y / 2 - Rabs (q y - p y) / 2).
  apply: sum_ext => y; rewrite /m /Rmin /Rabs; case: Rle_dec => h; case: Rcase_abs => h'; lra.
by rewrite e sum_sub sum_add !sum_div onep oneq /v; field.
Qed.

Lemma overlap_gt0 y : 0 < m y.
Proof. by case: hp => pos _; case: hq => pos' _; rewrite /m /Rmin; case: Rle_dec. Qed.

Lemma variation_ge0 : 0 <= v.
Proof. by apply: Rdiv_le_0_compat; [apply: sum_ge0 => y _; apply: Rabs_pos | lra]. Qed.

Lemma variation_lt1 : v < 1.
Proof.
have [y _] := law_inhabited (proj2 hp).
have : 0 < \sum_x m x by apply: (@sum_gt0 T predT m y) => // [|x _]; [|apply: Rlt_le]; apply: overlap_gt0.
by rewrite overlap_sum; lra.
Qed.

Lemma variation_zero : v = 0 -> forall y, q y = p y.
Proof.
move=> v0 y; have s0 : \sum_x Rabs (q x - p x) = 0 by move: v0; rewrite /v; lra.
have := sum_eq0 (fun x _ => Rabs_pos (q x - p x)) s0 (i := y) isT.
by move/Rabs_eq_0; lra.
Qed.

Hypothesis v0 : 0 < v.
Let w x y := bit (x == y) * m x + (q x - m x) * (p y - m y) / v.

Lemma excess_ge0 y : 0 <= q y - m y /\ 0 <= p y - m y /\ (q y - m y) * (p y - m y) = 0.
Proof. by rewrite /m /Rmin; case: Rle_dec => h; split; try split; lra. Qed.

Lemma coupling_ge0 x y : 0 <= w x y.
Proof.
have [qx _] := excess_ge0 x; have [_ [py _]] := excess_ge0 y; have mx := overlap_gt0 x.
have : 0 <= (q x - m x) * (p y - m y) / v by apply: Rdiv_le_0_compat => //; apply: Rmult_le_pos.
by rewrite /w /bit; case: (x == y); lra.
Qed.

Lemma coupling_left x : \sum_y w x y = q x.
Proof.
have [_ onep] := hp; rewrite /w sum_add sum_div sum_scale sum_sub onep overlap_sum.
have -> : \sum_y bit (x == y) * m x = m x.
  by rewrite (eq_bigr (fun y => bit (y == x) * m x)) => [|y _]; [rewrite sum_bit_eq | rewrite eq_sym].
by field; lra.
Qed.

Lemma coupling_right y : \sum_x w x y = p y.
Proof.
have [_ oneq] := hq; rewrite /w sum_add sum_div sum_scale_r sum_sub oneq overlap_sum sum_bit_eq.
by field; lra.
Qed.

Lemma coupling_le x y : w x y <= q x.
Proof. by rewrite -(coupling_left x); apply: (@sum_term_le T predT (w x)) => // u _; apply: coupling_ge0. Qed.

Lemma coupling_diagonal x : w x x = m x.
Proof. by have [_ [_ e]] := excess_ge0 x; rewrite /w e eqxx /bit; field; lra. Qed.

Let c := INR #|T| - 1.

Lemma others_gt0 : 0 < c.
Proof.
rewrite /c; case: (ltnP 1 #|T|) => n1; first by have := INR_ltn n1; rewrite /=; lra.
exfalso; have [_ onep] := hp; have [_ oneq] := hq; have [y _] := law_inhabited onep.
have all x : x = y by apply: (fintype_le1P n1).
have single f : \sum_x f x = f y.
  by rewrite (bigD1 y) //= big1 => [|x]; [ring | rewrite (all x) eqxx].
by move: v0; rewrite /v (single (fun x => Rabs (q x - p x))) -(single q) -(single p) onep oneq Rminus_eq_0 Rabs_R0; lra.
Qed.

Let k (x y : T) := if x == y then 1 - v else v / c.

Lemma kernel_gt0 x y : 0 < k x y.
Proof.
by rewrite /k; case: ifP => _; [have := variation_lt1; lra | apply: Rdiv_lt_0_compat => //; apply: others_gt0].
Qed.

Lemma kernel_sum y : \sum_x k x y = 1.
Proof.
rewrite (bigD1 y) //= {1}/k eqxx.
rewrite (eq_bigr (fun _ => v / c)) => [|x /negbTE e]; last by rewrite /k e.
rewrite sum_const (_ : INR _ = c); first by field; have := others_gt0; lra.
have n0 := law_card (proj2 hp).
rewrite (_ : #|_| = #|T|.-1); last by rewrite (cardC1 y).
by rewrite /c -{2}(prednK n0) INR_succ; ring.
Qed.

Lemma fano : entropy q <= entropy p + v * ln c + entropy (bernoulli v).
Proof.
have [ppos onep] := hp; have [qpos oneq] := hq; have c0 := others_gt0; have v1 := variation_lt1.
have term x y : w x y * (ln (p y * k x y) - ln (q x)) <= p y * k x y - w x y.
  have r0 : 0 < p y * k x y by apply: Rmult_lt_0_compat => //; apply: kernel_gt0.
  case: (coupling_ge0 x y) => [w0|<-]; last by rewrite Rmult_0_l; lra.
  have le : ln (w x y) <= ln (q x) by apply: ln_le => //; apply: coupling_le.
  have := ln_le_sub1 (Rdiv_lt_0_compat _ _ r0 w0); rewrite ln_div // => lr.
  have := Rmult_le_compat_l _ _ _ (Rlt_le _ _ w0) (ltac:(lra) : ln (p y * k x y) - ln (q x) <= p y * k x y / w x y - 1).
  by rewrite (_ : w x y * (p y * k x y / w x y - 1) = p y * k x y - w x y) //; field; lra.
have total : \sum_x \sum_y w x y * (ln (p y * k x y) - ln (q x)) <= 0.
  apply: (Rle_trans _ (\sum_x \sum_y (p y * k x y - w x y))).
    by apply: sum_le => x _; apply: sum_le => y _.
  have -> : \sum_x \sum_y (p y * k x y - w x y) = \sum_y p y * (\sum_x k x y) - \sum_x q x.
    rewrite (eq_bigr (fun x => \sum_y p y * k x y - q x)) => [|x _]; last by rewrite sum_sub coupling_left.
    by rewrite sum_sub sum_swap; congr (_ - _); apply: eq_bigr => y _; rewrite sum_scale.
  rewrite (eq_bigr p) ?onep ?oneq => [|y _]; last by rewrite kernel_sum Rmult_1_r.
  lra.
have split_ln x y : w x y * (ln (p y * k x y) - ln (q x)) =
    w x y * ln (p y) + w x y * (ln v - ln c) + bit (x == y) * (m x * (ln (1 - v) - (ln v - ln c))) - w x y * ln (q x).
  rewrite ln_mult //; last exact: kernel_gt0.
  rewrite /k; case: eqP => [<-|_]; last by rewrite ln_div // /bit; ring.
  by rewrite coupling_diagonal /bit; ring.
have value : \sum_x \sum_y w x y * (ln (p y * k x y) - ln (q x)) =
    - entropy p + (ln v - ln c) + (1 - v) * (ln (1 - v) - (ln v - ln c)) + entropy q.
  rewrite (eq_bigr (fun x => \sum_y w x y * ln (p y) + q x * (ln v - ln c)
      + m x * (ln (1 - v) - (ln v - ln c)) - q x * ln (q x))) => [|x _]; last first.
    rewrite (sum_ext (split_ln x)) sum_sub !sum_add !sum_scale_r !coupling_left.
    have -> : \sum_y bit (x == y) = 1.
      by rewrite -(sum_bit_eq x (fun _ => 1)); apply: eq_bigr => y _; rewrite eq_sym Rmult_1_r.
    by rewrite Rmult_1_l.
  rewrite sum_sub !sum_add !sum_scale_r oneq overlap_sum sum_swap.
  rewrite (eq_bigr (fun y => p y * ln (p y))) => [|y _]; last by rewrite sum_scale_r coupling_right.
  by rewrite /entropy /mean /logp; ring.
move: total; rewrite value [entropy (bernoulli v)]/entropy /mean sum_bool /logp /bernoulli; lra.
Qed.
End Fannes.

Lemma fannes (T : finType) (p q : T -> R) : policy p -> policy q -> let v := (\sum_y Rabs (q y - p y)) / 2 in
  entropy q - entropy p <= v * ln (INR #|T| - 1) + entropy (bernoulli v).
Proof.
move=> hp hq v; case: (variation_ge0 p q) => [pos|zero]; first by have := fano hp hq pos; rewrite -/v; lra.
have e := variation_zero (esym zero); rewrite -/v in zero; rewrite -zero.
have -> : q = p by apply: fun_ext.
by rewrite /entropy /mean sum_bool /logp /bernoulli Rminus_0_r ln_1; lra.
Qed.

(** For two policies the entropy change is at most -sum (q - p) log p, with equality only if they are the same, and its
    size is at most v log(n - 1) + h(v), v being the total variation and h the entropy of a coin (Fannes and Audenaert).
    The first bound holds for every step of the logits. *)
Theorem cross_entropy_upper :
  (forall (T : finType) (p q : T -> R), policy p -> policy q ->
     entropy q - entropy p <= - (\sum_y (q y - p y) * ln (p y))
     /\ (entropy q - entropy p = - (\sum_y (q y - p y) * ln (p y)) <-> forall y, q y = p y))
  /\ (forall (T : finType) (z d : T -> R) (eta : R), let p := softmax z in let q := softmax (step z d eta) in
     entropy_change z d eta <= - (\sum_y (q y - p y) * ln (p y)))
  /\ (forall (T : finType) (p q : T -> R), policy p -> policy q -> let v := (\sum_y Rabs (q y - p y)) / 2 in
     Rabs (entropy q - entropy p) <= v * ln (INR #|T| - 1) + entropy (bernoulli v)).
Proof.
have gap (T : finType) (p q : T -> R) : entropy q - entropy p = - (\sum_y (q y - p y) * ln (p y)) - kl q p.
  rewrite (entropy_cross p q) (_ : \sum_y (q y - p y) * ln (p y) = mean q (logp p) - mean p (logp p)).
    by rewrite /entropy; ring.
  by rewrite /mean -sum_sub; apply: sum_ext => y; rewrite /logp; ring.
split=> [T p q hp hq|].
  have k0 := kl_ge0 hq hp; rewrite gap; split; first by lra.
  split=> [e|e]; first by apply: kl_eq0 => //; lra.
  rewrite (_ : kl q p = 0); first by ring.
  by rewrite /kl /mean; apply: sum_zero => y _; rewrite e; ring.
split=> [T z d eta p q|T p q hp hq v].
  case: (inhabited_or_none T) => [[y _]|none]; last first.
    by rewrite /entropy_change /path_entropy /entropy /mean !(sum_none _ none); lra.
  have n0 : (0 < #|T|)%N by apply/card_gt0P; exists y.
  have := kl_ge0 (softmax_policy (step z d eta) n0) (softmax_policy z n0).
  by rewrite /entropy_change /path_entropy gap -/p -/q; lra.
have := fannes hp hq; have := fannes hq hp; rewrite -/v.
have -> : \sum_y Rabs (p y - q y) = \sum_y Rabs (q y - p y) by apply: sum_ext => y; apply: Rabs_minus_sym.
by rewrite -/v => h1 h2; apply: Rabs_le; lra.
Qed.
