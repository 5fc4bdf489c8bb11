"""Paths that end before their grid does, when asked: where, why, and that what is returned is what a whole path has."""

import numpy as np
import pytest
from cases import rows_of
from scipy import sparse

from shrinkage import ArgumentError, cross_validate, path
from shrinkage.losses import Poisson
from shrinkage.penalties import MCP, SCAD
from shrinkage.solvers import Ending


def saturated(n=40, p=120, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, :5].sum(axis=1) + noise * rng.normal(size=n)


def separable():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 8))
    return X, X[:, 0] - X[:, 1] > 0


def explained(fitted, y, eta):
    """The share of the null model's loss, from the definition."""
    losses = fitted.loss.value(np.asarray(y, float)[:, None], eta).mean(axis=0)
    return 1 - losses / losses[0]


def first_end(share, may_pause):
    """The number of strengths that the rule of the docstring keeps."""
    for t in range(4, len(share)):
        if share[t] > 0.999 or (not may_pause and share[t] - share[t - 1] < 1e-5 * share[t]):
            return t + 1
    return len(share)


KINDS = {
    "saturated": (*saturated(), {}),
    "wide": (*saturated(60, 2200), {"alpha_min_ratio": 1e-4}),
    "separable": (*separable(), {"loss": "logistic", "alpha_min_ratio": 1e-5}),
    "separable ridge": (*separable(), {"loss": "logistic", "l1_ratio": 0.0, "alpha_min_ratio": 1e-6}),
    "poisson": (*rows_of(Poisson(), 2, 60, 90), {"loss": "poisson", "alpha_min_ratio": 1e-5}),
    "poisson, tall": (*rows_of(Poisson(), 2, 90, 5), {"loss": "poisson", "alpha_min_ratio": 1e-6}),
    "tall": (*saturated(100, 6), {"alpha_min_ratio": 1e-7}),
    "positive": (*saturated(30, 90), {"positive": True}),
    "excluded": (*saturated(), {"penalty_factor": np.r_[np.ones(118), np.inf, np.inf]}),
    "given": (*saturated(), {"alphas": np.geomspace(1, 1e-6, 60)}),
    "given, with ties and zero": (*saturated(), {"alphas": np.r_[0.0, 0.0, np.geomspace(1, 1e-6, 30), 1.0]}),
    "sparse": (sparse.csc_array(saturated()[0]), saturated()[1], {}),
    "MCP": (*saturated(60, 20, noise=0.05), {"penalty": MCP(1.0), "alpha_min_ratio": 1e-3}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_ends_where_the_rule_says_and_is_the_start_of_the_whole_path(kind):
    X, y, options = KINDS[kind]
    whole, short = path(X, y, **options), path(X, y, stop="auto", **options)
    assert whole.ending is Ending.GRID
    alphas, at = np.unique(-whole.alphas, return_index=True)
    coefs = whole.coefs.toarray()[:, at]
    eta = np.asarray(X @ coefs) + whole.intercepts[at]
    if options.get("l1_ratio") == 0.0 or "alphas" in options:  # their first model is not the null model
        eta = np.column_stack(
            [np.full(len(eta), path(X, y, **options | {"l1_ratio": 1.0, "alphas": None}).intercepts[0]), eta]
        )
        count = first_end(explained(whole, y, eta)[1:], False)
    else:
        count = first_end(explained(whole, y, eta), kind == "MCP")
    assert len(short.alphas) == count < len(alphas)
    assert short.coefs.shape == (X.shape[1], count)
    np.testing.assert_array_equal(short.alphas, -alphas[:count])
    size = np.abs(coefs[:, :count]).max()
    np.testing.assert_allclose(
        short.coefs.toarray(), coefs[:, :count], atol=2e-2 * size if "loss" in options else 1e-6 * size
    )
    assert short.ending in (Ending.EXPLAINED, Ending.FLAT)
    assert len(short.status) == len(short.gaps) == len(short.kkt) == len(short.intercepts) == count
    if kind != "MCP":
        assert short.relative_gaps.max() <= 1e-6


@pytest.mark.parametrize("penalty", [MCP(1.0), SCAD(1.0)])
def test_a_concave_fit_that_stands_still_between_two_entries_does_not_end_its_path(penalty):
    rng = np.random.default_rng(7)
    X = np.linalg.qr(rng.normal(size=(80, 3)))[0] * np.sqrt(80)
    y = 10.0 * X[:, 0] + X[:, 1] + 0.3 * rng.normal(size=80)
    whole, short = (path(X, y, penalty=penalty, n_alphas=60, fit_intercept=False, stop=s) for s in (None, "auto"))
    assert (np.abs(np.diff(whole.coefs.toarray()[0])) < 1e-12).sum() > 20  # the first stands, unshrunk
    assert short.coefs.toarray()[1, -1] != 0


def test_nothing_ends_a_path_that_goes_on_learning():
    X, y = saturated(80, 10, 3)
    y = y + np.random.default_rng(0).normal(size=80) * 3
    options = {"n_alphas": 20, "alpha_min_ratio": 0.05}
    whole, asked = path(X, y, **options), path(X, y, stop="auto", **options)
    assert asked.ending is Ending.GRID
    np.testing.assert_array_equal(whole.alphas, asked.alphas)


def test_the_work_is_saved_as_well():
    X, y = saturated(60, 2200)
    options = {"alpha_min_ratio": 1e-6, "n_alphas": 400}
    assert path(X, y, stop="auto", **options).n_passes < path(X, y, **options).n_passes


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("score", ["deviance", "mae"])
def test_cross_validation_ends_once_scores_have_long_been_worse(loss, score):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 200))
    eta = X[:, 0] - 0.5 * X[:, 1]
    y = {
        "squared": eta + rng.normal(size=80),
        "logistic": (eta > rng.logistic(size=80)) * 1.0,
        "poisson": rng.poisson(np.exp(eta)),
    }[loss]
    options = {"loss": loss, "cv": 4, "n_alphas": 60, "score": score}
    whole, short = cross_validate(X, y, **options), cross_validate(X, y, stop="auto", **options)
    count = len(short.alphas)
    assert (count < 60) == (short.path.ending is not Ending.GRID)
    assert count < 60 or score == "mae"
    assert short.scores.shape == short.fold_gaps.shape == (count, 4)
    assert len(short.path.alphas) == count
    np.testing.assert_allclose(short.scores, whole.scores[:count], rtol=1e-3)
    assert short.index_min == whole.index_min
    if short.path.ending is Ending.WORSE:
        best = int(np.argmin(short.mean))
        worse = np.flatnonzero((np.arange(count) >= best + 5) & (short.mean > short.mean[best] + short.se[best]))
        assert worse.tolist() == [count - 1]


def test_large_wide_data_end_too():
    X, y = saturated(300, 2400, 6)
    short = cross_validate(X, y, cv=3, n_alphas=80, stop="auto")
    assert len(short.alphas) == len(short.scores) < 80
    assert short.path.ending is not Ending.GRID
    assert short.fold_gaps.max() <= 1e-6


@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")
@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
def test_degenerate_data_end_with_numbers(loss):
    for X in (np.zeros((6, 3)), np.ones((6, 2)), np.eye(6), np.tile(np.arange(6.0)[:, None], (1, 4))):
        for y in (np.r_[0.0, 0, 0, 1, 1, 1], np.full(6, 2.0)):
            if loss == "logistic" and y[0] == 2:
                continue
            short = path(X, y, loss=loss, stop="auto", n_alphas=30)
            assert np.isfinite(short.coefs.data).all()
            assert np.isfinite(short.gaps).all()


def test_other_words_are_refused():
    for wrong in ("never", True, 0.999):
        with pytest.raises(ArgumentError, match="stop must be None or 'auto'; got"):
            path(np.eye(3), [1.0, 2.0, 3.0], stop=wrong)


FORMS = {
    "lasso": {},
    "elastic": {"l1_ratio": 0.5, "standardize": True},
    "ridge": {"l1_ratio": 0.0},
    "grouped": {"loss": "multinomial_grouped", "n_alphas": 40},
    "bounded": {"upper": 1.5},
    "free": {"penalty_factor": np.r_[0.0, np.ones(7)]},
    "given": {"alphas": np.r_[0.0, np.geomspace(1, 1e-7, 50), 1.0], "l1_ratio": 0.0},
    "noise": {"n_alphas": 200},
}


@pytest.mark.parametrize("form", FORMS)
def test_several_classes_end_by_the_same_rule(form):
    X, y = separable()
    y = y.astype(int) + (y & (X[:, 0] + X[:, 1] > 0.5))
    if form in ("noise", "bounded", "free"):
        y = (y + (np.random.default_rng(0).random(60) < 0.2)) % 3
    options = {"loss": "multinomial", "alpha_min_ratio": 1e-6} | FORMS[form]
    whole, short = path(X, y, **options), path(X, y, stop="auto", **options)
    alphas, at = np.unique(-whole.alphas, return_index=True)
    chances = np.stack([whole.predict(X, alpha)[np.arange(60), y] for alpha in -alphas])
    share = 1 + np.log(chances).mean(axis=1) / whole.null_objective
    count = first_end(share, False)
    assert len(short.alphas) == count < len(alphas)
    np.testing.assert_array_equal(short.alphas, -alphas[:count])
    coefs = whole.coefs.toarray()[:, at[:count]]
    np.testing.assert_allclose(short.coefs.toarray(), coefs, atol=1e-2 * np.abs(coefs).max())
    assert short.intercepts.shape == (3, count)
    assert short.ending is (Ending.EXPLAINED if share[count - 1] > 0.999 else Ending.FLAT)
    assert short.relative_gaps.max() <= 1e-6


@pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
@pytest.mark.parametrize("score", ["deviance", "accuracy"])
def test_cross_validation_of_several_classes_ends_once_scores_have_long_been_worse(l1_ratio, score):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(90, 60))
    y = (2 * X[:, :3] + rng.gumbel(size=(90, 3))).argmax(axis=1)
    options = {"loss": "multinomial", "l1_ratio": l1_ratio, "cv": 3, "n_alphas": 60, "score": score}
    whole, short = cross_validate(X, y, **options), cross_validate(X, y, stop="auto", **options)
    count = len(short.alphas)
    assert whole.path.ending is Ending.GRID
    assert count < 60
    assert short.scores.shape == short.fold_gaps.shape == (count, 3)
    np.testing.assert_allclose(short.scores, whole.scores[:count], rtol=1e-2 if score == "deviance" else 0.05)
    if short.path.ending is Ending.WORSE:
        mean = short.mean if score == "deviance" else -short.mean
        bad = [
            t
            for t in range(count)
            if t >= 5 and (b := int(np.argmin(mean[: t + 1]))) <= t - 5 and mean[t] > mean[b] + short.se[b]
        ]
        assert bad == [count - 1]


@pytest.mark.parametrize(("p", "l1_ratio"), [(2200, 1.0), (8, 0.0)])
def test_strengths_of_several_classes_that_are_left_out_are_not_fitted(p, l1_ratio):
    X, y = saturated(60, p)
    y = np.digitize(y, [-1, 1])
    options = {"loss": "multinomial", "l1_ratio": l1_ratio, "alpha_min_ratio": 1e-9, "n_alphas": 200}
    assert path(X, y, stop="auto", **options).n_passes < 0.8 * path(X, y, **options).n_passes
