"""Register QAE's advantage estimators in verl, and offer a reward function.

``import verl`` loads this module by its entry point in the group ``verl.plugins``, in every process of a job, and
swallows what goes wrong there: :func:`import_error` and :func:`discovered` make it loud. An estimator ("qae",
"qae_linear", "pos_mask" or "neg_mask") is chosen by ``algorithm.adv_estimator=qae``; the options are keys of
``algorithm``, see :func:`options_of`. The arithmetic is in ``group_advantages``. The remedies that packages provide
(:func:`qae_theory.advantages.provided_estimators`) are chosen likewise, with their options in ``algorithm.rule``; their
arithmetic is in ``provided_advantages``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from math import isfinite
from typing import Any

import torch
from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, get_adv_estimator_fn, register_adv_est

from llm_validation.verl_engine.group_advantages import GATES, STD_KINDS, group_advantages
from llm_validation.verl_engine.provided_advantages import provided_advantages
from llm_validation.verl_engine.rollout_keys import rollouts_of
from qae_theory.advantages import provided_estimators
from qae_theory.baselines import DEFAULT_K
from qae_theory.checks import decimal_fraction, quantile_level, refuse

ESTIMATORS = ("qae", "qae_linear", "pos_mask", "neg_mask")
# The function of verl's V1 trainers that calls an estimator and knows which rows are of one rollout.
CALLER = "compute_advantage_for_multi_trajectories"
OPTIONS = ("quantile_k", "advantage_std", "advantage_eps", "advantage_gate", "correct_above")
GROUP, ENTRY = "verl.plugins", "llm_validation.verl_engine.plugin"
# Sources whose scorer in verl parses or runs what the model wrote: sympy's parser evaluates it, code is executed.
UNSAFE_SOURCES = ("numina_", "codecontests", "apps", "codeforces", "taco", "hiyouga/geometry3k")


def estimate(
    estimator: str,
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    config: Any = None,
    index: Any = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Return advantages and returns of a batch, as verl asks an estimator for them.

    The advantage is :math:`A_i \, m_{it}` for token t of an output of rollout i with m its mask, A of
    :func:`llm_validation.verl_engine.group_advantages.group_advantages`. A rollout has one vote in its group, the
    score of its last output, however many outputs it has: verl's V1 trainers copy that score to every output. As in
    verl's own ``grpo``, a response whose mask has become all 0 (rejection sampling) still counts in its group; the
    rows that pad a batch are a group of equal rewards, and so have 0.

    Args:
        estimator: one of ``ESTIMATORS``, or a provided one.
        token_level_rewards: ``[B, T]``.
        response_mask: ``[B, T]``, 1 at the response's own tokens.
        config: ``config.algorithm``: a DictConfig, a mapping or verl's AlgoConfig.
        index: B prompt ids (verl's ``uid``).
        kwargs: what else verl hands to estimators; not used.

    Returns:
        Advantages and returns, one and the same ``[B, T]`` tensor, in the type that verl's own product has.

    Raises:
        ValueError: in one line that names the option or argument.
    """
    del kwargs
    if index is None:
        refuse("index", index, "the prompt id of each response, but the batch has no 'uid'")
    if token_level_rewards.ndim != 2 or token_level_rewards.shape != response_mask.shape:
        both = f"{list(token_level_rewards.shape)} beside {list(response_mask.shape)}"
        refuse("token_level_rewards", both, "[B, T] as response_mask is")
    keys = batch_keys(len(token_level_rewards))
    with torch.no_grad():
        # verl's own estimators take no gradient through the advantages either: they are constants of the loss.
        scores = token_level_rewards.sum(dim=-1)
        scalars = _by_rollout(scores, index, keys, _arithmetic(estimator, config))
        advantages = _over_tokens(scalars, response_mask)
    return advantages, advantages


def batch_keys(rows: int) -> Sequence[str] | None:
    """Return the names of the batch's rows, ``{group}_{rollout}_{output}``; None outside verl's V1 trainers.

    verl hands an estimator no names. The function of its V1 trainers that calls estimators has them as its argument
    ``batch_keys``, and applies them for ``grpo`` only; here they are read from that call. Where it is not among the
    callers, each row is a rollout: the older trainer has one row for each.

    Args:
        rows: number of rows of the batch.

    Raises:
        RuntimeError: the call is there and its names are not those of the rows, so that rollouts cannot be told apart.
    """
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != CALLER:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return None
    keys = frame.f_locals.get("batch_keys")
    if keys is None or len(keys) != rows:
        raise RuntimeError(
            f"verl's {CALLER} has no `batch_keys` of the {rows} rows, so that outputs of one rollout cannot be told "
            "apart; this verl is not the version that the plug-in was tested with (see `make drift`)"
        )
    return list(map(str, keys))


def _arithmetic(estimator: str, config: Any) -> Callable[[torch.Tensor, Any], torch.Tensor]:
    """Return the function of scores ``[B]`` and group ids that has the estimator and its options filled in."""
    if estimator in ESTIMATORS:
        return partial(group_advantages, estimator=estimator, **options_of(config))
    given = {} if config is None else config.get("rule") or {}
    options = {str(name): value for name, value in given.items()}
    return partial(provided_advantages, estimator=estimator, options=options)


def _by_rollout(
    scores: torch.Tensor,
    index: Any,
    keys: Sequence[str] | None,
    arithmetic: Callable[[torch.Tensor, Any], torch.Tensor],
) -> torch.Tensor:
    """Return each row's advantage ``[B]``: that of its rollout among the rollouts of its group."""
    rollouts = None if keys is None else rollouts_of(keys)
    if rollouts is None or len(rollouts.final) == len(scores):
        return arithmetic(scores, index)
    final = torch.tensor(rollouts.final, device=scores.device)
    ids = index.tolist() if hasattr(index, "tolist") else list(index)
    if len(ids) != len(scores):
        refuse("index", f"{len(ids)} ids", f"{len(scores)} prompt ids, one a row")
    votes = arithmetic(scores[final], [ids[row] for row in rollouts.final])
    return votes[torch.tensor(rollouts.of_row, device=scores.device)]


def options_of(config: Any) -> dict[str, Any]:
    """Return the options of ``group_advantages`` from the keys of ``algorithm``.

    ``quantile_k`` (``"0.4"``; a YAML number is read as the decimal that it prints as), ``advantage_std``
    (``population``, ``bessel`` or ``none``; by default the estimator's own, and ``none`` where verl's
    ``norm_adv_by_std_in_grpo`` is false), ``advantage_eps`` (1e-6), ``advantage_gate`` (``reward``, or
    ``correctness``) and ``correct_above`` (a score).

    Args:
        config: ``config.algorithm``; None for all defaults.

    Raises:
        ValueError: the message names the key. A key that begins as these do and is none of them is refused too, since
            Hydra's ``+`` takes any.
    """
    given = {} if config is None else config
    for key in given:
        if str(key).startswith(("quantile_", "advantage_", "correct_")) and key not in OPTIONS:
            refuse(f"algorithm.{key}", given[key], f"left out: the options are {', '.join(OPTIONS)}")
    stated = {key: given.get(key) for key in OPTIONS}
    threshold, eps, gate = stated["correct_above"], stated["advantage_eps"], stated["advantage_gate"]
    return {
        "k": _level(stated["quantile_k"]),
        "std": _std(stated["advantage_std"], given.get("norm_adv_by_std_in_grpo", True)),
        "eps": 1e-6 if eps is None else _number("advantage_eps", eps, least=0.0),
        "gate": _one_of("advantage_gate", "reward" if gate is None else gate, GATES),
        "correct_above": None if threshold is None else _number("correct_above", threshold),
    }


def advantages_of(scores: torch.Tensor, index: Any, config: Any) -> torch.Tensor:
    """Return the scalar advantages ``[B]`` that the estimator named by ``config.adv_estimator`` gives.

    Args:
        scores: ``[B]``, the summed rewards.
        index: B prompt ids.
        config: ``config.algorithm``; the estimator is one of this plug-in, or one of verl's that needs rewards and ids
            only.

    Raises:
        ValueError: the estimator is unknown, or as :func:`estimate`.
    """
    name = str(config.get("adv_estimator"))
    # One token per response: its reward is the score, and its advantage the scalar.
    inputs = {"token_level_rewards": scores[:, None], "response_mask": torch.ones_like(scores)[:, None]}
    if name == "grpo":  # verl passes it the switch and not the configuration
        inputs["norm_adv_by_std_in_grpo"] = config.get("norm_adv_by_std_in_grpo", True)
    else:
        inputs["config"] = config
    advantages, _ = get_adv_estimator_fn(name)(index=index, **inputs)
    return advantages[:, 0]


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None, **kwargs: Any
) -> dict[str, Any]:
    """Return the score of a response with the name of its benchmark.

    verl's scorers give it, or this project's for its own tasks. The function is meant for
    ``reward.custom_reward_function`` with path ``pkg://llm_validation.verl_engine.plugin``: the dumps of verl's
    validation then say which benchmark each response belongs to.

    Args:
        data_source: names the benchmark, and so the scorer: see :mod:`llm_validation.verl_engine.scoring`.
        solution_str: the response, untrusted.
        ground_truth: the reference answer.
        extra_info: handed on to the scorer, as verl passes it.
        kwargs: handed on to the scorer, as verl passes them.

    Returns:
        ``score``, ``acc`` (the score where the scorer gives only one), ``pred`` (empty where it gives none),
        ``benchmark`` and what else the scorer says; the same keys for every benchmark, all values numbers or text.

    Raises:
        ValueError: verl's scorer of that source would parse or run the response.
        NotImplementedError: verl has no scorer for the source.
    """
    result = _scorer(data_source)(solution_str, ground_truth, extra_info, **kwargs)
    fields = result if isinstance(result, Mapping) else {"score": result}
    return {"acc": fields["score"], "pred": "", **_plain(fields), "benchmark": data_source}


def _scorer(data_source: str) -> Callable[..., Any]:
    """Return a function that scores the responses of a data source, without the source among its arguments."""
    from verl.utils.reward_score import default_compute_score

    from llm_validation.verl_engine import scoring

    if scoring.is_ours(data_source):
        return partial(scoring.compute_score, data_source)
    if data_source.startswith(UNSAFE_SOURCES):
        refuse("data_source", data_source, "scored by comparing text; verl's scorer would evaluate the model's output")
    return partial(default_compute_score, scoring.verl_source(data_source))


def registered() -> tuple[str, ...]:
    """Return which of ``ESTIMATORS`` verl's registry holds now, as this module made them."""
    return tuple(name for name in ESTIMATORS if _is_ours(ADV_ESTIMATOR_REGISTRY.get(name)))


def discovered() -> tuple[str, ...]:
    """Return which of ``ESTIMATORS`` a new process has after ``import verl`` alone, as a worker of a job would.

    Raises:
        RuntimeError: in one line, if the process fails.
    """
    code = (
        "import json, verl; from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY as r; "
        "print(json.dumps([n for n, f in r.items() if getattr(f, 'is_qae_plugin', False)]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    printed = (run.stdout if run.returncode == 0 else run.stderr).splitlines()
    filled = [line for line in printed if line.strip()]
    if run.returncode != 0:
        raise RuntimeError(f"`import verl` fails in a new process: {filled[-1] if filled else run.returncode}")
    names = json.loads(filled[-1])  # the last line, because libraries print theirs before
    return tuple(name for name in ESTIMATORS if name in names)


def import_error() -> str | None:
    """Return why verl's own loading of plug-ins would not bring these estimators, in one line; None if it would.

    It loads every entry point of the group ``verl.plugins`` that the environment variable
    ``VERL_USE_EXTERNAL_PLUGINS`` admits, as ``import verl`` does, and keeps what verl drops: the errors.
    """
    return "; ".join(_faults()) or None


def _faults() -> Iterator[str]:
    """Yield what keeps the plug-in, or another one, from being loaded."""
    # Read as verl's `__init__` reads it, so that the answer here is what happens there.
    policy = os.environ.get("VERL_USE_EXTERNAL_PLUGINS", "auto").strip().lower()
    named = [name.strip() for name in policy.split(",")]  # "none" admits nothing
    installed = tuple(entry_points(group=GROUP))
    admitted = [entry for entry in installed if policy == "auto" or entry.name in named]
    if not any(entry.value == ENTRY for entry in installed):
        yield f"no entry point of the group {GROUP} is {ENTRY}: qae-verification is not installed here"
    elif not any(entry.value == ENTRY for entry in admitted):
        yield f"VERL_USE_EXTERNAL_PLUGINS={policy} keeps the plug-in {ENTRY} from being loaded"
    for entry in admitted:
        fault = _load_fault(entry)
        if fault is not None:
            yield fault


def _load_fault(entry: EntryPoint) -> str | None:
    """Return the error of loading a plug-in in one line; None where it loads."""
    try:
        entry.load()
    except Exception as error:  # what verl catches
        return f"plug-in {entry.name} = {entry.value}: {type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _over_tokens(scalars: torch.Tensor, response_mask: torch.Tensor) -> torch.Tensor:
    """Return ``scalars[:, None] * response_mask``, as one pass over fresh memory."""
    dtype = torch.promote_types(scalars.dtype, response_mask.dtype)
    if response_mask.dtype == dtype or response_mask.device.type != "cpu":
        return scalars[:, None] * response_mask
    # On a CPU torch multiplies numbers of two types one at a time, which takes twice as long as conversion and product.
    return response_mask.to(dtype).mul_(scalars[:, None])


def _level(value: Any) -> Any:
    """Return the quantile level, with the default where none is stated."""
    try:
        return quantile_level(DEFAULT_K if value is None else value)
    except ValueError as error:
        raise ValueError(f"algorithm.quantile_{error}") from None


def _std(value: Any, normalised: Any) -> str | None:
    """Return the standard deviation to divide by; verl's own switch turns the division off."""
    if value is not None:
        _one_of("advantage_std", value, STD_KINDS)
    if normalised:
        return value
    if value not in (None, "none"):
        refuse("algorithm.advantage_std", value, "'none' or left out where norm_adv_by_std_in_grpo is false")
    return "none"


def _one_of(key: str, value: Any, allowed: tuple[str, ...]) -> Any:
    """Return a value that is one of a few names."""
    if value not in allowed:
        refuse(f"algorithm.{key}", value, f"one of {', '.join(allowed)}")
    return value


def _number(key: str, value: Any, least: float = float("-inf")) -> float:
    """Return a number, also from text that YAML took for text, such as 1e-6."""
    allowed = "a finite number" if least == float("-inf") else f"a finite number >= {least:g}"
    try:
        number = float("nan") if isinstance(value, bool) else float(decimal_fraction(value))
    except (ValueError, ZeroDivisionError, OverflowError):
        number = float("nan")
    if not isfinite(number) or number < least:
        refuse(f"algorithm.{key}", value, allowed)
    return number


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scorer's fields with every value a number or text; None becomes empty text."""
    return {key: _scalar(value) for key, value in fields.items()}


def _scalar(value: Any) -> Any:
    """Return one value of a scorer as a number or text; an array of one number becomes that number."""
    value = value.item() if hasattr(value, "item") and getattr(value, "size", 2) == 1 else value
    if value is None:
        return ""
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _is_ours(function: Any) -> bool:
    """Return whether this module made an entry of verl's registry."""
    return getattr(function, "is_qae_plugin", False)


def _register(name: str) -> None:
    """Register an estimator in verl, which refuses a name that somebody else has.

    This module may run more than once: reloaded, or as a file, which verl does for reward functions named by path. An
    entry of its own is therefore replaced.
    """
    if _is_ours(ADV_ESTIMATOR_REGISTRY.get(name)):
        del ADV_ESTIMATOR_REGISTRY[name]
    function = partial(estimate, name)
    function.is_qae_plugin = True  # type: ignore[attr-defined]
    register_adv_est(name)(function)


for _name in (*ESTIMATORS, *provided_estimators()):
    _register(_name)
