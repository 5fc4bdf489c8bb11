"""The problem of several classes: objective, optimality conditions, duality gap, null model and alpha_max."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from shrinkage._check import check_boolean, weight_vector
from shrinkage._errors import ArgumentError, DataError
from shrinkage.losses import Multinomial
from shrinkage.penalties import L1L2, Box
from shrinkage.problem._bounded import has_no_bound, open_sides, zero_share
from shrinkage.problem._class_bounds import bounded_class_dual, class_box, class_violation
from shrinkage.problem._class_dual import balance_classes, minimize_free_classes
from shrinkage.problem._dual import free_block
from shrinkage.problem._problem import NullModel
from shrinkage.problem._rounding import without_rounding

if TYPE_CHECKING:
    from shrinkage.design import Design

_RIDGE_GRID_RATIO = 1e-3
_LOSS = Multinomial()


@dataclass(frozen=True, eq=False)
class MultinomialProblem:
    """F(W, b) = (1/S) Σᵢ sᵢ ℓ(yᵢ, ηᵢ) + α Σ_j f_j (ρ‖v_j‖₁ + ½(1-ρ)‖v_j‖₂²), v_j = scale_j (w_j1 … w_jK).

    ηᵢ = offsetᵢ + b + Wᵀxᵢ has a predictor for each of K classes, ℓ is the `Multinomial` loss, and the intercepts b are
    never penalized. With `grouped` ‖v_j‖₂ stands in the place of ‖v_j‖₁, so that a feature leaves all classes at once.

    A dual point has u_i = p_i - y_i for probabilities p_i, with Σ sᵢ u_ik = 0 for every class (with intercepts) and
    Σ sᵢ u_ik X_ij = 0 for every free column j; with z_jk = -(1/S) Σ sᵢ u_ik X_ij / scale_j,

        F(W, b) >= D(u) = -(1/S) Σᵢ sᵢ (Σ_k p_ik log p_ik - uᵢᵀ offsetᵢ) - g*(z).

    Parameters
    ----------
    design : Design of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, K)
        The class of each row as a unit vector.
    penalty : L1L2, or a Box around one, with a number as alpha
        Bounds of a feature, in the raw unit of X, are those of its coefficients in every class.
    sample_weight : array of shape (n_samples,) or None
    offset : array of shape (n_samples, K) or None
    fit_intercept : bool
    scale : array of shape (n_features,) or None
    grouped : bool

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), J. Stat. Softw. 33(1), section 4; grouped: Simon, Friedman & Hastie (2013),
    https://arxiv.org/abs/1311.6529

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import L1
    >>> from shrinkage.design import as_design
    >>> X = as_design(np.array([[1.0], [2.0], [3.0]]))
    >>> problem = MultinomialProblem(X, np.eye(3), L1L2(0.5, 1.0))
    >>> float(round(problem.null.objective, 4)), float(round(problem.alpha_max, 4))
    (1.0986, 0.3333)
    """

    design: "Design"
    y: np.ndarray
    penalty: L1L2 | Box
    sample_weight: Any = None
    offset: Any = None
    fit_intercept: bool = True
    scale: Any = None
    grouped: bool = False

    def __post_init__(self) -> None:
        n_samples, n_features = self.design.shape
        y = np.asarray(self.y, dtype=np.float64)
        if y.ndim != 2 or len(y) != n_samples:
            raise ArgumentError(f"y must have shape ({n_samples}, K), a unit vector per row of X; got {y.shape}")
        _LOSS.check(y)
        check_boolean("fit_intercept", self.fit_intercept)
        object.__setattr__(self, "y", y)
        if self.sample_weight is not None:
            object.__setattr__(self, "sample_weight", weight_vector("sample_weight", self.sample_weight, n_samples))
        if self.offset is not None:
            object.__setattr__(self, "offset", class_offset(self.offset, y.shape))
        if self.penalty.factors is not None and np.shape(self.penalty.factors) != (n_features,):
            raise ArgumentError(f"factors must have shape ({n_features},); got {np.shape(self.penalty.factors)}")

    @property
    def n_classes(self) -> int:
        """K."""
        return self.y.shape[1]

    @cached_property
    def weights(self) -> np.ndarray:
        """The sample weights divided by their sum, shape (n_samples,)."""
        n_samples = self.design.shape[0]
        if self.sample_weight is None:
            return np.full(n_samples, 1.0 / n_samples)
        return self.sample_weight / self.sample_weight.sum()

    @cached_property
    def factors(self) -> np.ndarray:
        """The factors of the penalty, shape (n_features,)."""
        factors = self.penalty.factors
        return np.ones(self.design.shape[1]) if factors is None else np.asarray(factors, dtype=np.float64)

    @cached_property
    def free(self) -> np.ndarray:
        """Indices of the columns of factor 0, without bounds."""
        return np.flatnonzero((self.factors == 0) & has_no_bound(self.penalty, self.design.shape[1]))

    @property
    def unpenalized(self) -> np.ndarray:
        """As `free`: the columns that no strength acts on, nor a bound."""
        return self.free

    @cached_property
    def free_block(self) -> tuple[np.ndarray, np.ndarray]:
        """A weighted-orthonormal basis Q (n_samples, r) of the intercept and the free columns, and T with Q = Z T."""
        n_samples, free = self.design.shape[0], self.free
        Z = self.design.combine(free, np.eye(len(free))) if len(free) else np.zeros((n_samples, 0))
        if self.fit_intercept:
            Z = np.hstack([np.ones((n_samples, 1)), Z])
        return free_block(Z, self.weights, self.fit_intercept)

    @cached_property
    def start(self) -> np.ndarray:
        """The offset, zeros without one, shape (n_samples, K)."""
        return np.zeros(self.y.shape) if self.offset is None else self.offset

    @cached_property
    def null(self) -> NullModel:
        """The fit of the intercepts and the free columns alone; intercepts and coefficients centered over classes.

        `eta` is (n_samples, K), `intercept` (K,), `coef_free` (n_free, K).
        """
        Q, T = self.free_block
        d, eta = minimize_free_classes(self.y, self.start, Q, self.weights)
        raw = T @ d
        raw = raw - raw.mean(axis=1, keepdims=True)
        first = int(self.fit_intercept)
        intercept: Any = raw[0] if first else np.zeros(self.n_classes)
        objective = self._mean_loss(eta)
        return NullModel(eta, 0.0 if objective <= 1e-10 else objective, intercept, raw[first:])

    @cached_property
    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0; for ρ = 0 the number for ρ = 1e-3 stands in."""
        if self.null.objective == 0:
            return 0.0
        slope = -_LOSS.gradient(self.y, self.null.eta)
        z = without_rounding(self.design, self.weights[:, None] * slope, self._correlate(slope), self.scale)
        z = open_sides(self.penalty, z.T).T
        size = np.linalg.norm(z, axis=1) if self.grouped else np.abs(z).max(axis=1)
        held = np.divide(size, self.factors, out=np.zeros_like(size), where=self.factors > 0)
        return float(held.max(initial=0.0)) / max(self.penalty.l1_ratio, _RIDGE_GRID_RATIO)

    def with_rows(self, weights: np.ndarray, scale: np.ndarray | None) -> "MultinomialProblem":
        """The same problem with other weights of the rows, as of a fold, and another scale."""
        return replace(self, sample_weight=weights, scale=scale)

    def without_penalty(self) -> "MultinomialProblem":
        """The same problem with every column free, whose null model is its solution."""
        other = replace(self)
        other.__dict__["factors"] = np.zeros(self.design.shape[1])
        return other

    def objective(self, coef: np.ndarray, intercept: np.ndarray, alpha: float) -> float:
        """Return F at coefficients (K, n_features) and intercepts (K,)."""
        eta = self.start + intercept + self.design.combine(np.arange(coef.shape[1]), np.asfortranarray(coef.T))
        return self._mean_loss(eta) + alpha * self._penalty(coef.T)

    def mean_losses(self, eta: np.ndarray) -> np.ndarray:
        """Return the mean losses (k,) at linear predictors (n_samples, K, k)."""
        return np.array([self._mean_loss(eta[:, :, t]) for t in range(eta.shape[2])])

    def losses(self, coefs: Any, intercepts: np.ndarray) -> np.ndarray:
        """Return the mean losses (k,) of many strengths; arguments as `gaps`."""
        return np.array([self._mean_loss(self._at(coefs, intercepts, t)[1]) for t in range(intercepts.shape[1])])

    def gaps(self, coefs: Any, intercepts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Return the duality gaps of many strengths, in the objective's unit.

        Parameters
        ----------
        coefs : ndarray or SciPy sparse array of shape (K n_features, k)
            Class after class, in raw units.
        intercepts : ndarray of shape (K, k)
        alphas : ndarray of shape (k,), > 0
        """
        return np.array([self._gap(*self._at(coefs, intercepts, t), float(a)) for t, a in enumerate(alphas)])

    def kkts(self, coefs: Any, intercepts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Return the largest violations of the optimality conditions, in the gradient's unit; arguments as `gaps`."""
        return np.array([self._kkt(*self._at(coefs, intercepts, t), float(a)) for t, a in enumerate(alphas)])

    def _at(self, coefs: Any, intercepts: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n_features, K) and linear predictors of one strength."""
        column = coefs[:, [t]].toarray()[:, 0] if sparse.issparse(coefs) else np.asarray(coefs)[:, t]
        W = column.reshape(self.n_classes, -1).T
        support = np.flatnonzero(W.any(axis=1))
        eta = self.start + intercepts[:, t]
        return W, eta + self.design.combine(support, np.asfortranarray(W[support])) if support.size else eta

    def _gap(self, W: np.ndarray, eta: np.ndarray, alpha: float) -> float:
        if isinstance(self.penalty, Box):
            return self._gap_in_bounds(W, eta, alpha)
        Q = self.free_block[0]
        primal = self._mean_loss(eta) + alpha * self._penalty(W)
        near = minimize_free_classes(self.y, eta, Q, self.weights)[1]
        u = balance_classes(self.y, near, Q, self.weights)
        z = self._correlate(-u)
        z[self.free] = 0.0
        return primal - max(self._scaled_dual(u, z, alpha), self._full_dual(u, z, alpha))

    def _gap_in_bounds(self, W: np.ndarray, eta: np.ndarray, alpha: float) -> float:
        """The gap where coefficients have bounds, in which the conjugate is finite at some multiple of a dual point."""
        V = self._measured(W)
        box = class_box(self.penalty, alpha, self.scale, V.shape, self.grouped)
        primal = self._mean_loss(eta) + float(box.value(V.ravel()))
        u, z, c, conjugate = bounded_class_dual(self, box, V, eta)
        dual, share = self._loss_dual(c * u) - conjugate, zero_share(box, z)
        if share < c:
            dual = max(dual, self._loss_dual(share * u) - float(box.conjugate(share * z)))
        return primal - dual

    def _scaled_dual(self, u: np.ndarray, z: np.ndarray, alpha: float) -> float:
        """D(c u) for the largest c in [0, 1] at which the conjugate of the penalty is 0."""
        size = np.linalg.norm(z, axis=1) if self.grouped else np.abs(z).max(axis=1)
        bound, held = alpha * self.penalty.l1_ratio * self.factors, size > 0
        c = min(1.0, float((bound[held] / size[held]).min(initial=1.0)))
        return self._loss_dual(c * u)

    def _full_dual(self, u: np.ndarray, z: np.ndarray, alpha: float) -> float:
        """D(u), where squares make the conjugate finite everywhere."""
        l1, l2 = alpha * self.penalty.l1_ratio * self.factors, alpha * (1 - self.penalty.l1_ratio) * self.factors
        if self.penalty.l1_ratio == 1:
            return -np.inf
        if self.grouped:
            over = np.maximum(np.linalg.norm(z, axis=1) - l1, 0.0) ** 2
        else:
            over = (np.maximum(np.abs(z) - l1[:, None], 0.0) ** 2).sum(axis=1)
        held = l2 > 0
        return self._loss_dual(u) - float((over[held] / (2 * l2[held])).sum())

    def _loss_dual(self, u: np.ndarray) -> float:
        used = self.weights > 0
        value = _LOSS.conjugate(self.y[used], u[used]) - (u[used] * self.start[used]).sum(axis=1)
        return -float(self.weights[used] @ value)

    def _kkt(self, W: np.ndarray, eta: np.ndarray, alpha: float) -> float:
        slope = _LOSS.gradient(self.y, eta)
        scale = np.ones((len(W), 1)) if self.scale is None else np.asarray(self.scale)[:, None]
        in_b = float((np.abs(self.weights @ slope) * self.fit_intercept).max())
        if isinstance(self.penalty, Box):
            box = class_box(self.penalty, alpha, self.scale, W.shape, self.grouped)
            bad = class_violation(box, self._measured(W), self._correlate(-slope))
            return max(float((bad * scale).max(initial=0.0)), in_b)
        l1 = alpha * self.penalty.l1_ratio * self.factors[:, None]
        V = scale * W
        c = self._correlate(-slope) - alpha * (1 - self.penalty.l1_ratio) * self.factors[:, None] * V
        if self.grouped:
            size = np.linalg.norm(V, axis=1, keepdims=True)
            on = np.linalg.norm(c - l1 * V / np.where(size > 0, size, 1.0), axis=1, keepdims=True)
            bad = np.where(size > 0, on, np.maximum(np.linalg.norm(c, axis=1, keepdims=True) - l1, 0.0))
        else:
            bad = np.where(V != 0, np.abs(c - l1 * np.sign(V)), np.maximum(np.abs(c) - l1, 0.0))
        return max(float((bad * scale).max(initial=0.0)), in_b)

    def _penalty(self, W: np.ndarray) -> float:
        """g(W) / α for coefficients (n_features, K)."""
        if isinstance(self.penalty, Box):
            return float(
                class_box(self.penalty, 1.0, self.scale, W.shape, self.grouped).value(self._measured(W).ravel())
            )
        V = self._measured(W)
        squares = (V * V).sum(axis=1)
        first = np.sqrt(squares) if self.grouped else np.abs(V).sum(axis=1)
        rho = self.penalty.l1_ratio
        return float(self.factors @ (rho * first + 0.5 * (1 - rho) * squares))

    def _measured(self, W: np.ndarray) -> np.ndarray:
        return W if self.scale is None else np.asarray(self.scale)[:, None] * W

    def _mean_loss(self, eta: np.ndarray) -> float:
        return float(self.weights @ _LOSS.value(self.y, eta))

    def _correlate(self, R: np.ndarray) -> np.ndarray:
        """Xᵀ(weights ∘ R) / scale, shape (n_features, K)."""
        Z = self.design.correlate(np.asfortranarray(self.weights[:, None] * R))
        return Z if self.scale is None else Z / np.asarray(self.scale)[:, None]


def class_offset(offset: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The offset as an array (n_samples, K) of finite numbers."""
    try:
        values = np.asarray(offset, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError("offset must hold numbers, one for each row and class") from None
    if values.shape != shape:
        raise ArgumentError(f"offset must have shape {shape}, one number per row and class; got {values.shape}")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise DataError(f"offset must be finite; row {row} is {values[row].tolist()}")
    return values
