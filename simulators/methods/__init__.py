"""Advantage rules and token masks, one small module each, registered by name with their source.

The rules of another package come from the entry-point group ``qae.methods``: its functions take no arguments and
register what they bring.
"""

from importlib.metadata import entry_points

from simulators.methods import a_grae, clip_cov, constant, estimators, gspo, high_entropy, kl_cov, w_reinforce
from simulators.methods.registry import Method, TokenBatch, get_method, method_names, register_method

METHODS_GROUP = "qae.methods"

# Registration is by call and not by a decorator, so that mutation tests see the rules' own code.
estimators.register()
constant.register()
gspo.register()
w_reinforce.register()
a_grae.register()
clip_cov.register()
kl_cov.register()
high_entropy.register()
# Providers are sorted by name, so that the order of registration does not depend on how packages were installed.
for provider in sorted(entry_points(group=METHODS_GROUP), key=lambda point: point.name):
    provider.load()()

__all__ = ["METHODS_GROUP", "Method", "TokenBatch", "get_method", "method_names", "register_method"]
