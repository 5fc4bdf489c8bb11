"""What a `Path` refuses to answer: other columns, values that are no numbers, strengths that are none."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from shrinkage import path
from shrinkage._errors import ArgumentError, DataError

RNG = np.random.default_rng(8)
X = RNG.normal(size=(30, 3))
Y = X[:, 0] + 0.1 * RNG.normal(size=30)
NAMES = ["age", "bmi", "bp"]
FRAME = pd.DataFrame(X, columns=NAMES)


@pytest.fixture(name="fitted", scope="module")
def fit():
    return path(FRAME, Y, alphas=[0.5, 0.3])


def test_columns_of_other_names_or_another_order_are_refused_by_the_first_that_differs(fitted):
    with pytest.raises(ArgumentError, match="column 1 is 'bp', in the fit it is 'bmi'"):
        fitted.predict(FRAME[["age", "bp", "bmi"]], 0.3)
    with pytest.raises(ArgumentError, match="column 2 is 'pressure', in the fit it is 'bp'"):
        fitted.predict(FRAME.rename(columns={"bp": "pressure"}), 0.3)
    with pytest.raises(ArgumentError, match="X must have 3 columns, as in the fit; got 2"):
        fitted.predict(FRAME[["age", "bmi"]], 0.3)
    assert_allclose(fitted.predict(FRAME, 0.3), X @ fitted.coef(0.3) + fitted.intercept(0.3))
    assert_allclose(fitted.predict(X, 0.3), fitted.predict(FRAME, 0.3))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, np.float32, sparse.csc_array], ids=["float64", "float32", "sparse"])
def test_a_value_that_is_no_number_is_refused_also_where_the_coefficient_is_zero(fitted, bad, kind):
    assert fitted.coef(0.5)[2] == 0
    new = X.copy()
    new[7, 2] = bad
    with pytest.raises(DataError, match="X must be finite; row 7, column 2"):
        fitted.predict(kind(new), 0.5)


@pytest.mark.parametrize("alpha", ["a", None, True, [0.4], np.array([0.4, 0.3]), np.nan, 0.4 + 0j])
def test_a_strength_is_one_number_of_the_grid(fitted, alpha):
    for ask in (fitted.coef, fitted.intercept, lambda strength: fitted.predict(X, strength)):
        with pytest.raises(ArgumentError, match="alpha must"):
            ask(alpha)


def test_coefficients_and_predictions_are_float64_also_of_float32():
    single = path(X.astype(np.float32), Y, alphas=[0.3])
    assert single.coefs.dtype == single.coef(0.3).dtype == np.float64
    assert single.predict(X.astype(np.float32), 0.3).dtype == np.float64
