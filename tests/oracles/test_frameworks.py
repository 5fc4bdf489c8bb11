"""One strength means one thing: the same lasso, elastic net and L1 logistic regression in every framework."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import framework_fits
import numpy as np
import pytest

from shrinkage import ElasticNet, Lasso, LogisticRegression

PROGRAM = Path(framework_fits.__file__)
WITHIN = {"float32": 1e-5, "float64": 1e-9}
FRAMEWORKS = [
    "torch",
    "optax",
    pytest.param("keras-torch", marks=pytest.mark.slow),  # step by step, since torch compiles nothing here
    "keras-jax",
    pytest.param("keras-tensorflow", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def linear():
    """The coefficients of the certified linear models."""
    found = {}
    for problem in framework_fits.PROBLEMS:
        X, y, penalty = framework_fits.data(problem)
        ratio = {} if problem == "lasso" else {"l1_ratio": penalty.l1_ratio}
        kind = {"lasso": Lasso, "elastic net": ElasticNet, "logistic": LogisticRegression}[problem]
        model = kind(alpha=penalty.alpha, fit_intercept=False, tol=1e-14, **ratio)
        found[problem] = np.ravel(model.fit(X, y).coef_)
    return found


@pytest.fixture(scope="module", params=FRAMEWORKS)
def fitted(request, tmp_path_factory):
    """The coefficients of one framework, found in a process of its own: name -> vector."""
    framework, _, backend = request.param.partition("-")
    for package in (framework, backend or framework):
        if find_spec(package) is None or find_spec(package).origin is None:
            pytest.skip(f"could not import {package!r}")
    file = tmp_path_factory.mktemp("fits") / "coefficients.npz"
    alone = {**os.environ, "KERAS_BACKEND": backend or "torch", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), framework, str(file)], env=alone, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(np.load(file))


@pytest.mark.parametrize("problem", framework_fits.PROBLEMS)
@pytest.mark.parametrize("precision", framework_fits.PRECISIONS)
def test_every_framework_finds_the_minimizer_of_the_linear_model(linear, fitted, problem, precision):
    coef = linear[problem]
    assert 0 < (coef == 0).sum() < coef.size
    kinds = [name for name in fitted if name.startswith(f"{problem}|") and name.endswith(precision)]
    assert len(kinds) >= 2
    for name in kinds:
        assert fitted[name].dtype == precision
        assert np.array_equal(fitted[name] == 0, coef == 0), name
        assert np.abs(fitted[name] - coef).max() < WITHIN[precision], name
