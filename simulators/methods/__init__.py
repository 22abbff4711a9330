"""Advantage rules and token masks, one small module each, registered by name with their source.

Another package's rules come from the entry-point group ``qae.methods``: functions without arguments that register.
"""

from importlib.metadata import entry_points

from simulators.methods import a_grae, clip_cov, constant, estimators, gspo, high_entropy, kl_cov, w_reinforce
from simulators.methods.registry import Method, TokenBatch, get_method, method_names, register_method

METHODS_GROUP = "qae.methods"

estimators.register()
constant.register()
gspo.register()
w_reinforce.register()
a_grae.register()
clip_cov.register()
kl_cov.register()
high_entropy.register()
for provider in sorted(entry_points(group=METHODS_GROUP), key=lambda point: point.name):
    provider.load()()

__all__ = ["METHODS_GROUP", "Method", "TokenBatch", "get_method", "method_names", "register_method"]
