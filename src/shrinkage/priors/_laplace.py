"""SciPy's Laplace distribution, with logarithms that do not underflow in its tails."""

from typing import Any

import numpy as np
from scipy import stats

LaplaceOfScipy: Any = type(stats.laplace)


class LaplaceDistribution(LaplaceOfScipy):
    """`scipy.stats.laplace`, whose logpdf, logsf and logcdf stay finite where the density itself underflows.

    Beyond 745 scales SciPy's are the logarithm of 0. Weights that far out are usual where a strength is large.

    Examples
    --------
    >>> from scipy import stats
    >>> from shrinkage import L1
    >>> from shrinkage.priors import to_distribution
    >>> prior = to_distribution(L1(1.0), n_samples=1)
    >>> float(prior.logpdf(1000.0).round(4)), float(prior.pdf(1.0)) == float(stats.laplace.pdf(1.0))
    (-1000.6931, True)
    """

    def _logpdf(self, x: Any, *args: Any) -> Any:
        return -np.abs(x) - np.log(2.0)

    def _logsf(self, x: Any, *args: Any) -> Any:
        tail = -np.abs(x) - np.log(2.0)
        return np.where(x > 0, tail, np.log1p(-np.exp(tail)))

    def _logcdf(self, x: Any, *args: Any) -> Any:
        return self._logsf(-x)


laplace: Any = LaplaceDistribution(name="laplace")
