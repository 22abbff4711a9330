"""Tell the ledger whether token statistics are those of exact arithmetic, from logits and from hidden states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from llm_validation.probe.token_stats import RELATIVE_ERROR
from qae_theory.arrays import Array
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.proofs.contract.agreement.comparison import Cell, Within, agreement, around, planted
from qae_theory.proofs.contract.agreement.plan import policies
from qae_theory.proofs.contract.agreement.references import missing, reference

VOCABULARIES = (4097, 1, 2, 3, 16, 17, 50, 127, 128, 129, 401, 1024, 1025, 2049, 4096)
BATCHES: tuple[tuple[int, ...], ...] = ((5,), (), (2, 3), (0,), (1, 2, 2), (7,))
TEMPERATURES = (1.0, 0.5, 2.0, 0.1, 1e-2, 30.0)
TYPES = ("float64", "float32", "float16", "bfloat16")
BEYOND = 1000
SEED = 15


def register(ledger: Ledger) -> None:
    """Add both ways to compute the statistics."""
    for name, function in (("logits", from_logits), ("hidden-states", from_hidden)):
        step = Step(
            says=f"The five statistics of each token, computed from {name.replace('-', ' ')}, lie within the stated "
            "errors of the exact ones.",
            check=partial(_agrees, function),
            planted=f"statistics that are 1e-6 too large, relatively, for vocabularies of more than {BEYOND}",
            control=partial(_agrees, planted(function, beyond=BEYOND)),
            tie=True,
        )
        ledger.add(
            Evidence(
                "shipped-agrees-token_stats",
                name,
                Kind.CERTIFICATE,
                Role.FOR,
                (step,),
                requires=("torch",),
                missing=missing,
            )
        )


def from_logits(logits: Array, tokens: Array, temperature: float, type_name: str) -> tuple[Array, ...]:
    """Return ``token_stats`` of an array of logits in a type that holds them."""
    import torch

    from llm_validation.probe.token_stats import token_stats

    given = torch.tensor(logits).to(getattr(torch, type_name))
    chunk = None if logits.size % 2 else 3
    return _arrays(token_stats(given, torch.tensor(tokens), temperature=temperature, chunk=chunk))


def from_hidden(logits: Array, tokens: Array, temperature: float, type_name: str) -> tuple[Array, ...]:
    """Return ``token_stats_from_hidden`` where each row's hidden state picks that row's logits out of the weights."""
    import torch

    from llm_validation.probe.token_stats import token_stats_from_hidden

    dtype = getattr(torch, type_name)
    rows = logits.reshape(-1, logits.shape[-1])
    weight = torch.tensor(rows.T.copy()).to(dtype) if len(rows) else torch.zeros(logits.shape[-1], 1, dtype=dtype)
    width = max(len(rows), 1)
    hidden = torch.eye(width, dtype=dtype)[: len(rows)].reshape(*logits.shape[:-1], width)
    return _arrays(token_stats_from_hidden(hidden, weight, torch.tensor(tokens), temperature=temperature))


def _arrays(stats: Any) -> tuple[Array, ...]:
    """Return torch's tensors as arrays."""
    return tuple(stat.numpy() for stat in stats)


def _agrees(function: Callable[..., tuple[Array, ...]], effort: Effort) -> Finding:
    """Find whether a function agrees with the reference in every cell of the plan."""
    return agreement(function, _cells(effort.quick))


@cache
def _cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan."""
    cells = []
    for label, logits, tokens, temperature, type_name in _cases(75 if quick else 600):
        expect = partial(_expected, logits, tokens, temperature)
        cells.append(Cell(label, (logits, tokens, temperature, type_name), expect))
    return tuple(cells)


def _cases(count: int) -> Iterator[tuple[str, Array, Array, float, str]]:
    """Yield logits that their type holds, tokens likely and unlikely, and a temperature."""
    rng = np.random.default_rng(SEED)
    for number in range(count):
        vocabulary = VOCABULARIES[number % len(VOCABULARIES)]
        batch = BATCHES[(number + number // 15) % len(BATCHES)]
        kind = policies.KINDS[(number * 3) % len(policies.KINDS)]
        type_name = TYPES[(number // 2) % len(TYPES)]
        logits = policies.logits(kind, (*batch, vocabulary), rng)
        if kind == "large offset":
            logits = logits - 1e6 + 32
        logits = _held(logits, type_name)
        tokens = rng.integers(0, vocabulary, batch)
        if number % 3 == 0:
            tokens = np.asarray(logits.argmax(axis=-1))
        temperature = TEMPERATURES[(number // 3) % len(TEMPERATURES)]
        shape = ", ".join(map(str, logits.shape))
        yield f"{kind} {type_name} logits [{shape}], T = {temperature}", logits, tokens, temperature, type_name


def _held(logits: Array, type_name: str) -> Array:
    """Return logits rounded to what a type of torch's holds, in float64."""
    if type_name == "bfloat16":
        bits = logits.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)  # its upper half
        return bits.view(np.float32).astype(np.float64)
    return logits.astype(type_name).astype(np.float64)


def _expected(logits: Array, tokens: Array, temperature: float) -> tuple[Within, ...]:
    """Return the limits of each statistic, by the errors that the module states."""
    nearest, rows = reference("numbers").nearest, logits.reshape(-1, logits.shape[-1])
    middle, room = [], []
    for row, token in zip(rows.tolist(), np.ravel(tokens).tolist(), strict=True):
        log_prob, entropy, covariance, collision, push = (
            nearest(x) for x in reference("tokens").statistics(row, token, temperature)
        )
        of_covariance = entropy * collision
        of_push = of_covariance + float(np.exp(max(log_prob, -745.0))) * (abs(log_prob) + entropy)
        middle.append((log_prob, entropy, covariance, collision, push))
        room.append((abs(log_prob), entropy, of_covariance, collision, of_push))
    values, sizes = (np.array(x, dtype=np.float64).reshape(-1, 5).T for x in (middle, room))
    # The two small numbers are the reference's own rounding, and what its digits cannot tell from 0.
    parts = zip(values, RELATIVE_ERROR * sizes + 1e-15 * np.abs(values) + 1e-90, strict=True)
    shape = logits.shape[:-1]
    return tuple(around(value.reshape(shape), size.reshape(shape)) for value, size in parts)
