"""The cross-validation curve."""

from typing import Any

import numpy as np

from shrinkage._path import CrossValidation
from shrinkage.plots._style import (
    COLORS,
    MUTED,
    check_record,
    count_on_top,
    mark_strengths,
    new_axes,
    plain_frame,
    strength_axis,
)

UNITS = {"squared": "mean squared error, held out", "logistic": "mean deviance, held out"}
SCORE_UNITS = {
    "mse": "mean squared error, held out",
    "mae": "mean absolute error, held out",
    "auc": "area under the ROC curve, held out",
    "accuracy": "share of right classes, held out",
    "c_index": "concordance of risks and times, held out",
}


def cross_validation(cv: CrossValidation, ax: Any = None) -> Any:
    """Draw held-out error ± one standard error against -log(alpha), with both rules.

    Dotted lines stand at the strength of the lowest error (min) and at the largest strength within one standard error
    of it (1-SE); the number of non-zero coefficients stands along the top.

    Parameters
    ----------
    cv : CrossValidation
        With alphas > 0.
    ax : matplotlib Axes, optional
        None makes a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If `cv` is no cross-validation, or an alpha is 0.

    Examples
    --------
    >>> from shrinkage._path import cross_validate
    >>> from shrinkage.datasets import load_diabetes
    >>> data = load_diabetes()
    >>> ax = cross_validation(cross_validate(data.X, data.y, cv=5, n_alphas=10))
    >>> ax.get_ylabel()
    'mean squared error, held out'
    """
    check_record("cv", cv, CrossValidation)
    ax = new_axes(ax)
    x = strength_axis(cv.alphas)
    se = np.where(np.isfinite(cv.se), cv.se, 0.0)
    limit = cv.mean[cv.index_min] + (-se[cv.index_min] if cv.more_is_better else se[cv.index_min])
    ax.axhline(limit, color=MUTED, linewidth=0.8, linestyle=(0, (6, 4)), zorder=1)
    ax.errorbar(x, cv.mean, yerr=se, fmt="none", ecolor=MUTED, elinewidth=1.0, capsize=1.6, alpha=0.75, zorder=2)
    ax.plot(x, cv.mean, color=COLORS[1], linewidth=1.0, marker="o", markersize=2.6, zorder=3)
    chosen = [cv.index_1se, cv.index_min]
    ax.plot(x[chosen], cv.mean[chosen], "o", color=COLORS[0], markersize=6, zorder=4)
    room = 0.02 * (x.max() - x.min()) if len(x) > 1 else 1.0
    ax.set_xlim(x.min() - room, x.max() + room)
    plain_frame(ax)
    mark_strengths(ax, {"1-SE": cv.alpha_1se, "min": cv.alpha_min})
    ax.set_xlabel("-log(alpha)")
    ax.set_ylabel(_unit(cv))
    count_on_top(ax, cv.alphas, cv.path.n_nonzero)
    return ax


def _unit(cv: CrossValidation) -> str:
    """What the scores are."""
    if cv.score == "deviance":
        return UNITS.get(cv.path.loss.name, "mean deviance, held out")
    return SCORE_UNITS[cv.score]
