"""Store what R's cv.glmnet(relax=TRUE) makes of problems of cv_problems.json: relaxed.json.

    cd tests/oracles/glmnet && python make_relaxed.py

Each problem's strengths are cut where an active set comes near the number of training rows or a linear predictor held
out passes 11: beyond, glmnet leaves sets out, refits without end where classes are separated, and scores probabilities
as between 1e-5 and 1 - 1e-5.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
NUMBERS = [1, 2, 3, 5, 7, 9, 11, 12, 14, 15, 16, 18, 22, 24, 25, 26, 29, 41, 46, 49, 50, 51, 53, 57, 61]
GAMMAS = [1e-5, 0.25, 0.5, 0.75, 1.0]  # glmnet takes 0 as 1e-5
FAR, SHARE, MOST = 11.0, 0.4, 25
EXTRAS = ("weights", "offset", "penalty_factor")


def data(name, made_up):
    if name in made_up:
        return np.array(made_up[name]["x"], float) / made_up[name]["divisor"], np.array(made_up[name]["y"], float)
    table = np.loadtxt(FOLDER / f"cv_{name}.csv", delimiter=",")
    return table[:, 1:], table[:, 0]


def run(problem, x, y, strengths):
    with tempfile.TemporaryDirectory() as folder:
        given = {"x": x, "y": y, "lambda": strengths, "foldid": problem["foldid"], "gammas": GAMMAS}
        for name, values in {**given, **{k: problem[k] for k in EXTRAS if k in problem}}.items():
            np.savetxt(Path(folder) / f"{name}.csv", np.asarray(values), fmt="%.17g", delimiter=",")
        settings = [problem["family"], problem["alpha"], problem["standardize"], problem["intercept"]]
        subprocess.run(["Rscript", str(FOLDER / "relaxed.R"), folder, *map(str, settings)], check=True, timeout=300)
        names = ("refits", "cvm", "cvsd", "largest", "index")
        found = {name: np.loadtxt(Path(folder) / f"{name}.out", delimiter=",") for name in names}
        found["versions"] = [v.strip('"') for v in (Path(folder) / "versions.out").read_text().split()]
        return found


def kept(problem, x, y):
    """The number of strengths that glmnet answers as it should."""
    from shrinkage import path

    factors = problem.get("penalty_factor")
    loss = {"gaussian": "squared", "binomial": "logistic"}[problem["family"]]
    fold = np.array(problem["foldid"])
    count = 10**6
    for k in range(1, fold.max() + 1):
        rows = fold != k
        extra = {n: np.array(problem[n])[rows] for n in EXTRAS[:2] if n in problem}
        fitted = path(
            x[rows],
            y[rows],
            loss=loss,
            l1_ratio=problem["alpha"],
            alphas=problem["lambda"],
            fit_intercept=problem["intercept"],
            standardize=problem["standardize"],
            sample_weight=extra.get("weights"),
            offset=extra.get("offset"),
            penalty_factor=None if factors is None else np.array(factors) * len(factors) / np.sum(factors),
        )
        most = SHARE * rows.sum() if loss == "squared" else 0.15 * rows.sum()
        count = min(count, int(np.argmax(np.append(fitted.n_nonzero > most, True))))
    return min(count, MOST)


def stored(problem, made_up):
    x, y = data(problem["data"], made_up)
    count = kept(problem, x, y)
    found = run(problem, x, y, problem["lambda"][:count])
    if problem["family"] == "binomial":
        near = found["largest"].max(axis=1) < FAR
        if not near.all():
            count = int(np.argmin(near))
            found = run(problem, x, y, problem["lambda"][:count])
    if found["refits"].shape[1] != count:
        answered = found["refits"].shape[1]
        raise SystemExit(f"problem {problem['number']}: glmnet answered {answered} of {count} strengths")
    places = sorted({count // 3, 2 * count // 3, count - 1})
    out = {"number": problem["number"], "count": count, "places": places, "versions": found["versions"]}
    out["refits"] = found["refits"][:, places].T.tolist()
    out |= {name: found[name].T.tolist() for name in ("cvm", "cvsd")}
    # rows min and 1se, columns lambda and gamma, from 1
    return out | {"index": found["index"].astype(int).tolist()}


if __name__ == "__main__":
    problems = {p["number"]: p for p in json.loads((FOLDER / "cv_problems.json").read_text())["problems"]}
    made_up = json.loads((FOLDER / "cv_data.json").read_text())
    results = []
    for number in NUMBERS:
        results.append(stored(problems[number], made_up))
        print(number, results[-1]["count"], results[-1]["index"], flush=True)
    versions = dict(zip(("R", "glmnet"), results[0]["versions"], strict=True))
    for result in results:
        del result["versions"]
    text = json.dumps({"versions": versions, "gammas": GAMMAS, "problems": results})
    rounded = json.loads(text, parse_float=lambda digits: float(f"{float(digits):.12g}"))
    (FOLDER / "relaxed.json").write_text(json.dumps(rounded).replace('{"number"', '\n{"number"') + "\n")
