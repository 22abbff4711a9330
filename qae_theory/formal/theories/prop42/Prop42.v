(** Proposition 4.2 for the deterministic updates (claims prop42-uncentred, prop42-policy-gradient,
    prop42-natural-gradient with their strict forms, prop42-sign and prop42-finite-step).

    The rewards may be any real numbers unless a statement says otherwise, and K may be any real number. *)

From QAE Require Import Compat Definitions Sums Calculus Identity.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The first-order change as a function of the baseline *)

(** For d = p (r - b) the first-order change is a line in b whose slope is the self-covariance. *)
Theorem prop42_uncentred_line : forall (T : finType) (p r : T -> R) (b : R),
  first_order p (uncentred p r b) = first_order p (uncentred p r 0) + b * self_cov p.
Proof.
move=> T p r b; rewrite /first_order /self_cov.
have e c : cov p (logp p) (uncentred p r c) = cov p (logp p) (fun y => p y * r y) - c * cov p (logp p) p.
  rewrite -cov_scale_r -cov_sub_r; apply: cov_ext => // y; rewrite /uncentred; ring.
by rewrite (e b) (e 0); ring.
Qed.

(** On a hard query the quantile baseline has the least first-order change of all baselines in [0, 1], on an easy one
    the largest; strictly if and only if the policy is not uniform and the baseline is another one. *)
Theorem prop42_uncentred : forall (T : finType) (p r : T -> R) (K b : R), policy p -> 0 <= b <= 1 ->
  let h c := first_order p (uncentred p r c) in
  let bK := gate K (mean p r) in
  (mean p r <= 1 - K -> h bK <= h b /\ (h bK < h b <-> ~ uniform p /\ b <> bK))
  /\ (1 - K < mean p r -> h b <= h bK /\ (h b < h bK <-> ~ uniform p /\ b <> bK)).
Proof.
move=> T p r K b hp hb h bK.
have e c : h c = h 0 + c * self_cov p := prop42_uncentred_line p r c.
have c0 := self_covariance_nonneg hp; have iff := self_covariance_zero_iff_uniform hp.
have pos : ~ uniform p -> 0 < self_cov p.
  by move=> nu; case: c0 => // z; case: nu; apply/iff.
split=> hard.
  rewrite /bK /gate (Rleb_true hard) (e b).
  split; first by nra.
  split=> [lt|[/pos c1 ne]]; last by nra.
  by split=> [/iff z|z]; move: lt; rewrite z; lra.
rewrite /bK /gate (Rleb_false hard) (e b) (e 1).
split; first by nra.
split=> [lt|[/pos c1 ne]]; last by nra.
by split=> [/iff z|z]; move: lt; rewrite z; lra.
Qed.

(** * Updates that the baseline drops out of *)

(** The direction p (r - b - E[r - b]) is p (r - V) for every b. *)
Lemma policy_gradient_centred (T : finType) (p r : T -> R) b : \sum_y p y = 1 ->
  policy_gradient p r b = (fun y => p y * (r y - mean p r)).
Proof. by move=> one; apply: fun_ext => y; rewrite /policy_gradient mean_sub mean_const //; ring. Qed.

(** It is the gradient of the expected reward in the logits. *)
Theorem prop42_policy_gradient_is_gradient : forall (T : finType) (z r : T -> R) (b : R) (y : T),
  is_derive (fun t => mean (softmax (step z (fun x => bit (x == y)) t)) r) 0 (policy_gradient (softmax z) r b y).
Proof.
move=> T z r b y; apply: derive_eq; first exact: derive_mean_fixed.
have one := softmax_sum z y; rewrite step0 policy_gradient_centred // cov_sym cov_centred //.
by rewrite -(sum_bit_eq y (fun x => softmax z x * (r x - mean (softmax z) r))); apply: eq_bigr => x _; ring.
Qed.

(** For the exact policy gradient the weak inequalities of the proposition hold, as equalities: every baseline gives
    the same direction, hence the same first-order change and the same change at every step size. *)
Theorem prop42_policy_gradient : forall (T : finType) (z r : T -> R) (K b eta : R),
  let p := softmax z in let bK := gate K (mean p r) in
  let h c := first_order p (policy_gradient p r c) in
  let dH c := entropy_change z (policy_gradient p r c) eta in
  (mean p r <= 1 - K -> h bK <= h b /\ dH bK <= dH b)
  /\ (1 - K < mean p r -> h b <= h bK /\ dH b <= dH bK)
  /\ policy_gradient p r b = policy_gradient p r bK /\ h b = h bK /\ dH b = dH bK.
Proof.
move=> T z r K b eta p bK h dH.
suff e : policy_gradient p r b = policy_gradient p r bK.
  by rewrite /h /dH e; repeat split; apply: Rle_refl.
case: (inhabited_or_none T) => [[y _]|none]; last by apply: fun_ext => y; case: (none y).
by rewrite !policy_gradient_centred //; apply: softmax_sum y.
Qed.

(** For the natural gradient r - b too: another baseline shifts all logits alike. *)
Theorem prop42_natural_gradient : forall (T : finType) (z r : T -> R) (K b eta : R),
  let p := softmax z in let bK := gate K (mean p r) in
  let h c := first_order p (natural_gradient r c) in
  let dH c := entropy_change z (natural_gradient r c) eta in
  (mean p r <= 1 - K -> h bK <= h b /\ dH bK <= dH b)
  /\ (1 - K < mean p r -> h b <= h bK /\ dH b <= dH bK)
  /\ h b = h bK /\ dH b = dH bK
  /\ softmax (step z (natural_gradient r b) eta) = softmax (step z (natural_gradient r bK) eta).
Proof.
move=> T z r K b eta p bK h dH.
have shift c c' t : softmax (step z (natural_gradient r c) t) = softmax (step z (natural_gradient r c') t).
  by apply: (@softmax_shift _ _ _ (t * (c' - c))) => y; rewrite /step /natural_gradient; ring.
have ed : dH b = dH bK by rewrite /dH /entropy_change /path_entropy (shift b bK).
have eh : h b = h bK.
  case: (inhabited_or_none T) => [[y _]|none]; last by rewrite /h /first_order /cov /mean !(sum_none _ none).
  have one : \sum_x p x = 1 := softmax_sum z y.
  by rewrite /h /first_order (cov_shift_r _ _ b one) (cov_shift_r _ _ bK one).
by rewrite eh ed; repeat split; rewrite ?(shift b bK); try apply: Rle_refl.
Qed.

(** * Two responses, the first one right *)

Lemma bernoulli_policy p : 0 < p < 1 -> policy (bernoulli p).
Proof. by move=> h; split=> [[]|]; rewrite ?sum_bool /bernoulli; lra. Qed.

Lemma mean_bool (q f : bool -> R) : mean q f = q true * f true + q false * f false.
Proof. by rewrite /mean sum_bool. Qed.

Lemma bernoulli_uniform p : uniform (bernoulli p) <-> p = 1 / 2.
Proof.
split=> [u|->]; first by have := u true false; rewrite /bernoulli; lra.
by case=> [] []; rewrite /bernoulli; lra.
Qed.

Lemma bernoulli_success p : mean (bernoulli p) bit = p.
Proof. by rewrite mean_bool /bernoulli /bit; ring. Qed.

(** If a direction's first-order change never depends on the baseline then both strict halves of the proposition fail:
    a policy of two responses meets their hypotheses. *)
Lemma strict_refuted (d : forall T : finType, (T -> R) -> (T -> R) -> R -> T -> R) :
  (forall (T : finType) (p r : T -> R) (b c : R), policy p ->
     ~ first_order p (d T p r b) < first_order p (d T p r c)) ->
  ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
       0 <= b <= 1 -> b <> gate K (mean p r) -> mean p r <= 1 - K ->
       first_order p (d T p r (gate K (mean p r))) < first_order p (d T p r b))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
       0 <= b <= 1 -> b <> gate K (mean p r) -> 1 - K < mean p r ->
       first_order p (d T p r b) < first_order p (d T p r (gate K (mean p r)))).
Proof.
move=> never; have bin : binary bit by case; [right | left].
split=> h.
  have hp : policy (bernoulli (1 / 4)) by apply: bernoulli_policy; lra.
  apply: (never _ _ bit (gate (1 / 2) (mean (bernoulli (1 / 4)) bit)) 1 hp).
  apply: h => //; rewrite ?bernoulli_uniform ?bernoulli_success /gate ?Rleb_true; lra.
have hp : policy (bernoulli (3 / 4)) by apply: bernoulli_policy; lra.
apply: (never _ _ bit 0 (gate (1 / 2) (mean (bernoulli (3 / 4)) bit)) hp).
apply: h => //; rewrite ?bernoulli_uniform ?bernoulli_success /gate ?Rleb_false; lra.
Qed.

(** The strict inequalities never hold for the two updates, although their hypotheses can be met. *)
Theorem prop42_policy_gradient_strict :
  (forall (T : finType) (p r : T -> R) (b c : R), policy p ->
    ~ first_order p (policy_gradient p r b) < first_order p (policy_gradient p r c))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
         0 <= b <= 1 -> b <> gate K (mean p r) -> mean p r <= 1 - K ->
         first_order p (policy_gradient p r (gate K (mean p r))) < first_order p (policy_gradient p r b))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
         0 <= b <= 1 -> b <> gate K (mean p r) -> 1 - K < mean p r ->
         first_order p (policy_gradient p r b) < first_order p (policy_gradient p r (gate K (mean p r)))).
Proof.
have never (T : finType) (p r : T -> R) b c : policy p ->
    ~ first_order p (policy_gradient p r b) < first_order p (policy_gradient p r c).
  by move=> [_ one]; rewrite !policy_gradient_centred //; apply: Rlt_irrefl.
by split=> //; apply: (strict_refuted (d := policy_gradient)).
Qed.

Theorem prop42_natural_gradient_strict :
  (forall (T : finType) (p r : T -> R) (b c : R), policy p ->
    ~ first_order p (natural_gradient r b) < first_order p (natural_gradient r c))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
         0 <= b <= 1 -> b <> gate K (mean p r) -> mean p r <= 1 - K ->
         first_order p (natural_gradient r (gate K (mean p r))) < first_order p (natural_gradient r b))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
         0 <= b <= 1 -> b <> gate K (mean p r) -> 1 - K < mean p r ->
         first_order p (natural_gradient r b) < first_order p (natural_gradient r (gate K (mean p r)))).
Proof.
have never (T : finType) (p r : T -> R) b c : policy p ->
    ~ first_order p (natural_gradient r b) < first_order p (natural_gradient r c).
  move=> [_ one]; rewrite /first_order (cov_shift_r _ _ b one) (cov_shift_r _ _ c one); exact: Rlt_irrefl.
by split=> //; apply: (strict_refuted (d := fun T _ r b => natural_gradient r b)).
Qed.

(** * The entropy of two responses as a function of their logit gap *)

Definition gap_entropy (x : R) : R := ln (1 + exp x) - x * exp x / (1 + exp x).

Lemma entropy_gap (z : bool -> R) : entropy (softmax z) = gap_entropy (z true - z false).
Proof.
rewrite /entropy mean_bool /logp !ln_softmax /softmax sum_bool /gap_entropy.
have e : exp (z true) = exp (z false) * exp (z true - z false) by rewrite -exp_plus; congr exp; ring.
have pf := exp_pos (z false); have px := exp_pos (z true - z false).
have -> : ln (exp (z true) + exp (z false)) = z false + ln (1 + exp (z true - z false)).
  rewrite (_ : exp (z true) + exp (z false) = exp (z false) * (1 + exp (z true - z false))); last by rewrite e; ring.
  by rewrite ln_mult ?ln_exp //; lra.
rewrite e; field; repeat split; nra.
Qed.

Lemma gap_entropy_even x : gap_entropy (- x) = gap_entropy x.
Proof.
rewrite /gap_entropy exp_Ropp; have px := exp_pos x.
have -> : ln (1 + / exp x) = ln (1 + exp x) - x.
  rewrite (_ : 1 + / exp x = (1 + exp x) / exp x); last by field; lra.
  by rewrite ln_div ?ln_exp //; lra.
by field; lra.
Qed.

Lemma derive_gap_entropy x : is_derive gap_entropy x (- x * exp x / (1 + exp x) ^ 2).
Proof.
have px := exp_pos x; rewrite /gap_entropy; auto_derive; first by split; [lra | split; [lra | done]].
by field; lra.
Qed.

Lemma gap_entropy_decreasing x y : 0 <= x < y -> gap_entropy y < gap_entropy x.
Proof.
move=> [x0 xy]; suff : - gap_entropy x < - gap_entropy y by lra.
apply: (@strictly_monotone_of_derive (fun t => - gap_entropy t) (fun t => - (- t * exp t / (1 + exp t) ^ 2))) => // t h.
  by apply: derive_opp; apply: derive_gap_entropy.
have pt := exp_pos t; rewrite (_ : - _ = t * exp t / (1 + exp t) ^ 2); last by field; lra.
by apply: Rdiv_lt_0_compat; [apply: Rmult_lt_0_compat; lra | apply: pow_lt; lra].
Qed.

Lemma gap_entropy_abs x : gap_entropy x = gap_entropy (Rabs x).
Proof. by rewrite /Rabs; case: Rcase_abs => // _; rewrite gap_entropy_even. Qed.

(** The entropy falls as the gap grows in size. *)
Lemma gap_entropy_lt x y : gap_entropy x < gap_entropy y <-> y ^ 2 < x ^ 2.
Proof.
rewrite (gap_entropy_abs x) (gap_entropy_abs y) -(pow2_abs x) -(pow2_abs y).
move: (Rabs_pos x) (Rabs_pos y); move: (Rabs x) (Rabs y) => u v u0 v0.
split=> h; last by apply: gap_entropy_decreasing; nra.
case: (Rlt_or_le v u) => [lt|[lt|e]]; first by nra.
  by have := @gap_entropy_decreasing u v (conj u0 lt); lra.
by move: h; rewrite e; lra.
Qed.

Lemma gap_entropy_le x y : gap_entropy x <= gap_entropy y <-> y ^ 2 <= x ^ 2.
Proof.
have h := gap_entropy_lt y x; split=> le; apply: Rnot_lt_le => lt; apply: Rlt_not_le le; by apply/h.
Qed.

Lemma softmax_bool_false (z : bool -> R) : softmax z false = 1 - softmax z true.
Proof. by have := softmax_sum z true; rewrite sum_bool; lra. Qed.

Lemma gap_is_log_odds (z : bool -> R) : let p := softmax z true in z true - z false = ln (p / (1 - p)).
Proof.
move=> p; have pt := softmax_gt0 z true; have pf := softmax_gt0 z false.
rewrite /p -softmax_bool_false ln_div // !ln_softmax; ring.
Qed.

(** The first-order change for two responses, and the gap after a step in the direction p (r - b). *)
Lemma first_order_two (z d : bool -> R) : let p := softmax z true in
  first_order (softmax z) d = - (p * (1 - p) * (z true - z false) * (d true - d false)).
Proof.
move=> p; rewrite /first_order /cov !mean_bool /logp !ln_softmax softmax_bool_false -/p.
by set L := ln _; ring.
Qed.

Lemma uncentred_gap (z : bool -> R) b eta : let p := softmax z true in
  let w := step z (uncentred (softmax z) bit b) eta in
  w true - w false = z true - z false + eta * (p + b * (1 - 2 * p)).
Proof. by move=> p w; rewrite /w /step /uncentred softmax_bool_false /bit -/p; ring. Qed.

Lemma change_two (z : bool -> R) b eta : let p := softmax z true in
  entropy_change z (uncentred (softmax z) bit b) eta =
  gap_entropy (ln (p / (1 - p)) + eta * (p + b * (1 - 2 * p))) - gap_entropy (ln (p / (1 - p))).
Proof. by move=> p; rewrite /entropy_change /path_entropy !entropy_gap uncentred_gap gap_is_log_odds. Qed.

Lemma log_odds_opp p : 0 < p < 1 -> ln (p / (1 - p)) = - ln ((1 - p) / p).
Proof. by move=> h; rewrite !ln_div; lra. Qed.

Lemma softmax_bernoulli p : 0 < p < 1 -> softmax (logp (bernoulli p)) = bernoulli p.
Proof. by move=> h; apply: softmax_logp; apply: bernoulli_policy. Qed.

(** * Finite steps *)

(** For two responses, the right one of probability p < 1/2: the order of the baselines 0 and 1 holds at the step eta
    if and only if eta is at most 2 log((1 - p)/p). For p of at least 1/2 it holds at every step. *)
Theorem prop42_finite_step_two_responses : forall (z : bool -> R) (eta : R), 0 < eta ->
  let p := softmax z true in let dH b := entropy_change z (uncentred (softmax z) bit b) eta in
  (p < 1 / 2 -> (dH 0 <= dH 1 <-> eta <= 2 * ln ((1 - p) / p)))
  /\ (1 / 2 <= p -> dH 0 <= dH 1).
Proof.
move=> z eta pos p dH.
have p0 : 0 < p := softmax_gt0 z true; have p1 : 0 < 1 - p.
  by rewrite /p -softmax_bool_false; apply: softmax_gt0.
have e : dH 0 <= dH 1 <-> 0 <= eta * ((eta - 2 * ln ((1 - p) / p)) * (2 * p - 1)).
  rewrite /dH !change_two -/p log_odds_opp; last by lra.
  have := gap_entropy_le (- ln ((1 - p) / p) + eta * (p + 0 * (1 - 2 * p)))
                         (- ln ((1 - p) / p) + eta * (p + 1 * (1 - 2 * p))).
  set g := ln _ => h; split=> h'.
    have {h'}/h h' : gap_entropy (- g + eta * (p + 0 * (1 - 2 * p))) <= gap_entropy (- g + eta * (p + 1 * (1 - 2 * p))).
      lra.
    nra.
  suff : gap_entropy (- g + eta * (p + 0 * (1 - 2 * p))) <= gap_entropy (- g + eta * (p + 1 * (1 - 2 * p))) by lra.
  by apply/h; nra.
split=> hp.
  rewrite e; set l := ln _; split=> h; last by apply: Rmult_le_pos; nra.
  apply: Rnot_lt_le => lt; have : eta * ((eta - 2 * l) * (2 * p - 1)) < 0; last by lra.
  have : 0 < eta * ((eta - 2 * l) * (1 - 2 * p)); last by nra.
  by apply: Rmult_lt_0_compat => //; apply: Rmult_lt_0_compat; lra.
apply/e; have : ln ((1 - p) / p) <= 0.
  rewrite -ln_1; apply: ln_le; first exact: Rdiv_lt_0_compat.
  by apply: (Rmult_le_reg_r p) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
by move=> l0; apply: Rmult_le_pos; [lra | apply: Rmult_le_pos; lra].
Qed.

(** At the policy (2/5, 3/5) and the step 1 the baseline 0 raises the entropy more than the baseline 1. *)
Lemma order_reversed : let z := logp (bernoulli (2 / 5)) in let p := softmax z in
  entropy_change z (uncentred p bit 1) 1 < entropy_change z (uncentred p bit 0) 1.
Proof.
move=> z p; have [h _] := prop42_finite_step_two_responses z Rlt_0_1.
apply: Rnot_le_lt; rewrite h /z softmax_bernoulli /bernoulli; try lra.
rewrite (_ : (1 - 2 / 5) / (2 / 5) = 3 / 2); last by field.
have : ln (3 / 2) < 3 / 2 - 1 by apply: ln_lt_sub1; lra.
lra.
Qed.

(** Neither half of the proposition holds at every step size, and for two responses it is known where it fails. *)
Theorem prop42_finite_step :
  ~ (forall (T : finType) (z r : T -> R) (K b eta : R), binary r -> 0 < K < 1 -> 0 <= b <= 1 -> 0 < eta ->
       let p := softmax z in let bK := gate K (mean p r) in mean p r <= 1 - K ->
       entropy_change z (uncentred p r bK) eta <= entropy_change z (uncentred p r b) eta)
  /\ ~ (forall (T : finType) (z r : T -> R) (K b eta : R), binary r -> 0 < K < 1 -> 0 <= b <= 1 -> 0 < eta ->
       let p := softmax z in let bK := gate K (mean p r) in 1 - K < mean p r ->
       entropy_change z (uncentred p r b) eta <= entropy_change z (uncentred p r bK) eta)
  /\ (let z := logp (bernoulli (2 / 5)) in let p := softmax z in
      softmax z = bernoulli (2 / 5)
      /\ entropy_change z (uncentred p bit 1) 1 < entropy_change z (uncentred p bit 0) 1)
  /\ (forall (z : bool -> R) (eta : R), 0 < eta ->
      let p := softmax z true in let dH b := entropy_change z (uncentred (softmax z) bit b) eta in
      (p < 1 / 2 -> (dH 0 <= dH 1 <-> eta <= 2 * ln ((1 - p) / p))) /\ (1 / 2 <= p -> dH 0 <= dH 1)).
Proof.
have bin : binary bit by case; [right | left].
have sm : softmax (logp (bernoulli (2 / 5))) = bernoulli (2 / 5) by apply: softmax_bernoulli; lra.
have V : mean (softmax (logp (bernoulli (2 / 5)))) bit = 2 / 5 by rewrite sm bernoulli_success.
have rev := Rlt_not_le _ _ order_reversed.
split=> [h|]; last split=> [h|].
- have := h _ (logp (bernoulli (2 / 5))) bit (1 / 2) 1 1 bin; cbv zeta; rewrite V /gate Rleb_true; last by lra.
  by move=> h'; apply: rev; apply: h'; lra.
- have := h _ (logp (bernoulli (2 / 5))) bit (4 / 5) 0 1 bin; cbv zeta; rewrite V /gate Rleb_false; last by lra.
  by move=> h'; apply: rev; apply: h'; lra.
- by split; [split; [exact: sm | exact: order_reversed] | exact: prop42_finite_step_two_responses].
Qed.

(** * The sign of the change *)

Lemma rare_right_raises p eta : 0 < p < 1 / 2 -> 0 < eta -> eta * p < 2 * ln ((1 - p) / p) ->
  let z := logp (bernoulli p) in 0 < entropy_change z (uncentred (softmax z) bit 0) eta.
Proof.
move=> hp pos small z; rewrite /z change_two softmax_bernoulli; last by lra.
rewrite {1 2 3 4}/bernoulli log_odds_opp; last by lra.
move: small; set l := ln _ => small.
suff : gap_entropy (- l) < gap_entropy (- l + eta * (p + 0 * (1 - 2 * p))) by lra.
by apply/gap_entropy_lt; have : 0 < eta * p by [nra]; nra.
Qed.

Lemma frequent_right_lowers p eta : 1 / 2 <= p < 1 -> 0 < eta ->
  let z := logp (bernoulli p) in entropy_change z (uncentred (softmax z) bit 1) eta < 0.
Proof.
move=> hp pos z; rewrite /z change_two softmax_bernoulli; last by lra.
rewrite {1 2 3 4}/bernoulli.
have : 0 <= ln (p / (1 - p)).
  rewrite -ln_1; apply: ln_le; first by lra.
  by apply: (Rmult_le_reg_r (1 - p)); [lra | rewrite /Rdiv Rmult_assoc Rinv_l; lra].
set l := ln _ => l0.
suff : gap_entropy (l + eta * (p + 1 * (1 - 2 * p))) < gap_entropy l by lra.
by apply/gap_entropy_lt; have : 0 < eta * (1 - p) by [nra]; nra.
Qed.

(** The quantile baseline can raise the entropy on a hard query and lower it on an easy one, at first order and at
    every step of at most 1: the policies (1/10, 9/10) and (9/10, 1/10), the first response being right. *)
Theorem prop42_sign :
  ~ (forall (T : finType) (p r : T -> R) (K : R), policy p -> binary r -> 0 < K < 1 -> mean p r <= 1 - K ->
       first_order p (uncentred p r (gate K (mean p r))) <= 0)
  /\ ~ (forall (T : finType) (p r : T -> R) (K : R), policy p -> binary r -> 0 < K < 1 -> 1 - K < mean p r ->
       0 <= first_order p (uncentred p r (gate K (mean p r))))
  /\ (let p := bernoulli (1 / 10) in gate (2 / 5) (mean p bit) = 0 /\ 0 < first_order p (uncentred p bit 0)
      /\ forall eta, 0 < eta <= 1 -> 0 < entropy_change (logp p) (uncentred p bit 0) eta)
  /\ (let p := bernoulli (9 / 10) in gate (2 / 5) (mean p bit) = 1 /\ first_order p (uncentred p bit 1) < 0
      /\ forall eta, 0 < eta <= 1 -> entropy_change (logp p) (uncentred p bit 1) eta < 0).
Proof.
have bin : binary bit by case; [right | left].
have s1 : softmax (logp (bernoulli (1 / 10))) = bernoulli (1 / 10) by apply: softmax_bernoulli; lra.
have s9 : softmax (logp (bernoulli (9 / 10))) = bernoulli (9 / 10) by apply: softmax_bernoulli; lra.
have g1 : gate (2 / 5) (mean (bernoulli (1 / 10)) bit) = 0 by rewrite bernoulli_success /gate Rleb_true; lra.
have g9 : gate (2 / 5) (mean (bernoulli (9 / 10)) bit) = 1 by rewrite bernoulli_success /gate Rleb_false; lra.
have l9 : 1 < ln 9.
  rewrite -[X in X < _]ln_exp; apply: ln_increasing; first exact: exp_pos.
  by have := exp_le_3; lra.
have f1 : 0 < first_order (bernoulli (1 / 10)) (uncentred (bernoulli (1 / 10)) bit 0).
  rewrite -s1 first_order_two s1 /logp /uncentred /bernoulli /bit -(ln_div (x := 1 / 10)); try lra.
  rewrite (_ : 1 / 10 / (1 - 1 / 10) = / 9) ?ln_Rinv; lra.
have f9 : first_order (bernoulli (9 / 10)) (uncentred (bernoulli (9 / 10)) bit 1) < 0.
  rewrite -s9 first_order_two s9 /logp /uncentred /bernoulli /bit -(ln_div (x := 9 / 10)); try lra.
  by rewrite (_ : 9 / 10 / (1 - 9 / 10) = 9); lra.
split=> [h|].
  have := h _ (bernoulli (1 / 10)) bit (2 / 5); rewrite g1 bernoulli_success => h'.
  apply: (Rlt_not_le _ _ f1); apply: h' => //; [apply: bernoulli_policy | | ]; lra.
split=> [h|].
  have := h _ (bernoulli (9 / 10)) bit (2 / 5); rewrite g9 bernoulli_success => h'.
  apply: (Rlt_not_le _ _ f9); apply: h' => //; [apply: bernoulli_policy | | ]; lra.
split; split=> //; split=> // eta he.
  rewrite -{2}s1; apply: rare_right_raises; try lra.
  by rewrite (_ : (1 - 1 / 10) / (1 / 10) = 9); lra.
by rewrite -{2}s9; apply: frequent_right_lowers; lra.
Qed.
