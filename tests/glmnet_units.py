"""Problems on which R glmnet ran the code that `shrinkage.units` prints; tests/oracles/glmnet has its coefficients."""

import itertools

import numpy as np

from shrinkage.units import convert

FACTORS = [1.0, 2.0, 0.0, 0.5]


def data(seed, n=40, weighted=False, offset=False):
    """Numbers of three decimals, so that they are the same wherever they are made."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).round(3) * [1.0, 2.0, 0.5, 1.0] + 0.5
    noise, extra = rng.normal(size=(2, n)).round(3)
    eta = X @ [1.0, -0.5, 0.0, 0.3]
    return {
        "X": X,
        "squared": 3.0 * (eta + noise),
        "logistic": (eta + 2.0 * noise > 0.5).astype(float),
        "poisson": np.floor(np.exp(0.3 * eta + 0.2 * noise)),
        "Y": np.column_stack([eta + noise, 2.0 * X[:, 1] + extra]),
        "time": np.exp(-0.5 * eta + 0.3 * noise).round(3),
        "event": (extra > -0.7).astype(float),
        "sample_weight": rng.uniform(0.5, 2.0, n).round(3) if weighted else None,
        "offset": (0.3 * extra).round(3) if offset else None,
    }


def case(name, source, target, seed, asked, loss, weighted=False, offset=False):
    """A call and the data that R reads under these names."""
    rows = data(seed, weighted=weighted, offset=offset)
    responses = {"multi_squared": ["Y"], "cox": ["time", "event"]}.get(loss, ["y"])
    values = {"X": rows["X"], **{r: rows[loss if r == "y" else r] for r in responses}}
    kept = {**values, "sample_weight": rows["sample_weight"], "offset": rows["offset"]}
    return {"name": name, "source": source, "target": target, "asked": asked, "loss": loss, "data": kept}


def cases():
    """Every problem: ours written as glmnet's, and glmnet's own of the rows that we do not fit."""
    found = []
    rows = itertools.product(("squared", "logistic"), (0.0, 0.2, 0.5, 1.0), (False, True))
    options = [{}, {"fit_intercept": False}, {"standardize": True}, {"penalty_factor": FACTORS}]
    for seed, ((loss, ratio, weighted), extra) in enumerate(itertools.product(rows, options)):
        source = "shrinkage.ElasticNet" if loss == "squared" else "shrinkage.LogisticRegression"
        asked = {"alpha": 0.1, "l1_ratio": ratio, **extra}
        words = " ".join([loss, str(ratio), *extra, *(["weighted"] if weighted else [])])
        offset = weighted or bool(extra)
        targets = ["glmnet"] if loss == "logistic" else ["glmnet.gaussian", "glmnet.gaussian_object"]
        found += [case(f"{target} {words}", source, target, seed, asked, loss, weighted, offset) for target in targets]
    for seed, (ratio, extra) in enumerate(itertools.product((0.0, 0.5, 1.0), ({}, {"penalty.factor": FACTORS}))):
        for family, loss in (("poisson", "poisson"), ("mgaussian", "multi_squared"), ("cox", "cox")):
            asked = {"lambda": 0.1, "alpha": ratio, "standardize": False, **extra}
            name = " ".join([family, str(ratio), *extra])
            found.append(case(name, f"glmnet.{family}", f"glmnet.{family}", 100 + seed, asked, loss))
    return found


def facts_of(problem):
    """What `convert` is told of the rows."""
    rows = problem["data"]
    y = next(rows[name] for name in ("y", "Y", "time") if name in rows)
    return {"y": y, "sample_weight": rows["sample_weight"], "offset": rows["offset"]}


def converted(problem, target=None):
    """The conversion of a problem, to its own target or another."""
    return convert(problem["source"], target or problem["target"], **facts_of(problem), **problem["asked"])
