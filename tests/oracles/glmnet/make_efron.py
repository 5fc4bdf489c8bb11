"""Store Cox fits with Efron's ties (survival's coxph, ridge or no penalty) on designs of families.json: efron.json.

    nice -n 10 python make_efron.py           after make_families.py; judged here by the gradient, in numpy alone

loss(eta) = sum over strata and event times [ -sum_D w eta + (sum_D w / d) sum_{l<d} log(S_R - (l/d) S_D) ],
D the d tied deaths, R the risk set {time >= t}, S their sums of w exp(eta); minimized: loss + theta/2 |beta|^2.
In means, as the library's: loss/W with alpha (1 - l1_ratio) = theta/W, W = sum w.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import verify

FOLDER = Path(__file__).parent
PLANS = [
    ("tall", 0, ()),
    ("tall", 2, ("weights",)),
    ("tall", 0, ("weights", "strata", "offset")),
    ("square", 5, ()),
    ("square", 1, ("weights", "strata")),
    ("wide", 10, ("offset",)),
    ("sparse", 3, ("strata",)),
    ("sparse", 0.5, ("weights", "offset")),
]


def gradient(x, y, w, offset, strata, theta, beta):
    """By complex steps of the loss; beta may be off the solution."""

    def loss(beta):
        eta, total = x @ beta + offset, 0
        e = w * np.exp(eta)
        for g in np.unique(strata):
            for t in np.unique(y[(y[:, 1] == 1) & (strata == g), 0]):
                dead = (y[:, 0] == t) & (y[:, 1] == 1) & (strata == g)
                risk, d = e[(y[:, 0] >= t) & (strata == g)].sum(), dead.sum()
                logs = np.log(risk - np.arange(d) / d * e[dead].sum()).sum()
                total = total - (w * eta)[dead].sum() + w[dead].sum() / d * logs
        return total + theta / 2 * (beta**2).sum()

    return np.array([loss(beta + 1e-30j * k).imag / 1e-30 for k in np.eye(len(beta))]), loss(beta + 0j).real


def main():
    stored = json.loads((FOLDER / "families.json").read_text())
    X, problems = verify.designs(stored), []
    for number, (design, theta, extras) in enumerate(PLANS):
        rng, n = np.random.default_rng([88, number]), len(X[design])
        problem = {"number": number + 1, "design": design, "response": f"{design}_cox", "theta": theta}
        made = {
            "weights": np.round(rng.uniform(0.2, 2, n), 2),
            "offset": np.round(0.5 * rng.normal(size=n), 2),
            "strata": rng.integers(1, 4, n),
        }
        problems.append(problem | {k: made[k].tolist() for k in extras})
    with tempfile.TemporaryDirectory() as root:
        for p in problems:
            folder = Path(root) / f"{p['number']:04d}"
            folder.mkdir()
            y = stored["responses"][p["response"]]["y"]
            for name, values in {
                "x": X[p["design"]],
                "y": y,
                **{k: p[k] for k in ("weights", "offset", "strata", "theta") if k in p},
            }.items():
                np.savetxt(folder / f"{name}.csv", np.atleast_1d(values), fmt="%.17g", delimiter=",")
        subprocess.run(["nice", "-n", "10", "Rscript", str(FOLDER / "efron.R"), root], check=True, timeout=300)
        for p in problems:
            found = np.loadtxt(Path(root) / f"{p['number']:04d}" / "fit.out")
            p["coef"], n = [float(f"{v:.15g}") for v in found[:-1]], len(X[p["design"]])
            beta = np.array(p["coef"])
            rest = (
                X[p["design"]],
                np.array(stored["responses"][p["response"]]["y"], float),
                np.array(p.get("weights", np.ones(n))),
                np.array(p.get("offset", np.zeros(n))),
                np.array(p.get("strata", np.ones(n))),
                p["theta"],
            )
            g, objective = gradient(*rest, beta)
            null = np.abs(gradient(*rest, 0 * beta)[0]).max()
            H = np.array(
                [
                    (gradient(*rest, beta + 1e-6 * k)[0] - gradient(*rest, beta - 1e-6 * k)[0]) / 2e-6
                    for k in np.eye(len(beta))
                ]
            )
            p["kkt"], p["error"] = np.abs(g).max() / null, np.abs(np.linalg.solve(H, g)).max() / np.abs(beta).max()
            p["objective"] = float(f"{objective:.15g}")
            apart = found[-1] + objective - p["theta"] / 2 * beta @ beta  # survival's log likelihood and ours
            print(p["number"], p["design"], p["theta"], f"kkt {p['kkt']:.1e} error {p['error']:.1e} apart {apart:.1e}")
            p["kkt"], p["error"] = float(f"{p['kkt']:.1e}"), float(f"{p['error']:.1e}")
        versions = [v.strip('"') for v in (Path(root) / "versions.out").read_text().split()]
    kept = [p for p in problems if p["kkt"] < 1e-8 and p["error"] < 1e-7]
    out = {
        "versions": dict(zip(("R", "survival"), versions, strict=True)),
        "data": "designs and responses of families.json",
        "problems": kept,
    }
    (FOLDER / "efron.json").write_text(
        json.dumps(out, separators=(",", ":")).replace('{"number"', '\n{"number"') + "\n"
    )
    print(len(kept), "stored")


if __name__ == "__main__":
    main()
