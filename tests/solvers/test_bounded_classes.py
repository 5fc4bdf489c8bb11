"""Several classes with bounds on coefficients: judged by `MultinomialProblem`, by a solver of scipy's, and by laws."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedKFold

from shrinkage import ArgumentError, LogisticRegression, LogisticRegressionCV, cross_validate, path
from shrinkage._path import state_classes
from shrinkage.losses import Multinomial
from shrinkage.penalties import L1L2, Box

FORMS = ["multinomial", "multinomial_grouped"]
every_form = pytest.mark.parametrize("loss", FORMS)
STATED = ["l1_ratio", "fit_intercept", "standardize", "sample_weight", "offset", "penalty_factor", "penalty"]
DEFAULTS = {"l1_ratio": 1.0, "fit_intercept": True, "standardize": False}


def data(seed=0, n=90, p=20, K=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.3 * rng.normal(size=(n, 1))
    eta = 1.5 * X[:, :K] @ (np.eye(K) - 0.3)
    return X, (eta + rng.gumbel(size=(n, K))).argmax(axis=1)


def bounds(p, seed=0):
    """Some narrow on both sides, some on one, some none, one excluded."""
    rng = np.random.default_rng(seed)
    lower, upper = -0.2 * rng.random(p), 0.2 * rng.random(p)
    lower[::3], upper[1::4], lower[5], upper[7] = -np.inf, np.inf, 0.0, 0.0
    lower[2] = upper[2] = 0.0
    return lower, upper


def problem_of(X, y, loss, options):
    stated = {name: options.get(name, DEFAULTS.get(name)) for name in STATED}
    limits = (options.get("lower"), options.get("upper"), options.get("positive", False))
    return state_classes(X, y, loss, *stated.values(), *limits)[0]


def judged(X, y, fitted, loss, options):
    """Relative gaps that the problem itself computes."""
    problem = problem_of(X, y, loss, options)
    return problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas) / problem.null.objective


def by_class(fitted):
    return fitted.coefs.toarray().reshape((fitted.n_outputs, -1, len(fitted.alphas)))


@every_form
@pytest.mark.parametrize(
    "kind", ["tall", "wide", "sparse", "float32", "elastic", "ridge", "free", "one-sided", "bare", "positive"]
)
def test_every_strength_is_certified_and_stays_in_bounds(loss, kind):
    X, y = data(len(kind), *((50, 120) if kind == "wide" else (90, 20)))
    rng = np.random.default_rng(1)
    lower, upper = bounds(X.shape[1])
    if kind == "one-sided":
        lower[[1, 4]], upper[[1, 4]] = 0.0, np.inf
    options = {"lower": lower, "upper": upper}
    if kind == "sparse":
        X = sparse.csc_array(X * (rng.random(X.shape) < 0.3))
        options["sample_weight"] = rng.integers(0, 3, len(y)).astype(float)
    if kind == "float32":
        X = X.astype(np.float32)
    if kind in ("elastic", "ridge"):
        options |= {"l1_ratio": 0.4 if kind == "elastic" else 0.0, "offset": 0.3 * rng.normal(size=(len(y), 4))}
        options["standardize"] = True
    if kind in ("free", "one-sided"):
        factors = np.ones(X.shape[1])
        factors[[1, 4, 7] if kind == "one-sided" else [8, 10, 12]] = 0.0, 0.0, 2.0
        options |= {"penalty_factor": factors, "sample_weight": rng.random(len(y)) + 0.1}
    if kind == "bare":
        options["fit_intercept"] = False
    if kind == "positive":
        options = {"positive": True}
        lower, upper = np.zeros(20), np.full(20, np.inf)
    fitted = path(X, y, loss=loss, n_alphas=8, alpha_min_ratio=0.05, **options)
    W = by_class(fitted)
    assert (lower[:, None] <= W).all()
    assert (upper[:, None] >= W).all()
    assert ((lower[:, None] == W) & (W != 0)).any() or ((upper[:, None] == W) & (W != 0)).any() or kind == "positive"
    true = judged(X, y, fitted, loss, options)
    assert true.min() >= -1e-12
    assert true.max() <= 1.01e-6
    assert np.abs(true - fitted.relative_gaps).max() <= 1e-9
    np.testing.assert_allclose(fitted.intercepts.sum(axis=0), 0, atol=1e-12)
    problem = problem_of(X, y, loss, options)
    steepest = np.abs(problem._correlate(-Multinomial().gradient(problem.y, problem.null.eta))).max()
    true = problem.kkts(fitted.coefs, fitted.intercepts, fitted.alphas)
    assert max(true.max(), fitted.kkt.max()) <= 1e-4 * steepest
    loosened = problem.kkts(0.9 * fitted.coefs, fitted.intercepts, fitted.alphas)
    assert loosened[-1] > 1e-2 * steepest  # as elsewhere: conditions tell a tenth of a coefficient
    if kind not in ("free", "one-sided", "ridge"):
        assert fitted.n_nonzero[0] == 0 < fitted.n_nonzero[1]


def by_another_solver(problem, alpha, l1_ratio, lower, upper, grouped):
    """The minimal objective as L-BFGS-B finds it, for w = u - v with u, v >= 0; a group norm is smoothed at 1e-9."""
    n, K = problem.y.shape
    p = problem.design.shape[1]
    X, loss = problem.design.values, Multinomial()
    high, low = np.repeat(upper, K), np.repeat(-lower, K)

    def value(x):
        u, v, b = x[: p * K], x[p * K : 2 * p * K], x[2 * p * K :]
        W = (u - v).reshape(p, K)
        eta = problem.start + X @ W + b
        slope = loss.gradient(problem.y, eta) / n
        size = np.sqrt((W * W).sum(axis=1) + 1e-18)
        first = size.sum() if grouped else (u + v).sum()
        smooth = X.T @ slope + alpha * (1 - l1_ratio) * W + (alpha * l1_ratio * W / size[:, None] if grouped else 0.0)
        own = alpha * l1_ratio * (not grouped)
        F = loss.value(problem.y, eta).mean() + alpha * (l1_ratio * first + 0.5 * (1 - l1_ratio) * (W * W).sum())
        return F, np.concatenate([smooth.ravel() + own, own - smooth.ravel(), slope.sum(axis=0)])

    box = [(0, b) for b in np.concatenate([high, low])] + [(None, None)] * K
    start = np.zeros(2 * p * K + K)
    if grouped:
        start[: p * K] = 1e-3 * np.minimum(high, 1.0)
    found = minimize(value, start, jac=True, bounds=box, method="L-BFGS-B", options={"maxiter": 20000, "ftol": 1e-15})
    return found.fun


@every_form
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_the_objective_is_as_low_as_that_of_another_solver(loss, l1_ratio):
    X, y = data(2, 60, 6, 3)
    lower, upper = bounds(8)
    lower, upper = lower[:6], upper[:6]
    options = {"lower": lower, "upper": upper, "l1_ratio": l1_ratio}
    fitted = path(X, y, loss=loss, alphas=[0.05, 0.01], tol=1e-11, **options)
    problem = problem_of(X, y, loss, options)
    for t, alpha in enumerate(fitted.alphas):
        ours = problem.objective(by_class(fitted)[:, :, t], fitted.intercepts[:, t], alpha)
        theirs = by_another_solver(problem, alpha, l1_ratio, lower, upper, problem.grouped)
        assert ours <= theirs + 1e-10
        assert theirs <= ours + 1e-6


@every_form
def test_bounds_far_away_change_nothing(loss):
    X, y = data(3, 70, 10, 3)
    options = {"loss": loss, "n_alphas": 6, "alpha_min_ratio": 0.05, "tol": 1e-10}
    plain, wide = path(X, y, **options), path(X, y, lower=-1e3, upper=1e3, **options)
    np.testing.assert_allclose(wide.alphas, plain.alphas, rtol=1e-9)
    np.testing.assert_allclose(wide.coefs.toarray(), plain.coefs.toarray(), atol=1e-3)


@pytest.mark.parametrize("loss", ["multinomial", "multinomial_grouped"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_an_infinite_factor_leaves_the_column_out(loss, l1_ratio, kind):
    X, y = data(4, 60, 9, 3)
    factors = np.linspace(0.5, 2.0, 9)
    factors[[0, 4]] = np.inf
    kept = np.flatnonzero(np.isfinite(factors))
    X = np.where(np.abs(X) > 0.4, X, 0.0)
    X = sparse.csc_array(X) if kind == "sparse" else X
    options = {"loss": loss, "l1_ratio": l1_ratio, "n_alphas": 5, "alpha_min_ratio": 0.1, "standardize": True}
    with_all = path(X, y, penalty_factor=factors, **options)
    without = path(X[:, kept], y, penalty_factor=factors[kept], **options)
    np.testing.assert_allclose(by_class(with_all)[:, kept], by_class(without), atol=1e-10)
    assert not by_class(with_all)[:, [0, 4]].any()


@every_form
def test_a_weight_of_two_is_the_row_twice(loss):
    X, y = data(5, 60, 6, 3)
    counts = np.random.default_rng(0).integers(0, 3, 60)
    lower, upper = bounds(8)
    options = {"loss": loss, "lower": lower[:6], "upper": upper[:6], "alphas": [0.05, 0.02], "tol": 1e-13}
    weighted = path(X, y, sample_weight=counts.astype(float), **options)
    repeated = path(np.repeat(X, counts, axis=0), np.repeat(y, counts), **options)
    np.testing.assert_allclose(weighted.coefs.toarray(), repeated.coefs.toarray(), atol=1e-7)


@every_form
@pytest.mark.parametrize("standardize", [False, True])
def test_folds_are_fits_on_their_training_rows(loss, standardize):
    X, y = data(6, 80, 10, 3)
    lower, upper = bounds(10)
    lower[0], upper[0] = 0.0, np.inf
    options = {"loss": loss, "alphas": [0.06, 0.02], "standardize": standardize, "lower": lower, "upper": upper}
    options["penalty_factor"] = np.arange(10) > 0  # the first is certified by the problem of each fold
    cv = cross_validate(X, y, cv=4, tol=1e-10, **options)
    for f, (train, test) in enumerate(StratifiedKFold(4).split(X, y)):
        alone = path(X[train], y[train], tol=1e-10, **options)
        for t, alpha in enumerate(alone.alphas):
            chance = alone.predict(X[test], alpha)[np.arange(len(test)), y[test]]
            assert cv.scores[t, f] == pytest.approx(-2 * np.log(chance).mean(), rel=1e-5)
    assert np.abs(cv.fold_gaps).max() <= 1e-10


@every_form
@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")
@pytest.mark.parametrize("bound", [{"positive": True}, {"lower": -0.2, "upper": 0.1}], ids=str)
@pytest.mark.parametrize("kind", ["separable", "copies", "constant", "zeros", "few", "rare", "far"])
def test_degenerate_data_end_with_finite_numbers_and_a_true_certificate(loss, kind, bound):
    X, y = data(7, 40, 8, 3)
    if kind == "separable":
        X[:, 0] = 10.0 * (y == 1) - 5.0 * (y == 2)
    if kind == "copies":
        X[:, 4:] = X[:, :4]
    if kind == "constant":
        X[:, 2] = 3.0
    if kind == "zeros":
        X[:] = 0.0
    if kind == "few":
        X, y = X[:3], np.array([0, 1, 2])
    if kind == "rare":
        y = np.where(y == 2, 1, y)
        y[5] = 2
    if kind == "far":
        X[:, 1] += 1e6
    fitted = path(X, y, loss=loss, n_alphas=12, alpha_min_ratio=1e-3, **bound)
    assert np.isfinite(fitted.coefs.data).all()
    assert np.isfinite(fitted.intercepts).all()
    assert fitted.relative_gaps.max() <= 1e-6


def test_two_classes_are_the_logistic_fit_with_twice_the_bounds():
    X, y = data(8, 80, 6, 2)
    several = path(X, y, loss="multinomial", alphas=[0.02], l1_ratio=0.5, lower=-0.3, upper=0.3, tol=1e-13)
    # of (-w/2, w/2) the L1 norm is |w| and the squares are w²/2
    two = path(X, y, alphas=[0.015], l1_ratio=2 / 3, loss="logistic", lower=-0.6, upper=0.6, tol=1e-13)
    np.testing.assert_allclose(by_class(several)[1, :, 0] * 2, two.coefs.toarray()[:, 0], atol=1e-6)
    assert two.coefs.max() == 0.6


def test_estimators_of_classes_take_bounds():
    X, y = data(9, 80, 8, 3)
    alone = path(X, y, loss="multinomial", alphas=[0.03], positive=True)
    model = LogisticRegression(0.03, l1_ratio=1.0, positive=True).fit(X, y)
    np.testing.assert_allclose(model.coef_, by_class(alone)[:, :, 0], atol=1e-6)
    assert model.coef_.min() == 0 < model.coef_.max()
    chosen = LogisticRegressionCV(l1_ratio=1.0, lower=-0.1, upper=0.3, cv=3, n_alphas=6).fit(X, y)
    assert chosen.coef_.min() == -0.1
    assert chosen.coef_.max() == 0.3
    boxed = path(X, y, loss="multinomial", alphas=[0.03], penalty=Box(L1L2(1.0, 1.0), 0.0))
    np.testing.assert_allclose(boxed.coefs.toarray(), alone.coefs.toarray(), atol=1e-12)


def test_bounds_given_twice_are_refused():
    X, y = data(10, 30, 3, 3)
    with pytest.raises(ArgumentError, match="penalty already has bounds"):
        path(X, y, loss="multinomial", penalty=Box(L1L2(1.0, 1.0), 0.0), upper=1.0)


@pytest.mark.parametrize("loss", ["multinomial", "multinomial_grouped"])
@pytest.mark.parametrize("n", [4, 60])
def test_a_feature_with_one_bound_and_no_penalty_is_free_up_to_a_shift(loss, n):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 9))
    y = np.argmax(X[:, :3] + rng.gumbel(size=(n, 3)), axis=1)
    y[:3] = 0, 1, 2
    factors, lower, upper = np.ones(9), np.full(9, -np.inf), np.full(9, np.inf)
    factors[:3], upper[0], lower[1], upper[2] = 0.0, 0.1, 0.0, 0.0
    lower[5], upper[6] = -0.2, 0.0
    options = {"loss": loss, "penalty_factor": factors, "n_alphas": 5}
    held = path(X, y, lower=lower, upper=upper, **options)
    free_lower, free_upper = (np.where(factors == 0, far, bound) for far, bound in ((-np.inf, lower), (np.inf, upper)))
    free = path(X, y, lower=free_lower, upper=free_upper, **options)
    np.testing.assert_allclose(free.alphas, held.alphas)
    assert (held.relative_gaps <= 1e-6).all()
    for t in range(len(held.alphas)):
        W, V = (fitted.coefs[:, [t]].toarray().reshape((3, 9)) for fitted in (held, free))
        assert (lower <= W).all()
        assert (upper >= W).all()
        np.testing.assert_allclose(W - W.mean(axis=0), V - V.mean(axis=0), rtol=1e-3, atol=1e-3)
