"""Refute claim ``prop41-token-normaliser``, that Prop. 4.1 holds with one mean over all tokens of a group.

Two responses of 1 and 2 tokens are the counterexample, with the shipped functions. For equal lengths (claim
``prop41-token-normaliser-if``) the mean over all tokens is the mean over responses of their token means (SymPy).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sympy

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.objective import clipped_surrogate, masked_objective
from qae_theory.proofs.objective.clipping import CLIPS
from qae_theory.proofs.objective.prop41_identity import proof_steps
from qae_theory.proofs.objective.prop41_identity_ties import token_means
from qae_theory.proofs.tools.checking import all_zero, for_all, with_witness
from qae_theory.proofs.tools.groups import exact


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    rescued = "prop41-token-normaliser-if"
    steps = (*proof_steps(), _equal_lengths_step(), _tie())
    ledger.add(Evidence("prop41-token-normaliser", "one-and-two-tokens", Kind.WITNESS, Role.AGAINST, (_witness(),)))
    ledger.add(Evidence(rescued, "equal-lengths", Kind.PROOF, Role.UNDER, steps))
    ledger.add(Evidence(rescued, "one-and-two-tokens", Kind.WITNESS, Role.WITHOUT, (_witness(),)))


def _witness() -> Step:
    return Step(
        says=r"Two responses of 1 and 2 tokens, all ratios 1, the first one correct, QAE at $K = 2/5$: one mean over "
        r"all three tokens is $2/3$, the masked form of the identity is 1 (shipped functions, exactly).",
        check=partial(_normaliser_breaks, lengths=(1, 2)),
        planted="equal lengths",
        control=partial(_normaliser_breaks, lengths=(2, 2)),
        generality=Generality.GENERAL,
    )


def _equal_lengths_step() -> Step:
    return Step(
        says=r"If every response has $L$ tokens there are $GL$ of them (one more response adds $L$), and a response "
        r"whose terms sum to $S$ adds $\frac{S}{GL} = \frac1G\cdot\frac SL$ to the mean over all tokens: the mean "
        r"over the responses of their token means, for which the identity was shown above.",
        check=partial(_same_mean, power=1),
        planted="S / L^2",
        control=partial(_same_mean, power=2),
        generality=Generality.GENERAL,
    )


def _tie() -> Step:
    return Step(
        says="Tie: the shipped terms of responses of two tokens each, averaged over all tokens, are the shipped "
        "masked form; of lengths 1, 3 and 2 they are not.",
        check=partial(token_means, lengths=(2, 2, 2), per_response=False),
        planted="lengths 1, 3 and 2",
        control=partial(token_means, lengths=(1, 3, 2), per_response=False),
        tie=True,
    )


def _normaliser_breaks(*, lengths: tuple[int, int]) -> Finding:
    """Find whether the mean over all tokens differs from the masked form for two responses of these lengths."""
    rewards, ratios = exact([1, 0]), exact([1, 1])
    terms = clipped_surrogate(ratios, advantages(rewards, "qae", k="0.4", eps=0), **CLIPS[0])
    # All tokens of a response have its advantage and ratio 1, so that its terms are equal.
    value: Any = (terms * exact(list(lengths))).sum() / sum(lengths)
    masked = masked_objective(ratios, rewards, "qae", k="0.4", **CLIPS[0])
    finding = for_all([(f"lengths {lengths}: {value} and {masked}", bool(value != masked))], "one group")
    shown = {"K": "2/5", "R": "(1, 0)", "token lengths": str(lengths), "ratios": "all 1"}
    return with_witness(finding, {**shown, "mean over all tokens": str(value), "masked form": str(masked)})


def _same_mean(*, power: int) -> Finding:
    """Find whether S/(G L) = (S/L)/G, and G responses of L tokens with one more have (G + 1) L."""
    size, length, total = sympy.symbols("G L S", positive=True)
    # Counting the tokens is the induction: one more response adds L.
    tokens = size * length + length - (size + 1) * length
    return all_zero([total / (size * length) - total / length**power / size, tokens])
