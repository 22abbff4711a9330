"""List this package's readers in the order in which they are asked: the narrower before the wider."""

from __future__ import annotations

from llm_validation.audit.readers import configs
from llm_validation.audit.readers.responses import (
    areal,
    columns_in_lines,
    nemo_rl,
    open_instruct,
    own_runs,
    plain,
    prime_tokens,
    prime_traces,
    score_lists,
    trl_completions,
    verl_dumps,
)
from llm_validation.audit.readers.steps import (
    console,
    flat,
    tensorboard,
    trainer_state,
    verl_file,
    wandb_export,
    wandb_log,
)
from llm_validation.audit.reading.base import Reader

_MODULES = (
    configs,
    trainer_state,
    tensorboard,
    wandb_log,
    trl_completions,
    verl_file,
    own_runs,
    verl_dumps,
    open_instruct,
    prime_tokens,
    nemo_rl,
    columns_in_lines,
    areal,
    score_lists,
    prime_traces,
    wandb_export,
    plain,
    flat,
    console,
)


def readers() -> list[Reader]:
    """Return all readers of this package."""
    found: list[Reader] = []
    for module in _MODULES:
        found.extend(module.READERS)
    return found
