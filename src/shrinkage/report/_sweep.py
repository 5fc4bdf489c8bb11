"""The pages about a sweep over strengths, and about the network that came out of one."""

from html import escape

import numpy as np

from shrinkage.report._network_study import Figure, NetworkStudy, chain, plus_minus
from shrinkage.report._page import notes, pairs, section, table
from shrinkage.report._picture import picture
from shrinkage.report._training import training_page
from shrinkage.training import Compaction, DecayReport, PlanTable, Sweep, penalty_text

MOST_COLUMNS = 60


def sweep_page(sweep: Sweep) -> tuple[str, str, list[str]]:
    """Title, first sentence and sections of the page about a sweep."""
    lead = sweep.headline[0].upper() + sweep.headline[1:] + "."
    return "Sweep over strengths", lead, [notes(sweep.notes), *_sweep_sections(sweep, sweep.one_se)]


def network_page(study: NetworkStudy) -> list[str]:
    """Sections of the page about a network whose strength was chosen by a sweep: first what to make of it."""
    sections = [
        section("What was found", pairs(study.found)),
        section("What to do next", _advice(study.advice)),
        section("On rows that nothing here has seen", _figures(study)),
        *_sweep_sections(study.sweep, study.chosen),
        section("The network that was saved", _smaller(study.smaller)),
        *training_page(study.report)[2],
        section("Who was penalized", _plan(study.plan)),
        *_decay(study.decay),
        notes(study.notes),
        section("What was asked", pairs(study.asked)),
        section("Data", pairs(study.data) + _columns(study)),
    ]
    if study.linear_sweep is not None:
        body = _table(study.linear_sweep, study.linear_sweep.one_se)
        summary = "The strengths of the linear model"
        sections.append(f"<section><details><summary>{summary}</summary>{body}</details></section>")
    return [*sections, section("The same again", f"<pre><code>{escape(study.call)}</code></pre>")]


def _sweep_sections(sweep: Sweep, chosen: int) -> list[str]:
    said = f"<p>{escape(sweep.rule)}</p>" if sweep.rule else ""
    how = f"<p>Trained in the mode {escape(sweep.mode)}: {escape(sweep.reason)}</p>" if sweep.reason else ""
    return [
        section("Strengths compared", picture("sweep", result=sweep) + said),
        section("Strength by strength", _table(sweep, chosen) + how),
    ]


def _number(value: float, digits: int = 4) -> str:
    return "–" if not np.isfinite(value) else f"{value:.{digits}g}".replace("-", "−")


def _percent(share: float) -> str:
    return "–" if not np.isfinite(share) else f"{100 * share:.1f}&nbsp;%"


def _table(sweep: Sweep, chosen: int) -> str:
    """One line per strength."""
    missing = np.full(len(sweep.strengths), np.nan)
    score = missing if sweep.mean_score is None else sweep.mean_score
    errors = missing if sweep.se is None else sweep.se
    marks = {sweep.one_se: "1&#8209;SE"} | {sweep.best: "best" if sweep.best != sweep.one_se else "best, 1&#8209;SE"}
    head = ["strength", "train", "held out", "s.e.", escape(sweep.score_name or "score"), "zeros", "choice", "status"]
    rows = [
        [
            _number(float(strength)),
            _number(sweep.mean_train[k]),
            _number(sweep.mean[k]),
            _number(errors[k], 2),
            _number(score[k], 3) if sweep.score_name != "accuracy" else _percent(score[k]),
            _percent(sweep.mean_zeros[k]),
            marks.get(k, ""),
            escape(sweep.status[k]),
        ]
        for k, strength in enumerate(sweep.strengths)
    ]
    if all(row[-1] == "complete" for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    seeds = f"Means over {len(sweep.seeds)} seeds." if len(sweep.seeds) > 1 else "One seed."
    of = f" Trained on {sweep.n_train:,} rows, compared on {sweep.n_held_out:,}." if sweep.n_train else ""
    text = f"<p>{escape(sweep.loss_name[:1].upper() + sweep.loss_name[1:])}. {seeds}{of}</p>"
    return table(head, rows, classes=["chosen" if k == chosen else "" for k in range(len(rows))]) + text


def _advice(advice: tuple[tuple[str, str], ...]) -> str:
    items = ""
    for sentence, command in advice:
        code = f"<pre><code>{escape(command)}</code></pre>" if command else ""
        items += f"<li>{escape(sentence)}{code}</li>"
    return f"<ol>{items}</ol>"


def _figures(study: NetworkStudy) -> str:
    head = ["model", f"{escape(study.loss_name)} ±&nbsp;SE", escape(study.score_name), "worse by", "numbers in it"]
    rows = [[escape(one.name), *_cells(one, place)] for place, one in enumerate(study.figures)]
    text = (
        f"{study.n_tested:,} rows were put aside before anything was learned: not the means of the columns, not the "
        "weights, not the strength. SE is the standard error over these rows; “worse by” compares row by row with the "
        "network, and a difference below two standard errors is not clear."
    )
    classes = ["chosen", *[""] * (len(rows) - 1)]
    return table(head, rows, classes=classes) + f"<p>{text}</p>"


def _cells(one: Figure, place: int) -> list[str]:
    score = f"{plus_minus(one.score, one.score_se, 100)}&nbsp;%"
    worse = plus_minus(one.worse, one.worse_se) if place else ""
    return [plus_minus(one.loss, one.loss_se), score, worse.replace("-", "−"), f"{one.size:,}"]


def _smaller(smaller: Compaction) -> str:
    def joined(widths: tuple[int, ...]) -> str:
        return " – ".join(f"{width:,}" for width in widths)

    rows = []
    if smaller.layers:
        rows.append(["inputs – neurons – outputs", *map(joined, chain(smaller))])
    rows.append(["numbers", f"{smaller.parameters_before:,}", f"{smaller.parameters:,}"])
    rows.append(["bytes", f"{smaller.bytes_before:,}", f"{smaller.bytes:,}"])
    if smaller.latency_before is not None and smaller.latency is not None:
        rows.append(["one call", *(f"{1e6 * spent:,.0f} µs" for spent in (smaller.latency_before, smaller.latency))])
    apart = (
        ""
        if smaller.max_difference is None
        else (f" The largest difference of an output is {_number(smaller.max_difference, 2)}.")
    )
    said = "Neurons that outputs do not depend on are taken out; what they always say is added to the biases."
    listed = "".join(f"<li>{escape(one[:1].upper() + one[1:])}</li>" for one in smaller.notes)
    text = f"<p>{said} {escape(smaller.verdict)}{apart}</p>"
    return table(["", "trained", "saved"], rows) + text + (f"<ul>{listed}</ul>" if listed else "")


def _decay(decay: DecayReport) -> list[str]:
    """How weights decay; folded where none does."""
    if any(row.decays for row in decay.rows):
        return training_page(decay)[2]
    body = f"<p>{escape(decay.headline)}.</p>{''.join(training_page(decay)[2])}"
    return [f"<section><details><summary>Decay: none of the weights decays</summary>{body}</details></section>"]


def _plan(plan: PlanTable) -> str:
    head = ["parameter", "shape", "role", "decided by", "penalty", "strength"]
    rows = [
        [
            escape(row.name),
            " × ".join(map(str, row.shape)),
            escape(row.role),
            escape(row.rule),
            escape(penalty_text(row.penalty)),
            "–" if row.strength is None else _number(row.strength),
        ]
        for row in plan
    ]
    return table(head, rows) + f"<p>{escape(plan.summary)}.</p>"


def _columns(study: NetworkStudy) -> str:
    rows = [[escape(n), escape(kind), f"{missing:,}", escape(use)] for n, kind, missing, use in study.columns]
    more = len(rows) - MOST_COLUMNS
    tail = f"<p>{more:,} more columns are not shown.</p>" if more > 0 else ""
    return table(["column", "kind", "missing", "use"], rows[:MOST_COLUMNS]) + tail
