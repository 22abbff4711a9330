"""Name and check the switches of one policy update, as they stand in a configuration file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from qae_theory.paper.overlong import Overlong
from qae_theory.runs.settings import Positive, Strict
from simulators.methods import get_method
from simulators.verifier import VerifierNoise

# A decay of 1 would keep a moment at its start for ever and divide by zero in Adam's bias correction.
Decay = Annotated[float, Field(ge=0, lt=1)]


def _finite_or_inf_clip(value: float | None) -> float | None:
    """Return a clip range unchanged; infinity stands for no bound, and None for the rule's own range."""
    if value is not None and not value >= 0:
        raise ValueError(f"must be a number >= 0, or inf; got {value}")
    return value


# The base class refuses infinite numbers everywhere; only fields of this type may hold one.
MaybeInfinite = Annotated[float, Field(allow_inf_nan=True)]
Clip = Annotated[MaybeInfinite | None, AfterValidator(_finite_or_inf_clip)]


class Update(Strict):
    """Describe one policy update: what is sampled, how it is weighed, clipped, normalised and applied.

    ``method`` and ``options`` name a rule of ``simulators.methods``. A clip range of None means the rule's own range,
    and inf means no clipping. The aggregation ``token_mean`` divides by the number of tokens kept in the mini-batch and
    multiplies by its number of kept queries. Where every response has one token, the three aggregations therefore
    agree: each query moves by 1/G times the sum over its responses.

    ``noise`` holds the verifier's errors, which come before any shaping. With ``behaviour_lag`` L the behaviour policy
    is renewed every L updates; 0 never renews it. Without ``importance_ratio`` sampled tokens count as if the current
    policy had sampled them. ``adam_eps`` is compared with gradients in the same units, that is per query. The queries'
    axis is one mini-batch; several mini-batches are an axis of the logits before it.

    Source: PPO's ratios and clip-higher, arXiv 2503.14476; dual clip, verl.
    """

    method: str = "grpo"
    options: dict[str, Any] = Field(default_factory=dict)
    group_size: int = Field(default=16, ge=2)
    step_size: Positive = 0.1
    epochs: int = Field(default=1, ge=1)
    clip_low: Clip = None
    clip_high: Clip = None
    dual_clip: Annotated[float, Field(gt=1)] | None = None
    aggregation: Literal["token_sum", "token_mean", "sequence_mean"] = "token_mean"
    dynamic_sampling: bool = False
    signed_rewards: bool = False
    overlong: Overlong | None = None
    noise: VerifierNoise | None = None
    optimiser: Literal["sgd", "adam"] = "sgd"
    adam_betas: tuple[Decay, Decay] = (0.9, 0.999)
    adam_eps: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-8
    max_grad_norm: Positive | None = None
    behaviour_lag: int = Field(default=1, ge=0)
    importance_ratio: bool = True

    @model_validator(mode="after")
    def _known_method(self) -> Update:
        """Refuse a rule that does not exist, and switches that the rule or the clip range does not allow."""
        method = get_method(self.method, **self.options)
        if method.binary_only and (self.signed_rewards or self.overlong is not None):
            raise ValueError(f"method must take rewards other than 0 and 1 here; {self.method!r} does not")
        if self.clip_low is not None and self.clip_low > 1:
            raise ValueError(f"clip_low must be in [0, 1]; got {self.clip_low}")
        return self

    @property
    def on_policy(self) -> bool:
        """Return whether every gradient is taken at the policy that sampled the group."""
        return self.epochs == 1 and self.behaviour_lag == 1
