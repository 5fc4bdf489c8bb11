"""Writes units.json: coefficients that R glmnet finds with the code that `shrinkage.units` prints.

    python tests/oracles/glmnet/make_units.py        needs Rscript with the package glmnet (Debian: r-cran-glmnet)

Each problem is a call of ours, or of glmnet's own, and its data. The R code to paste is run as it stands, without its
last line, and the coefficients are kept with the versions of R and glmnet.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent))

from glmnet_units import cases, converted  # noqa: E402

R_TAIL = """
found <- coef(fit)
if (is.list(found)) found <- do.call(cbind, lapply(found, as.matrix))
write.table(as.matrix(found), "{place}.coef", sep = ",", row.names = FALSE, col.names = FALSE)
rm(list = ls())
"""
R_END = 'writeLines(c(R.version.string, as.character(packageVersion("glmnet"))), "versions.txt")'


def written(place, name, values):
    """An R line that reads the array that was written for it."""
    file = f"{place}_{name}.csv"
    np.savetxt(file, np.asarray(values), delimiter=",", fmt="%.17g")
    read = f'read.csv("{file}", header = FALSE)'
    if np.ndim(values) > 1:
        return f"{name} <- as.matrix({read})\ncolnames({name}) <- NULL"
    return f"{name} <- {read}[[1]]"


def script_of(place, case):
    """R lines that read the data of a case, run the pasted code and keep its coefficients."""
    read = [written(place, name, value) for name, value in case["data"].items() if value is not None]
    return "\n".join([*read, converted(case).code.removesuffix("coef(fit)"), R_TAIL.format(place=place)])


def main():
    """Run every case in one session of R and write the file."""
    problems = cases()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        lines = [script_of(place, case) for place, case in enumerate(problems)]
        Path("run.R").write_text("\n".join([*lines, R_END]), encoding="utf-8")
        subprocess.run(["Rscript", "--vanilla", "run.R"], check=True)
        coefs = [np.loadtxt(f"{place}.coef", delimiter=",", ndmin=2).tolist() for place in range(len(problems))]
        versions = Path("versions.txt").read_text(encoding="utf-8").split("\n")
    rows = [
        {"name": case["name"], "code": converted(case).code, "coef": coef}
        for case, coef in zip(problems, coefs, strict=True)
    ]
    content = {"R": versions[0], "glmnet": versions[1], "cases": rows}
    (HERE / "units.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{len(rows)} cases")


if __name__ == "__main__":
    main()
