"""A fitted model in other packages' words."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from shrinkage.units import DataFacts, Equivalents, stated


def remember(
    model: Any, y: np.ndarray, loss: str, alpha: float, l1_ratio: float, sample_weight: Any, offset: Any
) -> None:
    """Keep of a fit the few numbers that other packages' units depend on, and what was asked of it."""
    facts = DataFacts.of(y, sample_weight, offset)
    factors = None if model.penalty_factor is None else np.array(model.penalty_factor, dtype=np.float64)
    model._stated = {
        "alpha": float(alpha),
        "l1_ratio": float(l1_ratio),
        "loss": loss,
        "fit_intercept": bool(model.fit_intercept),
        "standardize": bool(model.standardize),
        "penalty_factor": factors,
        "facts": facts,
    }


def equivalent_calls(self: Any) -> Equivalents:
    """The same model in other packages' words: scikit-learn, glmnet, glum, celer, statsmodels, Keras, torch, optax, ...

    The strengths are those of this fit (of a cross-validated one the chosen), in the unit of each package, which may
    depend on the number of rows, their weights and the standard deviation of y. With `class_weight`, the code's
    `sample_weight` stands for the weights of rows times those of their classes.

    Returns
    -------
    shrinkage.units.Equivalents
        `print` shows code to paste, how each row was checked and what to mind; `["glmnet"]` is one `Conversion`;
        `refusals` says which packages have no words for this model, and why.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import Ridge
    >>> model = Ridge(alpha=0.5).fit(np.array([[1.0], [-1.0]]), [3.0, -3.0])
    >>> model.equivalent_calls()["sklearn"].arguments["alpha"]  # theirs multiplies a sum over the two rows
    1.0
    """
    check_is_fitted(self)
    return stated(f"shrinkage.{type(self).__name__}", **self._stated)
