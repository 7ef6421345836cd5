"""Write digits.npz from scikit-learn's copy of the digits, which the package itself does without."""

import numpy as np
from sklearn.datasets import load_digits

from backprop.data import DIGITS

if __name__ == "__main__":
    source = load_digits()
    np.savez_compressed(DIGITS, pixels=source.data.astype(np.uint8), labels=source.target.astype(np.uint8))
