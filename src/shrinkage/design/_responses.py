"""One matrix for several responses: their rows and coefficients side by side, without a Kronecker product."""

import numpy as np

from shrinkage.design._protocol import Array, Design, Indices


class ResponsesDesign:
    """X for each of K responses: row i K + k is row i of X for response k, column j K + k its coefficient of column j.

    That is X ⊗ I, which is never formed: every product is one of X with K times as many columns. With an intercept the
    last K columns are those of ones.

    Parameters
    ----------
    base : Design of shape (n_samples, n_features)
    responses : int, K
    intercept : bool

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage.design import as_design
    >>> design = ResponsesDesign(as_design(np.array([[1.0], [2.0]])), 2, intercept=True)
    >>> design.correlate(np.array([[1.0], [0.0], [1.0], [1.0]]))[:, 0]
    array([3., 2., 2., 1.])
    """

    feature_names = None
    converted_from = None

    def __init__(self, base: Design, responses: int, intercept: bool):
        self.base, self.responses, self.intercept = base, responses, intercept
        n, p = base.shape
        self.shape = (n * responses, (p + int(intercept)) * responses)
        self.dtype, self.is_sparse = base.dtype, base.is_sparse

    def first_not_finite(self) -> tuple[int, int] | None:
        """The first row of X, and in it the first column, with a NaN or infinity."""
        return self.base.first_not_finite()

    def correlate(self, R: Array) -> Array:
        """Return ``(X ⊗ I).T @ R``, shape (columns, k)."""
        K, k = self.responses, R.shape[1]
        side = np.asfortranarray(np.asarray(R).reshape(self.base.shape[0], K * k))
        found = self.base.correlate(side).reshape(self.base.shape[1] * K, k)
        if self.intercept:
            found = np.vstack([found, side.sum(axis=0).reshape(K, k)])
        return np.asfortranarray(found)

    def combine(self, features: Indices, B: Array) -> Array:
        """Return ``(X ⊗ I)[:, features] @ B``, shape (rows, k)."""
        K, k, p = self.responses, B.shape[1], self.base.shape[1]
        features = np.asarray(features, dtype=np.int64)
        own, places = np.unique(features // K, return_inverse=True)
        side = np.zeros((len(own), K, k))
        np.add.at(side, (places, features % K), B)
        side = side.reshape(len(own), K * k)
        real = own < p
        out = self.base.combine(own[real], np.asfortranarray(side[real]))
        if not real.all():
            out = out + side[~real]
        return np.asfortranarray(out.reshape(self.shape[0], k))

    def gram(self, new: Indices, old: Indices, weights: Array | None = None) -> Array:
        """Return ``(X ⊗ I)[:, new].T @ diag(weights) @ (X ⊗ I)[:, old]``."""
        columns = self.combine(old, np.asfortranarray(np.eye(len(old))))
        return np.asfortranarray(self.correlate(columns if weights is None else weights[:, None] * columns)[new])

    def gather(self, features: Indices, shift: Array, row_scale: Array | None, out: Array) -> Array:
        """Write ``out[:, a] = row_scale * ((X ⊗ I)[:, features[a]] - shift[a])`` and return `out`."""
        out[:] = self.combine(features, np.asfortranarray(np.eye(len(features)))) - shift
        if row_scale is not None:
            out *= row_scale[:, None]
        return out

    def column_moments(self, weights: Array | None = None) -> tuple[Array, Array]:
        """Weighted means and variances of the columns of X, once for each response, for weights that they share."""
        own = None if weights is None else np.asfortranarray(weights[:: self.responses])
        means, variances = (np.repeat(values, self.responses, axis=0) for values in self.base.column_moments(own))
        if self.intercept:
            ones = np.ones((self.responses, means.shape[1]))
            means, variances = np.vstack([means, ones]), np.vstack([variances, 0.0 * ones])
        return np.asfortranarray(means), np.asfortranarray(variances)
