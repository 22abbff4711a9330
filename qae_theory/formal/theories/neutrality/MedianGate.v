(** MC-GRPO on binary rewards and groups of odd size is QAE's gate at K = 1/2 with a constant scale (claim mc-grpo). *)

From QAE Require Import Compat Definitions Sums Rewards Gate GateReleased.

Set Implicit Arguments.
Unset Strict Implicit.

(** In a group of odd size the median is the quantile of Eq. 3, for arbitrary rewards. *)
Lemma median_odd G (x : 'I_G -> R) : odd G -> median x = quantile (1 / 2) x.
Proof.
move=> o; have G0 : (0 < G)%N by case: G x o.
apply: (@linear_quantile_integer _ _ _ G./2) => //; first by lra.
rewrite -{1}(odd_double_half G) o add1n /= -addnn INR_add; field.
Qed.

(** The reward of a response, subtracted from the median, is 0 for the majority: the median absolute deviation is that
    of a hard group. *)
Lemma mad_odd G (x : 'I_G -> R) : odd G -> binary x -> mad x = 0.
Proof.
move=> o bin; have G0 : (0 < G)%N by case: G x o bin.
have half : 0 < 1 / 2 <= 1 by lra.
rewrite /mad !median_odd //.
have b : quantile (1 / 2) x = 0 \/ quantile (1 / 2) x = 1 by rewrite (quantile_binary bin) //; case: hard; auto.
have dev : binary (fun i => Rabs (x i - quantile (1 / 2) x)).
  move=> i; case: (bin i) => ->; case: b => ->; [left | right | right | left];
    by rewrite /Rabs; case: Rcase_abs; lra.
rewrite (quantile_binary dev) //; case: b => e.
  have -> : (fun i => Rabs (x i - quantile (1 / 2) x)) = x.
    by apply: fun_ext => i; rewrite e; case: (bin i) => ->; rewrite /Rabs; case: Rcase_abs; lra.
  by move: e; rewrite (quantile_binary bin) //; case: hard => //; lra.
rewrite e in dev *; have -> : hard (1 / 2) (fun i => Rabs (x i - 1)) = true; last by [].
have hd : ~~ hard (1 / 2) x by move: e; rewrite (quantile_binary bin) //; case: hard => //; lra.
apply/RlebP; have e' : success_rate (fun i => Rabs (x i - 1)) = 1 - success_rate x.
  rewrite -(group_mean_binary bin) -(group_mean_binary dev).
  rewrite /group_mean (eq_bigr (fun i => 1 - x i)) => [|i _]; last first.
    by case: (bin i) => ->; rewrite /Rabs; case: Rcase_abs; lra.
  by rewrite sum_sub sum_const_ord; field; apply: INR_neq0.
by rewrite e'; move/RlebP: hd; lra.
Qed.

(** On binary rewards and a group of odd size the median absolute deviation is always 0 and the median is the quantile
    of Eq. 3 at K = 1/2, so that MC-GRPO divides the numerator of QAE's gate at K = 1/2 by the constant eps. In a mixed
    group its advantages are those of QAE times the group's scale over eps; in a degenerate group both are 0. *)
Theorem mc_grpo : forall (G : nat) (x : 'I_G -> R), odd G -> binary x ->
  mad x = 0 /\ median x = gate (1 / 2) (success_rate x)
  /\ (forall (eps : R) i, Definitions.mc_grpo eps x i = (x i - gate (1 / 2) (success_rate x)) / eps)
  /\ (forall (k : divisor) (e eps : R) i, 0 <= e -> 0 < eps -> ~~ degenerate x ->
        Definitions.mc_grpo eps x i = (std k x + e) / eps * qae k e (1 / 2) x i)
  /\ (forall (k : divisor) (e eps : R) i, degenerate x ->
        Definitions.mc_grpo eps x i = 0 /\ qae k e (1 / 2) x i = 0).
Proof.
move=> G x o bin; have G0 : (0 < G)%N by case: G x o bin.
have half : 0 < 1 / 2 <= 1 by lra.
have m := mad_odd o bin; have q := median_odd x o; have [_ g] := eq4_threshold G0 half bin.
have mc eps i : Definitions.mc_grpo eps x i = (x i - gate (1 / 2) (success_rate x)) / eps.
  by rewrite /Definitions.mc_grpo m q g Rplus_0_l.
split=> //; split; first by rewrite q.
split=> //; split=> [k e eps i e0 pos mixed|k e eps i deg].
  rewrite mc /qae /standardised over_std_mixed // g.
  by have s := scale_gt0 k e0 mixed; field; lra.
have e0 : 0 <= 0 by lra.
split; last by rewrite /qae /standardised over_std_degenerate.
rewrite mc; suff -> : x i = gate (1 / 2) (success_rate x) by rewrite /Rdiv; ring.
rewrite -g; case H: (hard (1 / 2) x).
  have [_ [_ z]] := gate_hard Population G0 half e0 bin H.
  by rewrite (quantile_binary bin) // H; case: (z deg i).
have [_ [_ z]] := gate_easy Population G0 half e0 bin (negbT H).
by rewrite (quantile_binary bin) // H; case: (z deg i).
Qed.
