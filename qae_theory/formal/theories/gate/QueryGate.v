(** The gate acts on groups, not on queries: the probability that a query's group falls on the other side of the
    threshold (claims gate-query-group and gate-query-group-if). *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups.

Set Implicit Arguments.
Unset Strict Implicit.

(** * Hoeffding's lemma and the binomial tail *)

(** The logarithm of the moment generating function of a Bernoulli variable has a second derivative q (1 - q) <= 1/4. *)
Lemma bernoulli_mgf p t : 0 <= p <= 1 -> ln (1 - p + p * exp t) <= p * t + t ^ 2 / 8.
Proof.
move=> hp.
have pos u : 0 < 1 - p + p * exp u by have := exp_pos u; case: (Req_dec p 0) => [->|ne]; nra.
pose f u := ln (1 - p + p * exp u).
pose f' u := p * exp u / (1 - p + p * exp u).
pose f'' u := p * exp u * (1 - p) / (1 - p + p * exp u) ^ 2.
have d u : is_derive f u (f' u).
  rewrite /f /f'; apply: derive_eq; first by auto_derive => //; have := pos u; lra.
  by cbv beta; have s := pos u; field; lra.
have d' u : is_derive f' u (f'' u).
  rewrite /f' /f''; apply: derive_eq; first by auto_derive => //; have := pos u; lra.
  by cbv beta; have s := pos u; field; lra.
have bound u : Rmin 0 t <= u <= Rmax 0 t -> 0 <= f'' u <= / 4.
  move=> _; rewrite /f''; have e := exp_pos u; have s := pos u; set a := p * exp u in s *.
  have a0 : 0 <= a by rewrite /a; nra.
  split; first by apply: Rdiv_le_0_compat; [nra | nra].
  apply: (Rmult_le_reg_r ((1 - p + a) ^ 2)); first by nra.
  rewrite (_ : a * (1 - p) / (1 - p + a) ^ 2 * (1 - p + a) ^ 2 = a * (1 - p)); last by field; lra.
  by have := pow2_ge_0 (1 - p - a); nra.
have [_] := taylor_second d d' bound; rewrite /f /f' exp_0.
rewrite (_ : 1 - p + p * 1 = 1) ?ln_1; last by ring.
by rewrite (_ : p * 1 / 1 = p); [lra | field].
Qed.

Lemma exp_mono a b : a <= b -> exp a <= exp b.
Proof. by case=> [h|->]; [apply: Rlt_le; apply: exp_increasing | apply: Rle_refl]. Qed.

Lemma binomial_mgf N p t : binomial_mean N p (fun j => exp (t * INR j)) = (1 - p + p * exp t) ^ N.
Proof.
elim: N => [|N IH]; first by rewrite /binomial_mean big_ord_recl big_ord0 /binomial_law /= Rmult_0_r exp_0; ring.
rewrite binomial_mean_succ (binomial_mean_ext (h := fun j => exp t * exp (t * INR j))) => [|j _]; last first.
  by rewrite -exp_plus S_INR; congr exp; ring.
by rewrite binomial_mean_scale IH /=; ring.
Qed.

(** Whatever event lies beyond the mean by e, on one side, has probability at most exp(-2 N e^2). *)
Lemma hoeffding N p e (P : nat -> bool) : 0 <= p <= 1 ->
  (forall j, (j <= N)%N -> P j -> e * (INR N * (p + e)) <= e * INR j) ->
  binomial_mean N p (fun j => bit (P j)) <= exp (-2 * INR N * e ^ 2).
Proof.
move=> hp far; pose t := 4 * e.
apply: (Rle_trans _ (binomial_mean N p (fun j => exp (- (t * (INR N * (p + e)))) * exp (t * INR j)))).
  apply: binomial_mean_le => // j jN; rewrite /bit -exp_plus.
  case E: (P j); last by apply: Rlt_le; apply: exp_pos.
  rewrite -{1}exp_0; apply: exp_mono; rewrite /t; have := far j jN E; lra.
rewrite binomial_mean_scale binomial_mgf.
have pos : 0 < 1 - p + p * exp t by have := exp_pos t; case: (Req_dec p 0) => [->|ne]; nra.
rewrite -(exp_ln _ (pow_lt _ N pos)) -exp_plus; apply: exp_mono.
rewrite (_ : ln ((1 - p + p * exp t) ^ N) = INR N * ln (1 - p + p * exp t)).
  by have := bernoulli_mgf t hp; have := pos_INR N; rewrite /t; nra.
elim: N {far} => [|N IH]; first by rewrite /= ln_1; ring.
by rewrite S_INR -tech_pow_Rmult ln_mult //; [rewrite IH; ring | apply: pow_lt].
Qed.

(** * Groups of a query *)

Lemma mean_binary_bounds (T : finType) (p r : T -> R) : policy p -> binary r -> 0 <= mean p r <= 1.
Proof. by move=> hp bin; apply: mean_bounds => [|y]; [apply: policy_law | case: (bin y) => ->; lra]. Qed.

Lemma expect_num_correct (T : finType) (p r : T -> R) G (f : nat -> R) : policy p -> binary r ->
  expect p (fun g : {ffun 'I_G -> T} => f (num_correct (rewards r g))) = binomial_mean G (mean p r) f.
Proof.
by move=> [_ one] bin; rewrite (expect_rewards one bin (fun x => f (num_correct x))) expect_binomial.
Qed.

Lemma expect_event (T : finType) (p r : T -> R) G (P : pred nat) : policy p -> binary r ->
  expect p (fun g : {ffun 'I_G -> T} => bit (P (num_correct (rewards r g))))
  = \sum_(m < G.+1 | P m) binomial_law G (mean p r) m.
Proof.
move=> hp bin; rewrite (expect_num_correct G (fun m => bit (P m)) hp bin) -[RHS](sum_bit (fun m : 'I_G.+1 => P m)).
by apply: eq_bigr => m _; apply: Rmult_comm.
Qed.

(** The two-armed query with success probability 1/2. *)
Lemma coin_policy : policy (fun _ : bool => 1 / 2).
Proof. by split=> [_|]; [lra | rewrite sum_bool; field]. Qed.

Lemma coin_success : mean (fun _ : bool => 1 / 2) bit = 1 / 2.
Proof. by rewrite /mean sum_bool /bit; field. Qed.

(** For a coin and 16 responses at K = 2/5 the group is easy iff at least 10 responses are correct. *)
Lemma coin_tail : \sum_(m < 17 | Rltb (1 - 2 / 5) (INR m / INR 16)) binomial_law 16 (1 / 2) m = 14893 / 65536.
Proof.
rewrite (eq_bigl (fun m : 'I_17 => (9 < m)%N)) => [|m]; last first.
  apply/RltbP/idP => [h|/INR_leq h]; last by rewrite !INR_IZR_INZ /= in h *; lra.
  by rewrite ltnNge; apply/negP => /INR_leq h'; rewrite !INR_IZR_INZ /= in h h'; lra.
rewrite (eq_bigr (fun m : 'I_17 => INR 'C(16, m) * / 65536)) => [|m _]; last first.
  rewrite /binomial_law (_ : 1 - 1 / 2 = 1 / 2); last by field.
  rewrite Rmult_assoc -pow_add (_ : Nat.add m (16 - m)%N = 16%N); last by apply: subnKC; rewrite -ltnS.
  have half : (1 / 2) ^ 16 = / 65536 by field.
  by rewrite half.
rewrite sum_scale_r; congr (_ * _).
have -> : \sum_(m < 17 | (9 < m)%N) INR 'C(16, m) = INR (\sum_(m < 17 | (9 < m)%N) 'C(16, m))%N.
  by apply: (big_ind2 (fun a b => a = INR b)) => // a b c d -> ->; rewrite INR_add.
by rewrite big_mkcond !big_ord_recl big_ord0 INR_IZR_INZ; apply: (congr1 IZR); vm_compute.
Qed.

(** The gate is not one of queries: a query's group may fall on the other side of the threshold. It is easy with the
    probability of the upper tail of the binomial law of G trials beyond 1 - K, and hard with that of the lower tail. A
    query of success probability 1/2 is hard at K = 2/5, and its group of 16 is easy with probability
    14893/65536 = .227. *)
Theorem gate_query_group :
  ~ (forall (T : finType) (p r : T -> R) (G : nat) (K : R) (g : {ffun 'I_G -> T}),
       policy p -> binary r -> (0 < G)%N -> 0 < K < 1 -> hard K (rewards r g) = Rleb (mean p r) (1 - K))
  /\ (forall (T : finType) (p r : T -> R) (G : nat) (K : R), policy p -> binary r ->
       expect p (fun g : {ffun 'I_G -> T} => bit (~~ hard K (rewards r g)))
       = \sum_(m < G.+1 | Rltb (1 - K) (INR m / INR G)) binomial_law G (mean p r) m
       /\ expect p (fun g : {ffun 'I_G -> T} => bit (hard K (rewards r g)))
       = \sum_(m < G.+1 | Rleb (INR m / INR G) (1 - K)) binomial_law G (mean p r) m)
  /\ (forall (T : finType) (p r : T -> R), policy p -> binary r -> mean p r = 1 / 2 ->
       mean p r <= 1 - 2 / 5
       /\ expect p (fun g : {ffun 'I_16 -> T} => bit (~~ hard (2 / 5) (rewards r g))) = 14893 / 65536).
Proof.
have tail (T : finType) (p r : T -> R) (G : nat) (K : R) : policy p -> binary r ->
       expect p (fun g : {ffun 'I_G -> T} => bit (~~ hard K (rewards r g)))
       = \sum_(m < G.+1 | Rltb (1 - K) (INR m / INR G)) binomial_law G (mean p r) m
       /\ expect p (fun g : {ffun 'I_G -> T} => bit (hard K (rewards r g)))
       = \sum_(m < G.+1 | Rleb (INR m / INR G) (1 - K)) binomial_law G (mean p r) m.
  move=> hp bin; split; last exact: (expect_event G (fun m => Rleb (INR m / INR G) (1 - K)) hp bin).
  apply: etrans (expect_event G (fun m => ~~ Rleb (INR m / INR G) (1 - K)) hp bin) _.
  by apply: eq_bigl => m; apply/RlebP/RltbP; lra.
have coin (T : finType) (p r : T -> R) : policy p -> binary r -> mean p r = 1 / 2 ->
       mean p r <= 1 - 2 / 5
       /\ expect p (fun g : {ffun 'I_16 -> T} => bit (~~ hard (2 / 5) (rewards r g))) = 14893 / 65536.
  by move=> hp bin V; have [-> _] := tail T p r 16%N (2 / 5) hp bin; rewrite V coin_tail; split=> //; lra.
split=> //; move=> claim.
have bin : binary bit by apply: (bit_binary id).
have [le prob] := coin _ _ _ coin_policy bin coin_success.
have : expect (fun _ : bool => 1 / 2) (fun g : {ffun 'I_16 -> bool} => bit (~~ hard (2 / 5) (rewards bit g))) = 0.
  apply: expect_zero => g; rewrite (claim _ _ _ _ _ g coin_policy bin) //; last by lra.
  by rewrite Rleb_true.
by rewrite prob; lra.
Qed.

(** The probability of the other side is at most exp(-2 G (V - (1 - K))^2), so it tends to 0 for V <> 1 - K, and a group
    of at least log(1/delta) / (2 (V - (1 - K))^2) responses has it at most delta: for 1%, log(100) in place of
    log(1/delta). *)
Theorem gate_query_group_if : forall (T : finType) (p r : T -> R) (K : R), policy p -> binary r ->
  let other_side (G : nat) :=
    expect p (fun g : {ffun 'I_G -> T} => bit (hard K (rewards r g) != Rleb (mean p r) (1 - K))) in
  (forall G, (0 < G)%N -> other_side G <= exp (-2 * INR G * (mean p r - (1 - K)) ^ 2))
  /\ (mean p r <> 1 - K ->
      is_lim_seq other_side 0
      /\ (forall (delta : R) (G : nat), 0 < delta -> (0 < G)%N ->
           ln (/ delta) / (2 * (mean p r - (1 - K)) ^ 2) <= INR G -> other_side G <= delta)
      /\ (forall G : nat, (0 < G)%N ->
           ln 100 / (2 * (mean p r - (1 - K)) ^ 2) <= INR G -> other_side G <= 1 / 100)).
Proof.
move=> T p r K hp bin other_side; have V := mean_binary_bounds hp bin.
have rate G : (0 < G)%N -> other_side G <= exp (-2 * INR G * (mean p r - (1 - K)) ^ 2).
  move=> G0; have g := INR_pos G0.
  rewrite (_ : (mean p r - (1 - K)) ^ 2 = (1 - K - mean p r) ^ 2); last by ring.
  apply: Rle_trans (Req_le _ _ (expect_num_correct G
    (fun m => bit (Rleb (INR m / INR G) (1 - K) != Rleb (mean p r) (1 - K))) hp bin)) _.
  apply: hoeffding => // j jN; set q := INR j / INR G.
  have -> : INR j = q * INR G by rewrite /q; field; lra.
  move=> side; have : 0 <= (1 - K - mean p r) * (q - (1 - K)).
    by move: side; case: RlebP => h; case: RlebP => h' //= _; nra.
  by move=> h; have := Rmult_le_pos _ _ h (Rlt_le _ _ g); lra.
split=> // ne; have sq : 0 < (mean p r - (1 - K)) ^ 2 by apply: pow2_gt_0; lra.
have enough delta G : 0 < delta -> (0 < G)%N ->
    ln (/ delta) / (2 * (mean p r - (1 - K)) ^ 2) <= INR G -> other_side G <= delta.
  move=> d0 G0 le; apply: Rle_trans (rate G G0) _; rewrite -[X in _ <= X]exp_ln //; apply: exp_mono.
  have := Rmult_le_compat_r _ _ _ (Rlt_le _ _ sq) le.
  rewrite ln_Rinv // (_ : - ln delta / (2 * _) * _ = - ln delta / 2); [lra | field; lra].
split; last first.
  split=> // G G0 le; apply: enough => //; first by lra.
  by have -> : / (1 / 100) = 100 by field.
apply/is_lim_seq_spec => eps; exists (ceil (Rabs (ln (/ (eps / 2))) / (2 * (mean p r - (1 - K)) ^ 2))).+1 => G le.
have e := cond_pos eps; have h2 : 0 < eps / 2 by lra.
have G0 : (0 < G)%N by apply/ltP; lia.
have d0 : 0 <= Rabs (ln (/ (eps / 2))) / (2 * (mean p r - (1 - K)) ^ 2).
  by apply: Rdiv_le_0_compat; [apply: Rabs_pos | lra].
have up : other_side G <= eps / 2.
  apply: enough => //; apply: (Rle_trans _ (Rabs (ln (/ (eps / 2))) / (2 * (mean p r - (1 - K)) ^ 2))).
    by apply: Rmult_le_compat_r; [apply: Rlt_le; apply: Rinv_0_lt_compat; lra | apply: Rle_abs].
  by apply: (Rle_trans _ _ _ (le_ceil d0)); apply: le_INR; lia.
have lo : 0 <= other_side G.
  apply: expect_ge0 => [y|g]; first by case: hp => pos _; apply: Rlt_le.
  by rewrite /bit; case: ifP; lra.
by rewrite Rminus_0_r Rabs_pos_eq //; lra.
Qed.
