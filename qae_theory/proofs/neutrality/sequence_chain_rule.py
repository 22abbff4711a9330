"""Prove claim ``sequence-chain-rule``: sequence entropy moves with its contexts and with how often they are visited.

dH = sum_c P(c) dH(c) + sum_c P(c) Cov(d, F), with F the entropy still to come after each token. The shipped functions
run on one context with any number of tokens; the induction over contexts is SymPy's. Small trees replay it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, X, Y
from qae_theory.proofs.tools import token_tree as trees
from qae_theory.proofs.tools.checking import all_zero, both, with_witness, zero
from qae_theory.proofs.tools.rational_policies import log_form
from qae_theory.proofs.tools.token_tree import Context, context
from qae_theory.softmax import covariance, entropy


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*_proof(), *_replays())
    ledger.add(Evidence("sequence-chain-rule", "context-by-context", Kind.PROOF, Role.FOR, steps))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"A response that starts with token $a$ and goes on with $q$ has the probability $\pi_aq$, and "
            r"$-\pi_aq\log(\pi_aq) = -\pi_aq\log\pi_a - \pi_aq\log q$. Summed over the continuations, whose $q$ sum "
            r"to 1, and over $a$: the entropy from a context on is $T = H(\pi) + \sum_a\pi_aF_a$, with $F_a$ the "
            r"entropy still to come after $a$ (0 at the end).",
            check=partial(_chain_of_entropies, own=1),
            planted="twice the entropy to come",
            control=partial(_chain_of_entropies, own=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So for one context with any number of tokens (shipped `entropy`, rule of claim `identity`): $T' = "
            r"H' + E[F'] + \mathrm{Cov}_\pi(d, F)$ with $H'$ the shipped `first_order_entropy_change`, contexts "
            r"after it moving by $F'$.",
            check=partial(_one_context, centred=True),
            planted="E[d F] for the covariance",
            control=partial(_one_context, centred=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"By induction from the end of the responses: if $F_a'$ is the sum of $P_a(c)\,x_c$ over the "
            r"contexts $c$ after $a$, $x_c$ the change of $c$'s entropy plus its covariance, then $\pi_aP_a(c) = "
            r"P(c)$ makes $T'$ the sum of $P(c)\,x_c$ over all contexts: $\sum_cP(c)\,dH(c)$, contexts frozen, plus "
            r"the covariances of the direction with the entropy to come.",
            check=partial(_weights_multiply, power=1),
            planted="pi_a^2 P_a(c)",
            control=partial(_weights_multiply, power=2),
            generality=Generality.GENERAL,
        ),
    )


def _replays() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The second term can decide. A uniform root over two tokens, after the first a uniform choice of "
            r"two (entropy $\log 2$), after the second nothing left to choose (entropy 0), and a push of the root to "
            r"the right: frozen contexts say 0, the truth is $-(\log 2)/4$.",
            check=partial(_visits_decide, push="0 1"),
            planted="a push of both tokens",
            control=partial(_visits_decide, push="1 1"),
            generality=Generality.GENERAL,
        ),
        Step(
            says="Tie: on exact trees of two and three levels with unequal branches, SymPy's derivative of the "
            "shipped entropy of whole responses is the sum of both terms.",
            check=partial(_replayed, visits=1),
            planted="frozen contexts only",
            control=partial(_replayed, visits=0),
            tie=True,
        ),
    )


def _chain_of_entropies(*, own: int) -> Finding:
    """Find whether the term -pi q log(pi q) splits into the context's own entropy and the entropy to come."""
    prob, rest = sympy.symbols("pi_a q", positive=True)
    term = -prob * rest * sympy.log(prob * rest)
    split = -prob * rest * sympy.log(prob) - own * prob * rest * sympy.log(rest)
    return zero(sympy.expand_log(term - split), sympy.expand)


def _one_context(*, centred: bool) -> Finding:
    """Find whether the entropy from a context on moves by H' + E F' + Cov(d, F)."""
    # x stands for F and y for its own motion F'.
    first = for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(DIRECTION)))
    own = moments.along_step(for_any_policy(lambda arms: entropy(arms.logits())))
    # The entropy to come moves by itself, and because its token is chosen more or less often.
    visited = moments.mean(Y) + moments.along_step(moments.mean(X))
    shipped = for_any_policy(lambda arms: covariance(arms.probs(), arms.entries(DIRECTION), arms.entries(X)))
    visits: Any = shipped if centred else moments.mean(DIRECTION * X)
    return zero(own + visited - (first + moments.mean(Y) + visits), sympy.expand)


def _weights_multiply(*, power: int) -> Finding:
    """Check the induction step: a context's weight is its token's probability times its weight after that token."""
    first, later, own, total = sympy.symbols("pi_a P_a x_c total", real=True)
    # One context more on either side: P(c) is the product of its tokens' probabilities.
    return zero(total + first**power * (later * own) - (total + (first * later) * own), sympy.expand)


def _visits_decide(*, push: str) -> Finding:
    """Find whether frozen contexts give 0 and the truth is -(log 2)/4 for the tree of the step; show both."""
    # Weights 1 and 1 are two tokens of probability 1/2; one weight is no choice.
    tree = context("1 1", push, context("1 1", "0 0"), context("1", "0"))
    truth = _derivative(tree)
    quarter = -sympy.log(2) / 4
    decides = all_zero([truth - quarter, trees.frozen_change(tree), trees.visit_change(tree) - quarter], log_form)
    shown = {
        "root": f"two tokens, probabilities 1/2, direction ({', '.join(push.split())})",
        "after the first token": "two tokens, probabilities 1/2",
        "after the second token": "one token",
        "frozen contexts": str(trees.frozen_change(tree)),
        "truth": str(log_form(truth)),
    }
    return with_witness(decides, shown)


def _derivative(tree: Context) -> Any:
    """Return the derivative at 0 of the entropy of whole responses."""
    step = sympy.Symbol("t", real=True)
    return sympy.diff(trees.sequence_entropy(tree.moved(step)), step).subs(step, 0)


def _replayed(effort: Effort, *, visits: int) -> Finding:
    """Find whether SymPy's derivative of whole responses' entropy is the sum of both terms."""
    # Unequal weights and directions, and branches of unequal depth, so that nothing cancels by symmetry.
    two_levels = context("1 2 1", "1 -1 1/2", context("1 3", "1/2 0"), None, context("1 1", "0 1"))
    three_levels = context("2 1", "1 0", context("1 1", "0 1", context("1 2", "1 -1"), None), None)
    findings = []
    for tree in (two_levels, three_levels)[: effort.pick(2, 1)]:
        claimed = trees.frozen_change(tree) + visits * trees.visit_change(tree)
        findings.append(zero(_derivative(tree) - claimed, log_form))
    return both(*findings)
