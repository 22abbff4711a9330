"""Advantage rules and token masks, one small module each, registered by name with their source."""

from simulators.methods import constant, estimators
from simulators.methods.registry import Method, TokenBatch, get_method, method_names, register_method

estimators.register()
constant.register()

__all__ = ["Method", "TokenBatch", "get_method", "method_names", "register_method"]
