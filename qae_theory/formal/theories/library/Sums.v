(** Finite sums over the reals, expectation and covariance under a law, and the maximum of finitely many reals.

    These lemmas are about the definitions of Definitions.v up to entropy; derivatives are in Calculus.v and groups of
    independent responses in Groups.v. *)

From QAE Require Import Compat Definitions.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Finite sums *)

Section Sums.
Variables (I : finType) (P : pred I).
Implicit Types F E : I -> R.

Lemma sum_add F E : \sum_(i | P i) (F i + E i) = \sum_(i | P i) F i + \sum_(i | P i) E i.
Proof. exact: big_split. Qed.

Lemma sum_scale c F : \sum_(i | P i) (c * F i) = c * \sum_(i | P i) F i.
Proof. by rewrite big_distrr. Qed.

Lemma sum_scale_r c F : \sum_(i | P i) (F i * c) = (\sum_(i | P i) F i) * c.
Proof. by rewrite big_distrl. Qed.

Lemma sum_div c F : \sum_(i | P i) (F i / c) = (\sum_(i | P i) F i) / c.
Proof. by rewrite /Rdiv big_distrl. Qed.

Lemma sum_opp F : \sum_(i | P i) (- F i) = - \sum_(i | P i) F i.
Proof.
rewrite -[RHS]Rmult_1_l Ropp_mult_distr_r_reverse Ropp_mult_distr_l -sum_scale.
by apply: eq_bigr => i _; rewrite -Ropp_mult_distr_l Rmult_1_l.
Qed.

Lemma sum_sub F E : \sum_(i | P i) (F i - E i) = \sum_(i | P i) F i - \sum_(i | P i) E i.
Proof. by rewrite /Rminus sum_add sum_opp. Qed.

Lemma sum_zero F : (forall i, P i -> F i = 0) -> \sum_(i | P i) F i = 0.
Proof. exact: big1. Qed.

Lemma sum_const c : \sum_(i | P i) c = INR #|P| * c.
Proof.
rewrite big_const; elim: #|P| => [|n IH] /=; first by rewrite Rmult_0_l.
by rewrite IH -/(INR n.+1) S_INR; ring.
Qed.

Lemma sum_ge0 F : (forall i, P i -> 0 <= F i) -> 0 <= \sum_(i | P i) F i.
Proof. by move=> h; apply: big_ind => //; [lra | move=> x y; lra]. Qed.

Lemma sum_le F E : (forall i, P i -> F i <= E i) -> \sum_(i | P i) F i <= \sum_(i | P i) E i.
Proof. by move=> h; apply: (big_ind2 Rle) => //; [lra | move=> a b c d; lra]. Qed.

Lemma sum_split i F : P i -> \sum_(j | P j) F j = F i + \sum_(j | P j && (j != i)) F j.
Proof. exact: bigD1. Qed.

Lemma sum_lt F E i : P i -> F i < E i -> (forall j, P j -> F j <= E j) ->
  \sum_(j | P j) F j < \sum_(j | P j) E j.
Proof.
move=> Pi lti le; rewrite !(bigD1 i Pi) /=; apply: Rplus_lt_le_compat => //.
by apply: (big_ind2 Rle) => //; [lra | move=> a b c d; lra | move=> j /andP[Pj _]; apply: le].
Qed.

Lemma sum_gt0 F i : P i -> 0 < F i -> (forall j, P j -> 0 <= F j) -> 0 < \sum_(j | P j) F j.
Proof.
move=> Pi pos nonneg; have := sum_lt (F := fun _ => 0) Pi pos nonneg.
by rewrite big1.
Qed.

Lemma sum_term_le F i : P i -> (forall j, P j -> 0 <= F j) -> F i <= \sum_(j | P j) F j.
Proof.
move=> Pi nonneg; rewrite (bigD1 i Pi) /= -[X in X <= _]Rplus_0_r; apply: Rplus_le_compat_l.
by apply: big_ind => //; [lra | move=> x y; lra | move=> j /andP[Pj _]; apply: nonneg].
Qed.

(** A sum of terms that are at least 0 vanishes only if every term does. *)
Lemma sum_eq0 F : (forall i, P i -> 0 <= F i) -> \sum_(i | P i) F i = 0 -> forall i, P i -> F i = 0.
Proof. by move=> nonneg zero i Pi; have := sum_term_le Pi nonneg; have := nonneg i Pi; lra. Qed.

Lemma sum_abs F : Rabs (\sum_(i | P i) F i) <= \sum_(i | P i) Rabs (F i).
Proof.
apply: (big_ind2 (fun a b => Rabs a <= b)) => [|a b c d h h'|i _]; first by rewrite Rabs_R0; lra.
  by apply: Rle_trans (Rabs_triang _ _) _; lra.
exact: Rle_refl.
Qed.
End Sums.

Lemma sum_ext (I : finType) (F E : I -> R) : (forall i, F i = E i) -> \sum_i F i = \sum_i E i.
Proof. by move=> h; apply: eq_bigr => i _. Qed.

Lemma sum_const_all (I : finType) c : \sum_(i : I) c = INR #|I| * c.
Proof. exact: (@sum_const I predT). Qed.

Lemma sum_const_ord n c : \sum_(i < n) c = INR n * c.
Proof. by rewrite sum_const_all card_ord. Qed.

(** Sums that select by a boolean: as a filter or as a factor [bit]. *)
Lemma sum_bit (I : finType) (P : pred I) (F : I -> R) : \sum_i (bit (P i) * F i) = \sum_(i | P i) F i.
Proof. by rewrite [RHS]big_mkcond; apply: eq_bigr => i _; rewrite /bit; case: (P i); ring. Qed.

Lemma sum_bit_count (I : finType) (P : pred I) : \sum_i bit (P i) = INR #|[pred i | P i]|.
Proof.
rewrite -[RHS]Rmult_1_r -sum_const [RHS]big_mkcond /=.
by apply: eq_bigr => i _; rewrite /bit.
Qed.

Lemma sum_bit_eq (I : finType) (a : I) (F : I -> R) : \sum_i (bit (i == a) * F i) = F a.
Proof. by rewrite (sum_bit (fun i => i == a)) big_pred1_eq. Qed.

Lemma sum_bit_eq_r (I : finType) (a : I) (F : I -> R) : \sum_i (F i * bit (i == a)) = F a.
Proof. by rewrite -[RHS](sum_bit_eq a F); apply: eq_bigr => i _; ring. Qed.

Lemma sum_by (I : finType) (P : pred I) (F : I -> R) : \sum_i F i = \sum_(i | P i) F i + \sum_(i | ~~ P i) F i.
Proof. exact: (bigID P). Qed.

Lemma sum_bool (F : bool -> R) : \sum_b F b = F true + F false.
Proof. by rewrite (bigD1 true) //= (bigD1 false) //= big1 => [|[]] //; ring. Qed.

Lemma sum_prod (I J : finType) (F : I -> R) (E : J -> R) :
  (\sum_i F i) * (\sum_j E j) = \sum_i \sum_j F i * E j.
Proof. by rewrite big_distrl; apply: eq_bigr => i _; rewrite big_distrr. Qed.

Lemma sum_swap (I J : finType) (F : I -> J -> R) : \sum_i \sum_j F i j = \sum_j \sum_i F i j.
Proof. exact: exchange_big. Qed.

Lemma sum_pairs (I J : finType) (F : I -> J -> R) : \sum_i \sum_j F i j = \sum_(a : I * J) F a.1 a.2.
Proof. exact: pair_bigA. Qed.

Lemma sum_nat (n : nat) (F : nat -> R) : \sum_(j < n.+1) F j = sum_n F n.
Proof.
elim: n => [|n IH]; first by rewrite big_ord_recl big_ord0 sum_O Rplus_0_r.
by rewrite big_ord_recr /= IH sum_Sn.
Qed.

Lemma prod_gt0 (I : finType) (P : pred I) (F : I -> R) : (forall i, P i -> 0 < F i) -> 0 < \prod_(i | P i) F i.
Proof. by move=> h; apply: big_ind => //; [lra | move=> x y; apply: Rmult_lt_0_compat]. Qed.

Lemma prod_ge0 (I : finType) (P : pred I) (F : I -> R) : (forall i, P i -> 0 <= F i) -> 0 <= \prod_(i | P i) F i.
Proof. by move=> h; apply: big_ind => //; [lra | move=> x y; apply: Rmult_le_pos]. Qed.

Lemma prod_const (I : finType) (P : pred I) (c : R) : \prod_(i | P i) c = c ^ #|P|.
Proof. by rewrite big_const; elim: #|P| => //= n ->. Qed.

Lemma ln_prod (I : finType) (P : pred I) (F : I -> R) : (forall i, P i -> 0 < F i) ->
  ln (\prod_(i | P i) F i) = \sum_(i | P i) ln (F i).
Proof.
move=> h; suff: 0 < \prod_(i | P i) F i /\ ln (\prod_(i | P i) F i) = \sum_(i | P i) ln (F i) by case.
apply: (big_ind2 (fun a b => 0 < a /\ ln a = b)) => [|a b c d [pa <-] [pc <-]|i Pi].
- by split; [lra | exact: ln_1].
- by split; [apply: Rmult_lt_0_compat | rewrite ln_mult].
- by split=> //; apply: h.
Qed.

(** * The maximum of finitely many reals, as in the definition of [spread] *)

Lemma bigmax_ge_base (I : finType) (c : R) (F : I -> R) : c <= \big[Rmax/c]_i F i.
Proof. by elim/big_rec: _ => [|i x _ h]; [lra | apply: Rle_trans h (Rmax_r _ _)]. Qed.

Lemma bigmax_ge (I : finType) (c : R) (F : I -> R) i : F i <= \big[Rmax/c]_j F j.
Proof.
have: i \in index_enum I by rewrite mem_index_enum.
elim: (index_enum I) => // j s IH; rewrite inE big_cons => /orP[/eqP<-|/IH h]; first exact: Rmax_l.
by apply: Rle_trans h (Rmax_r _ _).
Qed.

Lemma bigmax_le (I : finType) (c b : R) (F : I -> R) :
  c <= b -> (forall i, F i <= b) -> \big[Rmax/c]_i F i <= b.
Proof. by move=> hc h; elim/big_rec: _ => // i x _ hx; apply: Rmax_lub. Qed.

Lemma bigmax_attained (I : finType) (c : R) (F : I -> R) :
  \big[Rmax/c]_i F i = c \/ exists i, \big[Rmax/c]_j F j = F i.
Proof.
elim/big_rec: _ => [|i x _ [->|[j ->]]]; first by left.
  by rewrite /Rmax; case: Rle_dec => h; [left | right; exists i].
by right; rewrite /Rmax; case: Rle_dec => h; [exists j | exists i].
Qed.

Section Spread.
Variable T : finType.
Implicit Types d : T -> R.

Lemma spread_ge0 d : 0 <= spread d.
Proof. exact: bigmax_ge_base. Qed.

Lemma spread_ge d x y : d x - d y <= spread d.
Proof. exact: (@bigmax_ge _ 0 (fun a : T * T => d a.1 - d a.2) (x, y)). Qed.

Lemma spread_le d b : 0 <= b -> (forall x y, d x - d y <= b) -> spread d <= b.
Proof. by move=> h h'; apply: bigmax_le => // -[x y]; apply: h'. Qed.

Lemma spread_attained d (y0 : T) : exists x y, spread d = d x - d y.
Proof.
rewrite /spread; case: (bigmax_attained 0 (fun a : T * T => d a.1 - d a.2)) => [->|[[x y] ->]].
  by exists y0, y0; ring.
by exists x, y.
Qed.
End Spread.

(** * Expectation and covariance *)

Section Means.
Variable T : finType.
Implicit Types p f h k : T -> R.

Lemma mean_ext p f h : (forall y, f y = h y) -> mean p f = mean p h.
Proof. by move=> e; apply: eq_bigr => y _; rewrite e. Qed.

Lemma cov_ext p f f' h h' : (forall y, f y = f' y) -> (forall y, h y = h' y) -> cov p f h = cov p f' h'.
Proof.
move=> e e'; rewrite /cov (mean_ext p e) (mean_ext p e'); congr (_ - _).
by apply: mean_ext => y; rewrite e e'.
Qed.

Lemma mean_add p f h : mean p (fun y => f y + h y) = mean p f + mean p h.
Proof. by rewrite /mean -sum_add; apply: eq_bigr => y _; ring. Qed.

Lemma mean_sub p f h : mean p (fun y => f y - h y) = mean p f - mean p h.
Proof. by rewrite /mean -sum_sub; apply: eq_bigr => y _; ring. Qed.

Lemma mean_scale p c f : mean p (fun y => c * f y) = c * mean p f.
Proof. by rewrite /mean -sum_scale; apply: eq_bigr => y _; ring. Qed.

Lemma mean_scale_r p c f : mean p (fun y => f y * c) = mean p f * c.
Proof. by rewrite /mean -sum_scale_r; apply: eq_bigr => y _; ring. Qed.

Lemma mean_opp p f : mean p (fun y => - f y) = - mean p f.
Proof. by rewrite /mean -sum_opp; apply: eq_bigr => y _; ring. Qed.

Lemma mean_const p c : \sum_y p y = 1 -> mean p (fun _ => c) = c.
Proof. by move=> one; rewrite /mean sum_scale_r one Rmult_1_l. Qed.

Lemma mean_bit p (P : pred T) : mean p (fun y => bit (P y)) = \sum_(y | P y) p y.
Proof. by rewrite -sum_bit; apply: eq_bigr => y _; ring. Qed.

Lemma mean_ge0 p f : (forall y, 0 <= p y) -> (forall y, 0 <= f y) -> 0 <= mean p f.
Proof. by move=> hp hf; apply: sum_ge0 => y _; apply: Rmult_le_pos. Qed.

Lemma mean_le p f h : (forall y, 0 <= p y) -> (forall y, f y <= h y) -> mean p f <= mean p h.
Proof. by move=> hp le; apply: sum_le => y _; apply: Rmult_le_compat_l. Qed.

Lemma mean_bounds p f a b : law p -> (forall y, a <= f y <= b) -> a <= mean p f <= b.
Proof.
move=> [hp one] h; split.
  by rewrite -{1}(mean_const a one); apply: mean_le => // y; case: (h y).
by rewrite -{1}(mean_const b one); apply: mean_le => // y; case: (h y).
Qed.

Lemma cov_sym p f h : cov p f h = cov p h f.
Proof. by rewrite /cov [mean p f * _]Rmult_comm; congr (_ - _); apply: mean_ext => y; ring. Qed.

Lemma cov_add_r p f h k : cov p f (fun y => h y + k y) = cov p f h + cov p f k.
Proof.
rewrite /cov mean_add (_ : mean p (fun y => f y * (h y + k y)) =
  mean p (fun y => f y * h y) + mean p (fun y => f y * k y)); first by ring.
by rewrite -mean_add; apply: mean_ext => y; ring.
Qed.

Lemma cov_scale_r p f c h : cov p f (fun y => c * h y) = c * cov p f h.
Proof.
rewrite /cov mean_scale (_ : mean p (fun y => f y * (c * h y)) = c * mean p (fun y => f y * h y)); first by ring.
by rewrite -mean_scale; apply: mean_ext => y; ring.
Qed.

Lemma cov_opp_r p f h : cov p f (fun y => - h y) = - cov p f h.
Proof.
have := cov_scale_r p f (-1) h; rewrite (@cov_ext p f f (fun y => - h y) (fun y => -1 * h y)) //; first by move->; ring.
by move=> y; ring.
Qed.

Lemma cov_sub_r p f h k : cov p f (fun y => h y - k y) = cov p f h - cov p f k.
Proof. by rewrite cov_add_r cov_opp_r. Qed.

Lemma cov_const_r p f c : \sum_y p y = 1 -> cov p f (fun _ => c) = 0.
Proof. by move=> one; rewrite /cov mean_scale_r mean_const //; ring. Qed.

Lemma cov_add_l p f h k : cov p (fun y => f y + h y) k = cov p f k + cov p h k.
Proof. by rewrite !(cov_sym p _ k) cov_add_r. Qed.

Lemma cov_scale_l p c f h : cov p (fun y => c * f y) h = c * cov p f h.
Proof. by rewrite !(cov_sym p _ h) cov_scale_r. Qed.

Lemma cov_const_l p c f : \sum_y p y = 1 -> cov p (fun _ => c) f = 0.
Proof. by rewrite cov_sym; apply: cov_const_r. Qed.

Lemma cov_shift_r p f h c : \sum_y p y = 1 -> cov p f (fun y => h y - c) = cov p f h.
Proof. by move=> one; rewrite cov_sub_r cov_const_r //; ring. Qed.

Lemma cov_shift_l p f h c : \sum_y p y = 1 -> cov p (fun y => f y - c) h = cov p f h.
Proof. by move=> one; rewrite !(cov_sym p _ h) cov_shift_r. Qed.

(** Covariance with one factor centred, and with both. *)
Lemma cov_centred p f h : \sum_y p y = 1 -> cov p f h = mean p (fun y => f y * (h y - mean p h)).
Proof.
move=> one; rewrite /cov -mean_scale_r -mean_sub; apply: mean_ext => y; ring.
Qed.

Lemma cov_centred2 p f h : \sum_y p y = 1 -> cov p f h = mean p (fun y => (f y - mean p f) * (h y - mean p h)).
Proof.
move=> one; rewrite -(@cov_shift_l p f h (mean p f) one) cov_centred //.
Qed.

Lemma var_centred p f : \sum_y p y = 1 -> var p f = mean p (fun y => (f y - mean p f) ^ 2).
Proof. by move=> one; rewrite /var cov_centred2 //; apply: mean_ext => y; ring. Qed.

Lemma var_ge0 p f : law p -> 0 <= var p f.
Proof. by move=> [hp one]; rewrite var_centred //; apply: mean_ge0 => // y; apply: pow2_ge_0. Qed.

(** The pairwise form of a covariance. *)
Lemma cov_pairwise p f h : \sum_y p y = 1 ->
  cov p f h = / 2 * \sum_x \sum_y p x * p y * ((f x - f y) * (h x - h y)).
Proof.
move=> one.
have -> : \sum_x \sum_y p x * p y * ((f x - f y) * (h x - h y)) =
    \sum_x (p x * (f x * h x) + p x * - f x * mean p h + p x * - h x * mean p f + p x * mean p (fun y => f y * h y)).
  apply: eq_bigr => x _.
  rewrite (_ : \sum_y _ = \sum_y (p x * (f x * h x) * p y + p x * - f x * (p y * h y)
      + p x * - h x * (p y * f y) + p x * (p y * (f y * h y)))); last by apply: eq_bigr => y _; ring.
  by rewrite !sum_add !sum_scale one /mean; ring.
rewrite !sum_add !sum_scale_r one /cov.
have mopp k : \sum_x p x * - k x = - mean p k by rewrite -mean_opp.
rewrite !mopp /mean; field.
Qed.

(** The inequality of Cauchy and Schwarz for means and for covariances. *)
Lemma mean_cauchy_schwarz p f h : (forall y, 0 <= p y) ->
  mean p (fun y => f y * h y) ^ 2 <= mean p (fun y => f y ^ 2) * mean p (fun y => h y ^ 2).
Proof.
move=> hp; set a := mean p (fun y => f y ^ 2); set b := mean p _; set c := mean p (fun y => h y ^ 2).
have quad t : 0 <= a + 2 * t * b + t ^ 2 * c.
  have -> : a + 2 * t * b + t ^ 2 * c = mean p (fun y => (f y + t * h y) ^ 2).
    rewrite /a /b /c -!mean_scale -!mean_add; apply: mean_ext => y; ring.
  by apply: mean_ge0 => // y; apply: pow2_ge_0.
have c0 : 0 <= c by apply: mean_ge0 => // y; apply: pow2_ge_0.
have a0 : 0 <= a by apply: mean_ge0 => // y; apply: pow2_ge_0.
case: (Req_dec c 0) => hc.
  suff -> : b = 0 by nra.
  case: (Req_dec b 0) => // hb; exfalso; have := quad (- (a + 1) / (2 * b)).
  rewrite hc; have -> : a + 2 * (- (a + 1) / (2 * b)) * b + (- (a + 1) / (2 * b)) ^ 2 * 0 = -1 by field.
  lra.
have cpos : 0 < c by lra.
have := quad (- b / c); have -> : a + 2 * (- b / c) * b + (- b / c) ^ 2 * c = (a * c - b ^ 2) / c by field; lra.
move=> h1; have := Rmult_le_compat_r c _ _ c0 h1.
by rewrite Rmult_0_l (_ : (a * c - b ^ 2) / c * c = a * c - b ^ 2); [lra | field; lra].
Qed.

Lemma cov_cauchy_schwarz p f h : law p -> cov p f h ^ 2 <= var p f * var p h.
Proof.
move=> [hp one]; rewrite cov_centred2 // !var_centred //.
exact: (@mean_cauchy_schwarz p (fun y => f y - mean p f) (fun y => h y - mean p h) hp).
Qed.

Lemma policy_law p : policy p -> law p.
Proof. by move=> [pos one]; split=> // y; apply: Rlt_le. Qed.

Lemma law_le1 p y : law p -> p y <= 1.
Proof. by move=> [hp <-]; apply: (@sum_term_le T predT). Qed.

Lemma law_inhabited p : \sum_y p y = 1 -> exists y : T, True.
Proof.
move=> one; case: (pickP (@predT T)) => [y _|none]; first by exists y.
by move: one; rewrite big_pred0 //; lra.
Qed.

Lemma law_card p : \sum_y p y = 1 -> (0 < #|T|)%N.
Proof. by move/law_inhabited => [y _]; apply/card_gt0P; exists y. Qed.
End Means.

(** * Logarithms and entropy *)

Lemma ln_le_sub1 x : 0 < x -> ln x <= x - 1.
Proof. by move=> h; have := exp_ineq1_le (ln x); rewrite exp_ln //; lra. Qed.

Lemma ln_lt_sub1 x : 0 < x -> x <> 1 -> ln x < x - 1.
Proof.
move=> h h1; have ne : ln x <> 0.
  by move=> e; apply: h1; rewrite -(exp_ln x h) e exp_0.
by have := exp_ineq1 (ln x) ne; rewrite exp_ln //; lra.
Qed.

Lemma ln_div x y : 0 < x -> 0 < y -> ln (x / y) = ln x - ln y.
Proof. by move=> hx hy; rewrite ln_mult //; [rewrite ln_Rinv //; lra | apply: Rinv_0_lt_compat]. Qed.

Lemma ln_inj x y : 0 < x -> 0 < y -> ln x = ln y -> x = y.
Proof. exact: ln_inv. Qed.

Section Entropy.
Variable T : finType.
Implicit Types p q : T -> R.

(** Gibbs' inequality, with its case of equality. *)
Lemma kl_ge0 q p : policy q -> policy p -> 0 <= kl q p.
Proof.
move=> [qpos qone] [ppos pone]; rewrite /kl /mean.
suff h : \sum_y q y * (ln (p y) - ln (q y)) <= 0.
  have -> : \sum_y q y * (ln (q y) - ln (p y)) = - \sum_y q y * (ln (p y) - ln (q y)).
    by rewrite -sum_opp; apply: eq_bigr => y _; ring.
  lra.
apply: (Rle_trans _ (\sum_y (p y - q y))); last by rewrite sum_sub pone qone; lra.
apply: sum_le => y _; rewrite -ln_div //.
have hpos : 0 < p y / q y by apply: Rdiv_lt_0_compat.
apply: (Rle_trans _ (q y * (p y / q y - 1))); last by right; field; apply: Rgt_not_eq.
by apply: Rmult_le_compat_l; [apply: Rlt_le | apply: ln_le_sub1].
Qed.

Lemma kl_eq0 q p : policy q -> policy p -> kl q p = 0 -> forall y, q y = p y.
Proof.
move=> [qpos qone] [ppos pone] zero y.
have nonneg x : predT x -> 0 <= q x * (ln (q x) - ln (p x)) + (p x - q x).
  move=> _; have hpos : 0 < p x / q x by apply: Rdiv_lt_0_compat.
  have := Rmult_le_compat_l (q x) _ _ (Rlt_le _ _ (qpos x)) (ln_le_sub1 hpos).
  rewrite ln_div // (_ : q x * (p x / q x - 1) = p x - q x); [nra | field; apply: Rgt_not_eq; exact: qpos].
have total : \sum_x (q x * (ln (q x) - ln (p x)) + (p x - q x)) = 0.
  by rewrite sum_add sum_sub pone qone -/(mean q _) -/(kl q p) zero; ring.
have := sum_eq0 nonneg total (i := y) isT => term0.
have hpos : 0 < p y / q y by apply: Rdiv_lt_0_compat.
case: (Req_dec (p y / q y) 1) => [e|ne].
  by rewrite -[RHS](_ : p y / q y * q y = p y); [rewrite e; ring | field; apply: Rgt_not_eq; exact: qpos].
exfalso; have := Rmult_lt_compat_l (q y) _ _ (qpos y) (ln_lt_sub1 hpos ne).
rewrite ln_div // (_ : q y * (p y / q y - 1) = p y - q y); [nra | field; apply: Rgt_not_eq; exact: qpos].
Qed.

Lemma entropy_ge0 p : policy p -> 0 <= entropy p.
Proof.
move=> hp; rewrite /entropy /mean -sum_opp; apply: sum_ge0 => y _.
have [pos _] := hp; have le1 := law_le1 y (policy_law hp).
have : ln (p y) <= ln 1 by apply: ln_le.
rewrite ln_1 /logp => h; have := pos y; nra.
Qed.

Lemma uniform_value p : \sum_y p y = 1 -> uniform p -> forall y, p y = / INR #|T|.
Proof.
move=> one u y; have cpos := INR_pos (law_card one).
have : INR #|T| * p y = 1.
  by rewrite -one -(@sum_const T predT (p y)); apply: eq_bigr => x _; apply: u.
by move=> h; apply: (Rmult_eq_reg_l (INR #|T|)); [rewrite h Rinv_r //; lra | lra].
Qed.

Lemma uniform_policy : (0 < #|T|)%N -> policy (fun _ : T => / INR #|T|).
Proof.
move=> h; have cpos := INR_pos h; split=> [y|]; first exact: Rinv_0_lt_compat.
by rewrite (@sum_const T predT) Rinv_r //; apply: Rgt_not_eq.
Qed.

Lemma entropy_le_ln p : policy p -> entropy p <= ln (INR #|T|).
Proof.
move=> hp; have [_ one] := hp; have c0 := law_card one; have := kl_ge0 hp (uniform_policy c0).
rewrite /kl mean_sub mean_const // ln_Rinv; last exact: INR_pos.
by rewrite /entropy /logp; lra.
Qed.
End Entropy.
