"""Exact values: expressions, their normal form, enclosures, zero bounds, and decisions of equality and order.

Nothing here reads text. Numerics enclose; they may show that two values differ, never that they are equal.
"""
