"""A machine without AVX-512, and one without AVX2, gives the same answers."""

import os
import subprocess
import sys

import instruction_spread
import numpy as np
import pytest


@pytest.fixture(scope="module")
def here():
    return instruction_spread.answers()


@pytest.mark.parametrize("isa", ["baseline", "avx2"])  # the best one is in use in this process already
def test_products_hold_and_fits_of_every_kind_have_the_same_zeros_and_agree(isa, here, tmp_path):
    """One process for both: a quarter of its time is its start."""
    saved = tmp_path / "answers.npz"
    environment = os.environ | {"SHRINKAGE_ISA": isa, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, instruction_spread.__file__, str(saved)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert saved.exists(), done.stderr[-4000:]
    there = np.load(saved)
    if there["isa"] != isa:
        pytest.skip(f"this machine has no {isa}")
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
    assert set(there.files) == {*here, "isa"}
    for name, values in here.items():
        if name.endswith("gaps"):
            assert there[name].max() < 1e-10, name
            continue
        np.testing.assert_array_equal(there[name] == 0, values == 0, err_msg=name)
        np.testing.assert_allclose(there[name], values, rtol=1e-10, atol=1e-10 * np.abs(values).max(), err_msg=name)
