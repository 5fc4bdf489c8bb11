"""How the solution of a penalized problem moves with what the problem is made of: its derivative, without unrolling."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

Tree = Any
Array = Any
LEAST_LIMIT = 20
"""Conjugate gradient steps that even a problem of few unknowns may take."""


def tangent_of_solution(
    gradient: Callable[[Tree, Tree], Tree],
    prox: Callable[[Tree, Tree, Array], Tree],
    x: Tree,
    theta: Tree,
    theta_dot: Tree,
    step: Array,
) -> Tree:
    """Return dx for x = prox(x - t ∇f(x, θ), θ, t) when θ moves by dθ; linear in dθ, so that it can be transposed.

    With D the prox's derivative at x - t ∇f(x), H the Hessian of f, and b the move of the right-hand side while x
    stands still, dx solves (I - D (I - t H)) dx = b. D is symmetric with eigenvalues in [0, 1], so with y = D λ both
    this and its transpose become one symmetric system on the range of D, where the solution lies,

        (D⁺ - I + t H) y = u,    dx = b + y for u = (I - t H) b,    λ = u + (I - t H) y for the transpose,

    which conjugate gradients preconditioned by D solve with products by D and H alone: D⁺ times a search direction is
    carried along. Where D is singular nothing is lost, since residuals are only ever seen through D.

    Parameters
    ----------
    gradient : callable (x, θ) -> ∇f
    prox : callable (v, θ, t) -> pytree
    x, theta, theta_dot : pytrees
    step : 0-d array

    References
    ----------
    Bertrand et al. (2022), J. Mach. Learn. Res. 23(149), section 3, https://jmlr.org/papers/v23/21-0486.html
    Lewis (2002), SIAM J. Optim. 13(3), for where x is a smooth function of θ, https://doi.org/10.1137/S1052623401387623
    """
    flat, unravel = ravel_pytree(x)
    step = jax.lax.stop_gradient(step).astype(flat.dtype)

    def mapped(x: Tree, theta: Tree) -> Array:
        moved = jax.tree.map(lambda w, g: _off_zero(w - step.astype(w.dtype) * g), x, gradient(x, theta))
        return ravel_pytree(prox(moved, theta, step))[0]

    def matvec(p: Array) -> Array:
        return p - jax.jvp(lambda z: mapped(unravel(z), theta), (flat,), (p,))[1]

    def hessian(p: Array) -> Array:
        return jax.jvp(lambda z: ravel_pytree(gradient(unravel(z), theta))[0], (flat,), (p,))[1]

    center = _off_zero(flat - step * ravel_pytree(gradient(x, theta))[0])

    def shrink(p: Array) -> Array:
        return jax.jvp(lambda z: ravel_pytree(prox(unravel(z), theta, step))[0], (center,), (p,))[1]

    def forward(_: Any, b: Array) -> Array:
        return b + _on_range(shrink, hessian, step, b - step * hessian(b))

    def transposed(_: Any, u: Array) -> Array:
        y = _on_range(shrink, hessian, step, u)
        return u + y - step * hessian(y)

    b = jax.jvp(lambda theta: mapped(x, theta), (theta,), (theta_dot,))[1]
    return unravel(jax.lax.custom_linear_solve(matvec, b, solve=forward, transpose_solve=transposed))


def _off_zero(v: Array) -> Array:
    """`v`, with the least number instead of 0: there |v| and ‖v‖ have derivatives, and every prox has its limit's."""
    return v + jnp.where(v == 0, jnp.finfo(v.dtype).tiny, 0).astype(v.dtype)


def _on_range(shrink: Callable, hessian: Callable, step: Array, u: Array) -> Array:
    """Return y in the range of D with (D⁺ - I + t H) y = u there."""
    limit = max(LEAST_LIMIT, 4 * u.size)
    enough = (10.0 * jnp.finfo(u.dtype).eps) ** 2
    z = shrink(u)
    first = jnp.vdot(u, z)

    def going(carry: tuple) -> Array:
        *_, length, count = carry
        return (length > enough * first) & (count < limit)

    def move(carry: tuple) -> tuple:
        y, r, p, whole, length, count = carry  # D whole == p
        image = whole - p + step * hessian(p)
        curvature = jnp.vdot(p, image)
        usable = curvature > 0
        a = jnp.where(usable, length / jnp.where(usable, curvature, 1.0), 0.0)
        y, r = y + a * p, r - a * image
        z = shrink(r)
        after = jnp.where(usable, jnp.vdot(r, z), 0.0)
        b = after / jnp.where(length > 0, length, 1.0)
        return y, r, z + b * p, r + b * whole, after, count + 1

    start = (jnp.zeros_like(u), u, z, u, first, jnp.asarray(0))
    return jax.lax.while_loop(going, move, start)[0]
