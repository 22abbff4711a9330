(** Claim neutrality-queries: over several queries the signs of two rules need not agree, because rules weigh queries by
    their gains. The smallest witness is exact; the decimals of the other one use bounds on two logarithms. *)

From Interval Require Import Tactic.
From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables.
From QAE Require Import NeutralityGains Neutrality NeutralityLimit GainBounds.

Set Implicit Arguments.
Unset Strict Implicit.

(** The expected entropy change of one step of size eta, for a query with the responses (p, 1 - p), of which the first
    is correct; its first-order part is the gain times -2 p^2 (1 - p)^2 log(p/(1 - p)). *)
Lemma two_arm_derive p G (A : estimator G) i : 0 < p < 1 -> equivariant A ->
  Derive (expected_change (logp (bernoulli p)) bit A) 0 = gain p A i * (-2 * (p * (1 - p)) ^ 2 * (ln p - ln (1 - p))).
Proof. by move=> hp eqv; apply: is_derive_unique; apply: two_arm_change. Qed.

(** Two queries with p = 1/5 and p = 3/4, G = 2 and K = 2/5: GRPO weighs both alike and lowers the sum of the entropies,
    QAE weighs them by 2 (1 - p) and raises it. *)
Theorem neutrality_queries_small :
  let change G (A : estimator G) p := Derive (expected_change (logp (bernoulli p)) bit A) 0 in
  change 2%N (@grpo 2 Population 0) (1 / 5) + change 2%N (@grpo 2 Population 0) (3 / 4) < 0
  /\ 0 < change 2%N (@qae 2 Population 0 (2 / 5)) (1 / 5) + change 2%N (@qae 2 Population 0 (2 / 5)) (3 / 4).
Proof.
have h1 : 0 < 1 / 5 < 1 by lra.
have h2 : 0 < 3 / 4 < 1 by lra.
have hK : 0 < 2 / 5 < 1 / 2 by lra.
have l1 : ln (1 / 5) - ln (1 - 1 / 5) = - (2 * ln 2).
  rewrite (_ : 1 - 1 / 5 = 2 * (2 * (1 / 5))); last by field.
  by rewrite !ln_mult; lra.
have l2 : ln (3 / 4) - ln (1 - 3 / 4) = ln 3.
  rewrite (_ : 3 / 4 = 3 * (1 / 4)); last by field.
  by rewrite (_ : 1 - 3 * (1 / 4) = 1 / 4) ?ln_mult; lra.
have a : ln 3 < 2 * ln 2.
  by rewrite (_ : 2 * ln 2 = ln (2 * 2)); [apply: ln_increasing; lra | rewrite ln_mult; lra].
have b : 3 * ln 2 < 2 * ln 3.
  rewrite (_ : 3 * ln 2 = ln (2 * 2 * 2)); last by rewrite !ln_mult; lra.
  by rewrite (_ : 2 * ln 3 = ln (3 * 3)); [apply: ln_increasing; lra | rewrite ln_mult; lra].
move=> change; rewrite /change !(two_arm_derive (ord0 : 'I_2)) //;
  try exact: grpo_equivariant; try exact: qae_equivariant.
by rewrite !gain_two_grpo // !gain_two_qae // l1 l2; lra.
Qed.

(** Bounds on a gain from the integers of GainBounds.v, with five digits after the point. *)
Definition gain_check (G : nat) (a b l : Z) (part : nat -> Z * Z) : bool :=
  (l * denominator G a b <=? 100000 * lower_sum G a b part)%Z &&
  (100000 * upper_sum G a b part <=? (l + 1) * denominator G a b)%Z.

Lemma decimal_bounds (w : R) (d l low up : Z) : (0 < d)%Z -> IZR low <= w * IZR d <= IZR up ->
  (l * d <=? 100000 * low)%Z -> (100000 * up <=? (l + 1) * d)%Z -> IZR l / 100000 <= w <= (IZR l + 1) / 100000.
Proof.
move=> /IZR_lt d0 hw /Z.leb_le/IZR_le + /Z.leb_le/IZR_le; rewrite !mult_IZR plus_IZR => lo hi.
have q0 : 0 < 100000 by lra.
set q := 100000 in lo hi q0 *.
split; apply: (Rmult_le_reg_r (q * IZR d)); try exact: Rmult_lt_0_compat.
  rewrite (_ : IZR l / q * (q * IZR d) = IZR l * IZR d); last by field; lra.
  by have := Rmult_le_compat_l q _ _ (Rlt_le _ _ q0) (proj1 hw); lra.
rewrite (_ : (IZR l + 1) / q * (q * IZR d) = (IZR l + 1) * IZR d); last by field; lra.
by have := Rmult_le_compat_l q _ _ (Rlt_le _ _ q0) (proj2 hw); lra.
Qed.

Lemma grpo_decimal (G : nat) (a b l : Z) (p : R) (i : 'I_G) : (0 < a)%Z -> (0 < b)%Z ->
  p = IZR a / (IZR a + IZR b) -> gain_check G a b l (grpo_part G a b) ->
  IZR l / 100000 <= gain p (@grpo G Population 0) i <= (IZR l + 1) / 100000.
Proof.
move=> a0 b0 hp /andP[]; apply: decimal_bounds (gain_grpo_bounds i a0 b0 hp).
by apply: lt_IZR; apply: denominator_pos.
Qed.

Lemma qae_decimal (G : nat) (a b l : Z) (p : R) (i : 'I_G) : (0 < a)%Z -> (0 < b)%Z ->
  p = IZR a / (IZR a + IZR b) -> gain_check G a b l (qae_part G a b 2 5) ->
  IZR l / 100000 <= gain p (@qae G Population 0 (2 / 5)) i <= (IZR l + 1) / 100000.
Proof.
move=> a0 b0 hp /andP[]; have k0 : (0 < 2 < 5)%Z by [].
apply: decimal_bounds (gain_qae_bounds (e := 5) i a0 b0 k0 hp _) => //.
by apply: lt_IZR; apply: denominator_pos.
Qed.

(** Two queries with two responses each, of which the first is correct with p = .1 and p = .63; G = 16 and K = .4. The
    first-order change of the sum of their expected entropies is -.0141 under GRPO and +.0080 under QAE, each to half a
    unit of its last digit. *)
Theorem neutrality_queries_decimals :
  let change (A : estimator 16) p := Derive (expected_change (logp (bernoulli p)) bit A) 0 in
  Rabs (change (@grpo 16 Population 0) (1 / 10) + change (@grpo 16 Population 0) (63 / 100) + 141 / 10000)
    <= 1 / 20000
  /\ Rabs (change (@qae 16 Population 0 (2 / 5)) (1 / 10) + change (@qae 16 Population 0 (2 / 5)) (63 / 100)
      - 80 / 10000) <= 1 / 20000.
Proof.
have h1 : 0 < 1 / 10 < 1 by lra.
have h2 : 0 < 63 / 100 < 1 by lra.
pose i := ord0 : 'I_16.
move=> change; rewrite /change !(two_arm_derive i) //; try exact: grpo_equivariant; try exact: qae_equivariant.
have e1 : 1 / 10 = IZR 1 / (IZR 1 + IZR 9) by field.
have e2 : 63 / 100 = IZR 63 / (IZR 63 + IZR 37) by field.
have w1 : IZR 284781 / 100000 <= gain (1 / 10) (@grpo 16 Population 0) i <= (IZR 284781 + 1) / 100000.
  by apply: (grpo_decimal (a := 1) (b := 9)) e1 _; last by vm_cast_no_check (erefl true).
have w2 : IZR 199694 / 100000 <= gain (63 / 100) (@grpo 16 Population 0) i <= (IZR 199694 + 1) / 100000.
  by apply: (grpo_decimal (a := 63) (b := 37)) e2 _; last by vm_cast_no_check (erefl true).
have q1 : IZR 298730 / 100000 <= gain (1 / 10) (@qae 16 Population 0 (2 / 5)) i <= (IZR 298730 + 1) / 100000.
  by apply: (qae_decimal (a := 1) (b := 9)) e1 _; last by vm_cast_no_check (erefl true).
have q2 : IZR 170047 / 100000 <= gain (63 / 100) (@qae 16 Population 0 (2 / 5)) i <= (IZR 170047 + 1) / 100000.
  by apply: (qae_decimal (a := 63) (b := 37)) e2 _; last by vm_cast_no_check (erefl true).
move: (gain _ _ i) (gain _ _ i) (gain _ _ i) (gain _ _ i) w1 w2 q1 q2 => W1 W2 Q1 Q2 w1 w2 q1 q2.
by split; interval with (i_prec 60).
Qed.

(** The whole claim: the smallest witness, and the one at a usual group size with its decimals. *)
Theorem neutrality_queries :
  (let change G (A : estimator G) p := Derive (expected_change (logp (bernoulli p)) bit A) 0 in
      change 2%N (@grpo 2 Population 0) (1 / 5) + change 2%N (@grpo 2 Population 0) (3 / 4) < 0
      /\ 0 < change 2%N (@qae 2 Population 0 (2 / 5)) (1 / 5) + change 2%N (@qae 2 Population 0 (2 / 5)) (3 / 4))
  /\ (let change (A : estimator 16) p := Derive (expected_change (logp (bernoulli p)) bit A) 0 in
      Rabs (change (@grpo 16 Population 0) (1 / 10) + change (@grpo 16 Population 0) (63 / 100) + 141 / 10000)
        <= 1 / 20000
      /\ Rabs (change (@qae 16 Population 0 (2 / 5)) (1 / 10) + change (@qae 16 Population 0 (2 / 5)) (63 / 100)
          - 80 / 10000) <= 1 / 20000).
Proof.
by split; [apply: neutrality_queries_small | apply: neutrality_queries_decimals].
Qed.
