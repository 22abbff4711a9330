"""Tie claims ``gate-hard`` and ``gate-easy`` to the code: all nine estimators equal their definitions on any group.

A group comes with options, masks, counts, in batches and on scales of all sizes; the registry is checked too. The
comparisons that other modules share are in ``estimator_ties``, the definitions in ``oracle``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import FrozenInstanceError
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from qae_theory import advantages, baselines, quantile_baseline, register_estimator
from qae_theory.advantages import (
    Estimator,
    estimator_names,
    get_estimator,
    resolve_options,
    weighted_advantages,
)
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.proofs.tools import estimator_ties as ties
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import for_all
from qae_theory.proofs.tools.estimator_ties import binary_groups, exact_array, graded_groups, keywords, near, same
from qae_theory.proofs.tools.oracle import Group, Options

# Each rule's registered source, typed here once more: a report cites it.
SOURCES = {
    "grpo": "arXiv 2402.03300",
    "dr_grpo": "arXiv 2503.20783",
    "rloo": "arXiv 2402.14740",
    "qae": "arXiv 2509.22611, Eq. 3",
    "qae_linear": "released code of arXiv 2509.22611",
    "psr": "arXiv 2506.01347",
    "nsr": "arXiv 2506.01347",
    "pos_mask": "arXiv 2509.22611, Eq. 7",
    "neg_mask": "arXiv 2509.22611, Eq. 8",
}


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    for claim, name, steps in (
        ("gate-hard", "estimators-by-definition", _definition_steps()),
        ("gate-easy", "masks-counts-batches", _form_steps()),
    ):
        ledger.add(Evidence(claim, name, Kind.CERTIFICATE, Role.FOR, steps))


def _definition_steps() -> tuple[Step, ...]:
    """Return the ties of each rule to its definition, of their defaults, and of the registry."""
    groups = (
        (("grpo", "dr_grpo", "rloo"), ties.other_std, "Bessel for population"),
        (("qae",), ties.mean_for_quantile, "the mean for the quantile"),
        (("qae_linear",), ties.other_level, "1 - K for K"),
        (("pos_mask", "neg_mask"), ties.pos_for_neg, "Eq. 7 for Eq. 8"),
        (("psr", "nsr"), ties.psr_for_nsr, "PSR for NSR"),
    )
    floats = tuple(
        Step(
            says=rf"The shipped {', '.join(f'`{rule}`' for rule in rules)} on float64 batches: its definition, "
            rf"written out response by "
            r"response, for every class of $K$ that the rule has, without a divisor and with both standard "
            r"deviations and three $\varepsilon$.",
            check=partial(ties.floats_match, rules=rules, reading=ties.faithful),
            planted=planted,
            control=partial(ties.floats_match, rules=rules, reading=misread),
            tie=True,
        )
        for rules, misread, planted in groups
    )
    return (
        *floats,
        Step(
            says=r"All nine rules on Fractions: exact numbers out, equal to the definitions (irrational std as "
            r"SymPy roots).",
            check=partial(ties.exact_match, reading=ties.faithful),
            planted="1 - K for K",
            control=partial(ties.exact_match, reading=ties.other_level),
            tie=True,
        ),
        Step(
            says=r"Without options: $K = 2/5$, population std (Bessel for `qae_linear`; none for `dr_grpo`, `rloo`, "
            r"`psr`, `nsr`), $\varepsilon = 10^{-6}$, and `qae` without a name.",
            check=partial(_defaults_match, eps=Fraction(1, 1_000_000)),
            planted="eps = 1e-5",
            control=partial(_defaults_match, eps=Fraction(1, 100_000)),
            tie=True,
        ),
        Step(
            says=r"At $G=1$ every rule gives 0; leave-one-out refuses.",
            check=partial(_lone_responses, value=0),
            planted="1",
            control=partial(_lone_responses, value=1),
            tie=True,
        ),
        Step(
            says=r"The registry: nine names in order with their sources and options; a duplicate name, an "
            r"unknown name, an option that a rule does not have and non-binary rewards for a binary rule "
            r"are refused by name.",
            check=partial(_registry_matches, sources=SOURCES),
            planted="RLOO's source for PSR's",
            control=partial(_registry_matches, sources={**SOURCES, "psr": SOURCES["rloo"]}),
            tie=True,
        ),
    )


def _form_steps() -> tuple[Step, ...]:
    """Return the ties over the forms in which a group may come."""
    return (
        Step(
            says=r"The kernels on counted and on written-out groups: mean, leave-one-out mean, both variances, "
            r"exact.",
            check=partial(_kernels_match, divisor=0),
            planted="a mean over G + 1",
            control=partial(_kernels_match, divisor=1),
            tie=True,
        ),
        Step(
            says=r"A group given as (reward, count) pairs has the advantages of the group written out, for all "
            r"nine rules, exactly.",
            check=partial(_counts_match, lost=0),
            planted="off by one in the first entry",
            control=partial(_counts_match, lost=1),
            tie=True,
        ),
        Step(
            says=r"A reward that occurs 0 times takes no part in range, mean, variance or rank.",
            check=partial(_unused_rows_do_not_count, ghost=0),
            planted="it occurs once",
            control=partial(_unused_rows_do_not_count, ghost=1),
            tie=True,
        ),
        Step(
            says=r"Under every mask of every group of four, NaN or nonsense in the unscorable rows, the scorable "
            r"rows have the advantages of the smaller group that they form, and the others 0.",
            check=partial(ties.masks_match, reading=ties.faithful),
            planted="1 - K for K",
            control=partial(ties.masks_match, reading=ties.other_level),
            tie=True,
        ),
        Step(
            says=r"The same for Fractions, exactly.",
            check=partial(ties.exact_masks_match, reading=ties.faithful),
            planted="1 - K for K",
            control=partial(ties.exact_masks_match, reading=ties.other_level),
            tie=True,
        ),
        Step(
            says=r"Large batches, worked on in blocks, give row by row what small ones give, bit for bit.",
            check=partial(_blocks_match, shift=0),
            planted="shifted by one row",
            control=partial(_blocks_match, shift=1),
            tie=True,
        ),
        Step(
            says=r"One group alone, a batch, and a batch of batches give the same rows, bit for bit, masked or "
            r"not, for every rule and for both quantiles.",
            check=partial(_ranks_match, shift=0),
            planted="shifted by one row",
            control=partial(_ranks_match, shift=1),
            tie=True,
        ),
        Step(
            says=r"At $\varepsilon = 0$ standardised advantages ignore the scale of the rewards, from "
            r"$2^{-1000}$ to $2^{900}$, and QAE's their origin.",
            check=partial(_scale_free, exponent=0),
            planted="twice as large",
            control=partial(_scale_free, exponent=1),
            tie=True,
        ),
    )


def _defaults_match(*, eps: Fraction) -> Finding:
    """Find whether each rule without options has its documented defaults.

    They are K = 2/5, eps = 1e-6 and the std of ``oracle.OWN_STDS``; without a name the rule is ``qae``.
    """
    group = tuple(Fraction(x) for x in (1, 0, 0, 1, 0, 0, 0))

    def expected(rule: str) -> Any:
        return oracle.advantages(group, rule, Options(std=oracle.OWN_STDS[rule], eps=eps))

    floats = np.array(group, dtype=np.float64)
    cases = [(rule, near(advantages(floats, rule), expected(rule))) for rule in oracle.RULES]
    exact = exact_array([group])[0]
    for rule in ("grpo", "qae"):
        # In exact arithmetic the square root stays a SymPy number, for the rules that have one.
        root = Options(eps=eps, exact=True)
        pairs = zip(advantages(exact, rule), oracle.advantages(group, rule, root), strict=True)
        cases.append((f"{rule}, exact", all(same(a, b) for a, b in pairs)))
    cases.append(("no name", near(advantages(floats), expected("qae"))))
    return for_all(cases, "nine rules at their defaults on (1, 0, 0, 1, 0, 0, 0)")


def _counts_match(effort: Effort, *, lost: int) -> Finding:
    """Find whether a group as (reward, count) pairs has the advantages of the group written out, for every rule.

    ``lost`` is added to the first expected value, for the control.
    """

    def cases() -> Iterator[tuple[str, bool]]:
        for rule in oracle.RULES:
            binary = rule in oracle.BINARY_ONLY
            rewards = tuple(Fraction(r) for r in ((0, 1) if binary else (3, -1, Fraction(1, 2))))
            # Every way to count a few rewards, zeros included: a count of 0 must be as if the reward were not there.
            for counts in product(range(effort.pick(5, 3)), repeat=len(rewards)):
                # No response at all is no group.
                if sum(counts) == 0:
                    continue
                group = tuple(np.repeat(np.array(rewards, dtype=object), counts))
                # Odd and even sizes take turns with the two divisors, so that both are met without doubling the cases.
                stds = ties.stds_to_meet(rule, "bessel" if sum(counts) % 2 else "population")
                for k, std in product((Fraction(1, 3), Fraction(2, 5), Fraction(3, 4)), stds):
                    options = Options(k=k, std=std, eps=Fraction(0), exact=True)
                    label = f"{rule}, rewards {rewards}, counts {counts}, K={k}, std {std}"
                    yield label, _counted_form_is_expanded(rule, rewards, counts, group, options, lost)

    return for_all(cases(), "(rule, counts, K)")


def _counted_form_is_expanded(
    rule: str, rewards: Sequence[Any], counts: Sequence[int], group: Group, options: Options, lost: int
) -> bool:
    """Return whether the counted form, exact and in float64, equals the definition on the written-out group."""
    settings = resolve_options(get_estimator(rule), keywords(rule, options))
    values = exact_array([[Fraction(r) for r in rewards]])
    shipped = weighted_advantages(values, np.array([counts]), get_estimator(rule), settings)[0]
    floats = weighted_advantages(values.astype(float), np.array([counts]), get_estimator(rule), settings)[0]
    by_reward = dict(zip(group, oracle.advantages(group, rule, options), strict=True))
    expected = [by_reward.get(Fraction(r), Fraction(0)) for r in rewards]
    expected[0] = expected[0] + lost
    return all(same(a, b) for a, b in zip(shipped, expected, strict=True)) and near(floats, expected)


def _blocks_match(*, shift: int) -> Finding:
    """Find whether batches larger than the working block give each group its own values, bit for bit, masked or not."""
    # A period that is no power of two, so that no block starts where the last one did.
    pattern = np.array(binary_groups(16), dtype=np.float64)
    batch = np.resize(pattern, (4500, 16))
    flags = np.resize(np.array([[i % 7 != j % 5 for j in range(16)] for i in range(29)]), batch.shape)
    small = advantages(pattern, "qae")
    cases = [("4500 x 16", _same_rows(advantages(batch, "qae"), np.resize(small, batch.shape), shift))]
    cube = advantages(batch.reshape(3, 1500, 16), "qae")
    cases.append(("3 x 1500 x 16", cube.shape == (3, 1500, 16) and _same_rows(cube, advantages(batch, "qae"), shift)))
    # Five pieces of 900 rows, whose ends are not those of the blocks.
    split = np.concatenate(
        [advantages(batch[i : i + 900], "grpo", mask=flags[i : i + 900]) for i in range(0, 4500, 900)]
    )
    cases.append(("masked", _same_rows(advantages(batch, "grpo", mask=flags), split, shift)))
    cube = advantages(batch.reshape(3, 1500, 16), "grpo", mask=flags.reshape(3, 1500, 16))
    cases.append(("masked cube", cube.shape == (3, 1500, 16) and _same_rows(cube, split, shift)))
    wide = np.zeros((2, 2**16 + 4))
    # A row may be longer than a block; then it is a block of its own.
    wide[0, :4], wide[1, :-4] = 1, 1  # more rewards in one row than a block holds
    expected = advantages(wide[:1], "psr"), advantages(wide[1:], "psr")
    cases.append(("2 x 65540", _same_rows(advantages(wide, "psr"), np.concatenate(expected), shift)))
    return for_all(cases, "batch shapes")


def _ranks_match(*, shift: int) -> Finding:
    """Find whether shapes (5,), (6, 5) and (2, 3, 5) of the same six groups give the same values, bit for bit."""
    groups = np.array(binary_groups(5)[1:7], dtype=np.float64)
    flags = np.array([[(i + j) % 4 != 1 for j in range(5)] for i in range(6)])

    def agree(of: Callable[..., Any], *batches: Any) -> bool:
        # The batch of rank 2 is the reference; one group at a time and a batch of batches must give the same bits.
        flat = of(*batches)
        cube = of(*(batch.reshape(2, 3, 5) for batch in batches))
        alone = np.array([of(*batch) for batch in zip(*batches, strict=True)])
        shaped = cube.shape == (2, 3, *flat.shape[1:])
        return shaped and _same_rows(cube, flat, shift) and _same_rows(alone, flat, shift)

    def cases() -> Iterator[tuple[str, bool]]:
        for rule in oracle.RULES:
            yield rule, agree(lambda batch, rule=rule: advantages(batch, rule), groups)
            yield (
                f"{rule}, masked",
                agree(lambda batch, mask, rule=rule: advantages(batch, rule, mask=mask), groups, flags),
            )
        for method in ("inverted_cdf", "linear"):
            yield (
                method,
                agree(lambda batch, method=method: quantile_baseline(batch, "0.55", method=method), groups),
            )

    return for_all(cases(), "(rule, mask or none), three shapes")


def _same_rows(large: Any, expected: Any, shift: int) -> bool:
    """Return whether a batch, flattened to the expected shape and shifted by some rows, equals what is expected."""
    return np.array_equal(np.roll(large.reshape(expected.shape), shift, axis=0), expected)


def _scale_free(*, exponent: int) -> Finding:
    """Find whether standardised advantages at eps = 0 ignore scale and origin of the rewards, up to float64's ends.

    The scales are powers of two, so that scaling is exact; ``exponent`` plants a factor 2**exponent in the expectation.
    """
    group = tuple(Fraction(x) for x in (3, -1, 0, 0, 2))
    floats = np.array(group, dtype=np.float64)

    def cases() -> Iterator[tuple[str, bool]]:
        for rule in ("grpo", "qae", "qae_linear"):
            options = Options(k=Fraction(11, 20), std="bessel", eps=Fraction(0))
            expected = [a * 2**exponent for a in oracle.advantages(group, rule, options)]
            # Beyond 2**512 a square overflows, below 2**-538 it vanishes.
            for power in (900, 500, -500, -1000):
                shipped = advantages(floats * 2.0**power, rule, **keywords(rule, options))
                yield f"{rule}, rewards times 2**{power}", near(shipped, expected)
        # Far from the origin the mean is rounded; the quantile and the deviations from the minimum are not.
        shipped = advantages(floats + 2.0**45, "qae", k="0.55", std="bessel", eps=0)
        expected = [a * 2**exponent for a in oracle.advantages(group, "qae", options)]
        yield "qae, rewards plus 2**45", near(shipped, expected)

    return for_all(cases(), "rescaled and shifted copies of (3, -1, 0, 0, 2)")


def _lone_responses(*, value: int) -> Finding:
    """Find whether a group of one has A = 0 under every rule that is defined for it; leave-one-out must refuse."""
    cases = [
        (
            rule,
            bool(np.all(advantages([[1.0], [0.0]], rule) == value)) and advantages([1], rule).shape == (1,),
        )
        for rule in oracle.RULES
        if rule != "rloo"
    ]
    # A mean over no other response does not exist, so refusing is the only answer.
    allowed = "rewards must be groups of at least 2 responses for 'rloo'; got [1.0]"
    cases.append(("rloo", _refused(partial(advantages, [1.0], "rloo"), allowed)))
    return for_all(cases, "rules at G = 1")


def _registry_matches(*, sources: Mapping[str, str]) -> Finding:
    """Find whether the registry has its names, sources and options, and refuses what it should.

    It refuses duplicates, unknown names, options that a rule does not have, and graded rewards for a binary rule.
    """
    rules = {name: get_estimator(name) for name in estimator_names()}
    listing = ", ".join(oracle.RULES)
    cases = [("names", list(rules)[:9] == list(oracle.RULES))]
    for name, source in sources.items():
        rule = rules[name]
        cases.append((f"{name}: source", rule.source == source and rule.name == name))
        cases.append((f"{name}: options", set(rule.defaults) == set(oracle.OPTION_NAMES[name])))
        cases.append((f"{name}: duplicate", _refused(partial(_register, name), f"name {name!r} is taken", listing)))
        # Every option that some rule has, and one that none has.
        foreign = sorted({"k", "std", "eps", "tau"} - set(oracle.OPTION_NAMES[name]))
        for option in foreign:
            allowed = f"{option} must be left out: {name!r} has the options {list(rule.defaults)}; got '0.5'"
            cases.append((f"{name}: {option}", _refused(partial(_call, name, option), allowed)))
        graded = _refused(partial(advantages, [1.0, 0.5], name), "rewards must be 0 or 1")
        cases.append((f"{name}: graded rewards", graded == (name in oracle.BINARY_ONLY)))
    for option, bad in (("k", "1.5"), ("std", "sample"), ("eps", -1)):
        cases.append(
            (
                f"{option}={bad}",
                _refused(partial(advantages, [1, 0], "qae", **{option: bad}), f"{option} must be"),
            )
        )
    cases.append(("entries are frozen", _frozen(rules["qae"])))
    unknowns: tuple[Any, ...] = ("ppo", None)
    for unknown in unknowns:
        cases.append(
            (
                f"unknown {unknown}",
                _refused(partial(get_estimator, unknown), "estimator must be one of", listing),
            )
        )
    methods: tuple[Any, ...] = ("nearest", None)
    for method in methods:
        refused = _refused(partial(quantile_baseline, [1, 0], "0.4", method=method), "method must be")
        cases.append((f"method {method}", refused))
    return for_all(cases, "entries and refusals")


def _frozen(rule: Estimator) -> bool:
    """Return whether an entry of the registry refuses to be changed."""
    try:
        rule.name = rule.name  # type: ignore[misc]
    except FrozenInstanceError:
        return True
    return False


def _register(name: str) -> None:
    register_estimator(name, lambda rewards, counts: rewards, source="none")


def _call(name: str, option: str) -> Any:
    return advantages([1.0, 0.0], name, **{option: "0.5"})


def _refused(call: Callable[[], Any], *fragments: str) -> bool:
    """Return whether the call raises a ValueError whose message holds all fragments."""
    try:
        call()
    except ValueError as error:
        return all(fragment in str(error) for fragment in fragments)
    return False


def _unused_rows_do_not_count(*, ghost: int) -> Finding:
    """Find whether a reward that occurs ``ghost`` = 0 times takes no part in range, mean, variance or rank."""
    group = tuple(Fraction(x) for x in (1, 1, 0, 0, 0))

    def cases() -> Iterator[tuple[str, bool]]:
        scaled = [
            (rule, std)
            for rule in sorted(set(oracle.RULES) - oracle.BINARY_ONLY)
            for std in ties.stds_to_meet(rule, "population")
        ]
        for rule, std in scaled:
            options = Options(k=Fraction(3, 5), std=std, eps=Fraction(0))
            settings = resolve_options(get_estimator(rule), keywords(rule, options))
            expected = oracle.advantages(group, rule, options)
            # Outside the range on either side, and in every position: an order statistic could pick it up anywhere.
            for outside in (9.0, -9.0):
                for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
                    values = np.array([[1.0, 0.0, outside]])[:, order]
                    counts = np.array([[2, 3, ghost]])[:, order]
                    shipped = weighted_advantages(values, counts, get_estimator(rule), settings)
                    right = np.array([[expected[0], expected[-1], 0]], dtype=np.float64)[:, order]
                    yield f"{rule}, {std}, {outside}, {order}", near(shipped, right)
                lone = weighted_advantages(
                    np.array([[1.0, outside]]), np.array([[4, 0]]), get_estimator(rule), settings
                )
                yield f"{rule}, {std}, {outside}, degenerate", bool(np.all(lone == ghost))

    return for_all(cases(), "(rule, reward that does not occur, order)")


def _kernels_match(*, divisor: int) -> Finding:
    """Find whether mean, leave-one-out mean and variances equal their definitions, counted and written out, exactly."""
    groups = [*graded_groups(2), *graded_groups(3), *graded_groups(5)]

    def cases() -> Iterator[tuple[str, bool]]:
        for group in groups:
            array, size = exact_array([group])[0], len(group)
            # Every reward twice: the counted group is the group beside itself.
            twice = np.full(size, 2)
            shown = ", ".join(map(str, group))
            yield (
                f"mean {shown}",
                same(baselines.group_mean(array, None).item(), sum(group) / Fraction(size + divisor)),
            )
            yield (
                f"mean, counted {shown}",
                same(baselines.group_mean(array, twice).item(), oracle.mean(group)),
            )
            for std in ("population", "bessel"):
                shipped = baselines.group_variance(array, None, std).item()
                yield f"{std} {shown}", same(shipped, oracle.variance(group, std))
                shipped = baselines.group_variance(array, twice, std).item()
                yield f"{std}, counted {shown}", same(shipped, oracle.variance(group + group, std))
            others = [oracle.mean(group[:i] + group[i + 1 :]) for i in range(size)]
            pairs = zip(baselines.leave_one_out_mean(array, None), others, strict=True)
            yield f"leave one out {shown}", all(same(a, b) for a, b in pairs)
        yield "size", int(baselines.group_sizes(np.zeros((3, 4)), None)) == 4
        constant = baselines.constant_baseline(np.zeros((3, 4)), 1)
        yield "constant", constant.tolist() == [1.0, 1.0, 1.0] and constant.dtype == np.float64
        yield "nothing counts", float(baselines.group_mean(np.zeros(3), np.zeros(3, dtype=int))) == 0.0
        yield "variance of one", float(baselines.group_variance(np.ones(1), None, "bessel")) == 0.0

    return for_all(cases(), "kernels on groups with ties")
