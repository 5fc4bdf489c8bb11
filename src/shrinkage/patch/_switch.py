"""The switch: scikit-learn's names lead to the stand-ins, or back."""

import sys
from collections.abc import Iterable, Iterator
from threading import RLock
from types import ModuleType, TracebackType
from typing import Any, Self

from shrinkage._check import check_boolean
from shrinkage._errors import ArgumentError
from shrinkage.patch._fallback import CHOICE, LOG

_lock = RLock()
_patched: set[str] = set()


class Patch:
    """What a call of `patch_sklearn` changed; the end of a `with` block takes that back.

    Attributes
    ----------
    names : tuple of str
        Names of `sklearn.linear_model` that this call led here. A name that an earlier call led here is not among them.
    """

    def __init__(self, names: Iterable[str], smooth_before: bool) -> None:
        self.names = tuple(sorted(names))
        self._smooth_before = smooth_before

    def __repr__(self) -> str:
        return f"<Patch: {', '.join(self.names) or 'nothing new'}>"

    def __enter__(self) -> Self:
        """The patch itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Lead the names back to scikit-learn's own."""
        unpatch_sklearn(self.names)
        CHOICE.smooth = self._smooth_before


def patch_sklearn(names: Iterable[str] | None = None, smooth: bool = False) -> Patch:
    """Let scikit-learn's linear models run on this engine, with its parameters, attributes, warnings and errors.

    From here on `from sklearn.linear_model import LassoCV` gives a subclass of scikit-learn's `LassoCV` that runs
    scikit-learn's own `fit` with another solver in it. What the engine does not do is scikit-learn's own, call by call,
    with the reason logged at INFO on the logger `shrinkage.patch`.

    Names that a module of yours imported before keep what they had: patch first, import then. `isinstance` takes both
    for both. Models are pickled under `shrinkage.patch`, and load where nothing is patched.

    Parameters
    ----------
    names : iterable of str, optional
        Only these of `Lasso`, `LassoCV`, `ElasticNet`, `ElasticNetCV`, `lasso_path`, `enet_path`, `Ridge`, `RidgeCV`,
        `LogisticRegression`, `LogisticRegressionCV`, `PoissonRegressor`, `GammaRegressor`, `TweedieRegressor`.
    smooth : bool, default False
        Whether single fits with an L2 penalty alone run here too: `Ridge`, and by default the last five. There
        scikit-learn's solvers are faster, but stop where a gradient is small; ours ends with a certified duality gap.

    Returns
    -------
    Patch
        Of use in a `with` statement, whose end takes the patch back.

    Raises
    ------
    ArgumentError
        If a name is not one of these.

    Examples
    --------
    >>> import shrinkage
    >>> with shrinkage.patch_sklearn():
    ...     from sklearn.linear_model import LassoCV
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> LassoCV(cv=5).fit(X, y).mse_path_.shape
    (100, 5)
    """
    check_boolean("smooth", smooth)
    with _lock:
        before, CHOICE.smooth = CHOICE.smooth, smooth
        wanted = _known(names) - _patched
        table = {_stock(name): _ours(name) for name in wanted}
        _lead(table)
        _patched.update(wanted)
    LOG.info("patched %s", ", ".join(sorted(wanted)) or "nothing new")
    return Patch(wanted, before)


def unpatch_sklearn(names: Iterable[str] | None = None) -> None:
    """Give scikit-learn its own linear models back; models and classes that you hold go on as they are.

    Parameters
    ----------
    names : iterable of str, optional
        Only these names; by default all that are patched.

    Examples
    --------
    >>> import shrinkage
    >>> patch = shrinkage.patch_sklearn()
    >>> shrinkage.unpatch_sklearn()
    >>> from sklearn.linear_model import Lasso
    >>> Lasso.__module__.split(".")[0]
    'sklearn'
    """
    with _lock:
        given_up = _known(names) & _patched
        _lead({_ours(name): _stock(name) for name in given_up})
        _patched.difference_update(given_up)


def _known(names: Iterable[str] | None) -> set[str]:
    from shrinkage.patch._stand_ins import STAND_INS

    if names is None:
        return set(STAND_INS)
    asked = {names} if isinstance(names, str) else set(names)
    if unknown := sorted(asked - set(STAND_INS)):
        raise ArgumentError(f"names must be among {', '.join(sorted(STAND_INS))}; got {unknown[0]!r}")
    return asked


def _ours(name: str) -> Any:
    from shrinkage.patch._stand_ins import STAND_INS

    return STAND_INS[name]


def _stock(name: str) -> Any:
    return getattr(_ours(name), "_stands_for", _ours(name))


def _lead(table: dict[Any, Any]) -> None:
    """Replace values by others wherever a module of scikit-learn names them, except where they are defined."""
    replaced = {id(before): after for before, after in table.items() if before is not after}
    for module in _modules():
        for name, value in list(vars(module).items()):
            if id(value) in replaced and getattr(value, "__module__", None) != module.__name__:
                setattr(module, name, replaced[id(value)])


def _modules() -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and name.partition(".")[0] == "sklearn":
            yield module
