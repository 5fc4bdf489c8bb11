"""What claim 7 measured, and its tables."""

from dataclasses import dataclass

import numpy as np

from shrinkage.claims._markdown import markdown_table

PLACES = (0.0, 2.0, 4.0)
"""Where densities are compared."""


@dataclass(frozen=True)
class Density:
    """Densities of the normal and the Laplace prior of two penalties.

    Attributes
    ----------
    normal, laplace : tuple of float
        At 0, 2 and 4.
    crossing : float
        Beyond it the Laplace density is the higher one, for ever.
    """

    normal: tuple[float, ...]
    laplace: tuple[float, ...]
    crossing: float

    def table(self) -> str:
        """Both densities at the places."""
        rows = [
            ["normal (L2)", *(f"{d:.4f}" for d in self.normal)],
            ["Laplace (L1)", *(f"{d:.4f}" for d in self.laplace)],
        ]
        return markdown_table(["prior", *(f"at {place:g}" for place in PLACES)], rows)


@dataclass(frozen=True)
class Mode:
    """The most probable weights of a prior, found without the penalty, against the penalized fit.

    Attributes
    ----------
    name : str
    distance : float
        Of the weights, in units of their length.
    identity : float
        Largest |log posterior + S F / φ - constant| over random weights, in units of its largest change.
    """

    name: str
    distance: float
    identity: float


@dataclass(frozen=True)
class Chosen:
    """A strength by evidence and by cross-validation, on real data.

    Attributes
    ----------
    name : str
    by_evidence, error : float
        Strength, and standard error of its logarithm.
    alpha_min, alpha_1se : float
    loss, best, se : float
        Held-out error at the evidence's strength, the lowest one, and that one's standard error.
    """

    name: str
    by_evidence: float
    error: float
    alpha_min: float
    alpha_1se: float
    loss: float
    best: float
    se: float


@dataclass(frozen=True)
class Priors:
    """What claim 7 measured.

    Attributes
    ----------
    unit_scale, unit_variance : Density
        Of L2(1) and L1(1) for one row, and of two penalties whose priors have variance 1.
    modes : tuple of Mode
    precisions : tuple of (float, float, float)
        Strength of an L2, 1/variance of its prior's draws, and S α / φ.
    round_trip : float
        Largest relative change of a strength by way of its prior and back.
    posterior_error : float
        Relative distance of the posterior's precision from that of prior and data, added.
    chosen : tuple of Chosen
    ratios : mapping of str to ndarray
        Strength over φ / (S τ²), the prior that the weights were drawn from, by data set and way of choosing.
    excess : mapping of str to float
        Mean ‖w - w*‖² over data sets at the strength of each, and at the true one ("truth").
    n_seeds : int
    """

    unit_scale: Density
    unit_variance: Density
    modes: tuple[Mode, ...]
    precisions: tuple[tuple[float, float, float], ...]
    round_trip: float
    posterior_error: float
    chosen: tuple[Chosen, ...]
    ratios: dict[str, np.ndarray]
    excess: dict[str, float]
    n_seeds: int

    @property
    def last_seed(self) -> int:
        """Seeds count from 0."""
        return self.n_seeds - 1

    def mode_table(self) -> str:
        """Most probable weights against penalized fits."""
        rows = [[mode.name, f"{mode.distance:.0e}", f"{mode.identity:.0e}"] for mode in self.modes]
        return markdown_table(["data, prior", "distance of the weights", "log posterior + S F / φ, change"], rows)

    def precision_table(self) -> str:
        """The strength as a precision."""
        rows = [[f"{alpha:g}", f"{met:.4f}", f"{due:.4f}"] for alpha, met, due in self.precisions]
        return markdown_table(["α of L2", "1 / variance of 200,000 draws", "S α / φ"], rows)

    def chosen_table(self) -> str:
        """Strengths of real data."""
        rows = []
        for c in self.chosen:
            strengths = [f"{alpha:.3g}" for alpha in (c.by_evidence, c.alpha_min, c.alpha_1se)]
            rows.append([c.name, *strengths, f"{c.loss:.4g}", f"{c.best:.4g} ± {c.se:.2g}"])
        heads = ["data, prior", "evidence", "CV: least error", "CV: one SE", "held out at evidence's", "at the least"]
        return markdown_table(heads, rows)

    def ratio_table(self) -> str:
        """Strengths over the true one."""
        rows = []
        for name, values in self.ratios.items():
            low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
            rows.append([name, f"{low:.2f}", f"{middle:.2f}", f"{high:.2f}", f"{self.excess[name]:.3f}"])
        rows.append(["the true prior", "1", "1", "1", f"{self.excess['truth']:.3f}"])
        return markdown_table(["strength by", "10% of data sets", "median", "90%", "mean error of the weights²"], rows)
