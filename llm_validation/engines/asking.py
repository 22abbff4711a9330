"""State how a model is asked and where its answer is found: the settings that training and evaluation share."""

from __future__ import annotations

from typing import Self

from pydantic import field_validator, model_validator

from llm_validation.engines.stops import checked_stops
from llm_validation.models.chat import check_system_prompt
from llm_validation.verifiers.extraction import Extraction
from qae_theory.runs.settings import Strict


class Asking(Strict):
    """State the form of questions and responses.

    Attributes:
        extraction: where a response has its answer (``verifiers.extraction``).
        stop: texts that end a response.
        chat_template: ``own`` (the tokenizer's) or a file; None asks the questions as they are (``models.chat``).
        system_prompt: what stands before the question in the template.
    """

    extraction: str = "auto"
    stop: tuple[str, ...] = ()
    chat_template: str | None = None
    system_prompt: str | None = None

    @field_validator("extraction")
    @classmethod
    def _is_extraction(cls, setting: str) -> str:
        return Extraction(setting).setting

    @field_validator("stop")
    @classmethod
    def _are_stops(cls, stop: tuple[str, ...]) -> tuple[str, ...]:
        return checked_stops(stop)

    @model_validator(mode="after")
    def _system_prompt_has_a_template(self) -> Self:
        check_system_prompt(self.system_prompt, self.chat_template)
        return self
