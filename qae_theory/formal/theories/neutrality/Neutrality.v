(** Claim neutrality: in expectation every estimator that reads the rewards of a group, and not their order, takes the
    same step, the gradient of the success probability, times a number w(p, G), its gain.

    The response at position i is split off. Given it, the number J of correct responses among the others is binomial,
    and the advantage is a true (J + 1) for a correct and a false J for a wrong response. So E[A_i s(y_i)] is
    E[a true (J + 1)] E[r s] + E[a false J] E[(1 - r) s]. A score s has mean 0, because probabilities sum to 1, and
    E[r s] is the derivative of the success probability. *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables NeutralityGains.

Set Implicit Arguments.
Unset Strict Implicit.

(** * One response split off *)

Section Split.
Variables (T : finType) (p r : T -> R) (G : nat).
Hypotheses (one : \sum_y p y = 1) (bin : binary r).
Let correct y := Reqb (r y) 1.

Lemma rewards_insert (i : 'I_G) y (h : {ffun 'I_G.-1 -> T}) :
  rewards r (insert i y h) = rewards bit (insert i (correct y) (classes correct h)).
Proof.
rewrite (rewards_classes bin); congr rewards; apply/ffunP => j; rewrite /classes !ffunE.
by case: unliftP => [l _|_] //; rewrite ffunE.
Qed.

(** The expected update of an estimator with a table, along a function s of mean 0; for every law of the responses. *)
Lemma expected_update_table (A : estimator G) a (s : T -> R) : has_table A a -> (0 < G)%N -> mean p s = 0 ->
  expected_update p r A s = table_gain G (mean p r) a * mean p (fun y => r y * s y).
Proof.
move=> table G0 s0; rewrite expected_update_sum.
pose side b := binomial_mean G.-1 (mean p r) (fun j => a b (b + j)%N).
rewrite (eq_bigr (fun _ => mean p (fun y => s y * side (correct y)))) => [|i _]; last first.
  rewrite (expect_at i); apply: sum_ext => y.
  congr (_ * _); rewrite /side -expect_binomial -(correct_law one bin).
  rewrite -(expect_classes p correct
    (fun c => a (correct y) (correct y + num_correct (rewards bit c))%N)) -expect_scale.
  apply: expect_ext => h.
  by rewrite rewards_insert table !insert_at num_correct_insert Rmult_comm.
rewrite sum_const_ord.
have -> : mean p (fun y => s y * side (correct y)) =
    (side true - side false) * mean p (fun y => r y * s y) + side false * mean p s.
  rewrite -!mean_scale -mean_add; apply: mean_ext => y; rewrite /correct.
  by case: (bin y) => ->; rewrite ?Reqb_refl ?(@Reqb_false 0 1); try lra; ring.
have -> : table_gain G (mean p r) a = side true - side false by rewrite /table_gain binomial_mean_sub.
by rewrite s0; field; apply: INR_neq0.
Qed.
End Split.

(** * Scores *)

Section Scores.
Variables (T : finType) (P : R -> T -> R) (t : R).
Hypotheses (pol : forall u, policy (P u)) (smooth : forall y, ex_derive (fun u => P u y) t).
Let score y := Derive (fun u => ln (P u y)) t.

Lemma score_closed y : score y = Derive (fun u => P u y) t / P t y.
Proof.
have [pos _] := pol t; apply: is_derive_unique; apply: derive_ln; first exact: pos.
exact: Derive_correct.
Qed.

Lemma mean_score (f : T -> R) : mean (P t) (fun y => f y * score y) = Derive (fun u => mean (P u) f) t.
Proof.
have [pos _] := pol t; symmetry; apply: is_derive_unique; apply: derive_eq.
  apply: derive_sum => y _; apply: derive_mul; last exact: derive_const.
  exact: (Derive_correct _ _ (smooth y)).
apply: sum_ext => y; rewrite score_closed; have := pos y; move: (Derive _ t) (f y) (P t y) => d v q h.
by rewrite /= -[LHS]/(d * v + q * 0 : R); field; lra.
Qed.

Lemma mean_score0 : mean (P t) score = 0.
Proof.
have := mean_score (fun _ => 1); rewrite (Derive_ext _ (fun _ => 1)) ?Derive_const => [<-|u].
  by apply: mean_ext => y; rewrite Rmult_1_l.
by have [_ one] := pol u; rewrite mean_const.
Qed.
End Scores.

(** On any differentiable path P of policies with full support, over any finite set of responses, for any group size:
    the expected update along the score is the gain times the derivative of the success probability. *)
Theorem neutrality_update : forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat) (A : estimator G)
    (i : 'I_G),
  (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
  binary r -> 0 < mean (P t) r < 1 -> equivariant A ->
  expected_update (P t) r A (fun y => Derive (fun u => ln (P u y)) t) =
  gain (mean (P t) r) A i * Derive (fun u => mean (P u) r) t.
Proof.
move=> T P t r G A i pol smooth bin hV eqv; have [a table] := equivariant_has_table eqv.
have [_ one] := pol t.
rewrite (expected_update_table one bin table (group_pos i) (mean_score0 pol smooth)) (gain_table hV i table).
by rewrite mean_score.
Qed.

(** The score of a sequence is the sum of the scores of its tokens. *)
Theorem neutrality_token_scores : forall (n : nat) (q : 'I_n -> R -> R) (t : R),
  (forall k u, 0 < q k u) -> (forall k, ex_derive (q k) t) ->
  Derive (fun u => ln (\prod_k q k u)) t = \sum_k Derive (fun u => ln (q k u)) t.
Proof.
move=> n q t pos smooth; apply: is_derive_unique.
apply: (derive_ext (f := fun u => \sum_k ln (q k u))) => [u|]; first by rewrite ln_prod.
apply: derive_sum => k _; apply: Derive_correct; have := Derive_correct _ _ (smooth k) => d.
by exists (Derive (q k) t / q k t); apply: derive_ln.
Qed.

(** The gain as a binomial sum: the advantage of response i depends on its own reward and on the number of correct
    responses of the group only. *)
Theorem neutrality_binomial : forall (G : nat) (A : estimator G), equivariant A ->
  exists a : bool -> nat -> R,
    (forall (c : {ffun 'I_G -> bool}) i, A (rewards bit c) i = a (c i) (num_correct (rewards bit c)))
    /\ forall (p : R) (i : 'I_G), 0 < p < 1 ->
       gain p A i = \sum_(j < G.-1.+1) INR 'C(G.-1, j) * p ^ j * (1 - p) ^ (G.-1 - j) * (a true j.+1 - a false j).
Proof.
move=> G A eqv; have [a table] := equivariant_has_table eqv; exists a; split=> // p i hp.
exact: gain_table.
Qed.

(** * Mixed groups only *)

Lemma binomial_mixed N p : (0 < N)%N ->
  binomial_mean N p (fun j => bit (~~ ((j == 0%N) || (j == N)))) = 1 - p ^ N - (1 - p) ^ N.
Proof.
move=> N0; have at0 : binomial_mean N p (fun j => bit (j == 0%N)) = (1 - p) ^ N.
  by rewrite /binomial_mean (sum_bit_eq_r (ord0 : 'I_N.+1)) /binomial_law bin0 subn0 /=; ring.
have atN : binomial_mean N p (fun j => bit (j == N)) = p ^ N.
  by rewrite /binomial_mean (sum_bit_eq_r (ord_max : 'I_N.+1)) /binomial_law /= binn subnn /=; ring.
rewrite -at0 -atN -(binomial_mean_const N p 1) -!binomial_mean_sub; apply: binomial_mean_ext => j _.
case: eqP => [->|_] /=; last by case: (j == N); rewrite /bit /=; ring.
by rewrite eq_sym -leqn0 leqNgt N0 /bit /=; ring.
Qed.

Lemma mixed_probability (T : finType) (p r : T -> R) G : \sum_y p y = 1 -> binary r -> (0 < G)%N ->
  expect p (fun g : {ffun 'I_G -> T} => bit (~~ degenerate (rewards r g))) = 1 - mean p r ^ G - (1 - mean p r) ^ G.
Proof.
move=> one bin G0; rewrite (expect_rewards one bin (fun x : 'I_G -> R => bit (~~ degenerate x))).
rewrite -binomial_mixed // -expect_binomial; apply: expect_ext => c.
by rewrite degenerate_binary //; apply: rewards_bit_binary.
Qed.

(** Given that the group is mixed, the expected update is the gain of the estimator that gives 0 in degenerate groups,
    (E[A 1{mixed} | R = 1] - E[A 1{mixed} | R = 0]), divided once by the probability of a mixed group. *)
Theorem neutrality_mixed_only : forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat) (A : estimator G)
    (i : 'I_G),
  (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
  binary r -> 0 < mean (P t) r < 1 -> equivariant A ->
  expect_given (P t) (fun g => ~~ degenerate (rewards r g))
    (fun g => group_step (fun y => Derive (fun u => ln (P u y)) t) g (A (rewards r g))) =
  gain (mean (P t) r) (on_mixed A) i / (1 - mean (P t) r ^ G - (1 - mean (P t) r) ^ G)
  * Derive (fun u => mean (P u) r) t.
Proof.
move=> T P t r G A i pol smooth bin hV eqv; have [_ one] := pol t.
rewrite /expect_given mixed_probability ?(group_pos i) //.
set s := fun y : T => Derive (fun u => ln (P u y)) t.
rewrite (expect_ext (E := fun g => group_step s g (on_mixed A (rewards r g)))); last first.
  move=> g; rewrite /on_mixed /group_step; case: degenerate => /=; last by rewrite Rmult_1_l.
  by rewrite Rmult_0_l sum_zero => [|j _]; rewrite /Rdiv Rmult_0_l.
rewrite -/(expected_update (P t) r (on_mixed A) s) (neutrality_update i pol smooth bin hV (on_mixed_equivariant eqv)).
by rewrite /Rdiv; ring.
Qed.

(** * Any differentiable functional *)

(** A vector theta of parameters, a linear optimiser that moves them by eta M u, and a functional F with the gradient gF
    at theta: at first order in eta the expected change of F is the gain times gF . M grad p, which does not depend on
    the estimator. The gradient of p and the scores are taken parameter by parameter. *)
Theorem neutrality_functional : forall (I T : finType) (pi : (I -> R) -> T -> R) (theta : I -> R) (r : T -> R)
    (G : nat) (A : estimator G) (i : 'I_G) (M : I -> I -> R) (F : (I -> R) -> R) (gF : I -> R),
  (forall x, policy (pi x)) ->
  (forall l y, ex_derive (fun u => pi (step theta (fun k => bit (k == l)) u) y) 0) ->
  (forall d, is_derive (fun eta => F (step theta d eta)) 0 (\sum_k gF k * d k)) ->
  binary r -> 0 < mean (pi theta) r < 1 -> equivariant A ->
  let score l y := Derive (fun u => ln (pi (step theta (fun k => bit (k == l)) u) y)) 0 in
  let gradient l := Derive (fun u => mean (pi (step theta (fun k => bit (k == l)) u)) r) 0 in
  is_derive (fun eta => expect (pi theta) (fun g =>
      F (step theta (fun k => \sum_l M k l * group_step (score l) g (A (rewards r g))) eta))) 0
    (gain (mean (pi theta) r) A i * (\sum_k gF k * (\sum_l M k l * gradient l))).
Proof.
move=> I T pi theta r G A i M F gF pol smooth dF bin hV eqv score gradient.
have update l : expect (pi theta) (fun g => group_step (score l) g (A (rewards r g))) =
    gain (mean (pi theta) r) A i * gradient l.
  pose P u := pi (step theta (fun k => bit (k == l)) u); have P0 : P 0 = pi theta by rewrite /P step0.
  have hV' : 0 < mean (P 0) r < 1 by rewrite P0.
  have := neutrality_update i (fun u => pol _) (smooth l) bin hV' eqv.
  by rewrite -/(P 0) P0.
apply: derive_eq; first by apply: derive_sum => g _; apply: derive_scale; apply: dF.
rewrite -/(expect (pi theta) _) expect_sum -sum_scale; apply: sum_ext => k.
rewrite expect_scale expect_sum Rmult_comm -!Rmult_assoc [gain _ _ _ * _]Rmult_comm Rmult_assoc.
rewrite -sum_scale Rmult_comm; congr (_ * _); apply: sum_ext => l.
by rewrite expect_scale update; ring.
Qed.

(** * The entropy of a tabular softmax *)

(** The first-order entropy change of a sampled step is an update along a score of mean 0. *)
Definition entropy_score (T : finType) (p : T -> R) : T -> R := fun x => first_order p (fun y => bit (x == y) - p y).

Lemma mean_sum (T I : finType) (p : T -> R) (c : I -> R) (d : I -> T -> R) :
  mean p (fun y => \sum_i c i * d i y) = \sum_i c i * mean p (d i).
Proof.
rewrite /mean [RHS](eq_bigr (fun i => \sum_y c i * (p y * d i y))) => [|i _]; last by rewrite sum_scale.
by rewrite [RHS]sum_swap; apply: sum_ext => y; rewrite -sum_scale; apply: sum_ext => i; ring.
Qed.

Lemma first_order_sum (T I : finType) (p : T -> R) (c : I -> R) (d : I -> T -> R) :
  first_order p (fun y => \sum_i c i * d i y) = \sum_i c i * first_order p (d i).
Proof.
rewrite /first_order /cov.
rewrite (@mean_ext _ p _ (fun y => \sum_i c i * (logp p y * d i y))) => [|y]; last first.
  by rewrite -sum_scale; apply: sum_ext => i; ring.
rewrite (mean_sum p c (fun i y => logp p y * d i y)) mean_sum -sum_scale -sum_sub -sum_opp.
by apply: sum_ext => i; ring.
Qed.

Lemma first_order_sampled (T : finType) (p : T -> R) G (g : {ffun 'I_G -> T}) a :
  first_order p (sampled_group p g a) = group_step (entropy_score p) g a.
Proof.
rewrite /group_step /Rdiv -sum_scale_r.
rewrite [RHS](eq_bigr (fun i => (a i * / INR G) * entropy_score p (g i))) => [|i _]; last by ring.
rewrite -first_order_sum; congr first_order; apply: fun_ext => y.
rewrite /sampled_group /group_step /Rdiv -sum_scale_r; apply: sum_ext => i; ring.
Qed.

Lemma first_order_policy_gradient (T : finType) (p r : T -> R) : \sum_y p y = 1 ->
  mean p (fun x => r x * entropy_score p x) = first_order p (policy_gradient p r 0).
Proof.
move=> one; rewrite {1}/mean (eq_bigr (fun x => (p x * r x) * entropy_score p x)) => [|x _]; last by ring.
rewrite -first_order_sum; congr first_order; apply: fun_ext => y.
rewrite (eq_bigr (fun x => p x * r x * bit (x == y) - p x * r x * p y)) => [|x _]; last by ring.
rewrite sum_sub (eq_bigr (fun x => bit (x == y) * (p x * r x))) => [|x _]; last by ring.
rewrite sum_bit_eq sum_scale_r -/(mean p r) /policy_gradient.
by rewrite (@mean_ext _ p (fun x => r x - 0) r) => [|x]; ring.
Qed.

Lemma mean_entropy_score (T : finType) (p : T -> R) : \sum_y p y = 1 -> mean p (entropy_score p) = 0.
Proof.
move=> one; rewrite /mean /entropy_score -first_order_sum.
have -> : (fun y => \sum_x p x * (bit (x == y) - p y)) = (fun _ => 0).
  apply: fun_ext => y; rewrite (eq_bigr (fun x => bit (x == y) * p x - p x * p y)) => [|x _]; last by ring.
  by rewrite sum_sub sum_bit_eq sum_scale_r one; ring.
by rewrite /first_order cov_const_r //; ring.
Qed.

Lemma expected_change_derive_table (T : finType) (z r : T -> R) G (A : estimator G) a : (0 < #|T|)%N -> (0 < G)%N ->
  binary r -> has_table A a ->
  is_derive (expected_change z r A) 0
    (table_gain G (mean (softmax z) r) a * first_order (softmax z) (policy_gradient (softmax z) r 0)).
Proof.
move=> T0 G0 bin table; have [_ one] := softmax_policy z T0.
apply: derive_eq.
  apply: derive_sum => g _; apply: derive_scale.
  apply: derive_sub; last exact: derive_const.
  by apply: derive_path_entropy.
rewrite -first_order_policy_gradient // -(expected_update_table one bin table G0 (mean_entropy_score one)).
apply: expect_ext => g; rewrite step0 Rminus_0_r first_order_sampled //.
Qed.

(** For a tabular softmax with logits z: at first order in the step eta the expected entropy change of a sampled group's
    step is the gain times the entropy change along the policy gradient. *)
Theorem neutrality_entropy : forall (T : finType) (z r : T -> R) (G : nat) (A : estimator G) (i : 'I_G),
  binary r -> 0 < mean (softmax z) r < 1 -> equivariant A ->
  is_derive (expected_change z r A) 0
    (gain (mean (softmax z) r) A i * first_order (softmax z) (policy_gradient (softmax z) r 0)).
Proof.
move=> T z r G A i bin hV eqv; have [a table] := equivariant_has_table eqv.
rewrite (gain_table hV i table); apply: expected_change_derive_table (group_pos i) bin table.
case: (inhabited_or_none T) => [[y _]|none]; first by apply/card_gt0P; exists y.
by exfalso; move: hV; rewrite /mean (sum_none _ none); lra.
Qed.

(** A query with two responses, one correct with probability p: the entropy change along the policy gradient. *)
Lemma two_arm_slope p : 0 < p < 1 ->
  first_order (bernoulli p) (policy_gradient (bernoulli p) bit 0) = -2 * (p * (1 - p)) ^ 2 * (ln p - ln (1 - p)).
Proof.
by move=> hp; rewrite /first_order /cov /policy_gradient !mean_bernoulli /logp /bernoulli /bit; ring.
Qed.

Lemma bernoulli_policy p : 0 < p < 1 -> policy (bernoulli p).
Proof. by move=> hp; split=> [b|]; [apply: bernoulli_gt0 | apply: bernoulli_sum]. Qed.

Lemma mean_bernoulli_bit p : mean (bernoulli p) bit = p.
Proof. by rewrite mean_bernoulli /=; ring. Qed.

Lemma two_arm_change p G (A : estimator G) i : 0 < p < 1 -> equivariant A ->
  is_derive (expected_change (logp (bernoulli p)) bit A) 0
    (gain p A i * (-2 * (p * (1 - p)) ^ 2 * (ln p - ln (1 - p)))).
Proof.
move=> hp eqv; rewrite -two_arm_slope //.
have := @neutrality_entropy _ (logp (bernoulli p)) bit G A i (@bit_binary _ id).
by rewrite (softmax_logp (bernoulli_policy hp)) mean_bernoulli_bit; apply.
Qed.

(** The whole claim: the expected update, the score of a sequence, the gain as a binomial sum, mixed groups only, any
    differentiable functional of the parameters, the entropy of a tabular softmax; that the nine named estimators are
    meant by it; their gains; and -R, whose gain is not positive. *)
Theorem neutrality :
  (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat) (A : estimator G)
        (i : 'I_G),
      (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
      binary r -> 0 < mean (P t) r < 1 -> equivariant A ->
      expected_update (P t) r A (fun y => Derive (fun u => ln (P u y)) t) =
      gain (mean (P t) r) A i * Derive (fun u => mean (P u) r) t)
  /\ (forall (n : nat) (q : 'I_n -> R -> R) (t : R),
      (forall k u, 0 < q k u) -> (forall k, ex_derive (q k) t) ->
      Derive (fun u => ln (\prod_k q k u)) t = \sum_k Derive (fun u => ln (q k u)) t)
  /\ (forall (G : nat) (A : estimator G), equivariant A ->
      exists a : bool -> nat -> R,
        (forall (c : {ffun 'I_G -> bool}) i, A (rewards bit c) i = a (c i) (num_correct (rewards bit c)))
        /\ forall (p : R) (i : 'I_G), 0 < p < 1 ->
           gain p A i = \sum_(j < G.-1.+1) INR 'C(G.-1, j) * p ^ j * (1 - p) ^ (G.-1 - j) * (a true j.+1 - a false j))
  /\ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat) (A : estimator G)
        (i : 'I_G),
      (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
      binary r -> 0 < mean (P t) r < 1 -> equivariant A ->
      expect_given (P t) (fun g => ~~ degenerate (rewards r g))
        (fun g => group_step (fun y => Derive (fun u => ln (P u y)) t) g (A (rewards r g))) =
      gain (mean (P t) r) (on_mixed A) i / (1 - mean (P t) r ^ G - (1 - mean (P t) r) ^ G)
      * Derive (fun u => mean (P u) r) t)
  /\ (forall (I T : finType) (pi : (I -> R) -> T -> R) (theta : I -> R) (r : T -> R)
        (G : nat) (A : estimator G) (i : 'I_G) (M : I -> I -> R) (F : (I -> R) -> R) (gF : I -> R),
      (forall x, policy (pi x)) ->
      (forall l y, ex_derive (fun u => pi (step theta (fun k => bit (k == l)) u) y) 0) ->
      (forall d, is_derive (fun eta => F (step theta d eta)) 0 (\sum_k gF k * d k)) ->
      binary r -> 0 < mean (pi theta) r < 1 -> equivariant A ->
      let score l y := Derive (fun u => ln (pi (step theta (fun k => bit (k == l)) u) y)) 0 in
      let gradient l := Derive (fun u => mean (pi (step theta (fun k => bit (k == l)) u)) r) 0 in
      is_derive (fun eta => expect (pi theta) (fun g =>
          F (step theta (fun k => \sum_l M k l * group_step (score l) g (A (rewards r g))) eta))) 0
        (gain (mean (pi theta) r) A i * (\sum_k gF k * (\sum_l M k l * gradient l))))
  /\ (forall (T : finType) (z r : T -> R) (G : nat) (A : estimator G) (i : 'I_G),
      binary r -> 0 < mean (softmax z) r < 1 -> equivariant A ->
      is_derive (expected_change z r A) 0
        (gain (mean (softmax z) r) A i * first_order (softmax z) (policy_gradient (softmax z) r 0)))
  /\ (forall (G : nat) (k : divisor) (eps K : R),
      equivariant (@grpo G k eps) /\ equivariant (@dr_grpo G) /\ equivariant (@rloo G) /\ equivariant (@qae G k eps K)
      /\ equivariant (@qae_linear G k eps K) /\ equivariant (@psr G) /\ equivariant (@nsr G)
      /\ equivariant (@pos_mask G k eps K) /\ equivariant (@neg_mask G k eps K))
  /\ (forall (G : nat) (p : R) (i : 'I_G) (k : divisor) (eps K : R),
      (1 < G)%N -> 0 < p < 1 -> 0 <= eps -> 0 < K < 1 ->
      gain p (@rloo G) i = 1 /\ gain p (@psr G) i = 1 /\ gain p (@nsr G) i = 1
      /\ gain p (@dr_grpo G) i = (INR G - 1) / INR G /\ 0 < gain p (@dr_grpo G) i
      /\ 0 < gain p (@grpo G k eps) i /\ 0 < gain p (@qae G k eps K) i /\ 0 < gain p (@qae_linear G k eps K) i
      /\ 0 < gain p (@pos_mask G k eps K) i /\ 0 < gain p (@neg_mask G k eps K) i)
  /\ (forall (G : nat) (p : R) (i : 'I_G), 0 < p < 1 ->
      equivariant (fun (x : 'I_G -> R) j => - x j) /\ gain p (fun (x : 'I_G -> R) j => - x j) i = -1).
Proof.
split; first exact: neutrality_update.
split; first exact: neutrality_token_scores.
split; first exact: neutrality_binomial.
split; first exact: neutrality_mixed_only.
split; first exact: neutrality_functional.
split; first exact: neutrality_entropy.
split; first exact: neutrality_equivariant.
by split; [apply: neutrality_gains | apply: neutrality_minus_reward].
Qed.
