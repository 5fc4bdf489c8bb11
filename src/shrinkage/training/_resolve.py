"""From facts about parameters to a plan: selections, exclusions and overrides in one fixed order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from shrinkage._errors import ArgumentError
from shrinkage.training._plan import Facts, PlanRow, PlanTable
from shrinkage.training._roles import DEFAULT_FAMILY, FAMILIES, ROLES, roles_of_word

Rule = str | Callable[[str], bool]


def resolve(
    facts: Iterable[Facts],
    penalty: Any = None,
    select: Rule | Sequence[Rule] | None = None,
    exclude: Rule | Sequence[Rule] | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    separator: str = ".",
) -> PlanTable:
    """Decide once, for every parameter, which penalty it gets.

    The first of these that speaks decides: frozen parameters get nothing; the last of `overrides` that matches; any
    of `exclude`; any of `select`, or without `select` the roles of weights.

    Parameters
    ----------
    facts : iterable of Facts
    penalty : Penalty or None
    select, exclude : str, callable name -> bool, or sequence of these
        A word for roles (a role of `ROLES`, one of `FAMILIES`, "all"), or a pattern for names. A pattern with
        `*`, `?` or `[` is a glob for the whole name; one without matches whole dotted components anywhere:
        "head.fc" matches "head.fc.weight" and "aux.head.fc.bias", not "head.fc2.weight". Where a word of the
        roles is also the name of a module, "role:norm" is the role and "*norm.*" the module.
    overrides : mapping from such a word or pattern to Penalty or None
        Later entries win.
    separator : str
        What stands between the components of a name: a dot, or "/" where names are paths.

    Returns
    -------
    PlanTable
        One row per fact, in the order of the facts.

    Raises
    ------
    ArgumentError
        If a word or pattern matches nothing, is ambiguous, a penalty does not fit a parameter's shape, or a penalty
        is given and reaches nothing.

    Examples
    --------
    >>> from shrinkage.penalties import L1
    >>> facts = [Facts("fc.weight", (2, 3), 6, "linear", "Linear weight"),
    ...          Facts("fc.bias", (2,), 2, "bias", "Linear bias")]
    >>> print(resolve(facts, L1(0.1)))
    parameter  shape  role    rule           penalty  strength
    ---------  -----  ------  -------------  -------  --------
    fc.weight  2 x 3  linear  Linear weight  L1       0.1
    fc.bias    2      bias    Linear bias    -        -
    penalized: 1 tensor, 6 numbers; free: 1 tensor, 2 numbers; frozen: 0 tensors, 0 numbers
    """
    facts = tuple(facts)
    index = _Index(facts, separator)
    check_penalty("penalty", penalty)
    chosen = None if select is None else _matches(index, "select", select)
    left_out = _matches(index, "exclude", exclude)
    replaced: dict[str, tuple[str, Any]] = {}
    for pattern, own in _checked_overrides(overrides).items():
        for name in index.find("overrides", pattern):
            replaced[name] = (pattern, own)
    rows = tuple(_row(fact, penalty, chosen, left_out, replaced) for fact in facts)
    for row in rows:
        if row.penalty is not None and (problem := misfit(row.penalty, row.shape)):
            raise ArgumentError(
                f"the penalty of parameter {row.name!r} of shape {row.shape} does not fit: {problem}. "
                f"Exclude the parameter, or give it another penalty by overrides={{{row.name!r}: ...}}"
            )
    given = penalty is not None or any(own is not None for _, own in replaced.values())
    if given and not any(row.penalty is not None for row in rows):
        raise ArgumentError(
            "the penalty reaches no parameter: every one is frozen, excluded, overridden with None or not selected. "
            f"{_census(facts)}"
        )
    return PlanTable(rows)


def check_penalty(name: str, penalty: Any) -> None:
    """Refuse what is neither a penalty nor None."""
    if penalty is None or (callable(getattr(penalty, "prox", None)) and hasattr(penalty, "with_alpha")):
        if not isinstance(penalty, type):
            return
        raise ArgumentError(f"{name} must be a penalty such as {penalty.__name__}(1e-4); got the class itself")
    raise ArgumentError(f"{name} must be a penalty such as L1(1e-4), or None; got {penalty!r}")


def misfit(penalty: Any, shape: tuple[int, ...]) -> str | None:
    """Say why a penalty cannot act on a parameter of this shape; None where it can."""
    if hasattr(penalty, "elementwise"):
        return misfit(penalty.elementwise, shape) or misfit(penalty.group, shape)
    factors = getattr(penalty, "factors", None)
    if factors is not None and tuple(factors.shape) != shape:
        return f"its factors have shape {tuple(factors.shape)}"
    axis, groups = getattr(penalty, "axis", None), getattr(penalty, "groups", None)
    if axis is not None:
        return _misfit_axis(penalty, (axis,) if isinstance(axis, int) else tuple(axis), shape)
    if groups is not None:
        last = max(int(max(group)) for group in groups)
        if last >= prod(shape):
            return f"its groups name coefficient {last}, and there are {prod(shape)}"
        return _misfit_groups(penalty, len(groups), (len(groups),))
    alpha = _shape_of_alpha(penalty)
    return None if _broadcasts(alpha, shape) else f"its alpha has shape {alpha}"


def _misfit_axis(penalty: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> str | None:
    outside = [axis for axis in axes if not -len(shape) <= axis < len(shape)]
    if outside:
        return f"its groups lie along axis {outside[0]}, and there are {len(shape)} axes"
    along = {axis % len(shape) for axis in axes}
    if len(along) < len(axes):
        return f"its groups name one of {len(shape)} axes twice: {axes}"
    norms = tuple(size if axis in along else 1 for axis, size in enumerate(shape))
    return _misfit_groups(penalty, prod(norms), norms)


def _misfit_groups(penalty: Any, n_groups: int, norms: tuple[int, ...]) -> str | None:
    """Say whether a penalty has as many weights and strengths as there are groups, whose norms have that shape."""
    weights, alpha = getattr(penalty, "weights", None), _shape_of_alpha(penalty)
    if weights is not None and not isinstance(weights, str) and len(weights) != n_groups:
        return f"it has weights for {len(weights)} groups, and there are {n_groups}"
    if alpha != (n_groups,) and not _broadcasts(alpha, norms):
        return f"its alpha has shape {alpha}, and there are {n_groups} groups, with norms of shape {norms}"
    return None


def _shape_of_alpha(penalty: Any) -> tuple[int, ...]:
    return tuple(getattr(getattr(penalty, "alpha", None), "shape", ()))


def _broadcasts(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    pairs = zip(reversed(small), reversed(shape), strict=False)
    return len(small) <= len(shape) and all(one in (1, other) for one, other in pairs)


def _row(
    fact: Facts,
    penalty: Any,
    chosen: dict[str, str] | None,
    left_out: dict[str, str],
    replaced: dict[str, tuple[str, Any]],
) -> PlanRow:
    name = fact.name
    if not fact.trainable:
        return PlanRow(fact, "frozen", False)
    if name in replaced:
        pattern, own = replaced[name]
        return PlanRow(fact, f"override {pattern!r}", own is not None, own)
    if name in left_out:
        return PlanRow(fact, f"excluded by {left_out[name]}", False)
    if chosen is None:
        selected = ROLES[fact.role] == DEFAULT_FAMILY
        return PlanRow(fact, fact.reason, selected, penalty if selected else None)
    if name in chosen:
        return PlanRow(fact, f"selected by {chosen[name]}", True, penalty)
    return PlanRow(fact, "not selected", False)


def _matches(index: "_Index", argument: str, rules: Rule | Sequence[Rule] | None) -> dict[str, str]:
    """Return name -> the first rule that matches it, in words."""
    if rules is None:
        return {}
    if isinstance(rules, str) or callable(rules):
        rules = (rules,)
    if not isinstance(rules, Iterable) or isinstance(rules, Mapping):
        raise ArgumentError(f"{argument} must be a word, a pattern, a callable or a list of these; got {rules!r}")
    found: dict[str, str] = {}
    for rule in rules:
        words = repr(rule) if isinstance(rule, str) else f"{getattr(rule, '__name__', 'callable')}()"
        for name in index.find(argument, rule):
            found.setdefault(name, words)
    return found


def _checked_overrides(overrides: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if overrides is None:
        return {}
    if not isinstance(overrides, Mapping):
        raise ArgumentError(f"overrides must map patterns to penalties or None; got {type(overrides).__name__}")
    for pattern, penalty in overrides.items():
        if not isinstance(pattern, str):
            raise ArgumentError(f"overrides must have patterns as keys; got {pattern!r}")
        check_penalty(f"overrides[{pattern!r}]", penalty)
    return overrides


@dataclass(frozen=True, slots=True)
class _Index:
    """The facts, and how words, patterns and callables find some of them."""

    facts: tuple[Facts, ...]
    separator: str = "."

    def find(self, argument: str, rule: Rule) -> list[str]:
        """Return the names that a rule matches; at least one.

        Raises
        ------
        ArgumentError
            If there is none, or if the rule is both a role and a module.
        """
        if callable(rule):
            return self._by_callable(argument, rule)
        if not isinstance(rule, str):
            raise ArgumentError(f"{argument} must hold words, patterns or callables; got {rule!r}")
        word = rule.removeprefix("role:")
        roles = roles_of_word(word)
        if word != rule and not roles:
            raise ArgumentError(f"{argument}: {rule!r} names no role; {_vocabulary()}")
        if not roles:
            found = [fact.name for fact in self.facts if _named(fact, rule, self.separator)]
            return found or self._nothing(argument, rule)
        found = [fact.name for fact in self.facts if fact.role in roles]
        inside = [fact.name for fact in self.facts if word == rule and _inside(fact, word, self.separator)]
        if inside and inside != found:
            raise ArgumentError(
                f"{argument}: {word!r} is both a role ({len(found)} parameters) and a module "
                f"({len(inside)}, such as {inside[0]!r}): write 'role:{word}' for the role, "
                f"'*{word}{self.separator}*' for the module"
            )
        if not found:
            raise ArgumentError(f"{argument}: no parameter has the role {word!r}. {_census(self.facts)}")
        return found

    def _by_callable(self, argument: str, rule: Callable[[str], bool]) -> list[str]:
        found = []
        for fact in self.facts:
            answer = rule(fact.name)
            if answer is not True and answer is not False:
                raise ArgumentError(f"{argument}: the callable must answer True or False; {fact.name!r} got {answer!r}")
            if answer:
                found.append(fact.name)
        if not found:
            raise ArgumentError(f"{argument}: the callable is True for none of {len(self.facts)} parameters")
        return found

    def _nothing(self, argument: str, pattern: str) -> list[str]:
        """Raise, naming the closest names there are."""
        known, mark = {name for fact in self.facts for name in (fact.name, *fact.aliases)}, self.separator
        known |= {name.rpartition(mark)[0] for name in known} | {part for name in known for part in name.split(mark)}
        known |= {*ROLES, *FAMILIES, "all"}
        close = get_close_matches(pattern.strip(f"*?{mark}"), sorted(known - {""}), n=3, cutoff=0.5)
        close = close or sorted(known)[:3]
        raise ArgumentError(
            f"{argument}: {pattern!r} matches no parameter; the closest names are {', '.join(map(repr, close))}. "
            f"A pattern without * matches whole components between {mark!r}, one with * the whole name"
        )


def _named(fact: Facts, pattern: str, mark: str) -> bool:
    names = (fact.name, *fact.aliases)
    if any(letter in pattern for letter in "*?["):
        return any(fnmatchcase(name, pattern) for name in names)
    return any(f"{mark}{pattern}{mark}" in f"{mark}{name}{mark}" for name in names)


def _inside(fact: Facts, module: str, mark: str) -> bool:
    """Say whether a module of this name, at any depth, holds the parameter."""
    return any(module in name.split(mark)[:-1] for name in (fact.name, *fact.aliases))


def _census(facts: Sequence[Facts]) -> str:
    count = {role: sum(fact.role == role for fact in facts) for role in ROLES}
    there = ", ".join(f"{role} {number}" for role, number in count.items() if number)
    return f"Roles there are: {there or 'none'}; frozen: {sum(not fact.trainable for fact in facts)}"


def _vocabulary() -> str:
    return f"there are {', '.join(ROLES)}; {', '.join(FAMILIES)}; all"
