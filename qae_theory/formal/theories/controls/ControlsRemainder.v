(** Statements one token away from those of Remainder.v and SafeStep.v, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus Remainder Prop42.

Set Implicit Arguments.
Unset Strict Implicit.

(** The covariance bound with c = 1/(7 sqrt 3) (7 for 6). *)
Theorem control_remainder_covariance :
  ~ (forall (T : finType) (p x d : T -> R), law p -> (forall y, 0 <= x y <= 1) -> (forall y, 0 <= d y <= 1) ->
       Rabs (cov p x (fun y => (d y - mean p d) ^ 2)) <= / (7 * sqrt 3)).
Proof.
move=> h; have [_ [hp e]] := remainder_covariance.
have bits (y : bool) : 0 <= bit y <= 1 by rewrite /bit; case: y; lra.
have := h _ _ bit bit (policy_law hp) bits bits; rewrite e => le; have s3 := sqrt3_pos.
have := Rinv_lt_contravar (6 * sqrt 3) (7 * sqrt 3) (ltac:(nra)) (ltac:(lra)); lra.
Qed.

(** The second derivative with + Var for - Var. *)
Theorem control_remainder_curvature :
  ~ (forall (T : finType) (z d : T -> R), let p := softmax z in
       curvature z d = var p d - mean p (fun y => (logp p y - mean p (logp p)) * (d y - mean p d) ^ 2)).
Proof.
move=> h; have := h _ (fun _ : bool => 0) bit; cbv zeta; rewrite curvature_closed.
suff : 0 < var (softmax (fun _ : bool => 0)) bit by lra.
have sm : softmax (fun _ : bool => 0) = bernoulli (1 / 2).
  by apply: fun_ext => y; rewrite /softmax sum_bool exp_0 /bernoulli; case: y; lra.
by rewrite sm /var /cov /mean !sum_bool /bernoulli /bit; lra.
Qed.

(** The second route's step with 3/b2 for 2/b2: two wrong responses, (2/3, 1/3). *)
Theorem control_safe_step :
  ~ (forall (T : finType) (z r : T -> R) (b1 b2 eta : R), (0 < #|T|)%N -> binary r ->
       0 <= b1 < b2 -> b2 <= 1 -> 0 <= eta -> let p := softmax z in let d b := uncentred p r b in
       eta <= 3 / b2
       /\ (forall i j, r i = 0 -> r j = 1 -> p j < p i -> eta <= ln (p i / p j) / (b2 * p i + (1 - b2) * p j)) ->
       entropy_change z (d b1) eta <= entropy_change z (d b2) eta).
Proof.
move=> h; pose z := logp (bernoulli (2 / 3)); have sm : softmax z = bernoulli (2 / 3) by apply: softmax_bernoulli; lra.
have l1 : ln 2 < 1 by have := @ln_lt_sub1 2; lra.
have l0 : 0 < ln 2 by rewrite -ln_1; apply: ln_increasing; lra.
have n0 : (0 < #|bool_finType|)%N by rewrite card_bool.
have := h _ z (fun _ => 0) (ln 2) 1 3 n0 (fun _ => or_introl erefl); cbv zeta.
move=> /(_ ltac:(lra) ltac:(lra) ltac:(lra)) le.
have {le} : entropy_change z (uncentred (softmax z) (fun _ => 0) (ln 2)) 3
    <= entropy_change z (uncentred (softmax z) (fun _ => 0) 1) 3 by apply: le; split=> [|i j _]; lra.
rewrite /entropy_change /path_entropy !entropy_gap sm /step /uncentred /z /logp /bernoulli.
have -> : ln (2 / 3) + 3 * (2 / 3 * (0 - ln 2)) - (ln (1 - 2 / 3) + 3 * ((1 - 2 / 3) * (0 - ln 2))) = 0.
  by rewrite (_ : 1 - 2 / 3 = / 3) ?ln_Rinv ?ln_div; lra.
have -> : ln (2 / 3) + 3 * (2 / 3 * (0 - 1)) - (ln (1 - 2 / 3) + 3 * ((1 - 2 / 3) * (0 - 1))) = ln 2 - 1.
  by rewrite (_ : 1 - 2 / 3 = / 3) ?ln_Rinv ?ln_div; lra.
have : gap_entropy (ln 2 - 1) < gap_entropy 0 by apply/gap_entropy_lt; nra.
lra.
Qed.
