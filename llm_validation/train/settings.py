"""The settings of one training run, checked, as they stand in a configuration file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from llm_validation.engines.asking import Asking
from llm_validation.models.warmup import Warmup
from llm_validation.train.components import checked_weights
from llm_validation.train.rounding import Rounding
from qae_theory.advantages import get_estimator, resolve_options
from qae_theory.paper.overlong import Overlong
from qae_theory.runs.settings import Positive

Share = Annotated[float, Field(ge=0, le=1)]
SamplerCorrection = Literal["none", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TrainConfig(Asking):
    """State the settings of one RLVR run; the form of questions and responses is in ``Asking``.

    One step is one batch of rollouts: ``prompts_per_step`` groups of ``group_size`` responses. TRL shuffles the
    responses of a batch, cuts them into ``inner_updates`` mini-batches and goes through these ``inner_epochs`` times:
    so many optimiser updates. ``estimator`` and ``options`` name a rule of ``qae_theory.advantages``. ``loss`` is TRL's
    ``loss_type``. ``rounding`` rounds to bfloat16 in one place (``train.rounding``). The published DAPO settings are
    clip 0.2/0.28 and the loss ``dapo`` (arXiv 2503.14476). For few-shot prompts of a base model, ``stop`` is a new line
    and ``extraction`` the ``first-line``.

    Remedies for entropy are TRL's too: ``kl_beta`` weighs the penalty on the distance from the start (``beta``),
    ``entropy_coefficient`` a bonus on the mean entropy of a token (``entropy_coef``). With ``adaptive_entropy`` that
    coefficient rises and falls by steps, and counts while the entropy is at most ``entropy_target`` nats
    (Skywork-OR1, arXiv 2505.22312). ``top_entropy_share`` leaves the loss to the tokens of largest entropy
    (``top_entropy_quantile``, arXiv 2506.01939); TRL still divides by the number of all tokens, so that .2 is about a
    fifth of the step.

    ``components`` adds weighted rewards besides being right (``train.components``). ``importance_level`` and
    ``off_policy_mask`` are TRL's ``importance_sampling_level`` and ``off_policy_mask_threshold``.
    ``sampler_correction`` weighs responses of vLLM by how likely the trainer's own forward pass has them, TRL's
    ``vllm_importance_sampling_mode``, between ``sampler_ratio_min`` and ``sampler_ratio_max``.
    """

    task: str = "digits"
    model: str = "tiny"
    warmup: Warmup | None = Warmup()
    estimator: str = "qae"
    options: dict[str, Any] = Field(default_factory=dict)
    group_size: int = Field(default=8, ge=2)
    prompts_per_step: int = Field(default=32, ge=1)
    train_examples: int | None = Field(default=512, ge=1)
    steps: int = Field(default=100, ge=1)
    inner_updates: int = Field(default=1, ge=1)
    inner_epochs: int = Field(default=1, ge=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    temperature: Positive = 1.0
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Positive = 1e-3
    lr_schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup_updates: int = Field(default=0, ge=0)
    adam_betas: tuple[Share, Share] = (0.9, 0.999)
    adam_eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    max_grad_norm: NonNegative = 0.0
    clip_low: Share = 0.2
    clip_high: NonNegative = 0.28
    loss: Literal["dapo", "grpo", "dr_grpo", "bnpo"] = "dapo"
    rounding: Rounding = "none"
    kl_beta: NonNegative = 0.0
    entropy_coefficient: NonNegative = 0.0
    adaptive_entropy: bool = False
    entropy_target: Positive = 0.2
    top_entropy_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    dynamic_sampling: bool = False
    max_resamples: int = Field(default=10, ge=1)
    overlong: Overlong | None = None
    signed_rewards: bool = False
    components: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    importance_level: Literal["token", "sequence"] = "token"
    off_policy_mask: Positive | None = None
    sampler_correction: SamplerCorrection = "sequence_mask"
    sampler_ratio_min: Positive | None = None
    sampler_ratio_max: Positive | None = 3.0
    rollouts: Literal["transformers", "vllm"] = "transformers"
    save_every: int = Field(default=25, ge=1)
    keep_checkpoints: int | None = Field(default=None, ge=1)
    report_to: tuple[Literal["tensorboard", "wandb"], ...] = ()
    seed: int = Field(default=0, ge=0)

    @field_validator("components")
    @classmethod
    def _are_components(cls, components: dict[str, float]) -> dict[str, float]:
        return checked_weights(components)

    @model_validator(mode="after")
    def _fits_together(self) -> TrainConfig:
        rule = get_estimator(self.estimator)
        resolve_options(rule, self.options, whole_batch=True)
        if self.group_size < rule.least_group:
            raise ValueError(f"group_size must be at least {rule.least_group} for {rule.name!r}; got {self.group_size}")
        if rule.binary_only and (self.signed_rewards or self.overlong is not None or self.components):
            raise ValueError(f"estimator must take rewards other than 0 and 1 here; {rule.name!r} does not")
        low, high = self.sampler_ratio_min, self.sampler_ratio_max
        if low is not None and high is not None and low > high:
            raise ValueError(f"sampler_ratio_min must be at most sampler_ratio_max = {high}; got {low}")
        if self.prompts_per_step % self.inner_updates:
            raise ValueError(
                f"inner_updates must divide prompts_per_step = {self.prompts_per_step}; got {self.inner_updates}"
            )
        return self
