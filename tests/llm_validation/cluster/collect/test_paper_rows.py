"""The rows are the paper's and this suite's experiments, and what keeps a run from being one."""

from __future__ import annotations

import pytest

from llm_validation.cluster.claims.criteria import CLAIMS
from llm_validation.cluster.collect.logs.run_settings import RunSettings
from llm_validation.cluster.collect.paper_rows import ROWS, TABLE_1, TABLE_2, unlike
from llm_validation.cluster.recipes.compose import experiments
from qae_theory.paper import paper_facts

NAME = "qwen3-8b-clip-higher-qae-k06"
RIGHT = RunSettings(model="Qwen/Qwen3-8B-Base", estimator="qae", k="3/5", clip_high=0.28)


def test_every_row_can_be_launched_and_every_paper_experiment_is_a_row() -> None:
    assert set(ROWS) == {name for name in experiments() if name.startswith("qwen3-")}


def test_the_tables_are_the_papers() -> None:
    facts = paper_facts()
    assert set(TABLE_1) == set(facts["table_1_dapo_epsilon_high"]) - {"metric"}
    assert list(TABLE_2) == [(row[0], row[1]) for row in facts["table_2"]["rows"]]
    for (model, method), name in TABLE_2.items():
        assert ROWS[name].model == model
        assert ROWS[name].estimator == ("qae" if method.endswith("+ QAE") else "grpo")
    assert {ROWS[name].clip_high for name in TABLE_1.values()} == {float(level) for level in TABLE_1}
    assert all(name in ROWS for claim in CLAIMS.values() for name in claim.rows)


def test_a_run_as_its_name_says() -> None:
    free = ["cluster.data=/data", "+trainer.probe.every=1", "trainer.nnodes=8", "data.seed=2", "part/cluster=8x8"]
    free += ["actor_rollout_ref.rollout.n=8", "actor_rollout_ref.rollout.agent.num_workers=2"]
    assert unlike(NAME, RIGHT, free) == []
    assert unlike(NAME, RunSettings(), []) == []  # nothing is known against it
    assert unlike("qwen3-8b-clip-cov", RunSettings(clip_high=1.0), []) == []  # its range is another thing


@pytest.mark.parametrize(
    ("settings", "overrides", "says"),
    [
        ({"model": "/models/tiny-qwen3"}, [], "the model is tiny-qwen3, not Qwen3-8B-Base"),
        ({"estimator": "qae_linear"}, [], "the estimator is qae_linear, not qae"),
        ({"k": "0.4"}, [], "K is 0.4, not 0.6"),
        ({"clip_high": 0.2}, [], "epsilon_high is 0.2, not 0.28"),
        ({}, ["data.train_batch_size=8"], "data.train_batch_size=8 changes what the row fixes"),
        ({}, ["++actor_rollout_ref.actor.optim.lr=1e-4"], "++actor_rollout_ref.actor.optim.lr=1e-4 changes what"),
        ({}, ["actor_rollout_ref.rollout.name=hf"], "actor_rollout_ref.rollout.name=hf changes what"),
        ({}, ["data.seedling=1"], "data.seedling=1 changes what"),
        ({}, ["trainer.v1.trainer_mode=separate_async"], "trainer.v1.trainer_mode=separate_async changes what"),
    ],
)
def test_a_run_that_is_not_what_its_name_says(settings: dict[str, str], overrides: list[str], says: str) -> None:
    (reason,) = unlike(NAME, RunSettings(**{**RIGHT.record(), **settings}), overrides)
    assert reason.startswith(says)


def test_other_names_are_no_rows() -> None:
    assert unlike("smoke-qae", RunSettings(), []) == ["its name is not that of a row"]


@pytest.mark.verl
@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_what_its_experiment_composes_to(name: str) -> None:
    from llm_validation.cluster.collect.logs.run_settings import settings_of_verl
    from tests.llm_validation.cluster.composed import composed, resolved

    settings = settings_of_verl(resolved(composed(name)))
    row = ROWS[name]
    assert unlike(name, settings, []) == []
    assert settings.estimator == row.estimator
    assert row.k in (None, settings.k)
    assert row.clip_high in (None, settings.clip_high)
    assert (row.clip_high is None) == any(method in name for method in ("cov", "gspo"))
    other = next(one for one in ROWS if ROWS[one] != row and ROWS[one].estimator != row.estimator)
    assert unlike(other, settings, []) != []  # the control
