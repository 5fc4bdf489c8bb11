"""Random small problems over every loss, with every penalty, bound and kind of data that `path` takes of it."""

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from shrinkage import L1L2, MCP, SCAD, ConvergenceWarning, GroupL2, SortedL1, path
from shrinkage._path._classes import state_classes
from shrinkage.losses import Cox, Gamma, Huber, NegativeBinomial, Quantile, Tweedie
from shrinkage.penalties import bh_weights

ROW_LOSSES = {
    "squared": lambda rng: "squared",
    "logistic": lambda rng: "logistic",
    "poisson": lambda rng: "poisson",
    "gamma": lambda rng: Gamma(),
    "tweedie": lambda rng: Tweedie(float(rng.uniform(1.05, 1.95))),
    "negative_binomial": lambda rng: NegativeBinomial(float(10 ** rng.uniform(-1, 1))),
    "huber": lambda rng: Huber(float(10 ** rng.uniform(-1, 0.5))),
    "quantile": lambda rng: Quantile(float(rng.uniform(0.1, 0.9)), float(10 ** rng.uniform(-1.5, 0))),
    "cox": lambda rng: Cox(str(rng.choice(["breslow", "efron"]))),
}
CLASS_LOSSES = ("multinomial", "multinomial_grouped")
LOSSES = (*ROW_LOSSES, *CLASS_LOSSES)
SHAPES = ("lasso", "elastic net", "ridge", "bounds", "groups", "sparse groups", "sorted", "mcp", "scad")


@dataclass
class Drawn:
    """A call of `path`."""

    X: object
    y: np.ndarray
    loss: object
    options: dict = field(default_factory=dict)
    convex: bool = True

    def problem(self, fitted):
        """What certifies the path: its own problem; of several classes one that is stated here."""
        if fitted.problem is not None:
            return fitted.problem
        options = dict.fromkeys(("sample_weight", "offset", "penalty_factor", "penalty")) | {"l1_ratio": 1.0}
        options |= {"fit_intercept": True, "standardize": False} | self.options
        return state_classes(self.X, self.y, self.loss, **options)[0]

    def fit(self):
        """The path, and what it warned of."""
        with warnings.catch_warnings(record=True) as met:
            warnings.simplefilter("always")
            fitted = path(self.X, self.y, self.loss, n_alphas=6, alpha_min_ratio=0.02, **self.options)
        return fitted, [w for w in met if issubclass(w.category, ConvergenceWarning)]


def draw(seed: int) -> Drawn:
    """One problem; seeds that follow each other go through the losses in turn."""
    rng = np.random.default_rng(seed)
    name = LOSSES[seed % len(LOSSES)]
    n, p = int(rng.integers(12, 60)), int(rng.integers(1, 80))
    X = _features(rng, n, p)
    spread = X.std(axis=0)
    eta = (X - X.mean(axis=0)) @ np.where(np.arange(p) < 4, rng.normal(size=p) / np.where(spread > 0, spread, 1), 0)
    eta = eta / max(np.abs(eta).max() / 2, 1e-9)
    y = _response(rng, name, eta)
    options = _rows(rng, name, n)
    shape = "lasso" if name in CLASS_LOSSES else str(rng.choice(SHAPES[:4] if name == "cox" else SHAPES))
    if name in CLASS_LOSSES:
        options["l1_ratio"] = float(rng.choice([0.5, 1.0]))
        loss = name
    else:
        loss = ROW_LOSSES[name](rng)
        options |= _penalty(rng, shape, p)
    if "penalty" not in options and rng.random() < 0.3:
        # A column left free could separate the classes: such problems have no minimizer, and tests of their own.
        options["penalty_factor"] = rng.choice([0.5, 1.0, 2.0, 1.5 if name in CLASS_LOSSES else np.inf], p)
        options["penalty_factor"][0] = 1.0
    options["standardize"] = bool(rng.random() < 0.4)
    return Drawn(_stored(rng, X), y, loss, options, shape not in ("mcp", "scad"))


def _features(rng, n, p):
    X = rng.normal(size=(n, p)) + float(rng.choice([0.0, 0.5, 2.0])) * rng.normal(size=(n, 1))
    if rng.random() < 0.3:
        X *= 10.0 ** rng.uniform(-1, 1, p)
    if rng.random() < 0.3:
        X *= rng.random((n, p)) < 0.3
    if rng.random() < 0.2 and p > 3:
        X[:, 1], X[:, 2] = X[:, 0], 1.5
    return X


def _response(rng, name, eta):
    n = eta.size
    if name == "logistic":
        y = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
        y[:2] = [0, 1]
        return y
    if name in CLASS_LOSSES:
        K = int(rng.integers(2, 5))
        y = np.clip(np.round(eta + rng.normal(size=n) + K / 2), 0, K - 1)
        y[: 2 * K] = np.tile(np.arange(K), 2)
        return y
    if name in ("poisson", "negative_binomial"):
        return rng.poisson(np.exp(eta)) + 1.0 * (np.arange(n) == 0)
    if name == "gamma":
        return np.exp(eta) * rng.gamma(2.0, 0.5, n) + 1e-3
    if name == "tweedie":
        return np.exp(eta) * rng.gamma(2.0, 0.5, n) * (rng.random(n) < 0.7) + 1.0 * (np.arange(n) == 0)
    if name == "cox":
        time = np.round(rng.exponential(np.exp(-eta)), int(rng.integers(1, 4)))
        died = (rng.random(n) < 0.7) | (np.arange(n) < 3)
        columns = [time, died.astype(float)]
        return np.column_stack([*columns, rng.integers(0, 2, n)] if rng.random() < 0.3 else columns)
    y = eta + rng.standard_t(2, n) * 0.5
    return y * float(rng.choice([1.0, 100.0])) if name == "squared" else y


def _rows(rng, name, n):
    options = {}
    if rng.random() < 0.4:
        # The first rows hold every class, and a death.
        options["sample_weight"] = np.where(np.arange(n) < 10, 1.0, rng.choice([0.0, 0.5, 1.0, 3.0], n))
    if rng.random() < 0.3 and name not in CLASS_LOSSES:
        options["offset"] = 0.5 * rng.normal(size=n)
    if name != "cox":
        options["fit_intercept"] = bool(rng.random() < 0.8)
    return options


def _penalty(rng, shape, p):
    groups = np.array_split(rng.permutation(p), int(rng.integers(1, max(2, p // 3))))
    groups = [g.tolist() for g in groups if g.size]
    if shape == "bounds":
        lower = rng.choice([0.0, -0.1, -np.inf], p)
        upper = rng.choice([0.05, 1.0, np.inf], p)
        return {"lower": lower, "upper": upper, "l1_ratio": float(rng.choice([0.3, 1.0]))}
    if shape == "groups":
        return {"penalty": GroupL2(1.0, groups=groups)}
    if shape == "sparse groups":
        return {"penalty": L1L2(0.5, float(rng.choice([0.5, 1.0]))) + GroupL2(0.5, groups=groups)}
    if shape == "sorted":
        return {"penalty": SortedL1(1.0, bh_weights(p, 0.2))}
    if shape == "mcp":
        return {"penalty": MCP(1.0, float(rng.choice([1.5, 3.0, 10.0])))}
    if shape == "scad":
        return {"penalty": SCAD(1.0, float(rng.choice([2.5, 3.7, 10.0])))}
    return {"l1_ratio": {"lasso": 1.0, "ridge": 0.0}.get(shape, 0.4)}


def _stored(rng, X):
    kind = rng.choice(["C", "F", "csc", "float32"])
    if kind == "csc":
        return sparse.csc_array(X)
    return X.astype(np.float32) if kind == "float32" else np.array(X, order=kind)
