(** What the installed libraries need before finite sums over the real numbers can be written.

    Coq's real numbers [R] come from the standard library, finite types and big operators from MathComp, derivatives
    and limits from Coquelicot. This file says once that [Rplus] and [Rmult] are commutative monoids, gives sums and
    products their notation, and gives [<=], [<] and [=] on [R] a boolean form. It defines nothing of the theory. *)

From Coq Require Export Reals Lia Lra Psatz.
From mathcomp Require Export all_ssreflect.
From Coquelicot Require Export Coquelicot.
From Flocq.Core Require Raux.

Set Implicit Arguments.
Unset Strict Implicit.
#[export] Unset Printing Implicit Defensive.

(** MathComp 1 declares a monoid by [Canonical]; a port to MathComp 2 changes the lines of this kind only. *)
Lemma Rplus_assoc_mc : associative Rplus.
Proof. by move=> x y z; rewrite Rplus_assoc. Qed.
Lemma Rmult_assoc_mc : associative Rmult.
Proof. by move=> x y z; rewrite Rmult_assoc. Qed.
Lemma Rmult_distr_l_mc : left_distributive Rmult Rplus.
Proof. by move=> x y z; rewrite Rmult_plus_distr_r. Qed.
Lemma Rmult_distr_r_mc : right_distributive Rmult Rplus.
Proof. by move=> x y z; rewrite Rmult_plus_distr_l. Qed.

Canonical Rplus_monoid := Monoid.Law Rplus_assoc_mc Rplus_0_l Rplus_0_r.
Canonical Rplus_comoid := Monoid.ComLaw Rplus_comm.
Canonical Rmult_monoid := Monoid.Law Rmult_assoc_mc Rmult_1_l Rmult_1_r.
Canonical Rmult_comoid := Monoid.ComLaw Rmult_comm.
Canonical Rmult_muloid := Monoid.MulLaw Rmult_0_l Rmult_0_r.
Canonical Rplus_addoid := Monoid.AddLaw Rmult_distr_l_mc Rmult_distr_r_mc.

(** [\sum_(y | P y) f y] is the sum of [f y] over the [y] of a finite type that satisfy [P]; [\prod] is the product.
    Without [P] it runs over all of the type, and [\sum_(i < n)] runs over 0, ..., n - 1. The units 0 and 1 are
    spelled out as [IZR Z0] and [IZR 1] because Coq prints the notation only then. *)
Notation "\sum_ ( i <- r | P ) F" := (\big[Rplus/(IZR Z0)]_(i <- r | P%B) F%R) : R_scope.
Notation "\sum_ ( i <- r ) F" := (\big[Rplus/(IZR Z0)]_(i <- r) F%R) : R_scope.
Notation "\sum_ ( m <= i < n ) F" := (\big[Rplus/(IZR Z0)]_(m <= i < n) F%R) : R_scope.
Notation "\sum_ ( i | P ) F" := (\big[Rplus/(IZR Z0)]_(i | P%B) F%R) : R_scope.
Notation "\sum_ i F" := (\big[Rplus/(IZR Z0)]_i F%R) : R_scope.
Notation "\sum_ ( i : t | P ) F" := (\big[Rplus/(IZR Z0)]_(i : t | P%B) F%R) (only parsing) : R_scope.
Notation "\sum_ ( i : t ) F" := (\big[Rplus/(IZR Z0)]_(i : t) F%R) (only parsing) : R_scope.
Notation "\sum_ ( i < n | P ) F" := (\big[Rplus/(IZR Z0)]_(i < n | P%B) F%R) : R_scope.
Notation "\sum_ ( i < n ) F" := (\big[Rplus/(IZR Z0)]_(i < n) F%R) : R_scope.
Notation "\sum_ ( i 'in' A ) F" := (\big[Rplus/(IZR Z0)]_(i in A) F%R) : R_scope.
Notation "\prod_ ( i | P ) F" := (\big[Rmult/(IZR (Zpos xH))]_(i | P%B) F%R) : R_scope.
Notation "\prod_ i F" := (\big[Rmult/(IZR (Zpos xH))]_i F%R) : R_scope.
Notation "\prod_ ( i < n ) F" := (\big[Rmult/(IZR (Zpos xH))]_(i < n) F%R) : R_scope.
Notation "\prod_ ( i <- r ) F" := (\big[Rmult/(IZR (Zpos xH))]_(i <- r) F%R) : R_scope.
Notation "\prod_ ( i <- r | P ) F" := (\big[Rmult/(IZR (Zpos xH))]_(i <- r | P%B) F%R) : R_scope.
Global Open Scope R_scope.

(** The three comparisons of real numbers as booleans, so that they can select the terms of a sum. *)
Definition Rleb (x y : R) : bool := if Rle_dec x y then true else false.
Definition Rltb (x y : R) : bool := if Rlt_dec x y then true else false.
Definition Reqb (x y : R) : bool := if Req_EM_T x y then true else false.

Lemma RlebP x y : reflect (x <= y) (Rleb x y).
Proof. by rewrite /Rleb; case: Rle_dec => h; constructor. Qed.
Lemma RltbP x y : reflect (x < y) (Rltb x y).
Proof. by rewrite /Rltb; case: Rlt_dec => h; constructor. Qed.
Lemma ReqbP x y : reflect (x = y) (Reqb x y).
Proof. by rewrite /Reqb; case: Req_EM_T => h; constructor. Qed.

Lemma Rleb_true x y : x <= y -> Rleb x y = true.
Proof. by move=> h; apply/RlebP. Qed.
Lemma Rleb_false x y : y < x -> Rleb x y = false.
Proof. by move=> h; apply/RlebP; lra. Qed.
Lemma Reqb_false x y : x <> y -> Reqb x y = false.
Proof. by move=> h; apply/ReqbP. Qed.
Lemma Reqb_refl x : Reqb x x = true.
Proof. by apply/ReqbP. Qed.
Lemma Rleb_total : total Rleb.
Proof. by move=> x y; case: (Rle_or_lt x y) => h; apply/orP; [left | right]; apply/RlebP => //; apply: Rlt_le. Qed.
Lemma Rleb_trans : transitive Rleb.
Proof. by move=> y x z /RlebP h /RlebP h'; apply/RlebP; apply: Rle_trans h h'. Qed.

(** Two functions with the same values are equal: the axiom of the classical reals that proofs here rely on. *)
Lemma fun_ext (A B : Type) (f g : A -> B) : (forall a, f a = g a) -> f = g.
Proof. exact: FunctionalExtensionality.functional_extensionality. Qed.

(** Statements about natural numbers move between MathComp's booleans and Coq's propositions. *)
Lemma INR_leq m n : (m <= n)%N -> INR m <= INR n.
Proof. by move/leP; apply: le_INR. Qed.
Lemma INR_ltn m n : (m < n)%N -> INR m < INR n.
Proof. by move/ltP; apply: lt_INR. Qed.
Lemma INR_leq_inv m n : INR m <= INR n -> (m <= n)%N.
Proof. by move=> h; apply/leP; apply: INR_le. Qed.
Lemma INR_ltn_inv m n : INR m < INR n -> (m < n)%N.
Proof. by move=> h; apply/ltP; apply: INR_lt. Qed.
Lemma INR_add m n : INR (m + n)%N = INR m + INR n.
Proof. by rewrite plus_INR. Qed.
Lemma INR_mul m n : INR (m * n)%N = INR m * INR n.
Proof. by rewrite mult_INR. Qed.
Lemma INR_sub m n : (n <= m)%N -> INR (m - n)%N = INR m - INR n.
Proof. by move/leP => h; rewrite minus_INR. Qed.
Lemma INR_pos n : (0 < n)%N -> 0 < INR n.
Proof. by move/INR_ltn. Qed.
Lemma INR_neq0 n : (0 < n)%N -> INR n <> 0.
Proof. by move/INR_pos => h; apply: Rgt_not_eq. Qed.
Lemma INR_succ n : INR n.+1 = INR n + 1.
Proof. exact: S_INR. Qed.

(** [R] as a type with decidable equality, for the lemmas about sequences that ask for one. *)
Definition R_eqMixin := EqMixin ReqbP.
Canonical R_eqType := EqType R R_eqMixin.
