"""The estimators among scikit-learn's tools, joblib's backends, tables and pickles."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from shrinkage.design import as_design
from shrinkage.estimators import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
    _fitting,
)

FEW = {"n_alphas": 8, "cv": 3}
ALL = [
    Ridge(0.1),
    Lasso(0.1),
    ElasticNet(0.1),
    LogisticRegression(),
    RidgeCV(**FEW),
    LassoCV(**FEW),
    ElasticNetCV(**FEW),
    LogisticRegressionCV(**FEW),
]
every = pytest.mark.parametrize("model", ALL, ids=lambda model: type(model).__name__)


@pytest.fixture(name="data")
def make_data():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(36, 4))
    return X, (X[:, 0] + rng.normal(size=36) > 0).astype(int)  # serves both kinds of estimators


def fitted_coef(model, X, y):
    return clone(model).fit(X, y).coef_


@every
@pytest.mark.parametrize(
    "table",
    [
        lambda X, names: pd.DataFrame(X, columns=names),
        lambda X, names: pl.DataFrame(X, schema=names),
        lambda X, names: pa.table(list(X.T), names=names),
    ],
    ids=["pandas", "polars", "arrow"],
)
def test_tables_are_the_same_fit_and_keep_their_names(model, table, data):
    X, y = data
    names = ["age", "sex", "bmi", "bp"]
    frame = table(X, names)
    fitted = clone(model).fit(frame, y)
    assert_allclose(fitted.coef_, fitted_coef(model, X, y), atol=1e-12)
    assert_allclose(fitted.predict(frame), clone(model).fit(X, y).predict(X), atol=1e-12)
    assert fitted.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(table(X, names[::-1]))
    if hasattr(fitted, "path_"):
        assert list(fitted.path_.feature_names) == names


@every
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array, sparse.coo_array, sparse.csr_matrix])
def test_sparse_is_the_same_fit(model, kind, data):
    X, y = data
    X = np.where(np.abs(X) > 0.7, X, 0.0)
    fitted = clone(model).fit(kind(X), y)
    assert_allclose(fitted.coef_, fitted_coef(model, X, y), atol=1e-6)
    assert_allclose(fitted.predict(kind(X)), fitted.predict(X), atol=1e-9)


@every
def test_input_is_left_as_it_was(model, data):
    X, y = data
    copies, weights, offset = (X.copy(), y.copy()), np.linspace(1, 2, 36), np.linspace(-1, 1, 36)
    clone(model).set_params(standardize=True).fit(X, y, sample_weight=weights, offset=offset)
    assert_array_equal(X, copies[0])
    assert_array_equal(y, copies[1])
    assert_array_equal(weights, np.linspace(1, 2, 36))


@every
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda X: np.repeat(X, 2, axis=0)[::2]])
def test_a_float_array_is_read_where_it_lies(model, dtype, layout, data, monkeypatch):
    X, y = data
    X, seen = layout(X.astype(dtype)), []
    monkeypatch.setattr(_fitting, "as_design", lambda X, *names: seen.append(X) or as_design(X, *names))
    clone(model).fit(X, y)
    clone(model).fit(X, y.tolist())  # takes all of scikit-learn's checks
    assert all(np.shares_memory(one, X) for one in seen)
    assert len(seen) == 2


@every
def test_a_pickle_predicts_the_same(model, data):
    X, y = data
    fitted = clone(model).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict(X), fitted.predict(X))
    assert again.status_ is fitted.status_


@every
def test_parameters_survive_clone_and_set_params(model):
    copy = clone(model).set_params(tol=1e-4, penalty_factor=[1, 2, 1, 1])
    assert clone(copy).get_params() == copy.get_params()
    assert copy.tol == 1e-4


@every
def test_the_notebook_picture_names_the_estimator(model):
    assert type(model).__name__ in estimator_html_repr(model)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_of_joblib_give_the_same_bits(backend, data):
    X, y = data
    here = [fitted_coef(model, X, y) for model in ALL]

    def fit(model):  # sent by value: a worker need not find this file
        return clone(model).fit(X, y).coef_

    there = Parallel(n_jobs=2, backend=backend)(delayed(fit)(model) for model in ALL)
    for one, other in zip(here, there, strict=True):
        assert_array_equal(one, other)


# Threads do not survive a fork: tried in a process that has loaded no array library with threads of its own.
FORKED = """
import multiprocessing
import numpy as np
from shrinkage import ElasticNetCV, Lasso, LassoCV, LogisticRegression, LogisticRegressionCV, Ridge

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 150))
y = X[:, 0] - X[:, 1] + rng.normal(size=60)
MODELS = [Ridge(0.1), Lasso(0.1), LassoCV(cv=3), ElasticNetCV(cv=3), LogisticRegression(), LogisticRegressionCV(cv=3)]


def coef(k):
    response = (y > 0).astype(int) if "Logistic" in type(MODELS[k]).__name__ else y
    return MODELS[k].fit(X, response).coef_.ravel()


here = [coef(k) for k in range(len(MODELS))]
with multiprocessing.get_context("fork").Pool(2) as pool:
    there = pool.map(coef, range(len(MODELS)))
print(all(np.array_equal(one, other) for one, other in zip(here, there)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_workers_give_the_same_bits():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.parametrize("model", ALL[:4], ids=lambda model: type(model).__name__)
def test_a_grid_search_over_a_pipeline_finds_a_strength(model, data):
    X, y = data
    step = type(model).__name__.lower()
    pipe = make_pipeline(StandardScaler(), clone(model))
    search = GridSearchCV(pipe, {f"{step}__alpha": [1e-3, 1e-2, 1e-1]}, cv=3).fit(X, y)
    assert search.best_params_[f"{step}__alpha"] in (1e-3, 1e-2, 1e-1)
    assert search.predict(X).shape == (36,)
