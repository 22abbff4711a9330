(** Statements one token away from those of SelfCovarianceMax.v, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus SelfCovarianceMax.

Set Implicit Arguments.
Unset Strict Implicit.

(** Growth with the factor 4/28 for 4/27. *)
Theorem control_self_covariance_max_growth : ~ is_lim_seq (fun n => max_self_cov n / ln (INR n)) (4 / 28).
Proof.
move=> h; have [_ lim] := self_covariance_max.
have := is_lim_seq_unique _ _ h; rewrite (is_lim_seq_unique _ _ lim) => -[]; lra.
Qed.

(** "Only by uniform policies": the largest self-covariance is not attained there. *)
Theorem control_self_covariance_max_uniform :
  ~ (forall n (p : 'I_n -> R), (1 < n)%N -> policy p -> self_cov p = max_self_cov n -> uniform p).
Proof.
move=> h; have [/(_ 2%N isT)[_ [[p [hp e]] [shape _]]] _] := self_covariance_max.
have [i [x [hx hi]]] := shape _ p (card_ord 2) hp e.
have u := h _ p isT hp e; have := u i (lift i ord0); rewrite !hi eqxx.
rewrite (_ : lift i ord0 == i = false); last by rewrite eq_sym; apply/negbTE; apply: neq_lift.
move: hx; rewrite (_ : INR 2 = 2); last by rewrite /=; ring.
by move=> hx; lra.
Qed.
