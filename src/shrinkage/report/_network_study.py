"""The record of a network whose strength was chosen by a sweep, beside a linear model and a constant."""

from dataclasses import dataclass

import numpy as np

from shrinkage.training import Compaction, DecayReport, PlanTable, Report, Sweep

CLEAR = 2.0
"""Standard errors from which a difference counts as clear."""


@dataclass(frozen=True)
class Figure:
    """One model on the rows that neither training nor choice has seen.

    Attributes
    ----------
    name : str
        "network", "ridge (linear)", "constant", ...
    loss, loss_se : float
        Mean loss of a row, cross-entropy or squared error, and its standard error over rows.
    score, score_se : float
        Share of right classes, or 1 - error / (error of the constant); NaN as error where there is none.
    worse, worse_se : float
        Mean loss above the network's, and its standard error, paired row by row; 0 for the network.
    size : int
        Numbers other than 0 that the model holds.
    """

    name: str
    loss: float
    loss_se: float
    score: float
    score_se: float
    worse: float
    worse_se: float
    size: int


@dataclass(frozen=True)
class NetworkStudy:
    """What was asked, how the strength was chosen, what the penalty did, and how good the network is.

    Attributes
    ----------
    title, lead : str
        The heading, and the result in one sentence.
    found : tuple of (str, str)
        Findings in plain words, each with a heading.
    advice : tuple of (str, str)
        What to do next, and the command that does it; the command may be empty.
    asked, data : tuple of (str, str)
        Questions and answers of the call; summary of the data.
    columns : tuple of (str, str, int, str)
        Every column: name, kind, missing values, use.
    sweep : Sweep
    chosen : int
        Place of the strength taken.
    linear_sweep : Sweep or None
        That of the linear model, where it was chosen by one.
    plan : PlanTable
    report : Report
    decay : DecayReport
        All three of the network that was saved, before zeros were taken out.
    smaller : Compaction
        What taking its zeros out saved.
    figures : tuple of Figure
        The network first.
    loss_name, score_name : str
    n_tested : int
    call : str
        The command that gives this result again.
    notes : tuple of str
        What the reader should know.
    """

    title: str
    lead: str
    found: tuple[tuple[str, str], ...]
    advice: tuple[tuple[str, str], ...]
    asked: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str, int, str], ...]
    sweep: Sweep
    chosen: int
    linear_sweep: Sweep | None
    plan: PlanTable
    report: Report
    decay: DecayReport
    smaller: Compaction
    figures: tuple[Figure, ...]
    loss_name: str
    score_name: str
    n_tested: int
    call: str
    notes: tuple[str, ...] = ()

    @property
    def strength(self) -> float:
        """The strength taken."""
        return float(self.sweep.strengths[self.chosen])


def chain(smaller: Compaction) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Inputs, neurons of every hidden layer and outputs of a chain of linear layers, before and after."""
    shapes = [(layer.before, layer.after) for layer in smaller.layers]
    before, after = zip(*shapes, strict=True)
    return (before[0][1], *(shape[0] for shape in before)), (after[0][1], *(shape[0] for shape in after))


def alike(sweep: Sweep) -> tuple[float, float]:
    """The smallest and the largest strength whose held-out loss is as good as the lowest by the 1-SE rule.

    Strengths that were stopped early are left out.

    Examples
    --------
    >>> losses = np.array([[0.50, 0.52], [0.41, 0.45], [0.42, 0.45]])
    >>> result = Sweep(
    ...     strengths=np.array([0.0, 1e-3, 1e-2]), seeds=(0, 1), train_loss=losses, held_out=losses, zeros=losses,
    ...     status=("complete",) * 3, epochs_run=np.full((3, 2), 5), best=1, one_se=2, rule="", epochs=5,
    ...     allowed=np.array([0.01, 0.0, 0.005]),
    ... )
    >>> alike(result)
    (0.001, 0.01)
    """
    above = sweep.mean - sweep.mean[sweep.best]
    within = sweep.strengths[sweep.complete & (above <= (0.0 if sweep.allowed is None else sweep.allowed))]
    return float(within.min()), max(float(within.max()), sweep.one_se_strength)


def plus_minus(value: float, error: float, scale: float = 1.0) -> str:
    """A figure with its standard error, both with the digits that the latter allows.

    Examples
    --------
    >>> plus_minus(0.97368, 0.0151, 100), plus_minus(2859.123, 310.0), plus_minus(0.5, 0.0)
    ('97.4 ± 1.5', '2,859 ± 310', '0.5')
    """
    value, error = scale * value, scale * error
    if not (np.isfinite(error) and error > 0):
        return f"{value:,.4g}"
    digits = min(max(0, 1 - int(np.floor(np.log10(error)))), 4)
    return f"{value:,.{digits}f} ± {error:,.{digits}f}"
