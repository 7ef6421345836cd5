"""The data of the book, small enough to come along: `digits(part)`, so that no page and no notebook fetches any.

The file digits.npz is made by `python -m backprop.data.make`, and a test compares it with scikit-learn's.
"""

from pathlib import Path

import numpy as np

DIGITS = Path(__file__).with_name("digits.npz")
# Where the rows of the file are cut: into people and not only into pictures, since they come in the order of the
# 13 people who wrote them.
PARTS = {"train": slice(0, 1287), "validation": slice(1287, 1545), "test": slice(1545, 1797)}


def digits(part):
    """X (N, 64), y (N,): handwritten digits of 8 x 8 pixels, grey from 0 (paper) to 1 (ink), and which digit each is.

    `part` is "train", "validation" or "test".  X is float64, y integers from 0 to 9; X.reshape(-1, 8, 8) are pictures.
    No one who wrote in one part wrote in another.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), CC BY 4.0.
    """
    if part not in PARTS:
        raise ValueError(f"no part {part!r} of the digits: there are {', '.join(PARTS)}")
    with np.load(DIGITS) as file:
        pixels, labels = file["pixels"][PARTS[part]], file["labels"][PARTS[part]]
    return pixels / 16, labels.astype(int)
