(** The entropy of sequences of tokens and its change (claim sequence-chain-rule).

    By induction on the number of tokens to come: the entropy of the next k + 1 tokens is the entropy of the next token
    plus the mean of the entropy of the k tokens after it, and differentiating that mean gives a term for the moving
    entropies and one for the moving probabilities of the token. *)

From QAE Require Import Compat Definitions Sums Calculus.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Sums over tuples *)

Section Tuples.
Variable T : finType.

Lemma sum_tuple0 (F : 0.-tuple T -> R) : \sum_y F y = F [tuple].
Proof. by rewrite (bigD1 [tuple]) //= big1 ?Rplus_0_r // => y /eqP[]; apply: tuple0. Qed.

Lemma sum_tuple_cons k (F : k.+1.-tuple T -> R) : \sum_y F y = \sum_a \sum_(y : k.-tuple T) F (cons_tuple a y).
Proof.
rewrite sum_pairs; apply: (reindex (fun x : T * k.-tuple T => cons_tuple x.1 x.2)); apply: onW_bij.
exists (fun y : k.+1.-tuple T => (thead y, behead_tuple y)) => [[a y]|y].
  by congr pair; apply: val_inj.
by apply: val_inj; rewrite [y]tuple_eta.
Qed.
End Tuples.

(** * Entropy and probability of the next tokens *)

Section Tokens.
Variables (T : finType) (q : seq T -> T -> R).
Hypotheses (nn : forall s a, 0 <= q s a) (one : forall s, \sum_a q s a = 1).

Lemma continuation_ge0 s y : 0 <= continuation q s y.
Proof. by elim: y s => [|a y IH] s /=; [lra | apply: Rmult_le_pos]. Qed.

Lemma continuation_sum k s : \sum_(y : k.-tuple T) continuation q s y = 1.
Proof.
elim: k s => [|k IH] s; first by rewrite sum_tuple0.
rewrite sum_tuple_cons -[RHS](one s); apply: sum_ext => a.
by rewrite /= sum_scale IH Rmult_1_r.
Qed.

Lemma future_entropy0 s : future_entropy q s 0 = 0.
Proof. by rewrite /future_entropy /entropy /mean sum_tuple0 /logp /= ln_1; ring. Qed.

Lemma product_log a b : 0 <= a -> 0 <= b -> a * b * ln (a * b) = b * (a * ln a) + a * (b * ln b).
Proof.
move=> [a0|<-]; last by move=> _; rewrite !Rmult_0_l; ring.
by move=> [b0|<-]; [rewrite ln_mult //; ring | rewrite !Rmult_0_l Rmult_0_r; ring].
Qed.

Lemma future_entropyS k s :
  future_entropy q s k.+1 = entropy (q s) + mean (q s) (fun a => future_entropy q (rcons s a) k).
Proof.
rewrite /future_entropy /entropy {1}/mean sum_tuple_cons.
rewrite (eq_bigr (fun a => q s a * ln (q s a)
    + q s a * mean (fun y : k.-tuple T => continuation q (rcons s a) y)
                   (logp (fun y : k.-tuple T => continuation q (rcons s a) y)))).
  by rewrite sum_add Ropp_plus_distr; congr (_ + _); rewrite -sum_opp; apply: sum_ext => a; ring.
move=> a _; rewrite /mean -sum_scale.
rewrite -[X in _ = X + _]Rmult_1_l -(continuation_sum k (rcons s a)) -sum_scale_r -sum_add; apply: sum_ext => y.
by rewrite /logp /= product_log //; apply: continuation_ge0.
Qed.

(** The sum over the contexts s ++ y reached after j < k tokens, weighed by their probability. *)
Definition over_contexts (f : nat -> seq T -> R) (s : seq T) (k : nat) : R :=
  \sum_(j < k) \sum_(y : j.-tuple T) continuation q s y * f (k - j.+1)%N (s ++ y).

Lemma over_contextsS f s k :
  over_contexts f s k.+1 = f k s + mean (q s) (fun a => over_contexts f (rcons s a) k).
Proof.
rewrite /over_contexts big_ord_recl; congr (_ + _).
  by rewrite sum_tuple0 /= cats0 subSS subn0 Rmult_1_l.
rewrite /mean (eq_bigr (fun j : 'I_k => \sum_a \sum_(y : j.-tuple T)
    q s a * (continuation q (rcons s a) y * f (k - j.+1)%N (rcons s a ++ y)))) => [|j _].
  by rewrite sum_swap; apply: sum_ext => a; rewrite -sum_scale; apply: eq_bigr => j _; rewrite sum_scale.
rewrite sum_tuple_cons; apply: sum_ext => a; apply: sum_ext => y.
by rewrite /= cat_rcons subSS Rmult_assoc.
Qed.

Lemma future_entropy_contexts s k : future_entropy q s k = over_contexts (fun _ c => entropy (q c)) s k.
Proof.
elim: k s => [|k IH] s; first by rewrite future_entropy0 /over_contexts big_ord0.
by rewrite future_entropyS over_contextsS; congr (_ + _); apply: mean_ext => a; apply: IH.
Qed.
End Tokens.

(** * Derivatives *)

Section Path.
Variables (T : finType) (stop : pred (seq T)) (pad : T) (z d : seq T -> T -> R).
Let q u := token_policy stop pad (fun c => step (z c) (d c) u).

Lemma token_ge0 u c a : 0 <= q u c a.
Proof.
rewrite /q /token_policy; case: (stop c); first by rewrite /bit; case: (a == pad); lra.
by apply: Rlt_le; apply: softmax_gt0.
Qed.

Lemma token_sum u c : \sum_a q u c a = 1.
Proof.
rewrite /q /token_policy; case: (stop c); last exact: softmax_sum pad.
by rewrite -[RHS](sum_bit_eq pad (fun _ => 1)); apply: sum_ext => a; rewrite Rmult_1_r.
Qed.

(** An ended response: its next token is certain and does not move. *)
Lemma point_mean (f : T -> R) : mean (fun a => bit (a == pad)) f = f pad.
Proof. by rewrite /mean sum_bit_eq. Qed.

Lemma derive_token_entropy t c : is_derive (fun u => entropy (q u c)) t (first_order (q t c) (d c)).
Proof.
rewrite /q /token_policy; case: (stop c); last exact: derive_path_entropy.
apply: derive_eq (derive_const _ t) _.
by rewrite /first_order /cov !point_mean; ring.
Qed.

Lemma derive_token_mean t c (F : R -> T -> R) (dF : T -> R) : (forall a, is_derive (fun u => F u a) t (dF a)) ->
  is_derive (fun u => mean (q u c) (F u)) t (mean (q t c) dF + cov (q t c) (d c) (F t)).
Proof.
move=> h; rewrite cov_sym /q /token_policy; case: (stop c); last exact: derive_mean_path.
rewrite /cov !point_mean Rminus_eq_0 Rplus_0_r.
by apply: (derive_ext (f := fun u => F u pad)) => // u; rewrite point_mean.
Qed.

(** The two terms of the derivative at a context with k more tokens to come after the next one. *)
Let own t (_ : nat) c := first_order (q t c) (d c).
Let visits t k c := cov (q t c) (d c) (fun a => future_entropy (q t) (rcons c a) k).

Lemma over_contexts_add p f g s k :
  over_contexts (T := T) p (fun j c => f j c + g j c) s k = over_contexts p f s k + over_contexts p g s k.
Proof.
rewrite /over_contexts -sum_add; apply: eq_bigr => j _; rewrite -sum_add; apply: eq_bigr => y _; ring.
Qed.

Lemma derive_future_entropy t s k :
  is_derive (fun u => future_entropy (q u) s k) t
    (over_contexts (q t) (own t) s k + over_contexts (q t) (visits t) s k).
Proof.
rewrite -over_contexts_add; elim: k s => [|k IH] s.
  rewrite /over_contexts big_ord0; apply: (derive_ext (f := fun _ => 0)) (derive_const 0 t) => u.
  by rewrite future_entropy0.
apply: (derive_ext (f := fun u => entropy (q u s) + mean (q u s) (fun a => future_entropy (q u) (rcons s a) k))).
  by move=> u; rewrite future_entropyS //; [exact: token_ge0 | exact: token_sum].
apply: derive_eq; first by apply: derive_add (derive_token_entropy t s) (derive_token_mean s (fun a => IH (rcons s a))).
by rewrite over_contextsS /own /visits; ring.
Qed.

(** Token entropies along responses sampled before the step: the visiting term is missing. *)
Lemma derive_frozen t s k :
  is_derive (fun u => over_contexts (q t) (fun _ c => entropy (q u c)) s k) t (over_contexts (q t) (own t) s k).
Proof.
apply: derive_sum => j _; apply: derive_sum => y _; apply: derive_scale; exact: derive_token_entropy.
Qed.
End Path.

(** * The claim *)

(** For an autoregressive policy whose logits at every context c move as z(c) + u d(c), responses that may end anywhere,
    and the next k tokens after the context s: their entropy is the sum over the contexts reached of the probability of
    the context times the entropy of its next token. Its derivative is the same sum of the first-order changes of these
    entropies, contexts frozen, plus the same sum of the covariances of the direction with the entropy still to come.
    The first sum alone is the derivative of the token entropies along responses sampled before the step. The second
    can decide: at a uniform root with a child of entropy log 2 and a child of entropy 0, a push towards the latter has
    the frozen part 0 and the derivative -(log 2)/4. *)
Theorem sequence_chain_rule :
  (forall (T : finType) (stop : pred (seq T)) (pad : T) (z d : seq T -> T -> R) (s : seq T) (k : nat) (t : R),
     let q u := token_policy stop pad (fun c => step (z c) (d c) u) in
     let over (f : nat -> seq T -> R) :=
       \sum_(j < k) \sum_(y : j.-tuple T) continuation (q t) s y * f (k - j.+1)%N (s ++ y) in
     let frozen := over (fun _ c => first_order (q t c) (d c)) in
     let visiting := over (fun m c => cov (q t c) (d c) (fun a => future_entropy (q t) (rcons c a) m)) in
     future_entropy (q t) s k = over (fun _ c => entropy (q t c))
     /\ is_derive (fun u => future_entropy (q u) s k) t (frozen + visiting)
     /\ is_derive (fun u => over (fun _ c => entropy (q u c))) t frozen)
  /\ (let q u := token_policy (pred1 [:: true]) false
                   (fun c => step (fun _ => 0) (fun a => if c is [::] then bit a else 0) u) in
      let over (f : seq bool -> R) := \sum_(j < 2) \sum_(y : j.-tuple bool) continuation (q 0) [::] y * f y in
      (forall a, q 0 [::] a = 1 / 2)
      /\ future_entropy (q 0) [:: false] 1 = ln 2 /\ future_entropy (q 0) [:: true] 1 = 0
      /\ is_derive (fun u => over (fun c => entropy (q u c))) 0 0
      /\ is_derive (fun u => future_entropy (q u) [::] 2) 0 (- (ln 2 / 4))).
Proof.
split=> [T stop pad z d s k t q over frozen visiting|].
  split; last split; [|exact: derive_future_entropy | exact: derive_frozen].
  by rewrite future_entropy_contexts //; [exact: token_ge0 | exact: token_sum].
pose z := fun (_ : seq bool) (_ : bool) => 0; pose d := fun (c : seq bool) (a : bool) => if c is [::] then bit a else 0.
pose q u := token_policy (pred1 [:: true]) false (fun c => step (z c) (d c) u).
have flat c : softmax (step (z c) (d c) 0) = fun _ => / 2.
  by apply: fun_ext => a; rewrite step0 /softmax sum_bool /z exp_0; field.
have root : q 0 [::] = fun _ => / 2 by rewrite /q /token_policy /= flat.
have left : q 0 [:: false] = fun _ => / 2 by rewrite /q /token_policy /= flat.
have right : q 0 [:: true] = fun a => bit (a == false) by rewrite /q /token_policy /= .
have ge0 := @token_ge0 _ (pred1 [:: true]) false z d 0; have sum1 := @token_sum _ (pred1 [:: true]) false z d 0.
have one_token c : future_entropy (q 0) c 1 = entropy (q 0 c).
  rewrite future_entropyS // (mean_ext _ (h := fun _ => 0)) => [|a]; last exact: future_entropy0.
  by rewrite mean_const; [ring | exact: sum1].
have e_left : future_entropy (q 0) [:: false] 1 = ln 2.
  by rewrite one_token left /entropy /mean sum_bool /logp ln_Rinv; [field | lra].
have e_right : future_entropy (q 0) [:: true] 1 = 0.
  by rewrite one_token right /entropy /mean sum_bool /logp /bit /= ln_1; ring.
have own c : first_order (q 0 c) (d c) = 0.
  case: c => [|b c].
    by rewrite root /first_order /cov /mean !sum_bool /logp /d /bit; field.
  by rewrite /first_order (cov_const_r _ 0 (sum1 (b :: c))) Ropp_0.
have frozen0 : over_contexts (q 0) (fun _ c => first_order (q 0 c) (d c)) [::] 2 = 0.
  by apply: sum_zero => j _; apply: sum_zero => y _; rewrite own Rmult_0_r.
split; first by move=> a; rewrite -/z -/(q 0) -[_ 0 [::]]/(q 0 [::]) root; field.
split; first exact: e_left.
split; first exact: e_right.
split.
  by apply: derive_eq; [exact: (@derive_frozen _ (pred1 [:: true]) false z d 0 [::] 2) | exact: frozen0].
apply: derive_eq; first exact: (@derive_future_entropy _ (pred1 [:: true]) false z d 0 [::] 2).
rewrite -/q frozen0 Rplus_0_l over_contextsS (mean_ext _ (h := fun _ => 0)) => [|a].
  rewrite mean_const; last exact: sum1.
  by rewrite Rplus_0_r root /cov /mean !sum_bool /= e_left e_right /d /bit; field.
rewrite over_contextsS cov_sym (cov_const_r _ 0 (sum1 [:: a])) Rplus_0_l.
rewrite (mean_ext _ (h := fun _ => 0)) => [|b]; last by rewrite /over_contexts big_ord0.
by apply: mean_const; apply: sum1.
Qed.
