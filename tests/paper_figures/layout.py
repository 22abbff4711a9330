"""Layouts of figures as small grey images, held against stored ones.

``python -m tests.paper_figures.layout`` stores them anew: look at them before committing.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from paper_figures.render import style
from qae_theory.arrays import Array
from tests.paper_figures.stored import drawn

FOLDER = Path(__file__).parent / "baseline"
# Exact panels alone: nothing here depends on a run.
NAMES = ("gain_ratio", "leaky_cells", "baseline_sweep", "safe_step", "zero_map", "ledger_matrix")
PER_INCH = 22  # pixels of a small image
BLOCK = 6  # pixels: letters and anti-aliasing are averaged away, a moved label is not


def small_image(figure: Any) -> Image.Image:
    """The figure in grey, ``PER_INCH`` pixels an inch."""
    buffer = BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=100)
    image = Image.open(buffer).convert("L")
    size = [round(inches * PER_INCH) for inches in figure.get_size_inches()]
    return image.resize((size[0], size[1]), Image.Resampling.BOX)


def difference(one: Image.Image, other: Image.Image) -> float:
    """The largest difference of mean grey in a block, from 0 to 1; 1 for images of another size."""
    if one.size != other.size:
        return 1.0
    return float(np.abs(_blocks(one) - _blocks(other)).max())


def _blocks(image: Image.Image) -> Array:
    pixels = np.asarray(image, dtype=np.float64) / 255
    rows, columns = (length // BLOCK for length in pixels.shape)
    whole = pixels[: rows * BLOCK, : columns * BLOCK]
    return np.asarray(whole.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3)))


def main() -> None:
    """Store the images anew."""
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        for name in NAMES:
            small_image(drawn(name, Path(folder)).figure).save(FOLDER / f"{name}.png", optimize=True)
            print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
