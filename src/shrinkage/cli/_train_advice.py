"""What to try after a training, each with the command that does it."""

import shlex
from dataclasses import replace

import numpy as np

from shrinkage.cli._train_words import FEW_TESTED, Material
from shrinkage.report import CLEAR, alike

MOST = 5
LATE = 0.8
"""A loss that falls by more than its error after this share of the epochs may fall further."""

CHEAP, MANY = 0.01, 0.1
"""Score that may be lost, and share of zeros that must be won, for a stronger penalty to be worth a word."""


def advice(m: Material) -> tuple[tuple[str, str], ...]:
    """The most useful first, at most five, and how to use the network last."""
    tried = [_constant(m), _end_of_grid(m), _linear(m), _sparser(m), _epochs(m), _overfit(m), _seeds(m), _finer(m)]
    last = ("To keep the network, and this report as a page, add --out DIR.", "")
    if m.out is not None:
        last = ("Predict new rows, with the same columns:", shlex.join(["shrinkage", "predict", m.out, "new.csv"]))
    return (*[one for one in tried if one is not None][:MOST], last)


def _beside(m: Material, ending: str) -> str | None:
    """A folder beside the one of this training."""
    return None if m.out is None else f"{m.out.rstrip('/')}-{ending}"


def _again(m: Material, **changed) -> str:
    """The command with other options, and a folder beside the first."""
    return replace(m.request, **changed).call(_beside(m, "next"), brief=True)


def _constant(m: Material) -> tuple[str, str] | None:
    """A network that has not learned."""
    constant = m.figures[-1]
    if constant.worse > CLEAR * constant.worse_se:
        return None
    if m.strength > 0 and m.request.rule != "min" and m.chosen != m.sweep.best:
        text = "The network is not clearly better than the constant. Take the lowest loss instead of the 1-SE strength:"
        return text, _again(m, rule="min")
    text = (
        "The network is not clearly better than the constant: these columns may not tell the target, or the rows are "
        "too few. Try a gentler training:"
    )
    return text, _again(m, lr=m.request.lr / 10, epochs=2 * m.request.epochs)


def _end_of_grid(m: Material) -> tuple[str, str] | None:
    """A minimum at an end of the strengths is no minimum."""
    strengths, best = m.sweep.strengths, m.sweep.best
    positive = strengths[strengths > 0]
    if len(positive) < 2:
        return None
    if best == len(strengths) - 1 or m.chosen == len(strengths) - 1:
        text = f"The strongest of all, {positive[-1]:.4g}, is still good enough: try stronger ones."
        return text, _again(m, strengths=f"{positive[-1] / 10:.2g}:{positive[-1] * 100:.2g}:12")
    if strengths[best] == positive[0]:
        text = f"The lowest loss is at the weakest strength, {positive[0]:.4g}: try weaker ones."
        return text, _again(m, strengths=f"{positive[0] / 100:.2g}:{positive[0] * 10:.2g}:12")
    return None


def _linear(m: Material) -> tuple[str, str] | None:
    """A linear model that does as well, or better."""
    if m.linear is None or m.linear.worse > CLEAR * m.linear.worse_se:
        return None
    how = "better" if m.linear.worse < -CLEAR * m.linear.worse_se else "as well"
    if m.data.target.loss == "multinomial":
        return f"A linear model does {how}: save that one, its weights can be read.", _again(m, hidden=())
    request = m.request
    words = ["shrinkage", "fit", request.data, "--target", request.target]
    words += ["--positive", request.positive] if request.positive is not None else []
    words += [word for name in request.drop for word in ("--drop", name)]
    words += [] if m.out is None else ["--out", str(_beside(m, "linear"))]
    return f"A linear model does {how}: fit it, and read its coefficients.", shlex.join(words)


def _sparser(m: Material) -> tuple[str, str] | None:
    """A stronger penalty that costs little: a choice of taste that the 1-SE rule does not make."""
    score, zeros = m.sweep.mean_score, m.sweep.mean_zeros
    if score is None or not np.isfinite(score[m.chosen]):
        return None
    cheap = np.flatnonzero((score >= np.nanmax(score) - CHEAP) & (zeros >= zeros[m.chosen] + MANY))
    if not len(cheap):
        return None
    k = int(cheap[-1])
    strength = float(m.sweep.strengths[k])
    text = (
        f"If small matters more than the last point: at {strength:.4g}, {zeros[k]:.0%} of the penalized weights are "
        f"zero (now {zeros[m.chosen]:.0%}) and {m.sweep.score_name} was {score[k]:.1%} in the sweep (now "
        f"{score[m.chosen]:.1%})."
    )
    return text, _again(m, strengths=f"{strength:g}")


def _curve(m: Material) -> np.ndarray | None:
    """Held-out loss after each epoch at the strength taken, (n_seeds, n_epochs)."""
    curves = None if m.sweep.curves is None else m.sweep.curves[m.chosen]
    return None if curves is None or curves.shape[1] < 5 or not np.isfinite(curves).all() else curves


def _epochs(m: Material) -> tuple[str, str] | None:
    """Whether the training ended too early."""
    curves = _curve(m)
    if curves is None:
        return None
    late = curves[:, int(LATE * curves.shape[1])]
    fell = late - curves[:, -1]
    error = fell.std(ddof=1) / np.sqrt(len(fell)) if len(fell) > 1 else 0.0
    if fell.mean() <= CLEAR * error or fell.mean() < 0.02 * abs(curves[:, -1].mean()):
        return None
    return "The held-out loss was still falling when training ended: train longer.", _again(
        m, epochs=2 * m.request.epochs
    )


def _overfit(m: Material) -> tuple[str, str] | None:
    """Whether the network knows the rows it trained on much better than others."""
    train, held = float(m.sweep.mean_train[m.chosen]), float(m.sweep.mean[m.chosen])
    hidden = m.request.hidden
    if not held > 2.0 * max(train, 1e-12) or not hidden or max(hidden) < 8:
        return None
    text = (
        f"The loss on rows trained on is {train:.3g}, on others {held:.3g}: more rows would help most; a smaller "
        "network has less to remember with."
    )
    return text, _again(m, hidden=tuple(max(width // 2, 4) for width in hidden))


def _seeds(m: Material) -> tuple[str, str] | None:
    """One seed says nothing about luck."""
    if len(m.sweep.seeds) > 1:
        return None
    return "Each strength was trained once: with several trainings, the choice knows how much is luck.", _again(
        m, seeds=5
    )


def _finer(m: Material) -> tuple[str, str] | None:
    """A closer look at the strengths that cannot be told apart."""
    low, high = alike(m.sweep)
    positive = m.sweep.strengths[m.sweep.strengths > 0]
    if len(m.data.tested_on) < FEW_TESTED or len(positive) < 2 or high == 0:
        return None
    step = float(positive[1] / positive[0])
    low = max(low, float(positive[0])) / step
    return "For a finer choice, look closer around the best strengths.", _again(
        m, strengths=f"{low:.2g}:{high * step:.2g}:12"
    )
