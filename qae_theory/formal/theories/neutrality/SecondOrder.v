(** The expected entropy change of a step on a sampled group to second order (claim second-order).

    The mean of the step is the gain times g = p (r - V). For the mean of the products d_x d_y, the terms of one response
    and those of two different ones are summed apart: given the rewards, the responses are independent, and the means of
    a score over the correct and over the wrong responses are g/V and -g/(1 - V). *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables EntropyTaylor.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Scores *)

Lemma mean_score (T : finType) (p : T -> R) x : \sum_y p y = 1 -> mean p (fun y => bit (y == x) - p x) = 0.
Proof.
move=> one; rewrite mean_sub mean_const // (mean_bit p (fun y => y == x)).
by rewrite big_pred1_eq; ring.
Qed.

Lemma mean_reward_score (T : finType) (p r : T -> R) x :
  mean p (fun y => r y * (bit (y == x) - p x)) = p x * (r x - mean p r).
Proof.
rewrite (mean_ext p (h := fun y => bit (y == x) * r y - r y * p x)) => [|y]; last by ring.
rewrite mean_sub mean_scale_r {1}/mean.
rewrite (eq_bigr (fun y => bit (y == x) * (p y * r y))) => [|y _]; last by ring.
by rewrite sum_bit_eq; ring.
Qed.

(** * Two positions of a group *)

Lemma expect_two_positions (G : nat) (i j : 'I_G) (p : R) (f : bool -> bool -> nat -> R) : i != j ->
  expect (bernoulli p) (fun c => f (c i) (c j) (num_correct (rewards bit c))) =
  \sum_b \sum_b' bernoulli p b * bernoulli p b' * binomial_mean G.-2 p (fun m => f b b' (b + (b' + m))%N).
Proof.
move=> ij; have [l lE] : exists l, j = lift i l by case: (unliftP i j) ij => [l ->|->]; [exists l | rewrite eqxx].
rewrite lE (expect_at i); apply: eq_bigr => b _.
transitivity (bernoulli p b * expect (bernoulli p) (fun h : {ffun 'I_G.-1 -> bool} =>
    f b (h l) (b + num_correct (rewards bit h))%N)).
  by congr (_ * _); apply: expect_ext => h; rewrite insert_at insert_lift num_correct_insert.
rewrite (expect_at l) -sum_scale; apply: eq_bigr => b' _; rewrite -Rmult_assoc -expect_binomial; congr (_ * _).
by apply: expect_ext => h; rewrite insert_at num_correct_insert.
Qed.

Section Moments.
Variables (G : nat) (T : finType) (p r : T -> R) (A : estimator G) (a : bool -> nat -> R).
Hypotheses (one : \sum_y p y = 1) (bin : binary r) (mixed : 0 < mean p r < 1) (table : has_table A a).
Let V := mean p r.
Let g y := p y * (r y - V).
Let score x y := bit (y == x) - p x.

(** The three binomial sums. *)
Definition table_square (b : bool) : R := binomial_mean G.-1 V (fun m => a b (b + m)%N ^ 2).
Definition table_product (b b' : bool) : R := binomial_mean G.-2 V (fun m => a b (b + (b' + m))%N * a b' (b + (b' + m))%N).
Definition table_cross : R := table_product true true - 2 * table_product true false + table_product false false.

Lemma square_sum (i : 'I_G) b :
  expect (bernoulli V) (fun c => bit (c i == b) * A (rewards bit c) i ^ 2) = bernoulli V b * table_square b.
Proof.
rewrite -(expect_table V (fun b m => a b m ^ 2) i); apply: expect_ext => c.
by rewrite table.
Qed.

Lemma square_moment i b :
  expect_given (bernoulli V) (fun c => c i == b) (fun c => A (rewards bit c) i ^ 2) = table_square b.
Proof.
have pos := bernoulli_gt0 b mixed; rewrite /expect_given square_sum.
have -> : expect (bernoulli V) (fun c : {ffun 'I_G -> bool} => bit (c i == b)) = bernoulli V b.
  rewrite (expect_single (bernoulli_sum V) i (fun u => bit (u == b))) mean_bernoulli.
  by case: b {pos} => /=; ring.
by field; apply: Rgt_not_eq.
Qed.

Lemma product_moment i j b b' : i != j ->
  expect_given (bernoulli V) (fun c => (c i == b) && (c j == b')) (fun c => A (rewards bit c) i * A (rewards bit c) j)
  = table_product b b'.
Proof.
move=> ij; have pos := bernoulli_gt0 b mixed; have pos' := bernoulli_gt0 b' mixed; rewrite /expect_given.
have den : expect (bernoulli V) (fun c : {ffun 'I_G -> bool} => bit ((c i == b) && (c j == b'))) =
    bernoulli V b * bernoulli V b'.
  rewrite (expect_two_positions V (fun u u' _ => bit ((u == b) && (u' == b'))) ij) !sum_bool !binomial_mean_const.
  by case: b {pos}; case: b' {pos'} => /=; ring.
rewrite den (expect_ext (E := fun c => bit ((c i == b) && (c j == b'))
    * (a (c i) (num_correct (rewards bit c)) * a (c j) (num_correct (rewards bit c))))) => [|c]; last by rewrite !table.
rewrite (expect_two_positions V (fun u u' m => bit ((u == b) && (u' == b')) * (a u m * a u' m)) ij).
rewrite !sum_bool !binomial_mean_scale /table_product.
have hV : 0 < V < 1 := mixed.
by case: b {den} pos; case: b' pos' => /= h h'; field; lra.
Qed.

(** The products of two scores of one response, and of two responses. *)
Lemma expect_own i x y :
  expect p (fun h => A (rewards r h) i ^ 2 * (score x (h i) * score y (h i))) =
  table_square true * mean p (fun u => r u * (score x u * score y u))
  + table_square false * mean p (fun u => (1 - r u) * (score x u * score y u)).
Proof.
rewrite (expect_ext (E := fun h => (fun u => score x u * score y u) (h i) * (A (rewards r h) i ^ 2))) => [|h]; last first.
  by ring.
rewrite (expect_score_rewards one bin mixed (fun u => score x u * score y u) i (fun v => A v i ^ 2)) -/V.
have hV : 0 < V < 1 := mixed; have correct := square_sum i true; have wrong := square_sum i false.
rewrite (expect_ext (E := fun c => bit (c i) * A (rewards bit c) i ^ 2)) in correct; last by move=> c; rewrite eqb_id.
rewrite (expect_ext (E := fun c => bit (~~ c i) * A (rewards bit c) i ^ 2)) in wrong; last by move=> c; rewrite eqbF_neg.
by rewrite correct wrong /bernoulli; field; lra.
Qed.

Lemma mean_wrong_score x : mean p (fun y => (1 - r y) * score x y) = - g x.
Proof.
rewrite (mean_ext p (h := fun y => score x y - r y * score x y)) => [|y]; last by ring.
by rewrite mean_sub (mean_score x one) (mean_reward_score p r x) /g /V; ring.
Qed.

Lemma expect_cross i j x y : i != j ->
  expect p (fun h => A (rewards r h) i * A (rewards r h) j * (score x (h i) * score y (h j))) =
  table_cross * (g x * g y).
Proof.
move=> ij; have pos u : class_law p (fun y => Reqb (r y) 1) u <> 0.
  by rewrite correct_law //; apply: Rgt_not_eq; apply: bernoulli_gt0.
rewrite (expect_ext (E := fun h => score x (h i) * score y (h j) * (fun c : {ffun 'I_G -> bool} =>
    A (rewards bit c) i * A (rewards bit c) j) (classes (fun y => Reqb (r y) 1) h))) => [|h]; last first.
  by rewrite (rewards_classes bin); ring.
rewrite (expect_score2 pos (score x) (score y) (fun c => A (rewards bit c) i * A (rewards bit c) j) ij).
rewrite correct_law // -/V.
pose w (s : T) b := (if b then g s else - g s) / bernoulli V b.
rewrite (expect_ext (E := fun c => w x (c i) * w y (c j)
    * (a (c i) (num_correct (rewards bit c)) * a (c j) (num_correct (rewards bit c))))) => [|c]; last first.
  by rewrite !correct_mean // !table /w !mean_wrong_score !(mean_reward_score p r).
rewrite (expect_two_positions V (fun b b' m => w x b * w y b' * (a b m * a b' m)) ij).
rewrite !sum_bool !binomial_mean_scale /table_cross /table_product /w /bernoulli.
have -> : binomial_mean G.-2 V (fun m => a false (false + (true + m))%N * a true (false + (true + m))%N) =
    binomial_mean G.-2 V (fun m => a true (true + (false + m))%N * a false (true + (false + m))%N).
  by apply: binomial_mean_ext => m _; rewrite /= Rmult_comm.
by have hV : 0 < V < 1 := mixed; field; lra.
Qed.

(** The second moment of the step. *)
Lemma expect_step_products (x y : T) : (1 < G)%N ->
  expect p (fun h => sampled_group p h (A (rewards r h)) x * sampled_group p h (A (rewards r h)) y) =
  (table_square true * mean p (fun u => r u * (score x u * score y u))
   + table_square false * mean p (fun u => (1 - r u) * (score x u * score y u))) / INR G
  + (INR G - 1) / INR G * table_cross * (g x * g y).
Proof.
move=> G1; have gp : 0 < INR G by apply: INR_pos; apply: ltnW.
pose term h (i j : 'I_G) := A (rewards r h) i * A (rewards r h) j * (score x (h i) * score y (h j)).
rewrite (expect_ext (E := fun h => (\sum_i \sum_j term h i j) / INR G ^ 2)) => [|h]; last first.
  have sq u v : u / INR G * (v / INR G) = u * v / INR G ^ 2 by field; lra.
  rewrite /sampled_group /group_step sq sum_prod; congr (_ / _).
  by apply: eq_bigr => i _; apply: eq_bigr => j _; rewrite /term /score; ring.
rewrite expect_div expect_sum.
set own := table_square true * _ + _; pose cross := table_cross * (g x * g y).
rewrite (eq_bigr (fun _ => own + (INR G - 1) * cross)) => [|i _].
  by rewrite sum_const_ord /cross; field; lra.
rewrite expect_sum (bigD1 i) //=; congr (_ + _).
  rewrite /own -(expect_own i); apply: expect_ext => h; rewrite /term; ring.
rewrite (eq_bigr (fun _ => cross)) => [|j ji]; last by apply: expect_cross; rewrite eq_sym.
by rewrite sum_const cardC1 card_ord -subn1 INR_sub ?(ltnW G1) //=; ring.
Qed.
End Moments.

(** * The claim *)

(** For independent responses of a softmax policy p with 0/1 rewards of success probability V, 0 < V < 1, and every
    permutation-equivariant rule A that sees the rewards only, in groups of at least two (i and j are two positions):
    - E[dH] is eta h1 + eta^2/2 E[d^T (Hess H) d] up to (1 + 4 log n)/3 E[spread(d)^3] |eta|^3, for every eta, where h1
      is the gain w of the rule times the first-order change along g = p (r - V);
    - E[d d^T] = (alpha_1 M_1 + alpha_0 M_0)/G + ((G - 1)/G) beta g g^T, entry by entry, and E[d^T (Hess H) d] is the
      same combination of curvatures;
    - alpha_1, alpha_0 and beta are conditional moments of the advantages, and binomial sums of the rule's table. *)
Theorem second_order : forall (G : nat) (T : finType) (z r : T -> R) (A : estimator G) (i j : 'I_G),
  let p := softmax z in
  let V := mean p r in
  let g := fun y => p y * (r y - V) in
  let score := fun u y => bit (u == y) - p y in
  let d := fun h => sampled_group p h (A (rewards r h)) in
  let alpha := fun b => expect_given (bernoulli V) (fun c => c i == b) (fun c => A (rewards bit c) i ^ 2) in
  let product := fun b b' => expect_given (bernoulli V) (fun c => (c i == b) && (c j == b'))
    (fun c => A (rewards bit c) i * A (rewards bit c) j) in
  let beta := product true true - 2 * product true false + product false false in
  let M := fun b x y => \sum_(u | Reqb (r u) (bit b)) p u * (score u x * score u y) in
  let Q := fun u => curvature z (score u) in
  i != j -> binary r -> 0 < V < 1 -> equivariant A ->
  (forall eta, Rabs (expected_change z r A eta - eta * (gain V A i * first_order p g)
                     - eta ^ 2 / 2 * expect p (fun h => curvature z (d h)))
     <= (1 + 4 * ln (INR #|T|)) / 3 * expect p (fun h => spread (d h) ^ 3) * Rabs eta ^ 3)
  /\ (forall x y, expect p (fun h => d h x * d h y) =
        (alpha true * M true x y + alpha false * M false x y) / INR G + (INR G - 1) / INR G * beta * (g x * g y))
  /\ expect p (fun h => curvature z (d h)) =
       (alpha true * (\sum_(u | Reqb (r u) 1) p u * Q u) + alpha false * (\sum_(u | Reqb (r u) 0) p u * Q u)) / INR G
       + (INR G - 1) / INR G * beta * curvature z g
  /\ (forall a, has_table A a ->
        gain V A i = binomial_mean G.-1 V (fun m => a true m.+1 - a false m)
        /\ alpha true = binomial_mean G.-1 V (fun m => a true m.+1 ^ 2)
        /\ alpha false = binomial_mean G.-1 V (fun m => a false m ^ 2)
        /\ beta = binomial_mean G.-2 V (fun m => a true m.+2 ^ 2 - 2 * (a true m.+1 * a false m.+1) + a false m ^ 2)).
Proof.
move=> G T z r A i j p V g score d alpha product beta M Q ij bin mixed eqv.
have [a table] := equivariant_has_table eqv.
have inh : (0 < #|T|)%N.
  case: (inhabited_or_none T) => [[y _]|none]; first by apply/card_gt0P; exists y.
  by move: mixed; rewrite /V /mean (sum_none _ none); lra.
have hp := softmax_policy z inh; rewrite -/p in hp; have [pos one] := hp.
have G1 : (1 < G)%N by rewrite -[G]card_ord; apply/card_gt1P; exists i, j.
have gp := INR_pos (ltnW G1).
have MT x y : M true x y = mean p (fun u => r u * (score u x * score u y)).
  by rewrite /M /mean [LHS]big_mkcond; apply: eq_bigr => u _; case: (bin u) => ->;
     rewrite /bit ?Reqb_refl ?Reqb_false; try ring; lra.
have MF x y : M false x y = mean p (fun u => (1 - r u) * (score u x * score u y)).
  by rewrite /M /mean [LHS]big_mkcond; apply: eq_bigr => u _; case: (bin u) => ->;
     rewrite /bit ?Reqb_refl ?Reqb_false; try ring; lra.
have second x y : expect p (fun h => d h x * d h y) =
    (alpha true * M true x y + alpha false * M false x y) / INR G + (INR G - 1) / INR G * beta * (g x * g y).
  rewrite (expect_step_products one bin mixed table) // /beta /product !(product_moment mixed table) //.
  by rewrite /alpha !(square_moment mixed table) MT MF.
split; last split; last split.
- move=> eta; have := expected_change_third z r A eta inh; cbv zeta; rewrite -/p (expect_first_order p d one).
  have -> : first_order p (fun y => expect p (fun h => d h y)) = gain V A i * first_order p g.
    rewrite -first_order_scale; congr first_order; apply: fun_ext => y.
    rewrite -[LHS]/(expected_update p r A (fun u => score u y)).
    rewrite (expected_update_gain (w := gain V A i) hp bin mixed); first last.
    - by move=> k; rewrite !(gain_table mixed _ table).
    - exact: ltnW.
    - by apply: mean_score.
    by congr (_ * _); apply: mean_reward_score.
  by rewrite -!Rmult_assoc.
- exact: second.
- rewrite (expect_curvature z p d).
  transitivity (\sum_x \sum_y hessian z x y * (alpha true / INR G * M true x y + (alpha false / INR G * M false x y
      + (INR G - 1) / INR G * beta * (g x * g y)))).
    by apply: eq_bigr => x _; apply: eq_bigr => y _; rewrite second; congr (_ * _); field; lra.
  rewrite !sum_form_add !sum_form_scale -curvature_form.
  have form b : \sum_x \sum_y hessian z x y * M b x y = \sum_(u | Reqb (r u) (bit b)) p u * Q u.
    rewrite -(sum_bit (fun u => Reqb (r u) (bit b))).
    transitivity (mean (fun u => bit (Reqb (r u) (bit b)) * p u) Q); last first.
      by apply: eq_bigr => u _; ring.
    rewrite -(sum_form_mean z _ score); apply: eq_bigr => x _; apply: eq_bigr => y _; congr (_ * _).
    by rewrite /M -(sum_bit (fun u => Reqb (r u) (bit b))); apply: eq_bigr => u _; ring.
  by rewrite !form /=; field; lra.
move=> a' table'; split; first exact: gain_table.
rewrite /beta /product !(product_moment mixed table') // /alpha !(square_moment mixed table').
do 2 split=> //.
rewrite /table_product -binomial_mean_scale -binomial_mean_sub -binomial_mean_add.
by apply: binomial_mean_ext => m _; rewrite /= !add1n !add0n; ring.
Qed.
