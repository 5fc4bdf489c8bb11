"""Any penalty as a Keras regularizer: its value, added to the loss."""

from typing import Any

import keras

from shrinkage._arrays import namespace_of
from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, L1L2, L2
from shrinkage.training import check_penalty, from_plain, has_l2, to_plain


@keras.saving.register_keras_serializable(package="shrinkage")
class Regularizer(keras.regularizers.Regularizer):
    """A penalty as a term of the loss: g(w), which Keras adds for every kernel that has it.

    This is the soft way. An optimizer follows the slope of g and steps over the corner at 0, so no weight becomes
    exactly zero, whatever the strength; weights hover around it. `Proximal` treats the same penalty, at the same
    strength, by its prox and makes exact zeros. What this is good for: `L2`, a loss that shows its penalty, optimizers
    that `Proximal` refuses.

    Parameters
    ----------
    penalty : Penalty
        `L1`, `L2`, `L1L2`, `GroupL2`, `SparseGroup`, `MCP` or `SCAD`. Of groups, `axis` counts in Keras' own layout:
        of a `Dense` kernel (inputs, units) axis -1 takes units.

    Raises
    ------
    ArgumentError
        If `penalty` is none of these.

    Notes
    -----
    *Strengths.* Keras' `L1(c)` is c Σ|w|, our `L1(c)`. Keras' `L2(c)` is c Σw², without the ½: our `L2(2c)`.
    `from_keras` and `to_keras` convert.

    *Slope.* Where g has a corner (a weight at 0 under L1, a group at 0 under GroupL2) the slope taken is 0.

    *Saving.* It is registered as "shrinkage>Regularizer" and needs no code to load: `keras.saving.load_model` takes it
    in its safe mode, once `shrinkage.keras` is imported.

    Examples
    --------
    >>> import keras
    >>> from shrinkage import L1L2
    >>> soft = Regularizer(L1L2(0.1, l1_ratio=0.9))
    >>> layer = keras.layers.Dense(1, kernel_regularizer=soft)
    >>> round(float(soft([[2.0, 0.0, -1.0]])), 6)
    0.295
    >>> Regularizer.from_keras(keras.regularizers.L2(0.05)).penalty
    L2(alpha=0.1, factors=None)
    """

    def __init__(self, penalty: Any) -> None:
        check_penalty("penalty", penalty)
        if penalty is None:
            raise ArgumentError("penalty must be a penalty such as L1(1e-4); got None")
        to_plain(penalty)  # refuses what could not be saved
        self.penalty = penalty

    def __call__(self, x: Any) -> Any:
        """Return g(x), a 0-d tensor of the type of `x`."""
        w: Any = keras.ops.convert_to_tensor(x)
        w = keras.ops.reshape(w, w.shape)  # a variable's value: TensorFlow lets the variable itself pass for a tensor
        return self.penalty.value(w) if isinstance(self.penalty, L2) else _with_slope(self.penalty, w)

    def get_config(self) -> dict[str, Any]:
        """Return the penalty as plain data."""
        return {"penalty": _lists(to_plain(self.penalty))}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Regularizer":
        """Return the regularizer that `get_config` wrote."""
        return cls(from_plain(config["penalty"]))

    @classmethod
    def from_keras(cls, regularizer: Any) -> "Regularizer":
        """Return what one of Keras' own regularizers means: l1 Σ|w| + l2 Σw² is α = l1 + 2 l2, α ρ = l1.

        Parameters
        ----------
        regularizer : keras.regularizers.L1, L2, L1L2, or their names

        Raises
        ------
        ArgumentError
            If it is another one, or a name that Keras does not know.
        """
        try:
            found: Any = keras.regularizers.get(regularizer) if isinstance(regularizer, str) else regularizer
        except ValueError as error:
            raise ArgumentError(f"regularizer must be one of Keras', or its name; got {regularizer!r}") from error
        if isinstance(found, Regularizer):
            return cls(found.penalty)
        kinds = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)
        if type(found) not in kinds:
            raise ArgumentError(
                f"regularizer must be keras.regularizers.L1, L2 or L1L2; got {type(found).__name__}, which is no "
                "penalty of this library"
            )
        config = found.get_config()
        l1, l2 = float(config.get("l1", 0.0)), 2.0 * float(config.get("l2", 0.0))
        if not l2:
            return cls(L1(l1))
        return cls(L1L2(l1 + l2, l1_ratio=l1 / (l1 + l2)) if l1 else L2(l2))

    def to_keras(self) -> Any:
        """Return the same term as one of Keras' own regularizers: L1(α ρ), L2(α (1-ρ) / 2), or both.

        Raises
        ------
        ArgumentError
            If Keras has none: for other penalties, for factors, and for strengths that differ from weight to weight.
        """
        penalty, kind = self.penalty, type(self.penalty).__name__
        if kind not in ("L1", "L2", "L1L2"):
            raise ArgumentError(f"Keras has no regularizer that is {kind}; it has L1, L2 and L1L2")
        if penalty.factors is not None or not isinstance(penalty.alpha, (int, float)):
            raise ArgumentError(f"Keras' regularizers take one strength; this {kind} has one for each weight")
        l1, l2 = penalty.alpha * penalty.l1_ratio, 0.5 * penalty.alpha * (1.0 - penalty.l1_ratio)
        if kind == "L1":
            return keras.regularizers.L1(l1)
        return keras.regularizers.L2(l2) if kind == "L2" else keras.regularizers.L1L2(l1, l2)


def l2_in_loss(variable: Any) -> bool:
    """Say whether the loss holds Σw² of a variable, by one of Keras' regularizers or ours."""
    regularizer = getattr(variable, "regularizer", None)
    if isinstance(regularizer, Regularizer):
        return has_l2(regularizer.penalty)
    kinds = (keras.regularizers.L2, keras.regularizers.L1L2)
    return isinstance(regularizer, kinds) and float(regularizer.get_config()["l2"]) > 0


def _with_slope(penalty: Any, w: Any) -> Any:
    """The value at w, with the slope sign(w) |∂g(w)|.

    Backends differ at corners: the derivative of |w| at 0 is 1 in JAX and 0 in others, that of ‖w‖ at 0 is NaN.
    """
    still: Any = keras.ops.stop_gradient(w)
    slope: Any = keras.ops.sign(still) * penalty.violation(still, namespace_of(still).zeros_like(still))
    height: Any = keras.ops.stop_gradient(penalty.value(still))
    return height + keras.ops.sum((w - still) * keras.ops.stop_gradient(slope))


def _lists(value: Any) -> Any:
    """Plain data without arrays of any library: the config must be JSON."""
    if isinstance(value, dict):
        return {key: _lists(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_lists(inner) for inner in value]
    array: Any = keras.ops.convert_to_numpy(value) if hasattr(value, "shape") else None
    return value if array is None else array.tolist()
