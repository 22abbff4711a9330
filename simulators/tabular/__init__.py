"""Hold the tabular policy: trees of responses, softmax at every node, sampling, and the loops that Numba compiles.

Nothing here knows of rewards or rules, so that the engine and the rules in ``simulators.methods`` both build on it.
"""
