(** The statement of each claim's theorem, said again and proved by the theorem. *)

From QAE Require Import Compat Definitions.
From QAE Require Baselines ClipSides CrossEntropy EffectiveObjective Gate GateNonbinary GateReleased Identity Masks MedianGate Neutrality NeutralityDipDecimals NeutralityLimit NeutralityQueriesDecimals Objective Pathwise Prop42 QueryGate RatioBox Remainder SafeStep SampledGroupDecimals SampledSign SecondOrder SelfCovarianceMax SequenceChain Sparsity ThirdOrder Unsampled Verifier.
Set Implicit Arguments.
Unset Strict Implicit.

Definition pin_eq4_threshold :
  forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K <= 1 -> binary x ->
  is_glb_Rbar (fun v => K <= cdf x v) (gate K (success_rate x)) /\ quantile K x = gate K (success_rate x) :=
  @QAE.Gate.eq4_threshold.

Definition pin_eq4_left_inverse :
  forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K <= 1 ->
  is_glb_Rbar (fun v => K <= cdf x v) (order_stat (ceil (K * INR G)) x)
  /\ quantile K x = order_stat (ceil (K * INR G)) x :=
  @QAE.Gate.eq4_left_inverse.

Definition pin_eq4_released_code :
  ~ (forall (G : nat) (x : 'I_G -> R) (K : R), (0 < G)%N -> 0 < K < 1 -> binary x ->
       linear_quantile K x = quantile K x)
  /\ (forall (x : 'I_2 -> R) (K : R), 0 < K < 1 -> binary x -> num_correct x = 1%N ->
       linear_quantile K x = K /\ quantile K x = gate K (1 / 2)
       /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
          (x i = 1 -> 0 < qae_linear k eps K x i) /\ (x i = 0 -> qae_linear k eps K x i < 0))
  /\ (forall x : 'I_8 -> R, binary x -> num_correct x = 5%N ->
       linear_quantile (2 / 5) x = 4 / 5 /\ quantile (2 / 5) x = 1
       /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
          (x i = 1 -> 0 < qae_linear k eps (2 / 5) x i) /\ (x i = 0 -> qae_linear k eps (2 / 5) x i < 0))
  /\ (forall x : 'I_32 -> R, binary x -> num_correct x = 19%N ->
       linear_quantile (2 / 5) x = 2 / 5 /\ quantile (2 / 5) x = 0
       /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
          (x i = 1 -> 0 < qae_linear k eps (2 / 5) x i) /\ (x i = 0 -> qae_linear k eps (2 / 5) x i < 0))
  /\ (forall (x : 'I_16 -> R) (K : R), K = 1 / 5 \/ K = 2 / 5 \/ K = 3 / 5 \/ K = 4 / 5 ->
       linear_quantile K x = quantile K x) :=
  @QAE.GateReleased.eq4_released_code.

Definition pin_eq4_released_code_if :
  forall (G : nat) (K : R), (0 < G)%N -> 0 < K < 1 ->
  ((exists n : nat, INR G.-1 * K = INR n) -> forall x : 'I_G -> R, linear_quantile K x = quantile K x)
  /\ ((forall x : 'I_G -> R, binary x -> linear_quantile K x = quantile K x)
      <-> exists n : nat, INR G.-1 * K = INR n)
  /\ (~ (exists n : nat, INR G.-1 * K = INR n) ->
      let j := floor (INR G.-1 * K) in
      (0 < G.-1 - j < G)%N /\
      forall x : 'I_G -> R, binary x ->
        (num_correct x <> (G.-1 - j)%N -> linear_quantile K x = quantile K x)
        /\ (num_correct x = (G.-1 - j)%N ->
            linear_quantile K x = INR G.-1 * K - INR j /\ 0 < linear_quantile K x < 1
            /\ linear_quantile K x <> quantile K x
            /\ forall (k : divisor) (eps : R) i, 0 <= eps ->
                (x i = 1 -> 0 < qae_linear k eps K x i) /\ (x i = 0 -> qae_linear k eps K x i < 0))) :=
  @QAE.GateReleased.eq4_released_code_if.

Definition pin_gate_hard :
  forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x -> hard K x ->
  (forall i, x i = 1 -> qae k eps K x i = 1 / (std k x + eps) /\ 0 < qae k eps K x i)
  /\ (forall i, x i = 0 -> qae k eps K x i = 0)
  /\ (degenerate x -> forall i, x i = 0 /\ qae k eps K x i = 0) :=
  @QAE.Gate.gate_hard.

Definition pin_gate_easy :
  forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x -> ~~ hard K x ->
  (forall i, x i = 0 -> qae k eps K x i = - 1 / (std k x + eps) /\ qae k eps K x i < 0)
  /\ (forall i, x i = 1 -> qae k eps K x i = 0)
  /\ (degenerate x -> forall i, x i = 1 /\ qae k eps K x i = 0) :=
  @QAE.Gate.gate_easy.

Definition pin_gate_nonbinary :
  ~ (forall (G : nat) (c : 'I_G -> bool) (penalty : 'I_G -> R) (k : divisor) (eps K : R),
       (0 < G)%N -> 0 < K < 1 -> 0 <= eps -> (forall i, -1 <= penalty i <= 0) ->
       let x i := (if c i then 1 else -1) + penalty i in
       (hard K (fun i => bit (c i)) -> forall i, ~~ c i -> qae k eps K x i = 0)
       /\ (~~ hard K (fun i => bit (c i)) -> forall i, c i -> qae k eps K x i = 0))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       let x (i : 'I_3) := nth 0 [:: 1; -1; -2] i in
       hard (2 / 5) (fun i : 'I_3 => bit (i < 1)%N)
       /\ (forall i, val i = 0%N -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, val i = 1%N -> qae k eps (2 / 5) x i = 0)
       /\ (forall i, val i = 2%N -> qae k eps (2 / 5) x i < 0))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       let x (i : 'I_3) := nth 0 [:: 1; 1 / 2; -1] i in
       ~~ hard (2 / 5) (fun i : 'I_3 => bit (i < 2)%N)
       /\ (forall i, val i = 0%N -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, val i = 1%N -> qae k eps (2 / 5) x i = 0)
       /\ (forall i, val i = 2%N -> qae k eps (2 / 5) x i < 0))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       let x (i : 'I_16) := nth 0 (nseq 4 1 ++ nseq 10 (-1) ++ [:: -(3 / 2); -2]) i in
       hard (2 / 5) (fun i : 'I_16 => bit (i < 4)%N)
       /\ (forall i, x i = 1 -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, x i = -1 -> qae k eps (2 / 5) x i = 0)
       /\ (forall i, x i = -(3 / 2) \/ x i = -2 -> qae k eps (2 / 5) x i < 0))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       let x (i : 'I_2) := nth 0 [:: -1; -2] i in
       hard (2 / 5) (fun i : 'I_2 => bit (i < 0)%N)
       /\ (forall i, val i = 0%N -> 0 < qae k eps (2 / 5) x i)
       /\ (forall i, val i = 1%N -> qae k eps (2 / 5) x i = 0))
  /\ (forall (G : nat) (c : 'I_G -> bool) (penalty : 'I_G -> R) (k : divisor) (eps K : R),
       (0 < G)%N -> 0 < K < 1 -> 0 <= eps -> (forall i, -1 <= penalty i <= 0) ->
       let x i := (if c i then 1 else -1) + penalty i in
       (hard K (fun i => bit (c i)) -> forall i, c i -> 0 < qae k eps K x i)
       /\ (~~ hard K (fun i => bit (c i)) -> forall i, ~~ c i -> qae k eps K x i < 0)) :=
  @QAE.GateNonbinary.gate_nonbinary.

Definition pin_k_shares :
  forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K K' : R),
  (0 < G)%N -> 0 <= eps -> 0 < K <= K' -> K' <= 1 ->
  share (Rltb 0) (qae k eps K' x) <= share (Rltb 0) (qae k eps K x)
  /\ share (fun a => Rltb a 0) (qae k eps K x) <= share (fun a => Rltb a 0) (qae k eps K' x) :=
  @QAE.Sparsity.k_shares.

Definition pin_sparsity_formula :
  forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  (0 < G)%N -> 0 < K <= 1 -> 0 <= eps -> binary x ->
  (hard K x -> share (Reqb 0) (qae k eps K x) = 1 - success_rate x)
  /\ (~~ hard K x -> share (Reqb 0) (qae k eps K x) = success_rate x) :=
  @QAE.Sparsity.sparsity_formula.

Definition pin_sparsity_80 :
  ~ (exists K : R, 0 < K < 1 /\
       forall (Q : finType) (q : Q -> R) (G : Q -> nat) (x : forall a, 'I_(G a) -> R) (k : divisor) (eps : R),
       law q -> 0 <= eps -> (forall a, binary (x a)) -> (forall a, ~~ degenerate (x a)) ->
       4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a))))
  /\ (forall (x : 'I_2 -> R) (k : divisor) (eps K : R), 0 < K < 1 -> 0 <= eps -> binary x -> ~~ degenerate x ->
       share (Reqb 0) (qae k eps K x) = 1 / 2)
  /\ (forall (x : 'I_16 -> R) (k : divisor) (eps : R), 0 <= eps -> binary x ->
       (num_correct x = 9%N -> share (Reqb 0) (qae k eps (2 / 5) x) = 7 / 16)
       /\ (num_correct x = 1%N -> share (Reqb 0) (qae k eps (2 / 5) x) = 15 / 16))
  /\ (forall G m : nat, (m <= G)%N -> is_RInt (fun p => binomial_law G p m) 0 1 (/ INR G.+1))
  /\ (forall (G : nat) (k : divisor) (eps K : R), (1 < G)%N -> 0 < K < 1 -> 0 <= eps ->
       (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1 < 3 / 4)
  /\ (forall (k : divisor) (eps K : R), 0 < K < 1 -> 0 <= eps ->
       is_lim_seq
         (fun G => (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1)
         (1 - ((1 - K) ^ 2 + K ^ 2) / 2)
       /\ 1 - ((1 - K) ^ 2 + K ^ 2) / 2 <= 3 / 4)
  /\ 1 - ((1 - 2 / 5) ^ 2 + (2 / 5) ^ 2) / 2 = 74 / 100
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       (\sum_(m < 17) share (Reqb 0) (qae k eps (2 / 5) (fun i : 'I_16 => bit (i < m)%N))) / 17 = 103 / 136
       /\ (\sum_(m < 5) share (Reqb 0) (qae k eps (2 / 5) (fun i : 'I_4 => bit (i < m)%N))) / 5 = 4 / 5)
  /\ (forall (Q : finType) (q : Q -> R) (G : Q -> nat) (x : forall a, 'I_(G a) -> R) (k : divisor) (eps K : R),
       law q -> 0 < K < 1 -> 0 <= eps -> (forall a, (0 < G a)%N) -> (forall a, binary (x a)) ->
       (4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
        <-> mean q (fun a => if hard K (x a) then success_rate (x a) else 1 - success_rate (x a)) <= 1 / 5)
       /\ ((forall a, hard K (x a)) ->
           (4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
            <-> mean q (fun a => success_rate (x a)) <= 1 / 5)))
  /\ (forall (G : nat) (x x' : 'I_G -> R) (k : divisor) (eps K d : R), (0 < G)%N -> 0 < K < 1 -> 0 <= eps ->
       binary x -> binary x' -> success_rate x = d -> success_rate x' = 1 - d -> d <= 1 - K < 1 - d ->
       (4 / 5 <= (share (Reqb 0) (qae k eps K x) + share (Reqb 0) (qae k eps K x')) / 2 <-> d <= 1 / 5)) :=
  @QAE.Sparsity.sparsity_80.

Definition pin_sparsity_monotone :
  ~ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K K' : R),
       (0 < G)%N -> 0 <= eps -> binary x -> ~~ degenerate x -> 0 < K <= K' -> K' < 1 ->
       share (fun a => ~~ Reqb 0 a) (qae k eps K' x) <= share (fun a => ~~ Reqb 0 a) (qae k eps K x))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
       (0 < G)%N -> 0 <= eps -> binary x -> 0 < K <= 1 ->
       (K <= 1 - success_rate x -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = success_rate x)
       /\ (1 - success_rate x < K -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 1 - success_rate x))
  /\ (forall (x : 'I_10 -> R) (k : divisor) (eps K : R), 0 <= eps -> binary x -> num_correct x = 3%N -> 0 < K <= 1 ->
       (K <= 7 / 10 -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 3 / 10)
       /\ (7 / 10 < K -> share (fun a => ~~ Reqb 0 a) (qae k eps K x) = 7 / 10))
  /\ (forall (Q : finType) (q : Q -> R) (s : Q -> Q) (G : Q -> nat) (x : forall a, 'I_(G a) -> R)
        (k : divisor) (eps K : R),
       0 < K < 1 -> 0 <= eps -> (forall a, (0 < G a)%N) -> (forall a, binary (x a)) -> injective s ->
       (forall a, q (s a) = q a /\ success_rate (x (s a)) = 1 - success_rate (x a)) ->
       (forall a, success_rate (x a) <> 1 - K) ->
       mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
       = mean q (fun a => share (Reqb 0) (qae k eps (1 - K) (x a))))
  /\ (forall (k : divisor) (eps : R), 0 <= eps ->
       (\sum_(m < 3) share (Reqb 0) (qae k eps (1 / 4) (fun i : 'I_4 => bit (i < m.+1)%N))) / 3 = 1 / 2
       /\ (\sum_(m < 3) share (Reqb 0) (qae k eps (3 / 4) (fun i : 'I_4 => bit (i < m.+1)%N))) / 3 = 2 / 3) :=
  @QAE.Sparsity.sparsity_monotone.

Definition pin_gate_query_group :
  ~ (forall (T : finType) (p r : T -> R) (G : nat) (K : R) (g : {ffun 'I_G -> T}),
       policy p -> binary r -> (0 < G)%N -> 0 < K < 1 -> hard K (rewards r g) = Rleb (mean p r) (1 - K))
  /\ (forall (T : finType) (p r : T -> R) (G : nat) (K : R), policy p -> binary r ->
       expect p (fun g : {ffun 'I_G -> T} => bit (~~ hard K (rewards r g)))
       = \sum_(m < G.+1 | Rltb (1 - K) (INR m / INR G)) binomial_law G (mean p r) m
       /\ expect p (fun g : {ffun 'I_G -> T} => bit (hard K (rewards r g)))
       = \sum_(m < G.+1 | Rleb (INR m / INR G) (1 - K)) binomial_law G (mean p r) m)
  /\ (forall (T : finType) (p r : T -> R), policy p -> binary r -> mean p r = 1 / 2 ->
       mean p r <= 1 - 2 / 5
       /\ expect p (fun g : {ffun 'I_16 -> T} => bit (~~ hard (2 / 5) (rewards r g))) = 14893 / 65536) :=
  @QAE.QueryGate.gate_query_group.

Definition pin_gate_query_group_if :
  forall (T : finType) (p r : T -> R) (K : R), policy p -> binary r ->
  let other_side (G : nat) :=
    expect p (fun g : {ffun 'I_G -> T} => bit (hard K (rewards r g) != Rleb (mean p r) (1 - K))) in
  (forall G, (0 < G)%N -> other_side G <= exp (-2 * INR G * (mean p r - (1 - K)) ^ 2))
  /\ (mean p r <> 1 - K ->
      is_lim_seq other_side 0
      /\ (forall (delta : R) (G : nat), 0 < delta -> (0 < G)%N ->
           ln (/ delta) / (2 * (mean p r - (1 - K)) ^ 2) <= INR G -> other_side G <= delta)
      /\ (forall G : nat, (0 < G)%N ->
           ln 100 / (2 * (mean p r - (1 - K)) ^ 2) <= INR G -> other_side G <= 1 / 100)) :=
  @QAE.QueryGate.gate_query_group_if.

Definition pin_sparsity_any_reward :
  forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  (0 < G)%N -> 0 < K <= 1 -> 0 <= eps ->
  let zero := #|[pred i | Reqb (qae k eps K x i) 0]| in
  let negative := #|[pred i | Rltb (qae k eps K x i) 0]| in
  let positive := #|[pred i | Rltb 0 (qae k eps K x i)]| in
  (negative <= (ceil (K * INR G)).-1)%N /\ (positive <= G - ceil (K * INR G))%N
  /\ (injective x ->
      zero = 1%N /\ negative = (ceil (K * INR G)).-1 /\ positive = (G - ceil (K * INR G))%N) :=
  @QAE.Sparsity.sparsity_any_reward.

Definition pin_sparsity_some_k :
  (forall (Q : finType) (q : Q -> R) (G : Q -> nat) (x : forall a, 'I_(G a) -> R) (k : divisor) (eps : R),
     law q -> 0 <= eps -> (forall a, (0 < G a)%N) -> (forall a, binary (x a)) ->
     ((exists K, 0 < K < 1 /\ 4 / 5 <= mean q (fun a => share (Reqb 0) (qae k eps K (x a))))
      <-> mean q (fun a => Rmin (success_rate (x a)) (1 - success_rate (x a))) <= 1 / 5)
     /\ (forall K, 0 < K < 1 ->
         mean q (fun a => share (Reqb 0) (qae k eps K (x a)))
         <= mean q (fun a => share (Reqb 0) (qae k eps (1 / 2) (x a)))))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps : R), (0 < G)%N -> 0 <= eps -> binary x ->
     share (fun a => ~~ Reqb 0 a) (qae k eps (1 / 2) x) = Rmin (success_rate x) (1 - success_rate x)
     /\ (forall K K', 0 < K <= K' -> K' <= 1 / 2 ->
         share (fun a => ~~ Reqb 0 a) (qae k eps K' x) <= share (fun a => ~~ Reqb 0 a) (qae k eps K x))
     /\ (forall K K', 1 / 2 <= K <= K' -> K' < 1 ->
         share (fun a => ~~ Reqb 0 a) (qae k eps K x) <= share (fun a => ~~ Reqb 0 a) (qae k eps K' x)))
  /\ (forall G : nat, (1 < G)%N ->
     1 / 5 < (\sum_(m < G.-1) Rmin (success_rate (fun i : 'I_G => bit (i < m.+1)%N))
                                   (1 - success_rate (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1
     /\ forall (k : divisor) (eps K : R), 0 < K < 1 -> 0 <= eps ->
        (\sum_(m < G.-1) share (Reqb 0) (qae k eps K (fun i : 'I_G => bit (i < m.+1)%N))) / INR G.-1 < 4 / 5) :=
  @QAE.Sparsity.sparsity_some_k.

Definition pin_prop41_identity :
  forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
  binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
  let p := success_rate x in
  group_objective lo hi L v (qae Population 0 K x)
    = masked_objective lo hi (if hard K x then u_weight p else 0) (if hard K x then 0 else v_weight p) L v x
  /\ group_objective lo hi L v (pos_mask Population 0 K x)
    = masked_objective lo hi (if hard K x then u_weight p else 0) (v_weight p) L v x
  /\ group_objective lo hi L v (neg_mask Population 0 K x)
    = masked_objective lo hi (u_weight p) (if hard K x then 0 else v_weight p) L v x
  /\ group_objective lo hi L v (grpo Population 0 x)
    = masked_objective lo hi (sqrt (p * (1 - p))) (sqrt (p * (1 - p))) L v x :=
  @QAE.Objective.prop41_identity.

Definition pin_prop41_constant :
  (forall eps : R, 0 < eps -> ~ exists c : R,
     forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
     binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
     group_objective lo hi L v (qae Population eps K x)
     = c * masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                  (if hard K x then 0 else v_weight (success_rate x)) L v x)
  /\ (forall (G : nat) (x : 'I_G -> R) (eps K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
     binary x -> ~~ degenerate x -> 0 <= eps -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
     group_objective lo hi L v (qae Population eps K x)
     = std Population x / (std Population x + eps)
       * masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                (if hard K x then 0 else v_weight (success_rate x)) L v x)
  /\ (forall (G : nat) (x numerator : 'I_G -> R) (k : divisor) (eps lo hi : R) (L : 'I_G -> nat)
        (v : 'I_G -> nat -> R), ~~ degenerate x -> 0 <= eps ->
     group_objective lo hi L v (over_std k eps numerator x)
     = std Population x / (std k x + eps) * group_objective lo hi L v (over_std Population 0 numerator x))
  /\ (forall (G : nat) (x : 'I_G -> R) (eps : R), binary x -> ~~ degenerate x -> 0 < eps ->
     let distance := 1 - std Population x / (std Population x + eps) in
     2 * eps / (1 + 2 * eps) <= distance <= eps / (sqrt (INR G - 1) / INR G + eps)
     /\ (success_rate x = 1 / 2 -> distance = 2 * eps / (1 + 2 * eps))
     /\ (num_correct x = 1%N \/ num_correct x = G.-1 -> distance = eps / (sqrt (INR G - 1) / INR G + eps)))
  /\ (forall (x : 'I_16 -> R) (eps : R), binary x -> ~~ degenerate x -> 0 < eps <= / 10 ^ 4 ->
     let distance := 1 - std Population x / (std Population x + eps) in
     1.999 * eps <= distance <= 4.133 * eps /\ (num_correct x = 1%N -> 4.129 * eps <= distance)
     /\ (num_correct x = 8%N -> distance <= 2 * eps))
  /\ (forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
     binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
     group_objective lo hi L v (qae Bessel 0 K x)
     = sqrt ((INR G - 1) / INR G)
       * masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                (if hard K x then 0 else v_weight (success_rate x)) L v x) :=
  @QAE.Objective.prop41_constant.

Definition pin_prop41_amplification :
  forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R),
  binary x -> ~~ degenerate x -> 0 <= eps -> 0 < K <= 1 -> hard K x ->
  let p := success_rate x in
  (forall i, x i = 1 -> 0 < grpo k eps x i /\ qae k eps K x i = 1 / (1 - p) * grpo k eps x i)
  /\ INR G / (INR G - 1) <= 1 / (1 - p) <= 1 / K
  /\ (1 / (1 - p) = INR G / (INR G - 1) <-> num_correct x = 1%N)
  /\ (1 / (1 - p) = 1 / K <-> p = 1 - K) :=
  @QAE.Objective.prop41_amplification.

Definition pin_prop41_rarer_is_larger :
  ~ (forall (G : nat) (x x' : 'I_G -> R) (k : divisor) (eps K : R) (i i' : 'I_G),
       0 <= eps -> 0 < K < 1 -> binary x -> binary x' -> ~~ degenerate x -> ~~ degenerate x' ->
       hard K x -> hard K x' -> x i = 1 -> x' i' = 1 -> (num_correct x < num_correct x')%N ->
       qae k eps K x' i' / grpo k eps x' i' <= qae k eps K x i / grpo k eps x i
       /\ u_weight (success_rate x') <= u_weight (success_rate x))
  /\ (forall (G : nat) (x x' : 'I_G -> R) (k : divisor) (eps K : R) (i i' : 'I_G),
       0 <= eps -> 0 < K < 1 -> binary x -> binary x' -> ~~ degenerate x -> ~~ degenerate x' ->
       hard K x -> hard K x' -> x i = 1 -> x' i' = 1 -> (num_correct x < num_correct x')%N ->
       qae k eps K x i / grpo k eps x i < qae k eps K x' i' / grpo k eps x' i'
       /\ u_weight (success_rate x) < u_weight (success_rate x'))
  /\ (forall (x : 'I_4 -> R) (k : divisor) (eps : R) (i : 'I_4), 0 <= eps -> binary x -> x i = 1 ->
       (num_correct x = 1%N -> hard (2 / 5) x /\ qae k eps (2 / 5) x i / grpo k eps x i = 4 / 3
                               /\ u_weight (success_rate x) = 1 / sqrt 3)
       /\ (num_correct x = 2%N -> hard (2 / 5) x /\ qae k eps (2 / 5) x i / grpo k eps x i = 2
                                  /\ u_weight (success_rate x) = 1))
  /\ filterlim (fun p => 1 / (1 - p)) (at_right 0) (locally 1)
  /\ filterlim u_weight (at_right 0) (locally 0)
  /\ (forall p K : R, 0 < p -> 0 < K < 1 -> p < 1 - K ->
       1 / (1 - p) < 1 / (1 - (1 - K)) /\ u_weight p < u_weight (1 - K)) :=
  @QAE.Objective.prop41_rarer_is_larger.

Definition pin_masks_special_case :
  (forall (G : nat) (x : 'I_G -> R) (lo hi c : R) (keep_correct keep_wrong : bool),
     binary x -> ~~ degenerate x -> 0 <= lo -> 0 <= hi ->
     (forall (L : 'I_G -> nat) (v : 'I_G -> nat -> R), (forall i, (0 < L i)%N) -> (forall i t, 0 < v i t) ->
        masked_objective lo hi (bit keep_correct * u_weight (success_rate x))
                               (bit keep_wrong * v_weight (success_rate x)) L v x
        = c * group_objective lo hi L v (grpo Population 0 x)) ->
     c <> 1 /\ (c <> 0 -> success_rate x = 1 / 2 /\ c = 2 /\ keep_correct /\ keep_wrong))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R), binary x ->
     (~~ degenerate x -> forall i, unmasked k eps x i = (2 * x i - 1) / (std k x + eps))
     /\ (hard K x -> pos_mask k eps K x = unmasked k eps x)
     /\ (~~ hard K x -> neg_mask k eps K x = unmasked k eps x))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) i j, ~~ degenerate x -> 0 <= eps ->
     x i = 1 -> x j = 0 ->
     unmasked k eps x i - unmasked k eps x j = 2 * (grpo k eps x i - grpo k eps x j)
     /\ unmasked k eps x i - unmasked k eps x j = 2 * (qae k eps K x i - qae k eps K x j))
  /\ (forall (k : divisor) (eps p : R) (i : 'I_2), 0 <= eps -> 0 < p < 1 ->
     gain p (@unmasked 2 k eps) i = 2 * gain p (@grpo 2 k eps) i)
  /\ (forall (k : divisor) (eps p : R) (i : 'I_3), 0 <= eps -> 0 < p < 1 ->
     0 < gain p (@grpo 3 k eps) i
     /\ gain p (@unmasked 3 k eps) i = 3 / 2 * (1 + 2 * p * (1 - p)) * gain p (@grpo 3 k eps) i)
  /\ 3 / 2 * (1 + 2 * (1 / 2) * (1 - 1 / 2)) <> 2 :=
  @QAE.Masks.masks_special_case.

Definition pin_prop41_token_normaliser :
  ~ (forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat) (v : 'I_G -> nat -> R),
       binary x -> ~~ degenerate x -> 0 < K < 1 -> 0 <= lo -> 0 <= hi ->
       (forall i, (0 < L i)%N) -> (forall i t, 0 < v i t) ->
       dapo_objective lo hi L v (qae Population 0 K x)
       = masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                                (if hard K x then 0 else v_weight (success_rate x)) L v x)
  /\ (forall lo hi : R, 0 <= lo -> 0 <= hi ->
       let x (i : 'I_2) := bit (i < 1)%N in
       let L (i : 'I_2) := i.+1 in
       let v (i : 'I_2) (t : nat) := 1 in
       dapo_objective lo hi L v (qae Population 0 (2 / 5) x) = 2 / 3
       /\ group_objective lo hi L v (qae Population 0 (2 / 5) x) = 1
       /\ hard (2 / 5) x
       /\ masked_objective lo hi (u_weight (success_rate x)) 0 L v x = 1) :=
  @QAE.Masks.prop41_token_normaliser.

Definition pin_prop41_token_normaliser_if :
  forall (G : nat) (x : 'I_G -> R) (K lo hi : R) (L : 'I_G -> nat)
    (v : 'I_G -> nat -> R) (n : nat),
  (forall i, L i = n) ->
  (forall A, dapo_objective lo hi L v A = group_objective lo hi L v A)
  /\ (binary x -> ~~ degenerate x -> 0 < K <= 1 -> 0 <= lo -> 0 <= hi ->
      dapo_objective lo hi L v (qae Population 0 K x)
      = masked_objective lo hi (if hard K x then u_weight (success_rate x) else 0)
                               (if hard K x then 0 else v_weight (success_rate x)) L v x) :=
  @QAE.Masks.prop41_token_normaliser_if.

Definition pin_advantage_second_moment :
  forall (G : nat) (x : 'I_G -> R) (K : R),
  binary x -> ~~ degenerate x -> 0 < K <= 1 ->
  group_mean (fun i => qae Population 0 K x i ^ 2)
    = (if hard K x then 1 / (1 - success_rate x) else 1 / success_rate x)
  /\ group_mean (fun i => grpo Population 0 x i ^ 2) = 1
  /\ 1 < group_mean (fun i => qae Population 0 K x i ^ 2) :=
  @QAE.Masks.advantage_second_moment.

Definition pin_identity :
  forall (T : finType) (z d : T -> R),
  is_derive (fun eta => entropy (softmax (step z d eta))) 0 (- cov (softmax z) (logp (softmax z)) d) :=
  @QAE.Identity.identity.

Definition pin_self_covariance :
  forall (T : finType) (p : T -> R), policy p ->
  self_cov p = / 2 * (\sum_x \sum_y p x * p y * ((p x - p y) * (ln (p x) - ln (p y))))
  /\ 0 <= self_cov p
  /\ (self_cov p = 0 <-> uniform p) :=
  @QAE.Identity.self_covariance.

Definition pin_self_covariance_max :
  (forall n, (1 < n)%N ->
     let y x := (1 - x) / (INR n - 1) in let value x := x * (1 - x) * (x - y x) * ln (x / y x) in
     (forall (T : finType) (p : T -> R), #|T| = n -> policy p -> self_cov p <= max_self_cov n)
     /\ (exists p : 'I_n -> R, policy p /\ self_cov p = max_self_cov n)
     /\ (forall (T : finType) (p : T -> R), #|T| = n -> policy p -> self_cov p = max_self_cov n ->
          exists i x, / INR n < x < 1 /\ forall j, p j = if j == i then x else y x)
     /\ (exists x, / INR n < x < 1 /\ max_self_cov n = value x)
     /\ (forall x, / INR n < x < 1 -> value x <= max_self_cov n)
     /\ 4 / 27 * (1 - / (2 * (INR n - 1))) * ln (2 * (INR n - 1)) <= max_self_cov n <= 4 / 27 * ln (INR n - 1) + 1)
  /\ is_lim_seq (fun n => max_self_cov n / ln (INR n)) (4 / 27) :=
  @QAE.SelfCovarianceMax.self_covariance_max.

Definition pin_prop42_uncentred :
  forall (T : finType) (p r : T -> R) (K b : R), policy p -> 0 <= b <= 1 ->
  let h c := first_order p (uncentred p r c) in
  let bK := gate K (mean p r) in
  (mean p r <= 1 - K -> h bK <= h b /\ (h bK < h b <-> ~ uniform p /\ b <> bK))
  /\ (1 - K < mean p r -> h b <= h bK /\ (h b < h bK <-> ~ uniform p /\ b <> bK)) :=
  @QAE.Prop42.prop42_uncentred.

Definition pin_prop42_policy_gradient :
  forall (T : finType) (z r : T -> R) (K b eta : R),
  let p := softmax z in let bK := gate K (mean p r) in
  let h c := first_order p (policy_gradient p r c) in
  let dH c := entropy_change z (policy_gradient p r c) eta in
  (mean p r <= 1 - K -> h bK <= h b /\ dH bK <= dH b)
  /\ (1 - K < mean p r -> h b <= h bK /\ dH b <= dH bK)
  /\ policy_gradient p r b = policy_gradient p r bK /\ h b = h bK /\ dH b = dH bK :=
  @QAE.Prop42.prop42_policy_gradient.

Definition pin_prop42_natural_gradient :
  forall (T : finType) (z r : T -> R) (K b eta : R),
  let p := softmax z in let bK := gate K (mean p r) in
  let h c := first_order p (natural_gradient r c) in
  let dH c := entropy_change z (natural_gradient r c) eta in
  (mean p r <= 1 - K -> h bK <= h b /\ dH bK <= dH b)
  /\ (1 - K < mean p r -> h b <= h bK /\ dH b <= dH bK)
  /\ h b = h bK /\ dH b = dH bK
  /\ softmax (step z (natural_gradient r b) eta) = softmax (step z (natural_gradient r bK) eta) :=
  @QAE.Prop42.prop42_natural_gradient.

Definition pin_prop42_sampled_group :
  ~ (forall (G : nat) (T : finType) (z r : T -> R) (K eta : R),
       binary r -> 0 < K < 1 -> 0 < eta -> mean (softmax z) r <= 1 - K ->
       expected_change z r (@qae G Population 0 K) eta <= expected_change z r (@grpo G Population 0) eta)
  /\ ~ (forall (G : nat) (T : finType) (z r : T -> R) (K eta : R),
       binary r -> 0 < K < 1 -> 0 < eta -> 1 - K < mean (softmax z) r ->
       expected_change z r (@grpo G Population 0) eta <= expected_change z r (@qae G Population 0 K) eta)
   
  /\ (let p := bernoulli (1 / 10) in
      let change := fun (A : estimator 2) eta => expected_change (logp p) bit A eta in
      softmax (logp p) = p /\ mean p bit <= 1 - 2 / 5
      /\ (forall g : {ffun 'I_2 -> bool}, ~~ degenerate (rewards bit g) -> hard (2 / 5) (rewards bit g))
      /\ (forall eta, 0 < eta <= ln 9 / (18 / 10) ->
            0 < change (standardised Population 0 1) eta
            /\ change (standardised Population 0 1) eta < change (grpo Population 0) eta
            /\ change (grpo Population 0) eta < change (qae Population 0 (2 / 5)) eta)
      /\ Rabs (change (qae Population 0 (2 / 5)) (1 / 10) - 65956 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (change (grpo Population 0) (1 / 10) - 36192 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (change (standardised Population 0 1) (1 / 10) - 7143 / 10 ^ 7) <= 5 / 10 ^ 8)
   
  /\ (let p := bernoulli (9 / 10) in
      let change := fun (A : estimator 2) eta => expected_change (logp p) bit A eta in
      softmax (logp p) = p /\ 1 - 3 / 5 < mean p bit
      /\ (forall g : {ffun 'I_2 -> bool}, ~~ degenerate (rewards bit g) -> ~~ hard (3 / 5) (rewards bit g))
      /\ (forall eta, 0 < eta ->
            change (qae Population 0 (3 / 5)) eta < change (grpo Population 0) eta
            /\ change (grpo Population 0) eta < change (standardised Population 0 0) eta
            /\ change (standardised Population 0 0) eta < 0)
      /\ Rabs (change (qae Population 0 (3 / 5)) (1 / 10) - - 620 / 10 ^ 5) <= 5 / 10 ^ 6
      /\ Rabs (change (grpo Population 0) (1 / 10) - - 350 / 10 ^ 5) <= 5 / 10 ^ 6)
   
  /\ (let p := fun y : 'I_3 => if y == ord0 then 1 / 4 else 3 / 8 in
      let r := fun y : 'I_3 => bit (y == ord0) in
      let q := bernoulli (7 / 10) in
      let hard_change := fun b => expected_change (logp p) r (@constant 2 b) 1 in
      let easy_change := fun b => expected_change (logp q) bit (@constant 2 b) 1 in
      softmax (logp p) = p /\ softmax (logp q) = q /\ mean p r <= 1 - 2 / 5 /\ 1 - 2 / 5 < mean q bit
      /\ Rabs (hard_change 0 - 21493 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (hard_change 1 - - 177424 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (easy_change 0 - - 854124 / 10 ^ 7) <= 5 / 10 ^ 8
      /\ Rabs (easy_change 1 - - 880914 / 10 ^ 7) <= 5 / 10 ^ 8)
   
  /\ (let p := fun y : 'I_3 => if y == ord0 then 1 / 2 else 1 / 4 in
      let r := fun y : 'I_3 => bit (y == ord0) in
      let change := fun b eta => expect_given p (fun g : {ffun 'I_2 -> 'I_3} => hard (2 / 5) (rewards r g))
        (fun g => entropy_change (logp p) (sampled_group p g (constant b (rewards r g))) eta) in
      softmax (logp p) = p
      /\ (forall b, is_derive (change b) 0 (- (1 + b) / 16 * ln 2))
      /\ Rabs (change 0 (1 / 10) - - 445 / 10 ^ 5) <= 5 / 10 ^ 6
      /\ Rabs (change 1 (1 / 10) - - 914 / 10 ^ 5) <= 5 / 10 ^ 6) :=
  @QAE.SampledGroupDecimals.prop42_sampled_group.

Definition pin_sampled_sign_law :
  forall (G : nat) (T : finType) (z r : T -> R) (K : R),
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
  /\ (h = 0 -> forall b, hard_slope 0 = hard_slope b /\ easy_slope 1 = easy_slope b) :=
  @QAE.SampledSign.sampled_sign_law.

Definition pin_prop42_sign :
  ~ (forall (T : finType) (p r : T -> R) (K : R), policy p -> binary r -> 0 < K < 1 -> mean p r <= 1 - K ->
       first_order p (uncentred p r (gate K (mean p r))) <= 0)
  /\ ~ (forall (T : finType) (p r : T -> R) (K : R), policy p -> binary r -> 0 < K < 1 -> 1 - K < mean p r ->
       0 <= first_order p (uncentred p r (gate K (mean p r))))
  /\ (let p := bernoulli (1 / 10) in gate (2 / 5) (mean p bit) = 0 /\ 0 < first_order p (uncentred p bit 0)
      /\ forall eta, 0 < eta <= 1 -> 0 < entropy_change (logp p) (uncentred p bit 0) eta)
  /\ (let p := bernoulli (9 / 10) in gate (2 / 5) (mean p bit) = 1 /\ first_order p (uncentred p bit 1) < 0
      /\ forall eta, 0 < eta <= 1 -> entropy_change (logp p) (uncentred p bit 1) eta < 0) :=
  @QAE.Prop42.prop42_sign.

Definition pin_prop42_finite_step :
  ~ (forall (T : finType) (z r : T -> R) (K b eta : R), binary r -> 0 < K < 1 -> 0 <= b <= 1 -> 0 < eta ->
       let p := softmax z in let bK := gate K (mean p r) in mean p r <= 1 - K ->
       entropy_change z (uncentred p r bK) eta <= entropy_change z (uncentred p r b) eta)
  /\ ~ (forall (T : finType) (z r : T -> R) (K b eta : R), binary r -> 0 < K < 1 -> 0 <= b <= 1 -> 0 < eta ->
       let p := softmax z in let bK := gate K (mean p r) in 1 - K < mean p r ->
       entropy_change z (uncentred p r b) eta <= entropy_change z (uncentred p r bK) eta)
  /\ (let z := logp (bernoulli (2 / 5)) in let p := softmax z in
      softmax z = bernoulli (2 / 5)
      /\ entropy_change z (uncentred p bit 1) 1 < entropy_change z (uncentred p bit 0) 1)
  /\ (forall (z : bool -> R) (eta : R), 0 < eta ->
      let p := softmax z true in let dH b := entropy_change z (uncentred (softmax z) bit b) eta in
      (p < 1 / 2 -> (dH 0 <= dH 1 <-> eta <= 2 * ln ((1 - p) / p))) /\ (1 / 2 <= p -> dH 0 <= dH 1)) :=
  @QAE.Prop42.prop42_finite_step.

Definition pin_prop42_finite_step_if :
  forall (T : finType) (z r : T -> R) (K b eta : R), (0 < #|T|)%N -> binary r ->
  0 <= b <= 1 -> 0 <= eta ->
  let p := softmax z in let bK := gate K (mean p r) in let d c := uncentred p r c in
  let below b1 b2 :=
    eta * (spread (d b2) ^ 2 * lower_bracket #|T| + spread (d b1) ^ 2 * upper_bracket #|T|)
      <= 2 * (b2 - b1) * self_cov p
    \/ eta <= 2 / b2
       /\ (forall i j, r i = 0 -> r j = 1 -> p j < p i -> eta <= ln (p i / p j) / (b2 * p i + (1 - b2) * p j)) in
  (mean p r <= 1 - K -> below bK b -> entropy_change z (d bK) eta <= entropy_change z (d b) eta)
  /\ (1 - K < mean p r -> below b bK -> entropy_change z (d b) eta <= entropy_change z (d bK) eta) :=
  @QAE.SafeStep.prop42_finite_step_if.

Definition pin_remainder :
  forall (T : finType) (z d : T -> R), (0 < #|T|)%N ->
  let n := INR #|T| in let c := / (6 * sqrt 3) in let rho := spread d in let p t := softmax (step z d t) in
  let phi2 t :=
    - var (p t) d - mean (p t) (fun y => (logp (p t) y - mean (p t) (logp (p t))) * (d y - mean (p t) d) ^ 2) in
  (forall t, is_derive (path_entropy z d) t (first_order (p t) d)
             /\ is_derive (fun u => first_order (p u) d) t (phi2 t))
  /\ (forall t, - (rho ^ 2 * lower_bracket #|T|) <= phi2 t <= rho ^ 2 * upper_bracket #|T|)
  /\ lower_bracket #|T| <= c * ln n + (1 + exp (-1)) / 4
  /\ upper_bracket #|T| <= c * ln (6 * sqrt 3 * n)
  /\ forall eta, let dH := entropy_change z d eta in let h1 := first_order (softmax z) d in
     (eta * h1 - eta ^ 2 / 2 * (rho ^ 2 * lower_bracket #|T|) <= dH
        <= eta * h1 + eta ^ 2 / 2 * (rho ^ 2 * upper_bracket #|T|))
     /\ - entropy (softmax z) <= dH <= ln n - entropy (softmax z)
     /\ Rabs (dH - eta * h1) <= eta ^ 2 / 2 * rho ^ 2 * (0.342 + 0.0963 * ln n) :=
  @QAE.Remainder.remainder.

Definition pin_safe_step :
  forall (T : finType) (z r : T -> R) (b1 b2 eta : R), (0 < #|T|)%N -> binary r ->
  0 <= b1 < b2 -> b2 <= 1 -> 0 <= eta ->
  let p := softmax z in let d b := uncentred p r b in
  eta * (spread (d b2) ^ 2 * lower_bracket #|T| + spread (d b1) ^ 2 * upper_bracket #|T|)
    <= 2 * (b2 - b1) * self_cov p
  \/ eta <= 2 / b2
     /\ (forall i j, r i = 0 -> r j = 1 -> p j < p i -> eta <= ln (p i / p j) / (b2 * p i + (1 - b2) * p j)) ->
  entropy_change z (d b1) eta <= entropy_change z (d b2) eta :=
  @QAE.SafeStep.safe_step.

Definition pin_prop42_policy_gradient_strict :
  (forall (T : finType) (p r : T -> R) (b c : R), policy p ->
    ~ first_order p (policy_gradient p r b) < first_order p (policy_gradient p r c))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
         0 <= b <= 1 -> b <> gate K (mean p r) -> mean p r <= 1 - K ->
         first_order p (policy_gradient p r (gate K (mean p r))) < first_order p (policy_gradient p r b))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
         0 <= b <= 1 -> b <> gate K (mean p r) -> 1 - K < mean p r ->
         first_order p (policy_gradient p r b) < first_order p (policy_gradient p r (gate K (mean p r)))) :=
  @QAE.Prop42.prop42_policy_gradient_strict.

Definition pin_prop42_natural_gradient_strict :
  (forall (T : finType) (p r : T -> R) (b c : R), policy p ->
    ~ first_order p (natural_gradient r b) < first_order p (natural_gradient r c))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
         0 <= b <= 1 -> b <> gate K (mean p r) -> mean p r <= 1 - K ->
         first_order p (natural_gradient r (gate K (mean p r))) < first_order p (natural_gradient r b))
  /\ ~ (forall (T : finType) (p r : T -> R) (K b : R), policy p -> ~ uniform p -> binary r -> 0 < K < 1 ->
         0 <= b <= 1 -> b <> gate K (mean p r) -> 1 - K < mean p r ->
         first_order p (natural_gradient r b) < first_order p (natural_gradient r (gate K (mean p r)))) :=
  @QAE.Prop42.prop42_natural_gradient_strict.

Definition pin_ratio_box :
  (forall (T : finType) (p q : T -> R) (a b : R), policy p -> policy q -> (forall y, a <= q y / p y <= b) ->
     a * entropy p <= entropy q <= b * entropy p
     /\ ((1 < #|T|)%N -> 0 < entropy p /\ a <= entropy q / entropy p <= b))
  /\ (forall (T : finType) (z d : T -> R) (eta : R), (1 < #|T|)%N ->
     let H := entropy (softmax z) in let rho := spread d in
     (forall y, exp (- (Rabs eta * rho)) <= softmax (step z d eta) y / softmax z y <= exp (Rabs eta * rho))
     /\ exp (- (Rabs eta * rho)) <= path_entropy z d eta / H <= exp (Rabs eta * rho)
     /\ (exp (- (Rabs eta * rho)) - 1) * H <= entropy_change z d eta <= (exp (Rabs eta * rho) - 1) * H) :=
  @QAE.RatioBox.ratio_box.

Definition pin_ratio_box_clip :
  (let z := fun _ : bool => 0 in let lo := 0.2 in let hi := 0.28 in
   let g := fun i : 'I_2 => i == ord0 in let A := fun i : 'I_2 => if i == ord0 then 1 else -1 in
   let J w := group_objective lo hi (fun _ => 1%N) (fun i _ => softmax w (g i) / softmax z (g i)) A in
   let d := fun y : bool => if y then / 2 else - / 2 in let q := softmax (step z d (ln 9)) in
   (forall x, is_derive (fun t => J (step z (fun y => bit (y == x)) t)) 0 (d x))
   /\ softmax z = bernoulli (1 / 2) /\ q = bernoulli (9 / 10)
   /\ q true / softmax z true = 9 / 5 /\ q false / softmax z false = 1 / 5
   /\ entropy q / entropy (softmax z) < 1 - lo)
  /\ ~ (forall (G : nat) (T : finType) (z d : T -> R) (g : 'I_G -> T) (A : 'I_G -> R) (lo hi eta : R),
       let J w := group_objective lo hi (fun _ => 1%N) (fun i _ => softmax w (g i) / softmax z (g i)) A in
       0 < lo < 1 -> 0 < hi -> 0 < eta ->
       (forall x, is_derive (fun t => J (step z (fun y => bit (y == x)) t)) 0 (d x)) ->
       forall y, 1 - lo <= softmax (step z d eta) y / softmax z y <= 1 + hi)
  /\ ~ (forall (G : nat) (T : finType) (z d : T -> R) (g : 'I_G -> T) (A : 'I_G -> R) (lo hi eta : R),
       let J w := group_objective lo hi (fun _ => 1%N) (fun i _ => softmax w (g i) / softmax z (g i)) A in
       0 < lo < 1 -> 0 < hi -> 0 < eta ->
       (forall x, is_derive (fun t => J (step z (fun y => bit (y == x)) t)) 0 (d x)) ->
       1 - lo <= path_entropy z d eta / entropy (softmax z) <= 1 + hi) :=
  @QAE.RatioBox.ratio_box_clip.

Definition pin_ratio_box_clip_if :
  forall (T : finType) (p q : T -> R) (lo hi : R), policy p -> policy q ->
  0 <= lo < 1 -> 0 <= hi -> (forall y, 1 - lo <= q y / p y <= 1 + hi) ->
  let d y := ln (q y) - ln (p y) in let rho := ln ((1 + hi) / (1 - lo)) in
  (1 - lo) * entropy p <= entropy q <= (1 + hi) * entropy p
  /\ ((1 < #|T|)%N -> 1 - lo <= entropy q / entropy p <= 1 + hi)
  /\ spread d <= rho
  /\ softmax (step (logp p) d 1) = q
  /\ first_order p d - / 2 * (rho ^ 2 * lower_bracket #|T|) <= entropy q - entropy p
       <= first_order p d + / 2 * (rho ^ 2 * upper_bracket #|T|)
  /\ Rabs (entropy q - entropy p - first_order p d) <= / 2 * rho ^ 2 * (0.342 + 0.0963 * ln (INR #|T|)) :=
  @QAE.RatioBox.ratio_box_clip_if.

Definition pin_cross_entropy_upper :
  (forall (T : finType) (p q : T -> R), policy p -> policy q ->
     entropy q - entropy p <= - (\sum_y (q y - p y) * ln (p y))
     /\ (entropy q - entropy p = - (\sum_y (q y - p y) * ln (p y)) <-> forall y, q y = p y))
  /\ (forall (T : finType) (z d : T -> R) (eta : R), let p := softmax z in let q := softmax (step z d eta) in
     entropy_change z d eta <= - (\sum_y (q y - p y) * ln (p y)))
  /\ (forall (T : finType) (p q : T -> R), policy p -> policy q -> let v := (\sum_y Rabs (q y - p y)) / 2 in
     Rabs (entropy q - entropy p) <= v * ln (INR #|T| - 1) + entropy (bernoulli v)) :=
  @QAE.CrossEntropy.cross_entropy_upper.

Definition pin_third_order :
  forall (T : finType) (z d : T -> R) (eta : R), (0 < #|T|)%N ->
  let p := softmax z in let tau := Rabs eta in let e := fun y => sign eta * d y in
  (forall t, let q u := softmax (step z d u) in let S u y := logp (q u) y - mean (q u) (logp (q u)) in
     let D u y := d y - mean (q u) d in
     is_derive (fun u => - var (q u) d - mean (q u) (fun y => S u y * D u y ^ 2)) t
       (- 2 * mean (q t) (fun y => D t y ^ 3) - mean (q t) (fun y => S t y * D t y ^ 3)
        + 3 * cov (q t) (logp (q t)) d * var (q t) d))
  /\ (forall t, 0 <= t <= tau -> Rabs (Derive_n (path_entropy z e) 3 t) <= third_bound p e tau)
  /\ Rabs (entropy_change z d eta - eta * first_order p d - eta ^ 2 / 2 * curvature z d)
     <= tau ^ 3 * third_bound p e tau / 6 :=
  @QAE.ThirdOrder.third_order.

Definition pin_neutrality :
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
      equivariant (fun (x : 'I_G -> R) j => - x j) /\ gain p (fun (x : 'I_G -> R) j => - x j) i = -1) :=
  @QAE.Neutrality.neutrality.

Definition pin_neutrality_queries :
  (let change G (A : estimator G) p := Derive (expected_change (logp (bernoulli p)) bit A) 0 in
      change 2%N (@grpo 2 Population 0) (1 / 5) + change 2%N (@grpo 2 Population 0) (3 / 4) < 0
      /\ 0 < change 2%N (@qae 2 Population 0 (2 / 5)) (1 / 5) + change 2%N (@qae 2 Population 0 (2 / 5)) (3 / 4))
  /\ (let change (A : estimator 16) p := Derive (expected_change (logp (bernoulli p)) bit A) 0 in
      Rabs (change (@grpo 16 Population 0) (1 / 10) + change (@grpo 16 Population 0) (63 / 100) + 141 / 10000)
        <= 1 / 20000
      /\ Rabs (change (@qae 16 Population 0 (2 / 5)) (1 / 10) + change (@qae 16 Population 0 (2 / 5)) (63 / 100)
          - 80 / 10000) <= 1 / 20000) :=
  @QAE.NeutralityQueriesDecimals.neutrality_queries.

Definition pin_neutrality_limit :
  (forall (p K : R), 0 < p < 1 -> 0 < K < 1 ->
      is_lim_seq (fun n => gain p (@qae n.+1 Population 0 K) ord0) (/ sqrt (p * (1 - p)))
      /\ is_lim_seq (fun n => gain p (@grpo n.+1 Population 0) ord0) (/ sqrt (p * (1 - p))))
  /\ (forall (G : nat) (p K : R) (i : 'I_G), 0 < p < 1 -> 0 < K < 1 ->
      Rabs (gain p (@qae G Population 0 K) i - / sqrt (p * (1 - p)))
        <= Rmax (/ (K * p)) (/ ((1 - K) * (1 - p))) / sqrt (INR G))
  /\ (forall (G : nat) (p : R) (i : 'I_G), 0 < p < 1 ->
      Rabs (gain p (@grpo G Population 0) i - / sqrt (p * (1 - p))) <= / (p * (1 - p)) / sqrt (INR G))
  /\ (forall (G : nat) (p K : R) (i : 'I_G), 0 < p < 1 -> p = 1 - K ->
      1 <= INR G * (p * (1 - p)) ->
      / (8 * (p * (1 - p)) * sqrt (INR G)) <= / sqrt (p * (1 - p)) - gain p (@qae G Population 0 K) i
      /\ / sqrt (p * (1 - p)) - gain p (@qae G Population 0 K) i <= / ((p * (1 - p)) * sqrt (INR G))) :=
  @QAE.NeutralityLimit.neutrality_limit.

Definition pin_neutrality_dip :
  (forall (G : nat) (p K : R) (i : 'I_G), 0 < K < 1 -> p = 1 - K ->
      (2 < G)%N \/ (1 < G)%N /\ K <> 1 / 2 ->
      gain p (@qae G Population 0 K) i < gain p (@grpo G Population 0) i)
  /\ (forall (i : 'I_2),
      gain (1 / 2) (@qae 2 Population 0 (1 / 2)) i = gain (1 / 2) (@grpo 2 Population 0) i)
  /\ (forall (G : nat) (K : R) (i : 'I_G), / INR G < K <= 1 - / INR G ->
      let ratio p := gain p (@qae G Population 0 K) i / gain p (@grpo G Population 0) i in
      filterlim ratio (at_right 0) (locally (INR G / (INR G - 1)))
      /\ filterlim ratio (at_left 1) (locally (INR G / (INR G - 1)))
      /\ (exists d, 0 < d /\ forall p, 0 < p < d -> 1 < ratio p)
      /\ (exists d, 0 < d /\ forall p, 1 - d < p < 1 -> 1 < ratio p))
  /\ (forall (G : nat) (K : R) (i : 'I_G), (1 < G)%N -> 0 < K < 1 ->
      let ratio p := gain p (@qae G Population 0 K) i / gain p (@grpo G Population 0) i in
      (1 - / INR G < K -> filterlim ratio (at_right 0) (locally 0)
        /\ exists d, 0 < d /\ forall p, 0 < p < d -> ratio p < 1)
      /\ (K <= / INR G -> filterlim ratio (at_left 1) (locally 0)
        /\ exists d, 0 < d /\ forall p, 1 - d < p < 1 -> ratio p < 1))
  /\ (forall (p K : R), 0 < p < 1 -> 0 < K < 1 -> p <> 1 - K ->
      exists N : nat, forall (G : nat) (i : 'I_G), (N <= G)%N ->
        gain p (@grpo G Population 0) i < gain p (@qae G Population 0 K) i)
  /\ (let ratio G p (i : 'I_G) := gain p (@qae G Population 0 (2 / 5)) i / gain p (@grpo G Population 0) i in
      (forall i : 'I_16, Rabs (ratio 16%N (2 / 100) i - 10614 / 10000) <= 1 / 20000)
      /\ (forall i : 'I_16, Rabs (ratio 16%N (6 / 10) i - 8444 / 10000) <= 1 / 20000)
      /\ (forall i : 'I_16, Rabs (ratio 16%N (95 / 100) i - 10553 / 10000) <= 1 / 20000)
      /\ (forall i : 'I_256, Rabs (ratio 256%N (6 / 10) i - 9528 / 10000) <= 1 / 20000)) :=
  @QAE.NeutralityDipDecimals.neutrality_dip.

Definition pin_unsampled_logits :
  (forall (T : finType) (p : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (a : 'I_G -> R)
        (y : T),
      (forall i, g i != y) -> sampled_group p g a y = - (\sum_i a i) / INR G * p y)
  /\ (forall (T : finType) (z : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (a : 'I_G -> R)
        (lo hi : R) (y : T), 0 < lo -> 0 < hi ->
      is_derive (fun t => group_mean (fun i =>
          surrogate lo hi (softmax (step z (fun x => bit (x == y)) t) (g i) / softmax z (g i)) (a i))) 0
        (sampled_group (softmax z) g a y))
  /\ (forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T}) (y : T)
        (k : divisor) (eps K eta : R),
      policy p -> binary r -> (forall i, g i != y) -> ~~ degenerate (rewards r g) ->
      0 <= eps -> 0 < K <= 1 -> 0 < eta ->
      let move (A : estimator G) := eta * sampled_group p g (A (rewards r g)) y in
      (hard K (rewards r g) -> move (@qae G k eps K) < 0)
      /\ (~~ hard K (rewards r g) -> 0 < move (@qae G k eps K))
      /\ move (@grpo G k eps) = 0 /\ move (@dr_grpo G) = 0 /\ move (@rloo G) = 0) :=
  @QAE.Unsampled.unsampled_logits.

Definition pin_second_order :
  forall (G : nat) (T : finType) (z r : T -> R) (A : estimator G) (i j : 'I_G),
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
        /\ beta = binomial_mean G.-2 V (fun m => a true m.+2 ^ 2 - 2 * (a true m.+1 * a false m.+1) + a false m ^ 2)) :=
  @QAE.SecondOrder.second_order.

Definition pin_paired_ordering_law :
  (forall (T : finType) (z r : T -> R) (G : nat) (g : {ffun 'I_G -> T})
        (k : divisor) (eps K : R), ~~ degenerate (rewards r g) ->
      let p := softmax z in
      let x := rewards r g in
      let S := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
      first_order p (sampled_group p g (qae k eps K x)) - first_order p (sampled_group p g (grpo k eps x)) =
        - ((group_mean x - quantile K x) / (std k x + eps)) * S
      /\ is_derive (fun eta => entropy_change z (sampled_group p g (qae k eps K x)) eta
                               - entropy_change z (sampled_group p g (grpo k eps x)) eta) 0
          (- ((group_mean x - quantile K x) / (std k x + eps)) * S))
  /\ (forall (T : finType) (p r : T -> R) (G : nat) (g : {ffun 'I_G -> T})
        (k : divisor) (eps K : R), policy p -> binary r -> ~~ degenerate (rewards r g) -> 0 <= eps -> 0 < K <= 1 ->
      let x := rewards r g in
      let S := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
      let change (A : estimator G) := first_order p (sampled_group p g (A x)) in
      (hard K x -> (change (@qae G k eps K) <= change (@grpo G k eps) <-> 0 <= S))
      /\ (~~ hard K x -> (change (@grpo G k eps) <= change (@qae G k eps K) <-> 0 <= S)))
  /\ (forall (T : finType) (p : T -> R) (G : nat), policy p -> (0 < G)%N ->
      expect p (fun g : {ffun 'I_G -> T} => \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p))) = 0)
  /\ (let p (y : 'I_3) := nth 0 [:: 1 / 2; 3 / 8; 1 / 8] y in
      let r (y : 'I_3) := bit (y == ord0) in
      let group (y : 'I_3) : {ffun 'I_2 -> 'I_3} := [ffun i => if i == ord0 then ord0 else y] in
      let second := Ordinal (isT : (1 < 3)%N) in
      let third := Ordinal (isT : (2 < 3)%N) in
      let S (g : {ffun 'I_2 -> 'I_3}) := \sum_y (frequency g y - p y) * (p y * (ln (p y) + entropy p)) in
      policy p
      /\ 0 < S (group second) /\ S (group third) < 0
      /\ (forall y, y = second \/ y = third ->
           hard (2 / 5) (rewards r (group y)) /\ ~~ hard (3 / 5) (rewards r (group y)))) :=
  @QAE.Pathwise.paired_ordering_law.

Definition pin_sign_share_law :
  (forall (T : finType) (r : T -> R) (G m : nat) (k : divisor) (eps : R), binary r ->
      let given p F := expect_given p (fun g : {ffun 'I_G -> T} => num_correct (rewards r g) == m) F in
      let whole (g : {ffun 'I_G -> T}) := grpo k eps (rewards r g) in
      let part (g : {ffun 'I_G -> T}) i := (1 - rewards r g i) * grpo k eps (rewards r g) i in
      (forall (P : R -> T -> R) (t : R), (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) ->
        0 < mean (P t) r < 1 ->
        let score y := Derive (fun u => ln (P u y)) t in
        given (P t) (fun g => group_step score g (part g)) =
        mean (P t) r * given (P t) (fun g => group_step score g (whole g)))
      /\ (forall (p : T -> R), policy p -> 0 < mean p r < 1 ->
        (forall y, given p (fun g => sampled_group p g (part g) y) =
                   mean p r * given p (fun g => sampled_group p g (whole g) y))
        /\ given p (fun g => first_order p (sampled_group p g (part g))) =
           mean p r * given p (fun g => first_order p (sampled_group p g (whole g)))))
  /\ (forall (T : finType) (p r s : T -> R) (G : nat) (A : estimator G) (Q : pred ('I_G -> R)),
      policy p -> binary r -> 0 < mean p r < 1 -> mean p s = 0 ->
      (forall x : 'I_G -> R, binary x -> \sum_i A x i = 0) ->
      expect_given p (fun g => Q (rewards r g))
        (fun g => group_step s g (fun i => (1 - rewards r g i) * A (rewards r g) i)) =
      mean p r * expect_given p (fun g => Q (rewards r g)) (fun g => group_step s g (A (rewards r g))))
  /\ (forall (G : nat) (k : divisor) (eps : R) (x : 'I_G -> R),
      \sum_i grpo k eps x i = 0 /\ \sum_i dr_grpo x i = 0 /\ ((1 < G)%N -> \sum_i rloo x i = 0))
  /\ (forall (G : nat) (x : 'I_G -> R) (k : divisor) (eps K : R) (i : 'I_G),
      0 < K <= 1 -> 0 <= eps -> binary x ->
      (hard K x -> (1 - x i) * qae k eps K x i = 0) /\ (~~ hard K x -> x i * qae k eps K x i = 0)) :=
  @QAE.Pathwise.sign_share_law.

Definition pin_clip_sides :
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
     (x i = 1 -> 1 + hi < v -> clip_high_binds lo hi v A) /\ (x i = 0 -> v < 1 - lo -> clip_low_binds lo hi v A)) :=
  @QAE.ClipSides.clip_sides.

Definition pin_correlated_verifier :
  (forall (T U : finType) (P : R -> T -> R) (t : R) (rho : U -> R) (c : U -> T -> R)
        (G : nat) (A : estimator G) (i : 'I_G),
      (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> law rho ->
      (forall u y, 0 <= c u y <= 1) -> equivariant A ->
      \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
        (fun a => Derive (fun v => ln (P v a.1)) t) =
      \sum_u rho u * (gain (mean (P t) (c u)) A i * Derive (fun v => mean (P v) (c u)) t))
  /\ (forall (T U : finType) (P : R -> T -> R) (t : R) (rho : U -> R)
        (c : U -> T -> R) (G : nat) (K : R),
      (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> law rho ->
      (forall u y, 0 <= c u y <= 1) -> (1 < G)%N -> 0 < K <= 1 ->
      let update n (A : estimator n) := \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
        (fun a => Derive (fun v => ln (P v a.1)) t) in
      let gradient := Derive (fun v => \sum_u rho u * mean (P v) (c u)) t in
      update G (@rloo G) = gradient /\ update G (@psr G) = gradient /\ update G (@nsr G) = gradient
      /\ update G (@dr_grpo G) = (INR G - 1) / INR G * gradient /\ update G (@loo_quantile G K) = gradient
      /\ update 2%N (@grpo 2 Population 0) = gradient /\ update 3%N (@grpo 3 Population 0) = sqrt 2 * gradient)
  /\ (forall (G : nat) (A : estimator G) (i : 'I_G) (p q : R),
      equivariant A -> 0 < p -> p < q -> q < 1 -> gain p A i <> gain q A i ->
      let pi (y : 'I_3) := nth 0 [:: p; q - p; 1 - q] y in
      let r (u : bool) (y : 'I_3) := bit (y < (if u then 1 else 2))%N in
      policy pi /\ ~ exists w, forall y,
        / 2 * expect pi (fun g => sampled_group pi g (A (rewards (r true) g)) y)
        + / 2 * expect pi (fun g => sampled_group pi g (A (rewards (r false) g)) y)
        = w * (/ 2 * policy_gradient pi (r true) 0 y + / 2 * policy_gradient pi (r false) 0 y))
  /\ (forall (G : nat) (K : R) (i : 'I_G), (1 < G)%N -> 0 < K < 1 ->
      exists p q, 0 < p < q /\ q < 1 /\ gain p (@qae G Population 0 K) i <> gain q (@qae G Population 0 K) i)
  /\ (forall (G : nat) (i : 'I_G), (3 < G)%N ->
      exists p q, 0 < p < q /\ q < 1 /\ gain p (@grpo G Population 0) i <> gain q (@grpo G Population 0) i)
  /\ (let pi (y : 'I_3) := 1 / 3 in
      let r (u : bool) (y : 'I_3) := bit (y < (if u then 1 else 2))%N in
      let update (y : 'I_3) :=
        / 2 * expect pi (fun g => sampled_group pi g (@qae 2 Population 0 (2 / 5) (rewards (r true) g)) y)
        + / 2 * expect pi (fun g => sampled_group pi g (@qae 2 Population 0 (2 / 5) (rewards (r false) g)) y) in
      let gradient (y : 'I_3) := / 2 * policy_gradient pi (r true) 0 y + / 2 * policy_gradient pi (r false) 0 y in
      policy pi
      /\ (forall y : 'I_3, update y = nth 0 [:: 5 / 27; -1 / 27; -4 / 27] y)
      /\ (forall y : 'I_3, gradient y = nth 0 [:: 1 / 6; 0; -1 / 6] y)
      /\ ~ exists w, forall y, update y = w * gradient y)
  /\ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R),
      (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> mean (P t) r = 4 / 5 ->
      let score (flip : bool) y := if flip then 1 - r y else r y in
      \sum_(flip : bool) bernoulli (1 / 4) flip * expected_update (P t) (score flip) (@qae 2 Population 0 (2 / 5))
        (fun y => Derive (fun v => ln (P v y)) t) = - (1 / 10) * Derive (fun v => mean (P v) r) t
      /\ \sum_(flip : bool) bernoulli (1 / 4) flip * (if flip then -1 else 1) = 1 / 2
      /\ Derive (fun v => \sum_(flip : bool) bernoulli (1 / 4) flip * mean (P v) (score flip)) t =
         1 / 2 * Derive (fun v => mean (P v) r) t)
  /\ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R) (G : nat)
        (k : divisor) (eps q : R) (i : 'I_G),
      (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> 0 < mean (P t) r < 1 ->
      \sum_(flip : bool) bernoulli q flip * expected_update (P t) (fun y => if flip then 1 - r y else r y)
        (@grpo G k eps) (fun y => Derive (fun v => ln (P v y)) t) =
      (1 - 2 * q) * gain (mean (P t) r) (@grpo G k eps) i * Derive (fun v => mean (P v) r) t) :=
  @QAE.Verifier.correlated_verifier.

Definition pin_correlated_verifier_if :
  forall (T U : finType) (P : R -> T -> R) (t : R) (r : T -> R)
    (rho right wrong : U -> R) (G : nat) (A : estimator G) (i : 'I_G),
  (forall v, policy (P v)) -> (forall y, ex_derive (fun v => P v y) t) -> binary r -> law rho ->
  (forall u, 0 <= right u <= 1) -> (forall u, 0 <= wrong u <= 1) -> equivariant A ->
  let p := mean (P t) r in
  let c u y := if Reqb (r y) 1 then right u else wrong u in
  \sum_u rho u * expected_update (judged (P t) (c u)) (fun a => bit a.2) A
    (fun a => Derive (fun v => ln (P v a.1)) t) =
  (\sum_u rho u * ((right u - wrong u) * gain (wrong u + (right u - wrong u) * p) A i))
  * Derive (fun v => mean (P v) r) t :=
  @QAE.Verifier.correlated_verifier_if.

Definition pin_effective_objective :
  forall (Q : finType) (T : Q -> finType) (omega : Q -> R) (P : forall q, R -> T q -> R)
    (t : R) (r : forall q, T q -> R) (K : R),
  0 < K < 1 -> (forall q u, policy (P q u)) -> (forall q y, ex_derive (fun u => P q u y) t) ->
  (forall q, binary (r q)) -> (forall q, 0 < mean (P q t) (r q) < 1) ->
  let update (A : forall G, estimator G) (n : nat) := \sum_q omega q *
    expected_update (P q t) (r q) (A n.+1) (fun y => Derive (fun u => ln (P q u y)) t) in
  let objective (u : R) := \sum_q omega q * (2 * asin (sqrt (mean (P q u) (r q)))) in
  ex_derive objective t
  /\ is_lim_seq (update (fun G => @qae G Population 0 K)) (Derive objective t)
  /\ is_lim_seq (update (fun G => @grpo G Population 0)) (Derive objective t) :=
  @QAE.EffectiveObjective.effective_objective.

Definition pin_loo_quantile :
  forall (G : nat) (K : R), (1 < G)%N -> 0 < K <= 1 ->
  equivariant (@loo_quantile G K)
  /\ (forall (p : R) (i : 'I_G), 0 < p < 1 -> gain p (@loo_quantile G K) i = 1)
  /\ (forall (T : finType) (P : R -> T -> R) (t : R) (r : T -> R),
       (forall u, policy (P u)) -> (forall y, ex_derive (fun u => P u y) t) -> binary r ->
       expected_update (P t) r (@loo_quantile G K) (fun y => Derive (fun u => ln (P u y)) t) =
       Derive (fun u => mean (P u) r) t) :=
  @QAE.Baselines.loo_quantile.

Definition pin_mc_grpo :
  forall (G : nat) (x : 'I_G -> R), odd G -> binary x ->
  mad x = 0 /\ median x = gate (1 / 2) (success_rate x)
  /\ (forall (eps : R) i, Definitions.mc_grpo eps x i = (x i - gate (1 / 2) (success_rate x)) / eps)
  /\ (forall (k : divisor) (e eps : R) i, 0 <= e -> 0 < eps -> ~~ degenerate x ->
        Definitions.mc_grpo eps x i = (std k x + e) / eps * qae k e (1 / 2) x i)
  /\ (forall (k : divisor) (e eps : R) i, degenerate x ->
        Definitions.mc_grpo eps x i = 0 /\ qae k e (1 / 2) x i = 0) :=
  @QAE.MedianGate.mc_grpo.

Definition pin_ebpo :
  (forall (G : nat) (p S mu : R) (i : 'I_G), 0 < p < 1 -> 0 < S ->
    gain p (@ebpo G S mu) i = 1 - (1 - S) / INR G
    /\ gain p (@dr_grpo G) i = (INR G - 1) / INR G
    /\ gain p (@dr_grpo G) i < gain p (@ebpo G S mu) i)
  /\ (forall (T U : finType) (z r : T -> R) (G : nat) (S : R) (q mu : U -> R),
    binary r -> 0 < mean (softmax z) r < 1 -> (1 < G)%N -> 0 < S -> law q ->
    Derive (expected_change z r (@dr_grpo G)) 0 < 0 ->
    Derive (fun eta => mean q (fun u => expected_change z r (@ebpo G S (mu u)) eta)) 0
      < Derive (expected_change z r (@dr_grpo G)) 0)
  /\ (forall (G : nat), (1 < G)%N -> Derive (expected_change (logp (bernoulli (9 / 10))) bit (@dr_grpo G)) 0 < 0) :=
  @QAE.Baselines.ebpo.

Definition pin_sequence_chain_rule :
  (forall (T : finType) (stop : pred (seq T)) (pad : T) (z d : seq T -> T -> R) (s : seq T) (k : nat) (t : R),
     let q u := token_policy stop pad (fun c => step (z c) (d c) u) in
     let over (f : nat -> seq T -> R) :=
       \sum_(j < k) \sum_(y : j.-tuple T) continuation (q t) s y * f (k - j.+1)%N (s ++ y) in
     let frozen := over (fun _ c => first_order (q t c) (d c)) in
     let visiting := over (fun m c => cov (q t c) (d c) (fun a => future_entropy (q t) (rcons c a) m)) in
     future_entropy (q t) s k = over (fun _ c => entropy (q t c))
     /\ is_derive (fun u => future_entropy (q u) s k) t (frozen + visiting)
     /\ is_derive (fun u => over (fun _ c => entropy (q u c))) t frozen)
  /\ (let q u := token_policy (pred1 [:: true]) false
                   (fun c => step (fun _ => 0) (fun a => if c is [::] then bit a else 0) u) in
      let over (f : seq bool -> R) := \sum_(j < 2) \sum_(y : j.-tuple bool) continuation (q 0) [::] y * f y in
      (forall a, q 0 [::] a = 1 / 2)
      /\ future_entropy (q 0) [:: false] 1 = ln 2 /\ future_entropy (q 0) [:: true] 1 = 0
      /\ is_derive (fun u => over (fun c => entropy (q u c))) 0 0
      /\ is_derive (fun u => future_entropy (q u) [::] 2) 0 (- (ln 2 / 4))) :=
  @QAE.SequenceChain.sequence_chain_rule.
