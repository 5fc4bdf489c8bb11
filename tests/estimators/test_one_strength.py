"""`alpha` of an estimator is one number; what else is given is named, and nobody is told that an array would do."""

import numpy as np
import pytest

from shrinkage import (
    ArgumentError,
    CoxRegressor,
    ElasticNet,
    GammaRegressor,
    GroupLasso,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    MultiTaskElasticNet,
    NegativeBinomialRegressor,
    PenalizedRegressor,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    TweedieRegressor,
)
from shrinkage.penalties import L1

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 4)), RNG.uniform(1, 2, size=40)
KINDS = [
    CoxRegressor, ElasticNet, GammaRegressor, GroupLasso, HuberRegressor, Lasso, LogisticRegression,
    MultiTaskElasticNet, NegativeBinomialRegressor, PoissonRegressor, QuantileRegressor, Ridge, TweedieRegressor,
]  # fmt: skip


def fitted(kind, alpha):
    if kind is GroupLasso:
        return GroupLasso(alpha, groups=[0, 0, 1, 1]).fit(X, Y)
    y = {LogisticRegression: Y > 1.5, MultiTaskElasticNet: np.c_[Y, Y], CoxRegressor: np.c_[Y, Y > 1.5]}.get(kind, Y)
    return kind(alpha=alpha).fit(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_strength_that_is_not_one_number_is_named(kind):
    for value, said in (([1, 2], r"\[1, 2\]: `path`"), (np.array([1.0, 2.0]), "array.*: `path`"), ("a", "'a'$")):
        with pytest.raises(ArgumentError, match=f"^alpha must be one number >= 0; got {said}"):
            fitted(kind, value)
    with pytest.raises(ArgumentError, match=r"^alpha must be one number >= 0; got None$"):
        fitted(kind, None)
    with pytest.raises(ArgumentError, match=r"^alpha must be >= 0 and finite; got -1"):
        fitted(kind, -1.0)


def test_a_number_may_come_as_an_array_without_axes():
    assert Lasso(np.array(0.1)).fit(X, Y).status_ is Lasso(0.1).fit(X, Y).status_
    assert PenalizedRegressor(L1(0.1)).fit(X, Y).alpha_ == 0.1
    with pytest.raises(ArgumentError, match=r"^alpha must be one number >= 0"):
        PenalizedRegressor(L1(0.1), alpha=[1.0, 2.0]).fit(X, Y)
