"""The columns of X that a stretch of a path may need: a second, smaller X to look ahead in."""

import numpy as np

from shrinkage import _core
from shrinkage.design import DenseDesign
from shrinkage.solvers._growing import Columns

MARGIN = 0.05  # how far slopes may change before a predicted feature is missed; share of the step in strength


class Panel:
    """Columns of a dense X side by side, with their correlations at the strength reached, and the slopes of these.

    A path walks several batches on a panel between two passes over X. Products with a panel cost as little as it is
    narrow, so its slopes are fresh and the working set stays close to the support. A column-major X is read where it
    lies; of any other the columns are copied.

    Parameters
    ----------
    design : DenseDesign
    inverse_l1 : ndarray of shape (n_features,)
        1 / l1 weight, 0 for free columns.
    most : int
        Columns that it may hold; when more are wanted, it begins anew.
    """

    def __init__(self, design: DenseDesign, inverse_l1: np.ndarray, most: int):
        self._design, self._inverse_l1, self.most = design, inverse_l1, most
        self._in_place = bool(design.values.flags.f_contiguous and design.values.flags.aligned)
        self.clear()

    def clear(self) -> None:
        """Forget all columns."""
        self._copies = None if self._in_place else Columns(self._design.shape[0], self.most)
        self.features = np.zeros(0, np.int64)
        self._inverse = np.zeros(0)
        self._taken = np.zeros(0, bool)  # those that are in the working set
        self._place = np.full(self._design.shape[1], -1)
        self._correlations, self._slopes, self._at = np.zeros(0), None, np.inf

    def hold(self, wanted: np.ndarray) -> None:
        """Have these columns, none of which is in the working set; if there is no room for the new ones, only these."""
        new = wanted[self._place[wanted] < 0]
        if len(self.features) + len(new) > self.most:
            self.clear()
            new = wanted[: self.most]
        if not len(new):
            return
        if self._copies is not None:
            self._design.gather(new, np.zeros(len(new)), None, self._copies.append(len(new)))
        self._place[new] = len(self.features) + np.arange(len(new))
        self.features = np.concatenate([self.features, new])
        self._inverse = np.concatenate([self._inverse, self._inverse_l1[new]])
        self._taken = np.concatenate([self._taken, np.zeros(len(new), bool)])

    def take(self, features: np.ndarray) -> None:
        """Learn that features have joined the working set."""
        places = self._place[features]
        self._taken[places[places >= 0]] = True

    def stand(self, theta: np.ndarray, strengths: np.ndarray) -> None:
        """Learn correlations and slopes from the dual points (n_samples, k) of the last k strengths, k = 1 or 2."""
        if not len(self.features):
            return
        products = self._correlate(theta)
        latest = np.ascontiguousarray(products[:, -1])
        if len(strengths) > 1:
            self._slopes = (products[:, 0] - latest) / (strengths[0] - strengths[1])
        elif len(self._correlations) == len(latest) and self._at > strengths[-1]:
            self._slopes = (self._correlations - latest) / (self._at - strengths[-1])
        else:
            self._slopes = None
        self._correlations, self._at = latest, float(strengths[-1])

    def candidates(self, target: float) -> tuple[np.ndarray, np.ndarray]:
        """Features that may be needed down to a strength, and by how much each exceeds it."""
        step = max(self._at - target, 0.0)
        if self._slopes is None:
            excess = np.abs(self._correlations) * self._inverse + step
        else:
            excess = np.abs(self._correlations - step * self._slopes) * self._inverse + MARGIN * step
        excess -= target
        places = np.flatnonzero((excess >= 0) & ~self._taken)
        return self.features[places], excess[places]

    def violators(self, strength: float, tol: float) -> tuple[np.ndarray, np.ndarray]:
        """Features outside the working set that break their optimality condition at `strength`, and |c_j| / l1_j."""
        ratio = np.abs(self._correlations) * self._inverse
        places = np.flatnonzero((ratio > strength * (1 + tol)) & ~self._taken)
        return self.features[places], ratio[places]

    def products(self, features: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """(k, T) correlations of some of its columns with dual points."""
        if self._copies is not None:
            return self._copies.values[:, self._place[features]].T @ theta
        return self._listed(features, theta)

    def _correlate(self, theta: np.ndarray) -> np.ndarray:
        if self._copies is not None:
            return DenseDesign(self._copies.values).correlate(theta)
        return self._listed(self.features, theta)

    def _listed(self, features: np.ndarray, theta: np.ndarray) -> np.ndarray:
        products = np.empty((len(features), theta.shape[1]), order="F")
        _core.listed_products(self._design.values, features, np.asfortranarray(theta), products)
        return products
