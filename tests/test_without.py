"""Absences are rehearsed: what is optional can be missing, and what is heavy stays shut until its room opens."""

import subprocess
import sys

import pytest

INSTALLED = ["click", "matplotlib", "pandas", "polars", "pyarrow", "torch"]
OPTIONAL = [*INSTALLED, "formulaic", "jax", "dask", "keras", "optax"]
HIDE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
FIT = """
import numpy as np
import shrinkage

X = np.random.default_rng(0).normal(size=(30, 5))
y = X[:, 0] - 2 * X[:, 1]
for model in (shrinkage.Ridge(alpha=0.1), shrinkage.Lasso(alpha=0.1), shrinkage.ElasticNet(alpha=0.1)):
    model.fit(X, y)
    assert abs(model.predict(X) - y).max() < 2
labels = (y > 0).astype(int)
assert shrinkage.LogisticRegression(alpha=0.01).fit(X, labels).score(X, labels) > 0.9
assert shrinkage.cross_validate(X, y, cv=3, n_alphas=5).alpha_min > 0
print("fitted")
"""


def run(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("absent", [*(pytest.param(name, marks=pytest.mark.slow) for name in INSTALLED), "all of them"])
def test_the_core_imports_and_fits_without(absent):
    hidden = set(OPTIONAL) if absent == "all of them" else {absent}
    done = run(HIDE.format(absent=hidden) + FIT)
    assert done.stdout == "fitted\n", done.stderr


def test_importing_the_library_opens_no_heavy_room():
    # scikit-learn itself looks at pandas where that is installed
    code = "import sys, sklearn.linear_model; old = set(sys.modules); import shrinkage; print(*set(sys.modules) - old)"
    opened = {name.partition(".")[0] for name in run(code).stdout.split()}
    assert "shrinkage" in opened
    assert opened & set(OPTIONAL) == set()
    allowed = {"shrinkage", "numpy", "scipy", "sklearn", "array_api_compat", "narwhals", "joblib", "threadpoolctl"}
    assert opened - allowed - set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize(
    ("absent", "code", "extra"),
    [
        ("matplotlib", "import shrinkage.plots as p; p.path(None)", "shrinkage[plots]"),
        ("pyarrow", "import shrinkage.tables as t; t.read('x.parquet')", "shrinkage[cli]"),
        ("pyarrow", "import shrinkage; shrinkage.open_blocks('x.parquet')", "shrinkage[parquet]"),
        ("formulaic", "import shrinkage.tables as t; t.read_formula('y ~ x', None)", "shrinkage[formula]"),
        ("torch", "import shrinkage.torch", "shrinkage[torch]"),
        (
            "click",
            "from importlib.metadata import entry_points as e; e(group='console_scripts')['shrinkage'].load()()",
            "shrinkage[cli]",
        ),
    ],
)
def test_a_missing_extra_is_named(absent, code, extra):
    done = run(HIDE.format(absent={absent}) + code)
    assert done.returncode != 0
    assert f"pip install '{extra}'" in done.stderr
