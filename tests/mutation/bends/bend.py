"""Make bends: draw them with a fixed seed, and put one into a function.

A bend is a trampoline inside the function, whose code is replaced: every module that has imported the function gets it,
and no name is bound anew. It calls the original first and lets its errors through.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from qae_theory.proofs.contract.shipped_agrees import TIES
from tests.mutation.bends import changes, conditions
from tests.mutation.bends.call import Call
from tests.mutation.bends.changes import Change
from tests.mutation.bends.conditions import Condition

SEED = 13
COUNT = 520


class Bend(NamedTuple):
    """Hold one function, wrong by one change where one condition holds."""

    function: str
    condition: Condition
    change: Change

    @property
    def name(self) -> str:
        """Return the bend in one line."""
        return f"{self.function}: {self.change.says} | {self.condition.says}"


# A registration has no result: what can be wrong with it is an argument that it does not keep.
REGISTRATION = [
    changes.ignored("defaults", {}),
    changes.ignored("binary_only", False),
    changes.ignored("least_group", 1),
]


def every_bend(function: str) -> list[Bend]:
    """Return all bends of a function, each condition with each change."""
    kinds = REGISTRATION if function == "register_estimator" else changes.OF_FUNCTION[function]
    return [
        Bend(function, condition, change)
        for condition in conditions.OF_FUNCTION[function]
        for change in kinds
        if _can_differ(condition, change, function)
    ]


def draw(count: int = COUNT, seed: int = SEED) -> list[Bend]:
    """Return bends of all functions, as many of each as it has, up to one and the same number."""
    rng = np.random.default_rng(seed)
    decks = []
    for tie in TIES:
        deck = every_bend(tie.function)
        decks.append([deck[i] for i in rng.permutation(len(deck))])
    drawn: list[Bend] = []
    for row in range(max(map(len, decks))):
        drawn += [deck[row] for deck in decks if row < len(deck)]
    return drawn[:count]


# Options that a rule does not have.
LACKING = {
    **dict.fromkeys(("grpo", "dr_grpo", "rloo", "psr", "nsr"), ("k",)),
    "policy_gradient": ("baseline",),
    "sampled_group": ("baseline",),
}
# Functions that are 0 at equal logits: there only what is added shows.
ZERO_AT_EQUAL = ("self_covariance", "entropy_gradient", "first_order_entropy_change", "expected_first_order_change")


def _can_differ(condition: Condition, change: Change, function: str) -> bool:
    """Return whether a change can do anything where the condition holds, as far as the words tell."""
    about, says = change.needs or "", condition.says
    if says == "equal logits" and (function in ZERO_AT_EQUAL or change in (changes.NEIGHBOUR, changes.LAST_LOST)):
        return change is changes.OFF_BY_ONE
    if change is changes.BINARY:
        return "float" in says
    if change is changes.AXIS_LOST:
        return "axes" in says or "rows" in says or "numbers" in says
    if about and any(says.endswith(f"is {name!r}") and about in LACKING[name] for name in LACKING):
        return False
    if about == "eps" and says == "std is 'none'":
        return False  # nothing divides
    default = {"method": "inverted_cdf", "std": "population"}.get(about)
    nothing_given = (f"{about} is {default!r}", "no mask and G > 200") if about else ()
    return says not in nothing_given


def install(bend: Bend) -> None:
    """Put a bend into its function, for the rest of this process."""
    replace_code(function_of(bend.function), lambda original: bent(original, bend))


def function_of(name: str) -> FunctionType:
    """Return a public function by its name."""
    tie = next(tie for tie in TIES if tie.function == name)
    return vars(import_module(f"qae_theory.{tie.module}"))[name]  # type: ignore[no-any-return]


def bent(original: Callable[..., Any], bend: Bend) -> Callable[..., Any]:
    """Return what the trampoline of a bend leads to."""
    signature = inspect.signature(original)

    def wrong(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)  # its errors pass through
        try:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            call = Call(dict(bound.arguments))
            if not bend.condition.holds(call):
                return result
            return bend.change.make(call, result, _again(original, signature, dict(bound.arguments)))
        except Exception:  # an input that the condition cannot be asked about, or the change not made to
            return result

    def registration(*args: Any, **kwargs: Any) -> Any:
        """Register what is right, so that bad input is refused; then again without the argument."""
        result = original(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bend.condition.holds(Call(dict(bound.arguments))):
            registry = original.__globals__["_REGISTRY"]  # type: ignore[attr-defined]
            del registry[bound.arguments["name"]]
            bend.change.make(Call({}), result, _again(original, signature, dict(bound.arguments)))
        return result

    return registration if bend.function == "register_estimator" else wrong


def _again(original: Callable[..., Any], signature: inspect.Signature, arguments: dict[str, Any]) -> Callable[..., Any]:
    """Return the original as a function of what is to be replaced among the arguments that it was called with."""

    def again(**replaced: Any) -> Any:
        given = dict(arguments)
        options = dict(given.get("options", {}))
        for name, value in replaced.items():
            if name in signature.parameters:
                given[name] = value
            elif name in options or name == "k":
                options[name] = value
            else:
                raise KeyError(name)  # the call has no such option
        if "options" in given:
            given["options"] = options
        bound = inspect.BoundArguments(signature, given)  # type: ignore[arg-type]
        return original(*bound.args, **bound.kwargs)

    return again


def replace_code(function: FunctionType, made: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace a function's code by a trampoline to what ``made`` makes of its original."""
    original = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    original.__kwdefaults__ = function.__kwdefaults__
    target = made(original)
    function.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    function.__code__ = _leading_to(target, function.__code__)
    function.__defaults__ = function.__kwdefaults__ = None


def _leading_to(target: Callable[..., Any], old: CodeType) -> CodeType:
    """Return code that calls ``target``, which is one of its constants: no global name is needed."""

    def trampoline(*args: Any, **kwargs: Any) -> Any:
        target = "the target"
        return target(*args, **kwargs)  # type: ignore[operator]

    code = trampoline.__code__
    constants = tuple(target if constant == "the target" else constant for constant in code.co_consts)
    return code.replace(
        co_consts=constants, co_name=old.co_name, co_filename=old.co_filename, co_firstlineno=old.co_firstlineno
    )
