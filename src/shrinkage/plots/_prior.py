"""Penalties as the densities that they are."""

from typing import Any

import numpy as np

from shrinkage._check import check_boolean, check_positive
from shrinkage._errors import ArgumentError
from shrinkage.plots._prox import DASHES, named
from shrinkage.plots._style import COLORS, MUTED, new_axes, plain_frame, pyplot
from shrinkage.priors import to_distribution

_POINTS = 2001
_SHOWN = 0.998
_TAIL = 2.0


def prior(
    penalty: Any, n_samples: float | None = None, dispersion: float = 1.0, ax: Any = None, tails: bool = True
) -> Any:
    """Draw the density of a coefficient under each prior, and inset its logarithm, where tails can be told apart.

    On the logarithmic scale a Laplace density falls along a line and a normal one along a parabola, below any line at
    last: the lasso's prior expects both more coefficients near 0 and more large ones.

    Parameters
    ----------
    penalty : L1, L2 or L1L2, or a frozen distribution of scipy.stats, or a sequence or mapping of names to either
        With one number as alpha and no factors.
    n_samples : float > 0, optional
        The sum of weights that penalties are read with, as `shrinkage.priors.to_distribution`; needed if there are any.
    dispersion : float > 0
    ax : matplotlib Axes, optional
        None makes a new figure.
    tails : bool
        Whether to draw the inset.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ArgumentError
        If a penalty has no density of one coefficient, or n_samples is not given.

    Examples
    --------
    >>> from shrinkage import L1, L2
    >>> ax = prior({"ridge": L2(0.02), "lasso": L1(0.02)}, n_samples=100)
    >>> ax.get_ylabel()
    'density'
    """
    pyplot()
    check_boolean("tails", tails)
    curves = {name: _density(name, one, n_samples, dispersion) for name, one in named(penalty).items()}
    reach = max(float(one.ppf(0.5 + 0.5 * _SHOWN)) for one in curves.values())
    ax = new_axes(ax)
    x = np.linspace(-reach, reach, _POINTS)
    _draw(ax, curves, x, 2.0)
    plain_frame(ax)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("coefficient")
    ax.set_ylabel("density")
    ax.legend(fontsize="small", frameon=False, loc="upper left", handlelength=2.8)
    if tails:
        _inset(ax, curves, reach)
    return ax


def _density(name: str, one: Any, n_samples: float | None, dispersion: float) -> Any:
    """A frozen distribution of one coefficient."""
    if hasattr(one, "prox"):
        if n_samples is None:
            raise ArgumentError(
                f"n_samples must be given: a penalty is a prior for a number of rows; {name} is {one!r}"
            )
        check_positive("n_samples", n_samples)
        one = to_distribution(one, n_samples, dispersion)
    if not all(hasattr(one, method) for method in ("pdf", "logpdf", "ppf")):
        raise ArgumentError(f"a density of one coefficient has pdf and ppf; {name} is a {type(one).__name__}")
    if np.size(one.ppf(0.75)) != 1:
        raise ArgumentError(f"a curve needs one number as strength; {name} has {np.size(one.ppf(0.75))}")
    return one


def _draw(ax: Any, curves: dict[str, Any], x: np.ndarray, width: float) -> None:
    for order, (name, one) in enumerate(curves.items()):
        color, dash = COLORS[order % len(COLORS)], DASHES[order % len(DASHES)]
        ax.plot(x, one.pdf(x), color=color, linestyle=dash, linewidth=width, label=name, zorder=3)


def _inset(ax: Any, curves: dict[str, Any], reach: float) -> None:
    """The right tails, down to a millionth of the smallest peak."""
    inset = ax.inset_axes((0.66, 0.5, 0.34, 0.46))
    x = np.linspace(0.0, _TAIL * reach, _POINTS)
    _draw(inset, curves, x, 1.5)
    inset.set_yscale("log")
    peaks = [float(one.pdf(0.0)) for one in curves.values()]
    highest = max(float(one.pdf(_TAIL * reach)) for one in curves.values())
    inset.set_ylim(min(max(0.3 * highest, 1e-6 * min(peaks)), 0.1 * min(peaks)), 2.0 * max(peaks))
    inset.set_xlim(0.0, _TAIL * reach)
    for side in ("top", "right"):
        inset.spines[side].set_visible(False)
    low, high = np.ceil(np.log10(inset.get_ylim()[0])), np.floor(np.log10(inset.get_ylim()[1]))
    inset.set_yticks(10.0 ** np.arange(high, low - 0.5, -max(1, int(np.ceil((high - low) / 3)))))
    inset.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    inset.yaxis.set_minor_formatter(lambda value, _: "")
    inset.tick_params(labelsize="x-small", which="both")
    inset.minorticks_off()
    inset.grid(axis="y", color=MUTED, alpha=0.22, linewidth=0.6)
    inset.set_title("tails, on a logarithmic scale", fontsize="x-small", color="#555555", pad=3)
