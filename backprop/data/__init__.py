"""The data of the book, small enough to come along, so that no page and no notebook fetches any.

    digits(part)      handwritten digits, pictures of 8 x 8 pixels
    sentences(part)   short sentences written for this book, liked or disliked, each word with its part of speech
    spoken(part)      the ten digits, spoken by a speech synthesiser in many voices
    ratings()         ratings of films with most of them missing, made from a truth that is known

`part` is "train" or "test", and for the digits "validation" too.
What is not written by hand is made by `python -m backprop.data.make`.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent
DIGITS, SENTENCES, SPOKEN, RATINGS = (
    FOLDER / name for name in ("digits.npz", "sentences.txt", "spoken.npz", "ratings.npz")
)
# Where the rows of the file are cut: into people and not only into pictures, since they come in the order of the
# 13 people who wrote them.
PARTS = {"train": slice(0, 1287), "validation": slice(1287, 1545), "test": slice(1545, 1797)}
# Samples per second of a recording.
RATE = 8000


class Sentence(NamedTuple):
    """One line of sentences.txt: `liked` or not, its words, and the part of speech of each."""

    liked: bool
    words: tuple[str, ...]
    tags: tuple[str, ...]


class Recording(NamedTuple):
    """One spoken digit: which, the number of the voice, and the wave, `RATE` samples a second between -1 and 1."""

    digit: int
    voice: int
    wave: np.ndarray


class Ratings(NamedTuple):
    """Stars that viewers gave to films, NaN where they gave none, and the truth that the stars were made from."""

    train: np.ndarray
    test: np.ndarray
    truth: np.ndarray


def digits(part):
    """X (N, 64), y (N,): handwritten digits of 8 x 8 pixels, grey from 0 (paper) to 1 (ink), and which digit each is.

    `part` is "train", "validation" or "test".  X is float64, y integers from 0 to 9; X.reshape(-1, 8, 8) are pictures.
    No one who wrote in one part wrote in another.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), CC BY 4.0.
    """
    _known("digits", part, PARTS)
    with np.load(DIGITS) as file:
        pixels, labels = file["pixels"][PARTS[part]], file["labels"][PARTS[part]]
    return pixels / 16, labels.astype(int)


def sentences(part):
    """A list of `Sentence`.

    The sentences were written in pairs that differ in a word or two, one liked and one disliked; a pair is never
    divided, and every fifth is held back for the test.
    """
    _known("sentences", part, ("train", "test"))
    found = []
    for number, line in enumerate(SENTENCES.read_text(encoding="utf-8").splitlines()):
        if (number // 2 % 5 == 4) == (part == "test"):
            sign, *tokens = line.split()
            words, tags = zip(*(token.split("/") for token in tokens), strict=True)
            found.append(Sentence(sign == "+", words, tags))
    return found


def spoken(part):
    """A list of `Recording`: every voice says each of the ten digits once, and no voice is in both parts.

    The voices are synthetic: they are those of espeak-ng, at several speeds and pitches.
    """
    _known("spoken digits", part, ("train", "test"))
    with np.load(SPOKEN) as file:
        names = ("samples", "lengths", "digits", "voices", "held_back")
        samples, lengths, labels, voices, held_back = (file[name] for name in names)
    # The inverse of the mu-law, by which telephony keeps eight bits a sample.
    waves = np.split(np.sign(samples) * np.expm1(np.abs(samples) / 127 * np.log(256)) / 255, np.cumsum(lengths)[:-1])
    chosen = np.isin(voices, held_back) == (part == "test")
    return [Recording(int(labels[k]), int(voices[k]), waves[k]) for k in np.flatnonzero(chosen)]


def ratings():
    """`Ratings`, three arrays (viewers, films): stars in steps of a half from 0.5 to 5.

    Made data: the truth is 3 plus a matrix of rank two; a rating is the truth with noise, rounded to half a star.
    """
    with np.load(RATINGS) as file:
        stars, held_back, truth = file["half_stars"] / 2, file["held_back"], file["truth"]
    given = stars > 0
    return Ratings(
        np.where(given & ~held_back, stars, np.nan), np.where(given & held_back, stars, np.nan), truth
    )


def _known(what, part, parts):
    if part not in parts:
        raise ValueError(f"no part {part!r} of the {what}: there are {', '.join(parts)}")
