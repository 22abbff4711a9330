(** Expectations over groups of independent responses, and their reduction to binomial sums.

    The main results are [expect_condition] (given the classes of the responses, the responses are independent),
    [expect_score] and [expect_score2] (its cases with one and with two responses), [expect_rewards] (the rewards of a
    group are independent Bernoulli variables), [expect_at] (one response is split off), [expect_binomial] and
    [gain_table] (the gain of an estimator that has a table). *)

From QAE Require Import Compat Definitions Sums Rewards.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Linearity *)

Section Linear.
Variables (G : nat) (T : finType) (p : T -> R).
Implicit Types F E : {ffun 'I_G -> T} -> R.

Lemma expect_ext F E : (forall g, F g = E g) -> expect p F = expect p E.
Proof. by move=> h; apply: eq_bigr => g _; rewrite h. Qed.

Lemma expect_add F E : expect p (fun g => F g + E g) = expect p F + expect p E.
Proof. by rewrite /expect -sum_add; apply: eq_bigr => g _; ring. Qed.

Lemma expect_sub F E : expect p (fun g => F g - E g) = expect p F - expect p E.
Proof. by rewrite /expect -sum_sub; apply: eq_bigr => g _; ring. Qed.

Lemma expect_scale c F : expect p (fun g => c * F g) = c * expect p F.
Proof. by rewrite /expect -sum_scale; apply: eq_bigr => g _; ring. Qed.

Lemma expect_scale_r c F : expect p (fun g => F g * c) = expect p F * c.
Proof. by rewrite /expect -sum_scale_r; apply: eq_bigr => g _; ring. Qed.

Lemma expect_div c F : expect p (fun g => F g / c) = expect p F / c.
Proof. exact: expect_scale_r. Qed.

Lemma expect_zero F : (forall g, F g = 0) -> expect p F = 0.
Proof. by move=> h; apply: sum_zero => g _; rewrite h; ring. Qed.

Lemma expect_sum (I : finType) (P : pred I) (F : I -> {ffun 'I_G -> T} -> R) :
  expect p (fun g => \sum_(i | P i) F i g) = \sum_(i | P i) expect p (F i).
Proof. by rewrite exchange_big; apply: eq_bigr => g _; rewrite big_distrr. Qed.

Lemma expect_ge0 F : (forall y, 0 <= p y) -> (forall g, 0 <= F g) -> 0 <= expect p F.
Proof. by move=> hp hF; apply: sum_ge0 => g _; apply: Rmult_le_pos => //; apply: prod_ge0. Qed.

Lemma expect_le F E : (forall y, 0 <= p y) -> (forall g, F g <= E g) -> expect p F <= expect p E.
Proof. by move=> hp h; apply: sum_le => g _; apply: Rmult_le_compat_l => //; apply: prod_ge0. Qed.

(** The expectation is positive if the function is at least 0 and positive on one group. *)
Lemma expect_gt0 F g : (forall y, 0 < p y) -> (forall g', 0 <= F g') -> 0 < F g -> 0 < expect p F.
Proof.
move=> hp hF pos; apply: (@sum_gt0 _ predT _ g) => // [|g' _].
  by apply: Rmult_lt_0_compat => //; apply: prod_gt0.
by apply: Rmult_le_pos => //; apply: prod_ge0 => i _; apply: Rlt_le.
Qed.

(** Exchangeability: the draws may be taken in any order. *)
Lemma expect_reorder (s : 'I_G -> 'I_G) F : injective s ->
  expect p (fun g => F [ffun i => g (s i)]) = expect p F.
Proof.
move=> inj; have [t st ts] := injF_bij inj.
rewrite /expect [RHS](reindex (fun g : {ffun 'I_G -> T} => [ffun i => g (s i)])).
  apply: eq_bigr => g _; congr (_ * _); rewrite (reindex s) /=; last by exists t => i _.
  by apply: eq_bigr => i _; rewrite ffunE.
exists (fun g : {ffun 'I_G -> T} => [ffun i => g (t i)]) => g _; apply/ffunP => i; rewrite !ffunE ?ts ?st //.
Qed.
End Linear.

Arguments expect_ext {G T p F E}.

(** * Independence *)

Section Classes.
Variables (G : nat) (T U : finType) (p : T -> R) (k : T -> U).

(** The law of the class k(y) of a response, and the mean of f over the responses of one class. *)
Definition class_law (u : U) : R := \sum_(y | k y == u) p y.
Definition class_mean (f : T -> R) (u : U) : R := (\sum_(y | k y == u) p y * f y) / class_law u.
Definition classes (g : {ffun 'I_G -> T}) : {ffun 'I_G -> U} := [ffun i => k (g i)].

Lemma expect_factor (f : 'I_G -> T -> R) (F : {ffun 'I_G -> U} -> R) :
  expect p (fun g => (\prod_i f i (g i)) * F (classes g)) =
  \sum_(c : {ffun 'I_G -> U}) (\prod_i \sum_(y | k y == c i) p y * f i y) * F c.
Proof.
rewrite /expect (partition_big classes predT) //=; apply: eq_bigr => c _.
rewrite (bigA_distr_big_dep (fun i y => k y == c i) (fun i y => p y * f i y)) big_distrl /=.
apply: eq_big => [g|g /eqP e].
  apply/eqP/familyP => [<- i|h]; first by rewrite unfold_in /classes ffunE.
  by apply/ffunP => i; rewrite ffunE; apply/eqP; exact: (h i).
by rewrite big_split /= e; ring.
Qed.

Hypothesis pos : forall u, class_law u <> 0.

(** Given the classes of the responses, each function of one response may be replaced by its mean over the class. *)
Lemma expect_condition (f : 'I_G -> T -> R) (F : {ffun 'I_G -> U} -> R) :
  expect p (fun g => (\prod_i f i (g i)) * F (classes g)) =
  expect class_law (fun c => (\prod_i class_mean (f i) (c i)) * F c).
Proof.
rewrite expect_factor /expect; apply: eq_bigr => c _; rewrite -Rmult_assoc -big_split /=; congr (_ * _).
by apply: eq_bigr => i _; rewrite /class_mean; field; apply: pos.
Qed.

Lemma class_mean_one u : class_mean (fun _ => 1) u = 1.
Proof.
rewrite /class_mean (eq_bigr p) => [|y _]; last by rewrite Rmult_1_r.
by rewrite -/(class_law u) /Rdiv Rinv_r.
Qed.

Lemma prod_at (V : finType) (s : V -> R) (g : {ffun 'I_G -> V}) i :
  \prod_j (if j == i then s (g j) else 1) = s (g i).
Proof. by rewrite (bigD1 i) //= eqxx big1 ?Rmult_1_r // => j /negbTE ->. Qed.

Lemma prod_at2 (V : finType) (s t : V -> R) (g : {ffun 'I_G -> V}) i j : i != j ->
  \prod_l (if l == i then s (g l) else if l == j then t (g l) else 1) = s (g i) * t (g j).
Proof.
move=> ij; rewrite (bigD1 i) //= eqxx (bigD1 j) /=; last by rewrite eq_sym.
rewrite eq_sym (negbTE ij) eqxx big1 ?Rmult_1_r // => l /andP[/negbTE -> /negbTE ->] //.
Qed.

Lemma expect_score (s : T -> R) i (F : {ffun 'I_G -> U} -> R) :
  expect p (fun g => s (g i) * F (classes g)) = expect class_law (fun c => class_mean s (c i) * F c).
Proof.
have := expect_condition (fun j y => if j == i then s y else 1) F.
rewrite (expect_ext (E := fun g => s (g i) * F (classes g))) => [->|g]; last by rewrite prod_at.
apply: expect_ext => c; congr (_ * _); rewrite -(prod_at (class_mean s) c i).
by apply: eq_bigr => j _; case: (j == i) => //; apply: class_mean_one.
Qed.

Lemma expect_score2 (s t : T -> R) i j (F : {ffun 'I_G -> U} -> R) : i != j ->
  expect p (fun g => s (g i) * t (g j) * F (classes g)) =
  expect class_law (fun c => class_mean s (c i) * class_mean t (c j) * F c).
Proof.
move=> ij; have := expect_condition (fun l y => if l == i then s y else if l == j then t y else 1) F.
rewrite (expect_ext (E := fun g => s (g i) * t (g j) * F (classes g))) => [->|g]; last by rewrite prod_at2.
apply: expect_ext => c; congr (_ * _); rewrite -(prod_at2 (class_mean s) (class_mean t) c ij).
by apply: eq_bigr => l _; case: (l == i) => //; case: (l == j) => //; apply: class_mean_one.
Qed.
End Classes.

Section Independent.
Variables (G : nat) (T : finType) (p : T -> R).

(** The classes of a group are independent with the class law. *)
Lemma expect_classes (U : finType) (k : T -> U) (F : {ffun 'I_G -> U} -> R) :
  expect p (fun g => F (classes k g)) = expect (class_law p k) F.
Proof.
have := expect_factor p k (fun _ _ => 1) F.
rewrite (expect_ext (E := fun g => F (classes k g))) => [->|g]; last by rewrite big1 //; ring.
apply: eq_bigr => c _; congr (_ * _); apply: eq_bigr => i _.
by apply: eq_bigr => y _; ring.
Qed.

(** The expectation of a product of functions of the single draws is the product of their means. *)
Lemma expect_prod (f : 'I_G -> T -> R) : expect p (fun g => \prod_i f i (g i)) = \prod_i mean p (f i).
Proof.
have := expect_factor p (fun _ => tt) f (fun _ => 1).
rewrite (expect_ext (E := fun g => \prod_i f i (g i))) => [->|g]; last by ring.
rewrite (big_pred1 [ffun _ => tt]) => [|c]; last first.
  by rewrite /= eq_sym; apply/esym/eqP/ffunP => i; case: (c i); rewrite ffunE.
by rewrite Rmult_1_r; apply: eq_bigr => i _; apply: eq_bigl.
Qed.

Hypothesis one : \sum_y p y = 1.

Lemma expect_const c : expect p (fun _ : {ffun 'I_G -> T} => c) = c.
Proof.
have := expect_prod (fun _ _ => 1); rewrite [RHS]big1 => [h|i _]; last exact: mean_const.
rewrite -[RHS]Rmult_1_r -h -expect_scale; apply: expect_ext => g.
by rewrite big1 //; ring.
Qed.

Lemma expect_single i (f : T -> R) : expect p (fun g : {ffun 'I_G -> T} => f (g i)) = mean p f.
Proof.
have := expect_prod (fun j y => if j == i then f y else 1).
rewrite (expect_ext (E := fun g => f (g i))) => [->|g]; last exact: prod_at.
rewrite (bigD1 i) //= eqxx big1 ?Rmult_1_r // => j /negbTE ->.
exact: mean_const.
Qed.

Lemma expect_pair i j (f h : T -> R) : i != j ->
  expect p (fun g : {ffun 'I_G -> T} => f (g i) * h (g j)) = mean p f * mean p h.
Proof.
move=> ij; have := expect_prod (fun l y => if l == i then f y else if l == j then h y else 1).
rewrite (expect_ext (E := fun g => f (g i) * h (g j))) => [->|g]; last exact: prod_at2.
rewrite (bigD1 i) //= eqxx (bigD1 j) /=; last by rewrite eq_sym.
rewrite eq_sym (negbTE ij) eqxx big1 ?Rmult_1_r // => l /andP[/negbTE -> /negbTE ->].
exact: mean_const.
Qed.

Lemma expect_bounds (a b : R) (F : {ffun 'I_G -> T} -> R) : (forall y, 0 <= p y) ->
  (forall g, a <= F g <= b) -> a <= expect p F <= b.
Proof.
move=> hp h; split.
  by rewrite -(expect_const a); apply: expect_le => // g; case: (h g).
by rewrite -(expect_const b); apply: expect_le => // g; case: (h g).
Qed.

(** A linear estimate: the expected update along a score is a mean over the positions of the group. *)
Lemma expected_update_sum (r s : T -> R) (A : estimator G) :
  expected_update p r A s = (\sum_i expect p (fun g => A (rewards r g) i * s (g i))) / INR G.
Proof. by rewrite /expected_update /group_step expect_div expect_sum. Qed.
End Independent.

(** * Binary rewards *)

Lemma bernoulli_sum p : \sum_b bernoulli p b = 1.
Proof. by rewrite sum_bool /bernoulli; ring. Qed.

Lemma bernoulli_ge0 p b : 0 <= p <= 1 -> 0 <= bernoulli p b.
Proof. by case: b => /=; lra. Qed.

Lemma bernoulli_gt0 p b : 0 < p < 1 -> 0 < bernoulli p b.
Proof. by case: b => /=; lra. Qed.

Lemma mean_bernoulli p (f : bool -> R) : mean (bernoulli p) f = p * f true + (1 - p) * f false.
Proof. exact: sum_bool. Qed.

Section BinaryClasses.
Variables (T : finType) (p r : T -> R).
Hypotheses (one : \sum_y p y = 1) (bin : binary r).
Let correct y := Reqb (r y) 1.

Lemma rewards_classes G (g : {ffun 'I_G -> T}) : rewards r g = rewards bit (classes correct g).
Proof.
by apply: fun_ext => i; rewrite /rewards ffunE; exact: (congr1 (fun h => h (g i)) (binary_bit bin)).
Qed.

Lemma correct_law : class_law p correct = bernoulli (mean p r).
Proof.
have t : \sum_(y | correct y) p y = mean p r.
  by rewrite -(mean_bit p correct); apply: mean_ext => y; rewrite [in RHS](binary_bit bin).
apply: fun_ext => -[]; rewrite /class_law /bernoulli -t; first by apply: eq_bigl => y; rewrite eqb_id.
by rewrite -one (sum_by correct) (eq_bigl (fun y => ~~ correct y)) => [|y]; [ring | case: (correct y)].
Qed.

(** The rewards of a group are independent, and correct with the population's success probability. *)
Lemma expect_rewards G (F : ('I_G -> R) -> R) :
  expect p (fun g => F (rewards r g)) = expect (bernoulli (mean p r)) (fun c => F (rewards bit c)).
Proof.
rewrite -correct_law -(expect_classes p correct (fun c => F (rewards bit c))).
by apply: expect_ext => g; rewrite rewards_classes.
Qed.

(** The mean of s over the correct and over the wrong responses. *)
Lemma correct_mean (s : T -> R) b : class_mean p correct s b =
  (if b then mean p (fun y => r y * s y) else mean p (fun y => (1 - r y) * s y)) / bernoulli (mean p r) b.
Proof.
rewrite /class_mean correct_law; congr (_ / _).
have no : Reqb 0 1 = false by case: ReqbP => //; lra.
by case: b; rewrite /mean big_mkcond; apply: eq_bigr => y _; rewrite /correct;
   case: (bin y) => ->; rewrite ?no ?Reqb_refl /=; ring.
Qed.

Hypothesis mixed : 0 < mean p r < 1.

(** A score of one response and the rewards of the group: only the score's means over the correct and over the wrong
    responses matter. *)
Lemma expect_score_rewards G (s : T -> R) i (F : ('I_G -> R) -> R) :
  expect p (fun g => s (g i) * F (rewards r g)) =
  mean p (fun y => r y * s y) * (expect (bernoulli (mean p r)) (fun c => bit (c i) * F (rewards bit c)) / mean p r)
  + mean p (fun y => (1 - r y) * s y)
    * (expect (bernoulli (mean p r)) (fun c => bit (~~ c i) * F (rewards bit c)) / (1 - mean p r)).
Proof.
have pos u : class_law p correct u <> 0.
  by rewrite correct_law; apply: Rgt_not_eq; apply: bernoulli_gt0.
rewrite (expect_ext (E := fun g => s (g i) * F (rewards bit (classes correct g)))) => [|g]; last first.
  by rewrite rewards_classes.
rewrite (expect_score pos s i (fun c => F (rewards bit c))) correct_law.
rewrite -!expect_div -!expect_scale -expect_add; apply: expect_ext => c.
by rewrite correct_mean /bernoulli /bit; case: (c i) => /=; field; lra.
Qed.
End BinaryClasses.

(** * Splitting off one response *)

(** The group that has y at position i and h elsewhere. *)
Definition insert (G : nat) (T : finType) (i : 'I_G) (y : T) (h : {ffun 'I_G.-1 -> T}) : {ffun 'I_G -> T} :=
  [ffun j => if unlift i j is Some l then h l else y].

Section Insert.
Variables (G : nat) (T : finType) (i : 'I_G).
Implicit Types (y : T) (h : {ffun 'I_G.-1 -> T}).

Lemma insert_at y h : insert i y h i = y.
Proof. by rewrite ffunE unlift_none. Qed.

Lemma insert_lift y h j : insert i y h (lift i j) = h j.
Proof. by rewrite ffunE liftK. Qed.

(** A sum or product over the positions of a group: the term of position i and the rest. *)
Lemma big_at (op : Monoid.com_law 0) (F : 'I_G -> R) :
  \big[op/0]_j F j = op (F i) (\big[op/0]_(l < G.-1) F (lift i l)).
Proof.
rewrite (bigD1 i) //=; congr (op _ _).
rewrite (reindex_omap (lift i) (unlift i)) /=; last first.
  by move=> j; case: unliftP => [l -> //|->]; rewrite eqxx.
by apply: eq_bigl => l; rewrite liftK eqxx eq_sym neq_lift.
Qed.

Lemma prod_split (F : 'I_G -> R) : \prod_j F j = F i * \prod_(l < G.-1) F (lift i l).
Proof.
rewrite (bigD1 i) //=; congr (_ * _).
rewrite (reindex_omap (lift i) (unlift i)) /=; last first.
  by move=> j; case: unliftP => [l -> //|->]; rewrite eqxx.
by apply: eq_bigl => l; rewrite liftK eqxx eq_sym neq_lift.
Qed.

Lemma sum_split_at (F : 'I_G -> R) : \sum_j F j = F i + \sum_(l < G.-1) F (lift i l).
Proof. exact: big_at. Qed.

Lemma expect_at (p : T -> R) (F : {ffun 'I_G -> T} -> R) :
  expect p F = \sum_y p y * expect p (fun h : {ffun 'I_G.-1 -> T} => F (insert i y h)).
Proof.
rewrite /expect (reindex (fun a : T * {ffun 'I_G.-1 -> T} => insert i a.1 a.2)) /=; last first.
  exists (fun g : {ffun 'I_G -> T} => (g i, [ffun l => g (lift i l)])) => [[y h] _|g _] /=.
    by rewrite insert_at; congr pair; apply/ffunP => l; rewrite ffunE insert_lift.
  by apply/ffunP => j; rewrite ffunE; case: unliftP => [l ->|-> //]; rewrite ffunE.
rewrite -(sum_pairs (fun y h => (\prod_j p (insert i y h j)) * F (insert i y h))).
apply: eq_bigr => y _; rewrite -sum_scale; apply: eq_bigr => h _.
rewrite prod_split insert_at (eq_bigr (fun l => p (h l))) => [|l _]; last by rewrite insert_lift.
by rewrite Rmult_assoc.
Qed.
End Insert.

Lemma num_correct_insert G (i : 'I_G) b (h : {ffun 'I_G.-1 -> bool}) :
  num_correct (rewards bit (insert i b h)) = (b + num_correct (rewards bit h))%N.
Proof.
apply: INR_eq; rewrite INR_add -!sum_binary; try exact: rewards_bit_binary.
rewrite (sum_split_at i) /rewards insert_at; congr (_ + _); first by case: b.
by apply: eq_bigr => l _; rewrite insert_lift.
Qed.

(** * Groups of two, for witnesses *)

Definition pair_group (T : finType) (a b : T) : {ffun 'I_2 -> T} := [ffun i => if i == ord0 then a else b].

Lemma expect_two (T : finType) (p : T -> R) (F : {ffun 'I_2 -> T} -> R) :
  expect p F = \sum_a \sum_b p a * p b * F (pair_group a b).
Proof.
rewrite (expect_at (ord0 : 'I_2)); apply: eq_bigr => a _; rewrite /= (expect_at (ord0 : 'I_1)) -sum_scale.
apply: eq_bigr => b _; rewrite Rmult_assoc; congr (_ * (_ * _)).
rewrite /expect (big_pred1 [ffun _ => a]) => [|h]; last by apply/esym/eqP/ffunP => -[].
rewrite big_ord0 Rmult_1_l; congr F; apply/ffunP => i; rewrite [RHS]ffunE.
case: (unliftP ord0 i) => [l ->|->]; last by rewrite insert_at.
by rewrite insert_lift (ord1 l) insert_at.
Qed.

Lemma num_correct_pair a b : num_correct (rewards bit (pair_group a b)) = (a + b)%N.
Proof.
apply: INR_eq; rewrite INR_add -sum_binary; last exact: rewards_bit_binary.
by rewrite big_ord_recl big_ord_recl big_ord0 /rewards !ffunE /= Rplus_0_r; case: a; case: b.
Qed.

(** * Binomial sums *)

Lemma card_groups_with N j :
  #|[pred c : {ffun 'I_N -> bool} | num_correct (rewards bit c) == j]| = 'C(N, j).
Proof.
rewrite -[in RHS](card_ord N) -card_draws -(card_imset (f := fun c : {ffun 'I_N -> bool} => [set i | c i])); last first.
  by move=> c c' /setP e; apply/ffunP => i; have := e i; rewrite !inE.
apply: eq_card => A; rewrite !inE; apply/imsetP/eqP => [[c]|e].
  by rewrite inE num_correct_bits => /eqP <- ->; apply: eq_card => i; rewrite !inE.
exists [ffun i => i \in A]; last by apply/setP => i; rewrite inE ffunE.
by rewrite inE num_correct_bits -e; apply/eqP/eq_card => i; rewrite !inE ffunE.
Qed.

Lemma bernoulli_prod N p (c : {ffun 'I_N -> bool}) :
  \prod_i bernoulli p (c i) = p ^ num_correct (rewards bit c) * (1 - p) ^ (N - num_correct (rewards bit c)).
Proof.
rewrite num_correct_bits (bigID (fun i => c i)) /=.
rewrite (eq_bigr (fun _ => p)) => [|i -> //]; rewrite [X in _ * X](eq_bigr (fun _ => 1 - p)) => [|i /negbTE -> //].
rewrite !prod_const; congr (_ * _ ^ _).
by rewrite -[X in (X - _)%N](card_ord N) -(cardC [pred i | c i]) addKn; apply: eq_card.
Qed.

(** A function of the number of correct responses has a binomial expectation. *)
Lemma expect_binomial N p (f : nat -> R) :
  expect (bernoulli p) (fun c : {ffun 'I_N -> bool} => f (num_correct (rewards bit c))) = binomial_mean N p f.
Proof.
pose n (c : {ffun 'I_N -> bool}) : 'I_N.+1 := inord (num_correct (rewards bit c)).
have nE c : n c = num_correct (rewards bit c) :> nat by rewrite inordK // ltnS num_correct_le.
rewrite /expect (partition_big n predT) //; apply: eq_bigr => j _.
rewrite (eq_bigr (fun _ => p ^ j * (1 - p) ^ (N - j) * f j)) => [|c /eqP <-]; last by rewrite bernoulli_prod nE.
rewrite sum_const /binomial_law -card_groups_with -!Rmult_assoc; congr (INR _ * _ * _ * _).
by apply: eq_card => c; rewrite unfold_in inE /= -nE.
Qed.

Section BinomialMean.
Variables (N : nat) (p : R).
Implicit Types f h : nat -> R.

Lemma binomial_mean_ext f h : (forall j, (j <= N)%N -> f j = h j) -> binomial_mean N p f = binomial_mean N p h.
Proof. by move=> e; apply: eq_bigr => j _; rewrite e // -ltnS. Qed.

Lemma binomial_mean_add f h : binomial_mean N p (fun j => f j + h j) = binomial_mean N p f + binomial_mean N p h.
Proof. by rewrite /binomial_mean -sum_add; apply: eq_bigr => j _; ring. Qed.

Lemma binomial_mean_sub f h : binomial_mean N p (fun j => f j - h j) = binomial_mean N p f - binomial_mean N p h.
Proof. by rewrite /binomial_mean -sum_sub; apply: eq_bigr => j _; ring. Qed.

Lemma binomial_mean_scale c f : binomial_mean N p (fun j => c * f j) = c * binomial_mean N p f.
Proof. by rewrite /binomial_mean -sum_scale; apply: eq_bigr => j _; ring. Qed.

Lemma binomial_mean_const c : binomial_mean N p (fun _ => c) = c.
Proof. by rewrite -expect_binomial expect_const // bernoulli_sum. Qed.

Lemma binomial_law_ge0 j : 0 <= p <= 1 -> 0 <= binomial_law N p j.
Proof.
move=> hp; apply: Rmult_le_pos; last by apply: pow_le; lra.
by apply: Rmult_le_pos; [apply: pos_INR | apply: pow_le; lra].
Qed.

Lemma binomial_law_gt0 j : 0 < p < 1 -> (j <= N)%N -> 0 < binomial_law N p j.
Proof.
move=> hp jN; apply: Rmult_lt_0_compat; last by apply: pow_lt; lra.
by apply: Rmult_lt_0_compat; [apply: INR_pos; rewrite bin_gt0 | apply: pow_lt; lra].
Qed.

Lemma binomial_mean_le f h : 0 <= p <= 1 -> (forall j, (j <= N)%N -> f j <= h j) ->
  binomial_mean N p f <= binomial_mean N p h.
Proof.
move=> hp le; apply: sum_le => j _; apply: Rmult_le_compat_l; first exact: binomial_law_ge0.
by apply: le; rewrite -ltnS.
Qed.

Lemma binomial_mean_gt0 f j : 0 < p < 1 -> (j <= N)%N -> 0 < f j -> (forall l, (l <= N)%N -> 0 <= f l) ->
  0 < binomial_mean N p f.
Proof.
move=> hp jN pos nonneg; have jN' : (j < N.+1)%N by rewrite ltnS.
apply: (@sum_gt0 _ predT _ (Ordinal jN')) => //= [|l _].
  by apply: Rmult_lt_0_compat => //; apply: binomial_law_gt0.
by apply: Rmult_le_pos; [apply: binomial_law_ge0; lra | apply: nonneg; rewrite -ltnS].
Qed.
End BinomialMean.

Arguments binomial_mean_ext {N p f h}.

(** The recursion in the number of trials. *)
Lemma binomial_mean_succ N p (f : nat -> R) :
  binomial_mean N.+1 p f = p * binomial_mean N p (fun j => f j.+1) + (1 - p) * binomial_mean N p f.
Proof.
rewrite -!expect_binomial (expect_at ord0) sum_bool /bernoulli.
by congr (_ * _ + _ * _); apply: expect_ext => h; rewrite num_correct_insert.
Qed.

Lemma binomial_mean_id N p : binomial_mean N p INR = INR N * p.
Proof.
elim: N => [|N IH]; first by rewrite /binomial_mean big_ord_recl big_ord0 /binomial_law /=; ring.
rewrite binomial_mean_succ (binomial_mean_ext (h := fun j => INR j + 1)) => [|j _]; last exact: S_INR.
by rewrite binomial_mean_add binomial_mean_const IH S_INR; ring.
Qed.

(** * The gain *)

Section Gain.
Variables (G : nat) (p : R).
Hypothesis hp : 0 < p < 1.

Lemma expect_correct (i : 'I_G) : expect (bernoulli p) (fun c => bit (c i)) = p.
Proof. by rewrite expect_single ?bernoulli_sum // mean_bernoulli /=; ring. Qed.

Lemma expect_wrong (i : 'I_G) : expect (bernoulli p) (fun c => bit (~~ c i)) = 1 - p.
Proof.
by rewrite (expect_single (bernoulli_sum p) i (fun b => bit (~~ b))) mean_bernoulli /=; ring.
Qed.

(** The gain as a difference of two expectations. *)
Lemma gain_expect (A : estimator G) i : gain p A i =
  expect (bernoulli p) (fun c => bit (c i) * A (rewards bit c) i) / p
  - expect (bernoulli p) (fun c => bit (~~ c i) * A (rewards bit c) i) / (1 - p).
Proof. by rewrite /gain /expect_given expect_correct expect_wrong. Qed.

Lemma expect_table (a : bool -> nat -> R) (i : 'I_G) b :
  expect (bernoulli p) (fun c => bit (c i == b) * a (c i) (num_correct (rewards bit c))) =
  bernoulli p b * binomial_mean G.-1 p (fun j => a b (b + j)%N).
Proof.
rewrite (expect_at i) (bigD1 b) //= big1 => [|b' /negbTE ne]; last first.
  rewrite expect_zero ?Rmult_0_r // => h; rewrite insert_at ne; exact: Rmult_0_l.
rewrite Rplus_0_r; congr (_ * _); rewrite -expect_binomial; apply: expect_ext => h.
by rewrite insert_at eqxx num_correct_insert /=; ring.
Qed.

(** The gain of an estimator that has a table is the binomial mean over the other G - 1 responses. *)
Lemma gain_table (A : estimator G) (a : bool -> nat -> R) i : has_table A a -> gain p A i = table_gain G p a.
Proof.
move=> table; rewrite gain_expect.
rewrite (expect_ext (E := fun c => bit (c i == true) * a (c i) (num_correct (rewards bit c)))); last first.
  by move=> c; rewrite table eqb_id.
rewrite [X in _ - X / _](expect_ext
  (E := fun c => bit (c i == false) * a (c i) (num_correct (rewards bit c)))); last first.
  by move=> c; rewrite table eqbF_neg.
rewrite !expect_table /table_gain binomial_mean_sub /bernoulli /=.
rewrite (binomial_mean_ext (h := fun j => a true j.+1)) //.
rewrite [X in _ - (1 - p) * X / _](binomial_mean_ext (h := a false)) //.
by field; lra.
Qed.
End Gain.

(** The core of neutrality: for a score s of mean 0, the expected update of an estimator whose gain is the same number w
    at every position is w E[r s], and E[r s] is the derivative of the success probability along s. *)
Lemma expected_update_gain G (T : finType) (p r s : T -> R) (A : estimator G) w :
  policy p -> binary r -> 0 < mean p r < 1 -> mean p s = 0 -> (0 < G)%N ->
  (forall i, gain (mean p r) A i = w) -> expected_update p r A s = w * mean p (fun y => r y * s y).
Proof.
move=> [pos one] bin hV s0 G0 hw; rewrite expected_update_sum.
rewrite (eq_bigr (fun _ => w * mean p (fun y => r y * s y))) => [|i _].
  by rewrite sum_const_ord; field; apply: INR_neq0.
rewrite -(hw i) gain_expect //.
rewrite (expect_ext (E := fun g => s (g i) * A (rewards r g) i)) => [|g]; last by ring.
rewrite (expect_score_rewards one bin hV s i (fun x => A x i)).
have -> : mean p (fun y => (1 - r y) * s y) = - mean p (fun y => r y * s y).
  by rewrite -[RHS]Rplus_0_l -s0 -mean_opp -mean_add; apply: mean_ext => y; ring.
by rewrite /Rdiv; ring.
Qed.
