"""What a `Path` answers, and what it refuses: other columns, values that are no numbers, strengths that are none."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from shrinkage import cross_validate, path
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


def test_between_strengths_coefficients_are_linear_as_the_lasso_is_between_its_knots(fitted):
    first, last = fitted.coefs.toarray().T
    assert_allclose(fitted.coef(0.5), first)
    assert_allclose(fitted.coef(0.3), last)
    assert_allclose(fitted.coef(0.35), 0.25 * first + 0.75 * last)
    assert_allclose(fitted.intercept(0.45), fitted.intercepts @ [0.75, 0.25])
    exact = path(FRAME, Y, alphas=[0.35])  # the support is the same at all three
    assert_allclose(fitted.coef(0.35), exact.coefs.toarray()[:, 0], atol=1e-10)


def test_strengths_in_any_order_and_twice_come_back_largest_first(fitted):
    again = path(FRAME, Y, alphas=[0.3, 0.5, 0.3])
    assert again.alphas.tolist() == [0.5, 0.3, 0.3]
    assert_allclose(again.coefs.toarray(), fitted.coefs.toarray()[:, [0, 1, 1]], atol=1e-10)
    cv = cross_validate(FRAME, Y, cv=3, alphas=[0.3, 0.5, 0.3])
    once = cross_validate(FRAME, Y, cv=3, alphas=[0.5, 0.3])
    assert_allclose(cv.scores, once.scores[[0, 1, 1]])


def test_a_frame_has_a_row_for_every_strength_and_a_column_for_every_feature(fitted):
    frame = fitted.to_frame()
    assert frame.columns.tolist() == ["alpha", "intercept", "n_nonzero", "gap", "kkt", "status", *NAMES]
    assert_allclose(frame[NAMES].to_numpy(), fitted.coefs.toarray().T)
    assert_allclose(frame["alpha"], fitted.alphas)
    assert frame["status"].tolist() == ["CONVERGED", "CONVERGED"]


@pytest.mark.parametrize("alpha", ["a", None, True, [0.4], np.array([0.4, 0.3]), np.nan, 0.4 + 0j])
def test_a_strength_is_one_number_of_the_grid(fitted, alpha):
    for ask in (fitted.coef, fitted.intercept, lambda strength: fitted.predict(X, strength)):
        with pytest.raises(ArgumentError, match="alpha must"):
            ask(alpha)


def test_coefficients_and_predictions_are_float64_also_of_float32():
    single = path(X.astype(np.float32), Y, alphas=[0.3])
    assert single.coefs.dtype == single.coef(0.3).dtype == np.float64
    assert single.predict(X.astype(np.float32), 0.3).dtype == np.float64


@pytest.mark.parametrize("kind", ["squared", "poisson", "cox", "multinomial", "responses"])
def test_a_fit_with_an_offset_does_not_predict_without_one(kind):
    rng = np.random.default_rng(0)
    X, shift = rng.normal(size=(40, 3)), rng.normal(size=40)
    y = {
        "multinomial": np.arange(40) % 3,
        "responses": rng.normal(size=(40, 2)),
        "cox": np.c_[rng.exponential(size=40), np.ones(40)],
    }.get(kind, rng.poisson(2.0, size=40).astype(float))
    loss, wide = "squared" if kind == "responses" else kind, {"multinomial": 3, "responses": 2}.get(kind)
    offset = shift if wide is None else np.outer(shift, np.arange(wide))
    fitted = path(X, y, loss=loss, offset=offset, n_alphas=3)
    for one in (fitted, pickle.loads(pickle.dumps(fitted))):
        with pytest.raises(ArgumentError, match="fitted with an offset: give that of these rows as offset="):
            one.predict(X, one.alphas[1])
        plain = one.predict(X, one.alphas[1], offset=np.zeros_like(offset))
        np.testing.assert_array_equal(one.predict(X, one.alphas[1], offset=0), plain)
        assert np.abs(one.predict(X, one.alphas[1], offset=offset) - plain).max() > 0.01
    nothing = path(X, y, loss=loss, offset=np.zeros_like(offset), n_alphas=3)
    assert nothing.predict(X, nothing.alphas[1]).shape[0] == 40
