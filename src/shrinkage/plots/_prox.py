"""What one proximal step does to one coefficient."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shrinkage._check import check_positive
from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, L1L2, L2, MCP, SCAD
from shrinkage.plots._style import COLORS, MUTED, new_axes, plain_frame, pyplot

SEPARABLE = (L1, L2, L1L2, MCP, SCAD)
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)))
_POINTS = 4001


def prox(penalty: Any, ax: Any = None, step: float = 1.0, limit: float | None = None) -> Any:
    """Draw the coefficient after a proximal step against the one before, beside the line that leaves it as it is.

    The lasso's curve is soft thresholding, ridge's a line through 0 that never is 0 elsewhere, the elastic net's both;
    MCP and SCAD come back to the line, and leave large coefficients as they are.

    Parameters
    ----------
    penalty : L1, L2, L1L2, MCP or SCAD, or a sequence of them, or a mapping of names to them
        With one number as alpha; the curve is that of a coefficient of factor 1.
    ax : matplotlib Axes, optional
        None makes a new figure.
    step : float > 0
    limit : float > 0, optional
        The largest coefficient drawn; None shows where every curve has taken its last form.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If a penalty does not act on each coefficient alone, or has an array as alpha.

    Examples
    --------
    >>> from shrinkage import L1, L2, MCP
    >>> ax = prox([L1(1.0), L2(1.0), MCP(1.0)])
    >>> ax.get_ylabel()
    'coefficient after the step'
    """
    pyplot()
    check_positive("step", step)
    curves = named(penalty)
    for name, one in curves.items():
        _check(name, one)
    if limit is None:
        limit = 1.15 * max(_last_bend(one, step) for one in curves.values())
    check_positive("limit", limit)
    ax = new_axes(ax, 5.4, 4.6)
    v = np.linspace(-limit, limit, _POINTS)
    ax.plot(v, v, color=MUTED, linewidth=1.0, linestyle=(0, (2, 2)), label="unchanged", zorder=1)
    ax.axvline(0.0, color=MUTED, linewidth=0.7, zorder=1)
    ax.axhline(0.0, color=MUTED, linewidth=0.7, zorder=1)
    # Each thinner than those before it, which show at its sides where they agree.
    for order, (name, one) in enumerate(curves.items()):
        color, dash = COLORS[order % len(COLORS)], DASHES[order % len(DASHES)]
        after = np.asarray(replace(one, factors=None).prox(v, step), dtype=np.float64)
        place = np.flatnonzero(np.abs(np.diff(after)) > 20.0 * (v[1] - v[0])) + 1  # jumps are no slopes
        drawn = (np.insert(v, place, np.nan), np.insert(after, place, np.nan))
        width = max(2.9 - 0.35 * order, 1.4)
        ax.plot(*drawn, color=color, linestyle=dash, linewidth=width, label=name, zorder=3)
    plain_frame(ax)
    ax.set_xlim(-limit, limit)
    ax.set_ylim(-limit, limit)
    ax.set_aspect("equal")
    ax.set_xlabel("coefficient before the step")
    ax.set_ylabel("coefficient after the step")
    ax.legend(fontsize="small", frameon=False, loc="upper left", handlelength=2.8)
    return ax


def named(things: Any) -> dict[str, Any]:
    """One thing, a sequence or a mapping of them, by name; names of penalties say their parameters."""
    if isinstance(things, Mapping):
        found = {str(name): thing for name, thing in things.items()}
    else:
        some = list(things) if isinstance(things, Sequence) else [things]
        found = {}
        for thing in some:
            name = told(thing)
            found[name if name not in found else f"{name} ({len(found) + 1})"] = thing
    if not found:
        raise ArgumentError("there must be at least one to draw; got none")
    return found


def told(penalty: Any) -> str:
    """A penalty in a legend: its kind and its numbers."""
    if not hasattr(penalty, "alpha"):
        return type(penalty).__name__
    words = [f"alpha {penalty.alpha:g}"] if np.ndim(penalty.alpha) == 0 else []
    if isinstance(penalty, L1L2):
        words.append(f"l1_ratio {penalty.l1_ratio:g}")
    if isinstance(penalty, (MCP, SCAD)):
        words.append(f"gamma {penalty.gamma:g}")
    return f"{type(penalty).__name__}, {', '.join(words)}" if words else type(penalty).__name__


def _check(name: str, penalty: Any) -> None:
    if not isinstance(penalty, SEPARABLE):
        raise ArgumentError(
            f"a curve is of a penalty that acts on each coefficient alone: L1, L2, L1L2, MCP or SCAD; {name} is of "
            f"type {type(penalty).__name__}"
        )
    if np.ndim(penalty.alpha) != 0:
        raise ArgumentError(f"a curve needs one number as alpha; {name} has shape {np.shape(penalty.alpha)}")


def _last_bend(penalty: Any, step: float) -> float:
    """A size beyond which the curve is a straight line: past every threshold and jump."""
    alpha = float(penalty.alpha)
    ends = [2.5 * step * alpha, 1.0 if alpha == 0 else 0.0]
    if isinstance(penalty, (MCP, SCAD)):
        ends += [1.25 * penalty.gamma * alpha, 1.25 * alpha * np.sqrt(step * (penalty.gamma + 1.0))]
    return max(ends)
