"""The parts that the documentation site is made of: each finds what it has to, and says so when it does not."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest

from docs.site_build import (
    built,
    claim_links,
    commands,
    gallery,
    generated,
    markers,
    mathml,
    proofs,
    readme,
    sources,
    study,
)
from docs.site_build.docstrings import as_markdown
from paper_figures.report.entries import ledger_lines
from qae_theory.claims.ledger import load_ledger, read_catalogue
from qae_theory.claims.readme import bottom_line
from qae_theory.claims.report import KIND_MEANING, VERDICT_MEANING
from qae_theory.cli import COMMANDS_GROUP
from tests import ROOT

RECORDS = json.loads((ROOT / "docs" / "ledger.json").read_text(encoding="utf-8"))

# README.md and CONTRIBUTING.md

README = """# A suite

See [docs/laboratory.md](docs/laboratory.md), [how](CONTRIBUTING.md#set-up), [the paper](https://example.org/p.pdf).

![A picture](docs/figures/a.png) <img src="docs/figures/b.png" alt="b">

## Found

<!-- ledger:begin -->
2 claims: 1 proved, 1 refuted.

| Claim | Verdict |
| --- | --- |
<!-- ledger:end -->

Words [about](LICENSE) it.

## As a library

More.
"""


def test_front_page_ends_with_the_section_of_the_table() -> None:
    page = readme.front_page(README, "proofs/index.md", {"laboratory.md": "The laboratory"})
    assert "2 claims: 1 proved, 1 refuted. [The table of all verdicts, each with its proof](proofs/index.md)." in page
    assert "| Claim |" not in page
    assert "As a library" not in page
    assert (
        "[The laboratory](laboratory.md), [how](contributing.md#set-up), [the paper](https://example.org/p.pdf)" in page
    )
    assert '![A picture](figures/a.png) <img src="figures/b.png"' in page
    assert "Words about it." in page


def test_front_page_needs_the_table() -> None:
    with pytest.raises(ValueError, match="ledger:begin"):
        readme.front_page("# A suite\n", "proofs/index.md", {})


def test_front_page_is_the_readme() -> None:
    """Every line of README.md outside the table and its links is there, up to the end of that section."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    page = readme.front_page(text, proofs.INDEX, {})
    head, _, rest = text.partition("<!-- ledger:begin -->")
    section = rest.partition("<!-- ledger:end -->")[2].partition("\n## ")[0]
    kept = [line for line in (head + section).splitlines() if "](" not in line and "<!--" not in line]
    assert kept
    assert all(line in page for line in kept)
    assert f"\n\n{bottom_line()}\n\n" in page


# Proofs


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages_of(RECORDS)


def pages_of(records: list[dict[str, object]]) -> dict[str, str]:
    found, fallbacks = proofs.pages(ledger_lines(records, load_ledger()), "a ledger")
    assert not fallbacks
    return found


def test_every_claim_has_its_place_and_its_line(made: dict[str, str]) -> None:
    families = "".join(text for name, text in made.items() if name != proofs.INDEX)
    for record in RECORDS:
        name = record["id"]
        assert families.count(f"{{ #claim-{name} }}") == 1
        assert families.count(f"<code>qae verify {name}</code>") == 1
        line = rf"\(([\w-]+\.md)#claim-{re.escape(name)}\)<br>`{re.escape(name)}`.*>{record['verdict']}<"
        assert re.search(line, made[proofs.INDEX])
        for item in record["evidence"]:
            assert f"<code>{item['where']}</code>" in families


def test_links_lead_to_the_page_that_has_the_claim(made: dict[str, str]) -> None:
    links = re.findall(r"\(([\w-]+\.md)#(claim-[^)]+)\)", made[proofs.INDEX])
    assert len(links) == len(RECORDS)
    assert all(f"{{ #{place} }}" in made[f"proofs/{page}"] for page, place in links)


def test_a_line_of_the_ledger_has_update_and_condition_and_a_title(made: dict[str, str]) -> None:
    claim = "shape-entropy-rises-with-k@bandit/sgd-one-pass-uniform-equal-steps"
    lines = [line for line in made[proofs.INDEX].splitlines() if f"`{claim}`" in line]
    assert len(lines) == 1
    title, update, condition, verdict = lines[0].strip("| ").split(" | ")
    assert title.startswith("[Entropy rises with K](empirical-claims-by-condition.md#claim-")
    assert (update, condition) == ("any", "bandit/sgd-one-pass-uniform-equal-steps")
    assert ">absent<" in verdict
    assert " | sampled group |  | " in next(line for line in made[proofs.INDEX].splitlines() if "`neutrality`" in line)


def test_titles_are_statements() -> None:
    """A title has a verb; the words that titles without one began with are planted."""
    words = (
        "is are be has have can hold holds give gives gets keep keeps show shows fall falls rise rises make makes "
        "leave leaves weights reward rewards punish fails amplifies interpolates come comes change changes stay stays "
        "step steps ascend move moves survives pushes splits decides carry carries lead collapses explodes predicts "
        "peaks raises spikes surge shifts helps spreads puts takes refused dips raise lower does scales turns "
        "tends settles improves drive steer"
    )
    verbs = re.compile(rf"\b({'|'.join(words.split())})\b")
    titles = [claim.title for claim in read_catalogue() if not claim.family]
    assert [title for title in titles if not verbs.search(title)] == []
    assert not verbs.search("The two-regime gate of Eq. 4")
    assert not verbs.search("Main results")


def test_steps_and_planted_falsehoods_are_shown(made: dict[str, str]) -> None:
    page = made["proofs/quantile-and-gate.md"]
    assert page.count("<dt>Planted falsehood</dt>") > 50
    assert "<math" in page
    assert "$" not in re.sub(r'alttext="[^"]*"|<code>.*?</code>', "", page, flags=re.DOTALL)


def test_a_claim_is_one_block_of_html(made: dict[str, str]) -> None:
    """A blank line within it would have Markdown read on."""
    for name, text in made.items():
        if name not in (proofs.INDEX, "proofs/definitions.md"):
            parts = text.strip().split("\n\n")
            assert len(parts) == 2 + 2 * len(re.findall(r"^## ", text, re.MULTILINE))
            assert all(part.startswith('<div class="claim">') for part in parts[3::2])


def test_a_changed_ledger_changes_the_pages(made: dict[str, str]) -> None:
    changed = copy.deepcopy(RECORDS)
    line = next(record for record in changed if record["id"] == "eq4-threshold")
    line["verdict"], line["evidence"][0]["detail"] = "refuted", "another detail"
    pages = pages_of(changed)
    assert pages[proofs.INDEX] != made[proofs.INDEX]
    assert "another detail" in pages["proofs/quantile-and-gate.md"]
    assert pages["proofs/objective.md"] == made["proofs/objective.md"]


def test_steps_come_first_and_their_places_are_links() -> None:
    lines = ledger_lines(RECORDS, load_ledger())
    lengths = sources.lengths_of(proofs.places(lines), ROOT)
    page = proofs.pages(lines, "a ledger", lengths)[0]["proofs/quantile-and-gate.md"]
    claim = page.partition("{ #claim-eq4-threshold }")[2].partition("\n## ")[0]
    order = [claim.index(part) for part in ("<blockquote>", '<ol class="steps">', 'class="theorem"', "<dt>Source</dt>")]
    assert order == sorted(order)
    assert claim.count(" open>") == 1
    assert '<details class="evidence passed" open>\n<summary><span class="kind">symbolic proof' in claim
    assert '<details class="reached">' not in page
    file, line = re.search(r'<a href="../source/(.+?)\.html#L(\d+)"><code>\1:\2</code></a>', claim).groups()  # type: ignore[union-attr]
    assert f'<span id="L{line}" ' in sources.pages([f"{file}:{line}"], ROOT)[sources.page_name(file)]


# The study's page

REPORT = (
    "# A study\n\n## Short\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n"
    "## Long, and more\n\nHow to read it.\n\n| a | b |\n| --- | --- |\n"
    + "".join(f"| {n} | x\\|y, {n} |\n" for n in range(study.MOST_ROWS + 1))
    + "\n| a |\n| --- |\n"
    + "| z |\n" * (study.MOST_ROWS + 1)
    + "\n```json\n"
    + "1\n" * (study.MOST_LINES + 1)
    + "```\n\n```\nshort\n```\n"
)


def test_long_tables_and_blocks_of_the_study_are_files() -> None:
    text, files = study.cut(REPORT)
    assert "| 1 | 2 |" in text
    assert "How to read it." in text
    assert "```\nshort\n```" in text
    assert "x\\|y" not in text
    rows = study.MOST_ROWS + 1
    assert f"[Table of {rows} rows: a, b](long-and-more.csv)\n" in text
    assert f"[Table of {rows} rows: a](long-and-more-2.csv)\n" in text
    assert f"[{study.MOST_LINES + 1} lines](long-and-more-3.json)\n" in text
    assert list(files) == ["long-and-more.csv", "long-and-more-2.csv", "long-and-more-3.json"]
    assert files["long-and-more.csv"].startswith('a,b\n0,"x|y, 0"\n')
    assert files["long-and-more.csv"].count("\n") == rows + 1


@pytest.mark.parametrize("page", study.PAGES)
def test_a_stored_study_has_a_page_that_can_be_read(page: str) -> None:
    report = (ROOT / "docs" / page).read_text(encoding="utf-8")
    text, files = study.cut(report)
    assert len(text.splitlines()) < 250  # of 31 headings, seven figures and short tables
    assert all(f"]({name})" in text for name in files)
    assert re.findall(r"^#.*$", text, re.MULTILINE) == re.findall(r"^#.*$", report, re.MULTILINE)


# Source files


def test_a_source_file_is_a_page_with_a_place_for_each_line(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.py").write_text("if x < 1:\n    y = '&'\n", encoding="utf-8")
    places = ["a/b.py:2", "a/b.py:1", "a/gone.py:1"]
    made = sources.pages(places, tmp_path)
    assert list(made) == ["source/a/b.py.html"]
    assert '<span id="L1" data-line="1">if x &lt; 1:\n</span><span id="L2"' in made["source/a/b.py.html"]
    assert 'href="../../proofs/index.html"' in made["source/a/b.py.html"]
    assert built.loaded_from_elsewhere(made["source/a/b.py.html"]) == []
    assert sources.lengths_of(places, tmp_path) == {"a/b.py": 2}


def test_places_are_links_where_the_file_has_a_page() -> None:
    text = "<code>a/b.py:2</code> <code>a/b.py:3</code> <code>a/c.py:1</code> <code>a/b.py</code>"
    assert sources.linked(text, {"a/b.py": 2}, "../") == (
        '<a href="../source/a/b.py.html#L2"><code>a/b.py:2</code></a> '
        '<a href="../source/a/b.py.html"><code>a/b.py:3</code></a> <code>a/c.py:1</code> <code>a/b.py</code>'
    )


# Figures

ENTRY = {
    "title": "K against difficulty",
    "panels": [
        {"title": "(a) all groups", "says": "Most 0.95 at K = 0.4.", "source": "theory, exact", "missing": None}
    ],
}


def stored(folder: Path, *suffixes: str) -> dict[str, object]:
    (folder / gallery.INDEX).write_text(json.dumps({"zero_map": ENTRY}), encoding="utf-8")
    for suffix in suffixes:
        (folder / f"zero_map.{suffix}").write_bytes(bytes(18) + b"\x04\xd2")  # of a PNG, the start up to its width
    return gallery.stored(folder)


def test_stored_figures_have_their_captions(tmp_path: Path) -> None:
    page = gallery.page(stored(tmp_path, "png", "pdf"), tmp_path)
    assert "## K against difficulty { #zero_map }" in page
    assert '(figures/zero_map.png){ .plot style="--width: 1234" }' in page
    assert "* Most 0.95 at K = 0.4. *Source: theory, exact.*" in page
    assert "[PDF](figures/zero_map.pdf), `qae figures zero_map`" in page
    assert "CSV" not in page


def test_a_stored_table_is_shown_as_text(tmp_path: Path) -> None:
    entries = stored(tmp_path, "png", "csv")
    (tmp_path / "zero_map.md").write_text("# A table\n\n| a |\n| --- |\n| 1 |\n", encoding="utf-8")
    page = gallery.page(entries, tmp_path)
    assert "{ #zero_map }\n\n| a |\n| --- |\n| 1 |\n\n* Most" in page
    assert "zero_map.png" not in page
    assert "[CSV](figures/zero_map.csv)" in page


def test_a_panel_without_data_has_no_source(tmp_path: Path) -> None:
    missing = {"title": "(a)", "says": "(a): not run: qae figures.", "source": "not run", "missing": "not run"}
    stored(tmp_path, "png")
    assert "Source" not in gallery.page({"zero_map": {**ENTRY, "panels": [missing]}}, tmp_path)


@pytest.mark.parametrize("has_index", [True, False])
def test_without_figures_the_page_says_how_to_draw_them(tmp_path: Path, has_index: bool) -> None:
    entries = stored(tmp_path) if has_index else gallery.stored(tmp_path)
    assert gallery.NONE in gallery.page(entries, tmp_path)
    assert gallery.with_pictures(
        "Before.\n\n<!-- figure: zero_map -->\n\nAfter.", entries, tmp_path, "../"
    ).split() == [
        "Before.",
        "After.",
    ]


def test_a_page_gets_the_figure_that_it_asks_for(tmp_path: Path) -> None:
    page = gallery.with_pictures("<!-- figure: zero_map -->", stored(tmp_path, "png"), tmp_path, "../")
    assert "(../figures/zero_map.png)" in page
    assert "(../figures.md#zero_map)" in page


# Commands


def test_every_command_and_option_is_on_the_page() -> None:
    from importlib.metadata import entry_points

    page = commands.page(commands.command_tree())
    sections = dict(re.findall(r"^## `(qae [\w -]+)`.*?$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert {point.name for point in entry_points(group=COMMANDS_GROUP)} <= {name.split()[1] for name in sections}
    for name, command in commands.leaves(commands.command_tree()):
        context = command.make_context(name, [], resilient_parsing=True)
        for parameter in command.get_params(context):
            assert getattr(parameter, "hidden", False) or all(
                spelled in sections[name] for spelled in parameter.opts if spelled.startswith("--")
            )


# Texts of the code


def test_meanings_are_those_of_the_code() -> None:
    text = markers.filled("<!-- verdicts -->\n\n<!-- kinds -->", ROOT)
    assert all(words in text for words in (*VERDICT_MEANING.values(), *KIND_MEANING.values()))


def test_public_names_are_the_packages_own() -> None:
    import qae_theory

    names = markers.public_names(ROOT / "qae_theory")
    assert list(names) == qae_theory.__all__
    assert names["advantages"] == "qae_theory.advantages.advantages"
    assert "[`qae_theory.entropy`][qae_theory.softmax.entropy]" in markers.filled("<!-- public: qae_theory -->", ROOT)


def test_docstrings_become_markdown() -> None:
    text = r"""Gain of a rule.

With :math:`w
> 0` as in :func:`~qae_theory.advantages`, and :func:`gain`.

>>> gain(1)
2
>>> for i in range(1):
...     print(i)
0

After it.
"""
    page = as_markdown(text, lambda name: name if "." in name else f"m.{name}")
    assert "With $w > 0$ as in" in page
    assert '<autoref optional identifier="qae_theory.advantages"><code>qae_theory.advantages</code></autoref>' in page
    assert '<autoref optional identifier="m.gain"><code>gain</code></autoref>' in page
    assert "```pycon\n>>> gain(1)\n2\n>>> for i in range(1):\n...     print(i)\n0\n```\n\nAfter it." in page


# Links to claims


def test_claims_are_linked_where_the_text_names_them() -> None:
    where = claim_links.places()
    page = "<p><code>gate-hard</code> <a href='#'><code>gate-hard</code></a></p><pre><code>gate-hard</code></pre>"
    link = '<a href="../proofs/quantile-and-gate.html#claim-gate-hard"><code>gate-hard</code></a>'
    assert claim_links.linked(page, where, "../") == page.replace("<p><code>gate-hard</code>", f"<p>{link}")


def test_a_verdict_behind_a_claim_is_shown_in_its_colour() -> None:
    where = claim_links.places()
    text = (
        "<code>gate-hard</code>: proved; <code>table-2</code>: not\nrun) "
        "<code>b</code>: proved, <code>gate-hard</code>: no"
    )
    assert claim_links.with_badges(text, where) == (
        '<code>gate-hard</code> <span class="badge proved">proved</span>; '
        '<code>table-2</code> <span class="badge not-run">not run</span>) '
        "<code>b</code>: proved, <code>gate-hard</code>: no"
    )


def test_words_that_name_something_else_too_are_left_alone(made: dict[str, str]) -> None:
    where = generated.claim_places()
    assert len(where) > 100
    assert not {"channels", "identity", "second-order"} & set(where)
    for claim, place in where.items():
        assert f"{{ #claim-{claim} }}" in made[place.partition("#")[0].replace(".html", ".md")]


# Formulas


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("the gain $w(p, G)$, at $G = 16$.", ["$w(p, G)$", "$G = 16$"]),
        (r"$\{.2, .4\}$ is", [r"$\{.2, .4\}$"]),
        ("a dollar $ and another $ here", []),
        ("$OUT and $HOME", []),
        (r"\$x$", []),
        ("$x$y", []),
    ],
)
def test_what_is_a_formula(text: str, formulas: list[str]) -> None:
    assert [found.group() for found in re.finditer(mathml.INLINE, text)] == formulas


def test_formulas_become_mathml() -> None:
    assert mathml.html_of("$x$").startswith('<span class="math inline"><math')
    assert 'tabindex="0"' in mathml.html_of(
        r"$\left(\frac1G\sum_i A_i(e_{y_i} - \pi) + \text{something that is long}\right)$"
    )
    assert mathml.html_of("$$x = 1$$").startswith('<span class="math block"')
    assert "<code>" not in mathml.html_of(r"$c > \texttt{correct\_above}$")


def test_a_formula_without_mathml_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert mathml.html_of(r"$\nonsense{x}$") == r"<code>\nonsense{x}</code>"
    assert r"\nonsense" in caplog.text


# The built pages


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ('<script src="https://cdn.example/x.js"></script>', ["https://cdn.example/x.js"]),
        ('<img alt="" src=//cdn.example/x.png>', ["//cdn.example/x.png"]),
        ('<link href="https://fonts.example/a.css" rel="stylesheet">', ["https://fonts.example/a.css"]),
        ("@import 'https://fonts.example/a.css';", ["https://fonts.example/a.css"]),
        ("a { background: url(https://cdn.example/x.png) }", ["https://cdn.example/x.png"]),
        ('<script src="assets/x.js"></script><img src="data:image/png;base64,AA">', []),
        ('<a href="https://arxiv.org/abs/2509.22611">the paper</a>', []),
        ('<link rel="canonical" href="https://example.org/">', []),
    ],
)
def test_what_a_page_loads_from_elsewhere(text: str, addresses: list[str]) -> None:
    assert built.loaded_from_elsewhere(text) == addresses


def test_tables_code_and_search_can_be_reached_and_have_names() -> None:
    table = built.with_scrolling_tables("<p>a</p><table><tr><td>1</td></tr></table><table class='x'></table>")
    assert table.count('<div class="scroll" tabindex="0" role="group" aria-label="Table">') == 1
    picture = '<img alt="a" class="plot" src="a.png" />'
    assert built.with_scrolling_pictures(picture + "<img src='b.png'>").count('role="group"') == 1
    assert built.with_focusable_code("<pre><code>x</code></pre>") == '<pre tabindex="0"><code>x</code></pre>'
    assert 'aria-label="Search"' in built.with_named_search('<div class="md-search" role="dialog">')
