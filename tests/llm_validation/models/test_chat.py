"""Questions in a chat template: the tokenizer's own, one from a file, and what cannot be rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_validation.models.chat import rendered

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tokenizer(*, template: str | None = None, adds_start: bool = False) -> Any:
    from llm_validation.models.tokenizer import build_tokenizer

    made = build_tokenizer()
    made.chat_template = template
    made.bos_token = "<eos>"
    if adds_start:
        from tokenizers.processors import TemplateProcessing

        made.backend_tokenizer.post_processor = TemplateProcessing(
            single="<eos> $A", special_tokens=[("<eos>", made.bos_token_id)]
        )
    return made


pytestmark = pytest.mark.train


def test_without_a_template_questions_are_as_they_are() -> None:
    assert rendered(["1+1="], tokenizer(template=TEMPLATE), template=None) == ["1+1="]


def test_the_tokenizers_own_and_a_file(tmp_path: Path) -> None:
    own = rendered(["1+1="], tokenizer(template=TEMPLATE), template="own", system="Be brief.")
    assert own == ["<eos><system>Be brief.\n<user>1+1=\n<assistant>"]
    file = tmp_path / "other.jinja"
    file.write_text("{{ messages[0].content }} ->")
    assert rendered(["1+1="], tokenizer(template=TEMPLATE), template=str(file)) == ["1+1= ->"]


def test_a_start_token_stands_once() -> None:
    made = tokenizer(template=TEMPLATE, adds_start=True)
    (text,) = rendered(["1"], made, template="own")
    assert made(text)["input_ids"].count(made.bos_token_id) == 1
    (unadded,) = rendered(["1"], tokenizer(template=TEMPLATE), template="own")
    assert tokenizer()(unadded)["input_ids"].count(made.bos_token_id) == 1


@pytest.mark.parametrize(
    ("template", "system", "says"),
    [
        ("own", None, "chat_template must be the path of a file: the model's tokenizer has no template of its own"),
        ("nowhere.jinja", None, "chat_template must be own, or a file of text that can be read"),
        (None, "Be brief.", "system_prompt must be left out without a chat_template"),
    ],
)
def test_what_cannot_be_rendered(template: str | None, system: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        rendered(["1"], tokenizer(), template=template, system=system)


def test_a_template_that_fails_or_reaches_out_is_one_line(tmp_path: Path) -> None:
    for text in ("{{ raise_exception('no\\nsystem') }}", "{% for %}", "{{ ''.__class__.__mro__[1].__subclasses__() }}"):
        file = tmp_path / "broken.jinja"
        file.write_text(text)
        with pytest.raises(ValueError, match="chat_template must render the messages; it fails: ") as refused:
            rendered(["1"], tokenizer(), template=str(file))
        assert len(str(refused.value).splitlines()) == 1
