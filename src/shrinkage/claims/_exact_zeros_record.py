"""What claim 3 measured, and its tables."""

import math
from dataclasses import dataclass

import numpy as np

from shrinkage.claims._markdown import markdown_table

LONG = 8_000
"""Steps after which a weight under L2 is looked at for the last time."""
SIZES = (1.0, 0.1, 0.01, 0.001)
"""Weights whose pull is measured."""


@dataclass(frozen=True)
class OneWeight:
    """The weight of ½ (w - 0.5)² + |w| along the steps of one optimizer.

    Attributes
    ----------
    name : str
    weights : ndarray of shape (n_steps + 1,)
    """

    name: str
    weights: np.ndarray

    @property
    def tail(self) -> np.ndarray:
        """The last half of the steps."""
        return self.weights[len(self.weights) // 2 :]

    @property
    def amplitude(self) -> float:
        """Largest |w| of the last half."""
        return float(np.abs(self.tail).max())

    @property
    def flips(self) -> float:
        """Share of the steps of the last half that change the sign."""
        return float((self.tail[1:] * self.tail[:-1] < 0).mean())

    @property
    def zeros(self) -> float:
        """Share of the steps of the last half that end at exactly 0."""
        return float((self.tail == 0).mean())

    @property
    def arrival(self) -> int:
        """The step after which the weight is exactly 0 for good; -1 if there is none."""
        moved = np.flatnonzero(self.weights)
        return int(moved[-1]) + 1 if moved[-1] + 1 < len(self.weights) else -1


@dataclass(frozen=True)
class Descent:
    """Gradient steps on the lasso of the diabetes data, the penalty as a subgradient or as a prox.

    Attributes
    ----------
    name : str
    rate : float
    excess : ndarray of shape (n_steps,)
        F - min F after every step, over the objective of the null model; at least 1e-17.
    zeros : int
        Coefficients that are exactly 0 at the end.
    same_support : bool
        Whether they are those of the certified solution.
    """

    name: str
    rate: float
    excess: np.ndarray
    zeros: int
    same_support: bool

    @property
    def floor(self) -> float:
        """Mean of the last 100 steps."""
        return float(self.excess[-100:].mean())


@dataclass(frozen=True)
class Network:
    """A network 64-64-10 on digits after one way of training, as means over seeds.

    Attributes
    ----------
    name : str
    zeros, small : float
        Shares of the weights that are exactly 0, and below 1e-4.
    flips : float
        Share of the weights that change their sign in a step, mean over the last epoch.
    accuracy : float
        On the test rows.
    objective : float
        Mean cross entropy of the training rows, plus the strength times Σ|w|.
    sizes : ndarray of shape (n_weights,)
        |w| of the first seed, in order.
    """

    name: str
    zeros: float
    small: float
    flips: float
    accuracy: float
    objective: float
    sizes: np.ndarray


@dataclass(frozen=True)
class ExactZeros:
    """What claim 3 measured."""

    slopes: dict[str, tuple[float, ...]]
    steps: dict[float, tuple[int, float]]
    survivor: float
    one: dict[str, OneWeight]
    descents: tuple[Descent, ...]
    lasso_zeros: int
    networks: dict[str, Network]
    n_seeds: int
    n_epochs: int
    n_weights: int
    n_long: int = LONG

    @property
    def prox(self) -> Descent:
        """The proximal descent on the diabetes data."""
        return next(run for run in self.descents if run.name == "prox")

    @property
    def roughest(self) -> Descent:
        """The subgradient's descent with the largest steps."""
        return next(run for run in self.descents if run.name == "subgradient")

    @property
    def by_sgd(self) -> Network:
        """SGD, the penalty in the loss, a learning rate that falls to 0."""
        return self.networks["hand, SGD"]

    @property
    def by_hand(self) -> Network:
        """Adam, the penalty in the loss, a learning rate that falls to 0."""
        return self.networks["hand, Adam"]

    @property
    def ours(self) -> Network:
        """DualAdam, the penalty in its step."""
        return self.networks["DualAdam"]

    @property
    def ours_constant(self) -> Network:
        """DualAdam with a constant learning rate."""
        return self.networks["DualAdam, constant lr"]

    @property
    def by_hand_constant(self) -> Network:
        """The same with a constant learning rate."""
        return self.networks["hand, Adam, constant lr"]

    @property
    def decayed(self) -> Network:
        """Adam with `weight_decay` and no L1."""
        return self.networks["Adam with weight_decay"]

    @property
    def last_seed(self) -> int:
        """Seeds count from 0."""
        return self.n_seeds - 1

    def slope_table(self) -> str:
        """The pull of both penalties by the size of the weight."""
        rows = [[f"{size:g}", *(f"{slope[k]:g}" for slope in self.slopes.values())] for k, size in enumerate(SIZES)]
        return markdown_table(["weight", *(f"pull of {name}" for name in self.slopes)], rows)

    def step_table(self) -> str:
        """Steps to zero."""
        rows = [
            [f"{size:g}", f"{steps_due(size)}", f"{count}", f"{left:.2g}"] for size, (count, left) in self.steps.items()
        ]
        return markdown_table(["lr·α", "1 / (lr·α), rounded up", "steps of L1 to 0", "L2's weight then"], rows)

    def one_table(self) -> str:
        """One weight with data."""
        rows = [
            [
                r.name,
                "never" if r.arrival < 0 else str(r.arrival),
                f"{r.zeros:.0%}",
                f"{r.flips:.0%}",
                f"{r.amplitude:.2g}",
            ]
            for r in self.one.values()
        ]
        heads = [
            "optimizer",
            "0 for good after step",
            "steps at exactly 0",
            "steps that change the sign",
            "largest weight",
        ]
        return markdown_table(heads, rows)

    def descent_table(self) -> str:
        """The lasso of the diabetes data."""
        rows = [[run.name, f"{run.rate:g}", f"{run.floor:.1e}", run.zeros] for run in self.descents]
        return markdown_table(["penalty's step", "lr", "left of the objective", "exact zeros of 10"], rows)

    def network_table(self) -> str:
        """All ways of training."""
        rows = [
            [n.name, f"{n.zeros:.1%}", f"{n.small:.1%}", f"{n.flips:.2%}", f"{n.accuracy:.1%}", f"{n.objective:.4f}"]
            for n in self.networks.values()
        ]
        heads = ["training", "exact zeros", "below 1e-4", "sign changes per step", "test accuracy", "loss + α‖w‖₁"]
        return markdown_table(heads, rows)


def steps_due(size: float) -> int:
    """Steps of `size` from 1 to 0."""
    return math.ceil(1.0 / size)
