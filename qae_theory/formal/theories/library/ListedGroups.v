(** Groups that are written out: m ones followed by zeros, and rewards listed in a sequence.

    The main results are [order_stat_eq] (an order statistic from two counts), [quantile_eq], [num_correct_first] and
    [card_nth] (a count over a listed group). *)

From QAE Require Import Compat Definitions Sums Rewards.

Set Implicit Arguments.
Unset Strict Implicit.

(** Counting the positions of a group that satisfy P is counting the numbers below G that do. *)
Lemma card_positions G (P : pred nat) : #|[pred i : 'I_G | P i]| = count P (seq.iota 0 G).
Proof. by rewrite -val_enum_ord count_map -count_enum. Qed.

Lemma card_nth (l : seq R) G (P : pred R) : size l = G -> #|[pred i : 'I_G | P (nth 0 l i)]| = count P l.
Proof.
move=> s; rewrite (card_positions G (fun i => P (nth 0 l i))) -s.
by rewrite -[in RHS](mkseq_nth 0 l) /mkseq count_map; apply: eq_count.
Qed.

Lemma card_below G m : (m <= G)%N -> #|[pred i : 'I_G | (i < m)%N]| = m.
Proof.
move=> mG; rewrite (card_positions G (fun i => (i < m)%N)) -(subnKC mG) iotaD count_cat add0n.
rewrite (eq_in_count (a2 := predT)) => [|i]; last by rewrite mem_iota => /andP[_ ->].
rewrite count_predT size_iota (eq_in_count (a2 := pred0)) => [|i]; last first.
  by rewrite mem_iota => /andP[h _]; rewrite ltnNge h.
by rewrite count_pred0 addn0.
Qed.

(** The number of correct responses from their share. *)
Lemma success_rate_num G (x : 'I_G -> R) : (0 < G)%N -> INR (num_correct x) = success_rate x * INR G.
Proof. by move=> /INR_pos g; rewrite /success_rate; field; lra. Qed.

(** The group of m ones followed by G - m zeros. *)
Lemma binary_first G m : binary (fun i : 'I_G => bit (i < m)%N).
Proof. exact: bit_binary. Qed.

Lemma num_correct_first G m : (m <= G)%N -> num_correct (fun i : 'I_G => bit (i < m)%N) = m.
Proof.
by move=> mG; rewrite /num_correct -[RHS](card_below mG); apply: eq_card => i; rewrite !inE Reqb_bit.
Qed.

Lemma success_rate_first G m : (m <= G)%N -> success_rate (fun i : 'I_G => bit (i < m)%N) = INR m / INR G.
Proof. by move=> mG; rewrite /success_rate num_correct_first. Qed.

Lemma mixed_first G m : (0 < m < G)%N -> ~~ degenerate (fun i : 'I_G => bit (i < m)%N).
Proof.
by move=> /andP[m0 mG]; rewrite mixed_binary; [rewrite num_correct_first ?m0 // ltnW | apply: binary_first].
Qed.

(** The j-th smallest reward is v if at least j rewards are up to v and fewer than j are below. *)
Lemma order_stat_eq G (x : 'I_G -> R) j v : (0 < j <= G)%N ->
  (j <= #|[pred i | Rleb (x i) v]|)%N -> (#|[pred i | Rltb (x i) v]| < j)%N -> order_stat j x = v.
Proof.
move=> hj le lt; apply: Rle_antisym; first exact/order_stat_le_iff.
apply: Rnot_lt_le => below; move: lt; rewrite ltnNge => /negP[].
have := (order_stat_le_iff x (order_stat j x) hj).1 (Rle_refl _) => h; apply: leq_trans h _.
apply: subset_leq_card; apply/subsetP => i; rewrite !inE => /RlebP h.
by apply/RltbP; lra.
Qed.

Lemma quantile_eq G (x : 'I_G -> R) K j v : (0 < G)%N -> 0 < K <= 1 -> INR j - 1 < K * INR G <= INR j ->
  (j <= #|[pred i | Rleb (x i) v]|)%N -> (#|[pred i | Rltb (x i) v]| < j)%N -> quantile K x = v.
Proof.
move=> G0 hK hj le lt; rewrite (quantile_order_stat x G0 hK).2.
have v0 : 0 <= K * INR G by have := INR_pos G0; nra.
by have := rank_bounds G0 hK; rewrite (ceil_unique hj v0) => h; apply: order_stat_eq.
Qed.

Lemma quantile_listed (l : seq R) G K j v : size l = G -> (0 < G)%N -> 0 < K <= 1 ->
  INR j - 1 < K * INR G <= INR j ->
  (j <= count (fun u => Rleb u v) l)%N -> (count (fun u => Rltb u v) l < j)%N ->
  quantile K (fun i : 'I_G => nth 0 l i) = v.
Proof.
move=> s G0 hK hj le lt; apply: (quantile_eq (j := j)) => //.
  by rewrite (card_nth (fun u => Rleb u v) s).
by rewrite (card_nth (fun u => Rltb u v) s).
Qed.

Lemma Rltb_true x y : x < y -> Rltb x y = true.
Proof. by move=> h; apply/RltbP. Qed.
Lemma Rltb_false x y : y <= x -> Rltb x y = false.
Proof. by move=> h; apply/RltbP; lra. Qed.

(** Decide the comparisons of numbers in the goal. *)
Ltac decide_numbers :=
  repeat match goal with
  | |- context [Rleb ?a ?b] => first [rewrite (@Rleb_true a b); [|lra] | rewrite (@Rleb_false a b); [|lra]]
  | |- context [Rltb ?a ?b] => first [rewrite (@Rltb_true a b); [|lra] | rewrite (@Rltb_false a b); [|lra]]
  | |- context [Reqb ?a ?b] => first [rewrite (_ : Reqb a b = true); [|apply/ReqbP; lra]
                                     | rewrite (@Reqb_false a b); [|lra]]
  end.
