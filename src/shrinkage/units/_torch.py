"""PyTorch: `weight_decay` is an L2 penalty where it is added to the gradient, and none where it is decoupled."""

from shrinkage.units._call import ANY, Arguments, Call, mixed, number
from shrinkage.units._decay import NO_PENALTY, TIMESCALE, read_decay, write_decay
from shrinkage.units._records import DataFacts, Strength
from shrinkage.units._terms import free_biases, loss_of_term, term_notes, term_scale

RAN = "run against torch 2.13.0"
COUPLED = ("SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam")


def read_coupled(arguments: Arguments, facts: DataFacts) -> Strength:
    """weight_decay · w added to the gradient of the mean loss: (weight_decay / 2) ‖w‖² added to that loss."""
    loss, scale = loss_of_term(facts)
    return Strength(number(arguments, "weight_decay") / scale, 0.0, None, loss)


def write_coupled(strength: Strength, facts: DataFacts) -> Arguments:
    """The inverse of `read_coupled`."""
    return {"weight_decay": strength.l2 * term_scale(strength, facts)}


def read_term(arguments: Arguments, facts: DataFacts) -> Strength:
    """l1 Σ|w| + (l2/2) Σw² in the loss."""
    loss, scale = loss_of_term(facts)
    return mixed(number(arguments, "l1") / scale, number(arguments, "l2") / scale, loss=loss)


def write_term(strength: Strength, facts: DataFacts) -> Arguments:
    """The inverse of `read_term`."""
    scale = term_scale(strength, facts)
    return {"l1": scale * strength.l1, "l2": scale * strength.l2}


def _code(name: str):
    def code(arguments: Arguments, meaning, facts: DataFacts) -> str:
        options = f"lr=lr, weight_decay={arguments['weight_decay']!r}"
        return "\n".join(["import torch", "", *free_biases(f"torch.optim.{name}", options)])

    return code


def _term_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    parts = []
    if arguments["l1"]:
        parts.append(f"{arguments['l1']!r} * w.abs().sum()")
    if arguments["l2"] or not parts:
        parts.append(f"{arguments['l2'] / 2!r} * w.square().sum()")
    weights = 'weights = [p for name, p in model.named_parameters() if not name.endswith("bias")]'
    return f"{weights}\nloss = loss + sum({' + '.join(parts)} for w in weights)"


def term_warnings(strength: Strength, facts: DataFacts) -> list[str]:
    """What to mind of a penalty in the loss."""
    said = term_notes(strength, facts)
    if strength.l1 > 0:
        said.append("An L1 term in the loss makes no weight exactly 0; the proximal optimizers of shrinkage do.")
    return said


CALLS = (
    *(
        Call(
            f"torch.{name}", {"weight_decay": 0.0}, ANY, read_coupled, write_coupled, _code(name), RAN,
            l1=False, mixed=False, notes=term_notes,
        )
        for name in COUPLED
    ),
    Call("torch.loss", {"l1": 0.0, "l2": 0.0}, ANY, read_term, write_term, _term_code, RAN, notes=term_warnings),
    Call(
        "torch.AdamW", {"weight_decay": 0.01}, ANY, read_decay, write_decay, _code("AdamW"), RAN, is_decay=True,
        notes=lambda decay, facts: [NO_PENALTY, TIMESCALE],
    ),
)  # fmt: skip
