"""Keras: its L2 has no ½, and its `weight_decay` is never a penalty but in SGD."""

from typing import Any

from shrinkage._errors import ArgumentError
from shrinkage.units._call import ANY, Arguments, Call, mixed, number
from shrinkage.units._code import call
from shrinkage.units._decay import NO_PENALTY, TIMESCALE, read_decay, write_decay
from shrinkage.units._records import DataFacts, NotExpressible, Strength
from shrinkage.units._terms import loss_of_term, term_notes, term_scale

RAN = "run against keras 3.15.1"
FTRL = (
    "not expressible: the l1_ and l2_regularization_strength of Ftrl are no penalty of the mean loss. They are added "
    "once to the sum over all steps, so that after T steps they act like 1/T of themselves. Its "
    "l2_shrinkage_regularization_strength is a penalty"
)


def _share(facts: DataFacts) -> float:
    """Keras divides the weighted sum of losses by the number of rows: S / n times the weighted mean."""
    if not facts.has_weights:
        return 1.0
    why = "divides the weighted loss by the number of rows"
    return facts.weight("Keras", why) / facts.rows("Keras", why)


def _regularizer(name: str, defaults: dict[str, float]) -> Call:
    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        loss, scale = loss_of_term(facts)
        l1, l2 = (number(arguments, part) if part in arguments else 0.0 for part in ("l1", "l2"))
        scale *= _share(facts)
        return mixed(l1 / scale, 2.0 * l2 / scale, float("l2" not in defaults), loss=loss)

    def write(strength: Strength, facts: DataFacts) -> Arguments:
        scale = term_scale(strength, facts) * _share(facts)
        parts = {"l1": scale * strength.l1, "l2": scale * strength.l2 / 2.0}
        return {part: parts[part] for part in defaults}

    def code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
        made = call(f"keras.regularizers.{name}", [], arguments)
        return f"import keras\n\nkernel_regularizer = {made}"

    def notes(strength: Strength, facts: DataFacts) -> list[str]:
        said = term_notes(strength, facts, own_mean=False)
        said += ["Keras' L2 is l2 Σw², without our ½."] if strength.l2 > 0 else []
        if strength.l1 > 0:
            said.append(
                "A regularizer is followed by its slope: no weight becomes exactly 0. A proximal step does that."
            )
        if facts.has_weights:
            said.append("Keras divides Σ sᵢ ℓᵢ by the number of rows, not by Σ sᵢ: strengths are times their ratio.")
        return said

    return Call(
        f"keras.{name}", defaults, ANY, read, write, code, RAN,
        l1="l1" in defaults, l2="l2" in defaults, mixed=len(defaults) == 2, notes=notes,
    )  # fmt: skip


def _momentum(arguments: Arguments) -> float:
    momentum = number(arguments, "momentum")
    if momentum >= 1:
        raise ArgumentError(f"momentum must be below 1; got {momentum}")
    return momentum


def _read_sgd(arguments: Arguments, facts: DataFacts) -> Strength:
    loss, scale = loss_of_term(facts)
    decay = 0.0 if arguments["weight_decay"] is None else number(arguments, "weight_decay")
    return Strength(decay * (1.0 - _momentum(arguments)) / (scale * _share(facts)), 0.0, None, loss)


def _write_sgd(strength: Strength, facts: DataFacts) -> Arguments:
    return {"momentum": 0.0, "weight_decay": strength.l2 * term_scale(strength, facts) * _share(facts)}


def _optimizer_code(name: str):
    def code(arguments: Arguments, meaning: Any, facts: DataFacts) -> str:
        made = call(f"keras.optimizers.{name}", [], arguments)
        return f'import keras\n\noptimizer = {made}\noptimizer.exclude_from_weight_decay(var_names=["bias"])'

    return code


def _sgd_notes(strength: Strength, facts: DataFacts) -> list[str]:
    return [
        *term_notes(strength, facts, own_mean=False),
        "With momentum μ the penalty is 1 - μ of weight_decay, whatever the learning rate: at rest the gradient is "
        "-(1 - μ) weight_decay w. PyTorch's SGD has no such factor.",
    ]


def _read_ftrl(arguments: Arguments, facts: DataFacts) -> Strength:
    if number(arguments, "l1_regularization_strength") or number(arguments, "l2_regularization_strength"):
        raise NotExpressible(FTRL)
    loss, scale = loss_of_term(facts)
    shrinkage = number(arguments, "l2_shrinkage_regularization_strength")
    return Strength(2.0 * shrinkage / (scale * _share(facts)), 0.0, None, loss)


def _write_ftrl(strength: Strength, facts: DataFacts) -> Arguments:
    scale = term_scale(strength, facts) * _share(facts)
    rest = {"l1_regularization_strength": 0.0, "l2_regularization_strength": 0.0}
    return {**rest, "l2_shrinkage_regularization_strength": strength.l2 * scale / 2.0}


def _ftrl_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    shown = {name: value for name, value in arguments.items() if value}
    return f"import keras\n\noptimizer = {call('keras.optimizers.Ftrl', [], shown)}"


def _decayed(name: str, default: float | None) -> Call:
    return Call(
        f"keras.{name}", {"weight_decay": default}, ANY, read_decay, write_decay, _optimizer_code(name), RAN,
        is_decay=True, notes=lambda decay, facts: [NO_PENALTY, TIMESCALE],
    )  # fmt: skip


CALLS = (
    _regularizer("L1", {"l1": 0.01}),
    _regularizer("L2", {"l2": 0.01}),
    _regularizer("L1L2", {"l1": 0.0, "l2": 0.0}),
    Call(
        "keras.SGD", {"momentum": 0.0, "weight_decay": None}, ANY, _read_sgd, _write_sgd, _optimizer_code("SGD"), RAN,
        l1=False, mixed=False, notes=_sgd_notes,
    ),
    Call(
        "keras.Ftrl",
        {f"{part}_regularization_strength": 0.0 for part in ("l1", "l2", "l2_shrinkage")},
        ANY, _read_ftrl, _write_ftrl, _ftrl_code, RAN, l1=False, mixed=False,
        notes=lambda strength, facts: [
            *term_notes(strength, facts, own_mean=False), "It penalizes biases too, and has no ½.",
        ],
    ),
    *(_decayed(name, default) for name, default in
      {"AdamW": 0.004, "Adam": None, "Nadam": None, "Adamax": None, "RMSprop": None, "Adagrad": None,
       "Adadelta": None}.items()),
)  # fmt: skip
