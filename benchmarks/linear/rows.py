"""The rows of the table: which problem, and how many times faster than the fastest peer we mean to be."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One problem that every tool is given.

    Parameters
    ----------
    kind : "path", "single" or "cv"
        All strengths of the grid; one strength; `folds` folds of the grid, and the fit on all rows.
    ratio : float
        Last strength over alpha_max; of `single`, the strength over alpha_max.
    gap : float
        Relative gap that criterion g asks of a peer.
    bars : dict
        Criterion (g, s or d) to the ratio aimed at.
    """

    name: str
    data: str
    title: str
    kind: str = "path"
    ratio: float = 1e-2
    n_alphas: int = 100
    loss: str = "squared"
    l1_ratio: float = 1.0
    folds: int = 10
    gap: float = 1e-6
    bars: dict = field(default_factory=dict)


def _bars(g: float, s: float, d: float) -> dict:
    return {"g": g, "s": s, "d": d}


ROWS = {
    row.name: row
    for row in (
        Row("a", "wide", "lasso, dense 500 × 20,000, to αmax/100", bars=_bars(25, 4.5, 2)),
        Row("a3", "wide", "lasso, dense 500 × 20,000, to αmax/1000", ratio=1e-3, bars=_bars(10, 5, 1)),
        Row("e", "wide", "elastic net ½, dense 500 × 20,000", l1_ratio=0.5, bars=_bars(8, 3.5, 2)),
        Row("ha", "wide", "one strength, αmax/20, 500 × 20,000", "single", 1 / 20, 1, bars=_bars(3, 2.5, 1.5)),
        Row("c", "equal", "lasso, equicorrelated 2,000 × 5,000", bars=_bars(60, 40, 3)),
        Row("big", "big", "lasso, dense 2,000 × 20,000", gap=1e-5, bars=_bars(6, 3, 1.5)),
        Row("d", "text", "lasso, sparse 20,000 × 100,000, to αmax/100", bars=_bars(4, 4, 4)),
        Row("d3", "text", "lasso, sparse 20,000 × 100,000, to αmax/1000", ratio=1e-3, bars=_bars(3, 1.6, 0.6)),
        Row("b", "tall", "lasso, tall 100,000 × 500", bars=_bars(1, 1, 1)),
        Row("f1", "folds-wide", "10-fold CV, 500 × 5,000", "cv", bars=_bars(30, 6, 2.5)),
        Row("f2", "folds-tall", "10-fold CV, 20,000 × 300", "cv", 1e-3, bars=_bars(10, 10, 10)),
        Row("g1", "classes", "logistic, dense 1,000 × 5,000", loss="logistic", bars=_bars(3.5, 1.3, 1.2)),
        Row("g2", "classes-text", "logistic, sparse 20,000 × 20,000", loss="logistic", bars=_bars(1.6, 1.2, 1.2)),
        Row("diabetes", "diabetes", "10-fold CV, diabetes 442 × 10", "cv", 1e-3),
        Row("cancer", "cancer", "logistic 5-fold CV, breast cancer 569 × 30", "cv", 1e-3, loss="logistic", folds=5,
            bars=_bars(4, 4, 4)),
        Row("small", "small", "lasso path, 100 × 20", ratio=1e-2),
        Row("nci60", "nci60", "lasso, NCI60 expression 64 × 6,829", ratio=1e-2),
        Row("khan", "khan", "logistic, Khan expression 83 × 2,308", loss="logistic"),
        Row("flights", "flights", "lasso, flights 327,346 × 55", ratio=1e-3),
        Row("diamonds", "diamonds", "10-fold CV, diamonds 53,940 × 23", "cv", 1e-3),
        Row("reviews", "reviews", "logistic, film reviews, sparse text", loss="logistic"),
    )
}  # fmt: skip
QUICK = ("a", "ha", "e", "f2", "d", "g1", "g2", "diabetes", "cancer", "small")
