"""The evidence of a ridge against the marginal density of y written out, its fixed points, and its neighbors."""

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.linear_model import BayesianRidge

from shrinkage import L2, cross_validate, path
from shrinkage._errors import ArgumentError, DataError
from shrinkage.datasets import simulate_linear
from shrinkage.priors import to_distribution
from shrinkage.selection import evidence

RANDOM = np.random.default_rng(5)
WIDE = 1e7


def data(n, p, noise=1.0, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, p)) @ np.diag(np.linspace(0.5, 2.0, p)) + np.linspace(-1.0, 3.0, p)
    return X, 2.0 + X @ (random.standard_normal(p) / np.sqrt(p)) + noise * random.standard_normal(n)


def log_marginal(y, X, variances, phi, free=None, rows=None):
    """log N(y; 0, φ diag(1/rows) + X diag(variances) Xᵀ), with columns `free` under a flat prior of density 1."""
    covariance = X @ (np.asarray(variances)[:, None] * X.T) + np.diag(phi / (np.ones(len(y)) if rows is None else rows))
    extra = 0.0
    if free is not None:
        covariance = covariance + WIDE * free @ free.T
        extra = 0.5 * free.shape[1] * np.log(2.0 * np.pi * WIDE)
    sign, logdet = np.linalg.slogdet(covariance)
    assert sign == 1
    return -0.5 * (len(y) * np.log(2.0 * np.pi) + logdet + y @ np.linalg.solve(covariance, y)) + extra


@pytest.mark.parametrize(("n", "p"), [(40, 6), (20, 35)])
def test_it_is_the_density_of_y_with_all_weights_integrated_out(n, p):
    X, y = data(n, p)
    alphas = np.array([10.0, 0.3, 0.01])
    found = evidence(X, y, alphas=alphas, dispersion=1.3, fit_intercept=False)
    expected = [log_marginal(y, X, np.full(p, 1.3 / (n * alpha)), 1.3) for alpha in alphas]
    np.testing.assert_allclose(found.curve, expected, rtol=1e-10)
    for alpha, gamma in zip(alphas, found.gammas, strict=True):
        hat = X @ np.linalg.solve(X.T @ X + n * alpha * np.eye(p), X.T)
        assert gamma == pytest.approx(np.trace(hat), rel=1e-9)


@pytest.mark.parametrize(("n", "p"), [(40, 6), (20, 35)])
def test_intercept_and_free_columns_have_flat_priors(n, p):
    X, y = data(n, p)
    factors = np.linspace(0.5, 2.0, p)
    factors[[1, 3]] = 0.0
    kept = factors > 0
    found = evidence(X, y, alphas=[0.3], dispersion=1.3, penalty_factor=factors)
    free = np.column_stack([np.ones(n), X[:, ~kept]])
    expected = log_marginal(y, X[:, kept], 1.3 / (n * 0.3 * factors[kept]), 1.3, free)
    assert found.curve[0] == pytest.approx(expected, rel=1e-5)


def test_the_noise_variance_is_the_one_of_the_highest_evidence():
    X, y = data(40, 6)
    alphas = np.array([1.0, 0.1])
    found = evidence(X, y, alphas=alphas)
    for k in range(2):
        best = optimize.minimize_scalar(
            lambda u, k=k: -evidence(X, y, alphas=alphas, dispersion=float(np.exp(u))).curve[k], bounds=(-4, 4)
        )
        assert found.curve[k] == pytest.approx(-best.fun, rel=1e-9)
    again = evidence(X, y, dispersion=found.dispersion)
    assert again.alpha == pytest.approx(found.alpha, rel=1e-9)


@pytest.mark.parametrize(("n", "p"), [(60, 8), (30, 45)])
@pytest.mark.parametrize("intercept", [True, False])
def test_its_peak_is_a_fixed_point_of_mackay(n, p, intercept):
    X, y = data(n, p)
    found = evidence(X, y, fit_intercept=intercept)
    residual = y - X @ found.coef - found.intercept
    assert found.alpha == pytest.approx(found.dispersion * found.gamma / (n * (found.coef @ found.coef)), rel=1e-9)
    assert found.dispersion == pytest.approx(residual @ residual / (n - intercept - found.gamma), rel=1e-9)
    around = np.geomspace(found.alpha * 1e6, found.alpha * 1e-6, 301)
    assert evidence(X, y, alphas=around, fit_intercept=intercept).curve.max() <= found.log_evidence + 1e-12


def test_scikit_learns_bayesian_ridge_without_hyperpriors_says_the_same():
    X, y = data(60, 8)
    theirs = BayesianRidge(
        alpha_1=0,
        alpha_2=0,
        lambda_1=0,
        lambda_2=0,
        fit_intercept=False,
        tol=1e-12,
        max_iter=10_000,
        compute_score=True,
    ).fit(X, y)
    ours = evidence(X, y, fit_intercept=False)
    assert ours.dispersion == pytest.approx(1.0 / theirs.alpha_, rel=1e-6)
    assert 60 * ours.alpha / ours.dispersion == pytest.approx(theirs.lambda_, rel=1e-6)
    assert ours.log_evidence == pytest.approx(theirs.scores_[-1], rel=1e-8)
    np.testing.assert_allclose(ours.coef, theirs.coef_, rtol=1e-6)


@pytest.mark.parametrize("phi", [None, 1.2])
def test_the_standard_error_is_the_curvature_of_the_curve(phi):
    X, y = data(60, 8)
    found, step = evidence(X, y, dispersion=phi), 1e-3
    high, middle, low = evidence(
        X, y, alphas=found.alpha * np.exp([step, 0.0, -step]), dispersion=phi
    ).curve  # fmt: skip
    assert found.log_alpha_se == pytest.approx(((2.0 * middle - high - low) / step**2) ** -0.5, rel=1e-4)


def test_the_coefficients_are_those_of_the_path_at_that_strength():
    X, y = data(60, 8)
    factors = np.array([1.0, 2.0, 0.0, 1.0, 0.5, 1.0, 0.0, 3.0])
    options = {"standardize": True, "penalty_factor": factors, "sample_weight": RANDOM.integers(1, 4, 60)}
    found = evidence(X, y, **options)
    fit = path(X, y, l1_ratio=0.0, alphas=[found.alpha], tol=1e-13, **options)
    np.testing.assert_allclose(found.coef, fit.coefs.toarray()[:, 0], rtol=1e-8)
    assert found.intercept == pytest.approx(fit.intercepts[0], rel=1e-8)
    assert found.penalty.alpha == found.alpha
    np.testing.assert_array_equal(found.penalty.factors, factors)


def test_a_weight_of_two_is_the_row_twice():
    X, y = data(30, 5)
    counts = RANDOM.integers(0, 4, 30)
    weighted = evidence(X, y, sample_weight=counts, standardize=True, offset=X[:, 0])
    again = np.repeat(np.arange(30), counts)
    repeated = evidence(X[again], y[again], standardize=True, offset=X[again, 0])
    for name in ("alpha", "log_alpha_se", "dispersion", "gamma", "log_evidence", "n_samples"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name), rel=1e-9, nan_ok=True)
    as_counts = evidence(X, y, sample_weight=2.0 * counts, weights="counts")
    assert as_counts.n_samples == 2.0 * counts.sum()


def test_other_weights_are_inverse_noise_variances_whatever_their_unit():
    X, y = data(30, 5)
    weights = RANDOM.uniform(0.2, 2.0, 30)
    scaled = weights * 30.0 / weights.sum()
    found = evidence(X, y, alphas=[0.3], dispersion=1.3, sample_weight=weights, fit_intercept=False)
    expected = log_marginal(y, X, np.full(5, 1.3 / (30 * 0.3)), 1.3, rows=scaled)
    assert found.curve[0] == pytest.approx(expected, rel=1e-10)
    other = evidence(X, y, alphas=[0.3], dispersion=1.3, sample_weight=7.1 * weights, fit_intercept=False)
    assert (other.alpha, other.curve[0]) == (pytest.approx(found.alpha), pytest.approx(found.curve[0]))


def test_standardizing_and_factors_are_columns_in_other_units():
    X, y = data(50, 5)
    found = evidence(X, y, standardize=True)
    by_hand = evidence(X / X.std(axis=0), y)
    assert (found.alpha, found.log_evidence) == (pytest.approx(by_hand.alpha), pytest.approx(by_hand.log_evidence))
    np.testing.assert_allclose(found.coef * X.std(axis=0), by_hand.coef, rtol=1e-9)
    factors = np.linspace(0.5, 3.0, 5)
    weighted = evidence(X, y, penalty_factor=factors)
    assert weighted.log_evidence == pytest.approx(evidence(X / np.sqrt(factors), y).log_evidence)


def test_it_does_not_move_with_the_units_of_y_and_far_columns():
    X, y = data(50, 5)
    found = evidence(X, y)
    moved = evidence(X + 1e6, 1e3 * y - 7e4)
    assert moved.alpha == pytest.approx(found.alpha, rel=1e-6)
    assert moved.dispersion == pytest.approx(1e6 * found.dispersion, rel=1e-6)
    assert moved.log_alpha_se == pytest.approx(found.log_alpha_se, rel=1e-5)


def test_where_nothing_predicts_the_strength_is_infinite_and_says_so():
    X = RANDOM.standard_normal((80, 10))
    y = 3.0 + RANDOM.standard_normal(80)
    y = y - X @ np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
    found = evidence(X, y)
    assert found.alpha == np.inf
    assert not found.coef.any()
    assert (found.intercept, found.gamma) == (pytest.approx(y.mean()), 0.0)
    assert "no penalized column predicts y" in str(found)
    assert np.isfinite(found.curve).all()
    expected = stats.norm.logpdf(y, y.mean(), np.sqrt(found.dispersion)).sum()
    assert found.log_evidence == pytest.approx(expected + 0.5 * np.log(2.0 * np.pi * found.dispersion / 80))
    with pytest.raises(ArgumentError, match="finite and > 0"):
        _ = found.penalty


def test_a_laplace_prior_is_infinitely_narrow_where_every_correlation_is_exactly_nothing():
    X = np.repeat(np.random.default_rng(3).standard_normal((30, 4)), 2, axis=0)
    found = evidence(X, np.tile([0.0, 1.0], 30), prior="laplace")
    assert found.alpha == np.inf
    assert not found.coef.any()


def test_the_prior_of_the_record_is_that_of_its_penalty():
    X, y = data(40, 3)
    found = evidence(X, y, standardize=True)
    prior = found.distribution
    assert found.penalty == L2(found.alpha)
    expected = to_distribution(L2(found.alpha), 40, found.dispersion).std() / X.std(axis=0)
    np.testing.assert_allclose(prior.std(), expected)


def test_sparse_float32_and_tables_are_taken():
    pandas = pytest.importorskip("pandas")
    from scipy import sparse

    X, y = data(40, 6)
    X[RANDOM.uniform(size=X.shape) < 0.5] = 0.0
    found = evidence(X, y)
    table = evidence(pandas.DataFrame(X, columns=list("abcdef")), y)
    assert (table.alpha, table.feature_names) == (pytest.approx(found.alpha), tuple("abcdef"))
    assert evidence(sparse.csr_array(X), y).alpha == pytest.approx(found.alpha, rel=1e-9)
    assert evidence(X.astype(np.float32), y).alpha == pytest.approx(found.alpha, rel=1e-4)


def test_it_is_set_beside_cross_validation_in_sentences():
    simulated = simulate_linear(120, 20, n_nonzero=20, seed=4)
    found = evidence(simulated.X, simulated.y, standardize=True)
    cv = cross_validate(simulated.X, simulated.y, l1_ratio=0.0, standardize=True, cv=5)
    beside = found.compare(cv)
    assert (beside.alpha, beside.alpha_min, beside.alpha_1se) == (found.alpha, cv.alpha_min, cv.alpha_1se)
    at = cross_validate(
        simulated.X, simulated.y, l1_ratio=0.0, standardize=True, cv=5, alphas=[found.alpha]
    ).mean[0]  # fmt: skip
    assert beside.mean == pytest.approx(at, rel=1e-2)
    assert beside.inside
    assert beside.as_good == (beside.mean <= cv.mean.min() + cv.se[cv.index_min])
    assert f"{found.alpha:.4g}" in str(beside)
    assert ("within one standard error" in str(beside)) == beside.as_good
    with pytest.raises(ArgumentError, match="l1_ratio=0"):
        found.compare(cross_validate(simulated.X, simulated.y, cv=5))
    with pytest.raises(ArgumentError, match="must be a CrossValidation"):
        found.compare(cv.path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prior": "cauchy"}, "prior must be one of"),
        ({"loss": "poisson"}, "loss must be one of"),
        ({"loss": "logistic", "prior": "laplace"}, "sampler of the Bayesian lasso is for normal noise"),
        ({"loss": "logistic", "groups": [[0]]}, "groups need prior='normal'"),
        ({"prior": "laplace", "groups": [[0]]}, "groups need prior='normal'"),
        ({"groups": [[0], [1]], "alphas": [1.0]}, "strengths of a curve"),
        ({"alphas": [1.0, 0.0]}, "alphas must be > 0; position 1"),
        ({"alphas": 1.0}, "non-empty vector"),
        ({"dispersion": -1.0}, "dispersion must be > 0"),
        ({"prior": "laplace", "dispersion": 1.0}, "the sampler draws it"),
        ({"groups": [[0, 1], [1]]}, "disjoint"),
        ({"groups": [[0, 9]]}, "from 0 to 4"),
        ({"groups": [[]]}, "none empty"),
        ({"groups": []}, "at least one group"),
        ({"groups": [[0], [1]], "penalty_factor": [1.0, 0.0, 1.0, 1.0, 1.0]}, "group 1 has none"),
        ({"n_draws": 100, "prior": "laplace"}, "n_draws must be a whole number >= 250"),
        ({"weights": "rows", "sample_weight": np.ones(30)}, "weights must be one of"),
    ],
)
def test_what_has_no_evidence_is_refused_in_a_sentence(arguments, words):
    X, y = data(30, 5)
    with pytest.raises(ArgumentError, match=words):
        evidence(X, y, **arguments)


def test_data_without_noise_or_with_dependent_free_columns_are_refused():
    X, y = data(30, 5)
    with pytest.raises(DataError, match="no noise"):
        evidence(X, np.full(30, 2.0))
    copied = np.column_stack([X, X[:, 0]])
    with pytest.raises(DataError, match="rank 2"):
        evidence(copied, y, penalty_factor=[0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    with pytest.raises(DataError, match="nothing to weigh"):
        evidence(np.ones((30, 2)), y)
    with pytest.raises(DataError, match="more rows than free columns"):
        evidence(X, y, penalty_factor=[0.0, 1.0, 1.0, 1.0, 1.0], sample_weight=np.full(30, 0.05), weights="counts")
