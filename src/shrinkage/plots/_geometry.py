"""Where the contours of the loss first touch the body of the penalty, for two features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import optimize

from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, L1L2, L2
from shrinkage.plots._loss_surface import LossSurface
from shrinkage.plots._style import COLORS, MARK, MUTED, check_record, clip_name, new_axes, pyplot
from shrinkage.problem import Problem
from shrinkage.solvers import Solution

INK = "#222222"
_RAYS = 480
_FARTHEST = 4.0
_RINGS = 11


def geometry(
    problem: Problem | Sequence[Problem],
    solution: Solution | Sequence[Solution],
    ax: Any = None,
    features: tuple[int, int] = (0, 1),
    names: Sequence[str] | None = None,
    free: Solution | None = None,
) -> Any:
    """Draw the penalty's body, the loss around it, and the solution where the two touch.

    Minimizing loss + α g is minimizing the loss over the body {w : g(w) <= g(ŵ)}: every strength has a radius, and the
    picture says both. Contours are those of the data's own loss in two coefficients, the intercept at its best and all
    other coefficients as in the solution. A ball is met anywhere; a diamond often at a corner, where a coefficient is
    0. With `scale` in the problem, coefficients are those per unit of scale (per standard deviation).

    Parameters
    ----------
    problem : Problem, or a sequence of them for pictures side by side, which then share their axes' limits
    solution : Solution of it, or a sequence of as many
    ax : matplotlib Axes, or a sequence of as many as there are problems, optional
        None makes a new figure.
    features : (int, int)
        The two columns.
    names : sequence of two str, optional
        None takes those of the columns, else x0, x1.
    free : Solution, optional
        Without a penalty, to be marked; for squared loss the center of the contours is marked in any case.

    Returns
    -------
    matplotlib Axes; an array of them for sequences

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If these are no problem and solution, or not as many, or the features are not two of its columns.

    Examples
    --------
    >>> from shrinkage import L1
    >>> from shrinkage.datasets import load_diabetes
    >>> from shrinkage.design import as_design
    >>> from shrinkage.losses import Squared
    >>> from shrinkage.problem import Problem
    >>> from shrinkage.solvers import solve
    >>> data = load_diabetes()
    >>> problem = Problem(as_design(data.X[:, [2, 8]]), data.y, Squared(), L1(1.5))
    >>> ax = geometry(problem, solve(problem), names=["bmi", "s5"])
    >>> ax.get_xlabel()
    'coefficient of bmi'
    """
    single = not isinstance(problem, Sequence)
    problems, solutions = _several(problem), _several(solution)
    if not problems or len(problems) != len(solutions):
        raise ArgumentError(f"there must be one solution for each problem; got {len(problems)} and {len(solutions)}")
    for one, its in zip(problems, solutions, strict=True):
        check_record("problem", one, Problem)
        check_record("solution", its, Solution)
        _check_features(features, one)
    axes = _axes(ax, len(problems), single)
    panels = [_Panel(*pair, features, free) for pair in zip(problems, solutions, strict=True)]
    limits = _limits(panels)
    for place, panel in zip(axes, panels, strict=True):
        panel.draw(place, limits, _names(names, features, panel.problem))
    for place in axes[1:]:
        place.set_ylabel("")
    return axes[0] if single else np.array(axes, dtype=object)


class _Panel:
    """One problem: its surface in the two coordinates u = scale ∘ w, its solution, its body."""

    def __init__(self, problem: Problem, solution: Solution, features: tuple[int, int], free: Solution | None) -> None:
        self.problem, self.features = problem, list(features)
        self.unit = np.ones(2) if problem.scale is None else np.asarray(problem.scale)[self.features]
        self.coef = np.asarray(solution.coef, dtype=np.float64)
        self.at = self.coef[self.features] * self.unit
        self.surface = LossSurface.of(problem, self.coef, float(solution.intercept), features)
        self.center = self.surface.center if free is None else np.asarray(free.coef)[self.features] * self.unit
        self._measured = self.coef * (1.0 if problem.scale is None else np.asarray(problem.scale))
        self._base = 0.0
        self._base = self.cost(np.zeros(2))
        self.body = self._body()

    def cost(self, u: np.ndarray) -> float:
        """The penalty g at u, other coefficients as in the solution; what of it does not depend on u taken off."""
        self._measured[self.features] = u
        return float(self.problem.penalty.value(self._measured)) - self._base

    def _body(self) -> np.ndarray | None:
        """The boundary {g = g(solution)}, corners on the axes with it; None where it is a point or has no end."""
        level = self.cost(self.at)
        if not level > 0:
            return None
        # Penalties do not see signs: a quarter is mirrored into the others.
        angles = np.linspace(0.0, 0.5 * np.pi, _RAYS // 4 + 1)
        rays = np.column_stack([np.cos(angles), np.sin(angles)])
        rays[np.abs(rays) < 1e-12] = 0.0
        radii = np.array([self._radius(ray, level) for ray in rays])
        if not np.isfinite(radii).all():
            return None
        quarter = radii[:, None] * rays
        left = quarter[-2::-1] * [-1.0, 1.0]
        half = np.concatenate([quarter, left])
        return np.concatenate([half, half[-2::-1] * [1.0, -1.0]])

    def _radius(self, ray: np.ndarray, level: float) -> float:
        """Where the penalty reaches the level along a ray; inf where it never does, as one that is bounded may not."""
        high = float(np.linalg.norm(self.at))
        farthest = 1e3 * high
        while self.cost(high * ray) < level:
            high *= 2.0
            if high > farthest:
                return float("inf")
        root: Any = optimize.brentq
        return float(root(lambda radius: self.cost(radius * ray) - level, 0.0, high, xtol=1e-13 * high))

    def draw(self, ax: Any, limits: tuple[np.ndarray, np.ndarray], names: list[str]) -> None:
        """The picture."""
        low, high = limits
        self._contours(ax, low, high)
        for line in (ax.axhline, ax.axvline):
            line(0.0, color=MUTED, linewidth=0.9, zorder=2)
        if self.body is not None:
            ax.fill(*self.body.T, color=COLORS[0], alpha=0.18, linewidth=0, zorder=2.5)
            ax.plot(*self.body.T, color=COLORS[0], linewidth=1.8, solid_joinstyle="miter", zorder=3)
        if self.center is not None and ((self.center > low) & (self.center < high)).all():
            ax.plot(*self.center, "+", color=MARK, markersize=9, markeredgewidth=1.6, zorder=4)
            _label(ax, "no penalty", self.center, (0, -8), MARK, ha="center", va="top")
        self._reach(ax)
        ax.plot(*self.at, "o", color=COLORS[1], markersize=8, markeredgecolor="white", zorder=5)
        ax.set_xlim(low[0], high[0])
        ax.set_ylim(low[1], high[1])
        ax.set_aspect("equal")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        ax.tick_params(labelsize="small")
        per = "" if self.problem.scale is None else " per standard deviation"
        ax.set_xlabel(f"coefficient of {clip_name(names[0])}{per}")
        ax.set_ylabel(f"coefficient of {clip_name(names[1])}{per}")
        ax.set_title(self.title(), fontsize="medium", loc="left")

    def _contours(self, ax: Any, low: np.ndarray, high: np.ndarray) -> None:
        """Loss levels at even distances from the center, the one through the solution drawn strongly."""
        x, y = (np.linspace(low[k], high[k], self.surface.resolution) for k in (0, 1))
        levels = self.surface.on_grid(x, y)
        touch = float(self.surface.at(self.at[None])[0])
        least = min(self.surface.lowest, float(levels.min()), touch)
        far = np.sqrt(float(levels.max()) - least)
        rings = far * (np.arange(_RINGS) + 0.5) / _RINGS
        # Rings at even distances; one that nearly is the solution's own would read as a thick line.
        rings = rings[np.abs(rings - np.sqrt(touch - least)) > 0.25 * far / _RINGS]
        ax.contour(x, y, levels, levels=least + rings**2, colors=MUTED, linewidths=0.9, alpha=0.75, zorder=1)
        if touch > least:
            ax.contour(x, y, levels, levels=[touch], colors=COLORS[1], linewidths=1.8, zorder=3.5)

    def _reach(self, ax: Any) -> None:
        """How far the body goes along the axis that leads away from the solution, with its length."""
        if self.body is None:
            return
        major = int(np.abs(self.at[1]) > np.abs(self.at[0]))
        ray = np.zeros(2)
        ray[major] = -1.0 if self.at[major] >= 0 else 1.0
        end = self.body[int(np.argmax(self.body @ ray - 1e-9 * np.abs(self.body @ ray[::-1])))]
        end = ray * np.abs(end @ ray)
        arrow = {"arrowstyle": "<->", "color": INK, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", end, xytext=(0.0, 0.0), arrowprops=arrow, zorder=4)
        place: dict[str, Any] = {"offset": (0, 4), "color": INK, "ha": "center"}
        if major == 1:
            place = {"offset": (5, 0), "color": INK, "va": "center"}
        _label(ax, f"{np.abs(end[major]):.3g}", 0.5 * end, **place)

    def title(self) -> str:
        """The strength, and the radius that it is."""
        penalty = self.problem.penalty
        first = f"{type(penalty).__name__}, alpha = {float(penalty.alpha):.3g}"
        if isinstance(penalty, L1L2):
            first += f", l1_ratio = {penalty.l1_ratio:g}"
        if len(self.coef) == 2 and penalty.factors is None and isinstance(penalty, L1):
            return f"{first}\n↔ ‖w‖₁ ≤ {np.abs(self.at).sum():.3g}"
        if len(self.coef) == 2 and penalty.factors is None and isinstance(penalty, L2):
            return f"{first}\n↔ ‖w‖₂ ≤ {np.linalg.norm(self.at):.3g}"
        if not penalty.alpha > 0:
            return first
        return f"{first}\n↔ g(w)/alpha ≤ {self.cost(self.at) / float(penalty.alpha):.3g}"


def _label(ax: Any, text: str, at: np.ndarray, offset: tuple[int, int], color: str, **where: Any) -> None:
    """Small words that a contour behind them does not cross."""
    from matplotlib.patheffects import withStroke

    ax.annotate(
        text, at, xytext=offset, textcoords="offset points", fontsize="small", color=color, zorder=6,
        path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.85)], **where,
    )  # fmt: skip


def _several(records: Any) -> list[Any]:
    return list(records) if isinstance(records, Sequence) else [records]


def _check_features(features: Any, problem: Problem) -> None:
    n_features = problem.design.shape[1]
    good = len(features) == 2 and all(isinstance(j, (int, np.integer)) and 0 <= j < n_features for j in features)
    if not good or features[0] == features[1]:
        raise ArgumentError(f"features must be two different columns from 0 to {n_features - 1}; got {features!r}")


def _axes(ax: Any, count: int, single: bool) -> list[Any]:
    if single:
        return [new_axes(ax, 5.2, 5.0)]
    if ax is None:
        figure = pyplot().figure(figsize=(4.3 * count, 4.7), layout="constrained")
        return list(np.atleast_1d(figure.subplots(1, count)))
    axes = list(np.ravel(np.array(ax, dtype=object)))
    if len(axes) != count:
        raise ArgumentError(f"ax must hold one Axes for each of {count} problems; got {len(axes)}")
    return axes


def _limits(panels: list[_Panel]) -> tuple[np.ndarray, np.ndarray]:
    """A square that holds every body, and the center unless that is far from all of them."""
    points = [np.zeros((1, 2)), *(panel.at[None] for panel in panels)]
    points += [panel.body for panel in panels if panel.body is not None and np.isfinite(panel.body).all()]
    near = max(float(np.abs(some).max()) for some in points)
    for panel in panels:
        if panel.center is not None and (near == 0 or np.abs(panel.center).max() <= _FARTHEST * near):
            points.append(panel.center[None])
    joined = np.concatenate(points)
    low, high = joined.min(axis=0), joined.max(axis=0)
    half = 0.5 * float((high - low).max()) * 1.28 or 1.0
    middle = 0.5 * (low + high)
    return middle - half, middle + half


def _names(names: Sequence[str] | None, features: tuple[int, int], problem: Problem) -> list[str]:
    if names is not None:
        if len(names) != 2:
            raise ArgumentError(f"names must be two; got {len(names)}")
        return [str(name) for name in names]
    known = problem.design.feature_names
    return [f"x{j}" if known is None else str(known[j]) for j in features]
