"""Claim 6: the elastic net has one answer, and treats correlated features alike; the lasso picks one of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._path import Path, cross_validate, path
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.claims._markdown import markdown_table
from shrinkage.datasets import load_breast_cancer, load_diabetes, load_nci60
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem

RATIO = 0.5
"""l1_ratio of the elastic net, where nothing else is said."""
BMI = 2
TOL = 1e-12


@dataclass(frozen=True)
class Copies:
    """The diabetes data with one column (body mass index) there twice.

    Attributes
    ----------
    net_difference : float
        Largest |w_a - w_b| of the two copies over all strengths, in units of the largest |w_a|.
    lasso_both : int
        Strengths at which the lasso gives a weight to both.
    lasso_one : int
        Strengths at which it gives a weight to one of them.
    n_alphas : int
    net_orders, lasso_orders : float
        Largest change of a coefficient when the columns are given in another order, in units of the largest one.
    net_moved, net_promised, lasso_moved : float
        Rise of the objective, over that of the null model, when a tenth of the copies' weight moves from one to the
        other; for the elastic net also what strong convexity promises.
    gap_radius : float
        At no strength is the minimizer further from the elastic net's answer than this, in units of its length:
        √(2 gap / α(1-ρ)).
    """

    net_difference: float
    lasso_both: int
    lasso_one: int
    n_alphas: int
    net_orders: float
    lasso_orders: float
    net_moved: float
    net_promised: float
    lasso_moved: float
    gap_radius: float


@dataclass(frozen=True)
class Bounds:
    """|w_i - w_j| against its bound, for pairs of columns at many strengths.

    Attributes
    ----------
    name : str
        The data and the loss.
    n_features, n_pairs : int
        `n_pairs` counts pairs times strengths.
    closest : float
        Largest |w_i - w_j| over the bound; at most 1 says that all obey.
    zou_hastie : float
        The same with the residuals' bound √mean(y²) in place of the residuals; nan where the loss is not squared.
    correlations, differences, limits : ndarray
        A sample of the pairs, for the picture.
    """

    name: str
    n_features: int
    n_pairs: int
    closest: float
    zou_hastie: float
    correlations: np.ndarray
    differences: np.ndarray
    limits: np.ndarray


@dataclass(frozen=True)
class Kept:
    """How many of a pair are kept, as shares of the pairs of `n_seeds` data sets; both, one, none."""

    correlation: float
    l1_ratio: float
    relevant: tuple[float, float, float]
    noise: tuple[float, float, float]


@dataclass(frozen=True)
class Together:
    """What claim 6 measured."""

    copies: Copies
    bounds: tuple[Bounds, ...]
    kept: tuple[Kept, ...]
    n_seeds: int
    lasso: Path
    net: Path
    sizes: tuple[tuple[str, float, float], ...]
    size_correlation: float

    def at(self, correlation: float, l1_ratio: float) -> Kept:
        """The row of one correlation and one `l1_ratio`."""
        return next(row for row in self.kept if (row.correlation, row.l1_ratio) == (correlation, l1_ratio))

    @property
    def last_seed(self) -> int:
        """Seeds count from 0."""
        return self.n_seeds - 1

    @property
    def closest(self) -> Kept:
        """The lasso's row at the highest correlation."""
        return self.at(max(row.correlation for row in self.kept), 1.0)

    @property
    def closest_net(self) -> Kept:
        """The elastic net's row at the highest correlation."""
        return self.at(max(row.correlation for row in self.kept), RATIO)

    @property
    def loosest_net(self) -> Kept:
        """The elastic net's row at the lowest correlation."""
        return self.at(min(row.correlation for row in self.kept), RATIO)

    def kept_table(self) -> str:
        """Pairs kept whole, halved and dropped, by correlation and method."""
        heads = [
            "correlation, method",
            *[f"{kind}: {n}" for kind in ("true", "noise") for n in ("both", "one", "none")],
        ]
        rows = [
            [f"{row.correlation:g}, {_method(row.l1_ratio)}", *(f"{share:.1%}" for share in row.relevant + row.noise)]
            for row in self.kept
        ]
        return markdown_table(heads, rows)

    def bound_table(self) -> str:
        """Every data set's pairs against the bound."""
        rows = [
            [b.name, f"{b.n_features:,}", f"{b.n_pairs:,}", f"{b.closest:.3f}", _or_dash(b.zou_hastie)]
            for b in self.bounds
        ]
        heads = ["data, loss", "features", "pairs x strengths", "largest share of the bound", "of Zou and Hastie's"]
        return markdown_table(heads, rows)

    def size_table(self) -> str:
        """Weights of six measurements of a nucleus' size."""
        rows = [[name, _weight(lasso), _weight(net)] for name, lasso, net in self.sizes]
        return markdown_table(["measurement", "lasso", "elastic net"], rows)


def _method(l1_ratio: float) -> str:
    return "lasso" if l1_ratio == 1 else f"elastic net {l1_ratio:g}"


def _or_dash(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _weight(value: float) -> str:
    return "0" if value == 0 else f"{value:.3f}"


def standardized(X: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and variance 1, as the bound of Zou and Hastie has them."""
    return (X - X.mean(axis=0)) / X.std(axis=0)


def _orders(X: np.ndarray, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, n_orders: int) -> float:
    """Largest change of a coefficient over orders of the columns."""
    reference = path(X, y, l1_ratio=l1_ratio, alphas=alphas, tol=TOL).coefs.toarray()
    generator, largest = np.random.default_rng(0), 0.0
    for _ in range(n_orders):
        order = generator.permutation(X.shape[1])
        coefs = np.empty_like(reference)
        coefs[order] = path(X[:, order], y, l1_ratio=l1_ratio, alphas=alphas, tol=TOL).coefs.toarray()
        largest = max(largest, float(np.abs(coefs - reference).max()))
    return largest / float(np.abs(reference).max())


def _moved(X: np.ndarray, y: np.ndarray, fitted: Path, l1_ratio: float, place: int) -> tuple[float, float]:
    """Rise of the objective when weight moves between the copies, and what strong convexity promises at least."""
    alpha, w, b = fitted.alphas[place], fitted.coefs[:, [place]].toarray()[:, 0], fitted.intercepts[place]
    problem = Problem(as_design(X), y, Squared(), L1L2(alpha, l1_ratio))
    shift = 0.1 * (w[BMI] + w[-1])
    moved = w.copy()
    # From the copy that has more to the other: both keep their sign.
    source, target = (BMI, -1) if w[BMI] >= w[-1] else (-1, BMI)
    moved[source] -= shift
    moved[target] += shift
    null = problem.null.objective
    rise = (problem.objective(moved, b) - problem.objective(w, b)) / null
    return float(rise), float(alpha * (1 - l1_ratio) * shift**2 / null)


def measure_copies(n_orders: int) -> Copies:
    """The diabetes data with a column twice."""
    data = load_diabetes()
    X = standardized(data.X)
    X = np.column_stack([X, X[:, BMI]])
    lasso, net = (path(X, data.y, l1_ratio=ratio, tol=TOL) for ratio in (1.0, RATIO))
    place = len(net.alphas) // 2
    some = lasso.alphas[:: max(1, len(lasso.alphas) // 10)]
    both = [fitted.coefs.toarray()[[BMI, -1]] for fitted in (lasso, net)]
    net_moved, promised = _moved(X, data.y, net, RATIO, place)
    lengths = np.linalg.norm(net.coefs.toarray(), axis=0)
    # A gap of the size of rounding has any sign; its magnitude is taken for the gap.
    radii = np.sqrt(2 * np.abs(net.gaps) / (net.alphas * (1 - RATIO)))
    return Copies(
        net_difference=float(np.abs(both[1][0] - both[1][1]).max() / np.abs(both[1]).max()),
        lasso_both=int((both[0] != 0).all(axis=0).sum()),
        lasso_one=int(((both[0] != 0).sum(axis=0) == 1).sum()),
        n_alphas=len(lasso.alphas),
        net_orders=_orders(X, data.y, some, RATIO, n_orders),
        lasso_orders=_orders(X, data.y, some, 1.0, n_orders),
        net_moved=net_moved,
        net_promised=promised,
        lasso_moved=_moved(X, data.y, lasso, 1.0, place)[0],
        gap_radius=float((radii[lengths > 0] / lengths[lengths > 0]).max()),
    )


def measure_bounds(name: str, X: np.ndarray, y: np.ndarray, loss: str, n_alphas: int) -> Bounds:
    """Every pair of columns of which one has a weight, at every strength, against √(2(1-r)) √mean(ℓ'²) / α(1-ρ)."""
    X = standardized(X)
    fitted = path(X, y, loss=loss, l1_ratio=RATIO, n_alphas=n_alphas, tol=TOL)
    target = np.asarray(y, dtype=float)
    of_rows: Any = fitted.loss
    null_size = float(target.std()) if loss == "squared" else float("nan")
    sample: list[np.ndarray] = []
    closest, zou_hastie, n_pairs = 0.0, 0.0, 0
    for k, alpha in enumerate(fitted.alphas):
        w = fitted.coefs[:, [k]].toarray()[:, 0]
        support = np.flatnonzero(w)
        slope = of_rows.gradient(target, X[:, support] @ w[support] + fitted.intercepts[k])
        pairs = np.array([(i, j) for i in support for j in support if i < j]).reshape(-1, 2)
        if not len(pairs):
            continue
        # ‖x_i - x_j‖² = 2n(1 - r): taken from the columns, which keeps the digits that 1 - r loses.
        distance = np.sqrt(np.mean((X[:, pairs[:, 0]] - X[:, pairs[:, 1]]) ** 2, axis=0))
        difference = np.abs(w[pairs[:, 0]] - w[pairs[:, 1]])
        limit = distance * np.sqrt(np.mean(slope**2)) / (alpha * (1 - RATIO))
        closest = max(closest, float((difference / limit).max()))
        zou_hastie = np.maximum(zou_hastie, (difference * alpha * (1 - RATIO) / (distance * null_size)).max())
        n_pairs += len(pairs)
        sample.append(np.stack([1 - distance**2 / 2, difference, limit])[:, :: max(1, len(pairs) // 60)])
    points = np.concatenate(sample, axis=1)
    r, differences, limits = points[:, :: max(1, points.shape[1] // 400)]
    return Bounds(name, X.shape[1], n_pairs, closest, float(zou_hastie), r, differences, limits)


def pairs_data(correlation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """100 rows, 20 pairs of columns that correlate within a pair; both columns of the first three have weight 1."""
    generator = np.random.default_rng(seed)
    shared = np.repeat(generator.standard_normal((100, 20)), 2, axis=1)
    own = generator.standard_normal((100, 40))
    X = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return X, X[:, :6].sum(axis=1) + 3.0 * generator.standard_normal(100)


def measure_kept(correlation: float, l1_ratio: float, n_seeds: int) -> Kept:
    """Pairs kept whole, halved and dropped, at the strength that cross-validation chooses."""
    shares = np.empty((n_seeds, 2, 3))
    for seed in range(n_seeds):
        X, y = pairs_data(correlation, seed)
        cv = cross_validate(X, y, l1_ratio=l1_ratio)
        kept = (cv.path.coef(cv.alpha_min) != 0).reshape(-1, 2).sum(axis=1)
        for group, counts in enumerate((kept[:3], kept[3:])):
            shares[seed, group] = [np.mean(counts == n) for n in (2, 1, 0)]
    true, noise = shares.mean(axis=0)
    return Kept(correlation, l1_ratio, (true[0], true[1], true[2]), (noise[0], noise[1], noise[2]))


def _measure_sizes() -> tuple[tuple[tuple[str, float, float], ...], float]:
    """Radius, perimeter and area of nuclei: weights by the lasso and the elastic net one standard error up."""
    data = load_breast_cancer()
    X = standardized(data.X)
    names = [f"{kind} {size}" for kind in ("mean", "worst") for size in ("radius", "perimeter", "area")]
    places = [data.feature_names.index(name) for name in names]
    fits = [cross_validate(X, data.y, loss="logistic", l1_ratio=ratio) for ratio in (1.0, RATIO)]
    weights = [cv.path.coef(cv.alpha_1se)[places] for cv in fits]
    rows = tuple((name, float(a), float(b)) for name, a, b in zip(names, *weights, strict=True))
    return rows, float(np.corrcoef(X[:, places].T).min())


def measure(quick: bool) -> Together:
    """Copies, bounds and pairs; `quick` draws fewer data sets."""
    n_seeds, n_alphas = (15, 20) if quick else (200, 100)
    diabetes, cancer, cells = load_diabetes(), load_breast_cancer(), load_nci60()
    melanoma = cells.y == "MELANOMA"
    bounds = (
        measure_bounds("diabetes, squared", diabetes.X, diabetes.y, "squared", n_alphas),
        measure_bounds("breast cancer, logistic", cancer.X, cancer.y == "malignant", "logistic", n_alphas),
        measure_bounds("NCI60: melanoma, logistic", cells.X, melanoma, "logistic", n_alphas),
    )
    correlations, ratios = ((0.5, 0.999), (1.0, RATIO)) if quick else ((0.5, 0.9, 0.99, 0.999), (1.0, RATIO, 0.1))
    kept = tuple(measure_kept(r, ratio, n_seeds) for r in correlations for ratio in ratios)
    X, y = pairs_data(0.99, seed=0)
    lasso, net = (path(X, y, l1_ratio=ratio, alpha_min_ratio=0.01) for ratio in (1.0, RATIO))
    sizes, size_correlation = _measure_sizes()
    return Together(measure_copies(5 if quick else 20), bounds, kept, n_seeds, lasso, net, sizes, size_correlation)


def check(record: Together) -> None:
    """One answer, equal weights for copies, the bound for all pairs; the lasso picks."""
    copies = record.copies
    expect(copies.net_difference < 1e-6, f"copies differ by {copies.net_difference:.1e} in the elastic net, not 0")
    expect(copies.net_orders < 1e-6, f"elastic net changed by {copies.net_orders:.1e} with the order of columns, not 0")
    rise, promised = copies.net_moved, copies.net_promised
    expect(
        promised > 0 and rise >= promised * (1 - 1e-6),
        f"moving weight between copies raised the objective by {rise:.1e}, not by {promised:.1e} > 0 or more",
    )
    expect(copies.lasso_orders > 1e-3, f"lasso changed by {copies.lasso_orders:.1e} only with the order of copies")
    expect(
        abs(copies.lasso_moved) < 1e-12, f"moving weight between copies cost the lasso {copies.lasso_moved:.1e}, not 0"
    )
    expect(copies.lasso_both == 0, f"the lasso kept both copies at {copies.lasso_both} strengths, not at 0")
    expect(copies.lasso_one > copies.n_alphas // 2, f"the lasso picked one copy at {copies.lasso_one} strengths only")
    expect(copies.gap_radius < 1e-4, f"the gaps leave the minimizer {copies.gap_radius:.1e} away, not less than 1e-4")
    for bound in record.bounds:
        looser = bound.zou_hastie
        expect(np.isnan(looser) or looser <= bound.closest, f"{bound.name}: {looser:.4f} of Zou and Hastie's, not less")
        expect(bound.closest <= 1 + 1e-6, f"{bound.name}: |w_i - w_j| is {bound.closest:.4f} of its bound, not <= 1")
    lasso, net = record.closest, record.closest_net
    expect(net.relevant[0] > 0.9, f"the elastic net kept both of {net.relevant[0]:.0%} of true pairs, not > 90%")
    expect(lasso.relevant[1] > 0.5, f"the lasso picked one of {lasso.relevant[1]:.0%} of true pairs, not > 50%")
    halved = net.noise[1], lasso.noise[1]
    expect(halved[0] < 0.5 * halved[1], f"noise pairs halved: {halved[0]:.0%} by the net, {halved[1]:.0%} by the lasso")


def lines(record: Together) -> list[str]:
    """What a terminal shows."""
    c, lasso, net = record.copies, record.closest, record.closest_net
    most = max(record.bounds, key=lambda bound: bound.closest)
    return [
        f"a column twice (diabetes): elastic net's two weights differ by {c.net_difference:.0e} of their size;"
        f" the lasso keeps one at {c.lasso_one} of {c.n_alphas} strengths, both at {c.lasso_both}",
        f"columns in another order: elastic net changes by {c.net_orders:.0e}, the lasso by {c.lasso_orders:.2f}",
        f"|w_i - w_j| reaches at most {most.closest:.2f} of its bound, over {sum(b.n_pairs for b in record.bounds):,}"
        " pairs and strengths on three data sets",
        f"pairs that correlate {net.correlation:g}, {record.n_seeds} data sets: elastic net keeps both of"
        f" {net.relevant[0]:.0%} of the true ones, the lasso of {lasso.relevant[0]:.0%}",
        f"not a guarantee: at correlation {record.loosest_net.correlation:g} the elastic net halves"
        f" {record.loosest_net.noise[1]:.0%} of the noise pairs",
    ]


def draw_paths(record: Together, axes: Any) -> None:
    """Weights of three true pairs that correlate 0.99: a color per pair, the lasso dashed."""
    for fitted, style, width in ((record.lasso, "--", 1.0), (record.net, "-", 2.0)):
        x = fitted.alphas / fitted.alphas[0]
        for j, curve in enumerate(fitted.coefs.toarray()[:6]):
            name = "lasso" if style == "--" else "elastic net"
            label = f"{name}, pair {j // 2 + 1}" if j % 2 == 0 else None
            axes.plot(x, curve, style, color=COLORS[j // 2], linewidth=width, label=label)
    axes.set_xscale("log")
    axes.invert_xaxis()
    plain_frame(axes)
    axes.set_xlabel("strength, as a share of the largest useful one")
    axes.set_ylabel("weight")
    key(axes, ncols=2)


def draw_bound(record: Together, axes: Any) -> None:
    """|w_i - w_j| against its bound, both on log axes; nothing lies above the line."""
    for bound, color, marker in zip(record.bounds, COLORS, "os^", strict=False):
        axes.plot(bound.limits, bound.differences, marker, ms=3, color=color, alpha=0.6, label=bound.name)
    low, high = min(b.limits.min() for b in record.bounds), max(b.limits.max() for b in record.bounds)
    axes.plot([low, high], [low, high], color=GRAY, linewidth=1.5, label="the bound")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(1e-5 * high, 3 * high)
    plain_frame(axes)
    axes.set_xlabel("bound")
    axes.set_ylabel("difference of two weights")
    key(axes, loc="upper left")


CLAIM = Claim(
    number=6,
    name="together",
    sentence="The elastic net has one answer and keeps or drops correlated features together; the lasso picks one.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"paths": draw_paths, "bound": draw_bound},
)
