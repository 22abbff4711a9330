"""Refute claim ``less-prefix``, that LESS leaves prefixes shared by right and wrong responses alone, and rescue it.

A prefix of fewer than five tokens, or one whose run goes on, keeps the weights 1/n+ and 1/n-, under which the pushes of
the two outcomes no longer cancel as they do under GRPO. A prefix that is a whole run of five or more tokens of low
entropy gets the weight 0 (``-if``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.tools.checking import all_zero, both, for_all, rational, valid, with_witness
from qae_theory.proofs.tools.enumeration import exact
from qae_theory.proofs.tools.groups import number

SHORTEST_RUN = 5


class Response(NamedTuple):
    """Hold one response: its tokens, whether the entropy at each is low, and its outcome."""

    tokens: tuple[str, ...]
    low: tuple[bool, ...]
    right: bool


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    rescued = "less-prefix-if"
    ledger.add(Evidence("less-prefix", "short-prefix", Kind.WITNESS, Role.AGAINST, (_short(), _longer())))
    ledger.add(Evidence(rescued, "weight-zero", Kind.PROOF, Role.UNDER, (*_whole_run(), _replayed())))
    ledger.add(Evidence(rescued, "short-prefix", Kind.WITNESS, Role.WITHOUT, (_short(),)))


def _short() -> Step:
    return Step(
        says=r"One right and two wrong responses share a prefix of four tokens of low entropy. LESS weighs them $1$, "
        r"$\frac12$, $\frac12$ there, so with the shipped GRPO advantages (token sum, $\varepsilon = 0$) the shared "
        r"tokens are pushed by $\sum_iA_iw_i = \frac1{\sqrt2} \ne 0$. GRPO alone has $\sum_iA_i = 0$ there.",
        check=partial(_pushed, shared=4, tail=0),
        planted="a prefix of five tokens",
        control=partial(_pushed, shared=5, tail=0),
        generality=Generality.GENERAL,
    )


def _longer() -> Step:
    return Step(
        says=r"The same with a shared prefix of six tokens after which each response goes on with tokens of low "
        r"entropy of its own: no run recurs, so the prefix is pushed just as much.",
        check=partial(_pushed, shared=6, tail=1),
        planted="tokens of high entropy after the prefix",
        control=partial(_pushed, shared=6, tail=0),
        generality=Generality.GENERAL,
    )


def _whole_run() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The rule for a run: weight 0 if responses of both outcomes have it, else $\max(w, c/n_\pm)$. "
            r"Under the assumption both outcomes have it, whatever $w$, $c$ and $n_\pm$ are: the weight of its "
            r"tokens is 0.",
            check=partial(_rule_gives_zero, both_outcomes=True),
            planted="one outcome has it",
            control=partial(_rule_gives_zero, both_outcomes=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So one more response that visits the shared contexts adds $A_i\cdot0\cdot(e_y-\pi)$ to their "
            r"logits' push, which was 0: by induction they are not pushed at all, for any number of responses and "
            r"any advantages.",
            check=partial(_adds_nothing, weight=0),
            planted="weight 1",
            control=partial(_adds_nothing, weight=1),
            generality=Generality.GENERAL,
        ),
    )


def _replayed() -> Step:
    return Step(
        says=r"Tie: the rule written out token by token, on every assignment of outcomes with both kinds to up to four "
        r"responses with such a prefix of five to seven tokens, followed by a token of high entropy: no push.",
        check=partial(_every_group, shortest=SHORTEST_RUN),
        planted="prefixes from four tokens on",
        control=partial(_every_group, shortest=SHORTEST_RUN - 1),
        tie=True,
    )


def runs(response: Response) -> list[tuple[int, int]]:
    """Return the start and end of each maximal run of at least five tokens of low entropy."""
    found, start = [], 0
    for t in range(len(response.tokens) + 1):
        if t == len(response.tokens) or not response.low[t]:
            if t - start >= SHORTEST_RUN:
                found.append((start, t))
            start = t + 1
    return found


def _places(run: tuple[str, ...], tokens: Sequence[str]) -> list[int]:
    """Return where a run occurs in a sequence of tokens, one after the other."""
    return [first for first in range(len(tokens) - len(run) + 1) if tuple(tokens[first : first + len(run)]) == run]


def _occurrences(response: Response, run: tuple[str, ...]) -> set[int]:
    """Return the tokens of the response that lie in an occurrence of a run within one of its own runs."""
    covered = set()
    for start, end in runs(response):
        for first in _places(run, response.tokens[start:end]):
            covered |= set(range(start + first, start + first + len(run)))
    return covered


def _recurring(group: Sequence[Response]) -> dict[tuple[str, ...], list[set[int]]]:
    """Return the runs that recur, with the tokens of each response that they cover; of nested ones the shortest."""
    covered = {}
    for response in group:
        for start, end in runs(response):
            run = response.tokens[start:end]
            tokens = [_occurrences(other, run) for other in group]
            # A run that no other response has does not recur.
            if sum(map(bool, tokens)) > 1:
                covered[run] = tokens
    shortest = {}
    for run, tokens in covered.items():
        if not any(other != run and _places(other, run) for other in covered):
            shortest[run] = tokens
    return shortest


def less_weights(group: Sequence[Response]) -> list[list[Fraction]]:
    """Return LESS's weight of every token of every response.

    A token of low entropy has 1 over the number of responses of its outcome. A run that recurs within a run of another
    response has, in every response that has it, 0 if both outcomes have it, and the share of its outcome's responses
    that have it otherwise, if that is larger. A 0 is final, and of runs within one another the shortest counts.

    Args:
        group: the responses of one question.

    Source: arXiv 2512.00908 (LESS), released code. Its token at the quantile itself, which ends a run and has the
    weight of low entropy, is left out here.
    """
    counts = {outcome: sum(r.right == outcome for r in group) for outcome in (True, False)}
    weights = [[Fraction(1, counts[r.right]) if low else Fraction(1) for low in r.low] for r in group]
    dropped: set[tuple[int, int]] = set()
    for covered in _recurring(group).values():
        holders = [response.right for response, tokens in zip(group, covered, strict=True) if tokens]
        for i, response in enumerate(group):
            share = Fraction(holders.count(response.right), counts[response.right])
            for t in covered[i]:
                weights[i][t] = max(weights[i][t], share)
                if len(set(holders)) == 2:
                    dropped.add((i, t))
    for i, t in dropped:
        weights[i][t] = Fraction(0)
    return weights


def _group(outcomes: Sequence[int], *, shared: int, tail: int) -> list[Response]:
    """Return responses that share a prefix of low entropy and then differ: ``tail`` low tokens, and a high one."""
    group = []
    for i, outcome in enumerate(outcomes):
        tokens = (*(f"s{t}" for t in range(shared)), *(f"own{i}" for _ in range(tail + 1)))
        low = (True,) * (shared + tail) + (False,)
        group.append(Response(tokens, low, bool(outcome)))
    return group


def _push(outcomes: Sequence[int], *, shared: int, tail: int) -> list[Any]:
    """Return the sum over responses of A times LESS's weight at each shared token."""
    weights = less_weights(_group(outcomes, shared=shared, tail=tail))
    a = advantages(exact(outcomes), "grpo", eps=0)
    pushes = []
    for t in range(shared):
        terms = [number(x) * rational(w[t]) for x, w in zip(a, weights, strict=True)]
        pushes.append(sympy.expand(sum(terms)))
    return pushes


def _pushed(*, shared: int, tail: int) -> Finding:
    """Find whether every shared token is pushed by 1/sqrt(2) under LESS, and by 0 under GRPO; show it."""
    outcomes = (1, 0, 0)
    pushes = _push(outcomes, shared=shared, tail=tail)
    plain = sympy.expand(sum(number(x) for x in advantages(exact(outcomes), "grpo", eps=0)))
    cases = [(f"token {t}: {push}", bool(push == 1 / sympy.sqrt(2))) for t, push in enumerate(pushes)]
    shown = {
        "outcomes": "right, wrong, wrong",
        "shared tokens of low entropy": str(shared),
        "push of each shared token under LESS": str(pushes[0]),
        "under GRPO": str(plain),
    }
    return with_witness(both(for_all(cases, "shared tokens"), all_zero([plain])), shown)


def _rule_gives_zero(*, both_outcomes: bool) -> Finding:
    """Find whether the rule's weight is 0 for every earlier weight, count and number of responses."""
    weight, holders, size, right, wrong = z3.Reals("w c n has_right has_wrong")
    share = holders / size
    kept = z3.If(weight >= share, weight, share)
    rule = z3.If(z3.And(right > 0, wrong > 0), z3.RealVal(0), kept)
    shared = wrong > 0 if both_outcomes else wrong == 0
    return valid(rule == 0, right > 0, shared, holders >= 1, size >= holders, weight >= 0)


def _adds_nothing(*, weight: int) -> Finding:
    """Check the induction step: a response with this weight leaves a push of 0 as it was."""
    before, advantage, indicator, prob = sympy.symbols("before A e pi", real=True)
    after = before + advantage * weight * (indicator - prob)
    return all_zero([(after - before).subs(before, 0)], sympy.expand)


def _every_group(effort: Effort, *, shortest: int) -> Finding:
    """Find whether no shared token is pushed, for every assignment of outcomes that has both."""

    def cases() -> Iterator[tuple[str, bool]]:
        for size, shared in product(range(2, effort.pick(5, 4)), range(shortest, 8)):
            for outcomes in product((0, 1), repeat=size):
                if 0 < sum(outcomes) < size:
                    pushes = _push(outcomes, shared=shared, tail=0)
                    yield f"outcomes {outcomes}, {shared} tokens", all(push == 0 for push in pushes)

    return for_all(cases(), "mixed groups")
