"""Full-batch minimization of a smooth function plus a penalty on a pytree, and the derivative of its solution."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from shrinkage._check import check_boolean, check_positive, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.optax._fixed_point import tangent_of_solution
from shrinkage.optax._stated import Stated, as_prox
from shrinkage.optax._trees import dot, floating_tree, hoisted, kind_of, minus, no_tangent, plus, real_type

Tree = Any
Array = Any
DOUBLINGS = 60
"""How often the first step may grow from 1."""


class ProximalGradientState(NamedTuple):
    """Where a run stands.

    Attributes
    ----------
    iter_num : int
        Iterations so far.
    stepsize : 0-d array
        The last step that was taken.
    error : 0-d array
        Distance of 0 from the subdifferential of the objective: its largest coordinate, in the gradient's unit.
    gap : 0-d array
        Upper bound of the objective's excess over its minimum, if `fun` is convex; inf where none is known or, as
        before the end of a run, none was asked for.
    velocity : pytree
        The point that the next gradient is taken at.
    t : 0-d array
        Nesterov's sequence; 1 where momentum starts anew.
    """

    iter_num: Array
    stepsize: Array
    error: Array
    gap: Array
    velocity: Tree
    t: Array


class OptStep(NamedTuple):
    """A point and the state that belongs to it: `params, state = solver.run(...)`."""

    params: Tree
    state: ProximalGradientState


def proximal_gradient(
    fun: Callable[..., Array],
    prox: Any,
    *,
    stepsize: float | Callable[[Array], Array] = 0.0,
    maxiter: int = 1000,
    tol: float = 1e-5,
    acceleration: bool = True,
    decrease_factor: float = 0.5,
    maxls: int = 30,
    lower_bound: float | None = None,
) -> "ProximalGradient":
    """Make a solver of min over params of fun(params, *args, **kwargs) + g(params): smooth `fun`, g with a prox.

    With v an extrapolated point and t the step, one iteration (FISTA) is

        x⁺ = prox_{t g}(v - t ∇f(v)),    v = x + m (x - x⁻).

    t is halved until f is below its parabola of curvature 1/t, judged by gradients where values are too close to
    tell; the momentum m starts anew, with a larger step tried, when it points uphill.

    Parameters
    ----------
    fun : callable (params, *args, **kwargs) -> 0-d array
        Differentiable, made of JAX's functions.
    prox : Penalty, pytree of Penalty and None, or callable (params, hyperparams, scaling) -> pytree
        A pytree is a prefix of the parameters'; None leaves a leaf free, as an intercept is; `by_path` makes one. Any
        other callable is a prox of jaxopt's signature, such as `prox_lasso`.
    stepsize : float, or callable iteration -> float, default 0
        A fixed step; 0 stands for the search above.
    maxiter : int
    tol : float > 0, in the gradient's unit
        A run ends when 0 is at most so far (its largest coordinate) from the subdifferential of the objective. For
        penalties the distance is exact and needs no step; for a callable it is that of the subgradient which the prox
        names, ∇f(x⁺) - ∇f(v) + (v - x⁺)/t.
    acceleration : bool
        False takes v = x.
    decrease_factor : float in (0, 1)
    maxls : int
        How often one iteration may shrink its step.
    lower_bound : float, optional
        What `fun` is never below: 0 for a mean of losses, `-math.inf` where nothing is known. Asks for `state.gap`,
        which without a finite bound is inf for norms, whose conjugates are infinite outside a ball.

    Returns
    -------
    ProximalGradient
        With `run(init_params, hyperparams_prox, *args, **kwargs) -> (params, state)`.

    Raises
    ------
    ArgumentError
        If an argument is out of range.

    Notes
    -----
    `run` is compiled once per shape, works under `jit` and `vmap`, also over strengths, and has derivatives of every
    order by strengths, arguments and whatever `fun` closes over: by the implicit function theorem, not by unrolling.
    They are those of the exact solution, so they are as accurate as `tol` makes the solution. Calls port from
    jaxopt's `ProximalGradient` as they are; `error` is measured differently (see `tol`), one iteration takes two
    gradients, and the derivative is always implicit.

    References
    ----------
    Beck & Teboulle (2009), SIAM J. Imaging Sci. 2(1), section 4, https://doi.org/10.1137/080716542
    Restart: O'Donoghue & Candès (2015), Found. Comput. Math. 15, eq. 13, https://doi.org/10.1007/s10208-013-9150-3
    Steps by gradients: Becker, Candès & Grant (2011), Math. Program. Comput. 3, section 5.3,
    https://doi.org/10.1007/s12532-011-0029-5

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from shrinkage import L1
    >>> X, y = jnp.array([[1.0], [2.0], [3.0]]), jnp.array([2.0, 4.0, 6.0])
    >>> def loss(params, X, y):
    ...     return 0.5 * jnp.mean((X @ params["w"] + params["b"] - y) ** 2)
    >>> solver = proximal_gradient(loss, {"w": L1(0.5), "b": None})
    >>> start = {"w": jnp.zeros(1), "b": jnp.zeros(())}
    >>> params, state = solver.run(start, None, X, y)
    >>> round(float(params["w"][0]), 3), round(float(params["b"]), 3)
    (1.25, 1.5)
    >>> slope = jax.grad(lambda alpha: solver.run(start, alpha, X, y).params["w"][0])(0.5)
    >>> round(float(slope), 3)
    -1.5
    """
    if not callable(fun):
        raise ArgumentError(f"fun must be a function of the parameters; got {fun!r}")
    if not callable(stepsize) and not (isinstance(stepsize, (int, float)) and 0 <= stepsize < float("inf")):
        raise ArgumentError(f"stepsize must be a number >= 0 or a function of the iteration; got {stepsize!r}")
    check_positive_int("maxiter", maxiter)
    check_positive_int("maxls", maxls)
    check_positive("tol", tol)
    check_boolean("acceleration", acceleration)
    if not (isinstance(decrease_factor, (int, float)) and 0 < decrease_factor < 1):
        raise ArgumentError(f"decrease_factor must be above 0 and below 1; got {decrease_factor!r}")
    operator, stated = as_prox(prox)
    return ProximalGradient(
        fun, operator, stated, stepsize, maxiter, float(tol), acceleration, decrease_factor, maxls, lower_bound
    )


@dataclass(frozen=True, eq=False)
class ProximalGradient:
    """A solver; `proximal_gradient` makes it and says what its attributes are.

    Attributes
    ----------
    fun, stepsize, maxiter, tol, acceleration, decrease_factor, maxls, lower_bound
    prox : callable (params, hyperparams, scaling) -> pytree
    stated : Stated or None
        The penalties that `prox` is made of.
    """

    fun: Callable[..., Array]
    prox: Callable[..., Tree]
    stated: Stated | None
    stepsize: Any
    maxiter: int
    tol: float
    acceleration: bool
    decrease_factor: float
    maxls: int
    lower_bound: float | None
    _compiled: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", jax.jit(self._solve))

    def run(self, init_params: Tree, hyperparams_prox: Any = None, *args: Any, **kwargs: Any) -> OptStep:
        """Minimize from `init_params`.

        Parameters
        ----------
        init_params : pytree of arrays
        hyperparams_prox : optional
            For penalties their strengths: one number, or a pytree that is a prefix of the parameters'; None takes
            each penalty's own. For a callable prox whatever it takes.
        *args, **kwargs : pytrees of arrays
            What `fun` takes besides.

        Returns
        -------
        OptStep
            `params`, of the types of `init_params` (floating), and `state`. Check `state.error`: a run that meets
            `maxiter` ends above `tol` without complaint, since nothing can complain inside `jit`.
        """
        return OptStep(*self._compiled(init_params, hyperparams_prox, args, kwargs))

    def init_state(
        self, init_params: Tree, hyperparams_prox: Any = None, *args: Any, **kwargs: Any
    ) -> ProximalGradientState:
        """Return the state before the first iteration; arguments as `run`."""
        params = floating_tree(init_params)
        problem, theta = self._problem(params, hyperparams_prox, args, kwargs)
        return problem.start(params, theta)

    def update(
        self, params: Tree, state: ProximalGradientState, hyperparams_prox: Any = None, *args: Any, **kwargs: Any
    ) -> OptStep:
        """Return the point and state after one more iteration; arguments as `run`."""
        params = floating_tree(params)
        problem, theta = self._problem(params, hyperparams_prox, args, kwargs)
        return OptStep(*problem.iterate(params, state, theta))

    def _problem(self, params: Tree, hyperparams: Any, args: tuple, kwargs: dict) -> tuple["_Problem", Tree]:
        """The functions, free of what they close over, and everything that they depend on, which is θ."""
        if self.stated is not None:
            own = self.stated.strengths(hyperparams, params)
            hyperparams = [None if alpha is None else jnp.asarray(alpha, real_type(alpha)) for alpha in own]
        step, value = jnp.ones((), kind_of(params)), jnp.zeros((), kind_of(params))
        fun, of_fun = hoisted(lambda p, a, k: self.fun(p, *a, **k), params, args, kwargs)
        prox, of_prox = hoisted(self.prox, params, hyperparams, step)
        judge = gap = None
        of_judge = of_gap = ()
        stated, lower = self.stated, self.lower_bound
        if stated is not None:
            judge, of_judge = hoisted(stated.violation, params, hyperparams, params)
        if stated is not None and lower is not None:
            gap, of_gap = hoisted(lambda p, h, v, g: stated.gap(p, h, v, g, lower), params, hyperparams, value, params)
        theta = {"hyper": hyperparams, "call": (args, kwargs), "closed": (of_fun, of_prox, of_judge, of_gap)}
        problem = _Problem(
            self,
            lambda p, th: fun(th["closed"][0], p, *th["call"]),
            lambda v, th, step: prox(th["closed"][1], v, th["hyper"], step.astype(kind_of(v))),
            None if judge is None else lambda p, th, g: judge(th["closed"][2], p, th["hyper"], g),
            None if gap is None else lambda p, th, v, g: gap(th["closed"][3], p, th["hyper"], v, g),
        )
        return problem, theta

    def _solve(self, init_params: Tree, hyperparams: Any, args: tuple, kwargs: dict) -> tuple:
        params = floating_tree(init_params)
        problem, theta = self._problem(params, hyperparams, args, kwargs)

        @jax.custom_jvp
        def solved(theta: Tree, params: Tree) -> tuple:
            return problem.minimize(params, theta)

        @solved.defjvp
        def _(primals: tuple, tangents: tuple) -> tuple:
            x, state = solved(*primals)
            dx = tangent_of_solution(jax.grad(problem.fun), problem.prox, x, primals[0], tangents[0], state.stepsize)
            return (x, state), (dx, jax.tree.map(no_tangent, state))

        return solved(theta, params)


@dataclass(frozen=True)
class _Problem:
    """f, prox, distance and bound as functions of the point and θ, and the iteration on them."""

    solver: ProximalGradient
    fun: Callable[[Tree, Tree], Array]
    prox: Callable[[Tree, Tree, Array], Tree]
    judge: Callable[[Tree, Tree, Tree], Array] | None
    gap: Callable[[Tree, Tree, Array, Tree], Array] | None

    def start(self, params: Tree, theta: Tree) -> ProximalGradientState:
        """The state of no iterations; its step is where the search begins."""
        kind = kind_of(params)
        step = jnp.ones((), kind)
        if not callable(self.solver.stepsize) and not self.solver.stepsize:
            step = self._first_step(params, theta, step)
        infinite = jnp.asarray(jnp.inf, kind)
        return ProximalGradientState(jnp.asarray(0), step, infinite, infinite, params, jnp.ones((), kind))

    def minimize(self, params: Tree, theta: Tree) -> tuple[Tree, ProximalGradientState]:
        """Iterate until the distance is small, and bound what is left."""
        solver = self.solver

        def going(carry: tuple) -> Array:
            return (carry[1].error > solver.tol) & (carry[1].iter_num < solver.maxiter)

        begun = (params, self.start(params, theta))
        x, state = jax.lax.while_loop(going, lambda carry: self.iterate(*carry, theta), begun)
        if self.gap is None:
            return x, state
        value, gradient = jax.value_and_grad(self.fun)(x, theta)
        return x, state._replace(gap=self.gap(x, theta, value.astype(kind_of(x)), gradient))

    def iterate(self, x: Tree, state: ProximalGradientState, theta: Tree) -> tuple[Tree, ProximalGradientState]:
        """One iteration."""
        solver, v = self.solver, state.velocity
        value, slope = jax.value_and_grad(self.fun)(v, theta)
        if callable(solver.stepsize) or solver.stepsize:
            fixed = solver.stepsize(state.iter_num) if callable(solver.stepsize) else solver.stepsize
            step = jnp.asarray(fixed, state.stepsize.dtype)
            new, new_slope, _, told = self._trial(v, theta, value, slope, step)
        else:
            step, new, new_slope, told = self._search(v, theta, value, slope, state.stepsize)
        error = self._error(new, v, theta, slope, new_slope, step).astype(state.error.dtype)
        velocity, t, following = new, state.t, step
        if solver.acceleration:
            uphill = dot(minus(v, new), minus(new, x)) > 0
            before = jnp.where(uphill, 1.0, state.t).astype(state.t.dtype)
            t = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * before * before))
            velocity = plus(new, (before - 1.0) / t, minus(new, x))
            following = jnp.where(uphill & told, step / solver.decrease_factor, step)
        following = jnp.where(error <= solver.tol, step, following)
        return new, ProximalGradientState(state.iter_num + 1, following, error, state.gap, velocity, t)

    def _error(self, new: Tree, v: Tree, theta: Tree, slope: Tree, new_slope: Tree, step: Array) -> Array:
        if self.judge is not None:
            return self.judge(new, theta, new_slope)
        pulls = jax.tree.map(lambda a, b, p, q: a - b + (p - q) / step.astype(p.dtype), new_slope, slope, v, new)
        return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf), initial=0.0) for leaf in jax.tree.leaves(pulls)]))

    def _trial(self, v: Tree, theta: Tree, value: Array, slope: Tree, step: Array) -> tuple[Tree, Tree, Array, Array]:
        """A step from v: where it ends, the gradient there, whether 1/step bounds f's curvature, whether values told.

        f(x⁺) <= f(v) + ⟨∇f(v), d⟩ + ‖d‖²/(2t) is asked where ‖d‖² / t is well above the rounding of f, and elsewhere
        ⟨∇f(x⁺) - ∇f(v), d⟩ <= ‖d‖² / t, which is the same for a parabola.
        """
        new = self.prox(plus(v, -step, slope), theta, step)
        new_value, new_slope = jax.value_and_grad(self.fun)(new, theta)
        moved = minus(new, v)
        square = dot(moved, moved)
        eps = jnp.finfo(square.dtype).eps
        told = square > 1e3 * eps * step * jnp.maximum(jnp.abs(value), jnp.abs(new_value))
        by_values = step * (new_value - value - dot(slope, moved)) <= 0.5 * square * (1.0 + 1e-2)
        slack = 10.0 * eps * jnp.sqrt(dot(slope, slope) * square)
        by_slopes = step * (dot(minus(new_slope, slope), moved) - slack) <= square
        return new, new_slope, jnp.where(told, by_values, by_slopes), told

    def _search(self, v: Tree, theta: Tree, value: Array, slope: Tree, step: Array) -> tuple[Array, Tree, Tree, Array]:
        """The largest of step, step · decrease_factor, ... that `_trial` accepts."""

        def going(carry: tuple) -> Array:
            *_, bounded, _, count = carry
            return ~bounded & (count < self.solver.maxls)

        def shrink(carry: tuple) -> tuple:
            step, count = carry[0] * self.solver.decrease_factor, carry[-1] + 1
            return (step, *self._trial(v, theta, value, slope, step), count)

        first = (step, *self._trial(v, theta, value, slope, step), jnp.asarray(0))
        step, new, new_slope, _, told, _ = jax.lax.while_loop(going, shrink, first)
        return step, new, new_slope, told

    def _first_step(self, params: Tree, theta: Tree, step: Array) -> Array:
        """`step`, doubled as long as it is short enough; the first iteration shrinks it if it is too long already."""
        value, slope = jax.value_and_grad(self.fun)(params, theta)

        def bounded(step: Array) -> Array:
            _, _, enough, told = self._trial(params, theta, value, slope, step)
            return enough & told  # where nothing moves nothing is learned

        def grow(carry: tuple) -> tuple:
            step, _, count = carry
            return 2.0 * step, bounded(4.0 * step), count + 1

        start = (step, bounded(2.0 * step), jnp.asarray(0))
        return jax.lax.while_loop(lambda carry: carry[1] & (carry[2] < DOUBLINGS), grow, start)[0]
