"""When a call is scikit-learn's own: the reason, and where it is said."""

import logging
from collections.abc import Callable
from typing import Any

from shrinkage._errors import ShrinkageError

LOG = logging.getLogger("shrinkage.patch")

LEAST_ITERATIONS = 20
"""A smaller `max_iter` asks for a model stopped on its way, which only scikit-learn's iterations can give."""


class NotOurs(Exception):
    """A call is scikit-learn's; the text says why."""


def ours_or_theirs(what: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> Any:
    """The engine's answer, or scikit-learn's where the engine has none, with the reason logged at INFO."""
    try:
        answer = ours()
    except (NotOurs, ShrinkageError) as reason:
        LOG.info("%s: scikit-learn's own: %s", what, reason)
        return theirs()
    LOG.debug("%s: shrinkage", what)
    return answer


def refuse(condition: Any, reason: str) -> None:
    """Leave a call to scikit-learn where the condition holds."""
    if condition:
        raise NotOurs(reason)


def refuse_iterations(max_iter: Any, tol: float, verbose: Any) -> None:
    """Leave calls to scikit-learn that ask for its iterations rather than for the solution."""
    refuse(verbose, f"verbose={verbose} prints its iterations")
    refuse(max_iter is not None and max_iter < LEAST_ITERATIONS, f"max_iter={max_iter} stops it on its way")
    refuse(not tol > 0, f"tol={tol} asks for all of max_iter iterations")


class _Choice:
    """What the user of the patch has chosen."""

    smooth = False


CHOICE = _Choice()


def refuse_smooth() -> None:
    """Leave a single fit with an L2 penalty alone to scikit-learn, whose solvers are faster there (decision 0043)."""
    refuse(not CHOICE.smooth, "a single fit with an L2 penalty alone; smooth=True takes it")
