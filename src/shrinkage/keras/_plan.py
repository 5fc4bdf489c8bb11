"""Who gets which penalty in a Keras model: resolved once, printed, and handed to an optimizer or to the loss."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras

from shrinkage._check import check_boolean
from shrinkage._errors import ArgumentError
from shrinkage.keras._facts import facts_of
from shrinkage.keras._regularizer import Regularizer
from shrinkage.training import Alarm, PlanRow, PlanTable, by_name, resolve, wrap

Selection = str | Callable[[str, Any, Any], bool]
_TAKES = ("path", "variable", "layer")


class Plan:
    """Which penalty each variable of a Keras model gets, and the rule that decided it.

    Every variable that is or could be trained is resolved once, when the plan is made, and stands in exactly one row.
    Its role is decided by the class of the layer that owns it (Dense, EinsumDense, convolutions, attention, recurrent
    cells, Embedding, norms), then by that layer's structure (a layer that owns a vector named gamma, scale or weight
    and no matrix is a norm), then by what names say of positions, tokens, tables, gains and biases, and for the rest
    by the number of axes. Without further words the kernels of dense, convolutional, attention and recurrent layers
    and other matrices are penalized; biases, norms, embeddings, positions, tokens, gains are free. Statistics of
    norms and seeds of random layers are no parameters and have no row.

    Parameters
    ----------
    model : keras.Model or keras.layers.Layer that is built, or iterable of variables
        Of an iterable, such as `model.trainable_variables`, only paths and shapes are known, and the rules say so.
    penalty : Penalty or None
        Of every selected variable. None makes a plan that penalizes only by `overrides`.
    select : str, callable or list of these, default the weights
        What is penalized *instead of* the default. A role (linear, conv, attention, recurrent, matrix; embedding,
        position, token; norm; bias; gain), a family of roles (weights, embeddings, norms, biases, gains), "all", a
        pattern, or a callable (path, variable, layer) -> bool.
    exclude : the same, default nothing
        What is left free; outweighs `select`.
    overrides : dict from role, family or pattern to Penalty or None
        Outweighs `exclude`; of several that match, the last wins.

    Raises
    ------
    ArgumentError
        If the model, or a layer of it, is not built; if a pattern or role matches nothing (the closest paths are
        given) or is both a role and a layer; if a penalty's factors, groups or axes do not fit a variable, or the
        variable holds no floating-point numbers; if the penalty reaches nothing.

    Notes
    -----
    *Names* are the paths of variables, `variable.path`, such as "sequential/dense/kernel". Where two layers of one
    name give two variables the same path, the second layer is "dense#2" here. A model that is loaded from a file may
    have shorter paths: Keras leaves out the names of models, "dense/kernel". Patterns without them work on both.

    *Patterns.* With `*`, `?` or `[`: a glob for the whole path ("encoder/*/kernel"). Without: whole components at any
    depth ("dense" matches "sequential/dense/kernel", not "sequential/dense_1/kernel"; "gamma" matches every gamma).
    So, other than in `optimizer.exclude_from_weight_decay(var_names=...)`, which searches `variable.name`, the name of
    a layer works. Case counts. A word that is both a role and a layer of this model is refused: "role:norm" is the
    role, "*norm/*" the layer.

    *Frozen* variables (`layer.trainable = False` here or further up, quantized kernels, kernels under LoRA) have a
    row, and no penalty. The plan is a snapshot: after unfreezing, make a new one.

    *Adapters.* The factors of `enable_lora` are matrices and are penalized. Shrinking their product pulls the layer
    toward its base kernel, not to zero.

    *Groups.* Keras stores (inputs, outputs): `GroupL2(axis=-1)` takes the units of `Dense` and the filters of `Conv`
    (size, inputs / groups, filters); `ConvTranspose` stores (size, filters, inputs), where filters are axis -2.
    Recurrent kernels stack their gates, (inputs, 4·units) for LSTM: axis 0 is one group per input. `row.output_axis`
    names the axis.

    *Both ways at once.* A kernel with a `kernel_regularizer` has a penalty in the loss already. If the plan gives it
    one more, `alarms` and the printed table say so.

    References
    ----------
    The default follows minGPT in leaving norms, biases and embeddings without decay, decided by class where others
    match names; see Loshchilov & Hutter (2019), https://arxiv.org/abs/1711.05101, for the decay itself.

    Examples
    --------
    >>> import keras
    >>> from shrinkage import L1
    >>> layers = [keras.Input((8,)), keras.layers.Dense(4, name="in"), keras.layers.LayerNormalization(name="norm"),
    ...           keras.layers.Dense(2, name="out")]
    >>> print(Plan(keras.Sequential(layers, name="net"), L1(1e-3), overrides={"out": None}))
    parameter       shape  role    rule                              penalty  strength
    --------------  -----  ------  --------------------------------  -------  --------
    net/in/kernel   8 x 4  linear  Dense kernel                      L1       0.001
    net/in/bias     4      bias    Dense bias                        -        -
    net/norm/gamma  4      norm    norm by class LayerNormalization  -        -
    net/norm/beta   4      bias    LayerNormalization beta           -        -
    net/out/kernel  4 x 2  linear  override 'out'                    -        -
    net/out/bias    2      bias    override 'out'                    -        -
    penalized: 1 tensor, 32 numbers; free: 5 tensors, 22 numbers; frozen: 0 tensors, 0 numbers
    """

    def __init__(
        self,
        model: Any,
        penalty: Any = None,
        *,
        select: Selection | Sequence[Selection] | None = None,
        exclude: Selection | Sequence[Selection] | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        named = facts_of(model)
        known = {one.facts.name: (one.facts.name, one.variable, one.layer) for one in named}
        self.table: PlanTable = resolve(
            (one.facts for one in named),
            penalty,
            by_name("select", select, known, _TAKES),
            by_name("exclude", exclude, known, _TAKES),
            overrides,
            separator="/",
        )
        self.variables: dict[str, Any] = {name: one[1] for name, one in known.items()}
        self.layers: dict[str, Any] = {name: one[2] for name, one in known.items()}
        self._rows = {row.name: row for row in self.table}
        self._row_of = {id(self.variables[row.name]): row for row in self.table}
        for row in self.table:
            if row.penalty is not None and not keras.backend.is_float_dtype(self.variables[row.name].dtype):
                raise ArgumentError(
                    f"variable {row.name!r} holds {self.variables[row.name].dtype}, and penalties are for real "
                    "floating-point numbers: exclude it"
                )

    @property
    def rows(self) -> tuple[PlanRow, ...]:
        """One row per variable, in the order of `model.weights`."""
        return self.table.rows

    @property
    def penalized(self) -> tuple[str, ...]:
        """Paths of the variables that have a penalty."""
        return tuple(row.name for row in self.rows if row.penalty is not None)

    @property
    def selected(self) -> tuple[str, ...]:
        """Paths of the variables that a weight decay belongs to, whether or not they have a penalty."""
        return tuple(row.name for row in self.rows if row.selected)

    @property
    def penalties(self) -> dict[str, Any]:
        """The penalty of every variable that has one, by path."""
        return {row.name: row.penalty for row in self.rows if row.penalty is not None}

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """One alarm for each variable whose penalty the loss holds as well, read from the model as it is now."""
        return self.doubled(self.penalized)

    def doubled(self, penalized: Iterable[str]) -> tuple[Alarm, ...]:
        """Return an alarm for each of these variables, given by path, whose penalty the loss holds as well."""
        terms = {name: getattr(self.variables[name], "regularizer", None) for name in penalized}
        return tuple(_doubled(name, term) for name, term in terms.items() if term is not None)

    def row_of(self, variable: Any) -> PlanRow:
        """Return the row of a variable, given by path or itself.

        Raises
        ------
        ArgumentError
            If the plan has no such variable.
        """
        if isinstance(variable, str):
            row, met = self._rows.get(variable), repr(variable)
        elif isinstance(variable, keras.Variable):
            row, met = self._row_of.get(id(variable)), f"a variable of path {variable.path!r}"
        else:
            raise ArgumentError(f"variable must be a path or a variable itself; got {variable!r}")
        if row is None:
            raise ArgumentError(f"variable must be one of the plan's {len(self.rows)}; got {met}")
        return row

    def penalty_of(self, variable: Any) -> Any:
        """Return the penalty of a variable, given by path or itself; None if it is free or frozen."""
        return self.row_of(variable).penalty

    def exclude_from_weight_decay(self, optimizer: Any) -> None:
        """Leave what this plan does not select out of an optimizer's weight decay: biases, norms, embeddings, gains.

        Keras decays every variable that is not named to it, and by `var_names` it cannot tell a norm's gamma from
        another layer's. This names them by themselves.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer, also a wrapper such as `Proximal` or `LossScaleOptimizer`

        Raises
        ------
        ArgumentError
            If the optimizer is built already: Keras refuses then.

        Examples
        --------
        >>> import keras
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> optimizer = keras.optimizers.AdamW(weight_decay=0.1)
        >>> Plan(model).exclude_from_weight_decay(optimizer)
        >>> model.compile(optimizer, loss="mse")
        """
        inner = optimizer
        while hasattr(inner, "inner_optimizer"):
            inner = inner.inner_optimizer
        if not isinstance(inner, keras.optimizers.Optimizer):
            raise ArgumentError(f"optimizer must be an optimizer of Keras; got {type(optimizer).__name__}")
        if inner.built:
            raise ArgumentError(
                f"optimizer ({type(inner).__name__}) must not be built yet: Keras settles at its first step what decays"
            )
        inner.exclude_from_weight_decay(var_list=[self.variables[row.name] for row in self.rows if not row.selected])

    def add_losses(self, model: Any = None, *, replace: bool = False) -> tuple[str, ...]:
        """Add every penalty of this plan to the loss, as a `Regularizer` of its variable: the soft alternative.

        It works on a model that is built, compiled, trained or loaded, where setting `layer.kernel_regularizer` does
        nothing. No weight becomes exactly zero this way; `Proximal` is what makes zeros.

        Parameters
        ----------
        model : keras.Model, optional
            The model that the plan was made for, so that it traces its training step anew; another model of the same
            architecture, such as a loaded copy, gets the penalties in its place. None adds them to the plan's own
            variables; a model that has trained must then be compiled again.
        replace : bool, default False
            Whether to put them in the place of regularizers that are there.

        Returns
        -------
        tuple of str
            Paths of the variables that got one.

        Raises
        ------
        ArgumentError
            If a variable has a regularizer already and `replace` is False; if `model` has other variables. Nothing is
            added then.

        Notes
        -----
        Where the layer has the setting, as `Dense.kernel_regularizer`, it is set too, so that the penalty is saved
        with the model.

        Examples
        --------
        >>> import keras
        >>> from shrinkage import L1
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="out")], name="net")
        >>> Plan(model, L1(0.01)).add_losses(model)
        ('net/out/kernel',)
        >>> len(model.losses)
        1
        """
        check_boolean("replace", replace)
        there = self._in(model) if model is not None else {n: (v, self.layers[n]) for n, v in self.variables.items()}
        for name in self.penalized:
            found = getattr(there[name][0], "regularizer", None)
            if found is not None and not replace:
                raise ArgumentError(
                    f"{name!r} has {regularizer_text(found)} in the loss already: replace=True puts the plan's penalty "
                    "in its place"
                )
        for name, penalty in self.penalties.items():
            variable, layer = there[name]
            variable.regularizer = Regularizer(penalty)
            setting = f"{variable.name}_regularizer"
            if layer is not None and hasattr(layer, setting):
                setattr(layer, setting, variable.regularizer)
        for function in ("train_function", "test_function"):
            if getattr(model, function, None) is not None:
                setattr(model, function, None)
        return self.penalized

    def _in(self, model: Any) -> dict[str, tuple[Any, Any]]:
        """By path here: the variable and the layer in its place in a model of the same architecture."""
        there = Plan(model)
        pairs = list(zip(self.rows, there.rows, strict=False))
        wrong = [row.name for row, other in pairs if (row.shape, _own(row)) != (other.shape, _own(other))]
        if wrong or len(there.rows) != len(self.rows):
            why = f"{wrong[0]!r} has no match there" if wrong else f"that one has {len(there.rows)}"
            raise ArgumentError(f"model must have the {len(self.rows)} variables of this plan, in their order; {why}")
        return {row.name: (there.variables[other.name], there.layers[other.name]) for row, other in pairs}

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame."""
        return self.table.to_frame()

    def to_dict(self) -> dict[str, Any]:
        """Return rows and counts as plain data."""
        return self.table.to_dict()

    def to_json(self) -> str:
        """Return rows and counts as JSON."""
        return self.table.to_json()

    def __str__(self) -> str:
        return "\n".join([str(self.table), *(wrap(f"! {alarm.sentence}") for alarm in self.alarms)])

    def __repr__(self) -> str:
        return f"<Plan: {self.table.summary}>"


def _own(row: PlanRow) -> str:
    """The last part of a path: `kernel`."""
    return row.name.rpartition("/")[2]


def _doubled(name: str, regularizer: Any) -> Alarm:
    said = (
        f"{name} is penalized 2 times (limit 1): by the plan and by {regularizer_text(regularizer)} in the loss; "
        "keep one of them (variable.regularizer = None removes it from the loss)."
    )
    return Alarm("double penalty", name, 2.0, 1.0, said)


def regularizer_text(regularizer: Any) -> str:
    """A regularizer with its numbers: `L1(l1=0.01)`."""
    kind = type(regularizer).__name__
    try:
        config = regularizer.get_config()
    except (AttributeError, NotImplementedError):  # any callable may be a regularizer
        return getattr(regularizer, "__name__", kind)
    numbers = [f"{k}={v:.6g}" for k, v in config.items() if isinstance(v, (int, float)) and not isinstance(v, bool)]
    return f"{kind}({', '.join(numbers)})" if numbers else kind
