(** Which way a constant baseline moves the entropy of sampled groups (claim sampled-sign-law).

    Without a condition on the group the baseline drops out at first order, and at second order it weighs the curvatures
    Q_y by (r_y - b)^2 (independent summands). Given the regime it acts at first order: one response decides the regime
    exactly when floor(G (1 - K)) of the others are correct, an event of probability delta. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables EntropyTaylor SecondOrder.

Set Implicit Arguments.
Unset Strict Implicit.

(** * A constant baseline without a condition on the group *)

Section Constant.
Variables (G : nat) (T : finType) (z r : T -> R).
Hypotheses (G0 : (0 < G)%N) (inh : (0 < #|T|)%N).
Let p := softmax z.
Let V := mean p r.
Let g y := p y * (r y - V).
Let score (u y : T) := bit (u == y) - p y.

Let one : \sum_y p y = 1.
Proof. by case: (softmax_policy z inh). Qed.

Lemma mean_constant_score b y : mean p (fun u => (r u - b) * score u y) = g y.
Proof.
rewrite (mean_ext _ (h := fun u => r u * score u y - b * score u y)) => [|u]; last by ring.
by rewrite mean_sub mean_scale (mean_score y one) (mean_reward_score p r y) -/V -/(g y); ring.
Qed.

Lemma expect_constant_step b y : expect p (fun h : {ffun 'I_G -> T} => sampled_group p h (constant b (rewards r h)) y) = g y.
Proof.
rewrite -[LHS]/(expected_update p r (@constant G b) (fun u => score u y)) expected_update_sum.
rewrite (eq_bigr (fun _ => g y)) => [|i _]; last first.
  by rewrite -(mean_constant_score b y) -(expect_single one i (fun u => (r u - b) * score u y)).
by rewrite sum_const_ord; field; apply: INR_neq0.
Qed.

Lemma expect_constant_products b x y :
  expect p (fun h : {ffun 'I_G -> T} => sampled_group p h (constant b (rewards r h)) x * sampled_group p h (constant b (rewards r h)) y) =
  mean p (fun u => (r u - b) ^ 2 * (score u x * score u y)) / INR G + (INR G - 1) / INR G * (g x * g y).
Proof.
have gp := INR_pos G0; pose term v u := (r u - b) * score u v.
rewrite (expect_ext (E := fun h : {ffun 'I_G -> T} => (\sum_i \sum_j term x (h i) * term y (h j)) / INR G ^ 2)) => [|h].
  rewrite expect_div expect_sum; set own := mean p _.
  rewrite (eq_bigr (fun _ => own + (INR G - 1) * (g x * g y))) => [|i _].
    by rewrite sum_const_ord; field; lra.
  rewrite expect_sum (bigD1 i) //=; congr (_ + _).
    rewrite (expect_single one i (fun u => term x u * term y u)).
    by apply: mean_ext => u; rewrite /term; ring.
  rewrite (eq_bigr (fun _ => g x * g y)) => [|j ji].
    by rewrite sum_const cardC1 card_ord -subn1 INR_sub //=; ring.
  by rewrite (expect_pair one (term x) (term y)) ?mean_constant_score // eq_sym.
have sq u v : u / INR G * (v / INR G) = u * v / INR G ^ 2 by field; lra.
by rewrite /sampled_group /group_step sq sum_prod.
Qed.

Lemma expect_constant_curvature b :
  expect p (fun h : {ffun 'I_G -> T} => curvature z (sampled_group p h (constant b (rewards r h)))) =
  mean p (fun u => (r u - b) ^ 2 * curvature z (score u)) / INR G + (INR G - 1) / INR G * curvature z g.
Proof.
have gp := INR_pos G0.
rewrite (expect_curvature z p (fun h : {ffun 'I_G -> T} => sampled_group p h (constant b (rewards r h)))).
transitivity (\sum_x \sum_y hessian z x y * (/ INR G * mean p (fun u => (r u - b) ^ 2 * (score u x * score u y))
    + (INR G - 1) / INR G * (g x * g y))).
  by apply: eq_bigr => x _; apply: eq_bigr => y _; rewrite expect_constant_products; congr (_ * _); field; lra.
rewrite sum_form_add !sum_form_scale -curvature_form.
have -> : mean p (fun u => (r u - b) ^ 2 * curvature z (score u)) =
    mean (fun u => p u * (r u - b) ^ 2) (fun u => curvature z (score u)) by apply: eq_bigr => u _; ring.
rewrite -(sum_form_mean z _ score) /Rdiv [X in X + _]Rmult_comm; congr (_ * _ + _).
by apply: eq_bigr => x _; apply: eq_bigr => y _; congr (_ * _); apply: eq_bigr => u _; ring.
Qed.

(** The difference of two baselines whose advantages are at most c in size. *)
Lemma constant_difference b b' c eta : 0 <= c ->
  (forall u, Rabs (r u - b) <= c) -> (forall u, Rabs (r u - b') <= c) ->
  Rabs (expected_change z r (@constant G b) eta - expected_change z r (@constant G b') eta
        - eta ^ 2 / (2 * INR G) * mean p (fun u => ((r u - b) ^ 2 - (r u - b') ^ 2) * curvature z (score u)))
  <= 16 / 3 * (1 + 4 * ln (INR #|T|)) * c ^ 3 * Rabs eta ^ 3.
Proof.
move=> c0 hb hb'; have gp := INR_pos G0; have hp : policy p := softmax_policy z inh.
have l0 : 0 <= ln (INR #|T|).
  by have := entropy_le_ln hp; have := entropy_ge0 hp; lra.
have e3 : 0 <= Rabs eta ^ 3 by apply: pow_le; apply: Rabs_pos.
have main a : (forall u, Rabs (r u - a) <= c) ->
    Rabs (expected_change z r (@constant G a) eta - eta * first_order p g
          - eta ^ 2 / 2 * (mean p (fun u => (r u - a) ^ 2 * curvature z (score u)) / INR G
                           + (INR G - 1) / INR G * curvature z g))
    <= 8 / 3 * (1 + 4 * ln (INR #|T|)) * c ^ 3 * Rabs eta ^ 3.
  move=> ha; have := expected_change_third z r (@constant G a) eta inh; cbv zeta; rewrite -/p.
  rewrite (expect_first_order p (fun h : {ffun 'I_G -> T} => sampled_group p h (constant a (rewards r h))) one).
  rewrite expect_constant_curvature (_ : (fun y => expect p _) = g); last first.
    by apply: fun_ext => y; apply: expect_constant_step.
  move=> h; apply: Rle_trans h _.
  have : expect p (fun h : {ffun 'I_G -> T} => spread (sampled_group p h (constant a (rewards r h))) ^ 3) <= 8 * c ^ 3.
    rewrite -(expect_const G one (8 * c ^ 3)); apply: expect_le => [y|h].
      by case: hp => pos _; apply: Rlt_le.
    have -> : 8 * c ^ 3 = (2 * c) ^ 3 by ring.
    apply: pow_incr; split; first exact: spread_ge0.
    by apply: sampled_group_spread => // i; apply: ha.
  move=> h; have := Rmult_le_compat_r _ _ _ e3 h; nra.
have -> : mean p (fun u => ((r u - b) ^ 2 - (r u - b') ^ 2) * curvature z (score u)) =
    mean p (fun u => (r u - b) ^ 2 * curvature z (score u)) - mean p (fun u => (r u - b') ^ 2 * curvature z (score u)).
  by rewrite -mean_sub; apply: mean_ext => u; ring.
move: (main b hb) (main b' hb') => /Rabs_le_between h1 /Rabs_le_between h2.
set m := mean p (fun u => (r u - b) ^ 2 * _) in h1 *; set m' := mean p (fun u => (r u - b') ^ 2 * _) in h2 *.
have -> : eta ^ 2 / (2 * INR G) * (m - m') = eta ^ 2 / 2 * (m / INR G) - eta ^ 2 / 2 * (m' / INR G) by field; lra.
by apply: Rabs_le; lra.
Qed.
End Constant.

(** * Given the regime *)

Section Regimes.
Variables (G : nat) (T : finType) (z r : T -> R) (K : R).
Hypotheses (G0 : (0 < G)%N) (bin : binary r) (mixed : 0 < mean (softmax z) r < 1) (hK : 0 < K <= 1).
Let p := softmax z.
Let V := mean p r.
Let g y := p y * (r y - V).
Let t := floor (INR G * (1 - K)).
(** The probabilities that fewer than t, and that exactly t, of G - 1 responses are correct. *)
Let fewer := binomial_mean G.-1 V (fun m => bit (m < t)%N).
Let delta := binomial_law G.-1 V t.

Lemma threshold_lt : (t <= G.-1)%N.
Proof.
have gp := INR_pos G0; rewrite -ltnS prednK //; apply: INR_ltn_inv.
by apply: (Rle_lt_trans _ (INR G * (1 - K))); [apply: floor_le; nra | nra].
Qed.

Lemma hard_rate m : Rleb (rate G m) (1 - K) = (m <= t)%N.
Proof.
have gp := INR_pos G0; have v0 : 0 <= INR G * (1 - K) by nra.
have e : INR m = rate G m * INR G by rewrite /rate; field; lra.
apply/RlebP/idP => [h|/(le_floor_iff _ v0)]; last by rewrite e; nra.
by apply/(le_floor_iff _ v0); rewrite e; nra.
Qed.

Lemma delta_gt0 : 0 < delta.
Proof. exact: binomial_law_gt0 threshold_lt. Qed.

Lemma delta_mean : binomial_mean G.-1 V (fun m => bit (m == t)) = delta.
Proof.
have tG : (t < G.-1.+1)%N by rewrite ltnS threshold_lt.
rewrite /binomial_mean (bigD1 (Ordinal tG)) //= eqxx big1 ?Rplus_0_r ?Rmult_1_r // => j /negbTE ne.
by rewrite -val_eqE /= in ne; rewrite ne /=; ring.
Qed.

(** A function of the regime times the entropy change: its slope at eta = 0. *)
Lemma regime_slope (E : pred ('I_G -> R)) (e : nat -> bool) b :
  (forall c : {ffun 'I_G -> bool}, E (rewards bit c) = e (num_correct (rewards bit c))) ->
  is_derive (fun eta => expect p (fun h : {ffun 'I_G -> T} => bit (E (rewards r h))
      * entropy_change z (sampled_group p h (constant b (rewards r h))) eta)) 0
    (binomial_mean G.-1 V (fun m => bit (e m.+1) * (1 - b) + bit (e m) * b) * first_order p g).
Proof.
move=> hE; pose d (h : {ffun 'I_G -> T}) := sampled_group p h (@constant G b (rewards r h)).
have inh : (0 < #|T|)%N.
  case: (inhabited_or_none T) => [[y _]|none]; first by apply/card_gt0P; exists y.
  by move: mixed; rewrite /mean (sum_none _ none); lra.
have hp : policy p := softmax_policy z inh; have [pos one] := hp.
apply: derive_eq.
  apply: derive_sum => h _; apply: derive_scale; apply: derive_scale.
  by apply: derive_sub (derive_path_entropy z (d h) 0) (derive_const _ 0).
cbv beta; rewrite -first_order_scale.
transitivity (expect p (fun h => first_order p (fun y => bit (E (rewards r h)) * d h y))).
  by apply: eq_bigr => h _; congr (_ * _); rewrite first_order_scale step0 -/p; ring.
rewrite (expect_first_order p (fun h y => bit (E (rewards r h)) * d h y) one); congr first_order; apply: fun_ext => y.
pose A : estimator G := fun x i => bit (E x) * (x i - b).
transitivity (expected_update p r A (fun u => bit (u == y) - p y)).
  apply: expect_ext => h; rewrite /d /sampled_group /group_step /A -Rmult_assoc -sum_scale; congr (_ / _).
  by apply: eq_bigr => i _; rewrite /constant; ring.
have table : has_table A (fun a m => bit (e m) * (bit a - b)) by move=> c i; rewrite /A hE.
rewrite (expected_update_gain (w := table_gain G V (fun a m => bit (e m) * (bit a - b))) hp bin mixed) //.
- rewrite (mean_reward_score p r y) -/V -/(g y); congr (_ * _); apply: binomial_mean_ext => m _ /=; ring.
- by apply: mean_score.
- by move=> i; apply: gain_table.
Qed.

Lemma hard_slope b : is_derive (fun eta => expect p (fun h : {ffun 'I_G -> T} => bit (hard K (rewards r h))
      * entropy_change z (sampled_group p h (constant b (rewards r h))) eta)) 0
    ((fewer + b * delta) * first_order p g).
Proof.
apply: derive_eq.
  by apply: (@regime_slope (hard K) (fun m => m <= t)%N) => c; rewrite /hard -/(rate G _) hard_rate.
congr (_ * _); rewrite -delta_mean -binomial_mean_scale -binomial_mean_add; apply: binomial_mean_ext => m _.
by rewrite [(m <= t)%N]leq_eqVlt; case: (ltngtP m t) => _ /=; ring.
Qed.

Lemma easy_slope b : is_derive (fun eta => expect p (fun h : {ffun 'I_G -> T} => bit (~~ hard K (rewards r h))
      * entropy_change z (sampled_group p h (constant b (rewards r h))) eta)) 0
    ((1 - fewer - b * delta) * first_order p g).
Proof.
apply: derive_eq.
  apply: (@regime_slope (fun x => ~~ hard K x) (fun m => ~~ (m <= t)%N)) => c.
  by rewrite /hard -/(rate G _) hard_rate.
congr (_ * _); rewrite -delta_mean -binomial_mean_scale -[in RHS](binomial_mean_const G.-1 V 1) -!binomial_mean_sub.
apply: binomial_mean_ext => m _.
by rewrite [(m <= t)%N]leq_eqVlt; case: (ltngtP m t) => _ /=; ring.
Qed.

(** Both regimes have positive probability: all responses can be wrong, and all can be correct. *)
Lemma regime_probability : 0 < expect p (fun h : {ffun 'I_G -> T} => bit (hard K (rewards r h)))
  /\ 0 < expect p (fun h : {ffun 'I_G -> T} => bit (~~ hard K (rewards r h))).
Proof.
have hV : 0 < V < 1 := mixed.
have [pos one] : policy p.
  apply: softmax_policy; case: (inhabited_or_none T) => [[y _]|none]; first by apply/card_gt0P; exists y.
  by move: mixed; rewrite /mean (sum_none _ none); lra.
have tG := threshold_lt.
rewrite (expect_rewards one bin (fun x => bit (hard K x))) (expect_rewards one bin (fun x => bit (~~ hard K x))) -/V.
have bp b : 0 < bernoulli V b by apply: bernoulli_gt0.
have bb c : 0 <= bit c by rewrite /bit; case: c; lra.
split; [apply: (expect_gt0 (g := [ffun _ => false])) | apply: (expect_gt0 (g := [ffun _ => true]))] => //;
  rewrite /hard -/(rate G _) hard_rate num_correct_bits.
- rewrite (eq_card0 (A := _)) => [|i]; first by rewrite /=; lra.
  by rewrite !inE ffunE.
rewrite (eq_card (B := 'I_G)) => [|i]; last by rewrite !inE ffunE.
by rewrite card_ord -ltnNge -[X in (_ < X)%N](prednK G0) ltnS tG /=; lra.
Qed.
End Regimes.

(** * The claim *)

(** For independent responses of a softmax policy p with 0/1 rewards of success probability V, 0 < V < 1, advantages
    r - b with a constant baseline b, and groups of any size:
    - for two baselines in [0, 1] the expected entropy changes differ by eta^2/(2G) E[((r - b)^2 - (r - b')^2) Q], up to
      16/3 (1 + 4 log n) |eta|^3 for every eta; from b = 0 to b = 1 that is eta^2/(2G) E[(1 - 2 r) Q];
    - the slope at eta = 0 of the part of the expected change that comes from hard groups is affine in b with slope
      delta h, that of the part from easy groups with slope - delta h; delta > 0, and both regimes have positive
      probability;
    - so if h > 0 the order of Proposition 4.2 holds at first order on hard groups and fails on easy ones, for every
      baseline in [0, 1] other than the quantile; if h < 0 it is the other way round; if h = 0 both are equalities. *)
Theorem sampled_sign_law : forall (G : nat) (T : finType) (z r : T -> R) (K : R),
  let p := softmax z in
  let V := mean p r in
  let Q := fun u => curvature z (fun y => bit (u == y) - p y) in
  let h := first_order p (fun y => p y * (r y - V)) in
  let t := floor (INR G * (1 - K)) in
  let delta := binomial_law G.-1 V t in
  let fewer := binomial_mean G.-1 V (fun m => bit (m < t)%N) in
  let change := fun b eta => expected_change z r (@constant G b) eta in
  let part := fun (E : pred ('I_G -> R)) b eta => expect p (fun g => bit (E (rewards r g))
    * entropy_change z (sampled_group p g (constant b (rewards r g))) eta) in
  let easy := fun x => ~~ hard K x in
  let hard_slope := fun b => Derive (part (hard K) b) 0 in
  let easy_slope := fun b => Derive (part easy b) 0 in
  (0 < G)%N -> 0 < K <= 1 -> binary r -> 0 < V < 1 ->
  (forall b b' eta, 0 <= b <= 1 -> 0 <= b' <= 1 ->
     Rabs (change b eta - change b' eta - eta ^ 2 / (2 * INR G) * mean p (fun u => ((r u - b) ^ 2 - (r u - b') ^ 2) * Q u))
     <= 16 / 3 * (1 + 4 * ln (INR #|T|)) * Rabs eta ^ 3)
  /\ (forall eta,
     Rabs (change 1 eta - change 0 eta - eta ^ 2 / (2 * INR G) * mean p (fun u => (1 - 2 * r u) * Q u))
     <= 16 / 3 * (1 + 4 * ln (INR #|T|)) * Rabs eta ^ 3)
  /\ (forall b, is_derive (part (hard K) b) 0 ((fewer + b * delta) * h)
                /\ is_derive (part easy b) 0 ((1 - fewer - b * delta) * h))
  /\ 0 < delta
  /\ (0 < expect p (fun g : {ffun 'I_G -> T} => bit (hard K (rewards r g)))
      /\ 0 < expect p (fun g : {ffun 'I_G -> T} => bit (easy (rewards r g))))
  /\ (forall b, hard_slope b - hard_slope 0 = b * (delta * h) /\ easy_slope 1 - easy_slope b = - ((1 - b) * (delta * h)))
  /\ (0 < h -> forall b, (0 < b <= 1 -> hard_slope 0 < hard_slope b) /\ (0 <= b < 1 -> easy_slope 1 < easy_slope b))
  /\ (h < 0 -> forall b, (0 < b <= 1 -> hard_slope b < hard_slope 0) /\ (0 <= b < 1 -> easy_slope b < easy_slope 1))
  /\ (h = 0 -> forall b, hard_slope 0 = hard_slope b /\ easy_slope 1 = easy_slope b).
Proof.
move=> G T z r K p V Q h t delta fewer change part easy hslope eslope G0 hK bin mixed.
have inh : (0 < #|T|)%N.
  case: (inhabited_or_none T) => [[y _]|none]; first by apply/card_gt0P; exists y.
  by move: mixed; rewrite /V /mean (sum_none _ none); lra.
have size b u : 0 <= b <= 1 -> Rabs (r u - b) <= 1 by move=> hb; apply: Rabs_le; case: (bin u) => ->; lra.
have pair b b' eta : 0 <= b <= 1 -> 0 <= b' <= 1 ->
    Rabs (change b eta - change b' eta - eta ^ 2 / (2 * INR G) * mean p (fun u => ((r u - b) ^ 2 - (r u - b') ^ 2) * Q u))
    <= 16 / 3 * (1 + 4 * ln (INR #|T|)) * Rabs eta ^ 3.
  move=> hb hb'; have := @constant_difference G T z r G0 inh b b' 1 eta Rle_0_1 (size b ^~ hb) (size b' ^~ hb').
  by rewrite pow1 Rmult_1_r.
have hs b : hslope b = (fewer + b * delta) * h.
  by apply: is_derive_unique; apply: (@hard_slope G T z r K G0 bin mixed hK b).
have es b : eslope b = (1 - fewer - b * delta) * h.
  by apply: is_derive_unique; apply: (@easy_slope G T z r K G0 bin mixed hK b).
have d0 : 0 < delta := @delta_gt0 G T z r K G0 mixed hK.
split; first exact: pair.
split.
  move=> eta; have := @pair 1 0 eta ltac:(lra) ltac:(lra).
  by rewrite (mean_ext p (h := fun u => (1 - 2 * r u) * Q u)) // => u; ring.
split; first by move=> b; split; [apply: (@hard_slope G T z r K G0 bin mixed hK b) | apply: (@easy_slope G T z r K G0 bin mixed hK b)].
split=> //; split; first exact: (@regime_probability G T z r K G0 bin mixed hK).
split; first by move=> b; rewrite !hs !es; split; ring.
split=> [h0 b|]; first by have := Rmult_lt_0_compat _ _ d0 h0; rewrite !hs !es; split=> hb; nra.
split=> [h0 b|h0 b]; last by rewrite !hs !es h0; split; ring.
by have := Rmult_lt_0_compat _ (- h) d0 ltac:(lra); rewrite !hs !es; split=> hb; nra.
Qed.
