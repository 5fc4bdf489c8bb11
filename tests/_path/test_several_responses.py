"""Several responses in `path`, `cross_validate` and the cross-validated estimator: one record for all."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import ArgumentError, MultiTaskElasticNet, MultiTaskElasticNetCV, cross_validate, path

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 7))
Y = X[:, :3] @ RNG.normal(size=(3, 2)) + RNG.normal(size=(60, 2))
WEIGHTS, OFFSET = RNG.integers(1, 4, 60).astype(float), 0.5 * RNG.normal(size=(60, 2))
STATED = {"l1_ratio": 0.7, "standardize": True, "penalty_factor": [1.0, np.inf, 0.5, 0.0, 1.0, 1.0, 2.0]}


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array, lambda x: x.astype(np.float32)])
@pytest.mark.parametrize("bound", [{}, {"positive": True}, {"lower": -0.2, "upper": 0.3}])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_path_is_the_estimator_at_each_strength(storage, bound, fit_intercept):
    options = {**STATED, **bound, "fit_intercept": fit_intercept, "tol": 1e-10}
    fitted = path(storage(X), Y, n_alphas=4, alpha_min_ratio=0.05, sample_weight=WEIGHTS, offset=OFFSET, **options)
    assert fitted.n_outputs == 2
    assert fitted.relative_gaps.max() <= 1e-10
    for t, alpha in enumerate(fitted.alphas):
        model = MultiTaskElasticNet(alpha, **options).fit(storage(X), Y, WEIGHTS, OFFSET)
        np.testing.assert_allclose(fitted.coef(alpha), model.coef_, atol=1e-5)
        np.testing.assert_allclose(fitted.intercepts[:, t], model.intercept_, atol=1e-5)
        assert fitted.gaps[t] == pytest.approx(model.dual_gap_, abs=1e-9)
    if not bound:  # a free column moves within its bounds, and others with it
        assert not fitted.coef(fitted.alphas[0])[:, [0, 2, 4, 5, 6]].any()
    predicted = fitted.predict(X, alpha, OFFSET)
    np.testing.assert_allclose(predicted, X @ model.coef_.T + model.intercept_ + OFFSET, atol=1e-4)
    np.testing.assert_allclose(predicted, model.predict(X, OFFSET), atol=1e-4)


def test_an_offset_is_a_part_of_the_responses_that_is_known():
    known = MultiTaskElasticNet(0.1).fit(X, Y, offset=OFFSET)
    np.testing.assert_allclose(known.coef_, MultiTaskElasticNet(0.1).fit(X, Y - OFFSET).coef_, atol=1e-6)
    with pytest.raises(ArgumentError, match=r"offset must have shape \(60, 2\)"):
        known.fit(X, Y, offset=OFFSET[:, 0])


def test_folds_are_paths_on_their_training_rows_and_the_estimator_stores_all():
    rows = np.arange(60)
    folds = [(rows[rows % 3 != k], rows[rows % 3 == k]) for k in range(3)]
    options = {"n_alphas": 5, "alpha_min_ratio": 0.05, **STATED}
    cv = cross_validate(X, Y, cv=folds, sample_weight=WEIGHTS, offset=OFFSET, **options)
    for k, (train, test) in enumerate(folds):
        alone = path(X[train], Y[train], alphas=cv.alphas, sample_weight=WEIGHTS[train], offset=OFFSET[train], **STATED)
        for t, alpha in enumerate(cv.alphas):
            errors = ((Y[test] - alone.predict(X[test], alpha, OFFSET[test])) ** 2).mean(axis=1)
            assert cv.scores[t, k] == pytest.approx(np.average(errors, weights=WEIGHTS[test]), rel=1e-4)
    np.testing.assert_allclose(cv.fold_weights, [WEIGHTS[test].sum() for _, test in folds])
    model = MultiTaskElasticNetCV(cv=folds, **options).fit(X, Y, WEIGHTS, OFFSET)
    np.testing.assert_array_equal(model.cv_.scores, cv.scores)
    assert model.alpha_ == cv.alpha_min
    assert model.l1_ratio_ == 0.7
    np.testing.assert_array_equal(model.coef_, model.path_.coef(model.alpha_))
    np.testing.assert_array_equal(model.intercept_, model.path_.intercept(model.alpha_))
    one = MultiTaskElasticNetCV(cv=folds, **options).fit(X, Y[:, :1])
    assert one.coef_.shape == (1, 7)
    assert one.intercept_.shape == (1,)
    assert one.predict(X).shape == (60, 1)
    several = MultiTaskElasticNetCV(cv=folds, n_alphas=5, l1_ratio=[0.2, 1.0]).fit(X, Y)
    assert several.l1_ratio_ in (0.2, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1_ratio": 0.0}, "l1_ratio must be > 0 for a path of several responses"),
        ({"stop": "auto"}, "stop must be None for several responses"),
        ({"penalty": object()}, "several responses take l1_ratio and penalty_factor"),
        ({"loss": "poisson"}, "several responses take loss='squared'"),
        ({"offset": np.zeros(60)}, r"offset must have shape \(60, 2\)"),
    ],
)
def test_what_several_responses_do_not_take_is_said(options, message):
    with pytest.raises(ArgumentError, match=message):
        path(X, np.abs(Y), **options)
