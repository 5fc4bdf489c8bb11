"""Relaxed fits: refits without penalty on active sets, blends, honest folds, and answers where no refit is unique."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import LogisticRegression as SklearnLogistic

from shrinkage import ArgumentError, DataError, cross_validate, path
from shrinkage.losses import Logistic
from shrinkage.selection import RefitStatus, Relaxed, relaxed


def problem(seed=0, n=80, p=20, classes=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) @ (np.eye(p) + 0.3 * rng.standard_normal((p, p))) + 3.0
    eta = X[:, :4] @ [1.0, -1.0, 0.5, 0.5] + rng.standard_normal(n)
    eta = (eta - eta.mean()) / eta.std()
    y = (rng.random(n) < 1 / (1 + np.exp(-1.5 * eta))).astype(float) if classes else eta + 1.0
    return X, y, rng


def folds_of(n, k):
    return [(np.flatnonzero(np.arange(n) % k != f), np.flatnonzero(np.arange(n) % k == f)) for f in range(k)]


def active(found, t):
    return np.flatnonzero(found.path.coefs[:, [t]].toarray()[:, 0])


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("intercept", [True, False])
def test_refits_are_least_squares_on_the_active_columns_with_weights_and_offset(l1_ratio, intercept):
    X, y, rng = problem()
    weights, offset = rng.integers(0, 4, len(y)) * 0.5, rng.standard_normal(len(y))
    walked = path(
        X,
        y,
        l1_ratio=l1_ratio,
        n_alphas=15,
        fit_intercept=intercept,
        standardize=True,
        sample_weight=weights,
        offset=offset,
    )
    found = relaxed(walked)
    for t in range(1, 15):
        columns = active(found, t)
        theirs = LinearRegression(fit_intercept=intercept).fit(X[:, columns], y - offset, sample_weight=weights)
        np.testing.assert_allclose(found.refits[:, [t]].toarray()[columns, 0], theirs.coef_, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(found.refit_intercepts[t], theirs.intercept_, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
def test_logistic_refits_have_no_gradient_left_and_agree_with_scikit_learn(intercept):
    X, y, rng = problem(1, 150, 12, classes=True)
    weights, offset = rng.uniform(0.5, 2.0, len(y)), 0.5 * rng.standard_normal(len(y))
    found = relaxed(
        path(X, y, loss="logistic", n_alphas=12, fit_intercept=intercept, sample_weight=weights, offset=offset)
    )
    for t in range(1, 12):
        assert found.status[t] is RefitStatus.UNIQUE
        columns = active(found, t)
        eta = X @ found.refits[:, [t]].toarray()[:, 0] + found.refit_intercepts[t] + offset
        slope = weights * Logistic().gradient(y, eta) / weights.sum()
        assert np.abs(X[:, columns].T @ slope).max() < 1e-10
        assert not intercept or abs(slope.sum()) < 1e-10
    plain = relaxed(path(X, y, loss="logistic", n_alphas=12, fit_intercept=intercept, sample_weight=weights))
    columns = active(plain, 6)
    theirs = SklearnLogistic(C=np.inf, fit_intercept=intercept, tol=1e-12, solver="newton-cholesky", max_iter=500)
    theirs.fit(X[:, columns], y, sample_weight=weights)
    np.testing.assert_allclose(plain.refits[:, [6]].toarray()[columns, 0], theirs.coef_[0], rtol=1e-6)


def test_free_columns_are_refitted_at_every_strength_and_so_is_the_intercept_alone():
    X, y, _ = problem()
    factors = np.ones(20)
    factors[[3, 7]] = 0.0
    found = relaxed(path(X, y, n_alphas=10, penalty_factor=factors))
    assert set(found.refits[:, [0]].indices) == {3, 7}
    np.testing.assert_allclose(found.coef(found.path.alphas[0]), found.path.coef(found.path.alphas[0]), atol=1e-8)
    plain = relaxed(path(X, y, n_alphas=10))
    assert plain.refits[:, [0]].nnz == 0
    np.testing.assert_allclose(plain.refit_intercepts[0], y.mean())


def test_refits_do_not_depend_on_the_units_of_columns_or_on_how_x_is_stored():
    X, y, rng = problem()
    X[rng.random(X.shape) < 0.5] = 0.0
    units = 10.0 ** rng.integers(-4, 5, 20)
    plain = relaxed(path(X, y, n_alphas=12, standardize=True))
    scaled = relaxed(path(X * units, y, n_alphas=12, standardize=True))
    stored = relaxed(path(sparse.csc_array(X), y, n_alphas=12, standardize=True))
    np.testing.assert_allclose(scaled.refits.toarray() * units[:, None], plain.refits.toarray(), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(stored.refits.toarray(), plain.refits.toarray(), rtol=1e-8, atol=1e-10)


def test_a_blend_is_linear_between_the_refit_and_the_path():
    X, y, _ = problem()
    found = relaxed(path(X, y, n_alphas=12))
    alpha = 0.6 * found.path.alphas[4] + 0.4 * found.path.alphas[5]
    refit, walked = found.coef(alpha, 0.0), found.path.coef(alpha)
    np.testing.assert_allclose(found.coef(alpha, 0.3), 0.7 * refit + 0.3 * walked, atol=1e-12)
    np.testing.assert_allclose(
        found.predict(X, alpha, 0.3), 0.7 * found.predict(X, alpha, 0.0) + 0.3 * found.path.predict(X, alpha)
    )
    assert found.intercept(alpha, 1.0) == found.path.intercept(alpha)
    rss = [np.sum((y - found.predict(X, found.path.alphas[6], gamma)) ** 2) for gamma in (0.0, 0.5, 1.0)]
    assert rss[0] < rss[1] < rss[2]


@pytest.mark.parametrize("classes", [False, True])
def test_every_fold_finds_its_active_sets_and_refits_them_on_its_training_rows_alone(classes):
    X, y, rng = problem(3, 90, 10, classes=classes)
    options = {
        "loss": "logistic" if classes else "squared",
        "standardize": True,
        "sample_weight": rng.uniform(0.5, 2.0, 90),
        "offset": 0.3 * rng.standard_normal(90),
        "alphas": [0.1, 0.05, 0.02],
        "tol": 1e-10,
    }
    folds, gammas = folds_of(90, 4), [0.0, 0.4, 1.0]
    found = relaxed(path(X, y, **options), gammas, cv=folds, tol=1e-10)
    for k, (train, test) in enumerate(folds):
        parts = {name: options[name][train] for name in ("sample_weight", "offset")}
        alone = relaxed(path(X[train], y[train], **(options | parts)))
        weights = options["sample_weight"][test]
        for g, gamma in enumerate(gammas):
            for t, alpha in enumerate(options["alphas"]):
                eta = X[test] @ alone.coef(alpha, gamma) + alone.intercept(alpha, gamma) + options["offset"][test]
                loss = 2 * Logistic().value(y[test], eta) if classes else (y[test] - eta) ** 2
                np.testing.assert_allclose(
                    found.validations[g].scores[t, k], np.average(loss, weights=weights), rtol=1e-7
                )


def test_at_gamma_one_cross_validation_is_that_of_the_path():
    X, y, _ = problem()
    found = relaxed(path(X, y, n_alphas=20), [1.0], cv=5)
    plain = cross_validate(X, y, cv=5, n_alphas=20)
    np.testing.assert_allclose(found.validations[0].mean, plain.mean, rtol=1e-5)
    assert (found.index_min, found.index_1se) == ((0, plain.index_min), (0, plain.index_1se))
    assert (found.gamma_min, found.gamma_1se) == (1.0, 1.0)


def test_choices_are_the_lowest_mean_and_the_largest_strength_then_gamma_within_its_error():
    X, y, _ = problem(5)
    found = relaxed(path(X, y, n_alphas=20), cv=5)
    means = np.stack([v.mean for v in found.validations])
    assert means[found.index_min] == means.min()
    limit = means.min() + found.validations[found.index_min[0]].se[found.index_min[1]]
    near = np.argwhere(means <= limit)
    assert found.index_1se[1] == near[:, 1].min()
    assert found.index_1se[0] == near[near[:, 1] == near[:, 1].min(), 0].max()


def test_sparse_truth_with_strong_signals_is_predicted_better_by_refits():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 60))
    y = X[:, :3] @ [2.0, -2.0, 2.0] + 0.5 * rng.standard_normal(100)
    found = relaxed(path(X, y), cv=10)
    assert found.gamma_1se < 0.5
    assert set(active(found, found.index_1se[1])) == {0, 1, 2}
    assert found.validations[0].mean.min() < found.validations[-1].mean.min()


def test_dependent_active_columns_take_the_refit_of_least_norm():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5))
    X = np.hstack([X, X[:, :2]])
    y = X[:, 0] + rng.standard_normal(40)
    found = relaxed(path((X - X.mean(0)) / X.std(0), y, l1_ratio=0.0, n_alphas=4))
    assert set(found.status) == {RefitStatus.DEPENDENT}
    theirs = np.linalg.pinv((X - X.mean(0)) / X.std(0)) @ (y - y.mean())
    np.testing.assert_allclose(found.refits[:, [2]].toarray()[:, 0], theirs, atol=1e-10)
    assert "least norm" in str(found)


def test_more_active_columns_than_rows_are_answered():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((15, 40))
    y = rng.standard_normal(15)
    found = relaxed(path(X, y, l1_ratio=0.0, n_alphas=3))
    np.testing.assert_allclose(found.predict(X, found.path.alphas[1]), y, atol=1e-8)
    lasso = relaxed(path(X, y, alpha_min_ratio=1e-4))
    assert lasso.status[-1] is RefitStatus.SATURATED
    assert lasso.status[3] is RefitStatus.UNIQUE
    np.testing.assert_allclose(lasso.predict(X, lasso.path.alphas[-1]), y, atol=1e-7)


@pytest.mark.parametrize("quasi", [False, True])
def test_separated_classes_keep_a_share_of_the_strength_and_stay_finite(quasi):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 6))
    y = (X[:, 0] > 0).astype(float)
    if quasi:  # two rows on the boundary, one of each class: they keep the line between the classes where it is
        X[:2, 0], y[:2] = 0.0, [0.0, 1.0]
        X[:2, 1:] = 0.0
    walked = path(X, y, loss="logistic", n_alphas=10, fit_intercept=not quasi)
    found = relaxed(walked, cv=3)
    assert found.status[5] is RefitStatus.SEPARATED
    part = path(X[:, active(found, 5)], y, loss="logistic", alphas=[0.01 * walked.alphas[5]], fit_intercept=not quasi)
    np.testing.assert_allclose(found.coef(walked.alphas[5])[active(found, 5)], part.coefs.toarray()[:, 0], rtol=1e-4)
    assert all(np.isfinite(v.mean).all() for v in found.validations)
    assert "separate" in str(found)


def test_a_strong_fit_that_separates_nothing_is_not_called_separated():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal(200), [40.0, -40.0]])
    y = (rng.random(202) < 1 / (1 + np.exp(-2 * x))).astype(float)
    found = relaxed(path(x[:, None], y, loss="logistic", n_alphas=5))
    assert np.abs(x * found.refits.toarray()[0, 2]).max() > 20
    assert set(found.status) == {RefitStatus.UNIQUE}


def test_a_strength_of_zero_on_separated_classes_is_the_paths_own_answer():
    x = np.linspace(-1, 1, 20)[:, None]
    walked = path(x, (x[:, 0] > 0).astype(float), loss="logistic", alphas=[0.1, 0.0], tol=1e-2)
    found = relaxed(walked)
    np.testing.assert_array_equal(found.refits[:, [1]].toarray(), walked.coefs[:, [1]].toarray())


def test_classes_keep_their_names_and_tables_their_columns():
    pd = pytest.importorskip("pandas")
    X, y, _ = problem(2, 80, 4, classes=True)
    frame = pd.DataFrame(X, columns=list("abcd"))
    found = relaxed(path(frame, np.where(y > 0, "yes", "no"), loss="logistic", n_alphas=5), cv=3)
    assert ((found.predict(frame, found.alpha_min) > 0) & (found.predict(frame, found.alpha_min) < 1)).all()
    with pytest.raises(ArgumentError, match="in their order"):
        found.predict(frame[list("bacd")], found.alpha_min)
    assert len(found.to_frame()) == 25


def test_p_values_of_a_refit_are_refused_with_what_to_use():
    X, y, _ = problem()
    with pytest.raises(ArgumentError, match="debiased_lasso"):
        relaxed(path(X, y, n_alphas=3)).p_values()


def test_what_cannot_be_relaxed_is_refused_by_name():
    import pickle

    X, y, _ = problem()
    walked = path(X, y, n_alphas=3)
    with pytest.raises(ArgumentError, match="stored"):
        relaxed(pickle.loads(pickle.dumps(walked)))
    with pytest.raises(ArgumentError, match="ndarray"):
        relaxed(X)
    with pytest.raises(ArgumentError, match=r"position 1 is 1\.5"):
        relaxed(walked, [0.5, 1.5])
    with pytest.raises(ArgumentError, match="groups must come with cv"):
        relaxed(walked, groups=np.arange(80))
    with pytest.raises(ArgumentError, match="rows in both"):
        relaxed(walked, cv=[(np.arange(80), np.arange(10))])
    with pytest.raises(DataError, match="single class"):
        relaxed(
            path(X, (y > 0).astype(float), loss="logistic", n_alphas=3), cv=[(np.flatnonzero(y > 0), [int(y.argmin())])]
        )


def test_the_record_says_what_was_chosen_and_what_was_not():
    X, y, _ = problem()
    alone = relaxed(path(X, y, n_alphas=5))
    assert isinstance(alone, Relaxed)
    assert (alone.alpha_min, alone.gamma_1se) == (None, None)
    assert "give cv" in str(alone)
    chosen = relaxed(path(X, y, n_alphas=5), cv=4)
    assert f"gamma {chosen.gamma_1se:g}, alpha {chosen.alpha_1se:.4g}" in str(chosen)
