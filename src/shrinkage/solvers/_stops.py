"""When the rest of a path is not worth its time: asked while it is walked, and once more when it is recorded."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shrinkage.problem import MultinomialProblem, Problem, mean_losses
from shrinkage.solvers._batches import Certified, Driver
from shrinkage.solvers._class_driver import class_columns
from shrinkage.solvers._records import Ending, FoldColumns
from shrinkage.solvers._screened import ScreenedDriver

MOST_EXPLAINED = 0.999  # of the null model's loss
LEAST_GAIN = 1e-5  # of the share explained, from one strength to the next
FEWEST = 5  # strengths that are always fitted
LAG = 5  # strengths for which scores must not have got better
_AT_ONCE = 8  # strengths whose linear predictors are held


@dataclass(frozen=True)
class Stop:
    """The rule of `stop="auto"`: glmnet's for a path, and one for scores of rows held out.

    Parameters
    ----------
    fold_weights : ndarray of shape (n_folds,), optional
        Sums of the weights held out; None where there are no folds.
    more_is_better : bool
    may_pause : bool
        Whether a strength that gains nothing may be followed by one that does, as under a penalty that is not convex,
        whose fits stand still between two entries: then it ends nothing.
    """

    fold_weights: np.ndarray | None = None
    more_is_better: bool = False
    may_pause: bool = False

    def watch(self, driver: Any, problem: Problem) -> None:
        """Let a driver stop after the batch in which a strength ends the path; one that goes by moments needs none."""
        if not isinstance(driver, Driver | ScreenedDriver):
            return
        losses: list[np.ndarray] = []
        null = float(driver.null_objectives[0])

        def enough(start: int, features: np.ndarray, coefs: np.ndarray) -> bool:
            found = driver.result
            block = np.concatenate([found.coefs[-1], found.free_coefs[-1]])
            features = np.concatenate([features[: len(found.coefs[-1])], problem.free])
            losses.append(_losses(problem, features, block, found.intercepts[-1]))
            return self.end(np.concatenate(losses), null, np.concatenate([s for s, _ in found.scores])) is not None

        driver.watch = enough

    def watch_classes(self, driver: Driver, problem: MultinomialProblem) -> None:
        """As `watch`, where a model has several classes."""
        losses: list[np.ndarray] = []
        null = float(driver.null_objectives[0])

        def enough(*_: Any) -> bool:
            found = driver.result
            last = Certified(found.features[-1:], found.coefs[-1:], free_coefs=found.free_coefs[-1:])
            coefs = class_columns(problem.design.shape[1], problem.n_classes, problem.free, last)
            losses.append(problem.losses(coefs, found.intercepts[-1]))
            return self.end(np.concatenate(losses), null, np.concatenate([s for s, _ in found.scores])) is not None

        driver.watch = enough

    def end(self, losses: np.ndarray, null: float, scores: np.ndarray) -> tuple[int, Ending] | None:
        """How many strengths to keep of those with these losses (T,) and scores (T, n_folds), and why; None: all."""
        found = [end for end in (self._end_of_losses(losses, null), self._end_of_scores(scores)) if end is not None]
        return min(found, key=lambda end: end[0]) if found else None

    def _end_of_losses(self, losses: np.ndarray, null: float) -> tuple[int, Ending] | None:
        """The rule of glmnet, on the share of the null model's loss that is explained."""
        if null <= 0:
            return None
        explained = 1.0 - losses / null
        for t in range(FEWEST - 1, len(losses)):
            if explained[t] > MOST_EXPLAINED:
                return t + 1, Ending.EXPLAINED
            if not self.may_pause and explained[t] - explained[t - 1] < LEAST_GAIN * explained[t]:
                return t + 1, Ending.FLAT
        return None

    def _end_of_scores(self, scores: np.ndarray) -> tuple[int, Ending] | None:
        if self.fold_weights is None or scores.shape[1] < 2:
            return None
        share = self.fold_weights / self.fold_weights.sum()
        mean = scores @ share
        se = np.sqrt(((scores - mean[:, None]) ** 2) @ share / (scores.shape[1] - 1))
        worse = -mean if self.more_is_better else mean
        best = 0
        for t in range(len(mean)):
            if worse[t] < worse[best]:
                best = t
            elif t - best >= LAG and worse[t] > worse[best] + se[best]:
                return t + 1, Ending.WORSE
        return None

    def cut(self, problem: Problem | MultinomialProblem, columns: FoldColumns) -> FoldColumns:
        """The record up to the strength that ends the path."""
        path, null = columns.path, problem.null.objective
        if isinstance(problem, MultinomialProblem):
            losses = problem.losses(path.coefs, path.intercepts)
        else:
            parts = [(path.coefs[:, some], path.intercepts[some]) for some in _groups(len(path.alphas))]
            losses = np.concatenate([_losses(problem, *_support(coefs), levels) for coefs, levels in parts])
        end = self.end(losses, null, columns.scores)
        if end is None:
            return columns
        kept = slice(0, end[0])
        path = replace(
            path,
            alphas=path.alphas[kept],
            coefs=path.coefs[:, kept],
            intercepts=path.intercepts[..., kept],
            gaps=path.gaps[kept],
            kkt=path.kkt[kept],
            n_iter=path.n_iter[kept],
            status=path.status[kept],
            ending=end[1],
        )
        return FoldColumns(path, columns.scores[kept], columns.gaps[kept])


def _losses(problem: Problem, features: np.ndarray, coefs: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
    """(T,) mean losses of models whose coefficients (m, T) are those of some features."""
    out = np.empty(len(intercepts))
    start = 0.0 if problem.offset is None else problem.offset[:, None]
    for some in _groups(len(out)):
        block = coefs[:, some]
        on = np.flatnonzero(block.any(axis=1))
        eta = start + np.zeros((len(problem.y), block.shape[1])) + intercepts[some]
        if on.size:
            eta += problem.design.combine(features[on], np.asfortranarray(block[on]))
        out[some] = mean_losses(problem.loss, problem.y, eta, problem.weights)
    return out


def _support(coefs: Any) -> tuple[np.ndarray, np.ndarray]:
    """The features that a CSC block of coefficients uses, and it on them."""
    features = np.unique(coefs.indices).astype(np.int64)
    return features, coefs[features].toarray()


def _groups(count: int) -> list[slice]:
    return [slice(start, min(start + _AT_ONCE, count)) for start in range(0, count, _AT_ONCE)]
