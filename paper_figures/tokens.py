"""Show high-entropy tokens at three steps, for Figures 3 and 8, from the texts that the study's training runs keep.

No run keeps the entropy at each token. Where several samples of a group share a context, the tokens that follow it are
draws from one distribution. Their frequencies estimate its entropy, too low because there are so few of them.
``qae cluster collect`` does not keep the dumps of a cluster run, so that the paper's own snapshots cannot be drawn.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import log
from typing import Any, NamedTuple

import numpy as np

from paper_figures import study
from paper_figures.curves import LEVEL, legend_above
from paper_figures.panels import Builder, Panel
from paper_figures.paper import default_k
from paper_figures.runs import Results, Run
from qae_theory.arrays import Array
from qae_theory.curves.statistics import mean_interval
from qae_theory.paper import paper_facts
from qae_theory.runs.stored import AGAIN, MissingError

END = "end"
HIGH = 0.2  # the share of tokens, those with the largest entropies, that are called high-entropy tokens here
STEPS = ("first", "middle", "last")

Seen = tuple[str, float]  # a token, and the estimated entropy of its context in nats


class Shares(NamedTuple):
    """Tokens, and for each seed their shares among high-entropy tokens and among all tokens, ``[S, tokens]``."""

    tokens: Sequence[str]
    high: Array
    every: Array


def snapshots(figure: str, estimator: str) -> Sequence[tuple[str, Builder]]:
    """Return the panels of the first, the middle and the last step, in the place of a figure of the paper.

    Args:
        figure: number of the paper's figure.
        estimator: ``grpo``, or ``qae`` at the K nearest to the paper's.
    """
    return tuple((f"{name} step", _snapshot(figure, estimator, number)) for number, name in enumerate(STEPS))


def seen_tokens(samples: Iterable[tuple[Any, str]]) -> list[Seen]:
    """Return every token that follows a context which another sample of its group shares, with the context's entropy.

    Args:
        samples: group and text of each; a token is a character, or the end.
    """
    following: dict[tuple[Any, str], list[str]] = defaultdict(list)
    for group, text in samples:
        for position, token in enumerate([*text, END]):
            following[group, text[:position]].append(token)
    seen = []
    for tokens in following.values():
        # One sample says nothing about how the next ones would have gone on.
        if len(tokens) > 1:
            entropy = plug_in_entropy(tokens)
            seen += [(token, entropy) for token in tokens]
    return seen


def plug_in_entropy(tokens: Sequence[str]) -> float:
    """Return the entropy of the frequencies in nats, which is below the true entropy in expectation.

    >>> round(plug_in_entropy("aabb"), 6), plug_in_entropy("aaaa")
    (0.693147, 0.0)
    """
    counts = Counter(tokens).values()
    # Of one token alone the sum is -0.0, and a caption would show its sign.
    return -sum(n / len(tokens) * log(n / len(tokens)) for n in counts) + 0.0


def shares(by_seed: Sequence[Sequence[Seen]]) -> Shares:
    """Return the shares of each token, in the order of their codes with the end last; all seeds have one threshold.

    Args:
        by_seed: the tokens seen at each seed.
    """
    every_token = list(chain.from_iterable(by_seed))
    threshold = float(np.quantile([entropy for _, entropy in every_token], 1 - HIGH))
    tokens = sorted({token for token, _ in every_token}, key=lambda token: (token == END, token))
    high, every = [], []
    for seen in by_seed:
        # Where most contexts leave no choice the threshold is 0, and then no token is one of high entropy.
        high.append(_frequencies([token for token, entropy in seen if entropy >= threshold > 0], tokens))
        every.append(_frequencies([token for token, _ in seen], tokens))
    return Shares(tokens=tokens, high=np.array(high), every=np.array(every))


def _snapshot(figure: str, estimator: str, number: int) -> Builder:
    """Return the panel of the first, the middle or the last step, as ``number`` says."""

    def build(results: Results) -> Panel:
        """Return the panel from the texts of the study's training runs."""
        run, trained, rule = _trained(results, estimator)
        steps = sorted({record["step"] for record in trained[0].records})
        step = (steps[0], steps[(len(steps) - 1) // 2], steps[-1])[number]
        of_step = shares([seen_tokens(_samples(training, step)) for training in trained])
        interval = f" with its {LEVEL:.0%} interval over {len(trained)} seeds" if len(trained) > 1 else ""
        leading = sorted(zip(of_step.high.mean(axis=0), of_step.tokens, strict=True), reverse=True)[:3]
        most = ", ".join(f"{token!r} ({share:.2f})" for share, token in leading)
        is_last = number == len(STEPS) - 1
        shown = f" The paper shows: {paper_facts()['figures'][figure]}." if is_last else ""
        return Panel(
            title=f"step {step}, {study.SMALL.name}",
            caption=f"Step {step} under {rule}: among the {HIGH:.0%} of tokens with the largest estimated entropy "
            f"(bars: mean{interval}) most are {most}.{shown}",
            draw=lambda axes: _draw(axes, of_step),
            sources=(run, *trained),
            stand_in=f"{study.stand_in(run)}, {rule}; entropy of a context estimated from the samples that share it",
        )

    return build


def _trained(results: Results, estimator: str) -> tuple[Run, list[Run], str]:
    """Return the study, its training runs under a rule, and the rule's name.

    Raises:
        MissingError: there is no study, or it has no run of the rule.
    """
    run = study.study_of(results)
    if estimator == "grpo":
        rule, where = "GRPO", study.grpo()
    else:
        levels = study.levels_there(run)
        if not levels:
            raise MissingError(f"{run.named} has no QAE: {study.COMMAND}")
        k = min(levels, key=lambda level: (abs(float(level) - float(default_k())), level))
        rule, where = f"QAE, K = {k}", study.at_k(k)
    return run, study.training_runs(results, run, where), rule


def _rollouts(run: Run) -> list[dict[str, Any]]:
    """Return the rollouts that a training run has kept.

    Raises:
        MissingError: they cannot be read.
    """
    try:
        text = (run.folder / "rollouts.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError):
        raise MissingError(f"rollouts.jsonl of {run.named} cannot be read; {AGAIN}") from None


def _samples(run: Run, step: int) -> list[tuple[int, str]]:
    """Return group and text of every rollout at a step.

    Raises:
        MissingError: the model's tokens are not single characters.
    """
    of_step = [rollout for rollout in _rollouts(run) if rollout["step"] == step]
    if any(rollout["tokens"] < len(rollout["completion"]) for rollout in of_step):
        raise MissingError(f"the tokens of {run.named} are not single characters")
    return [(rollout["group"], rollout["completion"]) for rollout in of_step]


def _frequencies(listed: Sequence[str], tokens: Sequence[str]) -> list[float]:
    """Return the share of each token in the list; 0 each where the list is empty."""
    counts: Mapping[str, int] = Counter(listed)
    return [counts.get(token, 0) / max(len(listed), 1) for token in tokens]


def _draw(axes: Any, of_step: Shares) -> None:
    """Draw the shares of tokens among those of high entropy as bars, and among all tokens as points."""
    positions = np.arange(len(of_step.tokens))
    mean = of_step.high.mean(axis=0)
    axes.bar(positions, mean, width=0.7, color="0.72", label=f"among the {HIGH:.0%} of highest entropy")
    if len(of_step.high) > 1:
        intervals = [mean_interval(of_token, level=LEVEL) for of_token in of_step.high.T]
        low = np.array([interval.low for interval in intervals])
        high = np.array([interval.high for interval in intervals])
        ends = np.stack([mean - low, high - mean])
        axes.errorbar(positions, mean, yerr=ends, fmt="none", ecolor="0.2", linewidth=0.8)
    axes.plot(positions, of_step.every.mean(axis=0), color="black", marker="D", linestyle="", label="among all")
    axes.set_xticks(positions, of_step.tokens)
    axes.set(xlabel="token", ylabel="share of tokens", ylim=(0, None))
    axes.grid(visible=False, axis="x")
    legend_above(axes)
