"""Every setting of every experiment has a source and the value that stands there; the check sees what is planted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.recipes.compose import compose, config_dir, experiments
from llm_validation.cluster.recipes.sources import (
    CHOICE,
    Rule,
    Source,
    composed_numbers,
    config_faults,
    faults,
    leaves,
    look_up,
    open_choices,
    same,
    sources,
    toml_file,
    unused,
)
from tests.llm_validation.cluster.composed import composed

RULES = [rule for source in sources().values() for rule in source.rules]
# Values of scripts that are there for what is said of them: no setting is one of them.
REMARKS = {
    "dapo-script:sp_size",
    "dapo-script:nnodes",
    "dapo-script:lr_warmup_steps",
    "dapo-script:max_num_gen_batches",
}
# Stated by the paper and by the DAPO script.
BOTH = {
    "clip_low": "clip_ratio_low",
    "clip_high": "clip_ratio_high",
    "max_response_tokens": "max_response_length",
    "overlong_cache_tokens": "overlong_buffer_len",
    "global_batch_prompts": "train_prompt_bsz",
    "mini_batch": "train_prompt_mini_bsz",
    "learning_rate": "lr",
    "kl": "use_kl_loss",
}


def table(*rules: Rule) -> dict[str, Source]:
    return {key: Source(key, tuple(rule for rule in rules if rule.key == key)) for key in {rule.key for rule in rules}}


CLIP = Rule(key="clip", where="paper_facts:/training/clip_high")
EPSILON = Rule(key="clip", where="paper_facts:/table_1_dapo_epsilon_high/0.22#name", experiments=("*-eps022",))


def test_every_rule_points_at_a_value_that_is_there() -> None:
    for rule in RULES:
        value = rule.expected("smoke-qae")
        assert (rule.where == CHOICE) or rule.value is None
        assert (rule.where != CHOICE) or (value is not None and rule.note), rule.key


def test_the_first_rule_that_matches_counts() -> None:
    source = table(EPSILON, CLIP)["clip"]
    assert source.rule("qwen3-8b-eps022") is EPSILON
    assert source.rule("qwen3-8b-eps024") is CLIP
    assert table(EPSILON)["clip"].rule("qwen3-8b-eps024") is None


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("paper_facts:/training/clip_high", 0.28),
        ("paper_facts:/table_2/rows/0/0", "Qwen3-8B-Base"),
        ("paper_facts:/table_1_dapo_epsilon_high/0.20#name", "0.20"),
        ("dapo-script:n_resp_per_prompt", 16),
    ],
)
def test_places(where: str, value: object) -> None:
    assert look_up(where) == value


@pytest.mark.parametrize(
    "where",
    [
        "paper_facts:/training/clip_highest",
        "paper_facts:/table_1_dapo_epsilon_high/0.21#name",
        "paper_facts:/table_2/rows/8/0",
        "dapo-script:clip",
        "our-script:clip_ratio_low",
    ],
)
def test_a_place_that_is_not_there_is_an_error(where: str) -> None:
    with pytest.raises(LookupError):
        look_up(where)


def test_paper_and_script_agree_except_on_the_warm_up() -> None:
    for paper, script in BOTH.items():
        assert same(look_up(f"paper_facts:/training/{paper}"), look_up(f"dapo-script:{script}")), paper
    assert not same(look_up("paper_facts:/training/warmup"), look_up("dapo-script:lr_warmup_steps"))
    for side in ("low", "high"):
        paper = look_up(f"paper_facts:/training/gspo/clip_{'left' if side == 'low' else 'right'}")
        assert same(paper, look_up(f"gspo-script:clip_ratio_{side}"))
    prompts, mini_batch = look_up("gspo-script:train_batch_size"), look_up("gspo-script:ppo_mini_batch_size")
    assert prompts == look_up("paper_facts:/training/global_batch_prompts")
    assert prompts / mini_batch == look_up("paper_facts:/training/gspo/gradient_accumulation")


def test_scripts_are_named_to_the_commit_and_hold_nothing_that_is_not_used() -> None:
    used = {rule.where for rule in RULES} | REMARKS | {f"dapo-script:{name}" for name in BOTH.values()}
    used |= {f"gspo-script:{name}" for name in ("clip_ratio_low", "clip_ratio_high", "train_batch_size")}
    for name, script in toml_file("scripts.toml").items():
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", script["repository"])
        assert re.fullmatch(r"[0-9a-f]{40}", script["commit"])
        assert script["path"].endswith(".sh")
        assert {f"{name}:{value}" for value in script["values"]} <= used


def test_open_choices_are_the_papers_and_whole_sentences() -> None:
    assert any("group size" in choice for choice in open_choices("qwen3-8b-clip-higher"))
    assert any("K of this row" in choice for choice in open_choices("qwen3-8b-kl-cov-qae"))
    assert not any("K of this row" in choice for choice in open_choices("qwen3-8b-clip-higher-qae"))
    assert not any("standard deviation" in choice for choice in open_choices("qwen3-8b-clip-higher"))
    assert not any("length of this run" in choice for choice in open_choices("qwen3-8b-clip-higher-qae-k06"))
    assert open_choices("theory-qae") == open_choices("smoke-grpo") == []
    for choice in {choice for name in experiments() for choice in open_choices(name)}:
        assert re.fullmatch(r"[A-Z].*\.", choice)


def test_leaves_and_same() -> None:
    assert leaves({"a": {"b": {"c": 1}}, "d": [{"e": 2}]}) == {"a.b.c": 1, "d": [{"e": 2}]}
    equal: list[tuple[Any, Any]] = [(1e-6, 0.000001), ("0.4", 0.4), (3, 3.0), ([], []), ("a", "a"), (None, None)]
    unequal: list[tuple[Any, Any]] = [(0.4, 0.40001), (1, True), (0, False), ([], ["a"]), ("a", "b"), (None, 0)]
    assert all(same(*pair) for pair in equal)
    assert not any(same(*pair) for pair in unequal)


# Negative controls, without verl.


def test_a_changed_number_is_seen() -> None:
    assert faults("a", {"clip": 0.28}, {"clip"}, table(CLIP)) == []
    found = faults("a", {"clip": 0.3}, {"clip"}, table(CLIP))
    assert found == ["clip = 0.3, but paper_facts:/training/clip_high has 0.28"]
    # also where verl's own value is the source's
    assert faults("a", {"clip": 0.3}, set(), table(CLIP)) == found


def test_a_setting_without_a_source_is_seen() -> None:
    settings = {"clip": 0.28, "seed": 1, "stock": 2}
    assert faults("a", settings, {"clip", "seed"}, table(CLIP)) == ["seed = 1 has no source"]
    # a rule for other experiments is none
    assert faults("a", settings, {"clip"}, table(EPSILON)) == ["clip = 0.28 has no source"]


def test_a_rule_that_nothing_uses_is_seen() -> None:
    rules = table(EPSILON, CLIP)
    assert unused({"a": {"clip"}, "a-eps022": {"clip"}}, rules) == []
    assert len(unused({"a": {"clip"}}, rules)) == 1  # no such experiment
    assert len(unused({"a": {"seed"}, "a-eps022": {"clip"}}, rules)) == 1  # no such key
    assert len(unused({"a-eps022": {"clip"}}, rules)) == 1  # an earlier rule takes all


# With verl.


@pytest.mark.verl
@pytest.mark.parametrize("experiment", experiments())
def test_every_setting_has_its_sources_value(experiment: str) -> None:
    assert config_faults(experiment, composed(experiment)) == []


@pytest.mark.verl
def test_every_rule_is_used() -> None:
    from omegaconf import OmegaConf

    keys = {name: set(leaves(OmegaConf.to_container(composed(name), resolve=False))) for name in experiments()}
    assert unused(keys) == []


def files() -> list[Path]:
    return sorted(config_dir().rglob("*.yaml"))


@pytest.mark.verl
@pytest.mark.parametrize("file", files(), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_line_of_the_files_has_a_source(file: Path) -> None:
    """Also lines that repeat verl's own value, which a comparison with verl's configuration does not show."""
    from omegaconf import OmegaConf

    written = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    written.pop("defaults", None)
    assert set(leaves(written)) - {""} <= set(sources())


@pytest.mark.verl
@pytest.mark.parametrize(
    ("override", "seen"),
    [
        ("actor_rollout_ref.actor.clip_ratio_high=0.3", "has 0.28"),
        ("algorithm.quantile_k='0.41'", "has 0.4"),
        ("actor_rollout_ref.actor.optim.lr=1.1e-6", "has 1e-06"),
        ("actor_rollout_ref.rollout.n=8", "has 16"),
        ("actor_rollout_ref.rollout.temperature=0.9", "has 1.0"),  # here the source's value is verl's own
        ("data.max_response_length=20481", "has 20480"),
        ("cluster.job=elsewhere", "jobs/"),
        ("trainer.total_epochs=31", "has no source"),
        ("+trainer.probe.often=1", "has no source"),
        ("part/model=qwen3-14b", "has 'Qwen/Qwen3-8B-Base'"),
    ],
)
def test_an_override_shows_as_a_departure_from_the_sources(override: str, seen: str) -> None:
    found = config_faults("qwen3-8b-clip-higher-qae", compose("qwen3-8b-clip-higher-qae", [override]))
    assert len(found) == (3 if override.startswith("part/") else 1)
    assert any(seen in fault for fault in found)


@pytest.mark.verl
def test_only_what_differs_from_verls_own_is_listed() -> None:
    numbers = composed_numbers(composed("qwen3-8b-clip-higher"))
    assert numbers["actor_rollout_ref.actor.clip_ratio_high"] == 0.28
    assert "actor_rollout_ref.actor.clip_ratio_low" not in numbers  # 0.2, as in verl
    assert "actor_rollout_ref.rollout.response_length" not in numbers  # verl's own reference to data.*
