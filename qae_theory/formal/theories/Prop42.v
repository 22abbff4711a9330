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
  (forall (T : finType) (p r : T -> R) (b c : R), policy p -> ~ first_order p (d T p r b) < first_order p (d T p r c)) ->
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
