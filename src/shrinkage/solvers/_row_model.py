"""Newton steps for groups of columns on more columns than rows: a factor as large as the rows, kept while it helps."""

from typing import Any

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs

SAME = 0.2  # share by which a weight may be off in the factor
MOST_CHANGES, MOST_ROUNDS = 40, 3  # of the groups that a step lets move; of those that may come back all together
BLOCK = 1 << 20  # bytes of columns that two products in a row share

_blas: Any = get_blas_funcs
_lapack: Any = get_lapack_funcs


class RowModel:
    """Steps towards M(s) r = y and ‖X_g'r‖ = h_g, with M(s) = I + Σ_g s_g X_g X_g', by factors made at an earlier s.

    With v_g = X_g X_g'r / ‖X_g'r‖ the linearized equations are, in the moves dq_g = ‖X_g'r‖ ds_g and dr,

        M dr + V dq = y - M r,      v_g'dr = ‖X_g'r‖ (1 - ‖X_g'r‖ / h_g),

    the second one that of 1 / ‖X_g'r‖, which is nearly linear in s_g. They are solved by the factor LL' = M and the
    Hessian V'M⁻¹V. Everything here is in single precision: steps need not be exact.

    Parameters
    ----------
    rows : int
    """

    def __init__(self, rows: int):
        self.starts = np.zeros(1, np.int64)
        self.ready = False
        self._columns = np.empty((rows, 0), np.float32, order="F")
        self._weights = np.zeros((rows, 0), np.float32, order="F")  # L⁻¹V
        self._sum = np.zeros((rows, rows), np.float32, order="F")  # Σ_g s_g X_g X_g' at `_at`, below the diagonal
        self._at = np.zeros(0)
        self._L = self._sum
        self._hessian = np.zeros((0, 0))
        self._free: np.ndarray | None = None
        self._factor = self._hessian

    @property
    def columns(self) -> np.ndarray:
        """(rows, columns) in single precision."""
        return self._columns[:, : self.starts[-1]]

    def append(self, columns: np.ndarray, sizes: np.ndarray) -> None:
        """Take in groups, whose weights s are 0: this leaves the factor as it is."""
        old, new = int(self.starts[-1]), columns.shape[1]
        self._columns = _roomy(self._columns, old, new)
        self._columns[:, old : old + new] = columns
        self.starts = np.concatenate([self.starts, old + np.cumsum(sizes)])
        self._at = np.concatenate([self._at, np.zeros(len(sizes))])

    def moved(self, dr: np.ndarray, s: np.ndarray, z: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """X'(r + dr) from z = X'r, and X (s ∘ X'(r + dr) - beta), which are exact in the limit of small moves."""
        X, weights = self.columns, np.repeat(s, np.diff(self.starts))
        step, z = dr.astype(np.float32), z.copy()
        change = np.zeros(len(X), np.float32)
        width = max(1, BLOCK // (4 * len(X)))
        for a in range(0, X.shape[1], width):
            own, at = X[:, a : a + width], slice(a, a + width)
            z[at] += own.T @ step
            change += own @ (weights[at] * z[at] - beta[at]).astype(np.float32)
        return z, change

    def make(self, s: np.ndarray, z: np.ndarray, lengths: np.ndarray) -> bool:
        """Factor M near s, and take V from z = X'r; False where M is too far from the identity for single precision."""
        on = (s > 0) & (self._at > 0)
        scale = float(np.median(s[on] / self._at[on])) if on.any() else 1.0
        off = np.flatnonzero(np.abs(s - scale * self._at) > SAME * np.maximum(s, scale * self._at))
        change = s[off] / scale - self._at[off]
        for sign in (1, -1):
            self._add(off[sign * change > 0], sign * change[sign * change > 0], sign)
        self._at[off] = s[off] / scale
        M = np.float32(scale) * self._sum
        M[np.diag_indices(len(M))] += np.float32(1.0)
        self._L, info = _lapack("potrf", dtype=np.float32)(M, lower=1, overwrite_a=1)
        self.ready = info == 0 and bool(np.isfinite(scale))
        self._hessian = np.zeros((0, 0))
        if self.ready:
            self._extend(z, lengths)
        return self.ready

    def forget(self) -> None:
        """The sum is made from nothing next time."""
        self._sum[:], self._at[:], self.ready = 0.0, 0.0, False

    def _add(self, groups: np.ndarray, weights: np.ndarray, sign: int) -> None:
        if not len(groups):
            return
        sizes = np.diff(self.starts)[groups]
        ends = np.cumsum(sizes)
        places = np.repeat(self.starts[groups] - (ends - sizes), sizes) + np.arange(int(sizes.sum()))
        scaled = (self.columns.T[places] * np.sqrt(np.repeat(weights, sizes)).astype(np.float32)[:, None]).T
        self._sum = _blas("syrk", dtype=np.float32)(sign, scaled, beta=1.0, c=self._sum, lower=1, overwrite_c=1)

    def _extend(self, z: np.ndarray, lengths: np.ndarray) -> None:
        """Take the groups beyond the Hessian into it."""
        old, count = len(self._hessian), len(lengths)
        if old == count:
            return
        X, starts = self.columns, self.starts
        V = np.empty((len(X), count - old), np.float32, order="F")
        unit = (z / np.repeat(np.maximum(lengths, 1e-300), np.diff(starts))).astype(np.float32)
        for k, (a, b) in enumerate(zip(starts[old:-1], starts[old + 1 :], strict=True)):
            V[:, k] = X[:, a:b] @ unit[a:b]
        self._weights = _roomy(self._weights, old, count - old)
        self._weights[:, old:count] = _blas("trsm", dtype=np.float32)(1.0, self._L, V, lower=1, overwrite_b=1)
        hessian = np.empty((count, count))
        hessian[:old, :old] = self._hessian
        hessian[:, old:] = self._weights[:, :count].T @ self._weights[:, old:count]
        hessian[old:, :old] = hessian[:old, old:].T
        self._hessian, self._free = hessian, None

    def step(
        self, s: np.ndarray, z: np.ndarray, lengths: np.ndarray, held: np.ndarray, left: np.ndarray
    ) -> np.ndarray | None:
        """The moves dq, then dr, with s + ds >= 0, for left = y - M(s) r; None where none is found."""
        self._extend(z, lengths)
        trsv, W = _blas("trsv", dtype=np.float32), self._weights[:, : len(s)]
        half = trsv(self._L, left.astype(np.float32), lower=1)
        q = self._bounded((lengths - held) * (lengths / held) + W.T @ half, -s * lengths)
        if q is None:
            return None
        return np.concatenate([q, trsv(self._L, half - W @ q.astype(np.float32), lower=1, trans=1)])

    def _bounded(self, b: np.ndarray, low: np.ndarray) -> np.ndarray | None:
        """The minimum of ½ q'Hq - b'q over q >= low, by an active set; None where it does not come to rest."""
        free, q, rounds = (low < 0) | (b > 0), np.zeros(len(b)), 0
        for _ in range(MOST_CHANGES):
            q[~free] = low[~free]
            held = np.flatnonzero(~free & (low < 0))
            push = b[free] - self._hessian[np.ix_(free, held)] @ q[held] if len(held) else b[free]
            if not self._factored(free):
                return None
            q[free] = _lapack("potrs")(self._factor, push, lower=1)[0] if len(push) else push
            below = free & (q < low)
            if below.any():
                free &= ~below
                continue
            wanted = np.where(free, 0.0, b - self._hessian @ q)
            if not (wanted > 1e-9 * np.abs(b)).any():
                return q
            free |= wanted > (1e-9 * np.abs(b) if rounds < MOST_ROUNDS else 0.5 * wanted.max())
            rounds += 1
        return None

    def _factored(self, free: np.ndarray) -> bool:
        """Factor the Hessian on some groups, unless that is the factor at hand."""
        if self._free is not None and np.array_equal(free, self._free):
            return True
        own = self._hessian[np.ix_(free, free)]
        own[np.diag_indices(len(own))] *= 1 + 1e-6
        self._factor, info = _lapack("potrf")(own, lower=1, overwrite_a=1) if len(own) else (own, 0)
        self._free = free.copy() if info == 0 else None
        return info == 0


def _roomy(A: np.ndarray, used: int, more: int) -> np.ndarray:
    """A, with room for more columns than are used."""
    if used + more <= A.shape[1]:
        return A
    grown = np.empty((len(A), max(2 * A.shape[1], used + more)), A.dtype, order="F")
    grown[:, :used] = A[:, :used]
    return grown
