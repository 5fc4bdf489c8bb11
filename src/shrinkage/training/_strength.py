"""What can be said of a penalty from its strength alone."""

from typing import Any


def is_free(penalty: Any) -> bool:
    """Say whether a penalty leaves everything as it is, so that the optimizer's own step is the whole step.

    Examples
    --------
    >>> from shrinkage import L1
    >>> is_free(None), is_free(L1(0.0)), is_free(L1(0.1))
    (True, True, False)
    """
    return penalty is None or is_zero(penalty.alpha)


def has_l2(penalty: Any) -> bool:
    """Say whether a penalty has a term ½ l2 w².

    Examples
    --------
    >>> from shrinkage import L1, L1L2
    >>> has_l2(L1(0.1)), has_l2(L1L2(0.1, l1_ratio=0.5))
    (False, True)
    """
    elementwise = getattr(penalty, "elementwise", penalty)
    if getattr(elementwise, "kernel", None) != "l1l2":
        return False
    return elementwise.l1_ratio < 1 and not is_zero(elementwise.alpha)


def is_zero(alpha: Any) -> bool:
    """Say whether a strength is known, as a number, to be 0."""
    return isinstance(alpha, (int, float)) and alpha == 0
