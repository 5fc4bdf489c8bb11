"""The number of threads changes the time, not a bit of the answer."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

import shrinkage
from shrinkage import cross_validate, path
from shrinkage.design import as_design

LAYOUTS = {
    "columns": np.asfortranarray,
    "rows": np.ascontiguousarray,
    "single precision": lambda X: np.asfortranarray(X, dtype=np.float32),
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "sparse": lambda X: sparse.csc_array(np.where(np.abs(X) > 1.2, X, 0.0)),
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((240, 3000))
    return X, X[:, :20] @ rng.standard_normal(20) + rng.standard_normal(240)


def bits(result):
    """Everything that a path says, as bytes."""
    coefs = result.coefs
    arrays = coefs.data, coefs.indices, coefs.indptr, result.intercepts, result.gaps, result.kkt
    return b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)


def with_threads(fit):
    found = []
    for n in (1, 2, 3):
        with shrinkage.threads(n):
            found.append(fit())
    return found


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_path_has_the_same_bits(data, layout, loss):
    X, y = data
    X = LAYOUTS[layout](X)
    y = y if loss == "squared" else (y > 0).astype(float)
    first, *others = with_threads(lambda: bits(path(X, y, loss=loss, n_alphas=30, alpha_min_ratio=0.1)))
    assert [other == first for other in others] == [True, True]


@pytest.mark.parametrize("layout", ["columns", "sparse"])
@pytest.mark.parametrize("shape", ["wide", "tall"])
def test_folds_have_the_same_bits(data, shape, layout):
    X, y = data
    X = X if shape == "wide" else X[:, :60]
    X = LAYOUTS[layout](X)

    def fit():
        cv = cross_validate(X, y, cv=4, n_alphas=20, alpha_min_ratio=0.1, l1_ratio=0.7)
        return bits(cv.path) + cv.scores.tobytes()

    first, *others = with_threads(fit)
    assert [other == first for other in others] == [True, True]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_of_large_blocks_have_the_same_bits(layout):
    rng = np.random.default_rng(2)
    X, R = rng.standard_normal((1500, 900)), np.asfortranarray(rng.standard_normal((1500, 30)))
    design, some, weights = as_design(LAYOUTS[layout](X)), np.arange(0, 900, 2), rng.uniform(1, 2, 1500)

    def products():
        grams = design.gram(some, some), design.gram(some, np.arange(600), weights)
        found = *grams, design.correlate(R), design.correlate(R[:, :3]), design.combine(some, R[: some.size])
        return b"".join(a.tobytes() for a in (*found, *design.column_moments(np.abs(R))))

    first, *others = with_threads(products)
    assert [other == first for other in others] == [True, True]


COUNT = """
import os
import numpy as np
import shrinkage
from shrinkage.design import as_design

def count():
    return len(os.listdir("/proc/self/task"))

rng = np.random.default_rng(0)
X = np.asfortranarray(rng.standard_normal((400, 2000)))
small = np.asfortranarray(X[:60, :20])
with shrinkage.threads(2):
    alone = count()
    shrinkage.cross_validate(small, small[:, 0], cv=5)
    tiny = count()
    as_design(X).correlate(X[:, :30])
    large = count()
    as_design(X).correlate(X[:, :30])
    print(tiny - alone, large - alone, count() - large)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="the system lists no threads")
def test_a_second_thread_comes_for_large_work_only_and_waits_for_more():
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    said = subprocess.run([sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["0", "1", "0"]
