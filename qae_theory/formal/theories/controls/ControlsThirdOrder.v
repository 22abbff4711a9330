(** A statement one token away from that of ThirdOrder.v, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus Prop42 ThirdOrder.

Set Implicit Arguments.
Unset Strict Implicit.

(** The third derivative with + 2 E[D^3] for - 2 E[D^3]. *)
Theorem control_third_order :
  ~ (forall (T : finType) (z d : T -> R) (t : R), (0 < #|T|)%N ->
     let q u := softmax (step z d u) in let S u y := logp (q u) y - mean (q u) (logp (q u)) in
     let D u y := d y - mean (q u) d in
     is_derive (fun u => - var (q u) d - mean (q u) (fun y => S u y * D u y ^ 2)) t
       (2 * mean (q t) (fun y => D t y ^ 3) - mean (q t) (fun y => S t y * D t y ^ 3)
        + 3 * cov (q t) (logp (q t)) d * var (q t) d)).
Proof.
move=> h; pose z := logp (bernoulli (1 / 4)); have n0 : (0 < #|bool_finType|)%N by rewrite card_bool.
have [right _] := third_order z bit 0 n0.
have e := is_derive_unique _ _ _ (right 0); have := is_derive_unique _ _ _ (h _ z bit 0 n0); rewrite {}e step0.
rewrite softmax_bernoulli; last by lra.
have k3 : mean (bernoulli (1 / 4)) (fun y => (bit y - mean (bernoulli (1 / 4)) bit) ^ 3) = 3 / 32.
  by rewrite /mean !sum_bool /bernoulli /bit; field.
rewrite k3; lra.
Qed.
