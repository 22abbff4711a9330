"""The tie of code to theory: each public function against a slow, exact reference, on a plan that covers its inputs.

``references`` finds the references, ``comparison`` holds a function to them, ``forms`` has the ways to write one input,
and a module a topic has the plan's cells. ``evidence`` puts all of it into the ledger.
"""
