"""optax: a link before the optimizer is a penalty, `adamw` decays beside it."""

from shrinkage.units._call import ANY, REQUIRED, Arguments, Call
from shrinkage.units._decay import NO_PENALTY, TIMESCALE, read_decay, write_decay
from shrinkage.units._records import DataFacts, Strength
from shrinkage.units._terms import term_notes
from shrinkage.units._torch import read_coupled, read_term, term_warnings, write_coupled, write_term

RAN = "run against optax 0.2.8"
MASK = "mask = jax.tree.map(lambda w: w.ndim > 1, params)  # biases stay free"


def _linked(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    link = f"optax.add_decayed_weights({arguments['weight_decay']!r}, mask=mask)"
    return "\n".join(["import jax", "import optax", "", MASK, f"optimizer = optax.chain({link}, optax.sgd(lr))"])


def _adamw(arguments: Arguments, decay, facts: DataFacts) -> str:
    made = f"optimizer = optax.adamw(lr, weight_decay={arguments['weight_decay']!r}, mask=mask)"
    return "\n".join(["import jax", "import optax", "", MASK, made])


def _term_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    parts = []
    if arguments["l1"]:
        parts.append(f"{arguments['l1']!r} * abs(w).sum()")
    if arguments["l2"] or not parts:
        parts.append(f"{arguments['l2'] / 2!r} * (w**2).sum()")
    weights = "weights = [w for w in jax.tree.leaves(params) if w.ndim > 1]"
    return f"import jax\n\n{weights}\nloss = loss + sum({' + '.join(parts)} for w in weights)"


def _before(strength: Strength, facts: DataFacts) -> list[str]:
    said = "The link must stand before the optimizer, whose moments then see it; after it, it is decoupled decay."
    return [*term_notes(strength, facts), said]


CALLS = (
    Call(
        "optax.add_decayed_weights", {"weight_decay": REQUIRED}, ANY, read_coupled, write_coupled, _linked, RAN,
        l1=False, mixed=False, notes=_before,
    ),
    Call("optax.loss", {"l1": 0.0, "l2": 0.0}, ANY, read_term, write_term, _term_code, RAN, notes=term_warnings),
    Call(
        "optax.adamw", {"weight_decay": 1e-4}, ANY, read_decay, write_decay, _adamw, RAN, is_decay=True,
        notes=lambda decay, facts: [NO_PENALTY, TIMESCALE],
    ),
)  # fmt: skip
