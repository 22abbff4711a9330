"""Hold what the proofs are made with: the trusted checkers, oracles, enumerations and exact instances.

``checking`` is the trusted kernel. The others are what the shipped functions are compared with (``oracle``,
``enumeration``, ``ball_entropy``, ``rule_formulas``, ``token_tree``) and on (``cases``, ``groups``,
``rational_policies``), and the comparisons that pages share (``estimator_ties``). What the shipped functions run on for
all numbers at once is in ``proofs.carriers``. No evidence is registered here.
"""
