"""High-entropy tokens at three steps, of Figures 3 and 8, from the texts that the study's training runs keep.

No run keeps the entropy at each token. Where several samples of a group share a context, the tokens that follow it are
draws from one distribution, and their frequencies give its entropy, too small for so few. Dumps of a cluster run are
not kept by ``qae cluster collect``, so the paper's own snapshots cannot be drawn.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
HIGH = 0.2  # of the tokens, those with the largest entropies, are called high-entropy tokens here
PLACES = ("first", "middle", "last")

Seen = tuple[str, float]  # a token and the estimated entropy of its context, in nats


class Shares(NamedTuple):
    """Tokens, and for each seed its share among high-entropy tokens and among all, ``[S, tokens]``."""

    tokens: Sequence[str]
    high: Array
    every: Array


def snapshots(figure: str, estimator: str) -> Sequence[tuple[str, Builder]]:
    """Panels of the first, the middle and the last step, in the place of a figure of the paper.

    Args:
        figure: its number.
        estimator: ``grpo``, or ``qae`` at the K nearest to the paper's.
    """
    return tuple((f"{place} step", _snapshot(figure, estimator, number)) for number, place in enumerate(PLACES))


def seen_tokens(samples: Iterable[tuple[Any, str]]) -> list[Seen]:
    """Every token that follows a context which another sample of its group shares.

    Args:
        samples: group and text of each; a token is a character, or the end.
    """
    following: dict[tuple[Any, str], list[str]] = defaultdict(list)
    for group, text in samples:
        for place, token in enumerate([*text, END]):
            following[group, text[:place]].append(token)
    return [(token, plug_in_entropy(tokens)) for tokens in following.values() if len(tokens) > 1 for token in tokens]


def plug_in_entropy(tokens: Sequence[str]) -> float:
    """Entropy of the frequencies, in nats; below the true one in expectation.

    >>> round(plug_in_entropy("aabb"), 6), plug_in_entropy("aaaa")
    (0.693147, 0.0)
    """
    counts = Counter(tokens).values()
    return -sum(n / len(tokens) * log(n / len(tokens)) for n in counts) + 0.0


def shares(by_seed: Sequence[Sequence[Seen]]) -> Shares:
    """Shares of each token, in the order of their codes, the end last; one threshold for all seeds."""
    threshold = float(np.quantile([entropy for seen in by_seed for _, entropy in seen], 1 - HIGH))
    tokens = sorted({token for seen in by_seed for token, _ in seen}, key=lambda token: (token == END, token))
    high = [[token for token, entropy in seen if entropy >= threshold > 0] for seen in by_seed]
    every = [[token for token, _ in seen] for seen in by_seed]
    return Shares(tokens, *(np.array([_frequencies(of, tokens) for of in listed]) for listed in (high, every)))


def _snapshot(figure: str, estimator: str, place: int) -> Builder:
    def build(results: Results) -> Panel:
        run, trained, rule = _trained(results, estimator)
        steps = sorted({line["step"] for line in trained[0].records})
        step = (steps[0], steps[(len(steps) - 1) // 2], steps[-1])[place]
        found = shares([seen_tokens(_samples(of, step)) for of in trained])
        interval = f" with its {LEVEL:.0%} interval over {len(trained)} seeds" if len(trained) > 1 else ""
        leading = sorted(zip(found.high.mean(axis=0), found.tokens, strict=True), reverse=True)[:3]
        shown = f" The paper shows: {paper_facts()['figures'][figure]}." if place == len(PLACES) - 1 else ""
        return Panel(
            f"step {step}, {study.SUBJECT}",
            f"Step {step} under {rule}: among the {HIGH:.0%} of tokens with the largest estimated entropy (bars: mean"
            f"{interval}) most are {', '.join(f'{token!r} ({share:.2f})' for share, token in leading)}.{shown}",
            lambda axes: _draw(axes, found),
            sources=(run, *trained),
            stand_in=f"{study.stand_in(run)}, {rule}; entropy of a context estimated from the samples that share it",
        )

    return build


def _trained(results: Results, estimator: str) -> tuple[Run, list[Run], str]:
    run = results.run("validate", command=study.COMMAND)
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
    try:
        text = (run.folder / "rollouts.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError):
        raise MissingError(f"rollouts.jsonl of {run.named} cannot be read; {AGAIN}") from None


def _samples(run: Run, step: int) -> list[tuple[int, str]]:
    lines = [line for line in _rollouts(run) if line["step"] == step]
    if any(line["tokens"] < len(line["completion"]) for line in lines):
        raise MissingError(f"the tokens of {run.named} are not single characters")
    return [(line["group"], line["completion"]) for line in lines]


def _frequencies(found: Sequence[str], tokens: Sequence[str]) -> list[float]:
    counts: Mapping[str, int] = Counter(found)
    return [counts.get(token, 0) / max(len(found), 1) for token in tokens]


def _draw(axes: Any, found: Shares) -> None:
    places = np.arange(len(found.tokens))
    mean = found.high.mean(axis=0)
    axes.bar(places, mean, width=0.7, color="C0", alpha=0.7, label=f"among the {HIGH:.0%} of highest entropy")
    if len(found.high) > 1:
        each = [mean_interval(column, level=LEVEL) for column in found.high.T]
        low, high = (np.array([getattr(one, end) for one in each]) for end in ("low", "high"))
        axes.errorbar(places, mean, yerr=np.stack([mean - low, high - mean]), fmt="none", ecolor="0.2", linewidth=0.8)
    axes.plot(places, found.every.mean(axis=0), color="C1", marker="D", linestyle="", label="among all")
    axes.set_xticks(places, found.tokens)
    axes.set(xlabel="token", ylabel="share of tokens", ylim=(0, None))
    axes.grid(visible=False, axis="x")
    legend_above(axes)
