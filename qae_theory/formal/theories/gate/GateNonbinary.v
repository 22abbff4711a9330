(** The two-regime gate under DAPO's rewards: +1 for a correct and -1 for a wrong response plus an overlong penalty in
    [-1, 0] (claim gate-nonbinary). *)

From QAE Require Import Compat Definitions Sums Rewards Gate ListedGroups.

Set Implicit Arguments.
Unset Strict Implicit.

(** The sign of an advantage is the sign of the reward minus the quantile. *)
Lemma qae_sign G (x : 'I_G -> R) k eps K i : 0 <= eps -> ~~ degenerate x ->
  (quantile K x < x i -> 0 < qae k eps K x i) /\ (x i < quantile K x -> qae k eps K x i < 0)
  /\ (x i = quantile K x -> qae k eps K x i = 0).
Proof.
move=> e0 mixed; have s := scale_gt0 k e0 mixed; have s' := Rinv_0_lt_compat _ s.
rewrite /qae /standardised over_std_mixed // /Rdiv; split=> [h|]; first by nra.
by split=> [h|->]; [nra | ring].
Qed.

Lemma mixed_of_two G (x : 'I_G -> R) i j : x i <> x j -> ~~ degenerate x.
Proof. by move=> ne; apply/negP => /degenerateP h; apply: ne. Qed.

(** Every correct reward is above every wrong one, so that the quantile is a wrong response's reward in a hard group and
    a correct one's in an easy group. *)
Section Separated.
Variables (G : nat) (c : 'I_G -> bool) (x : 'I_G -> R) (K : R).
Hypotheses (G0 : (0 < G)%N) (hK : 0 < K < 1).
Hypothesis correct : forall i, c i -> 0 <= x i.
Hypothesis wrong : forall i, ~~ c i -> x i <= -1.
Let j := ceil (K * INR G).
Let hK' : 0 < K <= 1. Proof. by lra. Qed.

Lemma num_wrong_bits : #|[pred i | ~~ c i]| = (G - num_correct (fun i => bit (c i)))%N.
Proof.
rewrite -(num_wrong (bit_binary c)); apply: eq_card => i; rewrite !inE /bit; case: (c i); case: ReqbP => //; lra.
Qed.

Lemma separated_hard : hard K (fun i => bit (c i)) -> quantile K x <= -1.
Proof.
rewrite (hard_integers _ G0 hK') -/j -num_wrong_bits => le.
rewrite (quantile_order_stat x G0 hK').2; apply/order_stat_le_iff; first exact: rank_bounds.
apply: leq_trans le _; apply: subset_leq_card; apply/subsetP => i; rewrite !inE => h.
by apply/RlebP; apply: wrong.
Qed.

Lemma separated_easy : ~~ hard K (fun i => bit (c i)) -> 0 <= quantile K x.
Proof.
rewrite (hard_integers _ G0 hK') -/j -num_wrong_bits -ltnNge => lt.
apply: Rnot_lt_le => below; move: lt; rewrite ltnNge => /negP[].
have /(cdf_ge_iff x _ G0 hK') h : K <= cdf x (quantile K x).
  by case: (eq4_left_inverse_attained x G0 hK').
have := (order_stat_le_iff x _ (rank_bounds G0 hK')).1 h => h'; apply: leq_trans h' _.
apply: subset_leq_card; apply/subsetP => i; rewrite !inE => /RlebP le.
by apply/negP => /correct; lra.
Qed.
End Separated.

(** The gate does not survive DAPO's rewards: that in a hard group every wrong response and in an easy group every
    correct one has advantage 0 fails at K = 2/5 for the mixed hard group (1, -1, -2), whose overlong failure is pushed
    down; for its easy mirror (1, 1/2, -1), where a success is pushed up; for 16 responses, four at 1, ten at -1, one
    at -3/2 and one at -2, where two failures of a hard group are pushed down; and for two failures (-1, -2), one of
    which is pushed up. A correct response of a hard group still has a positive advantage, and a wrong response of an
    easy group still has a negative advantage. *)
Theorem gate_nonbinary :
  ~ (forall (G : nat) (c : 'I_G -> bool) (penalty : 'I_G -> R) (k : divisor) (eps K : R),
       (0 < G)%N -> 0 < K < 1 -> 0 <= eps -> (forall i, -1 <= penalty i <= 0) ->
       let x i := (if c i then 1 else -1) + penalty i in
       (hard K (fun i => bit (c i)) -> forall i, ~~ c i -> qae k eps K x i = 0)
       /\ (~~ hard K (fun i => bit (c i)) -> forall i, c i -> qae k eps K x i = 0))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       let x (i : 'I_3) := nth 0 [:: 1; -1; -2] i in
       hard (2 / 5) (fun i : 'I_3 => bit (i < 1)%N)
       /\ (forall i, val i = 0%N -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, val i = 1%N -> qae k eps (2 / 5) x i = 0)
       /\ (forall i, val i = 2%N -> qae k eps (2 / 5) x i < 0))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       let x (i : 'I_3) := nth 0 [:: 1; 1 / 2; -1] i in
       ~~ hard (2 / 5) (fun i : 'I_3 => bit (i < 2)%N)
       /\ (forall i, val i = 0%N -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, val i = 1%N -> qae k eps (2 / 5) x i = 0)
       /\ (forall i, val i = 2%N -> qae k eps (2 / 5) x i < 0))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       let x (i : 'I_16) := nth 0 (nseq 4 1 ++ nseq 10 (-1) ++ [:: -(3 / 2); -2]) i in
       hard (2 / 5) (fun i : 'I_16 => bit (i < 4)%N)
       /\ (forall i, x i = 1 -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, x i = -1 -> qae k eps (2 / 5) x i = 0)
       /\ (forall i, x i = -(3 / 2) \/ x i = -2 -> qae k eps (2 / 5) x i < 0))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       let x (i : 'I_2) := nth 0 [:: -1; -2] i in
       hard (2 / 5) (fun i : 'I_2 => bit (i < 0)%N)
       /\ (forall i, val i = 0%N -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, val i = 1%N -> qae k eps (2 / 5) x i = 0))
  /\ (forall (G : nat) (c : 'I_G -> bool) (penalty : 'I_G -> R) (k : divisor) (eps K : R),
       (0 < G)%N -> 0 < K < 1 -> 0 <= eps -> (forall i, -1 <= penalty i <= 0) ->
       let x i := (if c i then 1 else -1) + penalty i in
       (hard K (fun i => bit (c i)) -> forall i, c i -> 0 < qae k eps K x i)
       /\ (~~ hard K (fun i => bit (c i)) -> forall i, ~~ c i -> qae k eps K x i < 0)).
Proof.
have q3 : quantile (2 / 5) (fun i : 'I_3 => nth 0 [:: 1; -1; -2] i) = -1.
  by apply: (quantile_listed (j := 2)) => //=; decide_numbers => //; lra.
have q3' : quantile (2 / 5) (fun i : 'I_3 => nth 0 [:: 1; 1 / 2; -1] i) = 1 / 2.
  by apply: (quantile_listed (j := 2)) => //=; decide_numbers => //; lra.
have q2 : quantile (2 / 5) (fun i : 'I_2 => nth 0 [:: -1; -2] i) = -2.
  by apply: (quantile_listed (j := 1)) => //=; decide_numbers => //; lra.
have q16 : quantile (2 / 5) (fun i : 'I_16 => nth 0 (nseq 4 1 ++ nseq 10 (-1) ++ [:: -(3 / 2); -2]) i) = -1.
  by apply: (quantile_listed (j := 7)) => //=; decide_numbers => //; lra.
have dapo3 (k : divisor) (eps : R) : 0 <= eps ->
       let x (i : 'I_3) := nth 0 [:: 1; -1; -2] i in
       hard (2 / 5) (fun i : 'I_3 => bit (i < 1)%N)
       /\ (forall i, val i = 0%N -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, val i = 1%N -> qae k eps (2 / 5) x i = 0)
       /\ (forall i, val i = 2%N -> qae k eps (2 / 5) x i < 0).
  move=> e0 x; have mixed : ~~ degenerate x.
    by apply: (@mixed_of_two _ x (inord 0) (inord 1)); rewrite /x !inordK //=; lra.
  split; first by apply/RlebP; rewrite success_rate_first //=; lra.
  by split=> [i e|]; last split=> i e; have [pos [neg zero]] := qae_sign k (2 / 5) i e0 mixed;
     [apply: pos | apply: zero | apply: neg]; rewrite q3 /x e /=; lra.
split.
  move=> claim; pose c (i : 'I_3) := (i < 1)%N; pose penalty (i : 'I_3) := if val i == 2%N then -1 else 0.
  have pen i : -1 <= penalty i <= 0 by rewrite /penalty; case: eqP; lra.
  have hK : 0 < 2 / 5 < 1 by lra.
  have e0 : 0 <= 0 by lra.
  have [h _] := claim 3%N c penalty Population 0 (2 / 5) isT hK e0 pen.
  have [hd [_ [_ neg]]] := dapo3 Population 0 e0.
  have zero := h hd (@Ordinal 3 2 isT) isT.
  have := neg (@Ordinal 3 2 isT) erefl; rewrite (_ : (fun i : 'I_3 => nth 0 [:: 1; -1; -2] i) =
    (fun i : 'I_3 => (if (i < 1)%N then 1 else -1) + penalty i)) ?zero; first by lra.
  by apply: fun_ext => -[[|[|[|n]]]] //= ?; rewrite /penalty /=; ring.
split; first exact: dapo3.
split=> [k eps e0 x|].
  have mixed : ~~ degenerate x.
    by apply: (@mixed_of_two _ x (inord 0) (inord 1)); rewrite /x !inordK //=; lra.
  split; first by apply/RlebP; rewrite success_rate_first //=; lra.
  by split=> [i e|]; last split=> i e; have [pos [neg zero]] := qae_sign k (2 / 5) i e0 mixed;
     [apply: pos | apply: zero | apply: neg]; rewrite q3' /x e /=; lra.
split=> [k eps e0 x|].
  have mixed : ~~ degenerate x.
    by apply: (@mixed_of_two _ x (inord 0) (inord 4)); rewrite /x !inordK //=; lra.
  split; first by apply/RlebP; rewrite success_rate_first //=; lra.
  by split=> [i e|]; last split=> i; [|move=> e|case=> e]; have [pos [neg zero]] := qae_sign k (2 / 5) i e0 mixed;
     [apply: pos | apply: zero | apply: neg | apply: neg]; rewrite q16 e /=; lra.
split=> [k eps e0 x|G c penalty k eps K G0 hK e0 pen x].
  have mixed : ~~ degenerate x.
    by apply: (@mixed_of_two _ x (inord 0) (inord 1)); rewrite /x !inordK //=; lra.
  split; first by apply/RlebP; rewrite success_rate_first //=; lra.
  by split=> i e; have [pos [neg zero]] := qae_sign k (2 / 5) i e0 mixed;
     [apply: pos | apply: zero]; rewrite q2 /x e /=; lra.
have hK' : 0 < K <= 1 by lra.
have correct i : c i -> 0 <= x i by rewrite /x => ->; have := pen i; lra.
have wrong i : ~~ c i -> x i <= -1 by rewrite /x => /negbTE ->; have := pen i; lra.
have [_ [_ [j e]]] := eq4_left_inverse_attained x G0 hK'.
split=> hd i ci.
  have q := separated_hard G0 hK wrong hd; have xi := correct i ci.
  have mixed : ~~ degenerate x by apply: (@mixed_of_two _ x i j); lra.
  by have [pos _] := qae_sign k K i e0 mixed; apply: pos; lra.
have q := separated_easy G0 hK correct hd; have xi := wrong i ci.
have mixed : ~~ degenerate x by apply: (@mixed_of_two _ x i j); lra.
by have [_ [neg _]] := qae_sign k K i e0 mixed; apply: neg; lra.
Qed.
