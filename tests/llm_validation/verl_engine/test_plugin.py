"""The plug-in inside verl: how it is found, what `compute_advantage` returns with it, beside verl's own `grpo`.

Batches are as verl's trainer has them: padded responses of different lengths with holes in their masks, the groups'
rows mixed, uid strings. The expected advantages are computed in Fractions, and once more by ``qae_theory``.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tests import ROOT, strategies
from tests.llm_validation.probe import batches
from tests.llm_validation.probe.batches import BINARY, ONE_ROUNDING, Batch, differing, exact, in_float64

pytestmark = pytest.mark.verl

NAMES = ("qae", "qae_linear", "pos_mask", "neg_mask")
MEANS = ("grpo", "grpo_vectorized")
# verl's mean baseline is in float32: a rounding or so for each of mean, difference, std and quotient, groups <= 20.
FLOAT32 = 2e-6


@pytest.fixture(scope="module")
def plugin() -> Any:
    return importlib.import_module("llm_validation.verl_engine.plugin")


@pytest.fixture
def registry() -> Any:
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY

    return ADV_ESTIMATOR_REGISTRY


# How it is found


def in_a_new_process(code: str, **environment: str) -> str:
    """Last line that the code prints."""
    code += (
        "\nfrom verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY as r\nprint(*(n for n in r if n in NAMES))"
    )
    given = {key: value for key, value in os.environ.items() if not key.startswith("VERL_")}
    run = subprocess.run(
        [sys.executable, "-c", f"NAMES = {NAMES}\n{code}"],
        env={**given, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout.splitlines()[-1]


@pytest.mark.parametrize("found", [True, False])
def test_verl_finds_the_plug_in_by_its_entry_point(found: bool) -> None:
    environment = {} if found else {"VERL_USE_EXTERNAL_PLUGINS": "none"}
    assert in_a_new_process("import verl", **environment) == (" ".join(NAMES) if found else "")


def test_it_may_be_imported_before_verl_and_again() -> None:
    code = "import importlib, llm_validation.verl_engine.plugin as p\nassert p.registered() == NAMES\n"
    assert in_a_new_process(code + "importlib.reload(p)\nimportlib.reload(p)") == " ".join(NAMES)


def test_it_may_be_named_as_an_external_module_too() -> None:
    twice = "llm_validation.verl_engine.plugin,llm_validation.verl_engine.plugin"
    assert in_a_new_process("import verl", VERL_USE_EXTERNAL_MODULES=twice) == " ".join(NAMES)


def test_it_may_be_run_again_as_a_file(plugin: Any, registry: Any) -> None:
    """As verl does with a reward function that is named by its path."""
    from verl.utils.import_utils import load_extern_object

    before = registry["qae"]
    for path in (plugin.__file__, "pkg://llm_validation.verl_engine.plugin"):
        score = load_extern_object(path, "compute_score")
        assert score("math_dapo", "Answer: 7", "7")["score"] == 1.0
        assert plugin.registered() == NAMES
    assert registry["qae"] is not before


def test_a_name_that_is_taken_is_refused(plugin: Any, registry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry, "qae", lambda **_: None)
    with pytest.raises(ValueError, match="qae has already been registered"):
        plugin._register("qae")
    assert plugin.registered() == NAMES[1:]


def test_registered_reads_the_registry_now(plugin: Any, registry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plugin.ESTIMATORS == plugin.registered() == NAMES
    monkeypatch.delitem(registry, "pos_mask")
    assert plugin.registered() == ("qae", "qae_linear", "neg_mask")


# Faults that verl swallows


def plant(folder: Path, *, distribution: str, entry: str, body: str) -> None:
    """A distribution with one entry point in verl's group, and the module that it names."""
    info = folder / f"{distribution.replace('-', '_')}-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[verl.plugins]\n{entry} = planted_{entry}\n")
    (folder / f"planted_{entry}.py").write_text(body)


@pytest.mark.parametrize("policy", [None, "qae", "AUTO", "another, qae"])
def test_there_is_no_fault_to_report(plugin: Any, policy: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if policy is not None:
        monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", policy)
    assert plugin.import_error() is None


def test_a_broken_plug_in_is_silent_in_verl_and_found_here(
    plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, distribution="other", entry="broken", body='raise RuntimeError("two\\nlines")\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert plugin.discovered() == NAMES
    monkeypatch.syspath_prepend(tmp_path)
    assert plugin.import_error() == "plug-in broken = planted_broken: RuntimeError: two lines"


def test_our_own_plug_in_broken_is_found(plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of our name that comes first hides the entry point of the true one."""
    plant(tmp_path, distribution="qae-verification", entry="qae", body="import a_module_that_is_not_there\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert plugin.discovered() == ()
    assert plugin.registered() == NAMES  # here it was imported by name
    monkeypatch.syspath_prepend(tmp_path)
    message = plugin.import_error()
    assert "no entry point of the group verl.plugins is llm_validation.verl_engine.plugin" in message
    assert "plug-in qae = planted_qae: ModuleNotFoundError: No module named 'a_module_that_is_not_there'" in message
    assert "\n" not in message


@pytest.mark.parametrize("policy", ["none", "another", ""])
def test_a_policy_that_keeps_the_plug_in_out_is_said(plugin: Any, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", policy)
    assert plugin.import_error().startswith(f"VERL_USE_EXTERNAL_PLUGINS={policy} keeps the plug-in")


def test_a_verl_that_cannot_be_imported_is_said(plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "verl").mkdir()
    (tmp_path / "verl" / "__init__.py").write_text('raise ImportError("planted")\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"^`import verl` fails in a new process: ImportError: planted$"):
        plugin.discovered()


# Parity on batches


def proto(
    scores: Sequence[Any],
    index: Any,
    lengths: Sequence[int],
    *,
    holes: Sequence[int] = (),
    dtype: str = "float32",
    mask: str = "int64",
) -> Any:
    """Responses padded on the right, the score at the last token; a hole is a token of all that is not the model's."""
    import torch
    from verl import DataProto

    size = torch.tensor(lengths)
    response_mask = (torch.arange(max(lengths))[None] < size[:, None]).to(getattr(torch, mask))
    for hole in holes:
        response_mask[:, hole % max(lengths)] = 0
    rewards = torch.zeros(response_mask.shape, dtype=getattr(torch, dtype))
    values = torch.tensor([float(x) for x in scores], dtype=rewards.dtype)
    rewards[torch.arange(len(size)), size - 1] = values
    tensors = {"token_level_rewards": rewards, "response_mask": response_mask}
    return DataProto.from_dict(tensors=tensors, non_tensors={"uid": Batch(list(scores), list(index)).ids()})


def computed(data: Any, estimator: str, config: Any = None, **options: Any) -> Any:
    from verl.trainer.ppo.ray_trainer import compute_advantage

    return compute_advantage(data, adv_estimator=estimator, config=config, **options)


def scalars(data: Any) -> list[float]:
    """The one advantage of each response; checks that its tokens share it and the others have 0."""
    import torch

    advantages, mask = data.batch["advantages"], data.batch["response_mask"]
    assert data.batch["returns"] is advantages
    at = mask.long().argmax(dim=1, keepdim=True)
    each = advantages.gather(1, at)
    assert torch.equal(advantages, each * mask)
    return each[:, 0].tolist()


def counted(group: Sequence[F], estimator: str) -> list[F]:
    """The rewards that the estimator works on: bits for the masks."""
    return [F(x > 0) for x in group] if estimator in BINARY else list(group)


@pytest.mark.parametrize("estimator", NAMES)
@given(data=st.data())
def test_compute_advantage_is_the_exact_advantage_rounded_once(estimator: str, data: st.DataObject) -> None:
    kinds = [strategies.binary_groups(), batches.signed(strategies.binary_groups())]
    kinds += [] if estimator in BINARY else [strategies.dapo_groups()]
    batch = data.draw(batches.batches(data.draw(st.sampled_from(kinds))))
    rows = len(batch.scores)
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=rows, max_size=rows))
    holes = [hole for hole in data.draw(st.lists(st.integers(1, 8), max_size=2)) if hole < max(lengths)]
    k, std = data.draw(strategies.levels()), data.draw(st.sampled_from([None, "population", "bessel", "none"]))
    config = {"quantile_k": f"{k.numerator}/{k.denominator}", **({} if std is None else {"advantage_std": std})}
    options = {"k": k, **({} if std is None else {"std": std})}
    expected = batch.map_groups(lambda group: exact(counted(group, estimator), estimator, **options))
    got = scalars(computed(proto(batch.scores, batch.index, lengths, holes=holes), estimator, config))
    assert differing(got, expected) == []
    if std != "none":
        theory = batch.map_groups(lambda group: in_float64(counted(group, estimator), estimator, **options))
        assert differing(got, theory, ONE_ROUNDING + 1e-12) == []


@pytest.mark.parametrize("estimator", NAMES)
@given(groups=st.lists(batches.overlong_groups(), min_size=1, max_size=5), k=strategies.levels())
def test_on_correctness_an_overlong_penalty_is_not_seen(estimator: str, groups: Any, k: F) -> None:
    rows = [(right, penalty, f"uid-{i}") for i, group in enumerate(groups) for right, penalty in group][::-1]
    scores, index = [2 * right - 1 + penalty for right, penalty, _ in rows], [row[2] for row in rows]
    config = {"quantile_k": str(k), "advantage_gate": "correctness", "correct_above": -0.5}
    got = scalars(computed(proto(scores, index, [2] * len(rows)), estimator, config))
    expected = Batch([F(row[0]) for row in rows], index).map_groups(lambda group: exact(group, estimator, k=k))
    assert differing(got, expected) == []


CONTROL = Batch([F(x) for x in (1, 0, 0, 1, 0.5, 0.25, 1, 1)], list("aababaab"))


@pytest.mark.parametrize(
    "planted", [{}, {"quantile_k": "0.6"}, {"advantage_std": "bessel"}, {"advantage_eps": 2e-6}, {"score": F(1, 2)}]
)
def test_the_comparison_sees_what_is_planted(planted: dict[str, Any]) -> None:
    expected = CONTROL.map_groups(lambda group: exact(group, "qae"))
    scores = [planted.get("score", CONTROL.scores[0]), *CONTROL.scores[1:]]
    config = {key: value for key, value in planted.items() if key != "score"}
    got = scalars(computed(proto(scores, CONTROL.index, [3] * 8), "qae", config))
    assert bool(differing(got, expected)) == bool(planted)


def test_no_configuration_means_the_defaults() -> None:
    data = proto(CONTROL.scores, CONTROL.index, [3] * 8)
    assert differing(scalars(computed(data, "qae", None)), CONTROL.map_groups(lambda g: exact(g, "qae"))) == []


def test_rows_that_pad_a_batch_get_nothing_and_change_nothing() -> None:
    """verl's own: one uid for all, one token, reward and mask 0."""
    scores, index = [F(x) for x in (1, -1, -1, 1, -1)], list("aabbb")
    for estimator in NAMES:
        alone = scalars(computed(proto(scores, index, [4, 2, 3, 1, 4]), estimator))
        data = proto([*scores, 0, 0], [*index, "pad", "pad"], [4, 2, 3, 1, 4, 1, 1])
        data.batch["response_mask"][5:] = 0
        assert scalars(computed(data, estimator)) == [*alone, 0.0, 0.0]


def test_a_response_that_rejection_sampling_masked_still_counts_in_its_group() -> None:
    """As in verl's grpo: the mask says what is trained on, not what was sampled."""
    data = proto(CONTROL.scores, CONTROL.index, [3] * 8)
    data.batch["response_mask"][0] = 0
    got = scalars(computed(data, "qae"))
    expected = CONTROL.map_groups(lambda group: exact(group, "qae"))
    assert differing(got[1:], expected[1:]) == []
    assert got[0] == 0


@pytest.mark.parametrize("mask", ["int64", "int32", "bool", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_type_and_bits_are_those_of_the_plain_product(plugin: Any, dtype: str, mask: str) -> None:
    data = proto(CONTROL.scores, CONTROL.index, [1, 2, 3, 4, 5, 4, 3, 2], dtype=dtype, mask=mask)
    before = data.batch["response_mask"].clone()
    config = {"adv_estimator": "qae"}
    plain = plugin.advantages_of(data.batch["token_level_rewards"].sum(-1), CONTROL.index, config)[:, None] * before
    got = computed(data, "qae", config).batch["advantages"]
    assert got.dtype == plain.dtype
    assert bool((got == plain).all())
    assert got.is_contiguous()
    assert bool((data.batch["response_mask"] == before).all())
    assert data.batch["response_mask"].dtype == before.dtype


def test_several_trajectories_a_session_are_left_as_verl_leaves_them() -> None:
    """The V1 trainer's own entry: for all but its grpo it hands the rows on as they are."""
    from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

    config = {"quantile_k": "0.6"}
    want = scalars(computed(proto(CONTROL.scores, CONTROL.index, [3] * 8), "qae", config))
    data = compute_advantage_for_multi_trajectories(
        proto(CONTROL.scores, CONTROL.index, [3] * 8),
        batch_keys=[f"{name}_{i}_0" for i, name in enumerate(CONTROL.index)],
        adv_estimator="qae",
        num_repeat=4,
        norm_adv_by_std_in_grpo=True,
        config=config,
    )
    assert scalars(data) == want
    assert differing(want, CONTROL.map_groups(lambda group: exact(group, "qae", k=F(3, 5)))) == []


def test_a_missing_uid_is_said(plugin: Any) -> None:
    data = proto(CONTROL.scores, CONTROL.index, [3] * 8)
    del data.non_tensor_batch["uid"]
    with pytest.raises(ValueError, match=r"^index must be the prompt id of each response, but the batch has no 'uid'"):
        computed(data, "qae", {})
    with pytest.raises(ValueError, match=r"^token_level_rewards must be \[B, T\] as response_mask is; got"):
        plugin.estimate("qae", data.batch["token_level_rewards"], data.batch["response_mask"][:, 1:], {}, ["a"] * 8)


# verl's mean baseline


@pytest.mark.parametrize("peer", MEANS)
@given(
    batch=batches.batches(
        st.one_of(strategies.mixed_binary_groups(), strategies.dapo_groups(2)), group_ids=batches.uids()
    )
)
def test_the_mean_baseline_is_verls(peer: str, batch: Batch) -> None:
    """On uids: `grpo_vectorized` takes whole numbers for places in a tensor, and negative ones fail there."""
    from llm_validation.verl_engine.group_advantages import group_advantages

    data = computed(proto(batch.scores, batch.index, [2] * len(batch.scores)), peer, config={})
    scores = data.batch["token_level_rewards"].sum(-1)
    ours = group_advantages(scores, batch.ids(), estimator="grpo", std="bessel").tolist()
    mixed = {i for rows in batch.rows().values() if len({batch.scores[i] for i in rows}) > 1 for i in rows}
    got = scalars(data)
    assert max((abs(got[i] - ours[i]) / max(1, abs(ours[i])) for i in mixed), default=0) <= FLOAT32
    assert all(ours[i] == 0 for i in range(len(ours)) if i not in mixed)


@pytest.mark.parametrize("peer", MEANS)
@pytest.mark.parametrize("planted", [None, "population", "score"])
def test_the_comparison_with_verl_sees_what_is_planted(peer: str, planted: str | None) -> None:
    import torch

    from llm_validation.verl_engine.group_advantages import group_advantages

    got = scalars(computed(proto(CONTROL.scores, CONTROL.index, [2] * 8), peer, config={}))
    scores = torch.tensor([float(x) for x in CONTROL.scores])
    scores[0] -= 1e-4 if planted == "score" else 0
    std = "population" if planted == "population" else "bessel"
    ours = group_advantages(scores, CONTROL.ids(), estimator="grpo", std=std)
    gap = (ours - torch.tensor(got)).abs().max()
    assert (gap > FLOAT32) if planted else (gap <= FLOAT32)


@pytest.mark.parametrize("peer", MEANS)
def test_where_verls_mean_baseline_differs(peer: str) -> None:
    """A group of one keeps its score there; one of equal scores that are no binary numbers gets rounding noise."""
    from llm_validation.verl_engine.group_advantages import group_advantages

    scores, index = [1.0, -1.0, *[0.7] * 7], ["a", "b", *["c"] * 7]
    data = computed(proto(scores, index, [2] * 9), peer, config={})
    got = scalars(data)
    np.testing.assert_allclose(got[:2], [1.0, -1.0], rtol=1e-5)
    assert max(map(abs, got[2:])) > 1e-3
    ours = group_advantages(data.batch["token_level_rewards"].sum(-1), index, estimator="grpo", std="bessel")
    assert ours.tolist() == [0.0] * 9


@pytest.mark.parametrize("estimator", [*NAMES, *MEANS, "rloo"])
def test_scalars_are_those_that_the_trainer_sees(plugin: Any, estimator: str) -> None:
    scores = [float(x > 0.4) for x in CONTROL.scores]
    for normalised in (True, False):
        config = {"adv_estimator": estimator, "norm_adv_by_std_in_grpo": normalised, "quantile_k": 0.6}
        data = proto(scores, CONTROL.index, [3] * 8)
        want = scalars(computed(data, estimator, config, norm_adv_by_std_in_grpo=normalised))
        got = plugin.advantages_of(data.batch["token_level_rewards"].sum(-1), CONTROL.ids(), config)
        assert got.tolist() == want


def test_an_unknown_estimator_is_said(plugin: Any) -> None:
    import torch

    with pytest.raises(ValueError, match="mean_of_means"):
        plugin.advantages_of(torch.zeros(2), ["a", "a"], {"adv_estimator": "mean_of_means"})


# Options


def composed(*overrides: str) -> Any:
    """``config.algorithm`` of verl's own primary configuration."""
    from hydra import compose, initialize_config_module

    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=["algorithm.adv_estimator=qae", *overrides]).algorithm


def test_options_compose_on_verls_configuration(plugin: Any) -> None:
    defaults = {"k": F(2, 5), "std": None, "eps": 1e-6, "gate": "reward", "correct_above": None}
    assert plugin.options_of(composed()) == plugin.options_of(None) == plugin.options_of({}) == defaults
    ours = ("quantile_k=0.55", "advantage_std=bessel", "advantage_eps=1e-8", "advantage_gate=correctness")
    config = composed(*(f"+algorithm.{key}" for key in (*ours, "correct_above=-0.5")))
    want = {"k": F(11, 20), "std": "bessel", "eps": 1e-8, "gate": "correctness", "correct_above": -0.5}
    assert plugin.options_of(config) == want
    got = scalars(computed(proto(CONTROL.scores, CONTROL.index, [3] * 8), "qae", config))
    bits = Batch([F(x > -0.5) for x in CONTROL.scores], CONTROL.index)
    assert differing(got, bits.map_groups(lambda g: exact(g, "qae", k=F(11, 20), std="bessel", eps=F(1, 10**8)))) == []


def test_without_normalisation_there_is_no_std(plugin: Any) -> None:
    config = composed("algorithm.norm_adv_by_std_in_grpo=false")
    assert plugin.options_of(config)["std"] == "none"
    assert plugin.options_of(composed("+algorithm.advantage_std=none"))["std"] == "none"
    got = scalars(computed(proto(CONTROL.scores, CONTROL.index, [3] * 8), "qae", config))
    assert got == [float(x) for x in CONTROL.map_groups(lambda group: exact(group, "qae", std="none"))]


def test_verls_dataclass_carries_options_as_attributes_and_never_drops_one(plugin: Any) -> None:
    """verl hands the trainer's DictConfig on; a conversion to its dataclass fails on the added keys, loudly."""
    from verl.trainer.config import AlgoConfig
    from verl.utils.config import omega_conf_to_dataclass

    config = AlgoConfig(adv_estimator="qae", norm_adv_by_std_in_grpo=False)
    config.quantile_k = 0.6
    assert plugin.options_of(config) == {**plugin.options_of({}), "k": F(3, 5), "std": "none"}
    added = composed("+algorithm.quantile_k=0.6")
    for dataclass in (None, AlgoConfig):
        with pytest.raises(Exception, match="quantile_k"):
            omega_conf_to_dataclass(added, dataclass)


@pytest.mark.parametrize("form", [0.55, "0.55", "11/20", ".55", F(11, 20)])
def test_a_level_is_read_as_the_decimal_that_it_prints_as(plugin: Any, form: Any) -> None:
    assert plugin.options_of({"quantile_k": form})["k"] == F(11, 20)


@pytest.mark.parametrize("form", [1e-6, "1e-6", "0.000001", F(1, 10**6)])
def test_a_number_that_yaml_took_for_text_is_a_number(plugin: Any, form: Any) -> None:
    assert plugin.options_of({"advantage_eps": form})["eps"] == 1e-6


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quantile_k", 1.5),
        ("quantile_k", "0"),
        ("quantile_k", True),
        ("quantile_k", [0.4]),
        ("quantile_k", "K"),
        ("advantage_std", "sample"),
        ("advantage_std", True),
        ("advantage_eps", -1e-6),
        ("advantage_eps", "small"),
        ("advantage_eps", True),
        ("advantage_eps", [1e-6]),
        ("advantage_eps", "1e999"),
        ("advantage_gate", "acc"),
        ("advantage_gate", False),
        ("correct_above", float("nan")),
        ("correct_above", "yes"),
        ("quantile_K", 0.4),
        ("advantage_k", 0.4),
        ("correct_threshold", 0.5),
    ],
)
def test_a_bad_option_is_refused_by_its_key(plugin: Any, key: str, value: Any) -> None:
    from omegaconf import OmegaConf

    for config in ({key: value}, OmegaConf.create({key: value})):
        with pytest.raises(ValueError, match=rf"^algorithm\.{key} must be [^\n]+; got [^\n]+$"):
            computed(proto(CONTROL.scores, CONTROL.index, [3] * 8), "qae", config)


def test_a_std_beside_no_normalisation_is_refused(plugin: Any) -> None:
    with pytest.raises(ValueError, match=r"^algorithm.advantage_std must be 'none' or left out where norm_adv"):
        plugin.options_of({"advantage_std": "bessel", "norm_adv_by_std_in_grpo": False})


def test_overlong_scores_need_a_threshold_where_bits_are_wanted(plugin: Any) -> None:
    data = proto([1, -1, -1.5, -2], ["a"] * 4, [3] * 4)
    for estimator, config in (("pos_mask", {}), ("qae", {"advantage_gate": "correctness"})):
        with pytest.raises(ValueError, match=r"^correct_above must be the score above which a response is right"):
            computed(data, estimator, config)


# The reward function


@pytest.mark.parametrize(
    ("source", "right", "wrong"),
    [
        ("math_dapo", 1.0, -1.0),
        ("aime2024", 1.0, -1.0),
        ("HuggingFaceH4/MATH-500", 1.0, 0.0),
        ("openai/gsm8k", 1.0, 0.0),
    ],
)
def test_scores_are_verls_with_the_benchmark_beside_them(plugin: Any, source: str, right: float, wrong: float) -> None:
    from verl.utils.reward_score import default_compute_score

    found = []
    for answer, score in (("42", right), ("41", wrong), ("", wrong)):
        text = f"Thus \\boxed{{{answer}}}.\nAnswer: {answer}\n#### {answer}" if answer else ""
        result = plugin.compute_score(data_source=source, solution_str=text, ground_truth="42", extra_info={"index": 1})
        theirs = default_compute_score(source, text, "42")
        assert result["score"] == score == (theirs["score"] if isinstance(theirs, dict) else theirs)
        assert result["benchmark"] == source
        assert bool(result["acc"] > 0) == (score == right)
        assert all(isinstance(value, (bool, int, float, str)) for value in result.values())
        found.append(set(result))
    assert found == [{"score", "acc", "pred", "benchmark"}] * 3


def test_tasks_of_ours_and_benchmarks_under_other_names_are_scored_too(plugin: Any) -> None:
    for source in ("qae/digits", "amc2023"):
        for answer, right in (("7", True), ("8", False)):
            text = answer if source.startswith("qae/") else f"Answer: {answer}"
            want = {"score": 1.0 if right else -1.0, "acc": right, "pred": answer, "benchmark": source}
            assert plugin.compute_score(source, text, "7", extra_info=None, reward_router_address=None) == want


def test_whatever_a_scorer_says_becomes_numbers_and_text(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What verl gathers over a batch has to have one key and one plain type a column."""
    said = {"score": np.float32(0.5), "acc": np.bool_(True), "pred": None, "steps": [1, 2], "count": np.array([3])}
    monkeypatch.setattr("verl.utils.reward_score.default_compute_score", lambda *_, **__: said)
    result = plugin.compute_score("any", "", "")
    assert result == {"score": 0.5, "acc": True, "pred": "", "steps": "[1, 2]", "count": 3, "benchmark": "any"}
    assert [type(value) for value in result.values()] == [bool, str, float, str, int, str]


def test_verl_takes_it_for_its_reward_function(plugin: Any) -> None:
    from omegaconf import OmegaConf
    from verl.trainer.ppo.reward import get_custom_reward_fn

    function = {"path": "pkg://llm_validation.verl_engine.plugin", "name": "compute_score"}
    score = get_custom_reward_fn(OmegaConf.create({"reward": {"custom_reward_function": function}}))
    assert score is not None
    result = score(data_source="math_dapo", solution_str="Answer: 3", ground_truth="3", extra_info=None)
    assert result == {"score": 1.0, "acc": True, "pred": "3", "benchmark": "math_dapo"}


def test_what_the_model_wrote_is_never_evaluated(plugin: Any, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    for source in ("math_dapo", "HuggingFaceH4/MATH-500", "openai/gsm8k"):
        for text in (f"Answer: {code}", f"\\boxed{{{code}}}", f"#### {code}"):
            assert plugin.compute_score(source, text, "7")["score"] <= 0
    for source in ("numina_amc_aime", "taco", "codecontests", "hiyouga/geometry3k"):
        with pytest.raises(ValueError, match=rf"^data_source must be scored by comparing text.*{source}"):
            plugin.compute_score(source, code, "7")
    with pytest.raises(NotImplementedError):
        plugin.compute_score("an unknown source", code, "7")
    assert not mark.exists()
