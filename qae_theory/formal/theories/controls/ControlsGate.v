(** Statements one token away from those of Gate.v, GateReleased.v, GateNonbinary.v, QueryGate.v and MedianGate.v,
    refuted. *)

From QAE Require Import Compat Definitions Sums Rewards Groups Tables ListedGroups Gate GateReleased GateNonbinary.
From QAE Require Import QueryGate MedianGate.

Set Implicit Arguments.
Unset Strict Implicit.

Lemma half_level : 0 < 1 / 2 <= 1.
Proof. by lra. Qed.

Lemma half_inside : 0 < 1 / 2 < 1.
Proof. by lra. Qed.

Lemma half_of_two : num_correct (fun i : 'I_2 => bit (i < 1)%N) = 1%N.
Proof. exact: num_correct_first. Qed.

Lemma rate_half_of_two : success_rate (fun i : 'I_2 => bit (i < 1)%N) = 1 / 2.
Proof. by rewrite /success_rate half_of_two /=; field. Qed.

(** Eq. 4 with < for <=: at a tie the group is hard. *)
Theorem control_eq4_threshold_strict :
  ~ (forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K <= 1 -> binary x ->
       quantile K x = if Rltb (success_rate x) (1 - K) then 0 else 1).
Proof.
move=> h; have := h 2%N _ (1 / 2) isT ltac:(lra) (@binary_first 2 1).
have [_ ->] := eq4_threshold (G := 2) isT half_level (@binary_first 2 1).
by rewrite rate_half_of_two /gate Rleb_true ?Rltb_false; lra.
Qed.

(** The rank floor(K G) for ceil(K G). *)
Theorem control_eq4_left_inverse_floor :
  ~ (forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K <= 1 ->
       quantile K x = order_stat (floor (K * INR G)) x).
Proof.
move=> h; have := h 3%N (fun i => bit (i < 2)%N) (1 / 2) isT ltac:(lra).
have bin := @binary_first 3 2; have m : num_correct (fun i : 'I_3 => bit (i < 2)%N) = 2%N by apply: num_correct_first.
have -> : floor (1 / 2 * INR 3) = 1%N by apply: floor_unique; rewrite /=; lra.
rewrite (quantile_binary bin isT half_level) (@hard_integers 3 _ _ isT half_level) m.
have -> : ceil (1 / 2 * INR 3) = 2%N by apply: ceil_unique; rewrite /=; lra.
by rewrite (order_stat_binary bin (j := 1) isT) m /=; lra.
Qed.

(** "In a hard group the wrong responses are pushed down." *)
Theorem control_gate_hard_wrong :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) i, (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x ->
       hard K x -> x i = 0 -> qae k eps K x i < 0).
Proof.
move=> h; have hd : hard (1 / 2) (fun i : 'I_2 => bit (i < 1)%N) by apply/RlebP; rewrite rate_half_of_two; lra.
have := h 2%N _ Population 0 (1 / 2) (lift ord0 ord0) isT ltac:(lra) ltac:(lra) (@binary_first 2 1) hd erefl.
have [_ [z _]] := gate_hard (G := 2) Population isT half_level (Rle_refl 0) (@binary_first 2 1) hd.
by rewrite z //; lra.
Qed.

(** The condition that G K is an integer, for (G - 1) K. *)
Theorem control_eq4_released_code_if_size :
  ~ (forall (G : nat) (K : R), (0 < G)%N -> 0 < K < 1 -> (exists n : nat, INR G * K = INR n) ->
       forall x : 'I_G -> R, binary x -> linear_quantile K x = quantile K x).
Proof.
move=> h; have n : exists n : nat, INR 2 * (1 / 2) = INR n by exists 1%N; rewrite /=; field.
have := h 2%N (1 / 2) isT ltac:(lra) n _ (@binary_first 2 1).
have [_ [two _]] := eq4_released_code; have [-> [-> _]] := two _ (1 / 2) half_inside (@binary_first 2 1) half_of_two.
by rewrite /gate Rleb_true; lra.
Qed.

(** The exception at m = G - floor((G - 1) K), for G - 1 - floor((G - 1) K). *)
Theorem control_eq4_released_code_if_place :
  ~ (forall (G : nat) (K : R) (x : 'I_G -> R), (0 < G)%N -> 0 < K < 1 -> ~ (exists n : nat, INR G.-1 * K = INR n) ->
       binary x -> num_correct x = (G - floor (INR G.-1 * K))%N -> 0 < linear_quantile K x < 1).
Proof.
move=> h; have frac : ~ exists n : nat, INR 2.-1 * (1 / 2) = INR n.
  move=> [n]; rewrite /= Rmult_1_l => e; have n1 : (n < 1)%N by apply: INR_ltn_inv; rewrite -e /=; lra.
  by move: n1 e; case: n => //= _; lra.
have fl : floor (INR 2.-1 * (1 / 2)) = 0%N by apply: floor_unique; rewrite /=; lra.
have m : num_correct (fun i : 'I_2 => bit (i < 2)%N) = 2%N by apply: num_correct_first.
have := h 2%N (1 / 2) (fun i => bit (i < 2)%N) isT ltac:(lra) frac (@binary_first 2 2).
rewrite fl subn0 => /(_ m); rewrite (linear_quantile_binary (G := 2) isT half_inside (@binary_first 2 2)).
by rewrite m /table_linear fl /=; lra.
Qed.

(** Penalties down to -2, for -1: a correct response of a hard group need not be pushed up. *)
Theorem control_gate_nonbinary_penalty :
  ~ (forall (G : nat) (c : 'I_G -> bool) (penalty : 'I_G -> R) (k : divisor) (eps K : R),
       (0 < G)%N -> 0 < K < 1 -> 0 <= eps -> (forall i, -2 <= penalty i <= 0) ->
       let x i := (if c i then 1 else -1) + penalty i in
       hard K (fun i => bit (c i)) -> forall i, c i -> 0 < qae k eps K x i).
Proof.
move=> h; pose c (i : 'I_2) := (i < 1)%N; pose penalty (i : 'I_2) := if c i then -2 else 0.
have pen i : -2 <= penalty i <= 0 by rewrite /penalty; case: (c i); lra.
have hd : hard (1 / 2) (fun i : 'I_2 => bit (c i)) by apply/RlebP; rewrite rate_half_of_two; lra.
have := h 2%N c penalty Population 0 (1 / 2) isT ltac:(lra) (Rle_refl 0) pen hd ord0 isT.
rewrite /qae /standardised over_std_degenerate; first by lra.
by apply/degenerateP => i j; rewrite /penalty; case: (c i); case: (c j); ring.
Qed.

(** The tail from 1 - K on, for beyond 1 - K. *)
Theorem control_gate_query_group_tail :
  ~ (forall (T : finType) (p r : T -> R) (G : nat) (K : R), policy p -> binary r ->
       expect p (fun g : {ffun 'I_G -> T} => bit (~~ hard K (rewards r g)))
       = \sum_(m < G.+1 | Rleb (1 - K) (INR m / INR G)) binomial_law G (mean p r) m).
Proof.
move=> h; have bin : binary bit by apply: (bit_binary id).
have [_ [exact_tail _]] := gate_query_group.
have := h _ (fun _ : bool => 1 / 2) bit 1%N 1 coin_policy bin.
have [-> _] := exact_tail _ (fun _ : bool => 1 / 2) bit 1%N 1 coin_policy bin.
rewrite coin_success [X in _ = X]big_mkcond [X in X = _]big_mkcond !big_ord_recl !big_ord0 /=.
rewrite Rltb_false ?Rltb_true ?Rleb_true ?Rleb_true /binomial_law /=; lra.
Qed.

(** The rate exp(-4 G d^2), for exp(-2 G d^2). *)
Theorem control_gate_query_group_if_rate :
  ~ (forall (T : finType) (p r : T -> R) (K : R) (G : nat), policy p -> binary r -> (0 < G)%N ->
       expect p (fun g : {ffun 'I_G -> T} => bit (hard K (rewards r g) != Rleb (mean p r) (1 - K)))
       <= exp (-4 * INR G * (mean p r - (1 - K)) ^ 2)).
Proof.
move=> h; have bin : binary bit by apply: (bit_binary id).
have := h _ (fun _ : bool => 1 / 2) bit (1 / 100) 1%N coin_policy bin isT.
have [_ [exact_tail _]] := gate_query_group.
rewrite coin_success (_ : Rleb (1 / 2) (1 - 1 / 100) = true); last by apply: Rleb_true; lra.
have [e _] := exact_tail _ (fun _ : bool => 1 / 2) bit 1%N (1 / 100) coin_policy bin.
rewrite (expect_ext (E := fun g : {ffun 'I_1 -> bool} => bit (~~ hard (1 / 100) (rewards bit g)))) => [|g]; last first.
  by case: hard.
rewrite e coin_success big_mkcond !big_ord_recl !big_ord0 /=.
rewrite Rltb_false ?Rltb_true /binomial_law /=; try lra.
set a := exp _; have low : 1.48 * 1.48 <= / a.
  rewrite /a -exp_Ropp (_ : - _ = 0.4802 + 0.4802) ?exp_plus; last by lra.
  by have := exp_ineq1_le 0.4802; nra.
have a0 : 0 < a := exp_pos _; have : a * / a = 1 by apply: Rinv_r; lra.
by nra.
Qed.

(** Even groups, for odd ones: the median absolute deviation need not be 0. *)
Theorem control_mc_grpo_even :
  ~ (forall (G : nat) (x : 'I_G -> R), (0 < G)%N -> ~~ odd G -> binary x -> mad x = 0).
Proof.
move=> h; have := h 2%N _ isT isT (@binary_first 2 1).
have [_ [two _]] := eq4_released_code.
have [med _] := two _ (1 / 2) half_inside (@binary_first 2 1) half_of_two.
rewrite /mad /median med (_ : (fun i : 'I_2 => Rabs (bit (i < 1)%N - 1 / 2)) = fun i => 1 / 2); last first.
  by apply: fun_ext => i; rewrite /bit; case: (i < 1)%N; rewrite /Rabs; case: Rcase_abs; lra.
have st j : (0 < j <= 2)%N -> order_stat j (fun _ : 'I_2 => 1 / 2) = 1 / 2.
  by move=> hj; have [i ->] := order_stat_in (fun _ : 'I_2 => 1 / 2) hj.
have fl : floor (INR 2.-1 * (1 / 2)) = 0%N by apply: floor_unique; rewrite /=; lra.
by rewrite /linear_quantile fl !st //; lra.
Qed.
