"""The sources as they are read: comments, theorems, requirements, keys of compiled files; what an outsider reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qae_theory.claims.ledger import read_catalogue
from qae_theory.formal.tools import layout, sources

# About floats, about code, or a picture: no theorem of mathematics. They keep their witnesses and certificates.
WITHOUT_THEOREM = {"eq4-float", "figure-4"}
# What other papers state is proved by SymPy, z3 and exact enumeration; the theories are about QAE.
OTHER_PAPERS = "What other remedies for entropy state"
LONGEST_DEFINITIONS = 250  # lines that an outsider has to read


@pytest.fixture
def theories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of two small theories, one of which requires the other."""
    folder = tmp_path / "theories"
    folder.mkdir()
    (folder / "Base.v").write_text("Theorem base (x : nat) : x = x.\nProof. by []. Qed.\n", encoding="utf-8")
    (folder / "Top.v").write_text(
        "From QAE Require Import Base.\n(* Theorem hidden : False. *)\nTheorem top : forall x : nat, x + 0 = x.\n"
        "Proof. by []. Qed.\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(layout, "THEORIES", folder)
    monkeypatch.setattr(layout, "FORMAL", tmp_path)
    sources._files.cache_clear()
    sources.requirements.cache_clear()
    yield folder
    sources._files.cache_clear()
    sources.requirements.cache_clear()


def test_comments_nest_and_strings_hide_their_marks() -> None:
    assert sources.without_comments('a (* b (* c *) " *) " *) d "(* e" f').split() == ["a", "d", '""', "f"]


@pytest.mark.parametrize("source", ["(* open", 'a "open'])
def test_what_is_not_closed_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="not closed"):
        sources.without_comments(source)


def test_theorems_are_read_with_their_binders_in_the_order_of_requirements(theories: Path) -> None:
    assert sources.modules() == ["Base", "Top"]
    found = sources.theorems()
    assert found["base"] == sources.Theorem("base", "Base", "forall (x : nat), x = x")
    assert found["top"].statement == "forall x : nat, x + 0 = x"
    assert "hidden" not in found


def test_a_key_changes_with_the_source_and_with_what_it_requires(theories: Path) -> None:
    before = sources.keys()
    path = theories / "Top.v"
    path.write_text(path.read_text(encoding="utf-8") + "(* more *)\n", encoding="utf-8")
    top_changed = sources.keys()
    assert top_changed["Base"] == before["Base"]
    assert top_changed["Top"] != before["Top"]
    (theories / "Base.v").write_text("Theorem base (x : nat) : x = x.\nProof. done. Qed.\n", encoding="utf-8")
    assert sources.keys()["Top"] != top_changed["Top"]


def test_two_files_of_one_name_and_two_theorems_of_one_name_are_refused(theories: Path) -> None:
    (theories / "Other.v").write_text("Theorem base : True.\nProof. by []. Qed.\n", encoding="utf-8")
    sources._files.cache_clear()
    with pytest.raises(ValueError, match="base is a theorem of Base and of Other"):
        sources.theorems()
    (theories / "more").mkdir()
    (theories / "more" / "Base.v").write_text("", encoding="utf-8")
    sources._files.cache_clear()
    with pytest.raises(ValueError, match=r"Base\.v lies in"):
        sources.modules()


def test_requirements_in_a_circle_are_refused(theories: Path) -> None:
    (theories / "Base.v").write_text("From QAE Require Import Top.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="require one another: Base, Top"):
        sources.modules()


def test_every_claim_of_theory_has_a_theorem() -> None:
    _, without = sources.claim_theorems()
    assert without == []
    own = [claim for claim in read_catalogue() if claim.needs == "theory" and claim.section != OTHER_PAPERS]
    theory = {claim.id for claim in own if not claim.id.startswith("shipped-")}
    assert theory - set(sources.claims()) == WITHOUT_THEOREM


def test_definitions_are_few_enough_to_be_read() -> None:
    text = sources.path("Definitions").read_text(encoding="utf-8")
    assert len(text.splitlines()) < LONGEST_DEFINITIONS
    assert sources.requirements("Definitions") == {"Compat"}
