"""What `shrinkage fit` is asked, and the command line that asks the same."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """What `shrinkage fit` was asked."""

    data: str
    target: str
    penalties: tuple[str, ...] = ("l1", "l2", "elastic")
    l1_ratio: float = 0.5
    loss: str = "auto"
    positive: str | None = None
    cv: int = 10
    rule: str = "1se"
    seed: int = 0
    standardize: bool = True
    weights: str | None = None
    offset: str | None = None
    exposure: str | None = None
    group_folds: str | None = None
    time_folds: str | None = None
    event: str | None = None
    strata: str | None = None
    groups: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()
    upper: tuple[str, ...] = ()
    power: float | None = None
    theta: float | None = None
    delta: float | None = None
    quantile: float | None = None
    smoothing: float | None = None
    drop: tuple[str, ...] = ()
    gamma: float | None = None
    tol: float = 1e-6
    score: str = "deviance"
    stop: str | None = None

    @property
    def parameters(self) -> dict[str, float | None]:
        """Of the loss."""
        return {name: getattr(self, name) for name in ("power", "theta", "delta", "quantile", "smoothing")}

    @property
    def roles(self) -> dict[str, str]:
        """Columns that are no features, and what they are."""
        named = {
            "row weights": self.weights,
            "offset": self.offset,
            "exposure": self.exposure,
            "groups of folds": self.group_folds,
            "time": self.time_folds,
            "event": self.event,
            "strata": self.strata,
        }
        return {self.target: "target"} | {name: role for role, name in named.items() if name is not None}

    def ratio(self, penalty: str) -> float:
        """The l1_ratio that a penalty's name means."""
        return {"l2": 0.0, "elastic": self.l1_ratio}.get(penalty, 1.0)

    def call(self, out: str | None) -> str:
        """The command line that asks the same."""
        parts = ["shrinkage", "fit", self.data, "--target", self.target, "--penalty", ",".join(self.penalties)]
        if "elastic" in self.penalties:
            parts += ["--l1-ratio", f"{self.l1_ratio:g}"]
        parts += ["--loss", self.loss, "--cv", str(self.cv), "--rule", self.rule, "--seed", str(self.seed)]
        parts += ["--score", self.score.replace("_", "-")] if self.score != "deviance" else []
        parts += ["--gamma", f"{self.gamma:g}"] if self.gamma is not None else []
        parts += ["--stop", self.stop] if self.stop is not None else []
        parts.append("--standardize" if self.standardize else "--no-standardize")
        columns = ("positive", "weights", "offset", "exposure", "group_folds", "time_folds", "event", "strata")
        said = {name: getattr(self, name) for name in columns} | {"out": out}
        said |= {name: None if value is None else f"{value:g}" for name, value in self.parameters.items()}
        for name, value in said.items():
            parts += [f"--{name.replace('_', '-')}", value] if value is not None else []
        for option, names in (
            ("--groups", self.groups),
            ("--free", self.free),
            ("--lower", self.lower),
            ("--upper", self.upper),
            ("--drop", self.drop),
        ):
            parts += [part for name in names for part in (option, name)]
        return shlex.join([*parts, "--tol", f"{self.tol:g}"])
