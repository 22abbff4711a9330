(** Claims paired-ordering-law and sign-share-law: QAE against GRPO on one and the same group, and what the correct and
    the wrong responses of a group contribute under GRPO.

    On a mixed group the advantages of QAE and of GRPO differ by one number c for all responses, because both divide by
    the same standard deviation. A constant advantage c moves the logits by c times the frequencies less the
    probabilities. For the share of the wrong responses, the score of a response is replaced by its mean over the
    correct or over the wrong responses, which are opposite; the advantages of a group add up to 0. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables Gate.
From QAE Require Import NeutralityGains Neutrality Unsampled.

Set Implicit Arguments.
Unset Strict Implicit.

(** * QAE against GRPO on one group *)

(** The first-order entropy change is -sum_y p_y (log p_y + H) d_y. *)
Lemma first_order_centred (T : finType) (p d : T -> R) : \sum_y p y = 1 ->
  first_order p d = - \sum_y d y * (p y * (ln (p y) + entropy p)).
Proof.
move=> one; rewrite /first_order cov_sym cov_centred //; congr (- _); apply: sum_ext => y.
by rewrite /entropy /logp; ring.
Qed.

Lemma sampled_constant (T : finType) (p : T -> R) G (g : {ffun 'I_G -> T}) c y : (0 < G)%N ->
  sampled_group p g (fun _ => c) y = c * (frequency g y - p y).
Proof.
move=> /INR_neq0 G0; rewrite /sampled_group /group_step /frequency sum_scale -sum_bit_count sum_sub sum_const_ord.
by field.
Qed.

Lemma first_order_difference (T : finType) (p : T -> R) G (g : {ffun 'I_G -> T}) (a b : 'I_G -> R) c :
  \sum_y p y = 1 -> (0 < G)%N -> (forall i, a i = b i + c) ->
  first_order p (sampled_group p g a) - first_order p (sampled_group p g b) =
  - c * (\sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p))).
Proof.
move=> one G0 e; rewrite !first_order_centred //.
rewrite (eq_bigr (fun y => sampled_group p g b y * (p y * (ln (p y) + entropy p))
    + c * ((frequency g y - p y) * (p y * (ln (p y) + entropy p))))) => [|y _]; last first.
  have -> : sampled_group p g a y = sampled_group p g b y + sampled_group p g (fun _ => c) y.
    rewrite /sampled_group /group_step -Rdiv_plus_distr -sum_add; congr (_ / _); apply: sum_ext => i.
    by rewrite e; ring.
  by rewrite sampled_constant //; ring.
by rewrite sum_add sum_scale; ring.
Qed.

(** For one and the same mixed group g, any rewards r, either standard deviation, eps and K: the first-order entropy
    changes of QAE and GRPO differ by -((mean - quantile)/(std + eps)) S, with
    S = sum_y (f_y - p_y) p_y (log p_y + H), f_y the frequency of y in the group; and so do, at first order in the step,
    the entropy changes themselves. *)
Theorem paired_ordering_law_difference : forall (T : finType) (z r : T -> R) (G : nat) (g : {ffun 'I_G -> T})
    (k : divisor) (eps K : R), ~~ degenerate (rewards r g) ->
  let p := softmax z in
  let x := rewards r g in
  let S := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
  first_order p (sampled_group p g (qae k eps K x)) - first_order p (sampled_group p g (grpo k eps x)) =
    - ((group_mean x - quantile K x) / (std k x + eps)) * S
  /\ is_derive (fun eta => entropy_change z (sampled_group p g (qae k eps K x)) eta
                           - entropy_change z (sampled_group p g (grpo k eps x)) eta) 0
      (- ((group_mean x - quantile K x) / (std k x + eps)) * S).
Proof.
move=> T z r G g k eps K mixed p x S; have G1 := mixed_size mixed; have G0 := ltnW G1.
have one : \sum_y p y = 1 by apply: (softmax_sum z (g (Ordinal G0))).
have law : first_order p (sampled_group p g (qae k eps K x)) - first_order p (sampled_group p g (grpo k eps x)) =
    - ((group_mean x - quantile K x) / (std k x + eps)) * S.
  apply: first_order_difference => // i.
  by rewrite /qae /grpo /standardised !over_std_mixed // /Rdiv; ring.
split=> //; rewrite -law; apply: derive_eq.
  apply: derive_sub; apply: derive_sub; try exact: derive_const; exact: derive_path_entropy.
by cbv beta; rewrite !step0 !Rminus_0_r.
Qed.

(** For binary rewards Prop. 4.2's ordering against the mean holds, on hard groups (QAE's change is at most GRPO's) and
    on easy ones (at least) alike, iff S >= 0. *)
Theorem paired_ordering_law_sign : forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T})
    (k : divisor) (eps K : R), policy p -> binary r -> ~~ degenerate (rewards r g) -> 0 <= eps -> 0 < K <= 1 ->
  let x := rewards r g in
  let S := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
  let change (A : estimator G) := first_order p (sampled_group p g (A x)) in
  (hard K x -> (change (@qae G k eps K) <= change (@grpo G k eps) <-> 0 <= S))
  /\ (~~ hard K x -> (change (@grpo G k eps) <= change (@qae G k eps K) <-> 0 <= S)).
Proof.
move=> T p r G g k eps K hp bin mixed e0 hK x S change.
have G1 := mixed_size mixed; have G0 := ltnW G1; have binx : binary x by move=> i; apply: bin.
have s0 : 0 < std k x + eps := scale_gt0 k e0 mixed.
have [law _] := paired_ordering_law_difference (logp p) k eps K mixed.
rewrite softmax_logp // -/x -/S in law.
rewrite quantile_binary // group_mean_binary // in law.
have [r0 r1] : 0 < success_rate x < 1 := mixed_success_rate binx mixed.
have signs c : 0 < c -> (0 <= c * S <-> 0 <= S).
  move=> c0; split=> h; last by apply: Rmult_le_pos => //; apply: Rlt_le.
  by apply: (Rmult_le_reg_l c) => //; rewrite Rmult_0_r.
split=> [h|/negbTE h]; rewrite h in law.
  have c0 : 0 < (success_rate x - 0) / (std k x + eps) by apply: Rdiv_lt_0_compat; lra.
  by rewrite -(signs _ c0) /change; split; lra.
have c0 : 0 < (1 - success_rate x) / (std k x + eps) by apply: Rdiv_lt_0_compat; lra.
have c1 : (success_rate x - 1) / (std k x + eps) = - ((1 - success_rate x) / (std k x + eps)).
  by rewrite /Rdiv; ring.
by rewrite c1 in law; rewrite -(signs _ c0) /change; split; lra.
Qed.

(** Over all groups S has the mean 0, because the frequencies have the means p_y. *)
Theorem paired_ordering_law_mean : forall (T : finType) (p : T -> R) (G : nat), policy p -> (0 < G)%N ->
  expect p (fun g : {ffun 'I_G -> T} => \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p))) = 0.
Proof.
move=> T p G [_ one] G0; rewrite expect_sum sum_zero // => y _; rewrite expect_scale_r.
rewrite expect_sub expect_const // (expect_ext (E := fun g => (\sum_i bit (g i == y)) / INR G)) => [|g]; last first.
  by rewrite /frequency -sum_bit_count.
rewrite expect_div expect_sum (eq_bigr (fun _ => p y)) => [|i _]; last first.
  by rewrite (expect_single one i (fun x => bit (x == y))) /mean sum_bit_eq_r.
by rewrite sum_const_ord; field; apply: INR_neq0.
Qed.

(** Both signs occur at the same success rate and the same K: with p = (1/2, 3/8, 1/8), the first response correct, the
    group of the first two responses has S > 0 and that of the first and the third S < 0; both groups have one success
    in two, are hard at K = 2/5 and easy at K = 3/5. *)
Theorem paired_ordering_law_signs :
  let p (y : 'I_3) := nth 0 [:: 1 / 2; 3 / 8; 1 / 8] y in
  let r (y : 'I_3) := bit (y == ord0) in
  let group (y : 'I_3) : {ffun 'I_2 -> 'I_3} := [ffun i => if i == ord0 then ord0 else y] in
  let second := Ordinal (isT : (1 < 3)%N) in
  let third := Ordinal (isT : (2 < 3)%N) in
  let S (g : {ffun 'I_2 -> 'I_3}) := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
  policy p
  /\ 0 < S (group second) /\ S (group third) < 0
  /\ (forall y, y = second \/ y = third ->
       hard (2 / 5) (rewards r (group y)) /\ ~~ hard (3 / 5) (rewards r (group y))).
Proof.
move=> p r group second third S.
have one : \sum_y p y = 1 by rewrite !big_ord_recl big_ord0 /p /=; field.
split; first by split=> // -[[|[|[|]]] h] //; rewrite /p /=; lra.
have l2 : ln (1 / 2) = - ln 2 by rewrite ln_div ?ln_1; lra.
have l8 : ln 8 = 3 * ln 2 by rewrite (_ : 8 = 2 * 2 * 2) ?ln_mult; lra.
have l3 : ln (3 / 8) = ln 3 - 3 * ln 2 by rewrite ln_div ?l8; lra.
have l1 : ln (1 / 8) = - 3 * ln 2 by rewrite ln_div ?l8 ?ln_1; lra.
have H : entropy p = 2 * ln 2 - 3 / 8 * ln 3.
  by rewrite /entropy /mean !big_ord_recl big_ord0 /p /logp /= l2 l3 l1; field.
have less : 0 < ln 2 < ln 3.
  by split; [rewrite -ln_1; apply: ln_increasing; lra | apply: ln_increasing; lra].
have counts y u : frequency (group y) u = (bit (ord0 == u) + bit (y == u)) / 2.
  rewrite /frequency -sum_bit_count !big_ord_recl big_ord0 /group !ffunE /= Rplus_0_r.
  by congr (_ / _); rewrite /=; ring.
have S2 : S (group second) = (9 / 32 * ln 3 - 1 / 4 * ln 2) / 8.
  by rewrite /S !big_ord_recl big_ord0 !counts H /p /bit /= l2 l3 l1; field.
have S3 : S (group third) = - 3 * ((9 / 32 * ln 3 - 1 / 4 * ln 2) / 8).
  by rewrite /S !big_ord_recl big_ord0 !counts H /p /bit /= l2 l3 l1; field.
split; first by rewrite S2; lra.
split; first by rewrite S3; lra.
move=> y hy; have rate : success_rate (rewards r (group y)) = 1 / 2.
  rewrite -group_mean_binary; last by move=> i; apply: bit_binary.
  rewrite /group_mean !big_ord_recl big_ord0 /rewards /group !ffunE /r /=.
  by case: hy => ->; rewrite /=; field.
by split; rewrite /hard rate; [rewrite Rleb_true // | rewrite Rleb_false //]; lra.
Qed.

(** * The share of the wrong responses *)

(** An estimator whose advantages sum to 0 in every group of binary rewards, and any event Q that the rewards decide:
    the wrong responses' part of the expected update is the share V of the whole, along every score s of mean 0. *)
Theorem sign_share_law_sum : forall (T : finType) (p r s : T -> R) (G : nat) (A : estimator G) (Q : pred ('I_G -> R)),
  policy p -> binary r -> 0 < mean p r < 1 -> mean p s = 0 ->
  (forall x : 'I_G -> R, binary x -> \sum_i A x i = 0) ->
  expect_given p (fun g => Q (rewards r g))
    (fun g => group_step s g (fun i => (1 - rewards r g i) * A (rewards r g) i)) =
  mean p r * expect_given p (fun g => Q (rewards r g)) (fun g => group_step s g (A (rewards r g))).
Proof.
move=> T p r s G A Q [_ one] bin hV s0 balanced; set V := mean p r in hV *.
rewrite /expect_given; set N := expect p (fun g => bit _); rewrite /Rdiv -Rmult_assoc; congr (_ * _).
set D := mean p (fun y => r y * s y).
have D' : mean p (fun y => (1 - r y) * s y) = - D.
  by rewrite -[RHS]Rplus_0_l -s0 -mean_opp -mean_add; apply: mean_ext => y; ring.
pose X i := expect (bernoulli V) (fun c => bit (~~ c i) * (bit (Q (rewards bit c)) * A (rewards bit c) i)).
pose Y i := expect (bernoulli V) (fun c => bit (c i) * (bit (Q (rewards bit c)) * A (rewards bit c) i)).
have total : \sum_i Y i + \sum_i X i = 0.
  have zero : expect (bernoulli V) (fun c : {ffun 'I_G -> bool} => \sum_i bit (Q (rewards bit c)) * A (rewards bit c) i)
      = 0.
    apply: expect_zero => c; rewrite sum_scale balanced ?Rmult_0_r //; exact: rewards_bit_binary.
  rewrite -[RHS]zero -sum_add.
  rewrite expect_sum; apply: sum_ext => i; rewrite -expect_add; apply: expect_ext => c.
  by case: (c i); rewrite /bit /=; ring.
have whole : expect p (fun g => bit (Q (rewards r g)) * group_step s g (A (rewards r g))) =
    (\sum_i (D * (Y i / V) + - D * (X i / (1 - V)))) / INR G.
  rewrite (expect_ext (E := fun g => (\sum_i s (g i) * (bit (Q (rewards r g)) * A (rewards r g) i)) / INR G)).
    rewrite expect_div expect_sum; congr (_ / _); apply: sum_ext => i.
    by rewrite (expect_score_rewards one bin hV s i (fun x => bit (Q x) * A x i)) D'.
  move=> g; rewrite /group_step /Rdiv -Rmult_assoc -sum_scale; congr (_ * _); apply: sum_ext => i; ring.
have part : expect p (fun g => bit (Q (rewards r g))
      * group_step s g (fun i => (1 - rewards r g i) * A (rewards r g) i)) =
    (\sum_i (- D * (X i / (1 - V)))) / INR G.
  rewrite (expect_ext (E := fun g =>
    (\sum_i s (g i) * (bit (Q (rewards r g)) * ((1 - rewards r g i) * A (rewards r g) i))) / INR G)).
    rewrite expect_div expect_sum; congr (_ / _); apply: sum_ext => i.
    rewrite (expect_score_rewards one bin hV s i (fun x => bit (Q x) * ((1 - x i) * A x i))) D'.
    rewrite expect_zero => [|c]; last by rewrite /rewards; case: (c i); rewrite /bit /=; ring.
    rewrite /Rdiv Rmult_0_l Rmult_0_r Rplus_0_l; congr (_ * (_ * _)); apply: expect_ext => c.
    by rewrite /rewards; case: (c i); rewrite /bit /=; ring.
  move=> g; rewrite /group_step /Rdiv -Rmult_assoc -sum_scale; congr (_ * _); apply: sum_ext => i; ring.
rewrite whole part sum_add !sum_scale !sum_div; have -> : \sum_i Y i = - \sum_i X i by lra.
move: (\sum_i X i) => x; have e : - D * (x / (1 - V)) = V * (D * (- x / V) + - D * (x / (1 - V))) by field; lra.
by rewrite [in LHS]e /Rdiv Rmult_assoc.
Qed.

(** The advantages of GRPO (either standard deviation), Dr. GRPO and RLOO sum to 0 in every group. *)
Theorem sign_share_law_balanced : forall (G : nat) (k : divisor) (eps : R) (x : 'I_G -> R),
  \sum_i grpo k eps x i = 0 /\ \sum_i dr_grpo x i = 0 /\ ((1 < G)%N -> \sum_i rloo x i = 0).
Proof.
move=> G k eps x; split; first exact: total_grpo.
by split; [apply: total_dr_grpo | apply: total_rloo].
Qed.

(** On-policy GRPO with 0 < V < 1, given the number m of correct responses: the wrong responses' part of the expected
    update is V times the whole, in every parameter of a differentiable policy, in every logit of a tabular softmax, and
    for the first-order change of its entropy. *)
Theorem sign_share_law_grpo : forall (T : finType) (r : T -> R) (G m : nat) (k : divisor) (eps : R), binary r ->
  let given p F := expect_given p (fun g : {ffun 'I_G -> T} => num_correct (rewards r g) == m) F in
  let whole (g : {ffun 'I_G -> T}) := grpo k eps (rewards r g) in
  let part (g : {ffun 'I_G -> T}) i := (1 - rewards r g i) * grpo k eps (rewards r g) i in
  (forall (P : R -> T -> R) (t : R), (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
    0 < mean (P t) r < 1 ->
    let score y := Derive (fun u => ln (P u y)) t in
    given (P t) (fun g => group_step score g (part g)) =
    mean (P t) r * given (P t) (fun g => group_step score g (whole g)))
  /\ (forall (p : T -> R), policy p -> 0 < mean p r < 1 ->
    (forall y, given p (fun g => sampled_group p g (part g) y) =
               mean p r * given p (fun g => sampled_group p g (whole g) y))
    /\ given p (fun g => first_order p (sampled_group p g (part g))) =
       mean p r * given p (fun g => first_order p (sampled_group p g (whole g)))).
Proof.
move=> T r G m k eps bin given whole part.
have law (p s : T -> R) : policy p -> 0 < mean p r < 1 -> mean p s = 0 ->
    given p (fun g => group_step s g (part g)) = mean p r * given p (fun g => group_step s g (whole g)).
  move=> hp hV s0; apply: (sign_share_law_sum (fun x => num_correct x == m) hp bin hV s0) => x _.
  exact: total_grpo.
split=> [P t pol smooth hV score|p hp hV]; first by apply: law => //; apply: mean_score0.
have [_ one] := hp; split=> [y|].
  by apply: law => //; rewrite mean_sub mean_const // /mean sum_bit_eq_r; ring.
have e (a : {ffun 'I_G -> T} -> 'I_G -> R) : given p (fun g => first_order p (sampled_group p g (a g))) =
    given p (fun g => group_step (entropy_score p) g (a g)).
  by rewrite /given /expect_given; congr (_ / _); apply: expect_ext => g; rewrite first_order_sampled.
by rewrite !e; apply: law => //; apply: mean_entropy_score.
Qed.

(** Under QAE one side carries all of it: in a hard group the wrong responses have advantage 0, in an easy one the
    correct responses. *)
Theorem sign_share_law_qae : forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) (i : 'I_G),
  0 < K <= 1 -> 0 <= eps -> binary x ->
  (hard K x -> (1 - x i) * qae k eps K x i = 0) /\ (~~ hard K x -> x i * qae k eps K x i = 0).
Proof.
move=> G x k eps K i hK e0 bin; have G0 := group_pos i; split=> h.
  have [_ [wrong _]] := gate_hard k G0 hK e0 bin h.
  by case: (bin i) => e; [rewrite wrong // Rmult_0_r | rewrite e; ring].
have [_ [correct _]] := gate_easy k G0 hK e0 bin h.
by case: (bin i) => e; [rewrite e; ring | rewrite correct // Rmult_0_r].
Qed.

(** The whole claim: the difference of the changes, the sign of the ordering, the mean of S, and both signs of S. *)
Theorem paired_ordering_law :
  (forall (T : finType) (z r : T -> R) (G : nat) (g : {ffun 'I_G -> T})
        (k : divisor) (eps K : R), ~~ degenerate (rewards r g) ->
      let p := softmax z in
      let x := rewards r g in
      let S := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
      first_order p (sampled_group p g (qae k eps K x)) - first_order p (sampled_group p g (grpo k eps x)) =
        - ((group_mean x - quantile K x) / (std k x + eps)) * S
      /\ is_derive (fun eta => entropy_change z (sampled_group p g (qae k eps K x)) eta
                               - entropy_change z (sampled_group p g (grpo k eps x)) eta) 0
          (- ((group_mean x - quantile K x) / (std k x + eps)) * S))
  /\ (forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T})
        (k : divisor) (eps K : R), policy p -> binary r -> ~~ degenerate (rewards r g) -> 0 <= eps -> 0 < K <= 1 ->
      let x := rewards r g in
      let S := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
      let change (A : estimator G) := first_order p (sampled_group p g (A x)) in
      (hard K x -> (change (@qae G k eps K) <= change (@grpo G k eps) <-> 0 <= S))
      /\ (~~ hard K x -> (change (@grpo G k eps) <= change (@qae G k eps K) <-> 0 <= S)))
  /\ (forall (T : finType) (p : T -> R) (G : nat), policy p -> (0 < G)%N ->
      expect p (fun g : {ffun 'I_G -> T} => \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p))) = 0)
  /\ (let p (y : 'I_3) := nth 0 [:: 1 / 2; 3 / 8; 1 / 8] y in
      let r (y : 'I_3) := bit (y == ord0) in
      let group (y : 'I_3) : {ffun 'I_2 -> 'I_3} := [ffun i => if i == ord0 then ord0 else y] in
      let second := Ordinal (isT : (1 < 3)%N) in
      let third := Ordinal (isT : (2 < 3)%N) in
      let S (g : {ffun 'I_2 -> 'I_3}) := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
      policy p
      /\ 0 < S (group second) /\ S (group third) < 0
      /\ (forall y, y = second \/ y = third ->
           hard (2 / 5) (rewards r (group y)) /\ ~~ hard (3 / 5) (rewards r (group y)))).
Proof.
split; first exact: paired_ordering_law_difference.
split; first exact: paired_ordering_law_sign.
by split; [apply: paired_ordering_law_mean | apply: paired_ordering_law_signs].
Qed.

(** The whole claim: the share under GRPO given m; under any estimator whose advantages sum to 0 and given any event
    that the rewards decide; the estimators whose advantages do; and QAE, for comparison. *)
Theorem sign_share_law :
  (forall (T : finType) (r : T -> R) (G m : nat) (k : divisor) (eps : R), binary r ->
      let given p F := expect_given p (fun g : {ffun 'I_G -> T} => num_correct (rewards r g) == m) F in
      let whole (g : {ffun 'I_G -> T}) := grpo k eps (rewards r g) in
      let part (g : {ffun 'I_G -> T}) i := (1 - rewards r g i) * grpo k eps (rewards r g) i in
      (forall (P : R -> T -> R) (t : R), (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
        0 < mean (P t) r < 1 ->
        let score y := Derive (fun u => ln (P u y)) t in
        given (P t) (fun g => group_step score g (part g)) =
        mean (P t) r * given (P t) (fun g => group_step score g (whole g)))
      /\ (forall (p : T -> R), policy p -> 0 < mean p r < 1 ->
        (forall y, given p (fun g => sampled_group p g (part g) y) =
                   mean p r * given p (fun g => sampled_group p g (whole g) y))
        /\ given p (fun g => first_order p (sampled_group p g (part g))) =
           mean p r * given p (fun g => first_order p (sampled_group p g (whole g)))))
  /\ (forall (T : finType) (p r s : T -> R) (G : nat) (A : estimator G) (Q : pred ('I_G -> R)),
      policy p -> binary r -> 0 < mean p r < 1 -> mean p s = 0 ->
      (forall x : 'I_G -> R, binary x -> \sum_i A x i = 0) ->
      expect_given p (fun g => Q (rewards r g))
        (fun g => group_step s g (fun i => (1 - rewards r g i) * A (rewards r g) i)) =
      mean p r * expect_given p (fun g => Q (rewards r g)) (fun g => group_step s g (A (rewards r g))))
  /\ (forall (G : nat) (k : divisor) (eps : R) (x : 'I_G -> R),
      \sum_i grpo k eps x i = 0 /\ \sum_i dr_grpo x i = 0 /\ ((1 < G)%N -> \sum_i rloo x i = 0))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) (i : 'I_G),
      0 < K <= 1 -> 0 <= eps -> binary x ->
      (hard K x -> (1 - x i) * qae k eps K x i = 0) /\ (~~ hard K x -> x i * qae k eps K x i = 0)).
Proof.
split; first exact: sign_share_law_grpo.
split; first exact: sign_share_law_sum.
by split; [apply: sign_share_law_balanced | apply: sign_share_law_qae].
Qed.
