"""What correlations say of the strengths of one fit is what the definitions say."""

import numpy as np
import pytest

from shrinkage.solvers._reading import Reading


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_a_reading_is_what_its_definitions_say(ridge):
    rng = np.random.default_rng(1)
    p, T, tol = 30, 4, 1e-3
    strengths, ridges = np.geomspace(1.0, 0.4, T), np.full(T, ridge)
    l1, l2 = rng.uniform(0.5, 2.0, p), rng.uniform(0.5, 2.0, p)
    l1[-2:], l2[-2:] = 0.0, 0.0  # free columns
    inverse = np.divide(1.0, l1, out=np.zeros(p), where=l1 > 0)
    inside = np.arange(8)
    outside = inverse.copy()
    outside[inside] = 0.0
    c = rng.standard_normal((p, T))
    coefs = rng.standard_normal((8, T)) * (rng.random((8, T)) < 0.5)
    reading = Reading(l1, l2 if ridge else None, inverse, outside, strengths, ridges, tol)
    reading.read_inside(inside, c[:8], coefs)
    reading.read_all(np.array([1, 3]), np.asfortranarray(c[:, [1, 3]]))
    at, some = np.array([0, 2]), np.arange(8, p - 2)
    reading.read_some(some, at, c[np.ix_(some, at)])

    penalized = np.arange(p - 2)
    size = np.abs(c[penalized])
    over = np.maximum(size - strengths * l1[penalized, None], 0.0)
    np.testing.assert_allclose(reading.ratios, np.maximum((size / l1[penalized, None]).max(axis=0), strengths))
    if ridge:
        np.testing.assert_allclose(reading.conjugates, (over**2 / l2[penalized, None]).sum(axis=0))
    quadratic = 0.5 * ridges * (l2[:8, None] * coefs**2).sum(axis=0)
    np.testing.assert_allclose(reading.penalties, strengths * (l1[:8] @ np.abs(coefs)) + quadratic)
    z = c[:8] - ridges * l2[:8, None] * coefs if ridge else c[:8]
    on = np.abs(z - strengths * l1[:8, None] * np.sign(coefs))
    off = np.maximum(np.abs(z) - strengths * l1[:8, None], 0.0)
    np.testing.assert_allclose(reading.kkt, np.maximum(np.where(coefs != 0, on, off).max(axis=0), over[8:].max(axis=0)))
    ratio = size[8:] / (strengths * l1[8:-2, None])
    violated = ratio > 1 + tol
    np.testing.assert_array_equal(reading.first[8:-2], np.where(violated.any(axis=1), violated.argmax(axis=1), T))
    np.testing.assert_allclose(reading.excess[8:-2], np.where(violated, ratio, 0.0).max(axis=1))
    assert (reading.first[inside] == T).all()
