(** Around Prop. 4.1: the token normaliser, the second moment of the advantages, and what masking nothing gives (claims
    prop41-token-normaliser, prop41-token-normaliser-if, advantage-second-moment and masks-special-case). *)

From QAE Require Import Compat Definitions Sums Rewards Groups Tables Gate ListedGroups Objective.

Set Implicit Arguments.
Unset Strict Implicit.

(** * DAPO's token normaliser *)

Lemma dapo_equal_lengths G lo hi (L : 'I_G -> nat) v A n : (forall i, L i = n) ->
  dapo_objective lo hi L v A = group_objective lo hi L v A.
Proof.
move=> e; rewrite /dapo_objective /group_objective /group_mean /token_mean.
rewrite [in RHS](eq_bigr (fun i => (\sum_(t < L i) surrogate lo hi (v i t) (A i)) / INR n)) => [|i _]; last first.
  by rewrite e.
rewrite sum_div (_ : (\sum_i L i)%N = (G * n)%N) ?INR_mul; last first.
  by rewrite (eq_bigr (fun _ => n)) // sum_nat_const card_ord.
by rewrite /Rdiv Rinv_mult; ring.
Qed.

(** If all responses have the same length then DAPO's normaliser, one mean over all tokens, is the mean of the
    responses' token means, whatever the advantages, so that the identity of Prop. 4.1 holds. *)
Theorem prop41_token_normaliser_if : forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat)
    (v : 'I_G -> nat -> R) (n : nat),
  (forall i, L i = n) ->
  (forall A, dapo_objective lo hi L v A = group_objective lo hi L v A)
  /\ (binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
      dapo_objective lo hi L v (qae Population 0 K x)
      = masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                               (if hard K x then 0 else v_weight (success_rate x)) L v x).
Proof.
move=> G x K lo hi L v n e; split=> [A|bin mixed hK l0 h0]; first exact: dapo_equal_lengths e.
by rewrite (dapo_equal_lengths lo hi v _ e); have [-> _] := prop41_identity L v bin mixed hK l0 h0.
Qed.

(** With responses of unequal lengths the identity fails for DAPO's normaliser. Two responses, the correct one of one
    token and the wrong one of two, all ratios 1, at K = 2/5: the mean over all tokens is 2/3, the masked form and the
    mean of token means are 1. *)
Theorem prop41_token_normaliser :
  ~ (forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
       binary x -> ~~ degenerate x -> 0 < K < 1 -> 0 <= lo -> 0 <= hi ->
       (forall i, (0 < L i)%N) -> (forall i t, 0 < v i t) ->
       dapo_objective lo hi L v (qae Population 0 K x)
       = masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                (if hard K x then 0 else v_weight (success_rate x)) L v x)
  /\ (forall lo hi : R, 0 <= lo -> 0 <= hi ->
       let x (i : 'I_2) := bit (i < 1)%N in
       let L (i : 'I_2) := i.+1 in
       let v (i : 'I_2) (t : nat) := 1 in
       dapo_objective lo hi L v (qae Population 0 (2 / 5) x) = 2 / 3
       /\ group_objective lo hi L v (qae Population 0 (2 / 5) x) = 1
       /\ hard (2 / 5) x
       /\ masked_objective lo hi (u_weight (success_rate x)) 0 L v x = 1).
Proof.
have witness (lo hi : R) : 0 <= lo -> 0 <= hi ->
       let x (i : 'I_2) := bit (i < 1)%N in
       let L (i : 'I_2) := i.+1 in
       let v (i : 'I_2) (t : nat) := 1 in
       dapo_objective lo hi L v (qae Population 0 (2 / 5) x) = 2 / 3
       /\ group_objective lo hi L v (qae Population 0 (2 / 5) x) = 1
       /\ hard (2 / 5) x
       /\ masked_objective lo hi (u_weight (success_rate x)) 0 L v x = 1.
  move=> l0 h0 x L v; have bin : binary x := @binary_first 2 1.
  have mixed : ~~ degenerate x by apply: mixed_first.
  have p : success_rate x = 1 / 2 by rewrite success_rate_first //=; field.
  have hd : hard (2 / 5) x by apply/RlebP; rewrite p; lra.
  have hK : 0 < 2 / 5 <= 1 by lra. have e0 : 0 <= 0 by lra.
  have st : std Population x = 1 / 2.
    by have [_ [h _]] := mixed_std_bounds bin mixed; apply: h.
  have [up [down _]] := gate_hard (G := 2) Population isT hK e0 bin hd.
  have A0 : qae Population 0 (2 / 5) x ord0 = 2.
    by have [-> _] := up ord0 erefl; rewrite st; field.
  have A1 : qae Population 0 (2 / 5) x (lift ord0 ord0) = 0 by apply: down.
  have t0 : surrogate lo hi 1 2 = 2 by rewrite surrogate_pos ?Rmin_left; lra.
  have t1 : surrogate lo hi 1 0 = 0 by rewrite surrogate_pos ?Rmult_0_l; lra.
  have obj : group_objective lo hi L v (qae Population 0 (2 / 5) x) = 1.
    rewrite /group_objective /group_mean (eq_bigr (fun i => surrogate lo hi 1 (qae Population 0 (2 / 5) x i))).
      by rewrite !big_ord_recl big_ord0 A0 A1 t0 t1 /=; field.
    by move=> i _; rewrite /token_mean /v sum_const_ord; field; apply: INR_neq0.
  split.
    rewrite /dapo_objective (eq_bigr (fun i => INR (L i) * surrogate lo hi 1 (qae Population 0 (2 / 5) x i))).
      by rewrite !big_ord_recl !big_ord0 A0 A1 t0 t1 /=; field.
    by move=> i _; rewrite /v sum_const_ord.
  split=> //; split=> //; rewrite -obj.
  by have [-> _] := prop41_identity L v bin mixed hK l0 h0; rewrite hd.
split=> //; move=> claim; have e0 : 0 <= 0 by lra.
have [a [_ [hd m]]] := witness 0 0 e0 e0; have hK : 0 < 2 / 5 < 1 by lra.
have mixed : ~~ degenerate (fun i : 'I_2 => bit (i < 1)%N) by apply: mixed_first.
have := claim 2%N _ (2 / 5) 0 0 (fun i => i.+1) (fun _ _ => 1) (@binary_first 2 1) mixed hK e0 e0.
by rewrite a hd m => h; have := h (fun i => isT) (fun i t => Rlt_0_1); lra.
Qed.

(** * The second moment of the advantages *)

Lemma second_moment G (x num : 'I_G -> R) a b : binary x -> ~~ degenerate x ->
  (forall i, x i = 1 -> num i = a) -> (forall i, x i = 0 -> num i = b) ->
  group_mean (fun i => over_std Population 0 num x i ^ 2)
  = (success_rate x * a ^ 2 + (1 - success_rate x) * b ^ 2) / (success_rate x * (1 - success_rate x)).
Proof.
move=> bin mixed up down; have hp := mixed_success_rate bin mixed; have G0 := ltnW (mixed_size mixed).
have g := INR_pos G0; have s := sqrt_pq_gt0 hp; have sq := sqrt_pq_square hp.
rewrite /group_mean (eq_bigr (fun i => (a ^ 2 - b ^ 2) / (success_rate x * (1 - success_rate x)) * x i
  + b ^ 2 / (success_rate x * (1 - success_rate x)))) => [|i _].
  by rewrite sum_add sum_scale sum_binary // sum_const_ord success_rate_num //; field; lra.
rewrite over_std_mixed // std_population_binary // Rplus_0_r; set w := sqrt _ in s sq *; rewrite -sq.
by case: (bin i) => e; rewrite e ?(up _ e) ?(down _ e); field; lra.
Qed.

(** For a mixed group, with the population's standard deviation and eps = 0, the mean square of QAE's advantages is
    1/(1 - p) in a hard group and 1/p in an easy one, p the success rate; GRPO's is 1. QAE's advantages are sparser,
    but larger. *)
Theorem advantage_second_moment : forall (G : nat) (x : 'I_G -> R) (K : R),
  binary x -> ~~ degenerate x -> 0 < K <= 1 ->
  group_mean (fun i => qae Population 0 K x i ^ 2)
    = (if hard K x then 1 / (1 - success_rate x) else 1 / success_rate x)
  /\ group_mean (fun i => grpo Population 0 x i ^ 2) = 1
  /\ 1 < group_mean (fun i => qae Population 0 K x i ^ 2).
Proof.
move=> G x K bin mixed hK; have hp := mixed_success_rate bin mixed; have G0 := ltnW (mixed_size mixed).
have q : group_mean (fun i => qae Population 0 K x i ^ 2)
    = (if hard K x then 1 / (1 - success_rate x) else 1 / success_rate x).
  rewrite /qae /standardised (quantile_binary bin G0 hK); case: (hard K x).
    by rewrite (second_moment (a := 1) (b := 0) bin mixed) => [|i ->|i ->]; [field; lra | ring | ring].
  by rewrite (second_moment (a := 0) (b := -1) bin mixed) => [|i ->|i ->]; [field; lra | ring | ring].
split=> //; split.
  rewrite /grpo /standardised (group_mean_binary bin).
  rewrite (second_moment (a := 1 - success_rate x) (b := - success_rate x) bin mixed) => [|i ->|i ->]; try ring.
  by field; lra.
rewrite q; case: hard; rewrite /Rdiv Rmult_1_l -{1}Rinv_1; apply: Rinv_lt_contravar; lra.
Qed.

(** * Nothing masked *)

Lemma u_above p : 0 < p < 1 -> sqrt (p * (1 - p)) < u_weight p /\ sqrt (p * (1 - p)) < v_weight p.
Proof.
move=> hp; have s := sqrt_pq_gt0 hp; have sq := sqrt_pq_square hp.
rewrite u_weight_eq // v_weight_eq //; set w := sqrt _ in s sq *.
have div a : a / w * w = a by field; lra.
by split; apply: (Rmult_lt_reg_r w) => //; rewrite sq div; nra.
Qed.

Lemma binomial_mean_0 p f : binomial_mean 0 p f = f 0%N.
Proof. by rewrite /binomial_mean big_ord_recl big_ord0 /binomial_law /=; ring. Qed.

(** The scale of a group is positive, and the same with m correct as with m wrong responses. *)
Lemma table_std_gt0 G k m : (0 < m < G)%N -> 0 < table_std G k m.
Proof.
move=> /andP[m0 mG]; have a := INR_pos m0; have b := INR_ltn mG; rewrite /table_std /rate; apply: sqrt_lt_R0.
have q : INR m / INR G * (1 - INR m / INR G) = INR m * (INR G - INR m) * / (INR G * INR G) by field; lra.
have i : 0 < / (INR G * INR G) by apply: Rinv_0_lt_compat; nra.
have c : 0 < INR m * (INR G - INR m) by nra.
rewrite q; apply: Rmult_lt_0_compat; first exact: Rmult_lt_0_compat.
case: k; first by lra.
have : 1 <= INR m by exact: INR_leq m0.
by move=> h; apply: Rdiv_lt_0_compat; lra.
Qed.

Lemma table_std_mirror k : table_std 3 k 2 = table_std 3 k 1.
Proof. by rewrite /table_std /rate; congr (sqrt (_ * _)); rewrite /=; field. Qed.

(** GRPO's weights, which are also DAPO's, are no special case of the masked form: in no mixed group does a choice of
    the sides that are masked give GRPO's objective, and only at success rate 1/2, with nothing masked, is the masked
    form even proportional to it, by the factor 2. With nothing masked (POS-MASK on hard, NEG-MASK on easy groups) the
    advantage is (2 R - 1)/(std + eps), whose gap between correct and wrong responses is twice that of GRPO and of QAE
    in every mixed group. The expected gain w doubles at G = 2; at G = 3 it grows by 3/2 (1 + 2 p (1 - p)), which is
    not 2 at p = 1/2. *)
Theorem masks_special_case :
  (forall (G : nat) (x : 'I_G -> R) (lo hi c : R) (keep_correct keep_wrong : bool),
     binary x -> ~~ degenerate x -> 0 <= lo -> 0 <= hi ->
     (forall (L : 'I_G -> nat) (v : 'I_G -> nat -> R), (forall i, (0 < L i)%N) -> (forall i t, 0 < v i t) ->
        masked_objective lo hi (bit keep_correct * u_weight (success_rate x))
                               (bit keep_wrong * v_weight (success_rate x)) L v x
        = c * group_objective lo hi L v (grpo Population 0 x)) ->
     c <> 1 /\ (c <> 0 -> success_rate x = 1 / 2 /\ c = 2 /\ keep_correct /\ keep_wrong))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R), binary x ->
     (~~ degenerate x -> forall i, unmasked k eps x i = (2 * x i - 1) / (std k x + eps))
     /\ (hard K x -> pos_mask k eps K x = unmasked k eps x)
     /\ (~~ hard K x -> neg_mask k eps K x = unmasked k eps x))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) i j, ~~ degenerate x -> 0 <= eps ->
     x i = 1 -> x j = 0 ->
     unmasked k eps x i - unmasked k eps x j = 2 * (grpo k eps x i - grpo k eps x j)
     /\ unmasked k eps x i - unmasked k eps x j = 2 * (qae k eps K x i - qae k eps K x j))
  /\ (forall (k : divisor) (eps p : R) (i : 'I_2), 0 <= eps -> 0 < p < 1 ->
     gain p (@unmasked 2 k eps) i = 2 * gain p (@grpo 2 k eps) i)
  /\ (forall (k : divisor) (eps p : R) (i : 'I_3), 0 <= eps -> 0 < p < 1 ->
     0 < gain p (@grpo 3 k eps) i
     /\ gain p (@unmasked 3 k eps) i = 3 / 2 * (1 + 2 * p * (1 - p)) * gain p (@grpo 3 k eps) i)
  /\ 3 / 2 * (1 + 2 * (1 / 2) * (1 - 1 / 2)) <> 2.
Proof.
split.
  move=> G x lo hi c a b bin mixed l0 h0 same.
  have hp := mixed_success_rate bin mixed; have s := sqrt_pq_gt0 hp; have [us vs] := u_above hp.
  have hK : 0 < 1 / 2 <= 1 by lra.
  pose ratio c1 (i : 'I_G) (t : nat) := if Reqb (x i) 1 then c1 else 1.
  have eq c1 : 0 < c1 <= 1 ->
      bit a * u_weight (success_rate x) * c1 - bit b * v_weight (success_rate x)
      = c * (sqrt (success_rate x * (1 - success_rate x)) * c1 - sqrt (success_rate x * (1 - success_rate x))).
    move=> [c0 c1'].
    have := same (fun _ => 1%N) (ratio c1) (fun _ => isT).
    have [_ [_ [_ ->]]] := prop41_identity (fun _ => 1%N) (ratio c1) bin mixed hK l0 h0.
    rewrite !masked_constant // Rmin_left; last by lra.
    rewrite Rmax_left; last by lra.
    by rewrite !Rmult_1_r; apply=> i t; rewrite /ratio; case: ifP; lra.
  have h1 : 0 < 1 <= 1 by lra. have h2 : 0 < 1 / 2 <= 1 by lra.
  have e1 := eq 1 h1; have e2 := eq (1 / 2) h2.
  have ea : bit a * u_weight (success_rate x) = c * sqrt (success_rate x * (1 - success_rate x)) by lra.
  have eb : bit b * v_weight (success_rate x) = c * sqrt (success_rate x * (1 - success_rate x)) by lra.
  split=> [c1|c0]; first by move: ea; rewrite c1 /bit; case: (a); lra.
  have cs : c * sqrt (success_rate x * (1 - success_rate x)) <> 0.
    by move=> z; case: (Rmult_integral _ _ z); lra.
  move: ea eb; case: (a); rewrite /bit; last by lra.
  case: (b); last by lra.
  rewrite !Rmult_1_l => ea eb.
  have half : success_rate x = 1 / 2.
    move: ea; rewrite -eb u_weight_eq // v_weight_eq // => e.
    by have := Rmult_eq_reg_r _ _ _ e; move=> /(_ (Rgt_not_eq _ _ (Rinv_0_lt_compat _ s))); lra.
  split=> //; split=> //; move: ea; rewrite u_weight_eq // half.
  by rewrite (_ : 1 / 2 * (1 - 1 / 2) = 1 / 2 * (1 / 2)) ?sqrt_square; lra.
split.
  move=> G x k eps K bin; split=> [mixed i|].
    by rewrite /unmasked over_std_mixed //; congr (_ / _); ring.
  by split=> hd; apply: fun_ext => i; rewrite /pos_mask /neg_mask /unmasked /over_std ?hd; case: degenerate => //;
     congr (_ / _); rewrite /bit; ring.
split.
  move=> G x k eps K i j mixed e0 xi xj; have s := scale_gt0 k e0 mixed.
  rewrite /unmasked /grpo /qae /standardised !over_std_mixed // xi xj; split; field; lra.
split.
  move=> k eps p i e0 hp; rewrite (gain_table hp i (@unmasked_table 2 k eps)) (gain_table hp i (@grpo_table 2 k eps)).
  have s := @table_std_gt0 2 k 1 isT.
  rewrite /table_gain !binomial_mean_succ !binomial_mean_0 /table_over /table_mixed /rate /=.
  by field; lra.
split; last by lra.
move=> k eps p i e0 hp; rewrite (gain_table hp i (@unmasked_table 3 k eps)) (gain_table hp i (@grpo_table 3 k eps)).
have s := @table_std_gt0 3 k 1 isT; have s' : 0 < / (table_std 3 k 1 + eps) by apply: Rinv_0_lt_compat; lra.
have w : table_gain 3 p (table_over 3 k eps (fun a m => bit a - rate 3 m)) = 2 / 3 * / (table_std 3 k 1 + eps).
  rewrite /table_gain !binomial_mean_succ !binomial_mean_0 /table_over /table_mixed table_std_mirror /rate /=.
  by field; lra.
rewrite w; split; first by lra.
rewrite /table_gain !binomial_mean_succ !binomial_mean_0 /table_over /table_mixed table_std_mirror /=.
by field; lra.
Qed.
