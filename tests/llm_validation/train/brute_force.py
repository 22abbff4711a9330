"""Advantages recomputed from a file of rollouts by the standard library alone; a program that imports nothing of ours.

    python brute_force.py ROLLOUTS ESTIMATOR K STD EPS

Prints the largest error of the logged advantages, in units of half a float32 spacing: up to 1 is correct rounding.
"""

import json
import math
import sys
from collections import defaultdict
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 60
HALF_SPACING = 2.0**-24  # of a float32, relative to the number


def decimal(x):
    return Decimal(x.numerator) / Decimal(x.denominator)


def baseline(rewards, estimator, k):
    """The mean, or the smallest reward that at least a share of K of the rewards does not exceed."""
    if estimator == "grpo":
        return sum(rewards) / len(rewards)
    for reward in sorted(rewards):
        if Fraction(sum(other <= reward for other in rewards), len(rewards)) >= k:
            return reward
    raise AssertionError


def group(rewards, estimator, k, std, eps):
    """Advantages of one group; None is not scorable."""
    scored = [Fraction(reward) for reward in rewards if reward is not None]
    if len(set(scored)) < 2:
        return [Decimal(0)] * len(rewards)
    mean = sum(scored) / len(scored)
    squares = sum((reward - mean) ** 2 for reward in scored)
    deviation = decimal(squares / (len(scored) - (std == "bessel"))).sqrt() + eps
    start = baseline(scored, estimator, k)
    return [Decimal(0) if reward is None else decimal(Fraction(reward) - start) / deviation for reward in rewards]


def error(logged, exact):
    if exact == 0:
        return 0.0 if logged == 0 else math.inf
    return float(abs(Decimal(logged) - exact) / abs(exact)) / HALF_SPACING


def main(path, estimator, k, std, eps):
    groups = defaultdict(list)
    with open(path, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            groups[record["step"], record["group"]].append(record)
    worst = 0.0
    for records in groups.values():
        exact = group([record["reward"] for record in records], estimator, Fraction(k), std, Decimal(eps))
        worst = max(worst, *map(error, (record["advantage"] for record in records), exact))
    foreign = {name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"__main__", "__mp_main__"}
    print(json.dumps({"groups": len(groups), "worst": worst, "foreign": sorted(foreign)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
