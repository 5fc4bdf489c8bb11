"""Paths of subsamples: by shared moments and on their own rows they are those of a problem of these rows alone."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage._path import path, state
from shrinkage.solvers import _subsamples, first_strengths, samples_at_once, solve_subsamples


def halves(n, count, seed=0):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.permutation(n)[: n // 2]) for _ in range(count)]


def problem(p=30, loss="squared", standardize=False, weights=None, factors=None, as_sparse=False, l1_ratio=1.0):
    rng = np.random.default_rng(p)
    X = rng.normal(size=(60, p)) * np.geomspace(0.5, 2, p) * (rng.random((60, p)) < 0.7)
    y = X[:, 0] - X[:, 1] + rng.normal(size=60)
    y = (y > 0).astype(float) if loss == "logistic" else y
    data = sparse.csc_array(X) if as_sparse else X
    return X, y, state(data, y, loss, l1_ratio, True, standardize, weights, None, factors, None)[0]


def whole_paths(problem, samples, grid, standardize=False, tol=1e-10):
    p = problem.design.shape[1]
    coefs = np.full((len(samples), p, len(grid)), np.nan)

    def watch(k, start, features, block):
        coefs[k, :, start : start + block.shape[1]] = 0.0
        coefs[k, features, start : start + block.shape[1]] = block
        return False

    return coefs, solve_subsamples(problem, samples, grid, standardize, tol, watch)


WEIGHTS = np.random.default_rng(1).integers(0, 3, 60).astype(float)
FACTORS = np.r_[0.0, 2.0, np.ones(28)]
CASES = {
    "plain": {},
    "standardized": {"standardize": True},
    "weights": {"weights": WEIGHTS},
    "a free column": {"factors": FACTORS},
    "elastic net": {"l1_ratio": 0.5},
    "sparse": {"as_sparse": True, "weights": WEIGHTS},
    "logistic": {"loss": "logistic", "standardize": True},
}


@pytest.mark.parametrize("moments", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_every_subsample_walks_the_path_of_its_rows(monkeypatch, name, moments):
    case = CASES[name]
    if not moments:
        monkeypatch.setattr(_subsamples, "FEW", 0)
    X, y, stated = problem(**case)
    samples, grid = halves(60, 5), np.geomspace(0.5, 0.02, 12)
    coefs, gaps = whole_paths(stated, samples, grid, case.get("standardize", False))
    penalized = np.ones(30, bool) if "factors" not in case else FACTORS > 0
    for k, rows in enumerate(samples):
        alone = path(
            X[rows], y[rows], alphas=grid, loss=case.get("loss", "squared"), l1_ratio=case.get("l1_ratio", 1.0),
            standardize=case.get("standardize", False), penalty_factor=case.get("factors"), tol=1e-12,
            sample_weight=WEIGHTS[rows] if "weights" in case else None,
        )  # fmt: skip
        np.testing.assert_allclose(coefs[k][penalized], alone.coefs.toarray()[penalized], atol=2e-5)
        assert len(gaps[k]) == len(grid)
        assert gaps[k].max() <= 1e-10


@pytest.mark.parametrize("name", CASES)
def test_the_first_strengths_are_those_of_the_rows_alone(name):
    case = CASES[name]
    X, y, stated = problem(**case)
    samples = halves(60, 4)
    first = first_strengths(stated, samples, case.get("standardize", False))
    for k, rows in enumerate(samples):
        part = state(
            X[rows], y[rows], case.get("loss", "squared"), case.get("l1_ratio", 1.0), True,
            case.get("standardize", False), WEIGHTS[rows] if "weights" in case else None, None, case.get("factors"),
            None,
        )[0]  # fmt: skip
        assert first[k] == pytest.approx(part.alpha_max / case.get("l1_ratio", 1.0) * part.penalty.l1_ratio, rel=1e-9)


@pytest.mark.parametrize("few", [100, 0])
def test_no_more_strengths_are_solved_once_enough_was_seen(monkeypatch, few):
    monkeypatch.setattr(_subsamples, "FEW", few)
    _, _, stated = problem()
    grid = np.geomspace(1.0, 1e-3, 100)
    seen = [0] * 4

    def watch(k, start, features, coefs):
        seen[k] = start + coefs.shape[1]
        return bool(np.count_nonzero((coefs != 0).any(axis=1)) >= 2)

    gaps = solve_subsamples(stated, halves(60, 4), grid, False, 1e-6, watch)
    assert [len(g) for g in gaps] == seen
    assert max(seen) < 60


def test_few_features_share_passes_and_others_come_in_pairs():
    assert samples_at_once(problem(p=30)[2]) > 2
    assert samples_at_once(problem(p=30, loss="logistic")[2]) == 2
    assert samples_at_once(problem(p=30, as_sparse=True)[2]) == 2
    assert samples_at_once(problem(p=101)[2]) == 2
