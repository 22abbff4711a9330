"""The classes of candidates that logged advantages cannot tell apart, for every registered rule. No test is here.

``python -m tests.llm_validation.audit.classes FILE`` writes the table of ``docs/audit.md`` into FILE (JSON): for every
registered estimator with every standard deviation and eps, as the loggers leave its advantages, whether the true rule
is in the class, and what else is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.audit.estimator.candidates import Candidate, Rows
from llm_validation.audit.estimator.identify import Identified, identify_rows
from llm_validation.audit.model.settings import AuditSettings
from qae_theory import advantages
from qae_theory.advantages import estimator_names

Array = np.ndarray[Any, np.dtype[Any]]

PRECISIONS = ("float64", "float32", "4 decimals", "bfloat16")
SIZES = (8, 16)
GROUPS = 160
UNDIVIDED = ("dr_grpo", "rloo", "psr", "nsr")
K = "0.6"


def rewards(size: int = 8, groups: int = GROUPS, seed: int = 0) -> Array:
    """Return rewards of 0 and 1 for groups of every difficulty, ``[groups, size]``."""
    rng = np.random.default_rng(seed)
    return (rng.random((groups, size)) < rng.beta(1, 1, (groups, 1))).astype(np.float64)


def logged_as(values: Array, precision: str) -> Array:
    """Return numbers as a logger leaves them."""
    if precision == "bfloat16":
        bits = np.asarray(values, dtype=np.float32).view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
        return rounded.view(np.float32).astype(np.float64)
    if precision == "4 decimals":
        return np.round(values, 4)
    return np.asarray(values, dtype=precision).astype(np.float64)


def rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every registered estimator with every standard deviation and eps that it can have."""
    for name in UNDIVIDED:
        yield name, {}
    for name in sorted(set(estimator_names()) - set(UNDIVIDED)):
        for std in ("population", "bessel"):
            for eps in (0.0, 1e-8, 1e-6, 1e-4):
                yield name, {"std": std, "eps": eps} | ({} if name == "grpo" else {"k": K})


def identified(reward: Array, logged: Array, correct: Array | None = None, **settings: Any) -> Identified:
    """Identify the rule of advantages, the groups standing four to a batch."""
    batch = reward.reshape(-1, 4 * reward.shape[1])
    std = np.repeat(batch.std(axis=1, ddof=1), 4)[:, None]
    known = AuditSettings.model_validate(settings)
    return identify_rows(Rows(reward, logged, reward if correct is None else correct, std), known)


def holds(members: Sequence[Candidate], name: str, options: dict[str, Any]) -> bool:
    """Return whether a class has this candidate."""
    return any(one.name == name and dict(one.options) == options for one in members)


def table() -> list[dict[str, Any]]:
    """Return a row for each rule and size of group, and in it a class for each precision."""
    rows = []
    for size in SIZES:
        reward = rewards(size)
        for name, options in rules():
            made = advantages(reward, name, **options)
            classes = {}
            for precision in PRECISIONS:
                members = identified(reward, logged_as(made, precision)).members
                classes[precision] = _class_record(members, name, options)
            rows.append({"estimator": name, "options": options, "size": size, "classes": classes})
    return rows


def _class_record(members: Sequence[Candidate], name: str, options: dict[str, Any]) -> dict[str, Any]:
    own = [one for one in members if one.name == name]
    return {
        "holds_truth": holds(members, name, options),
        "members": len(members),
        "estimators": sorted({one.name for one in members}),
        "eps": sorted({float(one.options["eps"]) for one in own if "eps" in one.options}),
        "std": sorted({str(one.options["std"]) for one in own if "std" in one.options}),
        "k": sorted({str(one.options["k"]) for one in own if "k" in one.options}),
    }


def main() -> None:
    """Write the table."""
    from qae_theory.runs.files import to_json, write_atomically

    write_atomically(Path(sys.argv[1]), to_json(table()))


if __name__ == "__main__":
    main()
