"""The digits that come along are scikit-learn's, cut into parts that share nobody's handwriting."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from backprop import data


def test_the_digits_are_those_of_scikit_learn():
    source = load_digits()
    parts = [data.digits(part) for part in ("train", "validation", "test")]
    assert np.array_equal(16 * np.concatenate([X for X, _ in parts]), source.data)
    assert np.array_equal(np.concatenate([y for _, y in parts]), source.target)


@pytest.mark.parametrize("part", data.PARTS)
def test_every_part_has_the_form_that_a_network_takes(part):
    X, y = data.digits(part)
    assert X.dtype == np.float64 and X.shape == (len(y), 64) and X.min() == 0 and X.max() == 1
    assert y.dtype == int and np.array_equal(np.unique(y), np.arange(10))
    X[:] = 0  # a copy of one's own
    assert data.digits(part)[0].max() == 1


def test_a_part_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no part 'tset' of the digits: there are train, validation, test"):
        data.digits("tset")
