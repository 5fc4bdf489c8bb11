"""Estimators of counts, amounts, and responses with gross errors: their promises beside scikit-learn's conventions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import linear_model
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

from shrinkage import estimators as ours
from shrinkage.losses import Gamma, Huber, NegativeBinomial, Poisson, Quantile, Tweedie
from shrinkage.selection import error_scale

LOSSES = {
    ours.PoissonRegressor: Poisson(),
    ours.GammaRegressor: Gamma(),
    ours.TweedieRegressor: Tweedie(1.5),
    ours.NegativeBinomialRegressor: NegativeBinomial(1.0),
    ours.HuberRegressor: Huber(0.8),
    ours.QuantileRegressor: Quantile(0.5, 0.1),
}
PINNED = {ours.HuberRegressor: {"delta": 0.8}, ours.QuantileRegressor: {"smoothing": 0.1}}
COUNTS = [ours.PoissonRegressor, ours.NegativeBinomialRegressor]
each = pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: kind.__name__)


def twin_of(kind):
    return getattr(ours, f"{kind.__name__}CV")


def made(kind, **options):
    return kind(**(PINNED.get(kind, {}) | options))


def made_twin(kind, **options):
    return twin_of(kind)(**(PINNED.get(kind, {}) | {"n_alphas": 8, "cv": 4} | options))


@pytest.fixture(name="data")
def make_data():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 6))
    return X, rng, np.exp(0.5 * X[:, 0] - 0.4 * X[:, 1])


def response(kind, data):
    X, rng, mean = data
    if kind in (ours.HuberRegressor, ours.QuantileRegressor):
        return X[:, 0] + rng.standard_t(2, len(X))
    if kind in COUNTS:
        return rng.poisson(mean).astype(float)
    return rng.gamma(2.0, mean / 2)


@each
def test_an_answer_is_the_least_of_its_objective(kind, data):
    X, y = data[0], response(kind, data)
    offset, weights = 0.2 * X[:, 2], np.arange(80) % 3 + 0.5
    model = made(kind, alpha=0.05, l1_ratio=0.7, tol=1e-10).fit(X, y, sample_weight=weights, offset=offset)

    def objective(w, b):
        eta = offset + X @ w + b
        mean = np.average(LOSSES[kind].value(y, eta), weights=weights)
        return mean + 0.05 * (0.7 * np.abs(w).sum() + 0.15 * w @ w)

    best = objective(model.coef_, model.intercept_)
    rng = np.random.default_rng(0)
    moved = [objective(model.coef_ + d[:6], model.intercept_ + d[6]) for d in 1e-3 * rng.normal(size=(200, 7))]
    assert min(moved) >= best - 1e-9
    assert_allclose(best - model.dual_gap_, best, atol=1e-9 * LOSSES[kind].value(y, offset).max())


@pytest.mark.parametrize("name", ["PoissonRegressor", "GammaRegressor", "TweedieRegressor"])
def test_ridge_and_its_score_are_those_of_scikit_learn(name, data):
    kind = getattr(ours, name)
    X, y = data[0], response(kind, data)
    power = {"power": 1.5} if name == "TweedieRegressor" else {}
    link = {"link": "log"} if power else {}
    theirs = getattr(linear_model, name)(alpha=0.1, tol=1e-10, max_iter=10_000, **power, **link).fit(X, y)
    model = kind(alpha=0.1, tol=1e-12, **power).fit(X, y)
    assert_allclose(model.coef_, theirs.coef_, atol=1e-6)
    assert_allclose(model.predict(X), theirs.predict(X), rtol=1e-5)
    assert model.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_huber_at_the_scale_that_scikit_learn_finds_is_its_fit(fit_intercept, data):
    X, y = data[0], response(ours.HuberRegressor, data)
    options = {"fit_intercept": fit_intercept, "tol": 1e-10}
    theirs = linear_model.HuberRegressor(epsilon=1.5, alpha=2.0, max_iter=10_000, **options).fit(X, y)
    model = ours.HuberRegressor(2.0 * theirs.scale_ / 80, delta=1.5 * theirs.scale_, **options).fit(X, y)
    assert_allclose(model.coef_, theirs.coef_, atol=1e-4)
    assert model.intercept_ == pytest.approx(theirs.intercept_, abs=1e-4)


@pytest.mark.parametrize("quantile", [0.2, 0.5, 0.9])
def test_the_pinball_objective_is_near_that_of_scikit_learn_by_what_the_smoothing_may_cost(quantile, data):
    X, y = data[0], response(ours.QuantileRegressor, data)
    theirs = linear_model.QuantileRegressor(quantile=quantile, alpha=0.05).fit(X, y)
    model = ours.QuantileRegressor(quantile=quantile, alpha=0.05).fit(X, y)

    def objective(fitted):
        r = y - fitted.predict(X)
        return np.maximum(quantile * r, (quantile - 1) * r).mean() + 0.05 * np.abs(fitted.coef_).sum()

    allowed = 0.5 * model.smoothing_ * max(quantile, 1 - quantile) ** 2 + model.dual_gap_
    assert -1e-9 <= objective(model) - objective(theirs) <= allowed


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize("twin", [False, True])
def test_an_exposure_is_its_logarithm_in_the_offset(kind, twin, data):
    X, rng, mean = data
    exposure = rng.uniform(0.5, 4.0, 80)
    y, offset = rng.poisson(exposure * mean).astype(float), 0.1 * X[:, 3]
    model = made_twin(kind) if twin else made(kind, alpha=0.01)
    one = model.fit(X, y, offset=offset, exposure=exposure)
    coef, predicted = one.coef_, one.predict(X, offset=offset, exposure=exposure)
    score = one.score(X, y, offset=offset, exposure=exposure)
    other = model.fit(X, y, offset=offset + np.log(exposure))
    assert_allclose(other.coef_, coef, rtol=1e-12)
    assert_allclose(other.predict(X, offset=offset + np.log(exposure)), predicted, rtol=1e-12)
    assert_allclose(other.predict(X) * exposure * np.exp(offset), predicted, rtol=1e-9)
    assert other.score(X, y, offset=offset + np.log(exposure)) == pytest.approx(score)


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize(("bad", "message"), [(0.0, "exposure must be > 0; position 2 is"), (np.nan, "exposure")])
def test_an_exposure_that_is_not_positive_is_refused(kind, bad, message, data):
    X, y = data[0], response(kind, data)
    exposure = np.ones(80)
    exposure[2] = bad
    with pytest.raises(ValueError, match=message):
        made(kind).fit(X, y, exposure=exposure)


@each
def test_weight_two_is_the_row_twice(kind, data):
    X, y = data[0], response(kind, data)
    weights = np.arange(80) % 3
    model = made(kind, alpha=0.03, l1_ratio=1.0, tol=1e-11)
    weighted = model.fit(X, y, sample_weight=weights).coef_
    assert_allclose(model.fit(X.repeat(weights, axis=0), y.repeat(weights)).coef_, weighted, atol=1e-6)


@each
@pytest.mark.parametrize("form", ["F", "float32", "sparse"])
def test_the_storage_of_X_does_not_matter(kind, form, data):
    X, y = data[0].astype(np.float32).astype(np.float64), response(kind, data)
    plain = made(kind, alpha=0.02, l1_ratio=0.9).fit(X, y)
    stored = {"F": np.asfortranarray(X), "float32": X.astype(np.float32), "sparse": sparse.csr_array(X)}[form]
    other = made(kind, alpha=0.02, l1_ratio=0.9).fit(stored, y)
    assert_allclose(other.coef_, plain.coef_, atol=2e-3)
    assert_allclose(other.predict(stored), plain.predict(X), rtol=5e-3, atol=5e-3)


@each
@pytest.mark.parametrize(
    "cv", [4, KFold(3, shuffle=True, random_state=1), TimeSeriesSplit(3), "groups", "strata", "own"], ids=str
)
def test_folds_of_every_kind_are_scored_by_the_fits_to_their_training_rows(kind, cv, data):
    X, y = data[0], response(kind, data)
    groups = np.arange(80) % 7
    pairs = {
        "groups": list(GroupKFold(3).split(X, y, groups)),
        "strata": list(StratifiedKFold(3).split(X, X[:, 4] > 0)),
        "own": [(np.arange(10, 50), np.arange(5)), (np.arange(30), np.arange(60, 75))],
    }
    splitter = GroupKFold(3) if cv == "groups" else pairs.get(cv, cv) if isinstance(cv, str) else cv
    metadata = {"groups": groups} if cv == "groups" else {}
    model = made_twin(kind, l1_ratio=1.0, cv=splitter, tol=1e-9).fit(X, y, **metadata)
    folds = pairs[cv] if isinstance(cv, str) else list((KFold(4) if cv == 4 else cv).split(X))
    for k, (train, test) in enumerate(folds):
        alone = made(kind, alpha=model.alphas_[4], l1_ratio=1.0, tol=1e-9).fit(X[train], y[train])
        eta = X[test] @ alone.coef_ + alone.intercept_
        assert model.cv_scores_[4, k] == pytest.approx(LOSSES[kind].deviance(y[test], eta).mean(), rel=1e-3)


@each
def test_the_twin_takes_the_strength_of_the_best_score(kind, data):
    X, y = data[0], response(kind, data)
    model = made_twin(kind, scoring="mae", l1_ratio=[0.5, 1.0]).fit(X, y)
    assert model.alpha_ == model.alphas_[np.argmin(model.cv_.mean)]
    held_out = [np.abs(y[k * 20 : k * 20 + 20].mean() - y).mean() for k in range(4)]
    assert (model.cv_scores_ < 3 * max(held_out)).all()
    again = made(kind, alpha=model.alpha_, l1_ratio=model.l1_ratio_).fit(X, y)
    assert_allclose(again.coef_, model.coef_, atol=2e-3)


@each
def test_degenerate_data_are_fitted_or_refused_in_words(kind, data):
    X, y = data[0].copy(), response(kind, data)
    X[:, 1], X[:, 2], X[:, 3] = 0.0, 7.0, X[:, 0]
    for options in ({}, {"fit_intercept": False}, {"standardize": True, "l1_ratio": 1.0}):
        model = made(kind, alpha=0.01, **options).fit(X, y)
        assert np.isfinite(model.coef_).all()
        assert model.coef_[1] == 0.0
    constant = np.full(80, 2.0)
    model = made(kind, alpha=0.1).fit(X, constant)
    assert_allclose(model.predict(X), 2.0, rtol=1e-4, atol=1e-4 if kind is not ours.QuantileRegressor else 0.1)
    assert np.abs(model.coef_[:2]).max() < 1e-15  # not 0: some of these are ridge
    one = made(kind, alpha=0.1).fit(X, y, sample_weight=np.eye(80)[3] * 2)
    assert np.isfinite(one.predict(X)).all()


@pytest.mark.parametrize("kind", [ours.PoissonRegressor, ours.TweedieRegressor, ours.NegativeBinomialRegressor])
def test_all_zeros_are_predicted_as_next_to_nothing(kind, data):
    for options in ({"l1_ratio": 1.0}, {}, {"fit_intercept": False}):
        model = kind(alpha=0.1, **options).fit(data[0], np.zeros(80))
        assert np.isfinite(model.coef_).all()
        assert options.get("fit_intercept", True) is False or model.predict(data[0]).max() < 1e-3


def test_a_free_column_is_not_shrunken(data):
    X, y = data[0], response(ours.PoissonRegressor, data)
    free = ours.PoissonRegressor(alpha=1e4, l1_ratio=1.0, penalty_factor=[0, 1, 1, 1, 1, 1]).fit(X, y)
    only = ours.PoissonRegressor(alpha=0.0).fit(X[:, :1], y)
    assert free.coef_[0] == pytest.approx(only.coef_[0], abs=1e-3)
    assert not free.coef_[1:].any()


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (ours.PoissonRegressor(), -1.0, "y must be >= 0 and finite for Poisson; row 0 is -1"),
        (ours.GammaRegressor(), 0.0, "y must be > 0 and finite for Gamma; row 0 is 0"),
        (ours.TweedieRegressor(power=2.5), 1.0, r"power must be in \[1, 2\]"),
        (ours.NegativeBinomialRegressor(theta=0), 1.0, "theta must be > 0"),
        (ours.HuberRegressor(delta="wide"), 1.0, "delta must be a number > 0, in the unit of y, or 'auto'; got 'wide'"),
        (ours.HuberRegressor(delta=-1.0), 1.0, "delta must be > 0"),
        (ours.QuantileRegressor(quantile=1.0), 1.0, "quantile must be between 0 and 1"),
        (ours.QuantileRegressor(smoothing=None), 1.0, "smoothing must be a number > 0"),
        (ours.PoissonRegressorCV(scoring="auc"), 1.0, "scoring='auc' is of two classes"),
        (ours.PoissonRegressorCV(scoring="r2"), 1.0, "scoring must be one of 'deviance', "),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(model, y, message, data):
    with pytest.raises(ValueError, match=message):
        model.fit(data[0], np.full(80, y))


def test_gross_errors_do_not_bend_huber_whose_delta_is_found(data):
    X, rng, _ = data
    clean = 2.0 * X[:, 0] + 0.5 * rng.normal(size=80)
    dirty = clean.copy()
    dirty[:10] += 1e4
    model = ours.HuberRegressor().fit(X, dirty)
    assert model.coef_ == pytest.approx(ours.HuberRegressor().fit(X, clean).coef_, abs=0.3)
    assert 0.4 < model.delta_ < 2.0
    assert ours.HuberRegressorCV(n_alphas=8, cv=4).fit(X, dirty).coef_[0] == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_the_scale_of_errors_moves_with_the_unit_of_y(factor, data):
    X, rng, _ = data
    y = X[:, 0] + rng.normal(size=80)
    assert error_scale(X, factor * y) == pytest.approx(factor * error_scale(X, y), rel=0.06)  # of two digits


def test_the_scale_of_errors_is_that_of_the_noise():
    rng = np.random.default_rng(2)
    for n, p in ((300, 5), (120, 200)):
        X = rng.normal(size=(n, p))
        y = 3.0 * X[:, 0] - 2.0 * X[:, 1] + 0.5 * rng.normal(size=n)
        y[: n // 20] += 50.0
        assert 0.35 < error_scale(X, y) < 1.0


@pytest.mark.parametrize("kind", [ours.PoissonRegressor, ours.GammaRegressor, ours.HuberRegressor])
def test_a_strength_is_told_in_the_words_of_packages_that_know_the_loss(kind, data):
    said = kind(alpha=0.1, l1_ratio=0.5).fit(data[0], response(kind, data)).equivalent_calls()
    assert ("glum" in said.refusals) == (kind is not ours.PoissonRegressor)
    if kind is ours.PoissonRegressor:
        assert said["glmnet"].arguments["lambda"] == 0.1


@each
def test_bounds_hold_and_a_twin_keeps_them(kind, data):
    X, y = data[0], response(kind, data)
    bounds = {"lower": [-0.1] * 6, "upper": [0.2, 0.3, 0.3, np.inf, 0.3, 0.3], "l1_ratio": 1.0}
    model = made(kind, alpha=1e-3, **bounds).fit(X, y)
    assert model.coef_[0] == pytest.approx(0.2)
    assert (model.coef_ >= -0.1).all()
    positive = made_twin(kind, positive=True, l1_ratio=1.0).fit(X, y)
    assert (positive.coef_ >= 0).all()
    assert positive.coef_.any()
    out = made(kind, alpha=1e-3, penalty_factor=[np.inf, 1, 1, 1, 1, 1]).fit(X, y)
    assert out.coef_[0] == 0
    assert out.coef_[1:].any()


@pytest.mark.parametrize("kind", [ours.HuberRegressor, ours.QuantileRegressor, ours.Lasso])
def test_a_score_takes_the_offset_of_its_rows(kind, data):
    X, y, offset = data[0], response(ours.HuberRegressor, data), 5.0 * data[0][:, 4]
    weights = np.arange(80) % 2 + 1.0
    model = kind(alpha=0.05).fit(X, y + offset, offset=offset)
    found = model.score(X, y + offset, weights, offset)
    assert found == pytest.approx(r2_score(y + offset, model.predict(X, offset), sample_weight=weights))
    assert found > model.score(X, y + offset, weights, np.zeros(80))


@pytest.mark.parametrize("kind", [ours.GammaRegressor, ours.TweedieRegressor, ours.HuberRegressor, ours.Lasso])
def test_a_prediction_without_the_offset_of_the_fit_says_so(kind, data):
    X, offset = data[0], 0.5 * data[0][:, 4]
    y = np.exp(offset) + 0.1
    model = kind(alpha=0.05).fit(X, y, offset=offset)
    with pytest.warns(UserWarning, match=f"{kind.__name__} was fitted with an offset, and predicts without"):
        plain = model.predict(X)
    assert_allclose(model.predict(X, offset=np.zeros(len(X))), plain)
    assert model.fit(X, y).predict(X).shape == y.shape  # in silence
