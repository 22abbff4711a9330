(** Every definition that a theorem of this folder speaks about, and nothing else.

    "Paper" is arXiv 2509.22611 (Quantile Advantage Estimation). A response is an element of a finite type [T], a
    vector over the responses is a function [T -> R], a group of [G] sampled responses is a [g : {ffun 'I_G -> T}]
    and its rewards are a function ['I_G -> R]. [\sum_] and [\prod_] are finite sums and products (Compat.v).
    [T] and [G] are arguments of the definitions below that Coq infers. *)

From QAE Require Import Compat.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Policies, expectation, entropy *)
(** 1 for true and 0 for false. *)
Definition bit (b : bool) : R := if b then 1 else 0.

Section Policies.
Variable T : finType.
Implicit Types p q z d r f h : T -> R.

(** A policy on one query has full support and sums to one; a law may have zeros. *)
Definition policy p : Prop := (forall y, 0 < p y) /\ \sum_y p y = 1.
Definition law p : Prop := (forall y, 0 <= p y) /\ \sum_y p y = 1.
Definition uniform p : Prop := forall x y, p x = p y.
(** The softmax of logits z. *)
Definition softmax z : T -> R := fun y => exp (z y) / \sum_x exp (z x).

(** Expectation, covariance and variance under p. *)
Definition mean p f : R := \sum_y p y * f y.
Definition cov p f h : R := mean p (fun y => f y * h y) - mean p f * mean p h.
Definition var p f : R := cov p f f.

(** The entropy H in nats, the Kullback-Leibler divergence KL(q || p), and the self-covariance
    C(p) = Cov_p(log p, p), the slope in b of the identity of the paper's Sec. 4.3. *)
Definition logp p : T -> R := fun y => ln (p y).
Definition entropy p : R := - mean p (logp p).
Definition kl q p : R := mean q (fun y => ln (q y) - ln (p y)).
Definition self_cov p : R := cov p (logp p) p.

(** The spread rho(d) = max d - min d, as the largest difference of two entries. *)
Definition spread d : R := \big[Rmax/0]_(a : T * T) (d a.1 - d a.2).

(** * One step of the logits *)
(** z' = z + eta d, the entropy phi(t) along the path, and the entropy change dH of the step eta. *)
Definition step z d (eta : R) : T -> R := fun y => z y + eta * d y.
Definition path_entropy z d (t : R) : R := entropy (softmax (step z d t)).
Definition entropy_change z d (eta : R) : R := path_entropy z d eta - entropy (softmax z).
(** The first-order prediction h1 = -Cov_p(log p, d) of the paper's Sec. 4.3, and the curvature d^T (Hess H) d, which
    is the second derivative of phi at 0. *)
Definition first_order p d : R := - cov p (logp p) d.
Definition curvature z d : R := Derive_n (path_entropy z d) 2 0.

(** Three of the four directions d that a first-order softmax update can mean, for rewards r of the responses and a
    baseline b: what Sec. 4.3 plugs into the identity, the exact policy gradient, and the natural gradient. *)
Definition uncentred p r (b : R) : T -> R := fun y => p y * (r y - b).
Definition policy_gradient p r (b : R) : T -> R := fun y => p y * (r y - b - mean p (fun x => r x - b)).
Definition natural_gradient r (b : R) : T -> R := fun y => r y - b.
(** A verifier that scores response y as correct with probability c y: the law of a response and its score. *)
Definition bernoulli (p : R) : bool -> R := fun b => if b then p else 1 - p.
Definition judged p (c : T -> R) : T * bool -> R := fun a => p a.1 * bernoulli (c a.1) a.2.
End Policies.

(** * Rewards of a group and their quantile *)
(** The integers below and above a real number that is at least 0. *)
Definition floor (v : R) : nat := Z.to_nat (Raux.Zfloor v).
Definition ceil (v : R) : nat := Z.to_nat (Raux.Zceil v).
Definition binary (I : Type) (x : I -> R) : Prop := forall i, x i = 0 \/ x i = 1.
(** Eq. 4: the gate is 0 for a success rate of at most 1 - K ("hard") and 1 above. *)
Definition gate (K p : R) : R := if Rleb p (1 - K) then 0 else 1.
(** What the standard deviation divides by: G or (Bessel) G - 1. *)
Inductive divisor : Set := Population | Bessel.

Section Groups.
Variable G : nat.
Implicit Types (x a : 'I_G -> R) (k : divisor) (eps K b : R).

(** The number m of correct responses and the success rate m/G; whether Eq. 4 calls the group hard. *)
Definition num_correct x : nat := #|[pred i | Reqb (x i) 1]|.
Definition success_rate x : R := INR (num_correct x) / INR G.
Definition hard K x : bool := Rleb (success_rate x) (1 - K).
(** A degenerate group has equal rewards throughout; a mixed group is one that is not degenerate. *)
Definition degenerate x : bool := [forall i, forall j, Reqb (x i) (x j)].
(** The share of the entries of a vector that satisfy P. *)
Definition share (P : pred R) a : R := INR #|[pred i | P (a i)]| / INR G.

(** Eq. 3: the empirical distribution function F and the K-quantile inf {v : F(v) >= K}. *)
Definition cdf x (v : R) : R := share (fun u => Rleb u v) x.
Definition quantile K x : R := real (Glb_Rbar (fun v => K <= cdf x v)).
(** The j-th smallest reward, j = 1, ..., G. *)
Definition order_stat (j : nat) x : R := nth 0 (sort Rleb [seq x i | i <- enum 'I_G]) j.-1.
(** The released code's quantile: linear interpolation between the order statistics around position (G - 1) K. *)
Definition linear_quantile K x : R :=
  let v := INR G.-1 * K in let j := floor v in
  order_stat j.+1 x + (v - INR j) * (order_stat j.+2 x - order_stat j.+1 x).
Definition median x : R := linear_quantile (1 / 2) x.

(** The mean and the standard deviation of a group. *)
Definition group_mean x : R := (\sum_i x i) / INR G.
Definition std k x : R := sqrt ((\sum_i (x i - group_mean x) ^ 2) / INR (if k is Bessel then G.-1 else G)).

(** * Advantage estimators *)
(** An estimator turns the rewards of a group into one advantage per response. *)
Definition estimator : Type := ('I_G -> R) -> 'I_G -> R.
(** Division by std + eps; a degenerate group has advantage 0. *)
Definition over_std k eps a x : 'I_G -> R := fun i => if degenerate x then 0 else a i / (std k x + eps).
Definition standardised k eps b : estimator := fun x => over_std k eps (fun i => x i - b) x.
Definition constant b : estimator := fun x i => x i - b.

Definition psr : estimator := constant 0.
Definition nsr : estimator := constant 1.
Definition dr_grpo : estimator := fun x => constant (group_mean x) x.
Definition grpo k eps : estimator := fun x => standardised k eps (group_mean x) x.
Definition qae k eps K : estimator := fun x => standardised k eps (quantile K x) x.
Definition qae_linear k eps K : estimator := fun x => standardised k eps (linear_quantile K x) x.
(** Eq. 7 masks the successes of easy groups, Eq. 8 the failures of hard ones; [unmasked] masks nothing. *)
Definition pos_mask k eps K : estimator := fun x => over_std k eps (fun i => bit (hard K x) * x i - (1 - x i)) x.
Definition neg_mask k eps K : estimator := fun x => over_std k eps (fun i => x i - bit (~~ hard K x) * (1 - x i)) x.
Definition unmasked k eps : estimator := fun x => over_std k eps (fun i => x i - (1 - x i)) x.
(** MC-GRPO (2601.22582): median baseline, scale MAD + eps, where MAD is the median distance from the median. *)
Definition mad x : R := median (fun i => Rabs (x i - median x)).
Definition mc_grpo eps : estimator := fun x i => (x i - median x) / (mad x + eps).
(** EBPO (2602.05165): the baseline shrinks the group's mean towards mu, the mean of other groups, by S. *)
Definition ebpo (S mu : R) : estimator := fun x => constant ((1 - S) * group_mean x + S * mu) x.
(** An estimator on mixed groups only, as under dynamic sampling. *)
Definition on_mixed (A : estimator) : estimator := fun x i => if degenerate x then 0 else A x i.
(** Reordering the rewards of a group reorders its advantages in the same way. *)
Definition equivariant (A : estimator) : Prop :=
  forall (s : 'I_G -> 'I_G) x i, injective s -> A (fun j => x (s j)) i = A x (s i).
End Groups.

(** The rewards of the responses other than i, and the estimators with a leave-one-out mean or quantile. *)
Definition others (G : nat) (x : 'I_G -> R) (i : 'I_G) : 'I_G.-1 -> R := fun j => x (lift i j).
Definition rloo (G : nat) : estimator G := fun x i => x i - group_mean (others x i).
Definition loo_quantile (G : nat) (K : R) : estimator G := fun x i => x i - quantile K (others x i).

(** * The group objective of Prop. 4.1 *)
(** PPO's clipped term min(v a, clip(v, 1 - lo, 1 + hi) a) for a token's ratio v and advantage a. *)
Definition clip (lo hi v : R) : R := Rmin (Rmax v (1 - lo)) (1 + hi).
Definition surrogate (lo hi v a : R) : R := Rmin (v * a) (clip lo hi v * a).
(** A clip bound binds where the ratio is beyond it and the clipped term is not the unclipped one. *)
Definition clip_low_binds (lo hi v a : R) : Prop := v < 1 - lo /\ surrogate lo hi v a <> v * a.
Definition clip_high_binds (lo hi v a : R) : Prop := 1 + hi < v /\ surrogate lo hi v a <> v * a.
(** verl's dual clip keeps the term of a negative advantage from falling below c a. *)
Definition dual_clip (c lo hi v a : R) : R :=
  if Rltb a 0 then Rmax (surrogate lo hi v a) (c * a) else surrogate lo hi v a.

(** s+ and s- of a response of n tokens with ratios v 0, v 1, ...; the odds weights u(p) and v(p). *)
Definition token_mean (n : nat) (f : nat -> R) : R := (\sum_(t < n) f t) / INR n.
Definition s_plus (hi : R) (n : nat) (v : nat -> R) : R := token_mean n (fun t => Rmin (v t) (1 + hi)).
Definition s_minus (lo : R) (n : nat) (v : nat -> R) : R := token_mean n (fun t => Rmax (v t) (1 - lo)).
Definition u_weight (p : R) : R := sqrt (p / (1 - p)).
Definition v_weight (p : R) : R := sqrt ((1 - p) / p).

Section Objective.
Variable G : nat.
Implicit Types (x A s : 'I_G -> R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R) (lo hi : R).

(** Response i has L i tokens with ratios v i 0, v i 1, ...: token means, then the mean over the responses. DAPO
    divides by the number of all tokens instead. *)
Definition group_objective lo hi L v A : R :=
  group_mean (fun i => token_mean (L i) (fun t => surrogate lo hi (v i t) (A i))).
Definition dapo_objective lo hi L v A : R :=
  (\sum_i \sum_(t < L i) surrogate lo hi (v i t) (A i)) / INR (\sum_i L i)%N.
(** The mean over the responses of reward b, and the masked, re-weighted form w+ E_{pi+}[s+] - w- E_{pi-}[s-]. *)
Definition side_mean x (b : R) s : R := (\sum_(i | Reqb (x i) b) s i) / INR #|[pred i | Reqb (x i) b]|.
Definition masked_objective lo hi (wplus wminus : R) L v x : R :=
  wplus * side_mean x 1 (fun i => s_plus hi (L i) (v i)) - wminus * side_mean x 0 (fun i => s_minus lo (L i) (v i)).
End Objective.

(** * Sampled groups *)
(** The binomial law of N trials and the expectation of f under it. *)
Definition binomial_law (N : nat) (p : R) (j : nat) : R := INR 'C(N, j) * p ^ j * (1 - p) ^ (N - j).
Definition binomial_mean (N : nat) (p : R) (f : nat -> R) : R := \sum_(j < N.+1) binomial_law N p j * f j.

Section Sampling.
Variables (G : nat) (T : finType).
Implicit Types (g : {ffun 'I_G -> T}) (F : {ffun 'I_G -> T} -> R) (p r s z : T -> R) (A : estimator G).

(** The expectation of F over groups of G independent draws from p, and the same given an event E. *)
Definition expect p F : R := \sum_(g : {ffun 'I_G -> T}) (\prod_i p (g i)) * F g.
Definition expect_given p (E : pred {ffun 'I_G -> T}) F : R :=
  expect p (fun g => bit (E g) * F g) / expect p (fun g => bit (E g)).
(** The rewards of a group, for the reward r of each response; the frequency of a response in a group. *)
Definition rewards r g : 'I_G -> R := fun i => r (g i).
Definition frequency g (y : T) : R := INR #|[pred i | g i == y]| / INR G.

(** The update (1/G) sum_i A_i s(y_i) along a score s, the gradient of the log-probability in one parameter; and the
    fourth direction, the step of a trainer on a sampled group, where the parameters are the logits. *)
Definition group_step s g (a : 'I_G -> R) : R := (\sum_i a i * s (g i)) / INR G.
Definition sampled_group p g (a : 'I_G -> R) : T -> R := fun y => group_step (fun x => bit (x == y) - p y) g a.
(** The expected update, and the expected entropy change of a step on a sampled group. *)
Definition expected_update p r A s : R := expect p (fun g => group_step s g (A (rewards r g))).
Definition expected_change z r A (eta : R) : R :=
  expect (softmax z) (fun g => entropy_change z (sampled_group (softmax z) g (A (rewards r g))) eta).
End Sampling.

(** The gain w = E[A_i | R_i = 1] - E[A_i | R_i = 0] of an estimator, for independent binary rewards of success
    probability p (claim neutrality). *)
Definition gain (G : nat) (p : R) (A : estimator G) (i : 'I_G) : R :=
  expect_given (bernoulli p) (fun c => c i) (fun c => A (rewards bit c) i)
  - expect_given (bernoulli p) (fun c => ~~ c i) (fun c => A (rewards bit c) i).
(** A table a of an estimator: a true m is the advantage of a correct response and a false m that of a wrong one in a
    binary group with m correct responses. The gain of a table is a binomial mean. *)
Definition has_table (G : nat) (A : estimator G) (a : bool -> nat -> R) : Prop :=
  forall (c : {ffun 'I_G -> bool}) i, A (rewards bit c) i = a (c i) (num_correct (rewards bit c)).
Definition table_gain (G : nat) (p : R) (a : bool -> nat -> R) : R :=
  binomial_mean G.-1 p (fun j => a true j.+1 - a false j).

(** * Sequences (claim sequence-chain-rule) *)
Section Sequences.
Variable T : finType.
(** An autoregressive policy q gives every context a law of the next token: a softmax of logits, except that a context
    in which the response has ended ([stop]) is continued by a padding token. *)
Definition token_policy (stop : pred (seq T)) (pad : T) (z : seq T -> T -> R) : seq T -> T -> R :=
  fun s a => if stop s then bit (a == pad) else softmax (z s) a.
(** The probability of the continuation y of the context s, and the entropy of the next k tokens after s. *)
Fixpoint continuation (q : seq T -> T -> R) (s y : seq T) : R :=
  if y is a :: y' then q s a * continuation q (rcons s a) y' else 1.
Definition future_entropy (q : seq T -> T -> R) (s : seq T) (k : nat) : R :=
  entropy (fun y : k.-tuple T => continuation q s y).
End Sequences.

(** * Bounds (claims self-covariance-max, remainder, safe-step and third-order) *)
(** The largest self-covariance of a policy with n responses. *)
Definition max_self_cov (n : nat) : R :=
  real (Lub_Rbar (fun v => exists p : 'I_n -> R, policy p /\ v = self_cov p)).
(** The constant c = 1/(6 sqrt 3), the maximum of (1 - s^2)(a + t s)/4 over 0 <= s <= 1, and the brackets L_- and L_+
    with -rho^2 L_- <= phi'' <= rho^2 L_+ for n responses. *)
Definition joint_constant : R := / (6 * sqrt 3).
Definition joint_max (a t : R) : R :=
  real (Lub_Rbar (fun v => exists s, 0 <= s <= 1 /\ v = (1 - s ^ 2) * (a + t * s) / 4)).
Definition lower_bracket (n : nat) : R := joint_max (1 + exp (-1)) (ln (INR n)).
Definition upper_bracket (n : nat) : R := joint_max (-1) (ln (INR n / joint_constant) - 1) + joint_constant.
(** The bound B_3 on the third derivative of the entropy along a step 0 <= t <= tau: with D = d - E d, S = log p - E log p
    and E = E_p, it uses a_k = E[e^(tau max(D, 0)) |D|^k] and s_k = E[e^(tau max(D, 0)) |S| |D|^k]. *)
Definition tilted_moment (T : finType) (p d : T -> R) (tau : R) (f : T -> R) (k : nat) : R :=
  mean p (fun y => exp (tau * Rmax (d y - mean p d) 0) * (Rabs (f y) * Rabs (d y - mean p d) ^ k)).
Definition third_bound (T : finType) (p d : T -> R) (tau : R) : R :=
  let a k := tilted_moment p d tau (fun _ => 1) k in
  let s k := tilted_moment p d tau (fun y => logp p y - mean p (logp p)) k in
  let m := Rmin (tau * a 2%N) (a 1%N) in
  let t := a 3%N + 3 * m * a 2%N + 3 * m ^ 2 * a 1%N + m ^ 3 in
  let q := a 4%N + 4 * m * a 3%N + 6 * m ^ 2 * a 2%N + 4 * m ^ 3 * a 1%N + m ^ 4 in
  2 * t + (s 3%N + 3 * m * s 2%N + 3 * m ^ 2 * s 1%N + m ^ 3 * s 0%N) + s 0%N * t + tau * q
  + 3 * a 2%N * (s 1%N + m * s 0%N + tau * a 2%N).
