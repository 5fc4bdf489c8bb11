"""What every test runs under."""

import importlib.util
import os
import sys

from hypothesis import settings

settings.register_profile("house", deadline=None, max_examples=40, print_blob=True)
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
