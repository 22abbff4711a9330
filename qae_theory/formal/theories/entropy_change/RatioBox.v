(** The entropy of a policy against the entropy of another one whose probabilities are within given ratios (claims
    ratio-box, ratio-box-clip and ratio-box-clip-if). *)

From QAE Require Import Compat Definitions Sums Calculus JointLemma Remainder Prop42.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The box *)

Section Box.
Variable T : finType.
Implicit Types p q : T -> R.

(** H(q) = -sum q log p - KL(q || p). *)
Lemma entropy_cross p q : entropy q = - mean q (logp p) - kl q p.
Proof. by rewrite /entropy /kl mean_sub /logp; ring. Qed.

Lemma entropy_le_ratio p q b : policy p -> policy q -> (forall y, q y <= b * p y) -> entropy q <= b * entropy p.
Proof.
move=> hp hq h; rewrite (entropy_cross p q); have k0 := kl_ge0 hq hp.
suff : - mean q (logp p) <= b * entropy p by lra.
rewrite /entropy Ropp_mult_distr_r_reverse -mean_opp -[X in _ <= - X]Ropp_involutive Ropp_involutive.
rewrite Ropp_mult_distr_r -mean_opp -mean_scale /mean; apply: sum_le => y _.
have l0 : logp p y <= 0.
  rewrite /logp -ln_1; apply: ln_le; [by case: hp | exact: law_le1 (policy_law hp)].
have := Rmult_le_compat_r (- logp p y) _ _ (ltac:(lra)) (h y); lra.
Qed.

Lemma entropy_gt0 p : policy p -> (1 < #|T|)%N -> 0 < entropy p.
Proof.
move=> hp n1; have [pos one] := hp; have lw := policy_law hp.
have /card_gt0P[x _] : (0 < #|T|)%N by apply: leq_trans n1.
have [y yx] : exists y : T, y != x.
  apply/existsP; apply: contraTT n1 => /existsPn h; rewrite -leqNgt.
  apply: (leq_trans (n := #|pred1 x|)); last by rewrite card1.
  by apply/subset_leq_card/subsetP => u _; rewrite inE; have := h u; rewrite negbK.
have lt1 : p x < 1.
  rewrite -one (bigD1 x) //= (bigD1 y) //=.
  have : 0 <= \sum_(k | (k != x) && (k != y)) p k by apply: sum_ge0 => k _; apply: Rlt_le.
  by have := pos y; lra.
rewrite /entropy /mean -sum_opp; apply: (@sum_gt0 _ predT _ x) => // [|k _].
  by have := ln_increasing _ _ (pos x) lt1; rewrite ln_1 /logp; have := pos x; nra.
have : ln (p k) <= ln 1 by apply: ln_le => //; apply: law_le1.
by rewrite ln_1 /logp; have := pos k; nra.
Qed.

Lemma entropy_ratio_box p q a b : policy p -> policy q -> (forall y, a <= q y / p y <= b) ->
  a * entropy p <= entropy q <= b * entropy p.
Proof.
move=> hp hq h; have [ppos _] := hp; have [qpos _] := hq.
have mul y : a * p y <= q y <= b * p y.
  have := h y => -[h1 h2]; have py := ppos y.
  have e : q y / p y * p y = q y by field; lra.
  by rewrite -{1 2}e; split; apply: Rmult_le_compat_r; lra.
split; last by apply: entropy_le_ratio => // y; case: (mul y).
have hH := entropy_ge0 hp; have hH' := entropy_ge0 hq.
case: (Rle_or_lt a 0) => a0; first by nra.
have : entropy p <= / a * entropy q.
  apply: entropy_le_ratio => // y; have [h1 _] := mul y.
  by apply: (Rmult_le_reg_l a) => //; rewrite -Rmult_assoc Rinv_r; lra.
move=> le; have := Rmult_le_compat_l a _ _ (Rlt_le _ _ a0) le.
by rewrite -Rmult_assoc Rinv_r; lra.
Qed.

Lemma ratio_quotient h h' a b : 0 < h -> a * h <= h' <= b * h -> a <= h' / h <= b.
Proof.
by move=> h0 [l u]; split; apply: (Rmult_le_reg_r h) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
Qed.

(** The ratios of a logit step. *)
Lemma step_ratio (z d : T -> R) eta y : let rho := Rabs eta * spread d in
  exp (- rho) <= softmax (step z d eta) y / softmax z y <= exp rho.
Proof.
move=> rho; have z0 := partition_gt0 z y; have z1 := partition_gt0 (step z d eta) y.
have e0 := exp_pos (z y); have e1 := exp_pos (eta * d y).
have gap x x' : eta * d x - eta * d x' <= rho.
  have h1 := spread_ge d x x'; have h2 := spread_ge d x' x; have r0 := spread_ge0 d; rewrite /rho.
  rewrite /Rabs; case: Rcase_abs => sg; nra.
have -> : softmax (step z d eta) y / softmax z y = exp (eta * d y) * (\sum_x exp (z x)) / \sum_x exp (step z d eta x).
  by rewrite /softmax {1}/step exp_plus; field; lra.
have lower : exp (- rho) * (\sum_x exp (step z d eta x)) <= exp (eta * d y) * (\sum_x exp (z x)).
  rewrite -!sum_scale; apply: sum_le => x _; rewrite -!exp_plus /step.
  by apply: Raux.exp_le; have := gap x y; lra.
have upper : exp (eta * d y) * (\sum_x exp (z x)) <= exp rho * (\sum_x exp (step z d eta x)).
  rewrite -!sum_scale; apply: sum_le => x _; rewrite -!exp_plus /step.
  by apply: Raux.exp_le; have := gap y x; lra.
by split; apply: (Rmult_le_reg_r (\sum_x exp (step z d eta x))) => //; rewrite {1}/Rdiv ?Rmult_assoc;
  rewrite /Rdiv ?Rmult_assoc Rinv_l; lra.
Qed.
End Box.

(** If every ratio q(y)/p(y) lies between a and b then so does H(q)/H(p). For a step eta along d the ratios lie between
    exp(-|eta| rho) and exp(|eta| rho), rho = spread d: this bound is free of the number of responses. *)
Theorem ratio_box :
  (forall (T : finType) (p q : T -> R) (a b : R), policy p -> policy q -> (forall y, a <= q y / p y <= b) ->
     a * entropy p <= entropy q <= b * entropy p
     /\ ((1 < #|T|)%N -> 0 < entropy p /\ a <= entropy q / entropy p <= b))
  /\ (forall (T : finType) (z d : T -> R) (eta : R), (1 < #|T|)%N ->
     let H := entropy (softmax z) in let rho := spread d in
     (forall y, exp (- (Rabs eta * rho)) <= softmax (step z d eta) y / softmax z y <= exp (Rabs eta * rho))
     /\ exp (- (Rabs eta * rho)) <= path_entropy z d eta / H <= exp (Rabs eta * rho)
     /\ (exp (- (Rabs eta * rho)) - 1) * H <= entropy_change z d eta <= (exp (Rabs eta * rho) - 1) * H).
Proof.
split=> [T p q a b hp hq h|T z d eta n1 H rho].
  have box := entropy_ratio_box hp hq h; split=> // n1.
  by have h0 := entropy_gt0 hp n1; split=> //; apply: ratio_quotient.
have n0 : (0 < #|T|)%N by apply: leq_trans n1.
have hp := softmax_policy z n0; have hq := softmax_policy (step z d eta) n0.
have h0 := entropy_gt0 hp n1; rewrite -/H in h0.
have h y := step_ratio z d eta y; split=> //.
have [l u] := entropy_ratio_box hp hq h; rewrite -/H -/rho -/(path_entropy z d eta) in l u.
split; first exact: ratio_quotient.
by rewrite /entropy_change -/H; lra.
Qed.

(** * What clipping does not do *)

(** Within the clip range the surrogate is the ratio times the advantage. *)
Lemma surrogate_inside lo hi v a : 1 - lo <= v <= 1 + hi -> surrogate lo hi v a = v * a.
Proof.
move=> h; have e : clip lo hi v = v by rewrite /clip Rmax_left; [rewrite Rmin_left|]; lra.
by rewrite /surrogate e Rmin_left //; apply: Rle_refl.
Qed.

Lemma derive_surrogate lo hi (v : R -> R) a t dv : 1 - lo < v t < 1 + hi -> is_derive v t dv ->
  is_derive (fun u => surrogate lo hi (v u) a) t (dv * a).
Proof.
move=> h dd; apply: (is_derive_ext_loc (fun u => v u * a)).
  have cont : continuous v t by apply: ex_derive_continuous; exists dv.
  have near : locally (v t) (fun w => 1 - lo < w < 1 + hi).
    by apply: (locally_interval _ (v t) (1 - lo) (1 + hi)) => /= [||w h1 h2]; [case: h | case: h | split].
  apply: (filter_imp (fun u => 1 - lo < v u < 1 + hi)); last exact: (cont _ near).
  by move=> u hu; rewrite surrogate_inside //; lra.
by apply: derive_eq; [apply: derive_mul dd (derive_const a t) | cbv beta; ring].
Qed.

(** The gradient of the clipped objective at logits w whose ratios are strictly inside the clip range. *)
Lemma clipped_gradient (G : nat) (T : finType) lo hi (z w : T -> R) (g : 'I_G -> T) (A : 'I_G -> R) x :
  (forall i, 1 - lo < softmax w (g i) / softmax z (g i) < 1 + hi) ->
  is_derive (fun t => group_objective lo hi (fun _ => 1%N)
      (fun i _ => softmax (step w (fun y => bit (y == x)) t) (g i) / softmax z (g i)) A) 0
    ((\sum_i softmax w (g i) / softmax z (g i) * (bit (g i == x) - softmax w x) * A i) / INR G).
Proof.
move=> h; pose e y := bit (y == x).
apply: (derive_ext (f := fun t =>
  (\sum_i surrogate lo hi (softmax (step w e t) (g i) / softmax z (g i)) (A i)) / INR G)).
  move=> t; rewrite /group_objective /group_mean; congr (_ / _); apply: eq_bigr => i _.
  by rewrite /token_mean big_ord_recl big_ord0 -/e Rplus_0_r Rdiv_1.
rewrite /Rdiv; apply: derive_eq; first apply: derive_mul (derive_const _ 0).
  apply: derive_sum => i _; apply: derive_surrogate; first by rewrite step0; apply: h.
  by apply: derive_eq; [apply: derive_mul (derive_softmax w e (g i) 0) (derive_const _ 0) | reflexivity].
cbv beta; rewrite Rmult_0_r Rplus_0_r; congr (_ * _); apply: eq_bigr => i _.
have -> : mean (softmax (step w e 0)) e = softmax w x by rewrite step0 /mean /e sum_bit_eq_r.
by rewrite step0 /e; ring.
Qed.

(** A group of two responses, the first right and the second wrong, with the advantages 1 and -1. *)
Definition pair_group : 'I_2 -> bool := fun i => i == ord0.
Definition pair_advantages : 'I_2 -> R := fun i => if i == ord0 then 1 else -1.

Lemma pair_gradient lo hi (z w : bool -> R) x :
  let v y := softmax w y / softmax z y in (forall y, 1 - lo < v y < 1 + hi) ->
  is_derive (fun t => group_objective lo hi (fun _ => 1%N)
      (fun i _ => softmax (step w (fun y => bit (y == x)) t) (pair_group i) / softmax z (pair_group i))
      pair_advantages) 0
    ((v true * (bit (true == x) - softmax w x) - v false * (bit (false == x) - softmax w x)) / 2).
Proof.
move=> v h; apply: derive_eq; first by apply: clipped_gradient => i; apply: h.
rewrite !big_ord_recl big_ord0 (_ : INR 2 = 2); last by rewrite /=; ring.
have -> : pair_group ord0 = true by [].
have -> : pair_group (lift ord0 ord0) = false by [].
have -> : pair_advantages ord0 = 1 by [].
have -> : pair_advantages (lift ord0 ord0) = -1 by [].
have neg k : k * -1 = - k by ring.
by rewrite -/(v true) -/(v false) Rmult_1_r Rplus_0_r neg.
Qed.

Lemma softmax_two (z : bool -> R) p : 0 < p < 1 -> z true - z false = ln (p / (1 - p)) -> softmax z = bernoulli p.
Proof.
move=> h e; rewrite -(softmax_bernoulli h).
apply: (@softmax_shift _ _ _ (z false - ln (1 - p))) => y; rewrite /logp /bernoulli; case: y => /=; last by ring.
by move: e; rewrite ln_div; lra.
Qed.

(** One gradient step of the clipped objective J, taken at the policy that sampled the group, can move ratios and the
    entropy out of the clip range: from (1/2, 1/2) to (9/10, 1/10), ratios 9/5 and 1/5, with the range .2, .28 and a
    group of one right response of advantage 1 and one wrong response of advantage -1. So clipping keeps neither the
    ratios nor the entropy ratio in the box. *)
Theorem ratio_box_clip :
  (let z := fun _ : bool => 0 in let lo := 0.2 in let hi := 0.28 in
   let g := fun i : 'I_2 => i == ord0 in let A := fun i : 'I_2 => if i == ord0 then 1 else -1 in
   let J w := group_objective lo hi (fun _ => 1%N) (fun i _ => softmax w (g i) / softmax z (g i)) A in
   let d := fun y : bool => if y then / 2 else - / 2 in let q := softmax (step z d (ln 9)) in
   (forall x, is_derive (fun t => J (step z (fun y => bit (y == x)) t)) 0 (d x))
   /\ softmax z = bernoulli (1 / 2) /\ q = bernoulli (9 / 10)
   /\ q true / softmax z true = 9 / 5 /\ q false / softmax z false = 1 / 5
   /\ entropy q / entropy (softmax z) < 1 - lo)
  /\ ~ (forall (G : nat) (T : finType) (z d : T -> R) (g : 'I_G -> T) (A : 'I_G -> R) (lo hi eta : R),
       let J w := group_objective lo hi (fun _ => 1%N) (fun i _ => softmax w (g i) / softmax z (g i)) A in
       0 < lo < 1 -> 0 < hi -> 0 < eta ->
       (forall x, is_derive (fun t => J (step z (fun y => bit (y == x)) t)) 0 (d x)) ->
       forall y, 1 - lo <= softmax (step z d eta) y / softmax z y <= 1 + hi)
  /\ ~ (forall (G : nat) (T : finType) (z d : T -> R) (g : 'I_G -> T) (A : 'I_G -> R) (lo hi eta : R),
       let J w := group_objective lo hi (fun _ => 1%N) (fun i _ => softmax w (g i) / softmax z (g i)) A in
       0 < lo < 1 -> 0 < hi -> 0 < eta ->
       (forall x, is_derive (fun t => J (step z (fun y => bit (y == x)) t)) 0 (d x)) ->
       1 - lo <= path_entropy z d eta / entropy (softmax z) <= 1 + hi).
Proof.
pose z := fun _ : bool => 0; pose d := fun y : bool => if y then / 2 else - / 2.
have sz : softmax z = bernoulli (1 / 2).
  by apply: softmax_two; [lra | rewrite (_ : 1 / 2 / (1 - 1 / 2) = 1) ?ln_1 /z; lra].
have sq : softmax (step z d (ln 9)) = bernoulli (9 / 10).
  by apply: softmax_two; [lra | rewrite (_ : 9 / 10 / (1 - 9 / 10) = 9) /step /z /d; lra].
have grad x : is_derive (fun t => group_objective 0.2 0.28 (fun _ => 1%N)
      (fun i _ => softmax (step z (fun y => bit (y == x)) t) (pair_group i) / softmax z (pair_group i))
      pair_advantages) 0 (d x).
  apply: derive_eq.
    by apply: pair_gradient => y; rewrite sz /bernoulli; case: y; lra.
  by rewrite sz /bernoulli /bit /d; case: x => /=; lra.
have ent : entropy (bernoulli (9 / 10)) / entropy (bernoulli (1 / 2)) < 1 - 0.2.
  have l2 : 0 < ln 2 by rewrite -ln_1; apply: ln_increasing; lra.
  have e1 : entropy (bernoulli (1 / 2)) = ln 2.
    rewrite /entropy mean_bool /logp /bernoulli (_ : 1 - 1 / 2 = / 2); last by field.
    by rewrite (_ : 1 / 2 = / 2) ?ln_Rinv; lra.
  have e2 : entropy (bernoulli (9 / 10)) = ln 10 - 9 / 10 * ln 9.
    rewrite /entropy mean_bool /logp /bernoulli (_ : 1 - 9 / 10 = / 10); last by field.
    by rewrite ln_Rinv ?ln_div; lra.
  rewrite e1 e2; apply: (Rmult_lt_reg_r (ln 2)) => //; rewrite /Rdiv Rmult_assoc Rinv_l; last by lra.
  (* 10^5 < 3^9 2^4 *)
  have l3 : ln 9 = 2 * ln 3 by rewrite (_ : 9 = 3 * 3) ?ln_mult; lra.
  have : ln (10 ^ 5) < ln (3 ^ 9 * 2 ^ 4) by apply: ln_increasing => /=; lra.
  have [p3 p2] : 0 < 3 ^ 9 /\ 0 < 2 ^ 4 by split; apply: pow_lt; lra.
  rewrite (ln_mult _ _ p3 p2) !ln_pow; try lra.
  have [e5 [e9 e4]] : INR 5 = 5 /\ INR 9 = 9 /\ INR 4 = 4 by rewrite /=; lra.
  by rewrite e5 e9 e4; lra.
have l9 : 0 < ln 9 by rewrite -ln_1; apply: ln_increasing; lra.
split.
  split=> //; split=> //; split=> //; rewrite -/z -/d sz sq.
  by split; [rewrite /bernoulli; lra | split; [rewrite /bernoulli; lra | exact: ent]].
split=> h.
  have := h _ _ z d _ _ 0.2 0.28 (ln 9) (ltac:(lra)) (ltac:(lra)) l9 grad true.
  by rewrite sz sq /bernoulli; lra.
have := h _ _ z d _ _ 0.2 0.28 (ln 9) (ltac:(lra)) (ltac:(lra)) l9 grad.
by rewrite /path_entropy sz sq; lra.
Qed.

(** * Ratios that do lie in the box *)

Lemma log_ratio_step (T : finType) (p q : T -> R) : policy p -> policy q ->
  softmax (step (logp p) (fun y => ln (q y) - ln (p y)) 1) = q.
Proof.
move=> hp hq; rewrite -[RHS](softmax_logp hq); congr softmax.
by apply: fun_ext => y; rewrite /step /logp; ring.
Qed.

(** If all ratios q(y)/p(y) of two policies lie between 1 - lo and 1 + hi then so does H(q)/H(p); the change of the
    log-probabilities from p to q, which may be that of a whole inner loop, has a spread of at most
    log((1 + hi)/(1 - lo)), and the remainder bound holds for it with this spread. *)
Theorem ratio_box_clip_if : forall (T : finType) (p q : T -> R) (lo hi : R), policy p -> policy q ->
  0 <= lo < 1 -> 0 <= hi -> (forall y, 1 - lo <= q y / p y <= 1 + hi) ->
  let d y := ln (q y) - ln (p y) in let rho := ln ((1 + hi) / (1 - lo)) in
  (1 - lo) * entropy p <= entropy q <= (1 + hi) * entropy p
  /\ ((1 < #|T|)%N -> 1 - lo <= entropy q / entropy p <= 1 + hi)
  /\ spread d <= rho
  /\ softmax (step (logp p) d 1) = q
  /\ first_order p d - / 2 * (rho ^ 2 * lower_bracket #|T|) <= entropy q - entropy p
       <= first_order p d + / 2 * (rho ^ 2 * upper_bracket #|T|)
  /\ Rabs (entropy q - entropy p - first_order p d) <= / 2 * rho ^ 2 * (0.342 + 0.0963 * ln (INR #|T|)).
Proof.
move=> T p q lo hi hp hq hlo hhi h d rho; have [ppos one] := hp; have [qpos _] := hq.
have n0 := law_card one.
split; first exact: entropy_ratio_box.
split; first by move=> n1; apply: ratio_quotient (entropy_gt0 hp n1) (entropy_ratio_box hp hq h).
have rho0 : 0 <= rho.
  rewrite /rho -ln_1; apply: ln_le; first lra.
  by apply: (Rmult_le_reg_r (1 - lo)); [lra | rewrite /Rdiv Rmult_assoc Rinv_l; lra].
have sp : spread d <= rho.
  apply: spread_le => // x y; rewrite /d /rho ln_div; [|lra|lra].
  have up : ln (q x / p x) <= ln (1 + hi) by apply: ln_le; [apply: Rdiv_lt_0_compat | case: (h x)].
  have low : ln (1 - lo) <= ln (q y / p y) by apply: ln_le; [lra | case: (h y)].
  by move: up low; rewrite !ln_div //; lra.
split=> //; have es := log_ratio_step hp hq; split=> //.
have [_ [_ [_ [_ /(_ 1)[b1 [_ b3]]]]]] := remainder (logp p) d n0.
have ec : entropy_change (logp p) d 1 = entropy q - entropy p.
  by rewrite /entropy_change /path_entropy es softmax_logp.
rewrite ec softmax_logp // in b1 b3.
have sq : spread d ^ 2 <= rho ^ 2 by have := spread_ge0 d; nra.
have [k1 k2] := brackets_pos n0.
have l0 : 0 <= ln (INR #|T|) by have [l _] := lower_level n0.
have c1 := Rmult_le_compat_r _ _ _ (Rlt_le _ _ k1) sq; have c2 := Rmult_le_compat_r _ _ _ (Rlt_le _ _ k2) sq.
have c3 := Rmult_le_compat_r (0.342 + 0.0963 * ln (INR #|T|)) _ _ (ltac:(lra)) sq.
split; first by lra.
by rewrite Rmult_1_l in b3; apply: Rle_trans b3 _; lra.
Qed.
