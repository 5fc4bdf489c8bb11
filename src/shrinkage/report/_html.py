"""The page: one file, no network, no script, everything that comes from data escaped."""

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage._path import CrossValidation, Path
from shrinkage.report._network_study import NetworkStudy
from shrinkage.report._page import notes, page, pairs, section, table
from shrinkage.report._picture import picture
from shrinkage.report._study import Study, ranked
from shrinkage.report._sweep import network_page, sweep_page
from shrinkage.report._training import is_training, training_page
from shrinkage.training import Sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shrinkage.training import DecayReport, Report

    Training = Report | DecayReport | Sequence[Report | DecayReport | tuple[float, Report]]

FIRST_COEFFICIENTS = 25
MOST_COEFFICIENTS = 200
MOST_COLUMNS = 60


def html(subject: "Path | CrossValidation | Study | Sweep | NetworkStudy | Training", title: str | None = None) -> str:
    """One self-contained HTML page about a path, a cross-validation, a comparison of penalties, a sweep, or a training.

    Styles and pictures are inside the page; it loads nothing, runs no script, follows the reader's light or dark
    setting, and prints. Every text from the data is escaped.

    Parameters
    ----------
    subject : Path, CrossValidation, Study, Sweep, NetworkStudy, Report, DecayReport, or sequence of the last two
        A sequence is a training history: its reports in order, each alone or as (step, Report), with curves over
        training.
    title : str, optional

    Returns
    -------
    str

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If `subject` is none of these, or a training history holds nothing, or something else.

    Examples
    --------
    >>> from shrinkage._path import path
    >>> from shrinkage.datasets import load_diabetes
    >>> data = load_diabetes()
    >>> page = html(path(data.X, data.y, n_alphas=10), title="Diabetes")
    >>> page.startswith("<!doctype html>") and "<script" not in page
    True
    """
    if isinstance(subject, Study):
        return page(title or subject.title, subject.sentence(), _study_sections(subject))
    if isinstance(subject, NetworkStudy):
        return page(title or subject.title, subject.lead, network_page(subject))
    if isinstance(subject, Sweep):
        made, lead, sections = sweep_page(subject)
        return page(title or made, lead, sections)
    if is_training(subject):
        made, lead, sections = training_page(subject)
        return page(title or made, lead, sections)
    if not isinstance(subject, (Path, CrossValidation)):
        raise ArgumentError(
            "subject must be a Path, CrossValidation, Study, Sweep, NetworkStudy, Report, DecayReport or a sequence of "
            f"the last two; got {type(subject).__name__}"
        )
    cv = subject if isinstance(subject, CrossValidation) else None
    path: Any = subject.path if isinstance(subject, CrossValidation) else subject
    names, intercepts = _outputs(path)
    index = cv.index_1se if cv is not None else len(path.alphas) - 1
    coef = path.coefs[:, [index]].toarray()[:, 0]
    sections = [_coefficients(ranked(coef, np.ones(len(coef)), names), intercepts(index), per_sd=False)]
    if cv is not None:
        sections.append(section("Cross-validation", picture("cv", cv=cv)))
    sections.append(section("Path", picture("path", path=path, names=names)))
    gap, violation = np.max(path.relative_gaps), np.max(path.kkt)
    what = "violation of the optimality conditions" if np.isnan(gap) else "relative duality gap"
    said = f"<p>Largest {what}: <b>{violation if np.isnan(gap) else gap:.2g}</b>. {_statuses([path])}</p>"
    sections.append(section("Certificate", said))
    n_nonzero, alpha = int(path.n_nonzero[index]), path.alphas[index]
    lead = f"{n_nonzero:,} of {len(coef):,} coefficients are not zero at alpha = {alpha:.4g}."
    return page(title or "Regularization path", lead, sections)


def _outputs(path: Any) -> tuple[tuple[str, ...], Callable[[int], str]]:
    """Names of a path's coefficients, those of several outputs after the output's, and its intercepts in words."""
    names = path.feature_names or tuple(f"x{j}" for j in range(path.coefs.shape[0] // path.n_outputs))
    if path.n_outputs == 1:
        return tuple(names), lambda index: f"{path.intercepts[index]:.5g}"
    labels = path.classes or tuple(range(path.n_outputs))
    many = tuple(f"{label}: {name}" for label in labels for name in names)
    return many, lambda index: ", ".join(
        f"{label}: {level:.5g}" for label, level in zip(labels, path.intercepts[:, index], strict=True)
    )


def _study_sections(study: Study) -> list[str]:
    others = [candidate for place, candidate in enumerate(study.candidates) if place != study.chosen]
    sections = [
        notes(study.notes),
        section("Comparison", _comparison(study)),
        _coefficients(study.strongest(), study.intercepts(), per_sd=True),
        section(f"Cross-validation: {study.winner.title}", picture("cv", cv=study.winner.cv)),
        section(f"Path: {study.winner.title}", _path_picture(study, study.winner)),
    ]
    for other in others:
        pictures = picture("cv", cv=other.cv) + _path_picture(study, other)
        title = escape(f"The same for {other.title}")
        sections.append(f"<section><details><summary>{title}</summary>{pictures}</details></section>")
    sections += [
        section("What was asked", pairs(study.asked)),
        section("Data", pairs(study.data) + _columns(study)),
        section("Certificate", _certificate(study)),
        section("The same again", f"<pre><code>{escape(study.call)}</code></pre>"),
    ]
    return sections


def _path_picture(study: Study, candidate: Any) -> str:
    marks = {"1-SE": candidate.cv.alpha_1se, "min": candidate.cv.alpha_min}
    return picture(
        "path", path=candidate.cv.path, names=study.names, scale=study.scales, marks=marks, at=candidate.alpha
    )


def _comparison(study: Study) -> str:
    error = f"{study.score_head} ±&nbsp;SE"
    one_se, nonzeros = "alpha at 1&#8209;SE", "non&#8209;zeros"
    head = ["penalty", "alpha at min", one_se, error, "explained", nonzeros, "gap", "seconds"]
    rows = [
        [
            escape(c.title) + (" <b>(chosen)</b>" if place == study.chosen else ""),
            f"{c.cv.alpha_min:.4g}",
            f"{c.cv.alpha_1se:.4g}",
            c.error_text,
            c.explained_text,
            f"{c.n_nonzero:,}",
            c.gap_text,
            f"{c.seconds:.2f}",
        ]
        for place, c in enumerate(study.candidates)
    ]
    rule = "1-SE" if study.winner.rule == "1se" else "min"
    classes = ["chosen" if place == study.chosen else "" for place in range(len(rows))]
    what = "Score" if study.winner.cv.more_is_better else "Error"
    text = f"{what} (on rows held out), explained share and non-zeros are those at the strength of the rule {rule}."
    return table(head, rows, classes=classes) + f"<p>{text}</p>"


def _coefficients(strongest: list[tuple[str, float, float]], intercept: str, per_sd: bool) -> str:
    largest = max((abs(effect) for *_, effect in strongest), default=1.0) or 1.0
    rows = []
    for name, coef, effect in strongest[:MOST_COEFFICIENTS]:
        side = "minus" if effect < 0 else "plus"
        bar = f'<span class="bar {side}" style="width:{100 * abs(effect) / largest:.1f}%"></span>'
        numbers = [f"{coef:.5g}", f"{effect:+.4g}"] if per_sd else [f"{coef:.5g}"]
        rows.append([escape(name), *numbers, f'<span class="track">{bar}</span>'])
    head = ["feature", "coefficient", *(["per standard deviation"] if per_sd else []), "size"]
    tail = ""
    if len(rows) > FIRST_COEFFICIENTS:
        unseen = len(strongest) - len(rows)
        last = f"<p>{unseen:,} smaller ones are not shown.</p>" if unseen else ""
        rest = table(head, rows[FIRST_COEFFICIENTS:]) + last
        tail = f"<details><summary>{len(strongest) - FIRST_COEFFICIENTS:,} more</summary>{rest}</details>"
        rows = rows[:FIRST_COEFFICIENTS]
    level = escape(intercept)
    text = f"In raw units, strongest first. Intercept {level}. Features that are not listed have coefficient 0."
    return section("Coefficients", f"<p>{text}</p>" + (table(head, rows) if rows else "<p>All are zero.</p>") + tail)


def _columns(study: Study) -> str:
    rows = [[escape(n), escape(kind), f"{missing:,}", escape(use)] for n, kind, missing, use in study.columns]
    more = len(rows) - MOST_COLUMNS
    tail = f"<p>{more:,} more columns are not shown.</p>" if more > 0 else ""
    return table(["column", "kind", "missing", "use"], rows[:MOST_COLUMNS]) + tail


def _certificate(study: Study) -> str:
    gaps = [candidate.largest_gap for candidate in study.candidates if np.isfinite(candidate.largest_gap)]
    alone = len(gaps) < len(study.candidates)
    certified = "Every fit of a convex penalty is certified." if alone else "Every fit is certified."
    verdict = certified if study.converged else "Some fits missed the tolerance."
    statuses = _statuses([candidate.cv.path for candidate in study.candidates])
    if not gaps:
        verdict = "Every strength is stationary." if study.converged else verdict
        return f"<p><b>{verdict}</b> The penalty is not convex; the tolerance is {study.tol:.2g}.</p><p>{statuses}</p>"
    return (
        f"<p><b>{verdict}</b> The largest relative duality gap over all strengths, folds and penalties is "
        f"<b>{max(gaps):.2g}</b>; the tolerance is {study.tol:.2g}. No other coefficients can lower the objective by "
        f"more than that share of the null model's objective.</p><p>{statuses}</p>"
    )


def _statuses(paths: list[Any]) -> str:
    counts: dict[str, int] = {}
    for path in paths:
        for status in path.status:
            counts[status.value] = counts.get(status.value, 0) + 1
    return " ".join(f"{count:,} strengths: {escape(value)}." for value, count in counts.items())
