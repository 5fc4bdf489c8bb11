"""Who takes part in which row, in which of their modes, and why not where not."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from linear.records import OURS
from linear.rows import Row

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".envs"
PINNED = {
    "scikit-learn": ["scikit-learn==1.9.1"],
    "celer": ["celer==0.7.4", "scikit-learn==1.9.1"],
    "skglm": ["skglm==0.5", "scikit-learn==1.9.1"],
    "glum": ["glum==3.4.1", "scikit-learn==1.9.1"],
    "adelie": ["adelie==1.1.52", "scikit-learn==1.9.1"],
}
TOOLS = ("glmnet", "adelie", "celer", "skglm", "scikit-learn", "glum")
# What the tools take when nothing is said: sought tolerances start there.
DEFAULT_TOL = {"scikit-learn": 1e-4, "celer": 1e-4, "skglm": 1e-4, "glum": 1e-4, "adelie": 1e-7, "glmnet": 1e-7,
               OURS: 1e-6}  # fmt: skip
# The estimator too, where what surrounds the solution counts.
OUR_MODES = {"diabetes": ("", "LassoCV")}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB", "SHRINKAGE")}


@dataclass(frozen=True)
class Contestant:
    """A tool in one of its modes; mode "" is what it does when nothing is said."""

    tool: str
    mode: str = ""

    @property
    def label(self) -> str:
        return f"{self.tool} ({self.mode})" if self.mode else self.tool


def contestants(row: Row, meta: dict) -> list[Contestant]:
    """Every tool that can state the row's problem, in every mode that may be its fastest."""
    n, p = meta["shape"]
    found = []
    for tool in TOOLS:
        if refusal(tool, row, meta) is None:
            found += [Contestant(tool, mode) for mode in _modes(tool, row, n > p and not meta["sparse"])]
    return found


def _modes(tool: str, row: Row, tall: bool) -> tuple[str, ...]:
    if row.loss == "logistic":
        modes = {"scikit-learn": ("saga", "liblinear")}
    elif row.l1_ratio == 1 and tall:
        modes = {"scikit-learn": ("", "Gram"), "adelie": ("", "covariance"), "glmnet": ("naive", "covariance")}
    else:
        modes = {}
    return modes.get(tool, ("",))


def refusal(tool: str, row: Row, meta: dict) -> str | None:
    """Why a tool takes no part in a row, as a sentence; None where it does."""
    n, p = meta["shape"]
    if tool == "glmnet" and not rscript():
        return "glmnet was skipped: there is no Rscript here (on Debian: apt install r-cran-glmnet)."
    if tool == "celer" and row.loss == "logistic":
        return "celer's path of classes has no intercept."
    if tool == "glum" and p > 1_000:
        return "glum forms a Hessian of features by features, and is for fewer of them."
    if tool == "scikit-learn" and row.loss == "logistic" and (n * p > 1e6 and row.kind != "cv"):
        return "scikit-learn has no path of classes, and saga takes hours here."
    return None


def rscript() -> str | None:
    """Rscript with glmnet, or None."""
    found = shutil.which("Rscript")
    if found is None:
        return None
    asked = subprocess.run([found, "-e", "packageVersion('glmnet')"], capture_output=True, check=False)
    return found if asked.returncode == 0 else None


def command(tool: str, folder: Path) -> list[str]:
    """The command that serves a row's tasks; makes the tool's environment the first time."""
    if tool == "glmnet":
        found = rscript()
        assert found is not None
        return [found, str(HERE / "peers" / "use_glmnet.R"), str(folder)]
    return [interpreter(tool), str(HERE / "peers" / "worker.py"), tool, str(folder)]


def interpreter(tool: str) -> str:
    if tool == OURS:
        return sys.executable
    home = ENVIRONMENTS / tool
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted, done = json.dumps(PINNED[tool]), home / "pinned"
    if not done.exists() or done.read_text() != wanted:
        print(f"making the environment of {', '.join(PINNED[tool])} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PINNED[tool]], check=True)
        done.write_text(wanted)
    return str(python)
