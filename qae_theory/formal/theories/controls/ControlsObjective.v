(** Statements one token away from those of Objective.v, Masks.v and ClipSides.v, refuted. *)

From QAE Require Import Compat Definitions Sums Rewards Groups Tables ListedGroups Gate Objective Masks ClipSides.

Set Implicit Arguments.
Unset Strict Implicit.

(** One correct response of two and of three, both hard at K = 1/3. *)
Definition first_of (G : nat) : 'I_G -> R := fun i => bit (i < 1)%N.

Lemma first_mixed G : (1 < G)%N -> ~~ degenerate (@first_of G).
Proof. by move=> G1; apply: mixed_first. Qed.

Lemma first_rate G : (0 < G)%N -> success_rate (@first_of G) = 1 / INR G.
Proof. exact: success_rate_first. Qed.

Lemma first_hard G : (1 < G)%N -> hard (1 / 3) (@first_of G).
Proof.
move=> G1; apply/RlebP; rewrite first_rate; last exact: ltnW.
have g := INR_ltn G1; rewrite /= in g; apply: (Rmult_le_reg_r (INR G)); first by lra.
by rewrite (_ : 1 / INR G * INR G = 1); [have := INR_leq G1; rewrite /=; lra | field; lra].
Qed.

Lemma first_binary G : binary (@first_of G).
Proof. exact: bit_binary. Qed.

Lemma third_level : 0 < 1 / 3 <= 1.
Proof. by lra. Qed.

(** The masked form of the first correct response with all ratios 1 is its weight. *)
Lemma masked_ones G w : (1 < G)%N ->
  masked_objective 0 0 w 0 (fun _ => 1%N) (fun i _ => if Reqb (first_of i) 1 then 1 else 1) (@first_of G) = w.
Proof. by move=> G1; rewrite masked_constant ?Rmin_left; try lra; [apply: first_binary | apply: first_mixed]. Qed.

Lemma u_half : u_weight (1 / 2) = 1.
Proof. by rewrite /u_weight (_ : 1 / 2 / (1 - 1 / 2) = 1) ?sqrt_1 //; field. Qed.

Lemma u_third : u_weight (1 / 3) < 1.
Proof. by have := @u_weight_lt (1 / 3) (1 / 2) ltac:(lra) ltac:(lra); rewrite u_half. Qed.

(** Bessel's standard deviation, for the population's. *)
Theorem control_prop41_identity_bessel :
  ~ (forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
       binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
       group_objective lo hi L v (qae Bessel 0 K x)
       = masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                (if hard K x then 0 else v_weight (success_rate x)) L v x).
Proof.
move=> h; pose ones (i : 'I_2) (t : nat) := if Reqb (first_of i) 1 then 1 else 1.
have := h 2%N _ (1 / 3) 0 0 (fun _ => 1%N) ones (@first_binary 2) (@first_mixed 2 isT) third_level (Rle_refl 0)
  (Rle_refl 0).
have [_ [_ [_ [_ [_ bessel]]]]] := prop41_constant.
rewrite bessel ?first_hard //; try exact: first_binary; try exact: first_mixed; try lra.
rewrite masked_ones // first_rate // (_ : 1 / INR 2 = 1 / 2) ?u_half; last by rewrite /=; field.
have : sqrt ((INR 2 - 1) / INR 2) < 1; last by lra.
by rewrite -[X in _ < X]sqrt_1; apply: sqrt_lt_1_alt; rewrite /=; lra.
Qed.

(** The weights u and v exchanged. *)
Theorem control_prop41_identity_exchanged :
  ~ (forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
       binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi -> hard K x ->
       group_objective lo hi L v (qae Population 0 K x) = masked_objective lo hi (v_weight (success_rate x)) 0 L v x).
Proof.
move=> h; pose ones (i : 'I_3) (t : nat) := if Reqb (first_of i) 1 then 1 else 1.
have hd : hard (1 / 3) (@first_of 3) by apply: first_hard.
have := h 3%N _ (1 / 3) 0 0 (fun _ => 1%N) ones (@first_binary 3) (@first_mixed 3 isT) third_level (Rle_refl 0)
  (Rle_refl 0) hd.
have [-> _] := prop41_identity (fun _ => 1%N) ones (@first_binary 3) (@first_mixed 3 isT) third_level (Rle_refl 0)
  (Rle_refl 0).
rewrite hd !masked_ones // first_rate // (_ : 1 / INR 3 = 1 / 3); last by rewrite /=; field.
have : u_weight (1 / 3) < 1 := u_third; have : 1 < v_weight (1 / 3); last by lra.
by rewrite -[X in X < _]sqrt_1; apply: sqrt_lt_1_alt; lra.
Qed.

(** Bessel's constant upside down. *)
Theorem control_prop41_constant_inverse :
  ~ (forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
       binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi -> hard K x ->
       group_objective lo hi L v (qae Bessel 0 K x)
       = sqrt (INR G / (INR G - 1)) * masked_objective lo hi (u_weight (success_rate x)) 0 L v x).
Proof.
move=> h; pose ones (i : 'I_2) (t : nat) := if Reqb (first_of i) 1 then 1 else 1.
have hd : hard (1 / 3) (@first_of 2) by apply: first_hard.
have := h 2%N _ (1 / 3) 0 0 (fun _ => 1%N) ones (@first_binary 2) (@first_mixed 2 isT) third_level (Rle_refl 0)
  (Rle_refl 0) hd.
have [_ [_ [_ [_ [_ bessel]]]]] := prop41_constant.
rewrite bessel ?hd //; try exact: first_binary; try exact: first_mixed; try lra.
rewrite masked_ones // first_rate // (_ : 1 / INR 2 = 1 / 2) ?u_half; last by rewrite /=; field.
have : sqrt ((INR 2 - 1) / INR 2) < sqrt (INR 2 / (INR 2 - 1)); last by lra.
by apply: sqrt_lt_1_alt; rewrite /=; lra.
Qed.

(** The factor is at most 1/(1 - K), for 1/K. *)
Theorem control_prop41_amplification_bound :
  ~ (forall (G : nat) (x : 'I_G -> R) (K : R), binary x -> ~~ degenerate x -> 0 < K < 1 -> hard K x ->
       1 / (1 - success_rate x) <= 1 / (1 - K)).
Proof.
move=> h; have hK : 0 < 1 / 3 < 1 by lra.
have := h 2%N _ (1 / 3) (@first_binary 2) (@first_mixed 2 isT) hK (@first_hard 2 isT).
by rewrite first_rate //=; lra.
Qed.

(** The weight of the failures of easy groups falls with p, and does not rise like u. *)
Theorem control_prop41_rarer_is_larger_v : ~ (forall p p' : R, 0 < p < p' -> p' < 1 -> v_weight p < v_weight p').
Proof.
move=> h; have := h (1 / 3) (1 / 2) ltac:(lra) ltac:(lra).
have : v_weight (1 / 2) < v_weight (1 / 3); last by lra.
by apply: sqrt_lt_1_alt; lra.
Qed.

(** Lengths of at most n tokens, for lengths of n tokens. *)
Theorem control_prop41_token_normaliser_if_lengths :
  ~ (forall (G : nat) (lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R) (A : 'I_G -> R) (n : nat),
       (forall i, (L i <= n)%N) -> dapo_objective lo hi L v A = group_objective lo hi L v A).
Proof.
move=> h; have [_ w] := prop41_token_normaliser; have [a [b _]] := w 0 0 (Rle_refl 0) (Rle_refl 0).
have := h 2%N 0 0 (fun i => i.+1) (fun _ _ => 1) (qae Population 0 (2 / 5) (fun i : 'I_2 => bit (i < 1)%N)) 2%N
  (fun i => ltn_ord i).
by rewrite a b; lra.
Qed.

(** The second moment 1/p in a hard group, for 1/(1 - p). *)
Theorem control_advantage_second_moment_exchanged :
  ~ (forall (G : nat) (x : 'I_G -> R) (K : R), binary x -> ~~ degenerate x -> 0 < K <= 1 -> hard K x ->
       group_mean (fun i => qae Population 0 K x i ^ 2) = 1 / success_rate x).
Proof.
move=> h; have hd : hard (1 / 3) (@first_of 3) by apply: first_hard.
have := h 3%N _ (1 / 3) (@first_binary 3) (@first_mixed 3 isT) third_level hd.
have [-> _] := advantage_second_moment (@first_binary 3) (@first_mixed 3 isT) third_level.
by rewrite hd first_rate //=; lra.
Qed.

(** With nothing masked the gap between correct and wrong responses is GRPO's, for twice GRPO's. *)
Theorem control_masks_special_case_gap :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps : R) i j, ~~ degenerate x -> 0 <= eps ->
       x i = 1 -> x j = 0 -> unmasked k eps x i - unmasked k eps x j = grpo k eps x i - grpo k eps x j).
Proof.
move=> h; have mixed := @first_mixed 2 isT.
have := h 2%N _ Population 0 ord0 (lift ord0 ord0) mixed (Rle_refl 0) erefl erefl.
have [_ [_ [gap _]]] := masks_special_case.
have [-> _] := gap 2%N _ Population 0 (1 / 3) ord0 (lift ord0 ord0) mixed (Rle_refl 0) erefl erefl.
have s := std_gt0 Population mixed; have i := Rinv_0_lt_compat _ s.
have [a b] : first_of (ord0 : 'I_2) = 1 /\ first_of (lift ord0 ord0 : 'I_2) = 0 by [].
by rewrite /grpo /standardised !over_std_mixed // a b Rplus_0_r /Rdiv; lra.
Qed.

(** "In a hard group the upper clip bound never binds", for the lower one. *)
Theorem control_clip_sides_exchanged :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K lo hi v : R) (i : 'I_G),
       0 < K <= 1 -> 0 <= eps -> 0 <= lo -> 0 <= hi -> binary x -> hard K x ->
       ~ clip_high_binds lo hi v (qae k eps K x i)).
Proof.
move=> h; have hd : hard (1 / 3) (@first_of 2) by apply: first_hard.
case: (h 2%N _ Population 0 (1 / 3) 0 0 2 ord0 third_level (Rle_refl 0) (Rle_refl 0) (Rle_refl 0) (@first_binary 2) hd).
apply: high_binds; last by lra.
have [up _] := gate_hard (G := 2) Population isT third_level (Rle_refl 0) (@first_binary 2) hd.
by have [] := up ord0 erefl.
Qed.
