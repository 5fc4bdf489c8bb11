"""The loss that a request names, with its parameters as given or read off the data."""

import re
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError, DataError
from shrinkage.losses import (
    Cox,
    Gamma,
    Huber,
    JointLoss,
    Logistic,
    Loss,
    Multinomial,
    NegativeBinomial,
    Poisson,
    Quantile,
    Squared,
    Tweedie,
)
from shrinkage.selection import error_scale, median_spread
from shrinkage.tables import Table

LOSSES: dict[str, Loss | JointLoss | Multinomial] = {
    loss.name: loss
    for loss in (
        Squared(),
        Logistic(),
        Poisson(),
        Gamma(),
        Tweedie(),
        NegativeBinomial(),
        Huber(),
        Quantile(),
        Cox(),
        Multinomial(),
    )
}
"""By name; the link, which is all that a prediction needs, does not depend on parameters."""

PARAMETERS = {
    "tweedie": ("power",),
    "negative_binomial": ("theta",),
    "huber": ("delta",),
    "quantile": ("quantile", "smoothing"),
}


def check_parameters(loss: str, given: dict[str, float | None]) -> None:
    """Refuse a parameter of another loss."""
    owner = {name: other for other, names in PARAMETERS.items() for name in names}
    for name, value in given.items():
        if value is not None and owner[name] != loss:
            raise ArgumentError(
                f"--{name} is a parameter of --loss {owner[name].replace('_', '-')}; got it with --loss {loss}"
            )


def check_score(score: str, loss: str) -> None:
    """Refuse a score that says nothing of the loss, before anything is fitted."""
    allowed = ["deviance"]
    if loss == "cox":
        allowed += ["c_index"]
    elif loss == "multinomial":
        allowed += ["accuracy"]
    else:
        allowed += ["mse", "mae"]
        allowed += ["auc", "accuracy"] if loss == "logistic" else []
    if score not in allowed:
        names = ", ".join(allowed).replace("_", "-")
        raise ArgumentError(
            f"--score must be one of {names} for the {loss.replace('_', ' ')} loss; got {score.replace('_', '-')}"
        )


def check_numbers(loss: Loss | JointLoss | Multinomial, y: np.ndarray, table: Table, target: str) -> None:
    """Refuse a target whose numbers the loss cannot take.

    Raises
    ------
    DataError
        With the first such row.
    """
    if isinstance(loss, JointLoss | Multinomial):
        return
    try:
        loss.check(y)
    except DataError as error:
        said = re.sub(r"\brow (\d+)", lambda met: f"data row {table.row_number(int(met[1]))}", str(error))
        raise DataError(f"{table.source}: target {target!r} {said.removeprefix('y ')}") from None


def stated_loss(
    loss: str, given: dict[str, float | None], X: np.ndarray, y: np.ndarray, options: dict[str, Any]
) -> tuple[Loss | JointLoss | Multinomial, str]:
    """The loss, and its parameters in words.

    Parameters
    ----------
    loss : str
    given : dict
        power, theta, delta, quantile, smoothing; None where the loss may choose.
    X, y : ndarray
    options : dict
        What `error_scale` takes besides.
    """
    known = {name: value for name, value in given.items() if value is not None}
    read = ""
    if loss == "huber" and "delta" not in known:
        known["delta"], read = Huber().delta * error_scale(X, y, **options), ", from the data"
    if loss == "quantile" and "smoothing" not in known:
        offset = options.get("offset")
        z = y if offset is None else y - offset
        known["smoothing"], read = 0.01 * median_spread(z, options.get("sample_weight")), ", smoothing from the data"
    if loss not in PARAMETERS:
        return LOSSES[loss], ""
    kind: Any = type(LOSSES[loss])
    made = kind(**known)
    values = ", ".join(f"{name} {getattr(made, name):.4g}" for name in PARAMETERS[loss])
    return made, f" ({values}{read})"
