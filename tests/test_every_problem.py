"""A thousand random problems over every loss: certified, stationary or said to be neither; never NaN."""

import numpy as np
import pytest
from every_problem import draw

TOL = 1e-6


def null_gradient(problem):
    """Of every column, at the fit of the intercept alone, in the penalty's units."""
    slope = problem.loss.gradient(problem.y, problem.null.eta[:, 0] if problem.null.eta.ndim == 2 else problem.null.eta)
    z = problem.design.correlate((problem.weights * slope)[:, None])[:, 0]
    return z if problem.scale is None else z / problem.scale


def misses(seed):
    """What is wrong with the path of one problem, judged by its `Problem` and not by the solver's own records."""
    drawn = draw(seed)
    p, warned = drawn.fit()
    coefs = p.coefs.toarray()
    if not (np.isfinite(coefs).all() and np.isfinite(p.intercepts).all() and p.status):
        return f"{seed}: not finite"
    problem = drawn.problem(p)
    if drawn.convex:
        worst = problem.gaps(p.coefs, p.intercepts, p.alphas).max() / p.null_objective
    else:
        worst = problem.kkts(p.coefs, p.intercepts, p.alphas).max() / np.abs(null_gradient(problem)).max()
    if not worst <= TOL:
        return f"{seed}: {drawn.loss} {drawn.options.get('penalty', '')}: {worst:.1e}{' warned' if warned else ''}"
    return f"{seed}: warned at {worst:.1e}" if warned else None


@pytest.mark.parametrize("block", [*range(4), *(pytest.param(b, marks=pytest.mark.slow) for b in range(4, 20))])
def test_every_path_of_every_loss_is_certified(block):
    assert not list(filter(None, map(misses, range(66 * block, 66 * (block + 1)))))
