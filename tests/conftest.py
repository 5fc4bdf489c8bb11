"""What every test runs under."""

import importlib.util
import os
import sys
import zlib

import numpy as np
import pytest
from hypothesis import settings

# The same examples in every run, and new ones in those of `make test-all`.
settings.register_profile("house", deadline=None, max_examples=40, print_blob=True, derandomize=True)
settings.register_profile("fresh", settings.get_profile("house"), derandomize=False)
settings.load_profile("house")

collect_ignore_glob = ["oracles/*/*.py"]  # scripts that stored what other packages answer, in environments of their own

FRAMEWORKS = {"torch", "keras", "optax"}

# Keras has one backend per process; `make test` runs its tests under torch and again under jax.
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


class _Absent:
    """Refuses the import of the frameworks in `names`, as if no folder had their name."""

    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _is_a_folder_of_ours(framework):
    spec = importlib.util.find_spec(framework)
    return spec is not None and spec.origin is None


# This folder is on the path for cases.py. Its `torch` would pass for the package where that is not installed.
if shadowed := {framework for framework in FRAMEWORKS if _is_a_folder_of_ours(framework)}:
    sys.meta_path.insert(0, _Absent(shadowed))


_STARTS = {}  # the state of each module's generator once the module is imported


@pytest.fixture(autouse=True)
def _own_draws(request):
    """What a test draws from its module's generator is its own: the same whatever ran before it."""
    module = getattr(request, "module", None)  # examples in docstrings have none
    for name, generator in list(vars(module).items()) if module else ():
        if isinstance(generator, np.random.Generator):
            bits = generator.bit_generator
            bits.state = _STARTS.setdefault((module.__name__, name), bits.state)
            bits.advance(zlib.crc32(request.node.nodeid.encode()) << 32)
