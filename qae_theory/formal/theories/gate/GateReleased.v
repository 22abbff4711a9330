(** The released code's quantile, linear interpolation at position (G - 1) K, against the quantile of Eq. 3 (claims
    eq4-released-code and eq4-released-code-if). *)

From QAE Require Import Compat Definitions Sums Rewards Groups Tables Gate ListedGroups.

Set Implicit Arguments.
Unset Strict Implicit.

(** If (G - 1) K = n then K G lies in (n, n + 1], so that both quantiles are the reward of rank n + 1. *)
Lemma linear_quantile_integer G (x : 'I_G -> R) K n : (0 < G)%N -> 0 < K < 1 -> INR G.-1 * K = INR n ->
  linear_quantile K x = quantile K x.
Proof.
move=> G0 hK e; have n0 := pos_INR n.
have fl : floor (INR G.-1 * K) = n by rewrite e; apply: floor_unique; lra.
have g : INR G = INR G.-1 + 1 by rewrite -S_INR prednK.
have ce : ceil (K * INR G) = n.+1.
  have v : K * INR G = INR n + K by rewrite g -e; ring.
  by rewrite v; apply: ceil_unique; rewrite ?S_INR; lra.
have hK' : 0 < K <= 1 by lra.
by rewrite (quantile_order_stat x G0 hK').2 ce /linear_quantile fl e; ring.
Qed.

Section Fractional.
Variables (G : nat) (K : R).
Hypotheses (G0 : (0 < G)%N) (hK : 0 < K < 1).
Let v := INR G.-1 * K.
Let j := floor v.
Hypothesis frac : ~ exists n : nat, v = INR n.

Lemma position_bounds : INR j < v < INR j + 1.
Proof.
have v0 : 0 <= v by rewrite /v; have := pos_INR G.-1; nra.
have lo := floor_le v0; have hi := lt_floor v0; split=> //.
by case: lo => // e; case: frac; exists j.
Qed.

Lemma position_below : (j < G.-1)%N.
Proof.
have [lo _] := position_bounds; apply: INR_ltn_inv; apply: Rlt_le_trans lo _.
by rewrite /v; have := pos_INR G.-1; nra.
Qed.

Lemma linear_quantile_at (x : 'I_G -> R) : binary x ->
  linear_quantile K x = if (G - num_correct x == j.+1)%N then v - INR j else quantile K x.
Proof.
move=> bin; have [lo hi] := position_bounds; have j0 := pos_INR j.
have g : INR G = INR G.-1 + 1 by rewrite -S_INR prednK.
have hK' : 0 < K <= 1 by lra.
have val : K * INR G = v + K by rewrite g /v; ring.
have v0 : 0 <= K * INR G by lra.
rewrite linear_quantile_binary // /table_linear -/v -/j quantile_binary // hard_integers // eqn_leq.
case: (leqP j.+2 (G - num_correct x)) => h2.
  rewrite (ltnW h2) [(_ <= j.+1)%N]leqNgt h2 /=; have -> : (ceil (K * INR G) <= G - num_correct x)%N.
    by apply: leq_trans h2; apply/ceil_le_iff => //; rewrite !S_INR; lra.
  by ring.
rewrite (h2 : (_ <= j.+1)%N) /=; case: (leqP j.+1 (G - num_correct x)) => h1; first by ring.
case: leqP => [/(ceil_le_iff _ v0) le|_]; last by ring.
by move: h1; rewrite ltnS => /INR_leq; lra.
Qed.
End Fractional.

(** A baseline strictly between 0 and 1 gives every correct response of a mixed group a positive advantage and every
    wrong one a negative advantage. *)
Lemma fractional_baseline G (x : 'I_G -> R) k eps b i : 0 <= eps -> ~~ degenerate x -> 0 < b < 1 ->
  (x i = 1 -> 0 < standardised k eps b x i) /\ (x i = 0 -> standardised k eps b x i < 0).
Proof.
move=> e0 mixed [b0 b1]; have s := scale_gt0 k e0 mixed; have s' := Rinv_0_lt_compat _ s.
by rewrite /standardised over_std_mixed // /Rdiv; split=> ->; nra.
Qed.

(** Where (G - 1) K is an integer the interpolation is the quantile of Eq. 3, for arbitrary real rewards; and on binary
    rewards the two agree on every group of G responses only then. Otherwise they differ for exactly one number m of
    correct responses: the baseline is the fractional part of (G - 1) K there, the group is mixed, and both outcomes get
    an advantage that is not zero. *)
Theorem eq4_released_code_if : forall (G : nat) (K : R), (0 < G)%N -> 0 < K < 1 ->
  ((exists n : nat, INR G.-1 * K = INR n) -> forall x : 'I_G -> R, linear_quantile K x = quantile K x)
  /\ ((forall x : 'I_G -> R, binary x -> linear_quantile K x = quantile K x)
      <-> exists n : nat, INR G.-1 * K = INR n)
  /\ (~ (exists n : nat, INR G.-1 * K = INR n) ->
      let j := floor (INR G.-1 * K) in
      (0 < G.-1 - j < G)%N /\
      forall x : 'I_G -> R, binary x ->
        (num_correct x <> (G.-1 - j)%N -> linear_quantile K x = quantile K x)
        /\ (num_correct x = (G.-1 - j)%N ->
            linear_quantile K x = INR G.-1 * K - INR j /\ 0 < linear_quantile K x < 1
            /\ linear_quantile K x <> quantile K x
            /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
                (x i = 1 -> 0 < qae_linear k eps K x i) /\ (x i = 0 -> qae_linear k eps K x i < 0))).
Proof.
move=> G K G0 hK; have hK' : 0 < K <= 1 by lra.
have leak : ~ (exists n : nat, INR G.-1 * K = INR n) ->
      let j := floor (INR G.-1 * K) in
      (0 < G.-1 - j < G)%N /\
      forall x : 'I_G -> R, binary x ->
        (num_correct x <> (G.-1 - j)%N -> linear_quantile K x = quantile K x)
        /\ (num_correct x = (G.-1 - j)%N ->
            linear_quantile K x = INR G.-1 * K - INR j /\ 0 < linear_quantile K x < 1
            /\ linear_quantile K x <> quantile K x
            /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
                (x i = 1 -> 0 < qae_linear k eps K x i) /\ (x i = 0 -> qae_linear k eps K x i < 0)).
  move=> frac j; have jG : (j < G.-1)%N := position_below hK frac.
  have mG : (0 < G.-1 - j < G)%N.
    by rewrite subn_gt0 jG /=; apply: leq_ltn_trans (leq_subr _ _) _; rewrite ltn_predL.
  have at_m (x : 'I_G -> R) : binary x -> (G - num_correct x == j.+1)%N = (num_correct x == G.-1 - j)%N.
    move=> bin; rewrite -subn1 -subnDA add1n -(eqn_add2r (num_correct x)) subnK ?num_correct_le //.
    rewrite -(eqn_add2r j.+1 (num_correct x)) subnK; last by apply: leq_trans jG (leq_pred _).
    by rewrite eq_sym addnC.
  split=> // x bin; have e := linear_quantile_at G0 hK frac bin; rewrite -/j at_m // in e.
  split=> [/eqP/negbTE ne|em]; first by rewrite e ne.
  rewrite em eqxx in e; have [lo hi] := position_bounds hK frac.
  have b01 : 0 < linear_quantile K x < 1 by rewrite e -/j in lo hi *; lra.
  split=> //; split=> //; split; first by rewrite (quantile_binary bin G0 hK'); case: hard; lra.
  by move=> k eps i e0; apply: fractional_baseline => //; rewrite mixed_binary // em.
split; first by move=> [n e] x; apply: linear_quantile_integer e.
split=> //; split=> [agree|[n e] x _]; last exact: linear_quantile_integer e.
case: (Classical_Prop.classic (exists n : nat, INR G.-1 * K = INR n)) => // frac.
have [mG h] := leak frac; have mG' : (G.-1 - floor (INR G.-1 * K) <= G)%N by case/andP: mG => _ /ltnW.
have [_ at_m] := h _ (@binary_first G (G.-1 - floor (INR G.-1 * K))).
have [_ [_ [ne _]]] := at_m (num_correct_first mG').
by case: ne; apply: agree; apply: binary_first.
Qed.

Lemma leak_at G K j : (0 < G)%N -> 0 < K < 1 -> INR j < INR G.-1 * K < INR j + 1 ->
  forall x : 'I_G -> R, binary x -> num_correct x = (G.-1 - j)%N ->
  linear_quantile K x = INR G.-1 * K - INR j
  /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
     (x i = 1 -> 0 < qae_linear k eps K x i) /\ (x i = 0 -> qae_linear k eps K x i < 0).
Proof.
move=> G0 hK [lo hi] x bin m; have fl : floor (INR G.-1 * K) = j by apply: floor_unique; lra.
have frac : ~ exists n : nat, INR G.-1 * K = INR n.
  move=> [n e]; move: lo hi; rewrite e -S_INR => /INR_ltn_inv lo /INR_ltn_inv.
  by rewrite ltnS leqNgt lo.
have [_ [_ h]] := eq4_released_code_if G0 hK; have [_ h'] := h frac.
by have [_ at_m] := h' x bin; rewrite fl in at_m; have [e [_ [_ signs]]] := at_m m.
Qed.

(** Linear interpolation is not the quantile of Eq. 3. In every mixed group of two the interpolated baseline is K; for
    G = 8, K = 2/5 and m = 5 it is 4/5 and not 1; for G = 32, K = 2/5 and m = 19 it is 2/5 and not 0. In these groups
    the correct responses have positive and the wrong ones negative advantages, so that neither regime of the gate
    holds. For G = 16 and K = 1/5, 2/5, 3/5, 4/5 the interpolation is the quantile. *)
Theorem eq4_released_code :
  ~ (forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K < 1 -> binary x ->
       linear_quantile K x = quantile K x)
  /\ (forall (x : 'I_2 -> R) (K : R), 0 < K < 1 -> binary x -> num_correct x = 1%N ->
       linear_quantile K x = K /\ quantile K x = gate K (1 / 2)
       /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
          (x i = 1 -> 0 < qae_linear k eps K x i) /\ (x i = 0 -> qae_linear k eps K x i < 0))
  /\ (forall x : 'I_8 -> R, binary x -> num_correct x = 5%N ->
       linear_quantile (2 / 5) x = 4 / 5 /\ quantile (2 / 5) x = 1
       /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
          (x i = 1 -> 0 < qae_linear k eps (2 / 5) x i) /\ (x i = 0 -> qae_linear k eps (2 / 5) x i < 0))
  /\ (forall x : 'I_32 -> R, binary x -> num_correct x = 19%N ->
       linear_quantile (2 / 5) x = 2 / 5 /\ quantile (2 / 5) x = 0
       /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
          (x i = 1 -> 0 < qae_linear k eps (2 / 5) x i) /\ (x i = 0 -> qae_linear k eps (2 / 5) x i < 0))
  /\ (forall (x : 'I_16 -> R) (K : R), K = 1 / 5 \/ K = 2 / 5 \/ K = 3 / 5 \/ K = 4 / 5 ->
       linear_quantile K x = quantile K x).
Proof.
have two (x : 'I_2 -> R) (K : R) : 0 < K < 1 -> binary x -> num_correct x = 1%N ->
       linear_quantile K x = K /\ quantile K x = gate K (1 / 2)
       /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
          (x i = 1 -> 0 < qae_linear k eps K x i) /\ (x i = 0 -> qae_linear k eps K x i < 0).
  move=> hK bin m; have pos : INR 0 < INR 2.-1 * K < INR 0 + 1 by rewrite /=; lra.
  have [-> signs] := leak_at (G := 2) isT hK pos bin m.
  split; first by rewrite /=; ring.
  split=> //; have hK' : 0 < K <= 1 by lra.
  by have [_ ->] := eq4_threshold (G := 2) isT hK' bin; rewrite /success_rate m /=; congr gate; field.
split; first move=> agree.
  have m : num_correct (fun i : 'I_2 => bit (i < 1)%N) = 1%N by apply: num_correct_first.
  have hK : 0 < 1 / 2 < 1 by lra.
  have [e [q _]] := two _ _ hK (@binary_first 2 1) m.
  move: e; rewrite agree //; last exact: binary_first.
  by rewrite q /gate; case: Rleb; lra.
split; first exact: two.
have hK : 0 < 2 / 5 < 1 by lra.
have hK' : 0 < 2 / 5 <= 1 by lra.
split=> [x bin m|].
  have pos : INR 2 < INR 8.-1 * (2 / 5) < INR 2 + 1 by rewrite /=; lra.
  have [-> signs] := leak_at (G := 8) isT hK pos bin m; split; first by rewrite /=; field.
  split=> //; have [_ ->] := eq4_threshold (G := 8) isT hK' bin.
  by rewrite /success_rate m /gate Rleb_false //=; lra.
split=> [x bin m|].
  have pos : INR 12 < INR 32.-1 * (2 / 5) < INR 12 + 1 by rewrite !INR_IZR_INZ /=; lra.
  have [-> signs] := leak_at (G := 32) isT hK pos bin m; split; first by rewrite !INR_IZR_INZ /=; field.
  split=> //; have [_ ->] := eq4_threshold (G := 32) isT hK' bin.
  by rewrite /success_rate m /gate Rleb_true // !INR_IZR_INZ /=; lra.
move=> x K hK4; have [n e] : exists n : nat, INR 16.-1 * K = INR n.
  by case: hK4 => [|[|[|]]] ->; [exists 3%N | exists 6%N | exists 9%N | exists 12%N]; rewrite !INR_IZR_INZ /=; field.
by apply: linear_quantile_integer e => //; lra.
Qed.
