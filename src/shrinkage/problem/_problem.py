"""The problem itself: objective, gradient, optimality conditions, duality gap, null model and alpha_max."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from shrinkage._check import check_boolean, finite_vector, weight_vector
from shrinkage._errors import ArgumentError
from shrinkage.design import check_finite
from shrinkage.losses import JointLoss, Logistic, Loss, Squared
from shrinkage.penalties import Convex
from shrinkage.problem._bounded import BOUNDED, has_no_bound, held_sizes, inside_of_one_bound, measured, without_bounds
from shrinkage.problem._coefficients import as_columns, dense, support
from shrinkage.problem._dual import free_block, minimize_free, project, scaled_dual, squared_dual
from shrinkage.problem._joint import minimize_free_jointly
from shrinkage.problem._least_squares import least_squares
from shrinkage.problem._mean_loss import check_joint, dual_slopes, gaps_of, mean_losses, null_loss, row_loss, slopes
from shrinkage.problem._penalized import dual_terms, first_strength, unpenalized
from shrinkage.problem._rounding import without_rounding
from shrinkage.problem._sizes import check_sizes

if TYPE_CHECKING:
    from shrinkage.design import Design

_BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
class NullModel:
    """The fit of the intercept and the columns with factor 0 alone.

    Attributes
    ----------
    eta : ndarray of shape (n_samples,)
        Linear predictor.
    objective : float
        Mean loss at it; exactly 0.0 where it explains y up to rounding.
    intercept : float
    coef_free : ndarray, one number per column with factor 0, in the order of `Problem.unpenalized`
    """

    eta: np.ndarray
    objective: float
    intercept: float
    coef_free: np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """F(w, b) = (1/S) Σᵢ sᵢ ℓ(yᵢ, ηᵢ) + g(scale ∘ w), with η = offset + X w + b, S = Σ s; b is never penalized.

    Every number that certifies an answer is computed here, in float64, by none of the solvers. For u with
    Σ sᵢ uᵢ = 0 (with an intercept) and Σ sᵢ uᵢ X_ij = 0 for every free column j, Fenchel's inequality gives

        F(w, b) >= D(u) = -(1/S) Σᵢ sᵢ (ℓ*(yᵢ, uᵢ) - uᵢ offsetᵢ) - g*(z / scale),   z = -(1/S) Xᵀ(s ∘ u),

    with equality only at the optimum, where uᵢ = ℓ'(yᵢ, ηᵢ). The gap is F(w, b) - D(u), u built from (w, b).

    Parameters
    ----------
    design : Design of shape (n_samples, n_features)
    y : array of shape (n_samples,)
        For a joint loss (n_samples, 2 or 3), the columns that it names.
    loss : Loss or JointLoss
        For a joint loss the mean of ℓ is f(η) with weights of sum 1, and no intercept is fitted.
    penalty : Penalty, with a number as alpha and, if any, factors of shape (n_features,)
        Groups hold columns of X. Gaps are nan for a penalty that is not `Convex`.
    sample_weight : array of shape (n_samples,), >= 0, not all 0; None stands for all 1
        A weight of 2 is the same as the row twice, a weight of 0 the same as no row.
    offset : array of shape (n_samples,) or None
    fit_intercept : bool
    scale : array of shape (n_features,), > 0; None stands for all 1
        The penalty measures scale_j w_j: standardizing without a changed copy of X.

    Raises
    ------
    ArgumentError
        If shapes disagree, or a weight, offset or scale cannot be used.
    DataError
        If the loss cannot take a row of y.

    References
    ----------
    Duality gap: Ndiaye, Fercoq, Gramfort & Salmon (2017), JMLR 18(128), section 2, https://jmlr.org/papers/v18/16-577.html

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import L1
    >>> from shrinkage.design import as_design
    >>> from shrinkage.losses import Squared
    >>> problem = Problem(as_design(np.array([[1.0], [2.0], [3.0]])), np.array([2.0, 4.0, 6.0]), Squared(), L1(0.5))
    >>> float(round(problem.alpha_max, 3))
    1.333
    >>> w, b = np.array([1.25]), 1.5
    >>> float(round(problem.objective(w, b), 4)), abs(problem.gap(w, b)) < 1e-15
    (0.8125, True)
    """

    design: "Design"
    y: Any
    loss: Loss | JointLoss
    penalty: Any
    sample_weight: Any = None
    offset: Any = None
    fit_intercept: bool = True
    scale: Any = None

    def __post_init__(self) -> None:
        n_samples, n_features = self.design.shape
        y = np.asarray(self.y, dtype=np.float64)
        joint = isinstance(self.loss, JointLoss)
        if (y.shape[:1] if joint else y.shape) != (n_samples,):
            raise ArgumentError(f"y must have shape ({n_samples},), one number per row of X; got {y.shape}")
        self.loss.check(y)
        check_boolean("fit_intercept", self.fit_intercept)
        if np.ndim(self.penalty.alpha) != 0:
            shape = np.shape(self.penalty.alpha)
            raise ArgumentError(f"the penalty of a problem needs one number as alpha; got shape {shape}")
        object.__setattr__(self, "y", y)
        if self.sample_weight is not None:
            object.__setattr__(self, "sample_weight", weight_vector("sample_weight", self.sample_weight, n_samples))
        if isinstance(self.loss, JointLoss):
            check_joint(self.loss, y, self.weights, self.fit_intercept)
        if self.offset is not None:
            object.__setattr__(self, "offset", finite_vector("offset", self.offset, n_samples))
        if isinstance(self.loss, Squared):
            check_sizes(y=self.y, offset=self.offset)
        if self.scale is not None:
            scale = finite_vector("scale", self.scale, n_features)
            if not (scale > 0).all():
                raise ArgumentError(f"scale must be > 0; position {int(np.argmin(scale))} is {scale.min()}")
            object.__setattr__(self, "scale", scale)
        if self.penalty.factors is not None and np.shape(self.penalty.factors) != (n_features,):
            raise ArgumentError(f"factors must have shape ({n_features},); got {np.shape(self.penalty.factors)}")
        unpenalized(self.penalty, n_features)  # refuses groups of columns that there are not

    @cached_property
    def weights(self) -> np.ndarray:
        """The sample weights divided by their sum, shape (n_samples,)."""
        n_samples = self.design.shape[0]
        if self.sample_weight is None:
            return np.full(n_samples, 1.0 / n_samples)
        return self.sample_weight / self.sample_weight.sum()

    @cached_property
    def unpenalized(self) -> np.ndarray:
        """Indices of the columns that no strength acts on: of factor 0, or in no group."""
        return unpenalized(self.penalty, self.design.shape[1])

    @cached_property
    def free(self) -> np.ndarray:
        """Indices of the columns that no penalty acts on: factor·alpha == 0, without bounds."""
        if self.penalty.alpha > 0:
            return self.unpenalized
        return np.flatnonzero(has_no_bound(self.penalty, self.design.shape[1]))

    @cached_property
    def measuring(self) -> Any:
        """The penalty as a function of scale ∘ w: bounds, which hold for w, are measured like it."""
        return measured(self.penalty, self.scale)

    @cached_property
    def basis(self) -> np.ndarray:
        """Weighted-orthonormal basis of the intercept and the free columns, shape (n_samples, rank)."""
        return self.free_block[0] if self.penalty.alpha > 0 else self._block(self.free)[0]

    @cached_property
    def free_block(self) -> tuple[np.ndarray, np.ndarray]:
        """The intercept and the columns with factor 0 as Q (n_samples, r) = Z T, Qᵀ diag(weights) Q = I, and T (q, r).

        Every solver measures dependence among them through this block. Coefficients d of Q are T d of Z.
        """
        return self._block(self.unpenalized)

    def _block(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.fit_intercept and not features.size:
            return np.ones((self.design.shape[0], 1)), np.eye(1)
        columns = self._columns(features)
        if not np.isfinite(columns).all():
            check_finite(self.design)
        if isinstance(self.loss, JointLoss):  # constants change nothing: the block is measured from its means
            Q, T = free_block(np.hstack([np.ones((len(columns), 1)), columns]), self.weights, True)
            return Q[:, 1:], T[1:, 1:]
        return free_block(columns, self.weights, self.fit_intercept)

    def _columns(self, features: np.ndarray) -> np.ndarray:
        """Return the column of ones, if there is an intercept, beside X[:, features]."""
        blocks = [np.ones((self.design.shape[0], int(self.fit_intercept)))]
        for start in range(0, features.size, 64):
            some = np.asarray(features[start : start + 64], dtype=np.int64)
            blocks.append(self.design.combine(some, np.asfortranarray(np.eye(some.size))))
        return np.concatenate(blocks, axis=1)

    @cached_property
    def _start(self) -> np.ndarray:
        """Linear predictor of the offset alone."""
        return np.zeros(self.design.shape[0]) if self.offset is None else self.offset

    @cached_property
    def null(self) -> NullModel:
        """The fit of the intercept and the columns with factor 0."""
        Q, T = self.free_block
        if isinstance(self.loss, Squared):
            weights = None if self.sample_weight is None else self.weights
            d, eta, objective = least_squares(self.y, self.offset, Q, weights)
        else:
            if isinstance(self.loss, JointLoss):
                d, eta = minimize_free_jointly(self.loss, self.y, self._start, Q, self.weights)
            else:
                d, eta = self._logit(Q) or minimize_free(self.loss, self.y, self._start, Q, self.weights)
            objective = null_loss(self.loss, self._mean_loss(eta), self._mean_loss(self._start))
        coef = T @ d
        intercept = float(coef[0]) if self.fit_intercept else 0.0
        return NullModel(eta, objective, intercept, coef[int(self.fit_intercept) :])

    def _logit(self, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The null model of two classes and an intercept alone, which has a closed form: b = log(ȳ / (1 - ȳ))."""
        share = float(self.weights @ self.y) if type(self.loss) is Logistic else 0.0
        if not (self.fit_intercept and Q.shape[1] == 1 and self.offset is None and 0 < share < 1):
            return None
        b = np.log(share / float(self.weights @ (1 - self.y)))
        return b / Q[0], np.full(len(Q), b)

    @cached_property
    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0: max_j |z_j| / (f_j ρ scale_j).

        z = -(1/S) Xᵀ(s ∘ ℓ') at the null model. For ρ = 0 there is no such alpha; the number for ρ = 1e-3 stands in for
        it, as in glmnet. For groups max_g ‖z_g / scale_g‖₂ / ω_g, and for sums the alpha at which the conjugate of the
        part without squares is finite at z. 0.0 if the null model explains y.
        """
        if self.null.objective == 0:
            return 0.0
        slope = -self.slopes(self.null.eta[:, None])
        z = without_rounding(self.design, self.weights[:, None] * slope, self._correlate(slope), self.scale)[:, 0]
        return first_strength(self.penalty, z)

    def with_penalty(self, penalty: Any) -> "Problem":
        """Return the same problem with another penalty; what does not depend on it is not computed again."""
        other = replace(self, penalty=penalty)
        kept = ["weights", "_start"]
        if np.array_equal(self.unpenalized, other.unpenalized):
            kept += ["free_block", "null"]
        other.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return other

    def linear_predictor(self, w: Any, b: float) -> np.ndarray:
        """Return η = offset + X w + b, shape (n_samples,)."""
        return self._predictors(as_columns(w), np.asarray([b]))[:, 0]

    def objective(self, w: Any, b: float) -> float:
        """Return F(w, b)."""
        return self._mean_loss(self.linear_predictor(w, b)) + float(self.measuring.value(self._measured(dense(w))))

    def gradient(self, w: Any, b: float) -> tuple[np.ndarray, float]:
        """Return the gradient of the mean loss in w, shape (n_features,), and in b (0.0 without an intercept)."""
        slope = self.slopes(self.linear_predictor(w, b)[:, None])[:, 0]
        in_w = self.design.correlate(np.asfortranarray((self.weights * slope)[:, None]))[:, 0]
        return in_w, float(self.weights @ slope) if self.fit_intercept else 0.0

    def gap(self, w: Any, b: float) -> float:
        """Return the duality gap at (w, b), in the objective's unit: F(w, b) - min F is at most this."""
        return float(self.gaps(as_columns(w), np.asarray([b]), np.asarray([self.penalty.alpha]))[0])

    def relative_gap(self, w: Any, b: float) -> float:
        """Return gap / null.objective.

        Where the null model explains y (null.objective is 0) that ratio does not exist; the answer is then 0.0 if the
        gap is at most 1e-12 max(1, mean loss at the offset alone), else inf.
        """
        return float(self.relative(np.asarray([self.gap(w, b)]))[0])

    def relative(self, gaps: np.ndarray) -> np.ndarray:
        """Return gaps in units of the null model's objective, by the rule of `relative_gap`."""
        if self.null.objective > 0:
            return gaps / self.null.objective
        return np.where(gaps <= 1e-12 * max(1.0, self._mean_loss(self._start)), 0.0, np.inf)

    def kkt(self, w: Any, b: float) -> float:
        """Return the largest violation of the optimality conditions, with the intercept's, in the gradient's unit."""
        return float(self.kkts(as_columns(w), np.asarray([b]), np.asarray([self.penalty.alpha]))[0])

    def gaps(self, coefs: Any, intercepts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Return the duality gaps of many strengths, one product with X for all of them (in blocks of memory).

        Parameters
        ----------
        coefs : ndarray or SciPy sparse array of shape (n_features, k), in raw units
        intercepts, alphas : array of shape (k,)

        Returns
        -------
        ndarray of shape (k,), in the objective's unit; nan for a penalty that is not convex
        """
        if not isinstance(self.penalty, Convex):
            return np.full(len(alphas), np.nan)
        intercepts, alphas = np.asarray(intercepts, dtype=np.float64), np.asarray(alphas, dtype=np.float64)
        coefs = coefs.tocsc() if sparse.issparse(coefs) else np.asarray(coefs)
        out = np.empty(alphas.size)
        for regime in (alphas > 0, alphas == 0):
            where = np.flatnonzero(regime)
            if where.size:
                problem = self.with_penalty(self.penalty.with_alpha(float(alphas[where[0]])))
                for some in self._blocks(where):
                    out[some] = problem._gap_block(coefs[:, some], intercepts[some], alphas[some])
        return out

    def kkts(self, coefs: Any, intercepts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Return the largest violations of the optimality conditions of many strengths; arguments as `gaps`.

        Returns
        -------
        ndarray of shape (k,), in the gradient's unit
        """
        intercepts, alphas = np.asarray(intercepts, dtype=np.float64), np.asarray(alphas, dtype=np.float64)
        coefs = coefs.tocsc() if sparse.issparse(coefs) else np.asarray(coefs)
        scale = 1.0 if self.scale is None else self.scale
        out = np.empty(alphas.size)
        for some in self._blocks(np.arange(alphas.size)):
            slope = self.slopes(self._predictors(coefs[:, some], intercepts[some]))
            Z = self._correlate(-slope)
            in_b = np.abs(self.weights @ slope) * self.fit_intercept
            for t, column in enumerate(some):
                w = self._measured(dense(coefs[:, [column]]))
                violation = self.measuring.with_alpha(float(alphas[column])).violation(w, Z[:, t]) * scale
                out[column] = max(float(violation.max(initial=0.0)), float(in_b[t]))
        return out

    def _gap_block(self, coefs: Any, intercepts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        loose = [inside_of_one_bound(self.penalty, dense(coefs[:, [t]])) for t in range(alphas.size)]
        if np.any(loose):
            return np.concatenate(
                [self._gap_without(where, coefs[:, [t]], intercepts[[t]], alphas[[t]]) for t, where in enumerate(loose)]
            )
        eta = self._predictors(coefs, intercepts)
        primal = self.mean_losses(eta)
        slope, bounds = dual_slopes(self.loss, self.y, eta, self.basis, self.weights, self._start)
        Z = self._correlate(-slope)
        Z[self.free] = 0.0
        sizes = held_sizes(self.penalty.with_alpha(float(alphas[0])), self.design, self.weights, slope, self.scale)
        caps, conjugates, at_caps = terms = np.empty((3, alphas.size))
        for t, alpha in enumerate(alphas):
            penalty = self.measuring.with_alpha(float(alpha))
            primal[t] += penalty.value(self._measured(dense(coefs[:, [t]])))
            terms[:, t] = dual_terms(penalty, Z[:, t], sizes[:, t])
        if isinstance(self.penalty, BOUNDED):
            duals = self._duals(slope, bounds, caps, (conjugates,))
            duals += self._duals(slope * caps, None if bounds is None else bounds * caps, caps, (at_caps,))
        else:
            duals = self._duals(slope, bounds, caps, (None, conjugates))
        return gaps_of(self.loss, self.y, self.weights, primal, np.max(duals, axis=0))

    def _duals(self, slope: np.ndarray, bounds: Any, caps: np.ndarray, conjugates: tuple[Any, ...]) -> list[np.ndarray]:
        """Dual objectives: of multiples up to `caps` where None, else of the point itself less the conjugate."""
        if isinstance(self.loss, Squared):
            y = project((self.y - self._start)[:, None], self.basis, self.weights)
            return [squared_dual(y, -slope, self.weights, caps, c) for c in conjugates]
        if bounds is not None:
            return [caps * bounds if c is None else bounds - c for c in conjugates]
        shared = (row_loss(self.loss), self.y[:, None], slope, self.weights, caps)
        return [scaled_dual(*shared, c, self.offset) for c in conjugates]

    def _gap_without(self, where: np.ndarray, coefs: Any, intercepts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """The gap at one strength of the problem without some of its bounds."""
        penalty = self.penalty.with_alpha(float(alphas[0]))
        return self.with_penalty(without_bounds(penalty, where))._gap_block(coefs, intercepts, alphas)

    def slopes(self, eta: np.ndarray) -> np.ndarray:
        """Return the derivatives of the mean loss in η, divided by the weight of their row, at η (n_samples, k)."""
        return slopes(self.loss, self.y, eta, self.weights)

    def mean_losses(self, eta: np.ndarray) -> np.ndarray:
        """Return the mean losses (k,) at linear predictors (n_samples, k)."""
        return mean_losses(self.loss, self.y, eta, self.weights)

    def _mean_loss(self, eta: np.ndarray) -> float:
        return float(self.mean_losses(eta[:, None])[0])

    def _measured(self, w: np.ndarray) -> np.ndarray:
        return w if self.scale is None else self.scale * w

    def _correlate(self, R: np.ndarray) -> np.ndarray:
        """Xᵀ(weights ∘ R) / scale, shape (n_features, k)."""
        Z = self.design.correlate(np.asfortranarray(self.weights[:, None] * R))
        return Z if self.scale is None else Z / self.scale[:, None]

    def _predictors(self, coefs: Any, intercepts: np.ndarray) -> np.ndarray:
        """Offset + X coefs + intercepts, shape (n_samples, k)."""
        rows, block = support(coefs)
        eta = self.design.combine(rows, block) if rows.size else np.zeros((self.design.shape[0], block.shape[1]))
        return eta + intercepts + self._start[:, None]

    def _blocks(self, columns: np.ndarray) -> list[np.ndarray]:
        """Return the columns in groups whose residuals and correlations fit in about 32 MB."""
        width = max(1, _BLOCK // sum(self.design.shape))
        return [columns[start : start + width] for start in range(0, columns.size, width)]
