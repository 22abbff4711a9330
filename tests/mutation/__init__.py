"""Mutation testing: planted faults in the shipped mathematics, and who notices them.

``python -m tests.mutation`` copies the tree to ``mutants/``, has mutmut write every mutant of the modules that
``[tool.mutmut]`` names into it, and asks two killers about each one: the tests, and ``qae verify --quick``. A killer is
one process that imports once and forks once a mutant. ``python -m tests.mutation --bends`` does the same with
conditional bends (``bends``), which need no copy.
"""
