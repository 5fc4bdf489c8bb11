"""Losses of one row, in paths and folds: every answer is judged by `Problem`, which shares no line with the solver."""

import numpy as np
import pytest
from cases import MORE_LOSSES
from cases import rows_of as data
from scipy import sparse
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from shrinkage import GroupL2, cross_validate, path
from shrinkage.losses import Gamma, Huber, Poisson, Quantile, Tweedie

every_loss = pytest.mark.parametrize("loss", MORE_LOSSES)


def recomputed(fitted):
    problem = fitted.problem
    return problem.relative(problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas))


@every_loss
@pytest.mark.parametrize("kind", ["tall", "wide", "sparse", "float32", "elastic", "free", "bare"])
def test_every_strength_is_certified_and_its_certificate_is_true(loss, kind):
    X, y = data(loss, len(kind), *((60, 150) if kind == "wide" else (90, 25)))
    rng = np.random.default_rng(1)
    options = {"n_alphas": 15, "alpha_min_ratio": 0.02}
    if kind == "sparse":
        X = sparse.csc_array(X * (rng.random(X.shape) < 0.3))
        options["sample_weight"] = rng.integers(0, 3, len(y)).astype(float)
    if kind == "float32":
        X = X.astype(np.float32)
    if kind == "elastic":
        options |= {"l1_ratio": 0.4, "offset": 0.3 * rng.normal(size=len(y)), "standardize": True}
    if kind == "free":
        factors = np.ones(X.shape[1])
        factors[[1, 7]] = 0.0, 2.0
        options |= {"penalty_factor": factors, "sample_weight": rng.random(len(y)) + 0.1}
    if kind == "bare":
        options["fit_intercept"] = False
    fitted = path(X, y, loss=loss, **options)
    true = recomputed(fitted)
    assert true.max() <= 1e-6
    assert np.abs(true - fitted.relative_gaps).max() <= 1e-9
    if kind != "free":
        assert fitted.n_nonzero[0] == 0 < fitted.n_nonzero[1]


@every_loss
def test_a_weight_of_two_is_the_row_twice(loss):
    X, y = data(loss, 3, n=60)
    options = {"alphas": [0.1, 0.03], "loss": loss, "tol": 1e-10}
    weights = np.r_[np.full(20, 2.0), np.ones(30), np.zeros(10)]
    rows = np.r_[:20, :50]
    one, other = path(X, y, sample_weight=weights, **options), path(X[rows], y[rows], **options)
    assert one.coefs.toarray() == pytest.approx(other.coefs.toarray(), abs=2e-5)
    assert one.intercepts == pytest.approx(other.intercepts, abs=2e-5)


@every_loss
def test_held_out_scores_are_mean_deviances_of_fits_to_the_other_rows(loss):
    X, y = data(loss, 4, n=60, p=12)
    folds = [(np.flatnonzero(np.arange(60) % 3 != k), np.arange(60)[np.arange(60) % 3 == k]) for k in range(3)]
    result = cross_validate(X, y, folds, loss=loss, alphas=[0.2, 0.05], tol=1e-9)
    for k, (train, test) in enumerate(folds):
        alone = path(X[train], y[train], loss=loss, alphas=[0.2, 0.05], tol=1e-9)
        eta = X[test] @ alone.coefs.toarray() + alone.intercepts
        assert result.scores[:, k] == pytest.approx(loss.deviance(y[test][:, None], eta).mean(axis=0), rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "peer"),
    [(Poisson(), PoissonRegressor), (Gamma(), GammaRegressor), (Tweedie(1.5), TweedieRegressor)],
)
def test_ridge_is_that_of_scikit_learn(loss, peer):
    X, y = data(loss, 5)
    options = {"power": 1.5, "link": "log"} if peer is TweedieRegressor else {}
    expected = peer(alpha=0.1, tol=1e-9, max_iter=10_000, **options).fit(X, y)
    fitted = path(X, y, loss=loss, l1_ratio=0.0, alphas=[0.1], tol=1e-12)
    assert fitted.coefs.toarray()[:, 0] == pytest.approx(expected.coef_, abs=1e-5)


@pytest.mark.parametrize("loss", [Poisson(), Gamma(), Tweedie(1.5)])
def test_a_strength_of_no_features_is_the_weighted_mean(loss):
    X, y = data(loss, 6)
    weights = np.random.default_rng(0).random(len(y))
    fitted = path(X, y, loss=loss, sample_weight=weights, n_alphas=3)
    assert np.exp(fitted.intercepts[0]) == pytest.approx(np.average(y, weights=weights), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_responses_of_any_size_are_fitted(scale):
    for loss in (Poisson(), Gamma(), Tweedie(1.2)):
        X, y = data(loss, 7)
        one = path(X, y, loss=loss, n_alphas=8, alpha_min_ratio=0.05, tol=1e-9)
        other = path(X, y * scale, loss=loss, n_alphas=8, alpha_min_ratio=0.05, tol=1e-9)
        assert other.coefs.toarray() == pytest.approx(one.coefs.toarray(), abs=1e-4)
        assert other.intercepts == pytest.approx(one.intercepts + np.log(scale), abs=1e-4)


def test_huber_with_a_far_delta_is_least_squares():
    X, y = data(Huber(), 8)
    one, other = path(X, y, loss=Huber(1e4), tol=1e-10), path(X, y, tol=1e-10)
    assert one.alphas == pytest.approx(other.alphas, rel=1e-12)
    assert one.coefs.toarray() == pytest.approx(other.coefs.toarray(), abs=1e-4)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_null_model_of_a_quantile_is_the_quantile(quantile):
    X, y = data(Quantile(), 9, n=101)
    fitted = path(X, y, loss=Quantile(quantile, 1e-3), n_alphas=2)
    assert fitted.intercepts[0] == pytest.approx(np.quantile(y, quantile, method="inverted_cdf"), abs=0.05)


def test_the_smoothing_of_a_quantile_costs_what_its_docstring_says():
    _, y = data(Quantile(), 10)
    loss = Quantile(0.3, 0.05)
    eta = np.linspace(-3, 3, len(y))
    pinball = np.maximum(0.3 * (y - eta), -0.7 * (y - eta))
    less = pinball - loss.value(y, eta)
    assert (less >= -1e-15).all()
    assert less.max() == pytest.approx(0.5 * 0.05 * 0.7**2)


def test_near_interpolation_quantiles_still_end_certified():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 300))
    y = X[:, :3].sum(axis=1) + rng.standard_t(2, 60)
    fitted = path(X, y, loss=Quantile(0.5, 0.01), n_alphas=10, alpha_min_ratio=0.05)
    assert recomputed(fitted).max() <= 1e-6


@pytest.mark.parametrize("unit", [1e-8, 1e-5, 1e8])
@pytest.mark.parametrize("kind", ["lasso", "positive", "groups"])
@pytest.mark.parametrize("loss", [Huber, lambda u: Quantile(0.4, 0.1 * u)], ids=["huber", "quantile"])
def test_errors_have_the_unit_of_y(loss, kind, unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 20))
    y = X[:, 0] + rng.normal(size=60)
    groups = GroupL2(1.0, groups=[range(0, 12), range(12, 20)])
    options = {"lasso": {}, "positive": {"positive": True}, "groups": {"penalty": groups}}[kind] | {"tol": 1e-9}
    known = path(X, y, loss(1.0), n_alphas=6, alpha_min_ratio=0.01, **options)
    in_unit = known.alphas * (unit if loss is Huber else 1.0)  # the loss has the unit of y², or of y
    found = path(X, unit * y, loss(unit), alphas=in_unit, **options)
    assert recomputed(found).max() <= 1e-9
    np.testing.assert_allclose(found.coefs.toarray() / unit, known.coefs.toarray(), atol=1e-3)
    top = path(X, unit * y, loss(unit), n_alphas=2, **options)
    assert top.alphas[0] == pytest.approx(in_unit[0])


@pytest.mark.parametrize("size", [1e-5, 1e-8])
@pytest.mark.parametrize("bound", [None, 1.0])
def test_errors_in_small_units_have_the_model_of_large_ones(size, bound):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = X[:, 0] + rng.normal(size=100)
    one, small = (
        path(X, c * y, Huber(1.3 * c), n_alphas=5, upper=None if bound is None else c * bound) for c in (1.0, size)
    )
    assert one.n_nonzero[-1] == 3
    np.testing.assert_allclose(small.coefs.toarray() / size, one.coefs.toarray(), atol=1e-3)


@pytest.mark.parametrize("loss", ["poisson", "logistic"])
def test_what_free_columns_explain_has_no_gap_relative_to_rounding(loss):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(20, 60)), (np.arange(20) % 3 == 0).astype(float)
    fitted = path(X, y, loss, penalty_factor=np.r_[np.zeros(40), np.ones(20)])
    assert len(fitted.alphas) == 1
    assert fitted.null_objective == 0
    assert np.abs(fitted.relative_gaps).max() < 1e-9
