"""Information criteria: their definitions, what they agree with, and where they are refused."""

import numpy as np
import pytest
from scipy.special import comb
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LassoLarsIC, lars_path

from shrinkage import ArgumentError, path
from shrinkage.selection import CRITERIA, choose, degrees_of_freedom, information_criteria

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 8))
Y = X[:, :3].sum(axis=1) + RNG.normal(size=60)
COUNTS = np.tile([1.0, 2.0, 3.0], 20)
WIDE = RNG.normal(size=(40, 120))
WIDE_Y = WIDE[:, :3].sum(axis=1) + RNG.normal(size=40)


def residuals(fitted, X, y):
    return y[:, None] - X @ fitted.coefs.toarray() - fitted.intercepts


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_squared_errors_of_a_known_variance_weigh_fit_and_degrees_as_defined(l1_ratio):
    fitted = path(X, Y, l1_ratio=l1_ratio, n_alphas=20, tol=1e-10)
    found, df = information_criteria(fitted, dispersion=1.3, gamma=1.0), degrees_of_freedom(fitted)
    squares = (residuals(fitted, X, Y) ** 2).sum(axis=0)
    fit = 60 * np.log(2 * np.pi * 1.3) + squares / 1.3
    np.testing.assert_allclose(found.aic, fit + 2 * df, rtol=1e-8)
    np.testing.assert_allclose(found.aicc, found.aic)
    np.testing.assert_allclose(found.bic, fit + np.log(60) * df, rtol=1e-8)
    np.testing.assert_allclose(found.gcv, squares / 60 / (1 - df / 60) ** 2, rtol=1e-7)
    searched = np.full(20, 8.0) if l1_ratio == 0 else fitted.n_nonzero
    np.testing.assert_allclose(found.ebic, found.bic + 2 * np.log(comb(8, searched)), rtol=1e-8)


def test_a_variance_fitted_at_every_strength_is_one_parameter_more():
    fitted = path(X, Y, n_alphas=20, tol=1e-10)
    found, k = information_criteria(fitted, dispersion="profile"), degrees_of_freedom(fitted) + 1
    fit = 60 * np.log(2 * np.pi * (residuals(fitted, X, Y) ** 2).mean(axis=0)) + 60
    np.testing.assert_allclose(found.aic, fit + 2 * k, rtol=1e-8)
    np.testing.assert_allclose(found.bic, fit + np.log(60) * k, rtol=1e-8)
    np.testing.assert_allclose(found.aicc, fit + 2 * k + 2 * k * (k + 1) / (60 - k - 1), rtol=1e-8)
    full = information_criteria(fitted)
    assert full.dispersion.kind == "full"
    np.testing.assert_allclose(full.aicc, found.aicc)


def test_the_full_model_estimates_the_variance_as_least_squares_does():
    fitted = path(np.hstack([X, X[:, :2]]), Y, n_alphas=5)
    Z = np.hstack([np.ones((60, 1)), X])
    left = Y - Z @ np.linalg.lstsq(Z, Y)[0]
    noise = information_criteria(fitted).dispersion
    assert (noise.kind, noise.left) == ("full", 51)
    assert noise.value == pytest.approx((left**2).sum() / 51)
    assert f"{np.sqrt(2 / 51):.0%}" in noise.words


def test_scikit_learns_criterion_is_ours_less_the_intercept_that_it_does_not_count():
    data, y = load_diabetes(return_X_y=True)
    counts = (lars_path(data - data.mean(axis=0), y - y.mean(), method="lasso")[2] != 0).sum(axis=0)
    for rule, price in (("aic", 2.0), ("bic", np.log(442))):
        peer = LassoLarsIC(criterion=rule).fit(data, y)
        knots = peer.alphas_ > 1e-3
        fitted = path(data, y, alphas=peer.alphas_[knots], tol=1e-13)
        ours = information_criteria(fitted)
        assert ours.dispersion.value == pytest.approx(peer.noise_variance_)
        # exactly at a knot rounding says whether the column that enters there is counted
        more = 1 + fitted.n_nonzero - counts[knots]
        np.testing.assert_allclose(ours.values(rule), peer.criterion_[knots] + price * more, rtol=1e-7)


def test_statsmodels_agrees_where_nothing_is_penalized():
    statsmodels = pytest.importorskip("statsmodels.api")
    Z = statsmodels.add_constant(X)
    squares = statsmodels.OLS(Y, Z).fit()
    found = information_criteria(path(X, Y, alphas=[0.0]), dispersion="profile")
    assert found.aic[0] == pytest.approx(squares.aic + 2)  # theirs does not count the variance
    assert found.bic[0] == pytest.approx(squares.bic + np.log(60))
    y = (Y > 0.3).astype(float)
    odds = statsmodels.GLM(y, Z, family=statsmodels.families.Binomial()).fit()
    found = information_criteria(path(X, y, "logistic", alphas=[0.0], tol=1e-12))
    assert found.aic[0] == pytest.approx(odds.aic, rel=1e-6)
    assert found.bic[0] == pytest.approx(odds.bic_llf, rel=1e-6)


def test_logistic_fits_are_weighed_by_their_likelihood():
    y = (Y > 0).astype(float)
    fitted = path(X, y, "logistic", n_alphas=10, alpha_min_ratio=0.05, tol=1e-10)
    found, df = information_criteria(fitted), degrees_of_freedom(fitted)
    p = fitted.loss.inverse_link(X @ fitted.coefs.toarray() + fitted.intercepts)
    fit = -2 * np.log(np.where(y[:, None] == 1, p, 1 - p)).sum(axis=0)
    np.testing.assert_allclose(found.aic, fit + 2 * df)
    np.testing.assert_allclose(found.bic, fit + np.log(60) * df)
    np.testing.assert_allclose(found.aicc, found.aic + 2 * df * (df + 1) / (60 - df - 1))
    assert np.isnan(found.gcv).all()
    with pytest.raises(ArgumentError, match="GCV is for squared errors"):
        choose(fitted, "gcv")
    with pytest.raises(ArgumentError, match="dispersion is 1 for logistic"):
        information_criteria(fitted, dispersion=2.0)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
def test_a_row_of_weight_two_is_the_row_twice(loss, l1_ratio):
    y = Y if loss == "squared" else (Y > 0).astype(float)
    often = np.repeat(np.arange(60), COUNTS.astype(int))
    weighted = information_criteria(path(X, y, loss, l1_ratio, alphas=[0.1, 0.05], sample_weight=COUNTS, tol=1e-10))
    repeated = information_criteria(path(X[often], y[often], loss, l1_ratio, alphas=[0.1, 0.05], tol=1e-10))
    assert (weighted.n, weighted.weights) == (120, "counts")
    for rule in CRITERIA:
        np.testing.assert_allclose(weighted.values(rule), repeated.values(rule), rtol=1e-6)


def test_precisions_may_have_any_unit():
    for l1_ratio in (1.0, 0.4, 0.0):
        options = {"l1_ratio": l1_ratio, "alphas": [0.1, 0.05]}
        found = [information_criteria(path(X, Y, sample_weight=c * COUNTS / 7, **options)) for c in (1.0, 0.01)]
        assert (found[0].n, found[0].weights) == (60, "precisions")
        assert "inverse noise variances" in str(found[0])
        for rule in CRITERIA:
            np.testing.assert_allclose(*(f.values(rule) for f in found), rtol=1e-8)
    assert information_criteria(path(X, Y, sample_weight=COUNTS), weights="precisions").n == 60


def test_what_is_near_n_is_refused_with_a_variance_fitted_anew_and_not_with_a_known_one():
    for l1_ratio in (1.0, 0.3, 0.0):
        fitted = path(WIDE, WIDE_Y, l1_ratio=l1_ratio)
        unknown, known = information_criteria(fitted), information_criteria(fitted, dispersion=1.0)
        assert unknown.dispersion.kind == "profile"
        for rule in ("aic", "bic", "ebic"):
            assert (np.isnan(unknown.values(rule)) == (unknown.df > 20)).all()
            assert np.isfinite(known.values(rule)).all()
        assert (np.isnan(unknown.aicc) == (40 - unknown.df - 2 < 1 - 1e-9)).all()
        assert np.isfinite(known.gcv[unknown.df < 35]).all()


def test_a_criterion_that_still_falls_where_it_is_refused_chooses_nothing():
    fitted = path(WIDE, WIDE_Y)
    found = information_criteria(fitted)
    finite = np.flatnonzero(np.isfinite(found.aic))
    assert np.argmin(found.aic[finite]) == finite[-1]  # the runaway that the rule is there for
    with pytest.raises(ArgumentError, match=r"AIC can't choose: it still falls at alpha .* 0.5 n spent is a reward"):
        choose(fitted, "aic")
    assert "AIC can't choose" in str(found)
    assert choose(fitted, "ebic").n_features < 15
    few = path(WIDE, WIDE_Y, alphas=fitted.alphas[-3:])
    with pytest.raises(ArgumentError, match=r"AIC can't choose: every strength spends [34].* of 40 degrees"):
        choose(few, "aic")


def test_gcv_of_ridge_keeps_its_digits_where_the_fit_is_saturated():
    alphas = np.array([1e-4, 1e-10])
    found = information_criteria(path(WIDE, WIDE_Y, l1_ratio=0, alphas=alphas))
    centered = WIDE - WIDE.mean(axis=0)
    values, vectors = np.linalg.eigh(centered @ centered.T / 40)
    parts = vectors[:, 1:].T @ (WIDE_Y - WIDE_Y.mean())
    left = alphas[:, None] / (values[1:] + alphas[:, None])  # residual shares; both sums vanish with alpha
    expected = ((left * parts) ** 2).sum(axis=1) / 40 / (left.sum(axis=1) / 40) ** 2
    np.testing.assert_allclose(found.gcv, expected, rtol=1e-7)


def test_aic_of_a_known_variance_estimates_the_risk():
    rng = np.random.default_rng(3)
    mean, excess = X[:, :3].sum(axis=1), []
    for _ in range(150):
        fitted = path(X, mean + rng.normal(size=60), alphas=[0.3, 0.1, 0.01])
        found = information_criteria(fitted, dispersion=1.0)
        risk = (residuals(fitted, X, mean) ** 2).sum(axis=0)
        excess.append(found.aic - 60 * np.log(2 * np.pi) - 60 - risk)  # E: D + 2 df - n is the risk
    excess = np.array(excess)
    assert (np.abs(excess.mean(axis=0)) < 3 * excess.std(axis=0) / np.sqrt(150)).all()


def test_what_can_not_be_known_is_refused():
    fitted = path(WIDE, WIDE_Y, n_alphas=4)
    with pytest.raises(ArgumentError, match=r"needs more rows than independent columns; got 40 rows and rank 40"):
        information_criteria(fitted, dispersion="full")
    for value in (True, "known", [1.0]):
        with pytest.raises(ArgumentError, match="dispersion must be"):
            information_criteria(fitted, dispersion=value)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="dispersion must be > 0"):
        information_criteria(fitted, dispersion=0.0)
    with pytest.raises(ArgumentError, match="gamma must be between 0 and 1"):
        information_criteria(fitted, gamma=2)
    with pytest.raises(ArgumentError, match="weights must be one of"):
        information_criteria(fitted, weights="frequencies")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="explain y exactly"):
        information_criteria(path(X, X @ np.ones(8) + 1, n_alphas=4), dispersion="full")
    assert "explain y exactly" in str(information_criteria(path(X, X @ np.ones(8) + 1, n_alphas=4)))


def test_the_record_explains_itself():
    said = str(information_criteria(path(X, Y)))
    assert "100 strengths, 60 rows, 8 penalized features" in said
    assert "estimated by least squares on all columns, which leaves 51 degrees of freedom" in said
    for name in ("AIC is", "AICc is", "BIC is", "EBIC is", "GCV is"):
        assert f"{name} lowest at alpha" in said
    assert repr(information_criteria(path(X, Y))).startswith("<InformationCriteria: 100 strengths, 60 rows")
