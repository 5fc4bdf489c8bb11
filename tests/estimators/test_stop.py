"""`stop="auto"` of the estimators with a path: the grid ends where `cross_validate` ends it."""

import numpy as np
import pytest

from shrinkage import LogisticRegressionCV, RidgeCV, cross_validate
from shrinkage._errors import ArgumentError
from shrinkage.estimators import (
    CoxRegressorCV,
    ElasticNetCV,
    GammaRegressorCV,
    GroupLassoCV,
    HuberRegressorCV,
    LassoCV,
    NegativeBinomialRegressorCV,
    PenalizedClassifierCV,
    PenalizedRegressorCV,
    PoissonRegressorCV,
    QuantileRegressorCV,
    TweedieRegressorCV,
)
from shrinkage.solvers import Ending

OF_NUMBERS = [LassoCV(), ElasticNetCV(l1_ratio=0.5), RidgeCV(), HuberRegressorCV(), QuantileRegressorCV()]
OF_NUMBERS += [GroupLassoCV(groups=np.repeat(np.arange(10), 2)), PenalizedRegressorCV()]
OF_AMOUNTS = [PoissonRegressorCV(l1_ratio=1.0), GammaRegressorCV(l1_ratio=1.0), TweedieRegressorCV(l1_ratio=1.0)]
OF_AMOUNTS += [NegativeBinomialRegressorCV(l1_ratio=1.0)]
OF_CLASSES = [LogisticRegressionCV(l1_ratio=1.0), PenalizedClassifierCV()]
EVERY = [*OF_NUMBERS, *OF_AMOUNTS, *OF_CLASSES, CoxRegressorCV()]


def rows(model):
    """Responses that columns explain wholly, classes that are apart, or noise alone: a path may end early."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 20))
    if model in OF_NUMBERS:
        return X, X[:, 0] - X[:, 1]
    if model in OF_CLASSES:
        return X, (X[:, 0] > 0).astype(int)
    amounts = rng.gamma(2.0, size=60)
    return X, np.column_stack([amounts, rng.random(60) < 0.8]) if model is EVERY[-1] else np.ceil(amounts)


@pytest.mark.filterwarnings("ignore")  # of quantiles that wholly explain y
@pytest.mark.parametrize("model", EVERY, ids=lambda model: type(model).__name__)
def test_the_grid_ends_early_where_asked(model):
    X, y = rows(model)
    model.set_params(cv=3, n_alphas=60, tol=1e-5, alpha_min_ratio=1e-6 if model in OF_CLASSES else 1e-3)
    whole = model.set_params(stop=None).fit(X, y).cv_
    short = model.set_params(stop="auto").fit(X, y).cv_
    assert (len(whole.alphas), whole.path.ending) == (60, Ending.GRID)
    assert len(short.alphas) < 60
    assert short.path.ending is not Ending.GRID
    kept = slice(0, len(short.alphas))
    assert np.allclose(short.alphas, whole.alphas[kept])
    assert np.allclose(short.scores, whole.scores[kept], rtol=0.02, atol=1e-3)
    assert model.alpha_ in short.alphas
    with pytest.raises(ArgumentError, match="stop must be None or 'auto'; got 'soon'"):
        model.set_params(stop="soon").fit(X, y)
    model.set_params(stop=None)


def test_it_ends_where_cross_validate_ends():
    X, y = rows(OF_NUMBERS[0])
    run = cross_validate(X, y, 3, stop="auto")
    model = LassoCV(cv=3, stop="auto").fit(X, y)
    assert np.array_equal(model.alphas_, run.alphas)
    assert model.path_.ending is run.path.ending is Ending.EXPLAINED


def test_rows_left_out_of_ridge_may_stop_too():
    X, y = rows(OF_NUMBERS[0])
    whole, short = RidgeCV(cv="loo").fit(X, y), RidgeCV(cv="loo", stop="auto").fit(X, y)
    kept = len(short.alphas_)
    assert kept < len(whole.alphas_)
    assert np.allclose(short.cv_scores_, whole.cv_scores_[:kept])


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_more_classes_end_where_cross_validate_ends(l1_ratio):
    X, _ = rows(OF_CLASSES[0])
    y = (X[:, 0] > 0).astype(int) + (X[:, 0] > 0.8)
    model = LogisticRegressionCV(l1_ratio=l1_ratio, cv=3, alpha_min_ratio=1e-6, stop="auto").fit(X, y)
    run = cross_validate(X, y, 3, loss="multinomial", l1_ratio=l1_ratio, alpha_min_ratio=1e-6, stop="auto")
    assert len(model.alphas_) < 100
    assert np.array_equal(model.alphas_, run.alphas)
    assert model.path_.ending is run.path.ending is not Ending.GRID
