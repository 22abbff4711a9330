"""Make the tables and cards of the league's page from its stored figures, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulators.league_page.cards import Card
from simulators.methods import get_method, method_names

Data = Mapping[str, Any]
NOTHING = "none"
SIGNS = {"higher": 1, "lower": -1}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def situation_table(data: Data) -> str:
    """Return the table of two minutes: by situation what held, what did so in part, and what made it worse."""
    rows = []
    for situation in data["situations"]:
        by_verdict: dict[str, list[str]] = {}
        for rule, found in best_first(situation):
            by_verdict.setdefault(found["verdict"], []).append(rule)
        rows.append(
            [
                f"**{situation['name']}**",
                _named(by_verdict.get("held", [])),
                _named(by_verdict.get("at a price", [])),
                _named(by_verdict.get("in part", [])),
                _named([*by_verdict.get("worse", []), *by_verdict.get("both ways", [])]),
                f"{situation['measure']}, {situation['better']} is better; {'; '.join(situation['conditions'])}",
            ]
        )
    head = ["if ...", "held", "held, at a price in success", "in part", "worse somewhere", "evidence"]
    return table(head, rows)


def effect_table(data: Data, situation: Mapping[str, Any], most: int = 12) -> str:
    """Return the first rules of a situation by :func:`best_first`, with their differences in every condition."""
    conditions = situation["conditions"]
    rows = []
    for rule, found in best_first(situation)[:most]:
        cells = [f"`{rule}`", found["verdict"]]
        for condition in conditions:
            cells.append(interval_text(found["differences"][condition]))
        cells.append("; ".join(interval_text(found["price"][condition]) for condition in conditions))
        rows.append(cells)
    own = [interval_text(situation["reference"][condition]) for condition in conditions]
    rows.append([f"`{data['reference']}` itself", "", *own, ""])
    return table(["rule", "verdict", *conditions, "success, less the reference's"], rows)


def best_first(situation: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return a situation's rules, those with the largest mean effect in the better direction first."""
    sign = SIGNS[situation["better"]]

    def mean_effect(entry: tuple[str, Mapping[str, Any]]) -> float:
        effects = [found[0] * sign for found in entry[1]["differences"].values() if found is not None]
        return -sum(effects) / len(effects) if effects else float("inf")

    return sorted(situation["rules"].items(), key=mean_effect)


def tuned_table(data: Data) -> str:
    """Return the places after tuning, with what half and twice the own hyper-parameter cost."""
    conditions = list(data["tuned"])
    first = data["tuned"][conditions[0]]["success_mean"]
    rows = []
    for rule in sorted(first, key=lambda rule: first[rule]["rank"]["place"] if first[rule]["rank"] else len(first)):
        cells = [f"`{rule}`"]
        for condition in conditions:
            of_condition = data["tuned"][condition]
            found = of_condition["success_mean"][rule]
            chosen = of_condition["chosen"][rule]
            cells.append(rank_text(found["rank"]))
            cells.append(f"x{chosen['step_factor']:.3g}, x{chosen['own_factor']:g}")
            wrong = of_condition["wrong"].get(rule, {})
            cells.append(wrong_text(wrong))
        rows.append(cells)
    head = ["rule"]
    for condition in conditions:
        head += [f"{condition}: place", "step and own setting", "cost of half; twice"]
    return table(head, rows)


def noise_table(data: Data) -> str:
    """Return what a noisy verifier costs each rule in true success, the smallest total loss first."""
    conditions = list(data["noise"])
    rules = list(data["noise"][conditions[0]])
    losses = {rule: [data["noise"][condition][rule] for condition in conditions] for rule in rules}
    ordered = sorted(rules, key=lambda rule: -sum(loss[0] for loss in losses[rule] if loss is not None))
    rows = [[f"`{rule}`", *map(interval_text, losses[rule])] for rule in ordered]
    return table(["rule", *conditions], rows)


def every_condition(data: Data, measure: str) -> str:
    """Return a measure's differences to the reference in every condition; bold where told from 0.

    The reference's own mean stands in its row.
    """
    conditions = [name for name, measures in data["conditions"].items() if measure in measures]
    rows = []
    for rule in data["rules"]:
        cells = [f"`{rule}`"]
        for condition in conditions:
            cells.append(short_text(data["conditions"][condition][measure][rule]))
        rows.append(cells)
    return table(["rule", *conditions], rows)


def short_text(interval: Sequence[float] | None) -> str:
    """Return an estimate, bold where its interval excludes 0; a dash where there is none."""
    if interval is None:
        return "-"
    middle, low, high = interval
    return f"**{middle:+.2f}**" if low > 0 or high < 0 else f"{middle:+.2f}"


def method_cards(data: Data, known: Mapping[str, Card]) -> str:
    """Return a card for every rule of the run."""
    return "\n\n".join(method_card(rule, data, known.get(rule)) for rule in data["rules"])


def method_card(rule: str, data: Data, card: Card | None) -> str:
    """Return a rule's card: definition, source, claim, what was found, and cost.

    Args:
        rule: its name.
        data: the stored figures.
        card: what it is and claims; a rule of another package has none.
    """
    title = rule if card is None else card.title
    lines = [f"### {title} {{ #{rule} }}", ""]
    if card is not None:
        mark = " *Reconstructed: neither the full text nor code was at hand.*" if card.reconstructed else ""
        lines += [f"* **Definition.** {card.definition}{mark}"]
    source = get_method(rule).source if rule in method_names() else "another package"
    lines += [f"* **Source.** {source}; here `{rule}`."]
    if card is not None:
        lines += [f"* **Claim.** {card.claim}"]
    lines += [f"* **Found.** {found_text(rule, data)}"]
    cost = data["costs"].get(rule)
    lines += [f"* **Cost.** {cost_text(cost)}."]
    return "\n".join(lines)


def cost_text(cost: Sequence[float] | None) -> str:
    """Return what an update costs beside one of GRPO."""
    if cost is None:
        return "Not measured"
    on_bandits, on_trees = cost
    return f"{on_bandits:.2f} times an update of GRPO on bandits, {on_trees:.2f} times on token trees"


def found_text(rule: str, data: Data) -> str:
    """Return what the run says about a rule, in one line."""
    if rule == data["reference"]:
        return "It is what the others are compared with."
    texts = []
    for situation in data["situations"]:
        found = situation["rules"][rule]
        effects = [effect[0] for effect in found["differences"].values() if effect is not None]
        span = f" ({min(effects):+.3f} to {max(effects):+.3f})" if effects else ""
        texts.append(f"{situation['name']}: {found['verdict']}{span}")
    for condition, tuned in data["tuned"].items():
        rank = tuned["success_mean"][rule]["rank"]
        texts.append(f"tuned on {condition}: place {rank_text(rank)} of {len(data['rules'])}")
    return "; ".join(texts) + "."


def rank_text(rank: Mapping[str, int] | None) -> str:
    """Return a place with its interval."""
    return "-" if rank is None else f"{rank['place']} [{rank['best']}, {rank['worst']}]"


def interval_text(interval: Sequence[float] | None) -> str:
    """Return an interval as text; a dash where there is none."""
    if interval is None:
        return "-"
    middle, low, high = interval
    return f"{middle:+.3f} [{low:+.3f}, {high:+.3f}]"


def wrong_text(wrong: Mapping[str, Any]) -> str:
    """Return what half and twice the own setting cost; a dash where the rule has none or refuses it."""
    parts = []
    for name in ("half", "double"):
        lost = wrong.get(name)
        parts.append("-" if lost is None else f"{lost[0]:+.3f}")
    return "; ".join(parts)


def _named(rules: Sequence[str]) -> str:
    return ", ".join(f"`{rule}`" for rule in rules) or NOTHING
