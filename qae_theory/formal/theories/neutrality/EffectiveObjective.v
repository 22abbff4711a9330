(** Claim effective-objective: as groups grow, QAE and GRPO ascend the sum over the queries of 2 arcsin sqrt(p).

    The limit 1/sqrt(p (1 - p)) of both gains is the derivative of 2 arcsin sqrt(p) in p. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables.
From QAE Require Import NeutralityGains Neutrality NeutralityLimit.

Set Implicit Arguments.
Unset Strict Implicit.

Lemma derive_asin x : -1 < x < 1 -> is_derive asin x (/ sqrt (1 - x * x)).
Proof.
move=> h; apply/is_derive_Reals; have -> : / sqrt (1 - x * x) = derive_pt asin x (derivable_pt_asin x h).
  by rewrite derive_pt_asin /Rsqr /Rdiv Rmult_1_l.
exact: (proj2_sig (derivable_pt_asin x h)).
Qed.

Theorem effective_objective_derivative : forall (p : R), 0 < p < 1 ->
  is_derive (fun x => 2 * asin (sqrt x)) p (/ sqrt (p * (1 - p))).
Proof.
move=> p hp; have r0 : 0 < sqrt p by apply: sqrt_lt_R0; lra.
have rr : sqrt p * sqrt p = p by apply: sqrt_sqrt; lra.
have r1 : sqrt p < 1 by nra.
have q0 : 0 < sqrt (1 - p) by apply: sqrt_lt_R0; lra.
apply: derive_eq.
  apply: derive_scale; apply: (is_derive_comp asin sqrt); first by apply: derive_asin; lra.
  by apply: is_derive_sqrt; [apply: derive_id | lra].
rewrite /scal /= /mult /= rr sqrt_mult; [|lra|lra].
by field; lra.
Qed.

Lemma limit_sum (I : finType) (F : nat -> I -> R) (l : I -> R) :
  (forall i, is_lim_seq (fun n => F n i) (l i)) -> is_lim_seq (fun n => \sum_i F n i) (\sum_i l i).
Proof.
move=> h; elim: (index_enum I) => [|i s IH].
  by rewrite big_nil; apply: (is_lim_seq_ext (fun _ => 0)) (is_lim_seq_const 0) => n; rewrite big_nil.
rewrite big_cons; apply: (is_lim_seq_ext (fun n => F n i + \big[Rplus/0]_(j <- s) F n j)) => [n|].
  by rewrite big_cons.
by apply: is_lim_seq_plus' => //; apply: h.
Qed.

(** Finitely many queries q with weights omega, each with its own responses and a differentiable path of policies. The
    expected update of the batch along the path, for groups of n + 1 responses, tends under QAE and under GRPO to the
    derivative of the sum of omega q * 2 arcsin sqrt(p_q), p_q the success probability of query q. *)
Theorem effective_objective : forall (Q : finType) (T : Q -> finType) (omega : Q -> R) (P : forall q, R -> T q -> R)
    (t : R) (r : forall q, T q -> R) (K : R),
  0 < K < 1 -> (forall q u, policy (P q u)) -> (forall q y, ex_derive (fun u => P q u y) t) ->
  (forall q, binary (r q)) -> (forall q, 0 < mean (P q t) (r q) < 1) ->
  let update (A : forall G, estimator G) (n : nat) := \sum_q omega q *
    expected_update (P q t) (r q) (A n.+1) (fun y => Derive (fun u => ln (P q u y)) t) in
  let objective (u : R) := \sum_q omega q * (2 * asin (sqrt (mean (P q u) (r q)))) in
  ex_derive objective t
  /\ is_lim_seq (update (fun G => @qae G Population 0 K)) (Derive objective t)
  /\ is_lim_seq (update (fun G => @grpo G Population 0)) (Derive objective t).
Proof.
move=> Q T omega P t r K hK pol smooth bin hV update objective.
pose w q := / sqrt (mean (P q t) (r q) * (1 - mean (P q t) (r q))).
pose slope q := Derive (fun u => mean (P q u) (r q)) t.
have smooth_mean q : ex_derive (fun u => mean (P q u) (r q)) t.
  exists (\sum_y (Derive (fun u => P q u y) t * r q y + P q t y * 0)).
  apply: derive_sum => y _; apply: derive_mul; last exact: derive_const.
  exact: (Derive_correct _ _ (smooth q y)).
have d : is_derive objective t (\sum_q omega q * (w q * slope q)).
  apply: derive_sum => q _; apply: derive_scale; apply: derive_eq.
    apply: (is_derive_comp (fun x => 2 * asin (sqrt x)) (fun u => mean (P q u) (r q))).
      exact: effective_objective_derivative.
    exact: (Derive_correct _ _ (smooth_mean q)).
  by rewrite /scal /= /mult /= Rmult_comm.
split; first by exists (\sum_q omega q * (w q * slope q)).
rewrite (is_derive_unique _ _ _ d).
have lim (A : forall G, estimator G) : (forall G, equivariant (A G)) ->
    (forall q, is_lim_seq (fun n => gain (mean (P q t) (r q)) (A n.+1) ord0) (w q)) ->
    is_lim_seq (update A) (\sum_q omega q * (w q * slope q)).
  move=> eqv h; apply: limit_sum => q.
  apply: (is_lim_seq_ext (fun n => omega q * (gain (mean (P q t) (r q)) (A n.+1) ord0 * slope q))) => [n|].
    by rewrite (neutrality_update ord0 (pol q) (smooth q) (bin q) (hV q) (eqv n.+1)).
  apply: (is_lim_seq_scal_l _ (omega q) (w q * slope q)).
  exact: (is_lim_seq_scal_r _ (slope q) (w q)).
split; apply: lim => [G|q]; first exact: qae_equivariant.
- by have [l _] := neutrality_limit_pointwise (hV q) hK.
- exact: grpo_equivariant.
by have [_ l] := neutrality_limit_pointwise (hV q) hK.
Qed.
