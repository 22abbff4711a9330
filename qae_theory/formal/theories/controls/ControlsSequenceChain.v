(** A statement one token away from that of SequenceChain.v, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus SequenceChain.

Set Implicit Arguments.
Unset Strict Implicit.

(** The derivative of the sequence entropy as the frozen part minus the visiting part. *)
Theorem control_sequence_chain_rule :
  ~ (forall (T : finType) (stop : pred (seq T)) (pad : T) (z d : seq T -> T -> R) (s : seq T) (k : nat) (t : R),
     let q u := token_policy stop pad (fun c => step (z c) (d c) u) in
     let over (f : nat -> seq T -> R) :=
       \sum_(j < k) \sum_(y : j.-tuple T) continuation (q t) s y * f (k - j.+1)%N (s ++ y) in
     is_derive (fun u => future_entropy (q u) s k) t
       (over (fun _ c => first_order (q t c) (d c))
        - over (fun m c => cov (q t c) (d c) (fun a => future_entropy (q t) (rcons c a) m)))).
Proof.
move=> h; have [rule [_ [_ [_ [frozen change]]]]] := sequence_chain_rule.
pose d := fun (c : seq bool) (a : bool) => if c is [::] then bit a else 0.
have e1 := is_derive_unique _ _ _ (h _ (pred1 [:: true]) false (fun _ _ => 0) d [::] 2%N 0).
have [_ [d2 d3]] := rule _ (pred1 [:: true]) false (fun _ _ => 0) d [::] 2%N 0.
have e2 := is_derive_unique _ _ _ d2; have e3 := is_derive_unique _ _ _ d3.
have e4 := is_derive_unique _ _ _ frozen; have e5 := is_derive_unique _ _ _ change.
have l2 : 0 < ln 2 by rewrite -ln_1; apply: ln_increasing; lra.
have key a b c : a = b - c -> a = b + c -> b = 0 -> a = - (ln 2 / 4) -> False by lra.
exact: (key _ _ _ e1 e2 (etrans (esym e3) e4) e5).
Qed.
