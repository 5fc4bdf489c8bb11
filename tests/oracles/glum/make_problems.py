"""Store what glum makes of seeded problems with a log link: problems.json.

    pip install glum && cd tests/oracles/glum && python make_problems.py

Its objective is ours: half the mean deviance, and alpha (l1_ratio |w| + (1 - l1_ratio) w²/2); its theta of the negative
binomial family is one over ours.
"""

import json
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
from glum import GeneralizedLinearRegressor, NegativeBinomialDistribution, TweedieDistribution

FOLDER = Path(__file__).parent
FAMILIES = {
    "gamma": TweedieDistribution(2),
    "tweedie 1.2": TweedieDistribution(1.2),
    "tweedie 1.7": TweedieDistribution(1.7),
    "negative binomial 0.7": NegativeBinomialDistribution(1 / 0.7),
    "negative binomial 5": NegativeBinomialDistribution(1 / 5),
    "poisson": TweedieDistribution(1),
}
EXTRAS = [(), ("weights", "offset"), ("factors",), ("standardize",), ("lower",), ("weights", "no intercept")]
N, P = 60, 8


def rows(seed):
    """X in eighths, y of every family, weights, offset."""
    rng = np.random.default_rng(seed)
    eighths = np.clip(np.rint(8 * rng.normal(size=(N, P))), -24, 24).astype(int)
    eighths[:, 1] += eighths[:, 0] // 2
    mean = np.exp(eighths[:, 0] / 16 - eighths[:, 3] / 24 + 0.5)
    counts = rng.poisson(mean * rng.gamma(2.0, 0.5, N))
    amounts = np.round(rng.gamma(2.0, mean / 2), 3) + 0.001
    return {
        "eighths": eighths.tolist(),
        "counts": counts.tolist(),
        "amounts": amounts.tolist(),
        "totals": np.where(rng.random(N) < 0.3, 0.0, amounts).tolist(),
        "weights": (rng.integers(1, 9, N) / 4).tolist(),
        "offset": np.round(0.4 * rng.normal(size=N), 2).tolist(),
        "factors": [0.0, 1.0, 2.0, 0.5, 1.0, 1.0, 3.0, 1.0],
    }


def response(data, family):
    return data["amounts" if family == "gamma" else "totals" if "tweedie" in family else "counts"]


def fitted(data, family, alpha, l1_ratio, extras):
    factors = np.array(data["factors"]) if "factors" in extras else np.ones(P)
    model = GeneralizedLinearRegressor(
        family=FAMILIES[family],
        link="log",
        alpha=alpha,
        l1_ratio=l1_ratio,
        P1=factors,
        P2=factors,
        fit_intercept="no intercept" not in extras,
        scale_predictors="standardize" in extras,
        lower_bounds=np.zeros(P) if "lower" in extras else None,
        gradient_tol=1e-13,
        step_size_tol=1e-14,
        max_iter=2000,
    )
    model.fit(
        np.array(data["eighths"]) / 8,
        np.array(response(data, family)),
        sample_weight=np.array(data["weights"]) if "weights" in extras else None,
        offset=np.array(data["offset"]) if "offset" in extras else None,
    )
    return [float(model.intercept_), *model.coef_.tolist()]


if __name__ == "__main__":
    data, problems = rows(20), []
    for family, (k, extras) in product(FAMILIES, enumerate(EXTRAS)):
        l1_ratio = (1.0, 0.5, 0.0)[(k + list(FAMILIES).index(family)) % 3]
        alpha = 0.03 if l1_ratio else 0.3
        found = fitted(data, family, alpha, l1_ratio, extras)
        problems.append({"family": family, "alpha": alpha, "l1_ratio": l1_ratio, "extras": extras, "found": found})
    stored = {"glum": version("glum"), "data": data, "problems": problems}
    (FOLDER / "problems.json").write_text(json.dumps(stored, indent=0) + "\n", encoding="utf-8")
