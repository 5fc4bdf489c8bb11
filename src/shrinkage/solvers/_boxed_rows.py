"""What the solver of bounded groups asks of a loss: its value, slope and quadratic model over rows of K predictors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from shrinkage.losses import Multinomial
from shrinkage.problem import MultinomialProblem, Problem, bounding_curvature, is_kinked, row_loss

_LOSS = Multinomial()
LEAST_CURVATURE = 1e-9  # of the largest of a row
Model = tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]


class ClassRows:
    """The multinomial loss."""

    kinked, curved = False, True

    def __init__(self, problem: MultinomialProblem):
        self._y, self._weights = problem.y, problem.weights

    def slope(self, eta: np.ndarray) -> np.ndarray:
        """(n, K) the derivative of the mean loss at linear predictors (n, K)."""
        return self._weights[:, None] * _LOSS.gradient(self._y, eta)

    def model(self, eta: np.ndarray, A: np.ndarray, r: int, columns: np.ndarray, z: np.ndarray, share: float) -> Model:
        """The quadratic of some columns of A with the first r, which are free, eliminated; z minus the gradients.

        Returns
        -------
        H : ndarray of shape (K m, K m), or (m, m) where it is the same for every predictor, and acts on each alone
        linear : ndarray of shape (K m,)
        back : callable, from moves of the columns (m, K) to the best ones of the free block (r, K)
        """
        on, K = np.concatenate([np.arange(r), columns]), eta.shape[1]
        B, p = np.asfortranarray(A[:, on]), _LOSS.inverse_link(eta)
        whole = np.empty((len(on), K, len(on), K))
        for k in range(K):
            for m in range(k + 1):
                c = self._weights * p[:, k] * (float(k == m) - p[:, m])
                whole[:, k, :, m] = B.T @ (c[:, None] * B)
                whole[:, m, :, k] = whole[:, k, :, m]
        return _eliminated(whole.reshape((len(on) * K,) * 2), z[on], r * K)


class ResponseRows:
    """A loss of one row, for each of K responses; more than one of them have the squared loss."""

    def __init__(self, problem: Problem, K: int):
        self._loss, self._y = row_loss(problem.loss), np.reshape(problem.y, (-1, K))
        self._weights, self._squared = problem.weights[::K], problem.loss.name == "squared"
        self.kinked, self.curved = is_kinked(self._loss), not self._squared
        self._gram: tuple[Any, np.ndarray] = (None, np.zeros((0, 0)))

    def slope(self, eta: np.ndarray) -> np.ndarray:
        """(n, K) the derivative of the mean loss at linear predictors (n, K)."""
        return self._weights[:, None] * self._loss.gradient(self._y, eta)

    def model(self, eta: np.ndarray, A: np.ndarray, r: int, columns: np.ndarray, z: np.ndarray, share: float) -> Model:
        """As `ClassRows.model`; rows of a kinked loss have a share of the curvature that bounds it."""
        if self._squared:  # columns are orthogonal to the free block, which the null model has fitted
            if self._gram[0] is not A:
                self._gram = (A, A.T @ (self._weights[:, None] * A))
            H = np.asfortranarray(self._gram[1][np.ix_(columns, columns)])
            return H, z[columns].ravel(), lambda move: np.zeros((r, move.shape[1]))
        curvature = self._loss.curvature(self._y, eta)[:, 0]
        if share > 0:
            curvature = np.maximum(curvature, share * bounding_curvature(self._loss, self._y[:, 0], eta[:, 0]))
        curvature = np.maximum(curvature, LEAST_CURVATURE * curvature.max(initial=0.0))
        on = np.concatenate([np.arange(r), columns])
        B = np.asfortranarray(A[:, on])
        return _eliminated(B.T @ ((self._weights * curvature)[:, None] * B), z[on], r)


def _eliminated(whole: np.ndarray, z: np.ndarray, free: int) -> Model:
    """The model of coefficients beyond the first `free` ones, which follow them."""
    inverse = np.linalg.pinv(whole[:free, :free], rcond=1e-13, hermitian=True)
    mixed, flat, K = whole[:free, free:], z.ravel(), z.shape[1]
    H = np.asfortranarray(whole[free:, free:] - mixed.T @ (inverse @ mixed))
    linear = flat[free:] - mixed.T @ (inverse @ flat[:free])
    return H, linear, lambda move: (inverse @ (flat[:free] - mixed @ move.ravel())).reshape((-1, K))
