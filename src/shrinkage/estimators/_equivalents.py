"""A fitted model in other packages' words."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from shrinkage._errors import ArgumentError
from shrinkage.units import DataFacts, Equivalents, stated


def remember(
    model: Any, y: np.ndarray, loss: str, alpha: float, l1_ratio: float, sample_weight: Any, offset: Any
) -> None:
    """Keep of a fit the few numbers that other packages' units depend on, and what was asked of it."""
    facts = DataFacts.of(y, sample_weight, offset)
    model._misses_offset = not hasattr(model, "_predicts_rates") and offset is not None and bool(np.any(offset))
    model._has_bounds = bool(getattr(model, "positive", False)) or any(
        getattr(model, name, None) is not None for name in ("lower", "upper")
    )
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


def forget(model: Any) -> None:
    """Of a fit that no other words are kept for: `equivalent_calls` says so."""
    model._stated = None


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
    if not hasattr(self, "_stated"):
        raise ArgumentError(
            f"other packages' words are known for L1, L2 and elastic net; not for {type(self).__name__}"
        )
    if self._stated is None:
        raise ArgumentError(
            f"equivalent_calls knows models of two classes; this one has {len(self.classes_)}: path(..., "
            "loss='multinomial') says what it minimizes"
        )
    if (
        self._has_bounds
        or np.isinf(self._stated["penalty_factor"] if self._stated["penalty_factor"] is not None else 0).any()
    ):
        raise ArgumentError("bounds on coefficients and excluded columns have no words here; refit without them")
    return stated(f"shrinkage.{type(self).__name__}", **self._stated)
