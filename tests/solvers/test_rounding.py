"""What rounding leaves: exact zeros at the largest strength all the same, and gaps that own up to it."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import MCP, GroupL2, SortedL1, path
from shrinkage.design import as_design
from shrinkage.losses import Huber, Logistic
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem
from shrinkage.solvers import Status, _sparse_fits, solve

pytestmark = pytest.mark.filterwarnings("ignore::shrinkage._errors.ConvergenceWarning")
FAR = 1e4  # where columns have their means, in units of their spread


def classes(seed, n=90, p=60):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = (X[:, :4].sum(axis=1) + rng.standard_normal(n) > 0).astype(float)
    return X + FAR, y, rng


KINDS = {
    "plain": lambda X, y, rng: (X, {}),
    "sparse": lambda X, y, rng: (sparse.csc_array(X), {"l1_ratio": 0.5, "standardize": True}),
    "no intercept": lambda X, y, rng: (X, {"fit_intercept": False, "sample_weight": rng.integers(1, 3, len(y))}),
    "offset": lambda X, y, rng: (X, {"offset": 3 * rng.standard_normal(len(y))}),
    "a free column": lambda X, y, rng: (X, {"penalty_factor": np.r_[0.0, np.ones(X.shape[1] - 1)]}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tol", [1e-12, 1e-13])
def test_no_gap_is_below_that_of_the_raw_answer(kind, tol):
    most = 0.0
    for seed in range(4):
        X, y, rng = classes(seed)
        X, keywords = KINDS[kind](X, y, rng)
        fit = path(X, y, loss="logistic", tol=tol, n_alphas=15, alpha_min_ratio=0.01, **keywords)
        problem = fit.problem
        assert problem is not None
        measured = problem.gaps(fit.coefs, fit.intercepts, fit.alphas)
        assert (fit.gaps >= measured).all()
        relative = fit.gaps / problem.null.objective
        assert [s is Status.CONVERGED for s in fit.status] == (relative <= tol).tolist()
        most = max(most, relative.max())
    assert most < 1e-10


def test_one_strength_tells_the_gap_of_the_raw_answer_too():
    X, y, _ = classes(0)
    problem = Problem(as_design(X), y, Logistic(), L1L2(0.01, 1.0))
    found = solve(problem, tol=1e-13)
    assert found.gap >= problem.gap(found.coef, found.intercept)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_chosen_at_the_largest_strength_whatever_the_means(kind):
    for seed in range(6):
        X, y, rng = classes(seed)
        X, keywords = KINDS[kind](X, y, rng)
        fit = path(X, y, loss="logistic", tol=1e-13, n_alphas=4, alpha_min_ratio=0.3, **keywords)
        factors = keywords.get("penalty_factor", np.ones(X.shape[1]))
        assert not fit.coefs.toarray()[factors > 0, 0].any(), seed
        assert fit.n_nonzero[1] > 0
        assert fit.relative_gaps[0] < 1e-11


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_descent_on_residuals_chooses_nothing_at_the_largest_strength(l1_ratio, monkeypatch):
    monkeypatch.setattr(_sparse_fits, "descent_pays", lambda *sizes: True)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, p = int(rng.integers(10, 120)), int(rng.integers(5, 200))
        X = sparse.random_array((n, p), density=0.3, rng=rng, data_sampler=rng.standard_normal).tocsc()
        y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.2)) + rng.standard_normal(n)
        fit = path(X, y, l1_ratio=l1_ratio, n_alphas=6, alpha_min_ratio=0.1, tol=1e-9)
        assert not fit.coefs[:, [0]].toarray().any(), seed
        assert fit.relative_gaps.max() <= 1e-9


PENALTIES = {
    "lasso": {},
    "elastic net": {"l1_ratio": 0.5},
    "positive": {"positive": True},
    "groups": {"penalty": GroupL2(1.0, groups=[[0, 1], [2]])},
    "concave": {"penalty": MCP(1.0)},
    "sorted": {"penalty": SortedL1(1.0, np.ones(3))},
}
IN_CLASSES = {"logistic": 2, "multinomial": 3, "multinomial_grouped": 3}


@pytest.mark.parametrize("stored", [np.float64, np.float32, "csc"])
@pytest.mark.parametrize(
    ("loss", "penalty"),
    [(loss, name) for loss in ("squared", "logistic", "poisson", Huber(1.0)) for name in PENALTIES]
    + [
        (loss, name) for loss in ("multinomial", "multinomial_grouped") for name in ("lasso", "elastic net", "positive")
    ],
)
def test_columns_that_the_free_ones_explain_leave_one_strength_and_no_coefficient(loss, penalty, stored):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = np.tile(rng.normal(size=3) * 10.0 ** rng.uniform(-5, 5, 3), (27, 1))
        y = rng.permutation(27) % IN_CLASSES.get(str(loss), 9)
        options = dict(PENALTIES[penalty])
        if not {"penalty", "positive"} & set(options) and stored != "csc":
            X[:, 0] = rng.normal(size=27)
            X[:, 1:] = np.outer(X[:, 0], [2.0, -4.0])
            options["penalty_factor"] = [0.0, 1.0, 1.0]
        X = sparse.csc_array(X) if stored == "csc" else X.astype(stored)
        fit = path(X, y, loss, sample_weight=rng.random(27) + 0.1, standardize=seed % 2 == 1, **options)
        assert fit.alphas.tolist() == [0.0]
        held = fit.coefs.toarray().reshape(-1, 3, 1)[:, 1 if "penalty_factor" in options else 0 :]
        assert not held.any()
        assert set(fit.status) <= {Status.CONVERGED, Status.STATIONARY}
