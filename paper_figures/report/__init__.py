"""The report: ledger, figures, limits and commands on one page.

Every verdict and number is read from result files.
"""
