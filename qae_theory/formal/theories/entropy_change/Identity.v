(** The first-order entropy identity (claim identity) and the sign of the self-covariance (claim self-covariance). *)

From QAE Require Import Compat Definitions Sums Calculus.

Set Implicit Arguments.
Unset Strict Implicit.

(** For every number of responses, all logits z and every direction d, the derivative of H(softmax(z + eta d)) in eta
    at 0 is -Cov_p(log p, d), where p is the softmax of z. *)
Theorem identity : forall (T : finType) (z d : T -> R),
  is_derive (fun eta => entropy (softmax (step z d eta))) 0 (- cov (softmax z) (logp (softmax z)) d).
Proof. by move=> T z d; have := derive_path_entropy z d 0; rewrite step0. Qed.

(** The same at every point t of the path. *)
Theorem identity_along_path : forall (T : finType) (z d : T -> R) (t : R),
  is_derive (path_entropy z d) t (first_order (softmax (step z d t)) d).
Proof. by move=> T z d t; apply: derive_path_entropy. Qed.

(** A constant added to d changes nothing: the identity holds for centred and for other directions alike. *)
Theorem identity_shift : forall (T : finType) (p d : T -> R) (c : R), policy p ->
  first_order p (fun y => d y + c) = first_order p d.
Proof. by move=> T p d c [_ one]; rewrite /first_order cov_add_r cov_const_r // Rplus_0_r. Qed.

Theorem self_covariance_pairwise : forall (T : finType) (p : T -> R), policy p ->
  self_cov p = / 2 * (\sum_x \sum_y p x * p y * ((p x - p y) * (ln (p x) - ln (p y)))).
Proof.
move=> T p [_ one]; rewrite /self_cov cov_sym cov_pairwise //.
Qed.

Lemma ln_difference_sign x y : 0 < x -> 0 < y -> 0 <= (x - y) * (ln x - ln y).
Proof.
move=> hx hy; case: (Rle_or_lt x y) => h.
  by have := ln_le _ _ hx h; nra.
by have := ln_increasing _ _ hy h; nra.
Qed.

Lemma ln_difference_zero x y : 0 < x -> 0 < y -> (x - y) * (ln x - ln y) = 0 -> x = y.
Proof. by move=> hx hy /Rmult_integral[h|h]; [lra | apply: ln_inj => //; lra]. Qed.

Theorem self_covariance_nonneg : forall (T : finType) (p : T -> R), policy p -> 0 <= self_cov p.
Proof.
move=> T p hp; rewrite self_covariance_pairwise //; have [pos _] := hp.
apply: Rmult_le_pos; first by lra.
apply: sum_ge0 => x _; apply: sum_ge0 => y _; apply: Rmult_le_pos; last exact: ln_difference_sign.
by apply: Rmult_le_pos; apply: Rlt_le.
Qed.

Theorem self_covariance_zero_iff_uniform : forall (T : finType) (p : T -> R), policy p ->
  self_cov p = 0 <-> uniform p.
Proof.
move=> T p hp; have [pos _] := hp; rewrite self_covariance_pairwise //; split=> [zero x y|u]; last first.
  rewrite sum_zero ?Rmult_0_r // => x _; apply: sum_zero => y _.
  by rewrite (u x y) !Rminus_eq_0 Rmult_0_l Rmult_0_r.
have term a b : 0 <= p a * p b * ((p a - p b) * (ln (p a) - ln (p b))).
  by apply: Rmult_le_pos; [apply: Rmult_le_pos; apply: Rlt_le | apply: ln_difference_sign].
have outer : \sum_a \sum_b p a * p b * ((p a - p b) * (ln (p a) - ln (p b))) = 0 by lra.
have inner := sum_eq0 (fun a _ => sum_ge0 (fun b _ => term a b)) outer (i := x) isT.
have := sum_eq0 (fun b _ => term x b) inner (i := y) isT.
move=> /Rmult_integral[h|h]; last exact: ln_difference_zero h.
by have := Rmult_lt_0_compat _ _ (pos x) (pos y); lra.
Qed.

(** C(p) is half the sum over pairs of p_x p_y (p_x - p_y)(log p_x - log p_y), at least 0, and 0 iff p is uniform. *)
Theorem self_covariance : forall (T : finType) (p : T -> R), policy p ->
  self_cov p = / 2 * (\sum_x \sum_y p x * p y * ((p x - p y) * (ln (p x) - ln (p y))))
  /\ 0 <= self_cov p
  /\ (self_cov p = 0 <-> uniform p).
Proof.
move=> T p hp; split; first exact: self_covariance_pairwise.
by split; [apply: self_covariance_nonneg | apply: self_covariance_zero_iff_uniform].
Qed.
