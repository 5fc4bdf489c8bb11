"""Group lasso in systems as large as the rows: the answers of the Gram matrix, also where those systems give up."""

import numpy as np
import pytest

from shrinkage import path
from shrinkage.penalties import GroupL2
from shrinkage.solvers import _group_fits
from shrinkage.solvers._group_rows import RowGroups, _shares
from shrinkage.solvers._row_model import RowModel

KINDS = {
    "tens": {"sizes": [10]},
    "unequal": {"sizes": [1, 2, 7, 15]},
    "alike": {"sizes": [4], "shared": 3.0},
    "group-weights": {"sizes": [5], "omega": True},
    "few-strengths": {"sizes": [10], "n_alphas": 3},
    "singles": {"sizes": [1]},
}
MAY_GIVE_UP = ("few-strengths", "singles")  # at a tolerance of 1e-9


def wide(sizes, shared=0.5, omega=False, n=72, p=400, n_alphas=25):
    """Columns that share a part, in groups of sizes that take turns."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) + shared * rng.normal(size=(n, 1))
    w = np.where(rng.random(p) < 0.1, rng.normal(size=p), 0.0)
    ends = np.cumsum(np.tile(sizes, p))
    groups = [list(range(a, min(b, p))) for a, b in zip([0, *ends], ends, strict=False) if a < p]
    weights = rng.uniform(0.5, 2.0, len(groups)) if omega else "sqrt"
    penalty = GroupL2(1.0, groups, weights=weights)
    return X, X @ w + rng.normal(size=n), {"penalty": penalty, "n_alphas": n_alphas, "alpha_min_ratio": 0.02}


@pytest.fixture
def never(monkeypatch):
    """Call to have the Gram matrix used throughout."""
    return lambda: monkeypatch.setattr(_group_fits, "WIDE", np.inf)


def fallbacks(monkeypatch):
    """Counts strengths that are left to the Gram matrix."""
    left, solve = [], RowGroups.solve

    def counted(self, X, starts, lam, alphas, *rest):
        done = solve(self, X, starts, lam, alphas, *rest)
        left.append(done < len(alphas))
        return done

    monkeypatch.setattr(RowGroups, "solve", counted)
    return left


@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_gram_matrix_give_the_same_path(kind, never, monkeypatch):
    X, y, options = wide(**KINDS[kind])
    left = fallbacks(monkeypatch)
    rows = path(X, y, tol=1e-9, **options)
    assert len(left) > 0
    assert kind in MAY_GIVE_UP or not any(left)
    calls = len(left)
    never()
    gram = path(X, y, tol=1e-9, **options)
    assert len(left) == calls
    assert max(rows.relative_gaps.max(), gram.relative_gaps.max()) <= 1e-9
    values = [
        [
            found.problem.with_penalty(options["penalty"].with_alpha(alpha)).objective(
                found.coefs[:, [t]].toarray()[:, 0], found.intercepts[t]
            )
            for t, alpha in enumerate(found.alphas)
        ]
        for found in (rows, gram)
    ]
    assert np.abs(np.subtract(*values)).max() <= 1e-9 * rows.null_objective
    eta = [X @ found.coefs.toarray() + found.intercepts for found in (rows, gram)]
    assert np.abs(eta[0] - eta[1]).max() <= 1e-3 * np.abs(y).max()


@pytest.mark.parametrize("which", ["always", "at-times"])
def test_what_does_not_end_is_left_to_the_gram_matrix(which, monkeypatch):
    X, y, options = wide([10])
    calls, step = [0], RowModel.step

    def failing(self, *args):
        calls[0] += 1
        return None if which == "always" or calls[0] % 40 > 20 else step(self, *args)

    left = fallbacks(monkeypatch)
    monkeypatch.setattr(RowModel, "step", failing)
    found = path(X, y, **options)
    assert any(left)
    assert found.relative_gaps.max() <= 1e-6


def test_columns_of_zeros_and_copies_of_columns_end():
    X, y, options = wide([10])
    X[:, :10], X[:, 20:30] = 0.0, X[:, 40:50]
    found = path(X, y, **options)
    assert found.relative_gaps.max() <= 1e-6
    assert not found.coefs[:10].nnz


def test_predictions_are_exact_for_the_polynomials_they_assume():
    at = np.array([3.0, 2.5, 2.2])
    shares = _shares(at, 2.0)
    assert np.isclose(shares @ (at**2 - at), 2.0)
    near = _shares(np.array([3.0, 2.5, 2.5 - 1e-9]), 2.0)  # two points together say nothing of a slope
    assert np.abs(near).sum() <= 8
