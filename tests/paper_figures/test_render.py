"""Files whose bytes the panels alone determine, with fonts and provenance inside; and the layout."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from matplotlib import rcParams
from PIL import Image

from paper_figures.panels import Panel, built
from paper_figures.render import SUFFIXES, figure_of, save, style
from paper_figures.runs import Results
from qae_theory.runs.stored import MissingError
from tests.paper_figures.stored import Drawn, texts

CAPTION = "Two panels. A line from 0 to 1."
SOURCES = ["ordering/0123456789ab", "sparsity/ba9876543210"]


def panels(tmp_path: Path) -> list[Panel]:
    def draw(axes: Any) -> None:
        axes.plot([0, 1, 2], [0, 1, 4], label="a line")
        axes.set(xlabel="step", ylabel="entropy (nats)")
        axes.legend()

    def lacking(results: Results) -> Panel:
        raise MissingError("not run: qae simulate ordering")

    whole = Panel("a line", "A line from 0 to 1.", draw, stand_in="a rather long stand-in " * 5)
    return [whole, built("nothing yet", lacking, Results(tmp_path))]


def figure(tmp_path: Path) -> Any:
    with style():
        return figure_of("Two panels", panels(tmp_path), shape=(1, 3), size=(3.0, 2.4))


def saved(tmp_path: Path, folder: str) -> Path:
    out = tmp_path / folder
    out.mkdir()
    with style():
        made = figure_of("Two panels", panels(tmp_path), shape=(1, 3), size=(3.0, 2.4))
        save(made, out, "two", caption=CAPTION, sources=SOURCES)
    return out


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_drawn_twice_the_bytes_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = hashes(saved(tmp_path, "one"))
    monkeypatch.setitem(rcParams, "font.size", 20.0)  # the user's own settings do not count
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert hashes(saved(tmp_path, "two")) == one
    assert list(one) == [f"two.{suffix}" for suffix in SUFFIXES]


def test_the_style_leaves_the_users_settings_alone() -> None:
    before = dict(rcParams)
    with style():
        assert rcParams["pdf.fonttype"] == 42
    assert dict(rcParams) == before


def test_fonts_are_embedded_as_true_type(tmp_path: Path) -> None:
    pdf = whole_pdf(saved(tmp_path, "one") / "two.pdf")
    fonts = set(re.findall(rb"/BaseFont\s*/(\S+)", pdf))
    assert fonts
    assert pdf.count(b"/FontFile2") >= len({name.split(b"+")[-1] for name in fonts})
    assert b"/Type3" not in pdf


def test_run_ids_and_caption_are_in_the_metadata_and_no_date(tmp_path: Path) -> None:
    out = saved(tmp_path, "one")
    with Image.open(out / "two.png") as image:
        text = dict(image.text)  # type: ignore[attr-defined]
    assert text == {"Title": "two", "Description": CAPTION, "Source": "; ".join(SOURCES)}
    pdf = whole_pdf(out / "two.pdf")
    for value in (CAPTION, "; ".join(SOURCES)):
        assert f"({value})".encode() in pdf
    assert b"CreationDate" not in pdf
    assert b"ModDate" not in pdf


def whole_pdf(path: Path) -> bytes:
    """The file with its compressed streams unpacked behind it."""
    raw = path.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", raw, re.DOTALL)
    return raw + b"".join(unpacked(stream) for stream in streams)


def unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def test_sources_stand_below_and_a_panel_without_data_takes_no_room(tmp_path: Path) -> None:
    found = Drawn(figure(tmp_path), panels(tmp_path), {})
    assert texts(found.axes(0), "source") == [("a rather long stand-in " * 5).strip() + " : theory, exact"]
    assert len(found.figure.axes) == 1
    assert found.figure.get_size_inches()[0] == 3.0
    assert [text for text in found.figure.texts if text.get_gid() == "missing"] == []


def test_without_any_data_the_figure_is_a_line_for_each_panel(tmp_path: Path) -> None:
    with style():
        made = figure_of("Nothing yet", panels(tmp_path)[1:] * 2, shape=(1, 2), size=(3.0, 2.4))
    assert made.axes == []
    (text,) = [text for text in made.texts if text.get_gid() == "missing"]
    assert text.get_text() == "\n".join(["nothing yet: not run: qae simulate ordering"] * 2)
    assert made.get_size_inches()[1] < 1
    made.draw_without_rendering()
    title, box = made._suptitle.get_window_extent(), text.get_window_extent()
    assert box.y0 >= 0
    assert box.y1 <= title.y0
    assert box.x1 <= made.bbox.x1


def test_panels_that_share_an_axis_have_one_scale() -> None:
    def line(high: float) -> Panel:
        return Panel(f"to {high:g}", "A line.", lambda axes: axes.plot([0, 1], [0, high]))

    with style():
        made = figure_of("Three", [line(1), line(20), line(5)], shape=(1, 3), size=(2, 2), shared_y=((0, 1),))
    one, two, apart = made.axes
    assert one.get_ylim() == two.get_ylim() != apart.get_ylim()
    assert one.get_ylim()[1] >= 20
    assert list(one.get_yticks()) == list(two.get_yticks())


def test_nothing_leaves_the_page_and_a_source_overlaps_no_label(tmp_path: Path) -> None:
    made = figure(tmp_path)
    made.draw_without_rendering()
    renderer = made.canvas.get_renderer()
    axes = made.axes[0]
    (source,) = [text for text in axes.texts if text.get_gid() == "source"]
    box = source.get_window_extent(renderer)
    assert box.y1 <= axes.xaxis.get_tightbbox(renderer).y0
    for artist in (source, axes.title):
        inside = artist.get_window_extent(renderer)
        assert inside.x0 >= 0
        assert inside.y0 >= 0
        assert inside.x1 <= made.bbox.x1
        assert inside.y1 <= made.bbox.y1


def test_an_interrupted_save_leaves_the_old_file(tmp_path: Path) -> None:
    out = saved(tmp_path, "one")
    before = hashes(out)

    class Broken:
        def savefig(self, path: Path, **options: object) -> None:
            path.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(Broken(), out, "two", caption="", sources=[])
    after = hashes(out)
    assert {name: after[name] for name in before} == before
