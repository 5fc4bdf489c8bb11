"""What sample weights are where noise is measured: how often a row was seen, or how precisely it was."""

from dataclasses import replace

import numpy as np

from shrinkage._check import check_choice
from shrinkage._errors import ArgumentError
from shrinkage.problem import Problem

MEANINGS = ("counts", "precisions")
SENTENCES = {
    "counts": "Sample weights are taken for numbers of rows.",
    "precisions": "Sample weights are taken for inverse noise variances up to a factor.",
}


def meaning_of(given: np.ndarray | None, weights: str | None) -> str | None:
    """What weights are taken for: what the caller says, else whole numbers for counts and others for precisions.

    Examples
    --------
    >>> meaning_of(np.array([2.0, 1.0]), None), meaning_of(np.array([0.5, 1.0]), None), meaning_of(None, None)
    ('counts', 'precisions', None)
    """
    if weights is not None:
        check_choice("weights", weights, MEANINGS)
    if given is None:
        return None
    if weights is None:
        return "counts" if (given == np.round(given)).all() else "precisions"
    return weights


def scaled_to_rows(given: np.ndarray) -> np.ndarray:
    """Precisions whose sum is the number of rows with a positive one."""
    return given * (np.count_nonzero(given) / given.sum())


def counted_rows(problem: Problem, weights: str | None) -> tuple[Problem, str | None]:
    """The problem with weights whose sum is a number of rows, and what they were taken for.

    Raises
    ------
    ArgumentError
        For precisions where the loss has no noise variance.
    """
    given = problem.sample_weight
    meaning = meaning_of(given, weights)
    if given is None or meaning == "counts":
        return problem, meaning
    if problem.loss.name == "logistic":
        refuse_parts(given, "loss='logistic', which has no noise variance")
        raise ArgumentError("weights='precisions' needs loss='squared': the logistic loss has no noise variance")
    return replace(problem, sample_weight=scaled_to_rows(given)), meaning


def refuse_parts(given: np.ndarray | None, why: str) -> None:
    """Refuse weights that are not whole numbers."""
    if given is not None and (parts := given != np.round(given)).any():
        row = int(np.argmax(parts))
        raise ArgumentError(
            f"sample_weight must hold whole numbers with {why}, how often each row was seen; position {row} is "
            f"{given[row]}"
        )
