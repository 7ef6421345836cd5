"""Write the data files that the package comes with: python -m backprop.data.make digits | spoken | ratings.

    digits    from scikit-learn's copy, which the package itself does without
    spoken    with espeak-ng, a speech synthesiser: the ten digits in 32 voices
    ratings   from a matrix of rank two
"""

import io
import math
import subprocess
import sys
import wave

import numpy as np

from backprop.data import DIGITS, RATE, RATINGS, SPOKEN

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
ACCENTS = [
    "en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc",
]  # fmt: skip
# The last four speak in the test alone.
TIMBRES = ["m1", "m2", "m4", "m5", "m7", "m8", "f1", "f2", "f3", "f5", "klatt4", "Alex", "m3", "m6", "f4", "Andy"]
HELD_BACK = 4


def digits():
    """scikit-learn's digits, one byte a pixel."""
    from sklearn.datasets import load_digits

    source = load_digits()
    np.savez_compressed(DIGITS, pixels=source.data.astype(np.uint8), labels=source.target.astype(np.uint8))


def say(word, accent, timbre, speed, pitch):
    """A word as espeak-ng says it: samples at `RATE`, the silence at both ends cut off, the loudest at 0.8."""
    from scipy.signal import resample_poly

    command = ["espeak-ng", "-v", f"{accent}+{timbre}", "-s", str(speed), "-p", str(pitch), "--stdout", word]
    spoken = bytearray(subprocess.run(command, capture_output=True, check=True).stdout)
    # Written to a pipe, the file does not know its own length.
    spoken[40:44] = (len(spoken) - 44).to_bytes(4, "little")
    with wave.open(io.BytesIO(spoken)) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    shared = math.gcd(rate, RATE)
    samples = resample_poly(samples, RATE // shared, rate // shared)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    samples = samples[max(loud[0] - 80, 0) : loud[-1] + 80]
    return 0.8 * samples / np.abs(samples).max()


def spoken():
    """Each voice is an accent, a timbre, a speed (words a minute) and a pitch; 8 bits a sample by the mu-law."""
    rng = np.random.default_rng(0)
    clips, labels, voices = [], [], []
    for voice in range(32):
        known = len(TIMBRES) - HELD_BACK
        timbre = TIMBRES[known + voice % HELD_BACK] if voice >= 24 else TIMBRES[(voice + voice // 8) % known]
        speed, pitch = int(rng.integers(120, 211)), int(rng.integers(20, 81))
        for digit, word in enumerate(WORDS):
            clips.append(say(word, ACCENTS[voice % len(ACCENTS)], timbre, speed, pitch))
            labels.append(digit)
            voices.append(voice)
    samples = np.concatenate(clips)
    samples = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256)
    np.savez_compressed(
        SPOKEN,
        samples=np.round(127 * samples).astype(np.int8),
        lengths=np.array([len(clip) for clip in clips]),
        digits=np.array(labels, np.uint8),
        voices=np.array(voices, np.uint8),
        held_back=np.arange(24, 32, dtype=np.uint8),
    )


def ratings(viewers=80, films=50, given=0.3, noise=0.3):
    """Stars for a share `given` of all pairs, a fifth of them held back for the test."""
    rng = np.random.default_rng(0)
    tastes, traits = rng.normal(size=(viewers, 2)), rng.normal(size=(films, 2))
    truth = 3 + 0.55 * tastes @ traits.T
    stars = np.clip(np.round(2 * (truth + noise * rng.normal(size=truth.shape))), 1, 10)
    np.savez_compressed(
        RATINGS,
        half_stars=np.where(rng.random(truth.shape) < given, stars, 0).astype(np.uint8),
        held_back=rng.random(truth.shape) < 0.2,
        truth=truth,
    )


MAKERS = {"digits": digits, "spoken": spoken, "ratings": ratings}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in MAKERS:
        sys.exit(__doc__)
    MAKERS[sys.argv[1]]()
