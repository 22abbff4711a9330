"""Which axioms a theorem may use, and what is read of Coq's answers."""

from __future__ import annotations

import pytest

from qae_theory.formal.tools import coq, layout, sources, survey

ANSWER = """theorem of claim gate-hard
QAE.Gate.gate_hard
     : forall x : R,
       0 <= x ^ 2
Axioms:
ClassicalDedekindReals.sig_forall_dec
  : forall P : nat -> Prop, Q
Classical_Prop.classic : forall P : Prop, P \\/ ~ P
theorem of claim gate-easy
QAE.Gate.gate_easy
     : True
Closed under the global context
"""
THEOREMS = {
    "gate-hard": sources.Theorem("gate_hard", "Gate", "forall x : R, 0 <= x ^ 2"),
    "gate-easy": sources.Theorem("gate_easy", "Gate", "True"),
}


def surveyed(module: str, *axioms: str, statement: str = "True") -> survey.Surveyed:
    return survey.Surveyed("planted", module, statement, dict.fromkeys(axioms, ""))


@pytest.mark.parametrize(("module", "axiom"), survey.REFUSED)
def test_an_axiom_outside_the_list_is_forbidden(module: str, axiom: str) -> None:
    assert surveyed(module, *survey.CLASSICAL, axiom).forbidden == [axiom]


@pytest.mark.parametrize(("module", "axiom"), survey.ALLOWED)
def test_classical_reals_are_allowed_and_primitive_integers_in_decimals(module: str, axiom: str) -> None:
    assert surveyed(module, axiom).forbidden == []


def test_the_survey_knows_when_its_list_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert survey.failed_controls() == []
    monkeypatch.setattr(survey, "INTEGERS", ("",))
    assert "PrimFloat.add" in survey.failed_controls()


def test_statement_and_axioms_are_read_of_the_answer() -> None:
    hard, easy = survey._read(ANSWER, THEOREMS)
    assert hard.statement == "  forall x : R,\n  0 <= x ^ 2"
    assert set(hard.axioms) == {"ClassicalDedekindReals.sig_forall_dec", "Classical_Prop.classic"}
    assert (easy.statement, dict(easy.axioms)) == ("  True", {})


def test_an_answer_that_says_nothing_of_axioms_is_refused() -> None:
    with pytest.raises(coq.CheckError, match="nothing of the axioms of gate-easy"):
        survey._read(ANSWER.replace("Closed under the global context\n", ""), THEOREMS)


def test_an_answer_that_leaves_a_theorem_out_is_refused() -> None:
    first, _, _ = ANSWER.partition("theorem of claim gate-easy")
    with pytest.raises(coq.CheckError, match="every theorem"):
        survey._read(first, THEOREMS)


def test_a_notion_that_another_file_defines_is_found_in_a_statement() -> None:
    assert surveyed("Gate", statement="Rewards.rank x <= QAE.Gate.own y").outside_definitions == [
        "QAE.Gate.own",
        "Rewards.rank",
    ]
    assert surveyed("Gate", statement="quantile K x = Definitions.gate K p").outside_definitions == []


def test_committed_statements_and_axioms_are_within_the_rules() -> None:
    theorems, _ = sources.claim_theorems()
    axioms = layout.AXIOMS.read_text(encoding="utf-8").split("\n\n")
    statements = layout.STATEMENTS.read_text(encoding="utf-8").split("\n\n")
    assert [block.split()[0] for block in axioms[:-1]] == sources.claims() == [one.split()[0] for one in statements]
    for block, stated in zip(axioms[:-1], statements, strict=True):
        claim, *names = block.split()
        _, _, statement = stated.partition("\n")
        found = surveyed(theorems[claim].module, *names, statement=statement)
        assert (claim, found.forbidden, found.outside_definitions) == (claim, [], [])


def test_only_files_of_decimals_rest_on_primitive_integers() -> None:
    theorems, _ = sources.claim_theorems()
    for block in layout.AXIOMS.read_text(encoding="utf-8").split("\n\n")[:-1]:
        claim, *names = block.split()
        if any(name.startswith(survey.INTEGERS) for name in names):
            assert theorems[claim].module.endswith(survey.DECIMALS)


def test_used_definitions_are_named_in_the_order_of_their_file() -> None:
    assert survey.definitions_used("quantile K x = gate K (success_rate x)") == ["gate", "success_rate", "quantile"]
