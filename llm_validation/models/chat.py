"""Ask questions as a chat model is asked them: in its template, with a system prompt before them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qae_theory.checks import refuse

OWN = "own"  # the template that comes with the tokenizer


def check_system_prompt(system: str | None, template: str | None) -> None:
    """Refuse a system prompt without a template, which alone tells where it stands.

    Raises:
        ValueError: there is a system prompt and no template.
    """
    if system is not None and template is None:
        refuse("system_prompt", system, "left out without a chat_template")


def rendered(prompts: Sequence[str], tokenizer: Any, *, template: str | None, system: str | None = None) -> list[str]:
    """Return the texts that a model is to continue, the turn of the assistant begun.

    A start token that the template writes and the tokenizer adds once more is left to the tokenizer.

    Args:
        prompts: the questions.
        tokenizer: of the model.
        template: ``own`` for the tokenizer's template, the path of a file with another (Jinja), or None for the
            questions as they are.
        system: the system prompt, which needs a template; None for none.

    Raises:
        ValueError: the tokenizer has no template of its own, the file cannot be read, a template that fails, or a
            system prompt without a template.
    """
    check_system_prompt(system, template)
    if template is None:
        return list(prompts)
    text = _template(template, tokenizer)
    texts = []
    for prompt in prompts:
        messages = [] if system is None else [{"role": "system", "content": system}]
        messages.append({"role": "user", "content": prompt})
        texts.append(_applied(tokenizer, messages, text))
    start = tokenizer.bos_token
    if start and tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]:
        texts = [one.removeprefix(start) for one in texts]
    return texts


def _template(template: str, tokenizer: Any) -> str | None:
    """Return the text of a template; None for the tokenizer's own."""
    if template == OWN:
        if not getattr(tokenizer, "chat_template", None):
            refuse("chat_template", template, "the path of a file: the model's tokenizer has no template of its own")
        return None
    try:
        return Path(template).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return refuse("chat_template", template, f"own, or a file of text that can be read ({type(error).__name__})")


def _applied(tokenizer: Any, messages: list[dict[str, str]], template: str | None) -> str:
    """Return the messages in the template, with any error of the template in one line."""
    try:
        return str(
            tokenizer.apply_chat_template(messages, chat_template=template, add_generation_prompt=True, tokenize=False)
        )
    except Exception as error:  # Jinja raises several kinds, and templates raise their own
        raise ValueError(
            f"chat_template must render the messages; it fails: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from None
