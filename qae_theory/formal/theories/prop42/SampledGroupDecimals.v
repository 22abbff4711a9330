(** Proposition 4.2 for the step that a trainer takes on a sampled group is refuted (claim prop42-sampled-group): the
    witnesses W1 to W4 with their decimals, by interval arithmetic. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables SampledGroup.
From Interval Require Import Tactic.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The expected change in three responses, groups of two, a constant baseline *)

Lemma entropy_three (z : 'I_3 -> R) (x y w : R) :
  z ord0 = x -> z (lift ord0 ord0) = y -> z (lift ord0 (lift ord0 ord0)) = w ->
  entropy (softmax z) = ln (exp x + (exp y + exp w)) - (exp x * x + (exp y * y + exp w * w)) / (exp x + (exp y + exp w)).
Proof.
move=> <- <- <-; have e1 := exp_pos (z ord0); have e2 := exp_pos (z (lift ord0 ord0)).
have e3 := exp_pos (z (lift ord0 (lift ord0 ord0))).
by rewrite /entropy /mean /logp sum_three !ln_softmax /softmax !sum_three; field; lra.
Qed.

(** The change of three responses of probabilities u, v and v along the direction (x, y, w). *)
Definition change_three (u v x y w : R) : R :=
  ln (u * exp x + (v * exp y + v * exp w))
  - (u * exp x * (ln u + x) + (v * exp y * (ln v + y) + v * exp w * (ln v + w))) / (u * exp x + (v * exp y + v * exp w))
  + (u * ln u + 2 * v * ln v).

Section Three.
Variables (u v b : R).
Hypotheses (hu : 0 < u) (hv : 0 < v) (one : u + 2 * v = 1).
Let p : 'I_3 -> R := fun y => if y == ord0 then u else v.

Lemma three_policy : policy p.
Proof. by split=> [y|]; rewrite ?sum_three /p /=; [case: (y == ord0) | lra]. Qed.

Lemma entropy_change_three (d : 'I_3 -> R) eta : entropy_change (logp p) d eta =
  change_three u v (eta * d ord0) (eta * d (lift ord0 ord0)) (eta * d (lift ord0 (lift ord0 ord0))).
Proof.
rewrite /entropy_change /path_entropy (softmax_logp three_policy) (entropy_three (z := step _ _ _) erefl erefl erefl).
rewrite /step /logp /p /= !exp_plus !exp_ln // /entropy /mean /logp sum_three /= /change_three; lra.
Qed.

(** The sum over the nine pairs of responses. *)
Lemma expected_change_three eta : expected_change (logp p) first_correct (@constant 2 b) eta =
  \sum_i \sum_j p i * p j * let d y := ((first_correct i - b) * (bit (i == y) - p y)
                                         + (first_correct j - b) * (bit (j == y) - p y)) / 2 in
    change_three u v (eta * d ord0) (eta * d (lift ord0 ord0)) (eta * d (lift ord0 (lift ord0 ord0))).
Proof.
rewrite /expected_change (softmax_logp three_policy) expect_two; apply: eq_bigr => i _; apply: eq_bigr => j _.
by rewrite entropy_change_three !sampled_pair /constant /rewards !ffunE.
Qed.

(** The same given a hard group at K = 2/5: every pair but that of two correct responses is hard. *)
Lemma hard_pair (i j : 'I_3) :
  hard (2 / 5) (rewards first_correct (pair_group i j)) = ~~ ((i == ord0) && (j == ord0)).
Proof.
have bin : binary (rewards first_correct (pair_group i j)) by move=> k; apply: bit_binary.
have m : num_correct (rewards first_correct (pair_group i j)) = ((i == ord0) + (j == ord0))%N.
  apply: INR_eq; rewrite INR_add -(sum_binary bin) !big_ord_recl big_ord0 Rplus_0_r /rewards !ffunE /= /first_correct.
  by case: (i == ord0); case: (j == ord0).
rewrite /hard /success_rate m.
by case: (i == ord0); case: (j == ord0) => /=; [apply: Rleb_false | apply: Rleb_true ..]; lra.
Qed.

Lemma expected_change_given_three eta :
  expect_given p (fun g : {ffun 'I_2 -> 'I_3} => hard (2 / 5) (rewards first_correct g))
    (fun g => entropy_change (logp p) (sampled_group p g (constant b (rewards first_correct g))) eta) =
  (\sum_i \sum_j p i * p j * (bit (~~ ((i == ord0) && (j == ord0)))
     * let d y := ((first_correct i - b) * (bit (i == y) - p y) + (first_correct j - b) * (bit (j == y) - p y)) / 2 in
       change_three u v (eta * d ord0) (eta * d (lift ord0 ord0)) (eta * d (lift ord0 (lift ord0 ord0)))))
  / (1 - u ^ 2).
Proof.
rewrite /expect_given !expect_two; congr (_ / _).
  apply: eq_bigr => i _; apply: eq_bigr => j _.
  by rewrite entropy_change_three !sampled_pair /constant /rewards !ffunE -hard_pair.
rewrite (eq_bigr (fun i => \sum_j p i * p j * bit (~~ ((i == ord0) && (j == ord0))))) => [|i _]; last first.
  by apply: eq_bigr => j _; rewrite hard_pair.
by rewrite !sum_three /p /bit /=; nra.
Qed.
End Three.

Lemma expected_change_two q b eta : 0 < q < 1 -> expected_change (logp (bernoulli q)) bit (@constant 2 b) eta =
  q ^ 2 * (gap_entropy (ln q - ln (1 - q) + eta * (2 * (1 - b) * (1 - q))) - gap_entropy (ln q - ln (1 - q)))
  + 2 * q * (1 - q) * (gap_entropy (ln q - ln (1 - q) + eta * ((1 - b) * (1 - q) + b * q))
                       - gap_entropy (ln q - ln (1 - q)))
  + (1 - q) ^ 2 * (gap_entropy (ln q - ln (1 - q) + eta * (2 * b * q)) - gap_entropy (ln q - ln (1 - q))).
Proof.
move=> hq; rewrite /expected_change (softmax_bernoulli hq) expect_two !sum_bool !entropy_change_two.
rewrite !(pair_gap q (@constant_table 2 b)) /bit /logp /bernoulli.
set u := ln q - ln (1 - q).
have -> : eta * ((1 - b) * (1 - q) + (1 - b) * (1 - q)) = eta * (2 * (1 - b) * (1 - q)) by ring.
have -> : eta * ((1 - b) * (1 - q) + (0 - b) * (0 - q)) = eta * ((1 - b) * (1 - q) + b * q) by ring.
have -> : eta * ((0 - b) * (0 - q) + (1 - b) * (1 - q)) = eta * ((1 - b) * (1 - q) + b * q) by ring.
have -> : eta * ((0 - b) * (0 - q) + (0 - b) * (0 - q)) = eta * (2 * b * q) by ring.
by ring.
Qed.

(** * The claim *)

(** W1: pi = (1/10, 9/10), standardised, K = 2/5: a hard query whose mixed pairs are hard. For every step size up to
    (log 9)/1.8 QAE raises expected entropy more than GRPO, and GRPO more than b = 1. *)
Theorem prop42_sampled_group_W1 :
  let p := bernoulli (1 / 10) in
  let change := fun (A : estimator 2) eta => expected_change (logp p) bit A eta in
  softmax (logp p) = p /\ mean p bit <= 1 - 2 / 5
  /\ (forall g : {ffun 'I_2 -> bool}, ~~ degenerate (rewards bit g) -> hard (2 / 5) (rewards bit g))
  /\ (forall eta, 0 < eta <= ln 9 / (18 / 10) ->
        0 < change (standardised Population 0 1) eta
        /\ change (standardised Population 0 1) eta < change (grpo Population 0) eta
        /\ change (grpo Population 0) eta < change (qae Population 0 (2 / 5)) eta)
  /\ Rabs (change (qae Population 0 (2 / 5)) (1 / 10) - 65956 / 10 ^ 7) <= 5 / 10 ^ 8
  /\ Rabs (change (grpo Population 0) (1 / 10) - 36192 / 10 ^ 7) <= 5 / 10 ^ 8
  /\ Rabs (change (standardised Population 0 1) (1 / 10) - 7143 / 10 ^ 7) <= 5 / 10 ^ 8.
Proof.
move=> p change; have hq : 0 < 1 / 10 < 1 by lra. have hK : 0 < 2 / 5 <= 1 by lra.
split; first exact: softmax_bernoulli.
split; first by rewrite mean_bernoulli /=; lra.
split; first by move=> g /mixed_pair ->; apply: Rleb_true; lra.
split.
  move=> eta h; apply: prop42_sampled_group_hard; try lra.
  have -> : (1 - 1 / 10) / (1 / 10) = 9 by field.
  by have -> : 2 * (1 - 1 / 10) = 18 / 10 by field.
rewrite /change (qae_pairs (1 / 10) hq hK) (grpo_pairs (1 / 10) hq) (constant_pairs (1 / 10) hq).
rewrite /gate Rleb_true; last by lra.
by rewrite /standardised_change /gap_entropy; split; last split; interval with (i_prec 40).
Qed.

(** W2, the easy mirror: pi = (9/10, 1/10), K = 3/5: QAE lowers expected entropy more, at every step size. *)
Theorem prop42_sampled_group_W2 :
  let p := bernoulli (9 / 10) in
  let change := fun (A : estimator 2) eta => expected_change (logp p) bit A eta in
  softmax (logp p) = p /\ 1 - 3 / 5 < mean p bit
  /\ (forall g : {ffun 'I_2 -> bool}, ~~ degenerate (rewards bit g) -> ~~ hard (3 / 5) (rewards bit g))
  /\ (forall eta, 0 < eta ->
        change (qae Population 0 (3 / 5)) eta < change (grpo Population 0) eta
        /\ change (grpo Population 0) eta < change (standardised Population 0 0) eta
        /\ change (standardised Population 0 0) eta < 0)
  /\ Rabs (change (qae Population 0 (3 / 5)) (1 / 10) - - 620 / 10 ^ 5) <= 5 / 10 ^ 6
  /\ Rabs (change (grpo Population 0) (1 / 10) - - 350 / 10 ^ 5) <= 5 / 10 ^ 6.
Proof.
move=> p change; have hq : 0 < 9 / 10 < 1 by lra. have hK : 0 < 3 / 5 <= 1 by lra.
split; first exact: softmax_bernoulli.
split; first by rewrite mean_bernoulli /=; lra.
split; first by move=> g /mixed_pair ->; rewrite Rleb_false //; lra.
split; first by move=> eta h; apply: prop42_sampled_group_easy; lra.
rewrite /change (qae_pairs (1 / 10) hq hK) (grpo_pairs (1 / 10) hq).
rewrite /gate Rleb_false; last by lra.
by rewrite /standardised_change /gap_entropy; split; interval with (i_prec 40).
Qed.

(** W3: a constant baseline, not standardised, eta = 1. On the hard query (1/4, 3/8, 3/8) the quantile b = 0 raises
    expected entropy and b = 1 lowers it; on the easy query (7/10, 3/10) the quantile b = 1 lowers it more than b = 0. *)
Theorem prop42_sampled_group_W3 :
  let p := fun y : 'I_3 => if y == ord0 then 1 / 4 else 3 / 8 in
  let r := fun y : 'I_3 => bit (y == ord0) in
  let q := bernoulli (7 / 10) in
  let hard_change := fun b => expected_change (logp p) r (@constant 2 b) 1 in
  let easy_change := fun b => expected_change (logp q) bit (@constant 2 b) 1 in
  softmax (logp p) = p /\ softmax (logp q) = q /\ mean p r <= 1 - 2 / 5 /\ 1 - 2 / 5 < mean q bit
  /\ Rabs (hard_change 0 - 21493 / 10 ^ 7) <= 5 / 10 ^ 8
  /\ Rabs (hard_change 1 - - 177424 / 10 ^ 7) <= 5 / 10 ^ 8
  /\ Rabs (easy_change 0 - - 854124 / 10 ^ 7) <= 5 / 10 ^ 8
  /\ Rabs (easy_change 1 - - 880914 / 10 ^ 7) <= 5 / 10 ^ 8.
Proof.
move=> p r q hard_change easy_change; have hq : 0 < 7 / 10 < 1 by lra.
have [hu hv one] : [/\ 0 < 1 / 4, 0 < 3 / 8 & 1 / 4 + 2 * (3 / 8) = 1] by split; lra.
split; first by apply: softmax_logp; apply: (three_policy hu hv one).
split; first exact: softmax_bernoulli.
split; first by rewrite /mean sum_three /p /r /bit /=; lra.
split; first by rewrite mean_bernoulli /=; lra.
rewrite /hard_change /easy_change !(expected_change_two _ _ hq) !(expected_change_three _ hu hv one).
rewrite !sum_three /first_correct /change_three /bit /gap_entropy /=.
by do 3 (split; first by interval with (i_prec 40)); interval with (i_prec 40).
Qed.

(** W4: given a hard group, pi = (1/2, 1/4, 1/4), K = 2/5, not standardised: at first order, and at eta = 1/10, the
    quantile b = 0 leaves expected entropy higher than b = 1. *)
Theorem prop42_sampled_group_W4 :
  let p := fun y : 'I_3 => if y == ord0 then 1 / 2 else 1 / 4 in
  let r := fun y : 'I_3 => bit (y == ord0) in
  let change := fun b eta => expect_given p (fun g : {ffun 'I_2 -> 'I_3} => hard (2 / 5) (rewards r g))
    (fun g => entropy_change (logp p) (sampled_group p g (constant b (rewards r g))) eta) in
  softmax (logp p) = p
  /\ (forall b, is_derive (change b) 0 (- (1 + b) / 16 * ln 2))
  /\ Rabs (change 0 (1 / 10) - - 445 / 10 ^ 5) <= 5 / 10 ^ 6
  /\ Rabs (change 1 (1 / 10) - - 914 / 10 ^ 5) <= 5 / 10 ^ 6.
Proof.
move=> p r change.
have [hu hv one] : [/\ 0 < 1 / 2, 0 < 1 / 4 & 1 / 2 + 2 * (1 / 4) = 1] by split; lra.
split; first exact: (softmax_logp quarters_policy).
split; first by move=> b; apply: prop42_sampled_group_given_hard.
rewrite /change !(expected_change_given_three _ hu hv one) !sum_three /first_correct /change_three /bit /=.
by split; interval with (i_prec 40).
Qed.

(** The claim is refuted: on a hard query with a hard mixed group QAE can raise expected entropy more than GRPO does, on
    an easy query with easy mixed groups it can lower it more, and so it is without standardisation, at second order, and
    given the regime of the group, at first order. *)
Theorem prop42_sampled_group :
  (* The order of Proposition 4.2 fails for QAE against GRPO, on hard and on easy queries. *)
  ~ (forall (G : nat) (T : finType) (z r : T -> R) (K eta : R),
       binary r -> 0 < K < 1 -> 0 < eta -> mean (softmax z) r <= 1 - K ->
       expected_change z r (@qae G Population 0 K) eta <= expected_change z r (@grpo G Population 0) eta)
  /\ ~ (forall (G : nat) (T : finType) (z r : T -> R) (K eta : R),
       binary r -> 0 < K < 1 -> 0 < eta -> 1 - K < mean (softmax z) r ->
       expected_change z r (@grpo G Population 0) eta <= expected_change z r (@qae G Population 0 K) eta)
  (* W1: pi = (1/10, 9/10), K = 2/5, groups of two, standardised. *)
  /\ (let p := bernoulli (1 / 10) in
      let change := fun (A : estimator 2) eta => expected_change (logp p) bit A eta in
      softmax (logp p) = p /\ mean p bit <= 1 - 2 / 5
      /\ (forall g : {ffun 'I_2 -> bool}, ~~ degenerate (rewards bit g) -> hard (2 / 5) (rewards bit g))
      /\ (forall eta, 0 < eta <= ln 9 / (18 / 10) ->
            0 < change (standardised Population 0 1) eta
            /\ change (standardised Population 0 1) eta < change (grpo Population 0) eta
            /\ change (grpo Population 0) eta < change (qae Population 0 (2 / 5)) eta)
      /\ Rabs (change (qae Population 0 (2 / 5)) (1 / 10) - 65956 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (change (grpo Population 0) (1 / 10) - 36192 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (change (standardised Population 0 1) (1 / 10) - 7143 / 10 ^ 7) <= 5 / 10 ^ 8)
  (* W2: the easy mirror, pi = (9/10, 1/10), K = 3/5. *)
  /\ (let p := bernoulli (9 / 10) in
      let change := fun (A : estimator 2) eta => expected_change (logp p) bit A eta in
      softmax (logp p) = p /\ 1 - 3 / 5 < mean p bit
      /\ (forall g : {ffun 'I_2 -> bool}, ~~ degenerate (rewards bit g) -> ~~ hard (3 / 5) (rewards bit g))
      /\ (forall eta, 0 < eta ->
            change (qae Population 0 (3 / 5)) eta < change (grpo Population 0) eta
            /\ change (grpo Population 0) eta < change (standardised Population 0 0) eta
            /\ change (standardised Population 0 0) eta < 0)
      /\ Rabs (change (qae Population 0 (3 / 5)) (1 / 10) - - 620 / 10 ^ 5) <= 5 / 10 ^ 6
      /\ Rabs (change (grpo Population 0) (1 / 10) - - 350 / 10 ^ 5) <= 5 / 10 ^ 6)
  (* W3: not standardised, constant baselines, eta = 1: a hard query of three responses and an easy one of two. *)
  /\ (let p := fun y : 'I_3 => if y == ord0 then 1 / 4 else 3 / 8 in
      let r := fun y : 'I_3 => bit (y == ord0) in
      let q := bernoulli (7 / 10) in
      let hard_change := fun b => expected_change (logp p) r (@constant 2 b) 1 in
      let easy_change := fun b => expected_change (logp q) bit (@constant 2 b) 1 in
      softmax (logp p) = p /\ softmax (logp q) = q /\ mean p r <= 1 - 2 / 5 /\ 1 - 2 / 5 < mean q bit
      /\ Rabs (hard_change 0 - 21493 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (hard_change 1 - - 177424 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (easy_change 0 - - 854124 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (easy_change 1 - - 880914 / 10 ^ 7) <= 5 / 10 ^ 8)
  (* W4: given a hard group, pi = (1/2, 1/4, 1/4), K = 2/5: the slope at 0, and the change at eta = 1/10. *)
  /\ (let p := fun y : 'I_3 => if y == ord0 then 1 / 2 else 1 / 4 in
      let r := fun y : 'I_3 => bit (y == ord0) in
      let change := fun b eta => expect_given p (fun g : {ffun 'I_2 -> 'I_3} => hard (2 / 5) (rewards r g))
        (fun g => entropy_change (logp p) (sampled_group p g (constant b (rewards r g))) eta) in
      softmax (logp p) = p
      /\ (forall b, is_derive (change b) 0 (- (1 + b) / 16 * ln 2))
      /\ Rabs (change 0 (1 / 10) - - 445 / 10 ^ 5) <= 5 / 10 ^ 6
      /\ Rabs (change 1 (1 / 10) - - 914 / 10 ^ 5) <= 5 / 10 ^ 6).
Proof.
split.
  move=> order; have [sm [hard_query [_ [w1 _]]]] := prop42_sampled_group_W1.
  have small : 0 < 1 / 10 <= ln 9 / (18 / 10) by split; interval with (i_prec 40).
  have [_ [_ lt]] := w1 _ small.
  have := order 2%N _ (logp (bernoulli (1 / 10))) bit (2 / 5) (1 / 10) (@bit_binary _ id).
  by rewrite sm => /(_ ltac:(lra) ltac:(lra) hard_query); lra.
split.
  move=> order; have [sm [easy_query [_ [w2 _]]]] := prop42_sampled_group_W2.
  have [lt _] := w2 1 Rlt_0_1.
  have := order 2%N _ (logp (bernoulli (9 / 10))) bit (3 / 5) 1 (@bit_binary _ id).
  by rewrite sm => /(_ ltac:(lra) ltac:(lra) easy_query); lra.
split; first exact: prop42_sampled_group_W1.
split; first exact: prop42_sampled_group_W2.
split; first exact: prop42_sampled_group_W3.
exact: prop42_sampled_group_W4.
Qed.
