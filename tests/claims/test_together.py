"""Claim 6 holds, and its check sees each way in which it could fail."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from shrinkage import L1L2, cross_validate, path
from shrinkage.claims import ClaimBroken, _together
from shrinkage.claims._together import CLAIM, RATIO
from shrinkage.datasets import load_diabetes


@pytest.fixture(scope="module")
def record(quick):
    return quick(CLAIM)


def recopied(record):
    """The record with the copies measured again, by whatever stands in the library's place."""
    return replace(record, copies=_together.measure_copies(5))


def rekept(record):
    kept = tuple(_together.measure_kept(row.correlation, row.l1_ratio, 5) for row in record.kept)
    return replace(record, kept=kept)


def with_coefs(fitted, coefs):
    return replace(fitted, coefs=sparse.csc_array(coefs))


def test_the_claim_holds(record):
    CLAIM.check(record)
    assert 3 <= len(CLAIM.lines(record)) <= 8


def test_the_bound_is_the_one_of_zou_and_hastie():
    # Their theorem 1, in their units: ‖y - Xβ‖² + λ2‖β‖² + λ1‖β‖₁ with columns of length 1.
    data = load_diabetes()
    X, y = _together.standardized(data.X), data.y - data.y.mean()
    fitted = path(X, y, l1_ratio=RATIO, n_alphas=10, tol=1e-12)
    unit, beta = X / np.sqrt(len(y)), np.sqrt(len(y)) * fitted.coefs.toarray()
    r = unit.T @ unit
    for k, alpha in enumerate(fitted.alphas):
        lambda_2 = alpha * (1 - RATIO)
        residual = y - unit @ beta[:, k]
        for i in range(10):
            g = unit[:, i] @ residual - alpha * RATIO * np.sqrt(len(y)) * np.sign(beta[i, k])
            assert beta[i, k] == 0 or abs(g - lambda_2 * beta[i, k]) < 1e-6 * np.linalg.norm(y)
            for j in range(i):
                apart = abs(beta[i, k] - beta[j, k]) / np.linalg.norm(y)
                assert apart <= np.sqrt(2 * (1 - r[i, j])) / lambda_2 + 1e-9


def test_an_elastic_net_without_squares_gives_copies_unequal_weights(record, monkeypatch):
    monkeypatch.setattr(_together, "path", lambda X, y, l1_ratio, **options: path(X, y, l1_ratio=1.0, **options))
    with pytest.raises(ClaimBroken, match="copies differ"):
        CLAIM.check(recopied(record))


def test_a_penalty_that_goes_by_place_has_no_one_answer(record, monkeypatch):
    def by_place(X, y, l1_ratio, **options):
        factors = 1 + np.arange(X.shape[1]) / 10
        factors[-1] = factors[_together.BMI]
        return path(X, y, l1_ratio=l1_ratio, penalty_factor=factors, **options)

    monkeypatch.setattr(_together, "path", by_place)
    with pytest.raises(ClaimBroken, match="elastic net changed"):
        CLAIM.check(recopied(record))


@pytest.mark.parametrize(("factor", "said"), [(0.0, "raised the objective"), (0.5, "cost the lasso")])
def test_an_objective_with_other_squares_is_noticed(record, monkeypatch, factor, said):
    changed = (lambda alpha, rho: L1L2(alpha, 1.0)) if factor == 0 else (lambda alpha, rho: L1L2(alpha, factor * rho))
    monkeypatch.setattr(_together, "L1L2", changed)
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(recopied(record))


def test_a_lasso_with_squares_has_one_answer(record, monkeypatch):
    monkeypatch.setattr(
        _together, "path", lambda X, y, l1_ratio, **options: path(X, y, l1_ratio=min(l1_ratio, 0.999), **options)
    )
    with pytest.raises(ClaimBroken, match="order of copies"):
        CLAIM.check(recopied(record))


def test_a_lasso_that_keeps_both_copies_is_noticed(record, monkeypatch):
    def split(X, y, l1_ratio, **options):
        fitted = path(X, y, l1_ratio=l1_ratio, **options)
        if l1_ratio < 1:
            return fitted
        coefs = fitted.coefs.toarray()
        twins = np.flatnonzero([(column[:, None] == X).all(0).sum() > 1 for column in X.T])
        coefs[twins] = np.outer([0.7, 0.3], coefs[twins].sum(axis=0))
        return with_coefs(fitted, coefs)

    monkeypatch.setattr(_together, "path", split)
    with pytest.raises(ClaimBroken, match="kept both copies"):
        CLAIM.check(recopied(record))


def test_a_path_at_a_strength_other_than_stated_breaks_the_bound(record, monkeypatch):
    def weaker(X, y, l1_ratio, n_alphas, **options):
        fitted = path(X, y, l1_ratio=l1_ratio, n_alphas=n_alphas, **options)
        return replace(fitted, alphas=10 * fitted.alphas)

    monkeypatch.setattr(_together, "path", weaker)
    data = load_diabetes()
    bounds = (_together.measure_bounds("diabetes", data.X, data.y, "squared", 20), *record.bounds[1:])
    with pytest.raises(ClaimBroken, match="of its bound"):
        CLAIM.check(replace(record, bounds=bounds))


@pytest.mark.parametrize(("ratio", "said"), [(1.0, "kept both of"), (RATIO, "picked one of")])
def test_the_same_method_twice_shows_no_difference(record, monkeypatch, ratio, said):
    monkeypatch.setattr(_together, "cross_validate", lambda X, y, l1_ratio: cross_validate(X, y, l1_ratio=ratio))
    with pytest.raises(ClaimBroken, match=said):
        CLAIM.check(rekept(record))


def test_an_elastic_net_that_halves_pairs_is_noticed(record, monkeypatch):
    def halving(X, y, l1_ratio):
        cv = cross_validate(X, y, l1_ratio=l1_ratio)
        coefs = cv.path.coefs.toarray()
        if l1_ratio < 1:
            coefs[7::2] = 0.0
        return replace(cv, path=with_coefs(cv.path, coefs))

    monkeypatch.setattr(_together, "cross_validate", halving)
    with pytest.raises(ClaimBroken, match="noise pairs halved"):
        CLAIM.check(rekept(record))


def test_a_bound_of_zou_and_hastie_that_a_pair_exceeds_is_noticed(record):
    over = replace(record.bounds[0], zou_hastie=5.0)
    with pytest.raises(ClaimBroken, match=r"5\.0000 of Zou and Hastie's"):
        CLAIM.check(replace(record, bounds=(over, *record.bounds[1:])))


def test_gaps_that_leave_room_for_another_answer_are_noticed(record):
    with pytest.raises(ClaimBroken, match="gaps leave the minimizer"):
        CLAIM.check(replace(record, copies=replace(record.copies, gap_radius=1.0)))
