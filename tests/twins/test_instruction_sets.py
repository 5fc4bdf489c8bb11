"""The kernels of every instruction set that this machine has pass the tests of the products."""

import os
import pathlib
import subprocess
import sys

import pytest

PRODUCTS = pathlib.Path(__file__).with_name("test_products.py")


def run(*arguments, isa):
    environment = os.environ | {"SHRINKAGE_ISA": isa, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("isa", ["baseline", "avx2"])  # the best one is in use in this process already
def test_products_do_not_depend_on_the_instruction_set(isa):
    in_use = run("-c", "from shrinkage import _core; print(_core.isa())", isa=isa)
    if in_use.stdout.strip() != isa:
        pytest.skip(f"this machine has no {isa}")
    tests = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(PRODUCTS), isa=isa)
    assert tests.returncode == 0, tests.stdout[-4000:]
    assert " passed" in tests.stdout
