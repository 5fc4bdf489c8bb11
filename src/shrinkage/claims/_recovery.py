"""Claim 5: ridge keeps every feature, the lasso selects, the elastic net does both; what is found, and how often."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._path import Path, cross_validate
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.claims._markdown import markdown_table
from shrinkage.datasets import Simulation, load_diabetes, simulate_linear
from shrinkage.estimators import Ridge

RATIO = 0.5
SHAPES = ((100, 50, 0.0), (25, 50, 0.0), (100, 200, 0.0), (100, 50, 0.9))
"""Rows, features, correlation of neighbors."""
N_ALPHAS, MIN_RATIO = 60, 0.01
METHODS = (("ridge", 0.0, "min"), ("lasso", 1.0, "min"), ("lasso", 1.0, "1se"))
NETS = (("elastic net", RATIO, "min"), ("elastic net", RATIO, "1se"))


@dataclass(frozen=True)
class Method:
    """What one method kept, as means over the data sets.

    Attributes
    ----------
    name : str
    l1_ratio : float
        nan for least squares.
    rule : str
        How its strength is chosen: "min", "1se", or "" where there is none.
    kept, false : float
        Features with a weight, and those of them whose true weight is 0.
    all_true, exact : float
        Share of the data sets in which the three true features are kept, and in which they alone are.
    error : float
        ‖w - w*‖, w* the true weights, whose length is √3.
    """

    name: str
    l1_ratio: float
    rule: str
    kept: float
    false: float
    all_true: float
    exact: float
    error: float


@dataclass(frozen=True)
class Case:
    """All methods on data sets of one shape.

    Attributes
    ----------
    n_samples, n_features : int
    rho : float
        Correlation of neighboring columns.
    rank : int
        Least rank of the centered columns over the data sets.
    methods : tuple of Method
    exact_somewhere : mapping of str to float
        Share of the data sets in which some strength of the path keeps exactly the true features, by method.
    ridge_zeros : int
        Exact zeros among ridge's coefficients, over all data sets and strengths.
    ridge_error : float
        Largest |vᵀw - h/(h+α) vᵀw_ls| over directions v, strengths and data sets, in units of ‖w_ls‖.
    shares, true_kept, false_kept : ndarray of shape (n_alphas,)
        Strengths of the lasso as shares of the largest useful one, and how many features it keeps there, in the mean.
    chosen : mapping of str to float
        Median of the strengths chosen, as such a share, by rule.
    """

    n_samples: int
    n_features: int
    rho: float
    rank: int
    methods: tuple[Method, ...]
    exact_somewhere: dict[str, float]
    ridge_zeros: int
    ridge_error: float
    shares: np.ndarray
    true_kept: np.ndarray
    false_kept: np.ndarray
    chosen: dict[str, float]

    @property
    def name(self) -> str:
        """The shape in words."""
        correlated = f", neighbors correlate {self.rho:g}" if self.rho else ""
        return f"{self.n_samples} rows, {self.n_features} features{correlated}"

    @property
    def determined(self) -> bool:
        """Whether the data alone have one least-squares answer."""
        return self.rank == self.n_features

    def of(self, name: str, rule: str = "min") -> Method:
        """The row of one method and rule."""
        return next(method for method in self.methods if (method.name, method.rule) == (name, rule))

    @property
    def lasso(self) -> Method:
        """The lasso at the least error of cross-validation."""
        return self.of("lasso")

    @property
    def lasso_1se(self) -> Method:
        """The lasso one standard error above it."""
        return self.of("lasso", "1se")

    @property
    def lost(self) -> float:
        """Share of the data sets in which the lasso at the least error loses a true feature."""
        return 1.0 - self.lasso.all_true

    def table(self) -> str:
        """Every method's row."""
        heads = ["method", "strength", "kept", "false ones", "all 3 true kept", "exactly those", "error of the weights"]
        rows = [
            [
                m.name,
                m.rule or "-",
                f"{m.kept:.1f}",
                f"{m.false:.1f}",
                f"{m.all_true:.1%}",
                f"{m.exact:.1%}",
                f"{m.error:.2f}",
            ]
            for m in self.methods
        ]
        return markdown_table(heads, rows)


@dataclass(frozen=True)
class Directions:
    """Ridge against least squares along the Hessian's directions, on the diabetes data.

    Attributes
    ----------
    alpha : float
    curvatures : ndarray of shape (n_directions,)
        Eigenvalues h of XᵀX/n, largest first.
    measured : ndarray of shape (n_directions,)
        vᵀw_ridge / vᵀw_ls.
    """

    alpha: float
    curvatures: np.ndarray
    measured: np.ndarray

    @property
    def promised(self) -> np.ndarray:
        """What theory leaves of each direction, h / (h + α)."""
        return self.curvatures / (self.curvatures + self.alpha)

    @property
    def strongest(self) -> float:
        """What is left along the direction that the data know best."""
        return float(self.measured[0])

    @property
    def weakest(self) -> float:
        """What is left along the direction that the data know least."""
        return float(self.measured[-1])

    def table(self) -> str:
        """Every direction's factor."""
        rows = [
            [str(k + 1), f"{h:.4f}", f"{measured:.6f}", f"{promised:.6f}"]
            for k, (h, measured, promised) in enumerate(zip(self.curvatures, self.measured, self.promised, strict=True))
        ]
        return markdown_table(["direction", "h", "ridge / least squares", "h / (h + α)"], rows)


@dataclass(frozen=True)
class Recovery:
    """What claim 5 measured."""

    cases: tuple[Case, ...]
    directions: Directions
    n_seeds: int

    @property
    def last_seed(self) -> int:
        """Seeds count from 0."""
        return self.n_seeds - 1

    @property
    def largest_ridge_error(self) -> float:
        """Over all cases."""
        return max(case.ridge_error for case in self.cases)

    @property
    def ridge_zeros(self) -> int:
        """Over all cases."""
        return sum(case.ridge_zeros for case in self.cases)

    def path_table(self) -> str:
        """Whether any strength would do."""
        rows = [[case.name, *(f"{share:.1%}" for share in case.exact_somewhere.values())] for case in self.cases]
        return markdown_table(["data", *self.cases[0].exact_somewhere], rows)


def _score(name: str, l1_ratio: float, rule: str, weights: np.ndarray, truth: np.ndarray) -> Method:
    """Means over data sets; `weights` and `truth` have one row for each."""
    kept, true = weights != 0, truth != 0
    found = (kept & true).sum(axis=1)
    return Method(
        name,
        l1_ratio,
        rule,
        kept=float(kept.sum(axis=1).mean()),
        false=float((kept & ~true).sum(axis=1).mean()),
        all_true=float((found == true.sum(axis=1)).mean()),
        exact=float((kept == true).all(axis=1).mean()),
        error=float(np.linalg.norm(weights - truth, axis=1).mean()),
    )


def _shrinkage_error(data: Simulation, ridge: Path, least_squares: np.ndarray) -> float:
    """Largest miss of vᵀw = h/(h+α) vᵀw_ls over directions v and strengths α, in units of ‖w_ls‖."""
    centered = data.X - data.X.mean(axis=0)
    h, V = np.linalg.eigh(centered.T @ centered / len(data.y))
    h = np.where(h > 1e-10 * h[-1], h, 0.0)
    factors = h[:, None] / (h[:, None] + ridge.alphas)
    missed = V.T @ ridge.coefs.toarray() - factors * (V.T @ least_squares)[:, None]
    return float(np.abs(missed).max() / np.linalg.norm(least_squares))


def measure_case(n_samples: int, n_features: int, rho: float, n_seeds: int) -> Case:
    """All methods on `n_seeds` data sets of one shape."""
    wanted = METHODS + NETS
    weights = {(name, rule): np.empty((n_seeds, n_features)) for name, _, rule in wanted}
    least, truth = np.empty((n_seeds, n_features)), np.empty((n_seeds, n_features))
    counts, chosen = np.zeros((2, N_ALPHAS)), {"min": np.empty(n_seeds), "1se": np.empty(n_seeds)}
    exact: dict[str, list[bool]] = {"lasso": [], "elastic net": []}
    rank, zeros, error, shares = n_features, 0, 0.0, np.empty(0)
    for seed in range(n_seeds):
        data = simulate_linear(n_samples, n_features, rho=rho, n_nonzero=3, seed=seed)
        truth[seed], true = data.coef, data.coef != 0
        centered = data.X - data.X.mean(axis=0)
        least[seed], _, found, _ = np.linalg.lstsq(centered, data.y - data.y.mean(), rcond=1e-10)
        rank = min(rank, int(found))
        for name, l1_ratio in (("ridge", 0.0), ("lasso", 1.0), ("elastic net", RATIO)):
            cv = cross_validate(data.X, data.y, l1_ratio=l1_ratio, n_alphas=N_ALPHAS, alpha_min_ratio=MIN_RATIO)
            for rule, alpha in (("min", cv.alpha_min), ("1se", cv.alpha_1se)):
                if (name, rule) in weights:
                    weights[name, rule][seed] = cv.path.coef(alpha)
                if name == "lasso":
                    chosen[rule][seed] = alpha / cv.path.alphas[0]
            kept = cv.path.coefs.toarray() != 0
            if name == "ridge":
                zeros += int((~kept).sum())
                error = max(error, _shrinkage_error(data, cv.path, least[seed]))
                continue
            exact[name].append(bool((kept == true[:, None]).all(axis=0).any()))
            if name == "lasso":
                counts += np.stack([kept[true].sum(axis=0), kept[~true].sum(axis=0)]) / n_seeds
                shares = cv.path.alphas / cv.path.alphas[0]
    methods = [_score(name, ratio, rule, weights[name, rule], truth) for name, ratio, rule in wanted]
    methods.insert(0, _score("least squares", float("nan"), "", least, truth))
    somewhere = {name: float(np.mean(found)) for name, found in exact.items()}
    medians = {rule: float(np.median(values)) for rule, values in chosen.items()}
    return Case(
        n_samples, n_features, rho, rank, tuple(methods), somewhere, zeros, error, shares, counts[0], counts[1], medians
    )


def measure_directions() -> Directions:
    """Ridge on the standardized diabetes data, at the strength of least cross-validation error times 10."""
    data = load_diabetes()
    X, y = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0), data.y - data.y.mean()
    alpha = 10 * float(cross_validate(X, y, l1_ratio=0.0).alpha_min)
    h, V = np.linalg.eigh(X.T @ X / len(y))
    least_squares = np.linalg.solve(X.T @ X, X.T @ y)
    fitted: Any = Ridge(alpha=alpha, tol=1e-12).fit(X, y)
    return Directions(alpha, h[::-1], ((V.T @ fitted.coef_) / (V.T @ least_squares))[::-1])


def measure(quick: bool) -> Recovery:
    """Every shape of data; `quick` draws fewer data sets of each."""
    n_seeds = 8 if quick else 200
    return Recovery(tuple(measure_case(*shape, n_seeds) for shape in SHAPES), measure_directions(), n_seeds)


def check(record: Recovery) -> None:
    """Ridge keeps all and shrinks by h/(h+α); the lasso finds the three; the elastic net keeps more than it."""
    tutorial = record.cases[0]
    expect(tutorial.determined, f"{tutorial.name}: rank {tutorial.rank}, not {tutorial.n_features}")
    wide = [case for case in record.cases if case.n_samples < case.n_features]
    for case in wide:
        expect(case.rank == case.n_samples - 1, f"{case.name}: rank {case.rank}, not {case.n_samples - 1}")
    directions = record.directions
    apart = float(np.abs(directions.measured - directions.promised).max())
    expect(apart < 1e-8, f"ridge shrinks a direction of the diabetes data by {apart:.1e} more or less than h/(h+α)")
    for method in tutorial.methods:
        share = method.all_true
        expect(share > 0.99, f"{tutorial.name}: {method.name} kept all 3 true in {share:.1%} of data sets, not > 99%")
    for case in record.cases:
        lasso, net, ridge = case.lasso, case.of("elastic net"), case.of("ridge")
        expect(case.ridge_zeros == 0, f"{case.name}: ridge has {case.ridge_zeros} exact zeros, not 0")
        expect(case.ridge_error < 1e-8, f"{case.name}: ridge misses h/(h+α) by {case.ridge_error:.1e}, not < 1e-8")
        expect(lasso.kept < 0.6 * case.n_features, f"{case.name}: the lasso keeps {lasso.kept:.1f} features, not fewer")
        kept = f"{lasso.kept:.1f}, {net.kept:.1f} and {ridge.kept:.1f}"
        rising = lasso.kept < net.kept < ridge.kept
        expect(rising, f"{case.name}: lasso, elastic net and ridge keep {kept} features, not more and more")
        better = lasso.error < ridge.error
        expect(better, f"{case.name}: the lasso errs by {lasso.error:.2f}, ridge by {ridge.error:.2f}, not more")
        cautious, keeps = case.lasso_1se.false < lasso.false, lasso.all_true
        expect(cautious, f"{case.name}: one standard error up {case.lasso_1se.false:.1f} false features, not fewer")
        expect(keeps > 0.5, f"{case.name}: the lasso keeps all 3 true ones in {keeps:.1%} of data sets, not in most")
    share = tutorial.exact_somewhere["lasso"]
    expect(share > 0.9, f"{tutorial.name}: some strength recovers exactly in {share:.1%} of data sets, not > 90%")
    often, least = tutorial.lasso_1se.exact, tutorial.lasso.exact
    expect(often > least, f"{tutorial.name}: exact in {often:.1%} one standard error up, not in more than {least:.1%}")


def lines(record: Recovery) -> list[str]:
    """What a terminal shows."""
    said = [f"{record.n_seeds} data sets each; 3 features are true; strengths by 10-fold cross-validation"]
    for case in record.cases:
        kept = ", ".join(f"{name} {case.of(name).kept:.1f}" for name in ("ridge", "elastic net", "lasso"))
        said.append(
            f"{case.name} (rank {case.rank}): keep {kept}; lasso keeps all 3 in {case.lasso.all_true:.0%},"
            f" exactly those in {case.lasso.exact:.0%} ({case.lasso_1se.exact:.0%} by one standard error)"
        )
    said.append(f"ridge shrinks every direction by h/(h+α), to {record.largest_ridge_error:.0e} of the weights' length")
    return said


def draw_counts(record: Recovery, axes: Any) -> None:
    """True and false features that the lasso keeps along its path, for 100 rows and 50 features."""
    case = record.cases[0]
    axes.plot(case.shares, case.true_kept, color=COLORS[0], linewidth=2, label="true features kept")
    axes.plot(case.shares, case.false_kept, color=COLORS[1], linewidth=2, label="false features kept")
    for (rule, share), style in zip(case.chosen.items(), (":", "--"), strict=True):
        words = "least error" if rule == "min" else "one SE"
        axes.axvline(share, color=GRAY, linestyle=style, label=f"chosen, {words}")
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_ylim(0, 15)
    plain_frame(axes)
    axes.set_xlabel("strength, as a share of the largest useful one")
    axes.set_ylabel("features, mean over data sets")
    key(axes, loc="upper left")


def draw_directions(record: Recovery, axes: Any) -> None:
    """h/(h+α), and what was measured along each direction of the diabetes data."""
    found = record.directions
    h = np.geomspace(found.curvatures[-1] / 3, found.curvatures[0] * 3, 200)
    axes.plot(h, h / (h + found.alpha), color=COLORS[0], label="h / (h + α)")
    axes.plot(found.curvatures, found.measured, "o", color=COLORS[1], label="measured: ridge / least squares")
    axes.axvline(found.alpha, color=GRAY, linestyle=":", label="h = α: half is left")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.05)
    plain_frame(axes)
    axes.set_xlabel("curvature h of the loss along a direction")
    axes.set_ylabel("share of the weight that is left")
    key(axes, loc="lower right")


CLAIM = Claim(
    number=5,
    name="recovery",
    sentence="Ridge keeps all features, the lasso selects, the elastic net does both: "
    "of 50 features the 3 true ones are found from 100 samples.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"counts": draw_counts, "directions": draw_directions},
)
