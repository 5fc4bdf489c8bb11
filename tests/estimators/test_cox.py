"""Cox regression as an estimator: what scikit-learn asks of every one, risks, survival, strata, cross-validation."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from shrinkage import ArgumentError, CoxRegressor, CoxRegressorCV, DataError, path
from shrinkage.estimators._baseline_hazard import baseline_hazard
from shrinkage.losses import Cox
from shrinkage.selection import concordance


def data(seed=0, n=150, p=6):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    life, seen = rng.exponential(np.exp(-X[:, 0] + 0.5 * X[:, 1])), rng.exponential(2.0, n)
    return X, np.column_stack([np.minimum(life, seen), life <= seen]).astype(float)


@pytest.mark.filterwarnings("ignore")  # the checks make degenerate data on purpose
@parametrize_with_checks([CoxRegressor(), CoxRegressorCV(n_alphas=10, cv=3)])
def test_the_estimator_keeps_scikit_learns_conventions(estimator, check):
    check(estimator)


def test_every_form_of_a_response_is_the_same():
    X, y = data()
    record = np.array([(bool(e), t) for t, e in y], dtype=[("event", bool), ("time", float)])
    expected = CoxRegressor().fit(X, y).coef_
    for other in (record, pd.DataFrame(y, columns=["time", "event"]), y.tolist()):
        assert np.array_equal(CoxRegressor().fit(X, other).coef_, expected)
    times = CoxRegressor().fit(X, y[:, 0]).coef_
    assert np.array_equal(times, CoxRegressor().fit(X, np.column_stack([y[:, 0], np.ones(len(y))])).coef_)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_expected_deaths_of_the_baseline_are_the_observed_ones(ties):
    X, y = data(1)
    y[:, 0] = np.ceil(3 * y[:, 0])
    strata = np.where(X[:, 2] > 0, "old", "young")
    model = CoxRegressor(alpha=0.02, ties=ties).fit(X, y, strata=strata)
    expected = np.array(
        [model.predict_cumulative_hazard(X[[i]], [y[i, 0]], strata=strata[[i]])[0, 0] for i in range(len(y))]
    )
    if ties == "breslow":
        assert expected.sum() == pytest.approx(y[:, 1].sum())
    residual = np.column_stack([y, strata == "young"])
    slope = Cox("breslow").gradient(residual, model.predict(X), np.ones(len(y)))
    if ties == "breslow":
        assert expected - y[:, 1] == pytest.approx(slope, abs=1e-9)
    alive = model.predict_survival(X, [0.0, 1.0, 3.0, 50.0], strata=strata)
    assert (alive[:, 0] == 1).all()
    assert (np.diff(alive, axis=1) <= 0).all()
    assert model.predict_risk(X) == pytest.approx(np.exp(X @ model.coef_))


def test_baseline_hazards_of_far_predictors_are_finite():
    y = np.array([[1.0, 1.0], [2.0, 1.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]])
    eta = np.array([4e3, 50.0, -2e3, 0.0, -5e3])
    for efron in (False, True):
        curve = baseline_hazard(y, eta, None, efron, None)
        assert curve.times[0].tolist() == [1.0, 2.0, 4.0]
        assert curve.log_hazards[0] == pytest.approx([-4e3, np.log(2 if not efron else 3) - 50, 5e3], abs=1e-12)


def test_strata_are_told_apart_and_asked_for():
    X, y = data(2)
    strata = np.array(list("abc"))[np.arange(len(y)) % 3]
    model = CoxRegressor(alpha=0.03).fit(X, y, strata=strata)
    codes = np.arange(len(y)) % 3
    alone = path(X, np.column_stack([y, 7 - codes]), loss="cox", alphas=[0.03])
    assert model.coef_ == pytest.approx(alone.coefs.toarray()[:, 0], abs=1e-9)
    with pytest.raises(ArgumentError, match="strata must be given"):
        model.predict_survival(X, [1.0])
    with pytest.raises(ArgumentError, match="row 0 is 'z'"):
        model.predict_survival(X[:1], [1.0], strata=["z"])
    with pytest.raises(ArgumentError, match="one label for each row"):
        CoxRegressor().fit(X, y, strata=["a"])


def test_cross_validation_chooses_and_takes_splitters():
    X, y = data(3)
    model = CoxRegressorCV(n_alphas=15, cv=5).fit(X, y)
    assert model.alpha_min_ <= model.alpha_1se_
    assert model.cv_scores_.shape == (15, 5)
    assert model.score(X, y) > 0.65
    grouped = CoxRegressorCV(n_alphas=5, cv=GroupKFold(3)).fit(X, y, groups=np.arange(len(y)) // 5)
    assert grouped.cv_scores_.shape == (5, 3)
    ranked = CoxRegressorCV(n_alphas=5, cv=3, scoring="c_index").fit(X, y)
    assert ranked.cv_.mean[ranked.cv_.index_min] == ranked.cv_.mean.max() > 0.6
    mixed = CoxRegressorCV(n_alphas=5, cv=3, l1_ratio=[0.2, 1.0]).fit(X, y)
    assert mixed.l1_ratio_ in (0.2, 1.0)
    assert cross_val_score(CoxRegressor(), X, y, cv=3).min() > 0.6
    again = pickle.loads(pickle.dumps(clone(model).fit(X, y)))
    assert np.array_equal(again.predict(X), model.predict(X))


def test_refusals_name_what_was_met():
    X, y = data(4)
    with pytest.raises(NotFittedError):
        CoxRegressor().predict(X)
    with pytest.raises(ArgumentError, match="y must have shape"):
        CoxRegressor().fit(X, y[:5])
    y[3, 1] = 2.0
    with pytest.raises(DataError, match="0 or 1 in its column of events; row 3"):
        CoxRegressor().fit(X, y)
    with pytest.raises(ArgumentError, match="alpha must be >= 0"):
        CoxRegressor(alpha=-1.0).fit(X, data(4)[1])


def counted(y, risk, weights, strata):
    agreeing = pairs = 0.0
    for i in range(len(y)):
        for j in range(len(y)):
            later = y[j, 0] > y[i, 0] or (y[j, 0] == y[i, 0] and not y[j, 1])
            if i != j and y[i, 1] and later and strata[i] == strata[j]:
                pairs += weights[i] * weights[j]
                agreeing += weights[i] * weights[j] * (float(risk[i] > risk[j]) + 0.5 * float(risk[i] == risk[j]))
    return agreeing / pairs


@pytest.mark.parametrize("seed", range(6))
def test_concordance_counts_pairs(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    y = np.column_stack([rng.integers(0, 8, n), rng.random(n) < 0.7]).astype(float)
    y[0], y[1] = (0.0, 1.0), (9.0, 0.0)
    risk, weights, strata = rng.integers(0, 6, n), rng.random(n), rng.integers(0, 2, n)
    strata[:2] = 0
    assert concordance(y, risk, weights, strata) == pytest.approx(counted(y, risk, weights, strata))
    assert concordance(y, risk) == pytest.approx(counted(y, risk, np.ones(n), np.zeros(n)))


def test_concordance_without_a_pair_is_refused():
    with pytest.raises(DataError, match="no pair"):
        concordance([[1.0, 0.0], [2.0, 1.0]], [0.0, 1.0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("model", [CoxRegressor(0.05), CoxRegressorCV(n_alphas=5, cv=3)], ids=["one", "cv"])
def test_a_table_is_fitted_without_a_warning_and_as_its_numbers(model):
    X, y = data()
    table = pd.DataFrame(X, columns=list("abcdef"))
    named, plain = clone(model).fit(table, y), clone(model).fit(X, y)
    np.testing.assert_allclose(named.coef_, plain.coef_, rtol=1e-12)
    known = plain.predict_survival(X[:3], [0.5])
    np.testing.assert_allclose(named.predict_survival(table[:3], [0.5]), known, rtol=1e-12)
