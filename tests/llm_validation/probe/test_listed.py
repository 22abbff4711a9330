"""A probe over the leaves of a trie against the complete enumeration, its terms, its step sizes and its switches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from llm_validation.models.presets import build_model, preset_tokenizer
from llm_validation.models.warmup import answer_log_probs
from llm_validation.probe.batch import ProbeConfig, make_stepper
from llm_validation.probe.listed import Listed
from llm_validation.probe.measures import Enumerated
from llm_validation.probe.probe import probe
from llm_validation.probe.rollouts import moved_mass, taken_at
from llm_validation.probe.stepper import Stepper
from llm_validation.probe.steps import Setting
from llm_validation.tasks import load_examples

pytestmark = pytest.mark.train

ARMS = ("constant-0", "mean", "qae-0.4")


@pytest.fixture(scope="module")
def taught() -> tuple[Any, Any]:
    """A model that is sometimes right on both tasks."""
    import torch

    model, tokenizer = build_model("arithmetic", seed=0), preset_tokenizer("arithmetic")
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for seed in range(40):
        optimiser.zero_grad()
        for task in ("digits", "addition"):
            (-answer_log_probs(model, tokenizer, load_examples(task, count=64, seed=seed)).mean()).backward()
        optimiser.step()
    return model, tokenizer


def stepper(taught: tuple[Any, Any], **changes: Any) -> Stepper:
    settings = {"task": "addition", "prompts": 3, "group_size": 8, "max_new_tokens": 3, "threshold": 1e-2}
    made = make_stepper(*taught, ProbeConfig(**settings | changes))
    if (settings | changes)["task"] == "addition":  # too hard for this model: every third response is called right
        made.batch.rewards[:] = 0.0
        made.batch.rewards[:, ::3] = 1.0
    return made


def columns(rows: list[dict[str, Any]], name: str) -> Any:
    return np.array([row[name] for row in rows])


def test_a_complete_trie_measures_what_the_enumeration_does(taught: tuple[Any, Any]) -> None:
    whole = stepper(taught, task="digits", max_new_tokens=2, threshold=0.0)
    assert isinstance(whole.measure, Enumerated)
    model, tokenizer = taught
    from llm_validation.probe.trie import complete_trie

    trie = complete_trie(3, length=2, ends=(tokenizer.eos_token_id,), vocabulary=len(tokenizer))
    # The enumeration lists responses by length, the trie by context: rewards by the leaves' own order.
    rewards = np.concatenate([_by_context(whole.measure, query) for query in range(3)])
    listed = Listed(whole.batch, trie, rewards, pad=tokenizer.pad_token_id)
    other = Stepper(model, whole.batch, listed, pad=tokenizer.pad_token_id, order=np.arange(24))
    settings = [Setting(learning_rate=0.5), Setting(optimiser="adam", size=0.1)]
    one, two = (probe(each, settings, ARMS) for each in (whole, other))
    for name in one[0]:
        if isinstance(one[0][name], float):
            # Sums over 273 responses in another order; differences of entropies of size one.
            np.testing.assert_allclose(columns(one, name), columns(two, name), rtol=1e-9, atol=1e-12)
    assert {row["functional"] for row in one} == {"all responses"}
    assert {row["functional"] for row in two} == {"leaves of a trie"}


def _by_context(measure: Enumerated, query: int) -> Any:
    tree = measure._tree
    place = {response: number for number, response in enumerate(tree.responses())}
    prefixes = [tuple(prefix) for depth in range(tree.length) for prefix in tree.prefixes(depth).tolist()]
    leaves = [(*p, t) for p in prefixes for t in range(tree.vocabulary) if len(p) + 1 == tree.length or t == tree.end]
    return measure._arm_rewards[query][[place[leaf] for leaf in leaves]]


@pytest.mark.parametrize("changes", [{}, {"threshold": 0.0}, {"task": "digits", "max_new_tokens": 2}])
def test_both_terms_add_up_to_the_measured_change(taught: tuple[Any, Any], changes: dict[str, Any]) -> None:
    made = stepper(taught, **changes)
    rows = probe(made, [Setting(size=0.1), Setting(size=0.5)], ARMS)
    frozen, visiting, change = (columns(rows, name) for name in ("frozen", "visiting", "change"))
    if made.measure.functional.startswith("contexts"):
        np.testing.assert_allclose(frozen, change, rtol=1e-9, atol=1e-13)  # along rollouts that is all that is seen
        assert np.isnan(columns(rows, "open_mass")).all()
    else:
        np.testing.assert_allclose(frozen + visiting, change, rtol=0, atol=1e-9)
        assert np.abs(frozen - change).max() > 1e-4
    assert np.abs(visiting).max() > 1e-4


def test_terms_estimated_from_rollouts_are_those_of_the_trie(taught: tuple[Any, Any]) -> None:
    """On a trie of nearly all responses: means over prompts within five standard errors of the estimate."""
    exact = stepper(taught, threshold=1e-6, prompts=2, group_size=8)
    change = exact.change(Setting(size=0.5).unit, exact.batch.rewards)
    rate = exact.rate(Setting(size=0.5))
    many = stepper(taught, threshold=0.0, prompts=2, group_size=3000)
    assert [list(p) for p in many.batch.prompts] == [list(p) for p in exact.batch.prompts]
    moved = {name: value + rate * change[name] for name, value in exact._parameters.items()}
    ends = exact.measure.chain(exact.before, exact._log_probs(moved))
    measure, after = many.measure, many._log_probs(moved)
    found = measure.chain(many.before, after)
    spread = _standard_errors(many, after)
    for truth, estimate, error in zip(ends, found, spread, strict=True):
        assert np.all(np.abs(truth - estimate) < 5 * error + 1e-4)  # what the trie leaves out is below 1e-4 nats
        assert np.abs(truth).max() > 10 * error.min()


def _standard_errors(many: Stepper, after: Any) -> tuple[Any, Any]:
    from llm_validation.probe.chain import chain_of_rollouts

    contexts = many.measure.contexts
    each = chain_of_rollouts(
        many.before, after, row=contexts.row, tokens=many.batch.tokens(), owner=contexts.row, group_size=1
    )
    frozen, visiting = (term.reshape(2, -1).std(axis=1, ddof=1) / np.sqrt(term.size / 2) for term in each)
    return frozen, visiting


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_size_is_the_predicted_displacement_of_the_reference_arm(taught: tuple[Any, Any], optimiser: str) -> None:
    made = stepper(taught)
    weights = made.batch.rewards - made.batch.rewards.mean(axis=1, keepdims=True)
    for size in (0.01, 0.3):
        setting = Setting(optimiser=optimiser, size=size)
        rate = made.rate(setting)
        given = setting.model_copy(update={"size": None, "learning_rate": rate})
        first = made._along(made.change(given, weights)).derivatives.first
        # The given step is read off float32 parameters.
        assert made.measure.displacement(made.before, first) == pytest.approx(size, rel=1e-3)
    assert made.rate(Setting(learning_rate=0.7)) == 0.7


def test_sized_steps_are_the_same_steps_taken_one_by_one(taught: tuple[Any, Any]) -> None:
    made = stepper(taught)
    sized = probe(made, [Setting(size=0.05), Setting(size=0.5)], ("constant-0",))
    rates = sorted({row["learning_rate"] for row in sized})
    assert rates[1] == pytest.approx(10 * rates[0])
    single = [row for rate in rates for row in probe(made, [Setting(learning_rate=rate)], ("constant-0",))]
    for name in ("change", "first_order", "second_order", "identity", "frozen", "visiting"):
        np.testing.assert_allclose(columns(sized, name), columns(single, name), rtol=1e-3, atol=1e-9)


def test_a_batch_without_a_mixed_group_has_no_size(taught: tuple[Any, Any]) -> None:
    made = stepper(taught)
    made.batch.rewards[:] = 1.0
    assert made.rate(Setting(size=0.1)) is None
    assert probe(made, [Setting(size=0.1)], ("constant-0",)) == []
    assert len(probe(made, [Setting(size=0.1), Setting(learning_rate=0.1)], ("constant-0",))) == 3


@pytest.mark.parametrize("threshold", [1e-4, 0.0], ids=["listed", "sampled"])
def test_first_order_by_itself_is_that_of_the_rung(taught: tuple[Any, Any], threshold: float) -> None:
    made = stepper(taught, threshold=threshold)
    setting = Setting(learning_rate=0.05)
    rows = probe(made, [setting], ("constant-0",))
    found = made.first_order(setting, made.batch.rewards)
    np.testing.assert_allclose(found, columns(rows, "first_order"), rtol=1e-9)
    assert np.abs(found).max() > 1e-4


def test_in_single_precision_the_measured_change_stays_within_bounds_at_its_own_displacement(
    taught: tuple[Any, Any],
) -> None:
    """The control: probabilities that sum to 1 but for single precision put a small change outside."""
    made = stepper(taught, precision="float32")
    setting = Setting(size=1e-3)

    def outside() -> int:
        rows = probe(made, [setting], ("constant-0", "mean", "constant-1"))
        low, change, high = (columns(rows, name) for name in ("guaranteed_low", "change", "guaranteed_high"))
        return int(((change < low) | (change > high)).sum())

    assert outside() == 0
    plain = made._log_probs
    made._log_probs = lambda parameters: plain(parameters).astype("float32").astype("float64")
    made.before = made._log_probs(made._parameters)
    assert outside() > 0


def test_arms_that_give_the_same_advantages_share_a_step(taught: tuple[Any, Any], monkeypatch: Any) -> None:
    made = stepper(taught)
    made.batch.rewards[:] = np.eye(1, made.batch.group_size)  # one right answer a group: every K up to 7/8 gives b = 0
    taken: list[Any] = []
    step = made.change
    monkeypatch.setattr(made, "change", lambda *given: taken.append(given) or step(*given))
    same = ("constant-0", "quantile-0.2", "quantile-0.4")
    rows = probe(made, [Setting(size=0.05), Setting(size=0.5)], (*same, "mean", "constant-1"))
    # One step for the three, one for constant-1, and the reference arm's for the sizes and for its own rows.
    assert len(taken) == 3
    assert [len([row for row in rows if row["arm"] == arm]) for arm in (*same, "mean", "constant-1")] == [6] * 5
    changes = {arm: columns([row for row in rows if row["arm"] == arm], "change") for arm in (*same, "constant-1")}
    np.testing.assert_array_equal(changes["constant-0"], changes["quantile-0.4"])
    assert np.abs(changes["constant-0"] - changes["constant-1"]).max() > 1e-4


def test_a_size_of_several_updates_is_refused() -> None:
    with pytest.raises(ValidationError, match="size must be of one update without rounding; got 4 and none"):
        Setting(size=0.1, updates=4)
    with pytest.raises(ValidationError, match="size must be of one update"):
        Setting(size=0.1, rounding="parameters")


def test_held_logits_stay_where_nothing_was_sampled(taught: tuple[Any, Any]) -> None:
    """A tabular last layer would not move them at all; a network's other rows may still pull them along."""
    made = stepper(taught)
    free, held = (
        probe(made, [Setting(learning_rate=0.05, hold_unsampled=hold)], ("constant-0",)) for hold in (False, True)
    )
    assert columns(held, "moved").min() > 0
    assert np.abs(columns(free, "change") - columns(held, "change")).max() > 1e-4
    for row in (*free, *held):
        assert 0 <= row["moved_unsampled"] <= row["moved"] <= 1


def test_a_held_logit_has_no_gradient(taught: tuple[Any, Any]) -> None:
    import torch

    made = stepper(taught, prompts=2, group_size=4)
    sampled = made.batch.sampled(17)
    model, _ = taught
    seen: list[Any] = []
    handle = model.lm_head.register_full_backward_hook(lambda module, inner, outer: seen.append(outer[0].clone()))
    try:
        for hold in (True, False):
            made.change(Setting(learning_rate=0.1, hold_unsampled=hold), made.batch.rewards + 0.5)
    finally:
        handle.remove()
    contexts = made._rollouts
    for hold, gradient in zip((True, False), seen, strict=True):
        at = gradient[torch.as_tensor(contexts.row), torch.as_tensor(contexts.column)].numpy()
        assert (np.abs(at[~sampled]).max() == 0) == hold
        assert np.abs(at[sampled]).max() > 0


def test_each_switch_makes_another_step(taught: tuple[Any, Any]) -> None:
    made = stepper(taught)
    base: dict[str, Any] = {"optimiser": "adam", "learning_rate": 1e-3, "updates": 2}
    switches: list[dict[str, Any]] = [
        {},
        {"rounding": "log_probs"},
        {"rounding": "parameters"},
        {"hold_unsampled": True},
        {"per_response": True},
        {"adam_eps": 1e-2},
    ]
    changes = [columns(probe(made, [Setting(**base | one)], ("qae-0.4",)), "change") for one in switches]
    for first in range(len(changes)):
        for second in range(first):
            assert np.abs(changes[first] - changes[second]).max() > 1e-6


def test_per_response_weighs_tokens_by_their_response() -> None:
    from llm_validation.probe.steps import token_shares

    row = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(token_shares(row, Setting()), 1 / 4)
    np.testing.assert_allclose(token_shares(row, Setting(per_response=True)), [1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_float32_measures_nearly_the_same(taught: tuple[Any, Any]) -> None:
    settings = [Setting(size=0.3)]
    exact, rough = (probe(stepper(taught, precision=kind), settings, ARMS) for kind in ("float64", "float32"))
    for name in ("change", "first_order", "second_order"):
        # Entropies of size one in float32: 1e-7 each, sums of a hundred.
        np.testing.assert_allclose(columns(exact, name), columns(rough, name), atol=2e-4)


def test_a_trie_of_answers_has_what_answers_begin_with(taught: tuple[Any, Any]) -> None:
    made = stepper(taught, threshold=0.0, answers=True, max_new_tokens=3)
    assert isinstance(made.measure, Listed)
    tokenizer = taught[1]
    examples = load_examples("addition", count=512, seed=0)
    wanted = {tuple(tokenizer(one.answer).input_ids[:depth]) for one in examples for depth in (1, 2)}
    wanted = {prefix for prefix in wanted if len(prefix) < 3}
    there = set(made.measure._trie.prefixes())
    assert wanted <= there
    rows = probe(made, [Setting(size=0.1)], ("mean",))
    assert ((columns(rows, "open_mass") > 0) & (columns(rows, "open_mass") < 1)).all()


def test_questions_of_a_run_are_among_its_own() -> None:
    from llm_validation.probe.batch import questions

    config = ProbeConfig(task="addition", prompts=8, seed=3, questions_seed=5)
    own = load_examples("addition", count=160, seed=5)
    asked = questions(config, np.random.default_rng(3))
    assert len({one.prompt for one in asked}) == 8
    assert all(one in own for one in asked)
    other = questions(config.model_copy(update={"seed": 4}), np.random.default_rng(4))
    assert [one.prompt for one in other] != [one.prompt for one in asked]


def test_tokens_taken_at_a_context_and_mass_moved() -> None:
    sampled = taken_at(np.array([0, 1, 0]), np.array([2, 0, 1]), 3)
    assert sampled.tolist() == [[False, True, True], [True, False, False], [False, True, True]]
    before, after = np.log([[0.5, 0.25, 0.25]] * 3), np.log([[0.3, 0.3, 0.4]] * 3)
    total, never = moved_mass(before, after, sampled, np.array([0, 1, 0]), 2)
    np.testing.assert_allclose(total, [0.2, 0.2])
    np.testing.assert_allclose(never, [0.1, 0.1])
