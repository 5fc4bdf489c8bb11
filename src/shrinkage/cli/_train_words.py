"""What a training came to, in words that somebody new to it can act on."""

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from shrinkage.cli._fit_words import column_rows, summary_rows
from shrinkage.cli._train_data import Rows
from shrinkage.cli._train_network import Trained
from shrinkage.cli._train_request import PENALTY_WORDS, TrainRequest
from shrinkage.report import CLEAR, Figure, alike, chain, plus_minus
from shrinkage.selection import rule_words
from shrinkage.training import Sweep, penalty_text

NAMED = 8
FEW_TESTED = 100
RULE_WORDS = {
    "1se-paired": "one standard error, paired (1-SE)",
    "1se": "one standard error of the lowest (1-SE)",
    "min": "lowest loss (min)",
}


@dataclass(frozen=True)
class Material:
    """Everything that words are made of."""

    request: TrainRequest
    data: Rows
    sweep: Sweep
    chosen: int
    trained: Trained
    figures: tuple[Figure, ...]
    out: str | None

    @property
    def strength(self) -> float:
        """The strength taken."""
        return float(self.sweep.strengths[self.chosen])

    @property
    def widths(self) -> str:
        """Inputs, neurons of every hidden layer, outputs."""
        return "–".join(map(str, (self.data.X.shape[1], *self.request.hidden, self.data.n_outputs)))

    @property
    def network(self) -> Figure:
        """The network's figure."""
        return self.figures[0]

    @property
    def linear(self) -> Figure | None:
        """The linear model's figure."""
        return self.figures[1] if len(self.figures) > 2 else None

    @property
    def zeros(self) -> tuple[int, int]:
        """Exact zeros among penalized weights of the saved network, and how many weights these are."""
        rows = [row for row in self.trained.report.rows if row.penalty is not None and row.strength is not None]
        return sum(row.zeros for row in rows), sum(row.size for row in rows)


def penalty_name(penalty) -> str:
    """A penalty as people write it."""
    return {"GroupL2(axis=0)": PENALTY_WORDS["group"]}.get(penalty_text(penalty), penalty_text(penalty))


def lead(m: Material) -> str:
    """The result in one sentence."""
    score = plus_minus(m.network.score, m.network.score_se, 100)
    rows = f"{len(m.data.tested_on):,} rows that it never saw"
    what = f"{score} % of {rows} are right" if m.data.is_class else f"it explains {score} % of the variance of {rows}"
    if not np.isfinite(m.network.score):
        what = f"squared error {plus_minus(m.network.loss, m.network.loss_se)} on {rows}"
    zeros, size = m.zeros
    tail = f"; {zeros:,} of its {size:,} penalized weights are exactly zero" if zeros else ""
    penalty = PENALTY_WORDS[m.request.penalty]
    by = f"{penalty} of strength {m.strength:.4g}" if m.strength else f"{penalty} tried, and none taken"
    return f"A network {m.widths} with {by}: {what}{tail}."


def found(m: Material) -> tuple[tuple[str, str], ...]:
    """Findings, each with a heading: the strength, how sure, what the penalty did, whether a line is as good."""
    told = [("Strength", _strength(m)), ("How sure", _sure(m)), ("Worth it", _worth(m)), ("What it did", _did(m))]
    if m.linear is not None:
        told.append(("Linear model", _beside(m.network, m.linear)))
    told.append(("Honest figure", _honest(m)))
    return tuple(told)


def _strength(m: Material) -> str:
    sweep, best = m.sweep, m.sweep.best_strength
    many = f"trained {len(sweep.seeds)} times" if len(sweep.seeds) > 1 else "trained once"
    tried = f"Of {len(sweep.strengths)} strengths, each {many}, {best:.4g} has the lowest held-out loss"
    if m.request.rule == "min":
        return f"{tried}, and was taken (rule min)."
    if m.chosen == sweep.best:
        return f"{tried}; no larger one is within one standard error of it, so it was taken (1-SE rule)."
    return (
        f"{tried}; {m.strength:.4g} is the largest whose loss is higher by no more than {rule_words(m.request.rule)}, "
        "and was taken (1-SE rule): as good as can be told, and simpler."
    )


def _sure(m: Material) -> str:
    low, high = alike(m.sweep)
    several = len(m.sweep.seeds) > 1
    by = "over trainings with other starts and other rows held out" if several else "over rows held out"
    if low == high:
        said = "No other strength tried is within one standard error of the best."
    else:
        said = f"From {low:.4g} to {high:.4g}, losses are within one standard error ({by}) of the best."
    if not several:
        return said + " Each was trained once, so how much luck of the start is in it is not known."
    held = m.sweep.held_out
    bests = [float(m.sweep.strengths[int(np.nanargmin(held[:, s]))]) for s in range(held.shape[1])]
    if min(bests) == max(bests):
        return f"{said} Each training alone would have said {bests[0]:.4g} is best."
    return f"{said} Training by training, the best strength lies between {min(bests):.4g} and {max(bests):.4g}."


def _worth(m: Material) -> str:
    """The strength taken beside none at all."""
    free = np.flatnonzero(m.sweep.strengths == 0)
    if not len(free) or m.chosen == free[0]:
        return (
            "Strength 0 was taken: no penalty did better."
            if len(free)
            else "Strength 0 was not tried, so there is nothing to say."
        )
    place = int(free[0])
    held, errors = m.sweep.mean, m.sweep.difference_se
    if errors is None or not np.isfinite(held[place]):
        return "Strength 0 was stopped early, as clearly worse."
    gain, error = float(held[place] - held[m.sweep.best]), float(errors[place])
    without = f"Without penalty the held-out loss is {held[place]:.4g}, at {m.strength:.4g} it is {held[m.chosen]:.4g}"
    if gain > CLEAR * error:
        return f"{without}: the penalty makes predictions better, clearly so."
    return f"{without}: predictions do not clearly gain by the penalty, what it gives is a simpler network."


def _did(m: Material) -> str:
    if m.request.penalty == "l2" or not m.zeros[0]:
        if m.strength and m.request.penalty != "l2":
            return "No weight became exactly zero at this strength."
        return "L2 shrinks weights and makes none exactly zero; l1 and group do." if m.strength else "Nothing."
    layers = []
    matrices = [row for row in m.trained.report.rows if len(row.shape) == 2]
    for place, row in enumerate(matrices):
        name = "the answers" if place == len(matrices) - 1 else f"hidden layer {place + 1}"
        if row.penalty is not None:
            layers.append(f"{_percent(row.zeros, row.size)} of the weights into {name}")
    smaller = m.trained.smaller
    said = f"Exactly zero are {_listed(layers)}."
    if smaller.parameters < smaller.parameters_before:
        left = "–".join(map(str, chain(smaller)[1]))
        said += f" Neurons that do nothing are taken out: {left} is saved, {smaller.bytes:,} of "
        said += f"{smaller.bytes_before:,} bytes."
    return said + _inputs(m)


def _inputs(m: Material) -> str:
    """Which columns the network reads."""
    row = m.trained.report.row("0.weight")
    if not row.zero_columns or not row.columns:
        return f" All {row.columns:,} inputs are in use." if row.columns else ""
    weight = m.trained.layers[0][0]
    names = m.data.recipe.feature_names
    if weight.shape[1] != len(names):
        return f" It reads {row.columns - row.zero_columns:,} of {row.columns:,} inputs."
    used = (weight != 0).any(axis=0)
    said = f" It reads {int(used.sum()):,} of {len(names):,} inputs"
    if not 0 < min(used.sum(), (~used).sum()) <= NAMED:
        return f"{said}."
    few = used.sum() <= (~used).sum()
    listed = ", ".join(name for name, one in zip(names, used, strict=True) if one == few)
    return f"{said}: {listed}." if few else f"{said}, all but {listed}."


def _percent(part: int, whole: int) -> str:
    """A share in percent; what is neither nothing nor all is not rounded to it."""
    share = 100.0 * part / whole
    digits = 0 if part in (0, whole) or 1.0 <= share <= 99.0 else 2
    return f"{share:.{digits}f} %"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _beside(network: Figure, linear: Figure) -> str:
    """Whether a linear model is as good, by the paired difference of losses."""
    apart = plus_minus(abs(linear.worse), linear.worse_se)
    if abs(linear.worse) <= CLEAR * linear.worse_se or not linear.worse_se > 0:
        return (
            f"{_upper(linear.name)} is as good as can be told (loss {_sign(linear.worse)} by {apart}, row by row): "
            "prefer it, it is easier to explain."
        )
    if linear.worse > 0:
        return f"The network is clearly better than {linear.name}: its loss is lower by {apart}, row by row."
    return f"{_upper(linear.name)} is clearly better: its loss is lower by {apart}, row by row. Use it."


def _sign(worse: float) -> str:
    return "higher" if worse > 0 else "lower"


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _honest(m: Material) -> str:
    n = len(m.data.tested_on)
    few = f" {n} rows are few: differences within the ± say nothing." if n < FEW_TESTED else ""
    return (
        f"{n:,} of {len(m.data.y):,} rows were put aside first and touched by neither training nor choice; of the "
        f"other {len(m.data.chosen_on):,}, each training of the sweep held {m.request.validation:.0%} out to choose "
        f"by, and the strength taken was then trained on all of them.{few}"
    )


def asked(m: Material) -> tuple[tuple[str, str], ...]:
    """Questions and answers of the call."""
    request = m.request
    penalty = PENALTY_WORDS[request.penalty]
    ratio = f" (l1_ratio {request.l1_ratio:g})" if request.penalty == "elastic" else ""
    return (
        ("Target", request.target),
        ("Loss", m.data.target.reason),
        ("Penalty", penalty + ratio),
        ("Network", f"{m.widths}, ReLU between layers"),
        ("Strengths", ", ".join(f"{strength:.4g}" for strength in m.sweep.strengths)),
        ("Seeds", ", ".join(map(str, m.sweep.seeds))),
        ("Training", f"{request.epochs} epochs, batches of {request.batch_size}, learning rate {request.lr:g} to 0"),
        ("Optimizer", m.trained.report.optimizer or ""),
        ("Rule", RULE_WORDS[request.rule]),
        ("Version", f"shrinkage {version('shrinkage')}"),
    )


def about_data(m: Material) -> tuple[tuple[str, str], ...]:
    """A summary of the data."""
    parts = f"{len(m.data.chosen_on):,} to train and choose, {len(m.data.tested_on):,} for the final figure"
    return (*summary_rows(m.data.table, m.data.target, m.data.y, m.data.X.shape[1]), ("Parts", parts))


def about_columns(m: Material) -> tuple[tuple[str, str, int, str], ...]:
    """Every column with its kind, missing values and use."""
    return column_rows(m.data.table, m.data.recipe, {m.request.target: "target"}, m.request.drop)
