(** Claim neutrality-dip, without its decimals: where QAE's gain is above GRPO's and where it is below.

    Everything is at eps = 0 and with the population's standard deviation. With the integrands T and F of
    NeutralityLimit.v, T(x) - F(x) is u(x)(p - x)/(p (1 - p)) up to 1 - K and v(x)(x - p)/(p (1 - p)) beyond. At
    p = 1 - K both are at least 0. At the ends the gains are the advantages of a single correct and of a single wrong
    response.
    At any other p the difference is at least a multiple of (x - p)^2, less a multiple of x - p, whose mean is 0, and of
    (x - p)^4, whose mean is of the order G^(-2). *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Groups Tables.
From QAE Require Import NeutralityGains Neutrality NeutralityLimit.

Set Implicit Arguments.
Unset Strict Implicit.

(** * The difference of the gains *)

(** p (1 - p)(F(x) - T(x)). *)
Definition gain_excess (K p x : R) : R :=
  if Rleb x (1 - K) then u_weight x * (x - p) else - (v_weight x * (x - p)).

Lemma root_parts x : 0 <= x <= 1 -> sqrt (x * (1 - x)) = sqrt x * sqrt (1 - x).
Proof. by move=> hx; rewrite sqrt_mult //; lra. Qed.

Lemma u_weight_parts x : 0 <= x < 1 -> u_weight x = sqrt x / sqrt (1 - x).
Proof. by move=> hx; rewrite /u_weight sqrt_div //; lra. Qed.

Lemma integrand_excess K p x : 0 < p < 1 -> 0 < K < 1 -> 0 <= x <= 1 ->
  p * (1 - p) * (qae_integrand K p x - grpo_integrand p x) = gain_excess K p x.
Proof.
move=> hp hK hx; rewrite /qae_integrand /grpo_integrand /gain_excess root_parts //.
case: RlebP => gate.
  have hx1 : 0 <= x < 1 by lra.
  rewrite u_weight_parts //; have q0 : 0 < sqrt (1 - x) by apply: sqrt_lt_R0; lra.
  have qq : sqrt (1 - x) * sqrt (1 - x) = 1 - x by apply: sqrt_sqrt; lra.
  have -> : sqrt x * sqrt (1 - x) = sqrt x / sqrt (1 - x) * (sqrt (1 - x) * sqrt (1 - x)) by field; lra.
  by rewrite qq; field; lra.
have hx1 : 0 <= 1 - x < 1 by lra.
rewrite v_weight_flip u_weight_parts // (_ : 1 - (1 - x) = x); last by ring.
have q0 : 0 < sqrt x by apply: sqrt_lt_R0; lra.
have qq : sqrt x * sqrt x = x by apply: sqrt_sqrt; lra.
have -> : sqrt x * sqrt (1 - x) = sqrt (1 - x) / sqrt x * (sqrt x * sqrt x) by field; lra.
by rewrite qq; field; lra.
Qed.

Lemma gain_difference G p K (i : 'I_G) : 0 < p < 1 -> 0 < K < 1 ->
  p * (1 - p) * (gain p (@qae G Population 0 K) i - gain p (@grpo G Population 0) i) =
  binomial_mean G p (fun m => gain_excess K p (rate G m)).
Proof.
move=> hp hK; rewrite gain_qae_group // gain_grpo_group // -binomial_mean_sub -binomial_mean_scale.
by apply: binomial_mean_ext => m mG; apply: integrand_excess => //; apply: rate_range i _ mG.
Qed.

Lemma u_weight_gt0 x : 0 < x < 1 -> 0 < u_weight x.
Proof. by move=> hx; apply: sqrt_lt_R0; apply: Rdiv_lt_0_compat; lra. Qed.

Lemma v_weight_gt0 x : 0 < x < 1 -> 0 < v_weight x.
Proof. by move=> hx; rewrite v_weight_flip; apply: u_weight_gt0; lra. Qed.

Lemma u_weight_ge0 x : 0 <= u_weight x.
Proof. exact: sqrt_pos. Qed.

Lemma v_weight_ge0 x : 0 <= v_weight x.
Proof. exact: sqrt_pos. Qed.

(** * The dip at p = 1 - K *)

Lemma excess_le0 K p x : p = 1 - K -> gain_excess K p x <= 0.
Proof.
move=> eK; rewrite /gain_excess -eK; have := u_weight_ge0 x; have := v_weight_ge0 x.
by case: RlebP => h v0 u0; nra.
Qed.

Lemma excess_lt0 K p x : p = 1 - K -> 0 < x < 1 -> x <> p -> gain_excess K p x < 0.
Proof.
move=> eK hx ne; rewrite /gain_excess -eK; have := u_weight_gt0 hx; have := v_weight_gt0 hx.
by case: RlebP => h v0 u0; nra.
Qed.

(** At p = 1 - K QAE's gain is below GRPO's for every K and every G >= 3, and for G = 2 unless K = 1/2. *)
Theorem neutrality_dip_below : forall (G : nat) (p K : R) (i : 'I_G), 0 < K < 1 -> p = 1 - K ->
  (2 < G)%N \/ (1 < G)%N /\ K <> 1 / 2 ->
  gain p (@qae G Population 0 K) i < gain p (@grpo G Population 0) i.
Proof.
move=> G p K i hK eK size; have hp : 0 < p < 1 by lra.
have G1 : (1 < G)%N by case: size => [/ltnW|[]].
have [m hm ne] : exists2 m, (0 < m < G)%N & rate G m <> p.
  have g := INR_pos (group_pos i); case: size => [G2|[_ half]].
    case: (Req_dec (rate G 1) p) => [e|]; last by exists 1%N => //; rewrite G1.
    exists 2%N => //; rewrite -e /rate /= => h.
    by have := Rmult_eq_compat_r (INR G) _ _ h; rewrite /Rdiv !Rmult_assoc !Rinv_l; lra.
  case: (Req_dec (rate G 1) p) => [e|]; last by exists 1%N => //; rewrite G1.
  case: (ltnP 2 G) => [G2|G2].
    exists 2%N => //; rewrite -e /rate /= => h.
    by have := Rmult_eq_compat_r (INR G) _ _ h; rewrite /Rdiv !Rmult_assoc !Rinv_l; lra.
  have E : G = 2%N by apply/eqP; rewrite eqn_leq G2.
  by case: half; move: e; rewrite E eK /rate /=; lra.
have q0 : 0 < p * (1 - p) by nra.
suff : 0 < binomial_mean G p (fun m => -1 * gain_excess K p (rate G m)).
  by rewrite binomial_mean_scale -(gain_difference i hp hK); nra.
have mG : (m <= G)%N by case/andP: hm => _ /ltnW.
apply: (@binomial_mean_gt0 G p _ m) => // [|l lG].
  by have := excess_lt0 eK (@rate_bounds G m hm) ne; lra.
by have := excess_le0 (rate G l) eK; lra.
Qed.

(** At G = 2 and K = 1/2 they are equal at p = 1/2. *)
Theorem neutrality_dip_two : forall (i : 'I_2),
  gain (1 / 2) (@qae 2 Population 0 (1 / 2)) i = gain (1 / 2) (@grpo 2 Population 0) i.
Proof.
move=> i; have hp : 0 < 1 / 2 < 1 by lra.
have := gain_difference i hp hp; rewrite /binomial_mean !big_ord_recl big_ord0 /= => e.
apply: Rminus_diag_uniq; apply: (Rmult_eq_reg_l (1 / 2 * (1 - 1 / 2))); last by lra.
rewrite {}e /gain_excess /rate /=.
have z : u_weight 0 = 0 by rewrite /u_weight /Rdiv Rmult_0_l sqrt_0.
have z' : v_weight 1 = 0 by rewrite /v_weight Rminus_eq_0 /Rdiv Rmult_0_l sqrt_0.
rewrite (_ : 0 / (1 + 1) = 0); last by field.
rewrite (_ : (1 + 1) / (1 + 1) = 1); last by field.
rewrite (@Rleb_true 0) ?(@Rleb_true (1 / (1 + 1))) ?(@Rleb_false 1); try lra.
by rewrite z z'; field.
Qed.

(** * The ends *)

Section Ends.
Variables (G : nat) (a : bool -> nat -> R).

Lemma table_gain_continuous p : continuous (fun q => table_gain G q a) p.
Proof.
apply: ex_derive_continuous; rewrite /table_gain /binomial_mean /binomial_law.
eexists; apply: derive_sum => j _; apply: Derive_correct.
by auto_derive.
Qed.

Lemma table_gain_0 : (0 < G)%N -> table_gain G 0 a = a true 1%N - a false 0%N.
Proof.
move=> G0; rewrite /table_gain /binomial_mean big_ord_recl big1 => [|j _].
  by rewrite /binomial_law bin0 subn0 Rminus_0_r pow1 /=; ring.
by rewrite /binomial_law lift0 /=; ring.
Qed.

Lemma table_gain_1 : (0 < G)%N -> table_gain G 1 a = a true G - a false G.-1.
Proof.
move=> G0; rewrite /table_gain /binomial_mean big_ord_recr big1 => [|j _] /=.
  by rewrite /binomial_law binn subnn pow1 (prednK G0) /=; ring.
rewrite /binomial_law Rminus_eq_0 pow_ne_zero; first by ring.
by apply/eqP; rewrite -lt0n subn_gt0.
Qed.
End Ends.

Section EndRatio.
Variables (G : nat) (K : R) (i : 'I_G).
Hypotheses (hK : 0 < K < 1) (G1 : (1 < G)%N).

Let Q := table_over G Population 0 (fun b m => bit b - gate K (rate G m)).
Let W := table_over G Population 0 (fun b m => bit b - rate G m).
Let ratio p := gain p (@qae G Population 0 K) i / gain p (@grpo G Population 0) i.
Let table_ratio p := table_gain G p Q / table_gain G p W.
Let root := sqrt (/ INR G * (1 - / INR G)).

Lemma mixed_one : (0 < 1 < G)%N.
Proof. by rewrite G1. Qed.

Lemma mixed_last : (0 < G.-1 < G)%N.
Proof. by rewrite -{1}subn1 subn_gt0 G1 ltn_predL (ltnW G1). Qed.

Lemma rate_one : rate G 1 = / INR G.
Proof. by rewrite /rate /Rdiv Rmult_1_l. Qed.

Lemma rate_last : rate G G.-1 = 1 - / INR G.
Proof.
have g := INR_neq0 (ltnW G1).
by rewrite /rate -subn1 INR_sub ?(ltnW G1) //=; field.
Qed.

Lemma end_range : 1 < INR G /\ 0 < / INR G < 1.
Proof.
have g := INR_ltn G1; rewrite /= in g; split=> //; split; first by apply: Rinv_0_lt_compat; lra.
by rewrite -Rinv_1; apply: Rinv_lt_contravar; lra.
Qed.

Lemma end_root : 0 < root.
Proof. by have [_ h] := end_range; apply: sqrt_lt_R0; nra. Qed.

Lemma root_last : sqrt (rate G G.-1 * (1 - rate G G.-1)) = root.
Proof. by rewrite rate_last; congr sqrt; ring. Qed.

Lemma table_at_0 : table_gain G 0 Q = (1 - gate K (/ INR G)) / root
  /\ table_gain G 0 W = (1 - / INR G) / root.
Proof.
rewrite !table_gain_0 ?(ltnW G1) // /Q /W !(table_over_population _ _ mixed_one) !table_over_degenerate //.
by rewrite rate_one /bit !Rminus_0_r.
Qed.

Lemma table_at_1 : table_gain G 1 Q = gate K (1 - / INR G) / root
  /\ table_gain G 1 W = (1 - / INR G) / root.
Proof.
rewrite !table_gain_1 ?(ltnW G1) // /Q /W !(table_over_population _ _ mixed_last).
rewrite !table_over_degenerate ?eqxx ?orbT // root_last rate_last /bit.
by split; rewrite /Rdiv; ring.
Qed.

Lemma grpo_end p : p = 0 \/ p = 1 -> 0 < table_gain G p W.
Proof.
have [g h] := end_range; have r0 := end_root.
by case=> ->; [have [_ ->] := table_at_0 | have [_ ->] := table_at_1]; apply: Rdiv_lt_0_compat; lra.
Qed.

Lemma table_ratio_continuous p : p = 0 \/ p = 1 -> continuous table_ratio p.
Proof.
move=> /grpo_end pos; apply: (@continuous_mult _ R_AbsRing); first exact: table_gain_continuous.
apply: (continuous_comp (fun q => table_gain G q W) Rinv); first exact: table_gain_continuous.
by apply: continuous_Rinv; lra.
Qed.

Lemma ratio_table p : 0 < p < 1 -> table_ratio p = ratio p.
Proof.
move=> hp; rewrite /ratio (gain_table hp i (@grpo_table G Population 0)).
by rewrite (gain_table hp i (@qae_table G Population 0 K (conj (proj1 hK) (Rlt_le _ _ (proj2 hK))))).
Qed.

Lemma ratio_limit_0 : filterlim ratio (at_right 0) (locally ((1 - gate K (/ INR G)) * (INR G / (INR G - 1)))).
Proof.
have [g h] := end_range; have r0 := end_root.
have -> : (1 - gate K (/ INR G)) * (INR G / (INR G - 1)) = table_ratio 0.
  by rewrite /table_ratio; have [-> ->] := table_at_0; field; lra.
apply: (filterlim_ext_loc table_ratio).
  exists (mkposreal 1 Rlt_0_1) => p; rewrite /ball /= /AbsRing_ball /= /abs /minus /plus /opp /= => b p0.
  by apply: ratio_table; move/Rabs_def2: b; lra.
by apply: filterlim_filter_le_1 (table_ratio_continuous (or_introl (erefl 0))); apply: filter_le_within.
Qed.

Lemma ratio_limit_1 : filterlim ratio (at_left 1) (locally (gate K (1 - / INR G) * (INR G / (INR G - 1)))).
Proof.
have [g h] := end_range; have r0 := end_root.
have -> : gate K (1 - / INR G) * (INR G / (INR G - 1)) = table_ratio 1.
  by rewrite /table_ratio; have [-> ->] := table_at_1; field; lra.
apply: (filterlim_ext_loc table_ratio).
  exists (mkposreal 1 Rlt_0_1) => p; rewrite /ball /= /AbsRing_ball /= /abs /minus /plus /opp /= => b p0.
  by apply: ratio_table; move/Rabs_def2: b; lra.
by apply: filterlim_filter_le_1 (table_ratio_continuous (or_intror (erefl 1))); apply: filter_le_within.
Qed.

Lemma end_above_1 : 1 < INR G / (INR G - 1).
Proof.
have [g _] := end_range.
by apply: (Rmult_lt_reg_r (INR G - 1)); [lra | rewrite /Rdiv Rmult_assoc Rinv_l; lra].
Qed.

(** What holds near the limit holds near the end. *)
Lemma near_0 (S : R -> Prop) : open S -> S ((1 - gate K (/ INR G)) * (INR G / (INR G - 1))) ->
  exists d, 0 < d /\ forall p, 0 < p < d -> S (ratio p).
Proof.
move=> op inS; have [d h] := ratio_limit_0 (op _ inS); exists d; split=> [|p hp]; first exact: cond_pos.
apply: h; last by case: hp.
by rewrite /ball /= /AbsRing_ball /= /abs /minus /plus /opp /=; apply: Rabs_def1; lra.
Qed.

Lemma near_1 (S : R -> Prop) : open S -> S (gate K (1 - / INR G) * (INR G / (INR G - 1))) ->
  exists d, 0 < d /\ forall p, 1 - d < p < 1 -> S (ratio p).
Proof.
move=> op inS; have [d h] := ratio_limit_1 (op _ inS); exists d; split=> [|p hp]; first exact: cond_pos.
apply: h; last by case: hp.
by rewrite /ball /= /AbsRing_ball /= /abs /minus /plus /opp /=; apply: Rabs_def1; lra.
Qed.
End EndRatio.

(** For 1/G < K <= 1 - 1/G the ratio of QAE's gain to GRPO's tends to G/(G - 1) at both ends, so it is above 1 there. *)
Theorem neutrality_dip_ends : forall (G : nat) (K : R) (i : 'I_G), / INR G < K <= 1 - / INR G ->
  let ratio p := gain p (@qae G Population 0 K) i / gain p (@grpo G Population 0) i in
  filterlim ratio (at_right 0) (locally (INR G / (INR G - 1)))
  /\ filterlim ratio (at_left 1) (locally (INR G / (INR G - 1)))
  /\ (exists d, 0 < d /\ forall p, 0 < p < d -> 1 < ratio p)
  /\ (exists d, 0 < d /\ forall p, 1 - d < p < 1 -> 1 < ratio p).
Proof.
move=> G K i inside; have g := INR_pos (group_pos i); have g' := Rinv_0_lt_compat _ g.
have hK : 0 < K < 1 by lra.
have G1 : (1 < G)%N.
  apply: INR_ltn_inv; rewrite [INR 1]/=.
  by have := Rmult_lt_compat_r (INR G) (2 * / INR G) 1 g; rewrite Rmult_assoc Rinv_l; lra.
have at0 : (1 - gate K (/ INR G)) * (INR G / (INR G - 1)) = INR G / (INR G - 1).
  by rewrite /gate Rleb_true; [ring | lra].
have at1 : gate K (1 - / INR G) * (INR G / (INR G - 1)) = INR G / (INR G - 1).
  by rewrite /gate Rleb_false; [ring | lra].
have above := end_above_1 G1.
split; first by have := ratio_limit_0 i hK G1; rewrite at0.
split; first by have := ratio_limit_1 i hK G1; rewrite at1.
split; first by apply: (near_0 i hK G1 (open_gt 1)); rewrite at0.
by apply: (near_1 i hK G1 (open_gt 1)); rewrite at1.
Qed.

(** Outside this range one end has the ratio 0: p = 0 for K > 1 - 1/G, where a single success in a group is easy, and
    p = 1 for K <= 1/G, where a single failure is hard. The ratio is then below 1 near that end. *)
Theorem neutrality_dip_outside : forall (G : nat) (K : R) (i : 'I_G), (1 < G)%N -> 0 < K < 1 ->
  let ratio p := gain p (@qae G Population 0 K) i / gain p (@grpo G Population 0) i in
  (1 - / INR G < K -> filterlim ratio (at_right 0) (locally 0)
    /\ exists d, 0 < d /\ forall p, 0 < p < d -> ratio p < 1)
  /\ (K <= / INR G -> filterlim ratio (at_left 1) (locally 0)
    /\ exists d, 0 < d /\ forall p, 1 - d < p < 1 -> ratio p < 1).
Proof.
move=> G K i G1 hK ratio; split=> h.
  have at0 : (1 - gate K (/ INR G)) * (INR G / (INR G - 1)) = 0 by rewrite /gate Rleb_false; [ring | lra].
  split; first by have := ratio_limit_0 i hK G1; rewrite at0.
  by apply: (near_0 i hK G1 (open_lt 1)); rewrite at0; lra.
have at1 : gate K (1 - / INR G) * (INR G / (INR G - 1)) = 0 by rewrite /gate Rleb_true; [ring | lra].
split; first by have := ratio_limit_1 i hK G1; rewrite at1.
by apply: (near_1 i hK G1 (open_lt 1)); rewrite at1; lra.
Qed.

(** * Away from the threshold *)

Section Curved.
Variables (p b : R).
Hypotheses (hp : 0 < p) (pb : p < b) (hb : b < 1).
Let s := sqrt (p * (1 - p)).
Let P := p / s.
Let c := / ((1 + P) * (1 - p)).
Let B := c / (b - p) ^ 2 + (P + / b) / (b - p) ^ 3.

Lemma curve_signs : 0 < s /\ s * s = p * (1 - p) /\ 0 < P /\ 0 < c /\ 0 < B.
Proof.
have hp1 : 0 < p < 1 by lra.
have s0 : 0 < s := deviation_pos hp1; have ss : s * s = p * (1 - p) := deviation_square hp1.
have P0 : 0 < P by apply: Rdiv_lt_0_compat.
have c0 : 0 < c by apply: Rinv_0_lt_compat; apply: Rmult_lt_0_compat; lra.
have b0 : 0 < / b by apply: Rinv_0_lt_compat; lra.
do 4 split=> //; apply: Rplus_lt_0_compat; apply: Rdiv_lt_0_compat => //; try lra; apply: pow_lt; lra.
Qed.

(** Up to the threshold: (u(x) - P)(x - p) >= c (x - p)^2. *)
Lemma curved_below x : 0 <= x <= b ->
  P * (x - p) + c * (x - p) ^ 2 - B * (x - p) ^ 4 <= u_weight x * (x - p).
Proof.
move=> hx; have [s0 [ss [P0 [c0 B0]]]] := curve_signs; have hp1 : 0 < p < 1 by lra.
have hx1 : 0 <= x < 1 by lra.
have [u0 uu] := u_weight_square hx1; have prod := u_weight_product s0 ss hx1; rewrite -/P in prod.
have quartic : 0 <= B * (x - p) ^ 4.
  by apply: Rmult_le_pos; [lra | rewrite (_ : (x - p) ^ 4 = ((x - p) ^ 2) ^ 2); [apply: pow2_ge_0 | ring]].
suff : c * (x - p) ^ 2 <= (u_weight x - P) * (x - p) by lra.
set q := (u_weight x + P) * ((1 - x) * (1 - p)); rewrite -/q in prod.
have q0 : 0 < q by apply: Rmult_lt_0_compat; [lra | apply: Rmult_lt_0_compat; lra].
have u1 : u_weight x * (1 - x) <= 1.
  have t0 : 0 <= u_weight x * (1 - x) by apply: Rmult_le_pos; lra.
  have tt : (u_weight x * (1 - x)) * (u_weight x * (1 - x)) = x * (1 - x).
    by rewrite -[X in _ = X * _]uu; ring.
  by apply: Rnot_lt_le => lt; have : x * (1 - x) <= 1; nra.
have qc : c * q <= 1.
  have -> : 1 = c * ((1 + P) * (1 - p)) by rewrite /c Rinv_l //; apply: Rgt_not_eq; apply: Rmult_lt_0_compat; lra.
  apply: Rmult_le_compat_l; first by lra.
  have -> : q = (u_weight x * (1 - x) + P * (1 - x)) * (1 - p) by rewrite /q; ring.
  by apply: Rmult_le_compat_r; nra.
rewrite -prod; set d := u_weight x - P.
have -> : c * (d * q) ^ 2 = (c * q) * (d ^ 2 * q) by ring.
have -> : d * (d * q) = 1 * (d ^ 2 * q) by ring.
by apply: Rmult_le_compat_r => //; apply: Rmult_le_pos; [apply: pow2_ge_0 | lra].
Qed.

(** Beyond it x - p is at least b - p, so that the fourth power outweighs everything. *)
Lemma curved_above x : b <= x <= 1 ->
  P * (x - p) + c * (x - p) ^ 2 - B * (x - p) ^ 4 <= - (v_weight x * (x - p)).
Proof.
move=> hx; have [s0 [ss [P0 [c0 B0]]]] := curve_signs.
have v1 : v_weight x <= / b.
  rewrite v_weight_flip; have hx1 : 0 <= 1 - x < 1 by lra.
  have [u0 uu] := u_weight_square hx1; set u := u_weight (1 - x) in u0 uu *.
  have i1 : 1 < / b by rewrite -Rinv_1; apply: Rinv_lt_contravar; lra.
  apply: Rnot_lt_le => lt; have ux : / b * / b * (1 - (1 - x)) <= 1 - x.
    rewrite -{2}uu; apply: Rmult_le_compat_r; first by lra.
    by apply: Rmult_le_compat; lra.
  have e : / b * b = 1 by apply: Rinv_l; lra.
  have : / b * / b * b <= / b * / b * (1 - (1 - x)) by apply: Rmult_le_compat_l; [nra | lra].
  by rewrite Rmult_assoc e; lra.
set d := x - p; set a := b - p; have a0 : 0 < a by rewrite /a; lra.
have ad : a <= d by rewrite /a /d; lra.
have r1 : 1 <= d / a.
  by apply: (Rmult_le_reg_r a) => //; rewrite /Rdiv Rmult_assoc Rinv_l; lra.
have r2 : 1 <= (d / a) ^ 2 by nra.
have r3 : 1 <= (d / a) ^ 3 by nra.
have -> : B * d ^ 4 = (c * d ^ 2) * (d / a) ^ 2 + ((P + / b) * d) * (d / a) ^ 3.
  by rewrite /B -/a; field; lra.
have i0 : 0 < / b by apply: Rinv_0_lt_compat; lra.
have k1 : c * d ^ 2 * 1 <= c * d ^ 2 * (d / a) ^ 2.
  by apply: Rmult_le_compat_l => //; apply: Rmult_le_pos; [lra | apply: pow2_ge_0].
have k2 : (P + / b) * d * 1 <= (P + / b) * d * (d / a) ^ 3.
  by apply: Rmult_le_compat_l => //; apply: Rmult_le_pos; lra.
have k3 : v_weight x * d <= / b * d by apply: Rmult_le_compat_r; lra.
lra.
Qed.
End Curved.

(** An excess that is at least l (x - p) + c (x - p)^2 - B (x - p)^4 has a positive mean in all large groups. *)
Lemma excess_positive K p l c B : 0 < p < 1 -> 0 < K < 1 -> 0 < c -> 0 < B ->
  (forall x, 0 <= x <= 1 -> l * (x - p) + c * (x - p) ^ 2 - B * (x - p) ^ 4 <= gain_excess K p x) ->
  exists N : nat, forall (G : nat) (i : 'I_G), (N <= G)%N ->
    gain p (@grpo G Population 0) i < gain p (@qae G Population 0 K) i.
Proof.
move=> hp hK c0 B0 curve; set q := p * (1 - p); have q0 : 0 < q by rewrite /q; nra.
pose v := / q + 4 * B * q / c; have v0 : 0 <= v.
  apply: Rplus_le_le_0_compat; first by apply: Rlt_le; apply: Rinv_0_lt_compat.
  by apply: Rlt_le; apply: Rdiv_lt_0_compat => //; apply: Rmult_lt_0_compat; lra.
exists (ceil v).+1 => G i /INR_leq; rewrite INR_succ => large; have G0 := group_pos i; have g := INR_pos G0.
have Gv : v < INR G by have := le_ceil v0; lra.
have i0 : 0 < / q := Rinv_0_lt_compat _ q0.
have w0 : 0 < 4 * B * q / c by apply: Rdiv_lt_0_compat => //; apply: Rmult_lt_0_compat; lra.
have one : 1 <= INR G * q.
  have e : / q * q = 1 by apply: Rinv_l; lra.
  by rewrite -e; apply: Rmult_le_compat_r; rewrite /v in Gv; lra.
have heavy : 4 * B * q < c * INR G.
  have e : 4 * B * q / c * c = 4 * B * q by field; lra.
  by rewrite -e [_ * c]Rmult_comm; apply: Rmult_lt_compat_l; rewrite /v in Gv; lra.
suff pos : 0 < binomial_mean G p (fun m => gain_excess K p (rate G m)).
  by rewrite -(gain_difference i hp hK) -/q in pos; nra.
apply: (Rlt_le_trans _ (binomial_mean G p (fun m =>
    l * (rate G m - p) + c * (rate G m - p) ^ 2 - B * (rate G m - p) ^ 4))); last first.
  by apply: binomial_mean_le => [|m mG]; [lra | apply: curve; apply: rate_range i _ mG].
rewrite binomial_mean_sub binomial_mean_add !binomial_mean_scale rate_moment_1 // !rate_moment // central_moment_2.
rewrite central_moment_4 -/q.
have -> : l * 0 + c * (INR G * q / INR G ^ 2)
    - B * ((INR G * (q * (1 - 3 * q)) + 3 * INR G * (INR G - 1) * q ^ 2) / INR G ^ 4) =
    q * (c * INR G ^ 2 - B * (1 + 3 * (INR G - 2) * q)) / INR G ^ 3 by field; lra.
apply: Rdiv_lt_0_compat; last exact: pow_lt.
apply: Rmult_lt_0_compat => //.
have q1 : q <= 1 by rewrite /q; nra.
have bound : B * (1 + 3 * (INR G - 2) * q) <= 4 * B * q * INR G.
  have -> : 4 * B * q * INR G = B * (4 * (INR G * q)) by ring.
  by apply: Rmult_le_compat_l; [lra | nra].
have := Rmult_lt_compat_r _ _ _ g heavy.
by rewrite (_ : c * INR G * INR G = c * INR G ^ 2); [lra | ring].
Qed.

(** At every p other than 1 - K, QAE's gain is above GRPO's in all large groups: the dip closes in on 1 - K. *)
Theorem neutrality_dip_closes : forall (p K : R), 0 < p < 1 -> 0 < K < 1 -> p <> 1 - K ->
  exists N : nat, forall (G : nat) (i : 'I_G), (N <= G)%N ->
    gain p (@grpo G Population 0) i < gain p (@qae G Population 0 K) i.
Proof.
move=> p K hp hK ne; case: (Rlt_or_le p (1 - K)) => lt.
  have hb : 1 - K < 1 by lra.
  have [s0 [ss [P0 [c0 B0]]]] := curve_signs (proj1 hp) lt hb.
  apply: (excess_positive hp hK c0 B0) => x hx; rewrite /gain_excess; case: RlebP => gate.
    by apply: curved_below; lra.
  by apply: curved_above; lra.
have lt' : 1 - p < K by lra.
have hp' : 0 < 1 - p by lra.
have [s0 [ss [P0 [c0 B0]]]] := curve_signs hp' lt' (proj2 hK).
apply: (excess_positive (l := - ((1 - p) / sqrt ((1 - p) * (1 - (1 - p))))) hp hK c0 B0) => x hx.
rewrite /gain_excess; case: RlebP => gate.
  have h : K <= 1 - x <= 1 by lra.
  have := curved_above hp' lt' (proj2 hK) h; rewrite v_weight_flip.
  rewrite (_ : 1 - (1 - x) = x); last by ring.
  rewrite (_ : 1 - x - (1 - p) = - (x - p)); last by ring.
  rewrite (_ : (- (x - p)) ^ 2 = (x - p) ^ 2); last by ring.
  rewrite (_ : (- (x - p)) ^ 4 = (x - p) ^ 4); last by ring.
  lra.
have h : 0 <= 1 - x <= K by lra.
have := curved_below hp' lt' (proj2 hK) h; rewrite v_weight_flip.
rewrite (_ : 1 - x - (1 - p) = - (x - p)); last by ring.
rewrite (_ : (- (x - p)) ^ 2 = (x - p) ^ 2); last by ring.
rewrite (_ : (- (x - p)) ^ 4 = (x - p) ^ 4); last by ring.
lra.
Qed.
