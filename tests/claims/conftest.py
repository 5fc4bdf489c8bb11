"""Every claim is measured once in a run of the tests, however many workers and files look at its record."""

import os
import pickle
import time

import pytest

PATIENCE = 300
"""Seconds after which a worker no longer waits for the record of another, which may have died."""


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """`quick(claim)`: the record of its quick measurement, or the error that it ended with."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "claims"
    folder.mkdir(exist_ok=True)
    records = {}

    def record(claim):
        if claim.name not in records:
            records[claim.name] = _shared(folder / claim.name, lambda: claim.measure(True))
        return records[claim.name]

    def measured(claim):
        found = record(claim)
        if isinstance(found, Exception):
            raise found
        return found

    return measured


def _shared(place, measure):
    """What `measure` returns or raises, from the file of the worker that made `place` first."""
    file = place.with_suffix(".pickle")
    try:
        place.mkdir()
    except FileExistsError:
        if _appears(file):
            return pickle.loads(file.read_bytes())
    try:
        found = measure()
    except Exception as error:
        found = error
    written = place / str(os.getpid())
    written.write_bytes(pickle.dumps(found))
    written.replace(file)
    return found


def _appears(file):
    """Whether a file is there, or comes while there is patience."""
    end = time.monotonic() + PATIENCE
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.1)
    return file.exists()
