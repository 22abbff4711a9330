(** The decimals of claims ratio-box-clip and ratio-box-clip-if, by interval arithmetic. *)

From QAE Require Import Compat Definitions Sums Calculus Prop42 RatioBox.
From Interval Require Import Tactic.

Set Implicit Arguments.
Unset Strict Implicit.

Lemma softmax_true (z : bool -> R) : softmax z true = / (1 + exp (- (z true - z false))).
Proof.
rewrite /softmax sum_bool; have -> : exp (- (z true - z false)) = exp (z false) / exp (z true).
  by rewrite /Rdiv -exp_Ropp -exp_plus; congr exp; ring.
by have := exp_pos (z true); have := exp_pos (z false) => h1 h2; field; split; lra.
Qed.

(** From (1/2, 1/2) to (9/10, 1/10) the entropy falls to .469 of what it was. *)
Theorem ratio_box_clip_decimals :
  Rabs (entropy (bernoulli (9 / 10)) / entropy (bernoulli (1 / 2)) - 0.469) <= 0.0005.
Proof. by rewrite /entropy /mean !sum_bool /logp /bernoulli; interval with (i_prec 40). Qed.

(** Small steps do not help: from (4/5, 1/5), two gradient steps of size 1/4 of the clipped objective on the same group,
    with every ratio inside the range when its gradient is taken, leave a ratio of .68 and an entropy ratio of .794. *)
Theorem ratio_box_clip_two_steps :
  let z := logp (bernoulli (4 / 5)) in let lo := 0.2 in let hi := 0.28 in
  let g := fun i : 'I_2 => i == ord0 in let A := fun i : 'I_2 => if i == ord0 then 1 else -1 in
  let J w := group_objective lo hi (fun _ => 1%N) (fun i _ => softmax w (g i) / softmax z (g i)) A in
  let ascent w d := forall x, is_derive (fun t => J (step w (fun y => bit (y == x)) t)) 0 (d x) in
  exists d d', let w := step z d (1 / 4) in let q := softmax (step w d' (1 / 4)) in
  ascent z d /\ ascent w d' /\ (forall y, 1 - lo < softmax w y / softmax z y < 1 + hi)
  /\ Rabs (q false / softmax z false - 0.68) <= 0.0005 /\ Rabs (entropy q / entropy (softmax z) - 0.794) <= 0.0005.
Proof.
move=> z lo hi g A J ascent; pose d := fun y : bool => if y then / 2 else - / 2.
have sz : softmax z = bernoulli (4 / 5) by apply: softmax_bernoulli; lra.
pose w := step z d (1 / 4); pose P := / (1 + exp (- (ln 4 + 1 / 4))).
have gz : z true - z false = ln 4 by rewrite /z /logp /bernoulli -ln_div; [congr ln; field | lra | lra].
have wt : softmax w true = P.
  by rewrite softmax_true; congr (/ (1 + exp (- _))); rewrite -gz /w /step /d; field.
have wf : softmax w false = 1 - P by rewrite softmax_bool_false wt.
have range y : 1 - lo < softmax w y / softmax z y < 1 + hi.
  by rewrite sz /lo /hi /bernoulli; case: y; rewrite ?wt ?wf /P; split; interval with (i_prec 40).
pose d' := fun x => (softmax w true / softmax z true * (bit (true == x) - softmax w x)
                     - softmax w false / softmax z false * (bit (false == x) - softmax w x)) / 2.
exists d, d'; split.
  move=> x; apply: derive_eq; first by apply: pair_gradient => y; rewrite sz /lo /hi /bernoulli; case: y; lra.
  by rewrite sz /bernoulli /bit /d; case: x => /=; lra.
split; first by move=> x; apply: pair_gradient.
split=> //.
pose Q := ln 4 + 1 / 4 + 1 / 4 * (P / (4 / 5) * (1 - P) + (1 - P) / (1 / 5) * P).
have gq : step w d' (1 / 4) true - step w d' (1 / 4) false = Q.
  have -> : step w d' (1 / 4) true - step w d' (1 / 4) false =
      z true - z false + 1 / 4 * (d true - d false) + 1 / 4 * (d' true - d' false) by rewrite /w /step; ring.
  by rewrite gz /d /d' wt wf sz /bernoulli /bit /= /Q; field.
rewrite -/w softmax_bool_false !entropy_gap gz softmax_true gq sz /bernoulli /gap_entropy /Q /P.
by split; interval with (i_prec 40).
Qed.

(** For the clip range .2, .28 the spread of the log-ratios is at most .47. *)
Theorem ratio_box_clip_if_decimals : Rabs (ln ((1 + 0.28) / (1 - 0.2)) - 0.47) <= 0.0005.
Proof. interval with (i_prec 40). Qed.
