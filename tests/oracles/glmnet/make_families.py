"""Store what R's glmnet makes of problems of every family: families.json.

    nice -n 10 python make_families.py [numbers or families, to some.json]

Data are made here (whole numbers over a divisor) and stored, R solves (families.R), verify.py judges: a problem of
which one stored solution has KKT violation above 1e-8 or is further than 1e-7 from the exact one is done again with
another thresh, and left out if it stays so. What was left out is printed and listed in the JSON.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import verify

FOLDER = Path(__file__).parent
THRESHES = ("1e-20", "1e-17")
KKT, ERROR = 1e-8, 1e-7
MAXIT = 10**6
FAMILIES = ("gaussian", "binomial", "poisson", "multinomial", "multinomial grouped", "cox", "mgaussian")
SHAPES = {"tall": (60, 8), "square": (56, 30), "wide": (40, 60), "sparse": (60, 24)}
COUNT, PLACES = 10, [2, 5, 9]

# One row per problem, of every family, at alpha 0, 0.2 and 1.
PLANS = [
    {"design": "tall", "standardize": True},
    {"design": "square", "standardize": False, "weights": "any"},
    {"design": "sparse", "standardize": True, "sparse": True, "offset": True},
    {"design": "wide", "standardize": False, "factors": "free and out"},
    {"design": "tall", "standardize": True, "weights": "any", "bounds": "mixed"},
    {
        "design": "sparse",
        "standardize": False,
        "sparse": True,
        "weights": "whole",
        "bounds": "positive",
        "intercept": False,
    },
    {"design": "square", "standardize": True, "factors": "any", "offset": True, "intercept": False},
    {"design": "sparse", "standardize": True, "sparse": True, "weights": "zeros", "factors": "any", "strata": True},
    {
        "design": "square",
        "standardize": True,
        "bounds": "narrow",
        "factors": "free and out",
        "strata": True,
        "offset": True,
    },
]


def make_designs(rng):
    out = {}
    for name, (n, p) in SHAPES.items():
        x = rng.normal(size=(n, p))
        for j in range(1, p):
            x[:, j] = 0.5 * x[:, j - 1] + np.sqrt(0.75) * x[:, j]
        if name == "square":
            x = x * np.geomspace(0.3, 3, p)
        if name == "sparse":
            x = np.where(rng.random((n, p)) < 0.25, x + 0.5, 0)
        out[name] = {"x": np.rint(100 * x).astype(int).tolist(), "divisor": 100}
    return out


def make_response(rng, family, x):
    n, p = x.shape
    z = (x - x.mean(axis=0)) / x.std(axis=0)

    def signal(size):
        true = rng.choice(p, 4, replace=False)
        eta = z[:, true] @ (rng.choice([-1, 1], 4) * rng.uniform(0.5, 1.5, 4))
        return size * eta / eta.std()

    if family == "gaussian":
        return np.round(2 + 3 * signal(1) + 2 * rng.normal(size=n), 2)
    if family == "mgaussian":
        return np.round(np.c_[1 + signal(1), 3 * signal(1), -4 + 0.5 * signal(1)] + rng.normal(size=(n, 3)), 2)
    if family == "binomial":
        return (rng.random(n) < 1 / (1 + np.exp(-signal(1.5)))).astype(int)
    if family == "poisson":
        return rng.poisson(np.exp(0.5 + signal(0.7)))
    if family == "multinomial":
        return np.argmax(np.c_[signal(1.2), signal(1.2), signal(1.2)] + rng.gumbel(size=(n, 3)), axis=1)
    time = rng.exponential(4 * np.exp(-signal(0.8)))
    censored = rng.exponential(8, n)
    ticks = (
        np.ceil(2 * np.minimum(time, censored)).clip(1, 24) / 2
    )  # halves: many ties, of events with censored rows too
    return np.c_[ticks, time <= censored]


def vectors(rng, plan, family, n, p, y):
    out = {}
    kind = plan.get("weights")
    if kind:
        w = np.round(rng.uniform(0.2, 2, n), 2) if kind == "any" else rng.integers(1, 4, n)
        if kind == "zeros":
            w = np.round(rng.uniform(0.2, 2, n), 2)
            w[rng.choice(n, 5, replace=False)] = 0
        out["weights"] = w.tolist()
    if plan.get("offset"):
        shape = (n, 3) if family in ("mgaussian", "multinomial") else n
        size = y.std() if family in ("gaussian", "mgaussian") else 1
        out["offset"] = np.round(0.5 * size * rng.normal(size=shape), 2).tolist()
    if plan.get("factors"):
        v = np.round(rng.uniform(0.3, 2, p), 2).astype(object)
        if plan["factors"] != "any":
            # columns in 2nd, 5th place are free, in 3rd and last place out
            v[[1, 4]], v[[2, p - 1]] = 0.0, "inf"
        out["penalty_factor"] = v.tolist()
    kind = plan.get("bounds")
    if kind == "positive":
        out["lower"] = 0.0
    elif kind:
        size = {"gaussian": 1.0, "mgaussian": 0.5}.get(family, 0.25)
        size = size / 4 if kind == "narrow" else size
        lower = np.round(-size * rng.uniform(0.2, 1, p), 3).astype(object)
        upper = np.round(size * rng.uniform(0.2, 1, p), 3).astype(object)
        if kind == "mixed":
            lower[[0, 3]], lower[[5]], upper[[1, 6]], upper[[2]] = "-inf", 0.0, "inf", 0.0
        out |= {"lower": lower.tolist(), "upper": upper.tolist()}
    if plan.get("strata") and family == "cox":
        out["strata"] = rng.integers(1, 4, n).tolist()
    return out


def strengths(problem, x, full):
    largest = verify.Judge(full, x).largest_lambda()
    smallest = 0.05 if problem["design"] == "wide" or problem["family"] in ("multinomial", "cox") else 0.02
    return [float(f"{v:.5g}") for v in largest * 0.9 * smallest ** (np.arange(COUNT) / (COUNT - 1))]


def write_problem(folder, problem, x, thresh):
    folder.mkdir(parents=True)
    keys = ("family", "alpha", "standardize", "intercept", "sparse", "grouped", "standardize_response")
    settings = {k: problem.get(k, False) for k in keys} | {"thresh": thresh, "maxit": MAXIT}
    (folder / "settings.csv").write_text("".join(f"{k},{v}\n" for k, v in settings.items()))
    p = len(x[0])
    tables = {
        k: problem[k]
        for k in ("y", "lambda", "places", "weights", "offset", "penalty_factor", "strata")
        if k in problem
    }
    tables |= {k: np.broadcast_to(verify.array(problem[k]), (p,)) for k in ("lower", "upper") if k in problem}
    for name, values in {"x": x, **tables}.items():
        text = "\n".join(",".join(f"{v:.17g}" for v in np.atleast_1d(row)) for row in verify.array(values))
        (folder / f"{name}.csv").write_text(text.replace("inf", "Inf") + "\n")


def solve(problems, X, thresh):
    """R's answers by number: coef, objective, converged, said; or why there is none."""
    out = {}
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        for p in problems:
            write_problem(root / f"{p['number']:04d}", p, X[p["design"]], thresh)
        subprocess.run(["nice", "-n", "10", "Rscript", str(FOLDER / "families.R"), str(root)], check=True, timeout=3000)
        for p in problems:
            folder = root / f"{p['number']:04d}"
            status = [s.strip('"') for s in (folder / "status.out").read_text().splitlines()]
            if status[0] != "ok":
                out[p["number"]] = {"failed": status[1:]}
                continue
            coef = [np.loadtxt(folder / f"coef_{k + 1}.out", delimiter=",", ndmin=2) for k in range(len(p["places"]))]
            out[p["number"]] = {
                "coef": [c[:, 0].tolist() if c.shape[1] == 1 else c.tolist() for c in coef],
                "objective": np.loadtxt(folder / "objective.out", ndmin=1).tolist(),
                "converged": status[1] == "0",
                "said": status[4:],
                "seconds": float(status[3]),
            }
        versions = [v.strip('"') for v in (root / "versions.out").read_text().split()]
        return out, dict(zip(("R", "glmnet", "survival"), versions, strict=True))


def best(problems, X, threshes):
    """Each problem with its answer; those that no thresh solves come second."""
    good, waiting, tried = [], list(problems), {}
    for thresh in threshes:
        if not waiting:
            break
        answers, versions = solve(waiting, X, thresh)
        left = []
        for p in waiting:
            answer = answers[p["number"]]
            if "failed" in answer:
                tried.setdefault(p["number"], []).append(f"thresh {thresh}: {answer['failed']}")
                left.append(p)
                continue
            rows = np.array(list(verify.judged({**p, **answer}, X[p["design"]])))
            kkt, error, objective, _ = rows.max(axis=0)
            took = {k: v for k, v in answer.items() if k in ("coef", "objective", "converged")}
            note = f"thresh {thresh}: kkt {kkt:.1e} error {error:.1e} objective {objective:.1e} "
            note += f"{answer['seconds']} s {answer['said']}"
            if (
                kkt <= KKT
                and error <= ERROR
                and objective <= 1e-10
                and answer["converged"]
                and not any("converge" in s for s in answer["said"])
            ):
                good.append(
                    {
                        **p,
                        **took,
                        "thresh": float(thresh),
                        "kkt": [float(f"{v:.1e}") for v in rows[:, 0]],
                        "error": [float(f"{v:.1e}") for v in rows[:, 1]],
                        "unique": rows[:, 3].astype(bool).tolist(),
                    }
                )
                print("ok  ", p["number"], p["family"], p["design"], p["alpha"], note, flush=True)
            else:
                tried.setdefault(p["number"], []).append(note)
                left.append(p)
                print("not ", p["number"], p["family"], p["design"], p["alpha"], note, flush=True)
        waiting = left
    return sorted(good, key=lambda p: p["number"]), [(p, tried[p["number"]]) for p in waiting], versions


def make_problems(stored, X):
    number = 0
    problems = []
    for family_name in FAMILIES:
        family = family_name.split()[0]
        plans = list(PLANS)
        if family == "mgaussian":
            plans += [
                {
                    "design": "square",
                    "standardize": True,
                    "standardize_response": True,
                    "weights": "any",
                    "offset": True,
                }
            ]
        for alpha in (0, 0.2, 1):
            for plan in plans:
                number += 1
                if plan.get("bounds") == "narrow":  # see README.md: what glmnet gets wrong
                    if family_name == "multinomial":
                        plan = plan | {"factors": "any"}
                    elif family_name in ("multinomial grouped", "mgaussian"):
                        plan = plan | {"bounds": None}
                rng = np.random.default_rng([8, number])
                response = f"{plan['design']}_{family}"
                y = np.array(stored["responses"][response]["y"])
                x = X[plan["design"]]
                problem = {
                    "number": number,
                    "family": family,
                    "design": plan["design"],
                    "response": response,
                    "alpha": alpha,
                    "standardize": plan["standardize"],
                    "intercept": plan.get("intercept", True) and family != "cox",
                    "sparse": plan.get("sparse", False),
                }
                if family == "multinomial":
                    problem["grouped"] = family_name.endswith("grouped")
                if family == "mgaussian":
                    problem["standardize_response"] = plan.get("standardize_response", False)
                problem |= vectors(rng, plan, family, *x.shape, y)
                full = verify.complete(problem, stored)
                problem["lambda"], problem["places"] = strengths(problem, x, full), PLACES
                problems.append(full | {"lambda": problem["lambda"], "places": PLACES})
    return problems


def make_adaptive(problems, stored, X):
    """Ten problems whose factors are |ridge coefficients|^-gamma, of glmnet's own ridge at one strength."""
    picks = [
        ("gaussian", "tall", 1),
        ("gaussian", "wide", 1),
        ("gaussian", "sparse", 0.5),
        ("binomial", "tall", 1),
        ("binomial", "sparse", 1),
        ("poisson", "tall", 1),
        ("poisson", "square", 0.5),
        ("cox", "tall", 1),
        ("cox", "square", 1),
        ("gaussian", "square", 2),
    ]
    ridges, number = [], max(p["number"] for p in problems)
    for family, design, gamma in picks:
        number += 1
        rng = np.random.default_rng([8, number])
        response = f"{design}_{family}"
        y = np.array(stored["responses"][response]["y"])
        problem = {
            "number": number,
            "family": family,
            "design": design,
            "response": response,
            "alpha": 0,
            "standardize": number % 2 == 0,
            "intercept": family != "cox",
            "sparse": design == "sparse",
        }
        problem |= vectors(rng, {"weights": "any"} if number % 3 == 0 else {}, family, *X[design].shape, y)
        full = verify.complete(problem, stored)
        problem = full | {"lambda": [strengths(problem, X[design], full)[4]], "places": [0]}
        problem["gamma"] = gamma
        ridges.append(problem)
    good, bad, _ = best(ridges, X, THRESHES)
    out = []
    for ridge in good:
        coef = np.array(ridge["coef"][0])
        problem = {
            k: v
            for k, v in ridge.items()
            if k not in ("coef", "objective", "converged", "thresh", "kkt", "error", "unique", "gamma")
        }
        problem["alpha"] = 1
        problem["penalty_factor"] = [float(f"{v:.15g}") for v in np.abs(coef[1:]) ** -ridge["gamma"]]
        problem["adaptive"] = {
            "gamma": ridge["gamma"],
            "ridge_lambda": ridge["lambda"][0],
            "ridge_coef": ridge["coef"][0],
            "ridge_objective": ridge["objective"][0],
        }
        problem |= {"lambda": strengths(problem, X[ridge["design"]], problem), "places": PLACES}
        out.append(problem)
    return out, bad


def dump(stored):
    text = json.dumps(stored)
    rounded = json.loads(text, parse_float=lambda digits: float(f"{float(digits):.15g}"))
    for problem in rounded["problems"]:  # zeros as 0
        problem["coef"] = json.loads(
            json.dumps(problem["coef"]).replace("-0.0,", "0,").replace(" 0.0,", " 0,").replace(" 0.0]", " 0]")
        )
    text = json.dumps(rounded, separators=(",", ":"))
    for key in ('{"number"', '"responses":', '"problems":', '"left_out":'):
        text = text.replace(key, "\n" + key)
    return text + "\n"


def main():
    stored = {"designs": make_designs(np.random.default_rng(8)), "responses": {}}
    X = verify.designs(stored)
    for f, family in enumerate(["gaussian", "binomial", "poisson", "multinomial", "cox", "mgaussian"]):
        for d, design in enumerate(SHAPES):
            y = make_response(np.random.default_rng([8, f, d]), family, X[design])
            stored["responses"][f"{design}_{family}"] = {"y": y.tolist()}
    problems = make_problems(stored, X)
    only = sys.argv[1:]
    if only:
        problems = [p for p in problems if str(p["number"]) in only or p["family"] in only]
    good, bad, versions = best(problems, X, THRESHES)
    if not only:
        adaptive, bad_ridges = make_adaptive(problems, stored, X)
        adaptive, bad_adaptive, _ = best(adaptive, X, THRESHES)
        good, bad = good + adaptive, bad + bad_ridges + bad_adaptive
    for p, notes in bad:
        print("LEFT OUT", p["number"], p["family"], p["design"], p["alpha"], notes)
    for p in good:
        del p["y"]
        if not p["sparse"]:
            del p["sparse"]
    out = {
        "versions": versions,
        **stored,
        "problems": good,
        "left_out": [
            {"number": p["number"], "family": p["family"], "design": p["design"], "alpha": p["alpha"], "why": notes}
            for p, notes in bad
        ],
    }
    (FOLDER / ("some.json" if only else "families.json")).write_text(dump(out))
    print(len(good), "stored,", len(bad), "left out")


if __name__ == "__main__":
    main()
