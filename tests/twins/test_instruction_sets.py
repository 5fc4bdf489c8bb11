"""A machine without AVX-512, and one without AVX2, gives the same answers."""

import os
import pathlib
import subprocess
import sys

import instruction_spread
import numpy as np
import pytest

PRODUCTS = pathlib.Path(__file__).with_name("test_products.py")


def run(*arguments, isa):
    environment = os.environ | {"SHRINKAGE_ISA": isa, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(params=["baseline", "avx2"])  # the best one is in use in this process already
def isa(request):
    in_use = run("-c", "from shrinkage import _core; print(_core.isa())", isa=request.param)
    if in_use.stdout.strip() != request.param:
        pytest.skip(f"this machine has no {request.param}")
    return request.param


@pytest.fixture(scope="module")
def here():
    return instruction_spread.answers()


def test_products_do_not_depend_on_the_instruction_set(isa):
    tests = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(PRODUCTS), isa=isa)
    assert tests.returncode == 0, tests.stdout[-4000:]
    assert " passed" in tests.stdout


def test_fits_of_every_kind_have_the_same_zeros_and_agree(isa, here, tmp_path):
    saved = tmp_path / "answers.npz"
    fitted = run(instruction_spread.__file__, str(saved), isa=isa)
    assert fitted.returncode == 0, fitted.stderr[-4000:]
    there = np.load(saved)
    assert there["isa"] == isa
    assert set(there.files) == {*here, "isa"}
    for name, values in here.items():
        if name.endswith("gaps"):
            assert there[name].max() < 1e-10, name
            continue
        np.testing.assert_array_equal(there[name] == 0, values == 0, err_msg=name)
        np.testing.assert_allclose(there[name], values, rtol=1e-10, atol=1e-10 * np.abs(values).max(), err_msg=name)
