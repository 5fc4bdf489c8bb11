"""The noise variance that criteria weigh the fit by: known, estimated once, or fitted at every strength."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from shrinkage._check import check_positive
from shrinkage._errors import ArgumentError
from shrinkage.problem import Problem
from shrinkage.selection._projected import independent, projected_of
from shrinkage.selection._ridge_spectrum import LARGEST
from shrinkage.solvers import solve_path

LEFT = 20
"""Degrees of freedom that the full model has to leave to be trusted unasked: σ² is then uncertain by a third."""


@dataclass(frozen=True)
class Dispersion:
    """Noise variance, and how it is known.

    Attributes
    ----------
    value : float or None
        σ²; None where it is fitted at every strength; 1 for logistic.
    kind : "given", "full", "profile" or "one"
    left : float or None
        Degrees of freedom that the full model left.
    words : str
        The same in words.
    """

    value: float | None
    kind: str
    left: float | None
    words: str


def dispersion_of(problem: Problem, asked: Any, n: float) -> Dispersion:
    """What `dispersion=` says about a problem with n rows.

    Raises
    ------
    ArgumentError
        If it is no number > 0 nor a word that is known, or the full model leaves nothing.
    """
    value = float(asked) if isinstance(asked, Real) and not isinstance(asked, bool) else None
    if not (asked is None or value is not None or (isinstance(asked, str) and asked in ("full", "profile"))):
        raise ArgumentError(f"dispersion must be a number > 0, 'full', 'profile' or None; got {asked!r}")
    if problem.loss.name != "squared":
        if asked is not None:
            raise ArgumentError(f"dispersion is 1 for {problem.loss.name} loss: leave it out; got {asked!r}")
        return Dispersion(1.0, "one", None, "the likelihood has no noise variance to know")
    if value is not None:
        check_positive("dispersion", value)
        return Dispersion(value, "given", None, f"noise variance {value:.4g}, as given")
    penalized = problem.design.shape[1] - problem.unpenalized.size
    smallest = n - penalized - problem.free_block[0].shape[1]
    if asked == "full" or (asked is None and smallest >= LEFT and penalized <= LARGEST):
        return _full(problem, n, asked)
    why = "" if asked else f": least squares on all columns would leave fewer than {LEFT} degrees of freedom"
    return Dispersion(None, "profile", None, f"noise variance fitted anew at every strength{why}")


def _full(problem: Problem, n: float, asked: Any) -> Dispersion:
    columns = projected_of(problem)
    used, q = int(np.count_nonzero(problem.weights)), columns.basis.shape[1]
    rank = independent(columns).size if columns.width < used - q else used - q
    left = n - q - rank
    if left < 1 or used - q - rank < 1:
        raise ArgumentError(
            f"dispersion='full' needs more rows than independent columns; got {used} rows and rank {q + rank}, which "
            "leaves no noise to see: give the variance as a number, or dispersion='profile'"
        )
    found = solve_path(problem, np.zeros(1))
    residual = problem.y - problem.linear_predictor(found.coefs[:, [0]], float(found.intercepts[0]))
    value = n * float(problem.weights @ residual**2) / left
    if not value > 1e-20 * problem.null.objective:
        if asked is None:
            return Dispersion(None, "profile", None, "no noise seen: all columns together explain y exactly")
        raise ArgumentError("dispersion='full' needs noise; all columns together explain y exactly")
    words = (
        f"noise variance {value:.4g}, estimated by least squares on all columns, which leaves {left:g} degrees of "
        f"freedom (uncertain by {np.sqrt(2 / left):.0%})"
    )
    return Dispersion(value, "full", float(left), words)
