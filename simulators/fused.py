"""Take many updates of a bandit without recording them, in one fused kernel where the update allows it.

``engine`` takes one update with everything that can be measured about it; this module is only for speed.
"""

from __future__ import annotations

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.group_expectation import OutcomeAdvantages, outcome_advantages
from simulators.engine import State, update_once
from simulators.environments import Environment
from simulators.methods import get_method
from simulators.tabular import kernels
from simulators.tabular.groups import Generators
from simulators.update import Update


def advance(
    state: State, env: Environment, update: Update, steps: int, rngs: Generators, batch: int | None = None
) -> State:
    """Return the state after ``steps`` updates, recording nothing.

    The state is that of ``engine.train`` from the same draws, up to rounding. On-policy SGD on a bandit with an
    estimator's advantages runs in one fused kernel over ``batch`` queries at a time, which bounds the memory that it
    needs beside the logits and never changes a result. Any other update is ``update_once``, on all queries at once.

    Args:
        state: where training starts.
        env: the environment.
        update: the switches of every update.
        steps: number of updates, >= 0.
        rngs: S generators, one for each seed.
        batch: queries that the fused kernel takes at a time, >= 1; all of them if None.

    Raises:
        ValueError: ``steps``, ``batch`` or the number of ``rngs`` is out of its range.
    """
    if len(rngs) != len(state.logits):
        checks.refuse("rngs", rngs, f"{len(state.logits)} generators, one for each seed")
    if steps < 0:
        checks.refuse("steps", steps, "an integer >= 0")
    if batch is not None and batch < 1:
        checks.refuse("batch", batch, "None or an integer >= 1")
    table = fused_table(env, update)
    for done in range(steps):
        if table is not None and state.behaviour is state.logits:
            return _advance_fused(state, env, update, table=table, steps=steps - done, rngs=rngs, batch=batch)
        # A state whose behaviour policy lags takes one step here; the two are the same from then on.
        state = update_once(state, env, update, rngs=rngs).after
    return state


def fused_table(env: Environment, update: Update) -> OutcomeAdvantages | None:
    """Return advantages by number of correct responses, for an update whose coefficients depend on nothing else.

    Args:
        env: the environment.
        update: the switches of the update.

    Returns:
        Two tables ``[G + 1]``, or None for an update that the fused kernel does not compute.
    """
    method = get_method(update.method, **update.options)
    plain_step = update.optimiser == "sgd" and update.max_grad_norm is None and update.on_policy
    plain_rewards = update.overlong is None and not update.signed_rewards and update.noise is None
    one_over_group = update.aggregation == "token_sum" or bool(np.all(env.lengths == 1))
    fusible = env.tree.is_bandit and plain_step and plain_rewards and one_over_group and method.rewards_alone
    # The kernel keeps no memory, not even one that would change nothing on-policy.
    if not fusible or method.estimator is None or method.start is not None:
        return None
    correct, wrong = outcome_advantages(update.group_size, method.estimator, **(method.options or {}))
    if update.dynamic_sampling:
        # A dropped group moves nothing; rules such as PSR would give its responses an advantage all the same.
        degenerate = np.isin(np.arange(update.group_size + 1), (0, update.group_size))
        correct, wrong = np.where(degenerate, 0.0, correct), np.where(degenerate, 0.0, wrong)
    return OutcomeAdvantages(correct, wrong)


def _advance_fused(
    state: State,
    env: Environment,
    update: Update,
    *,
    table: OutcomeAdvantages,
    steps: int,
    rngs: Generators,
    batch: int | None,
) -> State:
    """Return the state after ``steps`` fused updates.

    The first update writes into new logits, the others work in place. A seed's generator is drawn from in the order of
    that seed's queries, whatever the batch.
    """
    source, rewards = (values.reshape(-1, env.tree.actions) for values in (state.logits, env.arm_rewards))
    z = np.empty(source.shape)
    queries_per_seed = len(z) // len(rngs)
    # Without queries there is nothing to do, but a chunk must have some size to count by.
    size = max(1, min(batch or len(z), len(z)))
    uniforms = np.empty((size, update.group_size))
    for _ in range(steps):
        for start in range(0, len(z), size):
            chunk = slice(start, min(start + size, len(z)))
            draws = uniforms[: chunk.stop - start]
            _draw(draws, start=start, queries_per_seed=queries_per_seed, rngs=rngs)
            kernels.group_update(
                source[chunk],
                rewards[chunk],
                correct_advantage=table.correct,
                wrong_advantage=table.wrong,
                uniforms=draws,
                step_size=update.step_size,
                out=z[chunk],
            )
        source = z
    logits = z.reshape(state.logits.shape)
    return state._replace(logits=logits, behaviour=logits, updates=state.updates + steps)


def _draw(out: Array, *, start: int, queries_per_seed: int, rngs: Generators) -> None:
    """Fill the uniforms of queries ``start``, ``start + 1``, ..., each from the generator of its own seed.

    Queries are counted through all seeds, ``queries_per_seed`` of each.
    """
    done = 0
    while done < len(out):
        seed, query = divmod(start + done, queries_per_seed)
        count = min(queries_per_seed - query, len(out) - done)
        rngs[seed].random(out=out[done : done + count])
        done += count
