"""Hold the coverage plan: the cells of each public function, a module for each topic.

``forms`` has the ways to write one input, ``settings`` the estimators with their options.
"""
