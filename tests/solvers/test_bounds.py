"""Coefficients within bounds: every answer is judged by `Problem`, which shares no line with the solver, and twins."""

import numpy as np
import pytest
from cases import MORE_LOSSES, rows_of
from scipy import sparse
from scipy.optimize import lsq_linear, nnls
from sklearn.linear_model import ElasticNet, Lasso

from shrinkage import ArgumentError, cross_validate, path, selection
from shrinkage import Lasso as OurLasso
from shrinkage._path._statement import gap_advice
from shrinkage.design import as_design
from shrinkage.losses import Huber, Logistic, Poisson, Squared
from shrinkage.penalties import L1, L1L2, L2, Box
from shrinkage.problem import Problem
from shrinkage.solvers import solve
from shrinkage.solvers._fista import solve_fista

LOSSES = [Squared(), Logistic(), *(case.values[0] if hasattr(case, "values") else case for case in MORE_LOSSES)]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)


def data(loss, seed=0, n=80, p=20):
    if loss.name not in ("squared", "logistic"):
        return rows_of(loss, seed, n, p)
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.3 * rng.normal(size=(n, 1))
    eta = X[:, :6] @ np.array([1.0, -1.0, 0.6, 0.4, -0.3, 0.2])
    y = eta + rng.normal(size=n)
    return X, (y > 0).astype(float) if loss.name == "logistic" else y


def bounds(p, seed=0):
    """Some narrow on both sides, some on one, some none, one excluded."""
    rng = np.random.default_rng(seed)
    lower, upper = -0.3 * rng.random(p), 0.3 * rng.random(p)
    lower[::3], upper[1::4], lower[5], upper[7] = -np.inf, np.inf, 0.0, 0.0
    lower[2] = upper[2] = 0.0
    return lower, upper


def recomputed(fitted):
    problem = fitted.problem
    return problem.relative(problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas))


@every_loss
@pytest.mark.parametrize("kind", ["tall", "wide", "sparse", "float32", "elastic", "ridge", "free", "bare"])
def test_every_strength_is_certified_and_stays_in_bounds(loss, kind):
    X, y = data(loss, len(kind), *((50, 120) if kind == "wide" else (80, 20)))
    lower, upper = bounds(X.shape[1])
    rng = np.random.default_rng(1)
    options = {"n_alphas": 12, "alpha_min_ratio": 0.01, "lower": lower, "upper": upper}
    if kind == "sparse":
        X = sparse.csc_array(X * (rng.random(X.shape) < 0.4))
        options["sample_weight"] = rng.integers(0, 3, len(y)).astype(float)
    if kind == "float32":
        X = np.ascontiguousarray(X, dtype=np.float32)
    if kind == "elastic":
        options |= {"l1_ratio": 0.4, "offset": 0.3 * rng.normal(size=len(y)), "standardize": True}
    if kind == "ridge":
        options |= {"l1_ratio": 0.0, "standardize": True}
    if kind == "free":
        factors = np.ones(X.shape[1])
        factors[[1, 4, 6, 9]] = 0.0, 2.0, 0.0, 0.0  # some free within two bounds, some within one
        options |= {"penalty_factor": factors, "sample_weight": rng.random(len(y)) + 0.1}
    if kind == "bare":
        options["fit_intercept"] = False
    fitted = path(X, y, loss=loss, **options)
    coefs = fitted.coefs.toarray()
    assert (coefs >= lower[:, None]).all()
    assert (coefs <= upper[:, None]).all()
    assert ((coefs == lower[:, None]) & (lower < 0)[:, None]).any() or (
        (coefs == upper[:, None]) & (upper > 0)[:, None]
    ).any()
    true = recomputed(fitted)
    assert true.max() <= 1.01e-6
    assert np.abs(true - fitted.relative_gaps).max() <= 1e-9
    assert (
        fitted.kkt.max() <= 1e-4 * np.abs(fitted.problem.gradient(np.zeros(len(lower)), fitted.intercepts[0])[0]).max()
    )


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_positive_coefficients_are_those_of_scikit_learn(l1_ratio):
    X, y = data(Squared(), 3, 60, 30)
    fitted = path(X, y, l1_ratio=l1_ratio, positive=True, n_alphas=8, alpha_min_ratio=0.01, tol=1e-12)
    for t, alpha in enumerate(fitted.alphas):
        theirs = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, positive=True, tol=1e-12, max_iter=100_000).fit(X, y)
        np.testing.assert_allclose(fitted.coefs[:, [t]].toarray()[:, 0], theirs.coef_, atol=1e-6)
        np.testing.assert_allclose(fitted.intercepts[t], theirs.intercept_, atol=1e-6)
    assert fitted.n_nonzero[0] == 0 < fitted.n_nonzero[1]


def test_without_a_penalty_it_is_least_squares_within_bounds():
    X, y = data(Squared(), 4, 60, 12)
    ours = path(X, y, alphas=[0.0], positive=True, fit_intercept=False, tol=1e-12)
    np.testing.assert_allclose(ours.coefs.toarray()[:, 0], nnls(X, y)[0], atol=1e-8)
    assert recomputed(ours).max() <= 1e-9
    lower, upper = bounds(12)
    lower[2], upper[2] = -0.1, 0.1  # lsq_linear takes no empty interval
    ours = path(X, y, alphas=[0.0], lower=lower, upper=upper, fit_intercept=False, tol=1e-12)
    theirs = lsq_linear(X, y, (lower, upper), tol=1e-14)
    np.testing.assert_allclose(ours.coefs.toarray()[:, 0], theirs.x, atol=1e-6)
    assert ours.relative_gaps.max() <= 1e-9


@pytest.mark.parametrize("loss", [Squared(), Logistic(), Poisson()], ids=lambda loss: loss.name)
def test_the_reference_solver_agrees(loss):
    X, y = data(loss, 5, 60, 10)
    lower, upper = bounds(10)
    penalty = Box(L1L2(0.02, 0.7), lower, upper)
    problem = Problem(as_design(X), y, loss, penalty, scale=np.linspace(0.5, 2.0, 10))
    ours, theirs = solve(problem, tol=1e-10), solve_fista(problem, tol=1e-10)
    np.testing.assert_allclose(ours.coef, theirs.coef, atol=1e-4)
    assert (
        max(problem.relative_gap(ours.coef, ours.intercept), problem.relative_gap(theirs.coef, theirs.intercept))
        <= 2e-10
    )
    assert ours.coef[2] == 0.0


@every_loss
def test_bounds_far_away_change_nothing(loss):
    X, y = data(loss, 6, 70, 15)
    options = {"n_alphas": 8, "alpha_min_ratio": 0.05, "tol": 1e-10}
    plain, wide = path(X, y, loss=loss, **options), path(X, y, loss=loss, lower=-1e3, upper=1e3, **options)
    np.testing.assert_allclose(wide.alphas, plain.alphas, rtol=1e-9)
    largest = np.abs(plain.coefs.toarray()).max()
    np.testing.assert_allclose(wide.coefs.toarray(), plain.coefs.toarray(), atol=1e-3 * largest)
    differences = [
        abs(
            plain.problem.with_penalty(L1(a)).objective(plain.coefs[:, [t]].toarray()[:, 0], plain.intercepts[t])
            - plain.problem.with_penalty(L1(a)).objective(wide.coefs[:, [t]].toarray()[:, 0], wide.intercepts[t])
        )
        for t, a in enumerate(plain.alphas)
    ]
    assert max(differences) <= 1e-9 * plain.null_objective


@pytest.mark.parametrize("kind", ["dense", "sparse", "float32", "rows"])
@pytest.mark.parametrize("loss", ["squared", "logistic", Huber(1.0)], ids=str)
def test_an_infinite_factor_leaves_the_column_out(loss, kind):
    X, y = data(Logistic() if loss == "logistic" else Squared(), 7, 60, 12)
    if kind == "sparse":
        X = sparse.csc_array(np.where(np.abs(X) > 0.5, X, 0.0))
    X = X.astype(np.float32) if kind == "float32" else np.ascontiguousarray(X) if kind == "rows" else X
    kept = np.setdiff1d(np.arange(12), [0, 7])
    factors = np.linspace(0.5, 2.0, 12)
    factors[[0, 7]] = np.inf
    options = {"loss": loss, "n_alphas": 9, "standardize": True}
    with_all = path(X, y, penalty_factor=factors, **options)
    without = path(X[:, kept], y, penalty_factor=factors[kept], **options)
    assert with_all.coefs.shape == (12, 9)
    np.testing.assert_allclose(with_all.coefs.toarray()[kept], without.coefs.toarray(), atol=1e-10)
    assert not with_all.coefs.toarray()[[0, 7]].any()
    true = recomputed(with_all)
    assert true.max() <= 1.01e-6


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("standardize", [False, True])
def test_folds_are_paths_on_their_training_rows(loss, standardize):
    X, y = data({"squared": Squared(), "logistic": Logistic(), "poisson": Poisson()}[loss], 8, 60, 12)
    lower, upper = bounds(12)
    rows = np.arange(60)
    folds = [(rows[rows % 3 != k], rows[rows % 3 == k]) for k in range(3)]
    options = {"loss": loss, "lower": lower, "upper": upper, "standardize": standardize, "tol": 1e-10}
    cv = cross_validate(X, y, cv=folds, n_alphas=6, alpha_min_ratio=0.05, **options)
    assert cv.fold_gaps.max() <= 1e-10
    for k, (train, test) in enumerate(folds):
        alone = path(X[train], y[train], alphas=cv.alphas, **options)
        eta = X[test] @ alone.coefs.toarray() + alone.intercepts
        expected = 2 * alone.loss.value(y[test][:, None], eta).mean(axis=0)
        np.testing.assert_allclose(cv.scores[:, k], expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [Squared(), Logistic(), Poisson()], ids=lambda loss: loss.name)
def test_a_weight_of_two_is_the_row_twice(loss):
    X, y = data(loss, 9, 40, 8)
    counts = np.random.default_rng(0).integers(0, 3, 40)
    lower, upper = bounds(8)
    options = {"loss": loss, "lower": lower, "upper": upper, "alphas": [0.1, 0.03, 0.01], "tol": 1e-12}
    weighted = path(X, y, sample_weight=counts.astype(float), **options)
    repeated = path(np.repeat(X, counts, axis=0), np.repeat(y, counts), **options)
    np.testing.assert_allclose(weighted.coefs.toarray(), repeated.coefs.toarray(), atol=1e-6)


def degenerate():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 6))
    y = X[:, 0] + rng.normal(size=30)
    copies = np.column_stack([X, X, -X[:, :2], np.ones(30), np.zeros(30)])
    yield "copies", copies, y
    yield "constant y", X, np.full(30, 2.0)
    yield "all zeros", np.zeros((30, 4)), y
    yield "one row", X[:1], y[:1]
    yield "two rows", X[:2], y[:2]
    yield "exact", X, X[:, 0] - X[:, 1]
    yield "tiny", X * 1e-9, y * 1e-9
    yield "huge", X * 1e6, y * 1e9


@pytest.mark.parametrize("loss", ["squared", "poisson", Huber(0.5)], ids=str)
@pytest.mark.parametrize("case", list(degenerate()), ids=lambda case: case[0])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3, 0.0])
@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")
def test_degenerate_data_end_with_numbers(case, loss, l1_ratio):
    _, X, y = case
    if loss == "poisson":
        y = np.abs(np.round(np.clip(y, -20, 20)))
    for bound in ({"positive": True}, {"lower": -0.2, "upper": 0.1}):
        fitted = path(X, y, loss=loss, l1_ratio=l1_ratio, n_alphas=10, **bound)
        assert np.isfinite(fitted.coefs.data).all()
        assert np.isfinite(fitted.gaps).all()


def test_separable_classes_end_with_numbers():
    X = np.linspace(-1, 1, 20)[:, None] * np.array([[1.0, -1.0, 0.5]])
    fitted = path(X, X[:, 0] > 0, loss="logistic", positive=True, n_alphas=30, alpha_min_ratio=1e-3)
    assert fitted.coefs.toarray().min() >= 0
    assert fitted.relative_gaps.max() <= 1e-6


def test_where_no_column_may_enter_the_path_is_one_exact_strength():
    X = np.column_stack([np.arange(10.0), np.arange(10.0) ** 2])
    fitted = path(X, -np.arange(10.0), positive=True)
    assert fitted.alphas.tolist() == [0.0]
    assert fitted.n_nonzero.tolist() == [0]


def test_estimators_take_bounds():
    X, y = data(Squared(), 10, 60, 8)
    np.testing.assert_allclose(
        OurLasso(0.05, positive=True, tol=1e-10).fit(X, y).coef_,
        Lasso(alpha=0.05, positive=True, tol=1e-12).fit(X, y).coef_,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lower": 0.5}, "lower must be <= 0, for 0 lies within the bounds; column 0 has 0.5"),
        ({"upper": [1.0, -1.0, 1.0]}, "upper must be >= 0, for 0 lies within the bounds; column 1 has -1.0"),
        ({"lower": [0.0, 0.0]}, r"lower must have shape \(3,\)"),
        ({"upper": np.nan}, "upper must hold numbers, finite or infinite"),
        ({"positive": True, "lower": -1.0}, "positive=True is lower=0"),
        ({"positive": 1}, "positive must be True or False"),
        ({"penalty_factor": [np.inf] * 3}, "penalty_factor must hold a finite number"),
        ({"penalty": Box(L2(1.0), 0.0), "upper": 1.0}, "penalty already has bounds"),
    ],
)
def test_bounds_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        path(np.eye(3), [1.0, 2.0, 3.0], **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cross_validate_l1_ratio", {}),
        ("sample_splitting", {}),
        ("stability_selection", {"bound": 1, "threshold": 0.75}),
        ("evidence", {}),
    ],
)
def test_what_knows_no_bounds_refuses_excluded_columns(name, options):
    X, y = data(Squared(), 11, 60, 8)
    with pytest.raises(ArgumentError, match=r"no excluded columns|penalty_factor"):
        getattr(selection, name)(X, y, penalty_factor=[np.inf, *[1.0] * 7], **options)


def test_what_reads_a_path_refuses_one_with_bounds():
    X, y = data(Squared(), 12, 60, 8)
    fitted = path(X, y, n_alphas=5, positive=True)
    for reader in (selection.relaxed, selection.degrees_of_freedom, selection.information_criteria):
        with pytest.raises(ArgumentError, match="bounds"):
            reader(fitted)


def test_scores_repeats_and_nested_folds_take_bounds():
    X, y = data(Squared(), 13, 60, 8)
    options = {"n_alphas": 6, "penalty": Box(L1(1.0), 0.0), "cv": 3}
    mae = cross_validate(X, y, score="mae", **options)
    assert (mae.path.coefs.data > 0).all()
    assert mae.scores.shape == (6, 3)
    again = selection.repeated_cv(X, y, repeats=2, **options)
    assert (again.path.coefs.data > 0).all()
    nested = selection.nested_cv(X, y, **options)
    assert nested.whole.path.coefs.data.min() > 0


def test_hazards_take_bounds():
    rng = np.random.default_rng(14)
    X = rng.normal(size=(60, 10))
    y = np.column_stack([rng.exponential(np.exp(-X[:, 0] + 0.5 * X[:, 1])), rng.random(60) < 0.7])
    for bound in ({"positive": True}, {"lower": -0.1, "upper": 0.2}):
        fitted = path(X, y, loss="cox", fit_intercept=False, n_alphas=8, **bound)
        coefs = fitted.coefs.toarray()
        assert coefs.min() == bound.get("lower", 0.0)
        assert coefs.max() == bound.get("upper", coefs.max()) > 0
        assert recomputed(fitted).max() <= 1.01e-6


@every_loss
def test_columns_of_any_unit_have_the_ridge_of_standardized_ones_in_bounds(loss):
    X, y = data(loss, 6)
    units = 10.0 ** np.random.default_rng(2).uniform(-6, 6, X.shape[1])
    lower, upper = bounds(X.shape[1], 1)
    options = {"loss": loss, "l1_ratio": 0.0, "n_alphas": 6, "standardize": True}
    known = path(X, y, lower=lower, upper=upper, **options)
    found = path(X * units, y, lower=lower / units, upper=upper / units, alphas=known.alphas, **options)
    assert recomputed(found).max() <= 1e-6
    coefs = np.clip(found.coefs.toarray().T * units, lower, upper).T
    gaps = known.problem.gaps(coefs, found.intercepts, known.alphas)
    assert known.problem.relative(gaps).max() <= 2e-6


@pytest.mark.parametrize("loss", [Squared(), Huber(1.0)], ids=lambda loss: loss.name)
def test_a_tiny_column_that_one_bound_holds_is_not_taken_for_settled(loss):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 2)) * [1e8, 1e-8]
    y = 1e8 * X[:, 1] + 0.1 * rng.normal(size=60)
    penalty = Box(L1L2(1e10, 0.0, np.array([1.0, 0.0])), 0.0, np.inf)
    problem = Problem(as_design(X), y, loss, penalty, fit_intercept=False)
    at_its_bound, better = np.zeros(2), np.array([0.0, 1e8])
    excess = problem.objective(at_its_bound, 0.0) - problem.objective(better, 0.0)
    assert excess > 0.1
    assert problem.gap(at_its_bound, 0.0) >= excess


@pytest.mark.parametrize("name", ["poisson", "squared", "huber", "gamma"])
@pytest.mark.parametrize("seed", range(4))
def test_more_free_columns_with_one_bound_than_rows_have_finite_gaps(name, seed):
    rng = np.random.default_rng(seed)
    X, factors = rng.normal(size=(5, 30)), np.r_[np.zeros(15), np.ones(15)]
    y = rng.poisson(3.0, size=5) + 1.0
    loss = Huber(1.0) if name == "huber" else name
    fitted = path(X, y, loss, penalty_factor=factors, lower=-0.1, n_alphas=6, l1_ratio=0.5)
    assert recomputed(fitted).max() <= 1e-6
    alpha = float(fitted.alphas[-1])
    problem = fitted.problem.with_penalty(fitted.problem.penalty.with_alpha(alpha))
    for w in (np.zeros(30), np.full(30, 0.1), fitted.coefs[:, [-1]].toarray()[:, 0]):
        excess = problem.objective(w, 0.5) - problem.objective(fitted.coef(alpha), fitted.intercept(alpha))
        assert excess - 1e-12 <= problem.gap(w, 0.5) < np.inf


def test_the_advice_against_an_infinite_gap_is_none_that_cannot_help():
    assert "standardize" in gap_advice(1e-3)
    assert "tol," not in gap_advice(np.inf)
    assert "standardize" not in gap_advice(np.inf)
