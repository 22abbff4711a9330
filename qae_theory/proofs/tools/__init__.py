"""What the proofs are made with: the trusted checkers, symbols and arms of any number, oracles and exact instances.

``checking`` is the trusted kernel. The others run the shipped functions on something unusual (``integers``, ``reals``,
``generic_arm``, ``series``) or are what they are compared with (``oracle``, ``enumeration``, ``ball_entropy``,
``rule_formulas``). No evidence is registered here.
"""
