"""The report shows the ledger file as it is, every figure with its caption, and needs nothing from elsewhere."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from paper_figures.report import content, markdown
from qae_theory.claims.ledger import Ledger
from tests.paper_figures.report_page import (
    NAMES,
    STORED,
    Page,
    article,
    article_verdicts,
    invoke,
    record,
    stored_records,
    table_verdicts,
    write_ledger,
)
from tests.paper_figures.small_runs import store_bandit

COLUMNS = ("positive_sample_entropy", "negative_sample_entropy")
pytestmark = pytest.mark.xdist_group("report")  # one worker makes the report that most of them read
VERDICTS = {one["id"]: one["verdict"] for one in stored_records()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on the stored ledger, with a run for one panel."""
    root = tmp_path_factory.mktemp("report")
    store_bandit(root / "results", "sign-split", COLUMNS, ({"rule": "grpo"}, {"rule": "qae"}))
    with pytest.MonkeyPatch.context() as patch:
        result = invoke(patch, "--results", root / "results", "--ledger", STORED, "--out", root / "out")
    assert result.exit_code == 0, result.output
    return root / "out"


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(page: str) -> Page:
    return Page(page)


def small(monkeypatch: pytest.MonkeyPatch, root: Path, records: list[dict], **options: object) -> tuple[str, str]:
    """Page and Markdown of a small report, without figures unless some are named."""
    ledger = write_ledger(root / "ledger.json", records)
    names = options.get("names", ())
    result = invoke(monkeypatch, "--results", root, "--ledger", ledger, "--out", root / "out", names=names)
    assert result.exit_code == 0, result.output
    return (root / "out" / "report.html").read_text(), (root / "out" / "report.md").read_text()


# The page as a document


def test_page_is_well_formed_and_its_links_lead_somewhere(parsed: Page) -> None:
    assert parsed.open == []
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    links = parsed.values("href", "a")
    assert len(links) > len(VERDICTS)
    assert {link.partition("#")[2] for link in links} <= set(ids)
    assert all(link.startswith("#") for link in links)
    labels = [*parsed.values("aria-labelledby"), *parsed.values("for")]
    assert set(labels) <= set(ids)


def test_page_loads_nothing_and_runs_nothing(page: str, parsed: Page) -> None:
    tags = {tag for tag, _ in parsed.elements}
    assert not tags & {"script", "iframe", "object", "embed", "base", "video", "audio"}
    assert all(place.startswith("data:") for place in [*parsed.values("src"), *parsed.values("href", "link")])
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert not [name for _, found in parsed.elements for name in found if name.startswith("on")]
    assert len(page) < 10e6


def test_page_names_no_place_on_this_machine(folder: Path, page: str) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert str(folder.parent) not in page + text


def test_landmarks_and_headings_are_in_order(parsed: Page) -> None:
    tags = Counter(tag for tag, _ in parsed.elements)
    assert (tags["header"], tags["nav"], tags["main"], tags["h1"]) == (1, 1, 1, 1)
    levels = parsed.levels()
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_page_states_its_language_and_adapts(page: str) -> None:
    assert '<html lang="en">' in page
    assert "width=device-width" in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


# The ledger


def test_every_claim_is_there_with_the_verdict_of_the_file(page: str, folder: Path) -> None:
    assert table_verdicts(page) == VERDICTS
    assert article_verdicts(page) == VERDICTS
    text = (folder / "report.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[`([^`]+)`\]\(#claim-[^)]+\) .* \*\*([^*]+)\*\* \|", text, re.MULTILINE)
    assert dict(rows) == VERDICTS
    assert all(f'<a id="claim-{claim}"></a>' in text for claim in VERDICTS)


def test_the_counts_are_those_of_the_file(page: str) -> None:
    counts = re.findall(r'<li><b>(\d+)</b> <span class="badge [\w-]+">([^<]+)<', page)
    assert {verdict: int(number) for number, verdict in counts} == Counter(VERDICTS.values())


def test_a_claim_says_how_its_verdict_was_reached(page: str) -> None:
    found = article(page, "eq4-released-code-if")
    words = (
        "is an integer",  # the assumption
        "Holds under the assumption, because the formal proof",
        "shows the statement failing without it",
        "Worked example",
        "-2*sqrt(2)/5",
        "under the assumption: ",
        "without the assumption: ",
        "its planted falsehood was rejected",
        "qae_theory/proofs/gate/eq4_released_code.py",
        "<code>qae verify eq4-released-code-if</code>",
    )
    assert [word for word in words if word not in found] == []
    assert len(re.findall("<dt>Planted falsehood</dt>", found)) >= 2


def test_every_claim_names_its_command(page: str) -> None:
    for claim in VERDICTS:
        assert f"<code>qae verify {claim}</code>" in article(page, claim)


def test_every_row_can_be_filtered(page: str, parsed: Page) -> None:
    choices = {found["id"] for tag, found in parsed.elements if tag == "input"}
    classes = set(re.findall(r'<tr class="(is-[\w-]+) (of-[\w-]+)">', page))
    wanted = {f"show-{name}" for pair in classes for name in pair}
    assert choices == wanted | {"show-all-verdicts", "show-all-updates"}
    for name in wanted:
        assert f"body:has(#{name}:checked) .summary tbody tr:not(.{name.removeprefix('show-')})" in page
    # Of each pair of choices that leaves no row, the page says so.
    verdicts, updates = ({pair[i] for pair in classes} for i in (0, 1))
    for verdict in verdicts:
        for update in updates:
            said = f"body:has(#show-{verdict}:checked):has(#show-{update}:checked) .nothing" in page
            assert said == ((verdict, update) not in classes)


def test_no_formula_is_left_as_latex(page: str) -> None:
    body = page.partition("<main>")[2]
    assert "<math" in body
    assert "$" not in re.sub(r'alttext="[^"]*"|<code>.*?</code>|base64,[^"]*', "", body, flags=re.DOTALL)


def test_a_changed_verdict_changes_the_page_and_is_doubted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    records = [record("gate-hard"), record("gate-nonbinary")]
    names = ("ledger_matrix",)  # it is drawn from the ledger file too
    before, _ = small(monkeypatch, tmp_path / "a", records, names=names)
    after, text = small(monkeypatch, tmp_path / "b", [{**records[0], "verdict": "refuted"}, records[1]], names=names)
    assert "2 claims by topic: 1 proved, 1 refuted" in Page(before).texts["picture-ledger-matrix"]
    assert "2 claims by topic: 2 refuted" in Page(after).texts["picture-ledger-matrix"]
    assert article_verdicts(before) == {"gate-hard": "proved", "gate-nonbinary": "refuted"}
    assert article_verdicts(after) == table_verdicts(after) == {"gate-hard": "refuted", "gate-nonbinary": "refuted"}
    doubt = "its verdict does not follow from its evidence, from which it would be"
    assert doubt not in before
    for made in (article(after, "gate-hard"), after.partition('id="limits"')[2].partition("</section>")[0], text):
        assert doubt in made
    assert doubt not in article(after, "gate-nonbinary")


def test_a_changed_detail_changes_the_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = record("gate-hard")
    evidence = [{**one["evidence"][0], "detail": "9876 cases"}, *one["evidence"][1:]]
    before, _ = small(monkeypatch, tmp_path / "a", [one])
    after, text = small(monkeypatch, tmp_path / "b", [{**one, "evidence": evidence}])
    assert "9876 cases" not in before
    assert "9876 cases" in article(after, "gate-hard")
    assert "9876 cases" in text


def test_what_a_file_says_stands_for_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script> & **b** | `c"
    one = record("eq4-float", statement=hostile, source=hostile, update="<b>", witness={hostile: hostile})
    page, text = small(monkeypatch, tmp_path, [one])
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert Page(page).open == []
    assert r"\<script\>" in text


# Figures


def test_every_figure_is_there_with_words(folder: Path, parsed: Page) -> None:
    images = [found for tag, found in parsed.elements if tag == "img"]
    assert len(images) == len(NAMES)
    index = json.loads((folder / "figures" / "figures.json").read_text(encoding="utf-8"))
    for name, image in zip(NAMES, images, strict=True):
        png = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
        assert png == (folder / "figures" / f"{name}.png").read_bytes()
        assert index[name]["title"] in image["alt"]
        assert all(panel["title"] in image["alt"] for panel in index[name]["panels"])
        assert int(image["width"]) > int(image["height"]) / 3


def test_captions_sources_and_missing_notes_are_shown(folder: Path, parsed: Page) -> None:
    index = json.loads((folder / "figures" / "figures.json").read_text(encoding="utf-8"))
    text = " ".join((folder / "report.md").read_text(encoding="utf-8").replace("\\", "").split())
    for name in NAMES:
        shown = " ".join(parsed.texts[f"picture-{name.replace('_', '-')}"].split())
        for panel in index[name]["panels"]:
            for words in (panel["title"], panel["says"], panel["source"]):
                assert " ".join(words.split()) in shown
                assert " ".join(words.split()) in text
        assert f"qae figures {name}" in shown
    missing = index["table_1"]["panels"][0]["missing"]
    assert missing
    assert missing in " ".join(parsed.texts["picture-table-1"].split())


def test_a_table_is_there_as_text(folder: Path, parsed: Page) -> None:
    csv = (folder / "figures" / "table_1.csv").read_text(encoding="utf-8").splitlines()
    shown = parsed.texts["picture-table-1"]
    assert all(cell in shown for cell in csv[1].split(",") if cell)


def test_the_runs_behind_a_figure_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store_bandit(tmp_path, "sign-split", COLUMNS, ({"rule": "grpo"}, {"rule": "qae"}))
    (run,) = (tmp_path / "sign-split").iterdir()
    provenance = json.loads((run / "provenance.json").read_text())
    words = ["qae", "simulate", "sign-split", "--quick", "--out", "/elsewhere"]
    git = {"commit": "0123456789abcdef", "modified": True}
    (run / "provenance.json").write_text(json.dumps({**provenance, "command": words, "git": git}))
    page, text = small(monkeypatch, tmp_path, [record("gate-hard")], names=("figure_4",))
    shown = Page(page).texts
    assert "qae simulate sign-split --quick" in shown["picture-figure-4"]
    assert "/elsewhere" not in page + text
    runs = page.partition('id="runs"')[2].partition("</section>")[0]
    for made in (runs, text.partition("### The runs")[2]):
        for said in ("qae simulate sign-split --quick", "0123456789ab and changes", f"sign-split/{run.name}"):
            assert said in made


def test_a_changed_result_changes_picture_and_caption(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pages = []
    for start in (2.0, 3.0):
        store_bandit(tmp_path, "sign-split", COLUMNS, ({"rule": "grpo"}, {"rule": "qae"}), start=start)
        pages.append(Page(small(monkeypatch, tmp_path, [record("gate-hard")], names=("figure_4",))[0]))
    before, after = pages
    assert before.values("src", "img") != after.values("src", "img")
    assert before.texts["picture-figure-4"] != after.texts["picture-figure-4"]
    assert before.texts["claim-gate-hard"] == after.texts["claim-gate-hard"]


# Limits


def test_limits_are_read_from_ledger_and_figures(page: str, parsed: Page, folder: Path) -> None:
    limits = " ".join(page.partition('id="limits"')[2].partition("</section>")[0].split())
    index = json.loads((folder / "figures" / "figures.json").read_text(encoding="utf-8"))
    panels = [panel for name in NAMES for panel in index[name]["panels"]]
    not_run = [claim for claim, verdict in VERDICTS.items() if verdict == "not run"]
    assert f"{len(not_run)} of {len(VERDICTS)} claims" in limits
    assert all(f"<code>{claim}</code>" in limits for claim in not_run)
    assert f"{sum(bool(panel['missing']) for panel in panels)} of {len(panels)} panels" in limits
    assert panels[0]["stand_in"]
    assert panels[0]["stand_in"] in limits
    assert "Runs of a cluster behind these pictures: 0." in limits


def test_with_nothing_but_a_ledger_there_are_notes_and_no_trace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page, text = small(monkeypatch, tmp_path, stored_records(), names=("figure_4", "figure_1", "zero_map"))
    for made in (page, text):
        assert "not run: qae cluster launch" in made
        assert "Traceback" not in made
    assert "The runs behind the figures" not in page


# The command


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> None:
    result = invoke(monkeypatch, "--results", folder.parent / "results", "--ledger", STORED, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    for suffix in ("html", "md"):
        assert (tmp_path / f"report.{suffix}").read_bytes() == (folder / f"report.{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no ledger"),
        ("{}", "a list of claims is needed"),
        ("[]", "a list of claims is needed"),
        ("[1]", "is no ledger"),
        ('[{"id": "a"}]', "'statement'"),
        (json.dumps([record("gate-hard"), record("gate-hard")]), "gate-hard occurs twice"),
        (json.dumps([record("gate-hard", verdict="true")]), "'true' is not a valid Verdict"),
        (json.dumps([record("gate-hard", statement=1)]), "a text of 'gate-hard' is none"),
        (json.dumps([record("gate-hard", witness={"G": 2})]), "a text of 'gate-hard' is none"),
        (json.dumps([record("gate-hard", evidence=[{"kind": "proof"}])]), "is no ledger"),
        (b"\xff\xfe\x00", "is no ledger"),
    ],
)
def test_a_file_that_is_no_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = invoke(monkeypatch, "--results", tmp_path, "--ledger", path, "--out", tmp_path / "out")
    refused(result, says)
    assert not (tmp_path / "out").exists()


def test_no_ledger_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = invoke(monkeypatch, "--results", tmp_path, "--out", tmp_path / "out")
    refused(result, "qae verify --json results/ledger.json")
    refused(invoke(monkeypatch, "--ledger", tmp_path / "gone.json"), "gone.json cannot be read: No such file")


def test_out_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    refused(invoke(monkeypatch, "--ledger", STORED, "--out", tmp_path / "out"), "--out must be a folder")


def test_a_run_that_cannot_be_read_costs_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store_bandit(tmp_path, "sign-split", COLUMNS, ({"rule": "grpo"}, {"rule": "qae"}))
    (run,) = (tmp_path / "sign-split").iterdir()
    (run / "config.json").write_text("{")
    result = invoke(monkeypatch, "--results", tmp_path, "--ledger", STORED, "--out", tmp_path / "out")
    refused(result, "config.json cannot be read", status=1)


def refused(result: object, says: str, *, status: int = 2) -> None:
    assert (result.exit_code, result.stdout) == (status, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("qae report: ")
    assert says in line


def test_what_was_there_stays_when_writing_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = small(monkeypatch, tmp_path, [record("gate-hard")])

    def fail(made: content.Content) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(markdown, "render", fail)
    arguments = ("--results", tmp_path, "--ledger", STORED, "--out", tmp_path / "out")
    refused(invoke(monkeypatch, *arguments, names=()), "No space left", status=1)
    out = tmp_path / "out"
    assert ((out / "report.html").read_text(), (out / "report.md").read_text()) == before
    assert sorted(path.name for path in out.iterdir()) == ["figures", "report.html", "report.md"]


def test_evidence_that_does_not_load_costs_the_steps_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail() -> Ledger:
        raise ImportError("no such\nthing")

    monkeypatch.setattr(content, "load_ledger", fail)
    ledger = write_ledger(tmp_path / "ledger.json", [record("gate-hard")])
    result = invoke(monkeypatch, "--results", tmp_path, "--ledger", ledger, "--out", tmp_path, names=())
    assert result.exit_code == 0
    assert "steps are not shown, evidence could not be loaded: ImportError: no such thing" in result.stderr
    page = (tmp_path / "report.html").read_text()
    assert article_verdicts(page) == {"gate-hard": "proved"}
    assert "Planted falsehood" not in page
    assert "some of its evidence is not registered here" in article(page, "gate-hard")
