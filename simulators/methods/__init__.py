"""Advantage rules, token masks and remedies for entropy, one small module each, registered by name with their source.

The rules of another package come from the entry-point group ``qae.methods``: its functions take no arguments and
register what they bring.
"""

from importlib.metadata import entry_points

from simulators.methods import baselines, regularisers, steered, token_rules
from simulators.methods.model import estimators
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import (
    Context,
    Memory,
    Method,
    TokenBatch,
    get_method,
    method_defaults,
    method_names,
    register_method,
)

METHODS_GROUP = "qae.methods"

# Registration is by call and not by a decorator, so that mutation tests see the rules' own code.
estimators.register()
baselines.register()
token_rules.register()
regularisers.register()
steered.register()
# Providers are sorted by name, so that the order of registration does not depend on how packages were installed.
for provider in sorted(entry_points(group=METHODS_GROUP), key=lambda point: point.name):
    provider.load()()

__all__ = [
    "METHODS_GROUP",
    "Context",
    "Memory",
    "Method",
    "TokenBatch",
    "estimator_method",
    "get_method",
    "method_defaults",
    "method_names",
    "register_method",
]
