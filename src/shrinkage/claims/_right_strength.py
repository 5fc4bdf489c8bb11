"""Training minimizes loss plus strength times penalty; too strong underfits, too weak overfits, between generalizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._path import path
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.datasets import load_breast_cancer, load_diabetes
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1, L2
from shrinkage.problem import Problem

N_STRENGTHS, LOWEST, TOL = 40, 1e-5, 1e-6
NEAR = 1.05
"""What has at most this many times the lowest held-out loss counts as generalizing."""
CLEAR = 2.0
"""How many standard errors of a mean over splits make a difference clear."""
LOSSES = {"diabetes": Squared(), "breast cancer": Logistic()}
PENALTIES = {"lasso": L1(1.0), "ridge": L2(1.0)}


@dataclass(frozen=True)
class Curve:
    """Losses of one model against the strength, over random halves of the data.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Largest first.
    train, held : ndarray of shape (n_splits, n_alphas)
        Mean loss on the half that was trained on, and on the other.
    size : ndarray of shape (n_splits, n_alphas)
        R(w): Σ|w| or ½ Σw².
    gap : float
        The largest relative duality gap.
    """

    alphas: np.ndarray
    train: np.ndarray
    held: np.ndarray
    size: np.ndarray
    gap: float

    @property
    def best(self) -> int:
        """Place of the lowest mean held-out loss."""
        return int(np.argmin(self.held.mean(0)))

    @property
    def excess(self) -> np.ndarray:
        """(n_alphas,) mean held-out loss above the lowest, in standard errors of that paired mean; 0 at the lowest."""
        above = self.held - self.held[:, [self.best]]
        error = above.std(0, ddof=1) / np.sqrt(len(above))
        return np.divide(above.mean(0), error, out=np.zeros(len(error)), where=error > 0)

    @property
    def overfits(self) -> float:
        """Mean held-out loss over training loss at the smallest strength."""
        return float(self.held[:, -1].mean() / self.train[:, -1].mean())

    @property
    def underfits(self) -> float:
        """The same at the largest."""
        return float(self.held[:, 0].mean() / self.train[:, 0].mean())

    @property
    def right(self) -> tuple[int, int]:
        """Places of the largest and the smallest strength around the best whose held-out loss is within 5 % of its."""
        held = self.held.mean(0)
        worse = np.flatnonzero(held > NEAR * held[self.best])
        before, after = worse[worse < self.best], worse[worse > self.best]
        first = int(before[-1]) + 1 if len(before) else 0
        return first, int(after[0]) - 1 if len(after) else len(self.alphas) - 1


@dataclass(frozen=True)
class RightStrength:
    """What was measured.

    Attributes
    ----------
    n_splits, n_strengths : int
    curves : mapping of str to Curve
        "diabetes, lasso" and the other three.
    stated : float
        Largest difference between `Problem.objective` and data loss + λ·R(w), each written out, over the objective.
    by_hand, ours : float
        The objective that a quasi-Newton loop reaches on a loss written by hand, and that of `path`.
    certified : float
        Duality gap of ours: no weights whatever have an objective lower than `ours` by more than this.
    """

    n_splits: int
    n_strengths: int
    curves: Mapping[str, Curve]
    stated: float
    by_hand: float
    ours: float
    certified: float

    @property
    def near(self) -> float:
        """How far above the lowest held-out loss still counts as generalizing, as a share."""
        return NEAR - 1

    @property
    def overfits(self) -> tuple[float, float]:
        """The smallest and the largest of the curves' held-out over training losses at the weakest penalty."""
        ratios = [curve.overfits for curve in self.curves.values()]
        return min(ratios), max(ratios)

    @property
    def underfits(self) -> float:
        """The ratio furthest from 1 at the strongest penalty, as a distance from 1."""
        return max(abs(curve.underfits - 1) for curve in self.curves.values())

    def table(self) -> str:
        """Losses at the weakest, the best and the strongest penalty, as Markdown."""
        rows = ["| | λ weakest | | λ best | | λ strongest | |", "|---|--:|--:|--:|--:|--:|--:|"]
        rows.append("| | train | held out | train | held out | train | held out |")
        for name, curve in self.curves.items():
            places = (len(curve.alphas) - 1, curve.best, 0)
            pairs = [f"{curve.train[:, k].mean():.4g} | {curve.held[:, k].mean():.4g}" for k in places]
            rows.append(f"| {name} | {' | '.join(pairs)} |")
        return "\n".join(rows)

    def regions(self) -> str:
        """The three regions of each curve, and the best strengths of single splits, as Markdown."""
        rows = ["| | overfits below λ = | best | underfits above | best of a single split, 5 to 95 % |"]
        rows.append("|---|--:|--:|--:|--:|")
        for name, curve in self.curves.items():
            first, last = curve.right
            numbers = [curve.alphas[place] for place in (last, curve.best, first)]
            low, high = np.quantile(curve.alphas[curve.held.argmin(1)], [0.05, 0.95])
            rows.append(f"| {name} | {' | '.join(f'{x:.2g}' for x in numbers)} | {low:.2g} to {high:.2g} |")
        return "\n".join(rows)


def measure(quick: bool) -> RightStrength:
    """Fit paths on random halves of two real data sets and judge every strength on the other halves."""
    n_splits = 8 if quick else 40
    data = {"diabetes": diabetes(), "breast cancer": breast_cancer()}
    curves = {
        f"{source}, {name}": _curve(*data[source], LOSSES[source], penalty, n_splits)
        for source in data
        for name, penalty in PENALTIES.items()
    }
    stated, by_hand, ours, certified = _objective(*data["breast cancer"])
    return RightStrength(n_splits, N_STRENGTHS, curves, stated, by_hand, ours, certified)


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """Ten columns and all their products, against the standardized progression of diabetes."""
    data = load_diabetes()
    X = (data.X - data.X.mean(0)) / data.X.std(0)
    first, second = np.triu_indices(X.shape[1])
    products = X[:, first] * X[:, second]
    many = np.column_stack([X, products[:, products.std(0) > 1e-12]])
    return many, (data.y - data.y.mean()) / data.y.std()


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """Thirty measurements of cell nuclei; 1 is malignant."""
    data = load_breast_cancer()
    return data.X, (data.y == "malignant").astype(np.float64)


def _curve(X: np.ndarray, y: np.ndarray, loss: Any, penalty: Any, n_splits: int) -> Curve:
    """Train on half of the rows, judge on the others; columns are standardized by the training half."""
    found = []
    top = max(_problem(X, y, loss, L1(1.0), rows).alpha_max for rows, _ in _halves(len(y), n_splits))
    alphas = np.geomspace(top * (1.0 if penalty.l1_ratio else 100.0), top * LOWEST, N_STRENGTHS)
    for rows, others in _halves(len(y), n_splits):
        mean, sd = X[rows].mean(0), X[rows].std(0)
        Z = (X - mean) / np.where(sd > 0, sd, 1.0)
        fit = path(Z[rows], y[rows], loss=loss.name, l1_ratio=penalty.l1_ratio, alphas=alphas, tol=TOL)
        coefs = fit.coefs.toarray()
        eta = Z @ coefs + fit.intercepts
        values = np.column_stack([loss.value(y, eta[:, k]) for k in range(len(alphas))])
        sizes = [float(penalty.value(coefs[:, k])) for k in range(len(alphas))]
        found.append((values[rows].mean(0), values[others].mean(0), sizes, fit.relative_gaps.max()))
    train, held, size, gaps = (np.array(part) for part in zip(*found, strict=True))
    return Curve(alphas, train, held, size, float(gaps.max()))


def _halves(n_samples: int, n_splits: int) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    orders = [generator.permutation(n_samples) for _ in range(n_splits)]
    return [(order[: n_samples // 2], order[n_samples // 2 :]) for order in orders]


def _problem(X: np.ndarray, y: np.ndarray, loss: Any, penalty: Any, rows: np.ndarray | slice) -> Problem:
    sd = X[rows].std(0)
    return Problem(as_design((X[rows] - X[rows].mean(0)) / np.where(sd > 0, sd, 1.0)), y[rows], loss, penalty)


def _objective(X: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """The objective as `Problem` states it and as one writes it out; its minimum by a loop by hand and by `path`."""
    from scipy.optimize import minimize

    alpha = 0.01
    Z = (X - X.mean(0)) / X.std(0)
    problem = Problem(as_design(Z), y, Logistic(), L2(alpha))

    def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
        w, eta = v[:-1], Z @ v[:-1] + v[-1]
        value = np.mean(np.logaddexp(0.0, eta) - y * eta) + alpha * 0.5 * np.sum(w**2)
        slope = (1.0 / (1.0 + np.exp(-eta)) - y) / len(y)
        return float(value), np.append(Z.T @ slope + alpha * w, slope.sum())

    generator = np.random.default_rng(0)
    tries = generator.standard_normal((20, Z.shape[1] + 1))
    values = [(problem.objective(v[:-1], v[-1]), objective(v)[0]) for v in tries]
    stated = max(abs(one - other) / other for one, other in values)
    reached = minimize(objective, np.zeros(Z.shape[1] + 1), jac=True, method="L-BFGS-B")
    fit = path(Z, y, loss="logistic", l1_ratio=0.0, alphas=[alpha], tol=TOL)
    w, b = fit.coefs.toarray()[:, 0], float(fit.intercepts[0])
    return float(stated), float(reached.fun), float(problem.objective(w, b)), float(problem.gap(w, b))


def check(record: RightStrength) -> None:
    """Raise `ClaimBroken` unless every part of the claim was measured."""
    expect(record.stated < 1e-12, f"objective and loss + λ·R differ by {record.stated:.1e}; expected rounding")
    below = record.ours - record.by_hand
    expect(abs(below) < 1e-6, f"path minimized to {below:.1e} above a loop by hand; expected less than 1e-6")
    expect(record.certified < 1e-6, f"the certificate leaves {record.certified:.1e}; expected less than 1e-6")
    for name, curve in record.curves.items():
        _check_curve(name, curve)


def _check_curve(name: str, curve: Curve) -> None:
    expect(curve.gap <= TOL, f"{name}: a relative gap of {curve.gap:.1e}; expected at most {TOL:.0e}")
    # At exact minima the loss rises with the strength and the penalty falls; a gap lets each be off by a little.
    slack = 1e-3
    falls = float((curve.train[:, :-1] / curve.train[:, 1:].clip(1e-12)).min())
    expect(falls > 1 - slack, f"{name}: training loss at a larger strength is {falls:.4f} of that at a smaller one")
    grows = float((curve.size[:, 1:] - curve.size[:, :-1]).min() / curve.size.max())
    expect(grows > -slack, f"{name}: R(w) at a smaller strength is lower by {-grows:.1e} of its largest")
    best, train, excess = curve.best, curve.train.mean(0), curve.excess
    inside = 0 < best < len(curve.alphas) - 1
    expect(inside, f"{name}: the best strength is number {best + 1} of {len(curve.alphas)}; expected one inside")
    expect(excess[0] > CLEAR, f"{name}: the largest strength is {excess[0]:.1f} standard errors worse; expected > 2")
    ratio = train[0] / train[best]
    expect(ratio > 1.1, f"{name}: training loss at the largest strength is {ratio:.2f} of the best's; no underfitting")
    expect(excess[-1] > CLEAR, f"{name}: the smallest strength is {excess[-1]:.1f} standard errors worse; expected > 2")
    expect(
        curve.overfits > 1.5, f"{name}: at the smallest strength held out is {curve.overfits:.2f} of train; not > 1.5"
    )
    apart = abs(curve.underfits - 1)
    expect(apart < 0.1, f"{name}: at the largest strength held out is {curve.underfits:.2f} of train; expected about 1")
    ratio = train[-1] / train[best]
    expect(ratio < 0.95, f"{name}: training loss at the smallest strength is {ratio:.2f} of the best's; no overfitting")


def lines(record: RightStrength) -> list[str]:
    """What a terminal shows."""
    said = [f"mean loss at the weakest, best and strongest λ, {record.n_splits} random halves (train | held out):"]
    for name, curve in record.curves.items():
        places = (len(curve.alphas) - 1, curve.best, 0)
        pairs = [f"{curve.train[:, k].mean():.3g} | {curve.held[:, k].mean():.3g}" for k in places]
        said.append(f"  {name:21} {'   '.join(f'{pair:>16}' for pair in pairs)}")
    said.append(
        f"objective = data loss + λ·R to {record.stated:.0e}; no weights can be more than {record.certified:.0e} better"
    )
    return said


def _draw(curve: Curve, axes: Any, unit: str) -> None:
    x, first, last = curve.alphas, *curve.right
    train, held = curve.train.mean(0), curve.held.mean(0)
    axes.semilogx(x, train, color=COLORS[0], linestyle="--", label="trained on")
    axes.semilogx(x, held, color=COLORS[1], label="held out")
    axes.plot(x[curve.best], held[curve.best], "o", color=COLORS[1], markersize=6)
    axes.axvspan(x[last], x[first], color=GRAY, alpha=0.18, linewidth=0)
    top = 1.18 * max(train[0], held[0])
    axes.set_ylim(0, top)
    axes.set_xlim(x[-1], x[0])
    for place, words in (((x[-1] * x[last]) ** 0.5, "overfits"), ((x[0] * x[first]) ** 0.5, "underfits")):
        axes.text(place, 0.98 * top, words, ha="center", va="top", color=GRAY)
    axes.text((x[first] * x[last]) ** 0.5, 0.98 * top, "generalizes", ha="center", va="top", color=GRAY)
    plain_frame(axes)
    axes.set_xlabel("strength λ")
    axes.set_ylabel(f"mean loss, {unit}")
    key(axes, loc="lower right")


def draw_diabetes(record: RightStrength, axes: Any) -> None:
    """Train and held-out loss of the lasso on diabetes."""
    _draw(record.curves["diabetes, lasso"], axes, "½ (y - η)²")


def draw_breast_cancer(record: RightStrength, axes: Any) -> None:
    """Train and held-out loss of ridge on breast cancer."""
    _draw(record.curves["breast cancer, ridge"], axes, "-log likelihood")


CLAIM = Claim(
    number=1,
    name="right_strength",
    sentence="Training minimizes data loss + λ·R(w): too large a λ underfits, too small a one overfits, and between "
    "them the model generalizes.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"diabetes": draw_diabetes, "breast_cancer": draw_breast_cancer},
)
