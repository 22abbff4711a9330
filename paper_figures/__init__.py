"""The paper's figures and tables, one module each, drawn from result files.

Nothing expensive is computed here. There is nothing in it yet.
"""
