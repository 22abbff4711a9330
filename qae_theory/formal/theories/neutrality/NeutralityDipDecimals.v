(** Claim neutrality-dip with its decimals: the ratio of the gains at four success probabilities, by integers. *)

From QAE Require Import Compat Definitions Sums Rewards Groups Tables.
From QAE Require Import NeutralityGains Neutrality NeutralityLimit NeutralityDip GainBounds.

Set Implicit Arguments.
Unset Strict Implicit.

(** The ratio of QAE's gain to GRPO's at p = a/(a + b) and K = k/e is between (c - 1)/q and (c + 1)/q. *)
Definition ratio_check (G : nat) (a b k e c q : Z) : bool :=
  let qae_lower := lower_sum G a b (qae_part G a b k e) in
  let qae_upper := upper_sum G a b (qae_part G a b k e) in
  let grpo_lower := lower_sum G a b (grpo_part G a b) in
  let grpo_upper := upper_sum G a b (grpo_part G a b) in
  [&& (0 <? q)%Z, (0 <? c)%Z, (0 <? grpo_lower)%Z, ((c - 1) * grpo_upper <=? q * qae_lower)%Z
    & (q * qae_upper <=? (c + 1) * grpo_lower)%Z].

Lemma ratio_checked (G : nat) (a b k e c q : Z) (p K : R) (i : 'I_G) :
  (0 < a)%Z -> (0 < b)%Z -> (0 < k < e)%Z -> p = IZR a / (IZR a + IZR b) -> K = IZR k / IZR e ->
  ratio_check G a b k e c q ->
  Rabs (gain p (@qae G Population 0 K) i / gain p (@grpo G Population 0) i - IZR c / IZR q) <= / IZR q.
Proof.
move=> a0 b0 k0 hp hK; have [ql qu] := gain_qae_bounds i a0 b0 k0 hp hK; have [wl wu] := gain_grpo_bounds i a0 b0 hp.
have d0 := denominator_pos G a0 b0; rewrite /ratio_check.
set Q := gain p (qae _ _ _) i in ql qu *; set W := gain p (grpo _ _) i in wl wu *.
set QL := lower_sum G a b (qae_part _ _ _ _ _) in ql *; set QU := upper_sum G a b (qae_part _ _ _ _ _) in qu *.
set WL := lower_sum G a b (grpo_part _ _ _) in wl *; set WU := upper_sum G a b (grpo_part _ _ _) in wu *.
set D := denominator G a b in ql qu wl wu d0 *.
move: Q W QL QU WL WU D d0 ql qu wl wu => Q W QL QU WL WU D d0 ql qu wl wu.
move=> /and5P[/Z.ltb_lt/IZR_lt q0 /Z.ltb_lt c0 /Z.ltb_lt/IZR_lt w0 /Z.leb_le/IZR_le lo /Z.leb_le/IZR_le hi].
rewrite !mult_IZR minus_IZR in lo; rewrite !mult_IZR plus_IZR in hi.
have W0 : 0 < W by apply: (Rmult_lt_reg_r (IZR D)); lra.
have c1 : 0 <= IZR c - 1 by have : (1 <= c)%Z by [lia]; move/IZR_le; lra.
have low : (IZR c - 1) * W <= IZR q * Q.
  apply: (Rmult_le_reg_r (IZR D)) => //.
  have h1 := Rmult_le_compat_l _ _ _ c1 wu; have h2 := Rmult_le_compat_l _ _ _ (Rlt_le _ _ q0) ql; lra.
have high : IZR q * Q <= (IZR c + 1) * W.
  apply: (Rmult_le_reg_r (IZR D)) => //.
  have c2 : 0 <= IZR c + 1 by lra.
  have h1 := Rmult_le_compat_l _ _ _ c2 wl; have h2 := Rmult_le_compat_l _ _ _ (Rlt_le _ _ q0) qu; lra.
have -> : Q / W - IZR c / IZR q = (IZR q * Q - IZR c * W) * / (IZR q * W) by field; lra.
have qw : 0 < IZR q * W by apply: Rmult_lt_0_compat.
rewrite Rabs_mult (Rabs_pos_eq (/ _)); last by apply: Rlt_le; apply: Rinv_0_lt_compat.
have -> : / IZR q = W * / (IZR q * W) by field; lra.
apply: Rmult_le_compat_r; first by apply: Rlt_le; apply: Rinv_0_lt_compat.
by apply: Rabs_le; lra.
Qed.

(** At K = 2/5 the ratio is 1.0614, .8444 and 1.0553 at p = .02, .6 and .95 for G = 16, and .9528 at p = .6 for
    G = 256, each to half a unit of its last digit. *)
Theorem neutrality_dip_decimals :
  let ratio G p (i : 'I_G) := gain p (@qae G Population 0 (2 / 5)) i / gain p (@grpo G Population 0) i in
  (forall i : 'I_16, Rabs (ratio 16%N (2 / 100) i - 10614 / 10000) <= 1 / 20000)
  /\ (forall i : 'I_16, Rabs (ratio 16%N (6 / 10) i - 8444 / 10000) <= 1 / 20000)
  /\ (forall i : 'I_16, Rabs (ratio 16%N (95 / 100) i - 10553 / 10000) <= 1 / 20000)
  /\ (forall i : 'I_256, Rabs (ratio 256%N (6 / 10) i - 9528 / 10000) <= 1 / 20000).
Proof.
have unit : 1 / 20000 = / 20000 by field.
have check G (i : 'I_G) p (a b c : Z) : (0 < a)%Z -> (0 < b)%Z -> p = IZR a / (IZR a + IZR b) ->
    ratio_check G a b 2 5 (2 * c) 20000 ->
    Rabs (gain p (@qae G Population 0 (2 / 5)) i / gain p (@grpo G Population 0) i - IZR c / 10000) <= 1 / 20000.
  move=> a0 b0 hp h; rewrite unit (_ : IZR c / 10000 = IZR (2 * c) / 20000); last by rewrite mult_IZR; field.
  have k0 : (0 < 2 < 5)%Z by [].
  exact: (ratio_checked (e := 5) i a0 b0 k0 hp _ h).
split=> [i|]; first by apply: (check _ i _ _ _ 10614%Z (erefl Lt : (0 < 1)%Z) (erefl Lt : (0 < 49)%Z));
  [field | vm_cast_no_check (erefl true)].
split=> [i|]; first by apply: (check _ i _ _ _ 8444%Z (erefl Lt : (0 < 3)%Z) (erefl Lt : (0 < 2)%Z));
  [field | vm_cast_no_check (erefl true)].
split=> i; first by apply: (check _ i _ _ _ 10553%Z (erefl Lt : (0 < 19)%Z) (erefl Lt : (0 < 1)%Z));
  [field | vm_cast_no_check (erefl true)].
by apply: (check _ i _ _ _ 9528%Z (erefl Lt : (0 < 3)%Z) (erefl Lt : (0 < 2)%Z));
  [field | vm_cast_no_check (erefl true)].
Qed.

(** The whole claim: below 1 at p = 1 - K, with the exception G = 2, K = 1/2; above 1 near both ends for
    1/G < K <= 1 - 1/G, below 1 near one of them otherwise; above 1 at every other p in all large groups; and the
    decimals. *)
Theorem neutrality_dip :
  (forall (G : nat) (p K : R) (i : 'I_G), 0 < K < 1 -> p = 1 - K ->
      (2 < G)%N \/ (1 < G)%N /\ K <> 1 / 2 ->
      gain p (@qae G Population 0 K) i < gain p (@grpo G Population 0) i)
  /\ (forall (i : 'I_2),
      gain (1 / 2) (@qae 2 Population 0 (1 / 2)) i = gain (1 / 2) (@grpo 2 Population 0) i)
  /\ (forall (G : nat) (K : R) (i : 'I_G), / INR G < K <= 1 - / INR G ->
      let ratio p := gain p (@qae G Population 0 K) i / gain p (@grpo G Population 0) i in
      filterlim ratio (at_right 0) (locally (INR G / (INR G - 1)))
      /\ filterlim ratio (at_left 1) (locally (INR G / (INR G - 1)))
      /\ (exists d, 0 < d /\ forall p, 0 < p < d -> 1 < ratio p)
      /\ (exists d, 0 < d /\ forall p, 1 - d < p < 1 -> 1 < ratio p))
  /\ (forall (G : nat) (K : R) (i : 'I_G), (1 < G)%N -> 0 < K < 1 ->
      let ratio p := gain p (@qae G Population 0 K) i / gain p (@grpo G Population 0) i in
      (1 - / INR G < K -> filterlim ratio (at_right 0) (locally 0)
        /\ exists d, 0 < d /\ forall p, 0 < p < d -> ratio p < 1)
      /\ (K <= / INR G -> filterlim ratio (at_left 1) (locally 0)
        /\ exists d, 0 < d /\ forall p, 1 - d < p < 1 -> ratio p < 1))
  /\ (forall (p K : R), 0 < p < 1 -> 0 < K < 1 -> p <> 1 - K ->
      exists N : nat, forall (G : nat) (i : 'I_G), (N <= G)%N ->
        gain p (@grpo G Population 0) i < gain p (@qae G Population 0 K) i)
  /\ (let ratio G p (i : 'I_G) := gain p (@qae G Population 0 (2 / 5)) i / gain p (@grpo G Population 0) i in
      (forall i : 'I_16, Rabs (ratio 16%N (2 / 100) i - 10614 / 10000) <= 1 / 20000)
      /\ (forall i : 'I_16, Rabs (ratio 16%N (6 / 10) i - 8444 / 10000) <= 1 / 20000)
      /\ (forall i : 'I_16, Rabs (ratio 16%N (95 / 100) i - 10553 / 10000) <= 1 / 20000)
      /\ (forall i : 'I_256, Rabs (ratio 256%N (6 / 10) i - 9528 / 10000) <= 1 / 20000)).
Proof.
split; first exact: neutrality_dip_below.
split; first exact: neutrality_dip_two.
split; first exact: neutrality_dip_ends.
split; first exact: neutrality_dip_outside.
by split; [apply: neutrality_dip_closes | apply: neutrality_dip_decimals].
Qed.
