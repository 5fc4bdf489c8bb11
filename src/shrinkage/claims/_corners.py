"""Claim 4: a ball has no corners, a diamond has, and the loss often first touches it there, where a weight is zero."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.optimize import brentq

from shrinkage._path import path
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, key, plain_frame
from shrinkage.claims._markdown import markdown_table
from shrinkage.datasets import load_breast_cancer, load_diabetes
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1, L2
from shrinkage.plots import geometry
from shrinkage.problem import Problem
from shrinkage.solvers import Solution, solve

CORRELATIONS = (0.0, 0.5, 0.9)
RADII = (0.25, 0.5, 0.75)
"""Radii of the body, as shares of the size of the least-squares weights."""
N_ROWS = 40
SHOWN = (2, 3)
"""Body mass index and blood pressure."""


@dataclass(frozen=True)
class Touch:
    """Where the loss first touches the body, over random problems of one correlation and radius.

    Attributes
    ----------
    correlation, radius : float
    diamond, ball : float
        Share of the problems whose solution has a weight of exactly 0.
    surprises : int
        Problems whose diamond is touched on an axis though geometry says an edge, or the other way round.
    """

    correlation: float
    radius: float
    diamond: float
    ball: float
    surprises: int


@dataclass(frozen=True)
class Corners:
    """What claim 4 measured.

    Attributes
    ----------
    touches : tuple of Touch
    n_problems : int
        Of each row.
    diamond_error, ball_error : float
        Largest distance of the penalized solution from the constrained one, in units of the latter's length.
    real : mapping of str to (int, int, int)
        Pairs of features of real data: how many, with a zero by L1, by L2, at half the radius.
    zeros : mapping of int to float
        Mean share of zeros of a lasso at half the radius, by the number of features.
    lasso, ridge : (Problem, Solution)
        Of two features of the diabetes data, both bodies reaching equally far along the axes.
    strengths, diamond_radii, ball_radii : ndarray
        Radius against strength for those two features, as shares of the size of the least-squares weights.
    """

    touches: tuple[Touch, ...]
    n_problems: int
    diamond_error: float
    ball_error: float
    real: dict[str, tuple[int, int, int]]
    zeros: dict[int, float]
    lasso: tuple[Problem, Solution]
    ridge: tuple[Problem, Solution]
    strengths: np.ndarray
    diamond_radii: np.ndarray
    ball_radii: np.ndarray

    @property
    def middle(self) -> Touch:
        """Features without correlation, half the radius."""
        return next(row for row in self.touches if (row.correlation, row.radius) == (0.0, 0.5))

    @property
    def widest(self) -> Touch:
        """Features without correlation, the largest radius."""
        return next(row for row in self.touches if (row.correlation, row.radius) == (0.0, RADII[-1]))

    @property
    def reach(self) -> float:
        """How far both bodies of the picture go along the axes."""
        return float(np.abs(self.lasso[1].coef).sum())

    @property
    def strength_of_lasso(self) -> float:
        """Of the picture."""
        return float(self.lasso[0].penalty.alpha)

    @property
    def strength_of_ridge(self) -> float:
        """Of the picture."""
        return float(self.ridge[0].penalty.alpha)

    @property
    def surprises(self) -> int:
        """Diamonds touched elsewhere than geometry says, over all rows."""
        return sum(row.surprises for row in self.touches)

    @property
    def middle_law(self) -> float:
        """What the law says of `middle`."""
        return law(0.5)

    def touch_table(self) -> str:
        """Shares of the problems with a zero."""
        rows = [
            [f"{t.correlation:g}", f"{t.radius:g}", f"{t.diamond:.1%}", f"{law(t.radius):.1%}", f"{t.ball:.1%}"]
            for t in self.touches
        ]
        return markdown_table(["correlation", "radius", "diamond: on an axis", "by the law", "ball: on an axis"], rows)

    def real_table(self) -> str:
        """Pairs of real features."""
        rows = [[name, f"{n}", f"{ours / n:.1%}", f"{ball / n:.1%}"] for name, (n, ours, ball) in self.real.items()]
        return markdown_table(["data", "pairs", "diamond: on an axis", "ball: on an axis"], rows)

    def zero_table(self) -> str:
        """Zeros by the number of features."""
        rows = [[f"{n}", f"{share:.1%}"] for n, share in self.zeros.items()]
        return markdown_table(["features", "weights that are 0"], rows)


def law(radius: float) -> float:
    """Share on an axis where least squares' weights (a, b) lie in a random direction: 1 - (4/π) arctan(radius).

    For two features of one variance, at any correlation: along an edge of the diamond the loss is lowest where w₁ - w₂
    is a - b (w₁ + w₂ is a + b for opposite signs): it is touched inside where | |a| - |b| | < radius (|a| + |b|).
    """
    return float(1.0 - 4.0 / np.pi * np.arctan(radius))


def foretold(X: np.ndarray, y: np.ndarray, radius: float) -> bool:
    """Whether geometry says an axis: for least squares' (a, b), where | |a| - |b| | >= radius (|a| + |b|)."""
    a, b = np.abs(np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0])
    return bool(abs(a - b) >= radius * (a + b))


def random_problem(generator: np.random.Generator, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Two columns of mean 0, variance 1 and exactly this correlation; least-squares weights in a random direction."""
    raw = generator.standard_normal((N_ROWS, 2))
    Q = np.linalg.qr(raw - raw.mean(axis=0))[0] * np.sqrt(N_ROWS)
    X = Q @ np.linalg.cholesky(np.array([[1.0, correlation], [correlation, 1.0]])).T
    return X, X @ generator.standard_normal(2) + 0.1 * generator.standard_normal(N_ROWS)


def on_diamond(H: np.ndarray, c: np.ndarray, radius: float) -> np.ndarray:
    """Minimize ½wᵀHw - cᵀw over |w₁| + |w₂| = radius: the best point of each of the four edges, and of these."""
    best, lowest = np.zeros(2), np.inf
    for sign in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        start, end = radius * np.array([sign[0], 0.0]), radius * np.array([0.0, sign[1]])
        along = end - start
        place = np.clip(along @ (c - H @ start) / (along @ H @ along), 0.0, 1.0)
        w = start + place * along
        value = 0.5 * w @ H @ w - c @ w
        if value < lowest:
            best, lowest = w, value
    return best


def on_ball(H: np.ndarray, c: np.ndarray, radius: float) -> np.ndarray:
    """Minimize ½wᵀHw - cᵀw over ‖w‖₂ = radius, by the multiplier μ with ‖(H + μ)⁻¹c‖ = radius."""

    def missing(mu: float) -> float:
        return float(np.linalg.norm(np.linalg.solve(H + mu * np.eye(2), c))) - radius

    mu: Any = brentq(missing, 0.0, float(np.linalg.norm(c)) / radius, xtol=1e-15)
    return np.linalg.solve(H + mu * np.eye(2), c)


def penalized(X: np.ndarray, y: np.ndarray, radius: float, kind: str) -> tuple[np.ndarray, float]:
    """The penalized solution at the strength that belongs to a radius, and its distance from the constrained one.

    The strength is read off the constrained one: for L1 the largest slope of the loss there, for L2 slope over length.
    """
    n = len(y)
    H, c = X.T @ X / n, X.T @ (y - y.mean()) / n
    least = np.linalg.solve(H, c)
    size = float(np.abs(least).sum() if kind == "diamond" else np.linalg.norm(least))
    w = (on_diamond if kind == "diamond" else on_ball)(H, c, radius * size)
    slope = c - H @ w
    alpha = np.abs(slope).max() if kind == "diamond" else np.linalg.norm(slope) / np.linalg.norm(w)
    penalty = L1(float(alpha)) if kind == "diamond" else L2(float(alpha))
    found = solve(Problem(as_design(X), y, Squared(), penalty), tol=1e-14).coef
    return found, float(np.linalg.norm(found - w) / np.linalg.norm(w))


def measure_touches(n_problems: int) -> tuple[tuple[Touch, ...], float, float]:
    """Random problems of every correlation and radius; the largest distance of penalized from constrained solutions."""
    rows, errors = [], {"diamond": 0.0, "ball": 0.0}
    for correlation in CORRELATIONS:
        for radius in RADII:
            generator, counts, surprises = np.random.default_rng(0), {"diamond": 0, "ball": 0}, 0
            for _ in range(n_problems):
                X, y = random_problem(generator, correlation)
                for kind in counts:
                    w, error = penalized(X, y, radius, kind)
                    counts[kind] += bool((w == 0).any())
                    errors[kind] = max(errors[kind], error)
                    surprises += kind == "diamond" and bool((w == 0).any()) != foretold(X, y, radius)
            shares = counts["diamond"] / n_problems, counts["ball"] / n_problems
            rows.append(Touch(correlation, radius, *shares, surprises))
    return tuple(rows), errors["diamond"], errors["ball"]


def measure_real(every: int) -> dict[str, tuple[int, int, int]]:
    """Pairs of standardized features of real data, every so many of them, at half the radius."""
    cancer, found = load_breast_cancer(), {}
    diabetes = load_diabetes()
    for name, raw, y in (
        ("diabetes: progression", diabetes.X, diabetes.y),
        ("breast cancer: malignant or not", cancer.X, (cancer.y == "malignant").astype(float)),
    ):
        X = (raw - raw.mean(axis=0)) / raw.std(axis=0)
        pairs = list(combinations(range(X.shape[1]), 2))[::every]
        axes = [
            [bool((penalized(X[:, pair], y, 0.5, kind)[0] == 0).any()) for kind in ("diamond", "ball")]
            for pair in pairs
        ]
        diamond, ball = np.sum(axes, axis=0)
        found[name] = (len(pairs), int(diamond), int(ball))
    return found


def measure_zeros(n_problems: int) -> dict[int, float]:
    """Share of zeros of a lasso whose size is half of that of least squares, by the number of features."""
    found = {}
    for n_features in (2, 5, 10, 20, 50):
        generator, shares = np.random.default_rng(0), []
        for _ in range(n_problems):
            X = generator.standard_normal((100, n_features))
            y = X @ generator.standard_normal(n_features) + generator.standard_normal(100)
            fitted = path(X, y, alpha_min_ratio=1e-4)
            coefs = fitted.coefs.toarray()
            sizes = np.abs(coefs).sum(axis=0)
            place = int(np.searchsorted(sizes, 0.5 * sizes[-1]))
            shares.append(float((coefs[:, place] == 0).mean()))
        found[n_features] = float(np.mean(shares))
    return found


def measure_picture() -> dict[str, Any]:
    """Two standardized features of the diabetes data: a lasso on an axis, a ridge that reaches as far, radii."""
    data = load_diabetes()
    X, y = data.X[:, SHOWN], data.y
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    H, c = X.T @ X / len(y), X.T @ (y - y.mean()) / len(y)
    lasso = Problem(as_design(X), y, Squared(), L1(float(0.62 * np.abs(c).max())))
    corner = solve(lasso, tol=1e-14)
    w = on_ball(H, c, float(np.abs(corner.coef).sum()))
    ridge = Problem(as_design(X), y, Squared(), L2(float(np.linalg.norm(c - H @ w) / np.linalg.norm(w))))
    least = np.linalg.solve(H, c)
    strengths = np.geomspace(np.abs(c).max(), 1e-3 * np.abs(c).max(), 60)
    fits = [path(X, y, l1_ratio=ratio, alphas=strengths, tol=1e-12).coefs.toarray() for ratio in (1.0, 0.0)]
    return {
        "lasso": (lasso, corner),
        "ridge": (ridge, solve(ridge, tol=1e-14)),
        "strengths": strengths,
        "diamond_radii": np.abs(fits[0]).sum(axis=0) / np.abs(least).sum(),
        "ball_radii": np.linalg.norm(fits[1], axis=0) / np.linalg.norm(least),
    }


def measure(quick: bool) -> Corners:
    """Random and real problems; `quick` takes fewer of them."""
    n_problems, every, n_lassos = (40, 9, 8) if quick else (1000, 1, 200)
    touches, diamond_error, ball_error = measure_touches(n_problems)
    return Corners(
        touches,
        n_problems,
        diamond_error,
        ball_error,
        measure_real(every),
        measure_zeros(n_lassos),
        **measure_picture(),
    )


def check(record: Corners) -> None:
    """Diamonds are often touched on an axis, as often as geometry says; balls never; a radius is a strength."""
    for row in record.touches:
        said = f"correlation {row.correlation:g}, radius {row.radius:g}"
        expect(row.ball == 0, f"{said}: the ball was touched on an axis in {row.ball:.1%}, not in none")
        expect(row.diamond > 0, f"{said}: the diamond was touched on an axis in none of {record.n_problems}")
        expect(
            row.surprises == 0,
            f"{said}: {row.surprises} of {record.n_problems} diamonds were touched elsewhere than geometry says, not 0",
        )
        due = law(row.radius)
        slack = 4 * np.sqrt(due * (1 - due) / record.n_problems)
        close = abs(row.diamond - due) <= slack
        expect(close, f"{said}: on an axis {row.diamond:.1%}, not {due:.1%} ± {slack:.1%}")
    for name, error in (("diamond", record.diamond_error), ("ball", record.ball_error)):
        expect(error < 1e-6, f"the penalized solution is {error:.1e} away from the {name}'s, not less than 1e-6")
    for name, radii in (("diamond", record.diamond_radii), ("ball", record.ball_radii)):
        growing = bool((np.diff(radii) > 0).all())
        expect(growing, f"the {name}'s radius does not grow at every step as the strength falls")
        expect(0.9 < radii[-1] <= 1, f"the {name}'s radius is {radii[-1]:.2f} of least squares' at the end, not near 1")
    shares = list(record.zeros.values())
    expect(
        min(shares) > 0 and shares[-1] > shares[0] and max(shares) < 1,
        f"lassos of more features must have zeros, and more of them: {', '.join(f'{share:.1%}' for share in shares)}",
    )
    for name, (n, diamond, ball) in record.real.items():
        expect(diamond > 0.2 * n, f"{name}: the diamond was touched on an axis for {diamond} of {n} pairs, not > 20%")
        expect(ball == 0, f"{name}: the ball was touched on an axis for {ball} of {n} pairs, not for none")
    corner, round_one = record.lasso[1].coef, record.ridge[1].coef
    expect(corner[1] == 0 != corner[0], f"the picture's lasso is {corner}, not on the first axis")
    expect(bool((round_one != 0).all()), f"the picture's ridge is {round_one}, not off the axes")


def lines(record: Corners) -> list[str]:
    """What a terminal shows."""
    rows = [f"{t.correlation:g}: {t.diamond:.0%}" for t in record.touches if t.radius == 0.5]
    n, diamond, ball = next(iter(record.real.values()))
    middle = record.middle
    return [
        f"of {record.n_problems:,} random problems, half the radius: diamond touched on an axis in {middle.diamond:.1%}"
        f", ball in {middle.ball:.1%}; in {record.surprises} elsewhere than geometry says of that problem",
        f"of all directions of the weights geometry says an axis in {record.middle_law:.1%}",
        "by the features' correlation: " + ", ".join(rows),
        f"pairs of features of diabetes: diamond {diamond} of {n}, ball {ball} of {n}",
        f"the solution within a radius is the penalized one to {max(record.diamond_error, record.ball_error):.0e}",
        "zeros by features: " + ", ".join(f"{n}: {share:.0%}" for n, share in record.zeros.items()),
    ]


def draw_diamond(record: Corners, axes: Any) -> None:
    """The lasso of two real features, touched on an axis."""
    geometry(*record.lasso, ax=axes, names=["body mass index", "blood pressure"])


def draw_ball(record: Corners, axes: Any) -> None:
    """The ridge of the same features, its ball as far along the axes."""
    geometry(*record.ridge, ax=axes, names=["body mass index", "blood pressure"])


def draw_radius(record: Corners, axes: Any) -> None:
    """Radius against strength."""
    axes.plot(record.strengths, record.diamond_radii, color=COLORS[0], label="diamond: ‖w‖₁ of the lasso")
    axes.plot(record.strengths, record.ball_radii, color=COLORS[1], label="ball: ‖w‖₂ of ridge")
    axes.set_xscale("log")
    axes.invert_xaxis()
    plain_frame(axes)
    axes.set_xlabel("strength α")
    axes.set_ylabel("radius, as a share of least squares'")
    key(axes, loc="lower right")


CLAIM = Claim(
    number=4,
    name="corners",
    sentence="A sphere has no corners, a diamond has; the loss contour often first touches the diamond on an axis, "
    "where a weight is zero.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"diamond": draw_diamond, "ball": draw_ball, "radius": draw_radius},
)
