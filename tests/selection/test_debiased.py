"""The debiased lasso: its parts against scikit-learn and least squares, its laws, its promise by simulation."""

from itertools import pairwise

import numpy as np
import pytest
from debiased_coverage import coverage, simulate
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn.linear_model import Lasso

from shrinkage import L1, L2, MCP, ArgumentError, DataError, path
from shrinkage.selection import debiased_lasso
from shrinkage.selection._debiased_record import adjusted
from shrinkage.selection._directions import _measures, directions
from shrinkage.selection._noise import scaled_strength
from shrinkage.solvers import Nodewise

ARRAYS = ("coef", "se", "lower", "upper", "p_values")


def standardized(X, weights=None):
    means = np.average(X, axis=0, weights=weights)
    return (X - means) / np.sqrt(np.average((X - means) ** 2, axis=0, weights=weights))


def data(seed=0, n=60, p=80, rho=0.5):
    rng = np.random.default_rng(seed)
    X = np.empty((n, p))
    X[:, 0] = rng.standard_normal(n)
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * rng.standard_normal(n)
    return X * rng.uniform(0.5, 5.0, p) + 2.0, X[:, 0] - X[:, min(5, p - 1)] + 1.0 + 0.7 * rng.standard_normal(n), rng


def agree(first, second, rtol=1e-6, names=ARRAYS):
    for name in names:
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=rtol, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(("n", "p"), [(60, 15), (30, 50)])
def test_the_nodewise_lasso_is_scikit_learns_lasso_of_each_column_on_the_others(n, p):
    X = standardized(data(0, n, p)[0])
    gram, strengths = X.T @ X / n, np.array([0.5, 0.2, 0.05])
    kept = gram.copy()
    for j in (0, 3, p - 1):
        found = Nodewise(gram, j, rank=min(n - 1, p)).residuals(strengths)
        for t, strength in enumerate(strengths):
            theirs = Lasso(alpha=strength, tol=1e-12, max_iter=10**6).fit(np.delete(X, j, axis=1), X[:, j])
            np.testing.assert_allclose(found[:, t], np.insert(-theirs.coef_, j, 1.0), atol=1e-7)
    np.testing.assert_array_equal(gram, kept)


@pytest.mark.parametrize("robust", [False, True])
def test_an_independent_computation_with_scikit_learn_finds_the_same_intervals(robust):
    X, y, _ = data()
    chosen = [0, 5, 17, 60]
    found = debiased_lasso(X, y, features=chosen, robust=robust)
    Z, n = standardized(X), len(y)
    first = Lasso(alpha=found.alpha, tol=1e-12, max_iter=10**6).fit(Z, y)
    left = y - first.predict(Z)
    sigma = np.sqrt(left @ left / (n - np.count_nonzero(first.coef_) - 1))
    assert found.sigma == pytest.approx(sigma, rel=1e-5)
    for k, j in enumerate(chosen):
        rest = np.delete(Z, j, axis=1)
        z = Z[:, j] - Lasso(alpha=found.nodewise_alphas[k], tol=1e-12, max_iter=10**6).fit(rest, Z[:, j]).predict(rest)
        b = first.coef_[j] + z @ left / (z @ Z[:, j])
        se = np.sqrt((z * left) @ (z * left)) if robust else sigma * np.linalg.norm(z)
        se, sd = se / (z @ Z[:, j]), X[:, j].std()
        np.testing.assert_allclose([found.coef[k], found.se[k]], [b / sd, se / sd], rtol=1e-5)
        reach = 1.959963984540054 * se
        np.testing.assert_allclose([found.lower[k], found.upper[k]], [(b - reach) / sd, (b + reach) / sd], rtol=1e-5)
        assert found.p_values[k] == pytest.approx(2 * stats.norm.sf(abs(b / se)), rel=1e-4)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("robust", [False, True])
def test_with_fewer_columns_than_rows_and_no_nodewise_penalty_it_is_least_squares(intercept, robust):
    X, y, _ = data(1, 50, 6)
    found = debiased_lasso(
        X, y, alpha=1e-9, sigma=0.8, nodewise_alpha=0.0, robust=robust, fit_intercept=intercept, tol=1e-12
    )
    A = np.column_stack([X, np.ones(50)]) if intercept else X
    inverse = np.linalg.inv(A.T @ A)
    coef = inverse @ A.T @ y
    left = y - A @ coef
    cov = inverse @ A.T @ np.diag(left**2) @ A @ inverse if robust else 0.64 * inverse
    np.testing.assert_allclose(found.coef, coef[:6], rtol=1e-6)
    np.testing.assert_allclose(found.se, np.sqrt(np.diag(cov))[:6], rtol=1e-5)


@pytest.mark.parametrize("robust", [False, True])
def test_with_few_columns_the_logistic_one_is_maximum_likelihood_with_walds_errors(robust):
    X, y, rng = data(2, 200, 4)
    y = (y + rng.logistic(size=200) > 1).astype(float)
    offset = 0.5 * rng.standard_normal(200)
    found = debiased_lasso(
        X, y, loss="logistic", alpha=1e-9, nodewise_alpha=0.0, robust=robust, offset=offset, tol=1e-13
    )
    A, w = np.column_stack([X, np.ones(200)]), np.zeros(5)
    for _ in range(50):
        mu = 1 / (1 + np.exp(-(A @ w + offset)))
        inverse = np.linalg.inv(A.T @ ((mu * (1 - mu))[:, None] * A))
        w = w + inverse @ A.T @ (y - mu)
    cov = inverse @ A.T @ np.diag((y - mu) ** 2) @ A @ inverse if robust else inverse
    np.testing.assert_allclose(found.coef, w[:4], rtol=1e-5)
    np.testing.assert_allclose(found.se, np.sqrt(np.diag(cov))[:4], rtol=1e-5)
    assert found.sigma == 1.0


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("robust", [False, True])
def test_a_weight_of_two_is_the_row_twice_and_a_weight_of_zero_is_no_row(loss, robust):
    X, y, rng = data(3, 80, 30)
    y = y if loss == "squared" else (y > np.median(y)).astype(float)
    weights = rng.integers(0, 3, 80)
    offset = rng.standard_normal(80)
    rows = np.repeat(np.arange(80), weights)
    options = {"loss": loss, "robust": robust, "features": [0, 5, 9], "alpha": 0.05 if loss == "logistic" else None}
    weighed = debiased_lasso(X, y, sample_weight=weights, offset=offset, **options)
    repeated = debiased_lasso(X[rows], y[rows], offset=offset[rows], **options)
    agree(weighed, repeated, rtol=1e-5)
    assert weighed.n_samples == weights.sum()


def test_an_offset_of_the_squared_loss_is_taken_from_the_response():
    X, y, rng = data()
    offset = 3.0 * rng.standard_normal(60)
    agree(debiased_lasso(X, y + offset, features=[0, 1], offset=offset), debiased_lasso(X, y, features=[0, 1]))


def test_units_and_order_of_columns_and_the_unit_of_y_do_not_matter():
    X, y, rng = data(4, 50, 40)
    order, units = rng.permutation(40), 10.0 ** rng.uniform(-3, 3, 40)
    plain = debiased_lasso(X, y)
    moved = debiased_lasso((X * units)[:, order], 100 * y - 7)
    for name in ("coef", "se", "lower", "upper"):
        np.testing.assert_allclose(getattr(moved, name), (100 * getattr(plain, name) / units)[order], rtol=1e-4)
    np.testing.assert_allclose(moved.p_values, plain.p_values[order], rtol=1e-3)


def test_sparse_columns_and_tables_are_read_as_dense_ones():
    pd = pytest.importorskip("pandas")
    X, y, rng = data(5, 50, 30)
    X[rng.random(X.shape) < 0.6] = 0.0
    plain = debiased_lasso(X, y, features=[3, 0])
    agree(debiased_lasso(sparse.csc_array(X), y, features=[3, 0]), plain)
    table = pd.DataFrame(X, columns=[f"gene{j}" for j in range(30)])
    named = debiased_lasso(table, y, features=["gene3", "gene0"])
    agree(named, plain)
    assert named.names == ("gene3", "gene0")
    assert list(named.to_frame().index) == ["gene3", "gene0"]
    agree(debiased_lasso(X, y, features=np.isin(np.arange(30), [0, 3])), debiased_lasso(X, y, features=[0, 3]))


def test_features_asked_for_alone_have_the_intervals_that_they_have_among_all():
    X, y, _ = data(6, 50, 40)
    few, all_of_them = debiased_lasso(X, y, features=[7, 2]), debiased_lasso(X, y)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(few, name), getattr(all_of_them, name)[[7, 2]], rtol=1e-9)


def test_the_scaled_lasso_is_at_the_strength_that_its_own_residuals_ask_for():
    X, y, _ = data(7)
    found = debiased_lasso(X, y, features=[0])
    at = path(X, y, alphas=[found.alpha], standardize=True, tol=1e-10)
    left = y - at.predict(X, found.alpha)
    unit = scaled_strength(60, 80)
    assert found.alpha == pytest.approx(unit * np.sqrt(np.mean(left**2)), rel=1e-5)
    quantile = unit * np.sqrt(60 / 2)  # L(k/p) with k = L⁴ + 2 L²
    assert 80 * stats.norm.sf(quantile) == pytest.approx(quantile**4 + 2 * quantile**2, rel=1e-6)


def test_directions_meet_the_constraint_of_javanmard_and_montanari():
    X = standardized(data(8, 40, 60)[0])
    gram = X.T @ X / 40
    found = directions(gram, np.arange(60), 40, 39, None, 0.25)
    for j in range(60):
        moved = gram @ found.coefs[:, j]
        assert np.abs(np.delete(moved, j)).max() <= found.strengths[j] * (1 + 1e-6)
        m = found.coefs[:, j] / moved[j]
        assert np.abs(gram @ m - np.eye(60)[j]).max() <= found.strengths[j] / moved[j] * (1 + 1e-6)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_nodewise_strengths_trade_width_for_bias_as_zhang_and_zhang_say(rho):
    X = standardized(data(9, 60, 50, rho)[0])
    gram, n = X.T @ X / 60, 60
    found = directions(gram, np.array([4, 20]), n, 49, None, 0.25)
    for k, j in enumerate((4, 20)):
        node = Nodewise(gram, j, 49)
        fine = node.first_strength * np.geomspace(1, 0.005, 2000)
        eta, tau, _ = _measures(gram, j, node.residuals(fine), n)
        assert (np.diff(eta) <= 1e-9).all()  # what the rule rests on
        assert (np.diff(tau) >= -1e-9).all()
        first = np.argmax(eta <= np.sqrt(2 * np.log(50)))
        limit = 1.25 * tau[first]
        at = np.interp(-found.strengths[k], -fine, tau)
        step = (1 / 0.005) ** (1 / 79)
        after = np.interp(-found.strengths[k] / step**2, -fine, tau)
        assert at <= limit * 1.07  # the grid's first strength lies up to a step below the first of all
        assert after >= limit or found.strengths[k] <= 1.01 * fine[-1]


def test_more_widening_means_less_bias_and_wider_intervals():
    X, y, _ = data(10, 80, 60, 0.8)
    found = [debiased_lasso(X, y, widening=w) for w in (0.0, 0.25, 1.0)]
    for less, more in pairwise(found):
        assert (more.se >= less.se * (1 - 1e-9)).all()
        assert (more.bias_factors <= less.bias_factors * (1 + 1e-9)).all()
    assert (found[2].se <= 2.0 * found[0].se * 1.001).all()


def test_a_column_twice_or_constant_has_no_interval_and_p_value_one():
    X, y, _ = data(11, 60, 20)
    X[:, 3], X[:, 9] = 2 * X[:, 0], 4.0
    found = debiased_lasso(X, y, adjust="holm")
    np.testing.assert_array_equal(np.flatnonzero(~found.identified), [0, 3, 9])
    assert np.isnan(found.coef[[0, 3, 9]]).all()
    assert (found.p_values[[0, 3, 9]] == 1).all()
    assert (found.lower[9], found.upper[9]) == (-np.inf, np.inf)
    assert np.isfinite(found.se[found.identified]).all()
    assert "3 of 20 cannot be told apart" in str(found)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 997), min_size=1, max_size=12))
def test_adjusted_p_values_reject_what_their_procedures_reject(values):
    p = (np.array(values) / 997) ** 3 / np.pi  # no product of these with a whole number is a level
    m = len(p)
    for level in (0.01, 0.05, 0.2):
        order, rejected = np.argsort(p), np.zeros(m, bool)
        for step, k in enumerate(order):  # Holm, step by step
            if p[k] * (m - step) > level:
                break
            rejected[k] = True
        np.testing.assert_array_equal(adjusted(p, "holm") <= level, rejected)
        np.testing.assert_array_equal(adjusted(p, "bonferroni") <= level, p * m <= level)
        below = [k for k in range(1, m + 1) if np.sort(p)[k - 1] * m / k <= level]  # Benjamini & Hochberg
        assert (adjusted(p, "bh") <= level).sum() == (p <= np.sort(p)[max(below) - 1]).sum() if below else True
    assert (adjusted(p, "by") >= adjusted(p, "bh") - 1e-15).all()


def test_intervals_at_another_level_are_those_of_a_fit_at_it():
    X, y, _ = data()
    wide = debiased_lasso(X, y, features=[0, 1], confidence=0.99)
    lower, upper = debiased_lasso(X, y, features=[0, 1]).intervals(0.99)
    np.testing.assert_allclose([lower, upper], [wide.lower, wide.upper])


def test_noise_from_cross_validation_is_its_lassos_residual_deviation():
    X, y, _ = data(12)
    found = debiased_lasso(X, y, features=[0], alpha="cv", sigma="cv", cv=5)
    at = path(X, y, alphas=[found.alpha], standardize=True)
    left = y - at.predict(X, found.alpha)
    assert found.sigma == pytest.approx(np.sqrt(left @ left / (60 - at.n_nonzero[0] - 1)), rel=1e-4)
    assert "cross-validated" in str(found)


def test_it_prints_what_has_to_hold():
    X, y, _ = data()
    said = str(debiased_lasso(X, y, features=[0, 1], adjust="bh"))
    for words in ("truth is sparse", "precision matrix", "independent", "normal", "bh over 2 features"):
        assert words in said
    assert "may differ from row to row" in str(debiased_lasso(X, y, features=[0], robust=True))
    classes = str(debiased_lasso(X, (y > np.median(y)).astype(float), features=[0], loss="logistic", cv=3))
    assert "the logistic model is right" in classes


@pytest.mark.parametrize("words", ["selected", "support"])
def test_features_that_y_chose_are_refused(words):
    X, y, _ = data()
    with pytest.raises(ArgumentError, match="chosen by y"):
        debiased_lasso(X, y, features=words)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"penalty": L2(1.0)}, ArgumentError, "none gives intervals for L2"),
        ({"penalty": MCP(1.0)}, ArgumentError, "none gives intervals for MCP"),
        ({"penalty": L1(1.0, np.arange(1.0, 81.0))}, ArgumentError, "equal factors"),
        ({"features": [0, 80]}, ArgumentError, "from 0 to 79"),
        ({"features": [0, 0]}, ArgumentError, "distinct"),
        ({"features": ["a"]}, ArgumentError, "'a' is none"),
        ({"features": []}, ArgumentError, "vector of column numbers"),
        ({"confidence": 1.0}, ArgumentError, "such as 0"),
        ({"adjust": "fdr"}, ArgumentError, "'holm', 'bonferroni', 'bh', 'by'"),
        ({"alpha": "bic"}, ArgumentError, "'scaled', 'cv'"),
        ({"sigma": -1.0}, ArgumentError, "sigma must be > 0"),
        ({"robust": True, "sample_weight": np.full(60, 0.5)}, ArgumentError, "whole numbers"),
        ({"loss": "logistic", "sigma": 1.0}, ArgumentError, "has no sigma"),
        ({"sample_weight": np.arange(60) < 15}, DataError, "at least 20 rows"),
    ],
)
def test_where_theory_gives_nothing_it_is_refused_by_name(options, error, words):
    X, y, _ = data()
    y = (y > np.median(y)).astype(float) if options.get("loss") == "logistic" else y
    with pytest.raises(error, match=words):
        debiased_lasso(X, y, **options)


def test_few_of_a_class_and_responses_without_noise_are_refused():
    X = data()[0]
    with pytest.raises(DataError, match="rarer has 5"):
        debiased_lasso(X, np.arange(60) < 5, loss="logistic")
    with pytest.raises(DataError, match="without noise"):
        debiased_lasso(X, X[:, 0])
    with pytest.raises(DataError, match="without noise"):
        debiased_lasso(X, np.ones(60))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_a_feature_with_a_large_effect_is_found_and_the_others_seldom(seed):
    X, y, true = simulate("independent", 100, 60, seed)
    found = debiased_lasso(X, y + 3 * X[:, 7], adjust="bonferroni")
    assert found.adjusted_p_values[7] < 1e-6
    assert (found.adjusted_p_values[true == 0] < 1e-6).sum() <= 1


def some(true, seed):
    """The support and thirty others."""
    rest = np.random.default_rng(seed).choice(np.flatnonzero(true == 0), 30, replace=False)
    return np.concatenate([np.flatnonzero(true), rest])


@pytest.mark.parametrize("kind", ["independent", "toeplitz"])
def test_a_few_data_sets_are_covered_about_as_often_as_promised(kind):
    got = coverage(kind, 100, 150, range(8), features=some)
    assert 0.90 <= got.everywhere <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize(("n", "p"), [(100, 500), (200, 300)])
@pytest.mark.parametrize("kind", ["independent", "toeplitz", "equicorrelated"])
def test_95_percent_intervals_cover_from_92_to_97_5_percent_of_all_coefficients(kind, n, p):
    got = coverage(kind, n, p, range(20))
    assert 0.92 <= got.everywhere <= 0.975
    assert got.on_support >= 0.7  # below the promise on correlated columns, and the docstring says so


@pytest.mark.slow
def test_logistic_intervals_cover_too():
    inside = []
    for seed in range(10):
        X, _, true = simulate("toeplitz", 300, 100, seed)
        rng = np.random.default_rng(seed)
        y = (rng.random(300) < 1 / (1 + np.exp(-(X @ true)))).astype(float)
        found = debiased_lasso(X, y, loss="logistic", cv=5)
        inside.append(((found.lower <= true) & (true <= found.upper)).mean())
    assert 0.92 <= np.mean(inside) <= 0.985


@pytest.mark.slow
def test_robust_intervals_cover_where_the_noise_depends_on_the_column_and_plain_ones_do_not():
    plain, robust = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((200, 30))
        y = X[:, 0] + X[:, 1] ** 2 * rng.standard_normal(200)
        for held, sandwich in ((plain, False), (robust, True)):
            found = debiased_lasso(X, y, features=[1], robust=sandwich)
            held.append(found.lower[0] <= 0 <= found.upper[0])
    assert np.mean(plain) < 0.8 < np.mean(robust)
