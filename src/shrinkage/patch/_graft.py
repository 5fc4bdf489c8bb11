"""scikit-learn's own functions with another solver in them, and the classes that hold them."""

from abc import ABCMeta
from collections.abc import Callable, Iterator
from functools import update_wrapper
from types import CellType, CodeType, FunctionType
from typing import Any

from sklearn.base import BaseEstimator

from shrinkage.patch._fallback import LOG, NotOurs


def graft(function: Callable[..., Any], **names: Any) -> Callable[..., Any]:
    """A copy of a function that finds other values under some global names; the function itself is not touched.

    The code that runs is scikit-learn's: its checks, its warnings, its attributes. Only what it calls to minimize is
    replaced, and only in the copy, so that nothing is shared with models that are not patched, or between threads.

    Parameters
    ----------
    function : function, or a decorated one whose decorators keep `__wrapped__` in their closure
    **names
        Global names of the function's code, and what they shall mean.

    Raises
    ------
    NotOurs
        If the code does not use one of the names: another version of scikit-learn, which this was not written for.
    """
    inner = getattr(function, "__wrapped__", None)
    if inner is None:
        missing = sorted(set(names) - set(_names_of(function.__code__)))
        if missing:
            raise NotOurs(f"{function.__qualname__} of this scikit-learn does not use {', '.join(missing)}")
        return _copy(function, {**function.__globals__, **names}, function.__closure__)
    changed = graft(inner, **names)
    cells = tuple(CellType(changed) if cell.cell_contents is inner else cell for cell in function.__closure__ or ())
    return update_wrapper(_copy(function, function.__globals__, cells), changed)


def _copy(function: Any, names: dict[str, Any], closure: Any) -> FunctionType:
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, closure)
    copy.__kwdefaults__ = function.__kwdefaults__
    vars(copy).update(vars(function))
    copy.__doc__, copy.__qualname__, copy.__module__ = function.__doc__, function.__qualname__, function.__module__
    return copy


def _names_of(code: CodeType) -> Iterator[str]:
    """Global names of a function's code and of the generators and functions inside it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_of(inner)


class _StandIn(ABCMeta):
    """Type of the stand-ins: what is an instance or subclass of scikit-learn's class is one of theirs."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return issubclass(type(instance), cls)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if not cls._stands:
            return super().__subclasscheck__(subclass)
        return type.__subclasscheck__(cls.__dict__["_stands_for"], subclass)  # ABC's own would ask cls again

    @property
    def _stands(cls) -> bool:
        return "_stands_for" in cls.__dict__  # a user's subclass inherits it, and is a class of its own


def stand_in(stock: type, grafts: dict[str, Any] | None = None, **members: Any) -> Any:
    """A subclass of scikit-learn's class, under its name, whose `fit` finds `grafts` under some global names.

    `clone`, `get_params`, `set_params`, tags and metadata routing are scikit-learn's, inherited; documentation links
    lead to its pages. Pickles name `shrinkage.patch`, so they load in workers and in processes without the patch.

    Returns
    -------
    type
        The class itself where this version of scikit-learn is not what the grafts were written for.
    """
    bases: tuple[type, ...] = (stock,)
    if grafts:
        owner: Any = next(cls for cls in stock.__mro__ if _is_grafted_into(cls, grafts) or cls is object)
        try:
            fit = graft(vars(owner).get("fit", stock.__init__), **grafts)
        except NotOurs as reason:
            LOG.warning("%s stays scikit-learn's own: %s", stock.__name__, reason)
            return stock
        if owner is stock:
            members["fit"] = fit
        else:  # where stock's own `fit` calls super().fit, it meets the graft on its way to the owner
            bases = (stock, type(owner)(owner.__name__, (owner,), {"fit": fit}))
    page = {"estimator_module": "sklearn.linear_model", "estimator_name": stock.__name__}
    about = {
        "__module__": "shrinkage.patch",
        "__doc__": stock.__doc__,
        "_stands_for": stock,
        "_doc_link_module": "shrinkage",
        "_doc_link_url_param_generator": lambda self: page,
        "_get_param_names": classmethod(_names_once),
    }
    return _StandIn(stock.__name__, bases, {**about, **members})


def _names_once(cls: Any) -> list[str]:
    """Names of parameters, read off the signature once for each class: `fit` asks for them a dozen times."""
    known = cls.__dict__.get("_known_param_names")
    if known is None or known[0] is not cls.__init__:
        known = cls.__init__, BaseEstimator._get_param_names.__func__(cls)
        cls._known_param_names = known
    return list(known[1])


def _is_grafted_into(cls: type, grafts: dict[str, Any]) -> bool:
    function: Any = vars(cls).get("fit")
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function is not None and set(grafts) <= set(_names_of(function.__code__))
