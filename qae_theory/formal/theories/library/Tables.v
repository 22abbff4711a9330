(** The tables of the named estimators: what each gives a correct and a wrong response of a binary group with m correct
    ones. With [gain_table] of Groups.v every gain becomes a binomial sum. *)

From QAE Require Import Compat Definitions Sums Rewards Groups.

Set Implicit Arguments.
Unset Strict Implicit.

Section Tables.
Variable G : nat.
Implicit Types (k : divisor) (eps K b : R) (c : {ffun 'I_G -> bool}) (f : bool -> nat -> R).

(** The success rate of a group with m correct responses, and its standard deviation. *)
Definition rate (m : nat) : R := INR m / INR G.
Definition table_std k (m : nat) : R :=
  sqrt (rate m * (1 - rate m) * (if k is Bessel then INR G / (INR G - 1) else 1)).

(** A numerator f over std + eps, 0 in degenerate groups; and f on mixed groups only. *)
Definition table_mixed f : bool -> nat -> R := fun a m => if (m == 0%N) || (m == G) then 0 else f a m.
Definition table_over k eps f : bool -> nat -> R := table_mixed (fun a m => f a m / (table_std k m + eps)).

Lemma group_pos (i : 'I_G) : (0 < G)%N.
Proof. exact: leq_ltn_trans (ltn_ord i). Qed.

Lemma std_table k c : ~~ degenerate (rewards bit c) ->
  std k (rewards bit c) = table_std k (num_correct (rewards bit c)).
Proof.
move=> mixed; have G1 := mixed_size mixed; have bin := rewards_bit_binary c.
case: k; first by rewrite std_population_binary ?(ltnW G1) // /table_std Rmult_1_r.
exact: std_bessel_binary.
Qed.

Lemma has_table_over k eps (a : estimator G) f : has_table a f ->
  has_table (fun x => over_std k eps (a x) x) (table_over k eps f).
Proof.
move=> h c i; rewrite /table_over /table_mixed -degenerate_binary; last exact: rewards_bit_binary.
by rewrite /over_std; case D: (degenerate _) => //; rewrite h std_table // D.
Qed.

Lemma has_table_on_mixed (A : estimator G) f : has_table A f -> has_table (on_mixed A) (table_mixed f).
Proof.
move=> h c i; rewrite /on_mixed /table_mixed -degenerate_binary; last exact: rewards_bit_binary.
by case: degenerate.
Qed.

Lemma constant_table b : has_table (@constant G b) (fun a _ => bit a - b).
Proof. by []. Qed.

Lemma psr_table : has_table (@psr G) (fun a _ => bit a).
Proof. by move=> c i; rewrite /psr /constant Rminus_0_r. Qed.

Lemma nsr_table : has_table (@nsr G) (fun a _ => bit a - 1).
Proof. by []. Qed.

Lemma dr_grpo_table : has_table (@dr_grpo G) (fun a m => bit a - rate m).
Proof. by move=> c i; rewrite /dr_grpo /constant group_mean_binary //; apply: rewards_bit_binary. Qed.

Lemma grpo_table k eps : has_table (@grpo G k eps) (table_over k eps (fun a m => bit a - rate m)).
Proof. exact: (has_table_over k eps dr_grpo_table). Qed.

Lemma ebpo_table S mu : has_table (@ebpo G S mu) (fun a m => bit a - ((1 - S) * rate m + S * mu)).
Proof. by move=> c i; rewrite /ebpo /constant group_mean_binary //; apply: rewards_bit_binary. Qed.

Lemma quantile_table K : 0 < K <= 1 ->
  has_table (fun x : 'I_G -> R => constant (quantile K x) x) (fun a m => bit a - gate K (rate m)).
Proof.
move=> hK c i; rewrite /constant (quantile_binary (rewards_bit_binary c) (group_pos i) hK) //.
Qed.

Lemma qae_table k eps K : 0 < K <= 1 ->
  has_table (@qae G k eps K) (table_over k eps (fun a m => bit a - gate K (rate m))).
Proof. by move=> hK; apply: (has_table_over k eps (quantile_table hK)). Qed.

(** The interpolated quantile in a group with m correct responses. *)
Definition table_linear K (m : nat) : R :=
  let v := INR G.-1 * K in let j := floor v in
  let stat l := if (l <= G - m)%N then 0 else 1 in
  stat j.+1 + (v - INR j) * (stat j.+2 - stat j.+1).

Lemma linear_quantile_binary K (x : 'I_G -> R) : (0 < G)%N -> 0 < K < 1 -> binary x ->
  linear_quantile K x = table_linear K (num_correct x).
Proof.
move=> G0 hK bin; rewrite /linear_quantile /table_linear.
set v := INR G.-1 * K; have n0 := pos_INR G.-1; have v0 : 0 <= v by rewrite /v; nra.
have jv := floor_le v0; set j := floor v in jv *.
case: (posnP G.-1) => [z|pos].
  have v00 : v = 0 by rewrite /v z /=; ring.
  have j0 : j = 0%N by rewrite /j v00; apply: floor_unique; rewrite /=; lra.
  by rewrite j0 v00 /= Rminus_eq_0 !Rmult_0_l order_stat_binary.
have jG : (j.+2 <= G)%N.
  have : (j < G.-1)%N by apply: INR_ltn_inv; have := INR_pos pos; rewrite /v in jv; nra.
  by rewrite -{2}(prednK G0) ltnS.
by rewrite !order_stat_binary ?jG ?(ltnW jG).
Qed.

Lemma qae_linear_table k eps K : 0 < K < 1 ->
  has_table (@qae_linear G k eps K) (table_over k eps (fun a m => bit a - table_linear K m)).
Proof.
move=> hK; apply: (has_table_over k eps (a := fun x => constant (linear_quantile K x) x)) => c i.
by rewrite /constant linear_quantile_binary ?(group_pos i) //; apply: rewards_bit_binary.
Qed.

Lemma pos_mask_table k eps K : has_table (@pos_mask G k eps K)
  (table_over k eps (fun a m => bit (Rleb (rate m) (1 - K)) * bit a - (1 - bit a))).
Proof. by apply: (has_table_over k eps (a := fun x i => bit (hard K x) * x i - (1 - x i))). Qed.

Lemma neg_mask_table k eps K : has_table (@neg_mask G k eps K)
  (table_over k eps (fun a m => bit a - bit (~~ Rleb (rate m) (1 - K)) * (1 - bit a))).
Proof. by apply: (has_table_over k eps (a := fun x i => x i - bit (~~ hard K x) * (1 - x i))). Qed.

Lemma unmasked_table k eps : has_table (@unmasked G k eps) (table_over k eps (fun a _ => bit a - (1 - bit a))).
Proof. by apply: (has_table_over k eps (a := fun x i => x i - (1 - x i))). Qed.
End Tables.

(** The rewards of the other responses are binary too; one of them fewer is correct if response i is. *)
Section Others.
Variables (G : nat) (c : {ffun 'I_G -> bool}) (i : 'I_G).

Lemma others_bits : others (rewards bit c) i = rewards bit [ffun l => c (lift i l)].
Proof. by apply: fun_ext => l; rewrite /rewards ffunE. Qed.

Lemma num_correct_others :
  num_correct (others (rewards bit c) i) = (num_correct (rewards bit c) - c i)%N.
Proof.
have -> : num_correct (rewards bit c) = (c i + num_correct (others (rewards bit c) i))%N; last by rewrite addKn.
rewrite others_bits -(num_correct_insert i); congr num_correct; apply: fun_ext => j.
rewrite /rewards; congr bit; rewrite ffunE; case: unliftP => [l ->|-> //].
by rewrite ffunE.
Qed.
End Others.

Lemma rloo_table G : has_table (@rloo G) (fun a m => bit a - INR (m - a)%N / INR G.-1).
Proof.
move=> c i; rewrite /rloo group_mean_binary; last by rewrite others_bits; apply: rewards_bit_binary.
by rewrite /success_rate num_correct_others.
Qed.

Lemma loo_quantile_table G K : (1 < G)%N -> 0 < K <= 1 ->
  has_table (@loo_quantile G K) (fun a m => bit a - gate K (INR (m - a)%N / INR G.-1)).
Proof.
move=> G1 hK c i; have G0 : (0 < G.-1)%N by rewrite -subn1 subn_gt0.
rewrite /loo_quantile others_bits (quantile_binary (rewards_bit_binary _) G0 hK) -others_bits.
by rewrite /hard /success_rate num_correct_others.
Qed.

(** * Every permutation-equivariant estimator has a table *)

Section Equivariant.
Variables (G : nat) (A : estimator G).
Implicit Types (c : {ffun 'I_G -> bool}) (i : 'I_G).

(** The positions of a group, response i first, then those with the same outcome, then the others. *)
Definition outcome_order (c : {ffun 'I_G -> bool}) (i : 'I_G) : seq 'I_G :=
  i :: [seq j <- enum 'I_G | (c j == c i) && (j != i)] ++ [seq j <- enum 'I_G | c j != c i].

Lemma outcome_order_perm c i : perm_eq (outcome_order c i) (enum 'I_G).
Proof.
apply: uniq_perm; last 1 first.
- move=> j; rewrite inE mem_cat !(mem_filter _ _ (enum 'I_G)) !mem_enum !andbT.
  by case: eqP => [//|_] /=; case: (c j == c i).
- rewrite /= cat_uniq !(filter_uniq _ (enum_uniq _)) andbT mem_cat !(mem_filter _ _ (enum 'I_G)) !eqxx /=.
  apply/hasPn => j; rewrite (mem_filter _ _ (enum 'I_G)) => /andP[/negbTE ne _].
  by rewrite inE (mem_filter _ _ (enum 'I_G)) ne.
by rewrite enum_uniq.
Qed.

Lemma size_outcome_order c i : size (outcome_order c i) = G.
Proof. by rewrite (perm_size (outcome_order_perm c i)) size_enum_ord. Qed.

(** The number of responses with the outcome b when m of the G are correct. *)
Definition outcome_count (b : bool) (m : nat) : nat := if b then m else (G - m)%N.
Definition outcome_vector (b : bool) (m : nat) : 'I_G -> R :=
  fun j => bit (if (j < outcome_count b m)%N then b else ~~ b).

Lemma outcome_count_same c i :
  size [seq j <- enum 'I_G | (c j == c i) && (j != i)] =
  (outcome_count (c i) (num_correct (rewards bit c))).-1.
Proof.
have -> : outcome_count (c i) (num_correct (rewards bit c)) = #|[pred j | c j == c i]|.
  rewrite /outcome_count num_correct_bits; case E: (c i); first by apply: eq_card => j; rewrite !inE eqb_id.
  rewrite -[X in (X - _)%N](card_ord G) -(cardC [pred j | c j]) addKn.
  by apply: eq_card => j; rewrite !inE eqbF_neg.
by rewrite (cardD1 i) inE eqxx /= size_filter count_enum; apply: eq_card => j; rewrite !inE andbC.
Qed.

Lemma outcome_order_vector c i (k : 'I_G) :
  rewards bit c (nth i (outcome_order c i) k) = outcome_vector (c i) (num_correct (rewards bit c)) k.
Proof.
rewrite /rewards /outcome_vector; congr bit.
have pos : (0 < outcome_count (c i) (num_correct (rewards bit c)))%N.
  have bin := rewards_bit_binary c; rewrite /outcome_count; case E: (c i).
    by apply: (@num_correct_gt0 _ _ i); rewrite /rewards E.
  by rewrite subn_gt0; apply: (num_correct_lt bin (i := i)); rewrite /rewards E.
have := outcome_count_same c i; case: (outcome_count _ _) pos => // n _ /= sn.
case: k => -[|l] /= lt //; rewrite ltnS nth_cat sn.
have sz : (l < size ([seq j <- enum 'I_G | (c j == c i) && (j != i)] ++ [seq j <- enum 'I_G | c j != c i]))%N.
  by move: lt; rewrite -{1}(size_outcome_order c i).
case: ltnP => h.
  have : nth i [seq j <- enum 'I_G | (c j == c i) && (j != i)] l \in [seq j <- enum 'I_G | (c j == c i) && (j != i)].
    by apply: mem_nth; rewrite sn.
  by rewrite (mem_filter _ _ (enum 'I_G)) => /andP[/andP[/eqP -> _] _].
have : nth i [seq j <- enum 'I_G | c j != c i] (l - n) \in [seq j <- enum 'I_G | c j != c i].
  by apply: mem_nth; rewrite ltn_subLR // -sn -size_cat.
by rewrite (mem_filter _ _ (enum 'I_G)) => /andP[+ _]; case: (c _); case: (c i).
Qed.

Lemma equivariant_has_table : equivariant A -> exists a, has_table A a.
Proof.
move=> eqv; pose first : option 'I_G := insub 0%N.
exists (fun b m => if first is Some k then A (outcome_vector b m) k else 0) => c i.
have G0 := group_pos i; rewrite /first (insubT (fun n => n < G)%N G0).
pose s (k : 'I_G) := nth i (outcome_order c i) k.
have inj : injective s.
  move=> k l /eqP; rewrite /s nth_uniq ?size_outcome_order // => [/eqP e|]; first exact: val_inj.
  by rewrite (perm_uniq (outcome_order_perm c i)) enum_uniq.
have := eqv s (rewards bit c) (Ordinal G0) inj; rewrite {2}/s /= => <-.
by congr (A _ _); apply: fun_ext => k; rewrite -outcome_order_vector.
Qed.
End Equivariant.
