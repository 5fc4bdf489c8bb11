"""What the tests of the room for Keras run under: the backend of this process, which KERAS_BACKEND names."""

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "requires_trainable_backend: a mark that Keras' own tests carry")


@pytest.fixture(autouse=True)
def _seeded_and_single():
    """One thread beside the other workers, and the same numbers in any order of the tests."""
    keras = pytest.importorskip("keras")
    if keras.backend.backend() == "torch":
        pytest.importorskip("torch").set_num_threads(1)
    keras.utils.set_random_seed(0)
    yield
    keras.utils.clear_session(free_memory=False)
