"""What the solver of bounded groups asks of a loss: its value, slope and Hessian over rows of K linear predictors."""

from typing import Any

import numpy as np

from shrinkage.losses import Multinomial
from shrinkage.problem import MultinomialProblem, Problem, row_loss

_LOSS = Multinomial()
LEAST_CURVATURE = 1e-9  # of the largest of a row


class ClassRows:
    """The multinomial loss."""

    shifts = True  # a number added to all K predictors of a row changes nothing

    def __init__(self, problem: MultinomialProblem):
        self._y, self._weights = problem.y, problem.weights

    def value(self, eta: np.ndarray) -> float:
        """The mean loss at linear predictors (n, K)."""
        return float(self._weights @ _LOSS.value(self._y, eta))

    def slope(self, eta: np.ndarray) -> np.ndarray:
        """(n, K) its derivative."""
        return self._weights[:, None] * _LOSS.gradient(self._y, eta)

    def hessian(self, eta: np.ndarray, A: np.ndarray, rows: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Its second derivative in coefficients of columns `rows` of A, each in its own of the K predictors."""
        p, columns = _LOSS.inverse_link(eta), A[:, rows]
        root = np.sqrt(self._weights)[:, None] * columns
        both = root * p[:, classes]
        out = -(both.T @ both)
        for k in range(p.shape[1]):
            own = np.flatnonzero(classes == k)
            out[np.ix_(own, own)] += root[:, own].T @ (p[:, [k]] * root[:, own])
        return out


class ResponseRows:
    """A loss of one row, for each of K responses; more than one of them have the squared loss."""

    shifts = False

    def __init__(self, problem: Problem, K: int):
        self._loss, self._y = row_loss(problem.loss), np.reshape(problem.y, (-1, K))
        self._weights, self._squared = problem.weights[::K], problem.loss.name == "squared"
        self._gram: tuple[Any, np.ndarray] = (None, np.zeros((0, 0)))

    def value(self, eta: np.ndarray) -> float:
        """The mean loss at linear predictors (n, K)."""
        return float(self._weights @ self._loss.value(self._y, eta).sum(axis=1))

    def slope(self, eta: np.ndarray) -> np.ndarray:
        """(n, K) its derivative."""
        return self._weights[:, None] * self._loss.gradient(self._y, eta)

    def hessian(self, eta: np.ndarray, A: np.ndarray, rows: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Its second derivative in coefficients of columns `rows` of A, each in its own of the K predictors."""
        if self._squared:
            if self._gram[0] is not A:
                self._gram = (A, A.T @ (self._weights[:, None] * A))
            return self._gram[1][np.ix_(rows, rows)] * (classes[:, None] == classes)
        curvature = self._loss.curvature(self._y, eta)[:, 0]
        curvature = np.maximum(curvature, LEAST_CURVATURE * curvature.max(initial=0.0))
        return A[:, rows].T @ ((self._weights * curvature)[:, None] * A[:, rows])
