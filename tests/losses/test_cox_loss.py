"""Cox's partial likelihood: against its definition, death by death, and the laws of a convex function."""

import numpy as np
import pytest

from shrinkage import ArgumentError, DataError
from shrinkage.losses import Cox

every_tie = pytest.mark.parametrize("ties", ["breslow", "efron"])
every_kind = pytest.mark.parametrize("kind", ["plain", "ties", "strata", "weights", "all die"])


def data(kind, seed=0, n=40):
    rng = np.random.default_rng(seed)
    time = rng.exponential(size=n) if kind in ("plain", "all die") else rng.integers(1, 7, n).astype(float)
    event = np.ones(n) if kind == "all die" else (rng.random(n) < 0.6).astype(float)
    columns = [time, event] + ([rng.integers(0, 3, n)] if kind in ("strata", "weights") else [])
    weights = rng.choice([0.0, 0.5, 1.0, 2.0], n) if kind == "weights" else np.ones(n)
    return np.column_stack(columns).astype(float), weights / weights.sum(), rng.normal(size=n)


def by_definition(y, eta, weights, ties):
    strata = y[:, 2] if y.shape[1] > 2 else np.zeros(len(y))
    total = 0.0
    for stratum in np.unique(strata):
        own = strata == stratum
        for time in np.unique(y[own & (y[:, 1] > 0) & (weights > 0), 0]):
            dies = np.flatnonzero(own & (y[:, 0] == time) & (y[:, 1] > 0) & (weights > 0))
            at_risk = own & (y[:, 0] >= time)
            share = weights[dies].mean()
            for place in range(len(dies)):
                left_out = place / len(dies) if ties == "efron" else 0.0
                e = weights * np.exp(eta)
                s = e[at_risk].sum() - left_out * e[dies].sum()
                total += share * np.log(s / (weights[dies].sum() * (1 - left_out)))
            total -= weights[dies] @ eta[dies]
    return total


@every_tie
@every_kind
def test_the_value_is_that_of_its_definition_at_one_point_and_at_many(ties, kind):
    y, weights, eta = data(kind)
    many = np.column_stack([eta, 0 * eta, -2 * eta])
    expected = [by_definition(y, column, weights, ties) for column in many.T]
    assert Cox(ties).value(y, many, weights) == pytest.approx(expected, rel=1e-12)
    assert float(Cox(ties).value(y, eta, weights)) == pytest.approx(expected[0], rel=1e-12)


@every_tie
@every_kind
def test_gradient_and_curvature_are_differences(ties, kind):
    y, weights, eta = data(kind, 1)
    loss, h = Cox(ties), 1e-5
    step = np.random.default_rng(5).normal(size=(len(y), 2))
    two = np.column_stack([eta, eta])
    up, down = two + h * step, two - h * step
    slope = np.sum(loss.gradient(y, two, weights) * step, axis=0)
    assert (loss.value(y, up, weights) - loss.value(y, down, weights)) / (2 * h) == pytest.approx(slope, abs=1e-9)
    bent = (loss.gradient(y, up, weights) - loss.gradient(y, down, weights)) / (2 * h)
    assert loss.curvature_times(y, two, weights, step) == pytest.approx(bent, abs=1e-9)
    assert (np.sum(step * bent, axis=0) >= 0).all()


@every_tie
@every_kind
def test_the_value_is_not_negative_and_constants_within_strata_change_nothing(ties, kind):
    y, weights, eta = data(kind, 2)
    loss = Cox(ties)
    shift = 3.0 if y.shape[1] == 2 else y[:, 2] * 1.7
    assert float(loss.value(y, eta + shift, weights)) == pytest.approx(float(loss.value(y, eta, weights)), rel=1e-12)
    slope = loss.gradient(y, eta, weights)
    for stratum in np.unique(y[:, 2:]) if y.shape[1] > 2 else [None]:
        own = slice(None) if stratum is None else y[:, 2] == stratum
        assert abs(slope[own].sum()) <= 1e-15
    first = -1e3 * np.argsort(np.argsort(y[:, 0]))  # the sooner the death, the higher the risk
    if kind in ("plain", "all die"):
        order = first + np.where(y[:, 1] > 0, 0.0, -1e6)
        assert float(loss.value(y, order, weights)) == pytest.approx(0, abs=1e-12)


@every_tie
@pytest.mark.parametrize("size", [1e3, 1e5])
def test_far_predictors_leave_everything_finite(ties, size):
    y, weights, eta = data("weights", 3)
    for direction in (eta, -eta, y[:, 0], -y[:, 0]):
        far = size * direction
        assert np.isfinite(Cox(ties).value(y, far, weights))
        slope = Cox(ties).gradient(y, far, weights)
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() <= 1
        assert np.isfinite(Cox(ties).curvature_times(y, far[:, None], weights, eta[:, None])).all()


def test_a_weight_of_two_is_the_row_twice_with_breslows_ties():
    y, _, eta = data("ties", 4)
    weights = np.r_[np.full(10, 2.0), np.ones(20), np.zeros(10)]
    rows = np.r_[:10, :30]
    one = Cox().value(y, eta, weights)
    assert float(one) == pytest.approx(float(Cox().value(y[rows], eta[rows], np.ones(40))), rel=1e-13)


@pytest.mark.parametrize(
    ("y", "what"),
    [
        ([1.0, 2.0], "column of times"),
        ([[1.0, 1.0, 1.0, 1.0]], "column of times"),
        ([[1.0, 1.0], [np.nan, 0.0]], "finite; row 1"),
        ([[1.0, 1.0], [2.0, 2.0]], "0 or 1 in its column of events; row 1"),
        ([[1.0, 0.0], [2.0, 0.0]], "an event"),
    ],
)
def test_a_response_that_it_cannot_take_is_refused_by_its_row(y, what):
    with pytest.raises(DataError, match=what):
        Cox().check(np.array(y))
    with pytest.raises(ArgumentError, match="ties"):
        Cox("exact")
