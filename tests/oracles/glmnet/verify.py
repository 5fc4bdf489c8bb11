"""Judge stored glmnet solutions by their KKT conditions, in numpy alone, knowing neither glmnet nor R.

    python verify.py [families.json]        worst violation of each family; exit status 1 if any is above 1e-8

Each solution has three:

kkt    the worst violation of the optimality conditions (of the problem in standardized coefficients), over the null
       model's largest gradient;
error  one Newton step over the coefficients that are neither 0 nor at a bound, its largest entry over the largest
       coefficient: how far glmnet's answer is from the exact one;
unique the Newton matrix is regular, up to a multinomial's shifts of intercepts and free features: centre these over the
       classes, and the coefficients are the only ones.
"""

import json
import sys
from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "families.json"


def array(values):
    return np.array(values, float)  # "inf" and "-inf" are strings in the JSON


class Judge:
    """The convex problem: F(b, Z) = loss + lambda sum_j v_j (alpha |z_j| + (1-alpha)/(2 tau) |z_j|^2).

    Z = s * B / scale are the coefficients of standardized features (and responses, standardize_response).
    """

    def __init__(self, problem, x):
        p, self.problem = problem, problem
        self.family = p["family"]
        self.x = x
        n, self.p = x.shape
        w = array(p["weights"]) if "weights" in p else np.ones(n)
        self.w = w / w.sum()
        mean = self.w @ x
        self.s = np.sqrt(self.w @ (x - mean) ** 2) if p["standardize"] else np.ones(self.p)
        self.y = array(p["y"])
        self.K = {"mgaussian": self.y.shape[-1], "multinomial": int(self.y.max()) + 1}.get(self.family, 1)
        self.offset = array(p["offset"]).reshape(n, self.K) if "offset" in p else np.zeros((n, self.K))
        self.intercept = p["intercept"] and self.family != "cox"
        v = array(p["penalty_factor"]) if "penalty_factor" in p else np.ones(self.p)
        self.excluded = np.isinf(v)
        v = np.where(self.excluded, 1.0, v)  # glmnet counts them as 1 in the sum
        self.v = v * self.p / v.sum()
        bounds = [np.broadcast_to(array(p.get(k, d)), (self.p,)) for k, d in (("lower", "-inf"), ("upper", "inf"))]
        self.grouped = self.family == "mgaussian" or bool(p.get("grouped"))
        self.alpha = p["alpha"]
        self.tau, self.scale = 1.0, np.ones(self.K)
        if self.family in ("gaussian", "mgaussian"):
            r = self.y.reshape(n, self.K) - self.offset
            sds = np.sqrt(self.w @ (r - (self.w @ r if self.intercept else 0)) ** 2)
            if self.family == "gaussian":
                self.tau = sds[0]  # glmnet divides y by it, and not the strength of the L2 part
            elif p.get("standardize_response"):
                self.scale = sds
        to_z = self.s[:, None] / self.scale
        self.lower, self.upper = (b[:, None] * to_z for b in bounds)
        if self.family == "cox":
            self.time, self.status = self.y[:, 0], self.y[:, 1]
            strata = array(p["strata"]) if "strata" in p else np.zeros(n)
            same = strata[:, None] == strata
            self.at_risk = same & (self.time >= self.time[:, None])  # row i: the risk set at i's time
        if self.family == "multinomial":
            self.y = np.eye(self.K)[self.y.astype(int)]
        elif self.family != "cox":
            self.y = self.y.reshape(n, self.K)

    def eta(self, b, Z):
        return self.x @ (Z * self.scale / self.s[:, None]) + b + self.offset

    def residual(self, eta):
        """The loss's gradient in eta, rows x K; eta may be complex."""
        w = self.w[:, None]
        if self.family == "gaussian":
            return w * (eta - self.y)
        if self.family == "mgaussian":
            return w * (eta - self.y) / self.scale**2
        if self.family == "binomial":
            return w * (1 / (1 + np.exp(-eta)) - self.y)
        if self.family == "poisson":
            return w * (np.exp(eta) - self.y)
        if self.family == "multinomial":
            e = np.exp(eta - eta.real.max(axis=1, keepdims=True))
            return w * (e / e.sum(axis=1, keepdims=True) - self.y)
        risk = self.w * np.exp(eta[:, 0] - eta.real.max())
        events = self.w * self.status
        shares = np.zeros_like(risk)  # of each event, weight over its risk set's sum (which may be 0 where weights are)
        shares[events > 0] = events[events > 0] / (self.at_risk[events > 0] @ risk)
        return (risk * (shares @ self.at_risk) - events)[:, None]

    def loss(self, eta):
        w = self.w[:, None]
        if self.family in ("gaussian", "mgaussian"):
            return (w * ((self.y - eta) / self.scale) ** 2).sum() / 2
        if self.family == "binomial":
            return (w * (np.logaddexp(0, eta) - self.y * eta)).sum()
        if self.family == "poisson":
            return (w * (np.exp(eta) - self.y * eta)).sum()
        if self.family == "multinomial":
            top = eta.max(axis=1)
            return self.w @ (top + np.log(np.exp(eta - top[:, None]).sum(axis=1)) - (self.y * eta).sum(axis=1))
        eta, events = eta[:, 0], self.w * self.status > 0
        sums = self.at_risk[events] @ (self.w * np.exp(eta))
        return (self.w * self.status)[events] @ (np.log(sums) - eta[events])

    def gradient(self, b, Z):
        r = self.residual(self.eta(b, Z))
        return r.sum(axis=0), (self.x.T @ r) * self.scale / self.s[:, None]

    def null_intercepts(self):
        """Of the null model (no features), by Newton's steps."""
        b = np.zeros(self.K)
        if not self.intercept:
            return b
        Z = np.zeros((self.p, self.K))
        if self.family == "poisson":
            return np.log((self.w @ self.y) / (self.w @ np.exp(self.offset)))
        for _ in range(100):
            g = self.gradient(b, Z)[0]
            J = np.array([self.gradient(b + 1e-30j * e, Z)[0].imag / 1e-30 for e in np.eye(self.K)]).T
            step = np.linalg.lstsq(J, g, rcond=1e-12)[0]
            b = (
                b - step * min(1, 2 / max(np.abs(step).max(), 1e-300))
                if self.family not in ("gaussian", "mgaussian")
                else b - step
            )
            if np.abs(step).max() < 1e-13 * (1 + np.abs(b).max()):
                break
        return b

    def null_gradients(self):
        G = self.gradient(self.null_intercepts(), np.zeros((self.p, self.K)))[1]
        return np.sqrt((G**2).sum(axis=1)) if self.grouped else np.abs(G).max(axis=1)

    def largest_lambda(self):
        """About the smallest strength of the null model, at alpha max(alpha, 0.2)."""
        v = np.where(self.excluded | (self.v == 0), np.inf, self.v)
        return float((self.null_gradients() / v).max() / max(self.alpha, 0.2))

    def unpack(self, coef):
        coef = array(coef).reshape(-1, self.K)
        return coef[0], coef[1:] * self.s[:, None] / self.scale

    def objective(self, lam, coef):
        b, Z = self.unpack(coef)
        v = np.where(self.excluded, 0, self.v)
        l1 = np.sqrt((Z**2).sum(axis=1)) if self.grouped else np.abs(Z).sum(axis=1)
        l2 = (Z**2).sum(axis=1)
        return self.loss(self.eta(b, Z)) + lam * v @ (self.alpha * l1 + (1 - self.alpha) / (2 * self.tau) * l2)

    def kkt(self, lam, coef):
        b, Z = self.unpack(coef)
        g, G = self.gradient(b, Z)
        v, a = self.v[:, None] * lam, self.alpha
        q = G + v * (1 - a) / self.tau * Z
        room = 1e-12 * (1 + np.abs(Z))  # rounding of bounds times scales
        up, down = self.upper - Z > room, Z - self.lower > room
        if self.grouped:
            norm = np.sqrt((Z**2).sum(axis=1, keepdims=True))
            smooth = q + v * a * Z / np.where(norm > 0, norm, 1)
            bad = np.where(up, np.maximum(-smooth, 0), 0) + np.where(down, np.maximum(smooth, 0), 0)
            feasible = np.where((q < 0) & up | (q > 0) & down, q, 0)
            at_zero = np.maximum(np.sqrt((feasible**2).sum(axis=1, keepdims=True)) - v * a, 0)
            bad = np.where(norm > 0, bad, at_zero)
        else:
            rise = q + v * a * np.where(Z >= 0, 1, -1)  # the slope to the right
            fall = -q + v * a * np.where(Z <= 0, 1, -1)  # and to the left
            bad = np.maximum(np.where(up, np.maximum(-rise, 0), 0), np.where(down, np.maximum(-fall, 0), 0))
        outside = max((Z - self.upper).max(), (self.lower - Z).max(), 0.0)
        assert outside < 1e-9, outside
        assert not Z[self.excluded].any()
        bad = bad[~self.excluded]
        worst = bad.max(initial=0.0)
        if self.intercept:
            worst = max(worst, np.abs(g).max())
        return float(worst / self.null_gradients().max())

    def error(self, lam, coef):
        b, Z = self.unpack(coef)
        room = 1e-12 * (1 + np.abs(Z))
        penalized = (self.v[:, None] * self.alpha > 0) & np.ones((1, self.K), bool)
        nonzero = (Z**2).sum(axis=1, keepdims=True) > 0 if self.grouped else Z != 0
        inside = (self.upper - Z > room) & (Z - self.lower > room)
        free = (nonzero | ~penalized) & inside & ~self.excluded[:, None]
        count = self.K if self.intercept else 0
        signs = np.sign(Z)
        v = self.v[:, None] * lam

        def F(t):
            bb, ZZ = b + 0j, Z + 0j
            if count:
                bb = bb + t[:count]
            ZZ[free] += t[count:]
            g, G = self.gradient(bb, ZZ)
            q = G + v * (1 - self.alpha) / self.tau * ZZ
            if self.grouped:
                norm = np.sqrt((ZZ**2).sum(axis=1, keepdims=True))
                q = q + v * self.alpha * ZZ / np.where(nonzero, norm, 1)
            else:
                q = q + v * self.alpha * signs
            return np.concatenate([g[:count], q[free]])

        size = count + int(free.sum())
        if size == 0:
            return 0.0, True
        g = F(np.zeros(size)).real
        J = np.array([F(1e-30j * e).imag / 1e-30 for e in np.eye(size)]).T
        t, _, rank, _ = np.linalg.lstsq(J, g, rcond=1e-11)
        # of a multinomial, by the same number in every class: all intercepts, the coefficients of a feature left free
        shifts = int(count > 0) + int((free.all(axis=1) & (self.v == 0)).sum()) if self.family == "multinomial" else 0
        step = np.zeros_like(Z)
        step[free] = t[count:]
        step = step * self.scale / self.s[:, None]
        top = np.abs(array(coef)).max()
        far = max(np.abs(step).max(), np.abs(t[:count]).max(initial=0.0))
        return (float(far / top) if top else 0.0), bool(rank == size - shifts)


def designs(stored):
    return {name: np.array(d["x"], float) / d["divisor"] for name, d in stored["designs"].items()}


def complete(problem, stored):
    """The problem with its response, which several share."""
    return {**problem, **stored["responses"][problem["response"]]}


def judged(problem, x):
    judge = Judge(problem, x)
    for place, coef, objective in zip(problem["places"], problem["coef"], problem["objective"], strict=True):
        lam = problem["lambda"][place]
        ours = judge.objective(lam, coef)
        error, unique = judge.error(lam, coef)
        yield judge.kkt(lam, coef), error, abs(ours - objective) / abs(objective), unique


def main(path):
    stored = json.loads(Path(path).read_text())
    X = designs(stored)
    worst = {}
    for short in stored["problems"]:
        problem = complete(short, stored)
        kind = problem["family"] + (" grouped" if problem.get("grouped") else "")
        kind += " adaptive" if "adaptive" in problem else ""
        rows = list(judged(problem, X[problem["design"]]))
        if "adaptive" in problem:
            ridge = problem["adaptive"]
            plain = {k: v for k, v in problem.items() if k != "penalty_factor"}
            plain |= {"alpha": 0, "lambda": [ridge["ridge_lambda"]], "places": [0]}
            rows += judged(
                {**plain, "coef": [ridge["ridge_coef"]], "objective": [ridge["ridge_objective"]]}, X[problem["design"]]
            )
        rows = np.array(rows)[:, :3]
        worst.setdefault(kind, []).append([problem["number"], len(rows), *rows.max(axis=0)])
    print(f"{'family':24s}{'problems':>9s}{'solutions':>10s}{'worst kkt':>11s}{'worst error':>13s}{'objective':>11s}")
    for kind, rows in worst.items():
        rows = np.array(rows)
        print(
            f"{kind:24s}{len(rows):9d}{int(rows[:, 1].sum()):10d}"
            + "".join(f"{value:{width}.1e}" for value, width in zip(rows[:, 2:].max(axis=0), (11, 13, 11), strict=True))
        )
    every = np.concatenate([np.array(rows) for rows in worst.values()])
    print(
        f"{'all':24s}{len(every):9d}{int(every[:, 1].sum()):10d}"
        f"{every[:, 2].max():11.1e}{every[:, 3].max():13.1e}{every[:, 4].max():11.1e}"
    )
    return int(every[:, 2].max() > 1e-8 or every[:, 4].max() > 1e-10)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else PATH))
