"""Stability selection: twins by hand, invariances, what is refused, what is said, and its promise by simulation."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from stability_simulation import PROBLEMS, draw, promise

from shrinkage import path
from shrinkage._errors import ArgumentError, ConvergenceWarning, DataError
from shrinkage._path import state
from shrinkage.selection import stability_selection
from shrinkage.selection._half_samples import draw_pairs
from shrinkage.selection._stability_bounds import ASSUMPTIONS, expected_low_choices


def stated(X, y, loss="squared", sample_weight=None):
    return state(X, y, loss, 1.0, True, False, sample_weight, None, None, None)[0]


def entries(X, y, rows, alphas, loss="squared", **more):
    """Where on the grid each feature is first nonzero on some rows, and its coefficient there; (n_features,) each."""
    coefs = path(X[rows], y[rows], loss=loss, alphas=alphas, tol=1e-10, **more).coefs.toarray()
    nonzero = coefs != 0
    place = np.where(nonzero.any(1), nonzero.argmax(1), len(alphas))
    return place, np.abs(coefs[np.arange(len(coefs)), np.minimum(place, len(alphas) - 1)])


CASES = {
    "moments": {"p": 40},
    "own rows": {"p": 150},
    "logistic": {"p": 40, "loss": "logistic", "size": 2.0},
    "elastic net": {"p": 150, "l1_ratio": 0.6},
    "standardized": {"p": 40, "standardize": True},
    "standardized own rows": {"p": 150, "standardize": True},
    "no intercept": {"p": 150, "fit_intercept": False},
}


@pytest.mark.parametrize("name", CASES)
def test_each_half_chooses_the_first_features_of_its_own_path(name):
    case = dict(CASES[name])
    p, loss, size = case.pop("p"), case.pop("loss", "squared"), case.pop("size", 1.0)
    X, y, _ = draw(1, p=p, loss=loss, size=size)
    X = X * np.geomspace(0.5, 2.0, p)
    found = stability_selection(
        X, y, q=6, threshold=0.7, n_pairs=4, loss=loss, random_state=5, n_alphas=60, tol=1e-10, **case
    )
    pairs = draw_pairs(stated(X, y, loss), 4, np.random.default_rng(5))
    grid = found.alphas[0] * np.geomspace(1, 1e-3, 60)
    np.testing.assert_allclose(grid[: len(found.alphas)], found.alphas)
    for half, rows in enumerate(rows for pair in pairs for rows in pair):
        scale = X.std(axis=0) if case.get("standardize") else 1.0
        place, coef = entries(X, y, rows, grid, loss, **case)
        first = np.lexsort((-coef * scale, place))[:6]
        np.testing.assert_array_equal(np.flatnonzero(found.chosen[:, [half]].toarray()), np.sort(first))
    np.testing.assert_allclose(found.frequencies, found.chosen.toarray().mean(1))
    assert (found.selection_sizes == 6).all()


def test_by_a_strength_each_half_chooses_what_is_nonzero_at_any_strength_down_to_it():
    X, y, _ = draw(2, p=120)
    found = stability_selection(X, y, alpha=0.25, threshold=0.7, n_pairs=3, random_state=1, n_alphas=30, tol=1e-10)
    assert found.alphas[-1] == 0.25
    pairs = draw_pairs(stated(X, y), 3, np.random.default_rng(1))
    for half, rows in enumerate(rows for pair in pairs for rows in pair):
        place, _ = entries(X, y, rows, found.alphas)
        np.testing.assert_array_equal(found.chosen[:, [half]].toarray()[:, 0], place < 30)
    assert found.q == pytest.approx(found.selection_sizes.mean())
    assert found.bound == expected_low_choices(found.q, 120, 0.7, 3, "unimodal")


def test_paths_rise_to_the_frequencies_and_begin_where_a_half_begins():
    X, y, _ = draw(3)
    found = stability_selection(X, y, q=5, threshold=0.7, n_pairs=10)
    curves = found.paths.toarray()
    assert (np.diff(curves, axis=1) >= 0).all()
    np.testing.assert_allclose(curves[:, -1], found.frequencies)
    assert curves[:, 0].max() == 0.0  # at the largest strength of all halves nothing has entered
    assert curves[:, 1].max() > 0.0
    both = found.chosen.toarray().astype(int)
    np.testing.assert_allclose(found.simultaneous, (both[:, ::2] * both[:, 1::2]).mean(1))


def test_the_grid_begins_where_the_first_feature_of_any_half_enters():
    X, y, _ = draw(4)
    found = stability_selection(X, y, q=5, threshold=0.7, n_pairs=3, random_state=2)
    halves = [rows for pair in draw_pairs(stated(X, y), 3, np.random.default_rng(2)) for rows in pair]
    assert found.alphas[0] == pytest.approx(max(path(X[h], y[h], n_alphas=2).alphas[0] for h in halves))


@pytest.mark.parametrize("n", [40, 41])
def test_halves_are_disjoint_equal_and_of_rows_that_count(n):
    X, y, _ = draw(5, n=n)
    weights = np.ones(n)
    weights[:4] = 0
    pairs = draw_pairs(stated(X, y, sample_weight=weights), 20, np.random.default_rng(0))
    for one, other in pairs:
        assert len(one) == len(other) == (n - 4) // 2
        assert len(np.unique(np.concatenate([one, other]))) == 2 * len(one)
        assert min(one.min(), other.min()) >= 4
    counts = np.bincount(np.concatenate([one for one, _ in pairs]), minlength=n)
    assert len(set(counts[4:])) > 1  # they differ from pair to pair


def test_halves_of_a_logistic_problem_have_half_of_each_class():
    X, y, _ = draw(6, n=51, loss="logistic")
    ones = int(y.sum())
    for pair in draw_pairs(stated(X, y, "logistic"), 10, np.random.default_rng(0)):
        for rows in pair:
            assert (y[rows].sum(), len(rows)) == (ones // 2, ones // 2 + (51 - ones) // 2)


def test_rows_of_a_group_stay_together():
    X, y, _ = draw(7, n=60)
    groups = np.repeat(["a", "b", "c", "d", "e", "f", "g"], [4, 6, 10, 10, 10, 10, 10])
    for one, other in draw_pairs(stated(X, y), 20, np.random.default_rng(0), groups):
        sides = [set(groups[one]), set(groups[other])]
        assert not sides[0] & sides[1]
        assert [len(side) for side in sides] == [3, 3]
        assert all(
            (groups == name).sum() == (groups[rows] == name).sum()
            for rows in (one, other)
            for name in set(groups[rows])
        )
    with_groups = stability_selection(X, y, q=4, threshold=0.7, n_pairs=5, groups=groups)
    assert not np.array_equal(
        with_groups.frequencies, stability_selection(X, y, q=4, threshold=0.7, n_pairs=5).frequencies
    )


def test_a_number_draws_the_same_halves_again_and_a_generator_goes_on():
    X, y, _ = draw(8)
    again = [stability_selection(X, y, q=4, threshold=0.7, n_pairs=5, random_state=3).frequencies for _ in range(2)]
    np.testing.assert_array_equal(*again)
    rng = np.random.default_rng(3)
    first, second = (stability_selection(X, y, q=4, threshold=0.7, n_pairs=5, random_state=rng) for _ in range(2))
    np.testing.assert_array_equal(first.frequencies, again[0])
    assert not np.array_equal(first.frequencies, second.frequencies)


def same(one, other):
    np.testing.assert_array_equal(one.chosen.toarray(), other.chosen.toarray())


@pytest.mark.parametrize("p", [40, 150])
def test_storage_scale_of_y_and_an_offset_change_nothing_that_they_should_not(p):
    X, y, _ = draw(9, p=p)
    X[np.abs(X) < 0.3] = 0.0
    plain = stability_selection(X, y, q=5, threshold=0.7, n_pairs=4)
    same(plain, stability_selection(sparse.csr_array(X), y, q=5, threshold=0.7, n_pairs=4))
    same(plain, stability_selection(np.asfortranarray(X), 4.0 * y - 8.0, q=5, threshold=0.7, n_pairs=4))
    shift = np.linspace(-3, 3, len(y))
    same(plain, stability_selection(X, y + shift, q=5, threshold=0.7, n_pairs=4, offset=shift))
    half = X.astype(np.float32)
    same(stability_selection(half, y, q=5, threshold=0.7, n_pairs=4),
         stability_selection(half.astype(float), y, q=5, threshold=0.7, n_pairs=4))  # fmt: skip


@pytest.mark.parametrize("p", [40, 150])
def test_weights_are_those_of_the_path_and_a_row_without_weight_is_no_row(p):
    X, y, _ = draw(10, p=p)
    weights = np.random.default_rng(0).integers(1, 4, size=len(y)).astype(float)
    found = stability_selection(X, y, q=5, threshold=0.7, n_pairs=3, sample_weight=weights, tol=1e-10)
    grid = found.alphas[0] * np.geomspace(1, 1e-3, 100)
    halves = [rows for pair in draw_pairs(stated(X, y), 3, np.random.default_rng(0)) for rows in pair]
    for k, rows in enumerate(halves):
        place, coef = entries(X, y, rows, grid, sample_weight=weights[rows])
        first = np.lexsort((-coef, place))[:5]
        np.testing.assert_array_equal(np.flatnonzero(found.chosen[:, [k]].toarray()), np.sort(first))
    more = np.vstack([X, 100.0 * X[:7]]), np.append(y, np.full(7, 50.0))
    same(
        found, stability_selection(*more, q=5, threshold=0.7, n_pairs=3, sample_weight=np.append(weights, np.zeros(7)))
    )


@pytest.mark.parametrize("p", [40, 150])
def test_free_columns_and_constant_ones_are_not_judged_and_not_counted(p):
    X, y, _ = draw(11, p=p)
    y = y + 3.0 * X[:, 0]
    X[:, 1] = 7.0
    factors = np.ones(p)
    factors[0] = 0.0
    found = stability_selection(X, y, q=5, threshold=0.7, n_pairs=4, penalty_factor=factors)
    assert found.free.tolist() == [0]
    assert found.candidates.tolist() == list(range(2, p))
    assert np.isnan(found.frequencies[:2]).all()
    assert not {0, 1} & set(found.selected)
    assert found.theta == 5 / (p - 2)
    assert "in every model and not judged: 1." in str(found)


def test_a_factor_that_is_large_keeps_a_feature_out():
    X, y, strong = draw(12, size=2.0)
    factors = np.ones(40)
    factors[strong[0]] = 50.0
    assert stability_selection(X, y, q=5, threshold=0.7, n_pairs=5).frequencies[strong[0]] == 1.0
    kept_out = stability_selection(X, y, q=5, threshold=0.7, n_pairs=5, penalty_factor=factors)
    assert kept_out.frequencies[strong[0]] < 0.5


def test_any_two_give_the_third():
    X, y, _ = draw(13, p=100)
    asked = stability_selection(X, y, q=8, threshold=0.8, n_pairs=10)
    assert asked.bound == expected_low_choices(8, 100, 0.8, 10, "unimodal")
    by_bound = stability_selection(X, y, q=8, bound=1.0, n_pairs=10)
    assert by_bound.bound <= 1.0 < expected_low_choices(8, 100, by_bound.threshold - 1 / 20, 10, "unimodal")
    by_both = stability_selection(X, y, threshold=0.8, bound=1.0, n_pairs=10)
    assert by_both.bound <= 1.0 < expected_low_choices(by_both.q + 1, 100, 0.8, 10, "unimodal")
    assert (by_both.selection_sizes <= by_both.q).all()
    assert [f.asked for f in (asked, by_bound, by_both)] == [("q", "threshold"), ("q", "bound"), ("threshold", "bound")]
    for found in (asked, by_bound, by_both):
        passed = set(np.flatnonzero(found.frequencies >= found.threshold - 1e-12))
        assert set(found.selected) == passed
        assert (np.diff(found.frequencies[found.selected]) <= 0).all()


def test_another_reading_of_the_same_halves_is_what_asking_at_first_gives():
    X, y, _ = draw(14, p=100)
    first = stability_selection(X, y, q=8, threshold=0.9, n_pairs=10)
    for reading in ({"threshold": 0.7}, {"bound": 1.5}, {"bound": 1.0, "assumption": "r-concave"}):
        again, direct = first.judge(**reading), stability_selection(X, y, q=8, n_pairs=10, **reading)
        assert again.selected.tolist() == direct.selected.tolist()
        assert (again.bound, again.threshold, again.asked) == (direct.bound, direct.threshold, direct.asked)
        assert str(again) == str(direct)
    with pytest.raises(ArgumentError, match="threshold or bound, not both"):
        first.judge(threshold=0.7, bound=1.0)


def test_what_is_said_names_what_is_bounded_and_what_is_not():
    X, y, strong = draw(15, p=100, size=2.0)
    found = stability_selection(X, y, q=8, bound=1.0, n_pairs=10)
    said = str(found)
    for j in strong:
        assert f"{j} ({found.frequencies[j]:.2f})" in said
    assert f"{found.bound:.3g} or fewer are expected" in said
    assert "with a probability of at most theta" in said
    assert "What is not said: that only so many are noise" in said
    assert "Only where noise features are exchangeable" in said
    for assumption in ASSUMPTIONS:
        assert f"{assumption} {found.bounds[assumption]:.3g}" in said
    assert "at most 8 of 100 features, the first on its path: a share theta = 0.08" in said
    assert "with nothing supposed of them" in str(found.judge(assumption="none"))
    assert "on average" in str(stability_selection(X, y, alpha=0.5, threshold=0.8, n_pairs=5))
    assert "No feature is" in str(
        stability_selection(np.random.default_rng(0).normal(size=X.shape), y, q=2, threshold=1.0, n_pairs=5)
    )


def test_fits_that_miss_the_tolerance_are_counted_and_warned_of():
    X, y, _ = draw(18, p=150)
    with pytest.warns(ConvergenceWarning, match="fits of half-samples ended with a relative duality gap above tol"):
        found = stability_selection(X, y, q=5, threshold=0.7, n_pairs=2, tol=1e-19)
    assert found.n_missed > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stability_selection(X, y, q=5, threshold=0.7, n_pairs=2)


REFUSED = [
    ({"q": 5}, "two of q"),
    ({}, "got none"),
    ({"q": 5, "threshold": 0.7, "bound": 1.0}, "two of q"),
    ({"q": 5, "alpha": 0.1, "bound": 1.0}, "give q or alpha"),
    ({"q": 0, "threshold": 0.7}, "q must be a whole number >= 1"),
    ({"q": 40, "threshold": 0.7}, "q must be below the number of features to choose among, 40"),
    ({"q": 35, "threshold": 0.7}, "q must be below the rows of a half-sample, 30"),
    ({"q": 5, "threshold": 0.5}, "nothing is bounded; got 0.5"),
    ({"q": 5, "threshold": 1.1}, "at most 1"),
    ({"q": 5, "bound": 0.0}, "bound must be > 0"),
    ({"q": 20, "bound": 0.01}, "lower q to"),
    ({"threshold": 0.6, "bound": 1e-4}, "raise threshold or bound"),
    ({"q": 5, "bound": 1.0, "assumption": "normal"}, "'r-concave'"),
    ({"q": 5, "threshold": 0.7, "l1_ratio": 0.0}, "ridge chooses every feature"),
    ({"q": 5, "threshold": 0.7, "n_pairs": 0}, "n_pairs must be"),
    ({"q": 5, "threshold": 0.7, "n_alphas": 1}, "n_alphas must be a whole number >= 2"),
    ({"q": 5, "threshold": 0.7, "groups": [1, 2]}, r"groups must have shape \(60,\)"),
    ({"alpha": 1e3, "threshold": 0.7}, "alpha must be below"),
    ({"q": 5, "threshold": 0.7, "random_state": "x"}, "random_state must be None, a whole number"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[str(sorted(a.items())) for a, _ in REFUSED])
def test_what_can_not_be_asked_is_refused_with_what_would_be_right(arguments, message):
    X, y, _ = draw(19)
    with pytest.raises(ArgumentError, match=message):
        stability_selection(X, y, **arguments)


def test_data_that_can_not_be_halved_or_chosen_from_are_refused():
    X, y, _ = draw(20)
    ask = {"q": 2, "threshold": 0.7}
    with pytest.raises(DataError, match="at least 4 rows"):
        stability_selection(X[:3], y[:3], **ask)
    with pytest.raises(DataError, match="groups must be at least 4 to be halved; got 3"):
        stability_selection(X, y, groups=np.arange(60) % 3, **ask)
    with pytest.raises(DataError, match="two rows of each class"):
        stability_selection(X, np.arange(60) == 0, loss="logistic", **ask)
    with pytest.raises(DataError, match="single class in a half"):
        stability_selection(X, np.arange(60) < 10, loss="logistic", groups=np.arange(60) // 10, **ask)
    with pytest.raises(DataError, match="two penalized columns or more"):
        stability_selection(np.ones((60, 3)), y, **ask)
    broken = X.copy()
    broken[3, 5] = np.nan
    with pytest.raises(DataError, match="row 3"):
        stability_selection(broken, y, **ask)
    with pytest.raises(DataError, match="nothing to choose"):
        stability_selection(X, np.ones(60), **ask)


def keep(all_kept):
    """Whether fewer are false than every bound asked for, and nine tenths of the strong ones are found."""
    return all(kept.false <= kept.bound and kept.found >= 0.9 for kept in all_kept)


def test_a_few_sets_keep_the_promise():
    kept = promise(8, 120, 60, q=6, bounds=[1.0], n_pairs=20)
    assert keep(kept), kept


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
def test_over_200_sets_of_exchangeable_noise_false_choices_keep_the_bound_and_strong_signals_are_found(name):
    kept = promise(200, **PROBLEMS[name])
    assert keep(kept), kept
