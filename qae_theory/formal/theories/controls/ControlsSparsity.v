(** Statements one token away from those of Sparsity.v, refuted. *)

From QAE Require Import Compat Definitions Sums Rewards ListedGroups Gate Sparsity.

Set Implicit Arguments.
Unset Strict Implicit.

(** One correct response of G. *)
Lemma one_of_three : success_rate (fun i : 'I_3 => bit (i < 1)%N) = 1 / 3.
Proof. by rewrite success_rate_first //=; field. Qed.

Lemma one_of_five : success_rate (fun i : 'I_5 => bit (i < 1)%N) = 1 / 5.
Proof. by rewrite success_rate_first //=; field. Qed.

Lemma hard_third K : K <= 2 / 3 -> hard K (fun i : 'I_3 => bit (i < 1)%N).
Proof. by move=> h; apply/RlebP; rewrite one_of_three; lra. Qed.

Lemma easy_third K : 2 / 3 < K -> hard K (fun i : 'I_3 => bit (i < 1)%N) = false.
Proof. by move=> h; apply: Rleb_false; rewrite one_of_three; lra. Qed.

(** The share of negative advantages is non-increasing, for non-decreasing: it rises as K passes 1 - p. *)
Theorem control_k_shares_negative :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K K' : R),
       (0 < G)%N -> 0 <= eps -> 0 < K <= K' -> K' <= 1 ->
       share (fun a => Rltb a 0) (qae k eps K' x) <= share (fun a => Rltb a 0) (qae k eps K x)).
Proof.
move=> h; pose x (i : 'I_3) := bit (i < 1)%N; have bin : binary x := @binary_first 3 1.
have := h 3%N x Population 0 (1 / 3) (5 / 6) isT (Rle_refl 0) ltac:(lra) ltac:(lra); rewrite /share.
have [q q'] : quantile (1 / 3) x = 0 /\ quantile (5 / 6) x = 1.
  have hd : hard (1 / 3) x by apply: hard_third; lra.
  have ez : hard (5 / 6) x = false by apply: easy_third; lra.
  by rewrite !(quantile_binary bin) ?hd ?ez //; lra.
rewrite (eq_card0 (A := [pred i | Rltb (qae Population 0 (1 / 3) x i) 0])) => [|i]; last first.
  by rewrite !inE qae_lt0 // ?q; try lra; apply/RltbP; case: (bin i) => ->; lra.
have : (0 < #|[pred i | Rltb (qae Population 0 (5 / 6) x i) 0]|)%N.
  by apply/card_gt0P; exists (lift ord0 ord0); rewrite !inE qae_lt0 // ?q'; try lra; apply/RltbP; rewrite /x /=; lra.
by move=> /INR_pos c; rewrite /= in c *; lra.
Qed.

(** Exactly one zero, without the condition that the rewards are distinct. *)
Theorem control_sparsity_any_reward_ties :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R), (0 < G)%N -> 0 < K <= 1 -> 0 <= eps ->
       #|[pred i | Reqb (qae k eps K x i) 0]| = 1%N).
Proof.
move=> h; have := h 2%N (fun _ => 0) Population 0 1 isT ltac:(lra) (Rle_refl 0).
rewrite (eq_card (B := predT)) ?card_ord // => i; rewrite !inE /qae /standardised over_std_degenerate ?Reqb_refl //.
by apply/degenerateP.
Qed.

(** At most G - ceil(K G) negative advantages: the bounds of the two signs exchanged. *)
Theorem control_sparsity_any_reward_exchanged :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R), (0 < G)%N -> 0 < K <= 1 -> 0 <= eps ->
       (#|[pred i | Rltb (qae k eps K x i) 0%R]| <= G - ceil (K * INR G))%N).
Proof.
move=> h; pose x (i : 'I_3) := bit (i < 1)%N; have bin : binary x := @binary_first 3 1.
have := h 3%N x Population 0 1 isT ltac:(lra) (Rle_refl 0).
have -> : ceil (1 * INR 3) = 3%N by apply: ceil_unique; rewrite /=; lra.
have ez : hard 1 x = false by apply: easy_third; lra.
rewrite subnn leqn0 => /eqP/card0_eq /(_ (lift ord0 ord0)).
rewrite !inE qae_lt0 //; try lra; rewrite (quantile_binary bin) ?ez //; try lra.
by move/RltbP; rewrite /x /=; lra.
Qed.

(** The regimes of the share of zeros exchanged. *)
Theorem control_sparsity_formula_exchanged :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R), (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x ->
       hard K x -> share (Reqb 0) (qae k eps K x) = success_rate x).
Proof.
move=> h; have hd := hard_third (K := 1 / 2) ltac:(lra).
have := h 3%N _ Population 0 (1 / 2) isT ltac:(lra) (Rle_refl 0) (@binary_first 3 1) hd.
by rewrite zero_share_binary ?hd ?one_of_three //; try lra; apply: binary_first.
Qed.

(** The limit under uniform difficulty with K^2 subtracted, for added. *)
Theorem control_sparsity_80_sign :
  ~ (forall (k : divisor) (eps K : R), 0 < K < 1 -> 0 <= eps ->
       is_lim_seq
         (fun G => (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1)
         (1 - ((1 - K) ^ 2 - K ^ 2) / 2)).
Proof.
move=> h; have a := is_lim_seq_unique _ _ (h Population 0 (1 / 2) ltac:(lra) (Rle_refl 0)).
have b := is_lim_seq_unique _ _ (uniform_limit Population (K := 1 / 2) ltac:(lra) (Rle_refl 0)).
by move: a; rewrite b => -[]; lra.
Qed.

(** "Larger K, more non-zero advantages" fails too. *)
Theorem control_sparsity_monotone_reversed :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K K' : R),
       (0 < G)%N -> 0 <= eps -> binary x -> ~~ degenerate x -> 0 < K <= K' -> K' < 1 ->
       share (fun a => ~~ Reqb 0 a) (qae k eps K x) <= share (fun a => ~~ Reqb 0 a) (qae k eps K' x)).
Proof.
move=> h; have bin := @binary_first 3 2.
have p : success_rate (fun i : 'I_3 => bit (i < 2)%N) = 2 / 3 by rewrite success_rate_first //=; field.
have [_ [jump _]] := sparsity_monotone.
have [lo _] := jump 3%N _ Population 0 (1 / 4) isT (Rle_refl 0) bin ltac:(lra).
have [_ hi] := jump 3%N _ Population 0 (1 / 2) isT (Rle_refl 0) bin ltac:(lra).
have := h 3%N _ Population 0 (1 / 4) (1 / 2) isT (Rle_refl 0) bin (@mixed_first 3 2 isT) ltac:(lra) ltac:(lra).
by rewrite lo ?hi p; lra.
Qed.

(** The mean of max(p, 1 - p), for min(p, 1 - p). *)
Theorem control_sparsity_some_k_max :
  ~ (forall (Q : finType) (q : Q -> R) (G : Q -> nat) (x : forall a, 'I_(G a) -> R) (k : divisor) (eps : R),
       law q -> 0 <= eps -> (forall a, (0 < G a)%N) -> (forall a, binary (x a)) ->
       (exists K, 0 < K < 1 /\ 4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a))))
       <-> mean q (fun a => Rmax (success_rate (x a)) (1 - success_rate (x a))) <= 1 / 5).
Proof.
move=> h; pose x (a : [finType of unit]) (i : 'I_5) := bit (i < 1)%N.
have one : law (fun _ : [finType of unit] => 1).
  by split=> [_|]; [lra | rewrite sum_const_all card_unit /=; ring].
have [+ _] := h _ _ (fun _ => 5%N) x Population 0 one (Rle_refl 0) (fun _ => isT) (fun _ => @binary_first 5 1).
have [_ s1] := one; rewrite (mean_ext _ (h := fun _ => 4 / 5)) => [|a]; last first.
  by rewrite one_of_five Rmax_right; lra.
rewrite (mean_const _ s1) => claim; suff : 4 / 5 <= 1 / 5 by lra.
apply: claim; exists (1 / 2); split; first by lra.
rewrite (mean_ext _ (h := fun _ => 4 / 5)) ?(mean_const _ s1) => [|a]; first by lra.
rewrite zero_share_binary //; try lra; last exact: binary_first.
by rewrite /hard one_of_five Rleb_true; lra.
Qed.
