"""Code to paste: Python and R calls laid out as one would write them."""

from typing import Any

import numpy as np

from shrinkage.units._records import DataFacts, Strength

WIDTH = 100
LONGEST = 12
"""Vectors up to this length are written out; longer ones are named, and are the user's."""


def literal(value: Any, name: str = "") -> str:
    """A Python expression with exactly this value."""
    if isinstance(value, Verbatim):
        return value
    if isinstance(value, np.ndarray):
        if len(value) > LONGEST:
            return name
        return f"np.array([{', '.join(literal(float(v)) for v in value)}])"
    if isinstance(value, float) and not np.isfinite(value):
        return 'float("inf")'
    return f'"{value}"' if isinstance(value, str) else repr(value)


class Verbatim(str):
    """An expression to be written as it stands."""


def call(function: str, positional: list[str], named: dict[str, Any]) -> str:
    """function(positional, name=value), broken into lines where it is long."""
    parts = [*positional, *(f"{name}={literal(value, name)}" for name, value in named.items())]
    return _laid_out(function, parts)


def _laid_out(function: str, parts: list[str]) -> str:
    line = f"{function}({', '.join(parts)})"
    if len(line) <= WIDTH:
        return line
    inner = ",\n".join(f"    {part}" for part in parts)
    return f"{function}(\n{inner}\n)"


def has_array(arguments: dict[str, Any]) -> bool:
    """Whether an array is written out, so that the code needs NumPy."""
    return any(isinstance(value, np.ndarray) and len(value) <= LONGEST for value in arguments.values())


def scaled_columns(strength: Strength, facts: DataFacts) -> list[str]:
    """Lines that standardize X, for packages that do not."""
    if not strength.standardize:
        return []
    weights = "sample_weight=sample_weight" if facts.has_weights else ""
    centered = "" if strength.fit_intercept else "with_mean=False"
    fitted = f"StandardScaler({centered}).fit(X{', ' + weights if weights else ''})"
    return ["from sklearn.preprocessing import StandardScaler", "", f"X = {fitted}.transform(X)"]


def response(strength: Strength, facts: DataFacts, own_offset: bool = False) -> str:
    """y, less the offset where the package has no word for one."""
    return "y - offset" if facts.has_offset and not own_offset else "y"


def estimator(
    imported: str, name: str, arguments: dict[str, Any], strength: Strength, facts: DataFacts, own_offset: bool = False
) -> str:
    """Code that fits an estimator of scikit-learn's kind to X and y, as `model`."""
    lines = ["import numpy as np"] if has_array(arguments) else []
    lines += [imported]
    scaling = scaled_columns(strength, facts)
    lines += [*scaling[:1], "", *scaling[2:]]
    options = {"sample_weight": Verbatim("sample_weight")} if facts.has_weights else {}
    if facts.has_offset and own_offset:
        options["offset"] = Verbatim("offset")
    fitted = call("model.fit", ["X", response(strength, facts, own_offset)], options)
    return "\n".join([*lines, f"model = {call(name, [], arguments)}", fitted])


def in_r(value: Any, name: str) -> str:
    """An R expression with exactly this value."""
    if isinstance(value, Verbatim):
        return value
    if isinstance(value, np.ndarray):
        if len(value) > LONGEST:
            return name.replace(".", "_")
        return f"c({', '.join(in_r(float(v), name) for v in value)})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return f'"{value}"'
    return "Inf" if value == float("inf") else repr(float(value))


def r_call(function: str, positional: list[str], named: dict[str, Any]) -> str:
    """function(positional, name = value), broken into lines where it is long."""
    parts = [*positional, *(f"{name} = {in_r(value, name)}" for name, value in named.items())]
    line = f"{function}({', '.join(parts)})"
    if len(line) <= WIDTH:
        return line
    return f"{function}(\n" + ",\n".join(f"  {part}" for part in parts) + "\n)"
