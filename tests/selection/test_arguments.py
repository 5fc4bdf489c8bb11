"""One contract for random_state, and values of other kinds than numbers are refused by name."""

import numpy as np
import pytest

from shrinkage import L1, ArgumentError, DataError, GroupL2, path, priors
from shrinkage.selection import (
    debiased_lasso,
    evidence,
    leave_one_out,
    nested_cv,
    repeated_cv,
    sample_splitting,
    stability_selection,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 8))
Y = 2 * X[:, 0] + RNG.normal(size=60)
PATH = path(X, Y, n_alphas=8)
RAGGED = [[1], [2, 3]]

DRAWS = {
    "leave_one_out": lambda state: leave_one_out(PATH, refits=10, random_state=state).refitted,
    "evidence": lambda state: evidence(X, Y, prior="laplace", n_draws=250, random_state=state).alpha,
    "stability_selection": lambda state: (
        stability_selection(X, Y, q=3, threshold=0.7, n_pairs=3, random_state=state).frequencies
    ),
    "sample_splitting": lambda state: sample_splitting(X, Y, q=3, n_splits=3, random_state=state).split_p_values,
    "repeated_cv": lambda state: repeated_cv(X, Y, repeats=2, cv=3, n_alphas=5, random_state=state).scores,
    "nested_cv": lambda state: nested_cv(X, Y, cv=3, inner_cv=3, n_alphas=5, random_state=state).scores,
    "priors.sample": lambda state: priors.sample(L1(1.0), 5, n_samples=10, random_state=state),
    "GroupLaplace.rvs": lambda state: priors.GroupLaplace([[0, 1]], [1.0]).rvs(5, random_state=state),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_number_draws_the_same_again_and_a_generator_goes_on(name):
    draw = DRAWS[name]
    np.testing.assert_array_equal(draw(3), draw(np.int64(3)))
    np.testing.assert_array_equal(draw(3), draw(np.random.default_rng(3)))
    generator = np.random.default_rng(3)
    draw(generator)
    assert generator.bit_generator.state != np.random.default_rng(3).bit_generator.state
    assert not np.array_equal(draw(generator), draw(3))
    draw(None)


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("state", ["a", -1, 1.5, True, [1, 2], np.random.RandomState(0)])
def test_what_cannot_draw_is_refused_by_name(name, state):
    with pytest.raises(ArgumentError, match=r"random_state must be None, a whole number >= 0 or a numpy\.random"):
        DRAWS[name](state)


def test_of_a_generator_the_evidence_keeps_no_seed():
    found = evidence(X, Y, prior="laplace", n_draws=250, random_state=np.random.default_rng(0))
    assert found.monte_carlo.seed is None
    assert "a generator that was given" in str(found)
    assert "seed 0" in str(evidence(X, Y, prior="laplace", n_draws=250, random_state=0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evidence(X, Y, groups=3), "groups must be a sequence of lists"),
        (lambda: evidence(X, Y, groups=[[0, [1]]]), "groups must be a sequence of lists"),
        (lambda: evidence(X, Y, alphas=RAGGED), "alphas must be a non-empty vector"),
        (lambda: debiased_lasso(X, Y, features=RAGGED), "features must be a vector"),
        (lambda: debiased_lasso(X, Y, nodewise_alpha="a"), "nodewise_alpha must be a number"),
        (lambda: debiased_lasso(X, Y, nodewise_alpha=[1, 2]), "nodewise_alpha must be a number"),
        (lambda: leave_one_out(PATH, refits=False), "refits must be a whole number >= 0"),
        (lambda: sample_splitting(X, Y, groups=RAGGED * 30), "groups must be a vector of labels"),
        (lambda: priors.to_distribution(L1(1.0), 3, scale="a"), "scale must hold real numbers"),
        (lambda: priors.to_distribution(L1(1.0, np.ones(2)), 3, scale=[1.0, 2, 3]), r"scale must have the shape \(2,"),
        (lambda: priors.sample(L1(1.0), -3, n_samples=3), "size must be a whole number >= 0"),
        (lambda: priors.sample(L1(1.0), "a", n_samples=3), "size must be a whole number >= 0"),
        (lambda: priors.sample(L1(1.0), (), n_samples=3), "size must be a whole number >= 0"),
        (lambda: priors.sample(L1(1.0, np.ones(2)), (5, 3), n_samples=3), "size must end with the shape"),
        (lambda: priors.sample(GroupL2(1.0, [[0, 1]]), (-5, 2), n_samples=3), "size must be a whole number >= 0"),
        (lambda: priors.same_prior("x", 3, 3), "penalty must be a penalty; got str"),
        (lambda: priors.same_prior(2.0, 3, 3), "penalty must be a penalty; got float"),
        (lambda: priors.GroupLaplace([[0.5, 1]], [1.0]), "whole numbers, none empty; group 0"),
        (lambda: priors.GroupLaplace([[0], [True]], [1.0, 1.0]), "whole numbers, none empty; group 1"),
        (lambda: priors.GroupLaplace([[0], []], [1.0, 1.0]), "whole numbers, none empty; group 1"),
        (lambda: priors.GroupLaplace(3, [1.0]), "groups must be a sequence of lists"),
    ],
)
def test_values_of_another_kind_are_refused_by_name(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


@pytest.mark.parametrize("labels", [[None] * 60, [np.nan] * 60, ["a"] * 59 + [None]])
def test_groups_without_a_label_are_refused_with_the_row(labels):
    with pytest.raises(DataError, match="groups must hold a label in every row; row"):
        stability_selection(X, Y, q=3, threshold=0.7, groups=labels)
    with pytest.raises(DataError, match="groups must hold a label in every row; row"):
        sample_splitting(X, Y, q=3, groups=labels)
