"""Where the promises of stability selection and sample splitting are equalities, they are met from both sides.

Over most data the bounds are several times what happens, and twice as many false choices would go unseen.
"""

import numpy as np
import pytest

from shrinkage.selection import sample_splitting, stability_selection


def noise(seed, n, p):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, p)), rng.standard_normal(n)


@pytest.mark.parametrize(("p", "q"), [(40, 10), (12, 6)])
def test_one_pair_of_halves_of_pure_noise_agrees_on_as_many_features_as_the_bound_says(p, q):
    """Each half takes q of p at random, apart from the other: q²/p in both, which is Meinshausen & Bühlmann's bound."""
    counts = []
    for seed in range(150):
        X, y = noise(seed, 40, p)
        found = stability_selection(X, y, q=q, threshold=1.0, n_pairs=1, assumption="none", n_alphas=40, tol=1e-4)
        assert found.bound == pytest.approx(q * q / p)
        counts.append(len(found.selected))
    error = np.std(counts, ddof=1) / np.sqrt(150)
    assert error < 0.06 * q * q / p
    assert abs(np.mean(counts) - q * q / p) < 3 * error


def test_one_split_of_pure_noise_finds_something_as_often_as_its_level_allows():
    """With one split, q independent tests at level / q: 1 - (1 - level / q)^q, just below the level."""
    level, q, sets = 0.3, 3, 300
    found = []
    for seed in range(sets):
        X, y = noise(seed, 80, 20)
        options = {"q": q, "n_splits": 1, "level": level, "n_alphas": 40, "tol": 1e-4}
        found.append(len(sample_splitting(X, y, **options).significant) > 0)
    exact = 1 - (1 - level / q) ** q
    assert abs(np.mean(found) - exact) < 3 * np.sqrt(exact * (1 - exact) / sets)


def test_one_split_with_known_precisions_keeps_its_level_too():
    level, q, sets = 0.3, 3, 300
    found = []
    for seed in range(sets):
        X, y = noise(seed, 80, 20)
        precisions = 25.0 * np.random.default_rng([seed, 1]).uniform(0.5, 2.0, 80)
        options = {"q": q, "n_splits": 1, "level": level, "n_alphas": 40, "tol": 1e-4}
        split = sample_splitting(X, y / np.sqrt(precisions), sample_weight=precisions, **options)
        found.append(len(split.significant) > 0)
    exact = 1 - (1 - level / q) ** q
    assert abs(np.mean(found) - exact) < 3 * np.sqrt(exact * (1 - exact) / sets)
