"""What claim 2 measured, and its tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shrinkage.claims._markdown import markdown_table

DECAY_OF_ADAMW, RATE_OF_ADAMW, TERM = 0.01, 1e-3, 0.01
"""The common snippet: AdamW(lr=1e-3, weight_decay=0.01) and 0.01 times the sum of squares in the loss."""
RIDGE_STEPS = 2_400


@dataclass(frozen=True)
class Run:
    """Two trainings from one start on the same batches, compared after every step.

    Attributes
    ----------
    name : str
    distances : ndarray of shape (n_seeds, n_steps)
        ‖w - w'‖ / ‖w'‖ over the penalized weights; w' is the run with λ Σw² in its loss.
    blind : float
        What the last step of the first seed left of the weights of pixels without ink, as a factor per step.
    """

    name: str
    distances: np.ndarray
    blind: float

    @property
    def distance(self) -> float:
        """The largest relative distance over seeds and steps."""
        return float(self.distances.max())


@dataclass(frozen=True)
class DecayInSGD:
    """What was measured.

    Attributes
    ----------
    rate, strength, momentum : float
    n_seeds, n_steps, n_weights : int
    plain, heavy : mapping of str to Run
        Without momentum, and with it.
    converted : float
        The `weight_decay` of torch's SGD that `units` gives for λ Σw².
    ridge : mapping of str to (float, float)
        Distance of the weights of "loss" and of "shrink" under momentum from `Ridge` at their 2λ, and at 2λ(1-μ).
    norms : mapping of str to float
        Norm of the network's weights after AdamW: "neither", "decay", "term", "both".
    alarms : mapping of str to int
        How many parameters `decay_report` finds decayed twice, in the same four trainings.
    n_decayed : int
        Parameters of the network that AdamW decays.
    warning : str
        The first of those alarms.
    """

    rate: float
    strength: float
    momentum: float
    n_seeds: int
    n_steps: int
    n_weights: int
    plain: Mapping[str, Run]
    heavy: Mapping[str, Run]
    converted: float
    ridge: Mapping[str, tuple[float, float]]
    norms: Mapping[str, float]
    alarms: Mapping[str, int]
    n_decayed: int
    warning: str
    n_images: int
    ridge_steps: int = RIDGE_STEPS

    @property
    def factor(self) -> float:
        """1 - 2·lr·λ, the factor of λ Σw²."""
        return 1 - 2 * self.rate * self.strength

    @property
    def half_factor(self) -> float:
        """1 - lr·λ, the factor of (λ/2) Σw²."""
        return 1 - self.rate * self.strength

    @property
    def prox_factor(self) -> float:
        """1 / (1 + 2·lr·λ), the factor of the proximal step of L2(2λ)."""
        return 1 / (1 + 2 * self.rate * self.strength)

    @property
    def second(self) -> float:
        """What the snippet's second decay takes off the norm that the first, the term, leaves; as a share."""
        return 1 - self.norms["both"] / self.norms["term"]

    @property
    def second_alone(self) -> float:
        """What AdamW's decay takes of a weight in these steps where nothing else moves it."""
        return 1 - (1 - RATE_OF_ADAMW * DECAY_OF_ADAMW) ** self.n_steps

    @property
    def second_later(self) -> float:
        """The same in a hundred times as many steps."""
        return 1 - (1 - RATE_OF_ADAMW * DECAY_OF_ADAMW) ** (100 * self.n_steps)

    @property
    def last_seed(self) -> int:
        """Seeds go from 0 to this one."""
        return self.n_seeds - 1

    def table(self) -> str:
        """The runs without momentum, as Markdown."""
        rows = [
            [run.name, "" if name == "loss" else f"{run.distance:.1e}", f"{run.blind:.9f}"]
            for name, run in self.plain.items()
        ]
        return markdown_table(["run, plain SGD", "largest distance from `loss + λ * Σw²`", "factor per step"], rows)

    def momentum_table(self) -> str:
        """The runs with momentum, as Markdown."""
        rows = [[run.name, f"{run.distance:.1e}"] for name, run in self.heavy.items() if name != "loss"]
        return markdown_table([f"run, momentum {self.momentum:g}", "largest distance from `loss + λ * Σw²`"], rows)

    def snippet_table(self) -> str:
        """AdamW and the term in the loss, as Markdown."""
        said = {
            "neither": "neither",
            "decay": f"`AdamW(weight_decay={DECAY_OF_ADAMW:g})`",
            "term": f"`loss + {TERM:g} * Σw²`",
            "both": "both, as in the snippet",
        }
        rows = [[words, f"{self.norms[name]:.4f}", self.alarms[name]] for name, words in said.items()]
        return markdown_table(["decayed by", "norm of all weights", "alarms of double decay"], rows)
