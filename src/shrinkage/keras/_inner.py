"""An optimizer around another one, whose settings and whose state stay where they are: in the one inside."""

from typing import Any

import keras


class _Inside:
    """An attribute that is the inner optimizer's, read and set there."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, wrapper: Any, owner: Any = None) -> Any:
        return self if wrapper is None else getattr(wrapper.inner_optimizer, self.name)

    def __set__(self, wrapper: Any, value: Any) -> None:
        if "inner_optimizer" in vars(wrapper):  # before, Keras' constructor fills in what it would use without one
            setattr(wrapper.inner_optimizer, self.name, value)


class Around(keras.optimizers.Optimizer):
    """What an optimizer is whose every step is another optimizer's, with something more behind it.

    Clipping, weight decay, accumulation of gradients, averages of weights and the count of steps are done by Keras'
    own code for each backend, on the settings and the state of the inner optimizer; children override
    `_backend_update_step`, which comes after the first three and before the averages.

    Parameters
    ----------
    inner_optimizer : keras.optimizers.Optimizer
    name : str, optional
    """

    weight_decay = _Inside()
    clipnorm = _Inside()
    clipvalue = _Inside()
    global_clipnorm = _Inside()
    use_ema = _Inside()
    ema_momentum = _Inside()
    ema_overwrite_frequency = _Inside()
    loss_scale_factor = _Inside()
    gradient_accumulation_steps = _Inside()
    _iterations = _Inside()
    _learning_rate = _Inside()
    _accumulated_gradients = _Inside()
    _model_variables_moving_average = _Inside()
    _trainable_variables = _Inside()
    _trainable_variables_indices = _Inside()

    def __init__(self, inner_optimizer: Any, name: str | None = None) -> None:
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer

    # Keras' constructor makes a count of steps and a learning rate: the inner ones are in use. To let them in and take
    # them out again would keep tf.train.Checkpoint from saving the rest.
    def _track_variable(self, variable: Any) -> None:
        if "inner_optimizer" in vars(self):
            super()._track_variable(variable)

    def __setattr__(self, name: str, value: Any) -> None:
        if "inner_optimizer" in vars(self) or name not in ("_iterations", "_learning_rate"):
            super().__setattr__(name, value)

    @property
    def variables(self) -> list[Any]:
        """What the inner optimizer remembers, then what is remembered here."""
        return [*self.inner_optimizer.variables, *self._variables]

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer now."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Exclude variables from the inner optimizer's weight decay."""
        self.inner_optimizer.exclude_from_weight_decay(var_list=var_list, var_names=var_names)

    def set_weights(self, weights: Any) -> None:
        """Set every variable, in the order of `variables`."""
        if not self.built:
            super().set_weights(weights)  # which says so
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        """Store what is remembered here; Keras stores the inner optimizer after it."""
        for place, variable in enumerate(self._variables):
            store[str(place)] = keras.ops.convert_to_numpy(variable)

    def load_own_variables(self, store: Any) -> None:
        """Load what `save_own_variables` stored."""
        if len(store.keys()) != len(self._variables):
            raise ValueError(
                f"{type(self).__name__} {self.name!r} remembers {len(self._variables)} variables here, and the file "
                f"holds {len(store.keys())}: its penalties are on other variables or of another kind"
            )
        for place, variable in enumerate(self._variables):
            variable.assign(store[str(place)])

    def _use_weight_decay(self, variable: Any) -> bool:
        return self.inner_optimizer._use_weight_decay(variable)

    def _apply_weight_decay(self, variables: Any) -> None:
        self.inner_optimizer._apply_weight_decay(variables)

    def _clip_gradients(self, grads: Any) -> Any:
        return self.inner_optimizer._clip_gradients(grads)

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        self.inner_optimizer._backend_update_step(grads, trainable_variables, learning_rate)

    def _backend_reset_gradient_accumulators(self) -> None:
        self.inner_optimizer._backend_reset_gradient_accumulators()

    def _backend_increment_gradient_accumulators(self, grads: Any, acc_grads: Any) -> None:
        self.inner_optimizer._backend_increment_gradient_accumulators(grads, acc_grads)
