"""Tell the ledger whether the engine takes the step of theory: recorded, fused, and on the torch back end.

Each is run from the same uniform numbers as an exact reference. The plan covers sizes of policies and groups, every
estimator with its options, dynamic sampling, several seeds, queries and axes, and more than one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.proofs.contract.agreement.comparison import Cell, Within, agreement, around
from qae_theory.proofs.contract.agreement.plan.settings import setting_of
from qae_theory.proofs.contract.agreement.references import missing, reference

if TYPE_CHECKING:
    from simulators.environments import Environment
    from simulators.update import Update

CLAIM = "shipped-agrees-engine"
ARMS = (2, 3, 5, 16, 17, 64, 65, 257, 1025, 4097)
GROUPS = (2, 3, 8, 16, 17, 33, 64, 65, 257)
STEPS = (0.1, 1.0, 5.0, 1e-3)
TOLERANCE = 1e-12
SEED = 12


class Bandit(NamedTuple):
    """Hold a run of a few steps on many bandits.

    Attributes:
        logits: at the start, ``[S, ..., Q, n]``.
        arm_rewards: ``[S, ..., Q, n]``.
        uniforms: what draws the groups, ``[steps, S, ..., Q, G]``.
        method: name of the rule.
        options: of the rule.
        step_size: of each step.
        dynamic_sampling: whether groups of equal rewards are left out.
    """

    logits: Array
    arm_rewards: Array
    uniforms: Array
    method: str
    options: dict[str, Any]
    step_size: float
    dynamic_sampling: bool


class Drawn:
    """Stand for a generator: hand out one seed's given uniform numbers, ``[steps, ..., Q, G]``, in their order."""

    def __init__(self, uniforms: Array) -> None:
        """Start before the first number."""
        self._rest = iter(uniforms.ravel().tolist())

    def random(self, size: Any = None, out: Array | None = None) -> Array:
        """Return the next numbers, as ``numpy.random.Generator.random`` does."""
        target = np.empty(size) if out is None else out
        target[...] = np.reshape([next(self._rest) for _ in range(target.size)], target.shape)
        return target


def register(ledger: Ledger) -> None:
    """Add a piece of evidence for each way to take the step."""
    for name, run in (("recorded", recorded), ("fused", fused), ("torch", on_torch)):
        step = Step(
            says=f"The {name} engine takes the reference's steps from the same uniform numbers.",
            check=partial(_agrees, run),
            planted="a step size that is 1e-6 too large, relatively, for policies of more than 256 responses",
            control=partial(_agrees, partial(_too_far, run)),
            tie=True,
        )
        ledger.add(
            Evidence(
                claim=CLAIM,
                name=name,
                kind=Kind.CERTIFICATE,
                role=Role.FOR,
                steps=(step,),
                requires=("torch",) if name == "torch" else (),
                missing=missing,
            )
        )


def recorded(case: Bandit) -> Array:
    """Return the logits after the case's steps, each an update that is recorded."""
    from simulators.engine import initial_state, train

    env, update = _world(case)
    *_, last = train(initial_state(case.logits, env), env, update, len(case.uniforms), _generators(case))
    return np.asarray(last.after.logits[..., 0, :])


def fused(case: Bandit) -> Array:
    """Return the logits after the case's steps in the fused kernel, a few queries at a time."""
    from simulators.engine import initial_state
    from simulators.fused import advance

    env, update = _world(case)
    state = initial_state(case.logits, env)
    # Queries at a time are drawn one after another: of one step and seed, so that the order is that of the numbers.
    return np.asarray(advance(state, env, update, len(case.uniforms), _generators(case), batch=2).logits[..., 0, :])


def on_torch(case: Bandit) -> Array:
    """Return the logits after the case's steps on the torch back end."""
    from simulators.torch_backend import train_on_torch

    return train_on_torch(case.logits, case.arm_rewards, _world(case)[1], case.uniforms)


def _world(case: Bandit) -> tuple[Environment, Update]:
    """Return the environment of a case and its update."""
    from simulators.environments import bandit
    from simulators.update import Update

    update = Update(
        method=case.method,
        options=case.options,
        group_size=case.uniforms.shape[-1],
        step_size=case.step_size,
        dynamic_sampling=case.dynamic_sampling,
    )
    return bandit(case.arm_rewards), update


def _generators(case: Bandit) -> Any:
    """Return what stands for a generator for each seed."""
    return [Drawn(case.uniforms[:, seed]) for seed in range(case.logits.shape[0])]


def _too_far(run: Callable[[Bandit], Array], case: Bandit) -> Array:
    """Return what a run gives with the planted fault: a step that is a millionth too long, for large policies."""
    large = case.logits.shape[-1] > 256
    return run(case._replace(step_size=case.step_size * (1 + 1e-6)) if large else case)


def _agrees(run: Callable[[Bandit], Array], effort: Effort) -> Finding:
    """Find whether a way to take the step agrees with the reference in every cell of the plan."""
    return agreement(run, _cells(effort.quick))


@cache
def _cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan; the reference of a case is shared by the three engines."""
    return tuple(Cell(label, (case,), partial(_expected, case)) for label, case in _cases(40 if quick else 250))


def _cases(count: int) -> Iterator[tuple[str, Bandit]]:
    """Yield labelled runs: sizes, batches, settings and step sizes in turn."""
    rng = np.random.default_rng(SEED)
    for number in range(count):
        arms, group = ARMS[-1 - number % len(ARMS)], GROUPS[(number * 2 + number // 9) % len(GROUPS)]
        batch = ((2, 3), (1, 2), (1, 2, 2), (3, 1))[number % 4] if arms < 1000 else (1, 1)
        logits = rng.standard_normal((*batch, arms)) * (1.5, 0.1, 6.0)[number % 3]
        setting = setting_of(number)
        case = Bandit(
            logits=logits,
            arm_rewards=(rng.random(logits.shape) < (0.5, 0.2, 0.9)[number % 3]).astype(np.float64),
            uniforms=rng.random((1 + number % 2, *batch, group)),
            method=setting.estimator,
            options=_plain(setting.given),
            step_size=STEPS[(number // 2) % len(STEPS)],
            dynamic_sampling=number % 5 == 0,
        )
        yield f"{setting}, [{', '.join(map(str, logits.shape))}], G = {group}, steps {len(case.uniforms)}", case


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as a configuration has them: a level as a text or a float."""
    return {name: x if isinstance(x, (float, int)) else str(x) for name, x in options.items()}


def _expected(case: Bandit) -> Within:
    """Return the reference's logits after the case's steps."""
    written = reference("numbers").as_written
    options = {name: x if name == "std" else written(x) for name, x in case.options.items()}
    arms, group = case.logits.shape[-1], case.uniforms.shape[-1]
    step = partial(reference("bandit").step, mixed_only=case.dynamic_sampling)
    policies, rewards = case.logits.reshape(-1, arms).tolist(), case.arm_rewards.reshape(-1, arms).tolist()
    for uniforms in case.uniforms:
        queries = zip(policies, rewards, uniforms.reshape(-1, group).tolist(), strict=True)
        policies = [step(z, r, u, case.method, options, case.step_size) for z, r, u in queries]
    moved = np.array(policies).reshape(case.logits.shape)
    push = np.abs(moved - case.logits).max(axis=-1, keepdims=True)
    return around(moved, TOLERANCE * (push + np.abs(case.logits)))
