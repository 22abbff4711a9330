(** Derivatives of finite sums and of the softmax path, and Taylor bounds.

    The main results are [derive_softmax], [derive_mean_path], [derive_path_entropy] and [derive_first_order] (the first
    and second derivative of the entropy along a path, at every point), [taylor_second] and [taylor_third]. *)

From QAE Require Import Compat Definitions Sums.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Rules of differentiation, written with the operations of the reals *)

Section Rules.
Implicit Types (f h : R -> R) (t a b c : R).

Lemma derive_eq f t a b : is_derive f t a -> a = b -> is_derive f t b.
Proof. by move=> d <-. Qed.

Lemma derive_ext f h t a : (forall u, f u = h u) -> is_derive f t a -> is_derive h t a.
Proof. by move=> e; apply: is_derive_ext. Qed.

Lemma derive_const c t : is_derive (fun _ : R => c) t 0.
Proof. exact: is_derive_const. Qed.

Lemma derive_id t : is_derive (fun u : R => u) t 1.
Proof. exact: is_derive_id. Qed.

Lemma derive_add f h t a b : is_derive f t a -> is_derive h t b -> is_derive (fun u => f u + h u) t (a + b).
Proof. exact: is_derive_plus. Qed.

Lemma derive_sub f h t a b : is_derive f t a -> is_derive h t b -> is_derive (fun u => f u - h u) t (a - b).
Proof. exact: is_derive_minus. Qed.

Lemma derive_opp f t a : is_derive f t a -> is_derive (fun u => - f u) t (- a).
Proof. exact: is_derive_opp. Qed.

Lemma derive_mul f h t a b : is_derive f t a -> is_derive h t b ->
  is_derive (fun u => f u * h u) t (a * h t + f t * b).
Proof. by move=> da db; apply: is_derive_mult => //; apply: Rmult_comm. Qed.

Lemma derive_scale c f t a : is_derive f t a -> is_derive (fun u => c * f u) t (c * a).
Proof. exact: is_derive_scal. Qed.

Lemma derive_exp f t a : is_derive f t a -> is_derive (fun u => exp (f u)) t (a * exp (f t)).
Proof. by move=> d; apply: (is_derive_comp exp f) => //; apply: is_derive_exp. Qed.

Lemma derive_ln f t a : 0 < f t -> is_derive f t a -> is_derive (fun u => ln (f u)) t (a / f t).
Proof. by move=> pos d; apply: (is_derive_comp ln f) => //; apply: is_derive_ln. Qed.

Lemma derive_sum (I : finType) (P : pred I) (F : R -> I -> R) (dF : I -> R) t :
  (forall i, P i -> is_derive (fun u => F u i) t (dF i)) ->
  is_derive (fun u => \sum_(i | P i) F u i) t (\sum_(i | P i) dF i).
Proof.
move=> h; elim: (index_enum I) => [|i s IH].
  rewrite big_nil; apply: (derive_ext (f := fun _ => 0)) (derive_const 0 t) => u.
  by rewrite big_nil.
rewrite big_cons; case: ifP => Pi.
  apply: (derive_ext (f := fun u => F u i + \big[Rplus/0]_(j <- s | P j) F u j)) => [u|]; first by rewrite big_cons Pi.
  by apply: derive_add => //; apply: h.
by apply: is_derive_ext IH => u; rewrite big_cons Pi.
Qed.

Lemma derive_continuity f t a : is_derive f t a -> continuity_pt f t.
Proof. by move=> d; apply/continuity_pt_filterlim; apply: ex_derive_continuous; exists a. Qed.

(** The mean value theorem on a segment in either direction. *)
Lemma mean_value f f' a b : (forall t, Rmin a b <= t <= Rmax a b -> is_derive f t (f' t)) ->
  exists c, Rmin a b <= c <= Rmax a b /\ f b - f a = f' c * (b - a).
Proof.
move=> d; case: (MVT_gen f a b f') => [t [lo hi]|t h|c [hc e]]; last by exists c.
  by apply: d; split; apply: Rlt_le.
by apply: derive_continuity (d t h).
Qed.

Lemma monotone_of_derive f f' a b : a <= b -> (forall t, a <= t <= b -> is_derive f t (f' t)) ->
  (forall t, a <= t <= b -> 0 <= f' t) -> f a <= f b.
Proof.
move=> le d pos; have := @mean_value f f' a b; rewrite Rmin_left // Rmax_right // => /(_ d)[c [hc e]].
by have := pos c hc; nra.
Qed.

Lemma strictly_monotone_of_derive f f' a b : a < b -> (forall t, a <= t <= b -> is_derive f t (f' t)) ->
  (forall t, a < t < b -> 0 < f' t) -> f a < f b.
Proof.
move=> lt d pos.
case: (MVT_cor2 f f' a b lt) => [t h|c [e [ac cb]]]; first by apply/is_derive_Reals; apply: d.
by have := pos c (conj ac cb); nra.
Qed.

(** Taylor's theorem with a bound on the last derivative between 0 and eta, for eta of either sign. *)
Lemma taylor_second f f' f'' lo hi eta :
  (forall t, is_derive f t (f' t)) -> (forall t, is_derive f' t (f'' t)) ->
  (forall t, Rmin 0 eta <= t <= Rmax 0 eta -> lo <= f'' t <= hi) ->
  lo * eta ^ 2 / 2 <= f eta - f 0 - eta * f' 0 <= hi * eta ^ 2 / 2.
Proof.
move=> d d' bound.
pose g m t := f t - f 0 - t * f' 0 - m * (t * t) / 2.
pose g' m t := f' t - f' 0 - m * t.
have dg m t : is_derive (g m) t (g' m t).
  rewrite /g /g'; apply: derive_eq.
    apply: (derive_sub (derive_sub (derive_sub (d t) (derive_const _ t))
      (derive_mul (derive_id t) (derive_const _ t)))).
    by apply: (derive_mul (derive_scale m (derive_mul (derive_id t) (derive_id t)))); exact: derive_const.
  by cbv beta; field.
have dg' m t : is_derive (g' m) t (f'' t - m).
  apply: derive_eq.
    by apply: (derive_sub (derive_sub (d' t) (derive_const _ t)) (derive_scale m (derive_id t))).
  by cbv beta; ring.
have seg c t : Rmin 0 eta <= c <= Rmax 0 eta -> Rmin 0 c <= t <= Rmax 0 c ->
    Rmin 0 eta <= t <= Rmax 0 eta /\ 0 <= c * eta.
  rewrite /Rmin /Rmax; case: (Rle_dec 0 eta) => s1; case: (Rle_dec 0 c) => s2; nra.
have sign m : exists c t, Rmin 0 eta <= t <= Rmax 0 eta /\ 0 <= c * eta /\ g m eta = (f'' t - m) * (c * eta).
  case: (@mean_value (g m) (g' m) 0 eta) => [t _|c [hc e]]; first exact: dg.
  case: (@mean_value (g' m) (fun t => f'' t - m) 0 c) => [t _|t [ht e']]; first exact: dg'.
  have [h1 h2] := seg c t hc ht; exists c, t; split=> //; split=> //.
  have z : g m 0 = 0 by rewrite /g; field.
  have z' : g' m 0 = 0 by rewrite /g'; ring.
  by move: e e'; rewrite z z' !Rminus_0_r => -> ->; ring.
split.
  have [c [t [/bound ht [hc e]]]] := sign lo; have : 0 <= g lo eta by rewrite e; apply: Rmult_le_pos => //; lra.
  by rewrite /g; lra.
have [c [t [/bound ht [hc e]]]] := sign hi; have : 0 <= - g hi eta.
  by rewrite e Ropp_mult_distr_l; apply: Rmult_le_pos => //; lra.
by rewrite /g; lra.
Qed.

Lemma taylor_third f f' f'' f''' b eta :
  (forall t, is_derive f t (f' t)) -> (forall t, is_derive f' t (f'' t)) -> (forall t, is_derive f'' t (f''' t)) ->
  (forall t, Rmin 0 eta <= t <= Rmax 0 eta -> Rabs (f''' t) <= b) ->
  Rabs (f eta - f 0 - eta * f' 0 - eta ^ 2 / 2 * f'' 0) <= b * Rabs eta ^ 3 / 6.
Proof.
(* The statement for a positive step, one-sided; the others follow by reflection. *)
have half : forall (F F' F'' F''' : R -> R) x, 0 <= x ->
    (forall t, is_derive F t (F' t)) -> (forall t, is_derive F' t (F'' t)) -> (forall t, is_derive F'' t (F''' t)) ->
    (forall t, 0 <= t <= x -> F''' t <= b) -> F x - F 0 - x * F' 0 - x ^ 2 / 2 * F'' 0 <= b * x ^ 3 / 6.
  move=> F F' F'' F''' x x0 d d' d'' bound.
  have s2 t : 0 <= t <= x -> F'' t - F'' 0 <= b * t.
    move=> [t0 tx]; case: (@mean_value F'' F''' 0 t) => [u _|c]; first exact: d''.
    rewrite Rmin_left // Rmax_right // => -[[c0 ct] e].
    have : F''' c <= b by apply: bound; lra.
    by rewrite e; nra.
  have s1 t : 0 <= t <= x -> F' t - F' 0 - t * F'' 0 <= b * t ^ 2 / 2.
    move=> [t0 tx].
    pose k u := b * (u * u) / 2 - (F' u - F' 0 - u * F'' 0).
    suff : k 0 <= k t by rewrite /k; nra.
    apply: (@monotone_of_derive k (fun u => b * u - (F'' u - F'' 0))) => // [u _|u [u0 ut]].
      apply: derive_eq; first apply: derive_sub.
      - by apply: (derive_mul (derive_scale b (derive_mul (derive_id u) (derive_id u)))); exact: derive_const.
      - exact: (derive_sub (derive_sub (d' u) (derive_const _ u)) (derive_mul (derive_id u) (derive_const _ u))).
      by cbv beta; field.
    by have : F'' u - F'' 0 <= b * u by [apply: s2; lra]; lra.
  pose k u := b * (u * u * u) / 6 - (F u - F 0 - u * F' 0 - u * u / 2 * F'' 0).
  suff : k 0 <= k x by rewrite /k; nra.
  apply: (@monotone_of_derive k (fun u => b * (u * u) / 2 - (F' u - F' 0 - u * F'' 0))) => // [u _|u [u0 ux]].
    apply: derive_eq; first apply: derive_sub.
    - apply: (derive_mul (derive_scale b (derive_mul (derive_mul (derive_id u) (derive_id u)) (derive_id u)))).
      exact: derive_const.
    - apply: derive_sub.
        exact: (derive_sub (derive_sub (d u) (derive_const _ u)) (derive_mul (derive_id u) (derive_const _ u))).
      apply: derive_mul; last exact: derive_const.
      by apply: (derive_mul (derive_mul (derive_id u) (derive_id u))); exact: derive_const.
    by cbv beta; field.
  by have : F' u - F' 0 - u * F'' 0 <= b * u ^ 2 / 2 by [apply: s1; lra]; nra.
move=> d d' d'' bound.
case: (Rle_or_lt 0 eta) => sg.
  move: bound; rewrite Rmin_left // Rmax_right // (Rabs_right eta); last by lra.
  move=> bound; apply: Rabs_le; split; last first.
    by apply: half => // t /bound; move/Rabs_le_between; lra.
  have := half (fun t => - f t) (fun t => - f' t) (fun t => - f'' t) (fun t => - f''' t) eta sg.
  suff h : (forall t, 0 <= t <= eta -> - f''' t <= b).
    by move=> /(_ (fun t => derive_opp (d t)) (fun t => derive_opp (d' t)) (fun t => derive_opp (d'' t)) h); nra.
  by move=> t /bound; move/Rabs_le_between; lra.
have dneg (F F' : R -> R) t : (forall u, is_derive F u (F' u)) -> is_derive (fun u => F (- u)) t (- F' (- t)).
  move=> h; apply: derive_eq; first by apply: (is_derive_comp F) (derive_opp (derive_id t)); apply: h.
  by rewrite /scal /= /mult /=; ring.
move: bound; rewrite Rmin_right ?Rmax_left; [|lra|lra].
rewrite (Rabs_left eta) // => bound; apply: Rabs_le; split; last first.
  have := half (fun t => f (- t)) (fun t => - f' (- t)) (fun t => f'' (- t)) (fun t => - f''' (- t)) (- eta).
  rewrite !Ropp_involutive !Ropp_0 => h.
  suff : f eta - f 0 - - eta * - f' 0 - (- eta) ^ 2 / 2 * f'' 0 <= b * (- eta) ^ 3 / 6 by lra.
  apply: h => [|t|t|t|t ht]; [lra | exact: dneg | | exact: dneg | ].
    by apply: derive_eq; [apply: derive_opp; apply: (dneg f' f'') | cbv beta; ring].
  by have := bound (- t); move/(_ ltac:(lra))/Rabs_le_between; lra.
have := half (fun t => - f (- t)) (fun t => f' (- t)) (fun t => - f'' (- t)) (fun t => f''' (- t)) (- eta).
rewrite !Ropp_involutive !Ropp_0 => h.
suff : - f eta - - f 0 - - eta * f' 0 - (- eta) ^ 2 / 2 * - f'' 0 <= b * (- eta) ^ 3 / 6 by lra.
apply: h => [|t|t|t|t ht]; [lra | | exact: dneg | | ].
- by apply: derive_eq; [apply: derive_opp; apply: (dneg f f') | cbv beta; ring].
- by apply: derive_eq; [apply: derive_opp; apply: (dneg f'' f''') | cbv beta; ring].
by have := bound (- t); move/(_ ltac:(lra))/Rabs_le_between; lra.
Qed.
End Rules.

(** * The softmax *)

Section Softmax.
Variable T : finType.
Implicit Types (z d p f : T -> R) (y : T).

Lemma partition_gt0 z y : 0 < \sum_x exp (z x).
Proof.
by apply: (@sum_gt0 T predT (fun x => exp (z x)) y) => // [|x _]; [|apply: Rlt_le]; apply: exp_pos.
Qed.

Lemma softmax_gt0 z y : 0 < softmax z y.
Proof. by apply: Rdiv_lt_0_compat; [apply: exp_pos | apply: partition_gt0]. Qed.

Lemma softmax_sum z y : \sum_x softmax z x = 1.
Proof. by rewrite /softmax sum_div /Rdiv Rinv_r //; apply: Rgt_not_eq; apply: partition_gt0. Qed.

Lemma softmax_policy z : (0 < #|T|)%N -> policy (softmax z).
Proof. by move=> /card_gt0P[y _]; split=> [x|]; [apply: softmax_gt0 | apply: softmax_sum y]. Qed.

Lemma ln_softmax z y : ln (softmax z y) = z y - ln (\sum_x exp (z x)).
Proof. by rewrite /softmax ln_div ?ln_exp //; [apply: exp_pos | apply: partition_gt0 y]. Qed.

(** A shift of all logits leaves the softmax as it is. *)
Lemma softmax_shift z z' c : (forall y, z' y = z y + c) -> softmax z' = softmax z.
Proof.
move=> h; apply: fun_ext => y; rewrite /softmax.
have -> : \sum_x exp (z' x) = (\sum_x exp (z x)) * exp c.
  by rewrite -sum_scale_r; apply: eq_bigr => x _; rewrite h exp_plus.
rewrite h exp_plus; field; split; apply: Rgt_not_eq; [exact: partition_gt0 | exact: exp_pos].
Qed.

(** Every policy is the softmax of its log-probabilities. *)
Lemma softmax_logp p : policy p -> softmax (logp p) = p.
Proof.
move=> [pos one]; apply: fun_ext => y; rewrite /softmax /logp exp_ln //.
have -> : \sum_x exp (ln (p x)) = 1 by rewrite -one; apply: eq_bigr => x _; rewrite exp_ln.
by cbv beta; field.
Qed.

Lemma step0 z d : step z d 0 = z.
Proof. by apply: fun_ext => y; rewrite /step; ring. Qed.

Lemma step_step z d t u : step (step z d t) d u = step z d (t + u).
Proof. by apply: fun_ext => y; rewrite /step; ring. Qed.

Lemma entropy_change_path z d eta : entropy_change z d eta = path_entropy z d eta - path_entropy z d 0.
Proof. by rewrite /entropy_change /path_entropy step0. Qed.

(** If there are no responses then every sum is 0. *)
Lemma sum_none f : (T -> False) -> \sum_y f y = 0.
Proof. by move=> none; apply: big1 => y; case: (none y). Qed.

Lemma inhabited_or_none : (exists y : T, True) \/ (T -> False).
Proof. by case: (pickP (@predT T)) => [y _|h]; [left; exists y | right => y; have := h y]. Qed.

(** * Derivatives along the path z + t d *)

Variables (z d : T -> R).
Let P t := softmax (step z d t).

Lemma derive_softmax y t : is_derive (fun u => P u y) t (P t y * (d y - mean (P t) d)).
Proof.
have dexp x : is_derive (fun u => exp (step z d u x)) t (d x * exp (step z d t x)).
  apply: derive_eq; first apply: derive_exp.
    by apply: derive_add (derive_const (z x) t) (derive_mul (derive_id t) (derive_const (d x) t)).
  by cbv beta; ring.
apply: derive_eq.
  apply: (@is_derive_div (fun u => exp (step z d u y)) (fun u => \sum_x exp (step z d u x))).
  - exact: dexp.
  - by apply: derive_sum => x _; apply: dexp.
  - by apply: Rgt_not_eq; apply: partition_gt0 y.
have pos := partition_gt0 (step z d t) y.
have -> : mean (P t) d = (\sum_x d x * exp (step z d t x)) / \sum_x exp (step z d t x).
  by rewrite /mean -sum_div; apply: eq_bigr => x _; rewrite /P /softmax; field; lra.
by rewrite /P /softmax; field; lra.
Qed.

Lemma derive_logp y t : is_derive (fun u => ln (P u y)) t (d y - mean (P t) d).
Proof.
have pos := softmax_gt0 (step z d t) y.
apply: derive_eq; first by apply: derive_ln (derive_softmax y t).
by rewrite /P; field; lra.
Qed.

(** The expectation of a function that moves as well: the derivative of the function, plus its covariance with d. *)
Lemma derive_mean_path (F : R -> T -> R) (dF : T -> R) t : (forall y, is_derive (fun u => F u y) t (dF y)) ->
  is_derive (fun u => mean (P u) (F u)) t (mean (P t) dF + cov (P t) (F t) d).
Proof.
move=> dd; apply: derive_eq.
  by apply: derive_sum => y _; apply: derive_mul (derive_softmax y t) (dd y).
rewrite /cov -mean_scale_r -mean_sub -mean_add; apply: sum_ext => y; ring.
Qed.

Lemma derive_mean_fixed f t : is_derive (fun u => mean (P u) f) t (cov (P t) f d).
Proof.
apply: derive_eq; first by apply: (@derive_mean_path (fun _ => f) (fun _ => 0)) => y; apply: derive_const.
by rewrite {1}/mean sum_zero; [ring | move=> y _; ring].
Qed.

Lemma mean_deviation t : mean (P t) (fun y => d y - mean (P t) d) = 0.
Proof.
case: inhabited_or_none => [[y _]|none]; last by rewrite /mean sum_none.
by rewrite mean_sub mean_const ?Rminus_eq_0 //; apply: softmax_sum y.
Qed.

(** phi'(t) = -Cov_t(log p_t, d). *)
Lemma derive_path_entropy t : is_derive (path_entropy z d) t (first_order (P t) d).
Proof.
apply: derive_opp; apply: derive_eq.
  by apply: (@derive_mean_path (fun u => logp (P u)) (fun y => d y - mean (P t) d)) => y; apply: derive_logp.
by rewrite mean_deviation; ring.
Qed.

(** phi''(t) = -Var_t(d) - E_t[(log p_t - E_t log p_t)(d - E_t d)^2]. *)
Definition second_derivative t : R :=
  - var (P t) d - mean (P t) (fun y => (logp (P t) y - mean (P t) (logp (P t))) * (d y - mean (P t) d) ^ 2).

Lemma derive_first_order t : is_derive (fun u => first_order (P u) d) t (second_derivative t).
Proof.
case: inhabited_or_none => [[y0 _]|none]; last first.
  have zero u (f : T -> R) : mean (P u) f = 0 by rewrite /mean sum_none.
  rewrite /second_derivative /first_order /var /cov !zero.
  apply: (derive_ext (f := fun _ => 0)) => [u|]; first by rewrite !zero; ring.
  by apply: (derive_eq (derive_const 0 t)); ring.
have one : \sum_y P t y = 1 := softmax_sum _ y0.
apply: derive_eq.
  apply: derive_opp; apply: derive_sub; last first.
    apply: derive_mul; last exact: derive_mean_fixed.
    by apply: (@derive_mean_path (fun u => logp (P u)) (fun y => d y - mean (P t) d)) => y; apply: derive_logp.
  apply: (@derive_mean_path (fun u y => logp (P u) y * d y) (fun y => (d y - mean (P t) d) * d y)) => y.
  by apply: derive_eq; [apply: derive_mul (derive_logp y t) (derive_const _ t) | cbv beta; ring].
rewrite mean_deviation /second_derivative.
have expand l m : mean (P t) (fun y => (logp (P t) y - l) * (d y - m) ^ 2) =
    mean (P t) (fun y => logp (P t) y * d y * d y) - 2 * m * mean (P t) (fun y => logp (P t) y * d y)
    + m ^ 2 * mean (P t) (logp (P t)) - l * mean (P t) (fun y => (d y - m) ^ 2).
  by rewrite -!mean_scale -mean_sub -mean_add -mean_sub; apply: mean_ext => y; ring.
rewrite expand -var_centred //.
have -> : mean (P t) (fun y => (d y - mean (P t) d) * d y) = var (P t) d.
  by rewrite /var cov_centred //; apply: mean_ext => y; ring.
by rewrite /var /cov; ring.
Qed.

Lemma curvature_at t : Derive_n (path_entropy z d) 2 t = second_derivative t.
Proof.
rewrite /=; rewrite (Derive_ext _ (fun u => first_order (P u) d)); first exact: is_derive_unique (derive_first_order t).
by move=> u; apply: is_derive_unique; apply: derive_path_entropy.
Qed.
End Softmax.

(** The curvature d^T (Hess H) d in closed form. *)
Lemma curvature_closed (T : finType) (z d : T -> R) : curvature z d =
  - var (softmax z) d
  - mean (softmax z) (fun y => (logp (softmax z) y - mean (softmax z) (logp (softmax z)))
                               * (d y - mean (softmax z) d) ^ 2).
Proof. by rewrite /curvature curvature_at /second_derivative step0. Qed.

(** The entropy change between two bounds on the second derivative along the path. *)
Lemma entropy_change_bounds (T : finType) (z d : T -> R) lo hi eta :
  (forall t, Rmin 0 eta <= t <= Rmax 0 eta -> lo <= second_derivative z d t <= hi) ->
  lo * eta ^ 2 / 2 <= entropy_change z d eta - eta * first_order (softmax z) d <= hi * eta ^ 2 / 2.
Proof.
move=> h; rewrite entropy_change_path.
have := taylor_second (derive_path_entropy z d) (derive_first_order z d) h.
by rewrite /= step0.
Qed.
