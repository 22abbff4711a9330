(** Decimals of the claims about the gate: the group size for one percent, by interval arithmetic. *)

From QAE Require Import Compat Definitions Sums Rewards QueryGate.
From Interval Require Import Tactic.

Set Implicit Arguments.
Unset Strict Implicit.

(** A query of success probability 1/2 is hard at K = 2/5, and 231 responses suffice for its group to be hard with
    probability at least 99%: 50 log(100) lies between 230 and 231. *)
Theorem gate_query_group_if_one_percent : forall (T : finType) (p r : T -> R) (G : nat),
  policy p -> binary r -> mean p r = 1 / 2 -> (231 <= G)%N ->
  230 < ln 100 / (2 * (1 / 2 - (1 - 2 / 5)) ^ 2) < 231
  /\ expect p (fun g : {ffun 'I_G -> T} => bit (~~ hard (2 / 5) (rewards r g))) <= 1 / 100.
Proof.
move=> T p r G hp bin V G231.
have size : 230 < ln 100 / (2 * (1 / 2 - (1 - 2 / 5)) ^ 2) < 231.
  have -> : ln 100 / (2 * (1 / 2 - (1 - 2 / 5)) ^ 2) = 50 * ln 100 by field.
  by split; interval with (i_prec 40).
split=> //; have [_ far] := gate_query_group_if (2 / 5) hp bin.
have ne : mean p r <> 1 - 2 / 5 by rewrite V; lra.
have [_ [_ one]] := far ne; have G0 : (0 < G)%N by apply: leq_trans G231.
have big : ln 100 / (2 * (mean p r - (1 - 2 / 5)) ^ 2) <= INR G.
  by rewrite V; have := INR_leq G231; rewrite [INR 231]INR_IZR_INZ /=; lra.
apply: Rle_trans (Req_le _ _ _) (one G G0 big); apply: eq_bigr => g _.
by rewrite V (Rleb_true (_ : 1 / 2 <= 1 - 2 / 5)); [case: hard | lra].
Qed.
