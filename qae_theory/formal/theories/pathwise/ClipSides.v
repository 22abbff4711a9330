(** Which of PPO's two clip bounds can bind under QAE (claim clip-sides). *)

From QAE Require Import Compat Definitions Sums Calculus Rewards Gate GateReleased Objective.

Set Implicit Arguments.
Unset Strict Implicit.

Section Sides.
Variables (lo hi v a : R).
Hypotheses (l0 : 0 <= lo) (h0 : 0 <= hi).

(** A term whose advantage is at least 0 has slope a below 1 + hi and slope 0 above; the lower bound never binds. *)
Lemma low_never_binds : 0 <= a -> ~ clip_low_binds lo hi v a.
Proof. by move=> a0 [lt ne]; apply: ne; rewrite surrogate_pos // Rmin_left; [ring | lra]. Qed.

Lemma high_binds : 0 < a -> 1 + hi < v -> clip_high_binds lo hi v a.
Proof. by move=> a0 lt; split=> //; rewrite surrogate_pos ?Rmin_right; try lra; nra. Qed.

Lemma slope_below : 0 <= a -> v < 1 + hi -> is_derive (fun u => surrogate lo hi u a) v a.
Proof.
move=> a0 lt; apply: (is_derive_ext_loc (fun u => a * u)).
  by apply: filter_imp (open_lt (1 + hi) v lt) => u h; rewrite surrogate_pos // Rmin_left //; lra.
by apply: derive_eq (derive_scale a (derive_id v)) _; ring.
Qed.

Lemma slope_above : 0 <= a -> 1 + hi < v -> is_derive (fun u => surrogate lo hi u a) v 0.
Proof.
move=> a0 lt; apply: (is_derive_ext_loc (fun _ => a * (1 + hi))); last exact: derive_const.
by apply: filter_imp (open_gt (1 + hi) v lt) => u h; rewrite surrogate_pos // Rmin_right //; lra.
Qed.

(** A term whose advantage is at most 0 has slope a above 1 - lo and slope 0 below; the upper bound never binds. *)
Lemma high_never_binds : a <= 0 -> ~ clip_high_binds lo hi v a.
Proof. by move=> a0 [lt ne]; apply: ne; rewrite surrogate_neg // Rmax_left; [ring | lra]. Qed.

Lemma low_binds : a < 0 -> v < 1 - lo -> clip_low_binds lo hi v a.
Proof. by move=> a0 lt; split=> //; rewrite surrogate_neg ?Rmax_right; try lra; nra. Qed.

Lemma negative_slope_above : a <= 0 -> 1 - lo < v -> is_derive (fun u => surrogate lo hi u a) v a.
Proof.
move=> a0 lt; apply: (is_derive_ext_loc (fun u => a * u)).
  by apply: filter_imp (open_gt (1 - lo) v lt) => u h; rewrite surrogate_neg // Rmax_left //; lra.
by apply: derive_eq (derive_scale a (derive_id v)) _; ring.
Qed.

Lemma negative_slope_below : a <= 0 -> v < 1 - lo -> is_derive (fun u => surrogate lo hi u a) v 0.
Proof.
move=> a0 lt; apply: (is_derive_ext_loc (fun _ => a * (1 - lo))); last exact: derive_const.
by apply: filter_imp (open_lt (1 - lo) v lt) => u h; rewrite surrogate_neg // Rmax_right //; lra.
Qed.

Lemma dual_clip_caps c : a < 0 -> 1 <= c -> c <= v -> dual_clip c lo hi v a = c * a.
Proof.
move=> a0 c1 cv; rewrite /dual_clip; case: RltbP => //= _; rewrite surrogate_neg //; last by lra.
by rewrite [Rmax v _]Rmax_left; [rewrite Rmax_right; nra | lra].
Qed.
End Sides.

(** Exact gate, binary rewards, any ratio v (so any number of inner epochs), no dual clip. In a hard group the lower
    clip bound never binds and the upper one binds exactly for correct responses with v > 1 + hi; a term's slope in v
    is its advantage below 1 + hi and 0 above. In an easy group the upper bound never binds and the lower one binds
    exactly for wrong responses with v < 1 - lo; the slope is the advantage above 1 - lo and 0 below. With
    interpolation (G = 8, K = 2/5, m = 5) and under GRPO (every mixed group) both bounds can bind in one group. A dual
    clip c >= 1 changes nothing in hard groups and caps the terms of easy ones from c on. *)
Theorem clip_sides :
  (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K lo hi v : R) (i : 'I_G),
     0 < K <= 1 -> 0 <= eps -> 0 <= lo -> 0 <= hi -> binary x ->
     let A := qae k eps K x i in
     (hard K x -> ~ clip_low_binds lo hi v A /\ (clip_high_binds lo hi v A <-> x i = 1 /\ 1 + hi < v)
        /\ (v < 1 + hi -> is_derive (fun u => surrogate lo hi u A) v A)
        /\ (1 + hi < v -> is_derive (fun u => surrogate lo hi u A) v 0)
        /\ forall c, dual_clip c lo hi v A = surrogate lo hi v A)
     /\ (~~ hard K x -> ~ clip_high_binds lo hi v A /\ (clip_low_binds lo hi v A <-> x i = 0 /\ v < 1 - lo)
        /\ (1 - lo < v -> is_derive (fun u => surrogate lo hi u A) v A)
        /\ (v < 1 - lo -> is_derive (fun u => surrogate lo hi u A) v 0)
        /\ forall c, 1 <= c -> c <= v -> x i = 0 -> dual_clip c lo hi v A = c * A))
  /\ (forall (x : 'I_8 -> R) (k : divisor) (eps lo hi v : R) (i : 'I_8),
     0 <= eps -> 0 <= lo -> 0 <= hi -> binary x -> num_correct x = 5%N ->
     let A := qae_linear k eps (2 / 5) x i in
     (x i = 1 -> 1 + hi < v -> clip_high_binds lo hi v A) /\ (x i = 0 -> v < 1 - lo -> clip_low_binds lo hi v A))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps lo hi v : R) (i : 'I_G),
     0 <= eps -> 0 <= lo -> 0 <= hi -> binary x -> ~~ degenerate x ->
     let A := grpo k eps x i in
     (x i = 1 -> 1 + hi < v -> clip_high_binds lo hi v A) /\ (x i = 0 -> v < 1 - lo -> clip_low_binds lo hi v A)).
Proof.
split.
  move=> G x k eps K lo hi v i hK e0 l0 h0 bin A.
  have G0 : (0 < G)%N := leq_ltn_trans (leq0n i) (ltn_ord i).
  split=> hd.
    have [up [down _]] := gate_hard k G0 hK e0 bin hd.
    have A0 : 0 <= A by rewrite /A; case: (bin i) => [/down ->|/up [_]]; lra.
    split; first exact: low_never_binds.
    split; last first.
      split=> [lt|]; first exact: slope_below.
      split=> [lt|c]; first exact: slope_above.
      by rewrite /dual_clip; case: RltbP => //; lra.
    split=> [[lt ne]|[xi lt]]; last by apply: high_binds => //; rewrite /A; case: (up i xi).
    split=> //; case: (bin i) => // xi; case: ne; rewrite (_ : A = 0); last exact: down.
    by rewrite surrogate_pos; lra.
  have [down [up _]] := gate_easy k G0 hK e0 bin hd.
  have A0 : A <= 0 by rewrite /A; case: (bin i) => [/down [_]|/up ->]; lra.
  split; first exact: high_never_binds.
  split; last first.
    split=> [lt|]; first exact: negative_slope_above.
    split=> [lt|c c1 cv xi]; first exact: negative_slope_below.
    by apply: dual_clip_caps => //; rewrite /A; case: (down i xi).
  split=> [[lt ne]|[xi lt]]; last by apply: low_binds => //; rewrite /A; case: (down i xi).
  split=> //; case: (bin i) => // xi; case: ne; rewrite (_ : A = 0); last exact: up.
  by rewrite surrogate_pos; lra.
split.
  move=> x k eps lo hi v i e0 l0 h0 bin m A.
  have [_ [_ [eight _]]] := eq4_released_code; have [_ [_ signs]] := eight x bin m.
  have [pos neg] := signs k eps i e0.
  by split=> xi lt; [apply: high_binds => //; apply: pos | apply: low_binds => //; apply: neg].
move=> G x k eps lo hi v i e0 l0 h0 bin mixed A.
have [pos neg] := fractional_baseline k i e0 mixed (mixed_success_rate bin mixed).
rewrite -(group_mean_binary bin) in pos neg.
by split=> xi lt; [apply: high_binds => //; apply: pos | apply: low_binds => //; apply: neg].
Qed.
