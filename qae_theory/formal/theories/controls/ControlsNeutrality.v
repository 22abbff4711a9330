(** Statements one token away from those about the gains of estimators, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables.
From QAE Require Import NeutralityGains Neutrality NeutralityLimit NeutralityDip EffectiveObjective.

Set Implicit Arguments.
Unset Strict Implicit.

(** A path of policies over two responses, of which the first is correct with probability p at the start, where the
    success probability has the derivative p (1 - p). *)
Definition example_path (p : R) : R -> bool -> R := fun u => softmax (step (logp (bernoulli p)) bit u).

Section Example.
Variable p : R.
Hypothesis hp : 0 < p < 1.

Lemma example_policy u : policy (example_path p u).
Proof. by apply: softmax_policy; rewrite card_bool. Qed.

Lemma example_start : example_path p 0 = bernoulli p.
Proof. by rewrite /example_path step0 softmax_logp //; apply: bernoulli_policy. Qed.

Lemma example_smooth y : ex_derive (fun u => example_path p u y) 0.
Proof. by eexists; apply: derive_softmax. Qed.

Lemma example_mean : mean (example_path p 0) bit = p.
Proof. by rewrite example_start mean_bernoulli_bit. Qed.

Lemma example_derive : Derive (fun u => mean (example_path p u) bit) 0 = p * (1 - p).
Proof.
apply: is_derive_unique; apply: derive_eq; first exact: (derive_mean_fixed (logp (bernoulli p)) bit bit 0).
cbv beta; rewrite (_ : softmax (step (logp (bernoulli p)) bit 0) = bernoulli p); last exact: example_start.
by rewrite /cov !mean_bernoulli /bit; ring.
Qed.
End Example.

Lemma bit_id_binary : binary (fun b : bool => bit b).
Proof. exact: (@bit_binary bool id). Qed.

(** "E[A | R = 1] + E[A | R = 0]" for the difference. *)
Theorem control_neutrality_sum :
  ~ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat) (A : estimator G) (i : 'I_G),
       (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
       binary r -> 0 < mean (P t) r < 1 -> equivariant A ->
       expected_update (P t) r A (fun y => Derive (fun u => ln (P u y)) t) =
       (expect_given (bernoulli (mean (P t) r)) (fun c => c i) (fun c => A (rewards bit c) i)
        + expect_given (bernoulli (mean (P t) r)) (fun c => ~~ c i) (fun c => A (rewards bit c) i))
       * Derive (fun u => mean (P u) r) t).
Proof.
move=> h; have hp : 0 < / 2 < 1 by lra.
have hV : 0 < mean (example_path (/ 2) 0) bit < 1 by rewrite example_mean.
have e := h _ _ 0 bit 1%N (@nsr 1) ord0 (@example_policy (/ 2)) (@example_smooth (/ 2)) bit_id_binary hV
  (fun s x i inj => erefl).
have e' := neutrality_update (A := @nsr 1) ord0 (@example_policy (/ 2)) (@example_smooth (/ 2)) bit_id_binary hV
  (fun s x i inj => erefl).
rewrite e' example_derive // example_mean // gain_nsr // in e.
have one : expect_given (bernoulli (/ 2)) (fun c : {ffun 'I_1 -> bool} => c ord0)
    (fun c => nsr (rewards bit c) ord0) = 0.
  rewrite /expect_given expect_zero => [|c]; first by rewrite /Rdiv Rmult_0_l.
  by rewrite /nsr /constant /rewards; case: (c ord0); rewrite /bit; ring.
have := gain_nsr (ord0 : 'I_1) hp; rewrite /gain one => z.
by rewrite one in e; lra.
Qed.

(** "Mixed groups only" by conditioning both expectations on a mixed group. *)
Theorem control_neutrality_mixed_both :
  ~ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat) (A : estimator G) (i : 'I_G),
       (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
       binary r -> 0 < mean (P t) r < 1 -> equivariant A ->
       let mixed (c : {ffun 'I_G -> bool}) := ~~ degenerate (rewards bit c) in
       expect_given (P t) (fun g => ~~ degenerate (rewards r g))
         (fun g => group_step (fun y => Derive (fun u => ln (P u y)) t) g (A (rewards r g))) =
       (expect_given (bernoulli (mean (P t) r)) (fun c => c i && mixed c) (fun c => A (rewards bit c) i)
        - expect_given (bernoulli (mean (P t) r)) (fun c => ~~ c i && mixed c) (fun c => A (rewards bit c) i))
       * Derive (fun u => mean (P u) r) t).
Proof.
move=> h; have hp : 0 < / 3 < 1 by lra.
have hV : 0 < mean (example_path (/ 3) 0) bit < 1 by rewrite example_mean.
have e := h _ _ 0 bit 2%N (@psr 2) ord0 (@example_policy (/ 3)) (@example_smooth (/ 3)) bit_id_binary hV
  (fun s x i inj => erefl).
have e' := neutrality_mixed_only (A := @psr 2) ord0 (@example_policy (/ 3)) (@example_smooth (/ 3)) bit_id_binary hV
  (fun s x i inj => erefl).
rewrite {}e' example_derive // example_mean // in e.
have deg a b : degenerate (rewards bit (pair_group a b)) = (a == b).
  rewrite degenerate_binary ?num_correct_pair; last exact: rewards_bit_binary.
  by case: a; case: b.
have g : gain (/ 3) (on_mixed (@psr 2)) ord0 = 2 / 3.
  rewrite gain_expect // !expect_two !sum_bool /on_mixed !deg /psr /constant /rewards !ffunE /bernoulli /bit /=.
  by field.
rewrite {}g /expect_given !expect_two !sum_bool !deg /psr /constant /rewards !ffunE /bernoulli /bit /= in e.
have differ (a b : R) : a = b -> a = 1 / 3 -> b = 2 / 9 -> False by move=> ->; lra.
by apply: (differ _ _ e); field.
Qed.

(** "The gain of every such estimator is positive." *)
Theorem control_neutrality_positive :
  ~ (forall (G : nat) (A : estimator G) (i : 'I_G) (p : R), (1 < G)%N -> 0 < p < 1 -> equivariant A -> 0 < gain p A i).
Proof.
move=> h; have hp : 0 < / 2 < 1 by lra.
have [eqv w] := neutrality_minus_reward (ord0 : 'I_2) hp.
by have := h 2%N _ ord0 (/ 2) isT hp eqv; rewrite w; lra.
Qed.

(** "Dr. GRPO's gain is 1." *)
Theorem control_neutrality_dr_grpo :
  ~ (forall (G : nat) (p : R) (i : 'I_G), (1 < G)%N -> 0 < p < 1 -> gain p (@dr_grpo G) i = 1).
Proof.
move=> h; have hp : 0 < / 2 < 1 by lra.
by have := h 2%N (/ 2) ord0 isT hp; rewrite gain_dr_grpo //=; lra.
Qed.

(** "The quantile of the whole group, unstandardised, has the gain 1" (x for the others of x). *)
Theorem control_loo_quantile_whole_group :
  ~ (forall (G : nat) (p K : R) (i : 'I_G), (1 < G)%N -> 0 < p < 1 -> 0 < K <= 1 ->
       gain p (fun x : 'I_G -> R => constant (quantile K x) x) i = 1).
Proof.
move=> h; have hp : 0 < / 2 < 1 by lra.
have hK : 0 < 2 / 5 <= 1 by lra.
have := h 2%N (/ 2) (2 / 5) ord0 isT hp hK; rewrite (gain_table hp ord0 (@quantile_table 2 (2 / 5) hK)).
rewrite /table_gain /binomial_mean !big_ord_recl big_ord0 /binomial_law /gate /rate /=.
rewrite (@Rleb_true (1 / (1 + 1))); last by lra.
rewrite (@Rleb_true (0 / (1 + 1))); last by lra.
by rewrite (@Rleb_false ((1 + 1) / (1 + 1))) /bit; lra.
Qed.

(** "EBPO's gain is 1 - S/G" (S for 1 - S). *)
Theorem control_ebpo_shrinkage :
  ~ (forall (G : nat) (p S mu : R) (i : 'I_G), 0 < p < 1 -> 0 < S < 1 -> gain p (@ebpo G S mu) i = 1 - S / INR G).
Proof.
move=> h; have hp : 0 < / 2 < 1 by lra.
have hS : 0 < / 4 < 1 by lra.
by have := h 2%N (/ 2) (/ 4) 0 ord0 hp hS; rewrite gain_ebpo //=; lra.
Qed.

(** "The limit of the gains is the derivative of arcsin sqrt(p)" (without the 2). *)
Theorem control_effective_objective_half :
  ~ (forall p : R, 0 < p < 1 -> is_derive (fun x => asin (sqrt x)) p (/ sqrt (p * (1 - p)))).
Proof.
move=> h; have hp : 0 < / 2 < 1 by lra.
have d := is_derive_unique _ _ _ (derive_scale 2 (h _ hp)).
have := is_derive_unique _ _ _ (effective_objective_derivative hp); rewrite d.
have : 0 < / sqrt (/ 2 * (1 - / 2)) by apply: Rinv_0_lt_compat; apply: sqrt_lt_R0; lra.
lra.
Qed.

(** "At p = 1 - K QAE's gain approaches its limit at the rate 1/G" (G for sqrt G). *)
Theorem control_neutrality_limit_rate :
  ~ (forall (G : nat) (p K : R) (i : 'I_G), 0 < p < 1 -> p = 1 - K -> 1 <= INR G * (p * (1 - p)) ->
       / sqrt (p * (1 - p)) - gain p (@qae G Population 0 K) i <= / ((p * (1 - p)) * INR G)).
Proof.
move=> h; have hp : 0 < / 2 < 1 by lra.
have e : / 2 = 1 - / 2 by lra.
have n : INR 100 = 100 by rewrite INR_IZR_INZ.
have large : 1 <= INR 100 * (/ 2 * (1 - / 2)) by rewrite n; lra.
have up := h 100%N (/ 2) (/ 2) (inord 0) hp e large.
have [low _] := neutrality_limit_rate (inord 0 : 'I_100) hp e large.
have r : sqrt (INR 100) = 10 by rewrite n (_ : 100 = 10 * 10) ?sqrt_square; lra.
have := Rle_trans _ _ _ low up; rewrite r n; lra.
Qed.

(** "QAE's gain is below GRPO's at p = K" (K for 1 - K). *)
Theorem control_neutrality_dip_level :
  ~ (forall (G : nat) (p K : R) (i : 'I_G), 0 < K < 1 -> p = K -> (2 < G)%N ->
       gain p (@qae G Population 0 K) i < gain p (@grpo G Population 0) i).
Proof.
move=> h; have hK : 0 < / 5 < 1 by lra.
have ne : / 5 <> 1 - / 5 by lra.
have [N above] := neutrality_dip_closes hK hK ne.
have hG : (2 < N.+3)%N by [].
have below := h N.+3 (/ 5) (/ 5) ord0 hK erefl hG.
have le : (N <= N.+3)%N by rewrite -addn3 leq_addr.
by have := above N.+3 ord0 le; lra.
Qed.

(** "At K = 3/5 QAE raises the sum of the entropies of the smallest witness" (3/5 for 2/5). *)
Theorem control_neutrality_queries_level :
  let change p := Derive (expected_change (logp (bernoulli p)) bit (@qae 2 Population 0 (3 / 5))) 0 in
  ~ 0 < change (1 / 5) + change (3 / 4).
Proof.
have h1 : 0 < 1 / 5 < 1 by lra.
have h2 : 0 < 3 / 4 < 1 by lra.
have hK : 1 / 2 < 3 / 5 <= 1 by lra.
move=> change; rewrite /change.
rewrite (is_derive_unique _ _ _ (two_arm_change (ord0 : 'I_2) h1 (@qae_equivariant 2 Population 0 (3 / 5)))).
rewrite (is_derive_unique _ _ _ (two_arm_change (ord0 : 'I_2) h2 (@qae_equivariant 2 Population 0 (3 / 5)))).
rewrite !gain_two_qae_above //.
have l1 : ln (1 - 1 / 5) - ln (1 / 5) = 2 * ln 2.
  rewrite (_ : 1 - 1 / 5 = 2 * (2 * (1 / 5))); last by field.
  by rewrite !ln_mult; lra.
have l2 : ln (3 / 4) - ln (1 - 3 / 4) = ln 3.
  rewrite (_ : 3 / 4 = 3 * (1 / 4)); last by field.
  by rewrite (_ : 1 - 3 * (1 / 4) = 1 / 4) ?ln_mult; lra.
have b : 3 * ln 2 < 2 * ln 3.
  rewrite (_ : 3 * ln 2 = ln (2 * 2 * 2)); last by rewrite !ln_mult; lra.
  by rewrite (_ : 2 * ln 3 = ln (3 * 3)); [apply: ln_increasing; lra | rewrite ln_mult; lra].
have pos : 0 < ln 2 by rewrite -ln_1; apply: ln_increasing; lra.
rewrite l2 (_ : ln (1 / 5) - ln (1 - 1 / 5) = - (2 * ln 2)); lra.
Qed.
