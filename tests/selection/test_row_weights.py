"""Weights where noise is measured: counts of rows or precisions, and no false findings from the size of precisions."""

import numpy as np
import pytest

from shrinkage import ArgumentError, DataError, path
from shrinkage.selection import debiased_lasso, evidence, information_criteria, sample_splitting
from shrinkage.selection._refit import t_test

SPLITS = {"q": 3, "n_splits": 6}


def noise(seed, deviation=0.2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 20))
    deviations = deviation * rng.uniform(0.7, 1.4, 60)
    return X, deviations * rng.normal(size=60), deviations**-2.0


def splitting(X, y, **options):
    return sample_splitting(X, y, **SPLITS, **options).split_p_values


def debiased(X, y, **options):
    return debiased_lasso(X, y, features=[0, 1, 2], **options).p_values


def criteria(X, y, **options):
    weights = options.pop("weights", None)
    return information_criteria(path(X, y, alphas=[0.01], standardize=True, **options), weights=weights).bic


def marginal(X, y, **options):
    return np.array([evidence(X, y, **options).log_evidence])


@pytest.mark.parametrize("find", [splitting, debiased, criteria, marginal])
def test_precisions_say_the_same_in_any_unit_and_counts_do_not(find):
    X, y, precisions = noise(0)
    found = find(X, y, sample_weight=precisions)
    np.testing.assert_allclose(find(X, y, sample_weight=precisions / 37.5), found, rtol=1e-5)
    np.testing.assert_allclose(find(X, y, sample_weight=precisions, weights="precisions"), found)
    whole = np.arange(60) % 2 + 1.0
    counted = find(X, y, sample_weight=whole)
    np.testing.assert_allclose(find(X, y, sample_weight=whole, weights="counts"), counted)
    assert not np.allclose(find(X, y, sample_weight=whole, weights="precisions"), counted)
    same = find(X, y, sample_weight=np.full(60, 7.0), weights="precisions")
    np.testing.assert_allclose(same, find(X, y), rtol=1e-5)


def test_a_t_test_with_precisions_is_that_of_rows_divided_by_their_deviations():
    X, y, precisions = noise(1)
    root = np.sqrt(precisions)
    scaled = t_test(X[:, :4] * root[:, None], root[:, None], y * root, np.ones(60))
    np.testing.assert_allclose(t_test(X[:, :4], np.ones((60, 1)), y, precisions, 60), scaled, rtol=1e-9)


def test_known_precisions_of_pure_noise_find_nothing():
    findings, shares = [], []
    for seed in range(8):
        X, y, precisions = noise(seed)
        findings.append(len(sample_splitting(X, y, sample_weight=precisions, **SPLITS).significant))
        shares.append((debiased_lasso(X, y, sample_weight=precisions).p_values < 0.05).mean())
    assert sum(findings) == 0
    assert np.mean(shares) < 0.15


def test_rows_of_precisions_are_counted_by_number():
    X, y, precisions = noise(2)
    weights = np.where(np.arange(60) < 5, 0.0, precisions)
    found = debiased_lasso(X, y, features=[0], sample_weight=weights)
    assert (found.n_samples, found.weights) == (pytest.approx(55), "precisions")
    assert "inverse noise variances" in str(found)
    split = sample_splitting(X, y, sample_weight=weights, **SPLITS)
    assert split.weights == "precisions"
    assert "inverse noise variances" in str(split)
    with pytest.raises(DataError, match="at least 20 rows"):  # many counts, but 15 rows
        debiased_lasso(X, y, sample_weight=np.where(np.arange(60) < 45, 0.0, precisions))


def test_precisions_are_refused_where_the_variance_is_said_otherwise():
    X, y, precisions = noise(3)
    for find in (debiased, splitting):
        with pytest.raises(ArgumentError, match="whole numbers with loss='logistic'"):
            find(X, y > 0, loss="logistic", sample_weight=precisions)
        with pytest.raises(ArgumentError, match="needs loss='squared'"):
            find(X, y > 0, loss="logistic", sample_weight=np.full(60, 2.0), weights="precisions")
    with pytest.raises(ArgumentError, match="must be 'counts' or None"):
        debiased(X, y, robust=True, sample_weight=np.full(60, 2.0), weights="precisions")
    for find in (debiased, splitting, criteria, marginal):
        with pytest.raises(ArgumentError, match="weights must be one of 'counts', 'precisions'"):
            find(X, y, weights="rows")
