"""Put symbols in the place of numbers: what the shipped functions run on when a proof is about all numbers at once.

A carrier answers no question that it cannot answer for every number that it stands for. ``opaque`` raises on all of
them; ``reals`` and ``integers`` follow each possible answer on a path of its own (``paths``); ``formulas`` answers
where SymPy is certain; ``generic_arm`` is a policy with any number of arms, whose sums over arms become ``moments``;
``series`` is a power series in the step. These files belong to what a reader of the proofs has to trust, and
``python -m tests.meta.carriers`` attacks them. No evidence is registered here.
"""
