"""Claim 7: L2 is a normal prior, L1 a Laplace prior; the penalized fit is the most probable one."""

from typing import Any

import numpy as np
from scipy import optimize, stats

from shrinkage._path import cross_validate
from shrinkage.claims._claim import Claim, expect
from shrinkage.claims._drawing import COLORS, GRAY, key, plain_frame
from shrinkage.claims._priors_record import PLACES, Chosen, Density, Mode, Priors
from shrinkage.datasets import load_breast_cancer, load_diabetes
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1, L1L2, L2
from shrinkage.plots import prior as plot_prior
from shrinkage.priors import log_posterior, posterior, precision, to_distribution, to_penalty
from shrinkage.problem import Problem
from shrinkage.selection import evidence
from shrinkage.solvers import solve

ROWS, DISPERSION = 200.0, 4.0
"""S and φ of the priors whose width and way back are measured."""
TRUE_SD, NOISE_SD, SHAPE = 0.5, 2.0, (100, 50)


def measure_density(l2: float, l1: float) -> Density:
    """Densities of the priors of L2(l2) and L1(l1), one row, dispersion 1."""
    normal, laplace = to_distribution(L2(l2), 1.0), to_distribution(L1(l1), 1.0)

    x = np.linspace(0.0, 20.0, 200_001)
    lower = np.flatnonzero(laplace.pdf(x) <= normal.pdf(x))
    crossing = float(x[lower[-1]]) if lower.size else 0.0
    densities = [tuple(float(one.pdf(place)) for place in PLACES) for one in (normal, laplace)]
    return Density(densities[0], densities[1], crossing)


def _scores(prior: Any, w: np.ndarray) -> np.ndarray:
    """The slope of the log density at w > 0, by differences: exact for what is linear or quadratic there."""
    h = np.maximum(1e-3 * np.abs(w), 1e-6)
    return (prior.logpdf(w + h) - prior.logpdf(np.maximum(w - h, 0.0))) / (w + h - np.maximum(w - h, 0.0))


def most_probable(X: np.ndarray, y: np.ndarray, loss: Any, prior: Any, dispersion: float) -> np.ndarray:
    """Maximize log likelihood + Σ log density by a general optimizer that knows no penalty, only the density.

    Weights are u - v with u, v >= 0, so that the density's edge at 0 lies on a bound.
    """
    n_features = X.shape[1]

    def negative(z: np.ndarray) -> tuple[float, np.ndarray]:
        u, v, b = z[:n_features], z[n_features:-1], z[-1]
        eta = X @ (u - v) + b
        slope = loss.gradient(y, eta) / dispersion
        value = loss.value(y, eta).sum() / dispersion - prior.logpdf(u + v).sum()
        g, pull = X.T @ slope, -_scores(prior, u + v)
        return float(value), np.concatenate([g + pull, -g + pull, [slope.sum()]])

    bounds = [(0, None)] * (2 * n_features) + [(None, None)]
    options = {"maxiter": 20_000, "maxfun": 200_000, "ftol": 1e-16, "gtol": 1e-9, "maxcor": 30}
    start = np.full(2 * n_features + 1, 1e-3)
    found = optimize.minimize(negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return found.x[:n_features] - found.x[n_features:-1]


def measure_mode(name: str, X: np.ndarray, y: np.ndarray, loss: Any, penalty: Any, dispersion: float) -> Mode:
    """One penalty on one data set, as a penalty and as a prior."""
    problem = Problem(as_design(X), y, loss, penalty)
    fitted = solve(problem, tol=1e-12).coef
    mode = most_probable(X, y, loss, to_distribution(penalty, len(y), dispersion), dispersion)
    generator = np.random.default_rng(0)
    points = generator.standard_normal((20, X.shape[1]))
    sums = np.array([log_posterior(problem, w, 0.5, dispersion) for w in points])
    objectives = np.array([problem.objective(w, 0.5) for w in points]) * len(y) / dispersion
    total = sums + objectives
    identity = np.ptp(total) / np.ptp(objectives)
    return Mode(name, float(np.linalg.norm(mode - fitted) / np.linalg.norm(fitted)), float(identity))


def _real() -> dict[str, tuple[np.ndarray, np.ndarray, Any]]:
    diabetes, cancer = load_diabetes(), load_breast_cancer()
    scaled = [(data.X - data.X.mean(axis=0)) / data.X.std(axis=0) for data in (diabetes, cancer)]
    y = (diabetes.y - diabetes.y.mean()) / diabetes.y.std()
    return {
        "diabetes": (scaled[0], y, Squared()),
        "breast cancer": (scaled[1], (cancer.y == "malignant").astype(float), Logistic()),
    }


def measure_modes() -> tuple[Mode, ...]:
    """Three penalties on two data sets; φ of diabetes is the variance of its least-squares residuals."""
    penalties = {"normal": L2(0.05), "Laplace": L1(0.05), "elastic net": L1L2(0.05, 0.5)}
    found = []
    for data, (X, y, loss) in _real().items():
        residuals = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
        dispersion = float(residuals.var()) if data == "diabetes" else 1.0
        for prior, penalty in penalties.items():
            found.append(measure_mode(f"{data}, {prior}", X, y, loss, penalty, dispersion))
    return tuple(found)


def measure_precisions() -> tuple[tuple[tuple[float, float, float], ...], float, float]:
    """Precisions of draws, strengths there and back, and the posterior's precision."""
    rows = []
    for alpha in (0.01, 0.1, 1.0):
        prior = to_distribution(L2(alpha), ROWS, DISPERSION)
        draws = prior.rvs(size=200_000, random_state=np.random.default_rng(0))
        rows.append((alpha, float(1 / np.var(draws)), float(precision(L2(alpha), ROWS, DISPERSION))))
    trips = []
    for alpha in (0.01, 0.1, 1.0):
        for penalty in (L2(alpha), L1(alpha), L1L2(alpha, 0.3)):
            back = to_penalty(to_distribution(penalty, ROWS, DISPERSION), ROWS, DISPERSION)
            trips.append(abs(back.alpha / alpha - 1) if type(back) is type(penalty) else np.inf)
    X, y, loss = _real()["diabetes"]
    problem = Problem(as_design(X), y, loss, L2(0.05))
    fitted = solve(problem, tol=1e-12)
    told = np.linalg.inv(posterior(problem, fitted.coef, fitted.intercept, 0.5).cov)
    due = X.T @ X / 0.5 + float(precision(L2(0.05), len(y), 0.5)) * np.eye(X.shape[1])
    return tuple(rows), float(max(trips)), float(np.linalg.norm(told - due) / np.linalg.norm(due))


def measure_chosen(n_draws: int) -> tuple[Chosen, ...]:
    """Evidence and cross-validation on real data."""
    found = []
    for name, prior in (("diabetes", "normal"), ("diabetes", "laplace"), ("breast cancer", "normal")):
        X, y, loss = _real()[name]
        kind = loss.name
        told = evidence(X, y, prior=prior, loss=kind, n_draws=n_draws)
        c = told.compare(cross_validate(X, y, loss=kind, l1_ratio=0.0 if prior == "normal" else 1.0))
        strengths = c.alpha, c.log_alpha_se, c.alpha_min, c.alpha_1se
        found.append(Chosen(f"{name}, {prior}", *strengths, c.mean, c.best, c.se))
    return tuple(found)


def measure_ratios(n_seeds: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Weights drawn from a normal prior: strengths over the true one, and the error of the weights at each."""
    truth = NOISE_SD**2 / (SHAPE[0] * TRUE_SD**2)
    ratios = {"evidence": np.empty(n_seeds), "cross-validation": np.empty(n_seeds)}
    errors = {name: np.empty(n_seeds) for name in (*ratios, "truth")}
    for seed in range(n_seeds):
        generator = np.random.default_rng(seed)
        X = generator.standard_normal(SHAPE)
        w = stats.norm(scale=TRUE_SD).rvs(SHAPE[1], random_state=generator)
        y = X @ w + NOISE_SD * generator.standard_normal(SHAPE[0])
        cv = cross_validate(X, y, l1_ratio=0.0)
        strengths = {"evidence": float(evidence(X, y).alpha), "cross-validation": cv.alpha_min, "truth": truth}
        for name, alpha in strengths.items():
            fitted = solve(Problem(as_design(X), y, Squared(), L2(float(alpha)))).coef
            errors[name][seed] = float(np.sum((fitted - w) ** 2))
            if name in ratios:
                ratios[name][seed] = alpha / truth
    return ratios, {name: float(values.mean()) for name, values in errors.items()}


def measure(quick: bool) -> Priors:
    """Densities, modes, precisions and strengths; `quick` draws fewer data sets."""
    n_seeds, n_draws = (15, 250) if quick else (200, 5000)
    precisions, round_trip, posterior_error = measure_precisions()
    ratios, excess = measure_ratios(n_seeds)
    return Priors(
        measure_density(1.0, 1.0),
        measure_density(1.0, float(np.sqrt(2.0))),
        measure_modes(),
        precisions,
        round_trip,
        posterior_error,
        measure_chosen(n_draws),
        ratios,
        excess,
        n_seeds,
    )


def check(record: Priors) -> None:
    """Sharper peak and heavier tails; modes equal fits; the strength is a precision; evidence finds the prior."""
    for name, density in (("scale", record.unit_scale), ("variance", record.unit_variance)):
        normal, laplace = density.normal, density.laplace
        expect(
            laplace[0] > normal[0], f"unit {name}: Laplace is {laplace[0]:.4f} at 0, normal {normal[0]:.4f}, not lower"
        )
        expect(
            laplace[-1] > normal[-1],
            f"unit {name}: Laplace is {laplace[-1]:.1e} at 4, normal {normal[-1]:.1e}, not lower",
        )
    unit = record.unit_scale
    expect(
        unit.laplace[1] > unit.normal[1],
        f"at 2 Laplace is {unit.laplace[1]:.4f}, normal {unit.normal[1]:.4f}, not lower",
    )
    due = 1 / np.sqrt(2 * np.pi), 0.5
    for name, met, wanted in (("normal", unit.normal[0], due[0]), ("Laplace", unit.laplace[0], due[1])):
        expect(abs(met - wanted) < 1e-12, f"the {name} density at 0 is {met:.6f}, not {wanted:.6f}")
    for mode in record.modes:
        expect(mode.distance < 1e-4, f"{mode.name}: the most probable weights are {mode.distance:.1e} from the fit")
        expect(
            mode.identity < 1e-9,
            f"{mode.name}: log posterior and -S F / φ differ by {mode.identity:.1e} more than a constant",
        )
    for alpha, met, wanted in record.precisions:
        close = abs(met / wanted - 1) < 0.02 and abs(wanted - ROWS * alpha / DISPERSION) < 1e-9 * wanted
        expect(close, f"L2({alpha:g}): draws have precision {met:.4f}, the prior {wanted:.4f}, not S α / φ")
    expect(record.round_trip < 1e-12, f"a strength changed by {record.round_trip:.1e} there and back, not by rounding")
    expect(record.posterior_error < 1e-8, f"the posterior's precision is {record.posterior_error:.1e} off prior + data")
    for chosen in record.chosen:
        told = f"{chosen.loss:.4g} at the evidence's strength, not within {chosen.best:.4g} ± {chosen.se:.2g}"
        expect(chosen.loss <= chosen.best + chosen.se, f"{chosen.name}: held out {told}")
        strengths = chosen.by_evidence, chosen.alpha_min, chosen.alpha_1se
        told = "evidence, least error and one standard error choose " + ", ".join(f"{alpha:.3g}" for alpha in strengths)
        expect(strengths[0] < strengths[1] < strengths[2], f"{chosen.name}: {told}, not more and more")
    for way, said in (("evidence", "the evidence"), ("cross-validation", "cross-validation")):
        middle = float(np.median(record.ratios[way]))
        expect(
            0.5 < middle < 2.0, f"{said} chooses {middle:.2f} of the true prior's strength in the median, not about 1"
        )
        cost = record.excess[way] / record.excess["truth"]
        expect(cost < 1.1, f"weights at {said}'s strength err {cost:.2f} times as much as at the true one, not < 1.1")


def lines(record: Priors) -> list[str]:
    """What a terminal shows."""
    unit, worst = record.unit_scale, max(mode.distance for mode in record.modes)
    spread = {name: np.quantile(values, [0.1, 0.9]) for name, values in record.ratios.items()}
    said = [
        f"densities at 0 and 2: normal {unit.normal[0]:.3f}, {unit.normal[1]:.3f}; Laplace {unit.laplace[0]:.3f},"
        f" {unit.laplace[1]:.3f} (unit scale)",
        f"most probable weights, found without a penalty, are the penalized fits to {worst:.0e}",
        "precision of the prior of L2(α) is S α / φ: "
        + ", ".join(f"{met:.2f} drawn for {due:.2f}" for _, met, due in record.precisions),
    ]
    said += [
        f"{c.name}: evidence {c.by_evidence:.3g}, CV {c.alpha_min:.3g} to {c.alpha_1se:.3g}" for c in record.chosen
    ]
    said.append(
        "strength over the true one, 80% of the data sets: "
        + ", ".join(f"{name} {low:.2f} to {high:.2f}" for name, (low, high) in spread.items())
    )
    return said


def draw_densities(record: Priors, axes: Any) -> None:
    """The priors of a ridge and a lasso that have the same variance."""
    plot_prior({"normal: L2": L2(1.0), "Laplace: L1": L1(float(np.sqrt(2.0)))}, n_samples=1, ax=axes)


def draw_ratios(record: Priors, axes: Any) -> None:
    """Strengths by evidence and by cross-validation over the true one."""
    edges = np.geomspace(0.1, 10, 31)
    for (name, values), color in zip(record.ratios.items(), COLORS, strict=False):
        axes.hist(np.clip(values, edges[0], edges[-1]), edges, histtype="step", color=color, linewidth=1.8, label=name)
    axes.axvline(1.0, color=GRAY, linestyle=":", label="the prior that the weights came from")
    axes.set_xscale("log")
    plain_frame(axes)
    axes.set_xlabel("strength chosen, over the true one")
    axes.set_ylabel("data sets")
    key(axes, loc="upper left")


CLAIM = Claim(
    number=7,
    name="priors",
    sentence="L2 is a normal prior, L1 a Laplace prior, sharper at 0 and with heavier tails; the penalized fit is the "
    "most probable one, and the strength is the prior's precision, up to the number of rows and the noise.",
    measure=measure,
    check=check,
    lines=lines,
    pictures={"densities": draw_densities, "ratios": draw_ratios},
)
