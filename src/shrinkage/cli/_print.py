"""What is printed: a study as text, as JSON, as CSV."""

import csv
import io
import json
import math
from collections.abc import Mapping
from typing import Any

import click
import numpy as np

from shrinkage.cli._model_file import Model
from shrinkage.cli._network_file import Network
from shrinkage.report import Study, ranked

STRONGEST = 10


def text(study: Study) -> str:
    """The table of penalties, the strongest coefficients and the sentence on the choice."""
    loss = study.winner.cv.path.loss.name
    rule = "1-SE" if study.winner.rule == "1se" else "min"
    error = f"{study.score_head} ± SE"
    head = ["penalty", "alpha at min", "alpha at 1-SE", error, "explained", "non-zeros", "largest gap", "seconds"]
    rows = [
        [
            c.title,
            f"{c.cv.alpha_min:.4g}",
            f"{c.cv.alpha_1se:.4g}",
            c.error_text,
            c.explained_text,
            f"{c.n_nonzero:,}",
            c.gap_text,
            f"{c.seconds:.2f}",
        ]
        for c in study.candidates
    ]
    lines = aligned(head, rows, bold=study.chosen)
    what = "Score" if study.winner.cv.more_is_better else "Error"
    lines.append(f"{what} (on rows held out), explained share and non-zeros at the {rule} strength.")
    lines += ["", study.sentence(), ""]
    strongest = study.strongest()
    if not strongest:
        alone = "the same hazard for all rows" if loss == "cox" else "the intercept alone"
        return "\n".join([*lines, f"Every coefficient is 0: {alone} predicts as well.", ""])
    head = ["strongest coefficients", "raw units", "per standard deviation"]
    rows = [[name, f"{coef:.5g}", f"{effect:+.4g}"] for name, coef, effect in strongest[:STRONGEST]]
    lines += aligned(head, rows)
    if len(strongest) > STRONGEST:
        lines.append(f"and {len(strongest) - STRONGEST:,} more")
    if loss != "cox":  # hazards have none: it would cancel
        lines.append(f"intercept {_printable(study.intercepts(), 10**6)}")
    return "\n".join([*lines, ""])


def aligned(head: list[str], rows: list[list[str]], bold: int | None = None) -> list[str]:
    """Lines of a table: the first column left, numbers right, one row bold."""
    cells = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(len(line[k]) for line in [head, *cells]) for k in range(len(head))]
    lines = []
    for place, row in enumerate([head, *cells]):
        first = row[0].ljust(widths[0])
        line = "  ".join([first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
        lines.append(click.style(line, bold=True) if bold is not None and place == bold + 1 else line)
    return [lines[0], "-" * (sum(widths) + 2 * len(widths) - 2), *lines[1:]]


def _printable(name: str, longest: int = 48) -> str:
    """A name from the data, without control characters that a terminal would obey."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in name)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def document(study: Study, model: Model, files: Mapping[str, str]) -> str:
    """One JSON document with everything that `text` says, and more digits."""
    form = {
        "version": model.fit.version,
        "call": study.call,
        "target": model.target.to_dict(),
        "asked": dict(study.asked),
        "score": study.winner.cv.score,
        "data": dict(study.data),
        "candidates": [
            {
                "penalty": c.penalty,
                "l1_ratio": c.cv.path.l1_ratio,
                "alpha_min": c.cv.alpha_min,
                "alpha_1se": c.cv.alpha_1se,
                "alpha": c.alpha,
                "error": c.error,
                "se": c.se,
                "explained": c.explained,
                "n_nonzero": c.n_nonzero,
                "n_alphas": len(c.cv.alphas),
                "largest_relative_gap": c.largest_gap,
                "largest_violation": float(c.cv.path.kkt.max()),
                "converged": c.converged(study.tol),
                "seconds": c.seconds,
            }
            for c in study.candidates
        ],
        "chosen": study.winner.penalty,
        "rule": study.winner.rule,
        "intercept": _intercepts(study),
        "coefficients": [
            {**({"class": label} if label else {}), "feature": name, "coefficient": coef, "per_sd": effect}
            for (label, name), coef, effect in ranked(study.winner.coef.ravel(), study.scales, study.places())
        ],
        "converged": study.converged,
        "notes": list(study.notes),
        "files": dict(files),
    }
    return json.dumps(plain(form), ensure_ascii=False, allow_nan=False, indent=2)


def _intercepts(study: Study) -> Any:
    """A number, or that of each class."""
    several = bool(study.classes)
    return dict(zip(study.classes, study.winner.intercept, strict=True)) if several else study.winner.intercept


def plain(value):
    """The same with Python's own numbers, and null for what JSON cannot say."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def coefficients_csv(study: Study) -> str:
    """Every feature with its coefficient in raw units and its effect per standard deviation; the intercept first.

    Of several classes a column says which.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(["class"] if study.classes else []), "feature", "coefficient", "per_sd"])
    coefs, levels = np.atleast_2d(study.winner.coef), np.atleast_1d(study.winner.intercept)
    for label, coef, level in zip(study.classes or (None,), coefs, levels.tolist(), strict=True):
        own = [] if label is None else [label]
        writer.writerow([*own, "(intercept)", repr(level), ""])
        for name, value, effect in zip(study.feature_names, coef.tolist(), (coef * study.scale).tolist(), strict=True):
            writer.writerow([*own, name, repr(value), repr(effect)])
    return stream.getvalue()


def predictions_csv(model: Model | Network, mean: np.ndarray, probability: bool) -> str:
    """One row per row of data: the mean response, or the likeliest class and, if asked for, probabilities."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if not model.target.classes:
        writer.writerow(["prediction"])
        writer.writerows([repr(value)] for value in mean.tolist())
        return stream.getvalue()
    classes = model.classes(mean)
    if probability:
        shares = mean if mean.ndim == 2 else mean[:, None]
        modeled = model.target.classes[-shares.shape[1] :]
        writer.writerow(["prediction", *(f"probability of {name}" for name in modeled)])
        writer.writerows([name, *map(repr, row)] for name, row in zip(classes, shares.tolist(), strict=True))
    else:
        writer.writerow(["prediction"])
        writer.writerows([name] for name in classes)
    return stream.getvalue()
