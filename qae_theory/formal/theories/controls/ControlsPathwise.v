(** Statements one token away from those about one sampled group, refuted. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables.
From QAE Require Import NeutralityGains Neutrality Unsampled Pathwise ControlsNeutrality.

Set Implicit Arguments.
Unset Strict Implicit.

(** "-(1/G)(sum_i A_i), the same for every response" (without p_y): softmax would not notice such a push. *)
Theorem control_unsampled_logits_uniform :
  ~ (forall (T : finType) (p : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (a : 'I_G -> R) (y : T), policy p ->
       (forall i, g i != y) -> sampled_group p g a y = - (\sum_i a i) / INR G).
Proof.
move=> h; have hp : policy (bernoulli (/ 2)) by apply: bernoulli_policy; lra.
have out (i : 'I_1) : [ffun _ : 'I_1 => true] i != false by rewrite ffunE.
have := h _ _ _ _ (fun _ => 1) _ hp out; rewrite unsampled_logits_push // big_ord_recl big_ord0 /=; lra.
Qed.

(** "QAE pushes unsampled logits up on hard groups" (0 < for < 0). *)
Theorem control_unsampled_logits_sign :
  ~ (forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (y : T) (k : divisor) (eps K : R),
       policy p -> binary r -> (forall i, g i != y) -> ~~ degenerate (rewards r g) -> 0 <= eps -> 0 < K <= 1 ->
       hard K (rewards r g) -> 0 < sampled_group p g (@qae G k eps K (rewards r g)) y).
Proof.
move=> h; pose p (y : 'I_3) := / 3; pose r (y : 'I_3) := bit (y == ord0).
pose g : {ffun 'I_2 -> 'I_3} := [ffun i => if i == ord0 then ord0 else inord 1].
have hp : policy p by split=> [y|]; [rewrite /p; lra | rewrite !big_ord_recl big_ord0 /p; lra].
have bin : binary r by move=> y; apply: bit_binary.
have out i : g i != ord_max.
  by rewrite ffunE; case: (i == ord0) => //; apply/eqP => /(congr1 val); rewrite /= inordK.
have binx : binary (rewards r g) by move=> i; apply: bin.
have rate : success_rate (rewards r g) = / 2.
  rewrite -group_mean_binary // /group_mean !big_ord_recl big_ord0 /rewards /g !ffunE /r /=.
  rewrite (_ : (inord 1 == ord0 :> 'I_3) = false) /bit; first by field.
  by apply/eqP => /(congr1 val); rewrite /= inordK.
have mixed : ~~ degenerate (rewards r g).
  apply/negP => /degenerateP d; have z : success_rate (rewards r g) = rewards r g ord0.
    rewrite -group_mean_binary // /group_mean (eq_bigr (fun _ => rewards r g ord0)) => [|i _]; last exact: d.
    by rewrite sum_const_ord /=; field.
  by move: z; rewrite rate /rewards /g ffunE /r /=; lra.
have hd : hard (/ 2) (rewards r g) by rewrite /hard rate Rleb_true //; lra.
have hK : 0 < / 2 <= 1 by lra.
have e0 : 0 <= 0 by lra.
have eta0 : 0 < 1 by lra.
have := h _ p r 2%N g ord_max Population 0 (/ 2) hp bin out mixed e0 hK hd.
have [down _] := unsampled_logits_signs Population hp bin out mixed e0 hK eta0.
by have := down hd; lra.
Qed.

Section Signs.
Let p (y : 'I_3) := nth 0 [:: 1 / 2; 3 / 8; 1 / 8] y.
Let r (y : 'I_3) := bit (y == ord0).
Let g : {ffun 'I_2 -> 'I_3} := [ffun i => if i == ord0 then ord0 else Ordinal (isT : (1 < 3)%N)].
Let S := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)).

Lemma signs_setting : policy p /\ binary r /\ ~~ degenerate (rewards r g) /\ hard (2 / 5) (rewards r g) /\ 0 < S.
Proof.
have [hp [S0 [_ regimes]]] := paired_ordering_law_signs.
have [hd _] := regimes _ (or_introl (erefl (Ordinal (isT : (1 < 3)%N)))).
do 2 (split; first by [] || by move=> y; apply: bit_binary).
split; last by [].
apply/negP => /degenerateP d; have := d ord0 ord_max; rewrite /rewards /g !ffunE /r /bit /=; lra.
Qed.

(** "dH(QAE) - dH(GRPO) = +c S" (+ for -). *)
Theorem control_paired_ordering_law_sign :
  ~ (forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (k : divisor) (eps K : R),
       policy p -> binary r -> ~~ degenerate (rewards r g) -> 0 < K <= 1 -> 0 <= eps ->
       let x := rewards r g in
       first_order p (sampled_group p g (qae k eps K x)) - first_order p (sampled_group p g (grpo k eps x)) =
       (group_mean x - quantile K x) / (std k x + eps)
       * (\sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)))).
Proof.
move=> h; have [hp [bin [mixed [hd S0]]]] := signs_setting.
have hK : 0 < 2 / 5 <= 1 by lra.
have e0 : 0 <= 0 by lra.
have e := h _ p r 2%N g Population 0 (2 / 5) hp bin mixed hK e0.
have [e' _] := paired_ordering_law_difference (logp p) Population 0 (2 / 5) mixed.
rewrite softmax_logp // in e'; move: e; cbv zeta; rewrite {}e' -/S.
have binx : binary (rewards r g) by move=> i; apply: bin.
rewrite quantile_binary // hd group_mean_binary //.
have [r0 _] := mixed_success_rate binx mixed; have s0 := std_gt0 Population mixed.
have c0 : 0 < (success_rate (rewards r g) - 0) / (std Population (rewards r g) + 0) by apply: Rdiv_lt_0_compat; lra.
by have := Rmult_lt_0_compat _ _ c0 S0; lra.
Qed.

(** "On hard groups Prop. 4.2's ordering holds for every sampled group" (without S >= 0): the other group of the example
    is a counterexample. *)
Theorem control_paired_ordering_law_always :
  ~ (forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (k : divisor) (eps K : R),
       policy p -> binary r -> ~~ degenerate (rewards r g) -> 0 < K <= 1 -> 0 <= eps -> hard K (rewards r g) ->
       first_order p (sampled_group p g (qae k eps K (rewards r g)))
       <= first_order p (sampled_group p g (grpo k eps (rewards r g)))).
Proof.
move=> h; have [hp [_ [S1 regimes]]] := paired_ordering_law_signs.
pose third := Ordinal (isT : (2 < 3)%N).
pose g' : {ffun 'I_2 -> 'I_3} := [ffun i => if i == ord0 then ord0 else third].
have [hd _] := regimes third (or_intror erefl).
have bin : binary r by move=> y; apply: bit_binary.
have mixed : ~~ degenerate (rewards r g').
  by apply/negP => /degenerateP d; have := d ord0 ord_max; rewrite /rewards /g' !ffunE /r /bit /=; lra.
have hK : 0 < 2 / 5 <= 1 by lra.
have e0 : 0 <= 0 by lra.
have [iff _] := paired_ordering_law_sign Population hp bin mixed e0 hK.
by have := (iff hd).1 (h _ p r 2%N g' Population 0 (2 / 5) hp bin mixed hK e0 hd); move: S1; rewrite -/third -/g'; lra.
Qed.
End Signs.

(** "The wrong responses' share is 1 - V" (1 - V for V). *)
Theorem control_sign_share_law_side :
  ~ (forall (T : finType) (p r : T -> R) (G m : nat) (k : divisor) (eps : R) (y : T), policy p -> binary r ->
       0 < mean p r < 1 -> 0 <= eps ->
       let given F := expect_given p (fun g : {ffun 'I_G -> T} => num_correct (rewards r g) == m) F in
       given (fun g => sampled_group p g (fun i => (1 - rewards r g i) * grpo k eps (rewards r g) i) y) =
       (1 - mean p r) * given (fun g => sampled_group p g (grpo k eps (rewards r g)) y)).
Proof.
move=> h; have hp : policy (bernoulli (/ 4)) by apply: bernoulli_policy; lra.
have hV : 0 < mean (bernoulli (/ 4)) bit < 1 by rewrite mean_bernoulli_bit; lra.
have e0 : 0 <= 0 by lra.
have e := h _ (bernoulli (/ 4)) bit 2%N 1%N Population 0 true hp bit_id_binary hV e0.
have [_ law] := sign_share_law_grpo 2 1 Population 0 bit_id_binary.
have [law' _] := law _ hp hV; have e' := law' true; move: e e'; cbv zeta => ->; rewrite mean_bernoulli_bit.
set w := expect_given _ _ _ => e'; have {e'} w0 : w = 0 by lra.
move: w0; rewrite /w /expect_given !expect_two !sum_bool !num_correct_pair /=.
rewrite /sampled_group /group_step !big_ord_recl !big_ord0 !(@grpo_table 2 Population 0) !num_correct_pair.
rewrite /table_over /table_mixed /table_std /rate !ffunE /bernoulli /bit /=.
rewrite (_ : 1 / (1 + 1) * (1 - 1 / (1 + 1)) * 1 = (/ 2) * (/ 2)); last by field.
rewrite sqrt_square; last by lra.
by move=> z; suff : 1 / 2 = 0 by [lra]; rewrite -[RHS]z; field.
Qed.
