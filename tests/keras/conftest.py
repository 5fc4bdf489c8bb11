"""What the tests of the room for Keras run under: the backend of this process, which KERAS_BACKEND names."""

import os
from collections import defaultdict

import pytest

FEW = 4  # parameters that a test has under every backend, the first and the last among them


def pytest_configure(config):
    config.addinivalue_line("markers", "requires_trainable_backend: a mark that Keras' own tests carry")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Under a second backend every test runs with a few of its parameters, and with the others where slow ones run."""
    if os.environ.get("KERAS_BACKEND", "torch") == "torch":
        return
    alike = defaultdict(list)
    for item in items:
        if "callspec" in vars(item):
            alike[item.nodeid.partition("[")[0]].append(item)
    for tests in alike.values():
        tests.sort(key=lambda item: item.nodeid)
        kept = {round(k * (len(tests) - 1) / (FEW - 1)) for k in range(FEW)}
        for place, item in enumerate(tests):
            if place not in kept:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _seeded_and_single():
    """One thread beside the other workers, and the same numbers in any order of the tests."""
    keras = pytest.importorskip("keras")
    if keras.backend.backend() == "torch":
        pytest.importorskip("torch").set_num_threads(1)
    keras.utils.set_random_seed(0)
    yield
    keras.utils.clear_session(free_memory=False)
