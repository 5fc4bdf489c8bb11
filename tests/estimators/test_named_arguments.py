"""Refusals name what the user gave, and say what is right."""

import numpy as np
import pytest

from shrinkage import (
    ArgumentError,
    CoxRegressor,
    CoxRegressorCV,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    TweedieRegressor,
    path,
)
from shrinkage._errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
COUNTS = RNG.poisson(2.0, 60)
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] + RNG.normal(size=60) > 0.5)


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (LassoCV(scoring="r2"), X[:, 0]),
        (LassoCV(scoring="auc"), X[:, 0]),
        (LogisticRegressionCV(scoring="f1", cv=3), CLASSES > 0),
        (LogisticRegressionCV(scoring="auc", cv=3), CLASSES),
        (CoxRegressorCV(scoring="mse", cv=3), np.column_stack([np.exp(X[:, 0]), np.ones(60)])),
    ],
    ids=lambda value: getattr(value, "scoring", ""),
)
def test_scoring_is_refused_by_its_name(model, y):
    with pytest.raises(ArgumentError, match=rf"^scoring(=| must).*{model.scoring}"):
        model.fit(X, y)


@pytest.mark.parametrize("power", [0, 0.5, 3, -1, "1.5", True])
def test_the_range_of_powers_is_said(power):
    with pytest.raises(ArgumentError, match=r"power must be in \[1, 2\].*got") as refused:
        TweedieRegressor(power=power).fit(X, COUNTS)
    assert ("Ridge" in str(refused.value)) == (power == 0)


def test_negative_times_are_refused_and_zero_is_a_time():
    times = np.column_stack([np.exp(X[:, 0]), np.ones(60)])
    times[7, 0] = -0.5
    for fit in (CoxRegressor().fit, lambda X, y: path(X, y, loss="cox", fit_intercept=False)):
        with pytest.raises(DataError, match=r"y must hold times >= 0.*row 7 is -0.5"):
            fit(X, times)
    times[7, 0] = 0.0
    assert np.isfinite(CoxRegressor().fit(X, times).coef_).all()


def test_one_time_is_a_number_for_each_row():
    model = CoxRegressor(alpha=0.1).fit(X, np.column_stack([np.exp(X[:, 0]), np.ones(60)]))
    alone = model.predict_survival(X, 1.5)
    assert alone.shape == (60,)
    np.testing.assert_array_equal(alone, model.predict_survival(X, [1.0, 1.5])[:, 1])
    np.testing.assert_array_equal(alone, np.exp(-model.predict_cumulative_hazard(X, np.float64(1.5))))
    with pytest.raises(ArgumentError, match=r"times must be a number or a vector of them; got shape \(1, 2\)"):
        model.predict_survival(X, [[1.0, 2.0]])


def test_the_baseline_hazard_knows_the_offset():
    offset = 0.8 * RNG.normal(size=60)
    times, dies = np.ceil(4 * RNG.exponential(size=60)), RNG.random(60) < 0.7
    model = CoxRegressor(alpha=0.02).fit(X, np.column_stack([times, dies]), offset=offset)
    risks = np.exp(X @ model.coef_ + offset)
    asked = np.unique(times)
    by_hand = [sum(1 / risks[times >= t].sum() for t in times[dies] if t <= at) for at in asked]
    found = model.predict_cumulative_hazard(np.zeros((1, 4)), asked)[0]
    np.testing.assert_allclose(found, by_hand, rtol=1e-12)
    without = np.exp(X @ model.coef_)
    assert abs(sum(1 / without[times >= t].sum() for t in times[dies]) / by_hand[-1] - 1) > 0.01


def test_hazards_have_bounds_in_estimators():
    y = np.column_stack([RNG.exponential(np.exp(-X[:, 0] + X[:, 1])), np.ones(60)])
    model = CoxRegressor(alpha=0.01, lower=-0.1, upper=0.2).fit(X, y)
    assert model.coef_.min() == -0.1
    assert model.coef_.max() == 0.2
    fitted = path(X, y, loss="cox", fit_intercept=False, alphas=[0.01], lower=-0.1, upper=0.2)
    np.testing.assert_allclose(model.coef_, fitted.coefs.toarray()[:, 0], atol=1e-12)
    assert CoxRegressorCV(positive=True, n_alphas=6, cv=3).fit(X, y).coef_.min() == 0.0


def test_classes_without_a_penalty_are_certified_like_two():
    model = LogisticRegression(0.0, tol=1e-9).fit(X, CLASSES)
    faint = LogisticRegression(1e-9, tol=1e-9).fit(X, CLASSES)
    np.testing.assert_allclose(model.coef_, faint.coef_, atol=1e-4)
    assert -1e-12 <= model.dual_gap_ <= 1e-9
    fitted = path(X, CLASSES, loss="multinomial", alphas=[0.1, 0.0, 0.05])
    assert fitted.alphas.tolist() == [0.1, 0.05, 0.0]
    np.testing.assert_allclose(fitted.coef(0.0), model.coef_, atol=1e-6)
    assert fitted.relative_gaps.max() <= 1e-6
    with pytest.raises(ArgumentError, match="alpha must be > 0 for more than two classes with bounds; got 0"):
        LogisticRegression(0.0, positive=True).fit(X, CLASSES)


@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")
def test_classes_that_come_apart_without_a_penalty_end_with_numbers():
    apart = np.digitize(X[:, 0], [-0.5, 0.5])
    model = LogisticRegression(0.0).fit(X, apart)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.dual_gap_)
