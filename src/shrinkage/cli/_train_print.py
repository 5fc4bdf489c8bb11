"""What is printed of a training: as text, as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from shrinkage.cli._network_file import Network
from shrinkage.cli._print import aligned, plain
from shrinkage.report import NetworkStudy, plus_minus
from shrinkage.training import Sweep

WIDTH = 100


def train_text(study: NetworkStudy) -> str:
    """The strengths, the figures beside a linear model, and what to make of it."""
    lines = [study.lead, "", *_strengths(study.sweep, study.chosen), "", *_figures(study), ""]
    for heading, said in study.found:
        lines += _wrapped(f"{heading}: {said}")
    lines += ["", "Next:"]
    for place, (sentence, command) in enumerate(study.advice, 1):
        lines += _wrapped(f"{place}. {sentence}", indent=3)
        lines += [f"   {command}"] if command else []
    return "\n".join([*lines, ""])


def _strengths(sweep: Sweep, chosen: int) -> list[str]:
    score = np.full(len(sweep.strengths), np.nan) if sweep.mean_score is None else sweep.mean_score
    errors = np.full(len(sweep.strengths), np.nan) if sweep.se is None else sweep.se
    rows = [
        [
            f"{strength:.4g}",
            f"{sweep.mean_train[k]:.4g}",
            plus_minus(sweep.mean[k], errors[k]),
            _share(score[k]),
            _share(sweep.mean_zeros[k]),
            _mark(sweep, k, chosen),
        ]
        for k, strength in enumerate(sweep.strengths)
    ]
    head = ["strength", "train", "held out ± SE", sweep.score_name or "score", "zeros", ""]
    if (stopped := [status for status in sweep.status if status != "complete"]) != []:
        return [*aligned(head, rows, bold=chosen), f"{len(stopped)} strengths were stopped early."]
    return aligned(head, rows, bold=chosen)


def _mark(sweep: Sweep, place: int, chosen: int) -> str:
    marks = [name for name, at in (("best", sweep.best), ("1-SE", sweep.one_se), ("taken", chosen)) if at == place]
    return ", ".join(marks)


def _share(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{100 * value:.1f} %"


def _figures(study: NetworkStudy) -> list[str]:
    first = f"on {study.n_tested:,} rows never seen"
    head = [first, f"{study.loss_name} ± SE", study.score_name, "worse by", "numbers"]
    rows = [
        [
            one.name,
            plus_minus(one.loss, one.loss_se),
            f"{plus_minus(one.score, one.score_se, 100)} %",
            plus_minus(one.worse, one.worse_se) if place else "",
            f"{one.size:,}",
        ]
        for place, one in enumerate(study.figures)
    ]
    return aligned(head, rows, bold=0)


def _wrapped(text: str, indent: int = 2) -> list[str]:
    """Lines of at most a screen's width, later ones indented."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = " " * indent + word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def train_document(study: NetworkStudy, network: Network, files: Mapping[str, str]) -> str:
    """One JSON document with everything that `train_text` says, and more digits."""
    form = {
        "version": network.training.version,
        "call": study.call,
        "target": network.target.to_dict(),
        "asked": dict(study.asked),
        "data": dict(study.data),
        "sweep": study.sweep.to_dict(),
        "linear_sweep": None if study.linear_sweep is None else study.linear_sweep.to_dict(),
        "strength": study.strength,
        "rule": network.training.rule,
        "figures": [asdict(one) for one in study.figures],
        "rows_tested": study.n_tested,
        "loss": study.loss_name,
        "score": study.score_name,
        "plan": study.plan.to_dict(),
        "report": study.report.to_dict(),
        "decay": study.decay.to_dict(),
        "smaller": asdict(study.smaller),
        "lead": study.lead,
        "found": dict(study.found),
        "next": [{"what": sentence, "command": command} for sentence, command in study.advice],
        "notes": list(study.notes),
        "files": dict(files),
    }
    return json.dumps(plain(form), ensure_ascii=False, allow_nan=False, indent=2)
